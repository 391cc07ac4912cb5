// SPDX-License-Identifier: MIT
/* The files of a chain: their numbers, and the words in which one that cannot be followed is told.
 */
#include "chain.h"
#include "io_memory.h"
#include "output.h"
#include "scratch.h"

#define CLUSTER 65536

/* Names and formats that an image holds; NULL: none. */
struct made {
    const char *backing, *format, *data;
    bool nameless_data; /* in an external file, nobody knows which */
};

static unsigned char *put_extension(unsigned char *at, uint32_t type, const char *text)
{
    size_t len = strlen(text);

    put_be32(at, type);
    put_be32(at + 4, (uint32_t)len);
    memcpy(at + 8, text, len);
    return at + 8 + (len + 7) / 8 * 8;
}

static void make(const char *path, struct made made)
{
    unsigned char bytes[2048];
    unsigned char *at = bytes + 104;

    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, "QFI\xfb", 4);
    put_be32(bytes + 4, 3);
    put_be32(bytes + 20, 16);
    put_be64(bytes + 24, 1 << 20);
    put_be32(bytes + 36, 1);
    put_be64(bytes + 40, 2 * CLUSTER);
    put_be64(bytes + 48, CLUSTER);
    put_be32(bytes + 56, 1);
    put_be32(bytes + 96, 4);
    put_be32(bytes + 100, 104);
    if (made.data != NULL || made.nameless_data)
        put_be64(bytes + 72, FORMAT_INCOMPAT_DATA_FILE);
    if (made.format != NULL)
        at = put_extension(at, 0xe2792aca, made.format);
    if (made.data != NULL)
        at = put_extension(at, 0x44415441, made.data);
    if (made.backing != NULL) {
        put_be64(bytes + 8, (uint64_t)(at + 8 - bytes));
        put_be32(bytes + 16, (uint32_t)strlen(made.backing));
        memcpy(at + 8, made.backing, strlen(made.backing));
    }
    scratch_put(path, bytes, sizeof(bytes));
    assert_int_equal(truncate(path, 4 * CLUSTER), 0);
}

static struct io *open_io(const char *path)
{
    struct err err = {0};
    struct io *io;

    if (io_file_open(path, &io, &err) < 0)
        fail_msg("%s", err.text);
    return io;
}

static void open_chain(const char *path, struct format_chain *chain)
{
    struct err err = {0};

    if (format_chain_open(open_io(path), path, chain, &err) < 0)
        fail_msg("%s", err.text);
}

/* The top image is the caller's. */
static void close_chain(struct format_chain *chain)
{
    struct io *io = chain->files[0].io;

    format_chain_close(chain);
    assert_null(chain->files);
    io_close(io);
}

static void is_refused(const char *path, int code, const char *text)
{
    struct format_chain chain;
    struct io *io = open_io(path);
    struct err err = {0};

    assert_int_equal(format_chain_open(io, path, &chain, &err), -code);
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, code);
    assert_null(chain.files);
    io_close(io);
}

static void files_are_numbered_from_the_top_down(void **state)
{
    struct format_chain chain;
    static const struct {
        const char *path;
        uint32_t layer;
    } expected[] = {{"top", 0}, {"top.data", 0}, {"middle", 1}, {"middle.data", 1}, {"base", 2}};

    (void)state;
    make("top", (struct made){.backing = "middle", .format = "qcow2", .data = "top.data"});
    make("middle", (struct made){.backing = "base", .format = "raw", .data = "middle.data"});
    scratch_write("top.data", "d");
    scratch_write("middle.data", "d");
    scratch_write("base", "some bytes");
    assert_int_equal(truncate("base", 1025), 0);
    open_chain("top", &chain);
    assert_int_equal(chain.n_files, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(chain.files[i].path, expected[i].path);
        assert_int_equal(chain.files[i].layer, expected[i].layer);
    }
    assert_int_equal(chain.n_layers, 3);
    assert_int_equal(chain.layers[0].kind, FORMAT_LAYER_QCOW2);
    assert_int_equal(chain.layers[0].image_file, 0);
    assert_int_equal(chain.layers[0].data_file, 1);
    assert_int_equal(chain.layers[1].image_file, 2);
    assert_int_equal(chain.layers[1].data_file, 3);
    assert_int_equal(chain.layers[1].virtual_bytes, 1 << 20);
    assert_int_equal(chain.layers[1].file_bytes, 4 * CLUSTER);
    assert_int_equal(chain.layers[2].kind, FORMAT_LAYER_RAW);
    assert_int_equal(chain.layers[2].image_file, 4);
    assert_int_equal(chain.layers[2].data_file, 4);
    assert_int_equal(chain.layers[2].file_bytes, 1025);
    assert_int_equal(chain.layers[2].virtual_bytes, 1536); /* in whole sectors */
    close_chain(&chain);
}

static void an_image_alone_is_a_chain_too(void **state)
{
    struct format_chain chain;

    (void)state;
    make("top", (struct made){.format = "raw"});
    open_chain("top", &chain);
    assert_int_equal(chain.n_layers, 1);
    assert_int_equal(chain.n_files, 1);
    assert_int_equal(chain.layers[0].data_file, 0);
    close_chain(&chain);
}

static void relative_names_begin_where_the_image_is(void **state)
{
    struct format_chain chain;

    (void)state;
    mkdir("folder", 0700);
    make("folder/top", (struct made){.backing = "base", .format = "qcow2", .data = "data"});
    make("folder/base", (struct made){.backing = NULL});
    scratch_write("data", "d"); /* but that of a data file where the program is */
    open_chain("folder/top", &chain);
    assert_string_equal(chain.files[1].path, "data");
    assert_string_equal(chain.files[2].path, "folder/base");
    close_chain(&chain);
}

/* ---- what is not followed ---- */

static void a_missing_backing_file_comes_with_the_cure(void **state)
{
    (void)state;
    make("top", (struct made){.backing = "base", .format = "raw"});
    is_refused("top", ENOENT,
               "the backing file \"base\", named by \"top\", cannot be opened: No such file or "
               "directory; bring it back, or record another with: qemu-img rebase -u -F raw -b "
               "NEW-NAME top");
    make("-o:x", (struct made){.backing = "file/base", .format = "qcow2"});
    scratch_write("file", "");
    is_refused("-o:x", ENOTDIR,
               "the backing file \"file/base\", named by \"-o:x\", cannot be opened: Not a "
               "directory; bring it back, or record another with: qemu-img rebase -u -F qcow2 -b "
               "NEW-NAME ./-o:x");
    make("a:b", (struct made){.backing = "base"});
    is_refused("a:b", ENOENT,
               "the backing file \"base\", named by \"a:b\", cannot be opened: No such file or "
               "directory; bring it back, or record another with: qemu-img rebase -u -F FORMAT -b "
               "NEW-NAME ./a:b");
}

static void what_is_no_file_is_told_so(void **state)
{
    (void)state;
    mkdir("base", 0700);
    make("top", (struct made){.backing = "base", .format = "raw"});
    is_refused("top", EISDIR,
               "the backing file \"base\", named by \"top\", is a directory, not a disk image; "
               "name a regular file or a block device");
    make("other", (struct made){.backing = "closed", .format = "raw"});
    scratch_write("closed", "");
    chmod("closed", 0);
    chmod("other", 0644);
    scratch_be_nobody();
    is_refused("other", EACCES,
               "the backing file \"closed\", named by \"other\", cannot be opened: Permission "
               "denied");
    scratch_be_oneself();
}

static void a_missing_data_file_has_no_such_cure(void **state)
{
    (void)state;
    make("top", (struct made){.data = "data"});
    is_refused("top", ENOENT,
               "the external data file \"data\", named by \"top\", cannot be opened: No such file "
               "or directory; bring it back, or measure from where QEMU is started: a relative "
               "name is one for the current directory");
    make("top", (struct made){.nameless_data = true});
    is_refused("top", EINVAL,
               "the data of \"top\" are in an external file, but its name is missing; QEMU needs "
               "it given as data-file");
}

static void formats_are_not_guessed(void **state)
{
    (void)state;
    make("top", (struct made){.backing = "base"});
    make("base", (struct made){.backing = NULL});
    is_refused("top", EINVAL,
               "the backing file \"base\", named by \"top\", has no recorded format, and a guess "
               "may be what a guest wants it to be; it looks like qcow2: if it is, record that "
               "with: qemu-img rebase -u -F qcow2 -b base top");
    scratch_write("base", "QFI");
    is_refused("top", EINVAL,
               "the backing file \"base\", named by \"top\", has no recorded format, and a guess "
               "may be what a guest wants it to be; it looks like raw: if it is, record that "
               "with: qemu-img rebase -u -F raw -b base top");
    make("top", (struct made){.backing = "base", .format = "vmdk\x1b"});
    is_refused("top", ENOTSUP,
               "the backing file \"base\", named by \"top\", has the format \"vmdk\\x1b\", which "
               "is not supported; only qcow2 and raw are");
}

static void what_is_no_name_of_a_file_is_told_so(void **state)
{
    (void)state;
    make("top", (struct made){.backing = "nbd://host/disk", .format = "raw"});
    is_refused("top", ENOTSUP,
               "the backing file \"nbd://host/disk\", named by \"top\", is remote, and what an "
               "image names there is not connected to: name it yourself, alone, to have it "
               "measured");
    make("top", (struct made){.backing = "nbd:host:1", .format = "raw"});
    is_refused("top", ENOTSUP,
               "the backing file \"nbd:host:1\", named by \"top\", is not a file of this "
               "host: \"nbd:\" begins the name of something else, which is not supported");
    make("top", (struct made){.backing = "json:{}", .format = "raw"});
    is_refused("top", ENOTSUP,
               "the backing file \"json:{}\", named by \"top\", is described in JSON, which is "
               "not supported; only plain file names are");
}

static void a_loop_ends(void **state)
{
    (void)state;
    make("top", (struct made){.backing = "middle", .format = "qcow2"});
    make("middle", (struct made){.backing = "link", .format = "qcow2"});
    assert_int_equal(link("top", "link"), 0);
    is_refused("top", ELOOP,
               "the backing file \"link\", named by \"middle\", is an image that is built on it: "
               "the chain is a loop; break it, or record another with: qemu-img rebase -u -F "
               "qcow2 -b NEW-NAME middle");
    make("self", (struct made){.backing = "self", .format = "raw"});
    is_refused("self", ELOOP,
               "the backing file \"self\", named by \"self\", is an image that is built on it: "
               "the chain is a loop; break it, or record another with: qemu-img rebase -u -F raw "
               "-b NEW-NAME self");
}

static void a_damaged_layer_is_named(void **state)
{
    (void)state;
    make("top", (struct made){.backing = "base", .format = "qcow2"});
    scratch_write("base", "text");
    is_refused("top", EINVAL,
               "the backing file \"base\", named by \"top\", is not a qcow2 image: it does "
               "not begin with the qcow2 signature");
    scratch_put("base", "QFI\xfb\0\0\0\x09", 8);
    assert_int_equal(truncate("base", 4096), 0);
    is_refused("top", ENOTSUP,
               "the backing file \"base\", named by \"top\", cannot be used: header: "
               "version 9 of qcow2 is unknown; versions 2 and 3 are");
}

/* The 1,001st is refused, and none before it. */
static void a_thousand_images_are_enough(void **state)
{
    char name[16], next[16];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        snprintf(next, sizeof(next), "%d", i + 1);
        make(name, (struct made){.backing = next, .format = i == 999 ? "raw" : "qcow2"});
    }
    scratch_write("1000", "");
    is_refused("0", ELOOP,
               "the backing file \"1000\", named by \"999\", is image number 1001 of a chain; at "
               "most 1000 are followed");
}

static void long_names_are_shortened(void **state)
{
    char name[600], part[64];
    struct format_chain chain;
    struct err err = {0};
    struct io *io;

    (void)state;
    memset(name, 'a', 500);
    name[500] = '\0';
    make("top", (struct made){.backing = name, .format = "raw"});
    io = open_io("top");
    assert_int_equal(format_chain_open(io, "top", &chain, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "aaa...aaa"));
    assert_non_null(
        strstr(err.text, "aaa\", named by \"top\", cannot be opened: File name too long"));
    assert_in_range(strcspn(err.text, "."), 200, 240);
    snprintf(part, sizeof(part), "%.20s", err.text);
    assert_string_equal(part, "the backing file \"aa");
    io_close(io);
}

/* ---- who uses it ---- */

static int lock(const char *path, off_t byte)
{
    struct flock one = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int fd = open(path, O_RDWR);

    assert_int_equal(fcntl(fd, F_OFD_SETLK, &one), 0);
    return fd;
}

static void expect_users(const struct format_chain *chain, const char *locked, off_t byte,
                         bool held, bool written, bool in_flux)
{
    int fd = lock(locked, byte);
    struct io_users users = format_chain_users(chain);

    assert_true(users.known);
    assert_int_equal(users.held, held);
    assert_int_equal(users.written, written);
    assert_int_equal(users.in_flux, in_flux);
    close(fd);
}

static void who_writes_to_any_file_uses_the_chain(void **state)
{
    struct format_chain chain;

    (void)state;
    make("top", (struct made){.backing = "base", .format = "qcow2"});
    make("base", (struct made){.backing = NULL});
    open_chain("top", &chain);
    expect_users(&chain, "top", 100, true, false, false);
    expect_users(&chain, "top", 101, true, true, false);
    expect_users(&chain, "base", 100, false, false, false); /* others read it as well */
    expect_users(&chain, "base", 101, true, true, false);
    expect_users(&chain, "base", 200, false, false, true);
    close_chain(&chain);
}

/* ---- what is spared ---- */

static void files_that_are_named_are_spared(void **state)
{
    static const char *const names[] = {"base", "data", "other"};
    struct format_chain chain;

    (void)state;
    make("top", (struct made){.backing = "base", .format = "raw", .data = "data"});
    scratch_write("base", "b");
    scratch_write("data", "d");
    scratch_write("other", "o");
    open_chain("top", &chain);
    for (int i = 0; i < 3; i++) {
        struct io_output output;
        struct err err = {0};

        assert_int_equal(io_output_open(&output, names[i], &err), 0);
        assert_int_equal(format_chain_spare_named(&chain.layers[0].header, "top", &err), 0);
        assert_int_equal(io_output_check(&output, &err), i < 2 ? -EEXIST : 0);
        io_output_abort(&output);
    }
    close_chain(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(files_are_numbered_from_the_top_down),
        SCRATCH_TEST(an_image_alone_is_a_chain_too),
        SCRATCH_TEST(relative_names_begin_where_the_image_is),
        SCRATCH_TEST(a_missing_backing_file_comes_with_the_cure),
        SCRATCH_TEST(what_is_no_file_is_told_so),
        SCRATCH_TEST(a_missing_data_file_has_no_such_cure),
        SCRATCH_TEST(formats_are_not_guessed),
        SCRATCH_TEST(what_is_no_name_of_a_file_is_told_so),
        SCRATCH_TEST(a_loop_ends),
        SCRATCH_TEST(a_damaged_layer_is_named),
        SCRATCH_TEST(a_thousand_images_are_enough),
        SCRATCH_TEST(long_names_are_shortened),
        SCRATCH_TEST(who_writes_to_any_file_uses_the_chain),
        SCRATCH_TEST(files_that_are_named_are_spared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* What the name of a result may stand for, and what must not be written to. */
#include "target.h"
#include "err.h"
#include "scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

static void is_refused(const char *path, int code, const char *why)
{
    struct io_target target;
    struct err err = {0};
    char text[1024];

    snprintf(text, sizeof(text), "cannot write %s: %s", path, why);
    assert_int_equal(io_target_find(path, &target, &err), -code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, text);
    assert_int_equal(target.fd, -1);
    assert_int_equal(target.folder, -1);
    assert_null(target.name);
}

static struct io_target find(const char *path)
{
    struct io_target target;
    struct err err = {0};

    if (io_target_find(path, &target, &err) < 0)
        fail_msg("%s", err.text);
    return target;
}

/* @path stands for a file in the folder @folder under the name @name. */
static void leads_to(const char *path, const char *folder, const char *name, bool exists)
{
    struct io_target target = find(path);
    struct stat expected, found;

    assert_int_equal(target.fd, -1);
    assert_string_equal(target.name, name);
    assert_int_equal(target.exists, exists);
    assert_int_equal(target.held >= 0, exists);
    assert_int_equal(stat(folder, &expected), 0);
    assert_int_equal(fstat(target.folder, &found), 0);
    assert_int_equal(found.st_ino, expected.st_ino);
    if (exists) {
        assert_int_equal(fstatat(target.folder, name, &expected, 0), 0);
        assert_int_equal(fstat(target.held, &found), 0);
        assert_int_equal(found.st_ino, expected.st_ino);
        assert_int_equal(target.st.st_ino, expected.st_ino);
    }
    io_target_release(&target);
    assert_int_equal(target.folder, -1);
    assert_int_equal(target.held, -1);
}

static void a_file_is_known_by_its_folder_and_name(void **state)
{
    (void)state;
    mkdir("folder", 0700);
    scratch_write("old", "text");
    leads_to("new", ".", "new", false);
    leads_to("old", ".", "old", true);
    leads_to("folder/new", "folder", "new", false);
    leads_to("folder/../old", ".", "old", true);
}

static void links_are_followed_to_their_end(void **state)
{
    (void)state;
    mkdir("folder", 0700);
    scratch_write("folder/old", "text");
    assert_int_equal(symlink("folder/old", "one"), 0);
    assert_int_equal(symlink("one", "two"), 0);
    assert_int_equal(symlink("../new", "folder/up"), 0);
    assert_int_equal(symlink("folder/up", "three"), 0);
    leads_to("two", "folder", "old", true);
    leads_to("three", ".", "new", false); /* one that leads nowhere yet */
}

/* As many as the kernel follows, and no more. */
static void a_ring_of_links_ends(void **state)
{
    char from[16], to[16];

    (void)state;
    for (int i = 0; i < 41; i++) {
        snprintf(from, sizeof(from), "link%d", i);
        snprintf(to, sizeof(to), i > 0 ? "link%d" : "end", i - 1);
        assert_int_equal(symlink(to, from), 0);
    }
    leads_to("link39", ".", "end", false);
    is_refused("link40", ELOOP, "Too many levels of symbolic links");
}

static void what_is_no_place_for_a_file_is_refused(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    mkdir("folder", 0700);
    scratch_write("file", "text");
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    is_refused("folder", EISDIR, "Is a directory");
    is_refused("folder/", EISDIR, "Is a directory");
    is_refused("new/", ENOENT, "No such file or directory");
    is_refused("new/name", ENOENT, "No such file or directory");
    is_refused("file/name", ENOTDIR, "Not a directory");
    is_refused("socket", EINVAL, "it is a socket; name a file");
    if (mknod("device", S_IFBLK | 0600, 0) == 0)
        is_refused("device", EINVAL,
                   "it is a block device, which a result would destroy; name a file");
    close(fd);
}

/* ---- disk images ---- */

static void disk_images_are_refused(void **state)
{
    static const struct {
        size_t off;
        const char *bytes;
        size_t len;
        const char *format;
    } images[] = {
        {0, "QFI\xfb", 4, "qcow2"},
        {0, "KDMV", 4, "VMDK"},
        {0, "COWD", 4, "VMDK"},
        {0, "# Disk DescriptorFile", 21, "VMDK"},
        {64, "\x7f\x10\xda\xbe", 4, "VDI"},
        {0, "vhdxfile", 8, "VHDX"},
        {0, "QED\0", 4, "QED"},
        {0, "conectix", 8, "VHD"},
        {0, "WithoutFreeSpace", 16, "Parallels"},
        {0, "WithouFreSpacExt", 16, "Parallels"},
        {0, "LUKS\xba\xbe", 6, "LUKS"},
        {510, "\x55\xaa", 2, "with a boot sector"},
    };
    char bytes[512], why[128];

    (void)state;
    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
        size_t end = images[i].off + images[i].len;

        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes + images[i].off, images[i].bytes, images[i].len);
        scratch_put("image", bytes, end);
        snprintf(why, sizeof(why),
                 "there is a disk image (%s), which is not replaced; choose another name",
                 images[i].format);
        is_refused("image", EEXIST, why);
        scratch_put("image", bytes, end - 1); /* one byte short */
        if (images[i].bytes[images[i].len - 1] != '\0')
            leads_to("image", ".", "image", true);
        bytes[end - 1] ^= 1;
        scratch_put("image", bytes, end);
        leads_to("image", ".", "image", true);
    }
}

static void what_cannot_be_read_may_be_an_image(void **state)
{
    (void)state;
    scratch_write("closed", "text");
    scratch_write("empty", "");
    chmod("closed", 0200);
    chmod("empty", 0200);
    scratch_be_nobody();
    leads_to("empty", ".", "empty", true);
    is_refused("closed", EACCES,
               "there is a file that cannot be read (Permission denied), so it may be a disk "
               "image; remove it first, or choose another name");
    scratch_be_oneself();
}

static void what_has_come_meanwhile_is_looked_at_again(void **state)
{
    struct io_target target;
    struct err err = {0};

    (void)state;
    target = find("new");
    assert_false(target.exists);
    scratch_write("new", "text");
    assert_int_equal(io_target_look_again("new", &target, &err), 0);
    assert_true(target.exists);
    scratch_put("new", "QFI\xfb", 4);
    assert_int_equal(io_target_look_again("new", &target, &err), -EEXIST);
    unlink("new");
    assert_int_equal(io_target_look_again("new", &target, &err), 0);
    assert_false(target.exists);
    mkdir("new", 0700);
    assert_int_equal(io_target_look_again("new", &target, &err), -EISDIR);
    io_target_release(&target);
}

/* ---- written in place ---- */

static void a_character_device_is_written_where_it_is(void **state)
{
    struct io_target target = find("/dev/null");
    struct stat st;

    (void)state;
    assert_true(target.fd >= 0);
    assert_false(target.exists);
    assert_int_equal(fstat(target.fd, &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(fcntl(target.fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_WRONLY);
    assert_int_equal(fcntl(target.fd, F_GETFD), FD_CLOEXEC);
    io_target_release(&target);
}

static void a_fifo_needs_its_reader(void **state)
{
    struct io_target target;
    char bytes[8] = "";
    int reader;

    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    is_refused("fifo", ENXIO, "nobody reads from this FIFO; start its reader first");
    reader = open("fifo", O_RDONLY | O_NONBLOCK);
    target = find("fifo");
    assert_int_equal(write(target.fd, "text", 4), 4);
    assert_int_equal(read(reader, bytes, 8), 4);
    assert_string_equal(bytes, "text");
    assert_int_equal(fcntl(target.fd, F_GETFL) & O_NONBLOCK, 0);
    io_target_release(&target);
    close(reader);
}

static void who_may_not_write_to_a_fifo_is_told_why(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("fifo", 0400), 0);
    scratch_be_nobody();
    is_refused("fifo", EACCES, "Permission denied");
    scratch_be_oneself();
}

/* ---- what this process has open ---- */

static void a_descriptor_of_ours_is_written_where_it_stands(void **state)
{
    struct io_target target;
    struct stat st, own;
    char path[32];
    int fd;

    (void)state;
    scratch_write("file", "text");
    fd = open("file", O_WRONLY);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    if (access(path, F_OK) < 0)
        skip();
    target = find(path);
    assert_true(target.exists);
    assert_true(target.fd > 2 && target.fd != fd);
    assert_int_equal(fstat(target.fd, &st), 0);
    assert_int_equal(fstat(fd, &own), 0);
    assert_int_equal(st.st_ino, own.st_ino);
    assert_int_equal(write(target.fd, "more", 4), 4);
    scratch_holds("file", "textmore");
    io_target_release(&target);
    assert_int_equal(pwrite(fd, "QFI\xfb", 4, 0), 4);
    is_refused(path, EEXIST,
               "there is a disk image (qcow2), which is not replaced; choose another name");
    close(fd);
}

/* The caller has chosen it, and could not look into it either. */
static void a_descriptor_of_ours_need_not_be_readable(void **state)
{
    struct io_target target;
    char path[32];
    int fd;

    (void)state;
    scratch_write("file", "text");
    chmod("file", 0222);
    scratch_be_nobody();
    fd = open("file", O_WRONLY);
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    if (access(path, F_OK) < 0) {
        scratch_be_oneself();
        close(fd);
        skip();
    }
    target = find(path);
    scratch_be_oneself();
    assert_true(target.fd > 2);
    io_target_release(&target);
    close(fd);
}

static void a_link_of_proc_to_another_programs_file_is_no_name(void **state)
{
    char path[64];
    int fd;

    (void)state;
    scratch_write("file", "");
    fd = open("file", O_WRONLY);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", getpid(), getpid(), fd);
    if (access(path, F_OK) < 0)
        skip();
    is_refused(path, EINVAL, "it is a file that another program has open; name the file itself");
    close(fd);
}

static void a_pipe_of_another_program_is_opened(void **state)
{
    struct io_target target;
    char path[64], bytes[8] = "";
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", getpid(), getpid(), ends[1]);
    if (access(path, F_OK) < 0)
        skip();
    target = find(path);
    assert_int_equal(write(target.fd, "text", 4), 4);
    assert_int_equal(read(ends[0], bytes, 8), 4);
    assert_string_equal(bytes, "text");
    io_target_release(&target);
    close(ends[0]);
    close(ends[1]);
}

/* Standard output is what the shell has made of it. */
static void standard_output_is_looked_at_too(void **state)
{
    int saved = dup(1), fd;
    struct io_target target;
    struct err err = {0};
    int ret[4];
    bool exists[4];

    (void)state;
    scratch_put("image", "QFI\xfb", 4);
    scratch_write("file", "text");
    fd = open("image", O_WRONLY);
    dup2(fd, 1);
    ret[0] = io_target_find(NULL, &target, &err);
    close(fd);
    fd = open("file", O_WRONLY);
    dup2(fd, 1);
    ret[1] = io_target_find(NULL, &target, &err);
    exists[1] = target.exists;
    io_target_release(&target);
    close(fd);
    close(1);
    ret[2] = io_target_find(NULL, &target, &err);
    dup2(saved, 1);
    close(saved);
    assert_int_equal(ret[0], -EEXIST);
    assert_string_equal(err.text, "cannot write to standard output: there is a disk image (qcow2), "
                                  "which is not replaced; choose another name");
    assert_int_equal(ret[1], 0);
    assert_true(exists[1]);
    assert_int_equal(ret[2], 0);
}

/* ---- links that others have made ---- */

static void a_strangers_link_in_a_folder_of_everybody_is_not_followed(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    mkdir("everybody", 0700);
    assert_int_equal(chmod("everybody", 01777), 0);
    assert_int_equal(symlink("file", "everybody/ours"), 0);
    assert_int_equal(symlink("file", "everybody/theirs"), 0);
    assert_int_equal(lchown("everybody/theirs", 65534, 65534), 0);
    leads_to("everybody/ours", "everybody", "file", false);
    is_refused("everybody/theirs", EACCES,
               "it is a link that another user made in a folder of everybody");
    assert_int_equal(chown("everybody", 65534, 65534), 0); /* the folder's owner may */
    leads_to("everybody/theirs", "everybody", "file", false);
    assert_int_equal(chown("everybody", 0, 0), 0);
    assert_int_equal(chmod("everybody", 0777), 0); /* no such promise there */
    leads_to("everybody/theirs", "everybody", "file", false);
    assert_int_equal(chmod("everybody", 01775), 0);
    leads_to("everybody/theirs", "everybody", "file", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_file_is_known_by_its_folder_and_name),
        SCRATCH_TEST(links_are_followed_to_their_end),
        SCRATCH_TEST(a_ring_of_links_ends),
        SCRATCH_TEST(what_is_no_place_for_a_file_is_refused),
        SCRATCH_TEST(disk_images_are_refused),
        SCRATCH_TEST(what_cannot_be_read_may_be_an_image),
        SCRATCH_TEST(what_has_come_meanwhile_is_looked_at_again),
        SCRATCH_TEST(a_character_device_is_written_where_it_is),
        SCRATCH_TEST(a_fifo_needs_its_reader),
        SCRATCH_TEST(who_may_not_write_to_a_fifo_is_told_why),
        SCRATCH_TEST(a_descriptor_of_ours_is_written_where_it_stands),
        SCRATCH_TEST(a_descriptor_of_ours_need_not_be_readable),
        SCRATCH_TEST(a_link_of_proc_to_another_programs_file_is_no_name),
        SCRATCH_TEST(a_pipe_of_another_program_is_opened),
        SCRATCH_TEST(standard_output_is_looked_at_too),
        SCRATCH_TEST(a_strangers_link_in_a_folder_of_everybody_is_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

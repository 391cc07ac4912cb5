// SPDX-License-Identifier: MIT
/* Files of the host as images: what is read of them, what is told of them, and what is refused. */
#include "err.h"
#include "io.h"
#include "open.h"
#include "scratch.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>

#define N_READS 200 /* more than are asked for at once */
#define PAGE 4096

static struct io *open_file(const char *path)
{
    struct err err = {0};
    struct io *io;

    if (io_file_open(path, &io, &err) < 0)
        fail_msg("%s", err.text);
    return io;
}

static void is_refused(const char *path, int code, const char *text)
{
    struct err err = {0};
    struct io *io;

    assert_int_equal(io_file_open(path, &io, &err), -code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, text);
}

/* ---- reading ---- */

static void what_is_behind_the_end_is_zeros(void **state)
{
    struct err err = {0};
    char bytes[8];
    struct io_request request = {.off = 3, .len = sizeof(bytes), .buf = bytes};
    uint64_t size = 0;
    struct io *io;

    (void)state;
    scratch_write("image", "abcdefg");
    io = open_file("image");
    assert_int_equal(io_size(io, &size, &err), 0);
    assert_int_equal(size, 7);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(io_read_batch(io, &request, 1, &err), 0);
    assert_memory_equal(bytes, "defg\0\0\0\0", 8);
    assert_int_equal(request.got, 4);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(io_read(io, 7, bytes, 8, &err), 0);
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0", 8);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(io_read(io, UINT64_MAX - 1, bytes, 8, &err), 0);
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0", 8);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(io_read(io, INT64_MAX, bytes, 1, &err), 0);
    assert_memory_equal(bytes, "\0x", 2);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(io_read(io, INT64_MAX - 3, bytes, 8, &err), 0);
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0", 8);
    io_close(io);
}

static void many_reads_are_done_in_any_order(void **state)
{
    static uint32_t numbers[N_READS];
    struct io_request requests[N_READS];
    uint32_t got[N_READS];
    struct err err = {0};
    struct io *io;

    (void)state;
    for (uint32_t i = 0; i < N_READS; i++)
        numbers[i] = 1000 + i;
    scratch_put("image", numbers, sizeof(numbers));
    io = open_file("image");
    for (uint32_t i = 0; i < N_READS; i++)
        requests[i] =
            (struct io_request){.off = i * 77 % N_READS * 4, .len = 4, .buf = &got[i], .got = 9};
    assert_int_equal(io_read_batch(io, requests, N_READS, &err), 0);
    for (uint32_t i = 0; i < N_READS; i++) {
        assert_int_equal(got[i], 1000 + i * 77 % N_READS);
        assert_int_equal(requests[i].got, 4);
    }
    io_close(io);
}

/* As many as are asked for at once, and one more. */
static void what_is_in_memory_has_not_been_waited_for(void **state)
{
    struct io_request requests[65];
    struct err err = {0};
    char bytes[65];
    struct io *io;

    (void)state;
    memset(bytes, 'a', sizeof(bytes));
    scratch_put("image", bytes, sizeof(bytes));
    io = open_file("image");
    for (unsigned i = 0; i < 65; i++)
        requests[i] = (struct io_request){.off = i, .len = 1, .buf = &bytes[i], .waited = true};
    assert_int_equal(io_read_batch(io, requests, 65, &err), 0);
    for (unsigned i = 0; i < 65; i++)
        assert_false(requests[i].waited);
    requests[0] = (struct io_request){.off = 65, .len = 1, .buf = bytes};
    assert_int_equal(io_read_batch(io, requests, 1, &err), 0);
    assert_int_equal(requests[0].got, 0);
    io_close(io);
}

/* Memory that cannot be written to stands for a disk that fails half way. */
static void a_failing_read_says_what_is_missing(void **state)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct err err = {0};
    struct io *io;

    (void)state;
    assert_int_equal(mprotect(pages, PAGE, PROT_READ | PROT_WRITE), 0);
    scratch_write("image", "");
    assert_int_equal(truncate("image", 3 * PAGE), 0);
    io = open_file("image");
    assert_int_equal(io_read(io, PAGE, pages, PAGE + 7, &err), -EFAULT);
    assert_string_equal(err.text, "cannot read 7 bytes at offset 0x2000: Bad address");
    err.code = 0;
    assert_int_equal(io_read(io, PAGE, pages + PAGE, 1, &err), -EFAULT);
    assert_string_equal(err.text, "cannot read 1 byte at offset 0x1000: Bad address");
    io_close(io);
    munmap(pages, 2 * PAGE);
}

/* ---- what is told ---- */

static void holes_are_jumped_over(void **state)
{
    struct io *io;
    int fd;

    (void)state;
    scratch_write("image", "data");
    fd = open("image", O_WRONLY);
    assert_int_equal(pwrite(fd, "data", 4, 1 << 20), 4);
    assert_int_equal(ftruncate(fd, 2 << 20), 0);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    io = open_file("image");
    if (io_next_data(io, 1 << 19) == 1 << 19) { /* a file system without holes */
        io_close(io);
        skip();
    }
    assert_int_equal(io_next_data(io, 0), 0);
    assert_int_equal(io_next_data(io, 1 << 19), 1 << 20);
    assert_int_equal(io_next_data(io, (1 << 20) + (1 << 19)), UINT64_MAX);
    assert_int_equal(io_next_data(io, 3 << 20), UINT64_MAX);
    assert_int_equal(io_next_data(io, UINT64_MAX), UINT64_MAX);
    assert_in_range(io_next_hole(io, 0), 4, 1 << 19);
    assert_int_equal(io_next_hole(io, 1 << 19), 1 << 19);
    assert_int_equal(io_next_hole(io, 3 << 20), 3 << 20);
    assert_int_equal(io_next_hole(io, (UINT64_C(1) << 63) + 5), (UINT64_C(1) << 63) + 5);
    io_close(io);
}

static void a_file_is_itself_under_any_name(void **state)
{
    struct io *one, *other, *third;

    (void)state;
    scratch_write("image", "a");
    scratch_write("other", "a");
    assert_int_equal(link("image", "link"), 0);
    one = open_file("image");
    other = open_file("link");
    third = open_file("other");
    assert_true(io_is_same(one, one));
    assert_true(io_is_same(one, other));
    assert_false(io_is_same(one, third));
    io_close(one);
    io_close(other);
    io_close(third);
}

static int lock(const char *path, short type, off_t start)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
    int fd = open(path, O_RDWR);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

/* The locks of QEMU: bytes 100 .. 104 for what it does, 200 .. 204 for what others must not do. */
static void locks_of_qemu_say_who_has_the_image(void **state)
{
    static const struct {
        off_t byte;
        bool held, written, in_flux;
    } cases[] = {
        {99, false, false, false},  {100, true, false, false},  {101, true, true, false},
        {102, true, false, false},  {103, true, true, false},   {104, true, false, false},
        {105, false, false, false}, {199, false, false, false}, {200, true, false, true},
        {201, true, false, false},  {204, true, false, false},  {205, false, false, false},
    };
    struct io *io;

    (void)state;
    scratch_write("image", "a");
    io = open_file("image");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = lock("image", F_RDLCK, cases[i].byte);
        struct io_users users = io_users(io);

        assert_true(users.known);
        assert_int_equal(users.held, cases[i].held);
        assert_int_equal(users.written, cases[i].written);
        assert_int_equal(users.in_flux, cases[i].in_flux);
        close(fd);
    }
    assert_false(io_users(io).held);
    io_close(io);
}

static void the_stamp_is_of_the_last_write(void **state)
{
    const struct timespec times[2] = {{1000, 7}, {1234567, 89}};
    struct io_stamp stamp, later;
    struct timespec now, recent[2];
    struct io *io;

    (void)state;
    scratch_write("image", "abc");
    io = open_file("image");
    assert_true(io_stamp(io).known);
    assert_int_equal(utimensat(AT_FDCWD, "image", times, 0), 0);
    stamp = io_stamp(io);
    assert_false(stamp.fresh);
    assert_int_equal(stamp.seconds, 1234567);
    assert_int_equal(stamp.nanoseconds, 89);
    assert_int_equal(stamp.bytes, 3);
    assert_false(io_stamps_differ(&stamp, &stamp));
    clock_gettime(CLOCK_REALTIME, &now);
    recent[0] = recent[1] = (struct timespec){now.tv_sec + 100, now.tv_nsec};
    assert_int_equal(utimensat(AT_FDCWD, "image", recent, 0), 0);
    later = io_stamp(io);
    assert_true(later.fresh); /* of the future: who knows */
    assert_true(io_stamps_differ(&stamp, &later));
    recent[1].tv_sec = now.tv_sec - 1;
    assert_int_equal(utimensat(AT_FDCWD, "image", recent, 0), 0);
    assert_false(io_stamp(io).fresh); /* a second is long */
    io_close(io);
}

static void stored_bytes_and_the_descriptor_are_told(void **state)
{
    struct stat st;
    struct io *io;

    (void)state;
    scratch_write("image", "abc");
    io = open_file("image");
    assert_int_equal(fstat(io_descriptor(io), &st), 0);
    assert_true(io_allocated(io).known);
    assert_int_equal(io_allocated(io).value, (uint64_t)st.st_blocks * 512);
    assert_int_equal(fcntl(io_descriptor(io), F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(io_descriptor(io), F_GETFL) & O_ACCMODE, O_RDONLY);
    io_close(io);
    io_close(NULL);
}

/* As if its server had gone. */
static void of_a_file_that_fails_nothing_is_known(void **state)
{
    struct err err = {0};
    uint64_t size;
    struct io *io;

    (void)state;
    scratch_write("image", "abc");
    io = open_file("image");
    close(io_descriptor(io));
    assert_int_equal(io_size(io, &size, &err), -EBADF);
    assert_string_equal(err.text, "cannot find the size of the file: Bad file descriptor");
    assert_false(io_users(io).known);
    assert_false(io_stamp(io).known);
    assert_false(io_allocated(io).known);
    assert_int_equal(io_next_data(io, 1), 1);
    assert_int_equal(io_next_hole(io, 1), UINT64_MAX);
    io_close(io);
}

/* ---- what is refused ---- */

static void only_files_and_disks_are_opened(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    mkdir("folder", 0700);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    is_refused("folder", EISDIR,
               "is a directory, not a disk image; name a regular file or a block device");
    is_refused("fifo", EINVAL,
               "is a FIFO, not a disk image; name a regular file or a block device");
    is_refused("socket", EINVAL,
               "is a socket, not a disk image; name a regular file or a block device");
    is_refused("/dev/null", EINVAL,
               "is a character device, not a disk image; name a regular file or a block device");
    is_refused("nothing", ENOENT, "cannot open: No such file or directory");
    close(fd);
}

static void who_may_not_read_is_told(void **state)
{
    (void)state;
    scratch_write("image", "a");
    chmod("image", 0);
    scratch_be_nobody();
    is_refused("image", EACCES, "cannot open for reading: Permission denied");
    scratch_be_oneself();
}

static void a_link_is_followed_if_it_was_named_but_not_if_it_was_found(void **state)
{
    struct err err = {0};
    struct io *io;

    (void)state;
    scratch_write("image", "a");
    assert_int_equal(symlink("image", "link"), 0);
    io_close(open_file("link"));
    assert_int_equal(io_file_open_found(AT_FDCWD, "link", &io, &err), -EINVAL);
    assert_string_equal(err.text,
                        "was a file when it was found, and is a link now, which is not followed");
    assert_int_equal(io_file_open_found(AT_FDCWD, "image", &io, &err), 0);
    io_close(io);
}

/* ---- opening as such ---- */

static void the_limit_of_open_files_is_raised_where_it_is_reached(void **state)
{
    int zero = open(".", O_PATH), next = dup(zero), fd;
    struct rlimit before, low, after;

    (void)state;
    close(next);
    assert_true(next > 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){(rlim_t)next, before.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &low) < 0) {
        close(zero);
        skip();
    }
    fd = io_open_at(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
    getrlimit(RLIMIT_NOFILE, &after);
    setrlimit(RLIMIT_NOFILE, &before);
    close(zero);
    assert_int_equal(fd, next);
    assert_int_equal(after.rlim_cur, before.rlim_max);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void any_other_failure_raises_nothing(void **state)
{
    struct rlimit before, after;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(io_open_at(AT_FDCWD, "nothing", O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    getrlimit(RLIMIT_NOFILE, &after);
    assert_int_equal(before.rlim_cur, after.rlim_cur);
}

static void file_systems_without_storage_have_a_name(void **state)
{
    int fd = open(".", O_PATH);

    (void)state;
    assert_null(io_storeless(fd));
    assert_null(io_storeless(-1));
    assert_null(io_storeless_path("."));
    assert_null(io_storeless_path("nothing"));
    close(fd);
    if (access("/proc/self", F_OK) < 0)
        skip();
    fd = open("/proc", O_PATH);
    assert_string_equal(io_storeless(fd), "proc");
    assert_string_equal(io_storeless_path("/proc/self"), "proc");
    close(fd);
}

/* The file system that all seems to lie on; 0: as it is. */
static unsigned long pretended;

int fstatfs64(int fd, struct statfs64 *system)
{
    static int (*ask)(int, struct statfs64 *);

    if (ask == NULL)
        ask = (int (*)(int, struct statfs64 *))dlsym(RTLD_NEXT, "fstatfs64");
    if (pretended == 0)
        return ask(fd, system);
    memset(system, 0, sizeof(*system));
    system->f_type = (__typeof__(system->f_type))pretended;
    return 0;
}

/* Numbers as in the kernel's source. */
static void each_kind_of_the_kernels_own_is_known(void **state)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } kinds[] = {
        {0x9fa0, "proc"},           {0x62656572, "sysfs"},      {0x27e0eb, "cgroup"},
        {0x63677270, "cgroup2"},    {0x64626720, "debugfs"},    {0x74726163, "tracefs"},
        {0x73636673, "securityfs"}, {0xf97cff8c, "selinuxfs"},  {0x43415d53, "smackfs"},
        {0x62656570, "configfs"},   {0x6165676c, "pstore"},     {0xde5e81e4, "efivarfs"},
        {0xcafe4a11, "bpf"},        {0x19800202, "mqueue"},     {0x1cd1, "devpts"},
        {0x0187, "autofs"},         {0x6e736673, "nsfs"},       {0x42494e4d, "binfmt_misc"},
        {0x65735543, "fusectl"},    {0x67596969, "rpc_pipefs"}, {0x6e667364, "nfsd"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        pretended = kinds[i].magic;
        assert_non_null(io_storeless(0));
        assert_string_equal(io_storeless(0), kinds[i].name);
    }
    pretended = 0x01021994; /* tmpfs */
    assert_null(io_storeless(0));
    pretended = 0xef53; /* ext4 */
    assert_null(io_storeless(0));
    pretended = 0;
}

/* ---- what an implementation may leave out ---- */

static void what_is_not_implemented_is_not_known(void **state)
{
    static const struct io_ops ops = {.close = NULL};
    const struct io_stamp known = {.known = true};
    struct io_stamp other = known;
    struct io one = {&ops}, two = {&ops};

    (void)state;
    assert_int_equal(io_next_hole(&one, 5), UINT64_MAX);
    assert_false(io_is_same(&one, &two));
    assert_true(io_is_same(&one, &one));
    assert_false(io_stamp(&one).known);
    assert_int_equal(io_descriptor(&one), -1);
    assert_false(io_allocated(&one).known);
    assert_false(io_stamps_differ(&known, &other));
    other.known = false;
    assert_true(io_stamps_differ(&known, &other));
    assert_true(io_stamps_differ(&other, &known));
    other = (struct io_stamp){.known = true, .fresh = true};
    assert_true(io_stamps_differ(&other, &known));
    assert_false(io_stamps_differ(&known, &other));
    other = (struct io_stamp){.known = true, .seconds = 1};
    assert_true(io_stamps_differ(&known, &other));
    other = (struct io_stamp){.known = true, .nanoseconds = 1};
    assert_true(io_stamps_differ(&known, &other));
    other = (struct io_stamp){.known = true, .bytes = 1};
    assert_true(io_stamps_differ(&known, &other));
}

static struct io_identity identity(struct io *io);

/* Two disks, a second name of the first, a file with the same numbers, and one that is not known.
 */
static const struct io_ops identified = {.identity = identity};
static struct io disks[5] = {
    {&identified}, {&identified}, {&identified}, {&identified}, {&identified}};

static struct io_identity identity(struct io *io)
{
    static const struct io_identity of[5] = {{true, true, 8, 0},
                                             {true, true, 9, 0},
                                             {true, true, 8, 0},
                                             {true, false, 8, 0},
                                             {false, true, 8, 0}};

    return of[io - disks];
}

static void disks_are_told_apart_by_their_numbers(void **state)
{
    (void)state;
    assert_false(io_is_same(&disks[0], &disks[1]));
    assert_true(io_is_same(&disks[0], &disks[2]));
    assert_false(io_is_same(&disks[0], &disks[3]));
    assert_false(io_is_same(&disks[0], &disks[4]));
    assert_false(io_is_same(&disks[4], &disks[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_is_behind_the_end_is_zeros),
        SCRATCH_TEST(many_reads_are_done_in_any_order),
        SCRATCH_TEST(what_is_in_memory_has_not_been_waited_for),
        SCRATCH_TEST(a_failing_read_says_what_is_missing),
        SCRATCH_TEST(holes_are_jumped_over),
        SCRATCH_TEST(a_file_is_itself_under_any_name),
        SCRATCH_TEST(locks_of_qemu_say_who_has_the_image),
        SCRATCH_TEST(the_stamp_is_of_the_last_write),
        SCRATCH_TEST(stored_bytes_and_the_descriptor_are_told),
        SCRATCH_TEST(of_a_file_that_fails_nothing_is_known),
        SCRATCH_TEST(only_files_and_disks_are_opened),
        SCRATCH_TEST(who_may_not_read_is_told),
        SCRATCH_TEST(a_link_is_followed_if_it_was_named_but_not_if_it_was_found),
        SCRATCH_TEST(the_limit_of_open_files_is_raised_where_it_is_reached),
        SCRATCH_TEST(any_other_failure_raises_nothing),
        SCRATCH_TEST(file_systems_without_storage_have_a_name),
        cmocka_unit_test(each_kind_of_the_kernels_own_is_known),
        cmocka_unit_test(what_is_not_implemented_is_not_known),
        cmocka_unit_test(disks_are_told_apart_by_their_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* The walk over a folder, and how what it finds is opened, while others exchange files for links.
 */
#undef _FORTIFY_SOURCE /* openat below is our own */
#include "find.h"
#include "err.h"
#include "folder.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what is opened ---- */

static unsigned n_opened_proc; /* not only to look at what it is */

/* In the place of the C library's, by the two names that it has there. */
int __openat64_2(int folder, const char *name, int flags);

int __openat64_2(int folder, const char *name, int flags)
{
    n_opened_proc += strcmp(name, "proc") == 0 && !(flags & O_PATH);
    return (int)syscall(SYS_openat, folder, name, flags, 0);
}

int openat64(int folder, const char *name, int flags, ...)
{
    return __openat64_2(folder, name, flags);
}

/* A folder with "a", "sub/b" and, outside of what is searched, "private/b". */
struct place {
    char top[64];
    unsigned n_open; /* descriptors */
    struct io_folder folder;
    char found[8][128]; /* relative paths */
    size_t n_found, n_failed;
    char last_failed[128];
    int stop; /* what is returned for the first that is found */
    bool one_file_system;
    void (*meanwhile)(void); /* once, when the first is found */
};

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static unsigned count_open(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    struct err err = {0};

    strcpy(place->top, "/tmp/qcow2frag-find.XXXXXX");
    assert_non_null(mkdtemp(place->top));
    assert_int_equal(chdir(place->top), 0);
    mkdir("named", 0700);
    mkdir("named/sub", 0700);
    mkdir("private", 0700);
    write_file("named/a", "image a");
    write_file("named/sub/b", "image b");
    write_file("private/b", "image private");
    assert_int_equal(io_folder_open("named", &place->folder, &err), 0);
    if (place->folder.fd == 0)
        place->folder.fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(0); /* so the first that is opened below it has the number 0 */
    place->n_open = count_open();
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    assert_int_equal(count_open(), place->n_open);
    io_folder_close(&place->folder);
    assert_int_equal(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", place->top);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static bool wanted(const unsigned char *head, size_t len)
{
    return len >= 5 && memcmp(head, "image", 5) == 0;
}

static int found(void *context, const char *path, const char *relative, const struct stat *st)
{
    struct place *place = context;

    assert_int_equal(strncmp(path, "named/", 6), 0);
    assert_string_equal(path + 6, relative);
    assert_true(S_ISREG(st->st_mode) && st->st_size > 0);
    strcpy(place->found[place->n_found++], relative);
    if (place->meanwhile != NULL)
        place->meanwhile();
    place->meanwhile = NULL;
    return place->stop;
}

static void failed(void *context, const char *path, int error)
{
    struct place *place = context;

    assert_int_equal(error, EACCES);
    strcpy(place->last_failed, path);
    place->n_failed++;
}

static int look_for(struct place *place)
{
    const struct io_find find = {.wanted = wanted,
                                 .found = found,
                                 .failed = failed,
                                 .context = place,
                                 .one_file_system = place->one_file_system};

    return io_find(&place->folder, &find);
}

static void search(struct place *place)
{
    assert_int_equal(look_for(place), 0);
    assert_int_equal(place->n_failed, 0);
}

/* What the file @relative begins with: "image X". */
static void reads(const struct place *place, const char *relative, const char *text)
{
    struct err err = {0};
    char bytes[64] = "";
    struct io *io;

    assert_int_equal(io_folder_open_file(&place->folder, relative, &io, &err), 0);
    assert_int_equal(io_read(io, 0, bytes, strlen(text), &err), 0);
    assert_string_equal(bytes, text);
    io_close(io);
}

static void is_refused(const struct place *place, const char *relative, const char *message)
{
    struct err err = {0};
    struct io *io;

    int ret = io_folder_open_file(&place->folder, relative, &io, &err);

    assert_true(ret < 0);
    assert_int_equal(ret, -err.code);
    assert_non_null(strstr(err.text, message));
}

static void all_below_is_found_in_the_order_of_names(void **state)
{
    struct place *place = *state;

    search(place);
    assert_int_equal(place->n_found, 2);
    assert_string_equal(place->found[0], "a");
    assert_string_equal(place->found[1], "sub/b");
    reads(place, "a", "image a");
    reads(place, "sub/b", "image b");
}

static void a_slash_behind_the_folder_is_not_doubled(void **state)
{
    struct place *place = *state;
    struct err err = {0};

    io_folder_close(&place->folder);
    assert_int_equal(io_folder_open("named/", &place->folder, &err), 0);
    search(place);
    assert_string_equal(place->found[1], "sub/b");
}

static void a_file_exchanged_for_a_link_is_refused(void **state)
{
    struct place *place = *state;

    search(place);
    unlink("named/a");
    assert_int_equal(symlink("../private/b", "named/a"), 0);
    is_refused(place, "a",
               "was a file when it was found, and is a link now, which is not followed");
}

static void a_folder_exchanged_for_a_link_is_refused(void **state)
{
    struct place *place = *state;

    search(place);
    assert_int_equal(rename("named/sub", "named/other"), 0);
    assert_int_equal(symlink("../private", "named/sub"), 0);
    is_refused(place, "sub/b", "part of its path has become a link or a file");
    reads(place, "other/b", "image b");
}

static void the_folder_itself_stays_the_one_that_was_opened(void **state)
{
    struct place *place = *state;

    search(place);
    assert_int_equal(rename("named", "moved"), 0);
    assert_int_equal(symlink("private", "named"), 0);
    reads(place, "sub/b", "image b");
}

static void a_file_exchanged_for_a_fifo_is_refused_without_waiting(void **state)
{
    struct place *place = *state;

    search(place);
    unlink("named/a");
    assert_int_equal(mkfifo("named/a", 0600), 0);
    is_refused(place, "a", "was a file when it was found, and is none now");
}

static void exchange_subfolder(void)
{
    assert_int_equal(rename("named/sub", "named/.sub"), 0);
    assert_int_equal(symlink("../private", "named/sub"), 0);
}

static void the_walk_itself_goes_through_no_link_that_has_come_meanwhile(void **state)
{
    struct place *place = *state;

    place->meanwhile = exchange_subfolder;
    search(place);
    assert_int_equal(place->n_found, 1);
}

static void remove_subfolder(void)
{
    unlink("named/sub/b");
    rmdir("named/sub");
}

static void what_has_vanished_meanwhile_is_no_failure(void **state)
{
    struct place *place = *state;

    place->meanwhile = remove_subfolder;
    search(place);
    assert_int_equal(place->n_found, 1);
}

static void a_deep_tree_needs_no_stack(void **state)
{
    struct place *place = *state;
    int fd = open("named/sub", O_RDONLY | O_DIRECTORY);

    for (int i = 0; i < 500; i++) {
        int next;

        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    search(place);
    assert_int_equal(place->n_found, 2);
}

static void only_what_is_wanted_is_found(void **state)
{
    struct place *place = *state;

    write_file("named/b", "imag");
    write_file("named/c", "");
    write_file("named/d", "imagine");
    assert_int_equal(symlink("a", "named/e"), 0);
    assert_int_equal(mkfifo("named/f", 0600), 0);
    search(place);
    assert_int_equal(place->n_found, 2);
}

static void whoever_finds_may_stop_the_search(void **state)
{
    struct place *place = *state;

    place->stop = -ECANCELED;
    assert_int_equal(look_for(place), -ECANCELED);
    assert_int_equal(place->n_found, 1);
}

/* As somebody who owns nothing. */
static int look_as_nobody(struct place *place)
{
    int ret;

    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    ret = look_for(place);
    assert_int_equal(seteuid(getuid()), 0);
    return ret;
}

static void what_cannot_be_read_is_told_and_the_search_goes_on(void **state)
{
    struct place *place = *state;

    chmod(".", 0755);
    chmod("named", 0755);
    chmod("named/a", 0);
    chmod("named/sub", 0755);
    chmod("named/sub/b", 0644);
    assert_int_equal(look_as_nobody(place), 0);
    assert_int_equal(place->n_failed, 1);
    assert_string_equal(place->last_failed, "named/a");
    assert_string_equal(place->found[0], "sub/b");
    chmod("named/a", 0644);
    chmod("named/sub", 0);
    assert_int_equal(look_as_nobody(place), 0);
    assert_int_equal(place->n_failed, 2);
    assert_string_equal(place->last_failed, "named/sub");
    chmod("named/sub", 0444); /* its names can be read, but not what they are of */
    assert_int_equal(look_as_nobody(place), 0);
    assert_int_equal(place->n_failed, 3);
    assert_string_equal(place->last_failed, "named/sub/b");
    chmod("named/sub", 0755);
    chmod("named", 0);
    assert_int_equal(look_as_nobody(place), 0);
    assert_int_equal(place->n_failed, 4);
    assert_string_equal(place->last_failed, "named");
    chmod("named", 0755);
}

/* The folder as it is now: a descriptor from before does not see what has been mounted since. */
static void open_again(struct place *place)
{
    struct err err = {0};

    io_folder_close(&place->folder);
    assert_int_equal(io_folder_open("named", &place->folder, &err), 0);
}

/* Below the folder a tmpfs with an image, and a proc. False: who may not do that. */
static bool mount_two(void)
{
    mkdir("named/proc", 0700);
    mkdir("named/tmpfs", 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "named/tmpfs", "tmpfs", 0, NULL) < 0)
        return false;
    write_file("named/tmpfs/image", "image");
    if (mount("proc", "named/proc", "proc", 0, NULL) == 0)
        return true;
    umount2("named/tmpfs", MNT_DETACH);
    return false;
}

static void what_is_mounted_below_can_be_left_out_and_proc_always_is(void **state)
{
    struct place *place = *state;

    if (!mount_two())
        skip();
    open_again(place);
    search(place);
    assert_int_equal(n_opened_proc, 0);
    place->one_file_system = true;
    search(place);
    umount2("named/tmpfs", MNT_DETACH);
    umount2("named/proc", MNT_DETACH);
    assert_int_equal(place->n_found, 5);
    assert_string_equal(place->found[2], "tmpfs/image");
    assert_string_equal(place->found[4], "sub/b");
}

/* A file may be mounted over another one. */
static void a_file_of_proc_mounted_over_a_file_is_not_read(void **state)
{
    struct place *place = *state;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("/proc/version", "named/a", NULL, MS_BIND, NULL) < 0)
        skip();
    open_again(place);
    search(place);
    umount2("named/a", MNT_DETACH);
    assert_int_equal(place->n_found, 1);
}

static void a_folder_that_cannot_be_opened_says_why(void **state)
{
    struct io_folder folder;
    struct err err = {0};

    (void)state;
    assert_int_equal(io_folder_open("nothing", &folder, &err), -ENOENT);
    assert_string_equal(err.text, "No such file or directory");
    err.code = 0;
    assert_int_equal(io_folder_open("named/a", &folder, &err), -ENOTDIR);
    assert_int_equal(symlink("named", "link"), 0); /* the user named it */
    assert_int_equal(io_folder_open("link", &folder, &err), 0);
    assert_string_equal(folder.path, "link");
    io_folder_close(&folder);
}

static void what_is_gone_says_so(void **state)
{
    struct place *place = *state;

    search(place);
    remove_subfolder();
    is_refused(place, "sub/b", "cannot open: No such file or directory");
    unlink("named/a");
    is_refused(place, "a", "cannot open: No such file or directory");
}

static void proc_is_not_searched(void **state)
{
    struct io_folder folder;
    struct err err = {0};

    (void)state;
    if (access("/proc/self", F_OK) < 0)
        skip();
    assert_true(io_folder_open("/proc/self", &folder, &err) < 0);
    assert_string_equal(err.text,
                        "is on proc, a file system without storage: nothing is read there");
}

static void a_file_of_proc_is_not_read(void **state)
{
    struct err err = {0};
    struct io *io;

    (void)state;
    if (access("/proc/self/status", F_OK) < 0)
        skip();
    assert_true(io_file_open("/proc/self/status", &io, &err) < 0);
    assert_string_equal(err.text, "is on proc, a file system without storage: it is not read");
}

static void a_link_in_proc_leads_to_a_file_with_storage(void **state)
{
    struct err err = {0};
    char path[64];
    struct io *io;
    int fd = open("named/a", O_RDONLY);

    (void)state;
    if (access("/proc/self/fd", F_OK) < 0)
        skip();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(io_file_open(path, &io, &err), 0);
    io_close(io);
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_below_is_found_in_the_order_of_names),
        TEST(a_slash_behind_the_folder_is_not_doubled),
        TEST(a_file_exchanged_for_a_link_is_refused),
        TEST(a_folder_exchanged_for_a_link_is_refused),
        TEST(the_folder_itself_stays_the_one_that_was_opened),
        TEST(a_file_exchanged_for_a_fifo_is_refused_without_waiting),
        TEST(the_walk_itself_goes_through_no_link_that_has_come_meanwhile),
        TEST(what_has_vanished_meanwhile_is_no_failure),
        TEST(a_deep_tree_needs_no_stack),
        TEST(only_what_is_wanted_is_found),
        TEST(whoever_finds_may_stop_the_search),
        TEST(what_cannot_be_read_is_told_and_the_search_goes_on),
        TEST(what_is_mounted_below_can_be_left_out_and_proc_always_is),
        TEST(a_file_of_proc_mounted_over_a_file_is_not_read),
        TEST(a_folder_that_cannot_be_opened_says_why),
        TEST(what_is_gone_says_so),
        TEST(proc_is_not_searched),
        TEST(a_file_of_proc_is_not_read),
        TEST(a_link_in_proc_leads_to_a_file_with_storage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Results are whole or not there. The calls by which a file comes to its name are made to fail
 * here, so that the test is no smaller where the file system can do everything.
 */
#undef _FORTIFY_SOURCE /* the calls below are our own */
#include "aside.h"
#include "output.h"
#include "err.h"
#include "scratch.h"
#include "spare.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- the kernel ---- */

static struct {
    bool no_nameless;          /* files without a name cannot be made */
    bool no_link;              /* linkat says EPERM, as for others' files */
    bool no_proc;              /* there is nothing in /proc */
    int fsync, rename, fchmod; /* fail with this */
} kernel;

static int answer(int code, long result)
{
    if (code == 0)
        return (int)result;
    errno = code;
    return -1;
}

int openat64(int folder, const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (flags & (O_CREAT | O_TMPFILE))
        mode = va_arg(args, mode_t);
    va_end(args);
    if ((flags & O_TMPFILE) == O_TMPFILE && kernel.no_nameless)
        return answer(EOPNOTSUPP, -1);
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    if (kernel.no_link)
        return answer(EPERM, -1);
    return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    if (kernel.rename != 0)
        return answer(kernel.rename, -1);
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int access(const char *path, int mode)
{
    if (kernel.no_proc && strncmp(path, "/proc/", 6) == 0)
        return answer(ENOENT, -1);
    return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int fsync(int fd)
{
    return kernel.fsync != 0 ? answer(kernel.fsync, -1) : (int)syscall(SYS_fsync, fd);
}

int fchmod(int fd, mode_t mode)
{
    return kernel.fchmod != 0 ? answer(kernel.fchmod, -1) : (int)syscall(SYS_fchmod, fd, mode);
}

static int begin(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    return scratch_enter(state);
}

/* ---- results ---- */

static struct io_output open_output(const char *path)
{
    struct io_output output;
    struct err err = {0};

    if (io_output_open(&output, path, &err) < 0)
        fail_msg("%s", err.text);
    return output;
}

static void commit(struct io_output *output)
{
    struct err err = {0};

    if (io_output_commit(output, &err) < 0)
        fail_msg("%s", err.text);
    assert_null(output->stream);
    assert_null(output->path);
}

static void fails(struct io_output *output, int code, const char *text)
{
    struct err err = {0};

    assert_int_equal(io_output_commit(output, &err), -code);
    assert_string_equal(err.text, text);
}

static void a_file_is_there_when_it_is_whole(void **state)
{
    struct io_output output = open_output("file");

    (void)state;
    assert_true(output.aside);
    fputs("text", output.stream);
    fflush(output.stream);
    assert_int_equal(access("file", F_OK), -1);
    commit(&output);
    scratch_holds("file", "text");
    assert_int_equal(scratch_count(), 1);
}

static void the_old_one_is_there_until_then(void **state)
{
    struct io_output output;

    (void)state;
    scratch_write("file", "old");
    output = open_output("file");
    fputs("text", output.stream);
    fflush(output.stream);
    scratch_holds("file", "old");
    commit(&output);
    scratch_holds("file", "text");
    assert_int_equal(scratch_count(), 1);
}

static void the_rights_are_those_that_the_user_wants(void **state)
{
    mode_t before = umask(027);
    struct io_output output = open_output("file");
    struct stat st;

    (void)state;
    assert_int_equal(umask(before), 027); /* as it was */
    commit(&output);
    assert_int_equal(stat("file", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    struct io_output output = open_output("file");

    (void)state;
    fputs("text", output.stream);
    io_output_abort(&output);
    assert_int_equal(scratch_count(), 0);
    kernel.no_nameless = true;
    output = open_output("file");
    assert_int_equal(scratch_count(), 1);
    io_output_abort(&output);
    assert_int_equal(scratch_count(), 0);
}

static void where_no_file_is_without_a_name_it_has_a_hidden_one(void **state)
{
    struct io_output output;
    char name[64];

    (void)state;
    kernel.no_nameless = true;
    output = open_output("file");
    snprintf(name, sizeof(name), ".qcow2frag.%d.0", getpid());
    assert_int_equal(access(name, F_OK), 0);
    fputs("text", output.stream);
    commit(&output);
    scratch_holds("file", "text");
    assert_int_equal(scratch_count(), 1);
}

/* Only there could such a file be given a name. */
static void without_proc_it_has_a_hidden_one_too(void **state)
{
    struct io_output output;

    (void)state;
    kernel.no_proc = true;
    output = open_output("file");
    assert_int_equal(scratch_count(), 1);
    fputs("text", output.stream);
    commit(&output);
    scratch_holds("file", "text");
}

static void a_hidden_name_that_is_there_is_not_taken(void **state)
{
    struct io_output output;
    char name[2][64];

    (void)state;
    kernel.no_nameless = true;
    for (int i = 0; i < 2; i++)
        snprintf(name[i], sizeof(name[i]), ".qcow2frag.%d.%d", getpid(), i);
    scratch_write(name[0], "mine");
    output = open_output("file");
    assert_int_equal(access(name[1], F_OK), 0);
    io_aside_remove(); /* as a signal does */
    assert_int_equal(access(name[1], F_OK), -1);
    scratch_holds(name[0], "mine");
    io_aside_remove();
    scratch_holds(name[0], "mine");
    io_output_abort(&output);
}

static void where_no_name_can_be_made_nothing_is_begun(void **state)
{
    struct io_output output;
    struct err err = {0};

    (void)state;
    mkdir("folder", 0555);
    scratch_be_nobody();
    assert_int_equal(io_output_open(&output, "folder/file", &err), -EACCES);
    scratch_be_oneself();
    assert_string_equal(err.text, "cannot write folder/file: Permission denied");
}

static void who_cannot_link_does_not_replace(void **state)
{
    struct io_output output = open_output("file");

    (void)state;
    kernel.no_link = true;
    fails(&output, EPERM, "cannot write file: Operation not permitted");
    assert_int_equal(scratch_count(), 0);
}

/* ---- failures at the end ---- */

static void what_the_disk_does_not_take_is_no_result(void **state)
{
    struct io_output output = open_output("file");

    (void)state;
    kernel.fsync = EIO;
    fails(&output, EIO, "cannot write file: Input/output error");
    assert_int_equal(scratch_count(), 0);
}

static void a_failed_rename_leaves_the_old_file(void **state)
{
    struct io_output output;

    (void)state;
    scratch_write("file", "old");
    output = open_output("file");
    kernel.rename = EXDEV;
    fputs("text", output.stream);
    fails(&output, EXDEV, "cannot write file: Invalid cross-device link");
    scratch_holds("file", "old");
    assert_int_equal(scratch_count(), 1);
}

static void rights_that_cannot_be_given_are_a_failure(void **state)
{
    struct io_output output;
    struct err err = {0};

    (void)state;
    kernel.fchmod = EPERM;
    assert_int_equal(io_output_open(&output, "file", &err), -EPERM);
    assert_string_equal(err.text, "cannot write file: Operation not permitted");
    kernel.no_nameless = true;
    err.code = 0;
    assert_int_equal(io_output_open(&output, "file", &err), -EPERM);
    assert_int_equal(scratch_count(), 0);
}

static void a_write_that_failed_is_remembered(void **state)
{
    struct io_output output;

    (void)state;
    if (access("/dev/full", W_OK) < 0)
        skip();
    output = open_output("/dev/full");
    assert_false(output.aside);
    fputs("text", output.stream);
    fails(&output, ENOSPC, "cannot write /dev/full: No space left on device");
}

static void an_image_that_comes_meanwhile_is_not_replaced(void **state)
{
    struct io_output output = open_output("file");

    (void)state;
    scratch_put("file", "QFI\xfb", 4);
    fails(&output, EEXIST,
          "cannot write file: there is a disk image (qcow2), which is not replaced; choose another "
          "name");
    scratch_holds("file", "QFI\xfb");
}

static void a_failure_has_the_name_of_the_result(void **state)
{
    struct io_output output = open_output("file");
    struct err err = {0};

    (void)state;
    assert_int_equal(io_output_failed(&output, ENOSPC, &err), -ENOSPC);
    assert_string_equal(err.text, "cannot write file: No space left on device");
    io_output_abort(&output);
    err.code = 0;
    assert_int_equal(io_output_open(&output, "", &err), -ENOENT);
    assert_string_equal(err.text, "cannot write to a file without a name");
}

/* ---- what is spared ---- */

static const char spared[] =
    "cannot write file: it is an image that is measured, or a file that one "
    "is built on; choose another name";

static void what_is_read_is_not_replaced(void **state)
{
    struct io_output output;
    struct err err = {0};
    struct stat st;

    (void)state;
    scratch_write("file", "old");
    scratch_write("other", "old");
    output = open_output("file");
    assert_int_equal(stat("other", &st), 0);
    io_spare(&st);
    assert_int_equal(io_output_check(&output, &err), 0);
    assert_int_equal(stat("file", &st), 0);
    st.st_dev++;
    io_spare(&st);
    assert_int_equal(io_output_check(&output, &err), 0);
    st.st_dev--;
    io_spare(&st);
    assert_int_equal(io_output_check(&output, &err), -EEXIST);
    assert_string_equal(err.text, spared);
    fails(&output, EEXIST, spared);
    scratch_holds("file", "old");
    assert_int_equal(scratch_count(), 2);
}

static void names_of_what_is_read_are_enough(void **state)
{
    struct io_output output;
    struct err err = {0};

    (void)state;
    scratch_write("file", "old");
    scratch_write("other", "old");
    assert_int_equal(symlink("file", "link"), 0);
    output = open_output("file");
    io_spare_path("other");
    io_spare_path("nothing");
    assert_int_equal(io_output_check(&output, &err), 0);
    io_spare_path("link");
    fails(&output, EEXIST, spared);
    output = open_output("file"); /* for the next result nothing is spared yet */
    fputs("text", output.stream);
    commit(&output);
    scratch_holds("file", "text");
}

static void an_empty_file_has_nothing_to_lose(void **state)
{
    struct io_output output;

    (void)state;
    scratch_write("file", "");
    output = open_output("file");
    io_spare_path("file");
    commit(&output);
    output = open_output("new");
    scratch_write("new", "text");
    io_spare_path("new");
    commit(&output);
}

/* ---- standard output ---- */

/* In a child, whose output is the file. */
static void child(const char *path, void (*work)(void))
{
    pid_t pid;
    int status;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT, 0600);

        dup2(fd, 1);
        work();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void print_and_commit(void)
{
    struct io_output output;
    struct err err = {0};

    if (io_output_open(&output, NULL, &err) < 0 || output.stream != stdout || output.aside)
        _exit(1);
    fputs("text", output.stream);
    if (io_output_commit(&output, &err) < 0)
        _exit(2);
    _exit(write(1, "", 1) == 1 ? 3 : 0); /* it is closed */
}

static void print_and_abort(void)
{
    struct io_output output;
    struct err err = {0};

    if (io_output_open(&output, NULL, &err) < 0)
        _exit(1);
    fputs("text", output.stream);
    io_output_abort(&output);
    exit(0);
}

static void print_to_full(void)
{
    struct io_output output;
    struct err err = {0};

    if (io_output_open(&output, NULL, &err) < 0)
        _exit(1);
    fputs("text", output.stream);
    if (io_output_commit(&output, &err) != -ENOSPC)
        _exit(2);
    _exit(strcmp(err.text, "cannot write to standard output: No space left on device") == 0 ? 0
                                                                                            : 3);
}

static void standard_output_is_closed_at_the_end(void **state)
{
    (void)state;
    child("file", print_and_commit);
    scratch_holds("file", "text");
}

static void what_was_not_yet_printed_is_not(void **state)
{
    (void)state;
    child("file", print_and_abort);
    scratch_holds("file", "");
}

static void a_full_disk_under_standard_output_is_told(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) < 0)
        skip();
    child("/dev/full", print_to_full);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, scratch_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_there_when_it_is_whole),
        TEST(the_old_one_is_there_until_then),
        TEST(the_rights_are_those_that_the_user_wants),
        TEST(what_is_given_up_leaves_nothing),
        TEST(where_no_file_is_without_a_name_it_has_a_hidden_one),
        TEST(without_proc_it_has_a_hidden_one_too),
        TEST(a_hidden_name_that_is_there_is_not_taken),
        TEST(where_no_name_can_be_made_nothing_is_begun),
        TEST(who_cannot_link_does_not_replace),
        TEST(what_the_disk_does_not_take_is_no_result),
        TEST(a_failed_rename_leaves_the_old_file),
        TEST(rights_that_cannot_be_given_are_a_failure),
        TEST(a_write_that_failed_is_remembered),
        TEST(an_image_that_comes_meanwhile_is_not_replaced),
        TEST(a_failure_has_the_name_of_the_result),
        TEST(what_is_read_is_not_replaced),
        TEST(names_of_what_is_read_are_enough),
        TEST(an_empty_file_has_nothing_to_lose),
        TEST(standard_output_is_closed_at_the_end),
        TEST(what_was_not_yet_printed_is_not),
        TEST(a_full_disk_under_standard_output_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

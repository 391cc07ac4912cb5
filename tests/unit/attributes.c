// SPDX-License-Identifier: MIT
/* What one file takes over from another. The flags are those of a file system that is defined here.
 */
#include "attributes.h"

#include "err.h"
#include "scratch.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int from, to;

static struct {
    int flags[2], refused, ignored; /* of @from and @to; that it does not accept, or not do */
    struct fsxattr extended[2];
    bool no_extsize, no_project, no_flags;
} kernel;

static int refuse(void)
{
    errno = EOPNOTSUPP;
    return -1;
}

static int set_extended(const struct fsxattr *wanted)
{
    const struct fsxattr *present = &kernel.extended[1];

    if ((kernel.no_extsize && wanted->fsx_extsize != present->fsx_extsize) ||
        (kernel.no_project && wanted->fsx_projid != present->fsx_projid))
        return refuse();
    kernel.extended[1] = *wanted;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    const int i = fd == from ? 0 : 1;
    va_list args;
    void *value;

    va_start(args, request);
    value = va_arg(args, void *);
    va_end(args);
    if (kernel.no_flags && i == 1)
        return refuse();
    if (request == FS_IOC_GETFLAGS) {
        memcpy(value, &kernel.flags[i], sizeof(int));
    } else if (request == FS_IOC_SETFLAGS) {
        int wanted;

        memcpy(&wanted, value, sizeof(int));
        if (wanted & kernel.refused)
            return refuse();
        kernel.flags[i] = wanted & ~kernel.ignored;
    } else if (request == FS_IOC_FSGETXATTR) {
        memcpy(value, &kernel.extended[i], sizeof(struct fsxattr));
    } else {
        return set_extended(value);
    }
    return 0;
}

static int begin(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    if (scratch_enter(state) < 0)
        return -1;
    scratch_write("from", "");
    scratch_write("to", "");
    from = open("from", O_RDWR | O_CLOEXEC);
    to = open("to", O_RDWR | O_CLOEXEC);
    return from < 0 || to < 0 ? -1 : 0;
}

static int end(void **state)
{
    close(from);
    close(to);
    return scratch_leave(state);
}

static void loses(const char *expected)
{
    char lost[STORE_ATTRIBUTES_TEXT_MAX];

    store_attributes_copy_flags(from, to, lost);
    assert_string_equal(lost, expected);
}

/* ---- flags ---- */

static void all_flags_are_given(void **state)
{
    (void)state;
    kernel.flags[0] = FS_NOCOW_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_SYNC_FL | FS_EXTENT_FL;
    kernel.flags[1] = FS_EXTENT_FL | FS_COMPR_FL; /* that the folder gives */
    loses("");
    assert_int_equal(kernel.flags[1], kernel.flags[0]);
}

static void one_that_is_refused_does_not_take_the_others_with_it(void **state)
{
    (void)state;
    kernel.flags[0] = FS_NOCOW_FL | FS_NODUMP_FL | FS_NOATIME_FL;
    kernel.refused = FS_NOCOW_FL;
    loses("nocow (C)");
    assert_int_equal(kernel.flags[1], FS_NODUMP_FL | FS_NOATIME_FL);
}

static void one_that_is_not_done_is_told_too(void **state)
{
    (void)state;
    kernel.flags[0] = FS_NODUMP_FL | FS_NOATIME_FL;
    kernel.ignored = FS_NODUMP_FL;
    loses("nodump (d)");
    assert_int_equal(kernel.flags[1], FS_NOATIME_FL);
}

static void flags_that_are_the_file_systems_own_are_left_alone(void **state)
{
    (void)state;
    kernel.flags[0] = FS_EXTENT_FL | FS_ENCRYPT_FL | FS_VERITY_FL;
    loses("");
    assert_int_equal(kernel.flags[1], 0);
}

static void where_there_are_no_flags_it_is_told_what_there_was(void **state)
{
    (void)state;
    kernel.flags[0] = FS_NODUMP_FL | FS_COMPR_FL;
    kernel.extended[0].fsx_extsize = 4096;
    kernel.no_flags = true;
    loses("compressed (c), nodump (d), the extent size hint");
    kernel.flags[0] = FS_EXTENT_FL;
    kernel.extended[0].fsx_extsize = 0;
    loses("");
}

static void extent_size_and_project_are_given_each_for_itself(void **state)
{
    (void)state;
    kernel.extended[0] =
        (struct fsxattr){.fsx_xflags = FS_XFLAG_EXTSIZE, .fsx_extsize = 65536, .fsx_projid = 7};
    kernel.no_project = true;
    loses("the project");
    assert_int_equal(kernel.extended[1].fsx_extsize, 65536);
    assert_int_equal(kernel.extended[1].fsx_xflags, FS_XFLAG_EXTSIZE);
    kernel.extended[1] = (struct fsxattr){.fsx_extsize = 0};
    kernel.no_project = false;
    kernel.no_extsize = true;
    loses("the extent size hint");
    assert_int_equal(kernel.extended[1].fsx_projid, 7);
}

/* ---- the rest ---- */

static void mode_and_attributes_are_given(void **state)
{
    const bool has_attributes = fsetxattr(from, "user.note", "text", 4, 0) == 0;
    struct err err = {0};
    char value[8] = "";
    struct stat st;

    (void)state;
    assert_int_equal(fchmod(from, 04641), 0);
    assert_int_equal(store_attributes_copy(from, to, &err), 0);
    assert_int_equal(fstat(to, &st), 0);
    assert_int_equal(st.st_mode & 07777, 04641);
    if (!has_attributes)
        skip();
    assert_int_equal(fgetxattr(to, "user.note", value, sizeof(value)), 4);
    assert_string_equal(value, "text");
}

static void an_owner_that_cannot_be_given_is_a_failure(void **state)
{
    struct err err = {0};
    int ret;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(fchown(to, 65534, 65534), 0);
    scratch_be_nobody();
    ret = store_attributes_copy(from, to, &err);
    scratch_be_oneself();
    assert_int_equal(ret, -EPERM);
    assert_non_null(strstr(err.text, "cannot give the new file its owner and group (0:0)"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_flags_are_given),
        TEST(one_that_is_refused_does_not_take_the_others_with_it),
        TEST(one_that_is_not_done_is_told_too),
        TEST(flags_that_are_the_file_systems_own_are_left_alone),
        TEST(where_there_are_no_flags_it_is_told_what_there_was),
        TEST(extent_size_and_project_are_given_each_for_itself),
        TEST(mode_and_attributes_are_given),
        TEST(an_owner_that_cannot_be_given_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

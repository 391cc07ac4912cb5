// SPDX-License-Identifier: MIT
/* What the kernel tells of one file: its attributes, the room beside it, and its extents. */
#include "fiemap.h"
#include "flags.h"
#include "io.h"
#include "room.h"
#include "scratch.h"

#include "err.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

static int descriptor(struct io *io);
static struct opt_u64 allocated(struct io *io);

/* Anything that has a descriptor. */
struct held {
    struct io io;
    int fd;
};

static const struct io_ops held_ops = {.descriptor = descriptor, .allocated = allocated};

static int descriptor(struct io *io)
{
    return ((struct held *)io)->fd;
}

static struct opt_u64 allocated(struct io *io)
{
    struct stat st;

    if (fstat(descriptor(io), &st) < 0 || !S_ISREG(st.st_mode))
        return (struct opt_u64){.known = false};
    return opt_u64_of((uint64_t)st.st_blocks * 512);
}

/* A file of 64 KiB that is on the device. */
static struct held file(void)
{
    static const char bytes[65536];
    struct held held = {{&held_ops}, -1};

    scratch_put("file", bytes, sizeof(bytes));
    held.fd = open("file", O_RDONLY);
    fsync(held.fd);
    return held;
}

static void the_attributes_are_those_of_the_file(void **state)
{
    struct held held = file();
    struct host_flags flags = host_flags_find(&held.io);
    struct fsxattr extended;
    int plain;
    bool has_plain = ioctl(held.fd, FS_IOC_GETFLAGS, &plain) == 0,
         has_extended = ioctl(held.fd, FS_IOC_FSGETXATTR, &extended) == 0;

    (void)state;
    close(held.fd);
    assert_int_equal(flags.nocow.known, has_plain);
    if (has_plain)
        assert_int_equal(flags.nocow.value, (plain & FS_NOCOW_FL) != 0);
    assert_int_equal(flags.extent_hint_bytes.known, has_extended);
    if (has_extended)
        assert_int_equal(flags.extent_hint_bytes.value,
                         extended.fsx_xflags & FS_XFLAG_EXTSIZE ? extended.fsx_extsize : 0);
}

static void the_room_is_that_of_its_file_system(void **state)
{
    struct held held = file();
    struct host_room room = host_room_find(&held.io);
    struct statvfs system;
    struct stat st;

    (void)state;
    assert_int_equal(fstat(held.fd, &st), 0);
    assert_int_equal(fstatvfs(held.fd, &system), 0);
    close(held.fd);
    assert_int_equal(room.stored_bytes.known, system.f_blocks > 0);
    assert_int_equal(room.free_bytes.known, system.f_blocks > 0);
    if (!room.free_bytes.known)
        skip();
    assert_int_equal(room.stored_bytes.value, (uint64_t)st.st_blocks * 512);
    /* Others write meanwhile; but not half of all that is free. */
    assert_in_range(room.free_bytes.value, (uint64_t)system.f_bfree * system.f_frsize / 2,
                    (uint64_t)system.f_blocks * system.f_frsize);
}

static void of_what_is_no_file_nothing_is_known(void **state)
{
    struct held null = {{&held_ops}, open("/dev/null", O_RDONLY)}, none = {{&held_ops}, -1},
                gone = {{&held_ops}, 200};
    struct held *all[] = {&null, &none, &gone};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_false(host_flags_find(&all[i]->io).nocow.known);
        assert_false(host_flags_find(&all[i]->io).extent_hint_bytes.known);
        assert_false(host_room_find(&all[i]->io).stored_bytes.known);
        assert_false(host_room_find(&all[i]->io).free_bytes.known);
    }
    close(null.fd);
}

static void the_kernel_is_asked_for_extents(void **state)
{
    struct held held = file();
    struct host_fiemap_source source = host_fiemap_of(&held.fd);
    struct fiemap *request = calloc(1, sizeof(*request) + sizeof(request->fm_extents[0]));
    int ret;

    (void)state;
    request->fm_length = FIEMAP_MAX_OFFSET;
    request->fm_extent_count = 1;
    ret = source.ask(source.context, request);
    close(held.fd);
    if (ret == 0) {
        assert_int_equal(request->fm_mapped_extents, 1);
        assert_int_equal(request->fm_extents[0].fe_logical, 0);
    } else {
        assert_true(ret == -EOPNOTSUPP || ret == -ENOTTY || ret == -ENOSYS);
    }
    held.fd = -1;
    assert_int_equal(source.ask(source.context, request), -EBADF);
    free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_attributes_are_those_of_the_file),
        SCRATCH_TEST(the_room_is_that_of_its_file_system),
        SCRATCH_TEST(of_what_is_no_file_nothing_is_known),
        SCRATCH_TEST(the_kernel_is_asked_for_extents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

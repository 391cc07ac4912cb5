// SPDX-License-Identifier: MIT
/*
 * Proves what is found out of a device from made-up trees of sysfs and /proc: names, the disks
 * under partitions, device mapper, md, loop devices and btrfs, and when "rotates" is believed.
 */
#include "facts.h"

#include "err.h"
#include "io.h"
#include "io_memory.h"
#include "mount.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- a tree ---- */

static char top[] = "/tmp/qcow2frag-facts.XXXXXX";
static char sysfs[64], proc[64];
static const struct host_roots roots = {sysfs, proc};

/* Makes the folders above @path, which is below the top; returns the whole path. */
static const char *place(const char *path)
{
    static char whole[512];

    snprintf(whole, sizeof(whole), "%s/%s", top, path);
    for (char *slash = whole + strlen(top) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(whole, 0755) < 0)
            assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    return whole;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(place(path), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A link that leads to @target, a path below the top. */
static void put_link(const char *path, const char *target)
{
    char whole[512];

    snprintf(whole, sizeof(whole), "%s/%s", top, target);
    assert_int_equal(symlink(whole, place(path)), 0);
}

static void put_folder(const char *path)
{
    char inside[512];

    snprintf(inside, sizeof(inside), "%s/.", path);
    place(inside);
}

static int new_trees(void **state)
{
    (void)state;
    strcpy(top + strlen(top) - 6, "XXXXXX");
    if (mkdtemp(top) == NULL)
        return -1;
    snprintf(sysfs, sizeof(sysfs), "%s/sys", top);
    snprintf(proc, sizeof(proc), "%s/proc", top);
    put_folder("sys/dev/block");
    put_folder("sys/class/block");
    put_folder("proc/self/fdinfo");
    return 0;
}

static int drop_trees(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", top);
    return system(command);
}

/* A disk or what stands on disks, at a place below sys/devices, with its number. */
static void put_device(const char *folder, unsigned number, const char *rotational)
{
    char path[512], target[256];
    const char *name = strrchr(folder, '/') + 1;

    snprintf(target, sizeof(target), "sys/devices/%s", folder);
    put_folder(target);
    snprintf(path, sizeof(path), "sys/dev/block/8:%u", number);
    put_link(path, target);
    snprintf(path, sizeof(path), "sys/class/block/%s", name);
    put_link(path, target);
    if (rotational != NULL) {
        snprintf(path, sizeof(path), "%s/queue/rotational", target);
        put(path, rotational);
    }
}

static void put_attribute(const char *folder, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof(path), "sys/devices/%s/%s", folder, name);
    put(path, text);
}

static void put_partition(const char *folder, unsigned number)
{
    put_device(folder, number, NULL);
    put_attribute(folder, "partition", "1\n");
}

/* @folder stands on the device at @below. */
static void put_slave(const char *folder, const char *below)
{
    char path[512], target[256];

    snprintf(path, sizeof(path), "sys/devices/%s/slaves/%s", folder, strrchr(below, '/') + 1);
    snprintf(target, sizeof(target), "sys/devices/%s", below);
    put_link(path, target);
}

/* ---- what is asked ---- */

enum rotates { NO, YES, UNKNOWN };

static void check_name(unsigned number, const char *expected)
{
    struct host_device device;
    char *name;

    assert_true(host_device_of_number(&roots, 8, number, &device));
    name = host_device_name(&device);
    assert_string_equal(name, expected);
    free(name);
}

static void check_rotates(unsigned number, enum rotates expected)
{
    struct host_device device;
    struct opt_bool rotates;

    assert_true(host_device_of_number(&roots, 8, number, &device));
    rotates = host_device_rotates(&roots, &device);
    assert_int_equal(rotates.known, expected != UNKNOWN);
    if (rotates.known)
        assert_int_equal(rotates.value, expected == YES);
}

/* ---- disks ---- */

static void a_disk_says_whether_it_rotates(void **state)
{
    (void)state;
    put_device("pci0000:00/ata1/block/sda", 1, "1\n");
    put_device("pci0000:00/ata2/block/sdb", 2, "0\n");
    put_device("pci0000:00/ata3/block/sdc", 3, NULL);
    put_device("pci0000:00/cciss0/block/cciss!c0d0", 4, "1\n");
    check_rotates(1, YES);
    check_rotates(2, NO);
    check_rotates(3, UNKNOWN);
    check_rotates(4, YES);
    check_name(1, "/dev/sda");
    check_name(4, "/dev/cciss/c0d0");
}

static void a_partition_rotates_as_its_disk_does(void **state)
{
    (void)state;
    put_device("pci0000:00/ata1/block/sda", 1, "1\n");
    put_partition("pci0000:00/ata1/block/sda/sda2", 2);
    put_device("pci0000:00/nvme/nvme0/nvme0n1", 3, "0\n");
    put_partition("pci0000:00/nvme/nvme0/nvme0n1/nvme0n1p1", 4);
    check_rotates(2, YES);
    check_rotates(4, NO);
    check_name(2, "/dev/sda2");
}

static void a_disk_on_a_virtual_bus_is_believed_only_to_stand_still(void **state)
{
    static const char *const folders[] = {
        "pci0000:00/0000:00:02.0/virtio1/block/vda",
        "pci0000:00/0000:00:05.0/virtio3/host2/target2:0:0/2:0:0:0/block/sda",
        "LNXSYSTM:00/LNXSYBUS:00/device:07/VMBUS:01/0a-0b/host0/target0:0:0/block/sdb",
        "vbd-51712/block/xvda",
    };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        put_device(folders[i], i, "1\n");
        check_rotates(i, UNKNOWN);
        put_attribute(folders[i], "queue/rotational", "0\n");
        check_rotates(i, NO);
    }
}

static void a_disk_of_a_virtual_make_is_believed_only_to_stand_still(void **state)
{
    static const struct {
        const char *vendor, *model;
        enum rotates expected;
    } cases[] = {
        {"ATA     \n", "QEMU HARDDISK   \n", UNKNOWN},
        {"QEMU    \n", "QEMU HARDDISK   \n", UNKNOWN},
        {"VMware  \n", "Virtual disk    \n", UNKNOWN},
        {"VMware, \n", "VMware Virtual S\n", UNKNOWN},
        {"Msft    \n", "Virtual Disk    \n", UNKNOWN},
        {"ATA     \n", "VBOX HARDDISK   \n", UNKNOWN},
        {"IET     \n", "VIRTUAL-DISK    \n", UNKNOWN},
        {"LIO-ORG \n", "vol0            \n", UNKNOWN},
        {"ATA     \n", "WDC WD40EFRX-68W\n", YES},
        {"SEAGATE \n", "ST4000NM0023    \n", YES},
        {NULL, NULL, YES},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char folder[64];

        snprintf(folder, sizeof(folder), "pci0000:00/ata%u/block/sd%c", i, 'a' + (int)i);
        put_device(folder, i, "1\n");
        if (cases[i].vendor != NULL) {
            put_attribute(folder, "device/vendor", cases[i].vendor);
            put_attribute(folder, "device/model", cases[i].model);
        }
        check_rotates(i, cases[i].expected);
    }
}

/* ---- devices on devices ---- */

static void a_volume_on_a_raid_on_partitions_leads_to_the_disks(void **state)
{
    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_partition("pci/ata1/block/sda/sda1", 2);
    put_device("pci/ata2/block/sdb", 3, "1\n");
    put_partition("pci/ata2/block/sdb/sdb1", 4);
    put_device("virtual/block/md0", 5, "0\n"); /* what it says of itself is not asked */
    put_slave("virtual/block/md0", "pci/ata1/block/sda/sda1");
    put_slave("virtual/block/md0", "pci/ata2/block/sdb/sdb1");
    put_device("virtual/block/dm-0", 6, "0\n");
    put_slave("virtual/block/dm-0", "virtual/block/md0");
    put_attribute("virtual/block/dm-0", "dm/name", "vg0-images\n");
    check_rotates(6, YES);
    check_name(6, "/dev/mapper/vg0-images");
    put_attribute("pci/ata2/block/sdb", "queue/rotational", "0\n");
    check_rotates(6, UNKNOWN);
    put_attribute("pci/ata1/block/sda", "queue/rotational", "0\n");
    check_rotates(6, NO);
}

static void one_unknown_disk_makes_all_unknown(void **state)
{
    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_device("pci/virtio1/block/vda", 2, "1\n");
    put_device("virtual/block/dm-0", 3, "1\n");
    put_slave("virtual/block/dm-0", "pci/ata1/block/sda");
    put_slave("virtual/block/dm-0", "pci/virtio1/block/vda");
    check_rotates(3, UNKNOWN);
}

static void a_link_that_leads_nowhere_makes_it_unknown(void **state)
{
    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_device("virtual/block/dm-0", 2, "1\n");
    put_slave("virtual/block/dm-0", "pci/ata1/block/sda");
    put_slave("virtual/block/dm-0", "pci/ata2/block/gone");
    check_rotates(2, UNKNOWN);
}

/* The kernel allows none; a tree that has one must not keep us. */
static void devices_in_a_circle_end(void **state)
{
    (void)state;
    put_device("virtual/block/dm-0", 1, "1\n");
    put_device("virtual/block/dm-1", 2, "1\n");
    put_slave("virtual/block/dm-0", "virtual/block/dm-1");
    put_slave("virtual/block/dm-1", "virtual/block/dm-0");
    check_rotates(1, UNKNOWN);
}

static void a_loop_device_rotates_as_what_its_file_lies_on(void **state)
{
    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_device("virtual/block/loop0", 2, "0\n");
    put_attribute("virtual/block/loop0", "loop/backing_file", "/srv/a b/disk.img (deleted)\n");
    put("proc/self/mountinfo", "20 1 0:20 / / rw - tmpfs tmpfs rw\n"
                               "21 20 8:1 / /srv/a\\040b rw - ext4 /dev/sda rw\n"
                               "22 20 0:30 / /srv/a\\040bc rw - tmpfs none rw\n");
    check_rotates(2, YES);
    put("proc/self/mountinfo", "20 1 0:20 / / rw - tmpfs tmpfs rw\n");
    check_rotates(2, UNKNOWN);
}

static void a_loop_device_whose_file_lies_on_itself_ends(void **state)
{
    (void)state;
    put_device("virtual/block/loop0", 1, "1\n");
    put_attribute("virtual/block/loop0", "loop/backing_file", "/srv/disk.img\n");
    put("proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/loop0 rw\n");
    check_rotates(1, UNKNOWN);
}

static void all_devices_of_a_btrfs_are_asked(void **state)
{
    struct host_device device;

    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_partition("pci/ata1/block/sda/sda3", 2);
    put_device("pci/ata2/block/sdb", 3, "0\n");
    put_link("sys/fs/btrfs/0f-1e/devices/sda3", "sys/devices/pci/ata1/block/sda/sda3");
    check_rotates(2, YES);
    put_link("sys/fs/btrfs/0f-1e/devices/sdb", "sys/devices/pci/ata2/block/sdb");
    check_rotates(2, UNKNOWN);
    assert_true(host_device_of_name(&roots, "/dev/sda3", &device));
}

/* ---- devices by name ---- */

static void a_device_is_found_by_each_of_its_names(void **state)
{
    struct host_device device;
    char *name;

    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_device("pci/cciss0/block/cciss!c0d0", 2, "1\n");
    put_device("virtual/block/dm-0", 3, "1\n");
    put_attribute("virtual/block/dm-0", "dm/name", "vg0-root\n");
    put_device("virtual/block/dm-1", 4, "1\n");
    put_attribute("virtual/block/dm-1", "dm/name", "vg0-images\n");
    assert_true(host_device_of_name(&roots, "/dev/sda", &device));
    assert_true(host_device_of_name(&roots, "/dev/cciss/c0d0", &device));
    assert_true(host_device_of_name(&roots, "/dev/mapper/vg0-images", &device));
    name = host_device_name(&device);
    assert_string_equal(name, "/dev/mapper/vg0-images");
    free(name);
    assert_false(host_device_of_name(&roots, "/dev/mapper/vg0-gone", &device));
    assert_false(host_device_of_name(&roots, "/dev/null", &device)); /* no block device */
    assert_false(host_device_of_name(&roots, "server:/export", &device));
    assert_false(host_device_of_name(&roots, "tmpfs", &device));
    assert_false(host_device_of_name(&roots, "", &device));
    assert_false(host_device_of_number(&roots, 8, 9, &device));
}

/* ---- mounts ---- */

static void check_mount(const char *path, const char *filesystem, const char *source)
{
    struct host_mount mount;

    assert_true(host_mount_of_path(proc, path, &mount));
    assert_string_equal(mount.filesystem, filesystem);
    assert_string_equal(mount.source, source);
    host_mount_release(&mount);
}

static void a_path_lies_on_the_deepest_mount_over_it(void **state)
{
    (void)state;
    put("proc/self/mountinfo",
        "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "21 20 0:40 / /srv rw master:3 shared:5 propagate_from:2 - nfs4 server:/export rw\n"
        "22 21 8:2 /sub /srv/images rw - xfs /dev/mapper/a-b rw\n"
        "23 20 8:3 / /srv/images rw - btrfs /dev/sdb rw\n" /* mounted over the one before */
        "24 20 8:4 / /x\\134y rw - fuse.sshfs user@host:/a\\040b rw\n"
        "damaged line\n"
        "25 20 8:5 / /srv/images/deep/ no separator\n"
        "26 20 8:5 / /srv/images/deep rw -\n");
    check_mount("/etc/passwd", "ext4", "/dev/sda1");
    check_mount("/", "ext4", "/dev/sda1");
    check_mount("/srv/a", "nfs4", "server:/export");
    check_mount("/srv", "nfs4", "server:/export");
    check_mount("/srvs", "ext4", "/dev/sda1");
    check_mount("/srv/images/a", "btrfs", "/dev/sdb");
    check_mount("/srv/images/deep/a", "btrfs", "/dev/sdb");
    check_mount("/x\\y/a", "fuse.sshfs", "user@host:/a b");
}

static void by_its_options_a_mount_has_locks_of_this_host_alone(void **state)
{
    static const struct {
        const char *filesystem, *options;
        bool local;
    } cases[] = {
        {"nfs", "rw,vers=3,nolock,proto=tcp", true},
        {"nfs", "rw,vers=3,local_lock=none,addr=::1", false},
        {"nfs", "rw,vers=3,local_lock=all", true},
        {"nfs", "rw,vers=3,local_lock=posix", true},
        {"nfs", "rw,vers=3,local_lock=flock", false}, /* QEMU takes POSIX locks */
        {"nfs4", "rw,vers=4.2,local_lock=none", false},
        {"nfs4", "rw,nolock", true},
        {"cifs", "rw,vers=3.0,nobrl", true},
        {"cifs", "rw,vers=3.0", false},
        {"smb3", "rw,nobrl", true},
        {"fuse.sshfs", "rw,user_id=0", true},
        {"fuse.bindfs", "rw,user_id=0", false},
        {"ext4", "rw,nolock", false}, /* of others these words mean nothing */
        {"ceph", "rw", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host_mount mount;
        char text[256];

        snprintf(text, sizeof(text), "20 1 0:40 / / rw,relatime - %s server:/export %s\n",
                 cases[i].filesystem, cases[i].options);
        put("proc/self/mountinfo", text);
        assert_true(host_mount_of_path(proc, "/images", &mount));
        if (mount.locks_are_local != cases[i].local)
            fail_msg("%s with %s", cases[i].filesystem, cases[i].options);
        host_mount_release(&mount);
    }
}

static void without_proc_nothing_is_known_of_mounts(void **state)
{
    struct host_mount mount;

    (void)state;
    assert_false(host_mount_of_path(proc, "/", &mount));
    assert_false(host_mount_of_descriptor(proc, 0, &mount));
    put("proc/self/fdinfo/0", "pos:\t0\nflags:\t0100000\n"); /* an old kernel: no mnt_id */
    put("proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    assert_false(host_mount_of_descriptor(proc, 0, &mount));
    put("proc/self/fdinfo/0", "pos:\t0\nmnt_id:\t21\n"); /* a mount that is gone */
    assert_false(host_mount_of_descriptor(proc, 0, &mount));
}

/* ---- all of it ---- */

/* An open file, whose descriptor the trees speak of. */
struct opened {
    struct io io;
    struct io_ops ops;
    int fd;
};

static int descriptor(struct io *io)
{
    return ((struct opened *)io)->fd;
}

static void check_facts(const char *mountinfo, const char *filesystem, const char *device,
                        enum rotates rotates)
{
    struct opened opened = {.fd = open("/dev/null", O_RDONLY), .ops = {.descriptor = descriptor}};
    struct host_facts facts;
    struct err err = {0};
    char path[64];

    opened.io.ops = &opened.ops;
    assert_true(opened.fd >= 0);
    snprintf(path, sizeof(path), "proc/self/fdinfo/%d", opened.fd);
    put(path, "pos:\t0\nflags:\t0100000\nmnt_id:\t42\nino:\t7\n");
    put("proc/self/mountinfo", mountinfo);
    assert_int_equal(host_facts_find(&opened.io, &roots, NULL, &facts, &err), 0);
    if (filesystem == NULL)
        assert_null(facts.filesystem);
    else
        assert_string_equal(facts.filesystem, filesystem);
    if (device == NULL)
        assert_null(facts.device);
    else
        assert_string_equal(facts.device, device);
    assert_int_equal(facts.rotational.known, rotates != UNKNOWN);
    if (facts.rotational.known)
        assert_int_equal(facts.rotational.value, rotates == YES);
    host_facts_release(&facts);
    close(opened.fd);
}

static void the_mount_of_the_file_tells_file_system_and_device(void **state)
{
    (void)state;
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_partition("pci/ata1/block/sda/sda2", 2);
    check_facts("41 1 8:1 / / rw - ext3 /dev/sda rw\n"
                "42 41 8:2 / /srv rw - ext4 /dev/root rw\n", /* its number counts, not this */
                "ext4", "/dev/sda2", YES);
    check_facts("42 41 0:39 /@ /srv rw - btrfs /dev/sda2 rw,subvol=/@\n", "btrfs", "/dev/sda2",
                YES);
}

static void where_no_device_is_none_is_named(void **state)
{
    (void)state;
    check_facts("42 1 0:41 / /srv rw - nfs4 server:/export rw\n", "nfs4", NULL, UNKNOWN);
    check_facts("42 1 0:41 / / rw - overlay overlay rw,lowerdir=/a\n", "overlay", NULL, UNKNOWN);
    check_facts("42 1 0:41 / / rw - zfs pool/images rw\n", "zfs", NULL, UNKNOWN);
    check_facts("41 1 8:1 / / rw - ext4 /dev/sda rw\n", NULL, NULL, UNKNOWN);
}

static void a_device_without_a_folder_in_sysfs_is_only_named(void **state)
{
    (void)state;
    check_facts("42 1 8:77 / / rw - ext4 /dev/sdz rw\n", "ext4", "/dev/sdz", UNKNOWN);
    check_facts("42 1 0:50 / / rw - btrfs /dev/sdz rw\n", "btrfs", "/dev/sdz", UNKNOWN);
}

static void of_an_image_that_is_no_file_nothing_is_known(void **state)
{
    struct io_memory memory = io_memory_of("", 0);
    struct host_facts facts;
    struct err err = {0};

    (void)state;
    assert_int_equal(host_facts_find(&memory.io, &roots, NULL, &facts, &err), 0);
    assert_null(facts.filesystem);
    assert_null(facts.device);
    assert_false(facts.rotational.known);
    host_facts_release(&facts);
}

/* Finds the facts of an open file that mountinfo says to be of this type. */
static void find_typed(int fd, const char *type, struct host_facts_memory *memory,
                       struct host_facts *facts)
{
    struct opened opened = {.fd = fd, .ops = {.descriptor = descriptor}};
    char path[64], mountinfo[128];
    struct err err = {0};

    opened.io.ops = &opened.ops;
    snprintf(path, sizeof(path), "proc/self/fdinfo/%d", fd);
    put(path, "mnt_id:\t42\n");
    snprintf(mountinfo, sizeof(mountinfo), "42 1 8:2 / / rw - %s /dev/root rw\n", type);
    put("proc/self/mountinfo", mountinfo);
    assert_int_equal(host_facts_find(&opened.io, &roots, memory, facts, &err), 0);
}

static void a_file_system_is_looked_at_once_for_many_files(void **state)
{
    struct host_facts_memory *memory = host_facts_memory_new();
    int file = open("/dev/null", O_RDONLY), elsewhere = open("/proc/self/maps", O_RDONLY);
    struct host_facts facts;

    (void)state;
    assert_true(file >= 0 && elsewhere >= 0);
    put_device("pci/ata1/block/sda", 1, "1\n");
    put_partition("pci/ata1/block/sda/sda2", 2);
    find_typed(file, "ext4", memory, &facts);
    host_facts_release(&facts);

    find_typed(file, "xfs", memory, &facts); /* what it finds now is not looked at */
    assert_string_equal(facts.filesystem, "ext4");
    assert_string_equal(facts.device, "/dev/sda2");
    assert_true(facts.rotational.known && facts.rotational.value);
    host_facts_release(&facts);

    find_typed(elsewhere, "btrfs", memory, &facts);
    assert_string_equal(facts.filesystem, "btrfs");
    host_facts_release(&facts);
    host_facts_memory_free(memory);
    close(file);
    close(elsewhere);
}

#define WITH_TREES(test) cmocka_unit_test_setup_teardown(test, new_trees, drop_trees)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TREES(a_disk_says_whether_it_rotates),
        WITH_TREES(a_partition_rotates_as_its_disk_does),
        WITH_TREES(a_disk_on_a_virtual_bus_is_believed_only_to_stand_still),
        WITH_TREES(a_disk_of_a_virtual_make_is_believed_only_to_stand_still),
        WITH_TREES(a_volume_on_a_raid_on_partitions_leads_to_the_disks),
        WITH_TREES(one_unknown_disk_makes_all_unknown),
        WITH_TREES(a_link_that_leads_nowhere_makes_it_unknown),
        WITH_TREES(devices_in_a_circle_end),
        WITH_TREES(a_loop_device_rotates_as_what_its_file_lies_on),
        WITH_TREES(a_loop_device_whose_file_lies_on_itself_ends),
        WITH_TREES(all_devices_of_a_btrfs_are_asked),
        WITH_TREES(a_device_is_found_by_each_of_its_names),
        WITH_TREES(a_path_lies_on_the_deepest_mount_over_it),
        WITH_TREES(by_its_options_a_mount_has_locks_of_this_host_alone),
        WITH_TREES(without_proc_nothing_is_known_of_mounts),
        WITH_TREES(the_mount_of_the_file_tells_file_system_and_device),
        WITH_TREES(where_no_device_is_none_is_named),
        WITH_TREES(a_device_without_a_folder_in_sysfs_is_only_named),
        WITH_TREES(a_file_system_is_looked_at_once_for_many_files),
        WITH_TREES(of_an_image_that_is_no_file_nothing_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Block devices, as sysfs tells of them: names, and the disks at the bottom. No device is opened.
 */
#ifndef HOST_DEVICE_H
#define HOST_DEVICE_H

#include "opt.h"

#include <limits.h>
#include <stdbool.h>

/* Where to look: "/sys" and "/proc", or trees that a test made up. */
struct host_roots {
    const char *sysfs;
    const char *proc;
};

/* A block device: its folder in sysfs, without symbolic links. */
struct host_device {
    char folder[PATH_MAX];
};

/* False: there is no such device. */
bool host_device_of_number(const struct host_roots *roots, unsigned major, unsigned minor,
                           struct host_device *device);

/* By what was mounted: "/dev/sda2", "/dev/mapper/group-volume", or a link to such a name. */
bool host_device_of_name(const struct host_roots *roots, const char *name,
                         struct host_device *device);

/* As the user knows it: "/dev/sda2", "/dev/mapper/group-volume". A new string, NULL: no memory. */
char *host_device_name(const struct host_device *device);

/*
 * Do the disks under the device rotate? Goes through partitions, device mapper, md, loop devices
 * and the further devices of btrfs; unknown if the disks differ, or if one of them may say
 * anything: what a virtual machine sees as rotating is rather a default than a fact.
 */
struct opt_bool host_device_rotates(const struct host_roots *roots,
                                    const struct host_device *device);

#endif

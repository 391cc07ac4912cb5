// SPDX-License-Identifier: MIT
/* Owns the way from a file to the device that holds it. */
#include "facts.h"

#include "err.h"
#include "io.h"
#include "mount.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int fill_device(const struct host_roots *roots, const struct host_device *device,
                       struct host_facts *facts, struct err *err)
{
    facts->device = host_device_name(device);
    facts->rotational = host_device_rotates(roots, device);
    return facts->device == NULL ? err_no_memory(err) : 0;
}

/*
 * A file system on a device has that one's number. Others, as btrfs, have a number of their own,
 * and tell the device by the name that was mounted; where that is no device, there is none.
 */
static int fill_mounted(const struct host_roots *roots, const struct host_mount *mount,
                        struct host_facts *facts, struct err *err)
{
    struct host_device device;

    facts->filesystem = strdup(mount->filesystem);
    if (facts->filesystem == NULL)
        return err_no_memory(err);
    if (mount->major != 0 ? host_device_of_number(roots, mount->major, mount->minor, &device)
                          : host_device_of_name(roots, mount->source, &device))
        return fill_device(roots, &device, facts, err);
    if (strncmp(mount->source, "/dev/", 5) != 0)
        return 0;
    facts->device = strdup(mount->source);
    return facts->device == NULL ? err_no_memory(err) : 0;
}

int host_facts_find(struct io *io, const struct host_roots *roots, struct host_facts *facts,
                    struct err *err)
{
    static const struct host_roots system_roots = {"/sys", "/proc"};
    int fd = io_descriptor(io), ret = 0;
    struct host_device device;
    struct host_mount mount;
    struct stat st;

    memset(facts, 0, sizeof(*facts));
    if (roots == NULL)
        roots = &system_roots;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    if (S_ISBLK(st.st_mode))
        return host_device_of_number(roots, major(st.st_rdev), minor(st.st_rdev), &device)
                   ? fill_device(roots, &device, facts, err)
                   : 0;
    if (host_mount_of_descriptor(roots->proc, fd, &mount))
        ret = fill_mounted(roots, &mount, facts, err);
    host_mount_release(&mount);
    return ret;
}

void host_facts_release(struct host_facts *facts)
{
    free(facts->filesystem);
    free(facts->device);
    memset(facts, 0, sizeof(*facts));
}

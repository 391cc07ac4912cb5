// SPDX-License-Identifier: MIT
/* Owns the questions about the attributes of one file. */
#include "flags.h"

#include "io.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct host_flags host_flags_find(struct io *io)
{
    struct host_flags flags = {.nocow = {.known = false}};
    int fd = io_descriptor(io);
    struct fsxattr extended;
    struct stat st;
    int plain = 0;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return flags;
    if (ioctl(fd, FS_IOC_GETFLAGS, &plain) == 0)
        flags.nocow = (struct opt_bool){true, (plain & FS_NOCOW_FL) != 0};
    if (ioctl(fd, FS_IOC_FSGETXATTR, &extended) == 0)
        flags.extent_hint_bytes =
            opt_u64_of(extended.fsx_xflags & FS_XFLAG_EXTSIZE ? extended.fsx_extsize : 0);
    return flags;
}

// SPDX-License-Identifier: MIT
/* Owns the question what makes one file stand for another. */
#include "attributes.h"

#include "cleanup.h"
#include "err.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KEPT_FLAGS                                                                                 \
    (FS_NOCOW_FL | FS_COMPR_FL | FS_NOCOMP_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_SYNC_FL)

#define VALUE_MAX 65536 /* XATTR_SIZE_MAX of Linux, as is that of the list of names */

/* ---- flags ---- */

static void copy_inode_flags(int from, int to)
{
    int of_from, of_to;

    if (ioctl(from, FS_IOC_GETFLAGS, &of_from) < 0 || ioctl(to, FS_IOC_GETFLAGS, &of_to) < 0 ||
        (of_from & KEPT_FLAGS) == (of_to & KEPT_FLAGS))
        return;
    of_to = (of_to & ~KEPT_FLAGS) | (of_from & KEPT_FLAGS);
    ioctl(to, FS_IOC_SETFLAGS, &of_to);
}

/* The extent size hint, which XFS keeps, and the project that a quota counts the file to. */
static void copy_extended_flags(int from, int to)
{
    struct fsxattr of_from, of_to;

    if (ioctl(from, FS_IOC_FSGETXATTR, &of_from) < 0 || ioctl(to, FS_IOC_FSGETXATTR, &of_to) < 0 ||
        (of_from.fsx_extsize == of_to.fsx_extsize && of_from.fsx_projid == of_to.fsx_projid))
        return;
    of_to.fsx_xflags &= ~(uint32_t)FS_XFLAG_EXTSIZE;
    of_to.fsx_xflags |= of_from.fsx_xflags & FS_XFLAG_EXTSIZE;
    of_to.fsx_extsize = of_from.fsx_extsize;
    of_to.fsx_projid = of_from.fsx_projid;
    ioctl(to, FS_IOC_FSSETXATTR, &of_to);
}

void store_attributes_copy_flags(int from, int to)
{
    copy_inode_flags(from, to);
    copy_extended_flags(from, to);
}

/* ---- the owner and the mode ---- */

static int copy_owner(const struct stat *st, int to, struct err *err)
{
    struct stat of_to;

    if (fstat(to, &of_to) < 0)
        return err_set(err, errno, "cannot examine the new file: %s", strerror(errno));
    if (of_to.st_uid == st->st_uid && of_to.st_gid == st->st_gid)
        return 0;
    if (fchown(to, st->st_uid, st->st_gid) == 0)
        return 0;
    return err_set(err, errno,
                   "cannot give the new file its owner and group (%lu:%lu): %s; run as root",
                   (unsigned long)st->st_uid, (unsigned long)st->st_gid, strerror(errno));
}

/* ---- extended attributes ---- */

/* What the kernel works out from the contents, and checks against them. */
static bool is_of_contents(const char *name)
{
    return strcmp(name, "security.ima") == 0 || strcmp(name, "security.evm") == 0;
}

/* It may be there already: a label that every file in the folder gets, an ACL that is inherited. */
static bool has_value(int fd, const char *name, const void *value, ssize_t len)
{
    CLEANUP_FREE void *present = malloc(VALUE_MAX);

    return present != NULL && fgetxattr(fd, name, present, VALUE_MAX) == len &&
           memcmp(present, value, (size_t)len) == 0;
}

static int copy_one(int from, int to, const char *name, void *value, struct err *err)
{
    ssize_t len = fgetxattr(from, name, value, VALUE_MAX);

    if (len < 0 && errno == ENODATA) /* it has been taken away meanwhile */
        return 0;
    if (len < 0)
        return err_set(err, errno, "cannot read its attribute %s: %s", name, strerror(errno));
    if (has_value(to, name, value, len) || fsetxattr(to, name, value, (size_t)len, 0) == 0)
        return 0;
    return err_set(err, errno, "cannot give the new file its attribute %s: %s", name,
                   strerror(errno));
}

/* What the new file has inherited from its folder and the other one has not. */
static void remove_inherited_acl(int from, int to)
{
    static const char name[] = "system.posix_acl_access";

    if (fgetxattr(from, name, NULL, 0) < 0 && errno == ENODATA)
        fremovexattr(to, name);
}

static int copy_extended(int from, int to, struct err *err)
{
    CLEANUP_FREE char *names = malloc(VALUE_MAX);
    CLEANUP_FREE void *value = malloc(VALUE_MAX);
    ssize_t len;

    if (names == NULL || value == NULL)
        return err_no_memory(err);
    len = flistxattr(from, names, VALUE_MAX);
    if (len < 0 && errno == EOPNOTSUPP)
        return 0;
    if (len < 0)
        return err_set(err, errno, "cannot read its attributes: %s", strerror(errno));
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        int ret = is_of_contents(name) ? 0 : copy_one(from, to, name, value, err);

        if (ret < 0)
            return ret;
    }
    return 0;
}

/* The mode before the ACL, whose mask it would be, and after the owner, who takes bits of it. */
int store_attributes_copy(int from, int to, struct err *err)
{
    struct stat st;
    int ret;

    if (fstat(from, &st) < 0)
        return err_set(err, errno, "cannot examine: %s", strerror(errno));
    ret = copy_owner(&st, to, err);
    if (ret < 0)
        return ret;
    remove_inherited_acl(from, to);
    if (fchmod(to, st.st_mode & 07777) < 0)
        return err_set(err, errno, "cannot give the new file its mode: %s", strerror(errno));
    return copy_extended(from, to, err);
}

// SPDX-License-Identifier: MIT
/* Owns the question what makes one file stand for another. */
#include "attributes.h"

#include "cleanup.h"
#include "err.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VALUE_MAX 65536 /* XATTR_SIZE_MAX of Linux, as is that of the list of names */

/* ---- flags ---- */

/* With the letter of chattr. Not those of what only a folder has, of what was done to the contents
 * (encrypted, verity), and of what makes a file one that cannot be replaced. */
static const struct {
    int flag;
    const char *name;
} flags[] = {
    {FS_NOCOW_FL, "nocow (C)"},
    {FS_COMPR_FL, "compressed (c)"},
    {FS_NOCOMP_FL, "incompressible (m)"},
    {FS_NODUMP_FL, "nodump (d)"},
    {FS_NOATIME_FL, "noatime (A)"},
    {FS_SYNC_FL, "sync (S)"},
    {FS_JOURNAL_DATA_FL, "journaled data (j)"},
    {FS_DAX_FL, "dax (x)"},
};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

static void add_lost(char lost[STORE_ATTRIBUTES_TEXT_MAX], const char *name)
{
    size_t len = strlen(lost);

    snprintf(lost + len, STORE_ATTRIBUTES_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "", name);
}

/* A file system refuses all that it is given at once if it does not know, or does not allow, one.
 */
static void copy_inode_flags(int from, int to, char lost[STORE_ATTRIBUTES_TEXT_MAX])
{
    int of_from, of_to;

    if (ioctl(from, FS_IOC_GETFLAGS, &of_from) < 0)
        return;
    for (size_t i = 0; i < N_FLAGS; i++) {
        const int flag = flags[i].flag;
        int wanted;

        of_to = 0;
        ioctl(to, FS_IOC_GETFLAGS, &of_to);
        if ((of_from & flag) == (of_to & flag))
            continue;
        wanted = (of_to & ~flag) | (of_from & flag);
        if (ioctl(to, FS_IOC_SETFLAGS, &wanted) == 0 && ioctl(to, FS_IOC_GETFLAGS, &of_to) == 0 &&
            (of_from & flag) == (of_to & flag))
            continue;
        if (of_from & flag) /* not what the folder gives to each of its files */
            add_lost(lost, flags[i].name);
    }
}

/* The extent size hint, which XFS keeps, and the project that a quota counts the file to: each by
 * itself, too. */
static void copy_extended_flags(int from, int to, char lost[STORE_ATTRIBUTES_TEXT_MAX])
{
    struct fsxattr of_from, of_to;

    if (ioctl(from, FS_IOC_FSGETXATTR, &of_from) < 0)
        return;
    if (ioctl(to, FS_IOC_FSGETXATTR, &of_to) < 0)
        of_to = (struct fsxattr){.fsx_xflags = 0};
    if (of_from.fsx_extsize != of_to.fsx_extsize) {
        struct fsxattr wanted = of_to;

        wanted.fsx_xflags &= ~(uint32_t)FS_XFLAG_EXTSIZE;
        wanted.fsx_xflags |= of_from.fsx_xflags & FS_XFLAG_EXTSIZE;
        wanted.fsx_extsize = of_from.fsx_extsize;
        if (ioctl(to, FS_IOC_FSSETXATTR, &wanted) == 0)
            of_to = wanted;
        else if (of_from.fsx_extsize != 0)
            add_lost(lost, "the extent size hint");
    }
    if (of_from.fsx_projid != of_to.fsx_projid) {
        of_to.fsx_projid = of_from.fsx_projid;
        if (ioctl(to, FS_IOC_FSSETXATTR, &of_to) < 0)
            add_lost(lost, "the project");
    }
}

void store_attributes_copy_flags(int from, int to, char lost[STORE_ATTRIBUTES_TEXT_MAX])
{
    lost[0] = '\0';
    copy_inode_flags(from, to, lost);
    copy_extended_flags(from, to, lost);
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

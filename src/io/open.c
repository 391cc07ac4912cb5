// SPDX-License-Identifier: MIT
/* Owns what is known of file systems without storage. Reads nothing. */
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#define MQUEUE_MAGIC 0x19800202
#define CONFIGFS_MAGIC 0x62656570
#define FUSECTL_MAGIC 0x65735543
#define RPC_PIPEFS_MAGIC 0x67596969
#define NFSD_MAGIC 0x6e667364

/*
 * tmpfs and ramfs are not here: files are stored there, if only until the next boot. devtmpfs says
 * that it is tmpfs, and holds nothing but devices. A mount point of autofs is one where nothing is
 * mounted yet: to look into it would mount it, and could wait for ever.
 */
static const struct {
    unsigned long magic;
    const char *name;
} storeless[] = {
    {PROC_SUPER_MAGIC, "proc"},
    {SYSFS_MAGIC, "sysfs"},
    {CGROUP_SUPER_MAGIC, "cgroup"},
    {CGROUP2_SUPER_MAGIC, "cgroup2"},
    {DEBUGFS_MAGIC, "debugfs"},
    {TRACEFS_MAGIC, "tracefs"},
    {SECURITYFS_MAGIC, "securityfs"},
    {SELINUX_MAGIC, "selinuxfs"},
    {SMACK_MAGIC, "smackfs"},
    {CONFIGFS_MAGIC, "configfs"},
    {PSTOREFS_MAGIC, "pstore"},
    {EFIVARFS_MAGIC, "efivarfs"},
    {BPF_FS_MAGIC, "bpf"},
    {MQUEUE_MAGIC, "mqueue"},
    {DEVPTS_SUPER_MAGIC, "devpts"},
    {AUTOFS_SUPER_MAGIC, "autofs"},
    {NSFS_MAGIC, "nsfs"},
    {BINFMTFS_MAGIC, "binfmt_misc"},
    {FUSECTL_MAGIC, "fusectl"},
    {RPC_PIPEFS_MAGIC, "rpc_pipefs"},
    {NFSD_MAGIC, "nfsd"},
};

static const char *name_of(const struct statfs *system)
{
    for (size_t i = 0; i < sizeof(storeless) / sizeof(storeless[0]); i++)
        if ((unsigned long)system->f_type == storeless[i].magic)
            return storeless[i].name;
    return NULL;
}

const char *io_storeless(int fd)
{
    struct statfs system;

    return fstatfs(fd, &system) == 0 ? name_of(&system) : NULL;
}

const char *io_storeless_path(const char *path)
{
    struct statfs system;

    return statfs(path, &system) == 0 ? name_of(&system) : NULL;
}

/* A long chain, or a deep tree, has more files than the customary limit of 1,024. */
int io_open_at(int folder, const char *name, int flags)
{
    int fd = openat(folder, name, flags | O_CLOEXEC);
    struct rlimit limit;

    if (fd >= 0 || errno != EMFILE || getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        limit.rlim_cur == limit.rlim_max)
        return fd;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        errno = EMFILE;
    else
        fd = openat(folder, name, flags | O_CLOEXEC);
    return fd;
}

// SPDX-License-Identifier: MIT
/*
 * Owns the search among mounts. libmount reads mountinfo; which mount a path lies on is decided
 * here, by its text alone, since libmount would follow it, and that may wait for a server.
 */
#include "mount.h"

#include <errno.h>
#include <libmount/libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Is @path the mount point or below it? */
static bool covers(const char *point, const char *path)
{
    size_t len = strlen(point);

    if (len > 0 && point[len - 1] == '/') /* the root */
        len--;
    return strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The mount with @id, or if @path is not NULL the deepest one over it: of several, the last. */
static struct libmnt_fs *choose(struct libmnt_table *table, int id, const char *path)
{
    struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
    struct libmnt_fs *fs, *chosen = NULL;
    size_t deepest = 0;

    while (iter != NULL && mnt_table_next_fs(table, iter, &fs) == 0) {
        const char *point = mnt_fs_get_target(fs);

        if (point == NULL || mnt_fs_get_fstype(fs) == NULL || mnt_fs_get_source(fs) == NULL)
            continue;
        if (path == NULL ? mnt_fs_get_id(fs) != id
                         : !covers(point, path) || strlen(point) < deepest)
            continue;
        deepest = strlen(point);
        chosen = fs;
    }
    mnt_free_iter(iter);
    return chosen;
}

static bool has_option(struct libmnt_fs *fs, const char *name)
{
    return mnt_fs_get_option(fs, name, NULL, NULL) == 0;
}

/* NFS without its locks, or with those of this host alone; likewise SMB; sshfs knows no locks. */
static bool has_local_locks(struct libmnt_fs *fs)
{
    const char *type = mnt_fs_get_fstype(fs);
    size_t len = 0;
    char *value = NULL;

    if (strcmp(type, "nfs") == 0 || strcmp(type, "nfs4") == 0)
        return has_option(fs, "nolock") ||
               (mnt_fs_get_option(fs, "local_lock", &value, &len) == 0 && value != NULL &&
                strncmp(value, "none", len) != 0 && strncmp(value, "flock", len) != 0);
    if (strcmp(type, "cifs") == 0 || strcmp(type, "smb3") == 0)
        return has_option(fs, "nobrl");
    return strcmp(type, "fuse.sshfs") == 0;
}

static bool keep(struct libmnt_fs *fs, struct host_mount *mount)
{
    mount->filesystem = strdup(mnt_fs_get_fstype(fs));
    mount->source = strdup(mnt_fs_get_source(fs));
    mount->major = major(mnt_fs_get_devno(fs));
    mount->minor = minor(mnt_fs_get_devno(fs));
    mount->locks_are_local = has_local_locks(fs);
    return mount->filesystem != NULL && mount->source != NULL;
}

/* errno tells of memory that ran out anywhere below. */
static int find(const char *proc, int id, const char *path, struct host_mount *mount)
{
    struct libmnt_table *table;
    struct libmnt_fs *fs = NULL;
    char name[4096];
    int found;

    errno = 0;
    table = mnt_new_table();
    memset(mount, 0, sizeof(*mount));
    snprintf(name, sizeof(name), "%s/self/mountinfo", proc);
    if (table != NULL && mnt_table_parse_file(table, name) == 0)
        fs = choose(table, id, path);
    found = fs != NULL && keep(fs, mount);
    if (errno == ENOMEM)
        found = -ENOMEM;
    mnt_unref_table(table);
    if (found <= 0)
        host_mount_release(mount);
    return found;
}
/* Each mount has a number of its own: no path has to be followed, and none can be misleading. */
int host_mount_of_descriptor(const char *proc, int fd, struct host_mount *mount)
{
    char name[4096], text[256];
    int id = -1;
    bool no_memory;
    FILE *file;

    memset(mount, 0, sizeof(*mount));
    snprintf(name, sizeof(name), "%s/self/fdinfo/%d", proc, fd);
    errno = 0;
    file = fopen(name, "re");
    while (file != NULL && id < 0 && fgets(text, sizeof(text), file) != NULL)
        sscanf(text, "mnt_id: %d", &id);
    no_memory = errno == ENOMEM;
    if (file != NULL)
        fclose(file);
    return no_memory ? -ENOMEM : id < 0 ? 0 : find(proc, id, NULL, mount);
}

int host_mount_of_path(const char *proc, const char *path, struct host_mount *mount)
{
    return find(proc, -1, path, mount);
}

void host_mount_release(struct host_mount *mount)
{
    free(mount->filesystem);
    free(mount->source);
    memset(mount, 0, sizeof(*mount));
}

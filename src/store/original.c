// SPDX-License-Identifier: MIT
/* Owns the way from a name to the one file that is replaced. Must never write to that. */
#include "original.h"

#include "cleanup.h"
#include "clock.h"
#include "err.h"
#include "holder.h"
#include "io.h"
#include "leftover.h"
#include "openers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the name ---- */

/* Folder and name of what the path leads to. */
static int find(const char *path, struct store_original *original, struct err *err)
{
    CLEANUP_FREE char *folder = NULL;
    char *slash;

    original->path = realpath(path, NULL);
    if (original->path == NULL)
        return err_set(err, errno, "cannot open: %s", strerror(errno));
    slash = strrchr(original->path, '/');
    original->name = strdup(slash + 1);
    folder = strndup(original->path, (size_t)(slash - original->path) + 1);
    if (original->name == NULL || folder == NULL)
        return err_no_memory(err);
    original->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return original->folder < 0 ? err_set(err, errno, "cannot open its folder: %s", strerror(errno))
                                : 0;
}

/* What a name with the suffix would be, if nothing else has it. */
static int find_kept(const char *suffix, const struct stat *st, struct store_original *original,
                     struct err *err)
{
    struct stat other;

    if (asprintf(&original->kept, "%s%s", original->name, suffix) < 0) {
        original->kept = NULL;
        return err_no_memory(err);
    }
    if (strlen(original->kept) > NAME_MAX)
        return err_set(err, ENAMETOOLONG, "the original cannot be kept: %s is too long for a name",
                       original->kept);
    if (fstatat(original->folder, original->kept, &other, AT_SYMLINK_NOFOLLOW) < 0 ||
        (other.st_dev == st->st_dev && other.st_ino == st->st_ino))
        return 0;
    return err_set(err, EEXIST,
                   "the original cannot be kept: there is a %s already; move that away, or choose "
                   "another suffix, --keep-original=SUFFIX",
                   original->kept);
}

/* ---- what stands in the way ---- */

static int check_links(const struct store_original *original, const struct stat *st,
                       struct err *err)
{
    struct stat kept;
    nlink_t own = 1;

    /* A program that ended between keeping and replacing has left it the second name. */
    if (original->kept != NULL &&
        fstatat(original->folder, original->kept, &kept, AT_SYMLINK_NOFOLLOW) == 0)
        own++;
    if (st->st_nlink <= own || original->breaks_links)
        return 0;
    return err_set(err, EMLINK,
                   "it has %lu names (hard links), and the others would go on leading to the old "
                   "file; --break-hard-links replaces this one alone",
                   (unsigned long)st->st_nlink);
}

/* May its name be given to another file? */
static int check_folder(const struct store_original *original, const struct stat *st,
                        struct err *err)
{
    char self[64];
    struct stat folder;

    snprintf(self, sizeof(self), "/proc/self/fd/%d", original->folder);
    if (faccessat(AT_FDCWD, self, W_OK | X_OK, AT_EACCESS) < 0)
        return err_set(err, errno,
                       "cannot be replaced: no file can be made in its folder: %s; --output makes "
                       "the new image elsewhere",
                       strerror(errno));
    if (geteuid() != 0 && fstat(original->folder, &folder) == 0 && (folder.st_mode & S_ISVTX) &&
        folder.st_uid != geteuid() && st->st_uid != geteuid())
        return err_set(err, EPERM,
                       "cannot be replaced: in its folder, a sticky one, only its owner can do "
                       "that; --output makes the new image elsewhere");
    return 0;
}

static int check_flags(int fd, struct err *err)
{
    int flags;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
        return 0;
    return err_set(
        err, EPERM, "cannot be replaced: it has the attribute %s; chattr -%c takes it away",
        flags & FS_IMMUTABLE_FL ? "immutable" : "append only", flags & FS_IMMUTABLE_FL ? 'i' : 'a');
}

static int check_mount_point(const struct store_original *original, const struct stat *st,
                             struct err *err)
{
    struct stat folder;

    if (fstat(original->folder, &folder) < 0 || folder.st_dev == st->st_dev)
        return 0;
    return err_set(err, EXDEV,
                   "cannot be replaced: it is mounted there from another file system; name the "
                   "image where it is stored");
}

static int check(struct store_original *original, const struct store_original_options *options,
                 struct err *err)
{
    int fd = io_descriptor(original->io), ret;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "cannot examine: %s", strerror(errno));
    original->breaks_links = options->break_hard_links;
    ret = check_flags(fd, err)
              ?: check_mount_point(original, &st, err)
              ?: check_folder(original, &st, err);
    if (ret == 0 && options->keep_suffix != NULL)
        ret = find_kept(options->keep_suffix, &st, original, err);
    return ret == 0 ? check_links(original, &st, err) : ret;
}

/* ---- the whole ---- */

static int lock(struct store_original *original, const struct store_original_options *options,
                struct err *err)
{
    struct err refusal = {0};
    int ret = store_lock_take(io_descriptor(original->io), STORE_LOCK_OWNER, &refusal);

    original->unlocked = ret == -ENOLCK && options->without_locks;
    if (ret == 0 || original->unlocked)
        return 0;
    if (ret == -ENOLCK)
        return err_set(err, ENOLCK,
                       "%s: nobody could be kept from using it meanwhile; --force goes on",
                       refusal.text);
    *err = refusal;
    return ret;
}

static int open_original(const char *path, const struct store_original_options *options,
                         struct store_original *original, struct err *err)
{
    struct stat st;
    int ret;

    if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
        return err_set(err, ENOTSUP,
                       "is a block device, which cannot be replaced by a file; --output makes the "
                       "new image elsewhere");
    ret = find(path, original, err)
              ?: io_file_open_found(original->folder, original->name, &original->io, err)
              ?: check(original, options, err)
              ?: lock(original, options, err)
              ?: store_original_check(original, err); /* it may have changed before it was locked */
    if (ret == 0)
        store_leftover_remove(original->folder);
    return ret;
}

int store_original_open(const char *path, const struct store_original_options *options,
                        struct store_original *original, struct err *err)
{
    int ret;

    *original = (struct store_original){.folder = -1};
    ret = open_original(path, options, original, err);
    if (ret < 0)
        store_original_close(original);
    return ret;
}

int store_original_check(const struct store_original *original, struct err *err)
{
    const int fd = io_descriptor(original->io);
    struct stat named, opened;
    int ret;

    if (fstatat(original->folder, original->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) {
        ret = check_links(original, &opened, err);
        return ret < 0 ? ret : store_lock_check_writers(fd, STORE_LOCK_OWNER, err);
    }
    return store_original_tell_gone(err);
}

int store_original_tell_gone(struct err *err)
{
    return err_set(err, ESTALE,
                   "its name leads to another file now: somebody has replaced or removed it "
                   "meanwhile; begin again");
}

/* ALONE, and OPEN with who it is, are answers; UNSEEN: there may be one. *@asks: the kernel says
 * that there is one, and it may be one that only reads. */
static enum store_original_end look_for_users(int fd, bool *asks, char *text)
{
    struct store_holder holder;
    enum store_openers openers;

    *asks = false;
    if (store_holder_find_writer(fd, true, &holder)) {
        store_holder_describe(&holder, text);
        return STORE_ORIGINAL_OPEN;
    }
    openers = store_openers_writers(fd);
    if (openers == STORE_OPENERS_SOME) {
        snprintf(text, STORE_HOLDER_TEXT_MAX, "%s", STORE_HOLDER_UNSEEN);
        return STORE_ORIGINAL_OPEN;
    }
    if (openers == STORE_OPENERS_UNKNOWN)
        return STORE_ORIGINAL_UNSEEN;
    /* A reader that is seen is known to be no QEMU. */
    *asks = store_openers_any(fd) == STORE_OPENERS_SOME && !store_holder_find(fd, &holder);
    return STORE_ORIGINAL_ALONE;
}

enum store_original_end store_original_wait(const struct store_original *original, char *text)
{
    const struct timespec moment = {0, 50L * 1000 * 1000};
    const double begin = clock_seconds();

    while (true) {
        bool asks;
        enum store_original_end found = look_for_users(io_descriptor(original->io), &asks, text);
        double seconds = clock_seconds() - begin;

        if ((found == STORE_ORIGINAL_ALONE && !asks) || seconds >= STORE_ORIGINAL_SECONDS ||
            (found == STORE_ORIGINAL_UNSEEN && seconds >= STORE_ORIGINAL_UNSEEN_SECONDS))
            return found;
        nanosleep(&moment, NULL);
    }
}

void store_original_close(struct store_original *original)
{
    io_close(original->io);
    if (original->folder >= 0)
        close(original->folder);
    free(original->path);
    free(original->name);
    free(original->kept);
    *original = (struct store_original){.folder = -1};
}

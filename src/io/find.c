// SPDX-License-Identifier: MIT
/*
 * Owns the search over a folder. Goes from descriptor to descriptor, so that nobody can lead it
 * elsewhere by exchanging a folder for a link. Opens regular files only, never through a link, and
 * nothing that has no storage.
 */
#include "find.h"

#include "folder.h"
#include "open.h"
#include "vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that is being searched. */
struct level {
    int fd;
    dev_t device;
    size_t path_len; /* of its own path */
    char **names;    /* sorted; those before @next are done */
    size_t n_names, cap_names, next;
};

/* It ends, since a link is never followed and no folder lies in itself. */
struct search {
    const struct io_find *find;
    size_t folder_len; /* of the path, up to what is relative */
    char *path;        /* of what is looked at */
    size_t n_path, cap_path;
    struct level *levels;
    size_t n_levels, cap_levels;
    int ret;
};

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct level *level, const char *name)
{
    char *copy;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    copy = strdup(name);
    if (copy == NULL || vec_reserve(level, names) < 0) {
        free(copy);
        return -ENOMEM;
    }
    level->names[level->n_names++] = copy;
    return 0;
}

/* 0, -ENOMEM, or another -errno with the names read so far. */
static int read_names(struct level *level)
{
    int copy = dup(level->fd), ret = 0;
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;

    if (dir == NULL) {
        ret = -errno;
        if (copy >= 0)
            close(copy);
        return ret;
    }
    while (ret == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        ret = add_name(level, entry->d_name);
    if (ret == 0)
        ret = -errno;
    closedir(dir);
    if (level->n_names > 0)
        qsort(level->names, level->n_names, sizeof(level->names[0]), by_name);
    return ret;
}

/* Puts @name behind the path of the innermost folder. */
static int set_path(struct search *search, const char *name)
{
    size_t len = strlen(name) + 1; /* with its NUL */

    search->n_path = search->n_levels > 0 ? search->levels[search->n_levels - 1].path_len : 0;
    if (search->n_path > 0 && search->path[search->n_path - 1] != '/') {
        if (vec_reserve(search, path) < 0)
            return -ENOMEM;
        search->path[search->n_path++] = '/';
    }
    for (size_t i = 0; i < len; i++) {
        if (vec_reserve(search, path) < 0)
            return -ENOMEM;
        search->path[search->n_path++] = name[i];
    }
    search->n_path--; /* the NUL does not count */
    return 0;
}

/* ---- going in and out ---- */

static void failed(const struct search *search, int error)
{
    search->find->failed(search->find->context, search->path, error);
}

static void leave(struct search *search)
{
    struct level *level = &search->levels[--search->n_levels];

    for (size_t i = 0; i < level->n_names; i++)
        free(level->names[i]);
    free(level->names);
    close(level->fd);
}

/* Takes @fd, of the folder that the path is of. */
static int enter(struct search *search, int fd, dev_t device)
{
    struct level *level;
    int ret;

    if (vec_reserve(search, levels) < 0) {
        close(fd);
        return -ENOMEM;
    }
    level = &search->levels[search->n_levels++];
    *level = (struct level){.fd = fd, .device = device, .path_len = search->n_path};
    ret = read_names(level);
    if (ret < 0 && ret != -ENOMEM)
        failed(search, -ret);
    return ret == -ENOMEM ? ret : 0;
}

/* ---- what is found ---- */

/* Something is mounted here: may it be looked at? A descriptor that opens nothing tells. */
static bool is_passable(const struct search *search, const struct level *level, const char *name)
{
    bool passable;
    int fd;

    if (search->find->one_file_system)
        return false;
    fd = io_open_at(level->fd, name, O_PATH | O_NOFOLLOW);
    passable = fd >= 0 && io_storeless(fd) == NULL;
    if (fd >= 0)
        close(fd);
    return passable;
}

/* What was opened may be another thing than was looked at, and on another device. */
static bool is_admitted(const struct search *search, const struct level *level, int fd, mode_t type,
                        struct stat *st)
{
    if (fstat(fd, st) < 0 || (st->st_mode & S_IFMT) != type)
        return false;
    return st->st_dev == level->device ||
           (!search->find->one_file_system && io_storeless(fd) == NULL);
}

/* ELOOP, ENOTDIR: it has become a link. ENOENT: it is no more. */
static bool has_gone(int error)
{
    return error == ENOENT || error == ELOOP || error == ENOTDIR || error == ENXIO;
}

static int examine(struct search *search, const struct level *level, const char *name)
{
    const struct io_find *find = search->find;
    unsigned char head[IO_FIND_HEAD_BYTES];
    int fd = io_open_at(level->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    struct stat st;
    bool admitted = fd >= 0 && is_admitted(search, level, fd, S_IFREG, &st);
    ssize_t n = admitted ? pread(fd, head, sizeof(head), 0) : -1;
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (fd >= 0 ? !admitted : has_gone(error))
        return 0;
    if (n < 0) {
        failed(search, error);
        return 0;
    }
    if (!find->wanted(head, (size_t)n))
        return 0;
    return find->found(find->context, search->path, search->path + search->folder_len, &st);
}

static int descend(struct search *search, const struct level *level, const char *name)
{
    struct stat st;
    int fd = io_open_at(level->fd, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0) {
        if (!has_gone(errno))
            failed(search, errno);
        return 0;
    }
    if (!is_admitted(search, level, fd, S_IFDIR, &st)) {
        close(fd);
        return 0;
    }
    return enter(search, fd, st.st_dev);
}

static int look_at(struct search *search, const struct level *level, const char *name)
{
    struct stat st;
    int ret = set_path(search, name);

    if (ret < 0)
        return ret;
    if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
        if (!has_gone(errno))
            failed(search, errno);
        return 0;
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return 0;
    if (st.st_dev != level->device && !is_passable(search, level, name))
        return 0;
    return S_ISREG(st.st_mode) ? examine(search, level, name) : descend(search, level, name);
}

int io_find(const struct io_folder *folder, const struct io_find *find)
{
    struct search search = {.find = find};
    int ret = set_path(&search, folder->path);
    struct stat st;

    if (ret == 0) {
        int fd = io_open_at(folder->fd, ".", O_RDONLY | O_DIRECTORY);

        search.folder_len = search.n_path + (search.path[search.n_path - 1] != '/');
        if (fd < 0 || fstat(fd, &st) < 0)
            failed(&search, errno);
        else
            ret = enter(&search, fd, st.st_dev);
    }
    while (ret == 0 && search.n_levels > 0) {
        struct level *level = &search.levels[search.n_levels - 1];

        if (level->next == level->n_names)
            leave(&search);
        else
            ret = look_at(&search, level, level->names[level->next++]);
    }
    while (search.n_levels > 0)
        leave(&search);
    free(search.levels);
    free(search.path);
    return ret;
}

// SPDX-License-Identifier: MIT
/* Owns what makes two names one file. Looks at nothing. */
#include "known.h"

#include "vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Three kinds of files, which cannot be the same: a file, a block device, and none. */
struct known_file {
    const char *path; /* NULL: it is there, and the numbers say which it is */
    bool is_device;
    uint64_t device, number;
    uint32_t next; /* with the same key: its number and one, or 0 */
};

static struct known_file file_of(const struct stat *st, const char *path)
{
    if (st == NULL)
        return (struct known_file){.path = path};
    if (S_ISBLK(st->st_mode))
        return (struct known_file){.is_device = true, .device = st->st_rdev};
    return (struct known_file){.device = st->st_dev, .number = st->st_ino};
}

/* Files with one key are told apart by all they have. */
static uint64_t key_of(const struct known_file *file)
{
    if (file->path == NULL)
        return (file->device << 40 | file->device >> 24) ^ file->number ^ file->is_device;
    return hash_bytes(HASH_OF_NOTHING, file->path, strlen(file->path));
}

static bool is_same(const struct known_file *a, const struct known_file *b)
{
    if (a->path != NULL || b->path != NULL)
        return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
    return a->is_device == b->is_device && a->device == b->device && a->number == b->number;
}

int known_has(struct known *known, const struct stat *st, const char *path, size_t *number)
{
    struct known_file file = file_of(st, path);
    uint32_t *first;
    bool is_new;

    if (known->n_list == UINT32_MAX || hash_reserve(&known->first, known->n_list + 1) < 0 ||
        vec_reserve(known, list) < 0)
        return -ENOMEM;
    first = hash_at(&known->first, key_of(&file), &is_new);
    for (uint32_t at = *first; at != 0; at = known->list[at - 1].next) {
        *number = at - 1;
        if (is_same(&known->list[at - 1], &file))
            return 1;
    }
    *number = known->n_list;
    file.next = *first;
    known->list[known->n_list++] = file;
    *first = (uint32_t)known->n_list;
    return 0;
}

void known_free(struct known *known)
{
    hash_free(&known->first);
    free(known->list);
    *known = (struct known){.list = NULL};
}

// SPDX-License-Identifier: MIT
/* Owns the question which images are the user's, and which are what was kept of them. */
#include "originals.h"

#include "cleanup.h"
#include "err.h"
#include "io.h"
#include "kept.h"
#include "targets.h"
#include "vec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* @name: beside @path. */
static int add_marked(struct originals *originals, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    char **marked;

    if (vec_reserve(originals, marked) < 0)
        return -ENOMEM;
    marked = &originals->marked[originals->n_marked];
    if (asprintf(marked, "%.*s%s", slash != NULL ? (int)(slash - path) + 1 : 0, path, name) < 0)
        return -ENOMEM;
    originals->n_marked++;
    return 0;
}

/* One that cannot be opened is told when its turn comes. */
static int look_at(const struct targets *targets, size_t i, struct originals *originals)
{
    char names[STORE_KEPT_MAX], *rest = names, *name;
    struct err ignored = {0};
    struct io *io;
    int ret = 0;

    if (targets_open(targets, i, &io, &ignored) < 0)
        return 0;
    store_kept_read(io_descriptor(io), names);
    io_close(io);
    while (ret == 0 && (name = strsep(&rest, "/")) != NULL)
        if (*name != '\0')
            ret = add_marked(originals, targets_path(targets, i), name);
    return ret;
}

int originals_find(const struct targets *targets, struct originals *originals)
{
    *originals = (struct originals){.n_found = 0};
    for (size_t i = 0; i < targets->n_list; i++) {
        if (!targets_is_found(targets, i))
            continue;
        if (vec_reserve(originals, found) < 0 || look_at(targets, i, originals) < 0)
            return -ENOMEM;
        originals->found[originals->n_found++] = targets_path(targets, i);
    }
    if (originals->n_marked > 0)
        qsort(originals->marked, originals->n_marked, sizeof(*originals->marked), compare);
    if (originals->n_found > 0)
        qsort(originals->found, originals->n_found, sizeof(*originals->found), compare);
    return 0;
}

void originals_free(struct originals *originals)
{
    for (size_t i = 0; i < originals->n_marked; i++)
        free(originals->marked[i]);
    free(originals->marked);
    free(originals->found);
}

/* Without its end; NULL: it has another one, or no memory is left. The caller frees it. */
static char *without(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len > end_len && strcmp(path + len - end_len, end) == 0 ? strndup(path, len - end_len)
                                                                   : NULL;
}

static bool has_image_of_it(const struct originals *originals, const char *path)
{
    CLEANUP_FREE char *stem = without(path, ORIGINALS_SUFFIX);

    return stem != NULL && originals->n_found > 0 &&
           bsearch(&stem, originals->found, originals->n_found, sizeof(*originals->found),
                   compare) != NULL;
}

bool originals_has(const struct originals *originals, const char *path, const char *suffix)
{
    CLEANUP_FREE char *stem = suffix != NULL ? without(path, suffix) : NULL;

    if (stem != NULL || has_image_of_it(originals, path))
        return true;
    return originals->n_marked > 0 && bsearch(&path, originals->marked, originals->n_marked,
                                              sizeof(*originals->marked), compare) != NULL;
}

// SPDX-License-Identifier: MIT
/*
 * The text of extents, and finding one among them. Reads no disk.
 */
#include "extents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t end_of(const struct extent *extent)
{
    return extent->file_off + extent->len;
}

static int append(struct extents *extents, struct extent extent)
{
    struct extent *list = extents->list;
    size_t n = extents->n;

    if (extent.len == 0 || (n > 0 && extent.file_off < end_of(&list[n - 1])))
        return -1;
    if ((n & (n - 1)) == 0) { /* full: the room is the next power of two */
        list = realloc(list, (n == 0 ? 1 : 2 * n) * sizeof(*list));
        if (list == NULL)
            return -1;
        extents->list = list;
    }
    list[extents->n++] = extent;
    return 0;
}

int extents_read(struct extents *extents, const char *path, size_t *line)
{
    FILE *file = fopen(path, "re");
    char text[128];
    int wrong = 0;

    *line = 0;
    *extents = (struct extents){0};
    if (file == NULL)
        return -1;
    while (!wrong && fgets(text, sizeof(text), file) != NULL) {
        struct extent extent;
        char more;

        ++*line;
        wrong = sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %c", &extent.file_off,
                       &extent.disk_off, &extent.len, &more) != 3 ||
                append(extents, extent) < 0;
    }
    fclose(file);
    if (wrong)
        extents_free(extents);
    return wrong ? -1 : 0;
}

void extents_free(struct extents *extents)
{
    free(extents->list);
    *extents = (struct extents){0};
}

const struct extent *extents_find(const struct extents *extents, uint64_t file_off)
{
    size_t low = 0, high = extents->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (end_of(&extents->list[middle]) <= file_off)
            low = middle + 1;
        else
            high = middle;
    }
    return low < extents->n ? &extents->list[low] : NULL;
}

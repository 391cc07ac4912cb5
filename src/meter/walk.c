// SPDX-License-Identifier: MIT
/* Owns the choice of the meter that pieces go to. Reads nothing itself. */
#include "walk.h"

#include "err.h"
#include "image.h"

struct walk {
    struct meter **meters;
    struct meter *shared; /* NULL for a single table */
};

static int take(void *context, const struct run_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static struct run_sink begin(void *context, const size_t *members, size_t n_members)
{
    struct walk *walk = context;

    if (n_members == 1)
        return (struct run_sink){take, walk->meters[members[0]]};
    meter_clear(walk->shared);
    return (struct run_sink){take, walk->shared};
}

static void end(void *context, const size_t *members, size_t n_members)
{
    struct walk *walk = context;

    for (size_t i = 0; i < n_members && n_members > 1; i++)
        meter_merge(walk->meters[members[i]], walk->shared);
}

static int allocate(struct walk *walk, size_t n, const struct format_header *header)
{
    uint64_t unit_bytes =
        header->extended_l2 ? header->cluster_bytes / FORMAT_SUBCLUSTERS : header->cluster_bytes;

    for (size_t i = 0; i < n; i++)
        walk->meters[i] = NULL;
    for (size_t i = 0; i < n; i++) {
        walk->meters[i] = meter_new(header->cluster_bytes, unit_bytes);
        if (walk->meters[i] == NULL)
            return -1;
    }
    walk->shared = n > 1 ? meter_new(header->cluster_bytes, unit_bytes) : NULL;
    return n > 1 && walk->shared == NULL ? -1 : 0;
}

int meter_walk(struct format_image *image, struct run_table *tables, size_t n_tables,
               struct meter **meters, const struct run_progress *progress, struct err *err)
{
    struct walk walk = {.meters = meters};
    struct run_visitor visitor = {.context = &walk, .begin = begin, .end = end};
    int ret = allocate(&walk, n_tables, &image->header) < 0
                  ? err_no_memory(err)
                  : run_scan(image, tables, n_tables, &visitor, progress, err);

    for (size_t i = 0; i < n_tables && ret == 0; i++)
        if (meter_error(meters[i]) < 0)
            ret = err_no_memory(err);
    meter_free(walk.shared);
    return ret;
}

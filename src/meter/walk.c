// SPDX-License-Identifier: MIT
/* Owns the choice of the meter that pieces go to. Reads nothing itself. */
#include "walk.h"

#include "err.h"
#include "image.h"

#include <errno.h>
#include <stdlib.h>

/* The meter of an L2 table that is named several times. */
struct kept {
    struct meter *meter;
    uint64_t times[RUN_TABLES_MAX]; /* that it has been joined to the meter of each table */
};

struct walk {
    const struct format_header *header;
    struct meter **meters;
    size_t n_meters;
    struct meter *shared;            /* made when it is first needed */
    struct kept *kept[RUN_KEPT_MAX]; /* likewise */
};

static int take(void *context, const struct run_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static int refuse(void *context, const struct run_batch *batch)
{
    (void)context;
    (void)batch;
    return -ENOMEM;
}

static struct meter *new_meter(const struct format_header *header)
{
    return meter_new(header->cluster_bytes, header->extended_l2
                                                ? header->cluster_bytes / FORMAT_SUBCLUSTERS
                                                : header->cluster_bytes);
}

static struct run_sink begin(void *context, struct run_members members, size_t keep)
{
    struct walk *walk = context;

    if (members.n == 1 && keep == RUN_NOT_KEPT)
        return (struct run_sink){take, walk->meters[members.list[0]]};
    if (walk->shared == NULL)
        walk->shared = new_meter(walk->header);
    if (walk->shared == NULL)
        return (struct run_sink){refuse, NULL};
    meter_clear(walk->shared);
    return (struct run_sink){take, walk->shared};
}

static int again(void *context, struct run_members members, size_t kept, uint64_t shift)
{
    struct walk *walk = context;

    for (size_t i = 0; i < members.n; i++) {
        meter_join(walk->meters[members.list[i]], walk->kept[kept]->meter, shift);
        walk->kept[kept]->times[members.list[i]]++;
    }
    return 0;
}

/* The meter that was shared becomes the kept one. */
static int end(void *context, struct run_members members, size_t keep)
{
    struct walk *walk = context;

    if (keep != RUN_NOT_KEPT) {
        walk->kept[keep] = calloc(1, sizeof(*walk->kept[keep]));
        if (walk->kept[keep] == NULL)
            return -ENOMEM;
        walk->kept[keep]->meter = walk->shared;
        walk->shared = NULL;
        return again(context, members, keep, 0);
    }
    for (size_t i = 0; i < members.n && members.n > 1; i++)
        meter_merge(walk->meters[members.list[i]], walk->shared);
    return 0;
}

static void add_kept(struct walk *walk)
{
    for (size_t k = 0; k < RUN_KEPT_MAX; k++)
        for (size_t i = 0; i < walk->n_meters && walk->kept[k] != NULL; i++)
            meter_add_inner(walk->meters[i], walk->kept[k]->meter, walk->kept[k]->times[i]);
}

static void release(struct walk *walk)
{
    for (size_t k = 0; k < RUN_KEPT_MAX; k++) {
        if (walk->kept[k] != NULL)
            meter_free(walk->kept[k]->meter);
        free(walk->kept[k]);
    }
    meter_free(walk->shared);
    free(walk);
}

static int new_meters(struct walk *walk)
{
    for (size_t i = 0; i < walk->n_meters; i++)
        walk->meters[i] = NULL;
    for (size_t i = 0; i < walk->n_meters; i++) {
        walk->meters[i] = new_meter(walk->header);
        if (walk->meters[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

int meter_walk(struct format_image *image, struct run_table *tables, size_t n_tables,
               struct meter **meters, const struct run_progress *progress, struct err *err)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    const struct run_visitor visitor = {walk, begin, end, again, false};
    int ret;

    if (walk == NULL)
        return err_no_memory(err);
    walk->header = &image->header;
    walk->meters = meters;
    walk->n_meters = n_tables;
    ret = new_meters(walk);
    if (ret == 0)
        ret = run_scan(image, tables, n_tables, &visitor, progress, err);
    if (ret == 0)
        add_kept(walk);
    for (size_t i = 0; i < n_tables && ret == 0; i++)
        ret = meter_error(meters[i]);
    if (ret == -ENOMEM)
        err_no_memory(err);
    release(walk);
    return ret;
}

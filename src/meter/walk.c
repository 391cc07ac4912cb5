// SPDX-License-Identifier: MIT
/*
 * Owns the cutting of a walk into parts, and the threads that take them. A thread more is started
 * whenever the budget has one to spare and parts are left; none waits for another.
 */
#include "walk.h"

#include "err.h"
#include "image.h"
#include "part.h"
#include "workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A part has at least this much of L2 tables: half a millisecond of work. */
#define PART_BYTES_MIN (UINT64_C(2) << 20)
#define PARTS_MAX 64

struct walk {
    const struct meter_walk_options *options;
    const struct run_plan *plan;
    const struct format_header *header;
    const struct run_table *tables;
    size_t n_tables;
    uint32_t n_parts;

    pthread_mutex_t lock; /* over all below */
    uint32_t next;        /* part that nobody has taken yet */
    uint32_t merged;      /* parts merged into the whole */
    struct meter_part *whole;
    struct meter_part *done[PARTS_MAX]; /* finished, waiting for those before them */
    struct meter_part *idle;            /* one to use again */
    uint32_t failed;                    /* the first part that failed, or n_parts */
    int ret;
    struct err err;
};

static uint32_t part_begin(const struct walk *walk, uint32_t part)
{
    return (uint32_t)((uint64_t)run_plan_end(walk->plan) * part / walk->n_parts);
}

/* Depends on the image alone, never on the threads: see walk.h. */
static uint32_t count_parts(const struct run_plan *plan)
{
    uint64_t n = run_plan_table_bytes(plan) / PART_BYTES_MIN;

    if (n > PARTS_MAX)
        n = PARTS_MAX;
    if (n > run_plan_end(plan))
        n = run_plan_end(plan);
    return n > 0 ? (uint32_t)n : 1;
}

/* The error of the first part is the one to tell, whichever thread was faster. */
static void fail(struct walk *walk, uint32_t part, int ret, const struct err *err)
{
    if (part >= walk->failed)
        return;
    walk->failed = part;
    walk->ret = ret;
    walk->err = *err;
}

/* Merges all finished parts that have nothing unfinished before them. */
static void merge_done(struct walk *walk)
{
    const struct meter_walk_options *options = walk->options;

    while (walk->merged < walk->n_parts && walk->done[walk->merged] != NULL) {
        struct meter_part *part = walk->done[walk->merged];

        walk->done[walk->merged++] = NULL;
        if (walk->whole == NULL) {
            walk->whole = part;
            continue;
        }
        meter_part_merge(walk->whole, part);
        meter_part_clear(part);
        meter_part_free(walk->idle);
        walk->idle = part;
    }
    if (options->progress != NULL)
        options->progress(options->context, (double)walk->merged / walk->n_parts);
}

static struct meter_part *take_idle(struct walk *walk)
{
    struct meter_part *part = walk->idle;

    walk->idle = NULL;
    return part;
}

static void do_part(struct walk *walk, struct run_scan *scan, uint32_t number,
                    struct meter_part *part)
{
    struct err err = {0};
    int ret;

    if (part == NULL)
        part = meter_part_new(walk->header, walk->tables, walk->n_tables, walk->options->stage);
    ret = part == NULL || scan == NULL ? err_no_memory(&err)
                                       : meter_part_scan(part, scan, part_begin(walk, number),
                                                         part_begin(walk, number + 1), &err);

    pthread_mutex_lock(&walk->lock);
    if (ret < 0) {
        fail(walk, number, ret, &err);
        meter_part_free(part);
    } else {
        walk->done[number] = part;
        merge_done(walk);
    }
    pthread_mutex_unlock(&walk->lock);
}

static void *work(void *context);

/* Starts a thread more if parts are left for it. The lock is held. */
static bool start_helper(struct walk *walk, pthread_t *thread)
{
    struct workers *workers = walk->options->workers;

    if (walk->next >= walk->n_parts || !workers_try_take(workers))
        return false;
    if (pthread_create(thread, NULL, work, walk) == 0)
        return true;
    workers_give(workers);
    return false;
}

static void *work(void *context)
{
    struct walk *walk = context;
    struct run_scan *scan = run_scan_new(walk->plan);
    pthread_t helper;
    bool has_helper = false;

    pthread_mutex_lock(&walk->lock);
    while (walk->next < walk->n_parts && walk->failed == walk->n_parts) {
        uint32_t number = walk->next++;
        struct meter_part *part = take_idle(walk);

        if (!has_helper) /* who in turn may start another */
            has_helper = start_helper(walk, &helper);
        pthread_mutex_unlock(&walk->lock);
        do_part(walk, scan, number, part);
        pthread_mutex_lock(&walk->lock);
    }
    pthread_mutex_unlock(&walk->lock);
    run_scan_free(scan);
    if (has_helper) {
        pthread_join(helper, NULL);
        workers_give(walk->options->workers);
    }
    return NULL;
}

/* Hands the results over to the caller's tables and meters. */
static void hand_over(struct walk *walk, struct run_table *tables, struct meter_pair *meters)
{
    for (size_t i = 0; i < walk->n_tables; i++) {
        tables[i].counts = walk->whole->tables[i].counts;
        format_findings_merge(&tables[i].findings, &walk->whole->tables[i].findings);
        meters[i] = walk->whole->meters[i];
        walk->whole->meters[i] = (struct meter_pair){NULL, NULL};
    }
}

static void release(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->n_parts; i++)
        meter_part_free(walk->done[i]);
    meter_part_free(walk->idle);
    meter_part_free(walk->whole);
    pthread_mutex_destroy(&walk->lock);
    free(walk);
}

static int walk_parts(struct format_image *image, const struct run_plan *plan,
                      struct run_table *tables, size_t n_tables, struct meter_pair *meters,
                      const struct meter_walk_options *options, struct err *err)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    int ret;

    if (walk == NULL)
        return err_no_memory(err);
    walk->options = options;
    walk->plan = plan;
    walk->header = &image->header;
    walk->tables = tables;
    walk->n_tables = n_tables;
    walk->n_parts = walk->failed = count_parts(plan);
    pthread_mutex_init(&walk->lock, NULL);
    work(walk);
    ret = walk->ret;
    if (ret == 0)
        hand_over(walk, tables, meters);
    else
        *err = walk->err;
    release(walk);
    return ret;
}

int meter_walk(struct format_image *image, struct run_table *tables, size_t n_tables,
               struct meter_pair *meters, const struct meter_walk_options *options, struct err *err)
{
    struct run_plan *plan;
    int ret;

    for (size_t i = 0; i < n_tables; i++)
        meters[i] = (struct meter_pair){NULL, NULL};
    if (n_tables == 0)
        return 0;
    ret = run_plan_new(image, tables, n_tables, false, &plan, err);
    if (ret < 0)
        return ret;
    if (!run_plan_looked(plan))
        format_findings_add(&tables[0].findings, FORMAT_FINDING_NOT_LOOKED_FOR, "image", NULL,
                            "there are too many tables to look whether one overlaps another");
    ret = walk_parts(image, plan, tables, n_tables, meters, options, err);
    run_plan_free(plan);
    return ret;
}

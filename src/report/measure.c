// SPDX-License-Identifier: MIT
/*
 * Owns the course of a measurement: open, choose tables, walk them, turn meters into figures.
 * Never prints; what goes wrong becomes the report's error.
 */
#include "measure.h"

#include "backing.h"
#include "cause.h"
#include "chained.h"
#include "checked.h"
#include "choose.h"
#include "cost.h"
#include "err.h"
#include "figures.h"
#include "host.h"
#include "image.h"
#include "io.h"
#include "l2.h"
#include "size.h"
#include "space.h"
#include "verdict.h"
#include "walk.h"
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Walked at once: a meter takes 64 KiB, and a hostile image can have 65,536 snapshots. */
#define GROUP_TABLES TABLES_SCAN_MAX

static int fill_format(const struct format_image *image, struct report_format *format,
                       struct err *err)
{
    const struct format_header *header = &image->header;

    *format = (struct report_format){
        .version = header->version,
        .cluster_bytes = header->cluster_bytes,
        .virtual_bytes = header->virtual_bytes,
        .file_bytes = image->file_bytes,
        .refcount_bits = header->refcount_bits,
        .extended_l2 = header->extended_l2,
        .compression = header->compression,
        .encryption = header->crypt,
        .data_file_raw = header->autoclear & FORMAT_AUTOCLEAR_DATA_FILE_RAW,
        .lazy_refcounts = header->compatible & FORMAT_COMPAT_LAZY_REFCOUNTS,
        .dirty = header->incompatible & FORMAT_INCOMPAT_DIRTY,
        .corrupt = header->incompatible & FORMAT_INCOMPAT_CORRUPT,
        .snapshot_count = header->n_snapshots,
        .bitmap_count = header->n_bitmaps,
        .bitmaps_in_use = image->bitmaps.n_in_use,
        .l1_entries = header->l1_entries,
        .l2_cache_bytes = tables_l2_cache_bytes(header, header->virtual_bytes),
    };
    if (image->bitmaps.n_named > 0)
        format->in_use_names = calloc(image->bitmaps.n_named, sizeof(*format->in_use_names));
    if (image->bitmaps.n_named > 0 && format->in_use_names == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < image->bitmaps.n_named; i++, format->n_in_use_names++)
        if (format_name_copy(&image->bitmaps.in_use[i], &format->in_use_names[i]) < 0)
            return err_no_memory(err);
    if (format_name_copy(&header->backing_file, &format->backing_file) < 0 ||
        format_name_copy(&header->backing_format, &format->backing_format) < 0 ||
        format_name_copy(&header->data_file, &format->data_file) < 0)
        return err_no_memory(err);
    return 0;
}

struct work {
    struct format_image *image;
    const struct report_choice *choice;
    struct report_image *report;
    struct report_backing *backing; /* NULL: the image alone is measured */
    struct err *err;
    struct report_host_walk host;
    struct report_profile profile;
    struct opt_u64 copy_bytes; /* of data that a rewrite of the active state copies */
    size_t *chosen;            /* what to walk: TABLE_ACTIVE, or the index of a snapshot */
    size_t n_chosen;
};

/* ---- from a walked table to its figures ---- */

/* What any walk has, of an image alone or along a chain. */
static int fill_figures(const struct work *work, const struct piece_counts *counts,
                        uint64_t mapped_clusters, uint64_t pieces, const struct meter *meter,
                        struct report_table *table)
{
    int ret = report_figures(meter, pieces, &table->walk);

    if (ret < 0)
        return ret;
    table->measured = true;
    table->mapped_clusters = mapped_clusters;
    table->walk.compressed_clusters = counts->compressed_clusters;
    table->walk.zero_clusters = counts->zero_clusters;
    table->walk.zero_allocated_clusters = counts->zero_allocated_clusters;
    table->walk.corrupt_entries = counts->corrupt_entries;
    table->read_split = opt_ratio((double)counts->reads, (double)counts->reads_unbroken);
    report_cost(&work->profile, counts, meter, &table->disk);
    return 0;
}

/* The same walk over the device, if the maps of all files are known. */
static int fill_end_to_end(const struct work *work, const struct piece_counts *counts,
                           const struct meter_pair *meters, struct report_table *table)
{
    const struct meter *device = report_host_meter(&work->host, meters);
    int ret;

    if (device == NULL)
        return 0;
    ret = report_host_figures(&work->host, device, counts, &table->end_to_end);
    /* Subclusters are walked by themselves, but take no other time where the file is whole. */
    if (work->host.in_one_piece)
        device = meters->plain;
    if (ret == 0)
        report_cost_end_to_end(&work->profile, counts, device, &table->end_to_end);
    return ret;
}

/* ---- the tables of one image ---- */

static const struct format_snapshot *snapshot_of(const struct work *work, size_t chosen)
{
    return chosen == TABLE_ACTIVE ? NULL : &work->image->snapshots.list[chosen];
}

static struct report_range range_of(const struct tables_span *span, uint64_t virtual_bytes)
{
    uint64_t end;

    if (span == NULL)
        return (struct report_range){.known = false};
    end = span->end < virtual_bytes ? span->end : virtual_bytes;
    return (struct report_range){.known = true,
                                 .guest_off = span->begin,
                                 .len_bytes = end > span->begin ? end - span->begin : 0};
}

static int begin_table(const struct work *work, size_t chosen, struct report_table *table,
                       struct table *walk)
{
    const struct format_snapshot *snapshot = snapshot_of(work, chosen);

    *walk = table_of_snapshot(work->image, chosen);
    *table = (struct report_table){.is_snapshot = snapshot != NULL, .chain_depth = 1};
    table->virtual_bytes = walk->virtual_bytes;
    table->range = range_of(work->choice->walk.span, table->virtual_bytes);
    if (snapshot != NULL && (format_name_copy(&snapshot->id, &table->id) < 0 ||
                             format_name_copy(&snapshot->name, &table->name) < 0))
        return err_no_memory(work->err);
    return 0;
}

static int fill_lost(const struct table *walk, struct report_table *table)
{
    if (walk->lost.ranges == 0)
        return 0;
    table->lost = malloc(sizeof(*table->lost));
    if (table->lost == NULL)
        return -ENOMEM;
    *table->lost = walk->lost;
    return 0;
}

static int fill_table(struct work *work, const struct table *walk, const struct meter_pair *meters,
                      struct report_table *table)
{
    struct report_format *format = &work->report->format;
    const struct piece_counts *counts = &walk->counts;
    const struct meter_head *head = &meters->plain->head;

    if (fill_figures(work, counts, counts->mapped_clusters, counts->mapped_clusters, meters->plain,
                     table) < 0 ||
        fill_end_to_end(work, counts, meters, table) < 0 || fill_lost(walk, table) < 0)
        return err_no_memory(work->err);
    report_cost_after(&work->profile, counts, meters, format, table);
    table->has_check = !table->is_snapshot && !table->range.known;
    table->check = (struct report_check){
        .allocated_clusters = counts->check_allocated,
        .total_clusters =
            tables_l2_clusters(&work->image->header, work->image->header.virtual_bytes),
        .fragmented_clusters = counts->check_fragmented,
        .compressed_clusters = counts->check_compressed,
    };
    if (!table->is_snapshot && !table->range.known) {
        format->l2_tables = opt_u64_of(walk->counts.l2_tables);
        format->l2_bytes = opt_u64_of(walk->counts.l2_tables * format->cluster_bytes);
        work->copy_bytes = opt_u64_of(head->read_bytes - head->table_bytes - head->again_bytes);
    }
    return 0;
}

/* Snapshots of an unchanged disk, or of a hostile image, may have the same table. */
static size_t find_walk(const struct table *walks, size_t n, const struct table *like)
{
    size_t i = 0;

    while (i < n && !table_is_same(&walks[i], like))
        i++;
    return i;
}

/* Walks the tables chosen[first ..] that fit in a group; those that cannot be read stay unknown. */
static int measure_group(struct work *work, size_t first, size_t n)
{
    struct table walks[GROUP_TABLES];
    struct meter_pair meters[GROUP_TABLES] = {{.plain = NULL}};
    struct walk_options options = work->choice->walk;
    size_t walk_of[GROUP_TABLES], n_walks = 0;
    int ret = 0;

    options.rewrite = true;
    if (work->host.has_stage)
        options.stage = &work->host.stage;
    for (size_t i = 0; i < n && ret == 0; i++) {
        const struct format_snapshot *snapshot = snapshot_of(work, work->chosen[first + i]);

        ret = begin_table(work, work->chosen[first + i], &work->report->tables[first + i],
                          &walks[n_walks]);
        work->report->n_tables++;
        walk_of[i] = GROUP_TABLES;
        if (ret == 0 && (snapshot == NULL || snapshot->readable))
            walk_of[i] = find_walk(walks, n_walks, &walks[n_walks]);
        n_walks += walk_of[i] == n_walks;
    }
    if (ret == 0)
        ret = walk_tables(work->image, walks, n_walks, meters, &options, work->err);
    for (size_t i = 0; i < n && ret == 0; i++)
        if (walk_of[i] < n_walks)
            ret = fill_table(work, &walks[walk_of[i]], &meters[walk_of[i]],
                             &work->report->tables[first + i]);
    for (size_t i = 0; i < n_walks; i++) {
        format_findings_merge(&work->report->findings, &walks[i].findings);
        format_findings_free(&walks[i].findings);
        meter_pair_free(&meters[i]);
    }
    return ret;
}

static int measure_tables(struct work *work)
{
    work->report->tables = calloc(work->n_chosen, sizeof(*work->report->tables));
    if (work->report->tables == NULL)
        return err_no_memory(work->err);
    for (size_t first = 0; first < work->n_chosen; first += GROUP_TABLES) {
        size_t left = work->n_chosen - first;
        int ret = measure_group(work, first, left < GROUP_TABLES ? left : GROUP_TABLES);

        if (ret < 0)
            return ret;
    }
    return 0;
}

/* ---- along a chain ---- */

/* A walk for each of 65,536 snapshots through 1,000 images would never end. */
#define CHAINED_MAX ((size_t)1 << 18)

/* The figures of the table alone give way to those of the chain. */
static int fill_chained(struct work *work, const struct piece_counts *counts,
                        const struct meter_pair *meters, struct report_table *table)
{
    uint64_t alone_bytes = table->walk.mapped_bytes;
    uint64_t cluster_bytes = work->image->header.cluster_bytes;

    report_walk_free(&table->walk);
    report_walk_free(&table->end_to_end.walk);
    memset(&table->walk, 0, sizeof(table->walk));
    memset(&table->end_to_end, 0, sizeof(table->end_to_end));
    if (fill_figures(work, counts, div_round_up(counts->mapped_bytes, cluster_bytes),
                     counts->pieces, meters->plain, table) < 0 ||
        fill_end_to_end(work, counts, meters, table) < 0)
        return err_no_memory(work->err);
    table->has_check = false;
    table->chain_depth = (uint32_t)work->backing->chain.n_layers;
    report_cost_after(&work->profile, counts, meters, &work->report->format, table);
    return report_backing_fill(work->backing, meters->plain, alone_bytes, table, work->err);
}

static int chain_table(struct work *work, size_t number, bool first)
{
    struct walk_options options = work->choice->walk;
    struct report_backing *backing = work->backing;
    struct meter_pair meters = {.plain = NULL};
    struct report_table again;
    struct piece_counts counts;
    struct table walk;
    int ret = begin_table(work, work->chosen[number], &again, &walk);

    options.rewrite = true;
    if (work->host.has_stage)
        options.stage = &work->host.stage;
    free(again.id.bytes);
    free(again.name.bytes);
    if (ret == 0 && first)
        ret =
            report_backing_look(backing, work->image, &options, &work->report->findings, work->err);
    if (ret == 0)
        ret = report_backing_set_top(backing, work->image, &walk, work->err);
    if (ret == 0)
        ret = walk_chain(&backing->layers, (unsigned)backing->chain.n_files, &meters, &counts,
                         &options, work->err);
    if (ret == 0)
        ret = fill_chained(work, &counts, &meters, &work->report->tables[number]);
    format_findings_merge(&work->report->findings, &walk.findings);
    meter_pair_free(&meters);
    return ret;
}

/* After each table has been measured by itself. */
static int chain_tables(struct work *work)
{
    size_t n_layers = work->backing->chain.n_layers;
    bool first = true;
    int ret = 0;

    if (n_layers > 1 && work->n_chosen > CHAINED_MAX / n_layers)
        return err_set(work->err, E2BIG,
                       "%zu tables along a chain of %zu images are too many; choose some of them "
                       "with --snapshot",
                       work->n_chosen, n_layers);
    for (size_t i = 0; i < work->n_chosen && ret == 0; i++) {
        struct report_table *table = &work->report->tables[i];

        if (!table->measured)
            continue;
        ret = n_layers == 1 ? report_backing_alone(work->backing, table, work->err)
                            : chain_table(work, i, first);
        first = false;
    }
    return ret;
}

/* ---- one image ---- */

static struct opt_u64 snapshot_bytes(const struct report_space *space)
{
    return space != NULL ? opt_u64_of(space->snapshot_only_bytes) : (struct opt_u64){0};
}

/*
 * What snapshots alone hold decides whether they are to blame, and free gaps are the trace of what
 * was freed: without --space it is found out only where the image would be to blame else. It is of
 * all the disk, and tells nothing of a part of it.
 */
static int judge(struct work *work)
{
    struct report_image *report = work->report, aside = {.n_tables = 0};
    const struct report_space *space = work->choice->walk.span == NULL ? report->space : NULL;
    int ret = report_verdict(report, work->copy_bytes, snapshot_bytes(space));

    if (ret < 0)
        return err_no_memory(work->err);
    if (space == NULL && report_causes_need_space(report)) {
        ret = report_space_measure(work->image, work->chosen, work->n_chosen, &aside, work->err);
        space = aside.space;
        if (ret == 0 && report_verdict(report, work->copy_bytes, snapshot_bytes(space)) < 0)
            ret = err_no_memory(work->err);
    }
    if (ret == 0 && report_find_causes(report, space) < 0)
        ret = err_no_memory(work->err);
    report_image_free(&aside);
    return ret;
}

static int measure_opened(struct format_image *image, const struct report_choice *choice,
                          struct report_backing *backing, struct report_image *report,
                          struct err *err)
{
    struct work work = {
        .image = image, .choice = choice, .report = report, .backing = backing, .err = err};
    int ret = fill_format(image, &report->format, err);

    report->has_format = ret == 0;
    if (ret == 0)
        ret = report_choose(image, choice, &work.chosen, &work.n_chosen, err);
    if (ret == 0)
        ret = report_choose_span(image, choice->walk.span, work.chosen, work.n_chosen, err);
    if (ret == 0)
        ret = report_host_open(image, choice, &report->host, &work.host, err);
    if (ret == 0 && backing != NULL && backing->chain.n_files > 1)
        ret = report_host_open_chain(&backing->chain, choice, &work.host, err);
    if (ret == 0) {
        work.profile = report_profile(choice->device, &report->host);
        format_findings_merge(&report->findings, &image->findings);
        ret = measure_tables(&work);
    }
    if (ret == 0 && backing != NULL)
        ret = chain_tables(&work);
    report_host_close(&work.host);
    if (ret == 0 && choice->space)
        ret = report_space_measure(image, work.chosen, work.n_chosen, report, err);
    if (ret == 0 && io_beside_find(report->path, &report->beside) < 0)
        ret = err_no_memory(err);
    report->complete = ret == 0 && !format_findings_have_error(&report->findings);
    if (ret == 0)
        ret = judge(&work);
    free(work.chosen);
    return ret;
}

/* ---- an image that changes while it is read ---- */

/* Back to a report that only names its image. */
static void forget(struct report_image *report)
{
    const char *path = report->path;
    int64_t measured_at = report->measured_at;

    report_image_free(report);
    report->path = path;
    report->measured_at = measured_at;
}

/* An image that failed half way keeps no half of its figures. */
static void fail(struct report_image *report, const struct err *err)
{
    forget(report);
    report_image_set_error(report, err->text);
}

static void begin_report(const char *path, struct report_image *report)
{
    memset(report, 0, sizeof(*report));
    report->path = path;
    report->measured_at = time(NULL);
}

/* An image that is being measured, for the watch. */
struct watched {
    const struct report_choice *choice;
    struct report_image *report;
};

static void forget_attempt(void *context)
{
    forget(((struct watched *)context)->report);
}

static int attempt(void *context, struct format_image *image, struct report_backing *backing,
                   struct err *err)
{
    const struct watched *watched = context;

    return measure_opened(image, watched->choice, backing, watched->report, err);
}

void report_measure_io(struct io *io, const char *path, const struct report_choice *choice,
                       struct report_image *report)
{
    struct watched watched = {choice, report};
    struct report_watch watch = {.io = io,
                                 .path = path,
                                 .chain = choice->chain,
                                 .forget = forget_attempt,
                                 .attempt = attempt,
                                 .context = &watched,
                                 .findings = &report->findings};
    struct err err = {0};
    int ret;

    begin_report(path, report);
    ret = report_watch(&watch, &err);
    if (ret < 0) {
        fail(report, &err);
        watch.changed = false;
    }
    report_watch_tell(&watch,
                      "the image was changing while it was measured; the figures mix its states",
                      &report->findings);
    if (watch.changed) {
        report->complete = false;
        report->changing = true;
        ret = report_verdict(report, report->verdict.copy_bytes, (struct opt_u64){0});
    }
    if (ret == 0 && report->findings.lost)
        ret = -ENOMEM;
    if (ret < 0 && report->error == NULL) {
        err_no_memory(&err);
        fail(report, &err);
    }
    report->in_use = (struct opt_bool){watch.users.known, watch.users.held};
    report->being_written = watch.users.known && watch.users.written;
    io_close(io);
}

void report_not_opened(const char *path, const struct err *err, struct report_image *report)
{
    begin_report(path, report);
    fail(report, err);
}

void report_measure(const char *path, const struct report_choice *choice,
                    struct report_image *report)
{
    struct err err = {0};
    struct io *io;

    if (io_file_open(path, &io, &err) == 0) {
        report_measure_io(io, path, choice, report);
        return;
    }
    report_not_opened(path, &err, report);
}

// SPDX-License-Identifier: MIT
/* Owns what a list of runs shows, and keeping it until it can be shown. What is a run: walk/runs.c.
 */
#include "list.h"

#include "backing.h"
#include "checked.h"
#include "choose.h"
#include "cleanup.h"
#include "compose.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "map.h"
#include "measure.h"
#include "named.h"
#include "runs.h"
#include "scan.h"
#include "spool.h"
#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A hostile image can name one L2 table four million times: its list would never end. */
#define REPEATS_MAX 64

struct list {
    const struct report_list_choice *choice;
    const char *path;
    struct report_spool spool;
    struct report_watch watch;
    struct report_listed *listed;
    struct report_backing *backing; /* NULL: the image alone is listed */
    char **names; /* of the files, by their numbers, for as long as runs are kept */
    size_t n_names;
    struct list_map *maps; /* by file number; NULL: no places are known */
    size_t n_maps;
    struct walk_runs runs;
    struct tables_span span; /* what of the guest disk is listed, */
    uint64_t most_runs;      /* and has room there, about; for the progress alone */
    uint64_t n_runs;
};

/* Where a file lies. */
struct list_map {
    const struct host_map *map; /* NULL: not known */
    struct host_map *owned;
    size_t segment; /* that was met last */
};

const char *report_kind_name(enum piece_kind kind)
{
    return kind == PIECE_DATA ? "data" : kind == PIECE_COMPRESSED ? "compressed" : "zero";
}

static int take_run(void *context, const struct walk_run *whole)
{
    struct list *list = context;
    const struct piece *piece = &whole->piece;
    const struct format_file *file =
        list->backing != NULL ? &list->backing->chain.files[piece->file] : NULL;
    bool has_host = piece->kind != PIECE_ZERO;
    const struct report_run run = {
        .guest_off = piece->guest_off,
        .guest_bytes = piece->guest_bytes,
        .kind = piece->kind,
        .depth = file != NULL ? file->layer : 0,
        .file = list->names[piece->file],
        .host_off = {has_host, piece->begin},
        .host_bytes = {has_host, piece->end - piece->begin},
        .physical_off = whole->physical,
    };
    int ret = report_spool_add(&list->spool, &run);

    list->n_runs++;
    list->watch.no_more = list->spool.released;
    return ret;
}

static struct walk_place place_of(void *context, unsigned file, uint64_t off, uint64_t end)
{
    struct list *list = context;
    struct list_map *known = list->maps != NULL ? &list->maps[file] : NULL;
    const struct host_map *map = known != NULL ? known->map : NULL;
    const struct host_segment *segment;

    if (map == NULL)
        return (struct walk_place){.bytes = end - off};
    if (map->segments[known->segment].file_off > off || host_map_end(map, known->segment) <= off)
        known->segment = host_map_find(map, off);
    segment = &map->segments[known->segment];
    if (end > host_map_end(map, known->segment))
        end = host_map_end(map, known->segment);
    return (struct walk_place){
        .physical = {host_kind_is_placed(segment->kind),
                     segment->kind == HOST_ENCODED ? segment->physical
                                                   : host_map_place(map, known->segment, off)},
        .encoded = segment->kind == HOST_ENCODED,
        .bytes = end - off,
    };
}

/* ---- how far it is ---- */

/*
 * The disk has room for as many runs as it has clusters, or parts of them, and a run is cut where
 * its file is on the device.
 */
static void set_span(struct list *list, struct tables_span span, uint64_t unit_bytes)
{
    list->span = span;
    list->most_runs = span.end > span.begin ? div_round_up(span.end - span.begin, unit_bytes) : 0;
    for (size_t i = 0; i < list->n_maps; i++)
        if (list->maps[i].map != NULL)
            list->most_runs += list->maps[i].map->n_segments;
}

/* A hostile image may begin with a table that is named again and again: what little of the disk
 * that is tells nothing of the rest. */
#define TELLING_PART 0.01

static void tell_progress(const struct list *list, uint64_t guest_off)
{
    const struct tables_span *span = &list->span;
    struct report_list_progress progress = {.n_runs = list->n_runs, .whole = list->most_runs};
    double whole;

    if (list->choice->progress == NULL || span->end <= span->begin)
        return;
    if (guest_off > span->begin)
        progress.done = (double)(guest_off - span->begin) / (double)(span->end - span->begin);
    if (progress.done > 1)
        progress.done = 1;
    progress.at_most = progress.done < TELLING_PART;
    whole = progress.at_most ? 0 : (double)list->n_runs / progress.done;
    if (!progress.at_most && whole < (double)list->most_runs)
        progress.whole = (uint64_t)whole;
    list->choice->progress(list->choice->context, &progress);
}

static void looking_progress(void *context, double done)
{
    const struct list *list = context;
    const struct report_list_progress progress = {.looking = true, .done = done};

    list->choice->progress(list->choice->context, &progress);
}

/* ---- the walk ---- */

static int take(void *context, const struct piece_batch *batch)
{
    struct list *list = context;
    int ret = 0;

    for (uint32_t i = 0; i < batch->n && ret == 0; i++)
        ret = walk_runs_add(&list->runs, piece_batch_piece(batch, i));
    if (batch->n > 0)
        tell_progress(list, piece_batch_piece(batch, batch->n - 1).guest_off);
    return ret;
}

static struct piece_sink begin(void *context, struct tables_members members, size_t keep)
{
    (void)members;
    (void)keep;
    return (struct piece_sink){take, context};
}

static int list_alone(struct format_image *image, struct tables_table *table, struct list *list,
                      struct err *err)
{
    const struct tables_visitor visitor = {
        .context = list, .begin = begin, .pieces = TABLES_PIECES_DETAIL, .most_repeats = REPEATS_MAX};
    struct tables_span span = list->choice->span != NULL ? *list->choice->span : TABLES_SPAN_ALL;
    const struct format_header *header = &image->header;
    struct tables_plan *plan;
    struct tables_scan *scan;
    int ret = tables_plan_new(image, table, 1, span, TABLES_PIECES_DETAIL, &plan, err);

    if (ret < 0)
        return ret;
    span.end = span.end < table->virtual_bytes ? span.end : table->virtual_bytes;
    set_span(list, span, format_unit_bytes(header));
    scan = tables_scan_new(plan);
    ret = scan == NULL ? err_no_memory(err)
                       : tables_scan_part(scan, tables_plan_first(plan), tables_plan_end(plan),
                                          table, &visitor, err);
    tables_scan_free(scan);
    tables_plan_free(plan);
    return ret;
}

/* The part of a chain to list: of the top image's clusters, whole ones. */
static struct tables_span span_of_chain(const struct list *list, const struct format_image *image)
{
    const struct tables_span *span = list->choice->span;
    uint64_t mask = image->header.cluster_bytes - 1, end = list->backing->layers.end;

    if (span == NULL)
        return (struct tables_span){0, end};
    if (span->end < end)
        end = (span->end + mask) & ~mask;
    return (struct tables_span){span->begin < end ? span->begin & ~mask : end, end};
}

/* Each image has been walked alone before, so that its damage is known. */
static int list_chain(struct format_image *image, struct tables_table *table, struct list *list,
                      struct format_findings *findings, struct err *err)
{
    const struct walk_options options = {
        .span = list->choice->span,
        .progress = list->choice->progress != NULL ? looking_progress : NULL,
        .context = list,
    };
    const struct chain_layers *layers = &list->backing->layers;
    struct chain_compose *compose;
    struct piece_counts counts = {0};
    struct meter_set meters;
    struct tables_span span;
    int ret = walk_tables(image, table, 1, &meters, &options, err);

    meter_set_free(&meters);
    format_findings_merge(findings, &table->findings);
    if (ret == 0)
        ret = report_backing_look(list->backing, image, &options, findings, err);
    if (ret == 0)
        ret = report_backing_set_top(list->backing, image, table, err);
    if (ret < 0)
        return ret;
    span = span_of_chain(list, image);
    set_span(list, span, layers->unit_bytes);
    compose = chain_compose_new(layers, true);
    ret = compose == NULL ? err_no_memory(err)
                          : chain_compose_part(compose, span.begin, span.end,
                                               (struct piece_sink){take, list}, &counts, err);
    chain_compose_free(compose);
    return ret;
}

static int list_table(struct format_image *image, size_t chosen, struct list *list,
                      struct format_findings *findings, struct err *err)
{
    const struct format_snapshot *snapshot =
        chosen == TABLES_TABLE_ACTIVE ? NULL : &image->snapshots.list[chosen];
    struct tables_table table;
    int ret;

    if (snapshot != NULL && !snapshot->readable)
        return err_set(err, EINVAL, "the L1 table of snapshot[%zu] cannot be read", chosen);
    table = table_of_disk(tables_table_of_snapshot(image, chosen));
    ret = list->backing != NULL ? list_chain(image, &table, list, findings, err)
                                : list_alone(image, &table, list, err);
    if (ret == 0)
        ret = walk_runs_end(&list->runs);
    format_findings_merge(findings, &table.findings);
    return ret;
}

/* Without a map the list has no physical offsets; only running out of memory stops it. */
static int find_map(struct list_map *list, struct io *io, size_t *left, struct err *err)
{
    struct err reason = {0};

    if (host_map_open(io, *left, &list->owned, &reason) == -ENOMEM)
        return err_no_memory(err);
    list->map = list->owned;
    *left -= list->map != NULL ? list->map->n_segments : 0;
    return 0;
}

/* An external data file has no map unless a chain is followed: then it is opened. */
static int find_maps(struct list *list, struct format_image *image, struct err *err)
{
    const struct format_chain *chain = list->backing != NULL ? &list->backing->chain : NULL;
    size_t n = chain != NULL ? chain->n_files : PIECE_N_FILES, left = HOST_SEGMENTS_MAX;
    int ret = 0;

    if (list->choice->no_host)
        return 0;
    list->maps = calloc(n, sizeof(*list->maps));
    if (list->maps == NULL)
        return err_no_memory(err);
    list->n_maps = n;
    if (chain == NULL && list->choice->host_map != NULL)
        list->maps[0].map = list->choice->host_map;
    else if (chain == NULL)
        return find_map(&list->maps[0], image->io, &left, err);
    for (size_t i = 0; chain != NULL && i < n && ret == 0; i++)
        ret = find_map(&list->maps[i], chain->files[i].io, &left, err);
    return ret;
}

/* Names are copied: runs may be kept longer than the chain is open. */
static int find_names(struct list *list, const struct format_image *image, struct err *err)
{
    const struct format_chain *chain = list->backing != NULL ? &list->backing->chain : NULL;
    const char *data = image->header.data_file.bytes;
    size_t n = chain != NULL ? chain->n_files : PIECE_N_FILES;

    list->names = calloc(n, sizeof(*list->names));
    if (list->names == NULL)
        return err_no_memory(err);
    list->n_names = n;
    for (size_t i = 0; i < n; i++) {
        list->names[i] = strdup(chain != NULL           ? chain->files[i].path
                                : i > 0 && data != NULL ? data
                                                        : list->path);
        if (list->names[i] == NULL)
            return err_no_memory(err);
    }
    return 0;
}

static void free_names(struct list *list)
{
    for (size_t i = 0; i < list->n_names; i++)
        free(list->names[i]);
    free(list->names);
    list->names = NULL;
    list->n_names = 0;
}

static void free_maps(struct list *list)
{
    for (size_t i = 0; i < list->n_maps; i++)
        host_map_free(list->maps[i].owned);
    free(list->maps);
    list->maps = NULL;
    list->n_maps = 0;
}

static void forget(void *context)
{
    struct list *list = context;

    report_spool_forget(&list->spool);
    format_findings_free(&list->listed->findings);
    free_names(list);
    list->runs.open = (struct walk_run){.encoded = false};
    list->n_runs = 0;
}

static int list_image(struct list *list, struct format_image *image, struct err *err)
{
    const struct report_choice which = {.snapshots = &list->choice->snapshot,
                                        .n_snapshots = list->choice->snapshot != NULL};
    CLEANUP_FREE size_t *chosen = NULL;
    size_t n_chosen;
    int ret = report_choose(image, &which, &chosen, &n_chosen, err);

    if (ret < 0)
        return ret;
    ret = report_choose_span(image, list->choice->span, chosen, n_chosen, err);
    if (ret < 0)
        return ret;
    ret = find_names(list, image, err);
    if (ret < 0)
        return ret;
    ret = find_maps(list, image, err);
    return ret < 0 ? ret : list_table(image, chosen[0], list, &list->listed->findings, err);
}

static int attempt(void *context, struct format_image *image, struct report_backing *backing,
                   struct err *err)
{
    struct list *list = context;
    int ret;

    list->backing = backing;
    format_findings_merge(&list->listed->findings, &image->findings);
    ret = list_image(list, image, err);
    free_maps(list);
    return ret;
}

int report_list_io(struct io *io, const char *path, const struct report_list_choice *choice,
                   struct report_listed *listed, struct err *err)
{
    struct list list = {.choice = choice, .path = path, .listed = listed};
    int ret;

    *listed = (struct report_listed){.changing = false};
    list.watch = (struct report_watch){.io = io,
                                       .path = path,
                                       .chain = choice->chain,
                                       .forget = forget,
                                       .attempt = attempt,
                                       .context = &list,
                                       .findings = &listed->findings};
    list.runs = (struct walk_runs){.place_of = place_of, .take = take_run, .context = &list};
    report_spool_init(&list.spool, choice);
    ret = report_watch(&list.watch, err);
    if (ret == 0) {
        report_watch_tell(&list.watch,
                          "the image was changing while it was listed; the list mixes its states",
                          &listed->findings);
        listed->changing = list.watch.changed;
        ret = listed->findings.lost ? -ENOMEM : report_spool_release(&list.spool);
    }
    if (ret == -ENOMEM && err->code == 0)
        err_no_memory(err); /* for runs that were to be kept */
    listed->being_written = list.watch.users.known && list.watch.users.written;
    report_spool_free(&list.spool);
    free_names(&list);
    io_close(io);
    return ret;
}

int report_list(const char *path, const struct report_list_choice *choice,
                struct report_listed *listed, struct err *err)
{
    struct io *io;
    int ret = io_named_open(path, &io, err);

    *listed = (struct report_listed){.changing = false};
    return ret < 0 ? ret : report_list_io(io, path, choice, listed, err);
}

// SPDX-License-Identifier: MIT
/* Owns the joining of pieces into runs for a list. Keeps one run in memory. */
#include "list.h"

#include "choose.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "map.h"
#include "measure.h"
#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A hostile image can name one L2 table four million times: its list would never end. */
#define REPEATS_MAX 64

struct list {
    const struct report_list_choice *choice;
    const char *file;
    const struct host_map *map; /* NULL: there is none */
    size_t segment;             /* that was met last */
    struct run_piece open;      /* the run that may still grow; guest_bytes 0: none */
    struct opt_u64 open_place;  /* of its first byte, on the device */
    bool open_encoded;          /* it lies in one stored extent, which has only one place */
};

/* Where a stretch of the file begins on the device, and how much of it goes on there. */
struct place {
    struct opt_u64 physical;
    bool encoded;
    uint64_t bytes;
};

const char *report_kind_name(enum run_kind kind)
{
    return kind == RUN_DATA ? "data" : kind == RUN_COMPRESSED ? "compressed" : "zero";
}

static int hand_over(struct list *list)
{
    const struct run_piece *open = &list->open;
    bool has_host = open->kind != RUN_ZERO;
    struct report_run run = {
        .guest_off = open->guest_off,
        .guest_bytes = open->guest_bytes,
        .kind = open->kind,
        .file = list->file,
        .host_off = {has_host, open->begin},
        .host_bytes = {has_host, open->end - open->begin},
        .physical_off = list->open_place,
    };

    return open->guest_bytes == 0 ? 0 : list->choice->take(list->choice->context, &run);
}

static struct place place_of(struct list *list, uint64_t off, uint64_t end)
{
    const struct host_map *map = list->map;
    const struct host_segment *segment;

    if (map == NULL)
        return (struct place){.bytes = end - off};
    if (map->segments[list->segment].file_off > off || host_map_end(map, list->segment) <= off)
        list->segment = host_map_find(map, off);
    segment = &map->segments[list->segment];
    if (end > host_map_end(map, list->segment))
        end = host_map_end(map, list->segment);
    return (struct place){
        .physical = {host_kind_is_placed(segment->kind),
                     segment->kind == HOST_ENCODED ? segment->physical
                                                   : host_map_place(map, list->segment, off)},
        .encoded = segment->kind == HOST_ENCODED,
        .bytes = end - off,
    };
}

static bool goes_on(const struct list *list, const struct place *place)
{
    uint64_t bytes = list->open_encoded ? 0 : list->open.end - list->open.begin;

    return place->physical.known == list->open_place.known &&
           place->encoded == list->open_encoded &&
           (!place->physical.known || place->physical.value == list->open_place.value + bytes);
}

static bool joins(const struct list *list, const struct run_piece *piece, const struct place *place)
{
    const struct run_piece *open = &list->open;

    return open->guest_bytes != 0 && piece->kind == open->kind && piece->kind != RUN_COMPRESSED &&
           piece->guest_off == open->guest_off + open->guest_bytes &&
           (piece->kind == RUN_ZERO || (piece->begin == open->end && goes_on(list, place)));
}

static int add(struct list *list, const struct run_piece *piece, const struct place *place)
{
    int ret = 0;

    if (joins(list, piece, place)) {
        list->open.guest_bytes += piece->guest_bytes;
        list->open.end = piece->end;
        return 0;
    }
    ret = hand_over(list);
    list->open = *piece;
    list->open_place = place->physical;
    list->open_encoded = place->encoded;
    return ret;
}

/* A piece is split where it lies in several places; not so a blob, of which no part can be told. */
static int add_piece(struct list *list, struct run_piece piece)
{
    struct place place = {.bytes = 0};
    int ret = 0;

    if (piece.kind == RUN_ZERO)
        return add(list, &piece, &place);
    place = place_of(list, piece.begin, piece.end);
    while (piece.kind != RUN_COMPRESSED && place.bytes < piece.end - piece.begin && ret == 0) {
        struct run_piece part = piece;

        part.guest_bytes = place.bytes;
        part.end = piece.begin + place.bytes;
        ret = add(list, &part, &place);
        piece.guest_off += place.bytes;
        piece.guest_bytes -= place.bytes;
        piece.begin = part.end;
        place = place_of(list, piece.begin, piece.end);
    }
    return ret < 0 ? ret : add(list, &piece, &place);
}

static int take(void *context, const struct run_batch *batch)
{
    int ret = 0;

    for (uint32_t i = 0; i < batch->n && ret == 0; i++)
        ret = add_piece(context, run_batch_piece(batch, i));
    return ret;
}

static struct run_sink begin(void *context, struct run_members members, size_t keep)
{
    (void)members;
    (void)keep;
    return (struct run_sink){take, context};
}

static int list_table(struct format_image *image, size_t chosen, struct list *list,
                      struct format_findings *findings, struct err *err)
{
    const struct format_snapshot *snapshot =
        chosen == CHOOSE_ACTIVE ? NULL : &image->snapshots.list[chosen];
    struct run_table table = {
        .l1_off = snapshot != NULL ? snapshot->l1_off : image->header.l1_off,
        .l1_entries = snapshot != NULL ? snapshot->l1_entries : image->header.l1_entries,
        .virtual_bytes = snapshot != NULL ? snapshot->virtual_bytes : image->header.virtual_bytes,
    };
    const struct run_visitor visitor = {
        .context = list, .begin = begin, .detail = true, .most_repeats = REPEATS_MAX};
    int ret;

    if (snapshot != NULL && !snapshot->readable)
        return err_set(err, EINVAL, "the L1 table of snapshot[%zu] cannot be read", chosen);
    ret = run_scan(image, &table, 1, &visitor, err);
    if (ret == 0)
        ret = hand_over(list);
    format_findings_merge(findings, &table.findings);
    return ret;
}

/* Without a map the list has no physical offsets; only running out of memory stops it. */
static int find_map(struct list *list, struct io *io, bool other_file, struct host_map **owned,
                    struct err *err)
{
    struct err reason = {0};

    *owned = NULL;
    if (list->choice->no_host || other_file)
        return 0;
    list->map = list->choice->host_map;
    if (list->map != NULL)
        return 0;
    if (host_map_open(io, owned, &reason) == -ENOMEM)
        return err_no_memory(err);
    list->map = *owned;
    return 0;
}

int report_list_io(struct io *io, const char *path, const struct report_list_choice *choice,
                   struct format_findings *findings, struct err *err)
{
    const struct report_choice which = {.snapshots = &choice->snapshot,
                                        .n_snapshots = choice->snapshot != NULL};
    struct list list = {.choice = choice, .file = path};
    struct format_image image;
    struct host_map *map = NULL;
    size_t *chosen = NULL, n_chosen;
    int ret = format_image_open(io, &image, err);

    memset(findings, 0, sizeof(*findings));
    if (ret < 0) {
        io_close(io);
        return ret;
    }
    if (image.header.external_data && image.header.data_file.bytes != NULL)
        list.file = image.header.data_file.bytes;
    format_findings_merge(findings, &image.findings);
    ret = report_choose(&image, &which, &chosen, &n_chosen, err);
    if (ret == 0)
        ret = find_map(&list, io, image.header.external_data, &map, err);
    if (ret == 0)
        ret = list_table(&image, chosen[0], &list, findings, err);
    host_map_free(map);
    free(chosen);
    format_image_close(&image);
    io_close(io);
    return ret;
}

int report_list(const char *path, const struct report_list_choice *choice,
                struct format_findings *findings, struct err *err)
{
    struct io *io;
    int ret = io_file_open(path, &io, err);

    memset(findings, 0, sizeof(*findings));
    return ret < 0 ? ret : report_list_io(io, path, choice, findings, err);
}

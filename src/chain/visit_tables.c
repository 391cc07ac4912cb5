// SPDX-License-Identifier: MIT
/* Owns the way through the tables of a layer, and around what lies in holes of its file. */
#include "visit.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "holes.h"
#include "io.h"

#include <errno.h>
#include <stdio.h>

/*
 * Slices in holes take nothing of a file, and a hostile one names them by the hundred million. From
 * so many in a part of the walk on, a stretch of them is told as one: then layers do not take turns
 * at each slice, as their reads do in truth.
 */
#define EMPTY_MAX 4096u

/* ---- the file ---- */

/* Asked once for each stretch of a table that is read. */
bool chain_visit_has_grown(struct chain_visit *visit)
{
    struct err ignored = {0};
    uint64_t file_bytes;

    if (visit->asked_size)
        return false;
    visit->asked_size = true;
    if (io_size(visit->layer->io, &file_bytes, &ignored) < 0 ||
        file_bytes <= visit->rules.file_bytes)
        return false;
    visit->rules.file_bytes = visit->memory->file_bytes = file_bytes;
    return true;
}

int chain_visit_read(struct chain_visit *visit, const char *what, uint64_t off, void *buf,
                     size_t len)
{
    struct chain_window *window = visit->window;
    uint64_t file_bytes = visit->rules.file_bytes;
    uint64_t there = off < file_bytes ? file_bytes - off : 0;
    struct io_request request = {.off = off, .len = len, .buf = buf};
    int ret = io_read_batch(visit->layer->io, &request, 1, window->err);

    if (ret == 0 && request.got < len && request.got < there) {
        char layer[32];

        snprintf(layer, sizeof(layer), "backing[%u]", visit->number);
        ret = io_became_shorter(layer, what, off, window->err);
    }
    return ret;
}

/* ---- L2 tables ---- */

/* The slice of an L2 table that comes next. */
struct place {
    uint64_t l2_off, guest_off; /* of the table */
    uint64_t slice;             /* number of one in it */
    struct chain_gap open;      /* what of the table's part of the disk is open */
};

static uint64_t slice_off(const struct chain_visit *visit, const struct place *place)
{
    return place->l2_off + place->slice * visit->layer->rules.slice_bytes;
}

/* Where @n slices from the place on end on the disk. */
static uint64_t slices_end(const struct chain_visit *visit, const struct place *place, uint64_t n)
{
    return place->guest_off + (place->slice + n) * visit->layer->slice_span;
}

/* @n slices from the place on are read, the first of them unless it was the last one read. */
static int read_slices(struct chain_visit *visit, const struct place *place, uint64_t n)
{
    uint64_t slice_bytes = visit->layer->rules.slice_bytes, off = slice_off(visit, place);
    uint64_t end = off + n * slice_bytes;
    uint64_t begin = visit->memory->slice == off ? off + slice_bytes : off;
    uint64_t guest_off = place->open.begin;
    int ret = 0;

    /* A lookup goes on only in the same slice, and where it has come to. */
    if (visit->memory->tail != guest_off || guest_off % visit->layer->slice_span == 0)
        ret = chain_visit_end_tail(visit);
    visit->memory->slice = end - slice_bytes;
    if (ret != 0 || begin == end)
        return ret;
    return chain_visit_add(
        visit, (struct chain_range){
                   .kind = CHAIN_RANGE_L2, .guest_off = guest_off, .begin = begin, .end = end});
}

/* Slices from the place on that lie in a hole of the file, with nothing but open bytes between
 * them: how many are passed over at once. */
static uint64_t count_empty(struct chain_visit *visit, const struct place *place)
{
    struct chain_window *window = visit->window;
    struct io_holes *holes = &window->holes[visit->number];
    uint64_t slice_bytes = visit->layer->rules.slice_bytes, off = slice_off(visit, place);
    uint64_t n_in_hole, n_open;
    struct chain_gap first;

    holes->file_bytes = visit->rules.file_bytes;
    if (!io_holes_have(holes, off, slice_bytes) ||
        !chain_gaps_first(&window->gaps, place->open.begin, place->open.end, &first))
        return 0;
    if (window->n_empty < EMPTY_MAX) {
        window->n_empty++;
        return 1;
    }
    n_in_hole = (io_holes_end(holes, off) - off) / slice_bytes;
    n_open = div_round_up(first.end - place->guest_off, visit->layer->slice_span) - place->slice;
    return n_in_hole < n_open ? n_in_hole : n_open;
}

/* What of the slice lies under a gap. */
static int take_slice(struct chain_visit *visit, const struct place *place, uint64_t end)
{
    uint64_t cluster_bytes = visit->rules.cluster_bytes;
    bool any = false;
    struct chain_gap open;
    int ret;

    if (!chain_gaps_look(&visit->window->gaps, place->open.begin, end, &open))
        return 0;
    ret = chain_visit_entries(visit, place->l2_off, place->guest_off,
                              (uint32_t)((open.begin - place->guest_off) / cluster_bytes),
                              (uint32_t)div_round_up(open.end - place->guest_off, cluster_bytes),
                              &any);
    if (ret == 0 && !any)
        io_holes_look(&visit->window->holes[visit->number], slice_off(visit, place),
                      visit->layer->rules.slice_bytes);
    return ret;
}

/*
 * The slices of the L2 table at @l2_off that have something under a gap of [begin, end): each is
 * read, and its entries taken. Those in a hole have none, and may go many at once.
 */
static int take_slices(struct chain_visit *visit, uint64_t l2_off, uint64_t guest_off,
                       uint64_t begin, uint64_t end)
{
    struct place place = {.l2_off = l2_off, .guest_off = guest_off};
    int ret = 0;

    while (ret == 0 && chain_gaps_look(&visit->window->gaps, begin, end, &place.open)) {
        uint64_t n_empty, next;

        place.slice = (place.open.begin - guest_off) / visit->layer->slice_span;
        n_empty = count_empty(visit, &place);
        next = slices_end(visit, &place, n_empty > 0 ? n_empty : 1);
        begin = next < end ? next : end;
        ret = read_slices(visit, &place, n_empty > 0 ? n_empty : 1);
        if (ret == 0 && n_empty == 0)
            ret = take_slice(visit, &place, begin);
    }
    return ret;
}

/* ---- L1 tables ---- */

static struct format_l1_entry classify_l1(struct chain_visit *visit, uint64_t raw)
{
    struct format_l1_entry entry = format_l1_entry_of(&visit->rules, raw);

    if (format_may_be_growth(entry.damage) && chain_visit_has_grown(visit))
        entry = format_l1_entry_of(&visit->rules, raw);
    return entry;
}

/* A damaged entry is counted when it is first met, and hides all that it would map. */
static int take_l1_entry(struct chain_visit *visit, uint32_t index, uint64_t raw)
{
    const struct chain_layer *layer = visit->layer;
    struct chain_window *window = visit->window;
    uint64_t guest_off = index * layer->l1_span;
    uint64_t begin = guest_off > window->begin ? guest_off : window->begin;
    uint64_t end =
        guest_off + layer->l1_span < visit->end ? guest_off + layer->l1_span : visit->end;
    const struct chain_range all = {.guest_off = begin, .guest_bytes = end - begin};
    struct format_l1_entry entry;
    bool skipped, visible = false;
    struct chain_gap open;

    if (!chain_gaps_look(&window->gaps, begin, end, &open))
        return 0;
    entry = classify_l1(visit, raw);
    skipped = entry.l2_off != 0 && chain_layer_skips(layer, index);
    if ((entry.damage != FORMAT_SOUND || skipped) && visit->memory->damaged != index) {
        window->counts.corrupt_entries++;
        visit->memory->damaged = index;
    }
    if (skipped || entry.damage == FORMAT_FINDING_L1_UNALIGNED ||
        entry.damage == FORMAT_FINDING_L1_PAST_END)
        return chain_visit_fill(visit, &all, true, &visible);
    return entry.l2_off != 0 ? take_slices(visit, entry.l2_off, guest_off, begin, end) : 0;
}

/* Nothing but zeros was read at @off: an L1 table of 32 MiB takes nothing of a file in a hole. */
static void find_hole(struct chain_visit *visit, uint64_t off)
{
    struct chain_window_layer *memory = visit->memory;
    struct err ignored = {0};

    memory->hole_begin = off;
    memory->hole_end = io_next_data(visit->layer->io, off);
    /* Behind the last data the file may have become shorter meanwhile: there it is read. */
    if (memory->hole_end == UINT64_MAX &&
        io_size(visit->layer->io, &memory->hole_end, &ignored) < 0)
        memory->hole_end = off;
}

/* Entries from @off on that lie in the hole that is known. */
static uint64_t entries_in_hole(const struct chain_visit *visit, uint64_t off)
{
    const struct chain_window_layer *memory = visit->memory;

    return off >= memory->hole_begin && off < memory->hole_end ? (memory->hole_end - off) / 8 : 0;
}

static unsigned char *l1_bytes(const struct chain_visit *visit)
{
    return visit->window->l1_bytes + 8 * (size_t)visit->number * visit->window->l1_entries;
}

/* So that entry @at of the L1 table is there. */
static int read_l1(struct chain_visit *visit, uint64_t at)
{
    const struct chain_layer *layer = visit->layer;
    struct chain_window_l1 *l1 = &visit->window->l1[visit->number];
    uint64_t left = layer->l1_entries - at, off = layer->l1_off + 8 * at, any = 0;
    const unsigned char *bytes = l1_bytes(visit);
    int ret;

    if (at >= l1->first && at - l1->first < l1->n)
        return 0;
    l1->n = 0;
    left = left < visit->window->l1_entries ? left : visit->window->l1_entries;
    ret = chain_visit_read(visit, "an L1 table", off, l1_bytes(visit), 8 * (size_t)left);
    if (ret < 0)
        return ret;
    *l1 = (struct chain_window_l1){at, (uint32_t)left};
    for (size_t i = 0; i < left; i++)
        any |= be64_load(bytes + 8 * i);
    if (any == 0)
        find_hole(visit, off);
    return 0;
}

/* The entries from @at on that are there, as far as @end. Sets *@next behind them. */
static int take_l1_entries(struct chain_visit *visit, uint64_t at, uint64_t end, uint64_t *next)
{
    const struct chain_window_l1 *l1 = &visit->window->l1[visit->number];
    const unsigned char *bytes = l1_bytes(visit) + 8 * (at - l1->first);
    int ret = 0;

    *next = l1->first + l1->n < end ? l1->first + l1->n : end;
    for (uint64_t i = 0; i < *next - at && ret == 0; i++) {
        uint64_t raw = be64_load(bytes + 8 * i);

        if (raw != 0)
            ret = take_l1_entry(visit, (uint32_t)(at + i), raw);
    }
    return ret;
}

int chain_visit_qcow2(struct chain_visit *visit)
{
    const struct chain_layer *layer = visit->layer;
    uint64_t at = visit->window->begin / layer->l1_span;
    uint64_t last = div_round_up(visit->end, layer->l1_span);
    uint64_t end = last < layer->l1_entries ? last : layer->l1_entries;
    int ret = 0;

    while (at < end && ret == 0) {
        uint64_t n_empty = entries_in_hole(visit, layer->l1_off + 8 * at);

        if (n_empty > 0) {
            at += n_empty;
            continue;
        }
        ret = read_l1(visit, at);
        visit->asked_size = false;
        if (ret == 0)
            ret = take_l1_entries(visit, at, end, &at);
    }
    return ret;
}

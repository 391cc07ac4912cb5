// SPDX-License-Identifier: MIT
/*
 * Owns the composition of one window: layer after layer fills the gaps that those above it have
 * left. Reads of L2 tables only what lies under a gap.
 */
#include "window.h"

#include "be.h"
#include "checked.h"
#include "err.h"
#include "io.h"
#include "stretch.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of each layer's L1 table a part is kept, since the next window mostly needs it, too: of all
 * layers together 1 MiB. */
#define L1_ENTRIES_MAX 1024u
#define L1_ENTRIES_ALL 131072u
#define L2_BUFFER_BYTES 65536u
#define NOTHING UINT64_MAX

/*
 * Slices in holes take nothing of a file, and a hostile one names them by the hundred million. From
 * so many in a part of the walk on, a stretch of them is told as one: then layers do not take turns
 * at each slice, as their reads do in truth.
 */
#define EMPTY_MAX 4096u

/* What is remembered of a layer from window to window. */
struct chain_window_layer {
    uint64_t slice;      /* host offset of the slice read last, or NOTHING */
    uint64_t damaged;    /* L1 index of the damaged entry counted last, or NOTHING */
    uint64_t file_bytes; /* the file may grow under us */
    /* With subclusters, the last cluster that was looked at: its end on the guest disk, if the part
     * before that is not held, or NOTHING; and where its host cluster ends. */
    uint64_t tail, tail_host;
    uint64_t hole_begin, hole_end; /* of the file: where its L1 table was found empty */
};

/* The part of a layer's L1 table that was read last. */
struct chain_window_l1 {
    uint64_t first;
    uint32_t n;
};

/* The walk through one layer. */
struct walk {
    struct chain_window *window;
    const struct chain_layer *layer;
    struct chain_window_layer *memory;
    struct format_entry_rules rules;
    uint16_t number;
    uint64_t end; /* of the window, or of the layer */
    size_t most;
    bool asked_size;
};

#define FULL 1 /* too many ranges: neither 0 nor an error */

struct chain_window *chain_window_new(const struct chain_layers *layers, bool zeros)
{
    struct chain_window *window = calloc(1, sizeof(*window));
    size_t n = layers->n_list;

    if (window == NULL)
        return NULL;
    window->layers = layers;
    window->zeros = zeros;
    window->starts = calloc(n, sizeof(*window->starts));
    window->memory = calloc(n, sizeof(*window->memory));
    window->before = calloc(n, sizeof(*window->before));
    window->holes = calloc(n, sizeof(*window->holes));
    window->l1_entries =
        n > L1_ENTRIES_ALL / L1_ENTRIES_MAX ? (uint32_t)(L1_ENTRIES_ALL / n) : L1_ENTRIES_MAX;
    window->l1 = calloc(n, sizeof(*window->l1));
    window->l1_bytes = malloc(8 * n * window->l1_entries);
    window->l2 = malloc(L2_BUFFER_BYTES);
    if (window->starts == NULL || window->memory == NULL || window->before == NULL ||
        window->holes == NULL || window->l1 == NULL || window->l1_bytes == NULL ||
        window->l2 == NULL) {
        chain_window_free(window);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        window->memory[i].file_bytes = layers->list[i].file_bytes;
        window->holes[i] = (struct io_holes){.io = layers->list[i].io, .most = IO_HOLES_MAX / n};
    }
    chain_window_forget(window);
    return window;
}

void chain_window_free(struct chain_window *window)
{
    if (window == NULL)
        return;
    chain_gaps_free(&window->gaps);
    for (size_t i = 0; window->holes != NULL && i < window->layers->n_list; i++)
        io_holes_free(&window->holes[i]);
    free(window->holes);
    free(window->ranges);
    free(window->merged);
    free(window->starts);
    free(window->memory);
    free(window->before);
    free(window->l1);
    free(window->l1_bytes);
    free(window->l2);
    free(window);
}

void chain_window_forget(struct chain_window *window)
{
    for (size_t i = 0; i < window->layers->n_list; i++)
        window->memory[i].slice = window->memory[i].damaged = window->memory[i].tail = NOTHING;
    window->n_empty = 0;
}

/* ---- ranges ---- */

static int add_range(struct walk *walk, struct chain_range range)
{
    struct chain_window *window = walk->window;

    if (window->n_ranges == walk->most)
        return FULL;
    if (window->n_ranges == window->cap_ranges && vec_reserve(window, ranges) < 0)
        return err_no_memory(window->err);
    range.layer = walk->number;
    window->ranges[window->n_ranges++] = range;
    return 0;
}

/*
 * The layer has @range: what is open of it is the layer's from now on. @hides_only: there is
 * nothing in it. Sets *@visible if any of it was open.
 */
static int fill(struct walk *walk, const struct chain_range *range, bool hides_only, bool *visible)
{
    struct chain_window *window = walk->window;
    uint64_t end = range->guest_off + range->guest_bytes;
    bool zero = range->kind == PIECE_ZERO || range->kind == PIECE_ZERO_ALLOCATED;
    struct chain_gap taken = {0, 0};
    int ret = 0;

    if (end > walk->end)
        end = walk->end;
    while (ret == 0 && taken.end < end &&
           chain_gaps_take(&window->gaps, range->guest_off, end, &taken)) {
        struct chain_range part = *range;

        *visible = true;
        if (hides_only || (zero && !window->zeros && !walk->layer->raw)) {
            if (window->gaps.n_left > walk->most)
                ret = FULL;
            continue;
        }
        part.guest_off = taken.begin;
        part.guest_bytes = taken.end - taken.begin;
        if (range->kind == PIECE_DATA || range->kind == PIECE_ZERO_ALLOCATED) {
            part.begin += taken.begin - range->guest_off;
            part.end = part.begin + part.guest_bytes;
        }
        ret = add_range(walk, part);
    }
    return window->gaps.error != 0 ? err_no_memory(window->err) : ret;
}

/* ---- lookups ---- */

static bool has_layer_below(const struct walk *walk)
{
    return walk->number + 1u < walk->window->layers->n_list;
}

static int cut(struct walk *walk, uint64_t guest_off)
{
    if (guest_off < walk->window->begin || guest_off >= walk->end)
        return 0;
    return add_range(walk, (struct chain_range){.kind = CHAIN_RANGE_CUT, .guest_off = guest_off});
}

/* What follows the tail is no cluster of the file, or not looked at. */
static int end_tail(struct walk *walk)
{
    uint64_t tail = walk->memory->tail;

    walk->memory->tail = NOTHING;
    return tail == NOTHING ? 0 : cut(walk, tail);
}

/* A cluster follows: its first part is not held, and so perhaps the last one before it. */
static int follow_tail(struct walk *walk, const struct format_entry *entry, uint64_t guest_off,
                       bool open_first)
{
    struct chain_window_layer *memory = walk->memory;
    bool follows = memory->tail == guest_off;
    int ret;

    if (follows && open_first && memory->tail_host == entry->begin) {
        memory->tail = NOTHING;
        return 0;
    }
    ret = end_tail(walk);
    if (ret == 0 && open_first && !follows)
        ret = cut(walk, guest_off);
    return ret;
}

/*
 * An entry with a host cluster, held in part or not at all. What it does not hold is looked up
 * together with what its neighbours do not only if their host clusters follow on.
 */
static int look_along(struct walk *walk, const struct format_entry *entry, uint64_t guest_off)
{
    uint32_t held = entry->alloc | entry->zero;
    bool has_cluster = entry->kind == FORMAT_STANDARD || entry->kind == FORMAT_RESERVED ||
                       entry->kind == FORMAT_ZERO_ALLOCATED;
    int ret;

    if (!walk->rules.extended_l2 || !has_layer_below(walk))
        return 0;
    if (!has_cluster)
        return end_tail(walk);
    ret = follow_tail(walk, entry, guest_off, !(held & 1));
    if (!(held >> (FORMAT_SUBCLUSTERS - 1))) {
        walk->memory->tail = guest_off + walk->rules.cluster_bytes;
        walk->memory->tail_host = entry->end;
    }
    return ret;
}

/* ---- entries ---- */

/* Each stretch of subclusters that are alike. */
static int fill_subclusters(struct walk *walk, const struct format_entry *entry, uint64_t guest_off,
                            bool *visible)
{
    uint64_t sub_bytes = walk->rules.cluster_bytes / FORMAT_SUBCLUSTERS;
    bool has_cluster = entry->kind != FORMAT_ZERO_PLAIN;
    struct piece_stretch stretch = {0};
    int ret = 0;

    while (ret == 0 && piece_next_stretch(entry->alloc, entry->zero, &stretch)) {
        struct chain_range range = {.kind = stretch.alloc ? PIECE_DATA
                                            : has_cluster ? PIECE_ZERO_ALLOCATED
                                                          : PIECE_ZERO,
                                    .guest_off = guest_off + stretch.first * sub_bytes,
                                    .guest_bytes = (stretch.end - stretch.first) * sub_bytes,
                                    .begin =
                                        has_cluster ? entry->begin + stretch.first * sub_bytes : 0};

        if (stretch.alloc || stretch.zero)
            ret = fill(walk, &range, false, visible);
    }
    return ret;
}

static int fill_cluster(struct walk *walk, const struct format_entry *entry, uint64_t guest_off,
                        bool *visible)
{
    uint64_t cluster_bytes = walk->rules.cluster_bytes;
    struct chain_range range = {.guest_off = guest_off,
                                .guest_bytes = cluster_bytes,
                                .begin = entry->begin,
                                .end = entry->end};

    switch (entry->kind) {
    case FORMAT_STANDARD:
        range.kind = PIECE_DATA;
        break;
    case FORMAT_COMPRESSED:
        range.kind = PIECE_COMPRESSED;
        range.slack = (uint32_t)(-entry->end & (cluster_bytes - 1));
        break;
    case FORMAT_ZERO_ALLOCATED:
        range.kind = PIECE_ZERO_ALLOCATED;
        break;
    case FORMAT_ZERO_PLAIN:
        range.kind = PIECE_ZERO;
        range.begin = range.end = 0;
        break;
    default:
        return fill(walk, &range, true, visible);
    }
    return fill(walk, &range, false, visible);
}

/* Asked once for each stretch of a table that is read. */
static bool file_has_grown(struct walk *walk)
{
    struct err ignored = {0};
    uint64_t file_bytes;

    if (walk->asked_size)
        return false;
    walk->asked_size = true;
    if (io_size(walk->layer->io, &file_bytes, &ignored) < 0 || file_bytes <= walk->rules.file_bytes)
        return false;
    walk->rules.file_bytes = walk->memory->file_bytes = file_bytes;
    return true;
}

/* Damage that a longer file would heal is believed only after a look at the file. */
static struct format_entry classify(struct walk *walk, uint64_t word, uint64_t bitmap,
                                    uint64_t guest_off)
{
    struct format_entry entry = format_entry_of(&walk->rules, word, bitmap, guest_off);

    if ((entry.damage == FORMAT_FINDING_L2_PAST_END ||
         entry.damage == FORMAT_FINDING_L2_COMPRESSED_PAST_END) &&
        file_has_grown(walk))
        entry = format_entry_of(&walk->rules, word, bitmap, guest_off);
    return entry;
}

static int take_entry(struct walk *walk, uint64_t word, uint64_t bitmap, uint64_t guest_off)
{
    struct piece_counts *counts = &walk->window->counts;
    struct format_entry entry = classify(walk, word, bitmap, guest_off);
    bool stretches = walk->rules.extended_l2 &&
                     (entry.kind == FORMAT_STANDARD || entry.kind == FORMAT_ZERO_PLAIN ||
                      entry.kind == FORMAT_ZERO_ALLOCATED);
    uint64_t cluster_end = guest_off + walk->rules.cluster_bytes;
    bool visible = false, open;
    struct chain_gap ignored;
    int ret = look_along(walk, &entry, guest_off);

    /* Before any of it is taken: an entry is visible if a byte of its cluster is. */
    open = chain_gaps_look(&walk->window->gaps, guest_off,
                           cluster_end < walk->end ? cluster_end : walk->end, &ignored);
    counts->corrupt_entries += open && entry.damage != FORMAT_SOUND;
    if (ret == 0 && stretches)
        ret = fill_subclusters(walk, &entry, guest_off, &visible);
    else if (ret == 0 && entry.kind != FORMAT_UNALLOCATED && entry.kind != FORMAT_RESERVED)
        ret = fill_cluster(walk, &entry, guest_off, &visible);
    counts->compressed_clusters += visible && entry.kind == FORMAT_COMPRESSED;
    counts->zero_allocated_clusters += open && entry.kind == FORMAT_ZERO_ALLOCATED;
    counts->zero_clusters +=
        open && (entry.kind == FORMAT_ZERO_ALLOCATED || entry.kind == FORMAT_ZERO_PLAIN);
    return ret;
}

static int read_table(struct walk *walk, const char *what, uint64_t off, void *buf, size_t len)
{
    struct chain_window *window = walk->window;
    uint64_t file_bytes = walk->rules.file_bytes;
    uint64_t there = off < file_bytes ? file_bytes - off : 0;
    struct io_request request = {.off = off, .len = len, .buf = buf};
    int ret = io_read_batch(walk->layer->io, &request, 1, window->err);

    if (ret == 0 && request.got < len && request.got < there)
        ret = err_set(window->err, EIO,
                      "backing[%u] became shorter while it was read: an %s table at offset "
                      "0x%" PRIx64 " is gone; measure again when nobody changes it",
                      walk->number, what, off);
    return ret;
}

/* ---- tables ---- */

/* The entries [first, end) of a table. Sets *@any if there is one. */
static int take_entries(struct walk *walk, uint64_t l2_off, uint64_t guest_off, uint32_t first,
                        uint32_t end, bool *any)
{
    uint32_t entry_bytes = walk->layer->rules.entry_bytes;
    uint32_t at_once = L2_BUFFER_BYTES / entry_bytes;
    int ret = 0;

    for (uint32_t at = first, n; at < end && ret == 0; at += n) {
        n = end - at < at_once ? end - at : at_once;
        ret = read_table(walk, "L2", l2_off + (uint64_t)at * entry_bytes, walk->window->l2,
                         (size_t)n * entry_bytes);
        walk->asked_size = false;
        for (uint32_t i = 0; i < n && ret == 0; i++) {
            const unsigned char *raw = walk->window->l2 + (size_t)i * entry_bytes;
            uint64_t word = be64_load(raw), bitmap = entry_bytes > 8 ? be64_load(raw + 8) : 0;

            if (word == 0 && bitmap == 0)
                continue;
            *any = true;
            ret = take_entry(walk, word, bitmap, guest_off + (at + i) * walk->rules.cluster_bytes);
        }
    }
    return ret;
}

/* An L2 table, and where it is read next. */
struct place {
    uint64_t l2_off, guest_off; /* of the table */
    uint64_t slice;             /* number of one in it */
    struct chain_gap open;      /* what of the table's part of the disk is open */
};

static uint64_t slice_off(const struct walk *walk, const struct place *place)
{
    return place->l2_off + place->slice * walk->layer->rules.slice_bytes;
}

/* Where slice @number of the table ends on the disk. */
static uint64_t slice_end(const struct walk *walk, const struct place *place, uint64_t number)
{
    return place->guest_off + (number + 1) * walk->layer->slice_span;
}

/* @n slices from the place on are read, the first of them unless it was the last one read. */
static int read_slices(struct walk *walk, const struct place *place, uint64_t n)
{
    uint64_t slice_bytes = walk->layer->rules.slice_bytes, off = slice_off(walk, place);
    uint64_t end = off + n * slice_bytes;
    uint64_t begin = walk->memory->slice == off ? off + slice_bytes : off;

    walk->memory->slice = end - slice_bytes;
    if (begin == end)
        return 0;
    return add_range(walk, (struct chain_range){.kind = CHAIN_RANGE_TABLE,
                                                .guest_off = place->open.begin,
                                                .begin = begin,
                                                .end = end});
}

/* Slices from the place on that lie in a hole of the file, with nothing but open bytes between
 * them: how many are passed over at once. */
static uint64_t count_empty(struct walk *walk, const struct place *place)
{
    struct chain_window *window = walk->window;
    struct io_holes *holes = &window->holes[walk->number];
    uint64_t slice_bytes = walk->layer->rules.slice_bytes, off = slice_off(walk, place);
    uint64_t n_in_hole, n_open;
    struct chain_gap first;

    holes->file_bytes = walk->rules.file_bytes;
    if (!io_holes_have(holes, off, slice_bytes) ||
        !chain_gaps_first(&window->gaps, place->open.begin, place->open.end, &first))
        return 0;
    if (window->n_empty < EMPTY_MAX) {
        window->n_empty++;
        return 1;
    }
    n_in_hole = (io_holes_end(holes, off) - off) / slice_bytes;
    n_open = div_round_up(first.end - place->guest_off, walk->layer->slice_span) - place->slice;
    return n_in_hole < n_open ? n_in_hole : n_open;
}

/* What of the slice lies under a gap. */
static int take_slice(struct walk *walk, const struct place *place, uint64_t end)
{
    uint64_t cluster_bytes = walk->rules.cluster_bytes;
    bool any = false;
    struct chain_gap open;
    int ret;

    if (!chain_gaps_look(&walk->window->gaps, place->open.begin, end, &open))
        return 0;
    ret = take_entries(walk, place->l2_off, place->guest_off,
                       (uint32_t)((open.begin - place->guest_off) / cluster_bytes),
                       (uint32_t)div_round_up(open.end - place->guest_off, cluster_bytes), &any);
    if (ret == 0 && !any)
        io_holes_look(&walk->window->holes[walk->number], slice_off(walk, place),
                      walk->layer->rules.slice_bytes);
    return ret;
}

/* The slices of the L2 table at @l2_off that have something under a gap of [begin, end). */
static int take_table(struct walk *walk, uint64_t l2_off, uint64_t guest_off, uint64_t begin,
                      uint64_t end)
{
    uint64_t slice_span = walk->layer->slice_span;
    struct place place = {.l2_off = l2_off, .guest_off = guest_off};
    int ret = 0;

    while (ret == 0 && chain_gaps_look(&walk->window->gaps, begin, end, &place.open)) {
        uint64_t n_empty, next;

        place.slice = (place.open.begin - guest_off) / slice_span;
        n_empty = count_empty(walk, &place);
        next = slice_end(walk, &place, place.slice + (n_empty > 0 ? n_empty - 1 : 0));
        begin = next < end ? next : end;
        if (walk->memory->tail != place.open.begin || place.open.begin % slice_span == 0)
            ret = end_tail(walk);
        if (ret == 0)
            ret = read_slices(walk, &place, n_empty > 0 ? n_empty : 1);
        if (ret == 0 && n_empty == 0)
            ret = take_slice(walk, &place, begin);
    }
    return ret;
}

static struct format_l1_entry classify_l1(struct walk *walk, uint64_t raw)
{
    struct format_l1_entry entry = format_l1_entry_of(&walk->rules, raw);

    if (entry.damage == FORMAT_FINDING_L1_PAST_END && file_has_grown(walk))
        entry = format_l1_entry_of(&walk->rules, raw);
    return entry;
}

/* A damaged entry is counted when it is first met, and hides all that it would map. */
static int take_l1_entry(struct walk *walk, uint32_t index, uint64_t raw)
{
    const struct chain_layer *layer = walk->layer;
    struct chain_window *window = walk->window;
    uint64_t guest_off = index * layer->l1_span;
    uint64_t begin = guest_off > window->begin ? guest_off : window->begin;
    uint64_t end = guest_off + layer->l1_span < walk->end ? guest_off + layer->l1_span : walk->end;
    const struct chain_range all = {.guest_off = begin, .guest_bytes = end - begin};
    struct format_l1_entry entry;
    bool skipped, visible = false;
    struct chain_gap open;

    if (!chain_gaps_look(&window->gaps, begin, end, &open))
        return 0;
    entry = classify_l1(walk, raw);
    skipped = entry.l2_off != 0 && chain_layer_skips(layer, index);
    if ((entry.damage != FORMAT_SOUND || skipped) && walk->memory->damaged != index) {
        window->counts.corrupt_entries++;
        walk->memory->damaged = index;
    }
    if (skipped || entry.damage == FORMAT_FINDING_L1_UNALIGNED ||
        entry.damage == FORMAT_FINDING_L1_PAST_END)
        return fill(walk, &all, true, &visible);
    return entry.l2_off != 0 ? take_table(walk, entry.l2_off, guest_off, begin, end) : 0;
}

/* Nothing but zeros was read at @off: an L1 table of 32 MiB takes nothing of a file in a hole. */
static void find_hole(struct walk *walk, uint64_t off)
{
    struct chain_window_layer *memory = walk->memory;
    struct err ignored = {0};

    memory->hole_begin = off;
    memory->hole_end = io_next_data(walk->layer->io, off);
    /* Behind the last data the file may have become shorter meanwhile: there it is read. */
    if (memory->hole_end == UINT64_MAX && io_size(walk->layer->io, &memory->hole_end, &ignored) < 0)
        memory->hole_end = off;
}

/* Entries from @off on that lie in the hole that is known. */
static uint64_t entries_in_hole(const struct walk *walk, uint64_t off)
{
    const struct chain_window_layer *memory = walk->memory;

    return off >= memory->hole_begin && off < memory->hole_end ? (memory->hole_end - off) / 8 : 0;
}

static unsigned char *l1_bytes(const struct walk *walk)
{
    return walk->window->l1_bytes + 8 * (size_t)walk->number * walk->window->l1_entries;
}

/* So that entry @at of the L1 table is there. */
static int read_l1(struct walk *walk, uint64_t at)
{
    const struct chain_layer *layer = walk->layer;
    struct chain_window_l1 *l1 = &walk->window->l1[walk->number];
    uint64_t left = layer->l1_entries - at, off = layer->l1_off + 8 * at, any = 0;
    const unsigned char *bytes = l1_bytes(walk);
    int ret;

    if (at >= l1->first && at - l1->first < l1->n)
        return 0;
    l1->n = 0;
    left = left < walk->window->l1_entries ? left : walk->window->l1_entries;
    ret = read_table(walk, "L1", off, l1_bytes(walk), 8 * (size_t)left);
    if (ret < 0)
        return ret;
    *l1 = (struct chain_window_l1){at, (uint32_t)left};
    for (size_t i = 0; i < left; i++)
        any |= be64_load(bytes + 8 * i);
    if (any == 0)
        find_hole(walk, off);
    return 0;
}

/* The entries from @at on that are there, as far as @end. Sets *@next behind them. */
static int take_l1_entries(struct walk *walk, uint64_t at, uint64_t end, uint64_t *next)
{
    const struct chain_window_l1 *l1 = &walk->window->l1[walk->number];
    const unsigned char *bytes = l1_bytes(walk) + 8 * (at - l1->first);
    int ret = 0;

    *next = l1->first + l1->n < end ? l1->first + l1->n : end;
    for (uint64_t i = 0; i < *next - at && ret == 0; i++) {
        uint64_t raw = be64_load(bytes + 8 * i);

        if (raw != 0)
            ret = take_l1_entry(walk, (uint32_t)(at + i), raw);
    }
    return ret;
}

static int take_qcow2(struct walk *walk)
{
    const struct chain_layer *layer = walk->layer;
    uint64_t at = walk->window->begin / layer->l1_span;
    uint64_t last = div_round_up(walk->end, layer->l1_span);
    uint64_t end = last < layer->l1_entries ? last : layer->l1_entries;
    int ret = 0;

    while (at < end && ret == 0) {
        uint64_t n_empty = entries_in_hole(walk, layer->l1_off + 8 * at);

        if (n_empty > 0) {
            at += n_empty;
            continue;
        }
        ret = read_l1(walk, at);
        walk->asked_size = false;
        if (ret == 0)
            ret = take_l1_entries(walk, at, end, &at);
    }
    return ret;
}

static int take_raw(struct walk *walk)
{
    struct chain_window *window = walk->window;
    uint64_t off = window->begin;
    bool visible = false;
    struct chain_gap open;
    int ret = 0;

    while (ret == 0 && chain_gaps_look(&window->gaps, off, walk->end, &open)) {
        uint64_t end;
        bool data = chain_layer_raw_data(walk->layer, open.begin, walk->end, &end);
        const struct chain_range range = {.kind = data ? PIECE_DATA : PIECE_ZERO,
                                          .guest_off = open.begin,
                                          .guest_bytes = end - open.begin,
                                          .begin = data ? open.begin : 0};

        ret = fill(walk, &range, false, &visible);
        off = end;
    }
    return ret;
}

/* ---- the window ---- */

/* Layer after layer, until nothing is left open. */
static int take_layers(struct chain_window *window, size_t most)
{
    const struct chain_layers *layers = window->layers;
    int ret = 0;

    for (size_t i = 0; i < layers->n_list && ret == 0; i++) {
        const struct chain_layer *layer = &layers->list[i];
        struct walk walk = {.window = window,
                            .layer = layer,
                            .memory = &window->memory[i],
                            .rules = layer->rules.entry,
                            .number = (uint16_t)i,
                            .end = layer->limit < window->end ? layer->limit : window->end,
                            .most = most};
        size_t start = window->n_ranges;

        if (walk.end <= window->begin || window->gaps.n_list == 0)
            break;
        walk.rules.file_bytes = walk.memory->file_bytes;
        chain_gaps_begin(&window->gaps);
        ret = layer->raw ? take_raw(&walk) : take_qcow2(&walk);
        if (ret == 0 && walk.memory->tail < walk.end)
            ret = end_tail(&walk);
        chain_gaps_end(&window->gaps);
        if (ret == 0 && window->gaps.n_list > most)
            ret = FULL;
        if (window->n_ranges > start)
            window->starts[window->n_starts++] = start;
    }
    return ret < 0 || window->gaps.error == 0 ? ret : err_no_memory(window->err);
}

/* Merges two neighbouring sorted stretches; of equals the left, upper one comes first. */
static void merge_two(const struct chain_range *from, size_t begin, size_t middle, size_t end,
                      struct chain_range *to)
{
    size_t left = begin, right = middle;

    for (size_t i = begin; i < end; i++)
        to[i] = left < middle && (right == end || from[left].guest_off <= from[right].guest_off)
                    ? from[left++]
                    : from[right++];
}

/* Each layer's ranges are in guest order; so are those of all when this is done. */
static int sort(struct chain_window *window)
{
    if (vec_grow(&window->merged, &window->cap_merged, window->n_ranges, sizeof(*window->merged)) <
        0)
        return err_no_memory(window->err);
    while (window->n_starts > 1) {
        struct chain_range *ranges = window->ranges;
        size_t cap = window->cap_ranges, n = 0;

        for (size_t i = 0; i < window->n_starts; i += 2) {
            size_t begin = window->starts[i];
            size_t middle = i + 1 < window->n_starts ? window->starts[i + 1] : window->n_ranges;
            size_t end = i + 2 < window->n_starts ? window->starts[i + 2] : window->n_ranges;

            merge_two(ranges, begin, middle, end, window->merged);
            window->starts[n++] = begin;
        }
        window->n_starts = n;
        window->ranges = window->merged;
        window->cap_ranges = window->cap_merged;
        window->merged = ranges;
        window->cap_merged = cap;
    }
    return 0;
}

int chain_window_compose(struct chain_window *window, uint64_t begin, uint64_t end, size_t most,
                         struct err *err)
{
    size_t n = window->layers->n_list;
    int ret;

    window->err = err;
    window->begin = begin;
    window->end = end;
    window->n_ranges = window->n_starts = 0;
    window->counts = (struct piece_counts){0};
    memcpy(window->before, window->memory, n * sizeof(*window->memory));
    window->n_empty_before = window->n_empty;
    chain_gaps_reset(&window->gaps, begin, end);
    ret = window->gaps.error != 0 ? err_no_memory(err) : take_layers(window, most);
    if (ret == FULL) {
        memcpy(window->memory, window->before, n * sizeof(*window->memory));
        window->n_empty = window->n_empty_before;
    }
    if (ret == 0)
        ret = sort(window);
    return ret < 0 ? ret : ret == FULL ? 0 : 1;
}

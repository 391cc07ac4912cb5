// SPDX-License-Identifier: MIT
/*
 * Owns what a layer puts into a window: ranges where something is open, of its L2 entries or of its
 * bytes, and the counts of entries that are visible.
 */
#include "visit.h"

#include "be.h"
#include "err.h"
#include "stretch.h"
#include "vec.h"

/* ---- ranges ---- */

int chain_visit_add(struct chain_visit *visit, struct chain_range range)
{
    struct chain_window *window = visit->window;

    if (window->n_ranges == visit->most)
        return CHAIN_VISIT_FULL;
    if (window->n_ranges == window->cap_ranges && vec_reserve(window, ranges) < 0)
        return err_no_memory(window->err);
    range.layer = visit->number;
    window->ranges[window->n_ranges++] = range;
    return 0;
}

/*
 * The layer has @range: what is open of it is the layer's from now on. @hides_only: there is
 * nothing in it. Sets *@visible if any of it was open.
 */
int chain_visit_fill(struct chain_visit *visit, const struct chain_range *range, bool hides_only,
                     bool *visible)
{
    struct chain_window *window = visit->window;
    uint64_t end = range->guest_off + range->guest_bytes;
    bool zero = !piece_is_mapped(range->kind);
    struct chain_gap taken = {0, 0};
    int ret = 0;

    if (end > visit->end)
        end = visit->end;
    while (ret == 0 && taken.end < end &&
           chain_gaps_take(&window->gaps, range->guest_off, end, &taken)) {
        struct chain_range part = *range;

        *visible = true;
        if (hides_only || (zero && !window->zeros && !visit->layer->raw)) {
            if (window->gaps.n_left > visit->most)
                ret = CHAIN_VISIT_FULL;
            continue;
        }
        part.guest_off = taken.begin;
        part.guest_bytes = taken.end - taken.begin;
        if (range->kind == PIECE_DATA || range->kind == PIECE_ZERO_ALLOCATED) {
            part.begin += taken.begin - range->guest_off;
            part.end = part.begin + part.guest_bytes;
        }
        ret = chain_visit_add(visit, part);
    }
    return window->gaps.error != 0 ? err_no_memory(window->err) : ret;
}

/* ---- entries ---- */

/* Each stretch of subclusters that are alike. */
static int fill_subclusters(struct chain_visit *visit, const struct format_entry *entry,
                            uint64_t guest_off, bool *visible)
{
    uint64_t sub_bytes = visit->rules.cluster_bytes / FORMAT_SUBCLUSTERS;
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

        if ((entry->alloc | entry->zero) >> stretch.first & 1)
            ret = chain_visit_fill(visit, &range, false, visible);
    }
    return ret;
}

static int fill_cluster(struct chain_visit *visit, const struct format_entry *entry,
                        uint64_t guest_off, bool *visible)
{
    uint64_t cluster_bytes = visit->rules.cluster_bytes;
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
        return chain_visit_fill(visit, &range, true, visible);
    }
    return chain_visit_fill(visit, &range, false, visible);
}

static struct format_entry classify(struct chain_visit *visit, uint64_t word, uint64_t bitmap,
                                    uint64_t guest_off)
{
    struct format_entry entry = format_entry_of(&visit->rules, word, bitmap, guest_off);

    if (format_may_be_growth(entry.damage) && chain_visit_has_grown(visit))
        entry = format_entry_of(&visit->rules, word, bitmap, guest_off);
    return entry;
}

static int take_entry(struct chain_visit *visit, uint64_t word, uint64_t bitmap, uint64_t guest_off)
{
    struct piece_counts *counts = &visit->window->counts;
    struct format_entry entry = classify(visit, word, bitmap, guest_off);
    bool stretches = visit->rules.extended_l2 &&
                     (entry.kind == FORMAT_STANDARD || entry.kind == FORMAT_ZERO_PLAIN ||
                      entry.kind == FORMAT_ZERO_ALLOCATED);
    uint64_t cluster_end = guest_off + visit->rules.cluster_bytes;
    bool visible = false, open;
    struct chain_gap ignored;
    int ret = visit->rules.extended_l2 ? chain_visit_look_along(visit, &entry, guest_off) : 0;

    /* Before any of it is taken: an entry is visible if a byte of its cluster is. */
    open = chain_gaps_look(&visit->window->gaps, guest_off,
                           cluster_end < visit->end ? cluster_end : visit->end, &ignored);
    counts->corrupt_entries += open && entry.damage != FORMAT_SOUND;
    if (ret == 0 && stretches)
        ret = fill_subclusters(visit, &entry, guest_off, &visible);
    else if (ret == 0 && entry.kind != FORMAT_UNALLOCATED && entry.kind != FORMAT_RESERVED)
        ret = fill_cluster(visit, &entry, guest_off, &visible);
    counts->compressed_clusters += visible && entry.kind == FORMAT_COMPRESSED;
    counts->zero_allocated_clusters += open && entry.kind == FORMAT_ZERO_ALLOCATED;
    counts->zero_clusters +=
        open && (entry.kind == FORMAT_ZERO_ALLOCATED || entry.kind == FORMAT_ZERO_PLAIN);
    return ret;
}

/* The entries [first, end) of a table. Sets *@any if there is one. */
int chain_visit_entries(struct chain_visit *visit, uint64_t l2_off, uint64_t guest_off,
                        uint32_t first, uint32_t end, bool *any)
{
    uint32_t entry_bytes = visit->layer->rules.entry_bytes;
    uint32_t at_once = CHAIN_VISIT_L2_BYTES / entry_bytes;
    int ret = 0;

    for (uint32_t at = first, n; at < end && ret == 0; at += n) {
        n = end - at < at_once ? end - at : at_once;
        ret = chain_visit_read(visit, "an L2 table", l2_off + (uint64_t)at * entry_bytes,
                               visit->window->l2, (size_t)n * entry_bytes);
        visit->asked_size = false;
        for (uint32_t i = 0; i < n && ret == 0; i++) {
            const unsigned char *raw = visit->window->l2 + (size_t)i * entry_bytes;
            uint64_t word = be64_load(raw), bitmap = entry_bytes > 8 ? be64_load(raw + 8) : 0;

            if (word == 0 && bitmap == 0)
                continue;
            *any = true;
            ret =
                take_entry(visit, word, bitmap, guest_off + (at + i) * visit->rules.cluster_bytes);
        }
    }
    return ret;
}

/* ---- raw layers ---- */

int chain_visit_raw(struct chain_visit *visit)
{
    struct chain_window *window = visit->window;
    uint64_t off = window->begin;
    bool visible = false;
    struct chain_gap open;
    int ret = 0;

    while (ret == 0 && chain_gaps_look(&window->gaps, off, visit->end, &open)) {
        uint64_t end;
        bool data = chain_layer_raw_data(visit->layer, open.begin, visit->end, &end);
        const struct chain_range range = {.kind = data ? PIECE_DATA : PIECE_ZERO,
                                          .guest_off = open.begin,
                                          .guest_bytes = end - open.begin,
                                          .begin = data ? open.begin : 0};

        ret = chain_visit_fill(visit, &range, false, &visible);
        off = end;
    }
    return ret;
}

// SPDX-License-Identifier: MIT
/*
 * Owns where QEMU's lookups in an image with subclusters end: what is not held of neighbouring
 * clusters is looked up below together only if their host clusters follow on.
 */
#include "visit.h"

static bool has_layer_below(const struct chain_visit *visit)
{
    return visit->number + 1u < visit->window->layers->n_list;
}

static int cut(struct chain_visit *visit, uint64_t guest_off)
{
    if (guest_off < visit->window->begin || guest_off >= visit->end)
        return 0;
    return chain_visit_add(visit,
                           (struct chain_range){.kind = CHAIN_RANGE_CUT, .guest_off = guest_off});
}

/* What follows the tail is no cluster of the file, or not looked at. */
int chain_visit_end_tail(struct chain_visit *visit)
{
    uint64_t tail = visit->memory->tail;

    visit->memory->tail = CHAIN_VISIT_NOTHING;
    return tail == CHAIN_VISIT_NOTHING ? 0 : cut(visit, tail);
}

/* A cluster follows: its first part is not held, and so perhaps the last one before it. */
static int follow_tail(struct chain_visit *visit, const struct format_entry *entry,
                       uint64_t guest_off, bool open_first)
{
    struct chain_window_layer *memory = visit->memory;
    bool follows = memory->tail == guest_off;
    int ret;

    if (follows && open_first && memory->tail_host == entry->begin) {
        memory->tail = CHAIN_VISIT_NOTHING;
        return 0;
    }
    ret = chain_visit_end_tail(visit);
    if (ret == 0 && open_first && !follows)
        ret = cut(visit, guest_off);
    return ret;
}

/*
 * An entry with a host cluster, held in part or not at all. What it does not hold is looked up
 * together with what its neighbours do not only if their host clusters follow on.
 */
int chain_visit_look_along(struct chain_visit *visit, const struct format_entry *entry,
                           uint64_t guest_off)
{
    uint32_t held = entry->alloc | entry->zero;
    bool has_cluster = entry->kind == FORMAT_STANDARD || entry->kind == FORMAT_RESERVED ||
                       entry->kind == FORMAT_ZERO_ALLOCATED;
    int ret;

    if (!has_layer_below(visit))
        return 0;
    if (!has_cluster)
        return chain_visit_end_tail(visit);
    ret = follow_tail(visit, entry, guest_off, !(held & 1));
    if (!(held >> (FORMAT_SUBCLUSTERS - 1))) {
        visit->memory->tail = guest_off + visit->rules.cluster_bytes;
        visit->memory->tail_host = entry->end;
    }
    return ret;
}

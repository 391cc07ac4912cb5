// SPDX-License-Identifier: MIT
/* Owns where defrag puts things, as far as a walk can tell. Integers only. */
#include "defragged.h"

#include "batch.h"
#include "clones.h"
#include "head.h"
#include "sector.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct meter_defragged *meter_defragged_new(const struct meter_defragged_shape *shape)
{
    struct meter_defragged *defragged = calloc(1, sizeof(*defragged));

    if (defragged == NULL)
        return NULL;
    defragged->shape = *shape;
    defragged->l2_old_off = METER_DEFRAGGED_NONE;
    return defragged;
}

/* All moves, one after the other; NULL behind the last. */
static struct meter_sparse_jumps *moves_of(struct meter_defragged *defragged, unsigned i)
{
    if (i < METER_N_DIRECTIONS)
        return &defragged->ways[i];
    i -= METER_N_DIRECTIONS;
    return i < 2 * METER_N_DIRECTIONS ? &defragged->between[i / 2][i % 2] : NULL;
}

void meter_defragged_clear(struct meter_defragged *defragged)
{
    const struct meter_defragged_shape shape = defragged->shape;
    struct meter_sparse_jumps *moves;

    memset(defragged, 0, offsetof(struct meter_defragged, ways));
    defragged->shape = shape;
    defragged->l2_old_off = METER_DEFRAGGED_NONE;
    for (unsigned i = 0; (moves = moves_of(defragged, i)) != NULL; i++)
        meter_sparse_jumps_clear(moves);
}

void meter_defragged_free(struct meter_defragged *defragged)
{
    struct meter_sparse_jumps *moves;

    if (defragged == NULL)
        return;
    for (unsigned i = 0; (moves = moves_of(defragged, i)) != NULL; i++)
        meter_sparse_jumps_free(moves);
    free(defragged);
}

int meter_defragged_error(const struct meter_defragged *defragged)
{
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++) {
        int ret = defragged->ways[i].error;

        for (unsigned sign = 0; sign < 2 && ret == 0; sign++)
            ret = defragged->between[i][sign].error;
        if (ret != 0)
            return ret;
    }
    return 0;
}

static uint64_t round_up(uint64_t off, uint64_t unit_bytes)
{
    return (off + unit_bytes - 1) & ~(unit_bytes - 1);
}

/* ---- the head ---- */

/* A way from region to region, of which the data lie @more bytes further in theirs. */
static void cross(struct meter_defragged *defragged, enum meter_direction direction, int64_t more)
{
    bool less = more < 0;

    meter_sparse_jumps_add(&defragged->between[direction][less],
                           less ? -(uint64_t)more : (uint64_t)more, 1);
}

/* Goes to @to, and reads @bytes there: those that the drive still has in its buffer are free. */
static void read_at(struct meter_defragged *defragged, struct meter_defragged_place to,
                    uint64_t bytes)
{
    const struct meter_defragged_place at = defragged->at;

    if (!defragged->any) {
        defragged->any = true;
        defragged->first = to;
    } else if (at.region != to.region) {
        bool there = to.region == METER_REGION_DATA;

        cross(defragged, there ? METER_FORWARD : METER_BACKWARD,
              (int64_t)(there ? to.off - at.off : at.off - to.off));
    } else if (to.off > at.off) {
        meter_sparse_jumps_add(&defragged->ways[METER_FORWARD], to.off - at.off, 1);
    } else if (to.off < at.off) {
        uint64_t back = at.off - to.off;

        defragged->read_bytes -= meter_head_buffered(back, bytes);
        if (back > METER_HEAD_BUFFER_BYTES)
            meter_sparse_jumps_add(&defragged->ways[METER_BACKWARD], back, 1);
    }
    defragged->at = (struct meter_defragged_place){to.region, to.off + bytes};
    defragged->read_bytes += bytes;
}

static void read_data(struct meter_defragged *defragged, uint64_t off, uint64_t bytes)
{
    read_at(defragged, (struct meter_defragged_place){METER_REGION_DATA, off}, bytes);
}

/* ---- clusters ---- */

/* What follows begins a cluster. @straight: and is data. */
static void close_blobs(struct meter_defragged *defragged, bool straight)
{
    uint64_t *end = &defragged->end[METER_REGION_DATA];

    if (!defragged->blobs_open)
        return;
    if (defragged->lead.blobs && !defragged->lead.ended) {
        defragged->lead.ended = true;
        defragged->lead.end = *end;
        defragged->lead.followed = straight && defragged->at.region == METER_REGION_DATA;
    }
    *end = round_up(*end, defragged->shape.cluster_bytes);
    defragged->blobs_open = false;
    defragged->last_refs = 0;
}

/* So many of them; the place of the first one. */
static uint64_t allocate(struct meter_defragged *defragged, uint64_t n)
{
    uint64_t off;

    close_blobs(defragged, true);
    defragged->any_data = true;
    off = defragged->end[METER_REGION_DATA];
    defragged->end[METER_REGION_DATA] += n * defragged->shape.cluster_bytes;
    return off;
}

/* Only those parts that are held are read. */
static void add_parts(struct meter_defragged *defragged, uint64_t off, uint64_t part_bytes,
                      uint32_t missing)
{
    for (unsigned at = 0, n; (n = piece_next_held(missing, &at)) > 0; at += n)
        read_data(defragged, off + at * part_bytes, n * part_bytes);
}

/* ---- tables ---- */

static void begin_l2(struct meter_defragged *defragged, uint64_t table)
{
    defragged->l2_old_off = table;
    if (defragged->shape.l2_in_front) {
        defragged->l2_off = defragged->end[METER_REGION_L2];
        defragged->end[METER_REGION_L2] += defragged->shape.cluster_bytes;
        return;
    }
    close_blobs(defragged, false);
    defragged->any_data = true;
    defragged->l2_off = defragged->end[METER_REGION_DATA];
    defragged->end[METER_REGION_DATA] += defragged->shape.cluster_bytes;
}

static void take_l2(struct meter_defragged *defragged, uint64_t off, uint64_t bytes)
{
    uint64_t table = off & ~(defragged->shape.cluster_bytes - 1);

    if (defragged->l2_old_off != table)
        begin_l2(defragged, table);
    read_at(defragged,
            (struct meter_defragged_place){defragged->shape.l2_in_front ? METER_REGION_L2
                                                                        : METER_REGION_DATA,
                                           defragged->l2_off + (off - table)},
            bytes);
}

/* ---- blobs ---- */

/*
 * An entry tells only which sectors a blob touches. It ends where the next one in the file begins:
 * known if that is the next one on the disk, too, and where some were left out between the two
 * nobody lives in its last sector any more. In another order its end is anywhere in that sector.
 */
CLONES_PART uint64_t bytes_before(uint64_t begin, uint64_t end, uint64_t next,
                                  uint64_t cluster_bytes)
{
    uint64_t bytes = end - begin, way = next - begin;
    uint64_t less = way - bytes < cluster_bytes || bytes <= SECTOR_BYTES / 2 ? 0 : SECTOR_BYTES / 2;

    return way - 1 < bytes ? way : bytes - less;
}

/* Of blob @i. What is no blob lies in clusters of its own. */
static uint64_t blob_bytes(const struct piece_batch *batch, uint32_t i)
{
    if (i + 1 == batch->n || batch->kind[i + 1] != PIECE_COMPRESSED)
        return batch->end[i] - batch->begin[i];
    return bytes_before(batch->begin[i], batch->end[i], batch->begin[i + 1], batch->cluster_bytes);
}

/* Of @n blobs, which another one follows. */
CLONES static uint64_t sum_blobs(const uint64_t *begin, const uint64_t *end, uint32_t n,
                                 uint64_t cluster_bytes)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += bytes_before(begin[i], end[i], begin[i + 1], cluster_bytes);
    return sum;
}

/* Where one of @bytes goes, behind the last one if the refcounts of its clusters go so high. */
static uint64_t place_blob(struct meter_defragged *defragged, uint64_t bytes)
{
    const uint64_t mask = ~(defragged->shape.cluster_bytes - 1);
    uint64_t off = defragged->end[METER_REGION_DATA], end;

    if (defragged->last_refs + defragged->shape.blob_refs > defragged->shape.refs_max &&
        (off & ~mask) != 0) {
        off = round_up(off, defragged->shape.cluster_bytes);
        defragged->last_refs = 0;
    }
    if ((off & ~mask) == 0)
        defragged->last_refs = 0;
    end = off + bytes;
    if (((end - 1) & mask) != (off & mask))
        defragged->last_refs = 0;
    defragged->last_refs += defragged->shape.blob_refs;
    defragged->end[METER_REGION_DATA] = end;
    defragged->last_blob = off;
    defragged->last_blob_len = bytes;
    return off;
}

static void read_blobs(struct meter_defragged *defragged, uint64_t begin, uint64_t end)
{
    read_data(defragged, begin, round_up(end, SECTOR_BYTES) - begin);
}

/* Of a cluster, whatever its size, and that of the blobs: then their refcounts part none. */
#define BLOBS_ENOUGH 4096

/* Blobs [first, end) of a batch, byte behind byte. */
static void add_together(struct meter_defragged *defragged, const struct piece_batch *batch,
                         uint32_t first, uint32_t end)
{
    uint64_t begin = defragged->end[METER_REGION_DATA];
    uint64_t before =
        sum_blobs(&batch->begin[first], &batch->end[first], end - 1 - first, batch->cluster_bytes);

    defragged->last_blob = begin + before;
    defragged->last_blob_len = blob_bytes(batch, end - 1);
    defragged->end[METER_REGION_DATA] = defragged->last_blob + defragged->last_blob_len;
    read_blobs(defragged, begin, defragged->end[METER_REGION_DATA]);
}

/* The same where some may be put apart. */
static void add_singly(struct meter_defragged *defragged, const struct piece_batch *batch,
                       uint32_t first, uint32_t end)
{
    uint64_t begin = 0, stop = 0;

    for (uint32_t i = first; i < end; i++) {
        uint64_t off = place_blob(defragged, blob_bytes(batch, i));

        if (i == first || off != stop) {
            if (i > first)
                read_blobs(defragged, begin, stop);
            begin = off;
        }
        stop = defragged->end[METER_REGION_DATA];
    }
    read_blobs(defragged, begin, stop);
}

static void add_blobs(struct meter_defragged *defragged, const struct piece_batch *batch,
                      uint32_t first, uint32_t end)
{
    if (!defragged->any_data)
        defragged->lead.blobs = defragged->any_data = true;
    defragged->blobs_open = true;
    if (defragged->shape.refs_max / defragged->shape.blob_refs >= BLOBS_ENOUGH)
        add_together(defragged, batch, first, end);
    else
        add_singly(defragged, batch, first, end);
}

static void read_again(struct meter_defragged *defragged)
{
    read_blobs(defragged, defragged->last_blob, defragged->last_blob + defragged->last_blob_len);
}

/* ---- pieces ---- */

static void add_data(struct meter_defragged *defragged, const struct piece_batch *batch,
                     uint32_t first, uint32_t end)
{
    uint64_t off = allocate(defragged, end - first);
    uint32_t missing = 0;

    for (uint32_t i = first; i < end; i++)
        missing |= batch->missing[i];
    if (missing == 0) {
        read_data(defragged, off, (end - first) * defragged->shape.cluster_bytes);
        return;
    }
    for (uint32_t i = first; i < end; i++, off += defragged->shape.cluster_bytes)
        add_parts(defragged, off, defragged->shape.cluster_bytes / PIECE_SUBCLUSTERS,
                  batch->missing[i]);
}

/* Up to where pieces are of the kind of @first. */
static uint32_t end_of_kind(const struct piece_batch *batch, uint32_t first)
{
    uint32_t i = first + 1;

    while (i < batch->n && batch->kind[i] == batch->kind[first])
        i++;
    return i;
}

void meter_defragged_take(struct meter_defragged *defragged, const struct piece_batch *batch)
{
    if (batch->l2_bytes > 0)
        take_l2(defragged, batch->l2_off, batch->l2_bytes);
    if (batch->n > 0 && batch->uniform)
        read_data(defragged, allocate(defragged, batch->n),
                  batch->n * defragged->shape.cluster_bytes);
    for (uint32_t first = 0, end; !batch->uniform && first < batch->n; first = end) {
        end = end_of_kind(batch, first);
        if (batch->kind[first] == PIECE_COMPRESSED)
            add_blobs(defragged, batch, first, end);
        else if (batch->kind[first] == PIECE_DATA)
            add_data(defragged, batch, first, end);
    }
    if (batch->again_bytes > 0)
        read_again(defragged);
}

/* ---- merging ---- */

/* What the data of the right one are moved by: leading blobs that go on, and what is behind. */
struct shift {
    uint64_t lead, rest;
};

/*
 * Blobs go on behind blobs, over the border of tables that lie in front. Then the gap behind the
 * last of them is another one.
 */
static struct shift shift_of(struct meter_defragged *left, const struct meter_defragged *right)
{
    const struct meter_defragged_lead *lead = &right->lead;
    uint64_t end = left->end[METER_REGION_DATA], unit = left->shape.cluster_bytes, gap[2];
    struct shift shift = {end, end};

    if (!right->any_data)
        return shift;
    if (!left->blobs_open || !lead->blobs || left->shape.blob_refs >= left->shape.refs_max) {
        close_blobs(left, false);
        end = left->end[METER_REGION_DATA];
        return (struct shift){end, end};
    }
    if (!lead->ended)
        return shift;
    shift.rest = round_up(end + lead->end, unit) - round_up(lead->end, unit);
    if (!lead->followed)
        return shift;
    gap[0] = round_up(lead->end, unit) - round_up(lead->end, SECTOR_BYTES);
    gap[1] = round_up(end + lead->end, unit) - round_up(end + lead->end, SECTOR_BYTES);
    for (unsigned i = 0; i < 2; i++)
        if (gap[i] > 0)
            meter_sparse_jumps_add(&left->ways[METER_FORWARD], gap[i], i == 0 ? -1 : 1);
    return shift;
}

static void join_lead(struct meter_defragged *left, const struct meter_defragged *right,
                      struct shift shift)
{
    struct meter_defragged_lead *lead = &left->lead;

    if (!right->any_data)
        return;
    if (!left->any_data) {
        *lead = right->lead;
    } else if (lead->blobs && !lead->ended && right->lead.ended) {
        *lead = right->lead;
        lead->end += shift.lead;
    }
}

void meter_defragged_join(struct meter_defragged *left, const struct meter_defragged *right)
{
    struct meter_defragged_place first = right->first;
    struct shift shift;

    if (!right->any)
        return;
    shift = shift_of(left, right);
    join_lead(left, right, shift);
    first.off += first.region == METER_REGION_DATA ? shift.lead : left->end[METER_REGION_L2];
    read_at(left, first, 0);
    left->joined = (int64_t)(shift.rest - left->end[METER_REGION_L2]);
    left->at = right->at;
    left->at.off += right->at.region == METER_REGION_DATA ? shift.rest : left->end[METER_REGION_L2];
    left->read_bytes += right->read_bytes;
    left->end[METER_REGION_L2] += right->end[METER_REGION_L2];
    if (right->any_data) {
        left->end[METER_REGION_DATA] = shift.rest + right->end[METER_REGION_DATA];
        left->any_data = true;
        left->blobs_open = right->blobs_open;
        left->last_refs = right->last_refs;
    }
    left->l2_old_off = METER_DEFRAGGED_NONE;
}

/* Each bin as a whole, to where its mean is then. */
static void add_between(struct meter_defragged *left, unsigned direction, bool less,
                        const struct meter_sparse_jumps *moves, uint64_t times)
{
    struct meter_sparse_jumps_bin bin = METER_SPARSE_JUMPS_FIRST;

    while (meter_sparse_jumps_next(moves, &bin)) {
        __int128 sum =
            (less ? -(__int128)bin.sum : (__int128)bin.sum) + (__int128)left->joined * bin.count;
        unsigned __int128 length = (unsigned __int128)(sum < 0 ? -sum : sum);

        meter_sparse_jumps_add_bin(&left->between[direction][sum < 0],
                                   meter_jump_bin_of((uint64_t)(length / bin.count)),
                                   times * bin.count, times * length);
    }
    if (moves->error != 0)
        left->between[direction][less].error = moves->error;
}

void meter_defragged_add_inner(struct meter_defragged *left, const struct meter_defragged *right,
                               uint64_t times)
{
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++) {
        meter_sparse_jumps_merge(&left->ways[direction], &right->ways[direction], times);
        for (unsigned less = 0; less < 2; less++)
            add_between(left, direction, less, &right->between[direction][less], times);
    }
}

/* ---- the whole ---- */

static void pour_between(const struct meter_sparse_jumps *moves, bool less, uint64_t front_bytes,
                         struct meter_jumps *jumps)
{
    struct meter_sparse_jumps_bin bin = METER_SPARSE_JUMPS_FIRST;

    while (meter_sparse_jumps_next(moves, &bin)) {
        uint64_t mean = (uint64_t)(bin.sum / bin.count);
        uint64_t length = !less ? front_bytes + mean : front_bytes > mean ? front_bytes - mean : 0;
        struct meter_jump_bin *to = &jumps->bin[meter_jump_bin_of(length)];

        to->count += bin.count;
        to->sum += (unsigned __int128)length * bin.count;
    }
}

void meter_defragged_pour(const struct meter_defragged *defragged, uint64_t front_bytes,
                          struct meter_jumps jumps[METER_N_DIRECTIONS])
{
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++) {
        meter_sparse_jumps_pour(&defragged->ways[direction], &jumps[direction]);
        for (unsigned less = 0; less < 2; less++)
            pour_between(&defragged->between[direction][less], less, front_bytes,
                         &jumps[direction]);
    }
}

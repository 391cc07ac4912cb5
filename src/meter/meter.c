// SPDX-License-Identifier: MIT
/*
 * Owns the judgement of each step from one piece to the next. Counts with integers only; knows
 * nothing of entries, tables or files.
 */
#include "meter.h"

#include "clones.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512

struct meter *meter_new(uint64_t unit_bytes, unsigned n_files)
{
    struct meter *meter = calloc(1, sizeof(*meter));

    if (meter == NULL)
        return NULL;
    meter->n_files = n_files;
    meter->files = calloc(n_files, sizeof(*meter->files));
    if (meter->files == NULL) {
        free(meter);
        return NULL;
    }
    meter_lengths_init(&meter->lengths, (unsigned)__builtin_ctzll(unit_bytes));
    return meter;
}

void meter_free(struct meter *meter)
{
    if (meter == NULL)
        return;
    meter_lengths_free(&meter->lengths);
    meter_head_free(&meter->head);
    free(meter->files);
    free(meter);
}

void meter_clear(struct meter *meter)
{
    meter->any = false;
    for (unsigned i = 0; i < meter->n_files; i++)
        meter->files[i] = (struct meter_file){.seen = false};
    meter->breaks = meter->file_switches = meter->near_jumps = meter->hole_bytes = 0;
    meter->first_run_bytes = meter->open_run_bytes = meter->fresh_bound = 0;
    memset(meter->jumps, 0, sizeof(meter->jumps));
    meter_lengths_clear(&meter->lengths);
    meter_head_clear(&meter->head);
}

int meter_error(const struct meter *meter)
{
    return meter->lengths.error != 0 ? meter->lengths.error : meter_head_error(&meter->head);
}

/* ---- one step ---- */

/*
 * With a compressed piece on either side equality is not asked: blobs are packed by bytes, may
 * share a sector, and the allocator goes on at the next cluster when it must (padding).
 */
static bool is_contiguous(const struct meter_edge *before, const struct meter_edge *after)
{
    if (before->compressed || after->compressed)
        return after->position > before->position &&
               after->position + SECTOR_BYTES >= before->end &&
               after->position <= before->end + before->slack;
    return after->position == before->end ||
           (after->position > before->end &&
            after->position - before->end == after->guest_off - before->guest_off);
}

CLONES_PART void close_run(struct meter *meter)
{
    if (meter->breaks == 0)
        meter->first_run_bytes = meter->open_run_bytes;
    else
        meter_lengths_add(&meter->lengths, meter->open_run_bytes, 1);
    meter->breaks++;
    meter->open_run_bytes = 0;
}

struct meter_step {
    enum { STEP_NONE, STEP_ON, STEP_JUMP } kind; /* no piece before it; contiguous; or not */
    enum meter_direction direction;
    uint64_t distance;
};

CLONES_PART struct meter_step jump_of(uint64_t position_before, uint64_t end_before,
                                      uint64_t position)
{
    return (struct meter_step){
        STEP_JUMP, position > position_before ? METER_FORWARD : METER_BACKWARD,
        position > end_before ? position - end_before : end_before - position};
}

static struct meter_step judge(const struct meter_file *file, const struct meter_edge *after)
{
    const struct meter_edge *before = &file->last;

    if (!file->seen)
        return (struct meter_step){.kind = STEP_NONE};
    if (is_contiguous(before, after))
        return (struct meter_step){.kind = STEP_ON};
    return jump_of(before->position, before->end, after->position);
}

CLONES_PART void count_jump(struct meter *meter, struct meter_step jump)
{
    meter->near_jumps += jump.direction == METER_FORWARD && jump.distance <= METER_NEAR_BYTES;
    meter_jumps_add(&meter->jumps[jump.direction], jump.distance);
}

/*
 * The head goes to a piece. Mostly it does just what the step says, and nothing is to be added.
 * @there: it is known to have gone there already, from the table that it read before the piece.
 */
static void move_head(struct meter *meter, const struct meter_edge *before,
                      const struct meter_edge *after, uint16_t file, struct meter_step step,
                      bool there)
{
    struct meter_head *head = &meter->head;
    bool follows = meter->any && meter->last_file == file; /* the last piece is @before */
    bool straight = follows && !head->strayed;

    if (step.kind == STEP_JUMP) {
        /* What begins inside the piece before counts as forward, but is behind the head. */
        if (straight && before->read_end == before->end && after->read_begin == after->position &&
            (step.direction == METER_BACKWARD || after->position >= before->end))
            return;
        meter_head_take_back(head, step.direction, step.distance);
    } else if (step.kind == STEP_ON && follows && after->read_begin > before->read_end) {
        uint64_t gap = after->read_begin - before->read_end;

        meter_moves_add(&head->holes, gap, 1);
        if (straight)
            return;
        meter_head_take_back(head, METER_FORWARD, gap);
    } else if (step.kind == STEP_ON && straight) {
        head->read_bytes -= before->read_end - after->read_begin; /* a sector of both blobs */
        return;
    }
    if (!there)
        meter_head_move(head, (struct meter_place){file, after->read_begin});
}

/* The step to a piece, whose bytes are not counted yet. */
static void step_to(struct meter *meter, const struct meter_edge *after, uint16_t number,
                    bool there)
{
    struct meter_file *file = &meter->files[number];
    struct meter_step step = judge(file, after);

    file->runs += !meter->any || meter->last_file != number || step.kind == STEP_JUMP;
    if (meter->any && meter->last_file != number) {
        meter->file_switches++;
        close_run(meter);
    }
    if (step.kind == STEP_JUMP) {
        close_run(meter);
        count_jump(meter, step);
    }
    if (!meter->any)
        meter->head.led = meter->head.any;
    move_head(meter, &file->last, after, number, step, there);
    if (!meter->any) {
        meter->any = true;
        meter->first_file = number;
    }
    if (!file->seen) {
        file->seen = true;
        file->first = *after;
    }
    meter->last_file = number;
}

/* After the step to it: the piece is the last one, and has been read. */
static void arrive(struct meter *meter, const struct meter_edge *edge, uint64_t guest_bytes)
{
    struct meter_edge *last = &meter->files[meter->last_file].last;

    *last = *edge;
    last->guest_off += guest_bytes;
    meter->head.at = (struct meter_place){meter->last_file, edge->read_end};
    meter->head.strayed = false;
}

/* ---- pieces ---- */

/* Of a cluster with missing subclusters, only those that are held are read. */
static void skip_missing(struct meter *meter, uint32_t missing, struct meter_edge *edge)
{
    uint64_t part_bytes = (edge->end - edge->position) / RUN_SUBCLUSTERS;
    unsigned first = (unsigned)__builtin_ctz(~missing);
    unsigned end = RUN_SUBCLUSTERS - (unsigned)__builtin_clz(~missing);

    edge->read_begin += first * part_bytes;
    edge->read_end -= (RUN_SUBCLUSTERS - end) * part_bytes;
    for (unsigned i = first, next; i < end; i = next) {
        for (next = i + 1; next < end && (missing >> next & 1) == (missing >> i & 1); next++)
            ;
        if (missing >> i & 1)
            meter_moves_add(&meter->head.holes, (next - i) * part_bytes, 1);
    }
}

static void take_general(struct meter *meter, const struct run_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        struct meter_edge edge = {.guest_off = batch->guest_off[i],
                                  .position = batch->begin[i],
                                  .end = batch->end[i],
                                  .read_begin = batch->begin[i],
                                  .read_end = batch->end[i],
                                  .slack = batch->slack[i],
                                  .compressed = batch->kind[i] == RUN_COMPRESSED};
        uint32_t missing = batch->missing[i];
        uint64_t bytes = edge.end - edge.position;

        if (batch->kind[i] != RUN_DATA && batch->kind[i] != RUN_COMPRESSED)
            continue;
        if (missing != 0) {
            skip_missing(meter, missing, &edge);
            bytes -= (uint64_t)__builtin_popcount(missing) * (bytes / RUN_SUBCLUSTERS);
        }
        step_to(meter, &edge, batch->files[i], false);
        arrive(meter, &edge, batch->guest_bytes[i]);
        meter->open_run_bytes += batch->mapped_bytes[i];
        meter->files[batch->files[i]].bytes += batch->mapped_bytes[i];
        meter->head.read_bytes += bytes;
    }
}

/* 64 distances, none above @all, are about to be added to fresh sums. */
CLONES_PART void make_room(struct meter *meter, uint64_t all)
{
    uint64_t most = all > UINT64_MAX / 64 ? UINT64_MAX : 64 * all;

    if (__builtin_add_overflow(meter->fresh_bound, most, &meter->fresh_bound)) {
        for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
            meter_jumps_fold(&meter->jumps[i]);
        meter->fresh_bound = most;
    }
}

/* Jumps of up to 64 uniform pieces: distances and bins first, in loops for vector units. */
struct jump_block {
    uint64_t distance[64];
    uint64_t slot[64]; /* bin, counted on over both directions */
    uint64_t all;      /* the distances, one or the other */
    uint64_t near_jumps;
};

/*
 * Clusters are aligned, so what is not below the one before is at or behind its end: a negative
 * gap is a step back. Signs instead of comparisons: see run/l2.c.
 */
CLONES_PART void fill_jump_block(struct jump_block *block, const uint64_t *begin, int first,
                                 uint64_t cluster_bytes)
{
    uint64_t all = 0, near_jumps = 0;

    for (int i = first; i < 64; i++) {
        uint64_t gap = begin[i] - begin[i - 1] - cluster_bytes;
        uint64_t backward = 0 - (gap >> 63); /* all ones or zero */

        block->distance[i] = (gap ^ backward) - backward;
        block->slot[i] = METER_JUMP_BINS & ~backward;
        all |= block->distance[i];
        near_jumps += ~(gap | (METER_NEAR_BYTES - gap)) >> 63;
    }
    block->all = all;
    block->near_jumps = near_jumps;
    if (all < METER_JUMP_SHORT)
        for (int i = first; i < 64; i++)
            block->slot[i] += meter_jump_bin_of_short(block->distance[i]);
    else
        for (int i = first; i < 64; i++)
            block->slot[i] += meter_jump_bin_of_long(block->distance[i]);
}

/* Every piece from @first (0 or 1) on breaks: closes the run before them and runs of one cluster.
 */
CLONES_PART void break_everywhere(struct meter *meter, const uint64_t *begin, int first,
                                  uint64_t cluster_bytes)
{
    struct meter_jump_bin *bins = meter->jumps[0].bin; /* both directions, one after the other */
    struct jump_block block;

    meter->open_run_bytes += (uint64_t)first * cluster_bytes;
    close_run(meter);
    meter->breaks += (uint64_t)(63 - first);
    meter_lengths_add(&meter->lengths, cluster_bytes, (uint64_t)(63 - first));
    meter->open_run_bytes = cluster_bytes;

    fill_jump_block(&block, begin, first, cluster_bytes);
    meter->near_jumps += block.near_jumps;
    make_room(meter, block.all);
    for (int i = first; i < 64; i++) {
        bins[block.slot[i]].count++;
        bins[block.slot[i]].fresh += block.distance[i];
    }
}

/* 64 pieces; @begin[-1] is valid unless bit 0 of @breaks is clear. */
CLONES_PART void take_word(struct meter *meter, const uint64_t *begin, uint64_t breaks,
                           uint64_t cluster_bytes)
{
    unsigned run_begin = 0;

    if (breaks == UINT64_MAX) {
        break_everywhere(meter, begin, 0, cluster_bytes);
        return;
    }
    if (breaks == (UINT64_MAX ^ 1)) {
        break_everywhere(meter, begin, 1, cluster_bytes);
        return;
    }
    while (breaks != 0) {
        unsigned i = (unsigned)__builtin_ctzll(breaks);

        breaks &= breaks - 1;
        meter->open_run_bytes += (i - run_begin) * cluster_bytes;
        close_run(meter);
        count_jump(meter, jump_of(begin[(int)i - 1], begin[(int)i - 1] + cluster_bytes, begin[i]));
        run_begin = i;
    }
    meter->open_run_bytes += (64 - run_begin) * cluster_bytes;
}

static struct meter_edge cluster_edge(uint64_t guest_off, uint64_t begin, uint64_t cluster_bytes)
{
    return (struct meter_edge){.guest_off = guest_off,
                               .position = begin,
                               .end = begin + cluster_bytes,
                               .read_begin = begin,
                               .read_end = begin + cluster_bytes};
}

CLONES static void take_uniform(struct meter *meter, const struct run_batch *batch)
{
    uint64_t cluster_bytes = batch->cluster_bytes;
    uint64_t last_guest_off = batch->guest_first + (batch->n - 1) * cluster_bytes;
    struct meter_edge edge = cluster_edge(batch->guest_first, batch->begin[0], cluster_bytes);
    struct meter_file *file = &meter->files[batch->file];
    uint64_t breaks_before;

    step_to(meter, &edge, batch->file, false);
    breaks_before = meter->breaks;
    for (uint32_t i = 0; i < batch->n; i += 64) {
        uint64_t breaks = batch->breaks[i / 64];

        /* The first step is judged above, by the rule for any two pieces. */
        take_word(meter, &batch->begin[i], i == 0 ? breaks & ~UINT64_C(1) : breaks, cluster_bytes);
    }
    edge = cluster_edge(last_guest_off, batch->begin[batch->n - 1], cluster_bytes);
    arrive(meter, &edge, cluster_bytes);
    file->runs += meter->breaks - breaks_before;
    file->bytes += batch->n * cluster_bytes;
    meter->head.read_bytes += batch->n * cluster_bytes;
}

void meter_take(struct meter *meter, const struct run_batch *batch)
{
    if (batch->table_bytes > 0) {
        meter_head_move(&meter->head, (struct meter_place){batch->table_file, batch->table_off});
        meter->head.at.off += batch->table_bytes;
        meter->head.strayed = true;
        meter->head.read_bytes += batch->table_bytes;
        meter->head.table_bytes += batch->table_bytes;
    }
    meter->hole_bytes += batch->hole_bytes;
    if (batch->n == 0)
        return;
    if (batch->uniform)
        take_uniform(meter, batch);
    else
        take_general(meter, batch);
}

/* ---- merging ---- */

static struct meter_edge shifted(struct meter_edge edge, uint64_t shift)
{
    edge.guest_off += shift;
    return edge;
}

static void join_runs(struct meter *left, const struct meter *right)
{
    if (right->breaks == 0) {
        left->open_run_bytes += right->open_run_bytes;
        return;
    }
    left->open_run_bytes += right->first_run_bytes;
    close_run(left);
    left->open_run_bytes = right->open_run_bytes;
    left->breaks += right->breaks - 1;
    left->near_jumps += right->near_jumps;
    left->file_switches += right->file_switches;
}

/*
 * The first piece of @right in a file other than that of its first piece at all: before it there is
 * a switch, where a run has ended and the head came from elsewhere. If it is a jump in its own file
 * as well, there is nothing between the two breaks.
 */
static void join_file(struct meter *left, const struct meter_edge *first, unsigned number)
{
    struct meter_file *file = &left->files[number];
    struct meter_step step = judge(file, first);

    if (step.kind == STEP_JUMP) {
        left->breaks++;
        meter_lengths_add(&left->lengths, 0, 1);
        count_jump(left, step);
        meter_head_take_back(&left->head, step.direction, step.distance);
    } else if (step.kind == STEP_NONE) {
        file->seen = true;
        file->first = *first;
    }
}

static void join_pieces(struct meter *left, const struct meter *right, uint64_t shift)
{
    struct meter_edge first = shifted(right->files[right->first_file].first, shift);

    step_to(left, &first, right->first_file, right->head.led);
    join_runs(left, right);
    for (unsigned i = 0; i < right->n_files; i++) {
        if (!right->files[i].seen)
            continue;
        first = shifted(right->files[i].first, shift);
        if (i != right->first_file)
            join_file(left, &first, i);
        left->files[i].last = shifted(right->files[i].last, shift);
        /* The step to the first piece of all has been judged, and counted, again. */
        left->files[i].runs += right->files[i].runs - (i == right->first_file);
        left->files[i].bytes += right->files[i].bytes;
    }
    left->last_file = right->last_file;
}

void meter_join(struct meter *left, const struct meter *right, uint64_t shift)
{
    left->hole_bytes += right->hole_bytes;
    if (!right->head.any)
        return;
    if (right->head.led || !right->any) { /* it begins with a table */
        meter_head_move(&left->head, right->head.first);
        left->head.strayed = true;
    }
    if (right->any)
        join_pieces(left, right, shift);
    meter_head_join(&left->head, &right->head);
}

void meter_add_inner(struct meter *left, const struct meter *right, uint64_t times)
{
    if (times == 0)
        return;
    meter_head_add_inner(&left->head, &right->head, times);
    if (right->breaks == 0)
        return;
    meter_lengths_merge(&left->lengths, &right->lengths, times);
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_jumps_merge(&left->jumps[i], &right->jumps[i], times);
}

void meter_merge(struct meter *left, const struct meter *right)
{
    meter_join(left, right, 0);
    meter_add_inner(left, right, 1);
}

struct meter_length *meter_runs_sorted(const struct meter *meter, size_t *n)
{
    struct meter_lengths all;
    struct meter_length *sorted;

    meter_lengths_init(&all, meter->lengths.unit_bits);
    meter_lengths_merge(&all, &meter->lengths, 1);
    if (meter->breaks > 0)
        meter_lengths_add(&all, meter->first_run_bytes, 1);
    if (meter->any)
        meter_lengths_add(&all, meter->open_run_bytes, 1);
    sorted = all.error == 0 ? meter_lengths_sorted(&all, n) : NULL;
    if (all.error != 0)
        *n = 1;
    meter_lengths_free(&all);
    return sorted;
}

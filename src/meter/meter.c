// SPDX-License-Identifier: MIT
/*
 * Owns the judgement of each step from one piece to the next. Counts with integers only; knows
 * nothing of entries, tables or files.
 */
#include "meter.h"

#include "bits.h"
#include "clones.h"
#include "request.h"
#include "sector.h"
#include "steps.h"
#include "tally.h"

#include <stdlib.h>
#include <string.h>


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
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_moves_free(&meter->moves[i]);
    meter_lengths_free(&meter->lengths);
    meter_head_free(&meter->head);
    free(meter->tally);
    free(meter->files);
    free(meter);
}

void meter_clear(struct meter *meter)
{
    meter->any = false;
    for (unsigned i = 0; i < meter->n_files; i++)
        meter->files[i] = (struct meter_file){.seen = false};
    meter->breaks = meter->file_switches = meter->near_jumps = meter->hole_bytes = 0;
    meter->compared = meter->splits = 0;
    meter->first_run_bytes = meter->open_run_bytes = 0;
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_moves_clear(&meter->moves[i]);
    free(meter->tally);
    meter->tally = NULL;
    meter_lengths_clear(&meter->lengths);
    meter_head_clear(&meter->head);
}

int meter_error(const struct meter *meter)
{
    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        if (meter->moves[i].error != 0)
            return meter->moves[i].error;
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

static struct meter_step jump_of(uint64_t position_before, uint64_t end_before, uint64_t position)
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

static void count_jump(struct meter *meter, struct meter_step jump)
{
    meter->near_jumps += jump.direction == METER_FORWARD && jump.distance <= METER_NEAR_BYTES;
    meter_moves_add(&meter->moves[jump.direction], jump.distance, 1);
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
    uint64_t bytes = after->read_end - after->read_begin;
    bool follows = meter->any && meter->last_file == file; /* the last piece is @before */
    bool straight = follows && !head->strayed;

    if (step.kind == STEP_JUMP) {
        /* What begins inside the piece before counts as forward, but is behind the head. */
        if (straight && before->read_end == before->end && after->read_begin == after->position &&
            (step.direction == METER_BACKWARD || after->position >= before->end)) {
            if (step.direction == METER_BACKWARD)
                meter_head_step_back(head, step.distance, bytes);
            return;
        }
        meter_head_take_back(head, step.direction, step.distance);
    } else if (step.kind == STEP_ON && follows && after->read_begin > before->read_end) {
        uint64_t gap = after->read_begin - before->read_end;

        meter_moves_add(&head->holes, gap, 1);
        if (straight)
            return;
        meter_head_take_back(head, METER_FORWARD, gap);
    } else if (step.kind == STEP_ON && straight) {
        head->read_bytes -= meter_head_buffered(before->read_end - after->read_begin, bytes);
        return;
    }
    if (!there)
        meter_head_move(head, (struct meter_place){file, after->read_begin}, bytes);
}

/*
 * Does a jump on the device cut a read of QEMU? It goes on on the guest disk and in the file, no
 * table was read before it, and no request begins there.
 */
static bool splits_read(const struct meter *meter, const struct meter_edge *before,
                        const struct meter_edge *after, bool there)
{
    return !meter->head.strayed && !there && before->source != PIECE_NO_SOURCE &&
           before->source == after->source && before->guest_off == after->guest_off &&
           after->guest_off % PIECE_REQUEST_BYTES != 0;
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
        meter->splits +=
            meter->last_file == number && splits_read(meter, &file->last, after, there);
    }
    if (!meter->any)
        meter->head.led = meter->head.any;
    meter->head.ways += meter->head.strayed && !there; /* else the right half has counted it */
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

/* ---- many steps at once ---- */

/* Fewer breaks than this among 64 pieces are measured one by one. */
#define MANY_BREAKS 12

/* So many breaks are worth the memory of a tally, and the look through it at the end. */
#define TALLY_BREAKS_MIN 128

static void add_tally(struct meter_moves moves[METER_N_DIRECTIONS], const struct meter_tally *tally,
                      uint64_t times)
{
    struct meter_tallied found;

    if (tally == NULL || tally->bound == 0)
        return;
    for (unsigned slot = 0; meter_tally_next(tally, &slot, &found);)
        meter_moves_add_bin(&moves[found.direction], found.bin, times * found.count,
                            (unsigned __int128)times * found.sum);
}

void meter_settle(struct meter *meter)
{
    add_tally(meter->moves, meter->tally, 1);
    free(meter->tally);
    meter->tally = NULL;
}

/*
 * For @words times 64 gaps, none further from 0 than @most. Without a tally, or for distances that
 * it has no slots for, jumps are counted the slow way.
 */
static bool tally_has_room(struct meter *meter, uint64_t most, unsigned words)
{
    if (most >= METER_TALLY_MOST || (meter->tally == NULL && meter->breaks < TALLY_BREAKS_MIN))
        return false;
    if (meter->tally == NULL)
        meter->tally = calloc(1, sizeof(*meter->tally));
    if (meter->tally == NULL)
        return false;
    if (meter_tally_reserve(meter->tally, most * words))
        return true;
    add_tally(meter->moves, meter->tally, 1);
    meter_tally_clear(meter->tally);
    return meter_tally_reserve(meter->tally, most * words);
}

static void count_gap(struct meter *meter, uint64_t gap)
{
    if ((int64_t)gap < 0)
        meter_moves_add(&meter->moves[METER_BACKWARD], -gap, 1);
    else
        meter_moves_add(&meter->moves[METER_FORWARD], gap, 1);
}

static void count_slowly(struct meter *meter, const struct meter_steps *steps, uint64_t breaks)
{
    for (; breaks != 0; breaks &= breaks - 1)
        count_gap(meter, steps->gap[__builtin_ctzll(breaks)]);
}

CLONES_PART void count_jumps(struct meter *meter, const struct meter_steps *steps, uint64_t breaks)
{
    meter->near_jumps += (uint64_t)__builtin_popcountll(steps->near & breaks);
    if (!tally_has_room(meter, steps->most, 1)) {
        count_slowly(meter, steps, breaks);
        return;
    }
    for (; breaks != 0; breaks &= breaks - 1) {
        unsigned i = (unsigned)__builtin_ctzll(breaks);

        meter_tally_add(meter->tally, steps->slot[i], steps->gap[i]);
    }
}

/* Guest bytes of the pieces before piece @i; without @mapped they are clusters. */
CLONES_PART uint64_t bytes_before(const uint64_t *mapped, uint64_t cluster_bytes, unsigned i)
{
    return mapped != NULL ? mapped[i] : i * cluster_bytes;
}

/* The runs that end before the @breaks among @n pieces, and the begin of the next. */
CLONES_PART void count_runs(struct meter *meter, uint64_t breaks, unsigned n,
                            const uint64_t *mapped, uint64_t cluster_bytes)
{
    uint64_t begin;

    if (breaks == 0) {
        meter->open_run_bytes += bytes_before(mapped, cluster_bytes, n);
        return;
    }
    begin = bytes_before(mapped, cluster_bytes, (unsigned)__builtin_ctzll(breaks));
    meter->open_run_bytes += begin;
    close_run(meter);
    breaks &= breaks - 1;
    meter->breaks += (unsigned)__builtin_popcountll(breaks);
    for (; breaks != 0; breaks &= breaks - 1) {
        uint64_t end = bytes_before(mapped, cluster_bytes, (unsigned)__builtin_ctzll(breaks));

        meter_lengths_add(&meter->lengths, end - begin, 1);
        begin = end;
    }
    meter->open_run_bytes = bytes_before(mapped, cluster_bytes, n) - begin;
}

/* ---- pieces ---- */

static struct meter_edge edge_of(const struct piece_batch *batch, uint32_t i)
{
    return (struct meter_edge){.guest_off = batch->guest_off[i],
                               .position = batch->begin[i],
                               .end = batch->end[i],
                               .read_begin = batch->begin[i],
                               .read_end = batch->end[i],
                               .source = PIECE_NO_SOURCE,
                               .slack = batch->slack[i],
                               .compressed = batch->kind[i] == PIECE_COMPRESSED};
}

/* Of a cluster with missing subclusters, only those that are held are read. */
static void trim_edge(struct meter_edge *edge, uint32_t missing)
{
    uint64_t part_bytes = (edge->end - edge->position) / PIECE_SUBCLUSTERS;

    edge->read_begin += (unsigned)__builtin_ctz(~missing) * part_bytes;
    edge->read_end -= (unsigned)__builtin_clz(~missing) * part_bytes;
}

/* The holes between those that are held; and what is not read. */
CLONES_PART void skip_missing(struct meter_head *head, uint32_t missing, uint64_t part_bytes)
{
    unsigned first = (unsigned)__builtin_ctz(~missing);
    uint64_t inner = (missing & (UINT32_MAX >> __builtin_clz(~missing))) >> first;

    head->read_bytes -= (unsigned)__builtin_popcount(missing) * part_bytes;
    head->missing_bytes += (unsigned)__builtin_popcount(missing) * part_bytes;
    while (inner != 0) {
        unsigned n;

        inner >>= __builtin_ctzll(inner);
        n = (unsigned)__builtin_ctzll(~inner);
        meter_moves_add(&head->holes, n * part_bytes, 1);
        inner >>= n;
    }
}

static void arrive_at(struct meter *meter, const struct piece_batch *batch, uint32_t i)
{
    struct meter_edge edge = edge_of(batch, i);

    if (i == batch->n - 1)
        edge.source = batch->source_end;
    trim_edge(&edge, batch->missing[i]);
    arrive(meter, &edge, batch->guest_bytes[i]);
}

static void take_piece(struct meter *meter, const struct piece_batch *batch, uint32_t i)
{
    struct meter_edge edge = edge_of(batch, i);

    if (i == 0)
        edge.source = batch->source_begin;
    trim_edge(&edge, batch->missing[i]);
    if (batch->missing[i] != 0)
        skip_missing(&meter->head, batch->missing[i],
                     (edge.end - edge.position) / PIECE_SUBCLUSTERS);
    step_to(meter, &edge, batch->files[i], false);
    arrive_at(meter, batch, i);
    meter->open_run_bytes += batch->mapped_bytes[i];
    meter->files[batch->files[i]].bytes += batch->mapped_bytes[i];
    meter->head.read_bytes += edge.end - edge.position;
}

/*
 * Step @k of @steps, to piece @i, for the head: between what it reads of the two pieces is more
 * than the gap, or the gap leads back into the piece before.
 */
CLONES_PART void step_head(struct meter *meter, const struct piece_batch *batch, uint32_t i,
                           const struct meter_steps *steps, unsigned k)
{
    struct meter_head *head = &meter->head;
    struct meter_edge from = edge_of(batch, i - 1), to = edge_of(batch, i);
    bool inside = steps->inside >> k & 1;
    uint64_t gap = steps->gap[k], way;

    trim_edge(&from, batch->missing[i - 1]);
    trim_edge(&to, batch->missing[i]);
    way = to.read_begin - from.read_end;
    if (batch->missing[i] != 0)
        skip_missing(head, batch->missing[i], (to.end - to.position) / PIECE_SUBCLUSTERS);
    if (!(steps->breaks >> k & 1)) {
        if ((int64_t)way > 0)
            meter_moves_add(&head->holes, way, 1);
        else
            head->read_bytes -= meter_head_buffered(-way, to.read_end - to.read_begin);
    } else if (inside || way != gap) {
        bool backward = (int64_t)gap < 0;

        meter_head_take_back(head, backward && !inside ? METER_BACKWARD : METER_FORWARD,
                             backward ? -gap : gap);
        head->at.off = from.read_end;
        meter_head_move(head, (struct meter_place){batch->files[i], to.read_begin},
                        to.read_end - to.read_begin);
    } else if ((int64_t)way < 0) {
        meter_head_step_back(head, -way, to.read_end - to.read_begin);
    }
}

/* The head's part of the steps to pieces [first, first + n). */
CLONES_PART void move_along(struct meter *meter, const struct piece_batch *batch, uint32_t first,
                            const struct meter_steps *steps)
{
    uint64_t odd = steps->partial | steps->inside | steps->buffered;

    meter->head.read_bytes += steps->read_bytes;
    for (uint64_t over = steps->over & ~odd; over != 0; over &= over - 1)
        meter_moves_add(&meter->head.holes, steps->gap[__builtin_ctzll(over)], 1);
    for (; odd != 0; odd &= odd - 1) {
        unsigned k = (unsigned)__builtin_ctzll(odd);

        step_head(meter, batch, first + k, steps, k);
    }
}

/* Pieces [first, first + n), like the one before them of data, and of one file with it. */
CLONES static void take_alike(struct meter *meter, const struct piece_batch *batch, uint32_t first,
                              unsigned n)
{
    struct meter_file *file = &meter->files[batch->files[first]];
    struct meter_steps steps;

    meter_steps_judge(&steps, batch, first, n);
    file->runs += (uint64_t)__builtin_popcountll(steps.breaks);
    file->bytes += steps.mapped[n];
    count_runs(meter, steps.breaks, n, steps.mapped, 0);
    if (steps.breaks != steps.inside)
        count_jumps(meter, &steps, steps.breaks & ~steps.inside);
    for (uint64_t inside = steps.inside; inside != 0; inside &= inside - 1) {
        uint32_t i = first + (uint32_t)__builtin_ctzll(inside);

        count_jump(meter, jump_of(batch->begin[i - 1], batch->end[i - 1], batch->begin[i]));
    }
    move_along(meter, batch, first, &steps);
}

/* How many pieces from @first on are data of one file. */
static uint32_t count_alike(const struct piece_batch *batch, uint32_t first)
{
    uint32_t i = first;

    while (i < batch->n && batch->kind[i] <= PIECE_COMPRESSED &&
           batch->files[i] == batch->files[first])
        i++;
    return i - first;
}

static void take_general(struct meter *meter, const struct piece_batch *batch)
{
    uint32_t i = 0;

    while (i < batch->n) {
        uint32_t n = count_alike(batch, i), end = i + n;

        if (n == 0) { /* zeros */
            i++;
            continue;
        }
        take_piece(meter, batch, i);
        for (i++; i < end; i += n) {
            n = end - i < METER_STEPS_MAX ? end - i : METER_STEPS_MAX;
            take_alike(meter, batch, i, n);
        }
        arrive_at(meter, batch, end - 1);
    }
}

/* Words of breaks from @first on in which all bits are set, but that of the batch's first step. */
static uint32_t count_scattered(const struct piece_batch *batch, uint32_t first)
{
    uint32_t i = first;

    while (i < batch->n && (batch->breaks[i / 64] | (i == 0)) == UINT64_MAX)
        i += 64;
    return i - first;
}

/*
 * Clusters [first, first + n) of a uniform batch, each of which breaks: what take_word does, for as
 * many as there are. The step to the batch's first one is not looked at.
 */
CLONES_PART void take_scattered(struct meter *meter, const struct piece_batch *batch,
                                uint32_t first, uint32_t n)
{
    uint64_t gaps[PIECE_BATCH_MAX], slots[PIECE_BATCH_MAX], most = 0, near = 0;
    const uint64_t cluster_bytes = batch->cluster_bytes;
    const uint32_t begin = first > 0 ? first : 1, end = first + n;

    for (uint32_t i = begin; i < end; i++) {
        uint64_t gap = batch->begin[i] - batch->begin[i - 1] - cluster_bytes;

        gaps[i] = gap;
        slots[i] = meter_tally_slot(gap);
        most |= gap ^ (uint64_t)((int64_t)gap >> 63);
        near += all_if(gap - 1 < METER_NEAR_BYTES) & 1;
    }
    meter->near_jumps += near;
    if (tally_has_room(meter, most + 1, n / 64)) {
        for (uint32_t i = begin; i < end; i++)
            meter_tally_add(meter->tally, slots[i], gaps[i]);
    } else {
        for (uint32_t i = begin; i < end; i++)
            count_gap(meter, gaps[i]);
    }
    meter->open_run_bytes += (begin - first) * cluster_bytes;
    close_run(meter);
    meter->breaks += end - begin - 1;
    meter_lengths_add(&meter->lengths, cluster_bytes, end - begin - 1);
    meter->open_run_bytes = cluster_bytes;
}

/* 64 pieces; @begin[-1] is valid unless bit 0 of @breaks is clear. */
CLONES_PART void take_word(struct meter *meter, const uint64_t *begin, uint64_t breaks,
                           uint64_t cluster_bytes)
{
    struct meter_steps steps;

    if (breaks == 0) {
        meter->open_run_bytes += 64 * cluster_bytes;
        return;
    }
    if (__builtin_popcountll(breaks) < MANY_BREAKS)
        meter_steps_measure_few(&steps, begin, breaks, cluster_bytes);
    else
        meter_steps_measure(&steps, begin, breaks, cluster_bytes);
    count_jumps(meter, &steps, breaks);
    count_runs(meter, breaks, 64, NULL, cluster_bytes);
}

static struct meter_edge cluster_edge(uint64_t guest_off, uint64_t begin, uint64_t cluster_bytes)
{
    return (struct meter_edge){.guest_off = guest_off,
                               .position = begin,
                               .end = begin + cluster_bytes,
                               .read_begin = begin,
                               .read_end = begin + cluster_bytes};
}

/* Clusters that are the one before them: of 512 bytes, they are still in the buffer. */
static void step_on_the_spot(struct meter *meter, const struct piece_batch *batch)
{
    for (uint32_t i = 1; i < batch->n; i++)
        if (batch->begin[i] == batch->begin[i - 1])
            meter_head_step_back(&meter->head, batch->cluster_bytes, batch->cluster_bytes);
}

CLONES static void take_uniform(struct meter *meter, const struct piece_batch *batch)
{
    uint64_t cluster_bytes = batch->cluster_bytes;
    uint64_t last_guest_off = batch->guest_first + (batch->n - 1) * cluster_bytes;
    struct meter_edge edge = cluster_edge(batch->guest_first, batch->begin[0], cluster_bytes);
    struct meter_file *file = &meter->files[batch->file];
    uint64_t breaks_before;

    edge.source = batch->source_begin;
    step_to(meter, &edge, batch->file, false);
    breaks_before = meter->breaks;
    /* The first step is judged above, by the rule for any two pieces. */
    for (uint32_t i = 0, n; i < batch->n; i += n) {
        n = count_scattered(batch, i);
        if (n > 0) {
            take_scattered(meter, batch, i, n);
            continue;
        }
        n = 64;
        take_word(meter, &batch->begin[i],
                  i == 0 ? batch->breaks[0] & ~UINT64_C(1) : batch->breaks[i / 64], cluster_bytes);
    }
    edge = cluster_edge(last_guest_off, batch->begin[batch->n - 1], cluster_bytes);
    edge.source = batch->source_end;
    arrive(meter, &edge, cluster_bytes);
    file->runs += meter->breaks - breaks_before;
    file->bytes += batch->n * cluster_bytes;
    meter->head.read_bytes += batch->n * cluster_bytes;
    if (cluster_bytes <= METER_HEAD_BUFFER_BYTES)
        step_on_the_spot(meter, batch);
}

void meter_take(struct meter *meter, const struct piece_batch *batch)
{
    if (batch->table_bytes > 0) {
        meter_head_move(&meter->head, (struct meter_place){batch->table_file, batch->table_off},
                        batch->table_bytes);
        meter->head.at.off += batch->table_bytes;
        meter->head.strayed = true;
        meter->head.read_bytes += batch->table_bytes;
        meter->head.table_bytes += batch->table_bytes;
    }
    meter->hole_bytes += batch->hole_bytes;
    meter->compared += batch->compared;
    meter->splits += batch->splits;
    if (batch->n > 0 && batch->uniform)
        take_uniform(meter, batch);
    else if (batch->n > 0)
        take_general(meter, batch);
    if (batch->again_bytes > 0)
        meter_head_read_again(&meter->head,
                              (struct meter_place){batch->again_file, batch->again_off},
                              batch->again_bytes, batch->again_blob_bytes);
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
    left->compared += right->compared;
    left->splits += right->splits;
    if (!right->head.any)
        return;
    if (right->head.led || !right->any) { /* it begins with a table */
        meter_head_move(&left->head, right->head.first, right->head.first_bytes);
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
        meter_moves_merge(&left->moves[i], &right->moves[i], times);
    add_tally(left->moves, right->tally, times);
}

void meter_merge(struct meter *left, const struct meter *right)
{
    meter_join(left, right, 0);
    meter_add_inner(left, right, 1);
}

void meter_pour_jumps(const struct meter *meter, struct meter_jumps jumps[METER_N_DIRECTIONS])
{
    struct meter_tallied found;

    for (unsigned i = 0; i < METER_N_DIRECTIONS; i++)
        meter_moves_pour(&meter->moves[i], &jumps[i]);
    for (unsigned slot = 0;
         meter->tally != NULL && meter_tally_next(meter->tally, &slot, &found);) {
        jumps[found.direction].bin[found.bin].count += found.count;
        jumps[found.direction].bin[found.bin].sum += found.sum;
    }
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

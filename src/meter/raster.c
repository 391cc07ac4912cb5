// SPDX-License-Identifier: MIT
/* Owns what goes into which cell. Counts with integers only. */
#include "raster.h"

#include "clones.h"
#include "step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 64 /* bins */

struct meter_raster_chunk {
    struct meter_raster_bin bins[CHUNK];
    uint64_t bytes[]; /* [CHUNK][rows] */
};

struct meter_axis meter_axis_of(uint64_t begin, uint64_t end, uint64_t unit_bytes, uint32_t most)
{
    struct meter_axis axis = {.shift = (unsigned)__builtin_ctzll(unit_bytes)};

    if (end <= begin)
        end = begin + 1;
    for (;; axis.shift++) {
        uint64_t first = begin >> axis.shift, n = ((end - 1) >> axis.shift) - first + 1;

        axis.origin = first << axis.shift;
        if (n <= most) {
            axis.n = (uint32_t)n;
            return axis;
        }
    }
}

/* ---- memory ---- */

static uint32_t n_chunks(const struct meter_raster *raster)
{
    return (meter_raster_bins(&raster->shape)->n + CHUNK - 1) / CHUNK;
}

static size_t n_rows(const struct meter_raster *raster)
{
    return meter_raster_rows(&raster->shape)->n;
}

struct meter_raster *meter_raster_new(const struct meter_raster_shape *shape)
{
    struct meter_raster *raster = calloc(1, sizeof(*raster));

    if (raster == NULL)
        return NULL;
    raster->shape = *shape;
    raster->guest_first = UINT64_MAX;
    raster->files = calloc(shape->n_files, sizeof(*raster->files));
    raster->chunks = calloc(n_chunks(raster), sizeof(*raster->chunks));
    if (raster->files == NULL || raster->chunks == NULL) {
        meter_raster_free(raster);
        return NULL;
    }
    return raster;
}

static void free_chunks(struct meter_raster *raster)
{
    for (uint32_t i = 0; raster->chunks != NULL && i < n_chunks(raster); i++) {
        free(raster->chunks[i]);
        raster->chunks[i] = NULL;
    }
}

void meter_raster_free(struct meter_raster *raster)
{
    if (raster == NULL)
        return;
    free_chunks(raster);
    free(raster->chunks);
    free(raster->files);
    free(raster);
}

void meter_raster_clear(struct meter_raster *raster)
{
    free_chunks(raster);
    memset(raster->files, 0, raster->shape.n_files * sizeof(*raster->files));
    raster->any = raster->lost = false;
    raster->guest_first = UINT64_MAX;
}

int meter_raster_error(const struct meter_raster *raster)
{
    return raster->lost ? -ENOMEM : 0;
}

static struct meter_raster_chunk *chunk_of(struct meter_raster *raster, uint32_t bin)
{
    struct meter_raster_chunk **chunk = &raster->chunks[bin / CHUNK];

    if (*chunk == NULL)
        *chunk = calloc(1, sizeof(**chunk) + CHUNK * n_rows(raster) * sizeof(uint64_t));
    raster->lost |= *chunk == NULL;
    return *chunk;
}

/* A bin, and its bytes in each row. */
struct place {
    struct meter_raster_bin *bin; /* NULL: there is no memory for it */
    uint64_t *rows;
};

static struct place place_of(struct meter_raster *raster, uint32_t bin)
{
    struct meter_raster_chunk *chunk = chunk_of(raster, bin);

    if (chunk == NULL)
        return (struct place){NULL, NULL};
    return (struct place){&chunk->bins[bin % CHUNK], &chunk->bytes[bin % CHUNK * n_rows(raster)]};
}

const struct meter_raster_bin *meter_raster_bin(const struct meter_raster *raster, uint32_t number,
                                                const uint64_t **rows)
{
    const struct meter_raster_chunk *chunk = raster->chunks[number / CHUNK];

    if (chunk == NULL)
        return NULL;
    *rows = &chunk->bytes[number % CHUNK * n_rows(raster)];
    return &chunk->bins[number % CHUNK];
}

/* ---- places ---- */

static uint64_t host_begin(const struct meter_raster *raster, unsigned file)
{
    return raster->shape.file_begins != NULL ? raster->shape.file_begins[file] : 0;
}

static uint32_t bin_of(const struct meter_raster *raster, uint64_t guest_off, uint64_t host_off)
{
    return meter_axis_find(meter_raster_bins(&raster->shape),
                           raster->shape.by_host ? host_off : guest_off);
}

static uint32_t row_of(const struct meter_raster *raster, uint64_t guest_off, uint64_t host_off)
{
    return meter_axis_find(meter_raster_rows(&raster->shape),
                           raster->shape.by_host ? guest_off : host_off);
}

static void note_first(struct meter_raster *raster, uint64_t guest_off)
{
    if (raster->guest_first == UINT64_MAX)
        raster->guest_first = guest_off;
}

/* @host_off is of the axis: see host_begin. */
static void add(struct meter_raster *raster, uint64_t guest_off, uint64_t host_off, uint64_t bytes,
                bool compressed)
{
    struct place place = place_of(raster, bin_of(raster, guest_off, host_off));

    if (place.bin == NULL)
        return;
    place.bin->mapped_bytes += bytes;
    place.bin->compressed_bytes += compressed ? bytes : 0;
    place.rows[row_of(raster, guest_off, host_off)] += bytes;
}

/* From @off to the next border of @axis. */
static uint64_t to_border(const struct meter_axis *axis, uint64_t off)
{
    uint64_t unit_bytes = UINT64_C(1) << axis->shift;

    return unit_bytes - (off & (unit_bytes - 1));
}

/* A stretch that lies byte by byte: each byte goes where it lies. */
static void add_stretch(struct meter_raster *raster, uint64_t guest_off, uint64_t host_off,
                        uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t guest_left = to_border(&raster->shape.guest, guest_off);
        uint64_t host_left = to_border(&raster->shape.host, host_off);
        uint64_t n = guest_left < host_left ? guest_left : host_left;

        n = n < bytes ? n : bytes;
        add(raster, guest_off, host_off, n, false);
        guest_off += n;
        host_off += n;
        bytes -= n;
    }
}

/* ---- breaks ---- */

static void count_breaks(struct meter_raster *raster, const struct meter_edge *edge, unsigned file,
                         uint64_t breaks, uint64_t near_jumps)
{
    uint64_t host_off = host_begin(raster, file) + edge->position;
    struct place place;

    if (breaks == 0)
        return;
    place = place_of(raster, bin_of(raster, edge->guest_off, host_off));
    if (place.bin == NULL)
        return;
    place.bin->breaks += breaks;
    place.bin->near_jumps += near_jumps;
}

/* The step to a piece: a switch is a break, and a jump in its file is one, as in the meter. */
static void step_to(struct meter_raster *raster, const struct meter_edge *edge, uint16_t number)
{
    struct meter_file *file = &raster->files[number];
    struct meter_step step = meter_step_judge(file, edge);
    bool jumps = step.kind == METER_STEP_JUMP;
    bool near = jumps && step.direction == METER_FORWARD && step.distance <= METER_NEAR_BYTES;
    bool switches = raster->any && raster->last_file != number;

    count_breaks(raster, edge, number, (uint64_t)switches + jumps, near);
    if (!raster->any)
        raster->first_file = number;
    if (!file->seen)
        file->first = *edge;
    raster->any = file->seen = true;
    raster->last_file = number;
}

static void arrive(struct meter_raster *raster, struct meter_edge edge, uint64_t guest_bytes)
{
    edge.guest_off += guest_bytes;
    raster->files[raster->last_file].last = edge;
}

/* ---- pieces of any kind ---- */

static void add_zeros(struct meter_raster *raster, uint64_t guest_off, uint64_t bytes)
{
    note_first(raster, guest_off);
    while (bytes > 0 && !raster->shape.by_host) {
        uint64_t left = to_border(&raster->shape.guest, guest_off);
        uint64_t n = left < bytes ? left : bytes;
        struct place place = place_of(raster, bin_of(raster, guest_off, 0));

        if (place.bin == NULL)
            return;
        place.bin->zero_bytes += n;
        guest_off += n;
        bytes -= n;
    }
}

/*
 * A blob, and a cluster of which parts are missing, belong to where they begin: units are no
 * smaller than clusters.
 */
static void take_piece(struct meter_raster *raster, const struct piece_batch *batch, uint32_t i)
{
    uint64_t guest_off = batch->guest_off[i], bytes = batch->mapped_bytes[i];
    uint64_t host_off = host_begin(raster, batch->files[i]) + batch->begin[i];
    struct meter_edge edge;

    if (!piece_is_mapped(batch->kind[i])) {
        add_zeros(raster, guest_off, batch->guest_bytes[i]);
        return;
    }
    edge = meter_edge_of_piece(batch, i);
    note_first(raster, guest_off);
    step_to(raster, &edge, batch->files[i]);
    arrive(raster, edge, batch->guest_bytes[i]);
    if (batch->kind[i] == PIECE_DATA && bytes == batch->guest_bytes[i] &&
        bytes == batch->end[i] - batch->begin[i])
        add_stretch(raster, guest_off, host_off, bytes);
    else
        add(raster, guest_off, host_off, bytes, batch->kind[i] == PIECE_COMPRESSED);
}

/* ---- clusters that follow one another ---- */

/* Of pieces [first, end) those that begin with a break, which is a near jump. */
CLONES_PART uint64_t count_near(const struct piece_batch *batch, uint32_t first, uint32_t end)
{
    uint64_t near = 0;

    for (uint32_t i = first; i < end; i++)
        near += batch->begin[i] - batch->begin[i - 1] - batch->cluster_bytes - 1 < METER_NEAR_BYTES;
    return near;
}

/* The breaks before pieces [first, end), not the first of the batch. */
CLONES_PART uint64_t count_set(const struct piece_batch *batch, uint32_t first, uint32_t end)
{
    uint64_t n = 0;

    for (uint32_t word = first / 64; word * 64 < end; word++) {
        uint64_t breaks = batch->breaks[word];

        if (word == first / 64)
            breaks &= UINT64_MAX << first % 64;
        if (end - word * 64 < 64)
            breaks &= (UINT64_C(1) << (end - word * 64)) - 1;
        n += (unsigned)__builtin_popcountll(breaks);
    }
    return n;
}

/* Pieces [first, end) are of one bin. @base: where the file begins on the axis, less its origin. */
CLONES_PART void add_to_rows(const struct meter_axis *axis, uint64_t base, uint64_t *rows,
                             const struct piece_batch *batch, uint32_t first, uint32_t end)
{
    const uint64_t cluster_bytes = batch->cluster_bytes, last = axis->n - 1;

    for (uint32_t i = first; i < end; i++) {
        uint64_t row = (batch->begin[i] + base) >> axis->shift;

        rows[row < last ? row : last] += cluster_bytes;
    }
}

/* Do all clusters of the batch lie in one stretch of the host each? In a file they do, on a device
 * perhaps not. */
CLONES_PART bool fit_into_rows(const struct meter_axis *axis, uint64_t base,
                               const struct piece_batch *batch)
{
    const uint64_t mask = (UINT64_C(1) << axis->shift) - 1;
    uint64_t over = 0;

    for (uint32_t i = 0; i < batch->n; i++) {
        uint64_t inside = (batch->begin[i] + base) & mask;

        over |= mask + 1 - batch->cluster_bytes - inside;
    }
    return (int64_t)over >= 0;
}

/* The pieces go to bins of the guest disk, many to each. */
CLONES static void take_along(struct meter_raster *raster, const struct piece_batch *batch)
{
    const struct meter_axis *guest = &raster->shape.guest, *host = &raster->shape.host;
    uint64_t base = host_begin(raster, batch->file) - host->origin;

    for (uint32_t i = 0, end; i < batch->n; i = end) {
        uint64_t guest_off = batch->guest_first + i * batch->cluster_bytes;
        uint64_t left = to_border(guest, guest_off) / batch->cluster_bytes;
        struct place place = place_of(raster, meter_axis_find(guest, guest_off));
        uint32_t from = i > 0 ? i : 1; /* the step to the first has been judged */
        uint64_t breaks;

        end = left < batch->n - i ? i + (uint32_t)left : batch->n;
        if (place.bin == NULL)
            continue;
        place.bin->mapped_bytes += (end - i) * batch->cluster_bytes;
        add_to_rows(host, base, place.rows, batch, i, end);
        breaks = from < end ? count_set(batch, from, end) : 0;
        if (breaks > 0) {
            place.bin->breaks += breaks;
            place.bin->near_jumps += count_near(batch, from, end);
        }
    }
}

/* The pieces go to bins of the host, one by one, and each into one of them. */
CLONES static void take_by_host(struct meter_raster *raster, const struct piece_batch *batch)
{
    const struct meter_axis *guest = &raster->shape.guest, *host = &raster->shape.host;
    const uint64_t cluster_bytes = batch->cluster_bytes;
    uint64_t base = host_begin(raster, batch->file);

    for (uint32_t i = 0; i < batch->n; i++) {
        struct place place = place_of(raster, meter_axis_find(host, base + batch->begin[i]));

        if (place.bin == NULL)
            continue;
        place.bin->mapped_bytes += cluster_bytes;
        place.rows[meter_axis_find(guest, batch->guest_first + i * cluster_bytes)] += cluster_bytes;
        if (i > 0 && (batch->breaks[i / 64] >> i % 64 & 1)) {
            place.bin->breaks++;
            place.bin->near_jumps += count_near(batch, i, i + 1);
        }
    }
}

/* The pieces go one by one to bins, or to two of them. */
static void take_across(struct meter_raster *raster, const struct piece_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        struct meter_edge edge = meter_edge_of_cluster(batch, i);

        if (i > 0 && (batch->breaks[i / 64] >> i % 64 & 1))
            count_breaks(raster, &edge, batch->file, 1, count_near(batch, i, i + 1));
        add_stretch(raster, edge.guest_off, host_begin(raster, batch->file) + edge.position,
                    batch->cluster_bytes);
    }
}

static void take_uniform(struct meter_raster *raster, const struct piece_batch *batch)
{
    struct meter_edge first = meter_edge_of_cluster(batch, 0);
    const struct meter_axis *host = &raster->shape.host;

    note_first(raster, batch->guest_first);
    step_to(raster, &first, batch->file);
    if (!fit_into_rows(host, host_begin(raster, batch->file) - host->origin, batch))
        take_across(raster, batch);
    else if (raster->shape.by_host)
        take_by_host(raster, batch);
    else
        take_along(raster, batch);
    arrive(raster, meter_edge_of_cluster(batch, batch->n - 1), batch->cluster_bytes);
}

void meter_raster_take(struct meter_raster *raster, const struct piece_batch *batch)
{
    if (batch->n > 0 && batch->uniform)
        take_uniform(raster, batch);
    else
        for (uint32_t i = 0; i < batch->n; i++)
            take_piece(raster, batch, i);
}

void meter_raster_take_zeros(struct meter_raster *raster, const struct piece_batch *batch)
{
    for (uint32_t i = 0; i < batch->n && !batch->uniform; i++)
        if (!piece_is_mapped(batch->kind[i]))
            add_zeros(raster, batch->guest_off[i], batch->guest_bytes[i]);
}

/* ---- merging ---- */

/* By how many stretches of the guest axis all that @right holds moves: see meter_raster_shape. */
static uint32_t stretches_of(const struct meter_raster *right, uint64_t shift)
{
    const struct meter_axis *guest = &right->shape.guest;

    return meter_axis_find(guest, right->guest_first + shift) -
           meter_axis_find(guest, right->guest_first);
}

static void add_bin(struct meter_raster *left, uint32_t number, const struct meter_raster_bin *bin,
                    const uint64_t *rows, uint32_t row_shift)
{
    struct place place = place_of(left, number);
    size_t n = n_rows(left);

    if (place.bin == NULL)
        return;
    place.bin->mapped_bytes += bin->mapped_bytes;
    place.bin->compressed_bytes += bin->compressed_bytes;
    place.bin->zero_bytes += bin->zero_bytes;
    place.bin->breaks += bin->breaks;
    place.bin->near_jumps += bin->near_jumps;
    for (size_t i = 0; i < n && bin->mapped_bytes > 0; i++)
        if (rows[i] > 0)
            place.rows[(uint32_t)i + row_shift] += rows[i];
}

static bool is_empty(const struct meter_raster_bin *bin)
{
    return (bin->mapped_bytes | bin->zero_bytes | bin->breaks) == 0;
}

static void add_chunk(struct meter_raster *left, const struct meter_raster *right, uint32_t number,
                      uint32_t bin_shift, uint32_t row_shift)
{
    uint32_t first = number * CHUNK, end = first + CHUNK;
    const uint64_t *rows;

    if (right->chunks[number] == NULL)
        return;
    if (end > meter_raster_bins(&right->shape)->n)
        end = meter_raster_bins(&right->shape)->n;
    for (uint32_t i = first; i < end; i++) {
        const struct meter_raster_bin *bin = meter_raster_bin(right, i, &rows);

        if (!is_empty(bin))
            add_bin(left, i + bin_shift, bin, rows, row_shift);
    }
}

/*
 * The edges of @right, and the breaks between it and @left: as in meter_join, a file that @right
 * comes to later can be broken off there as well, besides the switch that is counted inside.
 */
static void join_edges(struct meter_raster *left, const struct meter_raster *right, uint64_t shift)
{
    if (!right->any)
        return;
    for (unsigned k = 0; k < right->shape.n_files; k++) {
        /* The first piece of all comes first. */
        unsigned i = k == 0 ? right->first_file : k <= right->first_file ? k - 1 : k;
        const struct meter_file *file = &right->files[i];
        struct meter_edge first = file->first, last = file->last;

        if (!file->seen)
            continue;
        first.guest_off += shift;
        last.guest_off += shift;
        if (k > 0)
            left->last_file = (uint16_t)i; /* the switch to it is no business of the seam */
        step_to(left, &first, (uint16_t)i);
        left->files[i].last = last;
    }
    left->last_file = right->last_file;
}

void meter_raster_join(struct meter_raster *left, const struct meter_raster *right, uint64_t shift)
{
    uint32_t stretches;

    left->lost |= right->lost;
    if (right->guest_first == UINT64_MAX)
        return;
    stretches = stretches_of(right, shift);
    note_first(left, right->guest_first + shift);
    for (uint32_t i = 0; i < n_chunks(right); i++)
        add_chunk(left, right, i, right->shape.by_host ? 0 : stretches,
                  right->shape.by_host ? stretches : 0);
    join_edges(left, right, shift);
}

void meter_raster_merge(struct meter_raster *left, struct meter_raster *right)
{
    for (uint32_t i = 0; i < n_chunks(left); i++) {
        if (left->chunks[i] != NULL)
            continue;
        left->chunks[i] = right->chunks[i];
        right->chunks[i] = NULL;
    }
    meter_raster_join(left, right, 0);
}

// SPDX-License-Identifier: MIT
/*
 * Proves that pieces come out of the stage where a look at each single byte finds them: whatever
 * the extents, the shape of the batches, and the places where a walk is cut.
 */
#include "placing.h"

#include "dice.h"
#include "err.h"
#include "grid.h"
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define K UINT64_C(1024)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LIST_MAX 4096

static struct host_map *map_of(const struct host_fiemap_extent *list, size_t n)
{
    struct kernel kernel = {.list = list, .n_list = n};
    struct host_fiemap_source source = kernel_source(&kernel);
    struct host_map *map = NULL;
    struct err err = {0};

    if (host_map_read(&source, HOST_SEGMENTS_MAX, &map, &err) < 0)
        fail_msg("%s", err.text);
    return map;
}

/* ---- what comes out, in a form that does not depend on how it was cut ---- */

/*
 * Pieces that go on both on the guest disk and on the device are one way to read them, however
 * many they are. Only where the last of them begins counts, since the next step is judged from it.
 */
struct way {
    enum piece_kind kind;
    uint64_t guest_off, guest_bytes, begin, end, mapped_bytes, last_begin;
    uint32_t slack;
    uint16_t file;
    bool table; /* a read of table instead, of [begin, end), */
    bool again; /* or of a part of a blob, again */
    uint64_t blob_bytes;
};

struct ways {
    struct way list[LIST_MAX];
    size_t n;
    uint64_t hole_bytes;
    size_t n_uniform; /* batches */
};

static void add_way(struct ways *ways, struct way way)
{
    struct way *last = ways->n > 0 ? &ways->list[ways->n - 1] : NULL;

    if (last != NULL && way.kind == PIECE_DATA && last->kind == PIECE_DATA && !way.table &&
        !last->table && last->file == way.file && last->end == way.begin &&
        last->guest_off + last->guest_bytes == way.guest_off) {
        last->guest_bytes += way.guest_bytes;
        last->mapped_bytes += way.mapped_bytes;
        last->end = way.end;
        last->last_begin = way.last_begin;
        return;
    }
    assert_true(ways->n < LIST_MAX);
    ways->list[ways->n++] = way;
}

static int take(void *context, const struct piece_batch *batch)
{
    struct ways *ways = context;

    ways->hole_bytes += batch->hole_bytes;
    if (batch->l2_bytes > 0)
        add_way(ways, (struct way){.table = true,
                                   .begin = batch->l2_off,
                                   .end = batch->l2_off + batch->l2_bytes,
                                   .file = batch->l2_file});
    if (batch->n > 0 && batch->uniform) {
        ways->n_uniform++;
        assert_int_equal(batch->n % 64, 0);
    }
    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        if (batch->uniform && i > 0) {
            uint64_t before = batch->begin[i - 1];

            assert_int_equal(batch->breaks[i / 64] >> i % 64 & 1,
                             piece.begin != before + batch->cluster_bytes);
            /* What a meter of uniform batches relies on. */
            assert_true(piece.begin <= before || piece.begin >= before + batch->cluster_bytes);
        }
        assert_int_equal(piece.missing, 0);
        add_way(ways, (struct way){.kind = piece.kind,
                                   .guest_off = piece.guest_off,
                                   .guest_bytes = piece.guest_bytes,
                                   .begin = piece.begin,
                                   .end = piece.end,
                                   .mapped_bytes = piece.mapped_bytes,
                                   .last_begin = piece.begin,
                                   .slack = piece.slack,
                                   .file = piece.file});
    }
    if (batch->again_bytes > 0)
        add_way(ways, (struct way){.kind = PIECE_COMPRESSED,
                                   .again = true,
                                   .begin = batch->again_off,
                                   .end = batch->again_off + batch->again_bytes,
                                   .blob_bytes = batch->again_blob_bytes,
                                   .file = batch->again_file});
    return 0;
}

static void assert_same_ways(const struct ways *a, const struct ways *b)
{
    assert_int_equal(a->hole_bytes, b->hole_bytes);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct way *x = &a->list[i], *y = &b->list[i];

        assert_int_equal(x->table, y->table);
        assert_int_equal(x->again, y->again);
        assert_int_equal(x->blob_bytes, y->blob_bytes);
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->guest_off, y->guest_off);
        assert_int_equal(x->guest_bytes, y->guest_bytes);
        assert_int_equal(x->begin, y->begin);
        assert_int_equal(x->end, y->end);
        assert_int_equal(x->mapped_bytes, y->mapped_bytes);
        assert_int_equal(x->last_begin, y->last_begin);
        assert_int_equal(x->slack, y->slack);
        assert_int_equal(x->file, y->file);
    }
}

/* ---- the same, byte by byte, from the extents alone ---- */

struct extents {
    struct host_fiemap_extent list[200];
    size_t n;
};

/* Where a byte lies. What is alike for two bytes goes on from one to the other. */
struct spot {
    bool placed;
    uint64_t physical;
    size_t encoded; /* 0, or the number of the extent from 1 on */
};

/* Nothing begins in the middle of what goes on. */
static bool only_goes_on(const struct extents *extents, size_t i)
{
    const struct host_fiemap_extent *extent = &extents->list[i], *before = extent - 1;

    return i > 0 && extent->flags == 0 && before->flags == 0 &&
           extent->file_off == before->file_off + before->bytes &&
           extent->physical == before->physical + before->bytes;
}

static uint64_t stored_bytes(const struct extents *extents, size_t i)
{
    uint64_t bytes = extents->list[i].bytes;

    for (size_t j = 0; j < extents->n; j++) {
        const struct host_fiemap_extent *other = &extents->list[j];

        if (!(other->flags & (FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_UNKNOWN)) &&
            !only_goes_on(extents, j) && other->physical > extents->list[i].physical &&
            other->physical - extents->list[i].physical < bytes)
            bytes = other->physical - extents->list[i].physical;
    }
    return bytes;
}

static struct spot spot_of(const struct extents *extents, uint64_t off)
{
    for (size_t i = 0; i < extents->n; i++) {
        const struct host_fiemap_extent *extent = &extents->list[i];
        uint64_t at = off - extent->file_off;

        if (off < extent->file_off || at >= extent->bytes)
            continue;
        if (extent->flags & (FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_UNKNOWN))
            break;
        if (extent->flags & FIEMAP_EXTENT_ENCODED)
            return (struct spot){
                true, extent->physical + at * stored_bytes(extents, i) / extent->bytes, i + 1};
        return (struct spot){true, extent->physical + at, 0};
    }
    return (struct spot){.placed = false};
}

/* The place just behind a byte. */
static uint64_t behind(const struct extents *extents, uint64_t off)
{
    struct spot spot = spot_of(extents, off);
    const struct host_fiemap_extent *extent;

    if (spot.encoded == 0)
        return spot.physical + 1;
    extent = &extents->list[spot.encoded - 1];
    return extent->physical +
           (off + 1 - extent->file_off) * stored_bytes(extents, spot.encoded - 1) / extent->bytes;
}

static bool goes_on(struct spot spot, struct spot next)
{
    return spot.placed == next.placed && spot.encoded == next.encoded &&
           (!spot.placed || spot.encoded != 0 || next.physical == spot.physical + 1);
}

/* How many bytes from @off on, @most at most, lie in one place. */
static uint64_t same_spot(const struct extents *extents, uint64_t off, uint64_t most)
{
    struct spot spot = spot_of(extents, off);

    for (uint64_t n = 1; n < most; n++) {
        struct spot next = spot_of(extents, off + n);

        if (!goes_on(spot, next))
            return n;
        spot = next;
    }
    return most;
}

static void refer_stretch(const struct extents *extents, const struct piece *piece, uint64_t from,
                          uint64_t bytes, struct ways *ways)
{
    uint64_t length = piece->end - piece->begin;

    for (uint64_t n, at = from; at < from + bytes; at += n) {
        struct spot spot = spot_of(extents, piece->begin + at);
        bool blob = piece->kind == PIECE_COMPRESSED;
        uint64_t guest, mapped;

        n = same_spot(extents, piece->begin + at, from + bytes - at);
        guest = blob ? piece->mapped_bytes * at / length : at;
        mapped = blob ? piece->mapped_bytes * (at + n) / length - guest : n;
        if (!spot.placed) {
            ways->hole_bytes += mapped;
            continue;
        }
        add_way(ways, (struct way){.kind = piece->kind,
                                   .guest_off = piece->guest_off + guest,
                                   .guest_bytes = mapped,
                                   .begin = spot.physical,
                                   .end = behind(extents, piece->begin + at + n - 1),
                                   .mapped_bytes = mapped,
                                   .last_begin = spot.physical,
                                   .slack = at + n == length ? piece->slack : 0,
                                   .file = piece->file});
    }
}

static void refer_table(const struct extents *extents, const struct piece_batch *batch,
                        struct ways *ways)
{
    for (uint64_t n, at = 0; at < batch->l2_bytes; at += n) {
        struct spot spot = spot_of(extents, batch->l2_off + at);

        n = same_spot(extents, batch->l2_off + at, batch->l2_bytes - at);
        if (spot.placed)
            add_way(ways, (struct way){.table = true,
                                       .begin = spot.physical,
                                       .end = behind(extents, batch->l2_off + at + n - 1),
                                       .file = batch->l2_file});
    }
}

/* The parts that have a place, as if each were read there; the first one knows of them all. */
static void refer_again(const struct extents *extents, const struct piece_batch *batch,
                        struct ways *ways)
{
    struct way *first = NULL;
    uint64_t sum = 0;

    for (uint64_t n, at = batch->again_off, end = at + batch->again_bytes; at < end; at += n) {
        struct spot spot = spot_of(extents, at);
        uint64_t bytes;

        n = same_spot(extents, at, end - at);
        bytes = spot.placed ? behind(extents, at + n - 1) - spot.physical : 0;
        if (bytes == 0)
            continue;
        sum += bytes;
        add_way(ways, (struct way){.kind = PIECE_COMPRESSED,
                                   .again = true,
                                   .begin = spot.physical,
                                   .end = spot.physical + bytes,
                                   .file = batch->again_file});
        first = first != NULL ? first : &ways->list[ways->n - 1];
    }
    if (first != NULL)
        first->blob_bytes = sum;
}

/* @extents of each file. */
static void refer(const struct extents *extents, const struct piece_batch *batch, struct ways *ways)
{
    ways->hole_bytes += batch->hole_bytes;
    refer_table(&extents[batch->l2_bytes > 0 ? batch->l2_file : 0], batch, ways);
    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);
        uint64_t part = (piece.end - piece.begin) / PIECE_SUBCLUSTERS;

        if (piece.kind != PIECE_DATA && piece.kind != PIECE_COMPRESSED)
            continue;
        if (piece.missing == 0)
            refer_stretch(&extents[piece.file], &piece, 0, piece.end - piece.begin, ways);
        for (unsigned j = 0, held; j < PIECE_SUBCLUSTERS && piece.missing != 0; j += held + 1) {
            for (held = 0; j + held < PIECE_SUBCLUSTERS && !(piece.missing >> (j + held) & 1);)
                held++;
            refer_stretch(&extents[piece.file], &piece, j * part, held * part, ways);
        }
    }
    if (batch->again_bytes > 0)
        refer_again(&extents[batch->again_file], batch, ways);
}

/* ---- stages ---- */

/* The stage over the batches gives what the bytes say: with one state, and with a new one for each.
 */
static void check(const struct extents *extents, unsigned n_files, uint64_t cluster_bytes,
                  const struct piece_batch *batches, size_t n_batches, struct ways *ways)
{
    struct ways *expected = calloc(1, sizeof(*expected)), *cut = calloc(1, sizeof(*cut));
    const struct host_map *maps[2];
    struct host_map *owned[2];
    struct piece_stage stage;
    void *state;

    assert_true(n_files <= 2);
    memset(ways, 0, sizeof(*ways));
    for (unsigned i = 0; i < n_files; i++)
        maps[i] = owned[i] = map_of(extents[i].list, extents[i].n);
    assert_int_equal(host_placing_new(maps, n_files, cluster_bytes, NULL, &stage), 0);
    assert_int_equal(stage.n_files, n_files);
    state = stage.state_new(stage.shared);
    for (size_t i = 0; i < n_batches; i++) {
        void *another = stage.state_new(stage.shared);

        assert_int_equal(stage.take(state, &batches[i], (struct piece_sink){take, ways}), 0);
        assert_int_equal(stage.take(another, &batches[i], (struct piece_sink){take, cut}), 0);
        refer(extents, &batches[i], expected);
        stage.state_free(another);
    }
    stage.state_free(state);
    host_placing_free(&stage);
    assert_same_ways(ways, expected);
    assert_same_ways(cut, expected);
    for (unsigned i = 0; i < n_files; i++)
        host_map_free(owned[i]);
    free(expected);
    free(cut);
}

/* A batch of @n whole clusters, one behind the other on the guest disk. */
static void fill_uniform(struct piece_batch *batch, uint64_t cluster_bytes, uint64_t guest_off,
                         const uint64_t *clusters, uint32_t n)
{
    memset(batch, 0xa5, sizeof(*batch));
    piece_batch_clear(batch);
    batch->uniform = true;
    batch->cluster_bytes = cluster_bytes;
    batch->guest_first = guest_off;
    batch->file = 0;
    batch->n = n;
    memset(batch->breaks, 0, sizeof(batch->breaks));
    for (uint32_t i = 0; i < n; i++) {
        batch->begin[i] = clusters[i] * cluster_bytes;
        if (i > 0 && clusters[i] != clusters[i - 1] + 1)
            batch->breaks[i / 64] |= UINT64_C(1) << i % 64;
    }
}

static void begin_general(struct piece_batch *batch, uint64_t cluster_bytes)
{
    memset(batch, 0xa5, sizeof(*batch));
    piece_batch_clear(batch);
    batch->uniform = false;
    batch->cluster_bytes = cluster_bytes;
}

/* ---- single cases ---- */

static struct ways ways;
static struct piece_batch batches[16];

static const struct extents one_piece = {{{0, 4096 * K, 1000 * K, 0}}, 1};

static void clusters_in_one_extent_stay_uniform(void **state)
{
    uint64_t clusters[512];

    (void)state;
    for (uint32_t i = 0; i < 512; i++)
        clusters[i] = 511 - i;
    fill_uniform(batches, 4 * K, 64 * K, clusters, 512);
    check(&one_piece, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n_uniform, 1);
    assert_int_equal(ways.n, 512);
    assert_int_equal(ways.list[0].begin, 1000 * K + 511 * 4 * K);
    assert_int_equal(ways.list[0].guest_off, 64 * K);
}

static void clusters_in_several_extents_stay_uniform_while_each_is_whole(void **state)
{
    static const struct extents extents = {
        {{0, 512 * K, 1000 * K, 0}, {512 * K, 1536 * K, 9000 * K, 0}}, 2};
    uint64_t clusters[512];
    struct dice dice = dice_of(3);

    (void)state;
    for (uint32_t i = 0; i < 512; i++)
        clusters[i] = dice_below(&dice, 512);
    fill_uniform(batches, 4 * K, 0, clusters, 512);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n_uniform, 1);
    assert_int_equal(ways.hole_bytes, 0);
}

/* Cells of the grid may be larger than clusters: then one cell holds clusters of two extents. */
static void clusters_in_mixed_cells_stay_uniform_too(void **state)
{
    static const struct extents extents = {
        {{0, 700 * 4 * K + 4 * K, 4096 * K, 0}, {701 * 4 * K, 1024 * 1024 * K, 8192 * K, 0}}, 2};
    uint64_t clusters[128];
    struct host_grid grid;
    struct host_map *map = map_of(extents.list, 2);

    (void)state;
    assert_int_equal(host_grid_init(&grid, map, 4 * K), 0);
    assert_true(UINT64_C(1) << grid.cell_bits > 4 * K);
    for (uint32_t i = 0; i < 128; i++)
        clusters[i] = 650 + i * 29 % 100;
    fill_uniform(batches, 4 * K, 0, clusters, 128);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n_uniform, 1);
    assert_int_equal(ways.n, 128);
    host_grid_free(&grid);
    host_map_free(map);
}

static void many_extents_in_one_cell_are_told_apart(void **state)
{
    static struct extents extents;
    uint64_t clusters[256];
    struct dice dice = dice_of(11);

    (void)state;
    extents.n = 200;
    for (size_t i = 0; i < 199; i++) /* 2 clusters each; a cell has 16 */
        extents.list[i] =
            (struct host_fiemap_extent){i * 8 * K, 8 * K, (1000 - i * 3) * 8 * K,
                                        dice_once_in(&dice, 10) ? FIEMAP_EXTENT_UNWRITTEN : 0};
    extents.list[199] = (struct host_fiemap_extent){1024 * 1024 * K, 4 * K, 4 * K, 0};
    for (uint32_t i = 0; i < 256; i++)
        clusters[i] = dice_below(&dice, 398);
    fill_uniform(batches, 4 * K, 0, clusters, 256);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    for (size_t i = 0; i < 199; i++)
        extents.list[i].flags = 0;
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n_uniform, 1);
    assert_int_equal(ways.n, 256);
}

static void a_hole_between_clusters_parts_uniform_batches(void **state)
{
    static const struct extents extents = {
        {{0, 256 * K, 1024 * K, 0}, {512 * K, 256 * K, 8192 * K, 0}}, 2};
    uint64_t clusters[192];

    (void)state;
    for (uint64_t i = 0; i < 192; i++)
        clusters[i] = i;
    fill_uniform(batches, 4 * K, 0, clusters, 192);
    batches[0].hole_bytes = 12345; /* from a stage before */
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n_uniform, 2);
    assert_int_equal(ways.n, 2);
    assert_int_equal(ways.list[1].guest_off, 512 * K);
    assert_int_equal(ways.hole_bytes, 256 * K + 12345);
}

static void clusters_in_holes_are_no_pieces(void **state)
{
    static const struct extents extents = {
        {{0, 4 * K, 8 * K, 0}, {4 * K, 1000 * K, 64 * K, FIEMAP_EXTENT_UNWRITTEN}}, 2};
    uint64_t clusters[512];

    (void)state;
    for (uint32_t i = 0; i < 512; i++)
        clusters[i] = 1 + i * 37 % 1000; /* in both kinds of hole */
    fill_uniform(batches, 4 * K, 0, clusters, 512);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n, 0);
    assert_int_equal(ways.hole_bytes, 512 * 4 * K);
}

static void a_cluster_in_several_extents_is_split(void **state)
{
    static const struct extents extents = {{{0, 1 * K, 100 * K, 0},
                                            {1 * K, 1 * K, 200 * K, FIEMAP_EXTENT_UNWRITTEN},
                                            {2 * K, 1 * K, 300 * K, 0}},
                                           3};
    const struct piece piece = {.kind = PIECE_DATA,
                                .guest_off = 64 * K,
                                .guest_bytes = 4 * K,
                                .end = 4 * K,
                                .mapped_bytes = 4 * K};

    (void)state;
    begin_general(batches, 4 * K);
    piece_batch_add(batches, &piece);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n, 2);
    assert_int_equal(ways.list[0].begin, 100 * K);
    assert_int_equal(ways.list[0].guest_off, 64 * K);
    assert_int_equal(ways.list[0].mapped_bytes, K);
    assert_int_equal(ways.list[1].begin, 300 * K);
    assert_int_equal(ways.list[1].guest_off, 66 * K);
    assert_int_equal(ways.hole_bytes, 2 * K);
}

/* The sum of what it holds stays, to the byte; padding can only follow its end. */
static void a_blob_that_is_split_shares_its_guest_bytes_out(void **state)
{
    static const struct extents extents = {
        {{0, 1000, 100 * K, 0}, {1000, 100, 200 * K, 0}, {1200, 5000, 300 * K, 0}}, 3};
    const struct piece piece = {.kind = PIECE_COMPRESSED,
                                .guest_off = 0,
                                .guest_bytes = 4 * K,
                                .begin = 300,
                                .end = 1536,
                                .mapped_bytes = 4 * K,
                                .slack = 2560};

    (void)state;
    begin_general(batches, 4 * K);
    piece_batch_add(batches, &piece);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n, 3);
    assert_int_equal(ways.list[0].mapped_bytes, 4096 * 700 / 1236);
    assert_int_equal(ways.list[0].slack, 0);
    assert_int_equal(ways.list[2].slack, 2560);
    assert_int_equal(ways.list[0].mapped_bytes + ways.list[1].mapped_bytes +
                         ways.list[2].mapped_bytes + ways.hole_bytes,
                     4 * K);
}

/* Part by part, in the holes nothing; the way back in one go is that over all of them. */
static void a_blob_that_is_split_is_read_again_in_its_places(void **state)
{
    static const struct extents extents = {
        {{0, 1000, 100 * K, 0}, {1000, 100, 200 * K, 0}, {1200, 5000, 300 * K, 0}}, 3};
    const struct piece piece = {.kind = PIECE_COMPRESSED,
                                .guest_off = 0,
                                .guest_bytes = 4 * K,
                                .begin = 300,
                                .end = 1536,
                                .mapped_bytes = 4 * K};

    (void)state;
    begin_general(batches, 4 * K);
    piece_batch_add(batches, &piece);
    piece_batch_read_again(batches, 0, 300, 1536);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n, 6);
    for (size_t i = 0; i < 3; i++) {
        assert_true(!ways.list[i].again && ways.list[3 + i].again);
        assert_int_equal(ways.list[3 + i].begin, ways.list[i].begin);
        assert_int_equal(ways.list[3 + i].end, ways.list[i].end);
        assert_int_equal(ways.list[3 + i].blob_bytes, i == 0 ? 700 + 100 + 336 : 0);
    }
}

static void what_is_missing_of_a_cluster_is_neither_piece_nor_hole(void **state)
{
    const struct piece piece = {.kind = PIECE_DATA,
                                .guest_off = 0,
                                .guest_bytes = 32 * K,
                                .begin = 64 * K,
                                .end = 96 * K,
                                .mapped_bytes = 3 * K,
                                .missing = ~(UINT32_C(7) << 4)};

    (void)state;
    begin_general(batches, 32 * K);
    piece_batch_add(batches, &piece);
    check(&one_piece, 1, 32 * K, batches, 1, &ways);
    assert_int_equal(ways.n, 1);
    assert_int_equal(ways.list[0].guest_off, 4 * K);
    assert_int_equal(ways.list[0].begin, 1068 * K);
    assert_int_equal(ways.list[0].mapped_bytes, 3 * K);
    assert_int_equal(ways.hole_bytes, 0);
}

static void a_table_read_goes_along(void **state)
{
    static const struct extents extents = {{{0, 2 * K, 100 * K, 0}, {3 * K, 9 * K, 200 * K, 0}}, 2};
    uint64_t clusters[64] = {0};

    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        clusters[i] = i;
    fill_uniform(batches, 4 * K, 0, clusters, 64);
    batches[0].l2_file = 0;
    batches[0].l2_off = 1 * K; /* a part, a hole, another part */
    batches[0].l2_bytes = 4 * K;
    begin_general(&batches[1], 4 * K); /* no pieces behind it */
    batches[1].l2_file = 0;
    batches[1].l2_off = 4 * K;
    batches[1].l2_bytes = 1 * K;
    check(&extents, 1, 4 * K, batches, 2, &ways);
    assert_true(ways.list[0].table && ways.list[1].table && !ways.list[2].table);
    assert_int_equal(ways.list[1].begin, 200 * K);
    assert_int_equal(ways.list[1].end, 202 * K);
    assert_true(ways.list[ways.n - 1].table);
}

/* Two parts of the file may share a place: then a cluster can begin inside the one before. */
static void clusters_that_overlap_on_the_device_are_no_uniform_batch(void **state)
{
    static const struct extents extents = {
        {{0, 256 * K, 1024 * K, 0}, {256 * K, 256 * K, 1026 * K, FIEMAP_EXTENT_SHARED}}, 2};
    uint64_t clusters[64];

    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        clusters[i] = i % 2 * 64 + i / 2; /* 0, 64, 1, 65: 2 KiB into the one before */
    fill_uniform(batches, 4 * K, 0, clusters, 64);
    check(&extents, 1, 4 * K, batches, 1, &ways);
    assert_int_equal(ways.n_uniform, 0);
    assert_int_equal(ways.n, 64);
}

static int refuse(void *context, const struct piece_batch *batch)
{
    (void)context;
    (void)batch;
    return -7;
}

static void the_error_of_a_sink_is_passed_on(void **state)
{
    struct host_map *map = map_of(one_piece.list, one_piece.n);
    const struct host_map *maps[] = {map};
    uint64_t clusters[64] = {0};
    struct piece_stage stage;
    void *own;

    (void)state;
    assert_int_equal(host_placing_new(maps, 1, 4 * K, NULL, &stage), 0);
    own = stage.state_new(stage.shared);
    fill_uniform(batches, 4 * K, 0, clusters, 64);
    assert_int_equal(stage.take(own, batches, (struct piece_sink){refuse, NULL}), -7);
    stage.state_free(own);
    host_placing_free(&stage);
    host_map_free(map);
}

/* ---- many cases ---- */

/* Extents of odd lengths, with everything that they can be. @grain: a unit of lengths. */
static void roll_extents(struct dice *dice, struct extents *extents, size_t n, uint64_t grain,
                         bool encoded)
{
    uint64_t at = 0;

    extents->n = n;
    for (size_t i = 0; i < n; i++) {
        struct host_fiemap_extent *extent = &extents->list[i];

        at += dice_once_in(dice, 4) ? grain * dice_below(dice, 8) : 0;
        *extent = (struct host_fiemap_extent){
            at, grain * (1 + dice_below(dice, dice_once_in(dice, 5) ? 64 : 6)),
            grain * dice_below(dice, 1000), 0};
        if (i > 0 && dice_once_in(dice, 4)) /* goes on */
            extent->physical = extents->list[i - 1].physical + at - extents->list[i - 1].file_off;
        if (dice_once_in(dice, 6))
            extent->flags = FIEMAP_EXTENT_UNWRITTEN;
        else if (dice_once_in(dice, 12))
            extent->flags = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC;
        else if (encoded && dice_once_in(dice, 3))
            extent->flags = FIEMAP_EXTENT_ENCODED;
        at += extent->bytes;
    }
}

static uint64_t end_of(const struct extents *extents)
{
    const struct host_fiemap_extent *last = &extents->list[extents->n - 1];

    return last->file_off + last->bytes;
}

static void roll_table(struct dice *dice, const struct extents *extents, struct piece_batch *batch)
{
    if (dice_once_in(dice, 2))
        return;
    batch->l2_file = 0;
    batch->l2_off = dice_below(dice, end_of(extents));
    batch->l2_bytes = 1 + dice_below(dice, 2000);
}

static void roll_uniform(struct dice *dice, const struct extents *extents, uint64_t cluster_bytes,
                         struct piece_batch *batch)
{
    uint64_t clusters[PIECE_BATCH_MAX], most = end_of(extents) / cluster_bytes + 4, at = 0;
    uint32_t n = 64 * (uint32_t)(1 + dice_below(dice, 4));
    uint64_t jumps = 1 + dice_below(dice, 20); /* one in so many */

    for (uint32_t i = 0; i < n; i++) {
        at = i == 0 || dice_once_in(dice, jumps) ? dice_below(dice, most) : at + 1;
        clusters[i] = at;
    }
    fill_uniform(batch, cluster_bytes, cluster_bytes * dice_below(dice, 1000), clusters, n);
    roll_table(dice, extents, batch);
}

static void roll_general(struct dice *dice, const struct extents *extents, unsigned n_files,
                         uint64_t cluster_bytes, struct piece_batch *batch)
{
    uint64_t guest_off = 0;

    begin_general(batch, cluster_bytes);
    roll_table(dice, extents, batch);
    for (uint64_t n = dice_below(dice, 100); n > 0; n--) {
        uint16_t file = (uint16_t)dice_below(dice, n_files);
        uint64_t most = end_of(&extents[file]) + 4 * cluster_bytes;
        struct piece piece = {.kind = PIECE_DATA,
                              .guest_off = guest_off,
                              .guest_bytes = cluster_bytes,
                              .begin = dice_below(dice, most) & ~(cluster_bytes - 1),
                              .mapped_bytes = cluster_bytes,
                              .file = file};

        piece.end = piece.begin + cluster_bytes;
        if (dice_once_in(dice, 3)) {
            piece.kind = PIECE_COMPRESSED;
            piece.begin = dice_below(dice, most);
            piece.end = piece.begin + 1 + dice_below(dice, 2 * cluster_bytes);
            piece.slack = (uint32_t)dice_below(dice, cluster_bytes);
        } else if (dice_once_in(dice, 4)) {
            piece.missing = (uint32_t)dice_u64(dice) | 1;
            piece.missing &= ~(UINT32_C(1) << (1 + dice_below(dice, 31)));
            piece.mapped_bytes -= (uint64_t)__builtin_popcount(piece.missing) * cluster_bytes / 32;
        } else if (dice_once_in(dice, 8)) {
            piece.kind = dice_once_in(dice, 2) ? PIECE_ZERO : PIECE_ZERO_ALLOCATED;
        }
        piece_batch_add(batch, &piece);
        guest_off += cluster_bytes * (1 + dice_below(dice, 2));
        if (n == 1 && piece.kind == PIECE_COMPRESSED)
            piece_batch_read_again(batch, file, piece.begin, piece.end);
    }
}

static void any_batches_over_any_extents_come_out_right(void **state)
{
    static const uint64_t grains[] = {1, 37, 256, 512, 1024, 4096, 65536, 100000};
    static struct extents extents[2];

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct dice dice = dice_of(seed);
        uint64_t cluster_bytes = UINT64_C(512) << dice_below(&dice, 3);
        size_t n = 1 + dice_below(&dice, 4);

        for (unsigned i = 0; i < 2; i++)
            roll_extents(&dice, &extents[i], 1 + dice_below(&dice, 60),
                         grains[dice_below(&dice, COUNT(grains))], dice_once_in(&dice, 3));
        for (size_t i = 0; i < n; i++) {
            if (dice_once_in(&dice, 3))
                roll_general(&dice, extents, 2, cluster_bytes, &batches[i]);
            else
                roll_uniform(&dice, extents, cluster_bytes, &batches[i]);
        }
        check(extents, 2, cluster_bytes, batches, n, &ways);
    }
}

/* ---- the grid ---- */

static void the_grid_finds_what_the_map_finds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        static struct extents extents;
        struct dice dice = dice_of(seed);
        uint64_t cluster_bytes = UINT64_C(512) << dice_below(&dice, 4);
        struct host_grid grid;
        struct host_map *map;

        roll_extents(&dice, &extents, 1 + dice_below(&dice, 200), 512, true);
        map = map_of(extents.list, extents.n);
        assert_int_equal(host_grid_init(&grid, map, cluster_bytes), 0);
        assert_true(UINT64_C(1) << grid.cell_bits >= cluster_bytes);
        for (uint64_t off = 0; off < end_of(&extents) + 9000; off += 1 + dice_below(&dice, 700)) {
            uint64_t cell = grid.cells[host_grid_cell_of(&grid, off)], physical;

            assert_int_equal(host_grid_find(&grid, off), host_map_find(map, off));
            if (!HOST_CELL_IS_SHIFT(cell) && cell != HOST_CELL_HOLE)
                continue;
            assert_int_equal(host_map_look_up(map, off, &physical), cell != HOST_CELL_HOLE);
            assert_int_equal(HOST_CELL_IS_SHIFT(cell), cell != HOST_CELL_HOLE);
            if (cell != HOST_CELL_HOLE)
                assert_int_equal(physical, off + cell);
        }
        assert_int_equal(host_grid_find(&grid, UINT64_MAX), map->n_segments - 1);
        host_grid_free(&grid);
        host_map_free(map);
    }
}

/* However large the file and however many its extents, the grid stays in the cache. */
static void a_grid_is_never_large(void **state)
{
    static const struct host_fiemap_extent list[] = {
        {0, 4 * K, 8 * K, 0}, {HOST_PLACED_END - 4 * K, 4 * K, HOST_PLACED_END - 4 * K, 0}};
    struct host_map *map = map_of(list, 2);
    struct host_grid grid;

    (void)state;
    assert_int_equal(host_grid_init(&grid, map, 512), 0);
    assert_true(grid.n_cells <= (1 << 14) + 1);
    assert_int_equal(grid.cells[host_grid_cell_of(&grid, HOST_PLACED_END / 2)], HOST_CELL_HOLE);
    assert_int_equal(grid.cells[host_grid_cell_of(&grid, 0)], HOST_CELL_MIXED | 0);
    host_grid_free(&grid);
    host_map_free(map);
}

static void distances_of_both_signs_are_shifts(void **state)
{
    (void)state;
    assert_true(HOST_CELL_IS_SHIFT(UINT64_C(0)));
    assert_true(HOST_CELL_IS_SHIFT(HOST_PLACED_END - 1));
    assert_true(HOST_CELL_IS_SHIFT(0 - (HOST_PLACED_END - 1)));
    assert_false(HOST_CELL_IS_SHIFT(HOST_CELL_HOLE));
    assert_false(HOST_CELL_IS_SHIFT(HOST_CELL_MIXED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_in_one_extent_stay_uniform),
        cmocka_unit_test(clusters_in_several_extents_stay_uniform_while_each_is_whole),
        cmocka_unit_test(clusters_in_mixed_cells_stay_uniform_too),
        cmocka_unit_test(many_extents_in_one_cell_are_told_apart),
        cmocka_unit_test(a_hole_between_clusters_parts_uniform_batches),
        cmocka_unit_test(clusters_in_holes_are_no_pieces),
        cmocka_unit_test(a_cluster_in_several_extents_is_split),
        cmocka_unit_test(a_blob_that_is_split_shares_its_guest_bytes_out),
        cmocka_unit_test(a_blob_that_is_split_is_read_again_in_its_places),
        cmocka_unit_test(what_is_missing_of_a_cluster_is_neither_piece_nor_hole),
        cmocka_unit_test(a_table_read_goes_along),
        cmocka_unit_test(clusters_that_overlap_on_the_device_are_no_uniform_batch),
        cmocka_unit_test(the_error_of_a_sink_is_passed_on),
        cmocka_unit_test(any_batches_over_any_extents_come_out_right),
        cmocka_unit_test(the_grid_finds_what_the_map_finds),
        cmocka_unit_test(a_grid_is_never_large),
        cmocka_unit_test(distances_of_both_signs_are_shifts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

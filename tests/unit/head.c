// SPDX-License-Identifier: MIT
/*
 * Proves the way of the head: the meter's jumps, the detours and the gaps together are the moves
 * of a disk that reads every table and every held part of every piece, one after the other, some of
 * them again. Also with several files, and wherever the walk is cut.
 */
#include "meter.h"

#include "dice.h"
#include "pieces.h"
#include "same_meter.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(65536)
#define MIB (UINT64_C(1) << 20)
#define PART (CLUSTER / PIECE_SUBCLUSTERS)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST 60

/* A piece, and the table that is read before it. */
struct item {
    uint64_t l2_off, l2_bytes; /* 0 bytes: none */
    uint16_t l2_file;
    bool has_piece;
    struct piece piece;
    unsigned again; /* times that the piece is read again */
};

static void take_and_clear(struct meter *meter, struct piece_batch *batch)
{
    meter_take(meter, batch);
    piece_batch_clear(batch);
}

static void take_item(struct meter *meter, const struct item *item)
{
    struct piece_batch *batch = pieces_new_batch(CLUSTER, 0);

    batch->uniform = false;
    batch->l2_file = item->l2_file;
    batch->l2_off = item->l2_off;
    batch->l2_bytes = item->l2_bytes;
    if (item->has_piece)
        piece_batch_add(batch, &item->piece);
    for (unsigned i = 0; i < item->again; i++) {
        piece_batch_read_again(batch, item->piece.file, item->piece.begin, item->piece.end);
        take_and_clear(meter, batch);
    }
    meter_take(meter, batch);
    free(batch);
}

static struct meter *metered(const struct item *items, size_t n)
{
    struct meter *meter = meter_new(PART, PIECES_FILES);

    assert_non_null(meter);
    for (size_t i = 0; i < n; i++)
        take_item(meter, &items[i]);
    return meter;
}

/* ---- the slow way: a disk ---- */

struct disk {
    bool any;
    bool at_piece; /* what was read last is no table */
    uint16_t file;
    uint64_t at, bytes, switches, again_bytes;
    struct meter_jumps way[METER_N_DIRECTIONS], again;
};

static void disk_read(struct disk *disk, uint16_t file, uint64_t begin, uint64_t end)
{
    if (disk->any && disk->file != file)
        disk->switches++;
    else if (disk->any && begin > disk->at)
        meter_jumps_add(&disk->way[METER_FORWARD], begin - disk->at);
    else if (disk->any && begin < disk->at && disk->at - begin > 512)
        meter_jumps_add(&disk->way[METER_BACKWARD], disk->at - begin);
    else if (disk->any && begin < disk->at) /* in the buffer of the drive */
        disk->bytes -= disk->at - begin < end - begin ? disk->at - begin : end - begin;
    disk->any = true;
    disk->at_piece = true;
    disk->file = file;
    disk->at = end;
    disk->bytes += end - begin;
}

static void disk_read_piece(struct disk *disk, const struct piece *piece)
{
    uint64_t begin = piece->begin;

    if (piece->missing != 0) {
        for (unsigned i = 0; i < PIECE_SUBCLUSTERS; i++)
            if (!(piece->missing >> i & 1))
                disk_read(disk, piece->file, begin + i * PART, begin + (i + 1) * PART);
        return;
    }
    /* A blob that begins in the sector where the one before it ends. */
    if (piece->kind == PIECE_COMPRESSED && disk->at_piece && disk->file == piece->file &&
        begin < disk->at && disk->at - begin <= 512 && piece->end > disk->at)
        begin = disk->at;
    disk_read(disk, piece->file, begin, piece->end);
}

static void disk_read_again(struct disk *disk, const struct piece *piece)
{
    uint64_t bytes = piece->end - piece->begin;

    if (bytes <= 512)
        return;
    disk_read(disk, piece->file, piece->begin, piece->end);
    disk->again_bytes += bytes;
    meter_jumps_add(&disk->again, bytes);
}

static void assert_same_way(const struct meter *meter, const struct disk *disk)
{
    static struct meter_jumps way[METER_N_DIRECTIONS];

    memset(way, 0, sizeof(way));
    meter_pour_jumps(meter, way);
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++)
        meter_sparse_jumps_pour(&meter->head.detours[direction], &way[direction]);
    meter_sparse_jumps_pour(&meter->head.gaps, &way[METER_FORWARD]);
    assert_same_jumps(&way[METER_FORWARD], &disk->way[METER_FORWARD]);
    assert_same_jumps(&way[METER_BACKWARD], &disk->way[METER_BACKWARD]);
    assert_int_equal(meter->head.switches, disk->switches);
    assert_int_equal(meter->head.read_bytes, disk->bytes);
    assert_int_equal(meter->head.again_bytes, disk->again_bytes);
    memset(way, 0, sizeof(way));
    meter_sparse_jumps_pour(&meter->head.again, &way[METER_BACKWARD]);
    assert_same_jumps(&way[METER_BACKWARD], &disk->again);
}

/* ---- random walks ---- */

static struct piece random_piece(struct dice *dice, uint64_t guest, uint64_t *host,
                                 unsigned n_files)
{
    struct piece piece = {.kind = PIECE_DATA,
                          .guest_off = guest * CLUSTER,
                          .guest_bytes = CLUSTER,
                          .begin = *host,
                          .end = *host + CLUSTER,
                          .mapped_bytes = CLUSTER,
                          .file = (uint16_t)dice_below(dice, n_files)};

    if (dice_once_in(dice, 4)) {
        piece.kind = PIECE_COMPRESSED;
        piece.begin += dice_once_in(dice, 2) ? 0 : 1 + dice_below(dice, 3000);
        piece.end = piece.begin / 512 * 512 + 512 * (1 + dice_below(dice, 100));
        if (dice_once_in(dice, 3)) /* one sector, which may be that of the piece before */
            piece.end = piece.begin / 512 * 512 + 512;
        piece.slack = -piece.end & (CLUSTER - 1);
        *host = piece.end - dice_below(dice, 513);
        if (dice_once_in(dice, 3) && *host > piece.begin) /* before the begin: a break back */
            *host = piece.begin - dice_below(dice, 100);
        return piece;
    }
    piece.begin = (*host + CLUSTER - 1) & ~(CLUSTER - 1);
    piece.end = piece.begin + CLUSTER;
    if (dice_once_in(dice, 3))
        piece.missing = (uint32_t)dice_u64(dice) & (uint32_t)dice_u64(dice) & ~(1u << 7);
    piece.mapped_bytes -= (uint64_t)__builtin_popcount(piece.missing) * PART;
    *host = piece.end;
    return piece;
}

/* One in @tables items begins with a table. */
static void fill_items(struct dice *dice, struct item *items, size_t n, unsigned n_files,
                       unsigned tables)
{
    uint64_t guest = 0, host = 100 * CLUSTER;

    memset(items, 0, n * sizeof(*items));
    for (size_t i = 0; i < n; i++) {
        struct item *item = &items[i];
        uint64_t gap = dice_once_in(dice, 4) ? dice_below(dice, 6) : 0;

        guest += gap;
        if (dice_once_in(dice, 3))
            host += gap * CLUSTER; /* in step */
        else if (dice_once_in(dice, 3))
            host = (5 + dice_below(dice, UINT64_C(1) << dice_below(dice, 30))) * CLUSTER;
        if (dice_once_in(dice, tables)) {
            item->l2_off = dice_once_in(dice, 3) ? host : dice_below(dice, 100) * 4096;
            item->l2_bytes = 4096 * (1 + dice_below(dice, 3));
            item->l2_file = (uint16_t)dice_below(dice, n_files);
        }
        item->has_piece = item->l2_bytes == 0 || !dice_once_in(dice, 3);
        if (item->has_piece)
            item->piece = random_piece(dice, guest++, &host, n_files);
        if (item->has_piece && item->piece.kind == PIECE_COMPRESSED && dice_once_in(dice, 3))
            item->again = 1 + (unsigned)dice_below(dice, 3);
    }
}

static size_t random_items(struct dice *dice, struct item *items, unsigned n_files)
{
    size_t n = dice_below(dice, MOST + 1);

    fill_items(dice, items, n, n_files, 3);
    return n;
}

static void check_way(unsigned n_files, uint64_t seed)
{
    struct dice dice = dice_of(seed);
    static struct item items[MOST];
    static struct disk disk;

    for (unsigned round = 0; round < 1000; round++) {
        size_t n = random_items(&dice, items, n_files);
        struct meter *meter = metered(items, n);

        memset(&disk, 0, sizeof(disk));
        for (size_t i = 0; i < n; i++) {
            if (items[i].l2_bytes > 0) {
                disk_read(&disk, items[i].l2_file, items[i].l2_off,
                          items[i].l2_off + items[i].l2_bytes);
                disk.at_piece = false;
            }
            if (items[i].has_piece)
                disk_read_piece(&disk, &items[i].piece);
            for (unsigned j = 0; j < items[i].again; j++)
                disk_read_again(&disk, &items[i].piece);
        }
        assert_same_way(meter, &disk);
        meter_free(meter);
    }
}

static void the_parts_are_the_way_of_a_disk(void **state)
{
    (void)state;
    check_way(1, 90);
}

static void also_with_several_files(void **state)
{
    (void)state;
    check_way(PIECES_FILES, 91);
}

/* As many pieces in a batch as there can be: those are judged 64 at a time. */
static struct meter *metered_in_batches(const struct item *items, size_t n)
{
    struct meter *meter = meter_new(PART, PIECES_FILES);
    struct piece_batch *batch = pieces_new_batch(CLUSTER, 0);

    batch->uniform = false;
    for (size_t i = 0; i < n; i++) {
        if (items[i].l2_bytes > 0 || batch->n == PIECE_BATCH_MAX) {
            take_and_clear(meter, batch);
            batch->l2_file = items[i].l2_file;
            batch->l2_off = items[i].l2_off;
            batch->l2_bytes = items[i].l2_bytes;
        }
        if (items[i].has_piece)
            piece_batch_add(batch, &items[i].piece);
        for (unsigned j = 0; j < items[i].again; j++) {
            piece_batch_read_again(batch, items[i].piece.file, items[i].piece.begin,
                                   items[i].piece.end);
            take_and_clear(meter, batch);
        }
    }
    meter_take(meter, batch);
    free(batch);
    return meter;
}

/* Of one kind, with and without missing parts, in one file or in several. */
static void many_at_a_time_are_as_one_at_a_time(void **state)
{
    struct dice dice = dice_of(94);
    static struct item items[1500];

    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        struct meter *meter, *one_by_one;

        fill_items(&dice, items, COUNT(items), round % 4 == 0 ? 2 : 1, round % 3 == 0 ? 50 : 1000);
        for (size_t i = 0; i < COUNT(items); i++) {
            struct piece *piece = &items[i].piece;

            if (round % 2 == 0 && piece->missing != 0) {
                piece->missing = 0;
                piece->mapped_bytes = CLUSTER;
            }
            if (round % 5 == 0 && dice_once_in(&dice, 100))
                piece->kind = PIECE_ZERO_ALLOCATED;
        }
        meter = metered_in_batches(items, COUNT(items));
        one_by_one = metered(items, COUNT(items));
        assert_same_meter(meter, one_by_one);
        meter_free(one_by_one);
        meter_free(meter);
    }
}

static void a_walk_with_tables_may_be_cut_at_every_place(void **state)
{
    struct dice dice = dice_of(92);
    static struct item items[MOST];

    (void)state;
    for (unsigned round = 0; round < 150; round++) {
        size_t n = random_items(&dice, items, 1 + round % PIECES_FILES);
        struct meter *whole = metered(items, n);

        for (size_t cut = 0; cut <= n; cut++) {
            struct meter *left = metered(items, cut), *right = metered(items + cut, n - cut);

            meter_merge(left, right);
            assert_same_meter(left, whole);
            meter_free(right);
            meter_free(left);
        }
        meter_free(whole);
    }
}

static void merging_with_tables_is_associative(void **state)
{
    struct dice dice = dice_of(93);
    static struct item items[MOST];

    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        size_t n = random_items(&dice, items, 1 + round % PIECES_FILES);
        size_t first = dice_below(&dice, n + 1), second = first + dice_below(&dice, n + 1 - first);
        struct meter *a = metered(items, first), *a_again = metered(items, first);
        struct meter *b = metered(items + first, second - first);
        struct meter *c = metered(items + second, n - second);

        meter_merge(a, b);
        meter_merge(a, c); /* (a b) c */
        meter_merge(b, c);
        meter_merge(a_again, b); /* a (b c) */
        assert_same_meter(a, a_again);
        meter_free(c);
        meter_free(b);
        meter_free(a_again);
        meter_free(a);
    }
}

/* ---- a blob that is read again ---- */

/* In two places: the head really goes from the end of the second to the first, and on. */
static void the_ways_to_a_blob_in_two_places_are_the_real_ones(void **state)
{
    struct piece first = {.kind = PIECE_COMPRESSED,
                          .guest_bytes = MIB,
                          .begin = 5 * MIB,
                          .end = 6 * MIB,
                          .mapped_bytes = MIB};
    struct piece second = first;
    struct meter *meter = meter_new(PART, 1);
    struct meter_jumps way[METER_N_DIRECTIONS] = {0}, expected[METER_N_DIRECTIONS] = {0};
    struct piece_batch *batch = pieces_new_batch(CLUSTER, 0);

    (void)state;
    second.guest_off = MIB;
    second.begin = 90 * MIB;
    second.end = 92 * MIB;
    batch->uniform = false;
    piece_batch_add(batch, &first);
    piece_batch_add(batch, &second);
    piece_batch_read_again(batch, 0, first.begin, first.end);
    batch->again_blob_bytes = 3 * MIB;
    take_and_clear(meter, batch);
    piece_batch_read_again(batch, 0, second.begin, second.end);
    batch->again_blob_bytes = 0;
    take_and_clear(meter, batch);
    free(batch);

    meter_pour_jumps(meter, way);
    for (unsigned direction = 0; direction < METER_N_DIRECTIONS; direction++)
        meter_sparse_jumps_pour(&meter->head.detours[direction], &way[direction]);
    meter_jumps_add(&expected[METER_FORWARD], 84 * MIB);
    meter_jumps_add(&expected[METER_BACKWARD], 87 * MIB);
    meter_jumps_add(&expected[METER_FORWARD], 84 * MIB);
    assert_same_jumps(&way[METER_FORWARD], &expected[METER_FORWARD]);
    assert_same_jumps(&way[METER_BACKWARD], &expected[METER_BACKWARD]);
    assert_int_equal(meter->breaks, 1); /* the walk knows nothing of it */
    assert_int_equal(meter->head.read_bytes, 6 * MIB);
    assert_int_equal(meter->head.again_bytes, 3 * MIB);
    assert_int_equal(meter->head.at.off, 92 * MIB);
    memset(way, 0, sizeof(way));
    meter_sparse_jumps_pour(&meter->head.again, &way[METER_BACKWARD]);
    assert_int_equal(meter_jumps_total(&way[METER_BACKWARD]).count, 1);
    assert_true(meter_jumps_total(&way[METER_BACKWARD]).sum == 3 * MIB);
    meter_free(meter);
}

/* ---- the buffer of the drive ---- */

/* Clusters of 512 bytes, each twice: a break, but no way, and nothing to read. */
static void a_sector_read_twice_is_buffered(void **state)
{
    struct piece_batch *uniform = pieces_new_batch(512, 0), *general = pieces_new_batch(512, 0);
    struct meter *meter = meter_new(512, 1), *other = meter_new(512, 1);

    (void)state;
    uniform->uniform = true;
    uniform->file = 0;
    uniform->guest_first = 0;
    uniform->n = 128;
    memset(uniform->breaks, 0xff, sizeof(uniform->breaks));
    for (uint32_t i = 0; i < uniform->n; i++)
        uniform->begin[i] = (100 + 3 * (i / 2)) * 512;
    general->uniform = false;
    for (uint32_t i = 0; i < uniform->n; i++) {
        struct piece piece = piece_batch_piece(uniform, i);

        piece_batch_add(general, &piece);
    }
    meter_take(meter, uniform);
    meter_take(other, general);
    assert_same_meter(meter, other);
    assert_int_equal(meter->breaks, 127);
    assert_int_equal(meter->head.read_bytes, 64 * 512);
    meter_free(other);
    meter_free(meter);
    free(general);
    free(uniform);
}

/* Two blobs in one sector, the second one before the first: a step back that reads nothing new. */
static void a_break_back_within_a_sector_pays_what_is_new(void **state)
{
    const struct piece pieces[] = {{.kind = PIECE_COMPRESSED,
                                    .guest_bytes = CLUSTER,
                                    .begin = 70000,
                                    .end = 70144,
                                    .mapped_bytes = CLUSTER},
                                   {.kind = PIECE_COMPRESSED,
                                    .guest_off = CLUSTER,
                                    .guest_bytes = CLUSTER,
                                    .begin = 69800,
                                    .end = 70656,
                                    .mapped_bytes = CLUSTER}};
    struct meter *meter = meter_new(CLUSTER, 1);

    (void)state;
    pieces_take(meter, pieces, 2);
    assert_int_equal(meter->breaks, 1);
    assert_int_equal(meter->head.read_bytes, 144 + 512);
    meter_free(meter);
}

/* ---- files ---- */

static struct item in_file(uint16_t file, uint64_t guest, uint64_t host)
{
    return (struct item){.has_piece = true,
                         .piece = {.kind = PIECE_DATA,
                                   .guest_off = guest * CLUSTER,
                                   .guest_bytes = CLUSTER,
                                   .begin = host * CLUSTER,
                                   .end = (host + 1) * CLUSTER,
                                   .mapped_bytes = CLUSTER,
                                   .file = file}};
}

/* Two files in turns, each in order: nothing but switches. */
static void each_file_keeps_its_own_last_position(void **state)
{
    const struct item items[] = {in_file(0, 0, 5), in_file(1, 1, 900), in_file(0, 2, 6),
                                 in_file(1, 3, 901), in_file(1, 4, 902)};
    struct meter *meter = metered(items, COUNT(items));

    (void)state;
    assert_int_equal(meter->file_switches, 3);
    assert_int_equal(meter->breaks, 3);
    assert_int_equal(pieces_jumps(meter, METER_FORWARD).count, 0);
    assert_int_equal(pieces_jumps(meter, METER_BACKWARD).count, 0);
    assert_int_equal(meter->head.switches, 3);
    meter_free(meter);
}

/* Back in a file, and at a lower place than it was left: a switch and a step back. The run between
 * the two breaks is empty. */
static void a_switch_may_be_a_jump_as_well(void **state)
{
    const struct item items[] = {in_file(0, 0, 50), in_file(1, 1, 7), in_file(0, 2, 20)};
    struct meter *meter = metered(items, COUNT(items));
    size_t n;
    struct meter_length *runs = meter_runs_sorted(meter, &n);

    (void)state;
    assert_int_equal(meter->file_switches, 2);
    assert_int_equal(meter->breaks, 3);
    assert_int_equal(pieces_jumps(meter, METER_BACKWARD).count, 1);
    assert_true(pieces_jumps(meter, METER_BACKWARD).sum == 31 * CLUSTER);
    assert_int_equal(n, 2);
    assert_int_equal(runs[0].bytes, CLUSTER);
    assert_int_equal(runs[0].count, 3);
    assert_int_equal(runs[1].bytes, 0);
    assert_int_equal(runs[1].count, 1);
    free(runs);
    meter_free(meter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_are_the_way_of_a_disk),
        cmocka_unit_test(also_with_several_files),
        cmocka_unit_test(many_at_a_time_are_as_one_at_a_time),
        cmocka_unit_test(a_walk_with_tables_may_be_cut_at_every_place),
        cmocka_unit_test(merging_with_tables_is_associative),
        cmocka_unit_test(the_ways_to_a_blob_in_two_places_are_the_real_ones),
        cmocka_unit_test(a_sector_read_twice_is_buffered),
        cmocka_unit_test(a_break_back_within_a_sector_pays_what_is_new),
        cmocka_unit_test(each_file_keeps_its_own_last_position),
        cmocka_unit_test(a_switch_may_be_a_jump_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

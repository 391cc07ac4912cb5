// SPDX-License-Identifier: MIT
/*
 * Proves how blobs are packed: one behind the other, none on top of another, no cluster with more
 * references than its refcount can tell, and each in an entry that can say so.
 */
#include "blobs.h"

#include "dice.h"
#include "encode.h"
#include "entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BITS 12
#define CLUSTER (UINT64_C(1) << BITS)

static struct defrag_blobs blobs_of(uint64_t most_refs, uint64_t refs_of_blob)
{
    return (struct defrag_blobs){
        .cluster_bits = BITS, .most_refs = most_refs, .refs_of_blob = refs_of_blob};
}

static uint64_t place(struct defrag_blobs *blobs, uint64_t begin, uint64_t fresh)
{
    size_t i = defrag_blobs_find(blobs, begin);

    assert_int_not_equal(i, SIZE_MAX);
    assert_false(defrag_blobs_is_placed(blobs, i));
    defrag_blobs_place(blobs, i, fresh);
    assert_true(defrag_blobs_is_placed(blobs, i));
    return defrag_unpack(&blobs->list[i]).to;
}

static void the_next_one_tells_where_a_blob_ends(void **state)
{
    struct defrag_blobs blobs = blobs_of(65535, 1);

    (void)state;
    defrag_blobs_add(&blobs, 5000, 5632); /* its entry: two sectors */
    defrag_blobs_add(&blobs, 5300, 6144);
    defrag_blobs_add(&blobs, 5000, 5632); /* of another table */
    defrag_blobs_settle(&blobs);
    assert_int_equal(blobs.n_list, 2);
    assert_int_equal(place(&blobs, 5300, 2 * CLUSTER), 2 * CLUSTER);
    assert_int_equal(place(&blobs, 5000, 9 * CLUSTER), 2 * CLUSTER + 844); /* others are open */
    assert_int_equal(blobs.next, 2 * CLUSTER + 844 + 300);
    defrag_blobs_free(&blobs);
}

static void only_what_begins_there_is_found(void **state)
{
    struct defrag_blobs blobs = blobs_of(65535, 1);

    (void)state;
    defrag_blobs_add(&blobs, 5000, 5632);
    defrag_blobs_settle(&blobs);
    assert_int_equal(defrag_blobs_find(&blobs, 4999), SIZE_MAX);
    assert_int_equal(defrag_blobs_find(&blobs, 5001), SIZE_MAX);
    assert_int_equal(defrag_blobs_find(&blobs, 5000), 0);
    defrag_blobs_free(&blobs);
}

/* Refcounts of one bit: a cluster belongs to one blob, also with the end of its last sector. */
static void narrow_refcounts_share_no_cluster(void **state)
{
    struct defrag_blobs blobs = blobs_of(1, 1);

    (void)state;
    defrag_blobs_add(&blobs, 5 * CLUSTER, 5 * CLUSTER + 1024);
    defrag_blobs_add(&blobs, 7 * CLUSTER, 7 * CLUSTER + 1024);
    defrag_blobs_settle(&blobs);
    assert_int_equal(place(&blobs, 5 * CLUSTER, 0), 0);
    assert_int_equal(place(&blobs, 7 * CLUSTER, 0), CLUSTER);
    assert_int_equal(defrag_blobs_close(&blobs), 2 * CLUSTER);
    defrag_blobs_free(&blobs);
}

static void a_pinned_one_takes_no_room(void **state)
{
    struct defrag_blobs blobs = blobs_of(65535, 1);
    struct defrag_moves moves = {0};
    struct defrag_move move;

    (void)state;
    defrag_blobs_add(&blobs, 5000, 5632);
    defrag_blobs_add(&blobs, 9000, 9216);
    defrag_blobs_settle(&blobs);
    defrag_blobs_pin(&blobs, 0, 777);
    assert_int_equal(defrag_blobs_close(&blobs), 0);
    assert_int_equal(defrag_blobs_move(&blobs, &moves), 0);
    assert_int_equal(moves.n_list, 1); /* the other has no place */
    move = defrag_moves_at(&moves, 0);
    assert_int_equal(move.from, 5000);
    assert_int_equal(move.to, 777);
    assert_int_equal(move.bytes, 632);
    defrag_moves_free(&moves);
    defrag_blobs_free(&blobs);
}

#define N 300

static void pack_at_random(struct dice *dice, uint64_t most_refs, uint64_t refs_of_blob)
{
    struct defrag_blobs blobs = blobs_of(most_refs, refs_of_blob);
    static uint16_t refs[4 * N * 2];
    uint64_t begins[N], at = 3 * CLUSTER, last_end = 0, fresh = 0;

    memset(refs, 0, sizeof(refs));
    for (size_t i = 0; i < N; i++) {
        uint64_t len = 1 + dice_below(dice, dice_once_in(dice, 5) ? 2 * CLUSTER - 512 : 900);

        begins[i] = at;
        defrag_blobs_add(&blobs, at, (at + len + 511) & ~UINT64_C(511));
        at += dice_once_in(dice, 3) ? len : len + dice_below(dice, 3000);
    }
    defrag_blobs_settle(&blobs);
    assert_int_equal(blobs.n_list, N);
    for (size_t n = N; n > 0; n--) {
        size_t k = (size_t)dice_below(dice, n), i = defrag_blobs_find(&blobs, begins[k]);
        struct defrag_move move;
        struct format_entry_rules rules = {
            .cluster_bits = BITS, .cluster_bytes = CLUSTER, .file_bytes = UINT64_C(1) << 40};
        struct format_entry entry;
        uint64_t word = 0;

        if (dice_once_in(dice, 20) && defrag_blobs_close(&blobs) > 0)
            fresh = (last_end + 4 * CLUSTER) & ~(CLUSTER - 1);
        defrag_blobs_place(&blobs, i, fresh);
        move = defrag_unpack(&blobs.list[i]);
        assert_true(move.to >= last_end);
        last_end = move.to + move.bytes;
        assert_true(store_compressed_at(BITS, move.to + 100 * CLUSTER, move.bytes, &word));
        entry = format_entry_of(&rules, word, 0, 0);
        assert_int_equal(entry.kind, FORMAT_COMPRESSED);
        assert_int_equal(entry.begin, move.to + 100 * CLUSTER);
        assert_in_range(entry.end - entry.begin, move.bytes, move.bytes + 511);
        for (uint64_t c = entry.begin / CLUSTER; c <= (entry.end - 1) / CLUSTER; c++) {
            assert_true(c - 100 < sizeof(refs) / sizeof(refs[0]));
            refs[c - 100] += (uint16_t)refs_of_blob;
            assert_true(refs[c - 100] <= most_refs);
        }
        begins[k] = begins[n - 1];
    }
    defrag_blobs_free(&blobs);
}

static void at_random(void **state)
{
    struct dice dice = dice_of(4);

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        pack_at_random(&dice, 65535, 1);
        pack_at_random(&dice, 3, 1);
        pack_at_random(&dice, 1, 1);
        pack_at_random(&dice, 15, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_one_tells_where_a_blob_ends),
        cmocka_unit_test(only_what_begins_there_is_found),
        cmocka_unit_test(narrow_refcounts_share_no_cluster),
        cmocka_unit_test(a_pinned_one_takes_no_room),
        cmocka_unit_test(at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

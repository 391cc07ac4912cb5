// SPDX-License-Identifier: MIT
/*
 * Proves the plan of random images, with snapshots, saved machines, blobs, a bitmap, and clusters
 * that several entries share: each thing moves once, no two to one place, in the order that was
 * said. The order is found here by going through what the image was made of, one by one.
 */
#include "plan.h"

#include "dice.h"
#include "finding.h"
#include "refcount.h"
#include "small_image.h"

#include <inttypes.h>
#include <stdio.h>

#define CLUSTERS 512
#define L1_ENTRIES 4
#define ON_DISK 3 /* the last one maps the state of a machine */
#define STATES_MAX 4
#define TABLES_MAX 16
#define ENTRIES_MAX 12
#define THINGS_MAX 512

/* What has one place: by where it was. */
struct thing {
    uint64_t from;
    uint64_t bytes; /* 0: of a blob, as long as it is */
    uint64_t to;
};

struct things {
    struct thing list[THINGS_MAX];
    size_t n;
};

struct entry {
    uint32_t index;
    struct thing thing;
};

struct l2 {
    uint64_t cluster;
    struct entry entries[ENTRIES_MAX];
    size_t n_entries;
};

struct model {
    struct small_image small;
    struct dice dice;
    unsigned bits;
    uint64_t free[CLUSTERS]; /* in random order */
    size_t n_taken;
    struct l2 tables[TABLES_MAX];
    size_t n_tables;
    size_t n_states;                     /* 0: the active one; then the oldest snapshot first */
    size_t maps[STATES_MAX][L1_ENTRIES]; /* a table, from 1 on; 0: none */
    struct thing known[THINGS_MAX];      /* that an entry may share */
    size_t n_known;
    uint64_t bitmap_bits; /* cluster; 0: there is none */
};

static uint64_t take(struct model *model)
{
    size_t i = model->n_taken + dice_below(&model->dice, CLUSTERS - 8 - model->n_taken);
    uint64_t cluster = model->free[i];

    model->free[i] = model->free[model->n_taken];
    return model->free[model->n_taken++] = cluster;
}

static struct thing new_thing(struct model *model)
{
    uint64_t off = take(model) << model->bits;
    struct thing thing = {off, UINT64_C(1) << model->bits, 0};

    if (dice_once_in(&model->dice, 4)) { /* a blob of two sectors at most, inside the cluster */
        thing.from += thing.bytes > 1024 ? dice_below(&model->dice, thing.bytes - 1024) : 0;
        thing.bytes = 0;
    }
    return thing;
}

/* ---- making the image ---- */

static void put_entry(struct model *model, struct l2 *l2, uint32_t index)
{
    struct entry *entry = &l2->entries[l2->n_entries++];
    unsigned shift = 62 - (model->bits - 8);
    uint64_t sectors;

    entry->index = index;
    if (model->n_known > 0 && dice_once_in(&model->dice, 3))
        entry->thing = model->known[dice_below(&model->dice, model->n_known)];
    else
        model->known[model->n_known++] = entry->thing = new_thing(model);
    sectors = (entry->thing.from % 512 + 511) / 512; /* it may reach into the next one */
    small_image_l2(&model->small, l2->cluster, index,
                   entry->thing.bytes > 0
                       ? entry->thing.from
                       : FORMAT_ENTRY_COMPRESSED | sectors << shift | entry->thing.from,
                   0);
}

static size_t new_table(struct model *model)
{
    struct l2 *l2 = &model->tables[model->n_tables++];
    uint32_t index = (uint32_t)dice_below(&model->dice, 5);

    l2->cluster = take(model);
    for (size_t i = 0; i < ENTRIES_MAX && index < 64; i++) {
        put_entry(model, l2, index);
        index += 1 + (dice_once_in(&model->dice, 3) ? (uint32_t)dice_below(&model->dice, 9) : 0);
    }
    return model->n_tables;
}

static void put_tables(struct model *model, size_t state, uint64_t l1)
{
    for (uint32_t i = 0; i < L1_ENTRIES; i++) {
        uint64_t kind = dice_below(&model->dice, 4);
        size_t other = state > 0 ? model->maps[dice_below(&model->dice, state)][i] : 0;

        if (kind == 0 || (i >= ON_DISK && state == 0))
            continue;
        model->maps[state][i] = kind < 3 && other > 0 ? other : new_table(model);
        small_image_l1(&model->small, l1, i, model->tables[model->maps[state][i] - 1].cluster);
    }
}

static void begin(struct model *model, unsigned bits, uint64_t seed)
{
    uint64_t disk = (uint64_t)ON_DISK << (2 * bits - 3), snapshots;
    static const char *const ids[] = {"", "1", "2", "3"};

    memset(model, 0, sizeof(*model));
    model->dice = dice_of(seed);
    model->bits = bits;
    model->n_states = 1 + dice_below(&model->dice, STATES_MAX);
    small_image_init(&model->small, bits, disk, L1_ENTRIES, CLUSTERS);
    for (uint64_t i = 0; i < CLUSTERS - 8; i++)
        model->free[i] = i < 5 ? CLUSTERS - 8 + i : i; /* not those of the front */
    snapshots = take(model);
    put_tables(model, 0, 2);
    for (size_t state = 1; state < model->n_states; state++) {
        uint64_t l1 = take(model);

        put_tables(model, state, l1);
        small_image_add_snapshot(&model->small, snapshots, ids[state], "s", l1, L1_ENTRIES, disk);
    }
    if (bits == 9 && dice_once_in(&model->dice, 2)) {
        uint64_t table = small_image_at(&model->small, take(model));

        model->bitmap_bits = take(model);
        small_image_bitmap(&model->small, small_image_at(&model->small, take(model)), table, 1);
        small_image_put(&model->small, table, small_image_at(&model->small, model->bitmap_bits));
    }
    small_image_open(&model->small, small_image_at(&model->small, CLUSTERS));
}

/* ---- what is expected ---- */

static void expect(struct things *things, const struct thing *thing)
{
    for (size_t i = 0; i < things->n; i++)
        if (things->list[i].from == thing->from)
            return;
    assert_true(things->n < THINGS_MAX);
    things->list[things->n++] = *thing;
}

/* In guest order each thing where it is met first; a table too, where it does not lie in front. */
static void expect_order(const struct model *model, struct things *tables, struct things *body)
{
    struct things *of_tables = model->bits < 16 ? body : tables;

    for (unsigned vm_state = 0; vm_state < 2; vm_state++)
        for (size_t turn = 0; turn < model->n_states; turn++) {
            size_t state = turn == 0 ? 0 : model->n_states - turn;

            for (size_t i = vm_state ? ON_DISK : 0; i < (vm_state ? L1_ENTRIES : ON_DISK); i++) {
                const struct l2 *l2 = &model->tables[model->maps[state][i] - 1];
                struct thing table = {.bytes = UINT64_C(1) << model->bits};

                if (model->maps[state][i] == 0)
                    continue;
                table.from = l2->cluster << model->bits;
                expect(of_tables, &table);
                for (size_t k = 0; k < l2->n_entries; k++)
                    expect(body, &l2->entries[k].thing);
            }
        }
    if (model->bitmap_bits > 0)
        expect(body,
               &(struct thing){model->bitmap_bits << model->bits, UINT64_C(1) << model->bits, 0});
}

/* ---- what is planned ---- */

static int by_to(const void *a, const void *b)
{
    const struct thing *left = a, *right = b;

    return (left->to > right->to) - (left->to < right->to);
}

/* All moves cluster by cluster; blobs as they are. */
static void add_moves(struct things *things, const struct defrag_moves *moves, uint64_t step)
{
    for (size_t i = 0; i < moves->n_list; i++) {
        struct defrag_move move = defrag_moves_at(moves, i);

        for (uint64_t at = 0; at<move.bytes; at += step> 0 ? step : move.bytes) {
            assert_true(things->n < THINGS_MAX);
            things->list[things->n++] =
                (struct thing){move.from + at, step > 0 ? step : move.bytes, move.to + at};
        }
    }
    qsort(things->list, things->n, sizeof(things->list[0]), by_to);
}

static void is_order(const struct things *planned, const struct things *expected, uint64_t seed)
{
    if (planned->n != expected->n)
        fail_msg("image %" PRIu64 ": %zu move, not %zu", seed, planned->n, expected->n);
    for (size_t i = 0; i < planned->n; i++) {
        if (planned->list[i].from != expected->list[i].from)
            fail_msg("image %" PRIu64 ", number %zu: from 0x%" PRIx64 ", not 0x%" PRIx64, seed, i,
                     planned->list[i].from, expected->list[i].from);
        if (i > 0 && planned->list[i].to < planned->list[i - 1].to + planned->list[i - 1].bytes)
            fail_msg("image %" PRIu64 ": two go to 0x%" PRIx64, seed, planned->list[i].to);
    }
}

/* Clusters lie one behind the other; but for what blobs leave of their last one. */
static void has_no_gaps(const struct things *planned, uint64_t cluster_bytes)
{
    for (size_t i = 1; i < planned->n; i++) {
        uint64_t end = planned->list[i - 1].to + planned->list[i - 1].bytes;

        assert_true(planned->list[i].to < end + 2 * cluster_bytes);
        if (planned->list[i - 1].bytes == cluster_bytes)
            assert_int_equal(planned->list[i].to, end);
    }
}

static void try_image(unsigned bits, uint64_t seed)
{
    static struct model model;
    static struct things expected[2], planned[2];
    struct format_refcounts refcounts;
    struct format_findings findings = {0};
    struct defrag_plan plan;
    struct err err = {0};
    uint64_t cluster_bytes = UINT64_C(1) << bits;

    begin(&model, bits, seed);
    memset(expected, 0, sizeof(expected));
    memset(planned, 0, sizeof(planned));
    expect_order(&model, &expected[0], &expected[1]);
    if (format_refcounts_open(&model.small.image, &refcounts, &findings, &err) < 0 ||
        defrag_plan_make(&model.small.image, &refcounts, &(struct defrag_plan_options){0}, &plan,
                         &err) < 0)
        fail_msg("image %" PRIu64 ": %s", seed, err.text);
    add_moves(&planned[bits < 16], &plan.l2_tables, cluster_bytes);
    add_moves(&planned[1], &plan.data, cluster_bytes);
    add_moves(&planned[1], &plan.blobs, 0);
    for (unsigned i = 0; i < 2; i++) {
        is_order(&planned[i], &expected[i], seed);
        has_no_gaps(&planned[i], cluster_bytes);
    }
    if (planned[0].n > 0 && planned[1].n > 0)
        assert_true(planned[0].list[planned[0].n - 1].to < planned[1].list[0].to);
    if (planned[1].n > 0)
        assert_true(planned[1].list[planned[1].n - 1].to < plan.file_bytes);
    defrag_plan_free(&plan);
    format_refcounts_close(&refcounts);
    format_findings_free(&findings);
    small_image_free(&model.small);
}

static void each_thing_moves_once_in_order_with_its_table_before_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++)
        try_image(9, seed);
}

static void each_thing_moves_once_in_order_behind_all_tables(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        try_image(16, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_thing_moves_once_in_order_with_its_table_before_it),
        cmocka_unit_test(each_thing_moves_once_in_order_behind_all_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Proves who owns the clusters of random images: as a plain count of all references says, whatever
 * the size of the windows, with refcounts that are right and with some that are not; and that far
 * and hostile images stay within limits.
 */
#include "owner.h"

#include "dice.h"
#include "finding.h"
#include "small_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COPIED FORMAT_ENTRY_COPIED
#define BITS 9
#define CLUSTER 512
#define ENTRIES 64 /* of an L2 table */
#define SPAN (UINT64_C(64) * CLUSTER)
#define N 2048 /* clusters of a random image: eight refcount blocks */
#define L1_ENTRIES 6
#define TABLES_MAX 80

/* ---- a random image, and what is known of it while it is made ---- */

struct model {
    struct small_image small;
    struct dice dice;
    size_t n_tables; /* 0: the active one */
    uint32_t on_disk[TABLES_MAX];
    uint64_t l1[TABLES_MAX];             /* cluster */
    uint64_t l2[TABLES_MAX][L1_ENTRIES]; /* cluster; 0: none */
    uint64_t next;                       /* free cluster */
    uint64_t blob;                       /* a cluster that holds one; 0: none yet */
    uint64_t refblocks;                  /* the first of eight */
    uint64_t snapshots;

    uint64_t references[N];
    int classes[N]; /* the owner, -1: none */
    uint64_t of_table[TABLES_MAX][N];
    uint64_t refcounts[N];
};

static uint64_t take(struct model *model, uint64_t n)
{
    uint64_t first = model->next;

    model->next += n + (dice_once_in(&model->dice, 6) ? dice_below(&model->dice, 5) : 0);
    assert_true(model->next < N);
    return first;
}

static void refer(struct model *model, uint64_t cluster, enum space_owner owner, size_t table)
{
    model->references[cluster]++;
    if ((int)owner > model->classes[cluster])
        model->classes[cluster] = (int)owner;
    if (table != SIZE_MAX)
        model->of_table[table][cluster]++;
}

/* ---- making it ---- */

static void put_random_entry(struct model *model, uint64_t l2, uint32_t index)
{
    struct dice *dice = &model->dice;
    uint64_t word;

    switch (dice_below(dice, 12)) {
    case 0: /* one that another entry has as well, or nobody */
        word = (N / 2 + dice_below(dice, N / 2 - 20)) * CLUSTER;
        break;
    case 1: /* a blob over the border of two clusters */
        model->blob = take(model, 2);
        word = FORMAT_ENTRY_COMPRESSED | (UINT64_C(1) << 61) | (model->blob * CLUSTER + 300);
        break;
    case 2: /* in the cluster of another one */
        word = model->blob == 0 ? 1 : FORMAT_ENTRY_COMPRESSED | (model->blob * CLUSTER + 100);
        break;
    case 3: /* zero, with a cluster */
        word = take(model, 1) * CLUSTER | 1;
        break;
    case 4:
        word = 1;
        break;
    default:
        word = COPIED | take(model, 1) * CLUSTER;
    }
    small_image_l2(&model->small, l2, index, word, 0);
}

static void make_table(struct model *model, size_t t)
{
    struct dice *dice = &model->dice;

    model->l1[t] = t == 0 ? 2 : take(model, 1);
    for (uint32_t i = 0; i < L1_ENTRIES; i++) {
        uint64_t kind = dice_below(dice, 4);

        if (t > 0 && kind < 3) /* shared with an earlier table, or missing in both */
            model->l2[t][i] = model->l2[dice_below(dice, t)][i];
        else if (kind > 0 && model->next < N / 2 - 100)
            model->l2[t][i] = take(model, 1);
        else
            continue;
        if (model->l2[t][i] == 0)
            continue;
        small_image_l1(&model->small, model->l1[t], i, model->l2[t][i]);
        if (t == 0 || kind == 3)
            for (uint32_t k = 0; k < ENTRIES; k++)
                if (dice_once_in(dice, 4 + (uint64_t)model->n_tables))
                    put_random_entry(model, model->l2[t][i], k);
    }
}

static void put_snapshots(struct model *model)
{
    unsigned char *at;
    size_t n = model->n_tables - 1;

    model->snapshots = n > 0 ? take(model, (80 * n + CLUSTER - 1) / CLUSTER) : 0;
    at = model->small.bytes + model->snapshots * CLUSTER;
    for (size_t i = 0; i < n; i++, at += 80) {
        put_be64(at, model->l1[i + 1] * CLUSTER);
        put_be32(at + 8, L1_ENTRIES);
        put_be16(at + 12, 8);
        put_be16(at + 14, 8);
        put_be32(at + 36, 24);
        put_be64(at + 48, model->on_disk[i + 1] * SPAN);
    }
    put_be32(model->small.bytes + 60, (uint32_t)n);
    put_be64(model->small.bytes + 64, model->snapshots * CLUSTER);
}

/* ---- following it ---- */

static enum space_owner owner_of(const struct model *model, size_t t, uint32_t l1_index)
{
    return l1_index >= model->on_disk[t] ? SPACE_OWNER_VM_STATE
           : t == 0                      ? SPACE_OWNER_ACTIVE
                                         : SPACE_OWNER_SNAPSHOT;
}

static uint64_t load(const struct model *model, uint64_t off)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < 8; i++)
        n = n << 8 | model->small.bytes[off + i];
    return n;
}

static void follow_entry(struct model *model, uint64_t word, enum space_owner owner, size_t t)
{
    uint64_t off = word & UINT64_C(0x00fffffffffffe00);

    if (word & FORMAT_ENTRY_COMPRESSED) { /* 61 bits of offset, one of sectors */
        uint64_t begin = word & ((UINT64_C(1) << 61) - 1);
        uint64_t end = begin / 512 * 512 + 512 * ((word >> 61 & 1) + 1);

        for (uint64_t c = begin / CLUSTER; c <= (end - 1) / CLUSTER; c++)
            refer(model, c, owner, t);
    } else if (off != 0) {
        refer(model, off / CLUSTER, owner, t);
    }
}

static void follow(struct model *model)
{
    refer(model, 0, SPACE_OWNER_METADATA, SIZE_MAX);
    refer(model, 1, SPACE_OWNER_METADATA, SIZE_MAX);
    for (uint64_t i = 0; i < 8; i++)
        refer(model, model->refblocks + i, SPACE_OWNER_METADATA, SIZE_MAX);
    for (size_t i = 0; i < (80 * (model->n_tables - 1) + CLUSTER - 1) / CLUSTER; i++)
        refer(model, model->snapshots + i, SPACE_OWNER_METADATA, SIZE_MAX);
    for (size_t t = 0; t < model->n_tables; t++) {
        refer(model, model->l1[t], SPACE_OWNER_METADATA, t);
        for (uint32_t i = 0; i < L1_ENTRIES; i++) {
            if (model->l2[t][i] == 0)
                continue;
            refer(model, model->l2[t][i], SPACE_OWNER_METADATA, t);
            for (uint32_t k = 0; k < ENTRIES; k++)
                follow_entry(model, load(model, model->l2[t][i] * CLUSTER + 8 * k),
                             owner_of(model, t, i), t);
        }
    }
}

/* Mostly right; leaks, and, if asked for, some that are wrong. */
static void put_refcounts(struct model *model, bool wrong)
{
    model->refblocks = take(model, 8);
    for (uint64_t i = 0; i < 8; i++)
        small_image_put(&model->small, CLUSTER + 8 * i, (model->refblocks + i) * CLUSTER);
    follow(model);
    for (uint64_t c = 0; c < N; c++) {
        model->refcounts[c] = model->references[c];
        if (model->references[c] == 0 && c < N - 200 && dice_once_in(&model->dice, 20))
            model->refcounts[c] = 1 + dice_below(&model->dice, 3);
        if (wrong && model->references[c] > 0 && dice_once_in(&model->dice, 10))
            model->refcounts[c] = dice_below(&model->dice, 4);
        put_be16(model->small.bytes + (model->refblocks + c / 256) * CLUSTER + 2 * (c % 256),
                 (uint16_t)model->refcounts[c]);
    }
}

static struct model *model_new(uint64_t seed, size_t n_tables, bool wrong)
{
    struct model *model = calloc(1, sizeof(*model));

    assert_non_null(model);
    model->dice = dice_of(seed);
    model->n_tables = n_tables;
    model->next = 3;
    for (size_t t = 0; t < n_tables; t++)
        model->on_disk[t] = t == 0 ? 4 : 2 + (uint32_t)dice_below(&model->dice, 4);
    for (size_t c = 0; c < N; c++)
        model->classes[c] = -1;
    small_image_init(&model->small, BITS, 4 * SPAN, L1_ENTRIES, N);
    for (size_t t = 0; t < n_tables; t++)
        make_table(model, t);
    put_snapshots(model);
    put_refcounts(model, wrong);
    small_image_open(&model->small, N * CLUSTER - dice_below(&model->dice, 3) * 170);
    return model;
}

static void model_free(struct model *model)
{
    small_image_free(&model->small);
    free(model);
}

/* ---- comparing ---- */

struct expected {
    uint64_t bytes[SPACE_N_OWNERS], end, gaps, gap_max, low, high;
    uint64_t exclusive[TABLES_MAX];
    bool is_free[N];
};

/* Gaps, as they are handed out one by one. */
struct gaps {
    bool is_free[N];
    uint64_t next; /* behind the last one */
};

static void gaps_begin(void *context)
{
    memset(context, 0, sizeof(struct gaps));
}

static void gaps_take(void *context, struct space_gap gap)
{
    struct gaps *gaps = context;

    assert_true(gap.n > 0);
    assert_true(gap.first > gaps->next); /* they are maximal: something lies in between */
    assert_true(gap.first + gap.n <= N);
    memset(gaps->is_free + gap.first, true, gap.n);
    gaps->next = gap.first + gap.n;
}

static struct expected expect(const struct model *model, bool judge)
{
    struct expected expected = {.end = 0};
    uint64_t file_bytes = model->small.memory.file_bytes, gap = 0;

    for (uint64_t c = 0; c < N; c++)
        if (model->references[c] > 0 || model->refcounts[c] > 0)
            expected.end = c + 1;
    for (uint64_t c = 0; c < expected.end; c++) {
        uint64_t len = file_bytes - c * CLUSTER < CLUSTER ? file_bytes - c * CLUSTER : CLUSTER;
        int owner = model->classes[c] >= 0             ? model->classes[c]
                    : model->refcounts[c] > 0 && judge ? SPACE_OWNER_LEAKED
                                                       : SPACE_OWNER_FREE;

        expected.bytes[owner] += len;
        gap = owner == SPACE_OWNER_FREE ? gap + 1 : 0;
        expected.is_free[c] = gap > 0;
        expected.gaps += gap == 1;
        expected.gap_max = gap > expected.gap_max ? gap : expected.gap_max;
        if (model->references[c] == 0 || !judge)
            continue;
        expected.low += model->refcounts[c] < model->references[c];
        expected.high += model->refcounts[c] > model->references[c];
    }
    for (size_t t = 1; t < model->n_tables; t++)
        for (uint64_t c = 0; c < N; c++)
            expected.exclusive[t] += model->of_table[t][c] > 0 &&
                                     model->of_table[t][c] == model->references[c] &&
                                     (!judge || model->references[c] == model->refcounts[c]);
    return expected;
}

static void compare(const struct model *model, const struct space_owners *owners,
                    const struct gaps *gaps, bool judge)
{
    struct expected expected = expect(model, judge);
    uint64_t sum = owners->tail_bytes;

    assert_true(owners->known);
    assert_int_equal(owners->leaks_known, judge);
    assert_int_equal(owners->end_bytes, expected.end * CLUSTER);
    for (int owner = 0; owner < SPACE_N_OWNERS; owner++) {
        sum += owners->bytes[owner];
        if (owners->bytes[owner] != expected.bytes[owner])
            fail_msg("owner %d has %" PRIu64 " bytes, not %" PRIu64, owner, owners->bytes[owner],
                     expected.bytes[owner]);
    }
    assert_int_equal(sum, model->small.memory.file_bytes);
    assert_int_equal(owners->gaps.gaps, expected.gaps);
    assert_int_equal(owners->gaps.longest, expected.gap_max);
    assert_memory_equal(gaps->is_free, expected.is_free, sizeof(expected.is_free));
    assert_int_equal(owners->low, expected.low);
    assert_int_equal(owners->high, expected.high);
    assert_int_equal(owners->left_out, 0);
    assert_int_equal(owners->n_snapshots, model->n_tables - 1);
    for (size_t t = 1; t < model->n_tables; t++) {
        assert_true(owners->exclusive_clusters[t - 1].known);
        if (owners->exclusive_clusters[t - 1].value != expected.exclusive[t])
            fail_msg("table %zu alone has %" PRIu64 " clusters, not %" PRIu64, t,
                     owners->exclusive_clusters[t - 1].value, expected.exclusive[t]);
    }
}

static void find(struct small_image *small, struct space_owner_options options,
                 struct space_owners *owners)
{
    struct format_findings findings = {0};
    struct err err = {0};

    options.findings = &findings;
    if (space_owner_find(&small->image, &options, owners, &err) < 0)
        fail_msg("%s", err.text);
    format_findings_free(&findings);
}

/* All sizes of windows give the same; and each size is one that takes many of them. */
static void compare_windows(struct model *model, bool written)
{
    static const uint64_t sizes[] = {0, N, 1000, 333, 64, 37, 20};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t bytes = sizes[i] << (model->n_tables > 60); /* of two a cluster */
        struct gaps gaps;
        const struct space_gap_sink sink = {&gaps, gaps_begin, gaps_take};
        const struct space_owner_options options = {
            .window_bytes = bytes, .written = written, .gaps = &sink};
        struct space_owners owners;

        find(&model->small, options, &owners);
        compare(model, &owners, &gaps, !written);
        if (sizes[i] > 0 && sizes[i] <= 64) /* only where something is */
            assert_in_range(owners.windows, model->next / sizes[i] / 2, SPACE_OWNER_WINDOWS_MAX);
        space_owners_free(&owners);
    }
}

static void random_images(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct model *model = model_new(seed, 1 + seed % 7, seed % 3 == 0);

        compare_windows(model, seed % 5 == 0);
        model_free(model);
    }
}

/* So many snapshots that counts and numbers need 16 bits. */
static void random_images_with_many_snapshots(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct model *model = model_new(seed, 75, seed % 2);

        compare_windows(model, false);
        model_free(model);
    }
}

/* 200 blobs in one cluster: the narrow cells that one table begins with do not do. */
static void many_blobs_in_a_cluster(void **state)
{
    struct small_image small;
    struct space_owners owners;

    (void)state;
    small_image_init(&small, 9, 4 * SPAN, 4, 20);
    small_image_put(&small, CLUSTER, 3 * CLUSTER); /* the refcount block */
    for (uint32_t i = 0; i < 4; i++) {
        small_image_l1(&small, 2, i, 4 + i);
        for (uint32_t k = 0; k < 50; k++)
            small_image_l2(&small, 4 + i, k, FORMAT_ENTRY_COMPRESSED | (10 * CLUSTER + i + k), 0);
    }
    for (uint64_t c = 0; c < 8; c++)
        put_be16(small.bytes + 3 * CLUSTER + 2 * c, 1);
    put_be16(small.bytes + 3 * CLUSTER + 20, 200);
    small_image_open(&small, 20 * CLUSTER);
    find(&small, (struct space_owner_options){.window_bytes = 7}, &owners);
    assert_true(owners.known);
    assert_int_equal(owners.low + owners.high, 0);
    assert_int_equal(owners.bytes[SPACE_OWNER_ACTIVE], CLUSTER);
    assert_int_equal(owners.bytes[SPACE_OWNER_METADATA], 8 * CLUSTER);
    assert_int_equal(owners.gaps.gaps, 1);
    assert_int_equal(owners.tail_bytes, 9 * CLUSTER);
    space_owners_free(&owners);
    small_image_free(&small);
}

/* ---- far apart ---- */

/* Data at @n places, @distance clusters apart. */
static void far_image(struct small_image *small, uint32_t n, uint64_t distance)
{
    small_image_init(small, 9, 4 * SPAN, 4, 20);
    for (uint32_t i = 0; i < 4; i++)
        small_image_l1(small, 2, i, 4 + i);
    for (uint32_t i = 0; i < n; i++)
        small_image_l2(small, 4 + i / ENTRIES, i % ENTRIES, COPIED | (i + 1) * distance * CLUSTER,
                       0);
    small_image_open(small, (n + 2) * distance * CLUSTER);
}

static void windows_are_where_something_is(void **state)
{
    struct small_image small;
    struct space_owners owners;

    (void)state;
    far_image(&small, 100, UINT64_C(1) << 30);
    find(&small, (struct space_owner_options){.window_bytes = 1000}, &owners);
    assert_true(owners.known);
    assert_int_equal(owners.windows, 101);
    assert_int_equal(owners.bytes[SPACE_OWNER_ACTIVE], 100 * CLUSTER);
    assert_int_equal(owners.gaps.gaps, 101); /* one before the first L2 table */
    assert_int_equal(owners.end_bytes, ((UINT64_C(100) << 30) + 1) * CLUSTER);
    assert_int_equal(owners.gaps.classes[29].gaps, 100); /* a little less than 2^30 clusters */
    assert_int_equal(owners.tail_bytes, ((UINT64_C(2) << 30) - 1) * CLUSTER);
    space_owners_free(&owners);
    small_image_free(&small);
}

static void too_far_apart_is_not_known(void **state)
{
    struct small_image small;
    struct space_owners owners;

    (void)state;
    far_image(&small, 200, UINT64_C(1) << 30);
    find(&small, (struct space_owner_options){.window_bytes = 1000}, &owners);
    assert_false(owners.known);
    assert_int_equal(owners.bytes[SPACE_OWNER_ACTIVE], 0);
    space_owners_free(&owners);
    small_image_free(&small);
}

static void too_much_work_is_not_begun(void **state)
{
    struct small_image small;
    struct space_owners owners;

    (void)state;
    far_image(&small, 100, UINT64_C(1) << 30);
    find(&small, (struct space_owner_options){.window_bytes = 1000, .work_bytes = 1000000},
         &owners);
    assert_true(owners.known);
    space_owners_free(&owners);
    find(&small, (struct space_owner_options){.window_bytes = 1000, .work_bytes = 100000}, &owners);
    assert_false(owners.known);
    assert_int_equal(owners.bytes[SPACE_OWNER_ACTIVE], 0);
    space_owners_free(&owners);
    small_image_free(&small);
}

/* ---- damage ---- */

/* Two L1 entries name one table; as a snapshot does. All who name it count. */
static void a_table_named_at_several_indices_counts_for_each(void **state)
{
    struct format_findings findings = {0};
    struct space_owner_options options = {.findings = &findings};
    struct small_image small;
    struct space_owners owners;
    struct err err = {0};

    (void)state;
    small_image_init(&small, 9, 4 * SPAN, 4, 20);
    small_image_put(&small, CLUSTER, 3 * CLUSTER);
    for (uint32_t i = 0; i < 3; i++)
        small_image_l1(&small, 2, i, 4);
    small_image_l2(&small, 4, 9, 6 * CLUSTER, 0);
    for (uint64_t c = 0; c < 7; c++)
        put_be16(small.bytes + 3 * CLUSTER + 2 * c, c == 4 || c == 6 ? 3 : c != 5);
    small_image_open(&small, 20 * CLUSTER);
    assert_int_equal(space_owner_find(&small.image, &options, &owners, &err), 0);
    assert_int_equal(findings.total, 0);
    assert_int_equal(owners.low + owners.high, 0);
    assert_int_equal(owners.bytes[SPACE_OWNER_ACTIVE], CLUSTER);
    space_owners_free(&owners);
    small_image_free(&small);
}

static void what_is_left_out_is_counted(void **state)
{
    static const bool told[] = {true};
    struct small_image small;
    struct space_owners owners;

    (void)state;
    small_image_init(&small, 9, 2 * SPAN, 4, 20); /* two L1 entries beyond the disk */
    small_image_l1(&small, 2, 0, 4);
    small_image_l1(&small, 2, 1, 1); /* the refcount table */
    small_image_put(&small, 2 * CLUSTER + 16, 5 * CLUSTER + 1024 * CLUSTER);
    small_image_put(&small, 2 * CLUSTER + 24, 5 * CLUSTER);
    small_image_l2(&small, 4, 0, 6 * CLUSTER + 512 / 2, 0); /* reserved bits only */
    small_image_l2(&small, 4, 1, 100 * CLUSTER, 0);
    small_image_l2(&small, 5, 1, 101 * CLUSTER, 0);
    small_image_open(&small, 20 * CLUSTER);
    find(&small, (struct space_owner_options){.told = NULL}, &owners);
    assert_int_equal(owners.left_out, 4);
    assert_int_equal(owners.untold, 4);
    space_owners_free(&owners);
    find(&small, (struct space_owner_options){.told = told}, &owners);
    assert_int_equal(owners.left_out, 4);
    assert_int_equal(owners.untold, 2); /* beyond the disk */
    space_owners_free(&owners);
    small_image_free(&small);
}

/* A snapshot whose L1 table cannot be read may have named anything. */
static void with_a_snapshot_that_cannot_be_read_not_all_is_known(void **state)
{
    (void)state;
    for (int readable = 0; readable < 2; readable++) {
        struct small_image small;
        struct space_owners owners;

        small_image_init(&small, 9, SPAN, 1, 20);
        small_image_add_snapshot(&small, 6, "1", "s", readable ? 5 : 999, 1, SPAN);
        small_image_open(&small, 20 * CLUSTER);
        find(&small, (struct space_owner_options){.told = NULL}, &owners);
        assert_true(owners.known);
        assert_int_equal(owners.whole, readable);
        space_owners_free(&owners);
        small_image_free(&small);
    }
}

static void trouble_with_reading_is_an_error(void **state)
{
    struct model *model = model_new(7, 5, false);
    uint64_t n_requests;
    struct space_owners owners;

    (void)state;
    n_requests = model->small.memory.n_requests;
    find(&model->small, (struct space_owner_options){.window_bytes = 300}, &owners);
    space_owners_free(&owners);
    n_requests = model->small.memory.n_requests - n_requests;
    assert_in_range(n_requests, 10, 100000);
    for (uint64_t at = 1; at <= n_requests; at += at < 50 ? 1 : 17) {
        struct format_findings findings = {0};
        struct space_owner_options options = {.window_bytes = 300, .findings = &findings};
        struct err err = {0};

        model->small.memory.fail_at = model->small.memory.n_requests + at;
        assert_int_equal(space_owner_find(&model->small.image, &options, &owners, &err), -EIO);
        assert_string_equal(err.text, IO_MEMORY_FAILS);
        space_owners_free(&owners);
        format_findings_free(&findings);
    }
    model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_images),
        cmocka_unit_test(random_images_with_many_snapshots),
        cmocka_unit_test(many_blobs_in_a_cluster),
        cmocka_unit_test(windows_are_where_something_is),
        cmocka_unit_test(too_far_apart_is_not_known),
        cmocka_unit_test(too_much_work_is_not_begun),
        cmocka_unit_test(a_table_named_at_several_indices_counts_for_each),
        cmocka_unit_test(what_is_left_out_is_counted),
        cmocka_unit_test(with_a_snapshot_that_cannot_be_read_not_all_is_known),
        cmocka_unit_test(trouble_with_reading_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

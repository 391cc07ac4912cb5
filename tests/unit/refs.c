// SPDX-License-Identifier: MIT
/*
 * Proves that the stream holds every reference of an image: each with the word that holds it and
 * what it refers to, each L2 table's data once however often it is named, and nothing that damage
 * makes unknowable.
 */
#include "refs.h"

#include "be.h"
#include "err.h"
#include "refcount.h"
#include "small_image.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER 512
#define SPAN (UINT64_C(64) * CLUSTER)
#define TEXT_BYTES 4096

struct trial {
    struct small_image small;
    struct format_refcounts refcounts;
    struct space_refs *refs;
    uint64_t left_out, untold;
    char text[TEXT_BYTES]; /* a line for each reference */
    size_t len;
};

#define SAY(trial, ...)                                                                            \
    ((trial)->len +=                                                                               \
     (size_t)snprintf((trial)->text + (trial)->len, TEXT_BYTES - (trial)->len, __VA_ARGS__))

static int take_metadata(void *context, const struct format_reference *reference)
{
    struct trial *trial = context;

    if (reference->word != FORMAT_NO_WORD) /* who moves the target changes these 8 bytes */
        assert_int_equal(be64_load(trial->small.bytes + reference->word), reference->off);
    SAY(trial, "%ld %s %zu: %llu+%llu\n", (long)reference->word,
        format_metadata_name(reference->kind), reference->index, (unsigned long long)reference->off,
        (unsigned long long)reference->len_bytes);
    return 0;
}

static int take_l2(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct trial *trial = context;

    SAY(trial, "l1[%u] %llu by", l1_index, (unsigned long long)l2->l2_off / CLUSTER);
    for (uint32_t t = l2->first; t != SPACE_NAMING_END; t = space_refs_other(trial->refs, l2, t))
        SAY(trial, " %u@%llu", t, (unsigned long long)space_refs_l1_word(trial->refs, t, l1_index));
    SAY(trial, "\n");
    return 0;
}

static void take_data(void *context, const struct space_refs_data *data)
{
    struct trial *trial = context;

    for (size_t i = 0; i < data->batch->n; i++) {
        uint32_t index = space_holds_entry(data->batch, i);
        struct space_refs_entry entry = space_refs_entry_of(data, index);

        SAY(trial, "l2[%u][%u] %llu: cluster %llu of %llu-%llu, %u times\n", data->l1_index, index,
            (unsigned long long)entry.word, (unsigned long long)data->batch->clusters[i],
            (unsigned long long)entry.holding.begin, (unsigned long long)entry.holding.end,
            data->l2->weight);
    }
}

static void take_left_out(void *context, uint64_t n, uint64_t untold)
{
    struct trial *trial = context;

    trial->left_out += n;
    trial->untold += untold;
}

/* Header, refcount table and active L1 table (four entries) are at the clusters 0 to 2. */
static void begin(struct trial *trial)
{
    memset(trial, 0, sizeof(*trial));
    small_image_init(&trial->small, 9, 4 * SPAN, 4, 20);
}

static void open_refs(struct trial *trial, const bool *told)
{
    const struct space_refs_options options = {&trial->refcounts, told};
    struct format_findings findings = {0};
    struct err err = {0};

    small_image_open(&trial->small, 20 * CLUSTER);
    if (format_refcounts_open(&trial->small.image, &trial->refcounts, &findings, &err) < 0 ||
        space_refs_new(&trial->small.image, &options, &trial->refs, &err) < 0)
        fail_msg("%s", err.text);
    format_findings_free(&findings);
}

static struct space_refs_sink sink_of(struct trial *trial)
{
    return (struct space_refs_sink){.context = trial,
                                    .metadata = take_metadata,
                                    .l2 = take_l2,
                                    .data = take_data,
                                    .left_out = take_left_out};
}

typedef int walk_part(struct space_refs *refs, const struct space_refs_sink *sink, struct err *err);

static void gives(struct trial *trial, walk_part *part, const char *expected)
{
    struct space_refs_sink sink = sink_of(trial);
    struct err err = {0};

    trial->len = 0;
    trial->text[0] = 0;
    assert_int_equal(part(trial->refs, &sink, &err), 0);
    assert_string_equal(trial->text, expected);
}

static void end(struct trial *trial)
{
    space_refs_free(trial->refs);
    format_refcounts_close(&trial->refcounts);
    small_image_free(&trial->small);
}

/* ---- metadata ---- */

static void metadata_have_their_words(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_put(&trial.small, CLUSTER, 3 * CLUSTER); /* a refcount block */
    small_image_snapshot(&trial.small, 8, 4, 4 * SPAN);
    small_image_bitmap(&trial.small, 9 * CLUSTER, 10 * CLUSTER, 3);
    small_image_put(&trial.small, 10 * CLUSTER, 12 * CLUSTER);
    small_image_put(&trial.small, 10 * CLUSTER + 8, 1); /* all ones: no bits are stored */
    small_image_put(&trial.small, 10 * CLUSTER + 16, 13 * CLUSTER);
    open_refs(&trial, NULL);
    gives(&trial, space_refs_metadata,
          "-1 the header 0: 0+512\n"
          "40 the L1 table 0: 1024+32\n"
          "48 the refcount table 0: 512+512\n"
          "512 a refcount block 0: 1536+512\n"
          "128 the bitmap directory 0: 4608+32\n"
          "64 the snapshot table 0: 4096+72\n"
          "4608 a bitmap table 0: 5120+24\n"
          "5120 the bits of a bitmap 0: 6144+512\n"
          "5136 the bits of a bitmap 0: 6656+512\n"
          "4096 the L1 table of a snapshot 0: 2048+32\n");
    assert_int_equal(trial.left_out, 0);
    end(&trial);
}

static void so_does_a_luks_header(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial);
    put_be32(trial.small.bytes + 32, 2); /* LUKS */
    put_be32(trial.small.bytes + 104, 0x0537be77);
    put_be32(trial.small.bytes + 108, 16);
    put_be64(trial.small.bytes + 112, 14 * CLUSTER);
    put_be64(trial.small.bytes + 120, 5 * CLUSTER);
    open_refs(&trial, NULL);
    gives(&trial, space_refs_metadata,
          "-1 the header 0: 0+512\n"
          "40 the L1 table 0: 1024+32\n"
          "48 the refcount table 0: 512+512\n"
          "112 the LUKS header 0: 7168+2560\n");
    end(&trial);
}

static void bits_that_cannot_be_known_are_left_out(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_bitmap(&trial.small, 9 * CLUSTER, 10 * CLUSTER, 2);
    small_image_put(&trial.small, 10 * CLUSTER, 40 * CLUSTER); /* where nothing is */
    small_image_put(&trial.small, 10 * CLUSTER + 8, 13 * CLUSTER);
    open_refs(&trial, NULL);
    gives(&trial, space_refs_metadata,
          "-1 the header 0: 0+512\n"
          "40 the L1 table 0: 1024+32\n"
          "48 the refcount table 0: 512+512\n"
          "128 the bitmap directory 0: 4608+32\n"
          "4608 a bitmap table 0: 5120+16\n"
          "5128 the bits of a bitmap 0: 6656+512\n");
    assert_int_equal(trial.left_out, 1);
    assert_int_equal(trial.untold, 0);
    end(&trial);
}

/* ---- L2 tables ---- */

static void each_l1_entry_is_told(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_snapshot(&trial.small, 8, 4, 4 * SPAN);
    small_image_l1(&trial.small, 2, 0, 5); /* shared */
    small_image_l1(&trial.small, 4, 0, 5);
    small_image_l1(&trial.small, 2, 3, 6); /* each its own */
    small_image_l1(&trial.small, 4, 3, 7);
    open_refs(&trial, NULL);
    gives(&trial, space_refs_l2,
          "l1[0] 5 by 0@1024 1@2048\n"
          "l1[3] 6 by 0@1048\n"
          "l1[3] 7 by 1@2072\n");
    end(&trial);
}

static void entries_that_are_not_followed_are_left_out(void **state)
{
    static const bool told[] = {true, false};
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_snapshot(&trial.small, 8, 4, 4 * SPAN);
    small_image_l1(&trial.small, 2, 0, 1);  /* the refcount table: told by others */
    small_image_l1(&trial.small, 4, 1, 30); /* behind the end */
    small_image_l1(&trial.small, 4, 2, 8);  /* the snapshot table */
    open_refs(&trial, told);
    gives(&trial, space_refs_l2, "");
    assert_int_equal(trial.left_out, 3);
    assert_int_equal(trial.untold, 2);
    end(&trial);
}

/* ---- data ---- */

static void a_shared_table_is_walked_once(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_snapshot(&trial.small, 8, 4, 4 * SPAN);
    small_image_l1(&trial.small, 2, 0, 5);
    small_image_l1(&trial.small, 4, 0, 5);
    small_image_l1(&trial.small, 2, 2, 5); /* and at another index, by damage */
    small_image_l2(&trial.small, 5, 1, FORMAT_ENTRY_COPIED | 11 * CLUSTER, 0);
    small_image_l2(&trial.small, 5, 2, FORMAT_ENTRY_ZERO | 12 * CLUSTER, 0);
    open_refs(&trial, NULL);
    for (unsigned round = 0; round < 2; round++) /* it can be walked again */
        gives(&trial, space_refs_data,
              "l2[0][1] 2568: cluster 11 of 5632-6144, 3 times\n"
              "l2[0][2] 2576: cluster 12 of 6144-6656, 3 times\n");
    end(&trial);
}

static void a_blob_refers_to_all_its_clusters(void **state)
{
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_l1(&trial.small, 2, 0, 5);
    /* A sector and one more, from byte 100 of cluster 10 on. */
    small_image_l2(&trial.small, 5, 7,
                   FORMAT_ENTRY_COMPRESSED | UINT64_C(1) << 61 | (10 * CLUSTER + 100), 0);
    open_refs(&trial, NULL);
    gives(&trial, space_refs_data,
          "l2[0][7] 2616: cluster 10 of 5220-6144, 1 times\n"
          "l2[0][7] 2616: cluster 11 of 5220-6144, 1 times\n");
    end(&trial);
}

static void damaged_entries_are_left_out_once(void **state)
{
    static const bool told[] = {true, false};
    struct trial trial;

    (void)state;
    begin(&trial);
    small_image_snapshot(&trial.small, 8, 4, 4 * SPAN);
    small_image_l1(&trial.small, 2, 0, 5);
    small_image_l1(&trial.small, 4, 1, 6);
    small_image_l2(&trial.small, 5, 0, 30 * CLUSTER, 0); /* behind the end, told by others */
    small_image_l2(&trial.small, 6, 0, 31 * CLUSTER, 0);
    small_image_l2(&trial.small, 6, 9, 32 * CLUSTER, 0);
    open_refs(&trial, told);
    gives(&trial, space_refs_data, "");
    assert_int_equal(trial.left_out, 3);
    assert_int_equal(trial.untold, 2);
    end(&trial);
}

static bool is_at_6(void *context, const struct space_named_l2 *l2)
{
    (void)context;
    return l2->l2_off == UINT64_C(6) * CLUSTER;
}

static void a_sink_may_pass_over_tables(void **state)
{
    struct trial trial;
    struct space_refs_sink sink;
    struct err err = {0};

    (void)state;
    begin(&trial);
    small_image_l1(&trial.small, 2, 0, 5);
    small_image_l1(&trial.small, 2, 1, 6);
    small_image_l2(&trial.small, 5, 0, 11 * CLUSTER, 0);
    small_image_l2(&trial.small, 6, 0, 12 * CLUSTER, 0);
    open_refs(&trial, NULL);
    sink = sink_of(&trial);
    sink.wants_data = is_at_6;
    assert_int_equal(space_refs_data(trial.refs, &sink, &err), 0);
    assert_string_equal(trial.text, "l2[1][0] 3072: cluster 12 of 6144-6656, 1 times\n");
    end(&trial);
}

/* In the order of their indices, also a table that is named again. */
static void the_data_of_one_table_come_as_they_are_named(void **state)
{
    struct trial trial;
    struct space_refs_sink sink;
    struct err err = {0};

    (void)state;
    begin(&trial);
    small_image_snapshot(&trial.small, 8, 4, 4 * SPAN);
    small_image_l1(&trial.small, 2, 0, 7);
    small_image_l1(&trial.small, 4, 0, 5);
    small_image_l1(&trial.small, 4, 1, 6);
    small_image_l1(&trial.small, 4, 3, 5);
    small_image_l2(&trial.small, 5, 1, 11 * CLUSTER, 0);
    small_image_l2(&trial.small, 6, 0, 12 * CLUSTER, 0);
    small_image_l2(&trial.small, 7, 0, 13 * CLUSTER, 0);
    open_refs(&trial, NULL);
    sink = sink_of(&trial);
    assert_int_equal(space_refs_data_of(trial.refs, 1, 0, 4, &sink, &err), 0);
    assert_string_equal(trial.text, "l2[0][1] 2568: cluster 11 of 5632-6144, 1 times\n"
                                    "l2[1][0] 3072: cluster 12 of 6144-6656, 1 times\n"
                                    "l2[3][1] 2568: cluster 11 of 5632-6144, 1 times\n");
    trial.len = 0;
    assert_int_equal(space_refs_data_of(trial.refs, 1, 1, 3, &sink, &err), 0);
    assert_string_equal(trial.text, "l2[1][0] 3072: cluster 12 of 6144-6656, 1 times\n");
    /* What was walked alone takes nothing from the whole. */
    gives(&trial, space_refs_data,
          "l2[0][0] 3584: cluster 13 of 6656-7168, 1 times\n"
          "l2[0][1] 2568: cluster 11 of 5632-6144, 2 times\n"
          "l2[1][0] 3072: cluster 12 of 6144-6656, 1 times\n");
    end(&trial);
}

static int count_l2(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct trial *trial = context;

    SAY(trial, "l2[%u] at %llu\n", l1_index, (unsigned long long)l2->l2_off / CLUSTER);
    return 0;
}

static void a_table_is_announced_before_what_it_holds(void **state)
{
    struct trial trial;
    struct space_refs_sink sink;
    struct err err = {0};

    (void)state;
    begin(&trial);
    small_image_l1(&trial.small, 2, 0, 5);
    small_image_l1(&trial.small, 2, 1, 6);
    small_image_l2(&trial.small, 5, 2, 11 * CLUSTER, 0);
    small_image_l2(&trial.small, 6, 0, 12 * CLUSTER, 0);
    open_refs(&trial, NULL);
    sink = sink_of(&trial);
    sink.begin_data = count_l2;
    assert_int_equal(space_refs_data(trial.refs, &sink, &err), 0);
    assert_string_equal(trial.text, "l2[0] at 5\n"
                                    "l2[0][2] 2576: cluster 11 of 5632-6144, 1 times\n"
                                    "l2[1] at 6\n"
                                    "l2[1][0] 3072: cluster 12 of 6144-6656, 1 times\n");
    end(&trial);
}

/* 32 Mi of them. No image on a disk that small has so many: it only says so. */
static void too_many_l1_entries_are_refused(void **state)
{
    const struct space_refs_options options = {NULL, NULL};
    struct trial trial;
    struct space_refs *refs = NULL;
    struct err err = {0};

    (void)state;
    begin(&trial);
    small_image_open(&trial.small, 20 * CLUSTER);
    trial.small.image.header.l1_entries = UINT32_C(1) << 25;
    assert_int_equal(space_refs_new(&trial.small.image, &options, &refs, &err), 0);
    space_refs_free(refs);
    refs = NULL;
    trial.small.image.header.l1_entries++;
    assert_int_equal(space_refs_new(&trial.small.image, &options, &refs, &err), -EFBIG);
    assert_null(refs);
    assert_int_equal(err.code, 0);
    small_image_free(&trial.small);
}

static int refuse(void *context, const struct space_named_l2 *l2, uint32_t l1_index)
{
    (void)context;
    (void)l2;
    return l1_index == 1 ? -ECANCELED : 0;
}

static void what_a_sink_refuses_ends_the_walk(void **state)
{
    struct trial trial;
    struct space_refs_sink sink;
    struct err err = {0};

    (void)state;
    begin(&trial);
    small_image_l1(&trial.small, 2, 0, 5);
    small_image_l1(&trial.small, 2, 1, 6);
    open_refs(&trial, NULL);
    sink = sink_of(&trial);
    sink.l2 = refuse;
    assert_int_equal(space_refs_l2(trial.refs, &sink, &err), -ECANCELED);
    end(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_have_their_words),
        cmocka_unit_test(so_does_a_luks_header),
        cmocka_unit_test(bits_that_cannot_be_known_are_left_out),
        cmocka_unit_test(each_l1_entry_is_told),
        cmocka_unit_test(entries_that_are_not_followed_are_left_out),
        cmocka_unit_test(a_shared_table_is_walked_once),
        cmocka_unit_test(a_blob_refers_to_all_its_clusters),
        cmocka_unit_test(damaged_entries_are_left_out_once),
        cmocka_unit_test(a_sink_may_pass_over_tables),
        cmocka_unit_test(the_data_of_one_table_come_as_they_are_named),
        cmocka_unit_test(a_table_is_announced_before_what_it_holds),
        cmocka_unit_test(too_many_l1_entries_are_refused),
        cmocka_unit_test(what_a_sink_refuses_ends_the_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

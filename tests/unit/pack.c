// SPDX-License-Identifier: MIT
/* Proves that an image comes out of its packing as it was, or as a row shows it. */
#include "pack.h"

#include "arena.h"
#include "report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct format_name name_of(const char *text)
{
    return (struct format_name){.bytes = strdup(text), .len = strlen(text)};
}

/* Numbers of all lengths, also negative ones and fractions; long stretches of nothing. */
static void fill_walk(struct report_walk *walk, uint64_t seed)
{
    walk->mapped_bytes = seed * UINT64_C(0x0102030405060708);
    walk->breaks = UINT64_MAX;
    walk->fragmentation_score = (struct opt_f64){true, -1.0 / (double)seed};
    walk->jump_histogram.n = 3;
    walk->jump_histogram.list = calloc(3, sizeof(*walk->jump_histogram.list));
    walk->jump_histogram.list[2].forward = seed;
    walk->run_histogram.n = 1;
    walk->run_histogram.list = calloc(1, sizeof(*walk->run_histogram.list));
    walk->run_histogram.list[0].bytes = seed << 40;
}

static void fill_table(struct report_table *table, uint64_t seed)
{
    table->id = name_of("7");
    table->is_snapshot = true;
    table->measured = true;
    fill_walk(&table->walk, seed);
    fill_walk(&table->end_to_end.walk, seed + 1);
    table->n_layers = 2;
    table->layers = calloc(2, sizeof(*table->layers));
    table->layers[1].path = strdup("base");
    table->layers[1].bytes = seed;
    table->lost = calloc(1, sizeof(*table->lost));
    table->disk.after_defrag_seconds = (struct opt_f64){true, 1e-9 * (double)seed};
}

static const char path[] = "folder/image";

static struct report_image *image_of(size_t n_tables)
{
    struct report_image *image = calloc(1, sizeof(*image));
    const uint64_t place = 512;

    image->path = path;
    image->measured_at = -2;
    image->complete = true;
    image->beside.copy = strdup("folder/image.new");
    image->format.backing_file = name_of("with a NUL \0 in it");
    image->format.in_use_names = calloc(1, sizeof(*image->format.in_use_names));
    image->format.in_use_names[0] = name_of("bitmap");
    image->format.n_in_use_names = 1;
    image->n_tables = n_tables;
    image->tables = calloc(n_tables, sizeof(*image->tables));
    for (size_t i = 0; i < n_tables; i++)
        fill_table(&image->tables[i], i + 1);
    image->host.filesystem = strdup("ext4");
    image->host.reason = strdup("");
    image->space = calloc(1, sizeof(*image->space));
    image->space->free_bytes = 5;
    image->space->n_snapshots = 1;
    image->space->snapshots = calloc(1, sizeof(*image->space->snapshots));
    image->space->snapshots[0].name = name_of("before");
    image->verdict.known = true;
    image->verdict.reason = strdup("Reading the whole disk takes about 72 s.");
    image->verdict.n_causes = 1;
    image->verdict.causes = calloc(1, sizeof(*image->verdict.causes));
    strcpy(image->verdict.causes[0].option, "l2-cache-size=1");
    format_findings_add(&image->findings, FORMAT_FINDING_L1_PAST_END, "l1[0]", &place, "damage");
    format_findings_add(&image->findings, FORMAT_FINDING_DIRTY, "header", NULL, "in use");
    return image;
}

static void same_walk(const struct report_walk *walk, uint64_t seed)
{
    assert_int_equal(walk->mapped_bytes, seed * UINT64_C(0x0102030405060708));
    assert_int_equal(walk->compressed_clusters, 0);
    assert_int_equal(walk->breaks, UINT64_MAX);
    assert_true(walk->fragmentation_score.known);
    assert_true(walk->fragmentation_score.value == -1.0 / (double)seed);
}

static void same_histograms(const struct report_walk *walk, uint64_t seed)
{
    assert_int_equal(walk->jump_histogram.n, 3);
    assert_int_equal(walk->jump_histogram.list[1].forward, 0);
    assert_int_equal(walk->jump_histogram.list[2].forward, seed);
    assert_int_equal(walk->run_histogram.n, 1);
    assert_int_equal(walk->run_histogram.list[0].bytes, seed << 40);
}

/* What there is in a row as well. */
static void same_image(const struct report_image *image, size_t n_tables)
{
    assert_ptr_equal(image->path, path);
    assert_int_equal(image->measured_at, -2);
    assert_true(image->complete);
    assert_string_equal(image->format.backing_file.bytes, "with a NUL ");
    assert_null(image->format.in_use_names);
    assert_null(image->beside.copy);
    assert_int_equal(image->n_tables, n_tables);
    for (size_t i = 0; i < n_tables; i++) {
        const struct report_table *table = &image->tables[i];

        same_walk(&table->walk, i + 1);
        same_walk(&table->end_to_end.walk, i + 2);
        assert_string_equal(table->id.bytes, "7");
        assert_null(table->name.bytes);
        assert_null(table->lost);
        assert_true(table->disk.after_defrag_seconds.value == 1e-9 * (double)(i + 1));
    }
    assert_string_equal(image->host.filesystem, "ext4");
    assert_null(image->host.device);
    assert_string_equal(image->host.reason, "");
    assert_int_equal(image->space->free_bytes, 5);
    assert_string_equal(image->verdict.reason, "Reading the whole disk takes about 72 s.");
    assert_null(image->error);
    assert_int_equal(image->findings.total, 2);
    assert_true(format_findings_have_error(&image->findings));
}

/* Packs an image, and unpacks it: see the caller, who frees both. */
static const struct report_image *through(size_t n_tables, bool row_only, struct arena *arena,
                                          void **room)
{
    struct report_image *image = image_of(n_tables);
    struct report_packed *packed = report_pack(image, row_only, arena);

    assert_non_null(packed);
    assert_null(image->tables); /* freed */
    free(image);
    *room = malloc(report_packed_room(packed));
    assert_non_null(*room);
    memset(*room, 0xa5, report_packed_room(packed));
    return report_unpack(packed, *room);
}

static void all_that_is_shown_comes_back(void **state)
{
    struct arena arena = {NULL, 0};
    void *room;
    const struct report_image *image = through(3, false, &arena, &room);

    (void)state;
    same_image(image, 3);
    for (size_t i = 0; i < 3; i++) {
        same_histograms(&image->tables[i].walk, i + 1);
        same_histograms(&image->tables[i].end_to_end.walk, i + 2);
        assert_int_equal(image->tables[i].n_layers, 2);
        assert_null(image->tables[i].layers[0].path);
        assert_string_equal(image->tables[i].layers[1].path, "base");
        assert_int_equal(image->tables[i].layers[1].bytes, i + 1);
    }
    assert_string_equal(image->space->snapshots[0].name.bytes, "before");
    assert_string_equal(image->verdict.causes[0].option, "l2-cache-size=1");
    assert_int_equal(image->findings.n_list, 2);
    assert_string_equal(image->findings.list[0].message, "damage");
    assert_int_equal(image->findings.list[0].host_off, 512);
    assert_string_equal(image->findings.list[1].where, "header");
    free(room);
    arena_free(&arena);
}

static void for_a_row_there_is_less(void **state)
{
    struct arena arena = {NULL, 0};
    void *room;
    const struct report_image *image = through(1, true, &arena, &room);

    (void)state;
    same_image(image, 1);
    assert_int_equal(image->tables[0].walk.jump_histogram.n, 0);
    assert_null(image->tables[0].walk.run_histogram.list);
    assert_int_equal(image->tables[0].end_to_end.walk.jump_histogram.n, 0);
    assert_null(image->tables[0].layers);
    assert_int_equal(image->tables[0].n_layers, 0);
    assert_null(image->space->snapshots);
    assert_int_equal(image->space->n_snapshots, 0);
    assert_null(image->verdict.causes);
    assert_int_equal(image->verdict.n_causes, 0);
    assert_null(image->findings.list);
    assert_int_equal(image->findings.n_list, 0);
    free(room);
    arena_free(&arena);
}

static void an_image_that_failed_has_a_reason(void **state)
{
    struct report_image *image = calloc(1, sizeof(*image));
    struct arena arena = {NULL, 0};
    const struct report_image *unpacked;
    struct report_packed *packed;
    void *room;

    (void)state;
    report_image_set_error(image, "is not a qcow2 image");
    packed = report_pack(image, true, &arena);
    room = malloc(report_packed_room(packed));
    unpacked = report_unpack(packed, room);
    assert_string_equal(unpacked->error, "is not a qcow2 image");
    assert_int_equal(unpacked->n_tables, 0);
    assert_null(unpacked->space);
    free(room);
    free(image);
    arena_free(&arena);
}

static void with_very_many_tables_it_stays_as_it_is(void **state)
{
    struct report_image *image = image_of(REPORT_PACK_TABLES_MAX + 1);
    struct arena arena = {NULL, 0};

    (void)state;
    assert_null(report_pack(image, true, &arena));
    assert_non_null(image->tables[REPORT_PACK_TABLES_MAX].layers);
    assert_null(arena.blocks);
    report_image_free(image);
    free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_shown_comes_back),
        cmocka_unit_test(for_a_row_there_is_less),
        cmocka_unit_test(an_image_that_failed_has_a_reason),
        cmocka_unit_test(with_very_many_tables_it_stays_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

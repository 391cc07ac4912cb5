// SPDX-License-Identifier: MIT
/*
 * The measurement of a whole image: which tables, what is known of each, and what becomes of it
 * when something fails.
 */
#include "measure.h"
#include "backing.h"
#include "choose.h"
#include "io_memory.h"
#include "scratch.h"
#include "small_image.h"
#include "space.h"

#define CLUSTER UINT64_C(65536)
#define COPIED FORMAT_ENTRY_COPIED
#define DISK (20 * CLUSTER)

/* Clusters of the file. */
enum { L1 = 2, L2, SNAPSHOT_L1, SNAPSHOT_L2, SNAPSHOTS, DATA, REFBLOCK = 14, END = 16 };

struct scene {
    struct small_image small;
    struct report_choice choice;
    struct report_image report;
    struct io_users users;
};

/* The disk has data in its clusters 0, 1 and 4, which lie at 7, 8 and 6 + 4. */
static void put_refcount(struct scene *scene, uint64_t cluster, uint16_t n)
{
    put_be16(scene->small.bytes + small_image_at(&scene->small, REFBLOCK) + 2 * cluster, n);
}

static void make(struct scene *scene)
{
    struct small_image *small = &scene->small;

    memset(scene, 0, sizeof(*scene));
    small_image_init(small, 16, DISK, 1, END);
    small_image_l1(small, L1, 0, L2);
    small_image_l2(small, L2, 0, COPIED | small_image_at(small, DATA), 0);
    small_image_l2(small, L2, 1, COPIED | small_image_at(small, DATA + 1), 0);
    small_image_l2(small, L2, 4, COPIED | small_image_at(small, DATA + 3), 0);
    small_image_put(small, CLUSTER, small_image_at(small, REFBLOCK));
    for (uint64_t i = 0; i <= L2; i++)
        put_refcount(scene, i, 1);
    put_refcount(scene, DATA, 1);
    put_refcount(scene, DATA + 1, 1);
    put_refcount(scene, DATA + 3, 1);
    put_refcount(scene, REFBLOCK, 1);
    scene->choice.no_host = true;
    scene->choice.device = REPORT_DEVICE_HDD;
}

/* And a snapshot that shares the first cluster and has another one for itself. */
static void add_snapshot(struct scene *scene, const char *id, const char *name)
{
    struct small_image *small = &scene->small;

    small_image_add_snapshot(small, SNAPSHOTS, id, name, SNAPSHOT_L1, 1, 30 * CLUSTER);
    small_image_l1(small, SNAPSHOT_L1, 0, SNAPSHOT_L2);
    small_image_l2(small, SNAPSHOT_L2, 0, small_image_at(small, DATA), 0);
    small_image_l2(small, SNAPSHOT_L2, 25, COPIED | small_image_at(small, DATA + 4), 0);
    small_image_l2(small, L2, 0, small_image_at(small, DATA), 0);
    for (uint64_t i = SNAPSHOT_L1; i <= SNAPSHOTS; i++)
        put_refcount(scene, i, 1);
    put_refcount(scene, DATA, 2);
    put_refcount(scene, DATA + 4, 1);
}

static void measure(struct scene *scene)
{
    report_image_free(&scene->report);
    scene->small.memory = io_memory_of(scene->small.bytes, scene->small.len);
    report_measure_io(&scene->small.memory.io, "disk", &scene->choice, &scene->report);
    assert_int_equal(scene->small.memory.n_closed, 1);
    assert_string_equal(scene->report.path, "disk");
}

static void measured(struct scene *scene)
{
    measure(scene);
    if (scene->report.error != NULL)
        fail_msg("%s", scene->report.error);
    assert_true(scene->report.has_format);
}

static void fails(struct scene *scene, const char *why)
{
    measure(scene);
    assert_non_null(scene->report.error);
    assert_string_equal(scene->report.error, why);
    assert_false(scene->report.has_format);
    assert_int_equal(scene->report.n_tables, 0);
    assert_false(scene->report.complete);
    assert_true(scene->report.measured_at > 0);
}

static void done(struct scene *scene)
{
    report_image_free(&scene->report);
    free(scene->small.bytes);
}

/* ---- one table ---- */

static void the_active_state_is_measured_by_itself(void **state)
{
    const struct report_table *table;
    struct scene scene;

    (void)state;
    make(&scene);
    measured(&scene);
    assert_true(scene.report.complete);
    assert_false(scene.report.changing);
    assert_false(scene.report.in_use.known);
    assert_false(scene.report.being_written);
    assert_null(scene.report.space);
    assert_int_equal(scene.report.n_tables, 1);
    table = &scene.report.tables[0];
    assert_false(table->is_snapshot);
    assert_true(table->measured);
    assert_int_equal(table->chain_depth, 1);
    assert_int_equal(table->virtual_bytes, DISK);
    assert_false(table->range.known);
    assert_int_equal(table->mapped_clusters, 3);
    assert_int_equal(table->walk.mapped_bytes, 3 * CLUSTER);
    assert_int_equal(table->walk.breaks, 1);
    assert_int_equal(table->walk.forward_jumps, 1);
    assert_int_equal(table->walk.pieces, 3);
    assert_true(table->read_split.known);
    assert_true(table->disk.known);
    assert_int_equal(table->disk.profile, METER_DISK_HDD);
    assert_true(table->disk.after_defrag_seconds.known);
    assert_false(table->end_to_end.known);
    assert_null(table->layers);
    assert_null(table->lost);
    assert_true(table->has_check);
    assert_int_equal(table->check.allocated_clusters, 3);
    assert_int_equal(table->check.total_clusters, 20);
    assert_int_equal(table->check.fragmented_clusters, 1);
    assert_int_equal(table->check.compressed_clusters, 0);
    assert_true(scene.report.verdict.known);
    assert_int_equal(scene.report.verdict.action, REPORT_NONE);
    assert_true(scene.report.verdict.copy_bytes.known);
    assert_int_equal(scene.report.verdict.copy_bytes.value, 3 * CLUSTER);
    done(&scene);
}

static void the_format_is_told(void **state)
{
    struct scene scene;
    const struct report_format *format = &scene.report.format;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "one");
    put_be64(scene.small.bytes + 80, FORMAT_COMPAT_LAZY_REFCOUNTS);
    measured(&scene);
    assert_int_equal(format->version, 3);
    assert_int_equal(format->cluster_bytes, CLUSTER);
    assert_int_equal(format->virtual_bytes, DISK);
    assert_int_equal(format->file_bytes, END * CLUSTER);
    assert_int_equal(format->refcount_bits, 16);
    assert_int_equal(format->snapshot_count, 1);
    assert_int_equal(format->l1_entries, 1);
    assert_true(format->l2_tables.known);
    assert_int_equal(format->l2_tables.value, 1);
    assert_int_equal(format->l2_bytes.value, CLUSTER);
    assert_int_equal(format->l2_cache_bytes, CLUSTER);
    assert_true(format->lazy_refcounts);
    assert_false(format->dirty);
    assert_false(format->corrupt);
    assert_false(format->extended_l2);
    assert_false(format->data_file_raw);
    assert_null(format->backing_file.bytes);
    put_be64(scene.small.bytes + 80, 0);
    put_be64(scene.small.bytes + 72, FORMAT_INCOMPAT_DIRTY | FORMAT_INCOMPAT_CORRUPT);
    measured(&scene);
    assert_false(format->lazy_refcounts);
    assert_true(format->dirty);
    assert_true(format->corrupt);
    done(&scene);
}

static void the_kinds_of_clusters_are_counted(void **state)
{
    struct scene scene;
    const struct report_walk *walk;

    (void)state;
    make(&scene);
    small_image_l2(&scene.small, L2, 5, 1, 0); /* zero */
    small_image_l2(&scene.small, L2, 6, COPIED | 1 | small_image_at(&scene.small, 12),
                   0); /* kept */
    small_image_l2(&scene.small, L2, 7, UINT64_C(1) << 62 | small_image_at(&scene.small, 13), 0);
    small_image_l2(&scene.small, L2, 8, COPIED | small_image_at(&scene.small, 999), 0); /* behind */
    measured(&scene);
    walk = &scene.report.tables[0].walk;
    assert_int_equal(walk->zero_clusters, 2);
    assert_int_equal(walk->zero_allocated_clusters, 1);
    assert_int_equal(walk->compressed_clusters, 1);
    assert_int_equal(walk->corrupt_entries, 1);
    assert_false(scene.report.complete);
    assert_non_null(scene.report.tables[0].lost);
    assert_int_equal(scene.report.tables[0].lost->bytes, CLUSTER);
    assert_int_equal(scene.report.findings.errors, 1);
    assert_int_equal(scene.report.verdict.action, REPORT_UNKNOWN);
    done(&scene);
}

/* ---- a part of the disk ---- */

static void a_part_of_the_disk(void **state)
{
    struct tables_span span = {CLUSTER, 3 * CLUSTER};
    struct scene scene;
    const struct report_table *table;

    (void)state;
    make(&scene);
    scene.choice.walk.span = &span;
    measured(&scene);
    table = &scene.report.tables[0];
    assert_true(table->range.known);
    assert_int_equal(table->range.guest_off, CLUSTER);
    assert_int_equal(table->range.len_bytes, 2 * CLUSTER);
    assert_int_equal(table->mapped_clusters, 1);
    assert_false(table->has_check);
    assert_false(scene.report.format.l2_tables.known);
    span.end = UINT64_MAX;
    measured(&scene);
    assert_int_equal(scene.report.tables[0].range.len_bytes, DISK - CLUSTER);
    span.begin = DISK;
    fails(&scene,
          "the range begins at 1.25 MiB, but the disk has only 1.25 MiB; choose one inside it");
    add_snapshot(&scene, "1", "one"); /* which is larger */
    scene.choice.all_snapshots = true;
    measured(&scene);
    assert_int_equal(scene.report.tables[0].range.len_bytes, 0);
    assert_int_equal(scene.report.tables[1].range.len_bytes, 10 * CLUSTER);
    assert_int_equal(scene.report.tables[1].mapped_clusters, 1);
    done(&scene);
}

/* ---- snapshots ---- */

static void all_snapshots_come_after_the_active_state(void **state)
{
    const struct report_table *table;
    struct scene scene;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "one");
    add_snapshot(&scene, "2", "two"); /* of the same table */
    scene.choice.all_snapshots = true;
    measured(&scene);
    assert_int_equal(scene.report.n_tables, 3);
    table = scene.report.tables;
    assert_false(table[0].is_snapshot);
    assert_int_equal(table[0].mapped_clusters, 3);
    for (int i = 1; i < 3; i++) {
        assert_true(table[i].is_snapshot);
        assert_string_equal(table[i].id.bytes, i == 1 ? "1" : "2");
        assert_string_equal(table[i].name.bytes, i == 1 ? "one" : "two");
        assert_int_equal(table[i].virtual_bytes, 30 * CLUSTER);
        assert_int_equal(table[i].mapped_clusters, 2);
        assert_false(table[i].has_check);
    }
    assert_int_equal(scene.report.format.l2_tables.value, 1); /* of the active table */
    done(&scene);
}

static void more_snapshots_than_are_walked_at_once(void **state)
{
    struct scene scene;
    char id[8];

    (void)state;
    make(&scene);
    free(scene.small.bytes);
    small_image_init(&scene.small, 16, DISK, 1, END + 8); /* 16 may share an L1 table */
    for (int i = 0; i < 2 * TABLES_SCAN_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        small_image_add_snapshot(&scene.small, SNAPSHOTS, id, "s", (uint64_t)(END + i / 16), 1,
                                 (uint64_t)(i + 1) * 512);
    }
    scene.choice.all_snapshots = true;
    measured(&scene);
    assert_int_equal(scene.report.n_tables, 2 * TABLES_SCAN_MAX + 1);
    for (int i = 0; i < 2 * TABLES_SCAN_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_string_equal(scene.report.tables[i + 1].id.bytes, id);
        assert_int_equal(scene.report.tables[i + 1].virtual_bytes, (i + 1) * 512);
        assert_true(scene.report.tables[i + 1].measured);
    }
    done(&scene);
}

static void a_snapshot_that_cannot_be_read_has_no_figures(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    small_image_add_snapshot(&scene.small, SNAPSHOTS, "1", "bad", 999, 1, DISK);
    add_snapshot(&scene, "2", "good");
    scene.choice.all_snapshots = true;
    measured(&scene);
    assert_int_equal(scene.report.n_tables, 3);
    assert_true(scene.report.tables[0].measured);
    assert_false(scene.report.tables[1].measured);
    assert_string_equal(scene.report.tables[1].name.bytes, "bad");
    assert_int_equal(scene.report.tables[1].virtual_bytes, DISK);
    assert_true(scene.report.tables[2].measured);
    assert_int_equal(scene.report.tables[2].mapped_clusters, 2);
    assert_false(scene.report.complete);
    done(&scene);
}

/* ---- choosing them ---- */

static void choose(struct scene *scene, const char *const texts[], size_t n)
{
    scene->choice.snapshots = texts;
    scene->choice.n_snapshots = n;
}

static void snapshots_are_chosen_by_id_or_name(void **state)
{
    static const char *const texts[] = {"two", "1", "id:2", "name:one"};
    struct scene scene;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "one");
    add_snapshot(&scene, "2", "two");
    choose(&scene, texts, 4);
    measured(&scene);
    assert_int_equal(scene.report.n_tables, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(scene.report.tables[i].id.bytes, i % 2 == 0 ? "2" : "1");
    assert_false(scene.report.verdict.known); /* without the active state */
    scene.choice.all_snapshots = true;        /* then only they are there */
    measured(&scene);
    assert_int_equal(scene.report.n_tables, 3);
    done(&scene);
}

static void what_fits_none_is_an_error_that_lists_them(void **state)
{
    static const char *const texts[] = {"nine", "id:one", "on", "one1"};
    struct scene scene;
    char why[128];

    (void)state;
    make(&scene);
    choose(&scene, texts, 1);
    fails(&scene, "has no snapshot \"nine\"; it has none");
    add_snapshot(&scene, "1", "one");
    add_snapshot(&scene, "2", "t\x1bo");
    for (size_t i = 0; i < 4; i++) {
        choose(&scene, &texts[i], 1);
        snprintf(why, sizeof(why),
                 "has no snapshot \"%s\"; it has id:1 name:one, id:2 name:t\\x1bo", texts[i]);
        fails(&scene, why);
    }
    scene.choice.all_snapshots = true;
    fails(&scene, why);
    done(&scene);
}

static void what_fits_several_is_not_clear(void **state)
{
    static const char *const text = "2";
    struct scene scene;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "2");
    add_snapshot(&scene, "2", "x");
    add_snapshot(&scene, "3", "x");
    choose(&scene, &text, 1);
    fails(&scene,
          "the snapshot \"2\" is not clear: it may be id:1 name:2, id:2 name:x; write id:ID "
          "or name:NAME");
    done(&scene);
}

static void of_many_eight_are_listed(void **state)
{
    static const char *const text = "x", *const none = "y";
    struct scene scene;
    char id[2] = "1";

    (void)state;
    make(&scene);
    for (int i = 0; i < 8; i++, id[0]++)
        add_snapshot(&scene, id, "x");
    choose(&scene, &none, 1);
    fails(&scene, "has no snapshot \"y\"; it has id:1 name:x, id:2 name:x, id:3 name:x, id:4 "
                  "name:x, id:5 name:x, id:6 name:x, id:7 name:x, id:8 name:x");
    add_snapshot(&scene, "9", "x");
    choose(&scene, &text, 1);
    fails(&scene, "the snapshot \"x\" is not clear: it may be id:1 name:x, id:2 name:x, id:3 "
                  "name:x, id:4 name:x, id:5 name:x, id:6 name:x, id:7 name:x, id:8 name:x, ...; "
                  "write id:ID or name:NAME");
    done(&scene);
}

/* ---- who owns the space ---- */

static void the_space_is_measured_if_it_was_asked_for(void **state)
{
    const struct report_space *space;
    struct scene scene;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "one");
    scene.choice.space = true;
    measured(&scene);
    space = scene.report.space;
    assert_non_null(space);
    assert_int_equal(space->active_bytes, 3 * CLUSTER);
    assert_int_equal(space->snapshot_only_bytes, CLUSTER);
    assert_int_equal(space->n_snapshots, 1);
    assert_string_equal(space->snapshots[0].name.bytes, "one");
    assert_string_equal(space->snapshots[0].id.bytes, "1");
    /* Its data, its two tables, and the snapshot table, which is empty then. */
    assert_true(space->snapshots[0].exclusive_bytes.known);
    assert_int_equal(space->snapshots[0].exclusive_bytes.value, 4 * CLUSTER);
    assert_false(space->host_allocated_bytes.known);
    assert_int_equal(space->end_offset_bytes, (REFBLOCK + 1) * CLUSTER);
    assert_int_equal(space->tail_bytes, CLUSTER);
    assert_int_equal(space->free_bytes, 3 * CLUSTER); /* 9, 12 and 13 */
    assert_int_equal(space->free_gaps, 2);
    assert_int_equal(space->free_gap_max_bytes.value, 2 * CLUSTER);
    assert_int_equal(space->free_gap_histogram.n, 2);
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(space->free_gap_histogram.list[i].from_bytes, (i + 1) * CLUSTER);
        assert_int_equal(space->free_gap_histogram.list[i].gaps, 1);
        assert_int_equal(space->free_gap_histogram.list[i].bytes, (i + 1) * CLUSTER);
    }
    assert_int_equal(space->metadata_bytes, (DATA + 1) * CLUSTER); /* with the refcount block */
    assert_int_equal(space->vm_state_bytes, 0);
    assert_true(space->leaked_bytes.known);
    assert_int_equal(space->leaked_bytes.value, 0);
    assert_int_equal(space->unknown_bytes, 0);
    assert_int_equal(space->reclaimable_bytes.value, space->free_bytes + space->tail_bytes);
    done(&scene);
}

static void what_nobody_refers_to_is_leaked(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    put_refcount(&scene, DATA + 5, 1);
    scene.choice.space = true;
    measured(&scene);
    assert_true(scene.report.space->leaked_bytes.known);
    assert_int_equal(scene.report.space->leaked_bytes.value, CLUSTER);
    assert_int_equal(scene.report.space->free_bytes, 6 * CLUSTER);
    assert_int_equal(scene.report.space->reclaimable_bytes.value, 8 * CLUSTER);
    put_be64(scene.small.bytes + 72, FORMAT_INCOMPAT_DIRTY);
    measured(&scene);
    assert_false(scene.report.space->leaked_bytes.known);
    assert_true(scene.report.space->reclaimable_bytes.known);
    done(&scene);
}

static void where_something_is_damaged_nothing_is_leaked_for_sure(void **state)
{
    const struct report_space *space;
    struct scene scene;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "one");
    small_image_l2(&scene.small, SNAPSHOT_L2, 3, COPIED | small_image_at(&scene.small, 999), 0);
    put_refcount(&scene, DATA + 5, 1);
    scene.choice.space = true;
    measured(&scene);
    space = scene.report.space;
    assert_false(space->leaked_bytes.known);
    assert_false(space->reclaimable_bytes.known);
    assert_int_equal(space->unknown_bytes, CLUSTER);
    assert_int_equal(scene.report.findings.per_code[FORMAT_FINDING_SPACE_LEFT_OUT], 1);
    scene.choice.all_snapshots = true; /* then the entry itself is a finding */
    measured(&scene);
    assert_int_equal(scene.report.findings.per_code[FORMAT_FINDING_SPACE_LEFT_OUT], 0);
    assert_false(scene.report.complete);
    done(&scene);
}

/* ---- failures ---- */

static void whatever_cannot_be_read_is_the_images_error(void **state)
{
    struct scene scene;
    uint64_t n_reads;

    (void)state;
    make(&scene);
    add_snapshot(&scene, "1", "one");
    scene.choice.all_snapshots = scene.choice.space = true;
    measured(&scene);
    n_reads = scene.small.memory.n_requests;
    for (uint64_t i = 1; i <= n_reads; i++) {
        report_image_free(&scene.report);
        scene.small.memory = io_memory_of(scene.small.bytes, scene.small.len);
        scene.small.memory.fail_at = i;
        report_measure_io(&scene.small.memory.io, "disk", &scene.choice, &scene.report);
        assert_non_null(scene.report.error);
        assert_non_null(strstr(scene.report.error, IO_MEMORY_FAILS));
        assert_int_equal(scene.report.n_tables, 0);
        assert_int_equal(scene.report.findings.total, 0);
        assert_false(scene.report.verdict.known);
        assert_int_equal(scene.small.memory.n_closed, 1);
    }
    done(&scene);
}

static void what_is_no_image_says_so(void **state)
{
    struct report_choice choice = {.no_host = true};
    struct report_image report;

    (void)state;
    report_measure("nothing", &choice, &report);
    assert_string_equal(report.error, "cannot open: No such file or directory");
    assert_string_equal(report.path, "nothing");
    report_image_free(&report);
    scratch_write("text", "text");
    report_measure("text", &choice, &report);
    assert_string_equal(report.error,
                        "is not a qcow2 image: it does not begin with the qcow2 signature");
    assert_false(report.has_format);
    report_image_free(&report);
}

/* ---- who else uses it ---- */

static struct io_users busy(struct io *io)
{
    (void)io;
    return (struct io_users){.known = true, .held = true, .written = true};
}

static void who_writes_to_it_is_told(void **state)
{
    static struct io_ops ops;
    struct scene scene;

    (void)state;
    make(&scene);
    scene.small.memory = io_memory_of(scene.small.bytes, scene.small.len);
    ops = *scene.small.memory.io.ops;
    ops.users = busy;
    scene.small.memory.io.ops = &ops;
    scene.choice.space = true;
    report_measure_io(&scene.small.memory.io, "disk", &scene.choice, &scene.report);
    assert_true(scene.report.in_use.known);
    assert_true(scene.report.in_use.value);
    assert_true(scene.report.being_written);
    assert_false(scene.report.changing);
    assert_false(scene.report.space->leaked_bytes.known);
    done(&scene);
}

/* ---- along a chain ---- */

static unsigned char *put_backing(unsigned char *bytes, const char *name, const char *format)
{
    put_be32(bytes + 104, 0xe2792aca);
    put_be32(bytes + 108, (uint32_t)strlen(format));
    memcpy(bytes + 112, format, strlen(format));
    put_be64(bytes + 8, 128);
    put_be32(bytes + 16, (uint32_t)strlen(name));
    memcpy(bytes + 128, name, strlen(name));
    return bytes;
}

/* top has 0, 1, 4; middle has the same and 9; base is raw and has all. */
static void make_chain(struct scene *scene)
{
    unsigned char *base = malloc(10 * CLUSTER);
    unsigned char *bytes;

    make(scene);
    bytes = scene->small.bytes;
    put_backing(bytes, "middle", "qcow2");
    scratch_put("top", bytes, scene->small.len);
    put_backing(bytes, "base\0\0", "raw\0\0");
    put_be32(bytes + 16, 4);
    put_be32(bytes + 108, 3);
    small_image_l2(&scene->small, L2, 9, COPIED | small_image_at(&scene->small, DATA + 4), 0);
    scratch_put("middle", bytes, scene->small.len);
    memset(base, 'b', 10 * CLUSTER);
    scratch_put("base", base, 10 * CLUSTER);
    free(base);
    scene->choice.chain = true;
}

static void a_chain_is_measured_as_one_disk(void **state)
{
    const struct report_table *table;
    struct scene scene;

    (void)state;
    make_chain(&scene);
    report_measure("top", &scene.choice, &scene.report);
    assert_null(scene.report.error);
    assert_int_equal(scene.report.n_tables, 1);
    table = &scene.report.tables[0];
    assert_int_equal(table->chain_depth, 3);
    assert_int_equal(table->walk.mapped_bytes, 10 * CLUSTER);
    assert_int_equal(table->mapped_clusters, 10);
    assert_int_equal(table->walk.file_switches, 4);
    assert_false(table->has_check);
    assert_int_equal(table->n_layers, 3);
    assert_string_equal(table->layers[0].path, "top");
    assert_string_equal(table->layers[1].path, "middle");
    assert_string_equal(table->layers[2].path, "base");
    for (uint32_t i = 0; i < 3; i++) {
        static const uint64_t bytes[] = {3, 1, 6}, hidden[] = {0, 3, 4}, runs[] = {2, 1, 2};

        assert_int_equal(table->layers[i].depth, i);
        assert_int_equal(table->layers[i].bytes, bytes[i] * CLUSTER);
        assert_int_equal(table->layers[i].runs, runs[i]);
        assert_true(table->layers[i].shadowed_bytes.known);
        assert_int_equal(table->layers[i].shadowed_bytes.value, hidden[i] * CLUSTER);
    }
    done(&scene);
}

static void of_a_part_of_a_chain_nothing_hidden_is_known(void **state)
{
    struct tables_span span = {4 * CLUSTER, 8 * CLUSTER};
    struct scene scene;

    (void)state;
    make_chain(&scene);
    scene.choice.walk.span = &span;
    report_measure("top", &scene.choice, &scene.report);
    assert_null(scene.report.error);
    assert_int_equal(scene.report.tables[0].walk.mapped_bytes, 4 * CLUSTER);
    assert_int_equal(scene.report.tables[0].layers[0].bytes, CLUSTER);
    assert_false(scene.report.tables[0].layers[1].shadowed_bytes.known);
    done(&scene);
}

static void an_image_without_a_backing_file_is_its_only_layer(void **state)
{
    const struct report_table *table;
    struct scene scene;

    (void)state;
    make(&scene);
    scene.choice.chain = true;
    measured(&scene);
    table = &scene.report.tables[0];
    assert_int_equal(table->chain_depth, 1);
    assert_true(table->has_check);
    assert_int_equal(table->n_layers, 1);
    assert_string_equal(table->layers[0].path, "disk");
    assert_int_equal(table->layers[0].bytes, 3 * CLUSTER);
    assert_int_equal(table->layers[0].runs, 2);
    assert_true(table->layers[0].shadowed_bytes.known);
    assert_int_equal(table->layers[0].shadowed_bytes.value, 0);
    done(&scene);
}

static void damage_below_is_told_with_its_depth(void **state)
{
    struct scene scene;
    bool found = false;

    (void)state;
    make_chain(&scene);
    small_image_l2(&scene.small, L2, 12, COPIED | small_image_at(&scene.small, 999), 0);
    scratch_put("middle", scene.small.bytes, scene.small.len);
    report_measure("top", &scene.choice, &scene.report);
    assert_null(scene.report.error);
    assert_false(scene.report.complete);
    for (size_t i = 0; i < scene.report.findings.n_list; i++)
        found = found || strcmp(scene.report.findings.list[i].where, "backing[1] l2[0][12]") == 0;
    assert_true(found);
    done(&scene);
}

struct heard {
    double parts[8];
    size_t n;
};

static void remember(void *context, double part)
{
    struct heard *heard = context;

    heard->parts[heard->n++ % 8] = part;
}

/* The image alone, then the second of three layers, then all of them. */
static void progress_is_told_of_each_walk(void **state)
{
    struct heard heard = {.n = 0};
    struct scene scene;

    (void)state;
    make_chain(&scene);
    scene.choice.walk.progress = remember;
    scene.choice.walk.context = &heard;
    report_measure("top", &scene.choice, &scene.report);
    assert_null(scene.report.error);
    assert_int_equal(heard.n, 3);
    assert_float_equal(heard.parts[0], 1, 0);
    assert_float_equal(heard.parts[1], 2.0 / 3, 1e-9);
    assert_float_equal(heard.parts[2], 1, 0);
    done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_active_state_is_measured_by_itself),
        cmocka_unit_test(the_format_is_told),
        cmocka_unit_test(the_kinds_of_clusters_are_counted),
        cmocka_unit_test(a_part_of_the_disk),
        cmocka_unit_test(all_snapshots_come_after_the_active_state),
        cmocka_unit_test(more_snapshots_than_are_walked_at_once),
        cmocka_unit_test(a_snapshot_that_cannot_be_read_has_no_figures),
        cmocka_unit_test(snapshots_are_chosen_by_id_or_name),
        cmocka_unit_test(what_fits_none_is_an_error_that_lists_them),
        cmocka_unit_test(what_fits_several_is_not_clear),
        cmocka_unit_test(of_many_eight_are_listed),
        cmocka_unit_test(the_space_is_measured_if_it_was_asked_for),
        cmocka_unit_test(what_nobody_refers_to_is_leaked),
        cmocka_unit_test(where_something_is_damaged_nothing_is_leaked_for_sure),
        cmocka_unit_test(whatever_cannot_be_read_is_the_images_error),
        SCRATCH_TEST(what_is_no_image_says_so),
        cmocka_unit_test(who_writes_to_it_is_told),
        SCRATCH_TEST(a_chain_is_measured_as_one_disk),
        SCRATCH_TEST(of_a_part_of_a_chain_nothing_hidden_is_known),
        cmocka_unit_test(an_image_without_a_backing_file_is_its_only_layer),
        SCRATCH_TEST(damage_below_is_told_with_its_depth),
        SCRATCH_TEST(progress_is_told_of_each_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * The verdict in made situations: for each the action and the sentence that a careful administrator
 * would give (the causes: cause.c). What is not said in a situation is as in a calm one: 10 GiB of
 * data in clusters of 64 KiB, in order, on an ext4 file in one piece.
 */
#include "verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct situation {
    const char *what;

    enum meter_disk_kind profile;
    bool assumed;                     /* nobody knows the disk */
    double ideal, image, both, after; /* seconds; both 0: the host is not known; after 0: ideal */
    double slowdown_low;              /* 0: seconds / ideal */
    uint64_t half_bytes;              /* 0: 512 MiB */
    uint64_t backward, forward;       /* steps */
    uint64_t jump_bytes;              /* the class of all of them; 0: 1 GiB */
    uint64_t compressed, zero_allocated, switches;
    uint32_t chain_depth; /* 0: 1 */
    uint64_t snapshots, snapshot_bytes;
    uint64_t cluster_bytes;  /* 0: 64 KiB */
    uint64_t l2_cache_bytes; /* 0: 2 MiB */
    uint64_t file_bytes;     /* 0: as the data need */
    const char *filesystem;  /* NULL: ext4 */
    uint64_t extents;        /* 0: 1 */
    bool external_data, damaged, nothing_mapped;

    enum report_action action;
    const char *reason;
};

static const struct situation situations[] = {
    /* ---- calm ones ---- */
    {.what = "in order",
     .ideal = 71.6,
     .image = 71.6,
     .both = 71.6,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 72 s, as fast as it can be: nothing to do."},
    {.what = "in order, on a disk that nobody knows",
     .assumed = true,
     .ideal = 71.6,
     .image = 71.6,
     .both = 71.6,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 72 s, if the disk spins, as fast as it can be: "
               "nothing to do."},
    {.what = "a few breaks",
     .ideal = 71.6,
     .image = 78,
     .both = 80,
     .backward = 600,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 80 s, where 72 s would be the least: nothing to "
               "do."},
    {.what = "just below the border",
     .ideal = 100,
     .image = 119.9,
     .both = 119.9,
     .backward = 3000,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 2 min, where 100 s would be the least: nothing "
               "to do."},
    {.what = "many breaks on an SSD, but half of the data in long runs",
     .profile = METER_DISK_SSD,
     .ideal = 21,
     .image = 30,
     .half_bytes = 2 * MIB,
     .backward = 50000,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 30 s, where 21 s would be the least: nothing to "
               "do."},
    {.what = "nothing mapped",
     .nothing_mapped = true,
     .action = REPORT_NONE,
     .reason = "Nothing is mapped: there is nothing to read."},
    {.what = "an external data file, in order",
     .external_data = true,
     .ideal = 10,
     .image = 10.6,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 11 s, where 10 s would be the least: nothing to "
               "do."},
    {.what = "no break, but many tables in clusters so small that no cache helps",
     .ideal = 10,
     .image = 20,
     .after = 20,
     .cluster_bytes = 4 * KIB,
     .l2_cache_bytes = 64 * MIB,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 20 s, where 10 s would be the least: the rest "
               "goes into fetching the image's tables, and no rewrite would change that."},
    {.what = "poor, but small",
     .ideal = 0.16,
     .image = 0.386,
     .backward = 40,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 386 ms, where 160 ms would be the least: the "
               "order is poor, but costs nothing that anyone feels."},
    {.what = "poor, but only together with its tables so that anyone feels it",
     .ideal = 0.1,
     .image = 1.2,
     .after = 0.3,
     .backward = 140,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 1.2 s, where 100 ms would be the least: a "
               "rewrite would save less than anyone feels."},
    {.what = "on an SSD, slow with one command at a time, but not with eight",
     .profile = METER_DISK_SSD,
     .ideal = 21,
     .image = 30,
     .slowdown_low = 1.1,
     .half_bytes = 64 * KIB,
     .backward = 80000,
     .forward = 80000,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 30 s, where 21 s would be the least: nothing to "
               "do."},
    {.what = "an external data file whose tables are fetched in between",
     .external_data = true,
     .ideal = 10,
     .image = 20,
     .after = 10,
     .action = REPORT_NONE,
     .reason = "Reading the whole disk takes about 20 s, where 10 s would be the least: the data "
               "lie in guest order in their own file, and no rewrite would change that."},

    /* ---- the image ---- */
    {.what = "random growth",
     .ideal = 360,
     .image = 1080,
     .both = 1080,
     .half_bytes = 64 * KIB,
     .backward = 80000,
     .forward = 80000,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 18 min where 6 min would do; all of that is the "
               "image's own order. Rewritten, it would take 6 min."},
    {.what = "random growth, where nothing is known of disk and host",
     .assumed = true,
     .ideal = 360,
     .image = 1080,
     .filesystem = "",
     .half_bytes = 64 * KIB,
     .backward = 80000,
     .forward = 80000,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 18 min where 6 min would do, if the disk spins; "
               "all of that is the image's own order. Rewritten, it would take 6 min. How the file "
               "lies on the host is not known."},
    {.what = "on an SSD, in small pieces",
     .profile = METER_DISK_SSD,
     .ideal = 21,
     .image = 30,
     .half_bytes = 64 * KIB,
     .backward = 80000,
     .forward = 80000,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 30 s where 21 s would do; all of that is the "
               "image's own order. Rewritten, it would take 21 s. How the file lies on the host is "
               "not known."},
    {.what = "two writers in turns",
     .ideal = 71.6,
     .image = 143,
     .both = 150,
     .half_bytes = 64 * KIB,
     .backward = 1,
     .forward = 160000,
     .jump_bytes = 64 * KIB,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 3 min where 72 s would do; nine tenths of that "
               "is the image's own order. Rewritten, it would take 72 s."},
    {.what = "allocated downwards",
     .ideal = 71.6,
     .image = 900,
     .both = 900,
     .half_bytes = 64 * KIB,
     .backward = 160000,
     .jump_bytes = 128 * KIB,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 15 min where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s."},
    {.what = "written by convert -W",
     .ideal = 71.6,
     .image = 95,
     .both = 95,
     .half_bytes = 2 * MIB,
     .backward = 2800,
     .forward = 1800,
     .jump_bytes = 4 * MIB,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 95 s where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s."},
    {.what = "compressed, and written to since",
     .ideal = 40,
     .image = 120,
     .both = 120,
     .half_bytes = 64 * KIB,
     .backward = 20000,
     .forward = 20000,
     .compressed = 120000,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 2 min where 40 s would do; all of that is the "
               "image's own order. Rewritten, it would take 40 s."},
    {.what = "a few snapshots, with little in them",
     .ideal = 71.6,
     .image = 500,
     .both = 500,
     .half_bytes = 64 * KIB,
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .snapshot_bytes = 2 * GIB,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 8 min where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s."},
    {.what = "tiny clusters",
     .ideal = 71.6,
     .image = 700,
     .both = 700,
     .half_bytes = 4 * KIB,
     .cluster_bytes = 4 * KIB,
     .backward = 800000,
     .forward = 800000,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 12 min where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s."},
    {.what = "holes of discards, filled at random",
     .ideal = 71.6,
     .image = 500,
     .both = 500,
     .half_bytes = 64 * KIB,
     .backward = 40000,
     .forward = 40000,
     .file_bytes = 14 * GIB,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 8 min where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s."},
    {.what = "a long chain",
     .ideal = 71.6,
     .image = 500,
     .half_bytes = 64 * KIB,
     .backward = 10000,
     .forward = 10000,
     .switches = 60000,
     .chain_depth = 10,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 8 min where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s. How the file lies on the host is "
               "not known."},
    {.what = "a large disk, shuffled",
     .ideal = 7200,
     .image = 151200,
     .both = 151200,
     .after = 7500,
     .half_bytes = 64 * KIB,
     .backward = 8000000,
     .forward = 8000000,
     .l2_cache_bytes = 128 * MIB,
     .action = REPORT_IMAGE,
     .reason = "Reading the whole disk takes about 42 h where 2.0 h would do; all of that is the "
               "image's own order. Rewritten, it would take 2.1 h."},

    /* ---- snapshots ---- */
    {.what = "snapshots that hold more than a quarter",
     .ideal = 71.6,
     .image = 500,
     .both = 500,
     .half_bytes = 64 * KIB,
     .backward = 40000,
     .forward = 40000,
     .snapshots = 8,
     .snapshot_bytes = 20 * GIB,
     .file_bytes = 31 * GIB,
     .action = REPORT_SNAPSHOTS,
     .reason = "Reading the whole disk takes about 8 min where 72 s would do; all of that is the "
               "image's own order. Rewritten, it would take 72 s. Its snapshots hold 20 GiB that "
               "the disk itself no longer needs."},
    {.what = "the same, but the host is to blame",
     .ideal = 71.6,
     .image = 80,
     .both = 500,
     .backward = 500,
     .snapshots = 8,
     .snapshot_bytes = 20 * GIB,
     .extents = 60000,
     .action = REPORT_HOST,
     .reason =
         "Reading the whole disk takes about 8 min where 72 s would do; nearly all of that is "
         "the host file system's, where the file lies in 60,000 pieces."},

    /* ---- the host ---- */
    {.what = "a perfect image on ext4, in pieces",
     .ideal = 71.6,
     .image = 71.6,
     .both = 700,
     .extents = 300000,
     .action = REPORT_HOST,
     .reason = "Reading the whole disk takes about 12 min where 72 s would do; all of that is the "
               "host file system's, where the file lies in 300,000 pieces."},
    {.what = "on btrfs",
     .ideal = 71.6,
     .image = 75,
     .both = 1000,
     .extents = 322107,
     .filesystem = "btrfs",
     .action = REPORT_HOST,
     .reason = "Reading the whole disk takes about 17 min where 72 s would do; all of that is the "
               "host file system's, where the file lies in 322,107 pieces."},
    {.what = "on XFS",
     .ideal = 71.6,
     .image = 80,
     .both = 200,
     .extents = 20000,
     .filesystem = "xfs",
     .action = REPORT_HOST,
     .reason = "Reading the whole disk takes about 3 min where 72 s would do; nine tenths of that "
               "is the host file system's, where the file lies in 20,000 pieces."},
    {.what = "an external data file in pieces",
     .external_data = true,
     .ideal = 71.6,
     .image = 71.7,
     .both = 300,
     .extents = 40000,
     .action = REPORT_HOST,
     .reason = "Reading the whole disk takes about 5 min where 72 s would do; all of that is the "
               "host file system's, where the file lies in 40,000 pieces."},

    /* ---- both ---- */
    {.what = "image and host alike",
     .ideal = 71.6,
     .image = 171.6,
     .both = 271.6,
     .half_bytes = 64 * KIB,
     .backward = 10000,
     .forward = 10000,
     .extents = 20000,
     .action = REPORT_BOTH,
     .reason = "Reading the whole disk takes about 5 min where 72 s would do; half of that is the "
               "image's own order, the rest the host file system's."},

    /* ---- the cache ---- */
    {.what = "in order, but the tables do not fit into the cache",
     .ideal = 7000,
     .image = 14000,
     .both = 14000,
     .after = 13800,
     .l2_cache_bytes = 2 * GIB,
     .action = REPORT_L2_CACHE,
     .reason =
         "Reading the whole disk takes about 3.9 h where 117 min would do; the time goes into "
         "fetching L2 tables piece by piece, since QEMU's default cache of 32 MiB does not hold "
         "those of this disk. One of 2 GiB would."},

    /* ---- unknown ---- */
    {.what = "damaged",
     .damaged = true,
     .ideal = 71.6,
     .image = 500,
     .both = 500,
     .backward = 40000,
     .action = REPORT_UNKNOWN,
     .reason = "The image is damaged, and the figures lack what cannot be read: save the data "
               "first."},
};

static uint64_t or (uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* An image as it comes from measuring, with one class of jumps. */
struct made {
    struct report_image image;
    struct report_table table;
    struct report_jump_class jumps;
    char data_file[8], filesystem[16], path[16];
};

static void make(struct made *made, const struct situation *s)
{
    struct report_walk *walk = &made->table.walk;
    uint64_t cluster_bytes = or (s->cluster_bytes, 64 * KIB);

    memset(made, 0, sizeof(*made));
    strcpy(made->path, "disk.qcow2");
    strcpy(made->filesystem, s->filesystem != NULL ? s->filesystem : "ext4");
    strcpy(made->data_file, "data");
    made->jumps = (struct report_jump_class){ or (s->jump_bytes, GIB), s->backward, s->forward};
    *walk = (struct report_walk){
        .mapped_bytes = s->nothing_mapped ? 0 : 10 * GIB,
        .compressed_clusters = s->compressed,
        .zero_allocated_clusters = s->zero_allocated,
        .backward_steps = s->backward,
        .forward_jumps = s->forward,
        .file_switches = s->switches,
        .breaks = s->backward + s->forward + s->switches,
        .jump_histogram = {s->backward + s->forward > 0 ? 1 : 0, &made->jumps},
        .contiguous_run_half_bytes = opt_u64_of(or (s->half_bytes, 512 * MIB)),
    };
    made->table.measured = true;
    made->table.chain_depth = (uint32_t) or (s->chain_depth, 1);
    made->table.mapped_clusters = walk->mapped_bytes / cluster_bytes;
    made->table.disk = (struct report_disk){
        .known = !s->nothing_mapped,
        .assumed = s->assumed,
        .profile = s->profile,
        .ideal_seconds = s->ideal,
        .seconds = s->image,
        .slowdown_low = s->slowdown_low != 0 ? s->slowdown_low : s->image / s->ideal,
        .after_defrag_seconds = opt_f64_of(s->after != 0 ? s->after : s->ideal)};
    if (s->both != 0) {
        made->table.end_to_end.known = true;
        made->table.end_to_end.seconds = opt_f64_of(s->both);
        made->table.end_to_end.slowdown = opt_f64_of(s->both / s->ideal);
        made->table.end_to_end.ideal_seconds = s->ideal;
        made->table.end_to_end.slowdown_low =
            s->slowdown_low != 0 ? s->slowdown_low : s->both / s->ideal;
        made->table.end_to_end.walk.contiguous_run_half_bytes = walk->contiguous_run_half_bytes;
    }
    made->image.path = made->path;
    made->image.complete = !s->damaged;
    made->image.has_format = true;
    made->image.format =
        (struct report_format){.version = 3,
                               .cluster_bytes = cluster_bytes,
                               .virtual_bytes = 20 * GIB,
                               .file_bytes = or (s->file_bytes, 10 * GIB + 8 * MIB),
                               .refcount_bits = 16,
                               .data_file = {s->external_data ? made->data_file : NULL, 4},
                               .snapshot_count = s->snapshots,
                               .l2_tables = opt_u64_of(20),
                               .l2_bytes = opt_u64_of(20 * cluster_bytes),
                               .l2_cache_bytes = or (s->l2_cache_bytes, 2 * MIB)};
    made->image.tables = &made->table;
    made->image.n_tables = 1;
    made->image.host.known = s->both != 0;
    made->image.host.filesystem = made->filesystem[0] != '\0' ? made->filesystem : NULL;
    made->image.host.extents = or (s->extents, 1);
}

static void a_careful_administrator_would_say_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(situations); i++) {
        const struct situation *s = &situations[i];
        struct made made;

        make(&made, s);
        assert_int_equal(
            report_verdict(&made.image, opt_u64_of(10 * GIB),
                           s->snapshots > 0 ? opt_u64_of(s->snapshot_bytes) : (struct opt_u64){0}),
            0);
        assert_true(made.image.verdict.known);
        if (made.image.verdict.action != s->action ||
            strcmp(made.image.verdict.reason, s->reason) != 0)
            fail_msg("%s:\n%s\n%s\n  expected\n%s\n%s", s->what,
                     report_action_name(made.image.verdict.action), made.image.verdict.reason,
                     report_action_name(s->action), s->reason);
        free(made.image.verdict.reason);
    }
}

/* ---- the rules at their borders ---- */

static struct report_case with_times(double image, double both)
{
    return (struct report_case){.judged = {.known = true,
                                           .with_host = true,
                                           .seconds = both,
                                           .ideal = 100,
                                           .lost = both - 100,
                                           .slowdown_low = both / 100},
                                .image_seconds = image,
                                .image_ideal = 100,
                                .after_defrag_seconds = 100,
                                .active_bytes = 10 * GIB};
}

static struct report_judgement judge_times(double image, double both)
{
    const struct report_case facts = with_times(image, both);

    return report_judge(&facts);
}

static void shares_add_up_to_one(void **state)
{
    struct report_judgement judgement = judge_times(130, 200);

    (void)state;
    assert_true(fabs(judgement.host_share.value - 0.7) < 1e-12);
    assert_true(fabs(judgement.image_share.value - 0.3) < 1e-12);
    assert_int_equal(judgement.action, REPORT_HOST);
}

static void next_to_the_ideal_there_is_nothing_to_share_out(void **state)
{
    (void)state;
    assert_false(judge_times(101, 101.9).host_share.known);
    assert_false(judge_times(101, 101.9).image_share.known);
    assert_true(judge_times(101, 102).host_share.known);
}

static void three_fifths_are_enough_for_the_blame(void **state)
{
    (void)state;
    assert_int_equal(judge_times(140, 200).action, REPORT_HOST); /* 0.6 */
    assert_int_equal(judge_times(140.1, 200).action, REPORT_BOTH);
    assert_int_equal(judge_times(159.9, 200).action, REPORT_BOTH);
    assert_int_equal(judge_times(160, 200).action, REPORT_IMAGE);
}

/* The host's layout may happen to mend the image's: then all is the image's, not more. */
static void no_share_is_below_zero(void **state)
{
    struct report_judgement judgement = judge_times(220, 200);

    (void)state;
    assert_true(judgement.host_share.value == 0);
    assert_true(judgement.image_share.value == 1);
}

static void snapshots_are_blamed_above_a_quarter(void **state)
{
    struct report_case facts = with_times(300, 300);

    (void)state;
    facts.snapshot_bytes = opt_u64_of(10 * GIB / 4);
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
    facts.snapshot_bytes.value++;
    assert_int_equal(report_judge(&facts).action, REPORT_SNAPSHOTS);
}

static void an_external_data_file_is_never_to_be_rewritten(void **state)
{
    struct report_case facts = with_times(300, 300);

    (void)state;
    facts.external_data = true;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
    facts = with_times(300, 500); /* half and half */
    facts.external_data = true;
    assert_int_equal(report_judge(&facts).action, REPORT_HOST);
}

static void without_a_head_long_runs_are_calm(void **state)
{
    struct report_case facts = with_times(300, 300);

    (void)state;
    facts.profile = METER_DISK_NVME;
    facts.half_bytes = opt_u64_of(MIB - 1);
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
    facts.half_bytes.value++;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
}

/* 1 s on a disk that spins, 0.1 s elsewhere. */
static void what_nobody_feels_is_no_reason(void **state)
{
    struct report_case facts = with_times(0, 0);

    (void)state;
    facts.image_ideal = facts.judged.ideal = facts.after_defrag_seconds = 0.5;
    facts.judged.slowdown_low = 3;
    facts.image_seconds = facts.judged.seconds = 1.49;
    facts.judged.lost = 0.99;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
    facts.profile = METER_DISK_SSD;
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
    facts.image_seconds = facts.judged.seconds = 0.59;
    facts.judged.lost = 0.09;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
    facts.profile = METER_DISK_HDD;
    facts.image_seconds = facts.judged.seconds = 1.5;
    facts.judged.lost = 1;
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
}

static void the_low_end_of_the_slowdown_decides(void **state)
{
    struct report_case facts = with_times(300, 300);

    (void)state;
    facts.profile = METER_DISK_NVME;
    facts.judged.slowdown_low = 1.19;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
    facts.judged.slowdown_low = 1.2;
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
}

static void what_saves_next_to_nothing_is_not_advised(void **state)
{
    struct report_case facts = with_times(300, 300);

    (void)state;
    facts.after_defrag_seconds = 295;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
    facts.after_defrag_seconds = 294;
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
    facts = with_times(300, 300); /* as much as anyone feels */
    facts.judged.ideal = facts.image_ideal = 2;
    facts.image_seconds = facts.judged.seconds = 4;
    facts.judged.lost = 2;
    facts.after_defrag_seconds = 3.1;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
    facts.after_defrag_seconds = 3;
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
}

/* The larger half of the time lost decides, if there is a cache that would help. */
static void tables_are_to_blame_where_a_rewrite_saves_less(void **state)
{
    struct report_case facts = with_times(300, 300);

    (void)state;
    facts.small_slices = true;
    facts.after_defrag_seconds = 201;
    assert_int_equal(report_judge(&facts).action, REPORT_L2_CACHE);
    facts.after_defrag_seconds = 200;
    assert_int_equal(report_judge(&facts).action, REPORT_IMAGE);
    facts.after_defrag_seconds = 300;
    facts.small_slices = false;
    assert_int_equal(report_judge(&facts).action, REPORT_NONE);
}

/* Of QEMU's default cache of 32 MiB. */
static void tables_that_just_fit_are_not_to_blame(void **state)
{
    const struct situation s = {
        .ideal = 7000, .image = 14000, .after = 14000, .l2_cache_bytes = 32 * MIB};
    struct made made;

    (void)state;
    make(&made, &s);
    assert_int_equal(report_verdict(&made.image, opt_u64_of(0), (struct opt_u64){0}), 0);
    assert_int_equal(made.image.verdict.action, REPORT_NONE);
    made.image.format.l2_cache_bytes++;
    assert_int_equal(report_verdict(&made.image, opt_u64_of(0), (struct opt_u64){0}), 0);
    assert_int_equal(made.image.verdict.action, REPORT_L2_CACHE);
    free(made.image.verdict.reason);
}

static void runs_are_as_long_as_they_lie_on_the_device(void **state)
{
    const struct situation s = {
        .profile = METER_DISK_SSD, .ideal = 21, .image = 30, .both = 30, .half_bytes = 64 * KIB};
    struct made made;

    (void)state;
    make(&made, &s);
    assert_int_equal(report_verdict(&made.image, opt_u64_of(0), (struct opt_u64){0}), 0);
    assert_int_equal(made.image.verdict.action, REPORT_IMAGE);
    made.table.end_to_end.walk.contiguous_run_half_bytes.value = MIB;
    assert_int_equal(report_verdict(&made.image, opt_u64_of(0), (struct opt_u64){0}), 0);
    assert_int_equal(made.image.verdict.action, REPORT_NONE);
    free(made.image.verdict.reason);
}

static void without_a_table_of_the_active_state_there_is_no_verdict(void **state)
{
    struct made made;

    (void)state;
    make(&made, &situations[0]);
    made.table.is_snapshot = true;
    assert_int_equal(report_verdict(&made.image, opt_u64_of(0), (struct opt_u64){0}), 0);
    assert_false(made.image.verdict.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_careful_administrator_would_say_the_same),
        cmocka_unit_test(shares_add_up_to_one),
        cmocka_unit_test(next_to_the_ideal_there_is_nothing_to_share_out),
        cmocka_unit_test(three_fifths_are_enough_for_the_blame),
        cmocka_unit_test(no_share_is_below_zero),
        cmocka_unit_test(snapshots_are_blamed_above_a_quarter),
        cmocka_unit_test(an_external_data_file_is_never_to_be_rewritten),
        cmocka_unit_test(without_a_head_long_runs_are_calm),
        cmocka_unit_test(what_nobody_feels_is_no_reason),
        cmocka_unit_test(the_low_end_of_the_slowdown_decides),
        cmocka_unit_test(what_saves_next_to_nothing_is_not_advised),
        cmocka_unit_test(tables_are_to_blame_where_a_rewrite_saves_less),
        cmocka_unit_test(tables_that_just_fit_are_not_to_blame),
        cmocka_unit_test(runs_are_as_long_as_they_lie_on_the_device),
        cmocka_unit_test(without_a_table_of_the_active_state_there_is_no_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

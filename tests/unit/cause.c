// SPDX-License-Identifier: MIT
/*
 * The causes in made situations: for each those whose traces are in the figures. What is not said
 * in a situation: 10 GiB of data in clusters of 64 KiB, the image is to blame, on ext4.
 */
#include "cause.h"

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

    enum report_action action;  /* of 0 the image's */
    uint64_t backward, forward; /* steps */
    uint64_t switches;
    uint64_t jump_bytes;   /* the class of all of them; 0: 1 GiB */
    uint64_t forward_mean; /* 0: the same */
    uint64_t half_bytes;   /* 0: 64 KiB */
    uint64_t compressed, zeros, zeros_allocated;
    uint32_t chain_depth;                            /* 0: 1 */
    uint64_t snapshots;                              /* of them there are so many */
    uint64_t held_clusters, free_gaps, gap_clusters; /* by snapshots alone; each of a gap */
    bool space_unknown;
    uint32_t version;        /* 0: 3 */
    uint64_t cluster_bytes;  /* 0: 64 KiB */
    uint64_t l2_cache_bytes; /* 0: 2 MiB */
    bool backing, extended_l2, is_device;

    const char *filesystem; /* NULL: ext4; "": not known */
    uint64_t extents;       /* 0: 1,000 */
    uint64_t extent_bytes;  /* 0: 1 MiB */
    struct host_flags flags;

    const char *causes; /* codes with their options, in order */
};

static const struct situation situations[] = {
    /* ---- the order of the clusters ---- */
    {.what = "random growth",
     .backward = 80000,
     .forward = 80000,
     .causes = "random-growth preallocation=metadata"},
    {.what = "too few breaks to matter", .backward = 35, .forward = 34, .causes = ""},
    {.what = "just enough", /* but for the 20 tables in between */
     .backward = 80,
     .forward = 103,
     .causes = "random-growth preallocation=metadata"},
    {.what = "one less", .backward = 80, .forward = 102, .causes = ""},
    {.what = "two writers in turns",
     .backward = 1000,
     .forward = 160000,
     .jump_bytes = 160 * MIB,
     .forward_mean = MIB,
     .causes = "interleaved-growth preallocation=metadata"},
    {.what = "gaps that nothing fills", /* as of missing subclusters: all jumps are forward */
     .forward = 160000,
     .jump_bytes = 64 * KIB,
     .causes = ""},
    {.what = "gaps, and a step back that does not go over them",
     .backward = 1000,
     .forward = 160000,
     .jump_bytes = 64 * KIB,
     .causes = ""},
    {.what = "allocated downwards",
     .backward = 160000,
     .jump_bytes = 128 * KIB,
     .causes = "downward-allocation preallocation=metadata"},
    {.what = "three steps down", .backward = 3, .jump_bytes = 128 * KIB, .causes = ""},
    {.what = "written by convert -W",
     .half_bytes = 2 * MIB,
     .backward = 2800,
     .forward = 1800,
     .jump_bytes = 4 * MIB,
     .causes = "parallel-convert qemu-img convert without -W"},
    {.what = "four such breaks",
     .half_bytes = 2 * MIB,
     .backward = 2,
     .forward = 2,
     .jump_bytes = 4 * MIB,
     .causes = ""},
    {.what = "the same in front of a backing file: a guest's writes",
     .half_bytes = 2 * MIB,
     .backward = 2800,
     .forward = 1800,
     .jump_bytes = 4 * MIB,
     .backing = true,
     .causes = "random-growth extended_l2=on,preallocation=metadata"},

    /* ---- what QEMU accepts with a backing file ---- */
    {.what = "an overlay with extended L2 entries",
     .backward = 80000,
     .forward = 80000,
     .backing = true,
     .extended_l2 = true,
     .causes = "random-growth preallocation=metadata"},
    {.what = "an overlay of version 2",
     .backward = 80000,
     .forward = 80000,
     .backing = true,
     .version = 2,
     .causes = "random-growth compat=1.1,extended_l2=on,preallocation=metadata"},
    {.what = "an overlay of small clusters",
     .backward = 800000,
     .forward = 800000,
     .half_bytes = 64 * KIB,
     .backing = true,
     .cluster_bytes = 8 * KIB,
     .causes = "random-growth cluster_size=65536,extended_l2=on,preallocation=metadata"},
    {.what = "an overlay that will be copied with all of its chain",
     .backward = 80000,
     .forward = 80000,
     .backing = true,
     .chain_depth = 2,
     .causes = "random-growth preallocation=metadata"},

    /* ---- what file systems keep in order ---- */
    {.what = "random growth on XFS",
     .backward = 80000,
     .forward = 80000,
     .filesystem = "xfs",
     .causes = "random-growth preallocation=falloc"},
    {.what = "random growth on btrfs",
     .backward = 80000,
     .forward = 80000,
     .filesystem = "btrfs",
     .causes = "random-growth preallocation=falloc"},
    {.what = "random growth, where nobody knows",
     .backward = 80000,
     .forward = 80000,
     .filesystem = "",
     .causes = "random-growth preallocation=falloc"},
    {.what = "random growth on a device",
     .backward = 80000,
     .forward = 80000,
     .filesystem = "",
     .is_device = true,
     .causes = "random-growth preallocation=metadata"},

    /* ---- clusters that moved ---- */
    {.what = "compressed, and written to since",
     .backward = 20000,
     .forward = 20000,
     .compressed = 120000,
     .causes = "rewritten-compressed qemu-img convert without -c"},
    {.what = "compressed, and what could not be compressed, in order",
     .forward = 40000,
     .compressed = 120000,
     .causes = ""},
    {.what = "compressed, and a few clusters written to: the breaks come from elsewhere",
     .backward = 80000,
     .forward = 80000,
     .compressed = 10 * GIB / (64 * KIB) - 100,
     .causes = "random-growth preallocation=metadata"},
    {.what = "snapshots that hold what was written again",
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .held_clusters = 35000,
     .causes = "snapshots qemu-img snapshot -d"},
    {.what = "snapshots that hold some of it",
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .held_clusters = 9000,
     .causes = "snapshots qemu-img snapshot -d, random-growth preallocation=metadata"},
    {.what = "snapshots that hold too little to matter",
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .held_clusters = 7000,
     .causes = "random-growth preallocation=metadata"},
    {.what = "snapshots that hold nothing alone",
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .causes = "random-growth preallocation=metadata"},
    {.what = "snapshots of which nothing is known",
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .space_unknown = true,
     .causes = "random-growth preallocation=metadata"},

    /* ---- freed clusters ---- */
    {.what = "holes of discards, filled at random",
     .backward = 40000,
     .forward = 40000,
     .free_gaps = 10000,
     .gap_clusters = 2,
     .zeros = 19000,
     .causes = "discard-holes discard-no-unref=on, random-growth preallocation=metadata"},
    {.what = "discards alone",
     .backward = 40000,
     .forward = 40000,
     .free_gaps = 30000,
     .gap_clusters = 2,
     .zeros = 60000,
     .causes = "discard-holes discard-no-unref=on"},
    {.what = "holes, but the guest reads no zeros there: deleted snapshots",
     .backward = 40000,
     .forward = 40000,
     .free_gaps = 30000,
     .gap_clusters = 2,
     .zeros = 20000,
     .causes = ""},
    {.what = "zeros that keep their clusters",
     .backward = 40000,
     .forward = 40000,
     .free_gaps = 30000,
     .gap_clusters = 2,
     .zeros = 60000,
     .zeros_allocated = 60000,
     .causes = ""},
    {.what = "holes in version 2, which has no such option",
     .backward = 40000,
     .forward = 40000,
     .free_gaps = 30000,
     .gap_clusters = 2,
     .zeros = 60000,
     .version = 2,
     .causes = ""},
    {.what = "one hole", /* or the rest of a device */
     .backward = 40000,
     .forward = 40000,
     .free_gaps = 1,
     .gap_clusters = 100000,
     .zeros = 100000,
     .causes = "random-growth preallocation=metadata"},

    /* ---- the others ---- */
    {.what = "tiny clusters",
     .cluster_bytes = 4 * KIB,
     .half_bytes = 4 * KIB,
     .backward = 800000,
     .forward = 800000,
     .causes = "random-growth preallocation=metadata, small-clusters cluster_size=65536"},
    {.what = "tiny clusters in long runs",
     .cluster_bytes = 4 * KIB,
     .half_bytes = 64 * KIB,
     .backward = 800000,
     .forward = 800000,
     .causes = "random-growth preallocation=metadata"},
    {.what = "a long chain",
     .backward = 10000,
     .forward = 10000,
     .switches = 60000,
     .chain_depth = 10,
     .backing = true,
     .causes = "long-chain qemu-img commit"},
    {.what = "a chain with few changes of file",
     .backward = 40000,
     .forward = 40000,
     .switches = 100,
     .chain_depth = 2,
     .backing = true,
     .causes = "random-growth preallocation=metadata"},
    {.what = "tables that the cache does not hold",
     .action = REPORT_L2_CACHE,
     .l2_cache_bytes = 128 * MIB,
     .causes = "l2-cache l2-cache-size=134217728"},
    {.what = "the same, where the order is the cost",
     .backward = 40000,
     .forward = 40000,
     .l2_cache_bytes = 128 * MIB,
     .causes = "random-growth preallocation=metadata"},

    /* ---- the host ---- */
    {.what = "in pieces on ext4",
     .action = REPORT_HOST,
     .causes = "host-allocation preallocation=falloc"},
    {.what = "an overlay in pieces on ext4",
     .action = REPORT_HOST,
     .backing = true,
     .causes = "host-allocation extended_l2=on,preallocation=falloc"},
    {.what = "in a few pieces on ext4", .action = REPORT_HOST, .extents = 4, .causes = ""},
    {.what = "in long pieces on ext4",
     .action = REPORT_HOST,
     .extent_bytes = 16 * MIB,
     .causes = ""},
    {.what = "on btrfs",
     .action = REPORT_HOST,
     .filesystem = "btrfs",
     .flags = {.nocow = {true, false}},
     .causes = "host-copy-on-write nocow=on"},
    {.what = "on btrfs without copy on write",
     .action = REPORT_HOST,
     .filesystem = "btrfs",
     .flags = {.nocow = {true, true}},
     .causes = "host-allocation preallocation=falloc"},
    {.what = "on XFS",
     .action = REPORT_HOST,
     .filesystem = "xfs",
     .flags = {.extent_hint_bytes = {true, MIB}},
     .causes = "host-extent-size extent_size_hint=16M"},
    {.what = "on XFS with such a hint",
     .action = REPORT_HOST,
     .filesystem = "xfs",
     .flags = {.extent_hint_bytes = {true, 16 * MIB}},
     .causes = "host-allocation preallocation=falloc"},
    {.what = "on a file system without any remedy",
     .action = REPORT_HOST,
     .filesystem = "zfs",
     .causes = ""},
    {.what = "where nothing is known of it", .action = REPORT_HOST, .filesystem = "", .causes = ""},
    {.what = "image and host alike",
     .action = REPORT_BOTH,
     .backward = 10000,
     .forward = 10000,
     .causes = "random-growth preallocation=metadata, host-allocation preallocation=falloc"},
};

static uint64_t or (uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* An image as it comes from measuring, with one class of jumps. */
struct made {
    struct report_image image;
    struct report_table table;
    struct report_space space;
    struct report_jump_class jumps;
    char filesystem[16], backing[8];
};

static void make_walk(struct made *made, const struct situation *s)
{
    uint64_t mean = or (s->jump_bytes, GIB);

    made->jumps = (struct report_jump_class){mean, s->backward, s->forward};
    made->table.walk = (struct report_walk){
        .mapped_bytes = 10 * GIB,
        .compressed_clusters = s->compressed,
        .zero_clusters = s->zeros,
        .zero_allocated_clusters = s->zeros_allocated,
        .backward_steps = s->backward,
        .forward_jumps = s->forward,
        .file_switches = s->switches,
        .breaks = s->backward + s->forward + s->switches,
        .backward_jump_mean_bytes = {s->backward > 0, (double)mean},
        .forward_jump_mean_bytes = {s->forward > 0, (double) or (s->forward_mean, mean)},
        .jump_histogram = {s->backward + s->forward > 0 ? 1 : 0, &made->jumps},
        .contiguous_run_half_bytes = opt_u64_of(or (s->half_bytes, 64 * KIB)),
    };
}

static void make_host(struct made *made, const struct situation *s)
{
    strcpy(made->filesystem, s->filesystem != NULL ? s->filesystem : "ext4");
    made->image.host =
        (struct report_host){.known = made->filesystem[0] != '\0',
                             .filesystem = made->filesystem[0] != '\0' ? made->filesystem : NULL,
                             .extents = or (s->extents, 1000),
                             .extent_mean_bytes = opt_f64_of((double) or (s->extent_bytes, MIB)),
                             .flags = s->flags};
}

static void make(struct made *made, const struct situation *s)
{
    uint64_t cluster_bytes = or (s->cluster_bytes, 64 * KIB);

    memset(made, 0, sizeof(*made));
    strcpy(made->backing, "base");
    make_walk(made, s);
    make_host(made, s);
    made->table.measured = true;
    made->table.chain_depth = (uint32_t) or (s->chain_depth, 1);
    made->table.mapped_clusters = 10 * GIB / cluster_bytes;
    made->space =
        (struct report_space){.snapshot_only_bytes = s->held_clusters * cluster_bytes,
                              .free_gaps = s->free_gaps,
                              .free_bytes = s->free_gaps * s->gap_clusters * cluster_bytes};
    made->image.tables = &made->table;
    made->image.n_tables = 1;
    made->image.beside.is_device = s->is_device;
    made->image.format =
        (struct report_format){.version = (uint32_t) or (s->version, 3),
                               .cluster_bytes = cluster_bytes,
                               .virtual_bytes = 20 * GIB,
                               .file_bytes = 10 * GIB + 8 * MIB,
                               .refcount_bits = 16,
                               .extended_l2 = s->extended_l2,
                               .backing_file = {s->backing ? made->backing : NULL, 4},
                               .snapshot_count = s->snapshots,
                               .l2_tables = opt_u64_of(20),
                               .l2_bytes = opt_u64_of(20 * cluster_bytes),
                               .l2_cache_bytes = or (s->l2_cache_bytes, 2 * MIB)};
    made->image.verdict.known = true;
    made->image.verdict.action = s->action != REPORT_NONE ? s->action : REPORT_IMAGE;
    made->image.verdict.copy_bytes = opt_u64_of(10 * GIB);
}

static void spell_causes(const struct report_verdict *verdict, char text[512])
{
    text[0] = '\0';
    for (size_t i = 0; i < verdict->n_causes; i++)
        sprintf(text + strlen(text), "%s%s %s", i > 0 ? ", " : "",
                report_cause_name(verdict->causes[i].code), verdict->causes[i].option);
}

static void causes_are_those_whose_traces_are_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(situations); i++) {
        struct made made;
        char causes[512];

        make(&made, &situations[i]);
        assert_int_equal(
            report_find_causes(&made.image, situations[i].space_unknown ? NULL : &made.space), 0);
        spell_causes(&made.image.verdict, causes);
        free(made.image.verdict.causes);
        if (strcmp(causes, situations[i].causes) != 0)
            fail_msg("%s:\n%s\n  expected\n%s", situations[i].what, causes, situations[i].causes);
    }
}

/* ---- what goes with a cause ---- */

static void where_nothing_is_to_be_done_nothing_is_named(void **state)
{
    struct made made;

    (void)state;
    make(&made, &situations[0]);
    made.image.verdict.action = REPORT_NONE;
    assert_int_equal(report_find_causes(&made.image, NULL), 0);
    assert_int_equal(made.image.verdict.n_causes, 0);
    assert_null(made.image.verdict.causes);
}

static void a_share_is_of_all_breaks(void **state)
{
    const struct situation held = {
        .backward = 40000, .forward = 40000, .snapshots = 1, .held_clusters = 10000};
    struct made made;

    (void)state;
    make(&made, &held);
    assert_int_equal(report_find_causes(&made.image, &made.space), 0);
    assert_int_equal(made.image.verdict.n_causes, 2);
    assert_true(made.image.verdict.causes[0].share.value == 0.25);
    assert_true(made.image.verdict.causes[1].share.value == 0.75 - 20. / 80000);
    free(made.image.verdict.causes);
}

static void each_cause_says_where_its_option_goes(void **state)
{
    (void)state;
    for (unsigned code = 0; code < REPORT_N_CAUSES; code++) {
        assert_non_null(report_cause_name(code));
        assert_true(strlen(report_cause_text(code)) > 0);
        assert_true(strlen(report_cause_place(code)) > 0);
    }
}

static void owners_are_asked_for_where_they_may_tell(void **state)
{
    struct made made;

    (void)state;
    make(&made, &situations[0]);
    made.image.format.file_bytes = 10 * GIB + 44 * 64 * KIB; /* 20 of them are tables */
    assert_false(report_causes_need_space(&made.image));
    made.image.format.file_bytes += 64 * KIB * 2;
    assert_true(report_causes_need_space(&made.image));
    made.image.verdict.action = REPORT_NONE;
    assert_false(report_causes_need_space(&made.image));
    made.image.verdict.action = REPORT_BOTH;
    made.table.range.known = true;
    assert_false(report_causes_need_space(&made.image));
    made.table.range.known = false;
    made.image.format.file_bytes = 0;
    made.image.format.snapshot_count = 1;
    assert_true(report_causes_need_space(&made.image));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(causes_are_those_whose_traces_are_there),
        cmocka_unit_test(where_nothing_is_to_be_done_nothing_is_named),
        cmocka_unit_test(a_share_is_of_all_breaks),
        cmocka_unit_test(each_cause_says_where_its_option_goes),
        cmocka_unit_test(owners_are_asked_for_where_they_may_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * The causes in made situations: for each those whose traces are in the figures. What is not said
 * in a situation: 10 GiB of data in clusters of 64 KiB, the image is to blame, on ext4.
 */
#include "cause.h"

#include <stdio.h>
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
    uint64_t jump_bytes; /* the class of all of them; 0: 1 GiB */
    uint64_t half_bytes; /* 0: 64 KiB */
    uint64_t compressed;
    uint32_t chain_depth; /* 0: 1 */
    uint64_t snapshots;
    uint64_t cluster_bytes;  /* 0: 64 KiB */
    uint64_t l2_cache_bytes; /* 0: 2 MiB */
    uint64_t file_bytes;     /* 0: as the data need */
    const char *filesystem;  /* NULL: ext4 */

    const char *causes; /* codes with their options, in order */
};

static const struct situation situations[] = {
    {.what = "random growth",
     .backward = 80000,
     .forward = 80000,
     .causes = "random-growth preallocation=metadata"},
    {.what = "two writers in turns",
     .backward = 1,
     .forward = 160000,
     .jump_bytes = 64 * KIB,
     .causes = "interleaved-growth preallocation=metadata"},
    {.what = "allocated downwards",
     .backward = 160000,
     .jump_bytes = 128 * KIB,
     .causes = "downward-allocation preallocation=metadata"},
    {.what = "written by convert -W",
     .half_bytes = 2 * MIB,
     .backward = 2800,
     .forward = 1800,
     .jump_bytes = 4 * MIB,
     .causes = "parallel-convert qemu-img convert without -W"},
    {.what = "compressed, and written to since",
     .backward = 20000,
     .forward = 20000,
     .compressed = 120000,
     .causes = "rewritten-compressed qemu-img convert without -c"},
    {.what = "snapshots",
     .backward = 40000,
     .forward = 40000,
     .snapshots = 2,
     .causes = "snapshots qemu-img snapshot -d"},
    {.what = "tiny clusters",
     .cluster_bytes = 4 * KIB,
     .backward = 800000,
     .forward = 800000,
     .causes = "random-growth preallocation=metadata, small-clusters cluster_size=65536"},
    {.what = "holes of discards, filled at random",
     .backward = 40000,
     .forward = 40000,
     .file_bytes = 14 * GIB,
     .causes = "random-growth preallocation=metadata, discard-holes discard-no-unref=on"},
    {.what = "a long chain",
     .backward = 10000,
     .forward = 10000,
     .switches = 60000,
     .chain_depth = 10,
     .causes = "long-chain qemu-img commit"},
    {.what = "a large disk, shuffled",
     .backward = 40000,
     .forward = 40000,
     .l2_cache_bytes = 128 * MIB,
     .causes = "random-growth preallocation=metadata, l2-cache l2-cache-size=134217728"},

    /* ---- the host ---- */
    {.what = "in pieces on ext4",
     .action = REPORT_HOST,
     .causes = "host-allocation preallocation=falloc"},
    {.what = "on btrfs",
     .action = REPORT_HOST,
     .filesystem = "btrfs",
     .causes = "host-copy-on-write chattr +C"},
    {.what = "on XFS",
     .action = REPORT_HOST,
     .filesystem = "xfs",
     .causes = "host-extent-size extsize=16m"},
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
    struct report_jump_class jumps;
    char filesystem[16];
};

static void make(struct made *made, const struct situation *s)
{
    uint64_t cluster_bytes = or (s->cluster_bytes, 64 * KIB);

    memset(made, 0, sizeof(*made));
    strcpy(made->filesystem, s->filesystem != NULL ? s->filesystem : "ext4");
    made->jumps = (struct report_jump_class){ or (s->jump_bytes, GIB), s->backward, s->forward};
    made->table.measured = true;
    made->table.chain_depth = (uint32_t) or (s->chain_depth, 1);
    made->table.mapped_clusters = 10 * GIB / cluster_bytes;
    made->table.walk = (struct report_walk){
        .mapped_bytes = 10 * GIB,
        .compressed_clusters = s->compressed,
        .backward_steps = s->backward,
        .forward_jumps = s->forward,
        .file_switches = s->switches,
        .breaks = s->backward + s->forward + s->switches,
        .jump_histogram = {s->backward + s->forward > 0 ? 1 : 0, &made->jumps},
        .contiguous_run_half_bytes = opt_u64_of(or (s->half_bytes, 64 * KIB)),
    };
    made->image.format =
        (struct report_format){.version = 3,
                               .cluster_bytes = cluster_bytes,
                               .virtual_bytes = 20 * GIB,
                               .file_bytes = or (s->file_bytes, 10 * GIB + 8 * MIB),
                               .refcount_bits = 16,
                               .snapshot_count = s->snapshots,
                               .l2_tables = opt_u64_of(20),
                               .l2_bytes = opt_u64_of(20 * cluster_bytes),
                               .l2_cache_bytes = or (s->l2_cache_bytes, 2 * MIB)};
    made->image.host.filesystem = made->filesystem[0] != '\0' ? made->filesystem : NULL;
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
        report_find_causes(&made.image, &made.table, &made.image.verdict);
        spell_causes(&made.image.verdict, causes);
        if (strcmp(causes, situations[i].causes) != 0)
            fail_msg("%s:\n%s\n  expected\n%s", situations[i].what, causes, situations[i].causes);
    }
}

/* ---- causes are named only where their layer is to blame ---- */

static void where_nothing_is_to_be_done_nothing_is_named(void **state)
{
    struct made made;

    (void)state;
    make(&made, &situations[0]);
    made.image.verdict.action = REPORT_NONE;
    report_find_causes(&made.image, &made.table, &made.image.verdict);
    assert_int_equal(made.image.verdict.n_causes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(causes_are_those_whose_traces_are_there),
        cmocka_unit_test(where_nothing_is_to_be_done_nothing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

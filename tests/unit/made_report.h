/* SPDX-License-Identifier: MIT */
/*
 * A report as a measurement leaves it, with everything in it that can be, and each number another
 * one: what is shown in the wrong place is seen. Also: what has been printed, and lines in it.
 */
#ifndef UNIT_MADE_REPORT_H
#define UNIT_MADE_REPORT_H

#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MADE_MIB (UINT64_C(1) << 20)
#define MADE_GIB (UINT64_C(1) << 30)

struct made_report {
    struct report_image image; /* tables[0] is the active state, tables[1] a snapshot */
    struct report_table tables[2];
    struct report_jump_class jumps[2], end_jumps[1];
    struct report_run_class runs[2], end_runs[1];
    struct report_layer layers[2];
    struct piece_lost lost;
    struct report_space space;
    struct report_gap_class gaps[2];
    struct report_space_snapshot snapshots[2];
    struct report_cause causes[2];
    struct format_finding findings[2];
};

/* For the renderers: @context is an array of images. */
static inline const struct report_image *made_image(void *context, size_t i)
{
    const struct report_image *images = context;

    return &images[i];
}

static inline struct format_name made_name(const char *text)
{
    return (struct format_name){(char *)(uintptr_t)text, strlen(text)};
}

static inline void made_walk(struct report_walk *walk)
{
    *walk = (struct report_walk){
        .mapped_bytes = 300 * MADE_MIB,
        .compressed_clusters = 11,
        .zero_clusters = 22,
        .zero_allocated_clusters = 13,
        .corrupt_entries = 3,
        .backward_steps = 1200,
        .forward_jumps = 700,
        .near_jumps = 200,
        .file_switches = 17,
        .breaks = 1917,
        .backward_jump_mean_bytes = opt_f64_of(5.0 * 1048576),
        .forward_jump_mean_bytes = opt_f64_of(7.0 * 1048576),
        .pieces = 4800,
        .fragmentation_score = opt_f64_of(0.25),
        .ascending_runs = 1201,
        .ascending_run_mean_bytes = opt_f64_of(261888.5),
        .contiguous_runs = 1918,
        .contiguous_run_mean_bytes = opt_f64_of(163999.25),
        .contiguous_run_half_bytes = opt_u64_of(4 * MADE_MIB),
        .contiguous_run_max_bytes = opt_u64_of(64 * MADE_MIB),
    };
}

static inline void made_active(struct made_report *made)
{
    struct report_table *table = &made->tables[0];

    *table = (struct report_table){
        .chain_depth = 1,
        .virtual_bytes = MADE_GIB,
        .measured = true,
        .mapped_clusters = 4801,
        .read_split = opt_f64_of(2.5),
        .has_check = true,
        .check = {5000, 16384, 2000, 11},
        .end_to_end = {.known = true,
                       .hole_bytes = 2 * MADE_MIB,
                       .seconds = opt_f64_of(40),
                       .slowdown = opt_f64_of(8),
                       .ideal_seconds = 5,
                       .slowdown_low = 6},
        .disk = {.known = true,
                 .profile = METER_DISK_HDD,
                 .ideal_seconds = 4.5,
                 .seconds = 30,
                 .slowdown_low = 5.5,
                 .slowdown_high = 6.75,
                 .after_defrag_seconds = opt_f64_of(4.75)},
    };
    made_walk(&table->walk);
    made->jumps[0] = (struct report_jump_class){65536, 1000, 600};
    made->jumps[1] = (struct report_jump_class){MADE_GIB, 200, 100};
    table->walk.jump_histogram = (struct report_jump_histogram){2, made->jumps};
    made->runs[0] = (struct report_run_class){65536, 1900, 200 * MADE_MIB};
    made->runs[1] = (struct report_run_class){64 * MADE_MIB, 1, 100 * MADE_MIB};
    table->walk.run_histogram = (struct report_run_histogram){2, made->runs};
    table->end_to_end.walk = (struct report_walk){
        .mapped_bytes = 298 * MADE_MIB,
        .backward_steps = 1300,
        .forward_jumps = 800,
        .near_jumps = 250,
        .breaks = 2100,
        .backward_jump_mean_bytes = opt_f64_of(9.0 * 1048576),
        .forward_jump_mean_bytes = opt_f64_of(10.0 * 1048576),
        .pieces = 4801,
        .fragmentation_score = opt_f64_of(0.27),
        .ascending_runs = 1301,
        .ascending_run_mean_bytes = opt_f64_of(240185.5),
        .contiguous_runs = 2101,
        .contiguous_run_mean_bytes = opt_f64_of(148727.5),
        .contiguous_run_half_bytes = opt_u64_of(3 * MADE_MIB),
        .contiguous_run_max_bytes = opt_u64_of(60 * MADE_MIB),
    };
    made->end_jumps[0] = (struct report_jump_class){131072, 1300, 800};
    table->end_to_end.walk.jump_histogram = (struct report_jump_histogram){1, made->end_jumps};
    made->end_runs[0] = (struct report_run_class){131072, 2101, 298 * MADE_MIB};
    table->end_to_end.walk.run_histogram = (struct report_run_histogram){1, made->end_runs};
}

static inline void made_format(struct report_format *format)
{
    *format = (struct report_format){
        .version = 3,
        .cluster_bytes = 65536,
        .virtual_bytes = MADE_GIB,
        .file_bytes = 400 * MADE_MIB,
        .refcount_bits = 16,
        .snapshot_count = 2,
        .bitmap_count = 4,
        .l1_entries = 2,
        .l2_tables = opt_u64_of(9),
        .l2_bytes = opt_u64_of(589824),
        .l2_cache_bytes = 131072,
    };
}

static inline void made_init(struct made_report *made)
{
    memset(made, 0, sizeof(*made));
    made_active(made);
    made_format(&made->image.format);
    made->image.path = "disk.qcow2";
    made->image.measured_at = 1700000000;
    made->image.complete = true;
    made->image.in_use = opt_bool_of(false);
    made->image.has_format = true;
    made->image.tables = made->tables;
    made->image.n_tables = 1;
    made->image.host = (struct report_host){
        .known = true,
        .filesystem = (char *)(uintptr_t) "ext4",
        .device = (char *)(uintptr_t) "/dev/sda1",
        .rotational = opt_bool_of(true),
        .extents = 1234,
        .extent_mean_bytes = opt_f64_of(339870.5),
    };
    made->image.verdict = (struct report_verdict){
        .known = true,
        .action = REPORT_NONE,
        .reason = (char *)(uintptr_t) "There is nothing to do.",
        .image_share = opt_f64_of(0.625),
        .host_share = opt_f64_of(0.375),
        .copy_bytes = opt_u64_of(310 * MADE_MIB),
    };
}

/* A snapshot besides. */
static inline void made_add_snapshot(struct made_report *made)
{
    struct report_table *table = &made->tables[1];

    *table = made->tables[0];
    table->is_snapshot = true;
    table->id = made_name("7");
    table->name = made_name("up\x1bto");
    table->virtual_bytes = 2 * MADE_GIB;
    table->walk.fragmentation_score = opt_f64_of(0.5);
    table->walk.mapped_bytes = 600 * MADE_MIB;
    table->has_check = false;
    made->image.n_tables = 2;
}

static inline void made_add_chain(struct made_report *made)
{
    made->layers[0] = (struct report_layer){(char *)(uintptr_t) "disk.qcow2",
                                            0,
                                            100 * MADE_MIB,
                                            77,
                                            opt_u64_of(0),
                                            FORMAT_CRYPT_NONE,
                                            NULL};
    made->layers[1] = (struct report_layer){(char *)(uintptr_t) "ba\x1bse",
                                            1,
                                            200 * MADE_MIB,
                                            1,
                                            opt_u64_of(5 * MADE_MIB),
                                            FORMAT_CRYPT_NONE,
                                            NULL};
    made->tables[0].layers = made->layers;
    made->tables[0].n_layers = 2;
    made->tables[0].chain_depth = 2;
    made->tables[0].has_check = false;
}

static inline void made_add_space(struct made_report *made)
{
    made->gaps[0] = (struct report_gap_class){65536, 30, 4 * MADE_MIB};
    made->gaps[1] = (struct report_gap_class){MADE_MIB, 1, 12 * MADE_MIB};
    made->snapshots[0] = (struct report_space_snapshot){made_name("1"), made_name("fi\x1brst"),
                                                        opt_u64_of(3 * MADE_MIB)};
    made->snapshots[1] = (struct report_space_snapshot){made_name("2"), made_name("second"),
                                                        opt_u64_of(6 * MADE_MIB)};
    made->space = (struct report_space){
        .end_offset_bytes = 398 * MADE_MIB,
        .host_allocated_bytes = opt_u64_of(390 * MADE_MIB),
        .active_bytes = 310 * MADE_MIB,
        .metadata_bytes = MADE_MIB,
        .vm_state_bytes = 8 * MADE_MIB,
        .snapshot_only_bytes = 40 * MADE_MIB,
        .leaked_bytes = opt_u64_of(20 * MADE_MIB),
        .free_bytes = 16 * MADE_MIB,
        .free_gaps = 31,
        .free_gap_max_bytes = opt_u64_of(11 * MADE_MIB),
        .free_gap_histogram = {2, made->gaps},
        .tail_bytes = 2 * MADE_MIB,
        .reclaimable_bytes = opt_u64_of(38 * MADE_MIB),
        .snapshots = made->snapshots,
        .n_snapshots = 2,
    };
    made->image.space = &made->space;
}

static inline void made_add_causes(struct made_report *made)
{
    made->causes[0] = (struct report_cause){REPORT_CAUSE_CONVERT, "without -W", opt_f64_of(0.8)};
    made->causes[1] =
        (struct report_cause){REPORT_CAUSE_SMALL_CLUSTERS, "cluster_size=65536", {false, 0}};
    made->image.verdict.causes = made->causes;
    made->image.verdict.n_causes = 2;
}

/* A warning and an error. */
static inline void made_add_findings(struct made_report *made)
{
    struct format_findings *findings = &made->image.findings;

    made->findings[0] = (struct format_finding){FORMAT_FINDING_REFCOUNT_HIGH, "cluster 9", false, 0,
                                                "is counted twice"};
    made->findings[1] = (struct format_finding){FORMAT_FINDING_DATA_OVERLAP, "l2[5][17]", true,
                                                0x50088, "points to the header"};
    *findings =
        (struct format_findings){.list = made->findings, .n_list = 2, .total = 2, .errors = 1};
    findings->per_code[FORMAT_FINDING_REFCOUNT_HIGH] = 1;
    findings->per_code[FORMAT_FINDING_DATA_OVERLAP] = 1;
    made->image.complete = false;
}

/* ---- what has been printed ---- */

struct made_print {
    FILE *stream;
    char *text;
    size_t len;
};

static inline struct made_print *made_print_begin(void)
{
    struct made_print *print = calloc(1, sizeof(*print));

    assert_non_null(print);
    print->stream = open_memstream(&print->text, &print->len);
    assert_non_null(print->stream);
    return print;
}

/* free() the text. */
static inline char *made_print_end(struct made_print *print)
{
    char *text;

    fclose(print->stream);
    text = print->text;
    free(print);
    return text;
}

/* Is there a line just like this one? */
static inline bool made_has_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    return false;
}

#endif

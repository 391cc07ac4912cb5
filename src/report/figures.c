// SPDX-License-Identifier: MIT
/* Owns the arithmetic of the published figures. Definitions: doc/definitions.md. */
#include "figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct opt_f64 mean_of(struct meter_jump_total total)
{
    return opt_ratio((double)total.sum, (double)total.count);
}

static int copy_list(void *target, const void *list, size_t n, size_t element_bytes)
{
    void *copy = NULL;

    if (n > 0) {
        copy = malloc(n * element_bytes);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, list, n * element_bytes);
    }
    memcpy(target, &copy, sizeof(copy));
    return 0;
}

/* Bins of one power of two are neighbours, so each class is finished when the power changes. */
static int jump_histogram(const struct meter_jumps jumps[METER_N_DIRECTIONS],
                          struct report_jump_histogram *histogram)
{
    struct report_jump_class list[REPORT_CLASSES_MAX];
    size_t n = 0;

    for (unsigned bin = 0; bin < METER_JUMP_BINS; bin++) {
        uint64_t backward = jumps[METER_BACKWARD].bin[bin].count;
        uint64_t forward = jumps[METER_FORWARD].bin[bin].count;
        uint64_t from_bytes = meter_jump_bin_power(bin);

        if (backward == 0 && forward == 0)
            continue;
        if (n == 0 || list[n - 1].from_bytes != from_bytes)
            list[n++] = (struct report_jump_class){from_bytes, 0, 0};
        list[n - 1].backward += backward;
        list[n - 1].forward += forward;
    }
    histogram->n = n;
    return copy_list(&histogram->list, list, n, sizeof(list[0]));
}

/* @runs from long to short; the histogram goes from short to long. */
static int run_histogram(const struct meter_length *runs, size_t n_runs,
                         struct report_run_histogram *histogram)
{
    struct report_run_class list[REPORT_CLASSES_MAX];
    size_t n = 0;

    for (size_t i = n_runs; i-- > 0;) {
        uint64_t from_bytes =
            runs[i].bytes == 0 ? 0 : UINT64_C(1) << (63 - __builtin_clzll(runs[i].bytes));

        if (n == 0 || list[n - 1].from_bytes != from_bytes)
            list[n++] = (struct report_run_class){from_bytes, 0, 0};
        list[n - 1].runs += runs[i].count;
        list[n - 1].bytes += runs[i].bytes * runs[i].count;
    }
    histogram->n = n;
    return copy_list(&histogram->list, list, n, sizeof(list[0]));
}

/* The length at which the runs, from the longest down, hold half of all bytes. */
static struct opt_u64 half_length(const struct meter_length *runs, size_t n, uint64_t total_bytes)
{
    unsigned __int128 held = 0;

    for (size_t i = 0; i < n; i++) {
        held += (unsigned __int128)runs[i].bytes * runs[i].count;
        if (2 * held >= total_bytes)
            return opt_u64_of(runs[i].bytes);
    }
    return (struct opt_u64){false, 0};
}

static uint64_t sum_bytes(const struct meter_length *runs, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += runs[i].bytes * runs[i].count;
    return sum;
}

/* Most of the tables of a hostile image have no break, and then there is no bin to look through. */
static int count_jumps(const struct meter *meter, struct report_walk *walk)
{
    struct meter_jumps jumps[METER_N_DIRECTIONS] = {0};
    struct meter_jump_total backward, forward;

    meter_pour_jumps(meter, jumps);
    backward = meter_jumps_total(&jumps[METER_BACKWARD]);
    forward = meter_jumps_total(&jumps[METER_FORWARD]);
    walk->backward_steps = backward.count;
    walk->forward_jumps = forward.count;
    walk->backward_jump_mean_bytes = mean_of(backward);
    walk->forward_jump_mean_bytes = mean_of(forward);
    return jump_histogram(jumps, &walk->jump_histogram);
}

static void count_runs(const struct meter *meter, uint64_t pieces, struct report_walk *walk)
{
    double mapped_bytes = (double)walk->mapped_bytes;

    walk->near_jumps = meter->near_jumps;
    walk->breaks = meter->breaks;
    walk->file_switches = meter->file_switches;
    walk->pieces = pieces;
    walk->fragmentation_score = opt_ratio((double)walk->backward_steps, (double)pieces);
    walk->ascending_runs = meter->any ? walk->backward_steps + 1 : 0;
    walk->contiguous_runs = meter->any ? meter->breaks + 1 : 0;
    walk->ascending_run_mean_bytes = opt_ratio(mapped_bytes, (double)walk->ascending_runs);
    walk->contiguous_run_mean_bytes = opt_ratio(mapped_bytes, (double)walk->contiguous_runs);
}

int report_figures(const struct meter *meter, uint64_t pieces, struct report_walk *walk)
{
    size_t n;
    struct meter_length *runs = meter_runs_sorted(meter, &n);
    int ret;

    if (runs == NULL && n > 0)
        return -ENOMEM;
    *walk = (struct report_walk){.mapped_bytes = sum_bytes(runs, n)};
    walk->contiguous_run_half_bytes = half_length(runs, n, walk->mapped_bytes);
    walk->contiguous_run_max_bytes = n > 0 ? opt_u64_of(runs[0].bytes) : (struct opt_u64){0};
    ret = run_histogram(runs, n, &walk->run_histogram);
    free(runs);
    if (ret == 0 && meter_has_jumps(meter))
        ret = count_jumps(meter, walk);
    count_runs(meter, pieces, walk);
    if (ret < 0) {
        free(walk->run_histogram.list);
        walk->run_histogram = (struct report_run_histogram){0};
    }
    return ret;
}

struct opt_f64 report_figures_check(const struct report_table *table)
{
    const struct report_check *check = &table->check;

    if (!table->has_check || check->allocated_clusters == 0)
        return (struct opt_f64){.known = false};
    return opt_f64_of((double)check->fragmented_clusters / (double)check->allocated_clusters);
}

uint64_t report_figures_seeks(const struct report_walk *walk)
{
    return walk->breaks - walk->near_jumps;
}

// SPDX-License-Identifier: MIT
/*
 * The whole measuring path under libFuzzer: open, every snapshot, figures, all renderers, and the
 * list of runs. Nothing that a file can say may crash it, hang it or eat memory.
 */
#include "err.h"
#include "io.h"
#include "list.h"
#include "measure.h"
#include "render.h"
#include "sparse.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* An image may have 65,536 snapshots: printing a few shows all that printing can do wrong. */
#define TABLES_PRINTED 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static FILE *nowhere(void)
{
    static FILE *stream;

    if (stream == NULL)
        stream = fopen("/dev/null", "w");
    return stream;
}

/* Every run must go forward, and lie where it says: what a reader of the list relies on. */
static int check_run(void *context, const struct report_run *run)
{
    uint64_t *end = context;

    if (run->guest_off < *end || run->guest_bytes == 0)
        abort();
    *end = run->guest_off + run->guest_bytes;
    return 0;
}

static void check_table(const struct report_table *table)
{
    const struct report_walk *walk = &table->walk;
    uint64_t runs = 0, bytes = 0;

    for (size_t i = 0; i < walk->run_histogram.n; i++) {
        runs += walk->run_histogram.list[i].runs;
        bytes += walk->run_histogram.list[i].bytes;
    }
    if (!table->measured)
        return;
    if (runs != walk->contiguous_runs || bytes != walk->mapped_bytes ||
        walk->breaks != walk->backward_steps + walk->forward_jumps + walk->file_switches ||
        walk->near_jumps > walk->forward_jumps)
        abort();
}

/* An image may have 65,536 snapshots: printing a few shows all that printing can do wrong. */
#define TABLES_PRINTED 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct report_choice choice = {.all_snapshots = true};
    const struct render_options options = {.verbose = true, .histogram = true};
    uint64_t end = 0;
    const struct report_list_choice list = {.take = check_run, .context = &end};
    struct format_findings findings;
    struct report_image image;
    struct err err = {0};
    size_t n_tables;

    report_measure_io(sparse_open(bytes, len), "fuzz", &choice, &image);
    n_tables = image.n_tables;
    for (size_t i = 0; i < n_tables; i++)
        check_table(&image.tables[i]);
    if (image.n_tables > TABLES_PRINTED)
        image.n_tables = TABLES_PRINTED;
    render_json(nowhere(), &image, 1);
    render_csv(nowhere(), &image, 1, &options);
    render_table(nowhere(), &image, 1, &options);
    if (image.error == NULL)
        render_text(nowhere(), &image, &options);
    image.n_tables = n_tables;
    report_image_free(&image);

    report_list_io(sparse_open(bytes, len), "fuzz", &list, &findings, &err);
    format_findings_free(&findings);
    return 0;
}

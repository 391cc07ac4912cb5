// SPDX-License-Identifier: MIT
/*
 * The whole measuring path under libFuzzer: open, every snapshot, figures, all renderers, and the
 * list of runs; on a host whose extents are of every kind and length. Nothing that a file can say
 * may crash it, hang it or eat memory.
 */
#include "err.h"
#include "fiemap.h"
#include "io.h"
#include "list.h"
#include "map.h"
#include "measure.h"
#include "render.h"
#include "sparse.h"

#include <linux/fiemap.h>
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

/* Extents from 512 bytes to half the file, with holes between, most of them where few images go on.
 */
static int ask(void *context, struct fiemap *request)
{
    static const uint32_t flags[] = {0,
                                     FIEMAP_EXTENT_ENCODED,
                                     0,
                                     FIEMAP_EXTENT_UNWRITTEN,
                                     FIEMAP_EXTENT_SHARED,
                                     FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC,
                                     0};
    uint64_t off = 0;

    (void)context;
    for (uint32_t i = 0; off < UINT64_C(1) << 57 && i < request->fm_extent_count; i++) {
        uint64_t bytes = off < UINT64_C(1) << 22 ? 512 * (1 + i % 37) : off / 3;

        request->fm_extents[request->fm_mapped_extents++] =
            (struct fiemap_extent){.fe_logical = off,
                                   .fe_length = bytes,
                                   .fe_physical = i * UINT64_C(0x9e3779b97f4a7c15) >> 8,
                                   .fe_flags = flags[i % 7]};
        off += bytes + (i % 5 == 0 ? 4096 * (i % 11) : 0);
    }
    request->fm_extents[request->fm_mapped_extents - 1].fe_flags |= FIEMAP_EXTENT_LAST;
    return 0;
}

static const struct host_map *host(void)
{
    static struct host_map *map;
    struct host_fiemap_source source = {ask, NULL};
    struct err err = {0};

    if (map == NULL && host_map_read(&source, HOST_SEGMENTS_MAX, &map, &err) < 0)
        abort();
    return map;
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
    if (table->end_to_end.known &&
        table->end_to_end.walk.mapped_bytes + table->end_to_end.hole_bytes != walk->mapped_bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct report_choice choice = {.all_snapshots = true, .host_map = host()};
    const struct render_options options = {.verbose = true, .histogram = true};
    uint64_t end = 0;
    const struct report_list_choice list = {.host_map = host(), .take = check_run, .context = &end};
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

// SPDX-License-Identifier: MIT
/*
 * The whole measuring path under libFuzzer: open, every snapshot, figures, all renderers, the list
 * of runs, and the walk through a chain; on a host whose extents are of every kind and length.
 * Nothing that a file can say may crash it, hang it or eat memory.
 */
#include "compose.h"
#include "err.h"
#include "fiemap.h"
#include "image.h"
#include "io.h"
#include "list.h"
#include "map.h"
#include "measure.h"
#include "render.h"
#include "scan.h"
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

/* Pieces must go forward; what two images map is not more than the disk. */
static int check_batch(void *context, const struct piece_batch *batch)
{
    uint64_t *end = context;

    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        if (piece.guest_off < *end || piece.guest_bytes == 0 || piece.file > 1)
            abort();
        *end = piece.guest_off + piece.guest_bytes;
    }
    return 0;
}

/* The image as its own backing file: names in it are not followed here. */
static void compose(const uint8_t *bytes, size_t len)
{
    struct io *io = sparse_open(bytes, len);
    struct chain_layers layers = {0};
    struct piece_counts counts = {0};
    struct format_image image;
    struct err err = {0};
    uint64_t end = 0;
    int ret = format_image_open(io, &image, &err);

    if (ret == 0) {
        struct chain_compose *walk = NULL;

        for (uint16_t file = 0; file < 2 && ret == 0; file++) {
            struct tables_table table = {.l1_off = image.header.l1_off,
                                         .l1_entries = image.header.l1_entries,
                                         .virtual_bytes = image.header.virtual_bytes};

            ret = chain_layers_add(&layers, &image, &table, file, file, &err);
            format_findings_free(&table.findings);
        }
        if (ret == 0)
            walk = chain_compose_new(&layers, true);
        if (walk != NULL)
            chain_compose_part(walk, 0, layers.end, (struct piece_sink){check_batch, &end}, &counts,
                               &err);
        if (end > layers.end)
            abort();
        chain_compose_free(walk);
        chain_layers_free(&layers);
        format_image_close(&image);
    }
    io_close(io);
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

/* Every byte of the file has one owner. */
static void check_space(const struct report_image *image)
{
    const struct report_space *space = image->space;
    uint64_t sum, gaps = 0, bytes = 0;

    if (space == NULL)
        return;
    sum = space->active_bytes + space->metadata_bytes + space->vm_state_bytes +
          space->snapshot_only_bytes + space->unknown_bytes + space->free_bytes + space->tail_bytes;
    for (size_t i = 0; i < space->free_gap_histogram.n; i++) {
        gaps += space->free_gap_histogram.list[i].gaps;
        bytes += space->free_gap_histogram.list[i].bytes;
    }
    if (sum + (space->leaked_bytes.known ? space->leaked_bytes.value : 0) !=
            image->format.file_bytes ||
        gaps != space->free_gaps || bytes < space->free_bytes ||
        bytes - space->free_bytes >= image->format.cluster_bytes)
        abort();
}

/* Some part of the disk: it has no more than the whole. */
static void measure_part(const uint8_t *bytes, size_t len, const struct report_table *whole)
{
    uint64_t dice = (len + (len > 0 ? bytes[len / 2] : 0)) * UINT64_C(0x9e3779b97f4a7c15);
    struct tables_span span = {.begin = dice % whole->virtual_bytes};
    const struct report_choice choice = {.host_map = host(), .walk.span = &span};
    struct report_image image;

    span.end = span.begin + 1 + (dice >> 40);
    report_measure_io(sparse_open(bytes, len), "fuzz", &choice, &image);
    if (image.error != NULL || image.n_tables != 1)
        abort();
    check_table(&image.tables[0]);
    if (image.tables[0].measured &&
        (image.tables[0].mapped_clusters > whole->mapped_clusters ||
         image.tables[0].walk.corrupt_entries > whole->walk.corrupt_entries))
        abort();
    report_image_free(&image);
}

static const struct report_image *that(void *context, size_t i)
{
    (void)i;
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct report_choice choice = {.all_snapshots = true, .space = true, .host_map = host()};
    const struct render_options options = {.verbose = true, .histogram = true};
    uint64_t end = 0;
    const struct report_list_choice list = {.host_map = host(), .take = check_run, .context = &end};
    struct report_listed listed;
    struct report_image image;
    const struct render_images images = {1, that, &image};
    struct err err = {0};
    size_t n_tables;

    report_measure_io(sparse_open(bytes, len), "fuzz", &choice, &image);
    n_tables = image.n_tables;
    for (size_t i = 0; i < n_tables; i++)
        check_table(&image.tables[i]);
    check_space(&image);
    if (n_tables > 0 && image.tables[0].measured && image.tables[0].virtual_bytes > 0)
        measure_part(bytes, len, &image.tables[0]);
    if (image.n_tables > TABLES_PRINTED)
        image.n_tables = TABLES_PRINTED;
    render_json(nowhere(), &images);
    render_csv(nowhere(), &images, &options);
    render_table(nowhere(), &images, &options);
    if (image.error == NULL)
        render_text(nowhere(), &image, &options);
    image.n_tables = n_tables;
    report_image_free(&image);

    report_list_io(sparse_open(bytes, len), "fuzz", &list, &listed, &err);
    format_findings_free(&listed.findings);
    compose(bytes, len);
    return 0;
}

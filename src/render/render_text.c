// SPDX-License-Identifier: MIT
/*
 * Owns the order of the page for people, what it says of the image as such, and what figures mean
 * in plain words. The words state what was measured; they promise nothing.
 */
#include "figures.h"
#include "page.h"
#include "render.h"
#include "render_damage.h"
#include "render_figures.h"
#include "render_space.h"
#include "render_verdict.h"
#include "rescue.h"
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- what is under the file ---- */

static void print_device(const struct render_page *page, const struct report_host *host)
{
    const char *name = host->device != NULL ? host->device : "a device that is not known";

    render_page_name(page, name, strlen(name));
    fprintf(page->stream, " (");
    if (host->is_device)
        fprintf(page->stream, "itself the image");
    else if (host->filesystem != NULL)
        render_page_name(page, host->filesystem, strlen(host->filesystem));
    else
        fprintf(page->stream, "a file system that is not known");
    if (host->rotational.known)
        fprintf(page->stream, ", %s",
                host->rotational.value ? "a spinning disk" : "without moving parts");
    fprintf(page->stream, ")\n");
}

static void print_host(const struct render_page *page, const struct report_host *host)
{
    if (host->reason != NULL) {
        fprintf(page->stream, RENDER_PAGE_LABEL "not known: %s", "extents on the host",
                host->reason);
        if (host->filesystem != NULL) {
            fprintf(page->stream, " (");
            render_page_name(page, host->filesystem, strlen(host->filesystem));
            putc(')', page->stream);
        }
        putc('\n', page->stream);
    }
    if (!host->known)
        return;
    fprintf(page->stream, RENDER_PAGE_LABEL "%-11s ", "extents on the host",
            render_number_count(host->extents));
    if (host->extents > 0)
        fprintf(page->stream, "mean %s, ", render_page_mean(page, host->extent_mean_bytes));
    fprintf(page->stream, "on ");
    print_device(page, host);
    if (!host->is_device)
        render_page_explain(
            page, "In so many pieces the host's file system keeps this file, counted as filefrag "
                  "does.");
    if (host->unplaced_bytes > 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "%-11s sync the file and measure again\n",
                "not on the device yet", render_page_size(page, host->unplaced_bytes));
    if (host->unknown_flags != 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "flags 0x%" PRIx32 ", which are not understood\n",
                "odd extents", host->unknown_flags);
}

/* ---- what the image is ---- */

static void print_title(const struct render_page *page, const struct report_image *image)
{
    const struct report_format *format = &image->format;
    const struct report_table *main_table = report_main_table(image);

    render_page_name(page, image->path, strlen(image->path));
    fprintf(page->stream, ": " RENDER_FIGURE "qcow2 v%" PRIu32 ", %s clusters, %s virtual",
            format->version, render_page_size(page, format->cluster_bytes),
            render_page_size(page, format->virtual_bytes));
    if (main_table != NULL && main_table->measured && !main_table->is_snapshot &&
        !main_table->range.known)
        fprintf(page->stream, ", %s mapped", render_page_size(page, main_table->walk.mapped_bytes));
    putc('\n', page->stream);
}

static void print_file_name(const struct render_page *page, const char *label,
                            const struct format_name *name, const char *remark)
{
    if (name->bytes == NULL)
        return;
    fprintf(page->stream, RENDER_PAGE_LABEL, label);
    render_page_name(page, name->bytes, name->len);
    fprintf(page->stream, "%s\n", remark);
}

static void print_properties(const struct render_page *page, const struct report_image *image)
{
    const struct report_format *format = &image->format;
    const struct report_table *main_table = report_main_table(image);
    const bool chained = main_table != NULL && main_table->layers != NULL;

    if (image->in_use.known && image->in_use.value)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s\n", "in use",
                image->being_written
                    ? "yes, and it may be written to: the figures may be a moment old"
                    : "yes, by readers");
    print_file_name(page, "backing file", &format->backing_file,
                    chained ? "" : "  (not opened; only this file is measured)");
    print_file_name(page, "external data file", &format->data_file,
                    chained ? "" : "  (not opened; offsets below are offsets in it)");
    if (format->encryption != FORMAT_CRYPT_NONE)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s  (no key is needed to measure)\n", "encryption",
                format->encryption == FORMAT_CRYPT_AES ? "AES" : "LUKS");
    if (format->snapshot_count > 0 && image->n_tables == 1 && !main_table->is_snapshot)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s  (--all-snapshots measures each)\n",
                "internal snapshots", render_number_count(format->snapshot_count));
    print_host(page, &image->host);
}

/* ---- what it means ---- */

#define MEANING "  " RENDER_PROSE

static void print_meaning(const struct render_page *page, const struct report_walk *walk)
{
    uint64_t far_jumps = report_figures_seeks(walk);

    putc('\n', page->stream);
    if (walk->contiguous_runs == 0) {
        fprintf(page->stream,
                MEANING "Nothing is mapped: there is nothing that could be fragmented.\n");
        return;
    }
    if (walk->breaks == 0) {
        fprintf(page->stream,
                MEANING "The data lies in guest order without a break: reading the disk from "
                        "front to back never jumps.\n");
        return;
    }
    if (far_jumps == 0) {
        fprintf(page->stream,
                MEANING "Reading the disk from front to back only skips short gaps, %s of them; a "
                        "spinning disk reads over them.\n",
                render_number_count(walk->near_jumps));
        return;
    }
    fprintf(page->stream,
            MEANING "Reading the disk from front to back takes a spinning disk %s %s, one for "
                    "every %s of data.\n",
            render_number_count(far_jumps), size_noun(far_jumps, "seek", "seeks"),
            render_page_size(page, walk->mapped_bytes / far_jumps));
    if (walk->near_jumps > 0)
        fprintf(page->stream, MEANING "Besides, it reads over %s short %s.\n",
                render_number_count(walk->near_jumps), size_noun(walk->near_jumps, "gap", "gaps"));
    fprintf(page->stream, MEANING "An SSD does not seek: it only gets more and smaller reads.\n");
}

/* ---- the page ---- */

int render_text(FILE *stream, const struct report_image *image,
                const struct render_options *options)
{
    const struct render_page page = {render_flow_open(stream, options->width), options};
    int ret;

    if (page.stream == NULL)
        return -ENOMEM;
    print_title(&page, image);
    ret = render_damage(page.stream, image, options);
    print_properties(&page, image);
    for (size_t i = 0; i < image->n_tables; i++)
        render_figures(&page, image, &image->tables[i]);
    render_space(&page, image);
    if (image->findings.total > 0)
        putc('\n', page.stream);
    render_findings(page.stream, &image->findings, options);
    if (ret == 0)
        ret = render_verdict(page.stream, image);
    if (!image->verdict.known && image->n_tables == 1 && image->tables[0].measured)
        print_meaning(&page, &image->tables[0].walk);
    if (!image->complete && !report_is_damaged(image))
        fprintf(page.stream, "  " RENDER_PROSE
                             "Not everything could be read, or was read in one state: the figures "
                             "are incomplete.\n");
    if (fclose(page.stream) != 0 && ret == 0)
        ret = -ENOMEM;
    return ret;
}

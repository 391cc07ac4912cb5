// SPDX-License-Identifier: MIT
/* Owns the lines of owners, of free gaps, and of what snapshots hold alone. */
#include "render_space.h"

#include "histogram.h"
#include "size.h"

#define SNAPSHOTS_SHOWN 20

static void print_owner(const struct render_page *page, const struct report_image *image,
                        const char *owner, struct opt_u64 bytes)
{
    double share = (double)bytes.value / (double)image->format.file_bytes;

    if (!bytes.known) {
        fprintf(page->stream,
                "    %-22s %9s  " RENDER_FIGURE
                "not known: the image is in use or dirty, or its refcounts are "
                "damaged\n",
                owner, "-");
        return;
    }
    render_page_bar(page,
                    fprintf(page->stream, "    %-22s %9s %6.2f %%", owner,
                            render_page_size(page, bytes.value), 100 * share),
                    share);
}

static void print_owners(const struct render_page *page, const struct report_image *image)
{
    const struct report_space *space = image->space;

    fprintf(page->stream, "\n  space of the file (share of its length, %s)\n",
            render_page_size(page, image->format.file_bytes));
    print_owner(page, image, "metadata", opt_u64_of(space->metadata_bytes));
    print_owner(page, image, "active data", opt_u64_of(space->active_bytes));
    print_owner(page, image, "VM state", opt_u64_of(space->vm_state_bytes));
    print_owner(page, image, "only in snapshots", opt_u64_of(space->snapshot_only_bytes));
    if (space->reclaimable_bytes.known)
        print_owner(page, image, "leaked", space->leaked_bytes);
    else
        print_owner(page, image, "unknown", opt_u64_of(space->unknown_bytes));
    print_owner(page, image, "free", opt_u64_of(space->free_bytes));
    print_owner(page, image, "behind the end", opt_u64_of(space->tail_bytes));
    if (!space->reclaimable_bytes.known)
        fprintf(page->stream,
                "      " RENDER_PROSE "Unknown is what has a refcount, though nothing that can be "
                "read refers to it: the damaged tables may have named it, so it may be the "
                "guest's data. Free none of it.\n");
    render_page_explain(
        page, "Each cluster counts once, for the first that applies from the top. Leaked is "
              "what has a refcount, but nothing refers to it. Nothing in use comes after "
              "the end.");
}

/* What frees most first; those that are not known last. */
static int by_exclusive(const struct report_space_snapshot *left,
                        const struct report_space_snapshot *right)
{
    struct opt_u64 x = left->exclusive_bytes, y = right->exclusive_bytes;

    if (x.known != y.known)
        return x.known ? -1 : 1;
    if (x.value != y.value)
        return x.value > y.value ? -1 : 1;
    return (left > right) - (left < right);
}

/* The first behind @last, or of all if that is NULL, in the order of by_exclusive. */
static const struct report_space_snapshot *next_exclusive(const struct report_space *space,
                                                          const struct report_space_snapshot *last)
{
    const struct report_space_snapshot *best = NULL;

    for (size_t i = 0; i < space->n_snapshots; i++) {
        const struct report_space_snapshot *one = &space->snapshots[i];

        if ((last == NULL || by_exclusive(last, one) < 0) &&
            (best == NULL || by_exclusive(one, best) < 0))
            best = one;
    }
    return best;
}

static void print_exclusive(const struct render_page *page, const struct report_space *space)
{
    const struct report_space_snapshot *one = NULL;

    if (space->n_snapshots == 0)
        return;
    fprintf(page->stream, "\n  what deleting a snapshot frees\n");
    for (size_t i = 0; i < space->n_snapshots && i < SNAPSHOTS_SHOWN; i++) {
        struct opt_u64 bytes;

        one = next_exclusive(space, one);
        bytes = one->exclusive_bytes;
        fprintf(page->stream, "    %9s  " RENDER_FIGURE "snapshot ",
                bytes.known ? render_page_size(page, bytes.value) : "-");
        render_page_name(page, one->id.bytes, one->id.len);
        fprintf(page->stream, " \"");
        render_page_name(page, one->name.bytes, one->name.len);
        fprintf(page->stream, "\"\n");
    }
    if (space->n_snapshots > SNAPSHOTS_SHOWN)
        fprintf(page->stream, "    and %s %s no more than these\n",
                render_number_count(space->n_snapshots - SNAPSHOTS_SHOWN),
                size_noun(space->n_snapshots - SNAPSHOTS_SHOWN, "snapshot that frees",
                          "snapshots that free"));
    render_page_explain(page,
                        "One alone: what two snapshots share is freed when both are deleted.");
}

void render_space(const struct render_page *page, const struct report_image *image)
{
    const struct report_space *space = image->space;

    if (space == NULL)
        return;
    print_owners(page, image);
    fprintf(page->stream, RENDER_PAGE_LABEL "%s\n", "image end",
            render_page_size(page, space->end_offset_bytes));
    render_page_explain(
        page, "Behind the last cluster in use, as qemu-img check says. An image on a device "
              "needs so much of it.");
    if (space->host_allocated_bytes.known)
        fprintf(page->stream, RENDER_PAGE_LABEL "%s\n", "stored by the host",
                render_page_size(page, space->host_allocated_bytes.value));
    if (space->free_gaps > 0)
        fprintf(page->stream, RENDER_PAGE_LABEL "%-11s longest %s\n", "free gaps",
                render_number_count(space->free_gaps),
                render_page_size(page, space->free_gap_max_bytes.value));
    fprintf(page->stream, RENDER_PAGE_LABEL "%s\n", "reclaimable",
            space->reclaimable_bytes.known ? render_page_size(page, space->reclaimable_bytes.value)
                                           : "not known, since tables are damaged");
    render_page_explain(
        page, "So much shorter is a file that holds the same, without what is free, leaked or "
              "behind the end.");
    if (page->options->histogram)
        render_histogram_gaps(page, space);
    print_exclusive(page, space);
}

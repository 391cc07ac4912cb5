// SPDX-License-Identifier: MIT
/* Owns the way from the owners of clusters to published figures. */
#include "space.h"

#include "checked.h"
#include "choose.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "owner.h"
#include "picture.h"
#include "report.h"
#include "size.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- snapshots ---- */

static uint64_t table_clusters(const struct format_image *image, uint64_t bytes)
{
    return div_round_up(bytes, image->header.cluster_bytes);
}

/*
 * Deleting a snapshot also writes the snapshot table anew without its entry. That is a cluster less
 * for the last snapshot, and one in many else; but QEMU writes more for each than old versions did,
 * so that the table may even grow.
 */
static uint64_t freed_clusters(const struct format_image *image, size_t index, uint64_t exclusive,
                               uint64_t entries_bytes)
{
    uint64_t before = exclusive + table_clusters(image, image->snapshots.table_bytes);
    uint64_t after =
        table_clusters(image, entries_bytes - image->snapshots.list[index].entry_bytes);

    return before > after ? before - after : 0;
}

static int fill_snapshots(const struct format_image *image, const struct space_owners *owners,
                          struct report_space *space)
{
    uint64_t entries_bytes = 0;

    space->snapshots = calloc(owners->n_snapshots + 1, sizeof(*space->snapshots));
    if (space->snapshots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < owners->n_snapshots; i++)
        entries_bytes += image->snapshots.list[i].entry_bytes;
    for (size_t i = 0; i < owners->n_snapshots; i++) {
        struct report_space_snapshot *snapshot = &space->snapshots[space->n_snapshots++];
        struct opt_u64 exclusive = owners->exclusive_clusters[i];

        if (format_name_copy(&image->snapshots.list[i].id, &snapshot->id) < 0 ||
            format_name_copy(&image->snapshots.list[i].name, &snapshot->name) < 0)
            return -ENOMEM;
        if (exclusive.known)
            snapshot->exclusive_bytes =
                opt_u64_of(freed_clusters(image, i, exclusive.value, entries_bytes)
                           << image->header.cluster_bits);
    }
    return 0;
}

/* ---- the file ---- */

static int fill_histogram(const struct format_image *image, const struct space_owners *owners,
                          struct report_gap_histogram *histogram)
{
    unsigned bits = image->header.cluster_bits;

    histogram->list = calloc(64, sizeof(*histogram->list));
    if (histogram->list == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < 64; i++) {
        const struct space_gap_class *class = &owners->gaps.classes[i];

        if (class->gaps > 0)
            histogram->list[histogram->n++] = (struct report_gap_class){
                UINT64_C(1) << (i + bits), class->gaps, class->clusters << bits};
    }
    return 0;
}

static int fill_space(const struct format_image *image, const struct space_owners *owners,
                      struct report_space *space)
{
    int ret;

    space->end_offset_bytes = owners->end_bytes;
    space->host_allocated_bytes = io_allocated(image->io);
    space->active_bytes = owners->bytes[SPACE_OWNER_ACTIVE];
    space->metadata_bytes = owners->bytes[SPACE_OWNER_METADATA];
    space->vm_state_bytes = owners->bytes[SPACE_OWNER_VM_STATE];
    space->snapshot_only_bytes = owners->bytes[SPACE_OWNER_SNAPSHOT];
    if (owners->leaks_known && owners->whole)
        space->leaked_bytes = opt_u64_of(owners->bytes[SPACE_OWNER_LEAKED]);
    if (!owners->whole)
        space->unknown_bytes = owners->bytes[SPACE_OWNER_LEAKED];
    space->free_bytes = owners->bytes[SPACE_OWNER_FREE];
    space->free_gaps = owners->gaps.gaps;
    if (owners->gaps.gaps > 0)
        space->free_gap_max_bytes = opt_u64_of(owners->gaps.longest << image->header.cluster_bits);
    space->tail_bytes = owners->tail_bytes;
    if (owners->whole)
        space->reclaimable_bytes =
            opt_u64_of(space->free_bytes + owners->bytes[SPACE_OWNER_LEAKED] + space->tail_bytes);
    ret = fill_histogram(image, owners, &space->free_gap_histogram);
    return ret < 0 ? ret : fill_snapshots(image, owners, space);
}

/* ---- measuring ---- */

static bool *told_tables(const struct format_image *image, const size_t *chosen, size_t n_chosen)
{
    bool *told = calloc(image->snapshots.n_list + 1, sizeof(*told));

    for (size_t i = 0; told != NULL && i < n_chosen; i++)
        told[chosen[i] == TABLES_TABLE_ACTIVE ? 0 : chosen[i] + 1] = true;
    return told;
}

static void tell(const struct space_owners *owners, struct format_findings *findings)
{
    if (!owners->known)
        format_findings_add(findings, FORMAT_FINDING_SPACE_NOT_MEASURED, "image", NULL,
                            "the clusters lie so far apart, or the tables are so many, that the "
                            "use of the space was not measured");
    if (owners->known && owners->untold > 0)
        format_findings_add(findings, FORMAT_FINDING_SPACE_LEFT_OUT, "image", NULL,
                            "%" PRIu64 " damaged table %s of snapshots, of saved VM state or "
                            "behind the end of the disk could not be followed; what %s to is not "
                            "known",
                            owners->untold, size_noun(owners->untold, "entry", "entries"),
                            size_noun(owners->untold, "it refers", "they refer"));
}

/* ---- for a picture of the file ---- */

struct owned {
    struct report_picture *picture;
    unsigned cluster_bits;
};

static void begin_owned(void *context)
{
    const struct owned *owned = context;

    memset(owned->picture->owned, 0, owned->picture->shape.host.n * sizeof(*owned->picture->owned));
}

static void take_owned(void *context, enum space_owner owner, uint64_t first, uint64_t n)
{
    const struct owned *owned = context;
    const struct meter_axis *host = &owned->picture->shape.host;
    uint64_t off = first << owned->cluster_bits, end = (first + n) << owned->cluster_bits;

    while (off < end) {
        uint32_t bin = meter_axis_find(host, off);
        uint64_t border = host->origin + ((uint64_t)(bin + 1) << host->shift);
        uint64_t to = border > off && border < end ? border : end;

        owned->picture->owned[bin][owner] += to - off;
        off = to;
    }
}

/* Only where the file of the image is all that the picture shows. */
static int wants_owned(const struct format_image *image, struct report_picture *picture)
{
    if (picture == NULL || !picture->shape.by_host || picture->file_begins != NULL ||
        image->header.external_data)
        return 0;
    picture->owned = calloc(picture->shape.host.n, sizeof(*picture->owned));
    return picture->owned == NULL ? -ENOMEM : 1;
}

int report_space_measure(struct format_image *image, const size_t *chosen, size_t n_chosen,
                         struct report_image *report, struct err *err)
{
    struct io_users users = io_users(image->io);
    bool *told = told_tables(image, chosen, n_chosen);
    struct owned owned = {report->picture, image->header.cluster_bits};
    const struct space_owner_sink sink = {begin_owned, take_owned, &owned};
    int wanted = wants_owned(image, report->picture);
    const struct space_owner_options options = {
        .owners = wanted > 0 ? &sink : NULL,
        .written = users.known && (users.written || users.in_flux),
        .told = told,
        .findings = &report->findings,
    };
    struct space_owners owners = {0};
    int ret = told == NULL || wanted < 0 ? err_no_memory(err)
                                         : space_owner_find(image, &options, &owners, err);

    if (ret == 0 && owners.known) {
        report->space = calloc(1, sizeof(*report->space));
        if (report->space == NULL || fill_space(image, &owners, report->space) < 0)
            ret = err_no_memory(err);
    }
    if (ret == 0)
        tell(&owners, &report->findings);
    if (wanted > 0 && (ret < 0 || !owners.known)) {
        free(report->picture->owned);
        report->picture->owned = NULL;
    }
    space_owners_free(&owners);
    free(told);
    return ret;
}

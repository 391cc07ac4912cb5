// SPDX-License-Identifier: MIT
/* Owns which figures can stand in a table. Getters only: nothing is computed here. */
#include "column.h"

#include "figures.h"
#include "seconds.h"
#include "state.h"

#include <string.h>
#include <strings.h>

static struct render_value text(const char *bytes, size_t len)
{
    return (struct render_value){.known = bytes != NULL, .text = bytes, .text_len = len};
}

static struct render_value integer(bool known, uint64_t n)
{
    return (struct render_value){.known = known, .integer = n};
}

static struct render_value real(bool known, double n)
{
    return (struct render_value){.known = known, .real = n};
}

/* A figure that exists once a table has been walked. */
#define GET(function, kind, expression)                                                            \
    static struct render_value function(const struct report_image *image,                          \
                                        const struct report_table *table)                          \
    {                                                                                              \
        (void)image;                                                                               \
        if (table == NULL || !table->measured)                                                     \
            return (struct render_value){.known = false};                                          \
        return kind(expression);                                                                   \
    }

#define INTEGER(n) integer(true, (n))
#define OPT_INTEGER(n) integer((n).known, (n).value)
#define OPT_REAL(n) real((n).known, (n).value)

GET(get_mapped, INTEGER, table->walk.mapped_bytes)
GET(get_clusters, INTEGER, table->mapped_clusters)
GET(get_compressed, INTEGER, table->walk.compressed_clusters)
GET(get_zero, INTEGER, table->walk.zero_clusters)
GET(get_corrupt, INTEGER, table->walk.corrupt_entries)
GET(get_score, OPT_REAL, table->walk.fragmentation_score)
GET(get_backward, INTEGER, table->walk.backward_steps)
GET(get_forward, INTEGER, table->walk.forward_jumps)
GET(get_near, INTEGER, table->walk.near_jumps)
GET(get_switches, INTEGER, table->walk.file_switches)
GET(get_breaks, INTEGER, table->walk.breaks)
GET(get_back_mean, OPT_REAL, table->walk.backward_jump_mean_bytes)
GET(get_forward_mean, OPT_REAL, table->walk.forward_jump_mean_bytes)
GET(get_ascending, INTEGER, table->walk.ascending_runs)
GET(get_ascending_mean, OPT_REAL, table->walk.ascending_run_mean_bytes)
GET(get_runs, INTEGER, table->walk.contiguous_runs)
GET(get_run_mean, OPT_REAL, table->walk.contiguous_run_mean_bytes)
GET(get_half, OPT_INTEGER, table->walk.contiguous_run_half_bytes)
GET(get_max, OPT_INTEGER, table->walk.contiguous_run_max_bytes)
#define DISK(n) real(table->disk.known, (n))
GET(get_image_lost, DISK, table->disk.seconds - table->disk.ideal_seconds)
GET(get_image_seconds, DISK, table->disk.seconds)
GET(get_image_slowdown, DISK, table->disk.slowdown_low)
#define JUDGED(n) real(report_seconds_of(table).known, report_seconds_of(table).n)
GET(get_lost, JUDGED, lost)
GET(get_seconds, JUDGED, seconds)
GET(get_slowdown, JUDGED, slowdown_low)
GET(get_ideal, JUDGED, ideal)
GET(get_split, OPT_REAL, table->read_split)

/* A figure of the way over the device. */
#define GET_END(function, kind, expression)                                                        \
    static struct render_value function(const struct report_image *image,                          \
                                        const struct report_table *table)                          \
    {                                                                                              \
        (void)image;                                                                               \
        if (table == NULL || !table->end_to_end.known)                                             \
            return (struct render_value){.known = false};                                          \
        return kind(expression);                                                                   \
    }

GET_END(get_end_score, OPT_REAL, table->end_to_end.walk.fragmentation_score)
GET_END(get_end_runs, INTEGER, table->end_to_end.walk.contiguous_runs)
GET_END(get_end_mean, OPT_REAL, table->end_to_end.walk.contiguous_run_mean_bytes)
GET_END(get_end_half, OPT_INTEGER, table->end_to_end.walk.contiguous_run_half_bytes)
GET_END(get_holes, INTEGER, table->end_to_end.hole_bytes)

static struct render_value get_extents(const struct report_image *image,
                                       const struct report_table *table)
{
    (void)table;
    return integer(image->host.known, image->host.extents);
}

static struct render_value get_extent_mean(const struct report_image *image,
                                           const struct report_table *table)
{
    (void)table;
    return OPT_REAL(image->host.extent_mean_bytes);
}

static struct render_value get_filesystem(const struct report_image *image,
                                          const struct report_table *table)
{
    const char *name = image->host.known ? image->host.filesystem : NULL;

    (void)table;
    return text(name, name != NULL ? strlen(name) : 0);
}

static struct render_value get_device(const struct report_image *image,
                                      const struct report_table *table)
{
    const char *name = image->host.known ? image->host.device : NULL;

    (void)table;
    return text(name, name != NULL ? strlen(name) : 0);
}

static struct render_value get_action(const struct report_image *image,
                                      const struct report_table *table)
{
    const char *word = report_state_name(image, table);

    return text(word, word != NULL ? strlen(word) : 0);
}

static struct render_value get_depth(const struct report_image *image,
                                     const struct report_table *table)
{
    (void)image;
    return table != NULL ? integer(true, table->chain_depth) : integer(false, 0);
}

static struct render_value get_image(const struct report_image *image,
                                     const struct report_table *table)
{
    (void)table;
    return text(image->path, image->path != NULL ? strlen(image->path) : 0);
}

static struct render_value get_snapshot_id(const struct report_image *image,
                                           const struct report_table *table)
{
    (void)image;
    return table != NULL ? text(table->id.bytes, table->id.len) : text(NULL, 0);
}

static struct render_value get_snapshot(const struct report_image *image,
                                        const struct report_table *table)
{
    (void)image;
    return table != NULL ? text(table->name.bytes, table->name.len) : text(NULL, 0);
}

static struct render_value get_virtual(const struct report_image *image,
                                       const struct report_table *table)
{
    (void)image;
    return table != NULL ? integer(true, table->virtual_bytes) : integer(false, 0);
}

static struct render_value get_file(const struct report_image *image,
                                    const struct report_table *table)
{
    (void)table;
    return integer(image->has_format, image->format.file_bytes);
}

static struct render_value get_cluster(const struct report_image *image,
                                       const struct report_table *table)
{
    (void)table;
    return integer(image->has_format, image->format.cluster_bytes);
}

static struct render_value get_findings(const struct report_image *image,
                                        const struct report_table *table)
{
    (void)table;
    return integer(image->error == NULL, image->findings.total);
}

static struct render_value get_backing(const struct report_image *image,
                                       const struct report_table *table)
{
    (void)table;
    return text(image->backing_image,
                image->backing_image != NULL ? strlen(image->backing_image) : 0);
}

static struct render_value get_overlays(const struct report_image *image,
                                        const struct report_table *table)
{
    (void)table;
    return integer(image->error == NULL, image->n_overlays);
}

static struct render_value get_domain(const struct report_image *image,
                                      const struct report_table *table)
{
    (void)table;
    return image->domains != NULL ? text(image->domains->names, strlen(image->domains->names))
                                  : text(NULL, 0);
}

static struct render_value get_target(const struct report_image *image,
                                      const struct report_table *table)
{
    (void)table;
    return image->domains != NULL ? text(image->domains->targets, strlen(image->domains->targets))
                                  : text(NULL, 0);
}

static struct render_value get_error(const struct report_image *image,
                                     const struct report_table *table)
{
    (void)table;
    return text(image->error, image->error != NULL ? strlen(image->error) : 0);
}

/* A figure of the file that --space asked for. */
#define GET_SPACE(function, kind, expression)                                                      \
    static struct render_value function(const struct report_image *image,                          \
                                        const struct report_table *table)                          \
    {                                                                                              \
        (void)table;                                                                               \
        if (image->space == NULL)                                                                  \
            return (struct render_value){.known = false};                                          \
        return kind(image->space->expression);                                                     \
    }

GET_SPACE(get_end, INTEGER, end_offset_bytes)
GET_SPACE(get_stored, OPT_INTEGER, host_allocated_bytes)
GET_SPACE(get_active, INTEGER, active_bytes)
GET_SPACE(get_metadata, INTEGER, metadata_bytes)
GET_SPACE(get_vm_state, INTEGER, vm_state_bytes)
GET_SPACE(get_snapshot_only, INTEGER, snapshot_only_bytes)
GET_SPACE(get_leaked, OPT_INTEGER, leaked_bytes)
GET_SPACE(get_free, INTEGER, free_bytes)
GET_SPACE(get_gaps, INTEGER, free_gaps)
GET_SPACE(get_tail, INTEGER, tail_bytes)
GET_SPACE(get_reclaimable, OPT_INTEGER, reclaimable_bytes)

/* The formula of qemu-img check; there is none for a snapshot. */
static struct render_value get_qemu(const struct report_image *image,
                                    const struct report_table *table)
{
    struct opt_f64 share = {.known = false};

    (void)image;
    if (table != NULL)
        share = report_figures_check(table);
    return real(share.known, share.value);
}

const struct render_column render_columns[] = {
    {"ACTION", RENDER_TEXT, RENDER_BY_DEFAULT, "what to do, or damaged, changing or failed",
     get_action},
    {"LOST", RENDER_SECONDS, RENDER_BY_DEFAULT,
     "time lost by fragmentation, of image and host together", get_lost},
    {"SECONDS", RENDER_SECONDS, RENDER_IF_ASKED, "time to read the whole guest disk", get_seconds},
    {"SLOWDOWN", RENDER_FACTOR, RENDER_IF_ASKED,
     "that time, as a multiple of that without breaks, at least", get_slowdown},
    {"IDEAL", RENDER_SECONDS, RENDER_IF_ASKED, "that time without breaks", get_ideal},
    {"IMAGE_LOST", RENDER_SECONDS, RENDER_IF_ASKED, "LOST of the image's own order alone",
     get_image_lost},
    {"IMAGE_SECONDS", RENDER_SECONDS, RENDER_IF_ASKED, "SECONDS if the file lay in one piece",
     get_image_seconds},
    {"IMAGE_SLOWDOWN", RENDER_FACTOR, RENDER_IF_ASKED, "SLOWDOWN if the file lay in one piece",
     get_image_slowdown},
    {"SCORE", RENDER_RATIO, RENDER_BY_DEFAULT,
     "fragmentation score: backward steps per mapped cluster", get_score},
    {"RUNS", RENDER_COUNT, RENDER_BY_DEFAULT, "contiguous runs", get_runs},
    {"MEAN", RENDER_MEAN_BYTES, RENDER_BY_DEFAULT, "mean length of a contiguous run", get_run_mean},
    {"HALF", RENDER_BYTES, RENDER_BY_DEFAULT,
     "half of the data lies in contiguous runs of at least this length", get_half},
    {"MAX", RENDER_BYTES, RENDER_IF_ASKED, "the longest contiguous run", get_max},
    {"BREAKS", RENDER_COUNT, RENDER_IF_ASKED, "steps that are not contiguous", get_breaks},
    {"BACK", RENDER_COUNT, RENDER_BY_DEFAULT, "backward steps", get_backward},
    {"FORWARD", RENDER_COUNT, RENDER_BY_DEFAULT, "forward jumps", get_forward},
    {"NEAR", RENDER_COUNT, RENDER_IF_ASKED, "forward jumps over at most 512 KiB", get_near},
    {"SWITCHES", RENDER_COUNT, RENDER_IF_ASKED, "steps to another file of the chain", get_switches},
    {"BACKMEAN", RENDER_MEAN_BYTES, RENDER_IF_ASKED, "mean distance of a backward step",
     get_back_mean},
    {"FORWARDMEAN", RENDER_MEAN_BYTES, RENDER_IF_ASKED, "mean distance of a forward jump",
     get_forward_mean},
    {"ASCENDING", RENDER_COUNT, RENDER_IF_ASKED, "ascending runs", get_ascending},
    {"ASCENDINGMEAN", RENDER_MEAN_BYTES, RENDER_IF_ASKED, "mean length of an ascending run",
     get_ascending_mean},
    {"SPLIT", RENDER_FACTOR, RENDER_IF_ASKED,
     "data reads for the whole disk, as a multiple of those without breaks", get_split},
    {"QEMU", RENDER_RATIO, RENDER_IF_ASKED, "\"fragmented\" as qemu-img check computes it",
     get_qemu},
    {"MAPPED", RENDER_BYTES, RENDER_BY_DEFAULT, "guest bytes that the file holds", get_mapped},
    {"CLUSTERS", RENDER_COUNT, RENDER_IF_ASKED, "mapped clusters", get_clusters},
    {"COMPRESSED", RENDER_COUNT, RENDER_IF_ASKED, "mapped clusters that are compressed",
     get_compressed},
    {"ZERO", RENDER_COUNT, RENDER_IF_ASKED, "zero clusters", get_zero},
    {"CORRUPT", RENDER_COUNT, RENDER_IF_ASKED, "damaged table entries", get_corrupt},
    {"DEPTH", RENDER_COUNT, RENDER_IF_ASKED,
     "images that the figures are of: more than one along a chain", get_depth},
    {"VIRTUAL", RENDER_BYTES, RENDER_BY_DEFAULT, "size of the guest disk", get_virtual},
    {"FILE", RENDER_BYTES, RENDER_IF_ASKED, "length of the file", get_file},
    {"CLUSTER", RENDER_BYTES, RENDER_IF_ASKED, "cluster size", get_cluster},
    {"EXTENTS", RENDER_COUNT, RENDER_IF_ASKED,
     "extents of the file on the host, as filefrag counts", get_extents},
    {"EXTENTMEAN", RENDER_MEAN_BYTES, RENDER_IF_ASKED, "their mean length", get_extent_mean},
    {"ENDSCORE", RENDER_RATIO, RENDER_IF_ASKED,
     "end to end, on the device: the fragmentation score", get_end_score},
    {"ENDRUNS", RENDER_COUNT, RENDER_IF_ASKED, "end to end: contiguous runs", get_end_runs},
    {"ENDMEAN", RENDER_MEAN_BYTES, RENDER_IF_ASKED, "end to end: mean length of a contiguous run",
     get_end_mean},
    {"ENDHALF", RENDER_BYTES, RENDER_IF_ASKED,
     "end to end: half of the data lies in runs of this length", get_end_half},
    {"HOLES", RENDER_BYTES, RENDER_IF_ASKED, "mapped guest bytes in holes of the file", get_holes},
    {"FILESYSTEM", RENDER_TEXT, RENDER_IF_ASKED, "file system that the file lies on",
     get_filesystem},
    {"DEVICE", RENDER_TEXT, RENDER_IF_ASKED, "device under it", get_device},
    {"END", RENDER_BYTES, RENDER_WITH_SPACE, "--space: where the image ends in the file", get_end},
    {"STORED", RENDER_BYTES, RENDER_WITH_SPACE, "--space: bytes of the file that the host stores",
     get_stored},
    {"ACTIVE", RENDER_BYTES, RENDER_WITH_SPACE, "--space: bytes of active data", get_active},
    {"METADATA", RENDER_BYTES, RENDER_WITH_SPACE, "--space: bytes of metadata", get_metadata},
    {"VMSTATE", RENDER_BYTES, RENDER_WITH_SPACE, "--space: bytes of saved VM state", get_vm_state},
    {"SNAPSHOTONLY", RENDER_BYTES, RENDER_WITH_SPACE, "--space: bytes that only snapshots hold",
     get_snapshot_only},
    {"LEAKED", RENDER_BYTES, RENDER_WITH_SPACE,
     "--space: bytes with a refcount that nothing refers to", get_leaked},
    {"FREE", RENDER_BYTES, RENDER_WITH_SPACE, "--space: free bytes before the end", get_free},
    {"GAPS", RENDER_COUNT, RENDER_WITH_SPACE, "--space: stretches of free clusters", get_gaps},
    {"TAIL", RENDER_BYTES, RENDER_WITH_SPACE, "--space: bytes of the file behind the end",
     get_tail},
    {"RECLAIMABLE", RENDER_BYTES, RENDER_WITH_SPACE,
     "--space: by how much the file could be shorter", get_reclaimable},
    {"FINDINGS", RENDER_COUNT, RENDER_IF_ASKED, "warnings and errors found in the image",
     get_findings},
    {"BACKING", RENDER_TEXT, RENDER_IF_ASKED, "its backing file, if that is among the images",
     get_backing},
    {"OVERLAYS", RENDER_COUNT, RENDER_IF_ASKED,
     "of the images, those that it is the backing file of", get_overlays},
    {"DOMAIN", RENDER_TEXT, RENDER_IF_ASKED, "--libvirt: domains whose disk it is", get_domain},
    {"TARGET", RENDER_TEXT, RENDER_IF_ASKED, "--libvirt: what disk it is to each of them",
     get_target},
    {"SNAPSHOTID", RENDER_TEXT, RENDER_IF_ASKED, "id of the snapshot; empty: the active state",
     get_snapshot_id},
    {"SNAPSHOT", RENDER_TEXT, RENDER_IF_ASKED, "name of the snapshot; empty: the active state",
     get_snapshot},
    {"IMAGE", RENDER_TEXT, RENDER_BY_DEFAULT, "the image file", get_image},
    {"ERROR", RENDER_TEXT, RENDER_IF_ASKED, "why the image could not be measured", get_error},
};

_Static_assert(sizeof(render_columns) / sizeof(render_columns[0]) < RENDER_COLUMNS_MAX,
               "room for the columns");
const size_t render_n_columns = sizeof(render_columns) / sizeof(render_columns[0]);

const struct render_column *render_column_find(const char *name, size_t len)
{
    for (size_t i = 0; i < render_n_columns; i++)
        if (strlen(render_columns[i].name) == len &&
            strncasecmp(render_columns[i].name, name, len) == 0)
            return &render_columns[i];
    return NULL;
}

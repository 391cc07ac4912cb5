/* SPDX-License-Identifier: MIT */
/*
 * The finished figures of one image, as plain structs: what the renderers print. The members stand
 * in the order of the JSON keys, with their names; a value that is not known says so (opt.h).
 * Bytes are bytes, ratios are fractions (0.124, not 12.4).
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "arena.h"
#include "beside.h"
#include "bitmap.h"
#include "disk.h"
#include "finding.h"
#include "flags.h"
#include "header.h"
#include "lost.h"
#include "opt.h"
#include "room.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Jumps with distances of from_bytes up to twice that. */
struct report_jump_class {
    uint64_t from_bytes; /* a power of two */
    uint64_t backward, forward;
};

/* Contiguous runs with lengths of from_bytes up to twice that. */
struct report_run_class {
    uint64_t from_bytes; /* a power of two */
    uint64_t runs, bytes;
};

#define REPORT_CLASSES_MAX 65 /* 0 and 2^0 .. 2^63 */

/* Only classes that are not empty, in rising order. */
struct report_jump_histogram {
    size_t n;
    struct report_jump_class *list;
};

struct report_run_histogram {
    size_t n;
    struct report_run_class *list;
};

/* The figures of one walk in guest order. */
struct report_walk {
    uint64_t mapped_bytes;
    uint64_t compressed_clusters;
    uint64_t zero_clusters;
    uint64_t zero_allocated_clusters;
    uint64_t corrupt_entries;
    uint64_t backward_steps;
    uint64_t forward_jumps;
    uint64_t near_jumps;
    uint64_t file_switches;
    uint64_t breaks;
    struct opt_f64 backward_jump_mean_bytes;
    struct opt_f64 forward_jump_mean_bytes;
    struct report_jump_histogram jump_histogram;
    uint64_t pieces; /* that it compares: the divisor of the score */
    struct opt_f64 fragmentation_score;
    uint64_t ascending_runs;
    struct opt_f64 ascending_run_mean_bytes;
    uint64_t contiguous_runs;
    struct opt_f64 contiguous_run_mean_bytes;
    struct opt_u64 contiguous_run_half_bytes;
    struct opt_u64 contiguous_run_max_bytes;
    struct report_run_histogram run_histogram;
};

/* What the layout costs, see meter/disk.h. */
struct report_disk {
    bool known;   /* false: nothing is mapped, or nothing could be read */
    bool assumed; /* the profile, since nothing is known of the disk */
    bool told;    /* the profile, by the user */
    enum meter_disk_kind profile;
    double ideal_seconds;
    double seconds;
    double slowdown_low, slowdown_high;
    struct opt_f64 after_defrag_seconds; /* after the rewrite that the recipe is for */
};

/* The same walk over the device under the file, if it can be known. */
struct report_end_to_end {
    bool known;
    struct report_walk walk;
    bool unplaced;       /* some of the data has no place on the device yet, and counts as holes */
    uint64_t hole_bytes; /* mapped, but in holes of the file */
    struct opt_f64 seconds;
    struct opt_f64 slowdown;
    /* Known with the seconds: of this walk, see report_seconds_of. */
    double ideal_seconds, slowdown_low;
};

/* What `qemu-img check` prints, by its own formula. */
struct report_check {
    uint64_t allocated_clusters;
    uint64_t total_clusters;
    uint64_t fragmented_clusters;
    uint64_t compressed_clusters;
};

/* One image of a chain. */
struct report_layer {
    char *path;
    uint32_t depth; /* 0: the image itself */
    uint64_t bytes; /* mapped bytes that the guest reads from it */
    uint64_t runs;  /* contiguous runs in it */
    struct opt_u64 shadowed_bytes;
    enum format_crypt encryption; /* below the top, if it is a qcow2 image */
    struct piece_lost *lost; /* below the top: of its disk, hidden or not; in one table of those
                                that have the layer. NULL: nothing is, or another table has it */
};

/* The part of the guest disk that the figures are of. */
struct report_range {
    bool known; /* false: all of it */
    uint64_t guest_off, len_bytes;
};

/* One L1 table: the active one or that of a snapshot. */
struct report_table {
    bool is_snapshot;
    struct format_name id, name; /* of the snapshot; they lie in the image's names */
    uint32_t chain_depth;
    uint64_t virtual_bytes;
    struct report_range range;
    bool measured; /* false: its L1 table cannot be read, a finding says why, no figure is known */
    uint64_t mapped_clusters;
    struct report_walk walk;
    struct opt_f64 read_split;
    /* Along a chain: what a rewrite saves on the image itself, read without those below it. */
    struct opt_f64 alone_saved_seconds;
    bool has_check;
    struct report_check check;
    struct report_end_to_end end_to_end;
    struct report_layer *layers; /* NULL: not asked for */
    size_t n_layers;
    struct report_disk disk;
    struct piece_lost *lost; /* of this guest disk; NULL: nothing is */
};

/* What to do. */
enum report_action {
    REPORT_NONE,
    REPORT_IMAGE,     /* rewrite the image */
    REPORT_HOST,      /* let the host's file system put the file together */
    REPORT_BOTH,      /* both */
    REPORT_SNAPSHOTS, /* delete snapshots, then rewrite */
    REPORT_L2_CACHE,  /* give QEMU a larger L2 cache */
    REPORT_UNKNOWN,   /* the figures are incomplete */
};

/* What brought it about, told from traces in the image. */
enum report_cause_code {
    REPORT_CAUSE_SNAPSHOTS,       /* copy-on-write under snapshots */
    REPORT_CAUSE_COMPRESSED,      /* compressed clusters that were written to again */
    REPORT_CAUSE_DOWNWARD,        /* the allocator went downwards */
    REPORT_CAUSE_CONVERT,         /* qemu-img convert -W */
    REPORT_CAUSE_INTERLEAVED,     /* several writers at a time */
    REPORT_CAUSE_RANDOM,          /* clusters allocated in the order of random writes */
    REPORT_CAUSE_DISCARD,         /* clusters freed by discard, and filled again */
    REPORT_CAUSE_SMALL_CLUSTERS,  /* clusters below 64 KiB */
    REPORT_CAUSE_CHAIN,           /* many backing files */
    REPORT_CAUSE_L2_CACHE,        /* the tables do not fit into the cache */
    REPORT_CAUSE_HOST_COW,        /* the host's file system copies on write */
    REPORT_CAUSE_HOST_EXTENTS,    /* XFS without an extent size hint */
    REPORT_CAUSE_HOST_ALLOCATION, /* the file grew between other files */
    REPORT_N_CAUSES,
};

struct report_cause {
    enum report_cause_code code;
    char option[96];      /* that stops it from coming back */
    struct opt_f64 share; /* of the breaks, that it explains */
};

struct report_verdict {
    bool known; /* false: the active state was not measured */
    enum report_action action;
    char *reason; /* one sentence or two */
    struct opt_f64 image_share, host_share;
    struct opt_u64 copy_bytes;
    struct report_cause *causes; /* those that there are: see report_find_causes */
    size_t n_causes;
};

struct report_format {
    uint32_t version;
    uint64_t cluster_bytes;
    uint64_t virtual_bytes;
    uint64_t file_bytes;
    unsigned refcount_bits;
    bool extended_l2;
    enum format_compression compression;
    enum format_crypt encryption;
    struct format_name backing_file, backing_format, data_file;
    bool data_file_raw;
    bool lazy_refcounts;
    bool dirty;
    bool corrupt;
    bool unknown_autoclear; /* it has such feature bits, which a writer has to clear */
    uint64_t snapshot_count;
    uint64_t bitmap_count;
    uint64_t bitmaps_in_use;          /* of them, marked so: see format/bitmap.h */
    struct format_name *in_use_names; /* the first of them */
    size_t n_in_use_names;
    uint64_t l1_entries;
    struct opt_u64 l2_tables; /* of the active L1 table; known if that one was walked */
    struct opt_u64 l2_bytes;
    uint64_t l2_cache_bytes; /* what QEMU's L2 cache needs to cover the disk */
};

/* The file under an image. What is found out without its extents may be known without them. */
struct report_host {
    bool known;       /* its extents, and what comes from them */
    bool is_device;   /* it is a block device */
    char *filesystem; /* NULL: not known, or none */
    char *device;     /* likewise */
    struct opt_bool rotational;
    uint64_t extents; /* as filefrag counts */
    struct opt_f64 extent_mean_bytes;
    uint64_t unplaced_bytes; /* in extents without a place on the device */
    struct host_flags flags;
    struct host_room room;
    bool encoded;           /* of its extents some are compressed by the file system */
    uint32_t unknown_flags; /* of extents */
    char *reason;           /* why its extents are not known, one sentence; NULL: not asked */
};

/* Gaps with lengths of from_bytes up to twice that. */
struct report_gap_class {
    uint64_t from_bytes; /* a power of two */
    uint64_t gaps, bytes;
};

/* Only classes that are not empty, in rising order. */
struct report_gap_histogram {
    size_t n;
    struct report_gap_class *list;
};

struct report_space_snapshot {
    struct format_name id, name;
    struct opt_u64 exclusive_bytes; /* what deleting it would free */
};

/* Who owns the clusters of the file. */
struct report_space {
    uint64_t end_offset_bytes;
    struct opt_u64 host_allocated_bytes;
    uint64_t active_bytes;
    uint64_t metadata_bytes;
    uint64_t vm_state_bytes;
    uint64_t snapshot_only_bytes;
    struct opt_u64 leaked_bytes;
    uint64_t unknown_bytes; /* as leaked, but damage may hide who refers to them */
    uint64_t free_bytes;
    uint64_t free_gaps;
    struct opt_u64 free_gap_max_bytes;
    struct report_gap_histogram free_gap_histogram;
    uint64_t tail_bytes;
    struct opt_u64 reclaimable_bytes;
    struct report_space_snapshot *snapshots;
    size_t n_snapshots;
};

struct report_picture;

/* A domain of libvirt, and what an image is to it: "vda". */
struct report_domain {
    const char *name, *target;
};

/* Those whose disk an image is; all is borrowed. */
struct report_domains {
    const struct report_domain *list;
    size_t n;
    const char *names, *targets; /* of all of them, in a line each; empty: of none */
};

struct report_image {
    const char *path;        /* borrowed: as the caller named it */
    struct io_beside beside; /* where a copy of it would be put */
    int64_t measured_at;     /* Unix seconds */
    bool complete;           /* nothing had to be left out */
    char *error; /* NULL: measured; then has_format is true. See report_image_set_error */
    struct opt_bool in_use;
    bool changing;      /* while it was measured: the figures mix its states */
    bool being_written; /* by whoever has it in use: the figures may be a moment old */
    bool has_format;
    struct report_format format;
    struct report_table *tables;
    size_t n_tables;
    struct arena names; /* of the tables */
    struct report_host host;
    struct report_space *space; /* NULL: not asked for, or not known */
    struct report_verdict verdict;
    struct format_findings findings;
    /* Of several images: the path of that one which is the backing file of this, or NULL, and the
     * paths of those whose backing file this is. Borrowed. */
    const char *backing_image;
    const char *const *overlays;
    size_t n_overlays;
    const struct report_domains *domains; /* borrowed; NULL: not asked for */
    /* Of the first table: of the file, and of the device under it. NULL: not asked for, or the
     * latter is not known or as the former. */
    struct report_picture *picture, *device_picture;
};

void report_image_free(struct report_image *image);

/* A copy of @text, or at least that there is no memory: never without a word. */
void report_image_set_error(struct report_image *image, const char *text);

/* Frees what a walk points to. */
void report_walk_free(struct report_walk *walk);

/* The table that stands for the image where there is room for one only; NULL if there is none. */
const struct report_table *report_main_table(const struct report_image *image);

/* The picture that is shown where there is room for one only: of the device, if that was asked for.
 * NULL: there is none. */
const struct report_picture *report_main_picture(const struct report_image *image);

/* The table of the active state; NULL if it was not asked for. */
const struct report_table *report_active_table(const struct report_image *image);

#endif

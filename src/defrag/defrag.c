// SPDX-License-Identifier: MIT
/* Owns the order of a rewrite: metadata, refcounts, data, proof, name. */
#include "defrag.h"

#include "cleanup.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "new_file.h"
#include "plan.h"
#include "planned.h"
#include "read_back.h"
#include "recount.h"
#include "refcount.h"
#include "verify.h"
#include "zero_clusters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define METADATA_BYTES (UINT64_C(1) << 20) /* written at a time */

struct defrag {
    struct io *source;
    struct format_image image;
    struct format_refcounts refcounts;
    struct io_stamp stamp; /* of the source, before the first look */
    struct defrag_plan plan;
    struct defrag_planned_options planned_options;
};

/* ---- what is refused ---- */

static int refuse_kind(const struct format_header *header, const struct defrag_options *options,
                       struct err *err)
{
    uint64_t known = FORMAT_AUTOCLEAR_BITMAPS | FORMAT_AUTOCLEAR_DATA_FILE_RAW;

    if (header->incompatible & FORMAT_INCOMPAT_CORRUPT)
        return err_set(err, EINVAL,
                       "it is marked as corrupt; repair it with qemu-img check -r all");
    if (header->incompatible & FORMAT_INCOMPAT_DIRTY)
        return err_set(err, EINVAL,
                       "it was not closed properly, and its refcounts are not up to date; repair "
                       "it with qemu-img check -r all");
    if (header->crypt == FORMAT_CRYPT_LUKS)
        return err_set(err, ENOTSUP,
                       "it is encrypted with LUKS, whose keystream depends on where each cluster "
                       "lies: moved as they are, the data would be lost. qemu-img convert, given "
                       "the key, writes it anew, without its internal snapshots");
    if ((header->autoclear & ~known) != 0 && !options->clear_unknown_autoclear)
        return err_set(err, ENOTSUP,
                       "it has autoclear feature bits that are not known here (0x%" PRIx64 "): who "
                       "writes must clear them, and what they stand for is lost then; "
                       "--clear-unknown-autoclear does it",
                       header->autoclear & ~known);
    if (header->unknown_extensions && options->leaks)
        return err_set(
            err, ENOTSUP,
            "it has a header extension that is not known here, and clusters that nothing "
            "known refers to: they may belong together, and would be lost. If they do "
            "not, qemu-img check -r leaks frees them");
    if (header->bitmaps_invalid)
        return err_set(err, EINVAL,
                       "the extension of its header for bitmaps is damaged: QEMU does not open it");
    if (options->trim && header->version == 2 && header->backing_file.bytes != NULL)
        return err_set(err, ENOTSUP,
                       "--trim cannot make zero clusters in version 2 with a backing file, which "
                       "would show through; qemu-img amend -o compat=1.1 makes it version 3");
    if (options->trim && (header->crypt != FORMAT_CRYPT_NONE || header->external_data))
        return err_set(err, ENOTSUP, "--trim looks for zeros, which are not to be seen in %s",
                       header->external_data ? "an external data file" : "an encrypted image");
    return 0;
}

/* A place for each cluster is of use only where what is written for the first time lands in it. */
static int refuse_reserve(const struct format_image *image, struct err *err)
{
    const struct format_header *header = &image->header;
    const char *why = NULL;

    if (header->version == 2)
        why = "version 2 has no zero clusters that keep a place; qemu-img amend -o compat=1.1 "
              "makes it version 3";
    else if (header->backing_file.bytes != NULL)
        why = "it has a backing file, which zero clusters would hide";
    else if (header->external_data)
        why = "the data of its guest are in an external data file, and in order there";
    else if (image->snapshots.n_list > 0)
        why = "it has internal snapshots: what the guest writes to a cluster that they share goes "
              "to a new place in any case";
    return why == NULL ? 0 : err_set(err, ENOTSUP, "--reserve cannot work here: %s", why);
}

/* ---- the plan ---- */

static int make(struct defrag *defrag, const struct defrag_options *options, struct err *err)
{
    struct format_findings findings = {0};
    struct defrag_plan_options plan_options = {.reserve = options->reserve};
    uint64_t *zeros = NULL;
    int ret = refuse_kind(&defrag->image.header, options, err);

    if (ret == 0 && options->reserve)
        ret = refuse_reserve(&defrag->image, err);
    if (ret == 0)
        ret = format_refcounts_open(&defrag->image, &defrag->refcounts, &findings, err);
    if (ret == 0 && options->trim)
        ret = defrag_zero_clusters_find(&defrag->image, &defrag->refcounts, &options->watch, &zeros,
                                        err);
    plan_options.zeros = zeros;
    if (ret == 0)
        ret =
            defrag_plan_make(&defrag->image, &defrag->refcounts, &plan_options, &defrag->plan, err);
    free(zeros);
    format_findings_free(&findings);
    return ret;
}

/* A change that follows at once need not show in the stamp of a file just written: so that is given
 * the moment to grow old. */
static struct io_stamp settled_stamp(struct io *source)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    struct io_stamp stamp = io_stamp(source);

    for (unsigned i = 0; i < 100 && stamp.known && stamp.fresh; i++) {
        nanosleep(&moment, NULL);
        stamp = io_stamp(source);
    }
    return stamp;
}

int defrag_new(struct io *source, const struct defrag_options *options, struct defrag **made,
               struct err *err)
{
    struct defrag *defrag = calloc(1, sizeof(*defrag));
    int ret;

    if (defrag == NULL)
        return err_no_memory(err);
    defrag->source = source;
    defrag->stamp = settled_stamp(source);
    defrag->planned_options.clear_unknown_autoclear = options->clear_unknown_autoclear;
    ret = format_image_open(source, &defrag->image, err);
    if (ret == 0)
        ret = make(defrag, options, err);
    if (ret < 0)
        defrag_free(defrag);
    else
        *made = defrag;
    return ret;
}

void defrag_free(struct defrag *defrag)
{
    if (defrag == NULL)
        return;
    defrag_plan_free(&defrag->plan);
    format_refcounts_close(&defrag->refcounts);
    format_image_close(&defrag->image);
    free(defrag);
}

int defrag_open_planned(const struct defrag *defrag, struct io **planned, struct err *err)
{
    return defrag_planned_open(&defrag->plan, &defrag->planned_options, planned, err);
}

uint64_t defrag_file_bytes(const struct defrag *defrag)
{
    return defrag->plan.file_bytes;
}

uint64_t defrag_moved_bytes(const struct defrag *defrag)
{
    return defrag->plan.moved_bytes;
}

uint64_t defrag_needed_bytes(struct defrag *defrag)
{
    struct opt_u64 stored = io_allocated(defrag->source);
    uint64_t bytes = defrag->plan.moved_bytes;

    if (stored.known && stored.value < bytes)
        bytes = stored.value;
    return bytes + defrag->plan.metadata_bytes;
}

/* ---- writing ---- */

/* Everything but data and refcount blocks, which read as zeros here. */
static int write_metadata(struct io *planned, struct store_new_file *file, struct err *err)
{
    struct defrag_extent extent = {0};
    unsigned char *bytes = malloc(METADATA_BYTES);
    int ret = bytes == NULL ? err_no_memory(err) : 0;

    while (ret == 0 && defrag_planned_next(planned, extent.end, &extent)) {
        for (uint64_t off = extent.begin; off < extent.end && ret == 0; off += METADATA_BYTES) {
            uint64_t left = extent.end - off;
            size_t len = left < METADATA_BYTES ? (size_t)left : METADATA_BYTES;

            ret = io_read(planned, off, bytes, len, err);
            if (ret == 0)
                ret = store_new_file_write(file, off, bytes, len, err);
        }
    }
    free(bytes);
    return ret;
}

/* What comes next in the new file: of its tables, data and blobs, which lie between one another. */
struct places {
    const struct defrag_moves *lists[3]; /* each by where it goes; the first are tables */
    size_t next[3];
};

/* False behind the last. @table: it is an L2 table. */
static bool next_place(struct places *places, struct defrag_move *move, bool *table)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < 3; i++) {
        struct defrag_move one;

        if (places->next[i] == places->lists[i]->n_list)
            continue;
        one = defrag_moves_at(places->lists[i], places->next[i]);
        if (first == SIZE_MAX || one.to < move->to) {
            first = i;
            *move = one;
        }
    }
    if (first == SIZE_MAX)
        return false;
    places->next[first]++;
    *table = first == 0;
    return true;
}

/* Most images have none, and then the kernel need not be asked for each piece. */
static bool has_holes(struct io *source)
{
    struct err ignored = {0};
    uint64_t bytes;

    return io_size(source, &bytes, &ignored) < 0 || io_next_hole(source, 0) < bytes;
}

/*
 * Room for what is to be written: not for what is a hole in the source. Whole stretches, and
 * before anything is written: asked for piece by piece, a file system puts each somewhere else.
 */
static int reserve_places(struct defrag *defrag, struct store_new_file *file, struct err *err)
{
    const struct defrag_plan *plan = &defrag->plan;
    const uint64_t cluster_bytes = defrag->image.header.cluster_bytes;
    struct places places = {.lists = {&plan->l2_there, &plan->data, &plan->blobs}};
    uint64_t begin = 0, end = 0;
    struct defrag_move move = {.to = 0};
    const bool holes = has_holes(defrag->source);
    bool table;
    int ret = 0;

    while (ret == 0 && next_place(&places, &move, &table)) {
        if (!table && holes && io_next_data(defrag->source, move.from) >= move.from + move.bytes)
            continue;
        if (move.to > end && move.to - end >= cluster_bytes) { /* less is padding behind blobs */
            ret = store_new_file_reserve(file, begin, end - begin, err);
            begin = move.to;
        }
        if (move.to + move.bytes > end)
            end = move.to + move.bytes;
    }
    return ret < 0 ? ret : store_new_file_reserve(file, begin, end - begin, err);
}

/* The order in which the plan is written; in the other one it is looked up. */
static void sort_by_to(struct defrag_plan *plan)
{
    defrag_moves_sort_by_to(&plan->data);
    defrag_moves_sort_by_to(&plan->blobs);
}

static void sort_by_from(struct defrag_plan *plan)
{
    defrag_moves_sort_by_from(&plan->data);
    defrag_moves_sort_by_from(&plan->blobs);
}

static int reserve(struct defrag *defrag, struct store_new_file *file, struct err *err)
{
    int ret;

    sort_by_to(&defrag->plan);
    ret = reserve_places(defrag, file, err);
    sort_by_from(&defrag->plan);
    return ret;
}

static int open_written(const struct store_new_file *file, struct io **written, struct err *err)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    return io_file_open(self, written, err);
}

static int write_all(struct defrag *defrag, struct io *planned, struct store_new_file *file,
                     const struct defrag_write_options *options, struct defrag_copied *copied,
                     struct err *err)
{
    const struct defrag_copy_options copy = {.memory_bytes = options->memory_bytes,
                                             .disk = options->disk,
                                             .rate = options->rate,
                                             .hash = options->verify,
                                             .watch = options->watch};
    struct io *written = NULL;
    int ret;

    ret = store_new_file_set_length(file, defrag->plan.file_bytes, err)
              ?: reserve(defrag, file, err)
              ?: write_metadata(planned, file, err)
              ?: open_written(file, &written, err)
              ?: defrag_recount(&defrag->plan, written, file, err);
    io_close(written);
    if (ret < 0)
        return ret;
    sort_by_to(&defrag->plan);
    ret = defrag_copy(&defrag->plan, defrag->source, planned, file, &copy, copied, err)
              ?: store_new_file_sync(file, err);
    sort_by_from(&defrag->plan);
    return ret;
}

static int verify(struct defrag *defrag, struct io *planned, struct store_new_file *file,
                  const struct defrag_write_options *options, const struct defrag_copied *copied,
                  struct defrag_written *result, struct err *err)
{
    const struct defrag_read_back read_back = {.file = file,
                                               .hashes = &copied->hashes,
                                               .watch = &options->watch,
                                               .plan = &defrag->plan,
                                               .source = defrag->source,
                                               .planned = planned};
    struct io *written = NULL;
    bool direct = false;
    int ret;

    if (!options->verify)
        return 0;
    ret = defrag_read_back(&read_back, &direct, err)
              ?: open_written(file, &written, err)
              ?: defrag_verify_mapping(&defrag->plan, &defrag->image, written, err);
    io_close(written);
    result->verified = direct ? DEFRAG_DIRECT : DEFRAG_CACHED;
    return ret;
}

/* Has anybody written to the source since it was first looked at? */
static int check_unchanged(struct defrag *defrag, struct err *err)
{
    struct io_stamp now = io_stamp(defrag->source);
    struct io_users users = io_users(defrag->source);
    bool changed = false;
    int ret = format_image_has_changed(&defrag->image, &changed, err);

    if (ret < 0)
        return ret;
    if (changed || (defrag->stamp.known && io_stamps_differ(&defrag->stamp, &now)) ||
        (users.known && users.written))
        return err_set(err, EBUSY,
                       "the image was changed while it was read; the copy is thrown away. Stop "
                       "who uses it, and begin again");
    return 0;
}

/* Another program looks at the file, and only looks. */
static int show_to_prover(struct store_new_file *file, const struct defrag_write_options *options,
                          struct err *err)
{
    CLEANUP_FREE char *path = NULL;
    struct stat before, after;
    int ret = store_new_file_show(file, &path, err);

    if (ret < 0)
        return ret;
    if (fstat(file->fd, &before) < 0)
        return err_set(err, errno, "cannot examine the new image: %s", strerror(errno));
    ret = options->prove(options->context, path, err);
    if (ret == 0)
        ret = store_new_file_hide(file, err);
    if (ret < 0)
        return ret;
    if (stat(path, &after) < 0 && errno != ENOENT)
        return err_set(err, errno, "cannot examine the new image: %s", strerror(errno));
    if (stat(path, &after) < 0 || after.st_dev != before.st_dev || after.st_ino != before.st_ino)
        return err_set(err, ESTALE,
                       "the new image was moved, removed or replaced while it was checked, and is "
                       "not used");
    if (fstat(file->fd, &after) == 0 && after.st_size == before.st_size &&
        after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
        after.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
        return 0;
    return err_set(err, EBUSY,
                   "the new image was written to while it was checked, and is thrown away: let the "
                   "guest write elsewhere, as with -snapshot");
}

static int prove(struct defrag *defrag, struct store_new_file *file,
                 const struct defrag_write_options *options, struct err *err)
{
    if (options->prove == NULL)
        return 0;
    return show_to_prover(file, options, err)
               ?: check_unchanged(defrag, err); /* it may have taken a while */
}

static int open_new(const struct defrag_write_options *options, struct store_new_file *file,
                    struct err *err)
{
    const struct store_new_file_options file_options = {options->overwrite, options->like};

    if (options->original != NULL)
        return store_new_file_open_over(options->original, file, err);
    return store_new_file_open(options->path, &file_options, file, err);
}

static int check_room(struct defrag *defrag, const struct defrag_write_options *options,
                      struct store_new_file *file, struct err *err)
{
    return options->room_unchecked
               ? 0
               : store_new_file_check_room(file, defrag_needed_bytes(defrag), err);
}

int defrag_write(struct defrag *defrag, const struct defrag_write_options *options,
                 struct defrag_written *written, struct err *err)
{
    struct defrag_copied copied = {.read_bytes = 0};
    struct store_new_file file;
    struct io *planned = NULL;
    int ret;

    *written = (struct defrag_written){.verified = DEFRAG_NOT_VERIFIED};
    ret = open_new(options, &file, err);
    if (ret < 0)
        return ret;
    ret = check_room(defrag, options, &file, err)
              ?: defrag_open_planned(defrag, &planned, err)
              ?: write_all(defrag, planned, &file, options, &copied, err)
              ?: verify(defrag, planned, &file, options, &copied, written, err)
              ?: check_unchanged(defrag, err)
              ?: prove(defrag, &file, options, err);
    io_close(planned);
    free(copied.hashes.list);
    written->copied_bytes = copied.read_bytes;
    strcpy(written->lost, file.lost);
    if (ret == 0)
        return store_new_file_commit(&file, &written->named, err);
    store_new_file_abort(&file);
    return ret;
}

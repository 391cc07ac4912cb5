// SPDX-License-Identifier: MIT
/* Owns when an image counts as changed, and how often it is looked at again. */
#include "watch.h"

#include "backing.h"
#include "cleanup.h"
#include "err.h"
#include "finding.h"
#include "image.h"
#include "l1.h"
#include "table.h"

#include <stdlib.h>

/* Further attempts at an image that changes while it is read. */
#define RETRIES 3

/* The active L1 table changes whenever QEMU moves an L2 table. Snapshots' tables do not. */
static int hash_l1(struct format_image *image, uint64_t *hash, struct err *err)
{
    const struct tables_table active = tables_table_of_active(image);

    return tables_l1_hash(image, &active, 1, hash, err);
}

static struct io_users users_of(const struct report_watch *watch,
                                const struct report_backing *backing)
{
    return backing != NULL ? format_chain_users(&backing->chain) : io_users(watch->io);
}

/* Whoever holds a lock need not write: then nothing can have changed, and no attempt does better.
 */
struct stamps {
    struct io_stamp *list; /* of all files of the chain, or of the image alone */
    size_t n;
};

static void free_stamps(struct stamps *stamps)
{
    free(stamps->list);
}

static int take_stamps(const struct report_watch *watch, const struct report_backing *backing,
                       struct stamps *stamps, struct err *err)
{
    stamps->n = backing != NULL ? backing->chain.n_files : 1;
    stamps->list = calloc(stamps->n, sizeof(*stamps->list));
    if (stamps->list == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < stamps->n; i++)
        stamps->list[i] = io_stamp(backing != NULL ? backing->chain.files[i].io : watch->io);
    return 0;
}

/* Sets *@known to false if a file has no stamps: then it may have been written to. */
static bool was_written_to(const struct report_watch *watch, const struct report_backing *backing,
                           const struct stamps *stamps, bool *known)
{
    bool any = false;

    *known = true;
    for (size_t i = 0; i < stamps->n; i++) {
        struct io_stamp now = io_stamp(backing != NULL ? backing->chain.files[i].io : watch->io);

        *known &= stamps->list[i].known && now.known;
        any |= io_stamps_differ(&stamps->list[i], &now);
    }
    return any;
}

/* Looks whether what leads to all else has changed. @before: the hash of the L1 table, if it was
 * taken. */
static int compare(struct report_watch *watch, struct format_image *image,
                   struct report_backing *backing, const uint64_t *before, struct err *err)
{
    uint64_t after = 0;
    int ret = 0;

    io_renew(watch->io);
    if (!watch->changed)
        ret = format_image_has_changed(image, &watch->changed, err);
    if (ret == 0 && before != NULL && !watch->changed) {
        ret = hash_l1(image, &after, err);
        watch->changed = *before != after;
    }
    if (ret == 0 && backing != NULL && !watch->changed)
        ret = report_backing_has_changed(backing, &watch->changed, err);
    return ret;
}

/*
 * An attempt, with a look at the L1 table before and after if somebody may be writing. Of an image
 * that nobody is known to write to, only the header is looked at again. A device has no stamps:
 * there what was compared tells whether it was written to, also of an attempt that failed.
 */
static int look(struct report_watch *watch, struct format_image *image,
                struct report_backing *backing, struct err *err)
{
    bool written = watch->users.written, stamped = false;
    CLEANUP(free_stamps) struct stamps stamps = {.n = 0};
    struct err second = {0};
    uint64_t before = 0;
    int ret = take_stamps(watch, backing, &stamps, err), compared;

    if (stamps.list == NULL)
        return ret;
    if (written)
        ret = hash_l1(image, &before, err);
    if (ret == 0)
        ret = watch->attempt(watch->context, image, backing, err);
    watch->written_to = was_written_to(watch, backing, &stamps, &stamped);
    if (!written) {
        /* Somebody may have come meanwhile: what he did to the tables, nobody has looked for. */
        watch->users = users_of(watch, backing);
        watch->changed = watch->users.written && watch->written_to;
    }
    /* Of an attempt that failed the stamps tell as much, where there are some. */
    compared = ret == 0 || (written && !stamped)
                   ? compare(watch, image, backing, written ? &before : NULL, &second)
                   : 0;
    if (written && !stamped)
        watch->written_to = compared < 0 || watch->changed;
    if (ret == 0 && compared < 0)
        *err = second;
    return ret == 0 ? compared : ret;
}

static int look_at_opened(struct report_watch *watch, struct format_image *image, struct err *err)
{
    CLEANUP(report_backing_close) struct report_backing opened = {.n_held = 0};
    struct report_backing *backing = NULL;
    int ret = format_chain_spare_named(&image->header, watch->path, err);

    if (ret < 0)
        return ret;
    if (watch->chain) {
        ret = report_backing_open(watch->io, watch->path, &opened, err);
        if (ret < 0)
            return ret;
        backing = &opened;
    }
    watch->users = users_of(watch, backing);
    ret = look(watch, image, backing, err);
    return ret == 0 && watch->findings->lost ? err_no_memory(err) : ret;
}

static int open_and_look(struct report_watch *watch, struct err *err)
{
    struct format_image image;
    int ret = format_image_open(watch->io, &image, err);

    if (ret < 0)
        return ret;
    ret = look_at_opened(watch, &image, err);
    format_image_close(&image);
    return ret;
}

static bool is_doubtful(const struct report_watch *watch, int ret)
{
    return watch->changed || (watch->users.written && watch->written_to &&
                              (ret < 0 || format_findings_have_error(watch->findings)));
}

int report_watch(struct report_watch *watch, struct err *err)
{
    unsigned attempts = 0;
    int ret;

    watch->no_more = false;
    do {
        watch->forget(watch->context);
        *err = (struct err){0};
        watch->changed = false;
        watch->written_to = true;
        watch->users = io_users(watch->io);
        io_renew(watch->io);
        ret = open_and_look(watch, err);
    } while (!watch->no_more && is_doubtful(watch, ret) && ++attempts <= RETRIES);
    return ret;
}

void report_watch_tell(const struct report_watch *watch, const char *changing,
                       struct format_findings *findings)
{
    if (watch->changed) {
        format_findings_drop_errors(findings);
        format_findings_add(findings, FORMAT_FINDING_IMAGE_CHANGING, "image", NULL, "%s", changing);
    }
    if (watch->users.known && watch->users.in_flux)
        format_findings_add(findings, FORMAT_FINDING_IMAGE_CHANGING, "image", NULL,
                            "another program is rewriting this image (a mirror, a commit or the "
                            "like): its contents may be unfinished");
}

// SPDX-License-Identifier: MIT
/*
 * Owns the course of a measurement: open, choose tables, walk them, judge. Never prints; what goes
 * wrong becomes the report's error.
 */
#include "measure.h"

#include "backing.h"
#include "cause.h"
#include "choose.h"
#include "cleanup.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "named.h"
#include "properties.h"
#include "space.h"
#include "verdict.h"
#include "watch.h"
#include "work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- one image ---- */

static struct opt_u64 snapshot_bytes(const struct report_space *space)
{
    return space != NULL ? opt_u64_of(space->snapshot_only_bytes) : (struct opt_u64){0};
}

/*
 * What snapshots alone hold decides whether they are to blame, and free gaps are the trace of what
 * was freed: without --space it is found out only where the image would be to blame else. It is of
 * all the disk, and tells nothing of a part of it.
 */
static int judge(struct report_work *work)
{
    CLEANUP(report_image_free) struct report_image aside = {.n_tables = 0};
    struct report_image *report = work->report;
    const struct report_space *space = work->choice->walk.span == NULL ? report->space : NULL;
    int ret = report_verdict(report, work->copy_bytes, snapshot_bytes(space));

    if (ret < 0)
        return err_no_memory(work->err);
    if (space == NULL && report_causes_need_space(report)) {
        ret = report_space_measure(work->image, work->chosen, work->n_chosen, &aside, work->err);
        space = aside.space;
        if (ret == 0 && report_verdict(report, work->copy_bytes, snapshot_bytes(space)) < 0)
            ret = err_no_memory(work->err);
    }
    if (ret == 0 && report_find_causes(report, space) < 0)
        ret = err_no_memory(work->err);
    return ret;
}

/* The walks, with what lies under the file; that takes memory, and nobody needs it after them. */
static int measure_walks(struct report_work *work)
{
    struct report_image *report = work->report;
    struct report_backing *backing = work->backing;
    int ret = report_host_open(work->image, work->choice, &report->host, &work->host, work->err);

    if (ret == 0 && backing != NULL && backing->chain.n_files > 1)
        ret = report_host_open_chain(&backing->chain, work->choice, &work->host, work->err);
    if (ret < 0)
        return ret;
    work->profile = report_profile(work->choice->device, &report->host);
    format_findings_merge(&report->findings, &work->image->findings);
    ret = report_work_begin_pictures(work);
    if (ret < 0)
        return ret;
    ret = report_work_measure_tables(work);
    if (ret == 0 && backing != NULL)
        ret = report_work_measure_chain(work);
    report_work_drop_pictures(work);
    return ret;
}

static int choose(struct report_work *work)
{
    int ret = report_choose(work->image, work->choice, &work->chosen, &work->n_chosen, work->err);

    if (ret < 0)
        return ret;
    return report_choose_span(work->image, work->choice->walk.span, work->chosen, work->n_chosen,
                              work->err);
}

static int measure_work(struct report_work *work)
{
    struct report_image *report = work->report;
    int ret = report_properties(work->image, &report->format, work->err);

    report->has_format = ret == 0;
    if (ret == 0)
        ret = choose(work);
    if (ret == 0 && io_beside_find(report->path, &report->beside) < 0)
        ret = err_no_memory(work->err);
    if (ret < 0)
        return ret;
    ret = measure_walks(work);
    report_host_close(&work->host);
    if (ret == 0 && work->choice->space)
        ret = report_space_measure(work->image, work->chosen, work->n_chosen, report, work->err);
    if (ret < 0)
        return ret;
    report->complete = !format_findings_have_error(&report->findings);
    return judge(work);
}

/* ---- an image that changes while it is read ---- */

/* Back to a report that only names its image. */
static void forget(struct report_image *report)
{
    const char *path = report->path;
    int64_t measured_at = report->measured_at;

    report_image_free(report);
    report->path = path;
    report->measured_at = measured_at;
}

/* An image that failed half way keeps no half of its figures. */
static void fail(struct report_image *report, const struct err *err)
{
    forget(report);
    report_image_set_error(report, err->text);
}

static void begin_report(const char *path, struct report_image *report)
{
    memset(report, 0, sizeof(*report));
    report->path = path;
    report->measured_at = time(NULL);
}

/* An image that is being measured, for the watch. */
struct watched {
    const struct report_choice *choice;
    struct report_image *report;
};

static void forget_attempt(void *context)
{
    forget(((struct watched *)context)->report);
}

static int attempt(void *context, struct format_image *image, struct report_backing *backing,
                   struct err *err)
{
    const struct watched *watched = context;
    struct report_work work = {.image = image,
                               .choice = watched->choice,
                               .report = watched->report,
                               .backing = backing,
                               .err = err};
    int ret = measure_work(&work);

    free(work.chosen);
    return ret;
}

void report_measure_io(struct io *io, const char *path, const struct report_choice *choice,
                       struct report_image *report)
{
    struct watched watched = {choice, report};
    struct report_watch watch = {.io = io,
                                 .path = path,
                                 .chain = choice->chain,
                                 .forget = forget_attempt,
                                 .attempt = attempt,
                                 .context = &watched,
                                 .findings = &report->findings};
    struct err err = {0};
    int ret;

    begin_report(path, report);
    ret = report_watch(&watch, &err);
    if (ret < 0) {
        fail(report, &err);
        watch.changed = false;
    }
    report_watch_tell(&watch,
                      "the image was changing while it was measured; the figures mix its states",
                      &report->findings);
    if (watch.changed) {
        report->complete = false;
        report->changing = true;
        ret = report_verdict(report, report->verdict.copy_bytes, (struct opt_u64){0});
    }
    if (ret == 0 && report->findings.lost)
        ret = -ENOMEM;
    if (ret < 0 && report->error == NULL) {
        err_no_memory(&err);
        fail(report, &err);
    }
    report->in_use = (struct opt_bool){watch.users.known, watch.users.held};
    report->being_written = watch.users.known && watch.users.written;
    io_close(io);
}

void report_not_opened(const char *path, const struct err *err, struct report_image *report)
{
    begin_report(path, report);
    fail(report, err);
}

void report_measure(const char *path, const struct report_choice *choice,
                    struct report_image *report)
{
    struct err err = {0};
    struct io *io;

    if (io_named_open(path, &io, &err) == 0) {
        report_measure_io(io, path, choice, report);
        return;
    }
    report_not_opened(path, &err, report);
}

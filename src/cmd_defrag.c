// SPDX-License-Identifier: MIT
/*
 * Owns the course of `qcow2frag defrag`: measure, plan, measure the plan, write and prove. What is
 * decided here is only whether it is worth it.
 */
#include "cmd.h"

#include "defrag.h"
#include "err.h"
#include "io.h"
#include "measure.h"
#include "options.h"
#include "output.h"
#include "render_defrag.h"
#include "size.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GAIN_MIN 0.02 /* of the seconds: less is not worth a rewrite */
#define MEMORY_DEFAULT (UINT64_C(64) << 20)
#define MEMORY_SPINNING_MAX (UINT64_C(1) << 30)

struct work {
    const struct options *options;
    const struct cmd_console *console;
    const char *path;
    struct report_image before, after;
    struct render_defrag result;
    struct io *source;
    struct defrag *defrag;
    struct err err;
    time_t shown;
    const char *stage; /* what is being done, and since when */
    double stage_began;
};

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool stop(void *context)
{
    const struct work *work = context;

    return work->console->stopped();
}

/* How fast it goes, and how long it will go on so; nothing in the first moments. */
static void put_rate(char *text, size_t room, double seconds, uint64_t done, uint64_t all)
{
    char rate[SIZE_TEXT_MAX];
    double left;

    text[0] = '\0';
    if (seconds < 1 || done == 0 || done >= all)
        return;
    size_format(rate, (uint64_t)((double)done / seconds));
    left = (double)(all - done) * seconds / (double)done;
    if (left < 90)
        snprintf(text, room, ", %s/s, %.0f s left", rate, left);
    else
        snprintf(text, room, ", %s/s, %.0f min left", rate, left / 60);
}

static void progress(void *context, const char *what, uint64_t done, uint64_t all)
{
    struct work *work = context;
    time_t now = time(NULL);
    char of[2][SIZE_TEXT_MAX], line[160], rate[64];

    if (work->stage != what) {
        work->stage = what;
        work->stage_began = now_seconds();
    }
    if (work->console->progress == NULL || (now == work->shown && done < all))
        return;
    work->shown = now;
    size_format(of[0], done);
    size_format(of[1], all);
    put_rate(rate, sizeof(rate), now_seconds() - work->stage_began, done, all);
    snprintf(line, sizeof(line), "%s %s of %s (%.0f %%)%s", what, of[0], of[1],
             all > 0 ? 100 * (double)done / (double)all : 100, rate);
    work->console->progress(line);
}

static struct defrag_watch watch_of(struct work *work)
{
    return (struct defrag_watch){stop, progress, work};
}

static enum cmd_status refuse(struct work *work, const char *why)
{
    work->result.state = RENDER_DEFRAG_REFUSED;
    if (why != NULL)
        err_set(&work->err, EINVAL, "%s", why);
    return CMD_FAILED;
}

/* ---- before ---- */

/* Warnings of what a rewrite cannot carry over as it should be, or might make worse. */
static bool bars(enum format_finding_code code)
{
    switch (code) {
    case FORMAT_FINDING_SNAPSHOT_L1_SHARED:
    case FORMAT_FINDING_SNAPSHOT_EXTRA_SHORT:
    case FORMAT_FINDING_L2_SHARED:
    case FORMAT_FINDING_REFCOUNT_LOW:
    case FORMAT_FINDING_SPACE_NOT_MEASURED:
    case FORMAT_FINDING_NOT_LOOKED_FOR:
        return true;
    default:
        return format_finding_severity(code) == FORMAT_ERROR;
    }
}

static const char *why_not(const struct report_image *image)
{
    if (image->error != NULL)
        return image->error;
    if (image->being_written || image->changing)
        return "somebody has it open to write; stop that program first";
    if (image->format.corrupt || image->format.dirty) /* refused before it is planned */
        return NULL;
    for (size_t i = 0; i < image->findings.n_list; i++)
        if (bars(image->findings.list[i].code))
            return "it is damaged: qcow2frag measure tells where. Copy the file as it is first; "
                   "qemu-img check -r all repairs what can be repaired";
    if (!image->complete || image->space == NULL || !image->space->leaked_bytes.known)
        return "not all that it refers to could be found, so nothing of it is moved; qemu-img "
               "check tells what is wrong";
    return NULL;
}

static bool has_leaks(const struct report_image *image)
{
    return image->space != NULL && image->space->leaked_bytes.known &&
           image->space->leaked_bytes.value > 0;
}

static int measure_before(struct work *work)
{
    const struct report_choice choice = {
        .device = work->options->device, .all_snapshots = true, .space = true};
    const char *why;

    report_measure(work->path, &choice, &work->before);
    work->result.before = &work->before;
    why = why_not(&work->before);
    return why == NULL ? 0 : (refuse(work, why), -EINVAL);
}

/* ---- the plan ---- */

static int plan(struct work *work)
{
    const struct options *options = work->options;
    const struct defrag_options how = {.trim = options->trim,
                                       .reserve = options->reserve,
                                       .leaks = has_leaks(&work->before),
                                       .clear_unknown_autoclear = options->clear_unknown_autoclear,
                                       .watch = watch_of(work)};
    struct report_choice choice = {
        .device = options->device, .all_snapshots = true, .no_host = true};
    const struct report_table *table = report_active_table(&work->before);
    struct io *planned;
    int ret = io_file_open(work->path, &work->source, &work->err);

    if (ret == 0)
        ret = defrag_new(work->source, &how, &work->defrag, &work->err);
    if (ret == 0)
        ret = defrag_open_planned(work->defrag, &planned, &work->err);
    if (ret < 0)
        return ret;
    if (table != NULL && table->disk.known) /* the disk of the source, which auto found */
        choice.device = table->disk.profile == METER_DISK_HDD   ? REPORT_DEVICE_HDD
                        : table->disk.profile == METER_DISK_SSD ? REPORT_DEVICE_SSD
                                                                : REPORT_DEVICE_NVME;
    report_measure_io(planned, work->path, &choice, &work->after);
    if (work->after.error != NULL)
        return err_set(&work->err, EINVAL, "the plan cannot be measured: %s", work->after.error);
    work->result.after = &work->after;
    work->result.file_bytes_after = opt_u64_of(defrag_file_bytes(work->defrag));
    work->result.copied_bytes = defrag_moved_bytes(work->defrag);
    work->result.needed_bytes = defrag_needed_bytes(work->defrag);
    return 0;
}

/* Would it be read faster? By the same clock before and after. */
static bool gains(const struct work *work)
{
    const struct report_table *before = report_active_table(&work->before);
    const struct report_table *after = report_active_table(&work->after);

    if (before == NULL || after == NULL || !before->disk.known || !after->disk.known)
        return false;
    return after->disk.seconds <= (1 - GAIN_MIN) * before->disk.seconds;
}

/* ---- the rewrite ---- */

static bool may_spin(const struct work *work)
{
    const struct report_table *table = report_active_table(&work->before);

    return table == NULL || !table->disk.known || table->disk.profile == METER_DISK_HDD;
}

/* Who says how much memory there is says that it is to be used for sorting. */
static enum defrag_disk disk_of(const struct work *work)
{
    const struct report_table *table = report_active_table(&work->before);

    if (!may_spin(work))
        return DEFRAG_DISK_FAST;
    return work->options->memory_bytes == 0 && (table == NULL || table->disk.assumed)
               ? DEFRAG_DISK_UNKNOWN
               : DEFRAG_DISK_SPINS;
}

/* What programs can have without another one losing its own: MemAvailable, in bytes. 0: unknown. */
static uint64_t available_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    unsigned long long kib = 0;
    char line[128];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (uint64_t)kib << 10;
}

/* An eighth of the memory that there is, where sorting saves seeks. */
static uint64_t memory_bytes(const struct work *work)
{
    uint64_t bytes = work->options->memory_bytes;

    if (bytes == 0 && may_spin(work))
        bytes = available_bytes() / 8;
    if (work->options->memory_bytes == 0 && bytes > MEMORY_SPINNING_MAX)
        bytes = MEMORY_SPINNING_MAX;
    if (work->options->memory_bytes == 0 && bytes < MEMORY_DEFAULT)
        bytes = MEMORY_DEFAULT;
    return bytes / DEFRAG_BLOCK_BYTES * DEFRAG_BLOCK_BYTES;
}

/* The folder of a path, opened to be compared. Fails like stat. */
static int stat_folder(const char *path, struct stat *st)
{
    char *copy = strdup(path);
    int ret = copy == NULL ? -1 : stat(dirname(copy), st);

    free(copy);
    return ret;
}

/* QEMU looks for it beside the image, unless it has a root or a protocol. */
static bool is_relative(const struct format_name *name)
{
    const char *slash, *colon;

    if (name->bytes == NULL || name->bytes[0] == '/')
        return false;
    slash = strchr(name->bytes, '/');
    colon = strchr(name->bytes, ':');
    return colon == NULL || (slash != NULL && slash < colon);
}

/* What an image names by its own folder would be another file from another one. */
static int check_names(struct work *work)
{
    const struct report_format *format = &work->before.format;
    const bool backing = is_relative(&format->backing_file);
    struct stat here, there;

    if (!backing && !is_relative(&format->data_file))
        return 0;
    if (stat_folder(work->path, &here) < 0 || stat_folder(work->options->output, &there) < 0 ||
        (here.st_dev == there.st_dev && here.st_ino == there.st_ino))
        return 0; /* what is not there is told when the file is made */
    return err_set(&work->err, ENOTSUP,
                   "it names its %s by a path that begins in its own folder; the new image must be "
                   "in the same one",
                   backing ? "backing file" : "data file");
}

static int write_new(struct work *work)
{
    const struct options *options = work->options;
    const struct defrag_write_options how = {.path = options->output,
                                             .overwrite = options->overwrite,
                                             .like = io_descriptor(work->source),
                                             .verify = !options->no_verify,
                                             .memory_bytes = memory_bytes(work),
                                             .disk = disk_of(work),
                                             .rate = options->rate,
                                             .watch = watch_of(work)};
    static const char *const verified[] = {
        [DEFRAG_NOT_VERIFIED] = "none", [DEFRAG_CACHED] = "cached", [DEFRAG_DIRECT] = "direct"};
    struct defrag_written written;
    double began = now_seconds();
    int ret = defrag_write(work->defrag, &how, &written, &work->err);

    work->result.seconds = now_seconds() - began;
    work->result.copied_bytes = written.copied_bytes;
    work->result.verified = verified[written.verified];
    if (ret == -EINTR && work->err.code == 0)
        err_set(&work->err, EINTR, "stopped; nothing was changed, and the new file is gone");
    return ret;
}

static enum cmd_status run(struct work *work)
{
    const struct options *options = work->options;
    bool wanted = options->force || options->trim || options->reserve;

    if (measure_before(work) < 0)
        return CMD_FAILED;
    if (plan(work) < 0)
        return refuse(work, NULL);
    if (!wanted && !gains(work)) {
        work->result.state = RENDER_DEFRAG_IN_ORDER;
        return CMD_DONE;
    }
    if (options->dry_run) {
        work->result.state = RENDER_DEFRAG_PLANNED;
        return CMD_DONE;
    }
    if (check_names(work) < 0)
        return refuse(work, NULL);
    if (write_new(work) < 0) {
        work->result.state = RENDER_DEFRAG_FAILED;
        return CMD_FAILED;
    }
    work->result.state = RENDER_DEFRAG_DONE;
    return CMD_DONE;
}

/* Not into the image itself, should it be what standard output leads to. */
static enum cmd_status print(struct work *work, struct io_output *output, enum cmd_status status)
{
    const struct options *options = work->options;
    struct err err = {0};

    if (io_output_check(output, &err) < 0)
        io_output_abort(output);
    else if (options->format == OPTIONS_JSON)
        render_defrag_json(output->stream, &work->result);
    else
        render_defrag_text(output->stream, &work->result);
    if (err.code == 0 && io_output_commit(output, &err) == 0)
        return status;
    cmd_complain(work->console, NULL, &err);
    return CMD_FAILED;
}

int cmd_defrag(const struct options *options, const struct cmd_console *console)
{
    struct work work = {.options = options,
                        .console = console,
                        .path = options->paths[0],
                        .result = {.path = options->paths[0],
                                   .output = options->dry_run ? NULL : options->output,
                                   .verified = "none",
                                   .bytes = options->bytes,
                                   .verbose = options->verbose}};
    struct io_output output;
    enum cmd_status status;

    if (!options->quiet && io_output_open(&output, NULL, &work.err) < 0) {
        cmd_complain(console, NULL, &work.err);
        return CMD_FAILED;
    }
    status = run(&work);
    if (console->progress != NULL)
        console->progress(NULL);
    if (work.err.code != 0)
        work.result.error = work.err.text;
    cmd_complain(console, work.path, &work.err);
    if (!options->quiet)
        status = print(&work, &output, status);
    defrag_free(work.defrag);
    io_close(work.source);
    report_image_free(&work.before);
    report_image_free(&work.after);
    return status;
}

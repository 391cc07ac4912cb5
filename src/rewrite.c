// SPDX-License-Identifier: MIT
/* Owns the course of one rewrite. Must never go on after a step that failed. */
#include "rewrite.h"

#include "chain.h"
#include "cleanup.h"
#include "clock.h"
#include "cmd.h"
#include "command.h"
#include "cost.h"
#include "defrag.h"
#include "holder.h"
#include "io.h"
#include "measure.h"
#include "mount.h"
#include "options.h"
#include "seconds.h"
#include "shared.h"
#include "size.h"
#include "spare.h"
#include "uri.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_DEFAULT (UINT64_C(64) << 20)

/* ---- what is told on the way ---- */

static bool stop(void *context)
{
    const struct rewrite *rewrite = context;

    return rewrite->console->stopped();
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
    struct rewrite *rewrite = context;
    time_t now = time(NULL);
    char of[2][SIZE_TEXT_MAX], line[160], rate[64];

    if (rewrite->stage != what) {
        rewrite->stage = what;
        rewrite->stage_began = clock_seconds();
    }
    if (rewrite->console->progress == NULL || (now == rewrite->shown && done < all))
        return;
    rewrite->shown = now;
    size_format(of[0], done);
    size_format(of[1], all);
    put_rate(rate, sizeof(rate), clock_seconds() - rewrite->stage_began, done, all);
    snprintf(line, sizeof(line), "%s %s of %s (%.0f %%)%s", what, of[0], of[1],
             all > 0 ? 100 * (double)done / (double)all : 100, rate);
    rewrite->console->progress(line);
}

static struct defrag_watch watch_of(struct rewrite *rewrite)
{
    return (struct defrag_watch){stop, progress, rewrite};
}

/* Without memory, and without room, it is not said. */
__attribute__((format(printf, 2, 3))) static void add_note(struct rewrite *rewrite, const char *fmt,
                                                           ...)
{
    size_t n = 0;
    va_list args;

    while (n < RENDER_DEFRAG_NOTES_MAX && rewrite->notes[n] != NULL)
        n++;
    if (n == RENDER_DEFRAG_NOTES_MAX)
        return;
    va_start(args, fmt);
    if (vasprintf(&rewrite->notes[n], fmt, args) < 0)
        rewrite->notes[n] = NULL;
    va_end(args);
    rewrite->result.notes[n] = rewrite->notes[n];
}

static int refuse(struct rewrite *rewrite, const char *why)
{
    return err_set(&rewrite->err, EINVAL, "%s", why);
}

/* ---- the source ---- */

static bool replaces(const struct rewrite *rewrite)
{
    return rewrite->options->output == NULL && !rewrite->options->dry_run;
}

/* Mounts on which a lock is not seen by other hosts. */
static int check_mount(const struct rewrite *rewrite, struct err *err)
{
    struct host_mount mount;
    int ret = host_mount_of_descriptor("/proc", io_descriptor(rewrite->source), &mount);

    if (ret > 0 && mount.locks_are_local && !rewrite->options->force)
        ret = err_set(err, ENOLCK,
                      "its file system (%s) keeps locks on this host alone, so nobody elsewhere "
                      "could be kept from using it meanwhile; --force goes on",
                      mount.filesystem);
    host_mount_release(&mount);
    return ret < 0 ? ret : 0;
}

static int open_original(struct rewrite *rewrite)
{
    const struct options *options = rewrite->options;
    const struct store_original_options how = {.keep_suffix = options->keep_suffix,
                                               .break_hard_links = options->break_hard_links,
                                               .without_locks = options->force};
    int ret = store_original_open(rewrite->path, &how, &rewrite->original, &rewrite->err);

    if (ret < 0)
        return ret;
    rewrite->source = rewrite->original.io;
    if (rewrite->original.unlocked)
        rewrite->console->complain(rewrite->path, "its file system has no locks: nobody is kept "
                                                  "from using it while it is replaced");
    return check_mount(rewrite, &rewrite->err);
}

/* What has the name of the new image is not replaced if it is read, or what that is built on. */
static void spare_output(const struct rewrite *rewrite)
{
    struct stat st;

    io_spare_watch(IO_SPARE_IMAGE,
                   rewrite->options->overwrite && lstat(rewrite->options->output, &st) == 0 ? &st
                                                                                            : NULL);
}

/* It stays, and may be read by others; where there are no locks, it is looked at often. */
static int open_second(struct rewrite *rewrite)
{
    struct err refusal = {0};
    int ret;

    spare_output(rewrite);
    ret = io_file_open(rewrite->path, &rewrite->second, &rewrite->err);
    if (ret < 0)
        return ret;
    rewrite->source = rewrite->second;
    if (rewrite->options->dry_run)
        return 0;
    ret = store_lock_take(io_descriptor(rewrite->source), STORE_LOCK_READER, &refusal);
    if (ret != -EBUSY)
        return store_lock_check_writers(io_descriptor(rewrite->source), STORE_LOCK_READER,
                                        &rewrite->err);
    rewrite->err = refusal;
    return ret;
}

static int open_source(struct rewrite *rewrite)
{
    int ret;

    if (io_uri_is(rewrite->path))
        return err_set(&rewrite->err, ENOTSUP,
                       "is remote: it is rewritten where it is stored, or in a copy; qcow2frag "
                       "measure says how");
    ret = replaces(rewrite) ? open_original(rewrite) : open_second(rewrite);
    if (ret == 0 && rewrite->found != NULL && !io_is_same(rewrite->found, rewrite->source))
        ret =
            err_set(&rewrite->err, ESTALE, "its name leads to another file than when it was found");
    io_close(rewrite->found); /* or there would be one more who has the file open */
    rewrite->found = NULL;
    return ret;
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

/* Through a copy of the descriptor, which does not see the locks that it has itself. */
static int measure_before(struct rewrite *rewrite)
{
    const struct report_choice choice = {
        .device = rewrite->options->device,
        .all_snapshots = true,
        .space = true,
        .picture = rewrite->picture};
    struct io *io;
    const char *why;
    int ret = io_file_again(rewrite->source, &io, &rewrite->err);

    if (ret < 0)
        return ret;
    report_measure_io(io, rewrite->path, &choice, &rewrite->before);
    rewrite->result.before = &rewrite->before;
    why = why_not(&rewrite->before);
    return why == NULL ? 0 : refuse(rewrite, why);
}

/* Only what is worse than one of the limits, if there are any. */
static bool is_wanted(const struct rewrite *rewrite)
{
    const struct options *options = rewrite->options;
    const struct report_table *table = report_active_table(&rewrite->before);
    struct report_seconds seconds;

    if (!options->has_if_score && !options->has_if_slowdown)
        return true;
    if (table == NULL)
        return false;
    seconds = report_seconds_of(table);
    return (options->has_if_score && table->walk.fragmentation_score.known &&
            table->walk.fragmentation_score.value > options->if_score) ||
           (options->has_if_slowdown && seconds.known &&
            seconds.slowdown_low > options->if_slowdown);
}

/* ---- the plan ---- */

static int plan(struct rewrite *rewrite)
{
    const struct options *options = rewrite->options;
    const struct defrag_options how = {.trim = options->trim,
                                       .reserve = options->reserve,
                                       .leaks = has_leaks(&rewrite->before),
                                       .clear_unknown_autoclear = options->clear_unknown_autoclear,
                                       .watch = watch_of(rewrite)};
    struct report_choice choice = {
        .device = options->device,
        .all_snapshots = true,
        .no_host = true,
        .picture = rewrite->picture};
    const struct report_table *table = report_active_table(&rewrite->before);
    struct io *planned;
    int ret = defrag_new(rewrite->source, &how, &rewrite->defrag, &rewrite->err);

    if (ret == 0)
        ret = defrag_open_planned(rewrite->defrag, &planned, &rewrite->err);
    if (ret < 0)
        return ret;
    if (table != NULL && table->disk.known) /* the disk of the source, which auto found */
        choice.device = table->disk.profile == METER_DISK_HDD   ? REPORT_DEVICE_HDD
                        : table->disk.profile == METER_DISK_SSD ? REPORT_DEVICE_SSD
                                                                : REPORT_DEVICE_NVME;
    report_measure_io(planned, rewrite->path, &choice, &rewrite->after);
    if (rewrite->after.error != NULL)
        return err_set(&rewrite->err, EINVAL, "the plan cannot be measured: %s",
                       rewrite->after.error);
    rewrite->result.after = &rewrite->after;
    rewrite->result.file_bytes_after = opt_u64_of(defrag_file_bytes(rewrite->defrag));
    rewrite->result.copied_bytes = defrag_moved_bytes(rewrite->defrag);
    rewrite->result.needed_bytes = defrag_needed_bytes(rewrite->defrag);
    return 0;
}

/* Would it be read faster? By the same clock before and after. */
static bool gains(const struct rewrite *rewrite)
{
    const struct report_table *before = report_active_table(&rewrite->before);
    const struct report_table *after = report_active_table(&rewrite->after);

    if (before == NULL || after == NULL || !before->disk.known || !after->disk.known)
        return false;
    return report_gains(before->disk.seconds, after->disk.seconds);
}

/* ---- the rewrite ---- */

static bool may_spin(const struct rewrite *rewrite)
{
    const struct report_table *table = report_active_table(&rewrite->before);

    return table == NULL || !table->disk.known || table->disk.profile == METER_DISK_HDD;
}

/* Who says how much memory there is says that it is to be used for sorting. */
static enum defrag_disk disk_of(const struct rewrite *rewrite)
{
    const struct report_table *table = report_active_table(&rewrite->before);

    if (!may_spin(rewrite))
        return DEFRAG_DISK_FAST;
    return rewrite->options->memory_bytes == 0 && (table == NULL || table->disk.assumed)
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
static uint64_t memory_bytes(const struct rewrite *rewrite)
{
    uint64_t bytes = rewrite->options->memory_bytes;

    if (bytes == 0 && may_spin(rewrite))
        bytes = available_bytes() / 8;
    if (rewrite->options->memory_bytes == 0 && bytes > REPORT_REWRITE_WINDOW_BYTES)
        bytes = REPORT_REWRITE_WINDOW_BYTES;
    if (rewrite->options->memory_bytes == 0 && bytes < MEMORY_DEFAULT)
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
static int check_names(struct rewrite *rewrite)
{
    const struct report_format *format = &rewrite->before.format;
    const bool backing = is_relative(&format->backing_file);
    struct stat here, there;

    if (!backing && !is_relative(&format->data_file))
        return 0;
    if (stat_folder(rewrite->path, &here) < 0 ||
        stat_folder(rewrite->options->output, &there) < 0 ||
        (here.st_dev == there.st_dev && here.st_ino == there.st_ino))
        return 0; /* what is not there is told when the file is made */
    return err_set(&rewrite->err, ENOTSUP,
                   "it names its %s by a path that begins in its own folder; the new image must be "
                   "in the same one",
                   backing ? "backing file" : "data file");
}

/* All that the image is built on is known only when it has been opened. */
static int check_chain(struct rewrite *rewrite)
{
    const struct report_format *format = &rewrite->before.format;
    struct format_chain chain;
    struct err cause = {0};
    struct stat st;

    if (!rewrite->options->overwrite || lstat(rewrite->options->output, &st) < 0 ||
        (format->backing_file.bytes == NULL && format->data_file.bytes == NULL))
        return 0;
    if (format_chain_open(rewrite->source, rewrite->path, &chain, &cause) < 0)
        return err_set(&rewrite->err, ENOTSUP,
                       "cannot make %s: it exists, and might be one of the files that the image is "
                       "built on, which cannot all be found: %s",
                       rewrite->options->output, cause.text);
    format_chain_close(&chain);
    return 0;
}

static int check_command(void *context, const char *path, struct err *err)
{
    struct rewrite *rewrite = context;

    if (rewrite->console->progress != NULL)
        rewrite->console->progress(NULL); /* the command may talk to the terminal itself */
    return command_run(rewrite->options->check_command, path, rewrite->console->stopped, err);
}

/* Said of what others believe to share with the file. */
static void look_at_shares(struct rewrite *rewrite)
{
    struct opt_u64 shared = host_shared_bytes(rewrite->source);
    char size[SIZE_TEXT_MAX];

    if (!replaces(rewrite) || !shared.known || shared.value == 0)
        return;
    size_format(size, shared.value);
    add_note(rewrite,
             "%s of the old file were shared with others (by reflinks, or snapshots of the file "
             "system): the new one shares nothing, and takes its space once more",
             size);
}

/* Locks on the old file are held on for a moment: see original.h. */
static void end_original(struct rewrite *rewrite)
{
    char who[STORE_HOLDER_TEXT_MAX], text[STORE_HOLDER_TEXT_MAX + 128];

    switch (store_original_wait(&rewrite->original, who)) {
    case STORE_ORIGINAL_OPEN:
        snprintf(text, sizeof(text),
                 "was replaced, but %s still has the old file open: what it writes there is lost",
                 who);
        rewrite->console->complain(rewrite->path, text);
        break;
    case STORE_ORIGINAL_UNSEEN:
        add_note(rewrite,
                 "who else has the old file open could not be found out here: its locks were held "
                 "%d seconds longer",
                 STORE_ORIGINAL_UNSEEN_SECONDS);
        break;
    default:
        break;
    }
}

static enum render_defrag_verified verified_of(enum defrag_verified verified)
{
    return verified == DEFRAG_DIRECT   ? RENDER_DEFRAG_DIRECT
           : verified == DEFRAG_CACHED ? RENDER_DEFRAG_CACHED
                                       : RENDER_DEFRAG_NOT_VERIFIED;
}

static int write_new(struct rewrite *rewrite, bool *named)
{
    const struct options *options = rewrite->options;
    const struct defrag_write_options how = {
        .original = replaces(rewrite) ? &rewrite->original : NULL,
        .path = options->output,
        .overwrite = options->overwrite,
        .like = io_descriptor(rewrite->source),
        .verify = !options->no_verify,
        .room_unchecked = options->force,
        .memory_bytes = memory_bytes(rewrite),
        .disk = disk_of(rewrite),
        .rate = options->rate,
        .watch = watch_of(rewrite),
        .prove = options->check_command != NULL ? check_command : NULL,
        .context = rewrite};
    struct defrag_written written;
    double began = clock_seconds();
    int ret = defrag_write(rewrite->defrag, &how, &written, &rewrite->err);

    *named = written.named;
    if (ret == 0 && written.lost[0] != '\0')
        add_note(rewrite, "the new file could not be given all flags of the old one: %s",
                 written.lost);
    rewrite->result.seconds = clock_seconds() - began;
    rewrite->result.copied_bytes = written.copied_bytes;
    rewrite->result.verified = verified_of(written.verified);
    return ret;
}

/* Where the old one is afterwards. */
static int name_original(struct rewrite *rewrite)
{
    const struct store_original *original = &rewrite->original;
    int folder_len;

    rewrite->result.replaced = replaces(rewrite);
    rewrite->result.original = rewrite->path;
    if (!replaces(rewrite))
        return 0;
    rewrite->result.original = NULL;
    if (original->kept == NULL)
        return 0;
    folder_len = (int)(strlen(original->path) - strlen(original->name));
    if (asprintf(&rewrite->kept, "%.*s%s", folder_len, original->path, original->kept) < 0) {
        rewrite->kept = NULL;
        return err_no_memory(&rewrite->err);
    }
    rewrite->result.original = rewrite->kept;
    return 0;
}

static int apply(struct rewrite *rewrite, double reckoned)
{
    bool named = false;
    int ret;

    look_at_shares(rewrite);
    ret = replaces(rewrite) ? 0 : check_names(rewrite);
    if (ret == 0 && !replaces(rewrite))
        ret = check_chain(rewrite);
    if (ret == 0)
        ret = name_original(rewrite);
    if (ret < 0)
        return ret;
    rewrite->result.state = RENDER_DEFRAG_FAILED;
    ret = write_new(rewrite, &named);
    if (named && replaces(rewrite))
        end_original(rewrite);
    if (ret < 0)
        return ret;
    rewrite->result.state = RENDER_DEFRAG_DONE;
    schedule_learn(rewrite->schedule, reckoned, rewrite->result.seconds);
    return 0;
}

static int skip(struct rewrite *rewrite, const char *why)
{
    rewrite->result.state = RENDER_DEFRAG_SKIPPED;
    add_note(rewrite, "%s", why);
    return 0;
}

static int go(struct rewrite *rewrite)
{
    const struct options *options = rewrite->options;
    const bool asked = options->force || options->trim || options->reserve;
    double reckoned;
    int ret;

    rewrite->result.state = RENDER_DEFRAG_REFUSED;
    ret = open_source(rewrite);
    if (ret == 0)
        ret = measure_before(rewrite);
    if (ret < 0)
        return ret;
    if (!is_wanted(rewrite))
        return skip(rewrite, "not worse than the limits that were given");
    ret = plan(rewrite);
    if (ret < 0)
        return ret;
    if (!asked && !gains(rewrite)) {
        rewrite->result.state = RENDER_DEFRAG_IN_ORDER;
        return 0;
    }
    reckoned =
        schedule_reckon(rewrite->schedule, &rewrite->before, defrag_moved_bytes(rewrite->defrag),
                        options->rate, !options->no_verify);
    if (!schedule_has_room(rewrite->schedule, reckoned))
        return skip(rewrite, "it would not have ended within --max-time");
    if (options->dry_run) {
        rewrite->result.state = RENDER_DEFRAG_PLANNED;
        return 0;
    }
    return apply(rewrite, reckoned);
}

static void begin(struct rewrite *rewrite)
{
    const struct options *options = rewrite->options;

    rewrite->original.folder = -1;
    rewrite->result = (struct render_defrag){.path = rewrite->path,
                                             .output = options->dry_run    ? NULL
                                                       : replaces(rewrite) ? rewrite->path
                                                                           : options->output,
                                             .original = rewrite->path,
                                             .bytes = options->bytes,
                                             .verbose = options->verbose};
}

void rewrite_run(struct rewrite *rewrite)
{
    int ret;

    begin(rewrite);
    ret = go(rewrite);
    if (rewrite->options->skip_in_use && rewrite->err.code == EBUSY &&
        rewrite->result.state == RENDER_DEFRAG_REFUSED) {
        ret = skip(rewrite, rewrite->err.text);
        rewrite->err.code = 0;
    }
    if (ret == -EINTR && rewrite->err.code == 0)
        err_set(&rewrite->err, EINTR, "stopped; nothing was changed, and the new file is gone");
    else if (ret < 0 && rewrite->err.code == 0)
        err_set(&rewrite->err, -ret, "%s", strerror(-ret));
    if (rewrite->console->progress != NULL)
        rewrite->console->progress(NULL);
    if (rewrite->err.code != 0)
        rewrite->result.error = rewrite->err.text;
    cmd_complain(rewrite->console, rewrite->path, &rewrite->err);
}

void rewrite_leave(struct rewrite *rewrite, const char *why)
{
    begin(rewrite);
    skip(rewrite, why);
}

void rewrite_free(struct rewrite *rewrite)
{
    io_close(rewrite->found);
    defrag_free(rewrite->defrag);
    report_image_free(&rewrite->before);
    report_image_free(&rewrite->after);
    io_close(rewrite->second);
    store_original_close(&rewrite->original);
    free(rewrite->kept);
    for (size_t i = 0; i < RENDER_DEFRAG_NOTES_MAX; i++)
        free(rewrite->notes[i]);
}

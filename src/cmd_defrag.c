// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag defrag` over one image or many: which, in which order, what is
 * printed. */
#include "cmd.h"

#include "aside.h"
#include "cleanup.h"
#include "err.h"
#include "io.h"
#include "json.h"
#include "measure.h"
#include "options.h"
#include "originals.h"
#include "output.h"
#include "printed.h"
#include "render_defrag.h"
#include "rewrite.h"
#include "rewrite_page.h"
#include "schedule.h"
#include "seconds.h"
#include "size.h"
#include "targets.h"
#include "uri.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct rewrites {
    const struct options *options;
    const struct cmd_console *console;
    struct targets targets;
    struct originals originals;
    struct schedule schedule;
    bool many; /* a table, not a page */
    int status;
    FILE *text; /* the result, until it is whole */
    struct json json;
    struct render_defrag_row *rows; /* one for each image that was looked at */
    size_t n_rows;
    struct rewrite_page page; /* of --report */
};

/* ---- which, and in which order ---- */

struct queued {
    size_t target;
    bool original; /* that an earlier run has kept */
    double lost;   /* seconds; below 0: not known */
};

/* Found in a folder, and left there by another run of this program, which may be at work on it. */
static bool is_hidden(const struct rewrites *rewrites, size_t i)
{
    const char *path = targets_path(&rewrites->targets, i), *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    return targets_is_found(&rewrites->targets, i) &&
           strncmp(name, IO_ASIDE_IMAGE, strlen(IO_ASIDE_IMAGE)) == 0;
}

/* What the user names himself is meant. */
static bool is_original(const struct rewrites *rewrites, size_t i)
{
    return targets_is_found(&rewrites->targets, i) &&
           originals_has(&rewrites->originals, targets_path(&rewrites->targets, i),
                         rewrites->options->keep_suffix);
}

static double lost_seconds(const struct rewrites *rewrites, size_t i)
{
    const struct report_choice choice = {.device = rewrites->options->device};
    CLEANUP(report_image_free) struct report_image image = {.n_tables = 0};
    const struct report_table *table;
    struct report_seconds seconds = {.known = false};

    targets_measure(&rewrites->targets, i, &choice, &image);
    table = image.error == NULL ? report_active_table(&image) : NULL;
    if (table != NULL)
        seconds = report_seconds_of(table);
    return seconds.known ? seconds.lost : -1;
}

static int worst_first(const void *a, const void *b)
{
    const struct queued *left = a, *right = b;

    if (left->lost != right->lost)
        return left->lost < right->lost ? 1 : -1;
    return (left->target > right->target) - (left->target < right->target);
}

static int queue(const struct rewrites *rewrites, struct queued **list, size_t *n)
{
    struct queued *queued = calloc(rewrites->targets.n_list + 1, sizeof(*queued));

    *n = 0;
    *list = queued;
    if (queued == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < rewrites->targets.n_list; i++) {
        if (rewrites->console->stopped())
            return -EINTR;
        if (is_hidden(rewrites, i))
            continue;
        queued[*n] = (struct queued){i, is_original(rewrites, i), -1};
        if (rewrites->many && !queued[*n].original &&
            !io_uri_is(targets_path(&rewrites->targets, i)))
            queued[*n].lost = lost_seconds(rewrites, i);
        (*n)++;
    }
    qsort(queued, *n, sizeof(*queued), worst_first);
    return 0;
}

/* ---- one after the other ---- */

static void show(struct rewrites *rewrites, const struct render_defrag *result)
{
    if (rewrites->options->quiet)
        return;
    if (rewrites->options->format == OPTIONS_JSON)
        render_defrag_json(&rewrites->json, result);
    else if (rewrites->many)
        render_defrag_row(result, &rewrites->rows[rewrites->n_rows++]);
    else
        render_defrag_text(rewrites->text, result);
}

static bool is_failure(enum render_defrag_state state)
{
    return state == RENDER_DEFRAG_REFUSED || state == RENDER_DEFRAG_FAILED;
}

/* -EINTR: no other one is to be begun. */
static int rewrite(struct rewrites *rewrites, const struct queued *queued)
{
    CLEANUP(rewrite_free)
    struct rewrite one = {.options = rewrites->options,
                          .console = rewrites->console,
                          .path = targets_path(&rewrites->targets, queued->target),
                          .schedule = &rewrites->schedule,
                          .picture = rewrite_page_picture(&rewrites->page)};
    struct err err = {0};

    if (queued->original) {
        rewrite_leave(&one, "an earlier run kept it as an original; it is rewritten if it is named "
                            "itself");
    } else if (targets_is_found(&rewrites->targets, queued->target) &&
               targets_open(&rewrites->targets, queued->target, &one.found, &err) < 0) {
        cmd_complain(rewrites->console, one.path, &err);
        rewrites->status = CMD_FAILED;
        return 0;
    } else {
        rewrite_run(&one);
    }
    if (is_failure(one.result.state))
        rewrites->status = CMD_FAILED;
    show(rewrites, &one.result);
    if (rewrite_page_add(&rewrites->page, &one.result) < 0) {
        rewrites->console->complain(one.path, "no memory for its part of the page");
        rewrites->status = CMD_FAILED;
    }
    return rewrites->console->stopped() ? -EINTR : 0;
}

static void tell_rest(struct rewrites *rewrites, size_t n)
{
    char text[64];

    snprintf(text, sizeof(text), "stopped; %zu more %s not begun", n,
             size_noun(n, "image was", "images were"));
    rewrites->console->complain(NULL, text);
    rewrites->status = CMD_FAILED;
}

static int rewrite_all(struct rewrites *rewrites, struct err *err)
{
    CLEANUP_FREE struct queued *list = NULL;
    size_t n;
    int ret = queue(rewrites, &list, &n);

    if (ret == -EINTR)
        return err_set(err, EINTR, "stopped; nothing was changed");
    if (ret == 0)
        rewrites->rows = calloc(n + 1, sizeof(*rewrites->rows));
    if (ret < 0 || rewrites->rows == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < n && ret == 0; i++) {
        ret = rewrite(rewrites, &list[i]);
        if (ret == -EINTR && i + 1 < n)
            tell_rest(rewrites, n - i - 1);
    }
    return 0;
}

/* ---- the result ---- */

static int end_text(struct rewrites *rewrites)
{
    if (rewrites->options->format == OPTIONS_JSON)
        render_defrag_json_end(&rewrites->json);
    else if (rewrites->many)
        return render_defrag_table(rewrites->text, rewrites->rows, rewrites->n_rows,
                                   rewrites->options->bytes);
    return 0;
}

/* Not into the image itself, should it be what standard output leads to. */
static int print(struct rewrites *rewrites, struct io_output *output, struct printed *printed,
                 struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t len;
    int ret = io_output_check(output, err);

    if (ret == 0) {
        bool ended = end_text(rewrites) == 0;

        text = printed_take(printed, &len);
        if (!ended || text == NULL)
            ret = err_no_memory(err);
    }
    if (ret < 0) {
        io_output_abort(output);
        return ret;
    }
    fwrite(text, 1, len, output->stream);
    return io_output_commit(output, err);
}

static int collect(struct rewrites *rewrites, struct err *err)
{
    const struct options *options = rewrites->options;
    struct stat st;

    if (options->output != NULL && stat(options->paths[0], &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, EISDIR, "is a directory; --output takes one image");
    if (targets_collect(&rewrites->targets, options, false, rewrites->console, &rewrites->status) <
        0)
        return err_no_memory(err);
    rewrites->many =
        options->n_paths > 1 || rewrites->targets.has_folder || rewrites->targets.has_list;
    rewrites->page = (struct rewrite_page){
        .path = options->report,
        .many = rewrites->many,
        .folder = options->n_paths == 1 && rewrites->targets.has_folder ? options->paths[0] : NULL};
    if (rewrite_page_check(&rewrites->page, err) < 0)
        return -err->code;
    return originals_find(&rewrites->targets, &rewrites->originals) < 0 ? err_no_memory(err) : 0;
}

static int run(struct rewrites *rewrites, struct io_output *output, struct err *err)
{
    const bool shown = !rewrites->options->quiet;
    CLEANUP_FREE char *text = NULL; /* of what is not printed in the end */
    struct printed printed;
    int ret;

    rewrites->text = printed_open(&printed);
    if (rewrites->text == NULL)
        ret = err_no_memory(err);
    else
        ret = collect(rewrites, err);
    rewrites->json.stream = rewrites->text;
    if (ret == 0 && rewrites->options->format == OPTIONS_JSON)
        render_defrag_json_begin(&rewrites->json);
    if (ret == 0)
        ret = rewrite_all(rewrites, err);
    if (ret == 0 && shown)
        ret = print(rewrites, output, &printed, err);
    else if (shown)
        io_output_abort(output);
    text = printed_take(&printed, NULL);
    if (ret == 0)
        ret = rewrite_page_write(&rewrites->page, err);
    return ret;
}

int cmd_defrag(const struct options *options, const struct cmd_console *console)
{
    struct rewrites rewrites = {.options = options, .console = console};
    struct io_output output;
    struct err err = {0};

    if (!options->quiet && io_output_open(&output, NULL, &err) < 0) {
        cmd_complain(console, NULL, &err);
        return CMD_FAILED;
    }
    schedule_begin(&rewrites.schedule, (double)options->max_seconds);
    if (run(&rewrites, &output, &err) < 0) {
        cmd_complain(console, err.code == EISDIR ? options->paths[0] : NULL, &err);
        rewrites.status = CMD_FAILED;
    }
    rewrite_page_free(&rewrites.page);
    originals_free(&rewrites.originals);
    targets_free(&rewrites.targets);
    for (size_t i = 0; i < rewrites.n_rows; i++)
        render_defrag_row_free(&rewrites.rows[i]);
    free(rewrites.rows);
    return rewrites.status;
}

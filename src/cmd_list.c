// SPDX-License-Identifier: MIT
/* Owns the course of `qcow2frag map --list`. Runs are printed as they come. */
#include "cmd.h"

#include "err.h"
#include "list.h"
#include "options.h"
#include "output.h"
#include "render_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The list, and where a failure to write it is to be told. */
struct map {
    const struct cmd_console *console;
    struct render_list list;
    struct io_output output;
    struct err output_err;
    time_t shown; /* when the progress line was last renewed */
};

/*
 * Where the list itself comes to be seen the line is in its way.
 */
static void show_progress(void *context, const struct report_list_progress *progress)
{
    struct map *map = context;
    char text[128];

    if ((map->list.begun && isatty(fileno(map->output.stream))) ||
        !cmd_progress_is_due(&map->shown))
        return;
    if (progress->looking)
        snprintf(text, sizeof(text), "looking at the images of the chain: %3.0f %%",
                 100 * progress->done);
    else
        snprintf(text, sizeof(text),
                 "listing: %3.0f %% of the disk, %" PRIu64 " of %s %" PRIu64 " runs",
                 100 * progress->done, progress->n_runs, progress->at_most ? "at most" : "about",
                 progress->whole);
    map->console->progress(text);
}

static void hide_progress(const struct map *map)
{
    if (map->console->progress != NULL)
        map->console->progress(NULL);
}

static int take(void *context, const struct report_run *run)
{
    struct map *map = context;
    int ret;

    if (!map->list.begun) {
        hide_progress(map);
        if (io_output_check(&map->output, &map->output_err) < 0)
            return -map->output_err.code;
    }
    ret = render_list_run(&map->list, run);
    if (ret < 0)
        io_output_failed(&map->output, -ret, &map->output_err);
    return ret;
}

/* What is wrong, and what to know of an image in use. */
static int tell(const struct options *options, const struct cmd_console *console,
                const struct report_listed *listed)
{
    const struct format_findings *findings = &listed->findings;

    for (size_t i = 0; i < findings->n_list; i++) {
        const struct format_finding *finding = &findings->list[i];
        bool changing = finding->code == FORMAT_FINDING_IMAGE_CHANGING;
        char text[512];

        if (!changing && format_finding_severity(finding->code) != FORMAT_ERROR)
            continue;
        snprintf(text, sizeof(text), "%s%s%s", changing ? "" : finding->where, changing ? "" : ": ",
                 finding->message);
        console->complain(options->paths[0], text);
    }
    if (listed->being_written && !listed->changing)
        console->complain(options->paths[0],
                          "in use, and may be written to: the list may be a moment old");
    return format_findings_have_error(findings) ? CMD_DAMAGED : CMD_DONE;
}

/* The whole list, or none of it. */
static int print(struct map *map, const char *path, const struct report_list_choice *choice,
                 struct report_listed *listed, struct err *err)
{
    int ret;

    map->list.stream = map->output.stream;
    ret = report_list(path, choice, listed, err);
    hide_progress(map);
    if (ret < 0) {
        io_output_abort(&map->output);
        return ret;
    }
    render_list_end(&map->list);
    return io_output_commit(&map->output, &map->output_err);
}

int cmd_list(const struct options *options, const struct cmd_console *console)
{
    struct err err = {0};
    struct map map = {.console = console,
                      .list = {.json = options->format == OPTIONS_JSON,
                               .bytes = options->bytes,
                               .noheadings = options->noheadings}};
    const struct report_list_choice choice = {
        .snapshot = options->n_snapshots > 0 ? options->snapshots[0] : NULL,
        .no_host = options->no_host,
        .chain = options->chain,
        .span = options->has_range ? &options->range : NULL,
        .take = take,
        .progress = console->progress != NULL ? show_progress : NULL,
        .context = &map,
    };
    struct report_listed listed = {.changing = false};
    int status = CMD_FAILED;

    if (io_output_open(&map.output, options->output, &map.output_err) == 0 &&
        print(&map, options->paths[0], &choice, &listed, &err) == 0)
        status = tell(options, console, &listed);
    cmd_complain(console, options->paths[0], &err);
    cmd_complain(console, NULL, &map.output_err);
    format_findings_free(&listed.findings);
    return status;
}

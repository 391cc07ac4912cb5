// SPDX-License-Identifier: MIT
/* argv to one command. The only file that prints messages or exits. */
#include "cmd.h"
#include "err.h"
#include "help.h"
#include "options.h"
#include "output.h"
#include "terminal.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void complain(const char *path, const char *text)
{
    char *escaped = path != NULL ? text_escape(path, strlen(path)) : NULL;
    char *line = text_one_line(text);

    fflush(stdout); /* keep the order of what a terminal shows */
    if (path == NULL)
        fprintf(stderr, "qcow2frag: %s\n", line != NULL ? line : text);
    else
        fprintf(stderr, "qcow2frag: %s: %s\n", escaped != NULL ? escaped : "?",
                line != NULL ? line : text);
    free(line);
    free(escaped);
}

static void show_progress(const char *text)
{
    static bool shown;

    if (text == NULL && !shown)
        return;
    shown = text != NULL;
    fprintf(stderr, "\r\033[K%s", text != NULL ? text : "");
}

/* Leaves no temporary file behind, and dies of the signal as the caller expects. */
static void on_signal(int number)
{
    io_output_remove_temporary();
    signal(number, SIG_DFL);
    raise(number);
}

static bool wants_progress(const struct options *options)
{
    if (options->progress == OPTIONS_PROGRESS_AUTO)
        return isatty(STDERR_FILENO);
    return options->progress == OPTIONS_PROGRESS_ALWAYS;
}

static int run(const struct options *options)
{
    const struct cmd_console console = {
        .complain = complain,
        .progress = wants_progress(options) ? show_progress : NULL,
    };

    if (options->action == OPTIONS_HELP || options->action == OPTIONS_VERSION) {
        struct io_output output = {.stream = stdout};
        struct err err = {0};

        if (options->action == OPTIONS_HELP)
            help_print(stdout, options->help, terminal_width(stdout));
        else
            printf("qcow2frag %s\n", QCOW2FRAG_VERSION);
        if (io_output_commit(&output, &err) == 0)
            return CMD_DONE;
        complain(NULL, err.text);
        return CMD_FAILED;
    }
    return options->command == OPTIONS_MAP ? cmd_map(options, &console)
                                           : cmd_measure(options, &console);
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err = {0};
    int status;

    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is a failed write, and is told so */

    if (options_parse(argc, argv, &options, &err) < 0) {
        complain(NULL, err.text);
        fputs("Try 'qcow2frag --help' for more information.\n", stderr);
        status = CMD_FAILED;
    } else {
        status = run(&options);
    }
    options_free(&options);
    return status;
}

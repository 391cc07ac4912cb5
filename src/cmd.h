/* SPDX-License-Identifier: MIT */
/* The commands: glue between the command line, the reports and the renderers. */
#ifndef CMD_H
#define CMD_H

#include "err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct options;

enum cmd_status {
    CMD_DONE = 0,
    CMD_FAILED = 1,   /* something could not be done */
    CMD_DAMAGED = 2,  /* measured, but a finding has severity error */
    CMD_EXCEEDED = 3, /* a figure is worse than a limit */
    /* Of --format nagios the statuses are those of enum report_level instead. */
};

/* How a command talks to the user besides its result. @path may be NULL. */
struct cmd_console {
    void (*complain)(const char *path, const char *text);
    /* A line that replaces the one before; NULL removes it. */
    void (*progress)(const char *text);
    /* Told to stop, by SIGINT or SIGTERM: once this was asked, these do not end the program. */
    bool (*stopped)(void);
};

/* A reader that went away needs no message: it is how `| head` ends. Everything else does. */
static inline void cmd_complain(const struct cmd_console *console, const char *path,
                                const struct err *err)
{
    if (err->code != 0 && err->code != EPIPE)
        console->complain(path, err->text);
}

/* Each returns the exit status. */
int cmd_measure(const struct options *options, const struct cmd_console *console);
int cmd_map(const struct options *options, const struct cmd_console *console);
int cmd_list(const struct options *options, const struct cmd_console *console); /* map --list */
int cmd_report(const struct options *options, const struct cmd_console *console);
int cmd_defrag(const struct options *options, const struct cmd_console *console);

/* As many threads as were asked for, or as there are processors. */
int cmd_threads(const struct options *options);

/*
 * Is a line of progress to be renewed? At most once a second, and not in the first one, so that
 * quick work shows nothing at all. *@shown is 0 at first.
 */
bool cmd_progress_is_due(time_t *shown);

/* The line of one image that is measured, if it is due and somebody wants it. */
void cmd_show_measuring(const struct cmd_console *console, time_t *shown, double done);

/*
 * What @render prints arrives in @stream as a whole, or not at all: for what asks for memory while
 * it is printed. Returns 0, what @render returned, or -ENOMEM.
 */
int cmd_print_whole(FILE *stream, int (*render)(void *context, FILE *memory), void *context);

/* The worse of two: with several images the first of 1, 2, 3 that applies to any. */
static inline int cmd_worse(int a, int b)
{
    return a == CMD_DONE ? b : b == CMD_DONE ? a : a < b ? a : b;
}

#endif

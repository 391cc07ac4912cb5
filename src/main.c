// SPDX-License-Identifier: MIT
/* argv to one command. The only file that prints messages or exits. */
#include "aside.h"
#include "cmd.h"
#include "command.h"
#include "err.h"
#include "help.h"
#include "nbd.h"
#include "options.h"
#include "output.h"
#include "render_nagios.h"
#include "terminal.h"
#include "text.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void complain(const char *path, const char *text)
{
    fflush(stdout); /* keep the order of what a terminal shows */
    fputs("qcow2frag: ", stderr);
    if (path != NULL) {
        text_print(stderr, path, strlen(path));
        fputs(": ", stderr);
    }
    text_print_line(stderr, text);
    putc('\n', stderr);
}

static void show_progress(const char *text)
{
    static bool shown;

    if (text == NULL && !shown)
        return;
    shown = text != NULL;
    fprintf(stderr, "\r\033[K%s", text != NULL ? text : "");
    fflush(stderr);
}

/* Leaves no temporary file behind, and dies of the signal as the caller expects. */
static void on_signal(int number)
{
    io_aside_end();
    command_end();
    signal(number, SIG_DFL);
    raise(number);
}

static volatile sig_atomic_t stops_softly, stop_number;

/* The first one asks; a second one ends the program. */
static void on_stop(int number)
{
    if (!stops_softly || stop_number != 0)
        on_signal(number);
    stop_number = number;
}

static bool stopped(void)
{
    stops_softly = 1;
    return stop_number != 0;
}

/* Signals that end nothing if they are not caught, and those that cannot be. */
static bool is_harmless(int number)
{
    return number == SIGKILL || number == SIGSTOP || number == SIGCHLD || number == SIGCONT ||
           number == SIGTSTP || number == SIGTTIN || number == SIGTTOU || number == SIGURG ||
           number == SIGWINCH;
}

/* What the caller has set to be ignored stays so: nohup, a command in the background. */
static void catch_signals(void)
{
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;

        if (!is_harmless(number) && sigaction(number, NULL, &action) == 0 &&
            action.sa_handler == SIG_DFL)
            signal(number, number == SIGINT || number == SIGTERM ? on_stop : on_signal);
    }
    signal(SIGCHLD, SIG_DFL); /* or nobody could be waited for */
    /* A reader that went away, or a file that may not grow, is a failed write, and is told so. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Where a standard stream is closed no file is opened: it would get what is meant for the stream.
 */
static void keep_standard_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_PATH | O_CLOEXEC); /* to write to it is still an error */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

static bool wants_progress(const struct options *options)
{
    if (options->progress == OPTIONS_PROGRESS_AUTO)
        return isatty(STDERR_FILENO);
    return options->progress == OPTIONS_PROGRESS_ALWAYS;
}

static bool is_check(const struct options *options)
{
    return options->format == OPTIONS_NAGIOS;
}

/* What a monitoring system wants to see of a failure: it reads standard output only. That may be
 * what failed, and closed by now. */
static void complain_in_line(const char *path, const char *text)
{
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return;
    render_nagios_failure(stdout, path, text);
    fflush(stdout);
}

static int print_help(void *options, FILE *memory)
{
    return help_print(memory, ((const struct options *)options)->help, terminal_width(stdout));
}

/* Help, or the version. */
static int tell_about(const struct options *options)
{
    struct io_output output;
    struct err err = {0};
    int ret = io_output_open(&output, NULL, &err);

    if (ret == 0 && options->action == OPTIONS_VERSION)
        printf("qcow2frag %s\n", QCOW2FRAG_VERSION);
    else if (ret == 0 && cmd_print_whole(stdout, print_help, (void *)(uintptr_t)options) < 0) {
        ret = err_no_memory(&err);
        io_output_abort(&output);
    }
    if (ret == 0 && io_output_commit(&output, &err) == 0)
        return CMD_DONE;
    complain(NULL, err.text);
    return CMD_FAILED;
}

static int run(const struct options *options)
{
    const struct cmd_console console = {
        .complain = is_check(options) ? complain_in_line : complain,
        .progress = wants_progress(options) ? show_progress : NULL,
        .stopped = stopped,
    };

    if (options->action == OPTIONS_HELP || options->action == OPTIONS_VERSION)
        return tell_about(options);
    io_nbd_set_timeout(options->timeout_seconds);
    switch (options->command) {
    case OPTIONS_MAP:
        return cmd_map(options, &console);
    case OPTIONS_REPORT:
        return cmd_report(options, &console);
    case OPTIONS_DEFRAG:
        return cmd_defrag(options, &console);
    default:
        return cmd_measure(options, &console);
    }
}

struct work {
    const struct options *options;
    int status;
};

static void *work(void *context)
{
    struct work *work = context;

    work->status = run(work->options);
    return NULL;
}

/* In a thread: the stack that we were given may be small, or full of arguments. */
static int run_aside(const struct options *options)
{
    struct work to_do = {options, is_check(options) ? (int)REPORT_NOT_KNOWN : CMD_FAILED};
    char text[160];
    pthread_t thread;
    int ret = workers_start(&thread, work, &to_do);

    if (ret == 0) {
        pthread_join(thread, NULL);
        return to_do.status;
    }
    snprintf(text, sizeof(text), "no thread can be started: %s; allow more memory or threads",
             strerror(-ret));
    (is_check(options) ? complain_in_line : complain)(NULL, text);
    return to_do.status;
}

static int refuse(const struct options *options, const struct err *err)
{
    if (is_check(options)) {
        complain_in_line(NULL, err->text);
        return REPORT_NOT_KNOWN;
    }
    complain(NULL, err->text);
    if (err->code != ENOMEM)
        fputs("Try 'qcow2frag --help' for more information.\n", stderr);
    return CMD_FAILED;
}

int main(int argc, char **argv)
{
    static char line[BUFSIZ];
    struct options options;
    struct err err = {0};
    int status;

    setvbuf(stderr, line, _IOLBF, sizeof(line)); /* a message is written at once */
    keep_standard_streams();
    catch_signals();
    if (options_parse(argc, argv, &options, &err) < 0) {
        status = refuse(&options, &err);
    } else {
        status = run_aside(&options);
    }
    options_free(&options);
    return status;
}

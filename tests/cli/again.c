// SPDX-License-Identifier: MIT
/*
 * Calls the main function of a program again and again (LD_PRELOAD), each time with other
 * arguments: to start a process takes longer than most of what it does there. Said by the
 * environment:
 *
 *   AGAIN_SOCKET=DESCRIPTOR   a socket of packets; without it nothing is done
 *
 * A question is a packet of at most AGAIN_BYTES_MAX bytes (again.h). With it come five descriptors:
 * the folder to be in; standard input, output and error; where the answer goes. The process ends
 * when nobody can ask any more.
 *
 * The answer is a line: the status (where the program calls exit, this process ends with it), or
 * the number of the signal that ended the process of its own as a negative one; the seconds of
 * processor time; the most KiB of memory that it took, "here" together with all before. There is
 * none where the process itself died.
 */
#include "again.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

#define ABOVE_ITS_OWN 200 /* descriptors of ours: the program finds what it would find */

typedef int program(int argc, char **argv, char **environment);

SHOWN int __libc_start_main(program *begin, int argc, char **argv, void (*init)(void),
                            void (*fini)(void), void (*loader_fini)(void), void *stack_end);

static program *that;
static char *name;         /* of the program */
static int asked, nothing; /* the socket; /dev/null */
static int answers = -1;   /* where the answer to the question goes */

struct question {
    char bytes[AGAIN_BYTES_MAX + 1];
    char *words[AGAIN_WORDS_MAX + 1];
    int n;
    int fds[AGAIN_FDS];
};

/* ---- questions ---- */

/* False: there is none any more, or it is not as it is to be. */
static bool read_question(struct question *question)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(question->fds))];
    } control;
    struct iovec bytes = {question->bytes, AGAIN_BYTES_MAX};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(asked, &message, MSG_CMSG_CLOEXEC);

    if (n <= 0 || message.msg_controllen < CMSG_LEN(sizeof(question->fds)) ||
        (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return false;
    memcpy(question->fds, CMSG_DATA(&control.head), sizeof(question->fds));
    question->bytes[n] = '\0';
    question->n = 0;
    for (char *word = question->bytes; word < question->bytes + n; word += strlen(word) + 1) {
        if (question->n == AGAIN_WORDS_MAX)
            return false;
        question->words[question->n++] = word;
    }
    question->words[question->n] = NULL;
    return question->n > AGAIN_WORDS_BEFORE;
}

/* ---- a run ---- */

/* What was called before has left it where the arguments end. It looks at them in their order, as
 * our program wants it to. */
static void reset_getopt(void)
{
    static bool is_used;
    char *none[] = {name, NULL};

    if (!is_used) {
        is_used = true;
        return;
    }
    optind = 0;
    getopt(1, none, "-");
}

/* All that a program finds when it starts. */
static void enter(struct question *question)
{
    bool there = fchdir(question->fds[AGAIN_FOLDER]) == 0;

    close(question->fds[AGAIN_FOLDER]);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        there &= dup2(question->fds[AGAIN_INPUT + fd], fd) == fd;
        close(question->fds[AGAIN_INPUT + fd]);
    }
    stdin = fdopen(STDIN_FILENO, "r");
    stdout = fdopen(STDOUT_FILENO, "w");
    if (!there || stdin == NULL || stdout == NULL)
        abort();
    umask((mode_t)strtoul(question->words[AGAIN_UMASK], NULL, 8));
    reset_getopt();
}

/* Nothing of what it was given stays in use. The program closes its standard output itself. */
static void leave(void)
{
    fflush(NULL);
    fclose(stdin);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    if (chdir("/") < 0)
        abort();
}

static int call(struct question *question)
{
    char **words = question->words + AGAIN_WORDS_BEFORE;
    int n_variables = atoi(question->words[AGAIN_VARIABLES]), status;
    static char *variables[AGAIN_WORDS_MAX + 1];
    char **argv = words + n_variables;

    if (n_variables < 0 || n_variables >= question->n - AGAIN_WORDS_BEFORE)
        abort();
    memcpy(variables, words, (size_t)n_variables * sizeof(*variables));
    variables[n_variables] = NULL;
    environ = variables;
    argv[0] = name;
    enter(question);
    status = that((int)(question->words + question->n - argv), argv, environ);
    leave();
    return status;
}

static int call_in_child(struct question *question, struct rusage *used)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        answers = -1;
        exit(call(question));
    }
    for (int i = AGAIN_FOLDER; i < AGAIN_ANSWER; i++)
        close(question->fds[i]);
    if (child < 0 || wait4(child, &status, 0, used) != child)
        abort();
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static double seconds(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e6;
}

static void answer(struct question *question)
{
    struct rusage before = {.ru_maxrss = 0}, after;
    int status;

    answers = fcntl(question->fds[AGAIN_ANSWER], F_DUPFD_CLOEXEC, ABOVE_ITS_OWN);
    close(question->fds[AGAIN_ANSWER]);
    if (strcmp(question->words[AGAIN_HOW], "fork") == 0) {
        status = call_in_child(question, &after);
    } else {
        getrusage(RUSAGE_SELF, &before);
        status = call(question);
        getrusage(RUSAGE_SELF, &after);
    }
    dprintf(answers, "%d %.6f %ld\n", status, seconds(&after) - seconds(&before), after.ru_maxrss);
    close(answers);
    answers = -1;
}

static void tell_end(int status, void *context)
{
    (void)context;
    fflush(NULL);
    if (answers >= 0)
        dprintf(answers, "%d 0 0\n", status);
}

static int serve(int argc, char **argv, char **environment)
{
    static struct question question;
    int given = asked;

    (void)argc;
    (void)environment;
    name = argv[0];
    asked = fcntl(given, F_DUPFD_CLOEXEC, ABOVE_ITS_OWN);
    close(given);
    given = open("/dev/null", O_RDWR);
    nothing = fcntl(given, F_DUPFD_CLOEXEC, ABOVE_ITS_OWN);
    close(given);
    on_exit(tell_end, NULL);
    while (read_question(&question))
        answer(&question);
    return 0;
}

SHOWN int __libc_start_main(program *begin, int argc, char **argv, void (*init)(void),
                            void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
    int (*next)(program *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *) =
        (int (*)(program *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                 void *))dlsym(RTLD_NEXT, "__libc_start_main");
    const char *socket = getenv("AGAIN_SOCKET");

    that = begin;
    if (socket != NULL && sscanf(socket, "%d", &asked) == 1) {
        unsetenv("AGAIN_SOCKET"); /* the programs that it starts are others */
        begin = serve;
    }
    return next(begin, argc, argv, init, fini, loader_fini, stack_end);
}

// SPDX-License-Identifier: MIT
/*
 * Calls the main function of a program again and again (LD_PRELOAD), each time with other
 * arguments: to start a process takes longer than most of what it does there. Said by the
 * environment:
 *
 *   AGAIN_PIPES=QUESTIONS,ANSWERS,OUT,ERR   descriptors; without it nothing is done
 *
 * A question is words, each of them ended by a NUL: how many follow; "here", or "fork" for a
 * process of its own; variables of the environment, NAME=VALUE, for this time; "--"; the arguments.
 * What is printed goes to OUT and ERR. The answer is a line: the status, or the number of the
 * signal that ended the process of its own as a negative one; the seconds of processor time; the
 * most KiB of memory that it took, "here" together with all before.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

#define WORDS_MAX 4096
#define BYTES_MAX ((size_t)1 << 20)

typedef int program(int argc, char **argv, char **environment);

SHOWN int __libc_start_main(program *begin, int argc, char **argv, void (*init)(void),
                            void (*fini)(void), void (*loader_fini)(void), void *stack_end);

static program *that;
static char *name; /* of the program */
static int questions, answers, out, err;

struct question {
    char *words[WORDS_MAX + 1];
    int n;
    char bytes[BYTES_MAX];
    size_t n_bytes;
};

/* ---- questions ---- */

/* The next one, or NULL: there is none, or no room for it. */
static char *read_word(struct question *question)
{
    static char buffer[4096];
    static ssize_t n, at;
    char *word = question->bytes + question->n_bytes;

    while (question->n_bytes < BYTES_MAX) {
        if (at == n) {
            n = read(questions, buffer, sizeof(buffer));
            at = 0;
        }
        if (n <= 0)
            break;
        question->bytes[question->n_bytes++] = buffer[at];
        if (buffer[at++] == '\0')
            return word;
    }
    return NULL;
}

static bool read_question(struct question *question)
{
    const char *number;
    int n;

    question->n_bytes = 0;
    number = read_word(question);
    n = number != NULL ? atoi(number) : 0;
    if (n < 2 || n > WORDS_MAX)
        return false;
    for (question->n = 0; question->n < n; question->n++) {
        question->words[question->n] = read_word(question);
        if (question->words[question->n] == NULL)
            return false;
    }
    question->words[n] = NULL;
    return true;
}

/* ---- a run ---- */

/* It looks at arguments from the first on, in their order. */
static void reset_getopt(void)
{
    char *none[] = {name, NULL};

    optind = 0;
    getopt(1, none, "-");
}

/* @before: the word before the arguments. The program closes its standard output in the end. */
static int call(struct question *question, int before)
{
    int status;

    reset_getopt();
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
        abort();
    stdout = fdopen(STDOUT_FILENO, "w");
    if (stdout == NULL)
        abort();
    question->words[before] = name;
    status = that(question->n - before, &question->words[before], environ);
    fflush(NULL);
    return status;
}

static int call_in_child(struct question *question, int before, struct rusage *used)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        exit(call(question, before));
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
    int i = 1, status;

    while (i < question->n - 1 && strcmp(question->words[i], "--") != 0)
        putenv(question->words[i++]);
    if (strcmp(question->words[0], "fork") == 0) {
        status = call_in_child(question, i, &after);
    } else {
        getrusage(RUSAGE_SELF, &before);
        status = call(question, i);
        getrusage(RUSAGE_SELF, &after);
    }
    while (--i > 0) {
        *strchr(question->words[i], '=') = '\0';
        unsetenv(question->words[i]);
    }
    dprintf(answers, "%d %.6f %ld\n", status, seconds(&after) - seconds(&before), after.ru_maxrss);
}

static int serve(int argc, char **argv, char **environment)
{
    static struct question question;
    const int ours[] = {questions, answers, out, err};

    (void)argc;
    (void)environment;
    name = argv[0];
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        fcntl(ours[i], F_SETFD, FD_CLOEXEC);
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
    const char *pipes = getenv("AGAIN_PIPES");

    that = begin;
    if (pipes != NULL && sscanf(pipes, "%d,%d,%d,%d", &questions, &answers, &out, &err) == 4) {
        unsetenv("AGAIN_PIPES"); /* the programs that it starts are others */
        begin = serve;
    }
    return next(begin, argc, argv, init, fini, loader_fini, stack_end);
}

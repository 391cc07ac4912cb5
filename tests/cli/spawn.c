// SPDX-License-Identifier: MIT
/*
 * A builtin of bash that starts a program and waits for it: spawn FILE [ARGUMENT ...]. Bash makes a
 * copy of itself for each program, which takes longer than most of those that tests start, above
 * all on a virtual machine; here none is made (vfork). What comes of it is the same: the program
 * has the shell's variables that are exported, its redirections, its limits; the status is the
 * program's, 128 and the number of a signal that ended it, or 126 or 127.
 *
 * What bash wants of a builtin is declared here as its documentation has it (examples/loadables in
 * its source): its own headers are seldom installed.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SHOWN __attribute__((visibility("default")))

struct word_desc {
    char *word;
    int flags;
};

struct word_list {
    struct word_list *next;
    struct word_desc *word;
};

struct builtin {
    const char *name;
    int (*function)(struct word_list *words);
    int flags;
    const char *const *long_doc;
    const char *short_doc;
    char *handle;
};

#define BUILTIN_ENABLED 1
#define USAGE 2
#define NOT_EXECUTABLE 126
#define NOT_FOUND 127
#define OF_SIGNAL 128

/* Bash has these. */
extern char **export_env;
extern void maybe_make_export_env(void);

static int spawn(struct word_list *words)
{
    posix_spawnattr_t how;
    sigset_t child, before;
    size_t n = 0;
    int status = 0, ret;
    char **argv;
    pid_t pid;

    if (words == NULL)
        return USAGE;
    for (struct word_list *word = words; word != NULL; word = word->next)
        n++;
    argv = calloc(n + 1, sizeof(*argv));
    if (argv == NULL)
        return NOT_EXECUTABLE;
    n = 0;
    for (; words != NULL; words = words->next)
        argv[n++] = words->word->word;
    maybe_make_export_env();

    /* Bash waits for any child as soon as it hears of one's end: it is to hear when this one is
     * gone. */
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigmask(&how, &before);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    ret = posix_spawn(&pid, argv[0], NULL, &how, argv, export_env);
    posix_spawnattr_destroy(&how);
    if (ret == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    sigprocmask(SIG_SETMASK, &before, NULL);

    if (ret != 0)
        fprintf(stderr, "%s: %s\n", argv[0], strerror(ret));
    free(argv);
    if (ret != 0)
        return ret == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
    return WIFSIGNALED(status) ? OF_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static const char *const about[] = {"Starts a program, and waits for it.", NULL};

SHOWN extern struct builtin spawn_struct;
SHOWN struct builtin spawn_struct = {
    "spawn", spawn, BUILTIN_ENABLED, about, "spawn FILE [ARGUMENT ...]", NULL};

// SPDX-License-Identifier: MIT
/* Owns the process of the user's command. Must never leave it behind. */
#include "command.h"

#include "cleanup.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOMENTS 250 /* of 20 ms, between asking it to end and ending it */

extern char **environ;

static bool mentions_path(const char *command)
{
    static const char *const ways[] = {"$1", "${1", "$@", "$*", "QCOW2FRAG_IMAGE"};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strstr(command, ways[i]) != NULL)
            return true;
    return false;
}

/* Its group, while it runs: it has one of its own, so that its children can be ended with it. */
static volatile sig_atomic_t group;

/* Also one that is stopped. */
static void end_group(int number)
{
    kill(-(pid_t)group, number);
    kill(-(pid_t)group, SIGCONT);
}

void command_end(void)
{
    if (group != 0)
        end_group(SIGTERM);
}

/* What this program ignores, or was told to, is not to be ignored by others. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t usual;

    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    sigaddset(&usual, SIGCHLD);
    return posix_spawnattr_setsigdefault(attributes, &usual) != 0 ||
                   posix_spawnattr_setflags(attributes,
                                            POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) != 0
               ? -1
               : 0;
}

static int start(const char *line, const char *path, pid_t *pid)
{
    char *const arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                               (char *)(uintptr_t)line,  (char *)(uintptr_t) "sh",
                               (char *)(uintptr_t)path,  NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = ENOMEM;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) == 0) {
        if (set_attributes(&attributes) == 0 &&
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ==
                0 &&
            posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) == 0)
            code = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* 0, with its status as waitpid has it, or -errno. Who does not end when he is told to is ended. */
static int wait_for(pid_t pid, bool (*stopped)(void), int *status)
{
    const struct timespec moment = {0, 20L * 1000 * 1000};
    unsigned moments = 0;

    while (true) {
        pid_t ended = waitpid(pid, status, WNOHANG);

        if (ended == pid)
            return 0;
        if (ended < 0 && errno != EINTR)
            return -errno;
        if (stopped() && moments++ % MOMENTS == 0)
            end_group(moments == 1 ? SIGTERM : SIGKILL);
        nanosleep(&moment, NULL);
    }
}

static int judge(int status, struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return err_set(err, ECANCELED,
                       "the check command ended with status %d; nothing was changed, and the new "
                       "file is gone",
                       WEXITSTATUS(status));
    return err_set(err, ECANCELED,
                   "the check command died of signal %d; nothing was changed, and the new file is "
                   "gone",
                   WTERMSIG(status));
}

int command_run(const char *command, const char *path, bool (*stopped)(void), struct err *err)
{
    CLEANUP_FREE char *line = NULL;
    int code, ret, status = 0;
    pid_t pid;

    if (asprintf(&line, "%s%s", command, mentions_path(command) ? "" : " \"$1\"") < 0) {
        line = NULL;
        return err_no_memory(err);
    }
    if (setenv("QCOW2FRAG_IMAGE", path, 1) < 0)
        return err_no_memory(err);
    code = start(line, path, &pid);
    unsetenv("QCOW2FRAG_IMAGE");
    if (code != 0)
        return err_set(err, code, "cannot start the check command: %s", strerror(code));
    group = pid;
    ret = wait_for(pid, stopped, &status);
    if (stopped())
        end_group(SIGKILL); /* those that it has left behind */
    group = 0;
    if (stopped())
        return -EINTR;
    return ret == 0 ? judge(status, err)
                    : err_set(err, ECANCELED, "how the check command ended cannot be known: %s",
                              strerror(-ret));
}

// SPDX-License-Identifier: MIT
/*
 * Two builtins of bash. Bash makes a copy of itself for each program that it starts, which takes
 * longer than most of those that tests start, above all on a virtual machine.
 *
 *   spawn FILE [ARGUMENT ...]   starts a program without such a copy (vfork), and waits for it
 *   keep HOW FILE LIBRARIES     from now on spawn does not start this program, but has one process
 *                               call its main function again and again (again.c, the first of the
 *                               LIBRARIES), "here", or "fork" in a copy of itself for each call
 *
 * What comes of it is the same: the program has the shell's folder, its variables that are
 * exported, its redirections, its limits; the status is the program's, 128 and the number of a
 * signal that ended it, or 126 or 127. Where one process cannot give the same - the loader is told
 * something by the environment, a limit is another one, a signal is ignored, a pipe of the shell's
 * is named in an argument, a standard stream is closed, or the process is at work for another - the
 * program is started.
 *
 * What bash wants of a builtin is declared here as its documentation has it (examples/loadables in
 * its source): its own headers are seldom installed.
 */
#include "again.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define KEPT_MAX 4
#define ABOVE_THE_SHELLS 200 /* descriptors of ours */
#define ITS_SOCKET 3

/* Bash has these. */
extern char **export_env;
extern void maybe_make_export_env(void);

/* ---- what a process has of who starts it, and cannot be given with a question ---- */

static const int limits[] = {RLIMIT_AS,    RLIMIT_CORE,   RLIMIT_CPU,   RLIMIT_DATA,
                             RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_STACK};
static const int signals[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ};

#define N_LIMITS (sizeof(limits) / sizeof(*limits))
#define N_SIGNALS (sizeof(signals) / sizeof(*signals))

struct birth {
    struct rlimit limits[N_LIMITS];
    bool ignores[N_SIGNALS];
    char told[1024]; /* variables for the loader and the allocator */
};

static bool is_for_the_loader(const char *variable)
{
    return strncmp(variable, "LD_", 3) == 0 || strncmp(variable, "MALLOC_", 7) == 0 ||
           strncmp(variable, "GLIBC_", 6) == 0;
}

/* False: they are more than we remember. */
static bool note_birth(struct birth *birth)
{
    size_t at = 0;

    memset(birth, 0, sizeof(*birth));
    for (size_t i = 0; i < N_LIMITS; i++)
        getrlimit((__rlimit_resource_t)limits[i], &birth->limits[i]);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction action;

        sigaction(signals[i], NULL, &action);
        birth->ignores[i] = action.sa_handler == SIG_IGN;
    }
    for (char **variable = export_env; *variable != NULL; variable++) {
        size_t n = strlen(*variable) + 1;

        if (!is_for_the_loader(*variable))
            continue;
        if (at + n > sizeof(birth->told))
            return false;
        memcpy(birth->told + at, *variable, n);
        at += n;
    }
    return true;
}

/* ---- the processes that are kept ---- */

struct kept {
    char *how, *file;
    int questions; /* a socket of packets */
    int turn;      /* locked by the shell whose question is being answered */
    struct birth birth;
};

static struct kept kept[KEPT_MAX];
static int n_kept;

static int moved_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_THE_SHELLS);

    close(fd);
    return moved;
}

/* The environment of this shell, with these libraries and a question of ours. */
static char **with_again(const char *libraries)
{
    static char preload[4096], socket[32];
    static char **variables;
    size_t n = 0, at = 2;

    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", libraries);
    snprintf(socket, sizeof(socket), "AGAIN_SOCKET=%d", ITS_SOCKET);
    while (export_env[n] != NULL)
        n++;
    free(variables);
    variables = calloc(n + 3, sizeof(*variables));
    if (variables == NULL)
        return NULL;
    variables[0] = preload;
    variables[1] = socket;
    for (size_t i = 0; i < n; i++)
        if (strncmp(export_env[i], "LD_PRELOAD=", 11) != 0)
            variables[at++] = export_env[i];
    return variables;
}

/* 0, or an errno. It ends when all of this shell and its copies have ended. */
static int start_kept(struct kept *of, const char *libraries)
{
    posix_spawn_file_actions_t actions;
    char *argv[] = {of->file, NULL}, **variables = with_again(libraries);
    int pair[2], ret;
    pid_t pid;

    if (variables == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ENOMEM;
    posix_spawn_file_actions_init(&actions);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    pair[0] = moved_up(pair[0]);
    pair[1] = moved_up(pair[1]);
    posix_spawn_file_actions_adddup2(&actions, pair[1], ITS_SOCKET);
    ret = posix_spawn(&pid, of->file, &actions, NULL, argv, variables);
    posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
    of->questions = pair[0];
    return ret;
}

static int keep(struct word_list *words)
{
    struct kept *new = &kept[n_kept];
    int turn;

    if (words == NULL || words->next == NULL || words->next->next == NULL || n_kept == KEPT_MAX)
        return USAGE;
    maybe_make_export_env();
    turn = memfd_create("turn", MFD_CLOEXEC);
    if (turn < 0 || !note_birth(&new->birth))
        return NOT_EXECUTABLE;
    new->turn = moved_up(turn);
    new->how = strdup(words->word->word);
    new->file = strdup(words->next->word->word);
    if (new->how == NULL || new->file == NULL ||
        start_kept(new, words->next->next->word->word) != 0)
        return NOT_EXECUTABLE;
    n_kept++;
    return 0;
}

/* ---- asking ---- */

struct packet {
    char bytes[AGAIN_BYTES_MAX];
    size_t n_bytes, n_words;
};

static bool add(struct packet *packet, const char *word)
{
    size_t n = strlen(word) + 1;

    if (n > sizeof(packet->bytes) - packet->n_bytes || packet->n_words == AGAIN_WORDS_MAX)
        return false;
    memcpy(packet->bytes + packet->n_bytes, word, n);
    packet->n_bytes += n;
    packet->n_words++;
    return true;
}

/* False: it does not fit, or has what is this shell's alone. */
static bool pack(struct packet *packet, const char *how, const struct word_list *words)
{
    char text[32];
    size_t n = 0;
    mode_t mask = umask(0);
    bool fits;

    umask(mask);
    packet->n_bytes = packet->n_words = 0;
    fits = add(packet, how);
    snprintf(text, sizeof(text), "%o", (unsigned)mask);
    fits &= add(packet, text);
    while (export_env[n] != NULL)
        n++;
    snprintf(text, sizeof(text), "%zu", n);
    fits &= add(packet, text);
    for (size_t i = 0; i < n; i++)
        fits &= add(packet, export_env[i]);
    for (; words != NULL; words = words->next)
        fits &= add(packet, words->word->word) && strstr(words->word->word, "/fd/") == NULL;
    return fits;
}

static bool send_packet(int to, struct packet *packet, const int fds[static AGAIN_FDS])
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(AGAIN_FDS * sizeof(int))];
    } control;
    struct iovec bytes = {packet->bytes, packet->n_bytes};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    memset(&control, 0, sizeof(control));
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(AGAIN_FDS * sizeof(int));
    memcpy(CMSG_DATA(&control.head), fds, AGAIN_FDS * sizeof(int));
    return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)packet->n_bytes;
}

/* A signal, where it ended without one. */
static int read_status(int from)
{
    char text[64];
    ssize_t n;
    int status;

    do
        n = read(from, text, sizeof(text) - 1);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return OF_SIGNAL + SIGABRT;
    text[n] = '\0';
    status = atoi(text);
    return status < 0 ? OF_SIGNAL - status : status & 0xff;
}

/* False: it has not been asked. */
static bool ask_in_turn(struct kept *of, struct packet *packet, int *status)
{
    int fds[AGAIN_FDS] = {open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), STDIN_FILENO, STDOUT_FILENO,
                          STDERR_FILENO, -1};
    int answers[2];
    bool asked;

    if (pipe2(answers, O_CLOEXEC) < 0) {
        close(fds[AGAIN_FOLDER]);
        return false;
    }
    fds[AGAIN_ANSWER] = answers[1];
    asked = send_packet(of->questions, packet, fds); /* not if a stream is closed */
    close(fds[AGAIN_FOLDER]);
    close(answers[1]);
    if (asked)
        *status = read_status(answers[0]);
    close(answers[0]);
    return asked;
}

static bool ask(struct kept *of, const struct word_list *words, int *status)
{
    static struct packet packet;
    static struct birth now;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool asked;

    if (!note_birth(&now) || memcmp(&now, &of->birth, sizeof(now)) != 0 ||
        !pack(&packet, of->how, words) || fcntl(of->turn, F_SETLK, &whole) < 0)
        return false;
    asked = ask_in_turn(of, &packet, status);
    whole.l_type = F_UNLCK;
    fcntl(of->turn, F_SETLK, &whole);
    return asked;
}

/* ---- starting ---- */

static int start(struct word_list *words)
{
    posix_spawnattr_t how;
    sigset_t child, before;
    size_t n = 0;
    int status = 0, ret;
    char **argv;
    pid_t pid;

    for (struct word_list *word = words; word != NULL; word = word->next)
        n++;
    argv = calloc(n + 1, sizeof(*argv));
    if (argv == NULL)
        return NOT_EXECUTABLE;
    n = 0;
    for (; words != NULL; words = words->next)
        argv[n++] = words->word->word;

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

static int spawn(struct word_list *words)
{
    int status;

    if (words == NULL)
        return USAGE;
    maybe_make_export_env();
    for (int i = 0; i < n_kept; i++)
        if (strcmp(kept[i].file, words->word->word) == 0 && ask(&kept[i], words, &status))
            return status;
    return start(words);
}

static const char *const about_spawn[] = {"Starts a program, and waits for it.", NULL};
static const char *const about_keep[] = {"Has one process do all that a program is started for.",
                                         NULL};

SHOWN extern struct builtin spawn_struct;
SHOWN struct builtin spawn_struct = {
    "spawn", spawn, BUILTIN_ENABLED, about_spawn, "spawn FILE [ARGUMENT ...]", NULL};

SHOWN extern struct builtin keep_struct;
SHOWN struct builtin keep_struct = {
    "keep", keep, BUILTIN_ENABLED, about_keep, "keep HOW FILE LIBRARIES", NULL};

// SPDX-License-Identifier: MIT
/* Owns the search in /proc. What ends or changes meanwhile is no error. */
#include "holder.h"

#include "cleanup.h"
#include "openers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_LINE_MAX 32768 /* libvirt's are of 10,000 bytes and more */

/* ---- what program it is ---- */

/* The value of "guest=" in what follows -name, or all up to a comma: QEMU's own syntax, in which a
 * comma in a name is doubled. */
static void read_name(const char *value, struct store_holder *holder)
{
    size_t n = 0;

    holder->libvirt = strncmp(value, "guest=", 6) == 0;
    if (holder->libvirt)
        value += 6;
    for (; *value != '\0' && n + 1 < sizeof(holder->guest); value++) {
        if (*value == ',' && value[1] != ',')
            break;
        value += *value == ',';
        holder->guest[n++] = *value;
    }
    holder->guest[n] = '\0';
}

/* @line: arguments, each with a zero byte behind it. */
static void read_arguments(const char *line, size_t len, struct store_holder *holder)
{
    const char *slash = strrchr(line, '/');

    snprintf(holder->program, sizeof(holder->program), "%s", slash != NULL ? slash + 1 : line);
    if (strncmp(holder->program, "qemu", 4) != 0 && strncmp(holder->program, "kvm", 3) != 0)
        return;
    for (size_t at = strlen(line) + 1; at < len; at += strlen(line + at) + 1) {
        size_t next = at + strlen(line + at) + 1;

        if (strcmp(line + at, "-name") == 0 && next < len)
            read_name(line + next, holder);
    }
}

static ssize_t read_file(const char *name, char *bytes, size_t room)
{
    CLEANUP_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, room - 1);

    bytes[n > 0 ? n : 0] = '\0';
    return n;
}

static void identify(pid_t pid, struct store_holder *holder)
{
    CLEANUP_FREE char *line = malloc(COMMAND_LINE_MAX);
    char name[64];
    ssize_t n;

    *holder = (struct store_holder){.pid = pid};
    snprintf(name, sizeof(name), "/proc/%ld/cmdline", (long)pid);
    n = line == NULL ? -1 : read_file(name, line, COMMAND_LINE_MAX);
    if (n > 0)
        read_arguments(line, (size_t)n, holder);
    if (holder->program[0] != '\0')
        return;
    snprintf(name, sizeof(name), "/proc/%ld/comm", (long)pid);
    if (read_file(name, holder->program, sizeof(holder->program)) > 0)
        holder->program[strcspn(holder->program, "\n")] = '\0';
}

/* ---- who has it open ---- */

/* What the kernel tells of a descriptor: how it was opened, in octal, and a line for each lock. */
static void examine(pid_t pid, const char *number, bool *writes, bool *locks)
{
    char name[64], text[4096];
    const char *flags;

    *writes = *locks = false;
    snprintf(name, sizeof(name), "/proc/%ld/fdinfo/%.20s", (long)pid, number);
    if (read_file(name, text, sizeof(text)) <= 0)
        return;
    flags = strstr(text, "flags:");
    *writes = flags != NULL && !(strtoul(flags + 6, NULL, 8) & O_PATH) &&
              (strtoul(flags + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
    *locks = strstr(text, "\nlock:") != NULL;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
    if (S_ISBLK(a->stx_mode) || S_ISBLK(b->stx_mode))
        return S_ISBLK(a->stx_mode) && S_ISBLK(b->stx_mode) &&
               a->stx_rdev_major == b->stx_rdev_major && a->stx_rdev_minor == b->stx_rdev_minor;
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
           a->stx_dev_minor == b->stx_dev_minor;
}

/* What is known already: no server is asked, since it might not answer. */
static bool look_at(int folder, const char *name, struct statx *st)
{
    return statx(folder, name, AT_STATX_DONT_SYNC | (*name == '\0' ? AT_EMPTY_PATH : 0),
                 STATX_TYPE | STATX_INO, st) == 0;
}

/* Whom to look for. */
enum holders { ANYBODY, WRITERS, WRITERS_AND_QEMU, QEMU };

static bool is_qemu(pid_t pid)
{
    struct store_holder holder;

    identify(pid, &holder);
    return strncmp(holder.program, "qemu", 4) == 0 || strncmp(holder.program, "kvm", 3) == 0;
}

/* 0: has it not open, or is not looked for; 1: open; 2: with a lock. */
static int look(pid_t pid, const struct statx *wanted, enum holders holders)
{
    CLEANUP_FOLDER DIR *folder = NULL;
    struct dirent *entry;
    char name[64];
    int found = 0;

    if (holders == QEMU && !is_qemu(pid))
        return 0;
    snprintf(name, sizeof(name), "/proc/%ld/fd", (long)pid);
    folder = opendir(name);
    while (folder != NULL && found < 2 && (entry = readdir(folder)) != NULL) {
        struct statx st;
        bool writes, locks;

        if (entry->d_name[0] == '.' || !look_at(dirfd(folder), entry->d_name, &st) ||
            !is_same(&st, wanted))
            continue;
        examine(pid, entry->d_name, &writes, &locks);
        if (holders == ANYBODY || holders == QEMU || writes ||
            (holders == WRITERS_AND_QEMU && is_qemu(pid)))
            found = locks ? 2 : 1;
    }
    return found;
}

static bool find(int fd, enum holders holders, struct store_holder *holder)
{
    CLEANUP_FOLDER DIR *processes = opendir("/proc");
    const pid_t self = getpid();
    struct dirent *entry;
    struct statx wanted;
    pid_t best = 0;
    int found = 0;

    if (processes == NULL || !look_at(fd, "", &wanted))
        return false;
    while (found < 2 && (entry = readdir(processes)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        int of_it = pid <= 0 || pid == self ? 0 : look(pid, &wanted, holders);

        if (of_it > found) {
            found = of_it;
            best = pid;
        }
    }
    if (found > 0)
        identify(best, holder);
    return found > 0;
}

bool store_holder_find(int fd, struct store_holder *holder)
{
    return find(fd, ANYBODY, holder);
}

bool store_holder_find_writer(int fd, bool qemu, struct store_holder *holder)
{
    /* Where the kernel knows of no writer, the descriptors of all programs need not be read. */
    if (store_openers_writers(fd) == STORE_OPENERS_NONE)
        return qemu && find(fd, QEMU, holder);
    return find(fd, qemu ? WRITERS_AND_QEMU : WRITERS, holder);
}

void store_holder_describe(const struct store_holder *holder, char text[STORE_HOLDER_TEXT_MAX])
{
    const char *program = holder->program[0] != '\0' ? holder->program : "a program";

    if (holder->guest[0] == '\0')
        snprintf(text, STORE_HOLDER_TEXT_MAX, "%s (process %ld)", program, (long)holder->pid);
    else
        snprintf(text, STORE_HOLDER_TEXT_MAX, "%s (process %ld, %s %s)", program, (long)holder->pid,
                 holder->libvirt ? "libvirt domain" : "guest", holder->guest);
}

// SPDX-License-Identifier: MIT
/* Owns the removal of hidden names. Must never remove what somebody is at work on. */
#include "leftover.h"

#include "aside.h"
#include "cleanup.h"
#include "err.h"
#include "lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of the process in such a name; 0: it is another kind of name. */
static long process_of(const char *name)
{
    size_t prefix = strlen(IO_ASIDE_IMAGE);
    unsigned long number;
    long pid;
    int end = 0;

    if (strncmp(name, IO_ASIDE_IMAGE, prefix) != 0 ||
        sscanf(name + prefix, "%ld.%lu%n", &pid, &number, &end) != 2 ||
        name[prefix + (size_t)end] != '\0')
        return 0;
    return pid;
}

/* Not only a process of that number, which others may have by now. */
static bool is_running(long pid)
{
    char name[64], program[32] = "";
    CLEANUP_CLOSE int fd = -1;

    snprintf(name, sizeof(name), "/proc/%ld/comm", pid);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    return pid != getpid() && fd >= 0 && read(fd, program, sizeof(program) - 1) > 0 &&
           strcmp(program, "qcow2frag\n") == 0;
}

/* Whoever writes it has a lock on it; but that is not there yet in the moment after it was made,
 * and not on every file system: so the process must be gone as well. */
static bool is_left(int folder, const char *name)
{
    CLEANUP_CLOSE int fd = -1;
    struct err err = {0};
    struct stat st;
    long pid = process_of(name);

    if (pid <= 0 || is_running(pid))
        return false;
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           (st.st_uid == geteuid() || geteuid() == 0) &&
           store_lock_take(fd, STORE_LOCK_OWNER, &err) == 0;
}

void store_leftover_remove(int folder)
{
    CLEANUP_FOLDER DIR *list = NULL;
    struct dirent *entry;
    char here[64];
    int fd;

    snprintf(here, sizeof(here), "/proc/self/fd/%d", folder);
    fd = open(here, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0)
        close(fd);
    while (list != NULL && (entry = readdir(list)) != NULL)
        if (is_left(folder, entry->d_name))
            unlinkat(folder, entry->d_name, 0);
}

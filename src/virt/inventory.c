// SPDX-License-Identifier: MIT
/*
 * Owns the process that asks libvirt, and the waiting for it. So this one never waits for a daemon
 * longer than it wants, no library writes to its terminal or asks there, and what it loads is gone
 * after it.
 */
#include "inventory.h"

#include "address.h"
#include "ask.h"
#include "err.h"
#include "vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM 65536

/* ---- the one that asks ---- */

/* What the other one does when it is ended is not this one's business. */
static void forget_signals(void)
{
    sigset_t none;

    for (int number = 1; number <= SIGRTMAX; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Without a terminal, and not longer than the one that waits. */
static int detach(pid_t waiting)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    setsid();
    return getppid() == waiting ? 0 : -ESRCH;
}

static void be_the_one_that_asks(const char *uri, int fd, pid_t waiting) __attribute__((noreturn));

static void be_the_one_that_asks(const char *uri, int fd, pid_t waiting)
{
    FILE *to;

    forget_signals();
    if (detach(waiting) < 0)
        _exit(1);
    to = fdopen(fd, "w");
    if (to == NULL)
        _exit(1);
    virt_ask(uri, to);
    _exit(fflush(to) != 0);
}

/* ---- the one that waits ---- */

struct answer {
    char *bytes;
    size_t n_bytes, cap_bytes;
};

static int silent(unsigned seconds, struct err *err)
{
    return err_set(err, ETIMEDOUT, "libvirt has been silent for %u second%s (--timeout)", seconds,
                   seconds == 1 ? "" : "s");
}

static int listen_to(int fd, unsigned timeout_seconds, struct answer *answer, struct err *err)
{
    while (true) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int n = poll(&ready, 1, (int)timeout_seconds * 1000);
        ssize_t len;

        if (n == 0)
            return silent(timeout_seconds, err);
        if (vec_grow(&answer->bytes, &answer->cap_bytes, answer->n_bytes + ROOM, 1) < 0)
            return err_no_memory(err);
        len = n < 0 ? -1 : read(fd, answer->bytes + answer->n_bytes, ROOM);
        if (len < 0 && errno != EINTR)
            return err_set(err, errno, "the answer of libvirt is not read: %s", strerror(errno));
        if (len == 0)
            return 0;
        answer->n_bytes += len > 0 ? (size_t)len : 0;
    }
}

static void end(pid_t asking)
{
    kill(asking, SIGKILL);
    while (waitpid(asking, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* No signal comes between the two lives of the new process. */
static pid_t begin(const char *uri, int fd)
{
    pid_t waiting = getpid(), asking;
    sigset_t all, before;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    asking = fork();
    if (asking == 0)
        be_the_one_that_asks(uri, fd, waiting);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return asking;
}

static int ask_and_wait(const char *uri, unsigned timeout_seconds, struct answer *answer,
                        struct err *err)
{
    pid_t asking;
    int ends[2], ret;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "no pipe: %s", strerror(errno));
    asking = begin(uri, ends[1]);
    close(ends[1]);
    if (asking < 0)
        ret = err_set(err, errno, "no process to ask libvirt: %s", strerror(errno));
    else
        ret = listen_to(ends[0], timeout_seconds, answer, err);
    close(ends[0]);
    if (asking > 0)
        end(asking);
    return ret;
}

int virt_inventory_read(const char *uri, unsigned timeout_seconds, struct virt_inventory *list,
                        struct err *err)
{
    const char *named = uri != NULL ? uri : getenv("LIBVIRT_DEFAULT_URI");
    struct answer answer = {0};
    int ret = named != NULL ? virt_address_check(named, err) : 0;

    memset(list, 0, sizeof(*list));
    if (ret == 0)
        ret = ask_and_wait(uri, timeout_seconds, &answer, err);
    list->bytes = answer.bytes;
    return ret != 0 ? ret : virt_records_read(answer.bytes, answer.n_bytes, &list->disks, err);
}

void virt_inventory_free(struct virt_inventory *list)
{
    free(list->disks.list);
    free(list->bytes);
}

// SPDX-License-Identifier: MIT
/* Owns the question to the kernel. Must never keep a lease. */
#include "openers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

/* Who opens it in the moment of the question waits for the lease to go, which it does, and the
 * kernel tells that by a signal: by one that nobody minds. */
static enum store_openers ask(int fd, int lease)
{
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY || fcntl(fd, F_SETSIG, SIGURG) < 0)
        return STORE_OPENERS_UNKNOWN;
    if (fcntl(fd, F_SETLEASE, lease) < 0)
        return errno == EAGAIN ? STORE_OPENERS_SOME : STORE_OPENERS_UNKNOWN;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return STORE_OPENERS_NONE;
}

enum store_openers store_openers_writers(int fd)
{
    return ask(fd, F_RDLCK);
}

enum store_openers store_openers_any(int fd)
{
    return ask(fd, F_WRLCK);
}

/* SPDX-License-Identifier: MIT */
/*
 * A file that is written beside its final name, and gets that when it is whole. While it is written
 * it has no name at all, where the file system can do that: whatever ends the program, nothing
 * stays. Elsewhere it has a hidden one, of which a process has one at a time.
 */
#ifndef IO_ASIDE_H
#define IO_ASIDE_H

#include <stdbool.h>
#include <sys/types.h>

/* In @folder, an open one. @access: O_WRONLY or O_RDWR. A descriptor, or -1 and errno. */
int io_aside_open(int folder, int access, mode_t mode);

/*
 * Gives the file that is open as @fd its name. @replace: another one may have it now. 0; or -1 and
 * errno, and then it has no name.
 */
int io_aside_commit(int folder, const char *name, int fd, bool replace);

/* Removes the hidden name, if there is one. May be called from a signal handler. */
void io_aside_remove(void);

#endif

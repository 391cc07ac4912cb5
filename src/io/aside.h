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

/* What hidden names begin with. Those of images can be told from others, that are left alone. */
#define IO_ASIDE_RESULT ".qcow2frag."
#define IO_ASIDE_IMAGE ".qcow2frag-image."

#define IO_ASIDE_NAME_MAX 48

/*
 * In @folder, an open one; @prefix: of the two above. @access: O_WRONLY or O_RDWR. A descriptor, or
 * -1 and errno.
 */
int io_aside_open(int folder, const char *prefix, int access, mode_t mode);

/*
 * Gives the file that is open as @fd its name. @replace: another one may have it now. 0; or -1 and
 * errno, and then it has no name.
 */
int io_aside_commit(int folder, const char *name, int fd, bool replace);

/*
 * The same in the place of the file that is open as @old: -ESTALE if another one has the name, also
 * if that came in the last moment; then it still has it. @kept: what @old is called afterwards, or
 * NULL: it has no name any more. Both names are there at every moment; a third file that is called
 * @kept is an error.
 */
int io_aside_replace(int folder, const char *name, const char *kept, int fd, int old);

/*
 * The hidden name of the file that is open as @fd: if it has none it gets one, so that another
 * program can open it. NULL and errno. Borrowed until the next call here.
 */
const char *io_aside_show(int folder, int fd);

/* Removes the hidden name, if there is one. */
void io_aside_remove(void);

/*
 * The same in a signal handler that ends the process: of a name that is being given it waits for
 * the end, and none is given after it.
 */
void io_aside_end(void);

#endif

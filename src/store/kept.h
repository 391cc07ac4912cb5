/* SPDX-License-Identifier: MIT */
/*
 * The originals that were kept beside an image. It names them itself, in an extended attribute that
 * it has from the moment in which it takes their place: so an original that is moved back to its
 * old name is an image like any other. A file system that has no such attributes tells nothing.
 */
#ifndef STORE_KEPT_H
#define STORE_KEPT_H

#include <stddef.h>

#define STORE_KEPT_MAX 4096

/* The new image that is open as @fd, which has the attributes of the old one by now, is to stand in
 * @folder, and the old one to be called @name there. Best effort. */
void store_kept_mark(int fd, int folder, const char *name);

/* Their names, with a slash between; "": none. They were not looked for, and may be anything. */
void store_kept_read(int fd, char names[STORE_KEPT_MAX]);

#endif

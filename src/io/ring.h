/* SPDX-License-Identifier: MIT */
/* Many reads of one file at a time, where the kernel lets us: io_uring behind one function. */
#ifndef IO_RING_H
#define IO_RING_H

#include "io.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads all of @requests at once, each as far as it comes: got is what was read, or 0 where a read
 * failed, and somebody has to read on. False if it cannot be done this way; nothing has then been
 * read, and the next call says so without trying. May be called by several threads.
 */
bool io_ring_read(int fd, struct io_request *const *requests, size_t n);

#endif

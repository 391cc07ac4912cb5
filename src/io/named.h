/* SPDX-License-Identifier: MIT */
/* What the user names as an image: a file of this host, or the URI of a remote one. */
#ifndef IO_NAMED_H
#define IO_NAMED_H

struct err;
struct io;

/*
 * Opens it, to read: by io_nbd_open or by io_file_open. Never for a name that stands in an image.
 */
int io_named_open(const char *name, struct io **io, struct err *err);

#endif

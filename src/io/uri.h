/* SPDX-License-Identifier: MIT */
/*
 * Names of images that are no files of this host, but URIs of a server of NBD. Pure: connects to
 * nothing. A file of such a name is ./nbd://...
 */
#ifndef IO_URI_H
#define IO_URI_H

#include <stdbool.h>

struct err;

/* Is the name a URI, also one that is refused? */
bool io_uri_is(const char *name);

/*
 * Can it be opened: is its scheme nbd, nbds, nbd+unix or nbds+unix? And is there no password in it?
 * NBD knows none, and it would be shown. The message tells nothing of the URI.
 */
int io_uri_check(const char *uri, struct err *err);

bool io_uri_has_password(const char *uri);

/* Takes a password out of it, where it stands, so that it can be shown; it still seems to have one.
 */
void io_uri_mask(char *uri);

/* Has it nothing but the name of a server, or a socket, and that of an export? No TLS either. */
bool io_uri_is_plain(const char *uri);

/*
 * The last part of the name of the export, as that of a file that no shell and no program reads
 * anything into: letters, digits, and -_. inside; @otherwise if nothing is left. A new string, or
 * NULL without memory.
 */
char *io_uri_plain_name(const char *uri, const char *otherwise);

#endif

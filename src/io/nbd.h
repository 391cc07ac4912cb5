/* SPDX-License-Identifier: MIT */
/*
 * An image that a server of NBD has. Its metadata are read over the wire once: what was read is
 * kept until io_renew, as far as there is room.
 */
#ifndef IO_NBD_H
#define IO_NBD_H

struct err;
struct io;

/* So long a server may be silent, unless it is said otherwise. */
#define IO_NBD_SECONDS 30u

/* For all that is opened later. */
void io_nbd_set_timeout(unsigned seconds);

/*
 * Connects to @uri, and reads from there. Waits for the server at most for the time-out, and for
 * its name as long as the system looks for that. Without libnbd it is an error that says so.
 */
int io_nbd_open(const char *uri, struct io **io, struct err *err);

#endif

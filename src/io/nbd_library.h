/* SPDX-License-Identifier: MIT */
/*
 * libnbd, loaded when the first URI is opened: it brings a dozen other libraries, which would
 * double the time that the program takes to start.
 */
#ifndef IO_NBD_LIBRARY_H
#define IO_NBD_LIBRARY_H

#include <libnbd.h>

struct err;

#define IO_NBD_FUNCTIONS(of)                                                                       \
    of(create) of(close) of(get_error) of(get_errno) of(set_uri_allow_transports)                  \
        of(set_uri_allow_local_file) of(add_meta_context) of(aio_connect_uri) of(aio_is_ready)     \
            of(aio_is_dead) of(aio_is_closed) of(poll) of(get_size) of(get_block_size)             \
                of(can_multi_conn) of(can_meta_context) of(aio_pread_structured)                   \
                    of(aio_block_status) of(aio_disconnect)

/* Its functions, without the nbd_ in front of their names. */
struct io_nbd_library {
#define IO_NBD_MEMBER(name) __typeof__(nbd_##name) *name;
    IO_NBD_FUNCTIONS(IO_NBD_MEMBER)
#undef IO_NBD_MEMBER
};

/* NULL if it is not there. May be called by several threads at once. */
const struct io_nbd_library *io_nbd_library(struct err *err);

#endif

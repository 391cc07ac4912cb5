// SPDX-License-Identifier: MIT
/* Owns the choice between files and URIs. */
#include "named.h"

#include "io.h"
#include "nbd.h"
#include "uri.h"

int io_named_open(const char *name, struct io **io, struct err *err)
{
    return io_uri_is(name) ? io_nbd_open(name, io, err) : io_file_open(name, io, err);
}

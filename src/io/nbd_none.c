// SPDX-License-Identifier: MIT
/* Owns what a build without libnbd has to say. */
#include "nbd.h"

#include "err.h"

#include <errno.h>

void io_nbd_set_timeout(unsigned seconds)
{
    (void)seconds;
}

int io_nbd_open(const char *uri, struct io **io, struct err *err)
{
    (void)uri;
    (void)io;
    return err_set(err, ENOSYS,
                   "is remote, and this qcow2frag was built without libnbd: it reads files only");
}

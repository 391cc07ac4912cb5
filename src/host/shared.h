/* SPDX-License-Identifier: MIT */
/* What a file shares with others: reflinks, and snapshots of its file system. */
#ifndef HOST_SHARED_H
#define HOST_SHARED_H

#include "opt.h"

struct io;

/* Bytes in extents that others refer to as well. Unknown where the file system does not tell. */
struct opt_u64 host_shared_bytes(struct io *io);

#endif

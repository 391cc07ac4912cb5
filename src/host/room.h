/* SPDX-License-Identifier: MIT */
/* Whether a file has room for a second one of its size beside it. */
#ifndef HOST_ROOM_H
#define HOST_ROOM_H

#include "opt.h"

struct io;

/* Known both or neither. */
struct host_room {
    struct opt_u64 stored_bytes; /* what the file takes */
    struct opt_u64 free_bytes;   /* in its file system, with what only root may take */
};

/* Of anything but a file nothing is known. */
struct host_room host_room_find(struct io *io);

#endif

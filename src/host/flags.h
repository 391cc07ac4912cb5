/* SPDX-License-Identifier: MIT */
/* How the file system was told to lay a file out. Asks the kernel, and changes nothing. */
#ifndef HOST_FLAGS_H
#define HOST_FLAGS_H

#include "opt.h"

struct io;

struct host_flags {
    struct opt_bool nocow;            /* what is written again stays in its place */
    struct opt_u64 extent_hint_bytes; /* 0: none */
};

/* What cannot be found out stays unknown. */
struct host_flags host_flags_find(struct io *io);

#endif

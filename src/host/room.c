// SPDX-License-Identifier: MIT
/* Owns the question about free space. */
#include "room.h"

#include "io.h"

#include <sys/statvfs.h>

struct host_room host_room_find(struct io *io)
{
    const struct opt_u64 stored_bytes = io_allocated(io);
    int fd = io_descriptor(io);
    struct statvfs system;

    if (fd < 0 || !stored_bytes.known || fstatvfs(fd, &system) < 0 ||
        system.f_blocks == 0) /* some tell nothing */
        return (struct host_room){.stored_bytes = {.known = false}};
    return (struct host_room){
        .stored_bytes = stored_bytes,
        .free_bytes = opt_u64_of((uint64_t)system.f_bfree * system.f_frsize),
    };
}

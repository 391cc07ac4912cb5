// SPDX-License-Identifier: MIT
/* Owns the question about free space. */
#include "room.h"

#include "io.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#define BLOCK_BYTES 512 /* of st_blocks, whatever the file system's are */

struct host_room host_room_find(struct io *io)
{
    struct host_room room = {.stored_bytes = {.known = false}};
    int fd = io_descriptor(io);
    struct statvfs system;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstatvfs(fd, &system) < 0 ||
        system.f_blocks == 0) /* some tell nothing */
        return room;
    room.stored_bytes = opt_u64_of((uint64_t)st.st_blocks * BLOCK_BYTES);
    room.free_bytes = opt_u64_of((uint64_t)system.f_bfree * system.f_frsize);
    return room;
}

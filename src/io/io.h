/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of an image come from. Everything above reads through this one seam, so that a
 * file, a remote image or a failing test device look alike.
 *
 * One io may be read by several threads at once. Nothing here writes.
 */
#ifndef IO_IO_H
#define IO_IO_H

#include "opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct io;

/*
 * One read of [off, off + len). @len may be 0. After a successful io_read, @got bytes came from the
 * image and the rest of @buf is zero: an image reads as zeros past its end, as it does in QEMU.
 */
struct io_request {
    uint64_t off;
    size_t len;
    void *buf;
    size_t got;
    bool waited; /* for a device: the bytes were not in memory */
};

/* Who else has the image open, told by the locks that QEMU puts on its files. */
struct io_users {
    bool known;   /* false: it cannot be found out here, and the rest means nothing */
    bool held;    /* somebody has it open */
    bool written; /* somebody may be writing to it */
    bool in_flux; /* it is being rewritten: its contents mean nothing yet, or no more */
};

/* When the bytes were last written to, and how many they are. Two that differ: they have changed.
 */
struct io_stamp {
    bool known; /* false: nobody keeps that here */
    bool fresh; /* it was a moment ago: a change that follows at once need not show */
    uint64_t seconds, nanoseconds, bytes;
};

/* Two that are known and equal are one file. */
struct io_identity {
    bool known;
    bool is_device;
    uint64_t device, inode; /* of a block device: its own number, and 0 */
};

struct io_ops {
    /* The present size in bytes, asked anew at each call. */
    int (*size)(struct io *io, uint64_t *bytes, struct err *err);

    /* All of @n requests, in any order. On failure the buffers hold anything. */
    int (*read)(struct io *io, struct io_request *requests, size_t n, struct err *err);

    /*
     * Of @n requests only what is in memory already, without waiting for a device: got tells how
     * much, from the front on, and the rest of a buffer holds anything. Never fails. May be NULL:
     * nothing is in memory.
     */
    void (*read_cached)(struct io *io, struct io_request *requests, size_t n);

    /*
     * So many bytes are best asked for at a time, where an answer is long on its way. May be NULL:
     * it does not matter.
     */
    size_t (*ahead)(struct io *io);

    /*
     * What is read from now on is what is there now: an io that keeps what it has read forgets it.
     * May be NULL: it keeps nothing.
     */
    void (*renew)(struct io *io);

    /*
     * The first offset from @off on that is not in a hole, or UINT64_MAX behind the last one. A
     * hole reads as zeros. What knows no holes says @off. Never fails.
     */
    uint64_t (*next_data)(struct io *io, uint64_t off);

    /*
     * The first offset from @off on that is in a hole; the end of the file begins one. UINT64_MAX
     * where no holes are known. Never fails. May be NULL: none are known.
     */
    uint64_t (*next_hole)(struct io *io, uint64_t off);

    /* Which file it is, under whatever name it was opened. May be NULL: unknown. */
    struct io_identity (*identity)(struct io *io);

    /* Asks, takes nothing, waits for nobody. Never fails. */
    struct io_users (*users)(struct io *io);

    /* Never fails. May be NULL: unknown. */
    struct io_stamp (*stamp)(struct io *io);

    /*
     * The file of this host that holds the bytes, to ask the kernel about it: a descriptor,
     * borrowed until close, or -1 if there is none. May be NULL: none. Never read through it.
     */
    int (*descriptor)(struct io *io);

    /*
     * Bytes that the file takes where it is stored: less than its size if it has holes. Unknown for
     * a device. Never fails. May be NULL: unknown.
     */
    struct opt_u64 (*allocated)(struct io *io);

    /* Frees @io. */
    void (*close)(struct io *io);
};

/* The head of every implementation's own struct. */
struct io {
    const struct io_ops *ops;
};

int io_size(struct io *io, uint64_t *bytes, struct err *err);
int io_read_batch(struct io *io, struct io_request *requests, size_t n, struct err *err);
void io_read_cached(struct io *io, struct io_request *requests, size_t n);
size_t io_ahead(struct io *io); /* 0: it does not matter */
void io_renew(struct io *io);

/* One request; bytes past the end of the image are zero. */
int io_read(struct io *io, uint64_t off, void *buf, size_t len, struct err *err);

uint64_t io_next_data(struct io *io, uint64_t off);
uint64_t io_next_hole(struct io *io, uint64_t off);
bool io_is_same(struct io *a, struct io *b);
struct io_users io_users(struct io *io);
struct io_stamp io_stamp(struct io *io);

/*
 * The error that less was there than the file had: somebody cuts it off. @file: "the file", or
 * which of several; @what is gone, at @off. Returns it.
 */
int io_became_shorter(const char *file, const char *what, uint64_t off, struct err *err);

/* Can what was read between the two stamps belong to several states? True if it is not known. */
bool io_stamps_differ(const struct io_stamp *before, const struct io_stamp *after);
int io_descriptor(struct io *io);
struct opt_u64 io_allocated(struct io *io);

/* NULL is allowed. */
void io_close(struct io *io);

/*
 * Opens a regular file or a block device, read only. Never waits: a FIFO, a socket, a character
 * device or a directory is an error at once, and so is a file of proc and its like, which stores
 * nothing. Takes no lock and changes nothing. What is opened is spared: no result replaces it.
 */
int io_file_open(const char *path, struct io **io, struct err *err);

/* The same of a regular file only, by its last @name, not through a link. @folder: a descriptor. */
int io_file_open_found(int folder, const char *name, struct io **io, struct err *err);

/*
 * The same file once more, and the same opening of it: locks that are held through @io are not
 * those of somebody else. Each is closed by itself. @io: one of the above.
 */
int io_file_again(struct io *io, struct io **again, struct err *err);

#endif

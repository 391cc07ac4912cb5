/* SPDX-License-Identifier: MIT */
/*
 * Reads L2 tables a little ahead, several at a time, and delivers them in the order in which they
 * were asked for, in chunks. Holes of the file are not read.
 */
#ifndef RUN_FETCH_H
#define RUN_FETCH_H

#include "io.h"

#include <stddef.h>
#include <stdint.h>

struct err;

#define RUN_FETCH_CHUNK_BYTES (64u << 10)
/* While all is in memory the buffer stays in the processor's cache. Once a device is waited for, it
 * holds enough reads to keep that one's queue full: that of a few threads, as with many of them the
 * queue is full anyway. */
#define RUN_FETCH_BUFFER_BYTES (256u << 10)
#define RUN_FETCH_COLD_BYTES (512u << 10)
#define RUN_FETCH_COLD_MAX 2 /* such buffers at a time, in the process */
#define RUN_FETCH_READS 64

/* A part of a table. */
struct run_chunk {
    size_t cookie;      /* the caller's, as given */
    uint32_t at;        /* offset in the table */
    uint32_t len_bytes; /* 0: a mark */
    const void *bytes;  /* 8-byte aligned, borrowed for the call; NULL: all zeros */
};

struct run_fetch {
    struct io *io;
    uint64_t file_bytes; /* as last asked: what ends earlier has become shorter */
    int (*deliver)(void *context, const struct run_chunk *chunk);
    void *context;
    struct err *err;

    struct run_chunk chunks[RUN_FETCH_READS];
    struct io_request requests[RUN_FETCH_READS]; /* those with something to read */
    size_t n_chunks, n_requests, filled_bytes;
    size_t buffer_bytes;
    uint64_t hole_begin, hole_end; /* the last hole that was met */
    unsigned char *buffer;
};

/* The first five members are the caller's to fill. Release with run_fetch_free, also on failure. */
int run_fetch_init(struct run_fetch *fetch);
void run_fetch_free(struct run_fetch *fetch);

/* Queues a table of @table_bytes at @off; may deliver what was queued before. */
int run_fetch_table(struct run_fetch *fetch, uint64_t off, uint32_t table_bytes, size_t cookie);

/* Queues a chunk of no bytes: delivered when all before it have been. */
int run_fetch_mark(struct run_fetch *fetch, size_t cookie);

/* Delivers all that is queued. Returns what deliver returned, if that was negative. */
int run_fetch_drain(struct run_fetch *fetch);

#endif

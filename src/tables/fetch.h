/* SPDX-License-Identifier: MIT */
/*
 * Reads L2 tables a little ahead, several at a time, and delivers them in the order in which they
 * were asked for, in chunks. Holes of the file are not read.
 */
#ifndef TABLES_FETCH_H
#define TABLES_FETCH_H

#include "holes.h"
#include "io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define TABLES_FETCH_CHUNK_BYTES (64u << 10)
/* While all is in memory the buffer stays in the processor's cache. Once a device is waited for, it
 * holds enough reads to keep that one's queue full: that of a few threads, as with many of them the
 * queue is full anyway. */
#define TABLES_FETCH_BUFFER_BYTES (256u << 10)
#define TABLES_FETCH_COLD_BYTES (512u << 10)
#define TABLES_FETCH_COLD_MAX 2 /* such buffers at a time, in the process */
/* What is far away needs more (io_ahead): as many at a time have that. */
#define TABLES_FETCH_FAR_MAX 4
#define TABLES_FETCH_READS 64

/* A part of a table. */
struct tables_chunk {
    size_t cookie;      /* the caller's, as given */
    uint32_t at;        /* offset in the table */
    uint32_t len_bytes; /* 0: a mark */
    const void *bytes;  /* 8-byte aligned, borrowed for the call; NULL: all zeros */
};

struct tables_fetch {
    struct io *io;
    uint64_t file_bytes; /* as last asked: what ends earlier has become shorter */
    int (*deliver)(void *context, const struct tables_chunk *chunk);
    void *context;
    struct err *err;

    struct tables_chunk chunks[TABLES_FETCH_READS];
    struct io_request requests[TABLES_FETCH_READS]; /* those with something to read */
    size_t n_chunks, n_requests, filled_bytes;
    size_t buffer_bytes;
    bool far;
    struct io_holes holes;
    unsigned char *buffer;
};

/* The first five members are the caller's to fill. Release with tables_fetch_free, also on failure.
 */
int tables_fetch_init(struct tables_fetch *fetch);
void tables_fetch_free(struct tables_fetch *fetch);

/* Queues an L2 table of @table_bytes at @off; may deliver what was queued before. */
int tables_fetch_l2(struct tables_fetch *fetch, uint64_t off, uint32_t table_bytes, size_t cookie);

/* Does a table lie in a hole, so that it is all zeros? False: it is not known. */
bool tables_fetch_in_hole(struct tables_fetch *fetch, uint64_t off, uint32_t table_bytes);

/* Queues a chunk of no bytes: delivered when all before it have been. */
int tables_fetch_mark(struct tables_fetch *fetch, size_t cookie);

/* Delivers all that is queued. Returns what deliver returned, if that was negative. */
int tables_fetch_drain(struct tables_fetch *fetch);

#endif

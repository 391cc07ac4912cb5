// SPDX-License-Identifier: MIT
/* Owns the buffer for L2 tables and the order of its contents. Knows nothing of entries. */
#include "fetch.h"

#include "err.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Large buffers in use. */
static atomic_uint n_cold, n_far;

int tables_fetch_init(struct tables_fetch *fetch)
{
    size_t ahead = io_ahead(fetch->io);

    fetch->holes.io = fetch->io;
    fetch->buffer_bytes = TABLES_FETCH_BUFFER_BYTES;
    fetch->far = ahead > TABLES_FETCH_COLD_BYTES;
    if (fetch->far && n_far++ < TABLES_FETCH_FAR_MAX)
        fetch->buffer_bytes = ahead;
    fetch->buffer = aligned_alloc(64, fetch->buffer_bytes);
    return fetch->buffer == NULL ? -ENOMEM : 0;
}

void tables_fetch_free(struct tables_fetch *fetch)
{
    if (fetch->far)
        n_far--;
    fetch->far = false;
    if (fetch->buffer != NULL && fetch->buffer_bytes == TABLES_FETCH_COLD_BYTES)
        n_cold--;
    free(fetch->buffer);
    fetch->buffer = NULL;
    io_holes_free(&fetch->holes);
}

static int check_read(const struct tables_fetch *fetch, const struct io_request *request)
{
    uint64_t there = request->off < fetch->file_bytes ? fetch->file_bytes - request->off : 0;

    if (request->got >= request->len || request->got >= there)
        return 0;
    return io_became_shorter("the file", "an L2 table", request->off, fetch->err);
}

/* Without the memory it goes on as it is. The buffer is empty now. */
static void grow_buffer(struct tables_fetch *fetch)
{
    unsigned char *larger;

    if (fetch->buffer_bytes >= TABLES_FETCH_COLD_BYTES)
        return;
    larger = n_cold++ < TABLES_FETCH_COLD_MAX ? aligned_alloc(64, TABLES_FETCH_COLD_BYTES) : NULL;
    if (larger == NULL) {
        n_cold--;
        return;
    }
    free(fetch->buffer);
    fetch->buffer = larger;
    fetch->buffer_bytes = TABLES_FETCH_COLD_BYTES;
}

int tables_fetch_drain(struct tables_fetch *fetch)
{
    const struct io_request *request = fetch->requests;
    bool waited = false;
    int ret = io_read_batch(fetch->io, fetch->requests, fetch->n_requests, fetch->err);

    for (size_t i = 0; i < fetch->n_chunks && ret == 0; i++) {
        struct tables_chunk *chunk = &fetch->chunks[i];

        if (chunk->bytes != NULL) {
            ret = check_read(fetch, request);
            waited |= request->waited;
            if (io_holes_learn(&fetch->holes, request))
                chunk->bytes = NULL;
            request++;
        }
        if (ret == 0)
            ret = fetch->deliver(fetch->context, chunk);
    }
    fetch->n_chunks = fetch->n_requests = fetch->filled_bytes = 0;
    if (waited)
        grow_buffer(fetch);
    return ret;
}

/* The file may have grown meanwhile, and what is behind its end is no hole. */
bool tables_fetch_in_hole(struct tables_fetch *fetch, uint64_t off, uint32_t table_bytes)
{
    fetch->holes.file_bytes = fetch->file_bytes;
    return io_holes_have(&fetch->holes, off, table_bytes);
}

static int add(struct tables_fetch *fetch, uint64_t off, struct tables_chunk chunk)
{
    bool hole = chunk.len_bytes > 0 && tables_fetch_in_hole(fetch, off, chunk.len_bytes);

    if (fetch->n_chunks == TABLES_FETCH_READS ||
        fetch->filled_bytes + chunk.len_bytes > fetch->buffer_bytes) {
        int ret = tables_fetch_drain(fetch);

        if (ret < 0)
            return ret;
    }
    if (chunk.len_bytes > 0 && !hole) {
        chunk.bytes = fetch->buffer + fetch->filled_bytes;
        fetch->requests[fetch->n_requests++] = (struct io_request){
            .off = off, .len = chunk.len_bytes, .buf = fetch->buffer + fetch->filled_bytes};
        fetch->filled_bytes += chunk.len_bytes;
    }
    fetch->chunks[fetch->n_chunks++] = chunk;
    return 0;
}

int tables_fetch_l2(struct tables_fetch *fetch, uint64_t off, uint32_t table_bytes, size_t cookie)
{
    uint32_t part_bytes =
        table_bytes < TABLES_FETCH_CHUNK_BYTES ? table_bytes : TABLES_FETCH_CHUNK_BYTES;
    int ret = 0;

    for (uint32_t at = 0; at < table_bytes && ret == 0; at += part_bytes)
        ret = add(fetch, off + at,
                  (struct tables_chunk){.cookie = cookie, .at = at, .len_bytes = part_bytes});
    return ret;
}

int tables_fetch_mark(struct tables_fetch *fetch, size_t cookie)
{
    return add(fetch, 0, (struct tables_chunk){.cookie = cookie});
}

// SPDX-License-Identifier: MIT
/* Owns the reading of the new file, and the search for the byte that differs. */
#include "read_back.h"

#include "err.h"
#include "io.h"
#include "large.h"
#include "new_file.h"
#include "plan.h"
#include "planned.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOWS 4 /* of a share each */

struct reading {
    const struct defrag_read_back *read_back;
    int fd;
    struct defrag_window windows[WINDOWS];
    struct defrag_crew crew;
};

/* ---- the byte that differs ---- */

/* What these moves bring into the block at @off. */
static int expect_moves(const struct defrag_read_back *read_back, const struct defrag_moves *moves,
                        uint64_t off, unsigned char *block, size_t n, struct err *err)
{
    int ret = 0;

    for (size_t i = 0; i < moves->n_list && ret == 0; i++) {
        struct defrag_move move = defrag_moves_at(moves, i);
        uint64_t begin = move.to > off ? move.to : off;
        uint64_t end = move.to + move.bytes < off + n ? move.to + move.bytes : off + n;

        if (begin < end)
            ret = io_read(read_back->source, move.from + (begin - move.to), block + (begin - off),
                          (size_t)(end - begin), err);
    }
    return ret;
}

/* Refcounts are in no other place than the file itself. */
static int expect_metadata(const struct defrag_read_back *read_back, uint64_t off,
                           unsigned char *block, size_t n, struct err *err)
{
    const struct defrag_plan *plan = read_back->plan;
    struct defrag_extent extent = {.end = off};
    int ret = 0;

    while (ret == 0 && defrag_planned_next(read_back->planned, extent.end, &extent) &&
           extent.begin < off + n) {
        uint64_t begin = extent.begin > off ? extent.begin : off;
        uint64_t end = extent.end < off + n ? extent.end : off + n;
        bool refcounts = plan->n_refblocks > 0 && extent.begin == plan->refblocks_off;

        ret = refcounts ? store_new_file_read(read_back->file, begin, block + (begin - off),
                                              (size_t)(end - begin), err)
                        : io_read(read_back->planned, begin, block + (begin - off),
                                  (size_t)(end - begin), err);
    }
    return ret;
}

/* The block as it is to be, made anew. */
static int expect(const struct defrag_read_back *read_back, uint64_t off, unsigned char *block,
                  size_t n, struct err *err)
{
    int ret;

    memset(block, 0, n);
    ret = expect_moves(read_back, &read_back->plan->data, off, block, n, err);
    if (ret == 0)
        ret = expect_moves(read_back, &read_back->plan->blobs, off, block, n, err);
    return ret < 0 ? ret : expect_metadata(read_back, off, block, n, err);
}

static int differs(const struct defrag_read_back *read_back, uint64_t off,
                   const unsigned char *found, size_t n, struct err *err)
{
    static const char *const whom = "the disk, its cable or the memory is not to be trusted";
    unsigned char *wanted = malloc(n);
    struct err ignored = {.code = 0};
    size_t i = 0;

    if (wanted != NULL && expect(read_back, off, wanted, n, &ignored) == 0)
        while (i < n && found[i] == wanted[i])
            i++;
    else
        i = n;
    if (i < n)
        err_set(err, EIO, "%s: byte 0x%" PRIx64 " reads back as 0x%02x, not as 0x%02x; %s",
                read_back->file->path, off + i, found[i], wanted[i], whom);
    else
        err_set(err, EIO,
                "%s: what was read back at offset 0x%" PRIx64 " (of %zu bytes) is not what was "
                "written; %s",
                read_back->file->path, off, n, whom);
    free(wanted);
    return -EIO;
}

/* ---- reading ---- */

/* What is read ends at the end of the file, or is whole blocks; @want bytes of it are to be there.
 */
static int read_blocks(const struct reading *reading, uint64_t off, void *bytes, size_t len,
                       size_t want, struct err *err)
{
    size_t done = 0;

    while (done < want) {
        ssize_t n = pread(reading->fd, (char *)bytes + done, len - done, (off_t)(off + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, n < 0 ? errno : EIO,
                           "cannot read %s back at offset 0x%" PRIx64 ": %s",
                           reading->read_back->file->path, off + done,
                           n < 0 ? strerror(errno) : "it is shorter than what was written");
        done += (size_t)n;
        if (done < want && done % STORE_DIRECT_BYTES != 0) /* a direct read goes on at a block */
            done -= done % STORE_DIRECT_BYTES;
    }
    return 0;
}

static bool is_same(const struct defrag_hash *a, const struct defrag_hash *b)
{
    return a->low == b->low && a->high == b->high;
}

static int check(void *context, const struct defrag_window *window, uint64_t begin, uint64_t end,
                 struct err *err)
{
    const struct reading *reading = context;
    const struct defrag_read_back *read_back = reading->read_back;
    int ret =
        read_blocks(reading, begin, window->bytes, DEFRAG_SHARE_BYTES, (size_t)(end - begin), err);

    for (uint64_t at = begin; at < end && ret == 0; at += DEFRAG_BLOCK_BYTES) {
        size_t n = end - at < DEFRAG_BLOCK_BYTES ? (size_t)(end - at) : DEFRAG_BLOCK_BYTES;
        struct defrag_hash hash = defrag_hash_of(window->bytes + (at - begin), n);

        if (!is_same(&hash, &read_back->hashes->list[at / DEFRAG_BLOCK_BYTES]))
            ret = differs(read_back, at, window->bytes + (at - begin), n, err);
    }
    return ret;
}

/* Does the file have nothing there, as it should? Where it has something, that is read. */
static bool is_hole(int fd, uint64_t begin, uint64_t end)
{
    off_t data = lseek(fd, (off_t)begin, SEEK_DATA);

    return data < 0 ? errno == ENXIO : (uint64_t)data >= end;
}

/* The first block from @off on that is to be read, as a byte; else the end of all. */
static uint64_t first_to_read(const struct reading *reading, uint64_t off)
{
    const struct defrag_hashes *hashes = reading->read_back->hashes;
    static const struct defrag_hash empty = {0, 0};
    size_t i = (size_t)(off / DEFRAG_BLOCK_BYTES);

    for (; i < hashes->n_list && is_same(&hashes->list[i], &empty); i++)
        if (!is_hole(reading->fd, i * DEFRAG_BLOCK_BYTES, (i + 1) * DEFRAG_BLOCK_BYTES))
            break;
    return i < hashes->n_list ? i * DEFRAG_BLOCK_BYTES : UINT64_MAX;
}

/* ---- the way through the file ---- */

static int finish(struct reading *reading, const struct defrag_window *window)
{
    const struct defrag_watch *watch = reading->read_back->watch;
    int ret = defrag_crew_wait(&reading->crew, window);

    if (ret == 0 && watch->progress != NULL && window->end > 0)
        watch->progress(watch->context, "verified", window->end,
                        reading->read_back->plan->file_bytes);
    return ret;
}

static int read_all(struct reading *reading)
{
    const struct defrag_watch *watch = reading->read_back->watch;
    uint64_t end = reading->read_back->plan->file_bytes, off = first_to_read(reading, 0);
    size_t i = 0;
    int ret = 0;

    for (; off < end && ret == 0; off = first_to_read(reading, off + DEFRAG_SHARE_BYTES)) {
        struct defrag_window *window = &reading->windows[i++ % WINDOWS];

        ret = watch->stop != NULL && watch->stop(watch->context) ? -EINTR : finish(reading, window);
        if (ret < 0)
            break;
        window->begin = off;
        window->end = end - off < DEFRAG_SHARE_BYTES ? end : off + DEFRAG_SHARE_BYTES;
        defrag_crew_give(&reading->crew, window);
    }
    for (size_t k = 0; k < WINDOWS && ret == 0; k++)
        ret = finish(reading, &reading->windows[(i + k) % WINDOWS]);
    if (ret == 0 && watch->progress != NULL) /* the end may be a hole */
        watch->progress(watch->context, "verified", end, end);
    return ret;
}

int defrag_read_back(const struct defrag_read_back *read_back, bool *direct, struct err *err)
{
    struct reading reading = {.read_back = read_back, .fd = -1};
    unsigned char *bytes = defrag_large_new(WINDOWS * DEFRAG_SHARE_BYTES);
    int ret = bytes == NULL ? err_no_memory(err) : 0;

    if (ret == 0)
        ret = store_new_file_read_back(read_back->file, &reading.fd, direct, err);
    for (size_t i = 0; i < WINDOWS && bytes != NULL; i++)
        reading.windows[i].bytes = bytes + i * DEFRAG_SHARE_BYTES;
    if (ret == 0) {
        defrag_crew_begin(&reading.crew, check, &reading);
        ret = read_all(&reading);
        ret = defrag_crew_end(&reading.crew, ret, err);
    }
    if (reading.fd >= 0)
        close(reading.fd);
    free(bytes);
    return ret;
}

// SPDX-License-Identifier: MIT
/* Owns the cutting of clusters, blobs and tables into parts that lie in one extent. */
#include "placing_pieces.h"

#include "placer.h"
#include "stretch.h"

/* Reads of table go before pieces; those in several places are batches of their own. */
int host_placing_table(struct host_placer *placer, const struct piece_batch *batch)
{
    uint64_t off = batch->l2_off, end = off + batch->l2_bytes;
    int ret = 0;

    while (off < end && ret == 0) {
        struct host_part part = host_placer_part(placer, batch->l2_file, off, end);

        off += part.bytes;
        if (!part.placed)
            continue;
        if (placer->out.l2_bytes > 0)
            ret = host_placer_flush(placer);
        placer->out.l2_file = batch->l2_file;
        placer->out.l2_off = part.begin;
        placer->out.l2_bytes = part.end - part.begin;
    }
    return ret;
}

/* A blob that is read again: part by part, with the way back to the first one. */
int host_placing_again(struct host_placer *placer, const struct piece_batch *batch)
{
    uint64_t off = batch->again_off, end = off + batch->again_bytes;
    uint64_t blob_bytes = 0, stop = PIECE_NO_SOURCE;
    int ret = 0;

    for (uint64_t at = off; at < end;) {
        struct host_part part = host_placer_part(placer, batch->again_file, at, end);

        at += part.bytes;
        blob_bytes += part.end - part.begin;
    }
    while (off < end && ret == 0) {
        struct host_part part = host_placer_part(placer, batch->again_file, off, end);

        off += part.bytes;
        if (part.begin == part.end) /* has no place */
            continue;
        placer->out.again_file = batch->again_file;
        placer->out.again_off = part.begin;
        placer->out.again_bytes = part.end - part.begin;
        placer->out.again_blob_bytes = blob_bytes;
        blob_bytes = 0;
        placer->out.splits += stop != PIECE_NO_SOURCE && stop != part.begin;
        stop = part.end;
        ret = host_placer_flush(placer);
    }
    return ret;
}

/* The guest bytes before @at bytes of a blob of @bytes. Both factors have 32 bits at most. */
static uint64_t share(const struct piece *blob, uint64_t at)
{
    return blob->mapped_bytes * at / (blob->end - blob->begin);
}

static int add_blob(struct host_placer *placer, const struct piece *blob)
{
    uint64_t off = blob->begin;
    int ret = 0;

    while (off < blob->end && ret == 0) {
        struct host_part part = host_placer_part(placer, blob->file, off, blob->end);
        uint64_t from = share(blob, off - blob->begin);
        uint64_t bytes = share(blob, off + part.bytes - blob->begin) - from;

        if (part.placed) {
            bool first = off == blob->begin, last = off + part.bytes == blob->end;
            const struct piece piece = {.kind = PIECE_COMPRESSED,
                                        .guest_off = blob->guest_off + from,
                                        .guest_bytes = bytes,
                                        .begin = part.begin,
                                        .end = part.end,
                                        .mapped_bytes = bytes,
                                        .slack = last ? blob->slack : 0,
                                        .file = blob->file};

            placer->out.compared++;
            ret = host_placer_add(placer, &piece, first ? PIECE_NO_SOURCE : off,
                                  last ? PIECE_NO_SOURCE : off + part.bytes);
        } else {
            placer->out.hole_bytes += bytes;
        }
        off += part.bytes;
    }
    return ret;
}

/* The stretches of a cluster that are held. */
static int add_cluster(struct host_placer *placer, const struct piece *piece)
{
    uint64_t part_bytes = (piece->end - piece->begin) / PIECE_SUBCLUSTERS;
    struct piece_stretch stretch = {0};
    int ret = 0;

    if (piece->missing == 0)
        return host_placer_add_stretch(placer, piece->file, piece->guest_off, piece->begin,
                                       piece->end);
    while (ret == 0 && piece_next_stretch(~piece->missing, 0, &stretch))
        if (stretch.alloc)
            ret = host_placer_add_stretch(
                placer, piece->file, piece->guest_off + stretch.first * part_bytes,
                piece->begin + stretch.first * part_bytes, piece->begin + stretch.end * part_bytes);
    return ret;
}

int host_placing_pieces(struct host_placer *placer, const struct piece_batch *batch)
{
    int ret = 0;

    if (batch->goes_on && batch->n > 0 &&
        host_placer_part(placer, batch->files[0], batch->begin[0], batch->end[0]).placed)
        placer->out.compared--;
    for (uint32_t i = 0; i < batch->n && ret == 0; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        if (piece.kind == PIECE_COMPRESSED)
            ret = add_blob(placer, &piece);
        else if (piece.kind == PIECE_DATA)
            ret = add_cluster(placer, &piece);
    }
    return ret;
}

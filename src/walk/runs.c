// SPDX-License-Identifier: MIT
/* Owns the rule what is one run. Knows no maps, and keeps no run but the open one. */
#include "runs.h"

int walk_runs_end(struct walk_runs *runs)
{
    struct walk_run whole = runs->open;

    runs->open.piece.guest_bytes = 0;
    return whole.piece.guest_bytes == 0 ? 0 : runs->take(runs->context, &whole);
}

static bool goes_on(const struct walk_run *open, const struct walk_place *place)
{
    uint64_t bytes = open->encoded ? 0 : open->piece.end - open->piece.begin;

    return place->physical.known == open->physical.known && place->encoded == open->encoded &&
           (!place->physical.known || place->physical.value == open->physical.value + bytes);
}

static bool joins(const struct walk_run *run, const struct piece *piece,
                  const struct walk_place *place)
{
    const struct piece *open = &run->piece;

    return open->guest_bytes != 0 && piece->kind == open->kind && piece->kind != PIECE_COMPRESSED &&
           piece->file == open->file && piece->guest_off == open->guest_off + open->guest_bytes &&
           (piece->kind == PIECE_ZERO || (piece->begin == open->end && goes_on(run, place)));
}

static int add(struct walk_runs *runs, const struct piece *piece, const struct walk_place *place)
{
    int ret = 0;

    if (joins(&runs->open, piece, place)) {
        runs->open.piece.guest_bytes += piece->guest_bytes;
        runs->open.piece.end = piece->end;
        return 0;
    }
    ret = walk_runs_end(runs);
    runs->open = (struct walk_run){*piece, place->physical, place->encoded};
    return ret;
}

/* A piece is split where it lies in several places; not so a blob, of which no part can be told. */
int walk_runs_add(struct walk_runs *runs, struct piece piece)
{
    struct walk_place place = {.bytes = 0};
    int ret = 0;

    if (piece.kind == PIECE_ZERO)
        return add(runs, &piece, &place);
    place = runs->place_of(runs->context, piece.file, piece.begin, piece.end);
    while (piece.kind != PIECE_COMPRESSED && place.bytes < piece.end - piece.begin && ret == 0) {
        struct piece part = piece;

        part.guest_bytes = place.bytes;
        part.end = piece.begin + place.bytes;
        ret = add(runs, &part, &place);
        piece.guest_off += place.bytes;
        piece.guest_bytes -= place.bytes;
        piece.begin = part.end;
        place = runs->place_of(runs->context, piece.file, piece.begin, piece.end);
    }
    return ret < 0 ? ret : add(runs, &piece, &place);
}

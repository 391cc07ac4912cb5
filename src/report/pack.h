/* SPDX-License-Identifier: MIT */
/*
 * Images that are done with until they are shown: a folder may have very many. Most words of a
 * report are zero or small, so that one takes some hundred bytes.
 */
#ifndef REPORT_PACK_H
#define REPORT_PACK_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct report_image;
struct report_packed;

/* Images with more tables stay as they are: each row would have all of them unpacked. */
#define REPORT_PACK_TABLES_MAX 64

/*
 * Packs what is shown of one image among many, in @arena, and frees the rest; the path stays
 * borrowed. @row_only: what a row of a table shows; findings are then counted only, and there are
 * no histograms, no layers, no causes, and nothing of single snapshots' space. NULL: @image stays
 * as it is, for want of memory or since it has too many tables.
 */
struct report_packed *report_pack(struct report_image *image, bool row_only, struct arena *arena);

/* Bytes of room that it takes to unpack it. */
size_t report_packed_room(const struct report_packed *packed);

/* The image, in @room, which is aligned for anything: not to be freed. */
struct report_image *report_unpack(const struct report_packed *packed, void *room);

#endif

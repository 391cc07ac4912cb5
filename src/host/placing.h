/* SPDX-License-Identifier: MIT */
/*
 * The stage that puts the guest disk on the device: each piece, and each read of L2 table, goes
 * from its place in the file to its place on the device, to the byte. What lies in several extents
 * is split. What has no place there is a hole: it is no piece, its guest bytes go to hole_bytes.
 *
 *   - A cluster with missing subclusters becomes a piece for each stretch that is held.
 *   - A blob that is split shares its guest bytes out in proportion, so that their sum stays; only
 *     its last part may be followed by padding.
 *   - In what the file system has compressed, a piece is as long as its share of what is stored.
 *   - Pieces of zero clusters are dropped.
 */
#ifndef HOST_PLACING_H
#define HOST_PLACING_H

#include "map.h"
#include "stage.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Makes a stage for images with clusters of @cluster_bytes. @maps[i] is the map of file number i,
 * borrowed until host_placing_free; @held_bytes[i] the size of the clusters in it (NULL: the same
 * in all): each part of one counts as a piece that is compared. Returns 0 or -ENOMEM; to be freed
 * in both cases.
 */
int host_placing_new(const struct host_map *const *maps, unsigned n_files, uint64_t cluster_bytes,
                     const uint64_t *held_bytes, struct piece_stage *stage);
void host_placing_free(struct piece_stage *stage);

#endif

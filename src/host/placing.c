// SPDX-License-Identifier: MIT
/* Owns the stage: the grids that all threads share, and the order in a batch. Judges no step. */
#include "placing.h"

#include "placer.h"
#include "placing_blocks.h"
#include "placing_pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_BYTES 4096 /* of host file systems: most extents are multiples of it */

static int take(void *context, const struct piece_batch *batch, struct piece_sink sink)
{
    struct host_placer *placer = context;
    int ret;

    placer->sink = sink;
    placer->out.cluster_bytes = batch->cluster_bytes;
    piece_batch_clear(&placer->out);
    placer->out.hole_bytes = batch->hole_bytes;
    ret = host_placing_table(placer, batch);
    if (ret == 0 && batch->n > 0)
        ret = batch->uniform ? host_placing_blocks(placer, batch)
                             : host_placing_pieces(placer, batch);
    if (ret == 0 && batch->again_bytes > 0)
        ret = host_placing_again(placer, batch);
    return ret < 0 ? ret : host_placer_flush(placer);
}

static void *state_new(const void *shared)
{
    struct host_placer *placer = malloc(sizeof(*placer));

    if (placer == NULL)
        return NULL;
    placer->placing = shared;
    placer->file = 0;
    placer->segment = 0;
    return placer;
}

int host_placing_new(const struct host_map *const *maps, unsigned n_files, uint64_t cluster_bytes,
                     const uint64_t *held_bytes, struct piece_stage *stage)
{
    struct host_placing *placing =
        calloc(1, sizeof(*placing) + n_files * sizeof(placing->grids[0]));
    int ret = 0;

    memset(stage, 0, sizeof(*stage));
    if (placing == NULL)
        return -ENOMEM;
    *stage = (struct piece_stage){
        .shared = placing,
        .n_files = n_files,
        .unit_bytes = cluster_bytes < UNIT_BYTES ? cluster_bytes : UNIT_BYTES,
        .state_new = state_new,
        .state_free = free,
        .take = take,
    };
    placing->cluster_bits = calloc(n_files, sizeof(*placing->cluster_bits));
    if (placing->cluster_bits == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < n_files; i++)
        placing->cluster_bits[i] =
            (unsigned)__builtin_ctzll(held_bytes != NULL ? held_bytes[i] : cluster_bytes);
    for (; placing->n_files < n_files && ret == 0; placing->n_files++)
        ret = host_grid_init(&placing->grids[placing->n_files], maps[placing->n_files],
                             cluster_bytes);
    return ret;
}

void host_placing_free(struct piece_stage *stage)
{
    struct host_placing *placing =
        (struct host_placing *)(uintptr_t)stage->shared; /* ours alone again */

    for (unsigned i = 0; placing != NULL && i < placing->n_files; i++)
        host_grid_free(&placing->grids[i]);
    if (placing != NULL)
        free(placing->cluster_bits);
    free(placing);
    memset(stage, 0, sizeof(*stage));
}

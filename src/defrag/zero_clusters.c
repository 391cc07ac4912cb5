// SPDX-License-Identifier: MIT
/* Owns the reading ahead of a plan. Holes are not trusted: their zeros are read, too. */
#include "zero_clusters.h"

#include "bitset.h"
#include "checked.h"
#include "copy.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "refs.h"
#include "zeros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (UINT64_C(4) << 20) /* at a time, and at least a cluster */

struct looking {
    struct format_image *image;
    uint64_t *data; /* bits: clusters to look at */
    size_t n_clusters;
};

static bool is_data(const struct format_entry_rules *rules, const struct space_refs_entry *entry)
{
    struct format_entry meant = format_entry_of(rules, entry->entry, entry->bitmap, 0);

    return meant.kind == FORMAT_STANDARD;
}

static void take_data(void *context, const struct space_refs_data *data)
{
    struct looking *looking = context;

    for (size_t i = 0; i < data->batch->n; i++) {
        uint64_t cluster = data->batch->clusters[i];

        if (!data->batch->dense) {
            struct space_refs_entry entry =
                space_refs_entry_of(data, space_holds_entry(data->batch, i));

            if (!is_data(data->rules, &entry))
                continue;
        }
        if (cluster < looking->n_clusters)
            bitset_add(looking->data, cluster);
    }
}

/* Leaves only the bits of clusters [first, first + n) that are zeros. */
static int look(struct looking *looking, uint64_t first, size_t n, unsigned char *bytes,
                struct err *err)
{
    unsigned bits = looking->image->header.cluster_bits;
    int ret = io_read(looking->image->io, first << bits, bytes, (size_t)n << bits, err);

    for (size_t i = 0; i < n && ret == 0; i++)
        if (!is_zeros(bytes + (i << bits), (size_t)1 << bits))
            bitset_remove(looking->data, first + i);
    return ret;
}

static int look_at_all(struct looking *looking, const struct defrag_watch *watch, struct err *err)
{
    unsigned bits = looking->image->header.cluster_bits;
    size_t most = (size_t)(READ_BYTES >> bits);
    unsigned char *bytes = malloc(most << bits);
    int ret = bytes == NULL ? err_no_memory(err) : 0;

    for (uint64_t c = 0; c < looking->n_clusters && ret == 0;) {
        size_t n = 0;

        while (n < most && c + n < looking->n_clusters && bitset_has(looking->data, c + n))
            n++;
        if (n > 0)
            ret = look(looking, c, n, bytes, err);
        c += n > 0 ? n : 1;
        if (n > 0 && watch->stop != NULL && watch->stop(watch->context))
            ret = -EINTR;
        if (n > 0 && watch->progress != NULL)
            watch->progress(watch->context, "looked for zeros", c << bits,
                            (uint64_t)looking->n_clusters << bits);
    }
    free(bytes);
    return ret;
}

int defrag_zero_clusters_find(struct format_image *image, const struct format_refcounts *refcounts,
                              const struct defrag_watch *watch, uint64_t **zeros, struct err *err)
{
    const struct space_refs_options options = {refcounts, NULL};
    struct looking looking = {.image = image};
    const struct space_refs_sink sink = {.context = &looking, .data = take_data};
    struct space_refs *refs = NULL;
    int ret;

    looking.n_clusters = (size_t)div_round_up(image->file_bytes, image->header.cluster_bytes);
    looking.data = bitset_new(looking.n_clusters);
    ret = looking.data == NULL ? err_no_memory(err) : space_refs_new(image, &options, &refs, err);
    if (ret == 0)
        ret = space_refs_data(refs, &sink, err);
    if (ret == 0)
        ret = look_at_all(&looking, watch, err);
    space_refs_free(refs);
    if (ret < 0)
        free(looking.data);
    else
        *zeros = looking.data;
    return ret;
}

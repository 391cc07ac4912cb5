// SPDX-License-Identifier: MIT
/* Owns the list of what refers to what, as header, snapshot table and bitmap directory have it. */
#include "reference.h"

#include "image.h"

const char *format_metadata_name(enum format_metadata_kind kind)
{
    static const char *const names[] = {
        [FORMAT_META_HEADER] = "the header",
        [FORMAT_META_L1] = "the L1 table",
        [FORMAT_META_SNAPSHOT_L1] = "the L1 table of a snapshot",
        [FORMAT_META_SNAPSHOT_TABLE] = "the snapshot table",
        [FORMAT_META_REFTABLE] = "the refcount table",
        [FORMAT_META_REFBLOCK] = "a refcount block",
        [FORMAT_META_BITMAP_DIRECTORY] = "the bitmap directory",
        [FORMAT_META_BITMAP_TABLE] = "a bitmap table",
        [FORMAT_META_BITMAP_BITS] = "the bits of a bitmap",
        [FORMAT_META_LUKS_HEADER] = "the LUKS header",
    };

    return names[kind];
}

static int give(const struct format_reference *reference, format_take_reference *take,
                void *context)
{
    return reference->len_bytes > 0 ? take(context, reference) : 0;
}

static int give_of_header(const struct format_image *image, format_take_reference *take,
                          void *context)
{
    const struct format_header *header = &image->header;
    const struct format_reference list[] = {
        {FORMAT_META_HEADER, FORMAT_NO_WORD, 0, header->cluster_bytes, 0},
        {FORMAT_META_L1, FORMAT_FIELD_L1_OFF, header->l1_off, 8 * (uint64_t)header->l1_entries, 0},
        {FORMAT_META_REFTABLE, FORMAT_FIELD_REFTABLE_OFF, header->reftable_off,
         (uint64_t)header->reftable_clusters << header->cluster_bits, 0},
        {FORMAT_META_LUKS_HEADER, header->luks_word, header->luks_off, header->luks_bytes, 0},
        {FORMAT_META_BITMAP_DIRECTORY, header->bitmaps_word, header->bitmaps_off,
         header->bitmaps_bytes, 0},
        {FORMAT_META_SNAPSHOT_TABLE, FORMAT_FIELD_SNAPSHOTS_OFF, header->snapshots_off,
         image->snapshots.table_bytes, 0},
    };
    int ret = 0;

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && ret == 0; i++)
        ret = give(&list[i], take, context);
    return ret;
}

/* The L1 table comes first in a snapshot's entry, and so does the table in a bitmap's. */
int format_references(const struct format_image *image, format_take_reference *take, void *context)
{
    int ret = give_of_header(image, take, context);

    for (size_t i = 0; i < image->bitmaps.n_list && ret == 0; i++) {
        const struct format_bitmap *bitmap = &image->bitmaps.list[i];
        const struct format_reference reference = {FORMAT_META_BITMAP_TABLE, bitmap->entry_off,
                                                   bitmap->table_off, bitmap->table_bytes, i};

        ret = give(&reference, take, context);
    }
    for (size_t i = 0; i < image->snapshots.n_list && ret == 0; i++) {
        const struct format_snapshot *snapshot = &image->snapshots.list[i];
        const struct format_reference reference = {FORMAT_META_SNAPSHOT_L1, snapshot->entry_off,
                                                   snapshot->l1_off,
                                                   8 * (uint64_t)snapshot->l1_entries, i};

        if (snapshot->readable)
            ret = give(&reference, take, context);
    }
    return ret;
}

// SPDX-License-Identifier: MIT
/* Owns what QEMU's caches and buffers make of a header. */
#include "l2.h"

#include "checked.h"
#include "header.h"
#include "l2_decoder.h"
#include "request.h"

#define CRYPT_CLUSTERS 32

uint64_t tables_l2_clusters(const struct format_header *header, uint64_t virtual_bytes)
{
    return div_round_up(virtual_bytes, header->cluster_bytes);
}

uint64_t tables_l2_cache_bytes(const struct format_header *header, uint64_t virtual_bytes)
{
    /* At most 2^52 clusters of 16 bytes: no overflow. */
    uint64_t bytes = tables_l2_clusters(header, virtual_bytes) * header->l2_entry_bytes;

    return (bytes + header->cluster_bytes - 1) & ~(header->cluster_bytes - 1);
}

uint32_t tables_l2_slice_bytes(const struct format_header *header, uint64_t virtual_bytes)
{
    if (tables_l2_cache_bytes(header, virtual_bytes) <= TABLES_L2_CACHE_BYTES ||
        header->cluster_bytes < TABLES_L2_SLICE_BYTES)
        return (uint32_t)header->cluster_bytes;
    return TABLES_L2_SLICE_BYTES;
}

uint64_t tables_l2_read_bytes_max(const struct format_header *header)
{
    uint64_t bytes = CRYPT_CLUSTERS * header->cluster_bytes;

    return header->crypt != FORMAT_CRYPT_NONE && bytes < PIECE_REQUEST_BYTES ? bytes : UINT64_MAX;
}

/* Of the clusters of a block, those that begin a request or a slice if the first one does. */
static uint64_t borders_of(uint64_t clusters)
{
    if (clusters <= 1)
        return UINT64_MAX;
    return clusters >= L2_BLOCK ? 1 : UINT64_MAX / ((UINT64_C(1) << clusters) - 1);
}

struct tables_l2_rules tables_l2_rules_of(const struct format_header *header,
                                          const struct format_entry_rules *entry,
                                          uint64_t virtual_bytes, enum tables_pieces pieces)
{
    uint32_t slice_bytes = tables_l2_slice_bytes(header, virtual_bytes);
    uint32_t slice_entries = slice_bytes / header->l2_entry_bytes;
    uint64_t slice_span = header->cluster_bytes * slice_entries; /* of the guest disk */
    uint64_t request_bytes = slice_span < PIECE_REQUEST_BYTES ? slice_span : PIECE_REQUEST_BYTES;

    return (struct tables_l2_rules){
        .entry = *entry,
        .span = TABLES_SPAN_ALL,
        .entries = header->l2_entries,
        .entry_bytes = header->l2_entry_bytes,
        .slice_entries = slice_entries,
        .slice_bytes = slice_bytes,
        .read_bytes_max = tables_l2_read_bytes_max(header),
        .request_bytes = request_bytes,
        .borders = borders_of(request_bytes / header->cluster_bytes),
        .l2_file = PIECE_FILE_IMAGE,
        .data_file = header->external_data ? PIECE_FILE_DATA : PIECE_FILE_IMAGE,
        .pieces = pieces,
    };
}

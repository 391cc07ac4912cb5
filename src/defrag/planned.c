// SPDX-License-Identifier: MIT
/*
 * Owns the bytes of the new metadata. They are those of the old ones, but for each word that says
 * where something is.
 */
#include "planned.h"

#include "be.h"
#include "bitset.h"
#include "checked.h"
#include "encode.h"
#include "err.h"
#include "holding.h"
#include "image.h"
#include "io.h"
#include "plan.h"
#include "search.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum part_kind {
    PART_COPY, /* as in the source, but for patched words */
    PART_L1,   /* the active one */
    PART_SNAPSHOT_L1,
    PART_REFTABLE,
    PART_REFBLOCKS, /* zeros */
    PART_BITMAP_TABLE,
    PART_L2,
};

/* Bytes of the new file, and those of the source that they are made of. */
struct part {
    uint64_t begin, end;
    enum part_kind kind;
    uint64_t from;
    bool made; /* of nothing: an L2 table that the source does not have */
};

/* A word of the new file that a copied part has otherwise. */
struct patch {
    uint64_t off, value;
    unsigned bytes; /* 4 or 8 */
};

struct planned {
    struct io io;
    const struct defrag_plan *plan;
    struct format_entry_rules rules;
    struct part *parts; /* by begin; those of L2 tables are looked up in the plan */
    size_t n_parts, cap_parts;
    struct patch *patches; /* by off */
    size_t n_patches, cap_patches;
};

/* ---- entries ---- */

static int lost(struct err *err, const char *what, uint64_t entry)
{
    return err_set(err, EINVAL,
                   "%s entry 0x%016" PRIx64 " refers to something that has no new place; the image "
                   "has changed, or is damaged in a way that was not seen",
                   what, entry);
}

static int move_l1_entry(const struct planned *planned, bool active, uint64_t *entry,
                         struct defrag_hint *hint, struct err *err)
{
    uint64_t off = *entry & FORMAT_ENTRY_OFFSET, to;

    if (off == 0)
        return 0;
    to = defrag_moves_to(&planned->plan->l2_tables, off, hint);
    if (to == UINT64_MAX)
        return lost(err, "L1", *entry);
    *entry = store_entry_at(*entry, to);
    if (active)
        *entry = store_entry_copied(
            *entry, !bitset_has(planned->plan->shared, off >> planned->rules.cluster_bits));
    return 0;
}

static int move_bitmap_entry(const struct planned *planned, uint64_t *entry,
                             struct defrag_hint *hint, struct err *err)
{
    const struct format_bitmap_entry old =
        format_bitmap_entry_of(planned->rules.cluster_bytes, planned->rules.file_bytes, *entry);
    uint64_t to;

    if (old.bits_off == 0 && old.problem == NULL)
        return 0;
    to = old.problem != NULL ? UINT64_MAX
                             : defrag_moves_to(&planned->plan->data, old.bits_off, hint);
    if (to == UINT64_MAX)
        return lost(err, "bitmap", *entry);
    *entry = store_entry_at(*entry, to);
    return 0;
}

static int move_blob(const struct planned *planned, uint64_t *entry, struct defrag_hint *hint,
                     struct err *err)
{
    const struct defrag_moves *blobs = &planned->plan->blobs;
    struct format_holding holding = format_holding_of(&planned->rules, *entry, 0);
    size_t i = defrag_moves_find(blobs, holding.begin, hint);
    struct defrag_move move;

    if (i == SIZE_MAX)
        return lost(err, "L2", *entry);
    move = defrag_moves_at(blobs, i);
    if (move.from != holding.begin ||
        !store_compressed_at(planned->rules.cluster_bits, move.to, move.bytes, entry))
        return lost(err, "L2", *entry);
    return 0;
}

/* All of the cluster is zeros: without host space, which costs nothing to read. */
static void make_zero(const struct planned *planned, uint64_t *entry, uint64_t *bitmap)
{
    if (planned->rules.extended_l2) {
        *bitmap = (*bitmap | *bitmap << 32) & ~(uint64_t)UINT32_MAX;
        *entry = 0;
    } else {
        *entry = planned->rules.version_2 ? 0 : FORMAT_ENTRY_ZERO;
    }
}

static int move_l2_entry(const struct planned *planned, bool active, uint64_t *entry,
                         uint64_t *bitmap, struct defrag_hint *hint, struct err *err)
{
    const struct defrag_plan *plan = planned->plan;
    uint64_t off = *entry & FORMAT_ENTRY_OFFSET, to, cluster = off >> planned->rules.cluster_bits;

    if (planned->rules.external_data)
        return 0;
    if (*entry & FORMAT_ENTRY_COMPRESSED)
        return move_blob(planned, entry, hint, err);
    if (off == 0)
        return 0;
    if (plan->zeros != NULL && cluster < plan->n_clusters && bitset_has(plan->zeros, cluster)) {
        make_zero(planned, entry, bitmap);
        return 0;
    }
    to = defrag_moves_to(&plan->data, off, hint);
    if (to == UINT64_MAX || cluster >= plan->n_clusters)
        return lost(err, "L2", *entry);
    *entry = store_entry_at(*entry, to);
    if (active)
        *entry = store_entry_copied(*entry, !bitset_has(plan->shared, cluster));
    return 0;
}

/* A guest cluster that nothing maps gets its own place, and reads as zeros as before. */
static void reserve_entry(const struct planned *planned, uint64_t guest_cluster, uint64_t *entry,
                          uint64_t *bitmap)
{
    uint64_t off = planned->plan->reserved_off + (guest_cluster << planned->rules.cluster_bits);
    uint64_t clusters =
        div_round_up(planned->plan->image->header.virtual_bytes, planned->rules.cluster_bytes);

    if ((*entry & FORMAT_ENTRY_OFFSET) != 0 || guest_cluster >= clusters)
        return;
    *entry = FORMAT_ENTRY_COPIED | off;
    if (planned->rules.extended_l2)
        *bitmap = ~(uint64_t)UINT32_MAX;
    else
        *entry |= FORMAT_ENTRY_ZERO;
}

/* ---- parts ---- */

/* The index of the entry at @off in the part. */
static uint64_t index_of(const struct part *part, uint64_t off, unsigned entry_bytes)
{
    return (off - part->begin) / entry_bytes;
}

static int move_l1(const struct planned *planned, const struct part *part, uint64_t off,
                   unsigned char *bytes, size_t len, struct err *err)
{
    const struct defrag_plan *plan = planned->plan;
    const struct format_header *header = &plan->image->header;
    bool active = part->kind == PART_L1;
    uint64_t needed = format_l1_needed(header, header->virtual_bytes);
    struct defrag_hint hint = {0};

    for (size_t i = 0; i < len; i += 8) {
        uint64_t entry = be64_load(bytes + i), index = index_of(part, off + i, 8);
        int ret = 0;

        if (active && plan->reserve && index < needed)
            entry = FORMAT_ENTRY_COPIED |
                    (plan->reserved_l2_off + (index << planned->rules.cluster_bits));
        else
            ret = move_l1_entry(planned, active, &entry, &hint, err);
        if (ret < 0)
            return ret;
        be64_store(bytes + i, entry);
    }
    return 0;
}

static int move_l2(const struct planned *planned, const struct part *part, uint64_t off,
                   unsigned char *bytes, size_t len, struct err *err)
{
    const struct defrag_plan *plan = planned->plan;
    unsigned entry_bytes = plan->image->header.l2_entry_bytes;
    bool active = defrag_plan_is_active(plan, part->begin);
    bool reserved =
        plan->reserve && part->begin >= plan->reserved_l2_off && part->begin < plan->reserved_off;
    uint64_t first = (part->begin - plan->reserved_l2_off) / entry_bytes; /* guest cluster */
    struct defrag_hint hint = {0};

    for (size_t i = 0; i < len; i += entry_bytes) {
        uint64_t entry = be64_load(bytes + i);
        uint64_t bitmap = entry_bytes == 16 ? be64_load(bytes + i + 8) : 0;
        int ret = entry == 0 ? 0 : move_l2_entry(planned, active, &entry, &bitmap, &hint, err);

        if (ret < 0)
            return ret;
        if (reserved)
            reserve_entry(planned, first + index_of(part, off + i, entry_bytes), &entry, &bitmap);
        be64_store(bytes + i, entry);
        if (entry_bytes == 16)
            be64_store(bytes + i + 8, bitmap);
    }
    return 0;
}

static int move_bitmap_table(const struct planned *planned, unsigned char *bytes, size_t len,
                             struct err *err)
{
    struct defrag_hint hint = {0};

    for (size_t i = 0; i < len; i += 8) {
        uint64_t entry = be64_load(bytes + i);
        int ret = move_bitmap_entry(planned, &entry, &hint, err);

        if (ret < 0)
            return ret;
        be64_store(bytes + i, entry);
    }
    return 0;
}

static void make_reftable(const struct planned *planned, const struct part *part, uint64_t off,
                          unsigned char *bytes, size_t len)
{
    const struct defrag_plan *plan = planned->plan;

    for (size_t i = 0; i < len; i += 8) {
        uint64_t index = index_of(part, off + i, 8);
        uint64_t block = plan->refblocks_off + (index << planned->rules.cluster_bits);

        be64_store(bytes + i, index < plan->n_refblocks ? block : 0);
    }
}

static void patch(const struct planned *planned, uint64_t off, unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < planned->n_patches; i++) {
        const struct patch *patch = &planned->patches[i];
        unsigned char word[8];

        if (patch->off + patch->bytes <= off || patch->off >= off + len)
            continue;
        be64_store(word, patch->value << (64 - 8 * patch->bytes));
        for (unsigned k = 0; k < patch->bytes; k++)
            if (patch->off + k >= off && patch->off + k - off < len)
                bytes[patch->off + k - off] = word[k];
    }
}

/* Bytes of one part, from a multiple of 16 bytes on; as many whole entries. */
static int make_part(const struct planned *planned, const struct part *part, uint64_t off,
                     unsigned char *bytes, size_t len, struct err *err)
{
    int ret = 0;

    memset(bytes, 0, len);
    if (part->kind == PART_REFTABLE)
        make_reftable(planned, part, off, bytes, len);
    if (part->kind == PART_REFTABLE || part->kind == PART_REFBLOCKS)
        return 0;
    if (!part->made)
        ret = io_read(planned->plan->image->io, part->from + (off - part->begin), bytes, len, err);
    if (ret < 0)
        return ret;
    switch (part->kind) {
    case PART_L1:
    case PART_SNAPSHOT_L1:
        return move_l1(planned, part, off, bytes, len, err);
    case PART_BITMAP_TABLE:
        return move_bitmap_table(planned, bytes, len, err);
    case PART_L2:
        return move_l2(planned, part, off, bytes, len, err);
    default:
        patch(planned, off, bytes, len);
        return 0;
    }
}

/* ---- finding the part ---- */

/* An L2 table that is not moved, but made anew for a disk with a place for each cluster. */
static struct part reserved_table(const struct planned *planned, uint64_t off)
{
    const struct defrag_plan *plan = planned->plan;
    uint64_t cluster_bytes = planned->rules.cluster_bytes;
    uint64_t index = (off - plan->reserved_l2_off) / cluster_bytes;
    struct part part = {.begin = plan->reserved_l2_off + index * cluster_bytes, .kind = PART_L2};
    unsigned char raw[8];
    struct err ignored = {0};

    part.end = part.begin + cluster_bytes;
    part.made = true;
    if (io_read(plan->image->io, plan->image->header.l1_off + 8 * index, raw, 8, &ignored) == 0)
        part.from = be64_load(raw) & FORMAT_ENTRY_OFFSET;
    part.made = part.from == 0;
    return part;
}

/* What @off lies in, or the stretch of zeros up to the next part. */
static bool find_part(const struct planned *planned, uint64_t off, struct part *part,
                      uint64_t *next)
{
    const struct defrag_plan *plan = planned->plan;
    const struct defrag_moves *tables = &plan->l2_there;
    size_t low = search_first(k, 0, planned->n_parts, planned->parts[k].end <= off), i;

    *next = low < planned->n_parts ? planned->parts[low].begin : UINT64_MAX;
    if (low < planned->n_parts && planned->parts[low].begin <= off) {
        *part = planned->parts[low];
        return true;
    }
    if (plan->reserve && off >= plan->reserved_l2_off && off < plan->reserved_off) {
        *part = reserved_table(planned, off);
        return true;
    }
    i = defrag_moves_first_at(tables, off);
    if (i < tables->n_list) {
        struct defrag_move move = defrag_moves_at(tables, i);
        uint64_t inside = off > move.to ? (off - move.to) & ~(planned->rules.cluster_bytes - 1) : 0;

        if (move.to <= off) {
            *part = (struct part){.begin = move.to + inside,
                                  .end = move.to + inside + planned->rules.cluster_bytes,
                                  .kind = PART_L2,
                                  .from = move.from + inside};
            return true;
        }
        *next = move.to < *next ? move.to : *next;
    }
    if (plan->reserve && off < plan->reserved_l2_off && plan->reserved_l2_off < *next)
        *next = plan->reserved_l2_off;
    return false;
}

/* ---- the io ---- */

static const struct planned *planned_of(const struct io *io)
{
    return (const struct planned *)io;
}

static int read_one(const struct planned *planned, uint64_t off, unsigned char *bytes, size_t len,
                    struct err *err)
{
    while (len > 0) {
        struct part part;
        uint64_t next;
        size_t n = len;

        if (!find_part(planned, off, &part, &next)) {
            n = next - off < n ? (size_t)(next - off) : n;
            memset(bytes, 0, n);
        } else {
            /* Words are made whole: what is asked for may begin or end inside one. */
            uint64_t begin = part.begin + ((off - part.begin) & ~UINT64_C(15));
            unsigned char chunk[4096];
            uint64_t left = part.end - begin;
            size_t skip = (size_t)(off - begin);
            size_t made = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
            int ret = make_part(planned, &part, begin, chunk, made, err);

            if (ret < 0)
                return ret;
            n = made - skip < n ? made - skip : n;
            memcpy(bytes, chunk + skip, n);
        }
        off += n;
        bytes += n;
        len -= n;
    }
    return 0;
}

bool defrag_planned_next(const struct io *io, uint64_t off, struct defrag_extent *extent)
{
    const struct planned *planned = planned_of(io);
    struct part part;
    uint64_t next;

    if (!find_part(planned, off, &part, &next) &&
        (next == UINT64_MAX || !find_part(planned, next, &part, &next)))
        return false;
    *extent = (struct defrag_extent){part.begin, part.end};
    return true;
}

static int planned_size(struct io *io, uint64_t *bytes, struct err *err)
{
    (void)err;
    *bytes = planned_of(io)->plan->file_bytes;
    return 0;
}

static int planned_read(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    const struct planned *planned = planned_of(io);

    for (size_t i = 0; i < n; i++) {
        struct io_request *request = &requests[i];
        uint64_t end = planned->plan->file_bytes;
        uint64_t there = request->off < end ? end - request->off : 0;
        int ret;

        request->waited = false;
        request->got = there < request->len ? (size_t)there : request->len;
        ret = read_one(planned, request->off, request->buf, request->got, err);
        if (ret < 0)
            return ret;
        memset((unsigned char *)request->buf + request->got, 0, request->len - request->got);
    }
    return 0;
}

static uint64_t planned_next_data(struct io *io, uint64_t off)
{
    return off < planned_of(io)->plan->file_bytes ? off : UINT64_MAX;
}

static struct io_users planned_users(struct io *io)
{
    (void)io;
    return (struct io_users){.known = true};
}

static void planned_close(struct io *io)
{
    struct planned *planned = (struct planned *)io;

    free(planned->parts);
    free(planned->patches);
    free(planned);
}

static const struct io_ops planned_ops = {.size = planned_size,
                                          .read = planned_read,
                                          .next_data = planned_next_data,
                                          .users = planned_users,
                                          .close = planned_close};

/* ---- opening ---- */

static int add_part(struct planned *planned, uint64_t begin, uint64_t len, enum part_kind kind,
                    uint64_t from)
{
    if (len == 0)
        return 0;
    if (vec_reserve(planned, parts) < 0)
        return -ENOMEM;
    planned->parts[planned->n_parts++] = (struct part){begin, begin + len, kind, from, false};
    return 0;
}

static int add_patch(struct planned *planned, uint64_t off, uint64_t value, unsigned bytes)
{
    if (vec_reserve(planned, patches) < 0)
        return -ENOMEM;
    planned->patches[planned->n_patches++] = (struct patch){off, value, bytes};
    return 0;
}

static int add_header(struct planned *planned, const struct defrag_planned_options *options)
{
    const struct defrag_plan *plan = planned->plan;
    const struct format_header *header = &plan->image->header;
    const uint64_t known = FORMAT_AUTOCLEAR_BITMAPS | FORMAT_AUTOCLEAR_DATA_FILE_RAW;
    const uint64_t stale = header->stale_bitmaps_off;
    const struct {
        bool wanted;
        struct patch patch;
    } list[] = {
        {true, {FORMAT_FIELD_L1_OFF, plan->l1_off, 8}},
        {true, {FORMAT_FIELD_REFTABLE_OFF, plan->reftable_off, 8}},
        {true, {FORMAT_FIELD_REFTABLE_CLUSTERS, plan->reftable_bytes >> header->cluster_bits, 4}},
        {true, {FORMAT_FIELD_SNAPSHOTS_OFF, plan->snapshots_off, 8}},
        {header->bitmaps_bytes > 0, {header->bitmaps_word, plan->bitmaps_off, 8}},
        /* Of bitmaps that no longer count: how many, the length of their directory, its place. */
        {stale > 0, {stale + 8, 0, 8}},
        {stale > 0, {stale + 16, 0, 8}},
        {stale > 0, {stale + 24, 0, 8}},
        {options->clear_unknown_autoclear, {FORMAT_FIELD_AUTOCLEAR, header->autoclear & known, 8}},
    };
    int ret = add_part(planned, 0, header->cluster_bytes, PART_COPY, 0);

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && ret == 0; i++)
        if (list[i].wanted)
            ret = add_patch(planned, list[i].patch.off, list[i].patch.value, list[i].patch.bytes);
    return ret;
}

/* A list of entries, copied but for what each refers to: that is the first word of an entry. */
struct entries {
    uint64_t to, from;   /* of the whole list */
    enum part_kind kind; /* of what its entries refer to */
};

static int add_entry(struct planned *planned, const struct entries *entries, uint64_t entry_off,
                     uint64_t to, uint64_t len_bytes, uint64_t from)
{
    int ret = add_part(planned, to, len_bytes, entries->kind, from);

    return ret < 0 ? ret : add_patch(planned, entries->to + (entry_off - entries->from), to, 8);
}

static int add_snapshots(struct planned *planned)
{
    const struct defrag_plan *plan = planned->plan;
    const struct format_image *image = plan->image;
    const struct entries entries = {plan->snapshots_off, image->header.snapshots_off,
                                    PART_SNAPSHOT_L1};
    int ret = add_part(planned, entries.to, image->snapshots.table_bytes, PART_COPY, entries.from);

    for (size_t i = 0; i < image->snapshots.n_list && ret == 0; i++) {
        const struct format_snapshot *snapshot = &image->snapshots.list[i];

        ret = add_entry(planned, &entries, snapshot->entry_off, plan->snapshot_l1_offs[i],
                        8 * (uint64_t)snapshot->l1_entries, snapshot->l1_off);
    }
    return ret;
}

static int add_bitmaps(struct planned *planned)
{
    const struct defrag_plan *plan = planned->plan;
    const struct format_image *image = plan->image;
    const struct entries entries = {plan->bitmaps_off, image->header.bitmaps_off,
                                    PART_BITMAP_TABLE};
    int ret = add_part(planned, entries.to, image->header.bitmaps_bytes, PART_COPY, entries.from);

    for (size_t i = 0; i < image->bitmaps.n_list && ret == 0; i++) {
        const struct format_bitmap *bitmap = &image->bitmaps.list[i];

        ret = add_entry(planned, &entries, bitmap->entry_off, plan->bitmap_table_offs[i],
                        bitmap->table_bytes, bitmap->table_off);
    }
    return ret;
}

static int by_begin(const void *a, const void *b)
{
    const struct part *left = a, *right = b;

    return (left->begin > right->begin) - (left->begin < right->begin);
}

int defrag_planned_open(const struct defrag_plan *plan,
                        const struct defrag_planned_options *options, struct io **io,
                        struct err *err)
{
    struct planned *planned = calloc(1, sizeof(*planned));
    const struct format_header *header = &plan->image->header;
    int ret;

    if (planned == NULL)
        return err_no_memory(err);
    planned->io.ops = &planned_ops;
    planned->plan = plan;
    planned->rules = format_image_rules(plan->image);
    ret = add_header(planned, options)
              ?: add_part(planned, plan->l1_off, 8 * (uint64_t)header->l1_entries, PART_L1,
                          header->l1_off)
              ?: add_part(planned, plan->reftable_off, plan->reftable_bytes, PART_REFTABLE, 0)
              ?: add_part(planned, plan->refblocks_off, plan->n_refblocks << header->cluster_bits,
                          PART_REFBLOCKS, 0)
              ?: add_snapshots(planned)
              ?: add_bitmaps(planned);
    if (ret < 0) {
        planned_close(&planned->io);
        return err_no_memory(err);
    }
    qsort(planned->parts, planned->n_parts, sizeof(*planned->parts), by_begin);
    *io = &planned->io;
    return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Owns the order of the stream, and the reading that it takes. Knows nothing of what references
 * are for: no windows, no counts.
 */
#include "refs.h"

#include "be.h"
#include "bitmap.h"
#include "checked.h"
#include "err.h"
#include "fetch.h"
#include "image.h"
#include "io.h"
#include "refcount.h"
#include "table.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

/* Of all tables together: 256 MiB to read in each walk. A thousand snapshots of 8 TiB are 2^24. */
#define L1_ENTRIES_MAX (UINT64_C(1) << 25)

/* To find out what to do with an L2 table takes as long as so many bytes of it. */
#define L2_WORK_BYTES 64

#define BITMAP_WINDOW_BYTES 65536

/* An L2 table that waits for its bytes. */
struct job {
    struct space_named_l2 l2;
    uint32_t l1_index;
};

/* An L2 table that is named at several indices: all who name it. */
struct repeated {
    uint32_t weight;
    uint16_t walk; /* that it was last taken in */
    uint8_t class;
};

struct space_refs {
    struct format_image *image;
    struct space_refs_options options;
    struct format_entry_rules rules;
    struct space_l1_table *tables;
    size_t n_tables;

    struct space_naming naming; /* of the group that is open */
    size_t open_group;          /* SIZE_MAX: none is */
    struct repeated *repeated;

    /* The walk under way. */
    const struct space_refs_sink *sink;
    struct err *err;
    uint16_t walk;       /* its number */
    uint64_t work_bytes; /* of all walks */

    struct tables_fetch fetch;
    struct job jobs[TABLES_FETCH_READS];
    size_t n_jobs;
    struct space_refs_data data; /* the chunk that is looked at */
};

static void begin_walk(struct space_refs *refs, const struct space_refs_sink *sink, struct err *err)
{
    refs->sink = sink;
    refs->err = refs->fetch.err = err;
    refs->n_jobs = 0;
    refs->walk++;
}

static void leave_out(const struct space_refs *refs, uint64_t n, uint64_t untold)
{
    if (n > 0 && refs->sink->left_out != NULL)
        refs->sink->left_out(refs->sink->context, n, untold);
}

/* ---- metadata ---- */

/* The clusters that hold the bits of a bitmap, by its table. */
static int give_bits(struct space_refs *refs, const struct format_reference *table)
{
    const struct space_refs_sink *sink = refs->sink;
    unsigned char window[BITMAP_WINDOW_BYTES];
    struct format_reference bits = {FORMAT_META_BITMAP_BITS, 0, 0, refs->rules.cluster_bytes,
                                    table->index};
    uint64_t n_unsound = 0;
    int ret = 0;

    for (uint64_t done = 0; done < table->len_bytes && ret == 0; done += sizeof(window)) {
        uint64_t left = table->len_bytes - done;
        size_t len = left < sizeof(window) ? (size_t)left : sizeof(window);

        ret = io_read(refs->image->io, table->off + done, window, len, refs->err);
        for (size_t i = 0; i < len && ret == 0; i += 8) {
            const struct format_bitmap_entry entry = format_bitmap_entry_of(
                refs->rules.cluster_bytes, refs->rules.file_bytes, be64_load(window + i));

            bits.word = table->off + done + i;
            bits.off = entry.bits_off;
            n_unsound += entry.problem != NULL;
            if (bits.off != 0)
                ret = sink->metadata(sink->context, &bits);
        }
    }
    leave_out(refs, n_unsound, 0);
    return ret;
}

static int give_refcount_blocks(struct space_refs *refs, const struct format_reference *table)
{
    const struct format_refcounts *refcounts = refs->options.refcounts;
    const struct space_refs_sink *sink = refs->sink;
    int ret = 0;

    for (size_t i = 0; i < refcounts->n_blocks && ret == 0; i++) {
        const struct format_reference block = {FORMAT_META_REFBLOCK, table->off + 8 * i,
                                               refcounts->blocks[i], refs->rules.cluster_bytes, 0};

        if (block.off != 0)
            ret = sink->metadata(sink->context, &block);
    }
    return ret;
}

static int take_reference(void *context, const struct format_reference *reference)
{
    struct space_refs *refs = context;
    int ret;

    if (reference->kind == FORMAT_META_REFTABLE && !refs->options.refcounts->readable)
        return 0;
    ret = refs->sink->metadata(refs->sink->context, reference);
    if (ret == 0 && reference->kind == FORMAT_META_REFTABLE)
        ret = give_refcount_blocks(refs, reference);
    if (ret == 0 && reference->kind == FORMAT_META_BITMAP_TABLE)
        ret = give_bits(refs, reference);
    return ret;
}

int space_refs_metadata(struct space_refs *refs, const struct space_refs_sink *sink,
                        struct err *err)
{
    begin_walk(refs, sink, err);
    return format_references(refs->image, take_reference, refs);
}

/* ---- what an L2 table holds ---- */

struct space_refs_entry space_refs_entry_of(const struct space_refs_data *data, uint32_t index)
{
    unsigned words = data->rules->extended_l2 ? 2 : 1;
    const uint64_t *raw = data->raw + (size_t)(index - data->raw_first) * words;
    uint64_t entry = be64toh(raw[0]), bitmap = words > 1 ? be64toh(raw[1]) : 0;

    return (struct space_refs_entry){.word = data->l2->l2_off + (uint64_t)index * words * 8,
                                     .entry = entry,
                                     .bitmap = bitmap,
                                     .holding = format_holding_of(data->rules, entry, bitmap)};
}

static void take_batch(void *context, const struct space_holds_batch *batch)
{
    struct space_refs *refs = context;

    refs->data.batch = batch;
    refs->sink->data(refs->sink->context, &refs->data);
}

/* Of @left_out entries among @n from raw_first on: those of which the damage is not told. */
static uint64_t untold_of(const struct space_refs_data *data, uint32_t n, uint64_t left_out)
{
    uint32_t first = data->raw_first, told = data->l2->told;
    uint64_t untold = 0;

    if (left_out == 0 || told <= first)
        return left_out;
    for (uint32_t i = told; i < first + n; i++)
        untold += space_refs_entry_of(data, i).holding.left_out;
    return untold;
}

static int deliver(void *context, const struct tables_chunk *chunk)
{
    struct space_refs *refs = context;
    unsigned entry_bytes = refs->image->header.l2_entry_bytes;
    const struct space_holds holds = {&refs->rules, take_batch, refs};
    const struct job *job = &refs->jobs[chunk->cookie];
    uint64_t left_out;

    if (chunk->at == 0 && refs->sink->begin_data != NULL) {
        int ret = refs->sink->begin_data(refs->sink->context, &job->l2, job->l1_index);

        if (ret != 0)
            return ret;
    }
    if (chunk->bytes == NULL)
        return 0;
    refs->work_bytes += chunk->len_bytes;
    refs->data = (struct space_refs_data){.l2 = &job->l2,
                                          .l1_index = job->l1_index,
                                          .rules = &refs->rules,
                                          .raw = chunk->bytes,
                                          .raw_first = chunk->at / entry_bytes};
    left_out = space_holds_chunk(&holds, chunk->bytes, chunk->len_bytes, refs->data.raw_first);
    leave_out(refs, left_out, untold_of(&refs->data, chunk->len_bytes / entry_bytes, left_out));
    return 0;
}

static int drain(struct space_refs *refs)
{
    int ret = tables_fetch_drain(&refs->fetch);

    refs->n_jobs = 0;
    return ret;
}

static int queue(struct space_refs *refs, const struct space_named_l2 *l2, uint32_t l1_index)
{
    int ret;

    if (refs->sink->begin_data == NULL &&
        tables_fetch_in_hole(&refs->fetch, l2->l2_off, (uint32_t)refs->rules.cluster_bytes))
        return 0;
    ret = refs->n_jobs == TABLES_FETCH_READS ? drain(refs) : 0;
    if (ret < 0)
        return ret;
    refs->jobs[refs->n_jobs] = (struct job){*l2, l1_index};
    return tables_fetch_l2(&refs->fetch, l2->l2_off, (uint32_t)refs->rules.cluster_bytes,
                           refs->n_jobs++);
}

/* ---- what the L1 tables name ---- */

static void close_group(struct space_refs *refs)
{
    space_naming_close(&refs->naming);
    free(refs->repeated);
    refs->repeated = NULL;
    refs->open_group = SIZE_MAX;
}

typedef int take_named(struct space_refs *refs, const struct space_named_l2 *l2, uint32_t l1_index);

/* Calls @take for each L2 table at each index that is left in the group that is open. */
static int take_named_from(struct space_refs *refs, take_named *take)
{
    struct space_naming *naming = &refs->naming;
    int ret;

    while ((ret = space_naming_next(naming, refs->err)) == 1) {
        ret = 0;
        refs->work_bytes += naming->l1.n * 8 * (1 + (uint64_t)naming->l1.n_live);
        for (uint32_t i = naming->l1.first; i < naming->l1.first + naming->l1.n && ret == 0; i++) {
            space_naming_at(naming, i);
            refs->work_bytes += L2_WORK_BYTES * naming->n_here;
            for (size_t k = 0; k < naming->n_here && ret == 0; k++)
                ret = take(refs, &naming->here[k], i);
        }
        if (ret != 0)
            return ret;
    }
    return ret;
}

static int take_all_named(struct space_refs *refs, take_named *take)
{
    space_naming_rewind(&refs->naming);
    return take_named_from(refs, take);
}

/* How often a table that is named at several indices is named in all. */
static int tally(struct space_refs *refs, const struct space_named_l2 *l2, uint32_t l1_index)
{
    struct repeated *repeated;

    (void)l1_index;
    if (l2->repeated == TABLES_NOT_REPEATED)
        return 0;
    repeated = &refs->repeated[l2->repeated];
    repeated->weight += l2->weight;
    if (l2->class > repeated->class)
        repeated->class = (uint8_t)l2->class;
    return 0;
}

/* One group stays open from walk to walk: mostly there is no other. */
static int open_group(struct space_refs *refs, size_t group)
{
    size_t first = group * SPACE_NAMING_TABLES_MAX, left = refs->n_tables - first;
    size_t n = left < SPACE_NAMING_TABLES_MAX ? left : SPACE_NAMING_TABLES_MAX;
    int ret;

    if (refs->open_group == group)
        return 0;
    close_group(refs);
    ret = space_naming_open(&refs->naming, refs->image, &refs->tables[first], n, first, refs->err);
    if (ret == 0 && refs->naming.overlap.n_repeated > 0) {
        refs->repeated = calloc(refs->naming.overlap.n_repeated, sizeof(*refs->repeated));
        ret = refs->repeated == NULL ? err_no_memory(refs->err) : take_all_named(refs, tally);
    }
    if (ret == 0)
        refs->open_group = group;
    return ret;
}

static size_t n_groups_of(const struct space_refs *refs)
{
    return (refs->n_tables + SPACE_NAMING_TABLES_MAX - 1) / SPACE_NAMING_TABLES_MAX;
}

static int take_group(struct space_refs *refs, size_t group, take_named *take)
{
    int ret = open_group(refs, group);

    return ret == 0 ? take_all_named(refs, take) : ret;
}

/* The table as it is to be walked: a repeated one once, for all who name it. False: it was. */
static bool turn_of(struct space_refs *refs, const struct space_named_l2 *named,
                    struct space_named_l2 *l2)
{
    struct repeated *repeated;

    *l2 = *named;
    if (named->repeated == TABLES_NOT_REPEATED)
        return true;
    repeated = &refs->repeated[named->repeated];
    if (repeated->walk == refs->walk)
        return false;
    repeated->walk = refs->walk;
    l2->weight = repeated->weight;
    l2->class = (enum space_class)repeated->class;
    l2->owner = SPACE_CELLS_MANY;
    return true;
}

static int give_l2(struct space_refs *refs, const struct space_named_l2 *l2, uint32_t l1_index)
{
    return refs->sink->l2(refs->sink->context, l2, l1_index);
}

static int give_entries_as_named(struct space_refs *refs, const struct space_named_l2 *named,
                                 uint32_t l1_index)
{
    const struct space_refs_sink *sink = refs->sink;

    if (sink->wants_data != NULL && !sink->wants_data(sink->context, named))
        return 0;
    return queue(refs, named, l1_index);
}

/* Once for all who name it. */
static int give_entries(struct space_refs *refs, const struct space_named_l2 *named,
                        uint32_t l1_index)
{
    struct space_named_l2 l2;

    return turn_of(refs, named, &l2) ? give_entries_as_named(refs, &l2, l1_index) : 0;
}

int space_refs_l2(struct space_refs *refs, const struct space_refs_sink *sink, struct err *err)
{
    size_t n_groups = n_groups_of(refs);
    int ret = 0;

    begin_walk(refs, sink, err);
    for (size_t group = 0; group < n_groups && ret == 0; group++) {
        ret = take_group(refs, group, give_l2);
        if (ret == 0)
            leave_out(refs, refs->naming.left_out, refs->naming.untold);
    }
    return ret;
}

int space_refs_data(struct space_refs *refs, const struct space_refs_sink *sink, struct err *err)
{
    size_t n_groups = n_groups_of(refs);
    int ret = 0;

    begin_walk(refs, sink, err);
    for (size_t group = 0; group < n_groups && ret == 0; group++) {
        ret = take_group(refs, group, give_entries);
        if (ret == 0)
            ret = drain(refs); /* while the group is open */
    }
    return ret;
}

int space_refs_data_of(struct space_refs *refs, size_t number, uint32_t first, uint32_t end,
                       const struct space_refs_sink *sink, struct err *err)
{
    int ret;

    begin_walk(refs, sink, err);
    close_group(refs);
    ret = space_naming_open(&refs->naming, refs->image, &refs->tables[number], 1, number, err);
    if (ret == 0) {
        space_naming_rewind_to(&refs->naming, first, end);
        ret = take_named_from(refs, give_entries_as_named);
    }
    if (ret == 0)
        ret = drain(refs);
    close_group(refs);
    return ret;
}

uint64_t space_refs_l1_word(const struct space_refs *refs, uint32_t number, uint32_t l1_index)
{
    return refs->tables[number].l1_off + 8 * (uint64_t)l1_index;
}

uint32_t space_refs_other(const struct space_refs *refs, const struct space_named_l2 *l2,
                          uint32_t number)
{
    return space_naming_other(&refs->naming, l2, number);
}

uint64_t space_refs_work_bytes(const struct space_refs *refs)
{
    return refs->work_bytes;
}

/* ---- the tables ---- */

size_t space_refs_n_tables(const struct space_refs *refs)
{
    return refs->n_tables;
}

const struct space_l1_table *space_refs_table(const struct space_refs *refs, size_t number)
{
    return &refs->tables[number];
}

static struct space_l1_table l1_table_of(const struct space_refs *refs, size_t snapshot)
{
    struct tables_table table = tables_table_of_snapshot(refs->image, snapshot);
    uint64_t on_disk = format_l1_needed(&refs->image->header, table.virtual_bytes);
    const bool *told = refs->options.told;

    return (struct space_l1_table){
        .l1_off = table.l1_off,
        .l1_entries = table.l1_entries,
        .on_disk = on_disk < table.l1_entries ? (uint32_t)on_disk : table.l1_entries,
        .disk_clusters = div_round_up(table.virtual_bytes, refs->image->header.cluster_bytes),
        .snapshot = snapshot,
        .told = told != NULL && told[snapshot == TABLES_TABLE_ACTIVE ? 0 : snapshot + 1],
    };
}

static int list_tables(struct space_refs *refs, struct err *err)
{
    const struct format_snapshots *snapshots = &refs->image->snapshots;
    uint64_t n_entries = refs->image->header.l1_entries;

    refs->tables = calloc(snapshots->n_list + 1, sizeof(*refs->tables));
    if (refs->tables == NULL)
        return err_no_memory(err);
    refs->tables[refs->n_tables++] = l1_table_of(refs, TABLES_TABLE_ACTIVE);
    for (size_t i = 0; i < snapshots->n_list; i++) {
        const struct format_snapshot *snapshot = &snapshots->list[i];

        if (!snapshot->readable)
            continue;
        n_entries += snapshot->l1_entries;
        refs->tables[refs->n_tables++] = l1_table_of(refs, i);
    }
    return n_entries > L1_ENTRIES_MAX ? -EFBIG : 0;
}

int space_refs_new(struct format_image *image, const struct space_refs_options *options,
                   struct space_refs **made, struct err *err)
{
    struct space_refs *refs = calloc(1, sizeof(*refs));
    int ret;

    if (refs == NULL)
        return err_no_memory(err);
    refs->image = image;
    refs->options = *options;
    refs->rules = format_image_rules(image);
    refs->open_group = SIZE_MAX;
    refs->fetch.io = image->io;
    refs->fetch.file_bytes = image->file_bytes;
    refs->fetch.deliver = deliver;
    refs->fetch.context = refs;
    ret = list_tables(refs, err);
    if (ret == 0 && tables_fetch_init(&refs->fetch) < 0)
        ret = err_no_memory(err);
    if (ret < 0)
        space_refs_free(refs);
    else
        *made = refs;
    return ret;
}

void space_refs_free(struct space_refs *refs)
{
    if (refs == NULL)
        return;
    close_group(refs);
    tables_fetch_free(&refs->fetch);
    free(refs->tables);
    free(refs);
}

// SPDX-License-Identifier: MIT
// Runs the steps of a fixture: which host cluster everything gets, and how often it is referenced.
//
// The story is told in order, as QEMU would write: an L2 table is allocated just before the first
// data in it, a table shared with a snapshot is copied before it is changed. The allocator goes
// upwards only, around every place that some line names explicitly. Mappings stay ranges
// (pieces of a step), so that a 64 TiB disk costs no array of its clusters.

#include "mkqcow2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What the survey notes about an L1 entry: a table will be needed; the fixture places it itself.
enum { USED = 1, USED_ELSEWHERE = 2 };

// ---- allocation ---------------------------------------------------------------------------

static void reserve(struct image *image, uint64_t first, uint64_t end)
{
    image->reserved = grow(image->reserved, image->n_reserved, sizeof(*image->reserved));
    image->reserved[image->n_reserved++] = (struct range){first, end};
    if (end > image->end_cluster)
        image->end_cluster = end;
}

static void reserve_step(struct image *image, const struct step *step)
{
    uint64_t n_items = (step->guest_last - step->guest_first) / step->every + 1;
    uint64_t far, low, high;

    if (!step->placed)
        return;
    if (step->kind == STEP_COMPRESSED) {
        uint64_t pitch = step->stride > 0 ? (uint64_t)step->stride : step->blob_max_bytes;

        if (step->stride < 0)
            die(image, step->line, "blobs cannot go downwards in one line");
        if (pitch > (1ull << 56) / n_items)
            die(image, step->line, "the blobs leave the file");
        low = step->blob_off >> image->cluster_bits;
        high = (step->blob_off + pitch * (n_items - 1) + step->blob_max_bytes - 1) >>
               image->cluster_bits;
    } else {
        if (step->kind != STEP_L2 && image->incompatible >> INCOMPATIBLE_DATA_FILE & 1)
            return;
        far = step->kind == STEP_L2 ? step->host
              : step->reversed      ? step->host + n_items - 1
                                    : step->host + (uint64_t)step->stride * (n_items - 1);
        low = far < step->host ? far : step->host;
        high = far < step->host ? step->host : far;
    }
    reserve(image, low, high + 1);
}

static int range_compare(const void *left, const void *right)
{
    const struct range *a = left, *b = right;

    return a->first < b->first ? -1 : a->first > b->first;
}

// How many free clusters there are at the cursor, which moves out of reserved places.
static uint64_t stretch(struct image *image)
{
    while (image->at_reserved < image->n_reserved) {
        const struct range *range = &image->reserved[image->at_reserved];

        if (range->first > image->cursor)
            return range->first - image->cursor;
        if (range->end > image->cursor)
            image->cursor = range->end;
        image->at_reserved++;
    }
    return HOST_CLUSTERS_MAX - image->cursor;
}

static uint64_t take(struct image *image, uint64_t n_clusters)
{
    uint64_t host = image->cursor;

    if (n_clusters > HOST_CLUSTERS_MAX - host)
        die(image, 0, "the host file has no room for that");
    image->cursor += n_clusters;
    if (image->cursor > image->end_cluster)
        image->end_cluster = image->cursor;
    return host;
}

static uint64_t allocate(struct image *image, uint64_t n_clusters)
{
    while (stretch(image) < n_clusters && image->at_reserved < image->n_reserved)
        image->cursor = image->reserved[image->at_reserved].end;
    return take(image, n_clusters);
}

// As many clusters as follow one another, at most n_clusters. With refblocks inline this is where
// the first cluster of each refcount block's range becomes that block.
static uint64_t allocate_some(struct image *image, uint64_t n_clusters, uint64_t *n_got)
{
    uint64_t room = stretch(image), left;

    if (image->refblocks_inline && !image->no_refcounts) {
        uint64_t block = image->cursor / image->block_entries;

        if (image->cursor % image->block_entries == 0 && block < REFTABLE_BYTES_MAX / 8 &&
            !image->refblocks[block]) {
            image->refblocks[block] = take(image, 1);
            refs_add(image, image->refblocks[block], 1, 1);
            return allocate_some(image, n_clusters, n_got);
        }
        left = image->block_entries - image->cursor % image->block_entries;
        room = room < left ? room : left;
    }
    *n_got = room < n_clusters ? room : n_clusters;
    return take(image, *n_got);
}

static uint64_t allocate_one(struct image *image)
{
    uint64_t n_got;

    return allocate_some(image, 1, &n_got);
}

static uint64_t allocate_metadata(struct image *image, uint64_t n_bytes)
{
    uint64_t n_clusters = divide_up(n_bytes, image->cluster_bytes);
    uint64_t host = allocate(image, n_clusters);

    if (!image->no_refcounts)
        refs_add(image, host, n_clusters, 1);
    return host;
}

// ---- tables and pieces --------------------------------------------------------------------

static uint32_t table_new(struct image *image, uint64_t host)
{
    if (image->n_tables == image->room_tables) {
        image->room_tables = image->room_tables ? image->room_tables * 2 : 64;
        image->tables = resize(image->tables, image->room_tables * sizeof(*image->tables));
    }
    image->tables[image->n_tables] = (struct tables_table){.host = host, .n_refs = 1};
    return (uint32_t)image->n_tables++;
}

static uint32_t table_copy(struct image *image, uint32_t from)
{
    uint32_t to = table_new(image, allocate_one(image));
    struct tables_table *old = &image->tables[from], *new = &image->tables[to];

    old->n_refs--;
    if (old->n_pieces) {
        new->pieces = get(old->n_pieces * sizeof(*new->pieces));
        memcpy(new->pieces, old->pieces, old->n_pieces * sizeof(*new->pieces));
        new->n_pieces = new->room_pieces = old->n_pieces;
    }
    return to;
}

// The table of an L1 entry, ready to be changed: made if there is none, copied if it is shared.
static uint32_t table_for(struct image *image, const struct step *step, uint64_t slot)
{
    struct space *space = image->target;
    uint64_t front = 0;

    if (slot >= space->n_l1)
        die(image, step->line, "this snapshot's L1 table has %u entries, entry %llu is needed "
            "(say l1 N)", space->n_l1, (unsigned long long)slot);
    if (!space->l1[slot]) {
        if (space == &image->active && image->front_hosts)
            front = image->front_hosts[slot];
        space->l1[slot] = table_new(image, front ? front : allocate_one(image));
    } else if (image->tables[space->l1[slot]].n_refs > 1) {
        space->l1[slot] = table_copy(image, space->l1[slot]);
    }
    return space->l1[slot];
}

static void piece_add(struct image *image, uint32_t table_number, struct piece piece)
{
    struct tables_table *table = &image->tables[table_number];

    if (piece.n_items == 1u << image->l2_bits)
        table->n_pieces = 0;    // nothing older shows through
    if (table->n_pieces == table->room_pieces) {
        table->room_pieces = table->room_pieces ? table->room_pieces * 2 : 1;
        table->pieces = resize(table->pieces, table->room_pieces * sizeof(piece));
    }
    table->pieces[table->n_pieces++] = piece;
}

// ---- steps that map -----------------------------------------------------------------------

static uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;      // splitmix64

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static uint64_t random_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((unsigned __int128)random_next(state) * n >> 64);
}

// A last group that is not whole keeps its place at the end.
static void order_shuffle(struct step *step, uint64_t n_items)
{
    uint64_t n_groups = n_items / step->group_clusters, state = step->seed;

    step->order = get((n_groups + 1) * sizeof(*step->order));
    for (uint64_t i = 0; i <= n_groups; i++)
        step->order[i] = (uint32_t)i;
    for (uint64_t i = n_groups; i > 1; i--) {
        uint64_t j = random_below(&state, i);
        uint32_t swap = step->order[i - 1];

        step->order[i - 1] = step->order[j];
        step->order[j] = swap;
    }
}

static void blob_entry(struct image *image, struct step *step, uint64_t i, uint64_t off,
                       uint64_t n_bytes)
{
    unsigned shift = 70 - image->cluster_bits;
    uint64_t n_more = (off + n_bytes - 1) / 512 - off / 512;

    if (n_more >> (image->cluster_bits - 8) || off >> (shift < 56 ? shift : 56))
        die(image, step->line, "a blob of %llu bytes at %llu does not fit in an entry",
            (unsigned long long)n_bytes, (unsigned long long)off);
    step->values[i] = ENTRY_COMPRESSED | n_more << shift | off;
}

// Where QEMU's allocator would put a blob: behind the last one, into the next cluster too if that
// one follows, else at the beginning of a new cluster.
static uint64_t blob_place(struct image *image, uint64_t n_bytes)
{
    uint64_t cluster_bytes = image->cluster_bytes, off = image->blob_next_off, fresh;

    if (off && image->n_blobs_in_cluster >= image->refcount_max)
        off = 0;
    if (!off || cluster_bytes - off % cluster_bytes < n_bytes) {
        fresh = allocate_one(image) * cluster_bytes;
        if (!off || (off | (cluster_bytes - 1)) + 1 != fresh)
            off = fresh;
        image->n_blobs_in_cluster = 0;
    }
    image->n_blobs_in_cluster++;
    image->blob_next_off = (off + n_bytes) % cluster_bytes ? off + n_bytes : 0;
    return off;
}

static uint64_t blob_bytes(const struct step *step, uint64_t *state)
{
    uint64_t spread = step->blob_max_bytes - step->blob_min_bytes;

    return step->blob_min_bytes + (spread ? random_below(state, spread + 1) : 0);
}

// The blobs of one table's piece. `next` is where an explicitly placed one goes.
static void blobs_place(struct image *image, struct step *step, struct piece piece,
                        uint64_t *state, uint64_t *next)
{
    for (uint64_t i = piece.item; i < piece.item + piece.n_items; i++) {
        uint64_t n_bytes = blob_bytes(step, state);
        uint64_t off = step->placed ? *next : blob_place(image, n_bytes);

        blob_entry(image, step, i, off, n_bytes);
        *next = off + (step->stride ? (uint64_t)step->stride : n_bytes);
    }
}

// Data of one table at the cursor, in as many pieces as the free places make.
static void place_here(struct image *image, uint32_t table, struct piece piece)
{
    uint64_t n_left = piece.n_items, n_got;

    while (n_left) {
        piece.host = allocate_some(image, n_left, &n_got);
        piece.n_items = (uint32_t)n_got;
        piece_add(image, table, piece);
        piece.first += (uint32_t)(n_got * piece.step->every);
        piece.item += n_got;
        n_left -= n_got;
    }
}

// The host clusters of a step that cannot simply be taken at the cursor: all its tables come
// first, then one region for its data. Leaves the place of item 0.
static void region_place(struct image *image, struct step *step, uint64_t n_items)
{
    uint64_t width, low, first_slot = step->guest_first >> image->l2_bits;

    if (step->reversed)
        step->stride = -1;
    if (step->shuffled)
        order_shuffle(step, n_items);
    if (step->placed) {
        if (step->reversed)
            step->host += n_items - 1;
        return;
    }
    for (uint64_t slot = first_slot; slot <= step->guest_last >> image->l2_bits; slot++)
        if (step->every >> image->l2_bits == 0)
            table_for(image, step, slot);
    width = (n_items - 1) * (uint64_t)(step->stride < 0 ? -step->stride : step->stride) + 1;
    low = allocate(image, width);
    step->host = step->stride < 0 ? low + width - 1 : low;
    step->placed = true;
}

// Calls for each table a step touches with the piece that falls into it.
static bool piece_next(const struct image *image, struct step *step, struct piece *piece,
                       uint64_t *slot)
{
    uint64_t n_items = (step->guest_last - step->guest_first) / step->every + 1, guest, room;

    piece->step = step;
    piece->item += piece->n_items;
    if (piece->item >= n_items)
        return false;
    guest = step->guest_first + piece->item * step->every;
    *slot = guest >> image->l2_bits;
    piece->first = (uint32_t)(guest & ((1u << image->l2_bits) - 1));
    room = ((1u << image->l2_bits) - 1 - piece->first) / step->every + 1;
    piece->n_items = (uint32_t)(room < n_items - piece->item ? room : n_items - piece->item);
    piece->host = step->host;
    if (!step->shuffled)
        piece->host += piece->item * (uint64_t)step->stride;
    return true;
}

static void run_mapping(struct image *image, struct step *step)
{
    bool data_file = image->incompatible >> INCOMPATIBLE_DATA_FILE & 1;
    bool holds = step->kind == STEP_MAP || step->kind == STEP_ZERO_ALLOC;
    uint64_t n_items = (step->guest_last - step->guest_first) / step->every + 1, slot;
    uint64_t state = step->seed, next = step->blob_off;
    struct piece piece = {0};

    if (holds && data_file && !step->placed) {
        step->host = step->guest_first;     // a data file is the disk itself
        step->stride = (int64_t)step->every;
        step->placed = true;
    }
    if (holds && (step->placed || step->stride != 1 || step->reversed || step->shuffled))
        region_place(image, step, n_items);
    if (step->kind == STEP_COMPRESSED)
        step->values = get(n_items * sizeof(*step->values));
    while (piece_next(image, step, &piece, &slot)) {
        if (step->kind == STEP_UNMAP &&
            (slot >= image->target->n_l1 || !image->target->l1[slot]))
            continue;
        uint32_t table = table_for(image, step, slot);

        if (step->kind == STEP_COMPRESSED)
            blobs_place(image, step, piece, &state, &next);
        if (holds && !step->placed)
            place_here(image, table, piece);
        else
            piece_add(image, table, piece);
    }
}

// l2 GUEST: tables without mappings.
static void run_l2(struct image *image, const struct step *step)
{
    struct space *space = image->target;

    for (uint64_t slot = step->guest_first >> image->l2_bits;
         slot <= step->guest_last >> image->l2_bits; slot++) {
        if (!step->placed) {
            table_for(image, step, slot);
            continue;
        }
        if (slot >= space->n_l1 || space->l1[slot])
            die(image, step->line, "this L2 table lies somewhere already");
        space->l1[slot] = table_new(image, step->host);
    }
}

// ---- snapshots ----------------------------------------------------------------------------

static void run_snapshot(struct image *image, struct step *step)
{
    struct snapshot *snapshot = step->snapshot;
    struct space *space = &snapshot->space;
    uint64_t n_disk = divide_up(image->disk_clusters, 1ull << image->l2_bits);
    uint32_t n_l1 = image->active.n_l1;
    char id[32];

    image->snapshots = grow(image->snapshots, image->n_snapshots, sizeof(snapshot));
    image->snapshots[image->n_snapshots++] = snapshot;
    if (!snapshot->id.bytes) {
        snapshot->id.n_bytes = (size_t)snprintf(id, sizeof(id), "%zu", image->n_snapshots);
        snapshot->id.bytes = line_text_copy(id, strlen(id)).bytes;
    }
    if (!snapshot->disk_given)
        snapshot->disk_bytes = image->size_bytes;
    while (n_l1 > n_disk && !image->active.l1[n_l1 - 1])
        n_l1--;
    space->n_l1 = snapshot->l1_given ? snapshot->n_l1 : n_l1;
    space->l1 = get_zeroed((size_t)space->n_l1 + 1, sizeof(*space->l1));
    if (space->n_l1)
        space->host = allocate_metadata(image, space->n_l1 * 8ull);
    for (uint32_t i = 0; i < space->n_l1 && i < image->active.n_l1 && !snapshot->empty; i++) {
        space->l1[i] = image->active.l1[i];
        if (space->l1[i])
            image->tables[space->l1[i]].n_refs++;
    }
}

// Writes runs of guest clusters anew, at places that are multiples of the run's length.
static void change_some(struct image *image, struct step *from, uint64_t *state)
{
    uint64_t n_clusters = from->guest_last - from->guest_first + 1;
    uint64_t run = from->run_clusters < n_clusters ? from->run_clusters : n_clusters;
    uint64_t n_left = (uint64_t)((double)n_clusters * from->change_percent / 100);

    while (n_left) {
        struct step *change = get_zeroed(1, sizeof(*change));
        uint64_t n = n_left < run ? n_left : run;

        *change = (struct step){.kind = STEP_MAP, .line = from->line, .every = 1, .stride = 1};
        change->guest_first = from->guest_first + random_below(state, n_clusters / run) * run;
        change->guest_last = change->guest_first + n - 1;
        image->steps = grow(image->steps, image->n_steps, sizeof(change));
        image->steps[image->n_steps++] = change;    // tables point to it from now on
        run_mapping(image, change);
        n_left -= n;
    }
}

static void run_snapshots(struct image *image, struct step *step)
{
    uint64_t state = step->seed;
    size_t room = step->name.n_bytes + 24;

    for (uint64_t i = 1; i <= step->n_snapshots; i++) {
        struct snapshot *snapshot = get_zeroed(1, sizeof(*snapshot));

        *snapshot = (struct snapshot){.extra_bytes = 24, .icount = UINT64_MAX};
        snapshot->name.bytes = get(room);
        snapshot->name.n_bytes = (size_t)snprintf(snapshot->name.bytes, room, "%s%llu",
                                                  step->name.bytes, (unsigned long long)i);
        step->snapshot = snapshot;
        run_snapshot(image, step);
        change_some(image, step, &state);
    }
}

static void run_in(struct image *image, const struct step *step)
{
    image->target = strcmp(step->name.bytes, "active") == 0 ? &image->active : NULL;
    for (size_t i = 0; i < image->n_snapshots && !image->target; i++)
        if (strcmp(step->name.bytes, image->snapshots[i]->name.bytes) == 0)
            image->target = &image->snapshots[i]->space;
    if (!image->target)
        die(image, step->line, "no snapshot '%s' was taken before this line", step->name.bytes);
}

// ---- the story ----------------------------------------------------------------------------

static void run_step(struct image *image, struct step *step)
{
    switch (step->kind) {
    case STEP_MAP:
    case STEP_ZERO:
    case STEP_ZERO_ALLOC:
    case STEP_UNMAP:
    case STEP_COMPRESSED:
    case STEP_RAW:
        run_mapping(image, step);
        break;
    case STEP_L2:
        run_l2(image, step);
        break;
    case STEP_NEXT:
        if (step->host < image->cursor)
            die(image, step->line, "the next free cluster is %llu already",
                (unsigned long long)image->cursor);
        image->cursor = step->host;
        break;
    case STEP_SKIP:
        allocate(image, step->host);
        break;
    case STEP_LEAK:
        allocate_metadata(image, step->host << image->cluster_bits);
        break;
    case STEP_SNAPSHOT:
        run_snapshot(image, step);
        break;
    case STEP_SNAPSHOTS:
        run_snapshots(image, step);
        break;
    case STEP_IN:
        run_in(image, step);
        break;
    }
}

// What must be known before the first cluster is given away: reserved places, the length of the
// active L1 table, and (l2-tables front) which of its entries will be used.
static void survey(struct image *image, unsigned char **used)
{
    uint64_t n_l1 = divide_up(image->disk_clusters, 1ull << image->l2_bits);
    bool active = true;

    *used = get_zeroed(L1_ENTRIES_MAX, 1);
    if (image->l1_asked > n_l1)
        n_l1 = image->l1_asked;
    for (size_t i = 0; i < image->n_steps; i++) {
        const struct step *step = image->steps[i];
        bool maps = step->kind <= STEP_L2;

        reserve_step(image, step);
        if (step->kind == STEP_IN)
            active = strcmp(step->name.bytes, "active") == 0;
        if (!maps || !active || step->kind == STEP_UNMAP)
            continue;
        if (step->guest_last >> image->l2_bits >= n_l1)
            n_l1 = (step->guest_last >> image->l2_bits) + 1;
        for (uint64_t guest = step->guest_first; guest <= step->guest_last;) {
            unsigned char *slot = &(*used)[guest >> image->l2_bits];
            uint64_t in_table = 1ull << image->l2_bits;

            *slot |= step->kind == STEP_L2 && step->placed ? USED_ELSEWHERE : USED;
            guest += in_table > step->every ? in_table - guest % in_table : step->every;
        }
    }
    image->active.n_l1 = (uint32_t)n_l1;
    image->active.l1 = get_zeroed(n_l1 + 1, sizeof(*image->active.l1));
}

static void place_front(struct image *image, const unsigned char *used)
{
    image->cursor = 1;
    image->reftable_host = allocate(image, image->reftable_clusters);
    if (!image->no_refcounts) {
        refs_add(image, 0, 1, 1);
        image->refblocks[0] = allocate_metadata(image, 1);
    }
    image->active.host = image->l1_at;
    if (!image->l1_at)
        image->active.host = allocate_metadata(image, image->active.n_l1 * 8ull);
    else if (!image->no_refcounts)
        refs_add(image, image->l1_at, divide_up(image->active.n_l1 * 8ull, image->cluster_bytes),
                 1);
    if (image->luks_bytes)
        image->luks_host = allocate_metadata(image, image->luks_bytes);
    if (!image->l2_front)
        return;
    image->front_hosts = get_zeroed(image->active.n_l1 + 1, sizeof(*image->front_hosts));
    for (uint32_t slot = 0; slot < image->active.n_l1; slot++)
        if (used[slot] == USED)
            image->front_hosts[slot] = allocate_one(image);
}

// ---- what comes last ----------------------------------------------------------------------

static void place_snapshot_table(struct image *image)
{
    uint64_t off = 0;

    for (size_t i = 0; i < image->n_snapshots; i++) {
        struct snapshot *snapshot = image->snapshots[i];

        off = divide_up(off, 8) * 8;
        snapshot->entry_off = off;
        off += 40 + snapshot->extra_bytes + snapshot->id.n_bytes + snapshot->name.n_bytes;
    }
    image->snapshot_table_bytes = off;
    if (off)
        image->snapshot_table_host = allocate_metadata(image, off);
}

static void place_bitmaps(struct image *image)
{
    uint64_t cluster_bits = image->cluster_bytes * 8, off = 0;

    for (size_t i = 0; i < image->n_bitmaps; i++) {
        struct bitmap *bitmap = &image->bitmaps[i];
        uint64_t n_bits = divide_up(image->size_bytes, 1ull << bitmap->granularity_bits);

        bitmap->n_table = divide_up(n_bits, cluster_bits);
        if (bitmap->n_data > bitmap->n_table)
            die(image, 0, "bitmap '%s' has %llu clusters of bits at most", bitmap->name.bytes,
                (unsigned long long)bitmap->n_table);
        if (bitmap->n_data)
            bitmap->data_host = allocate_metadata(image, bitmap->n_data * image->cluster_bytes);
        bitmap->host = allocate_metadata(image, bitmap->n_table * 8);
        bitmap->entry_off = off;
        off += divide_up(24 + bitmap->name.n_bytes, 8) * 8;
    }
    image->bitmap_dir_bytes = off;
    if (off)
        image->bitmap_dir_host = allocate_metadata(image, off);
}

// A table's entries, the later pieces over the earlier ones.
static void paint_piece(struct image *image, struct piece piece)
{
    const struct step *step = piece.step;
    struct paint *paint = &image->paint;
    bool extended = image->entry_words == 2;
    unsigned cluster_bits = image->cluster_bits;
    uint64_t group = step->group_clusters;

    for (uint64_t i = 0, at = piece.first; i < piece.n_items; i++, at += step->every) {
        uint64_t host = piece.host + i * (uint64_t)step->stride, item = piece.item + i;

        if (step->shuffled)
            host = piece.host + step->order[item / group] * group + item % group;
        paint->word1[at] = step->word1;
        paint->class[at] = ENTRY_PLAIN;
        switch (step->kind) {
        case STEP_ZERO_ALLOC:
            paint->class[at] = ENTRY_HOST;
            paint->word0[at] = host << cluster_bits | !extended;
            if (!step->word1_given)
                paint->word1[at] = 0xffffffffull << 32;
            break;
        case STEP_ZERO:
            paint->word0[at] = !extended;
            if (!step->word1_given)
                paint->word1[at] = 0xffffffffull << 32;
            break;
        case STEP_COMPRESSED:
            paint->class[at] = ENTRY_BLOB;
            paint->word0[at] = step->values[item];
            break;
        case STEP_RAW:
            paint->class[at] = step->counted ? ENTRY_RAW_COUNTED : ENTRY_PLAIN;
            paint->word0[at] = step->word0;
            break;
        case STEP_UNMAP:
            paint->class[at] = ENTRY_EMPTY;
            paint->word0[at] = 0;
            break;
        default:
            paint->class[at] = ENTRY_HOST;
            paint->word0[at] = host << cluster_bits;
            if (!step->word1_given)
                paint->word1[at] = 0xffffffffull;
        }
    }
}

void layout_paint(struct image *image, const struct tables_table *table)
{
    size_t n_entries = 1u << image->l2_bits;

    memset(image->paint.word0, 0, n_entries * sizeof(uint64_t));
    memset(image->paint.word1, 0, n_entries * sizeof(uint64_t));
    memset(image->paint.class, ENTRY_EMPTY, n_entries);
    for (uint32_t i = 0; i < table->n_pieces; i++)
        paint_piece(image, table->pieces[i]);
}

static void count_blob(struct image *image, uint64_t entry, uint64_t weight)
{
    unsigned shift = 70 - image->cluster_bits;
    uint64_t off = entry & ((1ull << shift) - 1) & ~511ull;
    uint64_t n_sectors = (entry >> shift & ((1ull << (image->cluster_bits - 8)) - 1)) + 1;
    uint64_t first = off >> image->cluster_bits;
    uint64_t last = (off + n_sectors * 512 - 1) >> image->cluster_bits;

    refs_add(image, first, last - first + 1, weight);
}

static void count_table(struct image *image, const struct tables_table *table)
{
    bool data_file = image->incompatible >> INCOMPATIBLE_DATA_FILE & 1;
    const struct paint *paint = &image->paint;

    refs_add(image, table->host, 1, table->n_refs);
    layout_paint(image, table);
    for (size_t i = 0; i < 1u << image->l2_bits; i++) {
        uint64_t entry = paint->word0[i];

        if (paint->class[i] <= ENTRY_PLAIN)
            continue;
        if (entry & ENTRY_COMPRESSED)
            count_blob(image, entry, table->n_refs);
        else if (!data_file && (entry & ENTRY_OFFSET_MASK))
            refs_add(image, (entry & ENTRY_OFFSET_MASK) >> image->cluster_bits, 1, table->n_refs);
    }
}

// Refcount blocks count themselves, so each may need another; it ends because a block covers more
// clusters than one.
static void place_refblocks(struct image *image)
{
    refs_flush(image);
    for (uint64_t block = 0; block < image->n_refblocks; block++) {
        if (!image->refblock_needed[block] || image->refblocks[block])
            continue;
        image->refblocks[block] = allocate_metadata(image, 1);
        refs_flush(image);
        if (image->refblocks[block] / image->block_entries < block)
            block = image->refblocks[block] / image->block_entries - 1;
    }
}

// The refcount table stays where it is if it is long enough; else it moves to the end.
static void place_reftable(struct image *image)
{
    uint64_t per_cluster = image->cluster_bytes / 8, n = image->reftable_clusters;

    place_refblocks(image);
    if (image->n_refblocks > n * per_cluster) {
        n = divide_up(image->n_refblocks, per_cluster) + 1;
        n += divide_up(n, per_cluster * image->block_entries);
        image->reftable_clusters = n;
        image->reftable_host = allocate(image, n);
    }
    refs_add(image, image->reftable_host, n, 1);
    place_refblocks(image);
    if (image->n_refblocks > n * per_cluster || n * image->cluster_bytes > REFTABLE_BYTES_MAX)
        die(image, 0, "the refcount table would be too large");
}

static void count_references(struct image *image)
{
    for (size_t i = 1; i < image->n_tables; i++)
        if (image->tables[i].n_refs)
            count_table(image, &image->tables[i]);
    for (size_t i = 0; i < image->n_overrides; i++)
        refs_add(image, image->overrides[i].host, 1, 0);
    place_reftable(image);
}

void layout_image(struct image *image)
{
    size_t n_entries = 1u << image->l2_bits, n_steps = image->n_steps;
    unsigned char *used;

    image->refblocks = get_zeroed(REFTABLE_BYTES_MAX / 8, sizeof(*image->refblocks));
    image->refblock_needed = get_zeroed(REFTABLE_BYTES_MAX / 8, 1);
    image->paint.word0 = get(n_entries * sizeof(uint64_t));
    image->paint.word1 = get(n_entries * sizeof(uint64_t));
    image->paint.class = get(n_entries);
    survey(image, &used);
    if (image->l1_at)
        reserve(image, image->l1_at, image->l1_at + divide_up(image->active.n_l1 * 8ull,
                                                              image->cluster_bytes));
    if (image->n_reserved)
        qsort(image->reserved, image->n_reserved, sizeof(*image->reserved), range_compare);
    table_new(image, 0);    // number 0 means none
    place_front(image, used);
    give_back(used);
    image->target = &image->active;
    for (size_t i = 0; i < n_steps; i++)
        run_step(image, image->steps[i]);
    place_snapshot_table(image);
    place_bitmaps(image);
    for (uint32_t i = 0; i < image->active.n_l1; i++)
        image->tables[image->active.l1[i]].active = true;
    if (!image->no_refcounts)
        count_references(image);
    image->file_bytes = image->end_cluster << image->cluster_bits;
}

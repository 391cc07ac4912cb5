// SPDX-License-Identifier: MIT
// Puts a laid out image into a file: header, L1 and L2 tables, snapshots, bitmaps, refcounts.
//
// What is all zeros is not written, so the file stays as sparse as it can be. Tables are made one
// at a time and written in large pieces.

#include "mkqcow2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20 };

// ---- bytes --------------------------------------------------------------------------------

static void store(unsigned char *at, uint64_t value, unsigned width_bytes)
{
    while (width_bytes--) {
        at[width_bytes] = (unsigned char)value;
        value >>= 8;
    }
}

static struct {
    unsigned char bytes[BUFFER_BYTES];
    size_t n_bytes;
    uint64_t off;
} buffer;

static void out_flush(const struct image *image, int fd)
{
    for (size_t done = 0; done < buffer.n_bytes;) {
        ssize_t n = pwrite(fd, buffer.bytes + done, buffer.n_bytes - done,
                           (off_t)(buffer.off + done));

        if (n <= 0)
            die(image, 0, "the image cannot be written: %m");
        done += (size_t)n;
    }
    buffer.n_bytes = 0;
}

static void out(const struct image *image, int fd, uint64_t off, const void *bytes, size_t n_bytes)
{
    const unsigned char *from = bytes;

    if (n_bytes && !from[0] && memcmp(from, from + 1, n_bytes - 1) == 0)
        return;
    while (n_bytes) {
        size_t n = BUFFER_BYTES - buffer.n_bytes;

        if (!n || off != buffer.off + buffer.n_bytes) {
            out_flush(image, fd);
            buffer.off = off;
            n = BUFFER_BYTES;
        }
        n = n < n_bytes ? n : n_bytes;
        memcpy(buffer.bytes + buffer.n_bytes, from, n);
        buffer.n_bytes += n;
        from += n;
        off += n;
        n_bytes -= n;
    }
}

// ---- header -------------------------------------------------------------------------------

static uint64_t header_extension(struct image *image, uint64_t at, struct extension *extension)
{
    uint64_t end = at + 8 + divide_up(extension->data.n_bytes, 8) * 8;

    if (end > image->cluster_bytes)
        die(image, 0, "the header extensions do not fit in the first cluster");
    store(image->header + at, extension->magic, 4);
    store(image->header + at + 4, extension->data.n_bytes, 4);
    memcpy(image->header + at + 8, extension->data.bytes, extension->data.n_bytes);
    extension->off = at;
    return end;
}

static void extension_add(struct image *image, uint32_t magic, const void *bytes, size_t n_bytes)
{
    struct extension *extension;

    image->extensions = grow(image->extensions, image->n_extensions, sizeof(*extension));
    extension = &image->extensions[image->n_extensions++];
    *extension = (struct extension){.magic = magic};
    extension->data.bytes = get(n_bytes + 1);
    extension->data.n_bytes = n_bytes;
    memcpy(extension->data.bytes, bytes, n_bytes);
}

static void extension_feature_table(struct image *image)
{
    static const struct {
        unsigned char kind, bit;
        const char *name;
    } names[] = {
        {0, 0, "dirty bit"}, {0, 1, "corrupt bit"}, {0, 2, "external data file"},
        {0, 3, "compression type"}, {0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
        {2, 0, "bitmaps"}, {2, 1, "raw external data"},
    };
    unsigned char table[48 * 8] = {0};

    for (size_t i = 0; i < 8; i++) {
        table[48 * i] = names[i].kind;
        table[48 * i + 1] = names[i].bit;
        memcpy(table + 48 * i + 2, names[i].name, strlen(names[i].name));
    }
    extension_add(image, 0x6803f857, table, sizeof(table));
}

// The extensions that settings imply come before those spelled out, in QEMU's order.
static void extensions_complete(struct image *image)
{
    struct extension *own = image->extensions;
    size_t n_own = image->n_extensions;
    unsigned char bytes[24] = {0};

    image->extensions = NULL;
    image->n_extensions = 0;
    if (image->backing_format.bytes)
        extension_add(image, 0xe2792aca, image->backing_format.bytes,
                      image->backing_format.n_bytes);
    if (image->has_data_file_name)
        extension_add(image, 0x44415441, image->data_file.bytes, image->data_file.n_bytes);
    if (image->luks_bytes) {
        store(bytes, image->luks_host << image->cluster_bits, 8);
        store(bytes + 8, image->luks_bytes, 8);
        extension_add(image, 0x0537be77, bytes, 16);
    }
    if (image->feature_table)
        extension_feature_table(image);
    if (image->n_bitmaps) {
        memset(bytes, 0, sizeof(bytes));
        store(bytes, image->n_bitmaps, 4);
        store(bytes + 8, image->bitmap_dir_bytes, 8);
        store(bytes + 16, image->bitmap_dir_host << image->cluster_bits, 8);
        extension_add(image, 0x23852875, bytes, 24);
    }
    for (size_t i = 0; i < n_own; i++)
        extension_add(image, own[i].magic, own[i].data.bytes, own[i].data.n_bytes);
    for (size_t i = 0; i < n_own; i++)
        give_back(own[i].data.bytes);
    give_back(own);
}

static void header_fields(struct image *image, unsigned length)
{
    unsigned char *header = image->header;
    unsigned cluster_bits = image->cluster_bits;

    memcpy(header, "QFI\xfb", 4);
    store(header + 4, image->version, 4);
    store(header + 20, cluster_bits, 4);
    store(header + 24, image->size_bytes, 8);
    store(header + 32, image->crypt_method, 4);
    store(header + 36, image->active.n_l1, 4);
    store(header + 40, image->active.host << cluster_bits, 8);
    store(header + 48, image->reftable_host << cluster_bits, 8);
    store(header + 56, image->reftable_clusters, 4);
    store(header + 60, image->n_snapshots, 4);
    store(header + 64, image->snapshot_table_host << cluster_bits, 8);
    if (image->version < 3)
        return;
    store(header + 72, image->incompatible, 8);
    store(header + 80, image->compatible, 8);
    store(header + 88, image->autoclear, 8);
    store(header + 96, image->refcount_order, 4);
    store(header + 100, length, 4);
    if (length > 104)
        store(header + 104, image->compression, 1);
}

void write_header(struct image *image)
{
    unsigned length = image->header_length ? image->header_length : 112;
    uint64_t at;

    if (image->version < 3)
        length = 72;
    if (length > image->cluster_bytes)
        die(image, 0, "the header does not fit in the first cluster");
    image->header = get_zeroed(1, image->cluster_bytes + 8);
    header_fields(image, length);
    extensions_complete(image);
    at = length;
    for (size_t i = 0; i < image->n_extensions; i++)
        at = header_extension(image, at, &image->extensions[i]);
    if (!image->backing.bytes)
        return;
    at += at + 8 <= image->cluster_bytes ? 8 : 0;   // the end mark
    if (at + image->backing.n_bytes > image->cluster_bytes)
        die(image, 0, "the backing file name does not fit in the first cluster");
    memcpy(image->header + at, image->backing.bytes, image->backing.n_bytes);
    image->backing_off = at;
    store(image->header + 8, at, 8);
    store(image->header + 16, image->backing.n_bytes, 4);
}

// ---- tables -------------------------------------------------------------------------------

static void write_l1(const struct image *image, int fd, const struct space *space)
{
    size_t n_bytes = space->n_l1 * sizeof(uint64_t);
    unsigned char *bytes = get_zeroed(1, n_bytes + 1);

    for (uint32_t i = 0; i < space->n_l1; i++) {
        const struct tables_table *table = &image->tables[space->l1[i]];
        uint64_t entry = table->host << image->cluster_bits;

        if (space->l1[i] && space == &image->active &&
            (image->no_refcounts ? table->n_refs : refs_get(table->host)) == 1)
            entry |= ENTRY_COPIED;
        store(bytes + i * sizeof(entry), entry, sizeof(entry));
    }
    out(image, fd, space->host << image->cluster_bits, bytes, n_bytes);
    give_back(bytes);
}

// COPIED is set where the active table alone references a cluster. A snapshot's own tables lost
// the bit when the snapshot was taken.
static bool is_copied(const struct image *image, const struct tables_table *table, uint64_t entry)
{
    if (!table->active)
        return false;
    if (image->incompatible >> INCOMPATIBLE_DATA_FILE & 1)
        return true;
    if (image->no_refcounts)
        return table->n_refs == 1;
    return refs_get((entry & ENTRY_OFFSET_MASK) >> image->cluster_bits) == 1;
}

static void write_table(struct image *image, int fd, const struct tables_table *table,
                        unsigned char *bytes)
{
    const struct paint *paint = &image->paint;
    unsigned width = 8 * image->entry_words;

    layout_paint(image, table);
    for (size_t i = 0; i < 1u << image->l2_bits; i++) {
        uint64_t entry = paint->word0[i];

        if (paint->class[i] == ENTRY_HOST && is_copied(image, table, entry))
            entry |= ENTRY_COPIED;
        entry = __builtin_bswap64(entry);
        memcpy(bytes + i * width, &entry, 8);
        if (width == 16) {
            entry = __builtin_bswap64(paint->word1[i]);
            memcpy(bytes + i * width + 8, &entry, 8);
        }
    }
    out(image, fd, table->host << image->cluster_bits, bytes, image->cluster_bytes);
}

// fill: a text with the number of the host cluster, 32 bytes a line, all over each data cluster.
static void fill_table(struct image *image, int fd, const struct tables_table *table,
                       unsigned char *bytes)
{
    char text[40];

    layout_paint(image, table);
    for (size_t i = 0; i < 1u << image->l2_bits; i++) {
        uint64_t off = image->paint.word0[i] & ENTRY_OFFSET_MASK;

        if (image->paint.class[i] != ENTRY_HOST)
            continue;
        snprintf(text, sizeof(text), "host cluster %018llu\n",
                 (unsigned long long)(off >> image->cluster_bits));
        for (size_t at = 0; at < image->cluster_bytes; at += 32)
            memcpy(bytes + at, text, 32);
        out(image, fd, off, bytes, image->cluster_bytes);
    }
}

static void write_snapshot_table(const struct image *image, int fd)
{
    unsigned char *bytes = get_zeroed(1, image->snapshot_table_bytes + 1);

    for (size_t i = 0; i < image->n_snapshots; i++) {
        const struct snapshot *snapshot = image->snapshots[i];
        unsigned char *at = bytes + snapshot->entry_off;
        unsigned char extra[24];
        size_t n_extra = snapshot->extra_bytes;

        store(at, snapshot->space.host << image->cluster_bits, 8);
        store(at + 8, snapshot->space.n_l1, 4);
        store(at + 12, snapshot->id.n_bytes, 2);
        store(at + 14, snapshot->name.n_bytes, 2);
        store(at + 16, snapshot->date_s, 4);
        store(at + 20, snapshot->date_ns, 4);
        store(at + 24, snapshot->clock_ns, 8);
        store(at + 32, snapshot->vm_state_bytes >> 32 ? 0 : snapshot->vm_state_bytes, 4);
        store(at + 36, n_extra, 4);
        store(extra, snapshot->vm_state_bytes, 8);
        store(extra + 8, snapshot->disk_bytes, 8);
        store(extra + 16, snapshot->icount, 8);
        memset(at + 40, 0xee, n_extra);     // what lies behind the known part
        memcpy(at + 40, extra, n_extra < sizeof(extra) ? n_extra : sizeof(extra));
        memcpy(at + 40 + n_extra, snapshot->id.bytes, snapshot->id.n_bytes);
        memcpy(at + 40 + n_extra + snapshot->id.n_bytes, snapshot->name.bytes,
               snapshot->name.n_bytes);
    }
    out(image, fd, image->snapshot_table_host << image->cluster_bits, bytes,
        image->snapshot_table_bytes);
    give_back(bytes);
}

static void write_bitmap(const struct image *image, int fd, const struct bitmap *bitmap,
                         unsigned char *entry)
{
    unsigned char *bytes = get_zeroed(bitmap->n_table + 1, 8);

    for (uint64_t i = 0; i < bitmap->n_table; i++) {
        uint64_t host = bitmap->data_host + i;

        store(bytes + 8 * i, i < bitmap->n_data ? host << image->cluster_bits : bitmap->ones, 8);
    }
    out(image, fd, bitmap->host << image->cluster_bits, bytes, bitmap->n_table * 8);
    give_back(bytes);
    store(entry, bitmap->host << image->cluster_bits, 8);
    store(entry + 8, bitmap->n_table, 4);
    store(entry + 12, bitmap->flags, 4);
    entry[16] = 1;
    entry[17] = (unsigned char)bitmap->granularity_bits;
    store(entry + 18, bitmap->name.n_bytes, 2);
    memcpy(entry + 24, bitmap->name.bytes, bitmap->name.n_bytes);
}

static void write_bitmaps(const struct image *image, int fd)
{
    unsigned char *bytes = get_zeroed(1, image->bitmap_dir_bytes + 1);

    for (size_t i = 0; i < image->n_bitmaps; i++)
        write_bitmap(image, fd, &image->bitmaps[i], bytes + image->bitmaps[i].entry_off);
    out(image, fd, image->bitmap_dir_host << image->cluster_bits, bytes, image->bitmap_dir_bytes);
    give_back(bytes);
}

// ---- refcounts ----------------------------------------------------------------------------

static void write_refblock(const struct image *image, int fd, uint64_t block, unsigned char *bytes)
{
    unsigned n_bits = 1u << image->refcount_order;

    memset(bytes, 0, image->cluster_bytes);
    for (uint64_t i = 0; i < image->block_entries; i++) {
        uint64_t count = refs_get(block * image->block_entries + i);

        if (n_bits < 8)
            bytes[i * n_bits / 8] |= (unsigned char)(count << i * n_bits % 8);
        else
            store(bytes + i * n_bits / 8, count, n_bits / 8);
    }
    out(image, fd, image->refblocks[block] << image->cluster_bits, bytes, image->cluster_bytes);
}

static void write_refcounts(const struct image *image, int fd, unsigned char *cluster)
{
    size_t n_bytes = image->n_refblocks * sizeof(uint64_t);
    unsigned char *bytes = get_zeroed(1, n_bytes + 1);

    for (size_t i = 0; i < image->n_overrides; i++)
        refs_set(image->overrides[i].host, image->overrides[i].value);
    for (uint64_t i = 0; i < image->n_refblocks; i++) {
        store(bytes + 8 * i, image->refblocks[i] << image->cluster_bits, 8);
        if (image->refblocks[i])
            write_refblock(image, fd, i, cluster);
    }
    out(image, fd, image->reftable_host << image->cluster_bits, bytes, n_bytes);
    give_back(bytes);
}

void write_image(struct image *image, int fd)
{
    unsigned char *cluster = get(image->cluster_bytes);
    uint64_t n_bytes = image->file_bytes;

    // An image that is cut at once need not be possible on this file system before.
    if (image->n_edits && image->edits[0].kind == EDIT_TRUNCATE)
        n_bytes = image->edits[0].off < n_bytes ? image->edits[0].off : n_bytes;
    if (ftruncate(fd, (off_t)n_bytes) < 0)
        die(image, 0, "the image cannot have %llu bytes: %m", (unsigned long long)n_bytes);
    out(image, fd, 0, image->header, image->cluster_bytes);
    write_l1(image, fd, &image->active);
    for (size_t i = 0; i < image->n_snapshots; i++)
        write_l1(image, fd, &image->snapshots[i]->space);
    for (size_t i = 1; i < image->n_tables; i++)
        if (image->tables[i].n_refs)
            write_table(image, fd, &image->tables[i], cluster);
    for (size_t i = 1; i < image->n_tables && image->fill; i++)
        if (image->tables[i].n_refs)
            fill_table(image, fd, &image->tables[i], cluster);
    write_snapshot_table(image, fd);
    write_bitmaps(image, fd);
    if (!image->no_refcounts)
        write_refcounts(image, fd, cluster);
    out_flush(image, fd);
    give_back(cluster);
}

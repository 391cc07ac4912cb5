// SPDX-License-Identifier: MIT
// Damage and other changes to the finished file: poke, write, truncate, append.
//
// Offsets and values may name parts of the image; they are resolved before the file is made, so
// that a wrong name leaves nothing behind.

#include "mkqcow2.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- names of places ----------------------------------------------------------------------

static bool skip_word(const char **at, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*at, word, length) != 0)
        return false;
    *at += length;
    return true;
}

// "[expression]" at *at; false if there is none.
static bool take_index(struct image *image, int line, const char **at, line_symbol *symbol,
                       uint64_t n, uint64_t *index)
{
    if (**at != '[')
        return false;
    ++*at;
    *index = line_expression(image, line, at, symbol);
    if (*(*at)++ != ']')
        die(image, line, "a ']' is missing");
    if (*index >= n)
        die(image, line, "index %llu is too large: there are %llu", (unsigned long long)*index,
            (unsigned long long)n);
    return true;
}

static uint64_t must_index(struct image *image, int line, const char **at, line_symbol *symbol,
                           uint64_t n)
{
    uint64_t index;

    if (!take_index(image, line, at, symbol, n, &index))
        die(image, line, "an index in [] is expected at '%s'", *at);
    return index;
}

static const struct tables_table *table_at(struct image *image, int line, const struct space *space,
                                           uint64_t guest)
{
    uint64_t slot = guest >> image->l2_bits;

    if (slot >= space->n_l1 || !space->l1[slot])
        die(image, line, "guest cluster %llu has no L2 table", (unsigned long long)guest);
    return &image->tables[space->l1[slot]];
}

// l1, l1[i], l2[guest], l2table[guest], data[guest] of the active tables or a snapshot's.
static bool space_symbol(struct image *image, int line, const char **at,
                         const struct space *space, uint64_t *value)
{
    unsigned cluster_bits = image->cluster_bits;
    uint64_t index, entry;

    if (skip_word(at, "l1")) {
        *value = space->host << cluster_bits;
        if (take_index(image, line, at, NULL, space->n_l1, &index))
            *value += index * 8;
        return true;
    }
    bool table = skip_word(at, "l2table"), data = !table && skip_word(at, "data");

    if (!table && !data && !skip_word(at, "l2"))
        return false;
    uint64_t guest = must_index(image, line, at, parse_guest_symbol, UINT64_MAX);
    const struct tables_table *found = table_at(image, line, space, guest);

    guest &= (1ull << image->l2_bits) - 1;
    *value = found->host << cluster_bits;
    if (!table && !data)
        *value += guest * 8 * image->entry_words;
    if (data) {
        layout_paint(image, found);
        entry = image->paint.word0[guest];
        *value = entry & ENTRY_COMPRESSED ? entry & ((1ull << (70 - cluster_bits)) - 1)
                                          : entry & ENTRY_OFFSET_MASK;
    }
    return true;
}

static bool snapshot_symbol(struct image *image, int line, const char **at, uint64_t *value)
{
    uint64_t index;

    *value = image->snapshot_table_host << image->cluster_bits;
    if (!take_index(image, line, at, NULL, image->n_snapshots, &index))
        return true;
    *value += image->snapshots[index]->entry_off;
    if (skip_word(at, ".table") || **at != '.')
        return true;
    ++*at;
    return space_symbol(image, line, at, &image->snapshots[index]->space, value);
}

static bool bitmap_symbol(struct image *image, int line, const char **at, uint64_t *value)
{
    uint64_t index;

    *value = image->bitmap_dir_host << image->cluster_bits;
    if (!take_index(image, line, at, NULL, image->n_bitmaps, &index))
        return true;
    *value += image->bitmaps[index].entry_off;
    if (skip_word(at, ".table"))
        *value = image->bitmaps[index].host << image->cluster_bits;
    return true;
}

static bool refcount_symbol(struct image *image, int line, const char **at, uint64_t *value)
{
    unsigned cluster_bits = image->cluster_bits;
    uint64_t index;

    if (skip_word(at, "reftable")) {
        *value = image->reftable_host << cluster_bits;
        if (take_index(image, line, at, NULL, REFTABLE_BYTES_MAX / 8, &index))
            *value += index * 8;
        return true;
    }
    if (skip_word(at, "refblock")) {
        index = must_index(image, line, at, NULL, image->n_refblocks);
        *value = image->refblocks[index] << cluster_bits;
        return true;
    }
    if (skip_word(at, "ref")) {
        index = must_index(image, line, at, NULL, image->n_refblocks * image->block_entries);
        *value = image->refblocks[index / image->block_entries] << cluster_bits;
        *value += (index % image->block_entries << image->refcount_order) / 8;
        return true;
    }
    return false;
}

static bool any_symbol(struct image *image, int line, const char **at, uint64_t *value)
{
    *value = 0;
    if (skip_word(at, "header"))
        return true;
    if (skip_word(at, "backing")) {
        *value = image->backing_off;
        return true;
    }
    if (skip_word(at, "luks")) {
        *value = image->luks_host << image->cluster_bits;
        return true;
    }
    if (skip_word(at, "end")) {
        *value = image->file_bytes;
        return true;
    }
    if (skip_word(at, "ext")) {
        *value = image->extensions[must_index(image, line, at, NULL, image->n_extensions)].off;
        return true;
    }
    if (skip_word(at, "snap"))
        return snapshot_symbol(image, line, at, value);
    if (skip_word(at, "bitmap"))
        return bitmap_symbol(image, line, at, value);
    return refcount_symbol(image, line, at, value) ||
           space_symbol(image, line, at, &image->active, value);
}

// ---- edits --------------------------------------------------------------------------------

void edit_resolve(struct image *image)
{
    for (size_t i = 0; i < image->n_edits; i++) {
        struct edit *edit = &image->edits[i];

        edit->off = line_whole(image, edit->line, edit->where, any_symbol);
        if (edit->off > INT64_MAX - (2u << 20))
            die(image, edit->line, "the offset is too large");
        if (edit->value)
            edit->number = line_whole(image, edit->line, edit->value, any_symbol);
        if (edit->width_bytes && edit->width_bytes < 8 && edit->operation != '+' &&
            edit->number >> (8 * edit->width_bytes))
            die(image, edit->line, "the value does not fit in %u bytes", edit->width_bytes);
    }
}

static void poke(const struct edit *edit, int fd)
{
    unsigned char bytes[8] = {0};
    uint64_t value = 0;
    unsigned n = edit->width_bytes;

    if (edit->operation != '=' && pread(fd, bytes, n, (off_t)edit->off) < 0)
        memset(bytes, 0, sizeof(bytes));
    for (unsigned i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    switch (edit->operation) {
    case '|':
        value |= edit->number;
        break;
    case '~':
        value &= ~edit->number;
        break;
    case '^':
        value ^= edit->number;
        break;
    case '+':
        value += edit->number;
        break;
    default:
        value = edit->number;
    }
    for (unsigned i = n; i-- > 0; value >>= 8)
        bytes[i] = (unsigned char)value;
    if (pwrite(fd, bytes, n, (off_t)edit->off) != (ssize_t)n)
        die(NULL, 0, "the image cannot be written: %m");
}

static void append(const struct image *image, const struct edit *edit, int fd)
{
    static unsigned char bytes[4096];
    off_t end = lseek(fd, 0, SEEK_END);
    uint64_t n_left = edit->fill ? edit->off : 0;

    if (ftruncate(fd, end + (off_t)edit->off) < 0)
        die(image, edit->line, "the file cannot grow: %m");
    memset(bytes, 0xa5, sizeof(bytes));
    while (n_left) {
        size_t n = n_left < sizeof(bytes) ? n_left : sizeof(bytes);

        if (pwrite(fd, bytes, n, end) != (ssize_t)n)
            die(image, edit->line, "the image cannot be written: %m");
        end += (off_t)n;
        n_left -= n;
    }
}

void edit_apply(struct image *image, int fd)
{
    for (size_t i = 0; i < image->n_edits; i++) {
        const struct edit *edit = &image->edits[i];
        size_t n = edit->data.n_bytes;

        if (edit->kind == EDIT_POKE)
            poke(edit, fd);
        else if (edit->kind == EDIT_APPEND)
            append(image, edit, fd);
        else if (edit->kind == EDIT_TRUNCATE && ftruncate(fd, (off_t)edit->off) < 0)
            die(image, edit->line, "the file cannot have this size: %m");
        else if (edit->kind == EDIT_WRITE &&
                 pwrite(fd, edit->data.bytes, n, (off_t)edit->off) != (ssize_t)n)
            die(image, edit->line, "the image cannot be written: %m");
    }
}

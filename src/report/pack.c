// SPDX-License-Identifier: MIT
/* Owns the short form of a report: which memory it consists of, and how that is written. */
#include "pack.h"

#include "arena.h"
#include "report.h"

#include <stdint.h>
#include <string.h>

#define WORD_BYTES 8u
#define ZEROS_MAX 255u
#define ALIGNMENT _Alignof(max_align_t)

struct report_packed {
    uint32_t room_bytes;
    bool row_only;
    unsigned char bytes[];
};

/*
 * One way for both directions: pieces of memory in an order in which each comes before those that
 * it points to. Written, they stand one behind the other; read, the pointers are set anew.
 */
struct pass {
    bool row_only;
    bool reads;
    unsigned char *out; /* writes; NULL: only counts */
    const unsigned char *in;
    size_t n; /* bytes of it done */
    unsigned char *room;
    size_t room_bytes; /* of it taken */
};

/* ---- bytes ---- */

static void put(struct pass *pass, unsigned char byte)
{
    if (pass->out != NULL)
        pass->out[pass->n] = byte;
    pass->n++;
}

static size_t word_at(const unsigned char *from, size_t bytes, size_t at,
                      unsigned char word[WORD_BYTES])
{
    size_t n = bytes - at < WORD_BYTES ? bytes - at : WORD_BYTES;

    memset(word, 0, WORD_BYTES);
    memcpy(word, from + at, n);
    return n;
}

/* Bit i: byte i of the word is not 0. */
static unsigned char mask_of(const unsigned char word[WORD_BYTES])
{
    unsigned mask = 0;

    for (unsigned i = 0; i < WORD_BYTES; i++)
        mask |= (word[i] != 0u) << i;
    return (unsigned char)mask;
}

/* Of each word the mask and the bytes that are not 0; of several words of zeros only how many. */
static void write_bytes(struct pass *pass, const void *from, size_t bytes)
{
    unsigned zeros = 0;

    for (size_t at = 0; at < bytes; at += WORD_BYTES) {
        unsigned char word[WORD_BYTES], mask;

        word_at(from, bytes, at, word);
        mask = mask_of(word);
        if (mask == 0 && ++zeros < ZEROS_MAX && bytes - at > WORD_BYTES)
            continue;
        if (zeros > 0) {
            put(pass, 0);
            put(pass, (unsigned char)zeros);
            zeros = 0;
        }
        if (mask == 0)
            continue;
        put(pass, mask);
        for (unsigned i = 0; i < WORD_BYTES; i++)
            if (word[i] != 0)
                put(pass, word[i]);
    }
}

static void read_bytes(struct pass *pass, void *to, size_t bytes)
{
    unsigned char *out = to;
    size_t at = 0;

    memset(out, 0, bytes);
    while (at < bytes) {
        unsigned char mask = pass->in[pass->n++];

        if (mask == 0)
            at += (size_t)WORD_BYTES * pass->in[pass->n++];
        for (unsigned i = 0; mask >> i != 0; i++)
            if (mask >> i & 1)
                out[at + i] = pass->in[pass->n++];
        at += mask != 0 ? WORD_BYTES : 0;
    }
}

/* ---- memory ---- */

static void *take_room(struct pass *pass, size_t bytes)
{
    size_t at = pass->room_bytes;

    pass->room_bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return pass->room != NULL ? pass->room + at : NULL;
}

/* What the pointer at @place leads to. */
static void do_memory(struct pass *pass, void *place, size_t bytes)
{
    void *memory, *room;

    memcpy(&memory, place, sizeof(memory));
    if (memory == NULL || bytes == 0)
        return;
    room = take_room(pass, bytes);
    if (!pass->reads) {
        write_bytes(pass, memory, bytes);
        return;
    }
    read_bytes(pass, room, bytes);
    memcpy(place, &room, sizeof(room));
}

static void do_string(struct pass *pass, char **string)
{
    uint64_t bytes = 0;

    if (*string == NULL)
        return;
    if (!pass->reads) {
        bytes = strlen(*string) + 1;
        write_bytes(pass, &bytes, sizeof(bytes));
    } else {
        read_bytes(pass, &bytes, sizeof(bytes));
    }
    do_memory(pass, string, bytes);
}

static void do_name(struct pass *pass, struct format_name *name)
{
    do_memory(pass, &name->bytes, name->len + 1);
}

/* ---- a report ---- */

static void do_walk(struct pass *pass, struct report_walk *walk)
{
    do_memory(pass, &walk->jump_histogram.list,
              walk->jump_histogram.n * sizeof(*walk->jump_histogram.list));
    do_memory(pass, &walk->run_histogram.list,
              walk->run_histogram.n * sizeof(*walk->run_histogram.list));
}

static void do_layers(struct pass *pass, struct report_table *table)
{
    do_memory(pass, &table->layers, table->n_layers * sizeof(*table->layers));
    for (size_t i = 0; i < table->n_layers; i++) {
        do_string(pass, &table->layers[i].path);
        if (pass->reads)
            table->layers[i].lost = NULL; /* only a page shows it */
    }
}

static void drop_from_row(struct report_table *table)
{
    table->walk.jump_histogram = table->end_to_end.walk.jump_histogram =
        (struct report_jump_histogram){0};
    table->walk.run_histogram = table->end_to_end.walk.run_histogram =
        (struct report_run_histogram){0};
    table->layers = NULL;
    table->n_layers = 0;
}

static void do_table(struct pass *pass, struct report_table *table)
{
    do_name(pass, &table->id);
    do_name(pass, &table->name);
    if (pass->reads)
        table->lost = NULL; /* only a page shows it */
    if (pass->reads && pass->row_only)
        drop_from_row(table);
    if (pass->row_only)
        return;
    do_walk(pass, &table->walk);
    do_walk(pass, &table->end_to_end.walk);
    do_layers(pass, table);
}

static void do_space(struct pass *pass, struct report_image *image)
{
    struct report_space *space;

    do_memory(pass, &image->space, sizeof(*image->space));
    space = image->space;
    if (space == NULL)
        return;
    if (pass->row_only) {
        if (pass->reads) {
            space->free_gap_histogram = (struct report_gap_histogram){0};
            space->snapshots = NULL;
            space->n_snapshots = 0;
        }
        return;
    }
    do_memory(pass, &space->free_gap_histogram.list,
              space->free_gap_histogram.n * sizeof(*space->free_gap_histogram.list));
    do_memory(pass, &space->snapshots, space->n_snapshots * sizeof(*space->snapshots));
    for (size_t i = 0; i < space->n_snapshots; i++) {
        do_name(pass, &space->snapshots[i].id);
        do_name(pass, &space->snapshots[i].name);
    }
}

static void do_names(struct pass *pass, struct report_image *image)
{
    do_name(pass, &image->format.backing_file);
    do_name(pass, &image->format.backing_format);
    do_name(pass, &image->format.data_file);
    do_string(pass, &image->host.filesystem);
    do_string(pass, &image->host.device);
    do_string(pass, &image->host.reason);
    do_string(pass, &image->verdict.reason);
    do_string(pass, &image->error);
}

static void do_lists(struct pass *pass, struct report_image *image)
{
    struct report_verdict *verdict = &image->verdict;
    struct format_findings *findings = &image->findings;

    if (pass->row_only && pass->reads) {
        verdict->causes = NULL;
        verdict->n_causes = 0;
        findings->list = NULL;
        findings->n_list = findings->cap_list = 0;
    }
    if (pass->row_only)
        return;
    do_memory(pass, &verdict->causes, verdict->n_causes * sizeof(*verdict->causes));
    do_memory(pass, &findings->list, findings->n_list * sizeof(*findings->list));
}

static void do_image(struct pass *pass, struct report_image *image)
{
    if (pass->reads) { /* of these, too, a page alone knows */
        image->beside = (struct io_beside){.is_device = image->beside.is_device,
                                           .is_remote = image->beside.is_remote};
        image->format.in_use_names = NULL;
        image->format.n_in_use_names = 0;
    }
    do_memory(pass, &image->tables, image->n_tables * sizeof(*image->tables));
    for (size_t i = 0; i < image->n_tables; i++)
        do_table(pass, &image->tables[i]);
    do_space(pass, image);
    do_names(pass, image);
    do_lists(pass, image);
}

/* ---- both directions ---- */

static void write_image(struct pass *pass, struct report_image *image)
{
    take_room(pass, sizeof(*image));
    write_bytes(pass, image, sizeof(*image));
    do_image(pass, image);
}

struct report_packed *report_pack(struct report_image *image, bool row_only, struct arena *arena)
{
    struct pass count = {.row_only = row_only}, write = count;
    struct report_packed *packed;

    if (image->n_tables > REPORT_PACK_TABLES_MAX)
        return NULL;
    write_image(&count, image);
    if (count.room_bytes > UINT32_MAX)
        return NULL;
    packed = arena_alloc(arena, sizeof(*packed) + count.n);
    if (packed == NULL)
        return NULL;
    *packed =
        (struct report_packed){.room_bytes = (uint32_t)count.room_bytes, .row_only = row_only};
    write.out = packed->bytes;
    write_image(&write, image);
    report_image_free(image);
    return packed;
}

size_t report_packed_room(const struct report_packed *packed)
{
    return packed->room_bytes;
}

struct report_image *report_unpack(const struct report_packed *packed, void *room)
{
    struct pass pass = {
        .row_only = packed->row_only, .reads = true, .in = packed->bytes, .room = room};
    struct report_image *image = take_room(&pass, sizeof(*image));

    read_bytes(&pass, image, sizeof(*image));
    do_image(&pass, image);
    return image;
}

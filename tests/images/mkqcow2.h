// SPDX-License-Identifier: MIT
// What the parts of mkqcow2 share: the fixture as parsed, the image as laid out.
//
// line splits the text, parse fills settings, steps and edits; layout runs the steps and fills
// spaces, tables and places; write puts that into a file; edit damages the file afterwards. Nothing
// here comes from src/: the program is a second opinion on the format, and must stay one. Host and
// guest numbers are clusters unless the name ends in _off or _bytes. Errors end the program (die).

#ifndef MKQCOW2_H
#define MKQCOW2_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_COPIED (1ull << 63)
#define ENTRY_COMPRESSED (1ull << 62)
#define ENTRY_ZERO 1ull
#define ENTRY_OFFSET_MASK 0x00fffffffffffe00ull

#define L1_ENTRIES_MAX 4194304u         // QEMU's limit: 32 MiB
#define REFTABLE_BYTES_MAX (8u << 20)   // QEMU's limit
#define HOST_CLUSTERS_MAX (1ull << 47)  // offsets have 56 bits, clusters at least 9

enum incompatible_bit {
    INCOMPATIBLE_DIRTY, INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DATA_FILE, INCOMPATIBLE_COMPRESSION,
    INCOMPATIBLE_EXTENDED_L2
};

struct text {
    char *bytes;    // with a NUL after the last one
    size_t n_bytes;
};

enum step_kind {
    STEP_MAP, STEP_ZERO, STEP_ZERO_ALLOC, STEP_UNMAP, STEP_COMPRESSED, STEP_RAW, STEP_L2,
    STEP_NEXT, STEP_SKIP, STEP_LEAK, STEP_SNAPSHOT, STEP_SNAPSHOTS, STEP_IN
};

// One line of the fixture's story. Tables keep pointers to it: the i-th item of the line is guest
// cluster guest_first + i * every.
struct step {
    enum step_kind kind;
    int line;
    uint64_t guest_first, guest_last, every;
    bool placed;                // the fixture says where
    uint64_t host;              // first host cluster; also the argument of next, skip, leak
    int64_t stride;             // host clusters (compressed: bytes, 0 = packed) from item to item
    bool reversed, shuffled;
    uint64_t seed, group_clusters;
    uint32_t *order;            // shuffled: place of each group
    uint64_t *values;           // compressed: the L2 entries
    uint64_t word0, word1;      // raw: both words; extended L2: word1 is the two bitmaps
    bool word1_given, counted;
    uint64_t blob_off, blob_min_bytes, blob_max_bytes, blob_sectors;
    struct snapshot *snapshot;  // STEP_SNAPSHOT: as asked for
    uint64_t n_snapshots;       // STEP_SNAPSHOTS: how many, with what changed after each
    double change_percent;
    uint64_t run_clusters;
    struct text name;           // STEP_IN, STEP_SNAPSHOTS
};

// A part of a step that falls into one L2 table. Later pieces of a table paint over earlier ones.
struct piece {
    const struct step *step;
    uint64_t item;              // number of its first item within the step
    uint64_t host;              // of that item; when shuffled, of the step's whole region
    uint32_t first, n_items;    // first entry of the table
};

struct tables_table {
    uint64_t host;
    uint32_t n_refs;            // L1 entries that point here
    bool active;                // one of them in the active L1
    struct piece *pieces;
    uint32_t n_pieces, room_pieces;
};

// An address space: an L1 table. Entries are numbers into image.tables, 0 for none.
struct space {
    uint32_t *l1;
    uint32_t n_l1;
    uint64_t host;
};

struct snapshot {
    struct text id, name;
    bool empty, l1_given, disk_given;
    uint32_t n_l1;
    uint64_t disk_bytes, vm_state_bytes, icount, clock_ns;
    uint32_t extra_bytes, date_s, date_ns;
    struct space space;
    uint64_t entry_off;         // in the snapshot table
};

struct bitmap {
    struct text name;
    unsigned granularity_bits;
    uint32_t flags;
    bool ones;
    uint64_t n_data, n_table;   // clusters that hold bits, entries of its table
    uint64_t host, data_host;
    uint64_t entry_off;         // in the directory
};

struct extension {
    uint32_t magic;
    struct text data;
    uint64_t off;               // of its magic, once the header is built
};

struct range {
    uint64_t first, end;
};

enum edit_kind { EDIT_POKE, EDIT_WRITE, EDIT_TRUNCATE, EDIT_APPEND };

struct edit {
    enum edit_kind kind;
    int line;
    unsigned width_bytes;
    char *where;                // expressions, resolved when the layout is known
    char *value;
    char operation;             // '=', '|', '~', '^', '+'
    struct text data;
    bool fill;
    uint64_t off, number;
};

struct refcount_override {
    uint64_t host, value;
};

// One L2 table, unfolded: what each entry holds and how it counts.
enum entry_class { ENTRY_EMPTY, ENTRY_PLAIN, ENTRY_HOST, ENTRY_BLOB, ENTRY_RAW_COUNTED };

struct paint {
    uint64_t *word0, *word1;
    unsigned char *class;
};

struct image {
    const char *fixture;

    unsigned version, cluster_bits, refcount_order, header_length, crypt_method, compression;
    uint64_t size_bytes, incompatible, compatible, autoclear, luks_bytes;
    bool feature_table, no_refcounts, l2_front, refblocks_inline, fill, create_data_file;
    struct text backing, backing_format, data_file;
    bool has_data_file_name;
    struct extension *extensions;
    size_t n_extensions;
    struct bitmap *bitmaps;
    size_t n_bitmaps;
    uint64_t l1_asked, l1_at, reftable_clusters;

    // Known once the settings are complete (parse seals them at the first step).
    bool sealed;
    uint64_t cluster_bytes, disk_clusters;
    unsigned l2_bits, entry_words;
    uint64_t block_entries, refcount_max;

    struct step **steps;
    size_t n_steps;
    struct edit *edits;
    size_t n_edits;
    struct refcount_override *overrides;
    size_t n_overrides;

    struct range *reserved;     // what explicit places take; the allocator goes around
    size_t n_reserved, at_reserved;
    uint64_t cursor, end_cluster;
    uint64_t blob_next_off;     // where the next automatic blob may begin, 0 = new cluster
    uint64_t n_blobs_in_cluster;
    struct space active, *target;
    uint64_t *front_hosts;      // l2 front: place of the table of each L1 entry
    struct tables_table *tables; // [0] unused
    size_t n_tables, room_tables;
    struct snapshot **snapshots;
    size_t n_snapshots;
    uint64_t snapshot_table_host, snapshot_table_bytes;
    uint64_t bitmap_dir_host, bitmap_dir_bytes, luks_host;
    uint64_t reftable_host, *refblocks;
    unsigned char *refblock_needed;
    uint64_t n_refblocks;       // highest index in use + 1
    struct paint paint;

    unsigned char *header;      // the first cluster
    uint64_t backing_off;
    uint64_t file_bytes;
};

// main
void die(const struct image *image, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
// Memory of the image that is being made. None of them gives NULL.
void *get(size_t n_bytes);
void *get_zeroed(size_t n, size_t size);
void *resize(void *memory, size_t n_bytes);     // NULL: it is new
void *grow(void *memory, size_t n, size_t size);
void give_back(void *memory);
uint64_t divide_up(uint64_t value, uint64_t by);

// line
enum { LINE_TOKENS = 64 };

struct line {
    struct image *image;
    int number;
    struct text tokens[LINE_TOKENS];
    int n_tokens, at;
};

void line_split(struct line *line, char *text);     // changes the text, points into it
bool line_ended(const struct line *line);
bool line_skip(struct line *line, const char *word);
const char *line_word(struct line *line, const char *what);
struct text line_text(struct line *line, const char *what);
struct text line_text_copy(const char *bytes, size_t n_bytes);
struct text line_payload(struct line *line);
uint64_t line_number(struct line *line, const char *what);
uint64_t line_number_in(struct line *line, const char *what, uint64_t low, uint64_t high);
unsigned line_power_of_two(struct line *line, const char *what, uint64_t low, uint64_t high);

// A name within an expression: true and *at behind it, or false.
typedef bool line_symbol(struct image *image, int line, const char **at, uint64_t *value);
uint64_t line_digits(struct image *image, int line, const char **at);
uint64_t line_expression(struct image *image, int line, const char **at, line_symbol *symbol);
uint64_t line_whole(struct image *image, int line, const char *text, line_symbol *symbol);

// parse
void parse_fixture(struct image *image, const char *path);
bool parse_guest_symbol(struct image *image, int line, const char **at, uint64_t *value);

// layout
void layout_image(struct image *image);
void layout_paint(struct image *image, const struct tables_table *table);

// refs: how often each host cluster is referenced
void refs_forget(void);    // all of the image before
void refs_add(struct image *image, uint64_t first, uint64_t n_clusters, uint64_t weight);
void refs_flush(struct image *image);
uint64_t refs_get(uint64_t cluster);
void refs_set(uint64_t cluster, uint64_t value);

// write
void write_header(struct image *image);
void write_image(struct image *image, int fd);

// edit
void edit_resolve(struct image *image);
void edit_apply(struct image *image, int fd);

#endif

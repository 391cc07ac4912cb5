// SPDX-License-Identifier: MIT
// The words of the text language: lines to settings, steps and edits. README.md here specifies it.
//
// Every complaint about the text comes from here with its line, except what needs the layout.

#include "mkqcow2.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- guest ranges and lists ---------------------------------------------------------------

static uint64_t vm_first(const struct image *image)
{
    return divide_up(image->disk_clusters, 1ull << image->l2_bits) << image->l2_bits;
}

bool parse_guest_symbol(struct image *image, int line, const char **at, uint64_t *value)
{
    (void)line;
    if (strncmp(*at, "last", 4) == 0) {
        *at += 4;
        *value = image->disk_clusters - 1;
        return true;
    }
    if (strncmp(*at, "vm", 2) == 0) {
        *at += 2;
        *value = vm_first(image);
        return true;
    }
    return false;
}

// "7", "0..99", "vm+0..9" (both ends beyond the disk), "all".
static void parse_guest_range(struct line *line, uint64_t *first, uint64_t *last)
{
    const char *text = line_word(line, "the guest cluster"), *at = text;
    struct image *image = line->image;

    if (strcmp(text, "all") == 0) {
        *first = 0;
        *last = image->disk_clusters - 1;
        if (!image->disk_clusters)
            die(image, line->number, "the disk is empty");
        return;
    }
    *first = *last = line_expression(image, line->number, &at, parse_guest_symbol);
    if (strncmp(at, "..", 2) == 0) {
        *last = line_whole(image, line->number, at + 2, parse_guest_symbol);
        if (strncmp(text, "vm", 2) == 0 && isdigit((unsigned char)at[2]))
            *last += vm_first(image);
    } else if (*at) {
        die(image, line->number, "'%s' is no guest cluster, range A..B or 'all'", text);
    }
    if (*first > *last)
        die(image, line->number, "the range '%s' runs backwards", text);
    if (*last >> image->l2_bits >= L1_ENTRIES_MAX)
        die(image, line->number, "guest cluster %llu is beyond the largest L1 table",
            (unsigned long long)*last);
}

// "none", "all", "0..3,8": a 32-bit set of subclusters.
static uint64_t parse_subclusters(struct line *line)
{
    const char *text = line_word(line, "the list of subclusters"), *at = text;
    uint64_t set = 0;

    if (!(line->image->incompatible >> INCOMPATIBLE_EXTENDED_L2 & 1))
        die(line->image, line->number, "subclusters need 'feature extended-l2'");
    if (strcmp(text, "none") == 0)
        return 0;
    if (strcmp(text, "all") == 0)
        return 0xffffffff;
    do {
        uint64_t first = line_digits(line->image, line->number, &at), last = first;

        if (strncmp(at, "..", 2) == 0) {
            at += 2;
            last = line_digits(line->image, line->number, &at);
        }
        if (first > last || last > 31)
            die(line->image, line->number, "subclusters are 0..31, not '%s'", text);
        for (uint64_t i = first; i <= last; i++)
            set |= 1ull << i;
    } while (*at++ == ',');
    if (at[-1])
        die(line->image, line->number, "'%s' is no list of subclusters", text);
    return set;
}

// ---- settings -----------------------------------------------------------------------------

static void parse_version(struct line *line)
{
    line->image->version = (unsigned)line_number_in(line, "the version", 2, 3);
}

static void parse_cluster(struct line *line)
{
    line->image->cluster_bits = line_power_of_two(line, "the cluster size", 512, 2 << 20);
}

static void parse_cluster_bits(struct line *line)
{
    line->image->cluster_bits = (unsigned)line_number_in(line, "cluster-bits", 9, 21);
}

static void parse_size(struct line *line)
{
    line->image->size_bytes = line_number(line, "the disk size");
}

static void parse_refcount_bits(struct line *line)
{
    line->image->refcount_order = line_power_of_two(line, "refcount-bits", 1, 64);
}

static void parse_header_length(struct line *line)
{
    line->image->header_length = (unsigned)line_number_in(line, "header-length", 104, 2 << 20);
}

static void parse_compression(struct line *line)
{
    const char *word = line_word(line, "zlib or zstd");

    if (strcmp(word, "zlib") == 0) {
        line->image->compression = 0;
    } else if (strcmp(word, "zstd") == 0) {
        line->image->compression = 1;
        line->image->incompatible |= 1 << INCOMPATIBLE_COMPRESSION;
    } else {
        die(line->image, line->number, "compression is zlib or zstd, not '%s'", word);
    }
}

static bool feature_by_number(struct image *image, int line, const char *word)
{
    static const char *const kinds[] = {"incompatible:", "compatible:", "autoclear:"};
    uint64_t *const words[] = {&image->incompatible, &image->compatible, &image->autoclear};

    for (int i = 0; i < 3; i++) {
        size_t length = strlen(kinds[i]);

        if (strncmp(word, kinds[i], length) != 0)
            continue;
        uint64_t bit = line_whole(image, line, word + length, NULL);

        if (bit > 63)
            die(image, line, "feature bits are 0 to 63");
        *words[i] |= 1ull << bit;
        return true;
    }
    return false;
}

static void parse_feature(struct line *line)
{
    static const struct {
        const char *word, *same;
    } names[] = {
        {"dirty", "incompatible:0"}, {"corrupt", "incompatible:1"},
        {"data-file", "incompatible:2"}, {"compression", "incompatible:3"},
        {"extended-l2", "incompatible:4"}, {"lazy", "compatible:0"},
        {"bitmaps", "autoclear:0"}, {"raw", "autoclear:1"},
    };

    do {
        const char *word = line_word(line, "the feature");

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (strcmp(word, names[i].word) == 0)
                word = names[i].same;
        if (!feature_by_number(line->image, line->number, word))
            die(line->image, line->number, "unknown feature '%s'", word);
    } while (!line_ended(line));
}

static void parse_feature_table(struct line *line)
{
    line->image->feature_table = true;
}

static void parse_backing(struct line *line)
{
    line->image->backing = line_text(line, "the backing file");
    if (line_skip(line, "format"))
        line->image->backing_format = line_text(line, "the backing format");
}

static void parse_data_file(struct line *line)
{
    struct image *image = line->image;

    image->data_file = line_text(line, "the data file");
    image->has_data_file_name = true;
    image->incompatible |= 1 << INCOMPATIBLE_DATA_FILE;
    if (line_skip(line, "raw"))
        image->autoclear |= 2;
    if (line_skip(line, "create"))
        image->create_data_file = true;
    if (image->create_data_file && strchr(image->data_file.bytes, '/'))
        die(image, line->number, "only a data file beside the image is created: no '/'");
}

static void parse_crypt(struct line *line)
{
    struct image *image = line->image;
    const char *word = line_word(line, "none, aes or luks");

    if (strcmp(word, "none") == 0) {
        image->crypt_method = 0;
    } else if (strcmp(word, "aes") == 0) {
        image->crypt_method = 1;
    } else if (strcmp(word, "luks") == 0) {
        image->crypt_method = 2;
        image->luks_bytes = line_number_in(line, "the size of the LUKS header", 1, 1 << 30);
    } else {
        die(image, line->number, "crypt is none, aes or luks SIZE, not '%s'", word);
    }
}

static void parse_extension(struct line *line)
{
    struct image *image = line->image;
    struct extension *extension;

    image->extensions = grow(image->extensions, image->n_extensions, sizeof(*extension));
    extension = &image->extensions[image->n_extensions++];
    *extension = (struct extension){0};
    extension->magic = (uint32_t)line_number_in(line, "the magic", 0, 0xffffffff);
    extension->data = line_payload(line);
}

static void parse_bitmap(struct line *line)
{
    struct image *image = line->image;
    struct bitmap bitmap = {.granularity_bits = 16};

    bitmap.name = line_text(line, "the name of the bitmap");
    while (!line_ended(line)) {
        if (line_skip(line, "granularity"))
            bitmap.granularity_bits = line_power_of_two(line, "the granularity", 512, 1u << 31);
        else if (line_skip(line, "in-use"))
            bitmap.flags |= 1;
        else if (line_skip(line, "auto"))
            bitmap.flags |= 2;
        else if (line_skip(line, "ones"))
            bitmap.ones = true;
        else if (line_skip(line, "data"))
            bitmap.n_data = line_number_in(line, "the clusters of bits", 0, 1 << 20);
        else
            die(image, line->number, "'%s' says nothing about a bitmap",
                line->tokens[line->at].bytes);
    }
    image->bitmaps = grow(image->bitmaps, image->n_bitmaps, sizeof(bitmap));
    image->bitmaps[image->n_bitmaps++] = bitmap;
    image->autoclear |= 1;
}

static void parse_l1(struct line *line)
{
    if (!line_skip(line, "at"))
        line->image->l1_asked = line_number_in(line, "the L1 entries", 0, L1_ENTRIES_MAX);
    else
        line->at--;
    if (line_skip(line, "at"))
        line->image->l1_at = line_number_in(line, "the host cluster", 1, HOST_CLUSTERS_MAX - 1);
}

static void parse_l2_tables(struct line *line)
{
    const char *word = line_word(line, "near or front");

    line->image->l2_front = strcmp(word, "front") == 0;
    if (!line->image->l2_front && strcmp(word, "near") != 0)
        die(line->image, line->number, "l2-tables are near or front, not '%s'", word);
}

static void parse_refblocks(struct line *line)
{
    const char *word = line_word(line, "inline or end");

    line->image->refblocks_inline = strcmp(word, "inline") == 0;
    if (!line->image->refblocks_inline && strcmp(word, "end") != 0)
        die(line->image, line->number, "refblocks are inline or end, not '%s'", word);
}

static void parse_reftable(struct line *line)
{
    line->image->reftable_clusters = line_number_in(line, "the refcount table's clusters", 1,
                                                    REFTABLE_BYTES_MAX / 512);
}

static void parse_norefcounts(struct line *line)
{
    line->image->no_refcounts = true;
}

static void parse_fill(struct line *line)
{
    line->image->fill = true;
}

// The settings are complete: derive what the steps need.
static void image_seal(struct image *image, int line)
{
    bool extended = image->incompatible >> INCOMPATIBLE_EXTENDED_L2 & 1;
    unsigned order = image->refcount_order;

    image->sealed = true;
    image->cluster_bytes = 1ull << image->cluster_bits;
    image->disk_clusters = (image->size_bytes >> image->cluster_bits) +
                           ((image->size_bytes & (image->cluster_bytes - 1)) != 0);
    image->entry_words = extended ? 2 : 1;
    image->l2_bits = image->cluster_bits - (extended ? 4 : 3);
    image->block_entries = image->cluster_bytes * 8 >> order;
    image->refcount_max = order == 6 ? UINT64_MAX : (1ull << (1u << order)) - 1;
    if (extended && image->cluster_bits < 14)
        die(image, line, "extended L2 entries need clusters of at least 16K");
    if (image->version == 2) {
        if (image->incompatible | image->compatible | image->autoclear | image->compression)
            die(image, line, "version 2 has no feature bits");
        if (order != 4)
            die(image, line, "version 2 has 16 refcount bits");
    }
    if (divide_up(image->disk_clusters, 1ull << image->l2_bits) > L1_ENTRIES_MAX)
        die(image, line, "a disk of this size needs more than %u L1 entries", L1_ENTRIES_MAX);
}

// ---- steps --------------------------------------------------------------------------------

static struct step *step_new(struct line *line, enum step_kind kind)
{
    struct image *image = line->image;
    struct step *step = get_zeroed(1, sizeof(*step));

    *step = (struct step){.kind = kind, .line = line->number, .every = 1, .stride = 1,
                          .group_clusters = 1};
    image->steps = grow(image->steps, image->n_steps, sizeof(step));
    image->steps[image->n_steps++] = step;
    return step;
}

static uint64_t step_items(const struct step *step)
{
    return (step->guest_last - step->guest_first) / step->every + 1;
}

static void parse_at(struct line *line, struct step *step)
{
    step->host = line_number_in(line, "the host cluster", 1, HOST_CLUSTERS_MAX - 1);
    step->placed = true;
}

static void parse_stride(struct line *line, struct step *step)
{
    const char *text = line_word(line, "the stride");
    bool minus = *text == '-';
    int64_t value = (int64_t)line_whole(line->image, line->number, text + minus, NULL);

    step->stride = minus ? -value : value;
}

// alloc LIST, zero LIST, sub LIST and bitmap NUMBER: the second word of extended L2 entries.
static bool parse_word1(struct line *line, struct step *step)
{
    bool alloc = line_skip(line, "alloc"), zero = !alloc && line_skip(line, "zero");

    if (zero || (step->kind == STEP_ZERO && line_skip(line, "sub"))) {
        step->word1 |= parse_subclusters(line) << 32;
        if (!step->word1_given && step->kind == STEP_MAP)
            step->word1 |= ~(step->word1 >> 32) & 0xffffffff;   // the rest holds data
    } else if (alloc) {
        uint64_t set = parse_subclusters(line);

        step->word1 = (step->word1 & ~0xffffffffull) | set;
    } else if (line->image->entry_words == 2 && line_skip(line, "bitmap")) {
        step->word1 = line_number(line, "the two bitmaps");
    } else {
        return false;
    }
    step->word1_given = true;
    return true;
}

static void step_check(struct line *line, const struct step *step, bool in_step)
{
    struct image *image = line->image;
    int64_t top = (int64_t)HOST_CLUSTERS_MAX;
    __int128 end = (__int128)step->host + (__int128)step->stride * (int64_t)(step_items(step) - 1);

    if (step->reversed + step->shuffled + in_step + (step->stride != 1 && !in_step) > 1)
        die(image, line->number, "reversed, shuffled, in-step and stride exclude each other");
    if (step->stride <= -top || step->stride >= top || (!step->placed && step->stride == 0))
        die(image, line->number, "this stride is impossible");
    if (step->placed && !step->reversed && (end < 1 || end >= top))
        die(image, line->number, "the host clusters leave the file (cluster %lld)",
            (long long)end);
    if (step->shuffled && step_items(step) / step->group_clusters > 0xffffffff)
        die(image, line->number, "more than 2^32 groups to shuffle");
}

static void parse_placed(struct line *line, enum step_kind kind)
{
    struct step *step = step_new(line, kind);
    bool in_step = false;

    parse_guest_range(line, &step->guest_first, &step->guest_last);
    while (!line_ended(line)) {
        if (line_skip(line, "at"))
            parse_at(line, step);
        else if (line_skip(line, "every"))
            step->every = line_number_in(line, "every", 1, 1ull << 40);
        else if (line_skip(line, "stride"))
            parse_stride(line, step);
        else if (line_skip(line, "in-step"))
            in_step = true;
        else if (line_skip(line, "reversed"))
            step->reversed = true;
        else if (line_skip(line, "shuffled"))
            step->shuffled = true;
        else if (line_skip(line, "seed"))
            step->seed = line_number(line, "the seed");
        else if (line_skip(line, "group"))
            step->group_clusters = line_number_in(line, "the group", 1, 1ull << 40);
        else if (!parse_word1(line, step))
            die(line->image, line->number, "'%s' is not understood here",
                line->tokens[line->at].bytes);
    }
    if (in_step)
        step->stride = (int64_t)step->every;
    step_check(line, step, in_step);
}

static void parse_map(struct line *line)
{
    parse_placed(line, STEP_MAP);
}

static void parse_zero_alloc(struct line *line)
{
    parse_placed(line, STEP_ZERO_ALLOC);
}

static void parse_unplaced(struct line *line, enum step_kind kind)
{
    struct step *step = step_new(line, kind);

    parse_guest_range(line, &step->guest_first, &step->guest_last);
    while (!line_ended(line)) {
        if (line_skip(line, "every"))
            step->every = line_number_in(line, "every", 1, 1ull << 40);
        else if (kind != STEP_ZERO || !parse_word1(line, step))
            die(line->image, line->number, "'%s' is not understood here",
                line->tokens[line->at].bytes);
    }
}

static void parse_zero(struct line *line)
{
    parse_unplaced(line, STEP_ZERO);
}

static void parse_unmap(struct line *line)
{
    parse_unplaced(line, STEP_UNMAP);
}

// bytes N, or bytes A..B for random lengths.
static void parse_blob_bytes(struct line *line, struct step *step)
{
    struct image *image = line->image;
    const char *text = line_word(line, "the length of the blobs"), *at = text;

    step->blob_min_bytes = step->blob_max_bytes = line_expression(image, line->number, &at, NULL);
    if (strncmp(at, "..", 2) == 0)
        step->blob_max_bytes = line_whole(image, line->number, at + 2, NULL);
    else if (*at)
        die(image, line->number, "'%s' is no length", text);
    if (step->blob_min_bytes < 1 || step->blob_max_bytes < step->blob_min_bytes ||
        step->blob_max_bytes > 2 * image->cluster_bytes)
        die(image, line->number, "compressed clusters have 1 byte to two clusters");
}

static void parse_compressed(struct line *line)
{
    struct step *step = step_new(line, STEP_COMPRESSED);
    struct image *image = line->image;

    parse_guest_range(line, &step->guest_first, &step->guest_last);
    step->stride = 0;
    step->blob_min_bytes = step->blob_max_bytes = image->cluster_bytes / 4;
    while (!line_ended(line)) {
        if (line_skip(line, "at")) {
            parse_at(line, step);
            step->blob_off = step->host << image->cluster_bits;
        } else if (line_skip(line, "at-byte")) {
            step->blob_off = line_number_in(line, "at-byte", 1, 1ull << 56);
            step->placed = true;
        } else if (line_skip(line, "every")) {
            step->every = line_number_in(line, "every", 1, 1ull << 40);
        } else if (line_skip(line, "stride")) {
            parse_stride(line, step);
        } else if (line_skip(line, "bytes")) {
            parse_blob_bytes(line, step);
        } else if (line_skip(line, "sectors")) {
            step->blob_sectors = line_number_in(line, "sectors", 1,
                                                1ull << (image->cluster_bits - 8));
        } else if (line_skip(line, "seed")) {
            step->seed = line_number(line, "the seed");
        } else {
            die(image, line->number, "'%s' is not understood here", line->tokens[line->at].bytes);
        }
    }
    if (step->blob_sectors)
        step->blob_min_bytes = step->blob_max_bytes =
            step->blob_sectors * 512 - step->blob_off % 512;
    if (step->stride && !step->placed)
        die(image, line->number, "a stride needs at or at-byte");
    if (!step->placed && step->blob_max_bytes > image->cluster_bytes)
        die(image, line->number, "blobs above one cluster need at or at-byte");
}

static void parse_raw(struct line *line)
{
    struct step *step = step_new(line, STEP_RAW);

    parse_guest_range(line, &step->guest_first, &step->guest_last);
    step->word0 = line_number(line, "the entry");
    if (!line_ended(line) && line->image->entry_words == 2)
        step->word1 = line_number(line, "the second word");
    step->counted = line_skip(line, "counted");
}

static void parse_l2(struct line *line)
{
    if (!line_ended(line) && isalpha((unsigned char)*line->tokens[line->at].bytes) &&
        strcmp(line->tokens[line->at].bytes, "all") != 0 &&
        strncmp(line->tokens[line->at].bytes, "vm", 2) != 0 &&
        strncmp(line->tokens[line->at].bytes, "last", 4) != 0)
        die(line->image, line->number, "'l2 GUEST [at HOST]'; the setting is 'l2-tables'");
    struct step *step = step_new(line, STEP_L2);

    parse_guest_range(line, &step->guest_first, &step->guest_last);
    if (line_skip(line, "at"))
        parse_at(line, step);
    if (step->placed && step->guest_first >> line->image->l2_bits !=
                            step->guest_last >> line->image->l2_bits)
        die(line->image, line->number, "one table at a time can be placed");
}

static void parse_count(struct line *line, enum step_kind kind)
{
    step_new(line, kind)->host = line_number_in(line, "the clusters", 1, HOST_CLUSTERS_MAX - 1);
}

static void parse_next(struct line *line)
{
    parse_count(line, STEP_NEXT);
}

static void parse_skip(struct line *line)
{
    parse_count(line, STEP_SKIP);
}

static void parse_leak(struct line *line)
{
    parse_count(line, STEP_LEAK);
}

static void parse_in(struct line *line)
{
    step_new(line, STEP_IN)->name = line_text(line, "'active' or the snapshot's name");
}

static void parse_snapshot(struct line *line)
{
    struct snapshot *snapshot = get_zeroed(1, sizeof(*snapshot));
    uint64_t max32 = 0xffffffff;

    step_new(line, STEP_SNAPSHOT)->snapshot = snapshot;
    *snapshot = (struct snapshot){.extra_bytes = 24, .icount = UINT64_MAX};
    snapshot->name = line_text(line, "the snapshot's name");
    while (!line_ended(line)) {
        if (line_skip(line, "id")) {
            snapshot->id = line_text(line, "the id");
        } else if (line_skip(line, "size")) {
            snapshot->disk_bytes = line_number(line, "the disk size");
            snapshot->disk_given = true;
        } else if (line_skip(line, "vm-state")) {
            snapshot->vm_state_bytes = line_number(line, "the size of the VM state");
        } else if (line_skip(line, "extra")) {
            snapshot->extra_bytes = (uint32_t)line_number_in(line, "extra", 0, 1 << 20);
        } else if (line_skip(line, "l1")) {
            snapshot->n_l1 = (uint32_t)line_number_in(line, "l1", 0, L1_ENTRIES_MAX);
            snapshot->l1_given = true;
        } else if (line_skip(line, "date")) {
            snapshot->date_s = (uint32_t)line_number_in(line, "the date", 0, max32);
        } else if (line_skip(line, "nsec")) {
            snapshot->date_ns = (uint32_t)line_number_in(line, "nsec", 0, max32);
        } else if (line_skip(line, "clock")) {
            snapshot->clock_ns = line_number(line, "the clock");
        } else if (line_skip(line, "icount")) {
            snapshot->icount = line_number(line, "icount");
        } else if (line_skip(line, "empty")) {
            snapshot->empty = true;
        } else {
            die(line->image, line->number, "'%s' says nothing about a snapshot",
                line->tokens[line->at].bytes);
        }
    }
    if (snapshot->id.n_bytes > 0xffff || snapshot->name.n_bytes > 0xffff)
        die(line->image, line->number, "ids and names have at most 65535 bytes");
}

static void parse_snapshots(struct line *line)
{
    struct step *step = step_new(line, STEP_SNAPSHOTS);
    struct image *image = line->image;

    step->n_snapshots = line_number_in(line, "how many", 1, 65536);
    step->run_clusters = 1ull << image->l2_bits;
    step->guest_last = image->disk_clusters - 1;
    if (!image->disk_clusters)
        die(image, line->number, "the disk is empty");
    while (!line_ended(line)) {
        if (line_skip(line, "change")) {
            const char *text = line_word(line, "the percentage");
            char *end;

            step->change_percent = strtod(text, &end);
            if (end == text || strcmp(end, "%") != 0 ||
                !(step->change_percent >= 0 && step->change_percent <= 100))
                die(image, line->number, "change is 0%% to 100%%, not '%s'", text);
        } else if (line_skip(line, "run")) {
            step->run_clusters = line_number_in(line, "run", 1, 1ull << 40);
        } else if (line_skip(line, "of")) {
            parse_guest_range(line, &step->guest_first, &step->guest_last);
        } else if (line_skip(line, "seed")) {
            step->seed = line_number(line, "the seed");
        } else if (line_skip(line, "name")) {
            step->name = line_text(line, "the name");
        } else {
            die(image, line->number, "'%s' is not understood here", line->tokens[line->at].bytes);
        }
    }
    if (!step->name.bytes)
        step->name = line_text_copy("s", 1);
}

// ---- edits --------------------------------------------------------------------------------

static struct edit *edit_new(struct line *line, enum edit_kind kind)
{
    struct image *image = line->image;

    image->edits = grow(image->edits, image->n_edits, sizeof(struct edit));
    image->edits[image->n_edits] = (struct edit){.kind = kind, .line = line->number,
                                                 .operation = '='};
    return &image->edits[image->n_edits++];
}

static void parse_poke(struct line *line)
{
    static const struct {
        const char *word;
        unsigned width_bytes;
    } widths[] = {{"be64", 8}, {"be32", 4}, {"be16", 2}, {"byte", 1}};
    struct edit *edit = edit_new(line, EDIT_POKE);
    const char *word = line_word(line, "be64, be32, be16 or byte");

    for (size_t i = 0; i < 4; i++)
        if (strcmp(word, widths[i].word) == 0)
            edit->width_bytes = widths[i].width_bytes;
    if (!edit->width_bytes)
        die(line->image, line->number, "poke be64, be32, be16 or byte, not '%s'", word);
    edit->where = line_text(line, "the offset").bytes;
    edit->value = line_text(line, "the value").bytes;
    if (*edit->value && strchr("|~^+", *edit->value)) {
        edit->operation = *edit->value;
        memmove(edit->value, edit->value + 1, strlen(edit->value));
    }
}

static void parse_write(struct line *line)
{
    struct edit *edit = edit_new(line, EDIT_WRITE);

    edit->where = line_text(line, "the offset").bytes;
    edit->data = line_payload(line);
}

static void parse_truncate(struct line *line)
{
    edit_new(line, EDIT_TRUNCATE)->where = line_text(line, "the size").bytes;
}

static void parse_append(struct line *line)
{
    struct edit *edit = edit_new(line, EDIT_APPEND);

    edit->where = line_text(line, "the size").bytes;
    edit->fill = line_skip(line, "fill");
}

static void parse_refcount(struct line *line)
{
    struct image *image = line->image;
    struct refcount_override override;

    override.host = line_number_in(line, "the host cluster", 0, HOST_CLUSTERS_MAX - 1);
    override.value = line_number_in(line, "the refcount", 0, image->refcount_max);
    if (override.value > 0xffffffff)
        die(image, line->number, "refcounts above 32 bits need a poke of ref[%llu]",
            (unsigned long long)override.host);
    image->overrides = grow(image->overrides, image->n_overrides, sizeof(override));
    image->overrides[image->n_overrides++] = override;
}

// ---- lines --------------------------------------------------------------------------------

static const struct command {
    const char *word;
    void (*parse)(struct line *line);
    enum { SETTING, STEP } part;
} commands[] = {
    {"version", parse_version, SETTING},
    {"cluster", parse_cluster, SETTING},
    {"cluster-bits", parse_cluster_bits, SETTING},
    {"size", parse_size, SETTING},
    {"refcount-bits", parse_refcount_bits, SETTING},
    {"header-length", parse_header_length, SETTING},
    {"compression", parse_compression, SETTING},
    {"feature", parse_feature, SETTING},
    {"feature-table", parse_feature_table, SETTING},
    {"backing", parse_backing, SETTING},
    {"data-file", parse_data_file, SETTING},
    {"crypt", parse_crypt, SETTING},
    {"extension", parse_extension, SETTING},
    {"bitmap", parse_bitmap, SETTING},
    {"l1", parse_l1, SETTING},
    {"l2-tables", parse_l2_tables, SETTING},
    {"refblocks", parse_refblocks, SETTING},
    {"reftable", parse_reftable, SETTING},
    {"norefcounts", parse_norefcounts, SETTING},
    {"fill", parse_fill, SETTING},
    {"map", parse_map, STEP},
    {"zero", parse_zero, STEP},
    {"zero-alloc", parse_zero_alloc, STEP},
    {"unmap", parse_unmap, STEP},
    {"compressed", parse_compressed, STEP},
    {"raw", parse_raw, STEP},
    {"l2", parse_l2, STEP},
    {"next", parse_next, STEP},
    {"skip", parse_skip, STEP},
    {"leak", parse_leak, STEP},
    {"snapshot", parse_snapshot, STEP},
    {"snapshots", parse_snapshots, STEP},
    {"in", parse_in, STEP},
    {"refcount", parse_refcount, STEP},
    {"poke", parse_poke, STEP},
    {"write", parse_write, STEP},
    {"truncate", parse_truncate, STEP},
    {"append", parse_append, STEP},
};

static void parse_line(struct line *line)
{
    struct image *image = line->image;
    const char *word = line_word(line, "a word");

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(word, commands[i].word) != 0)
            continue;
        if (commands[i].part == SETTING && image->sealed)
            die(image, line->number, "'%s' is a setting: it must stand before the first step",
                word);
        if (commands[i].part == STEP && !image->sealed)
            image_seal(image, line->number);
        commands[i].parse(line);
        if (!line_ended(line))
            die(image, line->number, "'%s' is too much", line->tokens[line->at].bytes);
        return;
    }
    die(image, line->number, "unknown word '%s'", word);
}

void parse_fixture(struct image *image, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    struct line line = {.image = image};
    char *text = NULL;
    size_t room = 0;

    image->fixture = standard ? "stdin" : path;
    if (!file)
        die(image, 0, "cannot be read");
    image->version = 3;
    image->cluster_bits = 16;
    image->size_bytes = 1 << 30;
    image->refcount_order = 4;
    image->reftable_clusters = 1;
    while (getline(&text, &room, file) >= 0) {
        line.number++;
        line_split(&line, text);
        if (line.n_tokens)
            parse_line(&line);
    }
    if (!image->sealed)
        image_seal(image, line.number);
    free(text);
    if (!standard)
        fclose(file);
}

// SPDX-License-Identifier: MIT
/*
 * Proves that every worked example of doc/definitions.md comes out as written there: from its
 * pieces metered by hand, cut anywhere and merged again, and from a whole image with its tables.
 */
#include "figures.h"
#include "kernel.h"
#include "l2.h"
#include "pieces.h"
#include "placing.h"
#include "same_meter.h"
#include "small_image.h"
#include "vec.h"
#include "walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the examples, as doc/definitions.md gives them ---- */

/* Clusters first .. last of the guest; see "How to read the examples". */
struct line {
    uint64_t first, last;
    bool has_host, compressed, zero;
    uint64_t host;       /* cluster; of the first one */
    uint64_t begin, end; /* compressed: bytes */
    uint32_t data_bits, zero_bits;
};

struct figure {
    char key[40];
    char value[400];
};

struct example {
    unsigned number;
    uint64_t cluster_bytes, virtual_bytes;
    bool extended_l2, data_file;
    struct line *lines;
    size_t n_lines, cap_lines;
    struct figure *figures;
    size_t n_figures, cap_figures;
    struct host_fiemap_extent extents[8]; /* if there are some, the figures are those end to end */
    size_t n_extents;
};

struct page {
    struct example *examples;
    size_t n_examples, cap_examples;
};

static bool read_range(const char **text, uint64_t *first, uint64_t *last)
{
    char *end;

    *first = strtoull(*text, &end, 10);
    if (end == *text)
        return false;
    *last = *first;
    *text = end;
    if (*end == '-') {
        *text = end + 1;
        *last = strtoull(*text, &end, 10);
        if (end == *text)
            return false;
        *text = end;
    }
    return true;
}

static bool skip_word(const char **text, const char *word)
{
    while (**text == ' ')
        (*text)++;
    if (strncmp(*text, word, strlen(word)) != 0)
        return false;
    *text += strlen(word);
    return true;
}

static uint32_t bits(uint64_t first, uint64_t last)
{
    assert_true(first <= last && last < 32);
    return (uint32_t)((UINT64_C(2) << last) - (UINT64_C(1) << first));
}

static void read_guest(struct example *example, const char *text)
{
    struct line line = {0};
    uint64_t first = 0, last = 0;
    const char *rest = text;

    if (!skip_word(&rest, "guest ") || !read_range(&rest, &line.first, &line.last))
        fail_msg("example %u: what is \"%s\"?", example->number, text);
    if (skip_word(&rest, "zero"))
        line.zero = true;
    if (skip_word(&rest, "host ")) {
        line.has_host = read_range(&rest, &line.host, &last);
        assert_true(last - line.host == line.last - line.first || last == line.host);
    } else if (skip_word(&rest, "compressed ")) {
        line.compressed = read_range(&rest, &line.begin, &line.end);
    }
    while (*rest != '\0' && !line.zero) {
        if (skip_word(&rest, "data ") && read_range(&rest, &first, &last))
            line.data_bits |= bits(first, last);
        else if (skip_word(&rest, "zero ") && read_range(&rest, &first, &last))
            line.zero_bits |= bits(first, last);
        else
            break;
    }
    if (*rest != '\0' || (!line.zero && !line.has_host && !line.compressed))
        fail_msg("example %u: what is \"%s\"?", example->number, text);
    assert_int_equal(vec_reserve(example, lines), 0);
    example->lines[example->n_lines++] = line;
}

static void read_extent(struct example *example, const char *text)
{
    struct host_fiemap_extent *extent = &example->extents[example->n_extents++];
    uint64_t end;

    assert_true(example->n_extents <= 8);
    if (sscanf(text, "extent %" SCNu64 "-%" SCNu64 " at %" SCNu64, &extent->file_off, &end,
               &extent->physical) != 3)
        fail_msg("example %u: what is \"%s\"?", example->number, text);
    extent->bytes = end - extent->file_off;
}

static void read_line(struct example *example, const char *text)
{
    if (strncmp(text, "cluster_bytes ", 14) == 0)
        example->cluster_bytes = strtoull(text + 14, NULL, 10);
    else if (strncmp(text, "virtual_bytes ", 14) == 0)
        example->virtual_bytes = strtoull(text + 14, NULL, 10);
    else if (strcmp(text, "extended_l2 true") == 0)
        example->extended_l2 = true;
    else if (strcmp(text, "data_file true") == 0)
        example->data_file = true;
    else if (strncmp(text, "extent ", 7) == 0)
        read_extent(example, text);
    else
        read_guest(example, text);
}

/* | `key` | `value` | how | */
static void read_figure(struct example *example, const char *text)
{
    struct figure figure;

    if (sscanf(text, "| `%39[a-z0-9_]` | `%399[^`]` |", figure.key, figure.value) != 2)
        return; /* the head of the table, or a table of steps */
    assert_int_equal(vec_reserve(example, figures), 0);
    example->figures[example->n_figures++] = figure;
}

/* Of an example: heading, words, one block, words, one table of figures. */
static void read_page(struct page *page)
{
    char path[4096], text[4096];
    struct example *example = NULL;
    bool in_block = false;
    unsigned number;
    FILE *file;

    assert_non_null(getenv("DOC"));
    snprintf(path, sizeof(path), "%s/definitions.md", getenv("DOC"));
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    while (fgets(text, sizeof(text), file) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        if (sscanf(text, "### Example %u:", &number) == 1) {
            assert_int_equal(number, page->n_examples + 1);
            assert_int_equal(vec_reserve(page, examples), 0);
            example = &page->examples[page->n_examples++];
            *example = (struct example){.number = number};
        } else if (strncmp(text, "## ", 3) == 0) {
            example = NULL;
        } else if (example != NULL && strncmp(text, "```", 3) == 0) {
            in_block = !in_block;
        } else if (example != NULL && in_block) {
            read_line(example, text);
        } else if (example != NULL) {
            read_figure(example, text);
        }
    }
    fclose(file);
}

static int set_up(void **state)
{
    static struct page page;

    read_page(&page);
    *state = &page;
    return 0;
}

static int tear_down(void **state)
{
    struct page *page = *state;

    for (size_t i = 0; i < page->n_examples; i++) {
        free(page->examples[i].lines);
        free(page->examples[i].figures);
    }
    free(page->examples);
    return 0;
}

/* ---- figures as text, in the spelling of the page ---- */

struct text {
    char bytes[2000];
    size_t len;
};

static void __attribute__((format(printf, 2, 3))) append(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->len +=
        (size_t)vsnprintf(text->bytes + text->len, sizeof(text->bytes) - text->len, format, args);
    va_end(args);
    assert_true(text->len < sizeof(text->bytes));
}

static const char *value_of(const struct example *example, const char *key)
{
    for (size_t i = 0; i < example->n_figures; i++)
        if (strcmp(example->figures[i].key, key) == 0)
            return example->figures[i].value;
    return NULL;
}

/* "a figure that a table leaves out is 0, [] or null" */
static void expect_text(const struct example *example, const char *key, const char *left_out,
                        const char *text)
{
    const char *expected = value_of(example, key);

    if (expected == NULL)
        expected = left_out;
    if (strcmp(text, expected) != 0)
        fail_msg("example %u: %s is %s, not %s", example->number, key, text, expected);
}

static void expect_count(const struct example *example, const char *key, uint64_t count)
{
    struct text text = {.len = 0};

    append(&text, "%" PRIu64, count);
    expect_text(example, key, "0", text.bytes);
}

static void expect_bytes(const struct example *example, const char *key, struct opt_u64 bytes)
{
    struct text text = {.len = 0};

    append(&text, "%" PRIu64, bytes.value);
    expect_text(example, key, "null", bytes.known ? text.bytes : "null");
}

/* Exactly the number that the page gives in decimals. */
static void expect_number(const struct example *example, const char *key, struct opt_f64 number)
{
    const char *expected = value_of(example, key);
    bool null = expected == NULL || strcmp(expected, "null") == 0;

    if (number.known == null || (!null && number.value != strtod(expected, NULL)))
        fail_msg("example %u: %s is %s%.17g, not %s", example->number, key,
                 number.known ? "" : "null, or ", number.value, expected ? expected : "null");
}

static void expect_runs(const struct example *example, const struct report_run_histogram *histogram)
{
    struct text text = {.len = 0};

    append(&text, "[");
    for (size_t i = 0; i < histogram->n; i++)
        append(&text,
               "%s{\"from_bytes\": %" PRIu64 ", \"runs\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
               i > 0 ? ", " : "", histogram->list[i].from_bytes, histogram->list[i].runs,
               histogram->list[i].bytes);
    append(&text, "]");
    expect_text(example, "run_histogram", "[]", text.bytes);
}

static void expect_jumps(const struct example *example,
                         const struct report_jump_histogram *histogram)
{
    struct text text = {.len = 0};

    append(&text, "[");
    for (size_t i = 0; i < histogram->n; i++)
        append(&text,
               "%s{\"from_bytes\": %" PRIu64 ", \"backward\": %" PRIu64 ", \"forward\": %" PRIu64
               "}",
               i > 0 ? ", " : "", histogram->list[i].from_bytes, histogram->list[i].backward,
               histogram->list[i].forward);
    append(&text, "]");
    expect_text(example, "jump_histogram", "[]", text.bytes);
}

/* All that a meter alone knows. */
static void expect_figures(const struct example *example, const struct meter *meter,
                           uint64_t pieces)
{
    struct report_walk walk = {0};

    assert_int_equal(report_figures(meter, pieces, &walk), 0);
    if (example->n_extents == 0)
        expect_count(example, "mapped_clusters", pieces);
    expect_count(example, "mapped_bytes", walk.mapped_bytes);
    expect_count(example, "hole_bytes", meter->hole_bytes);
    expect_count(example, "backward_steps", walk.backward_steps);
    expect_count(example, "forward_jumps", walk.forward_jumps);
    expect_count(example, "near_jumps", walk.near_jumps);
    expect_count(example, "file_switches", walk.file_switches);
    expect_count(example, "breaks", walk.breaks);
    expect_number(example, "backward_jump_mean_bytes", walk.backward_jump_mean_bytes);
    expect_number(example, "forward_jump_mean_bytes", walk.forward_jump_mean_bytes);
    expect_jumps(example, &walk.jump_histogram);
    expect_number(example, "fragmentation_score", walk.fragmentation_score);
    expect_count(example, "ascending_runs", walk.ascending_runs);
    expect_number(example, "ascending_run_mean_bytes", walk.ascending_run_mean_bytes);
    expect_count(example, "contiguous_runs", walk.contiguous_runs);
    expect_number(example, "contiguous_run_mean_bytes", walk.contiguous_run_mean_bytes);
    expect_bytes(example, "contiguous_run_half_bytes", walk.contiguous_run_half_bytes);
    expect_bytes(example, "contiguous_run_max_bytes", walk.contiguous_run_max_bytes);
    expect_runs(example, &walk.run_histogram);
    free(walk.jump_histogram.list);
    free(walk.run_histogram.list);
}

/* What only the reader of entries counts. */
static void expect_counts(const struct example *example, const struct piece_counts *counts,
                          const struct format_header *header)
{
    struct text check = {.len = 0};
    const char *on_page = value_of(example, "qemu_img_check");

    expect_count(example, "mapped_clusters", counts->mapped_clusters);
    expect_count(example, "mapped_bytes", counts->mapped_bytes);
    expect_count(example, "compressed_clusters", counts->compressed_clusters);
    expect_count(example, "zero_clusters", counts->zero_clusters);
    expect_count(example, "zero_allocated_clusters", counts->zero_allocated_clusters);
    expect_count(example, "corrupt_entries", counts->corrupt_entries);
    expect_number(example, "read_split",
                  opt_ratio((double)counts->reads, (double)counts->reads_unbroken));
    assert_non_null(on_page);
    if (strcmp(on_page, "null") == 0)
        return; /* the table of a snapshot: there is nothing to compare with */
    append(&check,
           "{\"allocated_clusters\": %" PRIu64 ", \"total_clusters\": %" PRIu64
           ", \"fragmented_clusters\": %" PRIu64 ", \"compressed_clusters\": %" PRIu64 "}",
           counts->check_allocated, tables_l2_clusters(header, header->virtual_bytes),
           counts->check_fragmented, counts->check_compressed);
    expect_text(example, "qemu_img_check", "", check.bytes);
}

/* ---- an example as pieces ---- */

struct pieces {
    struct piece *list;
    size_t n_list, cap_list;
};

static struct pieces pieces_of(const struct example *example)
{
    uint64_t cluster = example->cluster_bytes;
    struct pieces pieces = {NULL, 0, 0};

    for (size_t i = 0; i < example->n_lines; i++) {
        const struct line *line = &example->lines[i];
        uint64_t held = example->extended_l2
                            ? (uint64_t)__builtin_popcount(line->data_bits) * (cluster / 32)
                            : cluster;

        if (line->zero || held == 0)
            continue; /* not mapped */
        for (uint64_t guest = line->first; guest <= line->last; guest++) {
            uint64_t begin =
                line->compressed ? line->begin : (line->host + (guest - line->first)) * cluster;
            uint64_t end = line->compressed ? line->end : begin + cluster;

            assert_int_equal(vec_reserve(&pieces, list), 0);
            pieces.list[pieces.n_list++] =
                (struct piece){.kind = line->compressed ? PIECE_COMPRESSED : PIECE_DATA,
                               .guest_off = guest * cluster,
                               .guest_bytes = cluster,
                               .begin = begin,
                               .end = end,
                               .mapped_bytes = held,
                               .missing = example->extended_l2 ? ~line->data_bits : 0,
                               .slack = line->compressed ? -end & (cluster - 1) : 0};
        }
    }
    return pieces;
}

/* ---- an example on a device ---- */

struct device {
    struct host_map *map;
    struct piece_stage stage;
};

static void open_device(const struct example *example, struct device *device)
{
    struct kernel kernel = {.list = example->extents, .n_list = example->n_extents};
    struct host_fiemap_source source = kernel_source(&kernel);
    struct err err = {0};

    assert_int_equal(host_map_read(&source, HOST_SEGMENTS_MAX, &device->map, &err), 0);
    assert_int_equal(host_placing_new((const struct host_map *const *)&device->map, 1,
                                      example->cluster_bytes, NULL, &device->stage),
                     0);
}

static void close_device(struct device *device)
{
    host_placing_free(&device->stage);
    host_map_free(device->map);
}

static int meter_it(void *context, const struct piece_batch *batch)
{
    meter_take(context, batch);
    return 0;
}

static struct meter *metered_on_device(const struct example *example, const struct piece *pieces,
                                       size_t n)
{
    struct meter *meter = meter_new(4096, 1);
    struct piece_batch *batch = pieces_new_batch(example->cluster_bytes, 0);
    struct device device;
    void *state;

    open_device(example, &device);
    state = device.stage.state_new(device.stage.shared);
    batch->uniform = false;
    for (size_t i = 0; i < n; i++)
        piece_batch_add(batch, &pieces[i]);
    assert_int_equal(device.stage.take(state, batch, (struct piece_sink){meter_it, meter}), 0);
    device.stage.state_free(state);
    close_device(&device);
    free(batch);
    return meter;
}

static struct meter *metered(const struct example *example, const struct piece *pieces, size_t n)
{
    return example->n_extents > 0 ? metered_on_device(example, pieces, n)
                                  : pieces_metered(example->cluster_bytes, pieces, n);
}

/* The divisor of the score. */
static uint64_t compared(const struct example *example, const struct meter *meter, size_t n)
{
    return example->n_extents == 0 ? n : meter->compared;
}

static void extents_are_counted_as_written(void **state)
{
    const struct page *page = *state;
    unsigned n = 0;

    for (size_t i = 0; i < page->n_examples; i++) {
        const struct example *example = &page->examples[i];
        struct device device;

        if (example->n_extents == 0)
            continue;
        n++;
        open_device(example, &device);
        expect_count(example, "extents", device.map->extents);
        expect_number(example, "extent_mean_bytes",
                      opt_ratio((double)device.map->extent_bytes, (double)device.map->extents));
        close_device(&device);
    }
    assert_true(n > 0);
}

static void the_page_has_its_examples(void **state)
{
    const struct page *page = *state;

    assert_true(page->n_examples >= 22);
    for (size_t i = 0; i < page->n_examples; i++) {
        const struct example *example = &page->examples[i];

        assert_true(example->cluster_bytes >= 512 && example->virtual_bytes > 0);
        assert_true(example->n_lines > 0);
        assert_true(example->n_figures >= 12);
    }
}

static void every_key_of_the_tables_is_known_here(void **state)
{
    static const char known[] =
        " mapped_clusters mapped_bytes compressed_clusters zero_clusters zero_allocated_clusters "
        "corrupt_entries backward_steps forward_jumps near_jumps file_switches breaks "
        "backward_jump_mean_bytes forward_jump_mean_bytes jump_histogram fragmentation_score "
        "ascending_runs ascending_run_mean_bytes contiguous_runs contiguous_run_mean_bytes "
        "contiguous_run_half_bytes contiguous_run_max_bytes run_histogram read_split "
        "qemu_img_check hole_bytes extents extent_mean_bytes ";
    const struct page *page = *state;

    for (size_t i = 0; i < page->n_examples; i++)
        for (size_t k = 0; k < page->examples[i].n_figures; k++) {
            char key[64];

            snprintf(key, sizeof(key), " %s ", page->examples[i].figures[k].key);
            if (strstr(known, key) == NULL)
                fail_msg("example %u: what is%s?", page->examples[i].number, key);
        }
}

static void pieces_give_the_figures(void **state)
{
    const struct page *page = *state;

    for (size_t i = 0; i < page->n_examples; i++) {
        const struct example *example = &page->examples[i];
        struct pieces pieces = pieces_of(example);
        struct meter *meter = metered(example, pieces.list, pieces.n_list);

        expect_figures(example, meter, compared(example, meter, pieces.n_list));
        meter_free(meter);
        free(pieces.list);
    }
}

/* Every place of a short example; of a long one some, with those around the border of a table. */
static size_t next_cut(size_t cut, size_t n)
{
    return n <= 200 || cut < 2 || cut >= n - 2 || (cut >= 8189 && cut < 8195) ? cut + 1
           : cut < 8189 && cut + 1021 >= 8189                                 ? 8189
           : cut + 1021 >= n - 2                                              ? n - 2
                                                                              : cut + 1021;
}

static void pieces_cut_anywhere_give_the_figures(void **state)
{
    const struct page *page = *state;

    for (size_t i = 0; i < page->n_examples; i++) {
        const struct example *example = &page->examples[i];
        struct pieces pieces = pieces_of(example);
        size_t n = pieces.n_list;
        struct meter *whole = metered(example, pieces.list, n);

        for (size_t cut = 0; cut <= n; cut = next_cut(cut, n)) {
            struct meter *left = metered(example, pieces.list, cut);
            struct meter *right = metered(example, pieces.list + cut, n - cut);

            meter_merge(left, right);
            assert_same_meter(left, whole);
            expect_figures(example, left, compared(example, left, n));
            meter_free(right);
            meter_free(left);
        }
        meter_free(whole);
        free(pieces.list);
    }
}

/* ---- an example as an image ---- */

static unsigned bits_of(uint64_t power)
{
    return (unsigned)__builtin_ctzll(power);
}

static void put_cluster(struct small_image *small, const struct example *example,
                        const struct line *line, uint64_t guest)
{
    uint64_t cluster = example->cluster_bytes;
    uint64_t l2_entries = cluster / (example->extended_l2 ? 16 : 8);
    uint64_t host = (line->host + (guest - line->first)) * cluster;
    uint64_t word = line->has_host ? FORMAT_ENTRY_COPIED | host : 0, bitmap = 0;

    if (line->compressed) {
        uint64_t sectors = (line->end - line->begin / 512 * 512) / 512;

        word =
            FORMAT_ENTRY_COMPRESSED | (sectors - 1) << (62 - (bits_of(cluster) - 8)) | line->begin;
    } else if (example->extended_l2) {
        bitmap = line->zero ? UINT64_MAX << 32 : (uint64_t)line->zero_bits << 32 | line->data_bits;
    } else if (line->zero) {
        word |= FORMAT_ENTRY_ZERO;
    }
    small_image_l2(small, 3 + guest / l2_entries, (uint32_t)(guest % l2_entries), word, bitmap);
}

/* The tables lie in front of the data; where they touch an example's clusters does not matter. */
static void make_image(struct small_image *small, const struct example *example)
{
    uint64_t cluster = example->cluster_bytes;
    uint64_t span = cluster * (cluster / (example->extended_l2 ? 16 : 8));
    uint32_t n_tables = (uint32_t)((example->virtual_bytes + span - 1) / span);

    small_image_init(small, bits_of(cluster), example->virtual_bytes, n_tables, 3 + n_tables);
    small_image_features(small, (example->extended_l2 ? FORMAT_INCOMPAT_EXTENDED_L2 : 0) |
                                    (example->data_file ? FORMAT_INCOMPAT_DATA_FILE : 0));
    for (uint32_t i = 0; i < n_tables; i++)
        small_image_l1(small, 2, i, 3 + i);
    for (size_t i = 0; i < example->n_lines; i++)
        for (uint64_t guest = example->lines[i].first; guest <= example->lines[i].last; guest++)
            put_cluster(small, example, &example->lines[i], guest);
    small_image_open(small, 100000 * cluster);
}

static void images_give_the_figures(void **state)
{
    const struct page *page = *state;

    for (size_t i = 0; i < page->n_examples; i++) {
        const struct example *example = &page->examples[i];
        struct walk_options options = {.workers = NULL};
        bool on_device = example->n_extents > 0;
        struct small_image small;
        struct tables_table table;
        struct meter_set meters;
        struct device device;
        struct err err = {0};

        make_image(&small, example);
        if (on_device) {
            open_device(example, &device);
            options.stage = &device.stage;
        }
        table = small_image_table(&small);
        assert_int_equal(walk_tables(&small.image, &table, 1, &meters, &options, &err), 0);
        if (on_device) {
            expect_figures(example, meters.staged,
                           compared(example, meters.staged, table.counts.mapped_clusters));
            close_device(&device);
        } else {
            expect_figures(example, meters.plain, table.counts.mapped_clusters);
            expect_counts(example, &table.counts, &small.image.header);
        }
        assert_int_equal(table.findings.total, 0);
        format_findings_free(&table.findings);
        meter_set_free(&meters);
        small_image_free(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_its_examples),
        cmocka_unit_test(every_key_of_the_tables_is_known_here),
        cmocka_unit_test(pieces_give_the_figures),
        cmocka_unit_test(pieces_cut_anywhere_give_the_figures),
        cmocka_unit_test(images_give_the_figures),
        cmocka_unit_test(extents_are_counted_as_written),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

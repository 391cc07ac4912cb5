// SPDX-License-Identifier: MIT
/* Text on its way into HTML, pictures as PNG, and that a page has an end. */
#include "made_report.h"

#include "html.h"
#include "html_pixels.h"
#include "json.h"
#include "render.h"
#include "render_fleet.h"
#include "render_html.h"

#include <stdbool.h>
#include <zlib.h>

/* ---- text ---- */

static char *named(const char *bytes, size_t len)
{
    struct made_print *print = made_print_begin();
    struct html html = {.stream = print->stream};
    size_t n_bytes;
    char *text;

    html_name(&html, bytes, len);
    n_bytes = html.n_bytes;
    text = made_print_end(print);
    assert_int_equal(strlen(text), n_bytes);
    return text;
}

static void expect_name(const char *bytes, size_t len, const char *expected)
{
    char *text = named(bytes, len);

    assert_string_equal(text, expected);
    free(text);
}

static void what_a_parser_would_act_on_is_text(void **state)
{
    (void)state;
    expect_name("<script>\"a\" & 'b'</script>", 26,
                "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
    expect_name("&lt;", 4, "&amp;lt;");
}

static void what_is_no_text_is_spelled(void **state)
{
    (void)state;
    expect_name("a\0b\x1b[1m\n", 8, "a\\x00b\\x1b[1m\\x0a");
    expect_name("\xff\xc3(", 3, "\\xff\\xc3(");
    expect_name("\xe2\x80\xae", 3, "\\xe2\\x80\\xae"); /* turns the line round */
    expect_name("\xef\xbf\xbf", 3, "\\xef\\xbf\\xbf"); /* no character */
    expect_name("a\\b", 3, "a\\x5cb");
    expect_name("\xc3\xa4", 2, "\xc3\xa4");
}

/* Of every byte, and every pair with what markup is made of. */
static void no_name_has_markup(void **state)
{
    static const char signs[] = "<>&\"'\\/= \xe2\x80\xae\xff";
    char name[3 * 256 * sizeof(signs)], *text;
    size_t n = 0;

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t i = 0; i < sizeof(signs); i++) {
            name[n++] = (char)byte;
            name[n++] = signs[i];
        }
    text = named(name, n);
    assert_null(strpbrk(text, "<>\"'"));
    for (const char *at = text; (at = strchr(at, '&')) != NULL; at++)
        assert_true(strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                    strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&quot;", 6) == 0 ||
                    strncmp(at, "&#39;", 5) == 0);
    for (const char *at = text; *at != '\0'; at++)
        assert_true((unsigned char)*at >= 0x20);
    assert_true(strlen(text) <= n * HTML_BYTE_MAX);
    free(text);
}

static void a_sentence_keeps_its_backslashes(void **state)
{
    struct made_print *print = made_print_begin();
    struct html html = {.stream = print->stream};
    char *text;

    (void)state;
    html_sentence(&html, "qcow2frag $'a\\x1b<'");
    text = made_print_end(print);
    assert_string_equal(text, "qcow2frag $&#39;a\\x1b&lt;&#39;");
    free(text);
}

static void a_long_name_is_shortened(void **state)
{
    struct made_print *print = made_print_begin();
    struct html html = {.stream = print->stream};
    char name[1023], *text;

    (void)state;
    memset(name, '<', sizeof(name));
    html_isolated(&html, name, sizeof(name), 100);
    text = made_print_end(print);
    assert_true(strlen(text) < 103 * 4 + 11);
    assert_null(strstr(text, "<<"));
    free(text);
}

static void sizes_are_those_of_the_command_line(void **state)
{
    (void)state;
    assert_string_equal(html_exact(0), "0");
    assert_string_equal(html_exact(512), "512");
    assert_string_equal(html_exact(12 * MADE_GIB), "12G");
    assert_string_equal(html_exact(12 * MADE_GIB + 4096), "12582916K");
    assert_string_equal(html_exact(MADE_GIB << 20), "1024T");
}

static void digits_are_those_of_a_format(void **state)
{
    static const uint64_t numbers[] = {0, 9, 10, 12345, UINT64_MAX};
    char expected[32];

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct made_print *print = made_print_begin();
        struct html html = {.stream = print->stream};
        char *text;

        html_digits(&html, numbers[i]);
        text = made_print_end(print);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
        assert_string_equal(text, expected);
        free(text);
    }
}

/* ---- pictures ---- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return (int)(strchr(digits, c) - digits);
}

/* The bytes behind the comma of a data: address; free them. */
static uint8_t *bytes_of(const char *address, size_t *n)
{
    const char *text = strchr(address, ',') + 1;
    size_t len = strcspn(text, "=");
    uint8_t *bytes = malloc(len);

    assert_non_null(bytes);
    *n = len * 6 / 8;
    for (size_t i = 0; i < *n; i++) {
        unsigned bits = (unsigned)digit_of(text[i * 8 / 6]) << 6;

        bits |= i * 8 / 6 + 1 < len ? (unsigned)digit_of(text[i * 8 / 6 + 1]) : 0;
        bytes[i] = (uint8_t)(bits >> (4 - i * 8 % 6));
    }
    return bytes;
}

static uint32_t u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The chunk of a PNG of this type, whose checksum must be right. */
static const uint8_t *chunk_of(const uint8_t *png, size_t n, const char *type, uint32_t *len)
{
    for (size_t at = 8; at + 12 <= n; at += u32(png + at) + 12) {
        *len = u32(png + at);
        assert_true(at + 12 + *len <= n);
        assert_int_equal(crc32(0, png + at + 4, *len + 4), u32(png + at + 8 + *len));
        if (memcmp(png + at + 4, type, 4) == 0)
            return png + at + 8;
    }
    fail_msg("there is no %s", type);
    return NULL;
}

/* Written and read again, each pixel is what it was. */
static void expect_same(unsigned n_colours, uint32_t width, uint32_t height, unsigned depth)
{
    struct made_print *print = made_print_begin();
    struct html html = {.stream = print->stream};
    struct html_pixels pixels;
    uint8_t rows[4096], *png;
    uLongf rows_bytes = sizeof(rows);
    uint32_t len, row_bytes = 1 + (width * depth + 7) / 8;
    const uint8_t *data;
    char *text;
    size_t n;

    assert_int_equal(html_pixels_new(&pixels, width, height), 0);
    for (unsigned i = 1; i < n_colours; i++)
        assert_int_equal(html_pixels_colour(&pixels, (struct render_colour){(uint8_t)i, 7, 9}, 255),
                         i);
    for (uint32_t i = 0; i < width * height; i++)
        pixels.list[i] = (uint8_t)(i * 7 % n_colours);
    assert_int_equal(html_pixels_put(&html, &pixels), 0);
    text = made_print_end(print);
    png = bytes_of(text, &n);
    data = chunk_of(png, n, "IHDR", &len);
    assert_int_equal(u32(data), width);
    assert_int_equal(u32(data + 4), height);
    assert_int_equal(data[8], depth);
    data = chunk_of(png, n, "PLTE", &len);
    assert_int_equal(len, 3 * n_colours);
    data = chunk_of(png, n, "IDAT", &len);
    assert_int_equal(uncompress(rows, &rows_bytes, data, len), Z_OK);
    assert_int_equal(rows_bytes, row_bytes * height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            uint8_t byte = rows[y * row_bytes + 1 + x * depth / 8];

            assert_int_equal(byte >> (8 - depth - x * depth % 8) & ((1u << depth) - 1),
                             pixels.list[y * width + x]);
        }
    chunk_of(png, n, "IEND", &len);
    html_pixels_free(&pixels);
    free(png);
    free(text);
}

static void pixels_survive(void **state)
{
    (void)state;
    expect_same(1, 1, 1, 1);
    expect_same(2, 9, 3, 1);
    expect_same(4, 7, 5, 2);
    expect_same(16, 13, 4, 4);
    expect_same(17, 13, 4, 8);
    expect_same(256, 32, 16, 8);
}

static void colours_are_found_again(void **state)
{
    struct html_pixels pixels;

    (void)state;
    assert_int_equal(html_pixels_new(&pixels, 1, 1), 0);
    assert_int_equal(html_pixels_colour(&pixels, (struct render_colour){1, 2, 3}, 255), 1);
    assert_int_equal(html_pixels_colour(&pixels, (struct render_colour){1, 2, 3}, 9), 2);
    assert_int_equal(html_pixels_colour(&pixels, (struct render_colour){1, 2, 3}, 255), 1);
    for (unsigned i = 3; i < 300; i++)
        html_pixels_colour(&pixels, (struct render_colour){9, (uint8_t)(i >> 8), (uint8_t)i}, 255);
    assert_int_equal(pixels.n_colours, 256);
    assert_int_equal(html_pixels_colour(&pixels, (struct render_colour){8, 8, 8}, 255), 255);
    html_pixels_free(&pixels);
}

/* ---- the page ---- */

static char *page_of(const struct report_image *image, const struct report_image *after)
{
    struct made_print *print = made_print_begin();

    assert_int_equal(render_html(print->stream, image, after, NULL), 0);
    return made_print_end(print);
}

static void the_document_cannot_end_its_element(void **state)
{
    struct made_report made;
    char *text, *begin, *end;

    (void)state;
    made_init(&made);
    made.image.path = "</script><!--<script>";
    text = page_of(&made.image, NULL);
    begin = strstr(text, "id=\"qcow2frag-json\">");
    assert_non_null(begin);
    begin += strlen("id=\"qcow2frag-json\">");
    end = strchr(begin, '<');
    assert_memory_equal(end, "</script>\n", 10);
    assert_int_equal(end[-1], '}');
    *end = '\0';
    assert_non_null(strstr(begin, "\"\\u003c/script>\\u003c!--\\u003cscript>\""));
    free(text);
}

static void json_elsewhere_is_as_it_was(void **state)
{
    struct made_print *print = made_print_begin();
    struct json json = {.stream = print->stream, .one_line = true};
    char *text;

    (void)state;
    json_string(&json, NULL, "a<b");
    text = made_print_end(print);
    assert_string_equal(text, "\"a<b\"");
    free(text);
}

static void everything_has_its_part(void **state)
{
    static const char *const parts[] = {"verdict", "figures", "lengths", "snapshots",
                                        "file",    "space",   "findings"};
    struct made_report made;
    char id[32], *text;

    (void)state;
    made_init(&made);
    made_add_snapshot(&made);
    made_add_space(&made);
    made_add_findings(&made);
    text = page_of(&made.image, NULL);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(id, sizeof(id), "id=\"%s\"", parts[i]);
        assert_non_null(strstr(text, id));
    }
    assert_non_null(strstr(text, "up\\x1bto")); /* the snapshot's name */
    assert_non_null(strstr(text, "points to the header"));
    free(text);
}

static void after_has_the_change_of_each_figure(void **state)
{
    struct made_report before, after;
    char *text;

    (void)state;
    made_init(&before);
    made_init(&after);
    after.tables[0].walk.backward_steps = 12;
    after.tables[0].walk.contiguous_runs = 1;
    after.tables[0].walk.fragmentation_score = opt_f64_of(0);
    text = page_of(&before.image, &after.image);
    assert_non_null(strstr(text, "<td class=\"n better\">\xe2\x88\x92"
                                 "25.00 points</td>"));
    assert_non_null(strstr(text, "<td class=\"n better\">\xc3\xb7 1,918</td>"));
    assert_non_null(strstr(text, "<td class=\"n better\">\xc3\xb7 100</td>"));
    assert_non_null(strstr(text, "<td class=\"n\">same</td>"));
    free(text);
}

/* As many as there can be, of names as long as they can be. */
static void a_page_has_an_end(void **state)
{
    enum { TABLES = 65536, LAYERS = 1000 };
    struct report_table *tables = calloc(TABLES, sizeof(*tables));
    struct report_layer *layers = calloc(LAYERS, sizeof(*layers));
    struct format_finding *findings = calloc(200, sizeof(*findings));
    struct made_report made;
    char name[1024], path[4096], *text;

    (void)state;
    assert_true(tables != NULL && layers != NULL && findings != NULL);
    memset(name, '"', sizeof(name));
    memset(path, '\'', sizeof(path));
    name[1023] = path[4095] = '\0';
    made_init(&made);
    made_add_snapshot(&made);
    made_add_space(&made);
    made_add_findings(&made);
    for (size_t i = 0; i < LAYERS; i++)
        layers[i] = (struct report_layer){.path = path,
                                          .depth = (uint32_t)i,
                                          .bytes = 1,
                                          .runs = 1,
                                          .shadowed_bytes = opt_u64_of(1)};
    made.tables[0].layers = layers;
    made.tables[0].n_layers = LAYERS;
    tables[0] = made.tables[0];
    for (size_t i = 1; i < TABLES; i++) {
        tables[i] = made.tables[1];
        tables[i].name = tables[i].id = made_name(name);
    }
    for (size_t i = 0; i < 200; i++) {
        findings[i] = made.findings[1];
        memset(findings[i].message, '&', sizeof(findings[i].message) - 1);
    }
    made.image.path = path;
    made.image.tables = tables;
    made.image.n_tables = TABLES;
    made.image.findings.list = findings;
    made.image.findings.n_list = 200;
    made.image.findings.total = 20000;
    text = page_of(&made.image, &made.image);
    assert_true(strlen(text) <= RENDER_HTML_BYTES_MAX);
    assert_non_null(strstr(text, " more; <code>qcow2frag --json</code> has them all"));
    assert_non_null(strstr(text, "</html>\n"));
    free(text);
    free(tables);
    free(layers);
    free(findings);
}

/* ---- many images ---- */

static char *fleet_of(struct render_fleet *fleet)
{
    struct made_print *print = made_print_begin();

    assert_int_equal(render_fleet(print->stream, fleet), 0);
    return made_print_end(print);
}

static void fill_row(struct render_fleet_row *row, const char *path, double lost)
{
    struct made_report made;

    made_init(&made);
    made.image.path = path;
    assert_int_equal(render_fleet_row(&made.image, row), 0);
    row->lost = opt_f64_of(lost);
    for (unsigned i = 0; i < HTML_THUMB_CELLS_MAX; i++)
        row->before.cells[i] = (uint8_t)((i * 7 + (unsigned)lost) % 16);
    row->before.n_cells = HTML_THUMB_CELLS_MAX;
}

static size_t count_of(const char *text, const char *word)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        n++;
    return n;
}

static void the_worst_image_comes_first(void **state)
{
    struct render_fleet_row rows[3];
    struct render_fleet fleet = {.folder = "images/", .rows = rows, .n_rows = 3};
    const char *good, *bad, *worse;
    char *text;

    (void)state;
    fill_row(&rows[0], "images/good", 1);
    fill_row(&rows[1], "images/sub/<worse>", 30);
    fill_row(&rows[2], "images/bad", 20);
    text = fleet_of(&fleet);
    worse = strstr(text, "<bdi>sub/&lt;worse&gt;</bdi>");
    bad = strstr(text, "<bdi>bad</bdi>");
    good = strstr(text, "<bdi>good</bdi>");
    assert_true(worse != NULL && bad != NULL && good != NULL);
    assert_true(worse < bad && bad < good);
    free(text);
}

static void ten_thousand_images_are_on_one_page(void **state)
{
    enum { N = 10000 };
    struct render_fleet_row *rows = calloc(N, sizeof(*rows));
    char(*names)[64] = calloc(N, sizeof(*names)), *text;
    struct render_fleet fleet = {.folder = "/var/lib/images", .rows = rows, .n_rows = N};

    (void)state;
    assert_true(rows != NULL && names != NULL);
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "/var/lib/images/vm-%06zu-disk.qcow2", i);
        fill_row(&rows[i], names[i], (double)(i % 977));
    }
    text = fleet_of(&fleet);
    assert_true(strlen(text) <= RENDER_HTML_BYTES_MAX);
    assert_int_equal(count_of(text, "-disk.qcow2</bdi>"), N);
    assert_int_equal(count_of(text, "<img class=thumb"), 200);
    assert_non_null(strstr(text, "Only the worst 200 have a map"));
    assert_non_null(strstr(text, "JSON of so many images is not here"));
    free(text);
    free(rows);
    free(names);
}

static void a_fleet_with_long_names_has_an_end(void **state)
{
    enum { N = 20000 };
    struct render_fleet_row *rows = calloc(N, sizeof(*rows));
    char name[4096], *text;
    struct render_fleet fleet = {.rewritten = true, .rows = rows, .n_rows = N};

    (void)state;
    assert_non_null(rows);
    memset(name, '"', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    fleet.folder = name;
    for (size_t i = 0; i < N; i++)
        fill_row(&rows[i], name, 1);
    text = fleet_of(&fleet);
    assert_true(strlen(text) <= RENDER_HTML_BYTES_MAX);
    assert_non_null(strstr(text, " more images, which lose less, are left out"));
    assert_non_null(strstr(text, "</html>\n"));
    free(text);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_parser_would_act_on_is_text),
        cmocka_unit_test(what_is_no_text_is_spelled),
        cmocka_unit_test(no_name_has_markup),
        cmocka_unit_test(a_sentence_keeps_its_backslashes),
        cmocka_unit_test(a_long_name_is_shortened),
        cmocka_unit_test(sizes_are_those_of_the_command_line),
        cmocka_unit_test(digits_are_those_of_a_format),
        cmocka_unit_test(pixels_survive),
        cmocka_unit_test(colours_are_found_again),
        cmocka_unit_test(the_document_cannot_end_its_element),
        cmocka_unit_test(json_elsewhere_is_as_it_was),
        cmocka_unit_test(everything_has_its_part),
        cmocka_unit_test(after_has_the_change_of_each_figure),
        cmocka_unit_test(a_page_has_an_end),
        cmocka_unit_test(the_worst_image_comes_first),
        cmocka_unit_test(ten_thousand_images_are_on_one_page),
        cmocka_unit_test(a_fleet_with_long_names_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

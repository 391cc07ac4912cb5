// SPDX-License-Identifier: MIT
/* The table and CSV: which columns, which rows in which order, and how a cell looks. */
#include "rows.h"
#include "cell.h"
#include "made_report.h"

static const struct render_column *column(const char *name)
{
    const struct render_column *found = render_column_find(name, strlen(name));

    assert_non_null(found);
    return found;
}

static void cell_is(const struct made_report *made, const char *name, const char *people,
                    const char *programs)
{
    const struct render_column *of = column(name);
    struct render_value value =
        of->value(&made->image, made->image.n_tables > 0 ? made->tables : NULL);
    char digits[RENDER_DIGITS_MAX];
    char *text = render_cell_for_people(of, value, false);

    if (strcmp(text, people) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", name, text, people);
    free(text);
    if (of->type == RENDER_TEXT)
        return;
    render_cell_for_programs(of, value, digits);
    if (strcmp(digits, programs) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", name, digits, programs);
}

struct expected {
    const char *name, *people, *programs;
};

static void each_column_has_its_figure(void **state)
{
    static const struct expected cells[] = {
        {"ACTION", "none", NULL},
        {"LOST", "35 s", "35"},
        {"SECONDS", "40 s", "40"},
        {"SLOWDOWN", "6.00", "6"},
        {"IDEAL", "5.0 s", "5"},
        {"IMAGE_LOST", "26 s", "25.5"},
        {"IMAGE_SECONDS", "30 s", "30"},
        {"IMAGE_SLOWDOWN", "5.50", "5.5"},
        {"SCORE", "25.00 %", "0.25"},
        {"RUNS", "1918", "1918"},
        {"MEAN", "160 KiB", "163999.25"},
        {"HALF", "4 MiB", "4194304"},
        {"MAX", "64 MiB", "67108864"},
        {"BREAKS", "1917", "1917"},
        {"BACK", "1200", "1200"},
        {"FORWARD", "700", "700"},
        {"NEAR", "200", "200"},
        {"SWITCHES", "17", "17"},
        {"BACKMEAN", "5 MiB", "5242880"},
        {"FORWARDMEAN", "7 MiB", "7340032"},
        {"ASCENDING", "1201", "1201"},
        {"ASCENDINGMEAN", "256 KiB", "261888.5"},
        {"SPLIT", "2.50", "2.5"},
        {"QEMU", "40.00 %", "0.4"},
        {"MAPPED", "300 MiB", "314572800"},
        {"CLUSTERS", "4801", "4801"},
        {"COMPRESSED", "11", "11"},
        {"ZERO", "22", "22"},
        {"CORRUPT", "3", "3"},
        {"DEPTH", "1", "1"},
        {"VIRTUAL", "1 GiB", "1073741824"},
        {"FILE", "400 MiB", "419430400"},
        {"CLUSTER", "64 KiB", "65536"},
        {"EXTENTS", "1234", "1234"},
        {"EXTENTMEAN", "332 KiB", "339870.5"},
        {"ENDSCORE", "27.00 %", "0.27"},
        {"ENDRUNS", "2101", "2101"},
        {"ENDMEAN", "145 KiB", "148727.5"},
        {"ENDHALF", "3 MiB", "3145728"},
        {"HOLES", "2 MiB", "2097152"},
        {"FILESYSTEM", "ext4", NULL},
        {"DEVICE", "/dev/sda1", NULL},
        {"END", "398 MiB", "417333248"},
        {"STORED", "390 MiB", "408944640"},
        {"ACTIVE", "310 MiB", "325058560"},
        {"METADATA", "1 MiB", "1048576"},
        {"VMSTATE", "8 MiB", "8388608"},
        {"SNAPSHOTONLY", "40 MiB", "41943040"},
        {"LEAKED", "20 MiB", "20971520"},
        {"FREE", "16 MiB", "16777216"},
        {"GAPS", "31", "31"},
        {"TAIL", "2 MiB", "2097152"},
        {"RECLAIMABLE", "38 MiB", "39845888"},
        {"FINDINGS", "0", "0"},
        {"BACKING", "base.qcow2", NULL},
        {"OVERLAYS", "3", "3"},
        {"DOMAIN", "db, web", NULL},
        {"TARGET", "vda, sdb", NULL},
        {"SNAPSHOTID", "", NULL},
        {"SNAPSHOT", "", NULL},
        {"IMAGE", "disk.qcow2", NULL},
        {"ERROR", "", NULL},
    };
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_space(&made);
    assert_int_equal(sizeof(cells) / sizeof(cells[0]), render_n_columns);
    made.image.backing_image = "base.qcow2";
    made.image.n_overlays = 3;
    made.image.domains = &(struct report_domains){.names = "db, web", .targets = "vda, sdb"};
    for (size_t i = 0; i < render_n_columns; i++) {
        assert_string_equal(cells[i].name, render_columns[i].name);
        cell_is(&made, cells[i].name, cells[i].people, cells[i].programs);
    }
}

/* Of an image that could not be measured, and of a table that could not be read. */
static void what_is_not_known_has_no_figure(void **state)
{
    static const char *const known_of_table[] = {"DEPTH", "VIRTUAL", "IMAGE", "FINDINGS",
                                                 "OVERLAYS"};
    struct made_report made;

    (void)state;
    made_init(&made);
    for (int with_table = 0; with_table < 2; with_table++) {
        made.image = (struct report_image){.path = "p", .tables = made.tables};
        made.image.n_tables = (size_t)with_table;
        made.tables[0] = (struct report_table){.chain_depth = 1};
        made.image.host.filesystem = made.image.host.device = (char *)(uintptr_t) "x";
        for (size_t i = 0; i < render_n_columns; i++) {
            bool known = false;

            for (size_t k = with_table ? 0 : 2; k < 5; k++)
                known = known || strcmp(render_columns[i].name, known_of_table[k]) == 0;
            if (!known)
                cell_is(&made, render_columns[i].name,
                        render_columns[i].type == RENDER_TEXT ? "" : "-", "");
        }
    }
}

static void what_the_state_hides(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made.image.error = (char *)(uintptr_t) "no\x1b";
    cell_is(&made, "ACTION", "failed", NULL);
    cell_is(&made, "ERROR", "no\\x1b", NULL);
    cell_is(&made, "FINDINGS", "-", "");
    made.image.error = NULL;
    made.image.findings.total = 5;
    cell_is(&made, "FINDINGS", "5", "5");
    made.tables[0].check.allocated_clusters = 0;
    cell_is(&made, "QEMU", "-", "");
    made.tables[0].id = made_name("1");
    made.tables[0].name = made_name("n\\x");
    cell_is(&made, "SNAPSHOTID", "1", NULL);
    cell_is(&made, "SNAPSHOT", "n\\x5cx", NULL);
}

static void columns_are_found_in_upper_and_lower_case(void **state)
{
    (void)state;
    assert_ptr_equal(render_column_find("lost,", 4), &render_columns[1]);
    assert_ptr_equal(render_column_find("Lost", 4), &render_columns[1]);
    assert_null(render_column_find("lost", 3));
    assert_null(render_column_find("losts", 5));
    assert_null(render_column_find("", 0));
}

static void bytes_can_be_plain_numbers(void **state)
{
    static const struct render_column sizes = {.type = RENDER_BYTES},
                                      means = {.type = RENDER_MEAN_BYTES},
                                      texts = {.type = RENDER_TEXT};
    struct render_value value = {
        .known = true, .integer = 4096, .real = 4095.6, .text = "a\xff", .text_len = 2};
    char *cells[4] = {render_cell_for_people(&sizes, value, true),
                      render_cell_for_people(&means, value, true),
                      render_cell_for_table(&texts, value, true), NULL};

    (void)state;
    assert_string_equal(cells[0], "4096");
    assert_string_equal(cells[1], "4096");
    assert_string_equal(cells[2], "a\xff"); /* libsmartcols spells that by itself */
    value.text = "a\xc2\x9b";               /* but not that */
    value.text_len = 3;
    cells[3] = render_cell_for_table(&texts, value, true);
    assert_string_equal(cells[3], "a\\xc2\\x9b");
    for (int i = 0; i < 4; i++)
        free(cells[i]);
}

/* ---- rows ---- */

#define N_IMAGES 6

/* Images that lose 1, 3, 3, nobody knows, nobody knows, 2 seconds; the middle ones with scores. */
static void make_images(struct made_report made[N_IMAGES], struct report_image images[N_IMAGES])
{
    static const double lost[N_IMAGES] = {1, 3, 3, -1, -1, 2},
                        score[N_IMAGES] = {0, .2, .4, .1, 0, 0};
    static const char *const paths[N_IMAGES] = {"b", "a", "bb", "d", "c", "e"};

    for (int i = 0; i < N_IMAGES; i++) {
        struct report_table *table = &made[i].tables[0];

        made_init(&made[i]);
        table->end_to_end.known = false;
        table->disk = (struct report_disk){.known = lost[i] >= 0, .seconds = lost[i]};
        table->walk.fragmentation_score.value = score[i];
        table->walk.breaks = (uint64_t)(10 - i);
        made[i].image.path = paths[i];
        images[i] = made[i].image;
    }
}

static void order_is(const char *name, bool reversed, const char *expected)
{
    static struct made_report made[N_IMAGES];
    struct report_image images[N_IMAGES];
    const struct render_images all = {N_IMAGES, made_image, images};
    struct render_row *rows;
    char order[32] = "";
    size_t n;

    make_images(made, images);
    rows = render_rows(&all, &n);
    assert_int_equal(n, N_IMAGES);
    assert_int_equal(render_rows_sort(rows, n, &all, name != NULL ? column(name) : NULL, reversed),
                     0);
    for (size_t i = 0; i < n; i++)
        snprintf(order + strlen(order), sizeof(order) - strlen(order), " %s",
                 images[rows[i].image].path);
    if (strcmp(order + 1, expected) != 0)
        fail_msg("%s: %s, not %s", name != NULL ? name : "none", order + 1, expected);
    free(rows);
}

static void what_loses_most_comes_first(void **state)
{
    (void)state;
    order_is(NULL, false, "bb a e b d c");
    order_is("LOST", false, "bb a e b d c");
    order_is("LOST", true, "b e bb a d c"); /* equals, and what is not known, as before */
}

static void any_column_can_sort(void **state)
{
    (void)state;
    order_is("BREAKS", false, "b a bb d c e");
    order_is("BREAKS", true, "e c d bb a b");
    order_is("IMAGE", false, "a b bb c d e");
    order_is("IMAGE", true, "e d c bb b a");
    order_is("SCORE", false, "bb a d e b c"); /* equals by what they lose */
    order_is("VIRTUAL", false, "bb a e b d c");
}

static void an_image_without_tables_has_a_row(void **state)
{
    struct made_report made;
    struct report_image images[3];
    struct render_images all = {3, made_image, images};
    const struct report_image *image;
    const struct report_table *table;
    struct render_row *rows;
    size_t n;

    (void)state;
    made_init(&made);
    made_add_snapshot(&made);
    images[0] = (struct report_image){.path = "first"};
    images[1] = made.image;
    images[2] = images[0];
    rows = render_rows(&all, &n);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++) {
        static const size_t image_of[] = {0, 1, 1, 2};
        const struct report_table *const table_of[] = {NULL, &made.tables[0], &made.tables[1],
                                                       NULL};

        assert_int_equal(rows[i].given, i);
        render_row_look(&rows[i], &all, &image, &table);
        assert_ptr_equal(image, &images[image_of[i]]);
        assert_ptr_equal(table, table_of[i]);
    }
    free(rows);
    all.n = 0;
    rows = render_rows(&all, &n);
    assert_non_null(rows);
    assert_int_equal(n, 0);
    assert_int_equal(render_rows_sort(rows, 0, &all, NULL, false), 0);
    free(rows);
}

/* ---- CSV ---- */

static void csv_is(struct report_image *list, size_t n, struct render_options options,
                   const char *expected)
{
    const struct render_images images = {n, made_image, list};
    struct made_print *print = made_print_begin();
    char *text;

    assert_int_equal(render_csv(print->stream, &images, &options), 0);
    text = made_print_end(print);
    assert_string_equal(text, expected);
    free(text);
}

static void csv_of_all_columns(void **state)
{
    struct made_print *print = made_print_begin();
    struct render_options options = {.bytes = true};
    struct made_report made;
    const struct render_images images = {1, made_image, &made.image};
    char *text, *line;
    size_t commas = 0;

    (void)state;
    made_init(&made);
    assert_int_equal(render_csv(print->stream, &images, &options), 0);
    text = made_print_end(print);
    assert_memory_equal(text, "ACTION,LOST,SECONDS,", 20);
    line = strchr(text, '\n') + 1;
    assert_non_null(strstr(text, ",IMAGE,ERROR\nnone,35,40,6,5,25.5,30,5.5,0.25,1918,163999.25,"));
    for (const char *at = line; *at != '\0'; at++)
        commas += *at == ',';
    assert_int_equal(commas, render_n_columns - 1);
    assert_string_equal(strstr(line, ",disk"), ",disk.qcow2,\n");
    free(text);
}

static void csv_quotes_only_what_must_be(void **state)
{
    const struct render_column *const columns[2] = {column("IMAGE"), column("BREAKS")};
    const struct render_options options = {.columns = columns, .n_columns = 2, .noheadings = true};
    static const struct {
        const char *path, *row;
    } cases[] = {
        {"a b", "a b,1917\n"},
        {"a,b", "\"a,b\",1917\n"},
        {"a\"b", "\"a\"\"b\",1917\n"},
        {"a\nb", "\"a\nb\",1917\n"},
        {"a\tb", "a\tb,1917\n"},
        {"a\x1b[b\r", "a\\x1b[b\\x0d,1917\n"},
        {"a\\b\\", "a\\b\\,1917\n"},
        {"a\\x41", "a\\x5cx41,1917\n"},
        {"\xe2\x80\xae\xffz", "\\xe2\\x80\\xae\\xffz,1917\n"},
    };
    struct made_report made;

    (void)state;
    made_init(&made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        made.image.path = cases[i].path;
        csv_is(&made.image, 1, options, cases[i].row);
    }
}

static void csv_has_a_row_for_each_table_as_given(void **state)
{
    static struct made_report made[N_IMAGES];
    struct report_image images[N_IMAGES];
    const struct render_column *const columns[2] = {column("IMAGE"), column("LOST")};
    struct render_options options = {.columns = columns, .n_columns = 2};

    (void)state;
    make_images(made, images);
    csv_is(images, N_IMAGES, options, "IMAGE,LOST\nb,1\na,3\nbb,3\nd,\nc,\ne,2\n");
    options.sort = column("IMAGE");
    csv_is(images, N_IMAGES, options, "IMAGE,LOST\na,3\nb,1\nbb,3\nc,\nd,\ne,2\n");
    options.sort_reversed = true;
    csv_is(images, N_IMAGES, options, "IMAGE,LOST\ne,2\nd,\nc,\nbb,3\nb,1\na,3\n");
    csv_is(images, 0, options, "IMAGE,LOST\n");
}

/* ---- the table ---- */

static void table_is(struct report_image *list, size_t n, struct render_options options,
                     const char *expected)
{
    const struct render_images images = {n, made_image, list};
    struct made_print *print = made_print_begin();
    char *text;

    assert_int_equal(render_table(print->stream, &images, &options), 0);
    text = made_print_end(print);
    assert_string_equal(text, expected);
    free(text);
}

static void a_table_has_the_columns_that_are_shown_by_default(void **state)
{
    struct made_report made;
    struct render_options options = {.width = 0};

    (void)state;
    made_init(&made);
    made_add_snapshot(&made);
    table_is(&made.image, 1, options,
             "ACTION LOST   SCORE RUNS    MEAN  HALF BACK FORWARD  MAPPED VIRTUAL IMAGE\n"
             "       35 s 50.00 % 1918 160 KiB 4 MiB 1200     700 600 MiB   2 GiB disk.qcow2\n"
             "none   35 s 25.00 % 1918 160 KiB 4 MiB 1200     700 300 MiB   1 GiB disk.qcow2\n");
    options.snapshots = true;
    options.noheadings = true;
    options.bytes = true;
    table_is(&made.image, 1, options,
             "       35 s 50.00 % 1918 163999 4194304 1200     700 629145600 2147483648 up\\x1bto "
             "disk.qcow2\n"
             "none   35 s 25.00 % 1918 163999 4194304 1200     700 314572800 1073741824          "
             "disk.qcow2\n");
}

static void a_table_of_chosen_columns(void **state)
{
    static struct made_report made[N_IMAGES];
    struct report_image images[N_IMAGES];
    const struct render_column *const columns[2] = {column("IMAGE"), column("BREAKS")};
    struct render_options options = {.columns = columns, .n_columns = 2, .snapshots = true};

    (void)state;
    make_images(made, images);
    table_is(images, 3, options, "IMAGE BREAKS\nbb         8\na          9\nb         10\n");
    options.sort = column("BREAKS");
    options.sort_reversed = true;
    table_is(images, 3, options, "IMAGE BREAKS\nbb         8\na          9\nb         10\n");
    options.sort_reversed = false;
    table_is(images, 3, options, "IMAGE BREAKS\nb         10\na          9\nbb         8\n");
    table_is(images, 0, options, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_column_has_its_figure),
        cmocka_unit_test(what_is_not_known_has_no_figure),
        cmocka_unit_test(what_the_state_hides),
        cmocka_unit_test(columns_are_found_in_upper_and_lower_case),
        cmocka_unit_test(bytes_can_be_plain_numbers),
        cmocka_unit_test(what_loses_most_comes_first),
        cmocka_unit_test(any_column_can_sort),
        cmocka_unit_test(an_image_without_tables_has_a_row),
        cmocka_unit_test(csv_of_all_columns),
        cmocka_unit_test(csv_quotes_only_what_must_be),
        cmocka_unit_test(csv_has_a_row_for_each_table_as_given),
        cmocka_unit_test(a_table_has_the_columns_that_are_shown_by_default),
        cmocka_unit_test(a_table_of_chosen_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

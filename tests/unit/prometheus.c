// SPDX-License-Identifier: MIT
/* The metrics of a report: names, labels and values, and what has none. */
#include "made_report.h"
#include "render_prometheus.h"

static char *printed(struct report_image *list, size_t n, uint64_t search_errors)
{
    const struct render_images images = {n, made_image, list};
    const struct render_run run = {&images, search_errors};
    struct made_print *print = made_print_begin();

    assert_int_equal(render_prometheus(print->stream, &images, &run), 0);
    return made_print_end(print);
}

static void has_lines(struct report_image *list, size_t n, const char *const *lines)
{
    char *text = printed(list, n, 7);

    for (; *lines != NULL; lines++)
        if (!made_has_line(text, *lines))
            fail_msg("no such line: %s\nin\n%s", *lines, text);
    free(text);
}

static void has_no(struct report_image *list, size_t n, const char *part)
{
    char *text = printed(list, n, 0);

    if (strstr(text, part) != NULL)
        fail_msg("%s in\n%s", part, text);
    free(text);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void each_metric_has_its_figure(void **state)
{
    static const char *const lines[] = {
        "# HELP qcow2frag_build_info The version of qcow2frag, as a label; always 1.",
        "# TYPE qcow2frag_build_info gauge",
        "qcow2frag_build_info{version=\"" QCOW2FRAG_VERSION "\"} 1",
        "qcow2frag_images{action=\"none\"} 1",
        "qcow2frag_images{action=\"image\"} 0",
        "qcow2frag_search_errors 7",
        "qcow2frag_image_up{image=\"disk.qcow2\"} 1",
        "qcow2frag_image_info{image=\"disk.qcow2\",version=\"3\",cluster_size=\"65536\","
        "extended_l2=\"false\",compression=\"zlib\",encryption=\"none\",backing_file=\"\","
        "data_file=\"\",filesystem=\"ext4\",device=\"/dev/sda1\",disk=\"hdd\"} 1",
        "qcow2frag_image_action{image=\"disk.qcow2\",action=\"none\"} 1",
        "qcow2frag_image_measured_timestamp_seconds{image=\"disk.qcow2\"} 1700000000",
        "qcow2frag_image_in_use{image=\"disk.qcow2\"} 0",
        "qcow2frag_image_findings{image=\"disk.qcow2\",severity=\"error\"} 0",
        "qcow2frag_image_findings{image=\"disk.qcow2\",severity=\"warning\"} 0",
        "qcow2frag_image_snapshots{image=\"disk.qcow2\"} 2",
        "qcow2frag_image_virtual_size_bytes{image=\"disk.qcow2\"} 1073741824",
        "qcow2frag_image_file_size_bytes{image=\"disk.qcow2\"} 419430400",
        "qcow2frag_image_host_extents{image=\"disk.qcow2\"} 1234",
        "qcow2frag_image_mapped_bytes{image=\"disk.qcow2\"} 314572800",
        "qcow2frag_image_fragmentation_score_ratio{image=\"disk.qcow2\"} 0.25",
        "qcow2frag_image_ascending_runs{image=\"disk.qcow2\"} 1201",
        "qcow2frag_image_contiguous_runs{image=\"disk.qcow2\"} 1918",
        "qcow2frag_image_contiguous_run_half_bytes{image=\"disk.qcow2\"} 4194304",
        "qcow2frag_image_read_seconds{image=\"disk.qcow2\"} 40",
        "qcow2frag_image_read_ideal_seconds{image=\"disk.qcow2\"} 5",
        "qcow2frag_image_read_lost_seconds{image=\"disk.qcow2\"} 35",
        "qcow2frag_image_read_slowdown_ratio{image=\"disk.qcow2\"} 6",
        "qcow2frag_image_read_after_defrag_seconds{image=\"disk.qcow2\"} 4.75",
        NULL};
    struct made_report made;

    (void)state;
    made_init(&made);
    has_lines(&made.image, 1, lines);
}

static void space_is_there_if_it_was_asked_for(void **state)
{
    static const char *const lines[] = {
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"active\"} 325058560",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"free\"} 16777216",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"leaked\"} 20971520",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"metadata\"} 1048576",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"snapshot_only\"} 41943040",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"tail\"} 2097152",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"unknown\"} 0",
        "qcow2frag_image_space_bytes{image=\"disk.qcow2\",class=\"vm_state\"} 8388608",
        "qcow2frag_image_reclaimable_bytes{image=\"disk.qcow2\"} 39845888",
        "qcow2frag_image_stored_bytes{image=\"disk.qcow2\"} 408944640",
        NULL};
    struct made_report made;

    (void)state;
    made_init(&made);
    has_no(&made.image, 1, "space");
    made_add_space(&made);
    has_lines(&made.image, 1, lines);
    made.space.leaked_bytes.known = false;
    has_no(&made.image, 1, "leaked");
}

static void each_domain_has_a_sample(void **state)
{
    static const struct report_domain domains[] = {{"db", "vda"}, {"web \"1\"", "sdb"}};
    static const char *const lines[] = {
        "qcow2frag_image_domain_info{image=\"disk.qcow2\",domain=\"db\",target=\"vda\"} 1",
        "qcow2frag_image_domain_info{image=\"disk.qcow2\",domain=\"web \\\"1\\\"\",target=\"sdb\"} "
        "1",
        NULL};
    struct made_report made;

    (void)state;
    made_init(&made);
    has_no(&made.image, 1, "domain");
    made.image.domains = &(struct report_domains){.names = "", .targets = ""};
    has_no(&made.image, 1, "domain");
    made.image.domains = &(struct report_domains){domains, 2, "", ""};
    has_lines(&made.image, 1, lines);
}

static void damage_is_counted_by_severity(void **state)
{
    static const char *const lines[] = {
        "qcow2frag_images{action=\"damaged\"} 1",
        "qcow2frag_image_action{image=\"disk.qcow2\",action=\"damaged\"} 1",
        "qcow2frag_image_findings{image=\"disk.qcow2\",severity=\"error\"} 1",
        "qcow2frag_image_findings{image=\"disk.qcow2\",severity=\"warning\"} 3", NULL};
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_findings(&made);
    made.image.findings.total = 4;
    has_lines(&made.image, 1, lines);
}

static void what_was_not_measured_is_down(void **state)
{
    struct report_image images[2] = {{.path = "gone", .measured_at = 5}, {.path = "b"}};
    static const char *const lines[] = {
        "qcow2frag_images{action=\"failed\"} 2",
        "qcow2frag_image_up{image=\"gone\"} 0",
        "qcow2frag_image_up{image=\"b\"} 0",
        "qcow2frag_image_action{image=\"gone\",action=\"failed\"} 1",
        "qcow2frag_image_measured_timestamp_seconds{image=\"gone\"} 5",
        NULL};

    (void)state;
    images[0].error = images[1].error = (char *)(uintptr_t) "why";
    has_lines(images, 2, lines);
    has_no(images, 2, "findings");
    has_no(images, 2, "info{image");
    has_no(images, 2, "timestamp_seconds{image=\"b\"");
    has_no(images, 2, "# HELP qcow2frag_image_read_seconds");
}

static void no_image_at_all(void **state)
{
    char *text = printed(NULL, 0, 1);

    (void)state;
    assert_true(made_has_line(text, "qcow2frag_images{action=\"none\"} 0"));
    assert_true(made_has_line(text, "qcow2frag_search_errors 1"));
    assert_null(strstr(text, "qcow2frag_image_"));
    free(text);
}

static void a_metric_is_one_block(void **state)
{
    struct made_report a, b;
    struct report_image images[2];
    char *text;

    (void)state;
    made_init(&a);
    made_init(&b);
    b.image.path = "other.qcow2";
    images[0] = a.image;
    images[1] = b.image;
    text = printed(images, 2, 0);
    assert_int_equal(count_of(text, "# TYPE qcow2frag_image_up gauge\n"), 1);
    assert_non_null(strstr(text, "qcow2frag_image_up{image=\"disk.qcow2\"} 1\n"
                                 "qcow2frag_image_up{image=\"other.qcow2\"} 1\n"));
    free(text);
}

static void names_are_escaped_and_stay_different(void **state)
{
    static const char *const lines[] = {
        "qcow2frag_image_up{image=\"a\\\"b\\\\c\\nd\\\\x1b\\\\xff\"} 0",
        "qcow2frag_image_up{image=\"\\\\x5cxff \xc3\xa9\"} 0", NULL};
    struct report_image images[2] = {{.path = "a\"b\\c\nd\x1b\xff"}, {.path = "\\xff \xc3\xa9"}};

    (void)state;
    images[0].error = images[1].error = (char *)(uintptr_t) "why";
    has_lines(images, 2, lines);
}

static void a_snapshot_has_labels(void **state)
{
    static const char *const lines[] = {
        "qcow2frag_image_mapped_bytes{image=\"disk.qcow2\"} 314572800",
        "qcow2frag_image_mapped_bytes{image=\"disk.qcow2\",snapshot_id=\"7\",snapshot=\"up\\\\x1bto"
        "\"} 629145600",
        "qcow2frag_image_virtual_size_bytes{image=\"disk.qcow2\",snapshot_id=\"7\","
        "snapshot=\"up\\\\x1bto\"} 2147483648",
        NULL};
    struct made_report made;
    char *text;

    (void)state;
    made_init(&made);
    made_add_snapshot(&made);
    has_lines(&made.image, 1, lines);
    text = printed(&made.image, 1, 0);
    assert_int_equal(count_of(text, "\nqcow2frag_image_up{"), 1);
    assert_int_equal(count_of(text, "\nqcow2frag_image_read_after_defrag_seconds{"), 1);
    free(text);
}

/* As damaged images have them: node_exporter would serve nothing at all. */
static void of_snapshots_that_look_alike_the_first_is_told(void **state)
{
    struct made_report made;
    struct report_table tables[4];
    char *text;

    (void)state;
    made_init(&made);
    made_add_snapshot(&made);
    tables[0] = made.tables[1];
    tables[1] = made.tables[0];
    tables[2] = tables[3] = made.tables[1];
    tables[2].walk.mapped_bytes = 1;
    tables[3].name = made_name("another");
    made.image.tables = tables;
    made.image.n_tables = 4;
    text = printed(&made.image, 1, 0);
    assert_int_equal(count_of(text, "\nqcow2frag_image_mapped_bytes{"), 3);
    assert_non_null(strstr(text, "snapshot_id=\"7\",snapshot=\"up\\\\x1bto\"} 629145600\n"));
    assert_null(strstr(text, "qcow2frag_image_mapped_bytes{image=\"disk.qcow2\",snapshot_id=\"7\","
                             "snapshot=\"up\\\\x1bto\"} 1\n"));
    free(text);
}

static void nobody_judged_is_unknown(void **state)
{
    static const char *const lines[] = {
        "qcow2frag_images{action=\"unknown\"} 1",
        "qcow2frag_image_action{image=\"disk.qcow2\",action=\"unknown\"} 1", NULL};
    struct made_report made;

    (void)state;
    made_init(&made);
    made.image.verdict.known = false;
    has_lines(&made.image, 1, lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_metric_has_its_figure),
        cmocka_unit_test(space_is_there_if_it_was_asked_for),
        cmocka_unit_test(each_domain_has_a_sample),
        cmocka_unit_test(damage_is_counted_by_severity),
        cmocka_unit_test(what_was_not_measured_is_down),
        cmocka_unit_test(no_image_at_all),
        cmocka_unit_test(a_metric_is_one_block),
        cmocka_unit_test(names_are_escaped_and_stay_different),
        cmocka_unit_test(a_snapshot_has_labels),
        cmocka_unit_test(of_snapshots_that_look_alike_the_first_is_told),
        cmocka_unit_test(nobody_judged_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

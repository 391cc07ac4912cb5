// SPDX-License-Identifier: MIT
/* The JSON document of a report: every key with its own value, in the order of qcow2frag-json(5).
 */
#include "made_report.h"
#include "render.h"

#include <ctype.h>

/* The text without the blanks and line breaks between values. */
static char *squeezed(struct report_image *list, size_t n)
{
    const struct render_images images = {n, made_image, list};
    struct made_print *print = made_print_begin();
    char *text, *to;
    bool quoted = false;

    assert_int_equal(render_json(print->stream, &images), 0);
    text = to = made_print_end(print);
    for (const char *from = text; *from != '\0'; from++) {
        quoted = *from == '"' && (from == text || from[-1] != '\\') ? !quoted : quoted;
        if (quoted || !isspace((unsigned char)*from))
            *to++ = *from;
    }
    *to = '\0';
    return text;
}

static void contains(struct made_report *made, const char *part)
{
    char *text = squeezed(&made->image, 1);

    if (strstr(text, part) == NULL) {
        fprintf(stderr, "%s\n", text);
        fail_msg("not in the document: %s", part);
    }
    free(text);
}

static void images_are_in_the_order_given(void **state)
{
    struct report_image images[2] = {{.path = "a\x1b"}, {.path = "b", .in_use = {true, true}}};
    const char *expected =
        "{\"qcow2frag\":\"" QCOW2FRAG_VERSION "\",\"schema\":1,\"images\":[{\"path\":\"a\\u001b\","
        "\"measured_at\":0,\"complete\":false,\"error\":null,\"in_use\":null,\"format\":null,"
        "\"tables\":[],\"host\":null,\"space\":null,\"verdict\":null,\"findings_total\":0,"
        "\"findings\":[],\"backing_image\":null,\"overlays\":[],\"domains\":null},{\"path\":\"b\","
        "\"measured_at\":7,"
        "\"complete\":true,\"error\":\"why\","
        "\"in_use\":true,\"format\":null,\"tables\":[],\"host\":null,\"space\":null,"
        "\"verdict\":null,\"findings_total\":0,\"findings\":[],\"backing_image\":\"a\","
        "\"overlays\":[\"c\",\"d\"],\"domains\":[{\"name\":\"web\",\"target\":\"vda\"},"
        "{\"name\":\"db\",\"target\":\"sdb\"}]}]}";
    static const char *const overlays[] = {"c", "d"};
    static const struct report_domain used_by[] = {{"web", "vda"}, {"db", "sdb"}};
    static const struct report_domains domains = {used_by, 2, "web, db", "vda, sdb"};
    char *text;

    (void)state;
    images[1].measured_at = 7;
    images[1].backing_image = "a";
    images[1].overlays = overlays;
    images[1].n_overlays = 2;
    images[1].domains = &domains;
    images[1].complete = true;
    images[1].error = (char *)(uintptr_t) "why";
    text = squeezed(images, 2);
    assert_string_equal(text, expected);
    free(text);
    text = squeezed(NULL, 0);
    assert_string_equal(text,
                        "{\"qcow2frag\":\"" QCOW2FRAG_VERSION "\",\"schema\":1,\"images\":[]}");
    free(text);
}

static void the_document_ends_with_a_line_break(void **state)
{
    struct made_print *print = made_print_begin();
    const struct render_images none = {0, made_image, NULL};
    char *text;

    (void)state;
    render_json(print->stream, &none);
    text = made_print_end(print);
    assert_string_equal(text + strlen(text) - 5, "[]\n}\n");
    free(text);
}

static void the_format(void **state)
{
    struct made_report made;
    struct report_format *format = &made.image.format;

    (void)state;
    made_init(&made);
    contains(&made,
             "\"format\":{\"version\":3,\"cluster_bytes\":65536,\"virtual_bytes\":1073741824,"
             "\"file_bytes\":419430400,\"refcount_bits\":16,\"extended_l2\":false,"
             "\"compression\":\"zlib\",\"encryption\":\"none\",\"backing_file\":null,"
             "\"backing_format\":null,\"data_file\":null,\"data_file_raw\":false,"
             "\"lazy_refcounts\":false,\"dirty\":false,\"corrupt\":false,\"snapshot_count\":2,"
             "\"bitmap_count\":4,\"l1_entries\":2,\"l2_tables\":9,\"l2_bytes\":589824,"
             "\"l2_cache_bytes\":131072}");
    format->extended_l2 = format->data_file_raw = format->lazy_refcounts = true;
    format->dirty = format->corrupt = true;
    format->compression = FORMAT_ZSTD;
    format->encryption = FORMAT_CRYPT_LUKS;
    format->backing_file = made_name("b\x9b");
    format->backing_format = made_name("raw");
    format->data_file = made_name("data");
    format->l2_tables.known = format->l2_bytes.known = false;
    contains(&made, "\"extended_l2\":true,\"compression\":\"zstd\",\"encryption\":\"luks\","
                    "\"backing_file\":\"b\xef\xbf\xbd\",\"backing_format\":\"raw\","
                    "\"data_file\":\"data\",\"data_file_raw\":true,\"lazy_refcounts\":true,"
                    "\"dirty\":true,\"corrupt\":true,");
    contains(&made, "\"l2_tables\":null,\"l2_bytes\":null,");
    format->encryption = FORMAT_CRYPT_AES;
    contains(&made, "\"encryption\":\"aes\"");
}

#define END_OF_WALK                                                                                \
    "\"read_split\":2.5,\"qemu_img_check\":{\"allocated_clusters\":5000,\"total_clusters\":16384," \
    "\"fragmented_clusters\":2000,\"compressed_clusters\":11},\"layers\":null,"

static void a_table(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    contains(&made,
             "\"tables\":[{\"snapshot\":null,\"chain_depth\":1,\"virtual_bytes\":1073741824,"
             "\"range\":null,\"mapped_clusters\":4801,\"mapped_bytes\":314572800,"
             "\"compressed_clusters\":11,\"zero_clusters\":22,\"zero_allocated_clusters\":13,"
             "\"corrupt_entries\":3,\"backward_steps\":1200,\"forward_jumps\":700,"
             "\"near_jumps\":200,\"file_switches\":17,\"breaks\":1917,"
             "\"backward_jump_mean_bytes\":5242880.0,\"forward_jump_mean_bytes\":7340032.0,"
             "\"jump_histogram\":[{\"from_bytes\":65536,\"backward\":1000,\"forward\":600},"
             "{\"from_bytes\":1073741824,\"backward\":200,\"forward\":100}],"
             "\"fragmentation_score\":0.25,\"ascending_runs\":1201,"
             "\"ascending_run_mean_bytes\":261888.5,\"contiguous_runs\":1918,"
             "\"contiguous_run_mean_bytes\":163999.25,\"contiguous_run_half_bytes\":4194304,"
             "\"contiguous_run_max_bytes\":67108864,\"run_histogram\":[{\"from_bytes\":65536,"
             "\"runs\":1900,\"bytes\":209715200},{\"from_bytes\":67108864,\"runs\":1,"
             "\"bytes\":104857600}]," END_OF_WALK "\"end_to_end\":{\"mapped_bytes\":312475648,");
    contains(&made, "\"hole_bytes\":2097152,\"seconds\":40.0,\"slowdown\":8.0},"
                    "\"disk\":{\"profile\":\"hdd\",\"ideal_seconds\":4.5,\"seconds\":30.0,"
                    "\"slowdown_low\":5.5,\"slowdown_high\":6.75,\"after_defrag_seconds\":4.75}}]");
}

static void a_table_that_could_not_be_read_has_no_figures(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made.tables[0] = (struct report_table){.chain_depth = 1, .virtual_bytes = 512};
    contains(&made,
             "{\"snapshot\":null,\"chain_depth\":1,\"virtual_bytes\":512,\"range\":null,"
             "\"mapped_clusters\":null,\"mapped_bytes\":null,\"compressed_clusters\":null,"
             "\"zero_clusters\":null,\"zero_allocated_clusters\":null,\"corrupt_entries\":null,"
             "\"backward_steps\":null,\"forward_jumps\":null,\"near_jumps\":null,"
             "\"file_switches\":null,\"breaks\":null,\"backward_jump_mean_bytes\":null,"
             "\"forward_jump_mean_bytes\":null,\"jump_histogram\":null,"
             "\"fragmentation_score\":null,\"ascending_runs\":null,"
             "\"ascending_run_mean_bytes\":null,\"contiguous_runs\":null,"
             "\"contiguous_run_mean_bytes\":null,\"contiguous_run_half_bytes\":null,"
             "\"contiguous_run_max_bytes\":null,\"run_histogram\":null,\"read_split\":null,"
             "\"qemu_img_check\":null,\"layers\":null,\"end_to_end\":null,\"disk\":null}");
}

static void a_part_of_the_disk_a_snapshot_and_a_chain(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_chain(&made);
    made.tables[0].range = (struct report_range){true, 4096, 8192};
    made.tables[0].is_snapshot = true;
    made.tables[0].id = made_name("1");
    made.tables[0].name = made_name("n\"");
    contains(&made, "\"tables\":[{\"snapshot\":{\"id\":\"1\",\"name\":\"n\\\"\"},\"chain_depth\":2,"
                    "\"virtual_bytes\":1073741824,\"range\":{\"guest_offset\":4096,"
                    "\"length\":8192},");
    contains(&made, "\"qemu_img_check\":null,\"layers\":[{\"path\":\"disk.qcow2\",\"depth\":0,"
                    "\"bytes\":104857600,\"runs\":77,\"shadowed_bytes\":0},"
                    "{\"path\":\"ba\\u001bse\",\"depth\":1,\"bytes\":209715200,\"runs\":1,"
                    "\"shadowed_bytes\":5242880}],");
    made.layers[1].shadowed_bytes.known = false;
    contains(&made, "\"runs\":1,\"shadowed_bytes\":null}]");
}

static void the_host(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made.image.host.unplaced_bytes = 77;
    contains(&made, "\"host\":{\"filesystem\":\"ext4\",\"device\":\"/dev/sda1\","
                    "\"rotational\":true,\"extents\":1234,\"extent_mean_bytes\":339870.5,"
                    "\"unplaced_bytes\":77},\"space\":null,");
    made.image.host.filesystem = made.image.host.device = NULL;
    made.image.host.rotational.known = made.image.host.extent_mean_bytes.known = false;
    contains(&made, "\"host\":{\"filesystem\":null,\"device\":null,\"rotational\":null,"
                    "\"extents\":1234,\"extent_mean_bytes\":null,");
}

static void the_space(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_space(&made);
    contains(&made,
             "\"space\":{\"end_offset_bytes\":417333248,\"host_allocated_bytes\":408944640,"
             "\"active_bytes\":325058560,\"metadata_bytes\":1048576,\"vm_state_bytes\":8388608,"
             "\"snapshot_only_bytes\":41943040,\"leaked_bytes\":20971520,\"unknown_bytes\":0,"
             "\"free_bytes\":16777216,\"free_gaps\":31,\"free_gap_max_bytes\":11534336,"
             "\"free_gap_histogram\":[{\"from_bytes\":65536,\"gaps\":30,\"bytes\":4194304},"
             "{\"from_bytes\":1048576,\"gaps\":1,\"bytes\":12582912}],\"tail_bytes\":2097152,"
             "\"reclaimable_bytes\":39845888,\"snapshots\":[{\"id\":\"1\","
             "\"name\":\"fi\\u001brst\",\"exclusive_bytes\":3145728},{\"id\":\"2\","
             "\"name\":\"second\",\"exclusive_bytes\":6291456}]},\"verdict\":");
}

static void the_verdict(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_causes(&made);
    made.image.verdict.action = REPORT_L2_CACHE;
    contains(&made, "\"verdict\":{\"action\":\"l2_cache\",\"reason\":\"There is nothing to do.\","
                    "\"image_share\":0.625,\"host_share\":0.375,\"copy_bytes\":325058560,"
                    "\"causes\":[{\"code\":\"parallel-convert\",\"option\":\"without -W\"},"
                    "{\"code\":\"small-clusters\",\"option\":\"cluster_size=65536\"}]},");
}

static void the_findings(void **state)
{
    struct made_report made;

    (void)state;
    made_init(&made);
    made_add_findings(&made);
    made.image.findings.total = 9;
    contains(&made, "\"findings_total\":9,\"findings\":[{\"code\":\"refcount-too-high\","
                    "\"severity\":\"warning\",\"where\":\"cluster 9\",\"host_offset\":null,"
                    "\"message\":\"is counted twice\"},{\"code\":\"data-overlap\","
                    "\"severity\":\"error\",\"where\":\"l2[5][17]\",\"host_offset\":327816,"
                    "\"message\":\"points to the header\"}],\"backing_image\":null,"
                    "\"overlays\":[],\"domains\":null}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_in_the_order_given),
        cmocka_unit_test(the_document_ends_with_a_line_break),
        cmocka_unit_test(the_format),
        cmocka_unit_test(a_table),
        cmocka_unit_test(a_table_that_could_not_be_read_has_no_figures),
        cmocka_unit_test(a_part_of_the_disk_a_snapshot_and_a_chain),
        cmocka_unit_test(the_host),
        cmocka_unit_test(the_space),
        cmocka_unit_test(the_verdict),
        cmocka_unit_test(the_findings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

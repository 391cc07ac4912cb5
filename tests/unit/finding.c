// SPDX-License-Identifier: MIT
/*
 * Proves the limits of the list of findings, that nothing is lost from its counts, and that lists
 * of parts merge into the list of the whole, wherever the whole was cut.
 */
#include "finding.h"

#include "dice.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct format_findings *findings, enum format_finding_code code, uint64_t place)
{
    char where[32];

    snprintf(where, sizeof(where), "l2[%u]", (unsigned)place);
    format_findings_add(findings, code, where, &place, "the %u. damage", (unsigned)place);
}

static void a_finding_is_kept_as_told(void **state)
{
    struct format_findings findings = {0};
    const uint64_t place = UINT64_C(0x123456789a);

    (void)state;
    format_findings_add(&findings, FORMAT_FINDING_L2_UNALIGNED, "l2[5][17]", &place,
                        "entry 0x%x is %s", 0xabc, "bad");
    format_findings_add(&findings, FORMAT_FINDING_DIRTY, "header", NULL, "%s", "dirty");
    assert_int_equal(findings.n_list, 2);
    assert_int_equal(findings.total, 2);
    assert_int_equal(findings.list[0].code, FORMAT_FINDING_L2_UNALIGNED);
    assert_string_equal(findings.list[0].where, "l2[5][17]");
    assert_true(findings.list[0].has_host_off);
    assert_int_equal(findings.list[0].host_off, place);
    assert_string_equal(findings.list[0].message, "entry 0xabc is bad");
    assert_int_equal(findings.list[1].code, FORMAT_FINDING_DIRTY);
    assert_false(findings.list[1].has_host_off);
    format_findings_free(&findings);
}

static void long_texts_are_cut(void **state)
{
    struct format_findings findings = {0};
    char text[1000];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    format_findings_add(&findings, FORMAT_FINDING_DIRTY, text, NULL, "%s", text);
    assert_int_equal(strlen(findings.list[0].where), sizeof(findings.list[0].where) - 1);
    assert_int_equal(strlen(findings.list[0].message), sizeof(findings.list[0].message) - 1);
    format_findings_free(&findings);
}

static void names_and_severities(void **state)
{
    (void)state;
    assert_string_equal(format_finding_name(FORMAT_FINDING_DIRTY), "dirty");
    assert_int_equal(format_finding_severity(FORMAT_FINDING_DIRTY), FORMAT_WARNING);
    assert_string_equal(format_finding_name(FORMAT_FINDING_SNAPSHOT_L1), "snapshot-l1");
    assert_int_equal(format_finding_severity(FORMAT_FINDING_SNAPSHOT_L1), FORMAT_ERROR);
    assert_int_equal(format_finding_severity(FORMAT_FINDING_L2_SHARED), FORMAT_WARNING);
    assert_int_equal(format_finding_severity(FORMAT_FINDING_L2_PAST_END), FORMAT_ERROR);
}

static void names_are_unique(void **state)
{
    (void)state;
    for (int a = 0; a < FORMAT_FINDING_N_CODES; a++) {
        const char *name = format_finding_name((enum format_finding_code)a);

        assert_non_null(name);
        assert_true(strlen(name) > 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(name, format_finding_name((enum format_finding_code)b));
    }
}

static void twenty_of_a_code_are_kept(void **state)
{
    struct format_findings findings = {0};

    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        assert_true(format_findings_wants(&findings, FORMAT_FINDING_L2_PAST_END));
        add(&findings, FORMAT_FINDING_L2_PAST_END, i);
    }
    assert_int_equal(findings.n_list, 20);
    assert_false(format_findings_wants(&findings, FORMAT_FINDING_L2_PAST_END));
    assert_true(format_findings_wants(&findings, FORMAT_FINDING_L2_UNALIGNED));
    for (uint64_t i = 20; i < 1000; i++)
        add(&findings, FORMAT_FINDING_L2_PAST_END, i);
    add(&findings, FORMAT_FINDING_L2_UNALIGNED, 1000);
    assert_int_equal(findings.n_list, 21);
    assert_int_equal(findings.list[19].host_off, 19); /* the first ones, not the last */
    assert_int_equal(findings.list[20].host_off, 1000);
    assert_int_equal(findings.total, 1001);
    assert_int_equal(findings.per_code[FORMAT_FINDING_L2_PAST_END], 1000);
    format_findings_free(&findings);
}

static void two_hundred_in_all_are_kept(void **state)
{
    struct format_findings findings = {0};

    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        add(&findings, (enum format_finding_code)(i / 20), i);
    assert_int_equal(findings.n_list, 200);
    assert_false(format_findings_wants(&findings, (enum format_finding_code)10)); /* a new one */
    add(&findings, (enum format_finding_code)10, 200);
    assert_int_equal(findings.n_list, 200);
    assert_int_equal(findings.total, 201);
    assert_int_equal(findings.per_code[10], 1);
    format_findings_free(&findings);
}

static void an_error_is_seen_even_if_it_was_not_kept(void **state)
{
    struct format_findings findings = {0};

    (void)state;
    assert_false(format_findings_have_error(&findings));
    for (uint64_t i = 0; i < 13 * 20; i++)
        add(&findings, (enum format_finding_code)(i / 20), i); /* the first 13 are warnings */
    assert_false(format_findings_have_error(&findings));
    add(&findings, FORMAT_FINDING_L2_PAST_END, 1);
    assert_int_equal(findings.n_list, 200);
    assert_true(format_findings_have_error(&findings));
    format_findings_free(&findings);
}

static void more_are_counted_than_per_code(void **state)
{
    struct format_findings findings = {0}, more = {0};

    (void)state;
    format_findings_count(&findings, FORMAT_FINDING_L2_PAST_END, UINT64_C(1) << 33);
    format_findings_count(&more, FORMAT_FINDING_L2_PAST_END, 1);
    format_findings_count(&more, FORMAT_FINDING_DIRTY, UINT16_MAX + 2);
    format_findings_merge(&findings, &more);
    assert_int_equal(findings.per_code[FORMAT_FINDING_L2_PAST_END], UINT16_MAX);
    assert_int_equal(findings.per_code[FORMAT_FINDING_DIRTY], UINT16_MAX);
    assert_true(findings.total == (UINT64_C(1) << 33) + 1 + UINT16_MAX + 2);
    format_findings_drop_errors(&findings);
    assert_int_equal(findings.total, UINT16_MAX + 2);
    assert_false(format_findings_have_error(&findings));
    format_findings_free(&findings);
}

static void merging_keeps_the_order_of_the_image(void **state)
{
    struct format_findings left = {0}, right = {0};

    (void)state;
    add(&left, FORMAT_FINDING_L2_PAST_END, 1);
    add(&left, FORMAT_FINDING_DIRTY, 2);
    add(&right, FORMAT_FINDING_L1_PAST_END, 3);
    add(&right, FORMAT_FINDING_L2_PAST_END, 4);
    format_findings_merge(&left, &right);
    assert_int_equal(left.n_list, 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(left.list[i].host_off, i + 1);
    assert_int_equal(left.total, 4);
    assert_int_equal(left.per_code[FORMAT_FINDING_L2_PAST_END], 2);
    assert_int_equal(right.n_list, 0); /* emptied: nothing to free, ready for use */
    assert_int_equal(right.total, 0);
    assert_null(right.list);
    format_findings_free(&left);
}

static void merging_with_nothing_changes_nothing(void **state)
{
    struct format_findings left = {0}, empty = {0};

    (void)state;
    format_findings_merge(&left, &empty);
    assert_int_equal(left.total, 0);
    add(&left, FORMAT_FINDING_DIRTY, 1);
    format_findings_merge(&left, &empty);
    assert_int_equal(left.n_list, 1);
    assert_int_equal(left.total, 1);
    format_findings_free(&left);
}

static void assert_same(const struct format_findings *a, const struct format_findings *b)
{
    assert_int_equal(a->total, b->total);
    assert_memory_equal(a->per_code, b->per_code, sizeof(a->per_code));
    assert_int_equal(a->n_list, b->n_list);
    for (size_t i = 0; i < a->n_list; i++) {
        assert_int_equal(a->list[i].code, b->list[i].code);
        assert_int_equal(a->list[i].host_off, b->list[i].host_off);
        assert_string_equal(a->list[i].where, b->list[i].where);
        assert_string_equal(a->list[i].message, b->list[i].message);
    }
}

#define LONG 700

/* A few codes, and all of them: the limit of a code or the limit of the list comes first. */
static void parts_merge_into_the_whole(void **state)
{
    struct dice dice = dice_of(3);

    (void)state;
    for (unsigned n_codes = 1; n_codes <= FORMAT_FINDING_N_CODES; n_codes += 5) {
        enum format_finding_code codes[LONG];
        struct format_findings whole = {0};

        for (unsigned i = 0; i < LONG; i++) {
            codes[i] = (enum format_finding_code)dice_below(&dice, n_codes);
            add(&whole, codes[i], i);
        }
        for (unsigned cut = 0; cut <= LONG; cut += 7) {
            struct format_findings left = {0}, right = {0};

            for (unsigned i = 0; i < LONG; i++)
                add(i < cut ? &left : &right, codes[i], i);
            format_findings_merge(&left, &right);
            assert_same(&left, &whole);
            format_findings_free(&left);
        }
        format_findings_free(&whole);
    }
}

static void freeing_leaves_an_empty_list(void **state)
{
    struct format_findings findings = {0};

    (void)state;
    format_findings_free(&findings);
    add(&findings, FORMAT_FINDING_DIRTY, 1);
    format_findings_free(&findings);
    assert_int_equal(findings.total, 0);
    add(&findings, FORMAT_FINDING_DIRTY, 1);
    assert_int_equal(findings.n_list, 1);
    format_findings_free(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_is_kept_as_told),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(names_and_severities),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(twenty_of_a_code_are_kept),
        cmocka_unit_test(two_hundred_in_all_are_kept),
        cmocka_unit_test(an_error_is_seen_even_if_it_was_not_kept),
        cmocka_unit_test(more_are_counted_than_per_code),
        cmocka_unit_test(merging_keeps_the_order_of_the_image),
        cmocka_unit_test(merging_with_nothing_changes_nothing),
        cmocka_unit_test(parts_merge_into_the_whole),
        cmocka_unit_test(freeing_leaves_an_empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Proves the disk model against figures that were worked out by hand, digit by digit. */
#include "disk.h"

#include "pieces.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(65536)
#define MIB (UINT64_C(1) << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_close(double value, double expected)
{
    if (fabs(value - expected) > 1e-9 * fmax(1, fabs(expected)))
        fail_msg("%.12g, not %.12g", value, expected);
}

static struct piece standard(uint64_t guest, uint64_t host_off)
{
    return (struct piece){.kind = PIECE_DATA,
                          .guest_off = guest * CLUSTER,
                          .guest_bytes = CLUSTER,
                          .begin = host_off,
                          .end = host_off + CLUSTER,
                          .mapped_bytes = CLUSTER};
}

static void each_disk_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(meter_disk_name(METER_DISK_HDD), "hdd");
    assert_string_equal(meter_disk_name(METER_DISK_SSD), "ssd");
    assert_string_equal(meter_disk_name(METER_DISK_NVME), "nvme");
}

/* ---- one jump ---- */

static void a_jump_costs_the_seek_and_half_a_turn(void **state)
{
    (void)state;
    /* x = 0.0001: 0.8 + 13.1 * 0.01 = 0.931 ms, and 4.17 ms */
    assert_close(meter_disk_jump_seconds(METER_BACKWARD, 4e8), 5.101e-3);
    /* x = 0.25: 0.8 + 13.1 * 0.5 = 7.35 ms */
    assert_close(meter_disk_jump_seconds(METER_BACKWARD, 1e12), 11.52e-3);
    /* x = 0.5: 5.4 + 4.65 = 10.05 ms */
    assert_close(meter_disk_jump_seconds(METER_BACKWARD, 2e12), 14.22e-3);
    /* x = 0.49 belongs to the far seeks: 5.4 + 4.557 */
    assert_close(meter_disk_jump_seconds(METER_BACKWARD, 1.96e12), 14.127e-3);
    assert_close(meter_disk_jump_seconds(METER_FORWARD, 2e12), 14.22e-3);
}

static void a_short_way_forward_is_read_over(void **state)
{
    (void)state;
    assert_close(meter_disk_jump_seconds(METER_FORWARD, 150e3), 1e-3);
    assert_close(meter_disk_jump_seconds(METER_FORWARD, 512), 512 / 150e6);
    /* 600 kB would take 4 ms to read over; from where both are equal on, the head seeks. */
    assert_close(meter_disk_jump_seconds(METER_FORWARD, 600e3), 4e-3);
    assert_close(meter_disk_jump_seconds(METER_FORWARD, 4e6), (0.8 + 13.1 * 1e-3 + 4.17) * 1e-3);
}

static void no_way_costs_nothing(void **state)
{
    (void)state;
    assert_close(meter_disk_jump_seconds(METER_FORWARD, 0), 0);
    assert_close(meter_disk_jump_seconds(METER_BACKWARD, 0), 0);
    assert_close(meter_disk_jump_seconds(METER_BACKWARD, 512), 0); /* two blobs share a sector */
    assert_true(meter_disk_jump_seconds(METER_BACKWARD, 513) > 4e-3);
}

/* ---- layouts ---- */

static void data_in_order_costs_its_transfer(void **state)
{
    const struct piece pieces[] = {standard(0, 0), standard(1, CLUSTER)};
    struct meter *meter = pieces_metered(CLUSTER, pieces, 2);
    struct meter_disk_time time = meter_disk_time(METER_DISK_HDD, meter, 1, 1);

    (void)state;
    assert_close(time.seconds, 131072 / 150e6);
    assert_close(time.ideal_seconds, 131072 / 150e6);
    assert_close(time.slowdown_low, 1);
    assert_close(time.slowdown_high, 1);
    meter_free(meter);
}

/* 0, back from 400,065,536 to 65,536: 400,000,000 + 65,536 bytes; forward there: as many less. */
static void breaks_are_not_in_the_ideal(void **state)
{
    const struct piece pieces[] = {standard(0, 0), standard(1, 400000000 + CLUSTER),
                                   standard(2, CLUSTER)};
    struct meter *meter = pieces_metered(CLUSTER, pieces, 3);
    struct meter_disk_time time = meter_disk_time(METER_DISK_HDD, meter, 3, 1);
    double there = 0.8e-3 + 13.1e-3 * sqrt(4e8 / 4e12) + 4.17e-3;
    double back = 0.8e-3 + 13.1e-3 * sqrt((4e8 + 65536) / 4e12) + 4.17e-3;

    (void)state;
    assert_close(time.ideal_seconds, 3 * 65536 / 150e6);
    assert_close(time.seconds, 3 * 65536 / 150e6 + there + back);
    assert_close(time.slowdown_low, time.seconds / time.ideal_seconds);
    assert_close(time.slowdown_high, time.slowdown_low);
    meter_free(meter);
}

static void holes_in_step_stay_in_the_ideal(void **state)
{
    const struct piece pieces[] = {standard(0, 0), standard(11, 11 * CLUSTER)};
    struct meter *meter = pieces_metered(CLUSTER, pieces, 2);
    struct meter_disk_time time = meter_disk_time(METER_DISK_HDD, meter, 2, 2);

    (void)state;
    assert_close(time.ideal_seconds, 12 * 65536 / 150e6); /* ten clusters are read over */
    assert_close(time.seconds, time.ideal_seconds);
    meter_free(meter);
}

/* A table 10 MB before the data that it maps: there, and back. */
static void the_way_to_a_table_is_not_in_the_ideal(void **state)
{
    const struct piece before = standard(0, 10000000), after = standard(1, 10000000 + CLUSTER);
    struct meter *meter = meter_new(CLUSTER, 1);
    struct meter_disk_time time;
    double back = 0.8e-3 + 13.1e-3 * sqrt((1e7 + 65536) / 4e12) + 4.17e-3;
    double there = 0.8e-3 + 13.1e-3 * sqrt((1e7 + 65536 - 4096) / 4e12) + 4.17e-3;

    (void)state;
    pieces_take(meter, &before, 1);
    pieces_take_table(meter, 0, 0, 4096);
    pieces_take(meter, &after, 1);
    time = meter_disk_time(METER_DISK_HDD, meter, 2, 2);
    assert_int_equal(meter->breaks, 0);
    assert_close(time.ideal_seconds, (2 * 65536 + 4096) / 150e6);
    assert_close(time.seconds, time.ideal_seconds + back + there);
    meter_free(meter);
}

/* The same, with ten clusters kept free before the second piece: the head goes around them. */
static void a_hole_before_which_a_table_is_read_is_not_crossed(void **state)
{
    const struct piece before = standard(0, 10000000);
    const struct piece after = standard(11, 10000000 + 11 * CLUSTER);
    struct meter *meter = meter_new(CLUSTER, 1);
    struct meter_disk_time time;
    double back = 0.8e-3 + 13.1e-3 * sqrt((1e7 + 65536) / 4e12) + 4.17e-3;
    double there = 0.8e-3 + 13.1e-3 * sqrt((1e7 + 11 * 65536 - 4096) / 4e12) + 4.17e-3;

    (void)state;
    pieces_take(meter, &before, 1);
    pieces_take_table(meter, 0, 0, 4096);
    pieces_take(meter, &after, 1);
    time = meter_disk_time(METER_DISK_HDD, meter, 2, 2);
    assert_int_equal(meter->breaks, 0);
    assert_close(time.ideal_seconds, (12 * 65536 + 4096) / 150e6);
    assert_close(time.seconds, (2 * 65536 + 4096) / 150e6 + back + there);
    meter_free(meter);
}

/* x = 1/3: 0.8 + 13.1 * sqrt(1/3) + 4.17 ms. */
static void another_file_costs_a_seek_over_a_third_of_the_disk(void **state)
{
    struct piece pieces[] = {standard(0, 0), standard(1, CLUSTER)};
    struct meter_disk_time time;
    struct meter *meter;

    (void)state;
    pieces[1].file = 1;
    meter = pieces_metered(CLUSTER, pieces, 2);
    time = meter_disk_time(METER_DISK_HDD, meter, 2, 1);
    assert_close(time.seconds - time.ideal_seconds, (0.8 + 13.1 * sqrt(1.0 / 3) + 4.17) * 1e-3);
    meter_free(meter);
}

/* 1 MiB, and once more: in the ideal, too, and after a rewrite. */
static void a_blob_that_is_read_again_costs_the_way_back_everywhere(void **state)
{
    const struct piece blob = {.kind = PIECE_COMPRESSED,
                               .guest_bytes = 2 * MIB,
                               .begin = 7 * MIB,
                               .end = 8 * MIB,
                               .mapped_bytes = 2 * MIB};
    struct meter *meter = meter_new(CLUSTER, 1);
    struct piece_batch *batch = pieces_new_batch(2 * MIB, 0);
    double back = 0.8e-3 + 13.1e-3 * sqrt(1048576 / 4e12) + 4.17e-3;
    double expected = 2 * 1048576 / 150e6 + back;
    struct meter_disk_time time;

    (void)state;
    batch->uniform = false;
    piece_batch_add(batch, &blob);
    piece_batch_read_again(batch, 0, blob.begin, blob.end);
    meter_take(meter, batch);
    free(batch);
    time = meter_disk_time(METER_DISK_HDD, meter, 2, 2);
    assert_close(time.seconds, expected);
    assert_close(time.ideal_seconds, expected);
    meter_free(meter);
}

static void nothing_takes_no_time(void **state)
{
    struct meter *meter = meter_new(CLUSTER, 1);

    (void)state;
    for (int kind = METER_DISK_HDD; kind <= METER_DISK_NVME; kind++) {
        struct meter_disk_time time = meter_disk_time((enum meter_disk_kind)kind, meter, 0, 0);

        assert_close(time.seconds, 0);
        assert_close(time.ideal_seconds, 0);
        assert_close(time.slowdown_low, 1);
        assert_close(time.slowdown_high, 1);
    }
    meter_free(meter);
}

/* ---- disks without a head ---- */

static void flash_pays_for_each_read(void **state)
{
    static struct piece pieces[512];
    struct meter_disk_time time;
    struct meter *meter;
    double transfer = 32.0 * (double)MIB;

    (void)state;
    for (uint64_t i = 0; i < COUNT(pieces); i++)
        pieces[i] = standard(i, (1000 - i) * CLUSTER);
    meter = pieces_metered(CLUSTER, pieces, COUNT(pieces));
    time = meter_disk_time(METER_DISK_SSD, meter, 512, 32);
    assert_close(time.seconds, transfer / 530e6 + 512 * 60e-6);
    assert_close(time.ideal_seconds, transfer / 530e6 + 32 * 60e-6);
    assert_close(time.slowdown_high, time.seconds / time.ideal_seconds);
    assert_close(time.slowdown_low,
                 (transfer / 530e6 + 64 * 60e-6) / (transfer / 530e6 + 4 * 60e-6));
    time = meter_disk_time(METER_DISK_NVME, meter, 512, 32);
    assert_close(time.seconds, transfer / 3.2e9 + 512 * 20e-6);
    meter_free(meter);
}

/* ---- after a defragmentation ---- */

/* What is planned is a way of the head: here 64 MiB in order, or with one way back, one forward. */
static void a_plan_costs_its_bytes_and_its_ways(void **state)
{
    struct meter_layout layout;
    struct meter_disk_plan plan = {.layout = &layout, .reads = 64};
    double transfer = 64.0 * (double)MIB;

    (void)state;
    meter_layout_init(&layout);
    layout.head.read_bytes = 64 * MIB;
    assert_close(meter_disk_plan_seconds(METER_DISK_HDD, &plan), transfer / 150e6);
    assert_close(meter_disk_plan_seconds(METER_DISK_SSD, &plan), transfer / 530e6 + 64 * 60e-6);
    assert_close(meter_disk_plan_seconds(METER_DISK_NVME, &plan), transfer / 3.2e9 + 64 * 20e-6);
    meter_sparse_jumps_add(&layout.head.detours[METER_BACKWARD], 32 * MIB, 1);
    meter_sparse_jumps_add(&layout.head.detours[METER_FORWARD], 300000, 1);
    assert_close(meter_disk_plan_seconds(METER_DISK_HDD, &plan),
                 transfer / 150e6 + 0.8e-3 + 13.1e-3 * sqrt(32.0 * (double)MIB / 4e12) + 4.17e-3 +
                     300000 / 150e6);
    assert_close(meter_disk_plan_seconds(METER_DISK_SSD, &plan), transfer / 530e6 + 64 * 60e-6);
    meter_layout_release(&layout);
}

/* Refcounts are gaps, which end a read; tables of nothing but zeros are only read. */
static void what_lies_between_the_data_of_a_plan_costs_a_little(void **state)
{
    struct meter_layout layout;
    const struct meter_disk_plan plan = {
        .layout = &layout, .reads = 64, .more_bytes = MIB, .gaps = 10, .gap_bytes = CLUSTER};
    double transfer = 65.0 * (double)MIB;

    (void)state;
    meter_layout_init(&layout);
    layout.head.read_bytes = 64 * MIB;
    assert_close(meter_disk_plan_seconds(METER_DISK_HDD, &plan),
                 transfer / 150e6 + 10 * 65536 / 150e6);
    assert_close(meter_disk_plan_seconds(METER_DISK_SSD, &plan), transfer / 530e6 + 74 * 60e-6);
    meter_layout_release(&layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_disk_has_its_name),
        cmocka_unit_test(a_jump_costs_the_seek_and_half_a_turn),
        cmocka_unit_test(a_short_way_forward_is_read_over),
        cmocka_unit_test(no_way_costs_nothing),
        cmocka_unit_test(data_in_order_costs_its_transfer),
        cmocka_unit_test(breaks_are_not_in_the_ideal),
        cmocka_unit_test(holes_in_step_stay_in_the_ideal),
        cmocka_unit_test(the_way_to_a_table_is_not_in_the_ideal),
        cmocka_unit_test(a_hole_before_which_a_table_is_read_is_not_crossed),
        cmocka_unit_test(another_file_costs_a_seek_over_a_third_of_the_disk),
        cmocka_unit_test(a_blob_that_is_read_again_costs_the_way_back_everywhere),
        cmocka_unit_test(nothing_takes_no_time),
        cmocka_unit_test(flash_pays_for_each_read),
        cmocka_unit_test(a_plan_costs_its_bytes_and_its_ways),
        cmocka_unit_test(what_lies_between_the_data_of_a_plan_costs_a_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Which disk is reckoned with, what is worth doing, and how long a rewrite takes. */
#include "cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GB UINT64_C(1000000000)

static void the_disk_is_what_the_user_says_or_the_system_knows(void **state)
{
    static char nvme[] = "/dev/nvme0n1", sata[] = "/dev/sda", near[] = "/dev/nvm";
    const struct {
        enum report_device device;
        struct report_host host;
        struct report_profile profile;
    } cases[] = {
        {REPORT_DEVICE_HDD, {.device = nvme}, {METER_DISK_HDD, false, true}},
        {REPORT_DEVICE_SSD, {.device = nvme}, {METER_DISK_SSD, false, true}},
        {REPORT_DEVICE_NVME, {.device = sata}, {METER_DISK_NVME, false, true}},
        {REPORT_DEVICE_AUTO, {.device = nvme}, {METER_DISK_HDD, true, false}},
        {REPORT_DEVICE_AUTO, {.rotational = {true, true}}, {METER_DISK_HDD, false, false}},
        {REPORT_DEVICE_AUTO, {.rotational = {true, false}}, {METER_DISK_SSD, false, false}},
        {REPORT_DEVICE_AUTO,
         {.rotational = {true, false}, .device = nvme},
         {METER_DISK_NVME, false, false}},
        {REPORT_DEVICE_AUTO,
         {.rotational = {true, false}, .device = sata},
         {METER_DISK_SSD, false, false}},
        {REPORT_DEVICE_AUTO,
         {.rotational = {true, false}, .device = near},
         {METER_DISK_SSD, false, false}},
        {REPORT_DEVICE_AUTO,
         {.rotational = {true, true}, .device = nvme},
         {METER_DISK_HDD, false, false}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct report_profile profile = report_profile(cases[i].device, &cases[i].host);

        assert_int_equal(profile.kind, cases[i].profile.kind);
        assert_int_equal(profile.assumed, cases[i].profile.assumed);
        assert_int_equal(profile.told, cases[i].profile.told);
    }
}

static void what_is_felt_and_saves_a_fiftieth_helps(void **state)
{
    (void)state;
    assert_true(report_helps(METER_DISK_HDD, 50, 49));
    assert_false(report_helps(METER_DISK_HDD, 50, 49.1)); /* less than a second, and than that */
    assert_false(report_helps(METER_DISK_HDD, 51, 50));   /* a second, but less than that */
    assert_false(report_helps(METER_DISK_HDD, 1.5, 0.6)); /* nobody feels it */
    assert_true(report_helps(METER_DISK_SSD, 1.5, 1.375));
    assert_false(report_helps(METER_DISK_NVME, 1.5, 1.4375));
}

/* Written, read back, and read in short steps, or once through the file for each window. */
static void how_long_a_rewrite_takes(void **state)
{
    struct report_image image = {.format.file_bytes = 3 * GB};
    struct report_table table = {.disk = {.known = true, .seconds = 100}};

    (void)state;
    table.walk.breaks = 200; /* a second */
    assert_float_equal(report_rewrite_seconds(&image, &table, 15 * GB / 100), 4, 1e-9);
    table.walk.breaks = 1000000;
    assert_float_equal(report_rewrite_seconds(&image, &table, 15 * GB / 100), 3 + 20, 1e-9);
    assert_float_equal(report_rewrite_seconds(&image, &table, 15 * GB / 10), 30 + 40, 1e-9);
    table.disk.profile = METER_DISK_SSD; /* it is read as it is */
    assert_float_equal(report_rewrite_seconds(&image, &table, 53 * GB / 100), 102, 1e-9);
    table.disk.seconds = 0.5;
    assert_float_equal(report_rewrite_seconds(&image, &table, 53 * GB / 100), 3, 1e-9);
    table.disk.known = false;
    assert_float_equal(report_rewrite_seconds(&image, &table, GB), 0, 0);
}

static void a_rewrite_saves_what_it_takes_less(void **state)
{
    struct report_disk disk = {.known = true, .seconds = 3, .after_defrag_seconds = {true, 0.5}};

    (void)state;
    assert_true(report_cost_saved(&disk).value == 2.5);
    disk.after_defrag_seconds = opt_f64_of(4); /* it does not help */
    assert_true(report_cost_saved(&disk).known && report_cost_saved(&disk).value == 0);
    disk.after_defrag_seconds.known = false;
    assert_false(report_cost_saved(&disk).known);
    disk.known = false; /* nothing is mapped */
    assert_true(report_cost_saved(&disk).known && report_cost_saved(&disk).value == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_disk_is_what_the_user_says_or_the_system_knows),
        cmocka_unit_test(what_is_felt_and_saves_a_fiftieth_helps),
        cmocka_unit_test(how_long_a_rewrite_takes),
        cmocka_unit_test(a_rewrite_saves_what_it_takes_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

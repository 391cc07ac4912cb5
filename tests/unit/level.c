// SPDX-License-Identifier: MIT
/*
 * Linked into a unit test whose loops are built for one level of processors (see base/clones.h): it
 * runs those of its tests that LEVEL_TESTS of the environment stands for, or all. Where this machine
 * cannot run them, the whole test is skipped before it begins.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool runs_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("popcnt");
}

static bool runs_v4(void)
{
    return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool runs_level(void)
{
    __builtin_cpu_init();
    if (strcmp(CLONES_LEVEL, "arch=x86-64-v4") == 0)
        return runs_v4();
    return strcmp(CLONES_LEVEL, "arch=x86-64-v3") != 0 || runs_v3();
}

__attribute__((constructor)) static void choose_tests(void)
{
    cmocka_set_test_filter(getenv("LEVEL_TESTS"));
    if (runs_level())
        return;
    puts("1..1\nok 1 - " CLONES_LEVEL " # skip this processor does not run it");
    exit(0);
}

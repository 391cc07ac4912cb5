// SPDX-License-Identifier: MIT
/* Proves the sizes of large memory, and where it begins. */
#include "large.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void all_of_it_can_be_used(void **state)
{
    const uint64_t sizes[] = {1, 4097, (2 << 20) - 1, 2 << 20, (2 << 20) + 1};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        unsigned char *memory = defrag_large_new(sizes[i]);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 4096, 0);
        memset(memory, 1, sizes[i]);
        assert_int_equal(memory[sizes[i] - 1], 1);
        free(memory);
    }
}

static void more_than_there_is(void **state)
{
    (void)state;
    assert_null(defrag_large_new(UINT64_MAX)); /* rounded up it would be 0 */
    assert_null(defrag_large_new(UINT64_C(1) << 62));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_can_be_used),
        cmocka_unit_test(more_than_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

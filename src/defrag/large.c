// SPDX-License-Identifier: MIT
/* Owns the choice of pages. */
#include "large.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE_BYTES (UINT64_C(2) << 20)

void *defrag_large_new(uint64_t bytes)
{
    uint64_t whole = (bytes + LARGE_PAGE_BYTES - 1) & ~(LARGE_PAGE_BYTES - 1);
    void *memory = whole < bytes ? NULL : aligned_alloc(LARGE_PAGE_BYTES, whole);

    if (memory != NULL)
        madvise(memory, whole, MADV_HUGEPAGE);
    return memory;
}

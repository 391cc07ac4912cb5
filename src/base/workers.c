// SPDX-License-Identifier: MIT
/* Owns the count of threads. Starts none itself. */
#include "workers.h"

#include <sched.h>
#include <stddef.h>

int workers_processors(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0) /* more processors than the set has room for */
        return 1;
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

void workers_init(struct workers *workers, int n_threads)
{
    atomic_init(&workers->spare, n_threads - 1);
}

bool workers_try_take(struct workers *workers)
{
    int spare;

    if (workers == NULL)
        return false;
    spare = atomic_load(&workers->spare);
    while (spare > 0)
        if (atomic_compare_exchange_weak(&workers->spare, &spare, spare - 1))
            return true;
    return false;
}

void workers_give(struct workers *workers)
{
    atomic_fetch_add(&workers->spare, 1);
}

// SPDX-License-Identifier: MIT
/* Owns the count of threads, and how one is started. */
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

/* The longest way down takes a third of it. What is not used is never there. */
#if defined(__SANITIZE_ADDRESS__)
#define STACK_BYTES ((size_t)8 << 20)
#else
#define STACK_BYTES ((size_t)1 << 20)
#endif

int workers_start(pthread_t *thread, void *(*work)(void *context), void *context)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return -error;
    error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (error == 0)
        error = pthread_create(thread, &attributes, work, context);
    pthread_attr_destroy(&attributes);
    return -error;
}

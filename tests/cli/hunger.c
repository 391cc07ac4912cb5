// SPDX-License-Identifier: MIT
/*
 * Takes memory from a program (LD_PRELOAD): one of its requests fails, or all from one on. The
 * requests are counted from 1 in the order in which they are made. By the environment:
 *
 *   HUNGER_ONCE=N      the Nth request fails
 *   HUNGER_FROM=N      the Nth and all after it fail
 *   HUNGER_SITES=FILE  none fails; FILE gets a line for each place in the program that asks: the
 *                      number of its first request, and the addresses of those who led there
 */
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN void *malloc(size_t bytes);
SHOWN void *calloc(size_t n, size_t bytes);
SHOWN void *realloc(void *old, size_t bytes);
SHOWN void *reallocarray(void *old, size_t n, size_t bytes);
SHOWN int posix_memalign(void **memory, size_t align, size_t bytes);
SHOWN void *aligned_alloc(size_t align, size_t bytes);

/* The C library's own, under the names that it keeps for such as this. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

#define SITES_MAX 8192
#define DEPTH_MAX 24

static atomic_ulong n_requests;
static unsigned long fail_once, fail_from;
static const char *sites_file;
static _Thread_local bool inside; /* what looking at the stack asks for is not counted */

static uint64_t sites[SITES_MAX];
static size_t n_sites;

/* Only the addresses in the program, from where it begins: they are the same in each run. */
static size_t program_addresses(uintptr_t addresses[DEPTH_MAX])
{
    void *all[DEPTH_MAX];
    int n = backtrace(all, DEPTH_MAX);
    size_t kept = 0;
    static uintptr_t begin, end;

    if (end == 0) {
        FILE *maps = fopen("/proc/self/maps", "re");
        char self[4096], line[4352];
        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

        self[len > 0 ? len : 0] = '\0';
        while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
            unsigned long from, to;

            if (strstr(line, self) == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2)
                continue;
            begin = begin == 0 ? from : begin;
            end = to;
        }
        if (maps != NULL)
            fclose(maps);
    }
    for (int i = 0; i < n; i++)
        if ((uintptr_t)all[i] >= begin && (uintptr_t)all[i] < end)
            addresses[kept++] = (uintptr_t)all[i] - begin;
    return kept;
}

static void note_site(unsigned long number)
{
    uintptr_t addresses[DEPTH_MAX];
    size_t n;
    uint64_t hash = 14695981039346656037u;
    FILE *file;

    inside = true;
    n = program_addresses(addresses);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ addresses[i]) * 1099511628211u;
    for (size_t i = 0; i < n_sites; i++)
        if (sites[i] == hash) {
            inside = false;
            return;
        }
    if (n_sites < SITES_MAX)
        sites[n_sites++] = hash;
    file = fopen(sites_file, "ae");
    if (file == NULL)
        abort();
    fprintf(file, "%lu", number);
    for (size_t i = 0; i < n; i++)
        fprintf(file, " %lx", (unsigned long)addresses[i]);
    fputc('\n', file);
    fclose(file);
    inside = false;
}

/* Is this request to fail? */
static bool starve(void)
{
    static bool asked;
    unsigned long number;

    if (inside)
        return false;
    if (!asked) {
        const char *once = getenv("HUNGER_ONCE"), *from = getenv("HUNGER_FROM");

        asked = true;
        fail_once = once != NULL ? strtoul(once, NULL, 10) : 0;
        fail_from = from != NULL ? strtoul(from, NULL, 10) : 0;
        sites_file = getenv("HUNGER_SITES");
    }
    number = atomic_fetch_add(&n_requests, 1) + 1;
    if (sites_file != NULL)
        note_site(number);
    if (number != fail_once && (fail_from == 0 || number < fail_from))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return starve() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    return starve() ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return starve() ? NULL : __libc_realloc(old, bytes);
}

void *reallocarray(void *old, size_t n, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(n, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, all);
}

int posix_memalign(void **memory, size_t align, size_t bytes)
{
    if (starve())
        return ENOMEM;
    *memory = __libc_memalign(align, bytes);
    return *memory == NULL ? ENOMEM : 0;
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return starve() ? NULL : __libc_memalign(align, bytes);
}

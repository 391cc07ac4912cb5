// SPDX-License-Identifier: MIT
/*
 * Makes QEMU's tools quick where tests use them to make an image, or to look at one (LD_PRELOAD).
 * What they read, write and say is as ever. Three things are not:
 *
 *   - Nothing waits for the disk: no image of a test has to outlive the host.
 *   - A key is derived in few rounds. QEMU has as many as take it two seconds, and measures that by
 *     the time that its thread has used, which is told as a hundred times as much.
 *   - Memory that was freed is kept, and what is used anyway is there from the start: a page that
 * is touched for the first time costs twenty times as much, on a virtual machine, as one of many
 * that are asked for at once.
 */
#include <dlfcn.h>
#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))
#define TIMES 100

#ifdef __GLIBC__
typedef __rusage_who_t who_type;
#else
typedef int who_type;
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define PAGE_BYTES 4096
#define AT_START (1 << 20) /* what each of them takes from the heap */
#define LARGE (64 << 10)   /* a buffer from here on is used whole */

static void populate(void *memory, size_t n_bytes)
{
    uintptr_t begin = ((uintptr_t)memory + PAGE_BYTES - 1) & -(uintptr_t)PAGE_BYTES;
    uintptr_t end = ((uintptr_t)memory + n_bytes) & -(uintptr_t)PAGE_BYTES;
    int before = errno;

    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_POPULATE_WRITE); /* since Linux 5.14 */
    errno = before;
}

SHOWN int posix_memalign(void **memory, size_t alignment, size_t n_bytes);

SHOWN int posix_memalign(void **memory, size_t alignment, size_t n_bytes)
{
    static int (*next)(void **, size_t, size_t);
    int ret;

    if (next == NULL)
        next = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
    ret = next(memory, alignment, n_bytes);
    if (ret == 0 && n_bytes >= LARGE)
        populate(*memory, n_bytes);
    return ret;
}

#ifdef __GLIBC__
__attribute__((constructor)) static void keep_memory(void)
{
    void *start;

    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most that it takes */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
    start = malloc(AT_START);
    if (start != NULL)
        populate(start, AT_START);
    free(start);
}
#endif

SHOWN int fsync(int fd);
SHOWN int fdatasync(int fd);
SHOWN int getrusage(who_type who, struct rusage *usage);

SHOWN int fsync(int fd)
{
    (void)fd;
    return 0;
}

SHOWN int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

SHOWN int getrusage(who_type who, struct rusage *usage)
{
    static int (*next)(who_type, struct rusage *);
    long long us;
    int ret;

    if (next == NULL)
        next = (int (*)(who_type, struct rusage *))dlsym(RTLD_NEXT, "getrusage");
    ret = next(who, usage);
    if (ret < 0 || who != RUSAGE_THREAD)
        return ret;
    us = (usage->ru_utime.tv_sec * 1000000LL + usage->ru_utime.tv_usec) * TIMES;
    usage->ru_utime.tv_sec = (time_t)(us / 1000000);
    usage->ru_utime.tv_usec = (suseconds_t)(us % 1000000);
    return ret;
}

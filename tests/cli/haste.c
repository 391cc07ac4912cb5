// SPDX-License-Identifier: MIT
/*
 * Makes QEMU's tools quick where tests use them to make an image, or to look at one (LD_PRELOAD).
 * What they read, write and say is as ever. Three things are not:
 *
 *   - Nothing waits for the disk: no image of a test has to outlive the host.
 *   - A key is derived in few rounds. QEMU has as many as take it two seconds, and measures that by
 *     the time that its thread has used, which is told as a hundred times as much.
 *   - Memory that was freed is kept. A buffer for each request is otherwise mapped anew, and on a
 *     virtual machine each of its pages costs more than all that is done with it.
 */
#include <dlfcn.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
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

#ifdef __GLIBC__
__attribute__((constructor)) static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most that it takes */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
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

// SPDX-License-Identifier: MIT
/*
 * Makes QEMU's tools quick where tests use them to make an image, or to look at one (LD_PRELOAD).
 * What they read, write and say is as ever. Two things are not:
 *
 *   - Nothing waits for the disk: no image of a test has to outlive the host.
 *   - A key is derived in few rounds. QEMU has as many as take it two seconds, and measures that by
 *     the time that its thread has used, which is told as a hundred times as much.
 */
#include <dlfcn.h>
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

/* SPDX-License-Identifier: MIT */
/* What is under a file: its file system, the device, and whether that one rotates. */
#ifndef HOST_FACTS_H
#define HOST_FACTS_H

#include "device.h"
#include "opt.h"

struct err;
struct io;

/* A text is NULL where it is not known, or where there is no such thing. */
struct host_facts {
    char *filesystem; /* as `findmnt -no FSTYPE -T FILE` prints it; NULL also for a device */
    char *device;     /* "/dev/sda2" */
    struct opt_bool rotational;
};

/*
 * What was found out of each file system, for those who ask about many files. Of a file system that
 * was unmounted since, it knows still. May be used by several threads.
 */
struct host_facts_memory;

struct host_facts_memory *host_facts_memory_new(void); /* NULL without memory */
void host_facts_memory_free(struct host_facts_memory *memory);

/*
 * Fills @facts with what can be found out; what cannot is no error. Opens no device, waits for
 * nobody. @roots NULL: those of this system; @memory NULL: nothing is known yet, and nothing will
 * be remembered. Returns 0 or -ENOMEM. Release also on failure.
 */
int host_facts_find(struct io *io, const struct host_roots *roots, struct host_facts_memory *memory,
                    struct host_facts *facts, struct err *err);

void host_facts_release(struct host_facts *facts);

#endif

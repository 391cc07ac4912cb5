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
 * Fills @facts with what can be found out; what cannot is no error. Opens no device, waits for
 * nobody. @roots NULL: those of this system. Returns 0 or -ENOMEM. Release also on failure.
 */
int host_facts_find(struct io *io, const struct host_roots *roots, struct host_facts *facts,
                    struct err *err);

void host_facts_release(struct host_facts *facts);

#endif

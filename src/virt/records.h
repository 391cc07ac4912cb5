/* SPDX-License-Identifier: MIT */
/*
 * What the process that asks libvirt writes for the one that waits: disks, that it is alive, and
 * how it ended. Each is a letter and a few texts, all with their NUL.
 */
#ifndef VIRT_RECORDS_H
#define VIRT_RECORDS_H

#include <stddef.h>
#include <stdio.h>

struct err;

/* A disk of a domain, as libvirt describes it. All texts are borrowed, and none is NULL. */
struct virt_disk {
    const char *domain;
    const char *target; /* what it is to the guest: "vda" */
    const char *format; /* "qcow2", "raw" ...; empty: not said */
    const char *place;  /* an absolute path, or a URI of NBD; empty: neither, */
    const char *why;    /* and then this is said of it, in a few words */
};

/* Errors are those of @to. */
void virt_records_put_disk(FILE *to, const struct virt_disk *disk);
void virt_records_put_sign_of_life(FILE *to);
void virt_records_put_end(FILE *to, const struct err *err); /* of code 0: well */

/* The disks; they borrow from what they are read from. */
struct virt_disks {
    struct virt_disk *list;
    size_t n_list, cap_list;
};

/*
 * Fills @disks from all that was written. Returns 0, or fills @err: with the error that it ends
 * with, or because it does not end. Free @disks->list in any case.
 */
int virt_records_read(const char *bytes, size_t len, struct virt_disks *disks, struct err *err);

#endif

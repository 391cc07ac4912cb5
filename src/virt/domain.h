/* SPDX-License-Identifier: MIT */
/* The description of a domain, as XML. Asks nobody. */
#ifndef VIRT_DOMAIN_H
#define VIRT_DOMAIN_H

#include <stddef.h>

struct err;
struct virt_disk;
struct virt_library;

/*
 * A disk was found; @pool and @volume: where it is, if its place is not known by that, else NULL.
 * All is borrowed, also until the call ends; the name of the domain is empty. A negative return
 * value ends the reading.
 */
typedef int virt_disk_fn(void *context, const struct virt_disk *disk, const char *pool,
                         const char *volume);

/*
 * Calls @found for each disk of any kind that has something in it, in the order of the XML. What
 * a disk is built on, and what it is just being copied to, is no disk. Returns 0, or what @found
 * returned, or fills @err.
 */
int virt_domain_read(const struct virt_library *library, const char *xml, virt_disk_fn *found,
                     void *context, struct err *err);

#endif

/* SPDX-License-Identifier: MIT */
/* The domains of libvirt whose disks the images are. */
#ifndef DOMAINS_H
#define DOMAINS_H

#include "inventory.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct report_domains;

/* Zeros are those that nobody asked for. */
struct domains {
    bool asked;
    struct virt_inventory inventory;  /* all disks, and the names that the rest borrows */
    const struct virt_disk **by_name; /* the same, by the names of the domains */
    struct domains_disk *disks;       /* those that are images */
    size_t n_disks, cap_disks;
    struct report_domain *list; /* the same by their images */
    struct domains_image *images;
    size_t n_images;
};

/* What becomes of the disks; all texts are borrowed. */
struct domains_taker {
    /* Is an image: gets a number, or has one already. 0 or -ENOMEM. */
    int (*take)(void *context, const char *place, size_t *number);
    /* Could be an image, but is not there to be measured, says @text. */
    void (*fail)(void *context, const char *name, const char *text);
    /* Is no qcow2 image, says @text: nothing is wrong. */
    void (*pass)(void *context, const char *place, const char *text);
    void *context;
};

/*
 * Asks libvirt for the disks of all domains, as virt_inventory_read does, and hands each to @taker.
 * One of another format is passed by unread: its guest may have written there what it likes. One
 * whose format is not said is looked at. Returns 0, or fills @err. Release with domains_free in any
 * case.
 */
int domains_collect(struct domains *domains, const char *uri, unsigned timeout_seconds,
                    const struct domains_taker *taker, struct err *err);
void domains_free(struct domains *domains);

/* Those of image @number, borrowed; NULL: nobody asked. */
const struct report_domains *domains_of(const struct domains *domains, size_t number);

#endif

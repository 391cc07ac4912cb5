/* SPDX-License-Identifier: MIT */
/* The disks of all domains that libvirt knows. */
#ifndef VIRT_INVENTORY_H
#define VIRT_INVENTORY_H

#include "records.h"

struct err;

struct virt_inventory {
    struct virt_disks disks; /* by the order of libvirt */
    char *bytes;             /* that they are in */
};

/*
 * Asks libvirt at @uri; NULL: where it looks by itself. Only of this host, whose files the disks
 * are. Waits @timeout_seconds for each answer. Nothing is started or changed. libvirt is another
 * process's business: of what it does wrong, this one only hears. Returns 0 or fills @err; free the
 * list in both cases. To be called while there are no other threads.
 */
int virt_inventory_read(const char *uri, unsigned timeout_seconds, struct virt_inventory *list,
                        struct err *err);
void virt_inventory_free(struct virt_inventory *list);

#endif

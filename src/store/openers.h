/* SPDX-License-Identifier: MIT */
/*
 * Does anybody else on this host have a file open? The kernel tells by whether it grants a lease,
 * also of processes that this user may not see, of other containers and of devices made of files;
 * not who it is. Nothing stays of the question, and nobody is kept waiting.
 *
 * Asked of descriptors that are open to read only, by the owner of the file or one who may have
 * leases of others (CAP_LEASE), on file systems of this host.
 */
#ifndef STORE_OPENERS_H
#define STORE_OPENERS_H

enum store_openers {
    STORE_OPENERS_NONE,
    STORE_OPENERS_SOME,
    STORE_OPENERS_UNKNOWN, /* it cannot be found out here */
};

/* To write. */
enum store_openers store_openers_writers(int fd);

/* At all, by another opening than that of @fd. */
enum store_openers store_openers_any(int fd);

#endif

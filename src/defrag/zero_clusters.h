/* SPDX-License-Identifier: MIT */
/* Which clusters of data are nothing but zeros: found by reading all of them, in their order. */
#ifndef DEFRAG_ZERO_CLUSTERS_H
#define DEFRAG_ZERO_CLUSTERS_H

#include <stdint.h>

struct defrag_watch;
struct err;
struct format_image;
struct format_refcounts;

/*
 * *@zeros: bits by clusters of the file, to be freed with free(). Standard clusters only, that no
 * entry calls zeros already. -EINTR, without an error, if @watch said so.
 */
int defrag_zero_clusters_find(struct format_image *image, const struct format_refcounts *refcounts,
                              const struct defrag_watch *watch, uint64_t **zeros, struct err *err);

#endif

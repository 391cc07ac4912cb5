/* SPDX-License-Identifier: MIT */
/* Proves a new image before it gets its name: what it maps is what the source maps. */
#ifndef DEFRAG_VERIFY_H
#define DEFRAG_VERIFY_H

struct defrag_plan;
struct err;
struct format_image;
struct io;

/*
 * Walks the active table and that of each snapshot in both images: each guest cluster has the same
 * kind, and lies where @plan (sorted by where things were) says. And the refcounts of the new one
 * are right to the last cluster.
 */
int defrag_verify_mapping(const struct defrag_plan *plan, struct format_image *source,
                          struct io *written, struct err *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The refcounts of a new image: counted anew from all that it refers to, never carried over. Its
 * other metadata have been written.
 */
#ifndef DEFRAG_RECOUNT_H
#define DEFRAG_RECOUNT_H

struct defrag_plan;
struct err;
struct io;
struct store_new_file;

/* @written: the new file, as far as it is there. */
int defrag_recount(const struct defrag_plan *plan, struct io *written, struct store_new_file *file,
                   struct err *err);

#endif

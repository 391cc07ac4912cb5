/* SPDX-License-Identifier: MIT */
/*
 * The planned image, as something that can be read and measured before a byte of it is written. Its
 * metadata are made of those of the source when they are asked for. Refcounts and data read as
 * zeros: the first depend on all the rest, the second on where they are read from.
 */
#ifndef DEFRAG_PLANNED_H
#define DEFRAG_PLANNED_H

#include "plan.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct io;

struct defrag_planned_options {
    bool clear_unknown_autoclear; /* feature bits that a program that writes must clear */
};

/*
 * @plan, sorted by where things were, and its image are borrowed until io_close. May be read by
 * several threads at once.
 */
int defrag_planned_open(const struct defrag_plan *plan,
                        const struct defrag_planned_options *options, struct io **io,
                        struct err *err);

/*
 * The next stretch of metadata that goes on behind @off; false behind the last one. Stretches that
 * touch may come one by one.
 */
bool defrag_planned_next(const struct io *planned, uint64_t off, struct defrag_extent *extent);

#endif

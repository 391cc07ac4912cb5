/* SPDX-License-Identifier: MIT */
/* Putting records in order by a word of theirs, in place: a list may be most of the memory that
 * there is. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/*
 * @n records of @words words each, one or two, by their word number @by, rising. Those with the
 * same word come in any order.
 */
void sort_records(uint64_t *list, size_t n, unsigned words, unsigned by);

#endif

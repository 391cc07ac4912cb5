/* SPDX-License-Identifier: MIT */
/* Searching in what is sorted, by halves. */
#ifndef BASE_SEARCH_H
#define BASE_SEARCH_H

#include <stddef.h>

/*
 * The first index of [low, high) for which @passed, an expression of @i, is false; @high if there is
 * none. It is true for all that come before that one, and false for those behind it.
 */
#define search_first(i, low, high, passed)                                                         \
    ({                                                                                             \
        size_t begin_ = (low), end_ = (high);                                                      \
                                                                                                   \
        while (begin_ < end_) {                                                                    \
            const size_t i = begin_ + (end_ - begin_) / 2;                                         \
                                                                                                   \
            if (passed)                                                                            \
                begin_ = i + 1;                                                                    \
            else                                                                                   \
                end_ = i;                                                                          \
        }                                                                                          \
        begin_;                                                                                    \
    })

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The parts of a window of the guest disk that no layer has yet, in rising order. Layer after layer
 * takes what it has out of them, from left to right.
 */
#ifndef CHAIN_GAPS_H
#define CHAIN_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Half open, never empty, never touching one another. */
struct chain_gap {
    uint64_t begin, end;
};

struct chain_gaps {
    struct chain_gap *list;
    size_t n_list, cap_list;

    /* While a layer takes: */
    struct chain_gap *left; /* what it has left, of the gaps before kept */
    size_t n_left, cap_left;
    size_t at; /* gaps before this one end before what is asked for */
    size_t kept;
    bool taken; /* anything; else left is not needed */

    int error; /* -ENOMEM, once it has happened: the gaps then mean nothing */
};

void chain_gaps_free(struct chain_gaps *gaps);

/* Forgets all: one gap. */
void chain_gaps_reset(struct chain_gaps *gaps, uint64_t begin, uint64_t end);

/* Between these two a layer looks and takes, at offsets that never go down. */
void chain_gaps_begin(struct chain_gaps *gaps);
void chain_gaps_end(struct chain_gaps *gaps);

/*
 * Is anything of [from, to) open? *@open is then what must be looked at: from the first open byte
 * to behind the last one.
 */
bool chain_gaps_look(struct chain_gaps *gaps, uint64_t from, uint64_t to, struct chain_gap *open);

/* The first open stretch of [from, to), which stays. False: there is none. */
bool chain_gaps_first(struct chain_gaps *gaps, uint64_t from, uint64_t to, struct chain_gap *first);

/* Takes the first open stretch of [from, to) out of the gaps. False: there is none left. */
bool chain_gaps_take(struct chain_gaps *gaps, uint64_t from, uint64_t to, struct chain_gap *taken);

#endif

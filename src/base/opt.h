/* SPDX-License-Identifier: MIT */
/*
 * Values that may be unknown. Unknown is a state of its own: it is printed as null or "-", and is
 * never a zero.
 *
 * Packed, since a report has some twenty for each of up to 65,536 snapshots.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>

struct opt_u64 {
    bool known;
    uint64_t value;
} __attribute__((packed));

struct opt_f64 {
    bool known;
    double value;
} __attribute__((packed));

struct opt_bool {
    bool known;
    bool value;
};

static inline struct opt_u64 opt_u64_of(uint64_t value)
{
    return (struct opt_u64){true, value};
}

static inline struct opt_f64 opt_f64_of(double value)
{
    return (struct opt_f64){true, value};
}

static inline struct opt_bool opt_bool_of(bool value)
{
    return (struct opt_bool){true, value};
}

/* part / whole as a double; unknown when @whole is 0. */
static inline struct opt_f64 opt_ratio(double part, double whole)
{
    return whole > 0 ? opt_f64_of(part / whole) : (struct opt_f64){false, 0};
}

#endif

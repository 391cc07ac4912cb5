/* SPDX-License-Identifier: MIT */
/*
 * Functions compiled several times over, for older and newer processors; the loader picks one when
 * the program starts. For the few loops that run once for each cluster. No code differs.
 */
#ifndef BASE_CLONES_H
#define BASE_CLONES_H

#include <stdint.h> /* any header of the C library tells whether that is glibc */

/*
 * For unit tests they are built for one after the other: CLONES_LEVEL is the target. Else it needs
 * ifunc in the C library (glibc) and, with sanitizers, a loader that runs them early enough: they
 * have one version.
 */
#if defined(CLONES_LEVEL)
#define CLONES __attribute__((target(CLONES_LEVEL)))
#elif defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&     \
    __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif

/* Part of a function with clones: compiled for the same processor as its caller. */
#define CLONES_PART static inline __attribute__((always_inline))

#endif

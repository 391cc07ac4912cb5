/* SPDX-License-Identifier: MIT */
/*
 * Releasing at the end of a scope, however it is left: for a function that owns more than one
 * thing. What is to be handed on instead is taken out with cleanup_take.
 *
 *     CLEANUP(meter_set_free) struct meter_set meters = {.plain = NULL};
 *     CLEANUP_FREE char *name = NULL;
 *
 * The variable is set where it is declared: it is released even if nothing came after that. A
 * function that releases gets a pointer to the variable, and may be called again on what it has
 * released.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP(release) __attribute__((cleanup(release)))

#define CLEANUP_FREE CLEANUP(cleanup_free)     /* a pointer to memory, or NULL */
#define CLEANUP_CLOSE CLEANUP(cleanup_close)   /* a descriptor, or -1 */
#define CLEANUP_FOLDER CLEANUP(cleanup_folder) /* a DIR pointer, or NULL */

static inline void cleanup_free(void *variable)
{
    void *memory;

    memcpy(&memory, variable, sizeof(memory));
    free(memory);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_folder(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

/* The value of a pointer, which is NULL after it: somebody else releases it now. */
#define cleanup_take(pointer)                                                                      \
    ({                                                                                             \
        __typeof__(pointer) taken_ = (pointer);                                                    \
                                                                                                   \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Growing arrays. A vector is three members of the owner's choosing (array, length, capacity);
 * vec_reserve makes room for one more element and keeps what is there.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

/*
 * Makes room for at least @want elements of @element_bytes. @array points to the owner's pointer.
 * Returns 0, or -ENOMEM with the array as it was.
 */
int vec_grow(void *array, size_t *capacity, size_t want, size_t element_bytes);

/* For an owner with the members V, n_V and cap_V. */
#define vec_reserve(owner, name)                                                                   \
    vec_grow(&(owner)->name, &(owner)->cap_##name, (owner)->n_##name + 1, sizeof(*(owner)->name))

#endif

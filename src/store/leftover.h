/* SPDX-License-Identifier: MIT */
/* Hidden new images of a program that was killed just before it could rename one. */
#ifndef STORE_LEFTOVER_H
#define STORE_LEFTOVER_H

/* Removes those in @folder, an open one, that no program is at work on. Best effort. */
void store_leftover_remove(int folder);

#endif

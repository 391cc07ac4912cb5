/* SPDX-License-Identifier: MIT */
/* Which other program has a file open, as far as /proc tells. Only asks. */
#ifndef STORE_HOLDER_H
#define STORE_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

struct store_holder {
    pid_t pid;
    char program[64]; /* the last part of how it was started */
    char guest[128];  /* the name that a QEMU was given; "": none, or it is no QEMU */
    bool libvirt;     /* it is the name of a libvirt domain */
};

/*
 * Of several, one that has a lock on it. False: nobody has it open, or nobody of whom this process
 * may know.
 */
bool store_holder_find(int fd, struct store_holder *holder);

/*
 * The same of those who have it open to write, or may do so at any time: @qemu: also a QEMU that
 * waits for its migration, which has it open to read until that comes.
 */
bool store_holder_find_writer(int fd, bool qemu, struct store_holder *holder);

#define STORE_HOLDER_TEXT_MAX 256

/* What to say of one that is there and was not found. */
#define STORE_HOLDER_UNSEEN "a program that the system does not tell of"

/* "qemu-system-x86_64 (process 1234, libvirt domain web)" */
void store_holder_describe(const struct store_holder *holder, char text[STORE_HOLDER_TEXT_MAX]);

#endif

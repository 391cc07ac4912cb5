/* SPDX-License-Identifier: MIT */
/*
 * The locks that QEMU puts on its files, taken as it takes them: byte 100 + p says "I use
 * permission p", byte 200 + p "nobody else may have it" (block/file-posix.c,
 * raw_apply_lock_bytes). All are shared locks; who wants one asks whether another program has the
 * opposite. First taken, then asked: of two that come at once both may fail, but never both win.
 *
 * They belong to the open file, not to the process: whoever asks through the same descriptor (or a
 * copy of it) does not see them, whoever opens the file anew does. They end when it is closed.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

struct err;

enum store_lock {
    STORE_LOCK_READER, /* nobody may write; others may read */
    STORE_LOCK_OWNER,  /* nobody else may open it as an image at all */
};

/*
 * Waits for nobody. -EBUSY: somebody has what excludes it, and the error names him, if the system
 * tells. -ENOLCK: there are no locks on this file system. On any failure nothing is locked.
 */
int store_lock_take(int fd, enum store_lock lock, struct err *err);

/*
 * A program that takes no locks, or none yet: -EBUSY: one has the file open to write, as far as the
 * system tells. For OWNER also a QEMU that has it open: it waits for its migration, and will write.
 * One that this user may not see is found where the kernel can be asked (openers.h).
 */
int store_lock_check_writers(int fd, enum store_lock lock, struct err *err);

/* From OWNER down to READER. */
void store_lock_let_read(int fd);

void store_lock_drop(int fd);

#endif

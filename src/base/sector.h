/* SPDX-License-Identifier: MIT */
#ifndef BASE_SECTOR_H
#define BASE_SECTOR_H

#include <stdint.h>

/* What disks, QEMU and the blobs of compressed clusters count in. */
#define SECTOR_BYTES UINT64_C(512)

#endif

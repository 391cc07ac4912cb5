/* SPDX-License-Identifier: MIT */
#ifndef PIECE_REQUEST_H
#define PIECE_REQUEST_H

#include <stdint.h>

/* The guest reads its disk in requests of so many bytes, for the read split and what follows it. */
#define PIECE_REQUEST_BYTES (UINT64_C(1) << 20)

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A disk image as a short string of bytes, for a fuzzer: the file size, then the sectors that are
 * not zero. So a whole image with clusters of 64 KiB is a few kilobytes, and each byte of it means
 * something.
 *
 *   8 bytes   file size, little endian, taken modulo SPARSE_FILE_BYTES_MAX
 *   then any number of: 4 bytes sector number, little endian; 512 bytes
 *
 * A sector named twice counts as the last one says; an incomplete last record is filled with zeros.
 */
#ifndef SPARSE_H
#define SPARSE_H

#include <stddef.h>
#include <stdint.h>

#define SPARSE_SECTOR_BYTES 512
#define SPARSE_RECORD_BYTES (4 + SPARSE_SECTOR_BYTES)
/* A larger one would only make the fuzzer read more zeros. */
#define SPARSE_FILE_BYTES_MAX (UINT64_C(8) << 20)

struct io;

/* An io over @bytes, which must outlive it. NULL without memory. */
struct io *sparse_open(const uint8_t *bytes, size_t len);

#endif

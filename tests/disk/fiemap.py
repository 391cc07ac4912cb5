#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where a file lies on its disk, in the form that the simulated disk takes (extents.h).

    fiemap.py FILE

Status 77 if the file system does not tell.
"""

import array
import fcntl
import os
import struct
import sys

FS_IOC_FIEMAP = 0xC020660B
FLAG_SYNC = 1
BATCH = 512
HEADER, EXTENT = "=QQIIII", "=QQQQQIIII"     # struct fiemap, struct fiemap_extent
LAST, NOWHERE = 1, 2 | 4 | 0x200 | 0x800     # unknown, delayed, inline, unwritten


def batch(file, start):
    """(offset in the file, on the disk, length, flags) of the extents from an offset on."""
    head = struct.calcsize(HEADER)
    buffer = array.array("B", struct.pack(HEADER, start, 2**64 - 1 - start, FLAG_SYNC, 0, BATCH, 0) +
                         bytes(BATCH * struct.calcsize(EXTENT)))
    fcntl.ioctl(file, FS_IOC_FIEMAP, buffer)
    n = struct.unpack_from(HEADER, buffer)[3]
    for index in range(n):
        logical, physical, length, _, _, flags, _, _, _ = struct.unpack_from(
            EXTENT, buffer, head + index * struct.calcsize(EXTENT))
        yield logical, physical, length, flags


def main(argv):
    with open(argv[0], "rb") as file:
        start, flags = 0, 0
        while not flags & LAST:
            try:
                extents = list(batch(file, start))
            except OSError as error:
                print(argv[0] + ": " + os.strerror(error.errno), file=sys.stderr)
                return 77
            if not extents:
                break
            for logical, physical, length, flags in extents:
                if not flags & NOWHERE:
                    print(logical, physical, length)
                start = logical + length
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Between images and the short strings of sparse.h.

    sparse.py pack IMAGE OUT       image to string
    sparse.py pack FOLDER OUT      each NAME.qcow2 to OUT/NAME; what is too large for a string is left out
    sparse.py unpack STRING OUT    string to image, to look at it with other tools
"""
import os
import struct
import sys

SECTOR = 512
LIMIT = 8 << 20


def data_sectors(path):
    """(number, bytes) of every sector that is not all zeros; holes of the file are skipped."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(file.fileno(), offset, os.SEEK_DATA) // SECTOR * SECTOR
            except OSError:
                return
            sector = os.pread(file.fileno(), SECTOR, offset)
            if sector.strip(b"\0"):
                yield offset // SECTOR, sector.ljust(SECTOR, b"\0")
            offset += SECTOR


def pack(image, out):
    if os.path.isdir(image):
        pack_all(image, out)
        return
    size = os.path.getsize(image)
    if size >= LIMIT:
        sys.exit(f"{image}: larger than {LIMIT} bytes")
    with open(out, "wb") as file:
        file.write(struct.pack("<Q", size))
        for number, sector in data_sectors(image):
            file.write(struct.pack("<I", number) + sector)


def pack_all(folder, out):
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(folder):
        base, dot, kind = name.rpartition(".")
        if dot + kind == ".qcow2" and os.path.getsize(f"{folder}/{name}") < LIMIT:
            pack(f"{folder}/{name}", f"{out}/{base}")


def records(path):
    with open(path, "rb") as file:
        text = file.read()
    size = struct.unpack("<Q", text[:8].ljust(8, b"\0"))[0] % LIMIT
    sectors = {}
    for at in range(8, len(text), 4 + SECTOR):
        record = text[at:at + 4 + SECTOR]
        if len(record) > 4:
            number = struct.unpack("<I", record[:4])[0]
            old = sectors.get(number, bytes(SECTOR))
            sectors[number] = record[4:] + old[len(record) - 4:]
    return size, sectors


def unpack(string, out):
    size, sectors = records(string)
    with open(out, "wb") as file:
        for number, sector in sectors.items():
            if number * SECTOR < size:
                os.pwrite(file.fileno(), sector, number * SECTOR)
        os.ftruncate(file.fileno(), size)


def main():
    command, *arguments = sys.argv[1:]
    {"pack": pack, "unpack": unpack}[command](*arguments)


if __name__ == "__main__":
    main()

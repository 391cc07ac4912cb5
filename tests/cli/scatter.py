# SPDX-License-Identifier: MIT
"""scatter.py SOURCE TARGET FOLDER FREE: a copy of SOURCE whose pieces of 64 KiB lie scattered.

FOLDER is where the file system is mounted. While TARGET is written, in random order, nothing is free
but pieces of that size. Afterwards all is free, if FREE is "all", or as many MiB, in such pieces. If
it is "order", the file system never was full: for those who put each piece behind the one before.
"""
import ctypes
import mmap
import os
import random
import sys

PIECE = 65536
KEEP_SIZE, PUNCH_HOLE = 1, 2

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def punch(file, begin, length):
    if libc.fallocate(file, KEEP_SIZE | PUNCH_HOLE, begin, length) < 0:
        raise OSError(ctypes.get_errno(), "cannot punch a hole")


def take_all(name):
    """A file that takes all that is free: its descriptor."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644)
    length, step = 0, 1 << 22
    while step >= 4096:
        try:
            os.posix_fallocate(file, length, step)
            length += step
        except OSError:
            step //= 2
    return file


def write_scattered(name, whole):
    """Directly, so that each piece gets its place when it is written."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o644)
    buffer = mmap.mmap(-1, PIECE)
    starts = list(range(0, len(whole), PIECE))
    random.seed(9)
    random.shuffle(starts)
    for start in starts:
        piece = whole[start:start + PIECE]
        buffer[:] = piece.ljust(PIECE, b"\0")
        os.pwrite(file, buffer, start)
    os.truncate(name, len(whole))
    os.fsync(file)
    os.close(file)


PIECES_TO_SPARE = 40


def main():
    source, target, folder, free = sys.argv[1:]
    with open(source, "rb") as file:
        whole = file.read()
    if free == "order":
        write_scattered(target, whole)
        return
    filler = take_all(folder + "/filler")
    pieces = len(whole) // PIECE + PIECES_TO_SPARE
    for k in range(pieces):
        punch(filler, 2 * k * PIECE, PIECE)
    os.fsync(filler)
    write_scattered(target, whole)
    if free == "all":
        os.remove(folder + "/filler")
    else:
        for k in range(pieces, pieces + (int(free) << 20) // PIECE):
            punch(filler, 2 * k * PIECE, PIECE)
    os.fsync(filler)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What reading a guest disk from front to back costs on a spinning disk, the plain and slow way.

    disk_model.py [--extents EXTENTS] IMAGE     print {"seconds", "ideal_seconds", ...} as JSON
    disk_model.py IMAGE BACKING ...             the same of a chain, the uppermost first: seconds alone

The active tables are decoded by oracle.py. Then the reads are written down one by one in guest order,
and a head goes from one to the next; nothing is summed up before. Shares nothing with the program.

EXTENTS: a text of lines "FILE-OFFSET DISK-OFFSET LENGTH", in the order of the file: the seconds are
then those of the places on the disk, and what no line covers is not read. The ideal stays that of a
file in one piece.
"""

import argparse
import bisect
import json
import math
import sys
from typing import NamedTuple, Optional

import oracle

# The profile "hdd".
DISK_BYTES = 4 * 10**12
BYTES_PER_SECOND = 150 * 10**6
HALF_TURN = 0.00417
SECTOR = 512

IMAGE_FILE, DATA_FILE = 0, 1    # two files are two regions of the disk


def seek(share):
    """Seconds to move the head over a share of the disk, and to wait for half a turn."""
    move = 0.8 + 13.1 * math.sqrt(share) if share < 0.49 else 5.4 + 9.3 * share
    return move / 1000 + HALF_TURN


class Disk:
    """A head and a clock. A file's header has just been read: the head begins at its start."""

    def __init__(self):
        self.region = IMAGE_FILE
        self.head = 0
        self.seconds = 0.0

    def read(self, region, begin, end):
        if region != self.region:
            self.seconds += seek(1 / 3)
        elif 0 < self.head - begin <= SECTOR:
            begin = self.head           # the sector under the head is known
            if end <= begin:
                return
        else:
            self.seconds += self.approach(begin)
        self.transfer(end - begin)
        self.region, self.head = region, end

    def approach(self, begin):
        distance = abs(begin - self.head)
        if distance == 0:
            return 0
        if begin < self.head:
            return seek(distance / DISK_BYTES)
        return min(seek(distance / DISK_BYTES), distance / BYTES_PER_SECOND)

    def transfer(self, size):
        self.seconds += size / BYTES_PER_SECOND


class Read(NamedTuple):
    """`goes_on`: between it and the data before it lies no break, at most a hole in step or padding."""
    kind: str               # "slice" or "data"
    region: int
    begin: int
    end: int
    goes_on: bool = False


def slices(image, table):
    """(first guest offset, Read) of each L2 slice inside the disk."""
    clusters = oracle.ceil_div(table.disk_size, image.cluster)
    l1_entries = min(table.l1_size, oracle.ceil_div(clusters, image.l2_entries))
    slice_entries = image.slice_guest_bytes() // image.cluster
    slice_bytes = slice_entries * image.l2_entry_bytes
    for index, entry in oracle.nonzero_l1_entries(image, table.l1_offset, l1_entries):
        offset, _ = oracle.decode_l1_entry(image, entry)
        if offset == 0:
            continue
        for first in range(0, image.l2_entries, slice_entries):
            guest = index * image.l2_entries + first
            begin = offset + first * image.l2_entry_bytes
            if guest < clusters:
                yield guest * image.cluster, Read("slice", IMAGE_FILE, begin, begin + slice_bytes)


def data_reads(image, table, piece, goes_on):
    """What is read of one piece: its stretches of data, as far as the disk reaches."""
    region = DATA_FILE if image.has_data_file else IMAGE_FILE
    if piece.compressed:
        # QEMU keeps no decompressed cluster: each request that wants a part of it reads it anew.
        stop = min(piece.guest + image.cluster, table.disk_size)
        for _ in range(piece.guest, stop, oracle.REQUEST):
            yield Read("data", region, piece.position, piece.end, goes_on)
            goes_on = True
        return
    whole = ((piece.guest, piece.guest + image.cluster),)
    for start, stop in whole if piece.data is None else piece.data:
        stop = min(stop, table.disk_size)
        if start < stop:
            begin = piece.position + (start - piece.guest)
            yield Read("data", region, begin, begin + (stop - start), goes_on)
        goes_on = True


def walk(image, table):
    """(piece, does it go on from the piece before)"""
    previous = None
    for piece in oracle.walk(image, table, dict.fromkeys(
            ("zero_clusters", "zero_allocated_clusters", "corrupt_entries"), 0)):
        yield piece, previous is not None and oracle.is_contiguous(previous, piece, image.cluster)
        previous = piece


def all_reads(image, table):
    """Slices and data in the order in which the guest comes to them."""
    coming = slices(image, table)
    following = next(coming, None)
    for piece, goes_on in walk(image, table):
        while following is not None and following[0] <= piece.guest:
            yield following[1]
            following = next(coming, None)
        yield from data_reads(image, table, piece, goes_on)
    while following is not None:
        yield following[1]
        following = next(coming, None)


class Extents:
    """Where the bytes of the image file lie on the disk."""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.list = [tuple(int(word) for word in line.split()) for line in file]
        self.starts = [start for start, _, _ in self.list]

    def places(self, begin, end):
        index = max(bisect.bisect_right(self.starts, begin) - 1, 0)
        for start, place, length in self.list[index:]:
            if start >= end:
                return
            first, last = max(begin, start), min(end, start + length)
            if first < last:
                yield place + (first - start), place + (last - start)


def cost(image, table, extents=None):
    real, ideal = Disk(), Disk()
    n_slices = data_bytes = 0
    for read in all_reads(image, table):
        for begin, end in extents.places(read.begin, read.end) if extents else [(read.begin, read.end)]:
            real.read(read.region, begin, end)
        if read.kind == "slice":
            n_slices += 1
            ideal.transfer(read.end - read.begin)       # as if it lay where the head stands
            continue
        data_bytes += read.end - read.begin
        if not read.goes_on:
            ideal.region, ideal.head = read.region, read.begin
        ideal.read(read.region, read.begin, read.end)
    return {"seconds": real.seconds, "ideal_seconds": ideal.seconds,
            "slices": n_slices, "data_bytes": data_bytes}


def reads(image, table):
    count = oracle.ReadSplit(image.cluster, table.disk_size, image.slice_guest_bytes(), image.longest_read())
    for piece, goes_on in walk(image, table):
        count.add(piece, not goes_on)
    return {"data_reads": count.reads, "data_reads_without_breaks": count.reads_without_breaks}


# ------------------------------------------------------------------------------------------------
# Chains
# ------------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """A guest range that a layer holds: zeros without `begin`, a blob if there is a `blob_end`."""
    start: int
    stop: int
    begin: Optional[int]
    blob_end: Optional[int] = None


class Layer:
    """One image of a chain."""

    def __init__(self, number, path):
        image = oracle.Image(path)
        try:
            table = oracle.active_table(image)
            image.find_overlaps([table])
            self.number, self.size = number, image.virtual_bytes
            self.slice_guest_bytes = image.slice_guest_bytes()
            self.slices = {guest: read._replace(region=number) for guest, read in slices(image, table)}
            self.held = list(held_ranges(image, table))
            self.stops = [held.stop for held in self.held]
        finally:
            image.close()

    def parts(self, start, stop):
        """A guest range, cut where slices begin."""
        for border in range(start // self.slice_guest_bytes * self.slice_guest_bytes, stop, self.slice_guest_bytes):
            yield max(start, border), min(stop, border + self.slice_guest_bytes)

    def load(self, guest):
        """The slice for a guest offset, if there is one and it was not yet wanted."""
        read = self.slices.pop(guest // self.slice_guest_bytes * self.slice_guest_bytes, None)
        return [read] if read else []

    def held_in(self, start, stop):
        for held in self.held[bisect.bisect_right(self.stops, start):]:
            if held.start >= stop:
                return
            yield held

    def data_read(self, held, start, stop):
        if held.blob_end is not None:
            return Read("data", self.number, held.begin, held.blob_end)
        return Read("data", self.number, held.begin + (start - held.start), held.begin + (stop - held.start))


def held_ranges(image, table):
    clusters = oracle.ceil_div(table.disk_size, image.cluster)
    l1_entries = min(table.l1_size, oracle.ceil_div(clusters, image.l2_entries))
    for l1_index, l1_entry in oracle.nonzero_l1_entries(image, table.l1_offset, l1_entries):
        l2_offset, _ = oracle.decode_l1_entry(image, l1_entry)
        for index, word, bitmap in oracle.nonzero_l2_entries(image, l2_offset) if l2_offset else ():
            guest = (l1_index * image.l2_entries + index) * image.cluster
            entry = oracle.decode_l2_entry(image, guest, word, bitmap)
            yield from held_by_entry(image, guest, entry, bitmap)


def held_by_entry(image, guest, entry, bitmap):
    piece = entry.piece
    if piece and piece.compressed:
        yield Held(guest, guest + image.cluster, piece.position, piece.end)
    elif image.extended_l2:
        size = image.cluster // oracle.SUBCLUSTERS
        for index in range(oracle.SUBCLUSTERS):
            start = guest + index * size
            if bitmap >> index & 1:
                yield Held(start, start + size, piece.position + index * size)
            elif bitmap >> (oracle.SUBCLUSTERS + index) & 1:
                yield Held(start, start + size, None)
    elif piece or entry.zero:
        yield Held(guest, guest + image.cluster, piece.position if piece else None)


def chain_reads(layers, start, stop):
    """The reads of a guest range: each byte from the uppermost layer that holds it."""
    if not layers or start >= min(stop, layers[0].size):
        return
    top, below = layers[0], layers[1:]
    for first, last in top.parts(start, min(stop, top.size)):
        yield from top.load(first)
        at = first
        for held in top.held_in(first, last):
            begin, end = max(held.start, first), min(held.stop, last)
            yield from chain_reads(below, at, begin)
            if held.begin is not None:
                yield top.data_read(held, begin, end)
            at = end
        yield from chain_reads(below, at, last)


def measure(path, extents_path=None):
    image = oracle.Image(path)
    try:
        table = oracle.active_table(image)
        image.find_overlaps([table])
        result = cost(image, table, Extents(extents_path) if extents_path else None)
        result.update(reads(image, table))
        return result
    finally:
        image.close()


def measure_chain(paths):
    """Request by request, as each reads a blob anew."""
    layers = [Layer(number, path) for number, path in enumerate(paths)]
    disk, n_slices, data_bytes = Disk(), 0, 0
    for start in range(0, layers[0].size, oracle.REQUEST):
        for read in chain_reads(layers, start, min(start + oracle.REQUEST, layers[0].size)):
            disk.read(read.region, read.begin, read.end)
            n_slices += read.kind == "slice"
            data_bytes += (read.end - read.begin) * (read.kind == "data")
    return {"seconds": disk.seconds, "slices": n_slices, "data_bytes": data_bytes}


def main(argv):
    parser = argparse.ArgumentParser(description="What a layout costs on a spinning disk.")
    parser.add_argument("--extents", metavar="EXTENTS")
    parser.add_argument("images", metavar="IMAGE", nargs="+")
    arguments = parser.parse_args(argv)
    if len(arguments.images) > 1:
        result = measure_chain(arguments.images)
    else:
        result = measure(arguments.images[0], arguments.extents)
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])

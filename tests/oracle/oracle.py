#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second decoder of qcow2, to judge the first one by.

It prints the figures that qcow2frag prints ("format" and "tables" of its JSON), worked out the plain
and slow way: one cluster after the other, each compared with the one before, every definition as a
line of code. It is written from the qcow2 specification and from the definitions of the figures, and
shares nothing with the program: no code, no tables, no short cuts. When the two differ, one is wrong.

    oracle.py [--all-snapshots] [--snapshot X]... IMAGE...   print the expected document
    oracle.py --compare IMAGE OURS.json                      compare with one document of the program's
    oracle.py --compare-all LISTFILE                         the same for lines of IMAGE<TAB>OURS.json

For a comparison OURS.json is what `qcow2frag --json --all-snapshots IMAGE` printed (give --snapshot X
or --space here when it was given there). One line per difference, exit status 1 if there is any.

It never looks at host extents or backing files, and it never writes. Refcounts are for --space alone,
which space.py beside this file works out.
"""

import argparse
import json
import os
import struct
import sys
from collections import Counter
from typing import NamedTuple, Optional, Tuple

KIB = 1024
MIB = 1024 * KIB

SECTOR = 512
NEAR_JUMP_MAX = 512 * KIB       # a forward jump up to this is also a near jump
REQUEST = MIB                   # the guest reads its disk in requests of this size
L2_CACHE_MAX = 32 * MIB         # QEMU's default for the L2 cache
MAX_CRYPT_CLUSTERS = 32
SMALL_SLICE = 4 * KIB           # bytes of an L2 table that QEMU reads when the cache is too small

L1_MAX_BYTES = 32 * MIB
REFCOUNT_TABLE_MAX_BYTES = 8 * MIB
SNAPSHOTS_MAX = 65536
INT64_MAX = 2**63 - 1

OFFSET_MASK = 0x00fffffffffffe00
COPIED = 1 << 63
COMPRESSED = 1 << 62
ZERO = 1 << 0
L1_RESERVED = 0x7f000000000001ff
L2_RESERVED = 0x3f000000000001fe        # bit 0 is the zero flag; nothing is asked of it in extended L2
SUBCLUSTERS = 32
ALL_ALLOCATED = 0xffffffff

INCOMPATIBLE_DIRTY = 1 << 0
INCOMPATIBLE_CORRUPT = 1 << 1
INCOMPATIBLE_DATA_FILE = 1 << 2
INCOMPATIBLE_COMPRESSION = 1 << 3
INCOMPATIBLE_EXTENDED_L2 = 1 << 4
INCOMPATIBLE_KNOWN = 0x1f
COMPATIBLE_LAZY_REFCOUNTS = 1 << 0
AUTOCLEAR_BITMAPS = 1 << 0
AUTOCLEAR_DATA_FILE_RAW = 1 << 1

EXTENSION_END = 0
EXTENSION_BACKING_FORMAT = 0xe2792aca
EXTENSION_DATA_FILE = 0x44415441
EXTENSION_BITMAPS = 0x23852875
EXTENSION_CRYPTO = 0x0537be77


class Refused(Exception):
    """The image cannot be measured at all."""


def refuse_if(condition, message):
    if condition:
        raise Refused(message)


def round_up(value, unit):
    return (value + unit - 1) // unit * unit


def ceil_div(value, unit):
    return (value + unit - 1) // unit


def power_of_two(value):
    """The bucket of a length or distance: the power of two at or below it; 0 has a bucket of its own."""
    return 0 if value == 0 else 1 << (value.bit_length() - 1)


# ------------------------------------------------------------------------------------------------
# The file: header, extensions, snapshot table
# ------------------------------------------------------------------------------------------------


def overlap(one, other):
    """Do two half-open ranges have a byte in common?"""
    return max(one[0], other[0]) < min(one[1], other[1])


class Snapshot(NamedTuple):
    index: int
    id: str
    name: str
    l1_offset: int
    l1_size: int
    disk_size: int


class Image:
    """What the header says, under the names of the specification, and a way to read the file."""

    def __init__(self, path):
        self.file = open(path, "rb", buffering=0)
        self.file_bytes = os.fstat(self.file.fileno()).st_size
        try:
            self._read_header()
            self._read_extensions()
            self._read_backing_name()
            self._read_snapshots()
        except Exception:
            self.close()
            raise

    def close(self):
        self.file.close()

    def read(self, offset, size):
        """Bytes of the file; past its end there are zeros, as QEMU reads it."""
        # A hostile offset would not even fit the system call.
        data = os.pread(self.file.fileno(), size, offset) if offset < self.file_bytes else b""
        while len(data) < min(size, self.file_bytes - offset):
            more = os.pread(self.file.fileno(), size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data + bytes(size - len(data))

    def _read_header(self):
        head = self.read(0, 112)
        refuse_if(head[:4] != b"QFI\xfb", "not a qcow2 file")
        (self.version, self.backing_offset, self.backing_size, self.cluster_bits, self.header_size,
         self.crypt_method, self.l1_size, self.l1_offset, self.refcount_offset, self.refcount_clusters,
         self.snapshot_count, self.snapshots_offset) = struct.unpack(">IQIIQIIQQIIQ", head[4:72])
        refuse_if(self.version not in (2, 3), "unsupported version")
        refuse_if(not 9 <= self.cluster_bits <= 21, "unsupported cluster size")
        self.cluster = 1 << self.cluster_bits
        self._read_header_v3(head)
        self.virtual_bytes = self.header_size // SECTOR * SECTOR    # QEMU counts whole sectors
        self.l2_entry_bytes = 16 if self.extended_l2 else 8
        self.l2_entries = self.cluster // self.l2_entry_bytes
        self._check_header()

    def _read_header_v3(self, head):
        self.incompatible = self.compatible = self.autoclear = 0
        self.refcount_order, self.header_length, self.compression_type = 4, 72, 0
        if self.version == 3:
            (self.incompatible, self.compatible, self.autoclear,
             self.refcount_order, self.header_length) = struct.unpack(">QQQII", head[72:104])
            refuse_if(not 104 <= self.header_length <= self.cluster, "bad header length")
            if self.header_length > 104:
                self.compression_type = head[104]
        self.extended_l2 = bool(self.incompatible & INCOMPATIBLE_EXTENDED_L2)
        self.has_data_file = bool(self.incompatible & INCOMPATIBLE_DATA_FILE)

    def _check_header(self):
        refuse_if(self.incompatible & ~INCOMPATIBLE_KNOWN, "unknown incompatible feature")
        refuse_if(self.extended_l2 and self.cluster_bits < 14, "subclusters too small")
        refuse_if(self.compression_type > 1 or
                  bool(self.compression_type) != bool(self.incompatible & INCOMPATIBLE_COMPRESSION),
                  "bad compression type")
        refuse_if(self.refcount_order > 6, "bad refcount width")
        refuse_if(self.crypt_method > 2, "unknown encryption")
        refuse_if(self.autoclear & AUTOCLEAR_DATA_FILE_RAW and not self.has_data_file,
                  "raw data file without a data file")
        self._check_table(self.refcount_offset, self.refcount_clusters * self.cluster,
                          REFCOUNT_TABLE_MAX_BYTES, "refcount table")
        self._check_table(self.l1_offset, self.l1_size * 8, L1_MAX_BYTES, "L1 table")
        refuse_if(self.l1_size < self.l1_entries_for(self.header_size), "L1 table too small")
        if self.l1_size > 0:
            refuse_if(self.l1_offset == 0, "L1 table over the header")
            refuse_if(self.l1_offset + self.l1_size * 8 > self.file_bytes, "L1 table past the end")
        refuse_if(self.snapshot_count > SNAPSHOTS_MAX, "too many snapshots")
        refuse_if(self.snapshots_offset % self.cluster, "snapshot table not aligned")
        refuse_if(self.snapshots_offset > INT64_MAX, "snapshot table at a bad offset")
        refuse_if(self.has_data_file and self.snapshot_count, "snapshots with a data file")

    def _check_table(self, offset, size, most, what):
        refuse_if(size > most, what + " too large")
        refuse_if(offset % self.cluster or offset + size > INT64_MAX, what + " at a bad offset")

    def l1_entries_for(self, disk_size):
        return ceil_div(ceil_div(disk_size, self.cluster), self.l2_entries)

    def _read_extensions(self):
        self.backing_format = self.data_file = None
        self.bitmap_count = 0
        self.bitmaps_known = True
        self.bitmap_directory = self.luks_header = (0, 0)
        end = self.backing_offset or self.cluster
        refuse_if(end > self.cluster, "backing file name outside the first cluster")
        offset = self.header_length
        while offset < end:
            magic, size = struct.unpack(">II", self.read(offset, 8))
            offset += 8
            if magic == EXTENSION_END:
                break
            refuse_if(offset > end or size > end - offset, "header extension too large")
            self._take_extension(magic, self.read(offset, size))
            offset += round_up(size, 8)

    def _take_extension(self, magic, data):
        # Of several of a kind the last one counts, as in QEMU.
        if magic == EXTENSION_BACKING_FORMAT:
            self.backing_format = text(data) or None
        elif magic == EXTENSION_DATA_FILE and self.has_data_file:
            self.data_file = text(data) or None
        elif magic == EXTENSION_BITMAPS and self.autoclear & AUTOCLEAR_BITMAPS:
            count, reserved, size, offset = struct.unpack(">IIQQ", data) if len(data) == 24 else (0, 0, 0, 0)
            self.bitmaps_known = False
            if (1 <= count <= 65535 and reserved == 0 and 1 <= size <= 1024 * 65535 and offset != 0 and
                    offset % self.cluster == 0 and offset + size <= self.file_bytes):
                self.bitmap_count, self.bitmap_directory = count, (offset, size)
                self.bitmaps_known = True
        elif magic == EXTENSION_CRYPTO and self.crypt_method == 2 and len(data) == 16:
            offset, size = struct.unpack(">QQ", data)
            if offset != 0 and offset % self.cluster == 0 and size >= 592 and offset + size <= self.file_bytes:
                self.luks_header = (offset, size)

    def _read_backing_name(self):
        self.backing_file = None
        if self.backing_offset:
            refuse_if(self.backing_size > min(1023, self.cluster - self.backing_offset),
                      "backing file name too long")
            self.backing_file = text(self.read(self.backing_offset, self.backing_size)) or None

    def _read_snapshots(self):
        """Those that can be read: the table may end, or lie, where no more of it can be known."""
        self.snapshots = []
        offset = self.snapshots_offset
        while len(self.snapshots) < self.snapshot_count and 0 < offset < self.file_bytes:
            after = self._read_snapshot(offset)
            if after is None:
                break
            offset = round_up(after, 8)
        if self.snapshot_count and overlap((self.snapshots_offset, offset),
                                           (self.l1_offset, self.l1_offset + self.l1_size * 8)):
            self.snapshots, offset = [], self.snapshots_offset
        self.snapshot_table_end = offset
        self.all_snapshots_known = len(self.snapshots) == self.snapshot_count
        self._judge_snapshot_tables()

    def _judge_snapshot_tables(self):
        """A snapshot's L1 must be one, and lie on no other: neither the active one nor an earlier one.

        To be the same as another is odd, but can be read; more than sixteen of one are refused."""
        self.bad_snapshots = {s for s in self.snapshots if l1_is_bad(self, snapshot_table(s))}
        active = (self.l1_offset, self.l1_offset + self.l1_size * 8)
        placed = sorted(((s.l1_offset, s.l1_offset + s.l1_size * 8), number) for number, s in enumerate(self.snapshots)
                        if s not in self.bad_snapshots and s.l1_size)
        earlier, sharers = [], 0
        for place, number in placed:
            sharers = sharers + 1 if earlier and place == earlier[-1] else 0
            on_active = overlap(place, active)
            fine = place == active if on_active else all(place == e or not overlap(place, e) for e in earlier)
            if not fine or sharers >= 16:
                self.bad_snapshots.add(self.snapshots[number])
            earlier.append(place)

    def _read_snapshot(self, offset):
        """Takes an entry, and says where it ends; None if it is not all there."""
        if offset + 40 > self.file_bytes:
            return None
        (l1_offset, l1_size, id_size, name_size, _, _, _, _, extra_size) = struct.unpack(
            ">QIHHIIQII", self.read(offset, 40))
        body_size = extra_size + id_size + name_size
        end = offset + 40 + body_size
        if end - self.snapshots_offset > 64 << 20 or end > self.file_bytes:
            return None
        body = self.read(offset + 40, body_size)
        extra, names = body[:extra_size], body[extra_size:]
        # Old snapshots do not say how large the disk was: then it was as large as it is now.
        disk_size = self.virtual_bytes
        if extra_size >= 16:
            # Whole sectors here too: the rule is written for the header, and QEMU counts in sectors.
            noted = struct.unpack(">Q", extra[8:16])[0] // SECTOR * SECTOR
            if self.l1_entries_for(noted) <= L1_MAX_BYTES // 8:
                disk_size = noted
        self.snapshots.append(Snapshot(len(self.snapshots), text(names[:min(id_size, 127)]),
                                       text(names[id_size:][:255]), l1_offset, l1_size, disk_size))
        return end

    def find_overlaps(self, tables):
        """Before the walk: where L2 tables must not lie, and which are named at several L1 indices."""
        self.repeated = set()
        self.metadata = list(metadata_extents(self))
        self.metadata += list(refcount_extents(self, self.metadata))
        indices = {}
        for table in tables:
            clusters = ceil_div(table.disk_size, self.cluster)
            needed = table.l1_size if table.snapshot is None else ceil_div(clusters, self.l2_entries)
            for index, entry in nonzero_l1_entries(self, table.l1_offset, min(table.l1_size, needed)):
                indices.setdefault(entry & OFFSET_MASK, set()).add(index)
        self.repeated = {offset for offset, at in indices.items() if len(at) > 1}

    def rejects(self, l2_offset):
        """A table on other metadata is none; one named twice cannot be, where each place is fixed."""
        place = (l2_offset, l2_offset + self.cluster)
        return (any(overlap(place, extent) for extent in self.metadata) or
                (self.has_data_file and l2_offset in self.repeated))

    def format(self):
        """The "format" object."""
        return {
            "version": self.version,
            "cluster_bytes": self.cluster,
            "virtual_bytes": self.virtual_bytes,
            "file_bytes": self.file_bytes,
            "refcount_bits": 1 << self.refcount_order,
            "extended_l2": self.extended_l2,
            "compression": ("zlib", "zstd")[self.compression_type],
            "encryption": ("none", "aes", "luks")[self.crypt_method],
            "backing_file": self.backing_file,
            "backing_format": self.backing_format,
            "data_file": self.data_file,
            "data_file_raw": bool(self.autoclear & AUTOCLEAR_DATA_FILE_RAW),
            "lazy_refcounts": bool(self.compatible & COMPATIBLE_LAZY_REFCOUNTS),
            "dirty": bool(self.incompatible & INCOMPATIBLE_DIRTY),
            "corrupt": bool(self.incompatible & INCOMPATIBLE_CORRUPT),
            "snapshot_count": self.snapshot_count,
            "bitmap_count": self.bitmap_count,
            "l1_entries": self.l1_size,
            "l2_tables": self.l2_tables(),
            "l2_bytes": self.l2_tables() * self.cluster,
            "l2_cache_bytes": self.l2_cache_bytes(),
        }

    def l2_tables(self):
        """L2 tables that the active L1 names and that can be read: of the whole L1, the VM state's too."""
        entries = nonzero_l1_entries(self, self.l1_offset, self.l1_size)
        return sum(1 for _, entry in entries if decode_l1_entry(self, entry)[0])

    def l2_cache_bytes(self):
        clusters = ceil_div(self.virtual_bytes, self.cluster)
        return round_up(clusters * self.l2_entry_bytes, self.cluster)

    def slice_guest_bytes(self):
        """Guest bytes behind one L2 slice, the part of an L2 table that QEMU loads at a time."""
        # QEMU sizes its cache by the image's current size when it opens it, so a snapshot of another
        # size is read with the same slices.
        small = self.l2_cache_bytes() > L2_CACHE_MAX
        slice_bytes = min(self.cluster, SMALL_SLICE) if small else self.cluster
        return slice_bytes // self.l2_entry_bytes * self.cluster

    def longest_read(self):
        """What is encrypted goes through a buffer of 32 clusters."""
        return min(REQUEST, MAX_CRYPT_CLUSTERS * self.cluster) if self.crypt_method else REQUEST


def text(data):
    """A name in the file: a NUL, and each byte that is not UTF-8, is a U+FFFD."""
    name = data.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if c == "\0" or 0xdc80 <= ord(c) <= 0xdcff else c for c in name)


# ------------------------------------------------------------------------------------------------
# Entries: what one 64-bit word (or two) means
# ------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A mapped cluster. `data` is None, or in extended L2 the guest ranges of allocated subclusters."""
    guest: int
    position: int
    end: int
    compressed: bool
    data: Optional[Tuple[Tuple[int, int], ...]] = None


class Entry(NamedTuple):
    """An L2 entry, decoded. Nothing but `corrupt` is set when it is skipped."""
    piece: Optional[Piece] = None
    zero: bool = False
    zero_allocated: bool = False
    corrupt: bool = False


UNALLOCATED = Entry()
SKIPPED = Entry(corrupt=True)


def past_the_end(image, end):
    """QEMU's rule: the last cluster of a file may be half written, a whole missing one is damage."""
    return end - image.file_bytes >= image.cluster


def decode_l1_entry(image, entry):
    """(offset of the L2 table or 0, is the entry damaged). A table that cannot be one is not read."""
    offset = entry & OFFSET_MASK
    if offset == 0:
        return 0, entry != 0
    if offset % image.cluster or offset + image.cluster > image.file_bytes or image.rejects(offset):
        return 0, True
    return offset, bool(entry & L1_RESERVED)


def compressed_range(image, entry):
    """(first byte, end of the last sector) of the data of a compressed cluster."""
    offset_bits = 62 - (image.cluster_bits - 8)
    offset = entry & ((1 << offset_bits) - 1)
    more_sectors = (entry >> offset_bits) & ((1 << (image.cluster_bits - 8)) - 1)
    return offset, offset // SECTOR * SECTOR + (more_sectors + 1) * SECTOR


def decode_compressed(image, guest, entry, bitmap):
    if image.has_data_file or bitmap:
        return SKIPPED
    position, end = compressed_range(image, entry)
    # An offset past bit 55 is past the end of any file, too.
    if position < image.cluster or position >= image.file_bytes or past_the_end(image, end):
        return SKIPPED
    # COPIED has no business here, but does no harm to the decoding.
    return Entry(piece=Piece(guest, position, end, True), corrupt=bool(entry & COPIED))


def host_offset_is_bad(image, guest, offset):
    if image.has_data_file:
        return offset != guest      # the data file is not opened, so its length is not asked
    return bool(offset % image.cluster) or past_the_end(image, offset + image.cluster)


def decode_standard(image, guest, entry):
    offset = entry & OFFSET_MASK
    corrupt = bool(entry & L2_RESERVED)
    zero = bool(entry & ZERO)
    if zero and image.version < 3:
        return SKIPPED
    if offset == 0 and (zero or not (image.has_data_file and entry & COPIED)):
        # The zero flag comes first, as in QEMU: in a data file, offset 0 with both flags keeps nothing.
        return Entry(zero=zero, corrupt=corrupt)
    if host_offset_is_bad(image, guest, offset):
        return SKIPPED
    if zero:
        return Entry(zero=True, zero_allocated=True, corrupt=corrupt)
    return Entry(piece=Piece(guest, offset, offset + image.cluster, False), corrupt=corrupt)


def allocated_ranges(image, guest, allocated):
    """Guest ranges of the subclusters whose bit is set, neighbours joined."""
    size = image.cluster // SUBCLUSTERS
    ranges = []
    for index in range(SUBCLUSTERS):
        if not allocated >> index & 1:
            continue
        start = guest + index * size
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], start + size)
        else:
            ranges.append((start, start + size))
    return tuple(ranges)


def decode_extended(image, guest, entry, bitmap):
    offset = entry & OFFSET_MASK
    allocated, zeros = bitmap & ALL_ALLOCATED, bitmap >> 32
    corrupt = bool(entry & L2_RESERVED)
    has_host = offset != 0 or bool(image.has_data_file and entry & COPIED)
    if allocated and not has_host or allocated & zeros:
        return SKIPPED
    if has_host and host_offset_is_bad(image, guest, offset):
        return SKIPPED
    if allocated:
        ranges = allocated_ranges(image, guest, allocated)
        return Entry(piece=Piece(guest, offset, offset + image.cluster, False, ranges), corrupt=corrupt)
    if zeros:
        return Entry(zero=True, zero_allocated=has_host, corrupt=corrupt)
    return Entry(corrupt=corrupt)


def decode_l2_entry(image, guest, entry, bitmap):
    if entry & COMPRESSED:
        return decode_compressed(image, guest, entry, bitmap)
    if image.extended_l2:
        return decode_extended(image, guest, entry, bitmap)
    return decode_standard(image, guest, entry)


# ------------------------------------------------------------------------------------------------
# Tables: the entries of one L1, in guest order
# ------------------------------------------------------------------------------------------------


def nonzero_numbers(data, size=8):
    """(index, number) of the big-endian numbers of so many bytes that are not zero: most of most tables are."""
    form = {1: ">B", 2: ">H", 4: ">I", 8: ">Q"}[size]
    for start in range(0, len(data), 512):
        part = data[start:start + 512]
        if part.count(0) == len(part):
            continue
        for index, (number,) in enumerate(struct.iter_unpack(form, part), start // size):
            if number:
                yield index, number


def nonzero_l1_entries(image, l1_offset, count):
    """(index, entry) of the entries that are not zero. An empty disk of 2 EiB has four million others."""
    step = 64 * KIB
    for start in range(0, count * 8, step):
        data = image.read(l1_offset + start, min(step, count * 8 - start))
        if data.count(0) == len(data):
            continue
        for index, entry in nonzero_numbers(data):
            yield start // 8 + index, entry


def nonzero_l2_entries(image, l2_offset):
    """(index, entry, bitmap) of one L2 table; the bitmap is 0 in a standard table."""
    data = image.read(l2_offset, image.cluster)
    if data.count(0) == len(data):
        return
    if image.extended_l2:
        for index, (entry, bitmap) in enumerate(struct.iter_unpack(">QQ", data)):
            if entry or bitmap:
                yield index, entry, bitmap
    else:
        for index, entry in nonzero_numbers(data):
            yield index, entry, 0


def metadata_extents(image):
    """(begin, end) of all metadata but L2 tables, as far as they make sense."""
    yield 0, image.cluster
    yield image.l1_offset, image.l1_offset + image.l1_size * 8
    yield image.snapshots_offset, image.snapshot_table_end
    yield image.bitmap_directory[0], sum(image.bitmap_directory)
    yield image.luks_header[0], sum(image.luks_header)
    for snapshot in image.snapshots:
        if snapshot not in image.bad_snapshots:
            yield snapshot.l1_offset, snapshot.l1_offset + snapshot.l1_size * 8
    yield from bitmap_table_extents(image)


def refcount_extents(image, others):
    """The refcount table and its blocks; but of a table that lies on something else, nothing is believed."""
    table = (image.refcount_offset, image.refcount_offset + image.refcount_clusters * image.cluster)
    if table[0] == 0 or table[1] > image.file_bytes or any(overlap(table, other) for other in others):
        return
    yield table
    for _, entry in nonzero_numbers(image.read(table[0], table[1] - table[0])):
        block = entry & ~511
        if 0 < block < image.file_bytes and block % image.cluster == 0:
            yield block, block + image.cluster


def bitmap_table_extents(image):
    """The tables that the directory lists, up to its first entry that QEMU would refuse.

    `image.bitmaps_known` turns false if it has such an entry, or does not end with the last one."""
    offset, left = image.bitmap_directory
    for _ in range(image.bitmap_count):
        if left < 24:
            image.bitmaps_known = False
            return
        table, entries, flags, kind, granularity, name, extra = struct.unpack(">QIIBBHI", image.read(offset, 24))
        fits = entries * image.cluster * 8 << granularity >= image.virtual_bytes
        if (table == 0 or table % image.cluster or not 1 <= entries <= 1 << 27 or entries * image.cluster > 512 << 20 or
                not 9 <= granularity <= 31 or flags & ~3 or kind != 1 or not 1 <= name <= 1023 or extra or
                not (fits or flags & 1) or table + entries * 8 > image.file_bytes):
            image.bitmaps_known = False
            return
        yield table, table + entries * 8
        size = round_up(24 + name, 8)
        offset, left = offset + size, left - size
    image.bitmaps_known = image.bitmaps_known and left == 0


class Table(NamedTuple):
    """What is walked: the active L1 (snapshot None) or a snapshot's."""
    snapshot: Optional[Snapshot]
    l1_offset: int
    l1_size: int
    disk_size: int


def active_table(image):
    return Table(None, image.l1_offset, image.l1_size, image.virtual_bytes)


def snapshot_table(snapshot):
    return Table(snapshot, snapshot.l1_offset, snapshot.l1_size, snapshot.disk_size)


def l1_is_bad(image, table):
    """A snapshot's L1 is first looked at when it is used. The active one was judged with the header."""
    if table.l1_size == 0:
        return False
    size = table.l1_size * 8
    return (table.l1_offset % image.cluster != 0 or table.l1_offset == 0 or size > L1_MAX_BYTES or
            table.l1_offset + size > image.file_bytes)


def walk(image, table, count, part=None):
    """The mapped clusters as Pieces, in guest order; counts what is not one of them into `count`.

    It ends with the last cluster of the disk, and so never comes to the VM state. `part`: only clusters
    that (first byte, end) of the guest disk touches.
    """
    clusters, first = ceil_div(table.disk_size, image.cluster), 0
    if part:
        first, clusters = part[0] // image.cluster, min(clusters, ceil_div(part[1], image.cluster))
    l1_entries = min(table.l1_size, ceil_div(clusters, image.l2_entries))
    for l1_index, l1_entry in nonzero_l1_entries(image, table.l1_offset, l1_entries):
        if (l1_index + 1) * image.l2_entries <= first:
            continue
        l2_offset, damaged = decode_l1_entry(image, l1_entry)
        count["corrupt_entries"] += damaged
        if l2_offset == 0:
            continue
        for l2_index, word, bitmap in nonzero_l2_entries(image, l2_offset):
            cluster_index = l1_index * image.l2_entries + l2_index
            if cluster_index < first:
                continue
            if cluster_index >= clusters:
                break
            entry = decode_l2_entry(image, cluster_index * image.cluster, word, bitmap)
            count["corrupt_entries"] += entry.corrupt
            count["zero_clusters"] += entry.zero
            count["zero_allocated_clusters"] += entry.zero_allocated
            if entry.piece:
                yield entry.piece


# ------------------------------------------------------------------------------------------------
# Figures: from Pieces alone
# ------------------------------------------------------------------------------------------------


def piece_bytes(piece, cluster):
    """Guest bytes this file holds: a cluster, or its allocated subclusters."""
    if piece.data is None:
        return cluster
    return sum(stop - start for start, stop in piece.data)


def is_contiguous(previous, piece, cluster):
    if previous.compressed or piece.compressed:
        # No equality is asked here, so neither is the hole in step looked at.
        return (piece.position > previous.position and
                piece.position >= previous.end - SECTOR and
                piece.position <= round_up(previous.end, cluster))
    guest_gap = piece.guest - (previous.guest + cluster)
    host_gap = piece.position - previous.end
    return host_gap == 0 or host_gap == guest_gap


class Figures:
    """The walk's own figures. Give it the pieces in guest order, then ask for the result."""

    def __init__(self, cluster, disk_size, slice_guest_bytes, longest_read=REQUEST):
        self.cluster = cluster
        self.previous = None
        self.mapped_clusters = self.mapped_bytes = self.compressed_clusters = 0
        self.near_jumps = 0
        self.distances = {"backward": [], "forward": []}    # of every jump, one by one
        self.runs = []                                      # the length of every contiguous run
        self.reads = ReadSplit(cluster, disk_size, slice_guest_bytes, longest_read)

    def add(self, piece):
        size = piece_bytes(piece, self.cluster)
        is_break = self.previous is not None and not is_contiguous(self.previous, piece, self.cluster)
        if is_break:
            self._add_jump(piece)
        if is_break or self.previous is None:
            self.runs.append(0)
        self.runs[-1] += size
        self.mapped_clusters += 1
        self.mapped_bytes += size
        self.compressed_clusters += piece.compressed
        self.reads.add(piece, is_break)
        self.previous = piece

    def _add_jump(self, piece):
        distance = abs(piece.position - self.previous.end)
        if piece.position <= self.previous.position:
            self.distances["backward"].append(distance)
            return
        self.distances["forward"].append(distance)
        self.near_jumps += distance <= NEAR_JUMP_MAX

    def result(self):
        backward, forward = self.distances["backward"], self.distances["forward"]
        ascending_runs = len(backward) + 1 if self.mapped_clusters else 0
        return {
            "mapped_clusters": self.mapped_clusters,
            "mapped_bytes": self.mapped_bytes,
            "compressed_clusters": self.compressed_clusters,
            "backward_steps": len(backward),
            "forward_jumps": len(forward),
            "near_jumps": self.near_jumps,
            "file_switches": 0,     # there is only one file here
            "breaks": len(backward) + len(forward),
            "backward_jump_mean_bytes": ratio(sum(backward), len(backward)),
            "forward_jump_mean_bytes": ratio(sum(forward), len(forward)),
            "jump_histogram": jump_histogram(backward, forward),
            "fragmentation_score": ratio(len(backward), self.mapped_clusters),
            "ascending_runs": ascending_runs,
            "ascending_run_mean_bytes": ratio(self.mapped_bytes, ascending_runs),
            "contiguous_runs": len(self.runs),
            "contiguous_run_mean_bytes": ratio(self.mapped_bytes, len(self.runs)),
            "contiguous_run_half_bytes": half_length(self.runs),
            "contiguous_run_max_bytes": max(self.runs) if self.runs else None,
            "run_histogram": run_histogram(self.runs),
            "read_split": self.reads.result(),
        }


def ratio(part, whole):
    return part / whole if whole else None


def half_length(runs):
    """N50: the largest L such that runs of at least L hold at least half of the bytes."""
    total, held = sum(runs), 0
    for length in sorted(runs, reverse=True):
        held += length
        if 2 * held >= total:
            return length
    return None


def jump_histogram(backward, forward):
    counts_backward = Counter(power_of_two(distance) for distance in backward)
    counts_forward = Counter(power_of_two(distance) for distance in forward)
    return [{"from_bytes": bucket, "backward": counts_backward[bucket], "forward": counts_forward[bucket]}
            for bucket in sorted(set(counts_backward) | set(counts_forward))]


def run_histogram(runs):
    counts, sums = Counter(), Counter()
    for length in runs:
        counts[power_of_two(length)] += 1
        sums[power_of_two(length)] += length
    return [{"from_bytes": bucket, "runs": counts[bucket], "bytes": sums[bucket]}
            for bucket in sorted(counts)]


class ReadSplit:
    """Data reads for the whole guest disk, with the breaks and without them."""

    def __init__(self, cluster, disk_size, slice_guest_bytes, longest=REQUEST):
        self.cluster = cluster
        self.disk_size = disk_size
        self.slice_guest_bytes = slice_guest_bytes
        self.longest = longest          # of a read
        self.reads = self.reads_without_breaks = 0
        self.open_read_end = None       # guest address where the last read ends, if it can still grow
        self.begin = self.begin_without_breaks = None   # where it began

    def add(self, piece, is_break):
        if piece.compressed:
            # One read for each request that wants a part of it: no decompressed cluster is kept.
            requests = len(range(piece.guest, min(piece.guest + self.cluster, self.disk_size), REQUEST))
            self.reads += requests
            self.reads_without_breaks += requests
            self.open_read_end = None
            return
        for start, stop in self._data(piece):
            self._add_range(start, stop, is_break)
            is_break = False            # the break lies before the cluster, once

    def _data(self, piece):
        """Guest ranges of the piece's data, none past the end of the disk: nobody asks for those."""
        whole = ((piece.guest, piece.guest + self.cluster),)
        for start, stop in whole if piece.data is None else piece.data:
            if start < self.disk_size:
                yield start, min(stop, self.disk_size)

    def _add_range(self, start, stop, is_break):
        while start < stop:
            goes_on = (start == self.open_read_end and start % REQUEST != 0 and
                       start % self.slice_guest_bytes != 0)
            if is_break or not goes_on or start - self.begin == self.longest:
                self.reads += 1
                self.begin = start
            if not goes_on or start - self.begin_without_breaks == self.longest:
                self.reads_without_breaks += 1
                self.begin_without_breaks = start
            border = start // REQUEST * REQUEST + REQUEST
            end = min(stop, border, self.begin + self.longest, self.begin_without_breaks + self.longest)
            self.open_read_end = end
            start, is_break = end, False

    def result(self):
        return ratio(self.reads, self.reads_without_breaks)


# ------------------------------------------------------------------------------------------------
# qemu-img check's own percentages
# ------------------------------------------------------------------------------------------------


def qemu_img_check(image):
    """The counters behind qemu-img check's last line: the whole active L1, begun anew for each L2 table.

    Damaged entries are counted as qemu-img counts them, by their type alone; but nothing is read below
    an L1 entry that cannot be one.
    """
    allocated = fragmented = compressed = 0
    for _, l1_entry in nonzero_l1_entries(image, image.l1_offset, image.l1_size):
        l2_offset, _ = decode_l1_entry(image, l1_entry)
        if l2_offset == 0:
            continue
        expected = 0
        for _, entry, bitmap in nonzero_l2_entries(image, l2_offset):
            if entry & COMPRESSED:
                if not image.has_data_file and not bitmap:
                    allocated += 1
                    compressed += 1
                    fragmented += 1
            elif check_counts_standard(image, entry):
                offset = entry & OFFSET_MASK
                allocated += 1
                fragmented += expected != 0 and offset != expected
                expected = offset + image.cluster
    return {
        "allocated_clusters": allocated,
        "total_clusters": ceil_div(image.virtual_bytes, image.cluster),
        "fragmented_clusters": fragmented,
        "compressed_clusters": compressed,
    }


def check_counts_standard(image, entry):
    """Normal and zero clusters with a host cluster; in extended L2 the bitmap is not asked."""
    if entry & OFFSET_MASK:
        return True
    zero_flag = entry & ZERO and not image.extended_l2
    return bool(image.has_data_file and entry & COPIED and not zero_flag)


# ------------------------------------------------------------------------------------------------
# The document
# ------------------------------------------------------------------------------------------------

TABLE_KEYS = (
    "snapshot", "chain_depth", "virtual_bytes",
    "mapped_clusters", "mapped_bytes", "compressed_clusters", "zero_clusters", "zero_allocated_clusters",
    "corrupt_entries",
    "backward_steps", "forward_jumps", "near_jumps", "file_switches", "breaks",
    "backward_jump_mean_bytes", "forward_jump_mean_bytes", "jump_histogram",
    "fragmentation_score", "ascending_runs", "ascending_run_mean_bytes",
    "contiguous_runs", "contiguous_run_mean_bytes", "contiguous_run_half_bytes", "contiguous_run_max_bytes",
    "run_histogram", "read_split", "qemu_img_check",
)


def range_end(part):
    """The first byte and the end of a "range" of the JSON."""
    return part and (part["guest_offset"], part["guest_offset"] + part["length"])


def measure_table(image, table, part=None):
    """One object of "tables"."""
    count = {"zero_clusters": 0, "zero_allocated_clusters": 0, "corrupt_entries": 0}
    figures = Figures(image.cluster, table.disk_size, image.slice_guest_bytes(), image.longest_read())
    for piece in () if table.snapshot in image.bad_snapshots else walk(image, table, count, part):
        figures.add(piece)
    values = figures.result()
    values.update(count)
    snapshot = table.snapshot
    if snapshot in image.bad_snapshots:
        values = dict.fromkeys(values)      # nothing is known of it
    values["snapshot"] = {"id": snapshot.id, "name": snapshot.name} if snapshot else None
    values["chain_depth"] = 1
    values["virtual_bytes"] = table.disk_size
    values["qemu_img_check"] = None if snapshot or part else qemu_img_check(image)
    return {key: values[key] for key in TABLE_KEYS}


def find_snapshot(image, wanted):
    """By id or by name; `id:` and `name:` choose; a text that is one's id and another's name does not."""
    by_id = [s for s in image.snapshots if wanted in (s.id, "id:" + s.id)]
    by_name = [s for s in image.snapshots if wanted in (s.name, "name:" + s.name)]
    found = by_id[:1] + [s for s in by_name[:1] if s not in by_id[:1]]
    refuse_if(not found, "no snapshot " + wanted)
    refuse_if(len(found) > 1, "an id and a name: " + wanted)
    return found[0]


def chosen_tables(image, all_snapshots, wanted):
    if all_snapshots:
        return [active_table(image)] + [snapshot_table(s) for s in image.snapshots]
    if wanted:
        return [snapshot_table(find_snapshot(image, name)) for name in wanted]
    return [active_table(image)]


def measure(path, all_snapshots=False, wanted=(), with_space=False, parts=()):
    """The object of one image; of one that cannot be measured only the path and the error.

    `parts`: (first byte, end) for each table, or None: all of it.
    """
    try:
        image = Image(path)
    except (Refused, OSError) as error:
        return {"path": path, "error": str(error)}
    try:
        tables = chosen_tables(image, all_snapshots, wanted)
        image.find_overlaps([table for table in tables if table.snapshot not in image.bad_snapshots])
        parts = list(parts) + [None] * (len(tables) - len(parts))
        measured = {"path": path, "error": None, "format": image.format(),
                    "tables": [measure_table(image, table, part) for table, part in zip(tables, parts)]}
        if any(parts):
            measured["format"].update(l2_tables=None, l2_bytes=None)
        if with_space:
            measured["space"] = space.expected_space(image)
        return measured
    except (Refused, OSError) as error:
        return {"path": path, "error": str(error)}
    finally:
        image.close()


# ------------------------------------------------------------------------------------------------
# Comparing
# ------------------------------------------------------------------------------------------------

MISSING = object()


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same_value(ours, expected):
    """Doubles within 1e-9 relative; all else exactly, and of the same JSON type."""
    if isinstance(expected, float):
        return is_number(ours) and abs(ours - expected) <= 1e-9 * abs(expected)
    return type(ours) is type(expected) and ours == expected


def differences(key, ours, expected):
    """(path of the key, ours, expected) for each value that differs. Keys we do not compute are free."""
    if isinstance(expected, dict) and isinstance(ours, dict):
        for name in expected:
            inner = key + "." + name if key else name
            yield from differences(inner, ours.get(name, MISSING), expected[name])
    elif isinstance(expected, list) and isinstance(ours, list):
        if len(ours) != len(expected):
            yield key + ".length", len(ours), len(expected)
        for index, (one, other) in enumerate(zip(ours, expected)):
            yield from differences("%s[%d]" % (key, index), one, other)
    elif not same_value(ours, expected):
        yield key, ours, expected


def image_in(document, path):
    """The program's object for this image: the only one, or the one of that path."""
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list):
        return {}
    if len(images) == 1:
        return images[0]
    return next((image for image in images if image.get("path") == path), {})


def compare_image(path, ours, wanted, with_space):
    parts = [range_end(table.get("range")) for table in ours.get("tables") or ()]
    expected = measure(path, not wanted, wanted, with_space, parts)
    ours_failed = ours.get("error", MISSING) is not None
    if ours_failed or expected["error"] is not None:
        # The wording of a refusal is the program's own; that there is one must agree.
        if ours_failed != (expected["error"] is not None):
            yield "error", ours.get("error", MISSING), expected["error"]
        return
    for key in ("format", "tables", "space") if with_space else ("format", "tables"):
        yield from differences(key, ours.get(key, MISSING), expected[key])
    if with_space and ours.get("space") and not space.adds_up(ours["space"], expected["format"]["file_bytes"]):
        yield "space, all together", ours["space"], expected["format"]["file_bytes"]


def shown(value):
    return "missing" if value is MISSING else json.dumps(value)


def compare_pair(path, json_path, prefix, wanted, with_space):
    """Print the differences of one image; how many there were."""
    try:
        with open(json_path, encoding="utf-8") as file:
            ours = image_in(json.load(file), path)
    except (OSError, ValueError) as error:
        print("%s%s: %s" % (prefix, json_path, error))
        return 1
    count = 0
    for key, one, other in compare_image(path, ours, wanted, with_space):
        print("%s%s: ours %s, expected %s" % (prefix, key, shown(one), shown(other)))
        count += 1
    return count


def compare_list(list_path, wanted, with_space):
    count = 0
    with open(list_path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.strip():
                path, json_path = line.rstrip("\n").split("\t")
                count += compare_pair(path, json_path, path + ": ", wanted, with_space)
    return count


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description="An independent measure of qcow2 images.")
    parser.add_argument("--all-snapshots", action="store_true", help="the active table, then every snapshot")
    parser.add_argument("--snapshot", action="append", default=[], metavar="X", help="only this snapshot")
    parser.add_argument("--space", action="store_true", help="also who owns the space of the file")
    parser.add_argument("--compare", nargs=2, metavar=("IMAGE", "OURS.json"))
    parser.add_argument("--compare-all", metavar="LISTFILE")
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    arguments = parser.parse_args(argv)
    jobs = bool(arguments.compare) + bool(arguments.compare_all) + bool(arguments.images)
    if jobs != 1:
        parser.error("give images, or --compare, or --compare-all")
    return arguments


def main(argv):
    arguments = parse_arguments(argv)
    sys.stdout.reconfigure(errors="backslashreplace")     # a path may be no UTF-8
    if arguments.compare:
        return 1 if compare_pair(*arguments.compare, "", arguments.snapshot, arguments.space) else 0
    if arguments.compare_all:
        return 1 if compare_list(arguments.compare_all, arguments.snapshot, arguments.space) else 0
    images = [measure(path, arguments.all_snapshots, arguments.snapshot, arguments.space)
              for path in arguments.images]
    json.dump({"images": images}, sys.stdout, indent=2)
    print()
    return 1 if any(image["error"] for image in images) else 0


if __name__ == "__main__":
    sys.modules["oracle"] = sys.modules["__main__"]     # space.py asks for it by this name
import space    # noqa: E402  it needs all of the above

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

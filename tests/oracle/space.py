#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who owns the clusters of an image file, worked out the slow way: the witness for --space.

Every reference is followed and counted, cluster by cluster, in dictionaries; each refcount that is not 0
is picked out of its block; and what deleting a snapshot frees is found by taking its references
away. It shares nothing with the program; header, tables and entries come from oracle.py. It does not
ask how much of the file the host stores, which changes while the host writes it back.

    space.py IMAGE...            print the expected "space" of each
    space.py --used IMAGE        how many clusters have a refcount above 0
"""

import json
import struct
import sys
from collections import Counter

import oracle
from oracle import ceil_div, power_of_two

SNAPSHOT_ENTRY_BYTES = 40
SNAPSHOT_EXTRA_WRITTEN = 24     # QEMU's own, at least
SNAPSHOT_EXTRA_KEPT = 1024      # at most
BITMAP_RESERVED = 0xff000000000001fe
CLASSES = ("metadata", "active", "vm_state", "snapshot_only")   # the first that applies


class Refcounts:
    """The image's own account. `believed`: the table and all its blocks are where they can be."""

    def __init__(self, image, others):
        self.bits = 1 << image.refcount_order
        self.per_block = image.cluster * 8 // self.bits
        self.table = (image.refcount_offset, image.refcount_offset + image.refcount_clusters * image.cluster)
        self.blocks = {}        # number of a block: its offset
        self.counts = {}        # cluster: refcount, where it is not 0
        self.readable = (self.table[0] != 0 and self.table[0] < self.table[1] <= image.file_bytes and
                         not any(oracle.overlap(self.table, other) for other in others))
        self.believed = self.readable
        if self.readable:
            self._read_table(image, others)
            self._read_blocks(image)

    def _read_table(self, image, others):
        named = {}
        for number, entry in oracle.nonzero_numbers(image.read(self.table[0], self.table[1] - self.table[0])):
            block = entry & ~511
            if block == 0:
                continue
            place = (block, block + image.cluster)
            if (block % image.cluster or block >= image.file_bytes or oracle.overlap(place, self.table) or
                    any(oracle.overlap(place, other) for other in others)):
                self._disbelieve(image, number)
            else:
                named.setdefault(block, []).append(number)
        for block, numbers in named.items():
            if len(numbers) == 1:
                self.blocks[numbers[0]] = block
            else:
                for number in numbers:
                    self._disbelieve(image, number)

    def _disbelieve(self, image, number):
        if number * self.per_block <= image.file_bytes // image.cluster:
            self.believed = False

    def _read_blocks(self, image):
        for number, block in self.blocks.items():
            for index, count in self._counts_in(image.read(block, image.cluster)):
                self.counts[number * self.per_block + index] = count

    def _counts_in(self, block):
        """(index, refcount) of those that are not 0."""
        if self.bits >= 8:
            yield from oracle.nonzero_numbers(block, self.bits // 8)
            return
        in_byte = 8 // self.bits
        for index, byte in oracle.nonzero_numbers(block, 1):
            for part in range(in_byte):
                count = byte >> part * self.bits & (1 << self.bits) - 1
                if count:
                    yield index * in_byte + part, count


class Space:
    """References to every cluster: how many, of which class, and from which snapshot."""

    def __init__(self, image):
        self.image = image
        self.tables = [oracle.active_table(image)] + [oracle.snapshot_table(s) for s in image.snapshots
                                                      if s not in image.bad_snapshots]
        others = [extent for extent in oracle.metadata_extents(image) if extent[0] < extent[1]]
        self.refcounts = Refcounts(image, others)
        self.references = Counter()
        self.entries = None     # of the snapshot table
        self.classes = {}
        self.of_snapshot = {table.snapshot: Counter() for table in self.tables if table.snapshot}
        self.metadata = others + self._refcount_extents()
        self.forbidden = others + list(oracle.refcount_extents(image, others))  # to L2 tables
        self.whole = (image.all_snapshots_known and not image.bad_snapshots and
                      not (image.crypt_method == 2 and not image.luks_header[1]))
        self._follow_metadata()
        self.whole = self.whole and image.bitmaps_known
        for table in self.tables:
            self._follow_tables(table)
        for table in self.tables:
            self._follow_entries(table)

    def _refcount_extents(self):
        if not self.refcounts.readable:
            return []
        return [self.refcounts.table] + [(block, block + self.image.cluster) for block in self.refcounts.blocks.values()]

    def _refer(self, begin, end, kind, snapshot):
        for cluster in range(begin // self.image.cluster, (end - 1) // self.image.cluster + 1):
            if kind != "metadata" and self.classes.get(cluster) == "metadata":
                self.whole = False      # that is damage, and told as such
                continue
            self.references[cluster] += 1
            old = self.classes.get(cluster, kind)
            self.classes[cluster] = min(old, kind, key=CLASSES.index)
            if snapshot:
                self.of_snapshot[snapshot][cluster] += 1

    def _follow_metadata(self):
        image = self.image
        for begin, end in self.metadata:
            if begin < end:
                self._refer(begin, end, "metadata", None)
        for table in self.tables[1:]:
            if table.l1_size:
                for cluster in range(table.l1_offset // image.cluster,
                                     (table.l1_offset + table.l1_size * 8 - 1) // image.cluster + 1):
                    self.of_snapshot[table.snapshot][cluster] += 1
        for begin, end in oracle.bitmap_table_extents(image):
            for (entry,) in struct.iter_unpack(">Q", image.read(begin, end - begin)):
                data = entry & oracle.OFFSET_MASK
                if (data and not entry & BITMAP_RESERVED and not entry & 1 and data % image.cluster == 0 and
                        data < image.file_bytes):
                    self._refer(data, data + image.cluster, "metadata", None)
                elif data or entry & BITMAP_RESERVED:
                    self.whole = False

    def _l2_tables(self, table):
        """(L1 index, offset) of the L2 tables that can be read, of the whole L1 table."""
        image = self.image
        for index, entry in oracle.nonzero_l1_entries(image, table.l1_offset, table.l1_size):
            offset = entry & oracle.OFFSET_MASK
            place = (offset, offset + image.cluster)
            if (offset and offset % image.cluster == 0 and place[1] <= image.file_bytes and
                    not any(oracle.overlap(place, extent) for extent in self.forbidden)):
                yield index, offset
            elif offset:
                self.whole = False

    def _follow_tables(self, table):
        for _, offset in self._l2_tables(table):
            self._refer(offset, offset + self.image.cluster, "metadata", table.snapshot)

    def _follow_entries(self, table):
        image = self.image
        if image.has_data_file:
            return
        on_disk = image.l1_entries_for(table.disk_size)
        for l1_index, offset in self._l2_tables(table):
            kind = "vm_state" if l1_index >= on_disk else "snapshot_only" if table.snapshot else "active"
            for _, word, bitmap in oracle.nonzero_l2_entries(image, offset):
                held, certain = held_bytes(image, word, bitmap)
                self.whole = self.whole and certain
                if held:
                    self._refer(*held, kind, table.snapshot)

    # ---- figures ----

    def judged(self):
        return self.refcounts.believed and not self.image.incompatible & oracle.INCOMPATIBLE_DIRTY

    def in_file(self, cluster):
        """Bytes of a cluster that the file has."""
        return max(0, min(self.image.cluster, self.image.file_bytes - cluster * self.image.cluster))

    def result(self):
        image, counts = self.image, self.refcounts.counts
        counted = {cluster for cluster in counts if self.in_file(cluster)}
        last = max(self.references.keys() | counted)
        sums = Counter()
        for cluster, kind in self.classes.items():
            sums[kind] += self.in_file(cluster)
        owned = set(self.references)
        if self.judged():
            leaked = counted - owned
            sums["leaked"] = sum(map(self.in_file, leaked))
            owned |= leaked
        gaps = free_gaps(owned, last)
        free = sum(gaps) * image.cluster
        if last not in owned:
            free -= image.cluster - self.in_file(last)
        tail = max(0, image.file_bytes - (last + 1) * image.cluster)
        return {
            "end_offset_bytes": (last + 1) * image.cluster,
            "active_bytes": sums["active"],
            "metadata_bytes": sums["metadata"],
            "vm_state_bytes": sums["vm_state"],
            "snapshot_only_bytes": sums["snapshot_only"],
            "leaked_bytes": sums["leaked"] if self.judged() and self.whole else None,
            "unknown_bytes": 0 if self.whole else sums["leaked"],
            "free_bytes": free,
            "free_gaps": len(gaps),
            "free_gap_max_bytes": max(gaps) * image.cluster if gaps else None,
            "free_gap_histogram": gap_histogram(gaps, image.cluster),
            "tail_bytes": tail,
            "reclaimable_bytes": free + sums["leaked"] + tail if self.whole else None,
            "snapshots": [{"id": s.id, "name": s.name, "exclusive_bytes": self.exclusive_bytes(s)}
                          for s in image.snapshots],
        }

    def exclusive_bytes(self, snapshot):
        """What is free once the references of this snapshot are taken away."""
        if snapshot not in self.of_snapshot:
            return None
        freed = 0
        for cluster, n in self.of_snapshot[snapshot].items():
            refcount = self.refcounts.counts.get(cluster, 0) if self.judged() else self.references[cluster]
            freed += n == self.references[cluster] == refcount
        freed += self.table_clusters(None) - self.table_clusters(snapshot)
        return max(0, freed) * self.image.cluster

    def written_entries(self):
        """(snapshot, bytes of its entry as QEMU writes it) of each."""
        image, offset = self.image, self.image.snapshots_offset
        for snapshot in image.snapshots:
            offset = oracle.round_up(offset, 8)
            id_size, name_size = struct.unpack(">HH", image.read(offset + 12, 4))
            extra, = struct.unpack(">I", image.read(offset + 36, 4))
            yield snapshot, (SNAPSHOT_ENTRY_BYTES + id_size + name_size +
                             min(max(extra, SNAPSHOT_EXTRA_WRITTEN), SNAPSHOT_EXTRA_KEPT))
            offset += SNAPSHOT_ENTRY_BYTES + extra + id_size + name_size

    def table_clusters(self, without):
        """Clusters of the snapshot table: as it is, or as QEMU writes it without one of them."""
        image = self.image
        if without is None:
            return ceil_div(image.snapshot_table_end - image.snapshots_offset, image.cluster)
        if self.entries is None:
            self.entries = list(self.written_entries())
        size = 0
        for snapshot, entry in self.entries:
            if snapshot is not without:
                size = (size + 7) // 8 * 8 + entry
        return ceil_div(size, image.cluster)


def held_bytes(image, word, bitmap):
    """(begin, end) of what an L2 entry holds, by its type alone, or None; and: is that certain?"""
    if word & oracle.COMPRESSED:
        piece = oracle.decode_compressed(image, 0, word, bitmap).piece
        return ((piece.position, piece.end), True) if piece else (None, False)
    offset = word & oracle.OFFSET_MASK
    begin = offset // image.cluster * image.cluster
    if not offset:
        return None, True
    if begin >= image.file_bytes:
        return None, False
    return (begin, begin + image.cluster), offset == begin


def free_gaps(owned, last):
    """Lengths, in clusters, of the maximal stretches without an owner, up to the last cluster in use."""
    gaps, expected = [], 0
    for cluster in sorted(owned | {last + 1}):
        if cluster > expected:
            gaps.append(cluster - expected)
        expected = cluster + 1
    return gaps


def gap_histogram(gaps, cluster):
    counts, sums = Counter(), Counter()
    for gap in gaps:
        counts[power_of_two(gap)] += 1
        sums[power_of_two(gap)] += gap
    return [{"from_bytes": bucket * cluster, "gaps": counts[bucket], "bytes": sums[bucket] * cluster}
            for bucket in sorted(counts)]


def expected_space(image):
    return Space(image).result()


def adds_up(space, file_bytes):
    """Do the classes and the tail of our own figures make the file?"""
    keys = ("active_bytes", "metadata_bytes", "vm_state_bytes", "snapshot_only_bytes", "leaked_bytes",
            "unknown_bytes", "free_bytes", "tail_bytes")
    return sum(space[key] or 0 for key in keys) == file_bytes


def used_clusters(path):
    image = oracle.Image(path)
    return len(Space(image).refcounts.counts)


def main(argv):
    if argv[:1] == ["--used"]:
        print(used_clusters(argv[1]))
        return 0
    for path in argv:
        json.dump(expected_space(oracle.Image(path)), sys.stdout, indent=2)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

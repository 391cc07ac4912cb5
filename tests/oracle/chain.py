#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of a backing chain, worked out the slowest way: sector by sector.

    chain.py IMAGE                       print the expected tables
    chain.py --compare IMAGE OURS.json   compare with what `qcow2frag --json --chain [-S] IMAGE` printed

Each image is decoded by oracle.py into a map of its own: what it says of each 512-byte sector of the
guest disk. The maps are laid on top of one another, and the result is read from left to right. For
small disks only. One line per difference, exit status 1 if there is any.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
import oracle                                                                               # noqa: E402
from oracle import REQUEST, SECTOR, SUBCLUSTERS, ceil_div, ratio                            # noqa: E402


def sectors(start, stop):
    return range(start // SECTOR, stop // SECTOR)


class Said:
    """What an image says of a sector: data, compressed, zero or damaged; and of which piece it is."""

    def __init__(self, kind, cluster, stretch, position=None, blob=None):
        self.kind = kind            # "data", "compressed", "zero", "damaged"
        self.cluster = cluster      # guest offset of the entry's cluster (or of what an L1 entry maps)
        self.stretch = stretch      # guest offset where the piece of the entry begins
        self.position = position    # data: host offset of the piece's first byte
        self.blob = blob            # compressed: first byte, end, end with padding


class Qcow2Layer:
    def __init__(self, path, image, table):
        self.path, self.image, self.table = path, image, table
        self.disk_size = table.disk_size
        self.said = {}              # sector -> Said
        self.damage = []            # guest ranges of damaged entries: (start, stop)
        self.zero_clusters = {}     # cluster -> keeps a host cluster
        self.hosts = {}             # cluster -> its host cluster, with subclusters, whatever is held
        self.held = 0
        image.find_overlaps([table])
        self._read()

    def slice_guest_bytes(self):
        return self.image.slice_guest_bytes()

    def longest_read(self):
        return self.image.longest_read()

    def _read(self):
        image, table = self.image, self.table
        clusters = ceil_div(table.disk_size, image.cluster)
        span = image.l2_entries * image.cluster
        entries = min(table.l1_size, ceil_div(clusters, image.l2_entries))
        for index, entry in oracle.nonzero_l1_entries(image, table.l1_offset, entries):
            offset, damaged = oracle.decode_l1_entry(image, entry)
            if damaged:
                self.damage.append((index * span, (index + 1) * span))
            if offset == 0:
                if entry & oracle.OFFSET_MASK:      # it points somewhere: the guest gets an error
                    for sector in sectors(index * span, min((index + 1) * span, clusters * image.cluster)):
                        self.said[sector] = Said("damaged", index * span, index * span)
                continue
            for l2_index, word, bitmap in oracle.nonzero_l2_entries(image, offset):
                guest = index * span + l2_index * image.cluster
                if guest < clusters * image.cluster:
                    self._read_entry(guest, word, bitmap)

    def _read_entry(self, guest, word, bitmap):
        image, end = self.image, guest + self.image.cluster
        entry = oracle.decode_l2_entry(image, guest, word, bitmap)
        if entry.corrupt:
            self.damage.append((guest, end))
        if entry == oracle.SKIPPED and self._is_lost(word, bitmap):
            self._say(guest, end, Said("damaged", guest, guest))
        if entry.zero:
            self.zero_clusters[guest] = entry.zero_allocated
        if entry.piece and entry.piece.compressed:
            blob = (entry.piece.position, entry.piece.end, oracle.round_up(entry.piece.end, image.cluster))
            self._say(guest, end, Said("compressed", guest, guest, blob=blob))
            self.held += image.cluster
        elif image.extended_l2 and not word & oracle.COMPRESSED and not entry == oracle.SKIPPED:
            if word & oracle.OFFSET_MASK or image.has_data_file and word & oracle.COPIED:
                self.hosts[guest] = word & oracle.OFFSET_MASK
            self._read_subclusters(guest, word & oracle.OFFSET_MASK, bitmap)
        elif entry.piece:
            self._say(guest, end, Said("data", guest, guest, entry.piece.position))
            self.held += image.cluster
        elif entry.zero:
            self._say(guest, end, Said("zero", guest, guest))

    def _is_lost(self, word, bitmap):
        """Not so an entry that is only odd: reserved bits, but no meaning otherwise."""
        if self.image.extended_l2 or word & oracle.COMPRESSED:
            plain = word & oracle.OFFSET_MASK == 0 and bitmap == 0 and not word & oracle.COMPRESSED
        else:
            plain = word & (oracle.OFFSET_MASK | oracle.ZERO) == 0
        return not plain

    def _read_subclusters(self, guest, host, bitmap):
        size = self.image.cluster // SUBCLUSTERS
        stretch = guest
        for index in range(SUBCLUSTERS):
            kind = "data" if bitmap >> index & 1 else "zero" if bitmap >> 32 + index & 1 else None
            start = guest + index * size
            before = self.said.get(start // SECTOR - 1) if index else None
            if before is None or before.kind != kind:
                stretch = start
            if kind:
                position = host + stretch - guest if kind == "data" else None
                self._say(start, start + size, Said(kind, guest, stretch, position))
                self.held += size if kind == "data" else 0

    def _say(self, start, stop, said):
        for sector in sectors(start, stop):
            self.said[sector] = said

    def look_up(self, sector):
        """What decides where a lookup of QEMU's ends: a kind, and the host offset that must go on."""
        said, guest = self.said.get(sector), sector * SECTOR
        if said is None:
            cluster = guest - guest % self.image.cluster
            host = self.hosts.get(cluster)
            return "below", None if host is None else host + guest - cluster
        if said.kind == "data":
            return said.kind, said.position + guest - said.stretch
        return said.kind, said.cluster if said.kind == "compressed" else None

    def lookup(self, start, stop):
        """How far [start, stop) goes on as it begins, as QEMU finds out at a time."""
        slice_bytes = self.slice_guest_bytes()
        stop = min(stop, start - start % slice_bytes + slice_bytes)
        if self.longest_read() < REQUEST:
            stop = min(stop, start + self.longest_read())
        kind, place = self.look_up(start // SECTOR)
        at = start + SECTOR
        while at < stop:
            if kind not in ("compressed", "zero") and place is not None:
                place += SECTOR
            if self.look_up(at // SECTOR) != (kind, place):
                break
            at += SECTOR
        return kind, at


class RawLayer:
    """Only its length and its holes are asked."""

    def __init__(self, path):
        self.path, self.zero_clusters, self.damage = path, {}, []
        size = os.stat(path).st_size
        self.image = None
        self.disk_size = oracle.round_up(size, SECTOR)
        self.said = {sector: Said("zero", 0, 0) for sector in sectors(0, self.disk_size)}
        self.held = 0
        self.ends = {}              # sector -> bytes of data in it, if it is not whole
        with open(path, "rb") as file:
            at = 0
            while at < size:
                try:
                    at = os.lseek(file.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
                for sector in range(at // SECTOR, ceil_div(hole, SECTOR)):
                    self.said[sector] = Said("data", 0, 0, 0)
                    self.ends[sector] = min(size - sector * SECTOR, SECTOR)
                self.held += hole - at
                at = hole


def open_chain(path, table_of):
    """The layers from the top down. Only what the tests need: recorded formats, plain names."""
    layers = []
    while True:
        image = oracle.Image(path)
        layers.append(Qcow2Layer(path, image, table_of(image) if not layers else oracle.active_table(image)))
        name, format_ = image.backing_file, image.backing_format
        if name is None:
            return layers
        path = os.path.join(os.path.dirname(path), name)
        if format_ == "raw":
            return layers + [RawLayer(path)]


class Composed:
    """Who has which sector, and the counts of what can be seen."""

    def __init__(self, layers, part=None):
        self.layers = layers
        top = layers[0]
        self.begin, end = part or (0, top.disk_size)
        self.begin -= self.begin % top.image.cluster
        self.disk_size = top.disk_size
        self.owner = {}             # sector -> depth
        self.compressed, self.zeros, self.corrupt = set(), {}, 0
        limit = oracle.round_up(min(end, self.disk_size), top.image.cluster)
        self.read_end = min(limit, self.disk_size)
        for depth, layer in enumerate(layers):
            if depth == 1:
                limit = min(limit, self.disk_size)
            if depth > 0:
                limit = min(limit, layer.disk_size)
            self._lay(depth, layer, limit // SECTOR)

    def _lay(self, depth, layer, limit):
        for start, stop in layer.damage:
            self.corrupt += any(s not in self.owner
                                for s in sectors(max(start, self.begin), min(stop, limit * SECTOR)))
        for cluster, allocated in layer.zero_clusters.items():      # any byte of it will do
            if any(s not in self.owner for s in sectors(max(cluster, self.begin),
                                                        min(cluster + layer.image.cluster, limit * SECTOR))):
                self.zeros[depth, cluster] = allocated
        mine = [s for s in layer.said if self.begin <= s * SECTOR < limit * SECTOR and s not in self.owner]
        for sector in mine:
            said = layer.said[sector]
            self.owner[sector] = depth
            if said.kind == "compressed":
                self.compressed.add((depth, said.cluster))

    def pieces(self):
        """(depth, Said, first guest byte, end) of what is mapped, in guest order."""
        piece = None
        for sector in sorted(self.owner):
            depth = self.owner[sector]
            said = self.layers[depth].said[sector]
            start = sector * SECTOR
            size = getattr(self.layers[depth], "ends", {}).get(sector, SECTOR)
            key = (depth, said.kind, said.cluster, said.stretch)
            if piece and piece[0] == key and piece[3] == start:
                piece[3] = start + size
                continue
            if piece and piece[1].kind in ("data", "compressed"):
                yield piece[0][0], piece[1], piece[2], piece[3]
            piece = [key, said, start, start + size]
        if piece and piece[1].kind in ("data", "compressed"):
            yield piece[0][0], piece[1], piece[2], piece[3]


class Last:
    """The last piece of a file: where it began and ended in the file, and on the guest disk."""

    def __init__(self, position, end, padded, guest_end, compressed):
        self.position, self.end, self.padded = position, end, padded
        self.guest_end, self.compressed = guest_end, compressed


def is_contiguous(last, position, guest, compressed):
    if last.compressed or compressed:
        return last.position < position <= last.padded and position >= last.end - SECTOR
    gap = position - last.end
    return gap == 0 or gap == guest - last.guest_end and gap > 0


class Read:
    """A data read of QEMU's: of a guest range, from the image at a depth."""

    def __init__(self, depth, start, stop, compressed, afresh):
        self.depth, self.start, self.stop = depth, start, stop
        self.compressed = compressed
        self.afresh = afresh        # it would begin here without any break, too


class Reads:
    """What QEMU reads for requests of 1 MiB, request by request, as its block layer goes down.

    Each image looks up how far the range goes on as it begins: at most to the border of a slice, of
    an encrypted image 32 clusters. What it does not have becomes a request of its own to the image
    below. A raw image is read through its holes; what has no data at all is not counted.

    Without breaks, what follows on the guest disk goes on in one read, in whatever image it lies:
    but not over a border of requests, and those below begin anew where a lookup above them ended
    between two ranges that it did not have.
    """

    def __init__(self, layers, start, stop):
        self.layers = layers
        self.list = []
        for request in range(start - start % REQUEST, stop, REQUEST):
            self._request(0, max(request, start), min(request + REQUEST, stop), True)
        self.reads = len(self.list)
        self.unbroken = self._count_unbroken()

    def _request(self, depth, start, stop, afresh):
        layer = self.layers[depth]
        stop = min(stop, layer.disk_size)
        if layer.image is None:
            self._read_raw(depth, start, stop, afresh)
            return
        before = None
        while start < stop:
            kind, end = layer.lookup(start, stop)
            afresh = (afresh or start % layer.slice_guest_bytes() == 0 or before == kind == "below")
            if kind == "below" and depth + 1 < len(self.layers):
                self._request(depth + 1, start, end, afresh)
            elif kind in ("data", "compressed"):
                self.list.append(Read(depth, start, end, kind == "compressed", afresh))
            start, before, afresh = end, kind, False

    def _read_raw(self, depth, start, stop, afresh):
        data = [s for s in sectors(start, stop) if self.layers[depth].said[s].kind == "data"]
        if data:
            first, end = data[0] * SECTOR, (data[-1] + 1) * SECTOR
            self.list.append(Read(depth, first, end, False, afresh and first == start))

    def _count_unbroken(self):
        count, end, begin = 0, None, None
        for read in self.list:
            if read.compressed:
                count, end = count + 1, None
                continue
            if end != read.start or read.afresh:
                count, begin = count + 1, read.start
            layer, end = self.layers[read.depth], read.stop
            longest = layer.longest_read() if layer.image and layer.longest_read() < REQUEST else None
            while longest and read.stop - begin > longest:
                count, begin = count + 1, max(begin + longest, read.start)
        return count


class Figures:
    def __init__(self, composed):
        self.composed = composed
        self.last = {}              # depth -> Last
        self.last_depth = None
        self.switches = self.near = self.mapped = 0
        self.backward, self.forward, self.runs, self.run_depths = [], [], [], []
        self.bytes = [0] * len(composed.layers)
        self.reads = Reads(composed.layers, composed.begin, composed.read_end)
        self.pieces = 0
        for piece in composed.pieces():
            self._add(*piece)

    def _begin_run(self, depth):
        self.runs.append(0)
        self.run_depths.append(depth)

    def _add(self, depth, said, start, stop):
        compressed = said.kind == "compressed"
        if compressed:
            position, end, padded = said.blob
        else:
            position = said.position + start - said.stretch
            end = padded = position + stop - start
        if self.last_depth is None:
            self._begin_run(depth)
        elif self.last_depth != depth:
            self.switches += 1
            self._begin_run(depth)
        last = self.last.get(depth)
        if last and not is_contiguous(last, position, start, compressed):
            self._jump(last, position, depth)
        self.runs[-1] += stop - start
        self.bytes[depth] += stop - start
        self.mapped += stop - start
        self.pieces += self._compared(depth, start, stop)
        self.last[depth] = Last(position, end, padded, stop, compressed)
        self.last_depth = depth

    def _compared(self, depth, start, stop):
        """A stretch of a raw image counts as often as it touches clusters of the top image."""
        cluster = self.composed.layers[0].image.cluster
        return 1 if self.composed.layers[depth].image else ceil_div(stop, cluster) - start // cluster

    def _jump(self, last, position, depth):
        distance = abs(position - last.end)
        if position <= last.position:
            self.backward.append(distance)
        else:
            self.forward.append(distance)
            self.near += distance <= oracle.NEAR_JUMP_MAX
        self._begin_run(depth)

    def layers(self):
        real = [depth for depth, length in zip(self.run_depths, self.runs) if length > 0]
        return [{"path": layer.path, "depth": depth, "bytes": self.bytes[depth], "runs": real.count(depth),
                 "shadowed_bytes": layer.held - self.bytes[depth]}
                for depth, layer in enumerate(self.composed.layers)]

    def result(self):
        composed, cluster = self.composed, self.composed.layers[0].image.cluster
        mapped_clusters = ceil_div(self.mapped, cluster)
        ascending = len(self.backward) + 1 if self.mapped else 0
        return {
            "chain_depth": len(composed.layers), "virtual_bytes": composed.disk_size,
            "mapped_clusters": mapped_clusters, "mapped_bytes": self.mapped,
            "compressed_clusters": len(composed.compressed), "zero_clusters": len(composed.zeros),
            "zero_allocated_clusters": sum(composed.zeros.values()), "corrupt_entries": composed.corrupt,
            "backward_steps": len(self.backward), "forward_jumps": len(self.forward),
            "near_jumps": self.near, "file_switches": self.switches,
            "breaks": len(self.backward) + len(self.forward) + self.switches,
            "backward_jump_mean_bytes": ratio(sum(self.backward), len(self.backward)),
            "forward_jump_mean_bytes": ratio(sum(self.forward), len(self.forward)),
            "jump_histogram": oracle.jump_histogram(self.backward, self.forward),
            "fragmentation_score": ratio(len(self.backward), self.pieces),
            "ascending_runs": ascending, "ascending_run_mean_bytes": ratio(self.mapped, ascending),
            "contiguous_runs": len(self.runs),
            "contiguous_run_mean_bytes": ratio(self.mapped, len(self.runs)),
            "contiguous_run_half_bytes": oracle.half_length(self.runs),
            "contiguous_run_max_bytes": max(self.runs) if self.runs else None,
            "run_histogram": oracle.run_histogram(self.runs),
            "read_split": ratio(self.reads.reads, self.reads.unbroken),
            "qemu_img_check": None, "layers": self.layers(),
        }


def expected_table(path, snapshot, part=None):
    def table_of(image):
        if snapshot is None:
            return oracle.active_table(image)
        return oracle.snapshot_table(oracle.find_snapshot(image, "id:" + snapshot["id"]))
    table = Figures(Composed(open_chain(path, table_of), part)).result()
    for layer in table["layers"] if part else ():
        layer["shadowed_bytes"] = None
    return table


def main(argv):
    if argv[0] != "--compare":
        print(json.dumps(expected_table(argv[0], None), indent=2))
        return 0
    with open(argv[2], encoding="utf-8") as file:
        ours = json.load(file)["images"][0]
    count = 0
    for number, table in enumerate(ours["tables"]):
        expected = expected_table(argv[1], table["snapshot"], oracle.range_end(table["range"]))
        for key, one, other in oracle.differences("tables[%d]" % number, table, expected):
            print("%s: ours %s, expected %s" % (key, oracle.shown(one), oracle.shown(other)))
            count += 1
    if not ours["tables"]:
        print("no table: %s" % ours["error"])
    return 1 if count or not ours["tables"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

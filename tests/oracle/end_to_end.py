#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Guest order on the device, worked out from what other programs say of the extents.

    end_to_end.py figures OURS.json TABLE RUNS.jsonl EXTENTS
    end_to_end.py list PLACED.jsonl RUNS.jsonl EXTENTS

EXTENTS: what `filefrag -v IMAGE` printed. RUNS.jsonl: qcow2frag map --list --json --no-host IMAGE.

figures: "end_to_end" of table number TABLE of OURS.json (qcow2frag --json IMAGE), the number of
extents, and their mean length. list: PLACED.jsonl is the list with --no-host left out; its runs must
be parts of those of RUNS.jsonl, as long as they can be, each where filefrag says.

Plain and slow: each cluster by itself, and cut where an extent ends. Shares nothing with the program.
One line per difference, exit status 1 if there is any.
"""

import bisect
import json
import re
import sys
from typing import NamedTuple, Optional

from oracle import (NEAR_JUMP_MAX, SECTOR, differences, half_length, jump_histogram, ratio,
                    run_histogram, shown)

HOLES = {"unwritten"}                               # read as zeros
NOWHERE = {"unknown_loc", "delalloc", "inline"}     # no place on the device


class Extent(NamedTuple):
    start: int          # bytes in the file
    stop: int
    place: Optional[int]    # bytes on the device
    stored: int         # bytes there
    encoded: bool


class Extents:
    """What filefrag -v printed."""

    LINE = re.compile(r"\s*\d+:\s+(\d+)\.\.\s*(\d+):\s+(\d+)\.\.\s*\d+:\s+\d+:\s+(?:\d+:)?\s*([\w,]*)\s*$")

    def __init__(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        self.count = int(re.search(r": (\d+) extents? found", lines[-1])[1])
        self.block = next(int(found[1]) for found in map(re.compile(r"\d+ blocks? of (\d+) bytes").search, lines)
                          if found)
        told = [self._read(found) for found in map(self.LINE.match, lines) if found]
        self.bytes = sum(stop - start for start, stop, _, _ in told)
        places = sorted(place for _, _, place, flags in told if not flags & (HOLES | NOWHERE))
        self.list = [self._judge(extent, places) for extent in self._joined(told)]
        self.starts = [extent.start for extent in self.list]

    def _read(self, found):
        first, last, place, flags = found.groups()
        flags = set(flags.split(","))
        block = 1 if "inline" in flags else self.block
        return int(first) * block, (int(last) + 1) * block, int(place) * block, flags

    @staticmethod
    def _kind(flags):
        return "hole" if flags & HOLES else "nowhere" if flags & NOWHERE else "encoded" if "encoded" in flags else "data"

    def _joined(self, told):
        """Data that goes on in the file and on the device is one place, however it is recorded."""
        joined = []
        for start, stop, place, flags in told:
            if joined:
                first, end, where, before = joined[-1]
                if (self._kind(before) == self._kind(flags) == "data" and start == end and
                        place - where == start - first):
                    joined[-1] = (first, stop, where, before)
                    continue
            joined.append((start, stop, place, flags))
        return joined

    def _judge(self, extent, places):
        start, stop, place, flags = extent
        kind = self._kind(flags)
        if kind in ("hole", "nowhere"):
            return Extent(start, stop, None, 0, False)
        stored = stop - start
        if kind == "encoded":       # at most up to what begins next on the device
            following = bisect.bisect_right(places, place)
            if following < len(places):
                stored = min(stored, places[following] - place)
        return Extent(start, stop, place, stored, kind == "encoded")

    def cut(self, start, stop):
        """[start, stop) of the file as (start, stop, place, end on the device); places None in holes."""
        while start < stop:
            index = bisect.bisect_right(self.starts, start) - 1
            extent = self.list[index] if index >= 0 else None
            if extent is None or start >= extent.stop:
                end = self.starts[index + 1] if index + 1 < len(self.starts) else stop
                yield start, min(end, stop), None, None
                start = min(end, stop)
                continue
            end = min(stop, extent.stop)
            if extent.place is None:
                yield start, end, None, None
            else:
                length = extent.stop - extent.start
                yield (start, end, extent.place + (start - extent.start) * extent.stored // length,
                       extent.place + (end - extent.start) * extent.stored // length)
            start = end


class Piece(NamedTuple):
    guest: int
    guest_end: int
    place: int
    end: int
    held: int
    compressed: bool
    padding: int        # so far behind its end the next may begin


def pieces_of(run, cluster, extents):
    """Pieces of one run in guest order; for what is in holes, numbers of bytes."""
    guest, host = run["guest_offset"], run["host_offset"]
    if run["kind"] == "compressed":
        length, end = run["host_length"], host + run["host_length"]
        for start, stop, place, place_end in extents.cut(host, end):
            before = run["length"] * (start - host) // length
            held = run["length"] * (stop - host) // length - before
            if place is None:
                yield held
            else:
                yield Piece(guest + before, guest + before + held, place, place_end, held, True,
                            -end % cluster if stop == end else 0)
        return
    stop = guest + run["length"]
    while guest < stop:
        border = min(stop, guest // cluster * cluster + cluster)
        for start, end, place, place_end in extents.cut(host, host + border - guest):
            if place is None:
                yield end - start
            else:
                yield Piece(guest, guest + end - start, place, place_end, end - start, False, 0)
            guest += end - start
            host = end


def is_contiguous(before, after):
    if before.compressed or after.compressed:
        return before.place < after.place and before.end - SECTOR <= after.place <= before.end + before.padding
    gap = after.place - before.end
    return gap == 0 or gap == after.guest - before.guest_end > 0


def figures(runs, cluster, extents):
    before, holes, near, compared = None, 0, 0, 0
    lengths, backward, forward = [], [], []
    for run in runs:
        if run["kind"] == "zero":
            continue
        for piece in pieces_of(run, cluster, extents):
            if isinstance(piece, int):
                holes += piece
                continue
            compared += 1
            if before is None or not is_contiguous(before, piece):
                lengths.append(0)
                if before is not None:
                    distance = abs(piece.place - before.end)
                    (backward if piece.place <= before.place else forward).append(distance)
                    near += piece.place > before.place and distance <= NEAR_JUMP_MAX
            lengths[-1] += piece.held
            before = piece
    mapped = sum(lengths)
    ascending = len(backward) + 1 if lengths else 0
    return {
        "mapped_bytes": mapped,
        "backward_steps": len(backward),
        "forward_jumps": len(forward),
        "near_jumps": near,
        "file_switches": 0,
        "breaks": len(backward) + len(forward),
        "backward_jump_mean_bytes": ratio(sum(backward), len(backward)),
        "forward_jump_mean_bytes": ratio(sum(forward), len(forward)),
        "jump_histogram": jump_histogram(backward, forward),
        "fragmentation_score": ratio(len(backward), compared),
        "ascending_runs": ascending,
        "ascending_run_mean_bytes": ratio(mapped, ascending),
        "contiguous_runs": len(lengths),
        "contiguous_run_mean_bytes": ratio(mapped, len(lengths)),
        "contiguous_run_half_bytes": half_length(lengths),
        "contiguous_run_max_bytes": max(lengths) if lengths else None,
        "run_histogram": run_histogram(lengths),
        "hole_bytes": holes,
    }


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def compare_figures(json_path, number, runs_path, extents_path):
    with open(json_path, encoding="utf-8") as file:
        image = json.load(file)["images"][0]
    table, extents = image["tables"][int(number)], Extents(extents_path)
    expected = {
        "host": {"extents": extents.count, "extent_mean_bytes": ratio(extents.bytes, extents.count)},
        "end_to_end": figures(read_lines(runs_path), image["format"]["cluster_bytes"], extents),
    }
    for key in ("compressed_clusters", "zero_clusters", "zero_allocated_clusters", "corrupt_entries"):
        expected["end_to_end"][key] = table[key]
    found = list(differences("", {"host": image["host"], "end_to_end": table["end_to_end"]}, expected))
    return ["%s: ours %s, expected %s" % (key, shown(ours), shown(other)) for key, ours, other in found]


def places_of(run, extents):
    """A run as it must be listed: (guest, length, host, host length, place), cut where the place does not go on."""
    guest, host, length = run["guest_offset"], run["host_offset"], run["host_length"]
    if host is None:
        return [(guest, run["length"], None, None, None)]
    parts = list(extents.cut(host, host + length))
    encoded = {extent.start: extent.place for extent in extents.list if extent.encoded}
    cut = []
    for start, stop, place, _ in parts:
        index = bisect.bisect_right(extents.starts, start) - 1
        if index >= 0 and extents.starts[index] in encoded and place is not None:
            place = encoded[extents.starts[index]]
        if cut and cut[-1][2] is None and place is None:
            cut[-1] = (cut[-1][0], stop, None)
        else:
            cut.append((start, stop, place))
    if run["kind"] == "compressed":
        return [(guest, run["length"], host, length, cut[0][2])]
    return [(guest + start - host, stop - start, start, stop - start, place) for start, stop, place in cut]


def compare_list(placed_path, runs_path, extents_path):
    extents = Extents(extents_path)
    ours = [(run["guest_offset"], run["length"], run["host_offset"], run["host_length"], run["physical_offset"])
            for run in read_lines(placed_path)]
    expected = [place for run in read_lines(runs_path) for place in places_of(run, extents)]
    found = ["only ours: %s" % (run,) for run in sorted(set(ours) - set(expected), key=lambda run: run[0])]
    found += ["only expected: %s" % (run,) for run in sorted(set(expected) - set(ours), key=lambda run: run[0])]
    return found or ([] if ours == expected else ["the same runs in another order"])


def main(argv):
    command, *arguments = argv
    found = {"figures": compare_figures, "list": compare_list}[command](*arguments)
    for line in found[:20]:
        print(line)
    if len(found) > 20:
        print("and %d more" % (len(found) - 20))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what `qemu-img map` and `qcow2frag map --list` say about one image.

    compare_map.py [--coverage] QEMU.json OURS.jsonl

QEMU.json: qemu-img map --output=json IMAGE. OURS.jsonl: qcow2frag map --list --json IMAGE.
One line per difference, exit status 1 if there is any.

Both are brought to the same form first, since each joins and cuts runs for reasons of its own:

 - Only what the image itself holds is compared. qemu-img also lists its backing files (depth > 0).
 - The last cluster ends with the disk: qemu-img cuts it there, qcow2frag does not.
 - Runs of data or of zeros that go on both in the guest and in the file are joined. Their guest
   offset, length and host offset must be equal (zeros have one where they keep their place).
 - Of compressed clusters qemu-img gives no offsets, and joins neighbours: only the part of the
   guest disk that they cover must be equal. The same holds for all data of an encrypted image
   (--coverage).
 - Zeros are not compared where there is a backing file: qemu-img also says "zero" past the end of
   a short one.

qemu-img map looks for holes in the host file where an image is preallocated, and calls them zero.
Give it a file without holes (dense.py).
"""

import argparse
import json
import sys


def clip(runs, disk_size):
    """Runs (start, length, host or None), none past the end of the disk."""
    for start, length, host in runs:
        length = min(length, disk_size - start)
        if length > 0:
            yield start, length, host


def join(runs):
    """Neighbours joined where the host offset goes on, or where there is none."""
    joined = []
    for start, length, host in sorted(runs, key=lambda run: run[0]):
        if joined:
            last_start, last_length, last_host = joined[-1]
            goes_on = (last_host is None and host is None) or (
                None not in (last_host, host) and host == last_host + last_length)
            if start == last_start + last_length and goes_on:
                joined[-1] = (last_start, last_length + length, last_host)
                continue
        joined.append((start, length, host))
    return joined


def without_offsets(runs):
    return [(start, length, None) for start, length, _ in runs]


class Map:
    """Three lists of runs, in the common form."""

    def __init__(self, data, compressed, zero, coverage):
        if coverage:
            data, compressed = without_offsets(data) + compressed, []
            zero = without_offsets(zero)
        self.lists = {"data": join(data), "compressed": join(compressed), "zero": join(zero)}


def read_qemu(path, coverage):
    """The map, the disk size, and whether the zeros can be compared."""
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    data, compressed, zero = [], [], []
    for entry in entries:
        if entry["depth"] != 0 or not entry.get("present", True):
            continue
        run = (entry["start"], entry["length"], entry.get("offset"))
        if entry["zero"]:
            zero.append(run)
        elif entry["data"]:
            (compressed if run[2] is None else data).append(run)
    alone = all(entry["depth"] == 0 and "present" in entry for entry in entries)
    disk_size = max((entry["start"] + entry["length"] for entry in entries), default=0)
    return Map(data, compressed, zero, coverage), disk_size, alone


def read_ours(path, disk_size, coverage):
    with open(path, encoding="utf-8") as file:
        runs = [json.loads(line) for line in file]
    of_kind = {"data": [], "compressed": [], "zero": []}
    for run in runs:
        host = None if run["kind"] == "compressed" else run["host_offset"]
        of_kind[run["kind"]].append((run["guest_offset"], run["length"], host))
    clipped = {kind: list(clip(list_, disk_size)) for kind, list_ in of_kind.items()}
    return Map(clipped["data"], clipped["compressed"], clipped["zero"], coverage)


def shown(run):
    start, length, host = run
    return "guest %#x length %#x" % (start, length) + (
        "" if host is None else " host %#x" % host)


def differences(kind, ours, expected):
    for run in sorted(set(ours) - set(expected), key=lambda run: run[0]):
        yield "%s: only ours: %s" % (kind, shown(run))
    for run in sorted(set(expected) - set(ours), key=lambda run: run[0]):
        yield "%s: only qemu-img's: %s" % (kind, shown(run))


def main(argv):
    parser = argparse.ArgumentParser(description="Compare qemu-img's map with qcow2frag's.")
    parser.add_argument("--coverage", action="store_true", help="qemu-img gives no offsets here")
    parser.add_argument("qemu", metavar="QEMU.json")
    parser.add_argument("ours", metavar="OURS.jsonl")
    arguments = parser.parse_args(argv)
    expected, disk_size, zeros = read_qemu(arguments.qemu, arguments.coverage)
    ours = read_ours(arguments.ours, disk_size, arguments.coverage)
    found = [line for kind in ("data", "compressed") + (("zero",) if zeros else ())
             for line in differences(kind, ours.lists[kind], expected.lists[kind])]
    for line in found[:40]:
        print(line)
    if len(found) > 40:
        print("and %d more" % (len(found) - 40))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

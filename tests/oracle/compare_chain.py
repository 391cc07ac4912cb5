#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what `qemu-img map` and `qcow2frag map --list --chain` say about a chain, byte by byte.

    compare_chain.py QEMU.json OURS.jsonl

QEMU.json: qemu-img map --output=json IMAGE. OURS.jsonl: qcow2frag map --list --json --chain IMAGE.
One line per difference, exit status 1 if there is any.

Each byte of the guest disk has an owner (the depth of an image, or nobody), which holds data, or
zeros, there; data that is not compressed has a place in the file. qemu-img gives no place for
compressed data, and calls what nobody holds "not present".
"""

import json
import sys


def joined(runs):
    """(start, end, depth, kind, host - guest or None), neighbours that are alike joined."""
    result = []
    for run in sorted(runs):
        if result and result[-1][1] == run[0] and result[-1][2:] == run[2:]:
            result[-1] = (result[-1][0],) + run[1:]
        else:
            result.append(run)
    return result


def read_qemu(path):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    runs = []
    for entry in entries:
        if not entry["present"]:
            continue
        start, end = entry["start"], entry["start"] + entry["length"]
        if entry["data"]:
            place = entry["offset"] - start if "offset" in entry else None
            runs.append((start, end, entry["depth"], "data", place))
        else:
            runs.append((start, end, entry["depth"], "zero", None))
    return joined(runs), max((e["start"] + e["length"] for e in entries), default=0)


def read_ours(path, disk_size):
    runs = []
    with open(path, encoding="utf-8") as file:
        for run in map(json.loads, file):
            start, end = run["guest_offset"], min(run["guest_offset"] + run["length"], disk_size)
            if start >= end:
                continue
            place = run["host_offset"] - start if run["kind"] == "data" else None
            kind = "zero" if run["kind"] == "zero" else "data"
            runs.append((start, end, run["depth"], kind, place))
    return joined(runs)


def main(argv):
    expected, disk_size = read_qemu(argv[0])
    ours = read_ours(argv[1], disk_size)
    differences = [("only ours", run) for run in ours if run not in expected]
    differences += [("only qemu-img's", run) for run in expected if run not in ours]
    for who, (start, end, depth, kind, place) in sorted(differences, key=lambda d: d[1][0])[:40]:
        print("%s: guest %#x..%#x depth %d %s%s" % (
            who, start, end, depth, kind, "" if place is None else " at %#x" % (start + place)))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

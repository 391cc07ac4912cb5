#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""power.py [SAMPLES [SEED]]: what defrag does to files and folders, and the loss of power after each step of it.

The calls are recorded (calls.c), and done again in a model of a disk that keeps no more than it must. Of a
file that is what was there at its last fsync; of what came after, each sector was written or was not, as the
dice say (SAMPLES times for each point, 6), or none was, or all. Of a folder it is what was there at its last
fsync; after that its changes are lost from any point on. At every such point the name must lead to the old
image or to the whole new one, and after the end to the new one.

That the model finds mistakes is shown by records with a mistake: one without an fsync, one that renames
too early.
"""
import os
import random
import shutil
import sys

from ways import HIDDEN, WAYS, Bad, Ways

SECTOR = 512


class Record:
    """The calls that succeeded, and the bytes."""

    def __init__(self, ways, way):
        lines, data = ways.record(way)
        self.way, self.steps, at = way, [], 0
        self.folder = os.stat(ways.folder).st_ino
        self.new = os.stat(ways.image).st_ino
        self.whole = open(ways.image, "rb").read()
        for _, name, answer, *rest in lines:
            if int(answer) < 0:
                continue
            if name == "pwrite":
                rest, at = rest + [data[at:at + int(answer)]], at + int(answer)
            if name in ("pwrite", "ftruncate", "fsync", "fallocate") and int(rest[0]) not in (self.new, self.folder):
                raise Bad(f"{name} of another file")
            self.steps.append((name, rest))


def file_after(steps, dice):
    """The bytes of the new file when only what is certain, and some of the rest, is on the disk."""
    synced = max((i for i, (name, rest) in enumerate(steps) if name == "fsync"), default=-1)
    size, image = 0, bytearray()
    for i, (name, rest) in enumerate(steps):
        if name == "ftruncate" and (i < synced or dice.random() < dice.kept):
            size = int(rest[1])
            image.extend(bytes(max(0, size - len(image))))
        if name != "pwrite":
            continue
        off, data = int(rest[1]), rest[2]
        image.extend(bytes(max(0, off + len(data) - len(image))))
        if i < synced or dice.kept == 1:
            image[off:off + len(data)] = data
        else:
            for part in range(0, len(data) if dice.kept else 0, SECTOR):
                if dice.random() < dice.kept:
                    image[off + part:off + part + SECTOR] = data[part:part + SECTOR]
        if i < synced:
            size = max(size, off + len(data))
    return bytes(image[:size])


def names_after(record, changes):
    names = {"image": "old"}
    for name, rest in changes:
        if name == "create":
            names[rest[1]] = "new"
        elif name == "linkat":
            names[rest[1]] = "new" if int(rest[0]) == record.new else "old"
        elif name == "unlinkat":
            del names[rest[0]]
        elif name == "renameat":
            names[rest[1]] = names.pop(rest[0])
        else:
            names[rest[0]], names[rest[1]] = names[rest[1]], names[rest[0]]
    return names


def judge(record, names, content):
    others = set(names) - {"image"}
    hidden = {name for name in others if name.startswith(HIDDEN)}
    if "image" not in names:
        raise Bad("the name leads nowhere")
    if names["image"] == "new" and content() != record.whole:
        raise Bad("the name leads to half an image")
    if len(hidden) > 1 or others - hidden - ({"image.orig"} if WAYS[record.way][2] else set()):
        raise Bad(f"names: {names}")
    if WAYS[record.way][2] and names["image"] == "new" and names.get("image.orig") != "old":
        raise Bad("the old image was to be kept")
    if names.get("image.orig") == "new" and ("CALLS_NO_LINK" not in WAYS[record.way][1] or content() != record.whole):
        raise Bad("the second name leads to another file than the old one")


def simulate(record, samples, seed):
    """How many states of the disk were looked at."""
    dice, looked_at = random.Random(seed), 0
    for end in range(len(record.steps) + 1):
        done = record.steps[:end]
        of_file = [(name, rest) for name, rest in done
                   if name in ("pwrite", "ftruncate", "fsync") and int(rest[0]) == record.new]
        synced, changes = 0, []
        for name, rest in done:
            if name in ("create", "linkat", "unlinkat", "renameat", "exchange"):
                changes.append((name, rest))
            elif name == "fsync" and int(rest[0]) == record.folder:
                synced = len(changes)
        for kept in range(synced, len(changes) + 1):
            names = names_after(record, changes[:kept])
            settled = bool(of_file) and of_file[-1][0] == "fsync"
            for share in [0] if settled else [0, 1] + [dice.random() for _ in range(samples)]:
                dice.kept = share
                judge(record, names, lambda: file_after(of_file, dice))
                looked_at += 1
    if names_after(record, changes[:synced])["image"] != "new":
        raise Bad("after the end the new image is not there for certain")
    return looked_at


def with_mistake(record, mistake):
    other = Record.__new__(Record)
    other.__dict__.update(record.__dict__)
    steps = list(record.steps)
    if mistake.endswith("is not synced"):
        left = record.new if mistake == "the file is not synced" else record.folder
        steps = [(name, rest) for name, rest in steps if name != "fsync" or int(rest[0]) != left]
    else:
        last = max(i for i, (name, _) in enumerate(steps) if name == "pwrite")
        steps.append(steps.pop(last))
    other.steps = steps
    return other


def main():
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if shutil.which("qemu-img") is None:
        print("1..0 # skip no qemu-img")
        return 0
    mistakes = ["the file is not synced", "the folder is not synced", "something is written after the rename"]
    print(f"1..{len(WAYS) + len(mistakes)}")
    failures = number = 0
    with Ways() as ways:
        for way in WAYS:
            number += 1
            why, looked_at = "", 0
            try:
                record = Record(ways, way)
                looked_at = simulate(record, samples, seed)
            except Bad as bad:
                why, failures = f"\n# {bad}", failures + 1
            print(f"{'not ' if why else ''}ok {number} - {way}: {looked_at} states of the disk after {len(record.steps)} "
                  f"steps{why}", flush=True)
        record = Record(ways, "in its place")
        for mistake in mistakes:
            number += 1
            try:
                simulate(with_mistake(record, mistake), samples, seed)
                failures += 1
                print(f"not ok {number} - not noticed: {mistake}")
            except Bad as bad:
                print(f"ok {number} - noticed: {mistake} ({bad})")
    return 1 if failures else 0


sys.exit(main())

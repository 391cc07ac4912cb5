#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares qcow2frag with the plain decoder on images damaged at random.

    mutate.py QCOW2FRAG FOLDER COUNT SEED IMAGE...

Takes the images in turn, changes a few bytes of the metadata in each (values that mean something
to the format more often than noise), and compares every figure of every table. Prints each
disagreement with the seed that makes the image again, and leaves that image in FOLDER. Exit status
1 if there was any; a signal or a hang of the program counts as one.
"""
import json
import os
import random
import subprocess
import sys

import oracle

AT_ONCE = 40
FIELDS = [(0, 4), (4, 4), (8, 8), (16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (40, 8), (48, 8), (56, 4), (60, 4), (64, 8),
          (72, 8), (80, 8), (88, 8), (96, 4), (100, 4), (104, 1)]


class Original:
    """An image, and the offsets of those of its 8-byte words that are not zero: nearly all of them are metadata."""

    def __init__(self, path):
        self.path, self.size, self.sectors, self.places = path, os.path.getsize(path), [], []
        offset = 0
        with open(path, "rb") as file:
            while offset < self.size:
                try:
                    offset = os.lseek(file.fileno(), offset, os.SEEK_DATA) // 512 * 512
                except OSError:
                    break
                sector = os.pread(file.fileno(), 512, offset)
                if sector.strip(b"\0"):
                    self.sectors.append((offset, sector))
                    self.places += [offset + at for at in range(0, len(sector), 8) if sector[at:at + 8].strip(b"\0")]
                offset += 512

    def copy(self, path):
        with open(path, "wb") as file:
            for offset, sector in self.sectors:
                os.pwrite(file.fileno(), sector, offset)
            file.truncate(self.size)


def interesting(dice, size, old):
    """A 64-bit value that a table entry could be damaged to."""
    cluster = 1 << dice.choice([9, 12, 16])
    inside = dice.randrange(0, max(size, 1)) // cluster * cluster
    return dice.choice([
        0, 1, old ^ 1 << dice.randrange(64), old ^ 1 << dice.randrange(64), old + cluster, inside, inside | 1 << 63,
        inside | 1 << 62, inside | 1, inside + dice.randrange(cluster), 1 << 63, (1 << 64) - 1, (1 << 63) - 1,
        size // cluster * cluster, (size // cluster + 1) * cluster | 1 << 63, dice.getrandbits(64),
    ]) & (1 << 64) - 1


def damage(dice, path, places):
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        for _ in range(dice.choice([1, 1, 1, 2, 3, 5])):
            kind = dice.random()
            if kind < 0.15:
                offset, length = dice.choice(FIELDS)
            else:
                offset, length = dice.choice(places) + (8 * dice.randrange(-2, 3) if kind > 0.8 else 0), 8
            if offset < 0 or offset + length > size:
                continue
            old = int.from_bytes(os.pread(file.fileno(), length, offset), "big")
            value = interesting(dice, size, old) & (1 << 8 * length) - 1
            if length <= 4 and dice.random() < 0.5:
                value = dice.choice([0, 1, 2, 3, 4, 9, 16, 21, 22, 104, 112, 65535, old + 1, (1 << 8 * length) - 1]) & (1 << 8 * length) - 1
            os.pwrite(file.fileno(), value.to_bytes(length, "big"), offset)
        if dice.random() < 0.05:
            os.ftruncate(file.fileno(), dice.randrange(size))


def measured(program, images):
    """What the program says of each, or why it says nothing."""
    try:
        result = subprocess.run([program, "--json", "--all-snapshots", "--space", *images], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return None, "the program hangs"
    if result.returncode not in (0, 1, 2):
        return None, f"the program ended with status {result.returncode}: {result.stderr[-500:]!r}"
    return json.loads(result.stdout)["images"], None


def answers(program, images):
    """(image, what the program says of it, or why it says nothing) of each."""
    ours, wrong = measured(program, images)
    if wrong and len(images) > 1:   # which of them?
        for image in images:
            yield from answers(program, [image])
    else:
        yield from ((image, ours[number] if ours else None, wrong) for number, image in enumerate(images))


def differences(image, ours):
    """What is wrong with the program's answer for one image, as lines."""
    return [f"{key}: ours {oracle.shown(one)}, expected {oracle.shown(other)}"
            for key, one, other in oracle.compare_image(image, ours, [], True)]


def main():
    program, folder, count, seed, *images = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    originals = [Original(image) for image in images]
    failed = 0
    numbers = range(int(seed), int(seed) + int(count))
    for first in range(0, len(numbers), AT_ONCE):
        mutants = {}
        for number in numbers[first:first + AT_ONCE]:
            dice = random.Random(number)
            original = originals[number % len(originals)]
            image = os.path.join(folder, f"mutant-{number}.qcow2")
            original.copy(image)
            damage(dice, image, original.places)
            mutants[image] = original
        for image, ours, wrong in answers(program, list(mutants)):
            lines = [wrong] if wrong else differences(image, ours)
            for line in lines:
                print(f"{image} (of {os.path.basename(mutants[image].path)}): {line}")
            failed += bool(lines)
            if not lines:
                os.unlink(image)
    print(f"{count} mutants, {failed} disagreements")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

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

FIELDS = [(0, 4), (4, 4), (8, 8), (16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (40, 8), (48, 8), (56, 4), (60, 4), (64, 8),
          (72, 8), (80, 8), (88, 8), (96, 4), (100, 4), (104, 1)]


def metadata_places(path):
    """Offsets of the 8-byte words of the file that are not zero: nearly all of them are metadata."""
    places = []
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(file.fileno(), offset, os.SEEK_DATA) // 512 * 512
            except OSError:
                break
            sector = os.pread(file.fileno(), 512, offset)
            places += [offset + at for at in range(0, len(sector), 8) if sector[at:at + 8].strip(b"\0")]
            offset += 512
    return places


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


def differences(program, image):
    """What is wrong with the program's answer for one image, as lines."""
    try:
        result = subprocess.run([program, "--json", "--all-snapshots", "--space", image], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return ["the program hangs"]
    if result.returncode not in (0, 1, 2):
        return [f"the program ended with status {result.returncode}: {result.stderr[-500:]!r}"]
    ours = json.loads(result.stdout)["images"][0]
    return [f"{key}: ours {oracle.shown(one)}, expected {oracle.shown(other)}"
            for key, one, other in oracle.compare_image(image, ours, [], True)]


def main():
    program, folder, count, seed, *images = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    places = {image: metadata_places(image) for image in images}
    failed = 0
    for number in range(int(seed), int(seed) + int(count)):
        dice = random.Random(number)
        original = images[number % len(images)]
        image = os.path.join(folder, f"mutant-{number}.qcow2")
        subprocess.run(["cp", "--sparse=always", original, image], check=True)
        damage(dice, image, places[original])
        lines = differences(program, image)
        for line in lines:
            print(f"{image} (of {os.path.basename(original)}): {line}")
        failed += bool(lines)
        if not lines:
            os.unlink(image)
    print(f"{count} mutants, {failed} disagreements")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a random backing chain in the current folder, by qemu-img and qemu-io.

    random_chain.py SEED [LAYERS]

The images are layer0 (the top), layer1, ...; what varies between them is all that may: cluster size,
subclusters, disk size, compression, external data files, encryption-free versions, a raw base with
holes. Each gets some random writes of data, zeros and compressed data, and discards.
"""

import os
import random
import subprocess
import sys

KIB = 1024
CLUSTERS = (512, 1024, 4096, 16 * KIB, 64 * KIB, 64 * KIB, 256 * KIB, 2048 * KIB)


# QEMU's tools do not wait for the disk.
HASTY = {**os.environ, "LD_PRELOAD": os.environ["HASTE"]} if os.environ.get("HASTE") else None


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=HASTY)


def disk_size(dice):
    """Some are a few clusters, most about two megabytes; not all end with a cluster."""
    size = dice.choice((300, 1500, 2048, 2048, 3000, 5000)) * KIB
    return size + 512 * dice.randrange(4)


def make_raw(dice, name):
    size = disk_size(dice)
    with open(name, "wb") as file:
        for _ in range(dice.randrange(6)):
            file.seek(dice.randrange(size) & ~511)
            file.write(b"\x55" * min(size - file.tell(), dice.choice((512, 4096, 100000))))
        file.truncate(size)


def make_qcow2(dice, name, backing):
    """Returns the size of the disk, and whether compressed writes are allowed."""
    cluster = dice.choice(CLUSTERS)
    options = ["cluster_size=%d" % cluster]
    extended = cluster >= 16 * KIB and dice.random() < 0.5
    data_file = dice.random() < 0.15
    if extended:
        options.append("extended_l2=on")
    elif dice.random() < 0.15 and not data_file:
        options.append("compat=0.10")
    if data_file:
        options.append("data_file=%s.data" % name)
    if backing:
        options += ["backing_file=" + backing[0], "backing_fmt=" + backing[1]]
    size = disk_size(dice)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", ",".join(options), name, str(size))
    return size, not data_file


def write(dice, name, size, compress):
    commands = []
    for _ in range(dice.randrange(1, 14)):
        offset = dice.randrange(size) & ~511
        length = min(size - offset, 512 * dice.choice((1, 3, 8, 20, 128, 300, 1000)))
        verb = dice.choice(("write", "write", "write -z", "write -z -u", "write -c", "discard"))
        if verb == "write -c":
            if not compress:
                verb = "write"
            else:
                offset &= ~(2048 * KIB - 1) if dice.random() < 0.3 else ~(64 * KIB - 1)
                length = min(size - offset, 64 * KIB * dice.randrange(1, 5))
        commands += ["-c", "%s %d %d" % (verb, offset, length)]
    # Some cannot be done in all images (compressed data in parts of a cluster): then they are not.
    subprocess.run(["qemu-io", "-t", "unsafe", "-f", "qcow2", *commands, name], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False, env=HASTY)


def main(argv):
    dice = random.Random(int(argv[0]))
    layers = int(argv[1]) if len(argv) > 1 else dice.randrange(2, 6)
    names = ["layer%d" % depth for depth in range(layers)]
    backing = None
    for name in reversed(names):
        if backing is None and dice.random() < 0.4:
            make_raw(dice, name)
            backing = (name, "raw")
            continue
        size, compress = make_qcow2(dice, name, backing)
        write(dice, name, size, compress)
        backing = (name, "qcow2")
    if backing[1] == "raw":     # of one layer only
        os.remove(names[0])
        make_qcow2(dice, names[0], None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

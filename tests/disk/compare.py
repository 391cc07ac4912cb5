#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what reading a disk costs: as QEMU, the model and the program have it.

    compare.py model QEMU.json MODEL.json
    compare.py disk QEMU.json MODEL.json OURS.json      all figures of "disk", and the read split
    compare.py seconds QEMU.json OURS.json OBJECT KEY   one figure: "disk" "seconds", ...

QEMU.json: of qemu_reads.py. MODEL.json: of disk_model.py. OURS.json: qcow2frag --json IMAGE; its
first table is compared. One line per difference, exit status 1 if there is any.
"""

import json
import sys

# The model does not know where QEMU left the head when it opened the image: one approach.
APPROACH = 0.02
EXACT = ("slices", "data_reads", "data_bytes")


def near(one, other):
    """What the program promises: within 5 %, or 60 ms where that is more."""
    return one is not None and abs(one - other) <= max(0.05 * other, 0.06)


def model_differences(qemu, model):
    if abs(model["seconds"] - qemu["seconds"]) > APPROACH:
        yield "seconds: the model's %.6f, QEMU's %.6f" % (model["seconds"], qemu["seconds"])
    for key in EXACT:
        if key in model and model[key] != qemu[key]:
            yield "%s: the model's %d, QEMU's %d" % (key, model[key], qemu[key])


def seconds_differences(qemu, table, name, key):
    ours = (table[name] or {}).get(key)
    if not near(ours, qemu["seconds"]):
        yield "%s.%s: ours %s, QEMU's %.6f" % (name, key, ours, qemu["seconds"])


def disk_differences(qemu, model, table):
    yield from seconds_differences(qemu, table, "disk", "seconds")
    yield from seconds_differences({"seconds": model["ideal_seconds"]}, table, "disk", "ideal_seconds")
    split = qemu["data_reads"] / model["data_reads_without_breaks"]
    if table["read_split"] is None or abs(table["read_split"] - split) > 0.02 * split:
        yield "read_split: ours %s, QEMU's %.6f" % (table["read_split"], split)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def first_table(path):
    return load(path)["images"][0]["tables"][0]


def main(argv):
    kind, qemu = argv[0], load(argv[1])
    if kind == "model":
        differences = model_differences(qemu, load(argv[2]))
    elif kind == "disk":
        differences = disk_differences(qemu, load(argv[2]), first_table(argv[3]))
    else:
        differences = seconds_differences(qemu, first_table(argv[2]), argv[3], argv[4])
    differences = list(differences)
    for line in differences:
        print(line)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

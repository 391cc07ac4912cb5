#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares "qemu_img_check" of qcow2frag's JSON with what qemu-img check itself counted.

    compare_check.py QEMU.json OURS.json

QEMU.json: qemu-img check --output=json IMAGE. OURS.json: qcow2frag --json IMAGE (the active table
first). One line per difference, exit status 1 if there is any.
"""

import json
import sys

COUNTS = ("allocated", "total", "fragmented", "compressed")


def main(argv):
    with open(argv[0], encoding="utf-8") as file:
        qemu = json.load(file)
    with open(argv[1], encoding="utf-8") as file:
        ours = json.load(file)["images"][0]["tables"][0]["qemu_img_check"]
    # qemu-img leaves out what is 0; but without a total it counted nothing at all.
    if "total-clusters" not in qemu and ours["total_clusters"] != 0:
        print("qemu-img check gives no figures")
        return 1
    different = [(name, ours[name + "_clusters"], qemu.get(name + "-clusters", 0))
                 for name in COUNTS if ours[name + "_clusters"] != qemu.get(name + "-clusters", 0)]
    for name, one, other in different:
        print("%s clusters: ours %d, qemu-img's %d" % (name, one, other))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

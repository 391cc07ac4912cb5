#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares "qemu_img_check" and "space" of qcow2frag's JSON with what qemu-img check itself found.

    compare_check.py QEMU.json OURS.json

QEMU.json: qemu-img check --output=json IMAGE. OURS.json: qcow2frag --json --space IMAGE (the active
table first). One line per difference, exit status 1 if there is any.
"""

import json
import re
import sys

COUNTS = ("allocated", "total", "fragmented", "compressed")


def too_high(findings):
    """Clusters that are in use, but have too high a refcount: qemu-img calls them leaked, too."""
    messages = [finding["message"] for finding in findings if finding["code"] == "refcount-too-high"]
    return sum(int((re.match(r"(\d+) clusters", message) or [0, 1])[1]) for message in messages)


def space_differences(qemu, image):
    """(name, ours, qemu-img's) of where the image ends, and what is leaked."""
    space, cluster = image["space"], image["format"]["cluster_bytes"]
    pairs = [("image end offset", space["end_offset_bytes"], qemu["image-end-offset"])]
    if space["leaked_bytes"] is not None:
        leaked = -(-space["leaked_bytes"] // cluster)
        pairs.append(("leaked clusters", leaked + too_high(image["findings"]), qemu.get("leaks", 0)))
    return [pair for pair in pairs if pair[1] != pair[2]]


def main(argv):
    with open(argv[0], encoding="utf-8") as file:
        qemu = json.load(file)
    with open(argv[1], encoding="utf-8") as file:
        image = json.load(file)["images"][0]
    ours = image["tables"][0]["qemu_img_check"]
    # qemu-img leaves out what is 0; but without a total it counted nothing at all.
    if "total-clusters" not in qemu and ours["total_clusters"] != 0:
        print("qemu-img check gives no figures")
        return 1
    different = [(name, ours[name + "_clusters"], qemu.get(name + "-clusters", 0))
                 for name in COUNTS if ours[name + "_clusters"] != qemu.get(name + "-clusters", 0)]
    for name, one, other in different:
        print("%s clusters: ours %d, qemu-img's %d" % (name, one, other))
    for difference in space_differences(qemu, image):
        different.append(difference)
        print("%s: ours %d, qemu-img's %d" % difference)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

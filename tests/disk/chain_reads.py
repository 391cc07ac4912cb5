#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has QEMU read a backing chain, and compares the reads that it makes with those of chain.py.

    chain_reads.py IMAGE

qemu-io reads the guest disk from front to back in requests of 1 MiB, one at a time, and strace tells
what it reads from which file. What it reads to open and to close the images, and L2 tables, is left out;
so is what a raw image has no data for. Images are found by the names in them; those that are encrypted
have the passphrase "secret". Small disks only. One line per difference, exit status 1 if there is any.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import chain    # noqa: E402
import oracle   # noqa: E402

LINE = re.compile(r"p?read(?:64|v)\(\d+<(.*?)>, .*?, (\d+)\) = (\d+)$")
KEY = "secret,id=key,data=secret"
HASTE = ["-E", "LD_PRELOAD=" + os.environ["HASTE"]] if os.environ.get("HASTE") else []     # it keeps its memory


def options(layers, depth=0):
    """The chain from a depth on, for --image-opts."""
    layer = layers[depth]
    file = {"driver": "file", "filename": layer.path}
    if layer.image is None:
        return {"driver": "raw", "file": file}
    opened = {"driver": "qcow2", "file": file}
    if depth + 1 < len(layers):
        opened["backing"] = options(layers, depth + 1)
    if layer.image.crypt_method:
        opened["encrypt"] = {"format": (None, "aes", "luks")[layer.image.crypt_method], "key-secret": "key"}
    return opened


def reads_of(layers, commands):
    """A Counter of (file, offset, length) that qemu-io read for some commands."""
    with tempfile.TemporaryDirectory(prefix="qcow2frag-") as folder:
        run = subprocess.run(
            ["strace", *HASTE, "-ff", "-y", "-s0", "-e", "trace=pread64,preadv", "-e", "signal=none", "-o", folder + "/log",
             "qemu-io", "--object", KEY, "-r", "json:" + json.dumps(options(layers))],
            input=commands, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode != 0 or "failed" in run.stdout:
            sys.exit("qemu-io failed:\n" + run.stdout)
        found = Counter()
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as log:
                for path, offset, length in (LINE.search(line).groups() for line in log if LINE.search(line)):
                    if int(length) > 0:     # none behind the end of a file, which is asked for in vain
                        found[path, int(offset), int(length)] += 1
        return found


def is_data(layer, offset, length):
    if layer.image is None:
        first, end = offset // chain.SECTOR, oracle.ceil_div(offset + length, chain.SECTOR)
        return any(layer.said[s].kind == "data" for s in range(first, min(end, layer.disk_size // chain.SECTOR)))
    return offset - offset % layer.image.cluster not in layer.tables


def note_tables(layer):
    if layer.image is not None:
        table = layer.table
        layer.tables = {oracle.decode_l1_entry(layer.image, entry)[0]
                        for _, entry in oracle.nonzero_l1_entries(layer.image, table.l1_offset, table.l1_size)}


def qemu_reads(layers):
    """How often QEMU reads at each offset of each file."""
    size = layers[0].disk_size
    requests = ["read -q %d %d" % (start, min(oracle.REQUEST, size - start)) for start in range(0, size, oracle.REQUEST)]
    found = reads_of(layers, "\n".join(requests) + "\n")
    found.subtract(reads_of(layers, ""))
    of_path = {}
    for layer in layers:
        note_tables(layer)
        of_path[os.path.realpath(layer.path)] = layer
    count = Counter()
    for (path, offset, length), times in found.items():
        layer = of_path.get(path)
        if layer is None or layer.image is None or not layer.image.has_data_file:
            if layer is not None and not is_data(layer, offset, length):
                continue
            count[path, offset if layer is None or layer.image else None] += times
    return +count


def expected_reads(layers):
    count = Counter()
    for read in chain.Reads(layers, 0, layers[0].disk_size).list:
        layer = layers[read.depth]
        path = os.path.realpath(layer.path)
        if layer.image is None:
            count[path, None] += 1      # where it begins is not told: there may be a hole
            continue
        if layer.image.has_data_file:
            path = os.path.realpath(os.path.join(os.path.dirname(layer.path), layer.image.data_file))
        said = layer.said[read.start // chain.SECTOR]
        offset = said.blob[0] if read.compressed else said.position + read.start - said.stretch
        count[path, offset] += 1
    return count


def main(argv):
    layers = chain.open_chain(argv[0], oracle.active_table)
    qemu, expected = qemu_reads(layers), expected_reads(layers)
    differences = sorted(set(qemu) | set(expected), key=str)
    differences = [key for key in differences if qemu[key] != expected[key]]
    for path, offset in differences[:20]:
        print("%s at %s: QEMU reads %d times, expected %d" % (os.path.basename(path), offset, qemu[path, offset],
                                                              expected[path, offset]))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

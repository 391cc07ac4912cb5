#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has QEMU read a whole guest disk from a simulated one, and says what that took.

    qemu_reads.py [OPTION ...] PLUGIN IMAGE [BACKING ...]     print figures as JSON

QEMU reads the guest disk from front to back in requests of 1 MiB, one at a time, with its default
options, but for the size of its L2 cache, if one is given. What it reads to open and to close the image is left out. BACKING: qcow2 images below it, the
uppermost first; none of the images may name one itself. Those that are encrypted have the passphrase
"secret".

PLUGIN is nbdkit-disk-plugin.so; it holds the clock. A read is one of an L2 slice if it begins in
an L2 table; the tables are found by oracle.py. The list of reads has a line for each: slice or data,
number of the file, offset, length, seconds until it was done.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

REQUEST = 1 << 20
CRYPT_METHOD = 32               # in the header: none, AES or LUKS
KEY = "--object secret,id=key,data=secret"

# QEMU's tools and nbdkit keep their memory.
HASTY = {**os.environ, "LD_PRELOAD": os.environ["HASTE"]} if os.environ.get("HASTE") else None


class Read:
    """A line of the plugin's log."""

    def __init__(self, line):
        file, offset, length, clock = line.split()
        self.place = int(file), int(offset), int(length)
        self.file, self.offset, self.length = self.place
        self.clock = float(clock)


def encryption(path):
    with open(path, "rb") as file:
        header = file.read(CRYPT_METHOD + 4)
    return (None, "aes", "luks")[int.from_bytes(header[CRYPT_METHOD:], "big")]


class SimulatedDisk:
    """Images and a data file on a disk that nbdkit serves for as long as two commands run."""

    def __init__(self, plugin, images, data_file=None, extents=None, l2_cache_size=None, cache_size=None):
        self.parameters = [os.path.abspath(plugin), "file=" + os.path.abspath(images[0])]
        if extents:
            self.parameters.append("extents=" + os.path.abspath(extents))
        others = list(images[1:]) + ([data_file] if data_file else [])
        self.parameters += ["file=" + os.path.abspath(path) for path in others]
        self.encrypted = any(encryption(path) for path in images)
        opened = None
        for number in reversed(range(len(images))):
            opened = {"driver": "qcow2", "file": self.export(number), "backing": opened}
            if encryption(images[number]):
                opened["encrypt"] = {"format": encryption(images[number]), "key-secret": "key"}
        if data_file:
            opened["data-file"] = self.export(len(images))
        if l2_cache_size:
            opened["l2-cache-size"] = l2_cache_size
        if cache_size:
            opened["cache-size"] = cache_size
        # nbdkit's shell puts its socket in.
        self.image = "'json:%s'" % json.dumps(opened).replace("SOCKET", "'$unixsocket'")

    def export(self, number):
        return {"driver": "nbd", "server": {"type": "unix", "path": "SOCKET"}, "export": str(number)}

    def run(self, command, stdin):
        """The reads of a QEMU that opens and closes the image, and then those that a shell command made."""
        with tempfile.TemporaryDirectory(prefix="qcow2frag-") as folder:
            log = os.path.join(folder, "log")
            idle = f"qemu-io {KEY} -r {self.image} </dev/null && wc -l <{log} >{folder}/idle"
            run = subprocess.run(["nbdkit", "-U", "-", "-r", *self.parameters, "log=" + log, "--run", f"{idle} && {command}"],
                                 input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                                 env=HASTY)
            # qemu-io goes on after a failed read, and only tells it.
            if run.returncode != 0 or "failed" in run.stdout:
                sys.exit("reading from the simulated disk:\n" + run.stdout)
            with open(log, encoding="ascii") as lines:
                reads = [Read(line) for line in lines]
            with open(folder + "/idle", encoding="ascii") as number:
                n_idle = int(number.read())
            return reads[:n_idle], reads[n_idle:]

    def with_bench(self, n_requests):
        """So many requests: the same as with qemu-io, twenty times as fast."""
        return self.run(f"qemu-img bench -q -d 1 -c {n_requests} -s {REQUEST} -S {REQUEST} {self.image}", "")

    def with_qemu_io(self, size, begin=0):
        """Also for disks that end within a request, or from a place in the middle on."""
        requests = [f"read -q {off} {min(REQUEST, size - off)}\n" for off in range(begin, size, REQUEST)]
        return self.run(f"qemu-io {KEY} -r {self.image}", "".join(requests))

    def read_all(self, size, with_qemu_io, begin=0):
        """The reads of the guest disk from `begin` to `size`, and the clock before the first of them."""
        if with_qemu_io or self.encrypted or size == 0:     # qemu-img bench takes no keys
            idle, reads = self.with_qemu_io(size, begin)
        else:
            idle, reads = self.with_bench(size // REQUEST)
        n_opening = common_start(idle, reads)
        # An image with bitmaps is read once more when it is closed.
        end = len(reads) - (len(idle) - n_opening)
        if [read.place for read in reads[end:]] != [read.place for read in idle[n_opening:]]:
            sys.exit("QEMU opens or closes the image in two different ways")
        return reads[n_opening:end], reads[n_opening - 1].clock


def common_start(one, other):
    n = 0
    while n < min(len(one), len(other)) and one[n].place == other[n].place:
        n += 1
    return n


class Tables:
    """What the images say of themselves: their L2 tables, and how far those reach."""

    def __init__(self, paths):
        self.of_file = []       # (size of a table, their offsets), by the number of the file
        self.end = 0            # of the guest range behind all L2 tables
        for path in paths:
            image = oracle.Image(path)
            try:
                self.add(image)
            finally:
                image.close()
        image = oracle.Image(paths[0])
        image.close()
        self.guest_size = image.virtual_bytes

    def add(self, image):
        table = oracle.active_table(image)
        image.find_overlaps([table])
        offsets = set()
        for index, entry in oracle.nonzero_l1_entries(image, table.l1_offset, table.l1_size):
            offsets.add(oracle.decode_l1_entry(image, entry)[0])
            self.end = max(self.end, (index + 1) * image.l2_entries * image.cluster)
        self.of_file.append((image.cluster, offsets - {0}))

    def kind(self, read):
        if read.file >= len(self.of_file):
            return "data"
        size, offsets = self.of_file[read.file]
        return "slice" if read.offset // size * size in offsets else "data"


def measure(plugin, paths, given=None):
    """`given`: the options of the command line."""
    given = given or argparse.Namespace(data_file=None, extents=None, reads=None, qemu_io=False, tables=False,
                                        mebibytes=None, l2_cache_size=None, cache_size=None)
    tables = Tables(paths)
    begin, size = 0, tables.guest_size
    if given.tables:
        size = min(size, oracle.round_up(tables.end, REQUEST))
    if given.mebibytes:
        begin, size = given.mebibytes[0] * REQUEST, given.mebibytes[1] * REQUEST
    disk = SimulatedDisk(plugin, paths, given.data_file, given.extents, given.l2_cache_size,
                         given.cache_size)
    reads, start = disk.read_all(size, given.qemu_io or begin > 0 or size % REQUEST != 0, begin)
    kinds = [tables.kind(read) for read in reads]
    if given.reads:
        with open(given.reads, "w", encoding="ascii") as file:
            for kind, read in zip(kinds, reads):
                print(kind, *read.place, "%.9f" % (read.clock - start), file=file)
    return {"seconds": reads[-1].clock - start if reads else 0.0,
            "slices": kinds.count("slice"), "data_reads": kinds.count("data"),
            "data_bytes": sum(read.length for kind, read in zip(kinds, reads) if kind == "data")}


def main(argv):
    parser = argparse.ArgumentParser(description="QEMU reads from a simulated disk.")
    parser.add_argument("--data-file", metavar="FILE")
    parser.add_argument("--extents", metavar="EXTENTS", help="where the image lies on the disk (extents.h)")
    parser.add_argument("--reads", metavar="LIST", help="a file for the reads themselves")
    parser.add_argument("--tables", action="store_true", help="only as far as there are L2 tables")
    parser.add_argument("--mebibytes", nargs=2, type=int, metavar=("FROM", "TO"), help="only these of the disk")
    parser.add_argument("--l2-cache-size", type=int, metavar="BYTES", help="the option of QEMU, for the uppermost image")
    parser.add_argument("--cache-size", type=int, metavar="BYTES", help="the same of both its caches, as libvirt sets it")
    parser.add_argument("--qemu-io", action="store_true", help="with qemu-io, where qemu-img bench would do")
    parser.add_argument("plugin", metavar="PLUGIN", help="nbdkit-disk-plugin.so")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="then its backing files, the uppermost first")
    given = parser.parse_args(argv)
    json.dump(measure(given.plugin, given.images, given), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])

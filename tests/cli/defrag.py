#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images of every kind are defragmented: what is written is what there was, or there is a refusal.

    defrag.py [COUNT [SEED]]        with so many mutated images (30), the first of them made of this number (1)

Fixtures, a part of the damaged images, and fixtures of which a few words of the metadata are changed at
random, one after the other. A result is judged by QEMU: qemu-img check finds nothing, and qemu-img
compare no difference. A refusal is one line, status 1, and leaves no file. Either way the image itself
is as it was.
"""
import glob
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

from again import Again, Gone
from memory_folder import memory_folder

QCOW2FRAG, MKQCOW2, TESTS = (os.environ[name] for name in ("QCOW2FRAG", "MKQCOW2", "TESTS"))
EVERY = 15  # of the damaged ones
LONGEST = 1 << 34  # bytes of a file that is compared
FILLED = 1 << 25   # bytes of a file whose clusters of data are told apart

# What QEMU cannot read, though the image is sound: data that are no compressed ones, files that are not
# there, disks that it would read for years.
UNREADABLE = {"backing", "compressed-1bit", "compressed-packed", "compressed-padded",
              "compressed-random-sizes", "compressed-reversed", "compressed-zstd", "last-blob-cut",
              "two-eib-empty", "126-two-eib", "126-two-eib-last"}


# Small ones with something of everything, of which the mutated ones are made.
MUTATED = ["bitmaps", "compressed-packed", "extended-l2-partial", "interleaved-writers", "refcount-bits-2",
           "shared-cluster", "snapshot-shared", "snapshot-l1-longer", "v2-plain", "vm-state", "zero-allocated"]


class Bad(Exception):
    pass


# QEMU's tools do not wait for the disk.
QEMU = {**os.environ, "LD_PRELOAD": os.environ["HASTE"]} if os.environ.get("HASTE") else None


def run(*args):
    environment = QEMU if args[0].startswith("qemu-") else None
    return subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=120, env=environment)


def rewrite(process, path, new):
    """Status and messages."""
    try:
        status, out, err, *_ = process.run("defrag", "--force", "--quiet", "-o", new, path)
    except Gone:
        raise Bad("it died, or it hangs") from None
    return status, (out + err).decode(errors="replace")


class Begin:
    """What a file begins with; into memory that is there, since new memory takes longer than the reading."""

    def __init__(self):
        self.before, self.now = bytearray(1 << 20), bytearray(1 << 20)

    @staticmethod
    def read(path, bytes_there):
        with open(path, "rb", buffering=0) as file:
            return file.readinto(bytes_there)

    def remember(self, path):
        self.n = self.read(path, self.before)

    def is_same(self, path):
        return self.read(path, self.now) == self.n and \
            memoryview(self.before)[:self.n] == memoryview(self.now)[:self.n]


def check(name, path, damaged, process, begin):
    stat, new = os.stat(path), os.path.join(os.path.dirname(path), "new")
    begin.remember(path)
    status, messages = rewrite(process, path, new)
    now = os.stat(path)
    if (stat.st_mtime_ns, stat.st_size) != (now.st_mtime_ns, now.st_size) or not begin.is_same(path):
        raise Bad("the image itself was changed")
    if status == 1:
        if os.path.exists(new):
            raise Bad("it was refused, and there is a new file")
        if messages.count("\n") != 1:
            raise Bad(f"not one line: {messages!r}")
        return "is refused in one line"
    if status != 0 or messages:
        raise Bad(f"status {status}: {messages}")
    if name in UNREADABLE or (damaged and run("qemu-img", "check", path).returncode not in (0, 2, 3)):
        return "is rewritten"
    found = run("qemu-img", "check", new)
    if found.returncode != 0:
        raise Bad(f"check says {found.returncode}: {found.stdout}{found.stderr}")
    if stat.st_size > LONGEST or (damaged and run("qemu-img", "compare", path, path).returncode != 0):
        return "is rewritten"
    same = run("qemu-img", "compare", path, new)
    if same.returncode != 0:
        raise Bad(f"compare: {same.stdout}{same.stderr}")
    return "is rewritten, and the same"


def make_all(texts, folder, long_folder):
    """The data have a text each, by which they can be told from others, if that is not too much. What is long has only
    holes there. Where the images are, by their texts."""
    subprocess.run([MKQCOW2, "--into", long_folder, *texts], check=True, capture_output=True)
    made, filled = {}, []
    for text in texts:
        name = os.path.basename(text)[:-len(".txt")]
        made[text] = os.path.join(long_folder, name + ".qcow2")
        if os.stat(made[text]).st_size > FILLED:
            continue
        os.unlink(made[text])
        made[text] = os.path.join(folder, name + ".qcow2")
        filled.append(os.path.join(folder, name + ".txt"))
        with open(text, encoding="utf-8") as lines, open(filled[-1], "w", encoding="utf-8") as file:
            content = lines.read()
            file.write(content if "\nfill" in content else "fill\n" + content)
    subprocess.run([MKQCOW2, "--into", folder, *filled], check=True, capture_output=True)
    return made


def words(image, place, n):
    """The places of @n words of 8 bytes, as far as the file has them."""
    return [place + 8 * i for i in range(n) if place + 8 * i + 8 <= len(image)]


def tables(image, place, entries):
    """The words of an L1 table, and the first and some other ones of the tables that it names."""
    found = words(image, place, min(entries, 64))
    for at in list(found):
        l2 = struct.unpack_from(">Q", image, at)[0] & 0x00FFFFFFFFFFFE00
        if l2:
            found += words(image, l2, 64)
    return found


def metadata(image):
    """The places of words that say something, by table: each is as likely to be changed."""
    bits, = struct.unpack_from(">I", image, 20)
    l1_entries, l1, refcounts = struct.unpack_from(">IQQ", image, 36)
    snapshots, at = struct.unpack_from(">IQ", image, 60)
    kinds = [words(image, 0, 15), tables(image, l1, l1_entries), words(image, refcounts, 4)]
    block, = struct.unpack_from(">Q", image, refcounts)
    kinds.append(words(image, block, 64 if bits > 9 else 16))
    for _ in range(snapshots):
        place, entries, id_len, name_len = struct.unpack_from(">QIHH", image, at)
        extra, = struct.unpack_from(">I", image, at + 36)
        kinds += [words(image, at, 6), tables(image, place, entries)]
        at += (40 + extra + id_len + name_len + 7) // 8 * 8
    return [kind for kind in kinds if kind]


def mutate(dice, path):
    """One to three words become others."""
    others = {}
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), min(32 << 20, os.stat(path).st_size),
                                              access=mmap.ACCESS_READ) as image:
        kinds = metadata(image)
        for _ in range(dice.choice([1, 1, 2, 3])):
            at, other = dice.choice(dice.choice(kinds)), dice.choice(dice.choice(kinds))
            word, = struct.unpack_from(">Q", image, at)
            word = dice.choice([word ^ 1 << dice.randrange(64), struct.unpack_from(">Q", image, other)[0],
                                word + dice.choice([-1, 1]) * 65536, 0, dice.getrandbits(64)])
            others[at] = struct.pack(">Q", word % (1 << 64))
        for at, other in others.items():
            os.pwrite(file.fileno(), other, at)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if shutil.which("qemu-img") is None:
        print("1..0 # skip no qemu-img")
        return 0
    texts = sorted(glob.glob(os.path.join(TESTS, "images", "*.txt")))
    damaged = sorted(glob.glob(os.path.join(TESTS, "images", "damage", "*.txt")))[::EVERY]
    trials = [(os.path.basename(text)[:-len(".txt")], text, None) for text in texts + damaged]
    for seed in range(first, first + count):
        name = MUTATED[seed % len(MUTATED)]
        trials.append((f"{name}, mutated by {seed}", os.path.join(TESTS, "images", name + ".txt"), seed))
    failed = 0
    print(f"1..{len(trials)}")
    begin = Begin()
    with tempfile.TemporaryDirectory() as folder, memory_folder(folder) as long_folder, \
            Again(QCOW2FRAG) as process:
        made = make_all(texts + damaged, folder, long_folder)
        for i, (name, text, seed) in enumerate(trials):
            path = made[text]
            try:
                if seed is not None:
                    path = shutil.copy(path, os.path.join(folder, "mutated"))
                    mutate(random.Random(seed), path)
                said = check(name, path, text in damaged or seed is not None, process, begin)
                print(f"ok {i + 1} - {name} {said}", flush=True)
            except (Bad, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {i + 1} - {name}\n# {error!r}", flush=True)
            new = os.path.join(os.path.dirname(path), "new")
            if os.path.exists(new):
                os.unlink(new)
            if os.path.dirname(path) == long_folder:
                os.unlink(path)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

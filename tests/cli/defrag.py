#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images of every kind are defragmented: what is written is what there was, or there is a refusal.

Fixtures, and a part of the damaged images, one after the other. A result is judged by QEMU: qemu-img
check finds nothing, and qemu-img compare no difference. A refusal is one line, status 1, and leaves no
file. Either way the image itself is as it was.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

QCOW2FRAG, MKQCOW2, TESTS = (os.environ[name] for name in ("QCOW2FRAG", "MKQCOW2", "TESTS"))
EVERY = 15  # of the damaged ones
LONGEST = 1 << 34  # bytes of a file that is compared

# What QEMU cannot read, though the image is sound: data that are no compressed ones, files that are not
# there, disks that it would read for years.
UNREADABLE = {"backing", "compressed-1bit", "compressed-packed", "compressed-padded",
              "compressed-random-sizes", "compressed-reversed", "compressed-zstd", "last-blob-cut",
              "two-eib-empty", "126-two-eib", "126-two-eib-last"}


class Bad(Exception):
    pass


def run(*args):
    return subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=120)


def check(name, path, damaged):
    stat = os.stat(path)
    before = open(path, "rb").read(1 << 20)
    opens = run("qemu-img", "check", path).returncode in (0, 2, 3)
    done = run(QCOW2FRAG, "defrag", "--force", "--quiet", "-o", "new", path)
    now = os.stat(path)
    if (stat.st_mtime_ns, stat.st_size) != (now.st_mtime_ns, now.st_size) or \
            open(path, "rb").read(1 << 20) != before:
        raise Bad("the image itself was changed")
    if done.returncode == 1:
        if os.path.exists("new"):
            raise Bad("it was refused, and there is a new file")
        if done.stderr.count("\n") != 1:
            raise Bad(f"not one line: {done.stderr!r}")
        return "is refused in one line"
    if done.returncode != 0 or done.stderr:
        raise Bad(f"status {done.returncode}: {done.stderr}")
    if not opens or name in UNREADABLE:
        return "is rewritten"
    found = run("qemu-img", "check", "new")
    if found.returncode != 0:
        raise Bad(f"check says {found.returncode}: {found.stdout}{found.stderr}")
    if stat.st_size > LONGEST or (damaged and run("qemu-img", "compare", path, path).returncode != 0):
        return "is rewritten"
    same = run("qemu-img", "compare", path, "new")
    if same.returncode != 0:
        raise Bad(f"compare: {same.stdout}{same.stderr}")
    return "is rewritten, and the same"


def main():
    if shutil.which("qemu-img") is None:
        print("1..0 # skip no qemu-img")
        return 0
    texts = sorted(glob.glob(os.path.join(TESTS, "images", "*.txt")))
    damaged = sorted(glob.glob(os.path.join(TESTS, "images", "damage", "*.txt")))[::EVERY]
    failed = 0
    print(f"1..{len(texts) + len(damaged)}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for i, text in enumerate(texts + damaged):
            name = os.path.basename(text)[:-len(".txt")]
            path = name + ".qcow2"
            try:
                subprocess.run([MKQCOW2, text, path], check=True, capture_output=True)
                print(f"ok {i + 1} - {name} {check(name, path, text in damaged)}", flush=True)
            except (Bad, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {i + 1} - {name}\n# {error!r}", flush=True)
            for left in (path, "new"):
                if os.path.exists(left):
                    os.unlink(left)
        os.chdir("/")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

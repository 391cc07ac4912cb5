#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py [all]: every call by which defrag changes a file or a folder fails once; and is the last one before a SIGKILL.

Of the ways to do it that differ in the end alone, only those calls that make or change a name, and the last ones,
unless "all" is said.

After each the name leads to the old image, untouched, or to the new one, whole; there is one line and
status 1, or nothing went wrong; and no file is left. A program that was killed may leave one hidden name,
which the next one removes.
"""
import errno
import os
import shutil
import subprocess
import sys

from ways import HIDDEN, WAYS, Bad, Ways

# What may fail, and the image is replaced all the same: it only makes things faster, or is a check more.
HARMLESS = {"sync_file_range", "ioctl", "fremovexattr"}
TAKES_ROOM = {"pwrite", "ftruncate", "fallocate", "create", "nameless", "linkat", "renameat", "fsetxattr", "fsync"}
THOROUGH = {"in its place"}
OF_NAMES = {"linkat", "renameat", "exchange", "unlinkat", "create"}


def orders(name, answer):
    yield str(errno.EIO)
    if name in TAKES_ROOM:
        yield str(errno.ENOSPC)
    if name == "fallocate":
        yield str(errno.EOPNOTSUPP)
    if name == "pwrite":
        yield f"half {errno.ENOSPC}"
        yield f"half {errno.EINTR}"
        yield str(errno.EINTR)
        yield str(errno.EINVAL)
    if name in OF_NAMES and answer >= 0:
        yield f"done {errno.EIO}"


def is_tried(way, name):
    return way in THOROUGH or "all" in sys.argv[1:] or name in OF_NAMES or name == "fsync"


def fail(ways, way, number, name, order):
    ways.at()
    status, out, err = ways.run(way, CALLS_AT=number, CALLS_DO=order)
    hidden = name == "unlinkat" or (order.startswith("done") and name == "create")
    state = ways.judge(way, hidden)
    if out:
        raise Bad(f"printed: {out}")
    if status == 0 and (err or state != "new"):
        raise Bad(f"status 0, {state}: {err}")
    if status not in (0, 1) or (status == 1 and (err.count("\n") != 1 or not err.startswith("qcow2frag: " + ways.image))):
        raise Bad(f"status {status}: {err}")
    if name in HARMLESS and status != 0:
        raise Bad(f"it is no reason to fail: {err}")
    if order.split()[-1] in (str(errno.EINTR), str(errno.EOPNOTSUPP)) and status != 0:
        raise Bad(f"it could go on: {err}")
    if state == "new" and status == 1 and name == "fsync" and "was" not in err and "has its name" not in err:
        raise Bad(f"it does not say that the new one is there: {err}")
    if order.startswith("done") and name in ("renameat", "exchange", "linkat") and (status, state) != (0, "new"):
        raise Bad(f"it was done: {err}")
    return status


def kill(ways, way, number, order):
    ways.at()
    status, out, err = ways.run(way, CALLS_AT=number, CALLS_DO=order)
    if status != -9 or out or err:
        raise Bad(f"status {status}: {out}{err}")
    state = ways.judge(way, hidden=True)
    left = [name for name in os.listdir(ways.folder) if name.startswith(HIDDEN)]
    if len(left) > 1:
        raise Bad(f"left: {left}")
    if "CALLS_NO_LINK" in WAYS[way][1] and state == "old" and os.path.exists(ways.kept):
        os.unlink(ways.kept)  # it is the new one, and in the way
    if state == "old" or left:
        again(ways, way)


def again(ways, way):
    """Another rewrite in that folder succeeds, and removes what was left."""
    kept = os.path.exists(ways.kept) and os.stat(ways.image).st_ino != ways.inode
    status, out, err = ways.run("in its place" if kept else way, **{})
    if (status, out, err) != (0, "", ""):
        raise Bad(f"the next one: status {status}: {out}{err}")
    ways.judge(way, hidden=os.stat(ways.image).st_ino != ways.inode and kept)


def seen_by_strace(ways, way):
    """Nothing changes a file that is not counted here."""
    if shutil.which("strace") is None:
        return "# skip no strace"
    ways.at()
    log = os.path.join(ways.scratch, "strace")
    options = WAYS[way][0]
    calls = ("write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,ftruncate,fallocate,fchown,fchmod,fsetxattr,link,linkat,"
             "rename,renameat,renameat2,unlink,unlinkat,truncate,chmod,chown,setxattr,copy_file_range,sendfile,splice,"
             "mmap,io_uring_enter,sync_file_range")
    done = subprocess.run(["strace", "-f", "-qq", "-e", "signal=none", "-o", log, "-e", "trace=" + calls,
                           os.environ["QCOW2FRAG"], "defrag", "-q", *options, ways.image], capture_output=True, text=True)
    if done.returncode != 0:
        return "# skip strace does not work here"
    counted = {}
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split(None, 1)[1]
            name = words.split("(")[0]
            if "resumed" in words or name.startswith(("+++", "---", "mmap", "io_uring_enter")):
                if "MAP_SHARED" in words and "PROT_WRITE" in words and "io_uring" not in words and "<" in words:
                    raise Bad(f"a file is mapped to be written: {words}")
                continue
            counted[name] = counted.get(name, 0) + 1
    lines, _ = ways.record(way)
    ours = {}
    for _, name, *_ in lines:
        name = {"pwrite": "pwrite64", "exchange": "renameat2"}.get(name, name)
        if name not in ("nameless", "ioctl", "fremovexattr"):
            ours[name] = ours.get(name, 0) + 1
    if counted != ours:
        raise Bad(f"strace: {counted}, counted: {ours}")
    return ""


def try_all(ways, way, counts):
    lines, _ = ways.record(way)
    for number, name, answer, *_ in lines:
        if not is_tried(way, name):
            continue
        for order in orders(name, int(answer)):
            attempt = f"call {number} ({name}), {order}"
            try:
                counts["failed"] += 1
                counts["harmless"] += fail(ways, way, number, name, order) == 0
            except Bad as bad:
                raise Bad(f"{attempt}: {bad}") from bad
        for order in ["kill"] + (["half-kill"] if name == "pwrite" else []):
            try:
                counts["killed"] += 1
                kill(ways, way, number, order)
            except Bad as bad:
                raise Bad(f"call {number} ({name}), {order}: {bad}") from bad


def main():
    if shutil.which("qemu-img") is None:
        print("1..0 # skip no qemu-img")
        return 0
    print(f"1..{len(WAYS) + 1}")
    failures = 0
    with Ways() as ways:
        for i, way in enumerate(WAYS, 1):
            counts = {"failed": 0, "harmless": 0, "killed": 0}
            why = ""
            try:
                try_all(ways, way, counts)
            except Bad as bad:
                why, failures = f"\n# {bad}", failures + 1
            print(f"{'not ' if why else ''}ok {i} - {way}: {counts['failed']} calls failed ({counts['harmless']} did no harm), "
                  f"{counts['killed']} were the last{why}", flush=True)
        i, why = len(WAYS) + 1, ""
        try:
            skip = seen_by_strace(ways, "--keep-original")
        except Bad as bad:
            why, failures, skip = f"\n# {bad}", failures + 1, ""
        print(f"{'not ' if why else ''}ok {i} - all of these calls are counted {skip}{why}")
    return 1 if failures else 0


sys.exit(main())

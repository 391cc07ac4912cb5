#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kills.py [COUNT [SEED]]: SIGKILL at so many random moments (25) of defrag, in each of the ways in turn.

The name leads to the old image, untouched, or to the new one, whole; at most one hidden name is left, and
the next rewrite in that folder succeeds and removes it. (At each single call: faults.py.)
"""
import os
import random
import shutil
import subprocess
import sys
import time

from ways import HIDDEN, WAYS, Bad, Ways

FIXTURE = """fill
size 64M
map 0..249 reversed
snapshot before
map 40..99 at 400 reversed
"""


def kill(ways, way, delay):
    """What there was then: "old", "new" or "ended" before it; and whether a hidden name was left."""
    ways.at()
    process = ways.start(way)
    time.sleep(delay)
    process.kill()
    out, err = process.communicate(timeout=120)
    if process.returncode not in (0, -9) or out or err:
        raise Bad(f"status {process.returncode}: {out}{err}")
    state = ways.judge(way, hidden=True)
    left = [name for name in os.listdir(ways.folder) if name.startswith(HIDDEN)]
    if process.returncode == 0 and (left or state != "new"):
        raise Bad(f"status 0, {state}, left: {left}")
    if len(left) > 1:
        raise Bad(f"left: {left}")
    if state == "new":
        ways.at()  # the one that is in order would be left as it is
        for name in left:
            shutil.copy(ways.copy, os.path.join(ways.folder, name))
    elif "CALLS_NO_LINK" in WAYS[way][1] and os.path.exists(ways.kept):
        os.unlink(ways.kept)  # it is the new one, and in the way
    status, out, err = ways.run(way)
    if (status, out, err) != (0, "", "") or ways.judge(way) != "new":
        raise Bad(f"the next one: status {status}: {out}{err}")
    return ("ended" if process.returncode == 0 else state), bool(left)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    if shutil.which("qemu-img") is None:
        print("1..0 # skip no qemu-img")
        return 0
    print("1..1")
    found = {"old": 0, "new": 0, "ended": 0, "left": 0}
    why = ""
    with Ways(FIXTURE) as ways:
        ways.record("in its place")
        ways.at()
        began = time.monotonic()
        ways.start("in its place").communicate(timeout=120)
        seconds = time.monotonic() - began
        for n in range(10 * count):
            if found["old"] + found["new"] == count:
                break
            way, delay = list(WAYS)[n % len(WAYS)], dice.uniform(0, seconds)
            try:
                state, left = kill(ways, way, delay)
            except (Bad, subprocess.TimeoutExpired) as bad:
                why = f"\n# {way}, after {delay:.4f} s: {bad}"
                break
            found[state] += 1
            found["left"] += left
    print(f"{'not ' if why else ''}ok 1 - killed at {found['old'] + found['new']} moments: {found['old']} old, {found['new']} new (and "
          f"{found['ended']} that had ended before); {found['left']} hidden names were left{why}")
    return 1 if why else 0


sys.exit(main())

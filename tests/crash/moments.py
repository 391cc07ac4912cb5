#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""moments.py: what others do between two of the calls by which defrag gives an image its name.

The program is stopped before the call. Then it gets a signal that ends it, or somebody gives one of the names
to another file; then it goes on. Nothing of what was there is lost, and no hidden name is left.
"""
import os
import shutil
import signal
import sys

from ways import HIDDEN, WAYS, Bad, Ways

OF_NAMES = {"create", "linkat", "renameat", "exchange", "unlinkat"}


def stopped_before(ways, way, number):
    ways.at()
    process = ways.start(way, CALLS_AT=str(number), CALLS_DO="stop")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        process.returncode = os.waitstatus_to_exitcode(status)
        raise Bad(f"it has ended with {process.returncode}: {process.communicate()}")
    return process


def go_on(process):
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def end_by_signal(ways, way, number):
    """The handler runs in one thread while the call is done in another."""
    process = stopped_before(ways, way, number)
    process.send_signal(signal.SIGHUP)
    status, out, err = go_on(process)
    if status not in (0, -signal.SIGHUP) or out or err:
        raise Bad(f"status {status}: {out}{err}")
    ways.judge(way)


def put_another(ways, way, number, calls):
    """The image is exchanged for another one: that stays."""
    process = stopped_before(ways, way, number)
    other = os.path.join(ways.scratch, "other")
    shutil.copy(ways.copy, other)
    os.replace(other, ways.image)
    inode = os.stat(ways.image).st_ino
    status, out, err = go_on(process)
    replaced_before = any(name in ("renameat", "exchange") for name in calls[:number - 1])
    if status != 0 if replaced_before else status != 1 or "its name leads to another file now" not in err:
        raise Bad(f"status {status}: {out}{err}")
    if os.stat(ways.image).st_ino != inode or ways.old != open(ways.image, "rb").read():
        raise Bad("the other image is not there any more")
    if [name for name in os.listdir(ways.folder) if name.startswith(HIDDEN)]:
        raise Bad(f"left: {os.listdir(ways.folder)}")


def take_hidden(ways, way, number):
    """The hidden name is given to another file before it is used: the image stays."""
    process = stopped_before(ways, way, number)
    hidden = [name for name in os.listdir(ways.folder) if name.startswith(HIDDEN)]
    if len(hidden) != 1:
        raise Bad(f"hidden: {hidden}")
    other = os.path.join(ways.scratch, "other")
    with open(other, "w", encoding="utf-8") as file:
        file.write("another")
    os.replace(other, os.path.join(ways.folder, hidden[0]))
    status, out, err = go_on(process)
    if status != 1 or err.count("\n") != 1:
        raise Bad(f"status {status}: {out}{err}")
    if ways.judge(way, hidden=True) != "old":
        raise Bad("the image was replaced")


def try_way(ways, way):
    lines, _ = ways.record(way)
    calls = [name for _, name, *_ in lines]
    tried = 0
    for number, name in enumerate(calls, 1):
        if name not in OF_NAMES:
            continue
        attempts = [lambda: end_by_signal(ways, way, number)]
        # Where names do not change places, what is renamed is known before, and not quite for certain.
        if "CALLS_NO_EXCHANGE" not in WAYS[way][1]:
            if name in ("exchange", "unlinkat") and "CALLS_NO_LINK" not in WAYS[way][1]:
                attempts.append(lambda: put_another(ways, way, number, calls))
            if name == "exchange" and "CALLS_NO_LINK" not in WAYS[way][1]:
                attempts.append(lambda: take_hidden(ways, way, number))
        for attempt in attempts:
            tried += 1
            try:
                attempt()
            except Bad as bad:
                raise Bad(f"before call {number} ({name}): {bad}") from bad
    return tried


def main():
    if shutil.which("qemu-img") is None:
        print("1..0 # skip no qemu-img")
        return 0
    print(f"1..{len(WAYS)}")
    failures = 0
    with Ways() as ways:
        for number, way in enumerate(WAYS, 1):
            why, tried = "", 0
            try:
                tried = try_way(ways, way)
            except Bad as bad:
                why, failures = f"\n# {bad}", failures + 1
            print(f"{'not ' if why else ''}ok {number} - {way}: {tried} moments{why}", flush=True)
    return 1 if failures else 0


sys.exit(main())

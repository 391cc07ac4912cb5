#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shutdown.py [all]: a real file system stops in the middle of defrag, as by a loss of power; root only.

ext4 and XFS on a loop device. The program is stopped before a call that changes a file or a folder; the file
system is shut down, so that nothing more comes to its disk, not even what its journal has in memory; the
program goes on, to see errors only; the file system is mounted again. Then the name leads to the old image,
or to the whole new one; to the new one if the program had ended. "all": before each call, and in all ways.
"""
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

from ways import HIDDEN, WAYS, Bad, Ways

SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
WITHOUT_JOURNAL = 2
SYSTEMS = {"ext4": ["-q", "-F"], "xfs": ["-q", "-f"]}
IN_SHORT = ["--keep-original", "--check-command"]
MOUNTED_ANEW = "mounted anew"


def do(*args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{args[0]}: {done.stderr.strip()}")


def mount(disk, where):
    do("mount", "-o", "loop", disk, where)


def shut_down(where):
    fd = os.open(where, os.O_RDONLY)
    fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
    os.close(fd)


def run_until(ways, way, number):
    """Stopped before that call; None: it has ended, its status."""
    process = ways.start(way, CALLS_AT=str(number), CALLS_DO="stop")
    while True:
        pid, status = os.waitpid(process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return process, None
        process.returncode = os.waitstatus_to_exitcode(status)
        return process, process.returncode


def lose_power(ways, way, number, disk, where):
    ways.at()
    os.sync()
    process, status = run_until(ways, way, number)
    shut_down(where)
    if status is None:
        process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    if process.returncode not in (0, 1) or out or (process.returncode == 1) != (err.count("\n") == 1):
        raise Bad(f"status {process.returncode}: {out}{err}")
    do("umount", where)
    mount(disk, where)
    state = ways.judge(way, hidden=True)
    if len([name for name in os.listdir(ways.folder) if name.startswith(HIDDEN)]) > 1:
        raise Bad(f"left: {os.listdir(ways.folder)}")
    if process.returncode == 0 and state != "new":
        raise Bad("it said that it was done, and the old one is there")
    return state


def try_system(system, disk, where):
    with open(disk, "wb") as file:
        file.truncate(320 << 20)
    do("mkfs." + system, *SYSTEMS[system], disk)
    mount(disk, where)
    found = {"old": 0, "new": 0}
    thorough = "all" in sys.argv[1:]
    with Ways(folder=where + "/folder") as ways:
        for way in list(WAYS) if thorough else IN_SHORT:
            lines, _ = ways.record(way)
            first = 1 if thorough else next(i for i, (_, name, *_) in enumerate(lines, 1) if name == "fsync")
            for number in range(first, len(lines) + 2):
                try:
                    found[lose_power(ways, way, number, disk, where)] += 1
                except Bad as bad:
                    name = lines[number - 1][1] if number <= len(lines) else "the end"
                    raise Bad(f"{way}, before call {number} ({name}): {bad}") from bad
    return found


def main():
    scratch = sys.argv[sys.argv.index(MOUNTED_ANEW) + 1]
    where, disk = scratch + "/mounted", scratch + "/disk"
    os.mkdir(where)
    print(f"1..{len(SYSTEMS)}")
    failures = 0
    for number, system in enumerate(SYSTEMS, 1):
        mounted = False
        try:
            began = time.monotonic()
            found = try_system(system, disk, where)
            print(f"ok {number} - {system}: the power was lost {sum(found.values())} times: {found['old']} old, "
                  f"{found['new']} new", flush=True)
            print(f"# {time.monotonic() - began:.1f} s", flush=True)
        except Bad as bad:
            failures += 1
            print(f"not ok {number} - {system}\n# {bad}", flush=True)
        except OSError as error:
            print(f"ok {number} - {system} # skip {str(error).splitlines()[0]}", flush=True)
        while os.path.ismount(where):
            if subprocess.run(["umount", where]).returncode != 0:
                break
    return 1 if failures else 0


def enter():
    """All that follows has mounts of its own, which end with it."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("qemu-img") is None:
        print("1..0 # skip needs root, unshare and qemu-img")
        return 0
    import tempfile
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    with tempfile.TemporaryDirectory(prefix="qcow2frag.") as scratch:
        return subprocess.run(["unshare", "-m", sys.executable, *sys.argv, MOUNTED_ANEW, scratch]).returncode


sys.exit(main() if MOUNTED_ANEW in sys.argv else enter())

# SPDX-License-Identifier: MIT
"""Runs a program within 2 seconds of its time, one more for each 64 MiB that the file named last
stores, or the chain that goes on with .1, .2 ... behind its name, and 64 MiB of memory.

    bounded.py [--sanitized] PROGRAM ARGUMENT...

Ends with its exit status; what goes too far is told on stderr, and ends with 125. A program that
waits for something is killed after a minute. Sanitizers take more of both.
"""
import glob
import os
import subprocess
import sys
import threading

SECONDS = 2
STORED_BYTES = 64 << 20
BYTES = 64 << 20
HANGS_SECONDS = 60


def main(argv):
    sanitized = argv[0] == "--sanitized"
    child = subprocess.Popen(argv[1:] if sanitized else argv, stdin=subprocess.DEVNULL)
    chain = [name for name in glob.glob(argv[-1] + "*") if not name[len(argv[-1]):].strip(".0123456789")]
    stored = sum(os.stat(name).st_blocks * 512 for name in chain)
    limit = SECONDS + stored / STORED_BYTES
    hung = []

    def kill():
        hung.append(True)
        child.kill()

    alarm = threading.Timer(HANGS_SECONDS, kill)
    alarm.start()
    _, status, used = os.wait4(child.pid, 0)
    alarm.cancel()
    child.returncode = status = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    if hung:
        print("bounded.py: it waits for something", file=sys.stderr)
        return 125
    if status < 0:
        return 128 - status
    if not sanitized and (seconds > limit or used.ru_maxrss * 1024 > BYTES):
        print("bounded.py: took %.1f s and %d MiB" % (seconds, used.ru_maxrss >> 10), file=sys.stderr)
        return 125
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: MIT
"""Runs a program within 2 seconds of its time, one more for each 64 MiB that the file named last
stores, or the chain that goes on with .1, .2 ... behind its name, and 64 MiB of memory.

    bounded.py [--sanitized] PROGRAM ARGUMENT...

Ends with its exit status; what goes too far is told on stderr, and ends with 125. A program that
waits for something is killed after a minute. Sanitizers take more of both.

On a machine where much else runs the same work takes more time of the processor: what took too
much is tried again, and the least counts. What is printed is that of the last attempt.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import threading

SECONDS = 2
STORED_BYTES = 64 << 20
BYTES = 64 << 20
HANGS_SECONDS = 60
ATTEMPTS = 3


class Attempt:
    """One run: how it ended, what it took and printed."""

    def __init__(self, command):
        self.printed = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.printed[0], stderr=self.printed[1])
        self.hung = False
        alarm = threading.Timer(HANGS_SECONDS, self.kill, [child])
        alarm.start()
        _, status, used = os.wait4(child.pid, 0)
        alarm.cancel()
        child.returncode = self.status = os.waitstatus_to_exitcode(status)
        self.seconds = used.ru_utime + used.ru_stime
        self.bytes = used.ru_maxrss * 1024

    def kill(self, child):
        self.hung = True
        child.kill()

    def print(self):
        for made, stream in zip(self.printed, (sys.stdout, sys.stderr)):
            made.seek(0)
            stream.flush()
            shutil.copyfileobj(made, stream.buffer)
            stream.flush()


def seconds_for(path):
    chain = [name for name in glob.glob(path + "*") if not name[len(path):].strip(".0123456789")]
    return SECONDS + sum(os.stat(name).st_blocks * 512 for name in chain) / STORED_BYTES


def run(command, sanitized):
    limit = seconds_for(command[-1])
    for _ in range(ATTEMPTS):
        attempt = Attempt(command)
        if attempt.hung or attempt.status < 0 or sanitized or attempt.seconds <= limit:
            break
    attempt.print()
    if attempt.hung:
        print("bounded.py: it waits for something", file=sys.stderr)
        return 125
    if attempt.status < 0:
        return 128 - attempt.status
    if not sanitized and (attempt.seconds > limit or attempt.bytes > BYTES):
        print("bounded.py: took %.1f s and %d MiB" % (attempt.seconds, attempt.bytes >> 20), file=sys.stderr)
        return 125
    return attempt.status


def main(argv):
    sanitized = argv[0] == "--sanitized"
    return run(argv[1:] if sanitized else argv, sanitized)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

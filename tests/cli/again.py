# SPDX-License-Identifier: MIT
"""Runs of a program that do not start it each time: its main function is called again and again (again.c).

Whatever such a run comes to that is odd may be of a run before. Then who asked starts the program as it is.
"""
import mmap
import os
import select
import subprocess
import tempfile

SECONDS = 60  # longer takes none


class Gone(Exception):
    """It died, or it hung and was killed; or there is no such process here."""


def is_sanitized(program):
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(b"__asan_init") >= 0


class Again:
    """A process for many runs: of @program, by way of the command @under, with libraries besides again.c's."""

    def __init__(self, program, under=(), libraries=(), environment=None):
        self.program, self.under, self.libraries = program, under, libraries
        self.environment = dict(os.environ if environment is None else environment)
        self.child = None

    @classmethod
    def of(cls, program, **how):
        """One, or None where each run is to be started: sanitizers count what a process does in all."""
        there = os.path.exists(os.environ.get("AGAIN", "")) and not is_sanitized(program)
        return cls(program, **how) if there else None

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.end()

    def start(self):
        library = os.environ.get("AGAIN", "")
        if not os.path.exists(library):
            raise Gone
        self.out, self.err = (tempfile.TemporaryFile(buffering=0) for _ in range(2))
        asked, self.questions = os.pipe()
        self.answers, answered = os.pipe()
        theirs = [asked, answered, self.out.fileno(), self.err.fileno()]
        preload = " ".join([library, *self.libraries])
        self.child = subprocess.Popen(
            [*self.under, "env", f"LD_PRELOAD={preload}", self.program] if self.under else [self.program],
            env={**self.environment, "AGAIN_PIPES": ",".join(map(str, theirs)),
                 **({} if self.under else {"LD_PRELOAD": preload})},
            stdin=subprocess.DEVNULL, pass_fds=theirs)
        os.close(asked)
        os.close(answered)

    def end(self):
        if self.child is None:
            return
        os.close(self.questions)
        if not select.select([self.answers], [], [], 1)[0]:
            self.child.kill()  # what is still there hangs
        os.close(self.answers)
        self.child.wait()
        self.child = None
        self.out.close()
        self.err.close()

    def answer(self):
        line = b""
        while not line.endswith(b"\n"):
            here = select.select([self.answers], [], [], SECONDS)[0]
            some = os.read(self.answers, 256) if here else b""
            if not some:
                self.end()
                raise Gone
            line += some
        return line.split()

    @staticmethod
    def take(file):
        """What has been printed to it."""
        size = os.fstat(file.fileno()).st_size
        text = os.pread(file.fileno(), size, 0)
        if size > 0:
            os.ftruncate(file.fileno(), 0)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
        return text

    def run(self, *arguments, how="here", **settings):
        """Status, out, err, seconds of processor time, peak in bytes. @how: "fork" for a process of its own, made
        from the same one. @settings: of the environment."""
        if self.child is None:
            self.start()
        words = [how, *(f"{name}={value}" for name, value in settings.items()), "--", *arguments]
        try:
            os.write(self.questions, os.fsencode("\0".join([str(len(words)), *words, ""])))
        except BrokenPipeError:
            self.end()
            raise Gone from None
        status, seconds, peak = self.answer()
        return int(status), self.take(self.out), self.take(self.err), float(seconds), int(peak) << 10

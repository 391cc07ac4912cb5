# SPDX-License-Identifier: MIT
"""Runs of a program that do not start it each time: its main function is called again and again (again.c).

Whatever such a run comes to that is odd may be of a run before. Then who asked starts the program as it is.
"""
import mmap
import os
import select
import socket
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
        self.files = [open(os.devnull, "rb"), *(tempfile.TemporaryFile(buffering=0) for _ in range(2))]
        self.out, self.err = self.files[1:]
        self.questions, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        preload = " ".join([library, *self.libraries])
        command = [*self.under, "env", f"LD_PRELOAD={preload}", self.program] if self.under else [self.program]
        with asked:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[asked.fileno()],
                env={**self.environment, "AGAIN_SOCKET": str(asked.fileno()),
                     **({} if self.under else {"LD_PRELOAD": preload})})

    def end(self):
        if self.child is None:
            return
        self.questions.close()
        try:
            self.child.wait(1)
        except subprocess.TimeoutExpired:
            self.child.kill()  # what is still there hangs
            self.child.wait()
        self.child = None
        for file in self.files:
            file.close()

    def ask(self, words):
        """The answer's words."""
        answers, answered = os.pipe()
        folder = os.open(".", os.O_PATH)
        try:
            socket.send_fds(self.questions, [os.fsencode("\0".join([*words, ""]))],
                            [folder, *(file.fileno() for file in self.files), answered])
            os.close(answered)
            answered = -1
            here = select.select([answers], [], [], SECONDS)[0]
            line = os.read(answers, 256) if here else b""
        except OSError:
            line = b""
        finally:
            for file in answers, folder, answered:
                if file >= 0:
                    os.close(file)
        if not line:
            self.end()
            raise Gone
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
        variables = {**self.environment, **settings}
        mask = os.umask(0o22)
        os.umask(mask)
        status, seconds, peak = self.ask([how, f"{mask:o}", str(len(variables)),
                                          *(f"{name}={value}" for name, value in variables.items()), "", *arguments])
        return int(status), self.take(self.out), self.take(self.err), float(seconds), int(peak) << 10

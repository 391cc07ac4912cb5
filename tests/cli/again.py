# SPDX-License-Identifier: MIT
"""Runs of a program that do not start it each time: its main function is called again and again (again.c).

Whatever such a run comes to that is odd may be of a run before. Then who asked starts the program as it is.
"""
import os
import select
import socket
import subprocess
import tempfile
import threading

SECONDS = 60          # longer takes none
SECONDS_STARTED = 120 # nor any that is started, also with a sanitizer


class Gone(Exception):
    """It died, or it hung and was killed."""


class Again:
    """A process for many runs: of @program, by way of the command @under, with libraries besides again.c's. Each run
    is started where the environment names no AGAIN, as with sanitizers, which count what a process does in all."""

    def __init__(self, program, under=(), libraries=(), environment=None):
        self.program, self.under, self.libraries = program, under, libraries
        self.environment = dict(os.environ if environment is None else environment)
        self.library = os.environ.get("AGAIN", "")
        self.is_kept = os.path.exists(self.library)
        self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.end()

    def command(self, libraries, variables):
        """What starts the program with the libraries, and the environment for that."""
        preload = " ".join(libraries)
        if self.under:
            return [*self.under, "env", f"LD_PRELOAD={preload}", self.program], variables
        return [self.program], {**variables, **({"LD_PRELOAD": preload} if libraries else {})}

    def start(self):
        self.files = [open(os.devnull, "rb"), *(tempfile.TemporaryFile(buffering=0) for _ in range(2))]
        self.out, self.err = self.files[1:]
        self.questions, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            command, variables = self.command([self.library, *self.libraries],
                                              {**self.environment, "AGAIN_SOCKET": str(asked.fileno())})
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[asked.fileno()], env=variables)

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

    def run_started(self, arguments, variables):
        command, variables = self.command(self.libraries, variables)
        files = [tempfile.TemporaryFile(buffering=0) for _ in range(2)]
        with files[0], files[1]:
            child = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stdout=files[0], stderr=files[1],
                                     env=variables)
            alarm = threading.Timer(SECONDS_STARTED, child.kill)
            alarm.start()
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            alarm.cancel()
            return (child.returncode, *map(self.take, files), used.ru_utime + used.ru_stime, used.ru_maxrss << 10)

    def run(self, *arguments, how="here", **settings):
        """Status, out, err, seconds of processor time, peak in bytes. @how: "fork" for a process of its own, made
        from the same one; "start" for one that is started. @settings: of the environment."""
        variables = {**self.environment, **settings}
        if how == "start" or not self.is_kept:
            return self.run_started(arguments, variables)
        if self.child is None:
            self.start()
        mask = os.umask(0o22)
        os.umask(mask)
        status, seconds, peak = self.ask([how, f"{mask:o}", str(len(variables)),
                                          *(f"{name}={value}" for name, value in variables.items()), "", *arguments])
        return int(status), self.take(self.out), self.take(self.err), float(seconds), int(peak) << 10

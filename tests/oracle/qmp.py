# SPDX-License-Identifier: MIT
"""Speaks to a running QEMU (or qemu-storage-daemon) over QMP.

    qmp.py SOCKET COMMAND [JSON-ARGUMENTS]

prints what QEMU returns, as JSON; a refusal goes to stderr, and ends with status 1. As a module:

    with qmp.Qmp("qmp.sock") as vm:
        vm.run("blockdev-snapshot-internal-sync", device="disk", name="s1")
        vm.commit("disk")
"""
import json
import socket
import sys
import time


class Refused(Exception):
    """QEMU's words for why it does not do it."""


class Qmp:
    def __init__(self, path, seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.seconds = seconds
        deadline = time.monotonic() + seconds
        while True:  # QEMU makes the socket when it is ready
            try:
                self.socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.stream = self.socket.makefile("rw", encoding="utf-8")
        self.events = []
        self.stream.readline()  # its greeting
        self.run("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def message(self):
        line = self.stream.readline()
        if not line:
            raise Refused("QEMU has gone")
        return json.loads(line)

    def run(self, command, **arguments):
        """Executes one command and returns its value."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        while True:
            answer = self.message()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Refused(f"{command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def wait(self, event):
        """The next event of this name, also one that came before."""
        while True:
            for i, known in enumerate(self.events):
                if known["event"] == event:
                    return self.events.pop(i)["data"]
            message = self.message()
            if "event" in message:
                self.events.append(message)

    def io(self, drive, command):
        """qemu-io's command on a drive, as "write -P 1 0 64k"; returns what it says."""
        said = self.run("human-monitor-command", command_line=f'qemu-io {drive} "{command}"')
        if "error" in said.lower() or "failed" in said.lower():
            raise Refused(f"{command}: {said}")
        return said

    def commit(self, drive):
        """Writes the top layer of a drive into the one below it, and makes that the drive."""
        self.run("block-commit", device=drive, job_id="commit")
        self.wait("BLOCK_JOB_READY")
        self.run("job-complete", id="commit")
        ended = self.wait("BLOCK_JOB_COMPLETED")
        if "error" in ended:
            raise Refused(f"block-commit: {ended['error']}")

    def quit(self):
        try:
            self.run("quit")
            while self.message():
                pass
        except (Refused, OSError):
            pass


def main():
    path, command = sys.argv[1:3]
    arguments = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    with Qmp(path) as vm:
        if command == "quit":
            vm.quit()
            return 0
        try:
            print(json.dumps(vm.run(command, **arguments)))
        except Refused as refusal:
            print(refusal, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

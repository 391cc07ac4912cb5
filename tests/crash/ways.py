# SPDX-License-Identifier: MIT
"""What the tests of crashes share: an image in a folder, the ways to rewrite it, and what is to hold after.

One object of Ways has a scratch folder; at() puts the old image there anew, run() runs qcow2frag, and
judge() raises Bad unless the name leads to the old image, untouched, or to the new one, whole.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from again import Again, Gone  # noqa: E402

QCOW2FRAG, MKQCOW2, CALLS = (os.environ[name] for name in ("QCOW2FRAG", "MKQCOW2", "CALLS"))
HIDDEN = ".qcow2frag-image."

# Small, with something of everything; the data are more than one direct write takes.
FIXTURE = """fill
size 8M
cluster 4K
bitmap b0 data 1
map 0..149 reversed
snapshot before
map 40..49
map 160..179 at 700 reversed
"""

# name: options, what the file system cannot do, whether a second name keeps the old one
WAYS = {
    "in its place": ([], [], False),
    "--keep-original": (["--keep-original"], [], True),
    "--check-command": (["--check-command", ":"], [], False),
    "--check-command and --keep-original": (["--check-command", ":", "--keep-original"], [], True),
    "without exchange": ([], ["CALLS_NO_EXCHANGE"], False),
    "without O_TMPFILE": ([], ["CALLS_NO_TMPFILE"], False),
    "without O_TMPFILE, --keep-original": (["--keep-original"], ["CALLS_NO_TMPFILE"], True),
    "without O_TMPFILE and links, --keep-original": (["--keep-original"], ["CALLS_NO_TMPFILE", "CALLS_NO_LINK"], True),
}


class Bad(Exception):
    pass


def read(path):
    with open(path, "rb") as file:
        return file.read()


ROOM = bytearray(1 << 20)  # memory that is there: new memory takes longer than to read into it


def holds(path, content):
    with open(path, "rb", buffering=0) as file:
        at = 0
        while n := file.readinto(ROOM):
            if memoryview(ROOM)[:n] != memoryview(content)[at:at + n]:
                return False
            at += n
    return at == len(content)


class Ways:
    def __init__(self, fixture=FIXTURE, folder=None):
        self.scratch = tempfile.mkdtemp(prefix="qcow2frag.")
        self.folder = folder or os.path.join(self.scratch, "folder")
        self.image = os.path.join(self.folder, "image")
        self.kept = self.image + ".orig"
        os.mkdir(self.folder)
        subprocess.run([MKQCOW2, "-", self.image], input=fixture, text=True, check=True)
        os.chmod(self.image, 0o640)
        self.has_attributes = True
        try:
            os.setxattr(self.image, "user.note", b"important")
        except OSError:
            self.has_attributes = False
        self.copy = os.path.join(self.scratch, "copy")
        shutil.copy2(self.image, self.copy)
        self.old = read(self.copy)
        self.new = None  # the bytes of a new image that QEMU has found good
        self.environment = dict(os.environ)
        asan = os.environ.get("ASAN_OPTIONS")
        self.environment["ASAN_OPTIONS"] = "verify_asan_link_order=0" + (":" + asan if asan else "")
        self.process = Again(QCOW2FRAG, libraries=[CALLS], environment=self.environment)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.end()
        shutil.rmtree(self.scratch)

    def at(self):
        """The old image and nothing else. The same inode, if it is still there."""
        for name in os.listdir(self.folder):
            if name != "image":
                os.unlink(os.path.join(self.folder, name))
        if os.stat(self.image).st_ino != getattr(self, "inode", 0):
            os.unlink(self.image)
            shutil.copy2(self.copy, self.image)
            if os.geteuid() == 0:
                os.chown(self.image, 65534, 12)
                os.chmod(self.image, 0o640)
        stat = os.stat(self.image)
        self.inode, self.stat = stat.st_ino, self.seen(stat)

    @staticmethod
    def seen(stat):
        return stat.st_size, stat.st_mtime_ns, stat.st_mode, stat.st_uid, stat.st_gid

    def start(self, way, **settings):
        options, lacks, _ = WAYS[way]
        environment = dict(self.environment, LD_PRELOAD=CALLS, **settings)
        environment.update((name, "1") for name in lacks)
        return subprocess.Popen([QCOW2FRAG, "defrag", "--quiet", *options, self.image], env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")

    def run(self, way, **settings):
        """Status, out, err. It is a fork of one that has started."""
        options, lacks, _ = WAYS[way]
        settings.update((name, "1") for name in lacks)
        try:
            status, *printed = self.process.run("defrag", "--quiet", *options, self.image, how="fork", **settings)[:3]
        except Gone:
            raise Bad("it hangs") from None
        return status, *(text.decode(errors="replace") for text in printed)

    def record(self, way):
        """What it calls when nothing fails: lists of number, name, answer and arguments; and what was written."""
        log, data = (os.path.join(self.scratch, name) for name in ("log", "data"))
        for name in (log, data):
            if os.path.exists(name):
                os.unlink(name)
        self.at()
        status, out, err = self.run(way, CALLS_LOG=log, CALLS_DATA=data)
        if (status, out, err) != (0, "", ""):
            raise Bad(f"status {status}: {out}{err}")
        if self.judge(way) != "new":
            raise Bad("it is not replaced")
        with open(log, encoding="utf-8") as file:
            return [line.rstrip("\n").split("\t") for line in file], read(data)

    def is_good(self, path):
        """QEMU says so, once for all that have the same bytes."""
        if self.new is not None and holds(path, self.new):
            return
        done = subprocess.run(["qemu-img", "check", path], capture_output=True, text=True)
        if done.returncode != 0:
            raise Bad(f"check says {done.returncode}: {done.stdout}{done.stderr}")
        done = subprocess.run(["qemu-img", "compare", self.copy, path], capture_output=True, text=True)
        if done.returncode != 0:
            raise Bad(f"compare: {done.stdout}{done.stderr}")
        self.new = read(path)

    def judge(self, way, hidden=False):
        """Which one the name leads to: "old" or "new". @hidden: there may be a hidden name besides."""
        names = set(os.listdir(self.folder)) - {"image"}
        left = {name for name in names if name.startswith(HIDDEN)}
        keeps = WAYS[way][2]
        if not os.path.exists(self.image):
            raise Bad("the name leads nowhere")
        stat = os.stat(self.image)
        if stat.st_ino == self.inode:
            state = "old"
            if self.seen(stat) != self.stat or not holds(self.image, self.old):
                raise Bad("the old image is not as it was")
        else:
            state = "new"
            self.is_good(self.image)
            if self.seen(stat)[2:] != self.stat[2:]:
                raise Bad(f"mode or owner: {self.seen(stat)}")
            if self.has_attributes and os.getxattr(self.image, "user.note") != b"important":
                raise Bad("the attribute is gone")
        self.judge_kept(way, state, keeps and "image.orig" in names)
        if left and not hidden:
            raise Bad(f"a hidden name is left: {left}")
        if names - left - ({"image.orig"} if keeps else set()):
            raise Bad(f"in the folder: {names}")
        return state

    def judge_kept(self, way, state, is_there):
        if state == "new" and WAYS[way][2] and not is_there:
            raise Bad("the old image was to be kept, and is gone")
        if not is_there:
            return
        if os.stat(self.kept).st_ino == self.inode:
            if not holds(self.kept, self.old):
                raise Bad("the old image was changed")
        elif "CALLS_NO_LINK" in WAYS[way][1] and state == "old":
            self.is_good(self.kept)  # between the two steps
        else:
            raise Bad("the second name leads to another file than the old one")

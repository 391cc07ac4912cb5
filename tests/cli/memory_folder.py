# SPDX-License-Identifier: MIT
"""A folder in memory, where files take least to make, and reading their holes leaves no pages of zeros behind."""
import os
import tempfile

ROOM = 1 << 30  # bytes that are to be free


def memory_folder(other):
    """A temporary one; in the folder `other` where there is no such room."""
    try:
        room = os.statvfs("/dev/shm")
        if os.path.ismount("/dev/shm") and room.f_bavail * room.f_frsize > ROOM:
            other = "/dev/shm"
    except OSError:
        pass
    return tempfile.TemporaryDirectory(dir=other, prefix="qcow2frag.")

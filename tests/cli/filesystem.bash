# SPDX-License-Identifier: MIT
# New file systems on loop devices, for one test each. Root only.

PATH=$PATH:/usr/sbin:/sbin # where the tools are that only root needs

# in_filesystem KIND FUNCTION [MOUNT-OPTION,...]: runs a function of the test file with a new file
# system of that kind at mounted/, in a namespace of mounts that ends with it. So nothing stays
# mounted, whatever becomes of the test, and the loop device ends with the mount. It is in memory where
# there is room; with on_a_disk=yes it is never.
in_filesystem() {
    local kind=$1 body=$2 options=${3:+,$3}

    needs_root
    needs unshare mount filefrag findmnt python3 "mkfs.$kind"
    [ -e /dev/loop-control ] || skip "no loop devices"
    if [ -z "${on_a_disk:-}${memory:-}" ] && has_memory; then
        memory=$(mktemp -d /dev/shm/qcow2frag.XXXXXX)
    fi
    make_filesystem "$kind" disk.img
    mkdir -p mounted
    unshare -m mount -o "loop$options" disk.img mounted 2>mount.log ||
        skip "cannot mount $kind: $(tr '\n' ' ' <mount.log)"
    privately "mount -o loop$options disk.img mounted; $body; umount mounted"
}

# has_memory: is there room for a file system in memory, where nobody waits for a disk?
has_memory() {
    local kind free block name kib rest

    read -r kind free block <<<"$(stat -f -c '%T %a %S' /dev/shm 2>/dev/null)"
    [ "$kind" = tmpfs ] && ((free * block > 4 << 30)) || return
    while read -r name kib rest; do
        [ "$name" != MemAvailable: ] || ((kib > 4 << 20)) || return
    done </proc/meminfo
}

make_filesystem() {
    local options=(-f)

    case $1 in
    ext*) options=(-F -b 4096) ;;
    esac
    rm -f "$2"
    [ -z "${memory:-}" ] || ln -s "$memory/$2" "$2"
    truncate -s "${filesystem_size:-320M}" "$2" # the least that mkfs.xfs takes is 300M
    "mkfs.$1" -q "${options[@]}" "$2" >mkfs.log 2>&1 || told "mkfs.$1 failed:" mkfs.log
}

# privately COMMANDS: in a shell with the functions of this one, in a namespace of mounts of its own.
privately() {
    unshare -m bash -c "set -eE -o pipefail; enable -f '${SPAWN:-none}' spawn 2>/dev/null || true; $(declare -f); $1" # or it is a function
}

# free_in_pieces FOLDER LEAST MOST: fills the file system with small files of LEAST to MOST bytes,
# then removes every second: what is written next is scattered.
free_in_pieces() {
    python3 - "$@" <<'PYTHON'
import errno, os, random, sys
folder, least, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(7)
os.makedirs(folder + "/full", exist_ok=True)
names = []
while most >= 4096:     # what has no room for a file may have some for a smaller one
    name = "%s/full/%d" % (folder, len(names))
    try:
        with open(name, "wb", buffering=0) as file:
            names.append(name)
            file.write(b"x" * random.randint(min(least, most), most))
        if len(names) % 500 == 0:
            os.sync()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.sync()       # space that was only set aside comes free
        most //= 2
for name in names[::2]:
    os.remove(name)
os.sync()
PYTHON
}

# write_by_turns SOURCE TARGET OTHER: two copies of SOURCE, of which pieces are written by turns, in an
# order that jumps about, each to the disk.
write_by_turns() {
    python3 - "$@" <<'PYTHON'
import os, random, sys
source, *names = sys.argv[1:]
random.seed(8)
with open(source, "rb") as file:
    whole = file.read()
files = [os.open(name, os.O_WRONLY | os.O_CREAT, 0o644) for name in names]
starts = list(range(0, len(whole), 300 * 1024))
random.shuffle(starts)
for start in starts:
    for file in files:
        os.pwrite(file, whole[start:start + 300 * 1024], start)
        os.fdatasync(file)
PYTHON
}

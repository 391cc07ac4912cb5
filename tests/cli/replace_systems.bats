#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An image is replaced on each kind of file system: what only that one has stays, and what goes wrong there is told.

load helper
load filesystem

setup() {
    enter_scratch
    needs_root
    needs qemu-img
    image copy <<<$'fill\nsize 64M\nmap 0..99 reversed'
}

# is_replaced FILE: by one in order that holds the same, alone in its folder but for what is named.
is_replaced() {
    qemu-img check -q "$1"
    qemu-img compare -q copy "$1"
    qcow2frag -q --max-score 0 "$1"
}

# stays WHY [OPTION ...]: refused in one line, and nothing was changed.
stays() {
    try qcow2frag defrag "${@:2}" mounted/image
    refused mounted/image ${1:+"$1"}
    cmp copy mounted/image
}

alone() { [ "$(ls -A mounted | grep -v lost+found | tr '\n' ' ')" = "$1 " ] || told "there: $(ls -A mounted)"; }

plain() {
    cp copy mounted/image
    try qcow2frag defrag --json mounted/image
    exits 0
    is <(json out 'd["defrag"][0]["verified"]') "${1:-direct}"
    is_replaced mounted/image
    alone image
    cp copy mounted/image
    qcow2frag defrag -q --keep-original mounted/image
    is_replaced mounted/image
    cmp copy mounted/image.orig
    alone "image image.orig"
}

@test "ext4" { filesystem_size=64M in_filesystem ext4 plain; }
@test "XFS" { in_filesystem xfs plain; }
@test "btrfs" { in_filesystem btrfs plain; }

@test "tmpfs" {
    mkdir mounted
    unshare -m mount -t tmpfs none mounted || skip "no tmpfs"
    privately 'mount -t tmpfs none mounted; cp copy mounted/image
        try qcow2frag defrag --json mounted/image; exits 0
        json out "d[\"defrag\"][0][\"verified\"]" | grep -qxE "direct|cached"
        is_replaced mounted/image; alone image'
}

# A second name is not possible there: they are exchanged. Nor is a file without one.
@test "vfat" {
    needs mkfs.vfat
    mkdir mounted
    truncate -s 64M disk.img
    mkfs.vfat disk.img >mkfs.log
    unshare -m mount -o loop disk.img mounted 2>mount.log || skip "cannot mount vfat: $(tr '\n' ' ' <mount.log)"
    privately "mount -o loop disk.img mounted; plain '.*'; umount mounted"
}

# twice PREPARE: replaced, and kept, on what is mounted so; what is below may be another file system.
twice() {
    mkdir -p mounted below upper work
    privately "$1; cp copy mounted/image
        try qcow2frag defrag mounted/image; exits 0; is_empty err; is_replaced mounted/image; alone image
        cp copy mounted/image; qcow2frag defrag -q --keep-original mounted/image
        is_replaced mounted/image; cmp copy mounted/image.orig; alone 'image image.orig'
        umount mounted"
}

@test "overlayfs, of an image that is below it as well" {
    mkdir mounted below upper work
    unshare -m mount -t overlay overlay -o lowerdir=below,upperdir=upper,workdir=work mounted 2>log || skip "no overlayfs"
    rm -rf work upper
    cp copy below/image
    twice 'mount -t overlay overlay -o lowerdir=below,upperdir=upper,workdir=work mounted'
    cmp copy below/image
}

# A hidden name from the beginning, and a rename in the end.
@test "FUSE, where no file is without a name and names cannot be exchanged" {
    needs bindfs
    mkdir mounted below
    unshare -m bindfs below mounted 2>log || skip "no FUSE: $(tr '\n' ' ' <log)"
    twice 'bindfs below mounted'
}

# sshfs has locks of this host alone: it is known by its name.
@test "where locks are not seen by other hosts it is refused without --force" {
    needs bindfs
    mkdir mounted below
    unshare -m bindfs -o subtype=sshfs below mounted 2>log || skip "no FUSE: $(tr '\n' ' ' <log)"
    privately 'bindfs -o subtype=sshfs below mounted; cp copy mounted/image
        stays "its file system (fuse.sshfs) keeps locks on this host alone"
        qcow2frag defrag -q --force mounted/image; is_replaced mounted/image
        umount mounted'
}

# ---- what only that one has ----

nocow() {
    touch mounted/image
    chattr +C mounted/image
    cat copy >mounted/image
    qcow2frag defrag -q mounted/image
    is_replaced mounted/image
    lsattr mounted/image | grep -q '^[^ ]*C' || told "not nocow: $(lsattr mounted/image)"
}

@test "btrfs: nocow stays" {
    needs lsattr chattr
    in_filesystem btrfs nocow
}

flags() {
    cp copy mounted/image
    chattr +dAS mounted/image
    lsattr mounted/image >before
    try qcow2frag defrag mounted/image
    exits 0
    lsattr mounted/image | diff before -
    is_replaced mounted/image
    ! grep -q 'could not be given' out || told "nothing was lost:" out
}

@test "ext4: what chattr has set stays" {
    needs lsattr chattr
    filesystem_size=64M in_filesystem ext4 flags
}

@test "flags that another file system does not have are told, and the others are given" {
    needs lsattr chattr
    mkdir mounted
    chattr +dS copy 2>/dev/null || skip "no such flags here"
    unshare -m mount -t tmpfs none mounted || skip "no tmpfs"
    privately 'mount -t tmpfs none mounted
        try qcow2frag defrag -o mounted/new copy; exits 0
        lsattr mounted/new 2>/dev/null | grep -q "^[^ ]*d" || echo none >no-flags
        cp out told'
    [ ! -e no-flags ] || skip "tmpfs has no flags"
    holds told "  the new file could not be given all flags of the old one: sync (S)"
}

extent_size() {
    xfs_io -f -c 'extsize 2m' mounted/image
    cat copy >mounted/image
    qcow2frag defrag -q mounted/image
    is_replaced mounted/image
    xfs_io -c extsize mounted/image >size
    grep -qF '[2097152]' size || told "no hint:" size
}

@test "XFS: the extent size hint stays" {
    needs xfs_io
    in_filesystem xfs extent_size
}

reflinked() {
    cp copy mounted/image
    cp --reflink=always mounted/image mounted/other
    sync
    try qcow2frag defrag mounted/image
    exits 0
    grep -q 'of the old file were shared with others (by reflinks, or snapshots of the file system)' out ||
        told "it is not said:" out
    is_replaced mounted/image
    cmp copy mounted/other
}

@test "btrfs: what was shared by a reflink is told, and the other file stays" { in_filesystem btrfs reflinked; }
@test "XFS: what was shared by a reflink is told, and the other file stays" { in_filesystem xfs reflinked; }

in_snapshot() {
    btrfs subvolume create mounted/sub >log
    cp copy mounted/sub/image
    sync
    btrfs subvolume snapshot -r mounted/sub mounted/before >log
    try qcow2frag defrag mounted/sub/image
    exits 0
    grep -q 'of the old file were shared with others' out || told "it is not said:" out
    is_replaced mounted/sub/image
    cmp copy mounted/before/image
    try qcow2frag defrag mounted/before/image
    refused mounted/before/image "no file can be made in its folder: Read-only file system"
}

@test "btrfs: an image that a snapshot has, too; and the one in the snapshot" {
    needs btrfs
    in_filesystem btrfs in_snapshot
}

# ---- what goes wrong ----

# How much is free for root is not said exactly by each.
full() {
    cp copy mounted/image
    ! cat /dev/zero >mounted/rest 2>log
    stays ""
    grep -qE 'there is not enough room for a second file while it is written|No space left on device' err
    stays "cannot" --force
    holds err "No space left on device"
    alone "image rest"
}

@test "a full file system: ext4" { filesystem_size=64M in_filesystem ext4 full; }
@test "a full file system: XFS" { in_filesystem xfs full; }
@test "a full file system: btrfs" { filesystem_size=128M in_filesystem btrfs full; }

# What only root may use is no room for others.
reserved() {
    mkdir mounted/own
    cp copy mounted/own/image
    chown -R 65534:65534 mounted/own
    ! as_user dd if=/dev/zero of=mounted/own/rest bs=1M 2>log
    try as_user ./program defrag mounted/own/image
    refused mounted/own/image "there is not enough room for a second file while it is written: it takes 6.56 MiB, and "
    cmp copy mounted/own/image
    qcow2frag defrag -q mounted/own/image
    is_replaced mounted/own/image
}

@test "room that is reserved for root: ext4" {
    open_scratch
    filesystem_size=192M in_filesystem ext4 reserved
}

# The room is there, and this user may not have it.
beyond_quota() {
    quotaon mounted 2>/dev/null || true # the mount may have done it
    mkdir mounted/own
    cp copy mounted/own/image
    chown -R 65534:65534 mounted/own
    setquota -u 65534 8192 8192 0 0 mounted
    try as_user ./program defrag mounted/own/image
    refused mounted/own/image "Disk quota exceeded"
    cmp copy mounted/own/image
    [ "$(ls -A mounted/own)" = image ]
}

@test "a quota: ext4" {
    needs setquota
    open_scratch
    truncate -s 64M disk.img
    mkfs.ext4 -q -F -O quota disk.img 2>mkfs.log || skip "no quota in mkfs.ext4"
    mkdir -p mounted
    unshare -m mount -o loop,usrquota disk.img mounted 2>mount.log || skip "no quotas: $(tr '\n' ' ' <mount.log)"
    privately "mount -o loop,usrquota disk.img mounted; beyond_quota; umount mounted"
}

@test "a quota: XFS" {
    needs setquota
    open_scratch
    in_filesystem xfs beyond_quota usrquota
}

beyond_group() {
    btrfs subvolume create mounted/own >log
    cp copy mounted/own/image
    sync
    btrfs quota enable mounted
    btrfs quota rescan -w mounted >log
    btrfs qgroup limit 9M mounted/own
    try qcow2frag defrag mounted/own/image
    refused mounted/own/image "Disk quota exceeded"
    cmp copy mounted/own/image
    [ "$(ls -A mounted/own)" = image ]
}

@test "a quota: btrfs" {
    needs btrfs
    in_filesystem btrfs beyond_group
}

# As when its disk gives an error: nothing can be removed any more, either.
becomes_read_only() {
    local device
    cp copy mounted/image
    sync
    device=$(basename "$(findmnt -no SOURCE mounted)")
    [ -w "/sys/fs/ext4/$device/trigger_fs_error" ] || { echo none >skipped; return 0; }
    stays "Read-only file system" --check-command "echo now >/sys/fs/ext4/$device/trigger_fs_error; true"
    umount mounted
    e2fsck -fy disk.img >fsck.log 2>&1 || [ $? -lt 4 ]
    mount -o loop disk.img mounted
    cmp copy mounted/image
    qcow2frag defrag -q mounted/image
    is_replaced mounted/image
    alone image
}

@test "a file system that becomes read-only meanwhile: the old image stays, and what is left is removed by the next one" {
    needs e2fsck findmnt
    filesystem_size=64M in_filesystem ext4 becomes_read_only errors=remount-ro
    [ ! -e skipped ] || skip "no such error can be made"
}

goes_away() {
    cp copy mounted/image
    sync
    try qcow2frag defrag --check-command 'xfs_io -x -c shutdown mounted; true' mounted/image
    refused mounted/image "Input/output error"
    umount mounted
    mount -o loop disk.img mounted
    cmp copy mounted/image
    qcow2frag defrag -q mounted/image
    is_replaced mounted/image
    alone image
}

@test "a file system that goes away meanwhile: XFS" {
    needs xfs_io
    in_filesystem xfs goes_away
}

@test "a folder of somebody else that is closed to all others" {
    mkdir -m 700 closed
    cp copy closed/image
    chown -R 65534:65534 closed
    qcow2frag defrag -q closed/image
    is_replaced closed/image
    [ "$(stat -c '%u:%g' closed/image)" = 65534:65534 ]
    [ "$(ls -A closed)" = image ]
}

@test "a folder that its owner may not list" {
    open_scratch
    mkdir dark
    cp copy dark/image
    chown -R 65534:65534 dark
    chmod 300 dark
    as_user ./program defrag -q dark/image
    chmod 700 dark
    is_replaced dark/image
    [ "$(ls -A dark)" = image ]
}

# ---- in one piece ----

# Tables, data and blobs of small clusters lie between one another: the file is one stretch all the same.
in_one_piece() {
    python3 -c 'import random, sys
random.seed(5)
sys.stdout.buffer.write(random.randbytes(4 << 20).translate(bytes(n % 16 for n in range(256))))' >raw
    qemu-img convert -c -f raw -O qcow2 -o cluster_size=4k raw mounted/disk
    python3 -c 'import random
random.seed(1)
for number in random.sample(range(1024), 300):
    print(f"write -q -P 7 {number * 4}k 4k")' | qemu-io -f qcow2 mounted/disk >io.log
    cp mounted/disk original
    qcow2frag defrag --quiet --device hdd mounted/disk
    sync mounted/disk
    [ "$(filefrag mounted/disk | sed 's/.*: \([0-9]*\) extent.*/\1/')" -le 4 ] || told "in pieces:" <(filefrag -v mounted/disk)
    qemu-img compare -q original mounted/disk
}

@test "on ext4 the new file lies in one piece" { in_filesystem ext4 in_one_piece; }
@test "on XFS the new file lies in one piece" { in_filesystem xfs in_one_piece; }

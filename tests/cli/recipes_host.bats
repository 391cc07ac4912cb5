#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the page says is to be done about a file that its file system scattered, done as it is printed.
# Afterwards the file is the same, lies in fewer extents, is read no slower, and the page does not say
# the same again. Then the commands that are about neither the order in the image nor the host.

load helper
load filesystem
load qemu
load recipe

setup() {
    enter_scratch
    needs qemu-img python3 bash cmp
    find_program
}

# an_image NAME: in order, 26 MiB of it written: 416 pieces of 64 KiB. Half of each byte is chance.
an_image() {
    local made=${BATS_FILE_TMPDIR:-.}/made

    if [ ! -e "$made" ]; then
        python3 -c 'import random, sys
random.seed(3)
sys.stdout.write(random.randbytes(13 << 20).hex())' >raw
        qemu-img convert -f raw -O qcow2 raw "$made"
        rm raw
    fi
    cp "$made" "$1"
}

# What is filled takes time.
on_small() { filesystem_size=160M in_filesystem "$@"; }

# scattered FREE: the image in a folder whose name a shell would take apart, with the page on it.
scattered() {
    folder="mounted/it's \$my \"folder\""
    disk=$folder/disk
    mkdir "$folder"
    an_image original
    python3 "$TESTS/cli/scatter.py" original "$disk" mounted "$1"
    measured before.json
    [ "$(json before.json 'i[0]["host"]["extents"]')" -ge 150 ] || told "not scattered" before.json
    page_of "$disk"
    [ -s commands ] || told "no commands:" page
}

measured() {
    qcow2frag --json --device hdd "$disk" >"$1"
    [ "$1" != before.json ] || is <(json "$1" 'i[0]["verdict"]["action"]') host
}

untouched() {
    qemu-img compare original "$disk" >log || told "not the same:" log
    cmp original "$disk"
    is <(ls "$folder") disk
}

# Nobody waits for the file system: what is measured after the last command counts.
mended() {
    untouched
    measured after.json
    page_of "$disk"
    is_empty commands
    is <(json after.json 'i[0]["verdict"]["action"]') none
    python3 - before.json after.json <<'PYTHON'
import json, sys
before, after = (json.load(open(name))["images"][0] for name in sys.argv[1:])
assert after["host"]["extents"] < before["host"]["extents"], "not fewer extents"
seconds = [i["tables"][0]["end_to_end"]["seconds"] for i in (before, after)]
assert seconds[1] <= seconds[0] / 2, seconds
PYTHON
}

# uses COMMAND: the page prints it, and all of the page is done.
uses() {
    grep -q "^$1 " commands || told "not with $1:" commands
    follow
    mended
}

# ---- each file system's own way ----

on_ext4() {
    scattered all
    uses "e4defrag -v"
}

on_xfs() {
    scattered all
    uses "xfs_fsr -v"
}

on_btrfs() {
    scattered order
    uses "btrfs filesystem defragment"
}

by_copy() {
    scattered all
    uses "cp -p"
}

by_copy_of_encoded() {
    scattered order
    uses "cp -p"
}

@test "ext4 puts the file together" {
    needs e4defrag
    on_small ext4 on_ext4
}

@test "XFS puts the file together" {
    needs xfs_fsr
    in_filesystem xfs on_xfs
}

@test "btrfs puts the file together, and it is so when the command ends" {
    needs btrfs
    in_filesystem btrfs on_btrfs
}

@test "what btrfs compressed is copied" { in_filesystem btrfs by_copy_of_encoded compress-force=zlib; }

@test "where there is no tool the file is copied" { on_small ext3 by_copy; }

linked() {
    scattered all
    chmod 640 "$disk"
    ln -s "$disk" link
    page_of link
    follow
    mended
    [ -L link ]
    is <(stat -c %a "$disk") 640
}

@test "behind a symbolic link the file is put together" {
    needs e4defrag
    on_small ext4 linked
}

@test "behind a symbolic link the file is copied" { on_small ext3 linked; }

# ---- clusters that are written in part ----

# Pieces would not lie where there is none free.
on_large() { filesystem_size=2G in_filesystem "$@"; }

# a_holey_chain FOLDER: an overlay over a raw file with holes that are smaller than a cluster.
a_holey_chain() {
    python3 - "$1" <<'PYTHON'
import os, random, subprocess, sys
os.chdir(sys.argv[1])
random.seed(5)
with open("base", "wb") as base:
    base.truncate(256 << 20)
    for _ in range(600):
        base.seek(random.randrange(0, (256 << 8) - 16) << 12)
        base.write(random.randbytes(random.randint(1, 12) << 12))
subprocess.run("qemu-img create -q -f qcow2 -b base -F raw disk".split(), check=True)
command = ["qemu-io"]
for i in range(300):
    size = random.choice([4096, 65536, 131072])
    command += ["-c", f"write -q -P {i % 250 + 1} {random.randrange(0, (256 << 4) - 2) << 16} {size}"]
subprocess.run([*command, "disk"], check=True)
PYTHON
}

# What the page promises of the copy comes true with the host's part of it, too.
flat() { on_a_disk=yes on_large "$1" flattened; }

flattened() {
    local promised

    a_holey_chain mounted
    sync -f mounted
    disk=mounted/disk
    qcow2frag --json --device hdd --chain "$disk" >before.json
    promised=$(json before.json 'i[0]["tables"][0]["disk"]["after_defrag_seconds"]')
    page_of "$disk" --chain
    holds commands "qemu-img convert -p -m 1 -t none"
    follow
    qcow2frag --json --device hdd "$disk" >after.json
    is <(json after.json 'i[0]["format"]["backing_file"]') null
    python3 - "$promised" after.json <<'PYTHON'
import json, sys
table = json.load(open(sys.argv[2]))["images"][0]["tables"][0]
promised, came = float(sys.argv[1]), table["end_to_end"]["seconds"]
assert came <= promised * 1.05 or came <= promised + 0.06, (promised, came, table["end_to_end"])
PYTHON
}

@test "a chain with holes below is flattened into one piece on ext4" {
    needs qemu-io
    flat ext4
}

@test "a chain with holes below is flattened into one piece on XFS" {
    needs qemu-io
    flat xfs
}

@test "a chain with holes below is flattened into one piece on btrfs" {
    needs qemu-io
    flat btrfs
}

# In order by itself, but written from the cache: the file system has laid it out in pieces with holes
# between them, and what it has takes longer than what the image's own order would.
with_holes_between() {
    a_holey_chain mounted
    disk=mounted/copy
    qemu-img convert -O qcow2 mounted/disk "$disk"
    sync -f mounted
    cp "$disk" original
    qcow2frag --json --device hdd "$disk" >before.json
    is <(json before.json 'i[0]["verdict"]["action"]') host
    page_of "$disk"
    holds commands "$1"
    follow
    qemu-img compare original "$disk" >log || told "not the same:" log
    sync -f mounted
    qcow2frag --json --device hdd "$disk" >after.json
    is <(json after.json 'i[0]["verdict"]["action"]') none
    page_of "$disk"
    is_empty commands
}

between_holes_on_ext4() { with_holes_between "e4defrag"; }
between_holes_on_xfs() { with_holes_between "xfs_fsr"; }
between_holes_on_btrfs() { with_holes_between "qcow2frag defrag --force"; }

@test "pieces with holes between them are put together on ext4" {
    needs qemu-io e4defrag
    on_large ext4 between_holes_on_ext4
}

@test "pieces with holes between them are put together on XFS" {
    needs qemu-io xfs_fsr
    on_large xfs between_holes_on_xfs
}

@test "pieces with holes between them are put together on btrfs" {
    needs qemu-io
    on_large btrfs between_holes_on_btrfs
}

# ---- where it cannot be done ----

# What cannot come true is not printed: the page says what is in the way.
without_room() {
    scattered 8
    holds <(tr -s ' \n' ' ' <page) "Make room in the file system: to put the file together it needs 26"
    is commands "qcow2frag --device hdd 'mounted/it'\\''s \$my \"folder\"/disk'"
    untouched
}

@test "on ext4 without room nothing is to be run" { on_small ext4 without_room; }
@test "on XFS without room nothing is to be run" { in_filesystem xfs without_room; }

# Enough is free, but in pieces: nobody can know before. The file stays as it is, or gets better.
in_small_pieces() {
    scattered 40
    holds <(tr -s ' \n' ' ' <page) "If it is no better, no free piece was long enough"
    try bash -c "$(head -1 commands)" # whatever it says of it
    untouched
    measured after.json
    [ "$(json after.json 'i[0]["host"]["extents"]')" -le "$(json before.json 'i[0]["host"]["extents"]')" ]
}

@test "on ext4 with small free pieces the file stays as it is" {
    needs e4defrag
    on_small ext4 in_small_pieces
}

@test "on XFS with small free pieces the file stays as it is" {
    needs xfs_fsr
    in_filesystem xfs in_small_pieces
}

# The room went away after the page was printed.
copy_fails() {
    scattered all
    head -c 300M /dev/zero >mounted/other 2>log || true
    try bash -c "$(head -1 commands)"
    exits 1
    holds err "No space left"
    untouched
}

@test "a copy that finds no room does not stay" { on_small ext3 copy_fails; }

# ---- snapshots ----

@test "snapshots that are deleted are gone, and what the guest reads is not" {
    needs qemu-io
    mkdir "it's a" && cd "it's a"
    create disk 64M
    io disk "write -P 1 0 20M"
    qemu-img snapshot -c "one" disk
    qemu-img snapshot -c "two" disk
    python3 -c 'import random
random.seed(1)
for n in random.sample(range(320), 300):
    print(f"write -q -P {n % 250 + 2} {n * 64}k 64k")' | qemu-io -f qcow2 disk >io.log
    mv disk "a b'c,d=e"
    page_of "a b'c,d=e" --no-host
    cp "a b'c,d=e" original
    holds commands "qemu-img snapshot -l"
    holds commands "qemu-img snapshot -d SNAPSHOT"
    [ "$(bash -c "$(sed -n '/snapshot -l/p' commands)" | grep -c 'one\|two')" = 2 ]
    for name in one two; do
        sed "/snapshot -d/!d; s/SNAPSHOT/$name/" commands >command
        bash command
    done
    qemu-img compare original "a b'c,d=e" >log || told "not the same:" log
    qemu-img check -q "a b'c,d=e"
    [ -z "$(qemu-img snapshot -l "a b'c,d=e")" ]
    page_of "a b'c,d=e" --no-host
    ! grep -q "snapshot -d" commands || told "once more:" page
}

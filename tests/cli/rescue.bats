#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the page says of a damaged image: first of all, which parts of the guest disk are lost; then
# commands, which are run here as they stand, and what they save is compared.

load helper

# steps IMAGE: the commands of the first part of its page, before any figure.
steps() { "$QCOW2FRAG" --no-host "$1" | sed '/^  fragmentation score/,$ d' | sed -n 's/^        //p'; }

# saved IMAGE: does what the page says.
saved() {
    steps "$1" >commands
    while read -r line; do
        # What check finds is damage: its status says so.
        bash -c "$line" >log 2>&1 || [[ $line = "qemu-img check"* ]] || told "failed: $line" log
    done <commands
}

# pattern IMAGE BYTE FROM LENGTH: that part of it holds this byte, whatever else does.
pattern() {
    qemu-io -f qcow2 -r -c "read -P $2 $3 $4" "$1" >log 2>&1
    ! grep -q "Pattern verification failed" log || told "not $2 from $3 on, $4 long" log
}

# two_tables: 512 MiB and a little more, with a pattern on each side; the first entry of the second
# table points where it cannot.
two_tables() {
    needs qemu-io python3
    qemu-img create -q -f qcow2 disk.qcow2 1G
    qemu-io -f qcow2 -c "write -q -P 1 0 1M" -c "write -q -P 2 512M 1M" -c "write -q -P 3 600M 1M" disk.qcow2
    python <<'PYTHON'
import struct
with open("disk.qcow2", "r+b") as image:
    l1 = struct.unpack(">Q", image.read(48)[40:])[0]
    image.seek(l1 + 8)
    l2 = struct.unpack(">Q", image.read(8))[0] & 0x00fffffffffffe00
    image.seek(l2)
    image.write(struct.pack(">Q", 1 << 63 | 0x123400))
PYTHON
}

lines() { "$QCOW2FRAG" --no-host "$@" | sed -n '2,/^   1\./ p' | sed '$ d'; }

@test "what is lost comes first" {
    two_tables
    try qcow2frag --no-host disk.qcow2
    exits 2
    is <(sed -n '2,3 p' out) '  DAMAGED: at least 64 KiB of the guest disk cannot be read, in 1 range:
    0x20000000 to 0x20010000, 64 KiB'
}

@test "what is lost in a backing file is named with the file" {
    two_tables
    qemu-img create -q -f qcow2 -F qcow2 -b disk.qcow2 top.qcow2
    is <(lines --chain top.qcow2) '  DAMAGED: at least 64 KiB of backing file "disk.qcow2" cannot be read, in 1 range:
    0x20000000 to 0x20010000, 64 KiB'
    # Without --chain that file is not opened, and nothing is said of it.
    try qcow2frag --no-host top.qcow2
    exits 0
}

@test "neighbours are one range, also over the border of a table, and the disk ends the last" {
    image disk.qcow2 <<'FIXTURE'
size 5M
cluster 4K
l1 3
map all
poke be64 l2[510] 0x600
poke be64 l2[511] 0x600
poke be64 l1[1] 0x600
poke be64 l1[2] 0x600
FIXTURE
    is <(lines disk.qcow2) '  DAMAGED: at least 3.01 MiB of the guest disk cannot be read, in 1 range:
    0x1fe000 to 0x500000, 3.01 MiB'
}

@test "at most ten ranges are shown" {
    {
        printf 'size 64M\nmap all\n'
        for i in $(seq 0 2 30); do echo "poke be64 l2[$i] 0x600"; done
    } | image disk.qcow2
    lines disk.qcow2 >out
    is <(head -n 1 out) '  DAMAGED: at least 1 MiB of the guest disk cannot be read, in 16 ranges:'
    is <(sed -n '2p; 11p; 12p' out) '    0x0 to 0x10000, 64 KiB
    0x120000 to 0x130000, 64 KiB
    and 6 more'
    [ "$(wc -l <out)" = 12 ]
}

@test "a part of the disk: only what is lost in it" {
    image disk.qcow2 <<'FIXTURE'
size 8M
cluster 4K
map all
poke be64 l1[1] 0x600
poke be64 l2[1500] 0x600
FIXTURE
    is <(lines --range 3M:2M disk.qcow2) '  DAMAGED: at least 1 MiB of the guest disk cannot be read, in 1 range:
    0x300000 to 0x400000, 1 MiB'
}

@test "a table that is named at several places is lost at each" {
    image disk.qcow2 <<'FIXTURE'
size 8M
cluster 4K
l1 4
map 0..511
poke be64 l2[7] 0x600
poke be64 l1[2] l2table[0]
FIXTURE
    is <(lines disk.qcow2) '  DAMAGED: at least 8 KiB of the guest disk cannot be read, in 2 ranges:
    0x7000 to 0x8000, 4 KiB
    0x407000 to 0x408000, 4 KiB'
}

@test "what snapshots have lost is told for each" {
    image disk.qcow2 <<'FIXTURE'
size 8M
cluster 4K
map all
snapshot before
poke be64 snap[0].l1[1] 0x600
FIXTURE
    qcow2frag --no-host disk.qcow2 >out
    ! grep -q DAMAGED out || told "the active state is not damaged" out
    is <(lines --all-snapshots disk.qcow2) '  DAMAGED: at least 2 MiB of snapshot "before" cannot be read, in 1 range:
    0x200000 to 0x400000, 2 MiB'
}

@test "damage that hides nothing of the disk is said to be that" {
    image disk.qcow2 <<'FIXTURE'
size 64M
map 0..9
snapshot a
poke be64 header+64 end
FIXTURE
    is <(lines disk.qcow2) '  DAMAGED: see below, though all that was looked at of the guest disk is there'
}

@test "findings come before the advice, and three of a kind are enough" {
    {
        printf 'size 64M\nmap all\n'
        for i in $(seq 0 2 18); do echo "poke be64 l2[$i] 0x600"; done
    } | image disk.qcow2
    try qcow2frag --no-host disk.qcow2
    exits 2
    is <(grep -c '^  damage: ' out) 3
    holds out '  and 7 more of these kinds (--verbose shows the first of them)'
    is <(grep -n '^  damage: \|The image is damaged' out | tail -n 1 | cut -d: -f2) '  The image is damaged, and the figures lack what cannot be read'
    is <(qcow2frag --no-host --verbose disk.qcow2 | grep -c '^  damage: ') 10
}

@test "the commands save all that is not lost, where convert alone fails" {
    two_tables
    not qemu-img convert -O qcow2 disk.qcow2 plain.qcow2 2>log
    saved disk.qcow2
    cmp disk.qcow2 disk.qcow2.damaged
    pattern disk.qcow2.salvaged 1 0 1M
    pattern disk.qcow2.salvaged 0 512M 64k
    pattern disk.qcow2.salvaged 2 $((512 * 1048576 + 65536)) $((1048576 - 65536))
    pattern disk.qcow2.salvaged 3 600M 1M
}

@test "nothing that exists is written over" {
    two_tables
    echo mine >disk.qcow2.damaged
    steps disk.qcow2 >commands
    not bash -c "$(head -n 1 commands)"
    is disk.qcow2.damaged mine
    echo mine >disk.qcow2.salvaged
    not bash -c "$(grep salvage commands)"
    is disk.qcow2.salvaged mine
}

@test "names that a shell or QEMU takes for something else" {
    two_tables
    for name in "a b" "vm:1" "-x"; do
        two_tables
        mv -- disk.qcow2 "./$name"
        "$QCOW2FRAG" --no-host -- "$name" | sed '/^  fragmentation score/,$ d' | sed -n 's/^        //p' >commands
        bash -c "$(sed -n 1p commands)"
        bash -c "$(sed -n 2p commands)" >log 2>&1
        pattern "./$name.salvaged" 3 600M 1M
    done
}

@test "too much extra data: QEMU opens the image after the step that says so" {
    needs qemu-img
    "$MKQCOW2" "$TESTS/images/damage/054-snapshot-extra-2000.txt" disk.qcow2
    not qemu-img convert -O qcow2 disk.qcow2 plain.qcow2 2>log
    saved disk.qcow2
    grep -q '^qemu-img check -r all disk.qcow2$' commands
    qemu-img snapshot -l disk.qcow2.salvaged
}

@test "bitmaps that keep QEMU from opening the image" {
    needs qemu-img
    "$MKQCOW2" "$TESTS/images/damage/118-bitmap-entry-reserved-1.txt" disk.qcow2
    not qemu-img convert -O qcow2 disk.qcow2 plain.qcow2 2>log
    saved disk.qcow2
    [ -e disk.qcow2.salvaged ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What QEMU makes of a rewritten image: a machine goes on where it was saved, and chains are what they were.

load helper
load qemu

setup() {
    enter_scratch
    needs qemu-img qemu-io
}

# defragments OLD NEW [OPTION ...]: and QEMU finds nothing wrong.
defragments() {
    try qcow2frag defrag --quiet --force "${@:3}" -o "$2" "$1"
    exits 0
    is_empty err
    qemu-img check -q "$2"
}

# ---- saved machines ----

# machine OPTION ...: a PC with 16 MiB and the disk "disk", whose clock stands still; QMP from standard input.
machine() {
    needs qemu-system-x86_64
    { echo '{"execute":"qmp_capabilities"}'; cat; echo '{"execute":"quit"}'; } |
        timeout 120 qemu-system-x86_64 -S -accel tcg -m 16 -M pc -nodefaults -display none -qmp stdio \
            -drive if=virtio,file=disk,format=qcow2 "$@" >qmp.log 2>qemu.log || told "QEMU failed:" qemu.log
    not grep -q '"error"' qmp.log || told "QEMU refused:" qmp.log
}

# hmp COMMAND: an answer that is not empty is a complaint.
hmp() { echo '{"execute":"human-monitor-command","arguments":{"command-line":"'"$1"'"}}'; }

# saves NAME RAM-FILE: a machine with these 256 KiB in its memory.
saves() {
    hmp "savevm $1" | machine -device "loader,file=$2,addr=0x200000,force-raw=on"
    not grep -q Error qmp.log
}

# loads NAME: what that machine has in its memory, in the file ram.NAME.
loads() {
    echo '{"execute":"pmemsave","arguments":{"val":2097152,"size":262144,"filename":"ram.'"$1"'"}}' | machine -loadvm "$1"
    is_empty qemu.log
}

# saved_bytes IMAGE NAME: as text, whatever QEMU reads of the machine's state.
saved_bytes() {
    cp "$1" applied
    qemu-img snapshot -a "$2" applied
    qemu-io -r -c "read -b -v 0 1M" applied | grep -v "ops/sec"
}

@test "saved machines go on from the rewritten image, with every byte of their memory" {
    head -c 256K /dev/urandom >ram1
    head -c 256K /dev/urandom >ram2
    create disk 64M
    io disk 'write -P 1 20M 2M' 'write -P 2 10M 2M' 'write -P 3 15M 2M'
    saves first ram1
    io disk 'write -P 4 11M 4M' 'write -P 5 1M 64k'
    saves second ram2
    qemu-img snapshot -c plain disk
    io disk 'write -P 6 10M 1M'
    cp disk old
    defragments disk new
    for name in first second; do
        saved_bytes old $name >before
        [ "$(wc -l <before)" -gt 65536 ] || told "there is no state" before
        saved_bytes new $name | cmp before -
    done
    cp new disk
    loads first
    cmp ram1 ram.first
    loads second
    cmp ram2 ram.second
    qemu-img check -q disk # QEMU has written into it as well
    try qcow2frag defrag -o again new
    holds out "already in order"
}

# ---- chains ----

# a_chain: base <- middle <- top, each with something of its own, and something hidden.
a_chain() {
    create base 16M
    io base 'write -P 1 8M 4M' 'write -P 2 0 4M'
    create middle 16M backing_file=base,backing_fmt=qcow2,cluster_size=16k
    io middle 'write -P 3 10M 1M' 'write -P 4 1M 1M' 'write -z 2M 64k'
    create top 16M backing_file=middle,backing_fmt=qcow2,extended_l2=on,cluster_size=128k
    io top 'write -P 5 9M 300k' 'write -P 6 700k 4k' 'discard 8M 128k'
    qemu-img convert -O raw top all
}

@test "an overlay is rewritten above its backing files" {
    a_chain
    defragments top new
    qemu-img compare -q -F raw new all
    is <(qemu-img info new | grep -E '^backing') "$(qemu-img info top | grep -E '^backing')"
    mv new top
    qemu-img compare -q -F raw top all
}

@test "a backing file is rewritten below its overlays" {
    a_chain
    for name in base middle; do
        cp $name old
        defragments $name new
        qemu-img compare -q old new
        mv new $name
        qemu-img compare -q -F raw top all
    done
}

@test "what was committed or rebased is rewritten like any other" {
    a_chain
    qemu-img commit -q top
    qemu-img compare -q -F raw middle all
    defragments middle new
    qemu-img compare -q -F raw new all
    qemu-img rebase -q -b '' new
    io new 'write -c -P 7 14M 64k' 'write -P 8 3M 100k'
    qemu-img convert -O raw new all
    defragments new newer
    qemu-img compare -q -F raw newer all
}

# ---- again ----

@test "what was put in order is in order: the second time nothing is written" {
    a_chain
    for name in base middle top; do
        defragments $name new
        try qcow2frag defrag -o again new
        exits 0
        holds out "already in order"
        [ ! -e again ]
        rm new
    done
}

# ---- what is refused, and what stays in order ----

@test "--reserve: whatever the guest writes first later, it is in order" {
    qemu-img create -q -f qcow2 image 64M
    qemu-io -f qcow2 -c 'write -q -P 1 40M 2M' -c 'write -q -P 2 1M 3M' image
    qemu-img convert -O raw image raw
    qcow2frag defrag -q --reserve -o new image
    qemu-img check -q new
    qemu-img compare -q -f raw raw -F qcow2 new
    [ "$(stat -c %b new)" -lt 12000 ] || told "the places take room"
    python3 -c 'import random
random.seed(3)
for cluster in random.sample(range(1024), 1024):
    if not 640 <= cluster < 672 and not 16 <= cluster < 64:
        print(f"write -q -P 9 {cluster * 64}k 64k")' | qemu-io -f qcow2 new >io.log
    qcow2frag --json new >figures
    is <(json figures '[i[0]["tables"][0][k] for k in ("fragmentation_score", "breaks", "mapped_clusters")]') '[0.0, 0, 1024]'
    qemu-img check -q new
}

# refuses IMAGE WHY [OPTION ...]: nothing is made, and the image is as it was.
refuses() {
    cksum <"$1" >before
    try qcow2frag defrag --force "${@:3}" "$1"
    refused "$1" ${2:+"$2"}
    cksum <"$1" | diff before -
    try qcow2frag defrag --force -o new "${@:3}" "$1"
    refused "$1" ${2:+"$2"}
    [ ! -e new ]
}

@test "--reserve where it cannot work" {
    qemu-img create -q -f qcow2 -o compat=0.10 two 1M
    refuses two "--reserve cannot work here: version 2 has no zero clusters that keep a place; qemu-img amend" --reserve
    qemu-img create -q -f qcow2 -b two -F qcow2 top
    refuses top "--reserve cannot work here: it has a backing file, which zero clusters would hide" --reserve
    qemu-img create -q -f qcow2 saved 1M
    qemu-img snapshot -c s saved
    refuses saved "--reserve cannot work here: it has internal snapshots" --reserve
    qemu-img create -q -f qcow2 -o data_file=raw.img outside 1M
    refuses outside "--reserve cannot work here: the data of its guest are in an external data file" --reserve
}

@test "LUKS: the keys are not there, and a plain move would destroy it" {
    luks qemu-img create -q -f qcow2 --object secret,id=s,data=x \
        -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 image 1M
    refuses image "it is encrypted with LUKS"
    holds err "qemu-img convert, given the key, writes it anew, without its internal snapshots"
}

# poke FILE OFFSET BYTE: of the header.
poke() { printf "\\x$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

@test "one that was not closed, one that is marked as corrupt, bits that nobody knows" {
    qemu-img create -q -f qcow2 good 1M
    cp good image
    poke image 79 01
    refuses image "it was not closed properly, and its refcounts are not up to date; repair it with qemu-img check -r all"
    poke image 79 02
    refuses image "it is marked as corrupt; repair it with qemu-img check -r all"
    poke image 79 80
    refuses image ""
    cp good image
    poke image 95 08
    refuses image "it has autoclear feature bits that are not known here (0x8)"
    try qcow2frag defrag --force -q --clear-unknown-autoclear image
    exits 0
    [ "$(dd if=image bs=1 skip=88 count=8 status=none | od -An -tx1 | tr -d ' ')" = 0000000000000000 ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The verdict on real images: action and causes of what QEMU makes of known habits. The commands are
# run in recipes.bats.
#
# --no-host and --device hdd: the verdict here is about the image, wherever the tests run.

load helper

# shuffle N: the numbers 0 .. N - 1 in a fixed random order.
shuffle() {
    python3 -c 'import random, sys; n = list(range(int(sys.argv[1]))); random.seed(1); random.shuffle(n)
print(*n, sep="\n")' "$1"
}

# written_at_random IMAGE [CLUSTER-KIB]: 300 clusters, each with its own bytes, in random order.
written_at_random() {
    local kib=${2:-64}

    needs qemu-io python3
    shuffle 300 | while read -r n; do
        echo "write -P $((n % 250 + 1)) $((n * kib))k ${kib}k"
    done | qemu-io "$1" >/dev/null
}

verdict() { qcow2frag --json --no-host --device hdd "$1" >verdict.json; }

# judged ACTION CAUSES: of the last verdict.
judged() {
    is <(json verdict.json 'i[0]["verdict"]["action"]') "$1"
    is <(json verdict.json '" ".join(c["code"] for c in i[0]["verdict"]["causes"])') "$2"
}

# commands IMAGE: those of its page, a line each.
commands() { qcow2frag --no-host --device hdd "$1" | sed -n '/^  What to do:/,$ s/^        //p'; }

# ---- habits and what is said of them ----

@test "an image written in order: nothing to do" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 disk 64M
    qemu-io -c "write 0 32M" disk >/dev/null
    verdict disk
    judged none ""
    [ -z "$(commands disk)" ]
}

@test "an empty image: nothing to do" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    verdict disk
    judged none ""
    is <(json verdict.json 'i[0]["verdict"]["reason"]') "Nothing is mapped: there is nothing to read."
}

@test "random writes: rewrite the image" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    written_at_random disk
    verdict disk
    judged image random-growth
    is <(json verdict.json 'i[0]["verdict"]["copy_bytes"]') $((300 * 65536))
    is <(json verdict.json 'i[0]["verdict"]["image_share"]') 1.0
    is <(json verdict.json 'i[0]["verdict"]["host_share"]') 0.0
}

@test "what is copied of a compressed cluster is its data, once, though it is read twice" {
    image disk <<<'size 64M
cluster 2M
compressed 0..9 bytes 1048576'
    verdict disk
    # Of a blob 1 MiB, and its last sector is shared with none.
    is <(json verdict.json 'i[0]["verdict"]["copy_bytes"]') $((10 * 1048576))
}

@test "six writers in turns: interleaved growth" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 disk 128M
    for n in $(seq 0 129); do
        for writer in 0 1 2 3 4 5; do echo "write $((writer * 16384 + n * 64))k 64k"; done
    done | qemu-io disk >/dev/null
    verdict disk
    judged image interleaved-growth
}

@test "written backwards: downward allocation" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 disk 64M
    for n in $(seq 255 -1 0); do echo "write $((n * 64))k 64k"; done | qemu-io disk >/dev/null
    verdict disk
    judged image downward-allocation
}

@test "small clusters are named" {
    needs qemu-img
    qemu-img create -q -f qcow2 -o cluster_size=4k disk 64M
    written_at_random disk 4
    verdict disk
    judged image "random-growth small-clusters"
}

@test "writes into a compressed image: rewritten compressed clusters" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 plain 64M
    qemu-io -c "write -P 3 0 20M" plain >/dev/null
    qemu-img convert -c -O qcow2 plain disk
    shuffle 320 | head -200 | while read -r n; do echo "write -P 9 $((n * 64))k 64k"; done |
        qemu-io disk >/dev/null
    verdict disk
    judged image rewritten-compressed
}

@test "writes after a snapshot: the snapshot is the cause" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    written_at_random disk
    qemu-img snapshot -c one disk
    shuffle 300 | head -40 | while read -r n; do echo "write -P 9 $((n * 64))k 64k"; done |
        qemu-io disk >/dev/null
    verdict disk
    judged image "snapshots random-growth"
}

# grown NAME OPTIONS [MORE-OPTIONS]: an image of 32 MiB, on base if its name has an "over" in it, whose
# clusters were written as the file writes says.
grown() {
    local backing=()

    [[ $1 != *over* ]] || backing=(-b base -F qcow2)
    qemu-img create -q -f qcow2 ${backing[@]+"${backing[@]}"} -o "$2" ${3:+-o "$3"} "$1" 32M 2>log ||
        told "QEMU does not take $2 with $3:" log
    qemu-io "$1" <writes >/dev/null
}

@test "the option against random growth is one that QEMU takes for such an image, and it helps" {
    needs qemu-img qemu-io
    shuffle 512 | head -400 | while read -r n; do echo "write -q -P 9 $((n * 64))k 64k"; done >writes
    qemu-img create -q -f qcow2 base 32M
    for how in compat=0.10 cluster_size=4k extended_l2=on,cluster_size=128k; do
        for kind in plain over; do
            rm -f $kind $kind-again
            grown $kind $how
            qcow2frag --json --no-host --device hdd $kind >found
            is <(json found 'i[0]["verdict"]["causes"][0]["code"]') random-growth
            option=$(json found 'i[0]["verdict"]["causes"][0]["option"]')
            [[ $option == *preallocation=* ]] || told "against $how, $kind: $option"
            grown $kind-again $how "$option"
            qcow2frag --json --no-host --device hdd $kind-again >found
            is <(json found '[i[0]["verdict"]["action"], i[0]["tables"][0]["backward_steps"]]') '["none", 0]'
        done
    done
}

@test "a damaged image: unknown, repair first" {
    fixture v2-zero
    try qcow2frag --json --no-host v2-zero.qcow2
    exits 2
    mv out verdict.json
    judged unknown ""
    qcow2frag --no-host v2-zero.qcow2 >page || true
    holds page "qemu-img check v2-zero.qcow2"
}

@test "with a snapshot alone there is no verdict" {
    fixture snapshot-shared
    qcow2frag --json --no-host --snapshot before snapshot-shared.qcow2 >verdict.json
    is <(json verdict.json 'i[0]["verdict"]') null
}

@test "an image without a verdict on the disk is judged as if the disk spins, and says so" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    written_at_random disk
    qcow2frag --no-host disk >page
    holds page ", if the disk spins;"
    qcow2frag --no-host --device hdd disk >page
    not grep -q "if the disk spins" page
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The verdict on real images: action and causes of what QEMU makes of known habits; and the commands
# that the page prints, run as they stand: the copy has the same contents, keeps the format, and is
# in order.
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

# rewritten IMAGE: does what the page says, up to the copy that stands in the original's place.
rewritten() {
    commands "$1" >commands
    cp "$1" original
    grep -E '^qemu-img (convert|compare) ' commands >script
    grep -E '^chmod ' commands >>script
    [ "$(wc -l <script)" = 3 ] || told "not three commands:" commands
    sh -e script >log 2>&1 || told "the commands failed:" log
    qemu-img compare original "$1" >/dev/null
    verdict "$1"
    judged none ""
}

# kept KEY ...: qemu-img info says the same of the original and of what stands in its place.
kept() {
    local image=$1 key

    shift
    qemu-img info --output=json original >before.json
    qemu-img info --output=json "$image" >after.json
    for key; do
        is <(json after.json "d$key") "$(json before.json "d$key")"
    done
}

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

@test "two writers in turns: interleaved growth" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 disk 128M
    for n in $(seq 0 199); do
        echo "write $((n * 64))k 64k"
        echo "write $((65536 + n * 64))k 64k"
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
    shuffle 300 | head -100 | while read -r n; do echo "write -P 9 $((n * 64))k 64k"; done |
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
    judged image snapshots
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
    ! grep -q "if the disk spins" page
}

# ---- the commands, as they stand ----

@test "the commands put an image in order" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    written_at_random disk
    rewritten disk
    kept disk '["cluster-size"]' '["format-specific"]["data"]["compat"]'
}

@test "the commands keep version 2" {
    needs qemu-img
    qemu-img create -q -f qcow2 -o compat=0.10 disk 64M
    written_at_random disk
    rewritten disk
    kept disk '["format-specific"]["data"]["compat"]'
}

@test "the commands keep cluster size, refcount width and lazy refcounts" {
    needs qemu-img
    qemu-img create -q -f qcow2 -o cluster_size=16k,refcount_bits=8,lazy_refcounts=on disk 64M
    written_at_random disk 16
    rewritten disk
    kept disk '["cluster-size"]' '["format-specific"]["data"]["refcount-bits"]' \
        '["format-specific"]["data"]["lazy-refcounts"]'
}

@test "the commands keep extended L2 entries" {
    needs qemu-img
    qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k disk 64M
    written_at_random disk 128
    rewritten disk
    kept disk '["format-specific"]["data"]["extended-l2"]'
}

@test "the commands keep a backing file, and copy only what is in front of it" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 "base one.qcow2" 64M
    qemu-io -c "write -P 7 0 40M" "base one.qcow2" >/dev/null
    qemu-img create -q -f qcow2 -b "base one.qcow2" -F qcow2 disk
    written_at_random disk
    rewritten disk
    kept disk '["backing-filename"]' '["backing-filename-format"]'
    is <(json verdict.json 'i[0]["tables"][0]["mapped_clusters"]') 300
}

@test "the commands keep compression and its method" {
    needs qemu-img qemu-io python3
    qemu-img create -q -f qcow2 plain 64M
    python3 -c 'import random; random.seed(2); open("noise", "wb").write(bytes(random.randrange(16) for _ in range(4 << 20)))'
    qemu-img convert -f raw -O qcow2 noise plain
    qemu-img convert -c -O qcow2 -o compression_type=zstd plain disk ||
        skip "this qemu-img has no zstd"
    shuffle 64 | head -12 | while read -r n; do echo "write -P 9 $((n * 64))k 64k"; done |
        qemu-io disk >/dev/null
    rewritten disk
    kept disk '["format-specific"]["data"]["compression-type"]'
    is <(json verdict.json 'i[0]["tables"][0]["compressed_clusters"]') 64
}

@test "the commands keep bitmaps" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    written_at_random disk
    qemu-img bitmap --add disk b0
    rewritten disk
    kept disk '["format-specific"]["data"]["bitmaps"][0]["name"]'
}

@test "names that a shell would take apart are quoted" {
    needs qemu-img
    qemu-img create -q -f qcow2 "it's my \$disk" 64M
    written_at_random "it's my \$disk"
    rewritten "it's my \$disk"
}

@test "a name that begins with a dash is no option" {
    needs qemu-img
    qemu-img create -q -f qcow2 ./-disk 64M
    written_at_random ./-disk
    qcow2frag --no-host --device hdd -- -disk >page
    holds page "./-disk ./-disk.new"
}

@test "an encrypted image stays encrypted" {
    needs qemu-img qemu-io
    printf abc >KEYFILE
    created=
    for attempt in 1 2 3 4 5; do
        qemu-img create -q -f qcow2 --object secret,id=key,file=KEYFILE \
            -o encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10 disk 16M 2>log && created=yes && break
    done
    [ -n "$created" ] || skip "this qemu-img makes no LUKS image"
    for n in 9 3 7 1 8 2 6 0 5 4; do echo "write -P $((n + 1)) $((n * 64))k 64k"; done |
        qemu-io --object secret,id=key,file=KEYFILE \
            --image-opts driver=qcow2,encrypt.key-secret=key,file.filename=disk >/dev/null
    commands disk >commands
    grep -E '^qemu-img (convert|compare) ' commands >script
    for attempt in 1 2 3 4 5; do
        sh -e script >log 2>&1 && break
        rm -f disk.new
    done
    [ -e disk.new ] || told "the commands failed:" log
    is <(qemu-img info --output=json disk.new | python3 -c 'import json, sys; print(json.load(sys.stdin)["encrypted"])') True
    verdict disk.new
    judged none ""
}

# ---- what would be lost is said before ----

@test "the page says how many snapshots a copy will not have" {
    needs qemu-img
    qemu-img create -q -f qcow2 disk 64M
    written_at_random disk
    qemu-img snapshot -c one disk
    qemu-img snapshot -c two disk
    qcow2frag --no-host --device hdd disk | tr -s ' \n' ' ' >page
    holds page "The copy will not have the 2 internal snapshots of this image"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images made by qemu-img and qemu-io, one kind a test. Of each image three witnesses are asked:
# the second decoder (all tables, all figures), qemu-img check (its own percentages), and
# qemu-img map (which guest range lies where).

load helper
load qemu

setup() {
    enter_scratch
    needs qemu-img qemu-io python3
}

# scattered IMAGE LENGTH N: N writes of LENGTH bytes side by side, in an order that jumps about.
scattered() {
    local k commands=()

    for ((k = 0; k < $3; k++)); do
        commands+=("write -P $((k % 255 + 1)) $((k * 7 % $3 * $2)) $2")
    done
    io "$1" "${commands[@]}"
}

# lived IMAGE COMMAND ...: commands of qemu-io, and snapshot NAME, in one QEMU without a guest. Where there is none, each
# takes one of its tools.
lived() {
    local image=$1 command

    shift
    for command; do
        case $command in
        snapshot\ *) echo "snapshot_blkdev_internal disk ${command#* }" ;;
        *) echo "qemu-io disk \"$command\"" ;;
        esac
    done >monitor
    echo quit >>monitor
    if command -v qemu-system-x86_64 >/dev/null; then
        qemu-system-x86_64 -machine none -nodefaults -display none -monitor stdio \
            -drive "if=none,id=disk,file=$image,format=qcow2,cache=unsafe" <monitor >monitor.log 2>&1 &&
            ! grep -qiE 'error|fail|unknown' monitor.log || told "QEMU failed:" monitor.log
        return
    fi
    for command; do
        case $command in
        snapshot\ *) qemu-img snapshot -c "${command#* }" "$image" ;;
        *) io "$image" "$command" ;;
        esac
    done
}

# has N KEY: there was something to be measured, and as much as meant.
has() { [ "$(json ours.json "i[0]['tables'][0]['$2']")" = "$1" ] || told "$2 is not $1" ours.json; }

# ---- clusters ----

@test "an empty image" {
    create f 1G
    agrees f
    has 0 mapped_clusters
}

@test "a disk of no bytes" {
    create f 0
    agrees f
}

@test "writes in guest order, over an L2 border" {
    create f 1G
    io f 'write 500M 40M'
    agrees f
    has 640 mapped_clusters
}

@test "clusters of 512 bytes" {
    create f 2M cluster_size=512
    scattered f 1536 300
    agrees f
}

@test "clusters of 1 KiB" {
    create f 4M cluster_size=1k
    scattered f 3072 250
    agrees f
}

@test "clusters of 4 KiB" {
    create f 64M cluster_size=4k
    scattered f 12288 250
    agrees f
}

@test "clusters of 16 KiB" {
    create f 64M cluster_size=16k
    scattered f 32768 200
    agrees f
}

@test "clusters of 256 KiB" {
    create f 1G cluster_size=256k
    scattered f 262144 60
    agrees f
}

@test "clusters of 2 MiB" {
    create f 10G cluster_size=2M
    scattered f 2097152 24
    agrees f
}

@test "written backwards, cluster by cluster" {
    local k commands=()
    create f 4M cluster_size=4k
    for k in {255..0}; do commands+=("write -P 7 $((k * 4))k 4k"); done
    io f "${commands[@]}"
    agrees f
    has 255 backward_steps
}

@test "written by several requests at once" {
    create f 64M
    io f 'aio_write 20M 3M' 'aio_write 4M 3M' 'aio_write 40M 3M' 'aio_write 5M 3M' 'aio_flush'
    agrees f
}

@test "every third cluster, then the gaps" {
    local k commands=()
    create f 64M
    for ((k = 0; k < 90; k += 3)); do commands+=("write $((k * 64))k 64k"); done
    for ((k = 1; k < 90; k += 3)); do commands+=("write $((k * 64))k 64k"); done
    io f "${commands[@]}"
    agrees f
}

@test "a disk that ends within a cluster" {
    create f 67109376
    io f 'write 0 256k' 'write 64M 512'
    agrees f
    has 5 mapped_clusters
}

@test "data at far places of a sparse disk of 2 TiB with 2 MiB clusters" {
    create f 2T cluster_size=2M
    io f 'write 1T 4M' 'write 0 2M' 'write 2047G 3M'
    sparse=yes
    agrees f
}

# ---- versions and refcounts ----

@test "version 2" {
    create f 64M compat=0.10
    scattered f 131072 60
    agrees f
}

@test "version 2 with discarded clusters" {
    create f 64M compat=0.10
    io f 'write 0 4M' 'discard 1M 1M' 'write -z 3M 64k'
    agrees f
}

@test "refcounts of 1 bit" {
    create f 64M refcount_bits=1
    scattered f 196608 60
    agrees f
}

@test "refcounts of 2 bits, with snapshots" {
    create f 64M refcount_bits=2
    io f 'write 0 2M'
    qemu-img snapshot -c one f
    io f 'write 1M 2M'
    agrees f
    snapshot_agrees f one
}

@test "refcounts of 4 bits, with snapshots" {
    create f 64M refcount_bits=4
    io f 'write 0 2M'
    qemu-img snapshot -c one f
    io f 'write 1M 2M'
    agrees f
    snapshot_agrees f one
}

@test "refcounts of 8 bits" {
    create f 64M refcount_bits=8
    scattered f 196608 60
    agrees f
}

@test "refcounts of 32 bits" {
    create f 64M refcount_bits=32
    scattered f 196608 60
    agrees f
}

@test "refcounts of 64 bits, 512-byte clusters, preallocated metadata" {
    create f 8M refcount_bits=64,cluster_size=512,preallocation=metadata
    agrees f
}

@test "a refcount table that had to grow" {
    create f 6M cluster_size=512 # 64 blocks for 128 KiB each are a table
    io f 'write 0 5M'
    qemu-img snapshot -c one f
    io f 'write 0 5M'
    agrees f
    snapshot_agrees f one
}

@test "lazy refcounts" {
    create f 64M lazy_refcounts=on
    scattered f 196608 60
    agrees f
}

@test "the dirty bit of a crash, with stale refcounts" {
    create f 64M lazy_refcounts=on
    qemu-io -f qcow2 -c 'write 0 1M' -c 'write 3M 1M' -c flush -c 'sigraise 9' f >io.log 2>&1 || true
    agrees f 2
    [ "$(json ours.json 'i[0]["format"]["dirty"]')" = true ]
}

# ---- snapshots ----

@test "ten snapshots with VM state on a disk of 1 MiB" {
    local k commands=()
    create f 1M
    for k in {1..10}; do
        commands+=('write -b 0 2M' "write $((k * 64))k 64k" "snapshot t$k")
    done
    lived f "${commands[@]}"
    agrees f
    snapshot_agrees f t4
}

@test "forty snapshots" {
    local k commands=('write 0 8M')
    create f 256M cluster_size=16k
    for k in {1..40}; do
        [ $((k % 2)) = 0 ] ||
            commands+=("write -P $k $((k * 37 % 120 * 64))k 80k" "write -P $k $(((k + 1) * 37 % 120 * 64))k 80k")
        commands+=("snapshot s$k")
    done
    lived f "${commands[@]}"
    [ "$(qemu-img snapshot -l f | grep -c " s[0-9]")" = 40 ]
    agrees f
    snapshot_agrees f s1
    snapshot_agrees f s33
}

@test "snapshots of a disk of 6 GiB with 4 KiB clusters" {
    local k
    create f 6G cluster_size=4k
    for k in 1 2 3; do
        io f "write $((k * 8))k 256k" "write 4294967296 $((k * 64))k"
        qemu-img snapshot -c "s$k" f
    done
    agrees f
    snapshot_agrees f s2
}

@test "a snapshot whose L1 table is shorter than the active one" {
    create f 16M cluster_size=1k
    io f 'write 0 1M'
    qemu-img snapshot -c one f
    io f 'write -b 0 4M' 'write 2M 1M'
    agrees f
    snapshot_agrees f one
}

@test "VM state far behind the disk" {
    create f 16M
    io f 'write 3M 1M' 'write -b -P 1 1T 4k'
    qemu-img snapshot -c one f
    io f 'write 0 1M'
    agrees f
}

@test "a snapshot taken before the disk grew" {
    create f 32M
    io f 'write 30M 2M'
    qemu-img snapshot -c small f
    qemu-img resize -q f 2G
    io f 'write 1G 2M'
    agrees f
    snapshot_agrees f small
}

@test "a snapshot made the active state again" {
    create f 64M cluster_size=4k
    io f 'write 0 1M'
    qemu-img snapshot -c one f
    io f 'write -P 2 0 512k' 'write 8M 1M'
    qemu-img snapshot -c two f
    qemu-img snapshot -a one f
    io f 'write -P 3 256k 64k'
    agrees f
    snapshot_agrees f two
}

@test "snapshots deleted, and their places used again" {
    local k
    create f 64M cluster_size=4k
    for k in 1 2 3 4; do
        io f "write -P $k 0 1M"
        qemu-img snapshot -c "s$k" f
    done
    qemu-img snapshot -d s1 f
    qemu-img snapshot -d s3 f
    io f 'write -P 9 512k 2M'
    agrees f
    snapshot_agrees f s2
}

@test "a snapshot whose deletion failed half way" {
    create f 16M
    io f 'write 0 1M'
    qemu-img snapshot -c one f
    printf '[inject-error]\nevent = "cluster_free"\nerrno = "5"\n' >conf
    qemu-img snapshot -d one blkdebug:conf:f 2>delete.log || true
    agrees f 3
}

@test "snapshots of zero clusters" {
    create f 64M
    io f 'write 0 512k' 'write -z 0 256k' 'write -z 4M 1M'
    qemu-img snapshot -c one f
    io f 'write -z -u 128k 256k' 'write 5M 64k'
    agrees f
    snapshot_agrees f one
}

# ---- chains ----

@test "an overlay with data of its own" {
    create base 64M
    io base 'write 0 8M'
    qemu-img create -q -f qcow2 -b base -F qcow2 over
    io over 'write 2M 1M' 'write 1M 64k' 'write 20M 64k' 'write -z 5M 128k'
    agrees over
}

@test "an overlay larger than its backing file" {
    create base 1M
    io base 'write 0 1M'
    qemu-img create -q -f qcow2 -b base -F qcow2 over 4M
    io over 'write 512k 128k' 'write 3M 64k'
    agrees over
}

@test "a chain of three with holes in each" {
    create a 8M cluster_size=4k
    io a 'write 0 1M' 'write 3M 1M'
    qemu-img create -q -f qcow2 -b a -F qcow2 b 16M
    io b 'write 512k 1M' 'discard 3M 64k'
    qemu-img create -q -f qcow2 -o cluster_size=2M -b b -F qcow2 c 32M
    io c 'write 6M 64k' 'write -z 2M 2M'
    agrees b
    agrees c
}

@test "an overlay of a raw disk" {
    truncate -s 8M raw
    qemu-img create -q -f qcow2 -b raw -F raw over
    io over 'write 4M 1M' 'write 64k 64k'
    agrees over
}

@test "an overlay emptied by a commit" {
    create base 64M cluster_size=4k
    io base 'write 0 1M'
    qemu-img create -q -f qcow2 -o cluster_size=4k -b base -F qcow2 over
    io over 'write 8M 4M'
    qemu-img commit -q over
    agrees over
    agrees base
}

@test "an overlay rebased on another file" {
    create a 8M
    io a 'write 0 2M'
    create b 8M
    io b 'write 1M 2M'
    qemu-img create -q -f qcow2 -b a -F qcow2 over
    io over 'write 4M 64k'
    qemu-img rebase -q -b b -F qcow2 over
    agrees over
}

# ---- amend, resize, convert ----

@test "amended from version 3 to version 2, with zero clusters and a snapshot" {
    create f 64M
    io f 'write 0 1M' 'write -z 256k 512k' 'write -z 8M 1M'
    qemu-img snapshot -c one f
    io f 'write -z 128k 64k'
    qemu-img amend -f qcow2 -o compat=0.10 f
    # Some versions of qemu-img leave COPIED flags on clusters that the snapshot shares.
    agrees f "0 2"
    snapshot_agrees f one
}

@test "amended from version 2 to version 3" {
    create f 64M compat=0.10
    io f 'write 0 1M'
    qemu-img amend -f qcow2 -o compat=1.1,lazy_refcounts=on f
    io f 'write -z 256k 128k' 'write 4M 128k'
    agrees f
}

@test "amended to other refcounts" {
    create f 64M
    io f 'write 0 8M'
    qemu-img amend -f qcow2 -o refcount_bits=64 f
    io f 'write 20M 1M'
    agrees f
}

@test "grown" {
    create f 64M cluster_size=4k
    io f 'write 60M 4M'
    qemu-img resize -q f 8G
    io f 'write 7G 64k' 'write 64M 64k'
    agrees f
}

@test "shrunk" {
    create f 64M cluster_size=4k
    io f 'write 0 1M' 'write 31M 2M' 'write 60M 1M'
    qemu-img resize -q --shrink f 32M
    agrees f
}

@test "copied by qemu-img convert" {
    create a 64M
    scattered a 196608 60
    qemu-img convert -O qcow2 a f
    agrees f
}

@test "copied by qemu-img convert out of order" {
    create a 256M
    io a 'write 0 100M'
    qemu-img convert -W -m 16 -O qcow2 a f
    agrees f
}

@test "copied by qemu-img convert, zeros written out" {
    create a 16M
    io a 'write 3M 2M'
    qemu-img convert -S 0 -O qcow2 a f
    agrees f
    has 256 mapped_clusters
}

@test "copied by qemu-img convert onto a backing file" {
    create base 16M
    io base 'write 0 2M'
    create a 16M
    io a 'write 0 2M' 'write -P 3 1M 64k' 'write 9M 1M'
    qemu-img convert -O qcow2 -B base -F qcow2 a f
    agrees f
}

@test "filled by qemu-img bench in steps" {
    create f 64M
    qemu-img bench -w -f qcow2 -c 150 -d 16 -s 64k -S 384k f >bench.log
    agrees f
}

# ---- preallocation ----

@test "preallocated metadata, 16 KiB clusters" {
    create f 64M preallocation=metadata,cluster_size=16k
    agrees f
    has 4096 mapped_clusters
}

@test "preallocated metadata, then partly written" {
    create f 64M preallocation=metadata
    io f 'write 8M 1M' 'write 1M 64k' 'write -z 20M 1M'
    agrees f
}

@test "preallocated space" {
    create f 32M preallocation=falloc
    agrees f
}

@test "preallocated in full" {
    create f 16M preallocation=full
    agrees f
}

@test "grown with preallocated space" {
    create f 512k preallocation=metadata,cluster_size=16k
    qemu-img resize -q --preallocation=falloc f +80k
    agrees f
}

@test "tables at odd places, after preallocation and growth" {
    create f 64512K preallocation=metadata,cluster_size=1k
    qemu-img resize -q f 65M
    io f 'write 64512k 1k' 'write 65535k 1k'
    agrees f
}

# ---- compressed ----

# text_disk FILE: a raw disk of 6 MiB whose clusters compress, each to another length. Not to be written to: it is the
# same file for all tests.
text_disk() {
    made_once text_disk make_text_disk
    ln -s "$made" "$1"
}

make_text_disk() {
    python "$1" <<'PYTHON'
import random, sys
random.seed(1)
with open(sys.argv[1], "wb") as f:
    for k in range(96):
        n = random.randrange(100, 50000)
        f.write(random.randbytes(n) + bytes(65536 - n))
PYTHON
}

# compressed IMAGE: that disk, with zlib.
compressed() {
    text_disk raw
    made_once compressed qemu-img convert -c -f raw -O qcow2 raw
    cp "$made" "$1"
}

@test "compressed with zlib" {
    compressed f
    agrees f
    has 96 compressed_clusters
}

@test "compressed with zstd" {
    text_disk raw
    qemu-img convert -c -f raw -O qcow2 -o compression_type=zstd raw f || skip "qemu-img without zstd"
    agrees f
    has 96 compressed_clusters
}

@test "compressed by several writers out of order" {
    text_disk raw
    qemu-img convert -c -W -m 8 -f raw -O qcow2 raw f
    agrees f
}

@test "compressed with 4 KiB clusters" {
    text_disk raw
    qemu-img convert -c -f raw -O qcow2 -o cluster_size=4k raw f
    agrees f
}

@test "compressed with 512-byte clusters" {
    create f 1M cluster_size=512
    io f 'write -c -P 1 0 512' 'write -c -P 2 1024 512' 'write -c -P 3 512 512' 'write -P 4 2048 512'
    agrees f
    has 3 compressed_clusters
}

@test "compressed with 2 MiB clusters" {
    text_disk raw
    qemu-img convert -c -f raw -O qcow2 -o cluster_size=2M raw f
    agrees f
}

@test "compressed with refcounts of 1 bit" {
    text_disk raw
    qemu-img convert -c -f raw -O qcow2 -o refcount_bits=1 raw f
    agrees f
}

@test "compressed, then partly written anew" {
    compressed f
    io f 'write 64k 64k' 'write 1M 300k' 'write 3M 4k' 'write -z 2M 128k'
    agrees f
}

@test "compressed, then partly discarded" {
    compressed f
    io f 'discard 64k 64k' 'discard 1M 1M' 'write -c -P 5 1M 64k' 'write -c -P 6 64k 64k'
    agrees f
}

@test "compressed, in a snapshot" {
    compressed f
    qemu-img snapshot -c one f
    io f 'write 0 1M' 'discard 2M 128k' 'write -c -P 1 2M 64k'
    agrees f
    snapshot_agrees f one
}

@test "a compressed overlay" {
    text_disk raw
    qemu-img create -q -f qcow2 -b raw -F raw f
    io f 'write -c -P 1 640k 64k' 'write -c -P 2 128k 64k' 'write 256k 64k'
    agrees f
}

@test "a compressed cluster past 4 GiB of a disk of 513 TiB" {
    create f 513T cluster_size=2M,refcount_bits=1
    # The first 2,304 clusters count as used (the refcount block lies at 4 MiB): the rest goes behind.
    head -c 288 /dev/zero | tr '\0' '\377' | dd of=f bs=1 seek=4M conv=notrunc status=none
    io f 'write -c -P 1 512T 2M' 'write 0 2M' 'write -c -P 2 2M 2M'
    sparse=yes
    agrees f 3
    has 2 compressed_clusters
}

@test "every kind of cluster beside every other" {
    local first second guest=0 commands=()
    create f 16M
    for first in write 'write -c' 'write -z' 'write -z -u' discard; do
        for second in write 'write -c' 'write -z' 'write -z -u' discard; do
            commands+=("$first ${guest}k 64k" "$second $((guest + 64))k 64k")
            guest=$((guest + 192))
        done
    done
    io f "${commands[@]}"
    agrees f
}

# ---- zeros ----

@test "zero clusters that were never written" {
    create f 64M
    io f 'write 0 256k' 'write -z 256k 512k' 'write 768k 256k'
    agrees f
    has 8 zero_clusters
    has 0 zero_allocated_clusters
}

@test "zero clusters that keep their place" {
    create f 64M
    io f 'write 0 1M' 'write -z 256k 512k'
    agrees f
    has 8 zero_allocated_clusters
}

@test "zero clusters that gave up their place" {
    create f 64M
    io f 'write 0 1M' 'write -z -u 256k 512k' 'write 2M 1M'
    agrees f
    has 8 zero_clusters
}

@test "discarded clusters" {
    create f 64M
    io f 'write 0 4M' 'discard 1M 1M' 'write 8M 2M'
    agrees f
}

# ---- extended L2 ----

@test "extended L2 entries, written in whole clusters" {
    create f 64M extended_l2=on,cluster_size=128k
    scattered f 131072 60
    agrees f
}

@test "extended L2 entries with single subclusters" {
    create f 64M extended_l2=on,cluster_size=128k
    io f 'write 0 4k' 'write 8k 4k' 'write 124k 8k' 'write 1M 20k' 'write 640k 128k' 'write 516k 4k'
    agrees f
}

@test "extended L2 entries with zero subclusters" {
    create f 64M extended_l2=on,cluster_size=128k
    io f 'write 0 128k' 'write -z 4k 16k' 'write -z 256k 8k' 'write -z 512k 128k' 'write 640k 4k' \
        'write -z 640k 4k' 'write 1M 128k' 'write -z -u 1M 64k' 'discard 1M 128k'
    agrees f
}

@test "extended L2 entries over a backing file" {
    create base 16M
    io base 'write 0 4M'
    qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k -b base -F qcow2 f
    io f 'write 0 4k' 'write 70k 3k' 'write -z 256k 4k' 'write 1M 64k' 'write 3M 128k' \
        'write -z 1M 4k' 'discard 3M 128k'
    agrees f
}

@test "extended L2 entries with the smallest and the largest clusters" {
    create small 4M extended_l2=on,cluster_size=16k
    io small 'write 0 512' 'write 20k 1k' 'write 100k 40k'
    agrees small
    create large 256M extended_l2=on,cluster_size=2M
    io large 'write 100M 64k' 'write 3M 200k' 'write 64M 3M'
    agrees large
}

@test "extended L2 entries and compressed clusters" {
    create f 64M extended_l2=on,cluster_size=64k
    io f 'write -c -P 1 64k 64k' 'write -c -P 2 0 64k' 'write 64k 2k' 'write 256k 2k' 'write -c -P 3 512k 64k'
    agrees f
    has 2 compressed_clusters
}

@test "extended L2 entries in a snapshot" {
    create f 64M extended_l2=on,cluster_size=64k
    io f 'write 0 2k' 'write 64k 64k' 'write -z 128k 4k'
    qemu-img snapshot -c one f
    io f 'write 4k 2k' 'write 128k 2k' 'write -z 64k 2k'
    agrees f
    snapshot_agrees f one
}

@test "extended L2 entries, preallocated" {
    create f 64M extended_l2=on,cluster_size=64k,preallocation=metadata
    agrees f
}

# ---- external data files ----

@test "an external data file" {
    create f 64M data_file=d
    io f 'write 1M 1M' 'write 0 64k' 'write -z 1M 128k' 'write 30M 1M'
    cp --sparse=never d d2 && mv d2 d
    agrees f
}

@test "a raw external data file" {
    create f 64M data_file=d,data_file_raw=on
    io f 'write 1M 1M' 'write 0 64k' 'write -z 30M 1M' 'write 40M 64k' 'discard 1M 64k'
    cp --sparse=never d d2 && mv d2 d
    agrees f
}

@test "an external data file, extended L2 entries" {
    create f 64M data_file=d,extended_l2=on,cluster_size=128k
    io f 'write 0 4k' 'write 1M 128k' 'write -z 2M 128k' 'write 520k 8k'
    cp --sparse=never d d2 && mv d2 d
    agrees f
}

@test "an external data file, preallocated" {
    create f 16M data_file=d,preallocation=metadata
    cp --sparse=never d d2 && mv d2 d
    agrees f
}

# ---- encryption ----

use_key() { key=(--object secret,id=key,data=secret); }

@test "encrypted with AES" {
    use_key
    qemu-img create -q -f qcow2 "${key[@]}" -o encrypt.format=aes,encrypt.key-secret=key f 16M ||
        skip "qemu-img without AES encryption"
    io f 'write 1M 1M' 'write 0 64k' 'write -z 1M 128k' 'write 8M 64k'
    agrees f
    [ "$(json ours.json 'i[0]["format"]["encryption"]')" = aes ]
}

encrypted() {
    use_key
    luks qemu-img create -q -f qcow2 "${key[@]}" \
        -o encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10 "$1" 16M
}

@test "encrypted with LUKS" {
    encrypted f
    io f 'write 1M 1M' 'write 0 64k' 'write -z 1M 128k' 'write 8M 64k'
    agrees f
    [ "$(json ours.json 'i[0]["format"]["encryption"]')" = luks ]
}

@test "encrypted with LUKS, with a snapshot" {
    encrypted f
    io f 'write 1M 1M'
    qemu-img snapshot "${key[@]}" --image-opts -c one "$(spec f)"
    io f 'write 512k 1M'
    agrees f
}

# ---- bitmaps ----

@test "persistent bitmaps" {
    create f 64M
    qemu-img bitmap --add -g 64k f b0
    qemu-img bitmap --add --disable -g 512 f b1
    io f 'write 0 2M' 'write 40M 64k'
    qemu-img bitmap --disable f b0
    io f 'write 10M 1M'
    agrees f
    [ "$(json ours.json 'i[0]["format"]["bitmap_count"]')" = 2 ]
}

@test "persistent bitmaps after a resize, with data written between" {
    create f 64M cluster_size=4k
    io f 'write 0 1M'
    qemu-img bitmap --add -g 64k f b0
    io f 'write 1M 1M'
    qemu-img resize -q f 128M
    io f 'write 100M 1M'
    agrees f
}

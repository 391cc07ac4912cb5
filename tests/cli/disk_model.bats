#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What reading a layout costs, as three witnesses have it. QEMU reads each disk, in requests of 1 MiB, from a
# simulated disk that holds a clock (tests/disk); a plain model goes over the same layout read by
# read (tests/oracle/disk_model.py) and must agree with QEMU to the byte; and the program's figures
# must be as near as they promise: seconds within 5 % or 60 ms, the read split within 2 %.

load helper

setup() {
    enter_scratch
    needs nbdkit qemu-img qemu-io python3
    [ -n "$DISK_PLUGIN" ] || skip "no nbdkit-plugin-dev when this was built"
    export PYTHONDONTWRITEBYTECODE=1
}

# qemu_reads IMAGE [BACKING ...] [OPTION ...]: qemu.json, and the reads one by one in reads.
qemu_reads() { witness disk/qemu_reads.py --reads reads "$DISK_PLUGIN" "$@" >qemu.json; }

compare() { witness disk/compare.py "$@"; }

# model IMAGE [BACKING ...] [OPTION ...]: model.json, which must agree with what QEMU has just done.
model() {
    witness oracle/disk_model.py "$@" >model.json
    compare model qemu.json model.json
}

# ours IMAGE [OPTION ...]: ours.json, what the program says.
ours() { qcow2frag --json --device hdd "$@" >ours.json; }

# program IMAGE: and it must agree with both.
program() {
    ours "$1"
    compare disk qemu.json model.json ours.json
}

# witnesses IMAGE: QEMU and the model agree.
witnesses() {
    qemu_reads "$1"
    model "$1"
}

# costs IMAGE: all three agree.
costs() {
    witnesses "$1"
    program "$1"
}

# has_no_disk IMAGE: with nothing mapped there is nothing to reckon.
has_no_disk() {
    ours "$1"
    [ "$(json ours.json 'i[0]["tables"][0]["disk"]')" = null ] || told "not null:" ours.json
}

milliseconds() { json "$1" 'int(d["seconds"] * 1000)'; }

# ---- standard clusters ----

@test "sequential, over an L2 border" {
    image f <<'FIXTURE'
size 768M
map 7168..9215
FIXTURE
    costs f
}

@test "holes in step" {
    image f <<'FIXTURE'
size 512M
map 0..4095 every 3 in-step
map 4096..8191 every 40 in-step
FIXTURE
    costs f
}

@test "holes in step, over L2 borders" {
    image f <<'FIXTURE'
size 1G
map all every 20 in-step
FIXTURE
    costs f
}

@test "two writers in turns: short gaps" {
    image f <<'FIXTURE'
size 128M
map 0..1023 at 10 stride 2
map 1024..2047 at 11 stride 2
FIXTURE
    costs f
}

@test "gaps too long to be read over" {
    image f <<'FIXTURE'
size 128M
map all at 10 stride 23
FIXTURE
    costs f
}

@test "reversed" {
    image f <<'FIXTURE'
size 128M
map all reversed
FIXTURE
    costs f
}

@test "shuffled by single clusters" {
    image f <<'FIXTURE'
size 128M
map all shuffled seed 1
FIXTURE
    costs f
}

@test "shuffled in groups of 4 clusters" {
    image f <<'FIXTURE'
size 128M
map all shuffled seed 2 group 4
FIXTURE
    costs f
}

@test "shuffled in groups of 64 clusters" {
    image f <<'FIXTURE'
size 256M
map all shuffled seed 3 group 64
FIXTURE
    costs f
}

@test "two writers with 2.6 TB between them" {
    image f <<'FIXTURE' || skip "no such long file here"
size 128M
map 0..2047 every 2 at 1000 stride 10
map 1..2047 every 2 at 40000000 stride 10
FIXTURE
    costs f
}

@test "swapped pairs" {
    image f <<'FIXTURE'
size 128M
map 0..2047 every 2 at 11 stride 2
map 1..2047 every 2 at 10 stride 2
FIXTURE
    costs f
}

@test "half of it mapped, the holes closed" {
    image f <<'FIXTURE'
size 256M
map all every 2
FIXTURE
    costs f
}

@test "half of it mapped, in random order" {
    image f <<'FIXTURE'
size 256M
map all every 2 shuffled seed 4
FIXTURE
    costs f
}

@test "zero clusters are not read, with a host cluster or without" {
    image f <<'FIXTURE'
size 256M
map 0..4095 every 8
zero 1..4095 every 8
zero-alloc 2..4095 every 8
map 3..4095 every 8
FIXTURE
    witnesses f
    [ "$(json qemu.json 'd["data_bytes"]')" = $((1024 * 65536)) ]
    program f
}

@test "nothing but L2 tables" {
    image f <<'FIXTURE'
size 2G
l2 0..32767
FIXTURE
    witnesses f
    [ "$(json qemu.json '[d["slices"], d["data_reads"]]')" = "[4, 0]" ]
    has_no_disk f
}

@test "nothing at all" {
    image f <<'FIXTURE'
size 2G
FIXTURE
    witnesses f
    [ ! -s reads ]
    has_no_disk f
}

@test "a disk that ends within a cluster" {
    image f <<'FIXTURE'
size 50369024
map all shuffled seed 5
FIXTURE
    costs f
}

# ---- other cluster sizes ----

@test "clusters of 512 bytes: L2 borders within a request" {
    image f <<'FIXTURE'
size 16M
cluster 512
map all shuffled seed 6 group 4
FIXTURE
    costs f
}

@test "clusters of 512 bytes in order" {
    image f <<'FIXTURE'
size 16M
cluster 512
map all
FIXTURE
    costs f
}

@test "clusters of 4 KiB" {
    image f <<'FIXTURE'
size 64M
cluster 4K
map all shuffled seed 7 group 3
FIXTURE
    costs f
}

@test "clusters of 4 KiB in order: a table every 2 MiB" {
    image f <<'FIXTURE'
size 64M
cluster 4K
map all
FIXTURE
    costs f
}

@test "clusters of 2 MiB: larger than a request" {
    image f <<'FIXTURE'
size 256M
cluster 2M
map all shuffled seed 8
FIXTURE
    costs f
}

# ---- small slices ----

@test "above 256 GiB the tables are read in slices of 4 KiB" {
    image f <<'FIXTURE'
size 257G
map 0..65535 every 512
FIXTURE
    qemu_reads f --tables # nothing is to be read in 253 of 257 GiB: that takes its time, too
    model f
    [ "$(json qemu.json 'd["slices"]')" = 128 ]
    program f
}

@test "small slices with clusters of 16 KiB" {
    image f <<'FIXTURE'
size 65G
cluster 16K
map 0..4999 shuffled seed 10 group 2
FIXTURE
    qemu_reads f --tables
    model f
    [ "$(json qemu.json 'd["slices"]')" = 12 ]
    program f
}

# ---- extended L2 ----

@test "extended L2, whole clusters" {
    image f <<'FIXTURE'
size 128M
feature extended-l2
map 0..1023
map 1024..2047 shuffled seed 11
FIXTURE
    costs f
}

@test "extended L2, clusters in part, in order" {
    image f <<'FIXTURE'
size 128M
feature extended-l2
map 0..1023 alloc 0..3
map 1024..2047 alloc 2..3,16..20,31 zero 0..1
FIXTURE
    costs f
}

@test "extended L2, clusters in part, shuffled" {
    image f <<'FIXTURE'
size 128M
feature extended-l2
map 0..1023 shuffled seed 12 alloc 0..3,16..20,31
map 1024..2047 shuffled seed 13 alloc 30..31
FIXTURE
    costs f
}

@test "extended L2, clusters of 2 MiB in part: what is not held is not read" {
    image f <<'FIXTURE'
size 512M
cluster 2M
feature extended-l2
map all shuffled seed 14 alloc 0,9..12
FIXTURE
    costs f
}

# ---- compressed ----

# half_random BYTES: raw, that many bytes, of which about a half can be compressed away. Not to be written to: it is
# the same file for all tests.
half_random() {
    made_once "raw.$1" make_half_random "$1"
    ln -s "$made" raw
}

make_half_random() {
    python "$@" <<'PYTHON'
import random, sys
r = random.Random(1)
with open(sys.argv[2], "wb") as file:
    for _ in range(int(sys.argv[1]) // 65536):
        n = r.randrange(65536)
        file.write(r.randbytes(n) + bytes(65536 - n))
PYTHON
}

# rewrite IMAGE N: N writes of 4 KiB at random places of its first 24 MiB.
rewrite() {
    python "$2" <<'PYTHON' | qemu-io -t unsafe -f qcow2 "$1" >io.log
import random, sys
r = random.Random(2)
for _ in range(int(sys.argv[1])):
    print("write -q -P 7 %d 4k" % (r.randrange(24 << 20 >> 12) << 12))
PYTHON
}

# compressed IMAGE OPTION=VALUE,... [MIB]: 24 MiB or so many, compressed in order.
compressed() {
    half_random $((${3:-24} << 20))
    made_once "compressed.$2.${3:-24}" qemu-img convert -c -O qcow2 -o "$2" raw
    cp "$made" "$1"
}

@test "compressed in order" {
    compressed f compression_type=zlib
    costs f
}

@test "compressed, and partly rewritten" {
    compressed f compression_type=zstd
    rewrite f 200
    costs f
}

@test "compressed with clusters of 4 KiB" {
    compressed f compression_type=zstd,cluster_size=4k
    costs f
}

@test "compressed with clusters of 2 MiB: each of two requests reads the blob" {
    compressed f compression_type=zstd,cluster_size=2M
    witnesses f
    [ "$(json qemu.json 'd["data_reads"]')" = 24 ]
    program f
}

@test "compressed with clusters of 2 MiB, and partly rewritten" {
    compressed f compression_type=zstd,cluster_size=2M
    rewrite f 12
    costs f
}

@test "compressed with clusters of 2 MiB, the last one in part: no request reads behind the disk" {
    half_random $((24 << 20))
    head -c 23592960 raw >short
    qemu-img convert -c -f raw -O qcow2 -o cluster_size=2M short f
    witnesses f
    [ "$(json qemu.json 'd["data_reads"]')" = 23 ] # the last of 12 clusters has 512 KiB
    program f
}

@test "compressed with clusters of 2 MiB that take one sector: it is in the buffer when it is read again" {
    qemu-img create -q -f qcow2 -o cluster_size=2M,compression_type=zstd f 128M
    for ((n = 0; n < 63; n++)); do
        echo "write -q -c -P 7 $((n * 2))M 2M"
    done >writes
    echo "write -q 126M 2M" >>writes # so that the last sector of the blobs is in the file
    qemu-io -t unsafe -f qcow2 f <writes >io.log
    costs f
    # Some reach into a second sector, about 10 of 63. All of them would be 0.3 s.
    [ "$(json ours.json 'i[0]["tables"][0]["disk"]["seconds"] < 0.1')" = true ] || told "seeks:" ours.json
}

@test "compressed with clusters of 2 MiB, after a defragmentation" {
    half_random $((24 << 20))
    qemu-img create -q -f qcow2 -o cluster_size=2M f 24M
    shuf -i 0-11 --random-source=raw | while read -r n; do
        echo "write -q -c -s part $((n << 21)) 2M"
    done >writes
    head -c 2M raw >part
    qemu-io -t unsafe -f qcow2 f <writes >io.log
    ours f
    qemu_reads f
    compare seconds qemu.json ours.json disk seconds
    qemu-img convert -c -O qcow2 -o cluster_size=2M f copy
    qemu_reads copy
    compare seconds qemu.json ours.json disk after_defrag_seconds
}

# ---- encrypted ----

# needs_aes IMAGE: QEMU reads what decrypts to nothing as well.
needs_aes() {
    qemu-io --object secret,id=key,data=secret -r -c "read 0 512" \
        --image-opts "driver=qcow2,file.filename=$1,encrypt.key-secret=key" >io.log 2>&1 ||
        skip "this QEMU cannot open AES images: $(tail -n 1 io.log)"
}

encrypted_costs() {
    needs_aes "$1"
    costs "$1"
}

@test "encrypted with clusters of 4 KiB: 32 clusters at a time, from where each read begins" {
    image f <<'FIXTURE'
size 64M
cluster 4K
crypt aes
map 5..400
zero 401..410
map 411..900
map 901..4999 at 5001
map 5000..16383 shuffled seed 25 group 45
FIXTURE
    encrypted_costs f
}

@test "encrypted with clusters of 16 KiB in part" {
    image f <<'FIXTURE'
size 64M
cluster 16K
crypt aes
feature extended-l2
map 0..2000 alloc 3..31
map 2001..4095 shuffled seed 26 group 40
FIXTURE
    encrypted_costs f
}

@test "encrypted with clusters of 512 bytes" {
    image f <<'FIXTURE'
size 16M
cluster 512
crypt aes
map all shuffled seed 27 group 40
FIXTURE
    encrypted_costs f
}

@test "encrypted with clusters of 64 KiB: as without" {
    image f <<'FIXTURE'
size 64M
crypt aes
map all shuffled seed 28 group 5
FIXTURE
    encrypted_costs f
}

@test "an encrypted image asks the one below for 32 clusters at a time: each time for the whole blob" {
    local top=$'size 64M\ncluster 4K\ncrypt aes\nmap 256..511\nmap 8192..16383'

    compressed base compression_type=zstd,cluster_size=2M 64
    image top <<<"$top"
    needs_aes top
    qemu_reads top base
    # One blob for 1 MiB, 15 for 2 MiB, in parts of 128 KiB.
    [ "$(awk '$1 == "data" && $2 == 1' reads | wc -l)" = $((8 + 15 * 16)) ] || told "other blobs:" qemu.json
    image top <<<"backing base format qcow2"$'\n'"$top"
    ours --chain top
    compare seconds qemu.json ours.json disk seconds
}

# ---- lives ----

@test "forty snapshots" {
    image f <<'FIXTURE'
size 64M
cluster 16K
map all
snapshots 40 change 2% run 8 seed 1
FIXTURE
    costs f
}

# aged IMAGE: random writes, discards and snapshots, as a guest makes them.
aged() {
    made_once aged make_aged
    cp "$made" "$1"
}

make_aged() {
    local round

    qemu-img create -q -f qcow2 "$1" 128M
    for round in 1 2 3 4; do
        python "$round" <<'PYTHON' | qemu-io -t unsafe -f qcow2 -d unmap "$1" >io.log
import random, sys
r = random.Random(int(sys.argv[1]))
for n in range(250):
    length = r.choice((4, 4, 16, 64, 256)) << 10
    place = r.randrange((128 << 20) - length) >> 12 << 12
    print("discard -q %d %d" % (place, 2 * length) if n % 9 == 8 else
          "write -q -z %d %d" % (place, length) if n % 31 == 30 else
          "write -q -P %d %d %d" % (n % 255 + 1, place, length))
PYTHON
        qemu-img snapshot -c "s$round" "$1"
    done
    qemu-img snapshot -d s2 "$1"
    rewrite "$1" 150
}

@test "aged by random writes, discards and snapshots" {
    aged f
    costs f
}

# guest_ages [OPTION ...]: a guest of 2 GiB boots, writes and ends (tests/disk/guest.S).
guest_ages() {
    needs qemu-system-x86_64 as ld
    as --32 -o guest.o "$TESTS/disk/guest.S" 2>as.log && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o boot guest.o ||
        skip "no assembler for x86 here"
    truncate -s 1440K boot
    qemu-img create -q -f qcow2 "$@" f 2G
    try timeout 300 qemu-system-x86_64 -accel tcg -m 32 -display none -nodefaults \
        -device isa-debug-exit,iobase=0x501,iosize=1 -drive file=boot,format=raw,if=floppy -boot a \
        -drive file=f,format=qcow2,if=virtio,cache=unsafe
    exits 33
}

@test "aged by a guest of QEMU" {
    guest_ages
    costs f
}

@test "aged by a guest of QEMU, with subclusters" {
    guest_ages -o extended_l2=on,cluster_size=128k
    costs f
}

@test "aged by a guest of QEMU above a backing file" {
    qemu-img create -q -f qcow2 base 2G
    qemu-io -c 'write -q 0 200M' -c 'write -q 1G 20M' base
    guest_ages -b base -F qcow2
    qemu-img rebase -q -u -b '' f # the simulated disk names the layers itself
    qemu_reads f base # within a request, layers take turns in an order that varies
    qemu-img rebase -q -u -F qcow2 -b base f
    ours f --chain
    compare seconds qemu.json ours.json disk seconds
}

@test "after a defragmentation" {
    aged f
    ours f
    qemu-img convert -O qcow2 f copy
    qemu_reads copy
    compare seconds qemu.json ours.json disk after_defrag_seconds
}

@test "preallocated, then discarded in parts" {
    qemu-img create -q -f qcow2 -o preallocation=metadata,cluster_size=4k f 256M
    python <<'PYTHON' | qemu-io -t unsafe -f qcow2 -d unmap f >io.log
import random
r = random.Random(3)
for _ in range(500):
    print("discard -q %d %d" % (r.randrange(256 << 20 >> 12) << 12, r.randrange(1, 200) << 12))
PYTHON
    costs f
}

@test "an external data file" {
    qemu-img create -q -f qcow2 -o data_file=data,cluster_size=4k f 256M
    qemu-io -f qcow2 -c 'write -q 0 64M' -c 'write -q 100M 10M' -c 'write -q 200M 64k' f >io.log
    qemu_reads f --data-file data
    model f
    program f
}

@test "a chain of three" {
    # A request finds all its data in one layer: of what is mixed within a request QEMU reads several
    # layers at once, in any order.
    image top <<'FIXTURE'
size 1280M
map 4096..4111
map 8192..12287 shuffled seed 22
zero 12304..12319
FIXTURE
    image middle <<'FIXTURE'
size 1024M
map 0..15
map 48..63
map 512..527 shuffled seed 23
FIXTURE
    image base <<'FIXTURE'
size 1100M
cluster 4K
map 0..65535 shuffled seed 24 group 256
map 140000..149999
map 200000..209999
FIXTURE
    qemu_reads top middle base
    model top middle base
    # What is shadowed is not even looked up: of the base, the tables from 0 to 256 and from 780 to 822 MiB
    # are read, each for 2 MiB, and none from 546 to 586 MiB.
    [ "$(awk '$1 == "slice" && $2 == 2' reads | wc -l)" = 149 ] || told "other slices:" qemu.json
    qemu-img rebase -u -f qcow2 -b base -F qcow2 middle
    qemu-img rebase -u -f qcow2 -b middle -F qcow2 top
    ours --chain top
    compare seconds qemu.json ours.json disk seconds
}

@test "a chain with compressed clusters of 2 MiB below, of which the image on top has every other MiB" {
    compressed base compression_type=zstd,cluster_size=2M
    image top <<'FIXTURE'
size 24M
map 0..15
map 48..63
map 64..95
FIXTURE
    qemu_reads top base
    model top base
    # Half of the first and of the second blob, none of the third.
    [ "$(awk '$1 == "data" && $2 == 1' reads | wc -l)" = 20 ] || told "other blobs:" qemu.json
    qemu-img rebase -u -f qcow2 -b base -F qcow2 top
    ours --chain top
    compare seconds qemu.json ours.json disk seconds
}

@test "bitmaps are read before and after, and do not count" {
    fixture bitmaps
    costs bitmaps.qcow2
}

# ---- end to end ----

# at_each_mib SEED: extents for a file of 300 MiB whose mebibytes lie somewhere on the disk, every tenth
# of them nowhere.
at_each_mib() {
    python "$1" <<'PYTHON'
import random, sys
r = random.Random(int(sys.argv[1]))
places = r.sample(range(100000), 300)
for n, place in enumerate(places):
    if n % 10 != 7:
        print(n << 20, place << 20, 1 << 20)
PYTHON
}

@test "a layout below: guest order over made-up extents" {
    image f <<'FIXTURE'
size 128M
map all shuffled seed 15 group 8
FIXTURE
    at_each_mib 1 >extents
    qemu_reads f --extents extents
    model f --extents extents
}

@test "a layout below that puts a shuffled image in order" {
    image f <<'FIXTURE'
size 128M
map all shuffled seed 16
FIXTURE
    qemu_reads f
    model f
    shuffled=$(milliseconds qemu.json)
    # Each read gets the place behind the one before it.
    awk '{ print $3, 1000000000 + sum, $4; sum += $4 }' reads | sort -n >extents
    qemu_reads f --extents extents
    model f --extents extents
    in_order=$(milliseconds qemu.json)
    # 128 MiB and a table in one go, 895 ms, and one approach.
    [ "$in_order" -ge 895 ] && [ "$in_order" -le 910 ] && [ "$shuffled" -gt 10000 ] ||
        told "$shuffled ms, in order $in_order ms"
}

# scatter FILE: its mebibytes go to different places of the file system, all of them written.
scatter() {
    python "$1" <<'PYTHON'
import os, random, sys
MIB = 1 << 20
with open(sys.argv[1], "rb") as source:
    data = source.read()
file = os.open("scattered", os.O_RDWR | os.O_CREAT)
places = list(range(0, len(data), MIB))
random.Random(1).shuffle(places)
for place in places:
    os.posix_fallocate(file, place, min(MIB, len(data) - place))
for place in sorted(places):
    os.pwrite(file, data[place:place + MIB], place)
os.fsync(file)
PYTHON
    mv scattered "$1"
}

@test "a layout below: where the file really lies" {
    image f <<'FIXTURE'
size 96M
map all shuffled seed 17 group 8
FIXTURE
    scatter f
    witness disk/fiemap.py f >extents || skip "the file system does not tell where files lie"
    [ "$(wc -l <extents)" -gt 20 ] || skip "the file system puts files in one piece"
    qemu_reads f --extents extents
    model f --extents extents
    ours f
    compare seconds qemu.json ours.json end_to_end seconds
}

@test "a layout below: compressed clusters of 2 MiB that lie in several places" {
    compressed f compression_type=zstd,cluster_size=2M 64
    scatter f
    witness disk/fiemap.py f >extents || skip "the file system does not tell where files lie"
    [ "$(wc -l <extents)" -gt 20 ] || skip "the file system puts files in one piece"
    qemu_reads f --extents extents
    model f --extents extents
    ours f
    compare seconds qemu.json ours.json end_to_end seconds
}

@test "a layout below: a copy with holes" {
    aged f
    cp --sparse=always f copy
    sync copy
    witness disk/fiemap.py copy >extents || skip "the file system does not tell where files lie"
    [ "$(wc -l <extents)" -gt 20 ] || skip "the file system makes no holes"
    qemu_reads copy --extents extents
    model copy --extents extents
    ours copy
    [ "$(json ours.json 'i[0]["tables"][0]["end_to_end"]["hole_bytes"] > 1 << 20')" = true ] || told "no holes:" ours.json
    compare seconds qemu.json ours.json end_to_end seconds
}

# ---- the ideal ----

@test "the ideal is what QEMU takes for the same disk in order" {
    image f <<'FIXTURE'
size 256M
map 0..1023 shuffled seed 17
map 2000..4095 every 2 shuffled seed 18 group 4
FIXTURE
    witnesses f
    cp model.json shuffled.json
    image f <<'FIXTURE'
size 256M
map 0..1023
map 2000..4095 every 2
FIXTURE
    witnesses f
    ideal=$(json shuffled.json 'int(d["ideal_seconds"] * 1000)')
    in_order=$(milliseconds qemu.json)
    [ $((in_order - ideal)) -ge 0 ] && [ $((in_order - ideal)) -le 20 ] || told "ideal $ideal ms, in order $in_order ms"
}

@test "qemu-io and qemu-img bench make the same reads" {
    image f <<'FIXTURE'
size 64M
map all every 3 shuffled seed 19
FIXTURE
    qemu_reads f
    mv reads by_bench
    qemu_reads f --qemu-io
    cmp by_bench reads
}

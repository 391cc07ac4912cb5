#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where the file under an image lies: extents, file system, device, and guest order on the device.
# The witness is filefrag: what it prints of the extents, and a second program puts together with
# the list of runs, are the figures expected.

load helper
load filesystem

# worked_out IMAGE [OPTION ...]: extents, figures and list of an image are as filefrag's say.
worked_out() {
    local image=$1

    shift
    sync "$image"
    filefrag -v "$image" >extents.txt
    try qcow2frag --json "$@" "$image"
    exits 0
    mv out ours.json
    qcow2frag map --list --json --no-host "$@" "$image" >runs.jsonl
    qcow2frag map --list --json "$@" "$image" >placed.jsonl
    witness oracle/end_to_end.py figures ours.json 0 runs.jsonl extents.txt
    witness oracle/end_to_end.py list placed.jsonl runs.jsonl extents.txt
    is <(json ours.json 'i[0]["host"]["filesystem"]') "$(findmnt -no FSTYPE -T "$image")"
    is <(json ours.json 'i[0]["host"]["device"]') "$(findmnt -no SOURCE -T "$image")"
}

# at_least N EXPRESSION: of the image measured last, so that a test shows what it is meant to show.
at_least() {
    [ "$(json ours.json "int($2)")" -ge "$1" ] || told "$2 is below $1" extents.txt
}

export extents='i[0]["host"]["extents"]'
export holes='i[0]["tables"][0]["end_to_end"]["hole_bytes"]'
export more_breaks='i[0]["tables"][0]["end_to_end"]["breaks"] - i[0]["tables"][0]["breaks"]'

# images_with_data: images of several kinds in the folder images/, with their data written. Not to be written to: they
# are the same for all tests.
images_with_data() {
    made_once with-data make_images_with_data
    ln -s "$made" images
}

make_images_with_data() {
    local text

    mkdir "$1"
    image shuffled <<<'size 64M
map 0..199 shuffled seed 3
map 200..399'
    image small-clusters <<<'size 8M
cluster 512
map 0..4000 shuffled seed 4 group 8
map 8000..9000'
    image blobs <<<'size 64M
compressed 0..149 bytes 300..60000 seed 5
map 150..159
compressed 160..209 bytes 300..60000 seed 6'
    image subclusters <<<'size 64M
cluster 128K
feature extended-l2
map 0..39 shuffled seed 1
map 50..99 every 2 alloc 0..7,12..15 zero 16..31'
    for text in shuffled small-clusters blobs subclusters; do
        cp --sparse=never "$text" "$1/$text"
    done
}

# ---- scattered by the file system ----

scattered() {
    local image

    images_with_data
    free_in_pieces mounted 20000 120000
    for image in images/*; do
        cp --sparse=never "$image" mounted/image
        worked_out mounted/image
        is <(json ours.json "$holes") 0
        if [ "$image" = images/shuffled ]; then
            at_least 20 "$extents"
            at_least 10 "$more_breaks"
        fi
        rm mounted/image
    done
}

@test "images in the free space between small files, on ext4" { in_filesystem ext4 scattered; }
@test "images in the free space between small files, on xfs" { in_filesystem xfs scattered; }
@test "images in the free space between small files, on btrfs" { in_filesystem btrfs scattered; }

# Two files that are written to by turns, here and there, and to the disk each time.
by_turns() {
    images_with_data
    write_by_turns images/shuffled mounted/image mounted/other
    worked_out mounted/image
    at_least 3 "$extents"
}

@test "an image written by turns with another file, on ext4" { in_filesystem ext4 by_turns; }
@test "an image written by turns with another file, on xfs" { in_filesystem xfs by_turns; }
@test "an image written by turns with another file, on btrfs" { in_filesystem btrfs by_turns; }

# ---- in one piece, and with holes ----

whole() {
    images_with_data
    fallocate -l "$(stat -c %s images/shuffled)" mounted/image
    dd if=images/shuffled of=mounted/image bs=1M conv=notrunc status=none
    worked_out mounted/image
    is <(json ours.json "$extents") 1
    is <(json ours.json 'all(i[0]["tables"][0][k] == v for k, v in
        i[0]["tables"][0]["end_to_end"].items() if k in i[0]["tables"][0])') true
    try qcow2frag mounted/image
    holds out "  extents on the host      1           mean "
    holds out "on /dev/loop"
}

@test "a file in one piece gives the figures of the image, on ext4" { in_filesystem ext4 whole; }
@test "a file in one piece gives the figures of the image, on xfs" { in_filesystem xfs whole; }

# As mkqcow2 leaves it: tables, and holes for data. Then some of it is written to.
with_holes() {
    image mounted/image <<<'size 64M
map 0..199 shuffled seed 3
map 200..399'
    worked_out mounted/image
    is <(json ours.json "$holes") $((400 * 65536))
    try qcow2frag mounted/image
    holds out "  end to end               nothing is read: all of the data lies in holes of the file"
    for ((k = 30; k < 90; k += 7)); do
        dd if=/dev/urandom of=mounted/image bs=50000 seek="$k" count=1 conv=notrunc status=none
    done
    worked_out mounted/image
    at_least $((300 * 65536)) "$holes"
    at_least 1 'i[0]["tables"][0]["end_to_end"]["mapped_bytes"]'
}

@test "holes of the file are read by nobody, on ext4" { in_filesystem ext4 with_holes; }
@test "holes of the file are read by nobody, on xfs" { in_filesystem xfs with_holes; }
@test "holes of the file are read by nobody, on btrfs" { in_filesystem btrfs with_holes; }

# Space that is reserved, and written to in part: the rest reads as zeros.
reserved() {
    image sparse <<<'size 64M
map 0..199 shuffled seed 3
map 200..399'
    fallocate -l "$(stat -c %s sparse)" mounted/image
    dd if=sparse of=mounted/image bs=64K count=20 conv=notrunc status=none
    for ((k = 100; k < 400; k += 13)); do
        dd if=/dev/urandom of=mounted/image bs=20000 seek="$k" count=1 conv=notrunc status=none
    done
    worked_out mounted/image
    grep -q unwritten extents.txt || told "nothing is unwritten" extents.txt
    at_least 10000000 "$holes"
}

@test "reserved space that was not written to is a hole, on ext4" { in_filesystem ext4 reserved; }
@test "reserved space that was not written to is a hole, on xfs" { in_filesystem xfs reserved; }
@test "reserved space that was not written to is a hole, on btrfs" { in_filesystem btrfs reserved; }

# ---- shared and compressed by the file system ----

# A copy that shares all its extents, until parts of it are written to.
reflinked() {
    images_with_data
    cp --sparse=never images/shuffled mounted/base
    sync mounted/base
    cp --reflink=always mounted/base mounted/image
    for ((k = 20; k < 400; k += 9)); do
        dd if=/dev/zero of=mounted/image bs=64K seek="$k" count=1 conv=notrunc status=none
        dd if=/dev/zero of=mounted/image bs=4K seek=$((k * 16 + 37)) count=1 conv=notrunc status=none
    done
    # The tables were overwritten, too: they come back.
    dd if=images/shuffled of=mounted/image bs=64K count=6 conv=notrunc status=none
    worked_out mounted/image
    grep -q shared extents.txt || told "nothing is shared" extents.txt
    at_least 30 "$extents"
    worked_out mounted/base
}

@test "an image that shares extents with another file, on xfs" { in_filesystem xfs reflinked; }
@test "an image that shares extents with another file, on btrfs" { in_filesystem btrfs reflinked; }

compressed() {
    images_with_data
    for image in images/*; do
        cp --sparse=never "$image" mounted/image
        dd if=/dev/urandom of=mounted/image bs=7000 seek=150 count=20 conv=notrunc status=none
        worked_out mounted/image
        grep -q encoded extents.txt || told "nothing is compressed" extents.txt
    done
}

@test "an image that the file system compresses, on btrfs" {
    in_filesystem btrfs compressed compress-force=zlib
}

# Of 512 MiB the device has little: it is read sooner than so many bytes could be, and takes ten times
# as long as it would in order.
compressed_and_scattered() {
    image image <<<'size 1G
map 0..8191'
    python3 - image mounted/image <<'PYTHON'
import os, random, sys
random.seed(9)
with open(sys.argv[1], "rb") as image, open(sys.argv[2], "wb", buffering=0) as file:
    step, size = 1792 << 10, os.fstat(image.fileno()).st_size
    starts = list(range(0, size, step))
    random.shuffle(starts)
    for start in starts:
        os.pwrite(file.fileno(), os.pread(image.fileno(), step, start), start)
        os.fdatasync(file.fileno())
PYTHON
    qcow2frag --json --device hdd mounted/image >ours.json
    at_least 10 'i[0]["tables"][0]["end_to_end"]["slowdown"]'
    is <(json ours.json 'i[0]["tables"][0]["end_to_end"]["seconds"] < 512 * 2**20 / 150e6') true
    is <(json ours.json 'i[0]["verdict"]["action"]') host
    qcow2frag --device hdd mounted/image >page
    not grep 'as fast as it can be' page
    cp --reflink=never --sparse=never mounted/image mounted/copy
    sync mounted/copy
    qcow2frag --json --device hdd mounted/copy >ours.json
    is <(json ours.json 'i[0]["verdict"]["action"]') none
}

@test "a compressed file that is scattered is not as fast as it can be, on btrfs" {
    in_filesystem btrfs compressed_and_scattered compress-force=zstd
}

# ---- other tables, other files ----

snapshots() {
    "$MKQCOW2" "$TESTS/images/snapshot-shared.txt" snapshots
    write_by_turns snapshots mounted/image mounted/other
    worked_out mounted/image
    worked_out mounted/image --snapshot before
    qcow2frag --json --all-snapshots mounted/image >all.json
    is <(json all.json 'i[0]["tables"][1]["end_to_end"]') \
        "$(json ours.json 'i[0]["tables"][0]["end_to_end"]')"
}

@test "each table has its own way over the device" { in_filesystem ext4 snapshots; }

as_nobody() {
    images_with_data
    write_by_turns images/shuffled mounted/image mounted/other
    worked_out mounted/image
    open_scratch
    as_user ./program --json "$PWD/mounted/image" >user.json
    is <(json user.json '[i[0]["host"], i[0]["tables"][0]["end_to_end"]]') \
        "$(json ours.json '[i[0]["host"], i[0]["tables"][0]["end_to_end"]]')"
}

@test "an ordinary user sees the same" {
    needs setpriv
    in_filesystem ext4 as_nobody
}

not_written_back() {
    fixture sequential
    dd if=/dev/urandom of=mounted/image bs=1M count=20 status=none
    sync mounted/image
    "$MKQCOW2" "$TESTS/images/fill.txt" image
    dd if=image of=mounted/image bs=4K conv=notrunc status=none
    dd if=/dev/urandom of=mounted/image bs=1M seek=40 count=20 conv=notrunc status=none
    try qcow2frag mounted/image
    exits 0
    holds out "  not on the device yet    "
    sync mounted/image
    try qcow2frag mounted/image
    exits 0
    not grep "not on the device yet" out
}

@test "what is not on the device yet is told" { in_filesystem ext4 not_written_back; }

in_memory() {
    mount -t tmpfs none mounted
    fixture sequential
    cp sequential.qcow2 mounted/image
    has_no_map mounted/image tmpfs
}

# has_no_map IMAGE FILESYSTEM: the rest is measured, and the page says why this is not.
has_no_map() {
    local reason="the file system does not tell where its files lie"

    try qcow2frag --json "$1"
    exits 0
    is_empty err
    is <(json out '[i[0]["host"], i[0]["tables"][0]["end_to_end"], i[0]["complete"]]') \
        '[null, null, true]'
    try qcow2frag --format csv --columns FILESYSTEM,DEVICE,EXTENTS "$1"
    is <(tail -n +2 out) ",,"
    try qcow2frag "$1"
    exits 0
    holds out "  extents on the host      not known: $reason${2:+ ($2)}"
    not grep "end to end" out
    qcow2frag map --list --json "$1" >list
    is <(json <(head -1 list) 'd["physical_offset"]') null
}

@test "on a file system in memory there are no extents, and a sentence says so" {
    needs_root
    needs unshare mount python3
    mkdir mounted
    unshare -m mount -t tmpfs none mounted 2>mount.log || skip "cannot mount: $(cat mount.log)"
    privately in_memory
}

overlaid() {
    mkdir mounted/lower mounted/upper mounted/work merged
    images_with_data
    write_by_turns images/shuffled mounted/lower/image mounted/lower/other
    sync mounted/lower/image
    worked_out mounted/lower/image
    mount -t overlay none -o lowerdir=mounted/lower,upperdir=mounted/upper,workdir=mounted/work merged
    qcow2frag --json merged/image >overlay.json
    umount merged
    # It asks the file system below, and has no device of its own.
    is <(json overlay.json 'i[0]["host"]["filesystem"]') overlay
    is <(json overlay.json 'i[0]["host"]["device"]') null
    is <(json overlay.json 'i[0]["host"]["extents"]') "$(json ours.json "$extents")"
}

@test "an overlay tells the extents of the file below" {
    grep -qw overlay /proc/filesystems || skip "the kernel has no overlay"
    in_filesystem ext4 overlaid
}

# The loop device is given back when nobody holds it open any more, also by a dying shell.
on_device() {
    local device

    device=$(losetup --find --show dense)
    exec 9<"$device"
    losetup --detach "$device"
    try qcow2frag --json "$device"
    exits 0
    is <(json out '[i[0]["host"][k] for k in
        ("filesystem", "device", "extents", "extent_mean_bytes", "unplaced_bytes")]') \
        "[null, \"$device\", 1, $(stat -c %s dense).0, 0]"
    is <(json out 'all(i[0]["tables"][0][k] == v for k, v in
        i[0]["tables"][0]["end_to_end"].items() if k in i[0]["tables"][0])') true
    qcow2frag map --list --json "$device" >list
    is <(json <(head -1 list) 'd["physical_offset"] == d["host_offset"]') true
    try qcow2frag "$device"
    holds out "on $device (itself the image"
}

@test "a block device is one extent" {
    needs_root
    needs losetup unshare python3
    [ -e /dev/loop-control ] || skip "no loop devices"
    fixture interleaved-writers
    cp --sparse=never interleaved-writers.qcow2 dense
    losetup --find --show dense >device 2>losetup.log || skip "no loop device: $(cat losetup.log)"
    losetup --detach "$(cat device)"
    unshare -m true 2>unshare.log || skip "no mounts of its own: $(cat unshare.log)"
    privately on_device
}

# ---- extents as the test wants them: shim.c answers for the kernel ----

three_clusters() {
    image f <<<'size 64M
map 0..2 at 10'
}

@test "a file system that does not tell leaves the rest as it is" {
    three_clusters
    qcow2frag() { with_extents "" "$QCOW2FRAG" "$@"; }
    has_no_map f "$(findmnt -no FSTYPE -T .)"
}

@test "extents that cannot be read are told in one sentence" {
    three_clusters
    : >empty
    printf '%s 0\n' '0x10000 0x1000 0' '0x10000 0x1000 0' >again
    for ((k = 0; k < 11; k++)); do cat again again again again; done >>again2
    for ((k = 0; k < 12; k++)); do cat again2; done >again # more than one answer holds
    try with_extents again "$QCOW2FRAG" f
    exits 0
    holds out "not known: the kernel tells of no further extent behind 0x11000, nor that there is none"
    try with_extents empty "$QCOW2FRAG" --json f
    is <(json out '[i[0]["host"]["extents"], i[0]["host"]["extent_mean_bytes"]]') '[0, null]'
}

@test "flags of extents that are not understood are told, and taken for nothing" {
    three_clusters
    echo 0 0x200000 0x100000000 0x40020001 >extents
    try with_extents extents "$QCOW2FRAG" f
    exits 0
    holds out "  odd extents              flags 0x40020000, which are not understood"
    holds out "  end to end               0.00 %      0 steps back, 1 contiguous run, mean 192 KiB"
}

@test "data that the host has not placed yet lie in no hole" {
    three_clusters
    echo 0 0x200000 0 0x6 >extents # delayed allocation, place unknown
    try with_extents extents "$QCOW2FRAG" f
    exits 0
    holds out "  end to end               not known: the data has no place on the device yet"
    not grep -iwE "holes?" out
    echo 0 0xb0000 0x100000000 0 >extents
    echo 0xb0000 0x200000 0 0x6 >>extents
    try with_extents extents "$QCOW2FRAG" f
    exits 0
    holds out "  in holes, or not placed  128 KiB     of the data, not read"
}

@test "a cluster that lies in two extents makes a jump on the device alone" {
    three_clusters
    cat >extents <<'EXTENTS'
0 720000 0x100000000 0
720000 2000000 0x80000000 1
EXTENTS
    try with_extents extents "$QCOW2FRAG" --json f
    exits 0
    is <(json out '[i[0]["tables"][0][k] for k in ("breaks", "contiguous_runs")]') '[0, 1]'
    # 64,640 bytes of the second half of cluster 0 ... up to byte 720,000; a step back; the rest.
    is <(json out '[i[0]["tables"][0]["end_to_end"][k] for k in ("backward_steps", "breaks",
        "contiguous_runs", "contiguous_run_max_bytes", "mapped_bytes", "hole_bytes")]') \
        "[1, 1, 2, $((851968 - 720000)), 196608, 0]"
    is <(json out 'i[0]["tables"][0]["end_to_end"]["backward_jump_mean_bytes"]') \
        "$((0x100000000 + 720000 - 0x80000000)).0"
    try with_extents extents "$QCOW2FRAG" f
    holds out "  end to end               25.00 %     1 step back, 2 contiguous runs, mean 96 KiB"
}

@test "a file in one extent: nothing is the host's, on any disk" {
    local file device table='i[0]["tables"][0]'

    image plain <<<'size 64G
map 0..999 shuffled seed 3
map 8192..1000000 every 16384'
    image parts <<<'size 64G
feature extended-l2
map 0..999 shuffled seed 3 alloc 0,5..9,31
map 8192..1000000 every 16384 alloc 3..4'
    image reversed <<<'size 64M
feature extended-l2
map all reversed alloc 0,5..9,31'
    for file in plain parts reversed; do
        echo 0 0x4000000000 0x100000000 1 >extents
        for device in hdd ssd nvme; do
            try with_extents extents "$QCOW2FRAG" --json --device "$device" "$file"
            exits 0
            is <(json out "[$table['end_to_end']['seconds'] == $table['disk']['seconds'],
                i[0]['verdict']['host_share'] in (None, 0)]") "[true, true]"
        done
        is <(json out "$table['end_to_end']['fragmentation_score'] <= 1") true
    done
    # Three stretches in each of 1,024 clusters are 3,072 pieces.
    is <(json out "$table['end_to_end']['fragmentation_score']") "$(python3 -c 'print(1023 / 3072)')"
}

@test "along a chain of files in one extent each, the device gives the figures of the files" {
    # Clusters of 64 KiB, which the slices of the top image cut: each is one piece still.
    image base <<<'size 4M
map all shuffled seed 4'
    image top <<<'size 4M
cluster 512
backing base format qcow2
map 3..8191 every 64'
    echo 0 0x4000000000 0x100000000 1 >extents
    try with_extents extents "$QCOW2FRAG" --json --chain --device nvme top
    exits 0
    is <(json out '[k for k, v in i[0]["tables"][0]["end_to_end"].items()
        if i[0]["tables"][0].get(k, v) != v]') '[]'
    is <(json out 'i[0]["tables"][0]["end_to_end"]["seconds"] == i[0]["tables"][0]["disk"]["seconds"]') true
}

@test "a run of the list ends where its place on the device does" {
    three_clusters
    cat >extents <<'EXTENTS'
0 720000 0x100000000 0
720000 40000 0x80000000 0
800000 2000000 0x200000000 1
EXTENTS
    try with_extents extents "$QCOW2FRAG" map --list --json f
    exits 0
    python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(*(r[k] for k in ("guest_offset", "length", "host_offset", "host_length", "physical_offset")))
' <out >listed
    is listed "0 64640 655360 64640 $((0x100000000 + 655360))
64640 40000 720000 40000 $((0x80000000))
104640 40000 760000 40000 None
144640 51968 800000 51968 $((0x200000000))"
    try with_extents extents "$QCOW2FRAG" map --list f
    holds out "        0x10009fc40" || holds out "        0x1000a0000"
}

@test "a compressed cluster is not split in the list, and lies where its first byte does" {
    needs python3
    image f <<<'size 64M
compressed 0..1 at-byte 20c bytes 5000'
    cat >extents <<'EXTENTS'
0 1312000 0x100000000 0
1312000 2000000 0x80000000 1
EXTENTS
    try with_extents extents "$QCOW2FRAG" map --list --json f
    exits 0
    is <(json <(head -1 out) '[d["length"], d["host_offset"], d["physical_offset"]]') \
        "[65536, 1310720, $((0x100000000 + 1310720))]"
    [ "$(wc -l <out)" = 2 ]
}

# ---- not asked ----

@test "with --no-host nothing is asked" {
    needs python3
    three_clusters
    # The shim would end the program if it came to ask.
    try with_extents /nonexistent "$QCOW2FRAG" --no-host --json f
    exits 0
    is <(json out '[i[0]["host"], i[0]["tables"][0]["end_to_end"]]') '[null, null]'
    try with_extents /nonexistent "$QCOW2FRAG" --no-host f
    exits 0
    not grep -E "extents|end to end" out
    try with_extents /nonexistent "$QCOW2FRAG" map --no-host --list --json f
    exits 0
    is <(json out 'd["physical_offset"]') null
}

@test "with an external data file only the extents are known" {
    needs python3
    image f <<<'size 64M
data-file data
map 0..9'
    echo 0 0x800000 0x100000000 1 >extents
    try with_extents extents "$QCOW2FRAG" --json f
    exits 0
    is <(json out '[i[0]["host"]["extents"], i[0]["tables"][0]["end_to_end"]]') '[1, null]'
    try with_extents extents "$QCOW2FRAG" f
    holds out "  end to end               not known: the data is in another file, which is not opened"
    try with_extents extents "$QCOW2FRAG" map --list --json f
    is <(json <(head -1 out) 'd["physical_offset"]') null
}

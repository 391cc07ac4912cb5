#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --range: the figures of a part of the guest disk.

load helper

setup() {
    enter_scratch
    needs python3
}

# part IMAGE RANGE [OPTION ...]: measured into out.
part() {
    local image=$1 range=$2

    shift 2
    try qcow2frag --json --no-host --range "$range" "$@" "$image"
    exits 0
    is_empty err
}

# figures EXPRESSION VALUE: of the first table t of what was measured.
figures() { is <(json out "(lambda t: $1)(i[0]['tables'][0])") "$2"; }

# oracle_agrees IMAGE RANGE ...: the decoder of the tests has the same figures, of all tables.
oracle_agrees() {
    local image=$1 range

    shift
    for range; do
        part "$image" "$range" --all-snapshots
        witness oracle/oracle.py --compare "$image" out
    done
}

# refused OPTION-VALUE
refused() {
    try qcow2frag --range "$1" f
    exits 1
    is_empty out
    is err "qcow2frag: --range takes two sizes, START:LENGTH, as in 100G:20G, not \"$1\"
Try 'qcow2frag --help' for more information."
}

# ---- what belongs to it ----

@test "clusters that the range touches count whole" {
    image f <<<'size 1M
map all'
    part f 65535:2
    figures '[t["mapped_clusters"], t["mapped_bytes"]]' '[2, 131072]'
    part f 64K:64K
    figures '[t["mapped_clusters"], t["mapped_bytes"]]' '[1, 65536]'
}

@test "the walk begins with it: nothing before it is a step back" {
    image f <<<'size 1M
map 0..15 reversed'
    part f 512K:128K
    figures '[t["backward_steps"], t["breaks"], t["contiguous_runs"]]' '[1, 1, 2]'
}

@test "holes and zeros at its borders" {
    image f <<<'size 4M
map 10..19
zero 20..29'
    part f 0:640K
    figures '[t["mapped_clusters"], t["zero_clusters"]]' '[0, 0]'
    part f 640K:1M
    figures '[t["mapped_clusters"], t["zero_clusters"]]' '[10, 6]'
}

@test "the range as it was asked for" {
    image f <<<'size 1M
map all'
    part f 100K:200K
    figures 't["range"]' '{"guest_offset": 102400, "length": 204800}'
}

@test "what lies beyond the disk is cut off" {
    image f <<<'size 1000K
map all'
    part f 900K:1T
    figures '[t["range"], t["mapped_clusters"]]' '[{"guest_offset": 921600, "length": 102400}, 2]'
}

@test "without the option range is null" {
    image f <<<'size 1M
map all'
    qcow2frag --json f >out
    figures 't["range"]' null
}

@test "damage outside the range is not met" {
    image f <<<'size 64M
map all
poke be64 l2[5] 1c+512'
    part f 64K:64K
    figures 't["corrupt_entries"]' 0
    try qcow2frag --json --range 320K:1 f
    exits 2
    figures 't["corrupt_entries"]' 1
}

# ---- witnesses ----

@test "borders inside a block of 64 entries, a slice, an L2 table" {
    image f <<<'size 2G
map all shuffled seed 5 group 2'
    oracle_agrees f 0:1 4M:3M 5M:1 255M:2M 512M:512M 600M:700M 2047M:1M
}

@test "clusters of 512 bytes: small slices, many tables" {
    image f <<<'size 4M
cluster 512
map all shuffled seed 2
unmap 100..200 every 3'
    oracle_agrees f 0:1 31K:2K 32K:32K 100K:3M 4095K:1K
}

@test "subclusters and compressed clusters" {
    fixture extended-l2-partial
    oracle_agrees extended-l2-partial.qcow2 0:100K 70K:1 64K:640K
    fixture compressed-random-sizes
    oracle_agrees compressed-random-sizes.qcow2 0:100K 1M:1 1M:6M
}

@test "snapshots" {
    fixture snapshot-shared
    oracle_agrees snapshot-shared.qcow2 0:1M 1M:7M 3M:1
}

@test "the parts of a disk have the data of the whole" {
    local sum=0 at
    image f <<<'size 3G
map 0..30000 every 2 shuffled seed 9
map 40001..45000'
    qcow2frag --json f >out
    for at in {0..30}; do
        part f "$((at * 100))M:100M"
        sum=$((sum + $(json out "i[0]['tables'][0]['mapped_bytes']")))
    done
    qcow2frag --json f >out
    figures 't["mapped_bytes"]' $sum
}

@test "any number of threads gives the same figures" {
    image f <<<'size 200G
map all shuffled seed 3 group 3'
    placed f
    part f 33G:133333333K --threads 1
    mv out one
    for threads in 2 3 7; do
        part f 33G:133333333K --threads $threads
        diff <(grep -v measured_at one) <(grep -v measured_at out)
    done
}

@test "qemu-img map has as much data in it" {
    needs qemu-img qemu-io
    local k
    qemu-img create -q -f qcow2 f 256M
    for k in 9 3 77 12 200 55 4 130; do
        qemu-io -c "write -q $((k * 1000))k 900k" f
    done
    for k in 0 3000 8999 54000; do
        part f "${k}K:64000K"
        mv out ours.json
        qemu-img map --output=json -s "$((k / 64 * 64))k" -l "$(((k + 64000 + 63) / 64 * 64 - k / 64 * 64))k" f >map.json
        [ "$(json ours.json "i[0]['tables'][0]['mapped_bytes']")" = \
            "$(python3 -c 'import json; print(sum(e["length"] for e in json.load(open("map.json")) if e["data"]))')" ]
    done
}

@test "what it costs is what it costs QEMU" {
    needs nbdkit qemu-img qemu-io
    [ -n "$DISK_PLUGIN" ] || skip "no nbdkit-plugin-dev when this was built"
    image f <<<'size 2G
map all shuffled seed 4 group 8'
    for range in "100 160" "500 530" "1990 2048"; do
        set -- $range
        witness disk/qemu_reads.py --mebibytes $1 $2 "$DISK_PLUGIN" f >qemu.json
        qcow2frag --json --device hdd --range "$1M:$(($2 - $1))M" f >ours.json
        witness disk/compare.py seconds qemu.json ours.json disk seconds
    done
}

# ---- along a chain ----

@test "a chain" {
    image base.qcow2 <<<'size 4M
cluster 4K
map all shuffled seed 1'
    image top.qcow2 <<<'backing base.qcow2 format qcow2
size 4M
map 3..40 every 5'
    for range in 0:1 200K:200K 191K:70K 1M:3M; do
        part top.qcow2 "$range" --chain
        witness oracle/chain.py --compare top.qcow2 out
    done
    figures '[x["shadowed_bytes"] for x in t["layers"]]' '[null, null]'
}

@test "a chain with a raw base" {
    needs qemu-img qemu-io
    truncate -s 3M base
    qemu-io -f raw -c 'write -q 100k 1000k' -c 'write -q 2000k 500k' base
    qemu-img create -q -f qcow2 -F raw -b base -o cluster_size=2M f
    qemu-io -c 'write -q 2M 4k' f
    for range in 0:1 200K:200K 2M:1M; do
        part f "$range" --chain
        witness oracle/chain.py --compare f out
    done
}

# ---- what it means for the rest ----

@test "what needs the whole image is not known" {
    image f <<<'size 64M
map all reversed'
    part f 1M:1M
    figures 't["qemu_img_check"]' null
    is <(json out "[i[0]['format']['l2_tables'], i[0]['format']['l2_bytes'], i[0]['verdict']['copy_bytes']]") \
        '[null, null, null]'
}

@test "the verdict is about the part" {
    image f <<<'size 1G
map 0..8191
map 8192..16383 shuffled seed 1'
    part f 0:512M --device hdd
    is <(json out "i[0]['verdict']['action']") none
    grep -q 'Reading this part of the disk takes about' out
    part f 512M:512M --device hdd
    is <(json out "i[0]['verdict']['action']") image
    grep -q 'Reading this part of the disk takes about' out
}

@test "a threshold looks at the part" {
    image f <<<'size 1G
map 0..8191
map 8192..16383 shuffled seed 1'
    try qcow2frag -q --max-score 10 --range 0:512M f
    exits 0
    try qcow2frag -q --max-score 10 --range 512M:512M f
    exits 3
}

@test "the page says that it is of a part" {
    image f <<<'size 1G
map 0..8191
map 8192..16383 shuffled seed 1'
    qcow2frag --no-host --device hdd --range 1000M:24M f >out
    grep -qFx '  part of the disk         24 MiB      from 1000 MiB on, 24 MiB mapped; all below is of that part only' out
    grep -qF 'This copies about 1 GiB' out # all of it, not the part alone
}

@test "a part of which nothing is mapped" {
    image f <<<'size 1G
map 0..9'
    qcow2frag --no-host --range 512M:1M f >out
    grep -qF 'Nothing is mapped in this part of the disk: there is nothing to read.' out
}

# ---- refused ----

@test "a range behind the end of the disk" {
    image f <<<'size 1G
map 0..9'
    try qcow2frag --range 1G:1 f
    exits 1
    is_empty out
    is err "qcow2frag: f: the range begins at 1 GiB, but the disk has only 1 GiB; choose one inside it"
}

@test "behind the end of one of several images: the others are measured" {
    image small <<<'size 1M
map all'
    image large <<<'size 1G
map all'
    try qcow2frag --format csv --columns image,mapped --range 2M:1M small large
    exits 1
    is out 'IMAGE,MAPPED
small,
large,1048576'
    grep -q '^qcow2frag: small: the range begins at 2 MiB' err
}

@test "behind the end of a snapshot that is smaller: nothing of it is mapped" {
    image f <<<'size 8M
map 0..15
snapshot old size 1M
map all'
    part f 2M:1M --all-snapshots
    is <(json out "[t['mapped_clusters'] for t in i[0]['tables']]") '[16, 0]'
}

@test "texts that are no range" {
    image f <<<'size 1M'
    for text in '' : 1 1: :1 1:0 -1:1 1:-1 1:1:1 a:b 1M-2M 15E:15E; do
        refused "$text"
    done
}

@test "a range in sectors, in hexadecimal" {
    image f <<<'size 4M
map 10..40'
    for range in 2048s:1024s 0x100000:0x80000 0x800s:512K 1048576:1024s; do
        part f "$range"
        figures '[t["range"]["guest_offset"], t["range"]["length"], t["mapped_clusters"]]' '[1048576, 524288, 8]'
    done
}

# ---- the list of runs ----

# runs RANGE EXPECTED [OPTION ...] IMAGE: as guest offset, length, kind, host offset.
runs() {
    local range=$1 expected=$2

    shift 2
    try qcow2frag map --list --json --no-host --range "$range" "$@"
    exits 0
    is_empty err
    python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(*(("-" if r[k] is None else r[k]) for k in ("guest_offset", "length", "kind", "host_offset")))' <out >listed
    [ -n "$expected" ] || is_empty listed
    [ -z "$expected" ] || is listed "$expected"
}

@test "map: clusters that the range touches are listed whole" {
    image f <<<'size 4M
map 0..9 at 10
zero 10..19
compressed 20..21 at-byte 30c bytes 1000'
    runs 0x1ffff:2 '65536 131072 data 720896' f
    runs 576K:128K '589824 65536 data 1245184
655360 65536 zero -' f
    runs 1344K:1 '1376256 65536 compressed 1967080' f
    runs 2M:1M '' f
}

@test "map: borders inside an L2 table, and beyond it" {
    image f <<<'size 2G
l2 0 at 5
l2 8192 at 6
map 8190..8193 at 10'
    runs 512M:64K '536870912 65536 data 786432' f
    runs 536805376:131072 '536805376 131072 data 720896' f
    runs 513M:1G '' f
}

@test "map: the parts of a list are the list, of small clusters and subclusters, too" {
    image small <<<'size 16M
cluster 512
map 0..4000 shuffled seed 4 group 8
map 8000..9000'
    image sub <<<'size 64M
cluster 128K
feature extended-l2
map 0..39 shuffled seed 1
map 50..99 every 2 alloc 0..7,12..15 zero 16..31'
    for f in small sub; do
        qcow2frag map --list --json --no-host $f >whole
        for k in 0 1 2 3; do
            qcow2frag map --list --json --no-host --range "$((k * 2))M:2M" $f
        done >parts
        qcow2frag map --list --json --no-host --range 8M:1T $f >>parts
        python <<'PYTHON'
import json
def clusters(name):
    for run in map(json.loads, open(name)):
        for k in range(0, run["length"], 512):
            yield run["guest_offset"] + k, run["host_offset"] and run["host_offset"] + k, run["kind"]
whole, parts = list(clusters("whole")), list(clusters("parts"))
assert whole and whole == parts, (len(whole), len(parts))
PYTHON
    done
}

@test "map: a range of a snapshot" {
    image f <<<'size 8M
map 0..15 at 10
snapshot old size 1M
map 16..31 at 40'
    runs 0:1M '0 1048576 data 655360' -s old f
    try qcow2frag map --list --no-host --range 1M:1M -s old f
    exits 1
    is err "qcow2frag: f: the range begins at 1 MiB, but the disk has only 1 MiB; choose one inside it"
}

@test "map: a range along a chain" {
    image base.qcow2 <<<'size 4M
cluster 4K
map 0..1023 at 100'
    image top.qcow2 <<<'backing base.qcow2 format qcow2
size 4M
map 3 at 10'
    runs 128K:128K '131072 65536 data 540672
196608 65536 data 655360' --chain top.qcow2
    runs 3M:1 '3145728 65536 data 3555328' --chain top.qcow2
}

@test "map: damage outside the range is not met" {
    image f <<<'size 64M
map all at 10
poke be64 l2[5] 1c+512'
    runs 64K:64K '65536 65536 data 720896' f
    try qcow2frag map --list --range 320K:1 f
    exits 2
}

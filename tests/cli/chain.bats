#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --chain: the figures and the list of a guest disk that several images hold together.

load helper

setup() {
    enter_scratch
    needs python3
}

# chained IMAGE [OPTION ...]: measured into out, without a word.
chained() {
    local image=$1

    shift
    try qcow2frag --json --chain "$@" "$image"
    exits 0
    is_empty err
}

# figures EXPRESSION VALUE: of the first table t of what was measured, with its layers l.
figures() {
    is <(json out "(lambda t: (lambda l: $1)(t['layers']))(i[0]['tables'][0])") "$2"
}

# matches_chain_oracle IMAGE [OPTION ...]
matches_chain_oracle() {
    chained "$@"
    mv out ours.json
    witness oracle/chain.py --compare "$1" ours.json
}

# lists IMAGE EXPECTED: as guest offset, length, kind, depth, file, host offset.
lists() {
    try qcow2frag map --list --json --chain "$1"
    exits 0
    is_empty err
    python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(*(("-" if r[k] is None else r[k]) for k in
            ("guest_offset", "length", "kind", "depth", "file", "host_offset")))' <out >listed
    is listed "$2"
}

# two TOP BASE: top.qcow2 on base.qcow2, from fixture texts; clusters of 64 KiB unless they say else.
two() {
    image base.qcow2 <<<"$2"
    image top.qcow2 <<<"backing base.qcow2 format qcow2
$1"
}

# ---- a chain of one ----

@test "an image without a backing file has the same figures with and without --chain" {
    for name in shuffled-single compressed-packed extended-l2-partial snapshot-shared last-cluster-cut \
        zero-allocated v2-zero size-zero empty vm-state; do
        fixture "$name"
        placed "$name.qcow2"
        try qcow2frag --json -S "$name.qcow2"
        mv out alone.json
        try qcow2frag --json -S --chain "$name.qcow2"
        python alone.json out <<'PYTHON'
import json, sys
alone, chain = (json.load(open(name))["images"][0] for name in sys.argv[1:])
for one, other in zip(alone["tables"], chain["tables"]):
    assert one.pop("layers") is None
    layer, = other.pop("layers")
    assert layer["depth"] == 0 and layer["path"] == alone["path"] and layer["shadowed_bytes"] == 0
    assert layer["bytes"] == other["mapped_bytes"] and layer["runs"] == other["contiguous_runs"]
alone["measured_at"] = chain["measured_at"] = 0
assert alone == chain, (alone, chain)
PYTHON
    done
}

@test "an image with a data file has the same figures, and the file is opened" {
    fixture data-file-raw
    try qcow2frag --json data-file-raw.qcow2
    json out 'i[0]["tables"][0]["mapped_bytes"]' >alone
    chained data-file-raw.qcow2
    figures 't["mapped_bytes"]' "$(cat alone)"
    rm data-raw.raw
    try qcow2frag --json --chain data-file-raw.qcow2
    exits 1
}

# ---- two images, by hand ----

@test "what the top image has is read from it, the rest from below" {
    two 'size 640K
map 2..3 at 10' 'size 640K
map 0..5 at 20'
    lists top.qcow2 "0 131072 data 1 base.qcow2 1310720
131072 131072 data 0 top.qcow2 655360
262144 131072 data 1 base.qcow2 1572864"
    chained top.qcow2
    figures '[t["chain_depth"], t["mapped_clusters"], t["mapped_bytes"], t["breaks"], t["file_switches"]]' \
        "[2, 6, 393216, 2, 2]"
    # Below, the two clusters that are hidden are a hole in step.
    figures '[t["backward_steps"], t["forward_jumps"], t["contiguous_runs"], t["ascending_runs"]]' "[0, 0, 3, 1]"
    figures '[(x["depth"], x["bytes"], x["runs"], x["shadowed_bytes"]) for x in l]' \
        "[[0, 131072, 1, 0], [1, 262144, 2, 131072]]"
    figures 't["qemu_img_check"]' null
}

@test "each file keeps its own last position" {
    # In the base backward over what the top has: a switch, and a step back.
    two 'size 640K
map 1 at 10
map 3 at 11' 'size 640K
map 0 at 30
map 2 at 20
map 4 at 40'
    chained top.qcow2
    figures '[t["file_switches"], t["backward_steps"], t["forward_jumps"], t["breaks"]]' "[4, 1, 1, 6]"
    figures '[t["contiguous_runs"], t["contiguous_run_max_bytes"]]' "[7, 65536]"
    figures '[x["runs"] for x in l]' "[2, 3]"
}

@test "zero clusters hide what is below, and unmapped ones do not" {
    two 'size 320K
zero 0
zero-alloc 1 at 10
unmap 2' 'size 320K
map 0..2 at 20
zero 3'
    lists top.qcow2 "0 65536 zero 0 top.qcow2 -
65536 65536 zero 0 top.qcow2 655360
131072 65536 data 1 base.qcow2 1441792
196608 65536 zero 1 base.qcow2 -"
    chained top.qcow2
    figures '[t["mapped_bytes"], t["zero_clusters"], t["zero_allocated_clusters"], l[1]["shadowed_bytes"]]' \
        "[65536, 3, 1, 131072]"
}

@test "a zero cluster counts while a byte of it can be seen, be it one of zeros or not" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=16k base.qcow2 64k
    qemu-io -c 'write -q -z 8k 8k' base.qcow2
    qemu-img create -q -f qcow2 -o cluster_size=4k -b base.qcow2 -F qcow2 top.qcow2
    qemu-io -c 'write -q 8k 8k' top.qcow2
    matches_chain_oracle top.qcow2
    is <(json ours.json 'i[0]["tables"][0]["zero_clusters"]') 1
    qemu-io -c 'write -q 0 8k' top.qcow2
    matches_chain_oracle top.qcow2
    is <(json ours.json 'i[0]["tables"][0]["zero_clusters"]') 0
}

@test "the score is a share of the pieces that are compared: never above 100 %" {
    two 'size 4M
cluster 2M' 'size 4M
cluster 4K
map all reversed'
    chained top.qcow2
    figures '[t["mapped_clusters"], t["backward_steps"], t["fragmentation_score"]]' "[2, 1023, $(python3 -c 'print(1023 / 1024)')]"
    try qcow2frag --chain top.qcow2
    holds out "  fragmentation score      99.90 %     1,023 steps back over 1,024 pieces"
}

@test "subclusters fall through one by one" {
    two 'size 128K
feature extended-l2
map 0 at 10 alloc 0..3 zero 8..11' 'size 128K
map 0 at 20'
    lists top.qcow2 "0 8192 data 0 top.qcow2 655360
8192 8192 data 1 base.qcow2 1318912
16384 8192 zero 0 top.qcow2 671744
24576 40960 data 1 base.qcow2 1335296"
    chained top.qcow2
    figures '[t["mapped_bytes"], t["mapped_clusters"], t["file_switches"], t["zero_clusters"]]' "[57344, 1, 1, 0]"
    matches_chain_oracle top.qcow2
}

@test "layers may have any cluster size" {
    two 'size 4M
cluster 512
map 0..3 at 100
map 4000 at 104' 'size 4M
cluster 2M
map 0..1 at 5'
    lists top.qcow2 "0 2048 data 0 top.qcow2 51200
2048 2045952 data 1 base.qcow2 10487808
2048000 512 data 0 top.qcow2 53248
2048512 2145792 data 1 base.qcow2 12534272"
    matches_chain_oracle top.qcow2
    two 'size 4M
cluster 2M
map 1 at 5' 'size 4M
cluster 512
map 4095..4096 at 100'
    lists top.qcow2 "2096640 512 data 1 base.qcow2 51200
2097152 2097152 data 0 top.qcow2 10485760"
}

@test "a compressed cluster that is seen in parts counts once, and is read for each part" {
    two 'size 128K
cluster 4K
map 4 at 10' 'size 128K
compressed 0 at-byte 20c bytes 1000
compressed 1 at-byte 21c bytes 1000'
    lists top.qcow2 "0 16384 compressed 1 base.qcow2 1310720
16384 4096 data 0 top.qcow2 40960
20480 45056 compressed 1 base.qcow2 1310720
65536 65536 compressed 1 base.qcow2 1376256"
    chained top.qcow2
    figures '[t["compressed_clusters"], t["mapped_bytes"], t["backward_steps"]]' "[2, 131072, 1]"
    matches_chain_oracle top.qcow2
}

@test "a shorter base ends at its own end, and hides what is longer below it" {
    image base.qcow2 <<<'size 640K
map 0..9 at 20'
    image mid.qcow2 <<<'size 200000
backing base.qcow2 format qcow2
map 3 at 10'
    image top.qcow2 <<<'size 640K
backing mid.qcow2 format qcow2
map 9 at 10'
    # Of the fourth cluster of the middle one, 3,072 bytes lie on its disk of 199,680.
    lists top.qcow2 "0 196608 data 2 base.qcow2 1310720
196608 3072 data 1 mid.qcow2 655360
589824 65536 data 0 top.qcow2 655360"
    chained top.qcow2
    figures '[x["shadowed_bytes"] for x in l]' "[0, 62464, 458752]"
}

@test "a longer base is cut at the size of the disk" {
    two 'size 100K' 'size 640K
map 0..9 at 20'
    lists top.qcow2 "0 102400 data 1 base.qcow2 1310720"
    chained top.qcow2
    figures '[t["mapped_bytes"], t["mapped_clusters"], l[1]["shadowed_bytes"]]' "[102400, 2, 552960]"
}

@test "the last cluster of the image itself counts whole, as without --chain" {
    two 'size 100K
map 1 at 10' 'size 100K
map 0..1 at 20'
    chained top.qcow2
    figures '[t["mapped_bytes"], t["mapped_clusters"]]' "[131072, 2]"
}

@test "a raw base has its holes, as the file system tells them" {
    truncate -s 1M base.raw
    printf data | dd of=base.raw bs=64K seek=2 conv=notrunc status=none
    image top.qcow2 <<<'size 2M
backing base.raw format raw
map 0 at 10'
    hole=$(python3 -c 'import os; f = os.open("base.raw", os.O_RDONLY); print(os.lseek(f, 131072, os.SEEK_HOLE))')
    [ "$hole" -lt 1048576 ] || skip "this file system tells no holes"
    lists top.qcow2 "0 65536 data 0 top.qcow2 655360
65536 65536 zero 1 base.raw -
131072 $((hole - 131072)) data 1 base.raw 131072
$hole $((1048576 - hole)) zero 1 base.raw -"
    matches_chain_oracle top.qcow2
}

@test "a raw base of an odd length ends with its last sector" {
    head -c 1000 /dev/zero | tr '\0' x >base.raw
    image top.qcow2 <<<'size 1M
backing base.raw format raw'
    lists top.qcow2 "0 1000 data 1 base.raw 0
1000 24 zero 1 base.raw -"
}

@test "data in an external data file of a layer are listed with that file" {
    image mid.qcow2 <<'IMAGE'
size 640K
data-file mid.raw create
backing base.qcow2 format qcow2
map 1..2
IMAGE
    image base.qcow2 <<<'size 640K
map 0..3 at 20'
    image top.qcow2 <<<'size 640K
backing mid.qcow2 format qcow2
map 2 at 10'
    lists top.qcow2 "0 65536 data 2 base.qcow2 1310720
65536 65536 data 1 mid.raw 65536
131072 65536 data 0 top.qcow2 655360
196608 65536 data 2 base.qcow2 1507328"
    chained top.qcow2
    figures '[(x["path"], x["bytes"]) for x in l]' \
        '[["top.qcow2", 65536], ["mid.qcow2", 65536], ["base.qcow2", 131072]]'
}

@test "the worked example of the definitions comes out as written there" {
    python "$SOURCE/doc/definitions.md" "$MKQCOW2" <<'PYTHON'
import re, subprocess, sys
page = open(sys.argv[1], encoding="utf-8").read()
section = re.search(r"### A chain of two images\n(.*?)\n#", page, re.S)[1]
block = re.search(r"```\n(.*?)```", section, re.S)[1].splitlines()
cluster, virtual = (re.search(key + r" (\d+)", "\n".join(block))[1] for key in ("cluster_bytes", "virtual_bytes"))
for name in ("base.qcow2", "top.qcow2"):
    text = "size %s\ncluster %s\n" % (virtual, cluster)
    text += "backing base.qcow2 format qcow2\n" if name == "top.qcow2" else ""
    for line in block:
        found = re.match(re.escape(name) + r" guest (\d+) host (\d+)$", line)
        text += "map %s at %s\n" % found.groups() if found else ""
    subprocess.run([sys.argv[2], "-", name], input=text, text=True, check=True)
rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section, re.M)
open("rows", "w").writelines("%s %s\n" % row for row in rows)
PYTHON
    [ "$(wc -l <rows)" -gt 20 ]
    chained top.qcow2
    python <<'PYTHON'
import json
table = json.load(open("out"))["images"][0]["tables"][0]
for row in open("rows"):
    key, value = row.rstrip("\n").split(" ", 1)
    assert table[key] == json.loads(value), (key, table[key], value)
PYTHON
}

@test "what an encrypted image decrypts at a time is all that it reads, and all that it passes down" {
    # Of the first request clusters 1 to 32, 33 to 64, and so on; of the second, all of which lies
    # below in a compressed cluster, 8 parts.
    two 'size 2M
crypt aes
cluster 4K
map 1..255' 'size 2M
cluster 2M
compressed 0 bytes 70000'
    matches_chain_oracle top.qcow2
    [ "$(json ours.json 'i[0]["tables"][0]["read_split"]')" = 1.0 ]
    two 'size 2M
crypt aes
cluster 4K
map 1..31
map 40..255 at 1000' 'size 2M
map 0..31'
    matches_chain_oracle top.qcow2
}

# reads N: the data reads of the whole disk, told by what an SSD takes for them: bytes at 530 MB/s, and 60 us each.
# TABLES: bytes of L2 tables.
reads() {
    local table='i[0]["tables"][0]'

    qcow2frag --json --chain --no-host --device ssd top.qcow2 >ssd.json
    is <(json ssd.json "round(($table['disk']['seconds'] - ($table['mapped_bytes'] + $TABLES) / 530e6) / 60e-6, 3)") "$1.0"
}

@test "with subclusters a request below begins anew where clusters that are not held do not follow on" {
    local base='size 1M
map 0..15 at 20' top='size 1M
feature extended-l2
map 0 at 10 alloc 0'

    TABLES=$((2 * 65536))
    # Two subclusters above; below, what is behind each of them in its cluster, and all the rest.
    two "$top"$'\nmap 1 at 11 alloc 0' "$base"
    reads 5
    matches_chain_oracle top.qcow2
    # What lies between two subclusters is one request, since their clusters follow on.
    two "$top"$'\nmap 1 at 11 alloc 31' "$base"
    reads 4
    matches_chain_oracle top.qcow2
    two "$top"$'\nmap 1 at 13 alloc 31' "$base"
    reads 5
    matches_chain_oracle top.qcow2
}

@test "a raw base is read through its holes, and not where it has nothing but holes" {
    truncate -s 4M base.raw
    for at in 0 8 40 63; do
        printf data | dd of=base.raw bs=64K seek=$at conv=notrunc status=none
    done
    image top.qcow2 <<<'size 4M
backing base.raw format raw'
    hole=$(python3 -c 'import os; f = os.open("base.raw", os.O_RDONLY); print(os.lseek(f, 0, os.SEEK_HOLE))')
    [ "$hole" -lt 524288 ] || skip "this file system tells no holes"
    TABLES=0
    reads 3
    matches_chain_oracle top.qcow2
}

@test "below an encrypted image requests end 32 clusters behind where the stretch begins" {
    local reversed='size 1M'

    for ((n = 15; n >= 0; n--)); do reversed+=$'\n'"map $n"; done
    two 'size 1M
crypt aes
cluster 4K
map 25 at 10' "$reversed"
    # One above. Below, the borders at each 64 KiB, and those at each 128 KiB from 104 KiB on.
    TABLES=$((4096 + 65536))
    reads 25
    matches_chain_oracle top.qcow2
}

# ---- snapshots ----

@test "a snapshot is measured through its own table, on the same chain" {
    image base.qcow2 <<<'size 640K
map 0..9 at 60'
    image top.qcow2 <<<'size 640K
backing base.qcow2 format qcow2
map 0..3 at 20
snapshot one
map 2..5 at 30
snapshot two'
    chained top.qcow2 -S
    is <(json out '[[x["bytes"] for x in t["layers"]] for t in i[0]["tables"]]') \
        "[[393216, 262144], [262144, 393216], [393216, 262144]]"
    mv out ours.json
    witness oracle/chain.py --compare top.qcow2 ours.json
    try qcow2frag map --list --json --chain -s one top.qcow2
    is <(json <(head -1 out) '[d["length"], d["depth"], d["host_offset"]]') "[262144, 0, 1310720]"
}

@test "a snapshot of another disk size reaches as far as its own" {
    image base.qcow2 <<<'size 640K
map 0..9 at 60'
    image top.qcow2 <<<'size 640K
backing base.qcow2 format qcow2
map 0 at 20
snapshot small size 128K'
    chained top.qcow2 -s small
    figures '[t["virtual_bytes"], t["mapped_bytes"], l[1]["bytes"]]' "[131072, 131072, 65536]"
}

# ---- damage ----

@test "what is found in an image below is told with its place, and the status is 2" {
    image base.qcow2 <<<'size 640K
map 0..9 at 20
poke be64 l2[3] 1c+512'
    image mid.qcow2 <<<'size 640K
feature dirty
backing base.qcow2 format qcow2'
    image top.qcow2 <<<'size 640K
backing mid.qcow2 format qcow2
map 0 at 10'
    try qcow2frag --json --chain top.qcow2
    exits 2
    is <(json out '[(f["code"], f["where"], f["severity"]) for f in i[0]["findings"]]') \
        '[["dirty", "backing[1] header", "warning"], ["l2-unaligned", "backing[2] l2[0][3]", "error"]]'
    is <(json out '[i[0]["complete"], i[0]["tables"][0]["corrupt_entries"]]') "[false, 1]"
    try qcow2frag map --list --chain top.qcow2
    exits 2
    holds err "backing[2] l2[0][3]"
}

@test "a damaged entry hides what is below it: the guest gets no data there" {
    two 'size 640K
map 0..3 at 10
poke be64 l2[1] 1c+512' 'size 640K
map 0..9 at 20'
    try qcow2frag --json --chain top.qcow2
    exits 2
    figures '[t["mapped_bytes"], l[1]["bytes"]]' "[589824, 393216]"
}

@test "a damaged entry that others hide is told, but is none of the figures" {
    two 'size 640K
map 0..9 at 10' 'size 640K
map 0..9 at 20
poke be64 l2[1] 1c+512'
    try qcow2frag --json --chain top.qcow2
    exits 2
    figures '[t["corrupt_entries"], t["mapped_bytes"]]' "[0, 655360]"
}

@test "a damaged L1 entry hides all that its table would map" {
    two 'size 4M
cluster 4K
map 0 at 10
map 512 at 11
poke be64 l1[0] 1<<50' 'size 4M
cluster 4K
map 0..1 at 20
map 512..513 at 22'
    try qcow2frag --json --chain top.qcow2
    exits 2
    figures '[t["corrupt_entries"], t["mapped_bytes"]]' "[1, 8192]"
    mv out ours.json
    witness oracle/chain.py --compare top.qcow2 ours.json
}

# ---- who uses the chain ----

@test "a chain is in use if somebody may write to any image of it" {
    needs qemu-io
    two 'size 640K
map 0 at 10' 'size 640K
map 0..9 at 20'
    chained top.qcow2
    is <(json out 'i[0]["in_use"]') false
    mkfifo commands
    command qemu-io -f qcow2 base.qcow2 <commands >qemu.log 2>&1 3>&- &
    exec 4>commands
    for _ in {1..50}; do
        ! grep -q ":$(stat -c %i base.qcow2) " /proc/locks || break
        sleep 0.1
    done
    try qcow2frag --json --chain top.qcow2
    qcow2frag --json top.qcow2 >alone.json
    exec 4>&-
    wait
    exits 0
    is <(json out 'i[0]["in_use"]') true
    is <(json alone.json 'i[0]["in_use"]') false
}

# ---- what is printed ----

@test "the page shows the images of a chain, each with what the guest reads from it" {
    two 'size 640K
map 2..3 at 10' 'size 640K
map 0..5 at 20'
    try qcow2frag --chain top.qcow2
    exits 0
    is <(grep "^  backing file" out) "  backing file             base.qcow2"
    holds out "2 to another file"
    holds out "  chain                    2 images, the top one first"
    holds out "       0    128 KiB in 1 run: top.qcow2"
    holds out "       1    256 KiB in 2 runs, and 128 KiB that nobody sees: base.qcow2"
    try qcow2frag top.qcow2
    holds out "(not opened; only this file is measured)"
}

@test "the table and CSV have columns for the chain" {
    two 'size 640K
map 2..3 at 10' 'size 640K
map 0..5 at 20'
    try qcow2frag --chain --format csv --columns DEPTH,SWITCHES,MAPPED top.qcow2 base.qcow2
    exits 0
    is <(tail -2 out) "2,2,393216
1,0,393216"
}

# ---- many ----

@test "the number of threads changes nothing" {
    needs qemu-img qemu-io
    witness oracle/random_chain.py 7
    placed layer*
    chained layer0 --threads 1
    mv out one.json
    chained layer0 --threads 8
    diff <(grep -v measured_at one.json) <(grep -v measured_at out)
}

@test "a chain of 300 images has the figures of the oracle" {
    # Each has a cluster of its own, and one that the image above it hides.
    mkdir texts
    printf 'size 1200K\ncluster 4K\nmap 299 at 10\n' >texts/image300.txt
    for ((n = 299; n > 0; n--)); do
        printf 'size 1200K\ncluster 4K\nbacking image%d.qcow2 format qcow2\nmap %d..%d at 10\n' $((n + 1)) $((n - 1)) "$n" >"texts/image$n.txt"
    done
    "$MKQCOW2" --into . texts/*.txt
    matches_chain_oracle image1.qcow2
    is <(json ours.json '[i[0]["tables"][0][k] for k in ("chain_depth", "mapped_clusters", "file_switches")]') \
        "[300, 300, 298]"
}

# ---- against two other witnesses ----

# A chain by qemu-img and qemu-io, of images as different as can be.
random_chain() {
    needs qemu-img qemu-io
    mkdir "$1"
    cd "$1"
    witness oracle/random_chain.py "$1"
}

agrees_with_oracle() {
    random_chain "$1"
    matches_chain_oracle layer0
    is <(json ours.json 'sum(l["bytes"] for l in i[0]["tables"][0]["layers"]) - i[0]["tables"][0]["mapped_bytes"]') 0
    cd ..
}

# The same when all images say that they are encrypted: their clusters are read 32 at a time at most.
agrees_when_encrypted() {
    local file

    random_chain "$1"
    for file in layer*; do
        [ "$(head -c 3 "$file" | tr -d '\0')" != QFI ] ||
            printf '\0\0\0\1' | dd of="$file" bs=1 seek=32 conv=notrunc status=none
    done
    matches_chain_oracle layer0
    [ "$(json ours.json 'i[0]["format"]["encryption"]')" = aes ]
    cd ..
}

# qemu-img map looks for holes below where files are sparse: it gets copies without any.
agrees_with_qemu() {
    random_chain "$1"
    for file in layer*; do
        if [ "$(head -c 3 "$file" | tr -d '\0')" = QFI ] || [ "${file%.data}" != "$file" ]; then
            cp --sparse=never "$file" dense
            mv dense "$file"
        fi
    done
    qemu-img map --output=json -f qcow2 layer0 >qemu.json
    try qcow2frag map --list --json --chain layer0
    exits 0
    witness oracle/compare_chain.py qemu.json out
    cd ..
}

@test "random chain 1: the figures are those of the oracle" { agrees_with_oracle 1; }
@test "random chain 2: the figures are those of the oracle" { agrees_with_oracle 2; }
@test "random chain 3: the figures are those of the oracle" { agrees_with_oracle 3; }
@test "random chain 4: the figures are those of the oracle" { agrees_with_oracle 4; }
@test "random chain 5: the figures are those of the oracle" { agrees_with_oracle 5; }
@test "random chain 6: the figures are those of the oracle" { agrees_with_oracle 6; }
@test "random chain 7, encrypted: the figures are those of the oracle" { agrees_when_encrypted 7; }
@test "random chain 8, encrypted: the figures are those of the oracle" { agrees_when_encrypted 8; }
@test "random chain 9, encrypted: the figures are those of the oracle" { agrees_when_encrypted 9; }
# What qemu-io reads of each file, seen by strace, is what the oracle says; ENCRYPTED: each other image is so.
reads_as_qemu() {
    local file odd=0

    needs strace
    strace -o trace -e trace=none true 2>strace.log || skip "strace traces nothing here"
    random_chain "$1"
    for file in layer*; do
        odd=$((1 - odd))
        [ -z "${2:-}" ] || [ "$odd" = 0 ] || [ "$(head -c 3 "$file" | tr -d '\0')" != QFI ] ||
            printf '\0\0\0\1' | dd of="$file" bs=1 seek=32 conv=notrunc status=none
    done
    witness disk/chain_reads.py layer0
    matches_chain_oracle layer0
    cd ..
}

@test "random chain 21: QEMU makes the reads of the oracle" { reads_as_qemu 21; }
@test "random chain 22: QEMU makes the reads of the oracle" { reads_as_qemu 22; }
@test "random chain 23, partly encrypted: QEMU makes the reads of the oracle" { reads_as_qemu 23 encrypted; }
@test "random chain 24, partly encrypted: QEMU makes the reads of the oracle" { reads_as_qemu 24 encrypted; }
@test "random chain 11: each byte has the owner that qemu-img map tells" { agrees_with_qemu 11; }
@test "random chain 12: each byte has the owner that qemu-img map tells" { agrees_with_qemu 12; }
@test "random chain 13: each byte has the owner that qemu-img map tells" { agrees_with_qemu 13; }
@test "random chain 14: each byte has the owner that qemu-img map tells" { agrees_with_qemu 14; }
@test "random chain 15: each byte has the owner that qemu-img map tells" { agrees_with_qemu 15; }
@test "random chain 16: each byte has the owner that qemu-img map tells" { agrees_with_qemu 16; }

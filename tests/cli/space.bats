#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --space: who owns the clusters of a file, what is free, and what deleting a snapshot would give
# back. That it fits the second decoder and qemu-img check is looked at for each image of the other
# tests as well (matches_oracle, same_check).

load helper
load qemu

setup() {
    enter_scratch
    needs python3
}

# snapshot IMAGE NAME
snapshot() {
    if [ ${#key[@]} -gt 0 ]; then
        qemu-img snapshot "${key[@]}" --image-opts -c "$2" "$(spec "$1")"
    else
        qemu-img snapshot -c "$2" "$1"
    fi
}

# without IMAGE SNAPSHOT COPY: a copy with that snapshot deleted.
without() {
    cp "$1" "$3"
    if [ ${#key[@]} -gt 0 ]; then
        qemu-img snapshot "${key[@]}" --image-opts -d "$2" "$(spec "$3")"
    else
        qemu-img snapshot -d "$2" "$3"
    fi
}

# scattered IMAGE LENGTH FIRST N: N writes of LENGTH bytes side by side, in an order that jumps about.
scattered() {
    local k commands=()

    for ((k = 0; k < $4; k++)); do
        commands+=("write -P $((k % 255 + 1)) $(((k * 7 % $4 + $3) * $2)) $2")
    done
    io "$1" "${commands[@]}"
}

used() { witness oracle/space.py --used "$1"; }

# space IMAGE KEY: a figure of it.
space() {
    qcow2frag --json --space "$1" >space.json
    json space.json "i[0]['space']['$2']"
}

# frees_as_told IMAGE SNAPSHOTS: there are so many; deleting each frees, by the refcounts before and
# after, exactly the clusters that we said. Two witnesses agree about the whole image besides.
frees_as_told() {
    local before cluster name bytes freed n=0

    matches_oracle "$1"
    same_check "$1"
    cluster=$(json ours.json "i[0]['format']['cluster_bytes']")
    json ours.json "'\n'.join('%s %d' % (s['name'], s['exclusive_bytes']) for s in i[0]['space']['snapshots'])" >snapshots
    before=$(used "$1")
    while read -r name bytes; do
        without "$1" "$name" less.qcow2
        freed=$(((before - $(used less.qcow2)) * cluster))
        [ "$freed" = "$bytes" ] || told "deleting $name frees $freed bytes, not $bytes" ours.json
        n=$((n + 1))
    done <snapshots
    [ "$n" = "$2" ] || told "$n snapshots, not $2" snapshots
}

# ---- snapshots, as QEMU frees them ----

# three_snapshots IMAGE LENGTH [PART]: data, and three snapshots with writes in between; PART: of so much less data.
three_snapshots() {
    local part=${3:-1}

    scattered "$1" "$2" 0 $((40 / part))
    snapshot "$1" one
    scattered "$1" "$2" $((5 / part)) $((20 / part))
    snapshot "$1" two
    scattered "$1" "$2" $((10 / part)) $((9 / part))
    snapshot "$1" three
    scattered "$1" "$2" $((30 / part)) $((25 / part))
}

# for_clusters SIZE LENGTH [PART]
for_clusters() {
    needs qemu-img qemu-io
    create f 400M "cluster_size=$1"
    three_snapshots f "$2" "${3:-}"
    frees_as_told f 3
    [ "$(json ours.json "i[0]['space']['snapshot_only_bytes'] > 0")" = true ]
}

@test "clusters of 512 bytes" { for_clusters 512 1536; }
@test "clusters of 4 KiB" { for_clusters 4k 12288; }
@test "clusters of 64 KiB" { for_clusters 64k 131072; }
@test "clusters of 2 MiB" { for_clusters 2M 2097152 5; }

# for_refcounts BITS
for_refcounts() {
    needs qemu-img qemu-io
    create f 64M "cluster_size=4k,refcount_bits=$1"
    three_snapshots f 8192
    frees_as_told f 3
}

@test "refcounts of 4 bits" { for_refcounts 4; }
@test "refcounts of 8 bits" { for_refcounts 8; }
@test "refcounts of 32 bits" { for_refcounts 32; }
@test "refcounts of 64 bits" { for_refcounts 64; }

@test "refcounts of 2 bits" {
    needs qemu-img qemu-io
    create f 64M cluster_size=4k,refcount_bits=2
    scattered f 8192 0 20
    snapshot f one
    scattered f 8192 3 9
    snapshot f two
    scattered f 8192 5 9
    frees_as_told f 2
}

@test "refcounts of 1 bit, which allow only a snapshot of nothing" {
    needs qemu-img qemu-io
    create f 64M cluster_size=4k,refcount_bits=1
    snapshot f nothing
    scattered f 8192 0 20
    frees_as_told f 1
}

@test "version 2" {
    needs qemu-img qemu-io
    create f 64M compat=0.10
    three_snapshots f 65536
    frees_as_told f 3
}

@test "compressed clusters that share clusters of the file, some of them overwritten" {
    local k commands=()
    needs qemu-img qemu-io
    create f 64M
    for k in {0..39}; do commands+=("write -c -P $((k + 1)) $((k * 64))k 64k"); done
    io f "${commands[@]}"
    snapshot f one
    commands=()
    for k in {40..69}; do commands+=("write -c -P $((k + 7)) $((k * 64))k 64k"); done
    io f 'write 0 64k' 'write 128k 640k' "${commands[@]}"
    snapshot f two
    io f 'write 2M 512k' 'write 3M 640k' 'discard 1M 256k'
    frees_as_told f 2
}

@test "compressed clusters that only snapshots have" {
    local k commands=()
    needs qemu-img qemu-io
    create f 64M cluster_size=4k
    for k in {0..99}; do commands+=("write -c -P $((k + 1)) $((k * 4))k 4k"); done
    io f "${commands[@]}"
    snapshot f one
    io f 'discard 0 200k'
    snapshot f two
    io f 'discard 0 400k'
    frees_as_told f 2
}

@test "extended L2 entries" {
    needs qemu-img qemu-io
    create f 64M extended_l2=on
    io f 'write 0 100k' 'write 200k 4k' 'write -z 300k 8k' 'write 1M 2k'
    snapshot f one
    io f 'write 8k 4k' 'write -z 64k 64k' 'write 2M 640k'
    snapshot f two
    io f 'discard 0 1M' 'write 2M 64k'
    frees_as_told f 2
}

@test "zero clusters with and without a cluster of the file" {
    needs qemu-img qemu-io
    create f 64M
    io f 'write 0 1M' 'write -z 128k 256k' 'write -z -u 512k 256k'
    snapshot f one
    io f 'write 128k 64k' 'write -z 0 64k' 'discard 768k 64k'
    snapshot f two
    io f 'write 0 1M'
    frees_as_told f 2
}

@test "saved VM state" {
    needs qemu-img qemu-io
    create f 16M cluster_size=4k
    io f 'write 0 200k' 'write -b 0 300k'
    snapshot f one
    io f 'write 4k 40k' 'write -b 100k 50k'
    snapshot f two
    io f 'write -b 0 20k'
    frees_as_told f 2
    [ "$(json ours.json "i[0]['space']['vm_state_bytes']")" -gt 300000 ]
}

@test "a disk that grew between snapshots" {
    needs qemu-img qemu-io
    create f 8M cluster_size=1k
    scattered f 3072 0 40
    snapshot f one
    qemu-img resize -q -f qcow2 f 512M
    io f 'write 400M 100k' 'write 0 20k'
    snapshot f two
    io f 'write 400M 30k'
    frees_as_told f 2
}

@test "bitmaps" {
    needs qemu-img qemu-io
    create f 64M
    io f 'write 0 1M'
    qemu-img bitmap --add -g 64k -f qcow2 f b0
    io f 'write 512k 1M'
    snapshot f one
    qemu-img bitmap --add -g 512 -f qcow2 f b1
    io f 'write 0 256k'
    frees_as_told f 1
}

@test "a preallocated image" {
    needs qemu-img qemu-io
    create f 64M preallocation=metadata
    snapshot f one
    io f 'write 1M 1M'
    frees_as_told f 1
}

@test "LUKS" {
    needs qemu-img qemu-io
    key=(--object secret,id=key,data=secret)
    luks qemu-img create -q -f qcow2 "${key[@]}" -o encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10 f 64M
    io f 'write 0 1M'
    snapshot f one
    io f 'write 256k 256k'
    frees_as_told f 1
    [ "$(json ours.json "i[0]['space']['metadata_bytes'] > 1 << 20")" = true ] # its header takes 2 MiB
}

@test "so many snapshots that their table has several clusters" {
    local k
    needs qemu-img qemu-io
    create f 1M cluster_size=512
    for k in {1..12}; do
        io f "write $((k * 3))k 6k"
        snapshot f "s$k-with-a-name-that-takes-some-room-in-the-table"
    done
    frees_as_told f 12
}

@test "a snapshot of an old version, whose entry QEMU writes longer than it is" {
    needs qemu-img
    image f <<'FIXTURE'
version 2
cluster 512
size 1M
map 0..99
snapshot one extra 0
snapshot two extra 0
snapshot three extra 0
snapshot four extra 0
snapshot five extra 0
snapshot six extra 0
snapshot seven extra 0
snapshot eight extra 0
snapshot nine extra 0
map 5..60
FIXTURE
    frees_as_told f 9
}

@test "more snapshots than go in step at a time" {
    image f <<'FIXTURE'
size 16K
cluster 512
map 0..9
snapshots 1100 change 1% run 1 seed 3
FIXTURE
    matches_oracle f
    is <(json ours.json "len(i[0]['space']['snapshots'])") 1100
    needs qemu-img
    same_check f
}

@test "a snapshot whose L1 table cannot be read" {
    image f <<'FIXTURE'
size 64M
map 0..9
snapshot kept
map 5
snapshot lost
map 6
poke be64 snap[1] 1c+512
FIXTURE
    matches_oracle f 2
    is <(json ours.json "[s['exclusive_bytes'] is None for s in i[0]['space']['snapshots']]") "[false, true]"
}

# ---- what is asked for ----

@test "the examples of definitions.md come out as written there" {
    python3 "$TESTS/oracle/space_examples.py" "$SOURCE/doc/definitions.md" "$MKQCOW2" "$QCOW2FRAG"
}

@test "without --space nothing of it is known, and all else is the same" {
    fixture snapshot-shared
    try qcow2frag --json --no-host snapshot-shared.qcow2
    exits 0
    is <(json out 'i[0]["space"]') null
    json out '{**i[0], "measured_at": 0}' >without
    qcow2frag --json --no-host --space snapshot-shared.qcow2 >out
    json out '{**i[0], "measured_at": 0, "space": None}' | diff without -
}

@test "it is about the whole file, whatever snapshot is chosen" {
    fixture snapshot-shared
    qcow2frag --json --space snapshot-shared.qcow2 >out
    json out 'i[0]["space"]' >all
    for options in "--snapshot before" --all-snapshots; do
        try qcow2frag --json --space $options snapshot-shared.qcow2
        exits 0
        json out 'i[0]["space"]' | diff all -
    done
}

@test "the list of runs has no --space" {
    fixture one-cluster
    try qcow2frag map --list --space one-cluster.qcow2
    refused_line='qcow2frag: --space does not go with map'
    exits 1
    is <(head -1 err) "$refused_line"
}

@test "damage of snapshots that are not chosen is told as one" {
    image f <<'FIXTURE'
size 64M
map 0..9
snapshot one
map 5
poke be64 snap[0].l2[3] |512
FIXTURE
    try qcow2frag --json --space f
    exits 2
    is <(json out '[[x["code"], x["where"]] for x in i[0]["findings"]]') '[["space-left-out", "image"]]'
    try qcow2frag --json --space --all-snapshots f
    exits 2
    is <(json out '[[x["code"], x["where"]] for x in i[0]["findings"]]') '[["l2-unaligned", "snapshot[0] l2[0][3]"]]'
    try qcow2frag --json f
    exits 0
}

@test "what the host stores" {
    needs stat sync
    fixture tail-hole
    sync tail-hole.qcow2
    is <(space tail-hole.qcow2 host_allocated_bytes) "$(($(stat -c %b tail-hole.qcow2) * $(stat -c %B tail-hole.qcow2)))"
    is <(space tail-hole.qcow2 tail_bytes) 1073741824
}

@test "an image in a block device" {
    needs_root
    needs losetup
    image f <<<'size 64M
map 0..9
append 10M'
    device=$(losetup --find --show --read-only f 2>/dev/null) || skip "no loop devices"
    try qcow2frag --json --space "$device"
    losetup --detach "$device"
    exits 0
    is <(json out '[i[0]["space"][key] for key in ("host_allocated_bytes", "tail_bytes", "end_offset_bytes")]') \
        "[null, 10485760, 983040]"
}

@test "clusters that lie too far apart are not measured, and a finding says so" {
    truncate -s 15T probe 2>/dev/null || skip "no files of 15 TiB here"
    # 200 clusters of 512 bytes in as many windows of 16 GiB.
    { printf 'size 1M\ncluster 512\nnorefcounts\n'
      for k in {0..199}; do echo "map $k at $((k * 134217728 + 100))"; done; } | image f
    try timeout 20 "$QCOW2FRAG" --json --space f
    exits 0
    is <(json out '[i[0]["space"], [[x["code"], x["severity"]] for x in i[0]["findings"]]]') \
        '[null, [["space-not-measured", "warning"]]]'
    try qcow2frag --space f
    exits 0
    not grep 'space of the file' out
}

# ---- how it is shown ----

@test "the page" {
    image f <<'FIXTURE'
size 64M
map 0..3
skip 2
map 4
leak 1
append 100000
FIXTURE
    try qcow2frag --space f
    exits 0
    is_empty err
    is <(sed -n '/space of the file/,/reclaimable/ { /stored/d; p }' out) '  space of the file (share of its length, 930 KiB)
    metadata                 320 KiB  34.42 %  ##########
    active data              320 KiB  34.42 %  ##########
    VM state                     0 B   0.00 %
    only in snapshots            0 B   0.00 %
    leaked                    64 KiB   6.88 %  ##
    free                     128 KiB  13.77 %  ####
    behind the end          97.7 KiB  10.50 %  ###
  image end                832 KiB
  free gaps                1           longest 128 KiB
  reclaimable              290 KiB'
}

@test "the page in bytes, with the gaps, explained" {
    image f <<'FIXTURE'
size 64M
map 0..3
skip 2
map 4
skip 1
map 5
FIXTURE
    try qcow2frag --space --bytes --histogram --verbose f
    exits 0
    holds out '    free                    196608 B  21.43 %  ######'
    holds out '  image end                917504 B'
    holds out '    from   65536 B              1 gap    65536 B  33.33 %  ##########'
    holds out '    from  131072 B              1 gap   131072 B  66.67 %  ####################'
    holds out '      Each cluster counts once, for the first that applies from the top.'
}

@test "the page of an image without gaps has no histogram of them" {
    fixture one-cluster
    try qcow2frag --space --histogram one-cluster.qcow2
    exits 0
    not grep gaps out
}

@test "the page says that leaks are not known" {
    fixture dirty
    try qcow2frag --space dirty.qcow2
    exits 0
    holds out '    leaked                         -  not known: the image is in use or dirty, or its refcounts are damaged'
}

@test "the page names the snapshots that free most" {
    local k
    { printf 'size 64M\nmap 0..49\n'
      for k in {1..25}; do echo "snapshot s$k" && echo "map 0..$((k * 7 % 25))"; done; } | image f
    try qcow2frag --space f
    exits 0
    [ "$(sed -n '/what deleting/,$p' out | grep -c '  snapshot ')" = 20 ]
    grep -q '^    and 5 snapshots that free no more than these$' out
    # The largest first: as the numbers of the JSON in falling order.
    qcow2frag --space --bytes f | sed -n 's/^ *\([0-9]*\) B  snapshot .*/\1/p' >shown
    qcow2frag --space --json f >out
    json out '"\n".join(str(b) for b in sorted((s["exclusive_bytes"] for s in i[0]["space"]["snapshots"]), reverse=True)[:20])' | diff shown -
}

@test "names of snapshots cannot write to the terminal" {
    image f <<'FIXTURE'
size 64M
map 0..9
snapshot "\x1b[31mred\n"
FIXTURE
    try qcow2frag --space f
    exits 0
    holds out '\x1b[31mred\x0a'
}

@test "columns are the figures of the JSON" {
    fixture vm-state
    fixture leaked
    try qcow2frag --space --format csv --columns END,ACTIVE,METADATA,VMSTATE,SNAPSHOTONLY,LEAKED,FREE,GAPS,TAIL,RECLAIMABLE vm-state.qcow2 leaked.qcow2
    exits 0
    mv out columns
    qcow2frag --json --space vm-state.qcow2 leaked.qcow2 >out
    {
        echo END,ACTIVE,METADATA,VMSTATE,SNAPSHOTONLY,LEAKED,FREE,GAPS,TAIL,RECLAIMABLE
        json out '"\n".join(",".join(str(x["space"][key]) for key in ("end_offset_bytes", "active_bytes", "metadata_bytes",
            "vm_state_bytes", "snapshot_only_bytes", "leaked_bytes", "free_bytes", "free_gaps", "tail_bytes", "reclaimable_bytes"))
            for x in i)'
    } | diff - columns
}

@test "columns that are of the space need no --space" {
    fixture leaked
    qcow2frag --space --format csv --columns END,STORED,LEAKED,FREE,RECLAIMABLE,MAPPED leaked.qcow2 >columns
    try qcow2frag --format csv --columns END,STORED,LEAKED,FREE,RECLAIMABLE,MAPPED leaked.qcow2
    exits 0
    diff columns out
    not grep -q '^,' out
}

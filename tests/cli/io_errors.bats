#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A disk that does not give its data: one clear message with the offset. Reads that come in pieces,
# or are interrupted, change nothing. shim.c stands between the program and the disk.

load helper

setup() {
    enter_scratch
    needs python3
    [ -r "$SHIM" ] || skip "no $SHIM"
}

teardown() {
    [ -z "${daemon:-}" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || true
    ! mountpoint -q mounted || umount -l mounted
    leave_scratch
}

# shimmed NAME=VALUE COMMAND ...: with the shim; a sanitizer must bear not to be the first library.
shimmed() {
    local setting=$1

    shift
    env "$setting" LD_PRELOAD="$SHIM" \
        ASAN_OPTIONS="verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}" "$@"
}

# be64 FILE OFFSET: the number that stands there.
be64() { od -An -tu8 --endian=big -j "$2" -N 8 "$1" | tr -d ' '; }

# two_tables: 4 KiB clusters. Refcount table at 0x1000, L1 table at 0x3000, L2 tables at 0x4000 and
# 0x205000, and the data behind each; a snapshot.
two_tables() {
    image disk.qcow2 <<'FIXTURE'
size 8M
cluster 4K
bitmap b0 data 1
l1 4
map 0..999
snapshot a
map 0..9
FIXTURE
    snapshots=$(be64 disk.qcow2 64)
    l1=$(be64 disk.qcow2 40)
    l2=$(($(be64 disk.qcow2 $((l1 + 8))) & 0x00fffffffffffe00))
    snapshot_l1=$(be64 disk.qcow2 "$snapshots")
}

# ---- EIO ----

# fails_at OFFSET [OPTION ...]: what cannot be read there is told, by page, JSON and list of runs.
fails_at() {
    local place offset=$1

    shift
    place=$(printf 'offset 0x%x:' "$offset")
    try shimmed SHIM_FAIL="$offset" "$QCOW2FRAG" "$@" disk.qcow2
    refused disk.qcow2 "$place"
    try shimmed SHIM_FAIL="$offset" "$QCOW2FRAG" --json "$@" disk.qcow2
    exits 1
    [ "$(wc -l <err)" = 1 ]
    is err "qcow2frag: disk.qcow2: $(json out 'i[0]["error"]')"
    is <(json out '[i[0]["format"], i[0]["tables"], i[0]["complete"]]') "[null, [], false]"
}

list_fails_at() {
    try shimmed SHIM_FAIL="$1" "$QCOW2FRAG" map --list disk.qcow2
    exits 1
    [ "$(wc -l <err)" = 1 ]
    holds err "qcow2frag: disk.qcow2: "
    holds err "$(printf 'offset 0x%x:' "$1")"
}

@test "the first byte cannot be read" {
    two_tables
    fails_at 0
    list_fails_at 0
}

@test "the middle of the header cannot be read" {
    two_tables
    fails_at 60
}

@test "the header extensions cannot be read" {
    two_tables
    fails_at 112
}

@test "the middle of the L1 table cannot be read" {
    two_tables
    fails_at $((l1 + 8))
    list_fails_at $((l1 + 8))
}

@test "the middle of an L2 table cannot be read" {
    two_tables
    fails_at $((l2 + 2048))
    list_fails_at $((l2 + 2048))
}

@test "the last byte of an L2 table cannot be read" {
    two_tables
    fails_at $((l2 + 4095))
}

@test "the snapshot table cannot be read" {
    two_tables
    fails_at "$snapshots"
    fails_at $((snapshots + 45))
}

@test "the L1 table of a snapshot cannot be read" {
    two_tables
    fails_at "$snapshot_l1" --all-snapshots
}

@test "the L1 table of a snapshot that nobody asks for need not be read" {
    two_tables
    try shimmed SHIM_FAIL="$snapshot_l1" "$QCOW2FRAG" disk.qcow2
    exits 0
    is_empty err
}

@test "of two images only the one that cannot be read fails" {
    two_tables
    fixture one-cluster
    # The other has nothing at this place.
    try shimmed SHIM_FAIL=$((l2 + 8)) "$QCOW2FRAG" --json one-cluster.qcow2 disk.qcow2
    exits 1
    [ "$(wc -l <err)" = 1 ]
    is <(json out '[x["error"] is None for x in i]') "[true, false]"
}

@test "data that cannot be read are not missed" {
    two_tables
    try shimmed SHIM_FAIL=$((l2 + 4096 + 77)) "$QCOW2FRAG" --json --all-snapshots disk.qcow2
    exits 0
    is_empty err
}

# ---- EIO from the kernel ----

# exported SECTOR: disk.qcow2 as the file `mounted`, in which this sector cannot be read.
exported() {
    needs qemu-storage-daemon mountpoint
    needs_root
    qemu-storage-daemon --help | grep -q type=.fuse || skip "qemu-storage-daemon knows no FUSE"
    touch mounted
    qemu-storage-daemon --blockdev driver=file,node-name=file,filename=disk.qcow2 \
        --blockdev '{"driver": "blkdebug", "node-name": "broken", "image": "file", "inject-error":
            [{"event": "none", "iotype": "read", "errno": 5, "sector": '"$1"'}]}' \
        --export type=fuse,id=export,node-name=broken,mountpoint=mounted >daemon.log 2>&1 3>&- &
    daemon=$!
    for _ in {1..100}; do
        ! mountpoint -q mounted || return 0
        sleep 0.05
    done
    skip "no FUSE here"
}

@test "the kernel cannot read the second L2 table" {
    two_tables
    exported $((l2 / 512 + 3))
    try qcow2frag mounted
    refused mounted "$(printf 'offset 0x%x' "$l2")"
}

@test "the kernel cannot read the L1 table" {
    two_tables
    exported $((l1 / 512))
    try qcow2frag --json mounted
    exits 1
    [ "$(wc -l <err)" = 1 ]
    is err "qcow2frag: mounted: $(json out 'i[0]["error"]')"
    holds err "$(printf 'offset 0x%x' "$l1")"
}

@test "the kernel cannot read some data" {
    two_tables
    exported $((l2 / 512 + 800))
    try qcow2frag --all-snapshots mounted
    exits 0
    is_empty err
}

# ---- short and interrupted reads ----

# unchanged_by NAME=VALUE FIXTURE ...: figures and lists of runs are those of an undisturbed disk.
unchanged_by() {
    local setting=$1 name

    shift
    for name; do
        fixture "$name"
        placed "$name.qcow2"
        try qcow2frag --json --all-snapshots "$name.qcow2"
        json out '{**i[0], "measured_at": 0}' >quiet
        try shimmed "$setting" "$QCOW2FRAG" --json --all-snapshots "$name.qcow2"
        exits 0
        is_empty err
        json out '{**i[0], "measured_at": 0}' >disturbed
        cmp quiet disturbed
        qcow2frag map --list "$name.qcow2" >quiet
        try shimmed "$setting" "$QCOW2FRAG" map --list "$name.qcow2"
        exits 0
        cmp quiet out
    done
}

@test "reads come in pieces: plain images" { unchanged_by SHIM_SHORT=1 shuffled-groups l2-scattered cluster-512; }
@test "reads come in pieces: snapshots and bitmaps" { unchanged_by SHIM_SHORT=1 snapshot-shared snapshot-extra-data bitmaps; }
@test "reads come in pieces: compressed, extended L2, names" { unchanged_by SHIM_SHORT=1 compressed-random-sizes extended-l2-partial header-extensions backing; }
@test "reads are interrupted: plain images" { unchanged_by SHIM_INTERRUPT=1 shuffled-groups l2-scattered cluster-512; }
@test "reads are interrupted: snapshots and bitmaps" { unchanged_by SHIM_INTERRUPT=1 snapshot-shared snapshot-extra-data bitmaps; }
@test "reads are interrupted: compressed, extended L2, names" { unchanged_by SHIM_INTERRUPT=1 compressed-random-sizes extended-l2-partial header-extensions backing; }

# ---- the file shrinks while it is read ----

# shrunk AT SIZE OPTION ...: when byte AT is read, the file shrinks to SIZE.
shrunk() {
    local at=$1 size=$2

    shift 2
    try shimmed SHIM_SHRINK="$at:$size" "$QCOW2FRAG" "$@" disk.qcow2
    [ "$(stat -c %s disk.qcow2)" = "$size" ]
}

@test "the file becomes empty while its header is read" {
    two_tables
    shrunk 0 0
    refused disk.qcow2
}

@test "the file becomes empty while its L1 table is read" {
    two_tables
    shrunk "$l1" 0
    refused disk.qcow2
}

@test "the L1 table vanishes before it is read" {
    two_tables
    shrunk "$l1" "$l1"
    refused disk.qcow2
}

@test "half of the L1 table vanishes before it is read" {
    two_tables
    shrunk "$l1" $((l1 + 8))
    refused disk.qcow2
}

# Nothing else is behind it that would be missed: neither snapshots nor L2 tables.
l1_at_end() {
    image disk.qcow2 <<'FIXTURE'
size 8M
cluster 4K
l1 4 at 1100
map 0..999
FIXTURE
    l1=$(be64 disk.qcow2 40)
}

@test "the L1 table at the end of the file vanishes before it is read" {
    l1_at_end
    shrunk "$l1" "$l1"
    refused disk.qcow2
}

@test "half of the L1 table at the end of the file vanishes before it is read" {
    l1_at_end
    shrunk "$l1" $((l1 + 8))
    refused disk.qcow2
}

@test "half of the L1 table at the end of the file vanishes before its runs are listed" {
    l1_at_end
    shrunk "$l1" $((l1 + 8)) map --list
    exits 1
    [ "$(wc -l <err)" = 1 ]
}

@test "an L2 table vanishes before it is read" {
    two_tables
    shrunk "$l2" "$l2"
    refused disk.qcow2 "shorter"
}

@test "half of an L2 table vanishes before it is read" {
    two_tables
    shrunk "$l2" $((l2 + 2048))
    refused disk.qcow2 "shorter"
}

@test "an L2 table vanishes before its runs are listed" {
    two_tables
    shrunk "$l2" "$l2" map --list
    exits 1
    [ "$(wc -l <err)" = 1 ]
}

@test "the snapshot table vanishes before it is read" {
    two_tables
    shrunk "$snapshots" "$snapshots"
    refused disk.qcow2
}

@test "the L1 table of a snapshot vanishes before it is read" {
    two_tables
    shrunk "$snapshot_l1" "$snapshot_l1" --all-snapshots
    refused disk.qcow2
}

@test "data vanish while the tables are read: the page is whole, or there is one message" {
    two_tables
    shrunk "$l2" $((l2 + 4096)) --json
    [ "$status" -le 2 ]
    json out 'len(i)'
}

# ---- a disk that does not keep what it was given ----

@test "defrag: the byte that reads back otherwise is named, and there is no new file" {
    image old.qcow2 <<<'size 8M
fill
map 0..99 reversed'
    qcow2frag defrag --json -o new.qcow2 old.qcow2 >sound.json
    [ "$(json sound.json 'd["defrag"][0]["verified"]')" = direct ] || skip "no reading past the page cache here"
    rm new.qcow2
    for off in 0x50000 0x5abcd 3000000; do
        try shimmed SHIM_FLIP="$off" "$QCOW2FRAG" defrag -o new.qcow2 old.qcow2
        exits 1
        grep -q "^qcow2frag: old.qcow2: new.qcow2: byte $(printf '0x%x' "$off") reads back as 0x[0-9a-f]*, not as 0x[0-9a-f]*; " err ||
            told "another message:" err
        [ ! -e new.qcow2 ]
    done
}

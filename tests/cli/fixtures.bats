#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every image of tests/images, one a test: it is measured, and the second decoder and qemu-img agree.

load helper
load qemu

setup() {
    enter_scratch
    needs python3
}

# sound NAME [STATUSES of qemu-img check]
sound() {
    fixture "$1"
    matches_oracle "$1.qcow2"
    needs qemu-img
    same_check "$1.qcow2" "${2:-0}"
    same_map "$1.qcow2" "$1.qcow2"
}

# long NAME: a file too long for qemu-img map, which would have to be given a copy without holes.
long() {
    fixture "$1"
    matches_oracle "$1.qcow2"
    needs qemu-img
    same_check "$1.qcow2"
}

@test "each fixture has a test here" {
    local path name text missing=

    IFS= read -r -d '' text <"$BATS_TEST_FILENAME" || true
    for path in "$TESTS"/images/*.txt; do
        name=${path##*/} name=${name%.txt}
        [[ $text == *$'\n'"@test \"$name"[\"\ ]* ]] || missing+=" $name"
    done
    [ -z "$missing" ] || told "no test of$missing"
}

@test "bitmaps" { sound bitmaps; }
@test "cluster-2m" { long cluster-2m; }
@test "cluster-512" { sound cluster-512; }
@test "compressed-1bit" { sound compressed-1bit; }
@test "compressed-packed" { sound compressed-packed; }
@test "compressed-padded" { sound compressed-padded; }
@test "compressed-random-sizes" { sound compressed-random-sizes; }
@test "compressed-reversed" { sound compressed-reversed; }
@test "compressed-zstd" { sound compressed-zstd; }
@test "data-file-offset-0" { sound data-file-offset-0; }
@test "data-file-raw" { sound data-file-raw; }
@test "dirty" { sound dirty 2; }
@test "discarded" { sound discarded; }
@test "empty" { sound empty; }
@test "extended-l2-partial" { sound extended-l2-partial; }
@test "extended-l2-whole" { sound extended-l2-whole; }
@test "fill" { sound fill; }
@test "header-extensions" { sound header-extensions; }
@test "hole-closed" { sound hole-closed; }
@test "in-step-holes" { sound in-step-holes; }
@test "interleaved-writers" { sound interleaved-writers; }
@test "l1-longer" { sound l1-longer; }
@test "l2-front" { long l2-front; }
@test "l2-scattered" { long l2-scattered; }
@test "last-blob-cut" { sound last-blob-cut; }
@test "last-cluster-cut" { sound last-cluster-cut; }
@test "leaked" { sound leaked 3; }
@test "one-cluster" { sound one-cluster; }
@test "refblocks-inline" { sound refblocks-inline; }
@test "refcount-bits-2" { sound refcount-bits-2; }
@test "refcount-bits-64" { sound refcount-bits-64; }
@test "reversed" { sound reversed; }
@test "sample" { long sample; }
@test "sequential" { long sequential; }
@test "shared-cluster" { sound shared-cluster; }
@test "shuffled-groups" { sound shuffled-groups; }
@test "shuffled-single" { sound shuffled-single; }
@test "size-zero" { sound size-zero; }
@test "snapshot-extra-data" { sound snapshot-extra-data; }
@test "snapshot-l1-longer" { sound snapshot-l1-longer; }
@test "snapshot-l1-shorter" { sound snapshot-l1-shorter; }
@test "snapshot-shared" { sound snapshot-shared; }
@test "snapshots-40" { sound snapshots-40; }
@test "tail-hole" { long tail-hole; }
@test "two-eib-empty" { long two-eib-empty; }
@test "two-halves-swapped" { long two-halves-swapped; }
@test "v2-plain" { sound v2-plain; }
@test "vm-state" { sound vm-state; }
@test "vm-state-loaded" { sound vm-state-loaded; }
@test "zero-allocated" { sound zero-allocated; }
@test "zero-plain" { sound zero-plain; }

@test "backing (qemu-img is told to do without its backing file, which does not exist)" {
    fixture backing
    matches_oracle backing.qcow2
    needs qemu-img
    qemu-img check --output=json \
        'json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":"backing.qcow2"}}' \
        >check.json
    witness oracle/compare_check.py check.json ours.json
}

@test "v2-zero (a zero entry in version 2 is damage, which qemu-img check passes over)" {
    fixture v2-zero
    matches_oracle v2-zero.qcow2 2
    needs qemu-img
    same_check v2-zero.qcow2
}

@test "the states that snapshots keep are those that qemu-img restores" {
    needs qemu-img
    fixture snapshot-shared
    snapshot_agrees snapshot-shared.qcow2 before
    fixture snapshot-l1-shorter
    snapshot_agrees snapshot-l1-shorter.qcow2 small
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Large disks: what the work and the memory go by. The limits of time only catch what never ends.

load helper

# peak COMMAND ...: runs it, its output into out; prints the most memory that it held, in KiB. That is
# never less than what Python holds when it starts it, some 10 MiB.
peak() {
    python3 - "$@" <<'PYTHON'
import resource, subprocess, sys
with open("out", "w") as out:
    status = subprocess.run(sys.argv[1:], stdout=out).returncode
if status != 0:
    sys.exit("status %d" % status)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
}

needs_plain_memory() {
    needs python3
    ! has_sanitizer || skip "a sanitizer takes memory of its own"
}

# within_32_mib KIB
within_32_mib() { [ "$1" -le 32768 ] || told "$1 KiB"; }

@test "the largest disk there is, 2 EiB, empty, is measured at once" {
    fixture two-eib-empty
    try timeout 5 "$QCOW2FRAG" --json two-eib-empty.qcow2
    exits 0
    is <(json out '[i[0]["tables"][0]["mapped_clusters"], i[0]["format"]["l1_entries"]]') "[0, 4194304]"
}

@test "the largest disk there is has a list of runs" {
    image f <<<'size 2E
cluster 2M
map 1099511627775 at 50'
    try timeout 20 "$QCOW2FRAG" map --list --json f
    exits 0
    is <(json out '[d["guest_offset"], d["host_offset"]]') "[2305843009211596800, 104857600]"
}

@test "a sparse disk of 64 TiB" {
    image f <<<'size 64T
map 0..9
map 1000000000..1000000009
map 500000000..500000999 reversed'
    try timeout 20 "$QCOW2FRAG" --json f
    exits 0
    is <(json out '[i[0]["tables"][0]["mapped_clusters"], i[0]["tables"][0]["backward_steps"]]') "[1020, 1000]"
}

@test "data at the very end of a file of 8 TiB" {
    needs python3
    truncate -s 9T probe 2>/dev/null || skip "no files of 9 TiB here"
    image f <<<'size 1T
map 0..9
map 100..109 at 134217700'
    matches_oracle f
    is <(json ours.json 'i[0]["tables"][0]["breaks"]') 1
}

# full: its name, a full disk of 1 TiB in random order; the same file for all tests.
full() {
    made_once full image <<<'size 1T
map all shuffled seed 1 group 1'
    echo "$made"
}

@test "a full disk of 1 TiB in random order is measured within 32 MiB" {
    needs_plain_memory
    used=$(peak "$QCOW2FRAG" --json "$(full)")
    is <(json out 'i[0]["tables"][0]["mapped_clusters"]') 16777216
    within_32_mib "$used"
}

@test "what its space is used for is measured with a window of 16 MiB" {
    needs_plain_memory
    used=$(peak "$QCOW2FRAG" --json --space "$(full)")
    is <(json out 'i[0]["space"]["active_bytes"]') 1099511627776
    is <(json out 'i[0]["findings"]') '[]'
    within_32_mib "$used"
}

@test "its runs are listed within 32 MiB" {
    needs_plain_memory
    image f <<<'size 64G
map all shuffled seed 1 group 1'
    used=$(peak "$QCOW2FRAG" map --list --json f)
    [ "$(wc -l <out)" -gt 1000000 ]
    within_32_mib "$used"
}

@test "a full disk of 64 TiB whose file was cut behind its tables is measured within 32 MiB" {
    needs_plain_memory
    image f <<<'size 64T
cluster 2M
l2-tables front
map all at 200000
truncate 200000c'
    used=$(peak sh -c '"$1" --json f || [ $? = 2 ]' sh "$QCOW2FRAG")
    is <(json out 'i[0]["tables"][0]["corrupt_entries"]') 33554432
    within_32_mib "$used"
}

@test "a very long file costs nothing by itself" {
    needs_plain_memory
    fixture one-cluster
    truncate -s 15T one-cluster.qcow2 2>/dev/null || skip "no files of 15 TiB here"
    used=$(peak timeout 20 "$QCOW2FRAG" --json one-cluster.qcow2)
    is <(json out 'i[0]["tables"][0]["mapped_clusters"]') 1
    within_32_mib "$used"
}

@test "a thousand snapshots that share all tables" {
    image f <<<'size 16G
map all
snapshots 1000 change 0%'
    try timeout 60 "$QCOW2FRAG" --json --all-snapshots f
    exits 0
    is <(json out '[len(i[0]["tables"]), {t["mapped_clusters"] for t in i[0]["tables"]} == {262144}]') "[1001, true]"
}

@test "L1 entries without number that point to one L2 table end soon" {
    needs python3
    image f <<<'size 2P
map 0..9'
    # 4,194,304 entries of an L1 table, all of them to the one L2 table: nominally 34 billion clusters.
    python f <<'PYTHON'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(36)
    size, l1 = struct.unpack(">IQ", f.read(12))
    f.seek(l1)
    entry = f.read(8)
    f.seek(l1)
    f.write(entry * size)
PYTHON
    try timeout 60 "$QCOW2FRAG" --json f
    [ "$status" -le 2 ]
    is <(json out 'i[0]["tables"][0]["mapped_clusters"]') 41943040
}

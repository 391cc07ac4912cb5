#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Work and memory are bounded by what a file stores, whatever it claims: 2 seconds of the processor
# and one more for each 64 MiB, and 64 MiB of memory.

load helper

setup() {
    enter_scratch
    needs python3
    sanitized=
    ! has_sanitizer || sanitized=--sanitized
}

# bounded ARGUMENT ...: runs the program within the bounds.
bounded() {
    try python3 "$TESTS/cli/bounded.py" $sanitized "$QCOW2FRAG" "$@"
}

# stays_bounded KIND: an image of that kind, with each of the options that look at more.
stays_bounded() {
    local options
    python3 "$TESTS/cli/hostile.py" "$1" hostile.qcow2 2>err || skip "no file can be so long here: $(tail -n 1 err)"
    for options in --threads=1 --all-snapshots --space --chain; do
        bounded --quiet --no-host "$options" hostile.qcow2
        [ "$status" = 0 ] || [ "$status" = 2 ] || told "$options: status $status" err
    done
}

@test "400 snapshots whose L1 tables are holes" { stays_bounded snapshots-in-holes; }

@test "data in 126 places far apart, beside L1 tables in holes" { stays_bounded windows; }

@test "L2 tables in a hole, from back to front" { stays_bounded l2-backwards; }

@test "L2 tables in two holes in turn" { stays_bounded l2-to-and-fro; }

@test "refcount blocks in a hole, from back to front" { stays_bounded refcounts-in-holes; }

# The image is small, so that what is kept of each shows.
@test "a folder of 4,000 images with very many findings" {
    local k

    python3 "$TESTS/cli/hostile.py" findings findings.qcow2
    mkdir folder
    python3 -c 'import os; [os.link("findings.qcow2", "folder/%d" % k) for k in range(4000)]'
    try python3 - "$QCOW2FRAG" folder <<'PYTHON'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "--no-host", "--threads=1", sys.argv[2]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
PYTHON
    exits 0
    [ -n "$sanitized" ] || [ "$(cat out)" -le 64 ] || told "took $(cat out) MiB"
}

@test "a document lists the findings of the first images, and one of each other" {
    python3 "$TESTS/cli/hostile.py" findings findings.qcow2
    mkdir folder
    python3 -c 'import os; [os.link("findings.qcow2", "folder/%d" % k) for k in range(150)]'
    try qcow2frag --json --no-host --threads=1 folder
    exits 2
    json out '[len(i[0]["findings"]), sum(len(x["findings"]) for x in i) <= 20000 + 150, len(i[149]["findings"])]' >lengths
    is lengths "[181, true, 1]"
    json out 'len(set(x["findings_total"] for x in i))' >totals
    is totals 1
}

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

# snapshots_stay_bounded KIND: an image of that kind, of which all states are measured.
snapshots_stay_bounded() {
    python3 "$TESTS/cli/hostile.py" "$1" hostile.qcow2 2>err || skip "no file can be so long here: $(tail -n 1 err)"
    bounded --quiet --no-host --threads=1 --all-snapshots hostile.qcow2
    exits 0
}

@test "8 snapshots with 4 million L2 tables each, at no place the same" { snapshots_stay_bounded snapshots-apart; }

@test "65,535 snapshots with an L1 table each that is a hole" { snapshots_stay_bounded snapshots-empty; }

@test "65,535 snapshots with an L2 table each" { snapshots_stay_bounded snapshots-many; }

@test "data in 126 places far apart, beside L1 tables in holes" { stays_bounded windows; }

@test "data all over a very long file" {
    stays_bounded far-and-wide
    try qcow2frag --json --no-host --space hostile.qcow2
    json out '[i[0]["space"], "space-not-measured" in [f["code"] for f in i[0]["findings"]]]' >said
    is said '[null, true]'
}

@test "L2 tables in a hole, from back to front" { stays_bounded l2-backwards; }

@test "L2 tables in two holes in turn" { stays_bounded l2-to-and-fro; }

@test "refcount blocks in a hole, from back to front" { stays_bounded refcounts-in-holes; }

# chain_stays_bounded KIND [STATUS]: a chain of that kind.
chain_stays_bounded() {
    python3 "$TESTS/cli/hostile.py" "$1" hostile.qcow2 2>err || skip "no file can be so long here: $(tail -n 1 err)"
    bounded --quiet --no-host --threads=1 --chain hostile.qcow2
    exits "${2:-0}"
}

@test "a chain of 100 images whose L1 tables are holes" { chain_stays_bounded chain; }

@test "a chain of 4 images with L2 tables of 2 MiB in holes" { chain_stays_bounded chain-tables; }

@test "a chain of images with L2 tables in holes in any order" { chain_stays_bounded chain-tables-shuffled; }

@test "a chain of 4 images with 4 million L2 tables each in a hole" { chain_stays_bounded chain-tables-many; }

@test "a chain of 1,000 images" { chain_stays_bounded chain-long; }

@test "a chain of images with an L2 table each that is named a thousand times" { chain_stays_bounded chain-repeats 2; }

@test "a chain of images with L2 tables of which little is stored" { chain_stays_bounded chain-patches; }

@test "a chain of extended L2 tables that are stored, with subclusters in turn" {
    chain_stays_bounded chain-subclusters
}

# attempts SECONDS ...: what comes of a limit of 0.3 s, of a program that takes so much at each attempt;
# prints the status, and how many attempts there were.
attempts() {
    cat >works.py <<'PYTHON'
import os, sys, time
n = len(os.listdir("made"))
open("made/%d" % n, "w").close()
print("attempt", n)
while time.process_time() < float(sys.argv[1 + n]):
    pass
PYTHON
    rm -rf made
    mkdir made
    python3 - "$@" <<'PYTHON'
import os, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "cli"))
sys.dont_write_bytecode = True
import bounded
bounded.SECONDS = 0.3
print("status", bounded.run([sys.executable, "works.py"] + sys.argv[1:] + ["/dev/null"], False))
PYTHON
    echo "$(ls made | wc -l) made"
}

@test "what takes too much of the processor once is tried again, and the least counts" {
    attempts 0 9 9 >said
    is said $'attempt 0\nstatus 0\n1 made'
    attempts 0.35 0 9 >said
    is said $'attempt 1\nstatus 0\n2 made'
    attempts 0.35 0.35 0.35 0 >said 2>err
    is said $'attempt 2\nstatus 125\n3 made'
    holds err "bounded.py: took"
}

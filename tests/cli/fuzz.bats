#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The measuring path under random damage: seeds replayed, a short run of the fuzzer (make fuzz is a longer one), and
# images damaged at random and compared with the plain decoder.

load helper

SEEDS=$BATS_FILE_TMPDIR/seeds

# seeds: of all fixtures, but those that are too large for one.
seeds() {
    [ ! -e "$SEEDS" ] || return 0
    mkdir images
    "$MKQCOW2" --into images "$TESTS"/images/*.txt "$TESTS"/images/damage/*.txt
    python3 "$TESTS/fuzz/sparse.py" pack images "$SEEDS"
}

# Sound images of every kind, small enough to be damaged by the thousand.
kinds=(reversed two-halves-swapped v2-plain cluster-512 compressed-packed compressed-random-sizes
    extended-l2-partial snapshot-shared snapshot-l1-longer snapshot-extra-data vm-state zero-allocated
    data-file-raw bitmaps header-extensions last-blob-cut refcount-bits-64 fill dirty l2-scattered)

@test "seeds of all fixtures go through the fuzz target" {
    needs python3
    seeds
    all=("$SEEDS"/*)
    [ ${#all[@]} -gt 300 ]
    MALLOC_PERTURB_=$((RANDOM % 255 + 1)) "$FUZZ_REPLAY" "${all[@]}" >out
    is out "${#all[@]} inputs"
}

# What is built for it stays in the build folder, and so does what it found worth keeping.
@test "the fuzzer finds nothing in a while" {
    needs clang ninja python3
    BUILD=$(dirname "$QCOW2FRAG") BUILD_FUZZ=$(dirname "$QCOW2FRAG")/fuzz
    [ -e "$BUILD/build.ninja" ] || skip "not in a build folder"
    echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n > 9 && *p == 7; }' >probe.c
    clang -fsanitize=fuzzer,address -o probe probe.c 2>/dev/null || skip "clang without libFuzzer"
    seeds
    mkdir -p "$BUILD_FUZZ/corpus" 2>/dev/null && [ -w "$BUILD_FUZZ/corpus" ] || BUILD_FUZZ=$PWD/fuzz # it is another's
    export BUILD BUILD_FUZZ SEEDS
    FUZZ_BUILT_FAST=yes timeout 900 "$TESTS/fuzz/run" "${FUZZ_SECONDS:-10}" >out 2>&1 || { tail -50 out; false; }
    grep -q '^Done [0-9]* runs' out
}

@test "a packed image is the image again" {
    needs python3
    fixture snapshot-shared
    python3 "$TESTS/fuzz/sparse.py" pack snapshot-shared.qcow2 packed
    python3 "$TESTS/fuzz/sparse.py" unpack packed again.qcow2
    cmp snapshot-shared.qcow2 again.qcow2
}

# MUTANTS=10000 for a thorough run.
@test "images damaged at random measure as the plain decoder says" {
    needs python3
    fixtures "${kinds[@]}"
    python3 "$TESTS/oracle/mutate.py" "$QCOW2FRAG" mutants "${MUTANTS:-400}" "${MUTANT_SEED:-1}" \
        "${kinds[@]/%/.qcow2}" >out || told "the decoders differ:" out
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The measuring path under random damage: seeds replayed, images damaged at random and compared with
# the plain decoder, and a short run of the fuzzer.

load helper

# Sound images of every kind, small enough to be damaged by the thousand.
kinds="reversed two-halves-swapped v2-plain cluster-512 compressed-packed compressed-random-sizes
    extended-l2-partial snapshot-shared snapshot-l1-longer snapshot-extra-data vm-state zero-allocated
    data-file-raw bitmaps header-extensions last-blob-cut refcount-bits-64 fill dirty l2-scattered"

@test "seeds of all fixtures go through the fuzz target" {
    needs python3
    mkdir seeds
    for text in "$TESTS"/images/*.txt "$TESTS"/images/damage/*.txt; do
        name=$(basename "$text" .txt)
        "$MKQCOW2" "$text" "$name.qcow2"
        # Those that are too large for a seed say so; all others must be packed.
        python3 "$TESTS/fuzz/sparse.py" pack "$name.qcow2" "seeds/$name" 2>refused ||
            grep -q 'larger than' refused
        rm "$name.qcow2"
    done
    [ "$(ls seeds | wc -l)" -gt 300 ]
    "$FUZZ_REPLAY" seeds/* >out
    [ "$(cat out)" = "$(ls seeds | wc -l) inputs" ]
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
    for kind in $kinds; do fixture "$kind"; done
    # shellcheck disable=SC2046  # a list of names without blanks
    python3 "$TESTS/oracle/mutate.py" "$QCOW2FRAG" mutants "${MUTANTS:-400}" "${MUTANT_SEED:-1}" \
        $(printf '%s.qcow2 ' $kinds) >out || { cat out; false; }
}

@test "the fuzzer finds nothing in a while" {
    needs clang python3 meson
    echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n > 9 && *p == 7; }' >probe.c
    clang -fsanitize=fuzzer,address -o probe probe.c 2>/dev/null || skip "clang without libFuzzer"
    seconds=${FUZZ_SECONDS:-$([ -n "${CI:-}" ] && echo 120 || echo 15)}
    BUILD_FUZZ=$PWD/build-fuzz timeout $((seconds + 900)) "$TESTS/fuzz/run" "$seconds" >out 2>&1 ||
        { tail -50 out; false; }
    grep -q '^Done [0-9]* runs' out
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The measuring path under random damage: seeds replayed, and images damaged at random and compared with
# the plain decoder.

load helper

# Sound images of every kind, small enough to be damaged by the thousand.
kinds=(reversed two-halves-swapped v2-plain cluster-512 compressed-packed compressed-random-sizes
    extended-l2-partial snapshot-shared snapshot-l1-longer snapshot-extra-data vm-state zero-allocated
    data-file-raw bitmaps header-extensions last-blob-cut refcount-bits-64 fill dirty l2-scattered)

@test "seeds of all fixtures go through the fuzz target" {
    needs python3
    mkdir images
    "$MKQCOW2" --into images "$TESTS"/images/*.txt "$TESTS"/images/damage/*.txt
    python3 "$TESTS/fuzz/sparse.py" pack images seeds # those that are not too large for a seed
    [ "$(ls seeds | wc -l)" -gt 300 ]
    MALLOC_PERTURB_=$((RANDOM % 255 + 1)) "$FUZZ_REPLAY" seeds/* >out
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
    fixtures "${kinds[@]}"
    python3 "$TESTS/oracle/mutate.py" "$QCOW2FRAG" mutants "${MUTANTS:-400}" "${MUTANT_SEED:-1}" \
        "${kinds[@]/%/.qcow2}" >out || told "the decoders differ:" out
}

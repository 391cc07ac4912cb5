#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A short run of the fuzzer (make fuzz is a longer one). What is built for it stays in the build folder, and so
# does what it found worth keeping.

load helper

@test "the fuzzer finds nothing in a while" {
    needs clang python3 meson
    echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n > 9 && *p == 7; }' >probe.c
    clang -fsanitize=fuzzer,address -o probe probe.c 2>/dev/null || skip "clang without libFuzzer"
    BUILD_FUZZ=$(dirname "$QCOW2FRAG")/fuzz
    mkdir -p "$BUILD_FUZZ/corpus" 2>/dev/null && [ -w "$BUILD_FUZZ/corpus" ] || BUILD_FUZZ=$PWD/fuzz # it is another's
    export BUILD_FUZZ
    FUZZ_BUILT_FAST=yes timeout 900 "$TESTS/fuzz/run" "${FUZZ_SECONDS:-10}" >out 2>&1 || { tail -50 out; false; }
    grep -q '^Done [0-9]* runs' out
}

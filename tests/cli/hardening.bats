#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The program as built has what meson.build asks the compiler and the linker for.

load helper

setup() {
    enter_scratch
    needs readelf nm
    ! has_sanitizer || skip "built with a sanitizer"
}

@test "it can be loaded anywhere (PIE)" {
    readelf -hW "$QCOW2FRAG" | grep -qE 'Type: +DYN'
    readelf -dW "$QCOW2FRAG" | grep -qE 'FLAGS_1.*\bPIE\b'
}

@test "all symbols are bound at the start, and what they are bound by is read only then" {
    readelf -dW "$QCOW2FRAG" | grep -qE 'BIND_NOW|FLAGS_1.*\bNOW\b'
    readelf -lW "$QCOW2FRAG" | grep -q GNU_RELRO
}

@test "the stack is not executable" {
    readelf -lW "$QCOW2FRAG" >headers
    grep -q GNU_STACK headers
    grep GNU_STACK headers | grep -qE ' RW +0x'
}

@test "no segment is writable and executable" {
    readelf -lW "$QCOW2FRAG" | awk '$1 == "LOAD"' >segments
    [ -s segments ]
    not grep -qE 'RWE' segments
}

@test "functions with buffers guard their return address" {
    nm -D "$QCOW2FRAG" | grep -q __stack_chk_fail
}

@test "calls that write into buffers know their size" {
    readelf --debug-dump=info "$QCOW2FRAG" 2>/dev/null | grep -qE 'DW_AT_producer.* -O[123s]' ||
        skip "built without optimisation, or it does not say"
    nm -D "$QCOW2FRAG" | grep -qE '__v?s?n?printf_chk'
}

# with_frame KIB: compiles a function with so much on its stack, with the flags of the program's sources for that.
with_frame() {
    local commands flags
    commands=$(dirname "$QCOW2FRAG")/compile_commands.json
    [ -e "$commands" ] || skip "this build folder has no compile_commands.json"
    flags=$(jq -r '[.[] | select(.file | endswith("src/main.c"))][0].command' "$commands" |
        grep -oE '\S*frame-larger-than\S*') || true
    [ -n "$flags" ] || skip "the compiler does not know how much a function has on its stack"
    echo "void use(char *); void large(void); void large(void) { char buffer[$1 << 10]; use(buffer); }" >large.c
    try cc $flags -c large.c
}

@test "a function that takes most of an 80 KiB stack does not build" {
    needs cc jq
    with_frame 60
    exits 0
    with_frame 72
    exits 1
    holds err frame-larger-than
}

@test "it looks for libraries in no folder of the build, and its code is not relocated" {
    readelf -dW "$QCOW2FRAG" >dynamic
    grep -q NEEDED dynamic
    not grep -qE 'RPATH|RUNPATH|TEXTREL' dynamic
}

@test "each loop over clusters has a version for each level of processors" {
    [ "$(uname -m)" = x86_64 ] || skip "no levels of this processor are known"
    readelf -p .comment "$QCOW2FRAG" | grep -q 'GCC: .* 1[2-9]\.' || skip "built by a compiler that makes none"
    readelf -V "$QCOW2FRAG" | grep -q GLIBC || skip "the C library has no ifunc"
    grep -rh '^CLONES ' "$SOURCE/src" | sed 's/(.*//; s/.*[ *]//' >functions
    [ -s functions ]
    nm "$QCOW2FRAG" >symbols
    while read -r name; do
        for level in default arch_x86_64_v3 arch_x86_64_v4; do
            grep -q " $name\.$level\$" symbols || { echo "$name has none for $level"; return 1; }
        done
    done <functions
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the program can be built without: liburing.

load helper

# dependencies: the libraries that the build files ask for, each with what becomes of a build without it.
dependencies() {
    local line

    grep -hoE "dependency\('[a-z]+'.*" "$SOURCE/meson.build" "$SOURCE/tests/meson.build" | grep -v "'threads'" |
        while read -r line; do
            [[ $line =~ ^dependency\(\'([a-z]+)\' ]]
            case $line in
            *required:*) echo "want pc:${BASH_REMATCH[1]}" ;;
            *) echo "need pc:${BASH_REMATCH[1]}" ;;
            esac
        done
}

@test "what is asked to be installed is what the build files need, or can do without" {
    dependencies | sort >built
    sed -nE 's/^[a-z]+ +(need|want) +(pc:[a-z]+) .*/\1 \2/p' "$SOURCE/tools/need-packages" | sort >installed
    grep -q '^need' built
    grep -q '^want' built
    diff built installed
}

@test "built without liburing it measures the same" {
    needs meson ninja cc python3
    build=$(dirname "$QCOW2FRAG")/without-liburing
    mkdir -p "$build" 2>/dev/null && [ -w "$build" ] || build=$PWD/build # it is another's
    [ -e "$build/build.ninja" ] ||
        meson setup -Dliburing=disabled -Doptimization=0 -Ddebug=false -Dwerror=true "$build" "$SOURCE" >log || told "no build:" log
    ninja -C "$build" qcow2frag >log || told "no build:" log
    ! grep -q HAVE_LIBURING "$build/compile_commands.json"
    mkdir images
    "$MKQCOW2" --into images "$TESTS"/images/*.txt
    for program in "$QCOW2FRAG" "$build/qcow2frag"; do
        try "$program" --json --space --all-snapshots --no-host images/*.qcow2
        exits 2 # one of them is damaged
        is_empty err
        json out '[{**x, "measured_at": 0} for x in i]' >"measured.${program//\//-}"
    done
    [ "$(json out 'len(i)')" -gt 50 ]
    diff measured.*
}

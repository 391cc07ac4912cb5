#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the program can be built without: liburing, libnbd and libvirt.

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

@test "built without liburing, libnbd and libvirt it measures the same, but no remote images" {
    needs meson ninja cc python3
    build=$(dirname "$QCOW2FRAG")
    [ -e "$build/build.ninja" ] || skip "not in a build folder"
    meson setup -Dliburing=disabled -Dnbd=disabled -Dlibvirt=disabled -Ddebug=false -Dwerror=true without "$SOURCE" >log || told "no build:" log
    not grep -q HAVE_LIBURING without/compile_commands.json
    # All that differs is in the floors that read files and ask libvirt: with them the program is linked as it is.
    ninja -C without libio.a libvirt.a >log || told "no build:" log
    ninja -C "$build" -t commands qcow2frag | tail -n 1 | tr ' ' '\n' | grep -v liburing |
        sed -E "s|^(libio[.]a\|libvirt[.]a)\$|$PWD/without/\\1|; s|^qcow2frag\$|$PWD/without/qcow2frag|" >link
    grep -q without/libio link
    (cd "$build" && bash -c "$(tr '\n' ' ' <"$OLDPWD/link")") >log 2>&1 || told "not linked:" log
    ! nm without/qcow2frag | grep 'io_uring\|io_nbd_li\|virt_li' || told "this is not to be"
    for command in measure map "map --list" "report -o page"; do
        try without/qcow2frag $command nbd://localhost/x
        refused nbd://localhost/x "is remote, and this qcow2frag was built without libnbd: it reads files only"
    done
    try without/qcow2frag --libvirt
    refused --libvirt "this qcow2frag was built without libvirt"
    mkdir images
    "$MKQCOW2" --into images "$TESTS"/images/*.txt
    rm images/v2-zero.qcow2 # which is damaged
    for program in "$QCOW2FRAG" without/qcow2frag; do
        try "$program" --json --space --all-snapshots --no-host images/*.qcow2
        exits 0
        is_empty err
        json out '[{**x, "measured_at": 0} for x in i]' >"measured.${program//\//-}"
    done
    [ "$(json out 'len(i)')" -gt 50 ]
    diff measured.*
}

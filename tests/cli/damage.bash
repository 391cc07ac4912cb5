# SPDX-License-Identifier: MIT
# What the tests of damaged images share. The fixtures are tests/images/damage/*.txt; the lines
# "#=" in them say what is expected, and damage.py compares.

# measured_as FIXTURE-FILE IMAGE
measured_as() {
    local sanitized=

    ! has_sanitizer || sanitized=--sanitized
    python3 "$TESTS/cli/damage.py" "$QCOW2FRAG" "$1" "$2" $sanitized
}

# damaged NAME: the image of this fixture is measured as the fixture says.
damaged() {
    needs python3
    "$MKQCOW2" "$TESTS/images/damage/$1.txt" image.qcow2
    measured_as "$TESTS/images/damage/$1.txt" image.qcow2
}

# opens_no_other NAME: no system call has the name in it that this image gives for another file.
opens_no_other() {
    local path=$TESTS/images/damage/$1.txt name

    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    name=$(sed -n 's/^#= unopened //p' "$path")
    "$MKQCOW2" "$path" image.qcow2
    for options in "--json --all-snapshots" "" "map --list"; do
        # The leak checker of a sanitizer cannot work under strace.
        ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}" \
            strace -f -s 2000 -o trace -e trace=file,network "$QCOW2FRAG" $options image.qcow2 >out
        grep -q 'image.qcow2' trace
        ! grep -F -- "$name" trace || told "a system call names $name"
    done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The page in a terminal: its lines follow the width, its commands do not.

load helper

setup() {
    enter_scratch
    needs script stty
}

# in_terminal COLUMNS OPTION ...: what the program prints in a terminal of that width: shown.
in_terminal() {
    local columns=$1

    shift
    script -qec "stty cols $columns -onlcr; exec $(printf '%q ' "$QCOW2FRAG" "$@") 2>/dev/null" /dev/null </dev/null >shown ||
        [ $? = 2 ]
    [ -s shown ] || told "nothing was shown"
}

# text_of FILE: its words, whatever lines they stand on.
text_of() { tr -s ' \n' '\n' <"$1"; }

# fits COLUMNS: no line that is shown is longer, but for commands and single words.
fits() {
    awk -v columns="$1" 'length > columns && NF > 1 && !/^        [^ ]/' shown >too_long
    is_empty too_long
}

@test "a page fits into 60, 80 and 100 columns, with the same words" {
    for name in snapshot-shared discarded extended-l2-partial backing compressed-padded l2-scattered; do
        fixture $name
    done
    for file in *.qcow2; do
        qcow2frag --no-host "$file" >plain || true
        for columns in 60 80 100; do
            in_terminal $columns --no-host "$file"
            fits $columns
            diff <(text_of plain) <(text_of shown)
        done
    done
}

@test "a page with everything fits into 60 columns" {
    fixture snapshot-shared
    fixture sample
    for file in *.qcow2; do
        in_terminal 60 --no-host -v --space --histogram --all-snapshots "$file"
        fits 60
    done
}

@test "a page with a damage fits into 60 columns" {
    fixture v2-zero
    in_terminal 60 --no-host v2-zero.qcow2
    fits 60
}

@test "a chain fits into 60 columns" {
    image base.qcow2 <<<'size 64M
map 0..99'
    image top.qcow2 <<<'size 64M
backing "base.qcow2" format qcow2
map 50..149'
    in_terminal 60 --no-host --chain -v top.qcow2
    fits 60
}

@test "less than 60 columns are taken for 60" {
    fixture reversed
    in_terminal 60 reversed.qcow2
    mv shown sixty
    in_terminal 20 reversed.qcow2
    diff sixty shown
}

@test "in a wide terminal a figure is one line, a sentence is none that tires" {
    fixture reversed
    in_terminal 200 --no-host -v reversed.qcow2
    qcow2frag --no-host -v reversed.qcow2 | diff - shown
    grep -q '^  contiguous runs .* longest 64 KiB$' shown
}

@test "a terminal that does not know its width has 80 columns" {
    fixture reversed
    in_terminal 80 reversed.qcow2
    mv shown eighty
    in_terminal 0 reversed.qcow2
    diff eighty shown
}

@test "a command is never broken" {
    local name=a-name-that-is-longer-than-the-terminal-of-this-test-is-wide.qcow2
    fixture sample
    mv sample.qcow2 "$name"
    qcow2frag --no-host "$name" | grep -E '^ {8}[^ ]' >whole
    [ "$(awk 'length > 60' whole | wc -l)" -ge 1 ]
    in_terminal 60 --no-host "$name"
    while IFS= read -r line; do
        grep -qxF -- "$line" shown || told "broken: $line" shown
    done <whole
}

@test "a result for a file does not ask the terminal" {
    fixture reversed
    qcow2frag reversed.qcow2 >plain
    script -qec "stty cols 60; $(printf '%q ' "$QCOW2FRAG") -o result reversed.qcow2" /dev/null </dev/null >/dev/null
    diff plain result
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The help: of everything, and of each command. Every text of it has examples, and they run.

load helper

@test "help and --help are the same text" {
    try qcow2frag --help
    exits 0
    is_empty err
    mv out whole
    for words in help -h "--help image image" "-h --json image" "help --json"; do
        try qcow2frag $words
        exits 0
        diff whole out
    done
}

@test "help of a command has its own options only" {
    try qcow2frag help map
    exits 0
    is_empty err
    mv out map
    holds map "Usage: qcow2frag map "
    holds map --list
    not grep -q -e --histogram -e '^Columns' map
    try qcow2frag help measure
    mv out measure
    holds measure "Usage: qcow2frag [measure] "
    holds measure --histogram
    holds measure '^Columns' || grep -q '^Columns' measure
    not grep -q -e --list measure
    try qcow2frag help defrag
    mv out defrag
    holds defrag "Usage: qcow2frag defrag "
    holds defrag --dry-run
    holds defrag "Exit status: 0 done, or nothing to do; 1 refused or failed."
    not grep -e --histogram -e --list -e '^Columns' defrag
    not grep -e --dry-run map measure
    for command in map measure defrag; do
        for words in "$command --help" "$command -h" "--help $command" "$command --help image"; do
            qcow2frag $words | diff $command -
        done
    done
}

@test "help of what is no command" {
    try qcow2frag help report.html
    exits 1
    is_empty out
    is <(sed -n 1p err) 'qcow2frag: help: there is no command "report.html"; there are measure, map, report and defrag'
    try qcow2frag help map measure
    exits 1
}

@test "an image called help is ./help" {
    fixture reversed
    mv reversed.qcow2 help
    try qcow2frag --format csv --noheadings --columns BACK ./help
    is out 99
    try qcow2frag --format csv --noheadings --columns BACK measure help
    is out 99
}

@test "every help has examples, and they run" {
    fixture reversed
    mv reversed.qcow2 disk.qcow2
    mkdir images
    cp disk.qcow2 images
    cp disk.qcow2 before.qcow2
    cp disk.qcow2 after.qcow2
    for command in '' map measure report defrag; do
        qcow2frag help $command | sed -n '/^Examples:/,/^$/s/^  \(qcow2frag .*\)/\1/p' >examples
        [ "$(wc -l <examples)" -ge 2 ] || told "help $command has no examples"
        while read -r line; do
            rm -f new.qcow2 disk.qcow2.orig ./*.html
            try bash -c "qcow2frag() { '$QCOW2FRAG' \"\$@\"; }; $line"
            [ -s out ] || [ -s "$(echo ./*.html)" ] || told "$line: nothing"
            { [ "$status" = 0 ] || [ "$status" = 3 ]; } || told "$line: status $status" err
        done <examples
    done
}

@test "no line of help is longer than 100 characters, or than a terminal of 80 columns" {
    needs script stty
    for command in '' map measure report defrag; do
        qcow2frag help $command | awk 'length > 100' >too_long
        is_empty too_long
        script -qec "stty cols 80 -onlcr; '$QCOW2FRAG' help $command" /dev/null </dev/null >shown
        [ "$(wc -l <shown)" -gt 15 ]
        awk 'length > 80' shown >too_long
        is_empty too_long
    done
}

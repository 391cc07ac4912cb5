#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Limits: --max-score, --min-run and --max-slowdown, with their messages and statuses.

load helper

# reversed: 100 clusters of 64 KiB, 99 steps back, each run a cluster.

setup() { enter_scratch; }

@test "a score above the limit makes status 3, and says so" {
    fixture reversed
    try qcow2frag --quiet --max-score 98 reversed.qcow2
    exits 3
    is err "qcow2frag: reversed.qcow2: the fragmentation score is 99 %, above the limit of 98 %"
    is_empty out
}

@test "a score equal to the limit is no worse" {
    fixture reversed
    try qcow2frag --quiet --max-score 99 reversed.qcow2
    exits 0
    is_empty err
}

@test "a percent sign may stand behind the number, and fractions are allowed" {
    fixture reversed
    try qcow2frag --quiet --max-score 98.5% reversed.qcow2
    exits 3
    is err "qcow2frag: reversed.qcow2: the fragmentation score is 99 %, above the limit of 98.5 %"
}

@test "the result is printed all the same" {
    fixture reversed
    try qcow2frag --max-score 0 reversed.qcow2
    exits 3
    holds out "fragmentation score"
}

@test "beyond a second limit the message says critical" {
    fixture reversed
    try qcow2frag --quiet --max-score 5,50 reversed.qcow2
    exits 3
    is err "qcow2frag: reversed.qcow2: the fragmentation score is 99 %, above the critical limit of 50 %"
}

@test "between the two limits it is the first that counts" {
    fixture reversed
    try qcow2frag --quiet --max-score 5,99.5 reversed.qcow2
    exits 3
    is err "qcow2frag: reversed.qcow2: the fragmentation score is 99 %, above the limit of 5 %"
}

@test "a half length below its limit makes status 3" {
    fixture reversed
    try qcow2frag --quiet --min-run 1M reversed.qcow2
    exits 3
    is err "qcow2frag: reversed.qcow2: the half length is 64 KiB, below the limit of 1 MiB"
}

@test "a half length equal to its limit is no worse" {
    fixture reversed
    try qcow2frag --quiet --min-run 64K reversed.qcow2
    exits 0
}

@test "a slowdown above its limit makes status 3" {
    fixture reversed
    try qcow2frag --quiet --device hdd --max-slowdown 2 reversed.qcow2
    exits 3
    grep -q '^qcow2frag: reversed.qcow2: the slowdown is 12\.[0-9]*, above the limit of 2$' err
}

@test "on a disk with a range the low end of the slowdown counts" {
    fixture reversed
    qcow2frag --json --device ssd reversed.qcow2 >ssd.json
    [ "$(jq '.images[0].tables[0].disk | .slowdown_low < 1.2 and .slowdown_high > 1.2' ssd.json)" = true ]
    try qcow2frag --quiet --device ssd --max-slowdown 1.2 reversed.qcow2
    exits 0
}

@test "several limits are checked, each with its message" {
    fixture reversed
    try qcow2frag --quiet --max-score 1 --min-run 1M reversed.qcow2
    exits 3
    [ "$(wc -l <err)" = 2 ]
}

@test "an image without data is within every limit" {
    fixture empty
    try qcow2frag --quiet --max-score 0 --max-slowdown 1 --min-run 1E empty.qcow2
    exits 0
    is_empty err
    image f <<<'size 64M
map all reversed'
    try qcow2frag --quiet --range 64K:1 --max-score 0 f
    exits 0
}

@test "a snapshot without data is within every limit, too" {
    image f <<<'size 64M
snapshot none
map 0..9'
    try qcow2frag --quiet --all-snapshots --max-score 1 --min-run 1K f
    exits 0
    is_empty err
}

@test "a figure that cannot be read makes status 1" {
    image f <<<'size 64M
map 0..9
snapshot lost
poke be64 snap[0] 1c+512'
    try qcow2frag --quiet --all-snapshots --max-score 10 f
    exits 1
    holds err "qcow2frag: f: snapshot 1: the fragmentation score is not known, so it cannot be compared with the limit"
}

@test "a slowdown is that of image and host together" {
    scattered_on_the_host f
    try qcow2frag --quiet --device hdd --max-slowdown 2 f
    exits 3
    grep -qE '^qcow2frag: f: the slowdown is [0-9.]+, above the limit of 2$' err
    try qcow2frag --quiet --device hdd --no-host --max-slowdown 2 f
    exits 0
}

@test "with several images 1 goes before 2, and 2 before 3" {
    fixture reversed
    fixture v2-zero
    try qcow2frag --quiet --max-score 10 reversed.qcow2 v2-zero.qcow2
    exits 2
    try qcow2frag --quiet --max-score 10 reversed.qcow2 v2-zero.qcow2 missing.qcow2
    exits 1
}

@test "snapshots that are printed are checked, and named" {
    fixture snapshot-shared
    try qcow2frag --quiet --all-snapshots --min-run 100M snapshot-shared.qcow2
    exits 3
    [ "$(wc -l <err)" = 2 ]
    grep -q '^qcow2frag: snapshot-shared.qcow2: the half length is' err
    grep -q '^qcow2frag: snapshot-shared.qcow2: snapshot 1: the half length is' err
}

@test "a limit that is none is refused" {
    fixture reversed
    for bad in "" x 5x -1 1,2,3 5, ,5 nan inf 1e3; do
        try qcow2frag --max-score "$bad" reversed.qcow2
        exits 1
        holds err "--max-score takes one or two percentages, WARN or WARN,CRIT, not \"$bad\""
        is_empty out
    done
    try qcow2frag --min-run 5Q reversed.qcow2
    exits 1
    holds err "--min-run takes one or two sizes, WARN or WARN,CRIT, not \"5Q\""
    try qcow2frag --max-slowdown 3K reversed.qcow2
    exits 1
    holds err "--max-slowdown takes one or two factors, WARN or WARN,CRIT, not \"3K\""
}

@test "a second limit that is reached before the first is refused" {
    fixture reversed
    try qcow2frag --max-score 40,5 reversed.qcow2
    exits 1
    is_empty out
    holds err '--max-score: CRIT must not be below WARN, as it is in "40,5"'
    try qcow2frag --max-slowdown 3,2.9 reversed.qcow2
    exits 1
    holds err '--max-slowdown: CRIT must not be below WARN, as it is in "3,2.9"'
    try qcow2frag --min-run 64K,1M reversed.qcow2
    exits 1
    holds err '--min-run: CRIT must not be above WARN, as it is in "64K,1M"'
    try qcow2frag --quiet --max-score 99,99 reversed.qcow2
    exits 0
}

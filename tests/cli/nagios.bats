#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --format nagios: one line, performance data and a status, as monitoring systems want them of a plugin.

load helper

# reversed: 100 clusters of 64 KiB, 99 steps back. v2-zero: damaged. empty: no data.

# check STATUS ARGUMENT ...: what it prints is in out, and goes with the status.
check() {
    try qcow2frag --format nagios "${@:2}"
    exits "$1"
    is_empty err
    witness oracle/plugin.py out "$1"
}

# data LABEL: that item of the performance data.
data() { witness oracle/plugin.py out "$status" "$1"; }

@test "without limits an image that can be measured is well" {
    fixture reversed
    check 0 reversed.qcow2
    grep -q '^QCOW2FRAG OK - reversed.qcow2: score 99.00 %, half length 64 KiB, slowdown [0-9.]*, .* lost | score=' out
}

@test "over the first limit is a warning, over the second critical" {
    fixture reversed
    check 1 --max-score 98 reversed.qcow2
    holds out "QCOW2FRAG WARNING - reversed.qcow2: the fragmentation score is 99 %, above the limit of 98 %"
    check 1 --max-score 98,99 reversed.qcow2
    check 2 --max-score 50,98.5 reversed.qcow2
    holds out "QCOW2FRAG CRITICAL - reversed.qcow2: the fragmentation score is 99 %, above the critical limit of 98.5 %"
    check 0 --max-score 99,100 reversed.qcow2
}

@test "the half length is a range from below" {
    fixture reversed
    check 0 --min-run 64K,1K reversed.qcow2
    [ "$(data half_length)" = "half_length=65536B;65536:;1024:;0;" ]
    check 1 --min-run 64.5K,64K reversed.qcow2
    check 2 --min-run 1M,64.5K reversed.qcow2
    holds out "the half length is 64 KiB, below the critical limit of 64.5 KiB"
}

@test "the slowdown is that of image and host together" {
    scattered_on_the_host disk.qcow2
    check 2 --device hdd --max-slowdown 1.5,2 disk.qcow2
    check 0 --device hdd --no-host --max-slowdown 1.5,2 disk.qcow2
    holds out "slowdown 1.0"
}

@test "the performance data are those of the JSON" {
    fixture reversed
    check 0 --no-host --max-score 99.5,100 --max-slowdown 50,100 reversed.qcow2
    qcow2frag --json --no-host reversed.qcow2 >json
    [ "$(data score)" = "score=99%;99.5;100;0;100" ]
    [ "$(data slowdown)" = "$(json json '"slowdown=%s;50;100;1;" % (("%.6f" % i[0]["tables"][0]["disk"]["slowdown_low"]).rstrip("0"))')" ]
    [ "$(data read)" = "$(json json '"read=%ss;;;0;" % (("%.6f" % i[0]["tables"][0]["disk"]["seconds"]).rstrip("0"))')" ]
}

@test "an image without data is within every limit, and its figures are undetermined" {
    fixture empty
    check 0 --max-score 0 --max-slowdown 1 --min-run 1E empty.qcow2
    holds out "QCOW2FRAG OK - empty.qcow2: no data | "
    [ "$(data slowdown)" = "slowdown=U;1;;1;" ]
}

@test "what is damaged or cannot be measured is unknown, whatever the limits" {
    fixture v2-zero
    check 3 --max-score 0,0 --min-run 1E v2-zero.qcow2
    holds out "QCOW2FRAG UNKNOWN - v2-zero.qcow2: is damaged: l2[0][4]: "
    check 3 missing.qcow2
    holds out "QCOW2FRAG UNKNOWN - missing.qcow2: cannot open: No such file or directory | "
}

@test "a line that is wrong is unknown, too, whatever stands first" {
    for words in "--max-score x disk" "--nonsense disk" "" "-" "--columns SCORE disk" "--threads 0 disk" "map disk"; do
        for place in before behind; do
            if [ $place = before ]; then
                try qcow2frag -f nagios $words
            else
                try qcow2frag $words --format=nagios
            fi
            exits 3
            is_empty err
            witness oracle/plugin.py out 3
        done
    done
    try qcow2frag -f nagios --max-score x disk
    is out 'QCOW2FRAG UNKNOWN - --max-score takes one or two percentages, WARN or WARN,CRIT, not "x"'
}

@test "a result that cannot be written is unknown" {
    fixtures reversed empty
    check 3 -o empty.qcow2 reversed.qcow2
    holds out "cannot write empty.qcow2"
    status=0
    "$QCOW2FRAG" -f nagios reversed.qcow2 >/dev/full 2>err || status=$?
    exits 3
}

@test "with -o the line is in the file" {
    fixture reversed
    try qcow2frag -f nagios -o line reversed.qcow2
    exits 0
    is_empty out
    witness oracle/plugin.py line 0
}

@test "of several images the counts, and first what is worst" {
    fixtures reversed v2-zero empty one-cluster shuffled-groups
    check 2 --max-score 50,98 --no-host reversed.qcow2 v2-zero.qcow2 empty.qcow2 one-cluster.qcow2 shuffled-groups.qcow2
    grep -qE "^QCOW2FRAG CRITICAL - 5 images: 1 critical, 1 not known, [0-9.]+ s lost; reversed.qcow2: the fragmentation score is 99 %, above the critical limit of 98 %; v2-zero.qcow2: is damaged | " out
    [ "$(data images)" = "images=5;;;0;" ]
    [ "$(data critical)" = "critical=1;;;0;" ]
    [ "$(data unknown)" = "unknown=1;;;0;" ]
    [ "$(data max_score)" = "max_score=99%;50;98;0;100" ]
    [ "$(data min_half_length)" = "min_half_length=65536B;;;0;" ]
}

@test "what is not known goes before a warning, and behind what is critical" {
    fixtures reversed v2-zero
    check 3 --max-score 50 reversed.qcow2 v2-zero.qcow2
    check 1 --max-score 50 reversed.qcow2 reversed.qcow2
    check 2 --max-score 50,98 reversed.qcow2 v2-zero.qcow2
}

@test "of a hundred images no more than three are named" {
    fixture reversed
    mkdir images
    for ((k = 100; k < 200; k++)); do cp reversed.qcow2 images/$k; done
    check 1 --max-score 50 images
    holds out "QCOW2FRAG WARNING - 100 images: 100 warning, "
    [ "$(grep -o 'images/1..:' out | wc -l)" = 3 ]
    [ "$(wc -c <out)" -lt 1000 ]
}

@test "a directory without images is unknown, and one that is not there" {
    mkdir none
    check 3 none
    holds out "QCOW2FRAG UNKNOWN - none: no qcow2 image in this directory; 0 images"
    fixture reversed
    check 3 reversed.qcow2 none
}

@test "bars, quotes and line breaks in names break nothing" {
    fixture reversed
    mkdir images
    for name in 'a|b' $'line\nbreak' "quo'te" 'quo"te' $'\xff' 'a=b' "$(printf %0255d 0)" $'\e[31m'; do
        cp reversed.qcow2 "images/$name"
        check 1 --max-score 50 "images/$name"
    done
    check 0 'images/a|b'
    holds out 'QCOW2FRAG OK - images/a\x7cb: score'
    check 1 --max-score 50 images
    check 3 $'no|thing\n'
    mkdir $'no|thing\nhere'
    check 3 $'no|thing\nhere'
}

@test "with --quiet the status is all" {
    fixture reversed
    try qcow2frag -f nagios -q --max-score 50,60 reversed.qcow2
    exits 2
    is_empty out
    is_empty err
}

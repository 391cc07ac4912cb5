#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The command line: help, wrong usage, where the result goes, and what becomes of it when it cannot.

load helper

# wrong OPTION ...: is refused with one message and a hint.
wrong() {
    try qcow2frag "$@"
    exits 1
    is_empty out
    [ "$(wc -l <err)" = 2 ] || told "not two lines:" err
    sed -n 1p err | grep -qE '^qcow2frag: .{8,}' || told "no message:" err
    is <(sed -n 2p err) "Try 'qcow2frag --help' for more information."
}

# ---- help and version ----

@test "--help goes to stdout with status 0" {
    try qcow2frag --help
    exits 0
    is_empty err
    grep -q '^Usage: qcow2frag' out
}

@test "--help names every option that this suite uses" {
    try qcow2frag --help
    local option
    for option in --snapshot --all-snapshots --format --json --columns --histogram --list --space \
        --bytes --noheadings --output --progress --quiet --verbose --help --version; do
        holds out "$option"
    done
}

@test "--version prints name and version" {
    try qcow2frag --version
    exits 0
    grep -qxE 'qcow2frag [0-9]+\.[0-9]+\.[0-9]+' out
    mv out long
    try qcow2frag -V
    diff long out
}

# ---- wrong usage ----

@test "no argument at all" { wrong && holds err "no image"; }
@test "a command without an image" { wrong measure && wrong map --list; }

# says TEXT OPTION ...: is refused with just this message.
says() {
    local text=$1

    shift
    wrong "$@"
    is <(sed -n 1p err) "qcow2frag: $text"
}

@test "an unknown long option" { says "--nonsense: no such option" --nonsense image; }
@test "an unknown long option with a value" { says "--nonsense: no such option" --nonsense=5 image; }
@test "an unknown short option" { says "-X: no such option" -X image; }
@test "an unknown short option among others" { says "-X: no such option" -jX image; }
@test "an unknown short option behind a long one" { says "-X: no such option" --json -X image; }
@test "an unknown short option between long ones" { says "-X: no such option" --json -jXb --space image; }
@test "an unknown option behind images" { says "--nonsense: no such option" image image --nonsense -b; }
@test "an unknown option that nearly is one" {
    says "--colums: no such option; is --columns meant?" --colums SCORE image
    says "--hsitogram: no such option; is --histogram meant?" --hsitogram image
    says "--no-heading: no such option; is --noheadings meant?" --no-heading image
}
@test "a long option with one dash" {
    says "-e: no such option; is --verbose meant?" -verbose image
}
@test "a name that is near to nothing" { says "--x: no such option" --x; }
@test "a name longer than any" {
    says "--$(printf '%0999d' 0): no such option" "--$(printf '%0999d' 0)"
}
@test "no name at all" { says "--: no such option" --=5 image; }
@test "an abbreviation that is not clear" {
    says "--h: not clear: --histogram, --height, --help" --h image
    says "--max: not clear: --max-score, --max-slowdown, --max-time" --max=5 --bytes image
}
@test "a long option without its value" { says "--snapshot needs a value" image --snapshot; }
@test "an abbreviated option without its value" { says "--snapshot needs a value" image --snap; }
@test "a short option without its value" { says "-o needs a value" image -o; }
@test "a short option without its value behind others" { says "-o needs a value" --json -bo; }
@test "a value for an option that takes none" {
    says "--json takes no value" --json=yes image
    says "--json takes no value" --js=yes --bytes image
}
@test "an unknown format" { wrong --format xml image && holds err '"xml"' && holds err csv; }
@test "an unknown word for --progress" { wrong --progress=often image && holds err '"often"'; }
@test "an unknown column" { wrong --columns IMAGE,NOPE image && holds err '"NOPE"'; }
@test "an empty list of columns" { wrong --columns '' image; }
@test "a list of columns that ends with a comma" { wrong --columns IMAGE, image; }
@test "columns without end" { wrong --columns "$(seq -s, 500 | sed 's/[0-9]*/IMAGE/g')" image; }
@test "an option of measure for map" { wrong map --list --histogram image && holds err map; }
@test "an option of map for measure" { wrong --list image && holds err --list; }
@test "map with two images" { wrong map --list image image; }
@test "map with two snapshots" { wrong map --list -s 1 -s 2 image; }
@test "standard input as an image" { wrong - && holds err '"-"'; }
@test "standard input as an image after --" { wrong -- -; }
@test "no result and a file for it" { wrong --quiet -o result image && holds err --quiet; }
@test "columns of JSON, which has no columns" { wrong --json --columns IMAGE image; }
@test "wrong usage is found before anything is measured or written" {
    fixture reversed
    wrong -o result reversed.qcow2 --nonsense
    [ ! -e result ]
}

@test "a hostile option is one line of message" {
    wrong $'--x\ny\x1b[2J'
    not env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' err
}

@test "a hostile name of a column is one line of message" {
    wrong --columns $'x\ny\x1b[2J' image
    not env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' err
}

# ---- what is a command, what is an image ----

@test "measure may be left out" {
    fixture reversed
    qcow2frag measure reversed.qcow2 >long
    [ -s long ]
    qcow2frag reversed.qcow2 | diff long -
}

@test "options may stand after the image" {
    fixture reversed
    try qcow2frag reversed.qcow2 --format csv --noheadings --columns BACK
    is out 99
}

@test "a long option may be abbreviated" {
    fixture reversed
    try qcow2frag --noh --form csv --colu BACK reversed.qcow2
    is out 99
}

@test "an image called map is ./map" {
    fixture reversed
    mv reversed.qcow2 map
    try qcow2frag --format csv --noheadings --columns BACK ./map
    is out 99
}

@test "options may stand before the command" {
    fixture reversed
    qcow2frag map --list --json reversed.qcow2 >expected
    [ -s expected ]
    qcow2frag --list --json map reversed.qcow2 | diff expected -
}

@test "only the first argument that is no option can be a command" {
    fixture reversed
    mv reversed.qcow2 map
    try qcow2frag --format=csv --noheadings measure --columns BACK map
    is out 99
    cp map measure
    try qcow2frag --format=csv --noheadings --columns BACK ./map measure
    is out "99
99"
}

@test "-- ends the options" {
    fixture reversed
    mv -- reversed.qcow2 --json
    try qcow2frag --format csv --noheadings --columns BACK -- --json
    is out 99
}

# ---- -q, -v, --progress ----

# explained: of a page on standard input, each explanation beside the line that it stands below:
# the label, or how the line begins.
explained() {
    awk '/^      [A-Z]/ { text = $0; sub(/^ +/, "", text); if (!below) print label "|" text; below = 1; next }
         { below = 0; label = substr($0, 3, 24) }'
}

@test "--verbose explains a line that is printed, and always the same one" {
    "$MKQCOW2" --into . "$TESTS"/images/*.txt
    for file in *.qcow2; do
        try qcow2frag --verbose --space --all-snapshots --histogram "$file"
        explained <out
    done | sort -u >pairs
    [ "$(wc -l <pairs)" -gt 10 ] || told "too few:" pairs
    # The owners of the space and the snapshots are lists, explained at their ends.
    cut -d'|' -f2 pairs | sort | uniq -d >twice
    sed -i '/^Each cluster counts once/d; /^One alone:/d' twice
    is_empty twice
}

@test "--verbose adds nothing but explanations and what qemu-img check says" {
    for name in empty size-zero one-cluster sequential zero-plain; do
        fixture $name
        placed $name.qcow2
        qcow2frag $name.qcow2 >brief
        qcow2frag --verbose $name.qcow2 | grep -v '^      [^ ]\|^  as qemu-img check says' >rest
        diff brief rest || told "$name"
    done
}

@test "--quiet prints nothing on success" {
    fixture reversed
    try qcow2frag --quiet reversed.qcow2
    exits 0
    is_empty out
    is_empty err
}

@test "--quiet keeps message and status of what cannot be measured" {
    try qcow2frag -q missing
    refused missing
}

@test "--quiet keeps message and status of damage" {
    fixture v2-zero
    try qcow2frag -q v2-zero.qcow2
    exits 2
    is_empty out
    [ "$(wc -l <err)" = 1 ]
}

@test "--verbose explains: the same figures and more lines" {
    fixture reversed
    placed reversed.qcow2
    qcow2frag reversed.qcow2 >brief
    try qcow2frag --verbose reversed.qcow2
    exits 0
    [ "$(wc -l <out)" -gt "$(wc -l <brief)" ]
    [ "$(diff brief out | grep -c '^<')" = 0 ]
}

@test "no progress is shown where stderr is no terminal" {
    fixture shuffled-single
    try qcow2frag shuffled-single.qcow2
    [ -s out ]
    is_empty err
}

@test "--progress=never and --progress=always leave stdout as it is" {
    fixture shuffled-single
    placed shuffled-single.qcow2
    qcow2frag shuffled-single.qcow2 >plain
    [ -s plain ]
    qcow2frag --progress=never shuffled-single.qcow2 | diff plain -
    qcow2frag --progress=always shuffled-single.qcow2 2>/dev/null | diff plain -
    qcow2frag --progress shuffled-single.qcow2 2>/dev/null | diff plain -
}

# ---- a standard output that cannot be written to ----

# loses OPTION ...: what is printed to a closed output or a full disk is told, with status 1.
loses() {
    status=0
    "$QCOW2FRAG" "$@" >/dev/full 2>err || status=$?
    exits 1
    is err "qcow2frag: cannot write to standard output: No space left on device"
    status=0
    "$QCOW2FRAG" "$@" >&- 2>err || status=$?
    exits 1
    is err "qcow2frag: cannot write to standard output: Bad file descriptor"
}

@test "a page that cannot be printed" { fixture reversed && loses reversed.qcow2; }
@test "a table that cannot be printed" { fixture reversed && loses reversed.qcow2 reversed.qcow2; }
@test "JSON that cannot be printed" { fixture reversed && loses --json reversed.qcow2; }
@test "CSV that cannot be printed" { fixture reversed && loses --format csv reversed.qcow2; }
@test "a list of runs that cannot be printed" { fixture reversed && loses map --list reversed.qcow2; }
@test "a long list of runs that cannot be printed" {
    fixture shuffled-single
    loses map --list --json shuffled-single.qcow2
}
@test "help that cannot be printed" { loses --help; }
@test "a version that cannot be printed" { loses --version; }

@test "a reader that goes away is status 1, without a message" {
    fixture shuffled-single
    statuses=$("$QCOW2FRAG" map --list shuffled-single.qcow2 2>err | true; echo "${PIPESTATUS[0]}")
    [ "$statuses" = 1 ]
    is_empty err
}

@test "all three standard files closed" {
    fixture reversed
    status=0
    "$QCOW2FRAG" reversed.qcow2 <&- >&- 2>&- || status=$?
    [ "$status" = 1 ]
}

@test "a program without output files does not write into the image" {
    fixture reversed
    cksum reversed.qcow2 >before
    "$QCOW2FRAG" map --list reversed.qcow2 <&- >&- 2>&- || true
    cksum reversed.qcow2 | diff before -
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# map: the picture in the terminal.

load helper

# Where the files of a test lie differs from machine to machine.
qcow2frag() { "$QCOW2FRAG" "$@" --no-host; }

# A row of the letters of a picture that is wide enough for all of them.
letters() {
    try qcow2frag map --color=never --width 1000 "$@"
    exits 0
    sed -n 's/^ *0 B //p' out >row
}

# ---- letters ----

@test "an image in order is a smooth sweep" {
    image f <<<'size 1664K
map all at 16'
    letters f
    # Cluster 16 of 42 to the last one, of 26 letters.
    is row kklmmnnoppqqrsstuuvvwxxyyz
}

@test "in reverse order it is the sweep turned round, and broken" {
    image f <<<'size 1664K
map 0..25 at 10 reversed'
    letters f
    is row zYYXWVVUTTSRQQPOONMLLKJJIH
}

@test "zeros, compressed data and what is not mapped are told apart" {
    image f <<<'size 640K
map 0..1 at 10
zero 3..4
zero-alloc 5 at 20
compressed 7..8 at-byte 21c bytes 1000'
    letters f
    is row 'mn.---.99.'
}

@test "cells are no smaller than clusters, and a disk that is smaller than the room does not fill it" {
    image f <<<'size 192K
map all at 10'
    letters f
    is <(wc -c <row) 4
}

@test "a cell of many clusters is broken where jumps cost more than reading" {
    image f <<<'size 64M
map 0..511 at 10
map 512..1023 at 600 shuffled seed 1'
    try qcow2frag map --color=never --width 60 --height 11 f
    exits 0
    sed -n 's/^ *[0-9.]* [KM]*i*B //p' out | tr -d '\n' >cells
    grep -qE '^[a-m]{45,48}[K-Z]{45,48}$' cells || told "the first half is not whole, or the second is:" cells
}

@test "each row begins with where it begins" {
    image f <<<'size 1G
map all'
    try qcow2frag map --color=never --width 71 --height 24 f
    is <(grep -oE '^ *[0-9.]+ [KMG]?i?B ' out | head -3 | tr -d ' ') "0B
63.8MiB
128MiB"
    try qcow2frag map --color=never --width 71 --height 24 --bytes f
    is <(grep -oE '^ *[0-9]+ ' out | head -2 | tr -d ' ') "0
66846720"
}

@test "the title says how large a cell is, and the legend what the letters mean" {
    image f <<<'size 640K
map 0..1 at 10
zero 3'
    try qcow2frag map --color=never --width 200 f
    holds out "f: 640 KiB of disk, 128 KiB mapped, 0 breaks, score 0.0 %"
    tr '\n' ' ' <out >words
    holds words "A cell is 64 KiB of the guest disk, in reading order; its letter says where in the file its data lie."
    holds out "first aehlosvz last"
    holds out "- zeros  . not mapped"
    not grep -q "broken inside" out
}

@test "the verdict is below it" {
    image f <<<'size 8G
map 0..131071 shuffled seed 1'
    try qcow2frag map --color=never --device hdd f
    exits 0
    tail -3 out | tr '\n' ' ' >end
    holds end "all of that is the image's own order"
}

@test "an image without data has a picture" {
    fixture empty
    try qcow2frag map --color=never empty.qcow2
    exits 0
    holds out "0 B mapped"
    holds out "not mapped"
}

# ---- by host ----

@test "by host each cell is a stretch of the file, with where its data belong" {
    image f <<<'size 1664K
map 0..25 at 16 reversed'
    letters --by host f
    # A break is that of the piece that begins with it: all but guest cluster 0.
    is <(tr -d '=_' <row) ZYXWVUTSRQPONMLKJIHGFEDCBa
}

@test "by host metadata, gaps, snapshots and leaks are told apart" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 f 640K
    qemu-io -c 'write -q 0 192k' f
    qemu-img snapshot -c one f
    qemu-io -c 'write -q 0 64k' f
    letters --by host f
    # Header, refcounts, L1, L2 and the snapshot table; what only the snapshot holds; the rest.
    holds row +
    holds row ====
    not grep -q '[_!]' row
    image g <<<'size 640K
map 0 at 10
map 1 at 15
leak 2
map 2 at 30'
    letters --by host g
    holds row '!!'
    holds row _
}

@test "of a chain and of a device owners are not known" {
    image base <<<'size 640K
map 0..3 at 10'
    image f <<<'size 640K
backing base format qcow2
map 4..5 at 10'
    letters --by host --chain f
    not grep -q '[=_+!]' row
    holds row .
}

# ---- what is shown ----

@test "a snapshot has a picture of its own" {
    image f <<<'size 640K
map 0..3 at 10
snapshot "two words"
map 4..9 at 20'
    letters --snapshot 'name:two words' f
    is <(cut -c5- row) ......
    holds out "f, snapshot two words: 640 KiB of disk, 256 KiB mapped"
}

@test "along a chain cells are of the disk that the guest sees, the lowest file first" {
    image base <<<'size 1664K
map 0..12 at 10'
    image f <<<'size 1664K
backing base format qcow2
map 13..25 at 10'
    letters --chain f
    # Another file is a break.
    grep -qE '^[a-n]{13}[N-Z][n-z]{12}$' row || told "not one above the other:" row
    tr '\n' ' ' <out >words
    holds words "where in the files of the chain its data lie"
    letters f
    is <(cut -c1-13 row) .............
}

@test "a range is shown from its first byte to its last" {
    image f <<<'size 1664K
map all at 16'
    try qcow2frag map --color=never --width 1000 --range 128K:192K f
    holds out "f: 192 KiB of disk, 192 KiB mapped"
    is <(sed -n 's/^ *128 KiB //p' out) lmm
}

@test "an external data file is shown by its own offsets" {
    fixture data-file-raw
    letters data-file-raw.qcow2
    is <(cut -c1 row) a
}

@test "by the device, places are those on the device" {
    image f <<<'size 2M
map all at 16'
    # The second MiB of the file lies before the first, and the third behind both.
    printf '%s\n' '0 0x100000 0x40200000 0' '0x100000 0x100000 0x40100000 0' \
        '0x200000 0x100000 0x40300000 1' >extents
    qcow2frag() { with_extents "$PWD/extents" "$QCOW2FRAG" "$@"; }
    letters --end-to-end f
    tr '\n' ' ' <out >words
    holds words "where on the device its data lie"
    is row abbccddeeffgghhiRssttuuvvwwxxyyz
}

@test "what is not known of the device is not shown" {
    image f <<<'size 640K
map 0 at 10'
    mkdir shm
    cp f /dev/shm/qcow2frag-map.$$ 2>/dev/null || skip "needs /dev/shm"
    try "$QCOW2FRAG" map --end-to-end /dev/shm/qcow2frag-map.$$
    rm /dev/shm/qcow2frag-map.$$
    exits 1
    is_empty out
    holds err "where the file lies on its device is not known"
    holds err "leave out --end-to-end"
}

# ---- as JSON ----

@test "cells add up to the figures of the image" {
    needs python3
    fixtures $(cd "$TESTS/images" && ls *.txt | sed 's/.txt$//')
    "$QCOW2FRAG" --no-host --json *.qcow2 >measured 2>err || true
    for f in *.qcow2; do
        for by in guest host; do
            "$QCOW2FRAG" map --no-host --by "$by" --json "$f" >"$f.$by" 2>err || rm "$f.$by"
        done
    done
    try python <<'PYTHON'
import json, os
compared = 0
for image in json.load(open("measured"))["images"]:
    for by in "guest", "host":
        name = f"{image['path']}.{by}"
        if not os.path.exists(name):
            continue
        cells = json.load(open(name))["map"]["cells"]
        table, cluster = image["tables"][0], image["format"]["cluster_bytes"]
        expected = {key: table[key] for key in ("mapped_bytes", "breaks", "near_jumps")}
        expected["compressed_bytes"] = table["compressed_clusters"] * cluster
        expected["zero_bytes"] = table["zero_clusters"] * cluster if by == "guest" else 0
        found = {key: sum(cell[key] for cell in cells) for key in expected}
        assert found == expected, f"{name}: {found}, not {expected}"
        compared += 1
assert compared > 100, f"only {compared} were compared"
PYTHON
    exits 0
}

@test "along a chain they add up, too" {
    needs python3
    image base <<<'size 4M
map 0..31 at 10 shuffled seed 1
compressed 33..40 at-byte 60c bytes 1000
zero 41..43'
    image f <<<'size 4M
backing base format qcow2
map 16..20 at 10 reversed
zero 50..55'
    "$QCOW2FRAG" --no-host --chain --json f >measured
    try qcow2frag map --chain --json f
    python3 -c '
import json
table = json.load(open("measured"))["images"][0]["tables"][0]
cells = json.load(open("out"))["map"]["cells"]
for key in ("mapped_bytes", "breaks", "near_jumps"):
    assert sum(cell[key] for cell in cells) == table[key], key
assert sum(cell["zero_bytes"] for cell in cells) == 9 * 65536
assert sum(cell["compressed_bytes"] for cell in cells) == 8 * 65536
' 2>wrong || told "they do not:" wrong
}

@test "JSON has every key, and as many cells as asked for" {
    needs python3
    image f <<<'size 64M
map 0..9 at 10'
    try qcow2frag map --json --width 40 --height 10 f
    exits 0
    is <(json out 'sorted(d["map"])' | tr -d ' "') \
        "[by,cells,chain_depth,end_to_end,guest,host,path,snapshot]"
    is <(json out 'sorted(d["map"]["cells"][0])' | tr -d ' "') \
        "[breaks,compressed_bytes,kind,length,mapped_bytes,near_jumps,offset,order,place,zero_bytes]"
    is <(json out '0 < len(d["map"]["cells"]) <= 400') true
    is <(json out '[d["map"]["cells"][-1]["order"], d["map"]["cells"][-1]["place"]]') "[null, null]"
}

@test "the picture is the same for any number of threads" {
    image f <<<'size 64G
map 0..1048575 shuffled seed 1'
    for by in guest host; do
        qcow2frag map --json --by "$by" --threads 1 f >one
        qcow2frag map --json --by "$by" --threads 4 f >four
        cmp one four
    done
}

# ---- colours ----

@test "colours are those that the terminal has" {
    image f <<<'size 640K
map all at 10'
    export LANG=C.UTF-8
    for pair in xterm:16 xterm-256color:256 xterm-direct:truecolor; do
        TERM=${pair%:*} try qcow2frag map --color f
        cp out automatic
        try qcow2frag map --color="${pair#*:}" f
        cmp automatic out
        grep -q $'\033' out
    done
    COLORTERM=truecolor TERM=xterm try qcow2frag map --color=always f
    cmp out automatic
}

@test "without a terminal there are none, nor letters changed by NO_COLOR" {
    image f <<<'size 640K
map all at 10'
    TERM=xterm-256color try qcow2frag map f
    not grep -q $'\033' out
    NO_COLOR=1 try qcow2frag map f
    not grep -q $'\033' out
}

@test "each form has the cells of the others" {
    image f <<<'size 64M
map 0..1023 at 10 shuffled seed 1'
    export LANG=C.UTF-8
    try qcow2frag map --color=truecolor --width 70 --height 20 f
    is <(grep -o '▀' <(grep -v first out) | wc -l) "$((59 * 9))"
    try qcow2frag map --color=16 --width 70 --height 20 f
    grep -qE '[█▓▒░]' out || told "no shades:" out
    try qcow2frag map --color=16 --ascii --width 70 --height 20 f
    not grep -qP '[^\x00-\x7f]' out
    LANG=C try qcow2frag map --color=256 --width 70 --height 20 f
    not grep -qP '[^\x00-\x7f]' out
}

# ---- the terminal ----

# screen WIDTH HEIGHT COLOURS: what a terminal of that size shows, and ends with.
screen() {
    needs tmux
    printf '%s\n' "export LANG=C.UTF-8; cd '$PWD'" "'$QCOW2FRAG' map --no-host --color=$3 f" \
        "printf 'next prompt'; touch shown; sleep 60" >session
    rm -f shown
    tmux -L "map-$$" -f /dev/null new-session -d -x "$1" -y "$2" "sh session"
    for _ in $(seq 200); do
        [ ! -e shown ] || break
        sleep 0.05
    done
    sleep 0.1
    tmux -L "map-$$" capture-pane -p -e >pane
    tmux -L "map-$$" capture-pane -p >plain
    tmux -L "map-$$" kill-server
}

@test "it fills a terminal, and nothing scrolls away" {
    image f <<<'size 64G
map 0..1048575 shuffled seed 1'
    for size in '80 24' '200 60'; do
        for colours in never 16 256 truecolor; do
            screen $size "$colours"
            head -1 plain | grep -q '^f: 64 GiB of disk' || told "$size $colours: the title is gone:" plain
            # Cells are of equal size, and of whole bins: some lines may be left.
            [ "$(grep -n '^next prompt' plain | cut -d: -f1)" -ge $((${size#* } * 4 / 5)) ] ||
                told "$size $colours: it does not fill the screen:" plain
            grep -q 'broken inside' plain
        done
    done
}

@test "it is no wider than the terminal" {
    image f <<<'size 64G
map 0..1048575 shuffled seed 1'
    for width in 40 59 60 80 131; do
        try qcow2frag map --color=never --width "$width" --height 20 f
        exits 0
            awk -v width="$width" 'length > width && length > 60' out >long
        is_empty long
        [ "$(wc -l <out)" -le 19 ] || told "$width: more than 19 lines:" out
    done
}

@test "a hostile name is escaped, and cannot break the lines" {
    image $'a\033[31m\nb\xff' <<<'size 640K
map all at 10'
    try qcow2frag map --color=never --width 200 ./a*
    exits 0
    not grep -q $'\033' out
    is <(head -1 out) './a\x1b[31m\x0ab\xff: 640 KiB of disk, 640 KiB mapped, 0 breaks, score 0.0 %'
}

# ---- files, status, options ----

@test "-o writes it to a file, without colours" {
    image f <<<'size 640K
map all at 10'
    try qcow2frag map -o picture f
    exits 0
    is_empty out
    holds picture "A cell is 64 KiB"
    not grep -q $'\033' picture
}

@test "an image that cannot be measured leaves nothing" {
    echo no image >f
    try qcow2frag map -o picture f
    exits 1
    [ ! -e picture ]
    refused f "is not a qcow2 image"
}

@test "damage is told, and status 2" {
    image f <<<'size 640K
map 0..3 at 10
poke be64 l2[1] 0x8000000000123400'
    try qcow2frag map --color=never f
    exits 2
    holds err "measure it to see all findings"
    holds out "A cell is 64 KiB"
}

@test "options of the picture do not go with the list" {
    image f <<<'size 640K
map all at 10'
    options_refused() {
        try "$QCOW2FRAG" map "${@:2}" f
        exits 1
        is_empty out
        holds err "$1"
    }
    for option in '--by host' --end-to-end '--width 80' '--height 24' --color --ascii '--device hdd' '--threads 1'; do
        options_refused "goes with the picture, not with --list" --list $option
    done
    options_refused "--noheadings goes with --list" --noheadings
    options_refused "exclude each other" --end-to-end --no-host
    options_refused "map takes one image" f
    options_refused "from 40 to 1000" --width 39
    options_refused "guest or host" --by disk
}

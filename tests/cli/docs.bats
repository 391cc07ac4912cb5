#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the documentation says is what the program does: options, columns, keys of the JSON, findings,
# and the examples. REFRESH_DOCS=1 writes the examples anew, into the pages of the source tree.

load helper

manual=$SOURCE/doc/qcow2frag.1
format=$SOURCE/doc/qcow2frag-json.5
metrics=$SOURCE/doc/qcow2frag-metrics.5

# The images that the examples name: a fixture, and its name in the examples.
example_images='
sample              disk.qcow2
sample              build/sample.qcow2
snapshot-shared     web.qcow2
compressed-packed   images/archive.qcow2
shuffled-single     images/database.qcow2
interleaved-writers images/mail.qcow2
two-halves-swapped  images/restored.qcow2
v2-zero             old.qcow2
'

setup() {
    enter_scratch
    needs python3
}

# with_extents: from now on the program sees extents as a host might have them, the same of every
# file and on every machine: shim.c answers for the kernel.
with_extents() {
    [ -r "$SHIM" ] || skip "no $SHIM"
    cat >extents <<'EXTENTS'
0           0x500000     0x4a3c400000   0
0x500000    0x1e000000   0x0c81300000   0
0x1e500000  0x40000000   0x5d00000000   0
0x5e500000  0x8000000000 0x6f40000000   1
EXTENTS
    mkdir bin
    cat >bin/qcow2frag <<SCRIPT
#!/bin/sh
ASAN_OPTIONS=verify_asan_link_order=0:\$ASAN_OPTIONS SHIM_FIEMAP=$PWD/extents LD_PRELOAD=$SHIM \\
    exec "$QCOW2FRAG" "\$@"
SCRIPT
    chmod +x bin/qcow2frag
    unset -f qcow2frag
    PATH=$PWD/bin:$PATH
}

lists() { witness oracle/doc_lists.py "$@"; }

@test "docs: every option of --help is in the manual page, and the reverse" {
    qcow2frag --help >help
    lists options help "$manual"
}

@test "docs: every column of --help is in the manual page, and the reverse" {
    qcow2frag --help >help
    lists columns help "$manual"
}

@test "docs: every finding of the source is in the manual page, and the reverse" {
    lists findings "$SOURCE" "$format"
}

@test "docs: every key printed is in the manual page with its types, and the reverse" {
    with_extents
    "$MKQCOW2" --into . "$TESTS"/images/*.txt
    image nameless-data-file.qcow2 <<'IMAGE'
size 64M
feature data-file
IMAGE
    image lost-snapshot.qcow2 <<'IMAGE'
size 64M
map 0..9
snapshot lost
poke be64 snap[0] 1c+512
IMAGE
    try qcow2frag --json --all-snapshots --space . missing.qcow2
    exits 1
    mv out all.json
    # As of a block device, which an ordinary user has none of (see space.bats).
    sed 's/\("host_allocated_bytes":\) *[0-9]*/\1null/' all.json >device.json
    qcow2frag --json --snapshot before snapshot-shared.qcow2 >snapshot.json
    image 'missing base.qcow2' <<<'size 64M'
    qcow2frag --json --chain backing.qcow2 >chain.json
    qcow2frag --json --chain --range 1M:1M backing.qcow2 >range.json
    qcow2frag map --list --json compressed-packed.qcow2 >compressed.jsonl
    qcow2frag map --list --json zero-plain.qcow2 >zero.jsonl
    local rewrite n=0
    for rewrite in "-o new.qcow2 snapshot-shared.qcow2" "-o none/new.qcow2 reversed.qcow2" \
        "--dry-run snapshot-shared.qcow2" "--dry-run v2-zero.qcow2" "--dry-run missing.qcow2"; do
        try_into "$((++n)).defrag" qcow2frag defrag --json $rewrite
    done
    cp snapshot-shared.qcow2 replaced.qcow2
    try_into replaced.defrag qcow2frag defrag --json --force replaced.qcow2
    try_into refused.defrag qcow2frag defrag --json --reserve --dry-run snapshot-shared.qcow2
    for by in guest host; do
        try_into "$by.map" qcow2frag map --json --by "$by" snapshot-shared.qcow2
    done
    try_into snapshot.map qcow2frag map --json --snapshot before snapshot-shared.qcow2
    lists keys "$format" all.json device.json snapshot.json chain.json range.json compressed.jsonl zero.jsonl *.defrag *.map
}

@test "docs: every metric printed is in the manual page with its labels, and the reverse" {
    fixtures sample snapshot-shared v2-zero
    try_into all.prom qcow2frag --format prometheus --all-snapshots --space .
    exits 2
    lists metrics all.prom "$metrics"
}

@test "docs: the examples print what the pages show" {
    needs jq
    with_extents
    mkdir build images
    while read -r text name; do
        [ -z "$text" ] || "$MKQCOW2" "$TESTS/images/$text.txt" "$name"
    done <<<"$example_images"
    # `make run` would build in the source tree: this is what it does then.
    printf '#!/bin/sh\nexec qcow2frag build/sample.qcow2\n' >bin/make
    chmod +x bin/make
    python3 "$TESTS/oracle/doc_examples.py" ${REFRESH_DOCS:+--refresh} \
        "$manual" "$format" "$metrics" "$SOURCE/README.md"
}

@test "docs: the sample of make run is the one of the examples" {
    needs make
    MAKEFLAGS='' make -s -n -C "$SOURCE" BUILD=none IMAGE= run >run
    holds run "tests/images/sample.txt none/sample.qcow2"
    MAKEFLAGS='' make -s -n -C "$SOURCE" BUILD=none IMAGE=my.qcow2 run >run
    holds run 'none/qcow2frag "my.qcow2"'
    not grep -q sample run
}

@test "docs: the sample of make run has data, and is worth a look" {
    needs jq
    fixture sample
    sync sample.qcow2
    qcow2frag sample.qcow2 >page
    not grep -q -e 'nothing is read' -e 'not on the device yet' page
    [ "$(stat -c %s sample.qcow2)" -lt 80000000 ]
    qcow2frag --device hdd --no-host --json sample.qcow2 >json
    [ "$(jq '.images[0].verdict.action == "image" and .images[0].findings_total == 0' json)" = true ]
    [ "$(jq '.images[0].tables[0] | .fragmentation_score > 0.3 and .disk.seconds - .disk.ideal_seconds > 2' json)" = true ]
}

@test "docs: mandoc finds nothing to warn of in the manual pages" {
    needs mandoc
    for page in "$manual" "$format" "$metrics"; do
        mandoc -T lint -W warning "$page" >lint || told "mandoc on $page:" lint
    done
}

@test "docs: relative links of the Markdown files lead somewhere" {
    lists links "$SOURCE"/*.md "$SOURCE"/doc/*.md "$TESTS"/*/*.md
}

@test "docs: the folders that the README shows are there" {
    sed -n 's|^    \([a-z/]*/\) .*|\1|p' "$SOURCE/README.md" >folders
    [ -s folders ] || told "the README shows no folder"
    while read -r folder; do
        [ -d "$SOURCE/$folder" ] || told "there is no $folder"
    done <folders
}

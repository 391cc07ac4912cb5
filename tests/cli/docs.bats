#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the documentation says is what the program does: options, columns, keys of the JSON, findings,
# and the examples. REFRESH_DOCS=1 writes the examples anew, into the pages of the source tree.
# What the guides show and no test can run is listed below, by its reason.

load helper

manual=$SOURCE/doc/qcow2frag.1
format=$SOURCE/doc/qcow2frag-json.5
metrics=$SOURCE/doc/qcow2frag-metrics.5
guides=$SOURCE/doc/guide

# Why blocks of the pages are not run: each reason as it stands behind "not-run: ", and where.
not_run='
changes the machine (README.md, fleet.md)
needs Proxmox VE (proxmox.md)
needs a guest that boots (README.md)
needs a second host (fleet.md, ovirt-lvm.md)
needs images of yours (README.md)
needs libvirt (fleet.md, slow-vm.md)
needs logical volumes (ovirt-lvm.md)
'

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
sample              images/100/vm-100-disk-0.qcow2
snapshot-shared     images/101/vm-101-disk-0.qcow2
'

setup() {
    enter_scratch
    needs python3
}

# with_extents: from now on the program sees extents as a host might have them, the same of every
# file and on every machine: shim.c answers for the kernel.
with_extents() {
    [ -r "$SHIM" ] || skip "no $SHIM"
    mkdir -p bin
    cat >extents <<'EXTENTS'
0           0x500000     0x4a3c400000   0
0x500000    0x1e000000   0x0c81300000   0
0x1e500000  0x40000000   0x5d00000000   0
0x5e500000  0x8000000000 0x6f40000000   1
EXTENTS
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
    image 'missing base.qcow2' <<<'size 64M'
    try qcow2frag --json --all-snapshots --space . missing.qcow2
    exits 1
    mv out all.json
    # As of a block device, which an ordinary user has none of (see space.bats).
    sed 's/\("host_allocated_bytes":\) *[0-9]*/\1null/' all.json >device.json
    qcow2frag --json --snapshot before snapshot-shared.qcow2 >snapshot.json
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
    # libvirt's test driver has a domain with a disk; not every build has libvirt.
    try_into domains.json qcow2frag --json --libvirt=test:///default
    grep -q '"target"' domains.json || sed 's/"domains": *null/"domains":[{"name":"a","target":"b"}]/' all.json >domains.json
    lists keys "$format" all.json domains.json device.json snapshot.json chain.json range.json compressed.jsonl zero.jsonl *.defrag *.map
}

@test "docs: every metric printed is in the manual page with its labels, and the reverse" {
    fixtures sample snapshot-shared v2-zero
    try_into all.prom qcow2frag --format prometheus --all-snapshots --space .
    exits 2
    try_into domains.prom qcow2frag --format prometheus --libvirt=test:///default
    grep image_domain_info domains.prom >>all.prom || echo 'qcow2frag_image_domain_info{image="a",domain="b",target="c"} 1' >>all.prom
    lists metrics all.prom "$metrics"
}

# with_qemu: the pages show what its tools print, too. They do not wait for the disk (haste.c) in the shells of examples either.
with_qemu() {
    local program

    needs qemu-img qemu-io
    [ -r "${HASTE:-}" ] || return 0
    mkdir -p bin
    for program in qemu-img qemu-io; do
        printf '#!/bin/sh\nLD_PRELOAD=%s exec %s "$@"\n' "$HASTE" "$(type -P "$program")" >"bin/$program"
        chmod +x "bin/$program"
    done
}

# shown_is_printed FOLDER PAGE ...: its examples, run with the images that they name, print what it shows. Where a page
# shows the folder that they run in, it is FOLDER.
shown_is_printed() {
    local text name

    needs jq
    with_extents
    # `make run` would build in the source tree: this is what it does then.
    printf '#!/bin/sh\nexec qcow2frag build/sample.qcow2\n' >bin/make
    chmod +x bin/make
    mkdir -p shown
    cd shown
    mkdir -p build images
    mkdir images/100 images/101
    while read -r text name; do
        [ -z "$text" ] || ! grep -q -F -- "${name#images/}" "${@:2}" || "$MKQCOW2" "$TESTS/images/$text.txt" "$name"
    done <<<"$example_images"
    find . -depth -type d -empty -delete
    python3 "$TESTS/oracle/doc_examples.py" ${REFRESH_DOCS:+--refresh} "$@"
}

@test "docs: the examples of the manual pages and the README print what these show" {
    shown_is_printed /srv "$manual" "$format" "$metrics" "$SOURCE/README.md"
}

@test "docs: the examples for one slow VM print what the page shows" {
    shown_is_printed /var/lib/libvirt/images "$guides/slow-vm.md"
}

@test "docs: the examples for Proxmox VE print what the page shows" {
    shown_is_printed /var/lib/vz "$guides/proxmox.md"
}

@test "docs: the examples for oVirt and LVM print what the page shows" {
    needs nbdkit qemu-img qemu-io
    mkdir shown
    qemu-img create -q -f qcow2 shown/a1 64M
    qemu-io -c 'write -q 0 32M' shown/a1
    qemu-img create -q -f qcow2 -b a1 -F qcow2 shown/b2
    printf 'write -q %sM 192k\n' 3 9 40 1 7 28 5 2 12 | qemu-io shown/b2 >log
    qemu-img create -q -f qcow2 -b b2 -F qcow2 shown/c3
    printf 'write -q %sM 64k\n' 3 50 14 9 23 2 5 11 | qemu-io shown/c3 >log
    shown_is_printed /srv "$guides/ovirt-lvm.md"
}

@test "docs: the examples for many images print what the page shows" {
    shown_is_printed /srv "$guides/fleet.md"
}

@test "docs: the examples for hypervisor developers print what the page shows" {
    with_qemu
    shown_is_printed /srv "$guides/allocator.md"
}

@test "docs: the examples of the comparison print what the page shows" {
    with_qemu
    mkdir -p shown/build/tests
    ln -s "$SOURCE/bench" shown/bench
    ln -s "$MKQCOW2" shown/build/tests/mkqcow2
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$QCOW2FRAG" >shown/build/qcow2frag
    chmod +x shown/build/qcow2frag
    shown_is_printed /srv "$SOURCE/doc/comparison.md"
}

@test "docs: what is not run is listed here with its reason, could be read by a shell, and names options that there are" {
    { qcow2frag --help; cat "$metrics"; } >words
    try witness oracle/doc_blocks.py words "$SOURCE/README.md" "$SOURCE/doc/comparison.md" "$guides"/*.md
    [ ! -s err ] || told "blocks:" err
    exits 0
    is out "$(grep . <<<"$not_run")"
}

@test "docs: a block that breaks a rule is told" {
    { qcow2frag --help; cat "$metrics"; } >words
    printf '%s\n' '```sh' 'true' '```' '```promql' 'qcow2frag_images > qcow2frag_none' '```' \
        '```sh not-run: needs a test' 'for x' 'done' 'qcow2frag --sort --no-such' '```' '```console' '$ true' >wrong.md
    try witness oracle/doc_blocks.py words wrong.md
    exits 1
    holds err "wrong.md:2: a block of 'sh'"
    holds err "wrong.md:8: no shell can read this"
    holds err "wrong.md:8: qcow2frag has no --no-such"
    holds err "wrong.md:13: a block of '(has no end)'"
    holds err "wrong.md:5: there is no metric qcow2frag_none"
    not grep -e --sort -e qcow2frag_images err
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
    lists links "$SOURCE"/*.md "$SOURCE"/doc/*.md "$guides"/*.md "$TESTS"/*/*.md
}

@test "docs: links of the pages that are installed do not leave them" {
    mkdir -p pages/guide
    grep -o "'doc/[a-z/-]*\\.md'" "$SOURCE/meson.build" | tr -d "'" | while read -r page; do
        cp "$SOURCE/$page" "pages/${page#doc/}"
    done
    [ "$(find pages -name '*.md' | wc -l)" -ge 9 ] || told "few pages"
    lists links pages/*.md pages/guide/*.md
    for page in "$guides"/*.md; do
        grep -q "'doc/guide/${page##*/}'" "$SOURCE/meson.build" || told "${page##*/} is not installed"
        grep -q "(doc/guide/${page##*/})" "$SOURCE/README.md" || told "the README has no link to ${page##*/}"
    done
}

@test "docs: the folders that the README shows are there, and the reverse" {
    sed -n 's|^    \([a-z/]*/\) .*|\1|p' "$SOURCE/README.md" >folders
    [ -s folders ] || told "the README shows no folder"
    while read -r folder; do
        [ -d "$SOURCE/$folder" ] || told "there is no $folder"
    done <folders
    git -C "$SOURCE" ls-files >files 2>err || skip "no git"
    sed -n -E 's@^((src|tests|doc)/[a-z]+/).*@\1@p; s@^([a-z]+/).*@\1@p' files | sort -u | while read -r folder; do
        grep -q "^$folder" folders || told "the README does not show $folder"
    done
}

@test "docs: the table of numbers names keys and columns that there are" {
    sed -n '/^## Which number/,/^## Put/p' "$SOURCE/README.md" | grep '^|' | cut -d'|' -f3 >cells
    grep -o '`[a-z_]*`' cells | tr -d '`' | sort -u >keys
    [ "$(wc -l <keys)" -gt 15 ] || told "few keys:" keys
    while read -r key; do
        grep -q "^\.It Va $key " "$format" || told "there is no key $key"
    done <keys
    grep -o '\<[A-Z][A-Z]*\>' cells | grep -v -x -e SSD | sort -u >columns
    [ "$(wc -l <columns)" -gt 8 ] || told "few columns:" columns
    while read -r column; do
        grep -q "^\.It Cm $column\( Pq default\)\?$" "$manual" || told "there is no column $column"
    done <columns
}

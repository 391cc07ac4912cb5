#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The page for a browser: what it has, how long it may be, what it may be written over, and names that would break it.

load helper

# scattered FILE: an image of which the page has much to say.
scattered() {
    image "$1" <<'IMAGE'
size 1G
map 0..4095 shuffled seed 1 group 1
compressed 4096..5119 bytes 300..9000 seed 5
map 8000..9999
snapshot first
map 0..99
IMAGE
}

# shows PAGE TEXT: the text is on the page as it stands. (A page is too long to be shown if it is not.)
shows() { grep -qF -e "$2" "$1" || told "not in $1: $2"; }

# bounded FILE: the page is no longer than promised, and whole.
bounded() {
    [ "$(stat -c %s "$1")" -le 1500000 ] || told "$1 has $(stat -c %s "$1") bytes"
    is <(tail -n 1 "$1") '</html>'
}

# holds_parts FILE ID ...: the page has these parts.
holds_parts() {
    local id

    for id in "${@:2}"; do
        shows "$1" "id=\"$id\""
    done
}

# document FILE: the JSON in a page.
document() { sed -n 's|.*<script type="application/json" id="qcow2frag-json">\(.*\)</script>|\1|p' "$1"; }

@test "report: a page with all its parts, one file, and nothing on stdout" {
    scattered disk.qcow2
    try qcow2frag report -o page.html disk.qcow2
    exits 0
    is_empty out
    is_empty err
    bounded page.html
    holds_parts page.html verdict todo map worst figures lengths snapshots file space findings data
    is <(head -n 1 page.html) '<!DOCTYPE html>'
    is <(ls) 'disk.qcow2
err
out
page.html'
}

@test "report: the sentence says which image is fragmented" {
    scattered bad.qcow2
    image good.qcow2 <<<'size 10G
map all'
    qcow2frag report --device hdd --no-host -o bad.html bad.qcow2
    qcow2frag report --device hdd --no-host -o good.html good.qcow2
    shows bad.html '<span class="word bad">Fragmented<'
    shows bad.html 'qcow2frag defrag --device hdd bad.qcow2</pre>'
    shows good.html '<span class="word good">In order<'
    not grep -q 'qcow2frag defrag' good.html
}

@test "report: to standard output, but not onto a terminal" {
    fixture reversed
    try qcow2frag report reversed.qcow2
    exits 0
    is <(tail -n 1 out) '</html>'
    needs script
    script -qec "$QCOW2FRAG report reversed.qcow2" /dev/null >typed </dev/null || true
    holds typed "qcow2frag: a page for a browser is nothing for a terminal: give --output FILE"
}

@test "report: nothing is asked of the network, and nothing is run that is not ours" {
    scattered disk.qcow2
    qcow2frag report -o page.html disk.qcow2
    not grep -qE '(src|href)="?(https?:)?//' page.html
    not grep -qE ' (on[a-z]+|style)=' page.html
    not grep -qE 'url\(|@import' page.html
    [ "$(grep -oE '<script[^>]*>' page.html | grep -vc json)" = 1 ]
}

@test "report: the policy allows just the style and the script that are there" {
    needs python3
    fixture reversed
    qcow2frag report -o page.html reversed.qcow2
    python <<'PYTHON'
import base64, hashlib, re
page = open("page.html", "rb").read()
policy = re.search(rb'Content-Security-Policy" content="([^"]*)"', page)[1].decode()
for tag in (b"style", b"script"):
    text = re.search(rb"<%s>(.*?)</%s>" % (tag, tag), page, re.S)[1]
    word = "'sha256-" + base64.b64encode(hashlib.sha256(text).digest()).decode() + "'"
    assert f"{tag.decode()}-src {word}" in policy, (tag, word, policy)
assert policy.startswith("default-src 'none'; img-src data:;"), policy
PYTHON
}

@test "report: the JSON in it is what --json prints" {
    needs python3
    scattered disk.qcow2
    qcow2frag report -o page.html disk.qcow2
    document page.html >ours.json
    qcow2frag --json --all-snapshots --space disk.qcow2 >expected.json
    [ "$(json ours.json '{**i[0], "measured_at": 0}')" = "$(json expected.json '{**i[0], "measured_at": 0}')" ]
}

@test "report: of a file that is long, the space only if asked" {
    image long.qcow2 <<<'size 1T
norefcounts
map 0..16777215 shuffled seed 1 group 1'
    qcow2frag report -o page.html long.qcow2
    bounded page.html
    shows page.html '<code>--space</code> adds it'
    qcow2frag report --space -o page.html long.qcow2
    not grep -q '<code>--space</code> adds it' page.html
}

@test "report: two images side by side, with the change of each figure" {
    image before.qcow2 <<<'size 10G
map 0..3999 shuffled seed 1 group 1'
    image after.qcow2 <<<'size 10G
map 0..3999'
    try qcow2frag report --device hdd --no-host -o page.html before.qcow2 after.qcow2
    exits 0
    bounded page.html
    shows page.html '<span class="word good">Better<'
    shows page.html '<td class="n better">'
    shows page.html '>to none<'
    [ "$(grep -c '<figure class="of-plot"' page.html)" = 2 ]
    [ "$(grep -o 'data-axes="[^"]*"' page.html | sort -u | wc -l)" = 1 ] # the same scales
    qcow2frag report --device hdd --no-host -o page.html after.qcow2 before.qcow2
    shows page.html '<span class="word bad">Worse<'
}

@test "report: a snapshot, a part of the disk, a chain" {
    fixture snapshot-shared
    qcow2frag report -s before -o page.html snapshot-shared.qcow2
    shows page.html 'This is snapshot'
    fixture reversed
    qcow2frag report --range 1M:2M -o page.html reversed.qcow2
    shows page.html 'All figures are of a part of the disk: 2 MiB from 1 MiB on'
    head -c 1M /dev/zero >base.raw
    image top.qcow2 <<<'size 1M
backing "base.raw" format raw
map 0..1'
    qcow2frag report -o page.html top.qcow2
    shows page.html 'which was not opened'
    qcow2frag report --chain -o page.html top.qcow2
    shows page.html '<bdi>base.raw</bdi>'
}

@test "report: a damaged image has its page, and status 2" {
    needs python3
    image bad.qcow2 <<<'size 64M
map 0..99 shuffled seed 1 group 1
poke be64 l2[5] |1<<56'
    try qcow2frag report -o page.html bad.qcow2
    exits 2
    is err 'qcow2frag: bad.qcow2: is damaged; the page says where'
    shows page.html '<span class="word bad">Damaged<'
    shows page.html 'To save the data'
}

@test "report: what cannot be measured is a message, and the old page stays" {
    echo old >page.html
    fixture reversed
    try qcow2frag report -o page.html missing.qcow2
    exits 1
    holds err 'missing.qcow2'
    is page.html old
    try qcow2frag report -o page.html reversed.qcow2 missing.qcow2
    exits 1
    is page.html old
    try qcow2frag report -o page.html reversed.qcow2 -s nope
    exits 1
    is page.html old
}

@test "report: it is not written over an image, nor over what one is built on" {
    fixture reversed
    cp reversed.qcow2 copy
    try qcow2frag report -o reversed.qcow2 reversed.qcow2
    exits 1
    holds err 'cannot write reversed.qcow2: '
    cmp reversed.qcow2 copy
    head -c 1M /dev/zero >base.raw
    image top.qcow2 <<<'size 1M
backing "base.raw" format raw
map 0..1'
    cp base.raw copy
    try qcow2frag report -o base.raw top.qcow2
    exits 1
    holds err 'cannot write base.raw: '
    cmp base.raw copy
}

@test "report: what does not go with it is refused" {
    try qcow2frag report -o page.html a b c
    exits 1
    holds err 'report takes one image, two to compare'
    try qcow2frag report -o page.html -s a -s b disk.qcow2
    exits 1
    holds err 'report takes one --snapshot'
    try qcow2frag report --json -o page.html disk.qcow2
    exits 1
    holds err '--json does not go with report'
}

# ---- many images ----

# folder: images/ with one in order, one scattered, one in a subfolder, and one that cannot be measured.
folder() {
    mkdir -p images/sub
    image images/good.qcow2 <<<'size 10G
map 0..9999'
    image images/bad.qcow2 <<<'size 10G
map 0..1999 shuffled seed 1 group 1'
    image images/sub/worse.qcow2 <<<'size 10G
map 0..3999 shuffled seed 1 group 1'
    head -c 200 images/good.qcow2 >images/cut.qcow2
}

@test "report: a directory, the worst first, and what cannot be measured last" {
    folder
    try qcow2frag report --device hdd --no-host -o page.html images
    exits 1
    holds err 'images/cut.qcow2: '
    bounded page.html
    is <(grep -oE '<bdi>[^<]*</bdi><td>[a-z ]*' page.html) '<bdi>sub/worse.qcow2</bdi><td>fragmented
<bdi>bad.qcow2</bdi><td>fragmented
<bdi>good.qcow2</bdi><td>in order
<bdi>cut.qcow2</bdi><td>failed'
    shows page.html '>2 of 4<'
    shows page.html 'qcow2frag defrag --if-slowdown 1.2 --max-time 4h images</pre>'
    [ "$(grep -c '<img class="\?thumb' page.html)" = 3 ]
}

@test "report: the JSON of a directory is in the page" {
    needs python3
    folder
    rm images/cut.qcow2
    qcow2frag report --no-host -o page.html images
    document page.html >ours.json
    qcow2frag --json --no-host images >expected.json
    [ "$(json ours.json '[{**x, "measured_at": 0} for x in i]')" = "$(json expected.json '[{**x, "measured_at": 0} for x in i]')" ]
}

@test "report: a directory without images is no page, and a directory goes alone" {
    mkdir empty
    try qcow2frag report -o page.html empty
    exits 1
    holds err 'no qcow2 image in this directory'
    [ ! -e page.html ]
    fixture reversed
    try qcow2frag report -o page.html reversed.qcow2 empty
    exits 1
    holds err 'a directory goes alone with report'
}

# ---- defrag --report ----

@test "report: defrag --report shows before and after" {
    image disk.qcow2 <<<'size 1G
map 0..4095 shuffled seed 1 group 1'
    try qcow2frag defrag --device hdd --report page.html disk.qcow2
    exits 0
    bounded page.html
    shows page.html '<span class="word good">Better<'
    shows page.html 'The image was written anew'
    [ "$(grep -c '<figure class="of-plot"' page.html)" = 2 ]
    not grep -q 'id="todo"' page.html
    qcow2frag defrag --report page.html disk.qcow2
    shows page.html 'It is in order already'
}

@test "report: defrag --dry-run --report is a plan, and leaves the image alone" {
    image disk.qcow2 <<<'size 1G
map 0..4095 shuffled seed 1 group 1'
    cp disk.qcow2 copy
    qcow2frag defrag --device hdd --dry-run --report page.html disk.qcow2
    shows page.html 'This is a plan: nothing was written'
    cmp disk.qcow2 copy
}

@test "report: defrag --report of a directory has a row for each, before and after" {
    folder
    try qcow2frag defrag --device hdd --report page.html images
    exits 1
    bounded page.html
    is <(grep -oE '<bdi>[^<]*</bdi><td>[a-z ]*' page.html) '<bdi>sub/worse.qcow2</bdi><td>rewritten
<bdi>bad.qcow2</bdi><td>rewritten
<bdi>good.qcow2</bdi><td>in order
<bdi>cut.qcow2</bdi><td>refused'
}

@test "report: defrag changes nothing if its page could not be written" {
    image disk.qcow2 <<<'size 1G
map 0..4095 shuffled seed 1 group 1'
    cp disk.qcow2 copy
    try qcow2frag defrag --report nowhere/page.html disk.qcow2
    exits 1
    holds err 'nowhere/page.html'
    try qcow2frag defrag --report disk.qcow2 disk.qcow2
    exits 1
    holds err 'cannot write disk.qcow2: '
    cmp disk.qcow2 copy
}

# ---- names ----

# hostile_names: names that would be markup, an end of the script, or something to a terminal.
hostile_names=('<script>window.broken=1</script>' '"><img src=x onerror=window.broken=1>' "' onload='window.broken=1"
    $'\e[31mred\e]0;title\a' $'\xff\xfe\xc3(' $'a\xe2\x80\xaeb' '--></script><script>window.broken=1//' '&lt;b&gt;')

@test "report: names of files cannot break the page" {
    local n=0 name

    fixture reversed
    for name in "${hostile_names[@]}"; do
        n=$((n + 1))
        name=${name//\//:}
        cp reversed.qcow2 "./$name"
        qcow2frag report -o "page$n.html" "./$name"
        bounded "page$n.html"
        not grep -qF '<script>window' "page$n.html"
        not grep -q '<img src=x' "page$n.html"
        not grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "page$n.html"
        not grep -qP '\xe2\x80\xae' "page$n.html"
        [ "$(grep -c '</script>' "page$n.html")" -ge 2 ]
    done
}

@test "report: names of snapshots and of backing files cannot break the page" {
    needs python3
    image disk.qcow2 <<IMAGE
size 64M
backing "<script>window.broken=1<:script>&quot;'" format raw
map 0..99 shuffled seed 1 group 1
snapshot $(printf 'x%.0s' {1..1023})
IMAGE
    python <<'PYTHON'
data = bytearray(open("disk.qcow2", "rb").read())
at = data.index(b"x" * 1023)
name = (b"</script><script>window.broken=1</script>\"'&\x1b[1m\xff\xe2\x80\xae" * 30)[:1023]
data[at:at + 1023] = name
open("disk.qcow2", "wb").write(data)
PYTHON
    try qcow2frag report -o page.html disk.qcow2
    exits 2 # longer than QEMU can give
    bounded page.html
    not grep -qF '<script>window' page.html
    not grep -qP '[\x00-\x08\x0b-\x1f\x7f]' page.html
    document page.html >ours.json
    [ "$(json ours.json 'i[0]["tables"][1]["snapshot"]["name"][:9]')" = '</script>' ]
}

# ---- bounds ----

@test "report: very many snapshots do not make it long" {
    image many.qcow2 <<<'size 64M
cluster 4K
norefcounts
map 0..99 shuffled seed 1 group 1
snapshots 65535 change 0%'
    qcow2frag report -o page.html many.qcow2
    bounded page.html
    shows page.html 'more; <code>qcow2frag --json</code> has them all'
}

@test "report: very much damage does not make it long" {
    { printf 'size 2G\nmap 0..20000 shuffled seed 1 group 1\n'
      printf 'poke be64 l2[%d] |1<<56\n' {0..20000}; } | image bad.qcow2
    try qcow2frag report -o page.html bad.qcow2
    exits 2
    bounded page.html
}

# ---- it is well formed ----

@test "report: a validator finds nothing to say" {
    needs tidy
    scattered disk.qcow2
    image good.qcow2 <<<'size 1G
map all'
    qcow2frag report -o one.html disk.qcow2
    qcow2frag report -o two.html disk.qcow2 good.qcow2
    tidy -q -e --drop-empty-elements no one.html >said 2>&1 || told "tidy:" said
    tidy -q -e --drop-empty-elements no two.html >said 2>&1 || told "tidy:" said
    is_empty said
}

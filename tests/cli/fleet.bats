#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Very many images: the worst of them, names from lists, each file once, which is built on which, and folders
# with all that a folder can have.

load helper

# reversed loses half a second, shuffled-groups 1.3 seconds, one-cluster nothing, of empty nothing is known.
four() { fixtures reversed shuffled-groups one-cluster empty; }

# names_of FILE: the column IMAGE alone.
names_of() { tr -d ' ' <"$1"; }

# ---- the worst ----

@test "--top shows the worst images, and measures all" {
    four
    try qcow2frag --top 2 --noheadings --columns IMAGE .
    exits 0
    is <(names_of out) "./shuffled-groups.qcow2
./reversed.qcow2"
    try qcow2frag --top 9 --noheadings --columns IMAGE .
    [ "$(wc -l <out)" = 4 ]
    try qcow2frag --top 1 reversed.qcow2
    [ "$(wc -l <out)" = 2 ] # a table
}

@test "--top in every format" {
    four
    try qcow2frag --top 2 --format csv --noheadings --columns IMAGE one-cluster.qcow2 reversed.qcow2 shuffled-groups.qcow2
    is out "shuffled-groups.qcow2
reversed.qcow2"
    qcow2frag --top 2 --json . >json
    json json '[x["path"] for x in i]' >paths
    is paths '["./shuffled-groups.qcow2", "./reversed.qcow2"]'
    qcow2frag --top 1 --format prometheus . >prom
    witness oracle/exposition.py check prom
    [ "$(grep -c '^qcow2frag_image_up' prom)" = 1 ]
    awk '/^qcow2frag_images/ { n += $2 } END { exit n != 4 }' prom || told "not all are counted"
    try qcow2frag --top 1 --format nagios --max-score 10 .
    exits 1
    [ "$(grep -o '\./[a-z-]*.qcow2' out)" = ./reversed.qcow2 ]
    holds out " images=4;;;0;"
}

@test "--top goes by --sort, in every format" {
    four
    try qcow2frag --top 1 --sort SCORE --noheadings --columns IMAGE .
    is <(names_of out) ./reversed.qcow2
    qcow2frag --top 1 --sort -SCORE --json . >json
    json json 'i[0]["path"]' >path
    is path ./one-cluster.qcow2
}

@test "an image is as bad as the worst of its snapshots" {
    image bad.qcow2 <<'IMAGE'
size 256M
map all reversed
snapshot worse
IMAGE
    fixtures one-cluster shuffled-groups
    try qcow2frag --top 2 --all-snapshots --noheadings --columns IMAGE .
    is <(names_of out | uniq -c | tr -s ' ') " 2 ./bad.qcow2
 1 ./shuffled-groups.qcow2"
}

@test "messages and the status are about all images, whatever is shown" {
    four
    fixture v2-zero
    try qcow2frag --top 1 --noheadings --columns IMAGE . missing
    exits 1
    is <(names_of out) ./shuffled-groups.qcow2
    grep -q '^qcow2frag: ./v2-zero.qcow2: ' err
    grep -q '^qcow2frag: missing: ' err
    try qcow2frag --top 1 --sort -SCORE --max-score 90 reversed.qcow2 one-cluster.qcow2
    exits 3
    holds err "reversed.qcow2: the fragmentation score is 99 %"
}

@test "--top takes a number of images" {
    for n in 0 -1 x '' 1.5; do
        try qcow2frag --top "$n" image
        exits 1
        is <(sed -n 1p err) "qcow2frag: --top takes a number from 1 to 1000000, not \"$n\""
    done
}

# ---- lists ----

# listed LIST: the images that it names, as the table has them.
listed() {
    try qcow2frag --files-from "$1" --noheadings --format csv --columns IMAGE
    exits 0
    is_empty err
}

@test "a list has a name on each line" {
    four
    mkdir folder
    mv one-cluster.qcow2 folder
    cp empty.qcow2 ' a b'
    cp empty.qcow2 ./-q
    printf 'reversed.qcow2\n\n a b\n-q\nfolder' >list
    listed list
    is out "reversed.qcow2
 a b
-q
folder/one-cluster.qcow2"
    listed - <list
    [ "$(wc -l <out)" = 4 ]
    listed <(cat list)
    [ "$(wc -l <out)" = 4 ]
}

@test "a list with a NUL in it has one behind each name" {
    four
    cp empty.qcow2 $'two\nlines'
    printf 'reversed.qcow2\0two\nlines\0\0empty.qcow2' >list
    try qcow2frag --json --files-from list
    exits 0
    json out '[x["path"] for x in i]' >paths
    is paths '["reversed.qcow2", "two\nlines", "empty.qcow2"]'
    printf 'two\nlines\0' >list
    try qcow2frag --json --files-from list
    json out 'len(i)' >n
    is n 1
}

@test "a list comes behind what is named, and gives a table" {
    four
    echo empty.qcow2 >list
    try qcow2frag --files-from list
    exits 0
    [ "$(wc -l <out)" = 2 ]
    try qcow2frag --files-from list --format csv --noheadings --columns IMAGE reversed.qcow2
    is out "reversed.qcow2
empty.qcow2"
}

@test "a list that is none is told, and the rest is measured" {
    four
    : >none
    printf '\n\n' >blank
    mkdir folder
    for list in none blank folder missing reversed.qcow2 /dev/zero /proc/version; do
        try qcow2frag --files-from $list --format csv --noheadings --columns IMAGE empty.qcow2
        exits 1
        is out empty.qcow2
        [ "$(wc -l <err)" = 1 ]
        grep -q "^qcow2frag: $list: " err
    done
    try qcow2frag --files-from reversed.qcow2
    is err "qcow2frag: reversed.qcow2: is a qcow2 image, and no list of names"
    try qcow2frag --files-from ''
    exits 1
    try qcow2frag --files-from none -f nagios
    exits 3
    holds out "QCOW2FRAG UNKNOWN - none: no name in this list; 0 images"
}

@test "no result goes over the list" {
    fixture reversed
    echo reversed.qcow2 >list
    try qcow2frag --files-from list -o list
    exits 1
    is list reversed.qcow2
}

@test "a list of images to put in order" {
    four
    printf '%s\n' reversed.qcow2 shuffled-groups.qcow2 >list
    try qcow2frag defrag --dry-run --files-from list
    exits 0
    grep -q 'reversed.qcow2$' out
    grep -q 'shuffled-groups.qcow2$' out
    try qcow2frag defrag -o new.qcow2 --files-from list
    exits 1
    is <(sed -n 1p err) "qcow2frag: --output is one new image, so one old one goes with it"
}

# ---- each file once ----

@test "each file is measured once, by the first of its names" {
    four
    mkdir folder
    mv reversed.qcow2 folder
    ln -s folder/reversed.qcow2 soft
    ln folder/reversed.qcow2 hard
    ln -s folder other
    try qcow2frag --format csv --noheadings --columns IMAGE soft hard folder other ./empty.qcow2 empty.qcow2 "$PWD"
    exits 0
    is out "soft
./empty.qcow2
$PWD/one-cluster.qcow2
$PWD/shuffled-groups.qcow2"
}

@test "what is not there, and is named twice, is told once" {
    try qcow2frag -f prometheus gone gone ./gone
    exits 1
    [ "$(wc -l <err)" = 2 ]
    witness oracle/exposition.py check out
}

@test "a block device is one, whatever its nodes are called" {
    needs_root
    [ -x /sbin/losetup ] || skip "no losetup"
    fixture reversed
    local loop
    loop=$(losetup -f --show -r reversed.qcow2 2>/dev/null) || skip "no loop device"
    mknod node b $((0x$(stat -c %t "$loop"))) $((0x$(stat -c %T "$loop"))) || { losetup -d "$loop"; skip "no nodes"; }
    try qcow2frag --format csv --noheadings --columns IMAGE node "$loop"
    losetup -d "$loop"
    exits 0
    is out node
}

@test "with defrag each name is a task of its own" {
    fixture reversed
    ln reversed.qcow2 hard
    try qcow2frag defrag --dry-run --break-hard-links reversed.qcow2 hard
    grep -q 'reversed.qcow2$' out
    grep -q 'hard$' out
}

# ---- images that back others ----

# overlay FILE BACKING: an image with that name in it.
overlay() {
    printf 'size 64M\nbacking "%s" format qcow2\nmap 0..3\n' "$2" | "$MKQCOW2" - "$1"
}

@test "images that are built on others of the run name them" {
    mkdir -p images/deep
    fixture one-cluster
    mv one-cluster.qcow2 images/base
    overlay images/beside base
    overlay images/deep/below ../base
    overlay whole "$PWD/images/base"
    overlay dots ./images/../images//base
    overlay second images/beside
    overlay stranger elsewhere/base
    overlay remote nbd://host/base
    try qcow2frag --json .
    exits 0
    json out 'sorted((x["path"], x["backing_image"], len(x["overlays"])) for x in i if x["backing_image"])' >found
    is found '[["./dots", "./images/base", 0], ["./images/beside", "./images/base", 1], ["./images/deep/below", "./images/base", 0], ["./second", "./images/beside", 0], ["./whole", "./images/base", 0]]'
    json out '[x["overlays"] for x in i if x["path"] == "./images/base"]' >overlays
    is overlays '[["./dots", "./images/beside", "./images/deep/below", "./whole"]]'
    try qcow2frag --noheadings --columns OVERLAYS,BACKING,IMAGE images
    is <(tr -s ' ' <out | sed 's/^ //' | sort) "0 images/base images/beside
0 images/base images/deep/below
2 images/base"
}

@test "a name inside an image is found through a folder that is a link" {
    mkdir real
    fixture one-cluster
    mv one-cluster.qcow2 real/base
    ln -s real link
    overlay real/top base
    try qcow2frag --format csv --noheadings --columns BACKING,IMAGE link/base real/top
    is out ",link/base
link/base,real/top"
    overlay other link/base
    try qcow2frag --format csv --noheadings --columns BACKING,IMAGE link/base other
    is out ",link/base
link/base,other"
}

@test "an image alone, and one that is its own backing file" {
    overlay self self
    try qcow2frag --json self
    json out '[i[0]["backing_image"], i[0]["overlays"]]' >found
    is found '[null, []]'
    fixture empty
    try qcow2frag --json self empty.qcow2
    json out '[i[0]["backing_image"], i[0]["overlays"]]' >found
    is found '["self", ["self"]]'
}

@test "nothing is looked at because an image names it" {
    needs strace
    fixture one-cluster
    overlay top /nowhere/at/all
    overlay relative sub/none
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=%file,readlink,openat2 -o trace "$QCOW2FRAG" --json top relative one-cluster.qcow2 >json
    grep -q 'top' trace || skip "strace does not see the files here"
    not grep -e nowhere -e sub/none trace
}

# ---- very many ----

@test "10,000 small images are measured in bounded memory and time" {
    needs python3
    image small <<'IMAGE'
size 64K
cluster 512
map 0..3 reversed
IMAGE
    cat >many.py <<'PYTHON'
import os, subprocess, sys
n, text = 10000, open("small", "rb").read()
os.mkdir("images")
for k in range(n):
    with open("images/%05d" % k, "wb", 0) as image:
        image.write(text)
with open("out", "w") as out:
    child = subprocess.Popen([sys.argv[1], "--top", "50", "--format", "prometheus", "images"], stdout=out)
    usage = os.wait4(child.pid, 0)
print("status %d, %d MiB, %.1f s" % (usage[1], usage[2].ru_maxrss >> 10, usage[2].ru_utime + usage[2].ru_stime))
if not has_sanitizer and (usage[2].ru_maxrss > 64 << 10 or usage[2].ru_utime + usage[2].ru_stime > 15):
    sys.exit(1)
sys.exit(usage[1])
PYTHON
    sed -i "s/has_sanitizer/$(has_sanitizer && echo True || echo False)/" many.py
    python3 many.py "$QCOW2FRAG"
    [ "$(grep -c '^qcow2frag_image_up' out)" = 50 ]
    awk '/^qcow2frag_images/ { n += $2 } END { exit n != 10000 }' out || told "not all are counted" out
}

# ---- folders of all kinds ----

# In all formats: only what is an image is measured, what cannot be read is told, and nobody waits.
@test "a folder with FIFOs, sockets, dangling links, unreadable files and odd names, in all formats" {
    needs python3 mkfifo
    open_scratch
    fixture one-cluster
    mkdir -p folder/closed folder/empty
    local name
    for name in $'\xff' $'\xfe' $'line\nbreak' 'a"b' 'a,b' 'a|b' $'\e[31m' "$(printf %0255d 0)" closed/hidden; do
        cp one-cluster.qcow2 "folder/$name"
    done
    cp one-cluster.qcow2 folder/unreadable
    mkfifo folder/fifo
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("folder/socket")'
    ln -s nowhere folder/dangling
    ln -s loop folder/loop
    ln -s ../one-cluster.qcow2 folder/link
    : >folder/zero
    chmod -R a+rX folder
    chmod 0 folder/closed folder/unreadable
    local form
    for form in text csv json prometheus nagios; do
        status=0
        as_user timeout 60 ./program --no-host --format $form folder >out 2>err || status=$?
        mv out $form
        [ $form = nagios ] || {
            exits 1
            [ "$(sort err)" = "qcow2frag: folder/closed: Permission denied
qcow2frag: folder/unreadable: Permission denied" ] || told "$form:" err
        }
    done
    [ "$(wc -l <text)" = 9 ]
    json json 'sorted(x["path"][7:15] for x in i)' >paths
    is paths '["\u001b[31m", "00000000", "a\"b", "a,b", "a|b", "line\nbre", "\ufffd", "\ufffd"]'
    witness oracle/exposition.py labels prometheus qcow2frag_image_up >labels
    [ "$(sort -u labels | wc -l)" = 8 ]
    witness oracle/exposition.py value prometheus qcow2frag_search_errors >errors
    is errors 2
    python csv <<'PYTHON'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
sys.exit(len(rows) != 8 or len({row["IMAGE"] for row in rows}) != 8)
PYTHON
    [ "$status" = 3 ]
    witness oracle/plugin.py nagios 3
    holds nagios "QCOW2FRAG UNKNOWN - folder/closed: Permission denied; 8 images"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Many images: the table, CSV, and the walk over folders.

load helper
load filesystem

# three: reversed (99 % steps back), empty (no score), one-cluster (0 %).
three() {
    fixture reversed
    fixture empty
    fixture one-cluster
}

# column FILE N: the N-th word of each line.
column() { awk -v n="$2" '{ print $n }' "$1"; }

# ---- the table ----

@test "two images make a table with a line of column names" {
    three
    try qcow2frag reversed.qcow2 one-cluster.qcow2
    exits 0
    is_empty err
    [ "$(wc -l <out)" = 3 ]
    is <(head -1 out | tr -s ' ' ' ' | sed 's/^ //; s/ $//') \
        "ACTION LOST SCORE RUNS MEAN HALF BACK FORWARD MAPPED VIRTUAL IMAGE"
}

# shuffled-groups has the lower score, but loses 1.3 seconds; reversed loses half a second.
@test "the table begins with what loses most time, and ends with what is not known" {
    three
    fixture shuffled-groups
    echo "no image" >bad
    try qcow2frag --noheadings --columns IMAGE empty.qcow2 one-cluster.qcow2 bad shuffled-groups.qcow2 reversed.qcow2
    is <(tr -d ' ' <out) "shuffled-groups.qcow2
reversed.qcow2
one-cluster.qcow2
empty.qcow2
bad"
}

@test "equals stand in the order given" {
    three
    cp reversed.qcow2 a
    try qcow2frag --noheadings --columns IMAGE reversed.qcow2 a
    is <(tr -d ' ' <out) "reversed.qcow2
a"
}

@test "one bad image does not stop the rest, is told, and makes status 1" {
    three
    echo "no image" >bad
    try qcow2frag bad reversed.qcow2
    exits 1
    holds out reversed.qcow2
    [ "$(wc -l <err)" = 1 ]
    grep -q '^qcow2frag: bad: is not a qcow2 image' err
}

@test "a damaged image makes status 2, and the damage is told" {
    fixture v2-zero
    three
    try qcow2frag v2-zero.qcow2 reversed.qcow2
    exits 2
    [ "$(wc -l <err)" = 1 ]
    grep -q '^qcow2frag: v2-zero.qcow2: ' err
}

@test "status 1 comes before status 2" {
    fixture v2-zero
    try qcow2frag v2-zero.qcow2 missing
    exits 1
    [ "$(wc -l <err)" = 2 ]
    holds out v2-zero.qcow2
}

@test "--bytes prints sizes as plain numbers" {
    three
    try qcow2frag --bytes --noheadings --columns MAPPED,VIRTUAL,FILE reversed.qcow2
    exits 0
    is <(tr -s ' ' <out | sed 's/^ //') "6553600 67108864 $(stat -c %s reversed.qcow2)"
}

@test "without --bytes sizes have units" {
    three
    try qcow2frag --noheadings --columns VIRTUAL,MAPPED reversed.qcow2
    is <(tr -s ' ' <out | sed 's/^ //') "64 MiB 6.25 MiB"
}

@test "--columns chooses columns, their order, and knows no upper or lower case" {
    three
    try qcow2frag --columns back,Image,SCORE reversed.qcow2
    exits 0
    is <(tr -s ' ' <out | sed 's/^ //; s/ $//') "BACK IMAGE SCORE
99 reversed.qcow2 99.00 %"
}

@test "--noheadings leaves out the line of column names" {
    three
    try qcow2frag --noheadings reversed.qcow2 one-cluster.qcow2
    [ "$(wc -l <out)" = 2 ]
    not grep -q SCORE out
}

@test "where snapshots are asked for there is a column for them, even if no image has any" {
    three
    try qcow2frag --all-snapshots reversed.qcow2 one-cluster.qcow2
    exits 0
    head -1 out | grep -q 'SNAPSHOT *IMAGE'
    try qcow2frag reversed.qcow2 one-cluster.qcow2
    not grep -q SNAPSHOT out
}

@test "with snapshots, a column says whose the line is" {
    fixture snapshot-shared
    three
    try qcow2frag --all-snapshots snapshot-shared.qcow2 one-cluster.qcow2
    exits 0
    [ "$(wc -l <out)" = 4 ]
    head -1 out | grep -q 'SNAPSHOT *IMAGE'
    grep -q 'before *snapshot-shared.qcow2' out
}

# ---- the order ----

@test "--sort begins with the largest number, a dash with the smallest, and both end with what is not known" {
    three
    fixture shuffled-groups
    try qcow2frag --noheadings --columns IMAGE --sort half empty.qcow2 reversed.qcow2 shuffled-groups.qcow2
    exits 0
    is <(tr -d ' ' <out) "shuffled-groups.qcow2
reversed.qcow2
empty.qcow2"
    try qcow2frag --noheadings --columns IMAGE --sort -HALF empty.qcow2 shuffled-groups.qcow2 reversed.qcow2
    is <(tr -d ' ' <out) "reversed.qcow2
shuffled-groups.qcow2
empty.qcow2"
}

@test "--sort by a text begins with A, and with a dash ends with it" {
    three
    try qcow2frag --noheadings --columns IMAGE --sort IMAGE reversed.qcow2 one-cluster.qcow2 empty.qcow2
    is <(tr -d ' ' <out) "empty.qcow2
one-cluster.qcow2
reversed.qcow2"
    try qcow2frag --noheadings --columns IMAGE --sort -IMAGE one-cluster.qcow2 reversed.qcow2 empty.qcow2
    is <(tr -d ' ' <out) "reversed.qcow2
one-cluster.qcow2
empty.qcow2"
}

@test "what --sort finds equal is sorted by the time lost" {
    three
    try qcow2frag --noheadings --columns IMAGE --sort VIRTUAL one-cluster.qcow2 reversed.qcow2
    is <(tr -d ' ' <out) "reversed.qcow2
one-cluster.qcow2"
}

@test "--sort makes a table of one image, and sorts CSV, too" {
    three
    try qcow2frag --sort SCORE reversed.qcow2
    [ "$(wc -l <out)" = 2 ]
    try qcow2frag --format csv --noheadings --columns IMAGE --sort IMAGE reversed.qcow2 empty.qcow2
    is out "empty.qcow2
reversed.qcow2"
}

@test "--sort by no column, or of JSON, is refused" {
    three
    for bad in NOPE "" - --SCORE; do
        try qcow2frag --sort "$bad" reversed.qcow2
        exits 1
        holds err '--sort: there is no column'
    done
    try qcow2frag --json --sort SCORE reversed.qcow2
    exits 1
    holds err '--sort goes with the table, with CSV and with --top'
}

# ---- single columns ----

@test "a column that needs --space turns it on" {
    three
    try qcow2frag --noheadings --columns METADATA reversed.qcow2
    exits 0
    is <(tr -d ' ' <out) "$(qcow2frag --noheadings --space --columns METADATA reversed.qcow2 | tr -d ' ')"
    not grep -q -- - out
    fixture sample
    try qcow2frag --noheadings --columns IMAGE --sort FREE reversed.qcow2 sample.qcow2
    is <(tr -d ' ' <out) "sample.qcow2
reversed.qcow2"
}

@test "ACTION is what the verdict says" {
    needs jq
    fixture sample
    three
    try qcow2frag --device hdd --no-host --format csv --noheadings --columns ACTION,IMAGE sample.qcow2 empty.qcow2
    mv out ours
    qcow2frag --device hdd --no-host --json sample.qcow2 empty.qcow2 >json
    is ours "$(jq -r '.images[] | .verdict.action + "," + .path' json)"
    is <(head -1 ours) image,sample.qcow2
}

@test "ACTION of a damaged image is damaged, of one that cannot be measured failed" {
    fixture v2-zero
    echo "no image" >bad
    try qcow2frag --format csv --noheadings --columns ACTION,IMAGE v2-zero.qcow2 bad
    is out "damaged,v2-zero.qcow2
failed,bad"
}

@test "ACTION of a snapshot is empty, but for a damaged image" {
    fixture snapshot-shared
    try qcow2frag --format csv --noheadings --columns SNAPSHOT,ACTION --all-snapshots snapshot-shared.qcow2
    is <(tail -1 out) before,
    image f <<<'size 64M
map 0..9
snapshot one
poke be64 l2[5] 1c+512'
    try qcow2frag --format csv --noheadings --columns SNAPSHOT,ACTION --all-snapshots f
    exits 2
    is out ",damaged
one,damaged"
}

@test "LOST, SECONDS and SLOWDOWN are of image and host together, and the image has its own" {
    needs python3
    scattered_on_the_host f
    try qcow2frag --device hdd --format csv f
    is <(csv out '[float(r[0]["LOST"]) > 5, float(r[0]["SLOWDOWN"]) > 10, float(r[0]["IMAGE_LOST"]) < 0.1,
        float(r[0]["IMAGE_SLOWDOWN"]) < 1.1]') '[True, True, True, True]'
    is <(csv out 'abs(float(r[0]["SECONDS"]) - float(r[0]["LOST"]) - float(r[0]["SECONDS"]) / float(r[0]["SLOWDOWN"])) < 1e-6') True
    mv out table
    try qcow2frag --device hdd --json f
    json out '[i[0]["tables"][0][k]["seconds"] for k in ("end_to_end", "disk")]' >seconds
    is <(csv table '[float(r[0][k]) for k in ("SECONDS", "IMAGE_SECONDS")] == __import__("json").load(open("seconds"))') True
}

@test "without the host they are of the image alone" {
    needs python3
    scattered_on_the_host f
    try qcow2frag --device hdd --no-host --format csv f
    is <(csv out '[r[0][k] == r[0]["IMAGE_" + k] != "" for k in ("LOST", "SECONDS", "SLOWDOWN")]') '[True, True, True]'
}

@test "the table begins with what loses most time on the device" {
    scattered_on_the_host f
    image g <<<'size 64M
map 0..199 reversed' # loses more by itself, and in a shorter file less on the device
    try qcow2frag --device hdd --noheadings --columns IMAGE g f
    is <(tr -d ' ' <out | head -1) f
    try qcow2frag --device hdd --noheadings --columns IMAGE --no-host g f
    is <(tr -d ' ' <out | head -1) g
}

@test "an unknown column is refused" {
    three
    try qcow2frag --columns IMAGE,NOPE reversed.qcow2
    exits 1
    is_empty out
    grep -q '^qcow2frag: .*"NOPE"' err
}

@test "each column that --help lists can be chosen" {
    three
    qcow2frag --help | sed -n '/^Columns/,/^$/p' | sed -nE 's/^  [ *] ([A-Z_]+) .*/\1/p' >columns
    [ "$(wc -l <columns)" -gt 20 ]
    try qcow2frag --format csv --columns "$(paste -sd, columns)" reversed.qcow2
    exits 0
    is <(head -1 out) "$(paste -sd, columns)"
}

@test "a name with control characters is escaped in the table" {
    three
    mv one-cluster.qcow2 $'a\x1b[31m\nb'
    try qcow2frag --noheadings --columns IMAGE $'a\x1b[31m\nb'
    is <(tr -d ' ' <out) 'a\x1b[31m\x0ab'
}

# ---- CSV ----

# csv FILE EXPRESSION: a Python expression, where r is the list of rows, each a dict of its columns.
csv() {
    python "$@" <<'PYTHON'
import csv, sys
# Names that are no UTF-8 are not expected here; line breaks within quotes are.
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    r = list(csv.DictReader(file, strict=True))
print(eval(sys.argv[2]))
PYTHON
}

@test "CSV has all columns, whatever their number, and a row for each image in the order given" {
    needs python3
    three
    try qcow2frag --format csv one-cluster.qcow2 reversed.qcow2 empty.qcow2
    exits 0
    is <(csv out '[row["IMAGE"] for row in r]') "['one-cluster.qcow2', 'reversed.qcow2', 'empty.qcow2']"
    is <(csv out 'all(None not in row and None not in row.values() for row in r)') True
    is <(csv out '"SPLIT" in r[0] and "ERROR" in r[0]') True
}

@test "CSV has the figures of JSON" {
    needs python3
    fixture shuffled-groups
    try qcow2frag --format csv shuffled-groups.qcow2
    mv out table
    try qcow2frag --json shuffled-groups.qcow2
    json out 'i[0]["tables"][0]' >walk
    is <(csv table '[json.load(open("walk"))[k] == (float if "." in r[0][c] else int)(r[0][c])
        for json in [__import__("json")] for c, k in (
        ("SCORE", "fragmentation_score"), ("RUNS", "contiguous_runs"), ("HALF", "contiguous_run_half_bytes"),
        ("MEAN", "contiguous_run_mean_bytes"), ("MAX", "contiguous_run_max_bytes"), ("BREAKS", "breaks"),
        ("BACK", "backward_steps"), ("FORWARD", "forward_jumps"), ("NEAR", "near_jumps"),
        ("BACKMEAN", "backward_jump_mean_bytes"), ("FORWARDMEAN", "forward_jump_mean_bytes"),
        ("ASCENDING", "ascending_runs"), ("ASCENDINGMEAN", "ascending_run_mean_bytes"),
        ("SPLIT", "read_split"), ("MAPPED", "mapped_bytes"), ("CLUSTERS", "mapped_clusters"),
        ("VIRTUAL", "virtual_bytes"))].count(False)') 0
}

@test "CSV leaves empty what is not known" {
    needs python3
    three
    try qcow2frag --format csv empty.qcow2 missing
    exits 1
    is <(csv out '[r[0][c] for c in ("SCORE", "MEAN", "HALF", "RUNS")]') "['', '', '', '0']"
    is <(csv out '[r[1][c] for c in ("SCORE", "RUNS", "VIRTUAL", "IMAGE")]') "['', '', '', 'missing']"
    is <(csv out 'r[1]["ERROR"] in open("err").read() and len(r[1]["ERROR"]) > 10') True
}

@test "CSV quotes what has commas, quotes or line breaks, and nothing else" {
    needs python3
    three
    mv one-cluster.qcow2 $'a,"b"\nc'
    try qcow2frag --format csv --columns IMAGE,BACK $'a,"b"\nc' reversed.qcow2
    is out $'IMAGE,BACK\n"a,""b""\nc",0\nreversed.qcow2,99'
    is <(csv out 'r[0]["IMAGE"] == "a,\"b\"\nc"') True
}

# csv_name NAME TEXT: what stands in CSV for a file of that name.
csv_name() {
    fixture one-cluster
    mv one-cluster.qcow2 "$1"
    try qcow2frag --format csv --noheadings --columns IMAGE "$1"
    exits 0
    is out "$2"
}

@test "CSV escapes controls" { csv_name $'a\x1b[31m\rb\x7f\x07' 'a\x1b[31m\x0db\x7f\x07'; }
@test "CSV escapes C1 controls" { csv_name $'\xc2\x9b31m\xc2\x85' '\xc2\x9b31m\xc2\x85'; }
@test "CSV escapes what turns a line around" { csv_name $'\u202eab\u2066' '\xe2\x80\xaeab\xe2\x81\xa6'; }
@test "CSV escapes line and paragraph separators" { csv_name $'\u2028\u2029' '\xe2\x80\xa8\xe2\x80\xa9'; }
@test "CSV escapes what is no UTF-8" { csv_name $'a\xff\xc3(' 'a\xff\xc3('; }
@test "CSV escapes what looks like an escape" { csv_name 'a\x1b\b' 'a\x5cx1b\b'; }
@test "CSV leaves tabs and letters of all scripts" { csv_name $'d\tï日' $'d\tï日'; }

@test "CSV has a row for each snapshot" {
    needs python3
    fixture snapshot-shared
    try qcow2frag --format csv --all-snapshots snapshot-shared.qcow2
    is <(csv out '[(row["SNAPSHOTID"], row["SNAPSHOT"]) for row in r]') "[('', ''), ('1', 'before')]"
}

@test "CSV without the line of column names" {
    three
    try qcow2frag --format csv --noheadings --columns BACK,FORWARD reversed.qcow2
    is out 99,0
}

# ---- folders ----

@test "images in a folder are found by what they are, not by their names" {
    mkdir -p folder/sub/deeper
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/a.raw
    "$MKQCOW2" "$TESTS/images/one-cluster.txt" folder/sub/deeper/.hidden
    echo text >folder/text.qcow2
    : >folder/sub/empty.qcow2
    mkfifo folder/pipe.qcow2
    try timeout 10 "$QCOW2FRAG" --noheadings --columns IMAGE folder
    exits 0
    is_empty err
    is <(tr -d ' ' <out) "folder/a.raw
folder/sub/deeper/.hidden"
}

@test "a folder with one image makes a table, too" {
    mkdir folder
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/a
    try qcow2frag folder
    exits 0
    [ "$(wc -l <out)" = 2 ]
    head -1 out | grep -q SCORE
}

@test "the walk over a folder is in the order of the names" {
    mkdir folder
    local name
    for name in c a d b; do "$MKQCOW2" "$TESTS/images/empty.txt" folder/$name; done
    try qcow2frag --format csv --noheadings --columns IMAGE folder
    is out "folder/a
folder/b
folder/c
folder/d"
}

@test "the walk over a folder follows no links" {
    mkdir folder other
    "$MKQCOW2" "$TESTS/images/reversed.txt" other/image
    "$MKQCOW2" "$TESTS/images/empty.txt" folder/mine
    ln -s ../other folder/to-folder
    ln -s ../other/image folder/to-image
    ln -s . folder/loop
    try timeout 10 "$QCOW2FRAG" --noheadings --columns IMAGE folder
    exits 0
    is <(tr -d ' ' <out) folder/mine
}

@test "a folder named by a link is walked" {
    mkdir folder
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/image
    ln -s folder link
    try qcow2frag --noheadings --columns IMAGE link
    exits 0
    is <(tr -d ' ' <out) link/image
}

@test "folders and images can be mixed" {
    mkdir folder
    "$MKQCOW2" "$TESTS/images/empty.txt" folder/image
    fixture reversed
    try qcow2frag --format csv --noheadings --columns IMAGE reversed.qcow2 folder
    is out "reversed.qcow2
folder/image"
}

@test "a subfolder that may not be read is told with status 1, and the rest is measured" {
    mkdir -p folder/closed
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/image
    open_scratch
    chmod 000 folder/closed
    try as_user ./program --noheadings --columns IMAGE folder
    exits 1
    is <(tr -d ' ' <out) folder/image
    is err "qcow2frag: folder/closed: Permission denied"
}

@test "a file in a folder that may not be read is told with status 1" {
    mkdir folder
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/image
    : >folder/secret
    open_scratch
    chmod 000 folder/secret
    try as_user ./program --noheadings --columns IMAGE folder
    exits 1
    is <(tr -d ' ' <out) folder/image
    is err "qcow2frag: folder/secret: Permission denied"
}

@test "a folder without images is told" {
    mkdir folder
    try qcow2frag folder
    exits 1
    is_empty out
    is err "qcow2frag: folder: no qcow2 image in this directory"
}

@test "an image in a folder that is cut short does not stop the others" {
    mkdir folder
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/good
    head -c 50 folder/good >folder/bad
    try qcow2frag --noheadings --columns IMAGE folder
    exits 1
    holds out folder/good
    grep -q '^qcow2frag: folder/bad: ' err
}

# ---- what is mounted below a folder ----

# with_mounts FUNCTION: in a namespace of mounts of its own.
with_mounts() {
    needs_root
    needs unshare mount
    unshare -m true 2>unshare.log || skip "no namespace of mounts: $(cat unshare.log)"
    mkdir -p folder/mounted
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/image
    privately "$1"
}

tmpfs_below() {
    mount -t tmpfs none folder/mounted || skip "cannot mount tmpfs"
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/mounted/other
    try qcow2frag --format csv --noheadings --columns IMAGE folder
    exits 0
    is out "folder/image
folder/mounted/other"
    for option in -x --one-file-system; do
        try qcow2frag $option --format csv --noheadings --columns IMAGE folder
        exits 0
        is out folder/image
    done
    try qcow2frag -x --format csv --noheadings --columns IMAGE folder/mounted
    is out folder/mounted/other
}

@test "what is mounted below a folder is searched, but not with --one-file-system" {
    with_mounts tmpfs_below
}

# Reading proc makes messages, of files that cannot be read, and an image of /proc/PID/root.
proc_below() {
    mount -t proc none folder/mounted || skip "cannot mount proc"
    try timeout 20 "$QCOW2FRAG" --format csv --noheadings --columns IMAGE folder
    exits 0
    is_empty err
    is out folder/image
    try qcow2frag folder/mounted
    exits 1
    is err "qcow2frag: folder/mounted: is on proc, a file system without storage: nothing is read there"
    try qcow2frag folder/mounted/kmsg
    refused folder/mounted/kmsg "is on proc, a file system without storage: it is not read"
}

@test "proc below a folder is neither searched nor read" { with_mounts proc_below; }

proc_file_below() {
    : >folder/file
    mount --bind /proc/$$/mem folder/file || skip "cannot mount a file"
    try dd if=folder/file of=/dev/null bs=8 count=1
    exits 1
    try qcow2frag --format csv --noheadings --columns IMAGE folder
    exits 0
    is_empty err
    is out folder/image
}

@test "a file of proc that is mounted on a file of a folder is not read" { with_mounts proc_file_below; }

@test "a folder without images among others: they are measured, and the status is 1" {
    mkdir -p folder nothing
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/image
    try qcow2frag --format csv --noheadings --columns IMAGE nothing folder
    exits 1
    is out folder/image
    is err "qcow2frag: nothing: no qcow2 image in this directory"
}

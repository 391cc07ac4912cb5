#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# map --list: every run, a line each.

load helper

# Where the files of a test lie differs from machine to machine; host.bats is about that.
qcow2frag() { "$QCOW2FRAG" --no-host "$@"; }

# lists EXPECTED [OPTION ...] IMAGE: as guest offset, length, kind, host offset, host length.
lists() {
    local expected=$1

    shift
    needs python3
    try qcow2frag map --list --json "$@"
    exits 0
    is_empty err
    python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(*(("-" if r[k] is None else r[k]) for k in
            ("guest_offset", "length", "kind", "host_offset", "host_length")))' <out >listed
    is listed "$expected"
}

# ---- runs ----

@test "data in one piece is one run" {
    image f <<<'size 64M
map 0..9 at 10'
    lists "0 655360 data 655360 655360" f
}

@test "a run goes on over an L2 border" {
    image f <<<'size 1G
l2 0 at 5
l2 8192 at 6
map 8190..8193 at 10'
    lists "536739840 262144 data 655360 262144" f
}

@test "data in reverse order is a run for each cluster" {
    image f <<<'size 64M
map 0..2 at 10 reversed'
    lists "0 65536 data 786432 65536
65536 65536 data 720896 65536
131072 65536 data 655360 65536" f
}

@test "a hole in the guest ends a run, even when it is in step" {
    image f <<<'size 64M
map 0 at 10
map 2 at 12'
    lists "0 65536 data 655360 65536
131072 65536 data 786432 65536" f
}

@test "unmapped stretches are not listed" {
    fixture empty
    try qcow2frag map --list --json empty.qcow2
    exits 0
    is_empty out
}

@test "zero clusters are runs, with a host offset where they keep their place" {
    image f <<<'size 64M
map 0 at 10
zero 1..2
zero-alloc 3..4 at 11
map 5 at 13'
    lists "0 65536 data 655360 65536
65536 131072 zero - -
196608 131072 zero 720896 131072
327680 65536 data 851968 65536" f
}

@test "each compressed cluster is a run of its own, with the bytes that it takes in the file" {
    image f <<<'size 64M
compressed 0..1 at-byte 20c bytes 1000
compressed 2 at-byte 21c+100 bytes 1000
compressed 3..4 at-byte 22c bytes 1024'
    # From the first byte up to the end of the last sector.
    lists "0 65536 compressed 1310720 1024
65536 65536 compressed 1311720 1048
131072 65536 compressed 1376356 1436
196608 65536 compressed 1441792 1024
262144 65536 compressed 1442816 1024" f
}

@test "subclusters are listed by themselves" {
    image f <<<'size 64M
cluster 64K
feature extended-l2
map 0 at 10 alloc 0..3,8..11 zero 16..31'
    lists "0 8192 data 655360 8192
16384 8192 data 671744 8192
32768 32768 zero 688128 32768" f
}

@test "the last cluster is listed whole" {
    fixture last-cluster-cut
    try qcow2frag map --list --json last-cluster-cut.qcow2
    is <(json <(tail -1 out) 'd["guest_offset"] + d["length"]') 1048576
}

# ---- the fields ----

@test "a JSON line has every key, and null where there is no value" {
    needs python3
    image f <<<'size 64M
zero 0'
    try qcow2frag map --list --json f
    is <(json out 'sorted(d)' | tr -d ' "') \
        "[depth,file,guest_offset,host_length,host_offset,kind,length,physical_offset]"
    is <(json out '[d["depth"], d["file"], d["host_offset"], d["host_length"], d["physical_offset"]]') \
        '[0, "f", null, null, null]'
}

@test "the file of a run is the image" {
    needs python3
    fixture one-cluster
    try qcow2frag map --list --json ./one-cluster.qcow2
    is <(json out 'd["file"]') ./one-cluster.qcow2
}

@test "the file of a run is the external data file, where there is one" {
    needs python3
    fixture data-file-raw
    try qcow2frag map --list --json data-file-raw.qcow2
    is <(json <(head -1 out) '[d["file"], d["guest_offset"], d["host_offset"]]') '["data-raw.raw", 0, 0]'
}

@test "a name that is no UTF-8 is escaped in text and replaced in JSON" {
    fixture one-cluster
    mv one-cluster.qcow2 $'a\xff\nb'
    try qcow2frag map --list --noheadings $'a\xff\nb'
    [ "$(wc -l <out)" = 1 ]
    holds out 'a\xff\x0ab'
    needs python3
    try qcow2frag map --list --json $'a\xff\nb'
    is <(json out 'ascii(d["file"])') "'a\\ufffd\\nb'"
}

# ---- text ----

@test "text has a line of names, and a line for each run" {
    image f <<<'size 64M
map 0..1 at 10
zero 2
compressed 3 at-byte 20c bytes 1000'
    try qcow2frag map --list f
    exits 0
    is <(tr -s ' ' <out | sed 's/^ //') "GUEST OFFSET LENGTH KIND DEPTH HOST OFFSET HOST LENGTH PHYSICAL OFFSET FILE
0x0 128 KiB data 0 0xa0000 128 KiB - f
0x20000 64 KiB zero 0 - - - f
0x30000 64 KiB compressed 0 0x140000 1 KiB - f"
}

@test "--noheadings leaves out the line of names" {
    fixture reversed
    try qcow2frag map --list --noheadings reversed.qcow2
    [ "$(wc -l <out)" = 100 ]
}

@test "--bytes prints lengths as plain numbers" {
    image f <<<'size 64M
map 0..1 at 10'
    try qcow2frag map --list --bytes --noheadings f
    is <(tr -s ' ' <out | sed 's/^ //') "0x0 131072 data 0 0xa0000 131072 - f"
}

@test "text and JSON list the same runs" {
    needs python3
    fixture compressed-random-sizes
    qcow2frag map --list --bytes --noheadings compressed-random-sizes.qcow2 |
        awk '{ print $1, $2, $3, $5 }' >text
    [ "$(wc -l <text)" = 101 ]
    qcow2frag map --list --json compressed-random-sizes.qcow2 | python3 -c '
import json, sys
for r in map(json.loads, sys.stdin):
    print(hex(r["guest_offset"]), r["length"], r["kind"], hex(r["host_offset"]))' | diff text -
}

@test "the lengths of all runs are the mapped bytes, and the breaks between them those measured" {
    needs python3
    fixture shuffled-groups
    qcow2frag map --list --json shuffled-groups.qcow2 >runs
    try qcow2frag --json shuffled-groups.qcow2
    is <(json out '[i[0]["tables"][0]["mapped_bytes"], i[0]["tables"][0]["contiguous_runs"]]') \
        "$(python3 -c '
import json
runs = [json.loads(line) for line in open("runs")]
print([sum(r["length"] for r in runs), len(runs)])')"
}

# ---- snapshots ----

@test "a snapshot's own runs are listed" {
    image f <<<'size 64M
map 0..3 at 10
snapshot one
map 1 at 20'
    lists "0 262144 data 655360 262144" -s one f
    lists "0 65536 data 655360 65536
65536 65536 data 1310720 65536
131072 131072 data 786432 131072" f
}

@test "a snapshot that cannot be read is refused" {
    image f <<<'size 64M
map 0..9
snapshot one
poke be64 snap[0] 0x12345'
    try qcow2frag map --list --json -s one f
    refused f
}

# ---- damage ----

@test "what is damaged is left out and told, with status 2" {
    image f <<<'size 64M
map 0..2 at 10
poke be64 l2[1] 0x8000000000050200'
    try qcow2frag map --list --json f
    exits 2
    [ "$(wc -l <out)" = 2 ]
    [ "$(wc -l <err)" = 1 ]
    grep -q '^qcow2frag: f: l2\[0\]\[1\]: ' err
}

# ---- how far it is ----

# long_list TERMINAL UNTIL ARGUMENT ...: begins a list that never seems to end, to a pipe or to a
# terminal (1), and reads of it until standard error holds UNTIL, or a second and all that is held back
# at first have passed. What is on standard error is in err.
long_list() {
    needs python3
    [ -e often ] || python3 "$TESTS/cli/hostile.py" named-often often
    cat >long.py <<'PYTHON'
import os, pty, subprocess, sys, time
ours, theirs = pty.openpty() if sys.argv[1] == "1" else os.pipe()
with open("err", "wb") as err:
    child = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=theirs, stderr=err, close_fds=True)
os.close(theirs)
os.read(ours, 1)
now = int(time.time())
while int(time.time()) == now:
    time.sleep(0.02)
until, left = sys.argv[2].encode(), 24 << 20
while left > 0 or (until and left > -(1 << 30) and until not in open("err", "rb").read()):
    left -= len(os.read(ours, 65536))
child.kill()
child.wait()
PYTHON
    python3 long.py "$1" "$2" "$QCOW2FRAG" map --list --no-host "${@:3}" often
}

@test "a long list says how far it is, and how long it will be" {
    long_list 0 'at most' --progress
    grep -q 'listing: *0 % of the disk, [0-9]* of at most 262144000 runs' err || told "not told:" err
    long_list 0 about --progress=always --range 0:32T
    grep -q 'listing: *[1-9] % of the disk, [0-9]* of about 167[0-9]* runs' err || told "not told:" err
}

# Before the first run a line may have been shown, and was taken away.
@test "a list on a terminal is not disturbed, nor messages that go elsewhere" {
    long_list 1 '' --progress=always
    [ ! -s err ] || [ "$(tail -c 3 err)" = $'\033[K' ] || told "disturbed:" err
    long_list 0 ''
    is_empty err
}

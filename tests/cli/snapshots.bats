#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Which snapshot is meant, and what is shown of its names.

load helper

# Three snapshots: id 1 "one" of 10 clusters, id 2 "3" of 20, id 3 "two words" of 30.
three_snapshots() {
    image f <<'FIXTURE'
size 64M
map 0..9
snapshot one
map 10..19
snapshot "3"
map 20..29
snapshot "two words"
map 30..39
FIXTURE
}

# picks TEXT MAPPED: -s TEXT chooses the snapshot with so many mapped clusters, alone.
picks() {
    three_snapshots
    try qcow2frag --json -s "$1" f
    exits 0
    is <(json out '[t["mapped_clusters"] for t in i[0]["tables"]]') "[$2]"
}

@test "without an option the active state is measured" {
    three_snapshots
    try qcow2frag --json f
    is <(json out '[t["mapped_clusters"] for t in i[0]["tables"]]') "[40]"
}

@test "a snapshot by its id" { picks 2 20; }
@test "a snapshot by its name" { picks one 10; }
@test "a snapshot by a name of two words" { picks "two words" 30; }
@test "a snapshot by id: when the text is also a name" { picks id:3 30; }
@test "a snapshot by name: when the text is also an id" { picks name:3 20; }

@test "a snapshot may be named with --snapshot=" {
    three_snapshots
    try qcow2frag --json --snapshot=one f
    is <(json out '[t["snapshot"]["name"] for t in i[0]["tables"]]') '["one"]'
}

@test "a text that is one's id and another's name is refused, and both are listed" {
    three_snapshots
    try qcow2frag -s 3 f
    refused f 'id:3 name:two words'
    holds err 'id:2 name:3'
    not grep -q 'id:1' err
}

@test "two snapshots of one name are refused, and listed" {
    image f <<<'size 64M
map 0..9
snapshot same
snapshot same'
    try qcow2frag -s same f
    refused f 'id:1 name:same'
    holds err 'id:2 name:same'
}

@test "an unknown snapshot is refused, and those there are listed" {
    three_snapshots
    try qcow2frag -s nope f
    refused f '"nope"'
    holds err 'id:1 name:one'
    holds err 'id:2 name:3'
    holds err 'id:3 name:two words'
}

@test "id: takes no name, and name: no id" {
    three_snapshots
    try qcow2frag -s id:one f
    refused f
    try qcow2frag -s name:1 f
    refused f
}

@test "an unknown snapshot of an image without any" {
    fixture one-cluster
    try qcow2frag -s nope one-cluster.qcow2
    refused one-cluster.qcow2 '"nope"'
    holds err "none"
}

@test "an unknown snapshot with --json is an error in a whole document" {
    three_snapshots
    try qcow2frag --json -s nope f
    exits 1
    json out 'i[0]["error"]' | grep -q nope
}

@test "an unknown snapshot for map is refused, and those there are listed" {
    three_snapshots
    try qcow2frag map --list --json -s nope f
    refused f 'id:3 name:two words'
}

@test "of very many snapshots only a few are listed" {
    image f <<<'size 1M
cluster 4K
snapshots 200'
    try qcow2frag -s nope f
    refused f 'id:1 name:s1'
    [ "$(wc -c <err)" -lt 2000 ]
}

@test "--snapshot can be repeated, in any order" {
    three_snapshots
    try qcow2frag --json -s id:3 -s one -s name:3 f
    exits 0
    is <(json out '[t["mapped_clusters"] for t in i[0]["tables"]]') "[30, 10, 20]"
}

@test "one unknown snapshot of several refuses the image" {
    three_snapshots
    try qcow2frag -s one -s nope f
    refused f '"nope"'
}

@test "--all-snapshots is the active state, then each snapshot" {
    three_snapshots
    try qcow2frag --json --all-snapshots f
    is <(json out '[t["mapped_clusters"] for t in i[0]["tables"]]') "[40, 10, 20, 30]"
    try qcow2frag --json -S f
    is <(json out '[t["snapshot"] and t["snapshot"]["id"] for t in i[0]["tables"]]') '[null, "1", "2", "3"]'
}

@test "--all-snapshots of an image without any is the active state" {
    fixture reversed
    try qcow2frag --json -S reversed.qcow2
    exits 0
    is <(json out '[t["snapshot"] for t in i[0]["tables"]]') "[null]"
}

@test "more snapshots than are walked at once" {
    image f <<<'size 1M
cluster 4K
map 0..99
snapshots 150 change 5%'
    matches_oracle f
    is <(json ours.json 'len(i[0]["tables"])') 151
}

@test "a chosen snapshot has the disk size of its time" {
    fixture snapshot-l1-shorter
    try qcow2frag --json -s small snapshot-l1-shorter.qcow2
    is <(json out '[i[0]["tables"][0]["virtual_bytes"], i[0]["format"]["virtual_bytes"]]') \
        "[536870912, 4294967296]"
}

@test "the walk of a snapshot leaves its VM state out" {
    fixture vm-state
    try qcow2frag --json -s running vm-state.qcow2
    is <(json out 'i[0]["tables"][0]["mapped_clusters"]') 10
}

# ---- hostile names ----

hostile_snapshot() {
    image f <<'FIXTURE'
size 64M
map 0..9
snapshot "a\x1b[2Jb\nc\xff\\" id "\x07"
FIXTURE
}

@test "hostile names are escaped on the page" {
    hostile_snapshot
    try qcow2frag -S f
    exits 0
    holds out 'snapshot \x07 "a\x1b[2Jb\x0ac\xff\x5c"'
    not env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' out
}

@test "hostile names are escaped in the list of an error" {
    hostile_snapshot
    try qcow2frag -s nope f
    refused f 'id:\x07 name:a\x1b[2Jb\x0ac\xff\x5c'
    not env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' err
}

@test "a hostile text of the user is escaped in the message" {
    three_snapshots
    try qcow2frag -s $'x\x1b[2J\ny' f
    refused f
    not env LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' err
}

@test "hostile names are kept in JSON, but for bytes that are no UTF-8" {
    hostile_snapshot
    try qcow2frag --json -S f
    is <(json out 'ascii(i[0]["tables"][1]["snapshot"]["name"])') "'a\\x1b[2Jb\\nc\\ufffd\\\\'"
    is <(json out 'ascii(i[0]["tables"][1]["snapshot"]["id"])') "'\\x07'"
}

@test "a name with a NUL in it is not cut" {
    image f <<<'size 64M
snapshot "ab\x00cd"'
    try qcow2frag -S f
    holds out '"ab\x00cd"'
    try qcow2frag --json -S f
    is <(json out 'ascii(i[0]["tables"][1]["snapshot"]["name"])') "'ab\\ufffdcd'"
}

@test "a hostile name can be chosen by its id" {
    hostile_snapshot
    try qcow2frag --json -s $'id:\x07' f
    is <(json out '[t["mapped_clusters"] for t in i[0]["tables"]]') "[10]"
}

@test "a name of 65,535 bytes is damage, is cut, and does not burst a message" {
    image f <<<"size 64M
snapshot $(head -c 65535 /dev/zero | tr '\0' x)"
    try qcow2frag --json -S f
    exits 2
    is <(json out 'len(i[0]["tables"][1]["snapshot"]["name"])') 255
    try qcow2frag -s nope f
    refused f
    [ "$(wc -c <err)" -lt 2000 ]
}

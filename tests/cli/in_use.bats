#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An image that somebody else has open: it is measured and said to be in use, and nobody notices.

load helper
load holders

setup() {
    enter_scratch
    needs qemu-img qemu-io python3
    export PYTHONPATH=$TESTS/oracle:$TESTS/cli PYTHONDONTWRITEBYTECODE=1
    fixture shuffled-groups
    mv shuffled-groups.qcow2 disk.qcow2
}

# ---- who holds the image ----

# is_locked FILE: by anyone, for what the system tells.
is_locked() { grep -q ":$(stat -c %i "$1") " /proc/locks; }

# ---- what is said of it ----

# says_in_use VALUE [FILE]
says_in_use() {
    try qcow2frag --json "${2:-disk.qcow2}"
    exits 0
    is <(json out 'i[0]["in_use"]') "$1"
    is <(json out '[i[0]["complete"], i[0]["error"]]') "[true, null]"
}

# page_says TEXT [FILE]: in its line "in use"; without a text there must be no such line.
page_says() {
    try qcow2frag "${2:-disk.qcow2}"
    exits 0
    is_empty err
    if [ -n "$1" ]; then
        grep -E '^ *in use' out | grep -qF -- "$1" || told "not told: $1" out
    else
        not grep -E '^ *in use' out
    fi
}

figures() { json out '{**i[0], "measured_at": 0, "in_use": 0}'; }

@test "nobody holds it" {
    says_in_use false
    page_says ""
}

@test "QEMU holds it for writing" {
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    says_in_use true
    page_says "may be written to"
    page_says "a moment old"
}

@test "QEMU has gone again" {
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    says_in_use true
    qmp quit
    wait "${holders[0]}"
    says_in_use false
    page_says ""
}

@test "QEMU holds it for reading" {
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2,readonly=on
    says_in_use true
    page_says "by readers"
}

@test "QEMU holds it as a backing file, for reading" {
    qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
    qemu -drive if=none,id=disk,file=overlay.qcow2,format=qcow2
    says_in_use true
    page_says "by readers"
    says_in_use true overlay.qcow2
    page_says "may be written to" overlay.qcow2
}

@test "QEMU holds it without taking locks" {
    qemu -blockdev driver=file,node-name=f,filename=disk.qcow2,locking=off \
        -blockdev driver=qcow2,node-name=disk,file=f
    ! is_locked disk.qcow2 || told "it takes locks all the same"
    says_in_use false
    page_says ""
}

@test "qemu-io holds it for writing" {
    qemu_io -f qcow2 disk.qcow2
    says_in_use true
    page_says "may be written to"
    exec 4>&-
    wait "${holders[0]}"
    says_in_use false
}

@test "qemu-io holds it for reading" {
    qemu_io -r -f qcow2 disk.qcow2
    says_in_use true
    page_says "by readers"
    exec 4>&-
}

@test "qemu-io holds it for reading, and shares everything" {
    qemu_io -r -U -f qcow2 disk.qcow2
    says_in_use true
    page_says "by readers"
    exec 4>&-
}

@test "the figures are those of the same image at rest" {
    try qcow2frag --json disk.qcow2
    figures >rest.json
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    try qcow2frag --json disk.qcow2
    figures >held.json
    diff rest.json held.json
}

@test "a lock of another program on another byte is no use" {
    python3 - "$QCOW2FRAG" <<'PYTHON'
import fcntl, json, subprocess, sys
image = open("disk.qcow2", "r+b")
fcntl.lockf(image, fcntl.LOCK_EX, 1, 0)  # a lock that libvirt takes
out = subprocess.run([sys.argv[1], "--json", "disk.qcow2"], stdout=subprocess.PIPE, check=True).stdout
assert json.loads(out)["images"][0]["in_use"] is False
PYTHON
}

@test "of two images one is in use" {
    cp disk.qcow2 other.qcow2
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    try qcow2frag --json other.qcow2 disk.qcow2
    is <(json out '[x["in_use"] for x in i]') "[false, true]"
}

# ---- nobody notices ----

@test "QEMU starts, takes snapshots, commits and stops while we measure without a pause" {
    needs qemu-system-x86_64
    qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
    python3 - "$QCOW2FRAG" >measured 3>&- <<'PYTHON' &
import os, subprocess, sys
n = 0
while not os.path.exists("stop"):
    for image in "disk.qcow2", "overlay.qcow2", "top.qcow2":
        if os.path.exists(image):
            status = subprocess.run([sys.argv[1], "--json", "--all-snapshots", image], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
            if status < 0:
                print(f"died of signal {-status}")
            n += 1
print(n)
PYTHON
    holders+=($!)
    python3 - <<'PYTHON'
import os, subprocess, qmp
for turn in range(6):
    if os.path.exists("qmp.sock"):
        os.unlink("qmp.sock")
    vm = subprocess.Popen(["qemu-system-x86_64", "-S", "-M", "none", "-nodefaults", "-display", "none", "-qmp",
                           "unix:qmp.sock,server=on", "-drive",
                           "if=none,id=disk,file=overlay.qcow2,format=qcow2"], stderr=subprocess.PIPE)
    with qmp.Qmp("qmp.sock") as q:
        q.run("blockdev-snapshot-internal-sync", device="disk", name=f"s{turn}")
        q.io("disk", f"write -P {turn + 1} {turn}M 256k")
        if os.path.exists("top.qcow2"):
            os.unlink("top.qcow2")
        q.run("blockdev-snapshot-sync", device="disk", snapshot_file="top.qcow2", format="qcow2")
        q.io("disk", f"write -P {turn + 2} {turn + 1}M 256k")
        q.commit("disk")  # top.qcow2 into overlay.qcow2
        q.quit()
    assert vm.wait() == 0, vm.stderr.read()
    said = [line for line in vm.stderr if b"waiting for connection" not in line]
    assert not said, said
PYTHON
    touch stop
    wait "${holders[0]}"
    ! grep died measured || told "a measurement crashed"
    [ "$(tail -1 measured)" -gt 10 ] || told "hardly measured" measured
    qemu-img check -q overlay.qcow2
}

# ---- heavy load ----

# measured_under_load COMMAND ...: 200 times, while the command works on disk.qcow2 until the file
# stop appears. Never a crash, never damage, always a whole document. One in ten is a program that was started for
# that, the others are of one (again.py), which leaves more of the processors to who writes.
measured_under_load() {
    "$@" >load.log 2>&1 3>&- &
    holders+=($!)
    for _ in {1..200}; do
        ! is_locked disk.qcow2 || break
        sleep 0.05
    done
    python3 - "$QCOW2FRAG" <<'PYTHON'
import collections, json, sys, time
from again import Again
seen = collections.Counter()
arguments = ["--json", "--all-snapshots", "disk.qcow2"]

process = Again(sys.argv[1])
for turn in range(200):
    if process.is_kept and turn % 10:
        time.sleep(0.01)
    status, out, err, *_ = process.run(*arguments, how="here" if turn % 10 else "start")
    assert status == 0, f"turn {turn}: status {status}: {err} {out[-2000:]}"
    assert not err, err
    image, = json.loads(out)["images"]
    assert image["error"] is None
    damage = [finding for finding in image["findings"] if finding["severity"] == "error"]
    assert not damage, f"turn {turn}: {damage}"
    for table in image["tables"]:
        if table["mapped_clusters"] is not None:
            assert table["breaks"] == table["backward_steps"] + table["forward_jumps"]
    seen["in use"] += image["in_use"]
    seen["incomplete"] += not image["complete"]
    seen[f"{len(image['tables'])} tables"] += 1
    seen[f"mapped {image['tables'][0]['mapped_clusters']}"] += 1
process.end()
mapped = sum(1 for key in seen if key.startswith("mapped"))
print({key: n for key, n in seen.items() if not key.startswith("mapped")}, mapped, "different states")
assert seen["in use"] > 20, "the load did not hold the image"
assert mapped > 10, "the load changed little"
PYTHON
    touch stop
    wait "${holders[0]}" || told "the load failed" load.log
}

small_disk() {
    rm disk.qcow2
    qemu-img create -q -f qcow2 -o "$1" disk.qcow2 128M
}

bench_until_stop() {
    local n=0

    # Its end after a few hundred writes is a flush; what it opens next is a grown image.
    until [ -e stop ]; do
        n=$((n + 1))
        qemu-img bench -q -w -f qcow2 -c 300 -d 16 -s 4096 -S $((65536 * 7 + 4096)) -o $((n * 131072 % 67108864)) \
            --flush-interval=20 disk.qcow2
    done
}

@test "200 measurements under qemu-img bench" {
    small_disk cluster_size=4k
    measured_under_load bench_until_stop
    qemu-img check -q disk.qcow2
}

@test "200 measurements under qemu-img bench, with lazy refcounts" {
    small_disk cluster_size=4k,lazy_refcounts=on
    measured_under_load bench_until_stop
}

snapshots_until_stop() {
    python3 - <<'PYTHON'
import os, random, subprocess, qmp
vm = subprocess.Popen(["qemu-system-x86_64", "-S", "-M", "none", "-nodefaults", "-display", "none", "-qmp",
                       "unix:qmp.sock,server=on", "-drive",
                       "if=none,id=disk,file=disk.qcow2,format=qcow2,discard=unmap"])
pick = random.Random(1)
names, n = [], 0
with qmp.Qmp("qmp.sock") as q:
    while not os.path.exists("stop"):
        n += 1
        for _ in range(6):
            q.io("disk", f"write -P {n % 255 + 1} {pick.randrange(2000) * 65536} {pick.choice((4, 64, 256))}k")
        q.io("disk", f"discard {pick.randrange(120)}M {pick.randrange(1, 8)}M")
        if n % 3 == 0:
            q.io("disk", "flush")
        if len(names) < 4:
            names.append(f"s{n}")
            q.run("blockdev-snapshot-internal-sync", device="disk", name=names[-1])
        else:
            name = names.pop(pick.randrange(len(names)))
            q.run("blockdev-snapshot-delete-internal-sync", device="disk", name=name)
    q.quit()
assert vm.wait() == 0
print(n, "turns")
PYTHON
}

@test "200 measurements of many tables while QEMU takes and deletes snapshots, writes and discards" {
    needs qemu-system-x86_64
    small_disk cluster_size=4k,preallocation=metadata
    measured_under_load snapshots_until_stop
    qemu-img check -q disk.qcow2
}

@test "200 measurements of few tables while QEMU does the same, with lazy refcounts" {
    needs qemu-system-x86_64
    small_disk cluster_size=64k,lazy_refcounts=on
    measured_under_load snapshots_until_stop
    qemu-img check -q disk.qcow2
}

# ---- the space of the file ----

# space_key KEY: of disk.qcow2 as it is now.
space_key() {
    qcow2frag --json --space disk.qcow2 >space.json
    json space.json "i[0]['space']['$1']"
}

@test "refcounts are not judged while somebody may be writing" {
    image disk.qcow2 <<'FIXTURE'
size 64M
map 0..9
leak 3
map 10..19
refcount 5 0
FIXTURE
    is <(space_key leaked_bytes) 196608
    is <(json space.json '[x["code"] for x in i[0]["findings"]]') '["refcount-too-low"]'
    end=$(space_key end_offset_bytes)
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    is <(space_key leaked_bytes) null
    is <(space_key free_bytes) 196608
    is <(space_key end_offset_bytes) "$end"
    is <(json space.json 'i[0]["findings"]') '[]'
    qcow2frag --space disk.qcow2 | grep -q '^    leaked  *-  not known'
}

@test "refcounts are judged while others only read" {
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2,readonly=on
    is <(space_key leaked_bytes) 0
}

@test "a table on data is no damage while somebody may be writing" {
    image disk.qcow2 <<'FIXTURE'
size 64M
map 0..9
poke be64 l2[5] l1
FIXTURE
    try qcow2frag --json --space disk.qcow2
    exits 2
    is <(json out '[x["code"] for x in i[0]["findings"]]') '["data-overlap"]'
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    try qcow2frag --json --space disk.qcow2
    exits 0
    is <(json out 'i[0]["findings"]') '[]'
}

# ---- block devices ----

# on_device WRITES-OR-NOTHING [FIXTURE-LINE]: measures a loop device that has a table of each of 16 L1
# entries, while a program holds QEMU's locks for writing on it, and, with "writes", puts its L1 entries in
# another order again and again. Into out: its JSON; into looks: how often its header was read.
# A device tells no times of writing: only what is compared can tell that it was written to.
on_device() {
    needs_root
    needs losetup strace
    { echo "size 8G"; seq -f "map %.0f" 0 8192 131071; echo "${2:-}"; } | image image.qcow2
    ASAN_OPTIONS=detect_leaks=0 python3 - "$QCOW2FRAG" "$1" >looks 2>log <<'PYTHON' || { [ "$?" != 77 ] || skip "$(cat log)"; told "failed:" log; }
import fcntl, os, random, re, struct, subprocess, sys, threading
made = subprocess.run(["losetup", "--find", "--show", "image.qcow2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
if made.returncode:
    print("no loop devices:", made.stderr, file=sys.stderr)
    sys.exit(77)
device = made.stdout.strip()
held = os.open(device, os.O_RDWR)
over = threading.Event()

def write():
    at, = struct.unpack(">Q", os.pread(held, 8, 40))
    entries = [os.pread(held, 8, at + 8 * n) for n in range(16)]
    while not over.is_set():
        random.shuffle(entries)
        os.pwrite(held, b"".join(entries), at)
        over.wait(0.0005)

try:
    for byte in (100, 101, 103, 201, 203):
        fcntl.fcntl(held, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, byte, 1, 0))  # F_OFD_SETLK
    writer = threading.Thread(target=write)
    if sys.argv[2] == "writes":
        writer.start()
    with open("out", "w") as out:  # each read takes its time, so that the writer comes in between
        measured = subprocess.run(["strace", "-f", "-qq", "-e", "trace=preadv2,io_uring_enter", "-e", "inject=preadv2:delay_exit=3000",
                                   "-o", "trace", sys.argv[1], "--json", "--no-host", device], stdout=out)
    over.set()
    print(sum("QFI" in line for line in open("trace")))
    sys.exit(0 if measured.returncode in (0, 2) else 1)
finally:
    over.set()
    os.close(held)
    subprocess.run(["losetup", "--detach", device])
PYTHON
    [ "$(cat looks)" -ge 1 ] || skip "strace does not see the reads here"
}

codes() { json out '[[x["code"] for x in i[0]["findings"]], i[0]["in_use"], i[0]["error"]]'; }

@test "a block device that changes while it is measured is looked at again, and said to change" {
    on_device writes
    is <(codes) '[["image-changing"], true, null]'
    [ "$(cat looks)" -ge 8 ] || told "the header was read only $(cat looks) times" # four attempts
}

@test "a block device that is locked, and does not change, is looked at once" {
    on_device nothing
    is <(codes) '[[], true, null]'
    [ "$(cat looks)" -le 4 ] || told "the header was read $(cat looks) times"
}

@test "damage of a block device that is locked, and does not change, is believed at once" {
    on_device nothing "poke be64 l2[5] |1<<56"
    is <(codes) '[["l2-reserved-bits"], true, null]'
    [ "$(cat looks)" -le 4 ] || told "the header was read $(cat looks) times"
}

# ---- the list of runs ----

@test "a list of an image in use is that of the image at rest, with a note" {
    qcow2frag map --list disk.qcow2 >rest
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2
    try qcow2frag map --list disk.qcow2
    exits 0
    diff rest out
    is err "qcow2frag: disk.qcow2: in use, and may be written to: the list may be a moment old"
}

@test "a list of an image that is only read needs no note" {
    qemu -drive if=none,id=disk,file=disk.qcow2,format=qcow2,readonly=on
    try qcow2frag map --list disk.qcow2
    exits 0
    is_empty err
}

@test "a list of a backing file's overlay in use says so, too" {
    qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
    qemu -drive if=none,id=disk,file=overlay.qcow2,format=qcow2
    try qcow2frag map --list --chain overlay.qcow2
    exits 0
    holds err "in use, and may be written to"
}

# A list is made by whoever reads it slowly, as a pager does, while QEMU comes, writes and goes.
@test "lists into a pipe that nobody reads yet are of one state, while QEMU comes and writes" {
    needs qemu-system-x86_64
    small_disk cluster_size=64k
    snapshots_until_stop >load.log 2>&1 3>&- &
    holders+=($!)
    python3 - "$QCOW2FRAG" <<'PYTHON'
import json, subprocess, sys, time
pause, notes = 0.05, 0
for turn in range(30):
    run = subprocess.Popen([sys.argv[1], "map", "--list", "--json", "--no-host", "disk.qcow2"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(pause)
    out, err = run.communicate()
    assert run.returncode == 0, (turn, run.returncode, err)
    notes += len(err.splitlines())
    assert all(b": in use, and" in line or b"was changing" in line for line in err.splitlines()), err
    end = 0
    for line in map(json.loads, out.splitlines()):
        assert line["guest_offset"] >= end
        end = line["guest_offset"] + line["length"]
assert notes > 5, "the load did not hold the image"
PYTHON
    touch stop
    wait "${holders[0]}" || told "the load failed" load.log
    qemu-img check -q disk.qcow2
}

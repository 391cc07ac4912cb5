#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Who has the image open makes defrag refuse, and while it is at work nobody else gets it: with QEMU itself.

load helper
load holders

setup() {
    enter_scratch
    needs qemu-img qemu-io python3
    export PYTHONPATH=$TESTS/oracle PYTHONDONTWRITEBYTECODE=1
    fixture reversed
    mkdir folder
    mv reversed.qcow2 folder/image
    cp folder/image copy
}

# holds_open PYTHON [MODE]: a program that runs this with the image open as "image", and stays until it is killed.
holds_open() {
    python3 -c "
import fcntl, os, struct, time
mode = '${2:-rb}'
image = open('folder/image', mode)
def lock(kind, byte, command=37):  # F_OFD_SETLK
    fcntl.fcntl(image, command, struct.pack('hhqqi4x', kind, 0, byte, 1, 0))
$1
open('ready', 'w').close()
time.sleep(60)
" 3>&- &
    holders+=($!)
    until [ -e ready ]; do sleep 0.02; done
}

# is_busy WHO [OPTION ...]: refused, WHO is named, and nothing was changed.
is_busy() {
    try qcow2frag defrag "${@:2}" folder/image
    refused folder/image "it is in use by $1"
    holds err "; end that, and begin again"
    cmp copy folder/image
    [ "$(ls -A folder)" = image ] || told "in the folder: $(ls -A folder)"
}

# writes WHO [OPTIONS ...]: refused, with and without these, since WHO has it open, though without a lock.
writes() {
    local options
    for options in '' "${@:2}"; do
        try qcow2frag defrag $options folder/image
        refused folder/image "$1"
        holds err "has it open, without a lock; end that, and begin again"
    done
    cmp copy folder/image
    [ "$(ls -A folder)" = image ]
}

is_done() {
    try qcow2frag defrag "$@" folder/image
    exits 0
    is_empty err
}

# ---- who has it open ----

@test "a VM that writes to it, with its name" {
    qemu -name web,debug-threads=on -drive if=none,id=disk,file=folder/image,format=qcow2
    is_busy "qemu-system-x86_64 (process ${holders[0]}, guest web)"
    is_busy "qemu-system-x86_64 (process ${holders[0]}, guest web)" -o new
    [ ! -e new ]
}

@test "a domain of libvirt, by its name" {
    qemu -name guest=a,,b,debug-threads=on -drive if=none,id=disk,file=folder/image,format=qcow2
    is_busy "qemu-system-x86_64 (process ${holders[0]}, libvirt domain a,b)"
}

@test "a VM that reads it: it may be copied, but not replaced" {
    qemu -drive if=none,id=disk,file=folder/image,format=qcow2,readonly=on
    is_busy "qemu-system-x86_64 (process ${holders[0]})"
    is_done -o new
}

@test "a VM above it, whose backing file it is: it may be copied, but not replaced" {
    qemu-img create -q -f qcow2 -b image -F qcow2 folder/overlay
    qemu -drive if=none,id=disk,file=folder/overlay,format=qcow2
    mkdir aside
    mv folder/overlay aside
    is_busy "qemu-system-x86_64 (process ${holders[0]})"
    is_done -o new
}

@test "the target of a mirror: what is there means nothing yet" {
    needs qemu-system-x86_64
    qemu-img create -q -f qcow2 source 64M
    qemu -drive if=none,id=disk,file=source,format=qcow2
    qmp drive-mirror '{"device": "disk", "target": "folder/image", "sync": "full", "mode": "existing"}'
    try qcow2frag defrag folder/image
    refused folder/image "it is in use by qemu-system-x86_64 (process ${holders[0]})"
    try qcow2frag defrag -o new folder/image
    refused folder/image "it is in use by qemu-system-x86_64 (process ${holders[0]})"
}

@test "a program of QEMU that reads and shares everything" {
    qemu_io -r -U -f qcow2 folder/image
    is_busy "qemu-io (process ${holders[0]})"
    is_done -o new
    exec 4>&-
}

@test "virtlockd, which locks byte 0: alone, or shared with others" {
    holds_open 'fcntl.lockf(image, fcntl.LOCK_EX, 1, 0)' r+b
    is_busy "python3"
    is_busy "python3" -o new
    kill "${holders[0]}"
    wait "${holders[0]}" || true
    rm ready
    holds_open 'lock(fcntl.F_RDLCK, 0)'
    is_busy "python3"
    is_done -o new
}

@test "each byte of QEMU, whoever locked it" {
    local byte
    for byte in 100 101 102 103 104 200 201 202 203 204; do
        rm -f ready
        holds_open "lock(fcntl.F_RDLCK, $byte)"
        is_busy "python3"
        kill "${holders[-1]}"
        wait "${holders[-1]}" || true
    done
    is_done
}

@test "other bytes are no locks of images" {
    holds_open 'lock(fcntl.F_RDLCK, 1); lock(fcntl.F_RDLCK, 99); lock(fcntl.F_RDLCK, 105); lock(fcntl.F_RDLCK, 205)'
    is_done -o new
}

@test "a VM that takes no locks, and one that waits for its migration" {
    qemu -blockdev driver=file,node-name=f,filename=folder/image,locking=off -blockdev driver=qcow2,node-name=disk,file=f
    writes "qemu-system-x86_64 (process ${holders[0]})" "-o new"
    qmp quit
    wait "${holders[0]}"
    qemu -incoming defer -drive if=none,id=disk,file=folder/image,format=qcow2
    writes "qemu-system-x86_64 (process ${holders[1]})"
}

@test "any program that has it open to write" {
    exec 5<>folder/image
    writes "bash" "-o new"
    exec 5>&- 5<folder/image
    is_done -o new
    exec 5>&-
}

@test "--skip-in-use leaves it out, which is no failure, and says why" {
    cp copy folder/other
    qemu -name web,debug-threads=on -drive if=none,id=disk,file=folder/image,format=qcow2
    try qcow2frag defrag --skip-in-use folder
    exits 0
    is_empty err
    holds out "1 skipped"
    holds out "1 done"
    cmp copy folder/image
    ! cmp -s copy folder/other || told "it was not rewritten"
    try qcow2frag defrag --skip-in-use folder/image
    exits 0
    holds out "guest web"
    try qcow2frag defrag --skip-in-use --json folder/image
    [ "$(json out 'd["defrag"][0]["state"]')" = skipped ]
    qmp quit
    wait "${holders[0]}"
    exec 5<>folder/image
    try qcow2frag defrag --skip-in-use folder/image
    exits 0
    holds out "bash"
    exec 5>&-
}

@test "who opens it to write while it is copied" {
    try qcow2frag defrag --check-command 'sleep 30 5<>folder/image & echo $! >pid; while [ ! -e "/proc/$!/fd/5" ]; do :; done #' \
        folder/image
    kill "$(cat pid)"
    refused folder/image "sleep (process $(cat pid)) has it open, without a lock; end that, and begin again"
    cmp copy folder/image
    [ "$(ls -A folder)" = image ]
}

@test "of two that begin at the same moment one does it, the other one is told" {
    local n done=0 busy=0
    for n in 1 2 3; do
        "$QCOW2FRAG" defrag --force --rate-limit 20M -q folder/image 2>first 3>&- &
        "$QCOW2FRAG" defrag --force --rate-limit 20M -q folder/image 2>second 3>&- && done=$((done + 1)) || busy=$((busy + 1))
        wait $! && done=$((done + 1)) || busy=$((busy + 1))
        not grep -v "folder/image: it is in use by qcow2frag (process" first second
        qemu-img compare -q copy folder/image
    done
    [ "$done" -ge 3 ] || told "$done were done, $busy were told"
    [ "$(ls -A folder)" = image ]
}

# ---- while it is at work ----

# meanwhile COMMAND: in the moment before the switch; what it finds must be said by its status.
meanwhile() {
    printf '#!/bin/sh\ncd "%s"\n%s\n' "$BATS_TEST_TMPDIR" "$1" >during
    chmod +x during
    try qcow2frag defrag --force "${@:2}" --check-command './during #' folder/image
    exits 0
}

@test "nobody opens the image meanwhile" {
    meanwhile '
! qemu-io -f qcow2 -c length folder/image 2>write.log &&
! qemu-io -r -f qcow2 -c length folder/image 2>read.log &&
! qemu-img check -U folder/image 2>check.log &&
! qemu-img convert -U -O raw folder/image raw 2>convert.log &&
! qemu-img snapshot -c s folder/image 2>snapshot.log'
    local log
    for log in write read check convert snapshot; do
        holds $log.log 'Failed to get'
    done
    is_done --force
}

@test "no VM starts with it meanwhile, nor with an overlay of it" {
    needs qemu-system-x86_64
    qemu-img create -q -f qcow2 -b image -F qcow2 folder/overlay
    meanwhile '
start() { timeout 20 qemu-system-x86_64 -S -M none -nodefaults -display none -drive if=none,file=$1,format=qcow2; }
! start folder/image 2>image.log && ! start folder/overlay 2>overlay.log'
    holds image.log 'Failed to get'
    holds overlay.log 'Failed to get'
    qemu -drive if=none,id=disk,file=folder/overlay,format=qcow2
}

@test "with --output nobody writes to it meanwhile, but it may be read" {
    meanwhile '
! qemu-io -f qcow2 -c length folder/image 2>write.log && qemu-io -r -f qcow2 -c length folder/image >log' -o new
    holds write.log 'Failed to get "write" lock'
    is_done -o new --overwrite --force
}

@test "nobody opens the new image before it has its name for good" {
    meanwhile '! qemu-io -f qcow2 -c length "$QCOW2FRAG_IMAGE" 2>write.log && qemu-io -r -f qcow2 -c length \
"$QCOW2FRAG_IMAGE" >log'
    holds write.log 'Failed to get "write" lock'
}

@test "the locks are gone when it is done" {
    is_done
    not grep -q ":$(stat -c %i folder/image) " /proc/locks
    qemu-io -f qcow2 -c 'write 0 64k' folder/image >log
}

# ---- who opens the old file in the moment before it is replaced ----

# late MODE SECONDS [USER]: somebody opens it so after the last look, and closes it after so many seconds. Tells in
# "answer" whether its locks were held then, and how long it took the program to end: "waited" until that. USER: the
# program is that user's, and cannot see who it is.
late() {
    local log=$PWD/calls number

    [ -r "${CALLS:-}" ] || skip "no calls.so"
    mkdir -p bin
    cp "$QCOW2FRAG" bin/qcow2frag
    cp "$CALLS" bin/calls.so
    export ASAN_OPTIONS="verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
    CALLS_LOG=$log LD_PRELOAD=$PWD/bin/calls.so bin/qcow2frag defrag -q folder/image
    number=$(awk '$2 == "exchange" { print $1 }' calls)
    [ -n "$number" ] || skip "names cannot change places here"
    cp copy folder/image
    [ $# -lt 3 ] || chown -R "$3:$3" folder
    python3 - "$1" "$2" "$number" "${3:-}" <<'PYTHON'
import fcntl, os, signal, struct, subprocess, sys, time
mode, seconds, number, user = sys.argv[1:]
environment = dict(os.environ, LD_PRELOAD=os.getcwd() + "/bin/calls.so", CALLS_AT=number, CALLS_DO="stop")
who = {"user": int(user), "group": int(user), "extra_groups": []} if user else {}
program = subprocess.Popen(["bin/qcow2frag", "defrag", "folder/image"], env=environment, stdout=open("out", "w"),
                           stderr=open("err", "w"), **who)
os.waitpid(program.pid, os.WUNTRACED)
image = open("folder/image", "rb" if mode == "qemu" else mode)
if mode == "qemu":  # a program of that name
    qemu = subprocess.Popen(["./qemu-late", "60"], stdin=image)
program.send_signal(signal.SIGCONT)
while os.stat("folder/image").st_ino == os.fstat(image.fileno()).st_ino:
    time.sleep(0.005)
flock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 201, 1, 0)
kind = struct.unpack("hhqqi4x", fcntl.fcntl(image, 36, flock))[0]  # F_OFD_GETLK
began = time.monotonic()
try:
    program.wait(float(seconds))
    how = "%d s" % (time.monotonic() - began)
except subprocess.TimeoutExpired:
    image.close()
    if mode == "qemu":
        qemu.kill()
        qemu.wait()
    how = "waited"
with open("answer", "w") as answer:
    print("free" if kind == fcntl.F_UNLCK else "locked", how, file=answer)
sys.exit(program.wait(60))
PYTHON
}

@test "who opened it to write is shut out, and the program waits until it has gone" {
    late r+b 0.5
    is answer "locked waited"
    is_empty err
}

@test "who opened it to write and does not go is named, after ten seconds" {
    late r+b 60
    grep -qx 'locked 1[01] s' answer || told "it was" answer
    grep -qxE "qcow2frag: folder/image: was replaced, but python3 \(process [0-9]+\) still has the old file open: what it \
writes there is lost" err || told "it is not said:" err
}

@test "who only reads it is not waited for" {
    local began=$SECONDS
    late rb 5
    grep -q ' 0 s$' answer || told "it was" answer
    is_empty err
}

@test "a QEMU that opened it only to read is waited for: what it has in memory of it would be old" {
    cp "$(command -v sleep)" qemu-late
    late qemu 0.5
    is answer "locked waited"
    is_empty err
}

@test "one that this user may not see is waited for, too" {
    needs_root
    open_scratch
    late r+b 0.5 65534
    is answer "locked waited"
    is_empty err
    late rb 0.5 65534
    is answer "locked waited"
}

@test "one that this user may not see, and that has it open to write, makes it refuse" {
    needs_root
    open_scratch
    chown -R 65534:65534 folder
    exec 5<>folder/image
    try as_user ./program defrag folder/image
    exec 5>&-
    refused folder/image "a program that the system does not tell of has it open, without a lock; end that, and begin again"
    exec 5<folder/image
    as_user ./program defrag -q folder/image
    exec 5>&-
}

@test "a device that the file is the storage of makes it refuse" {
    needs_root
    needs losetup
    local device
    device=$(losetup -f --show folder/image 2>/dev/null) || skip "no loop devices"
    try qcow2frag defrag folder/image
    losetup -d "$device"
    refused folder/image "a program that the system does not tell of has it open, without a lock"
}

@test "where that cannot be asked the locks are held a little longer, and that is said" {
    needs_root
    needs setpriv
    chown 65534 folder/image
    local began=$SECONDS
    try setpriv --bounding-set -lease --inh-caps -lease "$QCOW2FRAG" defrag folder/image
    exits 0
    [ $((SECONDS - began)) -ge 1 ]
    holds out "who else has the old file open could not be found out here: its locks were held 2 seconds longer"
    is_empty err
}

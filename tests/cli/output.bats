#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where the result goes with -o: whole or not at all, over no image, and nothing is left behind.

load helper

# ---- -o ----

@test "-o writes the result into a file, and nothing to stdout" {
    fixture reversed
    qcow2frag reversed.qcow2 >expected
    try qcow2frag -o result reversed.qcow2
    exits 0
    is_empty out
    is_empty err
    diff expected result
}

@test "-o is the same for every format and for map" {
    fixture reversed
    local options
    for options in "--format csv" "map --list" "map --list --json"; do
        qcow2frag $options reversed.qcow2 >expected
        qcow2frag $options -o result reversed.qcow2
        diff expected result
    done
}

@test "-o replaces an old file, and leaves nothing else in the folder" {
    mkdir folder
    fixture reversed
    seq 100000 >folder/result
    try qcow2frag --format csv --noheadings --columns BACK -o folder/result reversed.qcow2
    exits 0
    is folder/result 99
    is <(ls -A folder) result
}

@test "-o makes a file with the usual permissions" {
    fixture reversed
    (umask 027 && qcow2frag -o result reversed.qcow2)
    [ "$(stat -c %a result)" = 640 ]
}

# keeps_old STATUS OPTION ...: with -o old/result; the old file is as it was, and alone.
keeps_old() {
    local expected=$1

    shift
    mkdir old
    echo "the old result" >old/result
    try qcow2frag "$@" -o old/result
    exits "$expected"
    is old/result "the old result"
    is <(ls -A old) result
    is_empty out
}

@test "-o keeps the old file when the image cannot be measured" {
    keeps_old 1 missing
    holds err "missing"
}

@test "-o keeps the old file when the runs cannot be listed" {
    keeps_old 1 map --list missing
    holds err "missing"
}

@test "-o keeps the old file when the snapshot is unknown" {
    fixture reversed
    keeps_old 1 map --list -s nope reversed.qcow2
    holds err '"nope"'
}

@test "-o with --json writes the whole document, errors and all" {
    needs python3
    try qcow2frag --json -o result missing
    exits 1
    is_empty out
    json result 'i[0]["error"]' | grep -q "No such file"
}

# cannot_write FILE TEXT: status 1, and a message that names the file.
cannot_write() {
    exits 1
    is_empty out
    [ "$(wc -l <err)" = 1 ]
    grep -q "^qcow2frag: .*$1.*$2" err || told "message:" err
}

@test "-o into a folder that is not there" {
    fixture reversed
    try qcow2frag -o nowhere/result reversed.qcow2
    cannot_write nowhere/result "No such file"
    try qcow2frag map --list -o nowhere/result reversed.qcow2
    cannot_write nowhere/result "No such file"
}

@test "-o onto a folder" {
    fixture reversed
    mkdir folder
    try qcow2frag -o folder reversed.qcow2
    cannot_write folder "directory"
    is_empty_folder folder
}

@test "-o into a folder that may not be written to" {
    fixture reversed
    mkdir closed
    open_scratch
    chmod 0555 closed
    try as_user ./program -o closed/result reversed.qcow2
    cannot_write closed/result "Permission denied"
}

@test "-o /dev/full" {
    fixture reversed
    try qcow2frag -o /dev/full reversed.qcow2
    cannot_write /dev/full "No space left"
    try qcow2frag map --list -o /dev/full reversed.qcow2
    cannot_write /dev/full "No space left"
    [ -c /dev/full ]
}

@test "-o /dev/null" {
    fixture reversed
    try qcow2frag -o /dev/null reversed.qcow2
    exits 0
    [ -c /dev/null ]
}

# on_full_disk OPTION ...: with -o result on a disk that has room for the old file only.
on_full_disk() {
    needs unshare
    unshare -rm mount -t tmpfs none /mnt 2>/dev/null || skip "no mounts of its own"
    cat >script <<'SCRIPT'
mount -t tmpfs -o size=64k none /mnt
echo "the old result" >/mnt/result
head -c 128k /dev/zero >/mnt/rest
"$@" -o /mnt/result
echo $? >status
cp /mnt/result kept
ls -A /mnt >left
SCRIPT
    unshare -rm sh script "$QCOW2FRAG" "$@" >out 2>all_messages
    grep -v '^head: ' all_messages >err || true
    status=$(cat status)
    is kept "the old result"
    is left "rest
result"
    cannot_write /mnt/result "No space left"
}

@test "-o to a full disk keeps the old file and leaves no other" {
    fixture shuffled-single
    on_full_disk --json shuffled-single.qcow2
}

@test "-o of a list of runs to a full disk keeps the old file and leaves no other" {
    fixture shuffled-single
    on_full_disk map --list shuffled-single.qcow2
}

# ---- what is not replaced ----

# others LIST: the files of a list of ls that no test makes by itself.
others() { grep -vE '^total| (out|err|before|after)$' "$1"; }

# keeps FILE OPTION ...: with -o FILE; status 1, one message that names it, and it is as it was.
keeps() {
    local file=$1

    shift
    cp -L "$file" copy
    ls -Ail >before
    try qcow2frag "$@" -o "$file"
    exits 1
    is_empty out
    [ "$(wc -l <err)" = 1 ] || told "not one message:" err
    holds err "qcow2frag: cannot write $file: "
    cmp "$file" copy
    ls -Ail >after
    diff <(others before) <(others after)
}

@test "-o does not replace the image that is measured" {
    fixture reversed
    keeps reversed.qcow2 reversed.qcow2
    keeps reversed.qcow2 --json reversed.qcow2
    keeps reversed.qcow2 map --list reversed.qcow2
}

@test "-o does not replace the image under another name" {
    fixture reversed
    ln reversed.qcow2 hard
    ln -s reversed.qcow2 soft
    ln -s "$PWD/soft" softer
    keeps hard reversed.qcow2
    keeps soft reversed.qcow2
    keeps softer reversed.qcow2
    keeps /proc/self/cwd/reversed.qcow2 reversed.qcow2
}

@test "-o does not replace another qcow2 image" {
    fixture reversed
    fixture v2-plain
    keeps v2-plain.qcow2 reversed.qcow2
}

# mark OFFSET BYTES: an old file of 4 KiB with these bytes, as printf has them, is not replaced.
mark() {
    seq 2000 | head -c 4096 >old
    printf "$2" | dd of=old bs=1 seek="$1" conv=notrunc 2>/dev/null
    keeps old reversed.qcow2
}

@test "-o does not replace disk images of other formats" {
    fixture reversed
    mark 0 KDMV
    mark 0 COWD
    mark 0 '# Disk DescriptorFile'
    mark 64 '\x7f\x10\xda\xbe'
    mark 0 vhdxfile
    mark 0 'QED\0'
    mark 0 conectix
    mark 0 WithoutFreeSpace
    mark 0 WithouFreSpacExt
    mark 0 'LUKS\xba\xbe'
    mark 510 '\x55\xaa'
}

@test "-o does not replace what qemu-img makes" {
    needs qemu-img
    fixture reversed
    local format made=0
    for format in qcow2 qcow vmdk vdi vhdx qed vpc parallels; do
        qemu-img create -q -f "$format" "old.$format" 4M 2>/dev/null || continue
        keeps "old.$format" reversed.qcow2
        made=$((made + 1))
    done
    [ "$made" -ge 4 ] || told "only $made formats"
}

@test "-o replaces what has such a mark elsewhere" {
    fixture reversed
    printf 'the format is QFI\xfb, vhdxfile or KDMV; conectix' >old
    qcow2frag -o old reversed.qcow2
    diff old <(qcow2frag reversed.qcow2)
}

@test "-o does not replace a file that cannot be read" {
    fixture reversed
    mkdir folder
    echo secret >folder/old
    open_scratch
    chmod 0777 folder
    chmod 0000 folder/old
    try as_user ./program -o folder/old reversed.qcow2
    exits 1
    is_empty out
    holds err "cannot write folder/old: there is a file that cannot be read (Permission denied)"
    chmod 0644 folder/old
    is folder/old secret
}

# chain: top.qcow2 on raw, which looks like nothing.
chain() {
    head -c 1M /dev/zero >raw
    image top.qcow2 <<<'size 1M
backing "raw" format raw
map 0..1'
}

@test "-o does not replace the backing file that an image names" {
    chain
    keeps raw top.qcow2
    holds_why
    keeps raw map --list top.qcow2
}

holds_why() {
    try qcow2frag -o raw top.qcow2
    is err "qcow2frag: cannot write raw: it is an image that is measured, or a file that one is built on; choose another name"
}

@test "-o does not replace a file of a chain" {
    chain
    keeps raw --chain top.qcow2
    keeps raw map --list --chain top.qcow2
    keeps raw --json top.qcow2 top.qcow2
}

@test "-o does not replace a backing file under another name" {
    chain
    ln raw hard
    ln -s raw soft
    keeps hard top.qcow2
    keeps soft top.qcow2
}

@test "-o does not replace a backing file whose image cannot be measured" {
    head -c 1M /dev/zero >raw
    image top.qcow2 <<<'size 1M
backing "raw" format vmdk
map 0..1'
    cp raw copy
    try qcow2frag --chain --json -o raw top.qcow2
    exits 1
    holds err "cannot write raw: it is an image that is measured"
    cmp raw copy
}

@test "-o does not replace an external data file" {
    fixture data-file-raw
    head -c 1M /dev/zero >data-raw.raw
    keeps data-raw.raw data-file-raw.qcow2
    keeps data-raw.raw map --list data-file-raw.qcow2
}

@test "-o does not replace what a measured folder holds, but the old result there" {
    mkdir folder
    fixture reversed
    mv reversed.qcow2 folder/image
    seq 10 >folder/result
    keeps folder/image folder
    try qcow2frag -o folder/result folder
    exits 0
    diff folder/result <(qcow2frag folder)
}

@test "the backing file is looked at, not opened, and only where there is an old result" {
    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    chain
    seq 10 >old
    ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=file -o trace "$QCOW2FRAG" -o new top.qcow2
    not grep -F '"raw"' trace
    ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=file -o trace "$QCOW2FRAG" -o old top.qcow2
    grep -F '"raw"' trace >looks
    not grep -vE 'O_PATH|stat' looks
}

@test "-o does not wait for a backing file" {
    mkfifo raw
    image top.qcow2 <<<'size 1M
backing "raw" format raw
map 0..1'
    seq 10 >old
    try timeout 20 "$QCOW2FRAG" -o old top.qcow2
    exits 0
}

@test "nothing is printed at the end of an image" {
    fixture reversed
    chain
    local options
    for options in reversed.qcow2 "--json reversed.qcow2" "map --list reversed.qcow2"; do
        cp reversed.qcow2 copy
        status=0
        "$QCOW2FRAG" $options >>reversed.qcow2 2>err || status=$?
        exits 1
        cmp reversed.qcow2 copy
        holds err "cannot write to standard output: there is a disk image (qcow2)"
    done
    for options in top.qcow2 "--chain top.qcow2" "map --list --chain top.qcow2"; do
        cp raw copy
        status=0
        "$QCOW2FRAG" $options >>raw 2>err || status=$?
        exits 1
        cmp raw copy
        holds err "cannot write to standard output: it is an image that is measured"
    done
}

@test "-o onto a block device" {
    needs_root
    fixture reversed
    mknod device b 7 250 2>/dev/null || skip "no device nodes here"
    ln -s device link
    local name
    for name in device link; do
        try qcow2frag -o "$name" reversed.qcow2
        cannot_write "$name" "block device"
    done
    [ -b device ] && [ -L link ]
}

@test "-o onto a socket" {
    needs python3
    fixture reversed
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    try qcow2frag -o socket reversed.qcow2
    cannot_write socket "a socket"
    [ -S socket ]
}

# ---- links ----

@test "-o follows a link, and replaces what it leads to" {
    fixture reversed
    mkdir folder
    echo old >folder/target
    ln -s target folder/second
    ln -s "$PWD/folder/second" link
    try qcow2frag -o link reversed.qcow2
    exits 0
    [ -L link ] && [ -L folder/second ]
    diff folder/target <(qcow2frag reversed.qcow2)
    is <(ls -A folder) "second
target"
}

@test "-o follows a link to a file that is not there yet" {
    fixture reversed
    mkdir folder
    ln -s folder/target link
    try qcow2frag -o link reversed.qcow2
    exits 0
    [ -L link ]
    diff folder/target <(qcow2frag reversed.qcow2)
}

@test "-o follows no link into nowhere, and no circle" {
    fixture reversed
    ln -s nowhere/target link
    try qcow2frag -o link reversed.qcow2
    cannot_write link "No such file"
    ln -s circle circle
    try qcow2frag -o circle reversed.qcow2
    cannot_write circle "Too many levels"
    [ -L link ] && [ -L circle ]
}

@test "-o does not follow what another user has linked in a folder of everybody" {
    needs_root
    fixture reversed
    open_scratch
    mkdir everybody
    chmod 1777 everybody
    echo precious >target
    as_user ln -s "$PWD/target" everybody/link
    as_user ln -s "$PWD/new" everybody/dangling
    try qcow2frag -o everybody/link reversed.qcow2
    exits 1
    is target precious
    try qcow2frag -o everybody/dangling reversed.qcow2
    exits 1
    [ ! -e new ]
}

# ---- what is written in place ----

@test "-o onto standard output under its other names" {
    fixture reversed
    ln -s /proc/self/fd/1 stdout
    qcow2frag reversed.qcow2 >expected
    local name
    for name in stdout /proc/self/fd/1 /dev/fd/1; do
        qcow2frag -o "$name" reversed.qcow2 >result
        diff expected result
        qcow2frag -o "$name" reversed.qcow2 | diff expected -
        { echo before; qcow2frag -o "$name" reversed.qcow2; echo after; } >result
        diff <(echo before; cat expected; echo after) result
    done
    [ -L stdout ]
}

@test "-o onto another descriptor" {
    fixture reversed
    qcow2frag -o /dev/fd/5 reversed.qcow2 5>result
    diff result <(qcow2frag reversed.qcow2)
}

@test "-o onto a descriptor that is not open" {
    fixture reversed
    try qcow2frag -o /proc/self/fd/77 reversed.qcow2
    cannot_write /proc/self/fd/77 "No such file"
}

@test "-o onto an image under the name of a descriptor" {
    fixture reversed
    cp reversed.qcow2 copy
    status=0
    qcow2frag -o /dev/fd/5 reversed.qcow2 5<>reversed.qcow2 >out 2>err || status=$?
    cannot_write /dev/fd/5 "a disk image"
    cmp reversed.qcow2 copy
}

@test "-o into a FIFO, whose reader is slow" {
    fixture shuffled-single
    mkfifo fifo
    qcow2frag map --list shuffled-single.qcow2 >expected
    { sleep 0.5 && cat; } <fifo >result &
    sleep 0.1
    try timeout 60 "$QCOW2FRAG" map --list -o fifo shuffled-single.qcow2
    exits 0
    wait $!
    diff expected result
    [ -p fifo ]
}

@test "-o into a FIFO that nobody reads from" {
    fixture reversed
    mkfifo fifo
    try timeout 20 "$QCOW2FRAG" -o fifo reversed.qcow2
    cannot_write fifo "nobody reads from this FIFO"
    [ -p fifo ]
}

@test "messages do not get into the result, whatever is closed" {
    fixture reversed
    status=0
    "$QCOW2FRAG" --format csv --columns BACK -o result reversed.qcow2 missing <&- >&- 2>&- || status=$?
    [ "$status" = 1 ]
    is result "BACK
99
"
}

# ---- signals ----

# long: an image whose list takes longer than any signal.
long() {
    env --default-signal=INT true 2>/dev/null || skip "env without --default-signal"
    image long <<<'size 64G
map all shuffled seed 1 group 1'
}

# writes PID: has it opened its temporary file in folder/, which may have no name?
writes() { find "/proc/$1/fd" -lname "$PWD/folder/*" 2>/dev/null | grep -q .; }

# interrupted SIGNAL STATUS: while it writes; it dies of that, and nothing is left in the folder.
interrupted() {
    # What is started in the background would ignore some of them.
    env --default-signal "$QCOW2FRAG" map --list -o folder/result long 3>&- 2>/dev/null &
    for _ in {1..500}; do
        ! writes $! || break
        sleep 0.01
    done
    kill "-$1" $!
    status=0
    wait $! 2>/dev/null || status=$?
    [ "$status" = "$2" ] || told "$1: status $status"
    is_empty_folder folder
}

signals='HUP:129 INT:130 QUIT:131 ABRT:134 USR1:138 SEGV:139 USR2:140 ALRM:142 TERM:143 XCPU:152 VTALRM:154 PROF:155 IO:157 PWR:158 RTMIN:162'

@test "-o leaves no file behind, whatever ends it" {
    mkdir folder
    long
    ulimit -c 0
    interrupted KILL 137 # against this one nothing else helps
    interrupted QUIT 131
    interrupted XCPU 152
}

@test "-o leaves no file behind where files without a name are not known" {
    mkdir folder
    long
    ulimit -c 0
    export LD_PRELOAD=$SHIM SHIM_NO_TMPFILE=1
    [ -z "$(has_sanitizer && echo yes)" ] || skip "a sanitizer is to be loaded first"
    local each
    for each in $signals; do
        interrupted "${each%:*}" "${each#*:}"
    done
}

@test "-o does the same where files without a name are not known" {
    ! has_sanitizer || skip "a sanitizer is to be loaded first"
    fixture reversed
    mkdir folder
    qcow2frag --json --no-host reversed.qcow2 | grep -v measured_at >expected
    export LD_PRELOAD=$SHIM SHIM_NO_TMPFILE=1
    (umask 027 && qcow2frag --json --no-host -o folder/result reversed.qcow2)
    diff expected <(grep -v measured_at folder/result)
    [ "$(stat -c %a folder/result)" = 640 ]
    seq 1000 >folder/result
    qcow2frag --json --no-host -o folder/result reversed.qcow2
    diff expected <(grep -v measured_at folder/result)
    is <(ls -A folder) result
}

@test "a file that may not grow so large is told, and leaves nothing behind" {
    fixture shuffled-single
    mkdir folder
    status=0
    (ulimit -f 4 && exec "$QCOW2FRAG" map --list -o folder/result shuffled-single.qcow2) >out 2>err || status=$?
    cannot_write folder/result "File too large"
    is_empty_folder folder
    status=0
    (ulimit -f 4 && exec "$QCOW2FRAG" map --list shuffled-single.qcow2) >out 2>err || status=$?
    exits 1
    is err "qcow2frag: cannot write to standard output: File too large"
}

@test "what the caller ignores stays ignored" {
    fixture shuffled-single
    mkfifo fifo
    qcow2frag map --list shuffled-single.qcow2 >expected
    (trap '' HUP INT QUIT TERM && exec "$QCOW2FRAG" map --list shuffled-single.qcow2) >fifo 3>&- &
    exec 4<fifo
    IFS= read -r first <&4 # it has begun, and waits for a reader: the list is longer than a pipe
    kill -HUP $! && kill -INT $! && kill -QUIT $! && kill -TERM $!
    cat <&4 >rest
    exec 4<&-
    wait $!
    diff expected <(printf '%s\n' "$first" | cat - rest)
}

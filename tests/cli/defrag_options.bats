#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The command line of defrag: what is refused, and that a rewrite that does not come to its end leaves nothing.

load helper

setup() {
    enter_scratch
    fixture reversed
}

# says TEXT OPTION ...: defrag is refused with just this message, before anything is read or written.
says() {
    try qcow2frag defrag "${@:2}"
    exits 1
    is_empty out
    is err "qcow2frag: $1
Try 'qcow2frag --help' for more information."
}

# cannot_make NAME WHY [OPTION ...]: as the new image of reversed.qcow2, and all files stay as they were.
cannot_make() {
    rm -f out err before after
    looks_like >before
    try qcow2frag defrag -o "$1" "${@:3}" reversed.qcow2
    refused reversed.qcow2
    is err "qcow2frag: reversed.qcow2: cannot make $1: $2"
    rm out err
    looks_like | diff before -
}

# All files here: name, kind, size, time, and the image's bytes.
looks_like() {
    find . ! -name before ! -name . -printf '%p %y %s %T@\n' | sort
    cksum reversed.qcow2
}

# ---- usage ----

@test "no image, or two" {
    says "no image is named" -o new
    says "--output is one new image, so one old one goes with it" -o new reversed.qcow2 reversed.qcow2
    [ ! -e new ]
}

@test "no name for the new image" {
    says "--output: the new image needs a name" -o '' reversed.qcow2
}

@test "--memory: no size, or one that is too small or too large" {
    for size in 1K 8388607 0 -8M 2000T full ''; do
        says "--memory takes a size from 8M to 1024T, not \"$size\"" --memory "$size" -o new reversed.qcow2
    done
}

@test "--rate-limit: no size, or none at all" {
    for rate in 0 -1 fast 2000T; do
        says "--rate-limit takes so many bytes a second, as in 20M, not \"$rate\"" --rate-limit "$rate" \
            -o new reversed.qcow2
    done
}

@test "--verify: another word" {
    says '--verify takes full or none, not "maybe"' --verify maybe -o new reversed.qcow2
    says "--verify needs a value" -o new reversed.qcow2 --verify
}

@test "--device: another word" {
    says '--device takes auto, hdd, ssd or nvme, not "tape"' --device tape -o new reversed.qcow2
}

@test "options of other commands" {
    local option
    for option in "--format csv" "--format text" "--snapshot 1" --all-snapshots --chain \
        "--columns SCORE" "--sort SCORE" "--range 0:1M" --histogram --space --list "--max-score 1" "--max-slowdown 1" \
        "--min-run 1M" --no-host --noheadings "--threads 1"; do
        says "${option%% *} does not go with defrag" $option -o new reversed.qcow2
    done
    [ ! -e new ]
}

@test "options of defrag with other commands" {
    local option
    for option in --overwrite --dry-run --force --trim --reserve "--verify none" "--memory 8M" "--rate-limit 1M" \
        --clear-unknown-autoclear --keep-original --break-hard-links "--check-command true" "--if-score 1" \
        "--if-slowdown 2" "--max-time 1h"; do
        try qcow2frag $option reversed.qcow2
        exits 1
        is <(sed -n 1p err) "qcow2frag: ${option%% *} does not go with measure"
    done
}

@test "what is no image" {
    try qcow2frag defrag -o new missing
    refused missing "No such file or directory"
    head -c 4096 /dev/zero >zeros
    try qcow2frag defrag -o new zeros
    refused zeros
    mkdir folder
    try qcow2frag defrag -o new folder
    refused folder "is a directory; --output takes one image"
    says '"-" is no image: an image must be a file or a block device, since it is read out of order' -o new -
    [ ! -e new ]
}

# ---- the new file ----

@test "a name that is taken" {
    echo precious >new
    cannot_make new "it exists; choose another name, or --overwrite it"
    is new precious
}

@test "--overwrite replaces a file, and leaves nothing else" {
    mkdir folder
    echo old >folder/new
    try qcow2frag defrag --overwrite -o folder/new reversed.qcow2
    exits 0
    is_empty err
    is <(ls -A folder) new
    try qcow2frag --format csv --noheadings --columns BACK folder/new
    is out 0
}

@test "--overwrite of a file that is not there" {
    try qcow2frag defrag --overwrite -o new reversed.qcow2
    exits 0
    [ -s new ]
}

@test "the image itself, by whatever name" {
    ln reversed.qcow2 hard
    mkdir folder
    local name
    for name in reversed.qcow2 ./reversed.qcow2 folder/../reversed.qcow2 hard; do
        cannot_make "$name" "it is the image itself; choose another name"
        cannot_make "$name" "it is the image itself; choose another name" --overwrite
    done
}

@test "a folder, a link, a pipe, a device" {
    mkdir folder
    ln -s nowhere dangling
    ln -s reversed.qcow2 link
    mkfifo pipe
    local name
    for name in folder dangling link pipe /dev/null /dev/stdout; do
        [ -e "$name" ] || [ -L "$name" ] || continue
        cannot_make "$name" "there is something else than a file; choose another name"
        cannot_make "$name" "there is something else than a file; choose another name" --overwrite
    done
    cannot_make folder/ "it is a folder; name a file in it"
}

@test "a folder that is not there" {
    cannot_make none/new "No such file or directory"
    cannot_make reversed.qcow2/new "Not a directory"
}

@test "a folder that may not be written to" {
    mkdir closed
    chmod 555 closed
    open_scratch
    chmod a+r reversed.qcow2
    try as_user ./program defrag -o closed/new reversed.qcow2
    refused reversed.qcow2
    is err "qcow2frag: reversed.qcow2: cannot make closed/new: Permission denied"
    is_empty_folder closed
}

@test "a link to a folder leads there" {
    mkdir folder
    ln -s folder link
    try qcow2frag defrag -o link/new reversed.qcow2
    exits 0
    is <(ls -A folder) new
}

@test "the new file has the permissions of the image" {
    chmod 640 reversed.qcow2
    (umask 077 && qcow2frag defrag -q -o new reversed.qcow2)
    [ "$(stat -c %a new)" = 640 ]
}

@test "a name that a terminal would obey is one line of message" {
    try qcow2frag defrag -o $'none\e[2J\n/new' reversed.qcow2
    refused reversed.qcow2
    ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' err
}

# ---- --dry-run ----

@test "--dry-run writes nothing: the folder is as it was, --output or not" {
    fixture snapshot-shared
    ls -A >before
    local options
    for options in "" "-o new" "-o reversed.qcow2" "--trim -o new" "--reserve" "--force"; do
        try_into page qcow2frag defrag --dry-run $options reversed.qcow2
        exits 0
        holds page "to be copied: "
        is_empty err
        rm page err
        ls -A | diff before -
    done
}

@test "--dry-run opens nothing to write, and makes nothing" {
    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    ASAN_OPTIONS=detect_leaks=0 strace -f -o trace \
        -e trace=openat,open,creat,mkdir,mkdirat,link,linkat,rename,renameat,renameat2,truncate,ftruncate,fallocate,pwrite64,pwritev \
        "$QCOW2FRAG" defrag --dry-run --reserve -o new reversed.qcow2 >out
    [ -s out ]
    grep -q reversed.qcow2 trace || told "nothing was traced:" trace
    ! grep -E 'O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|(creat|mkdir|mkdirat|link|linkat|rename|renameat2?|f?truncate|fallocate|pwrite64|pwritev)\(' trace
}

# ---- what is told ----

@test "the page" {
    try qcow2frag defrag --device hdd --verify none -o new reversed.qcow2
    exits 0
    is_empty err
    sed -i 's/ in [0-9.]* m*s;/ in TIME;/; s/ [0-9.]* m*s  *[0-9.]* m*s *$/ TIMES/' out
    is out "reversed.qcow2
                           before           after
  fragmentation score      99.00 %          0.00 %
  contiguous runs          100              1
    mean length            64 KiB           6.25 MiB
    half of the data in    64 KiB           6.25 MiB
  breaks                   99               0
  time to read it all      TIMES
  length of the file       6.56 MiB         6.56 MiB

  copied 6.25 MiB in TIME; not verified
  the new image is new, the old one is as it was"
}

@test "--bytes prints sizes in bytes" {
    try qcow2frag defrag --dry-run --bytes reversed.qcow2
    exits 0
    ! grep -E '[KMG]iB' out || told "a size in another unit"
    grep -qE '^    mean length +65536 +6553600$' out
    grep -qE '^  to be copied: 6553600;' out
}

@test "--verbose explains: the same figures and more lines" {
    qcow2frag defrag --dry-run reversed.qcow2 >brief
    try qcow2frag defrag --dry-run --verbose reversed.qcow2
    exits 0
    grep -v '^      [A-Z]' out | diff brief -
    [ "$(wc -l <out)" -gt "$(($(wc -l <brief) + 4))" ]
}

@test "already in order: nothing is written, status 0" {
    qcow2frag defrag -q -o new reversed.qcow2
    try qcow2frag defrag -o again new
    exits 0
    is_empty err
    holds out "already in order: written anew it would be read no faster"
    [ ! -e again ]
    try qcow2frag defrag --force -o again new
    exits 0
    holds out "the new image is again, the old one is as it was"
    cmp new again
}

@test "an image without data is in order" {
    fixture empty
    fixture size-zero
    for name in empty size-zero; do
        try qcow2frag defrag -o new $name.qcow2
        exits 0
        holds out "already in order"
    done
}

@test "--quiet: nothing is printed" {
    try qcow2frag defrag --quiet -o new reversed.qcow2
    exits 0
    is_empty out
    is_empty err
    [ -s new ]
    try qcow2frag defrag --quiet --json --dry-run reversed.qcow2
    exits 0
    is_empty out
    is_empty err
}

@test "--quiet keeps message and status" {
    echo old >new
    try qcow2frag defrag -q -o new reversed.qcow2
    refused reversed.qcow2 "it exists"
}

@test "--progress shows how far it is, on standard error alone" {
    try qcow2frag defrag --progress=always --device hdd -o new reversed.qcow2
    exits 0
    holds err "copied "
    holds err "verified "
    holds out "the new image is new"
    try qcow2frag defrag --progress=never --device hdd -o other reversed.qcow2
    exits 0
    is_empty err
}

# ---- JSON ----

keys='["path", "output", "state", "error", "before", "after", "snapshots", "file_bytes_before", "file_bytes_after", "copied_bytes", "needed_bytes", "verified", "seconds", "original", "notes"]'

# document STATE STATUS OPTION ...: the document has all keys in their order, and this state.
document() {
    try qcow2frag defrag --json "${@:3}"
    exits "$2"
    [ "$2" = 1 ] || is_empty err
    # bool is an int for Python, but for type().
    json out '[list(d), d["schema"], len(d["defrag"]), list(d["defrag"][0]), d["defrag"][0]["state"],
        d["defrag"][0]["error"] is None, [type(d["defrag"][0][k]).__name__ for k in
        ("path", "snapshots", "copied_bytes", "needed_bytes", "verified", "seconds", "original")]]' >found
    is found "[[\"qcow2frag\", \"schema\", \"defrag\"], 1, 1, $keys, \"$1\", $([ "$2" = 0 ] && echo true || echo false), [\"str\", \"list\", \"int\", \"int\", \"str\", \"float\", \"str\"]]"
}

@test "JSON: done" {
    fixture snapshot-shared
    document done 0 -o new snapshot-shared.qcow2
    json out '[[r["output"], r["before"]["contiguous_runs"], r["after"]["contiguous_runs"], r["file_bytes_after"],
        r["verified"] in ("direct", "cached"), [[s["id"], s["name"], s["before"]["mapped_clusters"],
        s["after"]["mapped_clusters"]] for s in r["snapshots"]]] for r in d["defrag"]]' >found
    is found "[[\"new\", 3, 1, $(stat -c %s new), true, [[\"1\", \"before\", 100, 100]]]]"
    # What was planned is what was written.
    json out 'dict(d["defrag"][0]["after"], disk=None, end_to_end=None)' >planned
    qcow2frag --json --no-host new >written
    json written 'dict(i[0]["tables"][0], disk=None, end_to_end=None)' | diff planned -
}

@test "JSON: done without verifying" {
    document done 0 --verify=none -o new reversed.qcow2
    is <(json out 'd["defrag"][0]["verified"]') none
}

@test "JSON: planned, in order" {
    document planned 0 --dry-run -o new reversed.qcow2
    is <(json out '[d["defrag"][0][k] for k in ("output", "copied_bytes", "verified", "seconds")]') '[null, 6553600, "none", 0.0]'
    fixture sequential
    document in_order 0 -o new sequential.qcow2
    [ ! -e new ]
}

@test "JSON: refused, failed" {
    document refused 1 -o new missing
    is <(json out '[d["defrag"][0][k] for k in ("before", "after", "file_bytes_before", "file_bytes_after")]') '[null, null, null, null]'
    fixture v2-zero
    document refused 1 -o new v2-zero.qcow2
    is <(json out 'd["defrag"][0]["after"]') null
    document failed 1 -o none/new reversed.qcow2
    is <(json out 'd["defrag"][0]["error"]') "cannot make none/new: No such file or directory"
}

# ---- what cannot be printed ----

@test "a page that cannot be printed is status 1, with the reason; the new image is there" {
    status=0
    "$QCOW2FRAG" defrag -o new reversed.qcow2 >/dev/full 2>err || status=$?
    exits 1
    is err "qcow2frag: cannot write to standard output: No space left on device"
    [ -s new ]
    status=0
    "$QCOW2FRAG" defrag --json --dry-run reversed.qcow2 >&- 2>err || status=$?
    exits 1
    is err "qcow2frag: cannot write to standard output: Bad file descriptor"
}

@test "nothing is printed at the end of the image" {
    cp reversed.qcow2 copy
    for options in "" --json; do
        status=0
        "$QCOW2FRAG" defrag --dry-run $options reversed.qcow2 >>reversed.qcow2 2>err || status=$?
        exits 1
        holds err "cannot write to standard output: there is a disk image (qcow2), which is not replaced"
        cmp copy reversed.qcow2
    done
}

# ---- a rewrite that does not come to its end ----

# a_large_image: 24 MiB of data, so that there are several windows of the least memory.
a_large_image() {
    mkdir folder
    image folder/image <<'IMAGE'
size 64M
fill
map 0..255 shuffled seed 1 group 4
IMAGE
}

# while_copying DEED: runs it slowly, and once something is copied does DEED, a statement of Python with the
# process p. Then: status, the lines that followed the progress in err, and the folder.
while_copying() {
    needs python3
    python3 - "$1" "$QCOW2FRAG" <<'PYTHON'
import os, signal, subprocess, sys

def usual():    # a shell may have set it to be ignored
    for number in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)

deed, program = sys.argv[1:]
p = subprocess.Popen([program, "defrag", "--progress=always", "--memory", "8M", "--rate-limit", "6M", "-o", "folder/new",
                      "folder/image"], stdout=open("out", "wb"), stderr=subprocess.PIPE, preexec_fn=usual)
told = b""
while b"copied" not in told:
    more = os.read(p.stderr.fileno(), 4096)
    if not more:
        sys.exit(f"it ended before anything was copied: {told}")
    told += more
exec(deed)
told += p.stderr.read()
with open("err", "wb") as err:
    err.write(told.rpartition(b"\r\x1b[K")[2])
with open("status", "w") as status:
    print(p.wait(60), file=status)
PYTHON
    status=$(cat status)
    is <(ls -A folder) image
}

@test "SIGINT while it copies: no new file, one line, status 1" {
    a_large_image
    while_copying 'p.send_signal(signal.SIGINT)'
    refused folder/image
    is err "qcow2frag: folder/image: stopped; nothing was changed, and the new file is gone"
}

@test "SIGTERM while it copies: no new file, one line, status 1" {
    a_large_image
    while_copying 'p.send_signal(signal.SIGTERM)'
    refused folder/image
    is err "qcow2frag: folder/image: stopped; nothing was changed, and the new file is gone"
}

@test "SIGHUP while it copies: no new file" {
    a_large_image
    while_copying 'p.send_signal(signal.SIGHUP)'
    is_empty out
    [ "$status" = -1 ] || told "status $status"
}

@test "an image that is written to while it is copied: no new file" {
    a_large_image
    while_copying 'f = open("folder/image", "r+b"); f.seek(8 << 20); f.write(b"new data"); f.close()'
    refused folder/image "the image was changed while it was read"
}

@test "a second image at the name meanwhile is not replaced" {
    a_large_image
    while_copying 'open("folder/new", "w").write("other\n"); p.wait(60); os.rename("folder/new", "other")'
    refused folder/image
    is other other
}

@test "a full disk: no new file, one line" {
    needs unshare
    unshare -rm mount -t tmpfs none /mnt 2>/dev/null || skip "no mounts of its own"
    a_large_image
    cat >script <<'SCRIPT'
mount -t tmpfs -o size=12M none /mnt
"$@" defrag -o /mnt/new folder/image
echo $? >status
ls -A /mnt >left
SCRIPT
    unshare -rm sh script "$QCOW2FRAG" >out 2>err
    status=$(cat status)
    refused folder/image
    is err "qcow2frag: folder/image: there is not enough room for a second file while it is written: it takes \
16.3 MiB, and 12 MiB are free; --output writes it elsewhere"
    is_empty left
    sed -i 's/defrag/defrag --force/' script # as when others fill it meanwhile
    unshare -rm sh script "$QCOW2FRAG" >out 2>err
    status=$(cat status)
    refused folder/image
    is err "qcow2frag: folder/image: cannot write /mnt/new: No space left on device"
    is_empty left
}

@test "a file that may not grow so large: no new file, one line" {
    a_large_image
    status=0
    (ulimit -f 4096 && exec "$QCOW2FRAG" defrag -o folder/new folder/image) >out 2>err || status=$?
    refused folder/image
    is err "qcow2frag: folder/image: cannot write folder/new: File too large"
    is <(ls -A folder) image
}

# ---- files that others are built on ----

@test "what an image is built on is not replaced, even with --overwrite" {
    needs qemu-img
    qemu-img create -q -f qcow2 base.qcow2 1M
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
    qemu-img create -q -f qcow2 -b top.qcow2 -F qcow2 over.qcow2
    ln base.qcow2 hard
    cp base.qcow2 before
    local name image
    for name in base.qcow2 hard; do
        for image in top.qcow2 over.qcow2; do
            try qcow2frag defrag --force --overwrite -o $name $image
            refused $image "cannot make $name: it is one of the files that the image is built on; choose another name"
            cmp base.qcow2 before
        done
    done
}

@test "nor an external data file" {
    needs qemu-img
    qemu-img create -q -f qcow2 -o data_file=raw.img a.qcow2 4M
    cp raw.img before
    try qcow2frag defrag --force --overwrite -o raw.img a.qcow2
    refused a.qcow2 "cannot make raw.img: it is one of the files that the image is built on"
    cmp raw.img before
}

@test "a file that has nothing to do with it is replaced, also if the image has a backing file" {
    needs qemu-img
    qemu-img create -q -f qcow2 base.qcow2 1M
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
    echo old >new.qcow2
    try qcow2frag defrag --force --overwrite -o new.qcow2 top.qcow2
    exits 0
    qemu-img compare -q top.qcow2 new.qcow2
}

@test "where not all that it is built on can be found, nothing is replaced" {
    needs qemu-img
    qemu-img create -q -f qcow2 base.qcow2 1M
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
    rm base.qcow2
    echo old >new.qcow2
    try qcow2frag defrag --force --overwrite -o new.qcow2 top.qcow2
    refused top.qcow2 "cannot make new.qcow2: it exists, and might be one of the files that the image is built on, which cannot \
all be found: the backing file"
    is new.qcow2 old
}

@test "a file that comes to the name meanwhile stays" {
    echo old >new
    try qcow2frag defrag --overwrite -o new --check-command 'echo other >made; mv made new #' reversed.qcow2
    refused reversed.qcow2 "cannot make new: somebody has put another file there meanwhile; begin again"
    is new other
}

@test "a file that somebody has open as an image is not replaced" {
    needs qemu-io
    image a.qcow2 <<<'size 1M
map 3..9 reversed'
    cp a.qcow2 new.qcow2
    mkfifo commands
    command qemu-io new.qcow2 <commands >/dev/null 2>&1 &
    exec 7>commands
    printf 'write 0 512\n' >&7
    for _ in $(seq 100); do
        qcow2frag --json --no-host new.qcow2 >held
        [ "$(json held 'i[0]["in_use"]')" != true ] || break
        sleep 0.05
    done
    try qcow2frag defrag --force --overwrite -o new.qcow2 a.qcow2
    exec 7>&-
    wait
    exits 1
    holds err "the file of that name is in use"
}

@test "a backing file that is named by the folder of the image keeps the new one there" {
    needs qemu-img
    mkdir sub
    qemu-img create -q -f qcow2 base.qcow2 1M
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
    try qcow2frag defrag --force -o sub/new.qcow2 top.qcow2
    exits 1
    holds err "the new image must be in the same one"
    [ ! -e sub/new.qcow2 ]
    try qcow2frag defrag --force -o new.qcow2 top.qcow2
    exits 0
    qemu-img compare -q top.qcow2 new.qcow2
}

@test "what nothing lies in costs nothing: a place for each cluster of a large disk" {
    image a.qcow2 <<<'size 200G
map 3..9 reversed'
    try timeout 20 "$QCOW2FRAG" defrag --reserve -o new.qcow2 a.qcow2
    exits 0
    [ "$(stat -c %b new.qcow2)" -lt 200000 ]
}

@test "a data file is left alone, and that is said" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 -o data_file=raw.img a.qcow2 4M
    qemu-io -c 'write -P 5 1M 64k' a.qcow2 >log
    cp raw.img before
    try qcow2frag defrag --force -o new.qcow2 a.qcow2
    exits 0
    holds out "both refer to the same external data file, which was left alone"
    cmp raw.img before
    qemu-img check -q new.qcow2
    qemu-img compare -q a.qcow2 new.qcow2
}

@test "progress tells how fast it goes, and how long it will go on" {
    needs qemu-img qemu-io
    qemu-img create -q -f qcow2 a.qcow2 8M
    qemu-io -c 'write -P 5 4M 4M' -c 'write -P 6 0 4M' a.qcow2 >log
    try qcow2frag defrag --progress --rate-limit 2M -o new.qcow2 a.qcow2
    exits 0
    grep -qE 'copied .* of .* %\), .*/s, [0-9]+ s left' err || told "no rate"
}

@test "what an unknown extension may refer to is not lost" {
    image a.qcow2 <<'EOF'
size 8M
extension 0x12345678 text "an extension nobody knows"
map 0..9 reversed
leak 2
map 20..29
EOF
    try qcow2frag defrag --force -o new.qcow2 a.qcow2
    exits 1
    holds err "they may belong together, and would be lost"
    [ ! -e new.qcow2 ]
}

@test "an unknown extension alone is kept, and leaks without one are left behind" {
    image a.qcow2 <<'EOF'
size 8M
extension 0x12345678 text "an extension nobody knows"
map 0..9 reversed
EOF
    try qcow2frag defrag --force -o new.qcow2 a.qcow2
    exits 0
    grep -aq "an extension nobody knows" new.qcow2
    image b.qcow2 <<'EOF'
size 8M
map 0..9 reversed
leak 2
EOF
    try qcow2frag defrag --force --overwrite -o new.qcow2 b.qcow2
    exits 0
    qcow2frag --json --space new.qcow2 >out
    is <(json out 'i[0]["space"]["leaked_bytes"]') 0
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --chain and the names inside images: which are followed, and which are refused, in what words, and
# within 2 seconds and 64 MiB. The fixtures damage/064 to 075 and 082 to 087 show that without
# --chain none of them is even looked at.

load helper

setup() {
    enter_scratch
    needs python3
}

sanitized=()
! has_sanitizer || sanitized=(--sanitized)

bounded() { witness cli/bounded.py ${sanitized[@]+"${sanitized[@]}"} "$QCOW2FRAG" "$@"; }

# With the limits of this shell.
bounded_here() { python3 "$TESTS/cli/bounded.py" ${sanitized[@]+"${sanitized[@]}"} "$QCOW2FRAG" "$@"; }

# backed FILE BACKING: an image with two clusters of its own on a backing file, as the fixture
# language has it: "NAME" format FORMAT.
backed() {
    image "$1" <<IMAGE
size 1M
backing $2
map 0..1
IMAGE
}

# refuses IMAGE MESSAGE: in each way to follow the chain. Without it, the image is measured.
refuses() {
    local way

    for way in --chain "map --list --chain"; do
        try qcow2frag $way "$1"
        exits 1
        is_empty out
        is err "qcow2frag: $1: $2"
    done
    try bounded --json --chain "$1"
    exits 1
    is <(json out '"%s %s %s" % (i[0]["error"], i[0]["complete"], i[0]["tables"])') "$2 False []"
    try qcow2frag --columns CLUSTERS -n "$1"
    exits 0
    is out "       2"
}

# follows IMAGE PATH ...: the paths of the layers, from the top down.
follows() {
    local image=$1

    shift
    try bounded --json --chain "$image"
    exits 0
    is <(json out '"\n".join(l["path"] for l in i[0]["tables"][0]["layers"])') "$(printf '%s\n' "$@")"
}

# ---- names that are followed, as QEMU does ----

@test "a relative name begins in the folder of the image that names it" {
    mkdir images bases
    image bases/base.qcow2 <<<'size 1M'
    backed images/mid.qcow2 '../bases/base.qcow2 format qcow2'
    backed top.qcow2 'images/mid.qcow2 format qcow2'
    follows top.qcow2 top.qcow2 images/mid.qcow2 images/../bases/base.qcow2
    follows ./top.qcow2 ./top.qcow2 ./images/mid.qcow2 ./images/../bases/base.qcow2
    cd images
    follows ../top.qcow2 ../top.qcow2 ../images/mid.qcow2 ../images/../bases/base.qcow2
}

@test "an absolute name is taken as it is" {
    image base.qcow2 <<<'size 1M'
    backed top.qcow2 "$PWD/base.qcow2 format qcow2"
    follows top.qcow2 top.qcow2 "$PWD/base.qcow2"
}

@test "through a symbolic link, the folder is that of the link, as in QEMU" {
    mkdir images links
    image images/base.qcow2 <<<'size 1M'
    backed images/top.qcow2 'base.qcow2 format qcow2'
    ln -s ../images/top.qcow2 links/top.qcow2
    refuses links/top.qcow2 'the backing file "base.qcow2", named by "links/top.qcow2", cannot be opened: No such file or directory; bring it back, or record another with: qemu-img rebase -u -F qcow2 -b NEW-NAME links/top.qcow2'
    ln -s ../images/base.qcow2 links/base.qcow2
    follows links/top.qcow2 links/top.qcow2 links/base.qcow2
}

@test "behind file: a relative name begins in the current folder, as in QEMU" {
    mkdir images
    image images/base.qcow2 <<<'size 1M'
    backed images/top.qcow2 'file:images/base.qcow2 format qcow2'
    follows images/top.qcow2 images/top.qcow2 images/base.qcow2
    backed images/top.qcow2 'file:base.qcow2 format qcow2'
    try bounded --chain images/top.qcow2
    refused images/top.qcow2 'the backing file "file:base.qcow2"'
}

@test "a colon behind the first slash, or behind file:, is part of a name" {
    image a:b.qcow2 <<<'size 1M'
    backed top.qcow2 './a:b.qcow2 format qcow2'
    follows top.qcow2 top.qcow2 ./a:b.qcow2
    backed top.qcow2 'file:a:b.qcow2 format qcow2'
    follows top.qcow2 top.qcow2 a:b.qcow2
}

@test "a name ends at a NUL byte, and one that begins with it is none" {
    image base.qcow2 <<<'size 1M'
    backed top.qcow2 '"base.qcow2\x00/etc/passwd" format "qcow2\x00vmdk"'
    follows top.qcow2 top.qcow2 base.qcow2
    backed top.qcow2 '"\x00base.qcow2" format qcow2'
    follows top.qcow2 top.qcow2
}

@test "names with blanks, percent signs and bytes that are no text are followed as they are" {
    for name in 'a b' 'back%s%n' $'\xff\xfe' "it's"; do
        image "$name" <<<'size 1M'
        printf 'size 1M\nbacking "%s" format qcow2\n' "${name/\\/\\\\}" >text
        "$MKQCOW2" text top.qcow2
        try bounded --json --chain top.qcow2
        exits 0
        is <(json out 'i[0]["tables"][0]["chain_depth"]') 2
    done
}

@test "an external data file is looked for in the current folder, as in QEMU, by its name as it is" {
    mkdir images
    for name in d.raw json:d file:d.raw nbd:x; do
        image images/top.qcow2 <<IMAGE
size 1M
data-file $name
map 0..1
IMAGE
        truncate -s 1M "images/$name"
        refuses images/top.qcow2 "the external data file \"$name\", named by \"images/top.qcow2\", cannot be opened: No such file or directory; bring it back, or measure from where QEMU is started: a relative name is one for the current directory"
        truncate -s 1M "$name"
        follows images/top.qcow2 images/top.qcow2
        try bounded map --list --json --chain images/top.qcow2
        is <(json out '[d["file"], d["host_offset"]]') "[\"$name\", 0]"
    done
}

# ---- loops and long chains ----

loop_message() {
    echo "the backing file \"$1\", named by \"$2\", is an image that is built on it: the chain is a loop; break it, or record another with: qemu-img rebase -u -F qcow2 -b NEW-NAME $2"
}

@test "an image that is its own backing file is refused, by whatever name" {
    mkdir folder
    for name in image.qcow2 ./image.qcow2 folder/../image.qcow2 file:image.qcow2 hard soft "$PWD/image.qcow2"; do
        backed image.qcow2 "$name format qcow2"
        ln -f image.qcow2 hard
        ln -sf image.qcow2 soft
        refuses image.qcow2 "$(loop_message "$name" image.qcow2)"
    done
}

@test "two or three images that name each other are refused" {
    backed a.qcow2 'b.qcow2 format qcow2'
    backed b.qcow2 'a.qcow2 format qcow2'
    refuses a.qcow2 "$(loop_message a.qcow2 b.qcow2)"
    backed b.qcow2 'c.qcow2 format qcow2'
    backed c.qcow2 'b.qcow2 format qcow2'
    refuses a.qcow2 "$(loop_message b.qcow2 c.qcow2)"
}

@test "a loop that ends in raw is refused" {
    backed a.qcow2 'b.qcow2 format qcow2'
    backed b.qcow2 'a.qcow2 format raw'
    refuses a.qcow2 'the backing file "a.qcow2", named by "b.qcow2", is an image that is built on it: the chain is a loop; break it, or record another with: qemu-img rebase -u -F raw -b NEW-NAME b.qcow2'
}

# chain N: image.0001, the top, to image.N.
chain() {
    image base <<<'size 1M
map 0'
    image link <<<'size 1M
backing image.0000 format qcow2
map 1'
    python "$1" <<'PYTHON'
import os, sys
link, n = open("link", "rb").read(), int(sys.argv[1])
for number in range(1, n):
    with open(f"image.{number:04}", "wb") as file:
        file.write(link.replace(b"image.0000", b"image.%04d" % (number + 1)))
os.rename("base", f"image.{n:04}")
PYTHON
}

@test "a chain of 1,000 images is measured, one of 1,001 is refused" {
    chain 1001
    try bounded --json --chain image.0002
    exits 0
    is <(json out '[(t["chain_depth"], len(t["layers"]), t["layers"][999]["bytes"]) for t in i[0]["tables"]]') \
        "[[1000, 1000, 65536]]"
    refuses_long image.0001
}

refuses_long() {
    local message='the backing file "image.1001", named by "image.1000", is image number 1001 of a chain; at most 1000 are followed'

    try bounded --chain "$1"
    is err "qcow2frag: $1: $message"
    exits 1
    try bounded map --list --chain "$1"
    is err "qcow2frag: $1: $message"
    exits 1
}

@test "a longer chain than files may be open is measured where the hard limit allows it" {
    chain 300
    hard=$(ulimit -Hn)
    [ "$hard" = unlimited ] || [ "$hard" -gt 400 ] || skip "only $hard files may be open"
    (ulimit -Sn 100 && bounded_here --json --chain image.0001) >out
    is <(json out 'i[0]["tables"][0]["chain_depth"]') 300
    (ulimit -n 100 && try bounded_here --chain image.0001 && exits 1 &&
        holds err 'cannot be opened: Too many open files')
}

# ---- what is not there, or is no image ----

@test "a missing backing file is told with its name, who names it, and the cure" {
    backed top.qcow2 '/nonexistent/base.qcow2 format qcow2'
    refuses top.qcow2 'the backing file "/nonexistent/base.qcow2", named by "top.qcow2", cannot be opened: No such file or directory; bring it back, or record another with: qemu-img rebase -u -F qcow2 -b NEW-NAME top.qcow2'
    backed top.qcow2 'mid.qcow2 format qcow2'
    backed mid.qcow2 'base.raw format raw'
    refuses top.qcow2 'the backing file "base.raw", named by "mid.qcow2", cannot be opened: No such file or directory; bring it back, or record another with: qemu-img rebase -u -F raw -b NEW-NAME mid.qcow2'
}

@test "a file that may not be read is told" {
    backed top.qcow2 'base.qcow2 format qcow2'
    image base.qcow2 <<<'size 1M'
    chmod 0 base.qcow2
    open_scratch
    try as_user ./program --chain top.qcow2
    refused top.qcow2 'the backing file "base.qcow2", named by "top.qcow2", cannot be opened: Permission denied'
}

@test "devices without an end, terminals, FIFOs, sockets and folders are never waited for" {
    mkfifo fifo
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    for format in "" " format raw" " format qcow2"; do
        backed top.qcow2 "/dev/zero$format"
        refuses top.qcow2 'the backing file "/dev/zero", named by "top.qcow2", is a character device, not a disk image; name a regular file or a block device'
        backed top.qcow2 "/dev/tty$format"
        refuses top.qcow2 'the backing file "/dev/tty", named by "top.qcow2", is a character device, not a disk image; name a regular file or a block device'
        backed top.qcow2 "fifo$format"
        refuses top.qcow2 'the backing file "fifo", named by "top.qcow2", is a FIFO, not a disk image; name a regular file or a block device'
        backed top.qcow2 "socket$format"
        refuses top.qcow2 'the backing file "socket", named by "top.qcow2", is a socket, not a disk image; name a regular file or a block device'
        backed top.qcow2 "/var/tmp/$format"
        refuses top.qcow2 'the backing file "/var/tmp/", named by "top.qcow2", is a directory, not a disk image; name a regular file or a block device'
    done
}

@test "the same holds for external data files" {
    mkfifo fifo
    for line in "/dev/zero:a character device" "fifo:a FIFO" "/var/tmp/:a directory"; do
        image top.qcow2 <<IMAGE
size 1M
data-file ${line%%:*}
map 0..1
IMAGE
        refuses top.qcow2 "the external data file \"${line%%:*}\", named by \"top.qcow2\", is ${line#*:}, not a disk image; name a regular file or a block device"
    done
}

@test "an external data file without a name cannot be found" {
    image top.qcow2 <<'IMAGE'
size 1M
feature data-file
map 0..1
IMAGE
    refuses top.qcow2 'the data of "top.qcow2" are in an external file, but its name is missing; QEMU needs it given as data-file'
}

@test "any other file may be named as data file, and nothing of it is read" {
    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    image top.qcow2 <<'IMAGE'
size 1M
data-file /etc/passwd
map 0..1
IMAGE
    ASAN_OPTIONS=detect_leaks=0 strace -f -y -o trace "$QCOW2FRAG" --json --chain top.qcow2 >out
    grep -q 'openat.*/etc/passwd' trace
    not grep -E '^[0-9]+ +(p?readv?2?|preadv2|pread64|mmap|mmap2)\([^"]*</etc/passwd>' trace
}

@test "a backing file that is damaged, or of another kind than recorded, is told" {
    backed top.qcow2 'base.qcow2 format qcow2'
    echo text >base.qcow2
    refuses top.qcow2 'the backing file "base.qcow2", named by "top.qcow2", is not a qcow2 image: it does not begin with the qcow2 signature'
    : >base.qcow2
    refuses top.qcow2 'the backing file "base.qcow2", named by "top.qcow2", is not a qcow2 image: the file is empty'
    image base.qcow2 <<<'size 1M
poke be32 header+4 9'
    refuses top.qcow2 'the backing file "base.qcow2", named by "top.qcow2", cannot be used: header: version 9 of qcow2 is unknown; versions 2 and 3 are'
}

# ---- names of something else ----

@test "a description in JSON is refused" {
    backed top.qcow2 '"json:{\"driver\":\"null-co\"}" format raw'
    refuses top.qcow2 'the backing file "json:{"driver":"null-co"}", named by "top.qcow2", is described in JSON, which is not supported; only plain file names are'
}

@test "what has a protocol is no file, and is not asked for" {
    for line in nbd://localhost:10809/disk nbd+unix:///disk?socket=/run/nbd.sock nbd+vsock://1; do
        backed top.qcow2 "$line format raw"
        refuses top.qcow2 "the backing file \"$line\", named by \"top.qcow2\", is remote, and what an image names there is not connected to: name it yourself, alone, to have it measured"
    done
    for line in fat:rw:/etc/ nbd:localhost:10809 host:port/x host_device:/dev/null FILE:base.qcow2 :x; do
        backed top.qcow2 "$line format raw"
        refuses top.qcow2 "the backing file \"$line\", named by \"top.qcow2\", is not a file of this host: \"${line%%:*}:\" begins the name of something else, which is not supported"
    done
}

# ---- formats ----

@test "a format that is not recorded is not guessed; the line to record it is printed" {
    image base.qcow2 <<<'size 1M'
    backed top.qcow2 base.qcow2
    refuses top.qcow2 'the backing file "base.qcow2", named by "top.qcow2", has no recorded format, and a guess may be what a guest wants it to be; it looks like qcow2: if it is, record that with: qemu-img rebase -u -F qcow2 -b base.qcow2 top.qcow2'
    backed top.qcow2 /etc/passwd
    refuses top.qcow2 'the backing file "/etc/passwd", named by "top.qcow2", has no recorded format, and a guess may be what a guest wants it to be; it looks like raw: if it is, record that with: qemu-img rebase -u -F raw -b /etc/passwd top.qcow2'
    backed top.qcow2 'base.qcow2 format ""'
    try bounded --chain top.qcow2
    refused top.qcow2 'has no recorded format'
}

@test "the line to record a format does so, whatever the names are" {
    needs qemu-img
    mkdir "a b" ./-d ./c:d
    for name in plain.qcow2 "it's \$HOME \`id\`.qcow2" $'tab\there \\ \x01.qcow2' "-x" '"$(touch pwned)"'; do
        for folder in . "a b" ./-d c:d; do
            image "$folder/$name" <<<'size 1M'
            escaped=${name//\\/\\\\}
            escaped=${escaped//\"/\\\"}
            printf 'size 1M\nbacking "%s"\nmap 0..1\n' "$escaped" >text
            "$MKQCOW2" text "$folder/top"
            [ "$folder" != c:d ] || folder=./c:d
            try qcow2frag --chain -- "$folder/top"
            exits 1
            sed -n 's/.*record that with: //p' err >line
            holds line 'qemu-img rebase -u -F qcow2'
            bash line || told "not a line for a shell:" line
            try qcow2frag --json --chain -- "$folder/top"
            exits 0
            is <(json out 'i[0]["tables"][0]["chain_depth"]') 2
        done
    done
    [ ! -e pwned ]
}

@test "a line that is too long to be shown is not shown in part" {
    name=$(printf '\\x01%.0s' {1..200})
    folder=$(printf 'd%.0s' {1..200})
    path=.
    for _ in {1..12}; do
        path=$path/$folder
        mkdir "$path"
    done
    printf 'size 1M\nbacking "%s"\n' "$name" >text
    "$MKQCOW2" text "$path/top"
    "$MKQCOW2" - "$path/$(printf "$name")" <<<'size 1M'
    try qcow2frag --chain "$path/top"
    refused "$path/top" 'record that with: qemu-img rebase -u (with names too long to be shown here)'
    [ "$(wc -c <err)" -lt 8192 ]
}

@test "other formats than qcow2 and raw are refused by their names" {
    truncate -s 1M base
    for format in vmdk qed vdi vpc luks nosuchfmt Raw qcow file host_device; do
        backed top.qcow2 "base format $format"
        refuses top.qcow2 "the backing file \"base\", named by \"top.qcow2\", has the format \"$format\", which is not supported; only qcow2 and raw are"
    done
    backed top.qcow2 'base format "raw\x1b[2J"'
    refuses top.qcow2 'the backing file "base", named by "top.qcow2", has the format "raw\x1b[2J", which is not supported; only qcow2 and raw are'
    backed top.qcow2 'base format rawrawrawrawrawr'
    try bounded --chain top.qcow2
    refused top.qcow2 'has the format "rawrawrawrawraw", which is not supported'
}

@test "a header that a guest wrote into a raw disk is not believed" {
    backed base.raw '/etc/passwd format raw'
    backed top.qcow2 'base.raw format raw'
    follows top.qcow2 top.qcow2 base.raw
}

@test "of a raw backing file no byte is read" {
    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    backed top.qcow2 '/etc/passwd format raw'
    for way in "--json --chain" "map --list --chain"; do
        ASAN_OPTIONS=detect_leaks=0 strace -f -y -o trace "$QCOW2FRAG" $way top.qcow2 >out
        grep -q 'openat.*/etc/passwd' trace
        not grep -E '^[0-9]+ +(p?readv?2?|preadv2|pread64|mmap|mmap2)\([^"]*</etc/passwd>' trace
    done
}

# ---- names that are long or would change a terminal ----

@test "a name that would clear a terminal is shown safely" {
    backed top.qcow2 '"x\x1b[2J" format raw'
    refuses top.qcow2 'the backing file "x\x1b[2J", named by "top.qcow2", cannot be opened: No such file or directory; bring it back, or record another with: qemu-img rebase -u -F raw -b NEW-NAME top.qcow2'
}

@test "a name of 1,023 bytes is shortened in its middle" {
    backed top.qcow2 "$(printf 'n%.0s' {1..1023}) format raw"
    refuses top.qcow2 "the backing file \"$(printf 'n%.0s' {1..200})...$(printf 'n%.0s' {1..200})\", named by \"top.qcow2\", cannot be opened: File name too long"
}

# ---- nothing without --chain ----

@test "without --chain no name is looked up, opened or asked for" {
    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    mkfifo somewhere.fifo
    backed top.qcow2 'somewhere.fifo format raw'
    image data.qcow2 <<'IMAGE'
size 1M
data-file somewhere.fifo
map 0..1
IMAGE
    for image in top.qcow2 data.qcow2; do
        for way in "" "--json -S" "map --list" "-v"; do
            ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=file "$QCOW2FRAG" $way "$image" >out
            grep -q "$image" trace
            not grep somewhere.fifo trace
        done
    done
}

@test "one chain that is refused does not stop the others" {
    image base.qcow2 <<<'size 1M'
    backed a.qcow2 'gone.qcow2 format qcow2'
    backed b.qcow2 'base.qcow2 format qcow2'
    try bounded --json --chain a.qcow2 b.qcow2
    exits 1
    is <(json out '[x["error"] is None for x in i]') "[false, true]"
}

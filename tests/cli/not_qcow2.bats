#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is no qcow2 image is refused: status 1, one message that names it, nothing else.

load helper

# is_refused FILE TEXT: by the page, by the list of runs, and as a whole document with an error.
is_refused() {
    try timeout 10 "$QCOW2FRAG" "$1"
    refused "$1" "$2"
    try timeout 10 "$QCOW2FRAG" map --list --json "$1"
    refused "$1" "$2"
    refused_in_json "$1"
}

# refused_in_json FILE: the document is whole, and its error is what the message says.
refused_in_json() {
    try timeout 10 "$QCOW2FRAG" --json "$1"
    exits 1
    [ "$(wc -l <err)" = 1 ]
    is err "qcow2frag: $1: $(json out 'i[0]["error"]')"
    [ "$(json out '[len(i), i[0]["path"], i[0]["format"], i[0]["complete"]]')" = "[1, \"$1\", null, false]" ]
}

# made FORMAT: a file of that format, by qemu-img.
made() {
    needs qemu-img
    qemu-img create -q -f "$1" image 8M || skip "qemu-img makes no $1"
}

@test "a raw disk" {
    truncate -s 8M image
    is_refused image "is not a qcow2 image"
}

@test "a qcow image of version 1" {
    made qcow
    is_refused image "version 1"
}

@test "a VMDK image" {
    made vmdk
    is_refused image VMDK
}

@test "a VDI image" {
    made vdi
    is_refused image VDI
}

@test "a VHDX image" {
    made vhdx
    is_refused image VHDX
}

@test "a QED image" {
    made qed
    is_refused image QED
}

@test "a text" {
    echo "QFI, but not a disk" >image
    is_refused image "is not a qcow2 image"
}

@test "an empty file" {
    : >image
    is_refused image "empty"
}

@test "three bytes of the signature" {
    printf 'QFI' >image
    is_refused image "too short"
}

@test "the signature and nothing more" {
    printf 'QFI\373' >image
    is_refused image "cut short"
}

@test "a version that does not exist yet" {
    fixture one-cluster
    printf '\0\0\0\4' | dd of=one-cluster.qcow2 bs=1 seek=4 conv=notrunc status=none
    is_refused one-cluster.qcow2 "version 4"
}

@test "a directory where one image is wanted" {
    mkdir folder
    try qcow2frag map --list --json folder
    refused folder "directory"
}

@test "a FIFO, at once" {
    mkfifo pipe
    is_refused pipe "FIFO"
}

@test "a socket" {
    needs python3
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
    is_refused sock "socket"
}

@test "/dev/zero" { is_refused /dev/zero "character device"; }

@test "standard input as /dev/stdin, when it is a pipe" {
    : | { try timeout 10 "$QCOW2FRAG" /dev/stdin && refused /dev/stdin "FIFO"; }
}

@test "a file that is not there" { is_refused missing "No such file"; }

@test "a link to nothing" {
    ln -s nowhere link
    is_refused link "No such file"
}

@test "an image in a file that is taken for a folder" {
    fixture one-cluster
    is_refused one-cluster.qcow2/image "Not a directory"
}

@test "an image that may not be read" {
    fixture one-cluster
    open_scratch
    chmod 000 one-cluster.qcow2
    try as_user ./program one-cluster.qcow2
    refused one-cluster.qcow2 "Permission denied"
    try as_user ./program map --list --json one-cluster.qcow2
    refused one-cluster.qcow2 "Permission denied"
}

@test "a name with a line break stays one line" {
    : >$'two\nlines'
    try qcow2frag $'two\nlines'
    refused 'two\x0alines' "empty"
}

@test "no line of column names either" {
    : >image
    try qcow2frag map --list image
    refused image "empty"
}

# ---- what is an image all the same ----

@test "a link to an image is measured" {
    fixture one-cluster
    ln -s one-cluster.qcow2 link
    try qcow2frag --format csv --noheadings --columns IMAGE,MAPPED link
    exits 0
    is out link,65536
}

@test "an image in a block device is measured" {
    needs_root
    needs losetup
    fixture reversed
    device=$(losetup --find --show --read-only reversed.qcow2 2>/dev/null) || skip "no loop devices"
    # The file is sparse and the device is not: what is below differs.
    try qcow2frag --json --no-host "$device"
    losetup --detach "$device"
    exits 0
    json out 'i[0]["tables"]' >of_device
    try qcow2frag --json --no-host reversed.qcow2
    json out 'i[0]["tables"]' | diff of_device -
    grep -q '"backward_steps": 99' of_device
}

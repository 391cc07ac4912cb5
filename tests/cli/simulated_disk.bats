#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The simulated disk, the witness of what a layout costs: what it takes for reads made by hand.
#
# Seconds are worked out here with a pocket calculator: 150 bytes take a microsecond, half a turn
# takes 4.17 ms, and a move over the share x of 4,000,000,000,000 bytes 0.8 + 13.1 * sqrt(x) ms, from
# x = 0.49 on 5.4 + 9.3 * x ms.

load helper

setup() {
    enter_scratch
    needs nbdkit qemu-io
    [ -n "$DISK_PLUGIN" ] || skip "no nbdkit-plugin-dev when this was built"
}

# disk "PARAMETER ..." COMMAND: serves a disk while a shell command runs; the reads stand in log.
disk() { nbdkit -U - -r "$DISK_PLUGIN" log=log $1 --run "$2" >io.log 2>&1; }

# read_from "PARAMETER ..." EXPORT READ ...: reads OFFSET LENGTH one after another.
read_from() {
    local parameters=$1 export=$2 read commands=

    shift 2
    for read; do commands+=" -c 'read -q $read'"; done
    disk "$parameters" "qemu-io -r -f raw $commands nbd+unix:///$export?socket=\$unixsocket" ||
        told "qemu-io failed:" io.log
    not grep failed io.log
}

# clock LINE ...: the log holds these lines: FILE OFFSET LENGTH SECONDS.
clock() { diff -u <(printf '%s\n' "$@") log; }

@test "a read where the head stands costs its transfer" {
    truncate -s 8M f
    read_from file=f '' '0 1500000' '1500000 3000000'
    clock '0 0 1500000 0.010000000' '0 1500000 3000000 0.030000000'
}

@test "a short gap is read over, a long one is jumped" {
    truncate -s 8M f
    # 150,000 bytes: 1 ms. 1,000,000: 6.67 ms to read over; a jump, x = 0.00000025, is
    # 0.8 + 13.1 * 0.0005 + 4.17 = 4.97655 ms. Each transfer: 1 ms.
    read_from file=f '' '0 150000' '300000 150000' '1450000 150000'
    clock '0 0 150000 0.001000000' '0 300000 150000 0.003000000' '0 1450000 150000 0.008976550'
}

@test "where a gap costs as much to read over as to jump" {
    truncate -s 8M f
    # About 746,350 bytes: 4.97567 ms to read over; x = 0.000000186588, 0.8 + 0.00566 + 4.17 = 4.97566 ms.
    # 746,000: 4.97333 ms to read over is less. 747,000: a jump, x = 0.00000018675, 4.975661 ms, is less.
    read_from file=f '' '0 150' '746150 150' '1493300 150'
    clock '0 0 150 0.000001000' '0 746150 150 0.004975333' '0 1493300 150 0.009951994'
}

@test "backwards is a jump, however short" {
    truncate -s 3000000000000 f || skip "no file of 3 TB here"
    # From 300,000 to 0: x = 0.000000075, 0.8 + 13.1 * 0.000273861 + 4.17 = 4.973588 ms; 1 ms of transfer.
    read_from file=f '' '0 300000' '0 150000'
    clock '0 0 300000 0.002000000' '0 0 150000 0.007973588'
}

@test "a move over a quarter and over half of the disk" {
    truncate -s 3000000000000 f || skip "no file of 3 TB here"
    # From 150 to 1,000,000,000,150: 0.8 + 13.1 * 0.5 + 4.17 = 11.52 ms. From 1,000,000,000,300 back over
    # as much, x = 0.25 + 0.00000000004: the same to a nanosecond. To 2,000,000,000,150 from 450:
    # x = 0.5 - 0.000000000075: 5.4 + 9.3 * 0.5 + 4.17 = 14.22 ms, less 0.0000000007. Each transfer: 0.001 ms.
    read_from file=f '' '0 150' '1000000000150 150' '300 150' '2000000000150 150'
    clock '0 0 150 0.000001000' '0 1000000000150 150 0.011522000' '0 300 150 0.023043000' \
        '0 2000000000150 150 0.037264000'
}

@test "the sector under the head is known" {
    truncate -s 8M f
    # The head at 150,000. 512 bytes back: 15,512 bytes, of which 15,000 are new: 0.1 ms.
    read_from file=f '' '0 150000' '149488 15512'
    clock '0 0 150000 0.001000000' '0 149488 15512 0.001100000'
    # One more byte back is a jump: x = 0.00000000012825, 0.8 + 13.1 * 0.0000113248 + 4.17 = 4.970148 ms;
    # and 15,000 bytes are 0.1 ms.
    read_from file=f '' '0 150000' '149487 15000'
    clock '0 0 150000 0.001000000' '0 149487 15000 0.006070148'
    # Nothing new at all: no time, and the head stays.
    read_from file=f '' '0 150000' '149700 200' '150000 150000'
    clock '0 0 150000 0.001000000' '0 149700 200 0.001000000' '0 150000 150000 0.002000000'
}

@test "another file is a third of the disk away" {
    truncate -s 8M f g
    # sqrt(1/3) = 0.577350: 0.8 + 13.1 * 0.577350 + 4.17 = 12.5332885 ms, there and back.
    disk "file=f file=g" '
        for read in "0 0" "1 150000" "1 300000" "0 150000"; do
            qemu-io -r -f raw -c "read -q ${read#* } 150000" "nbd+unix:///${read% *}?socket=$unixsocket"
        done' || told "qemu-io failed:" io.log
    clock '0 0 150000 0.001000000' '1 150000 150000 0.014533289' '1 300000 150000 0.015533289' \
        '0 150000 150000 0.029066577'
}

@test "with extents the head goes to where the bytes lie" {
    truncate -s 8M f
    printf '%s\n' '0 1500000 150000' '150000 3000000 150000' '600000 3150000 150000' >extents
    # The first extent: from 0 over 1,500,000 bytes, x = 0.000000375, 0.8 + 13.1 * 0.000612372 + 4.17 =
    # 4.978022 ms, and 1 ms. The second: from 1,650,000 over 1,350,000 bytes, x = 0.0000003375,
    # 0.8 + 13.1 * 0.000580948 + 4.17 = 4.977610 ms, and 1 ms. Then a hole of 300,000 bytes, and the third, which
    # follows the second on the disk: 1 ms.
    read_from 'file=f extents=extents' '' '0 750000'
    clock '0 0 750000 0.012955632'
    # In pieces, the same.
    read_from 'file=f extents=extents' '' '0 150000' '150000 300000' '450000 300000'
    clock '0 0 150000 0.005978022' '0 150000 300000 0.011955632' '0 450000 300000 0.012955632'
}

@test "a hole of the disk below takes no time" {
    truncate -s 8M f
    printf '%s\n' '300000 0 150000' >extents
    read_from 'file=f extents=extents' '' '0 300000' '300000 150000' '450000 1000000' '1000000 10'
    clock '0 0 300000 0.000000000' '0 300000 150000 0.001000000' '0 450000 1000000 0.001000000' \
        '0 1000000 10 0.001000000'
}

@test "QEMU asks for single bytes where it wants them" {
    truncate -s 1M f
    read_from file=f '' '12345 1' '100 3'
    [ "$(cut -d ' ' -f 1-3 log)" = $'0 12345 1\n0 100 3' ] || told "other reads:" log
}

@test "the bytes are those of the file" {
    python3 -c 'import random; open("f", "wb").write(random.Random(1).randbytes(1000001))'
    disk file=f 'qemu-img convert -f raw -O raw nbd+unix:///?socket=$unixsocket copy' || told "failed:" io.log
    cmp -n 1000001 f copy
}

@test "parameters that make no sense are refused" {
    truncate -s 1M f
    printf '%s\n' '0 0 10' '5 20 10' >overlapping
    printf '%s\n' '0 0' >short
    printf '%s\n' '0 0 0' >empty
    for parameters in "" "log=l" "file=f" "file=gone log=l" "extents=short file=f log=l" "file=f log=l other=1" \
        "file=f extents=overlapping log=l" "file=f extents=short log=l" "file=f extents=empty log=l"; do
        try nbdkit -U - -r "$DISK_PLUGIN" $parameters --run true
        exits 1
        grep -qE 'needs file|gone|does not follow|unknown|not a list' err || told "another message:" err
    done
}

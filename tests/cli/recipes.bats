#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the page says is to be done, done: each command as it is printed, one after the other, on every
# kind of image. Afterwards the guest reads the same, the format is kept, and there is nothing to do.
#
# --no-host and --device hdd: it is about the image, wherever the tests run. What a person does is
# left out (the VM), or done here (the passphrase, the new volume).

load helper
load qemu
load recipe

setup() {
    enter_scratch
    needs qemu-img qemu-io python3 bash
    mkdir work
    find_program
    cd work
}

# at_random FIRST N [SIZE-KIB]: qemu-io's commands that write N clusters in a fixed random order.
at_random() {
    local made="${BATS_FILE_TMPDIR:-.}/random.$*"

    [ -e "$made" ] || random_order "$@" >"$made"
    cat "$made"
}

random_order() {
    python "$@" <<'PYTHON'
import random, sys
first, n, kib = (int(word) for word in (sys.argv[1:] + ["64"])[:3])
numbers = list(range(n))
random.seed(1)
random.shuffle(numbers)
for number in numbers:
    print(f"write -q -P {number % 250 + first} {number * kib}k {kib}k")
PYTHON
}

# scattered IMAGE [SIZE-KIB]: 300 clusters in random order. Names need not be ones that qemu-io takes.
scattered() {
    at_random 1 300 "${2:-64}" | qemu-io -t unsafe -f qcow2 "$(realpath -s -- "$1")" >io.log || told "qemu-io:" io.log
}

# once IMAGE COMMAND ...: a copy of what is made once by the command.
once() {
    local name=${*:2}

    made_once "${name// /-}" "${@:2}"
    cp "$made" "$1"
}

make_plain() {
    create "$1" 64M
    scattered "$1"
}

# plain IMAGE: 300 of 1,024 clusters, in random order.
plain() { once "$1" make_plain; }

# page IMAGE [OPTION ...]: into the file page, and the commands on it into the file commands.
page() {
    local image=$1

    shift
    page_of "$image" --no-host "$@"
}

# cooked IMAGE [OPTION ...]: does all that its page says. $original has what the image was.
cooked() {
    original=$(realpath -s -- "$1")-original
    cp -- "$1" "$original"
    page "$@"
    [ -s commands ] || told "no commands:" page
    follow
}

# same FILE FILE: the guest reads the same from both.
same() {
    if [ ${#key[@]} -gt 0 ]; then
        qemu-img compare "${key[@]}" --image-opts "$(spec "$1")" "$(spec "$2")" >log
    else
        qemu-img compare "$(realpath -s -- "$1")" "$(realpath -s -- "$2")" >log
    fi || told "not the same:" log
}

info() { qemu-img info --output=json "$(realpath -s -- "$1")"; }

# kept FILE KEY ...: qemu-img info says the same of the original and of what stands in its place.
kept() {
    local image=$1 key

    shift
    info "$original" >before.json
    info "$image" >after.json
    for key; do
        is <(json after.json "d$key") "$(json before.json "d$key")"
    done
}

in_order() {
    page "$@"
    is_empty commands
}

done_and_same() {
    same "$original" "$1"
    in_order "$@"
}

qcow2='["format-specific"]["data"]'

# ---- formats ----

@test "a plain image" {
    plain disk
    cooked disk
    is commands "qcow2frag defrag --device hdd disk"
    done_and_same disk
    kept disk '["cluster-size"]' "$qcow2[\"compat\"]"
    [ "$(ls -A | grep disk)" = "disk
disk-original" ]
}

@test "version 2 is kept" {
    create disk 64M compat=0.10
    scattered disk
    cooked disk
    done_and_same disk
    kept disk "$qcow2[\"compat\"]"
}

@test "cluster size, refcount width and lazy refcounts are kept" {
    create disk 64M cluster_size=16k,refcount_bits=8,lazy_refcounts=on
    scattered disk 16
    cooked disk
    done_and_same disk
    kept disk '["cluster-size"]' "$qcow2[\"refcount-bits\"]" "$qcow2[\"lazy-refcounts\"]"
}

@test "extended L2 entries are kept" {
    create disk 64M extended_l2=on,cluster_size=32k
    scattered disk 32
    cooked disk
    done_and_same disk
    kept disk "$qcow2[\"extended-l2\"]" '["cluster-size"]'
}

# noise FILE BYTES: compresses to about half.
noise() {
    python "$@" <<'PYTHON'
import random, sys
random.seed(2)
open(sys.argv[1], "wb").write(random.randbytes(int(sys.argv[2])).translate(bytes(n % 16 for n in range(256))))
PYTHON
}

# compressed IMAGE METHOD [COPY-OPTION ...]: most of its clusters, and some that were written again.
compressed() {
    noise noise $((2 << 20))
    qemu-img convert -c -f raw -O qcow2 -o "compression_type=$2,cluster_size=4k" noise "$1" ||
        skip "this qemu-img has no $2"
    at_random 1 512 4 | sed -n 1,200p | qemu-io -t unsafe "$1" >io.log
}

@test "compression and its method are kept" {
    for method in zlib zstd; do
        compressed disk $method
        cooked disk
        done_and_same disk
        kept disk "$qcow2[\"compression-type\"]"
        qcow2frag --json --no-host disk >disk.json
        is <(json disk.json 'i[0]["tables"][0]["compressed_clusters"]') 312 # the rest was written to since
        rm disk
    done
}

# snapshots IMAGE: their names, and what the guest would read from each.
snapshots() {
    local name

    for name in $(qemu-img snapshot -l "$1" | sed '1,2d' | tr -s ' ' | cut -d ' ' -f 2); do
        qemu-img convert -l "snapshot.name=$name" -O raw "$1" "$1.$name"
        echo "$name $(sha256sum <"$1.$name")"
    done
}

@test "snapshots are kept, and the page says so" {
    plain disk
    for name in one two; do
        qemu-img snapshot -c $name disk
        at_random 3 300 | sed -n 1,20p | qemu-io -t unsafe disk >io.log
    done
    cooked disk
    holds <(tr -s ' \n' ' ' <page) "it keeps everything, snapshots included."
    done_and_same disk
    [ "$(snapshots disk | wc -l)" = 2 ]
    is <(snapshots disk) "$(snapshots "$original")"
}

@test "where snapshots hold much, those that are needed are kept, and the image is put in order" {
    plain disk
    qemu-img snapshot -c one disk
    qemu-img snapshot -c two disk
    at_random 3 300 | qemu-io -t unsafe disk >io.log
    page disk
    cp disk original
    original=original
    sed -i 's/SNAPSHOT/one/' commands
    follow
    done_and_same disk
    is <(snapshots disk) "$(snapshots original | grep two)"
}

# dirty IMAGE: its refcounts are not up to date.
dirty() {
    at_random 1 300 | cat - <(printf 'flush\nsigraise 9\n') | qemu-io "$1" >io.log 2>&1 || true
}

@test "an image that was not closed is repaired before" {
    create disk 64M lazy_refcounts=on
    dirty disk
    cooked disk
    holds commands "qemu-img check -r all disk"
    done_and_same disk
    qemu-img check -q disk
}

# ---- backing files ----

@test "a backing file is kept, and only what is in front of it is copied" {
    create "base one.qcow2" 64M
    io "base one.qcow2" "write -P 7 0 20M"
    qemu-img create -q -f qcow2 -b "base one.qcow2" -F qcow2 disk
    scattered disk
    cooked disk
    done_and_same disk
    kept disk '["backing-filename"]' '["backing-filename-format"]'
    qcow2frag --json --no-host disk >disk.json
    is <(json disk.json 'i[0]["tables"][0]["mapped_clusters"]') 300
}

@test "a raw backing file is kept" {
    truncate -s 64M base.raw
    qemu-img create -q -f qcow2 -b base.raw -F raw disk
    scattered disk
    cooked disk
    done_and_same disk
    kept disk '["backing-filename"]' '["backing-filename-format"]'
}

@test "a backing file whose format the image does not tell is kept" {
    create base 64M
    io base "write -P 7 0 20M"
    mkdir sub
    qemu-img create -q -f qcow2 -b ../base -F qcow2 sub/disk
    scattered sub/disk
    python sub/disk <<'PYTHON' # its header extension becomes one that nobody knows
import sys
with open(sys.argv[1], "r+b") as file:
    head = file.read(65536)
    file.seek(head.index(b"\xe2\x79\x2a\xca"))
    file.write(b"\x12\x34\x56\x78")
PYTHON
    info sub/disk >before.json
    is <(json before.json '"backing-filename-format" in d') false
    cooked sub/disk
    done_and_same sub/disk
    kept sub/disk '["backing-filename"]'
}

@test "along a chain, the copy is of all of it, and measured with --chain again" {
    create base 64M
    scattered base
    qemu-img create -q -f qcow2 -b base -F qcow2 middle
    at_random 5 300 | sed -n 1,150p | qemu-io -t unsafe middle >io.log
    qemu-img create -q -f qcow2 -b middle -F qcow2 disk
    at_random 3 300 | sed -n 1,50p | qemu-io -t unsafe disk >io.log
    cooked disk --chain
    holds commands "qcow2frag --device hdd --chain disk"
    done_and_same disk --chain
    info disk >after.json
    is <(json after.json '"backing-filename" in d') false
}

# ---- bitmaps ----

@test "bitmaps are kept" {
    plain disk
    qemu-img bitmap --add disk b0
    cooked disk
    holds <(tr -s ' \n' ' ' <page) "it keeps everything, bitmaps included."
    done_and_same disk
    kept disk "$qcow2[\"bitmaps\"]"
}

# left_in_use IMAGE: as after a QEMU that was killed: all of its bitmaps.
left_in_use() {
    python "$1" <<'PYTHON'
import struct, sys
with open(sys.argv[1], "r+b") as file:
    head = file.read(65536)
    at = head.index(b"\x23\x85\x28\x75") + 8
    n, _, _, place = struct.unpack_from(">IIQQ", head, at)
    for _ in range(n):
        file.seek(place)
        entry = file.read(24)
        extra = struct.unpack_from(">I", entry, 20)[0]
        name = struct.unpack_from(">H", entry, 18)[0]
        file.seek(place + 12)
        file.write(struct.pack(">I", struct.unpack_from(">I", entry, 12)[0] | 1))
        place += (24 + extra + name + 7) // 8 * 8
PYTHON
}

@test "bitmaps that were left in use stay so" {
    plain disk
    qemu-img bitmap --add disk first
    left_in_use disk
    qemu-img bitmap --add disk sound
    cooked disk
    done_and_same disk
    kept disk "$qcow2[\"bitmaps\"]"
}

# ---- encryption ----

# encrypted IMAGE METHOD SIZE [CREATE-OPTION ...]: with 300 clusters in random order.
encrypted() {
    printf abc >KEYFILE
    key=(--object "secret,id=key,file=KEYFILE")
    if [ $# = 3 ] && [ ! -b "$1" ]; then
        once "$1" make_encrypted "$2" "$3"
    else
        make_encrypted "${@:2:2}" "$1" "${@:4}"
    fi
}

# make_encrypted METHOD SIZE IMAGE [CREATE-OPTION ...]
make_encrypted() {
    local method=$1 size=$2 image=$3 attempt created=

    shift 3
    for attempt in 1 2 3 4 5 6; do
        qemu-img create -q "${key[@]}" "$@" -f qcow2 \
            -o "encrypt.format=$method,encrypt.key-secret=key$([ "$method" = aes ] || echo ,encrypt.iter-time=10)" \
            "$image" "$size" 2>log && created=yes && break
    done
    [ -n "${created:-}" ] || skip "this qemu-img makes no $method image"
    at_random 1 300 | qemu-io -t unsafe "${key[@]}" --image-opts "$(spec "$image")" >io.log
}

@test "an encrypted image stays encrypted" {
    encrypted disk luks 32M
    cooked disk
    done_and_same disk
    kept disk '["encrypted"]'
}

@test "of AES no key is needed, and it stays so" {
    encrypted disk aes 32M
    cooked disk
    is commands "qcow2frag defrag --device hdd disk"
    done_and_same disk
    kept disk "$qcow2[\"encrypt\"][\"format\"]"
}

# bitmap NAME: adds one to the encrypted image.
bitmap() { qemu-img bitmap --add "${key[@]}" --image-opts "$(spec disk)" "$1"; }

@test "bitmaps that LUKS images were left with in use are named, and the others are kept" {
    encrypted disk luks 32M
    bitmap first
    bitmap second
    left_in_use disk
    bitmap sound
    cooked disk
    holds <(tr -s ' \n' ' ' <page) 'The program that used the bitmaps "first", "second" ended before it saved them'
    done_and_same disk
    info disk >after.json
    is <(json after.json "[b[\"name\"] for b in d$qcow2[\"bitmaps\"]]") '["sound"]'
}

@test "a bitmap that is not left in use is not called so" {
    encrypted disk luks 32M
    bitmap b0
    page disk
    not grep -q "The program that used" page
    not grep -q "skip-broken" page
}

@test "snapshots of a LUKS image are not in the copy, and the page says so before" {
    encrypted disk luks 32M
    qemu-img snapshot "${key[@]}" --image-opts -c one "$(spec disk)"
    qemu-img snapshot "${key[@]}" --image-opts -c two "$(spec disk)"
    page disk
    holds <(tr -s ' \n' ' ' <page) "The copy will not have the 2 internal snapshots of this image"
}

@test "an encrypted image keeps its backing file and its bitmaps" {
    create base 32M
    io base "write -P 7 0 30M"
    encrypted disk luks 32M -b base -F qcow2
    qemu-img bitmap --add "${key[@]}" --image-opts "$(spec disk)" b0
    cooked disk
    done_and_same disk
    kept disk '["backing-filename"]' '["backing-filename-format"]' '["encrypted"]' "$qcow2[\"bitmaps\"][0][\"name\"]"
    qcow2frag --json --no-host disk >disk.json
    is <(json disk.json 'i[0]["tables"][0]["mapped_clusters"]') 300
}

@test "an encrypted image whose name has commas" {
    encrypted plain luks 32M
    mv plain "a,file.locking=off,x=.qcow2"
    page "a,file.locking=off,x=.qcow2"
    mv "a,file.locking=off,x=.qcow2" saved
    cp saved "a,file.locking=off,x=.qcow2"
    follow
    mv "a,file.locking=off,x=.qcow2" disk
    same saved disk
}

# ---- encryption below ----

secrets=(--object secret,id=a,data=abc --object secret,id=b,data=def)

# locked IMAGE ID [CREATE-OPTION ...]: an empty LUKS image that the secret of this id opens.
locked() {
    local image=$1 id=$2

    shift 2
    luks qemu-img create -q "${secrets[@]}" -u -f qcow2 "$@" \
        -o "encrypt.format=luks,encrypt.key-secret=$id,encrypt.iter-time=10" "$image" 32M
}

make_full_base() {
    locked "$2" "$1"
    filled "$(opened "$2"),encrypt.key-secret=$1" 1 300
}

# full_base ID: base, with 300 clusters in random order.
full_base() { once base make_full_base "$1"; }

# overlay IMAGE BACKING-FILE: a plain one.
overlay() { qemu-img create -q -u -f qcow2 -b "$2" -F qcow2 "$1" 32M; }

opened() { echo "driver=qcow2,file.filename=$1"; }

# filled OPTIONS FIRST N: N clusters in random order, in an image opened by these options.
filled() {
    at_random "$2" 300 | sed -n "1,$3p" | qemu-io -t unsafe "${secrets[@]}" --image-opts "$1" >io.log || told "qemu-io:" io.log
}

# read_by OPTIONS: the sum of what a guest reads.
read_by() {
    qemu-img convert "${secrets[@]}" --image-opts -O raw "$1" read.raw
    sha256sum <read.raw
}

@test "along a chain, each file that is encrypted has its passphrase, and the copy is one file" {
    full_base b
    overlay middle base
    filled "$(opened middle),backing.encrypt.key-secret=b" 5 150
    locked disk a -b middle -F qcow2
    filled "$(opened disk),encrypt.key-secret=a,backing.backing.encrypt.key-secret=b" 3 50
    before=$(read_by "$(opened disk),encrypt.key-secret=a,backing.backing.encrypt.key-secret=b")
    printf abc >KEYFILE
    printf def >KEYFILE2
    cooked disk --chain
    holds <(tr -s ' \n' ' ' <page) 'KEYFILE for the image and KEYFILE2 for the backing file "base".'
    [ "$(read_by "$(opened disk),encrypt.key-secret=a")" = "$before" ] || told "the guest reads something else"
    in_order disk --chain
    info disk >after.json
    is <(json after.json '"backing-filename" in d') false
    kept disk '["encrypted"]'
}

@test "what is encrypted below only is not so in the copy, and the page says so before" {
    full_base b
    overlay disk base
    filled "$(opened disk),backing.encrypt.key-secret=b" 3 50
    before=$(read_by "$(opened disk),backing.encrypt.key-secret=b")
    printf def >KEYFILE1
    cooked disk --chain
    holds <(tr -s ' \n' ' ' <page) "it will hold in plain text what it has from there"
    [ "$(read_by "$(opened disk)")" = "$before" ] || told "the guest reads something else"
    in_order disk --chain
}

@test "a backing file of AES" {
    secrets+=(--object secret,id=key,data=abc)
    encrypted base aes 32M
    overlay disk base
    filled "$(opened disk),backing.encrypt.key-secret=a" 3 50
    before=$(read_by "$(opened disk),backing.encrypt.key-secret=a")
    mv KEYFILE KEYFILE1
    cooked disk --chain
    [ "$(read_by "$(opened disk)")" = "$before" ] || told "the guest reads something else"
    in_order disk --chain
}

# kept_below: the image at disk reads as $before, by the options in $how, and is still built on base.
kept_below() {
    [ "$(read_by "$how")" = "$before" ] || told "the guest reads something else"
    kept disk '["backing-filename"]' '["backing-filename-format"]' '["encrypted"]'
    qcow2frag --json --no-host disk >disk.json
    is <(json disk.json 'i[0]["tables"][0]["mapped_clusters"]') 300
    in_order disk
}

@test "of a chain that was not looked at, the backing file has the passphrase of the image" {
    full_base a
    locked disk a -b base -F qcow2
    how="$(opened disk),encrypt.key-secret=a,backing.encrypt.key-secret=a"
    filled "$how" 3 300
    qemu-img bitmap --add "${secrets[@]}" --image-opts "$(opened disk),encrypt.key-secret=a" b0
    before=$(read_by "$how")
    printf abc >KEYFILE
    cooked disk
    holds <(tr -s ' \n' ' ' <page) "If its backing file is encrypted, too, it is taken to have the same one."
    kept_below
    kept disk "$qcow2[\"bitmaps\"][0][\"name\"]"
}

@test "a backing file that is a LUKS container has a passphrase of its own" {
    luks qemu-img create -q -f luks "${secrets[@]}" -o key-secret=b,iter-time=10 base 32M
    qemu-io -t unsafe "${secrets[@]}" --image-opts driver=luks,file.filename=base,key-secret=b -c "write -P 7 0 20M" >io.log
    locked disk a -b base -F luks
    how="$(opened disk),encrypt.key-secret=a,backing.key-secret=b"
    filled "$how" 3 300
    before=$(read_by "$how")
    printf abc >KEYFILE
    printf def >KEYFILE1
    cooked disk
    kept_below
}

@test "on a block device, above a backing file that is encrypted" {
    devices 96M
    full_base a
    locked "$device" a -b "$PWD/base" -F qcow2
    how="encrypt.key-secret=a,backing.encrypt.key-secret=a"
    filled "$(opened "$device"),$how" 3 300
    before=$(read_by "$(opened "$device"),$how")
    printf abc >KEYFILE
    cooked_volume
    [ "$(read_by "$(opened "$volume"),$how")" = "$before" ] || told "the guest reads something else"
    original=$device
    kept "$volume" '["backing-filename"]' '["encrypted"]'
}

@test "snapshots above a backing file that is encrypted are listed and deleted" {
    locked base b
    overlay disk base
    how="$(opened disk),backing.encrypt.key-secret=b"
    filled "$how" 3 300
    for name in one two; do
        qemu-img snapshot "${secrets[@]}" --image-opts -c $name "$how"
    done
    filled "$how" 5 300
    before=$(read_by "$how")
    printf def >KEYFILE1
    page disk --chain
    grep -q "snapshot .*-d SNAPSHOT" commands || told "not by deleting snapshots:" page
    sed -i 's/SNAPSHOT/one/' commands # of the other one the copy knows nothing
    cp disk original
    grep snapshot commands >some
    follow
    [ "$(read_by "$(opened disk)")" = "$before" ] || told "the guest reads something else"
    in_order disk --chain
    mv original disk
    mv some commands
    follow
    [ "$(read_by "$how")" = "$before" ] || told "the guest reads something else"
    info disk >after.json
    is <(json after.json '[s["name"] for s in d["snapshots"]]') '["two"]'
}

@test "leaks and damage above a backing file that is encrypted" {
    locked base b
    overlay disk base
    how="$(opened disk),backing.encrypt.key-secret=b"
    filled "$how" 3 300
    printf def >KEYFILE1
    python disk <<'PYTHON' # the last cluster in use becomes one that nobody refers to
import struct, sys
with open(sys.argv[1], "r+b") as file:
    head = file.read(104)
    l1, = struct.unpack_from(">Q", head, 40)
    file.seek(l1)
    l2 = struct.unpack(">Q", file.read(8))[0] & 0xfffffffffffe00
    file.seek(l2 + 299 * 8)
    file.write(bytes(8))
PYTHON
    qcow2frag --no-host --device hdd --space --chain disk >page
    holds <(tr -s ' \n' ' ' <page) "into a file KEYFILE1 that only you can read."
    sed -n 's/^        \(qemu-img check.*\)/\1/p' page >commands
    grep -q "check -r leaks" commands || told "no leaks:" page
    follow
    qemu-img check "${secrets[@]}" --image-opts "$how" >log || told "still leaks:" log
    read_by "$how" >log
    mv read.raw before.raw
    python disk <<'PYTHON' # an L2 entry that points into the middle of a cluster
import struct, sys
with open(sys.argv[1], "r+b") as file:
    head = file.read(104)
    l1, = struct.unpack_from(">Q", head, 40)
    file.seek(l1)
    l2 = struct.unpack(">Q", file.read(8))[0] & 0xfffffffffffe00
    file.seek(l2 + 5 * 8)
    file.write(struct.pack(">Q", 1 << 63 | 9 * 65536 + 512))
PYTHON
    try qcow2frag --no-host --chain disk
    exits 2
    sed -n 's/^        \(\(test\|qemu-img\).*\)/\1/p' out >commands
    bash -c "$(grep salvage commands)" >log 2>&1 || told "nothing was saved:" log
    read_by "$(opened disk.salvaged)" >log
    cmp -l before.raw read.raw >log || true
    is <(sed -n '1s/^ *\([0-9]*\).*/\1/p' log) $((5 * 65536 + 1))
    is <(wc -l <log) 65536
}

# ---- the L2 cache ----

# in_slices: disk, whose tables the default cache does not hold, is page and commands; size is that of the cache to be,
# and both that of this and the cache of refcounts.
in_slices() {
    create disk 260G
    python3 -c 'for n in range(640): print(f"write -q -P {n % 250 + 1} {n * 32}M 64k")' | qemu-io -t unsafe -f qcow2 disk >io.log
    page disk
    size=$(sed -n 's/.*,l2-cache-size=\([0-9]*\)$/\1/p' commands)
    [ -n "$size" ] || told "no size:" page
    both=$(tr -s ' \n' ' ' <page | sed -n "s/.*<max_size unit='bytes'>\([0-9]*\)<.*/\1/p")
    [ -n "$both" ] || told "no size for libvirt:" page
}

# starts OPTION ...: QEMU does, and ends when it is told to.
starts() {
    printf '{"execute": "%s"}\n' qmp_capabilities query-block quit |
        "$@" -nodefaults -display none -S -qmp stdio >log 2>&1 || told "QEMU refuses:" log
    holds log '"file": "disk"'
}

@test "QEMU takes the size of the L2 cache where the page puts it" {
    needs qemu-system-x86_64
    in_slices
    starts bash -c "$(cat commands) \"\$@\"" -
    holds <(tr -s ' \n' ' ' <page) "l2-cache-size=$size (an option of -drive and -blockdev;"
    starts qemu-system-x86_64 -blockdev "driver=qcow2,node-name=disk,file.driver=file,file.filename=disk,l2-cache-size=$size" \
        -device virtio-blk,drive=disk
    # libvirtd.bats has libvirt take the element.
    holds <(tr -s ' \n' ' ' <page) "In libvirt, since 7.0, this is <metadata_cache><max_size unit='bytes'>$both</max_size></metadata_cache> in the <driver> of the disk."
}

@test "with that cache QEMU reads as fast as the page says" {
    needs nbdkit
    [ -n "$DISK_PLUGIN" ] || skip "no nbdkit-plugin-dev when this was built"
    in_slices
    qcow2frag --json --no-host --device hdd disk >disk.json
    witness disk/qemu_reads.py --tables "$DISK_PLUGIN" disk >before.json
    witness disk/compare.py seconds before.json disk.json disk seconds
    witness disk/qemu_reads.py --tables --l2-cache-size "$size" "$DISK_PLUGIN" disk >after.json
    witness disk/compare.py seconds after.json disk.json disk ideal_seconds
    is <(json after.json 'd["slices"]') 40 # each table once, and whole
    witness disk/qemu_reads.py --tables --cache-size "$both" "$DISK_PLUGIN" disk >libvirt.json
    diff after.json libvirt.json
    witness disk/qemu_reads.py --tables --cache-size $((both - 65536)) "$DISK_PLUGIN" disk >less.json
    not diff after.json less.json >log
}

# ---- names ----

make_to_be_named() {
    create "$1" 64M cluster_size=4k
    scattered "$1" 4
}

# named NAME: an image of that name, in a folder of its own.
named() {
    made_once to-be-named make_to_be_named
    mkdir alone
    cd alone
    cp "$made" "./$1"
    cooked "$1"
    done_and_same "$1"
    rm -- "./$1" "$original" commands log page # and there is no other
    cd ..
    rmdir alone
}

@test "names that a shell would take apart" {
    named "it's my \$disk"
    named 'a b$(id)`id`"'
    named '~root'
    named '#x'
    named 'a=b'
    named $'x\ny;reboot'
    named $'tab\there\\n'
}

@test "names that programs would take for options" {
    named -disk
    named -o.qcow2
    named --help
}

@test "names that QEMU would take for something else" {
    named vm:1
    named nbd:x
    named file:x
    named 'json:{"driver":"null-co"}'
    named a,b,,c=d
}

@test "names that this program would take for a command" {
    named map
    named defrag
}

# ---- files ----

@test "a file that has the name of the copy is left alone" {
    plain disk
    echo mine >disk.new
    ln -s nowhere disk.new2
    cooked disk
    done_and_same disk
    is disk.new mine
    [ "$(readlink disk.new2)" = nowhere ]
}

@test "behind a symbolic link, the target is replaced" {
    mkdir images
    plain images/real
    chmod 640 images/real
    ln -s images/real link
    cooked link
    done_and_same link
    [ "$(readlink link)" = images/real ]
    [ "$(ls images)" = real ]
    [ "$(stat -c %a images/real)" = 640 ]
}

@test "behind a symbolic link, the backing file is found where it was" {
    mkdir images
    create base 64M
    io base "write -P 7 0 20M"
    create images/base 64M # another one
    create images/real 64M
    qemu-img create -q -f qcow2 -b base -F qcow2 images/real
    ln -s images/real link
    scattered link
    cooked link
    done_and_same link
    kept link '["backing-filename"]'
    [ "$(readlink link)" = images/real ]
    [ "$(ls images)" = "base
real" ]
    [ ! -e link.new ]
}

@test "nobody else can read the copy before it has the rights of the original" {
    encrypted disk luks 32M
    page disk
    sed -i '/^(umask/q' commands
    follow
    [ "$(stat -c %a disk.new)" = 600 ]
}

@test "of a file with two names, the other one stays with the old image" {
    plain disk
    ln disk other
    cooked disk
    holds commands "--break-hard-links"
    done_and_same disk
    cmp other "$original"
}

# ---- block devices ----

# devices SIZE: two loop devices, $device and $volume.
devices() {
    needs_root
    needs losetup
    truncate -s "$1" one two
    device=$(losetup --find --show one 2>log) || skip "no loop devices: $(cat log)"
    volume=$(losetup --find --show two 2>log) || skip "no loop devices: $(cat log)"
}

teardown() {
    [ -z "${device:-}" ] || losetup --detach "$device"
    [ -z "${volume:-}" ] || losetup --detach "$volume"
    leave_scratch
}

# cooked_volume: as cooked, with the second device as the new volume; it is large enough.
cooked_volume() {
    page "$device"
    holds page NEW-VOLUME
    ! grep -qE '^(mv|chown|ln) ' commands || told "a device would be replaced:" commands
    sed -i "s|NEW-VOLUME|$volume|g" commands
    follow
    grep -q "^qemu-img measure" commands
    [ -b "$device" ]
    [ -b "$volume" ]
    in_order "$volume"
}

@test "an image on a block device is copied to another one" {
    devices 96M
    create "$device" 64M lazy_refcounts=on
    scattered "$device"
    qemu-img bitmap --add "$device" b0
    cooked_volume
    same "$device" "$volume"
    original=$device
    kept "$volume" "$qcow2[\"lazy-refcounts\"]" "$qcow2[\"bitmaps\"][0][\"name\"]"
}

@test "the new volume is no longer than the same copy in a file" {
    devices 96M
    create "$device" 8G # most of it in holes
    scattered "$device"
    io "$device" "write -P 3 7G 64k"
    cooked_volume
    qemu-img convert -O qcow2 "$device" file
    is <(qemu-img check --output=json "$volume" | python3 -c 'import json, sys; print(json.load(sys.stdin)["image-end-offset"])') \
        "$(qemu-img check --output=json file | python3 -c 'import json, sys; print(json.load(sys.stdin)["image-end-offset"])')"
}

@test "an image on a block device keeps its backing file" {
    devices 96M
    create base 64M
    io base "write -P 7 0 20M"
    qemu-img create -q -f qcow2 -b "$PWD/base" -F qcow2 "$device"
    scattered "$device"
    cooked_volume
    same "$device" "$volume"
    original=$device
    kept "$volume" '["backing-filename"]' '["backing-filename-format"]'
}

@test "an encrypted image on a block device" {
    devices 96M
    encrypted "$device" luks 32M
    cooked_volume
    same "$device" "$volume"
}

@test "a compressed image on a block device" {
    devices 96M
    compressed file zlib
    dd if=file of="$device" bs=1M status=none
    cooked_volume
    same file "$volume"
    qcow2frag --json --no-host "$volume" >disk.json
    is <(json disk.json 'i[0]["tables"][0]["compressed_clusters"]') 512
}

@test "a link to a device is no file to be replaced" {
    devices 96M
    create "$device" 64M
    scattered "$device"
    ln -s "$device" lv
    page lv
    holds page NEW-VOLUME
    ! grep -qE '^(mv|chown|ln) ' commands || told "a device would be replaced:" commands
}

# ---- space ----

@test "the page says what gets leaked clusters back, and it does" {
    fixture leaked
    mv "$BATS_TEST_TMPDIR/leaked.qcow2" .
    qcow2frag --no-host --device hdd --space leaked.qcow2 >page
    holds <(tr -s ' \n' ' ' <page) "stored by the host"
    sed -n 's/^        \(qemu-img check.*\)/\1/p' page >commands
    is commands "qemu-img check -r leaks leaked.qcow2"
    follow
    qemu-img check leaked.qcow2 >log
    qcow2frag --no-host --device hdd --space leaked.qcow2 >page
    not grep -q "check -r leaks" page
}

@test "in a damaged image nothing is called space to get back" {
    fixture v2-zero
    try qcow2frag --no-host --space "$BATS_TEST_TMPDIR/v2-zero.qcow2"
    not grep -q "get space back" out
}

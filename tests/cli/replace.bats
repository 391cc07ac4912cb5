#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# defrag without --output: the image itself is replaced, with all that a file has besides its bytes, or stays as it is.

load helper
load holders

setup() {
    enter_scratch
    needs qemu-img
    fixture reversed
    mkdir folder
    mv reversed.qcow2 folder/image
    cp folder/image copy
}

# of FILE: which file it is, and all that is to stay if it is not replaced.
of() { stat -c '%i %s %Y %h %a %u:%g' "$1" && cksum <"$1"; }

# untouched: the image is that of before, and nothing else came to its folder.
untouched() {
    of folder/image | diff before - || told "not as it was"
    [ "$(ls -A folder)" = "${1:-image}" ] || told "in the folder: $(ls -A folder)"
}

# stays WHY [OPTION ...]: refused in one line, and nothing was changed.
stays() {
    of folder/image >before
    try qcow2frag defrag "${@:2}" folder/image
    refused folder/image "$1"
    untouched
}

# is_replaced [FILE]: by another file, in order, that holds the same.
is_replaced() {
    [ "$(stat -c %i "${1:-folder/image}")" != "${old_inode:-0}" ] || told "it is the old file"
    qemu-img check -q "${1:-folder/image}"
    qemu-img compare -q copy "${1:-folder/image}"
    qcow2frag --json "${1:-folder/image}" >figures
    is <(json figures 'i[0]["tables"][0]["fragmentation_score"]') 0.0
}

replace() {
    old_inode=$(stat -c %i folder/image)
    try qcow2frag defrag "$@" folder/image
    exits 0
    is_empty err
    is_replaced
}

# ---- what it does ----

@test "the image is replaced by one in order, and nothing else is left" {
    replace
    [ "$(ls -A folder)" = image ]
    is <(tail -n 3 out | sed 's/ in [0-9.]* m\?s;/ in TIME;/') \
        "  copied 6.25 MiB in TIME; read back from the device and proven
  it is in the place of the old image, which is gone
  the guest sees the same bytes, so overlays that it is the backing file of stay valid"
}

@test "JSON: where the new one is, and that the old one is nowhere" {
    replace --json
    is <(json out '[d["defrag"][0][k] for k in ("state", "output", "original", "error", "verified")]') \
        '["done", "folder/image", null, null, "direct"]'
}

@test "already in order: it is not touched, status 0" {
    replace
    of folder/image >before
    try qcow2frag defrag folder/image
    exits 0
    holds out "already in order"
    untouched
}

@test "--dry-run changes nothing" {
    of folder/image >before
    try qcow2frag defrag --dry-run folder/image
    exits 0
    untouched
}

@test "an overlay above it stays valid" {
    needs qemu-io
    qemu-img create -q -f qcow2 -b image -F qcow2 folder/overlay
    qemu-io -c 'write -P 7 1M 64k' folder/overlay >log
    qemu-img convert -O raw folder/overlay raw
    try qcow2frag defrag folder/image
    exits 0
    qemu-img compare -q -f raw raw -F qcow2 folder/overlay
}

# ---- what a file has besides its bytes ----

@test "mode, owner and group stay" {
    chmod 640 folder/image
    [ "$EUID" != 0 ] || chown 65534:12 folder/image
    stat -c '%a %u %g' folder/image >before
    replace
    stat -c '%a %u %g' folder/image | diff before -
}

@test "extended attributes stay" {
    needs setfattr getfattr
    setfattr -n user.note -v important folder/image 2>/dev/null || skip "no extended attributes here"
    head -c 3000 /dev/zero | tr '\0' x >value
    ! setfattr -n user.long -v "$(cat value)" folder/image 2>/dev/null || : # not on each file system
    getfattr -d -m - folder/image >before
    replace
    getfattr -d -m - folder/image | diff before -
}

@test "labels that only root may give stay" {
    needs_root
    needs setfattr getfattr
    setfattr -n trusted.note -v secret folder/image 2>/dev/null || skip "no extended attributes here"
    setfattr -n security.selinux -v system_u:object_r:svirt_image_t:s0 folder/image 2>/dev/null ||
        skip "no labels here"
    getfattr -d -m - folder/image >before
    replace
    getfattr -d -m - folder/image | diff before -
}

@test "an ACL stays, and one that the folder would give does not come" {
    needs setfacl getfacl
    setfacl -m u:12:rw folder/image 2>/dev/null || skip "no ACLs here"
    setfacl -d -m u:13:rw folder
    getfacl -p folder/image >before
    replace
    getfacl -p folder/image | diff before -
    setfacl -b folder/image
    getfacl -p folder/image >before
    replace --force
    getfacl -p folder/image | diff before -
}

@test "an ordinary user's own image" {
    [ "$EUID" = 0 ] || skip "the other tests are run by one"
    open_scratch
    chown -R 65534:65534 folder
    old_inode=$(stat -c %i folder/image)
    as_user ./program defrag -q folder/image
    is_replaced
    [ "$(stat -c %u:%g folder/image)" = 65534:65534 ]
}

@test "an owner that this user may not give: refused before anything is written" {
    needs_root
    open_scratch
    chmod 777 folder
    chmod 644 folder/image
    of folder/image >before
    try as_user ./program defrag folder/image
    refused folder/image "cannot give the new file its owner and group (0:0)"
    untouched
}

# ---- names ----

@test "a link: what it leads to is replaced, and it stays" {
    ln -s folder/image link
    old_inode=$(stat -c %i folder/image)
    try qcow2frag defrag link
    exits 0
    [ "$(readlink link)" = folder/image ]
    is_replaced
    [ "$(ls -A folder)" = image ]
}

@test "a second name: refused, unless it is to be left behind" {
    ln folder/image other
    stays "it has 2 names (hard links), and the others would go on leading to the old file; --break-hard-links \
replaces this one alone"
    replace --break-hard-links
    cmp copy other
}

@test "names that are hard to write" {
    local name
    for name in -x 'a b' $'new\nline' 'vm:1' 'a,b' "$(printf 'x%.0s' {1..255})"; do
        cp copy "folder/$name"
        old_inode=$(stat -c %i "folder/$name")
        (cd folder && qcow2frag defrag -q -- "$name") || told "not done: $name"
        is_replaced "folder/$name"
        rm "folder/$name"
    done
}

@test "a file that is mounted there from elsewhere is not replaced" {
    needs unshare
    unshare -rm mount -t tmpfs none /mnt 2>/dev/null || skip "no mounts of its own"
    cat >script <<'SCRIPT'
mount -t tmpfs none /mnt
cp copy /mnt/image
mount --bind /mnt/image folder/image
"$@" defrag folder/image
SCRIPT
    of folder/image >before
    try unshare -rm sh script "$QCOW2FRAG"
    refused folder/image "it is mounted there from another file system"
    untouched
}

@test "a block device is not replaced" {
    needs_root
    needs losetup
    local device
    device=$(losetup -f --show folder/image 2>/dev/null) || skip "no loop devices"
    try qcow2frag defrag "$device"
    losetup -d "$device"
    refused "$device" "is a block device, which cannot be replaced by a file; --output makes the new image elsewhere"
}

@test "a file that may not be changed is not replaced" {
    needs_root
    needs chattr
    chattr +i folder/image 2>/dev/null || skip "no such attribute here"
    try qcow2frag defrag folder/image
    chattr -i folder/image
    refused folder/image "it has the attribute immutable; chattr -i takes it away"
    cmp copy folder/image
}

@test "a folder that this user may not write to" {
    open_scratch
    chmod 755 folder
    [ "$EUID" = 0 ] || chmod 555 folder
    of folder/image >before
    try as_user ./program defrag folder/image
    refused folder/image "cannot be replaced: no file can be made in its folder: Permission denied; --output makes the \
new image elsewhere"
    untouched
}

@test "a sticky folder, and somebody else's file" {
    needs_root
    open_scratch
    chmod 1777 folder
    of folder/image >before
    try as_user ./program defrag folder/image
    refused folder/image "in its folder, a sticky one, only its owner can do that"
    untouched
}

# ---- --keep-original ----

@test "--keep-original: the old one keeps its bytes under another name" {
    old_inode=$(stat -c %i folder/image)
    replace --keep-original
    [ "$(stat -c '%i %h' folder/image.orig)" = "$old_inode 1" ]
    cmp copy folder/image.orig
    [ "$(ls -A folder | tr '\n' ' ')" = "image image.orig " ]
    holds out "which is now $BATS_TEST_TMPDIR/folder/image.orig"
}

@test "--keep-original=SUFFIX" {
    replace --keep-original=~ --json
    cmp copy folder/image~
    is <(json out 'd["defrag"][0]["original"]') "$BATS_TEST_TMPDIR/folder/image~"
}

@test "--keep-original: a name that is taken" {
    echo precious >folder/image.orig
    of folder/image >before
    try qcow2frag defrag --keep-original folder/image
    refused folder/image "there is a image.orig already; move that away, or choose another suffix, --keep-original=SUFFIX"
    untouched $'image\nimage.orig'
    is folder/image.orig precious
}

@test "--keep-original: goes on where a program was killed between keeping and replacing" {
    ln folder/image folder/image.orig
    replace --keep-original
    cmp copy folder/image.orig
}

@test "--keep-original: a suffix that is none" {
    local suffix
    for suffix in '' a/b; do
        try qcow2frag defrag --keep-original="$suffix" folder/image
        exits 1
        holds err "--keep-original takes the end of a name, as in .old, not \"$suffix\""
    done
}

@test "--output leaves the old image where it is, so nothing is kept or broken" {
    local option
    for option in keep-original break-hard-links; do
        try qcow2frag defrag --$option -o new folder/image
        exits 1
        holds err "--$option does not go with --output"
    done
}

# ---- --check-command ----

@test "--check-command that fails: the original stays" {
    stays "the check command ended with status 3; nothing was changed, and the new file is gone" --check-command 'exit 3;'
    stays "the check command died of signal 9" --check-command 'kill -9 $$;'
    stays "the check command ended with status 127" --check-command 'no-such-program 2>command-log'
}

@test "--check-command gets the new image: as its last argument, as \$1, in the environment" {
    cat >check <<'SCRIPT'
#!/bin/sh
printf '%s %s %s\n' "$#" "$(dirname "$1")" "$QCOW2FRAG_IMAGE" >>told
[ "$1" = "$QCOW2FRAG_IMAGE" ] && qemu-img check -q "$1" && qemu-img compare -q "$1" copy
SCRIPT
    chmod +x check
    replace --check-command ./check
    replace --force --check-command './check "$1"'
    replace --force --check-command './check "$QCOW2FRAG_IMAGE"'
    [ "$(wc -l <told)" = 3 ]
    not grep -v "^1 $BATS_TEST_TMPDIR/folder " told
}

@test "--check-command sees the old image in its place, and the new one in order" {
    old_inode=$(stat -c %i folder/image)
    replace --check-command 'cmp copy folder/image && qcow2frag --max-score 0 -q "$1"' 2>/dev/null || true
    try env PATH="$(dirname "$QCOW2FRAG"):$PATH" "$QCOW2FRAG" defrag --force \
        --check-command 'qcow2frag --max-score 0 -q "$1"' folder/image
    exits 0
}

@test "--check-command: what it prints is no result" {
    try qcow2frag defrag --json --check-command 'echo hello #' folder/image
    exits 0
    is <(json out 'd["defrag"][0]["state"]') done
    is err hello
}

@test "--check-command may not write to the new image" {
    needs qemu-io
    stays "the check command ended with status 1" \
        --check-command 'qemu-io -f qcow2 -c "write 0 64k" "$1" 2>command-log'
    holds command-log 'Failed to get "write" lock'
    stays "the new image was written to while it was checked" --check-command 'echo x >>"$1"'
}

@test "--check-command: the old image is written to meanwhile, by a program without locks: what was written stays" {
    local change
    for change in 'printf x | dd of=folder/image bs=1 seek=400000 conv=notrunc status=none' 'echo x >>folder/image' \
        'truncate -s 327680 folder/image'; do
        cp copy folder/image
        old_inode=$(stat -c %i folder/image)
        try qcow2frag defrag --check-command "$change #" folder/image
        refused folder/image "the image was changed while it was read; the copy is thrown away"
        [ "$(stat -c %i folder/image)" = "$old_inode" ]
        not cmp -s copy folder/image
        [ "$(ls -A folder)" = image ]
    done
}

@test "--check-command: only the file that was proven takes the place, whatever has its hidden name then" {
    stays "the new image was moved, removed or replaced while it was checked" --check-command 'rm "$1"'
    stays "the new image was moved, removed or replaced while it was checked" --check-command 'mv "$1" elsewhere;'
    of folder/image >before
    try qcow2frag defrag --check-command 'cp "$1" made; mv made "$1"' folder/image
    refused folder/image "the new image was moved, removed or replaced while it was checked"
    of folder/image | diff before -
}

@test "--check-command: a guest may run from it with -snapshot" {
    needs qemu-io
    replace --check-command 'qemu-io -s -f qcow2 -c "write 0 64k" "$1" >command-log'
}

@test "--check-command: its failure counts, whatever the caller does with ended processes" {
    of folder/image >before
    try env --ignore-signal=CHLD "$QCOW2FRAG" defrag --check-command 'exit 3;' folder/image
    refused folder/image "the check command ended with status 3"
    untouched
}

@test "--check-command: what it leaves running may not have the new image open" {
    stays "the check command has ended, but not all that it began: the new image is still open elsewhere" \
        --check-command 'sleep 30 5<>"$1" & echo $! >pid; until [ -e "/proc/$!/fd/5" ]; do :; done'
    kill "$(cat pid)"
}

@test "--check-command: what it takes a moment to end is waited for" {
    replace --check-command 'sleep 0.5 5<>"$1" & until [ -e "/proc/$!/fd/5" ]; do :; done'
}

@test "--check-command: mode and owner are those of the original in the end, also if that gets others meanwhile" {
    replace --check-command 'chmod 777 "$1"'
    [ "$(stat -c %a folder/image)" = "$(stat -c %a copy)" ]
    replace --force --check-command 'chmod 600 folder/image #'
    [ "$(stat -c %a folder/image)" = 600 ]
}

@test "--check-command: a second name that the original gets meanwhile" {
    try qcow2frag defrag --check-command 'ln folder/image other #' folder/image
    refused folder/image "it has 2 names (hard links)"
    cmp copy folder/image
    cmp copy other
}

@test "--check-command has nothing to read: a list that the caller reads is not lost" {
    cp copy folder/second
    printf '%s\n' folder/image folder/second | while read -r image; do
        qcow2frag defrag -q --check-command 'cat >/dev/null; true "$1"' "$image"
    done
    is_replaced
    is_replaced folder/second
}

@test "--check-command that is told to end, with its children" {
    mkfifo ready
    "$QCOW2FRAG" defrag --check-command 'trap "" TERM; sleep 60 & echo $! >pid; echo >ready; wait; true "$1"' folder/image \
        >out 2>err 3>&- &
    read -r _ <ready
    kill $!
    wait $! && told "it is done" || [ $? = 1 ]
    not grep -s '^State:.[RSDT]' "/proc/$(cat pid)/status" # that nobody asks how it ended is no matter
    is err "qcow2frag: folder/image: stopped; nothing was changed, and the new file is gone"
    [ "$(ls -A folder)" = image ]
    cmp copy folder/image
}

@test "--check-command goes with --output as well" {
    try qcow2frag defrag -o folder/new --check-command 'qemu-img check -q "$1" && false' folder/image
    refused folder/image "the check command ended with status 1"
    [ "$(ls -A folder)" = image ]
    try qcow2frag defrag -q -o folder/new --check-command 'qemu-img compare -q copy' folder/image
    exits 0
    is_replaced folder/new
    [ "$(ls -A folder | tr '\n' ' ')" = "image new " ]
}

# ---- what was left behind ----

@test "a hidden image of a program that was killed is removed" {
    cp copy folder/.qcow2frag-image.999999.0
    cp copy folder/.qcow2frag-image.1
    cp copy folder/.qcow2frag.999999.0
    replace
    [ "$(ls -A folder | tr '\n' ' ')" = ".qcow2frag-image.1 .qcow2frag.999999.0 image " ]
}

@test "a hidden image that somebody has open is not removed" {
    needs qemu-io
    cp copy folder/.qcow2frag-image.999999.0
    qemu_io -f qcow2 folder/.qcow2frag-image.999999.0
    qcow2frag defrag -q folder/image
    [ -e folder/.qcow2frag-image.999999.0 ]
}

# ---- many ----

# three: images that lose nothing, little and more time.
three() {
    cp copy folder/a
    cp copy folder/in-order
    qcow2frag defrag -q folder/in-order
    "$MKQCOW2" "$TESTS/images/shuffled-groups.txt" folder/image
}

@test "a directory: worst first, one table, and their sum" {
    three
    qcow2frag -n --columns LOST,IMAGE folder | sed 's/.* //' >order
    try qcow2frag defrag folder
    exits 0
    is_empty err
    is <(sed -n '2,$p' out | sed '$d; s/.* //') "$(cat order)"
    holds out "3 images: 2 done, 1 in order; copied"
    grep -q '^in order .* folder/in-order$' out
    try qcow2frag defrag folder
    holds out "3 images: 3 in order"
}

@test "several: one that fails does not stop the rest, status 1" {
    head -c 4096 /dev/zero >zeros
    cp copy second
    try qcow2frag defrag zeros folder/image missing second
    exits 1
    [ "$(wc -l <err)" = 2 ]
    holds out "4 images: 2 done, 2 refused"
    is_replaced
    is_replaced second
}

@test "several: one JSON document" {
    cp copy second
    try qcow2frag defrag --json folder second
    exits 0
    is <(json out '[[x["path"], x["state"]] for x in d["defrag"]]') '[["folder/image", "done"], ["second", "done"]]'
}

kept="an earlier run kept it as an original; it is rewritten if it is named itself"

# was_left FILE: by its bytes, and not kept once more.
was_left() {
    cmp copy "$1"
    [ ! -e "$1.orig" ]
}

@test "a directory: what an earlier run has kept is left as it is, whatever the run is told" {
    local options
    for options in '' --force --keep-original=.old; do
        rm -rf folder
        mkdir folder
        cp copy folder/image
        qcow2frag defrag -q --keep-original folder/image
        cp copy folder/image
        try qcow2frag defrag $options folder
        exits 0
        is_empty err
        holds out "2 images: 1 done, 1 skipped"
        is <(tail -n 1 out) "1 skipped: $kept"
        was_left folder/image.orig
    done
}

@test "a directory: the new image names what was kept, whatever its suffix" {
    qcow2frag defrag -q --keep-original=-before folder/image
    getfattr -n user.qcow2frag.original --only-values folder/image >mark 2>/dev/null || skip "no extended attributes here"
    is <(cat mark; echo) image-before
    try qcow2frag defrag folder
    exits 0
    holds out "2 images: 1 in order, 1 skipped"
    was_left folder/image-before
    try qcow2frag defrag --force --keep-original folder
    holds out "2 images: 1 done, 1 skipped"
    try qcow2frag defrag --json folder
    is <(json out '[[x["path"], x["state"], x["notes"]] for x in d["defrag"]]') \
        "[[\"folder/image\", \"in_order\", []], [\"folder/image-before\", \"skipped\", [\"$kept\"]], [\"folder/image.orig\", \"skipped\", [\"$kept\"]]]"
}

@test "an original that is named itself is rewritten, and so is one that was moved back" {
    qcow2frag defrag -q --keep-original folder/image
    try qcow2frag defrag folder/image.orig
    exits 0
    is_replaced folder/image.orig
    cp copy folder/image.orig
    mv folder/image.orig folder/image
    try qcow2frag defrag folder
    exits 0
    holds out "1 image: 1 done"
    is_replaced
}

@test "a directory: .orig without an image beside it is an image, unless originals are kept so now" {
    mv folder/image folder/old.orig
    try qcow2frag defrag --keep-original folder
    exits 0
    holds out "1 image: 1 skipped"
    was_left folder/old.orig
    try qcow2frag defrag folder
    exits 0
    holds out "1 image: 1 done"
}

@test "a directory: what was left there by a run that was killed is not an image" {
    cp copy folder/.qcow2frag-image.999999.0
    try qcow2frag defrag folder
    exits 0
    holds out "1 image: 1 done"
    [ "$(ls -A folder)" = image ]
}

@test "a hidden name that was left is also removed by a run that finds the image in order" {
    replace
    cp copy folder/.qcow2frag-image.999999.0
    try qcow2frag defrag folder/image
    exits 0
    holds out "already in order"
    [ "$(ls -A folder)" = image ]
}

@test "several that are skipped: each reason once" {
    cp copy folder/second
    try qcow2frag defrag --if-score 100 folder
    exits 0
    is <(tail -n 2 out) "2 images: 2 skipped
2 skipped: not worse than the limits that were given"
}

@test "a directory without an image, and an empty line of work" {
    mkdir empty
    try qcow2frag defrag empty
    exits 1
    holds err "empty: no qcow2 image in this directory"
}

@test "--if-score, --if-slowdown: only what is worse" {
    of folder/image >before
    try qcow2frag defrag --if-score 99 folder/image
    exits 0
    holds out "left as it is: not worse than the limits that were given"
    try qcow2frag defrag --json --if-slowdown 1000 folder/image
    exits 0
    is <(json out '[d["defrag"][0]["state"], d["defrag"][0]["error"]]') '["skipped", null]'
    untouched
    try qcow2frag defrag --if-slowdown 1000 --if-score 98.9% folder/image
    exits 0
    is_replaced
}

@test "--max-time: nothing is begun that would end later" {
    of folder/image >before
    try qcow2frag defrag --rate-limit 1M --max-time 5s folder/image
    exits 0
    holds out "left as it is: it would not have ended within --max-time"
    untouched
    replace --max-time 1h
}

@test "limits that are none" {
    local option
    for option in "if-score=-1" "if-score=x" "if-slowdown=1,5" "max-time=0" "max-time=1x" "max-time=" "max-time=1m2h"; do
        try qcow2frag defrag --$option folder/image
        exits 1
        holds err "qcow2frag: --${option%%=*} takes a "
    done
    try qcow2frag defrag --check-command ' ' folder/image
    exits 1
    holds err "--check-command needs a command"
}

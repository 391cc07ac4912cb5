#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Measuring changes nothing, locks nothing, and opens nothing but the image that was named.

load helper

# ---- an image and a folder that nobody may write to ----

# state FOLDER: all that a write would change, of the folder and of what is in it.
state() {
    find "$1" -exec stat -c '%n %s %a %Y %Z %y %z %i' {} + | sort
    find "$1" -type f -exec cksum {} + | sort
}

# leaves_alone OPTION ...: as an ordinary user, on closed/image; it works, and changes nothing.
leaves_alone() {
    fixture snapshot-shared
    mkdir closed
    mv snapshot-shared.qcow2 closed/image
    open_scratch
    chmod 0444 closed/image
    chmod 0555 closed
    state closed >before
    try as_user ./program "$@"
    exits 0
    [ -s out ] || told "nothing was measured"
    state closed >after
    diff before after
}

@test "the page leaves image and folder as they are" { leaves_alone closed/image; }
@test "JSON of all snapshots leaves image and folder as they are" { leaves_alone -jS closed/image; }
@test "CSV leaves image and folder as they are" { leaves_alone --format csv closed/image; }
@test "a walk over the folder leaves image and folder as they are" { leaves_alone closed; }
@test "a list of runs leaves image and folder as they are" { leaves_alone map --list closed/image; }
@test "a list of a snapshot leaves image and folder as they are" {
    leaves_alone map --list --json -s before closed/image
}

# ---- what the kernel is asked for ----

# traced COMMAND ...: its file and lock system calls, one a line, in the file trace.
traced() {
    needs strace
    strace -f -o trace true 2>/dev/null || skip "strace is not allowed to trace"
    # The leak checker of a sanitizer cannot work under strace.
    # Libraries are to be looked for in the folders of the system alone.
    ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}" env -u LD_LIBRARY_PATH \
        strace -f -o trace -e trace=file,fcntl,flock "$@" >out
    [ -s trace ]
}

opens() { grep -E '^[0-9]+ +(open|openat|openat2|creat)\(' trace; }

opens_nothing_to_write() {
    opens | grep -E 'creat\(|O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)' |
        grep -vE '"/dev/(null|tty)"' >writes || true
    is_empty writes
}

takes_no_lock() {
    grep -E 'flock\(|F_(OFD_)?SETLKW?(64)?\b|F_SETLEASE' trace >locks || true
    is_empty locks
}

# opens_only FILE: outside the folders of the system; a failed attempt counts, too.
opens_only() {
    opens | sed -E 's/^[^"]*"([^"]*)".*/\1/' | grep -vE '^/(usr|lib[^/]*|etc|proc|sys|dev)/' |
        LC_ALL=C sort -u >others || true
    is others "$1"
}

# asks_only FILE ...: does all that on one command.
asks_only() {
    local image=$1

    shift
    traced "$QCOW2FRAG" "$@" "$image"
    opens_nothing_to_write
    takes_no_lock
    opens_only "$image"
}

@test "the page opens the image alone, for reading, without a lock" {
    fixture sequential
    asks_only "$PWD/sequential.qcow2"
}

@test "JSON of all snapshots opens the image alone, for reading, without a lock" {
    fixture snapshot-shared
    asks_only "$PWD/snapshot-shared.qcow2" --json --all-snapshots
}

@test "a list of runs opens the image alone, for reading, without a lock" {
    fixture compressed-padded
    asks_only "$PWD/compressed-padded.qcow2" map --list
}

@test "a walk over a folder opens only what is in it, for reading, without a lock" {
    mkdir folder
    "$MKQCOW2" "$TESTS/images/reversed.txt" folder/image
    echo text >folder/other
    traced "$QCOW2FRAG" "$PWD/folder"
    opens_nothing_to_write
    takes_no_lock
    # The folder itself by its path, all below from its descriptor.
    opens_only "$(printf '%s\n' . "$PWD/folder" image other | LC_ALL=C sort)"
    ! opens | grep -E '"(image|other)"' | grep -v O_NOFOLLOW || told "this is not to be"
}

# never_asks_for NAME: no system call named it.
never_asks_for() {
    grep -F "$1" trace >asked || true
    is_empty asked
}

@test "a backing file that the image names is not touched" {
    fixture backing
    "$MKQCOW2" "$TESTS/images/reversed.txt" "missing base.qcow2"
    traced "$QCOW2FRAG" --json "$PWD/backing.qcow2"
    grep -q "missing base" out # the name is known, and printed
    never_asks_for "missing base"
    traced "$QCOW2FRAG" map --list "$PWD/backing.qcow2"
    never_asks_for "missing base"
}

@test "an external data file that the image names is not touched" {
    fixture data-file-raw
    [ -e data-raw.raw ]
    traced "$QCOW2FRAG" --json "$PWD/data-file-raw.qcow2"
    never_asks_for "data-raw"
    traced "$QCOW2FRAG" map --list "$PWD/data-file-raw.qcow2"
    grep -q data-raw out
    never_asks_for "data-raw"
}

is_locked() { grep -q ":$(stat -c %i "$1") " /proc/locks; }

@test "an image that a running program has locked is measured all the same" {
    needs qemu-io
    fixture sequential
    mkfifo commands
    command qemu-io -f qcow2 sequential.qcow2 <commands >qemu.log 2>&1 3>&- &
    exec 4>commands
    for _ in {1..50}; do
        ! is_locked sequential.qcow2 || break
        sleep 0.1
    done
    is_locked sequential.qcow2 || { exec 4>&- && skip "qemu-io takes no lock that can be seen"; }
    try timeout 20 "$QCOW2FRAG" --json sequential.qcow2
    exec 4>&-
    wait
    exits 0
    [ "$(json out 'i[0]["error"]')" = null ]
}

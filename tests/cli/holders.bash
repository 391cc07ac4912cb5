# SPDX-License-Identifier: MIT
# Programs that have an image open while a test goes on.

holders=() # their processes; none outlives the test

teardown() {
    for holder in ${holders[@]+"${holders[@]}"}; do
        kill -KILL "$holder" 2>/dev/null || true
        wait "$holder" 2>/dev/null || true
    done
    leave_scratch
}

# qemu OPTION ...: a QEMU that runs no guest, spoken to through qmp.sock. It waits for who speaks first: two of its
# threads may want to accept one that comes a moment later (with wait=off), and one of them then waits for ever.
qemu() {
    needs qemu-system-x86_64
    rm -f qmp.sock
    qemu-system-x86_64 -S -M none -nodefaults -display none -qmp unix:qmp.sock,server=on "$@" \
        >qemu.log 2>&1 3>&- &
    holders+=($!)
    qmp query-status >/dev/null || told "QEMU does not start" qemu.log
}

qmp() { witness oracle/qmp.py qmp.sock "$@"; }

# qemu_io OPTION ...: a qemu-io that has the image open and waits for commands, which never come.
qemu_io() {
    mkfifo commands
    command qemu-io "$@" <commands >qemu-io.log 2>&1 3>&- &
    holders+=($!)
    exec 4>commands
    echo 'length' >&4
    for _ in {1..100}; do
        ! grep -q . qemu-io.log || break
        sleep 0.05
    done
    grep -q . qemu-io.log
}

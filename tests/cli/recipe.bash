# SPDX-License-Identifier: MIT
# What a page says is to be done, and how to do it.

# find_program: the commands call it by its name.
find_program() {
    mkdir bin
    ln -s "$QCOW2FRAG" bin/qcow2frag
    PATH=$PWD/bin:$PATH
}

# page_of IMAGE [OPTION ...]: into the file page, and the commands on it into the file commands.
page_of() {
    local image=$1

    shift
    qcow2frag --device hdd "$@" -- "$image" >page
    sed -n '/^  What to do:/,$ s/^        //p' page >commands
}

# follow: runs the commands. qemu-img of some versions fails now and then to make a LUKS image on a
# busy machine: its fault, and tried again.
follow() {
    local line attempt failed

    while IFS= read -r line; do
        for attempt in 1 2 3 4 5 6; do
            failed=
            (umask 022 && bash -c "$line") >log 2>&1 </dev/null || failed=yes
            [ -n "$failed" ] && [[ $line == *encrypt* ]] || break
        done
        [ -z "$failed" ] || told "failed: $line" log
    done <commands
    ! grep -q "What to do" log || told "there is still something to do:" log
}

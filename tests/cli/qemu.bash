# SPDX-License-Identifier: MIT
# Images made by qemu-img and qemu-io, and what three witnesses say about an image: the second decoder
# (all tables, all figures), qemu-img check (its own percentages), and qemu-img map (which guest range
# lies where).

key=()   # options for qemu-img that name the key of an encrypted image, as --object secret,id=key,...
sparse=  # yes: the file is too long to be without holes

spec() { echo "driver=qcow2,file.filename=$1,encrypt.key-secret=key"; }

# create IMAGE SIZE [OPTION=VALUE,...]
create() { qemu-img create -q -f qcow2 ${3:+-o "$3"} "$1" "$2"; }

# luks COMMAND ...: a qemu-img that makes a LUKS image. It finds out how fast the machine is, which fails now and then on
# a busy one: its fault, and tried again.
luks() {
    local tries=0

    until "$@" 2>luks.log; do
        ! grep -qi 'invalid parameter\|not supported\|not implemented\|unknown' luks.log ||
            skip "this qemu-img makes no LUKS image: $(cat luks.log)"
        [ "$((tries += 1))" -lt 20 ] || told "$1 failed 20 times:" luks.log
    done
    rm luks.log
}

# io IMAGE COMMAND ...: qemu-io's commands, in this order, on an image opened once.
io() {
    local image=$1 command commands=()

    shift
    for command; do commands+=(-c "$command"); done
    if [ ${#key[@]} -gt 0 ]; then
        qemu-io -t unsafe "${key[@]}" --image-opts "$(spec "$image")" "${commands[@]}" >io.log 2>&1
    else
        qemu-io -t unsafe -f qcow2 "${commands[@]}" "$image" >io.log 2>&1
    fi || told "qemu-io failed:" io.log
}

# qemu_says CHECK-OR-MAP IMAGE: its JSON.
qemu_says() {
    if [ ${#key[@]} -gt 0 ]; then
        qemu-img "$1" --output=json "${key[@]}" --image-opts "$(spec "$2")"
    else
        qemu-img "$1" --output=json -f qcow2 "$2"
    fi
}

# same_map IMAGE MAPPED-IMAGE [OPTION ...]: our list of IMAGE is qemu-img's of MAPPED-IMAGE, which has no holes any more.
same_map() {
    local image=$1 mapped=$2 coverage=()

    shift 2
    [ ${#key[@]} = 0 ] || coverage=(--coverage)
    if [ -z "$sparse" ]; then
        # Where a file takes less space than its refcounts say, qemu-img map looks for holes in the
        # file, and reads data as zeros there.
        witness oracle/dense.py "$mapped"
    fi
    qemu_says map "$mapped" >map.json
    qcow2frag map --list --json "$@" "$image" >runs.jsonl
    witness oracle/compare_map.py ${coverage[@]+"${coverage[@]}"} map.json runs.jsonl
}

# same_check IMAGE [STATUSES]: and qemu-img check ends with one of these: 0 sound, 2 damage, 3 leaks.
same_check() {
    local found=0

    qemu_says check "$1" >check.json 2>check.log || found=$?
    case " ${2:-0} " in
    *" $found "*) ;;
    *) told "qemu-img check ended with status $found" check.json ;;
    esac
    witness oracle/compare_check.py check.json ours.json
}

# agrees IMAGE [STATUSES of qemu-img check]
agrees() {
    matches_oracle "$1"
    same_check "$1" "${2:-0}"
    same_map "$1" "$1"
}

# snapshot_agrees IMAGE NAME: qemu-img map shows a snapshot once it is the active state.
snapshot_agrees() {
    cp "$1" applied.qcow2
    qemu-img snapshot -a "$2" applied.qcow2
    same_map "$1" applied.qcow2 --snapshot "name:$2"
}

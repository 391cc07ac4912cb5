#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images that servers of NBD have: the figures are those of the file, no more is read than they take, many reads
# are under way at a time, and a server with bad manners gets one message and no more time than it was given.

load helper
load recipe

setup() {
    enter_scratch
    # A build without libnbd says so itself: optional.bats.
    try qcow2frag "nbd+unix:///?socket=$PWD/nobody"
    ! grep -q 'built without libnbd\|takes libnbd' err || skip "no libnbd"
    URI="nbd+unix:///?socket=$PWD/sock"
}

teardown() {
    [ -z "${server:-}" ] || kill "$server"
    leave_scratch
}

# served WORD ... -- OPTION ...: runs the program over $URI while nbdkit has the words. As try, with nbdkit's own
# messages in nbdkit.log.
served() {
    local words=()

    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    rm -f sock out err
    status=0
    nbdkit -U "$PWD/sock" -r "${words[@]}" --run "$(printf '%q ' "$QCOW2FRAG" "$@" "$URI") >out 2>err" 2>nbdkit.log ||
        status=$?
    [ "$status" -lt 124 ] || told "died with status $status" err
    [ -e out ] || told "nbdkit does not begin:" nbdkit.log
}

# requests WHAT: of log, a line for each of the requests: offset and count.
requests() { sed -nE "s/.* $1 id=.* offset=(0x[0-9a-f]+) count=(0x[0-9a-f]+) .*\.\.\.\$/\1 \2/p" log; }

# bytes_read: the sum of all reads in log.
bytes_read() {
    local sum=0 off count

    while read -r off count; do
        sum=$((sum + count))
    done < <(requests Read)
    echo "$sum"
}

# at_once: how many reads of log were under way at a time.
at_once() {
    awk '/ Read id=.*\.\.\.$/ && ++n > most { most = n } /\.\.\.Read id=/ { n-- } END { print most + 0 }' log
}

# tables N: disk.qcow2 has so many L2 tables that are not in the order of the disk.
tables() {
    local i

    {
        echo "size $(($1 * 512))M"
        for ((i = 0; i < $1; i++)); do
            echo "map $(((i * 37 % $1) * 8192 + i))"
        done
    } >disk.txt
    "$MKQCOW2" disk.txt disk.qcow2
}

# What is only known of a file.
known_of_a_file() {
    echo '[{**x, "path": 0, "measured_at": 0, "in_use": 0, "space": x["space"] and {**x["space"], "host_allocated_bytes": 0}} for x in i]'
}

@test "the figures of all fixtures are those of the files" {
    needs nbdkit python3
    mkdir images
    "$MKQCOW2" --into images "$TESTS"/images/*.txt
    names=(images/*.qcow2)
    try qcow2frag --json --space --all-snapshots --no-host "${names[@]}"
    exits 2 # one is damaged
    json out "$(known_of_a_file)" >files
    uris=("${names[@]/#images/nbd+unix://}")
    try nbdkit -U "$PWD/sock" -r file dir=images --run \
        "$(printf '%q ' "$QCOW2FRAG" --json --space --all-snapshots "${uris[@]/%/?socket=$PWD/sock}")"
    exits 2
    json out "$(known_of_a_file)" >remote
    [ "$(json out 'len(i)')" -gt 50 ]
    diff files remote
    [ "$(json out '[x["host"] or x["in_use"] for x in i if x["host"] or x["in_use"] is not None]')" = '[]' ]
    [ "$(json out 'i[0]["path"]')" = "${uris[0]}?socket=$PWD/sock" ]
}

# qemu_serves IMAGE: to $URI, for as long as the test lasts.
qemu_serves() {
    rm -f sock
    command qemu-nbd -r -t -f raw --fork --pid-file="$PWD/pid" -k "$PWD/sock" "$1" >qemu-nbd.log 2>&1 ||
        told "qemu-nbd does not begin:" qemu-nbd.log
    server=$(cat pid)
}

@test "qemu-nbd: the same, and one client at a time is enough" {
    needs qemu-nbd python3
    tables 64
    qemu_serves disk.qcow2
    try qcow2frag --json --space --no-host --threads 1 disk.qcow2
    json out "$(known_of_a_file)" >file
    for threads in 1 4; do
        SECONDS=0
        try qcow2frag --json --space --threads $threads "$URI"
        exits 0
        is_empty err
        json out "$(known_of_a_file)" >remote
        diff file remote
        [ "$SECONDS" -lt 10 ]
    done
}

@test "a file that ends in the middle of a sector, from both servers" {
    needs nbdkit qemu-nbd python3
    fixture last-blob-cut
    [ $(($(stat -c %s last-blob-cut.qcow2) % 512)) != 0 ]
    try qcow2frag --json --space --no-host last-blob-cut.qcow2
    exits 0
    json out "$(known_of_a_file)" >file
    served file last-blob-cut.qcow2 -- --json --space
    exits 0
    json out "$(known_of_a_file)" >remote
    diff file remote
    qemu_serves last-blob-cut.qcow2
    try qcow2frag --json --space "$URI"
    exits 0
    # It has whole sectors only.
    [ "$(json out 'i[0]["format"]["file_bytes"] % 512')" = 0 ]
    [ "$(json out 'i[0]["tables"]')" = "$(served file last-blob-cut.qcow2 -- --json; json out 'i[0]["tables"]')" ]
}

@test "no more is read than the tables, and each of them once" {
    needs nbdkit python3
    tables 100
    for options in "" --space "--threads 4"; do
        rm -f log
        served --filter=log file disk.qcow2 logfile=log -- --json $options
        exits 0
        [ "$(json out 'i[0]["format"]["l2_tables"]')" = 100 ]
        # The header, the L1 table (100 entries), the L2 tables; the table of the refcounts, and two blocks of them.
        metadata=$((512 + 100 * 8 + 100 * 65536))
        [ -z "$options" ] || [ "$options" != --space ] || metadata=$((metadata + 2 * 65536))
        bytes=$(bytes_read)
        [ "$((bytes * 100))" -le $((metadata * 105)) ] || told "$bytes bytes of $metadata, with '$options'" log
        # Twice: the beginning only, to see that it has not changed.
        [ "$(requests Read | sort | uniq -d)" = "0x0 0x200" ]
    done
}

@test "many reads are under way at a time" {
    needs nbdkit
    tables 64
    served -t 64 --filter=log --filter=delay file disk.qcow2 rdelay=150ms logfile=log -- --threads 1
    exits 0
    [ "$(requests Read | wc -l)" -ge 64 ]
    [ "$(at_once)" -ge 48 ] || told "only $(at_once) at a time" log
}

@test "a server that gives little at a time, and only whole blocks, is read so" {
    needs nbdkit python3
    tables 8
    try qcow2frag --json --no-host disk.qcow2
    json out "$(known_of_a_file)" >file
    served --filter=blocksize-policy file disk.qcow2 blocksize-minimum=4096 blocksize-preferred=4096 \
        blocksize-maximum=16K blocksize-error-policy=error -- --json
    exits 0
    json out "$(known_of_a_file)" >remote
    diff file remote
}

@test "it can be shown, listed and reported as well, and is not rewritten" {
    needs nbdkit
    fixture sample
    try qcow2frag map --no-host --json sample.qcow2
    json out '{**d["map"], "path": 0}' >file
    served file sample.qcow2 -- map --json
    exits 0
    json out '{**d["map"], "path": 0}' | diff file -
    served file sample.qcow2 -- map
    exits 0
    holds out "$URI"
    try qcow2frag map --list --no-host sample.qcow2
    sed 's/ *-  *[^ ]*$//' out >file
    served file sample.qcow2 -- map --list
    exits 0
    sed 's/ *-  *[^ ]*$//' out | diff file -
    served file sample.qcow2 -- report -o page.html
    exits 0
    holds page.html "$URI"
    for options in "" "--dry-run" "-o new.qcow2"; do
        served file sample.qcow2 -- defrag $options
        refused "$URI" "is remote: it is rewritten where it is stored, or in a copy"
        [ ! -e new.qcow2 ]
    done
    for command in measure map report "defrag --overwrite"; do
        try qcow2frag $command -o "$URI" sample.qcow2
        exits 1
        holds err "--output takes the name of a file, and no URI"
    done
}

@test "what is no qcow2 image gets the message of a file that is none" {
    needs nbdkit
    printf 'no image at all, but long enough to be one\n%2000s' >text
    try qcow2frag text
    message=$(sed 's/^qcow2frag: text: //' err)
    served file text --
    refused "$URI" "$message"
    : >empty
    served file empty -- map
    refused "$URI" "is not a qcow2 image: the file is empty"
}

@test "what the server cannot read is told with its place" {
    needs nbdkit
    tables 64
    served --filter=error file disk.qcow2 error-pread=EIO error-pread-rate=100% -- --json
    exits 1
    is err "qcow2frag: $URI: the server cannot read 512 bytes at offset 0x0: Input/output error"
    served --filter=truncate file disk.qcow2 truncate=4M -- --json
    exits 2 # as with a file that was cut off there
    json out "$(known_of_a_file)" >remote
    truncate -s 4M disk.qcow2
    try qcow2frag --json --no-host disk.qcow2
    exits 2
    json out "$(known_of_a_file)" | diff remote -
}

# ill_served SECONDS MANNER ...: the figures of all of these.
ill_served() {
    local uris=("${@:2}")

    rm -rf bad
    mkdir bad
    try python3 "$TESTS/cli/nbd_server.py" disk.qcow2 bad "$QCOW2FRAG" --threads 40 --timeout "$1" --noheadings \
        --columns score,image "${uris[@]/#/nbd+unix:///?socket=$PWD/bad/}"
}

@test "servers with odd manners are read like others" {
    needs python3
    tables 20
    ill_served 60s good blocks large-blocks zero-extents no-extents wrong-extents many-extents
    exits 0
    is_empty err
    [ "$(wc -l <out)" = 7 ]
    [ "$(awk '{ print $1 }' out | sort -u | wc -l)" = 1 ]
}

@test "servers with bad manners get a line each, and no more time than they were given" {
    needs python3
    tables 300
    SECONDS=0
    ill_served 3s silent http babbling refusing dripping huge empty growing hang hang-up short beyond other eio slow-reader \
        one-client
    exits 1
    [ "$SECONDS" -lt 20 ]
    [ "$(grep -v '^ *- ' out | wc -l)" = 1 ]
    grep -v '^ *- ' out | grep -q one-client
    sed "s|nbd+unix:///?socket=$PWD/bad/||; s/^\(qcow2frag: \(beyond\|other\): the connection broke\):.*/\1/; s/[0-9]\{6,\}/N/g" err >told
    is told "qcow2frag: silent: cannot connect: the server has not answered for 3 seconds
qcow2frag: http: cannot connect: handshake: server did not send expected NBD magic
qcow2frag: babbling: cannot connect: the server has not answered for 3 seconds
qcow2frag: refusing: cannot connect: handshake: server has no export named '': No such file or directory
qcow2frag: dripping: cannot connect: the server has not answered for 3 seconds
qcow2frag: huge: the server says that it has 2^63 bytes or more
qcow2frag: empty: is not a qcow2 image: the file is empty
qcow2frag: growing: its size changes: the server said N bytes, and now N
qcow2frag: hang: the server has not answered for 3 seconds
qcow2frag: hang-up: the connection broke: recv: server disconnected unexpectedly
qcow2frag: short: the server gives less than it was asked for at offset 0x0
qcow2frag: beyond: the connection broke
qcow2frag: other: the connection broke
qcow2frag: eio: the server cannot read 65536 bytes at offset 0x10000: Input/output error
qcow2frag: slow-reader: the server has not answered for 3 seconds"
}

# By strace it is looked at late.
@test "a server that ends the connection before it is looked at once has closed it" {
    needs python3 strace
    strace -o trace true 2>log || skip "strace is not allowed to trace"
    tables 20
    mkdir bad
    uri="nbd+unix:///?socket=$PWD/bad/slamming"
    ASAN_OPTIONS=detect_leaks=0 try python3 "$TESTS/cli/nbd_server.py" disk.qcow2 bad strace -f -qq -o trace -e trace=poll,ppoll \
        -e inject=poll,ppoll:delay_enter=300000 "$QCOW2FRAG" "$uri"
    refused "$uri" "cannot connect: the server has closed the connection"
}

@test "nothing that is named in an image is connected to, and a folder is needed for a relative name" {
    needs nbdkit
    mkdir elsewhere
    image elsewhere/base.qcow2 <<<'size 64M'
    printf '%s\n' 'size 64M' 'backing "base.qcow2" format qcow2' 'map 0..99' | image elsewhere/relative.qcow2
    printf '%s\n' 'size 64M' "backing \"$PWD/elsewhere/base.qcow2\" format qcow2" 'map 0..99' | image elsewhere/absolute.qcow2
    printf '%s\n' 'size 64M' "backing \"$URI\" format qcow2" 'map 0..99' | image elsewhere/uri.qcow2
    served file elsewhere/relative.qcow2 -- --chain
    refused "$URI" '"base.qcow2", named by '
    holds err "is named from a folder, and a remote image lies in none: measure the chain where it is stored"
    served file elsewhere/absolute.qcow2 -- --chain
    exits 0
    served file elsewhere/uri.qcow2 -- --chain
    refused "$URI" "is remote, and what an image names there is not connected to: name it yourself"
    served --filter=log file elsewhere/relative.qcow2 logfile=log -- --json
    exits 0 # alone it can be measured
    try nbdkit -U "$PWD/other" --filter=log file elsewhere/base.qcow2 logfile=log2 --run \
        "$(printf '%q ' "$QCOW2FRAG" --chain elsewhere/uri.qcow2)"
    exits 1
    [ "$(grep -c Connect log2)" = 0 ]
}

@test "the command in the manual page is one" {
    needs nbdkit
    fixture sample
    mv sample.qcow2 disk.qcow2
    command=$(sed -n 's/^[.]Dl \(nbdkit .* file disk.qcow2 .*\)$/\1/p' "$SOURCE/doc/qcow2frag.1" |
        sed 's/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\-/-/g')
    [ -n "$command" ]
    mkdir bin
    ln -s "$QCOW2FRAG" bin/qcow2frag
    PATH=$PWD/bin:$PATH bash -c "$command" >out 2>err
    holds out "fragmentation score      32.81 %"
}

@test "what the page says to do for a remote image does it" {
    needs nbdkit qemu-img
    fixture sample
    find_program
    served file sample.qcow2 -- --device hdd
    sed -n '/^  What to do:/,$ s/^        //p' out >commands
    [ "$(grep -c . commands)" = 2 ]
    rm -f sock
    nbdkit -U "$PWD/sock" -P pid -r file sample.qcow2
    server=$(cat pid)
    head -n 1 commands >fetch
    tail -n 1 commands >order
    mv fetch commands
    follow
    cmp sample.qcow2 image.qcow2
    mv order commands
    follow
    try qcow2frag image.qcow2
    ! grep -q "What to do" out || told "not in order" out
    qemu-img compare -f qcow2 -F qcow2 sample.qcow2 image.qcow2 >log
}

@test "TLS: by a key of both sides; who speaks none is refused" {
    needs nbdkit
    nbdkit --dump-config | grep -q '^tls=yes' || skip "an nbdkit without TLS"
    fixture sample
    printf 'me:%064d\n' 17 >keys
    printf 'me:%064d\n' 18 >others
    plain=$URI
    served file sample.qcow2 -- --columns score
    cp out expected
    URI="nbds+unix://me@/?socket=$PWD/sock&tls-psk-file=$PWD/keys"
    served --tls=require --tls-psk=keys file sample.qcow2 -- --columns score
    exits 0
    diff expected out
    served --tls=require --tls-psk=others file sample.qcow2 --
    refused "$URI" "cannot connect: "
    served file sample.qcow2 -- # without TLS
    refused "$URI" "cannot connect: "
    URI=$plain
    served --tls=require --tls-psk=keys file sample.qcow2 --
    refused "$URI" "cannot connect: "
    # The commands for such a URI are those that know it.
    URI="nbds+unix://me@/?socket=$PWD/sock&tls-psk-file=$PWD/keys"
    served --tls=require --tls-psk=keys file sample.qcow2 --
    needs nbdcopy
    nbdkit -U "$PWD/other" -P pid --tls=require --tls-psk=keys -r file sample.qcow2
    server=$(cat pid)
    sed -n '/^  What to do:/,$ s/^        //p' out | head -n 1 | sed "s|$PWD/sock|$PWD/other|" >commands
    grep -q nbdcopy commands
    follow
    cmp sample.qcow2 image.qcow2
}

@test "a certificate that nobody known has signed is refused" {
    needs nbdkit openssl
    nbdkit --dump-config | grep -q '^tls=yes' || skip "an nbdkit without TLS"
    fixture sample
    mkdir server known unknown
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout server/server-key.pem -out server/server-cert.pem 2>log
    cp server/server-cert.pem server/ca-cert.pem
    cp server/server-cert.pem known/ca-cert.pem
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -keyout log -out unknown/ca-cert.pem 2>log
    port=$((20000 + RANDOM % 20000))
    nbdkit -i 127.0.0.1 -p $port -P pid --tls=require --tls-certificates=server -r file sample.qcow2 ||
        skip "port $port is taken"
    server=$(cat pid)
    try qcow2frag --columns score "nbds://localhost:$port/?tls-certificates=$PWD/known"
    exits 0
    holds out "32.81 %"
    URI="nbds://localhost:$port/?tls-certificates=$PWD/unknown"
    try qcow2frag "$URI"
    refused "$URI" "cannot connect: "
    URI="nbds://127.0.0.1:$port/?tls-certificates=$PWD/known" # another name
    try qcow2frag "$URI"
    refused "$URI" "cannot connect: "
}

@test "Ctrl-C ends a measurement that waits for a server at once" {
    needs python3 timeout
    env --default-signal=INT true || skip "no env --default-signal"
    tables 8
    for manner in silent hang; do
        rm -rf bad
        mkdir bad
        status=0
        python3 "$TESTS/cli/nbd_server.py" disk.qcow2 bad timeout --preserve-status -s INT 0.7 \
            env --default-signal=INT "$QCOW2FRAG" --timeout 20s "nbd+unix:///?socket=$PWD/bad/$manner" >out 2>err || status=$?
        [ "$status" = 130 ] || told "status $status" err # of SIGINT
        is_empty out
    done
}

@test "a password is neither used nor shown" {
    for line in "" "map --list" "report -o page" "defrag --dry-run"; do
        try qcow2frag $line "nbds://me:secret@localhost:1/x"
        exits 1
        not grep -q secret out err
        holds err "a URI of NBD has no password"
    done
    for uri in "nbd+vsock://2/x" "nbd+exec://true" "nbds+ssh://host/x"; do
        try qcow2frag "$uri"
        refused "$uri" "of the URIs of NBD those with nbd:, nbds:, nbd+unix: and nbds+unix: are read, and no others"
    done
    try qcow2frag nbd:x # which is a file, if anything
    refused nbd:x "No such file"
    fixture sample
    mkdir -p nbd:/host
    mv sample.qcow2 nbd:/host/disk
    try qcow2frag --columns score ./nbd://host/disk
    exits 0
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The disks of the domains that libvirt knows. Its test driver has the domains of a file, and no daemon.

load helper

setup() {
    enter_scratch
    if [ ! -e "$BATS_FILE_TMPDIR/libvirt" ]; then
        try qcow2frag --libvirt=test:///default -f csv
        cp err "$BATS_FILE_TMPDIR/libvirt"
    fi
    ! grep -q 'built without libvirt\|the library of libvirt is not there' "$BATS_FILE_TMPDIR/libvirt" || skip "no libvirt"
}

teardown() {
    [ -z "${silent:-}" ] || kill "$silent" 2>/dev/null || true
    leave_scratch
}

# disk TARGET FILE [FORMAT [DEVICE]]: the XML of one; FORMAT may be empty.
disk() {
    echo "<disk type='file' device='${4:-disk}'>${3:+<driver name='qemu' type='$3'/>}<source file='$2'/><target dev='$1'/></disk>"
}

# domain NAME DISK ...: the XML of one, for the driver.
domain() {
    echo "<domain type='test'><name>$1</name><memory>1024</memory><os><type>hvm</type></os><devices>${*:2}</devices></domain>"
}

# node XML ...: a host that has all of this is in node.xml.
node() { echo "<node>$*</node>" >node.xml; }

# asked OPTION ...: qcow2frag of that host.
asked() { try qcow2frag --libvirt=test://"$PWD"/node.xml "$@"; }

# two: web has two disks, one of which db has, too, and a drive without a medium.
two() {
    fixtures reversed one-cluster
    truncate -s 1M raw
    node "$(domain web "$(disk vda "$PWD/one-cluster.qcow2" qcow2)" "$(disk vdb "$PWD/reversed.qcow2" qcow2)" \
        "<disk type='file' device='cdrom'><target dev='hda'/></disk>")" \
        "$(domain db "$(disk sda "$PWD/reversed.qcow2" qcow2)" "$(disk sdb "$PWD/raw" raw)")"
}

@test "all disks of all domains are in a table, with their domains" {
    two
    asked
    exits 0
    is err "qcow2frag: --libvirt: 1 disk is no qcow2 image (--verbose names it)"
    holds out " DOMAIN "
    asked --noheadings --columns DOMAIN,TARGET,IMAGE
    is <(tr -s ' ' <out) "db, web sda, vdb $PWD/reversed.qcow2
web vda $PWD/one-cluster.qcow2"
    asked --verbose
    is err "qcow2frag: $PWD/raw: is disk sdb of domain db, and no qcow2 image"
}

@test "CSV, JSON and metrics tell the same" {
    two
    asked --format csv --columns DOMAIN,TARGET,IMAGE
    is out "DOMAIN,TARGET,IMAGE
\"db, web\",\"sda, vdb\",$PWD/reversed.qcow2
web,vda,$PWD/one-cluster.qcow2"
    asked --no-host --json
    json out '[[d["name"] + ":" + d["target"] for d in x["domains"]] for x in i]' >domains
    is domains '[["db:sda", "web:vdb"], ["web:vda"]]'
    asked --no-host --format prometheus
    mv out metrics
    holds metrics "qcow2frag_image_domain_info{image=\"$PWD/reversed.qcow2\",domain=\"db\",target=\"sda\"} 1"
    asked --no-host --json
    witness oracle/exposition.py check metrics
    witness oracle/exposition.py against metrics out
}

@test "without libvirt there are no domains, and images that none has have an empty list" {
    two
    fixture empty
    qcow2frag --json reversed.qcow2 >plain
    is <(json plain 'i[0]["domains"]') null
    asked --json empty.qcow2 reversed.qcow2
    is <(json out '[len(x["domains"]) for x in i]') "[0, 2, 1]"
    is <(json out 'i[1]["path"]') reversed.qcow2 # named first, and measured once
}

@test "what is the backing file of another disk has its overlays named" {
    needs qemu-img
    two
    qemu-img create -q -f qcow2 -F qcow2 -b "$PWD/reversed.qcow2" top
    node "$(domain base "$(disk vda "$PWD/reversed.qcow2" qcow2)")" "$(domain clone "$(disk vda "$PWD/top" qcow2)")"
    asked --json
    is <(json out '[[x["domains"][0]["name"], x["backing_image"], x["overlays"]] for x in i]') \
        "[[\"base\", null, [\"$PWD/top\"]], [\"clone\", \"$PWD/reversed.qcow2\", []]]"
}

@test "what is said to be raw is not read, and what is not said is looked at" {
    fixture reversed
    cp reversed.qcow2 guests-own
    truncate -s 1M zeros
    node "$(domain a "$(disk vda "$PWD/guests-own" raw)" "$(disk vdb "$PWD/reversed.qcow2")" "$(disk vdc "$PWD/zeros")" \
        "$(disk vdd "$PWD/x.vmdk" vmdk)")"
    needs strace
    ASAN_OPTIONS=detect_leaks=0 try strace -f -o calls -e trace=open,openat "$QCOW2FRAG" --libvirt=test://"$PWD"/node.xml -n --columns TARGET
    exits 0
    is <(tr -d ' ' <out) vdb
    is err "qcow2frag: --libvirt: 3 disks are no qcow2 images (--verbose names them)"
    grep -q '/zeros", ' calls
    not grep -q '/guests-own"\|x.vmdk' calls
}

@test "nothing is opened for writing, and nothing is run" {
    needs strace
    two
    # All but of libvirt's own and what its library has loaded.
    ASAN_OPTIONS=detect_leaks=0 try strace -f -o calls -e trace=open,openat,execve,unlink,rename,mkdir "$QCOW2FRAG" --libvirt=test://"$PWD"/node.xml
    exits 0
    not grep -E "$PWD/[^\"]*\".*O_(RDWR|WRONLY|CREAT)" calls
    is <(grep -c 'execve(' calls) 1
    not grep -q '\(unlink\|rename\|mkdir\)(' calls
}

@test "what is not qcow2, and what cannot be read, is told, and the rest goes on" {
    two
    open_scratch
    cp one-cluster.qcow2 closed
    chmod 0 closed
    node "$(domain a "$(disk vda "$PWD/closed" qcow2)" "$(disk vdb "$PWD/gone" qcow2)" "$(disk vdc "$PWD/raw" qcow2)" \
        "$(disk vdd "$PWD/reversed.qcow2" qcow2)" "<disk type='network'><driver type='qcow2'/><source protocol='rbd' name='p/x'><host name='h'/></source><target dev='vde'/></disk>" \
        "<disk type='network'><driver type='raw'/><source protocol='rbd' name='p/y'><host name='h'/></source><target dev='vdf'/></disk>")"
    try as_user ./program --libvirt=test://"$PWD"/node.xml --noheadings --columns ACTION,TARGET
    exits 1
    is <(tr -s ' ' <out | sort) "failed vda
failed vdb
failed vdc
none vdd"
    is <(LC_ALL=C sort err) "qcow2frag: --libvirt: 1 disk is no qcow2 image (--verbose names it)
qcow2frag: $PWD/closed: cannot open for reading: Permission denied
qcow2frag: $PWD/gone: cannot open: No such file or directory
qcow2frag: $PWD/raw: is not a qcow2 image: it does not begin with the qcow2 signature
qcow2frag: domain a, disk vde: is read by the network, by the protocol \"rbd\""
}

@test "a volume is found by its pool" {
    two
    mkdir pool
    node "$(domain a "<disk type='volume'><driver type='qcow2'/><source pool='p' volume='v'/><target dev='vda'/></disk>" \
        "<disk type='volume'><driver type='qcow2'/><source pool='none' volume='v'/><target dev='vdb'/></disk>")" \
        "<pool type='dir'><name>p</name><uuid>35bb2ad9-388a-cdfe-461a-b8907f6e53fe</uuid><target><path>$PWD/pool</path></target>
        <volume type='file'><name>v</name><capacity>1048576</capacity><target><path>$PWD/reversed.qcow2</path><format type='qcow2'/></target></volume></pool>"
    asked -n --columns TARGET,IMAGE
    exits 1
    is <(tr -s ' ' <out) "vda $PWD/reversed.qcow2"
    holds err "qcow2frag: domain a, disk vdb: volume \"v\" of pool \"none\" is not found: Storage pool not found"
}

@test "an export of NBD is measured by its URI" {
    needs nbdkit
    fixture reversed
    qcow2frag --json --no-host --device hdd reversed.qcow2 >local
    node "$(domain a "<disk type='network'><driver type='qcow2'/><source protocol='nbd' name='x'><host transport='unix' socket='$PWD/s'/></source><target dev='vda'/></disk>")"
    nbdkit -r -U s file reversed.qcow2 --run '"$QCOW2FRAG" --libvirt=test://"$PWD"/node.xml --json --no-host --device hdd' >out
    is <(json out 'i[0]["path"]') "nbd+unix:///x?socket=$PWD/s"
    is <(json out 'i[0]["tables"]') "$(json local 'i[0]["tables"]')"
}

@test "names may be hostile" {
    fixture reversed
    mv reversed.qcow2 $'a & <b> "c" \xc3\xa9'
    node "$(domain 'evil &#8238;x &quot;,' "$(disk vda "$PWD/a &amp; &lt;b> \"c\" &#233;" qcow2)")"
    asked
    exits 0
    not grep -q $'\u202e' out
    asked -f csv --columns DOMAIN
    holds out 'evil \xe2\x80\xaex "",'
    asked --json
    is <(json out 'i[0]["domains"][0]["name"] == "evil \u202ex \","') true
}

@test "another host, a driver in this process, and no URI are refused, whatever they contain" {
    for uri in qemu+ssh://me:secret@host/system qemu+tcp:///system esx://host/ test://host/default; do
        try qcow2frag --libvirt=$uri
        refused --libvirt "the disks of domains of another host are no files of this one: run qcow2frag there"
        try env LIBVIRT_DEFAULT_URI=$uri "$QCOW2FRAG" --libvirt
        refused --libvirt "the disks of domains of another host are no files of this one: run qcow2frag there"
    done
    try qcow2frag "--libvirt=qemu:///embed?root=$PWD/root"
    refused --libvirt "an embedded driver is no daemon to be asked: it would be started here"
    [ ! -e root ]
    try qcow2frag --libvirt=
    exits 1
    holds err "qcow2frag: --libvirt= takes a URI, as in qemu:///system"
    try qcow2frag --libvirt qemu:///system
    exits 1
    holds err "qcow2frag: a URI of libvirt goes to its option by an equals sign: --libvirt=URI"
    for command in map report defrag; do
        try qcow2frag $command --libvirt disk.qcow2
        exits 1
        holds err "--libvirt does not go with $command"
    done
}

@test "an alias that leads to another host is refused" {
    open_scratch
    mkdir -p config/libvirt bin
    # Asking goes by ssh, which here is a program that is none; libvirt would not get as far as a connection.
    echo 'uri_aliases = [ "far=test+ssh://host/default", "near=test:///default" ]' >config/libvirt/libvirt.conf
    try as_user env -u LIBVIRT_DEFAULT_URI HOME="$PWD" XDG_CONFIG_HOME="$PWD/config" ./program --libvirt=near -n --columns DOMAIN -f csv
    is out test
    try as_user env -u LIBVIRT_DEFAULT_URI PATH="$PWD/bin" HOME="$PWD" XDG_CONFIG_HOME="$PWD/config" ./program --libvirt=far
    exits 1
    is_empty out
    grep -q '^qcow2frag: --libvirt: ' err
    is <(wc -l <err) 1
}

@test "no daemon is one clear line, and images that are named are measured all the same" {
    fixture reversed
    export XDG_RUNTIME_DIR=$PWD/run HOME=$PWD
    mkdir run
    try qcow2frag --libvirt="qemu+unix:///session?socket=$PWD/none"
    refused --libvirt "libvirt is not reached: Failed to connect socket to '$PWD/none': No such file or directory"
    try qcow2frag --libvirt="qemu+unix:///session?socket=$PWD/none" reversed.qcow2 -n --columns IMAGE
    exits 1
    is <(tr -d ' ' <out) reversed.qcow2
    try qcow2frag -f nagios --libvirt="qemu+unix:///session?socket=$PWD/none" reversed.qcow2
    exits 3
    holds out "--libvirt: libvirt is not reached"
    is_empty err
    echo '<node/>' >node.xml
    asked
    refused --libvirt "no domain there has a disk that is a qcow2 image"
}

@test "nobody waits longer for libvirt than --timeout says" {
    needs python3
    python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind("silent")
s.listen()
print("ready", flush=True)
time.sleep(60)' >ready &
    silent=$!
    until [ -s ready ]; do sleep 0.02; done
    SECONDS=0
    try qcow2frag --timeout 1s --libvirt="qemu+unix:///session?socket=$PWD/silent"
    refused --libvirt "libvirt has been silent for 1 second (--timeout)"
    [ "$SECONDS" -lt 8 ]
}

@test "when the process that asks dies, that is told, and what is named is measured" {
    needs cc
    fixture reversed
    cat >die.c <<'C'
#include <signal.h>
int connect(int fd, const void *to, unsigned len) { (void)fd, (void)to, (void)len; return raise(SIGSEGV); }
C
    cc -shared -fPIC -o die.so die.c
    try env LD_PRELOAD="$PWD/die.so${LD_PRELOAD:+:$LD_PRELOAD}" "$QCOW2FRAG" --libvirt="qemu+unix:///session?socket=$PWD/s" -n \
        --columns IMAGE -o table reversed.qcow2
    refused --libvirt "asking libvirt ended before all domains were told"
    is <(tr -d ' ' <table) reversed.qcow2
}

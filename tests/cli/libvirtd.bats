#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A real daemon of libvirt, that of a user's session, and what it accepts of the XML that the pages show.

load helper

setup() {
    enter_scratch
    PATH=$PATH:/usr/sbin
    needs libvirtd virsh qemu-system-x86_64 setpriv
    open_scratch
    mkdir home run
    [ "$EUID" != 0 ] || chown 65534:65534 . home run
}

teardown() {
    [ ! -e run/libvirt/libvirtd.pid ] || kill "$(cat run/libvirt/libvirtd.pid)" || true
    leave_scratch
}

# mine COMMAND ...: by the user whose session it is.
mine() {
    as_user env -u XDG_CONFIG_HOME -u XDG_CACHE_HOME HOME="$PWD/home" XDG_RUNTIME_DIR="$PWD/run" LIBVIRT_DEFAULT_URI=qemu:///session "$@"
}

# start: the daemon, until the test ends.
start() {
    mine libvirtd --timeout 120 >log 2>&1 3>&- &
    for _ in $(seq 300); do
        [ ! -S run/libvirt/libvirt-sock ] || return 0
        sleep 0.1
    done
    told "no daemon:" log
}

# domain NAME IMAGE TARGET [DRIVER]: a domain with that disk is defined, if it is as the schema wants it. DRIVER: more of that element.
define() {
    cat >"$1.xml" <<XML
<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file' device='disk'>${4:-<driver name='qemu' type='qcow2'/>}<source file='$PWD/$2'/><target dev='$3' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk></devices></domain>
XML
    mine virsh -q define --validate "$1.xml" >defined 2>&1
}

@test "domains of a session are measured, running or not, and stay as they are" {
    needs qemu-img
    fixtures reversed one-cluster
    qemu-img create -q -f qcow2 -F qcow2 -b "$PWD/reversed.qcow2" top.qcow2
    [ "$EUID" != 0 ] || chown 65534:65534 ./*.qcow2
    start
    define off one-cluster.qcow2 vda || told "not defined:" defined
    define on top.qcow2 vdb || told "not defined:" defined
    define twin one-cluster.qcow2 vdc || told "not defined:" defined
    mine virsh -q start on --paused || told "not started:" log
    mine virsh -q list --all >before
    mine sh -c 'for domain in off on twin; do virsh dumpxml $domain; done' >before.xml
    try mine ./program --libvirt --json
    exits 0
    is_empty err
    json out '[[[d["name"], d["target"]] for d in x["domains"]] + [x["path"].split("/")[-1], x["in_use"]] for x in i]' >domains
    is domains '[[["off", "vda"], ["twin", "vdc"], "one-cluster.qcow2", false], [["on", "vdb"], "top.qcow2", true]]'
    try mine ./program --libvirt=qemu:///session -n --columns DOMAIN,TARGET
    exits 0
    is <(tr -s ' ' <out | sort) "off, twin vda, vdc
on vdb"
    mine virsh -q list --all >after
    mine sh -c 'for domain in off on twin; do virsh dumpxml $domain; done' >after.xml
    cmp before after
    cmp before.xml after.xml
    holds after paused
    # A daemon that hangs, and one that has gone, which nobody starts again.
    kill -STOP "$(cat run/libvirt/libvirtd.pid)"
    try mine ./program --libvirt --timeout 1s
    kill -CONT "$(cat run/libvirt/libvirtd.pid)"
    refused --libvirt "libvirt has been silent for 1 second (--timeout)"
    mine virsh -q destroy on
    pid=$(cat run/libvirt/libvirtd.pid)
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    try mine ./program --libvirt
    refused --libvirt "libvirt is not reached: Failed to connect socket to '$PWD/run/libvirt/libvirt-sock': "
    [ ! -e run/libvirt/libvirtd.pid ] || not kill -0 "$(cat run/libvirt/libvirtd.pid)"
}

# is_at_least VERSION: is libvirt of this version, or newer?
is_at_least() { printf '%s\n' "$1" "$(virsh --version)" | sort -C -V; }

@test "libvirt accepts what the pages say to write into a domain, and gives it to QEMU" {
    needs qemu-img qemu-io
    # A disk that the default cache does not cover.
    qemu-img create -q -f qcow2 disk.qcow2 260G
    for n in {0..639}; do echo "write -q $((n * 32))M 64k"; done | qemu-io -f qcow2 disk.qcow2 >io.log
    qcow2frag --no-host --device hdd disk.qcow2 | tr -s ' \n' ' ' >page
    cache=$(grep -o '<metadata_cache><max.*</metadata_cache>' page)
    [ -n "$cache" ] || told "no element:" page
    start
    define cache disk.qcow2 vda "<driver name='qemu' type='qcow2'>$cache</driver>" || told "not accepted:" defined
    mine virsh domxml-to-native qemu-argv --domain cache >native
    grep -q "\"cache-size\":$(sed 's/[^0-9]//g' <<<"$cache")," native || told "not given to QEMU:" native
    # The cure of holes that discards leave.
    discard="<driver name='qemu' type='qcow2' discard='unmap' discard_no_unref='on'/>"
    if is_at_least 9.5; then
        define discard disk.qcow2 vda "$discard" || told "not accepted:" defined
        mine virsh dumpxml discard >dumped
        holds dumped "discard_no_unref='on'"
    else
        not define discard disk.qcow2 vda "$discard" # the page says since when
    fi
}

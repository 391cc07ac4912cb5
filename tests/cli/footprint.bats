#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the program takes of memory, and of the work of others, is bounded: by what can be measured beside other tests.

load helper

setup() {
    enter_scratch
    needs python3
    sanitized=
    ! has_sanitizer || sanitized=yes
}

# with_stack KIB ARGUMENT ...: the program, with no more for the stack of its first thread.
with_stack() {
    local kib=$1
    shift
    (ulimit -s "$kib" && exec "$QCOW2FRAG" "$@")
}

@test "a stack of 80 KiB is enough" {
    [ -z "$sanitized" ] || skip "built with a sanitizer"
    fixture shuffled-single
    fixture snapshots-40
    try with_stack 80 shuffled-single.qcow2
    exits 0
    holds out shuffled-single.qcow2
    try with_stack 80 --json --space --chain --all-snapshots --threads=2 snapshots-40.qcow2
    exits 0
    try with_stack 80 --histogram -v .
    exits 0
    try with_stack 80 map --list shuffled-single.qcow2
    exits 0
    try with_stack 80 --no-such-option
    exits 1
    try with_stack 80 --help
    exits 0
}

@test "who holds a lock and does not write makes no work" {
    needs strace
    python3 "$TESTS/cli/hostile.py" findings damaged.qcow2
    sleep 0.1 # what was written just now is looked at once more
    cat >reads.py <<'PYTHON'
import fcntl, os, struct, subprocess, sys
held = os.open("damaged.qcow2", os.O_RDWR)
for byte in (100, 101, 103):
    fcntl.fcntl(held, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, byte, 1, 0))  # F_OFD_SETLK
subprocess.run(["strace", "-f", "-qq", "-e", "trace=preadv2", "-o", "trace", sys.argv[1], "-q", "--no-host", "damaged.qcow2"],
               stderr=subprocess.DEVNULL)
print(sum("QFI" in line for line in open("trace")))
PYTHON
    try python3 reads.py "$QCOW2FRAG"
    exits 0
    # The header is read when the image is opened, in two reads at most, and once more behind it.
    [ "$(cat out)" -ge 1 ] || skip "strace does not see the reads here"
    [ "$(cat out)" -le 4 ] || told "the header was read $(cat out) times"
}

# The image is small, so that what is kept of each shows. Below 200 of them what one takes does. A document, which keeps most of
# each, has all 20,000.
@test "of each image in a folder less than 1,000 bytes are kept" {
    [ -z "$sanitized" ] || skip "built with a sanitizer"
    python3 "$TESTS/cli/hostile.py" findings findings.qcow2
    cat >peaks.py <<'PYTHON'
import os, subprocess, sys
from memory_folder import memory_folder

def peak(folder, form):
    child = subprocess.Popen([sys.argv[1], "--no-host", "--threads=1", "--format", form, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return os.wait4(child.pid, 0)[2].ru_maxrss * 1024

def fill(n, begin=0): # copies: of a file with several names but one is measured
    with open("findings.qcow2", "rb") as image:
        text = image.read()
    for k in range(begin, n):
        with open("%s/%d" % (made.name, k), "wb", 0) as copy:
            copy.write(text)

made = memory_folder(".")
forms = {"text": 4000, "csv": 4000, "json": 20000}
fill(200)
few = {form: peak(made.name, form) for form in forms}
for form, n in forms.items():
    fill(n, len(os.listdir(made.name)))
    many = peak(made.name, form)
    if many > 64 << 20 or many - few[form] >= (n - 200) * 1000:
        sys.exit("%s: %d bytes with 200 images, %d with %d" % (form, few[form], many, n))
PYTHON
    PYTHONPATH=$TESTS/cli PYTHONDONTWRITEBYTECODE=1 try python3 peaks.py "$QCOW2FRAG"
    exits 0
}

@test "a document lists the findings of the first images, and one of each other" {
    python3 "$TESTS/cli/hostile.py" findings findings.qcow2
    mkdir folder
    python3 -c 'import os; import shutil; [shutil.copy("findings.qcow2", "folder/%d" % k) for k in range(150)]'
    try qcow2frag --json --no-host --threads=1 folder
    exits 2
    json out '[len(i[0]["findings"]), sum(len(x["findings"]) for x in i) <= 20000 + 150, len(i[149]["findings"])]' >lengths
    is lengths "[181, true, 1]"
    json out 'len(set(x["findings_total"] for x in i))' >totals
    is totals 1
}

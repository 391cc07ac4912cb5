#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Work and memory are bounded by what a file stores, whatever it claims: 2 seconds of the processor
# and one more for each 64 MiB, and 64 MiB of memory.

load helper

setup() {
    enter_scratch
    needs python3
    sanitized=
    ! has_sanitizer || sanitized=--sanitized
}

# bounded ARGUMENT ...: runs the program within the bounds.
bounded() {
    try python3 "$TESTS/cli/bounded.py" $sanitized "$QCOW2FRAG" "$@"
}

# stays_bounded KIND: an image of that kind, with each of the options that look at more.
stays_bounded() {
    local options
    python3 "$TESTS/cli/hostile.py" "$1" hostile.qcow2 2>err || skip "no file can be so long here: $(tail -n 1 err)"
    for options in --threads=1 --all-snapshots --space --chain; do
        bounded --quiet --no-host "$options" hostile.qcow2
        [ "$status" = 0 ] || [ "$status" = 2 ] || told "$options: status $status" err
    done
}

@test "400 snapshots whose L1 tables are holes" { stays_bounded snapshots-in-holes; }

# snapshots_stay_bounded KIND: an image of that kind, of which all states are measured.
snapshots_stay_bounded() {
    python3 "$TESTS/cli/hostile.py" "$1" hostile.qcow2 2>err || skip "no file can be so long here: $(tail -n 1 err)"
    bounded --quiet --no-host --threads=1 --all-snapshots hostile.qcow2
    exits 0
}

@test "8 snapshots with 4 million L2 tables each, at no place the same" { snapshots_stay_bounded snapshots-apart; }

@test "65,535 snapshots with an L1 table each that is a hole" { snapshots_stay_bounded snapshots-empty; }

@test "65,535 snapshots with an L2 table each" { snapshots_stay_bounded snapshots-many; }

@test "data in 126 places far apart, beside L1 tables in holes" { stays_bounded windows; }

@test "data all over a very long file" {
    stays_bounded far-and-wide
    try qcow2frag --json --no-host --space hostile.qcow2
    json out '[i[0]["space"], "space-not-measured" in [f["code"] for f in i[0]["findings"]]]' >said
    is said '[null, true]'
}

@test "L2 tables in a hole, from back to front" { stays_bounded l2-backwards; }

@test "L2 tables in two holes in turn" { stays_bounded l2-to-and-fro; }

@test "refcount blocks in a hole, from back to front" { stays_bounded refcounts-in-holes; }

# chain_stays_bounded KIND [STATUS]: a chain of that kind.
chain_stays_bounded() {
    python3 "$TESTS/cli/hostile.py" "$1" hostile.qcow2 2>err || skip "no file can be so long here: $(tail -n 1 err)"
    bounded --quiet --no-host --threads=1 --chain hostile.qcow2
    exits "${2:-0}"
}

@test "a chain of 100 images whose L1 tables are holes" { chain_stays_bounded chain; }

@test "a chain of 4 images with L2 tables of 2 MiB in holes" { chain_stays_bounded chain-tables; }

@test "a chain of images with L2 tables in holes in any order" { chain_stays_bounded chain-tables-shuffled; }

@test "a chain of 4 images with 4 million L2 tables each in a hole" { chain_stays_bounded chain-tables-many; }

@test "a chain of 1,000 images" { chain_stays_bounded chain-long; }

@test "a chain of images with an L2 table each that is named a thousand times" { chain_stays_bounded chain-repeats 2; }

@test "a chain of images with L2 tables of which little is stored" { chain_stays_bounded chain-patches; }

@test "a chain of extended L2 tables that are stored, with subclusters in turn" {
    chain_stays_bounded chain-subclusters
}

# attempts SECONDS ...: what comes of a limit of 0.3 s, of a program that takes so much at each attempt;
# prints the status, and how many attempts there were.
attempts() {
    cat >works.py <<'PYTHON'
import os, sys, time
n = len(os.listdir("made"))
open("made/%d" % n, "w").close()
print("attempt", n)
while time.process_time() < float(sys.argv[1 + n]):
    pass
PYTHON
    rm -rf made
    mkdir made
    python3 - "$@" <<'PYTHON'
import os, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "cli"))
sys.dont_write_bytecode = True
import bounded
bounded.SECONDS = 0.3
print("status", bounded.run([sys.executable, "works.py"] + sys.argv[1:] + ["/dev/null"], False))
PYTHON
    echo "$(ls made | wc -l) made"
}

@test "what takes too much of the processor once is tried again, and the least counts" {
    attempts 0 9 9 >said
    is said $'attempt 0\nstatus 0\n1 made'
    attempts 0.5 0 9 >said
    is said $'attempt 1\nstatus 0\n2 made'
    attempts 0.5 0.5 0.5 0 >said 2>err
    is said $'attempt 2\nstatus 125\n3 made'
    holds err "bounded.py: took"
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

def peak(folder, form):
    child = subprocess.Popen([sys.argv[1], "--no-host", "--threads=1", "--format", form, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return os.wait4(child.pid, 0)[2].ru_maxrss * 1024

def fill(n, begin=0): # copies: of a file with several names but one is measured
    with open("findings.qcow2", "rb") as image:
        text = image.read()
    for k in range(begin, n):
        with open("images/%d" % k, "wb", 0) as copy:
            copy.write(text)

os.mkdir("images")
forms = {"text": 4000, "csv": 4000, "json": 20000}
fill(200)
few = {form: peak("images", form) for form in forms}
for form, n in forms.items():
    fill(n, len(os.listdir("images")))
    many = peak("images", form)
    if many > 64 << 20 or many - few[form] >= (n - 200) * 1000:
        sys.exit("%s: %d bytes with 200 images, %d with %d" % (form, few[form], many, n))
PYTHON
    try python3 peaks.py "$QCOW2FRAG"
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

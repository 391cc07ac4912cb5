#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Running out of memory: at each place where the program asks for some. There is the right result, or
# status 1 and a message; never a crash, and never half a document.

load helper

# hungry: runs the commands of standard input with hunger.py, over the images of the test.
hungry() {
    needs python3
    ! has_sanitizer || skip "a sanitizer has its own memory"
    find . -type f -exec sync {} + # what has no place on the device yet gets one while this runs
    sed 's/^[^m]/--threads 1 &/' >commands
    python3 "$TESTS/cli/hunger.py" "$QCOW2FRAG" "$HUNGER" <commands >told || told "hunger.py failed" told
    tail -1 told >summary
    holds summary ", 0 wrong" || told "see:" told
    [ "$(cut -d' ' -f1 summary)" -ge "$1" ] || told "too few places were found" told
}

@test "pages and lists" {
    fixture snapshot-shared
    fixture compressed-packed
    fixture extended-l2-partial
    fixture two-halves-swapped
    image damaged <<<'size 1G
map 0..9
poke be64 l2[3] 0x8000000000000200'
    hungry 60 <<'COMMANDS'
two-halves-swapped.qcow2
-S --space --histogram --verbose snapshot-shared.qcow2
-s before --range 0:1M snapshot-shared.qcow2
-o result compressed-packed.qcow2
map --list extended-l2-partial.qcow2
damaged
map --color=256 --by host snapshot-shared.qcow2
map --end-to-end extended-l2-partial.qcow2
map --json compressed-packed.qcow2
map --list --json -s before -o result snapshot-shared.qcow2
COMMANDS
}

@test "documents and tables" {
    fixture reversed
    fixture snapshot-shared
    fixture extended-l2-partial
    fixture bitmaps
    mkdir folder
    cp reversed.qcow2 snapshot-shared.qcow2 folder
    hungry 60 <<'COMMANDS'
--json --space extended-l2-partial.qcow2
--json --space bitmaps.qcow2
--format csv reversed.qcow2 snapshot-shared.qcow2
-S --sort SCORE --max-score 0 reversed.qcow2 snapshot-shared.qcow2
--json folder
--json missing
--columns IMAGE,SCORE,ACTION folder
--help
COMMANDS
}

@test "chains" {
    head -c 1M /dev/zero >raw
    image middle.qcow2 <<<'size 1M
backing "raw" format raw
map 2..3'
    image top.qcow2 <<<'size 1M
backing "middle.qcow2" format qcow2
map 0..1'
    fixture data-file-raw
    head -c 1M /dev/zero >data-raw.raw
    hungry 60 <<'COMMANDS'
-c --histogram top.qcow2
--json -c -S top.qcow2
--json -c data-file-raw.qcow2
map --list -c top.qcow2
map -c top.qcow2
COMMANDS
}

@test "defrag holds its windows, 16 bytes for each run, and 64 MiB at most" {
    needs python3
    ! has_sanitizer || skip "a sanitizer has its own memory"
    image runs.qcow2 <<<'size 64M
cluster 512
map all shuffled seed 1 group 1'
    for memory in 8 32; do
        for disk in hdd ssd; do
            python3 - "$QCOW2FRAG" $memory --device $disk <<'PYTHON' || told "too much memory"
import resource, subprocess, sys
program, mib, *options = sys.argv[1:]
subprocess.run([program, "defrag", "--quiet", "--overwrite", "--memory", mib + "M", *options, "-o", "new", "runs.qcow2"],
               check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
allowed = (int(mib) + 64 << 20) + 16 * (64 << 20) // 512
print(peak >> 20, "MiB of", allowed >> 20)
sys.exit(peak > allowed)
PYTHON
            [ -e first ] || mv new first # the same comes of it, however it is read
            [ ! -e new ] || cmp first new
        done
    done
}

# filled COMMAND ...: with the C library filling what the program gets, and what it gives back.
filled() { MALLOC_PERTURB_=$((RANDOM % 255 + 1)) "$@"; }

# says_the_same ARGUMENT ...: as with memory that happens to be zero.
says_the_same() {
    local status=0 again=0

    MALLOC_PERTURB_=0 "$QCOW2FRAG" "$@" >usual 2>usual.err || status=$?
    filled "$QCOW2FRAG" "$@" >out 2>err || again=$?
    [ "$again" = "$status" ] || told "status $again, and $status else" err
    cmp usual.err err
    cmp <(sed 's/"measured_at":[0-9]*//' usual) <(sed 's/"measured_at":[0-9]*//' out)
}

@test "what malloc gives is not taken for zeros, and nothing is read after it was freed" {
    ! has_sanitizer || skip "a sanitizer has its own memory"
    mkdir images
    "$MKQCOW2" --into images "$TESTS"/images/*.txt
    placed images/*.qcow2
    says_the_same --json --space --all-snapshots images/*.qcow2
    says_the_same --all-snapshots images/*.qcow2
    says_the_same --format csv images/*.qcow2
    for name in compressed-packed extended-l2-partial snapshot-shared v2-zero zero-allocated; do
        says_the_same --verbose --histogram --space --all-snapshots "images/$name.qcow2"
        says_the_same map --list --json "images/$name.qcow2"
        says_the_same defrag --dry-run --force --json "images/$name.qcow2"
    done
    for name in compressed-packed extended-l2-partial snapshot-shared fill bitmaps; do
        MALLOC_PERTURB_=0 "$QCOW2FRAG" defrag --quiet --force -o plain "images/$name.qcow2"
        filled "$QCOW2FRAG" defrag --quiet --force -o again "images/$name.qcow2"
        cmp plain again
        rm plain again
    done
}

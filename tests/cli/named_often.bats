#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A table that an image names millions of times is walked once.

load helper

# named_often: all 4,194,304 entries of an L1 table of 32 MiB name the same L2 table. Walked each
# time anew these would be 2^40 entries.
named_often() {
    needs python3
    image image.qcow2 <<'FIXTURE'
size 2E
cluster 2M
map 0..262143
FIXTURE
    python <<'PYTHON'
with open("image.qcow2", "r+b") as image:
    header = image.read(48)
    image.seek(int.from_bytes(header[40:48], "big"))
    entry = image.read(8)
    image.seek(-8, 1)
    image.write(entry * int.from_bytes(header[36:40], "big"))
PYTHON
}

@test "096-l2-named-4194304-times" {
    named_often
    try timeout 20 "$QCOW2FRAG" --json image.qcow2
    exits 0
    is_empty err
    is <(json out '[i[0]["findings_total"], i[0]["findings"][19]["code"]]') '[4194304, "l2-shared"]'
    is <(json out 'i[0]["tables"][0]["mapped_clusters"]') 1099511627776
}

@test "096-l2-named-4194304-times: within 2 seconds and 64 MiB" {
    ! has_sanitizer || skip "built with a sanitizer"
    named_often
    python3 - "$QCOW2FRAG" <<'PYTHON'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "--json", "image.qcow2"], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss
print(f"{seconds:.1f} s, {peak} KiB")
sys.exit(seconds > 2 or peak > 64 << 10)
PYTHON
}

@test "096-l2-named-4194304-times: with --space within 2 seconds and 64 MiB" {
    ! has_sanitizer || skip "built with a sanitizer"
    named_often
    python3 - "$QCOW2FRAG" <<'PYTHON'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "--json", "--space", "image.qcow2"], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime # of the processor: others may be at work as well
print(f"{seconds:.1f} s, {used.ru_maxrss} KiB")
sys.exit(seconds > 2 or used.ru_maxrss > 64 << 10)
PYTHON
}

@test "096-l2-named-4194304-times: the list of its runs ends" {
    named_often
    try timeout 30 "$QCOW2FRAG" map --list image.qcow2
    [ "$status" -le 2 ]
}

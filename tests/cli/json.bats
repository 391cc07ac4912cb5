#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The JSON document: whole whatever happens, every key always there, null only where it may be.

load helper

setup() {
    enter_scratch
    needs python3
}

# is_whole FILE: the document has every key that qcow2frag-json(5) names, of its type, and no other
# type. More keys than these are no error.
is_whole() {
    python "$1" <<'PYTHON'
import json, sys

INT, REAL, TEXT, BOOL, LIST, OBJECT, NULL = int, float, str, bool, list, dict, type(None)

def optional(*types):
    return types + (NULL,)

DOCUMENT = {"qcow2frag": TEXT, "schema": INT, "images": LIST}
IMAGE = {
    "path": TEXT, "measured_at": INT, "complete": BOOL, "error": optional(TEXT), "in_use": optional(BOOL),
    "format": optional(OBJECT), "tables": LIST, "host": optional(OBJECT), "space": optional(OBJECT),
    "verdict": optional(OBJECT), "findings_total": INT, "findings": LIST,
}
FORMAT = {
    "version": INT, "cluster_bytes": INT, "virtual_bytes": INT, "file_bytes": INT, "refcount_bits": INT,
    "extended_l2": BOOL, "compression": TEXT, "encryption": TEXT, "backing_file": optional(TEXT),
    "backing_format": optional(TEXT), "data_file": optional(TEXT), "data_file_raw": BOOL,
    "lazy_refcounts": BOOL, "dirty": BOOL, "corrupt": BOOL, "snapshot_count": INT, "bitmap_count": INT,
    "l1_entries": INT, "l2_tables": optional(INT), "l2_bytes": optional(INT), "l2_cache_bytes": INT,
}
SNAPSHOT = {"id": TEXT, "name": TEXT}
COUNTS = (
    "mapped_clusters", "mapped_bytes", "compressed_clusters", "zero_clusters", "zero_allocated_clusters",
    "corrupt_entries", "backward_steps", "forward_jumps", "near_jumps", "file_switches", "breaks",
    "ascending_runs", "contiguous_runs",
)
RATIOS = (      # null when nothing is mapped
    "fragmentation_score", "ascending_run_mean_bytes", "contiguous_run_mean_bytes", "read_split",
)
TABLE = {
    "snapshot": optional(OBJECT), "chain_depth": INT, "virtual_bytes": INT,
    "backward_jump_mean_bytes": optional(REAL), "forward_jump_mean_bytes": optional(REAL),
    "contiguous_run_half_bytes": optional(INT), "contiguous_run_max_bytes": optional(INT),
    "jump_histogram": optional(LIST), "run_histogram": optional(LIST), "qemu_img_check": optional(OBJECT),
    "layers": optional(LIST), "end_to_end": optional(OBJECT), "disk": optional(OBJECT),
    **{key: optional(INT) for key in COUNTS}, **{key: optional(REAL) for key in RATIOS},
}
JUMPS = {"from_bytes": INT, "backward": INT, "forward": INT}
RUNS = {"from_bytes": INT, "runs": INT, "bytes": INT}
CHECK = {key + "_clusters": INT for key in ("allocated", "total", "fragmented", "compressed")}
SPACE = {
    "host_allocated_bytes": optional(INT), "leaked_bytes": optional(INT), "free_gap_max_bytes": optional(INT),
    "reclaimable_bytes": optional(INT),
    "free_gap_histogram": LIST, "snapshots": LIST,
    **{key: INT for key in ("end_offset_bytes", "active_bytes", "metadata_bytes", "vm_state_bytes", "snapshot_only_bytes",
                            "unknown_bytes", "free_bytes", "free_gaps", "tail_bytes")},
}
GAPS = {"from_bytes": INT, "gaps": INT, "bytes": INT}
SPACE_SNAPSHOT = {"id": TEXT, "name": TEXT, "exclusive_bytes": optional(INT)}
FINDING = {"code": TEXT, "severity": TEXT, "where": TEXT, "host_offset": optional(INT), "message": TEXT}

problems = []

def problem(where, what):
    problems.append("%s: %s" % (where, what))

def check(where, value, keys):
    for key, types in keys.items():
        types = types if isinstance(types, tuple) else (types,)
        if key not in value:
            problem(where + "." + key, "missing")
        elif type(value[key]) not in types:
            problem(where + "." + key, "is %r" % (value[key],))

def check_each(where, values, keys):
    for index, value in enumerate(values or []):
        check("%s[%d]" % (where, index), value, keys)

def check_table(where, table):
    check(where, table, TABLE)
    check_each(where + ".jump_histogram", table["jump_histogram"], JUMPS)
    check_each(where + ".run_histogram", table["run_histogram"], RUNS)
    if table["snapshot"] is not None:
        check(where + ".snapshot", table["snapshot"], SNAPSHOT)
    if table["qemu_img_check"] is not None:
        check(where + ".qemu_img_check", table["qemu_img_check"], CHECK)
    measured = table["mapped_clusters"] is not None
    for key in COUNTS + ("jump_histogram", "run_histogram"):
        if (table[key] is not None) != measured:
            problem(where + "." + key, "known, or not known, unlike the other counts")
    for key in RATIOS + ("contiguous_run_half_bytes", "contiguous_run_max_bytes"):
        if (table[key] is not None) != bool(table["mapped_clusters"]):
            problem(where + "." + key, "is %r with %r mapped" % (table[key], table["mapped_clusters"]))
    for key, count in (("backward_jump_mean_bytes", "backward_steps"),
                       ("forward_jump_mean_bytes", "forward_jumps")):
        if (table[key] is not None) != bool(table[count]):
            problem(where + "." + key, "is %r with %r of them" % (table[key], table[count]))

def check_space(where, space):
    check(where, space, SPACE)
    check_each(where + ".free_gap_histogram", space["free_gap_histogram"], GAPS)
    check_each(where + ".snapshots", space["snapshots"], SPACE_SNAPSHOT)
    if (space["free_gap_max_bytes"] is not None) != bool(space["free_gaps"]):
        problem(where, "the longest of no gaps, or none of some")
    if sum(gaps["gaps"] for gaps in space["free_gap_histogram"]) != space["free_gaps"]:
        problem(where, "the histogram has other gaps")

def no_constant(text):
    problem("a number", text)       # NaN and Infinity are no JSON

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file, parse_constant=no_constant)
check("document", document, DOCUMENT)
if document["schema"] != 1:
    problem("schema", document["schema"])
for n, image in enumerate(document["images"]):
    where = "images[%d]" % n
    check(where, image, IMAGE)
    if (image["error"] is None) != (image["format"] is not None):
        problem(where, "an error and a format, or neither")
    if image["format"] is not None:
        check(where + ".format", image["format"], FORMAT)
    if image["space"] is not None:
        check_space(where + ".space", image["space"])
    if image["error"] is not None and (image["tables"] or image["complete"]):
        problem(where, "has an error, but figures")
    check_each(where + ".findings", image["findings"], FINDING)
    if image["findings_total"] < len(image["findings"]):
        problem(where, "fewer findings than listed")
    for t, table in enumerate(image["tables"]):
        check_table("%s.tables[%d]" % (where, t), table)
print("\n".join(problems[:20]), end="\n" if problems else "")
sys.exit(1 if problems else 0)
PYTHON
}

# whole FIXTURE [STATUS]: its document, with all snapshots.
whole() {
    fixture "$1"
    try qcow2frag --json --all-snapshots "$1.qcow2"
    exits "${2:-0}"
    is_whole out
    try qcow2frag --json --space "$1.qcow2"
    exits "${2:-0}"
    is_whole out
    is <(json out 'i[0]["space"] is None') false
}

@test "a fragmented image has a whole document" { whole shuffled-single; }
@test "an image in one piece has a whole document" { whole l2-front; }
@test "an image without data has a whole document" { whole empty; }
@test "a disk of no bytes has a whole document" { whole size-zero; }
@test "snapshots have a whole document" { whole snapshots-40; }
@test "compressed clusters have a whole document" { whole compressed-random-sizes; }
@test "extended L2 entries have a whole document" { whole extended-l2-partial; }
@test "an external data file has a whole document" { whole data-file-raw; }
@test "a backing file has a whole document" { whole backing; }
@test "a damaged image has a whole document" { whole v2-zero 2; }

@test "-j, --json and --format json print the same" {
    fixture reversed
    qcow2frag --json reversed.qcow2 | grep -v measured_at >long
    qcow2frag -j reversed.qcow2 | grep -v measured_at | diff long -
    qcow2frag --format json reversed.qcow2 | grep -v measured_at | diff long -
    qcow2frag -f json reversed.qcow2 | grep -v measured_at | diff long -
}

@test "the version and the time are those of the measurement" {
    fixture empty
    local before=$(date +%s)
    try qcow2frag --json empty.qcow2
    [ "qcow2frag $(json out 'd["qcow2frag"]')" = "$(qcow2frag --version)" ]
    [ "$(json out "$before <= i[0]['measured_at'] <= $(date +%s)")" = true ]
}

@test "where nothing is mapped, counts are 0, histograms empty, ratios null" {
    fixture empty
    try qcow2frag --json empty.qcow2
    is <(json out '[i[0]["tables"][0][key] for key in ("mapped_clusters", "mapped_bytes", "breaks",
        "ascending_runs", "contiguous_runs")]') "[0, 0, 0, 0, 0]"
    is <(json out '[i[0]["tables"][0][key] for key in ("jump_histogram", "run_histogram")]') "[[], []]"
    is <(json out '[i[0]["tables"][0][key] for key in ("fragmentation_score", "read_split",
        "ascending_run_mean_bytes", "contiguous_run_mean_bytes", "contiguous_run_half_bytes",
        "contiguous_run_max_bytes", "backward_jump_mean_bytes", "forward_jump_mean_bytes")]' | tr -d ' ') \
        "[null,null,null,null,null,null,null,null]"
}

@test "a ratio is a fraction, not a percentage" {
    fixture reversed
    try qcow2frag --json reversed.qcow2
    is <(json out 'i[0]["tables"][0]["fragmentation_score"]') 0.99
}

@test "a whole number that is a ratio keeps its point" {
    fixture one-cluster
    try qcow2frag --json one-cluster.qcow2
    grep -qE '"fragmentation_score": ?0\.0,' out
    grep -qE '"contiguous_run_mean_bytes": ?65536\.0,' out
}

@test "a jump over 512 KiB is near, one over a cluster of 512 bytes more is not" {
    image f <<<'size 8M
cluster 512
map 0 at 1000
map 1 at 2025
map 2 at 3051'
    try qcow2frag --json f
    is <(json out '[i[0]["tables"][0][key] for key in ("forward_jumps", "near_jumps")]') "[2, 1]"
}

@test "numbers above 2^53 are exact" {
    fixture two-eib-empty
    try qcow2frag --json two-eib-empty.qcow2
    is <(json out 'i[0]["format"]["virtual_bytes"]') 2305843009213693952
}

@test "qemu_img_check is null for a snapshot" {
    fixture snapshot-shared
    try qcow2frag --json -S snapshot-shared.qcow2
    is <(json out '[t["qemu_img_check"] is None for t in i[0]["tables"]]') "[false, true]"
    is <(json out '[t["snapshot"] for t in i[0]["tables"]]') '[null, {"id": "1", "name": "before"}]'
}

@test "only the chosen tables are there, in the order asked for" {
    fixture snapshot-extra-data
    try qcow2frag --json -s second -s id:7 snapshot-extra-data.qcow2
    is <(json out '[t["snapshot"]["id"] for t in i[0]["tables"]]') '["x-2", "7"]'
}

@test "what was not looked at is null: l2_tables when only a snapshot is measured" {
    fixture snapshot-shared
    try qcow2frag --json -s before snapshot-shared.qcow2
    is_whole out
    is <(json out '[i[0]["format"]["l2_tables"], i[0]["format"]["l2_bytes"]]') "[null, null]"
}

@test "a snapshot that cannot be read has null figures, and a finding" {
    image f <<<'size 64M
map 0..9
snapshot one
map 3
poke be64 snap[0] 0x12345'
    try qcow2frag --json -S f
    exits 2
    is_whole out
    is <(json out '[t["mapped_clusters"] for t in i[0]["tables"]]') "[10, null]"
    is <(json out '[i[0]["complete"], i[0]["findings_total"], i[0]["findings"][0]["code"]]') \
        '[false, 1, "snapshot-l1"]'
}

# ---- several images, and what cannot be measured ----

@test "several images are in the order given" {
    fixture one-cluster
    fixture reversed
    cp one-cluster.qcow2 again.qcow2
    try qcow2frag --json one-cluster.qcow2 reversed.qcow2 again.qcow2
    exits 0
    is_whole out
    is <(json out '[x["path"] for x in i]') '["one-cluster.qcow2", "reversed.qcow2", "again.qcow2"]'
}

@test "a bad image among others is an entry with its error, and the others are whole" {
    fixture one-cluster
    fixture reversed
    echo "no image" >bad
    try qcow2frag --json one-cluster.qcow2 bad missing reversed.qcow2
    exits 1
    is_whole out
    is <(json out '[x["error"] is None for x in i]') "[true, false, false, true]"
    is <(json out 'i[3]["tables"][0]["backward_steps"]') 99
    [ "$(wc -l <err)" = 2 ]
}

@test "an entry with an error has nulls and no figures" {
    try qcow2frag --json missing
    exits 1
    is_whole out
    is <(json out '[i[0][key] for key in ("in_use", "format", "host", "space", "verdict")]') \
        "[null, null, null, null, null]"
    is <(json out '[i[0]["tables"], i[0]["findings"], i[0]["findings_total"]]') "[[], [], 0]"
}

@test "an image that was cut short is an error in the document" {
    fixture reversed
    truncate -s 90 reversed.qcow2
    try qcow2frag --json reversed.qcow2
    exits 1
    is_whole out
    [[ $(json out 'i[0]["error"]') == *"cut short"* ]]
}

@test "a directory without images is a document without images" {
    mkdir folder
    try qcow2frag --json folder
    is_whole out
    is <(json out 'i') "[]"
}

@test "findings are 20 of a code at most, and all are counted" {
    image f <<<'size 64M
map 0..99
raw 0..99 0x8000000000050200'
    try qcow2frag --json f
    exits 2
    is_whole out
    is <(json out '[i[0]["findings_total"], len(i[0]["findings"])]') "[100, 20]"
    is <(json out '{x["severity"] for x in i[0]["findings"]} == {"error"}') true
    is <(json out 'i[0]["tables"][0]["corrupt_entries"]') 100
}

# ---- names ----

# named NAME JSON: what stands for a file of that name.
named() {
    fixture one-cluster
    mv one-cluster.qcow2 "$1"
    try qcow2frag --json -- "$1"
    exits 0
    is_whole out
    is <(json out 'ascii(i[0]["path"])') "$2"
}

@test "a name with quotes and backslashes" { named 'a"b\c' "'a\"b\\\\c'"; }
@test "a name with a line break" { named $'two\nlines' "'two\\nlines'"; }
@test "a name with control characters" { named $'\x01\x1b[31m\x7f' "'\\x01\\x1b[31m\\x7f'"; }
@test "a name with slashes" { mkdir -p a/b && named ./a//b/image "'./a//b/image'"; }
@test "a name in UTF-8" { named $'d\xc3\xafsk' "'d\\xefsk'"; }
@test "a name with C1 controls" { named $'\xc2\x9b31m\xc2\x85' "'\\x9b31m\\x85'"; }
@test "a name that turns the line around" { named $'\u202eab\u2066' "'\\u202eab\\u2066'"; }
@test "a name with line and paragraph separators" { named $'\u2028\u2029' "'\\u2028\\u2029'"; }

@test "no control, and nothing that turns or breaks a line, is in a document as it stands" {
    local name=$'\x1b\x07\x7f\xc2\x9b\u202e\u2067\u200f\u2028\u061c\r'
    fixture one-cluster
    mv one-cluster.qcow2 "$name"
    try qcow2frag --json "$name"
    holds out '"path":"\u001b\u0007\u007f\u009b\u202e\u2067\u200f\u2028\u061c\r"'
    try qcow2frag map --list --json "$name"
    holds out '"file":"\u001b\u0007\u007f\u009b\u202e\u2067\u200f\u2028\u061c\r"'
}

@test "a name that is no UTF-8" { named $'bad\xff\xc3(' "'bad\\ufffd\\ufffd('"; }

@test "slashes are not escaped" {
    mkdir a
    "$MKQCOW2" "$TESTS/images/empty.txt" a/b
    try qcow2frag --json a/b
    holds out '"a/b"'
}

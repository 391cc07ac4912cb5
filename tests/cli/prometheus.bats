#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --format prometheus: the format as a parser of our own reads it, as promtool does, and as
# node_exporter serves it. promtool and node_exporter are large: `make test-ecosystem` fetches them.

load helper

is_format() { witness oracle/exposition.py check "$1"; }

# value FILE METRIC LABEL=VALUE ...: of the only sample that has them.
value() { witness oracle/exposition.py value "$@"; }

@test "each value is that of the JSON" {
    fixtures sample snapshot-shared v2-zero empty backing extended-l2-partial compressed-zstd data-file-raw snapshots-40
    echo 'no image' >bad
    try_into all.prom qcow2frag --format prometheus --no-host --all-snapshots --space . bad missing
    exits 1
    try_into all.json qcow2frag --json --no-host --all-snapshots --space . bad missing
    witness oracle/exposition.py against all.prom all.json
}

@test "the times are those of image and host together, as in the table" {
    scattered_on_the_host disk.qcow2
    try qcow2frag -f prometheus disk.qcow2
    exits 0
    mv out prom
    try qcow2frag --format csv --noheadings --columns SECONDS,IDEAL,LOST,SLOWDOWN,EXTENTS disk.qcow2
    is out "$(value prom qcow2frag_image_read_seconds),$(value prom qcow2frag_image_read_ideal_seconds),$(
        value prom qcow2frag_image_read_lost_seconds),$(value prom qcow2frag_image_read_slowdown_ratio),$(
        value prom qcow2frag_image_host_extents)"
    [ "$(value prom qcow2frag_image_action action=host)" = 1 ]
}

@test "names of any bytes have labels of their own" {
    fixture one-cluster
    mv one-cluster.qcow2 plain
    local name
    for name in $'line\nbreak' $'\xff' $'\xfe' '\xff' 'quo"te\' $'\e[31m' 'h' "$(printf %0255d 0)"; do
        cp plain "$name"
    done
    try qcow2frag -f prometheus .
    exits 0
    is_format out
    witness oracle/exposition.py labels out qcow2frag_image_up >labels
    is labels "'./\\\\x1b[31m'
'./$(printf %0255d 0)'
'./\\\\x5cxff'
'./h'
'./line\\nbreak'
'./plain'
'./quo\"te\\\\'
'./\\\\xfe'
'./\\\\xff'"
}

@test "two snapshots with one id and name give one series" {
    image twins.qcow2 <<'IMAGE'
size 64M
map 0..9
snapshot twin
map 5..20
snapshot twin
poke byte snap[1].table+64 0x31
IMAGE
    try qcow2frag -f prometheus --all-snapshots twins.qcow2
    exits 0
    is_format out
    [ "$(grep -c '^qcow2frag_image_mapped_bytes' out)" = 2 ]
}

@test "-o gives a file that node_exporter can read, whole or not at all" {
    fixture sample
    umask 022
    try qcow2frag -f prometheus -o disk.prom sample.qcow2
    exits 0
    is_empty out
    [ "$(stat -c %a disk.prom)" = 644 ]
    is_format disk.prom
    cp disk.prom before
    try qcow2frag -f prometheus --max-score 150% -o disk.prom sample.qcow2
    exits 0
    try qcow2frag -f prometheus --max-score x -o disk.prom missing
    exits 1
    is_format disk.prom
    [ "$(echo *)" = "before disk.prom err out sample.qcow2" ] # nothing is left beside it
}

@test "an image that is not there is down, and the file is written all the same" {
    try qcow2frag -f prometheus -o disk.prom missing.qcow2
    exits 1
    grep -q '^qcow2frag: missing.qcow2: ' err
    [ "$(value disk.prom qcow2frag_image_up image=missing.qcow2)" = 0 ]
    [ "$(value disk.prom qcow2frag_images action=failed)" = 1 ]
}

@test "a directory without images is told by a metric, too" {
    mkdir empty
    try qcow2frag -f prometheus empty
    exits 1
    [ "$(value out qcow2frag_search_errors)" = 1 ]
    [ "$(grep -c '^qcow2frag' out)" = 12 ]
}

@test "damage is told on standard error, and limits are kept as in every format" {
    fixtures sample v2-zero
    try qcow2frag -f prometheus v2-zero.qcow2
    exits 2
    grep -q '^qcow2frag: v2-zero.qcow2: ' err
    [ "$(value out qcow2frag_image_findings severity=error)" = 1 ]
    try qcow2frag -f prometheus --max-score 30 sample.qcow2
    exits 3
    grep -q '^qcow2frag: sample.qcow2: the fragmentation score is ' err
}

@test "a series for each figure: as many as the manual page says" {
    fixtures sample snapshot-shared
    placed sample.qcow2 snapshot-shared.qcow2
    try qcow2frag -f prometheus sample.qcow2
    [ "$(grep -c '^qcow2frag_image' out)" = 31 ] # of the image, and ten of the run
    try qcow2frag -f prometheus --space sample.qcow2
    [ "$(grep -c '^qcow2frag_image_' out)" = 31 ]
    try qcow2frag -f prometheus --all-snapshots snapshot-shared.qcow2
    [ "$(grep -c '^qcow2frag_image_' out)" = 31 ]
    try qcow2frag -f prometheus missing
    [ "$(grep -c '^qcow2frag_image_' out)" -le 4 ]
    grep -q '^An image has 21 series, with$' "$SOURCE/doc/qcow2frag-metrics.5"
}

@test "options for tables do not go with it" {
    try qcow2frag -f prometheus --columns SCORE image
    exits 1
    is <(sed -n 1p err) 'qcow2frag: --columns goes with the table and with CSV'
    try qcow2frag -f prometheus --sort SCORE image
    exits 1
    is <(sed -n 1p err) 'qcow2frag: --sort goes with the table, with CSV and with --top'
}

# ---- witnesses ----

@test "promtool has nothing against it" {
    needs promtool
    fixtures sample snapshot-shared v2-zero empty
    cp sample.qcow2 $'line\nbreak\xff"\\'
    try_into all.prom qcow2frag -f prometheus --all-snapshots --space . missing
    promtool check metrics <all.prom >lint 2>&1 || told "promtool:" lint
    is_empty lint
}

@test "node_exporter serves the file as it is" {
    needs prometheus-node-exporter curl
    fixtures sample snapshot-shared
    cp sample.qcow2 $'line\nbreak\xff"\\'
    mkdir textfiles
    try qcow2frag -f prometheus --all-snapshots --space -o textfiles/qcow2frag.prom "$PWD"
    exits 0
    prometheus-node-exporter --web.listen-address=127.0.0.1:0 --collector.disable-defaults --collector.textfile \
        --collector.textfile.directory=textfiles 2>log &
    local exporter=$! port= n
    for ((n = 0; n < 100; n++)); do
        port=$(sed -n 's/.*[Ll]istening on.*127.0.0.1:\([0-9]*\).*/\1/p' log)
        [ -z "$port" ] || break
        sleep 0.1
    done
    [ -n "$port" ] || { kill $exporter; told "node_exporter does not listen:" log; }
    curl -s --max-time 20 "http://127.0.0.1:$port/metrics" >served || true
    kill $exporter
    wait $exporter || true
    grep -q '^node_textfile_scrape_error 0$' served || told "node_exporter could not read it:" log
    # It sorts samples and labels, and writes large numbers with an exponent: compare what they mean.
    grep -E '^(# (HELP|TYPE) )?qcow2frag_' served >ours
    witness oracle/exposition.py same ours textfiles/qcow2frag.prom
}

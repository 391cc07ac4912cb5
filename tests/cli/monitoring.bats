#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The alerts for Prometheus and the dashboard for Grafana.

load helper

setup() {
    enter_scratch
    rules=$SOURCE/contrib/prometheus/qcow2frag.rules.yml
    board=$SOURCE/contrib/grafana/qcow2frag.json
}

# printed: metrics of images of several kinds.
printed() {
    fixtures sample snapshot-shared
    qcow2frag --format prometheus --space --all-snapshots --no-host sample.qcow2 snapshot-shared.qcow2 >metrics || [ $? = 2 ]
    qcow2frag --format prometheus sample.qcow2 | grep host_extents >>metrics ||
        echo 'qcow2frag_image_host_extents{image="x"} 1' >>metrics # of a file system that does not tell
}

@test "they ask for what the program prints" {
    needs python3
    printed
    "$TESTS/cli/monitoring.py" metrics "$rules" "$board" | sort -u >used
    [ "$(wc -l <used)" -gt 15 ]
    sed 's/qcow2frag_image_up /qcow2frag_image_down /' "$rules" >wrong.yml
    try "$TESTS/cli/monitoring.py" metrics wrong.yml "$board"
    exits 1
    grep -q 'qcow2frag_image_down is no metric' err
    sed 's/severity=\\"error/level=\\"error/; s/severity="error/level="error/' "$rules" >wrong.yml
    try "$TESTS/cli/monitoring.py" metrics wrong.yml "$board"
    exits 1
    grep -q 'qcow2frag_image_findings has no label' err
}

@test "each alert comes when it is to come" {
    needs promtool
    promtool check rules "$rules" >log 2>&1 || told "no rules:" log
    promtool test rules "$SOURCE/contrib/prometheus/qcow2frag.rules.test.yml" >log 2>&1 || told "not as it should be:" log
    cp "$SOURCE/contrib/prometheus/qcow2frag.rules.test.yml" .
    sed 's/for: 2d/for: 1d/' "$rules" >qcow2frag.rules.yml
    ! promtool test rules qcow2frag.rules.test.yml >log 2>&1 || told "not noticed:" log
}

@test "each alert is tried" {
    sed -n 's/^ *- alert: //p' "$rules" | sort >alerts
    [ -s alerts ]
    sed -n 's/^ *alertname: //p' "$SOURCE/contrib/prometheus/qcow2frag.rules.test.yml" | sort -u >tried
    diff alerts tried
}

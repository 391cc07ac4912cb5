#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The units of systemd: that it takes them, how much it lets them do, and that what they start works.

load helper

setup() {
    enter_scratch
    units=$(dirname "$QCOW2FRAG")/contrib
    [ -e "$units/qcow2frag-collect.service" ] || skip "not in a build folder"
}

# runs UNIT KEY [NAME=VALUE ...]: the command of the unit.
runs() {
    needs python3
    try "$TESTS/cli/unit_command.py" "$units/qcow2frag-$1.service" "${@:2}"
}

# here: copies of the units that start the program as built.
here() {
    needs systemd-analyze
    cp "$units"/*.timer .
    for unit in collect defrag; do
        sed "s|^\(ExecStart=\)[^ ]*|\1$QCOW2FRAG|" "$units/qcow2frag-$unit.service" >"qcow2frag-$unit.service"
    done
}

@test "systemd takes them" {
    here
    try systemd-analyze verify --man=no ./qcow2frag-*.service ./qcow2frag-*.timer
    exits 0
    ! grep qcow2frag err || told "this is not to be"
    echo 'Nonsense=yes' >>qcow2frag-collect.service
    sed -i 's/^\[Install\]/Nonsense=yes\n&/' qcow2frag-defrag.timer
    systemd-analyze verify --man=no ./qcow2frag-collect.service ./qcow2frag-defrag.timer 2>err || true
    [ "$(grep -c Nonsense err)" = 2 ]
}

@test "their exposure, as systemd reckons it, is below 2.0" {
    here
    for unit in collect defrag; do
        try systemd-analyze security --no-pager --offline=true --threshold=19 "./qcow2frag-$unit.service"
        exits 0
    done
    sed -i '/^SystemCallFilter\|^Protect\|^Private\|^Restrict/d' qcow2frag-defrag.service
    try systemd-analyze security --no-pager --offline=true --threshold=19 ./qcow2frag-defrag.service
    exits 1
}

@test "the collector writes the metrics of all that is named, blanks in names or not" {
    mkdir plain 'with blanks'
    fixtures sample one-cluster
    mv sample.qcow2 'with blanks'
    mv one-cluster.qcow2 plain
    runs collect ExecCondition 'COLLECT_IMAGES=plain "with blanks"'
    exits 0
    runs collect ExecStart 'COLLECT_IMAGES=plain "with blanks"' "COLLECT_OUTPUT=with blanks/q.prom" COLLECT_OPTIONS='--no-host --space'
    exits 0
    is_empty out
    is_empty err
    grep -qF 'qcow2frag_image_up{image="plain/one-cluster.qcow2"} 1' 'with blanks/q.prom'
    grep -qF 'qcow2frag_image_up{image="with blanks/sample.qcow2"} 1' 'with blanks/q.prom'
    grep -q '^qcow2frag_image_space_bytes' 'with blanks/q.prom'
}

@test "the collector says why it does nothing, and goes on with what is there" {
    runs collect ExecCondition COLLECT_IMAGES=
    exits 1
    grep -qE 'nothing to measure, as COLLECT_IMAGES in /.*/default/qcow2frag is:' out
    runs collect ExecCondition 'COLLECT_IMAGES=gone "gone too"'
    exits 1
    grep -qF 'is: gone gone too' out
    runs collect ExecCondition 'COLLECT_IMAGES=gone .'
    exits 0
    runs collect ExecCondition COLLECT_IMAGES=nbd://localhost/disk
    exits 0
}

@test "the rewriter puts in order what is above the threshold" {
    mkdir images
    fixtures sample
    mv sample.qcow2 images
    options=$(sed -n 's/^Environment=.*"DEFRAG_OPTIONS=\(.*\)"$/\1/p' "$units/qcow2frag-defrag.service")
    [ -n "$options" ]
    runs defrag ExecCondition DEFRAG_IMAGES=images
    exits 0
    runs defrag ExecStart DEFRAG_IMAGES=images "DEFRAG_OPTIONS=${options/slowdown 2/slowdown 99} --device hdd"
    exits 0
    runs defrag ExecStart DEFRAG_IMAGES=images "DEFRAG_OPTIONS=$options --device hdd"
    exits 0
    try qcow2frag --json images/sample.qcow2
    [ "$(json out 'i[0]["tables"][0]["backward_steps"]')" = 0 ]
}

@test "the rewriter has nothing to do until somebody names images" {
    runs defrag ExecCondition
    exits 1
    grep -qE 'nothing to put in order, as DEFRAG_IMAGES in /.*/default/qcow2frag is:' out
}

@test "the sample of settings shows what holds without it" {
    needs python3
    python "$SOURCE/contrib/systemd/qcow2frag.settings" "$units"/*.service <<'PY'
import re, shlex, sys
text = open(sys.argv[1]).read()
shown = {}
for name, value in re.findall(r"^#([A-Z]+_[A-Z]+)=(.*)$", text, re.M):
    shown[name] = "".join(shlex.split(value))
held = {}
for unit in sys.argv[2:]:
    for value in re.findall(r"^Environment=(.*)$", open(unit).read(), re.M):
        held.update(pair.split("=", 1) for pair in shlex.split(value))
assert len(held) == 5 and shown == held, (shown, held)
PY
}

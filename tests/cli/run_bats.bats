#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What runs these tests: a test that fails is told as one, whatever way it fails.

load helper

# verdict COMMANDS: what becomes of a test of these commands, with the file's teardown.
verdict() {
    printf '%s\n' "inner() { false; echo went on; }" "teardown() { ${teardown:-:}; }" '@test "of that name" {' "$1" '}' >some.bats
    status=0
    "$TESTS/run-bats" "$PWD/some.bats" >out || status=$?
    is <(sed -n 1p out) 1..1
    sed -n 2p out >verdict
}

passes() {
    verdict "$1"
    is verdict 'ok 1 of that name'
    [ "$status" = 0 ]
}

fails() {
    verdict "$1"
    is verdict 'not ok 1 of that name'
    [ "$status" = 1 ]
}

@test "a test whose commands all succeed has passed" {
    passes 'true; false || true; [ -d . ]'
}

@test "a command that fails ends the test, be it called by others" {
    fails 'false; true'
    fails 'inner; true'
    not grep -q 'went on' out
    holds out '# failed: false, some.bats:1, some.bats:4'
    fails '(exit 3)'
    fails 'x=$(exit 3); true'
    fails 'for k in 1 2; do [ $k = 1 ]; done'
    fails 'true; ! true'
    fails 'kill -9 $BASHPID'
    fails 'no-such-command'
}

@test "a test that ends before its end has failed" {
    fails 'exit 0'
    holds out '# it ended before its end'
}

@test "a teardown that fails is a failure, and comes after one, too" {
    teardown='echo torn down; false' fails true
    teardown='echo torn down' fails false
    holds out '# torn down'
}

@test "a test that is skipped says why" {
    verdict 'false || skip "for a reason"; false'
    is verdict 'ok 1 of that name # skip for a reason'
    [ "$status" = 0 ]
}

@test "each test has a folder of its own, and none remains" {
    printf '@test "%s" { [ -z "$(ls "$BATS_TEST_TMPDIR")" ]; touch "$BATS_TEST_TMPDIR/x"; mkdir -m 0 "$BATS_TEST_TMPDIR/y"; }\n' a b >some.bats
    mkdir mine
    TMPDIR=$PWD/mine "$TESTS/run-bats" some.bats >out
    is out '1..2
ok 1 a
ok 2 b'
    is_empty_folder mine
}

@test "tests are chosen by their names" {
    printf '@test "%s" { true; }\n' first second >some.bats
    "$TESTS/run-bats" some.bats 'sec.nd' >out
    is out '1..1
ok 1 second'
}

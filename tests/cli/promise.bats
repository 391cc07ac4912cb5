#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Promises are kept, and advice ends: on images of all kinds, at each profile, the command of the page is
# run and its copy measured. See promise.py.

load helper

keeps() {
    needs qemu-img qemu-io python3
    python3 "$TESTS/cli/promise.py" "$QCOW2FRAG" "$@" >wrong || told "broken promises:" wrong
}

@test "clusters of all sizes, in random order" { keeps sizes; }

@test "versions, refcounts and odd sizes" { keeps formats; }

@test "orders that guests and snapshots bring about" { keeps orders; }

@test "subclusters" { keeps subclusters; }

@test "compressed, fresh or written to since" { keeps compressed; }

@test "tables that the cache does not hold" {
    needs mkfs.ext4
    keeps tables
}

@test "above a backing file" { keeps layers; }

@test "along a chain" { keeps chains; }

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Pages in a browser: no error, no request, no scrolling sideways, contrast, structure; see browser.py.

load helper

@test "browser: pages load without a word, and can be read at every width, light and dark" {
    needs chromium python3
    image bad.qcow2 <<'IMAGE'
size 1G
map 0..4095 shuffled seed 1 group 1
compressed 4096..5119 bytes 300..9000 seed 5
snapshot first
map 0..99
IMAGE
    image good.qcow2 <<<'size 1G
map all'
    fixture empty
    cp bad.qcow2 '"><img src=x onerror=window.broken=1><script>window.broken=1<:script>'
    qcow2frag report -o bad.html bad.qcow2
    qcow2frag report -o good.html good.qcow2
    qcow2frag report -o both.html bad.qcow2 good.qcow2
    qcow2frag report -o empty.html empty.qcow2
    qcow2frag report -o hostile.html ./\"*
    mkdir images
    mv ./\"* images
    ln bad.qcow2 good.qcow2 images
    qcow2frag report -o fleet.html images
    qcow2frag defrag --dry-run --report plan.html images
    timeout 120 python3 "$TESTS/cli/browser.py" check bad.html good.html both.html empty.html hostile.html fleet.html plan.html >wrong 2>&1 ||
        told "the browser failed:" wrong
    is_empty wrong
}

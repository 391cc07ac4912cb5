#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The floors of the house: what goes up does not build.

load helper

setup() {
    enter_scratch
    needs cc nm python3
    BUILD=$(dirname "$QCOW2FRAG")
    [ -e "$BUILD/compile_commands.json" ] || skip "this build folder has no compile_commands.json"
}

@test "each folder finds the headers of its own floor and of those below, and no others" {
    try python3 "$TESTS/cli/fence.py" includes "$BUILD"
    is_empty out
    exits 0
}

@test "no header is included by its path" {
    try python3 "$TESTS/cli/fence.py" paths "$SOURCE"
    is_empty out
    exits 0
}

@test "no floor calls into a floor above, nor asks for what it must not do" {
    try python3 "$TESTS/cli/fence.py" calls "$BUILD"
    is_empty out
    exits 0
}

# breached FILE: a copy of the sources, with standard input put before FILE; what the fence says of it is in out.
breached() {
    cp -r "$SOURCE/src" .
    { cat; cat "src/$1"; } >changed
    cat changed >"src/$1"
    try python3 "$TESTS/cli/fence.py" paths .
    exits 1
}

@test "a header that is included by its path is told, also where it lies below" {
    breached meter/meter.c <<<'#include "../io/io.h"'
    holds out "src/meter/meter.c includes ../io/io.h by its path"
    breached render/page.c <<<'#  include <src/report/report.h>'
    holds out "src/render/page.c includes src/report/report.h by its path"
}

# asks FLOOR SYMBOL ...: an object of that floor, FLOOR.o, that asks for these.
asks() {
    local symbol

    for symbol in "${@:2}"; do
        echo "void $symbol(void); void $1_$symbol(void); void $1_$symbol(void) { $symbol(); }"
        echo "src/$1 calls $symbol" >>expected
    done | cc -x c -fno-builtin -c -o "$1.o" -
}

@test "what a floor must not do is told, by whatever name: a meter reads, a report writes" {
    asks meter pread64 __openat64_2 __read_chk open fopen64 mmap io_read format_image_open
    asks report pwrite64 unlinkat renameat2 fopen store_lock_take io_output_open
    asks render pwrite64 unlinkat renameat2 fopen store_lock_take io_output_open io_read report_measure
    asks walk pread64 pwrite64 fopen store_lock_take
    echo 'void io_read(void); void report_may(void); void report_may(void) { io_read(); }' | cc -x c -c -o may.o -
    try python3 "$TESTS/cli/fence.py" calls "$BUILD" meter meter.o report report.o render render.o walk walk.o report may.o
    exits 1
    diff <(sort expected) <(echo >>out; grep -v ' of src/' out | sort -u)
}

@test "all of the meter links with what lies below it, and with nothing else: it cannot read" {
    local whole=(-Wl,--whole-archive "$BUILD/libmeter.a" -Wl,--no-whole-archive "$BUILD/libbase.a" -lm -lpthread)

    [[ "$(nm "$BUILD/libmeter.a")" != *__asan_* ]] || skip "built with sanitizers"
    echo 'int main(void) { return 0; }' >none.c
    cc -o none none.c "${whole[@]}"
    echo 'int io_file_open(const char *); int main(void) { return io_file_open("x"); }' >up.c
    try cc -o up up.c "${whole[@]}"
    exits 1
    holds err "undefined reference to \`io_file_open'"
}

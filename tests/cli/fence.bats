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
    try python3 "$TESTS/cli/fence.py" includes "$BUILD" "$SOURCE"
    is_empty out
    exits 0
}

@test "no floor calls into a floor above" {
    try python3 "$TESTS/cli/fence.py" calls "$BUILD"
    is_empty out
    exits 0
}

# links LIBRARY ...: a program that reads a file, from those libraries alone.
links() {
    cat >up.c <<'EOF'
int io_file_open(const char *path, void *io, void *err);
int main(void) { return io_file_open("x", 0, 0); }
EOF
    try cc -o up up.c "$@" $(pkg-config --silence-errors --libs liburing) -lm -lpthread
}

@test "a call that goes up does not link: a meter cannot read" {
    [[ "$(nm "$BUILD/libmeter.a")" != *__asan_* ]] || skip "built with sanitizers"
    links "$BUILD/libio.a" "$BUILD/libbase.a"
    exits 0
    links "$BUILD/libmeter.a" "$BUILD/libbase.a"
    exits 1
    holds err "undefined reference to \`io_file_open'"
}

# SPDX-License-Identifier: MIT
# What all command-line tests share. Each test runs in an empty folder of its own: $BATS_TEST_TMPDIR.
#
# QCOW2FRAG, MKQCOW2: the programs; TESTS: this tests/ folder; SOURCE: the top of the source tree.

: "${QCOW2FRAG:?}" "${MKQCOW2:?}" "${TESTS:?}" "${SOURCE:?}"

# What a sanitizer finds is to be no ordinary failure: the program dies of a signal.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}abort_on_error=1"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}halt_on_error=1:abort_on_error=1"

# Bats reads this file for each test, run-bats once for all.
if [ -d "${BATS_FILE_TMPDIR:-}" ] && [ -z "${BATS_SUITE_TEST_NUMBER:-}" ] && command -v python3 >/dev/null; then
    mkdir "$BATS_FILE_TMPDIR/answers"
    export answers=$BATS_FILE_TMPDIR/answers
    exec 9< <(exec python3 "$TESTS/cli/answers.py" "$answers" </dev/null 2>"$answers/log")
    read -r -u 9 _
    exec 9<&-
fi

setup() { enter_scratch; }
teardown() { leave_scratch; }

# Bats makes such a folder itself since 1.4.
enter_scratch() {
    if [ -z "${BATS_TEST_TMPDIR:-}" ]; then
        BATS_TEST_TMPDIR=$(mktemp -d "${BATS_TMPDIR:-/tmp}/qcow2frag.XXXXXX")
        own_scratch=$BATS_TEST_TMPDIR
    fi
    cd "$BATS_TEST_TMPDIR"
}

leave_scratch() {
    cd /
    [ -z "${memory:-}" ] || rm -rf "$memory"
    [ -z "${answers:-}" ] || return 0 # run-bats clears up at the end
    chmod -R u+rwX "$BATS_TEST_TMPDIR" 2>/dev/null || true # a closed folder could not be removed
    [ -z "${own_scratch:-}" ] || rm -rf "$own_scratch"
}

# spawn FILE [ARGUMENT ...]: as the command alone, only without a copy of the shell (spawn.c). What is started often
# is started so.
if enable -f "${SPAWN:-none}" spawn 2>/dev/null; then
    for name in chmod cmp cp dd diff grep ln mkdir mv rm touch truncate; do
        ! hash "$name" 2>/dev/null || eval "$name() { spawn '${BASH_CMDS[$name]}' \"\$@\"; }"
    done
else
    spawn() { "$@"; }
fi

# Many runs of a program are of one process for all tests of a file (keep). With AGAIN= each is started.
if [ -n "${AGAIN:-}" ] && [ -n "${answers:-}" ] && [ -z "${BATS_SUITE_TEST_NUMBER:-}" ] &&
    enable -f "${SPAWN:-none}" keep 2>/dev/null; then
    keep here "$QCOW2FRAG" "$AGAIN"
    keep here "$MKQCOW2" "$AGAIN"
else
    keep() { :; }
fi

qcow2frag() { spawn "$QCOW2FRAG" "$@"; }

# fixture NAME: makes NAME.qcow2 of tests/images/NAME.txt in the test's folder.
fixture() { spawn "$MKQCOW2" "$TESTS/images/$1.txt" "$BATS_TEST_TMPDIR/$1.qcow2"; }

# fixtures NAME ...: the same of many.
fixtures() { local names=("${@/#/$TESTS/images/}"); spawn "$MKQCOW2" --into "$BATS_TEST_TMPDIR" "${names[@]/%/.txt}"; }

# placed FILE ...: their place on the device is known from now on, and is the same of each measurement:
# a file system gives what is written a place some seconds later.
placed() { sync "$@"; }

# image FILE <<EOF ... EOF: makes an image of a fixture text given on standard input.
image() { spawn "$MKQCOW2" - "$1"; }

# made_once NAME COMMAND ...: $made is what the command makes, which is given a path as its last word: once for all
# tests of a file, and whole or not at all. Not to be written to.
made_once() {
    made=${BATS_FILE_TMPDIR:-$PWD}/once.$1
    if [ ! -e "$made" ]; then
        rm -rf "$made.new" # of one that failed
        "${@:2}" "$made.new"
        mv "$made.new" "$made"
    fi
}

# needs PROGRAM ...: a named skip for what is not installed.
needs() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "no $program"
    done
}

# hasten TOOL: QEMU's tool does not wait for the disk, derives keys in no time and keeps its memory (haste.c), here and
# in the bashes that are started, which know no spawn. Where the test file speaks of it, it is kept.
hasten() {
    local start=start_${1/-/_}

    hash "$1" 2>/dev/null || return 0
    [[ $(<"${BATS_TEST_FILENAME:-/dev/null}") != *"$1"* ]] ||
        LD_PRELOAD=$HASTE keep fork "${BASH_CMDS[$1]}" "${AGAIN:-} $HASTE"
    eval "$start='spawn ${BASH_CMDS[$1]}'; $1() { LD_PRELOAD=\$HASTE \${$start:-command $1} \"\$@\"; }"
    export -f "$1"
}

if [ -r "${HASTE:-}" ]; then
    hasten qemu-img
    hasten qemu-io
fi

needs_root() { [ "$EUID" = 0 ] || skip "needs root"; }

# as_user COMMAND ...: runs it as an ordinary user, whoever runs the tests. Root: open_scratch first.
as_user() {
    if [ "$EUID" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
    else
        "$@"
    fi
}

# Lets an ordinary user into the test's folder, and puts a copy of the program there: ./program.
open_scratch() {
    local folder=$BATS_TEST_TMPDIR

    cp "$QCOW2FRAG" "$BATS_TEST_TMPDIR/program"
    [ "$EUID" = 0 ] || return 0
    needs setpriv
    while [ "$folder" != "$(dirname "${BATS_RUN_TMPDIR:-$BATS_TEST_TMPDIR}")" ]; do
        chmod a+rx "$folder"
        folder=$(dirname "$folder")
    done
    as_user test -r "$BATS_TEST_TMPDIR" || skip "the folder for temporary files is closed to others"
}

# try COMMAND ...: runs it, whatever comes of it: $status, and the files out and err. Dying of a
# signal is a failure in itself.
try() { try_into out "$@"; }

# try_into FILE COMMAND ...: the same, with FILE in the place of out.
try_into() {
    status=0
    "${@:2}" >"$1" 2>err || status=$?
    [ "$status" -lt 124 ] || told "died with status $status" err
}

# told TEXT [FILE]: fails the test, saying why.
told() {
    echo "$1"
    [ $# -lt 2 ] || cat "$2"
    return 1
}

# not COMMAND ...: fails the test if the command succeeds. (With "!" alone a shell goes on.)
not() { ! "$@" || told "succeeded: $*"; }

# exits STATUS: what the last try must have come to.
exits() { [ "$status" = "$1" ] || told "status $status, expected $1; messages:" err; }

# is FILE TEXT: the file holds exactly these lines.
is() {
    local text=

    if IFS= read -r -d '' text <"$1" || [ "$text" != "$2"$'\n' ]; then
        diff -u <(printf '%s\n' "$2") <(printf %s "$text")
        told "$1 differs"
    fi
}

# holds FILE TEXT: the text is somewhere in the file, as it stands.
holds() {
    local text=

    IFS= read -r -d '' text <"$1" || true
    case $2 in
    '' | *$'\n'*) told "a text of one line is expected, not: $2" ;;
    esac
    [[ $text == *"$2"* ]] || told "not in $1: $2"$'\n'"$text"
}

is_empty() { [ ! -s "$1" ] || told "$1 is not empty:" "$1"; }

is_empty_folder() { [ -z "$(ls -A "$1")" ] || told "in $1: $(ls -A "$1")"; }

# refused FILE [TEXT]: the last try ended with status 1, printed nothing, and said so in one line
# about FILE, which has TEXT in it.
refused() {
    local lines

    exits 1
    is_empty out
    mapfile lines <err
    [ ${#lines[@]} = 1 ] || told "not one message:" err
    case ${lines[0]} in
    "qcow2frag: $1: "?*$'\n') ;;
    *) told "no message about $1:" err ;;
    esac
    [ $# -lt 2 ] || holds err "$2"
}

# ask WORD ...: what answers.py says to this question; its status is that of the answer. Where a function is printed
# and read again (privately), bash loses the 1 of 1<>, but not the 8 of 8<>.
ask() {
    local ticket state text= all=$*

    if [ -z "${answers:-}" ] || [ ${#all} -gt 3000 ]; then
        python3 "$TESTS/cli/answers.py" --once "$@"
        return
    fi
    read -r -t 60 -N 1 ticket <>"$answers/tickets" || told "nobody answers"
    printf '%s\0' $(($# + 2)) "$ticket" "$PWD" "$@" 8<>"$answers/questions" >&8
    read -r -t 600 state <>"$answers/status.$ticket" || told "no answer to $*"
    IFS= read -r -d '' text <"$answers/out.$ticket" || true
    printf %s "$text"
    if [ -s "$answers/err.$ticket" ]; then
        cat "$answers/err.$ticket" >&2
    fi
    printf %s "$ticket" 8<>"$answers/tickets" >&8
    return "$state"
}

# json FILE EXPRESSION: the value of a Python expression, where d is the document and i its images.
json() {
    local file=$1

    case $file in
    /dev/fd/*) file=/proc/$BASHPID/fd/${file##*/} ;; # a pipe of this shell: <(COMMAND)
    esac
    ask value "$file" "$2"
}

# python ARGUMENT ... <<'PYTHON' SCRIPT PYTHON: as python3 - ARGUMENT ... <<'PYTHON', by the one Python. What it
# opens, it has to close; what takes long, is about processes, or runs in the background, is for python3.
python() { ask script "/proc/$BASHPID/fd/7" "$@" 7<&0; } # 0 is not what it was while it asks

# witness SCRIPT ARGUMENT ...: a Python program of tests/, without standard input.
witness() { ask run "$TESTS/$1" "${@:2}"; }

# matches_oracle IMAGE: measures it with all its snapshots and --space into ours.json, and asks the
# second decoder for differences. Damage (status 2) is for the caller to expect.
matches_oracle() {
    try_into ours.json qcow2frag --json --all-snapshots --space "$1"
    exits "${2:-0}"
    witness oracle/oracle.py --space --compare "$1" ours.json
}

# with_extents FILE COMMAND ...: under a host that has the extents listed in FILE (see shim.c).
with_extents() {
    local list=$1

    shift
    [ -r "$SHIM" ] || skip "no $SHIM"
    env SHIM_FIEMAP="$list" LD_PRELOAD="$SHIM" \
        ASAN_OPTIONS="verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}" "$@"
}

# scattered_on_the_host IMAGE: 64 MiB in perfect order; from now on the program sees every file in
# extents of 32 KiB, the last ones first.
scattered_on_the_host() {
    local k

    image "$1" <<<'size 64M
map all'
    for ((k = 0; k < 2100; k++)); do
        printf '%#x 0x8000 %#x %d\n' $((k << 15)) $((0x80000000 - (k << 16))) $((k == 2099))
    done >extents
    qcow2frag() { with_extents "$PWD/extents" "$QCOW2FRAG" "$@"; }
}

# has_sanitizer: is the program built with AddressSanitizer or its kin?
has_sanitizer() { grep -qaE '__(asan|ubsan|tsan|msan)_' "$QCOW2FRAG"; }

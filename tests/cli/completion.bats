#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a shell offers when the Tab key is pressed. bash is asked; what is written for the others is at
# least what they can read.

load helper

setup() {
    enter_scratch
    : "${COMPLETIONS:?}"
    "$COMPLETIONS" bash >completion
}

# offers WORD ...: what bash offers for the last of the words, one a line, sorted: offered.
offers() {
    bash -c '
        . ./completion
        complete -p qcow2frag | grep -q _qcow2frag
        COMP_WORDS=(qcow2frag "$@")
        COMP_CWORD=$#
        _qcow2frag
        [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$@" | sort >offered
}

@test "bash: a command, or a file" {
    touch measurements
    offers m
    is offered 'map
measure
measurements'
    offers help m
    is offered 'map
measure'
    offers d
    is offered defrag
}

@test "bash: every option of a command, and no other" {
    for command in measure map report defrag; do
        qcow2frag help $command | grep -oE '^  [- ][a-zA-Z ][, ] --[a-z-]+' | grep -oE -- '--[a-z-]+' | sort >expected
        [ "$(wc -l <expected)" -gt 9 ]
        offers $command --
        diff expected offered
    done
    offers --
    mv offered without
    offers measure --
    diff offered without
}

@test "bash: the beginning of an option" {
    offers --max-
    is offered '--max-score
--max-slowdown'
    offers map image --max-
    is_empty offered
}

@test "bash: an option whose value is a choice" {
    for words in "--format" "-f" "--format ="; do
        offers $words ''
        is offered 'csv
json
nagios
prometheus
text'
    done
    offers --format j
    is offered json
    offers --format = j
    is offered json
    offers --format =
    [ "$(wc -l <offered)" = 5 ]
    offers --progress =
    is offered 'always
auto
never'
    offers defrag --verify ''
    is offered 'full
none'
    offers --progress a # the value of this one is never a word of its own
    not grep -q always offered
}

@test "bash: columns, one after the other" {
    offers --columns QEM
    is offered QEMU
    offers --columns IMAGE,QEM
    is offered IMAGE,QEMU
    offers --sort QEM
    is offered QEMU
}

@test "bash: files where a file is wanted, nothing where a number is" {
    touch result
    offers -o re # what is empty here, bash itself completes to files
    is_empty offered
    offers --threads ''
    is_empty offered
}

@test "bash: the value of an option is no command" {
    offers -o map --hist
    is offered --histogram
    offers -o map map --li
    is offered --list
    offers --output = map --hist
    is offered --histogram
}

@test "bash: nothing but files behind --" {
    offers -- --
    is_empty offered
}

@test "bash itself, in a terminal" {
    needs script
    touch disk.qcow2
    cat >session <<'SESSION'
bind 'set completion-query-items 0' 2>/dev/null
. ./completion
SESSION
    printf 'qcow2frag --hist\t\n' | TERM=dumb script -qec 'bash --noprofile --rcfile session -i' /dev/null >shown 2>&1 || true
    grep -q -e '--histogram' shown || skip "no interactive bash here"
}

@test "zsh reads its completion" {
    "$COMPLETIONS" zsh >_qcow2frag
    sed -n 1p _qcow2frag | grep -qx '#compdef qcow2frag'
    holds _qcow2frag --all-snapshots
    needs zsh
    zsh -n _qcow2frag
}

@test "zsh completes an option" {
    needs zsh script
    "$COMPLETIONS" zsh >_qcow2frag
    cat >session <<'SESSION'
fpath=($PWD $fpath)
autoload -Uz compinit && compinit -u -D
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; PS1=; echo ready"
zpty -r -m shell x '*ready*ready*'
zpty -n -w shell $'qcow2frag --hist\t'
sleep 1
zpty -r shell x '*--histogram*' && print -r -- "$x"
SESSION
    status=0
    timeout 60 zsh -f session >shown 2>&1 || status=$?
    [ "$status" != 124 ] || skip "zsh takes longer than a minute here"
    grep -q -e '--histogram' shown || told "not completed:" shown
}

@test "fish reads its completion" {
    "$COMPLETIONS" fish >qcow2frag.fish
    holds qcow2frag.fish "-n 'not __fish_seen_subcommand_from map report defrag' -s S -l all-snapshots"
    holds qcow2frag.fish "-n 'not __fish_seen_subcommand_from map report defrag' -l columns"
    holds qcow2frag.fish "-n '__fish_seen_subcommand_from map' -l list"
    holds qcow2frag.fish "-n '__fish_seen_subcommand_from defrag' -l dry-run"
    holds qcow2frag.fish "qcow2frag -s h -l help"
    needs fish
    fish --no-execute qcow2frag.fish
    fish -c 'source qcow2frag.fish; complete -C "qcow2frag --hist"' >offered
    holds offered --histogram
}

@test "an unknown shell is refused" {
    not "$COMPLETIONS" tcsh
}

@test "they are installed where the shells look for them" {
    needs meson
    build=$(dirname "$QCOW2FRAG")
    [ -e "$build/build.ninja" ] || skip "not in a build folder"
    meson introspect --installed "$build" >installed
    for place in bash-completion/completions/qcow2frag zsh/site-functions/_qcow2frag \
        fish/vendor_completions.d/qcow2frag.fish; do
        holds installed "$place"
    done
}

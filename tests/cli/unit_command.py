#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""unit_command.py UNIT KEY [NAME=VALUE ...]: runs a command line of a service as systemd would expand it.

$NAME as a word of its own becomes words, in which quotes count; ${NAME} stands for itself anywhere; $$ is a dollar.
The names are those of Environment= and, over them, those given. The program is $QCOW2FRAG.
"""
import os
import re
import shlex
import sys


def values(unit, key):
    with open(unit, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("=", 1)[1] for line in lines if line.startswith(key + "=")]


def expand(word, names):
    whole = re.fullmatch(r"\$([A-Z_]+)", word)
    if whole:
        return shlex.split(names[whole[1]])
    return [re.sub(r"\$\$|\$\{([A-Z_]+)\}", lambda m: names[m[1]] if m[1] else "$", word)]


def main():
    unit, key, given = sys.argv[1], sys.argv[2], sys.argv[3:]
    pairs = [pair for value in values(unit, "Environment") for pair in shlex.split(value)]
    names = dict(pair.split("=", 1) for pair in pairs + given)
    words = [part for word in shlex.split(values(unit, key)[-1]) for part in expand(word, names)]
    if os.path.basename(words[0]) == "qcow2frag":
        words[0] = os.environ["QCOW2FRAG"]
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()

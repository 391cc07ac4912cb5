#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tries the fence between the floors of the house, in a build folder: `includes BUILD SOURCE`, `calls BUILD`.

Says what goes up and builds all the same, a line each; no word is a sound fence.
"""
import json
import pathlib
import shlex
import subprocess
import sys

# What each floor may know besides itself: the drawing of HACKING.md.
BELOW = {
    "base": "",
    "io": "base",
    "virt": "base",
    "format": "base io",
    "meter": "base piece",
    "host": "base io piece",
    "tables": "base io format piece",
    "chain": "base io format piece tables",
    "space": "base io format piece tables",
    "walk": "base io format piece tables chain meter",
    "report": "base io format piece tables chain space meter walk host",
    "store": "base io format",
    "defrag": "base io format piece tables space store host",
    "render": "base io format piece tables chain space meter walk host report",
}
FLOORS = {*BELOW, "piece"}  # which has headers only


def flags_of(build, floor):
    """The include paths and macros that the files of a floor are compiled with."""
    commands = json.loads((build / "compile_commands.json").read_text())
    words = shlex.split(next(c["command"] for c in commands if f"src/{floor}/" in c["file"]))
    return [w for i, w in enumerate(words) if w.startswith("-D") or "-iquote" in (w, words[i - 1])]


def includes(build, source):
    for floor, below in BELOW.items():
        text = ""
        for other in FLOORS:
            header = min((source / "src" / other).glob("*.h")).name
            sees = other == floor or other in below.split()
            text += f'#if {"!" if sees else ""}__has_include("{header}")\n#error {header} of src/{other}\n#endif\n'
        result = subprocess.run(["cc", *flags_of(build, floor), "-E", "-x", "c", "-"], input=text, text=True,
                                capture_output=True, check=False)
        if result.returncode != 0:
            yield f"src/{floor} sees what it should not, or does not see what it should:\n{result.stderr}"


def symbols(build, floor, flag):
    lines = subprocess.run(["nm", flag, build / f"lib{floor}.a"], text=True, capture_output=True, check=True).stdout
    return {line.split()[-1] for line in lines.splitlines() if line and not line.endswith(":")}


def calls(build):
    # Sanitizers give each file symbols of the same names; what begins otherwise is the project's own.
    own = tuple(f"{floor}_" for floor in FLOORS) + ("table_",)
    defined = {floor: {s for s in symbols(build, floor, "--defined-only") if s.startswith(own)} for floor in BELOW}
    for floor, below in BELOW.items():
        needed = symbols(build, floor, "-u")
        for other in set(BELOW) - {floor} - set(below.split()):
            for symbol in sorted(needed & defined[other]):
                yield f"src/{floor} calls {symbol} of src/{other}"
        if floor != "base" and not defined[floor]:
            yield f"lib{floor}.a defines nothing"


def main():
    what, *folders = sys.argv[1:]
    wrong = list({"includes": includes, "calls": calls}[what](*map(pathlib.Path, folders)))
    print("\n".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

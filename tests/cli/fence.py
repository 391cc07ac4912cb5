#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tries the fence between the floors of the house.

    includes BUILD                    which headers each floor finds
    paths SOURCE                      headers that are named by their place
    calls BUILD [FLOOR OBJECT] ...    what floors ask for, with further objects

Says what goes up and builds all the same, a line each; no word is a sound fence.
"""
import collections
import json
import pathlib
import re
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
LIBRARIES = {**{floor: [floor] for floor in BELOW}, "render": ["render", "pictures"]}

# What a floor may not ask for by itself, though nothing goes up. Files are the business of five floors; of the
# others report reads through io, and render is given all that it prints. A function that is called by its address
# was asked for by name once, too.
FILES = r"(f|fd|fre|p)?open(at2?|dir)?|creat|p?(read|write)v?2?|mmap|lseek|sendfile|splice|tee|copy_file_range|f?truncate|" \
        r"(posix_)?fallocate|f(data)?sync|syncfs|(sym)?link(at)?|unlink(at)?|remove|rename(at2?)?|mk(dir|fifo|nod)(at)?|" \
        r"rmdir|mks?temps?|tmpfile|[fl]?stat(at)?|statx|access|ioctl|fcntl|flock|syscall|system|exec\w*|v?fork|dlopen|io_uring\w*"
WRITERS = r"store_\w+|io_(output|aside)\w*"
NEVER = {
    **{floor: f"{FILES}|{WRITERS}" for floor in ("base", "format", "tables", "chain", "space", "walk", "report")},
    "meter": FILES + r"|io_\w+|format_\w+",
    "render": FILES + r"|store_\w+|io_(?!uri_)\w+|format_(image|chain|refcounts?|snapshots?|bitmaps?)_\w+|report_(measure|list)\w*|walk_\w+|host_\w+",
}


def flags_of(build, floor):
    """The include paths and macros that the files of a floor are compiled with."""
    commands = json.loads((build / "compile_commands.json").read_text())
    words = shlex.split(next(c["command"] for c in commands if f"src/{floor}/" in c["file"]))
    paths = ("-I", "-iquote", "-isystem", "-idirafter", "-include")
    return [w for i, w in enumerate(words) if w.startswith(("-D", *paths)) or words[i - 1] in paths]


def includes(build):
    source = pathlib.Path(__file__).parent.parent.parent
    for floor, below in BELOW.items():
        text = ""
        for other in FLOORS:
            header = min((source / "src" / other).glob("*.h")).name
            sees = other == floor or other in below.split()
            text += f'#if {"!" if sees else ""}__has_include("{header}")\n#error {header} of src/{other}\n#endif\n'
            text += f'#if __has_include("src/{other}/{header}")\n#error src/{other}/{header} by its path\n#endif\n'
        result = subprocess.run(["cc", *flags_of(build, floor), "-E", "-x", "c", "-"], input=text, text=True,
                                capture_output=True, check=False, cwd=build)
        if result.returncode != 0:
            yield f"src/{floor} sees what it should not, or does not see what it should:\n{result.stderr}"


def paths(source):
    for file in sorted((source / "src").rglob("*.[ch]")):
        for name in re.findall(r'^\s*#\s*include\s*["<]([^">]*)', file.read_text(encoding="utf-8"), re.M):
            if ".." in name or name.split("/")[0] in (*FLOORS, "src"):
                yield f"{file.relative_to(source)} includes {name} by its path"


def symbols(floors):
    """floor: (defined, needed) symbols of its libraries and objects. One nm lists all: to start it takes longest."""
    listed = subprocess.run(["nm", "-A", *(file for files in floors.values() for file in files)], text=True,
                            capture_output=True, check=True).stdout.splitlines()
    kinds = collections.defaultdict(list)
    for line in listed:
        match = re.match(r"(.*?):.*\b(\w) (\S+)$", line)
        if match:
            kinds[match[1]].append((match[2], match[3]))
    of = {}
    for floor, files in floors.items():
        found = [words for file in files for words in kinds[str(file)]]
        # In capitals: what is not known in one file alone.
        defined = {symbol for kind, symbol in found if kind.isupper() and kind != "U"}
        of[floor] = defined, {symbol for kind, symbol in found if kind == "U"} - defined
    return of


def plain(symbol):
    """As the source calls it: __openat64_2 is openat, __read_chk is read."""
    return re.sub(r"^_*|(64)?(v2)?(_2|_chk)?$" if symbol.startswith("__") else r"64$", "", symbol)


def calls(build, *more):
    files = {floor: [build / f"lib{library}.a" for library in LIBRARIES[floor]] for floor in BELOW}
    for floor, file in zip(more[::2], more[1::2]):
        files[str(floor)].append(file)
    of = symbols(files)
    # Sanitizers and compilers give files of several floors symbols of the same names.
    times = collections.Counter(symbol for defined, _ in of.values() for symbol in defined)
    own = {floor: {symbol for symbol in defined if times[symbol] == 1} for floor, (defined, _) in of.items()}
    for floor, below in BELOW.items():
        needed = of[floor][1]
        for other in set(BELOW) - {floor} - set(below.split()):
            for symbol in sorted(needed & own[other]):
                yield f"src/{floor} calls {symbol} of src/{other}"
        for symbol in sorted(needed):
            if floor in NEVER and re.fullmatch(NEVER[floor], plain(symbol)):
                yield f"src/{floor} calls {symbol}"
        if not own[floor]:
            yield f"src/{floor} defines nothing"


def main():
    what, *folders = sys.argv[1:]
    wrong = list({"includes": includes, "paths": paths, "calls": calls}[what](*map(pathlib.Path, folders)))
    print("\n".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

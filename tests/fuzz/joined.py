#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""joined.py [--apart] BUILD FOLDER FLAG...: how clang makes the fuzz target, as FOLDER/build.ninja.

The target is what replays in BUILD, with libFuzzer in the place of the file that has main. Each start of clang takes
longer than most files do, so files are compiled as one where no name at their top level is that of another.
--apart: each on its own. Only what is new is written.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
MACRO = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)
# Definitions begin a line, as clang-format leaves them; what is named stands before one of these.
DEFINITION = re.compile(r"^[A-Za-z_].*", re.MULTILINE)
FORWARD = re.compile(r"struct \w+;$")
NAME = re.compile(r"(\w+)(?=[(\[;]| =| \{|,?$)")
ENUM = re.compile(r"^(?:static )?(?:const )?enum\b[^{;(]*\{([^}]*)\}", re.MULTILINE)
ENUMERATOR = re.compile(r"(\w+)\s*(?:=[^,]*)?(?:,|$)")
NO_NAMES = {"__attribute__", "_Static_assert", "struct", "enum", "union"}


class Source:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            text = COMMENT.sub(" ", file.read()).replace("\\\n", " ")
        self.path = path
        self.macros = MACRO.findall(text)
        self.names = set(ENUMERATOR.findall(",".join(ENUM.findall(text))))
        for line in DEFINITION.findall(text):
            if not FORWARD.match(line):
                self.names.update(NAME.findall(line))
        self.names -= NO_NAMES

    def included(self):
        return f'#include "{self.path}"\n' + "".join(f"#undef {name}\n" for name in self.macros)


def replayed(build):
    """(sources, flags of the preprocessor, libraries) of what replays."""
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "tests/fuzz_replay"], stdout=subprocess.PIPE,
                              text=True, check=True).stdout.splitlines()
    sources, flags, libraries = [], {}, []
    for words in map(shlex.split, commands):
        if "-c" in words:
            sources.append(os.path.normpath(os.path.join(build, words[words.index("-c") + 1])))
            for word, following in zip(words, words[1:]):
                if word == "-iquote":
                    flags[word, os.path.join(build, following)] = True
                elif word.startswith("-I"):
                    flags["-I" + os.path.join(build, word[2:]),] = True
                elif word.startswith(("-D", "-std=")) and "FORTIFY_SOURCE" not in word:
                    flags[word,] = True
        else:
            libraries = [word for word in words if word.startswith("-l") or word.endswith(".so")]
    sources.remove(next(source for source in sources if source.endswith("/replay.c")))
    return sources, sum(flags, ()), libraries


def joined(sources):
    groups = []
    for source in sources:
        group = next((group for group in groups if not any(source.names & other.names for other in group)), None)
        if group is None:
            group = []
            groups.append(group)
        group.append(source)
    return groups


def renew(path, text):
    """Writes the file if it is not there as it is to be: what is not new is not made anew."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    arguments = sys.argv[1:]
    apart = arguments[0] == "--apart"
    build, folder, *wanted = arguments[apart:]
    sources, flags, libraries = replayed(os.path.abspath(build))
    sources = list(map(Source, sources))
    groups = [[source] for source in sources] if apart else joined(sources)
    line = lambda words: shlex.join(words).replace("$", "$$")
    cache = "ccache " if shutil.which("ccache") else ""
    rules = [f"compile = {cache}{line(['clang', *flags, *wanted, '-w'])} -fsanitize=address,undefined,fuzzer-no-link",
             f"link = {line(['clang', *wanted])} -fsanitize=address,undefined,fuzzer",
             f"libraries = {line(libraries)}",
             "rule compile", "  command = $compile -MD -MF $out.d -c $in -o $out", "  depfile = $out.d", "  deps = gcc",
             "rule link", "  command = $link $in $libraries -o $out"]
    for number, group in enumerate(groups):
        renew(f"{folder}/group{number}.c", "".join(source.included() for source in group))
        rules.append(f"build group{number}.o: compile group{number}.c")
    rules.append(f"build fuzz_measure: link {' '.join(f'group{number}.o' for number in range(len(groups)))}")
    renew(f"{folder}/build.ninja", "\n".join(rules) + "\n")


if __name__ == "__main__":
    main()

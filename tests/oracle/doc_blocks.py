#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the blocks of Markdown pages are, and whether those that are not run could be.

    doc_blocks.py WORDS PAGE.md...   lists the reasons for which blocks are not run, each once, as
                                     "REASON (PAGES)"; exit status 1 if a block breaks a rule

A block of ```console is run and compared (doc_examples.py). Commands that no test can run stand in a block of
```sh not-run: REASON. They must be something that a shell can read, and the options of qcow2frag in them must be
in HELP, which is what its --help prints. Other words behind ``` say that a block holds no commands.
"""

import os
import re
import subprocess
import sys

# What is shown and is no command: a file, an expression for Prometheus, what some other program printed.
SHOWN = {"text", "ini", "yaml", "promql"}


def blocks_of(lines):
    """(number of its first line, the words behind ```, its lines) of each block."""
    first = None
    for number, line in enumerate(lines, 1):
        if first is None and line.startswith("```"):
            first, words = number + 1, line[3:]
        elif first is not None and line == "```":
            yield first, words, lines[first - 1:number - 1]
            first = None
    if first is not None:
        yield first, "(has no end)", lines[first - 1:]


def unknown_options(text, known):
    """Options behind the name of the program that it does not have. A pipe, ; or & ends a command."""
    joined = text.replace("\\\n", " ")
    for command in re.findall(r"\bqcow2frag ([^|;&\n]*)", joined):
        for option in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", command):
            if option not in known:
                yield option


def complaints(words, lines, known):
    if words == "promql":
        for name in re.findall(r"\bqcow2frag_\w+", "\n".join(lines)):
            if name not in known:
                yield f"there is no metric {name}"
    if words == "console" or words in SHOWN:
        return
    if not re.fullmatch(r"sh not-run: \S.*", words):
        yield f"a block of {words!r}: is it run (console), or why not (sh not-run: REASON)?"
        return
    text = "\n".join(lines) + "\n"
    read = subprocess.run(["sh", "-n"], input=text.encode(), stderr=subprocess.PIPE, check=False)
    if read.returncode != 0:
        yield "no shell can read this: " + read.stderr.decode().strip()
    for option in unknown_options(text, known):
        yield f"qcow2frag has no {option}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        known = set(re.findall(r"--[a-z][a-z-]*|\bqcow2frag_\w+", file.read()))
    reasons, wrong = {}, 0
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as page:
            lines = page.read().split("\n")
        for first, words, block in blocks_of(lines):
            for complaint in complaints(words, block, known):
                print(f"{path}:{first}: {complaint}", file=sys.stderr)
                wrong += 1
            if words.startswith("sh not-run: "):
                reasons.setdefault(words.removeprefix("sh not-run: "), set()).add(os.path.basename(path))
    for reason, pages in sorted(reasons.items()):
        print(f"{reason} ({', '.join(sorted(pages))})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

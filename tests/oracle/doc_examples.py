#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the examples of the documentation, and compares what comes with what the pages show.

    doc_examples.py FOLDER PAGE...             say what differs; exit status 1 if anything does
    doc_examples.py --refresh FOLDER PAGE...   write what comes into the pages instead

Examples run in the order of the page, so that one can go on with what another one has made.

A block of examples is `.Bd -literal` to `.Ed` in a manual page and ```console to ``` in Markdown. In it
a line that begins with "$ " is a command for the shell; the lines below it, up to the next command or
the end of the block, are what it must print, messages included. It must end with status 0. Blanks at
the ends of lines do not count. Which device the images lie on is not compared: the pages show DEVICE; nor how
long a copy took, and whether it was read past the memory of the host: COPIED. The current folder is shown as FOLDER.

Commands run in the current folder, which must hold the images that they name.
"""

import os
import re
import subprocess
import sys

DEVICE = "/dev/sda2 (ext4, a spinning disk)"
COPIED = "314 ms; read back from the device and proven"

# How a line of text is written in roff, so that it is shown as it is and can be copied.
ROFF = (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti"))


class Markdown:
    begin, end = "```console", "```"

    @staticmethod
    def write(text):
        return text

    @staticmethod
    def read(line):
        return line


class Roff:
    begin, end = ".Bd -literal", ".Ed"

    @staticmethod
    def write(text):
        for plain, escaped in ROFF:
            text = text.replace(plain, escaped)
        return "\\&" + text if text.startswith(".") else text

    @staticmethod
    def read(line):
        line = line[2:] if line.startswith("\\&") else line
        for plain, escaped in reversed(ROFF):
            line = line.replace(escaped, plain)
        return line


def run(command, folder):
    """What a command prints, as lines, and its exit status."""
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    text = re.sub(r"^(  extents on the host .*, on ).*$", rf"\1{DEVICE}",
                  done.stdout.decode("utf-8", "replace"), flags=re.MULTILINE)
    text = re.sub(r"^(  copied .* in ).*$", rf"\g<1>{COPIED}", text, flags=re.MULTILINE)
    text = text.replace(os.getcwd(), folder)
    return [line.rstrip() for line in text.splitlines()], done.returncode


def examples_of(language, block):
    """(command, lines shown) of each example in a block."""
    examples = []
    for line in block:
        line = language.read(line)
        if line.startswith("$ "):
            examples.append((line[2:], []))
        elif not examples:
            raise ValueError(f"a block of examples begins with {line!r}, not with a command")
        else:
            examples[-1][1].append(line.rstrip())
    return examples


def blocks_of(language, lines):
    """(first, end) of the lines inside each block."""
    first = None
    for number, line in enumerate(lines):
        if first is None and line.startswith(language.begin):
            first = number + 1
        elif first is not None and line == language.end:
            yield first, number
            first = None


def complain(place, command, problem, lines=()):
    print(f"{place}: $ {command}\n  {problem}")
    for line in lines:
        print("    " + line)


def renew(language, block, place, folder):
    """The block as it must be, and how many of its examples are right, differ, and fail."""
    result, right, different, failed = [], 0, 0, 0
    for command, shown in examples_of(language, block):
        printed, status = run(command, folder)
        if status != 0:
            complain(place, command, f"ends with status {status}:", printed)
            failed += 1
            printed = shown
        elif printed != shown:
            complain(place, command, "prints:", printed)
            different += 1
        else:
            right += 1
        result += [language.write(line) for line in ["$ " + command, *printed]]
    return result, right, different, failed


def main():
    arguments = sys.argv[1:]
    refresh = arguments[:1] == ["--refresh"]
    right = different = failed = 0
    folder, *paths = arguments[refresh:]
    for path in paths:
        language = Markdown if path.endswith(".md") else Roff
        with open(path, encoding="utf-8") as page:
            lines = page.read().split("\n")
        renewed = [(first, end, renew(language, lines[first:end], f"{path}:{first + 1}", folder))
                   for first, end in blocks_of(language, lines)]
        for first, end, (block, *counts) in reversed(renewed):
            right, different, failed = right + counts[0], different + counts[1], failed + counts[2]
            lines[first:end] = block
        if refresh:
            with open(path, "w", encoding="utf-8") as page:
                page.write("\n".join(lines))
    print(f"{right} examples are right, {different} {'were renewed' if refresh else 'differ'}, {failed} failed")
    return 1 if failed or right + different == 0 or different and not refresh else 0


if __name__ == "__main__":
    sys.exit(main())

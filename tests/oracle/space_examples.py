#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the space examples of doc/definitions.md, and compares with what they say.

    space_examples.py definitions.md MKQCOW2 QCOW2FRAG

An example is a heading "### Space example N", a block with the text of an image, and a table of keys of
"space" and their values. Every key but host_allocated_bytes must be there. Prints what differs; exit
status 1 if anything does, or if there is no example.
"""

import json
import re
import subprocess
import sys


def examples(page):
    """(number, text of the image, {key: value})"""
    parts = re.split(r"^### Space example (\d+):.*$", page, flags=re.MULTILINE)[1:]
    for number, part in zip(parts[::2], parts[1::2]):
        part = re.split(r"^##", part, maxsplit=1, flags=re.MULTILINE)[0]
        text = re.search(r"^```\n(.*?)^```", part, re.MULTILINE | re.DOTALL)[1]
        figures = {key: json.loads(value) for key, value in re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", part, re.MULTILINE)}
        yield int(number), text, figures


def space_of(mkqcow2, qcow2frag, text):
    subprocess.run([mkqcow2, "-", "example.qcow2"], input=text.encode(), check=True)
    printed = subprocess.run([qcow2frag, "--json", "--space", "example.qcow2"], stdout=subprocess.PIPE, check=True)
    space = json.loads(printed.stdout)["images"][0]["space"]
    del space["host_allocated_bytes"]
    return space


def main(path, mkqcow2, qcow2frag):
    with open(path, encoding="utf-8") as file:
        found = list(examples(file.read()))
    wrong = [number for number, _, _ in found] != list(range(1, len(found) + 1)) or not found
    for number, text, figures in found:
        space = space_of(mkqcow2, qcow2frag, text)
        for key in space.keys() | figures.keys():
            if key not in space or key not in figures or space[key] != figures[key]:
                print(f"space example {number}: {key} is {space.get(key)}, the page says {figures.get(key)}")
                wrong = True
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the lists of the documentation with the program, in both directions.

    doc_lists.py options HELP PAGE        options of --help and of qcow2frag(1)
    doc_lists.py columns HELP PAGE        columns, and which of them are shown by default
    doc_lists.py findings SOURCE PAGE     codes and severities of src/format/finding.h and of
                                          qcow2frag-json(5); each is given somewhere in the source
    doc_lists.py keys PAGE JSON...        keys of each object in their order, and types of values;
                                          .json is a document, .jsonl the lines of map --list, .defrag
                                          a document of defrag, .map one of map
    doc_lists.py metrics PROM PAGE        metrics of a run with snapshots, their labels, and whose they are
    doc_lists.py links FILE.md...         relative links lead to a file, and to a heading in it

One line per difference, exit status 1 if there is any.
"""

import json
import os
import re
import sys
from collections import defaultdict

ROFF = (("\\-", "-"), ("\\&", ""), ("\\e", "\\"))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def section(page, name):
    """The lines of one .Sh of a manual page, without those in front of its first .Ss."""
    found = re.search(rf"^\.Sh {re.escape(name)}\n(.*?)(?=^\.Sh |\Z)", page, re.MULTILINE | re.DOTALL)
    if not found:
        sys.exit(f"the page has no section {name}")
    text = found[1]
    for escaped, plain in ROFF:
        text = text.replace(escaped, plain)
    return text.splitlines()


def differences(what, program, page):
    """Both are sets of texts. How many are on one side only."""
    for item in sorted(program - page):
        print(f"{what}: not in the manual page: {item}")
    for item in sorted(page - program):
        print(f"{what}: only in the manual page: {item}")
    if not program:
        print(f"{what}: the program has none")
    return len(program ^ page) + (not program)


# ---- options and columns: --help against qcow2frag(1) ----

def option_of_item(item):
    """`.It Fl s , Fl -snapshot Ar ID` as --help has it: `-s, --snapshot ID`."""
    text, end, dash, glued = "", "", "", True
    for word in item.split()[1:]:
        if word == "Fl":
            dash = "-"
        elif word == "Ns":
            glued = True
        elif word == "Op":
            text, end, glued = text + ("" if glued else " ") + "[", "]", True
        elif word != "Ar":
            text += ("" if glued or word == "," else " ") + dash + word
            dash, glued = "", False
    return text + end


def options(help_path, page_path):
    of_help = {re.sub(r"\s*(-.*?)  .*|\s*(-.*)", r"\1\2", line)
               for line in read(help_path).splitlines() if re.match(r"\s+-", line)}
    of_page = {option_of_item(line) for line in section(read(page_path), "OPTIONS")
               if line.startswith(".It Fl ")}
    return differences("option", of_help, of_page - {"--"})


def columns(help_path, page_path):
    listed = re.search(r"^Columns.*\n((?:  .*\n)+)", read(help_path), re.MULTILINE)[1]
    of_help = {name + (" (default)" if star == "*" else "")
               for star, name in re.findall(r"^  ([ *]) (\S+)", listed, re.MULTILINE)}
    of_page = {re.sub(r"^\.It Cm (\S+)( Pq default)?$", lambda m: m[1] + (" (default)" if m[2] else ""), line)
               for line in section(read(page_path), "COLUMNS") if line.startswith(".It ")}
    return differences("column", of_help, of_page)


# ---- findings: src/format/finding.h against qcow2frag-json(5) ----

def findings(source, page_path):
    codes = re.findall(r"^ +X\((\w+), \"([^\"]+)\", (\w+)\)", read(f"{source}/src/format/finding.h"), re.MULTILINE)
    given = set()
    for folder, _, names in os.walk(f"{source}/src"):
        for name in names:
            if name != "finding.h":
                given.update(re.findall(r"\bFORMAT_FINDING_(\w+)", read(os.path.join(folder, name))))
    n = differences("finding", {f"{name} ({severity.lower()})" for _, name, severity in codes},
                    {re.sub(r"^\.It Cm (\S+) Pq (\w+)$", r"\1 (\2)", line)
                     for line in section(read(page_path), "FINDINGS") if line.startswith(".It ")})
    for identifier, name, _ in codes:
        if identifier not in given:
            print(f"finding: nothing in the source gives {name}")
            n += 1
    return n


# ---- keys: what was printed against qcow2frag-json(5) ----

TYPES = {"null": type(None), "boolean": bool, "integer": int, "number": float, "string": str, "array": list,
         "object": dict}


def keys_of_page(page):
    """place of an object -> {key: the types that its value may have}, in the order of the page."""
    objects = {}
    for name, prefix, whole in (("DOCUMENT", "", "."), ("MAP LINES", "", "map "), ("PICTURES", "picture ", "."),
                                ("REWRITES", "defrag ", ".")):
        keys = None
        for line in section(page, name):
            heading = re.match(r"\.Ss .*?(\.(?:images|defrag|map)\S*)?$", line)
            item = re.match(r"\.It Va (\w+) Pq ([a-z ]+?)(?:, [a-z ]+)?$", line)
            if heading:
                keys = objects.setdefault(prefix + (heading[1] or whole), {})
            elif item:
                keys[item[1]] = item[2].split(" or ")
            elif line.startswith(".It"):
                sys.exit(f"the manual page has an item that is no key: {line}")
    return objects


# Of what these say, the machine decides which of the types of the page there are.
MACHINE = {".images[].host"}
TABLE = ".images[].tables[]"    # also what before and after of a rewrite hold


class Printed:
    """What documents hold: key lists and types of each object, by its place."""

    def __init__(self):
        self.keys = defaultdict(set)
        self.types = defaultdict(set)

    def take(self, value, place):
        if isinstance(value, list):
            for element in value:
                self.take(element, place + "[]")
        elif isinstance(value, dict):
            self.keys[place].add(tuple(value))
            for key, inner in value.items():
                self.types[place, key].add(next(t for t, kind in TYPES.items() if type(inner) is kind))
                self.take(inner, TABLE if key in ("before", "after") else f"{place.rstrip('.')}.{key}")


def compare_object(place, documented, printed):
    n = 0
    for order in printed.keys[place]:
        if list(order) != list(documented):
            n += 1
            n += differences(f"key of {place}", set(order), set(documented))
            if set(order) == set(documented):
                print(f"{place}: the manual page has another order of keys")
    for key, types in documented.items():
        for found in sorted(printed.types[place, key] ^ set(types)):
            if place in MACHINE and found in types:
                continue
            print(f"{place} {key}: {found} is " + ("in the manual page only" if found in types else "printed, too"))
            n += 1
    return n


def keys(page_path, *paths):
    documented, printed = keys_of_page(read(page_path)), Printed()
    for path in paths:
        text = read(path)
        if path.endswith(".jsonl"):
            for line in text.splitlines():
                printed.take(json.loads(line), "map ")
        else:
            kind = {".defrag": "defrag ", ".map": "picture "}.get(os.path.splitext(path)[1], "")
            printed.take(json.loads(text), kind + ".")
    n = differences("object", set(printed.keys), set(documented))
    return n + sum(compare_object(place, documented[place], printed) for place in documented if place in printed.keys)


# ---- metrics: what was printed against qcow2frag-metrics(5) ----

SUBJECT = {"image", "snapshot_id", "snapshot"}  # labels that say whose a sample is


def metrics(prom_path, page_path):
    labels, owners = defaultdict(set), defaultdict(set)
    for name, _, inside in re.findall(r"^(qcow2frag\w+)(\{(.*)\})? \S+$", read(prom_path), re.MULTILINE):
        found = re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', inside)
        labels[name] |= {", ".join(label for label in found if label not in SUBJECT)}
        owners[name] |= SUBJECT & set(found)
    kinds = {0: "run", 1: "image", 3: "table"}
    printed = {f"of the {kinds[len(owners[name])]}: {name} {' | '.join(labels[name])}" for name in labels}
    listed, kind = set(), None
    for line in section(read(page_path), "METRICS"):
        item = re.match(r"\.It Cm (\w+)(?: Pq (.*))?$", line)
        if line.startswith(".Ss"):
            kind = line.split()[-1]
        elif item:
            listed.add(f"of the {kind}: {item[1]} {item[2] or ''}")
    return differences("metric", printed, listed)


# ---- links of Markdown ----

def anchors_of(path):
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", read(path), flags=re.MULTILINE | re.DOTALL),
                          re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(*paths):
    n = 0
    for path in paths:
        for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not os.path.exists(file):
                print(f"{path}: the link {target} leads nowhere")
                n += 1
            elif anchor and anchor not in anchors_of(file):
                print(f"{path}: the link {target} leads to no heading")
                n += 1
    return n


def main():
    commands = {"options": options, "columns": columns, "findings": findings, "keys": keys, "links": links, "metrics": metrics}
    return 1 if commands[sys.argv[1]](*sys.argv[2:]) else 0


if __name__ == "__main__":
    sys.exit(main())

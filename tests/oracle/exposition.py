#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the text format of Prometheus (version 0.0.4), strictly, and knows nothing of our writer.

    exposition.py check FILE           the format, and the conventions for names
    exposition.py against FILE JSON    also each value, with the JSON of the same images (--no-host)
    exposition.py same SERVED FILE     each sample of FILE is in SERVED, with its type and its help
    exposition.py labels FILE NAME     the label `image` of each sample of a metric, as Python writes it
    exposition.py value FILE NAME [LABEL=VALUE ...]   the only sample that has these labels

What is wrong is one line, and exit status 1.
"""

import json
import re
import sys


class Wrong(Exception):
    pass


METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
ESCAPES = {"\\": "\\", '"': '"', "n": "\n"}


def take_value(text, at):
    """A quoted label value from its opening quote on: the value, and what follows."""
    value = []
    if text[at:at + 1] != '"':
        raise Wrong(f"no quote: {text}")
    at += 1
    while text[at:at + 1] != '"':
        if at >= len(text):
            raise Wrong(f"a label value without an end: {text}")
        if text[at] == "\\":
            at += 1
            if text[at:at + 1] not in ESCAPES or at == len(text):
                raise Wrong(f"an unknown escape: {text}")
            value.append(ESCAPES[text[at]])
        else:
            value.append(text[at])
        at += 1
    return "".join(value), at + 1


def take_sample(line):
    name = METRIC.match(line)
    if not name:
        raise Wrong(f"no metric: {line}")
    at, labels = name.end(), {}
    if line[at:at + 1] == "{":
        at += 1
        while line[at:at + 1] != "}":
            label = LABEL.match(line, at)
            if not label or line[label.end():label.end() + 1] != "=":
                raise Wrong(f"no label: {line}")
            if label[0] in labels or label[0].startswith("__"):
                raise Wrong(f"the label {label[0]}: {line}")
            labels[label[0]], at = take_value(line, label.end() + 1)
            if line[at:at + 1] == ",":
                at += 1
        at += 1
    rest = line[at:].split(" ")
    if len(rest) != 2 or rest[0]:
        raise Wrong(f"not one value: {line}")
    return name[0], labels, float(rest[1])


def read(path):
    """name -> {"help", "type", "samples": [(labels, value)]}"""
    with open(path, "rb") as file:
        text = file.read().decode("utf-8")
    if not text.endswith("\n"):
        raise Wrong("the last line has no end")
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            if name in families:
                raise Wrong(f"{name} has two blocks")
            current = families[name] = {"help": words, "type": None, "samples": []}
            current_name = name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            if current is None or name != current_name or current["type"] or current["samples"]:
                raise Wrong(f"the type of {name} is not where it belongs")
            if kind not in ("counter", "gauge", "histogram", "summary", "untyped"):
                raise Wrong(f"{name} is a {kind}")
            current["type"] = kind
        else:
            name, labels, value = take_sample(line)
            if current is None or name != current_name or not current["type"]:
                raise Wrong(f"a sample of {name} stands outside of its block")
            current["samples"].append((labels, value))
    return families


def check(families):
    for name, family in families.items():
        seen = set()
        for labels, _ in family["samples"]:
            key = tuple(sorted(labels.items()))
            if key in seen:
                raise Wrong(f"{name}: two samples with {labels}")
            seen.add(key)
        if not family["samples"]:
            raise Wrong(f"{name} has no sample")
        if not family["help"].endswith("."):
            raise Wrong(f"{name}: its help is no sentence")
        if name.endswith("_total") != (family["type"] == "counter"):
            raise Wrong(f"{name} is a {family['type']}")
        if re.search(r"_(count|sum|bucket|ms|minutes|hours|kib|mib|kilobytes|percent)(_|$)|[A-Z:]", name):
            raise Wrong(f"{name} is no good name")
        if name.endswith("_info") and {value for _, value in family["samples"]} != {1.0}:
            raise Wrong(f"{name} is not always 1")


# ---- the same from the JSON ----

def of_image(image):
    """Yields name, further labels, value."""
    yield "up", {}, int(image["error"] is None)
    yield "measured_timestamp_seconds", {}, image["measured_at"]
    yield "in_use", {}, image["in_use"]
    for domain in image["domains"] or ():
        yield "domain_info", {"domain": domain["name"], "target": domain["target"]}, 1
    if image["error"] is not None:
        return
    errors = sum(finding["severity"] == "error" for finding in image["findings"])
    yield "findings", {"severity": "error"}, errors
    yield "findings", {"severity": "warning"}, image["findings_total"] - errors
    form = image["format"]
    yield "snapshots", {}, form["snapshot_count"]
    yield "file_size_bytes", {}, form["file_bytes"]
    disk = (image["tables"][0]["disk"] if image["tables"] else None) or {}
    yield "info", {"version": str(form["version"]), "cluster_size": str(form["cluster_bytes"]),
                   "extended_l2": str(form["extended_l2"]).lower(), "compression": form["compression"],
                   "encryption": form["encryption"], "backing_file": form["backing_file"] or "",
                   "data_file": form["data_file"] or "", "filesystem": "", "device": "",
                   "disk": disk.get("profile", "")}, 1
    yield "read_after_defrag_seconds", {}, disk.get("after_defrag_seconds")
    space = image["space"]
    if space:
        for name in ("active", "free", "leaked", "metadata", "snapshot_only", "tail", "unknown", "vm_state"):
            yield "space_bytes", {"class": name}, space[name + "_bytes"]
        yield "reclaimable_bytes", {}, space["reclaimable_bytes"]
        yield "stored_bytes", {}, space["host_allocated_bytes"]
    for table in image["tables"]:
        owner = table["snapshot"]
        labels = {"snapshot_id": owner["id"], "snapshot": owner["name"]} if owner else {}
        disk = table["disk"] or dict.fromkeys(("seconds", "ideal_seconds", "slowdown_low"))
        yield "virtual_size_bytes", labels, table["virtual_bytes"]
        yield "mapped_bytes", labels, table["mapped_bytes"]
        yield "fragmentation_score_ratio", labels, table["fragmentation_score"]
        yield "ascending_runs", labels, table["ascending_runs"]
        yield "contiguous_runs", labels, table["contiguous_runs"]
        yield "contiguous_run_half_bytes", labels, table["contiguous_run_half_bytes"]
        yield "read_seconds", labels, disk["seconds"]
        yield "read_ideal_seconds", labels, disk["ideal_seconds"]
        yield "read_slowdown_ratio", labels, disk["slowdown_low"]
        if disk["seconds"] is not None:
            yield "read_lost_seconds", labels, max(0, disk["seconds"] - disk["ideal_seconds"])


def expected(document):
    samples = {}
    for image in document["images"]:
        for name, labels, value in of_image(image):
            if value is not None:
                key = ("qcow2frag_image_" + name, frozenset({"image": image["path"], **labels}.items()))
                samples[key] = float(value)
    return samples


def against(families, document):
    wanted = expected(document)
    found = {(name, frozenset(labels.items())): value
             for name, family in families.items() for labels, value in family["samples"]
             if name.startswith("qcow2frag_image_") and name != "qcow2frag_image_action"}
    for key in wanted.keys() | found.keys():
        a, b = wanted.get(key), found.get(key)
        near = key[0] == "qcow2frag_image_measured_timestamp_seconds" and None not in (a, b) and abs(a - b) < 60
        if a != b and not near:
            raise Wrong(f"{key[0]} {dict(key[1])}: {b}, by the JSON {a}")
    print(f"{len(found)} samples are those of the JSON")


def same(served, families):
    for name, family in families.items():
        other = served.get(name, {})
        if (other.get("type"), other.get("help")) != (family["type"], family["help"]):
            raise Wrong(f"{name} is served as another metric")
        values = {frozenset(item for item in labels.items() if item[1]): value for labels, value in other["samples"]}
        own = {frozenset(item for item in labels.items() if item[1]): value for labels, value in family["samples"]}
        if own != values:
            raise Wrong(f"{name}: served are {values}, not {own}")
    print(f"{len(families)} metrics are served")


def main():
    command, path, *rest = sys.argv[1:]
    try:
        families = read(path)
        if command == "same":
            same(families, read(rest[0]))
            return 0
        check(families)
        if command == "against":
            with open(rest[0], encoding="utf-8") as file:
                against(families, json.load(file))
        elif command == "labels":
            for labels, _ in families[rest[0]]["samples"]:
                print(ascii(labels["image"]))
        elif command == "value":
            wanted = dict(pair.split("=", 1) for pair in rest[1:])
            values = [value for labels, value in families[rest[0]]["samples"] if wanted.items() <= labels.items()]
            if len(values) != 1:
                raise Wrong(f"{len(values)} samples of {rest[0]} have {wanted}")
            print(f"{values[0]:.17g}")
        else:
            print(len(families), "metrics,", sum(len(family["samples"]) for family in families.values()), "samples")
    except (Wrong, UnicodeDecodeError, ValueError) as wrong:
        print(wrong)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads what a monitoring plugin has printed, by the Monitoring Plugins Development Guidelines.

    plugin.py FILE STATUS          is it one such line, and does it go with that exit status?
    plugin.py FILE STATUS LABEL    the same, and prints that item of the performance data

The warning and critical ranges are applied to the values: for one image they must come to the status.
"""

import re
import sys

STATES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
ITEM = re.compile(r"('(?:[^'=]|'')+'|[^\s'=]+)=(-?[0-9.]+|U)(s|us|ms|%|B|KB|MB|TB|c|)"
                  r"(?:;([^;\s]*))?(?:;([^;\s]*))?(?:;([^;\s]*))?(?:;([^;\s]*))?(?:\s+|$)")
NUMBER = re.compile(r"-?\d+(\.\d+)?$")


def alerts(text, value):
    """Does the range, which says what is well, raise an alert for the value?"""
    if not text:
        return False
    inside = text.startswith("@")
    text = text.lstrip("@")
    low, colon, high = text.rpartition(":")
    low = -float("inf") if low == "~" else float(low) if colon and low else 0.0
    high = float(high) if high else float("inf")
    if low > high:
        sys.exit(f"the range {text} has no sense")
    return (low <= value <= high) == inside


def main():
    path, status = sys.argv[1], int(sys.argv[2])
    with open(path, "rb") as file:
        output = file.read().decode("utf-8")
    if not output.endswith("\n") or output.count("\n") != 1 or re.search(r"[\x00-\x09\x0b-\x1f\x7f]", output):
        sys.exit(f"not one line: {output!r}")
    text, bar, data = output[:-1].partition(" | ")
    found = re.match(r"QCOW2FRAG (\w+) - \S", text)
    if not found or found[1] not in STATES or STATES.index(found[1]) != status:
        sys.exit(f"status {status}, but: {text}")
    if "|" in text or "|" in data:
        sys.exit(f"a second bar: {output}")
    items, at = {}, 0
    while at < len(data):
        item = ITEM.match(data, at)
        if not item or item[1] in items:
            sys.exit(f"no performance data: {data[at:]}")
        items[item[1]], at = item, item.end()
        for number in (item[2], item[6], item[7]):
            if number and number != "U" and not NUMBER.match(number):
                sys.exit(f"no number: {number} in {item[0]}")
    if bar and not items:
        sys.exit("a bar with nothing behind it")
    reached = 0
    for item in items.values():
        if item[2] != "U":
            value = float(item[2])
            reached = max(reached, 2 if alerts(item[5], value) else 1 if alerts(item[4], value) else 0)
    if "images" not in items and status != 3 and status != reached:
        sys.exit(f"status {status}, but the ranges come to {reached}: {output}")
    if len(sys.argv) > 3:
        print(items[sys.argv[3]][0].strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())

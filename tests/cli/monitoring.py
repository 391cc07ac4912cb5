#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""monitoring.py METRICS RULES DASHBOARD: what the alerts and the dashboard ask for is in the metrics as they are printed.

Prints each name that they use, and fails at one that no sample has, or at a label that no sample of it has.
"""
import json
import re
import sys

# Labels that Prometheus adds to what it scrapes.
SCRAPED = {"job", "instance"}


def samples(text):
    """name: labels of its samples."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"(qcow2frag_\w+)(?:\{(.*)\})? ", line)
        if match:
            found.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2] or ""))
    return found


def expressions(value, key=None):
    """What Grafana would send to Prometheus, of the whole dashboard."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from expressions(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from expressions(part)
    elif key in ("expr", "query") and isinstance(value, str) and value != "prometheus":
        yield value


def check_dashboard(board):
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert board["schemaVersion"] >= 36 and len(panels) > 10
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids), "two panels have one id"
    places = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & places, f"{panel['title']} lies over another panel"
        places |= cells
    variables = {variable["name"] for variable in board["templating"]["list"]}
    for expression in expressions(board):
        assert set(re.findall(r"\$\{?([a-z]+)", expression)) <= variables, expression


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        known = samples(file.read())
    with open(sys.argv[2], encoding="utf-8") as file:
        asked = [line for line in file if not line.lstrip().startswith("#")]
    with open(sys.argv[3], encoding="utf-8") as file:
        board = json.load(file)
    check_dashboard(board)
    for text in asked + list(expressions(board)):
        for name, chosen in re.findall(r"\b(qcow2frag_\w+)(?:\{([^}]*)\})?", text):
            assert name in known, f"{name} is no metric"
            labels = set(re.findall(r"(\w+) *(?:=~|!=|=)", chosen)) - SCRAPED
            assert labels <= known[name], f"{name} has no label {labels - known[name]}"
            print(name)
        for grouped in re.findall(r"\b(?:by|on|without) \(([^)]*)\)", text):
            labels = {label.strip() for label in grouped.split(",")} - SCRAPED
            assert labels <= set().union(*known.values()), f"nothing has the label {labels}"


if __name__ == "__main__":
    main()

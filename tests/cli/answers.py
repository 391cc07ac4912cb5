# SPDX-License-Identifier: MIT
"""One Python that answers all that a test file wants of Python: starting one for each takes longer than the answer.

    answers.py FOLDER              says "ready", and answers until who started it has ended
    answers.py --once QUESTION     one, directly

A question is a folder to be in, and words:

    value FILE EXPRESSION          of a JSON document d with the images i: a text as it is, else JSON
    run SCRIPT ARGUMENT ...        as python3 SCRIPT ARGUMENT ... does, without standard input
    script FILE ARGUMENT ...       as python3 - ARGUMENT ... <FILE does

In FOLDER are three kinds of pipes. Who asks takes a ticket, a letter, from `tickets`, writes how many fields follow,
the ticket, the folder and the words to `questions`, each ended by a NUL; reads a status from `status.TICKET`; finds what
was printed in `out.TICKET` and `err.TICKET`; and puts the ticket back. Questions are answered one after the other, in
this process.
"""
import importlib
import json
import os
import re
import select
import sys
import traceback
import types

# What the scripts import, once.
import argparse, bisect, collections, dataclasses, random, struct, subprocess, zlib  # noqa: E401,F401

TICKETS = "abcdefgh"
HERE = os.path.dirname(os.path.abspath(__file__))
compiled = {}


def value(path, expression):
    with open(path, encoding="utf-8") as file:
        d = json.load(file)
    i = d.get("images", []) if isinstance(d, dict) else []
    result = eval(expression, {"d": d, "i": i, "json": json})
    print(result if isinstance(result, str) else json.dumps(result))


def compile_script(path):
    """With those that it imports."""
    if path not in compiled:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        folders = [os.path.dirname(path), os.path.join(os.path.dirname(path), "..", "oracle")]
        sys.path[:1] = folders
        for name in re.findall(r"^(?:import|from) (\w+)", text, re.M):
            if any(os.path.exists(f"{folder}/{name}.py") for folder in folders):
                importlib.import_module(name)
        compiled[path] = compile(text, path, "exec")
    return compiled[path]


def execute(code, path, *arguments):
    sys.argv = [path, *arguments]
    main = types.ModuleType("__main__")
    main.__file__ = path
    before, folders = dict(sys.modules), list(sys.path)
    sys.modules["__main__"] = main
    sys.path.insert(0, HERE)
    try:
        exec(code, main.__dict__)
    finally:
        for name in [name for name, module in sys.modules.items() if module is main]:
            sys.modules.pop(name)       # oracle.py is this one for those that it imports
        sys.modules.update(before)
        sys.path[:] = folders


def run(path, *arguments):
    execute(compile_script(path), path, *arguments)


def script(path, *arguments):
    with open(path, encoding="utf-8") as file:
        execute(compile(file.read(), "<stdin>", "exec"), "-", *arguments)


def status_of(words):
    """Answers, and tells how that ended."""
    try:
        {"value": value, "run": run, "script": script}[words[0]](*words[1:])
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = int(end.code) if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def answer(folder, ticket, place, words):
    for number, name in (1, "out"), (2, "err"):
        file = os.open(f"{folder}/{name}.{ticket}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.chdir(place)
    status = status_of(words)
    with open(f"{folder}/status.{ticket}", "w", encoding="ascii") as pipe:
        print(status, file=pipe)


def questions(pipe):
    """(ticket, folder, words) one after the other, until who started this has ended."""
    fields, starter = b"", os.getppid()
    while os.getppid() == starter:
        if not select.select([pipe], [], [], 1)[0]:
            continue
        fields += os.read(pipe, 1 << 16)
        while b"\0" in fields:
            n, _, rest = fields.partition(b"\0")
            parts = rest.split(b"\0", int(n))
            if len(parts) <= int(n):
                break
            fields = parts.pop()
            ticket, place, *words = (os.fsdecode(part) for part in parts)
            yield ticket, place, words


def serve(folder):
    for name in ("tickets", "questions", *(f"status.{ticket}" for ticket in TICKETS)):
        os.mkfifo(f"{folder}/{name}", 0o600)
    tickets = os.open(f"{folder}/tickets", os.O_RDWR)
    pipe = os.open(f"{folder}/questions", os.O_RDWR)
    os.write(tickets, TICKETS.encode())
    print("ready", flush=True)
    for ticket, place, words in questions(pipe):
        answer(folder, ticket, place, words)


if __name__ == "__main__":
    if sys.argv[1] == "--once":
        sys.exit(status_of(sys.argv[2:]))
    serve(sys.argv[1])

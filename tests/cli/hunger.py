# SPDX-License-Identifier: MIT
"""hunger.py PROGRAM LIBRARY < COMMANDS: the program without memory, at each place that asks for some.

A command is a line of arguments, as a shell takes them. Each runs once to find the places where the
program asks, with the ways that lead there; then once for each place that no command before has had,
with that request alone failing, and for some of them with all after it failing, too. Then the result
must be the whole and right one, or there is none, status 1, and a message that says why. Prints what
is not so.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

PROGRAM, LIBRARY = sys.argv[1:3]
NO_MEMORY = re.compile(r"out of memory|Cannot allocate memory|allow more memory")
FROM_EVERY = 7  # all requests fail from every so manieth place on
FRAMES = 3  # so many of those who led to a place tell it from others


def run(arguments, **settings):
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, **settings)
    return subprocess.run([PROGRAM, *arguments], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60, check=False)


def plain(output):
    return re.sub(rb'"measured_at":\d+', b'"measured_at":0', output)


def read_output(arguments, done):
    """What was printed, and the file that -o names, if it is there."""
    if "-o" not in arguments:
        return plain(done.stdout)
    name = arguments[arguments.index("-o") + 1]
    if not os.path.exists(name):
        return done.stdout
    with open(name, "rb") as file:
        text = file.read()
    os.unlink(name)
    return plain(done.stdout + text)


def is_told_whole(arguments, output):
    """No result, or one that says of each image that failed that it did."""
    if not output:
        return True
    if "--list" in arguments:  # its runs are printed as they come
        return output.endswith(b"\n")
    if "--json" in arguments:
        try:
            images = json.loads(output)["images"]
        except ValueError:
            return False
        return any(image["error"] and NO_MEMORY.search(image["error"]) for image in images)
    return output.endswith(b"\n") and (b"failed" in output or b"out of memory" in output)


def judge(arguments, done, usual, usual_output):
    """None, or what is wrong."""
    output = read_output(arguments, done)
    messages = done.stderr.decode(errors="replace").splitlines()
    if done.returncode < 0 or done.returncode > 3:
        return f"died with {done.returncode}"
    if done.returncode == usual.returncode and output == usual_output and done.stderr == usual.stderr:
        return None
    if done.returncode != 1:
        return f"status {done.returncode} and another result than usual"
    told = [line for line in messages if NO_MEMORY.search(line)]
    if not told:
        return f"no message that tells it: {messages}"
    others = [line for line in messages if line not in told and line not in usual.stderr.decode()]
    if others:
        return f"messages of something else: {others}"
    if not is_told_whole(arguments, output):
        return f"half a result: {output[-200:]!r}"
    return None


def places(arguments, known):
    """The numbers of the first requests at places that are not known yet."""
    new = []
    with tempfile.NamedTemporaryFile("r") as file:
        run(arguments, HUNGER_SITES=file.name)
        read_output(arguments, subprocess.CompletedProcess([], 0, b"", b""))
        for line in file:
            number, *way = line.split()[:1 + FRAMES]
            if tuple(way) not in known:
                known.add(tuple(way))
                new.append((number, " ".join(way)))
    return new


def main():
    known, tried, wrong = set(), 0, 0
    for line in sys.stdin:
        arguments = shlex.split(line)
        usual = run(arguments)
        usual_output = read_output(arguments, usual)
        for i, (number, way) in enumerate(places(arguments, known)):
            for setting in ["HUNGER_ONCE"] + (["HUNGER_FROM"] if i % FROM_EVERY == 0 else []):
                try:
                    problem = judge(arguments, run(arguments, **{setting: number}), usual, usual_output)
                except subprocess.TimeoutExpired:
                    problem = "hangs"
                tried += 1
                if problem:
                    wrong += 1
                    print(f"{setting}={number} {line.strip()}: {problem} (at {way})")
    print(f"{tried} tried, {wrong} wrong")


main()

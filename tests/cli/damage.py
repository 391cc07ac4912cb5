# SPDX-License-Identifier: MIT
"""Damaged and odd images, one a test: exit status, findings and figures are those that the fixture asks for,
nothing crashes, hangs or takes much memory. Speaks TAP.

The program measures many images at once, and its main function is called again and again in one process (again.py);
where anything is odd about that (it fails, or takes more in all than a single image may), it is run for each of them.

    damage.py [NAME ...]    all fixtures of tests/images/damage, or those

The lines of a fixture:

    #= status N              exactly this exit status
    #= error TEXT            a part of the one message (status 1)
    #= finding CODE WHERE @ HOST-OFFSET|none    of severity error; the same with `warning`
    #= finding none          there must be none
    #= findings_total N      if more are counted than are listed
    #= figure KEY VALUE      of the active table
    #= format KEY VALUE      of the key "format"
    #= space KEY VALUE       of the key "space", measured with --space
    #= options OPTION ...    to measure with, beside --json
    #= shows TEXT            stands on the page
    #= unopened TEXT         part of a name that no system call may contain

The whole list of findings is compared, and what follows from it: complete, findings_total, and
corrupt_entries, which counts the damaged L1 and L2 entries of the active table.
"""
import collections
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import again

SECONDS = 2
BYTES = 64 << 20
HANGS_SECONDS = 60
AT_ONCE = 20            # images
FINDINGS_SHOWN = 3      # of a code, on the page
COMPLAINTS = re.compile(rb"AddressSanitizer|LeakSanitizer|MemorySanitizer|ThreadSanitizer|runtime error:")
KNOWN = {"status", "error", "finding", "warning", "findings_total", "figure", "format", "space", "options", "shows", "unopened"}

problems = []


def problem(text):
    problems.append(text)


def expectations(path):
    """The "#=" lines: word -> the rests of its lines."""
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#= "):
                word, _, rest = line[3:].rstrip("\n").partition(" ")
                found.setdefault(word, []).append(rest)
    for word in found.keys() - KNOWN:
        problem(f"{path}: nobody knows what '#= {word}' means")
    return found


class Run:
    """The program, once: status, out, err, seconds of processor time, peak bytes."""

    def __init__(self, program, *arguments):
        self.name = " ".join(arguments)
        with tempfile.TemporaryFile() as err:
            child = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
            signal.signal(signal.SIGALRM, lambda *_: child.kill())
            signal.alarm(HANGS_SECONDS)
            try:
                self.take(child.stdout)
            finally:
                child.stdout.close()
                _, status, usage = os.wait4(child.pid, 0)
                signal.alarm(0)
                child.returncode = self.status = os.waitstatus_to_exitcode(status)
            err.seek(0)
            self.err = err.read()
        self.seconds = usage.ru_utime + usage.ru_stime  # how busy the machine is does not count
        self.peak_bytes = usage.ru_maxrss * 1024

    def take(self, out):
        self.out = out.read()

    def oddity(self):
        """What no run may come to, or None."""
        if self.status < 0:
            return f"died of {signal.Signals(-self.status).name}"
        if self.status not in (0, 1, 2):
            return f"status {self.status}"
        return "a sanitizer complains" if COMPLAINTS.search(self.err) else None

    def judged(self):
        if self.oddity():
            self.wrong(self.oddity())
        return self

    def wrong(self, text):
        problem(f"{self.name}: {text}\n{self.err.decode(errors='replace')}".rstrip())

    def lines(self):
        return self.err.decode(errors="replace").splitlines()


class ListRun(Run):
    """Its lines are looked at, and not kept: who starts a program is to be small (see ru_maxrss in getrusage(2))."""

    def take(self, out):
        for line in out:
            json.loads(line.decode("utf-8"))


class SharedRun(Run):
    """In a process that had others before."""

    def __init__(self, process, *arguments):
        self.name = " ".join(arguments)
        self.status, self.out, self.err, self.seconds, self.peak_bytes = process.run(*arguments)


def run_again(process, kind, program, *arguments):
    """A run of that kind; as a shared one if nothing is odd about that."""
    if process.is_kept:
        try:
            run = SharedRun(process, *arguments)
            if not run.oddity() and run.seconds <= SECONDS and run.peak_bytes <= BYTES:
                if kind is ListRun:
                    run.out = kind.take(run, run.out.splitlines())
                return run
        except (again.Gone, ValueError):
            pass
        process.end()
    return kind(program, *arguments)


class WholeRun(Run):
    """It is seen whether the document is whole, and nothing kept: each object of tables and findings by itself, and
    the rest without them."""

    BEGIN, END = b"\n        {\n", b"\n        }"
    KNOWN_MAX = 1000  # objects that were looked at: most of 65,536 snapshots say the same

    def take(self, out):
        self.known = set()
        rest, text = [], b""
        while block := out.read(1 << 16):
            text = self.take_objects(text + block, rest)
        json.loads(b"".join([*rest, text]).decode("utf-8"))

    def take_objects(self, text, rest):
        """What stands between the objects goes into `rest`, with a 0 for each; what is not at its end is returned."""
        at = 0
        while (begin := text.find(self.BEGIN, at)) >= 0 and (end := text.find(self.END, begin)) >= 0:
            self.look_at(text[begin:end + len(self.END)])
            rest += text[at:begin], b"\n0"
            at = end + len(self.END)
        return text[at:]

    def look_at(self, text):
        if text not in self.known:
            json.loads(text.decode("utf-8"))
            if len(self.known) < self.KNOWN_MAX:
                self.known.add(text)


class Part:
    """What a run over many says of one of them, as a run over that one alone would."""

    def __init__(self, name, entry):
        self.name = name
        self.out = json.dumps({"images": [entry]}).encode()
        self.status = 1 if entry["error"] else 0 if entry["complete"] else 2
        self.err = f"qcow2frag: {entry['path']}: {entry['error']}\n".encode() if entry["error"] else b""
        self.told = self.err or self.first_damage(entry)

    @staticmethod
    def first_damage(entry):
        """What is said of it beside others."""
        for finding in entry["findings"]:
            if finding["severity"] == "error":
                more = f" (one of {entry['findings_total']} findings; measure it alone to see more)"
                return f"qcow2frag: {entry['path']}: {finding['where']}: {finding['message']}" \
                       f"{more if entry['findings_total'] > 1 else ''}\n".encode()
        return b""

    wrong, lines = Run.wrong, Run.lines


def measured(program, options, images, sanitized):
    """{image: run or part} with --json and these options. One of them is measured by itself in any case, if possible one
    that is damaged."""
    limit = 10 * SECONDS if sanitized else SECONDS
    run = Run(program, "--json", *options, *images) if len(images) > 1 else None
    if run and not run.oddity() and run.seconds <= limit and (run.peak_bytes <= BYTES or sanitized):
        entries = json.loads(run.out.decode("utf-8"))["images"]
        parts = [Part(f"{run.name}: {image}", entry) for image, entry in zip(images, entries)]
        statuses = [part.status for part in parts]
        if [entry["path"] for entry in entries] == images and run.err == b"".join(part.told for part in parts) and \
                run.status == next((status for status in (1, 2) if status in statuses), 0):
            single = images[statuses.index(2) if 2 in statuses else 0]
            return {**dict(zip(images, parts)), single: Run(program, "--json", *options, single)}
    return {image: Run(program, "--json", *options, image) for image in images}


def not_whole(program, options, images):
    """{image: why its document is not whole, or None}"""
    try:
        if not WholeRun(program, "--json", *options, *images).oddity():
            return {}
    except ValueError:
        pass
    wrong = {}
    for image in images:
        try:
            wrong[image] = WholeRun(program, "--json", *options, image).oddity()
        except ValueError as error:
            wrong[image] = f"the document is not whole: {error}"
    return wrong


def judge_cost(run, again, sanitized):
    """Within the limits; a machine that is busy gets a second chance for the time."""
    if isinstance(run, Part):
        return  # all of them were
    run.judged()
    limit = 10 * SECONDS if sanitized else SECONDS
    if run.seconds > limit and again().seconds > limit:
        run.wrong(f"took {run.seconds:.1f} s; {limit} s are allowed")
    if run.peak_bytes > BYTES and not sanitized:
        run.wrong(f"took {run.peak_bytes >> 20} MiB of memory; {BYTES >> 20} are allowed")


def judge_status(run, expected):
    if run.status != expected:
        run.wrong(f"status {run.status}, expected {expected}")


def judge_refusal(run, image, text):
    lines = run.lines()
    if len(lines) != 1:
        run.wrong(f"{len(lines)} lines of messages, expected one")
    elif not lines[0].startswith(f"qcow2frag: {image}: ") or text not in lines[0]:
        run.wrong(f"the message does not name {image}, or lacks: {text}")


def wanted_findings(expected):
    wanted = []
    for severity in ("error", "warning"):
        for rest in expected.get("finding" if severity == "error" else severity, []):
            if rest == "none":
                continue
            code, _, rest = rest.partition(" ")
            where, _, place = rest.rpartition(" @ ")
            wanted.append((severity, code, where, None if place == "none" else int(place, 0)))
    return sorted(wanted, key=repr)


def judge_findings(run, entry, expected):
    wanted = wanted_findings(expected)
    found = [(f["severity"], f["code"], f["where"], f["host_offset"]) for f in entry["findings"]]
    for finding in wanted:
        if found.count(finding) < wanted.count(finding):
            run.wrong(f"the finding {finding} is missing")
    for finding in found:
        if found.count(finding) > wanted.count(finding):
            run.wrong(f"the finding {finding} is not expected")
    total = int(expected.get("findings_total", [len(wanted)])[0])
    if entry["findings_total"] != total:
        run.wrong(f"findings_total {entry['findings_total']}, expected {total}")
    complete = not any(finding[0] == "error" for finding in wanted)
    if entry["complete"] is not complete:
        run.wrong(f"complete {entry['complete']}, expected {complete}")
    for finding in entry["findings"]:
        if not finding["message"]:
            run.wrong("a finding says nothing")


def judge_figures(run, entry, expected):
    table = entry["tables"][0]
    damaged = sum(1 for severity, code, where, _ in wanted_findings(expected)
                  if severity == "error" and re.match(r"l[12]\[", where))
    figures = {"corrupt_entries": damaged}
    for rest in expected.get("figure", []):
        key, _, value = rest.partition(" ")
        figures[key] = json.loads(value)
    for key, value in figures.items():
        if table[key] != value:
            run.wrong(f"{key} {table[key]}, expected {value}")


def judge_format(run, entry, expected):
    for rest in expected.get("format", []):
        key, _, value = rest.partition(" ")
        try:
            value = json.loads(value)
        except ValueError:
            pass  # a word
        if entry["format"][key] != value:
            run.wrong(f"format.{key} {entry['format'][key]!r}, expected {value!r}")


def judge_space(run, expected):
    """Who owns the clusters: of every image, to the last byte. Null if that was not to be found out."""
    entry, = json.loads(run.out.decode("utf-8"))["images"]
    space = entry["space"]
    for rest in expected.get("space", []):
        key, _, value = rest.partition(" ")
        if space is None or space[key] != json.loads(value):
            run.wrong(f"space.{key} {space and space[key]}, expected {value}")
    if space is None:
        if entry["error"] is None and "space-not-measured" not in [f["code"] for f in entry["findings"]]:
            run.wrong("space is null, and nothing says why")
        return
    keys = ("active", "metadata", "vm_state", "snapshot_only", "leaked", "unknown", "free", "tail")
    total = sum(space[key + "_bytes"] or 0 for key in keys)
    if total != entry["format"]["file_bytes"]:
        run.wrong(f"the space is {total} bytes, the file {entry['format']['file_bytes']}")


def judge_json(run, image, expected):
    try:
        document = json.loads(run.out.decode("utf-8"))
        entry, = document["images"]
    except (ValueError, KeyError) as error:
        run.wrong(f"the document is not whole: {error}")
        return
    if entry["path"] != image:
        run.wrong(f"path {entry['path']}")
    if run.status == 1:
        if not entry["error"] or entry["complete"] is not False or entry["format"] is not None:
            run.wrong("the entry of an image that was not measured holds more than its error")
        elif run.lines() != [f"qcow2frag: {image}: {entry['error']}"]:
            run.wrong(f"the message is not the error of the document, {entry['error']}")
        return
    if entry["error"] is not None or run.err:
        run.wrong(f"error {entry['error']}, and messages, but status {run.status}")
    judge_findings(run, entry, expected)
    judge_figures(run, entry, expected)
    judge_format(run, entry, expected)


def judge_page(run, image, expected):
    if run.status == 1:
        if run.out:
            run.wrong("printed something on stdout, but failed")
        judge_refusal(run, image, expected.get("error", [""])[0])
        return
    if run.err:
        run.wrong("says more than the page")
    if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", run.out):
        run.wrong("the page holds control characters")
    page = run.out.decode("utf-8", errors="replace")
    damaged = expected.get("finding", ["none"]) != ["none"]
    if page.split("\n")[1].startswith("  DAMAGED: ") is not damaged:
        run.wrong(f"the second line of the page does not say whether the image is damaged:\n{page}")
    for text in expected.get("shows", []):
        if text not in page:
            run.wrong(f"the page does not show {text}:\n{page}")
    wanted, shown = collections.Counter(), collections.Counter()
    for severity, code, where, place in wanted_findings(expected):
        line = f"  {'damage' if severity == 'error' else 'note'}: {where}"
        line += ": " if place is None else f" (offset 0x{place:x}): "
        wanted[code] += 1
        shown[code] += line in page
    for code, count in wanted.items():
        if shown[code] < min(count, FINDINGS_SHOWN):
            run.wrong(f"the page shows {shown[code]} findings {code}:\n{page}")


def options_of(expected):
    return expected.get("options", [""])[0].split()


def judge(program, process, expected, image, runs, sanitized):
    """Has the image listed and its page printed, and compares all runs with what its fixture expects."""
    status = int(expected["status"][0])
    options = options_of(expected)

    page = run_again(process, Run, program, *options, image)
    judge_cost(page, lambda: Run(program, *options, image), sanitized)
    run_again(process, ListRun, program, "map", "--list", "--json", image).judged()
    run_again(process, Run, program, "map", "--list", image).judged()
    for way in runs:
        judge_cost(runs[way][image], lambda way=way: Run(program, "--json", *way, image), sanitized)

    judge_status(page, status)
    judge_page(page, image, expected)
    run = runs[tuple(options)][image]
    judge_status(run, status)
    judge_json(run, image, expected)
    judge_space(runs["--space",][image], expected)


STRACE = ["strace", "-f", "-s", "2000", "-o", "trace", "-e", "trace=file,network"]


def judge_opened(program, process, name, image):
    """No system call has the name in it that the image gives for another file. @process: it is traced."""
    # The leak checker of a sanitizer cannot work under strace.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")}
    for options in (["--json", "--all-snapshots"], [], ["map", "--list"]):
        begin = 0
        try:
            if not process.is_kept:
                raise again.Gone
            if process.child is None:
                process.run("--version")  # what it takes to start is no matter of the image
            begin = os.path.getsize("trace")
            process.run(*options, image)
        except again.Gone:
            subprocess.run([*STRACE, program, *options, image], env=environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        lines = pathlib.Path("trace").read_bytes()[begin:].decode(errors="replace").splitlines()
        trace = "\n".join(line for line in lines if 'iov_base="here\\0' not in line)  # what it is asked
        if image not in trace:
            problem(f"{options}: nothing was traced")
        if name in trace:
            problem(f"{options}: a system call names {name}")


class Tap:
    """Counts and prints the points; the complaints of a failed one follow it."""

    def __init__(self, n):
        self.n = 0
        self.failed = False
        print(f"1..{n}")

    def point(self, name, skipped=None):
        self.n += 1
        print(f"{'not ok' if problems else 'ok'} {self.n} {name}{f' # skip {skipped}' if skipped else ''}", flush=True)
        for line in "\n".join(problems).splitlines():
            print(f"# {line}")
        self.failed |= bool(problems)
        problems.clear()


def may_trace():
    if shutil.which("strace") is None:
        return "no strace"
    traced = subprocess.run(["strace", "-o", "trace", "true"], stderr=subprocess.DEVNULL, check=False)
    return None if traced.returncode == 0 else "strace is not allowed to trace"


def is_crowded(path):
    """It says to have many snapshots: its documents are long."""
    with open(path, "rb") as file:
        return int.from_bytes(file.read(64)[60:], "big") > 1000


def chunks(names, expected):
    """Options, and names of images to be measured with them, so many at a time."""
    groups = {}
    for name in names:
        options = tuple(options_of(expected[name]))
        groups.setdefault((options, name if is_crowded(f"{name}/image.qcow2") else None), []).append(name)
    for (options, _), group in groups.items():
        for first in range(0, len(group), AT_ONCE):
            yield options, group[first:first + AT_ONCE]


def judge_chunk(program, names, options, expected, sanitized, tap):
    images = [f"{name}/image.qcow2" for name in names]
    runs = {way: measured(program, way, images, sanitized) for way in dict.fromkeys([options, ("--space",)])}
    wrong = not_whole(program, ["--all-snapshots"], images)
    process = again.Again(program)
    for name, image in zip(names, images):
        if wrong.get(image):
            problem(f"--all-snapshots: {wrong[image]}")
        try:
            judge(program, process, expected[name], image, runs, sanitized)
        except (ValueError, KeyError, TypeError, IndexError) as error:  # anything that a document lacks
            problem(f"{type(error).__name__}: {error}")
        tap.point(name)
    process.end()


def judge_all_opened(program, names, expected, tap):
    """In folders with names that have nothing of others in them."""
    process = again.Again(program, under=STRACE)
    for number, name in enumerate(names):
        os.rename(name, str(number))
        for other in expected[name]["unopened"]:
            judge_opened(program, process, other, f"{number}/image.qcow2")
            tap.point(f"{name}: opens no other file")
    process.end()


def aside(tap, function, program, names, *arguments):
    """Calls it in a process of its own, which may grow: a program that is started is taken to be as large as who
    starts it (see ru_maxrss in getrusage(2))."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        function(program, names, *arguments, tap)
        os.write(writer, json.dumps([tap.n, tap.failed]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if text:
        tap.n, tap.failed = json.loads(text)
    else:
        problem("the judge died")
        tap.point("judging " + " ".join(names))


def is_sanitized(program):
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(b"__asan_init") >= 0


def main():
    folder = pathlib.Path(os.environ["TESTS"]) / "images" / "damage"
    names = sys.argv[1:] or sorted(path.stem for path in folder.glob("*.txt"))
    program, mkqcow2 = os.environ["QCOW2FRAG"], os.environ["MKQCOW2"]
    sanitized = is_sanitized(program)
    expected = {name: expectations(folder / f"{name}.txt") for name in names}
    tap = Tap(len(names) + sum(len(one.get("unopened", [])) for one in expected.values()))
    with tempfile.TemporaryDirectory(prefix="qcow2frag.") as scratch:
        os.chdir(scratch)
        blind = may_trace()
        subprocess.run([mkqcow2, "--into", ".", *(folder / f"{name}.txt" for name in names)], check=True)
        for name in names:
            os.mkdir(name)
            os.rename(f"{name}.qcow2", f"{name}/image.qcow2")
        for options, group in chunks(names, expected):
            aside(tap, judge_chunk, program, group, options, expected, sanitized)
        with_others = [name for name in names if "unopened" in expected[name]]
        if blind:
            for name in with_others:
                tap.point(f"{name}: opens no other file", blind)
        elif with_others:
            aside(tap, judge_all_opened, program, with_others, expected)
        os.chdir("/")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())

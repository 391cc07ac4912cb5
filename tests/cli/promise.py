#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are promises kept? Makes images, does what their page says, and measures what came of it.

    promise.py PROGRAM GROUP      images of a group, in the present folder; a line for each that fails
    promise.py PROGRAM IMAGE ...  images that are there already

The command that the page prints is run as it stands, in a folder with a copy of the image; where the page sees
nothing to do, one that would rewrite the image all the same. What defrag makes is the same at each profile: of
the commands that differ in that alone one is run, of the others it is seen that they would not leave the image
as it is. What comes of it is measured again, at each profile. Its seconds must be at most those promised, but for
5 % or 60 ms, and a page may not ask for a rewrite again. Of a chain the page says, too, what it takes at least if
its uppermost image alone is put in order: that is done, and must not be less. Nor may the promise be much too
high: of defrag it is what its dry run says, and of convert
where that has nothing to leave out.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys

PROFILES = ("hdd", "ssd", "nvme")
PART, SECONDS = 1.05, 0.06
TOO_HIGH = 1.25
AGREE_PART, AGREE_SECONDS = 0.01, 0.02 # with the plan
REWRITES = ("image", "both", "snapshots")
DEFRAG = re.compile(r"qcow2frag defrag( --device \w+)? \S+") # the same image comes of all of these, and by force

K, M, G, T = 1 << 10, 1 << 20, 1 << 30, 1 << 40


# QEMU's tools do not wait for the disk.
QEMU = {**os.environ, "LD_PRELOAD": os.environ["HASTE"]} if os.environ.get("HASTE") else None


def out(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


# ------------------------------------------------------------------------------------------------
# Judging
# ------------------------------------------------------------------------------------------------


class Measured:
    def __init__(self, image, arguments):
        table = image["tables"][0]
        self.form, self.disk, self.action = image["format"], table["disk"], image["verdict"]["action"]
        self.compressed = table["compressed_clusters"] > table["mapped_clusters"] // 2
        self.chain = table["chain_depth"] > 1
        self.converts = self.chain or self.form["encryption"] == "luks"
        self.arguments = arguments

    def command(self, path):
        """What the page says to run, or None."""
        if self.action not in REWRITES:
            return None
        lines = [line.strip() for line in out(*self.arguments, path).splitlines()]
        begins = ("qemu-img convert ", "(umask ") if self.converts else ("qcow2frag defrag ",)
        return next(line for line in lines if line.startswith(begins))

    def rewriting(self, path):
        """As that, for an image that the page would leave as it is; None: defrag, by force."""
        if not self.converts:
            return None
        form = self.form
        options = ["compat=" + ("0.10" if form["version"] == 2 else "1.1"),
                   f"cluster_size={form['cluster_bytes']}", f"refcount_bits={form['refcount_bits']}"]
        words = ["qemu-img", "convert", "-O", "qcow2"]
        if form["extended_l2"]:
            options.append("extended_l2=on")
        if self.compressed:
            words.append("-c")
            options.append("compression_type=" + form["compression"])
        if form["version"] == 2:
            options = [option for option in options if not option.startswith(("refcount", "compression"))]
        return " ".join([*words, "-o", ",".join(options), path, path + ".new"])


def measure(program, paths, options):
    """{(path, profile): what is measured}, all at once."""
    found = {}
    for profile in PROFILES:
        arguments = [program, "--no-host", "--device", profile, *options]
        images = json.loads(out(*arguments, "--json", *paths))["images"]
        for path, image in zip(paths, images):
            found[path, profile] = Measured(image, arguments)
    return found


def plans(program, paths, profile, *options):
    """{path: what defrag says before it begins}"""
    if not paths:
        return {}
    text = out(program, "defrag", "--dry-run", "--device", profile, "--json", *options, *paths)
    return {plan["path"]: plan for plan in json.loads(text)["defrag"]} # in an order of its own


def linked(path, folder, *, move):
    """A folder with an image and the files that it is built on: the image itself, or where it will only be read, a link
    to it."""
    os.mkdir(folder)
    for name in os.listdir():
        if name.startswith(path + ".") and os.path.isfile(name):
            os.link(name, os.path.join(folder, name))
    if move:
        os.rename(path, os.path.join(folder, path))
    else:
        os.symlink(os.path.abspath(path), os.path.join(folder, path))


def run(command, folder):
    """In a shell, where the program is called by its name."""
    environment = {**(QEMU or os.environ), "PATH": os.path.abspath("bin") + ":" + os.environ["PATH"]}
    subprocess.run(command, cwd=folder, env=environment, shell=True, check=True, stdout=subprocess.DEVNULL)


def forced(program, paths):
    """All of these are put in order, though no page says so."""
    if paths:
        subprocess.run([program, "defrag", "--quiet", "--force", "--verify", "none", *paths], check=True)


def done(path, before):
    """Runs the commands for an image, each once; {profile: (what comes of it, whether the page told it)}, and the images
    that are still to be put in order by force."""
    made, result, left = {}, {}, []
    said = {profile: before[path, profile].command(path) for profile in PROFILES}
    for number, profile in enumerate(PROFILES):
        command = said[profile] or before[path, profile].rewriting(path)
        of_any = DEFRAG if command is None or DEFRAG.fullmatch(command) else command
        if of_any not in made:
            folder = f"{path}.done{number}"
            linked(path, folder, move=of_any is DEFRAG)
            made[of_any] = os.path.join(folder, path + (".new" if of_any is not DEFRAG else ""))
            if command is None:
                left.append(made[of_any])
            else:
                run(command, folder)
        result[profile] = made[of_any], said[profile] is not None
    return result, left


def broken(promise, came, loose):
    """What is wrong with a promise, given what is measured of the copy."""
    promised, came = promise.disk["after_defrag_seconds"], came.disk["seconds"]
    if came > promised * PART and came > promised + SECONDS:
        yield f"{promised:.3f} s were promised, it takes {came:.3f} s"
    if not loose and promised > came * TOO_HIGH and promised > came + SECONDS:
        yield f"{promised:.3f} s were promised, but it takes only {came:.3f} s"


def differs(promise, plan):
    """Does the plan of defrag, on the same disk, say something else than the page?"""
    promised, plan = promise.disk["after_defrag_seconds"], plan["after"]["disk"]["seconds"]
    if abs(promised - plan) > max(AGREE_PART * plan, AGREE_SECONDS):
        yield f"{promised:.3f} s were promised, and {plan:.3f} s are planned"


UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}


def least_said(arguments, path):
    """What the page of a chain says of a rewrite of its uppermost image alone, or None."""
    page = " ".join(out(*arguments, path).split())
    said = re.search("with this image alone in order, reading the whole disk would still take ([0-9.,]+) ([a-z]+) at least", page)
    return said and float(said[1].replace(",", "")) * UNITS[said[2]]


def tops_alone(program, images, before):
    """What is wrong with that: the uppermost images are put in order, and the chains measured again."""
    said = {(path, profile): least_said(before[path, profile].arguments, path) for path in images for profile in PROFILES}
    alone = {path: os.path.join(f"{path}.alone", path) for path in images}
    for path in images:
        linked(path, f"{path}.alone", move=True)
    forced(program, list(alone.values()))
    after = measure(program, list(alone.values()), ["--chain"])
    for path, profile in said:
        name, least = f"{images[path]}: {profile}", said[path, profile]
        came, was = (m.disk["seconds"] for m in (after[alone[path], profile], before[path, profile]))
        if least is None and before[path, profile].action in REWRITES:
            yield f"{name}: nothing is said of the uppermost image alone"
        if least is not None and came < least / PART and came < least - SECONDS:
            yield f"{name}: with the uppermost image in order it takes {came:.3f} s, and at least {least:.3f} s were said"
        if came > was * PART and came > was + SECONDS:
            yield f"{name}: with the uppermost image in order it takes {came:.3f} s, and {was:.3f} s before"


def told_and_planned(program, images, before):
    """What is wrong with the plans of defrag, before anything is done."""
    for profile in PROFILES:
        told = [path for path in images if before[path, profile].action in REWRITES and not before[path, profile].converts]
        for path, plan in plans(program, told, profile).items():
            if plan["state"] != "planned":
                yield f"{images[path]}: {profile}: {before[path, profile].action}, but defrag would leave it"
    defragged = [path for path in images if not before[path, "hdd"].converts]
    for path, plan in plans(program, defragged, "hdd", "--force").items():
        for wrong in differs(before[path, "hdd"], plan):
            yield f"{images[path]}: {wrong}"


def judge(program, images, options):
    """What is wrong with the promises of images, {path: name}."""
    before = measure(program, list(images), options)
    yield from told_and_planned(program, images, before)
    made, left = {}, []
    for path in images:
        made[path], more = done(path, before)
        left += more
    forced(program, left)
    after = measure(program, sorted({copy for of in made.values() for copy, _ in of.values()}), options)
    for path, name in images.items():
        for profile, (copy, told) in made[path].items():
            promise, came = before[path, profile], after[copy, profile]
            for wrong in broken(promise, came, promise.converts and name in LOOSE):
                yield f"{name}: {profile}: {wrong}"
            if told and came.action in REWRITES:
                yield f"{name}: {profile}: {promise.action}, and then {came.action} again"
    chains = {path: name for path, name in images.items() if before[path, "hdd"].chain}
    if chains:
        yield from tops_alone(program, chains, before)


# ------------------------------------------------------------------------------------------------
# Making
# ------------------------------------------------------------------------------------------------
#
# An image is made in steps, one after the other; those that images of a group take at the same time are done by one program,
# since starting QEMU's takes longer than most of what it is to do. A step is a function that does several of its kind,
# and what is to be done for one image.


def qemu_img(*arguments):
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, env=QEMU)


def each_qemu_img(calls):
    for arguments in calls:
        qemu_img(*arguments)


def each(makers):
    for make in makers:
        make()


def create(name, size, options="", backing=None):
    words = ["-o", options] if options else []
    if backing:
        words += ["-b", backing, "-F", "qcow2"]
    return each_qemu_img, ["create", "-q", "-f", "qcow2", *words, name, size]


MOST_ARGUMENTS = 1 << 20 # bytes; with their places in memory they must be less than 2 MiB


def all_qemu_io(steps):
    """Each is (image, commands, options of open). As arguments: those that qemu-io reads it answers with a prompt."""
    words = []
    for name, commands, options in steps:
        new = [f"open -t unsafe {options} -o driver=qcow2 {name}", *commands, "close"]
        if sum(map(len, words)) + sum(map(len, new)) + 8 * len(words + new) > MOST_ARGUMENTS:
            run_qemu_io(words)
            words = []
        words += new
    run_qemu_io(words)


def run_qemu_io(commands):
    subprocess.run(["qemu-io", *(word for command in commands for word in ("-c", command))], check=True,
                   stdout=subprocess.DEVNULL, env=QEMU)


def qemu_io(name, commands, options=""):
    return all_qemu_io, (name, list(commands), options)


def write(offset, size, flag=""):
    return f"write -q {flag} -P {offset // 512 % 251 + 1} {offset} {size}"


def written(name, size, unit, units, options="", flag="", backing=None):
    """Units of so many bytes, in this order."""
    yield create(name, size, options, backing)
    yield qemu_io(name, [write(number * unit, unit, flag) for number in units])


def shuffled(n, of, seed=1):
    return random.Random(seed).sample(range(of), n)


def text(name, size, seed=3, noise=0.0, holes=0.0, disk=None):
    """A raw disk of what compresses well, and of what does not."""
    rand = random.Random(seed)
    words = [b"%08d text that compresses %d\n" % (rand.randrange(10**8), number) for number in range(2000)]
    pages = [b"".join(rand.choices(words, k=2200))[:64 * K] for _ in range(16)]
    with open(name, "wb") as file:
        file.truncate(disk or size)
        for offset in range(0, size, 64 * K):
            if rand.random() >= holes:
                file.seek(offset)
                file.write(rand.randbytes(64 * K) if rand.random() < noise else rand.choice(pages))


def fresh(name, size, options, **contents):
    """As convert -c makes it."""
    def make():
        text(name + ".raw", size, **contents)
        qemu_img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, name + ".raw", name)
        os.unlink(name + ".raw")
    yield each, make


def rewritten(name, part):
    """Compressed, then so many clusters were written to."""
    yield from fresh(name, 8 * M, "cluster_size=4k")
    yield qemu_io(name, [write(number * 4 * K, 4 * K) for number in shuffled(int(part * 2048), 2048)])


def large(name, size, step, n, options="", order=None, flag=""):
    """A bit of data here and there on a large disk."""
    yield create(name, size, options)
    yield qemu_io(name, [write(number * step, 128 * K if not flag else 64 * K, flag) for number in order or range(n)])


def scattered(cluster, **how):
    n = min(1500, 24 * M // cluster)
    return lambda name: written(name, 2 * n * cluster, cluster, shuffled(n, 2 * n),
                                f"cluster_size={cluster}" + how.get("more", ""), how.get("flag", ""))


def overlay(name, options="", unit=64 * K, zeros=0):
    yield from written(name + ".base", 256 * M, 64 * K, shuffled(300, 4096, 7))
    yield from written(name, 256 * M, unit, shuffled(600, 256 * M // unit, 9), options, backing=name + ".base")
    yield qemu_io(name, [f"write -q -z {number * 64 * K} 64k" for number in shuffled(zeros, 4096, 11)])


def compressed_overlay(name):
    """Refcounts of one bit: blobs cannot share a cluster, in a copy neither."""
    yield from written(name + ".base", 64 * M, 64 * K, range(16))
    yield from written(name, 64 * M, 64 * K, shuffled(768, 1024), "refcount_bits=1", "-c", name + ".base")


def zero_tables(name):
    yield create(name + ".base", 200 * G)
    yield create(name, 200 * G, backing=name + ".base")
    yield qemu_io(name, [write(number * 512 * M, 64 * K) for number in shuffled(60, 100)] +
                  [f"write -q -z {number * 512 * M} 64k" for number in range(100, 390)])


def three_layers(name):
    yield from written(name + ".0", 128 * M, 64 * K, shuffled(300, 2048, 1))
    yield from written(name + ".1", 128 * M, 4 * K, shuffled(600, 32768, 2), "cluster_size=4k", backing=name + ".0")
    yield from written(name, 128 * M, 16 * K, shuffled(400, 8192, 3), "cluster_size=16k", backing=name + ".1")


def with_snapshots(name):
    yield from written(name, 128 * M, 64 * K, shuffled(500, 2048))
    for number in range(3):
        yield each_qemu_img, ["snapshot", "-c", f"s{number}", name]
        yield qemu_io(name, [write(unit * 64 * K, 64 * K) for unit in shuffled(100, 2048, number)])


def changed(name, command, options=""):
    """Some of a shuffled disk is discarded or made zero, some written anew."""
    yield from written(name, 128 * M, 64 * K, shuffled(1000, 2048))
    yield qemu_io(name, [f"{command} {number * 64 * K} 64k" for number in shuffled(600, 2048, 2)] +
                  [write(number * 64 * K, 64 * K) for number in shuffled(200, 2048, 3)], options)


def emptied_tables(name):
    yield create(name, 200 * G)
    yield qemu_io(name, [write(number * 512 * M, 64 * K) for number in range(390)] +
                  [f"discard -q {number * 512 * M} 64k" for number in range(390) if number % 4], "-d unmap")


def preallocated(name, how):
    return written(name, 64 * M, 16 * K, shuffled(1500, 4096), f"cluster_size=16k,preallocation={how}")


def mkfs(name):
    def make():
        with open(name + ".raw", "wb") as file:
            file.truncate(300 * G)
        subprocess.run(["mkfs.ext4", "-q", "-F", name + ".raw"], check=True, stdout=subprocess.DEVNULL)
        qemu_img("convert", "-f", "raw", "-O", "qcow2", name + ".raw", name)
        os.unlink(name + ".raw")
    yield each, make


def subclusters(cluster, part, n, span):
    return lambda name: written(name, 2 * G, part, shuffled(n, span // part), f"extended_l2=on,cluster_size={cluster}")


def turns(name):
    return written(name, G, 64 * K, [(number % 6) * 2048 + number // 6 for number in range(900)])


def backward(unit):
    return lambda name: written(name, G, unit, range(800, 0, -1), f"cluster_size={unit}")


SIZES = [1 << bits for bits in range(9, 22)]

# What convert makes faster still, as there is more to leave out than a measurement sees: the zeros of a
# preallocated file, what compresses though it is not compressed now.
LOOSE = {"preallocated", "reserved", "a tenth written to", "three tenths written to"}

GROUPS = {
    "sizes": {f"clusters of {size}": scattered(size) for size in SIZES},
    "formats": {
        "version 2": lambda name: written(name, G, 64 * K, shuffled(600, 16384), "compat=0.10"),
        **{f"refcounts of {bits} bits": scattered(4 * K, more=f",refcount_bits={bits}") for bits in (1, 8, 64)},
        "long refcounts, small clusters": scattered(512, more=",refcount_bits=64"),
        "lazy refcounts": scattered(16 * K, more=",lazy_refcounts=on"),
        "odd size": lambda name: written(name, 32 * M + 512, 64 * K, shuffled(400, 512)),
        "an odd end": lambda name: written(name, 32 * M + 1536, 1536, shuffled(400, 21846)),
    },
    "orders": {
        "all mapped": lambda name: written(name, 64 * M, 64 * K, shuffled(1024, 1024)),
        "sequential": lambda name: written(name, G, M, range(50)),
        "sequential, small clusters": lambda name: written(name, 64 * M, M, range(8), "cluster_size=512"),
        "in turns": turns,
        "backward": backward(64 * K),
        "backward, small clusters": backward(4 * K),
        "discarded": lambda name: changed(name, "discard -q", "-d unmap"),
        "made zero": lambda name: changed(name, "write -q -z"),
        "made zero, space given back": lambda name: changed(name, "write -q -z -u"),
        "preallocated": lambda name: preallocated(name, "metadata"),
        "reserved": lambda name: preallocated(name, "falloc"),
        "snapshots": with_snapshots,
    },
    "subclusters": {
        "whole": scattered(64 * K, more=",extended_l2=on"),
        "few of many": subclusters("128k", 4 * K, 1500, 2 * G),
        "many of few": subclusters("64k", 2 * K, 1500, 48 * M),
        "of 512 bytes": subclusters("16k", 512, 2000, 48 * M),
        "of 64 KiB": subclusters("2M", 64 * K, 300, 512 * M),
        "in order": lambda name: written(name, G, 4 * K, range(0, 4000, 2), "extended_l2=on,cluster_size=128k"),
    },
    "compressed": {
        **{f"clusters of {size}": scattered(size, flag="-c") for size in (512, 4 * K, 64 * K, 2 * M)},
        "zstd": scattered(16 * K, flag="-c", more=",compression_type=zstd"),
        "fresh, 512": lambda name: fresh(name, M, "cluster_size=512"),
        "fresh, 4 KiB": lambda name: fresh(name, 6 * M, "cluster_size=4k"),
        "fresh, 64 KiB, with holes": lambda name: fresh(name, 8 * M, "cluster_size=64k", holes=0.2),
        "fresh, 2 MiB": lambda name: fresh(name, 16 * M, "cluster_size=2M"),
        "fresh, one to a cluster": lambda name: fresh(name, 6 * M, "refcount_bits=1"),
        "fresh, three to a cluster": lambda name: fresh(name, 4 * M, "cluster_size=16k,refcount_bits=2"),
        "fresh, on a large disk": lambda name: fresh(name, 8 * M, "cluster_size=64k", disk=700 * G),
        "fresh, some of it noise": lambda name: fresh(name, 8 * M, "cluster_size=64k", noise=0.3),
        "fresh, some of it noise, 4 KiB": lambda name: fresh(name, 4 * M, "cluster_size=4k", noise=0.3),
        "a tenth written to": lambda name: rewritten(name, 0.1),
        "three tenths written to": lambda name: rewritten(name, 0.3),
        "six tenths written to": lambda name: rewritten(name, 0.6),
        "one for each table": lambda name: large(name, 200 * G, 512 * M, 200, flag="-c"),
    },
    "tables": {
        "a bit everywhere on 4 TiB": lambda name: large(name, 4 * T, 25 * G, 160),
        "the same, shuffled": lambda name: large(name, 4 * T, 25 * G, 160, order=shuffled(160, 160)),
        "1 TiB, shuffled": lambda name: large(name, T, 512 * M, 250, order=shuffled(250, 2000)),
        "1 TiB, subclusters": lambda name: large(name, T, 512 * M, 300, "extended_l2=on", shuffled(300, 2000)),
        "64 GiB, small clusters": lambda name: large(name, 64 * G, 64 * M, 300, "cluster_size=4k", shuffled(300, 1000)),
        "many, nothing between": lambda name: (
            create(name, 16 * G, "cluster_size=4k"),
            qemu_io(name, [write(number * 2 * M, 4 * K) for number in shuffled(1500, 8192)])),
        "emptied": emptied_tables,
        "mkfs.ext4 on 300 GiB": mkfs,
    },
    "layers": {
        "an overlay": overlay,
        "an overlay with zeros": lambda name: overlay(name, zeros=300),
        "an overlay of small clusters": lambda name: overlay(name, "cluster_size=4k", 4 * K),
        "an overlay with subclusters": lambda name: overlay(name, "extended_l2=on", 4 * K),
        "tables of zeros": zero_tables,
    },
    "chains": {
        "an overlay": overlay,
        "an overlay of small clusters": lambda name: overlay(name, "cluster_size=4k", 4 * K),
        "an overlay with subclusters": lambda name: overlay(name, "extended_l2=on", 4 * K),
        "three": three_layers,
        "an overlay that is compressed, one to a cluster": compressed_overlay,
    },
}


def made(group):
    """{path: name} of the images of a group."""
    paths = {f"{group}-{number}": name for number, name in enumerate(GROUPS[group])}
    makers = [iter(GROUPS[group][name](path)) for path, name in paths.items()]
    while steps := [step for step in (next(maker, None) for maker in makers) if step]:
        of_kind = {}
        for kind, what in steps:
            of_kind.setdefault(kind, []).append(what)
        for kind, all_of_it in of_kind.items():
            kind(all_of_it)
    return paths


def main(arguments):
    program, *words = arguments
    os.mkdir("bin")
    os.symlink(program, "bin/qcow2frag")
    images = made(words[0]) if words[0] in GROUPS else {word: word for word in words}
    lines = list(judge(program, images, ["--chain"] if words[0] == "chains" else []))
    print(*lines, sep="\n", end="\n" if lines else "")
    shutil.rmtree("bin")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

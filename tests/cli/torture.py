#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images with random histories, made by QEMU, are defragmented, and must have lost nothing.

    torture.py [COUNT [SEED]]       12 histories, the first of them number 1

Speaks TAP. With KEEP set, the images of a history that failed are left in the current folder: old, new.

Each image is made with random options and aged by random writes, compressed writes, discards, zeros,
snapshots, resizes, bitmaps and amendments. After `qcow2frag defrag -o` QEMU itself is asked: does
qemu-img check find nothing, are the active state and each snapshot the same, the bitmaps bit for bit,
and is the order as good as was said?
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

QCOW2FRAG = os.environ["QCOW2FRAG"]
MIB = 1 << 20
CORRUPT = 2  # of the incompatible features


# QEMU's tools do not wait for the disk.
QEMU = {**os.environ, "LD_PRELOAD": os.environ["HASTE"]} if os.environ.get("HASTE") else None


def run(*args, **kwargs):
    environment = QEMU if args[0].startswith("qemu-") else None
    return subprocess.run(args, capture_output=True, text=True, env=environment, **kwargs)


def must(*args):
    done = run(*args)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


class Bad(Exception):
    pass


def header_of(path):
    """The virtual size, the bytes of a cluster, and the incompatible features."""
    with open(path, "rb") as image:
        header = image.read(104)
    version, = struct.unpack_from(">I", header, 4)
    bits, size = struct.unpack_from(">IQ", header, 20)
    return size, 1 << bits, struct.unpack_from(">Q", header, 72)[0] if version >= 3 else 0


# ---- making ----


def create(dice, path, base):
    cluster = dice.choice([512, 4096, 16384, 65536, 65536, 65536, 262144, 2 * MIB])
    options = [f"cluster_size={cluster}"]
    version = "1.1"
    if cluster >= 16384 and dice.random() < 0.3:
        options.append("extended_l2=on")
    elif dice.random() < 0.15:
        version = "0.10"
    options.append(f"compat={version}")
    if version == "1.1":
        options.append(f"refcount_bits={dice.choice([16, 16, 16, 8, 32, 64, 4])}")
        if dice.random() < 0.3:
            options.append("compression_type=zstd")
        if dice.random() < 0.2:
            options.append("lazy_refcounts=on")
    size = dice.randrange(1, 24) * MIB + dice.choice([0, 0, 512, 65536])
    if cluster == 512:
        size //= 4
    if base is None and dice.random() < 0.15:
        options.append(f"preallocation={dice.choice(['metadata', 'falloc'])}")
    backing = ["-b", os.path.abspath(base), "-F", "raw"] if base else []
    must("qemu-img", "create", "-q", "-f", "qcow2", "-o", ",".join(options), *backing, path,
         str(size & ~511))
    return cluster, version


def write_commands(dice, size, cluster, version, n):
    commands = []
    for _ in range(n):
        length = min(size, dice.choice([512, cluster // 2 or 512, cluster, 3 * cluster, 700 * 512]))
        length = max(512, length & ~511)
        offset = dice.randrange(0, max(1, (size - length) // 512 + 1)) * 512
        kind = dice.random()
        if kind < 0.6:
            commands.append(f"write -P {dice.randrange(1, 255)} {offset} {length}")
        elif kind < 0.75:
            whole = offset // cluster * cluster
            if whole + cluster <= size:
                commands.append(f"write -c -P {dice.randrange(1, 255)} {whole} {cluster}")
        elif kind < 0.85:
            commands.append(f"discard {offset} {length}")
        elif kind < 0.95 and version == "1.1":
            commands.append(f"write -z {offset} {length}")
        else:
            commands.append(f"write -P 0 {offset} {length}")
    return commands


def age(dice, path, cluster, version):
    snapshots = bitmaps = 0
    for _ in range(dice.randrange(1, 6)):
        size = header_of(path)[0]
        commands = write_commands(dice, size, cluster, version, dice.randrange(1, 25))
        # Some of it is refused: too many references for narrow refcounts. What matters is the image.
        run("qemu-io", "-d", dice.choice(["unmap", "ignore"]), path,
            input="\n".join(commands) + "\nquit\n")
        deed = dice.random()
        if deed < 0.4:
            run("qemu-img", "snapshot", "-c", f"s{snapshots}", path)
            snapshots += 1
        elif deed < 0.5 and snapshots > 0:
            run("qemu-img", "snapshot", "-d", f"s{dice.randrange(snapshots)}", path)
        elif deed < 0.6 and snapshots > 0:
            run("qemu-img", "snapshot", "-a", f"s{dice.randrange(snapshots)}", path)
        elif deed < 0.7 and version == "1.1":
            run("qemu-img", "bitmap", "--add", path, f"b{bitmaps}")
            bitmaps += 1
        elif deed < 0.8:
            run("qemu-img", "resize", "-q", path, f"+{dice.randrange(1, 64) * 65536}")
        elif deed < 0.85 and version == "1.1":
            run("qemu-img", "amend", "-o", "lazy_refcounts=" + dice.choice(["on", "off"]), path)
        elif deed < 0.9:
            run("qemu-io", "-c", "write -b -P 77 0 70000", path)
    if dice.random() < 0.5:
        run("qemu-img", "check", "-q", "-r", "leaks", path)


# ---- looking ----


def bitmaps_of(path):
    """The stored bits of all bitmaps, by name: table entries without places, and the clusters."""
    with open(path, "rb") as image:
        header = image.read(104 + 8)
        version, = struct.unpack_from(">I", header, 4)
        if version < 3 or not struct.unpack_from(">Q", header, 88)[0] & 1:
            return {}
        cluster = 1 << struct.unpack_from(">I", header, 20)[0]
        at = struct.unpack_from(">I", header, 100)[0]
        found = {}
        while True:
            image.seek(at)
            magic, length = struct.unpack(">II", image.read(8))
            if magic == 0:
                return found
            if magic == 0x23852875:
                n, _, _, place = struct.unpack(">IIQQ", image.read(24))
                break
            at += 8 + (length + 7) // 8 * 8
        for _ in range(n):
            image.seek(place)
            table, entries, flags, kind, granularity, name_len, extra = struct.unpack(
                ">QIIBBHI", image.read(24))
            name = image.read(extra + name_len)
            place += (24 + extra + name_len + 7) // 8 * 8
            bits = []
            for i in range(entries):
                image.seek(table + 8 * i)
                entry, = struct.unpack(">Q", image.read(8))
                offset = entry & 0x00FFFFFFFFFFFE00
                image.seek(offset)
                bits.append(image.read(cluster).ljust(cluster, b"\0") if offset else entry)
            found[name] = (flags, kind, granularity, bits)
        return found


def snapshots_of(path):
    listed = json.loads(must("qemu-img", "info", "--output=json", path)).get("snapshots", [])
    return [{k: s[k] for k in s} for s in listed]


def same_snapshot(old, new, ident, folder):
    raws = []
    for i, path in enumerate((old, new)):
        raws.append(os.path.join(folder, f"raw{i}"))
        must("qemu-img", "convert", "-O", "raw", "-l", f"snapshot.id={ident}", path, raws[i])
    return run("cmp", *raws).returncode == 0


def is_mixed(path):
    """Does a blob lie inside a cluster of other data? QEMU makes such images: it goes on filling a
    cluster with blobs after that was freed and given away. Then both must stay together."""
    listed = run(QCOW2FRAG, "map", "--list", "--json", "--no-host", path).stdout.splitlines()
    runs = [json.loads(line) for line in listed]
    taken = [(r["host_offset"], r["host_length"], r["kind"]) for r in runs if r["host_offset"] is not None]
    # With subclusters it may lie in a part that nothing uses.
    size = header_of(path)[1]
    clusters = [(o // size * size, -(-(o + n) // size) * size) for o, n, kind in taken if kind != "compressed"]
    return any(o < end and begin < o + n for o, n, kind in taken if kind == "compressed"
               for begin, end in clusters)


def is_given_up(path):
    """QEMU goes on filling a cluster with blobs after that was freed and given away, if need be to a
    table; sometimes it notices, and then marks the image."""
    return header_of(path)[2] & CORRUPT != 0


def look(old, new, folder, extra):
    check = run("qemu-img", "check", new)
    if check.returncode != 0:
        raise Bad(f"check says {check.returncode}: {(check.stdout + check.stderr).strip()}")
    compare = run("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", old, new)
    if compare.returncode != 0 and run("qemu-img", "compare", old, old).returncode == 0:
        raise Bad(f"compare: {(compare.stdout + compare.stderr).strip()}")
    snapshots = snapshots_of(old)
    if snapshots != snapshots_of(new):
        raise Bad("the list of snapshots is another one")
    for snapshot in snapshots:
        if not same_snapshot(old, new, snapshot["id"], folder):
            raise Bad(f"snapshot {snapshot['id']} has another content")
    if bitmaps_of(old) != bitmaps_of(new):
        raise Bad("the bitmaps are others")
    figures = json.loads(run(QCOW2FRAG, "--json", "--no-host", "--space", new).stdout)["images"][0]
    if figures["tables"][0]["backward_steps"] != 0 and not is_mixed(old):
        raise Bad(f"{figures['tables'][0]['backward_steps']} steps back are left")
    if figures["space"]["leaked_bytes"] != 0:
        raise Bad("clusters are leaked")
    again = json.loads(run(QCOW2FRAG, "defrag", "--json", "--dry-run", new).stdout)["defrag"][0]
    if not extra and again["state"] != "in_order" and not is_mixed(old):
        raise Bad(f"a second time it is {again['state']}, not in order")


def rewrite(old, new, in_place, *options):
    """The new image as a second file, or in the place of a copy of the old one."""
    if in_place:
        shutil.copy(old, new)
    where = [new] if in_place else ["-o", new, old]
    done = run(QCOW2FRAG, "defrag", "--json", "--force", *options, *where)
    return done.returncode, json.loads(done.stdout)["defrag"][0]


def trial(seed, folder):
    dice = random.Random(seed)
    old, new = os.path.join(folder, "old"), os.path.join(folder, "new")
    base = None
    if dice.random() < 0.2:
        base = os.path.join(folder, "base")
        with open(base, "wb") as raw:
            raw.write(bytes(dice.randrange(256) for _ in range(4096)) * 512)
    cluster, version = create(dice, old, base)
    age(dice, old, cluster, version)
    before = open(old, "rb").read()
    extra = []
    if dice.random() < 0.2 and (version == "1.1" or base is None):
        extra.append("--trim")
    elif dice.random() < 0.2:
        extra.append("--reserve")
    in_place = seed % 2 == 0
    status, result = rewrite(old, new, in_place, "--memory", "8M", *extra)
    if is_given_up(old):
        if result["state"] != "refused" or (open(new, "rb").read() != before if in_place else os.path.exists(new)):
            raise Bad(f"QEMU has marked it as corrupt, and it is {result['state']}")
        return "was refused, since QEMU itself had marked it as corrupt"
    if "--reserve" in extra and status == 1 and "--reserve cannot work" in result["error"]:
        extra = []
        status, result = rewrite(old, new, in_place)
    if status != 0 or result["state"] != "done":
        raise Bad(f"{result['state']}: {result['error']}")
    if open(old, "rb").read() != before:
        raise Bad("the image itself was changed")
    if set(os.listdir(folder)) - {"old", "new", "base"}:
        raise Bad(f"left behind: {os.listdir(folder)}")
    look(old, new, folder, extra)
    return "lost nothing" + (", in its place" if in_place else "")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for program in ("qemu-img", "qemu-io"):
        if shutil.which(program) is None:
            print(f"1..0 # SKIP no {program}")
            return 0
    print(f"1..{count}")
    failed = 0
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            try:
                print(f"ok {seed - first + 1} - history {seed} {trial(seed, folder)}", flush=True)
            except (Bad, RuntimeError, ValueError, KeyError, OSError) as error:
                if os.environ.get("KEEP"):
                    os.system(f"cp {folder}/old {folder}/new .")
                failed += 1
                print(f"not ok {seed - first + 1} - history {seed}\n# {error!r}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

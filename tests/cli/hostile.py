#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes an image that takes little of a disk, and asks for much work.

    hostile.py KIND OUT

Written byte by byte: mkqcow2 makes no such images. Each kind says what it is.
"""
import array
import os
import struct
import sys

COPIED = 1 << 63
L1_MOST = 1 << 22
CLUSTER_BITS_MOST = 21


def header(cluster_bits, virtual, l1_entries, l1_off, snapshots=0, snapshots_off=0, reftable=(0, 0),
           backing=b"", backing_off=0, incompatible=0):
    return struct.pack(">IIQIIQIIQQIIQQQQIIQ", 0x514649FB, 3, backing_off if backing else 0, len(backing), cluster_bits, virtual, 0, l1_entries, l1_off,
                       reftable[0], reftable[1], snapshots, snapshots_off, incompatible, 0, 0, 4, 112, 0)


def words(values):
    found = array.array("Q", values)
    found.byteswap()
    return found.tobytes()


def snapshot(number, l1_off, l1_entries, virtual):
    name = b"%d" % number
    entry = struct.pack(">QIHHIIQII", l1_off, l1_entries, len(name), 0, 0, 0, 0, 0, 24)
    entry += struct.pack(">QQQ", 0, virtual, (1 << 64) - 1) + name
    return entry + bytes(-len(entry) % 8)


def snapshots_in_holes(out):
    """400 snapshots with L1 tables of 32 MiB, all of them holes."""
    cluster, virtual, base = 1 << 21, 1 << 61, 1 << 31
    out.write(header(21, virtual, L1_MOST, 16 * cluster, 400, 64 * cluster))
    out.seek(64 * cluster)
    out.write(b"".join(snapshot(n, base + n * (32 << 20), L1_MOST, virtual) for n in range(400)))
    out.truncate(base + 400 * (32 << 20))


def in_strides(first, step, n):
    """@n words that lie @step apart from @first on, in the order 0, 61, 122 ... 1, 62 ..., as bytes."""
    order = array.array("Q")
    for begin in range(61):
        order.extend(range(first + begin * step, first + n * step, 61 * step))
    order.byteswap()
    return order.tobytes()


def snapshots_apart(out):
    """Eight snapshots with L1 tables of 32 MiB that are stored, and name the same L2 tables in a hole, but at no
    L1 index two of them the same."""
    cluster, n, snapshots, apart = 512, L1_MOST, 8, 12345
    l1, base = 1 << 24, (1 << 24) + snapshots * 8 * n
    out.write(header(9, n * 64 * cluster, n, l1, snapshots, 64 * cluster))
    out.seek(64 * cluster)
    out.write(b"".join(snapshot(s, l1 + 8 * n * s, n, n * 64 * cluster) for s in range(snapshots)))
    order = in_strides(base, cluster, n)
    for s in range(snapshots):
        out.seek(l1 + 8 * n * s)
        out.write(order[8 * s * apart:])
        out.write(order[:8 * s * apart])
    out.truncate(base + n * cluster)


def snapshots_empty(out):
    """As many snapshots as there may be, each with an L1 table of its own in a hole."""
    cluster, n = 512, 65535
    virtual, tables = 64 * cluster, 1 << 24
    out.write(header(9, virtual, 1, tables, n, 64 * cluster))
    out.seek(64 * cluster)
    out.write(b"".join(snapshot(s, tables + cluster * s, 1, virtual) for s in range(n)))
    out.truncate(tables + n * cluster)


def snapshots_many(out):
    """As many snapshots as there may be, each with an L1 table of its own of one entry."""
    cluster, n = 512, 65535
    virtual, tables = 64 * cluster, 1 << 24
    base = tables + n * cluster
    out.write(header(9, virtual, 1, tables, n, 64 * cluster))
    out.seek(64 * cluster)
    out.write(b"".join(snapshot(s, tables + cluster * s, 1, virtual) for s in range(n)))
    for s in range(n):
        out.seek(tables + cluster * s)
        out.write(words([base + s * 7919 % n * cluster]))
    out.truncate(base + n * cluster)


def windows(out):
    """Seven such snapshots, and data in 126 places far apart: as many windows of --space."""
    cluster, snapshots, base, far, n = 512, 7, 1 << 26, 1 << 30, 126
    virtual, step = L1_MOST * 64 * cluster, (16 << 20) * cluster + cluster * 1024
    out.write(header(9, virtual, L1_MOST, 1 << 16, snapshots, 64 * cluster))
    out.seek(64 * cluster)
    out.write(b"".join(snapshot(k, base + k * (32 << 20), L1_MOST, virtual) for k in range(snapshots)))
    entries = [COPIED | (far + k * 55 % n * step) for k in range(n)]
    entries += [COPIED | (far + (n - 1) * step + cluster * 8)] * 66
    tables = [entries[k:k + 64] for k in range(0, len(entries), 64)]
    out.seek(1 << 16)
    out.write(words(COPIED | (far - cluster * (1 + t)) for t in range(len(tables))))
    for t, table in enumerate(tables):
        out.seek(far - cluster * (1 + t))
        out.write(words(table))
    out.truncate(far + n * step)


def l2_in_holes(out, order):
    cluster, n = 1 << 16, L1_MOST // 8
    base = 1024 * cluster
    out.write(header(16, n << 29, n, cluster))
    out.seek(cluster)
    out.write(words(COPIED | (base + order(k, n) * cluster) for k in range(n)))
    out.seek(base + n // 2 * cluster + 4096)
    out.write(b"x")
    out.truncate(base + (n + 1) * cluster)


def l2_backwards(out):
    """L2 tables in one hole, from back to front."""
    l2_in_holes(out, lambda k, n: n - 1 - k)


def l2_to_and_fro(out):
    """L2 tables in two holes in turn."""
    l2_in_holes(out, lambda k, n: k // 2 + k % 2 * (n // 2))


def far_and_wide(out):
    """16 MiB of L2 tables with entries all over a very long file: each window needs all of them."""
    cluster, tables, far = 512, 32768, 1 << 30
    span = (14 << 40) // cluster
    out.write(header(9, tables * 64 * cluster, tables, 1 << 16))
    out.seek(1 << 16)
    out.write(words(COPIED | (far - cluster * (1 + t)) for t in range(tables)))
    out.seek(far - cluster * tables)
    out.write(words(COPIED | (far + k * 2654435761 % span * cluster) for k in range(tables * 64)))
    out.truncate(far + span * cluster)


def refcounts_in_holes(out):
    """A refcount table full of blocks in a hole, from back to front, for a very long file."""
    cluster, blocks = 1 << 16, 8192
    base = 1024 * cluster
    out.write(header(16, 1 << 30, 2, 64 * cluster, reftable=(cluster, 1)))
    out.seek(cluster)
    out.write(words(base + (blocks - 1 - k) * cluster for k in range(blocks)))
    out.truncate(blocks << 31 if (blocks << 31) <= 15 << 40 else 15 << 40)


def locked(out):
    """All of the L1 table's entries name tables in holes but the first, which is damaged."""
    cluster, n = 1 << 16, L1_MOST // 4
    base = 1024 * cluster
    out.write(header(16, n << 29, n, cluster))
    out.seek(cluster)
    out.write(words([COPIED | (1 << 55)] + [COPIED | (base + k * 7919 % n * cluster) for k in range(1, n)]))
    out.truncate(base + n * cluster)


def findings(out):
    """As many findings as an image can have, in a few KiB."""
    cluster, zero = 512, 1 << 62
    l1 = [COPIED | 4 * cluster, COPIED | 5 * cluster, COPIED | 6 * cluster]
    l1 += [(1 << 50) + k * cluster for k in range(20)] + [COPIED] * 20 + [COPIED | 7 * cluster | 2] + [1] * 20
    kinds = [lambda k: (1 << 45) + k * cluster, lambda k: 1 << 60 | 8 * cluster, lambda k: zero | COPIED | 7 * cluster,
             lambda k: zero | 1 << 45 | k, lambda k: zero | 5, lambda k: zero | 1 << 57 | k]
    out.write(header(9, 64 * 64 * cluster, 64, 2 * cluster))
    out.seek(2 * cluster)
    out.write(words(l1[:64]))
    out.seek(4 * cluster)
    out.write(words(kinds[k % 64 % 6](k % 64) for k in range(3 * 64)))
    out.truncate(9 * cluster)


def named_often(out):
    """An L2 table of 2 MiB full of entries, in no order, that is named a thousand times."""
    cluster, n = 1 << 21, 1000
    out.write(header(21, n << 39, n, 2 * cluster))
    out.seek(2 * cluster)
    out.write(words([COPIED | 4 * cluster] * n))
    out.seek(4 * cluster)
    out.write(words(COPIED | (64 * cluster + (k * 7919 % 4096) * cluster) for k in range(cluster // 8)))
    out.truncate((64 + 4096) * cluster)


def backed_by(out, n):
    """The files of a chain of @n images, from the top down: OUT, OUT.1, OUT.2 ... Of each the file, and what
    stands in its header and behind it."""
    for k in range(n):
        name = b"%s.%d" % (os.path.basename(out.name).encode(), k + 1) if k + 1 < n else b""
        extensions = struct.pack(">II8s8x", 0xE2792ACA, 5, b"qcow2")
        with open("%s.%d" % (out.name, k), "wb") if k > 0 else out as image:
            yield image, {"backing": name, "backing_off": 112 + len(extensions)}, extensions + name


def chain(out):
    """A hundred images, each with an L1 table of 32 MiB in a hole."""
    cluster = 1 << 21
    for image, backing, behind in backed_by(out, 100):
        image.write(header(21, L1_MOST << 39, L1_MOST, cluster, **backing))
        image.write(behind)
        image.truncate(cluster + 8 * L1_MOST)


def chain_tables(out, bits=21, n=4, entries=65536, order=lambda k, n: k):
    """Four images, each with 65,536 L2 tables of 2 MiB in a hole."""
    cluster = 1 << bits
    base = 1 << 26
    l1 = words(COPIED | (base + order(k, entries) * cluster) for k in range(entries))
    for image, backing, behind in backed_by(out, n):
        image.write(header(bits, entries * (cluster // 8) * cluster, entries, 1 << 21, **backing))
        image.write(behind)
        image.seek(1 << 21)
        image.write(l1)
        image.truncate(base + entries * cluster)


def chain_tables_shuffled(out):
    """Two images, each with a million L2 tables in a hole, in any order."""
    chain_tables(out, 16, 2, L1_MOST // 4, lambda k, n: k * 7919 % n)


def chain_tables_many(out):
    """Four images, each with four million L2 tables in a hole, in any order."""
    cluster, n, base = 512, L1_MOST, 1 << 26
    order = in_strides(COPIED | base, cluster, n)
    for image, backing, behind in backed_by(out, 4):
        image.write(header(9, n * 64 * cluster, n, 1 << 21, **backing))
        image.write(behind)
        image.seek(1 << 21)
        image.write(order)
        image.truncate(base + n * cluster)


def chain_subclusters(out):
    """Two images with extended L2 tables that are stored, each with every other subcluster of each cluster."""
    cluster, entries, l2_bytes = 1 << 14, 1024, 1 << 14
    for number, (image, backing, behind) in enumerate(backed_by(out, 2)):
        image.write(header(14, entries * (l2_bytes // 16) * cluster, entries, cluster, incompatible=16, **backing))
        image.write(behind)
        image.seek(cluster)
        image.write(words(COPIED | (k + 2) * cluster for k in range(entries)))
        for k in range(entries):
            image.seek((k + 2) * cluster)
            first = (entries + 2 + k * 1024) * cluster
            image.write(b"".join(struct.pack(">QQ", COPIED | (first + e * 7919 % 1024 * cluster), 0x55555555 << number) for e in range(1024)))
        image.truncate((entries + 2 + entries * 1024) * cluster)


def chain_long(out):
    """A thousand images, each with 512 L2 tables in a hole."""
    chain_tables(out, 16, 1000, 512)


def chain_repeats(out):
    """Sixteen images, each with one L2 table of 2 MiB full of entries that is named a thousand times, in a part
    of the disk that those above do not have."""
    cluster, n, each = 1 << 21, 16, 1000
    table = words(COPIED | (64 * cluster + (k * 7919 % 4096) * cluster) for k in range(cluster // 8))
    for number, (image, backing, behind) in enumerate(backed_by(out, n)):
        image.write(header(21, n * each << 39, n * each, 2 * cluster, **backing))
        image.write(behind)
        image.seek(2 * cluster + 8 * number * each)
        image.write(words([COPIED | 4 * cluster] * each))
        image.seek(4 * cluster)
        image.write(table)
        image.truncate((64 + 4096) * cluster)


def chain_patches(out):
    """Two images with L2 tables of 2 MiB of which only each sixteenth block is stored."""
    cluster, entries = 1 << 21, 2048
    for image, backing, behind in backed_by(out, 2):
        image.write(header(21, entries << 39, entries, cluster, **backing))
        image.write(behind)
        image.seek(cluster)
        image.write(words(COPIED | (k + 2) * cluster for k in range(entries)))
        for k in range(entries):
            image.seek((k + 2) * cluster + 65536 * (k % 16))
            image.write(bytes(4096))
        image.truncate((entries + 2) * cluster)


def main(argv):
    kinds = {kind.__name__.replace("_", "-"): kind for kind in
             (snapshots_in_holes, snapshots_apart, snapshots_empty, snapshots_many, windows, far_and_wide, l2_backwards, l2_to_and_fro, refcounts_in_holes, locked, findings,
              named_often, chain, chain_tables, chain_tables_shuffled, chain_tables_many, chain_subclusters, chain_long, chain_repeats, chain_patches)}
    with open(argv[2], "wb") as out:
        kinds[argv[1]](out)


if __name__ == "__main__":
    main(sys.argv)

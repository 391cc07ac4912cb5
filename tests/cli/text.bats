#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The page for people, word for word, of a few images. That the figures are right, other files prove;
# here they are where they belong, in the right unit.

load helper

# Where the files of a test lie differs from machine to machine; host.bats is about that.
qcow2frag() { "$QCOW2FRAG" --no-host "$@"; }

# page STATUS [OPTION ...] IMAGE <<EOF ... EOF: the whole page.
page() {
    local expected=$1

    shift
    try qcow2frag "$@"
    exits "$expected"
    diff -u - out
}

@test "data in guest order, over an L2 border" {
    fixture sequential
    page 0 sequential.qcow2 <<'PAGE'
sequential.qcow2: qcow2 v3, 64 KiB clusters, 1 GiB virtual, 625 MiB mapped
  fragmentation score      0.00 %      0 steps back over 10,000 mapped clusters
  ascending runs           1           mean 625 MiB
  contiguous runs          2           mean 313 MiB, half of the data in runs of 512 MiB or more, longest 512 MiB
  jumps                    0 back, 1 forward (mean 64 KiB; 1 of them near)
  time to read it all      4.4 s       instead of 4.4 s without breaks: 1.00 times (spinning disk)
  data reads               1.00 times as many as without breaks

  Reading the whole disk takes about 4.4 s, if the disk spins, as fast as it can be: nothing to do.
PAGE
}

@test "data in reverse order" {
    image reversed.qcow2 <<'FIXTURE'
size 64M
map 0..299 reversed
FIXTURE
    page 0 reversed.qcow2 <<'PAGE'
reversed.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 18.8 MiB mapped
  fragmentation score      99.67 %     299 steps back over 300 mapped clusters
  ascending runs           300         mean 64 KiB
  contiguous runs          300         mean 64 KiB, half of the data in runs of 64 KiB or more, longest 64 KiB
  jumps                    299 back (mean 128 KiB), 0 forward
  time to read it all      1.6 s       instead of 132 ms without breaks: 12.34 times (spinning disk)
  data reads               15.79 times as many as without breaks

  Reading the whole disk takes about 1.6 s where 132 ms would do, if the disk spins; all of that is
  the image's own order. Rewritten, it would take 132 ms. How the file lies on the host is not
  known.
  Likely cause: the clusters were written from the last to the first: 100 % of the breaks.
    Against it: preallocation=falloc (an option -o of qemu-img create or convert, for a new file).

  What to do:
   1. Shut the VM down: nothing may have the image open.
   2. Put the image in order. This copies about 18.8 MiB (roughly 526 ms), and needs as much free
      space while it runs. The new file takes the place of the old one only when it has been read
      back and compared; it keeps everything. To be able to go back, add --keep-original.
        qcow2frag defrag reversed.qcow2
PAGE
}

@test "nothing mapped" {
    fixture empty
    page 0 empty.qcow2 <<'PAGE'
empty.qcow2: qcow2 v3, 64 KiB clusters, 1 GiB virtual, 0 B mapped

  Nothing is mapped: there is nothing to read.
PAGE
}

@test "a single cluster" {
    fixture one-cluster
    page 0 one-cluster.qcow2 <<'PAGE'
one-cluster.qcow2: qcow2 v3, 64 KiB clusters, 1 MiB virtual, 64 KiB mapped
  fragmentation score      0.00 %      0 steps back over 1 mapped cluster
  ascending runs           1           mean 64 KiB
  contiguous runs          1           mean 64 KiB, half of the data in runs of 64 KiB or more, longest 64 KiB
  jumps                    none
  time to read it all      1 ms        instead of 1 ms without breaks: 1.00 times (spinning disk)
  data reads               1.00 times as many as without breaks

  Reading the whole disk takes about 1 ms, if the disk spins, as fast as it can be: nothing to do.
PAGE
}

@test "compressed clusters" {
    fixture compressed-random-sizes
    page 0 compressed-random-sizes.qcow2 <<'PAGE'
compressed-random-sizes.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 6.88 MiB mapped
  fragmentation score      0.91 %      1 step back over 110 mapped clusters
  ascending runs           2           mean 3.44 MiB
  contiguous runs          3           mean 2.29 MiB, half of the data in runs of 3.75 MiB or more, longest 3.75 MiB
  jumps                    1 back (mean 692 KiB), 1 forward (mean 649 KiB; 0 of them near)
  time to read it all      35 ms       instead of 25 ms without breaks: 1.37 times (spinning disk)
  data reads               1.00 times as many as without breaks
  compressed               100 of 110 mapped clusters

  Reading the whole disk takes about 35 ms, where 25 ms would be the least, if the disk spins: the
  order is poor, but costs nothing that anyone feels.
PAGE
}

@test "extended L2 entries and zero clusters" {
    fixture extended-l2-partial
    page 0 extended-l2-partial.qcow2 <<'PAGE'
extended-l2-partial.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 248 KiB mapped
  fragmentation score      0.00 %      0 steps back over 6 mapped clusters
  ascending runs           1           mean 248 KiB
  contiguous runs          2           mean 124 KiB, half of the data in runs of 128 KiB or more, longest 128 KiB
  jumps                    0 back, 1 forward (mean 192 KiB; 1 of them near)
  time to read it all      4 ms        instead of 3 ms without breaks: 1.63 times (spinning disk)
  data reads               1.00 times as many as without breaks
  zero clusters            4 (2 of them keep space in the file)

  Reading the whole disk takes about 4 ms, where 3 ms would be the least, if the disk spins: the
  order is poor, but costs nothing that anyone feels.
PAGE
}

@test "an external data file" {
    fixture data-file-raw
    page 0 data-file-raw.qcow2 <<'PAGE'
data-file-raw.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 640 KiB mapped
  external data file       data-raw.raw  (not opened; offsets below are offsets in it)
  fragmentation score      0.00 %      0 steps back over 10 mapped clusters
  ascending runs           1           mean 640 KiB
  contiguous runs          1           mean 640 KiB, half of the data in runs of 640 KiB or more, longest 640 KiB
  jumps                    none
  time to read it all      17 ms       instead of 5 ms without breaks: 3.61 times (spinning disk)
  data reads               1.00 times as many as without breaks
  zero clusters            10 (10 of them keep space in the file)

  Reading the whole disk takes about 17 ms, where 5 ms would be the least, if the disk spins: the
  data lie in guest order in their own file, and no rewrite would change that.
PAGE
}

@test "a backing file" {
    fixture backing
    page 0 backing.qcow2 <<'PAGE'
backing.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 512 KiB mapped
  backing file             missing base.qcow2  (not opened; only this file is measured)
  fragmentation score      0.00 %      0 steps back over 8 mapped clusters
  ascending runs           1           mean 512 KiB
  contiguous runs          1           mean 512 KiB, half of the data in runs of 512 KiB or more, longest 512 KiB
  jumps                    none
  time to read it all      4 ms        instead of 4 ms without breaks: 1.00 times (spinning disk)
  data reads               1.00 times as many as without breaks
  zero clusters            2 (0 of them keep space in the file)

  Reading the whole disk takes about 4 ms, if the disk spins, as fast as it can be: nothing to do.
PAGE
}

@test "a snapshot besides the active state" {
    fixture snapshot-shared
    page 0 snapshot-shared.qcow2 <<'PAGE'
snapshot-shared.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 6.25 MiB mapped
  internal snapshots       1  (--all-snapshots measures each)
  fragmentation score      1.00 %      1 step back over 100 mapped clusters
  ascending runs           2           mean 3.13 MiB
  contiguous runs          3           mean 2.08 MiB, half of the data in runs of 3.13 MiB or more, longest 3.13 MiB
  jumps                    1 back (mean 3.88 MiB), 1 forward (mean 3.88 MiB; 0 of them near)
  time to read it all      59 ms       instead of 44 ms without breaks: 1.34 times (spinning disk)
  data reads               1.29 times as many as without breaks

  Reading the whole disk takes about 59 ms, where 44 ms would be the least, if the disk spins: the
  order is poor, but costs nothing that anyone feels.
PAGE
}

@test "the active state and each snapshot" {
    fixture snapshot-shared
    page 0 --all-snapshots snapshot-shared.qcow2 <<'PAGE'
snapshot-shared.qcow2: qcow2 v3, 64 KiB clusters, 64 MiB virtual, 6.25 MiB mapped
  fragmentation score      1.00 %      1 step back over 100 mapped clusters
  ascending runs           2           mean 3.13 MiB
  contiguous runs          3           mean 2.08 MiB, half of the data in runs of 3.13 MiB or more, longest 3.13 MiB
  jumps                    1 back (mean 3.88 MiB), 1 forward (mean 3.88 MiB; 0 of them near)
  time to read it all      59 ms       instead of 44 ms without breaks: 1.34 times (spinning disk)
  data reads               1.29 times as many as without breaks

  snapshot 1 "before": 64 MiB virtual, 6.25 MiB mapped
  fragmentation score      0.00 %      0 steps back over 100 mapped clusters
  ascending runs           1           mean 6.25 MiB
  contiguous runs          1           mean 6.25 MiB, half of the data in runs of 6.25 MiB or more, longest 6.25 MiB
  jumps                    none
  time to read it all      44 ms       instead of 44 ms without breaks: 1.00 times (spinning disk)
  data reads               1.00 times as many as without breaks

  Reading the whole disk takes about 59 ms, where 44 ms would be the least, if the disk spins: the
  order is poor, but costs nothing that anyone feels.
PAGE
}

@test "a snapshot alone" {
    fixture snapshot-l1-shorter
    page 0 --snapshot small snapshot-l1-shorter.qcow2 <<'PAGE'
snapshot-l1-shorter.qcow2: qcow2 v3, 64 KiB clusters, 4 GiB virtual

  snapshot 1 "small": 512 MiB virtual, 6.25 MiB mapped
  fragmentation score      0.00 %      0 steps back over 100 mapped clusters
  ascending runs           1           mean 6.25 MiB
  contiguous runs          1           mean 6.25 MiB, half of the data in runs of 6.25 MiB or more, longest 6.25 MiB
  jumps                    none
  time to read it all      44 ms       instead of 44 ms without breaks: 1.00 times (spinning disk)
  data reads               1.00 times as many as without breaks

  The data lies in guest order without a break: reading the disk from front to back never jumps.
PAGE
}

@test "histograms" {
    fixture shuffled-groups
    page 0 --histogram shuffled-groups.qcow2 <<'PAGE'
shuffled-groups.qcow2: qcow2 v3, 64 KiB clusters, 256 MiB virtual, 256 MiB mapped
  fragmentation score      3.10 %      127 steps back over 4,096 mapped clusters
  ascending runs           128         mean 2 MiB
  contiguous runs          253         mean 1.01 MiB, half of the data in runs of 1 MiB or more, longest 2 MiB
  jumps                    127 back (mean 81.2 MiB), 125 forward (mean 81.2 MiB; 0 of them near)
  time to read it all      3.1 s       instead of 1.8 s without breaks: 1.71 times (spinning disk)
  data reads               1.00 times as many as without breaks

  contiguous runs by length (share of the data)
    from     1 MiB            250 runs   250 MiB  97.66 %  #############################
    from     2 MiB              3 runs     6 MiB   2.34 %  #

  jumps by distance (share of all jumps)
    from     1 MiB              0 back             1 forward   0.40 %
    from     2 MiB              3 back             2 forward   1.98 %  #
    from     4 MiB              7 back             5 forward   4.76 %  #
    from     8 MiB              9 back             4 forward   5.16 %  ##
    from    16 MiB             17 back            15 forward  12.70 %  ####
    from    32 MiB             26 back            28 forward  21.43 %  ######
    from    64 MiB             36 back            46 forward  32.54 %  ##########
    from   128 MiB             29 back            24 forward  21.03 %  ######

  Reading the whole disk takes about 3.1 s where 1.8 s would do, if the disk spins; all of that is
  the image's own order. Rewritten, it would take 1.8 s. How the file lies on the host is not known.
  Likely cause: clusters lie in the order in which they were first written: 100 % of the breaks.
    Against it: preallocation=falloc (an option -o of qemu-img create or convert, for a new file).

  What to do:
   1. Shut the VM down: nothing may have the image open.
   2. Put the image in order. This copies about 256 MiB (roughly 6.6 s), and needs as much free
      space while it runs. The new file takes the place of the old one only when it has been read
      back and compared; it keeps everything. To be able to go back, add --keep-original.
        qcow2frag defrag shuffled-groups.qcow2
PAGE
}

@test "explanations" {
    fixture two-halves-swapped
    page 0 --verbose two-halves-swapped.qcow2 <<'PAGE'
two-halves-swapped.qcow2: qcow2 v3, 64 KiB clusters, 1 GiB virtual, 1 GiB mapped
  fragmentation score      0.01 %      1 step back over 16,384 mapped clusters
      Read in guest order, the place in the file goes backwards this often, in percent of the
      clusters. On a spinning disk each step back costs a seek and half a turn.
  ascending runs           2           mean 512 MiB
      Stretches between two steps back; jumps forward may lie in them.
  contiguous runs          2           mean 512 MiB, half of the data in runs of 512 MiB or more, longest 512 MiB
      Stretches that can be read without any jump. The half length weighs long runs more: it is the
      length that a byte picked at random is likely to lie in.
  jumps                    1 back (mean 1 GiB), 0 forward
  time to read it all      7.2 s       instead of 7.2 s without breaks: 1.00 times (spinning disk)
      By a model of such a disk, for a guest that reads all of its disk in order, with this file in
      one piece on the host. Ways to the L2 tables are in the first time, not in the second.
  data reads               1.00 times as many as without breaks
      Counted for a guest that reads its whole disk in requests of 1 MiB. This is what an SSD feels.
  as qemu-img check says   16,384/16,384 = 100.00% allocated, 0.00% fragmented, 0.00% compressed
      Its "fragmented" counts every cluster that does not follow the one before, near or far,
      forward or back; it starts anew at each L2 table, counts every compressed cluster and every
      hole kept in step, and includes VM state and zero clusters that hold space. So it differs from
      the score.

  Reading the whole disk takes about 7.2 s, if the disk spins, as fast as it can be: nothing to do.
PAGE
}

@test "sizes in bytes" {
    fixture snapshot-shared
    page 0 --bytes snapshot-shared.qcow2 <<'PAGE'
snapshot-shared.qcow2: qcow2 v3, 65536 B clusters, 67108864 B virtual, 6553600 B mapped
  internal snapshots       1  (--all-snapshots measures each)
  fragmentation score      1.00 %      1 step back over 100 mapped clusters
  ascending runs           2           mean 3276800 B
  contiguous runs          3           mean 2184533 B, half of the data in runs of 3276800 B or more, longest 3276800 B
  jumps                    1 back (mean 4063232 B), 1 forward (mean 4063232 B; 0 of them near)
  time to read it all      59 ms       instead of 44 ms without breaks: 1.34 times (spinning disk)
  data reads               1.29 times as many as without breaks

  Reading the whole disk takes about 59 ms, where 44 ms would be the least, if the disk spins: the
  order is poor, but costs nothing that anyone feels.
PAGE
}

@test "notes and damage" {
    fixture v2-zero
    page 2 v2-zero.qcow2 <<'PAGE'
v2-zero.qcow2: qcow2 v2, 64 KiB clusters, 64 MiB virtual, 256 KiB mapped
  DAMAGED: at least 64 KiB of the guest disk cannot be read, in 1 range:
    0x40000 to 0x50000, 64 KiB
   1. Shut the VM down, and copy the file as it is before anything else: any repair may throw data
      away.
        test ! -e v2-zero.qcow2.damaged && cp -p --sparse=always v2-zero.qcow2 v2-zero.qcow2.damaged
   2. Read what can be read into a new image; convert without --salvage stops at the first damage.
      What cannot be read is zeros there.
        test ! -e v2-zero.qcow2.salvaged && qemu-img convert --salvage -p -O qcow2 v2-zero.qcow2 v2-zero.qcow2.salvaged
   3. See what QEMU finds; this changes nothing.
        qemu-img check v2-zero.qcow2
  fragmentation score      0.00 %      0 steps back over 4 mapped clusters
  ascending runs           1           mean 256 KiB
  contiguous runs          1           mean 256 KiB, half of the data in runs of 256 KiB or more, longest 256 KiB
  jumps                    none
  time to read it all      2 ms        instead of 2 ms without breaks: 1.00 times (spinning disk)
  data reads               1.00 times as many as without breaks
  damaged table entries    1

  damage: l2[0][4] (offset 0x40020): entry 0x0000000000000001 has the zero flag, which version 2 does not know; it is left out

  The image is damaged, and the figures lack what cannot be read: save the data first.
PAGE
}

@test "encryption" {
    image luks <<<'size 16M
crypt luks 100K
map 0..9
map 10..19 reversed'
    page 0 luks <<'PAGE'
luks: qcow2 v3, 64 KiB clusters, 16 MiB virtual, 1.25 MiB mapped
  encryption               LUKS  (no key is needed to measure)
  fragmentation score      45.00 %     9 steps back over 20 mapped clusters
  ascending runs           10          mean 128 KiB
  contiguous runs          11          mean 116 KiB, half of the data in runs of 640 KiB or more, longest 640 KiB
  jumps                    9 back (mean 128 KiB), 1 forward (mean 576 KiB; 0 of them near)
  time to read it all      58 ms       instead of 9 ms without breaks: 6.31 times (spinning disk)
  data reads               5.50 times as many as without breaks

  Reading the whole disk takes about 58 ms, where 9 ms would be the least, if the disk spins: the
  order is poor, but costs nothing that anyone feels.
PAGE
}

@test "one of a kind is in the singular" {
    # Of 65,536 snapshots that are all the same, the page is said once.
    "$MKQCOW2" --into . "$TESTS"/images/*.txt "$TESTS"/images/damage/*.txt
    python "$QCOW2FRAG" *.qcow2 >pages 2>&1 <<'PYTHON' || told "not each was measured:" pages
import sys
from again import Again
program, *images = sys.argv[1:]
with Again(program) as process:
    for image in images:
        snapshots = [] if image.startswith("044-snapshots-6553") else ["--all-snapshots"]
        status, out, err, *_ = process.run("--space", *snapshots, "--histogram", image)
        sys.stdout.buffer.write(out + err)
        if status not in (0, 1, 2):
            sys.exit(f"{image}: status {status}")
PYTHON
    [ "$(grep -c "score" pages)" -gt 300 ] || told "so few pages:" pages
    grep -qw '1 mapped cluster' pages
    grep -E '(^|[^A-Za-z0-9,.])1 (mapped |contiguous |short |internal )?[a-z]*(step|cluster|run|gap|piece|entrie|image|reference|snapshot|extent|byte|bitmap|seek)s( |,|;|:|\.|$)' pages >wrong || true
    is_empty wrong
}

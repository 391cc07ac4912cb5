#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Self-check of the oracle: small cases of every definition, worked out by hand, without any image.

A case is a list of pieces in guest order. With clusters of 64 KiB, `std(3, 7)` is guest cluster 3 at
host cluster 7, and `comp(3, 1000, 2048)` is guest cluster 3 compressed, its data beginning at byte 1000
and its last sector ending at byte 2048. What must come out stands beside it as a number, never as a
formula of the oracle's.
"""

import sys
import unittest

sys.dont_write_bytecode = True
import oracle                                                                               # noqa: E402
from oracle import Piece                                                                    # noqa: E402

K = 1024
M = 1024 * K
C = 64 * K          # cluster size of most cases
SUB = 2 * K         # its subcluster
DISK = 1024 * M
SLICE = 512 * M     # guest bytes of an 8192-entry table of 64 KiB clusters


def std(guest, host, subclusters=None):
    """Guest cluster `guest` at host cluster `host`; subclusters as a list of (first, after the last)."""
    data = None
    if subclusters is not None:
        data = tuple((guest * C + a * SUB, guest * C + b * SUB) for a, b in subclusters)
    return Piece(guest * C, host * C, (host + 1) * C, False, data)


def comp(guest, begin, end):
    return Piece(guest * C, begin, end, True)


def figures(*pieces, cluster=C, disk=DISK, slice_guest=SLICE):
    walk = oracle.Figures(cluster, disk, slice_guest)
    for piece in pieces:
        walk.add(piece)
    return walk.result()


class Case(unittest.TestCase):
    def expect(self, result, **values):
        for key, value in values.items():
            self.assertEqual(result[key], value, key)


class Nothing(Case):
    def test_nothing_mapped(self):
        self.expect(figures(), mapped_clusters=0, mapped_bytes=0, backward_steps=0, breaks=0, jump_histogram=[],
                    run_histogram=[], ascending_runs=0, contiguous_runs=0, fragmentation_score=None,
                    ascending_run_mean_bytes=None, contiguous_run_mean_bytes=None,
                    contiguous_run_half_bytes=None, contiguous_run_max_bytes=None,
                    backward_jump_mean_bytes=None, forward_jump_mean_bytes=None, read_split=None)

    def test_one_cluster(self):
        self.expect(figures(std(5, 9)), mapped_clusters=1, mapped_bytes=65536, breaks=0, ascending_runs=1,
                    contiguous_runs=1, fragmentation_score=0.0, contiguous_run_half_bytes=65536,
                    run_histogram=[{"from_bytes": 65536, "runs": 1, "bytes": 65536}],
                    backward_jump_mean_bytes=None, read_split=1.0)


class Steps(Case):
    def test_begins_where_the_previous_ends(self):
        self.expect(figures(std(0, 5), std(1, 6), std(2, 7)), breaks=0, contiguous_runs=1)

    def test_adjacent_on_the_host_over_a_guest_hole(self):
        self.expect(figures(std(0, 5), std(9, 6)), breaks=0)

    def test_hole_kept_in_step(self):
        self.expect(figures(std(0, 5), std(4, 9)), breaks=0, contiguous_run_max_bytes=131072)

    def test_hole_not_kept_in_step(self):
        self.expect(figures(std(0, 5), std(4, 8)), breaks=1, forward_jumps=1, near_jumps=1,
                    forward_jump_mean_bytes=131072.0,
                    jump_histogram=[{"from_bytes": 131072, "backward": 0, "forward": 1}])

    def test_backward(self):
        # 5 -> 2: from the end of 5, at 6, to 2: four clusters back.
        self.expect(figures(std(0, 5), std(1, 2)), backward_steps=1, forward_jumps=0, breaks=1, near_jumps=0,
                    backward_jump_mean_bytes=262144.0, fragmentation_score=0.5, ascending_runs=2,
                    ascending_run_mean_bytes=65536.0,
                    jump_histogram=[{"from_bytes": 262144, "backward": 1, "forward": 0}])

    def test_same_position_is_backward(self):
        self.expect(figures(std(0, 5), std(1, 5)), backward_steps=1, backward_jump_mean_bytes=65536.0)

    def test_near_up_to_512_kib(self):
        self.expect(figures(std(0, 5), std(1, 14)), forward_jumps=1, near_jumps=1,
                    forward_jump_mean_bytes=524288.0)
        self.expect(figures(std(0, 5), std(1, 15)), forward_jumps=1, near_jumps=0,
                    forward_jump_mean_bytes=589824.0)

    def test_backward_is_never_near(self):
        self.expect(figures(std(0, 5), std(1, 4)), backward_steps=1, near_jumps=0)

    def test_two_halves_in_reverse_order(self):
        self.expect(figures(std(0, 8), std(1, 9), std(2, 4), std(3, 5)), backward_steps=1,
                    fragmentation_score=0.25, ascending_runs=2, contiguous_runs=2,
                    ascending_run_mean_bytes=131072.0, contiguous_run_mean_bytes=131072.0)

    def test_distances_of_both_directions_share_a_bucket(self):
        # Ends at 6, goes to 3 (3 clusters back), ends at 4, goes to 6 (2 clusters on).
        self.expect(figures(std(0, 5), std(1, 3), std(2, 6)),
                    jump_histogram=[{"from_bytes": 131072, "backward": 1, "forward": 1}],
                    backward_jump_mean_bytes=196608.0, forward_jump_mean_bytes=131072.0)


class Compressed(Case):
    def test_next_in_the_last_sector(self):
        self.expect(figures(comp(0, 100, 1024), comp(1, 700, 2048)), breaks=0, compressed_clusters=2,
                    mapped_bytes=131072, contiguous_run_max_bytes=131072)

    def test_next_at_the_first_byte_of_the_last_sector(self):
        self.expect(figures(comp(0, 100, 1024), comp(1, 512, 2048)), breaks=0)

    def test_next_before_the_last_sector(self):
        # Above the previous position, so it is a forward jump; 1024 - 511 = 513 bytes.
        self.expect(figures(comp(0, 100, 1024), comp(1, 511, 2048)), breaks=1, forward_jumps=1, near_jumps=1,
                    jump_histogram=[{"from_bytes": 512, "backward": 0, "forward": 1}])

    def test_next_not_after_the_previous_begins(self):
        # Both in the one sector: the later guest cluster has the earlier bytes.
        self.expect(figures(comp(0, 100, 512), comp(1, 100, 512)), backward_steps=1)
        self.expect(figures(comp(0, 100, 512), comp(1, 40, 512)), backward_steps=1,
                    jump_histogram=[{"from_bytes": 256, "backward": 1, "forward": 0}])

    def test_padding_up_to_the_cluster(self):
        self.expect(figures(comp(0, 100, 1024), comp(1, 65536, 66048)), breaks=0)
        self.expect(figures(comp(0, 100, 1024), comp(1, 65537, 66048)), forward_jumps=1,
                    forward_jump_mean_bytes=64513.0)

    def test_compressed_then_standard(self):
        self.expect(figures(comp(0, 100, 1024), std(1, 1)), breaks=0)
        self.expect(figures(comp(0, 100, 1024), std(1, 2)), forward_jumps=1)

    def test_standard_then_compressed(self):
        # The end of a standard cluster is a cluster's border: no padding is left to skip.
        self.expect(figures(std(0, 1), comp(1, 131072, 132096)), breaks=0)
        self.expect(figures(std(0, 1), comp(1, 131073, 132096)), forward_jumps=1)

    def test_no_hole_in_step(self):
        self.expect(figures(std(0, 1), comp(2, 3 * 65536, 3 * 65536 + 512)), forward_jumps=1)

    def test_a_guest_hole_is_no_break(self):
        self.expect(figures(comp(0, 100, 1024), comp(7, 700, 2048)), breaks=0)


class Runs(Case):
    def test_half_length(self):
        # Runs of 4, 2, 1 and 1 clusters: the one of 4 holds exactly half.
        self.expect(figures(std(0, 20), std(1, 21), std(2, 22), std(3, 23), std(4, 10), std(5, 11),
                            std(6, 40), std(7, 2)),
                    contiguous_runs=4, contiguous_run_half_bytes=262144, contiguous_run_max_bytes=262144,
                    contiguous_run_mean_bytes=131072.0,
                    run_histogram=[{"from_bytes": 65536, "runs": 2, "bytes": 131072},
                                   {"from_bytes": 131072, "runs": 1, "bytes": 131072},
                                   {"from_bytes": 262144, "runs": 1, "bytes": 262144}])

    def test_half_length_below_half(self):
        # Runs of 3, 2 and 2: 3 of 7 are not half, so it takes a run of 2.
        self.expect(figures(std(0, 30), std(1, 31), std(2, 32), std(3, 20), std(4, 21), std(5, 10),
                            std(6, 11)), contiguous_run_half_bytes=131072, contiguous_run_max_bytes=196608)

    def test_holes_in_step_are_not_length(self):
        self.expect(figures(std(0, 0), std(2, 2), std(4, 4)), contiguous_runs=1, mapped_bytes=196608,
                    run_histogram=[{"from_bytes": 131072, "runs": 1, "bytes": 196608}])

    def test_subclusters_count_for_themselves(self):
        self.expect(figures(std(0, 5, [(0, 1)]), std(1, 6, [(0, 2), (30, 32)])), mapped_clusters=2,
                    mapped_bytes=10240, contiguous_runs=1, contiguous_run_max_bytes=10240,
                    run_histogram=[{"from_bytes": 8192, "runs": 1, "bytes": 10240}])


class Reads(Case):
    def test_a_break_inside_a_request(self):
        self.expect(figures(std(0, 5), std(1, 9)), read_split=2.0)

    def test_a_break_at_a_request_border_costs_nothing(self):
        pieces = [std(n, 5 + n) for n in range(16)] + [std(16 + n, 100 + n) for n in range(16)]
        self.expect(figures(*pieces), breaks=1, read_split=1.0)

    def test_a_break_at_a_slice_border_costs_nothing(self):
        self.expect(figures(std(0, 5), std(1, 9), slice_guest=C), read_split=1.0)

    def test_a_break_at_a_hole_costs_nothing(self):
        self.expect(figures(std(0, 5), std(2, 90)), breaks=1, read_split=1.0)

    def test_requests_are_cut_with_and_without_breaks(self):
        # 32 clusters are two requests; one break within the second: 3 reads for 2.
        pieces = [std(n, 5 + n) for n in range(20)] + [std(20 + n, 100 + n) for n in range(12)]
        self.expect(figures(*pieces), read_split=1.5)

    def test_compressed_clusters_are_one_read_each(self):
        self.expect(figures(comp(0, 100, 1024), comp(1, 700, 2048), comp(2, 90, 512)), breaks=1,
                    read_split=1.0)

    def test_a_break_after_a_compressed_cluster_costs_nothing(self):
        self.expect(figures(comp(0, 100, 1024), std(1, 9), std(2, 20)), breaks=2, read_split=1.5)

    def test_a_large_cluster_is_several_requests(self):
        large = 2 * M
        pieces = [Piece(0, large, 2 * large, False), Piece(large, 9 * large, 10 * large, False)]
        self.expect(figures(*pieces, cluster=large), breaks=1, read_split=1.0)

    def test_a_large_compressed_cluster_is_read_by_each_request(self):
        # Two requests for it, then two for the standard cluster; the last one has half a cluster.
        large = 2 * M
        walk = oracle.ReadSplit(large, 2 * large + M, 1 << 40)
        walk.add(Piece(0, 100, 1024, True), False)
        self.assertEqual((walk.reads, walk.reads_without_breaks), (2, 2))
        walk.add(Piece(large, 5 * large, 6 * large, False), True)
        self.assertEqual((walk.reads, walk.reads_without_breaks), (4, 4))
        walk.add(Piece(2 * large, 100, 1024, True), True)
        self.assertEqual((walk.reads, walk.reads_without_breaks), (5, 5))

    def test_what_is_encrypted_is_read_in_parts_from_each_begin_on(self):
        # 40 clusters of 64 KiB, at most 8 of them at a time: 8 8, 8 8, 8. With a break before the
        # second one: 1 8 7, 8 8, 8.
        for is_break, expected in ((False, 5), (True, 6)):
            walk = oracle.ReadSplit(C, DISK, 1 << 40, 8 * C)
            for n in range(40):
                walk.add(Piece(n * C, n * C, (n + 1) * C, False), is_break and n == 1)
            self.assertEqual((walk.reads, walk.reads_without_breaks), (expected, 5))

    def test_the_last_cluster_is_read_up_to_the_end_of_the_disk(self):
        large = 2 * M
        walk = oracle.ReadSplit(large, large + M, 1 << 40)
        walk.add(Piece(0, 0, large, False), False)
        walk.add(Piece(large, large, 2 * large, False), False)
        self.assertEqual((walk.reads, walk.reads_without_breaks), (3, 3))

    def test_unallocated_subclusters_end_a_read(self):
        # Three stretches in cluster 0, the last reaches into cluster 1, which lies elsewhere: 4 for 3.
        result = figures(std(0, 5, [(0, 4), (8, 9), (31, 32)]), std(1, 9, [(0, 32)]))
        self.expect(result, breaks=1)
        self.assertAlmostEqual(result["read_split"], 4 / 3)

    def test_a_break_behind_unallocated_subclusters_costs_nothing(self):
        self.expect(figures(std(0, 5, [(0, 31)]), std(1, 9, [(0, 32)])), breaks=1, read_split=1.0)
        self.expect(figures(std(0, 5, [(0, 32)]), std(1, 9, [(1, 32)])), breaks=1, read_split=1.0)


class FakeImage:
    """As much of an image as decoding an entry asks for."""

    def __init__(self, cluster_bits=16, version=3, extended_l2=False, has_data_file=False, file_bytes=1 << 40):
        self.cluster_bits, self.cluster = cluster_bits, 1 << cluster_bits
        self.version, self.extended_l2, self.has_data_file = version, extended_l2, has_data_file
        self.file_bytes = file_bytes

    def rejects(self, l2_offset):
        return False


class Entries(Case):
    def decode(self, entry, bitmap=0, guest=0, **image):
        return oracle.decode_l2_entry(FakeImage(**image), guest, entry, bitmap)

    def assert_skipped(self, entry):
        self.assertEqual((entry.piece, entry.zero, entry.zero_allocated, entry.corrupt),
                         (None, False, False, True))

    def test_standard(self):
        self.assertEqual(self.decode(0x8000000000050000).piece, Piece(0, 0x50000, 0x60000, False))
        self.assertIsNone(self.decode(0x8000000000000000).piece)

    def test_zero(self):
        plain, allocated = self.decode(1), self.decode(0x8000000000050001)
        self.assertEqual((plain.piece, plain.zero, plain.zero_allocated), (None, True, False))
        self.assertEqual((allocated.piece, allocated.zero, allocated.zero_allocated), (None, True, True))

    def test_compressed(self):
        # 64 KiB clusters: 54 bits of offset, then the number of further sectors.
        entry = self.decode(1 << 62 | 3 << 54 | 0x50123, guest=65536)
        self.assertEqual(entry.piece, Piece(65536, 0x50123, 0x50800, True))
        # 512-byte clusters: 61 bits of offset, one bit of sectors.
        entry = self.decode(1 << 62 | 1 << 61 | 0x5001, cluster_bits=9)
        self.assertEqual(entry.piece, Piece(0, 0x5001, 0x5400, True))

    def test_data_file(self):
        self.assertEqual(self.decode(1 << 63, has_data_file=True).piece, Piece(0, 0, 65536, False))
        self.assertEqual(self.decode(0, has_data_file=True), oracle.UNALLOCATED)
        self.assertTrue(self.decode(1, has_data_file=True).zero)
        self.assert_skipped(self.decode(0x8000000000050000, guest=65536, has_data_file=True))
        self.assert_skipped(self.decode(1 << 63, guest=65536, has_data_file=True))
        self.assert_skipped(self.decode(1 << 62 | 0x50000, has_data_file=True))

    def test_extended(self):
        entry = self.decode(0x8000000000050000, 0x80000005, extended_l2=True)
        self.assertEqual(entry.piece.data, ((0, 2048), (4096, 6144), (63488, 65536)))
        entry = self.decode(0x8000000000050000, 1 << 32, extended_l2=True)
        self.assertEqual((entry.piece, entry.zero, entry.zero_allocated), (None, True, True))
        entry = self.decode(0, 1 << 63, extended_l2=True)
        self.assertEqual((entry.piece, entry.zero, entry.zero_allocated), (None, True, False))
        self.assertEqual(self.decode(0x8000000000050000, 0, extended_l2=True), oracle.UNALLOCATED)
        self.assertEqual(self.decode(1, 0, extended_l2=True), oracle.UNALLOCATED)
        self.assertTrue(self.decode(1 << 62 | 0x50000, 0, extended_l2=True).piece.compressed)

    def test_extended_damage(self):
        self.assert_skipped(self.decode(0x8000000000050000, 1 << 32 | 1, extended_l2=True))
        self.assert_skipped(self.decode(0, 1, extended_l2=True))
        self.assert_skipped(self.decode(1 << 62 | 0x50000, 1, extended_l2=True))

    def test_reserved_bits_are_counted_and_masked(self):
        entry = self.decode(0x8100000000050004)
        self.assertEqual((entry.piece.position, entry.corrupt), (0x50000, True))

    def test_skipped(self):
        self.assert_skipped(self.decode(0x8000000000050200))
        self.assert_skipped(self.decode(0x8000000000050201))
        self.assert_skipped(self.decode(0x8000000000050001, version=2))

    def test_past_the_end(self):
        # The file ends inside the cluster at 0x50000: that one is fine, the one after it is not there.
        self.assertIsNotNone(self.decode(0x8000000000050000, file_bytes=0x50001).piece)
        self.assert_skipped(self.decode(0x8000000000050000, file_bytes=0x50000))
        self.assert_skipped(self.decode(0x8000000000050001, file_bytes=0x50000))

    def test_compressed_past_the_end(self):
        entry = 1 << 62 | 200 << 54 | 0x50100        # 201 sectors: up to 0x50000 + 102912
        self.assertIsNotNone(self.decode(entry, file_bytes=0x50000 + 102912 - 65535).piece)
        self.assert_skipped(self.decode(entry, file_bytes=0x50000 + 102912 - 65536))
        self.assert_skipped(self.decode(1 << 62 | 0x50100, file_bytes=0x50100))
        self.assertIsNotNone(self.decode(1 << 62 | 0x50100, file_bytes=0x50101).piece)

    def test_compressed_with_copied_is_counted_and_decoded(self):
        entry = self.decode(3 << 62 | 0x50123)
        self.assertEqual((entry.piece.position, entry.corrupt), (0x50123, True))

    def test_l1(self):
        image = FakeImage(file_bytes=0x60000)
        self.assertEqual(oracle.decode_l1_entry(image, 0x8000000000050000), (0x50000, False))
        self.assertEqual(oracle.decode_l1_entry(image, 0x8100000000050001), (0x50000, True))
        self.assertEqual(oracle.decode_l1_entry(image, 0x8000000000050200), (0, True))
        self.assertEqual(oracle.decode_l1_entry(image, 0x8000000000060000), (0, True))
        self.assertEqual(oracle.decode_l1_entry(image, 0x8000000000000000), (0, True))


class Compare(Case):
    def differences(self, ours, expected):
        return [key for key, _, _ in oracle.differences("", ours, expected)]

    def test_doubles_within_a_billionth(self):
        self.assertEqual(self.differences({"a": 1.0000000005}, {"a": 1.0}), [])
        self.assertEqual(self.differences({"a": 1.000000002}, {"a": 1.0}), ["a"])
        self.assertEqual(self.differences({"a": 2}, {"a": 2.0}), [])

    def test_integers_exactly(self):
        self.assertEqual(self.differences({"a": 5.0}, {"a": 5}), ["a"])
        self.assertEqual(self.differences({"a": True}, {"a": 1}), ["a"])

    def test_null_is_not_zero(self):
        self.assertEqual(self.differences({"a": 0}, {"a": None}), ["a"])
        self.assertEqual(self.differences({"a": None}, {"a": 0.0}), ["a"])

    def test_missing_keys_differ_and_further_keys_do_not(self):
        self.assertEqual(self.differences({"b": 1}, {"a": 1}), ["a"])
        self.assertEqual(self.differences({"a": 1, "b": 1}, {"a": 1}), [])

    def test_lists(self):
        self.assertEqual(self.differences({"a": [{"b": 1}, {"b": 3}]}, {"a": [{"b": 1}, {"b": 2}]}), ["a[1].b"])
        self.assertEqual(self.differences({"a": [1]}, {"a": [1, 2]}), ["a.length"])

    def test_names(self):
        self.assertEqual(oracle.text(b"a\xe2\x82b\0c"), "a\ufffd\ufffdb\ufffdc")


class Small(Case):
    def test_power_of_two(self):
        self.assertEqual([oracle.power_of_two(n) for n in (0, 1, 2, 3, 4, 1023, 1024)],
                         [0, 1, 2, 2, 4, 512, 1024])


if __name__ == "__main__":
    unittest.main()

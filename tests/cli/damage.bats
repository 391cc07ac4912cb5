#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Damaged and odd images, one a test: exit status, findings and figures are those that the fixture
# asks for, nothing crashes, hangs or takes much memory.
#
# Printed by generate-damage: do not edit.

load helper
load damage

@test "001-empty-file" { damaged 001-empty-file; }
@test "001-magic-wrong" { damaged 001-magic-wrong; }
@test "001-magic-zero" { damaged 001-magic-zero; }
@test "001-three-bytes" { damaged 001-three-bytes; }
@test "002-version-0" { damaged 002-version-0; }
@test "002-version-1" { damaged 002-version-1; }
@test "002-version-4" { damaged 002-version-4; }
@test "002-version-max" { damaged 002-version-max; }
@test "003-cluster-bits-0" { damaged 003-cluster-bits-0; }
@test "003-cluster-bits-22" { damaged 003-cluster-bits-22; }
@test "003-cluster-bits-63" { damaged 003-cluster-bits-63; }
@test "003-cluster-bits-64" { damaged 003-cluster-bits-64; }
@test "003-cluster-bits-8" { damaged 003-cluster-bits-8; }
@test "003-cluster-bits-max" { damaged 003-cluster-bits-max; }
@test "004-cluster-bits-smaller" { damaged 004-cluster-bits-smaller; }
@test "005-header-length-0" { damaged 005-header-length-0; }
@test "005-header-length-100" { damaged 005-header-length-100; }
@test "006-header-length-max" { damaged 006-header-length-max; }
@test "006-header-length-over-cluster" { damaged 006-header-length-over-cluster; }
@test "007-header-length-105-extension" { damaged 007-header-length-105-extension; }
@test "007-header-length-105" { damaged 007-header-length-105; }
@test "008-header-length-cluster-512" { damaged 008-header-length-cluster-512; }
@test "008-header-length-cluster" { damaged 008-header-length-cluster; }
@test "009-header-length-104-garbage" { damaged 009-header-length-104-garbage; }
@test "009-header-length-104" { damaged 009-header-length-104; }
@test "010-size-511" { damaged 010-size-511; }
@test "010-size-plus-1" { damaged 010-size-plus-1; }
@test "010-size-plus-511" { damaged 010-size-plus-511; }
@test "011-size-0-no-l1" { damaged 011-size-0-no-l1; }
@test "011-size-0" { damaged 011-size-0; }
@test "012-size-2p62" { damaged 012-size-2p62; }
@test "012-size-2p63" { damaged 012-size-2p63; }
@test "012-size-max-aligned" { damaged 012-size-max-aligned; }
@test "012-size-max-cluster-2m" { damaged 012-size-max-cluster-2m; }
@test "012-size-max-cluster-512" { damaged 012-size-max-cluster-512; }
@test "012-size-max" { damaged 012-size-max; }
@test "013-size-over-l1-by-512" { damaged 013-size-over-l1-by-512; }
@test "013-size-over-l1" { damaged 013-size-over-l1; }
@test "014-l1-size-4194305" { damaged 014-l1-size-4194305; }
@test "014-l1-size-max" { damaged 014-l1-size-max; }
@test "015-l1-size-4194304" { damaged 015-l1-size-4194304; }
@test "016-l1-size-0" { damaged 016-l1-size-0; }
@test "017-l1-unaligned-1" { damaged 017-l1-unaligned-1; }
@test "017-l1-unaligned-512" { damaged 017-l1-unaligned-512; }
@test "018-l1-end-over-2p63" { damaged 018-l1-end-over-2p63; }
@test "018-l1-end-wraps" { damaged 018-l1-end-wraps; }
@test "018-l1-offset-2p63" { damaged 018-l1-offset-2p63; }
@test "019-l1-at-2p45" { damaged 019-l1-at-2p45; }
@test "019-l1-half-past-end" { damaged 019-l1-half-past-end; }
@test "019-l1-past-end" { damaged 019-l1-past-end; }
@test "020-l1-at-0" { damaged 020-l1-at-0; }
@test "021-reftable-clusters-0-space" { damaged 021-reftable-clusters-0-space; }
@test "021-reftable-clusters-0" { damaged 021-reftable-clusters-0; }
@test "022-reftable-clusters-129" { damaged 022-reftable-clusters-129; }
@test "022-reftable-clusters-max" { damaged 022-reftable-clusters-max; }
@test "023-reftable-2p63" { damaged 023-reftable-2p63; }
@test "023-reftable-end-over-2p63" { damaged 023-reftable-end-over-2p63; }
@test "023-reftable-unaligned" { damaged 023-reftable-unaligned; }
@test "024-reftable-at-0" { damaged 024-reftable-at-0; }
@test "024-reftable-at-2p45" { damaged 024-reftable-at-2p45; }
@test "024-reftable-half-past-end" { damaged 024-reftable-half-past-end; }
@test "024-reftable-past-end-space" { damaged 024-reftable-past-end-space; }
@test "024-reftable-past-end" { damaged 024-reftable-past-end; }
@test "025-reftable-on-l1-shared" { damaged 025-reftable-on-l1-shared; }
@test "025-reftable-on-l1-space" { damaged 025-reftable-on-l1-space; }
@test "025-reftable-on-l1" { damaged 025-reftable-on-l1; }
@test "025-reftable-over-l1-space" { damaged 025-reftable-over-l1-space; }
@test "025-reftable-over-l1" { damaged 025-reftable-over-l1; }
@test "025-reftable-over-l2-alone" { damaged 025-reftable-over-l2-alone; }
@test "025-reftable-over-l2" { damaged 025-reftable-over-l2; }
@test "026-refcount-order-7" { damaged 026-refcount-order-7; }
@test "026-refcount-order-max" { damaged 026-refcount-order-max; }
@test "027-refcount-order-3-space" { damaged 027-refcount-order-3-space; }
@test "027-refcount-order-3" { damaged 027-refcount-order-3; }
@test "028-crypt-3" { damaged 028-crypt-3; }
@test "028-crypt-max" { damaged 028-crypt-max; }
@test "029-luks-without-header" { damaged 029-luks-without-header; }
@test "030-aes-on-plain" { damaged 030-aes-on-plain; }
@test "031-incompatible-5-extension-broken" { damaged 031-incompatible-5-extension-broken; }
@test "031-incompatible-5-hostile-name" { damaged 031-incompatible-5-hostile-name; }
@test "031-incompatible-5-named" { damaged 031-incompatible-5-named; }
@test "031-incompatible-5-table-cut" { damaged 031-incompatible-5-table-cut; }
@test "031-incompatible-5" { damaged 031-incompatible-5; }
@test "031-incompatible-63-named" { damaged 031-incompatible-63-named; }
@test "031-incompatible-63" { damaged 031-incompatible-63; }
@test "031-incompatible-all" { damaged 031-incompatible-all; }
@test "032-dirty-space" { damaged 032-dirty-space; }
@test "032-dirty" { damaged 032-dirty; }
@test "033-corrupt" { damaged 033-corrupt; }
@test "034-data-file-bit-alone" { damaged 034-data-file-bit-alone; }
@test "034-data-file-no-name" { damaged 034-data-file-no-name; }
@test "035-compression-bit-header-104" { damaged 035-compression-bit-header-104; }
@test "035-compression-bit-type-0" { damaged 035-compression-bit-type-0; }
@test "035-compression-type-1-no-bit" { damaged 035-compression-type-1-no-bit; }
@test "035-compression-type-9-no-bit" { damaged 035-compression-type-9-no-bit; }
@test "035-compression-type-9" { damaged 035-compression-type-9; }
@test "036-extended-l2-bit-beyond-2g" { damaged 036-extended-l2-bit-beyond-2g; }
@test "036-extended-l2-bit-cleared" { damaged 036-extended-l2-bit-cleared; }
@test "036-extended-l2-bit" { damaged 036-extended-l2-bit; }
@test "037-extended-l2-cluster-bits-13" { damaged 037-extended-l2-cluster-bits-13; }
@test "037-extended-l2-cluster-bits-9" { damaged 037-extended-l2-cluster-bits-9; }
@test "038-compatible-all" { damaged 038-compatible-all; }
@test "038-compatible-unknown" { damaged 038-compatible-unknown; }
@test "039-autoclear-all-unknown" { damaged 039-autoclear-all-unknown; }
@test "039-autoclear-unknown" { damaged 039-autoclear-unknown; }
@test "040-bitmaps-bit-alone" { damaged 040-bitmaps-bit-alone; }
@test "041-raw-bit-alone" { damaged 041-raw-bit-alone; }
@test "042-snapshots-65537" { damaged 042-snapshots-65537; }
@test "042-snapshots-max" { damaged 042-snapshots-max; }
@test "043-snapshots-2p63" { damaged 043-snapshots-2p63; }
@test "043-snapshots-unaligned-none" { damaged 043-snapshots-unaligned-none; }
@test "043-snapshots-unaligned" { damaged 043-snapshots-unaligned; }
@test "044-snapshots-65535-empty" { damaged 044-snapshots-65535-empty; }
@test "044-snapshots-65536-zeros-short" { damaged 044-snapshots-65536-zeros-short; }
@test "044-snapshots-65536-zeros-v2" { damaged 044-snapshots-65536-zeros-v2; }
@test "044-snapshots-65536-zeros" { damaged 044-snapshots-65536-zeros; }
@test "044-snapshots-short-beside-long" { damaged 044-snapshots-short-beside-long; }
@test "045-snapshots-at-0" { damaged 045-snapshots-at-0; }
@test "045-snapshots-at-2p45" { damaged 045-snapshots-at-2p45; }
@test "045-snapshots-cut-in-entry" { damaged 045-snapshots-cut-in-entry; }
@test "045-snapshots-cut-in-name" { damaged 045-snapshots-cut-in-name; }
@test "045-snapshots-past-end" { damaged 045-snapshots-past-end; }
@test "046-snapshots-on-l1-v2" { damaged 046-snapshots-on-l1-v2; }
@test "046-snapshots-on-l1" { damaged 046-snapshots-on-l1; }
@test "047-one-snapshot-too-many-at-end" { damaged 047-one-snapshot-too-many-at-end; }
@test "047-one-snapshot-too-many-garbage" { damaged 047-one-snapshot-too-many-garbage; }
@test "047-one-snapshot-too-many" { damaged 047-one-snapshot-too-many; }
@test "048-snapshot-l1-unaligned-1" { damaged 048-snapshot-l1-unaligned-1; }
@test "048-snapshot-l1-unaligned" { damaged 048-snapshot-l1-unaligned; }
@test "049-snapshot-l1-at-0" { damaged 049-snapshot-l1-at-0; }
@test "049-snapshot-l1-at-2p45" { damaged 049-snapshot-l1-at-2p45; }
@test "049-snapshot-l1-at-2p63" { damaged 049-snapshot-l1-at-2p63; }
@test "049-snapshot-l1-past-end" { damaged 049-snapshot-l1-past-end; }
@test "049-snapshot-l1-wraps" { damaged 049-snapshot-l1-wraps; }
@test "050-snapshot-l1-size-2p28" { damaged 050-snapshot-l1-size-2p28; }
@test "050-snapshot-l1-size-max" { damaged 050-snapshot-l1-size-max; }
@test "051-snapshot-l1-size-4194304-hole" { damaged 051-snapshot-l1-size-4194304-hole; }
@test "051-snapshot-l1-size-4194304" { damaged 051-snapshot-l1-size-4194304; }
@test "052-snapshot-l1-size-0-at-0" { damaged 052-snapshot-l1-size-0-at-0; }
@test "052-snapshot-l1-size-0" { damaged 052-snapshot-l1-size-0; }
@test "053-snapshot-l1-is-active" { damaged 053-snapshot-l1-is-active; }
@test "053-snapshot-l1-is-another" { damaged 053-snapshot-l1-is-another; }
@test "053-snapshot-l1-over-active" { damaged 053-snapshot-l1-over-active; }
@test "053-snapshot-l1-over-another" { damaged 053-snapshot-l1-over-another; }
@test "054-snapshot-extra-1024" { damaged 054-snapshot-extra-1024; }
@test "054-snapshot-extra-1025" { damaged 054-snapshot-extra-1025; }
@test "054-snapshot-extra-2000" { damaged 054-snapshot-extra-2000; }
@test "054-snapshot-extra-max" { damaged 054-snapshot-extra-max; }
@test "055-snapshot-extra-0-v2" { damaged 055-snapshot-extra-0-v2; }
@test "055-snapshot-extra-0" { damaged 055-snapshot-extra-0; }
@test "055-snapshot-extra-8" { damaged 055-snapshot-extra-8; }
@test "055-snapshot-extra-none" { damaged 055-snapshot-extra-none; }
@test "056-snapshot-both-65535" { damaged 056-snapshot-both-65535; }
@test "056-snapshot-id-65535" { damaged 056-snapshot-id-65535; }
@test "056-snapshot-name-255" { damaged 056-snapshot-name-255; }
@test "056-snapshot-name-65535" { damaged 056-snapshot-name-65535; }
@test "056-snapshot-name-empty" { damaged 056-snapshot-name-empty; }
@test "056-snapshot-name-past-end" { damaged 056-snapshot-name-past-end; }
@test "057-snapshot-same-id" { damaged 057-snapshot-same-id; }
@test "058-snapshot-disk-size-2p63" { damaged 058-snapshot-disk-size-2p63; }
@test "058-snapshot-disk-size-max" { damaged 058-snapshot-disk-size-max; }
@test "058-snapshot-vm-state-2p63" { damaged 058-snapshot-vm-state-2p63; }
@test "058-snapshot-vm-state-max" { damaged 058-snapshot-vm-state-max; }
@test "059-backing-offset-2p63" { damaged 059-backing-offset-2p63; }
@test "059-backing-offset-cluster-empty" { damaged 059-backing-offset-cluster-empty; }
@test "059-backing-offset-cluster" { damaged 059-backing-offset-cluster; }
@test "059-backing-offset-max" { damaged 059-backing-offset-max; }
@test "059-backing-offset-over-cluster" { damaged 059-backing-offset-over-cluster; }
@test "060-backing-over-cluster" { damaged 060-backing-over-cluster; }
@test "060-backing-size-1024" { damaged 060-backing-size-1024; }
@test "060-backing-size-max" { damaged 060-backing-size-max; }
@test "061-backing-in-header-40" { damaged 061-backing-in-header-40; }
@test "061-backing-in-header" { damaged 061-backing-in-header; }
@test "061-backing-size-0" { damaged 061-backing-size-0; }
@test "062-backing-nul" { damaged 062-backing-nul; }
@test "063-backing-1023" { damaged 063-backing-1023; }
@test "063-backing-control" { damaged 063-backing-control; }
@test "063-backing-percent" { damaged 063-backing-percent; }
@test "064-backing-itself" { damaged 064-backing-itself; }
@test "065-backing-loop" { damaged 065-backing-loop; }
@test "067-backing-missing" { damaged 067-backing-missing; }
@test "068-backing-dev-zero" { damaged 068-backing-dev-zero; }
@test "068-backing-tty" { damaged 068-backing-tty; }
@test "069-backing-fifo" { damaged 069-backing-fifo; }
@test "070-backing-folder" { damaged 070-backing-folder; }
@test "071-backing-passwd" { damaged 071-backing-passwd; }
@test "072-backing-no-format" { damaged 072-backing-no-format; }
@test "073-backing-fat" { damaged 073-backing-fat; }
@test "073-backing-json" { damaged 073-backing-json; }
@test "073-backing-nbd-unix" { damaged 073-backing-nbd-unix; }
@test "073-backing-nbd" { damaged 073-backing-nbd; }
@test "074-backing-format-16" { damaged 074-backing-format-16; }
@test "074-backing-format-hostile" { damaged 074-backing-format-hostile; }
@test "074-backing-format-unknown" { damaged 074-backing-format-unknown; }
@test "075-backing-protocol" { damaged 075-backing-protocol; }
@test "077-extension-length-2p31" { damaged 077-extension-length-2p31; }
@test "077-extension-length-max" { damaged 077-extension-length-max; }
@test "077-extension-over-backing" { damaged 077-extension-over-backing; }
@test "077-extension-over-cluster" { damaged 077-extension-over-cluster; }
@test "078-extension-8k" { damaged 078-extension-8k; }
@test "078-extension-fills-cluster-odd" { damaged 078-extension-fills-cluster-odd; }
@test "078-extension-fills-cluster" { damaged 078-extension-fills-cluster; }
@test "078-extensions-many" { damaged 078-extensions-many; }
@test "079-backing-format-twice" { damaged 079-backing-format-twice; }
@test "080-luks-at-0" { damaged 080-luks-at-0; }
@test "080-luks-at-2p63" { damaged 080-luks-at-2p63; }
@test "080-luks-extension-8" { damaged 080-luks-extension-8; }
@test "080-luks-extension-alone" { damaged 080-luks-extension-alone; }
@test "080-luks-length-16" { damaged 080-luks-length-16; }
@test "080-luks-length-2p40" { damaged 080-luks-length-2p40; }
@test "080-luks-length-max" { damaged 080-luks-length-max; }
@test "080-luks-past-end" { damaged 080-luks-past-end; }
@test "080-luks-unaligned" { damaged 080-luks-unaligned; }
@test "081-data-file-name-without-bit" { damaged 081-data-file-name-without-bit; }
@test "082-data-file-missing" { damaged 082-data-file-missing; }
@test "083-data-file-control" { damaged 083-data-file-control; }
@test "083-data-file-other-image" { damaged 083-data-file-other-image; }
@test "083-data-file-shadow" { damaged 083-data-file-shadow; }
@test "084-data-file-fifo" { damaged 084-data-file-fifo; }
@test "085-data-file-dev-zero" { damaged 085-data-file-dev-zero; }
@test "086-data-file-json" { damaged 086-data-file-json; }
@test "087-data-file-other-offset-far" { damaged 087-data-file-other-offset-far; }
@test "087-data-file-other-offset" { damaged 087-data-file-other-offset; }
@test "087-data-file-unaligned" { damaged 087-data-file-unaligned; }
@test "088-data-file-compressed" { damaged 088-data-file-compressed; }
@test "088-data-file-snapshots" { damaged 088-data-file-snapshots; }
@test "089-data-file-offset-0-copied" { damaged 089-data-file-offset-0-copied; }
@test "089-data-file-offset-0" { damaged 089-data-file-offset-0; }
@test "090-l1-reserved-0" { damaged 090-l1-reserved-0; }
@test "090-l1-reserved-56" { damaged 090-l1-reserved-56; }
@test "090-l1-reserved-62" { damaged 090-l1-reserved-62; }
@test "090-l1-reserved-8" { damaged 090-l1-reserved-8; }
@test "090-l1-reserved-all" { damaged 090-l1-reserved-all; }
@test "090-l1-reserved-empty" { damaged 090-l1-reserved-empty; }
@test "091-l1-entry-unaligned-below-header" { damaged 091-l1-entry-unaligned-below-header; }
@test "091-l1-entry-unaligned" { damaged 091-l1-entry-unaligned; }
@test "091-snapshot-l1-entry-unaligned-space" { damaged 091-snapshot-l1-entry-unaligned-space; }
@test "091-snapshot-l1-entry-unaligned" { damaged 091-snapshot-l1-entry-unaligned; }
@test "092-l1-entry-past-2p50" { damaged 092-l1-entry-past-2p50; }
@test "092-l1-entry-past-2p56-copied" { damaged 092-l1-entry-past-2p56-copied; }
@test "092-l1-entry-past-2p56" { damaged 092-l1-entry-past-2p56; }
@test "092-l1-entry-past-end" { damaged 092-l1-entry-past-end; }
@test "092-snapshot-l1-entry-past-end" { damaged 092-snapshot-l1-entry-past-end; }
@test "092-vm-state-l1-entry-past-end-space" { damaged 092-vm-state-l1-entry-past-end-space; }
@test "093-l1-copied-empty" { damaged 093-l1-copied-empty; }
@test "094-l1-entry-on-bitmap-directory" { damaged 094-l1-entry-on-bitmap-directory; }
@test "094-l1-entry-on-bitmap-table" { damaged 094-l1-entry-on-bitmap-table; }
@test "094-l1-entry-on-l1" { damaged 094-l1-entry-on-l1; }
@test "094-l1-entry-on-luks-inside" { damaged 094-l1-entry-on-luks-inside; }
@test "094-l1-entry-on-luks" { damaged 094-l1-entry-on-luks; }
@test "094-l1-entry-on-refblock" { damaged 094-l1-entry-on-refblock; }
@test "094-l1-entry-on-reftable" { damaged 094-l1-entry-on-reftable; }
@test "094-l1-entry-on-snapshot-l1" { damaged 094-l1-entry-on-snapshot-l1; }
@test "094-l1-entry-on-snapshots" { damaged 094-l1-entry-on-snapshots; }
@test "094-snapshot-l1-entry-on-l1" { damaged 094-snapshot-l1-entry-on-l1; }
@test "095-l2-shared-by-all" { damaged 095-l2-shared-by-all; }
@test "095-l2-shared-data-file" { damaged 095-l2-shared-data-file; }
@test "095-l2-shared" { damaged 095-l2-shared; }
@test "097-l2-reserved-1" { damaged 097-l2-reserved-1; }
@test "097-l2-reserved-56" { damaged 097-l2-reserved-56; }
@test "097-l2-reserved-61" { damaged 097-l2-reserved-61; }
@test "097-l2-reserved-8" { damaged 097-l2-reserved-8; }
@test "097-l2-reserved-all" { damaged 097-l2-reserved-all; }
@test "097-l2-reserved-empty" { damaged 097-l2-reserved-empty; }
@test "097-l2-reserved-whole-table" { damaged 097-l2-reserved-whole-table; }
@test "097-snapshot-l2-reserved-shared" { damaged 097-snapshot-l2-reserved-shared; }
@test "097-snapshot-l2-reserved" { damaged 097-snapshot-l2-reserved; }
@test "098-l2-unaligned-data" { damaged 098-l2-unaligned-data; }
@test "098-l2-unaligned-first-of-table" { damaged 098-l2-unaligned-first-of-table; }
@test "098-l2-unaligned-last-bit" { damaged 098-l2-unaligned-last-bit; }
@test "098-l2-unaligned-zero" { damaged 098-l2-unaligned-zero; }
@test "099-l2-past-2p45" { damaged 099-l2-past-2p45; }
@test "099-l2-past-2p56-copied" { damaged 099-l2-past-2p56-copied; }
@test "099-l2-past-2p56" { damaged 099-l2-past-2p56; }
@test "099-l2-past-end-zero" { damaged 099-l2-past-end-zero; }
@test "099-l2-past-end" { damaged 099-l2-past-end; }
@test "099-last-cluster-cut" { damaged 099-last-cluster-cut; }
@test "099-last-cluster-gone" { damaged 099-last-cluster-gone; }
@test "099-snapshot-l2-past-end-space" { damaged 099-snapshot-l2-past-end-space; }
@test "100-compressed-on-l2" { damaged 100-compressed-on-l2; }
@test "100-data-on-bitmap-table" { damaged 100-data-on-bitmap-table; }
@test "100-data-on-l1" { damaged 100-data-on-l1; }
@test "100-data-on-luks" { damaged 100-data-on-luks; }
@test "100-data-on-own-l2" { damaged 100-data-on-own-l2; }
@test "100-data-on-refblock" { damaged 100-data-on-refblock; }
@test "100-data-on-reftable" { damaged 100-data-on-reftable; }
@test "100-data-on-snapshots" { damaged 100-data-on-snapshots; }
@test "100-snapshot-data-on-l1" { damaged 100-snapshot-data-on-l1; }
@test "100-vm-state-on-l1" { damaged 100-vm-state-on-l1; }
@test "100-zero-on-l1" { damaged 100-zero-on-l1; }
@test "101-shared-cluster-refcount-1" { damaged 101-shared-cluster-refcount-1; }
@test "101-shared-l2-refcount-1" { damaged 101-shared-l2-refcount-1; }
@test "102-zero-allocated-in-v2" { damaged 102-zero-allocated-in-v2; }
@test "102-zero-in-v2" { damaged 102-zero-in-v2; }
@test "103-compressed-copied" { damaged 103-compressed-copied; }
@test "104-compressed-offset-bit-56" { damaged 104-compressed-offset-bit-56; }
@test "104-compressed-offset-bit-57" { damaged 104-compressed-offset-bit-57; }
@test "104-compressed-offset-bit-60" { damaged 104-compressed-offset-bit-60; }
@test "104-compressed-past-2p45" { damaged 104-compressed-past-2p45; }
@test "104-compressed-past-end" { damaged 104-compressed-past-end; }
@test "104-compressed-past-largest" { damaged 104-compressed-past-largest; }
@test "105-compressed-count-past-end-less" { damaged 105-compressed-count-past-end-less; }
@test "105-compressed-count-past-end" { damaged 105-compressed-count-past-end; }
@test "106-compressed-count-too-small" { damaged 106-compressed-count-too-small; }
@test "106-compressed-garbage-zstd" { damaged 106-compressed-garbage-zstd; }
@test "106-compressed-garbage" { damaged 106-compressed-garbage; }
@test "107-compressed-end-of-header" { damaged 107-compressed-end-of-header; }
@test "107-compressed-in-header" { damaged 107-compressed-in-header; }
@test "107-compressed-offset-0" { damaged 107-compressed-offset-0; }
@test "108-subcluster-both-one" { damaged 108-subcluster-both-one; }
@test "108-subcluster-without-cluster-one" { damaged 108-subcluster-without-cluster-one; }
@test "108-subclusters-both" { damaged 108-subclusters-both; }
@test "108-subclusters-without-cluster" { damaged 108-subclusters-without-cluster; }
@test "108-subclusters-zero-without-cluster" { damaged 108-subclusters-zero-without-cluster; }
@test "109-extended-bit-0" { damaged 109-extended-bit-0; }
@test "109-extended-compressed-bitmap" { damaged 109-extended-compressed-bitmap; }
@test "110-reftable-2p63" { damaged 110-reftable-2p63; }
@test "110-reftable-unaligned" { damaged 110-reftable-unaligned; }
@test "111-reftable-on-itself" { damaged 111-reftable-on-itself; }
@test "111-reftable-on-l1" { damaged 111-reftable-on-l1; }
@test "111-reftable-past-end-unused" { damaged 111-reftable-past-end-unused; }
@test "111-reftable-past-end" { damaged 111-reftable-past-end; }
@test "111-reftable-reserved-empty" { damaged 111-reftable-reserved-empty; }
@test "111-reftable-reserved" { damaged 111-reftable-reserved; }
@test "111-reftable-twice" { damaged 111-reftable-twice; }
@test "111-reftable-zero" { damaged 111-reftable-zero; }
@test "112-leaked" { damaged 112-leaked; }
@test "112-refcount-0" { damaged 112-refcount-0; }
@test "112-refcount-2" { damaged 112-refcount-2; }
@test "112-refcount-2p40" { damaged 112-refcount-2p40; }
@test "112-refcount-ffff" { damaged 112-refcount-ffff; }
@test "112-refcount-low-in-snapshot" { damaged 112-refcount-low-in-snapshot; }
@test "112-refcounts-0" { damaged 112-refcounts-0; }
@test "113-header-free" { damaged 113-header-free; }
@test "113-refblock-of-zeros" { damaged 113-refblock-of-zeros; }
@test "114-bitmaps-0" { damaged 114-bitmaps-0; }
@test "114-bitmaps-1-of-2" { damaged 114-bitmaps-1-of-2; }
@test "114-bitmaps-2-of-1" { damaged 114-bitmaps-2-of-1; }
@test "114-bitmaps-65536" { damaged 114-bitmaps-65536; }
@test "114-bitmaps-extension-20" { damaged 114-bitmaps-extension-20; }
@test "114-bitmaps-reserved" { damaged 114-bitmaps-reserved; }
@test "115-directory-at-0" { damaged 115-directory-at-0; }
@test "115-directory-at-2p63" { damaged 115-directory-at-2p63; }
@test "115-directory-past-end" { damaged 115-directory-past-end; }
@test "115-directory-size-0" { damaged 115-directory-size-0; }
@test "115-directory-size-2p40" { damaged 115-directory-size-2p40; }
@test "115-directory-unaligned" { damaged 115-directory-unaligned; }
@test "116-bitmap-flags-10" { damaged 116-bitmap-flags-10; }
@test "116-bitmap-flags-4" { damaged 116-bitmap-flags-4; }
@test "116-bitmap-granularity-255" { damaged 116-bitmap-granularity-255; }
@test "116-bitmap-granularity-32" { damaged 116-bitmap-granularity-32; }
@test "116-bitmap-granularity-63" { damaged 116-bitmap-granularity-63; }
@test "116-bitmap-granularity-64" { damaged 116-bitmap-granularity-64; }
@test "116-bitmap-granularity-8" { damaged 116-bitmap-granularity-8; }
@test "116-bitmap-size-0" { damaged 116-bitmap-size-0; }
@test "116-bitmap-size-2p27" { damaged 116-bitmap-size-2p27; }
@test "116-bitmap-size-max" { damaged 116-bitmap-size-max; }
@test "116-bitmap-table-0" { damaged 116-bitmap-table-0; }
@test "116-bitmap-table-2p63" { damaged 116-bitmap-table-2p63; }
@test "116-bitmap-table-past-end" { damaged 116-bitmap-table-past-end; }
@test "116-bitmap-table-unaligned" { damaged 116-bitmap-table-unaligned; }
@test "116-bitmap-type-2" { damaged 116-bitmap-type-2; }
@test "117-bitmap-extra-8" { damaged 117-bitmap-extra-8; }
@test "117-bitmap-extra-max" { damaged 117-bitmap-extra-max; }
@test "117-bitmap-name-0" { damaged 117-bitmap-name-0; }
@test "117-bitmap-name-1023" { damaged 117-bitmap-name-1023; }
@test "117-bitmap-name-65535" { damaged 117-bitmap-name-65535; }
@test "118-bitmap-entry-ones-with-cluster" { damaged 118-bitmap-entry-ones-with-cluster; }
@test "118-bitmap-entry-past-end" { damaged 118-bitmap-entry-past-end; }
@test "118-bitmap-entry-reserved-1" { damaged 118-bitmap-entry-reserved-1; }
@test "118-bitmap-entry-reserved-63" { damaged 118-bitmap-entry-reserved-63; }
@test "118-bitmap-entry-unaligned" { damaged 118-bitmap-entry-unaligned; }
@test "119-bitmap-in-use" { damaged 119-bitmap-in-use; }
@test "119-bitmaps-stale" { damaged 119-bitmaps-stale; }
@test "120-cut-at-100" { damaged 120-cut-at-100; }
@test "120-cut-at-103" { damaged 120-cut-at-103; }
@test "120-cut-at-104" { damaged 120-cut-at-104; }
@test "120-cut-at-20" { damaged 120-cut-at-20; }
@test "120-cut-at-4" { damaged 120-cut-at-4; }
@test "120-cut-at-71-v2" { damaged 120-cut-at-71-v2; }
@test "120-cut-at-72" { damaged 120-cut-at-72; }
@test "120-cut-at-8" { damaged 120-cut-at-8; }
@test "120-cut-at-80" { damaged 120-cut-at-80; }
@test "121-cut-at-112" { damaged 121-cut-at-112; }
@test "121-cut-at-1c" { damaged 121-cut-at-1c; }
@test "121-cut-at-512" { damaged 121-cut-at-512; }
@test "122-cut-at-l1" { damaged 122-cut-at-l1; }
@test "122-cut-in-l1" { damaged 122-cut-in-l1; }
@test "123-cut-at-data" { damaged 123-cut-at-data; }
@test "123-cut-at-l2" { damaged 123-cut-at-l2; }
@test "123-cut-compressed" { damaged 123-cut-compressed; }
@test "123-cut-in-data" { damaged 123-cut-in-data; }
@test "123-cut-in-l2" { damaged 123-cut-in-l2; }
@test "123-cut-in-last-l2" { damaged 123-cut-in-last-l2; }
@test "124-hole-behind" { damaged 124-hole-behind; }
@test "124-junk-behind-odd" { damaged 124-junk-behind-odd; }
@test "124-junk-behind" { damaged 124-junk-behind; }
@test "125-host-cluster-2p32" { damaged 125-host-cluster-2p32; }
@test "125-many-host-clusters" { damaged 125-many-host-clusters; }
@test "126-two-eib-last" { damaged 126-two-eib-last; }
@test "126-two-eib" { damaged 126-two-eib; }

@test "062-backing-nul: opens no other file" { opens_no_other 062-backing-nul; }
@test "063-backing-1023: opens no other file" { opens_no_other 063-backing-1023; }
@test "063-backing-control: opens no other file" { opens_no_other 063-backing-control; }
@test "063-backing-percent: opens no other file" { opens_no_other 063-backing-percent; }
@test "064-backing-itself: opens no other file" { opens_no_other 064-backing-itself; }
@test "065-backing-loop: opens no other file" { opens_no_other 065-backing-loop; }
@test "067-backing-missing: opens no other file" { opens_no_other 067-backing-missing; }
@test "068-backing-dev-zero: opens no other file" { opens_no_other 068-backing-dev-zero; }
@test "068-backing-tty: opens no other file" { opens_no_other 068-backing-tty; }
@test "069-backing-fifo: opens no other file" { opens_no_other 069-backing-fifo; }
@test "070-backing-folder: opens no other file" { opens_no_other 070-backing-folder; }
@test "071-backing-passwd: opens no other file" { opens_no_other 071-backing-passwd; }
@test "072-backing-no-format: opens no other file" { opens_no_other 072-backing-no-format; }
@test "073-backing-fat: opens no other file" { opens_no_other 073-backing-fat; }
@test "073-backing-json: opens no other file" { opens_no_other 073-backing-json; }
@test "073-backing-nbd-unix: opens no other file" { opens_no_other 073-backing-nbd-unix; }
@test "073-backing-nbd: opens no other file" { opens_no_other 073-backing-nbd; }
@test "074-backing-format-16: opens no other file" { opens_no_other 074-backing-format-16; }
@test "074-backing-format-hostile: opens no other file" { opens_no_other 074-backing-format-hostile; }
@test "074-backing-format-unknown: opens no other file" { opens_no_other 074-backing-format-unknown; }
@test "075-backing-protocol: opens no other file" { opens_no_other 075-backing-protocol; }
@test "081-data-file-name-without-bit: opens no other file" { opens_no_other 081-data-file-name-without-bit; }
@test "082-data-file-missing: opens no other file" { opens_no_other 082-data-file-missing; }
@test "083-data-file-control: opens no other file" { opens_no_other 083-data-file-control; }
@test "083-data-file-other-image: opens no other file" { opens_no_other 083-data-file-other-image; }
@test "083-data-file-shadow: opens no other file" { opens_no_other 083-data-file-shadow; }
@test "084-data-file-fifo: opens no other file" { opens_no_other 084-data-file-fifo; }
@test "085-data-file-dev-zero: opens no other file" { opens_no_other 085-data-file-dev-zero; }
@test "086-data-file-json: opens no other file" { opens_no_other 086-data-file-json; }

# named_often: all 4,194,304 entries of an L1 table of 32 MiB name the same L2 table. Walked each
# time anew these would be 2^40 entries.
named_often() {
    needs python3
    image image.qcow2 <<'FIXTURE'
size 2E
cluster 2M
map 0..262143
FIXTURE
    python3 - <<'PYTHON'
with open("image.qcow2", "r+b") as image:
    header = image.read(48)
    image.seek(int.from_bytes(header[40:48], "big"))
    entry = image.read(8)
    image.seek(-8, 1)
    image.write(entry * int.from_bytes(header[36:40], "big"))
PYTHON
}

@test "096-l2-named-4194304-times" {
    named_often
    try timeout 20 "$QCOW2FRAG" --json image.qcow2
    exits 0
    is_empty err
    is <(json out '[i[0]["findings_total"], i[0]["findings"][19]["code"]]') '[4194304, "l2-shared"]'
    is <(json out 'i[0]["tables"][0]["mapped_clusters"]') 1099511627776
}

@test "096-l2-named-4194304-times: within 2 seconds and 64 MiB" {
    ! has_sanitizer || skip "built with a sanitizer"
    named_often
    python3 - "$QCOW2FRAG" <<'PYTHON'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "--json", "image.qcow2"], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss
print(f"{seconds:.1f} s, {peak} KiB")
sys.exit(seconds > 2 or peak > 64 << 10)
PYTHON
}

@test "096-l2-named-4194304-times: with --space within 2 seconds and 64 MiB" {
    ! has_sanitizer || skip "built with a sanitizer"
    named_often
    python3 - "$QCOW2FRAG" <<'PYTHON'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "--json", "--space", "image.qcow2"], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime # of the processor: others may be at work as well
print(f"{seconds:.1f} s, {used.ru_maxrss} KiB")
sys.exit(seconds > 2 or used.ru_maxrss > 64 << 10)
PYTHON
}

@test "096-l2-named-4194304-times: the list of its runs ends" {
    named_often
    try timeout 30 "$QCOW2FRAG" map --list image.qcow2
    [ "$status" -le 2 ]
}

@test "the memory that each of these takes was looked at" {
    ! has_sanitizer || skip "built with a sanitizer, which takes more"
}

@test "this file is what generate-damage prints" {
    "$TESTS/cli/generate-damage" | diff -u "$BATS_TEST_FILENAME" -
}

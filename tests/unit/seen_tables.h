/* SPDX-License-Identifier: MIT */
/* What a visitor sees of a scan, and small tables to be scanned. */
#ifndef UNIT_SEEN_TABLES_H
#define UNIT_SEEN_TABLES_H

#include "scan.h"

#include "small_image.h"
#include "vec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COPIED FORMAT_ENTRY_COPIED
#define CLUSTER 512 /* 64 entries a table, 32 KiB of the guest */
#define SPAN (UINT64_C(64) * CLUSTER)
#define FAR (UINT64_C(1) << 40) /* the length of the file: data may lie anywhere */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what a visitor sees ---- */

struct log {
    char text[2000]; /* "+0,2" begin for tables 0 and 2; ":3" pieces; "-" end; "again ..." */
    bool again;      /* takes tables that are named several times as known */
    size_t begun;
    int end_returns;
    struct pieces {
        struct piece *list;
        size_t n_list, cap_list;
    } pieces[TABLES_SCAN_MAX]; /* of each table */
    struct tables_members members;
    size_t members_room[TABLES_SCAN_MAX];
    uint64_t n_pieces; /* of the present table */
};

static inline void __attribute__((format(printf, 2, 3)))
note(struct log *log, const char *format, ...)
{
    size_t len = strlen(log->text);
    va_list args;

    va_start(args, format);
    vsnprintf(log->text + len, sizeof(log->text) - len, format, args);
    va_end(args);
}

static inline void note_members(struct log *log, const char *what, struct tables_members members)
{
    note(log, "%s%s", log->text[0] != '\0' ? " " : "", what);
    for (size_t i = 0; i < members.n; i++)
        note(log, "%s%zu", i > 0 ? "," : "", members.list[i]);
}

static inline int take(void *context, const struct piece_batch *batch)
{
    struct log *log = context;

    for (uint32_t i = 0; i < batch->n; i++, log->n_pieces++)
        for (size_t k = 0; k < log->members.n; k++) {
            struct pieces *pieces = &log->pieces[log->members.list[k]];

            assert_int_equal(vec_reserve(pieces, list), 0);
            pieces->list[pieces->n_list++] = piece_batch_piece(batch, i);
        }
    return 0;
}

static inline struct piece_sink begin(void *context, struct tables_members members, size_t keep)
{
    struct log *log = context;

    assert_in_range(members.n, 1, TABLES_SCAN_MAX);
    for (size_t i = 1; i < members.n; i++)
        assert_true(members.list[i] > members.list[i - 1]); /* rising */
    if (!log->again)
        assert_int_equal(keep, TABLES_NOT_KEPT);
    memcpy(log->members_room, members.list, members.n * sizeof(*members.list));
    log->members = (struct tables_members){log->members_room, members.n};
    log->n_pieces = 0;
    log->begun++;
    note_members(log, "+", members);
    return (struct piece_sink){take, log};
}

static inline int end(void *context, struct tables_members members, size_t keep)
{
    struct log *log = context;

    (void)keep;
    assert_int_equal(members.n, log->members.n);
    note(log, ":%" PRIu64 "-", log->n_pieces);
    return log->end_returns;
}

static inline int again(void *context, struct tables_members members, size_t kept, uint64_t shift)
{
    struct log *log = context;

    assert_true(kept < TABLES_KEPT_MAX);
    note_members(log, "again", members);
    note(log, ">%" PRIu64, shift / SPAN);
    return 0;
}

static inline void log_free(struct log *log)
{
    for (size_t i = 0; i < TABLES_SCAN_MAX; i++)
        free(log->pieces[i].list);
}

static inline int scan_with(struct small_image *small, struct tables_table *tables, size_t n,
                            struct log *log, struct err *err)
{
    struct tables_visitor visitor = {
        .context = log, .begin = begin, .end = end, .again = log->again ? again : NULL};

    return tables_scan(&small->image, tables, n, &visitor, err);
}

/* A scan that must not fail. */
static inline void scan(struct small_image *small, struct tables_table *tables, size_t n,
                        struct log *log)
{
    struct err err = {0};

    if (scan_with(small, tables, n, log, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void tables_free(struct tables_table *tables, size_t n)
{
    for (size_t i = 0; i < n; i++)
        format_findings_free(&tables[i].findings);
}

/* An L1 table at a cluster; the disk has as many L2 tables as it has entries. */
static inline struct tables_table table_at(uint64_t l1, uint32_t l1_entries)
{
    return (struct tables_table){
        .l1_off = l1 * CLUSTER, .l1_entries = l1_entries, .virtual_bytes = l1_entries * SPAN};
}

/* The first @n entries of an L2 table: data in order. */
static inline void fill(struct small_image *small, uint64_t l2, uint32_t n, uint64_t host)
{
    for (uint32_t i = 0; i < n; i++)
        small_image_l2(small, l2, i, COPIED | (host + i) * CLUSTER, 0);
}

#endif

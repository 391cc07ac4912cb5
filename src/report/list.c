// SPDX-License-Identifier: MIT
/* Owns the joining of pieces into runs for a list. Keeps one run in memory. */
#include "list.h"

#include "choose.h"
#include "err.h"
#include "image.h"
#include "io.h"
#include "measure.h"
#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A hostile image can name one L2 table four million times: its list would never end. */
#define REPEATS_MAX 64

struct list {
    const struct report_list_choice *choice;
    const char *file;
    struct run_piece open; /* the run that may still grow; guest_bytes 0: none */
};

const char *report_kind_name(enum run_kind kind)
{
    return kind == RUN_DATA ? "data" : kind == RUN_COMPRESSED ? "compressed" : "zero";
}

static int hand_over(struct list *list)
{
    const struct run_piece *open = &list->open;
    bool has_host = open->kind != RUN_ZERO;
    struct report_run run = {
        .guest_off = open->guest_off,
        .guest_bytes = open->guest_bytes,
        .kind = open->kind,
        .file = list->file,
        .host_off = {has_host, open->begin},
        .host_bytes = {has_host, open->end - open->begin},
    };

    return open->guest_bytes == 0 ? 0 : list->choice->take(list->choice->context, &run);
}

static bool joins(const struct run_piece *open, const struct run_piece *piece)
{
    return open->guest_bytes != 0 && piece->kind == open->kind && piece->kind != RUN_COMPRESSED &&
           piece->guest_off == open->guest_off + open->guest_bytes &&
           (piece->kind == RUN_ZERO || piece->begin == open->end);
}

static int take(void *context, const struct run_batch *batch)
{
    struct list *list = context;

    for (uint32_t i = 0; i < batch->n; i++) {
        struct run_piece piece = run_batch_piece(batch, i);
        int ret;

        if (joins(&list->open, &piece)) {
            list->open.guest_bytes += piece.guest_bytes;
            list->open.end = piece.end;
            continue;
        }
        ret = hand_over(list);
        if (ret < 0)
            return ret;
        list->open = piece;
    }
    return 0;
}

static struct run_sink begin(void *context, struct run_members members, size_t keep)
{
    (void)members;
    (void)keep;
    return (struct run_sink){take, context};
}

static int list_table(struct format_image *image, size_t chosen, struct list *list,
                      struct format_findings *findings, struct err *err)
{
    const struct format_snapshot *snapshot =
        chosen == CHOOSE_ACTIVE ? NULL : &image->snapshots.list[chosen];
    struct run_table table = {
        .l1_off = snapshot != NULL ? snapshot->l1_off : image->header.l1_off,
        .l1_entries = snapshot != NULL ? snapshot->l1_entries : image->header.l1_entries,
        .virtual_bytes = snapshot != NULL ? snapshot->virtual_bytes : image->header.virtual_bytes,
    };
    const struct run_visitor visitor = {
        .context = list, .begin = begin, .detail = true, .most_repeats = REPEATS_MAX};
    int ret;

    if (snapshot != NULL && !snapshot->readable)
        return err_set(err, EINVAL, "the L1 table of snapshot[%zu] cannot be read", chosen);
    ret = run_scan(image, &table, 1, &visitor, err);
    if (ret == 0)
        ret = hand_over(list);
    format_findings_merge(findings, &table.findings);
    return ret;
}

int report_list_io(struct io *io, const char *path, const struct report_list_choice *choice,
                   struct format_findings *findings, struct err *err)
{
    const struct report_choice which = {.snapshots = &choice->snapshot,
                                        .n_snapshots = choice->snapshot != NULL};
    struct list list = {.choice = choice, .file = path};
    struct format_image image;
    size_t *chosen = NULL, n_chosen;
    int ret = format_image_open(io, &image, err);

    memset(findings, 0, sizeof(*findings));
    if (ret < 0) {
        io_close(io);
        return ret;
    }
    if (image.header.external_data && image.header.data_file.bytes != NULL)
        list.file = image.header.data_file.bytes;
    format_findings_merge(findings, &image.findings);
    ret = report_choose(&image, &which, &chosen, &n_chosen, err);
    if (ret == 0)
        ret = list_table(&image, chosen[0], &list, findings, err);
    free(chosen);
    format_image_close(&image);
    io_close(io);
    return ret;
}

int report_list(const char *path, const struct report_list_choice *choice,
                struct format_findings *findings, struct err *err)
{
    struct io *io;
    int ret = io_file_open(path, &io, err);

    memset(findings, 0, sizeof(*findings));
    return ret < 0 ? ret : report_list_io(io, path, choice, findings, err);
}

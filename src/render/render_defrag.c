// SPDX-License-Identifier: MIT
/* Owns the look of what a rewrite did, or would do. */
#include "render_defrag.h"

#include "cleanup.h"
#include "duration.h"
#include "json_table.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX SIZE_TEXT_MAX
_Static_assert(CELL_MAX >= DURATION_TEXT_MAX, "a cell holds a duration");
#define LINE "  %-24s %-16s %s\n"

static const struct {
    const char *name, *words; /* for programs, and for people */
} states[] = {[RENDER_DEFRAG_DONE] = {"done", "done"},
              [RENDER_DEFRAG_PLANNED] = {"planned", "planned"},
              [RENDER_DEFRAG_IN_ORDER] = {"in_order", "in order"},
              [RENDER_DEFRAG_REFUSED] = {"refused", "refused"},
              [RENDER_DEFRAG_FAILED] = {"failed", "failed"},
              [RENDER_DEFRAG_SKIPPED] = {"skipped", "skipped"}};

/* ---- the page ---- */

static void put_size(const struct render_defrag *defrag, char cell[CELL_MAX], uint64_t bytes)
{
    if (defrag->bytes)
        snprintf(cell, CELL_MAX, "%" PRIu64, bytes);
    else
        size_format(cell, bytes);
}

static void put_opt_size(const struct render_defrag *defrag, char cell[CELL_MAX],
                         struct opt_u64 bytes)
{
    if (bytes.known)
        put_size(defrag, cell, bytes.value);
    else
        strcpy(cell, "-");
}

static void put_score(char cell[CELL_MAX], const struct report_table *table)
{
    if (table->walk.fragmentation_score.known)
        snprintf(cell, CELL_MAX, "%.2f %%", 100 * table->walk.fragmentation_score.value);
    else
        strcpy(cell, "-");
}

static void put_mean(const struct render_defrag *defrag, char cell[CELL_MAX],
                     const struct report_table *table)
{
    struct opt_f64 mean = table->walk.contiguous_run_mean_bytes;

    if (mean.known && defrag->bytes)
        snprintf(cell, CELL_MAX, "%.0f", mean.value);
    else if (mean.known)
        size_format_mean(cell, mean.value);
    else
        strcpy(cell, "-");
}

static void put_disk(char cell[CELL_MAX], const struct report_table *table)
{
    if (table->disk.known)
        duration_format(cell, table->disk.seconds);
    else
        strcpy(cell, "-");
}

/* Of the line above it. */
static void explain(FILE *stream, const struct render_defrag *defrag, const char *sentence)
{
    if (defrag->verbose)
        fprintf(stream, "      %s\n", sentence);
}

static void print_figures(FILE *stream, const struct render_defrag *defrag)
{
    const struct report_table *before =
        defrag->before != NULL ? report_active_table(defrag->before) : NULL;
    const struct report_table *after =
        defrag->after != NULL ? report_active_table(defrag->after) : NULL;
    char cell[2][CELL_MAX];

    if (before == NULL || after == NULL)
        return;
    fprintf(stream, LINE, "", "before", "after");
    put_score(cell[0], before);
    put_score(cell[1], after);
    fprintf(stream, LINE, "fragmentation score", cell[0], cell[1]);
    explain(stream, defrag,
            "Steps back in the file, read in guest order, for each mapped cluster.");
    size_format_count(cell[0], before->walk.contiguous_runs);
    size_format_count(cell[1], after->walk.contiguous_runs);
    fprintf(stream, LINE, "contiguous runs", cell[0], cell[1]);
    explain(stream, defrag, "Stretches without a jump.");
    put_mean(defrag, cell[0], before);
    put_mean(defrag, cell[1], after);
    fprintf(stream, LINE, "  mean length", cell[0], cell[1]);
    put_opt_size(defrag, cell[0], before->walk.contiguous_run_half_bytes);
    put_opt_size(defrag, cell[1], after->walk.contiguous_run_half_bytes);
    fprintf(stream, LINE, "  half of the data in", cell[0], cell[1]);
    explain(stream, defrag, "Runs of this length or more hold half of the data.");
    size_format_count(cell[0], before->walk.breaks);
    size_format_count(cell[1], after->walk.breaks);
    fprintf(stream, LINE, "breaks", cell[0], cell[1]);
    explain(stream, defrag, "Jumps in either direction, near ones included.");
    put_disk(cell[0], before);
    put_disk(cell[1], after);
    fprintf(stream, LINE, "time to read it all", cell[0], cell[1]);
    explain(stream, defrag, "By a model of the disk, with the file in one piece on it.");
    put_size(defrag, cell[0], defrag->before->format.file_bytes);
    put_opt_size(defrag, cell[1], defrag->file_bytes_after);
    fprintf(stream, LINE, "length of the file", cell[0], cell[1]);
    explain(stream, defrag, "Holes count: what the disk has to store may be less.");
}

static const char *verified_text(const struct render_defrag *defrag)
{
    if (defrag->verified == RENDER_DEFRAG_DIRECT)
        return "read back from the device and proven";
    if (defrag->verified == RENDER_DEFRAG_CACHED)
        return "read back and proven, through the memory of the host: its file system has no way "
               "past it";
    return "not verified";
}

/* Where both are, and what that means to others. */
static void print_places(FILE *stream, const struct render_defrag *defrag)
{
    bool data_file = defrag->before->format.data_file.bytes != NULL;

    if (!defrag->replaced) {
        fputs("  the new image is ", stream);
        text_print(stream, defrag->output, strlen(defrag->output));
        fputs(", the old one is as it was\n", stream);
    } else if (defrag->original != NULL) {
        fputs("  it is in the place of the old image, which is now ", stream);
        text_print(stream, defrag->original, strlen(defrag->original));
        fputs("\n", stream);
    } else {
        fputs("  it is in the place of the old image, which is gone\n", stream);
    }
    if (defrag->replaced)
        fputs("  the guest sees the same bytes, so overlays that it is the backing file of stay "
              "valid\n",
              stream);
    if (data_file)
        fputs(defrag->replaced ? "  its external data file was left alone\n"
                               : "  both refer to the same external data file, which was left "
                                 "alone\n",
              stream);
}

static void print_end(FILE *stream, const struct render_defrag *defrag)
{
    char copied[CELL_MAX], needed[CELL_MAX], seconds[CELL_MAX];

    put_size(defrag, copied, defrag->copied_bytes);
    put_size(defrag, needed, defrag->needed_bytes);
    duration_format(seconds, defrag->seconds);
    switch (defrag->state) {
    case RENDER_DEFRAG_DONE:
        fprintf(stream, "\n  copied %s in %s; %s\n", copied, seconds, verified_text(defrag));
        print_places(stream, defrag);
        break;
    case RENDER_DEFRAG_PLANNED:
        fprintf(stream, "\n  to be copied: %s; the new file takes about %s of the disk\n", copied,
                needed);
        break;
    case RENDER_DEFRAG_IN_ORDER:
        fputs("\n  already in order: written anew it would be read no faster\n", stream);
        break;
    case RENDER_DEFRAG_SKIPPED:
        fputs("\n  left as it is: ", stream);
        break;
    default:
        break;
    }
    for (size_t i = 0; defrag->notes[i] != NULL; i++)
        fprintf(stream, "  %s\n" + (defrag->state == RENDER_DEFRAG_SKIPPED ? 2 : 0),
                defrag->notes[i]);
}

void render_defrag_text(FILE *stream, const struct render_defrag *defrag)
{
    if (defrag->state == RENDER_DEFRAG_REFUSED || defrag->state == RENDER_DEFRAG_FAILED)
        return; /* there is a message */
    text_print(stream, defrag->path, strlen(defrag->path));
    fputs("\n", stream);
    print_figures(stream, defrag);
    print_end(stream, defrag);
}

/* ---- JSON ---- */

static void put_table(struct json *json, const char *key, const struct report_table *table)
{
    if (table == NULL)
        json_null(json, key);
    else
        render_json_table(json, key, table);
}

/* Both are in the order of the image's list, the active state first. */
static void put_snapshots(struct json *json, const struct render_defrag *defrag)
{
    json_open_array(json, "snapshots");
    for (size_t i = 0; defrag->before != NULL && i < defrag->before->n_tables; i++) {
        const struct report_table *table = &defrag->before->tables[i];

        if (!table->is_snapshot)
            continue;
        json_open_object(json, NULL);
        json_text(json, "id", table->id.bytes, table->id.len);
        json_text(json, "name", table->name.bytes, table->name.len);
        put_table(json, "before", table);
        put_table(json, "after",
                  defrag->after != NULL && i < defrag->after->n_tables ? &defrag->after->tables[i]
                                                                       : NULL);
        json_close_object(json);
    }
    json_close_array(json);
}

static void put_notes(struct json *json, const struct render_defrag *defrag)
{
    json_open_array(json, "notes");
    for (size_t i = 0; defrag->notes[i] != NULL; i++)
        json_string(json, NULL, defrag->notes[i]);
    json_close_array(json);
}

static const char *const ways_verified[] = {[RENDER_DEFRAG_NOT_VERIFIED] = "none",
                                            [RENDER_DEFRAG_CACHED] = "cached",
                                            [RENDER_DEFRAG_DIRECT] = "direct"};

void render_defrag_json_begin(struct json *json)
{
    json_open_object(json, NULL);
    json_string(json, "qcow2frag", QCOW2FRAG_VERSION);
    json_integer(json, "schema", 1);
    json_open_array(json, "defrag");
}

void render_defrag_json(struct json *json, const struct render_defrag *defrag)
{
    bool measured = defrag->before != NULL && defrag->before->error == NULL;

    json_open_object(json, NULL);
    json_string(json, "path", defrag->path);
    json_string(json, "output", defrag->output);
    json_string(json, "state", states[defrag->state].name);
    json_string(json, "error", defrag->error);
    put_table(json, "before", measured ? report_active_table(defrag->before) : NULL);
    put_table(json, "after", defrag->after != NULL ? report_active_table(defrag->after) : NULL);
    put_snapshots(json, defrag);
    json_opt_count(json, "file_bytes_before",
                   (struct opt_u64){measured, measured ? defrag->before->format.file_bytes : 0});
    json_opt_count(json, "file_bytes_after", defrag->file_bytes_after);
    json_count(json, "copied_bytes", defrag->copied_bytes);
    json_count(json, "needed_bytes", defrag->needed_bytes);
    json_string(json, "verified", ways_verified[defrag->verified]);
    json_real(json, "seconds", defrag->seconds);
    json_string(json, "original", defrag->original);
    put_notes(json, defrag);
    json_close_object(json);
}

void render_defrag_json_end(struct json *json)
{
    json_close_array(json);
    json_close_object(json);
    putc('\n', json->stream);
}

/* ---- many images ---- */

static struct opt_f64 seconds_of(const struct report_image *image)
{
    const struct report_table *table =
        image != NULL && image->error == NULL ? report_active_table(image) : NULL;

    return table != NULL && table->disk.known ? (struct opt_f64){true, table->disk.seconds}
                                              : (struct opt_f64){.known = false};
}

void render_defrag_row(const struct render_defrag *defrag, struct render_defrag_row *row)
{
    *row = (struct render_defrag_row){
        .path = defrag->path,
        .state = defrag->state,
        .seconds_before = seconds_of(defrag->before),
        .seconds_after = seconds_of(defrag->after),
        .copied_bytes = defrag->state == RENDER_DEFRAG_DONE ? defrag->copied_bytes : 0,
        .seconds = defrag->seconds,
    };
    for (size_t i = 0; defrag->notes[i] != NULL; i++)
        row->notes[i] = strdup(defrag->notes[i]);
}

void render_defrag_row_free(struct render_defrag_row *row)
{
    for (size_t i = 0; i < RENDER_DEFRAG_NOTES_MAX; i++)
        free(row->notes[i]);
}

enum { STATE, BEFORE, AFTER, COPIED, TOOK, IMAGE, N_COLUMNS };

static void put_seconds(char cell[CELL_MAX], struct opt_f64 seconds)
{
    if (seconds.known)
        duration_format(cell, seconds.value);
    else
        strcpy(cell, "-");
}

static int fill_line(struct libscols_line *line, const struct render_defrag_row *row, bool bytes)
{
    const bool done = row->state == RENDER_DEFRAG_DONE;
    CLEANUP_FREE char *path = text_escape(row->path, strlen(row->path));
    char cells[IMAGE][CELL_MAX];
    const struct render_defrag how = {.bytes = bytes};

    if (path == NULL)
        return -ENOMEM;
    snprintf(cells[STATE], CELL_MAX, "%s", states[row->state].words);
    put_seconds(cells[BEFORE], row->seconds_before);
    put_seconds(cells[AFTER], row->seconds_after);
    put_opt_size(&how, cells[COPIED], (struct opt_u64){done, row->copied_bytes});
    put_seconds(cells[TOOK], (struct opt_f64){done, row->seconds});
    for (size_t i = 0; i < IMAGE; i++)
        if (scols_line_set_data(line, i, cells[i]) != 0)
            return -ENOMEM;
    return scols_line_set_data(line, IMAGE, path) != 0 ? -ENOMEM : 0;
}

static void unref(struct libscols_table **table)
{
    scols_unref_table(*table);
}

static int print_rows(FILE *stream, const struct render_defrag_row *rows, size_t n, bool bytes)
{
    static const char *const names[] = {"STATE", "BEFORE", "AFTER", "COPIED", "TOOK", "IMAGE"};
    CLEANUP(unref) struct libscols_table *table = scols_new_table();

    if (table == NULL)
        return -ENOMEM;
    scols_table_set_stream(table, stream);
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (scols_table_new_column(table, names[i], 0,
                                   i == STATE || i == IMAGE ? 0 : SCOLS_FL_RIGHT) == NULL)
            return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);

        if (line == NULL || fill_line(line, &rows[i], bytes) < 0)
            return -ENOMEM;
    }
    return scols_print_table(table) != 0 ? -ENOMEM : 0;
}

/* "3 images: 1 done, 2 in order; 1.2 GiB copied in 8 s, 12 s less to read them all" */
static void print_sum(FILE *stream, const struct render_defrag_row *rows, size_t n, bool bytes)
{
    static const enum render_defrag_state kinds[] = {RENDER_DEFRAG_DONE,     RENDER_DEFRAG_PLANNED,
                                                     RENDER_DEFRAG_IN_ORDER, RENDER_DEFRAG_SKIPPED,
                                                     RENDER_DEFRAG_REFUSED,  RENDER_DEFRAG_FAILED};
    const struct render_defrag how = {.bytes = bytes};
    char copied[CELL_MAX], took[CELL_MAX], saved[CELL_MAX];
    double saved_seconds = 0, seconds = 0;
    uint64_t copied_bytes = 0;
    const char *before = ":";

    fprintf(stream, "%zu %s", n, size_noun(n, "image", "images"));
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        size_t of_kind = 0;

        for (size_t i = 0; i < n; i++)
            of_kind += rows[i].state == kinds[k];
        if (of_kind > 0) {
            fprintf(stream, "%s %zu %s", before, of_kind, states[kinds[k]].words);
            before = ",";
        }
    }
    for (size_t i = 0; i < n; i++) {
        copied_bytes += rows[i].copied_bytes;
        seconds += rows[i].state == RENDER_DEFRAG_DONE ? rows[i].seconds : 0;
        if ((rows[i].state == RENDER_DEFRAG_DONE || rows[i].state == RENDER_DEFRAG_PLANNED) &&
            rows[i].seconds_before.known && rows[i].seconds_after.known)
            saved_seconds += rows[i].seconds_before.value - rows[i].seconds_after.value;
    }
    put_size(&how, copied, copied_bytes);
    duration_format(took, seconds);
    duration_format(saved, saved_seconds > 0 ? saved_seconds : 0);
    if (copied_bytes > 0)
        fprintf(stream, "; copied %s in %s", copied, took);
    if (saved_seconds > 0)
        fprintf(stream, "; %s less to read them all", saved);
    fputs("\n", stream);
}

static bool has_note(const struct render_defrag_row *row, const char *note)
{
    for (size_t i = 0; i < RENDER_DEFRAG_NOTES_MAX; i++)
        if (row->notes[i] != NULL && strcmp(row->notes[i], note) == 0)
            return true;
    return false;
}

static bool was_printed(const struct render_defrag_row *rows, size_t n, const char *note)
{
    for (size_t i = 0; i < n; i++)
        if (has_note(&rows[i], note))
            return true;
    return false;
}

/* Each once, of which there are few. */
static void print_notes(FILE *stream, const struct render_defrag_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < RENDER_DEFRAG_NOTES_MAX && rows[i].notes[k] != NULL; k++) {
            const char *note = rows[i].notes[k];
            size_t times = 0;

            if (was_printed(rows, i, note))
                continue;
            for (size_t other = i; other < n; other++)
                times += has_note(&rows[other], note);
            fprintf(stream, "%zu %s: %s\n", times, states[rows[i].state].words, note);
        }
}

int render_defrag_table(FILE *stream, const struct render_defrag_row *rows, size_t n, bool bytes)
{
    int ret = n > 0 ? print_rows(stream, rows, n, bytes) : 0;

    if (ret == 0)
        print_sum(stream, rows, n, bytes);
    if (ret == 0)
        print_notes(stream, rows, n);
    return ret;
}

// SPDX-License-Identifier: MIT
/* Owns the look of what a rewrite did, or would do. */
#include "render_defrag.h"

#include "duration.h"
#include "json.h"
#include "json_table.h"
#include "size.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define CELL_MAX SIZE_TEXT_MAX
_Static_assert(CELL_MAX >= DURATION_TEXT_MAX, "a cell holds a duration");
#define LINE "  %-24s %-16s %s\n"

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
    const struct report_table *before = report_active_table(defrag->before);
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

static void print_end(FILE *stream, const struct render_defrag *defrag)
{
    char copied[CELL_MAX], needed[CELL_MAX], seconds[CELL_MAX];

    put_size(defrag, copied, defrag->copied_bytes);
    put_size(defrag, needed, defrag->needed_bytes);
    duration_format(seconds, defrag->seconds);
    switch (defrag->state) {
    case RENDER_DEFRAG_DONE:
        fprintf(stream, "\n  copied %s in %s; %s\n  the new image is ", copied, seconds,
                strcmp(defrag->verified, "direct") == 0 ? "read back from the device and proven"
                : strcmp(defrag->verified, "cached") == 0
                    ? "read back and proven, through the memory of the host: its file system has "
                      "no way past it"
                    : "not verified");
        text_print(stream, defrag->output, strlen(defrag->output));
        fputs(", the old one is as it was\n", stream);
        if (defrag->before->format.data_file.bytes != NULL)
            fputs("  both refer to the same external data file, which was left alone\n", stream);
        break;
    case RENDER_DEFRAG_PLANNED:
        fprintf(stream, "\n  to be copied: %s; the new file takes about %s of the disk\n", copied,
                needed);
        break;
    case RENDER_DEFRAG_IN_ORDER:
        fputs("\n  already in order: written anew it would be read no faster\n", stream);
        break;
    default:
        break;
    }
}

int render_defrag_text(FILE *stream, const struct render_defrag *defrag)
{
    if (defrag->state == RENDER_DEFRAG_REFUSED || defrag->state == RENDER_DEFRAG_FAILED)
        return 0; /* there is a message */
    text_print(stream, defrag->path, strlen(defrag->path));
    fputs("\n", stream);
    print_figures(stream, defrag);
    print_end(stream, defrag);
    return 0;
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

int render_defrag_json(FILE *stream, const struct render_defrag *defrag)
{
    static const char *const states[] = {[RENDER_DEFRAG_DONE] = "done",
                                         [RENDER_DEFRAG_PLANNED] = "planned",
                                         [RENDER_DEFRAG_IN_ORDER] = "in_order",
                                         [RENDER_DEFRAG_REFUSED] = "refused",
                                         [RENDER_DEFRAG_FAILED] = "failed"};
    struct json json = {.stream = stream};
    bool measured = defrag->before != NULL && defrag->before->error == NULL;

    json_open_object(&json, NULL);
    json_string(&json, "qcow2frag", QCOW2FRAG_VERSION);
    json_integer(&json, "schema", 1);
    json_open_array(&json, "defrag");
    json_open_object(&json, NULL);
    json_string(&json, "path", defrag->path);
    json_string(&json, "output", defrag->output);
    json_string(&json, "state", states[defrag->state]);
    json_string(&json, "error", defrag->error);
    put_table(&json, "before", measured ? report_active_table(defrag->before) : NULL);
    put_table(&json, "after", defrag->after != NULL ? report_active_table(defrag->after) : NULL);
    put_snapshots(&json, defrag);
    json_opt_count(&json, "file_bytes_before",
                   (struct opt_u64){measured, measured ? defrag->before->format.file_bytes : 0});
    json_opt_count(&json, "file_bytes_after", defrag->file_bytes_after);
    json_count(&json, "copied_bytes", defrag->copied_bytes);
    json_count(&json, "needed_bytes", defrag->needed_bytes);
    json_string(&json, "verified", defrag->verified);
    json_real(&json, "seconds", defrag->seconds);
    json_string(&json, "original", defrag->path);
    json_close_object(&json);
    json_close_array(&json);
    json_close_object(&json);
    putc('\n', stream);
    return 0;
}

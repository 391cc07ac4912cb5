// SPDX-License-Identifier: MIT
/* Owns the tables of figures: which there are, their words, and which way is better. */
#include "html_figures.h"

#include "html_frame.h"
#include "seconds.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum kind { COUNT, SIZE, PERCENT, SECONDS, FACTOR };
enum better { NEITHER, LESS, MORE };

struct figure {
    const char *name;
    enum kind kind;
    enum better better;
    /* Of the walk over the file, or over the device; @walk is of @table. */
    struct opt_f64 (*value)(const struct report_table *table, const struct report_walk *walk);
    const char *meaning;
};

/* ---- values ---- */

#define VALUE(function, known, expression)                                                         \
    static struct opt_f64 function(const struct report_table *table,                               \
                                   const struct report_walk *walk)                                 \
    {                                                                                              \
        (void)table;                                                                               \
        (void)walk;                                                                                \
        return (struct opt_f64){(known), (double)(expression)};                                    \
    }

VALUE(get_score, walk->fragmentation_score.known, walk->fragmentation_score.value)
VALUE(get_backward, true, walk->backward_steps)
VALUE(get_forward, true, walk->forward_jumps)
VALUE(get_near, true, walk->near_jumps)
VALUE(get_switches, walk->file_switches > 0, walk->file_switches)
VALUE(get_runs, true, walk->contiguous_runs)
VALUE(get_run_mean, walk->contiguous_run_mean_bytes.known, walk->contiguous_run_mean_bytes.value)
VALUE(get_half, walk->contiguous_run_half_bytes.known, walk->contiguous_run_half_bytes.value)
VALUE(get_max, walk->contiguous_run_max_bytes.known, walk->contiguous_run_max_bytes.value)
VALUE(get_ascending, true, walk->ascending_runs)
VALUE(get_ascending_mean, walk->ascending_run_mean_bytes.known,
      walk->ascending_run_mean_bytes.value)
VALUE(get_back_mean, walk->backward_jump_mean_bytes.known, walk->backward_jump_mean_bytes.value)
VALUE(get_forward_mean, walk->forward_jump_mean_bytes.known, walk->forward_jump_mean_bytes.value)
VALUE(get_mapped, true, walk->mapped_bytes)
VALUE(get_split, table->read_split.known, table->read_split.value)
VALUE(get_compressed, walk->compressed_clusters > 0, walk->compressed_clusters)
VALUE(get_zero, walk->zero_clusters > 0, walk->zero_clusters)
VALUE(get_corrupt, walk->corrupt_entries > 0, walk->corrupt_entries)
VALUE(get_after, table->disk.known && table->disk.after_defrag_seconds.known,
      table->disk.after_defrag_seconds.value)

static struct opt_f64 get_seconds(const struct report_table *table, const struct report_walk *walk)
{
    if (walk == &table->end_to_end.walk)
        return table->end_to_end.seconds;
    return (struct opt_f64){table->disk.known, table->disk.seconds};
}

static struct opt_f64 get_ideal(const struct report_table *table, const struct report_walk *walk)
{
    if (walk == &table->end_to_end.walk)
        return (struct opt_f64){table->end_to_end.seconds.known, table->end_to_end.ideal_seconds};
    return (struct opt_f64){table->disk.known, table->disk.ideal_seconds};
}

/* What the walk over the device has, too. */
static const struct figure walked[] = {
    {"fragmentation score", PERCENT, LESS, get_score,
     "How often the place goes backwards when the disk is read from front to back, in percent of "
     "the "
     "clusters. On a spinning disk each step back costs a seek and half a turn."},
    {"contiguous runs", COUNT, LESS, get_runs, "Stretches that can be read without any jump."},
    {"mean run", SIZE, MORE, get_run_mean, "Their mean length."},
    {"half length", SIZE, MORE, get_half,
     "Half of the data lies in runs of this length or more: what a byte picked at random is likely "
     "to "
     "lie in."},
    {"longest run", SIZE, MORE, get_max, "The longest of them."},
    {"steps back", COUNT, LESS, get_backward, "Jumps to a place before the one just read."},
    {"mean step back", SIZE, NEITHER, get_back_mean, "How far they go."},
    {"jumps forward", COUNT, LESS, get_forward, "Jumps over something, towards the end."},
    {"of them near", COUNT, NEITHER, get_near,
     "Over at most 512 KiB: a disk reads over such a gap faster than it seeks."},
    {"mean jump forward", SIZE, NEITHER, get_forward_mean, "How far they go."},
    {"jumps to another file", COUNT, LESS, get_switches, "Along the backing chain."},
    {"ascending runs", COUNT, LESS, get_ascending,
     "Stretches between two steps back; jumps forward may lie in them."},
    {"mean ascending run", SIZE, MORE, get_ascending_mean, "Their mean length."},
    {"time to read it all", SECONDS, LESS, get_seconds,
     "By a model of the disk, for a guest that reads all of its disk in order."},
    {"without a break", SECONDS, NEITHER, get_ideal, "The same bytes, put together."},
};

/* What the image has alone. */
static const struct figure of_image[] = {
    {"mapped", SIZE, NEITHER, get_mapped, "What the file holds of the guest disk."},
    {"data reads", FACTOR, LESS, get_split,
     "So many times as many reads as without breaks: what a disk without moving parts feels."},
    {"after defrag", SECONDS, NEITHER, get_after,
     "The time to read it all, once the image is rewritten."},
    {"compressed clusters", COUNT, NEITHER, get_compressed, "Mapped, and stored compressed."},
    {"zero clusters", COUNT, NEITHER, get_zero, "Known to be zeros: nothing is read for them."},
    {"damaged entries", COUNT, LESS, get_corrupt, "Of tables: where they lead nobody knows."},
};

#define N(list) (sizeof(list) / sizeof((list)[0]))

static const char *text_of(enum kind kind, struct opt_f64 value)
{
    static char factor[4][32];
    static unsigned next;

    if (!value.known)
        return "-";
    switch (kind) {
    case COUNT:
        return render_number_count((uint64_t)value.value);
    case SIZE:
        return html_mean(value);
    case PERCENT:
        next++;
        snprintf(factor[next % 4], sizeof(factor[0]), "%.2f %%", 100 * value.value);
        return factor[next % 4];
    case SECONDS:
        return render_number_duration(value.value);
    default:
        next++;
        snprintf(factor[next % 4], sizeof(factor[0]), "%.2f times", value.value);
        return factor[next % 4];
    }
}

/* ---- change ---- */

static void put_factor(struct html *html, const char *sign, double factor)
{
    if (factor < 100)
        html_format(html, "%s %.1f", sign, factor);
    else
        html_format(html, "%s %s", sign, render_number_count((uint64_t)(factor + 0.5)));
}

/* In percent points, in percent, or as a factor. */
static void put_difference(struct html *html, enum kind kind, double before, double after)
{
    const char *sign = after < before ? "\xe2\x88\x92" : "+"; /* minus */

    if (kind == PERCENT)
        html_format(html, "%s%.2f points", sign, 100 * fabs(after - before));
    else if (before <= 0 || after <= 0)
        html_put(html, after <= 0 ? "to none" : "from none");
    else if (after >= 2 * before)
        put_factor(html, "\xc3\x97", after / before);
    else if (before >= 10 * after)
        put_factor(html, "\xc3\xb7", before / after);
    else
        html_format(html, "%s%.1f %%", sign, fabs(after / before - 1) * 100);
}

static void put_change(struct html *html, const struct figure *figure, struct opt_f64 before,
                       struct opt_f64 after)
{
    bool same = before.known && after.known &&
                fabs(after.value - before.value) <= 1e-9 * fabs(before.value);
    bool less = after.value < before.value;

    if (!before.known || !after.known || same) {
        html_format(html, "<td class=\"n\">%s</td>", same ? "same" : "-");
        return;
    }
    html_format(html, "<td class=\"n%s\">",
                figure->better == NEITHER          ? ""
                : less == (figure->better == LESS) ? " better"
                                                   : " worse");
    put_difference(html, figure->kind, before.value, after.value);
    html_put(html, "</td>");
}

/* ---- rows ---- */

/* A column of values. */
struct column {
    const struct report_table *table;
    const struct report_walk *walk; /* NULL: it has no such figures */
};

static struct opt_f64 value_of(const struct figure *figure, const struct column *column)
{
    return column->walk != NULL ? figure->value(column->table, column->walk)
                                : (struct opt_f64){.known = false};
}

static void put_row(struct html *html, const struct figure *figure, const struct column *columns,
                    size_t n, bool change)
{
    struct opt_f64 values[2] = {{.known = false}, {.known = false}};
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        values[i] = value_of(figure, &columns[i]);
        any |= values[i].known;
    }
    if (!any)
        return;
    html_format(html, "<tr><th scope=\"row\">%s</th>", figure->name);
    for (size_t i = 0; i < n; i++)
        html_format(html, "<td class=\"n\">%s</td>", text_of(figure->kind, values[i]));
    if (change)
        put_change(html, figure, values[0], values[1]);
    html_format(html, "<td class=\"why\">%s</td></tr>\n", figure->meaning);
}

static void put_rows(struct html *html, const struct figure *figures, size_t n_figures,
                     const struct column *columns, size_t n, bool change)
{
    for (size_t i = 0; i < n_figures; i++)
        put_row(html, &figures[i], columns, n, change);
}

/* ---- tables ---- */

static bool has_device(const struct report_table *table)
{
    return table->end_to_end.known && table->end_to_end.walk.mapped_bytes > 0;
}

static void put_group(struct html *html, const char *title)
{
    html_format(html, "<tr class=\"group\"><th scope=\"colgroup\" colspan=\"5\">%s</th></tr>\n",
                title);
}

/* In the file, and beside it on the device. */
static void put_one(struct html *html, const struct report_table *table)
{
    const bool device = has_device(table);
    const struct column columns[2] = {{table, &table->walk},
                                      {table, device ? &table->end_to_end.walk : NULL}};

    html_frame_table(html, "The figures, and what they mean", NULL);
    html_format(
        html,
        "<thead><tr><th scope=\"col\">figure</th><th scope=\"col\" class=\"n\">in the file</th>%s"
        "<th scope=\"col\">what it means</th></tr></thead>\n<tbody>\n",
        device ? "<th scope=\"col\" class=\"n\">on the device</th>" : "");
    put_rows(html, walked, N(walked), columns, device ? 2 : 1, false);
    for (size_t i = 0; i < N(of_image); i++) {
        struct opt_f64 value = value_of(&of_image[i], &columns[0]);

        if (value.known)
            html_format(html,
                        "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td>%s"
                        "<td class=\"why\">%s</td></tr>\n",
                        of_image[i].name, text_of(of_image[i].kind, value),
                        device ? "<td></td>" : "", of_image[i].meaning);
    }
    html_frame_table_end(html);
}

static void put_two(struct html *html, const struct html_subjects *subjects)
{
    const struct report_table *before = subjects->list[0].table, *after = subjects->list[1].table;
    const struct column file[2] = {{before, &before->walk}, {after, &after->walk}};
    const struct column device[2] = {{before, &before->end_to_end.walk},
                                     {after, &after->end_to_end.walk}};

    html_frame_table(html, "The figures before and after, and what they mean", NULL);
    html_put(html,
             "<thead><tr><th scope=\"col\">figure</th><th scope=\"col\" class=\"n\">before</th>"
             "<th scope=\"col\" class=\"n\">after</th><th scope=\"col\" class=\"n\">change</th>"
             "<th scope=\"col\">what it means</th></tr></thead>\n<tbody>\n");
    put_group(html, "In the file");
    put_rows(html, walked, N(walked), file, 2, true);
    put_rows(html, of_image, N(of_image), file, 2, true);
    if (has_device(before) && has_device(after)) {
        put_group(html, "On the device, through the image and the extents of the file");
        put_rows(html, walked, N(walked), device, 2, true);
    }
    html_frame_table_end(html);
}

void html_figures(struct html *html, const struct html_subjects *subjects)
{
    for (size_t i = 0; i < subjects->n; i++)
        if (subjects->list[i].table == NULL || !subjects->list[i].table->measured)
            return;
    html_frame_section(html, "figures", "Figures", NULL);
    if (subjects->n == 1)
        put_one(html, subjects->list[0].table);
    else
        put_two(html, subjects);
    html_put(html, "</section>\n");
}

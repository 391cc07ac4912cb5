// SPDX-License-Identifier: MIT
/* Owns the rows of snapshots and of layers. There can be very many: rows end where their room does.
 */
#include "html_layers.h"

#include "html_frame.h"
#include "html_histogram.h"
#include "seconds.h"

#include <inttypes.h>
#include <string.h>

#define ROOM_BYTES 60000 /* of each table */
#define NAME_SHOWN_MAX 160

static void put_rest(struct html *html, size_t n, unsigned columns)
{
    if (n > 0)
        html_format(html,
                    "<tr><td colspan=\"%u\">and %s more; <code>qcow2frag --json</code> has them "
                    "all</td></tr>\n",
                    columns, render_number_count(n));
}

/* ---- snapshots ---- */

/* Both lists are in the order of the image. */
static struct opt_u64 exclusive_of(const struct report_image *image, size_t number)
{
    if (image->space == NULL || number >= image->space->n_snapshots)
        return (struct opt_u64){.known = false};
    return image->space->snapshots[number].exclusive_bytes;
}

static void put_table(struct html *html, const struct report_table *table)
{
    struct report_seconds seconds = report_seconds_of(table);
    const struct report_walk *walk = &table->walk;

    if (!table->measured) {
        html_put(html, "<td colspan=\"5\">not readable</td>");
        return;
    }
    html_format(html, "<td class=\"n\">%s</td>", render_number_size(walk->mapped_bytes));
    if (walk->fragmentation_score.known)
        html_format(html, "<td class=\"n\">%.2f %%</td>", 100 * walk->fragmentation_score.value);
    else
        html_put(html, "<td class=\"n\">-</td>");
    html_format(html, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>",
                render_number_count(walk->contiguous_runs),
                walk->contiguous_run_half_bytes.known
                    ? render_number_size(walk->contiguous_run_half_bytes.value)
                    : "-",
                seconds.known ? render_number_duration(seconds.seconds) : "-");
}

static void put_snapshot(struct html *html, const struct report_image *image,
                         const struct report_table *table, size_t number)
{
    struct opt_u64 exclusive;

    if (!table->is_snapshot) {
        html_put(html, "<tr><th scope=\"row\">active state</th><td></td>");
        put_table(html, table);
        html_put(html, image->space != NULL ? "<td class=\"n\">-</td></tr>\n" : "</tr>\n");
        return;
    }
    html_put(html, "<tr><th scope=\"row\">");
    html_isolated(html, table->name.bytes, table->name.len, NAME_SHOWN_MAX);
    html_put(html, "</th><td>");
    html_isolated(html, table->id.bytes, table->id.len, 40);
    html_put(html, "</td>");
    put_table(html, table);
    exclusive = exclusive_of(image, number);
    if (image->space != NULL)
        html_format(html, "<td class=\"n\">%s</td>",
                    exclusive.known ? render_number_size(exclusive.value) : "-");
    html_put(html, "</tr>\n");
}

bool html_layers_has_snapshots(const struct report_image *image)
{
    return image->n_tables > 1;
}

void html_layers_snapshots(struct html *html, const struct report_image *image)
{
    size_t room, number = 0, i;

    if (!html_layers_has_snapshots(image))
        return;
    html_frame_section(
        html, "snapshots", "Snapshots",
        "The disk as each of them holds it. To go back to one that is scattered is to have "
        "a scattered disk.");
    html_frame_table(html, "The active state and the snapshots", NULL);
    html_format(
        html,
        "<thead><tr><th scope=\"col\">state</th><th scope=\"col\">id</th>"
        "<th scope=\"col\" class=\"n\">mapped</th><th scope=\"col\" class=\"n\">score</th>"
        "<th scope=\"col\" class=\"n\">runs</th><th scope=\"col\" class=\"n\">half length</th>"
        "<th scope=\"col\" class=\"n\">time to read</th>%s</tr></thead>\n<tbody>\n",
        image->space != NULL ? "<th scope=\"col\" class=\"n\">deleting it frees</th>" : "");
    room = html->n_bytes + ROOM_BYTES;
    for (i = 0; i < image->n_tables && html->n_bytes < room; i++) {
        put_snapshot(html, image, &image->tables[i], number);
        number += image->tables[i].is_snapshot;
    }
    put_rest(html, image->n_tables - i, 8);
    html_frame_table_end(html);
    html_put(html, "</section>\n");
}

/* ---- the chain ---- */

static void put_layer(struct html *html, const struct report_table *table,
                      const struct report_layer *layer)
{
    html_format(html, "<tr><th scope=\"row\" class=\"n\">%" PRIu32 "</th><td class=\"name\">",
                layer->depth);
    html_isolated(html, layer->path, strlen(layer->path), NAME_SHOWN_MAX);
    html_format(html, "</td><td class=\"n\">%s</td>", render_number_size(layer->bytes));
    html_histogram_bar(
        html,
        table->walk.mapped_bytes > 0 ? (double)layer->bytes / (double)table->walk.mapped_bytes : 0,
        "plain");
    html_format(html, "<td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
                render_number_count(layer->runs),
                layer->shadowed_bytes.known ? render_number_size(layer->shadowed_bytes.value)
                                            : "-");
}

bool html_layers_has_chain(const struct html_subject *subject)
{
    return (subject->table != NULL && subject->table->n_layers > 0) ||
           subject->image->format.backing_file.bytes != NULL;
}

void html_layers_chain(struct html *html, const struct html_subject *subject)
{
    const struct report_table *table = subject->table;
    size_t room, i;

    if (!html_layers_has_chain(subject))
        return;
    html_frame_section(html, "chain", "Backing chain", NULL);
    if (table == NULL || table->n_layers == 0) {
        html_put(html, "<p>The image has a backing file, which was not opened: ");
        html_isolated(html, subject->image->format.backing_file.bytes,
                      subject->image->format.backing_file.len, 1100);
        html_put(html,
                 ". With <code>--chain</code> the figures are of all files together, as the guest "
                 "reads them.</p>\n</section>\n");
        return;
    }
    html_frame_table(html, "What the guest reads from each file, the top one first", NULL);
    html_put(html,
             "<thead><tr><th scope=\"col\" class=\"n\">depth</th><th scope=\"col\">file</th>"
             "<th scope=\"col\" class=\"n\">read from it</th><td></td>"
             "<th scope=\"col\" class=\"n\">in runs</th><th scope=\"col\" class=\"n\">hidden</th>"
             "</tr></thead>\n<tbody>\n");
    room = html->n_bytes + ROOM_BYTES;
    for (i = 0; i < table->n_layers && html->n_bytes < room; i++)
        put_layer(html, table, &table->layers[i]);
    put_rest(html, table->n_layers - i, 6);
    html_frame_table_end(html);
    html_put(html, "</section>\n");
}

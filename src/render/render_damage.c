// SPDX-License-Identifier: MIT
/* Owns the part of the page that is about damage. It comes first, since people stop reading. */
#include "render_damage.h"

#include "flow.h"
#include "render_verdict.h"
#include "rescue.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_SHOWN 10  /* of the page, whoever lost them */
#define FINDINGS_SHOWN 3 /* of a kind */

/* ---- what is lost ---- */

static void print_size(FILE *stream, const struct render_options *options, uint64_t bytes)
{
    char text[SIZE_TEXT_MAX];

    size_format(text, bytes);
    if (options->bytes)
        fprintf(stream, "%" PRIu64 " B", bytes);
    else
        fputs(text, stream);
}

/* Whose ranges they are. */
static void print_disk(FILE *stream, const struct report_table *table)
{
    char *name;

    if (!table->is_snapshot) {
        fputs("the guest disk", stream);
        return;
    }
    name = text_escape(table->name.bytes, table->name.len);
    fprintf(stream, "snapshot \"%s\"", name != NULL ? name : "?");
    free(name);
}

static void print_layer(FILE *stream, const struct report_layer *layer)
{
    char *path = text_escape(layer->path, strlen(layer->path));

    fprintf(stream, "backing file \"%s\"", path != NULL ? path : "?");
    free(path);
}

/* As far as there is room for them on the page. @layer: of it, not of the table. */
static void print_lost(FILE *stream, const struct report_table *table,
                       const struct report_layer *layer, const struct render_options *options,
                       size_t *room)
{
    const struct piece_lost *lost = layer != NULL ? layer->lost : table->lost;
    size_t n = piece_lost_kept(lost) < *room ? piece_lost_kept(lost) : *room;
    char count[SIZE_TEXT_MAX];

    fputs("  DAMAGED: " RENDER_PROSE "at least ", stream);
    print_size(stream, options, lost->bytes);
    fputs(" of ", stream);
    if (layer != NULL)
        print_layer(stream, layer);
    else
        print_disk(stream, table);
    size_format_count(count, lost->ranges);
    fprintf(stream, " cannot be read, in %s %s%s\n", count,
            size_noun(lost->ranges, "range", "ranges"), n > 0 ? ":" : "");
    for (size_t i = 0; i < n; i++) {
        fprintf(stream, "    0x%" PRIx64 " to 0x%" PRIx64 ", ", lost->list[i].begin,
                lost->list[i].end);
        print_size(stream, options, lost->list[i].end - lost->list[i].begin);
        putc('\n', stream);
    }
    size_format_count(count, lost->ranges - n);
    if (n > 0 && n < lost->ranges)
        fprintf(stream, "    and %s more\n", count);
    *room -= n;
}

/* Those of the files below. */
static size_t print_layers_lost(FILE *stream, const struct report_image *image,
                                const struct render_options *options, size_t *room)
{
    size_t n_lost = 0;

    for (size_t i = 0; i < image->n_tables; i++) {
        const struct report_table *table = &image->tables[i];

        for (size_t depth = 0; depth < table->n_layers; depth++) {
            if (table->layers[depth].lost == NULL)
                continue;
            if (n_lost++ < RANGES_SHOWN)
                print_lost(stream, table, &table->layers[depth], options, room);
        }
    }
    return n_lost;
}

/* Those of the image itself. How many tables have lost something. */
static size_t print_tables_lost(FILE *stream, const struct report_image *image,
                                const struct render_options *options, size_t *room)
{
    size_t n_lost = 0;
    char count[SIZE_TEXT_MAX];

    for (size_t i = 0; i < image->n_tables; i++)
        if (image->tables[i].lost != NULL && n_lost++ < RANGES_SHOWN)
            print_lost(stream, &image->tables[i], NULL, options, room);
    if (n_lost > RANGES_SHOWN) {
        size_format_count(count, n_lost - RANGES_SHOWN);
        fprintf(stream, "  DAMAGED: " RENDER_PROSE "parts of %s more %s cannot be read\n", count,
                size_noun(n_lost - RANGES_SHOWN, "snapshot", "snapshots"));
    }
    return n_lost;
}

int render_damage(FILE *stream, const struct report_image *image,
                  const struct render_options *options)
{
    size_t room = RANGES_SHOWN, n_lost;
    struct report_recipe rescue;
    int ret;

    if (!report_is_damaged(image))
        return 0;
    n_lost = print_tables_lost(stream, image, options, &room);
    n_lost += print_layers_lost(stream, image, options, &room);
    if (n_lost == 0)
        fputs("  DAMAGED: " RENDER_PROSE
              "see below, though all that was looked at of the guest disk is there\n",
              stream);
    ret = report_rescue(image, &rescue);
    if (ret == 0)
        render_steps(stream, &rescue);
    report_recipe_release(&rescue);
    return ret;
}

/* ---- findings ---- */

static void print_finding(FILE *stream, const struct format_finding *finding)
{
    bool error = format_finding_severity(finding->code) == FORMAT_ERROR;

    fprintf(stream, "  %s: " RENDER_FIGURE "%s", error ? "damage" : "note", finding->where);
    if (finding->has_host_off)
        fprintf(stream, " (offset 0x%" PRIx64 ")", finding->host_off);
    fprintf(stream, ": %s\n", finding->message);
}

void render_findings(FILE *stream, const struct format_findings *findings,
                     const struct render_options *options)
{
    size_t shown[FORMAT_FINDING_N_CODES] = {0}, n_shown = 0;
    char count[SIZE_TEXT_MAX];

    for (size_t i = 0; i < findings->n_list; i++) {
        const struct format_finding *finding = &findings->list[i];

        if (shown[finding->code] >= FINDINGS_SHOWN && !options->verbose)
            continue;
        shown[finding->code]++;
        n_shown++;
        print_finding(stream, finding);
    }
    size_format_count(count, findings->total - n_shown);
    if (findings->total > n_shown)
        fprintf(stream, "  and %s more of these kinds%s\n", count,
                n_shown < findings->n_list ? " (--verbose shows the first of them)" : "");
}

// SPDX-License-Identifier: MIT
/* Owns the map on a terminal: title, rows of cells, legend, verdict. */
#include "render_map.h"

#include "cleanup.h"
#include "flow.h"
#include "map_cell.h"
#include "page.h"
#include "picture.h"
#include "printed.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 11 /* "  12.5 GiB " before each row, where there is room */
#define LABELLED_WIDTH_MIN 60
#define SWATCHES 8 /* of a ramp in the legend */

struct map {
    const struct report_image *image;
    const struct report_picture *picture;
    const struct render_map_options *how;
    struct render_page page; /* for its numbers */
    enum map_form form;
    struct map_palette *palette;
    struct report_cell *cells;
    size_t n;
    size_t columns; /* cells in a row */
    bool labelled;
    bool occurs[REPORT_N_CELLS];
    bool broken; /* some of the mapped ones are */
};

static enum map_form form_of(const struct render_map_options *how)
{
    if (how->ascii || how->colours == RENDER_NO_COLOURS)
        return MAP_LETTERS;
    return how->colours == RENDER_16_COLOURS ? MAP_SHADES : MAP_BLOCKS;
}

static size_t columns_of(const struct render_map_options *how)
{
    return how->width >= LABELLED_WIDTH_MIN ? how->width - LABEL_WIDTH : how->width;
}

size_t render_map_cells_most(const struct render_map_options *how)
{
    return (size_t)(form_of(how) == MAP_BLOCKS ? 2 : 1) * columns_of(how) * how->height;
}

/* ---- the words above it ---- */

static const char *what_cells_are_of(const struct report_picture *picture)
{
    if (!picture->shape.by_host)
        return "the guest disk, in reading order";
    return picture->end_to_end            ? "the device, from the first to the last of the file"
           : picture->file_begins != NULL ? "the files, the lowest first"
                                          : "the file, from its first byte on";
}

static const char *what_places_are_of(const struct report_picture *picture)
{
    if (picture->shape.by_host)
        return "where on the guest disk its data belong";
    return picture->end_to_end            ? "where on the device its data lie"
           : picture->file_begins != NULL ? "where in the files of the chain its data lie"
                                          : "where in the file its data lie";
}

static void print_title(const struct map *map, FILE *stream)
{
    const struct report_table *table = report_main_table(map->image);
    const struct report_walk *walk =
        map->picture->end_to_end ? &table->end_to_end.walk : &table->walk;
    /* A file in one piece has no walk of its own over the device. */
    const struct report_walk *shown = walk->pieces > 0 ? walk : &table->walk;

    fputs(RENDER_PROSE, stream);
    text_print(stream, map->image->path, strlen(map->image->path));
    if (table->is_snapshot) {
        fputs(", snapshot ", stream);
        text_print(stream, table->name.bytes, table->name.len);
    }
    fprintf(stream, ": %s of disk, %s mapped, ",
            render_page_size(&map->page, map->picture->guest_end - map->picture->guest_begin),
            render_page_size(&map->page, shown->mapped_bytes));
    fprintf(stream, "%s %s", render_number_count(shown->breaks),
            size_noun(shown->breaks, "break", "breaks"));
    if (shown->fragmentation_score.known)
        fprintf(stream, ", score %.1f %%", 100 * shown->fragmentation_score.value);
    putc('\n', stream);
    fprintf(stream, RENDER_PROSE "A cell is %s of %s; its %s says %s.\n",
            render_page_size(&map->page, map->n > 0 ? map->cells[0].len_bytes : 0),
            what_cells_are_of(map->picture), map->form == MAP_LETTERS ? "letter" : "colour",
            what_places_are_of(map->picture));
}

/* ---- the words below it ---- */

/* A swatch of each step of a ramp. */
static void print_ramp(const struct map *map, struct render_paint *paint,
                       enum report_cell_kind kind, enum report_cell_order order)
{
    for (unsigned i = 0; i < SWATCHES; i++) {
        const struct report_cell cell = {.kind = kind,
                                         .order = order,
                                         .bytes = {.mapped_bytes = 1},
                                         .place = (double)i / (SWATCHES - 1)};

        map_cell_print(paint, map->palette, map->form, &cell, NULL);
    }
    render_paint_end(paint);
}

static void print_kind(const struct map *map, struct render_paint *paint,
                       enum report_cell_kind kind, const char *name)
{
    const struct report_cell cell = {.kind = kind};

    if (!map->occurs[kind])
        return;
    fputs("  ", paint->stream);
    map_cell_print(paint, map->palette, map->form, &cell, NULL);
    render_paint_end(paint);
    fprintf(paint->stream, " %s", name);
}

static const char *nothing(const struct report_picture *picture)
{
    return picture->shape.by_host ? "nothing of this disk" : "not mapped";
}

static bool has_others(const struct map *map)
{
    bool others = false;

    for (unsigned i = 0; i < REPORT_N_CELLS; i++)
        others |= map->occurs[i] && i != REPORT_CELL_DATA && i != REPORT_CELL_COMPRESSED;
    return others;
}

static void print_legend(const struct map *map, FILE *stream)
{
    struct render_paint paint = render_paint_begin(stream, map->how->colours);
    bool data = map->occurs[REPORT_CELL_DATA], blobs = map->occurs[REPORT_CELL_COMPRESSED];

    if (data || blobs)
        fputs("  first ", stream);
    if (data)
        print_ramp(map, &paint, REPORT_CELL_DATA, REPORT_CELL_WHOLE);
    if (data && blobs)
        fputs(" compressed ", stream);
    if (blobs)
        print_ramp(map, &paint, REPORT_CELL_COMPRESSED, REPORT_CELL_WHOLE);
    if (data || blobs)
        fputs(data ? " last" : " last (compressed)", stream);
    if (map->broken && (data || map->form != MAP_LETTERS)) {
        fputs("  broken inside ", stream);
        print_ramp(map, &paint, data ? REPORT_CELL_DATA : REPORT_CELL_COMPRESSED,
                   REPORT_CELL_IN_PIECES);
    }
    putc('\n', stream);
    if (!has_others(map))
        return;
    print_kind(map, &paint, REPORT_CELL_ZERO, "zeros");
    print_kind(map, &paint, REPORT_CELL_METADATA, "metadata");
    print_kind(map, &paint, REPORT_CELL_SNAPSHOT, "only snapshots");
    print_kind(map, &paint, REPORT_CELL_LEAKED, "leaked");
    print_kind(map, &paint, REPORT_CELL_FREE, "free");
    print_kind(map, &paint, REPORT_CELL_EMPTY, nothing(map->picture));
    putc('\n', stream);
}

static void print_end(const struct map *map, FILE *stream)
{
    if (map->image->verdict.known && map->image->verdict.reason != NULL)
        fprintf(stream, RENDER_PROSE "%s\n", map->image->verdict.reason);
}

/* ---- the rows ---- */

static void print_row(const struct map *map, size_t first, FILE *stream)
{
    struct render_paint paint = render_paint_begin(stream, map->how->colours);
    bool paired = map->form == MAP_BLOCKS;

    if (map->labelled)
        fprintf(stream, "%*s ", LABEL_WIDTH - 1,
                render_page_size(&map->page, map->cells[first].off));
    for (size_t i = first; i < first + map->columns && i < map->n; i++) {
        size_t below = i + map->columns;

        map_cell_print(&paint, map->palette, map->form, &map->cells[i],
                       paired && below < map->n ? &map->cells[below] : NULL);
    }
    render_paint_end(&paint);
    putc('\n', stream);
}

static size_t rows_in_a_line(const struct map *map)
{
    return map->form == MAP_BLOCKS ? 2 : 1;
}

static void look(struct map *map)
{
    for (size_t i = 0; i < map->n; i++) {
        const struct report_cell *cell = &map->cells[i];

        map->occurs[cell->kind] = true;
        map->broken |= cell->bytes.mapped_bytes > 0 && map_cell_is_broken(cell);
    }
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

/* A part of the text around the map, as it will look. NULL: no memory. */
static char *text_of(const struct map *map, void (*print)(const struct map *, FILE *))
{
    struct printed printed;
    FILE *memory = printed_open(&printed);
    FILE *flow = memory != NULL ? render_flow_open(memory, map->how->width) : NULL;
    bool failed = flow == NULL;
    char *text;

    if (flow != NULL) {
        print(map, flow);
        failed = fclose(flow) != 0;
    }
    text = printed_take(&printed, NULL);
    if (!failed)
        return text;
    free(text);
    return NULL;
}

/* As many cells as there is room for in @lines. */
static int find_cells(struct map *map, size_t lines)
{
    size_t most = lines * map->columns * rows_in_a_line(map);

    free(map->cells);
    memset(map->occurs, 0, sizeof(map->occurs));
    map->broken = false;
    map->n = report_picture_cells(map->picture, most, &map->cells);
    look(map);
    return map->n > 0 ? 0 : -ENOMEM;
}

static void release(struct map *map)
{
    free(map->cells);
    free(map->palette);
}

/* What stands around the map, line by line. */
struct texts {
    char *title, *legend, *end;
};

static void release_texts(struct texts *texts)
{
    free(texts->title);
    free(texts->legend);
    free(texts->end);
}

/* As many cells as have room below and above so many lines of text. */
static int find_cells_between(struct map *map, size_t lines)
{
    return find_cells(map, map->how->height > lines + 1 ? map->how->height - lines : 1);
}

/*
 * How many lines title and verdict take does not depend on the size of a cell: so the cells come
 * second. The legend may have a second line: it is given up where no cell needs it.
 */
static int fit(struct map *map, struct texts *texts)
{
    size_t lines = 2 + 1; /* the legend, and the next prompt */

    if (find_cells(map, 1) < 0)
        return -ENOMEM;
    texts->title = text_of(map, print_title);
    texts->end = text_of(map, print_end);
    if (texts->title == NULL || texts->end == NULL)
        return -ENOMEM;
    lines += count_lines(texts->title) + count_lines(texts->end);
    if (find_cells_between(map, lines) < 0)
        return -ENOMEM;
    if (!has_others(map) && find_cells_between(map, lines - 1) < 0)
        return -ENOMEM;
    if (has_others(map) && find_cells_between(map, lines) < 0) /* smaller cells have some */
        return -ENOMEM;
    free(texts->title);
    texts->title = text_of(map, print_title);
    texts->legend = text_of(map, print_legend);
    return texts->title != NULL && texts->legend != NULL ? 0 : -ENOMEM;
}

int render_map(FILE *stream, const struct report_image *image, const struct render_map_options *how)
{
    const struct render_options numbers = {.bytes = how->bytes};
    CLEANUP(release_texts) struct texts texts = {NULL, NULL, NULL};
    CLEANUP(release)
    struct map map = {.image = image,
                      .picture = report_main_picture(image),
                      .how = how,
                      .page = {.options = &numbers},
                      .form = form_of(how),
                      .columns = columns_of(how),
                      .labelled = how->width >= LABELLED_WIDTH_MIN};
    size_t step = map.columns * rows_in_a_line(&map);

    map.palette = calloc(1, sizeof(*map.palette));
    if (map.palette == NULL || fit(&map, &texts) < 0)
        return -ENOMEM;
    fputs(texts.title, stream);
    for (size_t first = 0; first < map.n; first += step)
        print_row(&map, first, stream);
    fputs(texts.legend, stream);
    fputs(texts.end, stream);
    return 0;
}

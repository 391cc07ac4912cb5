// SPDX-License-Identifier: MIT
/* Owns the map as JSON. */
#include "render_map.h"

#include "cleanup.h"
#include "json.h"
#include "picture.h"

#include <errno.h>
#include <stdlib.h>

static const char *const orders[] = {[REPORT_CELL_WHOLE] = "whole",
                                     [REPORT_CELL_CRACKED] = "cracked",
                                     [REPORT_CELL_BROKEN] = "broken",
                                     [REPORT_CELL_IN_PIECES] = "in_pieces"};

static void put_cell(struct json *json, const struct report_cell *cell)
{
    bool mapped = cell->bytes.mapped_bytes > 0;

    json_open_object(json, NULL);
    json_count(json, "offset", cell->off);
    json_count(json, "length", cell->len_bytes);
    json_string(json, "kind", report_cell_name(cell->kind));
    json_count(json, "mapped_bytes", cell->bytes.mapped_bytes);
    json_count(json, "compressed_bytes", cell->bytes.compressed_bytes);
    json_count(json, "zero_bytes", cell->bytes.zero_bytes);
    json_count(json, "breaks", cell->bytes.breaks);
    json_count(json, "near_jumps", cell->bytes.near_jumps);
    json_string(json, "order", mapped ? orders[cell->order] : NULL);
    json_opt_real(json, "place", mapped ? opt_f64_of(cell->place) : (struct opt_f64){0});
    json_close_object(json);
}

static void put_range(struct json *json, const char *key, uint64_t begin, uint64_t end)
{
    json_open_object(json, key);
    json_count(json, "begin", begin);
    json_count(json, "end", end);
    json_close_object(json);
}

int render_map_json(FILE *stream, const struct report_image *image, size_t most)
{
    const struct report_picture *picture = report_main_picture(image);
    const struct report_table *table = report_main_table(image);
    struct json json = {.stream = stream};
    CLEANUP_FREE struct report_cell *cells = NULL;
    size_t n = report_picture_cells(picture, most, &cells);

    if (n == 0)
        return -ENOMEM;
    json_open_object(&json, NULL);
    json_string(&json, "qcow2frag", QCOW2FRAG_VERSION);
    json_integer(&json, "schema", 1);
    json_open_object(&json, "map");
    json_string(&json, "path", image->path);
    if (table->is_snapshot)
        json_text(&json, "snapshot", table->name.bytes, table->name.len);
    else
        json_null(&json, "snapshot");
    json_count(&json, "chain_depth", table->chain_depth);
    json_string(&json, "by", picture->shape.by_host ? "host" : "guest");
    json_bool(&json, "end_to_end", picture->end_to_end);
    put_range(&json, "guest", picture->guest_begin, picture->guest_end);
    put_range(&json, "host", picture->host_begin, picture->host_end);
    json_open_array(&json, "cells");
    for (size_t i = 0; i < n; i++)
        put_cell(&json, &cells[i]);
    json_close_array(&json);
    json_close_object(&json);
    json_close_object(&json);
    putc('\n', stream);
    return 0;
}

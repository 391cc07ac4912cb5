// SPDX-License-Identifier: MIT
/* The images of a chain as layers: what is left out of each, and what raw ones hold. */
#include "layers.h"

#include "small_image.h"
#include "table.h"

#define CLUSTER UINT64_C(65536)

static void l1_entries_that_lead_into_metadata_are_skipped(void **state)
{
    struct chain_layers layers = {0};
    struct small_image small;
    struct tables_table table;
    struct err err = {0};

    (void)state;
    small_image_init(&small, 16, 6 * 8192 * CLUSTER, 6, 12);
    small_image_l1(&small, 2, 0, 0); /* no table */
    small_image_l1(&small, 2, 1, 1); /* the refcount table */
    small_image_l1(&small, 2, 2, 2); /* the L1 table itself */
    small_image_l1(&small, 2, 3, 5);
    small_image_l1(&small, 2, 4, 2);
    small_image_open(&small, 12 * CLUSTER);
    table = tables_table_of_active(&small.image);
    assert_int_equal(chain_layers_add(&layers, &small.image, &table, 0, 0, &err), 0);
    assert_int_equal(layers.n_list, 1);
    assert_true(chain_layer_skips(&layers.list[0], 1));
    assert_true(chain_layer_skips(&layers.list[0], 2));
    assert_false(chain_layer_skips(&layers.list[0], 3));
    assert_true(chain_layer_skips(&layers.list[0], 4));
    assert_false(chain_layer_skips(&layers.list[0], 5));
    assert_int_equal(layers.n_skips, 2);
    format_findings_free(&table.findings);
    chain_layers_free(&layers);
    small_image_free(&small);
}

/* ---- raw layers ---- */

/* Data in [0, 1000) and [4608, 7000) of 9,100 bytes. */
static uint64_t next_data(struct io *io, uint64_t off)
{
    (void)io;
    return off < 1000 ? off : off < 4608 ? 4608 : off < 7000 ? off : UINT64_MAX;
}

static uint64_t next_hole(struct io *io, uint64_t off)
{
    (void)io;
    return off < 1000 ? 1000 : off < 4608 ? off : off < 7000 ? 7000 : off;
}

static void raw_data_are_told_in_whole_sectors(void **state)
{
    static const struct io_ops ops = {.next_data = next_data, .next_hole = next_hole};
    struct chain_layers layers = {0};
    struct io io = {&ops};
    struct err err = {0};
    const struct chain_layer *layer;
    uint64_t end;

    (void)state;
    assert_int_equal(chain_layers_add_raw(&layers, &io, 9100, 9216, 3, &err), 0);
    layer = &layers.list[0];
    assert_true(layer->raw);
    assert_int_equal(layer->image_file, 3);
    assert_int_equal(layer->data_file, 3);
    assert_true(chain_layer_raw_data(layer, 0, 9100, &end));
    assert_int_equal(end, 1024);
    assert_true(chain_layer_raw_data(layer, 0, 600, &end));
    assert_int_equal(end, 600);
    assert_false(chain_layer_raw_data(layer, 1024, 9100, &end));
    assert_int_equal(end, 4608);
    assert_false(chain_layer_raw_data(layer, 1024, 2000, &end));
    assert_int_equal(end, 2000);
    assert_true(chain_layer_raw_data(layer, 4608, 9100, &end));
    assert_int_equal(end, 7168);
    assert_false(chain_layer_raw_data(layer, 7168, 9100, &end));
    assert_int_equal(end, 9100);
    assert_false(chain_layer_raw_data(layer, 9100, 9200, &end));
    assert_int_equal(end, 9200);
    assert_int_equal(chain_layer_raw_bytes(layer), 1024 + (7168 - 4608));
    chain_layers_free(&layers);
}

static void without_holes_all_of_it_is_data(void **state)
{
    unsigned char bytes[700] = {0};
    struct io_memory memory = io_memory_of(bytes, sizeof(bytes));
    struct chain_layers layers = {0};
    struct err err = {0};
    uint64_t end;

    (void)state;
    assert_int_equal(chain_layers_add_raw(&layers, &memory.io, 700, 1024, 0, &err), 0);
    assert_true(chain_layer_raw_data(&layers.list[0], 0, 700, &end));
    assert_int_equal(end, 700);
    assert_int_equal(chain_layer_raw_bytes(&layers.list[0]), 700);
    chain_layers_free(&layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(l1_entries_that_lead_into_metadata_are_skipped),
        cmocka_unit_test(raw_data_are_told_in_whole_sectors),
        cmocka_unit_test(without_holes_all_of_it_is_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

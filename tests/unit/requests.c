// SPDX-License-Identifier: MIT
/*
 * The reads along a chain: where they begin and end, in cases that can be counted by hand, and that
 * it does not matter in how many parts a range is told.
 */
#include "requests.h"

#include "dice.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define LAYERS 3

struct scene {
    struct chain_layer list[LAYERS];
    struct chain_layers layers;
    struct chain_requests requests;
    struct piece_counts counts;
};

/* All layers are alike at first: plain images, each in a file of its own. */
static void make(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    for (uint16_t i = 0; i < LAYERS; i++)
        scene->list[i] = (struct chain_layer){
            .data_file = i, .request_bytes = MIB, .read_bytes_max = UINT64_MAX};
    scene->layers = (struct chain_layers){.list = scene->list, .n_list = LAYERS};
}

static void begin(struct scene *scene, uint64_t off)
{
    assert_int_equal(chain_requests_init(&scene->requests, &scene->layers), 0);
    chain_requests_begin(&scene->requests, off, &scene->counts);
}

static void end(struct scene *scene, uint64_t reads, uint64_t unbroken)
{
    assert_int_equal(scene->counts.reads, reads);
    assert_int_equal(scene->counts.reads_unbroken, unbroken);
    chain_requests_free(&scene->requests);
    assert_null(scene->requests.lookups);
}

/* In KiB. */
static uint64_t take(struct scene *scene, size_t layer, enum chain_content content, uint64_t guest,
                     uint64_t bytes, uint64_t host)
{
    return chain_requests_take(&scene->requests, layer, content, guest * KIB, bytes * KIB,
                               host * KIB);
}

static void one_read_goes_on_as_long_as_nothing_changes(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 64, 640);
    take(&scene, 0, CHAIN_DATA, 64, 64, 704);
    end(&scene, 1, 1);
}

static void a_jump_in_the_file_begins_a_read(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 64, 640);
    take(&scene, 0, CHAIN_DATA, 64, 64, 705);
    end(&scene, 2, 1);
}

static void another_file_begins_a_read(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 64, 0);
    take(&scene, 1, CHAIN_DATA, 64, 64, 64);
    take(&scene, 1, CHAIN_DATA, 128, 64, 128);
    end(&scene, 2, 1);
}

static void a_request_ends_with_its_mebibyte(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 960, 128, 960);
    end(&scene, 2, 2);
}

static void and_with_the_slice_of_its_layer(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[1].request_bytes = 32 * KIB;
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 64, 0);
    take(&scene, 1, CHAIN_DATA, 64, 128, 64);
    end(&scene, 5, 5);
}

static void what_nobody_has_ends_a_read(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 64, 0);
    take(&scene, 0, CHAIN_DATA, 128, 64, 128);
    end(&scene, 2, 2);
}

static void zeros_of_a_qcow2_image_are_not_read(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_ZEROS, 0, 64, 0);
    take(&scene, 0, CHAIN_DATA, 64, 64, 64);
    take(&scene, 0, CHAIN_ZEROS, 128, 64, 0);
    take(&scene, 0, CHAIN_DATA, 192, 64, 192);
    end(&scene, 2, 2);
}

static void a_raw_image_is_read_through_its_holes(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[2].raw = true;
    begin(&scene, 0);
    take(&scene, 2, CHAIN_DATA, 0, 64, 0);
    take(&scene, 2, CHAIN_ZEROS, 64, 64, 64);
    take(&scene, 2, CHAIN_ZEROS, 128, 64, 128);
    take(&scene, 2, CHAIN_DATA, 192, 64, 192);
    end(&scene, 1, 1);
}

static void but_not_if_the_request_begins_in_one(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[2].raw = true;
    begin(&scene, 0);
    take(&scene, 2, CHAIN_DATA, 960, 64, 960);
    take(&scene, 2, CHAIN_ZEROS, 1024, 64, 1024);
    take(&scene, 2, CHAIN_DATA, 1088, 64, 1088);
    end(&scene, 2, 2);
}

static void nor_if_what_came_before_is_elsewhere(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[2].raw = true;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 0, 64, 0); /* of another file */
    take(&scene, 2, CHAIN_ZEROS, 64, 64, 64);
    take(&scene, 2, CHAIN_DATA, 128, 64, 128);
    end(&scene, 2, 2);
    make(&scene);
    scene.list[2].raw = true;
    scene.list[1].data_file = 2;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 0, 64, 8); /* at another place */
    take(&scene, 2, CHAIN_ZEROS, 64, 64, 64);
    take(&scene, 2, CHAIN_DATA, 128, 64, 128);
    end(&scene, 2, 2);
}

static void a_blob_is_read_once_in_each_request(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    assert_int_equal(take(&scene, 0, CHAIN_BLOB, 0, 64, 5), 1);
    assert_int_equal(take(&scene, 0, CHAIN_BLOB, 64, 64, 6), 1);
    assert_int_equal(take(&scene, 0, CHAIN_BLOB_REST, 128, 64, 7), 0);
    assert_int_equal(take(&scene, 0, CHAIN_BLOB, 960, 128, 8), 2);
    end(&scene, 4, 4);
}

static void a_blob_ends_the_read_before(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 64, 0);
    take(&scene, 0, CHAIN_BLOB, 64, 64, 5);
    take(&scene, 0, CHAIN_DATA, 128, 64, 64);
    take(&scene, 0, CHAIN_DATA, 192, 64, 128);
    end(&scene, 3, 3);
}

/* ---- borders of the images above ---- */

static void a_cut_above_begins_a_request_below(void **state)
{
    for (size_t layer = 0; layer < 3; layer++) {
        struct scene scene;

        (void)state;
        make(&scene);
        begin(&scene, 0);
        take(&scene, 1, CHAIN_DATA, 0, 64, 0);
        chain_requests_cut(&scene.requests, 64 * KIB, layer);
        take(&scene, 1, CHAIN_DATA, 64, 64, 64);
        end(&scene, layer == 0 ? 2 : 1, layer == 0 ? 2 : 1);
    }
}

static void the_topmost_cut_at_a_place_is_what_counts(void **state)
{
    for (int order = 0; order < 2; order++) {
        struct scene scene;

        (void)state;
        make(&scene);
        begin(&scene, 0);
        take(&scene, 2, CHAIN_DATA, 0, 64, 0);
        chain_requests_cut(&scene.requests, 64 * KIB, order == 0 ? 0 : 1);
        chain_requests_cut(&scene.requests, 64 * KIB, order == 0 ? 1 : 0);
        take(&scene, 1, CHAIN_DATA, 64, 64, 64); /* only the one of layer 0 is above */
        take(&scene, 1, CHAIN_DATA, 128, 64, 128);
        end(&scene, 2, 2);
    }
}

static void a_cut_counts_where_it_is_alone(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 2, CHAIN_DATA, 0, 64, 0);
    chain_requests_cut(&scene.requests, 64 * KIB, 0);
    take(&scene, 2, CHAIN_DATA, 64, 64, 64);
    take(&scene, 2, CHAIN_DATA, 128, 64, 128);
    chain_requests_cut(&scene.requests, 192 * KIB, 1);
    take(&scene, 2, CHAIN_DATA, 192, 64, 192);
    end(&scene, 3, 3);
}

/* ---- encrypted images ---- */

static void an_encrypted_image_reads_so_much_at_a_time(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[0].read_bytes_max = 128 * KIB;
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 64, 320, 64);
    end(&scene, 3, 3);
}

static void and_looks_so_far_for_what_is_below(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[0].read_bytes_max = 128 * KIB;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 64, 320, 64);
    end(&scene, 3, 3);
}

static void a_lookup_begins_where_the_image_has_nothing(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[0].read_bytes_max = 128 * KIB;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 0, 64, 0);
    take(&scene, 0, CHAIN_DATA, 64, 32, 0);
    take(&scene, 1, CHAIN_DATA, 96, 128, 96); /* up to 224: not further than 128 */
    take(&scene, 1, CHAIN_DATA, 224, 8, 224);
    end(&scene, 4, 2);
}

static void a_lookup_goes_on_over_what_nobody_has(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[0].read_bytes_max = 96 * KIB;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 10240 + 128, 80, 0); /* borders at 96 and 192 */
    end(&scene, 2, 2);
    make(&scene);
    scene.list[0].read_bytes_max = 96 * KIB;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 10240 + 128, 64, 0);
    end(&scene, 1, 1);
    make(&scene);
    scene.list[0].read_bytes_max = 96 * KIB;
    begin(&scene, 10240 * KIB + 64 * KIB); /* a part begins in the middle of a request */
    take(&scene, 1, CHAIN_DATA, 10240 + 128, 80, 0);
    end(&scene, 2, 2);
}

static void a_cut_of_the_encrypted_image_begins_its_lookup_anew(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[0].read_bytes_max = 128 * KIB;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 0, 64, 0);
    chain_requests_cut(&scene.requests, 64 * KIB, 0);
    take(&scene, 1, CHAIN_DATA, 64, 128, 64);
    end(&scene, 2, 2);
}

static void only_encrypted_images_above_have_a_say(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    scene.list[2].read_bytes_max = 16 * KIB;
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 0, 64, 0);
    take(&scene, 1, CHAIN_DATA, 64, 64, 64);
    end(&scene, 1, 1);
}

/* ---- in how many parts ---- */

struct range {
    size_t layer;
    enum chain_content content;
    uint64_t off, bytes, host;
};

#define RANGES 12

static void take_in_parts(struct scene *scene, const struct range *range, struct dice *dice,
                          uint64_t most)
{
    for (uint64_t at = 0; at < range->bytes;) {
        uint64_t left = range->bytes - at, bytes = KIB * (1 + dice_below(dice, most));

        bytes = bytes < left ? bytes : left;
        chain_requests_take(&scene->requests, range->layer, range->content, range->off + at, bytes,
                            range->host + at);
        at += bytes;
    }
}

static void it_does_not_matter_in_how_many_parts_a_range_is_told(void **state)
{
    struct dice dice = dice_of(7);

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct range ranges[RANGES];
        struct scene whole, parts;
        uint64_t off = 0;

        make(&whole);
        for (size_t i = 0; i < LAYERS; i++) {
            if (dice_below(&dice, 3) == 0)
                whole.list[i].read_bytes_max = 4 * KIB * (1 + dice_below(&dice, 60));
            whole.list[i].request_bytes = (i > 0 ? whole.list[i - 1].request_bytes : MIB) >>
                                          dice_below(&dice, 3); /* as chain/layers makes them */
        }
        whole.list[LAYERS - 1].raw = dice_below(&dice, 2) == 0;
        for (size_t i = 0; i < RANGES; i++) {
            ranges[i] = (struct range){
                .layer = (size_t)dice_below(&dice, LAYERS),
                .content = dice_below(&dice, 4) == 0 ? CHAIN_ZEROS : CHAIN_DATA,
                .off = off,
                .bytes = 4 * KIB * (1 + dice_below(&dice, dice_below(&dice, 2) == 0 ? 40 : 3000)),
            };
            ranges[i].host = dice_below(&dice, 2) == 0 ? off : 4 * KIB * dice_below(&dice, 9999);
            off += ranges[i].bytes +
                   (dice_below(&dice, 3) == 0 ? 4 * KIB * dice_below(&dice, 800) : 0);
        }
        parts = whole;
        parts.layers.list = parts.list;
        whole.layers.list = whole.list;
        begin(&whole, 0);
        begin(&parts, 0);
        for (size_t i = 0; i < RANGES; i++) {
            bool cut = dice_below(&dice, 3) == 0;
            size_t layer = (size_t)dice_below(&dice, LAYERS);

            take_in_parts(&whole, &ranges[i], &dice, UINT64_C(1) << 40);
            take_in_parts(&parts, &ranges[i], &dice, 200);
            if (cut) {
                chain_requests_cut(&whole.requests, ranges[i].off + ranges[i].bytes, layer);
                chain_requests_cut(&parts.requests, ranges[i].off + ranges[i].bytes, layer);
            }
            assert_int_equal(whole.counts.reads, parts.counts.reads);
            assert_int_equal(whole.counts.reads_unbroken, parts.counts.reads_unbroken);
        }
        chain_requests_free(&whole.requests);
        chain_requests_free(&parts.requests);
    }
}

static void long_ranges_are_counted_as_short_ones(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    begin(&scene, 0);
    take(&scene, 0, CHAIN_DATA, 0, 8 * 1024, 0);
    take(&scene, 0, CHAIN_DATA, 8 * 1024, 64, 8 * 1024);
    end(&scene, 9, 9);
    make(&scene);
    scene.list[0].read_bytes_max = 384 * KIB; /* three reads a request */
    begin(&scene, 0);
    take(&scene, 1, CHAIN_DATA, 0, 8 * 1024 + 512, 0);
    end(&scene, 26, 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_read_goes_on_as_long_as_nothing_changes),
        cmocka_unit_test(a_jump_in_the_file_begins_a_read),
        cmocka_unit_test(another_file_begins_a_read),
        cmocka_unit_test(a_request_ends_with_its_mebibyte),
        cmocka_unit_test(and_with_the_slice_of_its_layer),
        cmocka_unit_test(what_nobody_has_ends_a_read),
        cmocka_unit_test(zeros_of_a_qcow2_image_are_not_read),
        cmocka_unit_test(a_raw_image_is_read_through_its_holes),
        cmocka_unit_test(but_not_if_the_request_begins_in_one),
        cmocka_unit_test(nor_if_what_came_before_is_elsewhere),
        cmocka_unit_test(a_blob_is_read_once_in_each_request),
        cmocka_unit_test(a_blob_ends_the_read_before),
        cmocka_unit_test(a_cut_above_begins_a_request_below),
        cmocka_unit_test(the_topmost_cut_at_a_place_is_what_counts),
        cmocka_unit_test(a_cut_counts_where_it_is_alone),
        cmocka_unit_test(an_encrypted_image_reads_so_much_at_a_time),
        cmocka_unit_test(and_looks_so_far_for_what_is_below),
        cmocka_unit_test(a_lookup_begins_where_the_image_has_nothing),
        cmocka_unit_test(a_lookup_goes_on_over_what_nobody_has),
        cmocka_unit_test(a_cut_of_the_encrypted_image_begins_its_lookup_anew),
        cmocka_unit_test(only_encrypted_images_above_have_a_say),
        cmocka_unit_test(it_does_not_matter_in_how_many_parts_a_range_is_told),
        cmocka_unit_test(long_ranges_are_counted_as_short_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

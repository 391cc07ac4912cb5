// SPDX-License-Identifier: MIT
/* The list of runs: where one begins and ends, where it lies, and of which table it is. */
#include "list.h"
#include "map.h"
#include "scratch.h"
#include "small_image.h"

#define CLUSTER UINT64_C(65536)
#define COPIED FORMAT_ENTRY_COPIED
#define RUNS_MAX 32

/* Clusters of the file. */
enum { L1 = 2, L2, SNAPSHOT_L1, SNAPSHOT_L2, SNAPSHOTS, DATA = 8, END = 24 };

struct scene {
    struct small_image small;
    struct report_list_choice choice;
    struct report_listed listed;
    struct report_run runs[RUNS_MAX];
    char files[RUNS_MAX][16];
    size_t n_runs;
    size_t refused; /* the run, from 1 on, that is not taken; 0: none */
    struct host_segment segments[8];
    struct host_map map;
};

static int take(void *context, const struct report_run *run)
{
    struct scene *scene = context;

    assert_true(scene->n_runs < RUNS_MAX);
    if (scene->n_runs + 1 == scene->refused)
        return -ECANCELED;
    strcpy(scene->files[scene->n_runs], run->file);
    scene->runs[scene->n_runs++] = *run;
    return 0;
}

static void make(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    small_image_init(&scene->small, 16, 64 * CLUSTER, 1, END);
    small_image_l1(&scene->small, L1, 0, L2);
    scene->choice = (struct report_list_choice){.no_host = true, .take = take, .context = scene};
}

/* Guest cluster @guest is data at cluster @host of the file. */
static void put(struct scene *scene, uint32_t guest, uint64_t host)
{
    small_image_l2(&scene->small, L2, guest, COPIED | small_image_at(&scene->small, host), 0);
}

static int list(struct scene *scene, struct err *err)
{
    scene->n_runs = 0;
    format_findings_free(&scene->listed.findings);
    scene->small.memory = io_memory_of(scene->small.bytes, scene->small.len);
    return report_list_io(&scene->small.memory.io, "disk", &scene->choice, &scene->listed, err);
}

static void listed(struct scene *scene, size_t n)
{
    struct err err = {0};

    if (list(scene, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(scene->small.memory.n_closed, 1);
    assert_int_equal(scene->n_runs, n);
}

static void fails(struct scene *scene, int code, const char *text)
{
    struct err err = {0};

    assert_int_equal(list(scene, &err), -code);
    assert_string_equal(err.text, text);
    assert_int_equal(scene->n_runs, 0);
    assert_int_equal(scene->small.memory.n_closed, 1);
}

/* In clusters. */
static void is_data(const struct report_run *run, uint64_t guest, uint64_t n, uint64_t host)
{
    assert_int_equal(run->kind, PIECE_DATA);
    assert_int_equal(run->guest_off, guest * CLUSTER);
    assert_int_equal(run->guest_bytes, n * CLUSTER);
    assert_true(run->host_off.known);
    assert_int_equal(run->host_off.value, host * CLUSTER);
    assert_true(run->host_bytes.known);
    assert_int_equal(run->host_bytes.value, n * CLUSTER);
}

static void is_at(const struct report_run *run, uint64_t physical)
{
    assert_true(run->physical_off.known);
    assert_int_equal(run->physical_off.value, physical);
}

static void done(struct scene *scene)
{
    format_findings_free(&scene->listed.findings);
    free(scene->small.bytes);
}

/* ---- runs ---- */

static void a_run_goes_on_while_guest_and_file_do(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    listed(&scene, 0);
    put(&scene, 0, DATA);
    put(&scene, 1, DATA + 1);
    put(&scene, 2, DATA + 3); /* a jump in the file */
    put(&scene, 4, DATA + 4); /* one of the guest */
    put(&scene, 5, DATA + 2); /* back */
    listed(&scene, 4);
    is_data(&scene.runs[0], 0, 2, DATA);
    is_data(&scene.runs[1], 2, 1, DATA + 3);
    is_data(&scene.runs[2], 4, 1, DATA + 4);
    is_data(&scene.runs[3], 5, 1, DATA + 2);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(scene.files[i], "disk");
        assert_int_equal(scene.runs[i].depth, 0);
        assert_false(scene.runs[i].physical_off.known);
    }
    assert_false(scene.listed.changing);
    assert_false(scene.listed.being_written);
    done(&scene);
}

static void zeros_are_runs_too(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    small_image_l2(&scene.small, L2, 0, 1, 0);
    small_image_l2(&scene.small, L2, 1, 1, 0);
    small_image_l2(&scene.small, L2, 3, 1, 0);
    put(&scene, 4, DATA);
    listed(&scene, 3);
    assert_int_equal(scene.runs[0].kind, PIECE_ZERO);
    assert_int_equal(scene.runs[0].guest_bytes, 2 * CLUSTER);
    assert_false(scene.runs[0].host_off.known);
    assert_false(scene.runs[0].host_bytes.known);
    assert_int_equal(scene.runs[1].guest_off, 3 * CLUSTER);
    is_data(&scene.runs[2], 4, 1, DATA);
    done(&scene);
}

/* Zeros that keep their place in the file go on as data do, but are none. */
static void zeros_that_keep_their_place(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    put(&scene, 0, DATA);
    small_image_l2(&scene.small, L2, 1, COPIED | 1 | small_image_at(&scene.small, DATA + 1), 0);
    small_image_l2(&scene.small, L2, 2, COPIED | 1 | small_image_at(&scene.small, DATA + 2), 0);
    small_image_l2(&scene.small, L2, 3, COPIED | 1 | small_image_at(&scene.small, DATA + 4), 0);
    listed(&scene, 3);
    assert_int_equal(scene.runs[1].kind, PIECE_ZERO_ALLOCATED);
    assert_int_equal(scene.runs[1].guest_bytes, 2 * CLUSTER);
    assert_true(scene.runs[1].host_off.known);
    assert_int_equal(scene.runs[1].host_off.value, (DATA + 1) * CLUSTER);
    assert_int_equal(scene.runs[2].host_off.value, (DATA + 4) * CLUSTER);
    done(&scene);
}

static void each_compressed_cluster_is_a_run(void **state)
{
    struct scene scene;
    uint64_t off;

    (void)state;
    make(&scene);
    off = small_image_at(&scene.small, DATA);
    small_image_l2(&scene.small, L2, 0, UINT64_C(1) << 62 | off, 0);
    small_image_l2(&scene.small, L2, 1, UINT64_C(1) << 62 | (off + 512), 0);
    listed(&scene, 2);
    assert_int_equal(scene.runs[0].kind, PIECE_COMPRESSED);
    assert_int_equal(scene.runs[0].guest_bytes, CLUSTER);
    assert_int_equal(scene.runs[0].host_off.value, off);
    assert_int_equal(scene.runs[0].host_bytes.value, 512);
    assert_int_equal(scene.runs[1].host_off.value, off + 512);
    assert_int_equal(scene.runs[1].guest_off, CLUSTER);
    done(&scene);
}

static void kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(report_kind_name(PIECE_DATA), "data");
    assert_string_equal(report_kind_name(PIECE_COMPRESSED), "compressed");
    assert_string_equal(report_kind_name(PIECE_ZERO), "zero");
    assert_string_equal(report_kind_name(PIECE_ZERO_ALLOCATED), "zero");
}

static void who_does_not_take_a_run_stops_the_list(void **state)
{
    struct scene scene;
    struct err err = {0};

    (void)state;
    make(&scene);
    put(&scene, 0, DATA);
    put(&scene, 2, DATA + 1);
    scene.refused = 2;
    assert_int_equal(list(&scene, &err), -ECANCELED);
    assert_int_equal(scene.n_runs, 1);
    done(&scene);
}

/* ---- on the device ---- */

static void add_segment(struct scene *scene, uint64_t file, enum host_kind kind, uint64_t physical)
{
    scene->segments[scene->map.n_segments++] = (struct host_segment){
        .file_off = file * CLUSTER / 2, .physical = physical, .kind = (uint8_t)kind};
    scene->map.segments = scene->segments;
    scene->choice.no_host = false;
    scene->choice.host_map = &scene->map;
}

static void a_run_is_split_where_it_lies_in_several_places(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    for (uint32_t i = 0; i < 4; i++)
        put(&scene, i, DATA + i);
    add_segment(&scene, 0, HOST_DATA, 1 << 30);
    add_segment(&scene, 2 * DATA + 3, HOST_DATA, 0); /* in the middle of the second cluster */
    add_segment(&scene, 2 * DATA + 5, HOST_HOLE, 0);
    add_segment(&scene, 2 * DATA + 6, HOST_DATA, 7 << 20);
    add_segment(&scene, 2 * END, HOST_HOLE, 0);
    listed(&scene, 4);
    assert_int_equal(scene.runs[0].guest_bytes, CLUSTER * 3 / 2);
    is_at(&scene.runs[0], (1 << 30) + DATA * CLUSTER);
    assert_int_equal(scene.runs[1].guest_off, CLUSTER * 3 / 2);
    assert_int_equal(scene.runs[1].guest_bytes, CLUSTER);
    assert_int_equal(scene.runs[1].host_off.value, DATA * CLUSTER + CLUSTER * 3 / 2);
    is_at(&scene.runs[1], 0);
    assert_false(scene.runs[2].physical_off.known);
    assert_int_equal(scene.runs[2].guest_off, CLUSTER * 5 / 2);
    assert_int_equal(scene.runs[2].guest_bytes, CLUSTER / 2);
    is_at(&scene.runs[3], 7 << 20);
    assert_int_equal(scene.runs[3].guest_off, 3 * CLUSTER);
    assert_int_equal(scene.runs[3].guest_bytes, CLUSTER);
    done(&scene);
}

static void extents_that_follow_one_another_are_one_place(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    put(&scene, 0, DATA);
    put(&scene, 1, DATA + 1);
    put(&scene, 2, DATA); /* back, in a segment that was met before */
    add_segment(&scene, 0, HOST_DATA, 0);
    add_segment(&scene, 2 * DATA + 1, HOST_DATA, DATA * CLUSTER + CLUSTER / 2);
    listed(&scene, 2);
    is_data(&scene.runs[0], 0, 2, DATA);
    is_at(&scene.runs[0], DATA * CLUSTER);
    is_data(&scene.runs[1], 2, 1, DATA);
    is_at(&scene.runs[1], DATA * CLUSTER);
    done(&scene);
}

/* Of what the file system has compressed, only the beginning of the whole extent is known. */
static void a_stored_extent_has_one_place(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    for (uint32_t i = 0; i < 3; i++)
        put(&scene, i, DATA + i);
    add_segment(&scene, 0, HOST_DATA, 0);
    add_segment(&scene, 2 * DATA, HOST_ENCODED, 5 << 20);
    scene.segments[1].stored_bytes = 4096;
    add_segment(&scene, 2 * DATA + 4, HOST_DATA, (5 << 20) + 2 * CLUSTER);
    listed(&scene, 2);
    is_data(&scene.runs[0], 0, 2, DATA);
    is_at(&scene.runs[0], 5 << 20);
    is_data(&scene.runs[1], 2, 1, DATA + 2);
    is_at(&scene.runs[1], (5 << 20) + 2 * CLUSTER);
    done(&scene);
}

static void a_blob_is_not_split(void **state)
{
    struct scene scene;
    uint64_t off;

    (void)state;
    make(&scene);
    off = small_image_at(&scene.small, DATA);
    small_image_l2(&scene.small, L2, 0, UINT64_C(1) << 62 | UINT64_C(7) << 54 | off | 300, 0);
    add_segment(&scene, 0, HOST_DATA, 0);
    scene.segments[1] = (struct host_segment){.file_off = off + 512, .kind = HOST_DATA};
    scene.map.n_segments = 2;
    listed(&scene, 1);
    assert_true(scene.runs[0].host_bytes.value > 512);
    is_at(&scene.runs[0], off + 300);
    done(&scene);
}

/* ---- which table, and which part of it ---- */

static void a_snapshot_is_listed_by_its_name(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    put(&scene, 0, DATA);
    small_image_add_snapshot(&scene.small, SNAPSHOTS, "1", "one", SNAPSHOT_L1, 1, 64 * CLUSTER);
    small_image_add_snapshot(&scene.small, SNAPSHOTS, "2", "bad", 999, 1, 64 * CLUSTER);
    small_image_l1(&scene.small, SNAPSHOT_L1, 0, SNAPSHOT_L2);
    small_image_l2(&scene.small, SNAPSHOT_L2, 5, small_image_at(&scene.small, DATA + 5), 0);
    listed(&scene, 1);
    is_data(&scene.runs[0], 0, 1, DATA);
    assert_int_equal(scene.listed.findings.total, 1); /* of the other snapshot */
    scene.choice.snapshot = "one";
    listed(&scene, 1);
    is_data(&scene.runs[0], 5, 1, DATA + 5);
    scene.choice.snapshot = "bad";
    fails(&scene, EINVAL, "the L1 table of snapshot[1] cannot be read");
    scene.choice.snapshot = "none";
    fails(&scene, ENOENT, "has no snapshot \"none\"; it has id:1 name:one, id:2 name:bad");
    done(&scene);
}

static void a_part_of_the_disk_is_listed(void **state)
{
    struct tables_span span = {2 * CLUSTER, 4 * CLUSTER};
    struct scene scene;

    (void)state;
    make(&scene);
    for (uint32_t i = 0; i < 8; i++)
        put(&scene, i, DATA + i);
    scene.choice.span = &span;
    listed(&scene, 1);
    is_data(&scene.runs[0], 2, 2, DATA + 2);
    span = (struct tables_span){64 * CLUSTER, UINT64_MAX};
    fails(&scene, EINVAL,
          "the range begins at 4 MiB, but the disk has only 4 MiB; choose one inside it");
    done(&scene);
}

/* Saved VM state lies behind the end of the disk, in the same table. */
static void vm_state_is_not_listed(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    put(&scene, 63, DATA);
    put(&scene, 64, DATA + 1);
    listed(&scene, 1);
    is_data(&scene.runs[0], 63, 1, DATA);
    done(&scene);
}

/* ---- trouble ---- */

static void what_cannot_be_read_stops_the_list(void **state)
{
    struct scene scene;
    uint64_t n_reads;

    (void)state;
    make(&scene);
    put(&scene, 0, DATA);
    listed(&scene, 1);
    n_reads = scene.small.memory.n_requests;
    for (uint64_t i = 1; i <= n_reads; i++) {
        struct err err = {0};

        scene.n_runs = 0;
        format_findings_free(&scene.listed.findings);
        scene.small.memory = io_memory_of(scene.small.bytes, scene.small.len);
        scene.small.memory.fail_at = i;
        assert_int_equal(
            report_list_io(&scene.small.memory.io, "disk", &scene.choice, &scene.listed, &err),
            -EIO);
        assert_string_equal(err.text, IO_MEMORY_FAILS);
        assert_int_equal(scene.n_runs, 0);
    }
    done(&scene);
}

static void damage_is_left_out_and_told(void **state)
{
    struct scene scene;

    (void)state;
    make(&scene);
    put(&scene, 0, DATA);
    put(&scene, 1, 999);
    put(&scene, 2, DATA + 1);
    listed(&scene, 2);
    is_data(&scene.runs[1], 2, 1, DATA + 1);
    assert_int_equal(scene.listed.findings.errors, 1);
    done(&scene);
}

static void a_file_that_is_not_there(void **state)
{
    struct scene scene;
    struct err err = {0};

    (void)state;
    make(&scene);
    scene.listed.changing = true;
    assert_int_equal(report_list("nothing", &scene.choice, &scene.listed, &err), -ENOENT);
    assert_string_equal(err.text, "cannot open: No such file or directory");
    assert_false(scene.listed.changing);
    assert_int_equal(scene.listed.findings.total, 0);
    done(&scene);
}

/* ---- along a chain ---- */

/* Top has cluster 1, and the raw base all up to 10 1/2. */
static void make_chain(struct scene *scene)
{
    unsigned char *bytes = scene->small.bytes;
    char *base = calloc(1, CLUSTER);

    put(scene, 1, DATA);
    put_be32(bytes + 104, 0xe2792aca);
    put_be32(bytes + 108, 3);
    memcpy(bytes + 112, "raw", 3);
    put_be64(bytes + 8, 136);
    put_be32(bytes + 16, 4);
    memcpy(bytes + 136, "base", 4);
    scratch_put("top", bytes, scene->small.len);
    scratch_put("base", base, CLUSTER);
    free(base);
    scene->choice.chain = true;
}

static void the_runs_of_a_chain_name_their_files(void **state)
{
    struct scene scene;
    struct err err = {0};
    int fd;

    (void)state;
    make(&scene);
    make_chain(&scene);
    fd = open("base", O_WRONLY | O_TRUNC);
    for (int i = 0; i < 21; i++)
        assert_int_equal(write(fd, scene.small.bytes, CLUSTER / 2), CLUSTER / 2);
    close(fd);
    assert_int_equal(report_list("top", &scene.choice, &scene.listed, &err), 0);
    assert_true(scene.n_runs >= 3);
    is_data(&scene.runs[0], 0, 1, 0);
    assert_string_equal(scene.files[0], "base");
    assert_int_equal(scene.runs[0].depth, 1);
    is_data(&scene.runs[1], 1, 1, DATA);
    assert_string_equal(scene.files[1], "top");
    assert_int_equal(scene.runs[1].depth, 0);
    assert_int_equal(scene.runs[2].guest_off, 2 * CLUSTER);
    assert_int_equal(scene.runs[2].guest_bytes, CLUSTER * 17 / 2);
    assert_int_equal(scene.runs[2].host_off.value, 2 * CLUSTER);
    done(&scene);
}

static void a_part_of_a_chain_is_of_whole_clusters(void **state)
{
    struct tables_span span = {CLUSTER / 2, CLUSTER + 1};
    struct scene scene;
    struct err err = {0};

    (void)state;
    make(&scene);
    make_chain(&scene);
    scene.choice.span = &span;
    assert_int_equal(truncate("base", 10 * CLUSTER), 0);
    assert_int_equal(report_list("top", &scene.choice, &scene.listed, &err), 0);
    assert_in_range(scene.n_runs, 1, 2);
    assert_int_equal(scene.runs[0].guest_off, 0);
    is_data(&scene.runs[scene.n_runs - 1], 1, 1, DATA);
    scene.n_runs = 0;
    format_findings_free(&scene.listed.findings);
    span = (struct tables_span){63 * CLUSTER + 5, UINT64_MAX};
    assert_int_equal(report_list("top", &scene.choice, &scene.listed, &err), 0);
    assert_int_equal(scene.n_runs, 0);
    done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_while_guest_and_file_do),
        cmocka_unit_test(zeros_are_runs_too),
        cmocka_unit_test(zeros_that_keep_their_place),
        cmocka_unit_test(each_compressed_cluster_is_a_run),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(who_does_not_take_a_run_stops_the_list),
        cmocka_unit_test(a_run_is_split_where_it_lies_in_several_places),
        cmocka_unit_test(extents_that_follow_one_another_are_one_place),
        cmocka_unit_test(a_stored_extent_has_one_place),
        cmocka_unit_test(a_blob_is_not_split),
        cmocka_unit_test(a_snapshot_is_listed_by_its_name),
        cmocka_unit_test(a_part_of_the_disk_is_listed),
        cmocka_unit_test(vm_state_is_not_listed),
        cmocka_unit_test(what_cannot_be_read_stops_the_list),
        cmocka_unit_test(damage_is_left_out_and_told),
        SCRATCH_TEST(a_file_that_is_not_there),
        SCRATCH_TEST(the_runs_of_a_chain_name_their_files),
        SCRATCH_TEST(a_part_of_a_chain_is_of_whole_clusters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Proves the copying: all that moves arrives, whatever the source says of its holes; holes stay
 * where both are right; the source is read in the order of its disk; and a byte that is another one
 * when it is read back is named.
 */
#include "copy.h"

#include "dice.h"
#include "new_file.h"
#include "plan.h"
#include "planned.h"
#include "read_back.h"
#include "refcount.h"
#include "scratch.h"
#include "small_image.h"

#include <inttypes.h>
#include <math.h>

#define BITS 16
#define C (UINT64_C(1) << BITS)
#define MIB (UINT64_C(1) << 20)
#define FIRST 4 /* header, refcount table, L1 table, L2 table; then data */

/* ---- a source that is watched ---- */

/* Data are what data_byte says; where the head of its disk stands, and when. */
struct source {
    struct io io;
    struct small_image *small;
    uint64_t n_data;  /* clusters */
    uint64_t zero;    /* every so manieth cluster of data is zeros; 0: none */
    bool all_is_hole; /* what it says of itself */
    bool is_hole[64]; /* else: of these clusters of data */
    bool blank;       /* nobody looks at the data */
    uint64_t head;
    double seconds;
};

static bool is_zero_cluster(const struct source *source, uint64_t n)
{
    return source->zero > 0 && n % source->zero == 0;
}

static unsigned char data_byte(const struct source *source, uint64_t off)
{
    uint64_t n = off / C - FIRST;

    return is_zero_cluster(source, n) ? 0 : (unsigned char)(1 + (n * 7 + off / 512) % 255);
}

/* The model of a disk that spins, as in doc/definitions.md, but for its long ways. */
static void move_head(struct source *source, uint64_t off, uint64_t len)
{
    double way = off > source->head ? (double)(off - source->head) : (double)(source->head - off);
    double seek = (0.8 + 13.1 * sqrt(way / 4e12) + 4.17) / 1e3, over = way / 150e6;

    if (way > 0)
        source->seconds += off > source->head && over < seek ? over : seek;
    source->seconds += (double)len / 150e6;
    source->head = off + len;
}

static int source_read(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    struct source *source = (struct source *)io;

    for (size_t i = 0; i < n; i++) {
        struct io_request *request = &requests[i];
        uint64_t end = (FIRST + source->n_data) * C;

        if (request->off < FIRST * C)
            return io_memory_read(&source->small->memory.io, requests, n, err);
        move_head(source, request->off, request->len);
        request->got =
            request->off + request->len <= end ? request->len : (size_t)(end - request->off);
        for (size_t k = 0; k < request->got && !source->blank; k++)
            ((unsigned char *)request->buf)[k] = data_byte(source, request->off + k);
    }
    return 0;
}

static bool says_hole(const struct source *source, uint64_t off)
{
    uint64_t n = off / C - FIRST;

    return off >= FIRST * C && (source->all_is_hole || (n < 64 && source->is_hole[n]));
}

static uint64_t next_of(const struct source *source, uint64_t off, bool hole)
{
    uint64_t end = (FIRST + source->n_data) * C;

    while (off < end && says_hole(source, off) != hole)
        off = (off / C + 1) * C;
    return off < end || hole ? off : UINT64_MAX;
}

static uint64_t source_next_data(struct io *io, uint64_t off)
{
    return next_of((struct source *)io, off, false);
}

static uint64_t source_next_hole(struct io *io, uint64_t off)
{
    return next_of((struct source *)io, off, true);
}

static int source_size(struct io *io, uint64_t *bytes, struct err *err)
{
    (void)err;
    *bytes = (FIRST + ((struct source *)io)->n_data) * C;
    return 0;
}

static const struct io_ops source_ops = {.size = source_size,
                                         .read = source_read,
                                         .next_data = source_next_data,
                                         .next_hole = source_next_hole,
                                         .users = io_memory_users,
                                         .close = io_memory_close};

/* ---- the whole of it ---- */

struct copying {
    struct small_image small;
    struct source source;
    struct format_refcounts refcounts;
    struct defrag_plan plan;
    struct io *planned;
    struct store_new_file file;
    struct defrag_copied copied;
    uint64_t *from; /* [n_data] the cluster of data in which each guest cluster lies */
};

/* @n clusters of data, of at most one L2 table, in random order if @shuffled. */
static void begin(struct copying *copying, uint64_t n, bool shuffled)
{
    struct dice dice = dice_of(1);
    struct format_findings findings = {0};
    const struct defrag_plan_options plan_options = {.reserve = false};
    struct err err = {0};

    memset(copying, 0, sizeof(*copying));
    copying->from = calloc(n, sizeof(*copying->from));
    assert_non_null(copying->from);
    small_image_init(&copying->small, BITS, n * C, 1, FIRST);
    small_image_l1(&copying->small, 2, 0, 3);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = shuffled ? dice_below(&dice, i + 1) : i;

        copying->from[i] = copying->from[k];
        copying->from[k] = i;
    }
    for (uint64_t i = 0; i < n; i++)
        small_image_l2(&copying->small, 3, (uint32_t)i,
                       FORMAT_ENTRY_COPIED | (FIRST + copying->from[i]) * C, 0);
    small_image_open(&copying->small, (FIRST + n) * C);
    format_image_close(&copying->small.image);
    copying->source = (struct source){.io = {&source_ops}, .small = &copying->small, .n_data = n};
    if (format_image_open(&copying->source.io, &copying->small.image, &err) < 0 ||
        format_refcounts_open(&copying->small.image, &copying->refcounts, &findings, &err) < 0 ||
        defrag_plan_make(&copying->small.image, &copying->refcounts, &plan_options, &copying->plan,
                         &err) < 0 ||
        defrag_planned_open(&copying->plan, &(struct defrag_planned_options){0}, &copying->planned,
                            &err) < 0)
        fail_msg("%s", err.text);
    format_findings_free(&findings);
    copying->source.seconds = 0;
    copying->source.head = 0;
}

static void write_metadata(struct copying *copying)
{
    struct defrag_extent extent = {0};
    struct err err = {0};

    while (defrag_planned_next(copying->planned, extent.end, &extent)) {
        size_t len = (size_t)(extent.end - extent.begin);
        void *bytes = malloc(len);

        if (io_read(copying->planned, extent.begin, bytes, len, &err) < 0 ||
            store_new_file_write(&copying->file, extent.begin, bytes, len, &err) < 0)
            fail_msg("%s", err.text);
        free(bytes);
    }
}

/* All but the refcounts, which stay zeros. */
static void copy(struct copying *copying, enum defrag_disk disk, uint64_t memory_bytes)
{
    const struct defrag_copy_options options = {
        .memory_bytes = memory_bytes, .disk = disk, .hash = true};
    int like = open(".", O_RDONLY);
    const struct store_new_file_options file_options = {.like = like};
    struct err err = {0};

    if (store_new_file_open("new", &file_options, &copying->file, &err) < 0 ||
        store_new_file_set_length(&copying->file, copying->plan.file_bytes, &err) < 0)
        fail_msg("%s", err.text);
    write_metadata(copying);
    defrag_moves_sort_by_to(&copying->plan.data);
    if (defrag_copy(&copying->plan, &copying->source.io, copying->planned, &copying->file, &options,
                    &copying->copied, &err) < 0 ||
        store_new_file_sync(&copying->file, &err) < 0)
        fail_msg("%s", err.text);
    defrag_moves_sort_by_from(&copying->plan.data);
    close(like);
}

static void end(struct copying *copying)
{
    if (copying->file.path != NULL)
        store_new_file_abort(&copying->file);
    free(copying->copied.hashes.list);
    free(copying->from);
    io_close(copying->planned);
    defrag_plan_free(&copying->plan);
    format_refcounts_close(&copying->refcounts);
    small_image_free(&copying->small);
}

/* Where guest cluster @i lies in the new file: behind header, L1, refcounts and the L2 table. */
static uint64_t new_place(const struct copying *copying, uint64_t i)
{
    return copying->plan.file_bytes - (copying->source.n_data - i) * C;
}

static void check_all_there(const struct copying *copying)
{
    unsigned char *bytes = malloc(C);

    for (uint64_t i = 0; i < copying->source.n_data; i++) {
        uint64_t from = (FIRST + copying->from[i]) * C;

        assert_int_equal(pread(copying->file.fd, bytes, C, (off_t)new_place(copying, i)), C);
        for (size_t k = 0; k < C; k++)
            if (bytes[k] != data_byte(&copying->source, from + k))
                fail_msg("guest cluster %" PRIu64 ", byte %zu", i, k);
    }
    free(bytes);
}

static int read_back(struct copying *copying, struct err *err)
{
    const struct defrag_watch watch = {.stop = NULL};
    const struct defrag_read_back how = {.file = &copying->file,
                                         .hashes = &copying->copied.hashes,
                                         .watch = &watch,
                                         .plan = &copying->plan,
                                         .source = &copying->source.io,
                                         .planned = copying->planned};
    bool direct;

    return defrag_read_back(&how, &direct, err);
}

/* ---- all arrives ---- */

static void all_arrives_by_one_window_or_several(void **state)
{
    static const struct {
        enum defrag_disk disk;
        uint64_t memory_bytes;
    } ways[] = {{DEFRAG_DISK_FAST, 8 * MIB},    {DEFRAG_DISK_SPINS, 8 * MIB},
                {DEFRAG_DISK_UNKNOWN, 8 * MIB}, {DEFRAG_DISK_SPINS, MIB},
                {DEFRAG_DISK_SPINS, 64 * MIB},  {DEFRAG_DISK_FAST, 64 * MIB}};

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct copying copying;
        struct err err = {0};

        begin(&copying, 150, true);
        copy(&copying, ways[i].disk, ways[i].memory_bytes);
        check_all_there(&copying);
        assert_true(copying.copied.written_bytes == 150 * C);
        assert_true(copying.copied.read_bytes >= 150 * C);
        if (read_back(&copying, &err) < 0)
            fail_msg("%s", err.text);
        end(&copying);
    }
}

/* ---- holes ---- */

static void data_in_what_is_said_to_be_a_hole_arrive(void **state)
{
    struct copying copying;

    (void)state;
    begin(&copying, 48, true);
    copying.source.all_is_hole = true;
    copying.source.zero = 3;
    copy(&copying, DEFRAG_DISK_FAST, 8 * MIB);
    check_all_there(&copying);
    assert_int_equal(copying.copied.written_bytes, 32 * C);
    end(&copying);
}

/* Zeros that are no hole are written: who fills an image with them wants them to have a place. */
static void a_hole_is_left_only_where_both_say_so(void **state)
{
    struct copying copying;

    (void)state;
    begin(&copying, 48, false);
    copying.source.zero = 3;
    for (size_t i = 0; i < 48; i += 2)
        copying.source.is_hole[i] = true; /* of clusters 0 3 6 9 ..., every second one */
    copy(&copying, DEFRAG_DISK_FAST, 8 * MIB);
    check_all_there(&copying);
    assert_int_equal(copying.copied.written_bytes, (48 - 8) * C);
    for (uint64_t i = 0; i < 48; i++) {
        off_t at = (off_t)new_place(&copying, i);
        bool hole = lseek(copying.file.fd, at, SEEK_HOLE) == at;

        if (hole != (i % 6 == 0))
            fail_msg("guest cluster %" PRIu64 " is %s", i, hole ? "a hole" : "none");
    }
    end(&copying);
}

/* ---- the order of reads ---- */

/* As much memory as a quarter of the file, which is shuffled by a single cluster. */
static void reads_in_the_order_of_the_disk_take_a_third(void **state)
{
    const uint64_t n = 2048;
    struct copying copying;
    double in_guest_order;

    (void)state;
    begin(&copying, n, true);
    for (uint64_t i = 0; i < n; i++)
        move_head(&copying.source, (FIRST + copying.from[i]) * C, C);
    in_guest_order = copying.source.seconds;
    copying.source.blank = true;
    copying.source.seconds = 0;
    copying.source.head = 0;
    copy(&copying, DEFRAG_DISK_SPINS, n / 4 * C);
    if (copying.source.seconds > in_guest_order / 3)
        fail_msg("%.1f seconds, in guest order %.1f", copying.source.seconds, in_guest_order);
    end(&copying);
}

/* ---- the byte ---- */

static void a_byte_that_reads_back_otherwise_is_named(void **state)
{
    static const uint64_t offs[] = {0, 77, C, 20 * C + 4095, 47 * C + C - 1};
    char told[64];

    (void)state;
    for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
        struct copying copying;
        struct err err = {0};
        unsigned char byte;
        uint64_t off;

        begin(&copying, 48, true);
        copy(&copying, DEFRAG_DISK_FAST, 8 * MIB);
        off = offs[i] > 0 ? new_place(&copying, 0) + offs[i] : 100; /* of the header */
        assert_int_equal(pread(copying.file.fd, &byte, 1, (off_t)off), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(copying.file.fd, &byte, 1, (off_t)off), 1);
        assert_int_equal(read_back(&copying, &err), -EIO);
        snprintf(told, sizeof(told), "new: byte 0x%" PRIx64 " reads back as 0x%02x, not as 0x%02x;",
                 off, byte, byte ^ 0x40);
        if (strncmp(err.text, told, strlen(told)) != 0)
            fail_msg("%s, not %s", err.text, told);
        end(&copying);
    }
}

static void a_file_that_is_cut_is_noticed(void **state)
{
    struct copying copying;
    struct err err = {0};

    (void)state;
    begin(&copying, 48, true);
    copy(&copying, DEFRAG_DISK_FAST, 8 * MIB);
    assert_int_equal(ftruncate(copying.file.fd, (off_t)(copying.plan.file_bytes - 4096)), 0);
    assert_int_equal(read_back(&copying, &err), -EIO);
    assert_non_null(strstr(err.text, "it is shorter than what was written"));
    end(&copying);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_arrives_by_one_window_or_several, scratch_enter,
                                        scratch_leave),
        cmocka_unit_test_setup_teardown(data_in_what_is_said_to_be_a_hole_arrive, scratch_enter,
                                        scratch_leave),
        cmocka_unit_test_setup_teardown(a_hole_is_left_only_where_both_say_so, scratch_enter,
                                        scratch_leave),
        cmocka_unit_test_setup_teardown(reads_in_the_order_of_the_disk_take_a_third, scratch_enter,
                                        scratch_leave),
        cmocka_unit_test_setup_teardown(a_byte_that_reads_back_otherwise_is_named, scratch_enter,
                                        scratch_leave),
        cmocka_unit_test_setup_teardown(a_file_that_is_cut_is_noticed, scratch_enter,
                                        scratch_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

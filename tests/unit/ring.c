// SPDX-License-Identifier: MIT
/* Many reads at a time: each has its own answer. */
#include "ring.h"
#include "scratch.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

struct io_uring;

#define N_READS 150 /* more than a ring has room for */

/* Number i of the file is 1000 + i; they are read from the last to the first. */
struct reads {
    struct io_request requests[N_READS];
    struct io_request *list[N_READS];
    uint32_t got[N_READS];
};

static void make(struct reads *reads)
{
    uint32_t numbers[N_READS];

    for (uint32_t i = 0; i < N_READS; i++) {
        numbers[i] = 1000 + i;
        reads->requests[i] = (struct io_request){
            .off = 4 * (N_READS - 1 - i), .len = 4, .buf = &reads->got[i], .got = 77};
        reads->list[i] = &reads->requests[i];
    }
    scratch_put("file", numbers, sizeof(numbers));
}

/* Is the program built with it, and has the kernel any? */
static bool has_ring(void)
{
    static _Alignas(16) char ring[4096];
    int (*init)(unsigned, void *, unsigned) =
        (int (*)(unsigned, void *, unsigned))dlsym(RTLD_DEFAULT, "io_uring_queue_init");
    void (*leave)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "io_uring_queue_exit");

    if (init == NULL || leave == NULL || init(1, ring, 0) < 0)
        return false;
    leave(ring);
    return true;
}

static void read_all(int fd, struct reads *reads)
{
    if (!has_ring()) {
        close(fd);
        skip();
    }
    assert_true(io_ring_read(fd, reads->list, N_READS));
}

static void each_read_has_its_own_answer(void **state)
{
    struct reads reads;
    int fd;

    (void)state;
    make(&reads);
    fd = open("file", O_RDONLY);
    read_all(fd, &reads);
    for (uint32_t i = 0; i < N_READS; i++) {
        assert_int_equal(reads.requests[i].got, 4);
        assert_int_equal(reads.got[i], 1000 + N_READS - 1 - i);
    }
    close(fd);
}

static void what_is_not_there_is_not_read(void **state)
{
    struct reads reads;
    int fd;

    (void)state;
    make(&reads);
    assert_int_equal(truncate("file", 4 * N_READS - 3), 0);
    fd = open("file", O_RDONLY);
    read_all(fd, &reads);
    assert_int_equal(reads.requests[0].got, 1);
    assert_int_equal(reads.requests[1].got, 4);
    close(fd);
}

static void a_failed_read_has_read_nothing(void **state)
{
    struct reads reads;
    int fd;

    (void)state;
    make(&reads);
    fd = open("file", O_RDONLY);
    reads.requests[70].buf = NULL;
    read_all(fd, &reads);
    for (uint32_t i = 0; i < N_READS; i++)
        assert_int_equal(reads.requests[i].got, i == 70 ? 0 : 4);
    close(fd);
}

static void *work(void *context)
{
    struct reads *reads = context;
    int fd = open("file", O_RDONLY);

    for (int round = 0; round < 20; round++) {
        memset(reads->got, 0, sizeof(reads->got));
        if (!io_ring_read(fd, reads->list, N_READS))
            break;
        for (uint32_t i = 0; i < N_READS; i++)
            if (reads->got[i] != 1000 + N_READS - 1 - i)
                reads->list[0] = NULL;
    }
    close(fd);
    return NULL;
}

static void threads_do_not_mix_their_answers(void **state)
{
    static struct reads reads[4];
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        make(&reads[i]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &reads[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_non_null(reads[i].list[0]);
}

static int submit_error;
static unsigned n_submits;

/* In the place of liburing's, which is asked for the rest. */
int io_uring_submit(struct io_uring *ring);

int io_uring_submit(struct io_uring *ring)
{
    static int (*submit)(struct io_uring *);

    if (submit == NULL)
        submit = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");
    if (++n_submits == 2 && submit_error != 0)
        return submit_error;
    return submit(ring);
}

static void a_busy_ring_is_tried_again(void **state)
{
    struct reads reads;
    int fd;

    (void)state;
    make(&reads);
    fd = open("file", O_RDONLY);
    n_submits = 0;
    submit_error = -EAGAIN;
    read_all(fd, &reads);
    for (uint32_t i = 0; i < N_READS; i++)
        assert_int_equal(reads.got[i], 1000 + N_READS - 1 - i);
    close(fd);
}

/* The last one: a ring that has failed is of no use any more. */
static void a_ring_that_fails_is_not_tried_again(void **state)
{
    struct reads reads;
    int fd;

    (void)state;
    make(&reads);
    fd = open("file", O_RDONLY);
    n_submits = 0;
    submit_error = -EBADR;
    if (!has_ring()) {
        close(fd);
        skip();
    }
    assert_true(io_ring_read(fd, reads.list, 1));
    assert_false(io_ring_read(fd, reads.list, N_READS));
    assert_int_equal(n_submits, 2);
    assert_false(io_ring_read(fd, reads.list, 1));
    assert_int_equal(n_submits, 2);
    close(fd);
}

/* The ring of this thread stays open. */
static void open_ring(void)
{
    char byte;
    struct io_request request = {.len = 1, .buf = &byte}, *list[] = {&request};
    int fd = open("/dev/zero", O_RDONLY);

    io_ring_read(fd, list, 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(each_read_has_its_own_answer),
        SCRATCH_TEST(what_is_not_there_is_not_read),
        SCRATCH_TEST(a_failed_read_has_read_nothing),
        SCRATCH_TEST(threads_do_not_mix_their_answers),
        SCRATCH_TEST(a_busy_ring_is_tried_again),
        SCRATCH_TEST(a_ring_that_fails_is_not_tried_again),
    };

    open_ring();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

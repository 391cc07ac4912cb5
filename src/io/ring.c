// SPDX-License-Identifier: MIT
/*
 * Owns one io_uring for each thread that needs one. Without liburing, or where the kernel refuses
 * (an old one, a container's filter, a limit), it always declines.
 */
#include "ring.h"

#ifdef HAVE_LIBURING

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RING_ENTRIES 64

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static atomic_bool refused;

static void free_ring(void *ring)
{
    io_uring_queue_exit(ring);
    free(ring);
}

static void make_key(void)
{
    if (pthread_key_create(&key, free_ring) != 0)
        atomic_store(&refused, true);
}

static struct io_uring *ring_of_thread(void)
{
    struct io_uring *ring;

    pthread_once(&once, make_key);
    if (atomic_load(&refused))
        return NULL;
    ring = pthread_getspecific(key);
    if (ring != NULL)
        return ring;
    ring = malloc(sizeof(*ring));
    if (ring == NULL || io_uring_queue_init(RING_ENTRIES, ring, 0) < 0) {
        free(ring);
        atomic_store(&refused, true);
        return NULL;
    }
    if (pthread_setspecific(key, ring) != 0) {
        free_ring(ring);
        return NULL;
    }
    return ring;
}

/* Waits for @n answers. Each belongs to a request, whatever happened to the others. */
static void collect(struct io_uring *ring, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct io_uring_cqe *answer;
        struct io_request *request;

        while (io_uring_wait_cqe(ring, &answer) == -EINTR)
            ;
        request = io_uring_cqe_get_data(answer);
        request->got = answer->res > 0 ? (size_t)answer->res : 0;
        io_uring_cqe_seen(ring, answer);
    }
}

bool io_ring_read(int fd, struct io_request *const *requests, size_t n)
{
    struct io_uring *ring = ring_of_thread();

    if (ring == NULL)
        return false;
    for (size_t first = 0; first < n; first += RING_ENTRIES) {
        size_t end = n - first < RING_ENTRIES ? n : first + RING_ENTRIES;
        size_t n_submitted = 0;

        for (size_t i = first; i < end; i++) {
            struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

            requests[i]->got = 0;
            io_uring_prep_read(sqe, fd, requests[i]->buf, (unsigned)requests[i]->len,
                               requests[i]->off);
            io_uring_sqe_set_data(sqe, requests[i]);
        }
        while (n_submitted < end - first) {
            int ret = io_uring_submit(ring);

            if (ret > 0)
                n_submitted += (size_t)ret;
            else if (ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)
                break; /* the rest counts as not read; the ring is of no use any more */
        }
        collect(ring, n_submitted);
        if (n_submitted < end - first) {
            atomic_store(&refused, true);
            return false;
        }
    }
    return true;
}

#else

bool io_ring_read(int fd, struct io_request *const *requests, size_t n)
{
    (void)fd;
    (void)requests;
    (void)n;
    return false;
}

#endif

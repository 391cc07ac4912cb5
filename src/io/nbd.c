// SPDX-License-Identifier: MIT
/*
 * Owns the connections to one export, what was read there, and who may use which. The first
 * connection that fails is the end of all of them: no thread waits for the same server in vain.
 */
#include "nbd.h"

#include "cleanup.h"
#include "err.h"
#include "io.h"
#include "nbd_link.h"
#include "pages.h"
#include "uri.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINKS_MAX 4 /* more make no line faster, and servers count them */
#define MOMENT_NANOSECONDS (10L * 1000 * 1000)
#define AHEAD_BYTES ((size_t)IO_NBD_IN_FLIGHT * (64u << 10))

/* Of one look for data: the rest then counts as data. */
#define EXTENTS_ASKED_MAX 64
#define EXTENTS_ASKED_BYTES (UINT64_C(1) << 30)

struct io_nbd {
    struct io io;
    char *uri;
    unsigned seconds;
    struct io_nbd_export export;

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t freed;
    struct io_nbd_link *idle[LINKS_MAX];
    size_t n_idle, n_links;
    struct io_nbd_link *coming; /* one that connects while others are waited for */
    bool no_more;               /* than there are */
    struct err broken;
    struct io_pages pages;
    struct io_nbd_extents extents; /* as told last */
    bool no_holes;
};

static atomic_uint timeout_seconds = IO_NBD_SECONDS;

void io_nbd_set_timeout(unsigned seconds)
{
    timeout_seconds = seconds;
}

static struct io_nbd *nbd_of(struct io *io)
{
    return (struct io_nbd *)io; /* the first member */
}

/* ---- connections ---- */

/* That all are told who come later. */
static void break_all(struct io_nbd *nbd, const struct err *err)
{
    if (nbd->broken.code == 0)
        nbd->broken = *err;
    pthread_cond_broadcast(&nbd->freed);
}

/*
 * One more connection comes while an old one is waited for; a server that has no room for it never
 * answers, and nobody waits for that. NULL: it is not there yet.
 */
static struct io_nbd_link *take_coming(struct io_nbd *nbd)
{
    struct io_nbd_link *link = nbd->coming;
    struct io_nbd_export export;
    struct err err = {0};
    int ret;

    if (nbd->no_more || !nbd->export.many_links || nbd->n_links == LINKS_MAX)
        return NULL;
    nbd->coming = NULL; /* nobody else goes on with it meanwhile, or begins another */
    nbd->no_more = true;
    pthread_mutex_unlock(&nbd->lock);
    ret = link == NULL ? io_nbd_link_begin(nbd->uri, &link, &err) : 0;
    if (ret == 0)
        ret = io_nbd_link_await(link, 0, &export, &err);
    pthread_mutex_lock(&nbd->lock);
    nbd->no_more = ret < 0;
    if (ret == 0)
        nbd->coming = link;
    if (ret == 1 && export.split.size != nbd->export.split.size) {
        ret = err_set(&err, EPROTO,
                      "its size changes: the server said %" PRIu64 " bytes, and now %" PRIu64,
                      nbd->export.split.size, export.split.size);
        break_all(nbd, &err);
    }
    if (ret < 0)
        io_nbd_link_close(link);
    if (ret <= 0)
        return NULL;
    nbd->n_links++;
    return link;
}

static void wait_a_moment(struct io_nbd *nbd)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += MOMENT_NANOSECONDS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&nbd->freed, &nbd->lock, &until);
}

static int take_link(struct io_nbd *nbd, struct io_nbd_link **link, struct err *err)
{
    int ret = 0;

    pthread_mutex_lock(&nbd->lock);
    *link = NULL;
    while (*link == NULL && nbd->broken.code == 0) {
        if (nbd->n_idle > 0)
            *link = nbd->idle[--nbd->n_idle];
        else
            *link = take_coming(nbd);
        if (*link == NULL && nbd->broken.code == 0 && nbd->n_idle == 0)
            wait_a_moment(nbd);
    }
    if (*link == NULL) {
        *err = nbd->broken;
        ret = -err->code;
    }
    pthread_mutex_unlock(&nbd->lock);
    return ret;
}

/* @err: of what was done with it. */
static void give_link(struct io_nbd *nbd, struct io_nbd_link *link, const struct err *err)
{
    pthread_mutex_lock(&nbd->lock);
    if (io_nbd_link_is_broken(link)) {
        break_all(nbd, err);
        io_nbd_link_close(link);
    } else {
        nbd->idle[nbd->n_idle++] = link;
        pthread_cond_signal(&nbd->freed);
    }
    pthread_mutex_unlock(&nbd->lock);
}

/* ---- reading ---- */

/* The parts of a batch of requests. */
struct reading {
    struct io_nbd_part *parts;
    size_t n_parts, cap_parts;
    struct aside { /* parts that reach over their requests have buffers of their own */
        struct io_request *request;
        unsigned char *bytes;
        uint64_t off;
        uint32_t len;
    } * asides;
    size_t n_asides, cap_asides;
};

static void free_reading(struct reading *reading)
{
    for (size_t i = 0; i < reading->n_asides; i++)
        free(reading->asides[i].bytes);
    free(reading->asides);
    free(reading->parts);
}

static int add_part(struct reading *reading, struct io_request *request, uint64_t off, uint32_t len)
{
    bool inside = off >= request->off && off + len <= request->off + request->got;
    void *buf = inside ? (char *)request->buf + (off - request->off) : malloc(len);

    if (!inside && (buf == NULL || vec_reserve(reading, asides) < 0)) {
        free(buf);
        return -ENOMEM;
    }
    if (!inside)
        reading->asides[reading->n_asides++] = (struct aside){request, buf, off, len};
    if (vec_reserve(reading, parts) < 0)
        return -ENOMEM;
    reading->parts[reading->n_parts++] = (struct io_nbd_part){off, len, buf};
    return 0;
}

/* What lies behind the end is zeros, what is known is not asked for. */
static int add_request(struct io_nbd *nbd, struct reading *reading, struct io_request *request)
{
    const struct io_split *split = &nbd->export.split;
    uint64_t there = request->off < split->size ? split->size - request->off : 0, begin, end;
    int ret = 0;

    request->got = request->len < there ? request->len : (size_t)there;
    request->waited = false;
    memset((char *)request->buf + request->got, 0, request->len - request->got);
    pthread_mutex_lock(&nbd->lock);
    io_pages_get(&nbd->pages, request->off, request->buf, request->got, &begin, &end);
    pthread_mutex_unlock(&nbd->lock);
    if (begin == end)
        return 0;
    request->waited = true;
    io_split_widen(split, &begin, &end);
    while (begin < end && ret == 0) {
        uint32_t len = io_split_part(split, begin, end);

        ret = add_part(reading, request, begin, len);
        begin += len;
    }
    return ret;
}

static void finish(struct io_nbd *nbd, const struct reading *reading)
{
    pthread_mutex_lock(&nbd->lock);
    for (size_t i = 0; i < reading->n_parts; i++)
        io_pages_put(&nbd->pages, reading->parts[i].off, reading->parts[i].buf,
                     reading->parts[i].len);
    pthread_mutex_unlock(&nbd->lock);
    for (size_t i = 0; i < reading->n_asides; i++) {
        const struct aside *aside = &reading->asides[i];
        const struct io_request *request = aside->request;
        uint64_t begin = aside->off > request->off ? aside->off : request->off;
        uint64_t end = aside->off + aside->len, whole = request->off + request->got;

        end = end < whole ? end : whole;
        memcpy((char *)request->buf + (begin - request->off), aside->bytes + (begin - aside->off),
               (size_t)(end - begin));
    }
}

static int nbd_read(struct io *io, struct io_request *requests, size_t n, struct err *err)
{
    CLEANUP(free_reading) struct reading reading = {.n_parts = 0};
    struct io_nbd *nbd = nbd_of(io);
    struct io_nbd_link *link;
    int ret;

    for (size_t i = 0; i < n; i++)
        if (add_request(nbd, &reading, &requests[i]) < 0)
            return err_no_memory(err);
    if (reading.n_parts == 0)
        return 0;
    ret = take_link(nbd, &link, err);
    if (ret < 0)
        return ret;
    ret = io_nbd_link_read(link, reading.parts, reading.n_parts, nbd->seconds, err);
    give_link(nbd, link, err);
    if (ret == 0)
        finish(nbd, &reading);
    return ret;
}

static size_t nbd_ahead(struct io *io)
{
    (void)io;
    return AHEAD_BYTES;
}

static void nbd_renew(struct io *io)
{
    struct io_nbd *nbd = nbd_of(io);

    pthread_mutex_lock(&nbd->lock);
    io_pages_forget(&nbd->pages);
    nbd->extents.n = 0;
    pthread_mutex_unlock(&nbd->lock);
}

/* ---- holes ---- */

/* The extent that @off is in, of those told last; NULL: it is in none. */
static bool find_extent(struct io_nbd *nbd, uint64_t off, uint64_t *end, bool *zero)
{
    const struct io_nbd_extents *extents = &nbd->extents;
    bool found = false;

    pthread_mutex_lock(&nbd->lock);
    for (size_t i = 0; i < extents->n && off >= extents->begin && !found; i++) {
        found = off < extents->list[i].end;
        *end = extents->list[i].end;
        *zero = extents->list[i].zero;
    }
    pthread_mutex_unlock(&nbd->lock);
    return found;
}

/* A server that cannot tell what is there is not asked again. */
static bool ask_extents(struct io_nbd *nbd, uint64_t off)
{
    const struct io_split *split = &nbd->export.split;
    CLEANUP_FREE struct io_nbd_extents *told = malloc(sizeof(*told));
    uint64_t begin = off, end = split->size - off < EXTENTS_ASKED_BYTES ? split->size
                                                                        : off + EXTENTS_ASKED_BYTES;
    struct io_nbd_link *link;
    struct err err = {0};
    bool there;
    int ret;

    if (told == NULL || take_link(nbd, &link, &err) < 0)
        return false;
    io_split_widen(split, &begin, &end);
    ret = io_nbd_link_extents(link, begin, (uint32_t)(end - begin), nbd->seconds, told, &err);
    give_link(nbd, link, &err);
    there = ret == 0 && told->n > 0 && told->list[told->n - 1].end > off;
    pthread_mutex_lock(&nbd->lock);
    nbd->no_holes |= !there;
    if (there)
        nbd->extents = *told;
    pthread_mutex_unlock(&nbd->lock);
    return there;
}

static bool tells_holes(struct io_nbd *nbd)
{
    bool no_holes;

    pthread_mutex_lock(&nbd->lock);
    no_holes = nbd->no_holes;
    pthread_mutex_unlock(&nbd->lock);
    return nbd->export.has_holes && !no_holes;
}

static uint64_t nbd_next_data(struct io *io, uint64_t off)
{
    struct io_nbd *nbd = nbd_of(io);
    const uint64_t size = nbd->export.split.size;
    uint64_t end;
    bool zero;

    for (unsigned asked = 0; off < size;) {
        if (find_extent(nbd, off, &end, &zero)) {
            if (!zero)
                return off;
            off = end;
        } else if (!tells_holes(nbd) || asked++ == EXTENTS_ASKED_MAX || !ask_extents(nbd, off)) {
            return off;
        }
    }
    return UINT64_MAX;
}

/* ---- the rest ---- */

static int nbd_size(struct io *io, uint64_t *bytes, struct err *err)
{
    (void)err;
    *bytes = nbd_of(io)->export.split.size;
    return 0;
}

/* Who else has it open, only the server knows. */
static struct io_users nbd_users(struct io *io)
{
    (void)io;
    return (struct io_users){.known = false};
}

static void nbd_close(struct io *io)
{
    struct io_nbd *nbd = nbd_of(io);

    for (size_t i = 0; i < nbd->n_idle; i++)
        io_nbd_link_close(nbd->idle[i]);
    io_nbd_link_close(nbd->coming);
    io_pages_forget(&nbd->pages);
    pthread_cond_destroy(&nbd->freed);
    pthread_mutex_destroy(&nbd->lock);
    free(nbd->uri);
    free(nbd);
}

static const struct io_ops nbd_ops = {
    .size = nbd_size,
    .read = nbd_read,
    .ahead = nbd_ahead,
    .renew = nbd_renew,
    .next_data = nbd_next_data,
    .users = nbd_users,
    .close = nbd_close,
};

static int connect_first(struct io_nbd *nbd, struct err *err)
{
    struct io_nbd_link *link;
    int ret = io_nbd_link_begin(nbd->uri, &link, err);

    if (ret < 0)
        return ret;
    ret = io_nbd_link_await(link, (int)nbd->seconds * 1000, &nbd->export, err);
    if (ret == 0)
        ret = err_set(err, ETIMEDOUT, "cannot connect: the server has not answered for %u %s",
                      nbd->seconds, nbd->seconds == 1 ? "second" : "seconds");
    if (ret < 0) {
        io_nbd_link_close(link);
        return ret;
    }
    nbd->idle[nbd->n_idle++] = link;
    nbd->n_links = 1;
    return 0;
}

int io_nbd_open(const char *uri, struct io **io, struct err *err)
{
    struct io_nbd *nbd;
    int ret = io_uri_check(uri, err);

    if (ret < 0)
        return ret;
    nbd = calloc(1, sizeof(*nbd));
    if (nbd == NULL)
        return err_no_memory(err);
    nbd->io.ops = &nbd_ops;
    nbd->seconds = timeout_seconds;
    nbd->uri = strdup(uri);
    pthread_mutex_init(&nbd->lock, NULL);
    pthread_cond_init(&nbd->freed, NULL);
    ret = nbd->uri == NULL ? err_no_memory(err) : connect_first(nbd, err);
    if (ret < 0)
        nbd_close(&nbd->io);
    else
        *io = &nbd->io;
    return ret;
}

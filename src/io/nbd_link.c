// SPDX-License-Identifier: MIT
/* Owns one handle of libnbd. Believes nothing that the server says. */
#include "nbd_link.h"

#include "clock.h"
#include "err.h"
#include "nbd_library.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 300 /* bytes of what libnbd or the server say */

/* A request in flight. */
struct sent {
    struct io_nbd_link *link;
    struct io_nbd_part part;
    uint64_t n_bytes;  /* that have come */
    struct sent *next; /* that is free, too */
};

struct io_nbd_link {
    const struct io_nbd_library *nbd;
    struct nbd_handle *handle; /* NULL when the connection has failed and was shut */
    bool broken;

    struct sent sent[IO_NBD_IN_FLIGHT];
    struct sent *free;
    size_t n_sent, n_answered;
    struct io_nbd_part refused; /* the first one that the server could not do, */
    int refusal;                /* and why; 0: there is none */
};

/* ---- failures ---- */

/* The last one of libnbd in this thread, without the name of the function in front. */
static const char *reason_of(const struct io_nbd_link *link, char text[REASON_MAX + 8])
{
    const char *reason = link->nbd->get_error(), *colon;

    if (reason == NULL)
        return "libnbd does not say why";
    colon = strncmp(reason, "nbd_", 4) == 0 ? strstr(reason, ": ") : NULL;
    strncpy(text, colon != NULL ? colon + 2 : reason, REASON_MAX);
    text[REASON_MAX] = '\0';
    return text;
}

static int fail(struct io_nbd_link *link, const char *what, struct err *err)
{
    int code = link->nbd->get_errno();
    char text[REASON_MAX + 8];

    link->broken = true;
    return err_set(err, code > 0 ? code : EIO, "%s: %s", what, reason_of(link, text));
}

/* ---- connecting ---- */

int io_nbd_link_begin(const char *uri, struct io_nbd_link **link, struct err *err)
{
    const struct io_nbd_library *nbd = io_nbd_library(err);
    struct io_nbd_link *made;
    int ret = 0;

    if (nbd == NULL)
        return -err->code;
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return err_no_memory(err);
    made->nbd = nbd;
    made->handle = nbd->create();
    if (made->handle == NULL ||
        nbd->set_uri_allow_transports(made->handle, LIBNBD_ALLOW_TRANSPORT_TCP |
                                                        LIBNBD_ALLOW_TRANSPORT_UNIX) < 0 ||
        nbd->set_uri_allow_local_file(made->handle, true) < 0 ||
        nbd->add_meta_context(made->handle, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0 ||
        nbd->aio_connect_uri(made->handle, uri) < 0)
        ret = fail(made, "cannot connect", err);
    if (ret < 0)
        io_nbd_link_close(made);
    else
        *link = made;
    return ret;
}

static uint64_t block_size(const struct io_nbd_link *link, int kind)
{
    int64_t bytes = link->nbd->get_block_size(link->handle, kind);

    return bytes > 0 ? (uint64_t)bytes : 0;
}

static int fill(struct io_nbd_link *link, struct io_nbd_export *export, struct err *err)
{
    const struct io_nbd_library *nbd = link->nbd;
    int64_t size = nbd->get_size(link->handle);
    uint64_t minimum = block_size(link, LIBNBD_SIZE_MINIMUM),
             maximum = block_size(link, LIBNBD_SIZE_MAXIMUM);

    if (size < 0) {
        link->broken = true;
        return err_set(err, EFBIG, "the server says that it has 2^63 bytes or more");
    }
    if (!io_split_init(&export->split, (uint64_t)size, minimum, maximum)) {
        link->broken = true;
        return err_set(err, EPROTO,
                       "the server wants requests of at least %" PRIu64 " and at most %" PRIu64
                       " bytes, which makes no sense",
                       minimum, maximum);
    }
    export->many_links = nbd->can_multi_conn(link->handle) == 1;
    export->has_holes = nbd->can_meta_context(link->handle, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
    return 1;
}

/* Is it over, though nothing failed? */
static bool is_gone(const struct io_nbd_link *link)
{
    return link->nbd->aio_is_closed(link->handle) == 1 || link->nbd->aio_is_dead(link->handle) == 1;
}

/*
 * Lets the connection go on for so long. A signal that ends nothing is no failure. A server that
 * ends it before it was looked at once is an event that libnbd does not expect (EINVAL).
 */
static int go_on(struct io_nbd_link *link, int milliseconds, const char *what, struct err *err)
{
    int ret = link->nbd->poll(link->handle, milliseconds);
    int code = ret < 0 ? link->nbd->get_errno() : 0;

    if (ret < 0 && code != EINVAL && (code != EINTR || is_gone(link)))
        return fail(link, what, err);
    if (code != EINVAL && !is_gone(link))
        return ret != 0;
    link->broken = true;
    return err_set(err, ECONNRESET, "%s: the server has closed the connection", what);
}

/* What is left of the time until then, for poll: not 0 before it is over. */
static int milliseconds_until(double end)
{
    double left = (end - clock_seconds()) * 1000;

    return left <= 0 ? 0 : left < 1e6 ? (int)left + 1 : 1000000;
}

int io_nbd_link_await(struct io_nbd_link *link, int milliseconds, struct io_nbd_export *export,
                      struct err *err)
{
    const double end = clock_seconds() + milliseconds / 1000.0;
    int left = milliseconds;

    while (link->nbd->aio_is_ready(link->handle) != 1) {
        int ret = go_on(link, left, "cannot connect", err);

        if (ret < 0)
            return ret;
        left = milliseconds_until(end);
        if (left == 0)
            return 0;
    }
    return fill(link, export, err);
}

/* ---- requests ---- */

/* Called by libnbd, of each piece of what was read: it does not look whether they are the whole. */
static int came(void *context, const void *bytes, size_t n_bytes, uint64_t off, unsigned status,
                int *error)
{
    struct sent *sent = context;

    (void)bytes;
    (void)off;
    (void)error;
    if (status == LIBNBD_READ_DATA || status == LIBNBD_READ_HOLE)
        sent->n_bytes += n_bytes;
    return 0;
}

/* Called by libnbd, of each request once. */
static int answered(void *context, int *error)
{
    struct sent *sent = context;
    struct io_nbd_link *link = sent->link;

    if (*error == 0 && sent->part.buf != NULL && sent->n_bytes != sent->part.len)
        *error = ENODATA;
    if (*error != 0 && link->refusal == 0) {
        link->refusal = *error;
        link->refused = sent->part;
    }
    link->n_answered++;
    sent->next = link->free;
    link->free = sent;
    return 1; /* it may forget the request */
}

static struct sent *begin_request(struct io_nbd_link *link, const struct io_nbd_part *part)
{
    struct sent *sent = link->free;

    link->free = sent->next;
    *sent = (struct sent){.link = link, .part = *part};
    link->n_sent++;
    return sent;
}

static nbd_completion_callback answer_of(struct sent *sent)
{
    return (nbd_completion_callback){.callback = answered, .user_data = sent};
}

static void begin_requests(struct io_nbd_link *link)
{
    link->n_sent = link->n_answered = 0;
    link->refusal = 0;
    link->free = NULL;
    for (size_t i = 0; i < IO_NBD_IN_FLIGHT; i++) {
        link->sent[i].next = link->free;
        link->free = &link->sent[i];
    }
}

/* Until one more is answered. */
static int await_answer(struct io_nbd_link *link, unsigned seconds, struct err *err)
{
    const double end = clock_seconds() + seconds;
    const size_t before = link->n_answered;

    while (link->n_answered == before) {
        int left = milliseconds_until(end), ret;

        if (left == 0) {
            link->broken = true;
            return err_set(err, ETIMEDOUT, "the server has not answered for %u %s", seconds,
                           size_noun(seconds, "second", "seconds"));
        }
        ret = go_on(link, left, "the connection broke", err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/*
 * What is in flight when a connection fails still has buffers of the caller: libnbd is to forget
 * them at once.
 */
static void shut(struct io_nbd_link *link)
{
    link->nbd->close(link->handle);
    link->handle = NULL;
}

static int end_requests(struct io_nbd_link *link, int ret, unsigned seconds, struct err *err)
{
    while (ret == 0 && link->n_answered < link->n_sent)
        ret = await_answer(link, seconds, err);
    if (link->broken)
        shut(link);
    return ret;
}

static int send_part(struct io_nbd_link *link, const struct io_nbd_part *part, unsigned seconds,
                     struct err *err)
{
    int ret = link->free == NULL ? await_answer(link, seconds, err) : 0;
    struct sent *sent;

    if (ret < 0)
        return ret;
    sent = begin_request(link, part);
    if (link->nbd->aio_pread_structured(link->handle, part->buf, part->len, part->off,
                                        (nbd_chunk_callback){.callback = came, .user_data = sent},
                                        answer_of(sent), 0) < 0)
        ret = fail(link, "the connection broke", err);
    return ret;
}

int io_nbd_link_read(struct io_nbd_link *link, const struct io_nbd_part *parts, size_t n,
                     unsigned seconds, struct err *err)
{
    int ret = 0;

    begin_requests(link);
    for (size_t i = 0; i < n && ret == 0 && link->refusal == 0; i++)
        ret = send_part(link, &parts[i], seconds, err);
    ret = end_requests(link, ret, seconds, err);
    if (ret == 0 && link->refusal == ENODATA)
        ret = err_set(err, EIO, "the server gives less than it was asked for at offset 0x%" PRIx64,
                      link->refused.off);
    else if (ret == 0 && link->refusal != 0)
        ret = err_set(err, link->refusal,
                      "the server cannot read %" PRIu32 " %s at offset 0x%" PRIx64 ": %s",
                      link->refused.len, size_noun(link->refused.len, "byte", "bytes"),
                      link->refused.off, strerror(link->refusal));
    return ret;
}

bool io_nbd_link_is_broken(const struct io_nbd_link *link)
{
    return link->broken;
}

/* ---- extents ---- */

/* Called by libnbd: pairs of a length and flags. Neighbours of a kind become one. */
static int take_extents(void *context, const char *metacontext, uint64_t off, uint32_t *entries,
                        size_t n_entries, int *error)
{
    struct io_nbd_extents *extents = context;

    (void)error;
    if (strcmp(metacontext, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0 || off != extents->begin)
        return 0;
    extents->n = 0;
    for (size_t i = 0; i + 1 < n_entries; i += 2) {
        bool zero = (entries[i + 1] & LIBNBD_STATE_ZERO) != 0;

        off += entries[i];
        if (extents->n == 0 || extents->list[extents->n - 1].zero != zero) {
            if (extents->n == IO_NBD_EXTENTS_MAX)
                break;
            extents->list[extents->n++].zero = zero;
        }
        extents->list[extents->n - 1].end = off;
    }
    return 0;
}

int io_nbd_link_extents(struct io_nbd_link *link, uint64_t off, uint32_t len, unsigned seconds,
                        struct io_nbd_extents *extents, struct err *err)
{
    const struct io_nbd_part part = {.off = off, .len = len};
    int ret = 0;

    *extents = (struct io_nbd_extents){.begin = off};
    begin_requests(link);
    if (link->nbd->aio_block_status(
            link->handle, len, off,
            (nbd_extent_callback){.callback = take_extents, .user_data = extents},
            answer_of(begin_request(link, &part)), 0) < 0)
        ret = fail(link, "the connection broke", err);
    ret = end_requests(link, ret, seconds, err);
    if (ret == 0 && link->refusal != 0)
        ret = err_set(err, link->refusal, "the server cannot tell holes: %s",
                      strerror(link->refusal));
    return ret;
}

/* ---- the end ---- */

void io_nbd_link_close(struct io_nbd_link *link)
{
    if (link == NULL)
        return;
    if (link->handle != NULL) {
        if (link->nbd->aio_is_ready(link->handle) == 1)
            link->nbd->aio_disconnect(link->handle, 0); /* says so, and waits for nothing */
        link->nbd->close(link->handle);
    }
    free(link);
}

// SPDX-License-Identifier: MIT
/* Owns what tells a URI from a name of a file. What is in one, libnbd reads. */
#include "uri.h"

#include "err.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN_MAX 64u
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define REST "+-.0123456789" /* what a scheme may have behind its first letter, too */

/* The length of the scheme of all that begins like those of NBD; 0: it is a name of a file. */
static size_t scheme_of(const char *name)
{
    size_t len = strspn(name, LETTERS REST);

    if (strncmp(name, "nbd", 3) != 0 || strncmp(name + len, "://", 3) != 0)
        return 0;
    return len == 3 || name[3] == '+' || (name[3] == 's' && (len == 4 || name[4] == '+')) ? len : 0;
}

static bool has_scheme(const char *uri, const char *scheme)
{
    return scheme_of(uri) == strlen(scheme) && strncmp(uri, scheme, strlen(scheme)) == 0;
}

static const char *authority_of(const char *uri)
{
    return uri + scheme_of(uri) + strlen("://");
}

bool io_uri_is(const char *name)
{
    return scheme_of(name) > 0;
}

bool io_uri_has_password(const char *uri)
{
    const char *authority = authority_of(uri);
    size_t len = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', len);

    return at != NULL && memchr(authority, ':', (size_t)(at - authority)) != NULL;
}

void io_uri_mask(char *uri)
{
    char *authority = uri + (authority_of(uri) - uri), *colon, *at;

    if (!io_uri_has_password(uri))
        return;
    colon = strchr(authority, ':');
    at = memrchr(authority, '@', strcspn(authority, "/?#"));
    memmove(colon + 1, at, strlen(at) + 1);
}

int io_uri_check(const char *uri, struct err *err)
{
    static const char *const schemes[] = {"nbd", "nbds", "nbd+unix", "nbds+unix"};

    if (io_uri_has_password(uri))
        return err_set(err, EINVAL,
                       "a URI of NBD has no password, and this one would be seen by others: give "
                       "nbds:// with tls-certificates=FOLDER or tls-psk-file=FILE instead");
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
        if (has_scheme(uri, schemes[i]))
            return 0;
    return err_set(err, ENOTSUP,
                   "of the URIs of NBD those with nbd:, nbds:, nbd+unix: and nbds+unix: are read, "
                   "and no others");
}

bool io_uri_is_plain(const char *uri)
{
    const char *authority = authority_of(uri);
    const char *query = strchr(authority, '?');

    if (has_scheme(uri, "nbd+unix"))
        return authority[0] == '/' && query != NULL && strncmp(query, "?socket=", 8) == 0 &&
               strpbrk(query, "&#") == NULL;
    return has_scheme(uri, "nbd") && strpbrk(authority, "?#@") == NULL;
}

static bool is_of_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (!first && (c == '-' || c == '.'));
}

char *io_uri_plain_name(const char *uri, const char *otherwise)
{
    const char *authority = authority_of(uri), *path = authority + strcspn(authority, "/?#");
    size_t len = strcspn(path, "?#");
    const char *slash = memrchr(path, '/', len);
    char *name = strndup(slash != NULL ? slash + 1 : path,
                         len - (size_t)(slash != NULL ? slash + 1 - path : 0));
    size_t n = 0;

    if (name == NULL)
        return NULL;
    for (const char *from = name; *from != '\0' && n < NAME_LEN_MAX; from++)
        if (is_of_name(*from, n == 0))
            name[n++] = *from;
    name[n] = '\0';
    if (n > 0)
        return name;
    free(name);
    return strdup(otherwise);
}

// SPDX-License-Identifier: MIT
/* Owns the parts of URIs: those of libvirt are taken apart, those of NBD put together. */
#include "address.h"

#include "err.h"
#include "printed.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- of libvirt ---- */

static bool is_at(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncmp(text, word, len) == 0;
}

int virt_address_check(const char *uri, struct err *err)
{
    size_t scheme = strcspn(uri, ":/?#"), driver = strcspn(uri, "+:/?#");
    const char *rest = uri + scheme + 1, *path;
    bool is_remote;

    if (uri[scheme] != ':')
        return 0;
    is_remote = uri[driver] == '+' && !is_at(uri + driver, scheme - driver, "+unix");
    if (strncmp(rest, "//", 2) == 0) {
        rest += 2;
        is_remote = is_remote || strcspn(rest, "/?#") > 0;
    }
    if (is_remote)
        return err_set(err, ENOTSUP,
                       "the disks of domains of another host are no files of this one: run "
                       "qcow2frag there");
    path = rest + strspn(rest, "/");
    if (is_at(path, strcspn(path, "/?#"), "embed"))
        return err_set(err, ENOTSUP,
                       "an embedded driver is no daemon to be asked: it would be started here");
    return 0;
}

/* ---- of NBD ---- */

static void encode(FILE *to, const char *text)
{
    for (; *text != '\0'; text++)
        if (strchr(LETTERS DIGITS "-._~/", *text) != NULL)
            putc(*text, to);
        else
            fprintf(to, "%%%02X", (unsigned char)*text);
}

static bool is_host(const char *host)
{
    return *host != '\0' && host[strspn(host, LETTERS DIGITS "-._:%")] == '\0';
}

static bool is_port(const char *port)
{
    return port == NULL || (*port != '\0' && port[strspn(port, DIGITS)] == '\0');
}

char *virt_address_of_export(const char *name, const char *host, const char *port,
                             const char *socket, const char *tls)
{
    bool is_unix = socket != NULL;
    struct printed printed;
    FILE *to;

    if (!is_unix && (host == NULL || !is_host(host) || !is_port(port)))
        return NULL;
    to = printed_open(&printed);
    if (to == NULL)
        return NULL;
    fprintf(to, "nbd%s%s://", tls != NULL && strcmp(tls, "yes") == 0 ? "s" : "",
            is_unix ? "+unix" : "");
    if (!is_unix)
        fprintf(to, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
    if (!is_unix && port != NULL)
        fprintf(to, ":%s", port);
    putc('/', to);
    encode(to, name != NULL ? name : "");
    if (is_unix) {
        fputs("?socket=", to);
        encode(to, socket);
    }
    return printed_take(&printed, NULL);
}

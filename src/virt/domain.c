// SPDX-License-Identifier: MIT
/*
 * Owns the reading of XML. Elements count by where they stand: a <source> below <backingStore> or
 * <mirror> is none of the disk's own.
 */
#include "domain.h"

#include "address.h"
#include "err.h"
#include "library.h"
#include "records.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of libxml2: kinds of nodes; no messages of its own, nothing from elsewhere. */
#define ELEMENT 1
#define END_OF_ELEMENT 15
#define OPTIONS (1 << 5 | 1 << 6 | 1 << 11)

#define SLICE "is a slice of what it lies in"

/* How deep they stand. */
enum depth { DOMAIN, DEVICES, DISK, OF_DISK, OF_SOURCE, OF_SLICES };

/* What is said of a disk, each an attribute; NULL: it is not. */
enum said {
    TYPE,
    TARGET,
    FORMAT,
    FILE_NAME,
    DEVICE,
    POOL,
    VOLUME,
    PROTOCOL,
    EXPORT,
    TLS,
    HOST,
    PORT,
    TRANSPORT,
    SOCKET,
    N_SAID,
};

static const struct {
    enum depth depth;
    const char *element, *attribute;
} places[N_SAID] = {
    [TYPE] = {DISK, "disk", "type"},
    [TARGET] = {OF_DISK, "target", "dev"},
    [FORMAT] = {OF_DISK, "driver", "type"},
    [FILE_NAME] = {OF_DISK, "source", "file"},
    [DEVICE] = {OF_DISK, "source", "dev"},
    [POOL] = {OF_DISK, "source", "pool"},
    [VOLUME] = {OF_DISK, "source", "volume"},
    [PROTOCOL] = {OF_DISK, "source", "protocol"},
    [EXPORT] = {OF_DISK, "source", "name"},
    [TLS] = {OF_DISK, "source", "tls"},
    [HOST] = {OF_SOURCE, "host", "name"},
    [PORT] = {OF_SOURCE, "host", "port"},
    [TRANSPORT] = {OF_SOURCE, "host", "transport"},
    [SOCKET] = {OF_SOURCE, "host", "socket"},
};

struct reading {
    const struct virt_library *library;
    struct virt_xml *xml;
    virt_disk_fn *found;
    void *context;
    struct err *err;
    bool in_devices, in_disk, in_source;
    char *said[N_SAID];
    bool is_slice; /* of a file or device, not the whole of it */
};

static void forget(struct reading *reading)
{
    for (int i = 0; i < N_SAID; i++)
        free(reading->said[i]);
    memset(reading->said, 0, sizeof(reading->said));
    reading->is_slice = false;
    reading->in_disk = reading->in_source = false;
}

static bool says(const struct reading *reading, enum said what, const char *word)
{
    return reading->said[what] != NULL && strcmp(reading->said[what], word) == 0;
}

/* ---- a disk is read ---- */

static int keep(struct reading *reading, enum said what)
{
    const struct virt_library *library = reading->library;
    const char *value = NULL;

    if (reading->said[what] != NULL)
        return 0;
    if (library->xmlTextReaderMoveToAttribute(reading->xml, places[what].attribute) == 1)
        value = library->xmlTextReaderConstValue(reading->xml);
    if (value != NULL) {
        reading->said[what] = strdup(value);
        if (reading->said[what] == NULL)
            return err_no_memory(reading->err);
    }
    library->xmlTextReaderMoveToElement(reading->xml);
    return 0;
}

static int begin(struct reading *reading, int depth, const char *name)
{
    if (depth == DEVICES)
        reading->in_devices = strcmp(name, "devices") == 0;
    if (depth == DISK) {
        forget(reading); /* an empty element has no end */
        reading->in_disk = reading->in_devices && strcmp(name, "disk") == 0;
    }
    if (depth == OF_DISK)
        reading->in_source = reading->in_disk && strcmp(name, "source") == 0;
    if (!reading->in_disk || (depth > OF_DISK && !reading->in_source))
        return 0;
    if (depth == OF_SLICES && strcmp(name, "slice") == 0)
        reading->is_slice = true;
    for (int i = 0; i < N_SAID; i++)
        if (places[i].depth == (enum depth)depth && strcmp(places[i].element, name) == 0 &&
            keep(reading, (enum said)i) < 0)
            return -ENOMEM;
    return 0;
}

/* ---- and told ---- */

static const char *word(const struct reading *reading, enum said what)
{
    return reading->said[what] != NULL ? reading->said[what] : "";
}

/* Where it is, or else why that is not told. */
static int tell(struct reading *reading, const char *place, const char *why)
{
    const struct virt_disk disk = {"", word(reading, TARGET), word(reading, FORMAT),
                                   why == NULL ? place : "", why != NULL ? why : ""};

    return reading->found(reading->context, &disk, NULL, NULL);
}

static int tell_volume(struct reading *reading)
{
    const struct virt_disk disk = {"", word(reading, TARGET), word(reading, FORMAT), "", ""};

    return reading->found(reading->context, &disk, word(reading, POOL), word(reading, VOLUME));
}

static int tell_path(struct reading *reading, const char *path)
{
    if (path == NULL || *path == '\0')
        return 0; /* a drive without a medium */
    return tell(reading, path,
                reading->is_slice ? SLICE
                : *path != '/'    ? "is no absolute path"
                                  : NULL);
}

static int tell_export(struct reading *reading)
{
    char why[128], *uri;
    bool is_unix = says(reading, TRANSPORT, "unix");
    int ret;

    if (!says(reading, PROTOCOL, "nbd")) {
        snprintf(why, sizeof(why), "is read by the network, by the protocol \"%.64s\"",
                 word(reading, PROTOCOL));
        return tell(reading, NULL, why);
    }
    uri = virt_address_of_export(reading->said[EXPORT], is_unix ? NULL : reading->said[HOST],
                                 reading->said[PORT], is_unix ? reading->said[SOCKET] : NULL,
                                 reading->said[TLS]);
    ret = tell(reading, uri,
               reading->is_slice ? SLICE
               : uri == NULL     ? "is an export of NBD that no URI names"
                                 : NULL);
    free(uri);
    return ret;
}

static int end_of_disk(struct reading *reading)
{
    char why[128];

    if (says(reading, TYPE, "file") || reading->said[TYPE] == NULL)
        return tell_path(reading, reading->said[FILE_NAME]);
    if (says(reading, TYPE, "block"))
        return tell_path(reading, reading->said[DEVICE]);
    if (says(reading, TYPE, "network"))
        return tell_export(reading);
    if (says(reading, TYPE, "volume")) {
        if (reading->said[POOL] == NULL || reading->said[VOLUME] == NULL)
            return 0;
        return reading->is_slice ? tell(reading, NULL, SLICE) : tell_volume(reading);
    }
    snprintf(why, sizeof(why), "is of the type \"%.64s\"", reading->said[TYPE]);
    return tell(reading, NULL, why);
}

/* ---- all of them ---- */

static int step(struct reading *reading)
{
    const struct virt_library *library = reading->library;
    int depth = library->xmlTextReaderDepth(reading->xml);
    int kind = library->xmlTextReaderNodeType(reading->xml);
    const char *name = library->xmlTextReaderConstName(reading->xml);
    int ret = 0;

    if (name == NULL)
        return 0;
    if (kind == ELEMENT)
        return begin(reading, depth, name);
    if (kind == END_OF_ELEMENT && depth == DISK && reading->in_disk) {
        ret = end_of_disk(reading);
        forget(reading);
    }
    return ret;
}

int virt_domain_read(const struct virt_library *library, const char *xml, virt_disk_fn *found,
                     void *context, struct err *err)
{
    struct reading reading = {.library = library, .found = found, .context = context, .err = err};
    size_t len = strlen(xml);
    int more, ret = 0;

    if (len > INT_MAX)
        return err_set(err, EFBIG, "the description of the domain is too long");
    reading.xml = library->xmlReaderForMemory(xml, (int)len, NULL, NULL, OPTIONS);
    if (reading.xml == NULL)
        return err_no_memory(err);
    while (ret == 0 && (more = library->xmlTextReaderRead(reading.xml)) != 0)
        ret = more < 0 ? err_set(err, EINVAL, "the description of the domain is no XML")
                       : step(&reading);
    forget(&reading);
    library->xmlFreeTextReader(reading.xml);
    return ret;
}

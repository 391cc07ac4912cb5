// SPDX-License-Identifier: MIT
/* Owns the calls of libvirt. */
#include "ask.h"

#include "address.h"
#include "domain.h"
#include "err.h"
#include "library.h"
#include "records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct asking {
    const struct virt_library *library;
    virConnectPtr connection;
    const char *domain; /* that is asked about */
    FILE *to;
};

/* Its own way is to print them. */
static void say_nothing(void *context, virErrorPtr error)
{
    (void)context;
    (void)error;
}

static const char *message(const struct virt_library *library)
{
    const char *text = library->GetLastErrorMessage();

    return text != NULL ? text : "no reason is given";
}

/* ---- disks ---- */

static void put(struct asking *asking, const struct virt_disk *disk, const char *place,
                const char *why)
{
    const struct virt_disk whole = {asking->domain, disk->target, disk->format, place, why};

    virt_records_put_disk(asking->to, &whole);
}

static void put_volume(struct asking *asking, const struct virt_disk *disk, const char *pool_name,
                       const char *volume_name)
{
    const struct virt_library *library = asking->library;
    virStoragePoolPtr pool = library->StoragePoolLookupByName(asking->connection, pool_name);
    virStorageVolPtr volume =
        pool != NULL ? library->StorageVolLookupByName(pool, volume_name) : NULL;
    char *path = volume != NULL ? library->StorageVolGetPath(volume) : NULL;
    char why[512];

    if (path == NULL)
        snprintf(why, sizeof(why), "volume \"%s\" of pool \"%s\" is not found: %s", volume_name,
                 pool_name, message(library));
    else if (*path != '/')
        snprintf(why, sizeof(why), "volume \"%s\" of pool \"%s\" is no file", volume_name,
                 pool_name);
    else
        *why = '\0';
    put(asking, disk, *why == '\0' ? path : "", why);
    free(path);
    if (volume != NULL)
        library->StorageVolFree(volume);
    if (pool != NULL)
        library->StoragePoolFree(pool);
}

static int found(void *context, const struct virt_disk *disk, const char *pool, const char *volume)
{
    struct asking *asking = context;

    if (volume != NULL)
        put_volume(asking, disk, pool, volume);
    else
        put(asking, disk, disk->place, disk->why);
    return 0;
}

/* ---- domains ---- */

/* One that is not there any more has no disks. */
static void ask_about(struct asking *asking, virDomainPtr domain)
{
    const struct virt_disk nothing = {"", "", "", "", ""};
    const struct virt_library *library = asking->library;
    const char *name = library->DomainGetName(domain);
    char *xml = library->DomainGetXMLDesc(domain, 0);
    struct err err = {0};

    asking->domain = name != NULL ? name : "";
    if (xml == NULL && library->GetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        put(asking, &nothing, "", message(library));
    if (xml != NULL && virt_domain_read(library, xml, found, asking, &err) < 0)
        put(asking, &nothing, "", err.text);
    free(xml);
    virt_records_put_sign_of_life(asking->to);
    fflush(asking->to);
}

static int ask_about_all(struct asking *asking, struct err *err)
{
    const struct virt_library *library = asking->library;
    virDomainPtr *domains;
    int n = library->ConnectListAllDomains(asking->connection, &domains, 0);

    if (n < 0)
        return err_set(err, EIO, "libvirt does not list its domains: %s", message(library));
    for (int i = 0; i < n; i++) {
        ask_about(asking, domains[i]);
        library->DomainFree(domains[i]);
    }
    free(domains);
    return 0;
}

/* Only libvirt knows what an alias, or its own choice, leads to. */
static int check_where(struct asking *asking, struct err *err)
{
    char *uri = asking->library->ConnectGetURI(asking->connection);
    int ret = uri != NULL ? virt_address_check(uri, err) : 0;

    free(uri);
    return ret;
}

static int ask(const char *uri, FILE *to, struct err *err)
{
    struct asking asking = {.library = virt_library_load(err), .to = to};
    int ret;

    if (asking.library == NULL)
        return -ENOSYS;
    asking.library->SetErrorFunc(NULL, say_nothing);
    asking.connection = asking.library->ConnectOpenReadOnly(uri);
    if (asking.connection == NULL)
        return err_set(err, ECONNREFUSED, "libvirt is not reached: %s", message(asking.library));
    ret = check_where(&asking, err);
    if (ret == 0)
        ret = ask_about_all(&asking, err);
    asking.library->ConnectClose(asking.connection);
    return ret;
}

void virt_ask(const char *uri, FILE *to)
{
    struct err err = {0};

    /* Where nobody asks a daemon of a user it is not running; and it would start domains. */
    if (setenv("LIBVIRT_AUTOSTART", "0", 1) < 0)
        err_no_memory(&err);
    else
        ask(uri, to, &err);
    virt_records_put_end(to, &err);
}

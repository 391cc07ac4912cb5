// SPDX-License-Identifier: MIT
/* Owns the choice of the disks that are measured, and the lists of domains by image. */
#include "domains.h"

#include "err.h"
#include "find.h"
#include "header.h"
#include "io.h"
#include "named.h"
#include "printed.h"
#include "report.h"
#include "vec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BETWEEN ", " /* names, where several stand in one cell */

struct domains_disk {
    size_t image, number; /* the latter by the names of domains */
};

struct domains_image {
    size_t image;
    struct report_domains domains;
    char *names, *targets; /* of several */
};

/* ---- the choice ---- */

/* What cannot be opened is one for now: whoever measures it says why. */
static bool looks_like_one(const char *place)
{
    unsigned char head[IO_FIND_HEAD_BYTES];
    struct err ignored = {0};
    struct io *io;
    bool is_one;

    if (io_named_open(place, &io, &ignored) < 0)
        return true;
    is_one =
        io_read(io, 0, head, sizeof(head), &ignored) < 0 || format_header_probe(head, sizeof(head));
    io_close(io);
    return is_one;
}

static int pass(const struct domains_taker *taker, const struct virt_disk *disk)
{
    char *text;

    if (asprintf(&text, "is disk %s of domain %s, and no qcow2 image", disk->target, disk->domain) <
        0)
        return -ENOMEM;
    taker->pass(taker->context, *disk->place != '\0' ? disk->place : "--libvirt", text);
    free(text);
    return 0;
}

static int fail(const struct domains_taker *taker, const struct virt_disk *disk)
{
    char *name;

    if (asprintf(&name, *disk->target != '\0' ? "domain %s, disk %s" : "domain %s", disk->domain,
                 disk->target) < 0)
        return -ENOMEM;
    taker->fail(taker->context, name, disk->why);
    free(name);
    return 0;
}

static int choose(struct domains *domains, size_t number, const struct domains_taker *taker)
{
    const struct virt_disk *disk = domains->by_name[number];
    bool is_said = *disk->format != '\0';
    struct domains_disk *added;

    if (is_said ? strcmp(disk->format, "qcow2") != 0
                : *disk->place != '\0' && !looks_like_one(disk->place))
        return pass(taker, disk);
    if (*disk->place == '\0')
        return fail(taker, disk);
    if (vec_reserve(domains, disks) < 0)
        return -ENOMEM;
    added = &domains->disks[domains->n_disks];
    added->number = number;
    if (taker->take(taker->context, disk->place, &added->image) < 0)
        return -ENOMEM;
    domains->n_disks++;
    return 0;
}

/* ---- by image ---- */

static int by_image(const void *a, const void *b)
{
    const struct domains_disk *left = a, *right = b;

    if (left->image != right->image)
        return left->image < right->image ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* NULL without memory. */
static char *join(const struct report_domains *domains, bool targets)
{
    struct printed printed;
    FILE *to = printed_open(&printed);

    for (size_t i = 0; to != NULL && i < domains->n; i++)
        fprintf(to, "%s%s", i > 0 ? BETWEEN : "",
                targets ? domains->list[i].target : domains->list[i].name);
    return printed_take(&printed, NULL);
}

static int name(struct domains_image *image)
{
    struct report_domains *domains = &image->domains;

    if (domains->n > 1) {
        image->names = join(domains, false);
        image->targets = join(domains, true);
        if (image->names == NULL || image->targets == NULL)
            return -ENOMEM;
    }
    domains->names = domains->n > 1 ? image->names : domains->list[0].name;
    domains->targets = domains->n > 1 ? image->targets : domains->list[0].target;
    return 0;
}

static int order(struct domains *domains)
{
    struct domains_image *image = NULL;

    qsort(domains->disks, domains->n_disks, sizeof(*domains->disks), by_image);
    domains->list = calloc(domains->n_disks + 1, sizeof(*domains->list));
    domains->images = calloc(domains->n_disks + 1, sizeof(*domains->images));
    if (domains->list == NULL || domains->images == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < domains->n_disks; i++) {
        const struct domains_disk *disk = &domains->disks[i];
        const struct virt_disk *told = domains->by_name[disk->number];

        domains->list[i] = (struct report_domain){told->domain, told->target};
        if (image == NULL || image->image != disk->image) {
            image = &domains->images[domains->n_images++];
            image->image = disk->image;
            image->domains.list = &domains->list[i];
        }
        image->domains.n++;
    }
    for (size_t i = 0; i < domains->n_images; i++)
        if (name(&domains->images[i]) < 0)
            return -ENOMEM;
    return 0;
}

/* ---- all of them ---- */

static int by_name(const void *a, const void *b)
{
    const struct virt_disk *const *left = a, *const *right = b;
    int order_of_names = strcmp((*left)->domain, (*right)->domain);

    return order_of_names != 0 ? order_of_names : (*left > *right) - (*left < *right);
}

/* libvirt has no order of domains; their disks have one. */
static int sort(struct domains *domains)
{
    const struct virt_disks *disks = &domains->inventory.disks;

    domains->by_name = calloc(disks->n_list + 1, sizeof(*domains->by_name));
    if (domains->by_name == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < disks->n_list; i++)
        domains->by_name[i] = &disks->list[i];
    qsort(domains->by_name, disks->n_list, sizeof(*domains->by_name), by_name);
    return 0;
}

int domains_collect(struct domains *domains, const char *uri, unsigned timeout_seconds,
                    const struct domains_taker *taker, struct err *err)
{
    int ret = virt_inventory_read(uri, timeout_seconds, &domains->inventory, err);

    domains->asked = true;
    if (ret < 0)
        return ret;
    ret = sort(domains);
    for (size_t i = 0; ret == 0 && i < domains->inventory.disks.n_list; i++)
        ret = choose(domains, i, taker);
    if (ret == 0)
        ret = order(domains);
    return ret < 0 ? err_no_memory(err) : 0;
}

void domains_free(struct domains *domains)
{
    for (size_t i = 0; i < domains->n_images; i++) {
        free(domains->images[i].names);
        free(domains->images[i].targets);
    }
    free(domains->images);
    free(domains->list);
    free(domains->disks);
    free(domains->by_name);
    virt_inventory_free(&domains->inventory);
}

static int to_image(const void *key, const void *element)
{
    const size_t *wanted = key;
    const struct domains_image *image = element;

    return *wanted < image->image ? -1 : *wanted > image->image;
}

const struct report_domains *domains_of(const struct domains *domains, size_t number)
{
    static const struct report_domains none = {.names = "", .targets = ""};
    const struct domains_image *image = NULL;

    if (!domains->asked)
        return NULL;
    if (domains->n_images > 0)
        image = bsearch(&number, domains->images, domains->n_images, sizeof(*image), to_image);
    return image != NULL ? &image->domains : &none;
}

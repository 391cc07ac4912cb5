// SPDX-License-Identifier: MIT
/* Owns the comparison of names inside images with those of the images themselves. */
#include "kin.h"

#include "cleanup.h"
#include "filename.h"
#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A name that leads to an image of the run. */
struct place {
    char *path; /* absolute, without "." and ".." */
    size_t image;
};

struct places {
    struct place *list;
    size_t n;
};

#define NAMES_OF_EACH 2

/* ---- paths ---- */

/* Drops what leads nowhere, in place. The folder above is found by its name alone. */
static void tidy(char *path)
{
    char *to = path;

    for (const char *from = path; *from != '\0';) {
        size_t len;

        from += strspn(from, "/");
        len = strcspn(from, "/");
        if (len == 2 && memcmp(from, "..", 2) == 0) {
            while (to > path && *--to != '/')
                ;
        } else if (len > 0 && !(len == 1 && *from == '.')) {
            *to++ = '/';
            memmove(to, from, len);
            to += len;
        }
        from += len;
    }
    *to = '\0';
}

/* A new string; NULL: no memory. @here: the current folder. */
static char *absolute(const char *here, const char *path)
{
    char *whole;

    if (asprintf(&whole, "/%s/%s", *path == '/' ? "" : here, path) < 0)
        return NULL;
    tidy(whole);
    return whole;
}

/* The image as it is called where its folder really is; NULL: not known. */
static char *in_its_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *folder =
        slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    CLEANUP_FREE char *real = folder != NULL ? realpath(folder, NULL) : NULL;
    char *whole;

    if (real == NULL || asprintf(&whole, "%s/%s", real, slash != NULL ? slash + 1 : path) < 0)
        return NULL;
    return whole;
}

/* ---- the images by their names ---- */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->path, ((const struct place *)b)->path);
}

static void add(struct places *places, char *path, size_t image)
{
    if (path != NULL)
        places->list[places->n++] = (struct place){path, image};
}

static int list_places(const struct render_images *images, const char *here, struct places *places)
{
    places->list = calloc(NAMES_OF_EACH * images->n + 1, sizeof(*places->list));
    if (places->list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < images->n; i++) {
        const char *path = images->image(images->context, i)->path;
        char *named = absolute(here, path);

        if (named == NULL)
            return -ENOMEM;
        add(places, named, i);
        add(places, realpath(path, NULL), i); /* NULL: it is not there */
    }
    qsort(places->list, places->n, sizeof(*places->list), by_path);
    return 0;
}

static void release_places(struct places *places)
{
    for (size_t i = 0; i < places->n; i++)
        free(places->list[i].path);
    free(places->list);
}

/* SIZE_MAX: none has that name. */
static size_t image_at(const struct places *places, const char *here, char *name)
{
    CLEANUP_FREE char *given = name;
    CLEANUP_FREE char *path = given != NULL ? absolute(here, given) : NULL;
    const struct place wanted = {.path = path}, *found = NULL;

    if (path != NULL)
        found = bsearch(&wanted, places->list, places->n, sizeof(wanted), by_path);
    return found != NULL ? found->image : SIZE_MAX;
}

/* A relative name is one from where the image lies: as it was named, or as that is really called.
 */
static size_t backing_of(const struct report_image *image, const struct places *places,
                         const char *here)
{
    const struct format_name *name = &image->format.backing_file;
    size_t found = image_at(places, here, format_filename_backing(name, image->path));

    if (found == SIZE_MAX) {
        CLEANUP_FREE char *real = in_its_folder(image->path);

        if (real != NULL)
            found = image_at(places, here, format_filename_backing(name, real));
    }
    return found;
}

/* ---- both directions ---- */

/* @below: of each image the number of its backing file, or SIZE_MAX. */
static int gather(struct kin *kin, const struct render_images *images, const size_t *below)
{
    CLEANUP_FREE size_t *end = calloc(images->n + 1, sizeof(*end));

    if (end == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < images->n; i++)
        if (below[i] != SIZE_MAX)
            kin->first_overlay[below[i] + 1]++;
    for (size_t i = 0; i < images->n; i++) {
        kin->first_overlay[i + 1] += kin->first_overlay[i];
        end[i] = kin->first_overlay[i];
    }
    kin->overlays = calloc(kin->first_overlay[images->n] + 1, sizeof(*kin->overlays));
    if (kin->overlays == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < images->n; i++) {
        if (below[i] == SIZE_MAX)
            continue;
        kin->overlays[end[below[i]]++] = images->image(images->context, i)->path;
        kin->backing[i] = images->image(images->context, below[i])->path;
    }
    return 0;
}

int kin_find(struct kin *kin, const struct render_images *images)
{
    CLEANUP_FREE size_t *below = calloc(images->n + 1, sizeof(*below));
    CLEANUP_FREE char *here = getcwd(NULL, 0);
    CLEANUP(release_places) struct places places = {.list = NULL};
    size_t n_names = 0;

    *kin = (struct kin){.n_images = images->n,
                        .backing = calloc(images->n + 1, sizeof(*kin->backing)),
                        .first_overlay = calloc(images->n + 1, sizeof(*kin->first_overlay))};
    if (below == NULL || kin->backing == NULL || kin->first_overlay == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < images->n; i++) {
        const struct report_image *image = images->image(images->context, i);

        below[i] = image->error == NULL &&
                   format_filename_kind(&image->format.backing_file) == FORMAT_FILENAME_PATH;
        n_names += below[i];
    }
    if (n_names > 0 && list_places(images, here != NULL ? here : "", &places) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < images->n; i++)
        below[i] = below[i] == 0 ? SIZE_MAX
                                 : backing_of(images->image(images->context, i), &places,
                                              here != NULL ? here : "");
    return gather(kin, images, below);
}

void kin_free(struct kin *kin)
{
    free(kin->backing);
    free(kin->overlays);
    free(kin->first_overlay);
    *kin = (struct kin){.n_images = 0};
}

void kin_fill(const struct kin *kin, size_t i, struct report_image *image)
{
    if (i >= kin->n_images)
        return;
    image->backing_image = kin->backing[i];
    image->overlays = kin->overlays + kin->first_overlay[i];
    image->n_overlays = kin->first_overlay[i + 1] - kin->first_overlay[i];
}

// SPDX-License-Identifier: MIT
/* Owns the choice of a recipe, and the short ones. */
#include "recipe.h"

#include "cook.h"
#include "recipe_copy.h"
#include "recipe_defrag.h"
#include "recipe_host.h"
#include "recipe_remote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool report_recipe_converts(const struct report_image *image)
{
    return image->format.encryption == FORMAT_CRYPT_LUKS || image->beside.is_device;
}

/* QEMU does not encrypt what it compresses. */
bool report_recipe_compresses(const struct report_format *format, const struct report_table *table)
{
    return format->encryption == FORMAT_CRYPT_NONE &&
           table->walk.compressed_clusters > table->mapped_clusters / 2;
}

/* Figures of a chain are of all its files, and only a copy of all of them mends what they show. */
bool report_recipe_flattens(const struct report_table *table)
{
    return table->chain_depth > 1;
}

static bool copies(const struct report_cook *cook)
{
    return report_recipe_converts(cook->image) || report_cook_flattens(cook);
}

static void delete_snapshots(struct report_cook *cook)
{
    const struct report_words *words = &cook->words;

    report_cook_shut_down(cook);
    report_cook_ask_keys(cook, copies(cook) ? report_recipe_copy_encryption(cook) : "");
    report_cook_step(cook, "See which of the snapshots are still needed.");
    report_cook_command(cook, "qemu-img snapshot%s -l %s", words->key, words->source);
    report_cook_step(cook, "Delete the others, one after the other; that cannot be undone.");
    report_cook_command(cook, "qemu-img snapshot%s -d SNAPSHOT %s", words->key, words->source);
    if (copies(cook))
        report_recipe_copy_now(cook);
    else
        report_recipe_put_in_order(cook);
}

/* libvirt's size is of both of QEMU's caches, of which that of refcounts takes so many first. */
#define REFCOUNT_CACHE_CLUSTERS 4

static void enlarge_cache(struct report_cook *cook)
{
    bool remote = cook->image->beside.is_remote; /* the VM may have it by another name */

    if (!remote)
        report_cook_ask_keys(cook, "");
    report_cook_step(
        cook,
        "Start QEMU with a cache that holds all L2 tables of this disk. In libvirt, since 7.0, "
        "this is <metadata_cache><max_size unit='bytes'>%" PRIu64
        "</max_size></metadata_cache> in the <driver> of the disk. If that is set already, nothing "
        "is left to do: this page cannot see it, and stays as it is.",
        cook->image->format.l2_cache_bytes +
            REFCOUNT_CACHE_CLUSTERS * cook->image->format.cluster_bytes);
    if (!remote)
        report_cook_command(cook, "qemu-system-x86_64%s -drive %s,l2-cache-size=%" PRIu64,
                            cook->words.objects, cook->words.drive,
                            cook->image->format.l2_cache_bytes);
}

static void fill(struct report_cook *cook)
{
    const enum report_action action = cook->image->verdict.action;

    if (cook->image->beside.is_remote &&
        (action == REPORT_IMAGE || action == REPORT_BOTH || action == REPORT_SNAPSHOTS)) {
        report_recipe_remote(cook);
        return;
    }
    switch (action) {
    case REPORT_NONE:
        break;
    case REPORT_IMAGE:
    case REPORT_BOTH: /* the copy is a new file, and the file system lays it out anew */
        if (copies(cook))
            report_recipe_copy(cook);
        else
            report_recipe_defrag(cook);
        break;
    case REPORT_HOST:
        report_recipe_host(cook);
        break;
    case REPORT_SNAPSHOTS:
        delete_snapshots(cook);
        break;
    case REPORT_L2_CACHE:
        enlarge_cache(cook);
        break;
    case REPORT_UNKNOWN: /* damage has steps of its own, see rescue.c */
        break;
    }
}

int report_recipe(const struct report_image *image, struct report_recipe *recipe)
{
    struct report_cook cook = {
        .image = image, .table = report_active_table(image), .recipe = recipe};

    memset(recipe, 0, sizeof(*recipe));
    if (!image->verdict.known || cook.table == NULL)
        return 0;
    cook.ret = report_words(image, !report_cook_flattens(&cook), report_cook_compresses(&cook),
                            &cook.words);
    if (cook.ret == 0)
        fill(&cook);
    report_words_release(&cook.words);
    return cook.ret;
}

void report_recipe_release(struct report_recipe *recipe)
{
    for (size_t i = 0; i < recipe->n; i++) {
        free(recipe->steps[i].text);
        free(recipe->steps[i].command);
    }
    memset(recipe, 0, sizeof(*recipe));
}

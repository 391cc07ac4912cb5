// SPDX-License-Identifier: MIT
/*
 * Owns the advice about space. Which bytes of the file are holes is known as a sum only: between
 * what must be, and what can be, the truth is somewhere.
 */
#include "reclaim.h"

#include "cleanup.h"
#include "size.h"
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STORED_TEXT_MAX (2 * SIZE_TEXT_MAX + 96)

/*
 * A refcount that is too low, or an L2 table that is named twice, is damage as well: what seems to
 * be leaked may be what a wrong entry should name.
 */
static bool is_sound(const struct report_image *image)
{
    return image->complete && !image->format.corrupt && !image->format.dirty &&
           image->findings.per_code[FORMAT_FINDING_REFCOUNT_LOW] == 0 &&
           image->findings.per_code[FORMAT_FINDING_L2_SHARED] == 0;
}

/* How much of @bytes, which nobody needs, the host stores: at least and at most. */
static void tell_stored(const struct report_space *space, uint64_t bytes,
                        char text[STORED_TEXT_MAX])
{
    uint64_t used = space->metadata_bytes + space->active_bytes + space->vm_state_bytes +
                    space->snapshot_only_bytes;
    uint64_t stored = space->host_allocated_bytes.value;
    uint64_t least = stored > used ? stored - used : 0;
    uint64_t most = stored < bytes ? stored : bytes;
    char least_text[SIZE_TEXT_MAX], most_text[SIZE_TEXT_MAX];

    least = least < most ? least : most;
    size_format(least_text, least);
    size_format(most_text, most);
    if (!space->host_allocated_bytes.known)
        text[0] = '\0';
    else if (least == bytes)
        strcpy(text, " All of it is stored by the host.");
    else if (strcmp(least_text, most_text) == 0)
        snprintf(text, STORED_TEXT_MAX, " The host stores %s of it, the rest are holes already.",
                 most_text);
    else
        snprintf(text, STORED_TEXT_MAX,
                 " The host stores between %s and %s of it, the rest are holes already.",
                 least_text, most_text);
}

static int add(struct report_recipe *recipe, int n)
{
    if (n < 0)
        return -ENOMEM;
    recipe->n++;
    return 0;
}

/* A rewrite writes what is needed, and nothing else; it may be printed above. */
static int say_rewrite(const struct report_image *image, struct report_recipe *recipe)
{
    struct report_recipe_step *step = &recipe->steps[recipe->n];
    CLEANUP(report_words_release) struct report_words words = {.old = NULL};
    enum report_action action = image->verdict.action;
    bool printed = action == REPORT_IMAGE || action == REPORT_BOTH || action == REPORT_SNAPSHOTS;
    char size[SIZE_TEXT_MAX], stored[STORED_TEXT_MAX];
    int ret = report_words(image, false, false, &words);

    if (ret < 0)
        return ret;
    size_format(size, image->space->reclaimable_bytes.value);
    tell_stored(image->space, image->space->reclaimable_bytes.value, stored);
    ret = add(recipe, asprintf(&step->text, "%s, the file is shorter by about %s.%s",
                               printed ? "Put in order" : "Written anew with the VM shut down",
                               size, stored));
    if (ret < 0 || printed)
        return ret;
    if (asprintf(&step->command, "qcow2frag defrag --force %s", words.measured) >= 0)
        return 0;
    step->command = NULL;
    return -ENOMEM;
}

static int say_copy(const struct report_image *image, struct report_recipe *recipe)
{
    const struct report_space *space = image->space;
    enum report_action action = image->verdict.action;
    bool printed = action == REPORT_IMAGE || action == REPORT_BOTH;
    char size[SIZE_TEXT_MAX], stored[STORED_TEXT_MAX];

    if (!report_recipe_converts(image))
        return say_rewrite(image, recipe);
    size_format(size, space->reclaimable_bytes.value);
    tell_stored(space, space->reclaimable_bytes.value, stored);
    return add(recipe,
               asprintf(&recipe->steps[recipe->n].text, "%s is shorter by %s%s.%s",
                        printed ? "The copy" : "A copy made by qemu-img convert", size,
                        image->format.snapshot_count > 0
                            ? ", and by what its internal snapshots hold, which it will not have"
                            : "",
                        stored));
}

static int say_leaks(const struct report_image *image, struct report_recipe *recipe)
{
    struct report_recipe_step *step = &recipe->steps[recipe->n];
    CLEANUP(report_words_release) struct report_words words = {.old = NULL};
    char size[SIZE_TEXT_MAX];
    int ret = report_words(image, false, false, &words);

    if (ret < 0)
        return ret;
    size_format(size, image->space->leaked_bytes.value);
    ret = add(recipe, asprintf(&step->text,
                               "With the VM shut down, the %s that are leaked can be freed for "
                               "writes to come; the file gets no shorter by that.%s%s",
                               size, words.request[0] != '\0' ? " " : "", words.request));
    if (ret < 0)
        return ret;
    if (asprintf(&step->command, "qemu-img check -r leaks%s %s", words.key, words.source) >= 0)
        return 0;
    step->command = NULL;
    return -ENOMEM;
}

int report_reclaim(const struct report_image *image, struct report_recipe *recipe)
{
    const struct report_space *space = image->space;
    int ret = 0;

    memset(recipe, 0, sizeof(*recipe));
    if (space == NULL || !is_sound(image))
        return 0;
    if (space->reclaimable_bytes.known && space->reclaimable_bytes.value > 0)
        ret = say_copy(image, recipe);
    if (ret == 0 && space->leaked_bytes.known && space->leaked_bytes.value > 0)
        ret = say_leaks(image, recipe);
    return ret;
}

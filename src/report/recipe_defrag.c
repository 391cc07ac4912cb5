// SPDX-License-Identifier: MIT
/*
 * Owns the way of a defragmentation: what has to be done before it, for an image that it would
 * refuse as it is, and what it takes. It keeps all that the image has, so of that little is said.
 */
#include "recipe_defrag.h"

#include "cook.h"
#include "cost.h"
#include "duration.h"
#include "size.h"

#include <stdio.h>

#define KEPT_TEXT_MAX 64
#define COST_TEXT_MAX 256

/* ---- before it ---- */

/* Faults that the figures can do without. */
static bool has_faults(const struct report_image *image)
{
    static const enum format_finding_code barring[] = {
        FORMAT_FINDING_SNAPSHOT_L1_SHARED, FORMAT_FINDING_SNAPSHOT_EXTRA_SHORT,
        FORMAT_FINDING_L2_SHARED, FORMAT_FINDING_REFCOUNT_LOW};

    for (size_t i = 0; i < sizeof(barring) / sizeof(*barring); i++)
        if (image->findings.per_code[barring[i]] > 0)
            return true;
    return false;
}

static void repair(struct report_cook *cook)
{
    const struct report_words *words = &cook->words;
    bool faults = has_faults(cook->image);

    if (!faults && !cook->image->format.dirty && !cook->image->format.corrupt)
        return;
    report_cook_ask_keys(cook, "");
    if (faults) {
        report_cook_step(cook, "The image has faults. Copy it as it is, since a repair may throw "
                               "data away; then have it repaired.");
        report_cook_command(cook, "cp -p --sparse=always %s %s && qemu-img check -r all%s %s",
                            words->old, words->placed, words->key, words->source);
        return;
    }
    report_cook_step(cook, "The image was not closed properly: have its refcounts put right.");
    report_cook_command(cook, "qemu-img check -r all%s %s", words->key, words->source);
}

/* ---- what it takes ---- */

/* What is copied: of the active state it is known, of the rest only that the file holds it. */
static uint64_t copied_bytes(const struct report_cook *cook)
{
    const struct report_image *image = cook->image;
    const struct opt_u64 *stored = &image->host.room.stored_bytes;
    uint64_t most = stored->known ? stored->value : image->format.file_bytes;
    uint64_t active = image->verdict.copy_bytes.value;

    if (!image->verdict.copy_bytes.known || image->format.snapshot_count > 0)
        return most;
    return stored->known && stored->value < active ? stored->value : active;
}

static void tell_cost(const struct report_cook *cook, uint64_t bytes, char text[COST_TEXT_MAX])
{
    const struct opt_u64 *left = &cook->image->host.room.free_bytes;
    char time[DURATION_TEXT_MAX], size[SIZE_TEXT_MAX], roughly[DURATION_TEXT_MAX + 16] = "";
    int n;

    if (cook->table->disk.known) {
        duration_format(time, report_rewrite_seconds(cook->image, cook->table, bytes));
        snprintf(roughly, sizeof(roughly), " (roughly %s)", time);
    }
    size_format(size, bytes);
    n = snprintf(text, COST_TEXT_MAX,
                 "This copies about %s%s, and needs as much free space while it runs", size,
                 roughly);
    size_format(size, left->known ? left->value : 0);
    if (left->known && left->value < bytes)
        snprintf(text + n, COST_TEXT_MAX - (size_t)n, ": make room first, there are only %s", size);
}

/* ", snapshots included", or nothing. */
static void tell_kept(const struct report_format *format, char text[KEPT_TEXT_MAX])
{
    const char *what = format->snapshot_count > 0 && format->bitmap_count > 0
                           ? "snapshots and bitmaps"
                       : format->snapshot_count > 0 ? "snapshots"
                       : format->bitmap_count > 0   ? "bitmaps"
                                                    : NULL;

    text[0] = '\0';
    if (what != NULL)
        snprintf(text, KEPT_TEXT_MAX, ", %s included", what);
}

void report_recipe_put_in_order(struct report_cook *cook)
{
    const struct report_image *image = cook->image;
    bool break_links = image->beside.names > 1;
    char cost[COST_TEXT_MAX], kept[KEPT_TEXT_MAX];

    tell_cost(cook, copied_bytes(cook), cost);
    tell_kept(&image->format, kept);
    report_cook_step(
        cook,
        "Put the image in order. %s. The new file takes the place of the old one only when it has "
        "been read back and compared; it keeps everything%s.%s%s To be able to go back, add "
        "--keep-original.",
        cost, kept,
        break_links ? " The other names of the file (hard links) stay with the old one." : "",
        image->format.unknown_autoclear
            ? " What feature bits stand for that are not known here is lost."
            : "");
    report_cook_command(cook, "qcow2frag defrag%s%s%s %s", report_cook_device(cook),
                        break_links ? " --break-hard-links" : "",
                        image->format.unknown_autoclear ? " --clear-unknown-autoclear" : "",
                        cook->words.measured);
}

void report_recipe_defrag(struct report_cook *cook)
{
    report_cook_shut_down(cook);
    repair(cook);
    report_recipe_put_in_order(cook);
    if (cook->image->verdict.action != REPORT_BOTH)
        return;
    report_cook_step(cook, "Measure again: the file system may have put the new file elsewhere.");
    report_cook_measure(cook, cook->words.measured);
}

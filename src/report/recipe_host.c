// SPDX-License-Identifier: MIT
/* Owns what is to be done on each file system: it goes by what its own tools do. */
#include "recipe_host.h"

#include "cook.h"
#include "seconds.h"
#include "size.h"

#include <string.h>

/* btrfs puts a file together in parts; the others need room for all of it before they begin. */
static bool lacks_room(const struct report_host *host)
{
    const struct host_room *room = &host->room;

    return room->free_bytes.known && !host->encoded &&
           (host->filesystem == NULL || strcmp(host->filesystem, "btrfs") != 0) &&
           room->free_bytes.value < room->stored_bytes.value;
}

static void make_room(struct report_cook *cook)
{
    const struct host_room *room = &cook->image->host.room;
    char stored[SIZE_TEXT_MAX], left[SIZE_TEXT_MAX];

    size_format(stored, room->stored_bytes.value);
    size_format(left, room->free_bytes.value);
    report_cook_step(
        cook,
        "Make room in the file system: to put the file together it needs %s free in one piece, "
        "and has %s. As long as it has no more, nothing can be done there.",
        stored, left);
    report_cook_step(cook, "Then measure again.");
    report_cook_measure(cook, cook->words.measured);
}

/*
 * The tools of the file systems leave links alone, or follow none. A copy that found no room, or is
 * not the same, does not stay; and what is not on the device yet has no place there to be measured.
 */
static void copy_file(struct report_cook *cook, const char *why)
{
    const struct report_words *words = &cook->words;

    report_cook_step(
        cook,
        "With the VM shut down, copy the file within its file system, where enough space is free "
        "in one piece%s.",
        why);
    report_cook_command(
        cook,
        "cp -p --sparse=always --reflink=never %s %s && sync %s && cmp %s %s && mv %s %s "
        "|| ! rm -f %s",
        words->target, words->placed, words->placed, words->target, words->placed, words->placed,
        words->target, words->placed);
}

/* The tool of btrfs leaves pieces with holes between them where they are, or scatters them more. */
static void write_anew(struct report_cook *cook)
{
    report_cook_step(cook,
                     "With the VM shut down, write the image anew: between its pieces are holes, "
                     "which btrfs's own tool does not put together. The new file is reserved as a "
                     "whole, and takes the place of the old one only when it has been read back "
                     "and compared.");
    report_cook_command(cook, "qcow2frag defrag --force%s %s", report_cook_device(cook),
                        cook->words.measured);
}

static void defragment_btrfs(struct report_cook *cook)
{
    if (cook->image->host.encoded) {
        copy_file(cook, "; btrfs does not defragment what it has compressed");
        return;
    }
    if (report_is_sparse(cook->table) && !report_recipe_converts(cook->image)) {
        write_anew(cook);
        return;
    }
    report_cook_step(
        cook, "Let btrfs put the file together. What it shares with snapshots of the file system "
              "or with reflink copies is copied, and takes its space once more.");
    /* The tool does not wait until the device has it; before, the file seems as it was. */
    report_cook_command(cook, "btrfs filesystem defragment -t 32M %s && sync %s",
                        cook->words.target, cook->words.target);
}

static void defragment_file(struct report_cook *cook)
{
    const char *filesystem =
        cook->image->host.filesystem != NULL ? cook->image->host.filesystem : "";
    const char *file = cook->words.target;

    if (strcmp(filesystem, "ext4") == 0) {
        report_cook_step(cook, "Let ext4 put the file together; it may be in use meanwhile.");
        report_cook_command(cook, "e4defrag -v %s", file);
    } else if (strcmp(filesystem, "xfs") == 0) {
        report_cook_step(
            cook, "With the VM shut down, let XFS put the file together; it needs as much free "
                  "space in one piece as the file has.");
        report_cook_command(cook, "xfs_fsr -v %s", file);
    } else if (strcmp(filesystem, "btrfs") == 0) {
        defragment_btrfs(cook);
    } else {
        copy_file(cook, "");
    }
    report_cook_step(
        cook, "Measure again. If it is no better, no free piece was long enough: make room, or "
              "move the file to another file system. To do the same once more is of no use.");
    report_cook_measure(cook, cook->words.measured);
}

void report_recipe_host(struct report_cook *cook)
{
    if (lacks_room(&cook->image->host))
        make_room(cook);
    else
        defragment_file(cook);
}

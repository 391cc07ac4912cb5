// SPDX-License-Identifier: MIT
/* Owns how names are written so that neither the shell nor QEMU reads anything into them. */
#include "words.h"

#include "cleanup.h"
#include "filename.h"
#include "keys.h"
#include "text.h"
#include "uri.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_REFCOUNT_BITS 16
#define COPY_SUFFIX ".new"

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* NULL without memory. */
static char *print(const char *format, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    return n >= 0 ? text : NULL;
}

/* ---- names ---- */

/*
 * What begins with a dash is an option, and to QEMU a word and a colon before the first slash name
 * a protocol. A URI is meant as one: what is named by it has been read so.
 */
static char *plain_path(const char *path, const char *suffix)
{
    bool odd = path[0] == '-' || (path[strcspn(path, ":/")] == ':' && !io_uri_is(path));

    return print("%s%s%s", odd ? "./" : "", path, suffix);
}

/* The value of an option among others: a comma would end it. */
static char *double_commas(const char *value)
{
    char *text = malloc(2 * strlen(value) + 1), *to = text;

    for (; text != NULL && *value != '\0'; value++) {
        *to++ = *value;
        if (*value == ',')
            *to++ = ',';
    }
    if (text != NULL)
        *to = '\0';
    return text;
}

/* Owns @text, which may be NULL. */
static char *word_of(char *text)
{
    char *word = text != NULL ? text_shell_word(text) : NULL;

    free(text);
    return word;
}

/* The file at @path and that @suffix, behind options. */
static char *option_of(const char *driver, const char *keys, const char *option, const char *path,
                       const char *suffix)
{
    CLEANUP_FREE char *plain = plain_path(path, suffix);
    CLEANUP_FREE char *value = plain != NULL ? double_commas(plain) : NULL;

    return word_of(value != NULL ? print("%s,%s%s=%s", driver, keys, option, value) : NULL);
}

/* The same as an argument of qemu-img: the name alone. */
static char *argument(const char *path, const char *suffix)
{
    return word_of(plain_path(path, suffix));
}

static char *driver_of(const char *keys, const char *path, const char *suffix)
{
    return option_of("driver=qcow2", keys, "file.filename", path, suffix);
}

/* To this program, a file with the name of a command is a command, too. */
static char *measured_word(const char *path)
{
    static const char *const commands[] = {"measure", "map", "report", "defrag", "help"};

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (strcmp(path, commands[i]) == 0)
            return print("./%s", path);
    return argument(path, "");
}

/* ---- options ---- */

static bool is_on(const struct report_image *image, const char *filesystem)
{
    return image->host.filesystem != NULL && strcmp(image->host.filesystem, filesystem) == 0;
}

/*
 * convert reserves the parts of a cluster that it has nothing for, at once, and leaves what it
 * writes to the cache: the file system lays out the two apart, and the copy in pieces. Written
 * straight to the device and one after the other, they lie side by side: seen on these three, and
 * not asked of others, which may refuse it. On XFS QEMU's hint of the extents' size is in the way.
 * Compressed clusters are no whole sectors, and what btrfs is to compress must pass its cache.
 */
static bool goes_in_order(const struct report_image *image, bool compressed)
{
    static const char *const filesystems[] = {"ext4", "xfs", "btrfs"};

    if (compressed || image->host.encoded || image->beside.is_device)
        return false;
    for (size_t i = 0; i < sizeof(filesystems) / sizeof(*filesystems); i++)
        if (is_on(image, filesystems[i]))
            return true;
    return false;
}

static char *creation_options(const struct report_image *image, bool compressed)
{
    const struct report_format *format = &image->format;
    bool hinted = is_on(image, "xfs") && goes_in_order(image, compressed);
    char refcounts[32] = "";

    if (format->refcount_bits != DEFAULT_REFCOUNT_BITS)
        snprintf(refcounts, sizeof(refcounts), ",refcount_bits=%u", format->refcount_bits);
    return print(
        "compat=%s,cluster_size=%" PRIu64 "%s%s%s%s%s%s", format->version == 2 ? "0.10" : "1.1",
        format->cluster_bytes, refcounts, format->lazy_refcounts ? ",lazy_refcounts=on" : "",
        format->extended_l2 ? ",extended_l2=on" : "",
        compressed && format->compression == FORMAT_ZSTD ? ",compression_type=zstd" : "",
        format->encryption != FORMAT_CRYPT_NONE ? ",encrypt.format=luks,encrypt.key-secret=key"
                                                : "",
        hinted ? ",extent_size_hint=0" : "");
}

/*
 * qemu-img makes no image with a backing file unless it is told the format. Where the image does
 * not tell it, QEMU looks what the backing file begins with, and so does this command.
 */
static char *probing(const struct report_image *image)
{
    const struct format_name *name = &image->format.backing_file;
    CLEANUP_FREE char *path = format_filename_kind(name) != FORMAT_FILENAME_PATH
                                  ? strdup(name->bytes)
                                  : format_filename_backing(name, image->path);
    CLEANUP_FREE char *word = path != NULL ? argument(path, "") : NULL;

    return word != NULL ? print("\"$(qemu-img info %s | sed -n 's/^file format: //p')\"", word)
                        : NULL;
}

/* @option: "-B", or "-b" and what else create is told. */
static char *backing_words(const struct report_image *image, const char *option)
{
    const struct report_format *format = &image->format;
    bool told = format->backing_format.bytes != NULL && format->backing_format.bytes[0] != '\0';
    CLEANUP_FREE char *name = text_shell_word(format->backing_file.bytes);
    CLEANUP_FREE char *kind = told ? text_shell_word(format->backing_format.bytes) : probing(image);

    return name != NULL && kind != NULL ? print(" %s %s -F %s", option, name, kind) : NULL;
}

/* ---- the whole ---- */

/* A relative backing file is looked for in the folder of the name that the copy is opened by. */
static bool needs_link(const struct report_image *image, bool keep_backing)
{
    const struct report_format *format = &image->format;

    return image->beside.link != NULL && !image->beside.is_device && keep_backing &&
           format_filename_kind(&format->backing_file) == FORMAT_FILENAME_PATH &&
           format->backing_file.bytes[0] != '/';
}

/* The options that open the image, and its copy. */
struct openings {
    char *image, *copy;
};

static void openings_free(struct openings *openings)
{
    free(openings->image);
    free(openings->copy);
}

static int openings_make(const struct report_image *image, bool keep_backing,
                         struct openings *openings, bool *locked)
{
    CLEANUP_FREE char *own = report_keys_options(image, false);
    CLEANUP_FREE char *below = report_keys_options(image, true);

    if (own == NULL || below == NULL)
        return -ENOMEM;
    *locked = keep_backing && below[0] != '\0';
    openings->image = print("%s%s", own, below);
    openings->copy = keep_backing ? print("%s%s", own, below) : strdup(own);
    return openings->image != NULL && openings->copy != NULL ? 0 : -ENOMEM;
}

static void fill_paths(const struct report_image *image, const struct openings *openings,
                       struct report_words *words)
{
    const struct io_beside *beside = &image->beside;
    const char *target = beside->target != NULL ? beside->target : image->path;
    const char *placed = beside->copy != NULL ? beside->copy : target;
    const char *suffix = beside->copy != NULL ? "" : COPY_SUFFIX;
    const char *copy = words->linked ? beside->link : placed;
    bool by_options = openings->image[0] != '\0';

    if (beside->is_device) {
        placed = copy = REPORT_NEW_VOLUME;
        suffix = "";
    }
    words->old = argument(image->path, "");
    words->measured = measured_word(image->path);
    words->target = argument(target, "");
    words->copy = argument(copy, suffix);
    words->placed = argument(placed, suffix);
    words->source =
        by_options ? driver_of(openings->image, image->path, "") : argument(image->path, "");
    words->result = by_options ? driver_of(openings->copy, copy, suffix) : argument(copy, suffix);
    words->drive = option_of("format=qcow2", openings->image, "file", image->path, "");
    words->onto_kind = openings->copy[0] != '\0' ? "--target-image-opts" : "-O qcow2";
    words->onto = openings->copy[0] != '\0' ? driver_of(openings->copy, copy, suffix)
                                            : argument(copy, suffix);
}

/* create opens the backing file, to see that it is one; but it cannot be given its passphrase. */
static void fill_backing(const struct report_image *image, bool keep_backing,
                         struct report_words *words)
{
    words->backing = keep_backing ? backing_words(image, "-B") : strdup("");
    words->create_backing =
        keep_backing ? backing_words(image, words->locked ? "-u -b" : "-b") : strdup("");
}

static bool is_whole(const struct report_words *words)
{
    return words->old != NULL && words->measured != NULL && words->target != NULL &&
           words->copy != NULL && words->placed != NULL && words->source != NULL &&
           words->result != NULL && words->onto != NULL && words->drive != NULL &&
           words->objects != NULL && words->key != NULL && words->request != NULL &&
           words->options != NULL && words->backing != NULL && words->create_backing != NULL;
}

int report_words(const struct report_image *image, bool keep_backing, bool compressed,
                 struct report_words *words)
{
    CLEANUP(openings_free) struct openings openings = {NULL, NULL};
    int ret;

    memset(words, 0, sizeof(*words));
    keep_backing =
        keep_backing && format_filename_kind(&image->format.backing_file) != FORMAT_FILENAME_NONE;
    ret = openings_make(image, keep_backing, &openings, &words->locked);
    if (ret < 0)
        return ret;
    words->linked = needs_link(image, keep_backing);
    words->objects = report_keys_objects(image);
    words->key = words->objects == NULL      ? NULL
                 : openings.image[0] != '\0' ? print("%s --image-opts", words->objects)
                                             : strdup("");
    words->request = report_keys_request(image);
    words->options = creation_options(image, compressed);
    words->in_order = goes_in_order(image, compressed) ? " -m 1 -t none" : "";
    fill_backing(image, keep_backing, words);
    fill_paths(image, &openings, words);
    return is_whole(words) ? 0 : -ENOMEM;
}

void report_words_release(struct report_words *words)
{
    free(words->old);
    free(words->measured);
    free(words->target);
    free(words->copy);
    free(words->placed);
    free(words->source);
    free(words->result);
    free(words->onto);
    free(words->drive);
    free(words->objects);
    free(words->key);
    free(words->request);
    free(words->options);
    free(words->backing);
    free(words->create_backing);
    memset(words, 0, sizeof(*words));
}

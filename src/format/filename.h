/* SPDX-License-Identifier: MIT */
/*
 * From a file name inside an image to a path on this host, as QEMU does it (block.c,
 * path_has_protocol and bdrv_get_full_backing_filename). Pure: opens nothing, asks for nothing.
 */
#ifndef FORMAT_FILENAME_H
#define FORMAT_FILENAME_H

#include <stdbool.h>
#include <stddef.h>

struct format_name;

enum format_filename_kind {
    FORMAT_FILENAME_NONE,     /* empty: QEMU takes it as no name */
    FORMAT_FILENAME_PATH,     /* a file of this host */
    FORMAT_FILENAME_JSON,     /* "json:": a description */
    FORMAT_FILENAME_PROTOCOL, /* another word and a colon before the first slash */
};

/* Names end at their first NUL byte, if there is one. */
enum format_filename_kind format_filename_kind(const struct format_name *name);

/*
 * Is it relative to the folder of an image that lies in none, being remote? QEMU refuses that, too
 * (block/nbd.c, nbd_dirname).
 */
bool format_filename_is_nowhere(const struct format_name *name, const char *image_path);

/*
 * The path that the backing file @name has in the image at @image_path: a relative one begins in
 * the folder of the image, by the name that the image has been given (a symbolic link to it is not
 * resolved). Behind "file:" the path stands as it is, a relative one for the current folder. For
 * FORMAT_FILENAME_PATH only. Returns a new string (free it), or NULL without memory.
 */
char *format_filename_backing(const struct format_name *name, const char *image_path);

/*
 * The path of an external data file: the name as it is, whatever it looks like. A relative one is
 * one for the current folder. Returns a new string (free it), or NULL without memory.
 */
char *format_filename_data(const struct format_name *name);

#endif

// SPDX-License-Identifier: MIT
/* Owns the reading of file names that stand in images. Trusts none of their bytes. */
#include "filename.h"

#include "header.h"
#include "uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_PROTOCOL "file:"

enum format_filename_kind format_filename_kind(const struct format_name *name)
{
    const char *text = name->bytes;

    if (text == NULL || *text == '\0')
        return FORMAT_FILENAME_NONE;
    if (strncmp(text, FILE_PROTOCOL, strlen(FILE_PROTOCOL)) == 0)
        return FORMAT_FILENAME_PATH;
    if (strncmp(text, "json:", 5) == 0)
        return FORMAT_FILENAME_JSON;
    return text[strcspn(text, ":/")] == ':' ? FORMAT_FILENAME_PROTOCOL : FORMAT_FILENAME_PATH;
}

bool format_filename_is_nowhere(const struct format_name *name, const char *image_path)
{
    return io_uri_is(image_path) && name->bytes[0] != '/' &&
           strncmp(name->bytes, FILE_PROTOCOL, strlen(FILE_PROTOCOL)) != 0;
}

char *format_filename_backing(const struct format_name *name, const char *image_path)
{
    const char *slash = strrchr(image_path, '/');
    size_t folder = slash != NULL ? (size_t)(slash + 1 - image_path) : 0;
    char *path;

    if (strncmp(name->bytes, FILE_PROTOCOL, strlen(FILE_PROTOCOL)) == 0)
        return strdup(name->bytes + strlen(FILE_PROTOCOL));
    if (name->bytes[0] == '/')
        folder = 0;
    if (asprintf(&path, "%.*s%s", (int)folder, image_path, name->bytes) < 0)
        return NULL;
    return path;
}

char *format_filename_data(const struct format_name *name)
{
    return strdup(name->bytes);
}

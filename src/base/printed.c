// SPDX-License-Identifier: MIT
/* Owns the memory that is printed into. */
#include "printed.h"

#include "vec.h"

#include <stdlib.h>
#include <string.h>

static ssize_t gather(void *context, const char *bytes, size_t len)
{
    struct printed *printed = context;

    if (!printed->failed)
        printed->failed = vec_grow(&printed->text, &printed->cap_text, printed->n_text + len + 1,
                                   sizeof(*printed->text)) < 0;
    if (printed->failed)
        return 0;
    memcpy(printed->text + printed->n_text, bytes, len);
    printed->n_text += len;
    return (ssize_t)len;
}

FILE *printed_open(struct printed *printed)
{
    *printed = (struct printed){.text = NULL};
    printed->stream = fopencookie(printed, "w", (cookie_io_functions_t){.write = gather});
    return printed->stream;
}

char *printed_take(struct printed *printed, size_t *len)
{
    if (printed->stream == NULL)
        return NULL;
    if (fclose(printed->stream) != 0)
        printed->failed = true;
    printed->stream = NULL;
    gather(printed, "", 0); /* room for the NUL, should nothing have been printed */
    if (printed->failed) {
        free(printed->text);
        printed->text = NULL;
        return NULL;
    }
    printed->text[printed->n_text] = '\0';
    if (len != NULL)
        *len = printed->n_text;
    return printed->text;
}

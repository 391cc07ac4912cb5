// SPDX-License-Identifier: MIT
/* Owns copies of names. */
#include "header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int format_name_copy(const struct format_name *from, struct format_name *to)
{
    if (from->bytes == NULL)
        return 0;
    to->bytes = malloc(from->len + 1);
    if (to->bytes == NULL)
        return -ENOMEM;
    memcpy(to->bytes, from->bytes, from->len + 1);
    to->len = from->len;
    return 0;
}

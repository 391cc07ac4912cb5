// SPDX-License-Identifier: MIT
/* Owns the wording of nothing: it only stores what the detecting code says. Never prints. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err->code == 0) {
        va_list args;

        va_start(args, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
        err->code = code;
    }
    return -code;
}

int err_no_memory(struct err *err)
{
    return err_set(err, ENOMEM, "out of memory");
}

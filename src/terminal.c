// SPDX-License-Identifier: MIT
/* Owns the question how wide a terminal is. */
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_UNKNOWN 80 /* of a serial line, which cannot tell */

unsigned terminal_width(FILE *stream)
{
    struct winsize size;

    if (!isatty(fileno(stream)))
        return 0;
    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                            : WIDTH_UNKNOWN;
}

// SPDX-License-Identifier: MIT
/* Owns the questions to a terminal, and to the environment about it. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct winsize size_of(FILE *stream)
{
    struct winsize size = {0};

    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0)
        return (struct winsize){0};
    return size;
}

unsigned terminal_width(FILE *stream)
{
    unsigned columns;

    if (!isatty(fileno(stream)))
        return 0;
    columns = size_of(stream).ws_col;
    return columns > 0 ? columns : TERMINAL_WIDTH_USUAL;
}

unsigned terminal_height(FILE *stream)
{
    unsigned rows;

    if (!isatty(fileno(stream)))
        return 0;
    rows = size_of(stream).ws_row;
    return rows > 0 ? rows : TERMINAL_HEIGHT_USUAL;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* What TERM and COLORTERM say: there is no other way to know, and programs agree on this one. */
static enum render_colours colours_of_environment(void)
{
    const char *term = variable("TERM"), *color_term = variable("COLORTERM");

    if (strcmp(color_term, "truecolor") == 0 || strcmp(color_term, "24bit") == 0 ||
        strstr(term, "direct") != NULL)
        return RENDER_TRUE_COLOURS;
    if (strstr(term, "256color") != NULL)
        return RENDER_256_COLOURS;
    return *term == '\0' || strcmp(term, "dumb") == 0 ? RENDER_NO_COLOURS : RENDER_16_COLOURS;
}

enum render_colours terminal_colours(FILE *stream, bool always)
{
    enum render_colours colours = colours_of_environment();

    if (always)
        return colours == RENDER_NO_COLOURS ? RENDER_16_COLOURS : colours;
    return isatty(fileno(stream)) && *variable("NO_COLOR") == '\0' ? colours : RENDER_NO_COLOURS;
}

bool terminal_has_utf8(void)
{
    const char *locale = variable("LC_ALL");

    if (*locale == '\0')
        locale = variable("LC_CTYPE");
    if (*locale == '\0')
        locale = variable("LANG");
    return strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL;
}

// SPDX-License-Identifier: MIT
/* The main of a program of many unit tests: units_FLOOR NAME runs that of NAME.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

static struct {
    const char *path;
    int (*run)(void);
} tests[MOST];
static unsigned n_tests;

void unit_joined_add(const char *path, int (*run)(void)); /* joined.h is for those who call it */

void unit_joined_add(const char *path, int (*run)(void))
{
    if (n_tests == MOST)
        abort();
    tests[n_tests].path = path;
    tests[n_tests++].run = run;
}

static int is_of(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    size_t len = strlen(name);

    return strncmp(file, name, len) == 0 && strcmp(file + len, ".c") == 0;
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc == 2 && i < n_tests; i++)
        if (is_of(tests[i].path, argv[1]))
            return tests[i].run();
    fputs("which test? One of:\n", stderr);
    for (unsigned i = 0; i < n_tests; i++)
        fprintf(stderr, "  %s\n", tests[i].path);
    return 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * The table of options. The parser, --help, the completions of shells and the test that compares
 * them with the manual page are all made of it.
 */
#ifndef OPTIONS_SPECS_H
#define OPTIONS_SPECS_H

#include <stdbool.h>
#include <stddef.h>

enum options_command {
    OPTIONS_MEASURE,
    OPTIONS_MAP,
    OPTIONS_REPORT,
    OPTIONS_DEFRAG,
    OPTIONS_N_COMMANDS,
    OPTIONS_NO_COMMAND = OPTIONS_N_COMMANDS
};

/* The names of the commands, OPTIONS_N_COMMANDS of them. */
extern const char *const options_command_names[];

/* Below 256: also the short option. */
enum options_id {
    OPTIONS_ID_ALL_SNAPSHOTS = 'S',
    OPTIONS_ID_BYTES = 'b',
    OPTIONS_ID_CHAIN = 'c',
    OPTIONS_ID_FORMAT = 'f',
    OPTIONS_ID_HELP = 'h',
    OPTIONS_ID_JSON = 'j',
    OPTIONS_ID_NOHEADINGS = 'n',
    OPTIONS_ID_ONE_FILE_SYSTEM = 'x',
    OPTIONS_ID_OUTPUT = 'o',
    OPTIONS_ID_QUIET = 'q',
    OPTIONS_ID_SNAPSHOT = 's',
    OPTIONS_ID_VERBOSE = 'v',
    OPTIONS_ID_VERSION = 'V',
    OPTIONS_ID_ASCII = 256,
    OPTIONS_ID_BREAK_HARD_LINKS,
    OPTIONS_ID_BY,
    OPTIONS_ID_CHECK_COMMAND,
    OPTIONS_ID_CLEAR_UNKNOWN_AUTOCLEAR,
    OPTIONS_ID_COLOR,
    OPTIONS_ID_COLUMNS,
    OPTIONS_ID_DEVICE,
    OPTIONS_ID_DRY_RUN,
    OPTIONS_ID_END_TO_END,
    OPTIONS_ID_FILES_FROM,
    OPTIONS_ID_FORCE,
    OPTIONS_ID_HEIGHT,
    OPTIONS_ID_HISTOGRAM,
    OPTIONS_ID_IF_SCORE,
    OPTIONS_ID_IF_SLOWDOWN,
    OPTIONS_ID_KEEP_ORIGINAL,
    OPTIONS_ID_LIBVIRT,
    OPTIONS_ID_LIST,
    OPTIONS_ID_MAX_SCORE,
    OPTIONS_ID_MAX_SLOWDOWN,
    OPTIONS_ID_MAX_TIME,
    OPTIONS_ID_MEMORY,
    OPTIONS_ID_MIN_RUN,
    OPTIONS_ID_NO_HOST,
    OPTIONS_ID_OVERWRITE,
    OPTIONS_ID_PROGRESS,
    OPTIONS_ID_RANGE,
    OPTIONS_ID_RATE_LIMIT,
    OPTIONS_ID_REPORT,
    OPTIONS_ID_RESERVE,
    OPTIONS_ID_SKIP_IN_USE,
    OPTIONS_ID_SORT,
    OPTIONS_ID_SPACE,
    OPTIONS_ID_THREADS,
    OPTIONS_ID_TIMEOUT,
    OPTIONS_ID_TOP,
    OPTIONS_ID_TRIM,
    OPTIONS_ID_VERIFY,
    OPTIONS_ID_WIDTH,
};

struct options_spec {
    int id; /* of enum options_id */
    const char *name;
    const char *argument; /* NULL: none; in brackets: optional */
    unsigned commands;    /* that it goes with: bit i is command i */
    const char *help;
};

#define OPTIONS_N_SPECS 53

extern const struct options_spec options_specs[OPTIONS_N_SPECS];

/* NULL: none has that id. */
const struct options_spec *options_specs_find(int id);

bool options_specs_goes_with(const struct options_spec *spec, enum options_command command);
bool options_specs_argument_is_optional(const struct options_spec *spec);

/* The words that its argument may be, up to a NULL; NULL: it is no choice of words. */
const char *const *options_specs_words(const struct options_spec *spec);

#endif

// SPDX-License-Identifier: MIT
/* Owns the spelling of options: their names, arguments and help. Knows not what they mean. */
#include "options_specs.h"

#define ON_MEASURE (1u << OPTIONS_MEASURE)
#define ON_MAP (1u << OPTIONS_MAP)
#define ON_ALL (ON_MEASURE | ON_MAP)

const struct options_spec options_specs[] = {
    {OPTIONS_ID_SNAPSHOT, "snapshot", "ID-OR-NAME", ON_ALL,
     "this snapshot instead of the active state (id:ID, name:NAME)"},
    {OPTIONS_ID_ALL_SNAPSHOTS, "all-snapshots", NULL, ON_MEASURE,
     "the active state and every snapshot"},
    {OPTIONS_ID_CHAIN, "chain", NULL, ON_ALL,
     "along the backing chain: opens the files that images name"},
    {OPTIONS_ID_ONE_FILE_SYSTEM, "one-file-system", NULL, ON_MEASURE,
     "do not search what is mounted below a directory"},
    {OPTIONS_ID_DEVICE, "device", "PROFILE", ON_MEASURE,
     "reckon with this disk: auto (the default), hdd, ssd or nvme"},
    {OPTIONS_ID_FORMAT, "format", "FORMAT", ON_MEASURE, "text (the default), json or csv"},
    {OPTIONS_ID_JSON, "json", NULL, ON_ALL, "the same as --format json; with map, JSON lines"},
    {OPTIONS_ID_COLUMNS, "columns", "LIST", ON_MEASURE,
     "columns of the table, separated by commas"},
    {OPTIONS_ID_SORT, "sort", "COLUMN", ON_MEASURE,
     "rows by this column: the largest first, texts from A on (-COLUMN: reversed)"},
    {OPTIONS_ID_RANGE, "range", "START:LENGTH", ON_ALL, "this part of the guest disk only"},
    {OPTIONS_ID_HISTOGRAM, "histogram", NULL, ON_MEASURE, "add the histograms of runs and jumps"},
    {OPTIONS_ID_SPACE, "space", NULL, ON_MEASURE, "add what the space of the file is used for"},
    {OPTIONS_ID_LIST, "list", NULL, ON_MAP, "every run, a line each"},
    {OPTIONS_ID_MAX_SCORE, "max-score", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a fragmentation score is above so many percent"},
    {OPTIONS_ID_MAX_SLOWDOWN, "max-slowdown", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a disk is slowed down more than so many times"},
    {OPTIONS_ID_MIN_RUN, "min-run", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a half length is below this size"},
    {OPTIONS_ID_NO_HOST, "no-host", NULL, ON_ALL, "do not look where the file lies on its device"},
    {OPTIONS_ID_BYTES, "bytes", NULL, ON_ALL, "sizes in bytes, not in KiB, MiB, ..."},
    {OPTIONS_ID_NOHEADINGS, "noheadings", NULL, ON_ALL, "no line of column names"},
    {OPTIONS_ID_OUTPUT, "output", "FILE", ON_ALL, "write the result there, whole or not at all"},
    {OPTIONS_ID_PROGRESS, "progress", "[WHEN]", ON_ALL, "never, auto (the default) or always"},
    {OPTIONS_ID_QUIET, "quiet", NULL, ON_MEASURE, "no result, only messages and the exit status"},
    {OPTIONS_ID_THREADS, "threads", "N", ON_MEASURE,
     "at most so many threads (default: the processors)"},
    {OPTIONS_ID_VERBOSE, "verbose", NULL, ON_MEASURE, "explain each figure"},
    {OPTIONS_ID_HELP, "help", NULL, ON_ALL, "this text"},
    {OPTIONS_ID_VERSION, "version", NULL, ON_ALL, "the version"},
};

const char *const options_command_names[] = {"measure", "map"};

const struct options_spec *options_specs_find(int id)
{
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++)
        if (options_specs[i].id == id)
            return &options_specs[i];
    return NULL;
}

bool options_specs_goes_with(const struct options_spec *spec, enum options_command command)
{
    return (spec->commands & 1u << command) != 0;
}

bool options_specs_argument_is_optional(const struct options_spec *spec)
{
    return spec->argument != NULL && spec->argument[0] == '[';
}

/* In the order of the enums that they stand for. */
const char *const *options_specs_words(const struct options_spec *spec)
{
    static const char *const formats[] = {"text", "json", "csv", NULL};
    static const char *const whens[] = {"auto", "never", "always", NULL};
    static const char *const devices[] = {"auto", "hdd", "ssd", "nvme", NULL};

    return spec->id == OPTIONS_ID_FORMAT     ? formats
           : spec->id == OPTIONS_ID_PROGRESS ? whens
           : spec->id == OPTIONS_ID_DEVICE   ? devices
                                             : NULL;
}

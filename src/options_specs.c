// SPDX-License-Identifier: MIT
/* Owns the spelling of options: their names, arguments and help. Knows not what they mean. */
#include "options_specs.h"

#define ON_MEASURE (1u << OPTIONS_MEASURE)
#define ON_MAP (1u << OPTIONS_MAP)
#define ON_REPORT (1u << OPTIONS_REPORT)
#define ON_DEFRAG (1u << OPTIONS_DEFRAG)
#define ON_LOOK (ON_MEASURE | ON_MAP)
#define ON_LOOK_ALL (ON_LOOK | ON_REPORT)
#define ON_ALL (ON_LOOK_ALL | ON_DEFRAG)

const struct options_spec options_specs[] = {
    {OPTIONS_ID_SNAPSHOT, "snapshot", "ID-OR-NAME", ON_LOOK_ALL,
     "this snapshot instead of the active state (id:ID, name:NAME)"},
    {OPTIONS_ID_ALL_SNAPSHOTS, "all-snapshots", NULL, ON_MEASURE,
     "the active state and every snapshot"},
    {OPTIONS_ID_CHAIN, "chain", NULL, ON_LOOK_ALL,
     "along the backing chain: opens the files that images name"},
    {OPTIONS_ID_FILES_FROM, "files-from", "FILE", ON_MEASURE | ON_DEFRAG,
     "also the images and directories that FILE names, one a line (-: standard input)"},
    {OPTIONS_ID_LIBVIRT, "libvirt", "[URI]", ON_MEASURE,
     "also the disks of all domains that libvirt knows (default: where it looks by itself)"},
    {OPTIONS_ID_ONE_FILE_SYSTEM, "one-file-system", NULL, ON_MEASURE | ON_REPORT | ON_DEFRAG,
     "do not search what is mounted below a directory"},
    {OPTIONS_ID_DEVICE, "device", "PROFILE", ON_ALL,
     "reckon with this disk: auto (the default), hdd, ssd or nvme"},
    {OPTIONS_ID_FORMAT, "format", "FORMAT", ON_MEASURE, "text (the default), json, csv, prometheus or nagios"},
    {OPTIONS_ID_JSON, "json", NULL, ON_LOOK | ON_DEFRAG,
     "the same as --format json; with map, JSON lines"},
    {OPTIONS_ID_COLUMNS, "columns", "LIST", ON_MEASURE,
     "columns of the table, separated by commas"},
    {OPTIONS_ID_SORT, "sort", "COLUMN", ON_MEASURE,
     "rows by this column: the largest first, texts from A on (-COLUMN: reversed)"},
    {OPTIONS_ID_TOP, "top", "N", ON_MEASURE, "show the N worst images only; all are measured"},
    {OPTIONS_ID_RANGE, "range", "START:LENGTH", ON_LOOK_ALL, "this part of the guest disk only"},
    {OPTIONS_ID_HISTOGRAM, "histogram", NULL, ON_MEASURE, "add the histograms of runs and jumps"},
    {OPTIONS_ID_SPACE, "space", NULL, ON_MEASURE | ON_REPORT,
     "add what the space of the file is used for"},
    {OPTIONS_ID_LIST, "list", NULL, ON_MAP, "every run, a line each"},
    {OPTIONS_ID_BY, "by", "AXIS", ON_MAP,
     "cells are stretches of the guest disk (guest, the default), or of the file (host)"},
    {OPTIONS_ID_END_TO_END, "end-to-end", NULL, ON_MAP,
     "by where the data lie on the device, not in the file"},
    {OPTIONS_ID_WIDTH, "width", "N", ON_MAP, "columns of the picture (default: of the terminal)"},
    {OPTIONS_ID_HEIGHT, "height", "N", ON_MAP, "lines of it, with those of text"},
    {OPTIONS_ID_COLOR, "color", "[WHEN]", ON_MAP,
     "auto (the default), never, always; or 16, 256 or truecolor"},
    {OPTIONS_ID_ASCII, "ascii", NULL, ON_MAP, "letters instead of blocks"},
    {OPTIONS_ID_MAX_SCORE, "max-score", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a fragmentation score is above so many percent"},
    {OPTIONS_ID_MAX_SLOWDOWN, "max-slowdown", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a disk is slowed down more than so many times"},
    {OPTIONS_ID_MIN_RUN, "min-run", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a half length is below this size"},
    {OPTIONS_ID_NO_HOST, "no-host", NULL, ON_LOOK_ALL,
     "do not look where the file lies on its device"},
    {OPTIONS_ID_BYTES, "bytes", NULL, ON_LOOK | ON_DEFRAG, "sizes in bytes, not in KiB, MiB, ..."},
    {OPTIONS_ID_NOHEADINGS, "noheadings", NULL, ON_LOOK, "no line of column names"},
    {OPTIONS_ID_OUTPUT, "output", "FILE", ON_ALL,
     "write the result there, whole or not at all; with defrag, the new image"},
    {OPTIONS_ID_OVERWRITE, "overwrite", NULL, ON_DEFRAG,
     "a file that has the name of the new image is replaced"},
    {OPTIONS_ID_DRY_RUN, "dry-run", NULL, ON_DEFRAG, "the plan only: figures before and after"},
    {OPTIONS_ID_FORCE, "force", NULL, ON_DEFRAG, "also where it gains nothing"},
    {OPTIONS_ID_TRIM, "trim", NULL, ON_DEFRAG, "clusters that are all zeros become zero clusters"},
    {OPTIONS_ID_RESERVE, "reserve", NULL, ON_DEFRAG,
     "a place in order for each cluster that is not written yet, so that order stays"},
    {OPTIONS_ID_VERIFY, "verify", "HOW", ON_DEFRAG,
     "full (the default): the new image is read back and proven; or none"},
    {OPTIONS_ID_MEMORY, "memory", "SIZE", ON_DEFRAG,
     "the window in which reads are sorted (default: by the memory there is)"},
    {OPTIONS_ID_RATE_LIMIT, "rate-limit", "RATE", ON_DEFRAG, "so many bytes a second at most"},
    {OPTIONS_ID_CLEAR_UNKNOWN_AUTOCLEAR, "clear-unknown-autoclear", NULL, ON_DEFRAG,
     "go on where unknown autoclear bits are set, and clear them"},
    {OPTIONS_ID_KEEP_ORIGINAL, "keep-original", "[SUFFIX]", ON_DEFRAG,
     "the old image stays, under its name with SUFFIX behind (default: .orig)"},
    {OPTIONS_ID_BREAK_HARD_LINKS, "break-hard-links", NULL, ON_DEFRAG,
     "replace one name of a file that has several"},
    {OPTIONS_ID_CHECK_COMMAND, "check-command", "CMD", ON_DEFRAG,
     "run CMD with the new image before the switch; if it fails, the old one stays"},
    {OPTIONS_ID_SKIP_IN_USE, "skip-in-use", NULL, ON_DEFRAG,
     "leave out images that are in use, which is no failure then"},
    {OPTIONS_ID_IF_SCORE, "if-score", "PERCENT", ON_DEFRAG,
     "only images whose fragmentation score is above this"},
    {OPTIONS_ID_IF_SLOWDOWN, "if-slowdown", "X", ON_DEFRAG,
     "only images whose disk is slowed down more than X times"},
    {OPTIONS_ID_MAX_TIME, "max-time", "DURATION", ON_DEFRAG,
     "begin no image that would end later than this (90s, 15m, 2h)"},
    {OPTIONS_ID_REPORT, "report", "FILE", ON_DEFRAG,
     "also a page of HTML there, with before and after"},
    {OPTIONS_ID_PROGRESS, "progress", "[WHEN]", ON_ALL, "never, auto (the default) or always"},
    {OPTIONS_ID_QUIET, "quiet", NULL, ON_MEASURE | ON_DEFRAG,
     "no result, only messages and the exit status"},
    {OPTIONS_ID_TIMEOUT, "timeout", "DURATION", ON_LOOK_ALL,
     "so long a server of a remote image, or libvirt, may be silent (default: 30s)"},
    {OPTIONS_ID_THREADS, "threads", "N", ON_LOOK_ALL,
     "at most so many threads (default: the processors)"},
    {OPTIONS_ID_VERBOSE, "verbose", NULL, ON_MEASURE | ON_DEFRAG, "explain each figure"},
    {OPTIONS_ID_HELP, "help", NULL, ON_ALL, "this text"},
    {OPTIONS_ID_VERSION, "version", NULL, ON_ALL, "the version"},
};

const char *const options_command_names[] = {"measure", "map", "report", "defrag"};

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
    static const char *const formats[] = {"text", "json", "csv", "prometheus", "nagios", NULL};
    static const char *const whens[] = {"auto", "never", "always", NULL};
    static const char *const devices[] = {"auto", "hdd", "ssd", "nvme", NULL};
    static const char *const axes[] = {"guest", "host", NULL};
    static const char *const colours[] = {"auto", "never",     "always", "16",
                                          "256",  "truecolor", NULL};
    static const char *const verify[] = {"full", "none", NULL};

    return spec->id == OPTIONS_ID_FORMAT     ? formats
           : spec->id == OPTIONS_ID_VERIFY   ? verify
           : spec->id == OPTIONS_ID_BY       ? axes
           : spec->id == OPTIONS_ID_COLOR    ? colours
           : spec->id == OPTIONS_ID_PROGRESS ? whens
           : spec->id == OPTIONS_ID_DEVICE   ? devices
                                             : NULL;
}

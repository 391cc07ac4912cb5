// SPDX-License-Identifier: MIT
/* Owns the spelling and the meaning of the command line. Opens nothing, prints nothing. */
#include "options.h"

#include "checked.h"
#include "err.h"
#include "size.h"
#include "vec.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON_MEASURE (1u << OPTIONS_MEASURE)
#define ON_MAP (1u << OPTIONS_MAP)
#define ON_ALL (ON_MEASURE | ON_MAP)

enum id {
    ID_ALL_SNAPSHOTS = 'S',
    ID_BYTES = 'b',
    ID_CHAIN = 'c',
    ID_FORMAT = 'f',
    ID_HELP = 'h',
    ID_JSON = 'j',
    ID_NOHEADINGS = 'n',
    ID_ONE_FILE_SYSTEM = 'x',
    ID_OUTPUT = 'o',
    ID_QUIET = 'q',
    ID_SNAPSHOT = 's',
    ID_VERBOSE = 'v',
    ID_VERSION = 'V',
    ID_COLUMNS = 256,
    ID_DEVICE,
    ID_HISTOGRAM,
    ID_LIST,
    ID_MAX_SCORE,
    ID_MAX_SLOWDOWN,
    ID_MIN_RUN,
    ID_NO_HOST,
    ID_PROGRESS,
    ID_RANGE,
    ID_SORT,
    ID_SPACE,
    ID_THREADS,
};

const struct options_spec options_specs[] = {
    {ID_SNAPSHOT, "snapshot", "ID-OR-NAME", ON_ALL,
     "this snapshot instead of the active state (id:ID, name:NAME)"},
    {ID_ALL_SNAPSHOTS, "all-snapshots", NULL, ON_MEASURE, "the active state and every snapshot"},
    {ID_CHAIN, "chain", NULL, ON_ALL, "along the backing chain: opens the files that images name"},
    {ID_ONE_FILE_SYSTEM, "one-file-system", NULL, ON_MEASURE,
     "do not search what is mounted below a directory"},
    {ID_DEVICE, "device", "PROFILE", ON_MEASURE,
     "reckon with this disk: auto (the default), hdd, ssd or nvme"},
    {ID_FORMAT, "format", "FORMAT", ON_MEASURE, "text (the default), json or csv"},
    {ID_JSON, "json", NULL, ON_ALL, "the same as --format json; with map, JSON lines"},
    {ID_COLUMNS, "columns", "LIST", ON_MEASURE, "columns of the table, separated by commas"},
    {ID_SORT, "sort", "COLUMN", ON_MEASURE,
     "rows by this column: the largest first, texts from A on (-COLUMN: reversed)"},
    {ID_RANGE, "range", "START:LENGTH", ON_ALL, "this part of the guest disk only"},
    {ID_HISTOGRAM, "histogram", NULL, ON_MEASURE, "add the histograms of runs and jumps"},
    {ID_SPACE, "space", NULL, ON_MEASURE, "add what the space of the file is used for"},
    {ID_LIST, "list", NULL, ON_MAP, "every run, a line each"},
    {ID_MAX_SCORE, "max-score", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a fragmentation score is above so many percent"},
    {ID_MAX_SLOWDOWN, "max-slowdown", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a disk is slowed down more than so many times"},
    {ID_MIN_RUN, "min-run", "WARN[,CRIT]", ON_MEASURE,
     "status 3 if a half length is below this size"},
    {ID_NO_HOST, "no-host", NULL, ON_ALL, "do not look where the file lies on its device"},
    {ID_BYTES, "bytes", NULL, ON_ALL, "sizes in bytes, not in KiB, MiB, ..."},
    {ID_NOHEADINGS, "noheadings", NULL, ON_ALL, "no line of column names"},
    {ID_OUTPUT, "output", "FILE", ON_ALL, "write the result there, whole or not at all"},
    {ID_PROGRESS, "progress", "[WHEN]", ON_MEASURE, "never, auto (the default) or always"},
    {ID_QUIET, "quiet", NULL, ON_MEASURE, "no result, only messages and the exit status"},
    {ID_THREADS, "threads", "N", ON_MEASURE, "at most so many threads (default: the processors)"},
    {ID_VERBOSE, "verbose", NULL, ON_MEASURE, "explain each figure"},
    {ID_HELP, "help", NULL, ON_ALL, "this text"},
    {ID_VERSION, "version", NULL, ON_ALL, "the version"},
};

#define ARGUMENT 1 /* what getopt says of an argument that is no option */

#define THREADS_MAX 1024
#define NAME_MAX_LEN 32 /* of an option */
#define LIST_MAX 512    /* all names of options fit */

#define N_SPECS (sizeof(options_specs) / sizeof(options_specs[0]))

const size_t options_n_specs = N_SPECS;

const char *const options_command_names[] = {"measure", "map"};

bool options_goes_with(const struct options_spec *spec, enum options_command command)
{
    return (spec->commands & 1u << command) != 0;
}

bool options_argument_is_optional(const struct options_spec *spec)
{
    return spec->argument != NULL && spec->argument[0] == '[';
}

/* In the order of the enums that they stand for. */
const char *const *options_words(const struct options_spec *spec)
{
    static const char *const formats[] = {"text", "json", "csv", NULL};
    static const char *const whens[] = {"auto", "never", "always", NULL};
    static const char *const devices[] = {"auto", "hdd", "ssd", "nvme", NULL};

    return spec->id == ID_FORMAT     ? formats
           : spec->id == ID_PROGRESS ? whens
           : spec->id == ID_DEVICE   ? devices
                                     : NULL;
}

/* ---- the tables of getopt, made of ours ---- */

static int argument_kind(const struct options_spec *spec)
{
    if (spec->argument == NULL)
        return no_argument;
    return options_argument_is_optional(spec) ? optional_argument : required_argument;
}

static void fill_getopt(char *letters, struct option *longs)
{
    *letters++ = '-'; /* give out other arguments in order, as ARGUMENT */
    *letters++ = ':'; /* say ':' for a missing value */
    for (size_t i = 0; i < N_SPECS; i++) {
        longs[i] = (struct option){options_specs[i].name, argument_kind(&options_specs[i]), NULL,
                                   options_specs[i].id};
        if (options_specs[i].id >= 256)
            continue;
        *letters++ = (char)options_specs[i].id;
        if (options_specs[i].argument != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[N_SPECS] = (struct option){NULL, 0, NULL, 0};
}

static const struct options_spec *find_spec(int id)
{
    for (size_t i = 0; i < N_SPECS; i++)
        if (options_specs[i].id == id)
            return &options_specs[i];
    return NULL;
}

/* ---- single options ---- */

/* The index of @text among the words of an option, or an error that lists them. */
static int choose_word(const struct options_spec *spec, const char *text, struct err *err)
{
    const char *const *words = options_words(spec);
    char list[128] = "";

    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
        strcat(strcat(list, i == 0 ? "" : words[i + 1] != NULL ? ", " : " or "), words[i]);
    }
    return err_set(err, EINVAL, "--%s takes %s, not \"%s\"", spec->name, list, text);
}

static int parse_columns(const char *list, struct options *options, struct err *err)
{
    while (true) {
        size_t len = strcspn(list, ",");
        const struct render_column *column = render_column_find(list, len);

        if (column == NULL)
            return err_set(err, EINVAL, "--columns: there is no column \"%.*s\"; --help lists them",
                           (int)len, list);
        if (options->n_columns == RENDER_COLUMNS_MAX)
            return err_set(err, EINVAL, "--columns: more than %d columns", RENDER_COLUMNS_MAX);
        options->columns[options->n_columns++] = column;
        options->space |= column->when == RENDER_WITH_SPACE;
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}

static int parse_sort(const char *text, struct options *options, struct err *err)
{
    const char *name = text + (*text == '-');

    options->sort = render_column_find(name, strlen(name));
    options->sort_reversed = *text == '-';
    if (options->sort == NULL)
        return err_set(err, EINVAL, "--sort: there is no column \"%s\"; --help lists them", name);
    options->space |= options->sort->when == RENDER_WITH_SPACE;
    return 0;
}

static int parse_threads(const char *text, struct options *options, struct err *err)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < 1 || n > THREADS_MAX)
        return err_set(err, EINVAL, "--threads takes a number from 1 to %d, not \"%s\"",
                       THREADS_MAX, text);
    options->threads = (int)n;
    return 0;
}

static int parse_range(const char *text, struct options *options, struct err *err)
{
    const char *colon = strchr(text, ':');
    char begin[64] = "";
    uint64_t len_bytes;

    if (colon != NULL && (size_t)(colon - text) < sizeof(begin))
        memcpy(begin, text, (size_t)(colon - text));
    if (colon == NULL || !size_parse(begin, &options->range.begin) ||
        !size_parse(colon + 1, &len_bytes) || len_bytes == 0 ||
        !checked_add(options->range.begin, len_bytes, &options->range.end))
        return err_set(err, EINVAL,
                       "--range takes two sizes, START:LENGTH, as in 100G:20G, not \"%s\"", text);
    options->has_range = true;
    return 0;
}

/* One limit, up to @len: a percentage, a size or a factor. False: it is none. */
static bool parse_limit(const char *text, size_t len, enum options_limit limit, double *value)
{
    char copy[64], *end;
    uint64_t bytes;

    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (limit == OPTIONS_MIN_RUN) {
        if (!size_parse(copy, &bytes))
            return false;
        *value = (double)bytes;
        return true;
    }
    if (limit == OPTIONS_MAX_SCORE && copy[len - 1] == '%')
        copy[len - 1] = '\0';
    if (strspn(copy, "0123456789.") != strlen(copy))
        return false; /* no sign, no exponent, no infinity */
    *value = strtod(copy, &end);
    if (end == copy || *end != '\0')
        return false;
    if (limit == OPTIONS_MAX_SCORE)
        *value /= 100;
    return true;
}

static int parse_threshold(const struct options_spec *spec, const char *text,
                           enum options_limit limit, struct options *options, struct err *err)
{
    static const char *const kinds[] = {"percentages", "sizes", "factors"};
    struct options_threshold *threshold = &options->thresholds[limit];
    const char *comma = strchr(text, ',');
    size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
    bool below;

    threshold->given = true;
    threshold->has_critical = comma != NULL;
    if (!parse_limit(text, len, limit, &threshold->warning) ||
        (comma != NULL && !parse_limit(comma + 1, strlen(comma + 1), limit, &threshold->critical)))
        return err_set(err, EINVAL, "--%s takes one or two %s, WARN or WARN,CRIT, not \"%s\"",
                       spec->name, kinds[limit], text);
    below = limit == OPTIONS_MIN_RUN;
    if (comma != NULL && (below ? threshold->critical > threshold->warning
                                : threshold->critical < threshold->warning))
        return err_set(err, EINVAL, "--%s: CRIT must not be %s WARN, as it is in \"%s\"",
                       spec->name, below ? "above" : "below", text);
    return 0;
}

static int add_snapshot(const char *text, struct options *options, struct err *err)
{
    if (vec_reserve(options, snapshots) < 0)
        return err_no_memory(err);
    options->snapshots[options->n_snapshots++] = text;
    return 0;
}

static int apply(const struct options_spec *spec, const char *argument, struct options *options,
                 struct err *err)
{
    int word = 0;

    switch ((enum id)spec->id) {
    case ID_ALL_SNAPSHOTS:
        options->all_snapshots = true;
        break;
    case ID_BYTES:
        options->bytes = true;
        break;
    case ID_CHAIN:
        options->chain = true;
        break;
    case ID_DEVICE:
        word = choose_word(spec, argument, err);
        options->device = (enum report_device)word;
        break;
    case ID_FORMAT:
        word = choose_word(spec, argument, err);
        options->format = (enum options_format)word;
        break;
    case ID_HELP:
        options->action = OPTIONS_HELP;
        break;
    case ID_JSON:
        options->format = OPTIONS_JSON;
        break;
    case ID_NOHEADINGS:
        options->noheadings = true;
        break;
    case ID_ONE_FILE_SYSTEM:
        options->one_file_system = true;
        break;
    case ID_OUTPUT:
        options->output = argument;
        break;
    case ID_QUIET:
        options->quiet = true;
        break;
    case ID_SNAPSHOT:
        return add_snapshot(argument, options, err);
    case ID_VERBOSE:
        options->verbose = true;
        break;
    case ID_VERSION:
        options->action = OPTIONS_VERSION;
        break;
    case ID_COLUMNS:
        return parse_columns(argument, options, err);
    case ID_HISTOGRAM:
        options->histogram = true;
        break;
    case ID_LIST:
        options->list = true;
        break;
    case ID_MAX_SCORE:
        return parse_threshold(spec, argument, OPTIONS_MAX_SCORE, options, err);
    case ID_MAX_SLOWDOWN:
        return parse_threshold(spec, argument, OPTIONS_MAX_SLOWDOWN, options, err);
    case ID_MIN_RUN:
        return parse_threshold(spec, argument, OPTIONS_MIN_RUN, options, err);
    case ID_NO_HOST:
        options->no_host = true;
        break;
    case ID_RANGE:
        return parse_range(argument, options, err);
    case ID_SORT:
        return parse_sort(argument, options, err);
    case ID_SPACE:
        options->space = true;
        break;
    case ID_THREADS:
        return parse_threads(argument, options, err);
    case ID_PROGRESS:
        word = argument == NULL ? OPTIONS_PROGRESS_ALWAYS : choose_word(spec, argument, err);
        options->progress = (enum options_progress)word;
        break;
    }
    return word < 0 ? word : 0;
}

/* ---- the whole line ---- */

static bool find_command(const char *text, enum options_command *command)
{
    for (int i = 0; i < OPTIONS_N_COMMANDS; i++) {
        if (strcmp(text, options_command_names[i]) != 0)
            continue;
        *command = (enum options_command)i;
        return true;
    }
    return false;
}

static int add_path(const char *text, struct options *options, struct err *err)
{
    if (vec_reserve(options, paths) < 0)
        return err_no_memory(err);
    options->paths[options->n_paths++] = text;
    return 0;
}

/*
 * The first argument that is no option may name a command, or be the word help, which another
 * command may follow; all others are images. @before: how many there were before it.
 */
static int add_argument(const char *text, size_t before, struct options *options, struct err *err)
{
    if (before == 0 && strcmp(text, "help") == 0) {
        options->action = OPTIONS_HELP;
        options->asked_by_name = true;
        return 0;
    }
    if (before == 0 && find_command(text, &options->command)) {
        options->help = options->command;
        return 0;
    }
    if (!options->asked_by_name)
        return add_path(text, options, err);
    if (before == 1 && find_command(text, &options->help))
        return 0;
    return err_set(err, EINVAL, "help: there is no command \"%s\"; there are measure and map",
                   text);
}

static int check(const struct options *options, unsigned used[N_SPECS], struct err *err)
{
    if (options->action != OPTIONS_RUN)
        return 0;
    for (size_t i = 0; i < N_SPECS; i++)
        if (used[i] && !(options_specs[i].commands & 1u << options->command))
            return err_set(err, EINVAL, "--%s does not go with %s", options_specs[i].name,
                           options_command_names[options->command]);
    if (options->n_paths == 0)
        return err_set(err, EINVAL, "no image is named");
    for (size_t i = 0; i < options->n_paths; i++)
        if (strcmp(options->paths[i], "-") == 0)
            return err_set(err, EINVAL,
                           "\"-\" is no image: an image must be a file or a block "
                           "device, since it is read out of order");
    if (options->quiet && options->output != NULL)
        return err_set(err, EINVAL, "--quiet and --output exclude each other");
    if (options->n_columns > 0 && options->format == OPTIONS_JSON)
        return err_set(err, EINVAL, "--columns goes with the table and with CSV; JSON is whole");
    if (options->sort != NULL && options->format == OPTIONS_JSON)
        return err_set(err, EINVAL, "--sort goes with the table and with CSV");
    if (options->command != OPTIONS_MAP)
        return 0;
    if (!options->list)
        return err_set(err, EINVAL, "map needs --list");
    if (options->n_paths > 1)
        return err_set(err, EINVAL, "map takes one image");
    if (options->n_snapshots > 1)
        return err_set(err, EINVAL, "map takes one --snapshot");
    return 0;
}

/* ---- what getopt refuses ---- */

/* Changes of one letter, or of two neighbours, that make @b of @a, both in part: by rows. */
static size_t distance(const char *a, size_t len, const char *b)
{
    size_t width = strlen(b), rows[3][NAME_MAX_LEN + 1];

    for (size_t k = 0; k <= width; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t k = 1; k <= width; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);

            best = above[k] + 1 < best ? above[k] + 1 : best;
            best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                two_above[k - 2] + 1 < best)
                best = two_above[k - 2] + 1;
            row[k] = best;
        }
    }
    return rows[len % 3][width];
}

/* The option whose name is nearest to @name, up to @len; NULL: none is near enough to be meant. */
static const struct options_spec *nearest_spec(const char *name, size_t len)
{
    const struct options_spec *nearest = NULL;
    size_t least = 1 + len / 3; /* one letter in three may be wrong */

    if (len < 2 || len > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < N_SPECS; i++) {
        size_t changes = distance(name, len, options_specs[i].name);

        if (changes < least) {
            least = changes;
            nearest = &options_specs[i];
        }
    }
    return nearest;
}

static int unknown_option(const char *shown, size_t shown_len, const char *name, size_t len,
                          struct err *err)
{
    const struct options_spec *nearest = nearest_spec(name, len);

    if (nearest != NULL)
        return err_set(err, EINVAL, "%.*s: no such option; is --%s meant?", (int)shown_len, shown,
                       nearest->name);
    return err_set(err, EINVAL, "%.*s: no such option", (int)shown_len, shown);
}

/* Several options begin with the @len letters at @name. False: at most one does. */
static bool is_ambiguous(const char *name, size_t len, char list[LIST_MAX])
{
    size_t n = 0, used = 0;

    for (size_t i = 0; i < N_SPECS; i++) {
        if (strncmp(options_specs[i].name, name, len) != 0)
            continue;
        used += (size_t)snprintf(list + used, LIST_MAX - used, "%s--%s", n++ > 0 ? ", " : "",
                                 options_specs[i].name);
        if (used >= LIST_MAX)
            break;
    }
    return n > 1;
}

/*
 * getopt's own messages name the program as it was called, and cannot be caught: ours instead.
 * @word is the argument that getopt was at, @rejected the letter or number that it says (optopt).
 */
static int parse_error(int found, const char *word, int rejected, struct err *err)
{
    const bool is_long = strncmp(word, "--", 2) == 0;
    const char *name = word + (is_long ? 2 : 1);
    const struct options_spec *spec = find_spec(rejected);
    size_t len = strcspn(name, "=");
    char list[LIST_MAX];

    if (found == ':' && spec != NULL)
        return is_long ? err_set(err, EINVAL, "--%s needs a value", spec->name)
                       : err_set(err, EINVAL, "-%c needs a value", rejected);
    if (!is_long)
        return unknown_option((const char[]){'-', (char)rejected, '\0'}, 2, name, strlen(name),
                              err);
    if (spec != NULL)
        return err_set(err, EINVAL, "--%s takes no value", spec->name);
    if (len > 0 && is_ambiguous(name, len, list))
        return err_set(err, EINVAL, "--%.*s: not clear: %s", (int)len, name, list);
    return unknown_option(word, len + 2, name, len, err);
}

int options_parse(int argc, char **argv, struct options *options, struct err *err)
{
    char letters[2 * N_SPECS + 3];
    struct option longs[N_SPECS + 1];
    unsigned used[N_SPECS] = {0};
    size_t n_arguments = 0;
    int found, at, ret = 0;

    memset(options, 0, sizeof(*options));
    options->help = OPTIONS_NO_COMMAND;
    fill_getopt(letters, longs);
    opterr = 0;
    /* Arguments are taken in order: what getopt looks at next is where it stands before. */
    while (ret == 0 && (at = optind, found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct options_spec *spec = find_spec(found);

        if (found == ARGUMENT) {
            ret = add_argument(optarg, n_arguments++, options, err);
            continue;
        }
        if (found == ':' || found == '?' || spec == NULL)
            return parse_error(found, argv[at], optopt, err);
        used[spec - options_specs] = 1;
        ret = apply(spec, optarg, options, err);
    }
    for (; ret == 0 && optind < argc; optind++) /* behind -- */
        ret = add_path(argv[optind], options, err);
    return ret < 0 ? ret : check(options, used, err);
}

void options_free(struct options *options)
{
    free(options->snapshots);
    free(options->paths);
    options->snapshots = options->paths = NULL;
}

// SPDX-License-Identifier: MIT
/* Owns the meaning of single options. What goes together is not its business. */
#include "options_values.h"

#include "checked.h"
#include "copy.h"
#include "duration.h"
#include "err.h"
#include "originals.h"
#include "render_map.h"
#include "size.h"
#include "vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 1024
#define TIMEOUT_MAX (24u * 60 * 60)
#define TOP_MAX 1000000
#define AMOUNT_MAX (UINT64_C(1) << 50)

/* The index of @text among the words of an option, or an error that lists them. */
static int choose_word(const struct options_spec *spec, const char *text, struct err *err)
{
    const char *const *words = options_specs_words(spec);
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

static int parse_number(const struct options_spec *spec, const char *text, int least, int most,
                        int *number, struct err *err)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < least || n > most)
        return err_set(err, EINVAL, "--%s takes a number from %d to %d, not \"%s\"", spec->name,
                       least, most, text);
    *number = (int)n;
    return 0;
}

/* A width or a height. */
static int parse_side(const struct options_spec *spec, const char *text, int least, unsigned *side,
                      struct err *err)
{
    int number = 0, ret = parse_number(spec, text, least, RENDER_MAP_SIDE_MAX, &number, err);

    *side = (unsigned)number;
    return ret;
}

static int parse_amount(const struct options_spec *spec, const char *what, uint64_t least,
                        const char *text, uint64_t *bytes, struct err *err)
{
    if (!size_parse(text, bytes) || *bytes < least || *bytes > AMOUNT_MAX)
        return err_set(err, EINVAL, "--%s takes %s, not \"%s\"", spec->name, what, text);
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
static bool parse_limit(const char *text, size_t len, enum report_limit_kind limit, double *value)
{
    char copy[64], *end;
    uint64_t bytes;

    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (limit == REPORT_MIN_RUN) {
        if (!size_parse(copy, &bytes))
            return false;
        *value = (double)bytes;
        return true;
    }
    if (limit == REPORT_MAX_SCORE && copy[len - 1] == '%')
        copy[len - 1] = '\0';
    if (strspn(copy, "0123456789.") != strlen(copy))
        return false; /* no sign, no exponent, no infinity */
    *value = strtod(copy, &end);
    if (end == copy || *end != '\0')
        return false;
    if (limit == REPORT_MAX_SCORE)
        *value /= 100;
    return true;
}

static int parse_threshold(const struct options_spec *spec, const char *text,
                           enum report_limit_kind limit, struct options *options, struct err *err)
{
    static const char *const kinds[] = {"percentages", "sizes", "factors"};
    struct report_limit *threshold = &options->limits[limit];
    const char *comma = strchr(text, ',');
    size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
    bool below;

    threshold->given = true;
    threshold->has_critical = comma != NULL;
    if (!parse_limit(text, len, limit, &threshold->warning) ||
        (comma != NULL && !parse_limit(comma + 1, strlen(comma + 1), limit, &threshold->critical)))
        return err_set(err, EINVAL, "--%s takes one or two %s, WARN or WARN,CRIT, not \"%s\"",
                       spec->name, kinds[limit], text);
    below = limit == REPORT_MIN_RUN;
    if (comma != NULL && (below ? threshold->critical > threshold->warning
                                : threshold->critical < threshold->warning))
        return err_set(err, EINVAL, "--%s: CRIT must not be %s WARN, as it is in \"%s\"",
                       spec->name, below ? "above" : "below", text);
    return 0;
}

/* A limit that images must be above. */
static int parse_if(const struct options_spec *spec, const char *text, enum report_limit_kind limit,
                    bool *given, double *value, struct err *err)
{
    *given = parse_limit(text, strlen(text), limit, value);
    return *given ? 0
                  : err_set(err, EINVAL, "--%s takes a %s, not \"%s\"", spec->name,
                            limit == REPORT_MAX_SCORE ? "percentage" : "factor", text);
}

static int parse_duration(const struct options_spec *spec, const char *text, uint64_t *seconds,
                          struct err *err)
{
    if (duration_parse(text, seconds) && *seconds > 0)
        return 0;
    return err_set(err, EINVAL, "--%s takes a duration, as in 90s, 15m or 1h30m, not \"%s\"",
                   spec->name, text);
}

static int parse_timeout(const struct options_spec *spec, const char *text, struct options *options,
                         struct err *err)
{
    uint64_t seconds;
    int ret = parse_duration(spec, text, &seconds, err);

    if (ret == 0 && seconds > TIMEOUT_MAX)
        ret = err_set(err, EINVAL, "--%s takes a day at most, not \"%s\"", spec->name, text);
    if (ret == 0)
        options->timeout_seconds = (unsigned)seconds;
    return ret;
}

/* What a file's name can have at its end. */
static int parse_suffix(const struct options_spec *spec, const char *text, struct options *options,
                        struct err *err)
{
    options->keep_suffix = text != NULL ? text : ORIGINALS_SUFFIX;
    if (*options->keep_suffix == '\0' || strchr(options->keep_suffix, '/') != NULL)
        return err_set(err, EINVAL, "--%s takes the end of a name, as in .old, not \"%s\"",
                       spec->name, text);
    return 0;
}

static int parse_command(const char *text, struct options *options, struct err *err)
{
    options->check_command = text;
    if (text[strspn(text, " \t\n")] == '\0')
        return err_set(err, EINVAL, "--check-command needs a command");
    return 0;
}

static int add_snapshot(const char *text, struct options *options, struct err *err)
{
    if (vec_reserve(options, snapshots) < 0)
        return err_no_memory(err);
    options->snapshots[options->n_snapshots++] = text;
    return 0;
}

/* Longer than a screen, since it is one switch: so the compiler tells which option is forgotten. */
int options_values_apply(const struct options_spec *spec, const char *argument,
                         struct options *options, struct err *err)
{
    int word = 0;

    switch ((enum options_id)spec->id) {
    case OPTIONS_ID_ALL_SNAPSHOTS:
        options->all_snapshots = true;
        break;
    case OPTIONS_ID_BYTES:
        options->bytes = true;
        break;
    case OPTIONS_ID_CHAIN:
        options->chain = true;
        break;
    case OPTIONS_ID_DEVICE:
        word = choose_word(spec, argument, err);
        options->device = (enum report_device)word;
        break;
    case OPTIONS_ID_FORMAT:
        word = choose_word(spec, argument, err);
        options->format = (enum options_format)word;
        break;
    case OPTIONS_ID_HELP:
        options->action = OPTIONS_HELP;
        break;
    case OPTIONS_ID_JSON:
        options->format = OPTIONS_JSON;
        break;
    case OPTIONS_ID_NOHEADINGS:
        options->noheadings = true;
        break;
    case OPTIONS_ID_ONE_FILE_SYSTEM:
        options->one_file_system = true;
        break;
    case OPTIONS_ID_OUTPUT:
        options->output = argument;
        break;
    case OPTIONS_ID_QUIET:
        options->quiet = true;
        break;
    case OPTIONS_ID_SNAPSHOT:
        return add_snapshot(argument, options, err);
    case OPTIONS_ID_VERBOSE:
        options->verbose = true;
        break;
    case OPTIONS_ID_VERSION:
        options->action = OPTIONS_VERSION;
        break;
    case OPTIONS_ID_COLUMNS:
        return parse_columns(argument, options, err);
    case OPTIONS_ID_BREAK_HARD_LINKS:
        options->break_hard_links = true;
        break;
    case OPTIONS_ID_SKIP_IN_USE:
        options->skip_in_use = true;
        break;
    case OPTIONS_ID_CHECK_COMMAND:
        return parse_command(argument, options, err);
    case OPTIONS_ID_KEEP_ORIGINAL:
        return parse_suffix(spec, argument, options, err);
    case OPTIONS_ID_IF_SCORE:
        return parse_if(spec, argument, REPORT_MAX_SCORE, &options->has_if_score,
                        &options->if_score, err);
    case OPTIONS_ID_IF_SLOWDOWN:
        return parse_if(spec, argument, REPORT_MAX_SLOWDOWN, &options->has_if_slowdown,
                        &options->if_slowdown, err);
    case OPTIONS_ID_MAX_TIME:
        return parse_duration(spec, argument, &options->max_seconds, err);
    case OPTIONS_ID_CLEAR_UNKNOWN_AUTOCLEAR:
        options->clear_unknown_autoclear = true;
        break;
    case OPTIONS_ID_DRY_RUN:
        options->dry_run = true;
        break;
    case OPTIONS_ID_FORCE:
        options->force = true;
        break;
    case OPTIONS_ID_OVERWRITE:
        options->overwrite = true;
        break;
    case OPTIONS_ID_TRIM:
        options->trim = true;
        break;
    case OPTIONS_ID_RESERVE:
        options->reserve = true;
        break;
    case OPTIONS_ID_VERIFY:
        word = choose_word(spec, argument, err);
        options->no_verify = word == 1;
        break;
    case OPTIONS_ID_MEMORY:
        return parse_amount(spec, "a size from 8M to 1024T", DEFRAG_MEMORY_MIN, argument,
                            &options->memory_bytes, err);
    case OPTIONS_ID_RATE_LIMIT:
        return parse_amount(spec, "so many bytes a second, as in 20M", 1, argument, &options->rate,
                            err);
    case OPTIONS_ID_REPORT:
        options->report = argument;
        return *argument != '\0' ? 0 : err_set(err, EINVAL, "--report: the page needs a name");
    case OPTIONS_ID_FILES_FROM:
        options->files_from = argument;
        return *argument != '\0' ? 0 : err_set(err, EINVAL, "--files-from: the list needs a name");
    case OPTIONS_ID_TOP:
        return parse_number(spec, argument, 1, TOP_MAX, &options->top, err);
    case OPTIONS_ID_HISTOGRAM:
        options->histogram = true;
        break;
    case OPTIONS_ID_BY:
        word = choose_word(spec, argument, err);
        options->by_host = word == 1;
        break;
    case OPTIONS_ID_END_TO_END:
        options->end_to_end = true;
        break;
    case OPTIONS_ID_WIDTH:
        return parse_side(spec, argument, RENDER_MAP_WIDTH_MIN, &options->width, err);
    case OPTIONS_ID_HEIGHT:
        return parse_side(spec, argument, RENDER_MAP_HEIGHT_MIN, &options->height, err);
    case OPTIONS_ID_COLOR:
        word = argument == NULL ? OPTIONS_COLOR_ALWAYS : choose_word(spec, argument, err);
        options->color = (enum options_color)word;
        break;
    case OPTIONS_ID_ASCII:
        options->ascii = true;
        break;
    case OPTIONS_ID_LIBVIRT:
        options->libvirt = true;
        options->libvirt_uri = argument;
        return argument == NULL || *argument != '\0'
                   ? 0
                   : err_set(err, EINVAL, "--libvirt= takes a URI, as in qemu:///system");
    case OPTIONS_ID_LIST:
        options->list = true;
        break;
    case OPTIONS_ID_MAX_SCORE:
        return parse_threshold(spec, argument, REPORT_MAX_SCORE, options, err);
    case OPTIONS_ID_MAX_SLOWDOWN:
        return parse_threshold(spec, argument, REPORT_MAX_SLOWDOWN, options, err);
    case OPTIONS_ID_MIN_RUN:
        return parse_threshold(spec, argument, REPORT_MIN_RUN, options, err);
    case OPTIONS_ID_NO_HOST:
        options->no_host = true;
        break;
    case OPTIONS_ID_RANGE:
        return parse_range(argument, options, err);
    case OPTIONS_ID_SORT:
        return parse_sort(argument, options, err);
    case OPTIONS_ID_SPACE:
        options->space = true;
        break;
    case OPTIONS_ID_TIMEOUT:
        return parse_timeout(spec, argument, options, err);
    case OPTIONS_ID_THREADS:
        return parse_number(spec, argument, 1, THREADS_MAX, &options->threads, err);
    case OPTIONS_ID_PROGRESS:
        word = argument == NULL ? OPTIONS_PROGRESS_ALWAYS : choose_word(spec, argument, err);
        options->progress = (enum options_progress)word;
        break;
    }
    return word < 0 ? word : 0;
}

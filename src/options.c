// SPDX-License-Identifier: MIT
/* Owns the command line as a whole: what comes in which order, and what goes together. Opens
 * nothing, prints nothing. */
#include "options.h"

#include "err.h"
#include "nbd.h"
#include "options_refusal.h"
#include "options_values.h"
#include "uri.h"
#include "vec.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT 1 /* what getopt says of an argument that is no option */

/* ---- the tables of getopt, made of ours ---- */

static int argument_kind(const struct options_spec *spec)
{
    if (spec->argument == NULL)
        return no_argument;
    return options_specs_argument_is_optional(spec) ? optional_argument : required_argument;
}

static void fill_getopt(char *letters, struct option *longs)
{
    *letters++ = '-'; /* give out other arguments in order, as ARGUMENT */
    *letters++ = ':'; /* say ':' for a missing value */
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++) {
        longs[i] = (struct option){options_specs[i].name, argument_kind(&options_specs[i]), NULL,
                                   options_specs[i].id};
        if (options_specs[i].id >= 256)
            continue;
        *letters++ = (char)options_specs[i].id;
        if (options_specs[i].argument != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[OPTIONS_N_SPECS] = (struct option){NULL, 0, NULL, 0};
}

/* ---- arguments ---- */

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
    return err_set(err, EINVAL,
                   "help: there is no command \"%s\"; there are measure, map, report and defrag",
                   text);
}

/* ---- the whole line ---- */

/* A password is not even told in a message about it. */
static int check_uris(const struct options *options, struct err *err)
{
    for (size_t i = 0; i < options->n_paths; i++)
        if (options->libvirt && options->libvirt_uri == NULL && !io_uri_is(options->paths[i]) &&
            strstr(options->paths[i], ":///") != NULL)
            return err_set(err, EINVAL,
                           "a URI of libvirt goes to its option by an equals sign: --libvirt=URI");
    for (size_t i = 0; i < options->n_paths; i++)
        if (io_uri_is(options->paths[i]) && io_uri_has_password(options->paths[i]))
            return io_uri_check(options->paths[i], err);
    if (options->output != NULL && io_uri_is(options->output))
        return err_set(err, EINVAL, "--output takes the name of a file, and no URI");
    if (options->report != NULL && io_uri_is(options->report))
        return err_set(err, EINVAL, "--report takes the name of a file, and no URI");
    return 0;
}

static int check_defrag(const struct options *options, struct err *err)
{
    if (options->output == NULL && options->overwrite)
        return err_set(err, EINVAL,
                       "--overwrite goes with --output: without that the image itself "
                       "is replaced");
    if (options->output == NULL)
        return 0;
    if (*options->output == '\0')
        return err_set(err, EINVAL, "--output: the new image needs a name");
    if (options->n_paths != 1 || options->files_from != NULL)
        return err_set(err, EINVAL, "--output is one new image, so one old one goes with it");
    if (options->keep_suffix != NULL || options->break_hard_links)
        return err_set(err, EINVAL,
                       "--%s does not go with --output, which leaves the old image "
                       "where it is",
                       options->keep_suffix != NULL ? "keep-original" : "break-hard-links");
    return 0;
}

/* What only a picture has, or only the list. */
static int check_map(const struct options *options, const unsigned *used, struct err *err)
{
    static const int of_picture[] = {OPTIONS_ID_BY,     OPTIONS_ID_END_TO_END, OPTIONS_ID_WIDTH,
                                     OPTIONS_ID_HEIGHT, OPTIONS_ID_COLOR,      OPTIONS_ID_ASCII,
                                     OPTIONS_ID_DEVICE, OPTIONS_ID_THREADS};

    for (size_t i = 0; options->list && i < sizeof(of_picture) / sizeof(of_picture[0]); i++) {
        const struct options_spec *spec = options_specs_find(of_picture[i]);

        if (used[spec - options_specs])
            return err_set(err, EINVAL, "--%s goes with the picture, not with --list", spec->name);
    }
    if (!options->list && options->noheadings)
        return err_set(err, EINVAL, "--noheadings goes with --list: a picture has no columns");
    if (options->end_to_end && options->no_host)
        return err_set(err, EINVAL, "--end-to-end and --no-host exclude each other");
    if (options->n_paths > 1)
        return err_set(err, EINVAL, "map takes one image");
    if (options->n_snapshots > 1)
        return err_set(err, EINVAL, "map takes one --snapshot");
    return 0;
}

static int check_report(const struct options *options, struct err *err)
{
    if (options->n_paths > 2)
        return err_set(err, EINVAL, "report takes one image, two to compare, or one directory");
    if (options->n_snapshots > 1)
        return err_set(err, EINVAL, "report takes one --snapshot");
    return 0;
}

static bool has_rows(const struct options *options)
{
    return options->format == OPTIONS_TEXT || options->format == OPTIONS_CSV;
}

static int check(const struct options *options, unsigned used[OPTIONS_N_SPECS], struct err *err)
{
    if (options->action != OPTIONS_RUN)
        return 0;
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++)
        if (used[i] && !(options_specs[i].commands & 1u << options->command))
            return err_set(err, EINVAL, "--%s does not go with %s", options_specs[i].name,
                           options_command_names[options->command]);
    if (options->n_paths == 0 && options->files_from == NULL && !options->libvirt)
        return err_set(err, EINVAL, "no image is named");
    for (size_t i = 0; i < options->n_paths; i++)
        if (strcmp(options->paths[i], "-") == 0)
            return err_set(err, EINVAL,
                           "\"-\" is no image: an image must be a file or a block "
                           "device, since it is read out of order");
    if (check_uris(options, err) < 0)
        return -EINVAL;
    if (options->quiet && options->output != NULL && options->command != OPTIONS_DEFRAG)
        return err_set(err, EINVAL, "--quiet and --output exclude each other");
    if (options->n_columns > 0 && !has_rows(options))
        return err_set(err, EINVAL, "--columns goes with the table and with CSV");
    if (options->sort != NULL && !has_rows(options) && options->top == 0)
        return err_set(err, EINVAL, "--sort goes with the table, with CSV and with --top");
    if (options->command == OPTIONS_DEFRAG)
        return check_defrag(options, err);
    if (options->command == OPTIONS_REPORT)
        return check_report(options, err);
    return options->command == OPTIONS_MAP ? check_map(options, used, err) : 0;
}

/* A line that is wrong may still ask for the form of a monitoring plugin, which its message then
 * has, too. */
static void look_for_check(int argc, char **argv, const char *letters, const struct option *longs,
                           struct options *options)
{
    int found;

    optind = 0; /* from the beginning, as glibc wants it said */
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1)
        if (found == OPTIONS_ID_FORMAT && strcmp(optarg, "nagios") == 0)
            options->format = OPTIONS_NAGIOS;
}

static int parse(int argc, char **argv, const char *letters, const struct option *longs,
                 struct options *options, struct err *err)
{
    unsigned used[OPTIONS_N_SPECS] = {0};
    size_t n_arguments = 0;
    int found, at, ret = 0;

    /* Arguments are taken in order: what getopt looks at next is where it stands before. */
    while (ret == 0 && (at = optind, found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct options_spec *spec = options_specs_find(found);

        if (found == ARGUMENT) {
            ret = add_argument(optarg, n_arguments++, options, err);
            continue;
        }
        if (found == ':' || found == '?' || spec == NULL)
            return options_refusal(found, argv[at], optopt, err);
        used[spec - options_specs] = 1;
        ret = options_values_apply(spec, optarg, options, err);
    }
    for (; ret == 0 && optind < argc; optind++) /* behind -- */
        ret = add_path(argv[optind], options, err);
    return ret < 0 ? ret : check(options, used, err);
}

int options_parse(int argc, char **argv, struct options *options, struct err *err)
{
    char letters[2 * OPTIONS_N_SPECS + 3];
    struct option longs[OPTIONS_N_SPECS + 1];
    int ret;

    memset(options, 0, sizeof(*options));
    options->timeout_seconds = IO_NBD_SECONDS;
    options->help = OPTIONS_NO_COMMAND;
    fill_getopt(letters, longs);
    opterr = 0;
    ret = parse(argc, argv, letters, longs, options, err);
    if (ret < 0)
        look_for_check(argc, argv, letters, longs, options);
    return ret;
}

void options_free(struct options *options)
{
    free(options->snapshots);
    free(options->paths);
    options->snapshots = options->paths = NULL;
}

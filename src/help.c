// SPDX-License-Identifier: MIT
/* Owns the words of --help. What options there are, and what they mean, the table of options says.
 */
#include "help.h"

#include "column.h"
#include "flow.h"

#include <errno.h>
#include <string.h>

/* Where the second column begins, in both lists. */
#define OPTION_LINE "  %-32s " RENDER_PROSE "%s%s\n"
#define EXAMPLE_LINE "  %s\n      " RENDER_PROSE "%s\n"

static const char *const usages[] = {
    [OPTIONS_MEASURE] = "qcow2frag [measure] [options] IMAGE|DIRECTORY ...",
    [OPTIONS_MAP] = "qcow2frag map [options] IMAGE",
    [OPTIONS_REPORT] = "qcow2frag report -o FILE [options] IMAGE [AFTER]|DIRECTORY",
    [OPTIONS_DEFRAG] = "qcow2frag defrag [options] IMAGE|DIRECTORY ...",
};

static const char *const purposes[] = {
    [OPTIONS_MEASURE] = "Measures the fragmentation of qcow2 disk images. Never writes to them.",
    [OPTIONS_MAP] = "Shows where a qcow2 disk image has its data: as a picture in the terminal, "
                    "or, with --list, "
                    "every run in the order of the guest disk.",
    [OPTIONS_REPORT] =
        "Makes one HTML page of a qcow2 disk image, to be looked at and sent: pictures, figures, "
        "what to "
        "do. Of two images it shows before and after, of a directory all images in it.",
    [OPTIONS_DEFRAG] =
        "Writes a qcow2 disk image anew, in the order of the guest disk, with all that is in it: "
        "snapshots, saved states, bitmaps. The new one takes the place of the old one when it is "
        "proven; with --output it is a second file.",
};

/* tests/cli/help.bats runs them. */
static const struct example {
    enum options_command command;
    const char *line, *meaning;
} examples[] = {
    {OPTIONS_MEASURE, "qcow2frag disk.qcow2", "a page of figures, what they mean, and what to do"},
    {OPTIONS_MEASURE, "qcow2frag --all-snapshots --space disk.qcow2",
     "also each snapshot, and what the space of the file is used for"},
    {OPTIONS_MEASURE, "qcow2frag --max-slowdown 2,5 images/",
     "a table of all images in a folder; status 3 if one is too slow"},
    {OPTIONS_MEASURE, "qcow2frag --format prometheus images/",
     "metrics for node_exporter to serve: see qcow2frag-metrics(5)"},
    {OPTIONS_MAP, "qcow2frag map disk.qcow2",
     "a picture: a smooth sweep is order, confetti is not"},
    {OPTIONS_MAP, "qcow2frag map --by host disk.qcow2",
     "the same turned round: what lies where in the file"},
    {OPTIONS_MAP, "qcow2frag map --list disk.qcow2",
     "where each run lies, in the file and on the device"},
    {OPTIONS_MAP, "qcow2frag map --list --chain --json disk.qcow2",
     "along the backing chain, an object for each run"},
    {OPTIONS_REPORT, "qcow2frag report -o disk.html disk.qcow2",
     "a page with pictures, for a browser"},
    {OPTIONS_REPORT, "qcow2frag report -o both.html before.qcow2 after.qcow2",
     "two images side by side, on the same scales"},
    {OPTIONS_DEFRAG, "qcow2frag defrag --dry-run disk.qcow2", "what it would gain, and cost"},
    {OPTIONS_DEFRAG, "qcow2frag defrag --report done.html --dry-run disk.qcow2",
     "the same, with pictures, as a page for a browser"},
    {OPTIONS_DEFRAG, "qcow2frag defrag -o new.qcow2 disk.qcow2",
     "the same image in order as a second file"},
    {OPTIONS_DEFRAG, "qcow2frag defrag --keep-original disk.qcow2",
     "in the place of the old one, which is disk.qcow2.orig then"},
};

static void print_usage(FILE *stream, enum options_command command)
{
    const char *lead = "Usage: ";

    for (int i = 0; i < OPTIONS_N_COMMANDS; i++) {
        if (command != OPTIONS_NO_COMMAND && command != (enum options_command)i)
            continue;
        fprintf(stream, "%s%s\n", lead, usages[i]);
        lead = "       ";
    }
    if (command == OPTIONS_NO_COMMAND)
        fprintf(stream, "%sqcow2frag help [COMMAND]\n", lead);
    fprintf(stream, "\n" RENDER_PROSE "%s\n",
            purposes[command == OPTIONS_NO_COMMAND ? OPTIONS_MEASURE : command]);
}

/* Of an option that measuring does not have, in the list of all of them: whose it is. */
static const char *command_mark(const struct options_spec *spec, bool all)
{
    if (!all || options_specs_goes_with(spec, OPTIONS_MEASURE))
        return "";
    return options_specs_goes_with(spec, OPTIONS_MAP)      ? " (map)"
           : options_specs_goes_with(spec, OPTIONS_REPORT) ? " (report)"
                                                           : " (defrag)";
}

static void print_option(FILE *stream, const struct options_spec *spec, bool mark)
{
    char left[64], letter[8] = "    ";

    if (spec->id < 256)
        snprintf(letter, sizeof(letter), "-%c, ", spec->id);
    if (spec->argument == NULL)
        snprintf(left, sizeof(left), "%s--%s", letter, spec->name);
    else if (options_specs_argument_is_optional(spec))
        snprintf(left, sizeof(left), "%s--%s[=%.*s]", letter, spec->name,
                 (int)strlen(spec->argument) - 2, spec->argument + 1);
    else
        snprintf(left, sizeof(left), "%s--%s %s", letter, spec->name, spec->argument);
    fprintf(stream, OPTION_LINE, left, spec->help, command_mark(spec, mark));
}

static void print_options(FILE *stream, enum options_command command)
{
    fputs("\nOptions:\n", stream);
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++)
        if (command == OPTIONS_NO_COMMAND || options_specs_goes_with(&options_specs[i], command))
            print_option(stream, &options_specs[i], command == OPTIONS_NO_COMMAND);
}

static void print_columns(FILE *stream)
{
    fputs("\nColumns for --columns (* shown by default):\n", stream);
    for (size_t i = 0; i < render_n_columns; i++)
        fprintf(stream, "  %c %-14s " RENDER_PROSE "%s\n",
                render_columns[i].when == RENDER_BY_DEFAULT ? '*' : ' ', render_columns[i].name,
                render_columns[i].help);
}

static void print_examples(FILE *stream, enum options_command command)
{
    fputs("\nExamples:\n", stream);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        if (command == OPTIONS_NO_COMMAND || examples[i].command == command)
            fprintf(stream, EXAMPLE_LINE, examples[i].line, examples[i].meaning);
}

int help_print(FILE *stream, enum options_command command, unsigned width)
{
    FILE *flow = render_flow_open(stream, width);

    if (flow == NULL)
        return -ENOMEM;
    print_usage(flow, command);
    print_options(flow, command);
    if (command == OPTIONS_MEASURE || command == OPTIONS_NO_COMMAND)
        print_columns(flow);
    print_examples(flow, command);
    fputs(command == OPTIONS_DEFRAG
              ? "\n" RENDER_PROSE "Exit status: 0 done, or nothing to do; 1 refused or failed. "
                "The image is as it was in any case.\n"
              : "\n" RENDER_PROSE "Exit status: 0 done; 1 something could not be done; 2 measured, "
                "but an image is damaged; 3 a limit is exceeded. With --format nagios: 0 OK, 1 "
                "WARNING, 2 CRITICAL, 3 UNKNOWN.\n",
          flow);
    fputs(RENDER_PROSE "The manual pages are qcow2frag(1), qcow2frag-json(5) and "
                       "qcow2frag-metrics(5).\n",
          flow);
    return fclose(flow) == 0 ? 0 : -ENOMEM;
}

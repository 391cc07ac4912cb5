// SPDX-License-Identifier: MIT
/*
 * completions bash|zsh|fish: prints what that shell needs to complete a command line, made of the
 * program's own table of options while it is built.
 */
#include "column.h"
#include "options_specs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What an option's value may be, beyond a choice of words. */
enum value { VALUE_NONE, VALUE_WORDS, VALUE_FILE, VALUE_COLUMNS, VALUE_COLUMN, VALUE_OTHER };

static enum value value_of(const struct options_spec *spec)
{
    if (spec->argument == NULL)
        return VALUE_NONE;
    if (options_specs_words(spec) != NULL)
        return VALUE_WORDS;
    return strcmp(spec->argument, "FILE") == 0     ? VALUE_FILE
           : strcmp(spec->argument, "LIST") == 0   ? VALUE_COLUMNS
           : strcmp(spec->argument, "COLUMN") == 0 ? VALUE_COLUMN
                                                   : VALUE_OTHER;
}

static void print_command_names(void)
{
    for (int i = 0; i < OPTIONS_N_COMMANDS; i++)
        printf("%s%s", i > 0 ? " " : "", options_command_names[i]);
}

/* The words of a choice, or the names of columns, with blanks between. */
static void print_choice(const struct options_spec *spec)
{
    const char *const *words = options_specs_words(spec);

    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        printf("%s%s", i > 0 ? " " : "", words[i]);
    for (size_t i = 0; words == NULL && i < render_n_columns; i++)
        printf("%s%s", i > 0 ? " " : "", render_columns[i].name);
}

/* @text, with a backslash before each of @special. */
static void print_escaped(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (strchr(special, *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

/* ---- bash ---- */

static void bash_patterns(const struct options_spec *spec)
{
    if (options_specs_argument_is_optional(spec)) {
        printf("    --%s=)", spec->name);
        return;
    }
    if (spec->id < 256)
        printf("    -%c|--%s|--%s=)", spec->id, spec->name, spec->name);
    else
        printf("    --%s|--%s=)", spec->name, spec->name);
}

/* What the value of an option is completed to. */
static void bash_value(const struct options_spec *spec)
{
    switch (value_of(spec)) {
    case VALUE_NONE:
        return;
    case VALUE_FILE:
        bash_patterns(spec);
        puts(" return ;; # files");
        return;
    case VALUE_OTHER:
        bash_patterns(spec);
        puts(" words= ;;");
        return;
    default:
        bash_patterns(spec);
        if (value_of(spec) == VALUE_COLUMNS)
            fputs(" [[ $current != *,* ]] || before=${current%,*},;", stdout);
        fputs(" words='", stdout);
        print_choice(spec);
        puts("' ;;");
    }
}

static void bash_options(enum options_command command)
{
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++)
        if (options_specs_goes_with(&options_specs[i], command))
            printf(" --%s", options_specs[i].name);
}

/* The options whose value is a word of its own. */
static void bash_with_value(void)
{
    const char *between = "";

    for (size_t i = 0; i < OPTIONS_N_SPECS; i++) {
        const struct options_spec *spec = &options_specs[i];

        if (spec->argument == NULL || options_specs_argument_is_optional(spec))
            continue;
        printf("%s--%s", between, spec->name);
        if (spec->id < 256)
            printf("|-%c", spec->id);
        between = "|";
    }
}

static const char bash_begin[] =
    "# Completion of qcow2frag for bash, made of the program's table of options.\n"
    "\n"
    "_qcow2frag()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local before= command= words=- i\n"
    "\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        --) return ;; # only files behind it\n"
    "        ";
static const char bash_middle[] = ")\n"
                                  "            [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))\n"
                                  "            ;;\n"
                                  "        =) ((i++)) ;;\n"
                                  "        -*) ;;\n"
                                  "        *) command=${command:-${COMP_WORDS[i]}} ;;\n"
                                  "        esac\n"
                                  "    done\n"
                                  "    # bash takes --option=value for three words.\n"
                                  "    if [[ $current == = ]]; then\n"
                                  "        option+== current=\n"
                                  "    elif [[ $option == = ]]; then\n"
                                  "        option=${COMP_WORDS[COMP_CWORD - 2]}=\n"
                                  "    fi\n"
                                  "    case $option in\n";
static const char bash_end[] =
    "        esac\n"
    "        ;;\n"
    "    esac\n"
    "    if [[ $words != - ]]; then\n"
    "        COMPREPLY=($(compgen -P \"$before\" -W \"$words\" -- \"${current#\"$before\"}\"))\n"
    "        # A value that is no choice: not the name of a file, either.\n"
    "        compopt +o default 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "complete -o default -F _qcow2frag qcow2frag\n";

static void print_bash(void)
{
    fputs(bash_begin, stdout);
    bash_with_value();
    fputs(bash_middle, stdout);
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++)
        bash_value(&options_specs[i]);
    fputs("    *)\n        case $command:$current in\n", stdout);
    for (int i = OPTIONS_N_COMMANDS - 1; i > OPTIONS_MEASURE; i--) {
        printf("        %s:-*) words='", options_command_names[i]);
        bash_options((enum options_command)i);
        puts("' ;;");
    }
    fputs("        help:*) words='", stdout);
    print_command_names();
    fputs("' ;;\n        *:-*) words='", stdout);
    bash_options(OPTIONS_MEASURE);
    /* Before a command, the options of all: it may still come. */
    fputs("' ;;\n        :?*)\n            COMPREPLY=($(compgen -W 'help ", stdout);
    print_command_names();
    puts("' -- \"$current\") $(compgen -f -- \"$current\"))\n"
         "            compopt -o filenames 2>/dev/null\n"
         "            return\n"
         "            ;;");
    fputs(bash_end, stdout);
}

/* ---- zsh ---- */

/* 'name[help]:ARGUMENT:what completes it' */
static void zsh_option(const struct options_spec *spec)
{
    const bool repeats = strcmp(spec->name, "snapshot") == 0;
    enum value value = value_of(spec);

    if (repeats)
        printf("        '*'");
    else if (spec->id < 256)
        printf("        '(-%c --%s)'", spec->id, spec->name);
    else
        printf("        ");
    if (spec->id < 256)
        printf("{-%c%s,--%s%s}", spec->id, value != VALUE_NONE ? "+" : "", spec->name,
               value != VALUE_NONE ? "=" : "");
    else
        printf("--%s%s", spec->name,
               value == VALUE_NONE                  ? ""
               : options_specs_argument_is_optional(spec) ? "=-"
                                                    : "=");
    fputs("'[", stdout);
    print_escaped(spec->help, "[]\\");
    putchar(']');
    if (value != VALUE_NONE) {
        fputs(options_specs_argument_is_optional(spec) ? "::" : ":", stdout);
        print_escaped(spec->argument, ":[]");
        putchar(':');
    }
    if (value == VALUE_FILE) {
        fputs("_files", stdout);
    } else if (value == VALUE_COLUMNS) {
        fputs("_sequence compadd - ", stdout);
        print_choice(spec);
    } else if (value == VALUE_WORDS || value == VALUE_COLUMN) {
        putchar('(');
        print_choice(spec);
        putchar(')');
    }
    puts("'");
}

static void print_zsh(void)
{
    fputs("#compdef qcow2frag\n"
          "# Completion of qcow2frag for zsh, made of the program's table of options.\n"
          "\n"
          "local command=measure word\n"
          "local -a options\n"
          "\n"
          "for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
          "    case $word in\n"
          "    -*) ;;\n"
          "    *) command=$word; break ;;\n"
          "    esac\n"
          "done\n"
          "case $command in\n"
          "help)\n"
          "    options=('*:command:(",
          stdout);
    print_command_names();
    fputs(")')\n    ;;\n", stdout);
    for (int i = OPTIONS_N_COMMANDS - 1; i >= 0; i--) {
        printf("%s)\n    options=(\n", i == OPTIONS_MEASURE ? "*" : options_command_names[i]);
        for (size_t k = 0; k < OPTIONS_N_SPECS; k++)
            if (options_specs_goes_with(&options_specs[k], (enum options_command)i))
                zsh_option(&options_specs[k]);
        fputs("        '*:image:_files')\n    ;;\n", stdout);
    }
    fputs("esac\n"
          "_arguments -s -S '1:command or image:_alternative \"commands\\:command\\:(help ",
          stdout);
    print_command_names();
    fputs(")\" \"files\\:image\\:_files\"' $options\n", stdout);
}

/* ---- fish ---- */

/* Behind which commands it is offered; before any, as behind measure. */
static void fish_condition(const struct options_spec *spec)
{
    bool measure = options_specs_goes_with(spec, OPTIONS_MEASURE);
    const char *begin = measure ? " -n 'not __fish_seen_subcommand_from" /* the others */
                                : " -n '__fish_seen_subcommand_from";
    const char *end = "";

    for (int i = OPTIONS_MEASURE + 1; i < OPTIONS_N_COMMANDS; i++) {
        if (options_specs_goes_with(spec, (enum options_command)i) == measure)
            continue;
        printf("%s %s", begin, options_command_names[i]);
        begin = "";
        end = "'";
    }
    fputs(end, stdout);
}

static void fish_option(const struct options_spec *spec)
{
    enum value value = value_of(spec);

    fputs("complete -c qcow2frag", stdout);
    fish_condition(spec);
    if (spec->id < 256)
        printf(" -s %c", spec->id);
    printf(" -l %s", spec->name);
    if (value == VALUE_FILE)
        fputs(" -r -F", stdout);
    else if (value != VALUE_NONE && !options_specs_argument_is_optional(spec))
        fputs(" -x", stdout);
    if (value == VALUE_COLUMNS) {
        fputs(" -a '(__fish_append , ", stdout);
        print_choice(spec);
        fputs(")'", stdout);
    } else if (value == VALUE_WORDS || value == VALUE_COLUMN) {
        fputs(" -a '", stdout);
        print_choice(spec);
        putchar('\'');
    }
    fputs(" -d '", stdout);
    print_escaped(spec->help, "'\\");
    puts("'");
}

static void print_fish(void)
{
    puts("# Completion of qcow2frag for fish, made of the program's table of options.\n");
    fputs("complete -c qcow2frag -n __fish_use_subcommand -a 'help ", stdout);
    print_command_names();
    puts("'");
    fputs("complete -c qcow2frag -n '__fish_seen_subcommand_from help' -f -a '", stdout);
    print_command_names();
    puts("'");
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++)
        fish_option(&options_specs[i]);
}

int main(int argc, char **argv)
{
    const char *shell = argc == 2 ? argv[1] : "";

    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else
        return 1;
    return fflush(stdout) == 0 ? 0 : 1;
}

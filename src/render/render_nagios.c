// SPDX-License-Identifier: MIT
/*
 * Owns the line of a monitoring plugin: its words, and the spelling of performance data. Names
 * stand in the text only, where a bar would end it and a line break the whole.
 */
#include "render_nagios.h"

#include "cleanup.h"
#include "number.h"
#include "report.h"
#include "rows.h"
#include "seconds.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_BY_DEFAULT 3
#define SENTENCES_MAX 3
#define NAME_MAX_BYTES 120 /* some agents cut lines after a thousand characters */
#define TEXT_MAX_BYTES 250

/* ---- texts ---- */

/* On one line, and without a bar. Names in it are escaped already. */
static void put_text(FILE *stream, const char *text)
{
    char line[4 * TEXT_MAX_BYTES + 4], *to = line;
    size_t len = strnlen(text, TEXT_MAX_BYTES);

    for (size_t i = 0; i < len; i++)
        to = text[i] == '|' ? stpcpy(to, "\\x7c") : mempcpy(to, &text[i], 1);
    strcpy(to, text[len] != '\0' ? "..." : "");
    text_print_line(stream, line);
}

static int put_name(FILE *stream, const char *path)
{
    CLEANUP_FREE char *name = text_escape(path, strlen(path));

    if (name == NULL)
        return -ENOMEM;
    text_shorten(name, NAME_MAX_BYTES);
    put_text(stream, name);
    fputs(": ", stream);
    return 0;
}

static void put_state(FILE *stream, enum report_level level)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

    fprintf(stream, "QCOW2FRAG %s - ", words[level]);
}

static void put_figures(FILE *stream, const struct report_image *image)
{
    const struct report_table *table = report_main_table(image);
    struct report_seconds seconds;

    if (table == NULL || !table->walk.fragmentation_score.known) {
        fputs("no data", stream);
        return;
    }
    seconds = report_seconds_of(table);
    fprintf(stream, "score %.2f %%", 100 * table->walk.fragmentation_score.value);
    if (table->walk.contiguous_run_half_bytes.known)
        fprintf(stream, ", half length %s",
                render_number_size(table->walk.contiguous_run_half_bytes.value));
    if (seconds.known)
        fprintf(stream, ", slowdown %.2f, %s lost", seconds.slowdown_low,
                render_number_duration(seconds.lost));
}

/* The sentences of all limits that something is beyond, the first few. */
static void put_reasons(FILE *stream, const struct report_image *image,
                        const struct report_limit *limits)
{
    size_t n = 0;

    for (size_t i = 0; i < image->n_tables; i++) {
        for (int kind = 0; kind < REPORT_N_LIMITS; kind++) {
            const struct report_table *table = &image->tables[i];
            enum report_limit_kind of = (enum report_limit_kind)kind;
            enum report_level level = report_limit_level(table, of, &limits[kind]);
            char text[REPORT_LIMIT_TEXT_MAX];

            if (level == REPORT_OK || n++ >= SENTENCES_MAX)
                continue;
            report_limit_text(table, of, &limits[kind], level, text);
            fputs(n > 1 ? ", " : "", stream);
            put_text(stream, text);
        }
    }
    if (n > SENTENCES_MAX)
        fprintf(stream, ", and %zu more", n - SENTENCES_MAX);
}

/* Of an image that is not as it should be, what is wrong; else its figures. */
static int put_image(FILE *stream, const struct report_image *image,
                     const struct report_limit *limits)
{
    const struct format_finding *finding = format_findings_first_error(&image->findings);
    int ret = put_name(stream, image->path);

    if (ret < 0)
        return ret;
    if (image->error != NULL) {
        put_text(stream, image->error);
    } else if (format_findings_have_error(&image->findings)) {
        fputs("is damaged", stream);
        if (finding != NULL) {
            fprintf(stream, ": %s: ", finding->where);
            put_text(stream, finding->message);
        }
    } else if (report_limits_level(image, limits) != REPORT_OK) {
        put_reasons(stream, image, limits);
    } else {
        put_figures(stream, image);
    }
    return 0;
}

/* ---- performance data ---- */

/* Plain digits: the guidelines know no exponent. */
static void put_number(FILE *stream, double value)
{
    char digits[400];
    int len = snprintf(digits, sizeof(digits), "%.6f", value);

    while (digits[len - 1] == '0')
        len--;
    fwrite(digits, 1, (size_t)(len - (digits[len - 1] == '.')), stream);
}

/* A range of what is well: up to a limit, or for the half length from it on. */
static void put_limit(FILE *stream, enum report_limit_kind kind, double value)
{
    put_number(stream, kind == REPORT_MAX_SCORE ? 100 * value : value);
    if (kind == REPORT_MIN_RUN)
        putc(':', stream);
}

static void put_limited(FILE *stream, const char *label, struct opt_f64 value,
                        enum report_limit_kind kind, const struct report_limit *limit)
{
    static const char *const units[] = {"%", "B", ""}, *const bounds[] = {"0;100", "0;", "1;"};

    fprintf(stream, " %s=", label);
    if (value.known)
        put_number(stream, kind == REPORT_MAX_SCORE ? 100 * value.value : value.value);
    else
        putc('U', stream);
    fprintf(stream, "%s;", value.known ? units[kind] : "");
    if (limit->given)
        put_limit(stream, kind, limit->warning);
    putc(';', stream);
    if (limit->given && limit->has_critical)
        put_limit(stream, kind, limit->critical);
    fprintf(stream, ";%s", bounds[kind]);
}

static void put_seconds(FILE *stream, const char *label, struct opt_f64 seconds)
{
    fprintf(stream, " %s=", label);
    if (seconds.known)
        put_number(stream, seconds.value);
    else
        putc('U', stream);
    fprintf(stream, "%s;;;0;", seconds.known ? "s" : "");
}

static const struct report_table no_table;

static void put_data_of_image(FILE *stream, const struct report_image *image,
                              const struct report_limit *limits)
{
    static const char *const labels[] = {"score", "half_length", "slowdown"};
    const struct report_table *table = report_main_table(image);
    struct report_seconds seconds;

    if (table == NULL || image->error != NULL)
        table = &no_table;
    seconds = report_seconds_of(table);
    fputs(" |", stream);
    for (int kind = 0; kind < REPORT_N_LIMITS; kind++)
        put_limited(stream, labels[kind], report_limit_figure(table, (enum report_limit_kind)kind),
                    (enum report_limit_kind)kind, &limits[kind]);
    put_seconds(stream, "read", (struct opt_f64){seconds.known, seconds.seconds});
    put_seconds(stream, "lost", (struct opt_f64){seconds.known, seconds.lost});
}

/* ---- many images ---- */

struct fleet {
    size_t n[4];                           /* images, by what they come to */
    struct opt_f64 worst[REPORT_N_LIMITS]; /* figures, of all tables */
    double lost;                           /* by the table that stands for each image */
    unsigned char *levels;                 /* of each image */
};

static void add_table(struct fleet *fleet, const struct report_table *table)
{
    for (int kind = 0; kind < REPORT_N_LIMITS; kind++) {
        enum report_limit_kind of = (enum report_limit_kind)kind;
        struct opt_f64 figure = report_limit_figure(table, of);
        struct opt_f64 *worst = &fleet->worst[kind];

        if (figure.known &&
            (!worst->known || report_limit_is_worse(of, figure.value, worst->value)))
            *worst = figure;
    }
}

static int add_up(const struct render_images *images, const struct report_limit *limits,
                  struct fleet *fleet)
{
    fleet->levels = calloc(images->n + 1, 1);
    if (fleet->levels == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < images->n; i++) {
        const struct report_image *image = images->image(images->context, i);
        const struct report_table *table = report_main_table(image);

        fleet->levels[i] = (unsigned char)report_limits_level(image, limits);
        fleet->n[fleet->levels[i]]++;
        fleet->lost += table != NULL ? report_seconds_of(table).lost : 0;
        for (size_t t = 0; t < image->n_tables; t++)
            add_table(fleet, &image->tables[t]);
    }
    return 0;
}

static void put_data_of_fleet(FILE *stream, const struct fleet *fleet, size_t n_images,
                              const struct report_limit *limits)
{
    static const char *const labels[] = {"max_score", "min_half_length", "max_slowdown"};

    fprintf(stream, " | images=%zu;;;0; warning=%zu;;;0; critical=%zu;;;0; unknown=%zu;;;0;",
            n_images, fleet->n[REPORT_WARNING], fleet->n[REPORT_CRITICAL],
            fleet->n[REPORT_NOT_KNOWN]);
    for (int kind = 0; kind < REPORT_N_LIMITS; kind++)
        put_limited(stream, labels[kind], fleet->worst[kind], (enum report_limit_kind)kind,
                    &limits[kind]);
    put_seconds(stream, "lost", opt_f64_of(fleet->lost));
}

/* First what is worst, among equals what loses most time. */
static int put_worst(FILE *stream, const struct render_images *images,
                     const struct render_nagios *how, const struct fleet *fleet)
{
    static const enum report_level order[] = {REPORT_CRITICAL, REPORT_NOT_KNOWN, REPORT_WARNING};
    size_t left = how->n_named > 0 ? how->n_named : NAMED_BY_DEFAULT, n_rows;
    CLEANUP_FREE struct render_row *rows = render_rows(images, &n_rows);
    int ret = rows == NULL ? -ENOMEM : render_rows_sort(rows, n_rows, images, NULL, false);

    if (left > RENDER_NAGIOS_NAMED_MAX)
        left = RENDER_NAGIOS_NAMED_MAX;
    for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
        for (size_t i = 0; i < n_rows && left > 0 && ret == 0; i++) {
            size_t number = rows[i].image;

            if (fleet->levels[number] != order[o])
                continue;
            fleet->levels[number] = REPORT_OK; /* it is told */
            fputs("; ", stream);
            ret = put_image(stream, images->image(images->context, number), how->limits);
            left--;
        }
    }
    return ret;
}

static int put_fleet(FILE *stream, const struct render_images *images,
                     const struct render_nagios *how)
{
    static const char *const words[] = {"", "warning", "critical", "not known"};
    static const enum report_level order[] = {REPORT_CRITICAL, REPORT_WARNING, REPORT_NOT_KNOWN};
    struct fleet fleet = {.levels = NULL};
    int ret = add_up(images, how->limits, &fleet);
    CLEANUP_FREE unsigned char *levels = fleet.levels;
    const char *lead = ": ";

    if (ret < 0)
        return ret;
    if (how->search_error != NULL) {
        put_text(stream, how->search_error);
        fputs("; ", stream);
    }
    fprintf(stream, "%zu image%s", images->n, images->n == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (fleet.n[order[i]] == 0)
            continue;
        fprintf(stream, "%s%zu %s", lead, fleet.n[order[i]], words[order[i]]);
        lead = ", ";
    }
    fprintf(stream, ", %s lost", render_number_duration(fleet.lost));
    ret = put_worst(stream, images, how, &fleet);
    put_data_of_fleet(stream, &fleet, images->n, how->limits);
    return ret;
}

/* ---- all of it ---- */

int render_nagios(FILE *stream, const struct render_images *images, const struct render_nagios *how)
{
    int ret;

    put_state(stream, how->level);
    if (how->fleet) {
        ret = put_fleet(stream, images, how);
    } else {
        const struct report_image *image = images->image(images->context, 0);

        ret = put_image(stream, image, how->limits);
        put_data_of_image(stream, image, how->limits);
    }
    putc('\n', stream);
    return ret;
}

void render_nagios_failure(FILE *stream, const char *path, const char *text)
{
    put_state(stream, REPORT_NOT_KNOWN);
    if (path != NULL) {
        put_text(stream, path);
        fputs(": ", stream);
    }
    put_text(stream, text);
    putc('\n', stream);
}

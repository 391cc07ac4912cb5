// SPDX-License-Identifier: MIT
/*
 * Owns the metrics: their names, their meaning, and their spelling. All are gauges: a file that is
 * written anew counts nothing.
 *
 * No two samples of a metric may have the same labels, or node_exporter serves none of them. So
 * names are spelled such that different ones stay different, and a snapshot whose id and name
 * another one has, too, is left out.
 */
#include "render_prometheus.h"

#include "cell.h"
#include "cleanup.h"
#include "json.h"
#include "rows.h"
#include "state.h"
#include "text.h"
#include "verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What is printed of a metric, for one image or one table. */
struct sample;

struct metric {
    const char *name; /* without "qcow2frag_" */
    const char *help;
    bool of_table; /* a sample for each table of an image, not only for the image */
    /* Either a column, which says what its value is, or who prints the samples. */
    const char *column;
    void (*print)(struct sample *sample);
};

struct sample {
    FILE *stream;
    const struct metric *metric;
    bool begun; /* the lines that come before the first sample are there */
    const struct report_image *image;
    const struct report_table *table; /* NULL: the sample is of the image */
    bool labelled;                    /* a label has been printed */
};

/* ---- lines ---- */

static void put_label(struct sample *sample, const char *name, const char *bytes, size_t len)
{
    FILE *stream = sample->stream;

    fprintf(stream, "%c%s=\"", sample->labelled ? ',' : '{', name);
    sample->labelled = true;
    for (size_t i = 0; i < len;) {
        struct text_sign sign = text_first(bytes + i, len - i);
        char spelled[TEXT_SPELLED_MAX];
        size_t n = render_cell_spell(bytes + i, len - i, &sign, spelled);

        for (size_t at = 0; at < n; at++) {
            if (spelled[at] == '\\' || spelled[at] == '"')
                putc('\\', stream);
            if (spelled[at] == '\n')
                fputs("\\n", stream);
            else
                putc(spelled[at], stream);
        }
        i += sign.len;
    }
    putc('"', stream);
}

static void put_word(struct sample *sample, const char *name, const char *word)
{
    put_label(sample, name, word, strlen(word));
}

/* Whose a sample is: labels that all samples of an image have. */
static void put_subject(struct sample *sample)
{
    const struct report_table *table = sample->table;

    if (sample->image == NULL)
        return;
    put_word(sample, "image", sample->image->path);
    if (table == NULL || !table->is_snapshot)
        return;
    put_label(sample, "snapshot_id", table->id.bytes, table->id.len);
    put_label(sample, "snapshot", table->name.bytes, table->name.len);
}

/* The line up to its own labels, if it has any, and the value. */
static void begin(struct sample *sample)
{
    const struct metric *metric = sample->metric;

    if (!sample->begun)
        fprintf(sample->stream, "# HELP qcow2frag_%s %s\n# TYPE qcow2frag_%s gauge\n", metric->name,
                metric->help, metric->name);
    sample->begun = true;
    sample->labelled = false;
    fprintf(sample->stream, "qcow2frag_%s", metric->name);
    put_subject(sample);
}

static void end(struct sample *sample, const char *value)
{
    fprintf(sample->stream, "%s %s\n", sample->labelled ? "}" : "", value);
}

static void end_count(struct sample *sample, uint64_t value)
{
    fprintf(sample->stream, "%s %" PRIu64 "\n", sample->labelled ? "}" : "", value);
}

static void put_count(struct sample *sample, uint64_t value)
{
    begin(sample);
    end_count(sample, value);
}

static void put_real(struct sample *sample, double value)
{
    char digits[JSON_REAL_TEXT_MAX];

    json_real_text(digits, value);
    begin(sample);
    end(sample, digits);
}

static void put_column(struct sample *sample, const struct render_column *column)
{
    struct render_value value = column->value(sample->image, sample->table);
    char digits[RENDER_DIGITS_MAX];

    if (!value.known)
        return;
    begin(sample);
    render_cell_for_programs(column, value, digits);
    end(sample, digits);
}

/* ---- metrics that are no column ---- */

static void put_up(struct sample *sample)
{
    put_count(sample, sample->image->error == NULL);
}

static void put_measured(struct sample *sample)
{
    if (sample->image->measured_at > 0)
        put_count(sample, (uint64_t)sample->image->measured_at);
}

static void put_in_use(struct sample *sample)
{
    if (sample->image->in_use.known)
        put_count(sample, sample->image->in_use.value);
}

static void put_snapshots(struct sample *sample)
{
    if (sample->image->has_format)
        put_count(sample, sample->image->format.snapshot_count);
}

static void put_findings(struct sample *sample)
{
    const struct format_findings *findings = &sample->image->findings;

    if (sample->image->error != NULL)
        return;
    begin(sample);
    put_word(sample, "severity", "error");
    end_count(sample, findings->errors);
    begin(sample);
    put_word(sample, "severity", "warning");
    end_count(sample, findings->total - findings->errors);
}

/* What nobody judged, as a snapshot that alone was asked for, is as little known. */
static const char *action_of(const struct report_image *image)
{
    const char *word = report_state_name(image, NULL);

    return word != NULL ? word : report_action_name(REPORT_UNKNOWN);
}

static void put_action(struct sample *sample)
{
    begin(sample);
    put_word(sample, "action", action_of(sample->image));
    end(sample, "1");
}

static void put_name(struct sample *sample, const char *label, const struct format_name *name)
{
    put_label(sample, label, name->bytes, name->bytes != NULL ? name->len : 0);
}

/* The kind of disk that the times are reckoned with. */
static const char *disk_of(const struct report_image *image)
{
    const struct report_table *table = report_main_table(image);

    return table != NULL && table->disk.known ? meter_disk_name(table->disk.profile) : "";
}

static void put_info(struct sample *sample)
{
    const struct report_format *format = &sample->image->format;
    const struct report_host *host = &sample->image->host;
    char digits[24];

    if (!sample->image->has_format)
        return;
    begin(sample);
    snprintf(digits, sizeof(digits), "%" PRIu32, format->version);
    put_word(sample, "version", digits);
    snprintf(digits, sizeof(digits), "%" PRIu64, format->cluster_bytes);
    put_word(sample, "cluster_size", digits);
    put_word(sample, "extended_l2", format->extended_l2 ? "true" : "false");
    put_word(sample, "compression", format_compression_name(format->compression));
    put_word(sample, "encryption", format_crypt_name(format->encryption));
    put_name(sample, "backing_file", &format->backing_file);
    put_name(sample, "data_file", &format->data_file);
    put_word(sample, "filesystem", host->known && host->filesystem != NULL ? host->filesystem : "");
    put_word(sample, "device", host->known && host->device != NULL ? host->device : "");
    put_word(sample, "disk", disk_of(sample->image));
    end(sample, "1");
}

/* libvirt lets no two domains have one name, nor two disks of one domain one target. */
static void put_domains(struct sample *sample)
{
    const struct report_domains *domains = sample->image->domains;

    for (size_t i = 0; domains != NULL && i < domains->n; i++) {
        begin(sample);
        put_word(sample, "domain", domains->list[i].name);
        put_word(sample, "target", domains->list[i].target);
        end(sample, "1");
    }
}

static void put_after(struct sample *sample)
{
    const struct report_table *table = report_active_table(sample->image);

    if (table != NULL && table->disk.known && table->disk.after_defrag_seconds.known)
        put_real(sample, table->disk.after_defrag_seconds.value);
}

/* Each byte of the file is in one class. */
static void put_space(struct sample *sample)
{
    const struct report_space *space = sample->image->space;
    const struct {
        const char *name;
        struct opt_u64 bytes;
    } classes[] = {
        {"active", opt_u64_of(space != NULL ? space->active_bytes : 0)},
        {"free", opt_u64_of(space != NULL ? space->free_bytes : 0)},
        {"leaked", space != NULL ? space->leaked_bytes : (struct opt_u64){0}},
        {"metadata", opt_u64_of(space != NULL ? space->metadata_bytes : 0)},
        {"snapshot_only", opt_u64_of(space != NULL ? space->snapshot_only_bytes : 0)},
        {"tail", opt_u64_of(space != NULL ? space->tail_bytes : 0)},
        {"unknown", opt_u64_of(space != NULL ? space->unknown_bytes : 0)},
        {"vm_state", opt_u64_of(space != NULL ? space->vm_state_bytes : 0)},
    };

    for (size_t i = 0; space != NULL && i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (!classes[i].bytes.known)
            continue;
        begin(sample);
        put_word(sample, "class", classes[i].name);
        end_count(sample, classes[i].bytes.value);
    }
}

/* ---- metrics of the run ---- */

/* An image is in one of these states: see report_state_name. */
static const char *const states[] = {"none",     "image",   "host",    "both",   "snapshots",
                                     "l2_cache", "unknown", "damaged", "failed", "changing"};
#define N_STATES (sizeof(states) / sizeof(states[0]))

static size_t state_of(const struct report_image *image)
{
    const char *word = action_of(image);
    size_t i = 0;

    while (i + 1 < N_STATES && strcmp(states[i], word) != 0)
        i++;
    return i;
}

static void put_run(FILE *stream, const struct render_run *run)
{
    static const struct metric build = {
        "build_info", "The version of qcow2frag, as a label; always 1.", false, NULL, NULL};
    static const struct metric images = {
        "images", "Images that were measured, by what is to be done about them.", false, NULL,
        NULL};
    static const struct metric errors = {
        "search_errors", "Directories and names that could not be searched for images.", false,
        NULL, NULL};
    uint64_t n[N_STATES] = {0};
    struct sample sample = {.stream = stream, .metric = &build};

    begin(&sample);
    put_word(&sample, "version", QCOW2FRAG_VERSION);
    end(&sample, "1");
    for (size_t i = 0; i < run->all->n; i++)
        n[state_of(run->all->image(run->all->context, i))]++;
    sample = (struct sample){.stream = stream, .metric = &images};
    for (size_t i = 0; i < N_STATES; i++) {
        begin(&sample);
        put_word(&sample, "action", states[i]);
        end_count(&sample, n[i]);
    }
    sample = (struct sample){.stream = stream, .metric = &errors};
    put_count(&sample, run->search_errors);
}

/* ---- metrics of images ---- */

static const struct metric metrics[] = {
    {"image_up", "Whether the image could be measured.", false, NULL, put_up},
    {"image_info", "What the image is and where it lies, as labels; always 1.", false, NULL,
     put_info},
    {"image_domain_info", "A libvirt domain that has the image as a disk, as labels; always 1.",
     false, NULL, put_domains},
    {"image_action", "What is to be done about the image, as a label; always 1.", false, NULL,
     put_action},
    {"image_measured_timestamp_seconds", "When the image was measured.", false, NULL, put_measured},
    {"image_in_use", "Whether somebody has the image open.", false, NULL, put_in_use},
    {"image_findings", "Damage and oddities found in the image.", false, NULL, put_findings},
    {"image_snapshots", "Internal snapshots.", false, NULL, put_snapshots},
    {"image_virtual_size_bytes", "Size of the guest disk.", true, "VIRTUAL", NULL},
    {"image_file_size_bytes", "Length of the image file.", false, "FILE", NULL},
    {"image_host_extents", "Extents of the image file on the host, as filefrag counts.", false,
     "EXTENTS", NULL},
    {"image_mapped_bytes", "Bytes of the guest disk that the file holds.", true, "MAPPED", NULL},
    {"image_fragmentation_score_ratio", "Backward steps per mapped cluster.", true, "SCORE", NULL},
    {"image_ascending_runs", "Stretches without a backward step.", true, "ASCENDING", NULL},
    {"image_contiguous_runs", "Stretches without a break.", true, "RUNS", NULL},
    {"image_contiguous_run_half_bytes",
     "Half of the data lies in contiguous runs of at least this length.", true, "HALF", NULL},
    {"image_read_seconds", "Time to read the whole guest disk from front to back.", true, "SECONDS",
     NULL},
    {"image_read_ideal_seconds", "Time to read the whole guest disk if nothing were fragmented.",
     true, "IDEAL", NULL},
    {"image_read_lost_seconds", "Time lost by fragmentation when the whole guest disk is read.",
     true, "LOST", NULL},
    {"image_read_slowdown_ratio",
     "Time to read the whole guest disk, as a multiple of the ideal one, at least.", true,
     "SLOWDOWN", NULL},
    {"image_read_after_defrag_seconds",
     "Time to read the whole guest disk once the image has been rewritten.", false, NULL,
     put_after},
    {"image_space_bytes", "What the bytes of the file are used for.", false, NULL, put_space},
    {"image_reclaimable_bytes", "By how much the file could be shorter.", false, "RECLAIMABLE",
     NULL},
    {"image_stored_bytes", "Bytes of the file that the host stores.", false, "STORED", NULL},
};

static void put_metric(FILE *stream, const struct metric *metric,
                       const struct render_images *images, const struct render_row *rows,
                       size_t n_rows)
{
    const struct render_column *column =
        metric->column != NULL ? render_column_find(metric->column, strlen(metric->column)) : NULL;
    struct sample sample = {.stream = stream, .metric = metric};

    for (size_t i = 0; i < n_rows; i++) {
        if (!metric->of_table && i > 0 && rows[i].image == rows[i - 1].image)
            continue;
        render_row_look(&rows[i], images, &sample.image, &sample.table);
        if (!metric->of_table)
            sample.table = NULL;
        if (column != NULL)
            put_column(&sample, column);
        else
            metric->print(&sample);
    }
}

/* ---- snapshots that look like others ---- */

static int compare_names(const struct format_name *a, const struct format_name *b)
{
    size_t common = a->len < b->len ? a->len : b->len;
    int order = common > 0 ? memcmp(a->bytes, b->bytes, common) : 0;

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Of two with the same labels the earlier one first. */
static int by_labels(const void *a, const void *b, void *context)
{
    const struct render_row *left = a, *right = b;
    const struct report_image *image = context;
    const struct report_table *of_left = &image->tables[left->table];
    const struct report_table *of_right = &image->tables[right->table];
    int order = of_left->is_snapshot - of_right->is_snapshot;

    if (order == 0)
        order = compare_names(&of_left->id, &of_right->id);
    if (order == 0)
        order = compare_names(&of_left->name, &of_right->name);
    return order != 0 ? order : (left->given > right->given) - (left->given < right->given);
}

static bool look_alike(const struct report_table *a, const struct report_table *b)
{
    return a->is_snapshot == b->is_snapshot && compare_names(&a->id, &b->id) == 0 &&
           compare_names(&a->name, &b->name) == 0;
}

/* Of the @n rows of @image: returns how many are left. */
static size_t drop_doubles(const struct report_image *image, struct render_row *rows, size_t n)
{
    size_t kept = 1;

    if (n < 2)
        return n;
    qsort_r(rows, n, sizeof(*rows), by_labels, (void *)(uintptr_t)image);
    for (size_t i = 1; i < n; i++)
        if (!look_alike(&image->tables[rows[kept - 1].table], &image->tables[rows[i].table]))
            rows[kept++] = rows[i];
    return kept;
}

/* ---- all of it ---- */

int render_prometheus(FILE *stream, const struct render_images *images,
                      const struct render_run *run)
{
    size_t n_rows, kept = 0;
    CLEANUP_FREE struct render_row *rows = render_rows(images, &n_rows);

    if (rows == NULL)
        return -ENOMEM;
    for (size_t i = 0, n; i < n_rows; i += n) {
        for (n = 1; i + n < n_rows && rows[i + n].image == rows[i].image;)
            n++;
        memmove(&rows[kept], &rows[i], n * sizeof(*rows));
        kept += drop_doubles(images->image(images->context, rows[kept].image), &rows[kept], n);
    }
    put_run(stream, run);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        put_metric(stream, &metrics[i], images, rows, kept);
    return 0;
}

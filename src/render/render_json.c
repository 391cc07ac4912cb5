// SPDX-License-Identifier: MIT
/*
 * Owns the JSON document: every key of every object, in the order of its manual page. A value that
 * is not known is null; no key is ever left out.
 */
#include "render.h"

#include "cause.h"
#include "json.h"
#include "verdict.h"

#include <errno.h>
#include <string.h>

#define JSON_SCHEMA 1

static void put(struct json_object *object, const char *key, struct json_object *value)
{
    json_object_object_add(object, key, value);
}

static void put_count(struct json_object *object, const char *key, uint64_t value)
{
    put(object, key, json_count(value));
}

static void put_bool(struct json_object *object, const char *key, bool value)
{
    put(object, key, json_object_new_boolean(value));
}

static void put_name(struct json_object *object, const char *key, const struct format_name *name)
{
    put(object, key, json_text(name->bytes, name->len));
}

static void put_string(struct json_object *object, const char *key, const char *string)
{
    put(object, key, string != NULL ? json_text(string, strlen(string)) : NULL);
}

static struct json_object *format_object(const struct report_format *format)
{
    static const char *const encryption[] = {"none", "aes", "luks"};
    struct json_object *object = json_object_new_object();

    put_count(object, "version", format->version);
    put_count(object, "cluster_bytes", format->cluster_bytes);
    put_count(object, "virtual_bytes", format->virtual_bytes);
    put_count(object, "file_bytes", format->file_bytes);
    put_count(object, "refcount_bits", format->refcount_bits);
    put_bool(object, "extended_l2", format->extended_l2);
    put_string(object, "compression", format->compression == FORMAT_ZSTD ? "zstd" : "zlib");
    put_string(object, "encryption", encryption[format->encryption]);
    put_name(object, "backing_file", &format->backing_file);
    put_name(object, "backing_format", &format->backing_format);
    put_name(object, "data_file", &format->data_file);
    put_bool(object, "data_file_raw", format->data_file_raw);
    put_bool(object, "lazy_refcounts", format->lazy_refcounts);
    put_bool(object, "dirty", format->dirty);
    put_bool(object, "corrupt", format->corrupt);
    put_count(object, "snapshot_count", format->snapshot_count);
    put_count(object, "bitmap_count", format->bitmap_count);
    put_count(object, "l1_entries", format->l1_entries);
    put(object, "l2_tables", json_opt_count(format->l2_tables));
    put(object, "l2_bytes", json_opt_count(format->l2_bytes));
    put_count(object, "l2_cache_bytes", format->l2_cache_bytes);
    return object;
}

static struct json_object *jump_histogram(const struct report_jump_histogram *histogram)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < histogram->n; i++) {
        struct json_object *object = json_object_new_object();

        put_count(object, "from_bytes", histogram->list[i].from_bytes);
        put_count(object, "backward", histogram->list[i].backward);
        put_count(object, "forward", histogram->list[i].forward);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *run_histogram(const struct report_run_histogram *histogram)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < histogram->n; i++) {
        struct json_object *object = json_object_new_object();

        put_count(object, "from_bytes", histogram->list[i].from_bytes);
        put_count(object, "runs", histogram->list[i].runs);
        put_count(object, "bytes", histogram->list[i].bytes);
        json_object_array_add(array, object);
    }
    return array;
}

/* @known is false for a table that could not be read: its figures are null. */
static void put_walk(struct json_object *object, const struct report_walk *walk, bool known)
{
#define COUNT(key) put(object, #key, known ? json_count(walk->key) : NULL)
    COUNT(mapped_bytes);
    COUNT(compressed_clusters);
    COUNT(zero_clusters);
    COUNT(zero_allocated_clusters);
    COUNT(corrupt_entries);
    COUNT(backward_steps);
    COUNT(forward_jumps);
    COUNT(near_jumps);
    COUNT(file_switches);
    COUNT(breaks);
    put(object, "backward_jump_mean_bytes", json_opt_real(walk->backward_jump_mean_bytes));
    put(object, "forward_jump_mean_bytes", json_opt_real(walk->forward_jump_mean_bytes));
    put(object, "jump_histogram", known ? jump_histogram(&walk->jump_histogram) : NULL);
    put(object, "fragmentation_score", json_opt_real(walk->fragmentation_score));
    COUNT(ascending_runs);
    put(object, "ascending_run_mean_bytes", json_opt_real(walk->ascending_run_mean_bytes));
    COUNT(contiguous_runs);
    put(object, "contiguous_run_mean_bytes", json_opt_real(walk->contiguous_run_mean_bytes));
    put(object, "contiguous_run_half_bytes", json_opt_count(walk->contiguous_run_half_bytes));
    put(object, "contiguous_run_max_bytes", json_opt_count(walk->contiguous_run_max_bytes));
    put(object, "run_histogram", known ? run_histogram(&walk->run_histogram) : NULL);
#undef COUNT
}

static struct json_object *snapshot_object(const struct report_table *table)
{
    struct json_object *object;

    if (!table->is_snapshot)
        return NULL;
    object = json_object_new_object();
    put_name(object, "id", &table->id);
    put_name(object, "name", &table->name);
    return object;
}

static struct json_object *check_object(const struct report_table *table)
{
    struct json_object *object;

    if (!table->has_check)
        return NULL;
    object = json_object_new_object();
    put_count(object, "allocated_clusters", table->check.allocated_clusters);
    put_count(object, "total_clusters", table->check.total_clusters);
    put_count(object, "fragmented_clusters", table->check.fragmented_clusters);
    put_count(object, "compressed_clusters", table->check.compressed_clusters);
    return object;
}

static struct json_object *disk_object(const struct report_disk *disk)
{
    struct json_object *object;

    if (!disk->known)
        return NULL;
    object = json_object_new_object();
    put_string(object, "profile", meter_disk_name(disk->profile));
    put(object, "ideal_seconds", json_real(disk->ideal_seconds));
    put(object, "seconds", json_real(disk->seconds));
    put(object, "slowdown_low", json_real(disk->slowdown_low));
    put(object, "slowdown_high", json_real(disk->slowdown_high));
    put(object, "after_defrag_seconds", json_opt_real(disk->after_defrag_seconds));
    return object;
}

static struct json_object *end_to_end_object(const struct report_end_to_end *end_to_end)
{
    struct json_object *object;

    if (!end_to_end->known)
        return NULL;
    object = json_object_new_object();
    put_walk(object, &end_to_end->walk, true);
    put_count(object, "hole_bytes", end_to_end->hole_bytes);
    put(object, "seconds", json_opt_real(end_to_end->seconds));
    put(object, "slowdown", json_opt_real(end_to_end->slowdown));
    return object;
}

static struct json_object *host_object(const struct report_host *host)
{
    struct json_object *object;

    if (!host->known)
        return NULL;
    object = json_object_new_object();
    put_string(object, "filesystem", host->filesystem);
    put_string(object, "device", host->device);
    put(object, "rotational",
        host->rotational.known ? json_object_new_boolean(host->rotational.value) : NULL);
    put_count(object, "extents", host->extents);
    put(object, "extent_mean_bytes", json_opt_real(host->extent_mean_bytes));
    put_count(object, "unplaced_bytes", host->unplaced_bytes);
    return object;
}

static struct json_object *layers_array(const struct report_table *table)
{
    struct json_object *array;

    if (table->layers == NULL)
        return NULL;
    array = json_object_new_array();
    for (size_t i = 0; i < table->n_layers; i++) {
        const struct report_layer *layer = &table->layers[i];
        struct json_object *object = json_object_new_object();

        put_string(object, "path", layer->path);
        put_count(object, "depth", layer->depth);
        put_count(object, "bytes", layer->bytes);
        put_count(object, "runs", layer->runs);
        put(object, "shadowed_bytes", json_opt_count(layer->shadowed_bytes));
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *range_object(const struct report_range *range)
{
    struct json_object *object;

    if (!range->known)
        return NULL;
    object = json_object_new_object();
    put_count(object, "guest_offset", range->guest_off);
    put_count(object, "length", range->len_bytes);
    return object;
}

static struct json_object *table_object(const struct report_table *table)
{
    struct json_object *object = json_object_new_object();

    put(object, "snapshot", snapshot_object(table));
    put_count(object, "chain_depth", table->chain_depth);
    put_count(object, "virtual_bytes", table->virtual_bytes);
    put(object, "range", range_object(&table->range));
    put(object, "mapped_clusters", table->measured ? json_count(table->mapped_clusters) : NULL);
    put_walk(object, &table->walk, table->measured);
    put(object, "read_split", json_opt_real(table->read_split));
    put(object, "qemu_img_check", check_object(table));
    put(object, "layers", layers_array(table));
    put(object, "end_to_end", end_to_end_object(&table->end_to_end));
    put(object, "disk", disk_object(&table->disk));
    return object;
}

static struct json_object *verdict_object(const struct report_verdict *verdict)
{
    struct json_object *object, *causes;

    if (!verdict->known)
        return NULL;
    object = json_object_new_object();
    put_string(object, "action", report_action_name(verdict->action));
    put_string(object, "reason", verdict->reason);
    put(object, "image_share", json_opt_real(verdict->image_share));
    put(object, "host_share", json_opt_real(verdict->host_share));
    put(object, "copy_bytes", json_opt_count(verdict->copy_bytes));
    causes = json_object_new_array();
    for (size_t i = 0; i < verdict->n_causes; i++) {
        struct json_object *cause = json_object_new_object();

        put_string(cause, "code", report_cause_name(verdict->causes[i].code));
        put_string(cause, "option", verdict->causes[i].option);
        json_object_array_add(causes, cause);
    }
    put(object, "causes", causes);
    return object;
}

static struct json_object *gap_histogram(const struct report_gap_histogram *histogram)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < histogram->n; i++) {
        struct json_object *object = json_object_new_object();

        put_count(object, "from_bytes", histogram->list[i].from_bytes);
        put_count(object, "gaps", histogram->list[i].gaps);
        put_count(object, "bytes", histogram->list[i].bytes);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *space_object(const struct report_space *space)
{
    struct json_object *object;

    if (space == NULL)
        return NULL;
    object = json_object_new_object();
    put_count(object, "end_offset_bytes", space->end_offset_bytes);
    put(object, "host_allocated_bytes", json_opt_count(space->host_allocated_bytes));
    put_count(object, "active_bytes", space->active_bytes);
    put_count(object, "metadata_bytes", space->metadata_bytes);
    put_count(object, "vm_state_bytes", space->vm_state_bytes);
    put_count(object, "snapshot_only_bytes", space->snapshot_only_bytes);
    put(object, "leaked_bytes", json_opt_count(space->leaked_bytes));
    put_count(object, "free_bytes", space->free_bytes);
    put_count(object, "free_gaps", space->free_gaps);
    put(object, "free_gap_max_bytes", json_opt_count(space->free_gap_max_bytes));
    put(object, "free_gap_histogram", gap_histogram(&space->free_gap_histogram));
    put_count(object, "tail_bytes", space->tail_bytes);
    put_count(object, "reclaimable_bytes", space->reclaimable_bytes);
    put(object, "snapshots", NULL); /* its place: see print_image */
    return object;
}

static struct json_object *space_snapshot_object(const struct report_space_snapshot *snapshot)
{
    struct json_object *object = json_object_new_object();

    put_name(object, "id", &snapshot->id);
    put_name(object, "name", &snapshot->name);
    put(object, "exclusive_bytes", json_opt_count(snapshot->exclusive_bytes));
    return object;
}

static struct json_object *findings_array(const struct format_findings *findings)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < findings->n_list; i++) {
        const struct format_finding *finding = &findings->list[i];
        bool error = format_finding_severity(finding->code) == FORMAT_ERROR;
        struct json_object *object = json_object_new_object();

        put_string(object, "code", format_finding_name(finding->code));
        put_string(object, "severity", error ? "error" : "warning");
        put_string(object, "where", finding->where);
        put(object, "host_offset", finding->has_host_off ? json_count(finding->host_off) : NULL);
        put_string(object, "message", finding->message);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *image_object(const struct report_image *image)
{
    struct json_object *object = json_object_new_object();

    put_string(object, "path", image->path);
    put(object, "measured_at", json_object_new_int64(image->measured_at));
    put_bool(object, "complete", image->complete);
    put_string(object, "error", image->error);
    put(object, "in_use",
        image->in_use.known ? json_object_new_boolean(image->in_use.value) : NULL);
    put(object, "format", image->has_format ? format_object(&image->format) : NULL);
    put(object, "tables", NULL); /* its place: see print_image */
    put(object, "host", host_object(&image->host));
    put(object, "space", space_object(image->space));
    put(object, "verdict", verdict_object(&image->verdict));
    put_count(object, "findings_total", image->findings.total);
    put(object, "findings", findings_array(&image->findings));
    return object;
}

static const char *text_of(struct json_object *object)
{
    return json_object_to_json_string_ext(object,
                                          JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* The @i-th element of an array; it is put away. */
static int print_element(FILE *stream, size_t i, struct json_object *object)
{
    const char *text = text_of(object);

    if (text != NULL)
        fprintf(stream, "%s\n%s", i > 0 ? "," : "", text);
    json_object_put(object);
    return text != NULL ? 0 : -ENOMEM;
}

/* Prints @text up to the place of an array, and the key of that. Returns what follows, or NULL. */
static const char *print_up_to(FILE *stream, const char *text, const char *place)
{
    const char *found = strstr(text, place);
    const char *value = "null";

    if (found == NULL)
        return NULL;
    fprintf(stream, "%.*s[", (int)(found - text + (ptrdiff_t)(strlen(place) - strlen(value))),
            text);
    return found + strlen(place);
}

/*
 * Tables, and the space of snapshots, are printed one at a time into the object of their image,
 * since there may be 65,536 of them. Inside a string the quotes of the place would have
 * backslashes, so it cannot be mistaken; the tables, which may hold such a key, come first.
 */
static int print_image(FILE *stream, const struct report_image *image)
{
    const struct report_space *space = image->space;
    struct json_object *object = image_object(image);
    const char *text = text_of(object);
    const char *rest = text != NULL ? print_up_to(stream, text, "\"tables\":null") : NULL;
    int ret = rest != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; i < image->n_tables && ret == 0; i++)
        ret = print_element(stream, i, table_object(&image->tables[i]));
    if (ret == 0)
        fprintf(stream, "%s]", image->n_tables > 0 ? "\n  " : "");
    if (ret == 0 && space != NULL) {
        rest = print_up_to(stream, rest, "\"snapshots\":null");
        ret = rest != NULL ? 0 : -ENOMEM;
        for (size_t i = 0; i < space->n_snapshots && ret == 0; i++)
            ret = print_element(stream, i, space_snapshot_object(&space->snapshots[i]));
        fprintf(stream, "%s]", space->n_snapshots > 0 ? "\n    " : "");
    }
    if (ret == 0)
        fputs(rest, stream);
    json_object_put(object);
    return ret;
}

/*
 * Images, too, are printed one at a time, so that ten thousand of them do not all stand in memory
 * as objects: the frame around them is written by hand.
 */
int render_json(FILE *stream, const struct report_image *images, size_t n_images)
{
    fprintf(stream, "{\n  \"qcow2frag\":\"%s\",\n  \"schema\":%d,\n  \"images\":[",
            QCOW2FRAG_VERSION, JSON_SCHEMA);
    for (size_t i = 0; i < n_images; i++) {
        int ret;

        fputs(i > 0 ? ",\n" : "\n", stream);
        ret = print_image(stream, &images[i]);
        if (ret < 0)
            return ret;
    }
    fprintf(stream, "%s]\n}\n", n_images > 0 ? "\n  " : "");
    return 0;
}

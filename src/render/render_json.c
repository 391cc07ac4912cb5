// SPDX-License-Identifier: MIT
/*
 * Owns the JSON document: every key of every object, in the order of its manual page. A value that
 * is not known is null; no key is ever left out.
 */
#include "render.h"

#include "cause.h"
#include "json.h"
#include "json_table.h"
#include "verdict.h"

#define JSON_SCHEMA 1

static void put_name(struct json *json, const char *key, const struct format_name *name)
{
    json_text(json, key, name->bytes, name->len);
}

/* An object, or null in its place: then it is not opened. */
static bool open_or_null(struct json *json, const char *key, bool known)
{
    if (known)
        json_open_object(json, key);
    else
        json_null(json, key);
    return known;
}

static void put_format(struct json *json, const struct report_image *image)
{
    const struct report_format *format = &image->format;

    if (!open_or_null(json, "format", image->has_format))
        return;
    json_count(json, "version", format->version);
    json_count(json, "cluster_bytes", format->cluster_bytes);
    json_count(json, "virtual_bytes", format->virtual_bytes);
    json_count(json, "file_bytes", format->file_bytes);
    json_count(json, "refcount_bits", format->refcount_bits);
    json_bool(json, "extended_l2", format->extended_l2);
    json_string(json, "compression", format_compression_name(format->compression));
    json_string(json, "encryption", format_crypt_name(format->encryption));
    put_name(json, "backing_file", &format->backing_file);
    put_name(json, "backing_format", &format->backing_format);
    put_name(json, "data_file", &format->data_file);
    json_bool(json, "data_file_raw", format->data_file_raw);
    json_bool(json, "lazy_refcounts", format->lazy_refcounts);
    json_bool(json, "dirty", format->dirty);
    json_bool(json, "corrupt", format->corrupt);
    json_count(json, "snapshot_count", format->snapshot_count);
    json_count(json, "bitmap_count", format->bitmap_count);
    json_count(json, "l1_entries", format->l1_entries);
    json_opt_count(json, "l2_tables", format->l2_tables);
    json_opt_count(json, "l2_bytes", format->l2_bytes);
    json_count(json, "l2_cache_bytes", format->l2_cache_bytes);
    json_close_object(json);
}

static void put_jump_histogram(struct json *json, const struct report_jump_histogram *histogram)
{
    if (histogram == NULL) {
        json_null(json, "jump_histogram");
        return;
    }
    json_open_array(json, "jump_histogram");
    for (size_t i = 0; i < histogram->n; i++) {
        json_open_object(json, NULL);
        json_count(json, "from_bytes", histogram->list[i].from_bytes);
        json_count(json, "backward", histogram->list[i].backward);
        json_count(json, "forward", histogram->list[i].forward);
        json_close_object(json);
    }
    json_close_array(json);
}

static void put_run_histogram(struct json *json, const struct report_run_histogram *histogram)
{
    if (histogram == NULL) {
        json_null(json, "run_histogram");
        return;
    }
    json_open_array(json, "run_histogram");
    for (size_t i = 0; i < histogram->n; i++) {
        json_open_object(json, NULL);
        json_count(json, "from_bytes", histogram->list[i].from_bytes);
        json_count(json, "runs", histogram->list[i].runs);
        json_count(json, "bytes", histogram->list[i].bytes);
        json_close_object(json);
    }
    json_close_array(json);
}

/* @known is false for a table that could not be read: its figures are null. */
static void put_walk(struct json *json, const struct report_walk *walk, bool known)
{
#define COUNT(key) json_opt_count(json, #key, (struct opt_u64){known, walk->key})
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
    json_opt_real(json, "backward_jump_mean_bytes", walk->backward_jump_mean_bytes);
    json_opt_real(json, "forward_jump_mean_bytes", walk->forward_jump_mean_bytes);
    put_jump_histogram(json, known ? &walk->jump_histogram : NULL);
    json_opt_real(json, "fragmentation_score", walk->fragmentation_score);
    COUNT(ascending_runs);
    json_opt_real(json, "ascending_run_mean_bytes", walk->ascending_run_mean_bytes);
    COUNT(contiguous_runs);
    json_opt_real(json, "contiguous_run_mean_bytes", walk->contiguous_run_mean_bytes);
    json_opt_count(json, "contiguous_run_half_bytes", walk->contiguous_run_half_bytes);
    json_opt_count(json, "contiguous_run_max_bytes", walk->contiguous_run_max_bytes);
    put_run_histogram(json, known ? &walk->run_histogram : NULL);
#undef COUNT
}

static void put_snapshot(struct json *json, const struct report_table *table)
{
    if (!open_or_null(json, "snapshot", table->is_snapshot))
        return;
    put_name(json, "id", &table->id);
    put_name(json, "name", &table->name);
    json_close_object(json);
}

static void put_check(struct json *json, const struct report_table *table)
{
    if (!open_or_null(json, "qemu_img_check", table->has_check))
        return;
    json_count(json, "allocated_clusters", table->check.allocated_clusters);
    json_count(json, "total_clusters", table->check.total_clusters);
    json_count(json, "fragmented_clusters", table->check.fragmented_clusters);
    json_count(json, "compressed_clusters", table->check.compressed_clusters);
    json_close_object(json);
}

static void put_disk(struct json *json, const struct report_disk *disk)
{
    if (!open_or_null(json, "disk", disk->known))
        return;
    json_string(json, "profile", meter_disk_name(disk->profile));
    json_real(json, "ideal_seconds", disk->ideal_seconds);
    json_real(json, "seconds", disk->seconds);
    json_real(json, "slowdown_low", disk->slowdown_low);
    json_real(json, "slowdown_high", disk->slowdown_high);
    json_opt_real(json, "after_defrag_seconds", disk->after_defrag_seconds);
    json_close_object(json);
}

static void put_end_to_end(struct json *json, const struct report_end_to_end *end_to_end)
{
    if (!open_or_null(json, "end_to_end", end_to_end->known))
        return;
    put_walk(json, &end_to_end->walk, true);
    json_count(json, "hole_bytes", end_to_end->hole_bytes);
    json_opt_real(json, "seconds", end_to_end->seconds);
    json_opt_real(json, "slowdown", end_to_end->slowdown);
    json_close_object(json);
}

static void put_host(struct json *json, const struct report_host *host)
{
    if (!open_or_null(json, "host", host->known))
        return;
    json_string(json, "filesystem", host->filesystem);
    json_string(json, "device", host->device);
    json_opt_bool(json, "rotational", host->rotational);
    json_count(json, "extents", host->extents);
    json_opt_real(json, "extent_mean_bytes", host->extent_mean_bytes);
    json_count(json, "unplaced_bytes", host->unplaced_bytes);
    json_close_object(json);
}

static void put_layers(struct json *json, const struct report_table *table)
{
    if (table->layers == NULL) {
        json_null(json, "layers");
        return;
    }
    json_open_array(json, "layers");
    for (size_t i = 0; i < table->n_layers; i++) {
        const struct report_layer *layer = &table->layers[i];
        json_open_object(json, NULL);
        json_string(json, "path", layer->path);
        json_count(json, "depth", layer->depth);
        json_count(json, "bytes", layer->bytes);
        json_count(json, "runs", layer->runs);
        json_opt_count(json, "shadowed_bytes", layer->shadowed_bytes);
        json_close_object(json);
    }
    json_close_array(json);
}

static void put_range(struct json *json, const struct report_range *range)
{
    if (!open_or_null(json, "range", range->known))
        return;
    json_count(json, "guest_offset", range->guest_off);
    json_count(json, "length", range->len_bytes);
    json_close_object(json);
}

void render_json_table(struct json *json, const char *key, const struct report_table *table)
{
    json_open_object(json, key);
    put_snapshot(json, table);
    json_count(json, "chain_depth", table->chain_depth);
    json_count(json, "virtual_bytes", table->virtual_bytes);
    put_range(json, &table->range);
    json_opt_count(json, "mapped_clusters",
                   (struct opt_u64){table->measured, table->mapped_clusters});
    put_walk(json, &table->walk, table->measured);
    json_opt_real(json, "read_split", table->read_split);
    put_check(json, table);
    put_layers(json, table);
    put_end_to_end(json, &table->end_to_end);
    put_disk(json, &table->disk);
    json_close_object(json);
}

static void put_verdict(struct json *json, const struct report_verdict *verdict)
{
    if (!open_or_null(json, "verdict", verdict->known))
        return;
    json_string(json, "action", report_action_name(verdict->action));
    json_string(json, "reason", verdict->reason);
    json_opt_real(json, "image_share", verdict->image_share);
    json_opt_real(json, "host_share", verdict->host_share);
    json_opt_count(json, "copy_bytes", verdict->copy_bytes);
    json_open_array(json, "causes");
    for (size_t i = 0; i < verdict->n_causes; i++) {
        json_open_object(json, NULL);
        json_string(json, "code", report_cause_name(verdict->causes[i].code));
        json_string(json, "option", verdict->causes[i].option);
        json_close_object(json);
    }
    json_close_array(json);
    json_close_object(json);
}

static void put_gap_histogram(struct json *json, const struct report_gap_histogram *histogram)
{
    json_open_array(json, "free_gap_histogram");
    for (size_t i = 0; i < histogram->n; i++) {
        json_open_object(json, NULL);
        json_count(json, "from_bytes", histogram->list[i].from_bytes);
        json_count(json, "gaps", histogram->list[i].gaps);
        json_count(json, "bytes", histogram->list[i].bytes);
        json_close_object(json);
    }
    json_close_array(json);
}

static void put_space_snapshot(struct json *json, const struct report_space_snapshot *snapshot)
{
    json_open_object(json, NULL);
    put_name(json, "id", &snapshot->id);
    put_name(json, "name", &snapshot->name);
    json_opt_count(json, "exclusive_bytes", snapshot->exclusive_bytes);
    json_close_object(json);
}

static void put_space(struct json *json, const struct report_space *space)
{
    if (!open_or_null(json, "space", space != NULL))
        return;
    json_count(json, "end_offset_bytes", space->end_offset_bytes);
    json_opt_count(json, "host_allocated_bytes", space->host_allocated_bytes);
    json_count(json, "active_bytes", space->active_bytes);
    json_count(json, "metadata_bytes", space->metadata_bytes);
    json_count(json, "vm_state_bytes", space->vm_state_bytes);
    json_count(json, "snapshot_only_bytes", space->snapshot_only_bytes);
    json_opt_count(json, "leaked_bytes", space->leaked_bytes);
    json_count(json, "unknown_bytes", space->unknown_bytes);
    json_count(json, "free_bytes", space->free_bytes);
    json_count(json, "free_gaps", space->free_gaps);
    json_opt_count(json, "free_gap_max_bytes", space->free_gap_max_bytes);
    put_gap_histogram(json, &space->free_gap_histogram);
    json_count(json, "tail_bytes", space->tail_bytes);
    json_opt_count(json, "reclaimable_bytes", space->reclaimable_bytes);
    json_open_array(json, "snapshots");
    for (size_t i = 0; i < space->n_snapshots; i++)
        put_space_snapshot(json, &space->snapshots[i]);
    json_close_array(json);
    json_close_object(json);
}

static void put_findings(struct json *json, const struct format_findings *findings)
{
    json_open_array(json, "findings");
    for (size_t i = 0; i < findings->n_list; i++) {
        const struct format_finding *finding = &findings->list[i];
        bool error = format_finding_severity(finding->code) == FORMAT_ERROR;
        json_open_object(json, NULL);
        json_string(json, "code", format_finding_name(finding->code));
        json_string(json, "severity", error ? "error" : "warning");
        json_string(json, "where", finding->where);
        json_opt_count(json, "host_offset",
                       (struct opt_u64){finding->has_host_off, finding->host_off});
        json_string(json, "message", finding->message);
        json_close_object(json);
    }
    json_close_array(json);
}

static void put_domains(struct json *json, const struct report_domains *domains)
{
    if (domains == NULL) {
        json_null(json, "domains");
        return;
    }
    json_open_array(json, "domains");
    for (size_t i = 0; i < domains->n; i++) {
        json_open_object(json, NULL);
        json_string(json, "name", domains->list[i].name);
        json_string(json, "target", domains->list[i].target);
        json_close_object(json);
    }
    json_close_array(json);
}

static void put_image(struct json *json, const struct report_image *image)
{
    json_open_object(json, NULL);
    json_string(json, "path", image->path);
    json_integer(json, "measured_at", image->measured_at);
    json_bool(json, "complete", image->complete);
    json_string(json, "error", image->error);
    json_opt_bool(json, "in_use", image->in_use);
    put_format(json, image);
    json_open_array(json, "tables");
    for (size_t i = 0; i < image->n_tables; i++)
        render_json_table(json, NULL, &image->tables[i]);
    json_close_array(json);
    put_host(json, &image->host);
    put_space(json, image->space);
    put_verdict(json, &image->verdict);
    json_count(json, "findings_total", image->findings.total);
    put_findings(json, &image->findings);
    json_string(json, "backing_image", image->backing_image);
    json_open_array(json, "overlays");
    for (size_t i = 0; i < image->n_overlays; i++)
        json_string(json, NULL, image->overlays[i]);
    json_close_array(json);
    put_domains(json, image->domains);
    json_close_object(json);
}

static void put_document(struct json *json, const struct render_images *images)
{
    json_open_object(json, NULL);
    json_string(json, "qcow2frag", QCOW2FRAG_VERSION);
    json_integer(json, "schema", JSON_SCHEMA);
    json_open_array(json, "images");
    for (size_t i = 0; i < images->n; i++)
        put_image(json, images->image(images->context, i));
    json_close_array(json);
    json_close_object(json);
}

int render_json(FILE *stream, const struct render_images *images)
{
    struct json json = {.stream = stream};

    put_document(&json, images);
    putc('\n', stream);
    return 0;
}

void render_json_in_html(FILE *stream, const struct render_images *images)
{
    struct json json = {.stream = stream, .one_line = true, .in_html = true};

    put_document(&json, images);
}

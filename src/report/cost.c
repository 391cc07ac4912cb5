// SPDX-License-Identifier: MIT
/* Owns the choice of the disk to reckon with. The model itself is in meter/disk.c. */
#include "cost.h"

#include "counts.h"
#include "recipe.h"
#include "seconds.h"

#include <math.h>
#include <string.h>

#define FELT_SECONDS 1.0
#define FELT_FLASH_SECONDS 0.1
#define GAIN_PART 0.02
#define SHORT_STEP_SECONDS 5e-3

double report_felt_seconds(enum meter_disk_kind kind)
{
    return kind == METER_DISK_HDD ? FELT_SECONDS : FELT_FLASH_SECONDS;
}

bool report_gains(double before, double after)
{
    return after <= (1 - GAIN_PART) * before;
}

bool report_helps(enum meter_disk_kind kind, double before, double after)
{
    return report_gains(before, after) && before - after >= report_felt_seconds(kind);
}

/* Where nothing is known, the one that fragments hurt. */
struct report_profile report_profile(enum report_device device, const struct report_host *host)
{
    switch (device) {
    case REPORT_DEVICE_HDD:
        return (struct report_profile){.kind = METER_DISK_HDD, .told = true};
    case REPORT_DEVICE_SSD:
        return (struct report_profile){.kind = METER_DISK_SSD, .told = true};
    case REPORT_DEVICE_NVME:
        return (struct report_profile){.kind = METER_DISK_NVME, .told = true};
    default:
        break;
    }
    if (!host->rotational.known)
        return (struct report_profile){.kind = METER_DISK_HDD, .assumed = true};
    if (host->rotational.value)
        return (struct report_profile){.kind = METER_DISK_HDD};
    if (host->device != NULL && strncmp(host->device, "/dev/nvme", 9) == 0)
        return (struct report_profile){.kind = METER_DISK_NVME};
    return (struct report_profile){.kind = METER_DISK_SSD};
}

void report_cost(const struct report_profile *profile, const struct piece_counts *counts,
                 const struct meter *meter, struct report_disk *disk)
{
    struct meter_disk_time time =
        meter_disk_time(profile->kind, meter, counts->reads, counts->reads_unbroken);

    *disk = (struct report_disk){.known = false};
    if (!meter->any)
        return;
    *disk = (struct report_disk){.known = true,
                                 .assumed = profile->assumed,
                                 .told = profile->told,
                                 .profile = profile->kind,
                                 .ideal_seconds = time.ideal_seconds,
                                 .seconds = time.seconds,
                                 .slowdown_low = time.slowdown_low,
                                 .slowdown_high = time.slowdown_high};
}

/* Of the image's refcounts: a block lies before the first cluster that it counts. */
static uint64_t refcount_blocks(const struct report_format *format,
                                const struct meter_layout *layout)
{
    return layout->end / format->cluster_bytes * format->refcount_bits / 8 / format->cluster_bytes;
}

/* The one that convert writes. */
static struct meter_disk_plan converted(const struct piece_counts *counts,
                                        const struct meter_converted *rewrite,
                                        const struct report_format *format,
                                        const struct report_table *table)
{
    bool packed = report_recipe_compresses(format, table);
    struct meter_disk_plan plan = {.layout = meter_converted_layout(rewrite, packed),
                                   .gap_bytes = format->cluster_bytes,
                                   .reads = counts->reads_unbroken};

    plan.gaps = refcount_blocks(format, plan.layout);
    if (!packed)
        plan.reads -= rewrite->joined_reads;
    if (format->backing_file.bytes != NULL &&
        !report_recipe_flattens(table)) /* else there would be no such tables */
        plan.more_bytes = counts->l2_zero * format->cluster_bytes;
    return plan;
}

/* Of a part of the disk it is not known what lies before its data: all that there may be. */
static struct meter_disk_plan in_order(const struct piece_counts *counts,
                                       const struct meter_defragged *defragged,
                                       const struct report_format *format,
                                       const struct report_table *table)
{
    struct meter_disk_plan plan = {.defragged = defragged,
                                   .front_bytes = counts->l2_tables * format->cluster_bytes,
                                   .over_bytes = counts->kept_gap_bytes,
                                   .reads = counts->reads_unbroken};

    if (table->range.known)
        plan.front_bytes += table->range.guest_off < format->file_bytes ? table->range.guest_off
                                                                        : format->file_bytes;
    return plan;
}

void report_cost_after(const struct report_profile *profile, const struct piece_counts *counts,
                       const struct meter_set *meters, const struct report_format *format,
                       struct report_table *table)
{
    struct meter_disk_plan plan;

    if (!table->disk.known || (meters->converted == NULL && meters->defragged == NULL))
        return;
    /* What of it is shared with the active state will lie in the order of that. */
    if (table->is_snapshot && meters->defragged != NULL)
        return;
    if (format->data_file.bytes != NULL &&
        !report_recipe_flattens(table)) { /* its data stay where they are */
        table->disk.after_defrag_seconds = opt_f64_of(table->disk.seconds);
        return;
    }
    plan = meters->defragged != NULL ? in_order(counts, meters->defragged, format, table)
                                     : converted(counts, meters->converted, format, table);
    table->disk.after_defrag_seconds = opt_f64_of(meter_disk_plan_seconds(profile->kind, &plan));
}

struct opt_f64 report_cost_top_in_order(const struct report_table *table)
{
    if (table->chain_depth < 2 || !table->disk.known || report_seconds_of(table).with_host)
        return (struct opt_f64){.known = false};
    if (!table->alone_saved_seconds.known)
        return (struct opt_f64){.known = false};
    return opt_f64_of(
        fmax(table->disk.seconds - table->alone_saved_seconds.value, table->disk.ideal_seconds));
}

struct opt_f64 report_cost_saved(const struct report_disk *disk)
{
    if (!disk->known) /* it holds nothing */
        return opt_f64_of(0);
    if (!disk->after_defrag_seconds.known)
        return (struct opt_f64){.known = false};
    return opt_f64_of(fmax(disk->seconds - disk->after_defrag_seconds.value, 0));
}

/*
 * A head that goes through the file from front to back takes the shortest of steps, or reads over
 * what lies between: once for each window that fits into memory.
 */
double report_rewrite_seconds(const struct report_image *image, const struct report_table *table,
                              uint64_t bytes)
{
    const struct report_disk *disk = &table->disk;
    double transfer = meter_disk_transfer_seconds(disk->profile, bytes);
    double file = meter_disk_transfer_seconds(disk->profile, image->format.file_bytes);
    double steps = (double)table->walk.breaks * SHORT_STEP_SECONDS;
    double windows = (double)(bytes / REPORT_REWRITE_WINDOW_BYTES + 1), reading;

    if (!disk->known)
        return 0;
    reading = disk->profile == METER_DISK_HDD ? transfer + fmin(steps, windows * file)
                                              : fmax(disk->seconds, transfer);
    return reading + 2 * transfer;
}

/* The reads are QEMU's, and one more wherever an extent ends inside one of them. */
void report_cost_end_to_end(const struct report_profile *profile, const struct piece_counts *counts,
                            const struct meter *meter, struct report_end_to_end *end_to_end)
{
    struct meter_disk_time time = meter_disk_time(
        profile->kind, meter, counts->reads + meter->splits, counts->reads_unbroken);

    if (!meter->any)
        return;
    end_to_end->seconds = opt_f64_of(time.seconds);
    end_to_end->slowdown = opt_f64_of(time.slowdown_high);
    end_to_end->ideal_seconds = time.ideal_seconds;
    end_to_end->slowdown_low = time.slowdown_low;
}

// SPDX-License-Identifier: MIT
/* Owns the choice of the disk to reckon with. The model itself is in meter/disk.c. */
#include "cost.h"

#include "counts.h"
#include "recipe.h"

#include <string.h>

#define FELT_SECONDS 1.0
#define FELT_FLASH_SECONDS 0.1
#define HELP_SLOWDOWN 1.02

double report_felt_seconds(enum meter_disk_kind kind)
{
    return kind == METER_DISK_HDD ? FELT_SECONDS : FELT_FLASH_SECONDS;
}

bool report_helps(enum meter_disk_kind kind, double before, double after)
{
    return before >= HELP_SLOWDOWN * after && before - after >= report_felt_seconds(kind);
}

/* Where nothing is known, the one that fragments hurt. */
struct report_profile report_profile(enum report_device device, const struct report_host *host)
{
    switch (device) {
    case REPORT_DEVICE_HDD:
        return (struct report_profile){METER_DISK_HDD, false};
    case REPORT_DEVICE_SSD:
        return (struct report_profile){METER_DISK_SSD, false};
    case REPORT_DEVICE_NVME:
        return (struct report_profile){METER_DISK_NVME, false};
    default:
        break;
    }
    if (!host->rotational.known)
        return (struct report_profile){METER_DISK_HDD, true};
    if (host->rotational.value)
        return (struct report_profile){METER_DISK_HDD, false};
    if (host->device != NULL && strncmp(host->device, "/dev/nvme", 9) == 0)
        return (struct report_profile){METER_DISK_NVME, false};
    return (struct report_profile){METER_DISK_SSD, false};
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

void report_cost_after(const struct report_profile *profile, const struct piece_counts *counts,
                       const struct meter_pair *meters, const struct report_format *format,
                       struct report_table *table)
{
    bool flattened = report_recipe_flattens(table),
         packed = report_recipe_compresses(format, table);
    const struct meter_rewrite *rewrite = meters->rewrite;
    struct meter_disk_plan plan = {.gap_bytes = format->cluster_bytes,
                                   .reads = counts->reads_unbroken};

    if (!table->disk.known || rewrite == NULL)
        return;
    if (format->data_file.bytes != NULL && !flattened) { /* its data stay where they are */
        table->disk.after_defrag_seconds = opt_f64_of(table->disk.seconds);
        return;
    }
    plan.layout = meter_rewrite_layout(rewrite, packed);
    plan.gaps = refcount_blocks(format, plan.layout);
    if (!packed)
        plan.reads -= rewrite->joined_reads;
    if (format->backing_file.bytes != NULL && !flattened) /* else there would be no such tables */
        plan.more_bytes = counts->l2_zero * format->cluster_bytes;
    table->disk.after_defrag_seconds = opt_f64_of(meter_disk_plan_seconds(profile->kind, &plan));
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

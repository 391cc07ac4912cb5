// SPDX-License-Identifier: MIT
/* Owns the choice of the disk to reckon with. The model itself is in meter/disk.c. */
#include "cost.h"

#include "counts.h"

#include <math.h>
#include <string.h>

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

void report_cost_after(const struct report_profile *profile, const struct piece_counts *counts,
                       const struct meter *meter, struct report_disk *disk)
{
    const struct meter_head *head = &meter->head;
    const struct meter_disk_plan plan = {
        .data_bytes = head->read_bytes - head->table_bytes - head->again_bytes,
        .missing_bytes = head->missing_bytes,
        .again_bytes = head->again_bytes,
        .again = &head->again,
        .table_bytes = head->table_bytes,
        .tables = counts->l2_mapped,
        .slices = head->ways,
        .reads = counts->reads_unbroken,
    };

    /* What is in order already stays so. */
    if (disk->known)
        disk->after_defrag_seconds =
            opt_f64_of(fmin(disk->seconds, meter_disk_plan_seconds(profile->kind, &plan)));
}

/* Each break on the device ends a read, whichever layer it comes from. */
void report_cost_end_to_end(const struct report_profile *profile, const struct piece_counts *counts,
                            const struct meter *meter, struct report_end_to_end *end_to_end)
{
    struct meter_disk_time time = meter_disk_time(
        profile->kind, meter, counts->reads_unbroken + meter->breaks, counts->reads_unbroken);

    if (!meter->any)
        return;
    end_to_end->seconds = opt_f64_of(time.seconds);
    end_to_end->slowdown = opt_f64_of(time.slowdown_high);
    end_to_end->ideal_seconds = time.ideal_seconds;
    end_to_end->slowdown_low = time.slowdown_low;
}

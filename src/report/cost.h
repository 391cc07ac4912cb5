/* SPDX-License-Identifier: MIT */
/* The disk model, applied to the tables of an image. */
#ifndef REPORT_COST_H
#define REPORT_COST_H

#include "measure.h"
#include "report.h"
#include "set.h"

/* Memory in which a rewrite sorts its reads for a disk that spins, if there is as much. */
#define REPORT_REWRITE_WINDOW_BYTES (UINT64_C(1) << 30)

struct piece_counts;

/* The disk to reckon with. */
struct report_profile {
    enum meter_disk_kind kind;
    bool assumed; /* neither the user nor the system said so */
    bool told;    /* the user did */
};

struct report_profile report_profile(enum report_device device, const struct report_host *host);

/* Seconds that somebody feels: less than that is no reason to do anything. */
double report_felt_seconds(enum meter_disk_kind kind);

/* Is reading in @after seconds faster than in @before, by as much as makes a rewrite worth it? */
bool report_gains(double before, double after);

/* Is it worth telling somebody to do what brings @before down to @after? It is felt, too. */
bool report_helps(enum meter_disk_kind kind, double before, double after);

/* @meter: of the pieces in the file. */
void report_cost(const struct report_profile *profile, const struct piece_counts *counts,
                 const struct meter *meter, struct report_disk *disk);

/*
 * What the chain of @table takes at least, if only its topmost image is put in order: no way
 * between images gets shorter by that, so the saving is at most that of the image alone. Not known
 * for what is no chain, or where the host's part is judged with the images'.
 */
struct opt_f64 report_cost_top_in_order(const struct report_table *table);

/* The seconds that the rewrite saves: none where nothing is mapped, or where it does not help. */
struct opt_f64 report_cost_saved(const struct report_disk *disk);

/*
 * Fills in the time after the rewrite that the recipe is for (see recipe.h): the other figures of
 * @table must stand.
 */
void report_cost_after(const struct report_profile *profile, const struct piece_counts *counts,
                       const struct meter_set *meters, const struct report_format *format,
                       struct report_table *table);

/* How long it takes, roughly, to read the image in the order of its file, write @bytes, and read
 * these back. 0 if the disk is not known. */
double report_rewrite_seconds(const struct report_image *image, const struct report_table *table,
                              uint64_t bytes);

/* @meter: of the same pieces on the device. Fills in the times. */
void report_cost_end_to_end(const struct report_profile *profile, const struct piece_counts *counts,
                            const struct meter *meter, struct report_end_to_end *end_to_end);

#endif

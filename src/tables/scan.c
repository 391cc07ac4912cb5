// SPDX-License-Identifier: MIT
/*
 * Owns the order of a scan: L1 windows, then the L2 tables that they name. Memory does not depend
 * on the size of the image, but for the list that overlap.c makes for a while.
 */
#include "scan.h"

#include "checked.h"
#include "err.h"
#include "fetch.h"
#include "follow.h"
#include "image.h"
#include "io.h"
#include "l1.h"
#include "l2.h"
#include "overlap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An L2 table that waits for its bytes, and for whom. */
struct job {
    uint64_t l2_off;        /* 0: there is none, what it should map is lost */
    uint64_t virtual_bytes; /* of the disk; alike for all members */
    uint32_t l1_index;
    size_t kept; /* number of a table that is named several times, or TABLES_NOT_KEPT */
    size_t first_member, n_members; /* in scan.members */
};

/* An L2 table that an L1 entry names. */
struct named_l2 {
    uint64_t off;    /* 0: none */
    size_t repeated; /* as in overlap.h */
};

/* What a table that is named several times gave, the first time. */
struct kept {
    bool walked;
    uint64_t guest_off; /* of that time */
    struct piece_counts counts;
    struct piece_lost lost;
};

struct tables_plan {
    struct format_image *image;
    struct format_entry_rules entry_rules;
    const struct tables_table *tables;
    size_t n_tables;
    enum tables_pieces pieces;
    struct tables_span span;
    struct tables_overlap overlap;
    uint32_t first, end;
};

struct tables_scan {
    const struct tables_plan *plan;
    struct format_entry_rules entry_rules; /* of our own: the file may grow under us */
    struct tables_l2_rules rules;
    const struct tables_visitor *visitor;
    struct tables_table *tables;
    struct err *err;
    struct kept *kept; /* [TABLES_KEPT_MAX], or NULL if nothing is named twice */

    struct tables_l1 l1;
    bool asked_size; /* in this window of the L1 tables */
    uint32_t n_repeats;
    int ret; /* of what was drained to report damage in order */

    struct tables_fetch fetch;
    struct job jobs[TABLES_FETCH_READS];
    size_t n_jobs;
    size_t members[TABLES_FETCH_READS * TABLES_SCAN_MAX];
    size_t n_members;

    /* The table being walked. */
    struct piece_batch batch;
    struct tables_l2_decoder l2;
    bool counted; /* something of it was no hole: only then the next two can be other than empty */
    struct piece_counts counts; /* of that table alone */
    struct piece_lost lost;     /* likewise */
};

static struct tables_members members_of(const struct tables_scan *scan, const struct job *job)
{
    return (struct tables_members){&scan->members[job->first_member], job->n_members};
}

/*
 * An image that is in use grows: its length is asked anew before an offset is called damaged.
 * Returns whether it did grow.
 */
static bool file_has_grown(void *context)
{
    struct tables_scan *scan = context;
    struct err ignored = {0};
    uint64_t file_bytes;

    if (io_size(scan->plan->image->io, &file_bytes, &ignored) < 0 ||
        file_bytes <= scan->entry_rules.file_bytes)
        return false;
    scan->entry_rules.file_bytes = scan->rules.entry.file_bytes = file_bytes;
    scan->fetch.file_bytes = file_bytes;
    return true;
}

/* ---- L2 tables ---- */

static void begin_l2(struct tables_scan *scan, const struct job *job)
{
    struct tables_table *table = &scan->tables[scan->members[job->first_member]];
    struct tables_l2_output output = {
        .sink = scan->visitor->begin(scan->visitor->context, members_of(scan, job), job->kept),
        .counts = &scan->counts,
        .lost = &scan->lost,
        .findings = &table->findings, /* of the first of those that share it: one cause, once */
        .table_name = table->name,
        .file_has_grown = file_has_grown,
        .context = scan,
    };

    if (scan->counted) {
        memset(&scan->counts, 0, sizeof(scan->counts));
        scan->lost = (struct piece_lost){.ranges = 0};
    }
    scan->counted = false;
    tables_l2_begin(&scan->l2, &scan->rules, output, &scan->batch, job->l2_off, job->l1_index,
                    job->virtual_bytes);
}

/* What a walk gave, to all whose table it was; @shift bytes further on than there. */
static void add_walk(struct tables_scan *scan, const struct job *job,
                     const struct piece_counts *counts, const struct piece_lost *lost,
                     uint64_t shift)
{
    for (size_t i = 0; i < job->n_members; i++) {
        struct tables_table *table = &scan->tables[scan->members[job->first_member + i]];

        piece_counts_add(&table->counts, counts);
        if (lost->ranges > 0)
            piece_lost_merge(&table->lost, lost, shift);
    }
}

/* A table that is left out. Of its range, the part on the disk and in the span. */
static void lose_l2(struct tables_scan *scan, const struct job *job)
{
    const struct tables_span *span = &scan->plan->span;
    uint64_t cluster_bytes = scan->entry_rules.cluster_bytes;
    uint64_t l2_span = format_l2_span(&scan->plan->image->header);
    uint64_t begin = job->l1_index * l2_span, end = job->virtual_bytes;
    uint64_t span_begin = span->begin & ~(cluster_bytes - 1);

    end = end - begin > l2_span ? begin + l2_span : end;
    if (span->end < end) {
        uint64_t span_end = div_round_up(span->end, cluster_bytes) * cluster_bytes;

        end = span_end < end ? span_end : end;
    }
    piece_lost_add(&scan->tables[scan->members[job->first_member]].lost,
                   begin > span_begin ? begin : span_begin, end);
}

static int end_l2(struct tables_scan *scan, const struct job *job)
{
    int ret = tables_l2_end(&scan->l2);

    if (scan->counted) {
        scan->counts.l2_mapped = scan->counts.mapped_clusters > 0;
        scan->counts.l2_zero = scan->counts.mapped_clusters == 0 && scan->counts.zero_clusters > 0;
        add_walk(scan, job, &scan->counts, &scan->lost, 0);
    }
    if (job->kept != TABLES_NOT_KEPT)
        scan->kept[job->kept] = (struct kept){true, scan->l2.guest_off, scan->counts, scan->lost};
    if (ret < 0 || scan->visitor->end == NULL)
        return ret;
    return scan->visitor->end(scan->visitor->context, members_of(scan, job), job->kept);
}

/* A table whose walk is known from another L1 index. */
static int repeat_l2(struct tables_scan *scan, const struct job *job)
{
    const struct kept *kept = &scan->kept[job->kept];
    uint64_t guest_off = job->l1_index * format_l2_span(&scan->plan->image->header);

    add_walk(scan, job, &kept->counts, &kept->lost, guest_off - kept->guest_off);
    return scan->visitor->again(scan->visitor->context, members_of(scan, job), job->kept,
                                guest_off - kept->guest_off);
}

static int deliver(void *context, const struct tables_chunk *chunk)
{
    struct tables_scan *scan = context;
    const struct job *job = &scan->jobs[chunk->cookie];
    int ret;

    if (job->l2_off == 0) {
        lose_l2(scan, job);
        return 0;
    }
    if (chunk->len_bytes == 0)
        return repeat_l2(scan, job);
    if (chunk->at == 0)
        begin_l2(scan, job);
    scan->counted |= chunk->bytes != NULL;
    ret = tables_l2_chunk(&scan->l2, chunk->bytes, chunk->len_bytes);
    if (ret == 0 && chunk->at + chunk->len_bytes == scan->entry_rules.cluster_bytes)
        ret = end_l2(scan, job);
    return ret;
}

static int drain(struct tables_scan *scan)
{
    int ret = tables_fetch_drain(&scan->fetch);

    scan->n_jobs = scan->n_members = 0;
    return ret;
}

/*
 * A table named several times is kept if all of its entries lie on the disk, and in the span: the
 * others differ from one place to the next, and come once for each L1 table and border at most.
 */
static bool can_keep(const struct tables_scan *scan, uint32_t l1_index, uint64_t virtual_bytes)
{
    const struct tables_span *span = &scan->plan->span;
    uint64_t l2_span = format_l2_span(&scan->plan->image->header);
    uint64_t end = span->end < virtual_bytes ? span->end : virtual_bytes;

    return scan->visitor->again != NULL && l1_index >= div_round_up(span->begin, l2_span) &&
           l1_index < end / l2_span;
}

/* @l2_off 0: what the table should map is lost, which is noted when its turn comes. */
static int add_job(struct tables_scan *scan, uint32_t l1_index, uint64_t l2_off, size_t repeated,
                   const size_t *members, size_t n)
{
    struct job *job;
    int ret = scan->n_jobs == TABLES_FETCH_READS ? drain(scan) : 0;

    if (ret < 0)
        return ret;
    job = &scan->jobs[scan->n_jobs];
    *job = (struct job){.l2_off = l2_off,
                        .virtual_bytes = scan->tables[members[0]].virtual_bytes,
                        .l1_index = l1_index,
                        .kept = TABLES_NOT_KEPT,
                        .first_member = scan->n_members,
                        .n_members = n};
    if (repeated != TABLES_NOT_REPEATED && can_keep(scan, l1_index, job->virtual_bytes))
        job->kept = repeated;
    memcpy(scan->members + scan->n_members, members, n * sizeof(*members));
    scan->n_members += n;
    if (l2_off == 0)
        return tables_fetch_mark(&scan->fetch, scan->n_jobs++);
    if (job->kept != TABLES_NOT_KEPT && scan->kept[job->kept].walked)
        return tables_fetch_mark(&scan->fetch, scan->n_jobs++);
    if (job->kept != TABLES_NOT_KEPT)
        scan->kept[job->kept].walked = true; /* when its turn to be repeated comes */
    return tables_fetch_l2(&scan->fetch, l2_off, (uint32_t)scan->entry_rules.cluster_bytes,
                           scan->n_jobs++);
}

/* ---- L1 tables ---- */

static bool on_disk(const struct tables_scan *scan, const struct tables_table *table,
                    uint32_t index)
{
    return index < format_l1_needed(&scan->plan->image->header, table->virtual_bytes);
}

/* Where in the file, and in words, an L1 entry is. */
static uint64_t place_of(const struct tables_table *table, uint32_t index, char where[64])
{
    snprintf(where, 64, "%sl1[%" PRIu32 "]", table->name, index);
    return table->l1_off + 8 * (uint64_t)index;
}

/*
 * Findings stand in the order of the disk: what waits for its bytes lies before this entry. So the
 * list does not depend on how much is read at a time.
 */
static void report_damage(struct tables_scan *scan, struct tables_table *table, uint32_t index,
                          uint64_t entry, enum format_finding_code damage, const char *meaning)
{
    char where[64];
    uint64_t place;

    if (!format_findings_wants(&table->findings, damage)) {
        format_findings_count(&table->findings, damage, 1);
        return;
    }
    if (scan->ret == 0)
        scan->ret = drain(scan);
    place = place_of(table, index, where);
    format_findings_add(&table->findings, damage, where, &place, "entry 0x%016" PRIx64 " %s", entry,
                        meaning);
}

/* An entry that points somewhere, but not to a table that can be read. */
static void lose(struct tables_scan *scan, size_t t, uint32_t index)
{
    if (scan->ret == 0)
        scan->ret = add_job(scan, index, 0, TABLES_NOT_REPEATED, &t, 1);
}

static const char *describe(enum format_finding_code damage)
{
    switch (damage) {
    case FORMAT_FINDING_L1_UNALIGNED:
        return "points to an offset that is not the start of a cluster; what it maps is left out";
    case FORMAT_FINDING_L1_PAST_END:
        return "points past the end of the file; what it maps is left out";
    case FORMAT_FINDING_L1_COPIED_EMPTY:
        return "has the flag \"copied\", but points nowhere";
    default:
        return "has reserved bits set; it is read without them";
    }
}

static struct tables_followed follow(struct tables_scan *scan, uint64_t raw)
{
    const struct tables_overlap *overlap = &scan->plan->overlap;
    struct tables_followed followed = tables_follow(overlap, &scan->entry_rules, raw);

    if (format_may_be_growth(followed.damage) && !scan->asked_size) {
        scan->asked_size = true;
        if (file_has_grown(scan))
            followed = tables_follow(overlap, &scan->entry_rules, raw);
    }
    return followed;
}

/* So many names of one table, or of different tables, are not followed: the work has to end. */
static bool is_too_often(struct tables_scan *scan, size_t repeated)
{
    uint32_t most = scan->visitor->most_repeats;

    return repeated != TABLES_NOT_REPEATED &&
           (repeated >= TABLES_KEPT_MAX || (most > 0 && scan->n_repeats++ >= most));
}

/* What lies on something else, or is said to; NULL: it can be read. */
static const char *what_is_under(struct tables_scan *scan, const struct tables_followed *followed)
{
    if (followed->bar == TABLES_BAR_METADATA)
        return followed->under;
    if (followed->bar == TABLES_BAR_DATA_FILE)
        return "a table of other L1 entries, which cannot be with an external data file";
    if (is_too_often(scan, followed->repeated))
        return "a table of other L1 entries, as very many do";
    return NULL;
}

/* An entry of the disk that points to a place which others have. */
static void leave_out(struct tables_scan *scan, size_t t, uint32_t index, uint64_t raw,
                      enum format_finding_code damage, const char *under)
{
    struct tables_table *table = &scan->tables[t];
    char meaning[160];

    table->counts.corrupt_entries += damage == FORMAT_SOUND; /* else it was counted */
    snprintf(meaning, sizeof(meaning), "points into %s; what it maps is left out", under);
    report_damage(scan, table, index, raw, FORMAT_FINDING_L2_OVERLAP, meaning);
    lose(scan, t, index);
}

/* The L2 table to be walked for table @t at @index: its host offset and number, or offset 0. */
static struct named_l2 l2_to_walk(struct tables_scan *scan, size_t t, uint32_t index)
{
    const struct named_l2 none = {0, TABLES_NOT_REPEATED};
    struct tables_table *table = &scan->tables[t];
    uint64_t raw = tables_l1_entry(&scan->l1, t, index);
    struct tables_followed followed;
    const char *under;
    bool judged;

    if (raw == 0)
        return none;
    judged = on_disk(scan, table, index); /* what lies beyond is not part of the figures */
    followed = follow(scan, raw);
    if (followed.damage != FORMAT_SOUND && judged) {
        table->counts.corrupt_entries++;
        report_damage(scan, table, index, raw, followed.damage, describe(followed.damage));
    }
    if (followed.bar == TABLES_BAR_PLACE && judged)
        lose(scan, t, index);
    if (followed.bar == TABLES_BAR_PLACE || followed.bar == TABLES_BAR_NOWHERE)
        return none;
    under = what_is_under(scan, &followed);
    if (under != NULL) {
        if (judged)
            leave_out(scan, t, index, raw, followed.damage, under);
        return none;
    }
    if (followed.repeated != TABLES_NOT_REPEATED && judged)
        report_damage(scan, table, index, raw, FORMAT_FINDING_L2_SHARED,
                      "names an L2 table that other L1 entries name as well");
    table->counts.l2_tables++;
    return (struct named_l2){followed.l2_off, followed.repeated};
}

/* One job for all of @waiting that share the table of the first one. Those that are left stay. */
static int queue_shared(struct tables_scan *scan, uint32_t index, const struct named_l2 *l2,
                        size_t *waiting, size_t *n_waiting)
{
    size_t first = waiting[0], group[TABLES_SCAN_MAX], n_group = 0, n_left = 0;

    for (size_t i = 0; i < *n_waiting; i++) {
        size_t t = waiting[i];

        if (l2[t].off == l2[first].off &&
            scan->tables[t].virtual_bytes == scan->tables[first].virtual_bytes)
            group[n_group++] = t;
        else
            waiting[n_left++] = t;
    }
    *n_waiting = n_left;
    return add_job(scan, index, l2[first].off, l2[first].repeated, group, n_group);
}

/*
 * Queues the L2 tables that the L1 tables name at @index, each once for all that share it. A
 * table of another disk size is taken as another one: fewer of its entries may lie on the disk.
 */
static int queue_named(struct tables_scan *scan, uint32_t index)
{
    size_t waiting[TABLES_SCAN_MAX], n_waiting = 0;
    struct named_l2 l2[TABLES_SCAN_MAX];
    int ret;

    for (size_t i = 0; i < scan->l1.n_live; i++) {
        size_t t = scan->l1.live[i];

        l2[t] = l2_to_walk(scan, t, index);
        if (l2[t].off != 0)
            waiting[n_waiting++] = t;
    }
    ret = scan->ret;
    while (n_waiting > 0 && ret == 0)
        ret = queue_shared(scan, index, l2, waiting, &n_waiting);
    return ret;
}

static int scan_range(struct tables_scan *scan)
{
    int ret;

    while ((ret = tables_l1_next(&scan->l1, scan->err)) == 1) {
        scan->asked_size = false;
        ret = 0;
        for (uint32_t i = 0; i < scan->l1.n && ret == 0; i++)
            ret = queue_named(scan, scan->l1.first + i);
        if (ret < 0)
            return ret;
    }
    return ret < 0 ? ret : drain(scan);
}

/* ---- parts and the whole ---- */

int tables_plan_new(struct format_image *image, const struct tables_table *tables, size_t n_tables,
                    struct tables_span span, enum tables_pieces pieces, struct tables_plan **made,
                    struct err *err)
{
    struct tables_plan *plan = calloc(1, sizeof(*plan));
    uint64_t l2_span = format_l2_span(&image->header), first, end;
    int ret;

    if (plan == NULL)
        return err_no_memory(err);
    plan->image = image;
    plan->entry_rules = format_image_rules(image);
    plan->tables = tables;
    plan->n_tables = n_tables;
    plan->span = span;
    plan->pieces = pieces;
    for (size_t t = 0; t < n_tables; t++) {
        uint32_t entries = tables_l1_entries(image, &tables[t]);

        plan->end = entries > plan->end ? entries : plan->end;
    }
    first = span.begin / l2_span;
    end = span.end / l2_span + (span.end % l2_span != 0);
    plan->end = end < plan->end ? (uint32_t)end : plan->end;
    plan->first = first < plan->end ? (uint32_t)first : plan->end;
    ret = tables_overlap_find(image, &plan->entry_rules, tables, n_tables, &plan->overlap, err);
    if (ret < 0)
        tables_plan_free(plan);
    else
        *made = plan;
    return ret;
}

void tables_plan_free(struct tables_plan *plan)
{
    if (plan == NULL)
        return;
    tables_overlap_free(&plan->overlap);
    free(plan);
}

uint32_t tables_plan_first(const struct tables_plan *plan)
{
    return plan->first;
}

uint32_t tables_plan_end(const struct tables_plan *plan)
{
    return plan->end;
}

uint64_t tables_plan_l2_bytes(const struct tables_plan *plan)
{
    return plan->overlap.n_tables * plan->entry_rules.cluster_bytes;
}

bool tables_plan_looked(const struct tables_plan *plan)
{
    return plan->overlap.looked;
}

struct tables_scan *tables_scan_new(const struct tables_plan *plan)
{
    struct tables_scan *scan = calloc(1, sizeof(*scan));
    struct err ignored = {0};

    if (scan == NULL)
        return NULL;
    scan->plan = plan;
    scan->entry_rules = plan->entry_rules;
    scan->rules = tables_l2_rules_of(&plan->image->header, &scan->entry_rules,
                                     plan->image->header.virtual_bytes, plan->pieces);
    scan->rules.span = plan->span;
    scan->fetch.io = plan->image->io;
    scan->fetch.file_bytes = scan->entry_rules.file_bytes;
    scan->fetch.deliver = deliver;
    scan->fetch.context = scan;
    if (plan->overlap.n_repeated > 0)
        scan->kept = calloc(TABLES_KEPT_MAX, sizeof(*scan->kept));
    if ((plan->overlap.n_repeated > 0 && scan->kept == NULL) ||
        tables_l1_init(&scan->l1, plan->image, plan->tables, plan->n_tables, &ignored) < 0 ||
        tables_fetch_init(&scan->fetch) < 0) {
        tables_scan_free(scan);
        return NULL;
    }
    return scan;
}

void tables_scan_free(struct tables_scan *scan)
{
    if (scan == NULL)
        return;
    tables_fetch_free(&scan->fetch);
    tables_l1_free(&scan->l1);
    free(scan->kept);
    free(scan);
}

int tables_scan_part(struct tables_scan *scan, uint32_t first, uint32_t end,
                     struct tables_table *tables, const struct tables_visitor *visitor,
                     struct err *err)
{
    scan->tables = tables;
    scan->visitor = visitor;
    scan->err = scan->fetch.err = err;
    scan->n_jobs = scan->n_members = 0;
    scan->ret = 0;
    scan->n_repeats = 0;
    if (scan->kept != NULL)
        memset(scan->kept, 0, TABLES_KEPT_MAX * sizeof(*scan->kept));
    tables_l1_set_range(&scan->l1, first, end);
    return scan_range(scan);
}

int tables_scan(struct format_image *image, struct tables_table *tables, size_t n_tables,
                const struct tables_visitor *visitor, struct err *err)
{
    struct tables_plan *plan;
    struct tables_scan *scan;
    int ret;

    if (n_tables == 0)
        return 0;
    ret = tables_plan_new(image, tables, n_tables, TABLES_SPAN_ALL, visitor->pieces, &plan, err);
    if (ret < 0)
        return ret;
    scan = tables_scan_new(plan);
    ret = scan == NULL ? err_no_memory(err)
                       : tables_scan_part(scan, 0, plan->end, tables, visitor, err);
    tables_scan_free(scan);
    tables_plan_free(plan);
    return ret;
}

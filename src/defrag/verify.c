// SPDX-License-Identifier: MIT
/*
 * Owns the proof of the mapping. It is walked by the code that measures, which knows nothing of how
 * it was written.
 */
#include "verify.h"

#include "bitset.h"
#include "err.h"
#include "finding.h"
#include "image.h"
#include "owner.h"
#include "plan.h"
#include "scan.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What is mapped below each L1 entry, as a number. */
struct digests {
    const struct defrag_plan *plan; /* of the source, whose places it changes; NULL: they stay */
    bool zeros;                     /* zero clusters count, too */
    uint64_t l2_span;
    uint64_t *list;
    size_t n_list;
    struct defrag_hint hint;
};

static uint64_t mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 29;
}

static bool is_left_out(const struct digests *digests, const struct piece *piece)
{
    const struct defrag_plan *plan = digests->plan;
    uint64_t cluster;

    if (plan == NULL || plan->zeros == NULL || piece->kind != PIECE_DATA ||
        piece->file != PIECE_FILE_IMAGE)
        return false;
    cluster = piece->begin >> plan->image->header.cluster_bits;
    return bitset_has(plan->zeros, cluster);
}

static void take_piece(struct digests *digests, const struct piece *piece)
{
    bool is_zero = !piece_is_mapped(piece->kind);
    uint64_t index = piece->guest_off / digests->l2_span, begin = piece->begin, digest;

    if (index >= digests->n_list || (is_zero && !digests->zeros) || is_left_out(digests, piece))
        return;
    if (digests->plan != NULL && piece->kind != PIECE_ZERO && piece->file == PIECE_FILE_IMAGE)
        begin = defrag_moves_to(piece->kind == PIECE_COMPRESSED ? &digests->plan->blobs
                                                                : &digests->plan->data,
                                begin, &digests->hint);
    digest = mix(digests->list[index], (uint64_t)piece->kind << 56 ^ piece->guest_off);
    digest = mix(digest, piece->guest_bytes ^ piece->mapped_bytes << 32);
    digest = mix(digest, begin);
    digests->list[index] = mix(digest, piece->missing ^ (uint64_t)piece->file << 32);
}

static int take(void *context, const struct piece_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        struct piece piece = piece_batch_piece(batch, i);

        take_piece(context, &piece);
    }
    return 0;
}

static struct piece_sink begin(void *context, struct tables_members members, size_t keep)
{
    (void)members;
    (void)keep;
    return (struct piece_sink){take, context};
}

/* All that a table names, as far as its L1 entries go: VM state, too. */
static int digest_table(struct format_image *image, size_t number, struct digests *digests,
                        struct format_findings *findings, struct err *err)
{
    const struct tables_visitor visitor = {.context = digests, .begin = begin, .pieces = TABLES_PIECES_DETAIL};
    struct tables_table table = tables_table_of_snapshot(image, number);
    int ret;

    table.virtual_bytes = table.l1_entries * format_l2_span(&image->header);
    digests->l2_span = format_l2_span(&image->header);
    digests->n_list = table.l1_entries;
    digests->list = calloc(digests->n_list + 1, sizeof(*digests->list));
    if (digests->list == NULL)
        return err_no_memory(err);
    ret = tables_scan(image, &table, 1, &visitor, err);
    format_findings_merge(findings, &table.findings);
    return ret;
}

static int compare(const struct digests *old, const struct digests *new, const char *name,
                   struct err *err)
{
    for (size_t i = 0; i < old->n_list && i < new->n_list; i++)
        if (old->list[i] != new->list[i])
            return err_set(err, EIO,
                           "the new image maps another thing than the old one, in the %" PRIu64
                           " bytes of the guest disk from 0x%" PRIx64 " on (%s)",
                           old->l2_span, i * old->l2_span, name);
    return old->n_list == new->n_list
               ? 0
               : err_set(err, EIO, "the L1 table of the new image has another length (%s)", name);
}

static int compare_table(const struct defrag_plan *plan, struct format_image *source,
                         struct format_image *written, size_t number, struct err *err)
{
    bool zeros = !plan->reserve && plan->zeros == NULL;
    struct digests old = {.plan = plan, .zeros = zeros}, new = {.zeros = zeros};
    struct format_findings of_old = {0}, of_new = {0};
    int ret = digest_table(source, number, &old, &of_old, err);

    if (ret == 0)
        ret = digest_table(written, number, &new, &of_new, err);
    if (ret == 0 && format_findings_have_error(&of_new))
        ret = err_set(err, EIO, "the new image is damaged: %s %s", of_new.list[0].where,
                      of_new.list[0].message);
    if (ret == 0)
        ret = compare(&old, &new, number == TABLES_TABLE_ACTIVE ? "active" : "a snapshot", err);
    format_findings_free(&of_old);
    format_findings_free(&of_new);
    free(old.list);
    free(new.list);
    return ret;
}

static int check_refcounts(struct format_image *written, struct err *err)
{
    struct format_findings findings = {0};
    const struct space_owner_options options = {.findings = &findings};
    struct space_owners owners;
    int ret = space_owner_find(written, &options, &owners, err);

    if (ret == 0 && (!owners.known || !owners.leaks_known || !owners.whole))
        ret = err_set(err, EIO, "the refcounts of the new image cannot be checked");
    else if (ret == 0 && (owners.low > 0 || owners.high > 0 || owners.left_out > 0 ||
                          owners.bytes[SPACE_OWNER_LEAKED] > 0 || findings.total > 0))
        ret = err_set(err, EIO, "the refcounts of the new image are wrong: %s %s",
                      findings.n_list > 0 ? findings.list[0].where : "refcount",
                      findings.n_list > 0 ? findings.list[0].message : "a cluster is leaked");
    format_findings_free(&findings);
    space_owners_free(&owners);
    return ret;
}

int defrag_verify_mapping(const struct defrag_plan *plan, struct format_image *source,
                          struct io *written, struct err *err)
{
    struct format_image image;
    int ret = format_image_open(written, &image, err);

    if (ret < 0)
        return ret;
    if (image.snapshots.n_list != source->snapshots.n_list ||
        image.bitmaps.n_list != source->bitmaps.n_list ||
        image.findings.total > source->findings.total)
        ret = err_set(err, EIO, "the new image has other snapshots or bitmaps than the old one");
    if (ret == 0)
        ret = compare_table(plan, source, &image, TABLES_TABLE_ACTIVE, err);
    for (size_t i = 0; i < image.snapshots.n_list && ret == 0; i++)
        ret = compare_table(plan, source, &image, i, err);
    if (ret == 0)
        ret = check_refcounts(&image, err);
    format_image_close(&image);
    return ret;
}

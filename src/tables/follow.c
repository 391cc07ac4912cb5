// SPDX-License-Identifier: MIT
/* Owns the rule. Judges single entries: what to do about damage is the follower's business. */
#include "follow.h"

#include "overlap.h"

/* The table at @off lies on other metadata. */
static bool lies_on_metadata(const struct tables_overlap *overlap,
                             const struct format_entry_rules *rules, uint64_t off,
                             struct tables_followed *followed)
{
    const struct format_extent *extent =
        format_metadata_find(overlap->metadata, off, rules->cluster_bytes);

    if (extent == NULL)
        return false;
    followed->bar = TABLES_BAR_METADATA;
    followed->under = format_metadata_name(extent->kind);
    followed->l2_off = 0;
    return true;
}

struct tables_followed tables_follow(const struct tables_overlap *overlap,
                                     const struct format_entry_rules *rules, uint64_t raw)
{
    struct format_l1_entry entry = format_l1_entry_of(rules, raw);
    struct tables_followed followed = {
        .damage = entry.damage, .l2_off = entry.l2_off, .repeated = TABLES_NOT_REPEATED};

    if (entry.l2_off == 0) {
        bool points = (raw & FORMAT_ENTRY_OFFSET) != 0;

        followed.bar = points ? TABLES_BAR_PLACE : TABLES_BAR_NOWHERE;
        /* The file may end in what it points into, which is the better explanation. */
        if (entry.damage == FORMAT_FINDING_L1_PAST_END &&
            lies_on_metadata(overlap, rules, raw & FORMAT_ENTRY_OFFSET, &followed))
            followed.damage = FORMAT_SOUND;
        return followed;
    }
    if (lies_on_metadata(overlap, rules, entry.l2_off, &followed))
        return followed;
    followed.repeated = tables_overlap_repeated(overlap, entry.l2_off);
    if (rules->external_data && followed.repeated != TABLES_NOT_REPEATED)
        followed.bar = TABLES_BAR_DATA_FILE;
    return followed;
}

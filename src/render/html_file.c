// SPDX-License-Identifier: MIT
/* Owns what is said of a file: its format, its host, its space, and damage. */
#include "html_file.h"

#include "html_frame.h"
#include "html_histogram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define FINDINGS_BYTES 60000 /* for those of an image */

static void begin_pair(struct html *html, const struct html_subjects *subjects)
{
    if (subjects->n > 1)
        html_put(html, "<div class=\"pair\">\n");
}

static void begin_side(struct html *html, const struct html_subject *subject)
{
    if (subject->label != NULL)
        html_format(html, "<div>\n<h3>%s</h3>\n", subject->label);
}

static void end_side(struct html *html, const struct html_subject *subject)
{
    if (subject->label != NULL)
        html_put(html, "</div>\n");
}

static void end_pair(struct html *html, const struct html_subjects *subjects)
{
    html_put(html, subjects->n > 1 ? "</div>\n</section>\n" : "</section>\n");
}

/* ---- the image, and the host's layer ---- */

static void put_fact(struct html *html, const char *name, const char *value)
{
    html_format(html, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", name, value);
}

static void put_name(struct html *html, const char *name, const char *bytes, size_t len)
{
    if (bytes == NULL)
        return;
    html_format(html, "<tr><th scope=\"row\">%s</th><td class=\"name\">", name);
    html_isolated(html, bytes, len, 1100);
    html_put(html, "</td></tr>\n");
}

static void put_format(struct html *html, const struct report_image *image)
{
    static const char *const encryption[] = {"none", "AES", "LUKS"};
    const struct report_format *format = &image->format;
    char text[64];

    snprintf(text, sizeof(text), "qcow2 version %" PRIu32 "%s", format->version,
             format->extended_l2 ? ", extended L2" : "");
    put_fact(html, "format", text);
    put_fact(html, "guest disk", render_number_size(format->virtual_bytes));
    put_fact(html, "length of the file", render_number_size(format->file_bytes));
    put_fact(html, "clusters", render_number_size(format->cluster_bytes));
    put_fact(html, "compression", format_compression_name(format->compression));
    put_fact(html, "encryption", encryption[format->encryption]);
    put_fact(html, "snapshots", render_number_count(format->snapshot_count));
    put_fact(html, "QEMU&#39;s L2 cache for all of it", render_number_size(format->l2_cache_bytes));
    put_name(html, "external data file", format->data_file.bytes, format->data_file.len);
}

static void put_host(struct html *html, const struct report_host *host)
{
    put_name(html, "file system", host->filesystem,
             host->filesystem != NULL ? strlen(host->filesystem) : 0);
    put_name(html, "device", host->device, host->device != NULL ? strlen(host->device) : 0);
    if (host->rotational.known)
        put_fact(html, "the device",
                 host->rotational.value ? "spins, as it says" : "has no moving parts");
    if (!host->known) {
        if (host->reason != NULL)
            put_name(html, "extents on the host", host->reason, strlen(host->reason));
        return;
    }
    put_fact(html, "extents on the host", render_number_count(host->extents));
    if (host->extents > 0)
        put_fact(html, "their mean length", html_mean(host->extent_mean_bytes));
    if (host->unplaced_bytes > 0)
        put_fact(html, "not on the device yet", render_number_size(host->unplaced_bytes));
}

/* Who loses the time. */
static void put_shares(struct html *html, const struct report_verdict *verdict)
{
    if (!verdict->known || !verdict->image_share.known || !verdict->host_share.known)
        return;
    html_format(
        html,
        "<p>Of the time that is lost, the order in the image loses %.0f %%, the host&#39;s file "
        "system %.0f %%.</p>\n",
        100 * verdict->image_share.value, 100 * verdict->host_share.value);
}

void html_file(struct html *html, const struct html_subjects *subjects)
{
    html_frame_section(html, "file", "The file and its host", NULL);
    begin_pair(html, subjects);
    for (size_t i = 0; i < subjects->n; i++) {
        const struct html_subject *subject = &subjects->list[i];

        begin_side(html, subject);
        put_shares(html, &subject->image->verdict);
        html_frame_table(html, "What the file is, and where it lies", NULL);
        html_put(html, "<tbody>\n");
        put_format(html, subject->image);
        put_host(html, &subject->image->host);
        html_frame_table_end(html);
        end_side(html, subject);
    }
    end_pair(html, subjects);
}

/* ---- space ---- */

#define N_OWNERS 7

struct owner {
    const char *name;
    struct opt_u64 bytes;
};

static void find_owners(const struct report_space *space, struct owner owners[N_OWNERS])
{
    const bool sure = space->reclaimable_bytes.known;

    owners[0] = (struct owner){"active data", opt_u64_of(space->active_bytes)};
    owners[1] = (struct owner){"metadata", opt_u64_of(space->metadata_bytes)};
    owners[2] = (struct owner){"VM state", opt_u64_of(space->vm_state_bytes)};
    owners[3] = (struct owner){"only in snapshots", opt_u64_of(space->snapshot_only_bytes)};
    owners[4] = (struct owner){sure ? "leaked" : "unknown",
                               sure ? space->leaked_bytes : opt_u64_of(space->unknown_bytes)};
    owners[5] = (struct owner){"free", opt_u64_of(space->free_bytes)};
    owners[6] = (struct owner){"behind the end", opt_u64_of(space->tail_bytes)};
}

static void put_owners(struct html *html, const struct report_image *image)
{
    struct owner owners[N_OWNERS];
    double all = image->format.file_bytes > 0 ? (double)image->format.file_bytes : 1, at = 0;

    find_owners(image->space, owners);
    html_put(html, "<svg class=\"bar stack\" width=\"100%\" height=\"26\" aria-hidden=\"true\">");
    for (unsigned i = 0; i < N_OWNERS; i++) {
        double share = owners[i].bytes.known ? 100 * (double)owners[i].bytes.value / all : 0;

        if (share > 0)
            html_format(html,
                        "<rect class=\"k%u\" x=\"%.3f%%\" width=\"%.3f%%\" height=\"100%%\"/>", i,
                        at, share);
        at += share;
    }
    html_put(html, "</svg>\n");
    html_frame_table(html, "Whose the bytes of the file are", NULL);
    html_put(html, "<thead><tr><th scope=\"col\">owner</th><th scope=\"col\" class=\"n\">bytes</th>"
                   "<th scope=\"col\" class=\"n\">of the file</th></tr></thead>\n<tbody>\n");
    for (unsigned i = 0; i < N_OWNERS; i++)
        html_format(
            html,
            "<tr><th scope=\"row\"><svg class=\"key\" width=\"12\" height=\"12\" "
            "aria-hidden=\"true\"><rect class=\"k%u\" width=\"12\" height=\"12\"/></svg>%s</th><td "
            "class=\"n\">%s</td>"
            "<td class=\"n\">%s</td></tr>\n",
            i, owners[i].name,
            owners[i].bytes.known ? render_number_size(owners[i].bytes.value) : "-",
            owners[i].bytes.known ? html_percent((double)owners[i].bytes.value / all) : "-");
    html_frame_table_end(html);
}

static void put_gaps(struct html *html, const struct report_space *space)
{
    if (space->free_gaps == 0)
        return;
    html_frame_table(html, "Free gaps by length", NULL);
    html_put(html, "<thead><tr><th scope=\"col\" class=\"n\">gaps from</th><th scope=\"col\" "
                   "class=\"n\">gaps</th>"
                   "<th scope=\"col\" class=\"n\">bytes</th><td></td></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < space->free_gap_histogram.n; i++) {
        const struct report_gap_class *class = &space->free_gap_histogram.list[i];

        html_format(html,
                    "<tr><th scope=\"row\" class=\"n\">%s</th><td class=\"n\">%s</td><td "
                    "class=\"n\">%s</td>",
                    render_number_size(class->from_bytes), render_number_count(class->gaps),
                    render_number_size(class->bytes));
        html_histogram_bar(html, (double)class->bytes / (double)space->free_bytes, "plain");
        html_put(html, "</tr>\n");
    }
    html_frame_table_end(html);
}

static void put_space(struct html *html, const struct report_image *image)
{
    const struct report_space *space = image->space;

    if (space == NULL) {
        html_put(html, "<p>Not looked at here, since that takes longer: <code>--space</code> "
                       "adds it.</p>\n");
        return;
    }
    if (space->reclaimable_bytes.known)
        html_format(html, "<p>The file could be %s shorter and hold the same.</p>\n",
                    render_number_size(space->reclaimable_bytes.value));
    put_owners(html, image);
    put_gaps(html, space);
}

void html_file_space(struct html *html, const struct html_subjects *subjects)
{
    html_frame_section(html, "space", "Space", NULL);
    begin_pair(html, subjects);
    for (size_t i = 0; i < subjects->n; i++) {
        begin_side(html, &subjects->list[i]);
        put_space(html, subjects->list[i].image);
        end_side(html, &subjects->list[i]);
    }
    end_pair(html, subjects);
}

/* ---- findings ---- */

static void put_finding(struct html *html, const struct format_finding *finding)
{
    bool error = format_finding_severity(finding->code) == FORMAT_ERROR;

    html_format(html, "<tr><td>%s</td><td><code>", error ? "damage" : "note");
    html_sentence(html, finding->where);
    if (finding->has_host_off)
        html_format(html, "</code></td><td class=\"n\">0x%" PRIx64 "</td><td class=\"why\">",
                    finding->host_off);
    else
        html_put(html, "</code></td><td class=\"n\">-</td><td class=\"why\">");
    html_sentence(html, finding->message);
    html_put(html, "</td></tr>\n");
}

static void put_findings(struct html *html, const struct format_findings *findings)
{
    size_t room, i;

    if (findings->total == 0) {
        html_put(html, "<p>None: what was read keeps the rules of the format.</p>\n");
        return;
    }
    html_frame_table(html, "What is odd or damaged", NULL);
    html_put(html, "<thead><tr><th scope=\"col\">kind</th><th scope=\"col\">where</th>"
                   "<th scope=\"col\" class=\"n\">offset</th><th "
                   "scope=\"col\">what</th></tr></thead>\n<tbody>\n");
    room = html->n_bytes + FINDINGS_BYTES;
    for (i = 0; i < findings->n_list && html->n_bytes < room; i++)
        put_finding(html, &findings->list[i]);
    if (findings->total > i)
        html_format(html, "<tr><td colspan=\"4\">and %s more</td></tr>\n",
                    render_number_count(findings->total - i));
    html_frame_table_end(html);
}

void html_file_findings(struct html *html, const struct html_subjects *subjects)
{
    html_frame_section(html, "findings", "Findings", NULL);
    begin_pair(html, subjects);
    for (size_t i = 0; i < subjects->n; i++) {
        begin_side(html, &subjects->list[i]);
        put_findings(html, &subjects->list[i].image->findings);
        end_side(html, &subjects->list[i]);
    }
    end_pair(html, subjects);
}

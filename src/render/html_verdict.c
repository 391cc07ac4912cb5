// SPDX-License-Identifier: MIT
/* Owns the first words of the page. What is to be done others decide: recipe, rescue, reclaim. */
#include "html_verdict.h"

#include "cause.h"
#include "cleanup.h"
#include "html_frame.h"
#include "recipe.h"
#include "reclaim.h"
#include "rescue.h"
#include "seconds.h"
#include "size.h"
#include "verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_BYTES_MAX 120000 /* of all commands together: names can be very long */

/* ---- in a word ---- */

static uint64_t far_breaks(const struct report_table *table)
{
    return table->walk.breaks - table->walk.near_jumps;
}

/* Of an image that need not be mended. */
static struct html_state calm_state(const struct html_subject *subject)
{
    const struct report_table *table = subject->table;
    const struct report_seconds seconds = report_seconds_of(table);

    if (table->walk.contiguous_runs == 0)
        return (struct html_state){HTML_GOOD, "Empty",
                                   "nothing is mapped, so nothing can be fragmented"};
    if (far_breaks(table) == 0)
        return (struct html_state){HTML_GOOD, "In order",
                                   "read from front to back, it never seeks"};
    if (seconds.known && seconds.slowdown_low >= REPORT_CALM_SLOWDOWN)
        return (struct html_state){HTML_WARN, "Fragmented", "but it costs little here"};
    return (struct html_state){HTML_GOOD, "In good order", "the few breaks cost next to nothing"};
}

static struct html_state known_state(const struct html_subject *subject)
{
    static const struct html_state states[] = {
        [REPORT_IMAGE] = {HTML_BAD, "Fragmented", "the data lies scattered in the file"},
        [REPORT_HOST] = {HTML_BAD, "Fragmented", "the file lies scattered on the host&#39;s disk"},
        [REPORT_BOTH] = {HTML_BAD, "Fragmented", "in the file, and again on the host&#39;s disk"},
        [REPORT_SNAPSHOTS] = {HTML_BAD, "Fragmented", "by its snapshots"},
        [REPORT_L2_CACHE] = {HTML_WARN, "Slowed down", "by a cache for tables that is too small"},
        [REPORT_UNKNOWN] = {HTML_WARN, "Not known", "the figures are incomplete"},
    };

    return subject->image->verdict.action == REPORT_NONE ? calm_state(subject)
                                                         : states[subject->image->verdict.action];
}

struct html_state html_verdict_state(const struct html_subject *subject)
{
    const struct report_image *image = subject->image;

    if (report_is_damaged(image))
        return (struct html_state){HTML_BAD, "Damaged", "copy the file before anything else"};
    if (image->changing)
        return (struct html_state){HTML_WARN, "Changing",
                                   "it was written to while it was measured"};
    if (subject->table == NULL || !subject->table->measured)
        return (struct html_state){HTML_WARN, "Not known", "the tables could not be read"};
    return image->verdict.known ? known_state(subject) : calm_state(subject);
}

static void put_words(struct html *html, const char *mood, const char *word, const char *rest)
{
    html_format(html,
                "<h1 id=\"verdict\"><span class=\"word %s\">%s<span class=\"off\">: </span></span> "
                "<span class=\"rest\">%s</span></h1>\n",
                mood, word, rest);
}

static void put_title(struct html *html, const struct html_state *state)
{
    static const char *const moods[] = {"good", "warn", "bad"};

    put_words(html, moods[state->mood], state->word, state->sentence);
}

/* ---- the times ---- */

static void put_time(struct html *html, const char *words, double seconds, double most,
                     const char *colour)
{
    double share = most > 0 ? 100 * seconds / most : 0;

    html_time(html, words, seconds, share < 0.5 ? 0.5 : share, colour);
}

static const char *disk_words(const struct report_table *table)
{
    return table->disk.profile == METER_DISK_HDD   ? "a spinning disk"
           : table->disk.profile == METER_DISK_SSD ? "an SSD"
                                                   : "an NVMe drive";
}

static void put_times(struct html *html, const struct html_subject *subject)
{
    struct report_seconds seconds;
    double most;

    if (subject->table == NULL || !subject->table->measured)
        return;
    seconds = report_seconds_of(subject->table);
    if (!seconds.known)
        return;
    most = seconds.seconds > seconds.ideal ? seconds.seconds : seconds.ideal;
    html_format(
        html,
        "<p class=\"small soft\">Time to read the whole disk on %s%s</p>\n<dl class=\"times\">\n",
        disk_words(subject->table),
        subject->table->disk.assumed ? " (which this one is taken for)" : "");
    put_time(html, "as it lies", seconds.seconds, most,
             seconds.slowdown_low >= REPORT_CALM_SLOWDOWN ? "bad" : "good");
    put_time(html, "in order", seconds.ideal, most, "good");
    html_put(html, "</dl>\n");
}

/* ---- why ---- */

static void put_causes(struct html *html, const struct report_verdict *verdict)
{
    for (size_t i = 0; i < verdict->n_causes; i++) {
        const struct report_cause *cause = &verdict->causes[i];

        html_format(html, "<p><strong>%s</strong> ", i == 0 ? "Likely cause:" : "And:");
        html_sentence(html, report_cause_text(cause->code));
        if (cause->share.known && cause->share.value > 0)
            html_format(html, " (%s of the breaks)", html_percent(cause->share.value));
        html_put(html, ". Against it: <code>");
        html_sentence(html, cause->option);
        html_put(html, "</code>, ");
        html_sentence(html, report_cause_place(cause->code));
        html_put(html, ".</p>\n");
    }
}

static void put_part(struct html *html, const struct html_subject *subject)
{
    const struct report_table *table = subject->table;

    if (table == NULL)
        return;
    if (table->is_snapshot) {
        html_put(html, "<p>This is snapshot ");
        html_isolated(html, table->id.bytes, table->id.len, 100);
        html_put(html, ", \xe2\x80\x9c");
        html_isolated(html, table->name.bytes, table->name.len, 300);
        html_put(html, "\xe2\x80\x9d, not the active state.</p>\n");
    }
    if (table->range.known)
        html_format(html, "<p>All figures are of a part of the disk: %s from %s on.</p>\n",
                    render_number_size(table->range.len_bytes),
                    render_number_size(table->range.guest_off));
}

void html_verdict(struct html *html, const struct html_subject *subject)
{
    const struct html_state state = html_verdict_state(subject);
    const struct report_image *image = subject->image;

    put_title(html, &state);
    if (image->verdict.known && image->verdict.reason != NULL) {
        html_put(html, "<p class=\"lead\">");
        html_sentence(html, image->verdict.reason);
        html_put(html, "</p>\n");
    }
    put_part(html, subject);
    if (image->being_written)
        html_put(html, "<p>The image is in use, and may be written to: the figures may be a moment "
                       "old.</p>\n");
    put_times(html, subject);
    put_causes(html, &image->verdict);
}

/* ---- before and after ---- */

/* By the clock that both have: with the host only where both are known with it. */
static bool both_seconds(const struct html_subjects *subjects, double seconds[2])
{
    struct report_seconds judged[2];

    for (size_t i = 0; i < 2; i++) {
        const struct report_table *table = subjects->list[i].table;

        if (table == NULL || !table->measured)
            return false;
        judged[i] = report_seconds_of(table);
        if (!judged[i].known)
            return false;
    }
    for (size_t i = 0; i < 2; i++)
        seconds[i] = judged[0].with_host && judged[1].with_host
                         ? judged[i].seconds
                         : subjects->list[i].table->disk.seconds;
    return true;
}

static void put_change_title(struct html *html, const double seconds[2])
{
    double times = seconds[1] > 0 ? seconds[0] / seconds[1] : 1;
    char rest[96];

    if (times >= 1.02) {
        snprintf(rest, sizeof(rest), "the disk is read %.*f times as fast as before",
                 times < 10 ? 1 : 0, times);
        put_words(html, "good", "Better", rest);
    } else if (times <= 0.98) {
        snprintf(rest, sizeof(rest), "reading the disk takes %.*f times as long as before",
                 times > 0.1 ? 1 : 0, 1 / times);
        put_words(html, "bad", "Worse", rest);
    } else {
        put_words(html, "warn", "No change",
                  "the disk is read no faster and no slower than before");
    }
}

void html_verdict_change(struct html *html, const struct html_subjects *subjects)
{
    double seconds[2];

    if (!both_seconds(subjects, seconds)) {
        put_words(html, "warn", "Compared", "before and after");
        return;
    }
    put_change_title(html, seconds);
    html_format(
        html,
        "<p class=\"small soft\">Time to read the whole disk on %s</p>\n<dl class=\"times\">\n",
        disk_words(subjects->list[0].table));
    for (size_t i = 0; i < 2; i++)
        put_time(html, i == 0 ? "before" : "after", seconds[i],
                 seconds[0] > seconds[1] ? seconds[0] : seconds[1],
                 seconds[i] > seconds[1 - i] * 1.02 ? "bad" : "good");
    html_put(html, "</dl>\n");
}

/* ---- what to do ---- */

static void put_steps(struct html *html, const struct report_recipe *recipe)
{
    size_t commands_bytes = 0;

    for (size_t i = 0; i < recipe->n; i++)
        commands_bytes += strlen(recipe->steps[i].text) +
                          (recipe->steps[i].command != NULL ? strlen(recipe->steps[i].command) : 0);
    if (commands_bytes * HTML_BYTE_MAX > STEPS_BYTES_MAX) {
        html_put(html, "<p>The commands are too long for this page, as the name of the image is: "
                       "<code>qcow2frag measure</code> prints them.</p>\n");
        return;
    }
    html_put(html, "<ol class=\"steps\">\n");
    for (size_t i = 0; i < recipe->n; i++) {
        html_put(html, "<li><p>");
        html_sentence(html, recipe->steps[i].text);
        html_put(html, "</p>");
        if (recipe->steps[i].command != NULL) {
            html_put(html, "<pre>");
            html_sentence(html, recipe->steps[i].command);
            html_put(html, "</pre>");
        }
        html_put(html, "</li>\n");
    }
    html_put(html, "</ol>\n");
}

static int put_recipe(struct html *html, const struct report_image *image, const char *title,
                      int (*find)(const struct report_image *, struct report_recipe *))
{
    CLEANUP(report_recipe_release) struct report_recipe recipe = {.n = 0};
    int ret = find(image, &recipe);

    if (ret < 0 || recipe.n == 0)
        return ret;
    if (title != NULL)
        html_format(html, "<h3>%s</h3>\n", title);
    put_steps(html, &recipe);
    return 0;
}

bool html_verdict_has_steps(const struct report_image *image)
{
    return report_is_damaged(image) ||
           (image->verdict.known && image->verdict.action != REPORT_NONE) || image->space != NULL;
}

int html_verdict_steps(struct html *html, const struct report_image *image)
{
    bool damaged = report_is_damaged(image);
    size_t before;
    int ret;

    if (!html_verdict_has_steps(image))
        return 0;
    html_frame_section(html, "todo", "What to do", NULL);
    before = html->n_bytes;
    ret = put_recipe(html, image, damaged ? "To save the data" : NULL, report_rescue);
    if (ret == 0 && image->verdict.known)
        ret = put_recipe(html, image, damaged ? "Then" : NULL, report_recipe);
    if (ret == 0)
        ret = put_recipe(html, image, "To get space back", report_reclaim);
    if (html->n_bytes == before)
        html_put(html, "<p>Nothing: leave it as it is.</p>\n");
    html_put(html, "</section>\n");
    return ret;
}

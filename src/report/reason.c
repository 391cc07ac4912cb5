// SPDX-License-Identifier: MIT
/* Owns the sentences of a verdict. A number has only the digits that the model can bear. */
#include "reason.h"

#include "cost.h"
#include "duration.h"
#include "size.h"
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A share in words: nobody believes in 0.8731 of it. */
static const char *share_text(double share)
{
    static const char *const tenths[] = {
        "next to nothing", "a tenth",      "a fifth",     "three tenths", "two fifths", "half",
        "three fifths",    "seven tenths", "four fifths", "nine tenths",  "nearly all"};

    return share >= 0.995 ? "all" : tenths[(int)(share * 10 + 0.5)];
}

struct sentence {
    char text[640];
    size_t len;
};

static void say(struct sentence *sentence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct sentence *sentence, const char *format, ...)
{
    size_t room = sizeof(sentence->text) - sentence->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(sentence->text + sentence->len, room, format, args);
    va_end(args);
    sentence->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* "about 18 minutes": "18 min" is short enough. */
static const char *about(char text[DURATION_TEXT_MAX], double seconds)
{
    duration_format(text, seconds);
    return text;
}

static const char *what_is_read(const struct report_case *facts)
{
    return facts->range ? "this part of the disk" : "the whole disk";
}

static const char *spins(const struct report_case *facts)
{
    return facts->assumed ? ", if the disk spins" : "";
}

static void say_times(struct sentence *sentence, const struct report_case *facts)
{
    char whole[DURATION_TEXT_MAX], ideal[DURATION_TEXT_MAX];

    say(sentence, "Reading %s takes about %s where %s would do%s; ", what_is_read(facts),
        about(whole, facts->judged.seconds), about(ideal, facts->judged.ideal), spins(facts));
}

static void say_blame(struct sentence *sentence, const struct report_image *image,
                      const struct report_verdict *verdict, const struct report_case *facts)
{
    char size[SIZE_TEXT_MAX], count[SIZE_TEXT_MAX], after[DURATION_TEXT_MAX];

    say_times(sentence, facts);
    switch (verdict->action) {
    case REPORT_HOST:
        size_format_count(count, image->host.extents);
        say(sentence, "%s of that is the host file system's, where the file lies in %s %s.",
            share_text(verdict->host_share.value), count,
            size_noun(image->host.extents, "piece", "pieces"));
        return;
    case REPORT_BOTH:
        say(sentence, "%s of that is the image's own order, the rest the host file system's.",
            share_text(verdict->image_share.value));
        return;
    case REPORT_L2_CACHE:
        size_format(size, image->format.l2_cache_bytes);
        say(sentence,
            "the time goes into fetching L2 tables piece by piece, since QEMU's default cache of "
            "32 MiB does not hold those of this disk. One of %s would.",
            size);
        return;
    default:
        say(sentence, "%s of that is the image's own order. Rewritten, it would take %s.",
            share_text(verdict->image_share.value), about(after, facts->after_defrag_seconds));
    }
    if (verdict->action == REPORT_SNAPSHOTS) {
        size_format(size, facts->snapshot_bytes.value);
        say(sentence, " Its snapshots hold %s that the disk itself no longer needs.", size);
    }
    if (facts->sparse && image->host.unplaced_bytes > 0)
        say(sentence, " Much of the file has no place on the device yet.");
    else if (facts->sparse && !facts->judged.with_host)
        say(sentence, " Much of the file is a hole on the host, and is taken as data here.");
    else if (!facts->judged.with_host)
        say(sentence, " How the file lies on the host is not known.");
}

static void say_calm(struct sentence *sentence, const struct report_case *facts)
{
    char whole[DURATION_TEXT_MAX], ideal[DURATION_TEXT_MAX];

    about(whole, facts->judged.seconds);
    about(ideal, facts->judged.ideal);
    if (strcmp(whole, ideal) == 0) {
        say(sentence, "Reading %s takes about %s%s, as fast as it can be: nothing to do.",
            what_is_read(facts), whole, spins(facts));
        return;
    }
    say(sentence, "Reading %s takes about %s, where %s would be the least%s: ", what_is_read(facts),
        whole, ideal, spins(facts));
    if (report_is_poor(facts) && facts->external_data)
        say(sentence, "the data lie in guest order in their own file, and no rewrite would change "
                      "that.");
    else if (report_is_poor(facts) && facts->judged.lost < report_felt_seconds(facts->profile))
        say(sentence, "the order is poor, but costs nothing that anyone feels.");
    else if (report_is_calm(facts))
        say(sentence, "nothing to do.");
    else if (facts->image_seconds - facts->after_defrag_seconds >
             facts->after_defrag_seconds - facts->image_ideal)
        say(sentence, "a rewrite would save less than anyone feels.");
    else
        say(sentence, "the rest goes into fetching the image's tables, and no rewrite would change "
                      "that.");
}

static void say_unknown(struct sentence *sentence, const struct report_image *image,
                        const struct report_table *table)
{
    if (image->changing)
        say(sentence, "The image was changing while it was measured: measure it again when it is "
                      "quieter.");
    else if (!image->complete)
        say(sentence, "The image is damaged, and the figures lack what cannot be read: save the data "
                      "first.");
    else
        say(sentence, "Nothing is mapped%s: there is nothing to read.",
            table->range.known ? " in this part of the disk" : "");
}

/* ---- the whole ---- */

char *report_reason_unknown(const struct report_image *image, const struct report_table *table)
{
    struct sentence sentence = {.len = 0};

    say_unknown(&sentence, image, table);
    return strdup(sentence.text);
}

char *report_reason(const struct report_image *image, const struct report_case *facts)
{
    struct sentence sentence = {.len = 0};

    if (image->verdict.action == REPORT_NONE)
        say_calm(&sentence, facts);
    else
        say_blame(&sentence, image, &image->verdict, facts);
    return strdup(sentence.text);
}

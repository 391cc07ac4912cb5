// SPDX-License-Identifier: MIT
/*
 * Owns what the page of a rewrite is made of. The file is opened at the very end: a process writes
 * one thing aside at a time, and until then that is the new image.
 */
#include "rewrite_page.h"

#include "cleanup.h"
#include "duration.h"
#include "output.h"
#include "printed.h"
#include "render_html.h"
#include "size.h"
#include "vec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int rewrite_page_check(const struct rewrite_page *page, struct err *err)
{
    struct io_output output;
    int ret;

    if (page->path == NULL)
        return 0;
    ret = io_output_open(&output, page->path, err);
    if (ret < 0)
        return ret;
    ret = io_output_check(&output, err);
    io_output_abort(&output);
    return ret;
}

const struct report_picture_choice *rewrite_page_picture(const struct rewrite_page *page)
{
    if (page->path == NULL)
        return NULL;
    return page->many ? &render_fleet_picture : &render_html_pictures;
}

/* ---- one image ---- */

static const char *verified_words(enum render_defrag_verified verified)
{
    return verified == RENDER_DEFRAG_NOT_VERIFIED ? "It was not verified."
                                                  : "It was read back and proven.";
}

/* How one became the other. */
static void put_note(char *text, size_t room, const struct render_defrag *result)
{
    char copied[SIZE_TEXT_MAX], seconds[DURATION_TEXT_MAX];

    size_format(copied, result->copied_bytes);
    duration_format(seconds, result->seconds);
    switch (result->state) {
    case RENDER_DEFRAG_DONE:
        snprintf(text, room,
                 "The image was written anew, in the order of the guest disk: %s copied in %s. %s",
                 copied, seconds, verified_words(result->verified));
        break;
    case RENDER_DEFRAG_PLANNED:
        snprintf(text, room, "This is a plan: nothing was written. %s would be copied.", copied);
        break;
    case RENDER_DEFRAG_IN_ORDER:
        snprintf(text, room,
                 "It is in order already, and was left as it is: \"after\" is what a rewrite would "
                 "give.");
        break;
    default:
        snprintf(text, room, "It was left as it is%s%s.", result->notes[0] != NULL ? ": " : "",
                 result->notes[0] != NULL ? result->notes[0] : "");
        break;
    }
}

static int add_one(struct rewrite_page *page, const struct render_defrag *result)
{
    char note[512];
    struct printed printed;
    FILE *stream;
    int ret;

    if (page->text != NULL || result->state == RENDER_DEFRAG_REFUSED ||
        result->state == RENDER_DEFRAG_FAILED || result->before == NULL ||
        result->before->error != NULL)
        return 0;
    stream = printed_open(&printed);
    if (stream == NULL)
        return -ENOMEM;
    put_note(note, sizeof(note), result);
    ret = render_html(stream, result->before, result->after, note);
    page->text = printed_take(&printed, NULL);
    return page->text == NULL ? -ENOMEM : ret;
}

/* ---- many ---- */

static enum render_fleet_state fleet_state(enum render_defrag_state state)
{
    static const enum render_fleet_state states[] = {
        [RENDER_DEFRAG_DONE] = RENDER_FLEET_REWRITTEN,
        [RENDER_DEFRAG_PLANNED] = RENDER_FLEET_PLANNED,
        [RENDER_DEFRAG_IN_ORDER] = RENDER_FLEET_IN_ORDER,
        [RENDER_DEFRAG_REFUSED] = RENDER_FLEET_REFUSED,
        [RENDER_DEFRAG_FAILED] = RENDER_FLEET_FAILED,
        [RENDER_DEFRAG_SKIPPED] = RENDER_FLEET_SKIPPED};

    return states[state];
}

/* By the clock that knows no host, as the table of the command. */
static void take_seconds(const struct render_defrag *result, struct render_fleet_row *row)
{
    const struct report_table *before = report_active_table(result->before);
    const struct report_table *after =
        result->after != NULL ? report_active_table(result->after) : NULL;
    bool changes = result->state == RENDER_DEFRAG_DONE || result->state == RENDER_DEFRAG_PLANNED;

    if (before == NULL || !before->disk.known)
        return;
    row->seconds = opt_f64_of(before->disk.seconds);
    row->lost = opt_f64_of(before->disk.seconds - before->disk.ideal_seconds);
    row->slowdown = opt_f64_of(before->disk.slowdown_low);
    if (changes && after != NULL && after->disk.known)
        row->seconds_after = opt_f64_of(after->disk.seconds);
}

static int add_row(struct rewrite_page *page, const struct render_defrag *result)
{
    struct render_fleet_row *row;
    int ret = 0;

    if (vec_reserve(page, rows) < 0)
        return -ENOMEM;
    row = &page->rows[page->n_rows++];
    memset(row, 0, sizeof(*row));
    if (result->before != NULL) {
        ret = render_fleet_row(result->before, row);
        if (result->before->error == NULL)
            take_seconds(result, row);
    }
    row->path = result->path;
    row->state = fleet_state(result->state);
    if (ret == 0 && result->after != NULL && result->after->picture != NULL)
        ret = html_thumb_fill(&row->after, result->after->picture);
    return ret;
}

int rewrite_page_add(struct rewrite_page *page, const struct render_defrag *result)
{
    if (page->path == NULL)
        return 0;
    return page->many ? add_row(page, result) : add_one(page, result);
}

/* ---- the file ---- */

/* The page as a text; NULL: there is no memory. */
static char *render_rows(struct rewrite_page *page)
{
    struct render_fleet fleet = {.folder = page->folder,
                                 .rewritten = true,
                                 .rows = page->rows,
                                 .n_rows = page->n_rows,
                                 .measured_at = time(NULL)};
    struct printed printed;
    FILE *stream = printed_open(&printed);
    int ret = stream != NULL ? render_fleet(stream, &fleet) : -ENOMEM;
    char *text = printed_take(&printed, NULL);

    if (ret == 0)
        return text;
    free(text);
    return NULL;
}

int rewrite_page_write(struct rewrite_page *page, struct err *err)
{
    struct io_output output;
    int ret;

    if (page->path == NULL || (page->many ? page->n_rows == 0 : page->text == NULL))
        return 0;
    if (page->many)
        page->text = render_rows(page);
    if (page->text == NULL)
        return err_no_memory(err);
    ret = io_output_open(&output, page->path, err);
    if (ret < 0)
        return ret;
    fputs(page->text, output.stream);
    return io_output_commit(&output, err);
}

void rewrite_page_free(struct rewrite_page *page)
{
    free(page->text);
    free(page->rows);
    page->text = NULL;
    page->rows = NULL;
}

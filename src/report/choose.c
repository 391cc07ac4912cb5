// SPDX-License-Identifier: MIT
/* Owns the meaning of --snapshot texts. Ids and names are both text, and both need not be unique.
 */
#include "choose.h"

#include "err.h"
#include "image.h"
#include "measure.h"
#include "size.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 8 /* snapshots that an error message names */

static bool equals(const struct format_name *name, const char *text)
{
    return name->len == strlen(text) && memcmp(name->bytes, text, name->len) == 0;
}

/* "id:2" and "name:2" say which of the two is meant; a bare text may be either. */
static bool matches(const struct format_snapshot *snapshot, const char *text)
{
    if (strncmp(text, "id:", 3) == 0)
        return equals(&snapshot->id, text + 3);
    if (strncmp(text, "name:", 5) == 0)
        return equals(&snapshot->name, text + 5);
    return equals(&snapshot->id, text) || equals(&snapshot->name, text);
}

static void list_one(char *list, size_t size, const struct format_snapshot *snapshot)
{
    char *id = text_escape(snapshot->id.bytes, snapshot->id.len);
    char *name = text_escape(snapshot->name.bytes, snapshot->name.len);
    size_t used = strlen(list);

    snprintf(list + used, size - used, "%sid:%s name:%s", used > 0 ? ", " : "",
             id != NULL ? id : "?", name != NULL ? name : "?");
    free(id);
    free(name);
}

/* Names the snapshots that @text fits, or all if it is NULL. */
static void list_snapshots(const struct format_image *image, const char *text, char *list,
                           size_t size)
{
    size_t n = 0;

    *list = '\0';
    for (size_t i = 0; i < image->snapshots.n_list; i++) {
        if (text != NULL && !matches(&image->snapshots.list[i], text))
            continue;
        if (n++ == LISTED) {
            snprintf(list + strlen(list), size - strlen(list), ", ...");
            return;
        }
        list_one(list, size, &image->snapshots.list[i]);
    }
}

static int find(const struct format_image *image, const char *text, size_t *index, struct err *err)
{
    char list[256];
    size_t n_found = 0;

    for (size_t i = 0; i < image->snapshots.n_list; i++) {
        if (!matches(&image->snapshots.list[i], text))
            continue;
        *index = i;
        n_found++;
    }
    if (n_found == 1)
        return 0;
    list_snapshots(image, n_found == 0 ? NULL : text, list, sizeof(list));
    if (n_found == 0)
        return err_set(err, ENOENT, "has no snapshot \"%s\"; %s%s", text,
                       *list != '\0' ? "it has " : "it has none", list);
    return err_set(err, EINVAL,
                   "the snapshot \"%s\" is not clear: it may be %s; write id:ID or name:NAME", text,
                   list);
}

int report_choose(const struct format_image *image, const struct report_choice *choice,
                  size_t **chosen, size_t *n_chosen, struct err *err)
{
    size_t n = choice->all_snapshots     ? image->snapshots.n_list + 1
               : choice->n_snapshots > 0 ? choice->n_snapshots
                                         : 1;

    *n_chosen = n;
    *chosen = calloc(n, sizeof(**chosen));
    if (*chosen == NULL)
        return err_no_memory(err);
    (*chosen)[0] = TABLES_TABLE_ACTIVE;
    for (size_t i = 0; choice->all_snapshots && i < image->snapshots.n_list; i++)
        (*chosen)[i + 1] = i;
    for (size_t i = 0; i < choice->n_snapshots; i++) {
        size_t index = 0;
        int ret = find(image, choice->snapshots[i], &index, err);

        if (ret < 0)
            return ret;
        if (!choice->all_snapshots)
            (*chosen)[i] = index;
    }
    return 0;
}

int report_choose_span(const struct format_image *image, const struct tables_span *span,
                       const size_t *chosen, size_t n_chosen, struct err *err)
{
    char begin[SIZE_TEXT_MAX], disk[SIZE_TEXT_MAX];
    uint64_t largest = 0;

    for (size_t i = 0; i < n_chosen; i++) {
        uint64_t bytes = tables_table_of_snapshot(image, chosen[i]).virtual_bytes;

        largest = bytes > largest ? bytes : largest;
    }
    if (span == NULL || span->begin < largest)
        return 0;
    size_format(begin, span->begin);
    size_format(disk, largest);
    return err_set(err, EINVAL,
                   "the range begins at %s, but the disk has only %s; choose one inside it", begin,
                   disk);
}

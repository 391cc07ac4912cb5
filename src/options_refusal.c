// SPDX-License-Identifier: MIT
/* Owns the messages about options that there are not, or not so, and the guess which was meant. */
#include "options_refusal.h"

#include "err.h"
#include "options_specs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 32 /* of an option */
#define LIST_MAX 512    /* all names of options fit */

/* Changes of one letter, or of two neighbours, that make @b of @a, both in part: by rows. */
static size_t distance(const char *a, size_t len, const char *b)
{
    size_t width = strlen(b), rows[3][NAME_MAX_LEN + 1];

    for (size_t k = 0; k <= width; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t k = 1; k <= width; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);

            best = above[k] + 1 < best ? above[k] + 1 : best;
            best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                two_above[k - 2] + 1 < best)
                best = two_above[k - 2] + 1;
            row[k] = best;
        }
    }
    return rows[len % 3][width];
}

/* The option whose name is nearest to @name, up to @len; NULL: none is near enough to be meant. */
static const struct options_spec *nearest_spec(const char *name, size_t len)
{
    const struct options_spec *nearest = NULL;
    size_t least = 1 + len / 3; /* one letter in three may be wrong */

    if (len < 2 || len > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < OPTIONS_N_SPECS; i++) {
        size_t changes = distance(name, len, options_specs[i].name);

        if (changes < least) {
            least = changes;
            nearest = &options_specs[i];
        }
    }
    return nearest;
}

static int unknown_option(const char *shown, size_t shown_len, const char *name, size_t len,
                          struct err *err)
{
    const struct options_spec *nearest = nearest_spec(name, len);

    if (nearest != NULL)
        return err_set(err, EINVAL, "%.*s: no such option; is --%s meant?", (int)shown_len, shown,
                       nearest->name);
    return err_set(err, EINVAL, "%.*s: no such option", (int)shown_len, shown);
}

/* Several options begin with the @len letters at @name. False: at most one does. */
static bool is_ambiguous(const char *name, size_t len, char list[LIST_MAX])
{
    size_t n = 0, used = 0;

    for (size_t i = 0; i < OPTIONS_N_SPECS; i++) {
        if (strncmp(options_specs[i].name, name, len) != 0)
            continue;
        used += (size_t)snprintf(list + used, LIST_MAX - used, "%s--%s", n++ > 0 ? ", " : "",
                                 options_specs[i].name);
        if (used >= LIST_MAX)
            break;
    }
    return n > 1;
}

/* getopt's own messages name the program as it was called, and cannot be caught. */
int options_refusal(int found, const char *word, int rejected, struct err *err)
{
    const bool is_long = strncmp(word, "--", 2) == 0;
    const char *name = word + (is_long ? 2 : 1);
    const struct options_spec *spec = options_specs_find(rejected);
    size_t len = strcspn(name, "=");
    char list[LIST_MAX];

    if (found == ':' && spec != NULL)
        return is_long ? err_set(err, EINVAL, "--%s needs a value", spec->name)
                       : err_set(err, EINVAL, "-%c needs a value", rejected);
    if (!is_long)
        return unknown_option((const char[]){'-', (char)rejected, '\0'}, 2, name, strlen(name),
                              err);
    if (spec != NULL)
        return err_set(err, EINVAL, "--%s takes no value", spec->name);
    if (len > 0 && is_ambiguous(name, len, list))
        return err_set(err, EINVAL, "--%.*s: not clear: %s", (int)len, name, list);
    return unknown_option(word, len + 2, name, len, err);
}

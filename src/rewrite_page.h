/* SPDX-License-Identifier: MIT */
/* The page of --report: before and after of what was rewritten, one image or many. */
#ifndef REWRITE_PAGE_H
#define REWRITE_PAGE_H

#include "err.h"
#include "render_defrag.h"
#include "render_fleet.h"

#include <stdbool.h>
#include <stddef.h>

struct rewrite_page {
    const char *path; /* NULL: none is asked for, and nothing here does anything */
    bool many;
    const char *folder; /* that they were found in, alone; or NULL */
    char *text;         /* of one */
    struct render_fleet_row *rows;
    size_t n_rows, cap_rows;
};

/* Before anything is changed: could it be written? 0 or -errno. */
int rewrite_page_check(const struct rewrite_page *page, struct err *err);

/* The pictures that it needs of each image; NULL: none. */
const struct report_picture_choice *rewrite_page_picture(const struct rewrite_page *page);

/* Takes what it shows of one image; the path stays borrowed. 0 or -ENOMEM. */
int rewrite_page_add(struct rewrite_page *page, const struct render_defrag *result);

/* Writes it, if there is anything to show. 0 or -errno. */
int rewrite_page_write(struct rewrite_page *page, struct err *err);
void rewrite_page_free(struct rewrite_page *page);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The plot of the guest disk against the place of its data, in the file or on the device: a
 * diagonal is order, a cloud is none.
 */
#ifndef RENDER_HTML_PLOT_H
#define RENDER_HTML_PLOT_H

#include "html.h"
#include "picture.h"

#include <stdint.h>

/* What both axes show; several plots may have the same. */
struct html_plot_axes {
    uint64_t guest_begin, guest_end;
    uint64_t host_begin, host_end;
};

/* Widens @axes (all 0: nothing yet), so that they show all that is mapped. */
void html_plot_widen(struct html_plot_axes *axes, const struct report_picture *picture);

/* @host: "file" or "device". 0 or -ENOMEM. */
int html_plot(struct html *html, const struct report_picture *picture,
              const struct html_plot_axes *axes, const char *host);

#endif

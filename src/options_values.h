/* SPDX-License-Identifier: MIT */
/* What an option means: it and its argument become members of struct options. */
#ifndef OPTIONS_VALUES_H
#define OPTIONS_VALUES_H

#include "options.h"

/* @argument is NULL where there is none. Returns 0, or -EINVAL with a message. */
int options_values_apply(const struct options_spec *spec, const char *argument,
                         struct options *options, struct err *err);

#endif

// SPDX-License-Identifier: MIT
/* Owns the adding of steps. Knows no command but our own. */
#include "cook.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char *format_text(struct report_cook *cook, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *format_text(struct report_cook *cook, const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) >= 0)
        return text;
    cook->ret = -ENOMEM;
    return NULL;
}

void report_cook_step(struct report_cook *cook, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cook->recipe->steps[cook->recipe->n++].text = format_text(cook, format, args);
    va_end(args);
}

void report_cook_command(struct report_cook *cook, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cook->recipe->steps[cook->recipe->n - 1].command = format_text(cook, format, args);
    va_end(args);
}

void report_cook_take_command(struct report_cook *cook, char *command)
{
    cook->recipe->steps[cook->recipe->n - 1].command = command;
    if (command == NULL)
        cook->ret = -ENOMEM;
}

void report_cook_shut_down(struct report_cook *cook)
{
    const struct opt_bool *in_use = &cook->image->in_use;

    report_cook_step(cook, "Shut the VM down: nothing may have the image open%s.",
                     in_use->known && in_use->value ? ", and something has it open now" : "");
}

void report_cook_ask_keys(struct report_cook *cook, const char *more)
{
    if (cook->words.request[0] != '\0')
        report_cook_step(cook, "%s%s", cook->words.request, more);
}

const char *report_cook_device(const struct report_cook *cook)
{
    static const char *const told[] = {[METER_DISK_HDD] = " --device hdd",
                                       [METER_DISK_SSD] = " --device ssd",
                                       [METER_DISK_NVME] = " --device nvme"};

    return cook->table->disk.known && cook->table->disk.told ? told[cook->table->disk.profile] : "";
}

void report_cook_measure(struct report_cook *cook, const char *image)
{
    report_cook_command(cook, "qcow2frag%s%s %s", report_cook_device(cook),
                        cook->table->chain_depth > 1 ? " --chain" : "", image);
}

bool report_cook_is_encrypted(const struct report_cook *cook)
{
    return cook->image->format.encryption != FORMAT_CRYPT_NONE;
}

bool report_cook_compresses(const struct report_cook *cook)
{
    return report_recipe_compresses(&cook->image->format, cook->table);
}

bool report_cook_flattens(const struct report_cook *cook)
{
    return report_recipe_flattens(cook->table);
}

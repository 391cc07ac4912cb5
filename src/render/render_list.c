// SPDX-License-Identifier: MIT
/* Owns the look of `map --list`. Offsets in text are hexadecimal, as in qemu-img map. */
#include "render_list.h"

#include "json.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_WIDTH 18

static int print_json(FILE *stream, const struct report_run *run)
{
    struct json_object *object = json_object_new_object();
    const char *text;

    json_object_object_add(object, "guest_offset", json_count(run->guest_off));
    json_object_object_add(object, "length", json_count(run->guest_bytes));
    json_object_object_add(object, "kind", json_object_new_string(report_kind_name(run->kind)));
    json_object_object_add(object, "depth", json_count(run->depth));
    json_object_object_add(object, "file", json_text(run->file, strlen(run->file)));
    json_object_object_add(object, "host_offset", json_opt_count(run->host_off));
    json_object_object_add(object, "host_length", json_opt_count(run->host_bytes));
    json_object_object_add(object, "physical_offset", json_opt_count(run->physical_off));
    text = json_object_to_json_string_ext(object,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text != NULL)
        fprintf(stream, "%s\n", text);
    json_object_put(object);
    return text != NULL ? 0 : -ENOMEM;
}

static void format_offset(char text[SIZE_TEXT_MAX], struct opt_u64 offset)
{
    if (offset.known)
        snprintf(text, SIZE_TEXT_MAX, "0x%" PRIx64, offset.value);
    else
        strcpy(text, "-");
}

static void format_length(const struct render_list *list, char text[SIZE_TEXT_MAX],
                          struct opt_u64 length)
{
    if (!length.known)
        strcpy(text, "-");
    else if (list->bytes)
        snprintf(text, SIZE_TEXT_MAX, "%" PRIu64, length.value);
    else
        size_format(text, length.value);
}

static int print_text(const struct render_list *list, const struct report_run *run)
{
    char guest[SIZE_TEXT_MAX], length[SIZE_TEXT_MAX], host[SIZE_TEXT_MAX];
    char host_length[SIZE_TEXT_MAX], physical[SIZE_TEXT_MAX];
    char *file = text_escape(run->file, strlen(run->file));

    if (file == NULL)
        return -ENOMEM;
    format_offset(guest, opt_u64_of(run->guest_off));
    format_offset(host, run->host_off);
    format_offset(physical, run->physical_off);
    format_length(list, length, opt_u64_of(run->guest_bytes));
    format_length(list, host_length, run->host_bytes);
    fprintf(list->stream, "%*s %10s %-10s %5u %*s %11s %*s %s\n", OFFSET_WIDTH, guest, length,
            report_kind_name(run->kind), run->depth, OFFSET_WIDTH, host, host_length, OFFSET_WIDTH,
            physical, file);
    free(file);
    return 0;
}

/* Not before the first run: an image that cannot be read prints nothing. */
static void begin(struct render_list *list)
{
    if (!list->begun && !list->json && !list->noheadings)
        fprintf(list->stream, "%*s %10s %-10s %5s %*s %11s %*s %s\n", OFFSET_WIDTH, "GUEST OFFSET",
                "LENGTH", "KIND", "DEPTH", OFFSET_WIDTH, "HOST OFFSET", "HOST LENGTH", OFFSET_WIDTH,
                "PHYSICAL OFFSET", "FILE");
    list->begun = true;
}

int render_list_run(struct render_list *list, const struct report_run *run)
{
    int ret;

    begin(list);
    errno = EIO;
    ret = list->json ? print_json(list->stream, run) : print_text(list, run);
    return ret < 0 ? ret : ferror(list->stream) ? -errno : 0;
}

void render_list_end(struct render_list *list)
{
    begin(list);
}

// SPDX-License-Identifier: MIT
/* Owns the look of `map --list`. Offsets in text are hexadecimal, as in qemu-img map. */
#include "render_list.h"

#include "json.h"
#include "size.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define OFFSET_WIDTH 18

static void print_json(FILE *stream, const struct report_run *run)
{
    struct json json = {.stream = stream, .one_line = true};

    json_open_object(&json, NULL);
    json_count(&json, "guest_offset", run->guest_off);
    json_count(&json, "length", run->guest_bytes);
    json_string(&json, "kind", report_kind_name(run->kind));
    json_count(&json, "depth", run->depth);
    json_string(&json, "file", run->file);
    json_opt_count(&json, "host_offset", run->host_off);
    json_opt_count(&json, "host_length", run->host_bytes);
    json_opt_count(&json, "physical_offset", run->physical_off);
    json_close_object(&json);
    putc('\n', stream);
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

static void print_text(const struct render_list *list, const struct report_run *run)
{
    char guest[SIZE_TEXT_MAX], length[SIZE_TEXT_MAX], host[SIZE_TEXT_MAX];
    char host_length[SIZE_TEXT_MAX], physical[SIZE_TEXT_MAX];

    format_offset(guest, opt_u64_of(run->guest_off));
    format_offset(host, run->host_off);
    format_offset(physical, run->physical_off);
    format_length(list, length, opt_u64_of(run->guest_bytes));
    format_length(list, host_length, run->host_bytes);
    fprintf(list->stream, "%*s %10s %-10s %5u %*s %11s %*s ", OFFSET_WIDTH, guest, length,
            report_kind_name(run->kind), run->depth, OFFSET_WIDTH, host, host_length, OFFSET_WIDTH,
            physical);
    text_print(list->stream, run->file, strlen(run->file));
    putc('\n', list->stream);
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
    begin(list);
    errno = EIO;
    if (list->json)
        print_json(list->stream, run);
    else
        print_text(list, run);
    return ferror(list->stream) ? -errno : 0;
}

void render_list_end(struct render_list *list)
{
    begin(list);
}

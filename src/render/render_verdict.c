// SPDX-License-Identifier: MIT
/*
 * Owns how a verdict looks. Sentences are marked to be broken into lines; a command never is, since
 * it is there to be copied.
 */
#include "render_verdict.h"

#include "cause.h"
#include "cleanup.h"
#include "flow.h"
#include "recipe.h"
#include "reclaim.h"

/* @first before the first line, as many spaces before the others. */
static void print_wrapped(FILE *stream, const char *first, const char *text)
{
    fprintf(stream, "%s" RENDER_PROSE "%s\n", first, text);
}

static void print_causes(FILE *stream, const struct report_verdict *verdict)
{
    for (size_t i = 0; i < verdict->n_causes; i++) {
        const struct report_cause *cause = &verdict->causes[i];
        char line[512], part[64] = "";

        if (cause->share.known && cause->share.value > 0)
            snprintf(part, sizeof(part), ": %.0f %% of the breaks", 100 * cause->share.value);
        snprintf(line, sizeof(line), "%s%s.", report_cause_text(cause->code), part);
        print_wrapped(stream, i == 0 ? "  Likely cause: " : "  And: ", line);
        snprintf(line, sizeof(line), "%s (%s).", cause->option, report_cause_place(cause->code));
        print_wrapped(stream, "    Against it: ", line);
    }
}

void render_steps(FILE *stream, const struct report_recipe *recipe)
{
    for (size_t i = 0; i < recipe->n; i++) {
        char number[16];

        snprintf(number, sizeof(number), "  %2zu. ", i + 1);
        print_wrapped(stream, number, recipe->steps[i].text);
        if (recipe->steps[i].command != NULL)
            fprintf(stream, "        %s\n", recipe->steps[i].command);
    }
}

static int print_reclaim(FILE *stream, const struct report_image *image)
{
    CLEANUP(report_recipe_release) struct report_recipe recipe = {.n = 0};
    int ret = report_reclaim(image, &recipe);

    if (ret < 0 || recipe.n == 0)
        return ret;
    fputs("\n  To get space back:\n", stream);
    render_steps(stream, &recipe);
    return 0;
}

int render_verdict(FILE *stream, const struct report_image *image)
{
    CLEANUP(report_recipe_release) struct report_recipe recipe = {.n = 0};
    const struct report_verdict *verdict = &image->verdict;
    int ret;

    if (!verdict->known)
        return 0;
    ret = report_recipe(image, &recipe);
    if (ret < 0)
        return ret;
    putc('\n', stream);
    print_wrapped(stream, "  ", verdict->reason);
    print_causes(stream, verdict);
    if (recipe.n > 0)
        fputs("\n  What to do:\n", stream);
    render_steps(stream, &recipe);
    return print_reclaim(stream, image);
}

// SPDX-License-Identifier: MIT
/* Owns which file of a chain has which key. Reads none, and knows no passphrase. */
#include "keys.h"

#include "printed.h"
#include "report.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What QEMU wants to know to open the file of one depth. */
struct key {
    const char *option; /* NULL: nothing */
    bool shared;        /* it is the passphrase of the image, if any */
    const char *name;   /* of the file; NULL: not known */
};

static const struct report_table *walked_along(const struct report_image *image)
{
    const struct report_table *table = image->n_tables > 0 ? &image->tables[0] : NULL;

    return table != NULL && table->layers != NULL ? table : NULL;
}

static size_t n_files(const struct report_image *image)
{
    const struct report_table *table = walked_along(image);

    return table != NULL ? table->n_layers : image->format.backing_file.bytes != NULL ? 2 : 1;
}

static bool is_backing_format(const struct report_image *image, const char *format)
{
    const struct format_name *name = &image->format.backing_format;

    return name->bytes != NULL && strcmp(name->bytes, format) == 0;
}

static struct key key_of(const struct report_image *image, size_t depth)
{
    static const char *const in_qcow2 = "encrypt.key-secret", *const in_luks = "key-secret";
    const struct report_table *table = walked_along(image);
    bool encrypted = image->format.encryption != FORMAT_CRYPT_NONE;

    if (depth == 0)
        return (struct key){encrypted ? in_qcow2 : NULL, false, image->path};
    if (table != NULL) {
        const struct report_layer *layer = &table->layers[depth];

        return (struct key){layer->encryption != FORMAT_CRYPT_NONE ? in_qcow2 : NULL, false,
                            layer->path};
    }
    if (is_backing_format(image, "luks"))
        return (struct key){in_luks, false, NULL};
    return (struct key){encrypted && is_backing_format(image, "qcow2") ? in_qcow2 : NULL, true,
                        NULL};
}

/* Those of a secret of their own. */
static size_t n_secrets(const struct report_image *image)
{
    size_t n = 0;

    for (size_t depth = 0; depth < n_files(image); depth++) {
        struct key key = key_of(image, depth);

        n += key.option != NULL && !key.shared;
    }
    return n;
}

/* ---- printing ---- */

/* "", "1", "2" and so on, behind a word. */
static void print_number(FILE *out, size_t depth)
{
    if (depth > 0)
        fprintf(out, "%zu", depth);
}

static void print_objects(FILE *out, const struct report_image *image)
{
    for (size_t depth = 0; depth < n_files(image); depth++) {
        struct key key = key_of(image, depth);

        if (key.option == NULL || key.shared)
            continue;
        fputs(" --object secret,id=key", out);
        print_number(out, depth);
        fputs(",file=" REPORT_KEY_FILE, out);
        print_number(out, depth);
    }
}

static void print_option(FILE *out, const struct report_image *image, size_t depth)
{
    struct key key = key_of(image, depth);

    if (key.option == NULL)
        return;
    for (size_t i = 0; i < depth; i++)
        fputs("backing.", out);
    fprintf(out, "%s=key", key.option);
    print_number(out, key.shared ? 0 : depth);
    fputc(',', out);
}

/* A name may come from inside of an image. */
static void print_file(FILE *out, const struct key *key, size_t depth)
{
    if (depth == 0) {
        fputs("the image", out);
    } else if (key->name == NULL) {
        fputs("its backing file", out);
    } else {
        fputs("the backing file \"", out);
        text_print(out, key->name, strlen(key->name));
        fputc('"', out);
    }
}

/* "KEYFILE for the image, KEYFILE1 for its backing file"; or, of one key, just the file. */
static void print_files(FILE *out, const struct report_image *image, bool with_names)
{
    size_t left = n_secrets(image);

    for (size_t depth = 0; depth < n_files(image); depth++) {
        struct key key = key_of(image, depth);

        if (key.option == NULL || key.shared)
            continue;
        fputs(REPORT_KEY_FILE, out);
        print_number(out, depth);
        if (with_names) {
            fputs(" for ", out);
            print_file(out, &key, depth);
        }
        left--;
        fputs(left > 1 ? ", " : left == 1 ? " and " : "", out);
    }
}

/* The one that has a secret, as a sentence begins. */
static void print_only(FILE *out, const struct report_image *image)
{
    size_t depth = 0;
    struct key key;

    while ((key = key_of(image, depth)).option == NULL || key.shared)
        depth++;
    if (depth == 0) {
        fputs("The image", out);
    } else {
        fputs("Of the chain, ", out);
        print_file(out, &key, depth);
    }
}

static void print_request(FILE *out, const struct report_image *image)
{
    size_t n = n_secrets(image);

    if (n == 1) {
        print_only(out, image);
        fputs(" is encrypted: put its passphrase, without a newline, into a file ", out);
        print_files(out, image, false);
        fputs(" that only you can read.", out);
    } else if (n > 1) {
        fputs("Several files of the chain are encrypted: put the passphrase of each, without a "
              "newline, into a file that only you can read: ",
              out);
        print_files(out, image, true);
        fputc('.', out);
    }
    if (n_files(image) > 1 && key_of(image, 1).option != NULL && key_of(image, 1).shared)
        fputs(" If its backing file is encrypted, too, it is taken to have the same one.", out);
}

/* ---- the whole ---- */

static void print_options_below(FILE *out, const struct report_image *image)
{
    for (size_t depth = 1; depth < n_files(image); depth++)
        print_option(out, image, depth);
}

static void print_own_option(FILE *out, const struct report_image *image)
{
    print_option(out, image, 0);
}

/* What @print prints, as a new string. */
static char *printed(void (*print)(FILE *, const struct report_image *),
                     const struct report_image *image)
{
    struct printed printed;
    FILE *out = printed_open(&printed);

    if (out != NULL)
        print(out, image);
    return printed_take(&printed, NULL);
}

char *report_keys_objects(const struct report_image *image)
{
    return printed(print_objects, image);
}

char *report_keys_options(const struct report_image *image, bool below)
{
    return printed(below ? print_options_below : print_own_option, image);
}

char *report_keys_request(const struct report_image *image)
{
    return printed(print_request, image);
}

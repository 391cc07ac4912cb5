// SPDX-License-Identifier: MIT
/*
 * Owns the way from an image to those below it, one after another, and the wording of why it ends
 * early. Must open nothing that an image does not name, and believe nothing but recorded formats.
 */
#include "chain.h"

#include "err.h"
#include "filename.h"
#include "finding.h"
#include "sector.h"
#include "spare.h"
#include "text.h"
#include "uri.h"
#include "vec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 400 /* bytes of a name in a message */
/* Of a command in a message. The rest is two names, and less than 512 bytes of ours. */
#define COMMAND_MAX (ERR_TEXT_MAX - 2 * SHOWN_MAX - 512)

/* A name in an image, on its way to a file. */
struct link {
    const char *what; /* "backing file" or "external data file" */
    const struct format_name *name;
    const char *namer; /* path of the image that holds the name */
};

/* ---- messages ---- */

/* For a message: safe to show, and not endless. A new string, or NULL. */
static char *shown(const char *name)
{
    char *text = text_escape(name, strlen(name));

    if (text != NULL)
        text_shorten(text, SHOWN_MAX);
    return text;
}

/* "the backing file "X", named by "Y", " and the rest, which says what is wrong with it. */
static int refuse(const struct link *link, struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(const struct link *link, struct err *err, int code, const char *fmt, ...)
{
    char *name = shown(link->name->bytes), *namer = shown(link->namer), *rest = NULL;
    va_list args;
    int ret;

    va_start(args, fmt);
    if (vasprintf(&rest, fmt, args) < 0)
        rest = NULL;
    va_end(args);
    if (name == NULL || namer == NULL || rest == NULL)
        ret = err_no_memory(err);
    else
        ret =
            err_set(err, code, "the %s \"%s\", named by \"%s\", %s", link->what, name, namer, rest);
    free(name);
    free(namer);
    free(rest);
    return ret;
}

/* Would qemu-img take @path for an option, or for more than a file? A new word of a shell. */
static char *image_word(const char *path)
{
    bool doubtful = path[0] == '-' || path[strcspn(path, ":/")] == ':';
    char *clear, *word;

    if (asprintf(&clear, "%s%s", doubtful ? "./" : "", path) < 0)
        return NULL;
    word = text_shell_word(clear);
    free(clear);
    return word;
}

/* The command that records another backing file, or another format, in the image. */
static char *rebase_command(const struct link *link, const char *format, const char *name)
{
    char *image = image_word(link->namer);
    char *base = name != NULL ? text_shell_word(name) : strdup("NEW-NAME");
    char *command = NULL;

    if (image != NULL && base != NULL &&
        asprintf(&command, "qemu-img rebase -u -F %s -b %s %s", format, base, image) < 0)
        command = NULL;
    free(image);
    free(base);
    if (command != NULL && strlen(command) > COMMAND_MAX) /* half of it would be another command */
        strcpy(command, "qemu-img rebase -u (with names too long to be shown here)");
    return command;
}

static int refuse_with_cure(const struct link *link, const char *format, struct err *err, int code,
                            const char *problem)
{
    char *command = rebase_command(link, format, NULL);
    int ret = command == NULL
                  ? err_no_memory(err)
                  : refuse(link, err, code, "%s, or record another with: %s", problem, command);

    free(command);
    return ret;
}

/* What the link is to could not be opened. @format NULL: it is an external data file. */
static int refuse_file(const struct link *link, const char *format, const struct err *cause,
                       struct err *err)
{
    char problem[128];

    if (strncmp(cause->text, "is ", 3) == 0) /* not of a kind that is opened */
        return refuse(link, err, cause->code, "%s", cause->text);
    snprintf(problem, sizeof(problem), "cannot be opened: %s", strerror(cause->code));
    if (cause->code != ENOENT && cause->code != ENOTDIR)
        return refuse(link, err, cause->code, "%s", problem);
    if (format == NULL)
        return refuse(link, err, cause->code,
                      "%s; bring it back, or measure from where QEMU is started: a relative name "
                      "is one for the current directory",
                      problem);
    strcat(problem, "; bring it back");
    return refuse_with_cure(link, format, err, cause->code, problem);
}

/* ---- files ---- */

/* Takes @path, and @io on success only. */
static int add_file(struct format_chain *chain, char *path, struct io *io, struct err *err)
{
    if (path == NULL || vec_reserve(chain, files) < 0) {
        free(path);
        return err_no_memory(err);
    }
    chain->files[chain->n_files++] = (struct format_file){path, io, (uint32_t)chain->n_layers};
    return 0;
}

/* Opens what the link is to, and gives it the next number. */
static int open_file(struct format_chain *chain, const struct link *link, char *path,
                     const char *format, struct err *err)
{
    struct err cause = {0};
    struct io *io;
    int ret;

    if (path == NULL)
        return err_no_memory(err);
    ret = io_file_open(path, &io, &cause);
    if (ret < 0) {
        free(path);
        return refuse_file(link, format, &cause, err);
    }
    ret = add_file(chain, path, io, err);
    if (ret < 0)
        io_close(io);
    return ret;
}

/* ---- layers ---- */

static int open_data_file(struct format_chain *chain, struct format_layer *layer, struct err *err)
{
    const struct format_name *name = &layer->header.data_file;
    struct link link = {"external data file", name, chain->files[layer->image_file].path};

    if (format_filename_kind(name) == FORMAT_FILENAME_NONE) {
        char *namer = shown(link.namer);
        int ret = namer == NULL ? err_no_memory(err)
                                : err_set(err, EINVAL,
                                          "the data of \"%s\" are in an external file, but its "
                                          "name is missing; QEMU needs it given as data-file",
                                          namer);

        free(namer);
        return ret;
    }
    layer->data_file = (uint32_t)chain->n_files;
    return open_file(chain, &link, format_filename_data(name), NULL, err);
}

/* The file opened last becomes a layer. @cause gets what is wrong with it, @err with others. */
static int add_layer(struct format_chain *chain, enum format_layer_kind kind, struct err *cause,
                     struct err *err)
{
    struct format_layer *layer;
    struct format_findings ignored = {0}; /* found again by whoever measures the layer */
    struct io *io = chain->files[chain->n_files - 1].io;
    int ret;

    if (vec_reserve(chain, layers) < 0)
        return err_no_memory(err);
    layer = &chain->layers[chain->n_layers];
    *layer = (struct format_layer){.kind = kind};
    layer->image_file = layer->data_file = (uint32_t)chain->n_files - 1;
    ret = io_size(io, &layer->file_bytes, cause);
    if (ret < 0)
        return ret;
    if (kind == FORMAT_LAYER_RAW) {
        layer->virtual_bytes =
            (layer->file_bytes + SECTOR_BYTES - 1) & ~(SECTOR_BYTES - 1);
        chain->n_layers++;
        return 0;
    }
    ret = format_header_read(io, layer->file_bytes, &layer->header, &ignored, cause);
    format_findings_free(&ignored);
    if (ret < 0)
        return ret;
    layer->virtual_bytes = layer->header.virtual_bytes;
    if (layer->header.external_data)
        ret = open_data_file(chain, layer, err);
    chain->n_layers++; /* with a header to release, whatever ret is */
    return ret;
}

/* QEMU stops reading a name at a NUL. */
static bool is_format(const struct format_name *format, const char *name)
{
    return format->bytes != NULL && strcmp(format->bytes, name) == 0;
}

/*
 * A format that is not recorded is not guessed: a guest can write what looks like another one into
 * a raw disk, with the name of any file in it. What it looks like is only told.
 */
static int refuse_unrecorded(struct format_chain *chain, const struct link *link, struct err *err)
{
    struct io *io = chain->files[chain->n_files - 1].io;
    struct err ignored = {0};
    unsigned char head[8];
    bool qcow2 = io_read(io, 0, head, sizeof(head), &ignored) == 0 &&
                 format_header_probe(head, sizeof(head));
    const char *format = qcow2 ? "qcow2" : "raw";
    char *command = rebase_command(link, format, link->name->bytes);
    int ret = command == NULL
                  ? err_no_memory(err)
                  : refuse(link, err, EINVAL,
                           "has no recorded format, and a guess may be what a guest wants it to "
                           "be; it looks like %s: if it is, record that with: %s",
                           format, command);

    free(command);
    return ret;
}

static int choose_kind(struct format_chain *chain, const struct link *link,
                       const struct format_name *format, enum format_layer_kind *kind,
                       struct err *err)
{
    char *text;
    int ret;

    if (format_filename_kind(format) == FORMAT_FILENAME_NONE)
        return refuse_unrecorded(chain, link, err);
    *kind = is_format(format, "raw") ? FORMAT_LAYER_RAW : FORMAT_LAYER_QCOW2;
    if (*kind == FORMAT_LAYER_RAW || is_format(format, "qcow2"))
        return 0;
    text = shown(format->bytes);
    ret = text == NULL ? err_no_memory(err)
                       : refuse(link, err, ENOTSUP,
                                "has the format \"%s\", which is not supported; only qcow2 and "
                                "raw are",
                                text);
    free(text);
    return ret;
}

/* The file opened last must be none of the images above it. */
static int check_loop(const struct format_chain *chain, const struct link *link, const char *format,
                      struct err *err)
{
    struct io *io = chain->files[chain->n_files - 1].io;

    for (size_t i = 0; i < chain->n_layers; i++) {
        if (!io_is_same(io, chain->files[chain->layers[i].image_file].io))
            continue;
        return refuse_with_cure(link, format, err, ELOOP,
                                "is an image that is built on it: the chain is a loop; break it");
    }
    return 0;
}

static int check_name(const struct link *link, struct err *err)
{
    enum format_filename_kind kind = format_filename_kind(link->name);
    char *text;
    int ret;

    if (kind == FORMAT_FILENAME_PATH && !format_filename_is_nowhere(link->name, link->namer))
        return 0;
    if (kind == FORMAT_FILENAME_PATH)
        return refuse(link, err, ENOTSUP,
                      "is named from a folder, and a remote image lies in none: measure the chain "
                      "where it is stored");
    if (io_uri_is(link->name->bytes))
        return refuse(link, err, ENOTSUP,
                      "is remote, and what an image names there is not connected to: name it "
                      "yourself, alone, to have it measured");
    if (kind == FORMAT_FILENAME_JSON)
        return refuse(link, err, ENOTSUP,
                      "is described in JSON, which is not supported; only plain file names are");
    text = shown(link->name->bytes);
    if (text != NULL)
        text[strcspn(text, ":") + 1] = '\0';
    ret = text == NULL ? err_no_memory(err)
                       : refuse(link, err, ENOTSUP,
                                "is not a file of this host: \"%s\" begins the name of something "
                                "else, which is not supported",
                                text);
    free(text);
    return ret;
}

static int check_depth(const struct format_chain *chain, const struct link *link, struct err *err)
{
    if (chain->n_layers < FORMAT_CHAIN_LAYERS_MAX)
        return 0;
    return refuse(link, err, ELOOP, "is image number %d of a chain; at most %d are followed",
                  FORMAT_CHAIN_LAYERS_MAX + 1, FORMAT_CHAIN_LAYERS_MAX);
}

/* The backing file of the last layer, which has one. */
static int follow(struct format_chain *chain, struct err *err)
{
    const struct format_layer *above = &chain->layers[chain->n_layers - 1];
    /* Copies: the header moves when the array grows, what it points to stays. */
    struct format_name name = above->header.backing_file, format = above->header.backing_format;
    const char *cure_format = is_format(&format, "qcow2") ? "qcow2"
                              : is_format(&format, "raw") ? "raw"
                                                          : "FORMAT";
    struct link link = {"backing file", &name, chain->files[above->image_file].path};
    enum format_layer_kind kind = FORMAT_LAYER_RAW;
    struct err cause = {0};
    int ret;

    ret = check_name(&link, err)
              ?: check_depth(chain, &link, err)
              ?: open_file(chain, &link, format_filename_backing(&name, link.namer), cure_format,
                           err)
              ?: check_loop(chain, &link, cure_format, err)
              ?: choose_kind(chain, &link, &format, &kind, err)
              ?: add_layer(chain, kind, &cause, err);
    if (ret < 0 && cause.code != 0)
        ret = refuse(&link, err, cause.code, "%s%s",
                     strncmp(cause.text, "is ", 3) == 0 ? "" : "cannot be used: ", cause.text);
    return ret;
}

static bool has_backing(const struct format_layer *layer)
{
    return layer->kind == FORMAT_LAYER_QCOW2 &&
           format_filename_kind(&layer->header.backing_file) != FORMAT_FILENAME_NONE;
}

int format_chain_open(struct io *io, const char *path, struct format_chain *chain, struct err *err)
{
    int ret;

    memset(chain, 0, sizeof(*chain));
    ret = add_file(chain, strdup(path), io, err);
    if (ret == 0)
        ret = add_layer(chain, FORMAT_LAYER_QCOW2, err, err);
    while (ret == 0 && has_backing(&chain->layers[chain->n_layers - 1]))
        ret = follow(chain, err);
    if (ret < 0)
        format_chain_close(chain);
    return ret;
}

void format_chain_close(struct format_chain *chain)
{
    for (size_t i = 0; i < chain->n_files; i++) {
        if (i > 0)
            io_close(chain->files[i].io);
        free(chain->files[i].path);
    }
    for (size_t i = 0; i < chain->n_layers; i++)
        format_header_free(&chain->layers[i].header);
    free(chain->files);
    free(chain->layers);
    memset(chain, 0, sizeof(*chain));
}

/* Takes @path. */
static int spare(char *path, struct err *err)
{
    if (path == NULL)
        return err_no_memory(err);
    io_spare_path(path);
    free(path);
    return 0;
}

int format_chain_spare_named(const struct format_header *header, const char *path, struct err *err)
{
    int ret = 0;

    if (format_filename_kind(&header->backing_file) == FORMAT_FILENAME_PATH &&
        !format_filename_is_nowhere(&header->backing_file, path))
        ret = spare(format_filename_backing(&header->backing_file, path), err);
    if (ret == 0 && format_filename_kind(&header->data_file) != FORMAT_FILENAME_NONE)
        ret = spare(format_filename_data(&header->data_file), err);
    return ret;
}

struct io_users format_chain_users(const struct format_chain *chain)
{
    struct io_users all = io_users(chain->files[0].io);

    for (size_t i = 1; i < chain->n_files; i++) {
        struct io_users one = io_users(chain->files[i].io);

        if (!one.known || !all.known)
            continue;
        all.held |= one.written;
        all.written |= one.written;
        all.in_flux |= one.in_flux;
    }
    return all;
}

// SPDX-License-Identifier: MIT
/* Owns the names of images, and the folders that they are opened from. */
#include "targets.h"

#include "cmd.h"
#include "find.h"
#include "folder.h"
#include "header.h"
#include "io.h"
#include "known.h"
#include "measure.h"
#include "named.h"
#include "names.h"
#include "options.h"
#include "size.h"
#include "spare.h"
#include "uri.h"
#include "vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct target {
    char *path;
    size_t folder;   /* that it was found in, or NAMED: by the user himself */
    size_t relative; /* where the rest of the path begins */
};

#define NAMED SIZE_MAX

/* What a name leads to, which no result is to replace; NULL: nothing that can be looked at. */
static const struct stat *look_at(const char *path, struct stat *st)
{
    if (io_uri_is(path) || stat(path, st) < 0)
        return NULL;
    io_spare(st);
    return st;
}

/* @st: what is there; NULL: nothing that could be looked at. *@number: of the target that it is. */
static int add(struct targets *targets, const char *path, size_t folder, size_t relative,
               const struct stat *st, size_t *number)
{
    char *copy = strdup(path);
    int known;

    *number = targets->n_list; /* what is new to @known gets the same from it */
    known = copy == NULL         ? -ENOMEM
            : targets->each_once ? known_has(&targets->known, st, copy, number)
                                 : 0;

    if (known != 0 || vec_reserve(targets, list) < 0) {
        free(copy);
        return known > 0 ? 0 : -ENOMEM;
    }
    if (io_uri_is(copy)) /* it is refused when it is opened, by a name that may be shown */
        io_uri_mask(copy);
    targets->list[targets->n_list++] = (struct target){copy, folder, relative};
    return 0;
}

/* ---- folders ---- */

struct search {
    struct targets *targets;
    const struct cmd_console *console;
    int *status;
    bool verbose;
    size_t n_found;  /* in the folder that is searched */
    size_t n_passed; /* disks that are none */
};

static int found(void *context, const char *path, const char *relative, const struct stat *st)
{
    struct search *search = context;
    struct targets *targets = search->targets;
    size_t number;

    search->n_found++;
    return add(targets, path, targets->n_folders - 1, (size_t)(relative - path), st, &number);
}

static void tell(const struct search *search, const char *path, const char *text)
{
    search->console->complain(path, text);
    *search->status = cmd_worse(*search->status, CMD_FAILED);
    if (search->targets->n_errors++ == 0 &&
        asprintf(&search->targets->first_error, "%s: %s", path, text) < 0)
        search->targets->first_error = NULL;
}

static void failed(void *context, const char *path, int error)
{
    tell(context, path, strerror(error));
}

static int search_folder(struct search *search, const char *path, bool one_file_system)
{
    const struct io_find find = {.wanted = format_header_probe,
                                 .found = found,
                                 .failed = failed,
                                 .context = search,
                                 .one_file_system = one_file_system};
    struct targets *targets = search->targets;
    struct err err = {0};
    int ret;

    if (vec_reserve(targets, folders) < 0)
        return -ENOMEM;
    ret = io_folder_open(path, &targets->folders[targets->n_folders], &err);
    if (ret < 0) {
        tell(search, path, err.text);
        return ret == -ENOMEM ? ret : 0;
    }
    targets->n_folders++;
    search->n_found = 0;
    ret = io_find(&targets->folders[targets->n_folders - 1], &find);
    if (ret == 0 && search->n_found == 0)
        tell(search, path, "no qcow2 image in this directory");
    return ret;
}

/* ---- domains ---- */

static int take_disk(void *context, const char *place, size_t *number)
{
    struct search *search = context;
    struct stat st;

    return add(search->targets, place, NAMED, 0, look_at(place, &st), number);
}

static void fail_disk(void *context, const char *name, const char *text)
{
    tell(context, name, text);
}

static void pass_disk(void *context, const char *place, const char *text)
{
    struct search *search = context;

    search->n_passed++;
    if (search->verbose)
        search->console->complain(place, text);
}

static void tell_passed(const struct search *search)
{
    char text[96];

    snprintf(text, sizeof(text), "%zu %s no qcow2 image%s (--verbose names %s)", search->n_passed,
             size_noun(search->n_passed, "disk is", "disks are"), search->n_passed == 1 ? "" : "s",
             search->n_passed == 1 ? "it" : "them");
    if (search->n_passed > 0 && !search->verbose)
        search->console->complain("--libvirt", text);
}

static int add_domains(struct search *search, const struct options *options)
{
    const struct domains_taker taker = {take_disk, fail_disk, pass_disk, search};
    struct targets *targets = search->targets;
    size_t n_errors = targets->n_errors;
    struct err err = {0};
    int ret = domains_collect(&targets->domains, options->libvirt_uri, options->timeout_seconds,
                              &taker, &err);

    if (ret == -ENOMEM)
        return ret;
    if (ret < 0) {
        tell(search, "--libvirt", err.text);
        return 0;
    }
    tell_passed(search);
    if (targets->domains.n_disks == 0 && targets->n_errors == n_errors)
        tell(search, "--libvirt", "no domain there has a disk that is a qcow2 image");
    return 0;
}

/* ---- all of them ---- */

static int add_named(struct search *search, const char *path, bool one_file_system)
{
    struct targets *targets = search->targets;
    struct stat st;
    const struct stat *there = look_at(path, &st);
    bool folder = there != NULL && S_ISDIR(there->st_mode);
    size_t number;

    targets->has_folder |= folder;
    return folder ? search_folder(search, path, one_file_system)
                  : add(targets, path, NAMED, 0, there, &number);
}

static int add_listed(struct search *search, const char *list, bool one_file_system)
{
    struct io_names names;
    struct err err = {0};
    const char *name;
    size_t n = 0;
    int ret = io_names_read(list, &names, &err);

    search->targets->has_list = true;
    if (ret < 0) {
        tell(search, list, err.text);
        return ret == -ENOMEM ? ret : 0;
    }
    for (; ret == 0 && (name = io_names_next(&names)) != NULL; n++)
        ret = add_named(search, name, one_file_system);
    io_names_free(&names);
    if (ret == 0 && n == 0)
        tell(search, list, "no name in this list");
    return ret;
}

int targets_collect(struct targets *targets, const struct options *options, bool each_once,
                    const struct cmd_console *console, int *status)
{
    struct search search = {
        .targets = targets, .console = console, .status = status, .verbose = options->verbose};
    int ret = 0;

    *targets = (struct targets){.each_once = each_once};
    for (size_t i = 0; i < options->n_paths && ret == 0; i++)
        ret = add_named(&search, options->paths[i], options->one_file_system);
    if (ret == 0 && options->files_from != NULL)
        ret = add_listed(&search, options->files_from, options->one_file_system);
    if (ret == 0 && options->libvirt)
        ret = add_domains(&search, options);
    known_free(&targets->known);
    return ret;
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->n_list; i++)
        free(targets->list[i].path);
    for (size_t i = 0; i < targets->n_folders; i++)
        io_folder_close(&targets->folders[i]);
    free(targets->list);
    free(targets->folders);
    free(targets->first_error);
    domains_free(&targets->domains);
}

const char *targets_path(const struct targets *targets, size_t i)
{
    return targets->list[i].path;
}

bool targets_is_found(const struct targets *targets, size_t i)
{
    return targets->list[i].folder != NAMED;
}

/* What was found in a folder is opened from there, whatever its path leads to by now. */
int targets_open(const struct targets *targets, size_t i, struct io **io, struct err *err)
{
    const struct target *target = &targets->list[i];

    if (target->folder == NAMED)
        return io_named_open(target->path, io, err);
    return io_folder_open_file(&targets->folders[target->folder], target->path + target->relative,
                               io, err);
}

void targets_measure(const struct targets *targets, size_t i, const struct report_choice *choice,
                     struct report_image *image)
{
    struct err err = {0};
    struct io *io;

    if (targets_open(targets, i, &io, &err) == 0)
        report_measure_io(io, targets->list[i].path, choice, image);
    else
        report_not_opened(targets->list[i].path, &err, image);
}

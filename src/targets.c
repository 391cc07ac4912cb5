// SPDX-License-Identifier: MIT
/* Owns the names of images, and the folders that they are opened from. */
#include "targets.h"

#include "cmd.h"
#include "find.h"
#include "folder.h"
#include "header.h"
#include "io.h"
#include "measure.h"
#include "named.h"
#include "options.h"
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

static int add(struct targets *targets, const char *path, size_t folder, size_t relative)
{
    char *copy = strdup(path);

    if (copy == NULL || vec_reserve(targets, list) < 0) {
        free(copy);
        return -ENOMEM;
    }
    targets->list[targets->n_list++] = (struct target){copy, folder, relative};
    return 0;
}

/* ---- folders ---- */

struct search {
    struct targets *targets;
    const struct cmd_console *console;
    int *status;
};

static int found(void *context, const char *path, const char *relative)
{
    struct targets *targets = ((struct search *)context)->targets;

    return add(targets, path, targets->n_folders - 1, (size_t)(relative - path));
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
    size_t before = targets->n_list;
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
    ret = io_find(&targets->folders[targets->n_folders - 1], &find);
    if (ret == 0 && targets->n_list == before)
        tell(search, path, "no qcow2 image in this directory");
    return ret;
}

/* ---- all of them ---- */

int targets_collect(struct targets *targets, const struct options *options,
                    const struct cmd_console *console, int *status)
{
    struct search search = {targets, console, status};

    memset(targets, 0, sizeof(*targets));
    for (size_t i = 0; i < options->n_paths; i++) {
        const char *path = options->paths[i];
        struct stat st;
        bool exists = !io_uri_is(path) && stat(path, &st) == 0,
             folder = exists && S_ISDIR(st.st_mode);
        int ret;

        if (exists)
            io_spare(&st);
        targets->has_folder |= folder;
        ret = folder ? search_folder(&search, path, options->one_file_system)
                     : add(targets, path, NAMED, 0);
        if (ret < 0)
            return ret;
    }
    return 0;
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

// SPDX-License-Identifier: MIT
/* Owns the choice of names for copies. Makes and opens no file. */
#include "beside.h"

#include "uri.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".new"
#define KIND ".qcow2" /* what a name that is not that of a file may lack */
#define NAMES_MAX 100 /* nobody keeps so many copies; then the last name stands */

/* "disk.new", "disk.new2" ... */
static int find_free(const char *path, char **free_path)
{
    struct stat st;

    for (unsigned number = 1; number <= NAMES_MAX; number++) {
        int n = number == 1 ? asprintf(free_path, "%s" SUFFIX, path)
                            : asprintf(free_path, "%s" SUFFIX "%u", path, number);

        if (n < 0) {
            *free_path = NULL;
            return -ENOMEM;
        }
        if (lstat(*free_path, &st) < 0 || number == NAMES_MAX)
            return 0;
        free(*free_path);
        *free_path = NULL;
    }
    return 0;
}

/* "disk.qcow2", "disk-2.qcow2" ... in the present folder, for the export "disk" or "disk.qcow2". */
static int find_free_here(const char *uri, char **free_path)
{
    char *name = io_uri_plain_name(uri, "image");
    size_t len = name != NULL ? strlen(name) : 0;
    struct stat st;

    if (name == NULL)
        return -ENOMEM;
    if (len > strlen(KIND) && strcmp(name + len - strlen(KIND), KIND) == 0)
        name[len - strlen(KIND)] = '\0';
    *free_path = NULL;
    for (unsigned number = 1; number <= NAMES_MAX; number++) {
        int n = number == 1 ? asprintf(free_path, "%s" KIND, name)
                            : asprintf(free_path, "%s-%u" KIND, name, number);

        if (n < 0)
            *free_path = NULL;
        if (n < 0 || number == NAMES_MAX || lstat(*free_path, &st) < 0)
            break;
        free(*free_path);
    }
    free(name);
    return *free_path != NULL ? 0 : -ENOMEM;
}

/* Up to its last slash, without it; "." where there is none. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Does a relative name mean the same beside the link and beside its target? 1, 0 or -ENOMEM. */
static int same_folder(const char *path, const char *target)
{
    char *folder = folder_of(path), *target_folder = folder_of(target);
    char *real = folder != NULL ? realpath(folder, NULL) : NULL;
    int ret = folder == NULL || target_folder == NULL
                  ? -ENOMEM
                  : real != NULL && strcmp(real, target_folder) == 0;

    free(folder);
    free(target_folder);
    free(real);
    return ret;
}

static int follow(const char *path, struct io_beside *beside)
{
    int ret;

    beside->target = realpath(path, NULL);
    if (beside->target == NULL)
        return errno == ENOMEM ? -ENOMEM : 0;
    ret = same_folder(path, beside->target);
    return ret == 0 ? find_free(path, &beside->link) : ret < 0 ? ret : 0;
}

int io_beside_find(const char *path, struct io_beside *beside)
{
    struct stat st;
    int ret = 0;

    memset(beside, 0, sizeof(*beside));
    if (io_uri_is(path)) {
        beside->is_remote = true;
        return find_free_here(path, &beside->copy);
    }
    if (stat(path, &st) < 0)
        return 0;
    beside->is_device = S_ISBLK(st.st_mode);
    beside->names = st.st_nlink;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        ret = follow(path, beside);
    return ret < 0 ? ret : find_free(beside->target != NULL ? beside->target : path, &beside->copy);
}

void io_beside_release(struct io_beside *beside)
{
    free(beside->target);
    free(beside->copy);
    free(beside->link);
    memset(beside, 0, sizeof(*beside));
}

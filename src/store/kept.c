// SPDX-License-Identifier: MIT
/* Owns the attribute in which an image names the originals that were kept beside it. */
#include "kept.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MARK "user.qcow2frag.original"

void store_kept_read(int fd, char names[STORE_KEPT_MAX])
{
    ssize_t len = fgetxattr(fd, MARK, names, STORE_KEPT_MAX - 1);

    names[len > 0 ? len : 0] = '\0';
}

static bool exists(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What is gone by now, or kept anew, is left out. */
void store_kept_mark(int fd, int folder, const char *name)
{
    char before[STORE_KEPT_MAX], after[2 * STORE_KEPT_MAX];
    char *rest = before, *one;
    size_t len = 0;

    store_kept_read(fd, before);
    while ((one = strsep(&rest, "/")) != NULL)
        if (*one != '\0' && strcmp(one, name) != 0 && exists(folder, one))
            len += (size_t)snprintf(after + len, sizeof(after) - len, "%s/", one);
    len += (size_t)snprintf(after + len, sizeof(after) - len, "%s", name);
    if (len >= STORE_KEPT_MAX || fsetxattr(fd, MARK, after, len, 0) < 0)
        fsetxattr(fd, MARK, name, strlen(name), 0);
}

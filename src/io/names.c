// SPDX-License-Identifier: MIT
/* Owns the reading of lists of names. Opens nothing that is named there. */
#include "names.h"

#include "err.h"
#include "open.h"
#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)
#define LIST_MAX ((size_t)64 << 20) /* a million names of usual length; /dev/zero has an end so */

static int read_all(int fd, struct io_names *names, struct err *err)
{
    size_t cap = 0;
    ssize_t n = 1;

    while (n != 0) {
        if (names->len > LIST_MAX)
            return err_set(err, EFBIG, "is longer than 64 MiB: no list of names");
        if (cap - names->len < READ_BYTES + 1) {
            char *more = realloc(names->bytes, cap = 2 * (cap + READ_BYTES));

            if (more == NULL)
                return err_no_memory(err);
            names->bytes = more;
        }
        n = read(fd, names->bytes + names->len, READ_BYTES);
        if (n < 0 && errno != EINTR)
            return err_set(err, errno, "cannot read the list: %s", strerror(errno));
        names->len += n > 0 ? (size_t)n : 0;
        if (names->len >= 4 && memcmp(names->bytes, "QFI\xfb", 4) == 0)
            return err_set(err, EINVAL, "is a qcow2 image, and no list of names");
    }
    names->bytes[names->len] = '\0'; /* the last name may have nothing behind it */
    return 0;
}

/* One form for both: a NUL behind each name. */
static void end_lines(struct io_names *names)
{
    if (memchr(names->bytes, '\0', names->len) != NULL)
        return;
    for (size_t i = 0; i < names->len; i++)
        if (names->bytes[i] == '\n')
            names->bytes[i] = '\0';
}

int io_names_read(const char *path, struct io_names *names, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : io_open_at(AT_FDCWD, path, O_RDONLY);
    struct stat st;
    int ret;

    *names = (struct io_names){NULL, 0, 0};
    if (fd < 0)
        return err_set(err, errno, "cannot open the list: %s", strerror(errno));
    if (fstat(fd, &st) == 0)
        io_spare(&st);
    else
        st.st_mode = 0;
    ret = S_ISREG(st.st_mode) && io_storeless(fd) != NULL
              ? err_set(err, EINVAL, "is no list of names, but a file of the kernel's")
              : read_all(fd, names, err);
    if (!standard)
        close(fd);
    if (ret < 0)
        io_names_free(names);
    else
        end_lines(names);
    return ret;
}

void io_names_free(struct io_names *names)
{
    free(names->bytes);
    *names = (struct io_names){NULL, 0, 0};
}

const char *io_names_next(struct io_names *names)
{
    while (names->at < names->len) {
        const char *name = names->bytes + names->at;

        names->at += strlen(name) + 1;
        if (*name != '\0')
            return name;
    }
    return NULL;
}

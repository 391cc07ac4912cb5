// SPDX-License-Identifier: MIT
/*
 * An nbdkit plugin: serves files, read-only, as if they lay on the simulated disk, and notes each
 * read. There is no cache on this side: what QEMU asks for, the disk reads.
 *
 *   nbdkit ./nbdkit-disk-plugin.so log=LOG file=IMAGE [extents=EXTENTS] [file=IMAGE2 ...]
 *
 * log=LOG          a line for each request: FILE OFFSET LENGTH SECONDS, the number of the file, and
 *                  the clock once it is served
 * file=IMAGE       the first file is the export "" (or "0"), the next ones are "1", "2", ...
 * extents=EXTENTS  where the bytes of the file before it lie on the disk (extents.h): with it, the
 *                  head goes to those places, all in one region. Without it a file is in one piece,
 *                  in a region of its own.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "extents.h"

/* The head can only be at one place, so requests are served one after another. */
#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

#define MAX_FILES 16
#define MIB (1u << 20)

struct file {
    int fd;
    uint64_t bytes;
    bool has_extents;
    struct extents extents;
};

static struct file files[MAX_FILES];
static unsigned n_files;
static FILE *the_log;
static struct disk disk;

static int add_file(const char *path)
{
    struct file *file = &files[n_files];
    struct stat st;

    if (n_files == MAX_FILES) {
        nbdkit_error("more than %d files", MAX_FILES);
        return -1;
    }
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &st) < 0) {
        nbdkit_error("%s: %m", path);
        return -1;
    }
    file->bytes = (uint64_t)st.st_size;
    n_files++;
    return 0;
}

static int add_extents(const char *path)
{
    size_t line;

    if (n_files == 0 || files[n_files - 1].has_extents) {
        nbdkit_error("extents=%s does not follow a file=", path);
        return -1;
    }
    if (extents_read(&files[n_files - 1].extents, path, &line) < 0) {
        nbdkit_error("%s:%zu: not a list of extents", path, line);
        return -1;
    }
    files[n_files - 1].has_extents = true;
    return 0;
}

static int open_log(const char *path)
{
    the_log = fopen(path, "we");
    if (the_log == NULL) {
        nbdkit_error("%s: %m", path);
        return -1;
    }
    /* Whole lines at once, whatever ends the server. */
    setvbuf(the_log, NULL, _IOLBF, BUFSIZ);
    return 0;
}

static int disk_config(const char *key, const char *value)
{
    if (strcmp(key, "file") == 0)
        return add_file(value);
    if (strcmp(key, "extents") == 0)
        return add_extents(value);
    if (strcmp(key, "log") == 0 && the_log == NULL)
        return open_log(value);
    nbdkit_error("unknown or repeated parameter %s", key);
    return -1;
}

static int disk_config_complete(void)
{
    if (n_files > 0 && the_log != NULL)
        return 0;
    nbdkit_error("needs file= and log=");
    return -1;
}

static void disk_unload(void)
{
    for (unsigned i = 0; i < n_files; i++) {
        extents_free(&files[i].extents);
        close(files[i].fd);
    }
    if (the_log != NULL)
        fclose(the_log);
}

static void *disk_open(int readonly)
{
    const char *name = nbdkit_export_name();
    char *end = NULL;
    unsigned long number;

    (void)readonly;
    if (name == NULL)
        return NULL;
    number = strtoul(name, &end, 10);
    if (*end != '\0' || number >= n_files) {
        nbdkit_error("no export %s", name);
        return NULL;
    }
    return &files[number];
}

static int64_t disk_get_size(void *handle)
{
    return (int64_t)((struct file *)handle)->bytes;
}

static int disk_can_write(void *handle)
{
    (void)handle;
    return 0;
}

/* The least that a client may ask for is a byte: then QEMU asks for what it would ask a file for.
 * Told nothing, it would ask for whole sectors. */
static int disk_block_size(void *handle, uint32_t *least, uint32_t *preferred, uint32_t *most)
{
    (void)handle;
    *least = 1;
    *preferred = 4096;
    *most = 32 * MIB;
    return 0;
}

/* The parts of the request that lie on the disk, each where it lies. */
static void read_extents(const struct file *file, uint64_t off, uint64_t len)
{
    uint64_t end = off + len;

    while (off < end) {
        const struct extent *extent = extents_find(&file->extents, off);
        uint64_t stop;

        if (extent == NULL || extent->file_off >= end)
            return;
        if (off < extent->file_off)
            off = extent->file_off;
        stop = extent->file_off + extent->len < end ? extent->file_off + extent->len : end;
        disk_read(&disk, 0, extent->disk_off + (off - extent->file_off), stop - off);
        off = stop;
    }
}

/* How many of the bytes at @off are in a hole of the file. */
static uint32_t hole_at(const struct file *file, uint32_t len, uint64_t off)
{
    off_t data = lseek(file->fd, (off_t)off, SEEK_DATA);

    if (data < 0)
        return errno == ENXIO && off + len <= file->bytes ? len : 0;
    return (uint64_t)data - off < len ? (uint32_t)((uint64_t)data - off) : len;
}

/* Holes are not read: the kernel would keep pages of zeros for them, which costs more than all else. */
static int fill(const struct file *file, char *buf, uint32_t len, uint64_t off)
{
    uint32_t hole = hole_at(file, len, off);

    memset(buf, 0, hole);
    buf += hole;
    off += hole;
    len -= hole;
    while (len > 0) {
        ssize_t n = pread(file->fd, buf, len, (off_t)off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            nbdkit_error("offset %" PRIu64 ": %s", off, n < 0 ? strerror(errno) : "end of file");
            nbdkit_set_error(EIO);
            return -1;
        }
        buf += n;
        off += (uint64_t)n;
        len -= (uint32_t)n;
    }
    return 0;
}

static int disk_pread(void *handle, void *buf, uint32_t len, uint64_t off, uint32_t flags)
{
    const struct file *file = handle;
    unsigned number = (unsigned)(file - files);

    (void)flags;
    if (file->has_extents)
        read_extents(file, off, len);
    else
        disk_read(&disk, number, off, len);
    if (fprintf(the_log, "%u %" PRIu64 " %" PRIu32 " %.9f\n", number, off, len, disk.seconds) < 0) {
        nbdkit_error("the log cannot be written: %m");
        nbdkit_set_error(EIO);
        return -1;
    }
    return fill(file, buf, len, off);
}

static struct nbdkit_plugin plugin = {
    .name = "disk",
    .longname = "simulated spinning disk",
    .unload = disk_unload,
    .config = disk_config,
    .config_complete = disk_config_complete,
    .config_help = "log=LOG file=IMAGE [extents=EXTENTS] [file=IMAGE2 ...]",
    .open = disk_open,
    .get_size = disk_get_size,
    .can_write = disk_can_write,
    .block_size = disk_block_size,
    .pread = disk_pread,
};

/* The macro defines it without a prototype. */
struct nbdkit_plugin *plugin_init(void);

NBDKIT_REGISTER_PLUGIN(plugin)

// SPDX-License-Identifier: MIT
/* Owns the way from a file to the device that holds it. */
#include "facts.h"

#include "err.h"
#include "io.h"
#include "mount.h"
#include "vec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int fill_device(const struct host_roots *roots, const struct host_device *device,
                       struct host_facts *facts, struct err *err)
{
    facts->device = host_device_name(device);
    facts->rotational = host_device_rotates(roots, device);
    return facts->device == NULL ? err_no_memory(err) : 0;
}

/*
 * A file system on a device has that one's number. Others, as btrfs, have a number of their own,
 * and tell the device by the name that was mounted; where that is no device, there is none.
 */
static int fill_mounted(const struct host_roots *roots, const struct host_mount *mount,
                        struct host_facts *facts, struct err *err)
{
    struct host_device device;

    facts->filesystem = strdup(mount->filesystem);
    if (facts->filesystem == NULL)
        return err_no_memory(err);
    if (mount->major != 0 ? host_device_of_number(roots, mount->major, mount->minor, &device)
                          : host_device_of_name(roots, mount->source, &device))
        return fill_device(roots, &device, facts, err);
    if (strncmp(mount->source, "/dev/", 5) != 0)
        return 0;
    facts->device = strdup(mount->source);
    return facts->device == NULL ? err_no_memory(err) : 0;
}

static int find(const struct host_roots *roots, int fd, const struct stat *st,
                struct host_facts *facts, struct err *err)
{
    struct host_device device;
    struct host_mount mount;
    int ret;

    if (S_ISBLK(st->st_mode))
        return host_device_of_number(roots, major(st->st_rdev), minor(st->st_rdev), &device)
                   ? fill_device(roots, &device, facts, err)
                   : 0;
    ret = host_mount_of_descriptor(roots->proc, fd, &mount);
    if (ret < 0)
        return err_no_memory(err);
    if (ret > 0)
        ret = fill_mounted(roots, &mount, facts, err);
    host_mount_release(&mount);
    return ret;
}

/* ---- what was found before ---- */

/* In the order in which they were met: few people have more than a handful of file systems. */
struct known {
    dev_t number; /* of the file system; each subvolume of a btrfs has its own */
    struct host_facts facts;
};

struct host_facts_memory {
    pthread_mutex_t lock;
    struct known *list;
    size_t n_list, cap_list;
};

struct host_facts_memory *host_facts_memory_new(void)
{
    struct host_facts_memory *memory = calloc(1, sizeof(*memory));

    if (memory != NULL)
        pthread_mutex_init(&memory->lock, NULL);
    return memory;
}

void host_facts_memory_free(struct host_facts_memory *memory)
{
    if (memory == NULL)
        return;
    for (size_t i = 0; i < memory->n_list; i++)
        host_facts_release(&memory->list[i].facts);
    pthread_mutex_destroy(&memory->lock);
    free(memory->list);
    free(memory);
}

static int copy(const struct host_facts *from, struct host_facts *to, struct err *err)
{
    to->rotational = from->rotational;
    to->filesystem = from->filesystem != NULL ? strdup(from->filesystem) : NULL;
    to->device = from->device != NULL ? strdup(from->device) : NULL;
    if ((from->filesystem != NULL && to->filesystem == NULL) ||
        (from->device != NULL && to->device == NULL))
        return err_no_memory(err);
    return 0;
}

static const struct known *recall(const struct host_facts_memory *memory, dev_t number)
{
    for (size_t i = 0; i < memory->n_list; i++)
        if (memory->list[i].number == number)
            return &memory->list[i];
    return NULL;
}

/* The lock is held. What does not fit into memory is found out again next time. */
static void remember(struct host_facts_memory *memory, dev_t number, const struct host_facts *facts)
{
    struct err ignored = {0};
    struct known *known;

    if (vec_reserve(memory, list) < 0)
        return;
    known = &memory->list[memory->n_list];
    *known = (struct known){.number = number};
    if (copy(facts, &known->facts, &ignored) == 0)
        memory->n_list++;
    else
        host_facts_release(&known->facts);
}

static int find_or_recall(const struct host_roots *roots, int fd, const struct stat *st,
                          struct host_facts_memory *memory, struct host_facts *facts,
                          struct err *err)
{
    const struct known *known;
    int ret;

    pthread_mutex_lock(&memory->lock);
    known = recall(memory, st->st_dev);
    if (known != NULL) {
        ret = copy(&known->facts, facts, err);
    } else {
        ret = find(roots, fd, st, facts, err);
        if (ret == 0)
            remember(memory, st->st_dev, facts);
    }
    pthread_mutex_unlock(&memory->lock);
    return ret;
}

int host_facts_find(struct io *io, const struct host_roots *roots, struct host_facts_memory *memory,
                    struct host_facts *facts, struct err *err)
{
    static const struct host_roots system_roots = {"/sys", "/proc"};
    int fd = io_descriptor(io);
    struct stat st;

    memset(facts, 0, sizeof(*facts));
    if (roots == NULL)
        roots = &system_roots;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    if (memory == NULL || S_ISBLK(st.st_mode))
        return find(roots, fd, &st, facts, err);
    return find_or_recall(roots, fd, &st, memory, facts, err);
}

void host_facts_release(struct host_facts *facts)
{
    free(facts->filesystem);
    free(facts->device);
    memset(facts, 0, sizeof(*facts));
}

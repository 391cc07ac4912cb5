// SPDX-License-Identifier: MIT
/* Owns the loading of libnbd. It stays until the end. */
#include "nbd_library.h"

#include "err.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define NAME "libnbd.so.0"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct io_nbd_library library;
static bool loaded;
static struct err problem; /* if it is not */

static bool find(void *handle, const char *name, void *function, size_t len)
{
    void *address = dlsym(handle, name);

    memcpy(function, &address, len);
    return address != NULL;
}

static void load(void)
{
    void *handle = dlopen(NAME, RTLD_NOW | RTLD_LOCAL);

    loaded = handle != NULL;
#define FIND(name) loaded = loaded && find(handle, "nbd_" #name, &library.name, sizeof(void *));
    IO_NBD_FUNCTIONS(FIND)
#undef FIND
    if (!loaded)
        err_set(&problem, ENOSYS, "is remote, which takes libnbd: %s", dlerror());
}

const struct io_nbd_library *io_nbd_library(struct err *err)
{
    pthread_once(&once, load);
    if (loaded)
        return &library;
    err_set(err, problem.code, "%s", problem.text);
    return NULL;
}

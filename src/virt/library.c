// SPDX-License-Identifier: MIT
/* Owns the loading of libvirt. */
#include "library.h"

#include "err.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NAME "libvirt.so.0"

static struct virt_library library;

/* Looks in all that came with libvirt, too. */
static bool find(void *handle, const char *name, void *function, size_t len)
{
    void *address = dlsym(handle, name);

    memcpy(function, &address, len);
    return address != NULL;
}

const struct virt_library *virt_library_load(struct err *err)
{
    void *handle = dlopen(NAME, RTLD_NOW | RTLD_LOCAL);
    bool loaded = handle != NULL;

#define FIND(name) loaded = loaded && find(handle, "vir" #name, &library.name, sizeof(void *));
    VIRT_FUNCTIONS(FIND)
#undef FIND
#define FIND(name, type, arguments)                                                                \
    loaded = loaded && find(handle, #name, &library.name, sizeof(void *));
    VIRT_XML_FUNCTIONS(FIND)
#undef FIND
    if (loaded)
        return &library;
    err_set(err, ENOSYS, "the library of libvirt is not there: %s", dlerror());
    return NULL;
}

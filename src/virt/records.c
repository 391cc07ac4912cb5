// SPDX-License-Identifier: MIT
/* Owns the form of records. */
#include "records.h"

#include "err.h"
#include "vec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DISK 'd'
#define SIGN_OF_LIFE '.'
#define FAILURE 'e'
#define END 'z'

static void put(FILE *to, const char *text)
{
    fwrite(text, 1, strlen(text) + 1, to);
}

void virt_records_put_disk(FILE *to, const struct virt_disk *disk)
{
    putc(DISK, to);
    put(to, disk->domain);
    put(to, disk->target);
    put(to, disk->format);
    put(to, disk->place);
    put(to, disk->why);
}

void virt_records_put_sign_of_life(FILE *to)
{
    putc(SIGN_OF_LIFE, to);
}

void virt_records_put_end(FILE *to, const struct err *err)
{
    char code[16];

    if (err->code == 0) {
        putc(END, to);
        return;
    }
    snprintf(code, sizeof(code), "%d", err->code);
    putc(FAILURE, to);
    put(to, code);
    put(to, err->text);
}

struct rest {
    const char *at;
    size_t len;
};

static bool take(struct rest *rest, const char **text)
{
    size_t len = strnlen(rest->at, rest->len);

    if (len == rest->len)
        return false;
    *text = rest->at;
    rest->at += len + 1;
    rest->len -= len + 1;
    return true;
}

static int cut_off(struct err *err)
{
    return err_set(err, EPROTO, "asking libvirt ended before all domains were told");
}

static int take_disk(struct rest *rest, struct virt_disks *disks, struct err *err)
{
    struct virt_disk disk;

    if (!take(rest, &disk.domain) || !take(rest, &disk.target) || !take(rest, &disk.format) ||
        !take(rest, &disk.place) || !take(rest, &disk.why))
        return cut_off(err);
    if (vec_reserve(disks, list) < 0)
        return err_no_memory(err);
    disks->list[disks->n_list++] = disk;
    return 0;
}

static int take_failure(struct rest *rest, struct err *err)
{
    const char *code, *text;

    if (!take(rest, &code) || !take(rest, &text))
        return cut_off(err);
    return err_set(err, atoi(code) > 0 ? atoi(code) : EIO, "%s", text);
}

int virt_records_read(const char *bytes, size_t len, struct virt_disks *disks, struct err *err)
{
    struct rest rest = {bytes, len};
    int ret = 0;

    *disks = (struct virt_disks){0};
    while (ret == 0) {
        char kind;

        if (rest.len == 0)
            return cut_off(err);
        kind = *rest.at++;
        rest.len--;
        if (kind == END)
            return rest.len == 0 ? 0 : cut_off(err);
        if (kind == FAILURE)
            return take_failure(&rest, err);
        if (kind == DISK)
            ret = take_disk(&rest, disks, err);
        else if (kind != SIGN_OF_LIFE)
            return cut_off(err);
    }
    return ret;
}

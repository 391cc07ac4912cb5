// SPDX-License-Identifier: MIT
/* Records are read as they were written, and not at all when something is missing. */
#include "err.h"
#include "records.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct virt_disk web = {"web", "vda", "qcow2", "/a\nb", ""},
                              db = {"db", "sda", "", "", "is of the type \"nvme\""};

/* Free it. */
static char *written(const struct err *err, size_t *len)
{
    char *bytes = NULL;
    FILE *to = open_memstream(&bytes, len);

    assert_non_null(to);
    virt_records_put_disk(to, &web);
    virt_records_put_sign_of_life(to);
    virt_records_put_sign_of_life(to);
    virt_records_put_disk(to, &db);
    virt_records_put_end(to, err);
    fclose(to);
    return bytes;
}

static void is_disk(const struct virt_disk *disk, const struct virt_disk *expected)
{
    assert_string_equal(disk->domain, expected->domain);
    assert_string_equal(disk->target, expected->target);
    assert_string_equal(disk->format, expected->format);
    assert_string_equal(disk->place, expected->place);
    assert_string_equal(disk->why, expected->why);
}

static void all_disks_are_read(void **state)
{
    struct err err = {0};
    struct virt_disks disks;
    size_t len;
    char *bytes = written(&err, &len);

    (void)state;
    assert_int_equal(virt_records_read(bytes, len, &disks, &err), 0);
    assert_int_equal(disks.n_list, 2);
    is_disk(&disks.list[0], &web);
    is_disk(&disks.list[1], &db);
    free(disks.list);
    free(bytes);
}

static void an_error_is_read_with_its_code(void **state)
{
    struct err told = {0}, err = {0};
    struct virt_disks disks;
    size_t len;
    char *bytes;

    (void)state;
    err_set(&told, ECONNREFUSED, "libvirt is not reached: no");
    bytes = written(&told, &len);
    assert_int_equal(virt_records_read(bytes, len, &disks, &err), -ECONNREFUSED);
    assert_string_equal(err.text, "libvirt is not reached: no");
    free(disks.list);
    free(bytes);
}

/* A process may die at any byte. */
static void whatever_is_cut_off_is_an_error(void **state)
{
    struct err told = {0}, failed = {0};

    (void)state;
    err_set(&failed, EIO, "no");
    for (int i = 0; i < 2; i++) {
        size_t len;
        char *bytes = written(i == 0 ? &told : &failed, &len);

        for (size_t cut = 0; cut < len; cut++) {
            char *part = malloc(cut > 0 ? cut : 1); /* no byte more, as a sanitizer sees */
            struct virt_disks disks;
            struct err err = {0};

            assert_non_null(part);
            memcpy(part, bytes, cut);
            assert_int_equal(virt_records_read(part, cut, &disks, &err), -EPROTO);
            assert_non_null(strstr(err.text, "ended before all domains were told"));
            free(disks.list);
            free(part);
        }
        free(bytes);
    }
}

static void so_is_what_no_record_begins_with(void **state)
{
    static const char *const wrong[] = {"x", "z.", ".d"};
    struct virt_disks disks;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct err err = {0};

        assert_int_equal(virt_records_read(wrong[i], strlen(wrong[i]), &disks, &err), -EPROTO);
        free(disks.list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_disks_are_read),
        cmocka_unit_test(an_error_is_read_with_its_code),
        cmocka_unit_test(whatever_is_cut_off_is_an_error),
        cmocka_unit_test(so_is_what_no_record_begins_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* The disks in the description of a domain. */
#include "domain.h"
#include "err.h"
#include "library.h"
#include "records.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What was found, a line each: target, format, place or pool/volume, why. */
static char found_lines[2048];

static int found(void *context, const struct virt_disk *disk, const char *pool, const char *volume)
{
    size_t len = strlen(found_lines);

    (void)context;
    assert_string_equal(disk->domain, "");
    if (volume != NULL)
        snprintf(found_lines + len, sizeof(found_lines) - len, "%s:%s:pool %s, volume %s\n",
                 disk->target, disk->format, pool, volume);
    else
        snprintf(found_lines + len, sizeof(found_lines) - len, "%s:%s:%s%s\n", disk->target,
                 disk->format, disk->place, disk->why);
    return 0;
}

static int end_at_once(void *context, const struct virt_disk *disk, const char *pool,
                       const char *volume)
{
    found(context, disk, pool, volume);
    return -ECANCELED;
}

static const struct virt_library *library(void)
{
    struct err err = {0};
    const struct virt_library *loaded = virt_library_load(&err);

    if (loaded == NULL) {
        print_message("%s\n", err.text);
        skip();
    }
    return loaded;
}

static int read_domain(const char *xml, virt_disk_fn *fn, struct err *err)
{
    found_lines[0] = '\0';
    return virt_domain_read(library(), xml, fn, NULL, err);
}

/* @disks stand in a domain, and are told as @lines. */
static void has_disks(const char *disks, const char *lines)
{
    char xml[4096];
    struct err err = {0};

    snprintf(xml, sizeof(xml),
             "<domain type='kvm' id='1'><name>web</name><os><type>hvm</type></os>"
             "<devices><emulator>/usr/bin/qemu</emulator>%s"
             "<interface type='network'><source network='default'/><target dev='vnet0'/>"
             "</interface></devices></domain>",
             disks);
    assert_int_equal(read_domain(xml, found, &err), 0);
    assert_string_equal(found_lines, lines);
}

static void files_and_devices_are_known_by_their_paths(void **state)
{
    (void)state;
    has_disks("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
              "<source file='/a/b &amp; &quot;c&apos;.qcow2' index='1'/>"
              "<target dev='vda' bus='virtio'/></disk>"
              "<disk type='block' device='disk'><driver name='qemu' type='raw'/>"
              "<source dev='/dev/vg/lv'/><target dev='vdb'/></disk>"
              "<disk type='file'><source file='/d'/><target dev='sda'/></disk>",
              "vda:qcow2:/a/b & \"c'.qcow2\nvdb:raw:/dev/vg/lv\nsda::/d\n");
}

static void a_drive_without_a_medium_is_no_disk(void **state)
{
    (void)state;
    has_disks("<disk type='file' device='cdrom'><driver type='raw'/><target dev='hda'/></disk>"
              "<disk type='file'/><disk type='block'><source/><target dev='hdb'/></disk>"
              "<disk type='volume'><target dev='hdd'/></disk>"
              "<disk type='file'><source file='/x'/><target dev='hdc'/></disk>",
              "hdc::/x\n");
}

/* As they are described while a domain runs, and copies. */
static void what_a_disk_is_built_on_is_none(void **state)
{
    (void)state;
    has_disks("<disk type='file' device='disk'><driver type='qcow2'/>"
              "<backingStore type='file'><format type='raw'/><source file='/base'/>"
              "<backingStore type='block'><source dev='/deeper'/></backingStore></backingStore>"
              "<mirror type='file' file='/copy' job='copy'><format type='raw'/>"
              "<source file='/copy'><host name='h'/></source></mirror>"
              "<source file='/top'><encryption format='luks'/></source>"
              "<target dev='vda'/></disk>",
              "vda:qcow2:/top\n");
}

static void only_devices_of_the_domain_count(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(
        read_domain(
            "<domain><metadata><x:y xmlns:x='u'><disk type='file'><source file='/m'/></disk>"
            "</x:y></metadata><metadata><disk type='file'><source file='/n'/></disk>"
            "</metadata><devices/><cputune><disk type='file'><source file='/o'/></disk>"
            "</cputune></domain>",
            found, &err),
        0);
    assert_string_equal(found_lines, "");
}

static void volumes_are_known_by_their_pools(void **state)
{
    (void)state;
    has_disks("<disk type='volume'><driver type='qcow2'/><source pool='p' volume='v.qcow2'/>"
              "<target dev='vda'/></disk>",
              "vda:qcow2:pool p, volume v.qcow2\n");
}

static void exports_of_nbd_are_known_by_their_uris(void **state)
{
    (void)state;
    has_disks("<disk type='network'><driver type='qcow2'/><source protocol='nbd' name='x y'>"
              "<host name='h' port='10809'/></source><target dev='vda'/></disk>"
              "<disk type='network'><source protocol='nbd' tls='yes'>"
              "<host transport='unix' socket='/s'/></source><target dev='vdb'/></disk>"
              "<disk type='network'><source protocol='nbd'><host transport='rdma'/></source>"
              "<target dev='vdc'/></disk>",
              "vda:qcow2:nbd://h:10809/x%20y\nvdb::nbds+unix:///?socket=/s\n"
              "vdc::is an export of NBD that no URI names\n");
}

static void what_cannot_be_read_says_why(void **state)
{
    (void)state;
    has_disks("<disk type='network'><source protocol='rbd' name='pool/x'><host name='h'/></source>"
              "<target dev='vda'/></disk>"
              "<disk type='nvme'><source type='pci' namespace='1'/><target dev='vdb'/></disk>"
              "<disk type='file'><source file='relative'/><target dev='vdc'/></disk>"
              "<disk type='file'><source file='/x'><slices>"
              "<slice type='storage' offset='1' size='2'/></slices></source>"
              "<target dev='vdd'/></disk>"
              "<disk type='file'><source file='/y'/><target dev='vde'/></disk>",
              "vda::is read by the network, by the protocol \"rbd\"\n"
              "vdb::is of the type \"nvme\"\nvdc::is no absolute path\n"
              "vdd::is a slice of what it lies in\nvde::/y\n");
}

static void what_is_no_xml_is_an_error(void **state)
{
    static const char *const wrong[] = {"", "x", "<domain>", "<domain><devices></domain>",
                                        "<domain>&undefined;</domain>"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct err err = {0};

        assert_true(read_domain(wrong[i], found, &err) < 0);
        assert_int_not_equal(err.code, 0);
    }
}

static void who_is_told_can_end_it(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(read_domain("<domain><devices><disk><source file='/a'/></disk>"
                                 "<disk><source file='/b'/></disk></devices></domain>",
                                 end_at_once, &err),
                     -ECANCELED);
    assert_string_equal(found_lines, "::/a\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_devices_are_known_by_their_paths),
        cmocka_unit_test(a_drive_without_a_medium_is_no_disk),
        cmocka_unit_test(what_a_disk_is_built_on_is_none),
        cmocka_unit_test(only_devices_of_the_domain_count),
        cmocka_unit_test(volumes_are_known_by_their_pools),
        cmocka_unit_test(exports_of_nbd_are_known_by_their_uris),
        cmocka_unit_test(what_cannot_be_read_says_why),
        cmocka_unit_test(what_is_no_xml_is_an_error),
        cmocka_unit_test(who_is_told_can_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

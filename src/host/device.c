// SPDX-License-Identifier: MIT
/* Owns the way through sysfs from a block device down to disks. Reads attributes, nothing else. */
#include "device.h"

#include "mount.h"

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Devices upon devices: more than anyone stacks; and the end of links that lead in a circle. */
#define DEPTH_MAX 16

struct search {
    const struct host_roots *roots;
    unsigned n_disks;
    struct opt_bool answer; /* of the disks so far */
};

/* ---- attributes ---- */

static bool join(char path[PATH_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool join(char path[PATH_MAX], const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(path, PATH_MAX, fmt, args);
    va_end(args);
    return len >= 0 && len < PATH_MAX;
}

static bool exists(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    return join(path, "%s/%s", folder, name) && lstat(path, &st) == 0;
}

/* The first line of an attribute. */
static bool read_attribute(const char *folder, const char *name, char *text, int size)
{
    char path[PATH_MAX];
    bool got = false;
    FILE *file;

    if (!join(path, "%s/%s", folder, name))
        return false;
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fgets(text, size, file) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        got = true;
    }
    fclose(file);
    return got;
}

static bool resolve(const char *link, struct host_device *device)
{
    return realpath(link, device->folder) != NULL;
}

/* ---- finding and naming a device ---- */

bool host_device_of_number(const struct host_roots *roots, unsigned major, unsigned minor,
                           struct host_device *device)
{
    char path[PATH_MAX];

    return join(path, "%s/dev/block/%u:%u", roots->sysfs, major, minor) && resolve(path, device);
}

/* Device mapper has numbers for names in sysfs; each says its own. */
static bool find_mapped(const struct host_roots *roots, const char *name,
                        struct host_device *device)
{
    char path[PATH_MAX], found[PATH_MAX];
    struct dirent *entry;
    bool done = false;
    DIR *folder;

    if (!join(path, "%s/class/block", roots->sysfs))
        return false;
    folder = opendir(path);
    while (folder != NULL && !done && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, "dm-", 3) != 0 ||
            !join(path, "%s/class/block/%s", roots->sysfs, entry->d_name))
            continue;
        done = read_attribute(path, "dm/name", found, sizeof(found)) && strcmp(found, name) == 0 &&
               resolve(path, device);
    }
    if (folder != NULL)
        closedir(folder);
    return done;
}

/* A slash in the name of a device is an exclamation mark in sysfs. */
static void exchange(char *text, char from, char to)
{
    for (; *text != '\0'; text++)
        if (*text == from)
            *text = to;
}

bool host_device_of_name(const struct host_roots *roots, const char *name,
                         struct host_device *device)
{
    char plain[NAME_MAX + 1], path[PATH_MAX];
    struct stat st;

    if (strncmp(name, "/dev/", 5) != 0 || strlen(name + 5) >= sizeof(plain))
        return false;
    if (strncmp(name, "/dev/mapper/", 12) == 0 && find_mapped(roots, name + 12, device))
        return true;
    strcpy(plain, name + 5);
    exchange(plain, '/', '!');
    if (join(path, "%s/class/block/%s", roots->sysfs, plain) && resolve(path, device))
        return true;
    /* A link, or a name that udev gave; /dev is no file system that could make us wait. */
    return stat(name, &st) == 0 && S_ISBLK(st.st_mode) &&
           host_device_of_number(roots, major(st.st_rdev), minor(st.st_rdev), device);
}

static const char *base_name(const struct host_device *device)
{
    const char *slash = strrchr(device->folder, '/');

    return slash != NULL ? slash + 1 : device->folder;
}

char *host_device_name(const struct host_device *device)
{
    char mapped[NAME_MAX + 1], *name;

    if (read_attribute(device->folder, "dm/name", mapped, sizeof(mapped)))
        return asprintf(&name, "/dev/mapper/%s", mapped) < 0 ? NULL : name;
    if (asprintf(&name, "/dev/%s", base_name(device)) < 0)
        return NULL;
    exchange(name, '!', '/');
    return name;
}

/* ---- disks ---- */

static bool has_prefix_and_digit(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncasecmp(text, prefix, len) == 0 && isdigit((unsigned char)text[len]);
}

/* A disk on a bus of virtual machines: virtio3, VMBUS:01 and its likes, Xen's vbd-51712. */
static bool is_on_virtual_bus(const char *folder)
{
    for (const char *part = folder; (part = strchr(part, '/')) != NULL;) {
        part++;
        if (has_prefix_and_digit(part, "virtio") || has_prefix_and_digit(part, "vbd-") ||
            strncasecmp(part, "vmbus", 5) == 0)
            return true;
    }
    return false;
}

/* Makers of SCSI, SATA and IDE disks that are none, by a part of their names. */
static bool is_virtual_make(const char *folder)
{
    static const char *const makes[] = {"QEMU",   "VMware",  "Msft",      "VBOX",    "Virtual",
                                        "XENSRC", "LIO-ORG", "Parallels", "NUTANIX", "Google"};
    char vendor[64] = "", model[64] = "", both[160];

    read_attribute(folder, "device/vendor", vendor, sizeof(vendor));
    read_attribute(folder, "device/model", model, sizeof(model));
    snprintf(both, sizeof(both), "%s %s", vendor, model);
    for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++)
        if (strcasestr(both, makes[i]) != NULL)
            return true;
    return false;
}

/* "Rotates" is what a disk says that knows nothing of itself: of a virtual one it means nothing. */
static struct opt_bool disk_rotates(const char *folder)
{
    char text[16];

    if (!read_attribute(folder, "queue/rotational", text, sizeof(text)))
        return (struct opt_bool){false, false};
    if (strcmp(text, "0") == 0)
        return opt_bool_of(false);
    if (is_on_virtual_bus(folder) || is_virtual_make(folder))
        return (struct opt_bool){false, false};
    return opt_bool_of(true);
}

/* All disks must say the same. */
static void count_disk(struct search *search, struct opt_bool rotates)
{
    if (search->n_disks++ == 0)
        search->answer = rotates;
    else if (!rotates.known || rotates.value != search->answer.value)
        search->answer.known = false;
}

static void visit_mounted(struct search *search, const struct host_device *device, unsigned depth);

/* Visits what the links in a folder lead to. False: there are none. */
static bool visit_links(struct search *search, const char *folder, unsigned depth,
                        void (*visit)(struct search *, const struct host_device *, unsigned))
{
    struct dirent *entry;
    char path[PATH_MAX];
    bool any = false;
    DIR *links = opendir(folder);

    while (links != NULL && (entry = readdir(links)) != NULL) {
        struct host_device device;

        if (entry->d_name[0] == '.')
            continue;
        any = true;
        if (join(path, "%s/%s", folder, entry->d_name) && resolve(path, &device))
            visit(search, &device, depth);
        else
            count_disk(search, (struct opt_bool){false, false});
    }
    if (links != NULL)
        closedir(links);
    return any;
}

/* The device that the file under a loop device lies on. */
static void visit_backing(struct search *search, const char *file, unsigned depth)
{
    struct host_mount mount;
    struct host_device device;
    bool found =
        host_mount_of_path(search->roots->proc, file, &mount) > 0 &&
        (mount.major != 0 ? host_device_of_number(search->roots, mount.major, mount.minor, &device)
                          : host_device_of_name(search->roots, mount.source, &device));

    if (found)
        visit_mounted(search, &device, depth);
    else
        count_disk(search, (struct opt_bool){false, false});
    host_mount_release(&mount);
}

static void visit(struct search *search, const struct host_device *device, unsigned depth)
{
    struct host_device disk = *device;
    char path[PATH_MAX], file[PATH_MAX];

    if (depth > DEPTH_MAX) {
        count_disk(search, (struct opt_bool){false, false});
        return;
    }
    if (exists(disk.folder, "partition")) /* its disk is the folder around it */
        *strrchr(disk.folder, '/') = '\0';
    if (join(path, "%s/slaves", disk.folder) && visit_links(search, path, depth + 1, visit))
        return;
    if (read_attribute(disk.folder, "loop/backing_file", file, sizeof(file)))
        visit_backing(search, file, depth + 1);
    else
        count_disk(search, disk_rotates(disk.folder));
}

/* The folder of the btrfs that @device is a part of. */
static bool find_btrfs(const struct host_roots *roots, const struct host_device *device,
                       char found[PATH_MAX])
{
    char path[PATH_MAX];
    struct dirent *entry;
    bool done = false;
    DIR *folder;

    if (!join(path, "%s/fs/btrfs", roots->sysfs))
        return false;
    folder = opendir(path);
    while (folder != NULL && !done && (entry = readdir(folder)) != NULL)
        done = entry->d_name[0] != '.' &&
               join(found, "%s/fs/btrfs/%s/devices", roots->sysfs, entry->d_name) &&
               exists(found, base_name(device));
    if (folder != NULL)
        closedir(folder);
    return done;
}

/* A device with a file system on it: btrfs may use more than the one that was named. */
static void visit_mounted(struct search *search, const struct host_device *device, unsigned depth)
{
    char path[PATH_MAX];

    if (!find_btrfs(search->roots, device, path) || !visit_links(search, path, depth + 1, visit))
        visit(search, device, depth + 1);
}

struct opt_bool host_device_rotates(const struct host_roots *roots,
                                    const struct host_device *device)
{
    struct search search = {.roots = roots};

    visit_mounted(&search, device, 0);
    return search.answer;
}

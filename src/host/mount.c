// SPDX-License-Identifier: MIT
/*
 * Owns the reading of mountinfo: see proc(5). A line is
 *
 *   ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS [FIELD ...] - TYPE SOURCE OPTIONS
 */
#include "mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The fields of one line that are looked at, inside the line. */
struct line {
    int id;
    unsigned major, minor;
    char *point, *filesystem, *source;
};

/* The kernel writes blank, tab, newline and backslash as \ooo. In place. */
static void unescape(char *text)
{
    char *to = text;

    while (*text != '\0') {
        unsigned code;

        if (sscanf(text, "\\%3o", &code) == 1 && strlen(text) >= 4) {
            *to++ = (char)code;
            text += 4;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

static bool parse(char *text, struct line *line)
{
    int used = 0;
    char *rest, *save = NULL;

    if (sscanf(text, "%d %*d %u:%u %*s %n", &line->id, &line->major, &line->minor, &used) != 3 ||
        used == 0)
        return false;
    rest = strstr(text + used, " - "); /* a blank inside a field is escaped */
    line->point = strtok_r(text + used, " ", &save);
    if (rest == NULL || line->point == NULL)
        return false;
    line->filesystem = strtok_r(rest + 3, " \n", &save);
    line->source = strtok_r(NULL, " \n", &save);
    if (line->filesystem == NULL || line->source == NULL)
        return false;
    unescape(line->point);
    unescape(line->filesystem);
    unescape(line->source);
    return true;
}

static bool keep(const struct line *line, struct host_mount *mount)
{
    host_mount_release(mount);
    mount->filesystem = strdup(line->filesystem);
    mount->source = strdup(line->source);
    mount->major = line->major;
    mount->minor = line->minor;
    return mount->filesystem != NULL && mount->source != NULL;
}

/* Is @path the mount point or below it? */
static bool covers(const char *point, const char *path)
{
    size_t len = strlen(point);

    if (len > 0 && point[len - 1] == '/') /* the root */
        len--;
    return strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The mount with @id, or if @path is not NULL the deepest one over it: of several, the last. */
static bool find(const char *proc, int id, const char *path, struct host_mount *mount)
{
    char name[4096], *text = NULL;
    size_t size = 0, deepest = 0;
    bool found = false;
    FILE *file;

    memset(mount, 0, sizeof(*mount));
    snprintf(name, sizeof(name), "%s/self/mountinfo", proc);
    file = fopen(name, "re");
    while (file != NULL && getline(&text, &size, file) >= 0) {
        struct line line;

        if (!parse(text, &line) || (path == NULL && line.id != id))
            continue;
        if (path != NULL && (!covers(line.point, path) || strlen(line.point) < deepest))
            continue;
        deepest = strlen(line.point);
        found = keep(&line, mount);
    }
    free(text);
    if (file != NULL)
        fclose(file);
    if (!found)
        host_mount_release(mount);
    return found;
}

/* Each mount has a number of its own: no path has to be followed, and none can be misleading. */
bool host_mount_of_descriptor(const char *proc, int fd, struct host_mount *mount)
{
    char name[4096], text[256];
    int id = -1;
    FILE *file;

    memset(mount, 0, sizeof(*mount));
    snprintf(name, sizeof(name), "%s/self/fdinfo/%d", proc, fd);
    file = fopen(name, "re");
    while (file != NULL && id < 0 && fgets(text, sizeof(text), file) != NULL)
        sscanf(text, "mnt_id: %d", &id);
    if (file != NULL)
        fclose(file);
    return id >= 0 && find(proc, id, NULL, mount);
}

bool host_mount_of_path(const char *proc, const char *path, struct host_mount *mount)
{
    return find(proc, -1, path, mount);
}

void host_mount_release(struct host_mount *mount)
{
    free(mount->filesystem);
    free(mount->source);
    memset(mount, 0, sizeof(*mount));
}

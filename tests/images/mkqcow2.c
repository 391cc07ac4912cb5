// SPDX-License-Identifier: MIT
// mkqcow2 FIXTURE.txt OUT.qcow2: makes a qcow2 image of a text that describes it.
// mkqcow2 --into FOLDER FIXTURE.txt ...: makes FOLDER/FIXTURE.qcow2 of each.
//
// For tests only. README.md in this folder specifies the text. The fixture is read and laid out
// as a whole before the output is opened, so a bad text leaves no file behind.

#include "mkqcow2.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct image image;

void die(const struct image *of, int line, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s:", of ? of->fixture : "mkqcow2");
    if (line)
        fprintf(stderr, "%d:", line);
    fputc(' ', stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

// ---- memory: that of an image is given back when it is made -------------------------------

struct piece_of_memory {
    struct piece_of_memory *next, *previous;
    alignas(max_align_t) char bytes[];
};

static struct piece_of_memory all = {&all, &all};

static void *taken(struct piece_of_memory *piece)
{
    if (!piece)
        die(NULL, 0, "out of memory");
    piece->next = all.next;
    piece->previous = &all;
    all.next->previous = piece;
    all.next = piece;
    return piece->bytes;
}

static struct piece_of_memory *returned(void *memory)
{
    struct piece_of_memory *piece =
        (struct piece_of_memory *)((char *)memory - offsetof(struct piece_of_memory, bytes));

    piece->next->previous = piece->previous;
    piece->previous->next = piece->next;
    return piece;
}

void *get(size_t n_bytes) { return taken(malloc(sizeof(struct piece_of_memory) + n_bytes)); }

void *get_zeroed(size_t n, size_t size)
{
    size_t n_bytes;

    if (__builtin_mul_overflow(n, size, &n_bytes) ||
        __builtin_add_overflow(n_bytes, sizeof(struct piece_of_memory), &n_bytes))
        return taken(NULL);
    return taken(calloc(1, n_bytes));
}

void *resize(void *memory, size_t n_bytes)
{
    return taken(realloc(memory ? returned(memory) : NULL, sizeof(struct piece_of_memory) + n_bytes));
}

void give_back(void *memory)
{
    if (memory)
        free(returned(memory));
}

static void give_back_all(void)
{
    while (all.next != &all)
        give_back(all.next->bytes);
}

// Room for one more than n: doubles whenever n is a power of two.
void *grow(void *memory, size_t n, size_t size)
{
    return n & (n - 1) ? memory : resize(memory, (n ? 2 * n : 1) * size);
}

// ---- images -------------------------------------------------------------------------------

uint64_t divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

// data-file NAME create: an empty file of the disk's size beside the image.
static void create_data_file(const char *image_path)
{
    const char *slash = strrchr(image_path, '/');
    int folder = slash ? (int)(slash - image_path + 1) : 0, fd;
    char *path;

    if (asprintf(&path, "%.*s%s", folder, image_path, image.data_file.bytes) < 0)
        die(NULL, 0, "out of memory");
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || ftruncate(fd, (off_t)image.size_bytes) < 0 || close(fd) < 0)
        die(NULL, 0, "%s cannot be made: %m", path);
    free(path);
}

static void make_image(const char *text_path, const char *image_path)
{
    int fd;

    image = (struct image){0};
    refs_forget();
    give_back_all();
    parse_fixture(&image, text_path);
    layout_image(&image);
    write_header(&image);
    edit_resolve(&image);
    fd = open(image_path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        die(NULL, 0, "%s: %m", image_path);
    write_image(&image, fd);
    edit_apply(&image, fd);
    if (close(fd) < 0)
        die(NULL, 0, "%s: %m", image_path);
    if (image.create_data_file)
        create_data_file(image_path);
}

static void make_image_into(const char *folder, const char *text_path)
{
    const char *slash = strrchr(text_path, '/'), *name = slash ? slash + 1 : text_path;
    const char *dot = strrchr(name, '.');
    int length = dot ? (int)(dot - name) : (int)strlen(name);
    char *image_path;

    if (asprintf(&image_path, "%s/%.*s.qcow2", folder, length, name) < 0)
        die(NULL, 0, "out of memory");
    make_image(text_path, image_path);
    free(image_path);
}

int main(int argc, char **argv)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 18); // large tables of zeros are the kernel's, not touched
#endif
    if (argc >= 3 && strcmp(argv[1], "--into") == 0) {
        for (int i = 3; i < argc; i++)
            make_image_into(argv[2], argv[i]);
        return 0;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: mkqcow2 FIXTURE.txt|- OUT.qcow2\n"
                        "       mkqcow2 --into FOLDER FIXTURE.txt ...\n");
        return 1;
    }
    make_image(argv[1], argv[2]);
    return 0;
}

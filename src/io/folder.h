/* SPDX-License-Identifier: MIT */
/*
 * A folder that the user named. What is below it is opened from its descriptor, through no link:
 * whoever may write there can exchange a file, but not lead the program out of the folder.
 */
#ifndef IO_FOLDER_H
#define IO_FOLDER_H

struct err;
struct io;

struct io_folder {
    char *path; /* as it was named */
    int fd;
};

/* A link at the end of @path is followed: the user named it. Nothing to release on failure. */
int io_folder_open(const char *path, struct io_folder *folder, struct err *err);
void io_folder_close(struct io_folder *folder);

/* Like io_file_open, of a regular file below @folder: @relative has neither "." nor "..". */
int io_folder_open_file(const struct io_folder *folder, const char *relative, struct io **io,
                        struct err *err);

#endif

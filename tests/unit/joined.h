/* SPDX-License-Identifier: MIT */
/*
 * Included before all else of the unit tests that share a program, as linking one for each takes
 * longer than most of them: the main of a file is one of many there, and has the name of its file.
 */
#ifndef UNIT_JOINED_H
#define UNIT_JOINED_H

/* @path: of the file, borrowed for ever. */
void unit_joined_add(const char *path, int (*run)(void));

static int main_of_file(void);

__attribute__((constructor)) static void join_file(void)
{
    unit_joined_add(__BASE_FILE__, main_of_file);
}

#define main main_of_file

#endif

/* SPDX-License-Identifier: MIT */
/* A command of the user, that says by its status whether an image is good. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

struct err;

/*
 * Runs @command by the shell. It gets @path as $1 and as $QCOW2FRAG_IMAGE; one that mentions
 * neither gets it as its last argument. It has nothing to read; what it prints goes to standard
 * error. 0 if its status is 0; else -ECANCELED, or -EINTR if @stopped, which then ends it and its
 * children.
 */
int command_run(const char *command, const char *path, bool (*stopped)(void), struct err *err);

/* Ends what is running, when the program itself is to end. May be called from a signal handler. */
void command_end(void);

#endif

/* SPDX-License-Identifier: MIT */
/* What is asked of a process that calls a program's main function again and again (again.c). */
#ifndef AGAIN_H
#define AGAIN_H

/* A packet: words, each of them ended by a NUL. These, then the variables, NAME=VALUE, which are
 * the whole environment; then the arguments, with the program's name. */
enum again_word {
    AGAIN_HOW,       /* "here", or "fork" for a process of its own */
    AGAIN_UMASK,     /* in octal */
    AGAIN_VARIABLES, /* how many there are */
    AGAIN_WORDS_BEFORE
};

/* With it come descriptors. */
enum again_fd {
    AGAIN_FOLDER,
    AGAIN_INPUT, /* output and error come next */
    AGAIN_OUTPUT,
    AGAIN_ERROR,
    AGAIN_ANSWER,
    AGAIN_FDS
};

#define AGAIN_WORDS_MAX 16384
#define AGAIN_BYTES_MAX (128 << 10) /* a socket's buffer takes more on each system */

#endif

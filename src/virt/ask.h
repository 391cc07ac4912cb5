/* SPDX-License-Identifier: MIT */
/* Talks with libvirt: in a process of its own, which ends after it. */
#ifndef VIRT_ASK_H
#define VIRT_ASK_H

#include <stdio.h>

/*
 * Writes the disks of all domains at @uri (NULL: where libvirt looks by itself), running or not, as
 * records to @to, and how it ended. Connects to read only, and starts nothing.
 */
void virt_ask(const char *uri, FILE *to);

#endif

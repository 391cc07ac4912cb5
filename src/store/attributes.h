/* SPDX-License-Identifier: MIT */
/* What a file has besides its bytes and its name. */
#ifndef STORE_ATTRIBUTES_H
#define STORE_ATTRIBUTES_H

struct err;

/*
 * How the file system is to lay out and store @to, as it does @from: copy on write, compression,
 * extent size, project. To be called while @to is empty: later some have no effect. What a file
 * system does not know is no error.
 */
void store_attributes_copy_flags(int from, int to);

/*
 * Owner, group, mode, ACLs, labels and other extended attributes. Fails if one of them cannot be
 * given to @to: whoever relied on it would be let down. The message says what it was.
 */
int store_attributes_copy(int from, int to, struct err *err);

#endif

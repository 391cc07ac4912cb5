/* SPDX-License-Identifier: MIT */
/* What a file has besides its bytes and its name. */
#ifndef STORE_ATTRIBUTES_H
#define STORE_ATTRIBUTES_H

struct err;

#define STORE_ATTRIBUTES_TEXT_MAX 128

/*
 * How the file system is to treat @to, as it does @from: copy on write, compression, extent size,
 * project, and the rest of what chattr sets. To be called while @to is empty: later some have no
 * effect. Each is given for itself. @lost: what @from has and @to could not be given, "nocow (C),
 * nodump (d)"; "" if that is nothing.
 */
void store_attributes_copy_flags(int from, int to, char lost[STORE_ATTRIBUTES_TEXT_MAX]);

/*
 * Owner, group, mode, ACLs, labels and other extended attributes. Fails if one of them cannot be
 * given to @to: whoever relied on it would be let down. The message says what it was.
 */
int store_attributes_copy(int from, int to, struct err *err);

#endif

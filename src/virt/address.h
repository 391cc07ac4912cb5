/* SPDX-License-Identifier: MIT */
/* What libvirt is asked at. Pure: connects to nothing. */
#ifndef VIRT_ADDRESS_H
#define VIRT_ADDRESS_H

struct err;

/*
 * Are the domains there those of this host, whose disks are files here? And is it a daemon that
 * knows them, so that nothing is started by asking? What is no URI is an alias of libvirt.conf, of
 * which only libvirt knows what it means: 0. The message tells nothing of the URI.
 */
int virt_address_check(const char *uri, struct err *err);

/*
 * The URI of an export of NBD as qcow2frag opens it: by @host and @port (NULL: the usual one), or
 * else by @socket. NULL if they cannot be in one, or without memory; else free it.
 */
char *virt_address_of_export(const char *name, const char *host, const char *port,
                             const char *socket, const char *tls);

#endif

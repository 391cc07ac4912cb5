/* SPDX-License-Identifier: MIT */
/*
 * libvirt, loaded when it is asked for: it brings fifty other libraries, which would take ten times
 * as long as all else when the program starts. libxml2 comes with it, in whatever version it was
 * built with.
 */
#ifndef VIRT_LIBRARY_H
#define VIRT_LIBRARY_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

struct err;

#define VIRT_FUNCTIONS(of)                                                                         \
    of(ConnectOpenReadOnly) of(ConnectGetURI) of(ConnectClose) of(ConnectListAllDomains)           \
        of(DomainGetName) of(DomainGetXMLDesc) of(DomainFree) of(StoragePoolLookupByName)          \
            of(StorageVolLookupByName) of(StorageVolGetPath) of(StorageVolFree)                    \
                of(StoragePoolFree) of(GetLastErrorMessage) of(GetLastErrorCode) of(SetErrorFunc)

/*
 * What is used of libxml2. Declared here, since its own headers would make a whole Unicode library
 * a dependency of the build.
 */
struct virt_xml;

#define VIRT_XML_FUNCTIONS(of)                                                                     \
    of(xmlReaderForMemory, struct virt_xml *,                                                      \
       (const char *text, int len, const char *url, const char *encoding, int options))            \
        of(xmlFreeTextReader, void, (struct virt_xml *))                                           \
            of(xmlTextReaderRead, int, (struct virt_xml *))                                        \
                of(xmlTextReaderNodeType, int, (struct virt_xml *))                                \
                    of(xmlTextReaderDepth, int, (struct virt_xml *))                               \
                        of(xmlTextReaderConstName, const char *, (struct virt_xml *))              \
                            of(xmlTextReaderConstValue, const char *, (struct virt_xml *))         \
                                of(xmlTextReaderMoveToElement, int, (struct virt_xml *))           \
                                    of(xmlTextReaderMoveToAttribute, int,                          \
                                       (struct virt_xml *, const char *name))

/* Their functions: those of libvirt without the vir in front of their names. */
struct virt_library {
#define VIRT_MEMBER(name) __typeof__(vir##name) *name;
    VIRT_FUNCTIONS(VIRT_MEMBER)
#undef VIRT_MEMBER
#define VIRT_MEMBER(name, type, arguments) type(*name) arguments;
    VIRT_XML_FUNCTIONS(VIRT_MEMBER)
#undef VIRT_MEMBER
};

/* NULL if it is not there. Loads it anew each time, so once is enough; it stays until the end. */
const struct virt_library *virt_library_load(struct err *err);

#endif

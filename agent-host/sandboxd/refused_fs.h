/* File systems through which a path would reach kernel or process state instead of the tenant's files. */
#ifndef SANDGATE_REFUSED_FS_H
#define SANDGATE_REFUSED_FS_H

#include <stdbool.h>

static inline bool filesystem_is_refused(unsigned long magic) {
    switch (magic) {
    case 0x9fa0:     // proc
    case 0x62656572: // sysfs
    case 0x27e0eb:   // cgroup
    case 0x63677270: // cgroup2
    case 0x1cd1:     // devpts
    case 0x64626720: // debugfs
    case 0x74726163: // tracefs
    case 0x73636673: // securityfs
    case 0x6e736673: // nsfs
        return true;
    default:
        return false;
    }
}

#endif

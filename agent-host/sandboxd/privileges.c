#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw.h"

#define OPEN_FILES_MAX 1024
/* Not 0: where core_pattern names a program the kernel starts it, as root of the machine, at any limit but 1. */
#define CORE_BYTES_MAX 1

static bool limit(int resource, rlim_t most) {
    struct rlimit limits;
    if (getrlimit(resource, &limits) != 0) return false;
    if (limits.rlim_max > most) limits.rlim_max = most;
    limits.rlim_cur = limits.rlim_max;
    return setrlimit(resource, &limits) == 0;
}

static bool drop_bounding_set(void) {
    for (int capability = 0; capability < 64; capability++) {
        int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (held < 0) return errno == EINVAL; // past the kernel's last one
        if (held == 1 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return false;
    }
    return true;
}

static bool keep_own_capabilities(void) {
    uint32_t own = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{own, own, 0}, {0, 0, 0}};
    return raw2(SYS_capset, &header, sets) == 0;
}

/* With fs.suid_dumpable = 1 a uid change would make our memory readable to the tenant for a moment. */
static bool memory_stays_private(void) {
    char value = 0;
    int fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && read(fd, &value, 1) == 1;
    if (fd >= 0) close(fd);
    return is_read && value != '1' && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

const char *privileges_drop(void) {
    unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                         SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (getuid() != 0 || getgid() != 0) return "not started as root";
    umask(022);
    if (!memory_stays_private()) return "cannot keep its memory private (is fs.suid_dumpable 1?)";
    if (!limit(RLIMIT_CORE, CORE_BYTES_MAX) || !limit(RLIMIT_NOFILE, OPEN_FILES_MAX)) return "cannot set resource limits";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "cannot set no_new_privs";
    if (raw2(SYS_setgroups, 0, 0) != 0) return "cannot drop supplementary groups (needs SETGID)";
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0) return "cannot lock securebits (needs SETPCAP)";
    if (!drop_bounding_set()) return "cannot drop the bounding set (needs SETPCAP)";
    if (!keep_own_capabilities()) return "cannot keep SETUID, SETGID and KILL";
    return NULL;
}

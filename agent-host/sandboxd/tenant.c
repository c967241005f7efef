/*
 * The moments between clone and execve. This runs in the memory of sandboxd with the uid of a tenant at its end:
 * raw system calls only, nothing written but the job record. The bounding set, securebits, groups, no_new_privs,
 * rlimits and umask were settled once for the whole daemon (privileges.c) and are inherited.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include "job.h"
#include "raw.h"
#include "refused_fs.h"

static int fail(struct job *job, enum job_stage stage, long error) {
    job->failed_errno = (int)-error;
    job->failed_stage = stage;
    return 127;
}

/*
 * Only a CLONE_VFORK child may write this: the kernel copies the score to every other process that shares the
 * memory, which would offer sandboxd itself to the OOM killer.
 */
static long offer_to_oom_killer(void) {
    long fd = raw4(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return fd;
    long written = raw3(SYS_write, fd, "1000", 4);
    raw1(SYS_close, fd);
    return written == 4 ? 0 : (written < 0 ? written : -EIO);
}

/* Supervisors compete with what they have to kill: a fork bomb of equals would hold them up for seconds. */
static long yield_to_supervisors(void) { return raw3(SYS_setpriority, PRIO_PROCESS, 0, 10); }

static long become_tenant(const struct job_spec *spec) {
    long error = raw3(SYS_setresgid, spec->gid, spec->gid, spec->gid);
    if (error == 0) error = raw3(SYS_setresuid, spec->uid, spec->uid, spec->uid);
    if (error != 0) return error;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    error = raw2(SYS_capset, &header, none);
    if (error != 0) return error;
    // The uid change has set the shared memory's flag to fs.suid_dumpable. Left so, a tenant's SIGSEGV that comes in
    // before execve would dump, and on kernels before 5.16 end, every process that shares it.
    return raw2(SYS_prctl, PR_SET_DUMPABLE, 0);
}

static long enter_cwd(const char *cwd) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    long fd = raw4(SYS_openat2, AT_FDCWD, cwd, &how, sizeof how);
    if (fd < 0) return fd;
    struct statfs filesystem;
    long error = raw2(SYS_fstatfs, fd, &filesystem);
    if (error != 0) return error;
    if (filesystem_is_refused((unsigned long)filesystem.f_type)) return -EACCES;
    return raw1(SYS_fchdir, fd);
}

/* Puts "directory/name" into `to`; false when it does not fit. An empty directory is the current one. */
static bool join(char *to, size_t room, const char *directory, size_t directory_length, const char *name) {
    size_t at = 0;
    if (directory_length + 2 > room) return false;
    for (; at < directory_length; at++) to[at] = directory[at];
    if (at > 0) to[at++] = '/';
    for (; *name != '\0'; name++) {
        if (at + 1 >= room) return false;
        to[at++] = *name;
    }
    to[at] = '\0';
    return true;
}

/* Executes argv[0] through the search path. Returns only the error that tells the user most. */
static long execute(const struct job_spec *spec) {
    const char *name = spec->argv[0];
    const char *scan = name;
    while (*scan != '\0' && *scan != '/') scan++;
    if (*scan == '/') return raw3(SYS_execve, name, spec->argv, spec->envp);

    long best = -ENOENT;
    if (*name == '\0') return best;
    const char *directory = spec->search_path;
    for (;;) {
        size_t length = 0;
        while (directory[length] != '\0' && directory[length] != ':') length++;
        char candidate[4096];
        if (join(candidate, sizeof candidate, directory, length, name)) {
            long error = raw3(SYS_execve, candidate, spec->argv, spec->envp);
            if (error == -EACCES) best = error;
            else if (error != -ENOENT && error != -ENOTDIR && error != -ELOOP && error != -ENAMETOOLONG) return error;
        }
        if (directory[length] == '\0') return best;
        directory += length + 1;
    }
}

int tenant_main(void *argument) {
    struct job *job = argument;
    const struct job_spec *spec = &job->spec;
    long error = raw0(SYS_setsid);
    if (error < 0) return fail(job, STAGE_PRIVILEGES, error);
    error = spec->has_terminal ? raw3(SYS_ioctl, 0, TIOCSCTTY, 0) : 0;
    if (error != 0) return fail(job, STAGE_SETUP, error);
    error = offer_to_oom_killer();
    if (error != 0) return fail(job, STAGE_PRIVILEGES, error);
    error = yield_to_supervisors();
    if (error != 0) return fail(job, STAGE_PRIVILEGES, error);
    error = become_tenant(spec);
    if (error != 0) return fail(job, STAGE_PRIVILEGES, error);
    error = enter_cwd(spec->cwd);
    if (error != 0) return fail(job, STAGE_CWD, error);
    // Dispositions are all default: the daemon has no handlers, so nothing of ours can run in here.
    uint64_t no_signals = 0;
    raw4(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, RAW_SIGSET_BYTES);
    return fail(job, STAGE_EXEC, execute(spec));
}

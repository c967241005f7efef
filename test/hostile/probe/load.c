/* Taking as much of everything as the kernel gives. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "probe.h"

static long argument(int argc, char **argv, int index, long otherwise) {
    return argc > index ? strtol(argv[index], NULL, 10) : otherwise;
}

/* forkbomb SECONDS: children that stay, until the kernel gives no more. */
int command_forkbomb(int argc, char **argv) {
    unsigned seconds = (unsigned)argument(argc, argv, 0, 1);
    int forks = 0;
    pid_t pid;
    while ((pid = fork()) > 0) forks++;
    if (pid == 0) {
        sleep(seconds);
        _exit(0);
    }
    say("forks %d %s\n", forks, strerrorname_np(errno));
    sleep(seconds);
    return 0;
}

/* recfork: every child forks as well, for ever, and takes the place of those who die. */
int command_recfork(int argc, char **argv) {
    (void)argc, (void)argv;
    for (;;) fork();
}

static void hold(char *from, size_t length) {
    for (size_t at = 0; at < length; at += 4096) from[at] = 1;
}

/* memory MIB: touches that much, or dies. */
int command_memory(int argc, char **argv) {
    long mib = argument(argc, argv, 0, 4096);
    for (long i = 0; i < mib; i++) {
        char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) break;
        hold(block, 1 << 20);
    }
    say("still alive\n");
    return 0;
}

/* memfd MIB: memory that no process has mapped, taken by one that the kernel is asked to kill last. */
int command_memfd(int argc, char **argv) {
    long mib = argument(argc, argv, 0, 4096);
    int score = open("/proc/self/oom_score_adj", O_WRONLY);
    say("oom_score_adj %s\n", score >= 0 && write(score, "0", 1) == 1 ? "0" : "kept");
    int fd = memfd_create("hoard", 0);
    static char block[1 << 20];
    memset(block, 1, sizeof block);
    for (long i = 0; i < mib && write(fd, block, sizeof block) > 0; i++) continue;
    say("still alive\n");
    return 0;
}

/* inodes FOLDER: empty files, until there is no room for another. */
int command_inodes(int argc, char **argv) {
    char path[256];
    int files = 0;
    for (;; files++) {
        snprintf(path, sizeof path, "%s/i%d", argc > 0 ? argv[0] : ".", files);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0) break;
        close(fd);
    }
    say("files %d %s\n", files, strerrorname_np(errno));
    return 0;
}

/* fill FILE: zeros, until the disk is full. */
int command_fill(int argc, char **argv) {
    static char block[1 << 16];
    int fd = open(argc > 0 ? argv[0] : "fill", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    long long bytes = 0;
    ssize_t written;
    while ((written = write(fd, block, sizeof block)) > 0) bytes += written;
    say("bytes %lld %s\n", bytes, strerrorname_np(errno));
    return 0;
}

/* zombies N: that many orphans whose parent never waited. */
int command_zombies(int argc, char **argv) {
    long wanted = argument(argc, argv, 0, 300), made = 0;
    for (long i = 0; i < wanted; i++) {
        pid_t child = fork();
        if (child == 0) _exit(fork() < 0 ? 1 : 0);
        int status = 1;
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0) made++;
    }
    say("orphans %ld\n", made);
    return 0;
}

/* daemon: out of its session, away from its parent, deaf to what asks it to end. */
int command_daemon(int argc, char **argv) {
    (void)argc, (void)argv;
    if (fork() > 0) {
        usleep(100000);
        return 0;
    }
    setsid();
    if (fork() > 0) _exit(0);
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    for (int fd = 0; fd < 3; fd++) close(fd);
    for (;;) pause();
}

/* busy COUNT SECONDS: that many processes that only compute. */
int command_busy(int argc, char **argv) {
    long count = argument(argc, argv, 0, 10), seconds = argument(argc, argv, 1, 2);
    time_t end = time(NULL) + seconds;
    for (long i = 1; i < count; i++)
        if (fork() == 0) break;
    while (time(NULL) < end) continue;
    return 0;
}

/* files: as many open ones as there may be. */
int command_files(int argc, char **argv) {
    (void)argc, (void)argv;
    int opened = 0;
    while (opened < 100000 && open("/dev/null", O_RDONLY) >= 0) opened++;
    say("opened %d %s\n", opened, strerrorname_np(errno));
    return 0;
}

/* raise: every hard limit that is a number, by one. */
int command_raise(int argc, char **argv) {
    (void)argc, (void)argv;
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        if (getrlimit(resource, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) continue;
        limit.rlim_max++;
        say("limit-%d: %s\n", resource, setrlimit(resource, &limit) == 0 ? "OK" : strerrorname_np(errno));
    }
    return 0;
}

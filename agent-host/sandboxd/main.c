/* sandboxd: PID 1 of every sandbox. Arguments, signals, reaping; everything else hangs on the loop. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "configuration.h"
#include "exec.h"
#include "files.h"
#include "job.h"
#include "link.h"
#include "loop.h"
#include "privileges.h"
#include "session.h"
#include "shell.h"
#include "watch.h"

#define HOST_SOCKET "/run/sandgate/sock"

_Noreturn static void refuse_to_start(const char *why) {
    dprintf(STDERR_FILENO, "sandboxd: %s\n", why);
    exit(70);
}

static bool is_member_id(const char *text) {
    return strlen(text) == MEMBER_ID_BYTES && strspn(text, "0123456789abcdef") == MEMBER_ID_BYTES;
}

static uint32_t parse_id(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '1' || *text > '9' || *end != '\0' || value >= INT32_MAX) refuse_to_start("a tenant id must be a number above 0");
    return (uint32_t)value;
}

static struct { const char *member_id; uint32_t uid, gid; } options;

static void parse_arguments(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--member") == 0) options.member_id = argv[i + 1];
        else if (strcmp(argv[i], "--uid") == 0) options.uid = parse_id(argv[i + 1]);
        else if (strcmp(argv[i], "--gid") == 0) options.gid = parse_id(argv[i + 1]);
        else refuse_to_start("unknown argument");
    }
    bool is_complete = argc == 7 && options.member_id != NULL && options.uid > 0 && options.gid > 0;
    if (!is_complete || !is_member_id(options.member_id)) refuse_to_start("usage: sandboxd --member <8hex> --uid N --gid N");
}

/* Every signal is blocked and none has a handler: a child starts with nothing but defaults. */
static void settle_signals(void) {
    sigset_t all;
    sigfillset(&all);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0) refuse_to_start("cannot block signals");
}

static void reap(void) {
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0) exec_on_reaped(pid);
}

static void on_signal(struct source *source, uint32_t events) {
    (void)events;
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD) exit(0);
    reap();
}

static void on_notify(struct source *source, uint32_t events) {
    (void)events;
    uint64_t count;
    // The round after this batch looks at every job; the count itself says nothing.
    if (read(source->fd, &count, sizeof count) < 0) return;
}

static void open_signals(struct source *source) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    *source = (struct source){.fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), .ready = on_signal};
    if (source->fd < 0) refuse_to_start("cannot open a signalfd");
    source_watch(source, EPOLLIN);
}

int main(int argc, char **argv) {
    // As a tenant's program, and not as PID 1.
    if (argc == 2 && strcmp(argv[1], "session") == 0) return shell_main();
    if (argc == 4 && strcmp(argv[1], "watch") == 0) return watch_main(argv[2], argv[3]);
    static struct source signals, notifications;
    parse_arguments(argc, argv);
    settle_signals();
    // Our log is a pipe that the engine reads when it likes.
    fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    // Fixed thresholds and one arena: big buffers go back to the system as soon as they are freed.
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    mallopt(M_ARENA_MAX, 1);

    close_range(NOTIFY_FD, ~0u, 0);
    notifications = (struct source){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_notify};
    if (notifications.fd != NOTIFY_FD) refuse_to_start("standard streams must be open");
    const char *failure = privileges_drop();
    if (failure != NULL) refuse_to_start(failure);

    loop_init();
    source_watch(&notifications, EPOLLIN);
    open_signals(&signals);
    session_init(options.member_id);
    exec_init(options.uid, options.gid);
    files_init(options.uid, options.gid);
    link_init(HOST_SOCKET);
    loop_run();
}

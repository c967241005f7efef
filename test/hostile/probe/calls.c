/* Runs named attempts, or bare system calls by number, each in a child that may die of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "probe.h"

#define CHILD_SECONDS 2

static long run_numbered(long number) {
    return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
}

/* The child answers through a pipe: an exit status could not tell errno 9 from a signal. */
static void outcome(const char *name, long (*run)(void), long number) {
    int answer[2];
    if (pipe(answer) != 0) return;
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        errno = 0;
        long result = run != NULL ? run() : run_numbered(number);
        int error = result < 0 ? errno : 0;
        if (write(answer[1], &error, sizeof error) < 0) _exit(2);
        _exit(0);
    }
    close(answer[1]);
    int error, status = 0;
    bool answered = child > 0 && read(answer[0], &error, sizeof error) == sizeof error;
    close(answer[0]);
    if (child > 0) kill(child, SIGKILL);
    if (child > 0) waitpid(child, &status, __WALL);
    if (child < 0) say("%s: not tried, fork failed: %s\n", name, strerrorname_np(errno));
    else if (answered) say("%s: %s\n", name, error == 0 ? "OK" : strerrorname_np(error) ? strerrorname_np(error) : "?");
    else if (WIFSIGNALED(status)) say("%s: SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
    else say("%s: ended with status %d\n", name, WEXITSTATUS(status));
}

void say_outcome(const char *name, long (*run)(void)) {
    outcome(name, run, -1);
}

static const struct attempt *find(const char *name) {
    const struct attempt *const tables[] = {privilege_attempts, filter_attempts, neighbour_attempts};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct attempt *row = tables[i]; row->name != NULL; row++)
            if (strcmp(row->name, name) == 0) return row;
    return NULL;
}

int command_calls(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        const struct attempt *attempt = find(argv[i]);
        if (attempt == NULL) say("%s: no such attempt\n", argv[i]);
        else say_outcome(attempt->name, attempt->run);
    }
    return 0;
}

/* Numbers of system calls; each is made with arguments that no call accepts. */
int command_sweep(int argc, char **argv) {
    for (int i = 0; i < argc; i++) outcome(argv[i], NULL, strtol(argv[i], NULL, 10));
    return 0;
}

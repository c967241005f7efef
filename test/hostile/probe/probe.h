/* What hostile code would do, one subcommand each. Every run says first that it runs, so that silence is no success. */
#ifndef SANDGATE_PROBE_H
#define SANDGATE_PROBE_H

#include <stdio.h>
#include <unistd.h>

/* Unbuffered: a process that is killed has still said what it did. */
#define say(...) dprintf(STDOUT_FILENO, __VA_ARGS__)

typedef int probe_command(int argc, char **argv);

struct attempt {
    const char *name;
    long (*run)(void);
};

/* Tables end with a nameless row. Each attempt returns what the kernel does: below 0 with errno set. */
extern const struct attempt privilege_attempts[], filter_attempts[], neighbour_attempts[];

/* Runs a function in a child of its own and says its errno, its signal or OK. */
void say_outcome(const char *name, long (*run)(void));

probe_command command_calls, command_sweep;
probe_command command_forkbomb, command_recfork, command_memory, command_memfd, command_inodes, command_fill;
probe_command command_zombies, command_daemon, command_busy, command_files, command_raise;
probe_command command_shm, command_mqueue, command_abstract, command_inotify;
probe_command command_signal, command_storm, command_roots;

#endif

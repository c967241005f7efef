#include <string.h>

#include "probe.h"

static const struct {
    const char *name;
    probe_command *run;
} commands[] = {
    {"calls", command_calls},       {"sweep", command_sweep},       {"forkbomb", command_forkbomb},
    {"recfork", command_recfork},   {"memory", command_memory},     {"memfd", command_memfd},
    {"inodes", command_inodes},     {"fill", command_fill},         {"zombies", command_zombies},
    {"daemon", command_daemon},     {"busy", command_busy},         {"files", command_files},
    {"raise", command_raise},       {"shm", command_shm},           {"mqueue", command_mqueue},
    {"abstract", command_abstract}, {"inotify", command_inotify},   {"signal", command_signal},
    {"storm", command_storm},       {"roots", command_roots},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        say("probe %s\n", argv[1]);
        return commands[i].run(argc - 2, argv + 2);
    }
    say("usage: probe COMMAND [ARGUMENT...]\n");
    return 64;
}

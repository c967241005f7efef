/* The I/O loop: one epoll, level-triggered, and a round of bookkeeping after each batch of events. */
#ifndef SANDGATE_LOOP_H
#define SANDGATE_LOOP_H

#include <stdint.h>

/* A file descriptor and what to do with it. Embedded in its owner, who must outlive the current batch. */
struct source {
    int fd;
    uint32_t watched_events; // 0: not in the epoll set
    void (*ready)(struct source *source, uint32_t events);
};

void loop_init(void);

/* Watches for `events`, or for nothing at all with 0: even a hang-up is then not reported. */
void source_watch(struct source *source, uint32_t events);

/*
 * Closes the descriptor. It is taken out of the epoll set explicitly: a supervisor that is just starting may hold
 * a copy, which would keep the entry alive.
 */
void source_close(struct source *source);

uint64_t now_ms(void);

/* Runs for ever. */
_Noreturn void loop_run(void);

#define NO_DEADLINE UINT64_MAX

#endif

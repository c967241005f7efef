#include "loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exec.h"
#include "files.h"
#include "link.h"
#include "ports.h"
#include "raw.h"

#define BATCH 64
#define WAIT_MAX_MS 60000

static int epoll_fd = -1;

void loop_init(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) abort();
}

void source_watch(struct source *source, uint32_t events) {
    if (source->fd < 0 || source->watched_events == events) return;
    int operation = EPOLL_CTL_MOD;
    if (source->watched_events == 0) operation = EPOLL_CTL_ADD;
    if (events == 0) operation = EPOLL_CTL_DEL;
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(epoll_fd, operation, source->fd, &event) != 0) abort();
    source->watched_events = events;
}

void source_close(struct source *source) {
    if (source->fd < 0) return;
    source_watch(source, 0);
    close(source->fd);
    source->fd = -1;
}

uint64_t now_ms(void) {
    return raw_now_ns() / 1000000;
}

static int wait_ms(void) {
    uint64_t now = now_ms();
    uint64_t deadline = exec_deadline_ms();
    if (link_deadline_ms() < deadline) deadline = link_deadline_ms();
    if (ports_deadline_ms() < deadline) deadline = ports_deadline_ms();
    if (deadline <= now) return 0;
    return deadline - now > WAIT_MAX_MS ? WAIT_MAX_MS : (int)(deadline - now);
}

void loop_run(void) {
    struct epoll_event events[BATCH];
    for (;;) {
        int count = epoll_wait(epoll_fd, events, BATCH, wait_ms());
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            // An earlier event of this batch may have closed it; the memory is kept until the round below.
            if (source->watched_events != 0) source->ready(source, events[i].events);
        }
        link_round();
        exec_round();
        files_round();
        ports_round();
        // Only after the flush is it known who may produce more.
        link_flush();
        exec_resume();
        files_resume();
        ports_resume();
    }
}

#include "drain.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SCRATCH_BYTES (16 * 1024)

static struct source drains[DRAINS_MAX];

void drain_read(struct source *source) {
    char scratch[SCRATCH_BYTES];
    ssize_t length = read(source->fd, scratch, sizeof scratch);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) source_close(source);
}

static void on_ready(struct source *source, uint32_t events) {
    (void)events;
    drain_read(source);
}

void drain_adopt(struct source *source) {
    if (source->fd < 0) return;
    for (int i = 0; i < DRAINS_MAX; i++) {
        // Zeroed rows are free too: descriptor 0 is never drained.
        if (drains[i].fd > 0) continue;
        source_watch(source, 0);
        drains[i] = (struct source){.fd = source->fd, .ready = on_ready};
        source->fd = -1;
        source_watch(&drains[i], EPOLLIN);
        return;
    }
    source_close(source);
}

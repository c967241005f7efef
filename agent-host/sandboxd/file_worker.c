#include "file_worker.h"

#include <linux/capability.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "raw.h"

struct queue {
    struct file_task *first, *last;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue waiting, finished;
    int event_fd;
    uint32_t uid, gid;
    bool is_ready;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void push(struct queue *queue, struct file_task *task) {
    task->next = NULL;
    if (queue->first == NULL) queue->first = task;
    else queue->last->next = task;
    queue->last = task;
}

static struct file_task *pop(struct queue *queue) {
    struct file_task *task = queue->first;
    if (task != NULL) queue->first = task->next;
    return task;
}

/*
 * Raw calls, for this thread alone: libc's wrappers would change every thread. The real uid stays 0, or tenants
 * could signal this thread and with it the whole daemon.
 */
static void become_tenant(void) {
    raw1(SYS_setfsgid, worker.gid);
    raw1(SYS_setfsuid, worker.uid);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    if (raw2(SYS_capset, &header, none) != 0) abort();
    // Both answer with the old id and never with an error: only asking again tells.
    if (raw1(SYS_setfsgid, -1) != worker.gid || raw1(SYS_setfsuid, -1) != worker.uid) abort();
}

static void *work(void *unused) {
    (void)unused;
    become_tenant();
    pthread_mutex_lock(&worker.lock);
    worker.is_ready = true;
    pthread_cond_broadcast(&worker.changed);
    for (;;) {
        struct file_task *task = pop(&worker.waiting);
        if (task == NULL) {
            pthread_cond_wait(&worker.changed, &worker.lock);
            continue;
        }
        pthread_mutex_unlock(&worker.lock);
        file_task_run(task);
        pthread_mutex_lock(&worker.lock);
        push(&worker.finished, task);
        uint64_t one = 1;
        if (write(worker.event_fd, &one, sizeof one) != sizeof one) abort();
    }
}

void file_worker_start(uint32_t uid, uint32_t gid) {
    worker.uid = uid;
    worker.gid = gid;
    worker.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    if (worker.event_fd < 0 || pthread_create(&thread, &attributes, work, NULL) != 0) abort();
    pthread_mutex_lock(&worker.lock);
    while (!worker.is_ready) pthread_cond_wait(&worker.changed, &worker.lock);
    pthread_mutex_unlock(&worker.lock);
}

void file_worker_submit(struct file_task *task) {
    pthread_mutex_lock(&worker.lock);
    push(&worker.waiting, task);
    pthread_cond_broadcast(&worker.changed);
    pthread_mutex_unlock(&worker.lock);
}

struct file_task *file_worker_finished(void) {
    pthread_mutex_lock(&worker.lock);
    struct file_task *task = pop(&worker.finished);
    pthread_mutex_unlock(&worker.lock);
    return task;
}

int file_worker_fd(void) {
    return worker.event_fd;
}

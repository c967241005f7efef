/* Things with names that outlive a process: written by one sandbox, looked for by another. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "probe.h"

#define SHM_KEY 0x5a4d1e
#define SHM_BYTES 4096
#define QUEUE_NAME "/probe-queue"
#define SOCKET_NAME "probe-socket"

static int failed(const char *what) {
    say("%s: %s\n", what, strerrorname_np(errno));
    return 0;
}

/* shm write TEXT | shm read */
int command_shm(int argc, char **argv) {
    bool writes = argc > 1 && strcmp(argv[0], "write") == 0;
    int id = shmget(SHM_KEY, SHM_BYTES, writes ? IPC_CREAT | 0666 : 0);
    if (id < 0) return failed("shm");
    char *text = shmat(id, NULL, 0);
    if (text == (void *)-1) return failed("shm");
    if (writes) strcpy(text, argv[1]);
    say("shm: %s\n", text);
    return 0;
}

/* mqueue write TEXT | mqueue read */
int command_mqueue(int argc, char **argv) {
    bool writes = argc > 1 && strcmp(argv[0], "write") == 0;
    struct mq_attr size = {.mq_maxmsg = 1, .mq_msgsize = 64};
    mqd_t queue = mq_open(QUEUE_NAME, (writes ? O_CREAT : 0) | O_RDWR | O_NONBLOCK, 0666, &size);
    if (queue == (mqd_t)-1) return failed("mqueue");
    if (writes && mq_send(queue, argv[1], strlen(argv[1]) + 1, 0) != 0) return failed("mqueue");
    char text[64] = "";
    if (!writes && mq_receive(queue, text, sizeof text, NULL) < 0) return failed("mqueue");
    say("mqueue: %s\n", writes ? argv[1] : text);
    return 0;
}

/* abstract listen SECONDS | abstract dial */
int command_abstract(int argc, char **argv) {
    bool listens = argc > 1 && strcmp(argv[0], "listen") == 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, SOCKET_NAME, sizeof SOCKET_NAME);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + sizeof SOCKET_NAME;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int result = listens ? bind(fd, (struct sockaddr *)&address, length) : connect(fd, (struct sockaddr *)&address, length);
    if (result != 0) return failed("abstract");
    say("abstract: OK\n");
    if (!listens || fork() > 0) return 0;
    for (int std = 0; std < 3; std++) close(std);
    listen(fd, 8);
    sleep((unsigned)atoi(argv[1]));
    return 0;
}

/* inotify SECONDS: every instance that this uid may have, held for a while in the background. */
int command_inotify(int argc, char **argv) {
    int instances = 0;
    while (instances < 100000 && inotify_init1(0) >= 0) instances++;
    say("instances %d %s\n", instances, strerrorname_np(errno));
    unsigned seconds = argc > 0 ? (unsigned)atoi(argv[0]) : 0;
    if (seconds == 0 || fork() > 0) return 0;
    for (int std = 0; std < 3; std++) close(std);
    sleep(seconds);
    return 0;
}

/* signal NUMBER: ends by it. */
int command_signal(int argc, char **argv) {
    if (argc > 0) raise(atoi(argv[0]));
    return 0;
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* storm MILLISECONDS: stops everybody for a while, kills everybody for a while, and so on. */
int command_storm(int argc, char **argv) {
    long long end = now_ms() + (argc > 0 ? atoll(argv[0]) : 1000);
    unsigned long stops = 0, kills = 0, calls = 0;
    while (now_ms() < end) {
        bool stopping = calls / 4096 % 2 == 0;
        if (kill(-1, stopping ? SIGSTOP : SIGKILL) == 0) stopping ? stops++ : kills++;
        calls++;
        if (calls % 64 == 0) usleep(100);
    }
    say("calls %lu stops %lu kills %lu\n", calls, stops, kills);
    return 0;
}

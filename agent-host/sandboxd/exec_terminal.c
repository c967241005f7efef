/* A pseudo terminal as an exec's three streams. We keep its master; the tenant's side becomes its session's terminal. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "exec_state.h"
#include "protocol.h"
#include "raw.h"

/* The container's own instance: the name cannot lead to another one. */
#define MASTER_PATH "/dev/pts/ptmx"

/*
 * The terminal belongs to whoever opens its master: it is the tenant's, so that programs may open it by its name.
 * Only this thread's identity for files changes, for the length of one call.
 */
static int open_master(const struct job_spec *spec) {
    raw1(SYS_setfsgid, spec->gid);
    raw1(SYS_setfsuid, spec->uid);
    int fd = open(MASTER_PATH, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int error = errno;
    raw1(SYS_setfsuid, 0);
    raw1(SYS_setfsgid, 0);
    errno = error;
    return fd;
}

/* Erasing a character must erase all its bytes. */
static bool expect_utf8(int fd) {
    struct termios settings;
    if (tcgetattr(fd, &settings) != 0) return false;
    settings.c_iflag |= IUTF8;
    return tcsetattr(fd, TCSANOW, &settings) == 0;
}

void exec_resize_terminal(struct exec *exec, uint16_t cols, uint16_t rows) {
    struct winsize size = {.ws_col = cols, .ws_row = rows};
    int master = exec->outputs[0].source.fd;
    // The kernel tells the foreground group by SIGWINCH.
    if (exec->job.spec.has_terminal && master >= 0) ioctl(master, TIOCSWINSZ, &size);
}

bool exec_open_terminal(struct exec *exec) {
    struct job_spec *spec = &exec->job.spec;
    int unlocked = 0;
    int master = exec->outputs[0].source.fd = open_master(spec);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) != 0) return false;
    int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    spec->stdin_fd = spec->stdout_fd = spec->stderr_fd = terminal;
    if (terminal < 0 || !expect_utf8(terminal)) return false;
    exec_resize_terminal(exec, exec->request.cols, exec->request.rows);
    // A number of its own: epoll knows descriptors, and reading and writing are watched apart.
    exec->input.source.fd = fcntl(master, F_DUPFD_CLOEXEC, 0);
    exec->input.ended = false;
    exec->input.window = STREAM_WINDOW_BYTES;
    return exec->input.source.fd >= 0;
}

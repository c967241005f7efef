/*
 * Between the host, which sends commands to our input and reads records from our output, and a bash that reads lines
 * from a socket. The socket is what makes a status worth something: no process but the shell has it, /proc opens no
 * socket, and each answer has to carry a number that was made for that one command. What is printed is only printed.
 */
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frames.h"
#include "protocol.h"
#include "shell_line.h"

#define READ_BYTES (32 * 1024)
#define EXIT_BROKEN 70

static struct {
    pid_t pid;
    int pid_fd, socket, out, err;
    bool is_busy;
    int last_status;
    char nonce[SHELL_NONCE_CHARS + 1];
    struct buffer requests;
    uint8_t answer[SHELL_ANSWER_MAX_BYTES];
    size_t answer_length;
} shell;

/* The host kills the whole tree, and reads why from our status. */
_Noreturn static void give_up(void) {
    kill(shell.pid, SIGKILL);
    exit(EXIT_BROKEN);
}

static void write_all(int fd, const void *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t written = write(fd, (const uint8_t *)bytes + done, length - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) give_up();
        done += (size_t)written;
    }
}

static void send_record(enum shell_record kind, uint8_t *record, size_t length) {
    put_le(record, length, 4);
    record[4] = (uint8_t)kind;
    write_all(STDOUT_FILENO, record, SHELL_RECORD_HEADER_BYTES + length);
}

/* Passes output on, at most `most` bytes of it; 0 = there is no more. */
static size_t pass(int *fd, enum shell_record kind, size_t most) {
    static uint8_t record[SHELL_RECORD_HEADER_BYTES + READ_BYTES];
    ssize_t length = read(*fd, record + SHELL_RECORD_HEADER_BYTES, most < READ_BYTES ? most : READ_BYTES);
    if (length < 0 && errno == EINTR) return pass(fd, kind, most);
    if (length <= 0) {
        close(*fd);
        *fd = -1;
        return 0;
    }
    send_record(kind, record, (size_t)length);
    return (size_t)length;
}

/*
 * What a command printed was in the pipe before it ended: exactly the bytes that are there now belong before its
 * status. What background processes add meanwhile must not hold it up.
 */
static void pass_what_is_there(int *fd, enum shell_record kind) {
    int left = 0;
    if (*fd < 0 || ioctl(*fd, FIONREAD, &left) != 0) return;
    while (left > 0) {
        size_t passed = pass(fd, kind, (size_t)left);
        if (passed == 0) return;
        left -= (int)passed;
    }
}

static void pass_all_there_is(void) {
    pass_what_is_there(&shell.out, SHELL_RECORD_STDOUT);
    pass_what_is_there(&shell.err, SHELL_RECORD_STDERR);
}

static void on_answer(void) {
    int status;
    if (!shell.is_busy || !shell_answer_read(shell.answer, shell.answer_length, shell.nonce, &status)) give_up();
    shell.answer_length = 0;
    shell.is_busy = false;
    shell.last_status = status;
    pass_all_there_is();
    uint8_t record[SHELL_RECORD_HEADER_BYTES + 4];
    put_le(record + SHELL_RECORD_HEADER_BYTES, (uint64_t)status, 4);
    send_record(SHELL_RECORD_STATUS, record, 4);
}

/* Byte by byte: it is short, and what follows it is not ours to read yet. */
static void on_socket(void) {
    uint8_t byte;
    ssize_t length = read(shell.socket, &byte, 1);
    if (length < 0 && errno == EINTR) return;
    if (length <= 0) { // the shell became another program, or has ended, which its pid tells
        close(shell.socket);
        shell.socket = -1;
    } else if (byte == 0) {
        on_answer();
    } else if (shell.answer_length == sizeof shell.answer) {
        give_up();
    } else {
        shell.answer[shell.answer_length++] = byte;
    }
}

static void make_nonce(void) {
    uint8_t random[SHELL_NONCE_CHARS / 2];
    if (getrandom(random, sizeof random, 0) != sizeof random) give_up();
    for (size_t i = 0; i < sizeof random; i++) snprintf(shell.nonce + 2 * i, 3, "%02x", random[i]);
}

static void run_next(void) {
    const uint8_t *command;
    size_t length;
    size_t held = buffer_length(&shell.requests);
    switch (shell_request_read(buffer_front(&shell.requests), held, &command, &length)) {
    case SHELL_REQUEST_INCOMPLETE: return;
    case SHELL_REQUEST_INVALID: give_up();
    case SHELL_REQUEST_READY: break;
    }
    make_nonce();
    struct buffer line = {0};
    shell_line_put(&line, command, length, shell.nonce, shell.last_status);
    shell.is_busy = true;
    if (shell.socket >= 0) write_all(shell.socket, buffer_front(&line), buffer_length(&line));
    buffer_free(&line);
    buffer_consume(&shell.requests, 4 + length, 0);
}

static void on_request(void) {
    ssize_t length = read(STDIN_FILENO, buffer_reserve(&shell.requests, READ_BYTES), READ_BYTES);
    if (length < 0 && errno == EINTR) return;
    if (length <= 0) give_up(); // nobody is there to ask or to hear
    buffer_commit(&shell.requests, (size_t)length);
}

_Noreturn static void become_shell(int input, int out, int err) {
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    bool is_ready = dup2(input, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2;
    char *argv[] = {"bash", "--norc", "--noprofile", NULL};
    if (is_ready) execvp(argv[0], argv);
    _exit(127);
}

static void start(void) {
    int sockets[2], out[2], err[2];
    bool is_open = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
                   pipe2(err, O_CLOEXEC) == 0;
    if (!is_open) exit(EXIT_BROKEN);
    shell.pid = fork();
    if (shell.pid < 0) exit(EXIT_BROKEN);
    if (shell.pid == 0) become_shell(sockets[1], out[1], err[1]);
    close(sockets[1]);
    close(out[1]);
    close(err[1]);
    shell.socket = sockets[0];
    shell.out = out[0];
    shell.err = err[0];
    shell.pid_fd = (int)syscall(SYS_pidfd_open, shell.pid, 0);
    if (shell.pid_fd < 0) give_up();
}

static int ended(void) {
    int status;
    pass_all_there_is();
    while (waitpid(shell.pid, &status, 0) < 0)
        if (errno != EINTR) return EXIT_BROKEN;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int shell_main(void) {
    // Whatever shares our uid must not write to our output in our name.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // Signals to the group are for the shell and what it runs.
    for (int number = 1; number < NSIG; number++)
        if (number != SIGCHLD) signal(number, SIG_IGN);
    start();
    for (;;) {
        // A descriptor of -1 is left out by poll.
        struct pollfd fds[] = {{shell.out, POLLIN, 0},
                               {shell.err, POLLIN, 0},
                               {shell.socket, POLLIN, 0},
                               {shell.pid_fd, POLLIN, 0},
                               {shell.is_busy ? -1 : STDIN_FILENO, POLLIN, 0}};
        if (poll(fds, 5, -1) < 0 && errno != EINTR) give_up();
        if (fds[0].revents != 0) pass(&shell.out, SHELL_RECORD_STDOUT, READ_BYTES);
        if (fds[1].revents != 0) pass(&shell.err, SHELL_RECORD_STDERR, READ_BYTES);
        if (fds[2].revents != 0) on_socket();
        else if (fds[3].revents != 0) return ended();
        if (fds[4].revents != 0) on_request();
        if (!shell.is_busy) run_next();
    }
}

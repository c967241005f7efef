#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exec.h"
#include "exec_recall.h"
#include "files.h"
#include "frames.h"
#include "loop.h"
#include "ports.h"
#include "session.h"

#define REDIAL_FIRST_MS 50
#define REDIAL_MAX_MS 1000
#define RECEIVE_BYTES (64 * 1024)
#define KEEP_BYTES (16 * 1024)
/* Answers (pongs, errors) are not producers: past this, the host is not read until it reads. */
#define QUEUE_MAX_BYTES (2 * 1024 * 1024)

static void on_ready(struct source *source, uint32_t events);

static struct {
    struct source source;
    struct sockaddr_un address;
    struct buffer in, out;
    size_t needed; // bytes of input before a whole frame can be there
    bool failed;
    uint64_t redial_at_ms, redial_delay_ms;
} link_state = {.source = {.fd = -1, .ready = on_ready}};

void link_init(const char *socket_path) {
    link_state.address.sun_family = AF_UNIX;
    snprintf(link_state.address.sun_path, sizeof link_state.address.sun_path, "%s", socket_path);
    link_state.redial_delay_ms = REDIAL_FIRST_MS;
}

static bool is_up(void) {
    return link_state.source.fd >= 0 && !link_state.failed;
}

bool link_has_room(void) {
    return is_up() && buffer_length(&link_state.out) < LINK_ROOM_BYTES;
}

struct buffer *link_queue(void) {
    return is_up() ? &link_state.out : NULL;
}

void link_send(uint8_t type, uint32_t stream, const void *payload, size_t length) {
    if (is_up()) frame_append(&link_state.out, type, stream, payload, length);
}

void link_send_fields(uint8_t type, uint32_t stream, const struct field_writer *fields) {
    link_send(type, stream, fields->bytes, fields->length);
}

void link_send_credit(uint32_t stream, uint32_t bytes) {
    uint8_t payload[4];
    put_le(payload, bytes, sizeof payload);
    link_send(FRAME_CREDIT, stream, payload, sizeof payload);
}

void put_error(struct field_writer *fields, enum sandboxd_error code, const char *message) {
    put_number(fields, FIELD_ERROR_CODE, code, 2);
    put_bytes(fields, FIELD_MESSAGE, message, strlen(message));
}

void link_send_error(uint32_t stream, enum sandboxd_error code, const char *message) {
    struct field_writer fields = {.length = 0};
    put_error(&fields, code, message);
    link_send_fields(FRAME_STREAM_ERROR, stream, &fields);
}

void link_fail(const char *why) {
    if (!is_up()) return;
    dprintf(STDERR_FILENO, "sandboxd: connection closed: %s\n", why);
    link_state.failed = true;
}

static void dispatch(const struct frame *frame) {
    if (!session_is_greeted() && frame->type != FRAME_CHALLENGE) {
        link_fail("the first frame must be a challenge");
        return;
    }
    switch (frame->type) {
    case FRAME_EXEC:
    case FRAME_STDIN:
    case FRAME_STDIN_END:
    case FRAME_KILL:
    case FRAME_RESIZE:
        exec_on_frame(frame);
        break;
    case FRAME_KEPT_LIST:
    case FRAME_RECALL:
    case FRAME_FORGET:
        recall_on_frame(frame);
        break;
    case FRAME_FILE_READ:
    case FRAME_FILE_WRITE:
    case FRAME_FILE_DELETE:
    case FRAME_FILE_LIST:
        files_on_frame(frame);
        break;
    case FRAME_PORT_OPEN:
        ports_on_frame(frame);
        break;
    case FRAME_DATA:
    case FRAME_END:
    case FRAME_CANCEL:
        if (ports_own_stream(frame->stream)) ports_on_frame(frame);
        else files_on_frame(frame);
        break;
    case FRAME_CREDIT:
        // A stream that has just ended here may still be granted credit: unknown streams are no violation.
        if (frame->length != 4) link_fail("credit must be four bytes");
        else if (!exec_on_credit(frame) && !ports_on_credit(frame)) files_on_credit(frame);
        break;
    default:
        session_on_frame(frame);
    }
}

static void handle_input(void) {
    while (is_up() && buffer_length(&link_state.out) < QUEUE_MAX_BYTES) {
        struct frame frame;
        size_t length = buffer_length(&link_state.in);
        enum frame_result result = frame_decode(buffer_front(&link_state.in), length, &frame, &link_state.needed);
        if (result == FRAME_INVALID) link_fail("invalid frame header");
        if (result != FRAME_READY) return;
        dispatch(&frame);
        buffer_consume(&link_state.in, link_state.needed, KEEP_BYTES);
    }
}

static void receive(void) {
    size_t held = buffer_length(&link_state.in);
    size_t want = link_state.needed > held ? link_state.needed - held : FRAME_HEADER_BYTES;
    if (want < KEEP_BYTES) want = KEEP_BYTES;
    else if (want < RECEIVE_BYTES) want = RECEIVE_BYTES;
    uint8_t *to = buffer_reserve(&link_state.in, want);
    ssize_t length = recv(link_state.source.fd, to, want, MSG_DONTWAIT);
    if (length > 0) {
        buffer_commit(&link_state.in, (size_t)length);
        handle_input();
    } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        link_fail(length == 0 ? "the host closed it" : strerror(errno));
    }
}

static void on_ready(struct source *source, uint32_t events) {
    (void)source;
    // A hang-up with unread input is found by recv; without EPOLLIN it would be reported for ever.
    if (events & EPOLLIN) receive();
    else if (events & (EPOLLHUP | EPOLLERR)) link_fail("the host closed it");
}

void link_flush(void) {
    while (is_up() && buffer_length(&link_state.out) > 0) {
        ssize_t length = send(link_state.source.fd, buffer_front(&link_state.out), buffer_length(&link_state.out),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (length < 0) link_fail(strerror(errno));
        else buffer_consume(&link_state.out, (size_t)length, KEEP_BYTES);
    }
    if (!is_up()) return;
    uint32_t events = buffer_length(&link_state.out) > 0 ? EPOLLOUT : 0;
    if (buffer_length(&link_state.out) < QUEUE_MAX_BYTES) events |= EPOLLIN;
    source_watch(&link_state.source, events);
}

static void close_failed(void) {
    source_close(&link_state.source);
    buffer_free(&link_state.in);
    buffer_free(&link_state.out);
    link_state.needed = 0;
    link_state.failed = false;
    session_on_link_lost();
    exec_on_link_lost();
    files_on_link_lost();
    ports_on_link_lost();
}

static void dial(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct sockaddr *address = (const struct sockaddr *)&link_state.address;
    if (fd >= 0 && connect(fd, address, sizeof link_state.address) == 0) {
        link_state.source.fd = fd;
        link_state.redial_delay_ms = REDIAL_FIRST_MS;
        source_watch(&link_state.source, EPOLLIN);
        return;
    }
    if (fd >= 0) close(fd);
    link_state.redial_at_ms = now_ms() + link_state.redial_delay_ms;
    link_state.redial_delay_ms *= 2;
    if (link_state.redial_delay_ms > REDIAL_MAX_MS) link_state.redial_delay_ms = REDIAL_MAX_MS;
}

void link_round(void) {
    if (link_state.failed) {
        close_failed();
        link_state.redial_at_ms = now_ms() + REDIAL_FIRST_MS;
    }
    // Input that was held back while the queue was full is taken up again.
    if (is_up()) handle_input();
    else if (now_ms() >= link_state.redial_at_ms) dial();
}

uint64_t link_deadline_ms(void) {
    if (link_state.failed) return 0;
    return link_state.source.fd >= 0 ? NO_DEADLINE : link_state.redial_at_ms;
}

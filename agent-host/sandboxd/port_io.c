/* The socket of a connection to a port. Everything is non-blocking: a server that does nothing holds up nobody. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "link.h"
#include "port_state.h"

#define READ_BYTES (64 * 1024)
#define CREDIT_STEP_BYTES (PORT_WINDOW_BYTES / 4)

void port_drop(struct port *port) {
    source_close(&port->source);
    buffer_free(&port->queue);
    port->stream = 0;
}

void port_close(struct port *port) {
    link_send(FRAME_PORT_CLOSED, port->stream, NULL, 0);
    port_drop(port);
}

void port_fail(struct port *port, enum sandboxd_error code, const char *message) {
    link_send_error(port->stream, code, message);
    port_drop(port);
}

static void on_ready(struct source *source, uint32_t events);

static int dial(struct port *port) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port->request.port)};
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port->request.port)};
    ipv6.sin6_addr = in6addr_loopback;
    const struct sockaddr *address = port->is_ipv6 ? (const struct sockaddr *)&ipv6 : (const struct sockaddr *)&ipv4;
    socklen_t length = port->is_ipv6 ? sizeof ipv6 : sizeof ipv4;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno;
    port->source = (struct source){.fd = fd, .ready = on_ready};
    return connect(fd, address, length) == 0 ? 0 : errno;
}

void port_connect(struct port *port) {
    port->is_connecting = true;
    int error = dial(port);
    // A connection that is there at once is announced as writable, too.
    if (error == 0 || error == EINPROGRESS) return;
    bool is_our_lack = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    source_close(&port->source);
    if (is_our_lack) {
        port_fail(port, ERROR_TOO_MANY, strerror(error));
    } else if (port->is_ipv6) {
        port_fail(port, ERROR_PORT_REFUSED, "nobody listens");
    } else {
        port->is_ipv6 = true;
        port_connect(port);
    }
}

/*
 * A socket that dials a free port in the range it takes its own from can meet itself: the kernel then connects it to
 * itself. It is closed with a reset, since an ordinary close would keep the port from the tenant for a minute.
 */
static bool met_itself(const struct port *port) {
    struct sockaddr_in6 own, other;
    socklen_t own_length = sizeof own, other_length = sizeof other;
    bool is_known = getsockname(port->source.fd, (struct sockaddr *)&own, &own_length) == 0 &&
                    getpeername(port->source.fd, (struct sockaddr *)&other, &other_length) == 0;
    // The port is at the same place in both families' addresses.
    if (!is_known || own.sin6_port != other.sin6_port) return false;
    struct linger at_once = {.l_onoff = 1};
    setsockopt(port->source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return true;
}

static void on_connected(struct port *port) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(port->source.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error == 0 && !met_itself(port)) {
        port->is_connecting = false;
        link_send(FRAME_PORT_OPENED, port->stream, NULL, 0);
        return;
    }
    source_close(&port->source);
    if (port->is_ipv6) {
        port_fail(port, ERROR_PORT_REFUSED, "nobody listens");
        return;
    }
    port->is_ipv6 = true;
    port_connect(port);
}

static void port_read(struct port *port) {
    size_t want = port->credit < READ_BYTES ? port->credit : READ_BYTES;
    if (want == 0 || !link_has_room()) return;
    struct buffer *queue = link_queue();
    uint8_t *to = buffer_reserve(queue, FRAME_HEADER_BYTES + want);
    ssize_t length = recv(port->source.fd, to + FRAME_HEADER_BYTES, want, 0);
    if (length > 0) {
        frame_header(to, FRAME_DATA, port->stream, (uint32_t)length);
        buffer_commit(queue, FRAME_HEADER_BYTES + (size_t)length);
        port->credit -= (uint32_t)length;
    } else if (length == 0 && !port->is_reset) {
        port->has_ended = true;
        link_send(FRAME_END, port->stream, NULL, 0);
    } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        port_fail(port, ERROR_PORT_RESET, "the server broke off");
    }
}

static void take_from_queue(struct port *port, size_t length) {
    buffer_consume(&port->queue, length, 0);
    port->uncredited += (uint32_t)length;
    if (port->uncredited < CREDIT_STEP_BYTES || port->host_has_ended) return;
    link_send_credit(port->stream, port->uncredited);
    port->window += port->uncredited;
    port->uncredited = 0;
}

void port_write(struct port *port) {
    while (buffer_length(&port->queue) > 0) {
        size_t held = buffer_length(&port->queue);
        ssize_t length = port->is_shut ? -1 : send(port->source.fd, buffer_front(&port->queue), held, MSG_NOSIGNAL);
        if (length < 0 && !port->is_shut && (errno == EAGAIN || errno == EINTR)) return;
        if (length < 0) {
            // What the server has sent before it broke off is still ours to read; what it was sent is lost.
            port->is_reset = port->is_reset || !port->is_shut;
            port->is_shut = true;
            length = (ssize_t)held;
        }
        take_from_queue(port, (size_t)length);
    }
    if (!port->host_has_ended || port->is_shut) return;
    shutdown(port->source.fd, SHUT_WR);
    port->is_shut = true;
}

static void on_ready(struct source *source, uint32_t events) {
    struct port *port = (struct port *)source;
    if (port->is_connecting) {
        on_connected(port);
        return;
    }
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) port_write(port);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !port->has_ended) port_read(port);
}

uint32_t port_wanted_events(const struct port *port) {
    if (port->is_connecting) return EPOLLOUT;
    uint32_t events = buffer_length(&port->queue) > 0 ? EPOLLOUT : 0;
    if (!port->has_ended && port->credit > 0 && link_has_room()) events |= EPOLLIN;
    return events;
}

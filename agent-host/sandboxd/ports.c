#include "ports.h"

#include <stdlib.h>

#include "exec.h"
#include "files.h"
#include "link.h"
#include "port_state.h"
#include "session.h"

/* Connections that are over keep their rows until the round: an event of the same batch may still lead to them. */
#define ROWS_MAX (2 * PORT_STREAMS_MAX)

static struct port *rows[ROWS_MAX];

static struct port *find(uint32_t stream) {
    for (int i = 0; i < ROWS_MAX; i++)
        if (rows[i] != NULL && rows[i]->stream == stream) return rows[i];
    return NULL;
}

bool ports_own_stream(uint32_t stream) {
    return find(stream) != NULL;
}

static struct port **free_row(void) {
    struct port **row = NULL;
    int open = 0;
    for (int i = 0; i < ROWS_MAX; i++) {
        if (rows[i] == NULL) row = &rows[i];
        else if (rows[i]->stream != 0) open++;
    }
    return open < PORT_STREAMS_MAX ? row : NULL;
}

static void open_stream(const struct frame *frame) {
    if (exec_owns_stream(frame->stream) || files_own_stream(frame->stream) || ports_own_stream(frame->stream)) {
        link_fail("stream id in use");
        return;
    }
    struct port **row = free_row();
    struct port_request request;
    enum port_request_result parsed = port_request_parse(&request, frame->payload, frame->length);
    if (parsed == PORT_REQUEST_BAD_LAYOUT) link_fail("bad port request");
    else if (!session_is_configured()) link_send_error(frame->stream, ERROR_NOT_CONFIGURED, "not configured");
    else if (parsed == PORT_REQUEST_BAD_VALUE) link_send_error(frame->stream, ERROR_BAD_REQUEST, "port or timeout");
    else if (row == NULL) link_send_error(frame->stream, ERROR_TOO_MANY, "too many connections at once");
    if (parsed != PORT_REQUEST_READY || !session_is_configured() || row == NULL) return;
    struct port *port = calloc(1, sizeof *port);
    if (port == NULL) abort();
    port->source.fd = -1;
    port->stream = frame->stream;
    port->request = request;
    port->connect_by_ms = now_ms() + request.timeout_ms;
    port->credit = port->window = PORT_WINDOW_BYTES;
    *row = port;
    port_connect(port);
}

static void on_data(struct port *port, const struct frame *frame) {
    if (port->is_connecting || port->host_has_ended || frame->length > port->window) {
        link_fail("data on a port where none may come");
        return;
    }
    port->window -= frame->length;
    buffer_append(&port->queue, frame->payload, frame->length);
    port_write(port);
}

static void on_end(struct port *port) {
    if (port->is_connecting || port->host_has_ended) {
        link_fail("end on a port where none may come");
        return;
    }
    port->host_has_ended = true;
    port_write(port);
}

void ports_on_frame(const struct frame *frame) {
    if (frame->type == FRAME_PORT_OPEN) {
        open_stream(frame);
        return;
    }
    struct port *port = find(frame->stream);
    if (port == NULL) return;
    if (frame->type == FRAME_DATA) on_data(port, frame);
    else if (frame->type == FRAME_END) on_end(port);
    else port_drop(port);
}

bool ports_on_credit(const struct frame *frame) {
    struct port *port = find(frame->stream);
    if (port == NULL) return false;
    uint64_t credit = port->credit + get_le(frame->payload, 4);
    if (credit > PORT_WINDOW_BYTES) link_fail("credit beyond the window");
    else port->credit = (uint32_t)credit;
    return true;
}

void ports_on_link_lost(void) {
    for (int i = 0; i < ROWS_MAX; i++)
        if (rows[i] != NULL) port_drop(rows[i]);
}

/* Both directions are over, or the server broke off and all that it had sent was read. */
static bool is_over(const struct port *port) {
    return port->has_ended && port->is_shut;
}

void ports_round(void) {
    uint64_t now = now_ms();
    for (int i = 0; i < ROWS_MAX; i++) {
        struct port *port = rows[i];
        if (port == NULL) continue;
        if (port->stream != 0 && port->is_connecting && now >= port->connect_by_ms)
            port_fail(port, ERROR_PORT_TIMEOUT, "the connection was not taken in time");
        if (port->stream != 0 && is_over(port)) port_close(port);
        if (port->stream != 0) continue;
        free(port);
        rows[i] = NULL;
    }
}

void ports_resume(void) {
    for (int i = 0; i < ROWS_MAX; i++)
        if (rows[i] != NULL && rows[i]->stream != 0) source_watch(&rows[i]->source, port_wanted_events(rows[i]));
}

uint64_t ports_deadline_ms(void) {
    uint64_t deadline = NO_DEADLINE;
    for (int i = 0; i < ROWS_MAX; i++) {
        const struct port *port = rows[i];
        if (port == NULL || port->stream == 0 || !port->is_connecting) continue;
        if (port->connect_by_ms < deadline) deadline = port->connect_by_ms;
    }
    return deadline;
}

/* One connection to a port, shared by `ports.c` (frames) and `port_io.c` (its socket). */
#ifndef SANDGATE_PORT_STATE_H
#define SANDGATE_PORT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "loop.h"
#include "port_request.h"
#include "protocol.h"

struct port {
    struct source source; // first: an event leads back here
    uint32_t stream;      // 0: over, to be freed in the next round
    struct port_request request;
    uint64_t connect_by_ms;
    bool is_connecting, is_ipv6;
    bool host_has_ended; // the host sends nothing more
    bool is_shut;        // and the server was told so, or takes nothing more
    bool is_reset;       // the server broke off while we wrote
    bool has_ended;      // the server sends nothing more, and the host was told so
    uint32_t credit;     // what we may send to the host
    uint32_t window;     // what the host may send to us
    uint32_t uncredited;
    struct buffer queue; // what the server has not taken yet, at most a window
};

/* Begins to connect to 127.0.0.1; where that is refused, to ::1. A failure ends the stream with its error. */
void port_connect(struct port *port);

/* Writes what the socket takes, and tells the server of the end behind it. */
void port_write(struct port *port);

/* What the socket is to be watched for now. */
uint32_t port_wanted_events(const struct port *port);

/* The last frame of the stream: `portClosed`, or an error. Nothing is left but to free it. */
void port_close(struct port *port);
void port_fail(struct port *port, enum sandboxd_error code, const char *message);

/* Forgets the stream without a word to the host. */
void port_drop(struct port *port);

#endif

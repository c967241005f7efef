/* The payload of `portOpen`. */
#ifndef SANDGATE_PORT_REQUEST_H
#define SANDGATE_PORT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

struct port_request {
    uint16_t port;       // 1 to 65,535
    uint32_t timeout_ms; // 1 to PORT_TIMEOUT_MAX_MS
};

#define PORT_TIMEOUT_MAX_MS 60000

enum port_request_result { PORT_REQUEST_READY, PORT_REQUEST_BAD_VALUE, PORT_REQUEST_BAD_LAYOUT };

enum port_request_result port_request_parse(struct port_request *request, const uint8_t *payload, size_t length);

#endif

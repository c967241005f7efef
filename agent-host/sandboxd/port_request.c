#include "port_request.h"

#include "fields.h"
#include "protocol.h"

enum port_request_result port_request_parse(struct port_request *request, const uint8_t *payload, size_t length) {
    uint64_t port = 0, timeout_ms = 0;
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    enum field_result result;
    while ((result = field_next(&reader, &field)) == FIELD_READY) {
        if (field.tag == FIELD_PORT && !field_number(&field, 2, &port)) return PORT_REQUEST_BAD_LAYOUT;
        if (field.tag == FIELD_TIMEOUT_MS && !field_number(&field, 4, &timeout_ms)) return PORT_REQUEST_BAD_LAYOUT;
    }
    if (result != FIELD_DONE) return PORT_REQUEST_BAD_LAYOUT;
    request->port = (uint16_t)port;
    request->timeout_ms = (uint32_t)timeout_ms;
    bool is_good = port > 0 && timeout_ms > 0 && timeout_ms <= PORT_TIMEOUT_MAX_MS;
    return is_good ? PORT_REQUEST_READY : PORT_REQUEST_BAD_VALUE;
}

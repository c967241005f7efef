/* Unit tests of requests for a port. */
#include "buffer.h"
#include "check.h"
#include "fields.h"
#include "frames.h"
#include "port_request.h"
#include "protocol.h"

static enum port_request_result parse(struct port_request *request, uint64_t port, uint64_t timeout_ms) {
    struct field_writer fields = {.length = 0};
    put_number(&fields, FIELD_PORT, port, 2);
    put_number(&fields, FIELD_TIMEOUT_MS, timeout_ms, 4);
    return port_request_parse(request, fields.bytes, fields.length);
}

static void a_port_and_a_bounded_wait_are_taken_and_nothing_else(void) {
    struct port_request request;
    CHECK(parse(&request, 65535, PORT_TIMEOUT_MAX_MS) == PORT_REQUEST_READY);
    CHECK(request.port == 65535 && request.timeout_ms == PORT_TIMEOUT_MAX_MS);
    CHECK(parse(&request, 0, 1) == PORT_REQUEST_BAD_VALUE);
    CHECK(parse(&request, 1, 0) == PORT_REQUEST_BAD_VALUE);
    CHECK(parse(&request, 1, PORT_TIMEOUT_MAX_MS + 1) == PORT_REQUEST_BAD_VALUE);
    CHECK(port_request_parse(&request, NULL, 0) == PORT_REQUEST_BAD_VALUE);
}

static void a_port_of_another_width_breaks_the_layout(void) {
    struct port_request request;
    struct field_writer wide = {.length = 0};
    put_number(&wide, FIELD_PORT, 80, 4);
    CHECK(port_request_parse(&request, wide.bytes, wide.length) == PORT_REQUEST_BAD_LAYOUT);
    struct field_writer whole = {.length = 0};
    put_number(&whole, FIELD_PORT, 80, 2);
    CHECK(port_request_parse(&request, whole.bytes, whole.length - 1) == PORT_REQUEST_BAD_LAYOUT);
}

static void only_the_host_opens_a_port(void) {
    uint8_t bytes[FRAME_HEADER_BYTES];
    struct frame frame;
    size_t needed;
    frame_header(bytes, FRAME_PORT_OPEN, 7, 0);
    CHECK(frame_decode(bytes, sizeof bytes, &frame, &needed) == FRAME_READY);
    frame_header(bytes, FRAME_PORT_OPEN, 0, 0);
    CHECK(frame_decode(bytes, sizeof bytes, &frame, &needed) == FRAME_INVALID);
    frame_header(bytes, FRAME_PORT_OPENED, 7, 0);
    CHECK(frame_decode(bytes, sizeof bytes, &frame, &needed) == FRAME_INVALID);
}

void port_request_tests(void) {
    a_port_and_a_bounded_wait_are_taken_and_nothing_else();
    a_port_of_another_width_breaks_the_layout();
    only_the_host_opens_a_port();
}

#include "frames.h"

#include <stdbool.h>
#include <string.h>

#include "protocol.h"

static bool host_may_send(uint8_t type, uint32_t stream) {
    switch (type) {
    case FRAME_CHALLENGE:
    case FRAME_CONFIGURE:
    case FRAME_PING:
    case FRAME_FORGET:
        return stream == 0;
    case FRAME_EXEC:
    case FRAME_STDIN:
    case FRAME_STDIN_END:
    case FRAME_KILL:
    case FRAME_RESIZE:
    case FRAME_KEPT_LIST:
    case FRAME_RECALL:
    case FRAME_FILE_READ:
    case FRAME_FILE_WRITE:
    case FRAME_FILE_DELETE:
    case FRAME_FILE_LIST:
    case FRAME_DATA:
    case FRAME_END:
    case FRAME_CANCEL:
    case FRAME_CREDIT:
    case FRAME_PORT_OPEN:
        return stream != 0;
    default:
        return false;
    }
}

enum frame_result frame_decode(const uint8_t *bytes, size_t length, struct frame *frame, size_t *needed) {
    *needed = FRAME_HEADER_BYTES;
    if (length < FRAME_HEADER_BYTES) return FRAME_INCOMPLETE;
    frame->length = (uint32_t)get_le(bytes, 4);
    frame->type = bytes[4];
    frame->stream = (uint32_t)get_le(bytes + 8, 4);
    frame->payload = bytes + FRAME_HEADER_BYTES;
    bool reserved_is_clear = bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0;
    if (!reserved_is_clear || frame->length > FRAME_PAYLOAD_MAX_BYTES) return FRAME_INVALID;
    if (!host_may_send(frame->type, frame->stream)) return FRAME_INVALID;
    *needed = FRAME_HEADER_BYTES + (size_t)frame->length;
    return length < *needed ? FRAME_INCOMPLETE : FRAME_READY;
}

void frame_header(uint8_t *to, uint8_t type, uint32_t stream, uint32_t payload_length) {
    put_le(to, payload_length, 4);
    to[4] = type;
    to[5] = to[6] = to[7] = 0;
    put_le(to + 8, stream, 4);
}

void frame_append(struct buffer *queue, uint8_t type, uint32_t stream, const void *payload, size_t length) {
    uint8_t *to = buffer_reserve(queue, FRAME_HEADER_BYTES + length);
    frame_header(to, type, stream, (uint32_t)length);
    if (length > 0) memcpy(to + FRAME_HEADER_BYTES, payload, length);
    buffer_commit(queue, FRAME_HEADER_BYTES + length);
}

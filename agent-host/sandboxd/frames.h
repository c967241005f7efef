/* Frame headers: {u32 payloadLength, u8 type, u8 flags = 0, u16 reserved = 0, u32 stream}, little-endian. */
#ifndef SANDGATE_FRAMES_H
#define SANDGATE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct frame {
    uint8_t type;
    uint32_t stream;
    uint32_t length;
    const uint8_t *payload;
};

enum frame_result { FRAME_READY, FRAME_INCOMPLETE, FRAME_INVALID };

/*
 * Looks at the front of `bytes`. FRAME_READY fills *frame, whose payload points into `bytes`; FRAME_INCOMPLETE
 * sets *needed to the bytes that must be there before it is worth asking again.
 */
enum frame_result frame_decode(const uint8_t *bytes, size_t length, struct frame *frame, size_t *needed);

/* Writes a header of FRAME_HEADER_BYTES. */
void frame_header(uint8_t *to, uint8_t type, uint32_t stream, uint32_t payload_length);

/* Appends a whole frame to the queue. */
void frame_append(struct buffer *queue, uint8_t type, uint32_t stream, const void *payload, size_t length);

static inline void put_le(uint8_t *to, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t get_le(const uint8_t *from, size_t width) {
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

#endif

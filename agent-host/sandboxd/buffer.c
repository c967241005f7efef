#include "buffer.h"

#include <stdlib.h>
#include <string.h>

uint8_t *buffer_reserve(struct buffer *buffer, size_t length) {
    if (buffer->capacity - buffer->tail >= length) return buffer->bytes + buffer->tail;
    size_t held = buffer_length(buffer);
    if (buffer->head > 0) {
        memmove(buffer->bytes, buffer_front(buffer), held);
        buffer->head = 0;
        buffer->tail = held;
    }
    if (buffer->capacity - held < length) {
        size_t capacity = buffer->capacity < 4096 ? 4096 : buffer->capacity;
        while (capacity - held < length) capacity *= 2;
        uint8_t *grown = realloc(buffer->bytes, capacity);
        // Every queue is bounded by the protocol: without memory for it PID 1 cannot go on in any useful way.
        if (grown == NULL) abort();
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    return buffer->bytes + buffer->tail;
}

void buffer_commit(struct buffer *buffer, size_t length) {
    buffer->tail += length;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
    if (length == 0) return;
    memcpy(buffer_reserve(buffer, length), bytes, length);
    buffer->tail += length;
}

void buffer_consume(struct buffer *buffer, size_t length, size_t keep_bytes) {
    buffer->head += length;
    if (buffer->head < buffer->tail) return;
    buffer->head = buffer->tail = 0;
    if (buffer->capacity > keep_bytes) buffer_free(buffer);
}

void buffer_free(struct buffer *buffer) {
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

/* A growable byte queue. Memory goes back to the system when it runs empty, so an idle daemon stays small. */
#ifndef SANDGATE_BUFFER_H
#define SANDGATE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes;
    size_t head, tail, capacity;
};

static inline size_t buffer_length(const struct buffer *buffer) {
    return buffer->tail - buffer->head;
}

static inline uint8_t *buffer_front(const struct buffer *buffer) {
    return buffer->bytes + buffer->head;
}

/* Makes room for `length` more bytes and returns where they go; buffer_commit adds what was really written. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t length);
void buffer_commit(struct buffer *buffer, size_t length);
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);

/* Drops `length` bytes from the front; an empty queue keeps `keep_bytes` of capacity at most. */
void buffer_consume(struct buffer *buffer, size_t length, size_t keep_bytes);
void buffer_free(struct buffer *buffer);

#endif

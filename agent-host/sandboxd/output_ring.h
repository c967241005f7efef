/* The newest output of one exec: both streams in the order in which they came, and how much of each went before. */
#ifndef SANDGATE_OUTPUT_RING_H
#define SANDGATE_OUTPUT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_FIRST_BYTES 4096
#define RING_MAX_BYTES (1024 * 1024)
/* All but the last byte of the longest UTF-8 character. */
#define RING_TAIL_BYTES 3

enum output_kind { OUTPUT_STDOUT, OUTPUT_STDERR };

struct output_ring {
    uint8_t *bytes;
    size_t capacity;     // a power of two; 0 before the first output
    uint64_t begin, end; // of what is held; a position's place is its remainder by the capacity
    uint64_t newest;     // where the header of the newest segment is
    uint64_t dropped[2]; // bytes of each stream that went before what is held
    uint8_t tails[2][RING_TAIL_BYTES]; // the last of those, so that a reader sees a character that was begun
    uint8_t tail_bytes[2];
};

/* Where a reader is; it must have read to the end before the ring changes. */
struct ring_reader {
    uint64_t at;
    uint32_t left; // of the segment it is in
    enum output_kind kind;
};

/* Appends, and drops the oldest bytes that there is no room for. */
void output_ring_append(struct output_ring *ring, enum output_kind kind, const uint8_t *bytes, size_t length);

/* Gives it another capacity; what does not fit is dropped. False, and nothing has changed, when there is no memory. */
bool output_ring_resize(struct output_ring *ring, size_t capacity);

/* Output that the ring holds, without its own headers. */
size_t output_ring_bytes(const struct output_ring *ring);

/* Output and headers, which is what counts towards the capacity. */
static inline size_t output_ring_held(const struct output_ring *ring) {
    return (size_t)(ring->end - ring->begin);
}

static inline struct ring_reader output_ring_reader(const struct output_ring *ring) {
    return (struct ring_reader){.at = ring->begin};
}

static inline bool ring_reader_is_done(const struct output_ring *ring, const struct ring_reader *reader) {
    return reader->at == ring->end;
}

/* The next bytes of one stream, `want` at most; reader->kind says which. */
size_t output_ring_read(const struct output_ring *ring, struct ring_reader *reader, uint8_t *to, size_t want);

/* Drops everything and gives the memory back; what was dropped is still counted. */
void output_ring_clear(struct output_ring *ring);

#endif

/* Segments {u32 length and stream, bytes}; output of one stream that comes on is joined to its segment. */
#include "output_ring.h"

#include <stdlib.h>
#include <string.h>

#include "frames.h"

#define HEADER_BYTES 4
#define KIND_BIT 0x80000000u

static size_t place_of(const struct output_ring *ring, uint64_t position) {
    return (size_t)(position & (ring->capacity - 1));
}

static void copy_in(struct output_ring *ring, uint64_t position, const uint8_t *from, size_t length) {
    size_t place = place_of(ring, position);
    size_t first = ring->capacity - place < length ? ring->capacity - place : length;
    memcpy(ring->bytes + place, from, first);
    memcpy(ring->bytes, from + first, length - first);
}

static void copy_out(const struct output_ring *ring, uint64_t position, uint8_t *to, size_t length) {
    size_t place = place_of(ring, position);
    size_t first = ring->capacity - place < length ? ring->capacity - place : length;
    memcpy(to, ring->bytes + place, first);
    memcpy(to + first, ring->bytes, length - first);
}

static void write_header(struct output_ring *ring, uint64_t position, enum output_kind kind, uint32_t length) {
    uint8_t header[HEADER_BYTES];
    put_le(header, length | (kind == OUTPUT_STDERR ? KIND_BIT : 0), sizeof header);
    copy_in(ring, position, header, sizeof header);
}

static uint32_t read_header(const struct output_ring *ring, uint64_t position, enum output_kind *kind) {
    uint8_t header[HEADER_BYTES];
    copy_out(ring, position, header, sizeof header);
    uint32_t value = (uint32_t)get_le(header, sizeof header);
    *kind = (value & KIND_BIT) != 0 ? OUTPUT_STDERR : OUTPUT_STDOUT;
    return value & ~KIND_BIT;
}

/* Remembers the last bytes of a stream that are gone, of which `last` are the newest. */
static void keep_tail(struct output_ring *ring, enum output_kind kind, const uint8_t *last, size_t length) {
    uint8_t *tail = ring->tails[kind];
    size_t added = length < RING_TAIL_BYTES ? length : RING_TAIL_BYTES;
    size_t kept = ring->tail_bytes[kind];
    if (kept > RING_TAIL_BYTES - added) kept = RING_TAIL_BYTES - added;
    memmove(tail, tail + ring->tail_bytes[kind] - kept, kept);
    memcpy(tail + kept, last + length - added, added);
    ring->tail_bytes[kind] = (uint8_t)(kept + added);
}

static void drop_front(struct output_ring *ring, size_t wanted) {
    enum output_kind kind;
    uint32_t length = read_header(ring, ring->begin, &kind);
    uint32_t taken = wanted < length ? (uint32_t)wanted : length;
    uint32_t tail_length = taken < RING_TAIL_BYTES ? taken : RING_TAIL_BYTES;
    uint8_t tail[RING_TAIL_BYTES];
    copy_out(ring, ring->begin + HEADER_BYTES + taken - tail_length, tail, tail_length);
    keep_tail(ring, kind, tail, tail_length);
    ring->dropped[kind] += taken;
    bool is_newest = ring->newest == ring->begin;
    ring->begin += taken == length ? HEADER_BYTES + length : taken;
    if (taken < length) write_header(ring, ring->begin, kind, length - taken);
    if (is_newest && taken < length) ring->newest = ring->begin;
}

static void make_room(struct output_ring *ring, size_t capacity, size_t length) {
    while (output_ring_held(ring) + length > capacity) drop_front(ring, output_ring_held(ring) + length - capacity);
}

static bool joins_the_newest(const struct output_ring *ring, enum output_kind kind) {
    enum output_kind newest_kind = kind;
    if (ring->begin == ring->end) return false;
    read_header(ring, ring->newest, &newest_kind);
    return newest_kind == kind;
}

static void append_piece(struct output_ring *ring, enum output_kind kind, const uint8_t *bytes, size_t length) {
    bool is_joined = joins_the_newest(ring, kind);
    // A piece is half a ring at most: something of a segment that it is joined to stays.
    make_room(ring, ring->capacity, is_joined ? length : HEADER_BYTES + length);
    if (!is_joined) {
        ring->newest = ring->end;
        ring->end += HEADER_BYTES;
    }
    uint32_t before = (uint32_t)(ring->end - ring->newest) - HEADER_BYTES;
    write_header(ring, ring->newest, kind, before + (uint32_t)length);
    copy_in(ring, ring->end, bytes, length);
    ring->end += length;
}

void output_ring_append(struct output_ring *ring, enum output_kind kind, const uint8_t *bytes, size_t length) {
    if (ring->capacity == 0) {
        // There was no memory for any of it.
        ring->dropped[kind] += length;
        keep_tail(ring, kind, bytes, length);
        return;
    }
    size_t piece_max = ring->capacity / 2;
    for (size_t at = 0; at < length; at += piece_max)
        append_piece(ring, kind, bytes + at, length - at < piece_max ? length - at : piece_max);
}

bool output_ring_resize(struct output_ring *ring, size_t capacity) {
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) return false;
    make_room(ring, capacity, 0);
    struct output_ring moved = *ring;
    moved.bytes = bytes;
    moved.capacity = capacity;
    for (uint64_t at = ring->begin; at < ring->end;) {
        size_t length = ring->capacity - place_of(ring, at);
        if (length > ring->end - at) length = (size_t)(ring->end - at);
        copy_in(&moved, at, ring->bytes + place_of(ring, at), length);
        at += length;
    }
    free(ring->bytes);
    *ring = moved;
    return true;
}

size_t output_ring_bytes(const struct output_ring *ring) {
    size_t bytes = 0;
    enum output_kind kind;
    for (uint64_t at = ring->begin; at < ring->end;) {
        uint32_t length = read_header(ring, at, &kind);
        bytes += length;
        at += HEADER_BYTES + length;
    }
    return bytes;
}

size_t output_ring_read(const struct output_ring *ring, struct ring_reader *reader, uint8_t *to, size_t want) {
    if (ring_reader_is_done(ring, reader)) return 0;
    if (reader->left == 0) {
        reader->left = read_header(ring, reader->at, &reader->kind);
        reader->at += HEADER_BYTES;
    }
    size_t length = reader->left < want ? reader->left : want;
    copy_out(ring, reader->at, to, length);
    reader->at += length;
    reader->left -= (uint32_t)length;
    return length;
}

void output_ring_clear(struct output_ring *ring) {
    while (ring->begin < ring->end) drop_front(ring, SIZE_MAX);
    free(ring->bytes);
    ring->bytes = NULL;
    ring->capacity = 0;
    ring->begin = ring->end = ring->newest = 0;
}

/* What is kept of a tagged exec for a host that comes back: its name, its newest output, and its end. */
#ifndef SANDGATE_KEPT_H
#define SANDGATE_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "output_ring.h"
#include "protocol.h"

/* Of all rings; beyond it each running exec still has RING_FIRST_BYTES. */
#define KEPT_OUTPUT_BYTES (4 * 1024 * 1024)
/* Ends, the newest. What runs is bounded by the execs. */
#define KEPT_ENDS_MAX 64
#define KEPT_ROWS_MAX 192
#define KEPT_END_BYTES 96

struct exec;

struct kept {
    struct exec *exec; // whose it is
    char *tag;         // the start of the one allocation that holds the metadata too
    uint8_t *metadata;
    size_t metadata_bytes;
    bool has_output; // false: what it prints is nobody's who comes later

    struct output_ring ring;
    bool is_forgotten; // the host needs the output no more
    bool is_sending;   // the ring goes to the host first; the program waits meanwhile
    struct ring_reader reader;

    uint8_t end_type; // of the exec's last frame; 0 while it runs
    uint8_t end[KEPT_END_BYTES];
    size_t end_bytes;
    uint64_t end_number; // ends are counted, the oldest goes first
    bool is_evicted;     // too many ended after it
};

/* NULL when the tag is taken, or there are too many. */
struct kept *kept_add(struct exec *exec, const struct field *tag, const struct field *metadata);
struct kept *kept_find(const struct field *tag);
void kept_free(struct kept *kept);

/* Every row in turn; NULL where there is none. */
struct kept *kept_at(size_t row);

/* Takes output in, within the bounds: ends give way before what runs, and what holds the most before the others. */
void kept_append(struct kept *kept, enum output_kind kind, const uint8_t *bytes, size_t length);

/* The exec is over; its last frame was, or would have been, this one. */
void kept_end(struct kept *kept, uint8_t frame_type, const struct field_writer *end);

/* The host needs the output of an exec that has ended no more. */
void kept_forget(struct kept *kept);

#endif

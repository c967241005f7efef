#include "kept.h"

#include <stdlib.h>
#include <string.h>

static struct kept *rows[KEPT_ROWS_MAX];
static size_t capacity_bytes; // of all rings
static uint64_t end_count;

struct kept *kept_at(size_t row) {
    return rows[row];
}

struct kept *kept_find(const struct field *tag) {
    for (size_t i = 0; i < KEPT_ROWS_MAX; i++) {
        if (rows[i] == NULL || rows[i]->is_evicted) continue;
        if (strlen(rows[i]->tag) == tag->length && memcmp(rows[i]->tag, tag->bytes, tag->length) == 0) return rows[i];
    }
    return NULL;
}

struct kept *kept_add(struct exec *exec, const struct field *tag, const struct field *metadata) {
    struct kept **row = NULL;
    for (size_t i = 0; i < KEPT_ROWS_MAX; i++)
        if (rows[i] == NULL) row = &rows[i];
    if (row == NULL || kept_find(tag) != NULL) return NULL;
    struct kept *kept = calloc(1, sizeof *kept);
    if (kept != NULL) kept->tag = malloc(tag->length + 1 + metadata->length);
    if (kept == NULL || kept->tag == NULL) abort();
    memcpy(kept->tag, tag->bytes, tag->length);
    kept->tag[tag->length] = '\0';
    kept->metadata = (uint8_t *)kept->tag + tag->length + 1;
    if (metadata->length > 0) memcpy(kept->metadata, metadata->bytes, metadata->length);
    kept->metadata_bytes = metadata->length;
    kept->has_output = true;
    kept->exec = exec;
    *row = kept;
    return kept;
}

static void clear(struct kept *kept) {
    capacity_bytes -= kept->ring.capacity;
    output_ring_clear(&kept->ring);
}

void kept_free(struct kept *kept) {
    if (kept == NULL) return;
    clear(kept);
    for (size_t i = 0; i < KEPT_ROWS_MAX; i++)
        if (rows[i] == kept) rows[i] = NULL;
    free(kept->tag);
    free(kept);
}

static struct kept *oldest_end(bool has_memory) {
    struct kept *oldest = NULL;
    for (size_t i = 0; i < KEPT_ROWS_MAX; i++) {
        struct kept *kept = rows[i];
        if (kept == NULL || kept->end_type == 0 || kept->is_evicted || kept->is_sending) continue;
        if (has_memory && kept->ring.capacity == 0) continue;
        if (oldest == NULL || kept->end_number < oldest->end_number) oldest = kept;
    }
    return oldest;
}

static void resize(struct kept *kept, size_t capacity) {
    size_t before = kept->ring.capacity;
    if (output_ring_resize(&kept->ring, capacity)) capacity_bytes += capacity - before;
}

/* Halves the ring that holds the most, where that still leaves it more than `bytes`. */
static bool halve_the_largest(size_t bytes) {
    struct kept *largest = NULL;
    for (size_t i = 0; i < KEPT_ROWS_MAX; i++) {
        if (rows[i] == NULL || rows[i]->is_sending) continue;
        if (largest == NULL || rows[i]->ring.capacity > largest->ring.capacity) largest = rows[i];
    }
    if (largest == NULL || largest->ring.capacity / 2 <= bytes) return false;
    size_t before = largest->ring.capacity;
    resize(largest, before / 2);
    return largest->ring.capacity < before;
}

/* Makes room for `more` bytes of capacity in a ring that will then have `capacity`. */
static bool make_room(size_t more, size_t capacity) {
    while (capacity_bytes + more > KEPT_OUTPUT_BYTES) {
        struct kept *oldest = oldest_end(true);
        if (oldest != NULL) clear(oldest);
        else if (!halve_the_largest(capacity)) return false;
    }
    return true;
}

static void grow(struct kept *kept, size_t length) {
    struct output_ring *ring = &kept->ring;
    if (ring->capacity == 0) resize(kept, RING_FIRST_BYTES);
    while (ring->capacity > 0 && ring->capacity < RING_MAX_BYTES && output_ring_held(ring) + length + 4 > ring->capacity) {
        size_t before = ring->capacity;
        if (make_room(before, 2 * before)) resize(kept, 2 * before);
        if (ring->capacity <= before) return;
    }
}

void kept_append(struct kept *kept, enum output_kind kind, const uint8_t *bytes, size_t length) {
    if (!kept->has_output || length == 0) return;
    grow(kept, length);
    output_ring_append(&kept->ring, kind, bytes, length);
}

void kept_end(struct kept *kept, uint8_t frame_type, const struct field_writer *end) {
    kept->end_type = frame_type;
    kept->end_bytes = end->length < KEPT_END_BYTES ? end->length : KEPT_END_BYTES;
    memcpy(kept->end, end->bytes, kept->end_bytes);
    kept->end_number = ++end_count;
    size_t ends = 0;
    for (size_t i = 0; i < KEPT_ROWS_MAX; i++) ends += rows[i] != NULL && rows[i]->end_type != 0 && !rows[i]->is_evicted;
    struct kept *oldest = ends > KEPT_ENDS_MAX ? oldest_end(false) : NULL;
    if (oldest == NULL) return;
    clear(oldest);
    oldest->is_evicted = true;
}

void kept_forget(struct kept *kept) {
    if (kept->end_type == 0 || kept->is_sending) return;
    clear(kept);
    kept->is_forgotten = true;
}

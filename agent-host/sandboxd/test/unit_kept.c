/* Unit tests of what is kept of execs for a host that comes back. */
#include "check.h"
#include "kept.h"

#define MODEL_BYTES 40000

/* Everything that was ever printed, in order. */
static struct {
    uint8_t bytes[MODEL_BYTES];
    uint8_t kinds[MODEL_BYTES];
    size_t length;
} model;

static void print(struct output_ring *ring, enum output_kind kind, size_t length) {
    for (size_t i = 0; i < length; i++) {
        model.bytes[model.length + i] = (uint8_t)(model.length + i * 7);
        model.kinds[model.length + i] = (uint8_t)kind;
    }
    output_ring_append(ring, kind, model.bytes + model.length, length);
    model.length += length;
}

static void check_against_model(const struct output_ring *ring, size_t want) {
    static uint8_t piece[MODEL_BYTES];
    size_t dropped[2] = {0, 0}, at = model.length - output_ring_bytes(ring);
    uint8_t tails[2][RING_TAIL_BYTES] = {{0}};
    for (size_t i = 0; i < at; i++) {
        uint8_t *tail = tails[model.kinds[i]];
        memmove(tail, tail + 1, RING_TAIL_BYTES - 1);
        tail[RING_TAIL_BYTES - 1] = model.bytes[i];
        dropped[model.kinds[i]]++;
    }
    for (int kind = 0; kind < 2; kind++) {
        size_t length = dropped[kind] < RING_TAIL_BYTES ? dropped[kind] : RING_TAIL_BYTES;
        CHECK(ring->dropped[kind] == dropped[kind] && ring->tail_bytes[kind] == length);
        CHECK(memcmp(ring->tails[kind], tails[kind] + RING_TAIL_BYTES - length, length) == 0);
    }
    struct ring_reader reader = output_ring_reader(ring);
    size_t length;
    while ((length = output_ring_read(ring, &reader, piece, want)) > 0) {
        CHECK(length <= want && at + length <= model.length);
        CHECK(memcmp(piece, model.bytes + at, length) == 0);
        for (size_t i = 0; i < length; i++) CHECK(model.kinds[at + i] == reader.kind);
        at += length;
    }
    CHECK(at == model.length && ring_reader_is_done(ring, &reader));
}

static void a_ring_keeps_the_newest_of_both_streams_in_order_and_counts_the_rest(void) {
    static const size_t lengths[] = {1, 1, 2, 40, 3, 200, 1, 90, 700, 5};
    unsigned random = 7;
    for (int round = 0; round < 200; round++) {
        struct output_ring ring = {0};
        model.length = 0;
        CHECK(output_ring_resize(&ring, 256));
        for (int i = 0; i < 60; i++) {
            random = random * 1103515245u + 12345u;
            print(&ring, (random >> 20) & 1, lengths[(random >> 8) % 10]);
            if (i == 30) CHECK(output_ring_resize(&ring, (random >> 16) & 1 ? 512 : 128));
            CHECK(output_ring_held(&ring) <= ring.capacity);
            check_against_model(&ring, 1 + (random >> 12) % 50);
        }
        // A full ring of one stream holds all that is not its header.
        print(&ring, OUTPUT_STDOUT, 2000);
        CHECK(output_ring_bytes(&ring) == ring.capacity - 4);
        output_ring_clear(&ring);
        CHECK(ring.bytes == NULL);
        check_against_model(&ring, 10);
    }
}

static uint8_t junk[64 * 1024];

static struct kept *add_kept(int number) {
    static char name[8];
    snprintf(name, sizeof name, "t%d", number);
    struct field tag = {.bytes = (const uint8_t *)name, .length = (uint32_t)strlen(name)};
    struct field metadata = {.bytes = (const uint8_t *)"{}", .length = 2};
    return kept_add(NULL, &tag, &metadata);
}

static void end_kept(struct kept *kept) {
    struct field_writer end = {.length = 0};
    put_number(&end, FIELD_EXIT_CODE, 7, 4);
    kept_end(kept, FRAME_EXIT, &end);
}

static void fill(struct kept *kept, size_t bytes) {
    for (size_t at = 0; at < bytes; at += sizeof junk) kept_append(kept, OUTPUT_STDOUT, junk, sizeof junk);
}

static size_t capacity_of_all(void) {
    size_t bytes = 0;
    for (size_t row = 0; row < KEPT_ROWS_MAX; row++) bytes += kept_at(row) != NULL ? kept_at(row)->ring.capacity : 0;
    return bytes;
}

static void free_all(void) {
    for (size_t row = 0; row < KEPT_ROWS_MAX; row++) kept_free(kept_at(row));
    CHECK(capacity_of_all() == 0);
}

static void a_tag_is_given_once_and_costs_no_ring_before_the_first_output(void) {
    struct kept *kept = add_kept(1);
    CHECK(kept != NULL && add_kept(1) == NULL && kept->ring.bytes == NULL);
    kept_append(kept, OUTPUT_STDERR, junk, 5);
    CHECK(kept->ring.capacity == RING_FIRST_BYTES);
    fill(kept, 3 * RING_MAX_BYTES);
    CHECK(kept->ring.capacity == RING_MAX_BYTES && output_ring_bytes(&kept->ring) == RING_MAX_BYTES - 4);
    kept_forget(kept);
    CHECK(!kept->is_forgotten && kept->ring.capacity > 0);
    end_kept(kept);
    kept_forget(kept);
    CHECK(kept->is_forgotten && kept->ring.bytes == NULL && kept->end_bytes == 10);
    free_all();
}

static void all_rings_keep_to_their_bound_and_ends_give_way_first(void) {
    struct kept *ended[6], *running[6];
    for (int i = 0; i < 6; i++) {
        ended[i] = add_kept(i);
        fill(ended[i], RING_MAX_BYTES);
        end_kept(ended[i]);
    }
    // Two of six had to go, the oldest ends; how they ended is kept all the same.
    CHECK(ended[0]->ring.capacity == 0 && ended[1]->ring.capacity == 0 && ended[2]->ring.capacity == RING_MAX_BYTES);
    CHECK(ended[0]->end_type == FRAME_EXIT && ended[0]->ring.dropped[OUTPUT_STDOUT] == RING_MAX_BYTES);
    for (int i = 0; i < 6; i++) {
        running[i] = add_kept(10 + i);
        fill(running[i], RING_MAX_BYTES);
        CHECK(capacity_of_all() <= KEPT_OUTPUT_BYTES);
    }
    for (int i = 0; i < 6; i++) CHECK(ended[i]->ring.capacity == 0);
    // Six that run share what is there for four.
    for (int i = 0; i < 6; i++) fill(running[i], RING_MAX_BYTES);
    for (int i = 0; i < 6; i++) CHECK(running[i]->ring.capacity >= RING_MAX_BYTES / 4);
    CHECK(capacity_of_all() <= KEPT_OUTPUT_BYTES);
    free_all();
}

static void what_is_being_sent_is_left_alone(void) {
    struct kept *sending = add_kept(0);
    fill(sending, RING_MAX_BYTES);
    sending->is_sending = true;
    end_kept(sending);
    for (int i = 1; i < 100; i++) {
        struct kept *kept = add_kept(i);
        fill(kept, RING_MAX_BYTES);
        if (i % 2) end_kept(kept);
    }
    CHECK(sending->ring.capacity == RING_MAX_BYTES && !sending->is_evicted);
    kept_forget(sending);
    CHECK(!sending->is_forgotten);
    free_all();
}

static void only_the_newest_ends_are_kept(void) {
    struct kept *all[KEPT_ENDS_MAX + 3];
    for (int i = 0; i < KEPT_ENDS_MAX + 3; i++) {
        all[i] = add_kept(i);
        if (i != 1) end_kept(all[i]);
    }
    CHECK(all[0]->is_evicted && !all[1]->is_evicted && all[2]->is_evicted && !all[3]->is_evicted);
    // The name of one that is gone may be given again.
    CHECK(add_kept(0) != NULL && add_kept(3) == NULL);
    free_all();
}

void kept_tests(void) {
    a_ring_keeps_the_newest_of_both_streams_in_order_and_counts_the_rest();
    a_tag_is_given_once_and_costs_no_ring_before_the_first_output();
    all_rings_keep_to_their_bound_and_ends_give_way_first();
    what_is_being_sent_is_left_alone();
    only_the_newest_ends_are_kept();
}

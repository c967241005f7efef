/* A bounded mutation driver for where there is no libFuzzer: `fuzz SECONDS [SEED]`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frames.h"
#include "protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#define INPUT_MAX_BYTES 4096

static uint64_t state;

static uint32_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static size_t add_field(uint8_t *to, uint16_t tag, const char *bytes, size_t length) {
    put_le(to, tag, 2);
    put_le(to + 2, length, 4);
    memcpy(to + 6, bytes, length);
    return 6 + length;
}

/* A frame or bare payload with plausible fields, so that mutations reach beyond the first check. */
static size_t seed_input(uint8_t *to) {
    static const uint16_t tags[] = {1, 3, 4, 5, 6, 16, 17, 18, 19, 20, 21, 24, 27, 28, 29, 30, 31, 32, 33, 34, 36, FIELD_PORT, 99};
    static const char *values[] = {"", "sh", "A=1", "/tmp", "/a/../b", "\1\0\0\0", "a0b1", "PATH=/x:/y",
                                   "0123456789abcdef0123456789abcdef", "\2\0\0\0\0\0\0\0", "\4\0\0\0", "P\0"};
    static const size_t lengths[] = {0, 2, 3, 4, 7, 4, 4, 10, 32, 8, 4, 2};
    static const uint8_t types[] = {FRAME_EXEC, FRAME_RESIZE, FRAME_KILL, FRAME_FILE_READ, FRAME_FILE_WRITE, FRAME_CONFIGURE, FRAME_CHALLENGE, FRAME_PORT_OPEN, FRAME_RECALL};
    size_t start = next_random() % 2 ? FRAME_HEADER_BYTES : 0, at = start;
    for (uint32_t i = next_random() % 12; i > 0; i--) {
        size_t value = next_random() % (sizeof lengths / sizeof *lengths);
        at += add_field(to + at, tags[next_random() % (sizeof tags / sizeof *tags)], values[value], lengths[value]);
    }
    uint8_t type = types[next_random() % sizeof types];
    if (start > 0) frame_header(to, type, type < 16 ? 0 : 1, (uint32_t)(at - start));
    return at;
}

static size_t mutate(uint8_t *bytes, size_t length) {
    static const uint8_t interesting[] = {0, 1, 0x7f, 0x80, 0xff, '/', '.', '=', ')', ' '};
    for (uint32_t i = next_random() % 6; i > 0 && length > 0; i--) {
        size_t at = next_random() % length;
        switch (next_random() % 4) {
        case 0: bytes[at] ^= (uint8_t)(1u << next_random() % 8); break;
        case 1: bytes[at] = interesting[next_random() % sizeof interesting]; break;
        case 2: length = at; break;
        default: memmove(bytes + at, bytes + length / 2, length - at < length / 2 ? length - at : length / 2); break;
        }
    }
    return length;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
    if (state == 0) state = 1;
    printf("fuzz seed %#llx\n", (unsigned long long)state);
    fflush(stdout);
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    unsigned long runs = 0;
    while (clock() < end) {
        uint8_t input[INPUT_MAX_BYTES];
        size_t length = mutate(input, seed_input(input));
        // An exact copy on the heap: one byte too far is seen.
        uint8_t *copy = malloc(length > 0 ? length : 1);
        if (copy == NULL) return 1;
        memcpy(copy, input, length);
        LLVMFuzzerTestOneInput(copy, length);
        free(copy);
        runs++;
    }
    printf("%lu inputs, no finding\n", runs);
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "frames.h"
#include "watch.h"

#define GATHER_BYTES (64 * 1024)

static struct buffer gathered;

/* Waits for the host when it is behind: then the kernel's queue fills, and says when it has lost something. */
void watch_flush(void) {
    while (buffer_length(&gathered) > 0) {
        ssize_t written = write(STDOUT_FILENO, buffer_front(&gathered), buffer_length(&gathered));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) exit(1);
        buffer_consume(&gathered, (size_t)written, GATHER_BYTES);
    }
}

static void put(enum watch_record kind, const uint8_t *start, size_t start_length, const char *rest, size_t rest_length) {
    uint8_t header[WATCH_RECORD_HEADER_BYTES];
    put_le(header, start_length + rest_length, 4);
    header[4] = (uint8_t)kind;
    buffer_append(&gathered, header, sizeof header);
    buffer_append(&gathered, start, start_length);
    buffer_append(&gathered, rest, rest_length);
    if (buffer_length(&gathered) >= GATHER_BYTES) watch_flush();
}

void watch_tell(enum watch_record kind, uint8_t flags, const char *path) {
    put(kind, &flags, 1, path, strlen(path));
}

void watch_tell_rename(uint8_t flags, const char *from, const char *to) {
    struct buffer names = {0};
    buffer_append(&names, from, strlen(from) + 1);
    buffer_append(&names, to, strlen(to));
    put(WATCH_RECORD_RENAME, &flags, 1, (const char *)buffer_front(&names), buffer_length(&names));
    buffer_free(&names);
}

void watch_end(void) {
    watch_tell(WATCH_RECORD_END, 0, "");
    watch_flush();
    exit(0);
}

void watch_refuse(enum sandboxd_error code) {
    uint8_t number[2];
    put_le(number, code, 2);
    put(WATCH_RECORD_REFUSED, number, sizeof number, "", 0);
    watch_flush();
    exit(0);
}

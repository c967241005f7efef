/* The payload of `exec`, turned into what execve takes. */
#ifndef SANDGATE_EXEC_REQUEST_H
#define SANDGATE_EXEC_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"

#define ARGV_MAX_COUNT 8192
#define PATH_MAX_BYTES 4096
#define GRACE_DEFAULT_MS 1000

struct exec_request {
    char **argv, **envp; // argv is the start of the one allocation that holds everything
    const char *cwd, *search_path;
    uint32_t timeout_ms, grace_ms, flags;
    uint16_t cols, rows; // of a terminal
    struct field tag, metadata; // point into the payload; without a tag nothing is kept for a host that comes back
};

enum exec_request_result { EXEC_REQUEST_READY, EXEC_REQUEST_BAD_VALUE, EXEC_REQUEST_BAD_LAYOUT };

/* Merges the request's environment over `base` (the later entry of a name wins). Free with exec_request_free. */
enum exec_request_result exec_request_parse(struct exec_request *request, const uint8_t *payload, size_t length,
                                            char *const *base, size_t base_count);
void exec_request_free(struct exec_request *request);

/* The size of a terminal; both numbers must be there, and more than nothing. */
bool terminal_size_parse(const uint8_t *payload, size_t length, uint16_t *cols, uint16_t *rows);

/* NAME=value without NUL and with a name. */
bool env_entry_is_valid(const struct field *field);

/* Absolute, short enough, without NUL and without a ".." component. */
bool path_is_valid(const struct field *field);

#endif

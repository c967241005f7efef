#include "shell_line.h"

#include <stdio.h>
#include <string.h>

#include "frames.h"

static void put_text(struct buffer *to, const char *text) {
    buffer_append(to, text, strlen(text));
}

/* As $'...', in which a quote, a backslash and everything that is no printable ASCII is spelled in octal. */
static void put_quoted(struct buffer *to, const uint8_t *bytes, size_t length) {
    static const char digits[] = "01234567";
    uint8_t *at = buffer_reserve(to, 4 * length);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];
        bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '\'' && byte != '\\';
        if (is_plain) {
            at[used++] = byte;
            continue;
        }
        at[used++] = '\\';
        for (int shift = 6; shift >= 0; shift -= 3) at[used++] = (uint8_t)digits[(byte >> shift) & 7];
    }
    buffer_commit(to, used);
}

void shell_line_put(struct buffer *to, const uint8_t *command, size_t length, const char *nonce, int last_status) {
    char text[128];
    // A subshell is the only way to set `$?`; under `set -e` the left side of || ends nothing.
    if (last_status != 0) {
        snprintf(text, sizeof text, "(exit %d) || ", last_status);
        put_text(to, text);
    }
    put_text(to, "builtin eval $'");
    put_quoted(to, command, length);
    put_text(to, "' </dev/null; { builtin printf '%s %s\\0' ");
    put_text(to, nonce);
    // Under `set -x` the shell would print this line among the command's errors.
    put_text(to, " \"$?\" >&0; } 2>/dev/null\n");
}

bool shell_answer_read(const uint8_t *bytes, size_t length, const char *nonce, int *status) {
    if (length < SHELL_NONCE_CHARS + 2 || length > SHELL_NONCE_CHARS + 4) return false;
    if (memcmp(bytes, nonce, SHELL_NONCE_CHARS) != 0 || bytes[SHELL_NONCE_CHARS] != ' ') return false;
    int value = 0;
    for (size_t i = SHELL_NONCE_CHARS + 1; i < length; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') return false;
        value = value * 10 + (bytes[i] - '0');
    }
    *status = value;
    return value <= 255;
}

enum shell_request_result shell_request_read(const uint8_t *bytes, size_t length, const uint8_t **command,
                                             size_t *command_length) {
    if (length < 4) return SHELL_REQUEST_INCOMPLETE;
    *command_length = get_le(bytes, 4);
    if (*command_length > SHELL_COMMAND_MAX_BYTES) return SHELL_REQUEST_INVALID;
    if (length - 4 < *command_length) return SHELL_REQUEST_INCOMPLETE;
    *command = bytes + 4;
    if (*command_length > 0 && memchr(*command, 0, *command_length) != NULL) return SHELL_REQUEST_INVALID;
    return SHELL_REQUEST_READY;
}

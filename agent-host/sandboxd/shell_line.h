/* What a session's shell is told to run, and what it answers; without any I/O, so that it can be tested alone. */
#ifndef SANDGATE_SHELL_LINE_H
#define SANDGATE_SHELL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define SHELL_COMMAND_MAX_BYTES (128 * 1024)
#define SHELL_NONCE_CHARS 32
#define SHELL_ANSWER_MAX_BYTES 64

/*
 * Appends one line that evaluates the command with an empty input, in the shell itself and outside of any loop or
 * function, and then says `<nonce> <status>` and NUL on the shell's own input, a socket that the command does not have.
 * `$?` is what the last command left.
 */
void shell_line_put(struct buffer *to, const uint8_t *command, size_t length, const char *nonce, int last_status);

/* Reads an answer, NUL excluded; false when it is not the one to that nonce. */
bool shell_answer_read(const uint8_t *bytes, size_t length, const char *nonce, int *status);

enum shell_request_result { SHELL_REQUEST_READY, SHELL_REQUEST_INCOMPLETE, SHELL_REQUEST_INVALID };

/* Looks for {u32 length, command} at the front of what the host has sent. */
enum shell_request_result shell_request_read(const uint8_t *bytes, size_t length, const uint8_t **command,
                                             size_t *command_length);

#endif

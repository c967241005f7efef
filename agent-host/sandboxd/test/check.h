/* What the unit tests share. A test prints nothing and stops at the first claim that does not hold. */
#ifndef SANDGATE_CHECK_H
#define SANDGATE_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "fields.h"
#include "frames.h"

#define CHECK(claim)                                                         \
    do {                                                                     \
        if (claim) break;                                                    \
        fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, __func__, #claim); \
        exit(1);                                                             \
    } while (0)

static inline void add(struct buffer *payload, uint16_t tag, const void *bytes, size_t length) {
    append_field(payload, tag, bytes, length);
}

static inline void add_text(struct buffer *payload, uint16_t tag, const char *text) {
    add(payload, tag, text, strlen(text));
}

void exec_request_tests(void);
void shell_line_tests(void);
void watch_tree_tests(void);
void port_request_tests(void);
void kept_tests(void);

#endif

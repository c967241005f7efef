/* Payloads made of fields: repeated {u16 tag, u32 length, bytes}. Unknown tags are skipped by the readers. */
#ifndef SANDGATE_FIELDS_H
#define SANDGATE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define FIELD_HEADER_BYTES 6

struct field {
    uint16_t tag;
    uint32_t length;
    const uint8_t *bytes;
};

struct field_reader {
    const uint8_t *at, *end;
};

static inline struct field_reader fields_of(const uint8_t *payload, size_t length) {
    return (struct field_reader){payload, payload + length};
}

enum field_result { FIELD_READY, FIELD_DONE, FIELD_INVALID };

enum field_result field_next(struct field_reader *reader, struct field *field);

/* True when the whole payload is well formed; what reads it afterwards need not check again. */
bool fields_valid(const uint8_t *payload, size_t length);

/* Reads a number that must be exactly `width` bytes long. */
bool field_number(const struct field *field, size_t width, uint64_t *value);

/* True when the bytes hold no NUL, so that they can become a C string. */
bool field_is_text(const struct field *field);

/* Small outgoing payloads, built in place; the largest is a hello. */
struct field_writer {
    uint8_t bytes[512];
    size_t length;
};

void put_bytes(struct field_writer *writer, uint16_t tag, const void *bytes, size_t length);
void put_number(struct field_writer *writer, uint16_t tag, uint64_t value, size_t width);

/* The same for payloads of any size. */
void append_field(struct buffer *payload, uint16_t tag, const void *bytes, size_t length);
void append_number(struct buffer *payload, uint16_t tag, uint64_t value, size_t width);

#endif

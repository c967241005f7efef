#include "fields.h"

#include <string.h>

#include "frames.h"

enum field_result field_next(struct field_reader *reader, struct field *field) {
    size_t left = (size_t)(reader->end - reader->at);
    if (left == 0) return FIELD_DONE;
    if (left < FIELD_HEADER_BYTES) return FIELD_INVALID;
    field->tag = (uint16_t)get_le(reader->at, 2);
    field->length = (uint32_t)get_le(reader->at + 2, 4);
    field->bytes = reader->at + FIELD_HEADER_BYTES;
    if (field->length > left - FIELD_HEADER_BYTES) return FIELD_INVALID;
    reader->at = field->bytes + field->length;
    return FIELD_READY;
}

bool fields_valid(const uint8_t *payload, size_t length) {
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    enum field_result result;
    do result = field_next(&reader, &field);
    while (result == FIELD_READY);
    return result == FIELD_DONE;
}

bool field_number(const struct field *field, size_t width, uint64_t *value) {
    if (field->length != width) return false;
    *value = get_le(field->bytes, width);
    return true;
}

bool field_is_text(const struct field *field) {
    return field->length == 0 || memchr(field->bytes, 0, field->length) == NULL;
}

void put_bytes(struct field_writer *writer, uint16_t tag, const void *bytes, size_t length) {
    size_t room = sizeof writer->bytes - writer->length;
    if (room < FIELD_HEADER_BYTES) return;
    // Only log messages can be long: they are cut rather than lost.
    if (length > room - FIELD_HEADER_BYTES) length = room - FIELD_HEADER_BYTES;
    put_le(writer->bytes + writer->length, tag, 2);
    put_le(writer->bytes + writer->length + 2, length, 4);
    memcpy(writer->bytes + writer->length + FIELD_HEADER_BYTES, bytes, length);
    writer->length += FIELD_HEADER_BYTES + length;
}

void put_number(struct field_writer *writer, uint16_t tag, uint64_t value, size_t width) {
    uint8_t bytes[8];
    put_le(bytes, value, width);
    put_bytes(writer, tag, bytes, width);
}

void append_field(struct buffer *payload, uint16_t tag, const void *bytes, size_t length) {
    uint8_t header[FIELD_HEADER_BYTES];
    put_le(header, tag, 2);
    put_le(header + 2, length, 4);
    buffer_append(payload, header, sizeof header);
    buffer_append(payload, bytes, length);
}

void append_number(struct buffer *payload, uint16_t tag, uint64_t value, size_t width) {
    uint8_t bytes[8];
    put_le(bytes, value, width);
    append_field(payload, tag, bytes, width);
}

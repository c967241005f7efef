#include "file_request.h"

#include <string.h>

#include "exec_request.h"
#include "fields.h"

/* A path below the listed one, such as an entry's: no empty, `.` or `..` component, and none too long. */
static bool relative_path_is_valid(const struct field *field) {
    if (field->length > LIST_PATH_BYTES || !field_is_text(field)) return false;
    const char *text = (const char *)field->bytes;
    size_t components = 0;
    for (size_t at = 0; at < field->length; components++) {
        size_t length = 0;
        while (at + length < field->length && text[at + length] != '/') length++;
        bool is_dots = (length == 1 && text[at] == '.') || (length == 2 && text[at] == '.' && text[at + 1] == '.');
        if (length == 0 || length > NAME_MAX || is_dots) return false;
        at += length + 1;
    }
    bool ends_with_slash = field->length > 0 && text[field->length - 1] == '/';
    return components <= LIST_DEPTH_MAX && !ends_with_slash;
}

enum file_request_result file_request_parse(struct file_task *task, const uint8_t *payload, size_t length) {
    if (!fields_valid(payload, length)) return FILE_REQUEST_BAD_LAYOUT;
    uint64_t mode = 0;
    task->path[0] = '\0';
    task->offset = 0;
    task->left_bytes = UINT64_MAX;
    task->has_mode = task->is_recursive = false;
    task->after[0] = '\0';
    uint64_t depth = 1, limit = LIST_ENTRIES_MAX, recursive = 0;
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    while (field_next(&reader, &field) == FIELD_READY) {
        bool fits = true;
        if (field.tag == FIELD_PATH) {
            if (!path_is_valid(&field)) return FILE_REQUEST_BAD_VALUE;
            memcpy(task->path, field.bytes, field.length);
            task->path[field.length] = '\0';
        } else if (field.tag == FIELD_OFFSET) {
            fits = field_number(&field, 8, &task->offset);
        } else if (field.tag == FIELD_LENGTH) {
            fits = field_number(&field, 8, &task->left_bytes);
        } else if (field.tag == FIELD_MODE) {
            fits = field_number(&field, 4, &mode);
            task->has_mode = true;
        } else if (field.tag == FIELD_DEPTH) {
            fits = field_number(&field, 4, &depth);
        } else if (field.tag == FIELD_LIMIT) {
            fits = field_number(&field, 4, &limit);
        } else if (field.tag == FIELD_IS_RECURSIVE) {
            fits = field_number(&field, 2, &recursive);
        } else if (field.tag == FIELD_AFTER) {
            if (!relative_path_is_valid(&field)) return FILE_REQUEST_BAD_VALUE;
            memcpy(task->after, field.bytes, field.length);
            task->after[field.length] = '\0';
        }
        if (!fits) return FILE_REQUEST_BAD_LAYOUT;
    }
    task->mode = (uint32_t)mode;
    task->depth = (uint32_t)depth;
    task->limit = (uint32_t)limit;
    task->is_recursive = recursive != 0;
    if (depth > LIST_DEPTH_MAX || limit == 0 || limit > LIST_ENTRIES_MAX) return FILE_REQUEST_BAD_VALUE;
    bool is_good = task->path[0] != '\0' && mode <= 0777 && task->offset <= INT64_MAX;
    return is_good ? FILE_REQUEST_READY : FILE_REQUEST_BAD_VALUE;
}

#include "file_request.h"

#include <string.h>

#include "exec_request.h"
#include "fields.h"

enum file_request_result file_request_parse(struct file_task *task, const uint8_t *payload, size_t length) {
    if (!fields_valid(payload, length)) return FILE_REQUEST_BAD_LAYOUT;
    uint64_t mode = 0;
    task->path[0] = '\0';
    task->offset = 0;
    task->left_bytes = UINT64_MAX;
    task->has_mode = false;
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
        }
        if (!fits) return FILE_REQUEST_BAD_LAYOUT;
    }
    task->mode = (uint32_t)mode;
    bool is_good = task->path[0] != '\0' && mode <= 0777 && task->offset <= INT64_MAX;
    return is_good ? FILE_REQUEST_READY : FILE_REQUEST_BAD_VALUE;
}

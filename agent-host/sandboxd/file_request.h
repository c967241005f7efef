/* The payloads of `fileRead` and `fileWrite`. */
#ifndef SANDGATE_FILE_REQUEST_H
#define SANDGATE_FILE_REQUEST_H

#include "file_task.h"
#include "frames.h"

enum file_request_result { FILE_REQUEST_READY, FILE_REQUEST_BAD_VALUE, FILE_REQUEST_BAD_LAYOUT };

/* Fills path, offset, left_bytes and mode of the task. */
enum file_request_result file_request_parse(struct file_task *task, const uint8_t *payload, size_t length);

#endif

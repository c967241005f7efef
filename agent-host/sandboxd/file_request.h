/* The payloads of `fileRead`, `fileWrite`, `fileList` and `fileDelete`. */
#ifndef SANDGATE_FILE_REQUEST_H
#define SANDGATE_FILE_REQUEST_H

#include "file_task.h"
#include "frames.h"

enum file_request_result { FILE_REQUEST_READY, FILE_REQUEST_BAD_VALUE, FILE_REQUEST_BAD_LAYOUT };

/* Fills what the request says into the task, and defaults where it says nothing. */
enum file_request_result file_request_parse(struct file_task *task, const uint8_t *payload, size_t length);

#endif

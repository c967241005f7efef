/*
 * Everything that reads bytes off the wire or off /proc, fed with anything. The sanitizers are the judge; the
 * checks here are what must hold of every accepted input.
 */
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "exec_request.h"
#include "file_request.h"
#include "frames.h"
#include "protocol.h"
#include "tree.h"

static void require(int claim) {
    if (!claim) abort();
}

static void parse_payload(const uint8_t *payload, size_t length) {
    static struct file_task task;
    char *base[] = {"PATH=/bin", "A=1"};
    struct exec_request request;
    if (exec_request_parse(&request, payload, length, base, 2) == EXEC_REQUEST_READY) {
        require(request.argv[0] != NULL && request.cwd[0] == '/');
        require((request.flags & EXEC_FLAG_PTY) == 0 || (request.cols > 0 && request.rows > 0));
        for (char **entry = request.envp; *entry != NULL; entry++) require(strchr(*entry, '=') > *entry);
        exec_request_free(&request);
    }
    uint16_t cols, rows;
    if (terminal_size_parse(payload, length, &cols, &rows)) require(cols > 0 && rows > 0);
    struct configuration configuration;
    if (configuration_parse(&configuration, payload, length) == CONFIGURATION_READY) {
        require(strlen(configuration.sandbox_id) > 0);
        free(configuration.env);
    }
    if (file_request_parse(&task, payload, length) == FILE_REQUEST_READY) {
        require(task.depth <= LIST_DEPTH_MAX && strlen(task.after) <= LIST_PATH_BYTES);
        require(task.path[0] == '/' && strstr(task.path, "/../") == NULL && task.mode <= 07777);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct proc_stat stat;
    proc_stat_parse((const char *)bytes, length, &stat);
    parse_payload(bytes, length);
    size_t at = 0;
    struct frame frame;
    size_t needed;
    while (frame_decode(bytes + at, length - at, &frame, &needed) == FRAME_READY) {
        require(needed <= length - at && frame.payload + frame.length == bytes + at + needed);
        parse_payload(frame.payload, frame.length);
        at += needed;
    }
    return 0;
}

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
#include "kept.h"
#include "port_request.h"
#include "protocol.h"
#include "shell_line.h"
#include "tree.h"
#include "watch_tree.h"

static void require(int claim) {
    if (!claim) abort();
}

static void parse_payload(const uint8_t *payload, size_t length) {
    static struct file_task task;
    char *base[] = {"PATH=/bin", "A=1"};
    struct exec_request request;
    if (exec_request_parse(&request, payload, length, base, 2) == EXEC_REQUEST_READY) {
        require(request.argv[0] != NULL && request.cwd[0] == '/');
        require(request.tag.length <= TAG_MAX_BYTES && request.metadata.length <= METADATA_MAX_BYTES);
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
    struct port_request port;
    if (port_request_parse(&port, payload, length) == PORT_REQUEST_READY)
        require(port.port > 0 && port.timeout_ms > 0 && port.timeout_ms <= PORT_TIMEOUT_MAX_MS);
    if (file_request_parse(&task, payload, length) == FILE_REQUEST_READY) {
        require(task.depth <= LIST_DEPTH_MAX && strlen(task.after) <= LIST_PATH_BYTES);
        require(task.path[0] == '/' && strstr(task.path, "/../") == NULL && task.mode <= 07777);
    }
}

/* A line must stay one line and hold no way out of its quotes, whatever the command is. */
static void parse_shell(const uint8_t *bytes, size_t length) {
    static const char nonce[] = "0123456789abcdef0123456789abcdef";
    const uint8_t *command;
    size_t command_length;
    int status;
    if (shell_answer_read(bytes, length, nonce, &status)) require(status >= 0 && status <= 255);
    if (shell_request_read(bytes, length, &command, &command_length) != SHELL_REQUEST_READY) return;
    require(command + command_length <= bytes + length);
    struct buffer line = {0};
    shell_line_put(&line, command, command_length, nonce, 0);
    size_t quotes = 0;
    for (size_t i = 0; i < buffer_length(&line); i++) quotes += line.bytes[i] == '\'';
    require(quotes == 4 && memchr(line.bytes, '\n', buffer_length(&line)) == line.bytes + buffer_length(&line) - 1);
    buffer_free(&line);
}

/* Any order of arrivals, moves and departures: a path is bounded, and no folder is ever below itself. */
static void change_tree(const uint8_t *bytes, size_t length) {
    static struct watch_tree tree;
    static char path[WATCH_PATH_BYTES];
    char name[] = "n0";
    watch_tree_put(&tree, 1, WATCH_NO_FOLDER, "");
    for (size_t i = 0; i + 2 < length && i < 600; i += 3) {
        int row = bytes[i] % 16, parent = bytes[i + 1] % 16;
        name[1] = (char)('0' + bytes[i + 2] % 8);
        if (bytes[i] & 0x80) watch_tree_forget(&tree, 1 + row);
        else watch_tree_put(&tree, 2 + row, parent, name);
        int child = watch_tree_child(&tree, parent, name);
        require(child < tree.used && tree.used <= 18);
        if (watch_tree_path(&tree, row, name, path)) require(strlen(path) < WATCH_PATH_BYTES && path[0] != '/');
    }
    watch_tree_clear(&tree);
}

/* Any output, ends and acknowledgements: the bounds hold, and a reader finds exactly what the ring says it has. */
static void keep_output(const uint8_t *bytes, size_t length) {
    static uint8_t piece[70000];
    for (size_t i = 0; i + 3 < length && i < 400; i += 4) {
        uint8_t name = bytes[i] % 8;
        struct field tag = {.bytes = &(uint8_t){(uint8_t)('a' + name)}, .length = 1}, none = {.length = 0};
        struct kept *kept = kept_find(&tag);
        if (kept == NULL) kept = kept_add(NULL, &tag, &none);
        if (kept == NULL) return;
        size_t size = (size_t)bytes[i + 2] * (bytes[i + 3] & 1 ? 270 : 1);
        if (kept->end_type == 0) kept_append(kept, bytes[i + 1] & 1, piece, size);
        if (bytes[i + 1] == 0xff) kept_end(kept, FRAME_EXIT, &(struct field_writer){.length = 0});
        if (bytes[i + 1] == 0x80) kept_forget(kept);
        require(output_ring_held(&kept->ring) <= kept->ring.capacity && kept->ring.capacity <= RING_MAX_BYTES);
        struct ring_reader reader = output_ring_reader(&kept->ring);
        size_t read = 0, more;
        while ((more = output_ring_read(&kept->ring, &reader, piece, sizeof piece)) > 0) read += more;
        require(read == output_ring_bytes(&kept->ring));
        if (bytes[i + 1] == 0x7f) kept_free(kept);
    }
    for (size_t row = 0; row < KEPT_ROWS_MAX; row++) kept_free(kept_at(row));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct proc_stat stat;
    proc_stat_parse((const char *)bytes, length, &stat);
    parse_payload(bytes, length);
    parse_shell(bytes, length);
    change_tree(bytes, length);
    keep_output(bytes, length);
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

/* Unit tests of what an exec is asked for with. */
#include "check.h"
#include "exec_request.h"
#include "protocol.h"

static void the_later_environment_wins_by_name(void) {
    char *base[] = {"PATH=/base", "A=1", "AB=2"};
    struct buffer payload = {0};
    add_text(&payload, FIELD_ARGV, "env");
    add_text(&payload, FIELD_ENV, "A=one");
    add_text(&payload, FIELD_ENV, "PATH=/own");
    add_text(&payload, FIELD_ENV, "A=two");
    struct exec_request request;
    CHECK(exec_request_parse(&request, payload.bytes, buffer_length(&payload), base, 3) == EXEC_REQUEST_READY);
    CHECK(strcmp(request.envp[0], "PATH=/own") == 0);
    CHECK(strcmp(request.envp[1], "A=two") == 0);
    CHECK(strcmp(request.envp[2], "AB=2") == 0);
    CHECK(request.envp[3] == NULL);
    CHECK(strcmp(request.search_path, "/own") == 0);
    CHECK(strcmp(request.cwd, "/") == 0 && request.grace_ms == GRACE_DEFAULT_MS);
    exec_request_free(&request);
    buffer_free(&payload);
}

static enum exec_request_result parse_exec_with(uint16_t tag, const void *bytes, size_t length) {
    struct buffer payload = {0};
    struct exec_request request = {0};
    add_text(&payload, FIELD_ARGV, "true");
    add(&payload, tag, bytes, length);
    enum exec_request_result result = exec_request_parse(&request, payload.bytes, buffer_length(&payload), NULL, 0);
    exec_request_free(&request);
    buffer_free(&payload);
    return result;
}

static void bad_exec_values_and_layouts_are_told_apart(void) {
    CHECK(parse_exec_with(FIELD_ARGV, "a\0b", 3) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_ENV, "=x", 2) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_ENV, "x", 1) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_CWD, "tmp", 3) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_FLAGS, "\xff\0\0\0", 4) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_TIMEOUT_MS, "abc", 3) == EXEC_REQUEST_BAD_LAYOUT);
    CHECK(parse_exec_with(999, "newer", 5) == EXEC_REQUEST_READY);
}

static void a_terminal_has_a_size(void) {
    struct buffer payload = {0};
    uint16_t cols, rows;
    add_text(&payload, FIELD_ARGV, "bash");
    add(&payload, FIELD_FLAGS, "\4\0\0\0", 4);
    struct exec_request request = {0};
    CHECK(exec_request_parse(&request, payload.bytes, buffer_length(&payload), NULL, 0) == EXEC_REQUEST_BAD_VALUE);
    add(&payload, FIELD_COLS, "\120\0", 2);
    CHECK(!terminal_size_parse(payload.bytes, buffer_length(&payload), &cols, &rows));
    add(&payload, FIELD_ROWS, "\30\0", 2);
    CHECK(exec_request_parse(&request, payload.bytes, buffer_length(&payload), NULL, 0) == EXEC_REQUEST_READY);
    CHECK(request.cols == 80 && request.rows == 24);
    exec_request_free(&request);
    add(&payload, FIELD_ROWS, "\0\0", 2);
    CHECK(!terminal_size_parse(payload.bytes, buffer_length(&payload), &cols, &rows));
    add(&payload, FIELD_COLS, "\1", 1);
    CHECK(!terminal_size_parse(payload.bytes, buffer_length(&payload), &cols, &rows));
    buffer_free(&payload);
}

static void a_tag_and_its_metadata_are_bounded(void) {
    static const char long_text[METADATA_MAX_BYTES + 1];
    CHECK(parse_exec_with(FIELD_TAG, "exe_1", 5) == EXEC_REQUEST_READY);
    CHECK(parse_exec_with(FIELD_TAG, "", 0) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_TAG, "a\0b", 3) == EXEC_REQUEST_BAD_VALUE);
    char tag[TAG_MAX_BYTES + 1];
    memset(tag, 'x', sizeof tag);
    CHECK(parse_exec_with(FIELD_TAG, tag, sizeof tag) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_METADATA, long_text, sizeof long_text) == EXEC_REQUEST_BAD_VALUE);
    CHECK(parse_exec_with(FIELD_METADATA, long_text, sizeof long_text - 1) == EXEC_REQUEST_READY);
}

void exec_request_tests(void) {
    a_tag_and_its_metadata_are_bounded();
    the_later_environment_wins_by_name();
    bad_exec_values_and_layouts_are_told_apart();
    a_terminal_has_a_size();
}

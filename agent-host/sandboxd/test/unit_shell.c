/* Unit tests of what a session's shell is told and answers. */
#include "check.h"
#include "shell_line.h"

static const char nonce[] = "0123456789abcdef0123456789abcdef";

static bool line_is(const char *command, int last_status, const char *expected) {
    struct buffer line = {0};
    shell_line_put(&line, (const uint8_t *)command, strlen(command), nonce, last_status);
    bool is_same = buffer_length(&line) == strlen(expected) && memcmp(line.bytes, expected, strlen(expected)) == 0;
    buffer_free(&line);
    return is_same;
}

#define ANSWER "{ builtin printf '%s %s\\0' 0123456789abcdef0123456789abcdef \"$?\" >&0; } 2>/dev/null\n"

static void a_command_is_one_line_whatever_is_in_it(void) {
    CHECK(line_is("echo a", 0, "builtin eval $'echo a' </dev/null; " ANSWER));
    CHECK(line_is("a'\n\\\xc3", 0, "builtin eval $'a\\047\\012\\134\\303' </dev/null; " ANSWER));
    CHECK(line_is("", 3, "(exit 3) || builtin eval $'' </dev/null; " ANSWER));
}

static bool answers(const char *text, int *status) {
    return shell_answer_read((const uint8_t *)text, strlen(text), nonce, status);
}

static void only_the_answer_to_this_very_command_is_one(void) {
    int status = -1;
    CHECK(answers("0123456789abcdef0123456789abcdef 0", &status) && status == 0);
    CHECK(answers("0123456789abcdef0123456789abcdef 255", &status) && status == 255);
    CHECK(!answers("0123456789abcdef0123456789abcdef 256", &status));
    CHECK(!answers("0123456789abcdef0123456789abcdef ", &status));
    CHECK(!answers("0123456789abcdef0123456789abcdef -1", &status));
    CHECK(!answers("0123456789abcdef0123456789abcdee 0", &status));
    CHECK(!answers("0123456789abcdef0123456789abcdef0 0", &status));
    CHECK(!answers("0", &status) && !answers("", &status));
}

static void a_request_is_whole_and_bounded_and_has_no_nul(void) {
    const uint8_t *command;
    size_t length;
    CHECK(shell_request_read((const uint8_t *)"\2\0\0\0hix", 7, &command, &length) == SHELL_REQUEST_READY);
    CHECK(length == 2 && memcmp(command, "hi", 2) == 0);
    CHECK(shell_request_read((const uint8_t *)"\2\0\0\0h", 5, &command, &length) == SHELL_REQUEST_INCOMPLETE);
    CHECK(shell_request_read((const uint8_t *)"\2\0", 2, &command, &length) == SHELL_REQUEST_INCOMPLETE);
    CHECK(shell_request_read((const uint8_t *)"\2\0\0\0h\0", 6, &command, &length) == SHELL_REQUEST_INVALID);
    CHECK(shell_request_read((const uint8_t *)"\1\0\2\0", 4, &command, &length) == SHELL_REQUEST_INVALID);
    CHECK(shell_request_read((const uint8_t *)"\377\377\377\377", 4, &command, &length) == SHELL_REQUEST_INVALID);
}

void shell_line_tests(void) {
    a_command_is_one_line_whatever_is_in_it();
    only_the_answer_to_this_very_command_is_one();
    a_request_is_whole_and_bounded_and_has_no_nul();
}

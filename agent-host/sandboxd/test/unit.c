/* Unit tests of what needs neither processes nor privileges. Each prints nothing and stops at the first failure. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "configuration.h"
#include "exec_request.h"
#include "file_request.h"
#include "frames.h"
#include "protocol.h"
#include "check.h"
#include "raw.h"
#include "sha256.h"
#include "tree_scan.h"

static void hmac_matches_openssl(void) {
    // 32 bytes of 0x0b over "Hi There", computed with OpenSSL.
    static const uint8_t expected[SHA256_BYTES] = {0x19, 0x8a, 0x60, 0x7e, 0xb4, 0x4b, 0xfb, 0xc6, 0x99, 0x03, 0xa0, 0xf1, 0xcf, 0x2b, 0xbd, 0xc5, 0xba, 0x0a, 0xa3, 0xf3, 0xd9, 0xae, 0x3c, 0x1c, 0x7a, 0x3b, 0x16, 0x96, 0xa0, 0xb6, 0x8c, 0xf7};
    uint8_t key[SHA256_BYTES], digest[SHA256_BYTES];
    memset(key, 0x0b, sizeof key);
    struct hmac_sha256 mac;
    hmac_sha256_init(&mac, key);
    hmac_sha256_update(&mac, "Hi ", 3);
    hmac_sha256_update(&mac, "There", 5);
    hmac_sha256_final(&mac, digest);
    CHECK(memcmp(digest, expected, sizeof digest) == 0);
}

static void sha256_matches_fips_vectors(void) {
    static const uint8_t abc[SHA256_BYTES] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                              0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                              0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t digest[SHA256_BYTES];
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, "abc", 3);
    sha256_final(&hash, digest);
    CHECK(memcmp(digest, abc, sizeof digest) == 0);
}

static void headers_with_reserved_bits_or_foreign_types_are_invalid(void) {
    uint8_t header[FRAME_HEADER_BYTES];
    struct frame frame;
    size_t needed;
    frame_header(header, FRAME_PING, 0, 0);
    CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_READY);
    CHECK(frame_decode(header, sizeof header - 1, &frame, &needed) == FRAME_INCOMPLETE);
    for (int i = 5; i < 8; i++) {
        header[i] = 1;
        CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_INVALID);
        header[i] = 0;
    }
    frame_header(header, FRAME_PING, 7, 0);
    CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_INVALID);
    frame_header(header, FRAME_STDOUT, 7, 0);
    CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_INVALID);
    frame_header(header, FRAME_EXEC, 0, 0);
    CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_INVALID);
    frame_header(header, FRAME_EXEC, 1, FRAME_PAYLOAD_MAX_BYTES + 1);
    CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_INVALID);
    frame_header(header, FRAME_EXEC, 1, FRAME_PAYLOAD_MAX_BYTES);
    CHECK(frame_decode(header, sizeof header, &frame, &needed) == FRAME_INCOMPLETE);
    CHECK(needed == FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX_BYTES);
}

static void a_field_never_reaches_beyond_its_payload(void) {
    uint8_t payload[] = {1, 0, 3, 0, 0, 0, 'a', 'b'};
    CHECK(!fields_valid(payload, sizeof payload));
    CHECK(!fields_valid(payload, 5));
    payload[2] = 2;
    CHECK(fields_valid(payload, sizeof payload));
    CHECK(fields_valid(payload, 0));
    memset(payload + 2, 0xff, 4);
    CHECK(!fields_valid(payload, sizeof payload));
}

static enum file_request_result parse_path(const char *path) {
    static struct file_task task;
    struct buffer payload = {0};
    add_text(&payload, FIELD_PATH, path);
    enum file_request_result result = file_request_parse(&task, payload.bytes, buffer_length(&payload));
    buffer_free(&payload);
    return result;
}

static void paths_must_be_absolute_and_never_climb(void) {
    CHECK(parse_path("/a/b..c/..d/e..") == FILE_REQUEST_READY);
    CHECK(parse_path("a") == FILE_REQUEST_BAD_VALUE);
    CHECK(parse_path("") == FILE_REQUEST_BAD_VALUE);
    CHECK(parse_path("/a/../b") == FILE_REQUEST_BAD_VALUE);
    CHECK(parse_path("/..") == FILE_REQUEST_BAD_VALUE);
    CHECK(parse_path("/a/..") == FILE_REQUEST_BAD_VALUE);
    char path[PATH_MAX_BYTES + 2];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[PATH_MAX_BYTES + 1] = '\0';
    CHECK(parse_path(path) == FILE_REQUEST_BAD_VALUE);
    path[PATH_MAX_BYTES] = '\0';
    CHECK(parse_path(path) == FILE_REQUEST_READY);
}

static void a_configuration_is_taken_whole_or_not_at_all(void) {
    struct configuration configuration = {.generation = 77};
    struct buffer payload = {0};
    add_text(&payload, FIELD_SANDBOX_ID, "a0b1");
    add(&payload, FIELD_GENERATION, "\2\0\0\0", 4);
    add_text(&payload, FIELD_ENV, "A=1");
    CHECK(configuration_parse(&configuration, payload.bytes, buffer_length(&payload)) == CONFIGURATION_BAD_VALUE);
    CHECK(configuration.generation == 77);
    uint8_t key[SHA256_BYTES] = {0};
    add(&payload, FIELD_KEY, key, sizeof key);
    CHECK(configuration_parse(&configuration, payload.bytes, buffer_length(&payload)) == CONFIGURATION_READY);
    CHECK(configuration.generation == 2 && strcmp(configuration.sandbox_id, "a0b1") == 0);
    CHECK(configuration.env_count == 1 && strcmp(configuration.env[0], "A=1") == 0);
    free(configuration.env);
    buffer_free(&payload);
}

static void a_command_cannot_forge_its_line_in_proc(void) {
    static const char line[] = "17 (a) Z 1 (x) S 42 17 17 0 -1 4194368 0 0";
    struct proc_stat stat;
    CHECK(proc_stat_parse(line, sizeof line - 1, &stat));
    CHECK(stat.state == 'S' && stat.parent_pid == 42);
    CHECK((stat.flags & PROC_FLAG_NEVER_EXECUTED) != 0);
    CHECK(!proc_stat_parse("17 (a", 5, &stat));
    CHECK(!proc_stat_parse("17 (a) S", 8, &stat));
}

static void count_met(void *context, int pid) {
    (void)pid;
    ++*(int *)context;
}

static void a_tree_is_found_whatever_the_order(void) {
    static struct process_table table = {
        .rows = {{9, 8, false}, {8, 7, false}, {5, 1, false}, {7, 2, false}, {6, 5, false}}, .count = 5};
    int met = 0;
    process_table_mark(&table, 2, count_met, &met);
    CHECK(met == 3);
    CHECK(table.rows[0].in_tree && table.rows[1].in_tree && table.rows[3].in_tree);
    CHECK(!table.rows[2].in_tree && !table.rows[4].in_tree);
}

static void a_queue_keeps_its_bytes_and_gives_memory_back(void) {
    struct buffer queue = {0};
    for (int i = 0; i < 5000; i++) buffer_append(&queue, "0123456789", 10);
    buffer_consume(&queue, 12345, 4096);
    CHECK(buffer_length(&queue) == 50000 - 12345 && *buffer_front(&queue) == '5');
    buffer_append(&queue, "x", 1);
    buffer_consume(&queue, buffer_length(&queue), 4096);
    CHECK(queue.capacity == 0 && queue.bytes == NULL);
}

static void our_own_line_in_proc_is_read(void) {
    struct proc_stat stat;
    CHECK(proc_stat_read(getpid(), &stat));
    CHECK(stat.parent_pid == getppid() && stat.state == 'R');
}

static int answer(void *number) {
    return *(int *)number + 1;
}

static void a_clone_runs_its_entry_on_the_new_stack_and_exits_with_its_result(void) {
    static _Alignas(16) uint8_t stack[32 * 1024];
    int number = 41, parent_tid = 0, status = 0;
    // Not CLONE_VM: the sanitizers follow an ordinary fork only.
    long pid = raw_clone(CLONE_PARENT_SETTID | SIGCHLD, stack + sizeof stack, &parent_tid, answer, &number);
    CHECK(pid > 0 && parent_tid == pid);
    CHECK(waitpid((pid_t)pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK(raw_clone(CLONE_THREAD, stack + sizeof stack, NULL, answer, &number) < 0);
}

int main(void) {
    sha256_matches_fips_vectors();
    hmac_matches_openssl();
    headers_with_reserved_bits_or_foreign_types_are_invalid();
    a_field_never_reaches_beyond_its_payload();
    exec_request_tests();
    shell_line_tests();
    watch_tree_tests();
    port_request_tests();
    kept_tests();
    paths_must_be_absolute_and_never_climb();
    a_configuration_is_taken_whole_or_not_at_all();
    a_command_cannot_forge_its_line_in_proc();
    a_tree_is_found_whatever_the_order();
    a_queue_keeps_its_bytes_and_gives_memory_back();
    our_own_line_in_proc_is_read();
    a_clone_runs_its_entry_on_the_new_stack_and_exits_with_its_result();
    puts("unit tests passed");
}

#include "exec_recall.h"

#include <string.h>
#include <sys/ioctl.h>

#include "exec_state.h"
#include "link.h"

#define SEND_BYTES (64 * 1024)

static enum kept_state state_of(const struct kept *kept) {
    if (kept->end_type == 0) return KEPT_STATE_RUNNING;
    return kept->is_forgotten || !kept->has_output ? KEPT_STATE_FORGOTTEN : KEPT_STATE_ENDED;
}

static void append_terminal_size(struct buffer *payload, const struct exec *exec) {
    struct winsize size;
    int master = exec->outputs[0].source.fd;
    if (!exec->job.spec.has_terminal || master < 0 || ioctl(master, TIOCGWINSZ, &size) != 0) return;
    append_number(payload, FIELD_COLS, size.ws_col, 2);
    append_number(payload, FIELD_ROWS, size.ws_row, 2);
}

static void on_list(const struct frame *frame) {
    for (size_t row = 0; row < KEPT_ROWS_MAX; row++) {
        const struct kept *kept = kept_at(row);
        // What has not begun yet was answered to nobody.
        if (kept == NULL || kept->is_evicted || !kept->exec->is_announced) continue;
        struct buffer payload = {0};
        append_field(&payload, FIELD_TAG, kept->tag, strlen(kept->tag));
        append_field(&payload, FIELD_METADATA, kept->metadata, kept->metadata_bytes);
        append_number(&payload, FIELD_PID, (uint32_t)kept->exec->job.child_pid, 4);
        append_number(&payload, FIELD_KEPT_STATE, state_of(kept), 2);
        append_terminal_size(&payload, kept->exec);
        // Fields too: how it ended.
        buffer_append(&payload, kept->end, kept->end_bytes);
        link_send(FRAME_KEPT, frame->stream, payload.bytes, buffer_length(&payload));
        buffer_free(&payload);
    }
    struct field_writer end = {.length = 0};
    put_number(&end, FIELD_HAS_MORE, 0, 2);
    link_send_fields(FRAME_LIST_END, frame->stream, &end);
}

/* What of it there is, and what the host may send it. */
static void send_recalled(const struct exec *exec) {
    const struct output_ring *ring = &exec->kept->ring;
    struct field_writer fields = {.length = 0};
    put_number(&fields, FIELD_STDOUT_OFFSET, ring->dropped[OUTPUT_STDOUT], 8);
    put_number(&fields, FIELD_STDERR_OFFSET, ring->dropped[OUTPUT_STDERR], 8);
    put_bytes(&fields, FIELD_STDOUT_TAIL, ring->tails[OUTPUT_STDOUT], ring->tail_bytes[OUTPUT_STDOUT]);
    put_bytes(&fields, FIELD_STDERR_TAIL, ring->tails[OUTPUT_STDERR], ring->tail_bytes[OUTPUT_STDERR]);
    put_number(&fields, FIELD_KEPT_BYTES, output_ring_bytes(ring), 8);
    if (!exec->is_reported && !exec->input.ended) put_number(&fields, FIELD_INPUT_CREDIT, exec->input.window, 4);
    link_send_fields(FRAME_RECALLED, exec->stream, &fields);
}

static struct kept *find_named(const struct frame *frame) {
    struct field tag = {.bytes = NULL};
    struct field_reader reader = fields_of(frame->payload, frame->length);
    struct field field;
    enum field_result result;
    while ((result = field_next(&reader, &field)) == FIELD_READY)
        if (field.tag == FIELD_TAG) tag = field;
    if (result != FIELD_DONE || tag.bytes == NULL) link_fail("a recall without its tag");
    return result == FIELD_DONE && tag.bytes != NULL ? kept_find(&tag) : NULL;
}

static void on_recall(const struct frame *frame) {
    struct kept *kept = find_named(frame);
    if (exec_stream_is_taken(frame->stream)) {
        link_fail("stream id in use");
    } else if (kept == NULL || !kept->exec->is_announced || state_of(kept) == KEPT_STATE_FORGOTTEN) {
        link_send_error(frame->stream, ERROR_NOT_FOUND, "nothing is kept under this tag");
    } else if (kept->exec->stream != 0) {
        link_send_error(frame->stream, ERROR_BAD_REQUEST, "it is on a stream already");
    } else {
        struct exec *exec = kept->exec;
        exec->stream = frame->stream;
        exec->credit = STREAM_WINDOW_BYTES;
        exec_reset_stdin_window(exec);
        kept->is_sending = true;
        kept->reader = output_ring_reader(&kept->ring);
        send_recalled(exec);
    }
}

void recall_on_frame(const struct frame *frame) {
    if (frame->type == FRAME_RECALL) {
        on_recall(frame);
    } else if (frame->type == FRAME_FORGET) {
        struct kept *kept = find_named(frame);
        if (kept != NULL) kept_forget(kept);
    } else if (exec_stream_is_taken(frame->stream)) {
        link_fail("stream id in use");
    } else {
        on_list(frame);
    }
}

bool exec_is_sending_kept(const struct exec *exec) {
    return exec->kept != NULL && exec->kept->is_sending;
}

void exec_send_kept(struct exec *exec) {
    if (!exec_is_sending_kept(exec)) return;
    struct kept *kept = exec->kept;
    while (!ring_reader_is_done(&kept->ring, &kept->reader) && exec->credit > 0 && link_has_room()) {
        size_t want = exec->credit < SEND_BYTES ? exec->credit : SEND_BYTES;
        struct buffer *queue = link_queue();
        uint8_t *to = buffer_reserve(queue, FRAME_HEADER_BYTES + want);
        size_t length = output_ring_read(&kept->ring, &kept->reader, to + FRAME_HEADER_BYTES, want);
        uint8_t type = kept->reader.kind == OUTPUT_STDERR ? FRAME_STDERR : FRAME_STDOUT;
        frame_header(to, type, exec->stream, (uint32_t)length);
        buffer_commit(queue, FRAME_HEADER_BYTES + length);
        exec->credit -= (uint32_t)length;
    }
    if (!ring_reader_is_done(&kept->ring, &kept->reader)) return;
    kept->is_sending = false;
    if (!exec->is_reported) return;
    link_send(kept->end_type, exec->stream, kept->end, kept->end_bytes);
    exec->stream = 0;
}

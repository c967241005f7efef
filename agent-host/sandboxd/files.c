#include "files.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exec.h"
#include "file_request.h"
#include "file_worker.h"
#include "link.h"
#include "loop.h"
#include "ports.h"
#include "protocol.h"
#include "session.h"

#define CHUNK_BYTES (64 * 1024)
#define CREDIT_STEP_BYTES (STREAM_WINDOW_BYTES / 4)

struct file_stream {
    struct file_task task; // first: a finished task leads back here
    uint32_t stream;       // 0: given up, only cleaning is left
    bool is_write, has_begun, is_busy, is_abandoned;
    bool has_ended; // read: at the end of the file; write: the host has sent everything
    uint32_t credit; // read: what we may send; write: what the host may send
    uint32_t uncredited, in_flight;
    struct buffer queue; // write: what the worker has not been given yet
};

static struct file_stream *rows[FILE_STREAMS_MAX];
static void on_finished(struct source *source, uint32_t events);
static struct source worker_source = {.fd = -1, .ready = on_finished};

void files_init(uint32_t uid, uint32_t gid) {
    file_worker_start(uid, gid);
    worker_source.fd = file_worker_fd();
    source_watch(&worker_source, EPOLLIN);
}

static struct file_stream *find(uint32_t stream) {
    for (int i = 0; i < FILE_STREAMS_MAX; i++)
        if (rows[i] != NULL && rows[i]->stream == stream) return rows[i];
    return NULL;
}

bool files_own_stream(uint32_t stream) {
    return find(stream) != NULL;
}

static void submit(struct file_stream *file, enum file_step step) {
    file->task.step = step;
    file->is_busy = true;
    file->is_abandoned = step == FILE_ABANDON;
    file_worker_submit(&file->task);
}

static enum file_step first_step_of(uint8_t frame_type) {
    switch (frame_type) {
    case FRAME_FILE_READ: return FILE_READ_OPEN;
    case FRAME_FILE_WRITE: return FILE_WRITE_OPEN;
    case FRAME_FILE_LIST: return FILE_LIST;
    default: return FILE_DELETE;
    }
}

static bool opens_stream(uint8_t type) {
    return type == FRAME_FILE_READ || type == FRAME_FILE_WRITE || type == FRAME_FILE_LIST || type == FRAME_FILE_DELETE;
}

static void open_stream(const struct frame *frame) {
    if (exec_owns_stream(frame->stream) || files_own_stream(frame->stream) || ports_own_stream(frame->stream)) {
        link_fail("stream id in use");
        return;
    }
    struct file_stream **row = NULL;
    for (int i = 0; i < FILE_STREAMS_MAX; i++)
        if (rows[i] == NULL) row = &rows[i];
    struct file_stream *file = calloc(1, sizeof *file);
    if (file == NULL) abort();
    file->task.fd = file->task.directory_fd = -1;
    enum file_request_result parsed = file_request_parse(&file->task, frame->payload, frame->length);
    if (parsed == FILE_REQUEST_BAD_LAYOUT) link_fail("bad file request");
    else if (!session_is_configured()) link_send_error(frame->stream, ERROR_NOT_CONFIGURED, "not configured");
    else if (parsed == FILE_REQUEST_BAD_VALUE) link_send_error(frame->stream, ERROR_BAD_REQUEST, "path, range, mode or page");
    else if (row == NULL) link_send_error(frame->stream, ERROR_TOO_MANY, "too many file streams at once");
    if (parsed != FILE_REQUEST_READY || !session_is_configured() || row == NULL) {
        free(file);
        return;
    }
    file->stream = frame->stream;
    file->is_write = frame->type == FRAME_FILE_WRITE;
    file->credit = STREAM_WINDOW_BYTES;
    file->task.step = first_step_of(frame->type);
    // It begins at the end of this round: by then all of a short file that is to be written may be here.
    *row = file;
}

static void on_data(struct file_stream *file, const struct frame *frame) {
    if (!file->is_write || file->has_ended || frame->length > file->credit) {
        link_fail("data where none may come");
        return;
    }
    file->credit -= frame->length;
    buffer_append(&file->queue, frame->payload, frame->length);
}

void files_on_frame(const struct frame *frame) {
    if (opens_stream(frame->type)) {
        open_stream(frame);
        return;
    }
    struct file_stream *file = find(frame->stream);
    if (file == NULL) return; // it has just ended here, and the host does not know yet
    if (frame->type == FRAME_DATA) on_data(file, frame);
    else if (frame->type == FRAME_CANCEL) file->stream = 0;
    else if (!file->is_write || file->has_ended) link_fail("end where none may come");
    else file->has_ended = true;
}

void files_on_credit(const struct frame *frame) {
    struct file_stream *file = find(frame->stream);
    if (file == NULL) return;
    uint64_t credit = file->credit + get_le(frame->payload, 4);
    if (file->is_write || credit > STREAM_WINDOW_BYTES) link_fail("credit beyond the window");
    else file->credit = (uint32_t)credit;
}

void files_on_link_lost(void) {
    for (int i = 0; i < FILE_STREAMS_MAX; i++)
        if (rows[i] != NULL) rows[i]->stream = 0;
}

static void send_stat(const struct file_stream *file) {
    const struct file_stat *stat = &file->task.stat;
    struct field_writer fields = {.length = 0};
    put_number(&fields, FIELD_SIZE, stat->size, 8);
    put_number(&fields, FIELD_MODE, stat->mode, 4);
    put_number(&fields, FIELD_UID, stat->uid, 4);
    put_number(&fields, FIELD_GID, stat->gid, 4);
    put_number(&fields, FIELD_MTIME_MS, stat->mtime_ms, 8);
    uint8_t revision[24];
    put_le(revision, stat->size, 8);
    put_le(revision + 8, stat->ctime_ns, 8);
    put_le(revision + 16, stat->inode, 8);
    put_bytes(&fields, FIELD_REVISION, revision, sizeof revision);
    link_send_fields(FRAME_FILE_STAT, file->stream, &fields);
}

/* A page is bounded to less than a window, so it goes out without credit. */
static void send_page(struct file_stream *file) {
    struct buffer *page = &file->task.bytes;
    while (buffer_length(page) > 0) {
        size_t length = get_le(buffer_front(page), 4);
        link_send(FRAME_FILE_ENTRY, file->stream, buffer_front(page) + 4, length);
        buffer_consume(page, 4 + length, 0);
    }
    struct field_writer fields = {.length = 0};
    put_number(&fields, FIELD_HAS_MORE, file->task.has_more, 2);
    link_send_fields(FRAME_LIST_END, file->stream, &fields);
    file->stream = 0;
}

static void send_end(struct file_stream *file) {
    link_send(FRAME_END, file->stream, NULL, 0);
    file->stream = 0;
}

static void send_chunk(struct file_stream *file) {
    size_t length = buffer_length(&file->task.bytes);
    if (length > 0) {
        link_send(FRAME_DATA, file->stream, buffer_front(&file->task.bytes), length);
        file->credit -= (uint32_t)length;
        buffer_consume(&file->task.bytes, length, CHUNK_BYTES);
    }
    if (file->task.is_done) send_end(file);
}

static void return_credit(struct file_stream *file) {
    file->uncredited += file->in_flight;
    file->in_flight = 0;
    if (file->uncredited < CREDIT_STEP_BYTES) return;
    link_send_credit(file->stream, file->uncredited);
    file->credit += file->uncredited;
    file->uncredited = 0;
}

static void on_written(struct file_stream *file) {
    if (!file->task.is_done) {
        return_credit(file);
        return;
    }
    send_stat(file);
    file->stream = 0;
}

/* Tells the host what the finished step brought. */
static void report(struct file_stream *file) {
    if (file->task.error != 0) {
        link_send_error(file->stream, file->task.error, file->task.message);
        file->stream = 0;
        return;
    }
    switch (file->task.step) {
    case FILE_READ_OPEN:
        send_stat(file);
        send_chunk(file);
        break;
    case FILE_READ_CHUNK: send_chunk(file); break;
    case FILE_WRITE_OPEN:
    case FILE_WRITE_CHUNK: on_written(file); break;
    case FILE_LIST: send_page(file); break;
    case FILE_DELETE:
        if (file->task.is_done) send_end(file);
        break;
    default: break;
    }
}

/* Whether nothing is left for the worker to clean. */
static bool holds_nothing(const struct file_task *task) {
    return task->fd < 0 && task->directory_fd < 0 && task->deletion == NULL;
}

static void on_step(struct file_stream *file) {
    file->is_busy = false;
    if (file->stream != 0) report(file);
    // The row is free at the end of this round, for a request that comes with the next event.
    if (file->stream == 0 && holds_nothing(&file->task)) file->is_abandoned = true;
}

static void on_finished(struct source *source, uint32_t events) {
    (void)events;
    uint64_t count;
    if (read(source->fd, &count, sizeof count) < 0) return;
    struct file_task *task;
    while ((task = file_worker_finished()) != NULL) on_step((struct file_stream *)task);
}

/* Gives the worker all that has come of a file that is written. */
static void submit_write(struct file_stream *file, enum file_step step) {
    file->in_flight = (uint32_t)buffer_length(&file->queue);
    file->task.bytes = file->queue;
    file->task.is_last = file->has_ended;
    file->queue = (struct buffer){0};
    submit(file, step);
}

static void begin(struct file_stream *file) {
    file->has_begun = true;
    file->task.want_bytes = link_has_room() ? CHUNK_BYTES : 0;
    if (file->is_write) submit_write(file, file->task.step);
    else submit(file, file->task.step);
}

static void next_step(struct file_stream *file) {
    if (file->stream == 0) {
        submit(file, FILE_ABANDON);
    } else if (!file->has_begun) {
        begin(file);
    } else if (file->task.step == FILE_DELETE) {
        submit(file, FILE_DELETE);
    } else if (!file->is_write) {
        file->task.want_bytes = file->credit < CHUNK_BYTES ? file->credit : CHUNK_BYTES;
        if (file->credit > 0 && link_has_room()) submit(file, FILE_READ_CHUNK);
    } else if (buffer_length(&file->queue) > 0 || file->has_ended) {
        submit_write(file, FILE_WRITE_CHUNK);
    }
}

void files_round(void) {
    for (int i = 0; i < FILE_STREAMS_MAX; i++) {
        struct file_stream *file = rows[i];
        if (file == NULL || file->is_busy || !file->is_abandoned) continue;
        buffer_free(&file->queue);
        buffer_free(&file->task.bytes);
        free(file);
        rows[i] = NULL;
    }
}

void files_resume(void) {
    for (int i = 0; i < FILE_STREAMS_MAX; i++)
        if (rows[i] != NULL && !rows[i]->is_busy && !rows[i]->is_abandoned) next_step(rows[i]);
}

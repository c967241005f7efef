/* The pipes of an exec: output under the host's credit, stdin queued up to its window. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "drain.h"
#include "exec_state.h"
#include "link.h"
#include "protocol.h"

#define READ_BYTES (64 * 1024)
#define CREDIT_STEP_BYTES (STREAM_WINDOW_BYTES / 4)

/* The host has gone: output is kept where that was asked for, or read and dropped. */
static bool is_detached(const struct exec *exec) {
    return exec->stream == 0;
}

static enum output_kind kind_of(const struct output *output) {
    return output->frame_type == FRAME_STDERR ? OUTPUT_STDERR : OUTPUT_STDOUT;
}

static void read_detached(struct output *output) {
    if (output->exec->kept == NULL) {
        drain_read(&output->source);
        return;
    }
    static uint8_t scratch[READ_BYTES];
    ssize_t length = read(output->source.fd, scratch, sizeof scratch);
    if (length > 0) kept_append(output->exec->kept, kind_of(output), scratch, (size_t)length);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR)) source_close(&output->source);
}

static void on_output(struct source *source, uint32_t events) {
    struct output *output = (struct output *)source;
    struct exec *exec = output->exec;
    (void)events;
    if (is_detached(exec)) {
        read_detached(output);
        return;
    }
    size_t want = exec->credit < READ_BYTES ? exec->credit : READ_BYTES;
    if (want == 0 || !link_has_room()) return;
    struct buffer *queue = link_queue();
    uint8_t *to = buffer_reserve(queue, FRAME_HEADER_BYTES + want);
    ssize_t length = read(source->fd, to + FRAME_HEADER_BYTES, want);
    if (length > 0) {
        frame_header(to, output->frame_type, exec->stream, (uint32_t)length);
        buffer_commit(queue, FRAME_HEADER_BYTES + (size_t)length);
        exec->credit -= (uint32_t)length;
        if (exec->kept != NULL) kept_append(exec->kept, kind_of(output), to + FRAME_HEADER_BYTES, (size_t)length);
    } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        source_close(source);
    }
}

static void take_from_queue(struct input *input, size_t length) {
    buffer_consume(&input->queue, length, 0);
    input->uncredited += (uint32_t)length;
    if (input->uncredited < CREDIT_STEP_BYTES || is_detached(input->exec)) return;
    link_send_credit(input->exec->stream, input->uncredited);
    input->window += input->uncredited;
    input->uncredited = 0;
}

static void write_stdin(struct input *input) {
    while (buffer_length(&input->queue) > 0) {
        size_t held = buffer_length(&input->queue);
        ssize_t length = input->source.fd < 0 ? -1 : write(input->source.fd, buffer_front(&input->queue), held);
        if (length < 0 && input->source.fd >= 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (length < 0) {
            // Nobody reads it any more: the rest is taken as read, so that the host is not left waiting.
            source_close(&input->source);
            length = (ssize_t)held;
        }
        take_from_queue(input, (size_t)length);
    }
    if (buffer_length(&input->queue) == 0 && input->ended) source_close(&input->source);
}

static void on_input(struct source *source, uint32_t events) {
    struct input *input = (struct input *)source;
    // EPOLLERR: the last reader closed its end.
    if (events & EPOLLERR) source_close(source);
    write_stdin(input);
}

void exec_on_stdin(struct exec *exec, const struct frame *frame) {
    struct input *input = &exec->input;
    if (input->ended || frame->length > input->window) {
        link_fail("stdin after its end or beyond its window");
        return;
    }
    input->window -= frame->length;
    buffer_append(&input->queue, frame->payload, frame->length);
    write_stdin(input);
}

void exec_reset_stdin_window(struct exec *exec) {
    exec->input.window = STREAM_WINDOW_BYTES - (uint32_t)buffer_length(&exec->input.queue);
    exec->input.uncredited = 0;
}

void exec_end_stdin(struct exec *exec) {
    exec->input.ended = true;
    write_stdin(&exec->input);
}

static bool open_pipe(int *parent_end, int *child_end, bool child_reads) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    *parent_end = ends[child_reads ? 1 : 0];
    *child_end = ends[child_reads ? 0 : 1];
    // Ours must not block even after a readiness report: a tenant can open its pipes anew and take the bytes itself.
    return fcntl(*parent_end, F_SETFL, O_NONBLOCK) == 0;
}

static bool open_pipes(struct exec *exec, int null_fd) {
    struct job_spec *spec = &exec->job.spec;
    spec->stdin_fd = null_fd;
    if (!open_pipe(&exec->outputs[0].source.fd, &spec->stdout_fd, false)) return false;
    if (!open_pipe(&exec->outputs[1].source.fd, &spec->stderr_fd, false)) return false;
    if ((exec->request.flags & EXEC_FLAG_STDIN) == 0) return true;
    exec->input.ended = false;
    exec->input.window = STREAM_WINDOW_BYTES;
    return open_pipe(&exec->input.source.fd, &spec->stdin_fd, true);
}

bool exec_open_io(struct exec *exec, int null_fd) {
    struct job_spec *spec = &exec->job.spec;
    for (int i = 0; i < 2; i++) {
        exec->outputs[i] = (struct output){
            .source = {.fd = -1, .ready = on_output}, .exec = exec, .frame_type = i == 0 ? FRAME_STDOUT : FRAME_STDERR};
    }
    exec->input = (struct input){.source = {.fd = -1, .ready = on_input}, .exec = exec, .ended = true};
    spec->stdin_fd = spec->stdout_fd = spec->stderr_fd = -1;
    spec->has_terminal = (exec->request.flags & EXEC_FLAG_PTY) != 0;
    return spec->has_terminal ? exec_open_terminal(exec) : open_pipes(exec, null_fd);
}

void exec_close_child_ends(struct exec *exec, int null_fd) {
    // The numbers stay: the supervisor has copies of its own, and reads them from this same record.
    const struct job_spec *spec = &exec->job.spec;
    if (spec->stdin_fd != null_fd && spec->stdin_fd >= 0) close(spec->stdin_fd);
    // A terminal is one descriptor: closed twice, the second time might meet one that the file worker has opened.
    if (spec->has_terminal) return;
    if (spec->stdout_fd >= 0) close(spec->stdout_fd);
    if (spec->stderr_fd >= 0) close(spec->stderr_fd);
}

bool exec_output_is_over(const struct exec *exec) {
    return exec->outputs[0].source.fd < 0 && exec->outputs[1].source.fd < 0;
}

/* True while it is the host, not the program, that keeps output from flowing. */
bool exec_output_is_held(const struct exec *exec) {
    return !is_detached(exec) && (exec->credit == 0 || !link_has_room() || exec_is_sending_kept(exec));
}

void exec_resume_io(struct exec *exec) {
    uint32_t events = exec_output_is_held(exec) ? 0 : EPOLLIN;
    for (int i = 0; i < 2; i++) source_watch(&exec->outputs[i].source, events);
    source_watch(&exec->input.source, buffer_length(&exec->input.queue) > 0 ? EPOLLOUT : 0);
}

void exec_release_io(struct exec *exec) {
    for (int i = 0; i < 2; i++) {
        // A terminal whose program has ended hangs up, as the line of any terminal does.
        if (exec->job.spec.has_terminal) source_close(&exec->outputs[i].source);
        else drain_adopt(&exec->outputs[i].source);
    }
    source_close(&exec->input.source);
    buffer_free(&exec->input.queue);
}

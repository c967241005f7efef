#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec_report.h"
#include "exec_state.h"
#include "files.h"
#include "link.h"
#include "ports.h"
#include "raw.h"
#include "session.h"

/* Reported execs whose supervisor is about to leave, and those whose end is kept, need rows too. */
#define ROWS_MAX (2 * EXECS_MAX + KEPT_ENDS_MAX)

static struct exec *rows[ROWS_MAX];
static struct { uint32_t uid, gid; int null_fd; } tenant;

void exec_init(uint32_t uid, uint32_t gid) {
    tenant.uid = uid;
    tenant.gid = gid;
    tenant.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (tenant.null_fd < 0) abort();
}

static struct exec *find(uint32_t stream) {
    for (int i = 0; i < ROWS_MAX; i++)
        if (rows[i] != NULL && rows[i]->stream == stream) return rows[i];
    return NULL;
}

bool exec_owns_stream(uint32_t stream) {
    return find(stream) != NULL;
}

bool exec_stream_is_taken(uint32_t stream) {
    return exec_owns_stream(stream) || files_own_stream(stream) || ports_own_stream(stream);
}

static struct exec **free_row(void) {
    struct exec **row = NULL;
    int running = 0;
    for (int i = 0; i < ROWS_MAX; i++) {
        if (rows[i] == NULL) row = &rows[i];
        else if (!rows[i]->is_reported) running++;
    }
    return running < EXECS_MAX ? row : NULL;
}

static void destroy(struct exec *exec) {
    exec_release_io(exec);
    exec_release_stack(exec);
    exec_request_free(&exec->request);
    kept_free(exec->kept);
    free(exec);
}

/* Starts the supervisor. On failure nothing is left but the error to report. */
static int start(struct exec *exec) {
    struct job_spec *spec = &exec->job.spec;
    spec->argv = exec->request.argv;
    spec->envp = exec->request.envp;
    spec->cwd = exec->request.cwd;
    spec->search_path = exec->request.search_path;
    spec->kill_orphans = (exec->request.flags & EXEC_FLAG_KILL_ORPHANS) != 0;
    spec->uid = tenant.uid;
    spec->gid = tenant.gid;
    int error = exec_open_io(exec, tenant.null_fd) ? exec_spawn(exec) : errno;
    exec_close_child_ends(exec, tenant.null_fd);
    return error;
}

/* Enters an exec that has a tag with what is kept. False when the tag is in use. */
static bool keep(struct exec *exec) {
    struct exec_request *request = &exec->request;
    if (request->tag.length == 0) return true;
    exec->kept = kept_add(exec, &request->tag, &request->metadata);
    if (exec->kept == NULL) return false;
    exec->kept->has_output = (request->flags & EXEC_FLAG_ENDS_WITH_HOST) == 0;
    return true;
}

static void on_exec(const struct frame *frame) {
    if (exec_stream_is_taken(frame->stream)) {
        link_fail("stream id in use");
        return;
    }
    size_t env_count;
    char *const *env = session_env(&env_count);
    struct exec_request request;
    enum exec_request_result parsed = exec_request_parse(&request, frame->payload, frame->length, env, env_count);
    struct exec **row = free_row();
    if (parsed == EXEC_REQUEST_BAD_LAYOUT) link_fail("bad exec");
    else if (parsed == EXEC_REQUEST_BAD_VALUE) link_send_error(frame->stream, ERROR_BAD_REQUEST, "argv, env, cwd or flags");
    else if (row == NULL) link_send_error(frame->stream, ERROR_TOO_MANY, "too many execs at once");
    bool is_accepted = parsed == EXEC_REQUEST_READY && row != NULL;
    if (!is_accepted) {
        if (parsed == EXEC_REQUEST_READY) exec_request_free(&request);
        return;
    }
    struct exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL) abort();
    exec->request = request;
    if (!keep(exec)) {
        link_send_error(frame->stream, ERROR_BAD_REQUEST, "the tag is taken");
        exec_request_free(&exec->request);
        free(exec);
        return;
    }
    exec->stream = frame->stream;
    exec->credit = STREAM_WINDOW_BYTES;
    exec->watched_attempt = UINT_MAX;
    exec->grace_left_ms = request.grace_ms;
    exec->timeout_at_ms = request.timeout_ms > 0 ? now_ms() + request.timeout_ms : NO_DEADLINE;
    int error = start(exec);
    if (error == 0) {
        *row = exec;
        return;
    }
    link_send_error(frame->stream, exec_error_of(STAGE_FORK, error), strerror(error));
    destroy(exec);
}

static void on_kill(struct exec *exec, const struct frame *frame) {
    uint64_t signal = 0, is_tree = 0;
    struct field_reader reader = fields_of(frame->payload, frame->length);
    struct field field;
    enum field_result result;
    while ((result = field_next(&reader, &field)) == FIELD_READY) {
        if (field.tag == FIELD_SIGNAL && !field_number(&field, 4, &signal)) break;
        if (field.tag == FIELD_IS_TREE && !field_number(&field, 2, &is_tree)) break;
    }
    if (result != FIELD_DONE || signal < 1 || signal > 64) {
        link_fail("bad kill");
        return;
    }
    exec->killed_by = (int)signal;
    // SIGKILL ends the whole tree; any other signal goes, while the main process lives, to its group or to its tree.
    atomic_ulong *requests = is_tree != 0 ? &exec->job.tree_signal_requests : &exec->job.signal_requests;
    exec->has_signalled_tree |= is_tree != 0;
    if (signal != SIGKILL) atomic_fetch_or(requests, RAW_SIGNAL_BIT(signal));
    exec_wake_supervisor(exec, signal == SIGKILL ? REQUEST_KILL_TREE : 0);
}

static void on_resize(struct exec *exec, const struct frame *frame) {
    uint16_t width, height;
    if (!terminal_size_parse(frame->payload, frame->length, &width, &height)) link_fail("bad resize");
    else exec_resize_terminal(exec, width, height);
}

void exec_on_frame(const struct frame *frame) {
    if (frame->type == FRAME_EXEC) {
        on_exec(frame);
        return;
    }
    struct exec *exec = find(frame->stream);
    if (exec == NULL) return; // it has just ended here, and the host does not know yet
    if (frame->type == FRAME_STDIN) exec_on_stdin(exec, frame);
    else if (frame->type == FRAME_STDIN_END) exec_end_stdin(exec);
    else if (frame->type == FRAME_RESIZE) on_resize(exec, frame);
    else on_kill(exec, frame);
}

bool exec_on_credit(const struct frame *frame) {
    struct exec *exec = find(frame->stream);
    if (exec == NULL) return false;
    uint64_t credit = exec->credit + get_le(frame->payload, 4);
    if (credit > STREAM_WINDOW_BYTES) link_fail("credit beyond the window");
    else exec->credit = (uint32_t)credit;
    return true;
}

void exec_on_link_lost(void) {
    for (int i = 0; i < ROWS_MAX; i++) {
        if (rows[i] == NULL) continue;
        struct kept *kept = rows[i]->kept;
        rows[i]->stream = 0;
        if (kept != NULL) kept->is_sending = false;
        // The next host goes on feeding what it finds here; nobody else will.
        if (kept == NULL || !kept->has_output) exec_end_stdin(rows[i]);
    }
}

void exec_on_reaped(pid_t pid) {
    for (int i = 0; i < ROWS_MAX; i++)
        if (rows[i] != NULL && rows[i]->supervisor_pid == pid) rows[i]->supervisor_pid = 0;
}

void exec_round(void) {
    uint64_t now = now_ms();
    for (int i = 0; i < ROWS_MAX; i++) {
        if (rows[i] == NULL) continue;
        exec_advance(rows[i], now);
        exec_send_kept(rows[i]);
        if (!rows[i]->is_reported || rows[i]->supervisor_pid != 0) continue;
        exec_release_stack(rows[i]);
        if (rows[i]->kept != NULL && !rows[i]->kept->is_evicted) continue;
        destroy(rows[i]);
        rows[i] = NULL;
    }
}

void exec_resume(void) {
    uint64_t now = now_ms();
    for (int i = 0; i < ROWS_MAX; i++)
        if (rows[i] != NULL && !rows[i]->is_reported) exec_rearm(rows[i], now);
}

uint64_t exec_deadline_ms(void) {
    uint64_t deadline = NO_DEADLINE;
    for (int i = 0; i < ROWS_MAX; i++) {
        if (rows[i] == NULL) continue;
        // What the last round had no room for in the queue, which has been flushed since.
        if (exec_is_sending_kept(rows[i]) && rows[i]->credit > 0 && link_has_room()) return 0;
        if (rows[i]->is_reported) continue;
        uint64_t own = exec_own_deadline_ms(rows[i]);
        if (own < deadline) deadline = own;
    }
    return deadline;
}

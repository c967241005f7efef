#include "exec_report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "link.h"

enum sandboxd_error exec_error_of(enum job_stage stage, int error) {
    if (stage == STAGE_INTERRUPTED) return ERROR_SPAWN_INTERRUPTED;
    if (stage == STAGE_CWD) return ERROR_CWD_REFUSED;
    if (error == EAGAIN || error == ENOMEM) return ERROR_NO_PROCESS;
    if (stage != STAGE_EXEC) return ERROR_INTERNAL;
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case EISDIR:
    case ETXTBSY:
        return ERROR_PERMISSION_DENIED;
    case E2BIG:
        return ERROR_BAD_REQUEST;
    default:
        return ERROR_IO;
    }
}

/* The last frame of an exec: to its host, or kept until what is kept before it has been sent. */
static void finish(struct exec *exec, uint8_t frame_type, const struct field_writer *end) {
    exec->is_reported = true;
    if (exec->kept != NULL) kept_end(exec->kept, frame_type, end);
    if (!exec_is_sending_kept(exec)) {
        if (exec->stream != 0) link_send_fields(frame_type, exec->stream, end);
        exec->stream = 0;
    }
    exec_release_io(exec);
    if (exec->supervisor_pid > 0) exec_wake_supervisor(exec, REQUEST_RELEASE);
}

static void finish_with_error(struct exec *exec, enum sandboxd_error code, const char *message) {
    struct field_writer fields = {.length = 0};
    put_error(&fields, code, message);
    finish(exec, FRAME_STREAM_ERROR, &fields);
}

static void report_failure(struct exec *exec) {
    enum job_stage stage = (enum job_stage)exec->job.failed_stage;
    const char *message = stage == STAGE_INTERRUPTED ? "its own siblings stopped or killed it before it began"
                                                     : strerror(exec->job.failed_errno);
    // What never was a program is nothing to come back to.
    kept_free(exec->kept);
    exec->kept = NULL;
    finish_with_error(exec, exec_error_of(stage, exec->job.failed_errno), message);
}

static enum exit_reason reason_of(const struct exec *exec, int signal) {
    // A program that ended by itself just before the axe fell has exited, whatever was asked meanwhile.
    if (signal == 0) return EXIT_REASON_EXITED;
    if (exec->timed_out && signal == SIGKILL) return EXIT_REASON_TIMEOUT;
    if (exec->killed_by == signal) return EXIT_REASON_KILLED;
    return EXIT_REASON_SIGNALED;
}

static void report_exit(struct exec *exec) {
    int status = exec->job.wait_status;
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int32_t exit_code = signal != 0 ? -1 : WEXITSTATUS(status);
    struct field_writer fields = {.length = 0};
    put_number(&fields, FIELD_EXIT_CODE, (uint32_t)exit_code, 4);
    put_number(&fields, FIELD_SIGNAL, (uint32_t)signal, 4);
    put_number(&fields, FIELD_REASON, reason_of(exec, signal), 2);
    put_number(&fields, FIELD_DURATION_MICROS, (exec->job.ended_ns - exec->job.started_ns) / 1000, 8);
    finish(exec, FRAME_EXIT, &fields);
}

static void announce(struct exec *exec) {
    struct field_writer fields = {.length = 0};
    put_number(&fields, FIELD_PID, (uint32_t)exec->job.child_pid, 4);
    if (exec->stream != 0) link_send_fields(FRAME_STARTED, exec->stream, &fields);
    exec->is_announced = true;
    // The program has its own copy by now; only plain values of the request are read from here on.
    exec_request_free(&exec->request);
}

static void spend_grace(struct exec *exec, uint64_t now) {
    if (!exec->grace_runs) return;
    uint64_t spent_ms = now - exec->grace_mark_ms;
    exec->grace_left_ms -= spent_ms < exec->grace_left_ms ? spent_ms : exec->grace_left_ms;
    exec->grace_mark_ms = now;
}

void exec_advance(struct exec *exec, uint64_t now) {
    if (exec->is_reported) return;
    int state = atomic_load_explicit(&exec->job.state, memory_order_acquire);
    if (state == JOB_SPAWNING) exec_poke_spawning(exec, now);
    if (state == JOB_FAILED) {
        report_failure(exec);
        return;
    }
    if (!exec->is_announced && state != JOB_SPAWNING) announce(exec);
    if (state != JOB_ENDED && now >= exec->timeout_at_ms && !exec->timed_out) {
        exec->timed_out = true;
        exec_wake_supervisor(exec, REQUEST_KILL_TREE);
    }
    if (state == JOB_ENDED) {
        spend_grace(exec, now);
        if (exec_output_is_over(exec) || (exec->grace_left_ms == 0 && !exec_output_is_held(exec))) report_exit(exec);
    } else if (exec->supervisor_pid == 0) {
        finish_with_error(exec, ERROR_INTERNAL, "the supervisor died");
    }
}

void exec_rearm(struct exec *exec, uint64_t now) {
    int state = atomic_load_explicit(&exec->job.state, memory_order_acquire);
    // Output waits for `started`; what a fast program has written stays in its pipe for this one round.
    if (exec->is_announced) exec_resume_io(exec);
    exec->grace_runs = state == JOB_ENDED && exec->is_announced && !exec_output_is_held(exec);
    exec->grace_mark_ms = now;
}

uint64_t exec_own_deadline_ms(const struct exec *exec) {
    int state = atomic_load_explicit(&exec->job.state, memory_order_acquire);
    if (state == JOB_SPAWNING) return exec->next_poke_ms;
    if (state == JOB_ENDED) return exec->grace_runs ? exec->grace_mark_ms + exec->grace_left_ms : NO_DEADLINE;
    return exec->timed_out ? NO_DEADLINE : exec->timeout_at_ms;
}

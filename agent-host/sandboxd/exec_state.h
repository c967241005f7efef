/* One exec as the loop sees it; shared by the exec_*.c files only. */
#ifndef SANDGATE_EXEC_STATE_H
#define SANDGATE_EXEC_STATE_H

#include <sys/types.h>

#include "buffer.h"
#include "exec_request.h"
#include "frames.h"
#include "job.h"
#include "kept.h"
#include "loop.h"

struct exec;

struct output {
    struct source source; // first, so that the source leads back here
    struct exec *exec;
    uint8_t frame_type;
};

struct input {
    struct source source; // first
    struct exec *exec;
    struct buffer queue;
    uint32_t window;     // what the host may still send
    uint32_t uncredited; // taken by the pipe, not yet granted again
    bool ended;          // nothing more will come
};

struct exec {
    struct job job;
    pid_t supervisor_pid; // 0 once reaped
    struct exec_request request;

    uint32_t stream;  // 0: nobody listens
    bool is_reported; // exit or error is out, or kept; of the processes only the supervisor's end is awaited
    struct kept *kept; // of one with a tag: what a host that comes back is told
    bool is_announced;
    bool timed_out;
    int killed_by; // signal of the last kill frame
    bool has_signalled_tree;

    struct output outputs[2];
    struct input input;
    uint32_t credit;

    uint64_t timeout_at_ms, grace_left_ms, grace_mark_ms;
    bool grace_runs;

    unsigned watched_attempt;
    uint64_t attempt_since_ms, next_poke_ms, poke_delay_ms;
};

/* exec.c: whether anything of this connection has the stream. */
bool exec_stream_is_taken(uint32_t stream);

/* exec_recall.c: sends on what is kept, as far as the host takes it; the exec's own output follows behind. */
void exec_send_kept(struct exec *exec);
bool exec_is_sending_kept(const struct exec *exec);

/* exec_spawn.c: 0, or an errno. */
int exec_spawn(struct exec *exec);
void exec_poke_spawning(struct exec *exec, uint64_t now);
void exec_wake_supervisor(struct exec *exec, unsigned request);
void exec_release_stack(struct exec *exec);

/* exec_terminal.c: one descriptor for all three streams, and a second one of ours to write to. False with errno. */
bool exec_open_terminal(struct exec *exec);
void exec_resize_terminal(struct exec *exec, uint16_t cols, uint16_t rows);

/* exec_io.c */
bool exec_open_io(struct exec *exec, int null_fd);
void exec_close_child_ends(struct exec *exec, int null_fd);
void exec_on_stdin(struct exec *exec, const struct frame *frame);
void exec_end_stdin(struct exec *exec);
/* A new host knows nothing of what the former one had in flight: what the queue leaves of the window is its. */
void exec_reset_stdin_window(struct exec *exec);
void exec_resume_io(struct exec *exec);
bool exec_output_is_over(const struct exec *exec);
bool exec_output_is_held(const struct exec *exec);
/* Gives up the pipes; what background processes still write is read and dropped, so that they do not get SIGPIPE. */
void exec_release_io(struct exec *exec);

#endif

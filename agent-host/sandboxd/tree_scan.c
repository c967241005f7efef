#include "tree_scan.h"

#include <fcntl.h>

#include "raw.h"

struct directory_entry {
    uint64_t inode;
    int64_t next_offset;
    uint16_t record_bytes;
    uint8_t type;
    char name[];
};

static bool skip_field(const char **at, const char *end) {
    while (*at < end && **at != ' ') ++*at;
    if (*at == end) return false;
    ++*at;
    return true;
}

static bool take_number(const char **at, const char *end, uint64_t *value) {
    bool any = false;
    for (*value = 0; *at < end && **at >= '0' && **at <= '9'; ++*at, any = true)
        *value = *value * 10 + (uint64_t)(**at - '0');
    return any;
}

bool proc_stat_parse(const char *line, size_t length, struct proc_stat *stat) {
    const char *end = line + length;
    const char *at = end;
    // The command may hold ") Z 1": only the last parenthesis is the kernel's own.
    while (at > line && at[-1] != ')') at--;
    if (at == line || end - at < 4 || at[0] != ' ') return false;
    stat->state = at[1];
    at += 3;
    uint64_t number;
    if (!take_number(&at, end, &number) || number > INT32_MAX) return false;
    stat->parent_pid = (int)number;
    // Skip to field 9: pgrp, session, tty_nr and tpgid lie between, some of them negative.
    for (int i = 0; i < 5; i++)
        if (!skip_field(&at, end)) return false;
    if (!take_number(&at, end, &number)) return false;
    stat->flags = (uint32_t)number;
    return true;
}

bool proc_stat_read(int pid, struct proc_stat *stat) {
    char path[32] = "/proc/";
    char digits[12];
    size_t count = 0, at = 6;
    for (unsigned rest = (unsigned)pid; rest > 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
    while (count > 0) path[at++] = digits[--count];
    const char *tail = "/stat";
    while (*tail != '\0') path[at++] = *tail++;
    path[at] = '\0';

    long fd = raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return false;
    char line[512];
    long length = raw3(SYS_read, fd, line, sizeof line);
    raw1(SYS_close, fd);
    return length > 0 && proc_stat_parse(line, (size_t)length, stat);
}

static bool is_in_tree(const struct process_table *table, int pid, int root_pid) {
    if (pid == root_pid) return true;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].in_tree && table->rows[i].pid == pid) return true;
    return false;
}

void process_table_mark(struct process_table *table, int root_pid, process_met *met, void *context) {
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < table->count; i++) {
            struct process *child = &table->rows[i];
            if (child->in_tree || !is_in_tree(table, child->parent_pid, root_pid)) continue;
            child->in_tree = changed = true;
            met(context, child->pid);
        }
    }
}

/* Adds the process of one entry of /proc, if it is one and lives. */
static struct process *add_process(struct process_table *table, const char *name) {
    const char *end = name;
    while (*end != '\0') end++;
    uint64_t pid;
    const char *at = name;
    bool is_pid = take_number(&at, end, &pid) && at == end && pid <= INT32_MAX;
    if (!is_pid || table->count == TREE_PROCESSES_MAX) return NULL;
    struct proc_stat stat;
    if (!proc_stat_read((int)pid, &stat) || stat.state == 'Z' || stat.state == 'X') return NULL;
    struct process *row = &table->rows[table->count];
    *row = (struct process){(int)pid, stat.parent_pid, false};
    table->count++;
    return row;
}

void process_table_scan(struct process_table *table, int root_pid, process_met *met, void *context) {
    table->count = 0;
    long fd = raw4(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return;
    _Alignas(8) char entries[4096];
    long length;
    while ((length = raw3(SYS_getdents64, fd, entries, sizeof entries)) > 0) {
        for (long at = 0; at < length;) {
            const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
            struct process *row = add_process(table, entry->name);
            at += entry->record_bytes;
            if (row == NULL) continue;
            row->in_tree = is_in_tree(table, row->parent_pid, root_pid);
            // At once: against a hundred busy siblings each one stopped early makes the rest of the scan faster.
            if (row->in_tree) met(context, row->pid);
        }
    }
    raw1(SYS_close, fd);
    process_table_mark(table, root_pid, met, context);
}

/* Reading the process table with raw system calls. */
#ifndef SANDGATE_TREE_SCAN_H
#define SANDGATE_TREE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "tree.h"

struct process {
    int pid, parent_pid;
    bool in_tree;
};

struct process_table {
    struct process rows[TREE_PROCESSES_MAX];
    size_t count;
};

typedef void process_met(void *context, int pid);

/* Fills the table and marks the live descendants of `root_pid`; each is met as soon as it is known to be one. */
void process_table_scan(struct process_table *table, int root_pid, process_met *met, void *context);

/* Marks descendants of `root_pid` that came before their parents; separate so that it can be tested alone. */
void process_table_mark(struct process_table *table, int root_pid, process_met *met, void *context);

#endif

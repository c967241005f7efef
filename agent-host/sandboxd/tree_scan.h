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

/* Fills the table and marks the live descendants of `root_pid`. Returns how many there are. */
size_t process_table_scan(struct process_table *table, int root_pid);

/* Marks descendants of `root_pid` in a filled table; separate so that it can be tested without processes. */
size_t process_table_mark(struct process_table *table, int root_pid);

#endif

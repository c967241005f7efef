/* The folders of a watch: which descriptor stands for which, and what its path is now. No I/O: unit-tested and fuzzed. */
#ifndef SANDGATE_WATCH_TREE_H
#define SANDGATE_WATCH_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define WATCH_FOLDERS_MAX 8192
#define WATCH_DEPTH_MAX 100
#define WATCH_PATH_BYTES 4096
#define WATCH_NO_FOLDER (-1)

struct watch_folder {
    int descriptor; // 0: free
    int parent;     // WATCH_NO_FOLDER: what was asked for
    char *name;
};

struct watch_tree {
    struct watch_folder folders[WATCH_FOLDERS_MAX];
    int used; // rows that may be taken are below this
};

/* Adds a folder, or moves the one that has this descriptor. Its row, or WATCH_NO_FOLDER when there is no room. */
int watch_tree_put(struct watch_tree *tree, int descriptor, int parent, const char *name);

int watch_tree_find(const struct watch_tree *tree, int descriptor);

/* The row of a folder's child of that name. */
int watch_tree_child(const struct watch_tree *tree, int parent, const char *name);

/* Forgets one folder. Rows below it stay until they are forgotten themselves, and have no path until then. */
void watch_tree_forget(struct watch_tree *tree, int row);
void watch_tree_clear(struct watch_tree *tree);

/* True when `row` is `top` or below it. */
bool watch_tree_is_below(const struct watch_tree *tree, int row, int top);

/* Writes "folder/name", relative to what was asked for; false when that is too long, too deep or not known any more. */
bool watch_tree_path(const struct watch_tree *tree, int row, const char *name, char path[WATCH_PATH_BYTES]);

#endif

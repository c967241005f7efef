#include "watch_tree.h"

#include <stdlib.h>
#include <string.h>

static bool is_row(const struct watch_tree *tree, int row) {
    return row >= 0 && row < tree->used && tree->folders[row].descriptor > 0;
}

int watch_tree_find(const struct watch_tree *tree, int descriptor) {
    if (descriptor <= 0) return WATCH_NO_FOLDER;
    for (int row = 0; row < tree->used; row++)
        if (tree->folders[row].descriptor == descriptor) return row;
    return WATCH_NO_FOLDER;
}

int watch_tree_child(const struct watch_tree *tree, int parent, const char *name) {
    for (int row = 0; row < tree->used; row++)
        if (is_row(tree, row) && tree->folders[row].parent == parent && strcmp(tree->folders[row].name, name) == 0) return row;
    return WATCH_NO_FOLDER;
}

static int free_row(struct watch_tree *tree) {
    for (int row = 0; row < tree->used; row++)
        if (tree->folders[row].descriptor == 0) return row;
    return tree->used < WATCH_FOLDERS_MAX ? tree->used++ : WATCH_NO_FOLDER;
}

int watch_tree_put(struct watch_tree *tree, int descriptor, int parent, const char *name) {
    int row = watch_tree_find(tree, descriptor);
    if (row == WATCH_NO_FOLDER) row = free_row(tree);
    if (row == WATCH_NO_FOLDER) return row;
    // A folder below itself would have a path without end.
    if (is_row(tree, row) && parent != WATCH_NO_FOLDER && watch_tree_is_below(tree, parent, row)) return WATCH_NO_FOLDER;
    char *copy = strdup(name);
    if (copy == NULL) abort();
    free(tree->folders[row].name);
    tree->folders[row] = (struct watch_folder){descriptor, parent, copy};
    return row;
}

void watch_tree_forget(struct watch_tree *tree, int row) {
    if (!is_row(tree, row)) return;
    // Who is below it now has no way up; the row may be taken again, and must not become theirs.
    for (int child = 0; child < tree->used; child++)
        if (is_row(tree, child) && tree->folders[child].parent == row) tree->folders[child].parent = WATCH_FOLDERS_MAX;
    free(tree->folders[row].name);
    tree->folders[row] = (struct watch_folder){0, WATCH_NO_FOLDER, NULL};
}

void watch_tree_clear(struct watch_tree *tree) {
    for (int row = 0; row < tree->used; row++) free(tree->folders[row].name);
    memset(tree->folders, 0, sizeof tree->folders[0] * (size_t)tree->used);
    tree->used = 0;
}

bool watch_tree_is_below(const struct watch_tree *tree, int row, int top) {
    for (int depth = 0; depth <= WATCH_FOLDERS_MAX && is_row(tree, row); depth++) {
        if (row == top) return true;
        row = tree->folders[row].parent;
    }
    return false;
}

bool watch_tree_path(const struct watch_tree *tree, int row, const char *name, char path[WATCH_PATH_BYTES]) {
    const char *parts[WATCH_DEPTH_MAX + 2];
    size_t count = 0;
    if (*name != '\0') parts[count++] = name;
    for (; row != WATCH_NO_FOLDER; row = tree->folders[row].parent) {
        if (!is_row(tree, row) || count == WATCH_DEPTH_MAX + 2) return false;
        if (tree->folders[row].parent != WATCH_NO_FOLDER) parts[count++] = tree->folders[row].name;
    }
    size_t length = 0;
    while (count > 0) {
        const char *part = parts[--count];
        size_t part_length = strlen(part);
        if (length + part_length + 2 > WATCH_PATH_BYTES) return false;
        memcpy(path + length, part, part_length);
        length += part_length;
        if (count > 0) path[length++] = '/';
    }
    path[length] = '\0';
    return true;
}

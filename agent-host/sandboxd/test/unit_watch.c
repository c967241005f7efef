/* Unit tests of the folders of a watch. */
#include "check.h"
#include "watch_tree.h"

static struct watch_tree tree;
static char path[WATCH_PATH_BYTES];

static bool path_is(int row, const char *name, const char *expected) {
    return watch_tree_path(&tree, row, name, path) && strcmp(path, expected) == 0;
}

static void a_folder_that_moves_takes_what_is_below_it_along(void) {
    int root = watch_tree_put(&tree, 1, WATCH_NO_FOLDER, "");
    int a = watch_tree_put(&tree, 2, root, "a");
    int b = watch_tree_put(&tree, 3, a, "b");
    CHECK(path_is(root, "", "") && path_is(root, "file", "file") && path_is(b, "file", "a/b/file") && path_is(b, "", "a/b"));
    CHECK(watch_tree_put(&tree, 2, root, "moved") == a);
    CHECK(path_is(b, "file", "moved/b/file") && watch_tree_child(&tree, root, "moved") == a);
    CHECK(watch_tree_child(&tree, root, "a") == WATCH_NO_FOLDER);
    CHECK(watch_tree_is_below(&tree, b, root) && !watch_tree_is_below(&tree, root, b));
    CHECK(watch_tree_put(&tree, 2, b, "loop") == WATCH_NO_FOLDER);
    watch_tree_clear(&tree);
}

static void what_was_below_a_forgotten_folder_has_no_path_and_never_another_ones(void) {
    int root = watch_tree_put(&tree, 1, WATCH_NO_FOLDER, "");
    int a = watch_tree_put(&tree, 2, root, "a");
    int b = watch_tree_put(&tree, 3, a, "b");
    watch_tree_forget(&tree, a);
    CHECK(!watch_tree_path(&tree, b, "file", path) && watch_tree_find(&tree, 2) == WATCH_NO_FOLDER);
    CHECK(watch_tree_put(&tree, 4, root, "other") == a);
    CHECK(!watch_tree_path(&tree, b, "file", path));
    watch_tree_clear(&tree);
}

static void folders_depth_and_length_are_bounded(void) {
    char name[256];
    memset(name, 'x', 255);
    name[255] = '\0';
    int row = watch_tree_put(&tree, 1, WATCH_NO_FOLDER, "");
    for (int i = 0; i < 20; i++) row = watch_tree_put(&tree, 2 + i, row, name);
    CHECK(!watch_tree_path(&tree, row, "", path));
    watch_tree_clear(&tree);
    row = watch_tree_put(&tree, 1, WATCH_NO_FOLDER, "");
    for (int i = 0; i < WATCH_DEPTH_MAX + 5; i++) row = watch_tree_put(&tree, 2 + i, row, "d");
    CHECK(!watch_tree_path(&tree, row, "", path));
    watch_tree_clear(&tree);
    for (int i = 0; i < WATCH_FOLDERS_MAX; i++) CHECK(watch_tree_put(&tree, 1 + i, WATCH_NO_FOLDER, "") == i);
    CHECK(watch_tree_put(&tree, WATCH_FOLDERS_MAX + 1, WATCH_NO_FOLDER, "") == WATCH_NO_FOLDER);
    watch_tree_clear(&tree);
}

void watch_tree_tests(void) {
    a_folder_that_moves_takes_what_is_below_it_along();
    what_was_below_a_forgotten_folder_has_no_path_and_never_another_ones();
    folders_depth_and_length_are_bounded();
}

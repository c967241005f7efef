#include "exec_request.h"

#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "protocol.h"

#define EXEC_FLAGS ((uint64_t)(EXEC_FLAG_KILL_ORPHANS | EXEC_FLAG_STDIN | EXEC_FLAG_PTY | EXEC_FLAG_ENDS_WITH_HOST))

static const char default_search_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool env_entry_is_valid(const struct field *field) {
    const uint8_t *equals = field->length == 0 ? NULL : memchr(field->bytes, '=', field->length);
    return equals != NULL && equals != field->bytes && field_is_text(field);
}

bool path_is_valid(const struct field *field) {
    if (field->length == 0 || field->length > PATH_MAX_BYTES) return false;
    if (field->bytes[0] != '/' || !field_is_text(field)) return false;
    for (uint32_t i = 0; i + 2 < field->length; i++) {
        const uint8_t *at = field->bytes + i;
        bool is_last = i + 3 == field->length;
        if (at[0] == '/' && at[1] == '.' && at[2] == '.' && (is_last || at[3] == '/')) return false;
    }
    return true;
}

bool terminal_size_parse(const uint8_t *payload, size_t length, uint16_t *cols, uint16_t *rows) {
    uint64_t width = 0, height = 0;
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    enum field_result result;
    while ((result = field_next(&reader, &field)) == FIELD_READY) {
        if (field.tag == FIELD_COLS && !field_number(&field, 2, &width)) return false;
        if (field.tag == FIELD_ROWS && !field_number(&field, 2, &height)) return false;
    }
    *cols = (uint16_t)width;
    *rows = (uint16_t)height;
    return result == FIELD_DONE && width > 0 && height > 0;
}

struct parse {
    size_t argc, env_count, text_bytes;
    struct field cwd, tag, metadata;
    uint64_t timeout_ms, grace_ms, flags;
};

static enum exec_request_result take(struct parse *parse, const struct field *field) {
    switch (field->tag) {
    case FIELD_ARGV:
        if (!field_is_text(field) || parse->argc++ == ARGV_MAX_COUNT) return EXEC_REQUEST_BAD_VALUE;
        parse->text_bytes += field->length + 1u;
        break;
    case FIELD_ENV:
        if (!env_entry_is_valid(field) || parse->env_count++ == ENV_MAX_COUNT) return EXEC_REQUEST_BAD_VALUE;
        parse->text_bytes += field->length + 1u;
        break;
    case FIELD_CWD:
        if (field->length == 0 || field->length > PATH_MAX_BYTES || field->bytes[0] != '/' || !field_is_text(field))
            return EXEC_REQUEST_BAD_VALUE;
        parse->cwd = *field;
        break;
    case FIELD_TIMEOUT_MS:
        if (!field_number(field, 4, &parse->timeout_ms)) return EXEC_REQUEST_BAD_LAYOUT;
        break;
    case FIELD_GRACE_MS:
        if (!field_number(field, 4, &parse->grace_ms)) return EXEC_REQUEST_BAD_LAYOUT;
        break;
    case FIELD_FLAGS:
        if (!field_number(field, 4, &parse->flags)) return EXEC_REQUEST_BAD_LAYOUT;
        if (parse->flags & ~EXEC_FLAGS) return EXEC_REQUEST_BAD_VALUE;
        break;
    case FIELD_TAG:
        if (field->length == 0 || field->length > TAG_MAX_BYTES || !field_is_text(field)) return EXEC_REQUEST_BAD_VALUE;
        parse->tag = *field;
        break;
    case FIELD_METADATA:
        if (field->length > METADATA_MAX_BYTES) return EXEC_REQUEST_BAD_VALUE;
        parse->metadata = *field;
        break;
    }
    return EXEC_REQUEST_READY;
}

static char *copy_text(char **text, const struct field *field) {
    char *copy = *text;
    memcpy(copy, field->bytes, field->length);
    copy[field->length] = '\0';
    *text += field->length + 1;
    return copy;
}

static void set_env(char **envp, size_t *count, char *entry) {
    size_t name_bytes = (size_t)(strchr(entry, '=') - entry) + 1;
    for (size_t i = 0; i < *count; i++) {
        if (strncmp(envp[i], entry, name_bytes) != 0) continue;
        envp[i] = entry;
        return;
    }
    envp[(*count)++] = entry;
}

static void fill(struct exec_request *request, const struct parse *parse, const uint8_t *payload, size_t length,
                 char *const *base, size_t base_count) {
    request->envp = request->argv + parse->argc + 1;
    char *text = (char *)(request->envp + base_count + parse->env_count + 1);
    size_t argc = 0, env_count = 0;
    for (size_t i = 0; i < base_count; i++) set_env(request->envp, &env_count, base[i]);
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    while (field_next(&reader, &field) == FIELD_READY) {
        if (field.tag == FIELD_ARGV) request->argv[argc++] = copy_text(&text, &field);
        else if (field.tag == FIELD_ENV) set_env(request->envp, &env_count, copy_text(&text, &field));
    }
    request->argv[argc] = NULL;
    request->envp[env_count] = NULL;
    request->cwd = parse->cwd.length > 0 ? copy_text(&text, &parse->cwd) : "/";
    request->search_path = default_search_path;
    for (size_t i = 0; i < env_count; i++)
        if (strncmp(request->envp[i], "PATH=", 5) == 0) request->search_path = request->envp[i] + 5;
}

enum exec_request_result exec_request_parse(struct exec_request *request, const uint8_t *payload, size_t length,
                                            char *const *base, size_t base_count) {
    if (!fields_valid(payload, length)) return EXEC_REQUEST_BAD_LAYOUT;
    struct parse parse = {.grace_ms = GRACE_DEFAULT_MS};
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    while (field_next(&reader, &field) == FIELD_READY) {
        enum exec_request_result result = take(&parse, &field);
        if (result != EXEC_REQUEST_READY) return result;
    }
    if (parse.argc == 0) return EXEC_REQUEST_BAD_VALUE;
    request->cols = request->rows = 0;
    bool has_terminal = (parse.flags & EXEC_FLAG_PTY) != 0;
    if (has_terminal && !terminal_size_parse(payload, length, &request->cols, &request->rows)) return EXEC_REQUEST_BAD_VALUE;
    size_t pointers = parse.argc + 1 + base_count + parse.env_count + 1;
    request->argv = malloc(pointers * sizeof(char *) + parse.text_bytes + parse.cwd.length + 1);
    if (request->argv == NULL) abort();
    request->timeout_ms = (uint32_t)parse.timeout_ms;
    request->grace_ms = (uint32_t)parse.grace_ms;
    request->flags = (uint32_t)parse.flags;
    request->tag = parse.tag;
    request->metadata = parse.metadata;
    fill(request, &parse, payload, length, base, base_count);
    return EXEC_REQUEST_READY;
}

void exec_request_free(struct exec_request *request) {
    free(request->argv);
    request->argv = request->envp = NULL;
}

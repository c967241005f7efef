#include "configuration.h"

#include <stdlib.h>
#include <string.h>

#include "exec_request.h"
#include "fields.h"
#include "protocol.h"

static bool is_sandbox_id(const struct field *field) {
    if (field->length == 0 || field->length > SANDBOX_ID_MAX_BYTES) return false;
    for (uint32_t i = 0; i < field->length; i++) {
        uint8_t c = field->bytes[i];
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!allowed) return false;
    }
    return true;
}

struct parse {
    struct configuration found;
    bool has_id, has_generation, has_key;
    size_t env_bytes;
};

/* Layout errors end the connection, bad values only the request. */
static enum configuration_result take(struct parse *parse, const struct field *field) {
    uint64_t number;
    switch (field->tag) {
    case FIELD_SANDBOX_ID:
        if (!is_sandbox_id(field)) return CONFIGURATION_BAD_VALUE;
        memcpy(parse->found.sandbox_id, field->bytes, field->length);
        parse->found.sandbox_id[field->length] = '\0';
        parse->has_id = true;
        break;
    case FIELD_GENERATION:
        if (!field_number(field, 4, &number)) return CONFIGURATION_BAD_LAYOUT;
        parse->found.generation = (uint32_t)number;
        parse->has_generation = true;
        break;
    case FIELD_KEY:
        if (field->length != SHA256_BYTES) return CONFIGURATION_BAD_LAYOUT;
        memcpy(parse->found.key, field->bytes, SHA256_BYTES);
        parse->has_key = true;
        break;
    case FIELD_ENV:
        if (!env_entry_is_valid(field) || parse->found.env_count == ENV_MAX_COUNT) return CONFIGURATION_BAD_VALUE;
        parse->found.env_count++;
        parse->env_bytes += field->length + 1u;
        break;
    }
    return CONFIGURATION_READY;
}

static char **copy_env(const struct parse *parse, const uint8_t *payload, size_t length) {
    size_t pointers = parse->found.env_count + 1;
    char **env = malloc(pointers * sizeof *env + parse->env_bytes);
    if (env == NULL) abort();
    char *text = (char *)(env + pointers);
    size_t count = 0;
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    while (field_next(&reader, &field) == FIELD_READY) {
        if (field.tag != FIELD_ENV) continue;
        env[count++] = text;
        memcpy(text, field.bytes, field.length);
        text[field.length] = '\0';
        text += field.length + 1;
    }
    env[count] = NULL;
    return env;
}

enum configuration_result configuration_parse(struct configuration *configuration, const uint8_t *payload,
                                              size_t length) {
    if (!fields_valid(payload, length)) return CONFIGURATION_BAD_LAYOUT;
    struct parse parse = {.has_id = false};
    struct field_reader reader = fields_of(payload, length);
    struct field field;
    while (field_next(&reader, &field) == FIELD_READY) {
        enum configuration_result result = take(&parse, &field);
        if (result != CONFIGURATION_READY) return result;
    }
    if (!parse.has_id || !parse.has_generation || !parse.has_key) return CONFIGURATION_BAD_VALUE;
    parse.found.env = copy_env(&parse, payload, length);
    *configuration = parse.found;
    return CONFIGURATION_READY;
}

/* The payload of `configure`. */
#ifndef SANDGATE_CONFIGURATION_H
#define SANDGATE_CONFIGURATION_H

#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

#define MEMBER_ID_BYTES 8
#define NONCE_BYTES 32
#define SANDBOX_ID_MAX_BYTES 128
#define ENV_MAX_COUNT 1024

struct configuration {
    char sandbox_id[SANDBOX_ID_MAX_BYTES + 1];
    uint32_t generation;
    uint8_t key[SHA256_BYTES];
    char **env; // one allocation: the pointers, then the strings
    size_t env_count;
};

enum configuration_result { CONFIGURATION_READY, CONFIGURATION_BAD_VALUE, CONFIGURATION_BAD_LAYOUT };

/* Fills *configuration only when everything is right; the caller owns `env`, to be freed as one block. */
enum configuration_result configuration_parse(struct configuration *configuration, const uint8_t *payload,
                                              size_t length);

#endif

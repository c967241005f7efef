#include "session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "fields.h"
#include "link.h"
#include "protocol.h"
#include "sha256.h"

static struct {
    char member_id[MEMBER_ID_BYTES + 1];
    bool greeted;
    bool configured;
    struct configuration configuration;
} session;

void session_init(const char *member_id) {
    memcpy(session.member_id, member_id, MEMBER_ID_BYTES);
}

bool session_is_greeted(void) {
    return session.greeted;
}

bool session_is_configured(void) {
    return session.configured;
}

char *const *session_env(size_t *count) {
    *count = session.configuration.env_count;
    return session.configuration.env;
}

void session_on_link_lost(void) {
    session.greeted = false;
}

static void put_proof(struct field_writer *hello, const uint8_t nonce[NONCE_BYTES]) {
    const struct configuration *configuration = &session.configuration;
    uint8_t proof[SHA256_BYTES];
    struct hmac_sha256 mac;
    hmac_sha256_init(&mac, configuration->key);
    hmac_sha256_update(&mac, nonce, NONCE_BYTES);
    hmac_sha256_update(&mac, session.member_id, MEMBER_ID_BYTES);
    hmac_sha256_update(&mac, configuration->sandbox_id, strlen(configuration->sandbox_id));
    hmac_sha256_final(&mac, proof);
    put_bytes(hello, FIELD_SANDBOX_ID, configuration->sandbox_id, strlen(configuration->sandbox_id));
    put_number(hello, FIELD_GENERATION, configuration->generation, 4);
    put_bytes(hello, FIELD_PROOF, proof, sizeof proof);
}

static void on_challenge(const struct frame *frame) {
    const uint8_t *nonce = NULL;
    uint64_t version = 0, newest = 0;
    struct field_reader reader = fields_of(frame->payload, frame->length);
    struct field field;
    enum field_result result;
    while ((result = field_next(&reader, &field)) == FIELD_READY) {
        if (field.tag == FIELD_VERSION && !field_number(&field, 2, &version)) break;
        if (field.tag == FIELD_NEWEST_VERSION && !field_number(&field, 2, &newest)) break;
        if (field.tag != FIELD_NONCE) continue;
        if (field.length != NONCE_BYTES) break;
        nonce = field.bytes;
    }
    if (session.greeted || result != FIELD_DONE || nonce == NULL || version != PROTOCOL_OLDEST_VERSION) {
        link_fail("bad challenge");
        return;
    }
    struct field_writer hello = {.length = 0};
    // A host that names no newest version is of the first generation.
    if (newest < PROTOCOL_OLDEST_VERSION) newest = PROTOCOL_OLDEST_VERSION;
    put_number(&hello, FIELD_VERSION, newest < PROTOCOL_VERSION ? newest : PROTOCOL_VERSION, 2);
    put_bytes(&hello, FIELD_MEMBER_ID, session.member_id, MEMBER_ID_BYTES);
    if (session.configured) put_proof(&hello, nonce);
    link_send_fields(FRAME_HELLO, 0, &hello);
    session.greeted = true;
}

static void refuse(enum sandboxd_error code, const char *message) {
    struct field_writer fields = {.length = 0};
    put_error(&fields, code, message);
    link_send_fields(FRAME_REFUSED, 0, &fields);
}

static void on_configure(const struct frame *frame) {
    if (session.configured) {
        refuse(ERROR_ALREADY_CONFIGURED, "a sandbox is configured once");
        return;
    }
    switch (configuration_parse(&session.configuration, frame->payload, frame->length)) {
    case CONFIGURATION_READY:
        session.configured = true;
        link_send(FRAME_CONFIGURED, 0, NULL, 0);
        break;
    case CONFIGURATION_BAD_VALUE:
        refuse(ERROR_BAD_REQUEST, "sandboxId, generation, key or env is missing or malformed");
        break;
    case CONFIGURATION_BAD_LAYOUT:
        link_fail("bad configure");
        break;
    }
}

void session_on_frame(const struct frame *frame) {
    if (frame->type == FRAME_CHALLENGE) on_challenge(frame);
    else if (frame->type == FRAME_CONFIGURE) on_configure(frame);
    else link_send(FRAME_PONG, 0, frame->payload, frame->length);
}

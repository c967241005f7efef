#ifndef SANDGATE_SHA256_H
#define SANDGATE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

struct sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    uint8_t block[64];
};

struct hmac_sha256 {
    struct sha256 inner;
    uint8_t outer_pad[64];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *bytes, size_t length);
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

/* HMAC-SHA256 with a key of SHA256_BYTES (FIPS 198-1); longer keys do not occur on the wire. */
void hmac_sha256_init(struct hmac_sha256 *mac, const uint8_t key[SHA256_BYTES]);
void hmac_sha256_update(struct hmac_sha256 *mac, const void *bytes, size_t length);
void hmac_sha256_final(struct hmac_sha256 *mac, uint8_t digest[SHA256_BYTES]);

#endif

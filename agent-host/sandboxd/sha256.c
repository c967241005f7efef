/* SHA-256 (FIPS 180-4) and HMAC over it. Speed is of no matter: one short message per connection. */
#include "sha256.h"

#include <string.h>

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, unsigned bits) {
    return word >> bits | word << (32 - bits);
}

static void compress(struct sha256 *hash, const uint8_t block[64]) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 | (uint32_t)block[i * 4 + 2] << 8 |
               block[i * 4 + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, hash->state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constants[i] + w[i];
        uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) hash->state[i] += v[i];
}

void sha256_init(struct sha256 *hash) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, start, sizeof start);
    hash->total_bytes = 0;
}

void sha256_update(struct sha256 *hash, const void *bytes, size_t length) {
    const uint8_t *from = bytes;
    for (size_t i = 0; i < length; i++) {
        hash->block[hash->total_bytes++ % 64] = from[i];
        if (hash->total_bytes % 64 == 0) compress(hash, hash->block);
    }
}

void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]) {
    uint64_t total_bits = hash->total_bytes * 8;
    sha256_update(hash, "\x80", 1);
    while (hash->total_bytes % 64 != 56) sha256_update(hash, "", 1);
    for (int i = 7; i >= 0; i--) {
        uint8_t byte = (uint8_t)(total_bits >> (i * 8));
        sha256_update(hash, &byte, 1);
    }
    for (int i = 0; i < SHA256_BYTES; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - i % 4 * 8));
}

void hmac_sha256_init(struct hmac_sha256 *mac, const uint8_t key[SHA256_BYTES]) {
    uint8_t inner_pad[64];
    for (int i = 0; i < 64; i++) {
        uint8_t byte = i < SHA256_BYTES ? key[i] : 0;
        inner_pad[i] = byte ^ 0x36;
        mac->outer_pad[i] = byte ^ 0x5c;
    }
    sha256_init(&mac->inner);
    sha256_update(&mac->inner, inner_pad, sizeof inner_pad);
}

void hmac_sha256_update(struct hmac_sha256 *mac, const void *bytes, size_t length) {
    sha256_update(&mac->inner, bytes, length);
}

void hmac_sha256_final(struct hmac_sha256 *mac, uint8_t digest[SHA256_BYTES]) {
    uint8_t inner_digest[SHA256_BYTES];
    sha256_final(&mac->inner, inner_digest);
    struct sha256 outer;
    sha256_init(&outer);
    sha256_update(&outer, mac->outer_pad, sizeof mac->outer_pad);
    sha256_update(&outer, inner_digest, sizeof inner_digest);
    sha256_final(&outer, digest);
}

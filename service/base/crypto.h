/*
 * crypto: the only file that knows libcrypto. HMAC-SHA256, SHA-256, base64, constant-time
 * comparison, random bytes, and sealing of secrets at rest with AES-256-GCM.
 * Stateless but for the keys in the caller's struct; any thread.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define CRY_HASH 32

/* Both end the process if libcrypto fails, which it does only without memory. Empty KEY and MESSAGE
 * are allowed. */
void cry_hmac_sha256(struct str key, struct str message, uint8_t out[CRY_HASH]);
void cry_sha256(struct str message, uint8_t out[CRY_HASH]);
/* First 8 bytes of SHA-256 as 16 lower-case hex digits and a NUL: marks and short hashes. */
void cry_short_hash(struct str message, char out[17]);
/* Equal in time that depends only on the lengths. */
bool cry_equal(struct str a, struct str b);
/* Standard base64 with padding, surrounding white space allowed; ERR_SYNTAX otherwise. Appends. */
enum err cry_base64_decode(struct str text, struct buf *out, struct errinfo *info) MUST_CHECK;
void cry_base64_encode(struct str bytes, struct buf *out);
void cry_hex(const uint8_t *bytes, size_t n, struct buf *out);
/* From the kernel's generator; ends the process if there is none. */
void cry_random(void *out, size_t n);
/* A random UUID (version 4) in text. */
void cry_uuid(char out[37]);
void cry_wipe(void *p, size_t n);

/* The current key seals; the current and the previous one open. id = short hash of the key, kept in
 * the sealed text so that rotation finds which key to use. Wipe with cry_keys_wipe. */
struct cry_keys {
    uint8_t key[2][32];
    char id[2][9]; /* "" = not set */
};

/* BASE64 of exactly 32 bytes each; PREVIOUS may be empty. ERR_CONFIG with a sentence. */
enum err cry_keys_set(struct cry_keys *keys, struct str current, struct str previous,
                      struct errinfo *info) MUST_CHECK;
void cry_keys_wipe(struct cry_keys *keys);
/* Appends "v1.<key id>.<base64 of nonce, ciphertext, tag>". CONTEXT (what the secret is for, e.g.
 * "store/shopify/x/webhook") is authenticated, so a sealed text moved elsewhere does not open. */
enum err cry_seal(const struct cry_keys *keys, struct str secret, struct str context,
                  struct buf *out) MUST_CHECK;
/* ERR_CRYPTO: not sealed by one of KEYS, or for another context, or damaged. Appends. */
enum err cry_open(const struct cry_keys *keys, struct str sealed, struct str context,
                  struct buf *out, struct errinfo *info) MUST_CHECK;
/* Whether SEALED was made with the current one of KEYS: if not, it is to be sealed anew at the next
 * chance, so that the previous key can go. */
bool cry_sealed_by_current(const struct cry_keys *keys, struct str sealed);

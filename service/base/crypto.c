#include "service/base/crypto.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define GCM_NONCE 12
#define GCM_TAG 16
#define SEAL_VERSION "v1."

/* A sealed secret is a token or a key; this bounds what is decoded on the way to finding out. */
#define SEAL_MAX (64u << 10)

/* OpenSSL 3 looks an algorithm up in its providers at every use unless it was fetched before. Set
 * once by fetch(), only read afterwards. */
static EVP_MD *sha256;
static EVP_MAC *hmac;
static EVP_CIPHER *aes256_gcm;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (!sha256 || !hmac || !aes256_gcm)
        x_die("crypto", "libcrypto lacks SHA-256, HMAC or AES-256-GCM; the process ends.");
}

void cry_sha256(struct str message, uint8_t out[CRY_HASH])
{
    (void)pthread_once(&fetched, fetch);
    if (EVP_Digest(message.p, message.n, out, NULL, sha256, NULL) != 1)
        x_die("crypto", "libcrypto failed to hash; the process ends.");
}

void cry_hmac_sha256(struct str key, struct str message, uint8_t out[CRY_HASH])
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    /* A key of no bytes must still be a key: NULL means "the one of the last time". */
    const uint8_t *key_bytes = key.n > 0 ? (const uint8_t *)key.p : (const uint8_t *)"";
    EVP_MAC_CTX *ctx = NULL;

    (void)pthread_once(&fetched, fetch);
    ctx = EVP_MAC_CTX_new(hmac);
    if (!ctx || EVP_MAC_init(ctx, key_bytes, key.n, params) != 1 ||
        EVP_MAC_update(ctx, (const uint8_t *)message.p, message.n) != 1 ||
        EVP_MAC_final(ctx, out, NULL, CRY_HASH) != 1)
        x_die("crypto", "libcrypto failed to compute an HMAC; the process ends.");
    EVP_MAC_CTX_free(ctx);
}

static void hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void cry_short_hash(struct str message, char out[17])
{
    uint8_t hash[CRY_HASH];

    cry_sha256(message, hash);
    hex(hash, 8, out);
    out[16] = '\0';
}

bool cry_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void cry_hex(const uint8_t *bytes, size_t n, struct buf *out)
{
    char *to = n <= out->cap / 2 ? buf_reserve(out, 2 * n) : buf_reserve(out, out->cap + 1);

    if (!to)
        return;
    hex(bytes, n, to);
    buf_added(out, 2 * n);
}

/* ---- base64 ---- */

void cry_base64_encode(struct str bytes, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = (const uint8_t *)bytes.p;
    size_t groups = bytes.n / 3 + (bytes.n % 3 != 0);
    char *to = buf_reserve(out, groups <= out->cap / 4 ? groups * 4 : out->cap + 1);

    if (!to)
        return;
    for (size_t i = 0; i < bytes.n; i += 3, to += 4) {
        size_t left = bytes.n - i;
        uint32_t group = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                         (left > 2 ? p[i + 2] : 0);

        to[0] = digits[group >> 18];
        to[1] = digits[group >> 12 & 63];
        to[2] = left > 1 ? digits[group >> 6 & 63] : '=';
        to[3] = left > 2 ? digits[group & 63] : '=';
    }
    buf_added(out, groups * 4);
}

/* The value of a base64 digit, or 64 for anything else. */
static uint32_t base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four digits to COUNT bytes; the bits that COUNT bytes leave over must be 0. */
static bool decode_group(const char *p, size_t count, uint8_t out[3])
{
    uint32_t group = 0, bad = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i <= count ? base64_value(p[i]) : 0;

        bad |= value & 64;
        group = group << 6 | (value & 63);
    }
    for (size_t i = 0; i < 3; i++)
        out[i] = (uint8_t)(group >> (16 - 8 * i));
    return bad == 0 && (count > 1 || out[1] == 0) && (count > 2 || out[2] == 0);
}

enum err cry_base64_decode(struct str text, struct buf *out, struct errinfo *info)
{
    size_t padding = 0, n = 0;
    char *to = NULL;

    text = str_trim(text);
    if (text.n % 4 != 0)
        return err_set(info, ERR_SYNTAX, "Base64 text comes in groups of four characters.");
    if (text.n > 0 && text.p[text.n - 1] == '=')
        padding = text.p[text.n - 2] == '=' ? 2 : 1;
    n = text.n / 4 * 3 - padding;
    to = buf_reserve(out, n);
    if (!to)
        return err_set(info, ERR_TOO_BIG, "Base64 text decodes to more than %zu bytes.", out->cap);
    for (size_t i = 0, done = 0; i < text.n; i += 4, done += 3) {
        uint8_t bytes[3];
        size_t count = n - done < 3 ? n - done : 3;

        if (!decode_group(text.p + i, count, bytes)) {
            to[0] = '\0';
            return err_set(info, ERR_SYNTAX, "Base64 text is damaged near character %zu.", i + 1);
        }
        memcpy(to + done, bytes, count);
    }
    buf_added(out, n);
    return ERR_OK;
}

/* ---- random ---- */

void cry_random(void *out, size_t n)
{
    char *p = out;

    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            x_die("crypto", "The kernel gives no random bytes; the process ends.");
        p += got;
        n -= (size_t)got;
    }
}

void cry_uuid(char out[37])
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    uint8_t bytes[16];
    size_t at = 0;

    cry_random(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < 5; i++) {
        hex(bytes + at, groups[i], out);
        out += 2 * groups[i];
        at += groups[i];
        *out++ = '-';
    }
    out[-1] = '\0';
}

void cry_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

/* ---- sealing ---- */

static enum err set_key(struct cry_keys *keys, int i, struct str text, const char *which,
                        struct errinfo *info)
{
    struct buf raw = BUF_CAP(64);
    enum err e = cry_base64_decode(text, &raw, NULL);
    char hash[17];

    if (e != ERR_OK || raw.n != sizeof keys->key[i]) {
        e = err_set(info, ERR_CONFIG, "The %s key is not 32 bytes in base64.", which);
        goto out;
    }
    memcpy(keys->key[i], raw.p, raw.n);
    cry_short_hash(buf_str(&raw), hash);
    memcpy(keys->id[i], hash, sizeof keys->id[i] - 1);
out:
    buf_free_secret(&raw);
    return e;
}

enum err cry_keys_set(struct cry_keys *keys, struct str current, struct str previous,
                      struct errinfo *info)
{
    enum err e = ERR_OK;

    *keys = (struct cry_keys){0};
    e = set_key(keys, 0, current, "current", info);
    if (e == ERR_OK && str_trim(previous).n > 0)
        e = set_key(keys, 1, previous, "previous", info);
    if (e != ERR_OK)
        cry_keys_wipe(keys);
    return e;
}

void cry_keys_wipe(struct cry_keys *keys)
{
    if (keys)
        cry_wipe(keys, sizeof *keys);
}

/* One pass of AES-256-GCM. IN and OUT may not overlap; OUT has IN's length. Sealing writes TAG,
 * opening checks it: false then says that key, context or text are not the sealed ones. */
static bool gcm(bool sealing, const uint8_t key[32], const uint8_t nonce[GCM_NONCE],
                struct str context, struct str in, uint8_t *out, uint8_t tag[GCM_TAG])
{
    EVP_CIPHER_CTX *ctx = NULL;
    int n = 0;
    bool ok = false;

    (void)pthread_once(&fetched, fetch);
    ctx = EVP_CIPHER_CTX_new();
    if (!ctx || in.n > INT_MAX || context.n > INT_MAX)
        goto out;
    ok = EVP_CipherInit_ex2(ctx, aes256_gcm, key, nonce, sealing, NULL) == 1 &&
         (sealing || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) == 1) &&
         EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)context.p, (int)context.n) == 1 &&
         EVP_CipherUpdate(ctx, out, &n, (const uint8_t *)in.p, (int)in.n) == 1 &&
         EVP_CipherFinal_ex(ctx, out + n, &n) == 1 &&
         (!sealing || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag) == 1);
out:
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

enum err cry_seal(const struct cry_keys *keys, struct str secret, struct str context,
                  struct buf *out)
{
    struct buf raw = BUF_CAP(SEAL_MAX);
    size_t n = GCM_NONCE + secret.n + GCM_TAG;
    uint8_t *p = NULL;
    enum err e = ERR_OK;

    if (keys->id[0][0] == '\0')
        return ERR_CRYPTO;
    p = (uint8_t *)buf_reserve(&raw, n);
    if (!p)
        return ERR_TOO_BIG;
    cry_random(p, GCM_NONCE);
    if (!gcm(true, keys->key[0], p, context, secret, p + GCM_NONCE, p + GCM_NONCE + secret.n)) {
        e = ERR_CRYPTO;
        goto out;
    }
    buf_added(&raw, n);
    buf_printf(out, SEAL_VERSION "%s.", keys->id[0]);
    cry_base64_encode(buf_str(&raw), out);
    e = buf_check(out);
out:
    buf_free_secret(&raw);
    return e;
}

/* Which of KEYS sealed TEXT; leaves what is behind "v1.<id>." in *TEXT. NULL: none. */
static const uint8_t *key_for(const struct cry_keys *keys, struct str *text)
{
    struct str id;

    if (!str_starts(*text, STR(SEAL_VERSION)))
        return NULL;
    text->p += sizeof SEAL_VERSION - 1;
    text->n -= sizeof SEAL_VERSION - 1;
    id = str_split(text, '.');
    for (int i = 0; i < 2; i++) {
        if (keys->id[i][0] != '\0' && str_eq(id, str_of(keys->id[i])))
            return keys->key[i];
    }
    return NULL;
}

enum err cry_open(const struct cry_keys *keys, struct str sealed, struct str context,
                  struct buf *out, struct errinfo *info)
{
    struct buf raw = BUF_CAP(SEAL_MAX);
    const uint8_t *key = key_for(keys, &sealed);
    size_t n = 0;
    uint8_t *p = NULL;
    char *to = NULL;
    enum err e = ERR_OK;

    if (!key)
        return err_set(info, ERR_CRYPTO, "It was sealed with a key that is not set here.");
    if (cry_base64_decode(sealed, &raw, NULL) != ERR_OK || raw.n < GCM_NONCE + GCM_TAG) {
        e = err_set(info, ERR_CRYPTO, "The sealed text is damaged.");
        goto out;
    }
    n = raw.n - GCM_NONCE - GCM_TAG;
    p = (uint8_t *)raw.p;
    to = buf_reserve(out, n);
    if (!to) {
        e = err_set(info, ERR_TOO_BIG, "The secret is larger than %zu bytes.", out->cap);
        goto out;
    }
    if (!gcm(false, key, p, context, (struct str){raw.p + GCM_NONCE, n}, (uint8_t *)to,
             p + GCM_NONCE + n)) {
        cry_wipe(to, n + 1);
        e = err_set(info, ERR_CRYPTO, "The sealed text is damaged or belongs to something else.");
        goto out;
    }
    buf_added(out, n);
out:
    buf_free_secret(&raw);
    return e;
}

bool cry_sealed_by_current(const struct cry_keys *keys, struct str sealed)
{
    return key_for(keys, &sealed) == keys->key[0];
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/crypto.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "//////////////////////////////////////////8="

static void assert_hex(const uint8_t *bytes, size_t n, const char *wanted)
{
    struct buf hex = BUF_CAP(256);

    cry_hex(bytes, n, &hex);
    assert_string_equal(buf_z(&hex), wanted);
    buf_free(&hex);
}

static void hashes_are_those_of_the_standards(void **state)
{
    uint8_t out[CRY_HASH];
    char text[17];

    (void)state;
    cry_sha256(STR("abc"), out);
    assert_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cry_sha256((struct str){NULL, 0}, out);
    assert_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cry_short_hash(STR("abc"), text);
    assert_string_equal(text, "ba7816bf8f01cfea");
}

/* RFC 4231, test cases 1, 2, 6, and a key of no bytes. */
static void hmacs_are_those_of_the_standard(void **state)
{
    char long_key[131];
    uint8_t out[CRY_HASH];

    (void)state;
    memset(long_key, 0xaa, sizeof long_key);
    cry_hmac_sha256(
        STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
        STR("Hi There"), out);
    assert_hex(out, sizeof out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    cry_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_hex(out, sizeof out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    cry_hmac_sha256((struct str){long_key, sizeof long_key},
                    STR("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, sizeof out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    cry_hmac_sha256((struct str){NULL, 0}, (struct str){NULL, 0}, out);
    assert_hex(out, sizeof out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void equality_looks_at_every_byte_and_the_length(void **state)
{
    (void)state;
    assert_true(cry_equal(STR("secret"), STR("secret")));
    assert_true(cry_equal(STR(""), (struct str){NULL, 0}));
    assert_false(cry_equal(STR("secret"), STR("secreT")));
    assert_false(cry_equal(STR("Secret"), STR("secret")));
    assert_false(cry_equal(STR("secret"), STR("secret ")));
    assert_false(cry_equal(STR("a\0b"), STR("a\0c")));
}

static void base64_of_every_length_comes_back(void **state)
{
    char bytes[70];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 37 + 200);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf text = BUF_CAP(200), back = BUF_CAP(200);

        cry_base64_encode((struct str){bytes, n}, &text);
        assert_int_equal(text.n, (n + 2) / 3 * 4);
        assert_int_equal(cry_base64_decode(buf_str(&text), &back, NULL), ERR_OK);
        assert_true(str_eq(buf_str(&back), (struct str){bytes, n}));
        buf_free(&text);
        buf_free(&back);
    }
}

static void base64_is_read_strictly(void **state)
{
    static const struct {
        struct str text;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {STR_INIT(""), ""},
        {STR_INIT("Zg=="), "f"},
        {STR_INIT("Zm8="), "fo"},
        {STR_INIT("Zm9v"), "foo"},
        {STR_INIT(" Zm9v\r\n"), "foo"},
        {STR_INIT("Zm9vYg=="), "foob"},
        {STR_INIT("Zg"), NULL},
        {STR_INIT("Zg="), NULL},
        {STR_INIT("Zh=="), NULL},
        {STR_INIT("Zm9="), NULL},
        {STR_INIT("Z==="), NULL},
        {STR_INIT("===="), NULL},
        {STR_INIT("Zg==Zg=="), NULL},
        {STR_INIT("Zm 9v"), NULL},
        {STR_INIT("Zm9_"), NULL},
        {STR_INIT("Zm9-"), NULL},
        {STR_INIT("Zm\0v"), NULL},
        {STR_INIT("=Zm9"), NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_CAP(100);
        enum err e = cry_base64_decode(rows[i].text, &out, NULL);

        if (e != (rows[i].bytes ? ERR_OK : ERR_SYNTAX) ||
            strcmp(buf_z(&out), rows[i].bytes ? rows[i].bytes : "") != 0)
            fail_msg("row %zu: %s", i, err_text(e));
        buf_free(&out);
    }
}

static void random_bytes_and_uuids_differ_and_have_their_form(void **state)
{
    char a[37], b[37];

    (void)state;
    cry_uuid(a);
    cry_uuid(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    for (int i = 0; i < 36; i++)
        assert_int_equal(a[i] == '-', i == 8 || i == 13 || i == 18 || i == 23);
}

static void keys(struct cry_keys *out, struct str current, struct str previous)
{
    struct errinfo info = {0};

    if (cry_keys_set(out, current, previous, &info) != ERR_OK)
        fail_msg("%s", info.text);
}

static void what_was_sealed_opens_with_its_key_and_context_only(void **state)
{
    struct cry_keys a, b;
    struct buf sealed = BUF_CAP(1000), out = BUF_CAP(1000);
    struct errinfo info = {0};

    (void)state;
    keys(&a, STR(KEY_A), STR(""));
    keys(&b, STR(KEY_B), STR(""));
    assert_int_equal(cry_seal(&a, STR("top\0secret"), STR("store/x/webhook"), &sealed), ERR_OK);
    assert_true(str_starts(buf_str(&sealed), STR("v1.630dcd29.")));
    assert_null(memmem(sealed.p, sealed.n, "secret", 6));
    assert_int_equal(cry_open(&a, buf_str(&sealed), STR("store/x/webhook"), &out, &info), ERR_OK);
    assert_true(str_eq(buf_str(&out), STR("top\0secret")));
    assert_int_equal(cry_open(&a, buf_str(&sealed), STR("store/y/webhook"), &out, &info),
                     ERR_CRYPTO);
    assert_int_equal(cry_open(&a, buf_str(&sealed), STR("store/x/webhooK"), &out, &info),
                     ERR_CRYPTO);
    assert_int_equal(cry_open(&b, buf_str(&sealed), STR("store/x/webhook"), &out, &info),
                     ERR_CRYPTO);
    assert_true(str_eq(buf_str(&out), STR("top\0secret")));
    buf_free(&sealed);
    buf_free(&out);
}

static void a_change_of_any_character_of_a_sealed_text_is_noticed(void **state)
{
    struct cry_keys a;
    struct buf sealed = BUF_CAP(1000);

    (void)state;
    keys(&a, STR(KEY_A), STR(""));
    assert_int_equal(cry_seal(&a, STR("secret"), STR("c"), &sealed), ERR_OK);
    for (size_t i = 0; i < sealed.n; i++) {
        struct buf out = BUF_CAP(1000);
        struct errinfo info = {0};
        char was = sealed.p[i];

        sealed.p[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(cry_open(&a, buf_str(&sealed), STR("c"), &out, &info), ERR_CRYPTO);
        assert_int_equal(out.n, 0);
        sealed.p[i] = was;
        assert_int_equal(cry_open(&a, (struct str){sealed.p, i}, STR("c"), &out, &info),
                         ERR_CRYPTO);
        buf_free(&out);
    }
    buf_free(&sealed);
}

static void the_previous_key_still_opens_and_the_current_one_seals(void **state)
{
    struct cry_keys old, both;
    struct buf sealed = BUF_CAP(1000), out = BUF_CAP(1000);
    struct errinfo info = {0};

    (void)state;
    keys(&old, STR(KEY_A), STR(""));
    keys(&both, STR(KEY_B), STR(KEY_A "\n"));
    assert_int_equal(cry_seal(&old, STR("secret"), STR("c"), &sealed), ERR_OK);
    assert_int_equal(cry_open(&both, buf_str(&sealed), STR("c"), &out, &info), ERR_OK);
    assert_string_equal(buf_z(&out), "secret");
    buf_reset(&sealed);
    assert_int_equal(cry_seal(&both, STR("secret"), STR("c"), &sealed), ERR_OK);
    assert_int_equal(cry_open(&old, buf_str(&sealed), STR("c"), &out, &info), ERR_CRYPTO);
    buf_free(&sealed);
    buf_free(&out);
}

static void the_same_secret_is_never_sealed_to_the_same_text(void **state)
{
    struct cry_keys a;
    struct buf one = BUF_CAP(1000), two = BUF_CAP(1000);

    (void)state;
    keys(&a, STR(KEY_A), STR(""));
    assert_int_equal(cry_seal(&a, STR(""), STR(""), &one), ERR_OK);
    assert_int_equal(cry_seal(&a, STR(""), STR(""), &two), ERR_OK);
    assert_false(str_eq(buf_str(&one), buf_str(&two)));
    buf_free(&one);
    buf_free(&two);
}

static void keys_are_32_bytes_and_without_them_nothing_is_sealed(void **state)
{
    static const char *const bad[] = {"", "AAECAwQF", KEY_A "AAAA", "not base64, at all"};
    struct cry_keys k;
    struct buf out = BUF_CAP(1000);
    struct errinfo info = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(cry_keys_set(&k, str_of(bad[i]), STR(""), &info), ERR_CONFIG);
        assert_int_equal(cry_seal(&k, STR("x"), STR("c"), &out), ERR_CRYPTO);
    }
    assert_int_equal(cry_keys_set(&k, STR(KEY_A), STR("short"), &info), ERR_CONFIG);
    assert_non_null(strstr(info.text, "previous"));
    keys(&k, STR(KEY_A), STR(KEY_B));
    cry_keys_wipe(&k);
    assert_int_equal(cry_seal(&k, STR("x"), STR("c"), &out), ERR_CRYPTO);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_standards),
        cmocka_unit_test(hmacs_are_those_of_the_standard),
        cmocka_unit_test(equality_looks_at_every_byte_and_the_length),
        cmocka_unit_test(base64_of_every_length_comes_back),
        cmocka_unit_test(base64_is_read_strictly),
        cmocka_unit_test(random_bytes_and_uuids_differ_and_have_their_form),
        cmocka_unit_test(what_was_sealed_opens_with_its_key_and_context_only),
        cmocka_unit_test(a_change_of_any_character_of_a_sealed_text_is_noticed),
        cmocka_unit_test(the_previous_key_still_opens_and_the_current_one_seals),
        cmocka_unit_test(the_same_secret_is_never_sealed_to_the_same_text),
        cmocka_unit_test(keys_are_32_bytes_and_without_them_nothing_is_sealed),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}

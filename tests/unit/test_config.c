#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/base/config.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "//////////////////////////////////////////8="
#define T32 "0123456789abcdef0123456789abcdef"

/* What each program needs, in front of a test's own variables. */
#define RECEIVER "LH_HOOK_KEY=" KEY_A, "LH_ADMIN_TOKEN=" T32, "LH_SUPPORT_TOKEN=" T32
#define WORKER "LH_HOOK_KEY=" KEY_A, "LH_MASTER_KEY=" KEY_B

/* An environment as main gets it. */
#define ENV(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

/* Loads ENV, which must be bad, and returns what was said. */
static const char *problems_of(enum cfg_program program, char *const *env, struct buf *problems)
{
    struct cfg cfg = {0};

    buf_init(problems, 8192);
    assert_int_equal(cfg_load(program, env, &cfg, problems), ERR_CONFIG);
    assert_null(cfg.arena.head);
    assert_null(cfg.redis_url);
    return buf_z(problems);
}

static void load(enum cfg_program program, char *const *env, struct cfg *cfg)
{
    struct buf problems = BUF_CAP(8192);

    if (cfg_load(program, env, cfg, &problems) != ERR_OK)
        fail_msg("%s", buf_z(&problems));
    buf_free(&problems);
}

static void defaults_are_those_of_the_documents(void **state)
{
    struct cfg c;

    (void)state;
    load(CFG_RECEIVER, ENV(RECEIVER, "HOME=/root"), &c);
    assert_string_equal(c.listen, "0.0.0.0:8080");
    assert_string_equal(c.api_listen, "0.0.0.0:8081");
    assert_string_equal(c.ops_listen, "0.0.0.0:9090");
    assert_string_equal(c.redis_url, "redis://127.0.0.1:6379");
    assert_int_equal(c.threads, 1400);
    assert_int_equal(c.active, 128);
    assert_int_equal(c.max_body, 8388608);
    assert_int_equal(c.drain_s, 25);
    assert_int_equal(c.retention_days, 30);
    assert_int_equal(c.log_days, 7);
    assert_string_equal(c.log_level, "info");
    assert_string_equal(c.log_format, "json");
    assert_null(c.public_url);
    assert_int_equal(c.workers, 0); /* the worker's: not read */
    cfg_free(&c);
    load(CFG_WORKER, ENV(WORKER), &c);
    assert_int_equal(c.drain_s, 60);
    assert_int_equal(c.workers, 16);
    assert_int_equal(c.lease_s, 120);
    assert_int_equal(c.max_attempts, 8);
    assert_int_equal(c.linger_max_s, 900);
    assert_int_equal(c.day_reserve, 5);
    assert_string_equal(c.xero_api_url, "https://api.xero.com");
    assert_string_equal(c.xero_identity_url, "https://identity.xero.com");
    assert_string_equal(c.xero_login_url, "https://login.xero.com");
    assert_string_equal(c.xero_scopes, "offline_access accounting.invoices accounting.payments "
                                       "accounting.contacts accounting.settings.read");
    assert_null(c.listen);
    cfg_free(&c);
    assert_null(c.redis_url);
    cfg_free(NULL);
}

static void values_of_the_environment_are_taken(void **state)
{
    struct cfg c;

    (void)state;
    load(CFG_WORKER,
         ENV(WORKER, "LH_WORKERS=3", "LH_REDIS_URL=unix:///run/redis.sock", "LH_LEASE=5",
             "LH_HOOK_KEY_PREVIOUS=" KEY_B, "LH_LOG_LEVEL=debug", "LH_LOG_FORMAT=text",
             "LH_XERO_API_URL=http://127.0.0.1:8099", "LH_OPS_LISTEN=[::1]:0"),
         &c);
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.lease_s, 5);
    assert_string_equal(c.redis_url, "unix:///run/redis.sock");
    assert_true(str_eq(c.hook_key, STR(KEY_A)));
    assert_true(str_eq(c.hook_key_previous, STR(KEY_B)));
    assert_true(str_eq(c.master_key, STR(KEY_B)));
    assert_string_equal(c.log_level, "debug");
    assert_string_equal(c.ops_listen, "[::1]:0");
    assert_string_equal(c.xero_api_url, "http://127.0.0.1:8099");
    cfg_free(&c);
}

static void what_reads_shops_is_told_where_and_as_whom(void **state)
{
    struct cfg c;

    (void)state;
    load(CFG_WORKER, ENV(WORKER, "LH_LOG_LEVEL=info"), &c);
    assert_null(c.amazon_api_url); /* Amazon's own, by region */
    assert_null(c.shopify_api_url);
    assert_null(c.amazon_sqs_url);
    assert_string_equal(c.amazon_lwa_url, "https://api.amazon.com");
    cfg_free(&c);
    load(CFG_WORKER,
         ENV(WORKER, "LH_AMAZON_CLIENT_ID=id", "LH_AMAZON_CLIENT_SECRET=secret",
             "LH_AMAZON_SQS_URL=https://sqs.eu-west-1.amazonaws.com/1/q", "AWS_REGION=eu-west-1",
             "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sk", "AWS_SESSION_TOKEN=st"),
         &c);
    assert_true(str_eq(c.amazon_client_id, STR("id")));
    assert_true(str_eq(c.amazon_client_secret, STR("secret")));
    assert_string_equal(c.amazon_sqs_url, "https://sqs.eu-west-1.amazonaws.com/1/q");
    assert_string_equal(c.aws_region, "eu-west-1");
    assert_true(str_eq(c.aws_key_id, STR("AK")));
    assert_true(str_eq(c.aws_secret, STR("sk")));
    assert_true(str_eq(c.aws_session_token, STR("st")));
    cfg_free(&c);
}

static void an_empty_value_is_as_good_as_none(void **state)
{
    struct cfg c;

    (void)state;
    load(CFG_WORKER, ENV(WORKER, "LH_WORKERS=", "LH_PUBLIC_URL=", "LH_MASTER_KEY_FILE="), &c);
    assert_int_equal(c.workers, 16);
    assert_null(c.public_url);
    cfg_free(&c);
}

/* VALUE for NAME, which the receiver or the worker reads: good or not. */
static void values_are_checked_by_their_kind(void **state)
{
    static const struct {
        const char *setting;
        bool good;
    } rows[] = {
        {"LH_LISTEN=127.0.0.1:0", true},
        {"LH_LISTEN=[::]:8080", true},
        {"LH_LISTEN=localhost:65535", true},
        {"LH_LISTEN=8080", false},
        {"LH_LISTEN=:8080", false},
        {"LH_LISTEN=::1:80x", false},
        {"LH_LISTEN=::1:8080", false},
        {"LH_LISTEN=host:", false},
        {"LH_LISTEN=host:65536", false},
        {"LH_LISTEN=host:-1", false},
        {"LH_LISTEN=ho st:1", false},
        {"LH_LISTEN=[::1]", false},
        {"LH_LISTEN=a:1,b:2", false},
        {"LH_PUBLIC_URL=https://hook.example.com", true},
        {"LH_PUBLIC_URL=http://[::1]:8081", true},
        {"LH_PUBLIC_URL=https://hook.example.com/", false},
        {"LH_PUBLIC_URL=https://hook.example.com/path", false},
        {"LH_PUBLIC_URL=https://hook.example.com?a", false},
        {"LH_PUBLIC_URL=https://user@hook.example.com", false},
        {"LH_PUBLIC_URL=https://", false},
        {"LH_PUBLIC_URL=ftp://hook.example.com", false},
        {"LH_PUBLIC_URL=hook.example.com", false},
        {"LH_PUBLIC_URL=https://host:", false},
        {"LH_PUBLIC_URL=https://host:99999", false},
        {"LH_REDIS_URL=redis://:pass@host:6379/0", true},
        {"LH_REDIS_URL=unix:///run/redis.sock", true},
        {"LH_REDIS_URL=redis+sentinel://a:26379,b:26379/main", false},
        {"LH_REDIS_URL=redis://", false},
        {"LH_REDIS_URL=127.0.0.1:6379", false},
        {"LH_REDIS_URL=http://127.0.0.1", false},
        {"LH_REDIS_MIN_REPLICAS=0", true},
        {"LH_REDIS_MIN_REPLICAS=1", false},
        {"LH_REDIS_UNSAFE=1", true},
        {"LH_REDIS_UNSAFE=yes", false},
        {"LH_THREADS=64", true},
        {"LH_THREADS=0", false},
        {"LH_THREADS=1e3", false},
        {"LH_THREADS= 64", false},
        {"LH_THREADS=99999999999999999999", false},
        {"LH_DRAIN=0", true},
        {"LH_DRAIN=-1", false},
        {"LH_MAX_BODY=1048576", true},
        {"LH_LOG_LEVEL=warn", true},
        {"LH_LOG_LEVEL=WARN", false},
        {"LH_LOG_FORMAT=xml", false},
        {"LH_HOOK_KEY_PREVIOUS=" KEY_B, true},
        {"LH_HOOK_KEY_PREVIOUS=AAAA", false},
        {"LH_HOOK_KEY_PREVIOUS=0123456789abcdef0123456789abcdef", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf problems = BUF_CAP(8192);
        struct cfg c;
        char setting[128];
        struct str name = str_of(rows[i].setting), rest = name;
        enum err e = ERR_OK;

        (void)snprintf(setting, sizeof setting, "%s", rows[i].setting);
        name = str_split(&rest, '=');
        e = cfg_load(CFG_RECEIVER, ENV(RECEIVER, setting), &c, &problems);
        if (e != (rows[i].good ? ERR_OK : ERR_CONFIG))
            fail_msg("%s: %s%s", setting, err_text(e), buf_z(&problems));
        if (e != ERR_OK)
            assert_true(str_starts(buf_str(&problems), name));
        cfg_free(&c);
        buf_free(&problems);
    }
}

static void tokens_are_long_named_when_several_and_fit_a_header(void **state)
{
    static const struct {
        const char *value;
        const char *said; /* NULL: good */
    } rows[] = {
        {T32, NULL},
        {"ann:" T32, NULL},
        {"ann:" T32 ",bob:" T32 "x", NULL},
        {"0123456789abcdef0123456789abcde", "32 characters"},
        {"ann:0123456789abcdef0123456789abcde", "32 characters"},
        {T32 "," T32, "needs a name"},
        {"ann:" T32 "," T32, "needs a name"},
        {"ann:" T32 ",ann:" T32, "same name"},
        {"ann:" T32 ",", "needs a name"},
        {":" T32, "has a name"},
        {"a b:" T32, "has a name"},
        {T32 " ", "Authorization"},
        {T32 "\xc3\xa9", "Authorization"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf problems = BUF_CAP(8192);
        struct cfg c;
        char setting[256];
        enum err e = ERR_OK;

        (void)snprintf(setting, sizeof setting, "LH_SUPPORT_TOKEN=%s", rows[i].value);
        e = cfg_load(CFG_RECEIVER, ENV("LH_HOOK_KEY=" KEY_A, "LH_ADMIN_TOKEN=" T32, setting), &c,
                     &problems);
        if (e != (rows[i].said ? ERR_CONFIG : ERR_OK) ||
            (rows[i].said && !strstr(buf_z(&problems), rows[i].said)))
            fail_msg("%s: %s%s", setting, err_text(e), buf_z(&problems));
        assert_null(strstr(buf_z(&problems), "0123456789"));
        cfg_free(&c);
        buf_free(&problems);
    }
}

static void all_faults_are_told_at_once(void **state)
{
    struct buf said;

    (void)state;
    assert_string_equal(
        problems_of(CFG_WORKER, ENV("LH_LEASE=4", "LH_WORKERS=many", "LH_LISTN=x"), &said),
        "LH_LISTN: is no variable of ledgerhook; did you mean LH_LISTEN?\n"
        "LH_HOOK_KEY: is required (or LH_HOOK_KEY_FILE)\n"
        "LH_MASTER_KEY: is required (or LH_MASTER_KEY_FILE)\n"
        "LH_WORKERS: must be a whole number from 1 to 256\n"
        "LH_LEASE: must be a whole number from 5 to 3600\n");
    buf_free(&said);
}

static void each_program_requires_its_own_secrets(void **state)
{
    struct buf said;

    (void)state;
    assert_string_equal(problems_of(CFG_RECEIVER, ENV("X=1"), &said),
                        "LH_HOOK_KEY: is required (or LH_HOOK_KEY_FILE)\n"
                        "LH_ADMIN_TOKEN: is required (or LH_ADMIN_TOKEN_FILE)\n"
                        "LH_SUPPORT_TOKEN: is required (or LH_SUPPORT_TOKEN_FILE)\n");
    buf_free(&said);
    assert_string_equal(problems_of(CFG_WORKER, ENV("X=1"), &said),
                        "LH_HOOK_KEY: is required (or LH_HOOK_KEY_FILE)\n"
                        "LH_MASTER_KEY: is required (or LH_MASTER_KEY_FILE)\n");
    buf_free(&said);
}

static void variables_of_the_other_program_are_checked_for_their_name_only(void **state)
{
    struct cfg c;
    struct buf said;

    (void)state;
    load(CFG_RECEIVER, ENV(RECEIVER, "LH_WORKERS=nonsense", "LH_MASTER_KEY=short"), &c);
    assert_int_equal(c.workers, 0);
    assert_int_equal(c.master_key.n, 0);
    cfg_free(&c);
    assert_non_null(
        strstr(problems_of(CFG_RECEIVER, ENV(RECEIVER, "LH_WORKER=1"), &said), "LH_WORKERS?"));
    buf_free(&said);
}

static void unknown_names_stop_the_start_and_near_ones_are_named(void **state)
{
    static const char *const rows[][2] = {
        {"LH_HOOKKEY=x", "did you mean LH_HOOK_KEY?"},
        {"LH_LST=x", "did you mean LH_LISTEN?"},
        {"LH_HOOK_KEY_FLE=x", "is no variable of ledgerhook"},
        {"LH_XERO_CLIENT_SECRETS=x", "did you mean LH_XERO_CLIENT_SECRET?"},
        {"LH_MAX_BODYS_FILE=x", "did you mean LH_MAX_BODY?"},
        {"LH_COMPLETELY_UNKNOWN=x", "LH_COMPLETELY_UNKNOWN: is no variable of ledgerhook\n"},
        {"LH_=x", "LH_: is no variable"},
        {"LH_FILE=x", "LH_FILE: is no variable"},
        {"LH_A_NAME_THAT_IS_MUCH_LONGER_THAN_ANY_OF_THE_TABLE_COULD_BE=x", "is no variable"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf said;
        char setting[128];

        (void)snprintf(setting, sizeof setting, "%s", rows[i][0]);
        if (!strstr(problems_of(CFG_WORKER, ENV(WORKER, setting), &said), rows[i][1]))
            fail_msg("%s: %s", setting, buf_z(&said));
        buf_free(&said);
    }
}

/* ---- NAME_FILE ---- */

static void write_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(close(fd), 0);
}

static void a_value_is_read_from_a_file_without_the_newline_at_its_end(void **state)
{
    static const char *const texts[] = {KEY_B, KEY_B "\n", KEY_B "\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cfg c;

        write_file("secret", texts[i], strlen(texts[i]));
        load(CFG_WORKER, ENV("LH_HOOK_KEY=" KEY_A, "LH_MASTER_KEY_FILE=secret"), &c);
        assert_true(str_eq(c.master_key, STR(KEY_B)));
        cfg_free(&c);
    }
    (void)unlink("secret");
}

static void a_file_that_cannot_be_a_value_is_named(void **state)
{
    struct buf said;
    static char large[70000];

    (void)state;
    memset(large, 'x', sizeof large);
    write_file("large", large, sizeof large);
    write_file("nul", "a\0b", 3);
    write_file("empty", "\n", 1);
    problems_of(CFG_WORKER,
                ENV("LH_HOOK_KEY=" KEY_A, "LH_HOOK_KEY_FILE=nul", "LH_MASTER_KEY_FILE=missing",
                    "LH_XERO_SCOPES_FILE=large", "LH_XERO_CLIENT_SECRET_FILE=nul",
                    "LH_XERO_CLIENT_ID_FILE=empty", "LH_REDIS_URL_FILE=."),
                &said);
    assert_string_equal(buf_z(&said),
                        "LH_REDIS_URL_FILE: . cannot be read: Is a directory\n"
                        "LH_HOOK_KEY: LH_HOOK_KEY_FILE is set too; one of them must go\n"
                        "LH_MASTER_KEY_FILE: missing cannot be read: No such file or directory\n"
                        "LH_XERO_CLIENT_ID_FILE: empty is empty\n"
                        "LH_XERO_CLIENT_SECRET: holds a NUL byte\n"
                        "LH_XERO_SCOPES_FILE: large has more than 65536 bytes\n");
    buf_free(&said);
    (void)unlink("large");
    (void)unlink("nul");
    (void)unlink("empty");
}

static void a_file_of_exactly_64_kib_is_read(void **state)
{
    struct cfg c;
    static char text[65536];

    (void)state;
    memset(text, 'x', sizeof text);
    write_file("full", text, sizeof text);
    load(CFG_WORKER, ENV(WORKER, "LH_XERO_SCOPES_FILE=full"), &c);
    assert_int_equal(strlen(c.xero_scopes), sizeof text);
    cfg_free(&c);
    (void)unlink("full");
}

static void help_lists_what_the_program_reads_and_shows_no_secret(void **state)
{
    struct buf help = BUF_CAP(32768);

    (void)state;
    cfg_help(CFG_RECEIVER, &help);
    assert_int_equal(buf_check(&help), ERR_OK);
    assert_non_null(strstr(buf_z(&help), "Usage: ledgerhook-receiver"));
    assert_non_null(strstr(buf_z(&help), "LH_DRAIN (25)"));
    assert_non_null(strstr(buf_z(&help), "LH_ADMIN_TOKEN (required)"));
    assert_non_null(strstr(buf_z(&help), "--health"));
    assert_null(strstr(buf_z(&help), "LH_WORKERS"));
    assert_null(strstr(buf_z(&help), "LH_MASTER_KEY"));
    buf_reset(&help);
    cfg_help(CFG_WORKER, &help);
    assert_non_null(strstr(buf_z(&help), "LH_DRAIN (60)"));
    assert_non_null(strstr(buf_z(&help), "LH_MASTER_KEY (required)"));
    assert_null(strstr(buf_z(&help), "LH_ADMIN_TOKEN"));
    buf_free(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_documents),
        cmocka_unit_test(values_of_the_environment_are_taken),
        cmocka_unit_test(what_reads_shops_is_told_where_and_as_whom),
        cmocka_unit_test(an_empty_value_is_as_good_as_none),
        cmocka_unit_test(values_are_checked_by_their_kind),
        cmocka_unit_test(tokens_are_long_named_when_several_and_fit_a_header),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(each_program_requires_its_own_secrets),
        cmocka_unit_test(variables_of_the_other_program_are_checked_for_their_name_only),
        cmocka_unit_test(unknown_names_stop_the_start_and_near_ones_are_named),
        cmocka_unit_test(a_value_is_read_from_a_file_without_the_newline_at_its_end),
        cmocka_unit_test(a_file_that_cannot_be_a_value_is_named),
        cmocka_unit_test(a_file_of_exactly_64_kib_is_read),
        cmocka_unit_test(help_lists_what_the_program_reads_and_shows_no_secret),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

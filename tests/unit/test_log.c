#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/base/json.h"
#include "service/base/log.h"

/* ---- stderr, caught in a file ---- */

static int saved_stderr = -1;
static int caught = -1;

static int catch_stderr(void **state)
{
    (void)state;
    caught = memfd_create("stderr", MFD_CLOEXEC);
    saved_stderr = dup(STDERR_FILENO);
    log_setup(LOG_INFO, true, "test");
    log_ctx_clear();
    return caught < 0 || dup2(caught, STDERR_FILENO) < 0;
}

static int release_stderr(void **state)
{
    (void)state;
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    (void)close(caught);
    return 0;
}

/* All that was written so far. */
static void read_caught(struct buf *out)
{
    off_t size = lseek(caught, 0, SEEK_END);
    char *to = buf_reserve(out, (size_t)size);

    assert_non_null(to);
    assert_int_equal(pread(caught, to, (size_t)size, 0), size);
    buf_added(out, (size_t)size);
}

/* The only line, parsed. */
static struct js_doc read_line(void)
{
    struct buf text = BUF_CAP(1 << 20);
    struct js_doc doc = {0};
    struct errinfo info = {0};

    read_caught(&text);
    assert_true(text.n > 0);
    assert_ptr_equal(memchr(text.p, '\n', text.n), text.p + text.n - 1);
    if (js_parse(buf_str(&text), text.n, &doc, &info) != ERR_OK)
        fail_msg("%s: %s", info.text, buf_z(&text));
    buf_free(&text);
    return doc;
}

static void assert_text(const struct js_doc *doc, const char *key, const char *wanted)
{
    struct str text = {NULL, 0};

    if (!js_string(js_get(doc->root, key), &text))
        fail_msg("%s is missing", key);
    assert_string_equal(text.p, wanted);
}

static void a_line_is_one_json_object_with_time_event_context_and_fields(void **state)
{
    struct js_doc doc = {0};
    struct str ts = {NULL, 0};
    int64_t number = 0;

    (void)state;
    log_ctx_set("main", "x.myshopify.com", "shopify/x/1", "trace-1");
    errno = EPIPE;
    log_warn("export_retry", "Xero did not answer; the order is tried \"again\".",
             LOG_INT("attempt", INT64_MIN), LOG_STR("path", STR("a\nb")), LOG_Z("none", NULL),
             LOG_SECRET("token"));
    assert_int_equal(errno, EPIPE);
    doc = read_line();
    assert_text(&doc, "level", "warn");
    assert_text(&doc, "event", "export_retry");
    assert_text(&doc, "program", "test");
    assert_text(&doc, "message", "Xero did not answer; the order is tried \"again\".");
    assert_text(&doc, "connection", "main");
    assert_text(&doc, "store", "x.myshopify.com");
    assert_text(&doc, "order", "shopify/x/1");
    assert_text(&doc, "trace", "trace-1");
    assert_text(&doc, "path", "a\nb");
    assert_text(&doc, "none", "");
    assert_text(&doc, "token", "***");
    assert_true(js_int64(js_get(doc.root, "attempt"), &number) && number == INT64_MIN);
    assert_true(js_string(js_get(doc.root, "ts"), &ts));
    assert_int_equal(ts.n, strlen("2026-01-31T12:00:00.000Z"));
    assert_int_equal(ts.p[10], 'T');
    assert_int_equal(ts.p[23], 'Z');
    js_free(&doc);
}

static void lines_under_the_level_are_not_written(void **state)
{
    struct buf text = BUF_CAP(1 << 20);

    (void)state;
    log_write(LOG_DEBUG, "hidden", NULL, NULL, 0);
    read_caught(&text);
    assert_int_equal(text.n, 0);
    log_setup(LOG_DEBUG, true, "test");
    log_write(LOG_DEBUG, "shown", NULL, NULL, 0);
    buf_reset(&text);
    read_caught(&text);
    assert_non_null(strstr(buf_z(&text), "\"event\":\"shown\""));
    buf_free(&text);
}

static void a_long_value_is_cut_between_characters(void **state)
{
    char value[3000];
    struct js_doc doc = {0};
    struct str text = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < sizeof value; i += 2)
        memcpy(value + i, "\xc3\xa9", 2);
    log_info("long", NULL, LOG_STR("value", ((struct str){value, sizeof value})));
    doc = read_line();
    assert_true(js_string(js_get(doc.root, "value"), &text));
    assert_int_equal(text.n, 996 + 3);
    assert_memory_equal(text.p + 994, "\xc3\xa9...", 5);
    js_free(&doc);
}

static void many_long_values_that_need_escapes_still_make_one_line(void **state)
{
    char value[1000];
    struct log_field fields[20];
    struct js_doc doc = {0};

    (void)state;
    memset(value, 1, sizeof value);
    for (size_t i = 0; i < 20; i++)
        fields[i] = LOG_STR("value", ((struct str){value, sizeof value}));
    log_write(LOG_ERROR, "many", NULL, fields, 20);
    doc = read_line();
    assert_text(&doc, "event", "many");
    js_free(&doc);
}

static void a_text_line_quotes_what_would_be_ambiguous(void **state)
{
    struct buf text = BUF_CAP(1 << 20);

    (void)state;
    log_setup(LOG_INFO, false, "test");
    log_info("started", "Ready.\nforged line", LOG_Z("plain", "a/b"), LOG_Z("odd", "x=y"),
             LOG_INT("n", 3));
    read_caught(&text);
    assert_non_null(strstr(buf_z(&text),
                           " info started program=test message=\"Ready.\\nforged line\" "
                           "plain=a/b odd=\"x=y\" n=3\n"));
    buf_free(&text);
}

static void *log_in_a_thread(void *arg)
{
    char order[32];

    (void)snprintf(order, sizeof order, "order-%d", *(int *)arg);
    log_ctx_set(NULL, NULL, order, NULL);
    for (int i = 0; i < 200; i++)
        log_info("busy", NULL, LOG_Z("mine", order));
    return NULL;
}

static void threads_have_their_own_context_and_whole_lines(void **state)
{
    struct buf text = BUF_CAP(4 << 20);
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    int lines = 0;

    (void)state;
    (void)fcntl(caught, F_SETFL, O_APPEND);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_in_a_thread, &numbers[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    read_caught(&text);
    for (struct str rest = buf_str(&text); rest.n > 0; lines++) {
        struct js_doc doc = {0};
        struct str line = str_split(&rest, '\n'), order = {NULL, 0}, mine = {NULL, 0};

        assert_int_equal(js_parse(line, line.n, &doc, NULL), ERR_OK);
        assert_true(js_string(js_get(doc.root, "order"), &order));
        assert_true(js_string(js_get(doc.root, "mine"), &mine));
        assert_true(str_eq(order, mine));
        js_free(&doc);
    }
    assert_int_equal(lines, 800);
    buf_free(&text);
}

static void levels_are_read_by_name(void **state)
{
    enum log_level level = LOG_INFO;

    (void)state;
    assert_true(log_level_parse(STR("error"), &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_parse(STR("Error"), &level));
    assert_false(log_level_parse(STR(""), &level));
}

static void a_repeating_line_is_held_back_and_counted(void **state)
{
    struct log_rate rate = {0};
    int64_t dropped = -1;

    (void)state;
    assert_true(log_rate_ok(&rate, 1000000, &dropped));
    assert_int_equal(dropped, 0);
    for (int i = 0; i < 5; i++)
        assert_false(log_rate_ok(&rate, 1000000, &dropped));
    assert_true(log_rate_ok(&rate, 0, &dropped));
    assert_int_equal(dropped, 5);
}

int main(void)
{
#define CAUGHT(test) cmocka_unit_test_setup_teardown(test, catch_stderr, release_stderr)
    const struct CMUnitTest tests[] = {
        CAUGHT(a_line_is_one_json_object_with_time_event_context_and_fields),
        CAUGHT(lines_under_the_level_are_not_written),
        CAUGHT(a_long_value_is_cut_between_characters),
        CAUGHT(many_long_values_that_need_escapes_still_make_one_line),
        CAUGHT(a_text_line_quotes_what_would_be_ambiguous),
        CAUGHT(threads_have_their_own_context_and_whole_lines),
        cmocka_unit_test(levels_are_read_by_name),
        cmocka_unit_test(a_repeating_line_is_held_back_and_counted),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/base/buf.h"

static void views_are_compared_trimmed_and_cut(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_eq((struct str){NULL, 0}, STR("")));
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(str_eq_nocase(STR("a["), STR("A{")));
    assert_true(str_compare(STR("a"), STR("a")) == 0);
    assert_true(str_compare(STR("a"), STR("ab")) < 0);
    assert_true(str_compare(STR("b"), STR("ab")) > 0);
    assert_true(str_compare((struct str){NULL, 0}, STR("a")) < 0);
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_starts(STR("a"), STR("")));
    assert_true(str_eq(str_trim(STR(" \t\r\na b\n ")), STR("a b")));
    assert_int_equal(str_trim(STR(" \n ")).n, 0);
    assert_int_equal(str_of(NULL).n, 0);
    assert_true(str_eq(str_cut(STR("h\xc3\xa9llo"), 2), STR("h")));
    assert_true(str_eq(str_cut(STR("h\xc3\xa9llo"), 3), STR("h\xc3\xa9")));
    assert_true(str_eq(str_cut(STR("abc"), 3), STR("abc")));
}

static void splitting_gives_every_piece_also_the_empty_ones(void **state)
{
    static const char *const rows[][2] = {
        {"a,b", "[a][b]"}, {"a,", "[a][]"}, {",", "[][]"}, {"", "[]"}, {"a", "[a]"},
    };
    struct str none = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_CAP(100);

        for (struct str rest = str_of(rows[i][0]); rest.p;) {
            struct str piece = str_split(&rest, ',');

            buf_printf(&out, "[%.*s]", STR_FMT(piece));
        }
        assert_string_equal(buf_z(&out), rows[i][1]);
        buf_free(&out);
    }
    assert_null(str_split(&none, ',').p);
}

static void integers_are_read_exactly_or_refused(void **state)
{
    static const struct {
        struct str text;
        bool good;
        int64_t value;
    } rows[] = {
        {STR_INIT("0"), true, 0},
        {STR_INIT("-12"), true, -12},
        {STR_INIT("007"), true, 7},
        {STR_INIT("9223372036854775807"), true, INT64_MAX},
        {STR_INIT("-9223372036854775808"), true, INT64_MIN},
        {STR_INIT("9223372036854775808"), false, 0},
        {STR_INIT("-9223372036854775809"), false, 0},
        {STR_INIT("99999999999999999999"), false, 0},
        {STR_INIT(""), false, 0},
        {STR_INIT("-"), false, 0},
        {STR_INIT("+1"), false, 0},
        {STR_INIT(" 1"), false, 0},
        {STR_INIT("1 "), false, 0},
        {STR_INIT("1.0"), false, 0},
        {STR_INIT("1\0"), false, 0},
        {STR_INIT("0x1"), false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = 0;

        if (str_int64(rows[i].text, &value) != rows[i].good || value != rows[i].value)
            fail_msg("row %zu: \"%.*s\"", i, STR_FMT(rows[i].text));
    }
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    static const struct {
        struct str text;
        size_t length;
    } rows[] = {
        {STR_INIT("a"), 1},
        {STR_INIT("\0"), 1},
        {STR_INIT("\xc3\xa9x"), 2},
        {STR_INIT("\xe2\x82\xac"), 3},
        {STR_INIT("\xf0\x9f\x98\x80"), 4},
        {STR_INIT("\xf4\x8f\xbf\xbf"), 4},
        {STR_INIT(""), 0},
        {STR_INIT("\x80"), 0},
        {STR_INIT("\xc3"), 0},
        {STR_INIT("\xc3x"), 0},
        {STR_INIT("\xc0\x80"), 0},
        {STR_INIT("\xc1\xbf"), 0},
        {STR_INIT("\xe0\x9f\xbf"), 0},
        {STR_INIT("\xe2\x82"), 0},
        {STR_INIT("\xe2\x82x"), 0},
        {STR_INIT("\xed\xa0\x80"), 0},
        {STR_INIT("\xf0\x8f\xbf\xbf"), 0},
        {STR_INIT("\xf4\x90\x80\x80"), 0},
        {STR_INIT("\xf5\x80\x80\x80"), 0},
        {STR_INIT("\xff"), 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_utf8(rows[i].text) != rows[i].length)
            fail_msg("row %zu", i);
    }
}

static void a_buffer_holds_its_cap_exactly_and_not_a_byte_more(void **state)
{
    (void)state;
    for (size_t cap = 1; cap < 300; cap++) {
        struct buf b = BUF_CAP(cap);

        for (size_t i = 0; i < cap; i++)
            buf_addc(&b, 'x');
        assert_int_equal(buf_check(&b), ERR_OK);
        assert_int_equal(b.n, cap);
        assert_int_equal(strlen(b.p), cap);
        buf_addc(&b, 'y');
        assert_int_equal(buf_check(&b), ERR_TOO_BIG);
        assert_int_equal(strlen(b.p), cap);
        buf_free(&b);
        assert_int_equal(b.cap, cap);
    }
}

static void after_a_failure_every_append_is_refused_until_a_reset(void **state)
{
    struct buf b = BUF_CAP(8);

    (void)state;
    buf_addz(&b, "1234");
    buf_printf(&b, "%s", "56789");
    assert_int_equal(buf_check(&b), ERR_TOO_BIG);
    buf_addc(&b, '5');
    buf_add_quoted(&b, STR(""));
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_z(&b), "1234");
    buf_reset(&b);
    buf_printf(&b, "%d-%s", 12, "345");
    assert_int_equal(buf_check(&b), ERR_OK);
    assert_string_equal(buf_z(&b), "12-345");
    buf_free(&b);
}

static void an_absurd_length_does_not_wrap_around(void **state)
{
    struct buf b = BUF_CAP(100), none = {0};

    (void)state;
    buf_addz(&b, "x");
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_reset(&b);
    assert_null(buf_reserve(&b, SIZE_MAX - 1));
    buf_free(&b);
    buf_addc(&none, 'x');
    assert_int_equal(buf_check(&none), ERR_TOO_BIG);
    assert_string_equal(buf_z(&none), "");
    buf_free(&none);
    buf_free(NULL);
}

static void a_reserved_piece_is_written_by_the_caller(void **state)
{
    struct buf b = BUF_CAP(1000);
    char *to = buf_reserve(&b, 200);

    (void)state;
    assert_non_null(to);
    memset(to, 'a', 200);
    buf_added(&b, 150);
    assert_int_equal(strlen(buf_z(&b)), 150);
    buf_free_secret(&b);
    assert_null(b.p);
}

static void quoting_escapes_and_mends(void **state)
{
    struct buf b = BUF_CAP(100);

    (void)state;
    buf_add_quoted(&b, STR("a\"\\\n\x1f\x7f\0\xc3\xa9\xc3"));
    assert_string_equal(buf_z(&b), "\"a\\\"\\\\\\n\\u001f\\u007f\\u0000\xc3\xa9\xef\xbf\xbd\"");
    buf_free(&b);
}

static void an_arena_keeps_zeroed_and_aligned_pieces_apart(void **state)
{
    struct arena a = {0};
    char *pieces[200];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        size_t n = i % 10 == 9 ? 5000 : i;

        pieces[i] = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, n);
    }
    for (size_t i = 0; i < 200; i++) {
        size_t n = i % 10 == 9 ? 5000 : i;

        for (size_t k = 0; k < n; k++)
            assert_int_equal((unsigned char)pieces[i][k], i);
    }
    assert_true(str_eq(arena_str(&a, STR("x\0y")), STR("x\0y")));
    assert_string_equal(arena_str(&a, (struct str){NULL, 0}).p, "");
    assert_string_equal(arena_printf(&a, "%d %s", 5, "z"), "5 z");
    assert_non_null(arena_array(&a, 3, sizeof(int64_t)));
    assert_true(a.total > 20 * 5000);
    arena_free(&a);
    assert_null(a.head);
    arena_free(&a);
}

static void without_memory_the_process_ends_with_one_line(void **state)
{
    int fds[2], status = 0;
    char line[512] = "";
    ssize_t n = 0;
    pid_t child = 0;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        struct arena a = {0};

        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(fds[1], STDERR_FILENO);
        (void)arena_array(&a, SIZE_MAX / 2, 4);
        _exit(0);
    }
    assert_true(child > 0);
    (void)close(fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    n = read(fds[0], line, sizeof line - 1);
    (void)close(fds[0]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(n > 0);
    assert_true(str_starts(str_of(line), STR("{\"level\":\"error\",\"event\":\"out_of_memory\",")));
    assert_int_equal(line[n - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_compared_trimmed_and_cut),
        cmocka_unit_test(splitting_gives_every_piece_also_the_empty_ones),
        cmocka_unit_test(integers_are_read_exactly_or_refused),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(a_buffer_holds_its_cap_exactly_and_not_a_byte_more),
        cmocka_unit_test(after_a_failure_every_append_is_refused_until_a_reset),
        cmocka_unit_test(an_absurd_length_does_not_wrap_around),
        cmocka_unit_test(a_reserved_piece_is_written_by_the_caller),
        cmocka_unit_test(quoting_escapes_and_mends),
        cmocka_unit_test(an_arena_keeps_zeroed_and_aligned_pieces_apart),
        cmocka_unit_test(without_memory_the_process_ends_with_one_line),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/err.h"

static void every_code_has_its_own_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        for (int j = 0; j < i; j++)
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
    }
    assert_string_equal(err_text(ERR_OK), "no error");
    assert_string_equal(err_text(ERR_COUNT), "unknown error");
    assert_string_equal(err_text((enum err) - 1), "unknown error");
}

static void setting_returns_the_code_and_keeps_errno(void **state)
{
    struct errinfo info = {0};

    (void)state;
    errno = EAGAIN;
    assert_int_equal(err_set(&info, ERR_RANGE, "%d is %s", 7, "odd"), ERR_RANGE);
    assert_string_equal(info.text, "7 is odd");
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    assert_int_equal(err_prefix(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

static void a_prefix_stands_before_the_detail(void **state)
{
    struct errinfo info = {0};

    (void)state;
    assert_int_equal(err_set(&info, ERR_TYPE, "it is a list"), ERR_TYPE);
    assert_int_equal(err_prefix(&info, ERR_TYPE, "line %d", 3), ERR_TYPE);
    assert_string_equal(info.text, "line 3: it is a list");
    assert_int_equal(err_set(&info, ERR_TYPE, "again: %s", info.text), ERR_TYPE);
    assert_string_equal(info.text, "again: line 3: it is a list");
}

static void a_long_detail_is_cut_with_dots_between_characters(void **state)
{
    struct errinfo info = {0};
    char text[2 * sizeof info.text];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof info.text - 1] = '\0'; /* just fits */
    assert_int_equal(err_set(&info, ERR_IO, "%s", text), ERR_IO);
    assert_string_equal(info.text, text);
    text[sizeof info.text - 1] = 'x';
    text[sizeof info.text] = '\0';
    assert_int_equal(err_set(&info, ERR_IO, "%s", text), ERR_IO);
    assert_int_equal(strlen(info.text), sizeof info.text - 1);
    assert_string_equal(info.text + sizeof info.text - 5, "x...");

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 2] = '\0';
    assert_int_equal(err_set(&info, ERR_IO, "%s", text), ERR_IO);
    assert_string_equal(info.text + strlen(info.text) - 5, "\xc3\xa9...");
    assert_int_equal(err_set(&info, ERR_IO, "-%s", text), ERR_IO);
    assert_string_equal(info.text + strlen(info.text) - 5, "\xc3\xa9...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_sentence),
        cmocka_unit_test(setting_returns_the_code_and_keeps_errno),
        cmocka_unit_test(a_prefix_stands_before_the_detail),
        cmocka_unit_test(a_long_detail_is_cut_with_dots_between_characters),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

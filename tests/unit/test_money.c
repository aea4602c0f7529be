#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/base/money.h"

#define FIELDS 8

/* ---- the table: tests/data/money.table ---- */

/* A cell "-" is a zero's missing currency. */
static const char *currency_cell(struct str cell, char out[4])
{
    if (str_eq(cell, STR("-")))
        out[0] = '\0';
    else if (mon_currency(cell, out, NULL) != ERR_OK)
        fail_msg("the table has a bad currency: %.*s", STR_FMT(cell));
    return out;
}

static struct money amount_cell(struct str currency, struct str text)
{
    char code[4] = "";
    struct money m = {0};

    if (mon_parse(text, currency_cell(currency, code), &m, NULL) != ERR_OK)
        fail_msg("the table has a bad amount: %.*s", STR_FMT(text));
    return m;
}

static int64_t int_cell(struct str text)
{
    int64_t n = 0;

    if (!str_int64(text, &n))
        fail_msg("the table has a bad number: %.*s", STR_FMT(text));
    return n;
}

static struct rate rate_cell(struct str text)
{
    struct rate r = {0};

    if (mon_rate_parse(text, &r, NULL) != ERR_OK)
        fail_msg("the table has a bad rate: %.*s", STR_FMT(text));
    return r;
}

/* What row F comes to: an amount in OUT, or another text in TEXT. */
static enum err run_row(const struct str f[FIELDS], struct money *out, struct buf *text)
{
    char code[4] = "";
    struct rate r = {0};
    enum err e = ERR_OK;

    if (str_eq(f[0], STR("parse")))
        return mon_parse(f[2], currency_cell(f[1], code), out, NULL);
    if (str_eq(f[0], STR("round")))
        return mon_round(amount_cell(f[1], f[2]), (int)int_cell(f[3]), out);
    if (str_eq(f[0], STR("add")))
        return mon_add(amount_cell(f[1], f[2]), amount_cell(f[3], f[4]), out);
    if (str_eq(f[0], STR("sub")))
        return mon_sub(amount_cell(f[1], f[2]), amount_cell(f[3], f[4]), out);
    if (str_eq(f[0], STR("mul")))
        return mon_mul(amount_cell(f[1], f[2]), int_cell(f[3]), out);
    if (str_eq(f[0], STR("tax_on")))
        return mon_tax_on(amount_cell(f[1], f[2]), rate_cell(f[3]), (int)int_cell(f[4]), out);
    if (str_eq(f[0], STR("share")))
        return mon_share(amount_cell(f[1], f[2]), int_cell(f[3]), int_cell(f[4]),
                         (int)int_cell(f[5]), out);
    if (str_eq(f[0], STR("tax_in")))
        return mon_tax_in(amount_cell(f[1], f[2]), rate_cell(f[3]), (int)int_cell(f[4]), out);
    if (str_eq(f[0], STR("minor"))) {
        *out = mon_minor(currency_cell(f[1], code));
        return ERR_OK;
    }
    if (str_eq(f[0], STR("rate"))) {
        e = mon_rate_parse(f[1], &r, NULL);
        buf_addz(text, mon_rate_text(r).z);
        return e;
    }
    if (str_eq(f[0], STR("currency"))) {
        e = mon_currency(f[1], code, NULL);
        buf_addz(text, code);
        return e;
    }
    fail_msg("the table has an unknown operation: %.*s", STR_FMT(f[0]));
    return ERR_INTERNAL;
}

static enum err error_cell(struct str cell)
{
    static const char *const names[] = {
#define NAME(name, sentence) #name,
        ERR_LIST(NAME)
#undef NAME
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(cell, str_of(names[i])))
            return (enum err)i;
    }
    return ERR_OK;
}

static void each_row_of_the_table_comes_to_its_result(void **state)
{
    FILE *file = fopen(SOURCE_DIR "/tests/data/money.table", "re");
    char line[256];
    int rows = 0;

    (void)state;
    assert_non_null(file);
    for (int at = 1; fgets(line, sizeof line, file); at++) {
        struct str rest = str_trim(str_of(line)), f[FIELDS] = {{NULL, 0}};
        struct buf text = BUF_CAP(64);
        struct money m = {0};
        size_t n = 0;
        enum err e = ERR_OK, wanted = ERR_OK;

        if (rest.n == 0 || rest.p[0] == '#')
            continue;
        while (rest.p && n < FIELDS)
            f[n++] = str_trim(str_split(&rest, '|'));
        wanted = error_cell(f[n - 1]);
        e = run_row(f, &m, &text);
        if (text.n == 0)
            mon_print(m, &text);
        if (e != wanted || (e == ERR_OK && !str_eq(buf_str(&text), f[n - 1])))
            fail_msg("money.table:%d: came to %s (%s)", at, buf_z(&text), err_text(e));
        buf_free(&text);
        rows++;
    }
    (void)fclose(file);
    assert_true(rows > 100);
}

/* ---- what is no row ---- */

static void an_error_leaves_the_result_alone_and_says_what_was_read(void **state)
{
    struct money m = {42, "EUR"};
    struct errinfo info = {0};

    (void)state;
    assert_int_equal(mon_parse(STR("12,50"), "EUR", &m, &info), ERR_SYNTAX);
    assert_int_equal(m.units, 42);
    assert_non_null(strstr(info.text, "12,50"));
    assert_int_equal(mon_add(m, mon_zero("USD"), &m), ERR_CURRENCY);
    assert_int_equal(m.units, 42);
}

static void a_text_with_a_nul_byte_is_no_amount(void **state)
{
    struct money m = {0};

    (void)state;
    assert_int_equal(mon_parse(STR("12\0"), "EUR", &m, NULL), ERR_SYNTAX);
    assert_int_equal(mon_parse((struct str){NULL, 0}, "EUR", &m, NULL), ERR_SYNTAX);
}

static void comparing_negating_and_abs_keep_the_currency(void **state)
{
    struct money a = {10000, "EUR"}, b = {-20000, "EUR"};

    (void)state;
    assert_int_equal(mon_cmp(a, b), 1);
    assert_int_equal(mon_cmp(b, a), -1);
    assert_int_equal(mon_cmp(a, a), 0);
    assert_int_equal(mon_cmp(a, mon_zero("")), 1);
    assert_int_equal(mon_abs(b).units, 20000);
    assert_string_equal(mon_neg(b).currency, "EUR");
}

/* Numbers that follow one another by a fixed rule, so that a failure can be repeated. */
static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 11;
}

static void printing_and_parsing_give_the_same_amount(void **state)
{
    static const char *const currencies[] = {"EUR", "JPY", "KWD", "CLF"};
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct money m = mon_zero(currencies[i % 4]), back = {0};

        m.units = (int64_t)(next(&seed) % 10000000000000000u) >> (i % 50);
        m.units = i % 2 ? -m.units : m.units;
        assert_int_equal(mon_parse(str_of(mon_text(m).z), m.currency, &back, NULL), ERR_OK);
        assert_int_equal(back.units, m.units);
    }
}

static void net_and_tax_of_a_gross_amount_add_up_and_are_within_half_a_cent(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct money gross = {(int64_t)(next(&seed) % 100000000) * 100, "EUR"}, tax = {0},
                     net = {0};
        struct rate r = {(int64_t)(next(&seed) % 3000) * 10000};
        int64_t whole = 0;

        assert_int_equal(mon_tax_in(gross, r, 2, &tax), ERR_OK);
        assert_int_equal(mon_sub(gross, tax, &net), ERR_OK);
        assert_int_equal(net.units % 100, 0);
        /* |net * (1 + rate) - gross| is at most half a cent times (1 + rate). */
        whole = MON_RATE_SCALE + r.units;
        assert_true(llabs(net.units * whole - gross.units * MON_RATE_SCALE) <= 50 * whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_table_comes_to_its_result),
        cmocka_unit_test(an_error_leaves_the_result_alone_and_says_what_was_read),
        cmocka_unit_test(a_text_with_a_nul_byte_is_no_amount),
        cmocka_unit_test(comparing_negating_and_abs_keep_the_currency),
        cmocka_unit_test(printing_and_parsing_give_the_same_amount),
        cmocka_unit_test(net_and_tax_of_a_gross_amount_add_up_and_are_within_half_a_cent),
    };

    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}

/* xero's judgement of answers in Xero's recorded shapes (tests/data/xero). */
#include "service/export/xero.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void read_file(const char *name, struct buf *out)
{
    char path[512];
    FILE *f = NULL;
    size_t n = 0;

    buf_init(out, 1u << 20);
    (void)snprintf(path, sizeof(path), SOURCE_DIR "/tests/data/xero/%s", name);
    f = fopen(path, "re");
    if (!f)
        fail_msg("cannot open %s", path);
    do {
        n = fread(buf_reserve(out, 4096), 1, 4096, f);
        buf_added(out, n);
    } while (n > 0);
    (void)fclose(f);
    buf_addc(out, '\0');
}

/* An answer file: status line, header lines, an empty line, the body. */
static void load(const char *name, bool write, struct xero_answer *out)
{
    struct http_answer http = {
        .sent = true, .body = BUF_CAP(1u << 20), .headers = BUF_CAP(1u << 20)};
    char file[128];
    struct buf text;
    const char *body;

    (void)snprintf(file, sizeof(file), "%s.answer", name);
    read_file(file, &text);
    body = strstr(text.p, "\n\n");
    assert_non_null(body);
    buf_add(&http.headers, text.p, (size_t)(body + 1 - text.p));
    buf_addz(&http.body, body + 2);
    http.status = (int)strtol(text.p + 9, NULL, 10);
    xero_judge(ERR_OK, "", write, &http, out);
    assert_null(http.body.p); /* taken over */
    buf_free(&text);
}

static void judges_every_row_of_the_table(void **state)
{
    struct buf table;
    struct str rest;
    int rows = 0;

    (void)state;
    read_file("verdicts.table", &table);
    rest = str_of(table.p);
    while (rest.p) {
        struct str line = str_split(&rest, '\n'), cell[6];
        struct xero_answer a;
        char name[64];
        int64_t number = 0;

        if (line.n == 0 || line.p[0] == '#')
            continue;
        for (int i = 0; i < 6; i++)
            cell[i] = str_trim(str_split(&line, '|'));
        (void)snprintf(name, sizeof(name), "%.*s", STR_FMT(cell[0]));
        load(name, str_eq(cell[1], STR("write")), &a);
        print_message("%s\n", name);
        assert_int_equal(cell[2].n, strlen(xero_verdict_text(a.verdict)));
        assert_memory_equal(cell[2].p, xero_verdict_text(a.verdict), cell[2].n);
        assert_true(str_int64(cell[3], &number));
        assert_int_equal(a.retry_after_s, number);
        assert_true(str_int64(cell[4], &number));
        assert_int_equal(a.day_left, number);
        assert_int_equal(a.day_problem, str_eq(cell[5], STR("yes")));
        assert_true(a.verdict == XERO_ANSWERED || a.message.n > 0);
        xero_answer_free(&a);
        rows++;
    }
    assert_int_equal(rows, 23);
    buf_free(&table);
}

static void keeps_xeros_words_and_its_id_of_the_answer(void **state)
{
    struct xero_answer a;

    (void)state;
    load("contact_name_taken_summarised", true, &a);
    assert_true(str_starts(a.message, STR("The contact name Ann Example is already assigned")));
    xero_answer_free(&a);
    load("error_500", true, &a);
    assert_string_equal(a.correlation, "7d9f1c52-1111-4a5b-8c57-0b3f0a1d2e33");
    assert_false(a.in_progress);
    xero_answer_free(&a);
    load("gateway_504", true, &a);
    assert_true(a.in_progress);
    xero_answer_free(&a);
    load("token_expired", true, &a);
    assert_string_equal(a.correlation, "2f6b7c1e-0f5e-4c5f-9d55-6a3c1f2b7a10");
    xero_answer_free(&a);
}

static void tells_nothing_sent_from_outcome_unknown(void **state)
{
    static const struct {
        enum err sent_how;
        bool sent, write;
        enum xero_verdict verdict;
        bool in_progress;
    } rows[] = {
        {ERR_UNREACHABLE, false, true, XERO_DOWN, false},
        {ERR_TIMEOUT, true, true, XERO_UNKNOWN, true},
        {ERR_TIMEOUT, true, false, XERO_DOWN, false},
        {ERR_IO, true, true, XERO_UNKNOWN, false},
        {ERR_IO, true, false, XERO_DOWN, false},
        {ERR_TOO_BIG, true, true, XERO_UNKNOWN, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_answer http = {.sent = rows[i].sent};
        struct xero_answer a;

        xero_judge(rows[i].sent_how, "why", rows[i].write, &http, &a);
        assert_int_equal(a.verdict, rows[i].verdict);
        assert_int_equal(a.in_progress, rows[i].in_progress);
        assert_true(str_eq(a.message, STR("why")));
        xero_answer_free(&a);
    }
}

static void gives_each_element_its_own_verdict(void **state)
{
    struct xero_answer a;
    struct xero_element *e = NULL;
    struct errinfo info = {0};
    size_t n = 0;

    (void)state;
    load("invoices_mixed", true, &a);
    assert_int_equal(xero_elements(&a, "Invoices", &e, &n, &info), ERR_OK);
    assert_int_equal(n, 5);

    assert_true(e[0].ok); /* a warning that loses nothing is none */
    assert_int_equal(e[0].message_count, 0);
    assert_true(str_eq(e[0].id, STR("243216c5-369e-4056-ac67-05388f86dc81")));
    assert_true(str_eq(e[0].number, STR("ACME-#1042")));
    assert_true(str_eq(e[0].total, STR("46.81")));
    assert_true(str_eq(e[0].total_tax, STR("7.80"))); /* the number's own text */
    assert_true(str_eq(e[0].status, STR("AUTHORISED")));

    assert_false(e[1].ok); /* errors of lines and contact count, each once */
    assert_int_equal(e[1].id.n, 0);
    assert_int_equal(e[1].message_count, 3);
    assert_true(str_eq(e[1].messages[0], STR("Invoice # must be unique.")));
    assert_true(str_eq(e[1].messages[2], STR("Email address must be valid.")));

    assert_false(e[2].ok); /* a warning that loses data is a failure, of a document that exists */
    assert_true(e[2].id.n > 0);
    assert_int_equal(e[2].message_count, 1);

    assert_true(e[3].uncertain);
    assert_false(e[3].ok);
    assert_false(e[4].ok);
    assert_int_equal(e[4].message_count, 1);

    assert_int_equal(xero_elements(&a, "Payments", &e, &n, &info), ERR_MISSING);
    assert_int_equal(n, 0);
    xero_answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_every_row_of_the_table),
        cmocka_unit_test(keeps_xeros_words_and_its_id_of_the_answer),
        cmocka_unit_test(tells_nothing_sent_from_outcome_unknown),
        cmocka_unit_test(gives_each_element_its_own_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

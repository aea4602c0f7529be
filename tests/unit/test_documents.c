#include "tests/unit/order_life.h"

/* ---- what becomes of an order ---- */

/* A life, and what Xero holds in the end; the words are told in order_life.h. A line of 10.00 comes
 * to 12.00 with its tax. Of a document Xero holds its total, what was paid on it or out of it, and
 * what counts of it against another. */
struct story {
    const char *life, *end;
};

static const struct story plain[] = {
    {"sell:3x10.00 ship:5.00 export", "invoice 42.00"},
    {"sell:3x10.00 ship:5.00 pay:rest export", "invoice 42.00 paid 42.00"},
    {"sell:3x10.00 ship:5.00 pay:10.00 export pay:rest export", "invoice 42.00 paid 42.00"},
};

static const struct story edits[] = {
    {"sell:3x10.00 export take:a1 export", "invoice 24.00"},
    {"sell:3x10.00 export take:a3 export", "invoice void"},
    {"sell:3x10.00 export take:a3 export sell:1x20.00 export", "invoice void; invoice 24.00"},
    {"sell:3x10.00 pay:rest take:a1 export", "invoice 36.00 paid 36.00; C1 12.00"},
    {"sell:3x10.00 take:a1 pay:rest export", "invoice 24.00 paid 24.00"},
    {"sell:3x10.00 pay:rest export take:a1 export", "invoice 36.00 paid 36.00; C1 12.00"},
    {"sell:3x10.00 pay:12.00 export take:a1 export pay:rest export",
     "invoice 36.00 paid 24.00 counted 12.00; C1 12.00 counted 12.00"},
    {"sell:3x10.00 pay:rest export sell:1x20.00 export pay:rest export",
     "invoice 36.00 paid 36.00; A1 24.00 paid 24.00"},
    {"sell:3x10.00 pay:rest export take:a1 sell:1x20.00 export pay:rest export",
     "invoice 36.00 paid 36.00; A1 24.00 paid 12.00 counted 12.00; C1 12.00 counted 12.00"},
    {"sell:3x10.00 pay:rest export take:a1 export back:=12.00 export",
     "invoice 36.00 paid 36.00; C1 12.00 paid 12.00"},
    {"sell:3x10.00 take:a1 pay:rest export sell:1x7.00 export take:b1 export",
     "invoice 24.00 paid 24.00; A1 8.40 counted 8.40; C1 8.40 counted 8.40"},
    {"sell:3x10.00 pay:12.00 export take:a1 export lose pay:rest export find export",
     "invoice 36.00 paid 24.00 counted 12.00; C1 12.00 counted 12.00"},
    {"sell:3x10.00-3.00 lines pay:rest export take:a1 export",
     "invoice 32.40 paid 32.40; C1 10.80"},
    {"sell:3x10.00 pay:rest export take:a1 money export", "invoice 36.00 paid 36.00; C1 12.00"},
};

static const struct story refunds[] = {
    {"sell:3x10.00 ship:5.00 pay:rest back:a1 export",
     "invoice 42.00 paid 42.00; R1 12.00 paid 12.00"},
    {"sell:3x10.00 ship:5.00 pay:rest export back:a1,ship export back:a2 export",
     "invoice 42.00 paid 42.00; R1 18.00 paid 18.00; R2 24.00 paid 24.00"},
    {"sell:3x10.00 pay:rest export back:~5.00 export",
     "invoice 36.00 paid 36.00; R1 5.00 paid 5.00"},
    {"sell:3x10.00 pay:12.00 export back:a2=6.00 export pay:rest export",
     "invoice 36.00 paid 18.00 counted 18.00; R1 24.00 paid 6.00 counted 18.00"},
    {"sell:3x10.00 pay:12.00 back:a2=6.00 pay:rest export",
     "invoice 36.00 paid 18.00 counted 18.00; R1 24.00 paid 6.00 counted 18.00"},
    {"sell:3x10.00 pay:rest export back:a1=6.00 export",
     "invoice 36.00 paid 36.00; refund-does-not-reconcile"},
    {"sell:3x10.00 pay:rest export back:=6.00 export",
     "invoice 36.00 paid 36.00; refund-does-not-reconcile"},
    {"sell:3x10.00 pay:rest take:a1 export back:a1=24.00 export",
     "invoice 36.00 paid 36.00; C1 12.00 paid 12.00; R1 12.00 paid 12.00"},
    {"sell:3x10.00 pay:rest take:a1 back:=12.00 sell:1x20.00 export",
     "invoice 60.00 paid 36.00; C1 12.00 paid 12.00"},
};

static const struct story cancellations[] = {
    {"sell:3x10.00 cancel export", ""},
    {"sell:3x10.00 export cancel export", "invoice void"},
    {"sell:3x10.00 pay:rest export back:a3 cancel export",
     "invoice 36.00 paid 36.00; R1 36.00 paid 36.00"},
    {"sell:3x10.00 pay:rest back:a3 cancel export", ""},
    {"sell:3x10.00 pay:12.00 export back:a3=12.00 cancel export",
     "invoice 36.00 paid 12.00 counted 24.00; R1 36.00 paid 12.00 counted 24.00"},
    {"sell:3x10.00 pay:12.00 export back:~12.00 cancel export",
     "invoice 36.00 paid 12.00 counted 24.00; R1 12.00 paid 12.00; C1 24.00 counted 24.00"},
    {"sell:3x10.00 pay:rest cancel export", "invoice 36.00 paid 36.00"},
    {"sell:3x10.00 off pay:rest export back:a1 export back:a2 cancel export",
     "invoice void; R1 void"},
};

static const struct story people[] = {
    {"sell:3x10.00 export void:invoice export", "invoice void; voided-in-xero"},
    {"sell:3x10.00 export void:invoice again export export", "invoice void; invoice 36.00"},
    {"sell:3x10.00 export void:invoice again export void:invoice again export",
     "invoice void; invoice void; invoice 36.00"},
    {"sell:3x10.00 export change:invoice take:a1 export", "invoice 36.00; changed-in-xero"},
    {"sell:3x10.00 export change:invoice cancel export", "invoice 36.00; changed-in-xero"},
    {"sell:3x10.00 export other:invoice=36.00 take:a1 export", "invoice 36.00; C1 12.00"},
    {"sell:3x10.00 off export other:invoice=36.00 cancel export", "invoice 36.00; paid-by-others"},
    {"sell:3x10.00 pay:rest export take:a1 export void:C1 export",
     "invoice 36.00 paid 36.00; C1 void; voided-in-xero"},
    {"sell:3x10.00 pay:rest export take:a1 export void:C1 again export export",
     "invoice 36.00 paid 36.00; C1 void; C2 12.00"},
};

static const struct story settings[] = {
    {"sell:3x10.00 closed:2026-10-01 pay:rest export", "invoice 36.00 paid 36.00"},
    {"sell:3x10.00 export closed:2026-10-01 take:a1 export",
     "invoice 36.00 counted 12.00; C1 12.00 counted 12.00"},
    {"sell:3x10.00 export closed:2026-10-01 cancel export",
     "invoice 36.00 counted 36.00; C1 36.00 counted 36.00"},
    {"sell:3x10.00 draft export take:a1 export cancel export", "invoice void"},
    {"sell:3x10.00 off pay:rest export take:a1 export back:a1 export",
     "invoice 36.00; C1 12.00; R1 12.00"},
    {"sell:3x10.00 ship:5.00 parts pay:rest export sent:a1 export sent:a2 export",
     "invoice 42.00 paid 42.00"},
    {"sell:3x10.00 parts pay:rest sent:a1 export back:a2 export",
     "invoice 36.00 paid 36.00; R1 24.00 paid 24.00"},
    {"never sell:3x10.00 pay:rest export take:a1 export", "invoice 36.00 paid 36.00; C1 12.00"},
    {"incl never sell:3x0.05 pay:rest export take:a1 export",
     "invoice 0.15 paid 0.15; tax-does-not-reconcile"},
};

static void check_stories(const struct story *rows, size_t n)
{
    struct life *l = x_alloc(sizeof *l);

    for (size_t i = 0; i < n; i++) {
        struct buf b = BUF_CAP(1 << 16);

        life_run(l, rows[i].life, true);
        life_print(l, &b);
        if (strcmp(buf_z(&b), rows[i].end) != 0)
            fail_msg("%s\n  \"%s\" is not\n  \"%s\"", rows[i].life, buf_z(&b), rows[i].end);
        buf_free(&b);
        arena_free(&l->arena);
    }
    x_free(l);
}

#define CHECK(rows) check_stories(rows, sizeof(rows) / sizeof(rows)[0])

static void orders_end_as_their_stories_tell(void **state)
{
    (void)state;
    CHECK(plain);
    CHECK(edits);
    CHECK(refunds);
    CHECK(cancellations);
    CHECK(people);
    CHECK(settings);
}

/* ---- one document ---- */

static struct life *live(void **state, const char *story)
{
    struct life *l = *state;

    arena_free(&l->arena);
    life_run(l, story, true);
    return l;
}

static const struct inv_document *wanted(const struct life *l, const char *name)
{
    const struct inv_document *doc = inv_wanted_doc(&l->w, str_of(name));

    if (!doc)
        fail_msg("%s: %s is not wanted", l->story, name);
    return doc;
}

/* The lines of a document: "2 x 10.00 Mug 200 OUTPUT2 tax 4.00; ...". */
static void expect_lines(const struct life *l, const char *name, const char *want)
{
    const struct inv_document *doc = wanted(l, name);
    struct buf b = BUF_CAP(1 << 16);

    for (size_t i = 0; i < doc->line_count; i++) {
        const struct inv_line *x = &doc->lines[i];

        buf_printf(&b, "%s%lld x %s %.*s %.*s %.*s tax %s%s", b.n ? "; " : "",
                   (long long)x->quantity, mon_text(x->unit).z, STR_FMT(x->description),
                   STR_FMT(x->account), STR_FMT(x->tax_type), mon_text(x->tax).z,
                   x->send_tax ? " (sent)" : "");
    }
    if (strcmp(buf_z(&b), want) != 0)
        fail_msg("%s: \"%s\" is not \"%s\"", l->story, buf_z(&b), want);
    buf_free(&b);
}

static void expect_str(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(got), want);
}

static void a_credit_note_says_what_went(void **state)
{
    struct life *l = live(state, "sell:4x10.00-0.01 ship:5.00 pay:rest back:a3,ship export");

    expect_lines(l, "R1",
                 "1 x 29.99 3 x A 200 OUTPUT2 tax 6.00; 1 x 5.00 Shipping 201 OUTPUT2 tax "
                 "1.00");
    expect_str(wanted(l, "R1")->number, "m-1050-R1");
    assert_string_equal(wanted(l, "R1")->date, "2026-09-05");
    l = live(state, "sell:3x10.00 pay:rest back:a2 back:~5.00 export");
    expect_lines(l, "R1", "2 x 10.00 A 200 OUTPUT2 tax 4.00");
    expect_lines(l, "R2", "1 x 5.00 Refund difference 200 NONE tax 0.00");
    l = live(state, "sell:3x10.00 sell:1x3.00@5 pay:rest export take:a2 take:b1 export");
    expect_lines(l, "C1", "2 x 10.00 A 200 OUTPUT2 tax 4.00; 1 x 3.00 B 200 RROUTPUT tax 0.15");
    l = live(state, "sell:2x10.00-5.00 lines pay:rest export take:a1 export");
    expect_lines(l, "C1",
                 "1 x 10.00 A 200 OUTPUT2 tax 2.00; 1 x -2.50 Discount 202 OUTPUT2 tax "
                 "-0.50");
}

static void what_was_written_keeps_its_account(void **state)
{
    struct life *l = live(state, "sell:3x10.00 sell:1x5.00 pay:rest export");

    l->s.account_default = STR("999");
    l->s.account_shipping = STR("998");
    l->rates[0].value = STR("OTHER");
    life_word(l, "take:a1", false);
    life_word(l, "back:a1", false);
    life_word(l, "sell:1x2.00", false);
    assert_int_equal(life_export(l, SIZE_MAX, true), 5);
    expect_lines(l, "C1", "1 x 10.00 A 200 OUTPUT2 tax 2.00");
    expect_lines(l, "R1", "1 x 10.00 A 200 OUTPUT2 tax 2.00");
    expect_lines(l, "A1", "1 x 2.00 C 999 OTHER tax 0.40");
}

static void an_update_repeats_the_lines_with_their_ids(void **state)
{
    struct life *l =
        live(state, "sell:3x10.00 sell:1x5.00 ship:2.00 export take:a1 take:b1 export");
    const struct inv_document *doc = wanted(l, "invoice");

    assert_int_equal(doc->action, INV_UPDATE);
    assert_int_equal(l->looks, 1);
    assert_int_equal(doc->line_count, 2);
    expect_str(doc->lines[0].item_id, "line-2");
    expect_str(doc->lines[1].item_id, "line-4");
    expect_str(doc->number, "m-1050");
    assert_int_equal(life_export(l, SIZE_MAX, true), 0); /* nothing more is wanted */
    assert_int_equal(wanted(l, "invoice")->action, INV_KEEP);
    assert_int_equal(l->looks, 1);
}

static void payments_and_allocations_have_marks_of_their_own(void **state)
{
    struct life *l = live(state, "sell:3x10.00 pay:12.00 export sell:1x20.00 export pay:rest "
                                 "export take:a2 back:b1=30.00 export");
    static const char *const marks[] = {"51", "52", "52@A1", "91@R1", "91@C1"};

    assert_int_equal(l->known.payment_count, 5);
    for (size_t i = 0; i < 5; i++)
        expect_str(l->paid[i].mark, marks[i]);
    expect_str(l->paid[2].doc, "A1");
    expect_str(l->paid[2].reference, "#1050 52");
    expect_str(l->paid[4].doc, "C1");
    l = live(state, "sell:3x10.00 pay:12.00 export take:a1 export take:a1 export");
    assert_int_equal(l->known.allocation_count, 2);
    expect_str(l->allocated[0].mark, "C1@invoice");
    expect_str(l->allocated[1].mark, "C2@invoice");
    l = live(state, "sell:3x10.00 state pay:12.00 export sell:1x20.00 export pay:rest export");
    expect_str(l->paid[0].mark, "order");
    expect_str(l->paid[1].mark, "order-2");
    expect_str(l->paid[2].mark, "order-2@A1");
}

static void documents_are_never_dated_into_closed_books(void **state)
{
    struct life *l = live(state, "sell:3x10.00 pay:rest back:a1 closed:2026-10-01 export");

    assert_string_equal(wanted(l, "invoice")->date, "2026-10-01");
    expect_str(wanted(l, "invoice")->reference, "#1050 (dated 2026-09-01)");
    assert_string_equal(wanted(l, "R1")->date, "2026-10-01");
    expect_str(wanted(l, "R1")->reference, "#1050 (dated 2026-09-05)");
    assert_string_equal(l->paid[0].date, "2026-10-01");
    assert_string_equal(l->paid[1].date, "2026-10-01");
    l = live(state, "sell:3x10.00 export closed:2026-10-01 take:a1 export");
    assert_string_equal(wanted(l, "invoice")->date, "2026-09-01");
    expect_str(wanted(l, "C1")->reference, "#1050 (dated 2026-09-04)");
    assert_string_equal(l->allocated[0].date, "2026-10-01");
}

static void nothing_counts_while_a_split_is_not_known(void **state)
{
    struct life *l = live(state, "sell:3x10.00 state pay:rest export:0");
    struct str both[] = {STR("stripe"), STR("gift_card")};

    life_word(l, "back:a1", false);
    life_order(l);
    l->o.state.gateways = both;
    l->o.state.gateway_count = 2;
    for (int over = 0; over < 2; over++) {
        struct errinfo info = {""};

        l->known.split_wait_over = over;
        assert_int_equal(inv_build(&l->o, &l->s, &l->known, LINK, &l->arena, &l->w, &info), ERR_OK);
        assert_int_equal(l->w.wait_for_split, !over);
        assert_int_equal(l->w.problem_count, over);
        assert_int_equal(l->w.allocation_count, 0);
        assert_int_equal(l->w.payment_count, 1); /* which gateway gave back is known */
        expect_str(l->w.payments[0].mark, "91@R1");
    }
}

static void money_back_in_another_currency_is_what_was_taken_back(void **state)
{
    struct life *l = live(state, "sell:3x10.00 pay:rest back:a1 export:0");
    struct ord_transaction *t = arena_array(&l->arena, 1, sizeof *t);

    *t = l->refunds[0].transactions[0];
    memcpy(t->amount.currency, "USD", 4);
    t->amount.units = 139900;
    l->refunds[0].transactions = t;
    l->refunds[0].other_currency = true;
    l->refunds[0].amount = cents(0);
    assert_int_equal(life_export(l, SIZE_MAX, true), 4);
    assert_int_equal(l->w.problem_count, 0);
    assert_string_equal(mon_text(l->paid[1].amount).z, "12.00");
    expect_str(l->paid[1].mark, "91@R1");
}

static void a_refund_that_does_not_add_up_names_every_term(void **state)
{
    struct life *l = live(state, "sell:3x10.00 ship:5.00 pay:rest back:a1=6.00 export");

    assert_int_equal(l->w.problems[0].doc, INV_DOC_CREDIT_NOTE);
    expect_str(
        l->w.problems[0].text,
        "Refund 1 of 2026-09-05 gave back 6.00 EUR, but what it took back comes to 12.00: "
        "lines 10.00, tax 2.00, adjustments 0.00, duties 0.00, fees 0.00. The order comes to "
        "42.00, and 42.00 was received.");
}

/* ---- written before lines were recorded ---- */

static void a_written_invoice_stands_whatever_the_settings_become(void **state)
{
    struct life *l = live(state, "sell:3x10.00 export");

    l->docs[0].has_lines = false;
    l->docs[0].line_count = 0;
    l->s.account_default = STR("");
    l->s.tax_by_rate.count = 0;
    l->s.prefix = STR("other-");
    life_word(l, "pay:rest", false);
    assert_int_equal(life_export(l, SIZE_MAX, true), 1);
    assert_int_equal(l->w.problem_count, 0);
    assert_int_equal(wanted(l, "invoice")->action, INV_KEEP);
    expect_str(wanted(l, "invoice")->number, "m-1050");
    assert_string_equal(mon_text(l->paid[0].amount).z, "36.00");
}

static void lines_that_were_not_recorded_are_those_of_the_same_total(void **state)
{
    struct life *l = live(state, "sell:3x10.00 pay:rest export");

    l->docs[0].has_lines = false;
    l->docs[0].line_count = 0;
    life_word(l, "take:a1", false);
    assert_int_equal(life_export(l, SIZE_MAX, false), 0); /* not allowed */
    assert_int_equal(life_export(l, SIZE_MAX, true), 1);
    expect_lines(l, "C1", "1 x 10.00 A 200 OUTPUT2 tax 2.00");
    l = live(state, "sell:3x10.00 export");
    l->docs[0].has_lines = false;
    l->docs[0].line_count = 0;
    life_word(l, "sell:1x1.00", false);
    assert_int_equal(life_export(l, SIZE_MAX, false), 0);
    assert_int_equal(l->w.problem_count, 0);
    assert_int_equal(life_export(l, SIZE_MAX, true), 0);
    assert_int_equal(l->w.problem_count, 1);
    assert_string_equal(l->w.problems[0].catalogue, "lines-unknown");
}

static int set_up(void **state)
{
    *state = x_alloc(sizeof(struct life));
    return 0;
}

static int tear_down(void **state)
{
    struct life *l = *state;

    arena_free(&l->arena);
    x_free(l);
    return 0;
}

#define LIFE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_end_as_their_stories_tell),
        LIFE_TEST(a_credit_note_says_what_went),
        LIFE_TEST(what_was_written_keeps_its_account),
        LIFE_TEST(an_update_repeats_the_lines_with_their_ids),
        LIFE_TEST(payments_and_allocations_have_marks_of_their_own),
        LIFE_TEST(documents_are_never_dated_into_closed_books),
        LIFE_TEST(nothing_counts_while_a_split_is_not_known),
        LIFE_TEST(money_back_in_another_currency_is_what_was_taken_back),
        LIFE_TEST(a_refund_that_does_not_add_up_names_every_term),
        LIFE_TEST(a_written_invoice_stands_whatever_the_settings_become),
        LIFE_TEST(lines_that_were_not_recorded_are_those_of_the_same_total),
    };

    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}

#include "tests/unit/invoice_scene.h"

/* What Xero holds once the order was exported, from before lines were recorded. */
static void export_it(struct scene *c)
{
    build(c);
    c->sale = (struct inv_known_doc){
        .name = STR("invoice"), .number = c->w.docs[0].number, .total = c->w.docs[0].total};
    c->known = (struct inv_known){.docs = &c->sale, .doc_count = 1, .lines_may_change = true};
}

static void a_written_invoice_stands_whatever_the_settings_become(void **state)
{
    struct scene *c = *state;

    export_it(c);
    c->s.account_default = STR("999");
    c->s.tax_by_rate.count = 0;
    c->s.prefix = STR("other-");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].action, INV_KEEP);
    expect_text(c->w.docs[0].number, "mugs-1050");
    assert_int_equal(c->w.payment_count, 1);
}

static void lines_that_were_not_recorded_cannot_be_followed(void **state)
{
    struct scene *c = *state;

    export_it(c);
    c->lines[0].quantity = 3;
    c->o.total = eur("40.50");
    build_and_expect(c, "lines-unknown", "changed after its export as mugs-1050");
    c->known.lines_may_change = false;
    build(c); /* money follows what was written */
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].action, INV_KEEP);
    expect_amount(c->w.payments[0].amount, "30.00");
    c->sale.gone = true;
    build_and_expect(c, "voided-in-xero", "mugs-1050 was voided");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_written_invoice_stands_whatever_the_settings_become),
        SCENE_TEST(lines_that_were_not_recorded_cannot_be_followed),
    };

    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}

/* Orders of the largest sizes that are read cost memory and time in proportion to their size. */
#include "service/sync/invoice.h"

#include "tests/unit/invoice_scene.h"

#define MANY LIM_ORDER_LINES
#define MOST_MEMORY ((size_t)256 << 20)

static struct str number(struct scene *c, size_t n)
{
    return str_of(arena_printf(&c->arena, "%zu", n));
}

/* MANY refunds of a cent each, every one with its transaction. */
static void make_refunds(struct scene *c)
{
    struct ord_refund *refunds = arena_array(&c->arena, MANY, sizeof *refunds);
    struct ord_transaction *back = arena_array(&c->arena, MANY, sizeof *back);
    struct ord_adjustment *gone = arena_array(&c->arena, MANY, sizeof *gone);

    for (size_t i = 0; i < MANY; i++) {
        back[i] = (struct ord_transaction){number(c, 70000 + i), STR("stripe"), eur("0.01"),
                                           "2026-09-03"};
        gone[i] = (struct ord_adjustment){ORD_ADJUST_DISCREPANCY, eur("-0.01"), eur("0")};
        refunds[i] = (struct ord_refund){.id = number(c, 90000 + i),
                                         .day = "2026-09-03",
                                         .has_money = true,
                                         .amount = eur("0.01"),
                                         .adjustments = &gone[i],
                                         .adjustment_count = 1,
                                         .duties = eur("0"),
                                         .fees = eur("0"),
                                         .transactions = &back[i],
                                         .transaction_count = 1};
    }
    c->o.refunds = refunds;
    c->o.refund_count = MANY;
    c->o.state.kept = true;
    c->s.rounding_limit = 0;
}

static void many_refunds_are_paid_back(void **state)
{
    struct scene *c = *state;

    make_refunds(c);
    c->o.current_total = eur("0");
    c->o.outstanding = eur("0");
    c->lines[0].price = eur("60.50");
    c->taxes[0][0].amount = eur("24.00");
    c->o.total_tax = eur("25.00");
    c->o.total = eur("150.00");
    c->o.current_total = eur("100.00");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.doc_count, 1 + MANY);
    assert_int_equal(c->w.payment_count, 1 + MANY);
    assert_true(c->arena.total < MOST_MEMORY);
}

/* A refund of MANY differences, of an order of MANY lines that are each taxed at a rate of their
 * own. */
static void many_differences_look_at_the_lines_once(void **state)
{
    struct scene *c = *state;
    struct ord_line *lines = arena_array(&c->arena, MANY, sizeof *lines);
    struct ord_tax *taxes = arena_array(&c->arena, MANY, sizeof *taxes);
    struct ord_adjustment *gone = arena_array(&c->arena, MANY, sizeof *gone);
    struct ord_refund *refund = &c->refund;
    struct ord_transaction *back = &c->transactions[0];

    for (size_t i = 0; i < MANY; i++) {
        taxes[i] = (struct ord_tax){STR("VAT"), {1000 + (int64_t)i}, eur("0.01"), false};
        lines[i] = c->lines[0];
        lines[i].id = number(c, 100 + i);
        lines[i].quantity = 1;
        lines[i].price = eur("1.00");
        lines[i].discount = eur("0");
        lines[i].taxes = &taxes[i];
        gone[i] = (struct ord_adjustment){ORD_ADJUST_DISCREPANCY, eur("-0.01"), eur("0")};
    }
    c->s.tax_default = STR("OUTPUT2");
    c->o.lines = lines;
    c->o.line_count = MANY;
    c->o.total = eur("5050.00");
    c->o.total_tax = eur("50.00");
    *back = (struct ord_transaction){STR("7"), STR("stripe"), eur("50.00"), "2026-09-03"};
    *refund = (struct ord_refund){.id = STR("9"),
                                  .day = "2026-09-03",
                                  .has_money = true,
                                  .amount = eur("50.00"),
                                  .adjustments = gone,
                                  .adjustment_count = MANY,
                                  .duties = eur("0"),
                                  .fees = eur("0"),
                                  .transactions = back,
                                  .transaction_count = 1};
    c->o.refunds = refund;
    c->o.refund_count = 1;
    c->o.state.kept = true;
    c->o.current_total = eur("5000.00");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.doc_count, 2);
    assert_true(c->arena.total < MOST_MEMORY);
}

/* A line of many taxes with long titles. */
static void many_taxes_of_a_line_are_joined_once(void **state)
{
    struct scene *c = *state;
    struct ord_tax *taxes = arena_array(&c->arena, MANY, sizeof *taxes);
    char title[LIM_NAME + 1];

    memset(title, 'x', LIM_NAME);
    title[LIM_NAME] = '\0';
    for (size_t i = 0; i < MANY; i++)
        taxes[i] = (struct ord_tax){str_of(title), {1000}, eur("0.0008"), false};
    c->lines[0].taxes = taxes;
    c->lines[0].tax_count = MANY;
    c->s.tax_default = STR("OUTPUT2");
    build(c);
    assert_true(c->arena.total < MOST_MEMORY);
    assert_int_equal(c->w.problem_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(many_refunds_are_paid_back),
        SCENE_TEST(many_differences_look_at_the_lines_once),
        SCENE_TEST(many_taxes_of_a_line_are_joined_once),
    };

    return cmocka_run_group_tests_name("invoice_sizes", tests, NULL, NULL);
}

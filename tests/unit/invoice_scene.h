/*
 * invoice_scene: a small order for the tests of its documents, what it is built with, and what is
 * expected of the build. For test files only; one thread.
 */
#pragma once

#include "service/sync/invoice.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINK "https://mugs.myshopify.com/admin/orders/900"

/* A paid order of one mug and its shipping, 20 % on top, and what it is built with. */
struct scene {
    struct arena arena;
    struct errinfo info;
    struct ord_tax taxes[3][3];
    struct ord_line lines[3];
    struct str gateways[3];
    struct ord_transaction transactions[3];
    struct ord_refund refund;
    struct inv_pair rates[2], by_gateway[1];
    struct str off[1];
    struct order o;
    struct inv_settings s;
    struct inv_known known;
    struct inv_known_doc sale; /* what Xero holds, once it was exported */
    struct inv_wanted w;
};

static inline struct money eur(const char *text)
{
    struct money m;

    assert_int_equal(mon_parse(str_of(text), "EUR", &m, NULL), ERR_OK);
    return m;
}

static inline struct rate rate_of(const char *text)
{
    struct rate r;

    assert_int_equal(mon_rate_parse(str_of(text), &r, NULL), ERR_OK);
    return r;
}

static inline int set_up(void **state)
{
    struct scene *c = x_alloc(sizeof *c);

    c->taxes[0][0] = (struct ord_tax){STR("VAT"), rate_of("0.2"), eur("4.00"), false};
    c->taxes[1][0] = (struct ord_tax){STR("VAT"), rate_of("0.2"), eur("1.00"), false};
    c->lines[0] = (struct ord_line){.kind = ORD_PRODUCT,
                                    .id = STR("11"),
                                    .title = STR("Mug"),
                                    .sku = STR("MUG-1"),
                                    .quantity = 2,
                                    .price = eur("10.50"),
                                    .discount = eur("1.00"),
                                    .taxes = c->taxes[0],
                                    .tax_count = 1};
    c->lines[1] = (struct ord_line){.kind = ORD_SHIPPING,
                                    .id = STR("12"),
                                    .title = STR("Standard"),
                                    .quantity = 1,
                                    .price = eur("5.00"),
                                    .discount = eur("0"),
                                    .taxes = c->taxes[1],
                                    .tax_count = 1};
    c->gateways[0] = STR("stripe");
    c->o = (struct order){.platform = STR("shopify"),
                          .store = STR("mugs.myshopify.com"),
                          .id = STR("900"),
                          .name = STR("#1050"),
                          .created_at = "2026-08-31T23:30:00-05:00",
                          .processed_at = "2026-09-01T00:30:00+02:00",
                          .currency = "EUR",
                          .presentment_currency = "EUR",
                          .total = eur("30.00"),
                          .total_tax = eur("5.00"),
                          .tip = eur("0"),
                          .outstanding = eur("0"),
                          .current_total = eur("30.00"),
                          .cash_rounding = eur("0"),
                          .duties = eur("0"),
                          .fees = eur("0"),
                          .lines = c->lines,
                          .line_count = 2,
                          .country = STR("DE"),
                          .due_days = -1};
    c->o.state = (struct ord_state){
        .paid = ORD_PAID, .created_day = "2026-08-31", .gateways = c->gateways, .gateway_count = 1};
    c->o.party = (struct ord_party){
        .customer_id = STR("77"), .name = STR("Ada Example"), .email = STR("ada@example.com")};
    c->rates[0] = (struct inv_pair){STR("0.2"), STR("OUTPUT2")};
    c->s = (struct inv_settings){.prefix = STR("mugs-"),
                                 .reference = STR("{name}"),
                                 .record_payments = true,
                                 .rounding_limit = 5,
                                 .account_default = STR("200"),
                                 .account_rounding = STR("860"),
                                 .tax_by_rate = {c->rates, 1},
                                 .tax_exempt = STR("NONE"),
                                 .payment_default = STR("091")};
    *state = c;
    return 0;
}

static inline int tear_down(void **state)
{
    struct scene *c = *state;

    arena_free(&c->arena);
    x_free(c);
    return 0;
}

static inline void build(struct scene *c)
{
    enum err e = inv_build(&c->o, &c->s, &c->known, LINK, &c->arena, &c->w, &c->info);

    if (e != ERR_OK)
        fail_msg("%s", c->info.text);
}

static inline void expect_text(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(got), want);
}

static inline void expect_amount(struct money got, const char *want)
{
    assert_string_equal(mon_text(got).z, want);
}

/* Exactly one problem, of document DOC and catalogue row ID, whose text has PART in it. */
static inline void expect_problem(const struct scene *c, enum inv_doc doc, const char *id,
                                  const char *part)
{
    if (c->w.problem_count != 1)
        fail_msg("%zu problems, not one about \"%s\"", c->w.problem_count, part);
    assert_int_equal(c->w.problems[0].doc, doc);
    assert_string_equal(c->w.problems[0].catalogue, id);
    if (!strstr(c->w.problems[0].text.p, part))
        fail_msg("\"%s\" does not say \"%s\"", c->w.problems[0].text.p, part);
}

static inline void build_and_expect(struct scene *c, const char *id, const char *part)
{
    build(c);
    expect_problem(c, INV_DOC_INVOICE, id, part);
    assert_int_equal(c->w.payment_count, 0);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* An order's documents as a whole: its invoice and payments, then what changes after them. */
#include "service/sync/invoice.h"

#include "tests/unit/invoice_scene.h"

static void an_ordinary_order_becomes_an_invoice_and_a_payment(void **state)
{
    struct scene *c = *state;
    const struct inv_document *inv;

    build(c);
    inv = c->w.docs;
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
    expect_text(inv->number, "mugs-1050");
    expect_text(inv->reference, "#1050");
    expect_text(inv->url, LINK);
    assert_string_equal(inv->date, "2026-09-01");
    assert_string_equal(inv->due_date, "2026-09-01");
    assert_int_equal(inv->line_count, 2);
    expect_amount(inv->lines[0].amount, "20.00");
    expect_amount(inv->lines[0].tax, "4.00");
    assert_false(inv->lines[0].send_tax);
    expect_amount(inv->total, "30.00");
    expect_amount(inv->total_tax, "5.00");
    assert_int_equal(c->w.payment_count, 1);
    expect_text(c->w.payments[0].mark, "order");
    expect_text(c->w.payments[0].reference, "#1050 order");
    expect_text(c->w.payments[0].account, "091");
    expect_amount(c->w.payments[0].amount, "30.00");
    assert_string_equal(c->w.payments[0].date, "2026-09-01");
}

/* ---- payments ---- */

static void add_transaction(struct scene *c, const char *id, const char *gateway,
                            const char *amount)
{
    struct ord_transaction *t = &c->transactions[c->o.payment_count++];

    *t = (struct ord_transaction){str_of(id), str_of(gateway), eur(amount), "2026-09-02"};
    c->o.payments = c->transactions;
}

static void payments_follow_the_transactions(void **state)
{
    struct scene *c = *state;

    c->by_gateway[0] = (struct inv_pair){STR("gift_card"), STR("835")};
    c->s.payment_by_gateway = (struct inv_map){c->by_gateway, 1};
    add_transaction(c, "t1", "Gift_Card", "10.00");
    add_transaction(c, "t2", "stripe", "15.00");
    add_transaction(c, "t3", "stripe", "15.00");
    build(c);
    assert_int_equal(c->w.payment_count, 3);
    expect_text(c->w.payments[0].account, "835");
    expect_text(c->w.payments[0].reference, "#1050 t1");
    assert_string_equal(c->w.payments[0].date, "2026-09-02");
    expect_amount(c->w.payments[1].amount, "15.00");
    expect_amount(c->w.payments[2].amount, "5.00"); /* never more than is due */
    c->off[0] = STR("gift_card");
    c->s.payment_off = c->off;
    c->s.payment_off_count = 1;
    build(c);
    assert_int_equal(c->w.payment_count, 2);
    expect_text(c->w.payments[0].mark, "t2");
}

/* A payment is found again by its reference and amount. */
static void a_long_name_leaves_the_transaction_in_the_reference(void **state)
{
    struct scene *c = *state;

    c->o.name = str_of(arena_printf(&c->arena, "%0215d", 7));
    add_transaction(c, str_of(arena_printf(&c->arena, "%060d", 1)).p, "stripe", "30.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    assert_int_equal(c->w.payments[0].reference.n, LIM_NAME);
    assert_true(str_eq((struct str){c->w.payments[0].reference.p + LIM_NAME - 61, 61},
                       str_of(arena_printf(&c->arena, " %060d", 1))));
}

static void no_payment_where_none_belongs(void **state)
{
    struct scene *c = *state;

    c->o.state.paid = ORD_UNPAID;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->o.state.paid = ORD_PAID;
    c->s.record_payments = false;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->s.record_payments = true;
    c->s.status = INV_DRAFT;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->s.status = INV_AUTHORISED;
    c->off[0] = STR("Stripe");
    c->s.payment_off = c->off;
    c->s.payment_off_count = 1;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->s.payment_off_count = 0;
    c->s.payment_default = STR("");
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    expect_problem(c, INV_DOC_PAYMENT, "payment-account-unmapped", "payments by stripe");
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
}

static void a_partly_paid_order_pays_its_part_and_then_the_rest(void **state)
{
    struct scene *c = *state;
    struct inv_payment first;

    c->gateways[0] = STR(""); /* an empty name is no gateway */
    c->o.state.paid = ORD_PARTLY_PAID;
    c->o.outstanding = eur("18.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    expect_amount(c->w.payments[0].amount, "12.00");
    first = c->w.payments[0];
    c->sale = (struct inv_known_doc){.name = STR("invoice")};
    c->known = (struct inv_known){
        .docs = &c->sale, .doc_count = 1, .payments = &first, .payment_count = 1};
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    c->o.state.paid = ORD_PAID;
    c->o.outstanding = eur("0");
    build(c);
    assert_int_equal(c->w.payment_count, 2);
    expect_amount(c->w.payments[1].amount, "18.00");
    expect_text(c->w.payments[1].mark, "order-2");
    /* Transactions that come to be known later: the first is the part that was paid. */
    add_transaction(c, "t1", "stripe", "12.00");
    add_transaction(c, "t2", "stripe", "18.00");
    build(c);
    assert_int_equal(c->w.payment_count, 2);
    expect_text(c->w.payments[1].mark, "t2");
    expect_amount(c->w.payments[1].amount, "18.00");
}

static void what_was_paid_as_a_whole_is_not_paid_again(void **state)
{
    struct scene *c = *state;
    struct inv_payment first;

    build(c);
    first = c->w.payments[0];
    c->sale = (struct inv_known_doc){.name = STR("invoice")};
    c->known = (struct inv_known){
        .docs = &c->sale, .doc_count = 1, .payments = &first, .payment_count = 1};
    add_transaction(c, "t1", "stripe", "10.00");
    add_transaction(c, "t2", "gift_card", "20.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    assert_int_equal(c->w.problem_count, 0);
}

static void a_split_is_waited_for_and_never_guessed(void **state)
{
    struct scene *c = *state;

    c->gateways[1] = STR("gift_card");
    c->o.state.gateway_count = 2;
    build(c);
    assert_true(c->w.wait_for_split);
    assert_int_equal(c->w.payment_count + c->w.problem_count, 0);
    c->known.split_wait_over = true;
    build(c);
    assert_false(c->w.wait_for_split);
    assert_int_equal(c->w.payment_count, 0);
    expect_problem(c, INV_DOC_PAYMENT, "payment-split-unknown", "2 gateways");
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
    add_transaction(c, "t1", "stripe", "30.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    assert_int_equal(c->w.problem_count, 0);
}

/* ---- contacts ---- */

static void expect_contact(struct scene *c, const char *name)
{
    build(c);
    expect_text(c->w.contact.name, name);
    assert_int_equal(strlen(c->w.contact.number), 16);
}

static void contacts_get_names_that_xero_takes(void **state)
{
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"  Ada   Lovelace ", "Ada Lovelace"},
        {"<Ada>\tLovelace\n", "Ada Lovelace"},
        {"Ada\xc2\xa0\xc2\xa0Lovelace", "Ada Lovelace"},
        {"Zo\xc3\xab \xff Smith", "Zo\xc3\xab Smith"},
        {"<>", "ada@example.com"},
        {"", "ada@example.com"},
    };
    struct scene *c = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        c->o.party.name = str_of(rows[i].name);
        expect_contact(c, rows[i].want);
    }
    c->o.party.email = STR("");
    expect_contact(c, "Customer 77");
    c->o.party.company = STR("Mugs & Co");
    expect_contact(c, "Customer 77");
    c->o.party.is_company = true;
    expect_contact(c, "Mugs & Co");
    c->o.party.company = str_of(arena_printf(&c->arena, "%0254d\xc3\xab", 0));
    build(c);
    assert_int_equal(c->w.contact.name.n, 254); /* cut before the letter, not inside it */
    assert_int_equal(c->w.contact.distinct_name.n, 255);
}

static void contacts_are_told_apart_by_their_mark(void **state)
{
    struct scene *c = *state;
    struct inv_contact ada, bob, guest, single;

    build(c);
    ada = c->w.contact;
    expect_text(ada.distinct_name, arena_printf(&c->arena, "Ada Example (%.8s)", ada.number));
    c->o.party.customer_id = STR("78");
    build(c);
    bob = c->w.contact;
    c->o.party.customer_id = STR("");
    build(c);
    guest = c->w.contact;
    expect_text(guest.name, "mugs guest");
    assert_int_equal(guest.email.n, 0);
    c->s.contact_single = true;
    build(c);
    single = c->w.contact;
    expect_text(single.name, "mugs");
    c->s.contact_name = STR("Web shop");
    build(c);
    expect_text(c->w.contact.name, "Web shop");
    assert_string_equal(c->w.contact.number, single.number);
    assert_string_not_equal(ada.number, bob.number);
    assert_string_not_equal(ada.number, guest.number);
    assert_string_not_equal(guest.number, single.number);
}

static void only_plain_addresses_are_sent(void **state)
{
    static const char *const good[] = {"a@b.co", "ada.l+x@mail.example.com", "o'x_y@b-c.de"};
    static const char *const bad[] = {
        "",         "ada",      "@b.co",          "a@",
        "a@b",      "a@b@c.de", "a b@c.de",       "a@c.de,b",
        "a@.de",    "a@c.de.",  "a..b@c.de",      ".a@c.de",
        "a.@c.de",  "a@c..de",  "J\xc3\xbc@c.de", "a@\xc3\xbc.de",
        "<a@c.de>", "a@c_d.de",
    };
    struct scene *c = *state;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        c->o.party.email = str_of(good[i]);
        build(c);
        expect_text(c->w.contact.email, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        c->o.party.email = str_of(bad[i]);
        build(c);
        if (c->w.contact.email.n > 0)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void amounts_that_do_not_fit_are_an_error(void **state)
{
    struct scene *c = *state;

    c->lines[0].price.units = INT64_MAX / 2;
    c->lines[0].quantity = 1000;
    assert_int_equal(inv_build(&c->o, &c->s, &c->known, LINK, &c->arena, &c->w, &c->info),
                     ERR_OVERFLOW);
    assert_non_null(strstr(c->info.text, "#1050"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_ordinary_order_becomes_an_invoice_and_a_payment),
        SCENE_TEST(payments_follow_the_transactions),
        SCENE_TEST(a_long_name_leaves_the_transaction_in_the_reference),
        SCENE_TEST(no_payment_where_none_belongs),
        SCENE_TEST(a_partly_paid_order_pays_its_part_and_then_the_rest),
        SCENE_TEST(what_was_paid_as_a_whole_is_not_paid_again),
        SCENE_TEST(a_split_is_waited_for_and_never_guessed),
        SCENE_TEST(contacts_get_names_that_xero_takes),
        SCENE_TEST(contacts_are_told_apart_by_their_mark),
        SCENE_TEST(only_plain_addresses_are_sent),
        SCENE_TEST(amounts_that_do_not_fit_are_an_error),
    };

    return cmocka_run_group_tests_name("invoice", tests, NULL, NULL);
}

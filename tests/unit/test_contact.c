/* Who an invoice goes to: names that Xero takes, marks that stay, what finds a contact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/base/crypto.h"
#include "service/sync/invoice.h"
#include "service/sync/invoice_parts.h"

struct scene {
    struct arena arena;
    struct order o;
    struct inv_settings s;
    struct inv_contact c;
};

static int set_up(void **state)
{
    struct scene *c = x_alloc(sizeof *c);

    c->o.platform = STR("shopify");
    c->o.store = STR("mugs.myshopify.com");
    c->o.party = (struct ord_party){
        .customer_id = STR("77"), .name = STR("Ada Example"), .email = STR("ada@example.com")};
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *c = *state;

    arena_free(&c->arena);
    x_free(c);
    return 0;
}

static void make(struct scene *c)
{
    struct inv_work w = {.o = &c->o, .s = &c->s, .arena = &c->arena};

    inv_make_contact(&w, &c->c);
}

static void expect_text(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(got), want);
}

static void expect_name(struct scene *c, const char *want)
{
    make(c);
    expect_text(c->c.name, want);
}

/* What the API calls a customer has the mark that the customer's order gets. */
static void expect_mark(struct scene *c, const char *customer)
{
    char mark[INV_MARK];

    make(c);
    inv_contact_mark(c->o.platform, c->o.store, str_of(customer), mark);
    assert_string_equal(c->c.number, mark);
}

static void names_are_what_xero_takes(void **state)
{
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"Ada Lovelace", "Ada Lovelace"},
        {"  Ada   Lovelace ", "Ada Lovelace"},
        {"Ada\r\nLovelace\x01\x7f", "Ada Lovelace"},
        {"<b>Ada</b>", "bAda/b"},
        {"Ada < > Lovelace", "Ada Lovelace"},
        {"\xc2\xa0"
         "Ada\xe2\x80\x83\xe3\x80\x80Lovelace\xe2\x80\xa8",
         "Ada Lovelace"},
        {"Ada\xc2\x85\xef\xbb\xbfLovelace", "Ada Lovelace"}, /* C1 control, byte order mark */
        {"Ada \xe2\x80\xae"
         "Lovelace",
         "Ada Lovelace"}, /* would be shown backwards */
        {"Zo\xc3\xab \xff\xc0\xaf Smith \xe2\x82", "Zo\xc3\xab Smith"},
        {"\xd8\xb9\xd9\x84\xdb\x8c\xe2\x80\x8c\xd8\xb1",
         "\xd8\xb9\xd9\x84\xdb\x8c\xe2\x80\x8c\xd8\xb1"},
        {"\xf0\x9f\x8e\x81 Shop", "\xf0\x9f\x8e\x81 Shop"},
        {"O\"Brien \\ Sons", "O\"Brien \\ Sons"},
        {"<>", "ada@example.com"},
        {" \xe3\x80\x80", "ada@example.com"},
    };
    struct scene *c = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        c->o.party.name = str_of(rows[i].name);
        expect_name(c, rows[i].want);
    }
    c->o.party.email = STR("");
    expect_name(c, "Customer 77");
}

static void a_long_name_is_cut_between_letters_with_room_for_its_suffix(void **state)
{
    struct scene *c = *state;

    c->o.party.name = str_of(arena_printf(&c->arena, "%0254d\xc3\xab", 0));
    make(c);
    assert_int_equal(c->c.name.n, 254);
    assert_int_equal(c->c.distinct_name.n, 255);
    c->o.party.name = str_of(arena_printf(&c->arena, "%0243d    Ada", 0));
    make(c);
    assert_int_equal(c->c.distinct_name.n, 243 + 11); /* no two blanks before the suffix */
}

static void the_same_party_has_the_same_mark(void **state)
{
    struct scene *c = *state;
    char mark[17];

    make(c);
    cry_short_hash(STR("shopify/mugs.myshopify.com/customer/77"), mark);
    assert_string_equal(c->c.number, mark);
    expect_mark(c, "77");
    c->o.party.name = STR("Ada King");
    c->o.party.email = STR("king@example.com");
    make(c);
    assert_string_equal(c->c.number, mark);
    c->o.store = STR("pots.myshopify.com");
    make(c);
    assert_string_not_equal(c->c.number, mark);
}

static void guests_share_one_contact_of_the_store(void **state)
{
    struct scene *c = *state;

    c->o.party.customer_id = STR("");
    expect_mark(c, "guest");
    expect_name(c, "mugs guest");
    assert_int_equal(c->c.email.n, 0);
    assert_false(c->c.by_email);
    c->o.party = (struct ord_party){0}; /* what an erasure leaves */
    expect_mark(c, "guest");
}

static void a_store_may_have_one_contact(void **state)
{
    struct scene *c = *state;

    c->s.contact_single = true;
    c->s.send_customer_code = true;
    expect_mark(c, "single");
    expect_name(c, "mugs");
    c->s.contact_name = STR("Web shop");
    expect_name(c, "Web shop");
    expect_mark(c, "single");
    assert_false(c->c.by_email);
    assert_int_equal(c->c.account_number.n, 0);
}

static void a_company_has_one_contact_whoever_buys_for_it(void **state)
{
    struct scene *c = *state;
    struct str number;

    c->o.party.is_company = true;
    c->o.party.company = STR("Mugs & Co");
    expect_mark(c, "company-MUGS & CO"); /* without an id, by its name in any letters */
    expect_name(c, "Mugs & Co");
    number = str_of(c->c.number);
    assert_true(inv_is_company_mark(number));
    assert_false(c->c.by_email);
    expect_text(c->c.email, "ada@example.com");
    expect_text(c->c.distinct_name,
                arena_printf(&c->arena, "Mugs & Co (%.8s)", c->c.number + sizeof "co-" - 1));
    c->o.party.customer_id = STR("78");
    expect_mark(c, "company-mugs & co");
    c->o.party.company_id = STR("5");
    expect_mark(c, "company-5");
    c->o.party.company = STR("Mugs and Company");
    expect_mark(c, "company-5");
    c->o.party.company = STR("");
    expect_mark(c, "company-5");
    expect_name(c, "Ada Example");
    c->o.party.company_id = STR(""); /* a company of which nothing is known */
    expect_mark(c, "78");
}

static void only_the_setting_sends_the_customer_code(void **state)
{
    struct scene *c = *state;

    make(c);
    assert_int_equal(c->c.account_number.n, 0);
    c->s.send_customer_code = true;
    make(c);
    expect_text(c->c.account_number, "77");
    c->o.party.customer_id = str_of(arena_printf(&c->arena, "%051d", 0)); /* Xero takes 50 */
    make(c);
    assert_int_equal(c->c.account_number.n, 0);
    c->o.party.customer_id = STR("");
    make(c);
    assert_int_equal(c->c.account_number.n, 0);
}

static void only_a_plain_address_finds_a_contact(void **state)
{
    struct scene *c = *state;

    make(c);
    assert_true(c->c.by_email);
    c->o.party.email = STR("J\xc3\xbcrgen@example.com");
    make(c);
    assert_false(c->c.by_email);
    assert_int_equal(c->c.email.n, 0);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(names_are_what_xero_takes),
        SCENE_TEST(a_long_name_is_cut_between_letters_with_room_for_its_suffix),
        SCENE_TEST(the_same_party_has_the_same_mark),
        SCENE_TEST(guests_share_one_contact_of_the_store),
        SCENE_TEST(a_store_may_have_one_contact),
        SCENE_TEST(a_company_has_one_contact_whoever_buys_for_it),
        SCENE_TEST(only_the_setting_sends_the_customer_code),
        SCENE_TEST(only_a_plain_address_finds_a_contact),
    };

    return cmocka_run_group_tests_name("contact", tests, NULL, NULL);
}

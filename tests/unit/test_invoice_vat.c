/* Prices that may hold a VAT which nobody states: what the settings make of them. */
#include "service/sync/invoice.h"

#include "tests/unit/invoice_scene.h"

/* The scene's order, as Amazon tells it: prices with tax, none stated. 20.00 and 5.00. */
static void unstated(struct scene *c, struct inv_pair *rate)
{
    c->o.taxes_included = true;
    for (int i = 0; i < 2; i++) {
        c->lines[i].tax_count = 0;
        c->lines[i].vat_unstated = true;
    }
    c->o.total = c->o.current_total = eur("25.00");
    c->o.total_tax = eur("0");
    c->s.vat_rates = (struct inv_map){rate, rate ? 1 : 0};
    c->s.tax_default = STR("T");
}

/* "20.00 T 3.33 sent | ... = 25.00 4.16", or the first problem. */
static void expect_lines(struct scene *c, const char *want)
{
    struct buf b = BUF_CAP(4096);

    build(c);
    if (c->w.problem_count > 0) {
        buf_printf(&b, "%s: %.*s", c->w.problems[0].catalogue, STR_FMT(c->w.problems[0].text));
    } else {
        const struct inv_document *doc = &c->w.docs[0];

        for (size_t i = 0; i < doc->line_count; i++)
            buf_printf(&b, "%s %.*s %s%s | ", mon_text(doc->lines[i].amount).z,
                       STR_FMT(doc->lines[i].tax_type), mon_text(doc->lines[i].tax).z,
                       doc->lines[i].send_tax ? " sent" : "");
        buf_printf(&b, "%s %s", mon_text(doc->total).z, mon_text(doc->total_tax).z);
    }
    if (strcmp(buf_z(&b), want) != 0)
        fail_msg("\n%s\nis not\n%s", buf_z(&b), want);
    buf_free(&b);
}

#define MISSING                                                                                    \
    "vat-rate-missing: The prices may hold a VAT that the shop does not state, and "               \
    "settings.vat_rates has no rate for "

static void the_rate_of_the_orders_country_is_in_the_prices(void **state)
{
    static const struct {
        const char *country, *named, *rate, *want;
    } rows[] = {
        {"DE", "DE", "0.2", "20.00 OUTPUT2 3.33 | 5.00 OUTPUT2 0.83 | 25.00 4.16"},
        {"DE", "DE", "0.19", "20.00 T 3.19 | 5.00 T 0.80 | 25.00 3.99"},
        {"de", "DE", "0.19", "20.00 T 3.19 | 5.00 T 0.80 | 25.00 3.99"},
        {"DE", "*", "0.19", "20.00 T 3.19 | 5.00 T 0.80 | 25.00 3.99"},
        {"", "*", "0.19", "20.00 T 3.19 | 5.00 T 0.80 | 25.00 3.99"},
        {"DE", "DE", "0", "20.00 NONE 0.00 | 5.00 NONE 0.00 | 25.00 0.00"},
        {"DE", "FR", "0.2", MISSING "DE: it names neither \"DE\" nor \"*\"."},
        {"", "DE", "0.2", MISSING "a country that is not told: it takes the rate of \"*\"."},
        {"DE", NULL, NULL, MISSING "DE: it names neither \"DE\" nor \"*\"."},
    };
    struct scene *c = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct inv_pair rate = {str_of(rows[i].named), str_of(rows[i].rate)};

        unstated(c, rows[i].named ? &rate : NULL);
        c->o.country = str_of(rows[i].country);
        expect_lines(c, rows[i].want);
    }
}

static void its_title_names_the_country(void **state)
{
    struct scene *c = *state;
    struct inv_pair rate = {STR("*"), STR("0.19")}, title = {STR("VAT DE"), STR("DE19")};

    unstated(c, &rate);
    c->s.tax_default = STR("");
    expect_lines(c, "tax-unmapped: [TaxCode VAT DE] is not mapped to an accounting tax: map the "
                    "title \"VAT DE\" (mappings.taxes.by_title) or the rate 0.19 "
                    "(mappings.taxes.by_rate).");
    c->s.tax_by_title = (struct inv_map){&title, 1};
    expect_lines(c, "20.00 DE19 3.19 | 5.00 DE19 0.80 | 25.00 3.99");
}

static void what_is_stated_is_not_touched(void **state)
{
    struct scene *c = *state;
    struct inv_pair rate = {STR("*"), STR("0.2")};

    unstated(c, &rate);
    c->lines[0].vat_unstated = false; /* it has no tax, or it is the marketplace's */
    expect_lines(c, "20.00 NONE 0.00 | 5.00 OUTPUT2 0.83 | 25.00 0.83");
    c->taxes[0][0].channel_liable = true;
    c->lines[0].tax_count = 1;
    c->o.total_tax = eur("4.00");
    expect_lines(c, "16.00 NONE 0.00 | 5.00 OUTPUT2 0.83 | 21.00 0.83");
    c->s.vat_rates.count = 0;
    c->lines[1].vat_unstated = false;
    expect_lines(c, "16.00 NONE 0.00 | 5.00 NONE 0.00 | 21.00 0.00");
}

static void discounts_and_shipments_have_their_part_of_it(void **state)
{
    struct scene *c = *state;
    struct inv_pair rate = {STR("*"), STR("0.2")};

    unstated(c, &rate);
    c->s.discount_lines = true;
    c->s.account_discounts = STR("202");
    expect_lines(c, "21.00 OUTPUT2 3.50 | 5.00 OUTPUT2 0.83 | -1.00 OUTPUT2 -0.17 | 25.00 4.16");
    c->s.discount_lines = false;
    c->s.quantities_fulfilled = true;
    c->lines[0].ships = true;
    c->lines[0].shipped = 1;
    expect_lines(c, "10.00 OUTPUT2 1.67 | 5.00 OUTPUT2 0.83 | 15.00 2.50");
    c->lines[0].shipped = 2;
    expect_lines(c, "20.00 OUTPUT2 3.33 | 5.00 OUTPUT2 0.83 | 25.00 4.16");
}

/* Half a cent each: what the lines come to is told, not what the total would. */
static void it_is_computed_line_by_line(void **state)
{
    struct scene *c = *state;
    struct inv_pair rate = {STR("*"), STR("0.2")};

    unstated(c, &rate);
    c->lines[0].quantity = 1;
    c->lines[0].price = eur("24.99");
    c->lines[0].discount = eur("0");
    c->lines[1].price = eur("2.99");
    c->o.total = c->o.current_total = eur("27.98");
    expect_lines(c, "24.99 OUTPUT2 4.16 | 2.99 OUTPUT2 0.50 | 27.98 4.66");
}

/* Xero holds what was just built. */
static void export_it(struct scene *c)
{
    build(c);
    c->sale = (struct inv_known_doc){.name = STR("invoice"),
                                     .id = STR("i-1"),
                                     .number = c->w.docs[0].number,
                                     .status = STR("AUTHORISED"),
                                     .total = c->w.docs[0].total,
                                     .tax = c->w.docs[0].total_tax,
                                     .inclusive = true,
                                     .has_lines = true,
                                     .lines = c->w.docs[0].lines,
                                     .line_count = c->w.docs[0].line_count};
    memcpy(c->sale.date, c->w.docs[0].date, sizeof c->sale.date);
    c->known = (struct inv_known){
        .docs = &c->sale, .doc_count = 1, .lines_may_change = true, .looked = true};
}

/* A rate that changes, comes or goes is for what is not in the books yet. */
static void other_rates_rewrite_no_books(void **state)
{
    struct scene *c = *state;
    struct inv_pair rate = {STR("*"), STR("0.2")};
    static const char *const rates[] = {"0.19", "0", NULL, "0.2"};

    for (size_t before = 0; before < 2; before++) {
        unstated(c, &rate);
        rate.value = before ? STR("0") : STR("0.2");
        c->known = (struct inv_known){.doc_count = 0};
        export_it(c);
        for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
            rate.value = str_of(rates[i]);
            c->s.vat_rates.count = rates[i] ? 1 : 0;
            expect_lines(c, before ? "20.00 NONE 0.00 | 5.00 NONE 0.00 | 25.00 0.00"
                                   : "20.00 OUTPUT2 3.33 | 5.00 OUTPUT2 0.83 | 25.00 4.16");
            assert_int_equal(c->w.doc_count, 1);
            assert_int_equal(c->w.docs[0].action, INV_KEEP);
        }
    }
}

static void what_changes_after_the_export_needs_its_rate(void **state)
{
    struct scene *c = *state;
    struct inv_pair rate = {STR("*"), STR("0.2")};

    unstated(c, &rate);
    export_it(c);
    c->lines[0].quantity = 3;
    c->o.total = c->o.current_total = eur("35.50");
    expect_lines(c, "30.50 OUTPUT2 5.08 | 5.00 OUTPUT2 0.83 | 35.50 5.91");
    assert_int_equal(c->w.docs[0].action, INV_UPDATE);
    c->s.vat_rates.count = 0;
    expect_lines(c, MISSING "DE: it names neither \"DE\" nor \"*\".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_rate_of_the_orders_country_is_in_the_prices),
        SCENE_TEST(its_title_names_the_country),
        SCENE_TEST(what_is_stated_is_not_touched),
        SCENE_TEST(discounts_and_shipments_have_their_part_of_it),
        SCENE_TEST(it_is_computed_line_by_line),
        SCENE_TEST(other_rates_rewrite_no_books),
        SCENE_TEST(what_changes_after_the_export_needs_its_rate),
    };

    return cmocka_run_group_tests_name("invoice_vat", tests, NULL, NULL);
}

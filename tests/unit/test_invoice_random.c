/*
 * Random orders, computed as a shop does: sold, edited, shipped in part; built, written, and
 * computed again as Xero does, by an arithmetic of this file's own. SEED=n repeats the one that a
 * failure names.
 */
#include "service/sync/invoice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/sync/invoice_parts.h"

#define LINK "https://random.myshopify.com/admin/orders/1"

__extension__ typedef __int128 i128;

struct random {
    uint64_t state;
};

/* From LOW to HIGH (splitmix64). */
static int64_t pick(struct random *r, int64_t low, int64_t high)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return low + (int64_t)(z % (uint64_t)(high - low + 1));
}

/* A / B, halves up in absolute value. */
static int64_t half_up(i128 a, i128 b)
{
    i128 q = (2 * (a < 0 ? -a : a) + b) / (2 * b);

    return (int64_t)(a < 0 ? -q : q);
}

#define MAX_LINES 12

/* An order as a shop computes it, in 1/10000 of the unit. */
struct shop {
    struct random random;
    const char *currency;
    int64_t minor; /* the shop's smallest amount */
    bool inclusive;
    unsigned kinds; /* of the lines that count in its total, as bits */
    struct ord_tax taxes[MAX_LINES][3];
    struct ord_line lines[MAX_LINES];
    char ids[MAX_LINES][8];
    struct order o;
    struct inv_settings s;
};

/* Multiplied and divided, in whole minor units. */
static int64_t share(const struct shop *g, int64_t units, int64_t part, int64_t whole)
{
    return half_up((i128)units * part, (i128)whole * g->minor) * g->minor;
}

static void make_taxes(struct shop *g, struct ord_line *line, bool counts)
{
    struct ord_tax *taxes = g->taxes[line - g->lines];
    static const int64_t rates[] = {20000000, 10000000, 8250000, 6000000,
                                    2500000,  8875000,  5500000};
    int64_t net = line->price.units * line->quantity - line->discount.units, all = 0;

    line->taxes = taxes;
    line->tax_count = line->kind == ORD_TIP ? 0 : (size_t)pick(&g->random, 0, 3);
    for (size_t i = 0; i < line->tax_count; i++) {
        taxes[i] = (struct ord_tax){.title = STR("Tax")};
        taxes[i].rate.units = rates[pick(&g->random, 0, 6)];
        taxes[i].channel_liable = pick(&g->random, 0, 9) == 0;
        all += taxes[i].rate.units;
    }
    for (size_t i = 0; i < line->tax_count; i++) {
        i128 part = (i128)net * taxes[i].rate.units;
        i128 base = g->inclusive ? MON_RATE_SCALE + all : MON_RATE_SCALE;

        taxes[i].amount = mon_zero(g->currency);
        taxes[i].amount.units = half_up(part, base * g->minor) * g->minor;
        if (counts)
            g->o.total_tax.units += taxes[i].amount.units;
    }
    if (counts) {
        g->o.total.units += net;
        g->kinds |= 1u << line->kind;
    }
}

static struct ord_line *make_line(struct shop *g, enum ord_line_kind kind, int64_t most)
{
    size_t i = g->o.line_count++;
    struct ord_line *line = &g->lines[i];

    (void)snprintf(g->ids[i], sizeof g->ids[i], "%zu", i + 1);
    *line = (struct ord_line){.kind = kind,
                              .id = str_of(g->ids[i]),
                              .title = STR("Thing"),
                              .quantity = 1,
                              .ships = kind == ORD_PRODUCT,
                              .price = mon_zero(g->currency),
                              .discount = mon_zero(g->currency),
                              .removed_subtotal = mon_zero(g->currency),
                              .removed_tax = mon_zero(g->currency)};
    line->price.units = pick(&g->random, most / 100, most) * g->minor;
    return line;
}

/* Products, vouchers, shipping, a tip, duties and fees; these two not in every shop's total. */
static void make_lines(struct shop *g)
{
    int64_t n = pick(&g->random, 1, 7);

    for (int64_t i = 0; i < n; i++) {
        struct ord_line *line =
            make_line(g, pick(&g->random, 0, 7) ? ORD_PRODUCT : ORD_GIFT_CARD, 30000);

        if (pick(&g->random, 0, 30) == 0)
            line->price.units = 0;
        line->quantity = pick(&g->random, 1, 12);
        if (pick(&g->random, 0, 2) == 0)
            line->discount.units =
                pick(&g->random, 0, line->price.units * line->quantity / g->minor) * g->minor;
        make_taxes(g, line, true);
    }
    if (pick(&g->random, 0, 3))
        make_taxes(g, make_line(g, ORD_SHIPPING, 2000), true);
    if (pick(&g->random, 0, 3) == 0) {
        struct ord_line *line = make_line(g, ORD_TIP, 2000);

        g->o.tip = line->price;
        make_taxes(g, line, true);
        if (pick(&g->random, 0, 1))
            g->o.line_count--; /* told as an amount alone */
    }
    if (pick(&g->random, 0, 3) == 0)
        make_taxes(g, make_line(g, ORD_DUTY, 5000), pick(&g->random, 0, 2));
    if (pick(&g->random, 0, 3) == 0)
        make_taxes(g, make_line(g, ORD_FEE, 7000), pick(&g->random, 0, 2));
    if (g->o.total.units > 1000 * g->minor && pick(&g->random, 0, 5) == 0)
        g->o.cash_rounding.units = pick(&g->random, 1, 2) * (g->minor > 100 ? g->minor : 100);
    if (!g->inclusive)
        g->o.total.units += g->o.total_tax.units;
}

static void make_order(struct shop *g, uint64_t seed)
{
    static const char *const currencies[] = {"USD", "GBP", "JPY", "KWD"};

    *g = (struct shop){.random = {seed}};
    g->currency = currencies[pick(&g->random, 0, 3)];
    g->minor = mon_minor(g->currency).units;
    g->inclusive = pick(&g->random, 0, 1);
    g->o = (struct order){.platform = STR("shopify"),
                          .store = STR("random.myshopify.com"),
                          .id = STR("1"),
                          .name = STR("#1"),
                          .created_at = "2026-09-01T00:00:00Z",
                          .taxes_included = g->inclusive,
                          .lines = g->lines,
                          .due_days = -1};
    memcpy(g->o.currency, g->currency, sizeof g->o.currency);
    memcpy(g->o.presentment_currency, g->currency, sizeof g->o.currency);
    g->o.state.paid = ORD_PAID;
    g->o.total = g->o.total_tax = g->o.tip = g->o.outstanding = g->o.current_total =
        g->o.cash_rounding = g->o.duties = g->o.fees = mon_zero(g->currency);
    make_lines(g);
    g->s = (struct inv_settings){.prefix = STR("R-"),
                                 .record_payments = true,
                                 .discount_lines = pick(&g->random, 0, 1),
                                 .marketplace_tax_clearing = pick(&g->random, 0, 1),
                                 .tax_amounts_never = pick(&g->random, 0, 3) == 0,
                                 .rounding_limit = 5,
                                 .account_default = STR("200"),
                                 .account_discounts = STR("202"),
                                 .account_gift_cards = STR("835"),
                                 .account_marketplace_tax = STR("840"),
                                 .account_rounding = STR("860"),
                                 .tax_exempt = STR("R0"),
                                 .payment_default = STR("091")};
}

static int64_t tax_of(const struct ord_line *line, bool channel_alone)
{
    int64_t sum = 0;

    for (size_t i = 0; i < line->tax_count; i++)
        if (!channel_alone || line->taxes[i].channel_liable)
            sum += line->taxes[i].amount.units;
    return sum;
}

/* Takes some of the lines out again, as an edit does, and ships some of the rest. */
static void edit_and_ship(struct shop *g)
{
    for (size_t i = 0; i < g->o.line_count; i++) {
        struct ord_line *line = &g->lines[i];
        bool item = line->kind == ORD_PRODUCT || line->kind == ORD_GIFT_CARD;

        if (item && pick(&g->random, 0, 2) == 0)
            line->removed = pick(&g->random, 1, line->quantity);
        if (line->removed > 0) {
            line->removed_subtotal.units =
                line->price.units * line->removed -
                share(g, line->discount.units, line->removed, line->quantity);
            line->removed_tax.units = share(g, tax_of(line, false), line->removed, line->quantity);
        } else if (line->kind == ORD_SHIPPING && pick(&g->random, 0, 3) == 0) {
            line->removed_subtotal.units = share(g, line->price.units, 1, 2);
            line->removed_tax.units = share(g, tax_of(line, false), 1, 2);
        }
        if (item)
            line->shipped = pick(&g->random, 0, line->quantity);
    }
}

/* Maps the rate of every line to a tax type that spells it: "R28250000" is 28.25 %. */
static void map_rates(struct shop *g, struct arena *arena)
{
    struct inv_pair *pairs = arena_array(arena, MAX_LINES, sizeof *pairs);

    for (size_t i = 0; i < g->o.line_count; i++) {
        struct rate sum = {0};

        for (size_t j = 0; j < g->lines[i].tax_count; j++)
            if (g->lines[i].taxes[j].amount.units != 0 && !g->lines[i].taxes[j].channel_liable)
                sum.units += g->lines[i].taxes[j].rate.units;
        pairs[i].key = arena_str(arena, str_of(mon_rate_text(sum).z));
        pairs[i].value = str_of(arena_printf(arena, "R%lld", (long long)sum.units));
    }
    g->s.tax_by_rate = (struct inv_map){pairs, g->o.line_count};
}

/* Units of 1/10000 of a number in the JSON; 0 if absent. Its own reading: digits and one point. */
static int64_t number(const struct js_value *line, const char *key)
{
    struct str s = {NULL, 0};
    int64_t units = 0;
    int decimals = -1;
    bool negative;

    if (!js_get(line, key))
        return 0;
    assert_true(js_text(js_get(line, key), &s));
    negative = *s.p == '-';
    for (size_t i = negative; i < s.n; i++) {
        if (s.p[i] == '.') {
            decimals = 0;
            continue;
        }
        units = units * 10 + (s.p[i] - '0');
        decimals += decimals >= 0;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 4; i++)
        units *= 10;
    return negative ? -units : units;
}

/* What Xero would make of the written invoice, in cents. */
static void xero_sums(const struct js_value *inv, bool inclusive, int64_t *total, int64_t *tax)
{
    const struct js_value *lines = js_get(inv, "LineItems");

    *total = *tax = 0;
    for (size_t i = 0; i < js_len(lines); i++) {
        const struct js_value *line = js_at(lines, i);
        int64_t amount, rate, own, discount = number(line, "DiscountAmount");
        struct str type;

        assert_int_equal(discount % 100, 0); /* two decimals, and no more in a sum */
        amount = half_up(
            (i128)number(line, "UnitAmount") * (number(line, "Quantity") / 10000) - discount, 100);
        assert_true(js_string(js_get(line, "TaxType"), &type));
        assert_true(str_int64((struct str){type.p + 1, type.n - 1}, &rate));
        own = inclusive ? amount - half_up((i128)amount * MON_RATE_SCALE, MON_RATE_SCALE + rate)
                        : half_up((i128)amount * rate, MON_RATE_SCALE);
        if (js_get(line, "TaxAmount")) {
            assert_int_equal(number(line, "TaxAmount") % 100, 0);
            own = number(line, "TaxAmount") / 100;
        }
        *total += amount + (inclusive ? 0 : own);
        *tax += own;
    }
}

/* What of a kind takes part: whether duties and fees are in the total is for the test to know too.
 * */
static int64_t terms_of(const struct shop *g, unsigned kinds, int64_t *channel, bool left)
{
    int64_t sum = 0;

    *channel = 0;
    for (size_t i = 0; i < g->o.line_count; i++) {
        const struct ord_line *line = &g->lines[i];
        int64_t tax = tax_of(line, false), remitted = tax_of(line, true), gone = 0;

        if (!(kinds & 1u << line->kind))
            continue;
        sum += line->price.units * line->quantity - line->discount.units;
        if (!g->inclusive)
            sum += tax;
        if (left && tax != 0)
            remitted = share(g, remitted, tax - line->removed_tax.units, tax);
        gone = line->removed_subtotal.units + (g->inclusive ? 0 : line->removed_tax.units);
        if (left)
            sum -= gone;
        *channel += remitted;
    }
    return sum;
}

/* What a share has to come to, in cents: the order's total, less what was removed, less what a
 * marketplace remits, with the rounding of cash. */
static int64_t wanted_total(const struct shop *g, bool left)
{
    int64_t channel = 0, sold = terms_of(g, g->kinds, &channel, false);
    int64_t total = g->o.total.units - sold + terms_of(g, g->kinds, &channel, left);

    if (!g->s.marketplace_tax_clearing)
        total -= channel;
    return half_up(total + g->o.cash_rounding.units, 100);
}

/* The shop's tax of the lines that take part, less what a marketplace remits. */
static int64_t wanted_tax(const struct shop *g)
{
    int64_t channel = 0;

    (void)terms_of(g, g->kinds, &channel, false);
    return g->o.total_tax.units - channel;
}

/* By how much the tax may be off: without TaxAmount a few units may differ; in a third decimal half
 * a cent a line. */
static int64_t slack_of(const struct shop *g)
{
    int64_t slack = g->s.tax_amounts_never ? 5 * (g->minor > 100 ? g->minor : 100) : 0;

    return g->minor < 100 ? slack + 500 + 100 * (int64_t)(2 * g->o.line_count + 2) : slack;
}

static void check_keys(const struct inv_lines *lines, uint64_t seed)
{
    for (size_t i = 0; i < lines->count; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(lines->rows[i].key, lines->rows[k].key))
                fail_msg("seed %llu: two lines %.*s", (unsigned long long)seed,
                         STR_FMT(lines->rows[i].key));
}

/* The lines of a share, written and added up by Xero's rules. */
static void check_lines(const struct shop *g, const struct inv_lines *lines, uint64_t seed)
{
    struct inv_document invoice = {.date = "2026-09-01", .due_date = "2026-09-01"};
    struct buf text = BUF_CAP(1 << 20);
    struct js_doc doc = {0};
    struct js_out out;
    struct errinfo info = {""};
    int64_t total = 0, tax = 0;

    invoice.inclusive = g->inclusive;
    invoice.lines = lines->rows;
    invoice.line_count = lines->count;
    jw_init(&out, &text);
    inv_write_document(&out, &invoice, STR("c"));
    assert_int_equal(js_parse(buf_str(&text), 1 << 20, &doc, &info), ERR_OK);
    xero_sums(doc.root, g->inclusive, &total, &tax);
    if (total * 100 != lines->total.units || tax * 100 != lines->total_tax.units)
        fail_msg("seed %llu: Xero would return %lld and %lld cents\n%s", (unsigned long long)seed,
                 (long long)total, (long long)tax, buf_z(&text));
    check_keys(lines, seed);
    js_free(&doc);
    buf_free(&text);
}

/* A key stands for the same thing, booked the same way, in every share. */
static void check_same_coding(const struct inv_lines *a, const struct inv_lines *b, uint64_t seed)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (str_eq(a->rows[i].key, b->rows[k].key) &&
                (!str_eq(a->rows[i].account, b->rows[k].account) ||
                 !str_eq(a->rows[i].tax_type, b->rows[k].tax_type)))
                fail_msg("seed %llu: %.*s is booked in two ways", (unsigned long long)seed,
                         STR_FMT(a->rows[i].key));
}

static void check_same_lines(const struct inv_lines *a, const struct inv_lines *b, uint64_t seed)
{
    bool same = a->count == b->count && a->total.units == b->total.units;

    for (size_t i = 0; same && i < a->count; i++)
        same = str_eq(a->rows[i].key, b->rows[i].key) &&
               a->rows[i].quantity == b->rows[i].quantity &&
               a->rows[i].amount.units == b->rows[i].amount.units &&
               a->rows[i].tax.units == b->rows[i].tax.units;
    if (!same)
        fail_msg("seed %llu: all has shipped, and the lines are not what is left",
                 (unsigned long long)seed);
}

/* Returns whether the share could be made. */
static bool make_share(struct shop *g, struct inv_work *w, enum inv_share part, uint64_t seed,
                       struct inv_lines *out)
{
    assert_int_equal(inv_make_lines(w, part, out), ERR_OK);
    if (w->problem_count > 0 && !g->s.tax_amounts_never)
        fail_msg("seed %llu: share %d: %s", (unsigned long long)seed, (int)part,
                 w->problems[0].text.p);
    if (w->problem_count == 0)
        check_lines(g, out, seed);
    return w->problem_count == 0;
}

static void expect_total(const struct shop *g, const struct inv_lines *lines, bool left,
                         uint64_t seed)
{
    int64_t want = wanted_total(g, left);

    if (lines->count > 0 && lines->total.units != want * 100)
        fail_msg("seed %llu: %s, and the order says %lld cents", (unsigned long long)seed,
                 mon_text(lines->total).z, (long long)want);
}

/* Returns whether the order could be invoiced. */
static bool check_random(uint64_t seed)
{
    static const struct inv_known fresh;
    struct shop *g = x_alloc(sizeof *g);
    struct arena arena = {0};
    struct errinfo info = {""};
    struct inv_work w = {.o = &g->o, .s = &g->s, .known = &fresh, .arena = &arena, .info = &info};
    struct inv_lines sold = {.rows = NULL}, left = sold, some = sold, all = sold;
    bool built;

    make_order(g, seed);
    map_rates(g, &arena);
    built = make_share(g, &w, INV_SOLD, seed, &sold);
    if (built)
        expect_total(g, &sold, false, seed);
    edit_and_ship(g);
    if (built && make_share(g, &w, INV_LEFT, seed, &left) &&
        make_share(g, &w, INV_SHIPPED, seed, &some)) {
        expect_total(g, &left, true, seed);
        check_same_coding(&sold, &left, seed);
        check_same_coding(&left, &some, seed);
        for (size_t i = 0; i < g->o.line_count; i++)
            g->lines[i].shipped = g->lines[i].quantity;
        assert_true(make_share(g, &w, INV_SHIPPED, seed, &all));
        check_same_lines(&left, &all, seed);
    }
    arena_free(&arena);
    x_free(g);
    return built;
}

/* The whole of a plain order: the invoice that is written, and its payment. */
static void check_whole(uint64_t seed)
{
    static const struct inv_known fresh;
    struct shop *g = x_alloc(sizeof *g);
    struct arena arena = {0};
    struct errinfo info = {""};
    struct inv_wanted w;
    const struct inv_document *doc = NULL;

    make_order(g, seed);
    map_rates(g, &arena);
    assert_int_equal(inv_build(&g->o, &g->s, &fresh, LINK, &arena, &w, &info), ERR_OK);
    if (w.problem_count == 0) {
        doc = w.docs;
        assert_int_equal(doc->total.units, wanted_total(g, false) * 100);
        if (llabs(doc->total_tax.units - wanted_tax(g)) > slack_of(g))
            fail_msg("seed %llu: tax %s", (unsigned long long)seed, mon_text(doc->total_tax).z);
        assert_int_equal(w.payment_count, doc->total.units > 0);
        if (w.payment_count > 0)
            assert_int_equal(w.payments[0].amount.units, doc->total.units);
    }
    arena_free(&arena);
    x_free(g);
}

static void random_orders_reconcile_in_every_share(void **state)
{
    const char *one = getenv("SEED");
    int built = 0;

    (void)state;
    if (one) {
        (void)check_random(strtoull(one, NULL, 10));
        check_whole(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        built += check_random(seed);
        check_whole(seed);
    }
    assert_true(built > 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_orders_reconcile_in_every_share),
    };

    return cmocka_run_group_tests_name("invoice_random", tests, NULL, NULL);
}

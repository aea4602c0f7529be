#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/amazon_sample.h"

/* ---- an order as readable lines, as in the .expect files ---- */

static void print_line(const struct ord_line *l, struct buf *b)
{
    static const char *const kinds[] = {"product", "gift card", "tip", "shipping", "duty", "fee"};

    buf_printf(b, "line: %s %.*s: %lld x %s - %s", kinds[l->kind], STR_FMT(l->id),
               (long long)l->quantity, mon_text(l->price).z, mon_text(l->discount).z);
    if (l->shipped > 0)
        buf_printf(b, " (shipped %lld)", (long long)l->shipped);
    buf_printf(b, "%s: %.*s", l->vat_unstated ? " VAT?" : "", STR_FMT(l->title));
    if (l->sku.n > 0)
        buf_printf(b, " [%.*s]", STR_FMT(l->sku));
    buf_addc(b, '\n');
    for (size_t i = 0; i < l->tax_count; i++)
        buf_printf(b, "  tax: %s %.*s%s\n", mon_text(l->taxes[i].amount).z,
                   STR_FMT(l->taxes[i].title), l->taxes[i].channel_liable ? " (marketplace)" : "");
}

static void print_order(const struct order *o, struct buf *b)
{
    static const char *const paid[] = {"unpaid", "partly paid", "paid"};
    static const char *const shipped[] = {"unfulfilled", "partly fulfilled", "fulfilled"};
    const struct ord_state *s = &o->state;
    const struct ord_party *p = &o->party;
    struct str customer = p->customer_id.n ? p->customer_id : STR("guest");

    buf_printf(b, "id: %.*s\nstate: %s, %s%s%s%s%s%s%s\n", STR_FMT(o->id), paid[s->paid],
               shipped[s->fulfilment], s->cancelled ? ", cancelled" : "",
               s->replacement ? ", replacement" : "", s->unfulfillable ? ", unfulfillable" : "",
               s->third_party ? ", elsewhere" : "", s->unpriced ? ", unpriced" : "",
               s->zero_value ? ", zero value" : "");
    buf_printf(b, "status: %.*s\ncreated: %s\nupdated: %s\nshipped: %s\n", STR_FMT(o->shop_status),
               s->created_day, o->updated_at, o->fulfilled_day);
    buf_printf(b, "source: %.*s\ncustomer: %.*s\nperson: %.*s\ncompany: %.*s%s\n",
               STR_FMT(s->source), STR_FMT(customer), STR_FMT(p->name), STR_FMT(p->company),
               p->is_company ? " (buyer)" : "");
    buf_printf(b, "country: %.*s\npo: %.*s\n", STR_FMT(o->country), STR_FMT(o->po_number));
    buf_printf(b, "currency: %s\nprices: %s tax\ntotal: %s\ntax: %s\ntip: %s\nfees: %s\n",
               o->currency, o->taxes_included ? "with" : "without", mon_text(o->total).z,
               mon_text(o->total_tax).z, mon_text(o->tip).z, mon_text(o->fees).z);
    for (size_t i = 0; i < o->line_count; i++)
        print_line(&o->lines[i], b);
}

/* Compares line by line, without the spaces at the lines' ends; names the first that differs. */
static void compare(const char *name, struct str wanted, struct str got)
{
    while (wanted.p || got.p) {
        struct str a = str_split(&wanted, '\n'), b = str_split(&got, '\n');

        while (b.n > 0 && b.p[b.n - 1] == ' ')
            b.n--;
        if (!str_eq(a, b))
            fail_msg("%s: expected \"%.*s\", read \"%.*s\"", name, STR_FMT(a), STR_FMT(b));
    }
}

/* The sum of the lines, with their tax where it is on top, is the total. */
static void check_sum(const char *name, const struct order *o)
{
    struct money sum = o->taxes_included ? mon_zero(o->currency) : o->total_tax, gross;

    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *l = &o->lines[i];

        assert_int_equal(mon_mul(l->price, l->quantity, &gross), ERR_OK);
        assert_int_equal(mon_add(sum, gross, &sum), ERR_OK);
        assert_int_equal(mon_sub(sum, l->discount, &sum), ERR_OK);
    }
    if (mon_cmp(sum, o->total) != 0)
        fail_msg("%s: %s instead of %s", name, mon_text(sum).z, mon_text(o->total).z);
}

static enum err read_text(struct sample *s, const char *text)
{
    begin(s);
    write_text(s, text);
    return read_order(s);
}

static void check_against_file(struct sample *s, const char *name)
{
    struct buf got = BUF_CAP(LIM_JSON_BYTES), wanted = BUF_CAP(LIM_JSON_BYTES);
    char path[300];

    if (read_order(s) != ERR_OK)
        fail_msg("%s: %s", name, s->info.text);
    print_order(&s->o, &got);
    check_sum(name, &s->o);
    snprintf(path, sizeof(path), DATA "%s.expect", name);
    load(path, &wanted);
    compare(name, buf_str(&wanted), buf_str(&got));
    buf_free(&got);
    buf_free(&wanted);
    end(s);
}

static void every_order_of_2026_reads_as_expected(void **state)
{
    static const char *const names[] = {
        "orders_2026-01-01/getOrder_01_gbp_103_97",
        "orders_2026-01-01/getOrder_02_brl_299_90",
        "orders_2026-01-01/getOrder_03_try_facilitator_125_00",
        "orders_2026-01-01/getOrder_04_usd_49_99",
        "orders_2026-01-01/searchOrders_05_usd_154_99_tip",
        "orders_2026-01-01/searchOrders_06_jpy_19940",
        "orders_2026-01-01/searchOrders_07_gbp_34_99",
        "orders_2026-01-01/searchOrders_08_brl_1599_90",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sample s;

        begin(&s);
        load_named(names[i], &s.text);
        check_against_file(&s, names[i]);
    }
}

static void every_order_of_v0_reads_as_expected(void **state)
{
    static const char *const names[][2] = {
        {"orders_v0/getOrder_02_sandbox_total_11_01",
         "orders_v0/getOrderItems_02_sandbox_10_00_plus_1_01"},
        {"orders_v0/getOrder_10_us_facilitator_tax_two_items",
         "orders_v0/getOrderItems_10_us_facilitator_tax_two_items"},
        {"orders_v0/getOrder_11_uk_vat_inclusive", "orders_v0/getOrderItems_11_uk_vat_inclusive"},
        {"orders_v0/getOrder_12_replacement_zero", "orders_v0/getOrderItems_12_replacement_zero"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sample s;

        load_v0(&s, names[i][0], names[i][1]);
        check_against_file(&s, names[i][0]);
    }
}

static void an_order_of_v0_without_all_its_items_says_so(void **state)
{
    static const struct {
        const char *order, *items, *says;
    } cases[] = {
        {"orders_v0/getOrder_03_sandbox_iba", NULL, "orderItemsResponse is missing"},
        {"orders_v0/getOrder_05_business_149_99", NULL, "orderItemsResponse is missing"},
        {"orders_v0/getOrder_07_brl_easyship_tax_classification",
         "orders_v0/getOrderItems_06_brl_shipping",
         "total is 12.00 BRL, but its parts come to 8.02 with the tax in the prices and to 8.02 "
         "with the tax of 0.00 on top."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample s;

        load_v0(&s, cases[i].order, cases[i].items);
        assert_int_not_equal(read_order(&s), ERR_OK);
        if (!strstr(s.info.text, cases[i].says))
            fail_msg("%s: %s", cases[i].order, s.info.text);
        assert_int_equal(s.o.state.paid, ORD_PAID);
        end(&s);
    }
}

static void a_pending_order_waits_for_its_prices(void **state)
{
    struct sample s;

    (void)state;
    load_v0(&s, "orders_v0/getOrder_01_pending_no_total", NULL);
    assert_int_equal(read_order(&s), ERR_MISSING);
    assert_true(s.o.state.unpriced && s.o.state.paid == ORD_UNPAID);
    assert_true(str_eq(s.o.id, STR("902-3159896-1390916")));
    assert_string_equal(s.o.state.created_day, "2017-01-20");
    assert_non_null(strstr(s.info.text, "pending"));
    end(&s);
}

/* ---- the money, as tables ---- */

#define USD(amount) "{'CurrencyCode':'USD','Amount':'" amount "'}"
#define V0_AT(market, head, item)                                                                  \
    "{'orderResponse':{'AmazonOrderId':'250-0000002-0000002','PurchaseDate':"                      \
    "'2026-09-01T09:58:00Z','LastUpdateDate':'2026-09-01T10:30:00Z','OrderStatus':'Unshipped'"     \
    ",'MarketplaceId':'" market "'" head "},'orderItemsResponse':{'OrderItems':["                  \
    "{'OrderItemId':'1','Title':'Mug','QuantityOrdered':3" item "}]}}"
#define V0(head, item) V0_AT("A1PA6795UKMFR9", head, item)
#define USDS(name, amount) ",'" name "':" USD(amount)
#define TOTAL(amount) USDS("OrderTotal", amount)

/* What reading TEXT comes to: "with 30.00 5.00 | product 3 x 10.00 - 0.00 ..." or the sentence. */
static void check_money(const char *text, const char *wanted)
{
    struct buf got = BUF_CAP(4096);
    struct sample s;

    if (read_text(&s, text) != ERR_OK) {
        buf_addz(&got, s.info.text);
    } else {
        buf_printf(&got, "%s %s %s", s.o.taxes_included ? "with" : "without", mon_text(s.o.total).z,
                   mon_text(s.o.total_tax).z);
        for (size_t i = 0; i < s.o.line_count; i++) {
            const struct ord_line *l = &s.o.lines[i];

            buf_printf(&got, " | %lld x %s - %s", (long long)l->quantity, mon_text(l->price).z,
                       mon_text(l->discount).z);
            if (l->tax_count > 0)
                buf_printf(&got, " + %s%s", mon_text(l->taxes[0].amount).z,
                           l->taxes[0].channel_liable ? "*" : "");
            buf_addz(&got, l->vat_unstated ? " VAT?" : "");
        }
        check_sum(text, &s.o);
    }
    if (strcmp(buf_z(&got), wanted) != 0)
        fail_msg("%s\nexpected: %s\nread:     %s", text, wanted, buf_z(&got));
    buf_free(&got);
    end(&s);
}

/* clang-format off */
static const struct {
    const char *text, *wanted;
} v0_money[] = {
    {V0(TOTAL("33.00"), USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00")),
     "without 33.00 3.00 | 3 x 10.00 - 0.00 + 3.00"},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00")),
     "with 30.00 3.00 | 3 x 10.00 - 0.00 + 3.00"},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "30.00")), "with 30.00 0.00 | 3 x 10.00 - 0.00 VAT?"},
    {V0(TOTAL("31.00"), USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00")),
     "The order's total is 31.00 USD, but its parts come to 30.00 with the tax in the prices "
     "and to 33.00 with the tax of 3.00 on top."},
    /* a piece at a fraction of a cent: rounded up, and taken back by the line's discount */
    {V0(TOTAL("10.00"), USDS("ItemPrice", "10.00")), "with 10.00 0.00 | 3 x 3.3334 - 0.0002 VAT?"},
    /* discounts and their tax, whatever their sign */
    {V0(TOTAL("27.50"), USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00")
                            USDS("PromotionDiscount", "5.00") USDS("PromotionDiscountTax", "0.50")),
     "without 27.50 2.50 | 3 x 10.00 - 5.00 + 2.50"},
    {V0(TOTAL("27.50"), USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00") USDS(
                            "PromotionDiscount", "-5.00") USDS("PromotionDiscountTax", "-0.50")),
     "without 27.50 2.50 | 3 x 10.00 - 5.00 + 2.50"},
    /* shipping, gift wrap, cash on delivery */
    {V0(TOTAL("44.40"),
        USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00") USDS("ShippingPrice", "6.00")
            USDS("ShippingTax", "0.60") USDS("ShippingDiscount", "2.00") USDS(
                "ShippingDiscountTax",
                "0.20") ",'IsGift':'true','BuyerInfo':{'GiftWrapLevel':'x'" USDS("GiftWrapPrice",
                                                                                 "4.00")
                USDS("GiftWrapTax", "1.00") "}" USDS("CODFee", "3.00")
                    USDS("CODFeeDiscount", "1.00")),
     "without 44.40 4.40 | 3 x 10.00 - 0.00 + 3.00 | 1 x 6.00 - 2.00 + 0.40 | "
     "1 x 4.00 - 0.00 + 1.00 | 1 x 3.00 - 1.00"},
    /* the price of a gift's wrapping is hidden */
    {V0(TOTAL("34.00"), USDS("ItemPrice", "30.00") ",'IsGift':'true'"),
     "The order's total is 34.00 USD, but its parts come to 30.00 with the tax in the prices "
     "and to 30.00 with the tax of 0.00 on top. It has a gift whose wrapping is not priced: "
     "fetch the order by the Orders API 2026-01-01."},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "30.00") ",'IsGift':true"),
     "with 30.00 0.00 | 3 x 10.00 - 0.00 VAT?"},
    /* none is stated: for each amount that is not Amazon's to tax, and only where prices hold it */
    {V0(TOTAL("32.00"), USDS("ItemPrice", "30.00") USDS("ItemTax", "0.00")
                            USDS("ShippingPrice", "5.00") USDS("ShippingDiscount", "3.00")),
     "with 32.00 0.00 | 3 x 10.00 - 0.00 VAT? | 1 x 5.00 - 3.00 VAT?"},
    {V0(TOTAL("32.00"), USDS("ItemPrice", "30.00") USDS("ItemTax", "5.00")
                            USDS("ShippingPrice", "2.00")),
     "with 32.00 5.00 | 3 x 10.00 - 0.00 + 5.00 | 1 x 2.00 - 0.00"},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "30.00") ",'DeemedResellerCategory':'IOSS'"),
     "with 30.00 0.00 | 3 x 10.00 - 0.00"},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "30.00") ",'TaxCollection':{'Model':"
                                                   "'MarketplaceFacilitator'}"),
     "with 30.00 0.00 | 3 x 10.00 - 0.00"},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "35.00") USDS("PromotionDiscount", "5.00")
                            USDS("ShippingPrice", "4.00") USDS("ShippingDiscount", "4.00")),
     "with 30.00 0.00 | 3 x 11.6667 - 5.0001 VAT? | 1 x 4.00 - 4.00"},
    {V0_AT("ATVPDKIKX0DER", TOTAL("30.00"), USDS("ItemPrice", "30.00")),
     "with 30.00 0.00 | 3 x 10.00 - 0.00"},
    {V0_AT("unknown", TOTAL("30.00"), USDS("ItemPrice", "30.00")),
     "with 30.00 0.00 | 3 x 10.00 - 0.00 VAT?"},
    /* prices that cannot hold the tax beside them */
    {V0_AT("ATVPDKIKX0DER", TOTAL("30.00"), USDS("ItemPrice", "30.00") USDS("ItemTax", "3.00")),
     "The order's total is 30.00 USD, but its parts come to 30.00 with the tax in the prices "
     "and to 33.00 with the tax of 3.00 on top. In the United States and Canada no price holds "
     "a tax."},
    /* tax that Amazon remits */
    {V0(TOTAL("33.00"),
        USDS("ItemPrice", "30.00")
            USDS("ItemTax", "3.00") ",'TaxCollection':{'Model':'MarketplaceFacilitator'}"),
     "without 33.00 3.00 | 3 x 10.00 - 0.00 + 3.00*"},
    {V0(TOTAL("30.00"),
        USDS("ItemPrice", "30.00") USDS("ItemTax", "5.00") ",'DeemedResellerCategory':'UOSS'"),
     "with 30.00 5.00 | 3 x 10.00 - 0.00 + 5.00*"},
    /* what is not an amount, or not in this currency */
    {V0(TOTAL("30.00"), ",'ItemPrice':{'CurrencyCode':'EUR','Amount':'30.00'}"),
     "OrderItems[0]: ItemPrice is in EUR, but the order's total in USD."},
    {V0(TOTAL("30.00"), ",'ItemPrice':30"),
     "OrderItems[0]: ItemPrice is no amount with its currency."},
    {V0(TOTAL("30.00"), USDS("ItemPrice", "-30.00")), "OrderItems[0]: Its price is negative."},
    {V0(TOTAL("30.00"), ""), "OrderItems[0]: ItemPrice is missing."},
    {V0("", USDS("ItemPrice", "30.00")), "OrderTotal is missing."},
};
/* clang-format on */

static void the_total_says_whether_prices_of_v0_hold_the_tax(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(v0_money) / sizeof(v0_money[0]); i++)
        check_money(v0_money[i].text, v0_money[i].wanted);
}

#define EUR(amount) "{'currencyCode':'EUR','amount':'" amount "'}"
#define PART(type, amount) ",{'type':'" type "','subtotal':" EUR(amount) "}"
#define SHARED(type, amount, details)                                                              \
    ",{'type':'" type "','subtotal':" EUR(amount) ",'detailedBreakdowns':[" details "]}"
#define DETAIL(type, amount) "{'subtype':'" type "','value':" EUR(amount) "}"
/* The list of parts begins with one that is nothing: so each of them may have its comma. */
/* clang-format off */
#define ORDER(total, status, parts, more)                                                          \
    "{'order':{'orderId':'250-0000002-0000002','createdTime':'2026-09-01T09:58:00Z',"              \
    "'lastUpdatedTime':'2026-09-01T10:30:00Z','salesChannel':{'channelName':'AMAZON',"             \
    "'marketplaceId':'A1PA6795UKMFR9'},'fulfillment':{'fulfillmentStatus':'" status "'},"          \
    "'proceeds':{'grandTotal':" EUR(total) "},'orderItems':[{'orderItemId':'1',"                   \
    "'quantityOrdered':2,'product':{'title':'Mug'},'proceeds':{'breakdowns':["                     \
    "{'type':'ITEM'}" parts "]}" more "}]}}"

static const struct {
    const char *text, *wanted;
} money_of_2026[] = {
    {ORDER("24.00", "UNSHIPPED", PART("ITEM", "20.00") PART("TAX", "4.00"), ""),
     "without 24.00 4.00 | 2 x 10.00 - 0.00 + 4.00"},
    {ORDER("24.00", "UNSHIPPED", PART("ITEM", "24.00") PART("TAX", "4.00"), ""),
     "with 24.00 4.00 | 2 x 12.00 - 0.00 + 4.00"},
    {ORDER("24.00", "UNSHIPPED", PART("ITEM", "20.00") PART("TAX", "5.00"), ""),
     "The order's total is 24.00 EUR, but its parts come to 20.00 with the tax in the prices "
     "and to 25.00 with the tax of 5.00 on top."},
    /* the seller receives it without the tax that Amazon keeps */
    {ORDER("20.00", "UNSHIPPED", PART("ITEM", "20.00") PART("TAX", "4.00"),
           ",'tax':{'taxCollections':[{'model':'MARKETPLACE_FACILITATOR'}]}"),
     "without 24.00 4.00 | 2 x 10.00 - 0.00 + 4.00*"},
    {ORDER("24.00", "UNSHIPPED", PART("ITEM", "20.00") PART("TAX", "4.00"),
           ",'tax':{'taxCalculationBreakdowns':[{'reportingScheme':'IOSS'}]}"),
     "without 24.00 4.00 | 2 x 10.00 - 0.00 + 4.00*"},
    /* a discount lowers, whichever sign it is written with; its details say what */
    {ORDER("17.00", "UNSHIPPED",
           PART("ITEM", "16.00") PART("SHIPPING", "5.00")
               SHARED("DISCOUNT", "4.00", DETAIL("SHIPPING", "3.00")),
           ""),
     "with 17.00 0.00 | 2 x 8.00 - 1.00 VAT? | 1 x 5.00 - 3.00 VAT?"},
    {ORDER("17.00", "UNSHIPPED",
           SHARED("DISCOUNT", "-4.00", DETAIL("SHIPPING", "-3.00")) PART("ITEM", "16.00")
               PART("SHIPPING", "5.00"),
           ""),
     "with 17.00 0.00 | 2 x 8.00 - 1.00 VAT? | 1 x 5.00 - 3.00 VAT?"},
    /* tax by its details; what they leave open, and what has no line, is the product's */
    {ORDER("36.00", "UNSHIPPED",
           PART("ITEM", "20.00") PART("GIFT_WRAP", "4.00") PART("COD_FEE", "2.00")
               PART("OTHER", "1.00") PART("NEW_ONE", "3.00")
                   SHARED("TAX", "6.00",
                          DETAIL("ITEM", "4.00") "," DETAIL("GIFT_WRAP",
                                                            "0.80") "," DETAIL("SHIPPING", "0.20")),
           ""),
     "without 36.00 6.00 | 2 x 10.00 - 0.00 + 5.20 | 1 x 4.00 - 0.00 + 0.80 | "
     "1 x 2.00 - 0.00 | 1 x 4.00 - 0.00"},
    {ORDER("24.00", "UNSHIPPED", "", ",'proceeds':null"),
     "orderItems[0]: proceeds is missing: fetch the order with includedData=PROCEEDS."},
    {ORDER("24.00", "TELEPORTED", PART("ITEM", "24.00"), ""),
     "\"TELEPORTED\" is no status of an order."},
    /* nobody is to pay these */
    {ORDER("0.00", "CANCELLED", "", ""), "with 0.00 0.00 | 2 x 0.00 - 0.00"},
    {ORDER("24.00", "UNFULFILLABLE", PART("ITEM", "1.00"), ""), "with 0.00 0.00"},
};
/* clang-format on */

static void the_total_says_whether_prices_of_2026_hold_the_tax(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(money_of_2026) / sizeof(money_of_2026[0]); i++)
        check_money(money_of_2026[i].text, money_of_2026[i].wanted);
}

static void a_replacement_that_costs_money_is_a_sale(void **state)
{
    struct sample s;

    (void)state;
    load_v0(&s, "orders_v0/getOrder_12_replacement_zero",
            "orders_v0/getOrderItems_12_replacement_zero");
    assert_int_equal(read_order(&s), ERR_OK);
    assert_true(s.o.state.replacement);
    end(&s);
    assert_int_equal(read_text(&s, V0(TOTAL("30.00") ",'IsReplacementOrder':'true'",
                                      ",'ItemPrice':" USD("30.00"))),
                     ERR_OK);
    assert_false(s.o.state.replacement);
    end(&s);
    assert_int_equal(read_text(&s, V0(TOTAL("31.00") ",'IsReplacementOrder':true",
                                      ",'ItemPrice':" USD("30.00"))),
                     ERR_RANGE);
    end(&s);
    assert_int_equal(read_text(&s, V0(",'IsReplacementOrder':'true'", "")), ERR_OK);
    assert_true(s.o.state.replacement);
    end(&s);
}

static void an_order_of_another_channel_is_sold_elsewhere(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, V0(",'SalesChannel':'Non-Amazon DE'", "")), ERR_OK);
    assert_true(s.o.state.third_party);
    end(&s);
}

static void a_buyer_is_known_by_the_address_that_amazon_gives(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, V0(TOTAL("30.00") ",'IsBusinessOrder':true,'BuyerInfo':{"
                                                     "'BuyerEmail':'AbC@Marketplace.amazon.com',"
                                                     "'BuyerTaxInfo':{'CompanyLegalName':'X Ltd'},"
                                                     "'PurchaseOrderNumber':'PO 7'}",
                                      ",'ItemPrice':" USD("30.00"))),
                     ERR_OK);
    assert_true(str_eq(s.o.party.customer_id, STR("abc@marketplace.amazon.com")));
    assert_true(s.o.party.is_company && str_eq(s.o.party.company, STR("X Ltd")));
    assert_true(str_eq(s.o.po_number, STR("PO 7")));
    assert_true(str_eq(s.o.country, STR("DE"))); /* the marketplace's, without an address */
    end(&s);
}

/* An item's id names its line in documents, beside names of ours like "rounding". */
#define ITEM_OF_V0                                                                                 \
    "{'orderResponse':{'AmazonOrderId':'250-0000002-0000002','OrderStatus':'Unshipped',"           \
    "'OrderTotal':" USD("1") "},'orderItemsResponse':{'OrderItems':[{'OrderItemId':'%s',"          \
                             "'QuantityOrdered':1,'ItemPrice':" USD("1") "}]}}"
#define ITEM_OF_2026                                                                               \
    "{'order':{'orderId':'250-0000002-0000002','fulfillment':{'fulfillmentStatus':'SHIPPED'},"     \
    "'proceeds':{'grandTotal':" EUR("1") "},'orderItems':[{'orderItemId':'%s','quantityOrdered':"  \
                                         "1,'product':{'price':{'unitPrice':" EUR("1") "}}}]}}"

static void check_item_id(const char *id, bool good)
{
    struct sample s;
    char text[1000];

    for (int shape = 0; shape < 2; shape++) {
        if (shape == 0)
            snprintf(text, sizeof(text), ITEM_OF_V0, id);
        else
            snprintf(text, sizeof(text), ITEM_OF_2026, id);
        if ((read_text(&s, text) == ERR_OK) != good)
            fail_msg("\"%s\": %s", id, s.info.text);
        assert_true(good || strstr(s.info.text, "rderItemId is missing, or is no id."));
        end(&s);
    }
}

static void an_item_needs_an_id_that_is_none_of_our_own_names(void **state)
{
    static const char *const good[] = {"05015851154158", "7", "Item_7-a"};
    static const char *const bad[] = {"",        "1,2", "rounding", "tip", "discount:exempt",
                                      "wrap:17", "1 2", "1/2"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check_item_id(good[i], true);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_item_id(bad[i], false);
}

static void an_order_needs_its_own_kind_of_id(void **state)
{
    struct sample s;

    (void)state;
    begin(&s);
    write_text(&s, "{'order':{'orderId':'../../etc','orderItems':[]}}");
    assert_int_equal(read_order(&s), ERR_MISSING);
    end(&s);
}

static void the_link_comes_out_of_the_id_alone(void **state)
{
    struct arena arena = {0};

    (void)state;
    assert_string_equal(amz_order_link(STR("250-0000002-0000002"), &arena),
                        "https://sellercentral.amazon.com/orders-v3/order/250-0000002-0000002");
    arena_free(&arena);
}

static void a_notice_of_a_cancellation_makes_the_order_a_cancelled_one(void **state)
{
    const struct amz_notice n = {.order_id = STR("250-0000001-0000001"),
                                 .time = "2026-09-02T10:00:00Z"};
    const struct amz_notice other = {.order_id = STR("250-0000001-0000002")};
    struct buf part = BUF_CAP(1024);
    struct js_doc doc = {0};
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, V0(TOTAL("30.00"), ",'ItemPrice':" USD("30.00"))), ERR_OK);
    s.o.id = n.order_id;
    assert_true(s.o.state.paid == ORD_PAID && s.o.state.kept);
    amz_write_cancelled(&n, &part);
    assert_int_equal(js_parse(buf_str(&part), 1024, &doc, NULL), ERR_OK);
    assert_int_equal(amz_cancel(doc.root, &s.o, NULL), ERR_OK);
    assert_true(s.o.state.cancelled && !s.o.state.kept && s.o.state.paid == ORD_UNPAID);
    assert_string_equal(s.o.cancelled_day, "2026-09-02");
    assert_int_equal(mon_cmp(s.o.outstanding, s.o.total), 0);
    js_free(&doc);
    buf_reset(&part);
    amz_write_cancelled(&other, &part); /* of another order, or nothing of it: not this one's */
    assert_int_equal(js_parse(buf_str(&part), 1024, &doc, NULL), ERR_OK);
    assert_int_equal(amz_cancel(doc.root, &s.o, NULL), ERR_TYPE);
    assert_int_equal(amz_cancel(NULL, &s.o, NULL), ERR_TYPE);
    js_free(&doc);
    buf_free(&part);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_2026_reads_as_expected),
        cmocka_unit_test(every_order_of_v0_reads_as_expected),
        cmocka_unit_test(an_order_of_v0_without_all_its_items_says_so),
        cmocka_unit_test(a_pending_order_waits_for_its_prices),
        cmocka_unit_test(the_total_says_whether_prices_of_v0_hold_the_tax),
        cmocka_unit_test(the_total_says_whether_prices_of_2026_hold_the_tax),
        cmocka_unit_test(a_replacement_that_costs_money_is_a_sale),
        cmocka_unit_test(an_order_of_another_channel_is_sold_elsewhere),
        cmocka_unit_test(a_buyer_is_known_by_the_address_that_amazon_gives),
        cmocka_unit_test(an_item_needs_an_id_that_is_none_of_our_own_names),
        cmocka_unit_test(an_order_needs_its_own_kind_of_id),
        cmocka_unit_test(a_notice_of_a_cancellation_makes_the_order_a_cancelled_one),
        cmocka_unit_test(the_link_comes_out_of_the_id_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "service/sync/shopify_graphql.h"

#include <time.h>

#include "service/sync/shopify_graphql_parts.h"

/* Answers of one order together; as much as four of the largest webhooks. */
#define ANSWERS_MAX (32u << 20)

#define RESTARTS 2

/* ---- the questions ---- */

#define MONEY "{shopMoney{amount currencyCode}presentmentMoney{amount currencyCode}}"
#define TAXES "taxLines{title rate channelLiable priceSet" MONEY "}"
#define DISCOUNTS "discountAllocations{allocatedAmountSet" MONEY "}"
#define PAGE "pageInfo{hasNextPage endCursor}"
#define ADDRESS "{firstName lastName name company countryCodeV2 provinceCode}"
#define TRANSACTION                                                                                \
    "{id kind status gateway formattedGateway createdAt processedAt amountSet" MONEY "}"
#define LINES                                                                                      \
    "lineItems(first:$first,after:$after){" PAGE "nodes{id title variantTitle name sku vendor "    \
    "quantity currentQuantity isGiftCard requiresShipping taxable product{productType}"            \
    "originalUnitPriceSet" MONEY DISCOUNTS TAXES "duties{price" MONEY TAXES "}}}"
#define BACK_LINES                                                                                 \
    "refundLineItems(first:$first,after:$after){" PAGE                                             \
    "nodes{quantity lineItem{id}subtotalSet" MONEY "totalTaxSet" MONEY "}}"
#define SHIPPED_LINES                                                                              \
    "fulfillmentLineItems(first:$first,after:$after){" PAGE "nodes{quantity lineItem{id}}}"

static const char ask_order[] =
    "query Order($id:ID!,$first:Int!,$after:String){shop{ianaTimezone timezoneOffsetMinutes}"
    "order(id:$id){id name createdAt updatedAt processedAt cancelledAt test currencyCode "
    "presentmentCurrencyCode displayFinancialStatus displayFulfillmentStatus taxesIncluded "
    "taxExempt dutiesIncluded tags sourceName email poNumber paymentGatewayNames "
    "merchantOfRecordApp{id}totalPriceSet" MONEY "totalTaxSet" MONEY "totalTipReceivedSet" MONEY
    "totalOutstandingSet" MONEY "currentTotalPriceSet" MONEY "originalTotalDutiesSet" MONEY
    "originalTotalAdditionalFeesSet" MONEY "totalCashRoundingAdjustment{paymentSet" MONEY "}"
    "customer{id firstName lastName defaultEmailAddress{emailAddress}}billingAddress" ADDRESS
    "shippingAddress" ADDRESS
    "purchasingEntity{...on PurchasingCompany{company{id name}location{id}}}"
    "paymentTerms{dueInDays paymentSchedules(first:10){nodes{dueAt}}}"
    "additionalFees{id name price" MONEY TAXES "}"
    "shippingLines(first:10,includeRemovals:true){" PAGE "nodes{id title code isRemoved "
    "originalPriceSet" MONEY DISCOUNTS TAXES "}}"
    "transactions" TRANSACTION "refunds{id}fulfillments{id status createdAt}" LINES "}}";

static const char ask_lines[] =
    "query Lines($id:ID!,$first:Int!,$after:String){order(id:$id){updatedAt " LINES "}}";

static const char ask_refund[] =
    "query Refund($id:ID!,$first:Int!,$after:String){refund(id:$id){id createdAt processedAt "
    "order{updatedAt}" BACK_LINES "orderAdjustments(first:20){" PAGE "nodes{id amountSet" MONEY
    "taxAmountSet" MONEY "}}refundShippingLines(first:20){" PAGE
    "nodes{shippingLine{id}subtotalAmountSet" MONEY "taxAmountSet" MONEY "}}"
    "duties{amountSet" MONEY "originalDuty{price" MONEY TAXES "}}"
    "transactions(first:20){" PAGE "nodes" TRANSACTION "}}}";

static const char ask_shipment[] =
    "query Fulfillment($id:ID!,$first:Int!,$after:String){fulfillment(id:$id){id status createdAt "
    "order{updatedAt}" SHIPPED_LINES "}}";

static const char ask_list[] =
    "query Orders($query:String!,$first:Int!,$after:String){shop{ianaTimezone "
    "timezoneOffsetMinutes}orders(first:$first,after:$after,"
    "sortKey:UPDATED_AT,query:$query){" PAGE "nodes{id createdAt updatedAt "
    "cancelledAt displayFinancialStatus}}}";

/* ---- values ---- */

struct str shp_gid(const struct js_value *v)
{
    struct str text, id = STR("");

    if (!js_text(v, &text))
        return id;
    while (text.p)
        id = str_split(&text, '/');
    if (id.n == 0 || id.n > 19 || id.p[0] == '0')
        return STR("");
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] < '0' || id.p[i] > '9')
            return STR("");
    }
    return id;
}

const struct js_value *shp_nodes(const struct js_value *v, const char *key)
{
    const struct js_value *member = js_get(v, key);

    return js_type(member) == JS_ARRAY ? member : js_get(member, "nodes");
}

/* Where the page after this one begins; "" after the last. */
static struct str next_page(const struct js_value *connection)
{
    struct str cursor = STR("");

    if (!js_true(js_path(connection, "pageInfo.hasNextPage")) ||
        !js_string(js_path(connection, "pageInfo.endCursor"), &cursor))
        return STR("");
    return cursor;
}

/* A page that is not the last says where the next begins; else lines would be missing unseen. */
static bool goes_on(const struct js_value *connection)
{
    return !js_true(js_path(connection, "pageInfo.hasNextPage")) || next_page(connection).n > 0;
}

/* ---- the order's life here ---- */

enum err shp_gather_new(struct str order_id, struct shp_gather **out, struct errinfo *info)
{
    struct shp_gather *g = NULL;
    int64_t number = 0;

    *out = NULL;
    if (!str_int64(order_id, &number) || number <= 0 || order_id.p[0] == '0' ||
        order_id.n >= sizeof(g->id))
        return err_set(info, ERR_SYNTAX, "\"%.*s\" is no id of a Shopify order.",
                       STR_FMT(str_cut(order_id, 40)));
    g = x_alloc(sizeof(*g));
    memcpy(g->id, order_id.p, order_id.n);
    g->page_size = SHP_PAGE;
    g->docs = x_alloc(SHP_QUESTIONS * sizeof(*g->docs));
    *out = g;
    return ERR_OK;
}

static void forget(struct shp_gather *g)
{
    for (size_t i = 0; i < g->doc_count; i++)
        js_free(&g->docs[i]);
    arena_free(&g->arena);
    g->doc_count = g->page_count = g->refund_count = g->shipment_count = 0;
    g->bytes = g->lines = 0;
    g->shop = g->order = NULL;
    g->pages = NULL;
    g->refunds = g->shipments = NULL;
}

void shp_gather_free(struct shp_gather *g)
{
    if (!g)
        return;
    forget(g);
    x_free(g->docs);
    x_free(g);
}

bool shp_gather_smaller(struct shp_gather *g)
{
    if (g->page_size == 1)
        return false;
    g->page_size /= 2;
    return true;
}

const struct js_value *shp_gather_shop(const struct shp_gather *g)
{
    return g->shop;
}

struct str shp_shop_zone(const struct js_value *shop)
{
    struct str zone = STR("");

    if (!js_string(js_get(shop, "ianaTimezone"), &zone))
        return STR("");
    return zone;
}

int32_t shp_shop_offset(const struct js_value *shop)
{
    int64_t minutes = 0;

    if (!js_int64(js_get(shop, "timezoneOffsetMinutes"), &minutes) || minutes < -1440 ||
        minutes > 1440)
        return 0;
    return (int32_t)minutes * 60;
}

/* ---- what is to be asked next ---- */

enum what { ORDER, LINES_PAGE, REFUND, SHIPMENT, NOTHING };

/* A question: about what, from which page on. */
struct question {
    enum what what;
    struct shp_record *record; /* of REFUND and SHIPMENT */
    const struct js_value *id; /* theirs, as the order gave it */
    struct str after;
};

/* The connection of lines in a page of WHAT. */
static const struct js_value *lines_of(enum what what, const struct js_value *page)
{
    static const char *const keys[] = {"lineItems", "lineItems", "refundLineItems",
                                       "fulfillmentLineItems"};

    return js_get(page, keys[what]);
}

/* A shipment that did not go is not asked about. */
static bool went(const struct js_value *shipment)
{
    struct str status = STR("");

    return !js_string(js_get(shipment, "status"), &status) ||
           (!str_eq(status, STR("CANCELLED")) && !str_eq(status, STR("ERROR")) &&
            !str_eq(status, STR("FAILURE")));
}

static bool ask_records(enum what what, struct shp_record *records, size_t n,
                        const struct js_value *list, struct question *q)
{
    for (size_t i = 0; i < n; i++) {
        struct shp_record *r = &records[i];

        q->what = what;
        q->record = r;
        q->id = js_get(js_at(list, i), "id");
        q->after = STR("");
        if (!r->first) {
            if (what == REFUND || went(js_at(list, i)))
                return true;
            continue;
        }
        q->after = next_page(lines_of(what, r->pages[r->page_count - 1]));
        if (q->after.n > 0)
            return true;
    }
    return false;
}

static struct question next_question(const struct shp_gather *g)
{
    struct question q = {.what = ORDER};

    if (!g->order)
        return q;
    q.what = LINES_PAGE;
    q.after = next_page(lines_of(LINES_PAGE, g->pages[g->page_count - 1]));
    if (q.after.n > 0 ||
        ask_records(REFUND, g->refunds, g->refund_count, js_get(g->order, "refunds"), &q) ||
        ask_records(SHIPMENT, g->shipments, g->shipment_count, js_get(g->order, "fulfillments"),
                    &q))
        return q;
    return (struct question){.what = NOTHING};
}

static void write_question(const char *query, struct str id, int first, struct str after,
                           struct buf *body)
{
    struct js_out w;

    jw_init(&w, body);
    jw_begin_object(&w);
    jw_kz(&w, "query", query);
    jw_key(&w, "variables");
    jw_begin_object(&w);
    jw_kstr(&w, "id", id);
    jw_kint(&w, "first", first);
    jw_key(&w, "after");
    if (after.n > 0)
        jw_str(&w, after);
    else
        jw_null(&w);
    jw_end_object(&w);
    jw_end_object(&w);
}

bool shp_gather_ask(const struct shp_gather *g, struct buf *body)
{
    static const char *const queries[] = {ask_order, ask_lines, ask_refund, ask_shipment};
    struct question q = next_question(g);
    struct buf gid = BUF_CAP(64);
    struct str id = STR("");

    if (q.what == NOTHING)
        return false;
    if (q.what == ORDER || q.what == LINES_PAGE) {
        buf_printf(&gid, "gid://shopify/Order/%s", g->id);
        id = buf_str(&gid);
    } else if (!js_string(q.id, &id)) {
        id = STR("");
    }
    write_question(queries[q.what], id, g->page_size, q.after, body);
    buf_free(&gid);
    return true;
}

int shp_gather_cost(const struct shp_gather *g)
{
    /* What a question costs without its lines, and by each line. */
    static const struct {
        int fixed, line;
    } costs[] = {{186, 21}, {3, 21}, {402, 8}, {4, 2}, {0, 0}};
    enum what what = next_question(g).what;

    return costs[what].fixed + costs[what].line * g->page_size;
}

/* ---- what was answered ---- */

/* One more page behind the N that there are. */
static const struct js_value **add_page(struct shp_gather *g, const struct js_value **pages,
                                        size_t n, const struct js_value *page)
{
    const struct js_value **grown = arena_array(&g->arena, n + 1, sizeof(*grown));

    if (n > 0)
        memcpy(grown, pages, n * sizeof(*grown));
    grown[n] = page;
    return grown;
}

/* True if the small lists that are read in one piece came whole. */
static bool is_whole(const struct js_value *v, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (js_true(js_path(js_get(v, keys[i]), "pageInfo.hasNextPage")))
            return false;
    }
    return true;
}

static enum err take_order(struct shp_gather *g, const struct js_value *data, struct errinfo *info)
{
    static const char *const small[] = {"shippingLines"};
    const struct js_value *order = js_get(data, "order");
    struct str id;

    if (js_type(order) == JS_NULL)
        return err_set(info, ERR_NOT_FOUND, "The shop has no order %s.", g->id);
    id = shp_gid(js_get(order, "id"));
    if (!str_eq(id, str_of(g->id)) || !shp_nodes(order, "lineItems") ||
        !goes_on(lines_of(ORDER, order)))
        return err_set(info, ERR_MISSING, "The answer is not about order %s.", g->id);
    if (!is_whole(order, small, 1))
        return err_set(info, ERR_TOO_BIG, "The order has more than 10 shipping lines.");
    g->order = order;
    g->shop = js_get(data, "shop");
    g->pages = add_page(g, NULL, 0, order);
    g->page_count = 1;
    g->refund_count = js_len(js_get(order, "refunds"));
    g->shipment_count = js_len(js_get(order, "fulfillments"));
    if (g->refund_count + g->shipment_count > SHP_QUESTIONS)
        return err_set(info, ERR_TOO_BIG, "The order has more than %d refunds and shipments.",
                       SHP_QUESTIONS);
    g->refunds = arena_array(&g->arena, g->refund_count, sizeof(*g->refunds));
    g->shipments = arena_array(&g->arena, g->shipment_count, sizeof(*g->shipments));
    return ERR_OK;
}

/* One of the other questions' answer: its page of lines, of the same state of the order as the
 * first. ERR_CONFLICT: of another. */
static enum err take_page(struct shp_gather *g, const struct question *q,
                          const struct js_value *data, struct errinfo *info)
{
    static const char *const small[] = {"orderAdjustments", "refundShippingLines", "transactions"};
    static const char *const roots[] = {"order", "order", "refund", "fulfillment"};
    const struct js_value *page = js_get(data, roots[q->what]);
    const struct js_value *order = q->what == LINES_PAGE ? page : js_get(page, "order");
    struct str now = STR("?"), then = STR("");

    if (js_type(page) == JS_NULL)
        return ERR_CONFLICT;
    if (!js_get(lines_of(q->what, page), "nodes") || !goes_on(lines_of(q->what, page)))
        return err_set(info, ERR_MISSING, "The answer has no page of lines.");
    if (!js_string(js_get(order, "updatedAt"), &now) ||
        !js_string(js_get(g->order, "updatedAt"), &then) || !str_eq(now, then))
        return ERR_CONFLICT;
    if (q->what == REFUND && !is_whole(page, small, 3))
        return err_set(info, ERR_TOO_BIG,
                       "A refund has more than 20 adjustments, shipping lines or transactions.");
    if (q->what == LINES_PAGE) {
        g->pages = add_page(g, g->pages, g->page_count, page);
        g->page_count++;
        return ERR_OK;
    }
    if (!q->record->first)
        q->record->first = page;
    q->record->pages = add_page(g, q->record->pages, q->record->page_count, page);
    q->record->page_count++;
    return ERR_OK;
}

/* The order is another by now: what was gathered is thrown away. */
static enum err begin_anew(struct shp_gather *g, struct errinfo *info)
{
    forget(g);
    if (g->restarts++ < RESTARTS)
        return ERR_OK;
    return err_set(info, ERR_CONFLICT, "Order %s keeps changing while it is read.", g->id);
}

enum err shp_gather_take(struct shp_gather *g, struct js_doc *doc, size_t size,
                         struct errinfo *info)
{
    struct question q = next_question(g);
    const struct js_value *data = js_get(doc->root, "data");
    struct js_doc taken = *doc;
    enum err e = ERR_OK;

    *doc = (struct js_doc){0};
    g->bytes += size;
    if (q.what == NOTHING || ++g->questions > SHP_QUESTIONS || g->doc_count == SHP_QUESTIONS ||
        g->bytes > ANSWERS_MAX) {
        js_free(&taken);
        return err_set(info, ERR_TOO_BIG, "Order %s is larger than what is read of one order.",
                       g->id);
    }
    g->docs[g->doc_count++] = taken;
    if (js_type(data) != JS_OBJECT)
        return err_set(info, ERR_MISSING, "The answer has no data.");
    e = q.what == ORDER ? take_order(g, data, info) : take_page(g, &q, data, info);
    if (e == ERR_CONFLICT)
        return begin_anew(g, info);
    if (e != ERR_OK)
        return e;
    g->lines += js_len(shp_nodes(q.what == ORDER ? g->order : NULL, "lineItems"));
    if (q.what == LINES_PAGE)
        g->lines += js_len(shp_nodes(g->pages[g->page_count - 1], "lineItems"));
    if (g->lines > LIM_ORDER_LINES)
        return err_set(info, ERR_TOO_BIG, "The order has more than %d lines.", LIM_ORDER_LINES);
    return ERR_OK;
}

/* ---- lists ---- */

/* A time, in the letters that one is made of: it becomes part of a search. */
static bool is_time(struct str text)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (!strchr("0123456789-:.+TZ", text.p[i]) || text.p[i] == '\0')
            return false;
    }
    return ord_time(text, &seconds, NULL);
}

bool shp_list_ask(struct str after, struct str before, struct str cursor, struct buf *body)
{
    struct buf search = BUF_CAP(200);
    struct js_out w;

    if (!is_time(after) || (before.n > 0 && !is_time(before)))
        return false;
    buf_printf(&search, "updated_at:>='%.*s'", STR_FMT(after));
    if (before.n > 0)
        buf_printf(&search, " AND updated_at:<='%.*s'", STR_FMT(before));
    jw_init(&w, body);
    jw_begin_object(&w);
    jw_kz(&w, "query", ask_list);
    jw_key(&w, "variables");
    jw_begin_object(&w);
    jw_kstr(&w, "query", buf_str(&search));
    jw_kint(&w, "first", SHP_LISTED);
    jw_key(&w, "after");
    if (cursor.n > 0)
        jw_str(&w, cursor);
    else
        jw_null(&w);
    jw_end_object(&w);
    jw_end_object(&w);
    buf_free(&search);
    return true;
}

/* The day of a time by the shop's own clock; "" if it is none. */
static void day_there(struct str text, shp_offset_fn *offset, void *arg, char out[11])
{
    int64_t t = 0;
    time_t local;
    struct tm tm = {0};

    out[0] = '\0';
    if (!ord_time(text, &t, NULL))
        return;
    local = (time_t)(t + (offset ? offset(arg, t) : 0));
    if (gmtime_r(&local, &tm))
        (void)strftime(out, 11, "%Y-%m-%d", &tm);
}

/* As ord_stamp would have it of the whole order. */
static void stamp_of(const struct js_value *node, char out[ORD_STAMP + 1])
{
    struct order o = {0};
    struct str updated = STR(""), cancelled = STR("");

    if (js_string(js_get(node, "updatedAt"), &updated) && updated.n < sizeof(o.updated_at))
        memcpy(o.updated_at, updated.p, updated.n);
    if (!js_string(js_get(node, "displayFinancialStatus"), &o.shop_status))
        o.shop_status = STR("");
    o.state.cancelled = js_string(js_get(node, "cancelledAt"), &cancelled);
    if (str_eq(o.shop_status, STR("PAID")))
        o.state.paid = ORD_PAID;
    else if (str_eq(o.shop_status, STR("PARTIALLY_PAID")))
        o.state.paid = ORD_PARTLY_PAID;
    ord_stamp(&o, STR(""), out);
}

enum err shp_list_take(const struct js_value *data, shp_offset_fn *offset, void *arg,
                       struct shp_listed list[SHP_LISTED], size_t *n, struct str *cursor,
                       struct errinfo *info)
{
    const struct js_value *orders = js_get(data, "orders");
    const struct js_value *nodes = js_get(orders, "nodes");

    *n = 0;
    *cursor = STR("");
    if (js_type(nodes) != JS_ARRAY || js_len(nodes) > SHP_LISTED)
        return err_set(info, ERR_MISSING, "The answer has no page of orders.");
    for (size_t i = 0; i < js_len(nodes); i++) {
        struct shp_listed *o = &list[*n];
        struct str created = STR("");

        *o = (struct shp_listed){.id = shp_gid(js_get(js_at(nodes, i), "id"))};
        stamp_of(js_at(nodes, i), o->stamp);
        if (js_string(js_get(js_at(nodes, i), "createdAt"), &created))
            day_there(created, offset, arg, o->created_day);
        if (o->id.n == 0)
            return err_set(info, ERR_MISSING, "An order of the page has no id.");
        ++*n;
    }
    *cursor = next_page(orders);
    return ERR_OK;
}

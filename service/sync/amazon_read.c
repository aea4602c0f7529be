/*
 * DESIGN: an order as it is stored, in either API's shape. What an order may lack depends on its
 * state: a pending one has no prices yet, one that will never be sold needs none.
 */
#include "service/sync/amazon.h"

#include "service/sync/amazon_parts.h"

/* V, or what its operation wraps it in. */
static const struct js_value *payload_of(const struct js_value *v)
{
    const struct js_value *payload = js_get(v, "payload");

    return payload ? payload : v;
}

static bool is_v0(const struct js_value *order)
{
    return js_get(order, "AmazonOrderId") != NULL;
}

/* The order's own object in what was stored or returned; ITEMS beside it in v0. */
static const struct js_value *find_order(const struct js_value *root, const struct js_value **items)
{
    const struct js_value *response = js_get(root, "orderResponse");

    *items = payload_of(js_get(root, "orderItemsResponse"));
    if (response)
        return payload_of(response);
    root = payload_of(root);
    return js_get(root, "order") ? js_get(root, "order") : root;
}

bool amz_order_id(const struct amz_record *r, struct str *id)
{
    const struct js_value *order = payload_of(r->root);

    return js_string(js_get(order, is_v0(order) ? "AmazonOrderId" : "orderId"), id) &&
           amz_is_order_id(*id);
}

void amz_write_order(const struct amz_record *r, struct buf *out)
{
    bool v0 = is_v0(payload_of(r->root));
    struct js_out w;

    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key(&w, v0 ? "orderResponse" : "order");
    jw_value(&w, r->root);
    if (v0 && r->items) {
        jw_key(&w, "orderItemsResponse");
        jw_value(&w, r->items);
    }
    jw_end_object(&w);
}

/* The same buyer has the same address at Amazon with the same seller: it stands for an id. */
static void name_customer(struct amz_reader *r)
{
    struct ord_party *party = &r->o->party;
    char *id = arena_printf(r->arena, "%.*s", STR_FMT(party->email));

    for (size_t i = 0; id[i]; i++) {
        if (id[i] >= 'A' && id[i] <= 'Z')
            id[i] = (char)(id[i] | 0x20);
    }
    party->customer_id = str_of(id);
    party->is_company = party->company.n > 0;
}

/* An order that nobody is to pay has no lines; zeroes need no currency. */
static void drop_money(struct amz_reader *r)
{
    struct order *o = r->o;

    o->lines = NULL;
    o->line_count = 0;
    o->total = o->total_tax = o->current_total = o->outstanding = mon_zero(o->currency);
    o->tip = o->fees = o->duties = mon_zero(o->currency);
    o->taxes_included = true;
}

enum err amz_read_order(const struct js_value *root, struct str store, struct arena *arena,
                        struct order *out, struct errinfo *info)
{
    struct amz_reader r = {.arena = arena, .info = info, .o = out};
    const struct js_value *items = NULL, *order = find_order(root, &items);
    struct ord_state *s = &out->state;
    enum err e;

    *out = (struct order){.due_days = -1, .tells_no_refunds = true};
    out->platform = STR("amazon");
    out->store = arena_str(arena, store);
    e = is_v0(order) ? amz_read_v0(&r, order, items) : amz_read_2026(&r, order);
    /* A replacement that is paid for is a sale like any other. */
    s->replacement = s->replacement && out->total.units == 0;
    if (!amz_is_order_id(out->id))
        return err_set(info, ERR_MISSING, "The order's id is missing, or is not 3-7-7 digits.");
    name_customer(&r);
    if (e != ERR_OK && (s->cancelled || s->unfulfillable || s->replacement || s->third_party)) {
        drop_money(&r);
        return ERR_OK;
    }
    if (e != ERR_OK && s->unpriced)
        return err_set(info, ERR_MISSING,
                       "The order is pending: Amazon states its prices once the payment is "
                       "authorised. It is exported then by itself.");
    s->unpriced = false;
    return e;
}

void amz_write_cancelled(const struct amz_notice *n, struct buf *out)
{
    struct js_out w;

    jw_init(&w, out);
    jw_begin_object(&w);
    jw_kstr(&w, "AmazonOrderId", n->order_id);
    jw_kz(&w, "at", n->time);
    jw_end_object(&w);
}

enum err amz_cancel(const struct js_value *root, struct order *o, struct errinfo *info)
{
    struct str id, at;

    if (!js_string(js_get(root, "AmazonOrderId"), &id) || !str_eq(id, o->id) ||
        !js_string(js_get(root, "at"), &at))
        return err_set(info, ERR_TYPE, "What was kept of the cancellation cannot be read.");
    o->state.cancelled = true;
    o->state.kept = false;
    o->state.paid = ORD_UNPAID;
    o->state.fulfilment = ORD_UNFULFILLED;
    o->outstanding = o->total;
    if (!ord_day(at, o->cancelled_day))
        o->cancelled_day[0] = '\0';
    return ERR_OK;
}

char *amz_order_link(struct str order_id, struct arena *arena)
{
    return arena_printf(arena, "https://sellercentral.amazon.com/orders-v3/order/%.*s",
                        STR_FMT(order_id));
}

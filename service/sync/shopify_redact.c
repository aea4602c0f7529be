#include "service/sync/shopify.h"

/* Members that tell of the buyer, wherever they stand. */
static const char *const personal[] = {
    "customer",
    "company",
    "email",
    "contact_email",
    "phone",
    "browser_ip",
    "client_details",
    "note",
    "note_attributes",
    "properties",
    "landing_site",
    "landing_site_ref",
    "referring_site",
    "order_status_url",
    "token",
    "cart_token",
    "checkout_token",
    "checkout_id",
    "device_id",
    "customer_locale",
    "payment_details",
    "payment_id",
    "authorization",
    "message",
    "confirmation_number",
    "receipt",
    "destination",
    "tracking_url",
    "tracking_urls",
    "tracking_number",
    "tracking_numbers",
    "po_number",
    "source_url",
    "source_identifier",
    "reference",
};

/* Members that are addresses, and what stays of one. */
static const char *const addresses[] = {"billing_address", "shipping_address", "origin_location",
                                        "default_address"};
static const char *const of_address[] = {"country", "country_code", "province", "province_code"};

#define IN(key, list) is_in(key, list, sizeof(list) / sizeof *(list))

static bool is_in(struct str key, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(key, str_of(list[i])))
            return true;
    }
    return false;
}

struct copy {
    struct js_out *w;
    bool address;
};

static void copy_value(struct js_out *w, const struct js_value *v, bool address);

/* A js_member_fn. */
static bool copy_member(struct str key, const struct js_value *v, void *arg)
{
    const struct copy *c = arg;

    if (c->address ? !IN(key, of_address) : IN(key, personal))
        return true;
    jw_key_str(c->w, key);
    copy_value(c->w, v, IN(key, addresses));
    return true;
}

/* As deep as a document may be nested. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void copy_value(struct js_out *w, const struct js_value *v, bool address)
{
    struct copy c = {w, address};

    if (js_type(v) == JS_OBJECT) {
        jw_begin_object(w);
        js_each(v, copy_member, &c);
        jw_end_object(w);
    } else if (js_type(v) == JS_ARRAY) {
        jw_begin_array(w);
        for (size_t i = 0; i < js_len(v); i++)
            copy_value(w, js_at(v, i), address);
        jw_end_array(w);
    } else {
        jw_value(w, v);
    }
}

bool shp_redact(struct str body, struct buf *out)
{
    struct js_doc doc = {0};
    struct js_out w;
    bool good = js_parse(body, body.n, &doc, NULL) == ERR_OK && js_type(doc.root) == JS_OBJECT;

    if (good) {
        jw_init(&w, out);
        copy_value(&w, doc.root, false);
    }
    js_free_secret(&doc);
    return good;
}

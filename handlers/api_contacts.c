#include "handlers/api.h"

#include <stdio.h>

#include "queue/contacts.h"
#include "queue/jobs.h"
#include "service/base/limits.h"
#include "service/sync/invoice.h"

#define GUID 36
#define CONTACT_MAX 1000
#define XERO_PAGES "https://go.xero.com/"

/* One customer of one connection, as the path names it. */
struct customer {
    const char *connection;
    char key[LIM_ORDER_KEY + 1]; /* "shopify/<store>/<customer>" */
    char mark[INV_MARK];
};

/* ---- which customer ---- */

/* The store has to be the connection's own: a mapping that no order would use helps nobody. */
static enum err find_store(struct srv_req *req, const struct customer *c, struct str platform,
                           struct str store, struct errinfo *info)
{
    const char *p = arena_printf(req->arena, "%.*s", STR_FMT(platform));
    const char *id = arena_printf(req->arena, "%.*s", STR_FMT(store));
    struct set_store *s = NULL;
    enum err e = set_store_look(req->redis, p, id, &s, info);

    if (e == ERR_OK && (s->deleted || strcmp(s->connection, c->connection) != 0))
        e = ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND)
        e = err_set(info, e, "The connection %s has no store %s/%s.", c->connection, p, id);
    set_store_put(s);
    return e;
}

/* The customer of .../contacts/{platform}/{store}/{customer}. False: RES is a refusal. */
static bool read_customer(struct srv_req *req, struct srv_res *res, struct customer *c)
{
    struct str platform = srv_segment(req, 5), store = srv_segment(req, 6);
    struct str customer = srv_segment(req, 7), parts[3];
    struct errinfo info = {0};
    enum err e = ERR_OK;

    c->connection = arena_printf(req->arena, "%.*s", STR_FMT(srv_segment(req, 3)));
    if (customer.n > LIM_NAME || platform.n > 15 || store.n > LIM_STORE_ID ||
        job_order_key(platform, store, customer, c->key) != ERR_OK ||
        !job_order_key_split(str_of(c->key), &parts[0], &parts[1], &parts[2])) {
        srv_problem(res, 404, "Not Found",
                    "This is not the address of a customer: /contacts/{shopify or amazon}/{store}/"
                    "{customer}, the customer by its id in the shop, company-{id}, guest or "
                    "single.");
        return false;
    }
    e = find_store(req, c, platform, store, &info);
    inv_contact_mark(platform, store, customer, c->mark);
    if (e != ERR_OK)
        api_error(res, e, &info);
    return e == ERR_OK;
}

/* ---- which contact ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* An id at the start of TEXT: 36 characters, then none that could go on with it. */
static bool starts_with_id(struct str text)
{
    for (size_t i = 0; i < GUID && i < text.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text.p[i] != '-' : !is_hex(text.p[i]))
            return false;
    }
    return text.n == GUID || (text.n > GUID && !is_hex(text.p[GUID]) && text.p[GUID] != '-');
}

static bool has_word(struct str text, struct str word)
{
    for (size_t i = 0; i + word.n <= text.n; i++) {
        if (str_eq_nocase((struct str){text.p + i, word.n}, word))
            return true;
    }
    return false;
}

/* The ContactID in what a person pasted: the id itself, or the address of the contact's page in
 * Xero, whose form has changed over the years; one id is in all of them. */
static bool read_id(struct str text, char id[GUID + 1])
{
    struct str pages = STR(XERO_PAGES);
    size_t found = 0;

    text = str_trim(text);
    if (text.n != GUID && (text.n < pages.n || !has_word(text, STR("contact")) ||
                           !str_eq_nocase((struct str){text.p, pages.n}, pages)))
        return false;
    for (size_t i = 0; i + GUID <= text.n; i++) {
        if ((i > 0 && (is_hex(text.p[i - 1]) || text.p[i - 1] == '-')) ||
            !starts_with_id((struct str){text.p + i, text.n - i}))
            continue;
        found++;
        for (size_t k = 0; k < GUID; k++) /* in small letters, as Xero writes it */
            id[k] = (char)(text.p[i + k] >= 'A' && text.p[i + k] <= 'F' ? text.p[i + k] | 0x20
                                                                        : text.p[i + k]);
        id[GUID] = '\0';
    }
    return found == 1;
}

/* ---- the calls ---- */

static enum err show(struct srv_req *req, struct srv_res *res, const struct customer *c,
                     struct errinfo *info)
{
    struct ctc_contact contact;
    struct js_out w;
    enum err e = ctc_get(req->redis, c->connection, c->mark, &contact, info);
    bool known = contact.id[0] != '\0';

    if (e != ERR_OK)
        return e;
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kz(&w, "customer", c->key);
    jw_kz(&w, "contact_number", c->mark);
    jw_kz(&w, "contact_id", known ? contact.id : NULL);
    jw_kz(&w, "contact_link",
          known ? arena_printf(req->arena, XERO_PAGES "Contacts/View/%s", contact.id) : NULL);
    jw_kz(&w, "source", contact.mapped ? "mapped" : known ? "remembered" : NULL);
    jw_end_object(&w);
    return ERR_OK;
}

/* False: RES is a refusal. */
static bool read_body(struct srv_req *req, struct srv_res *res, char id[GUID + 1])
{
    static const char *const fields[] = {"contact", NULL};
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    bool good = api_read(req, false, &doc, res);

    if (good) {
        const char *text = NULL;

        api_name_unknown(doc.root, "", fields, req->arena, &errors);
        text = api_text(doc.root, "contact", CONTACT_MAX, req->arena, &errors);
        if (errors.count == 0 && (!text || !read_id(str_of(text), id)))
            opt_complain(&errors, req->arena, STR("contact"),
                         "must be a contact's id in Xero, or the address of its page there "
                         "(" XERO_PAGES "...contact...), with one id in it");
        good = !api_refused(&errors, res);
    }
    js_free(&doc);
    return good;
}

void api_contact(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    bool put = strcmp(req->method, "PUT") == 0, delete = strcmp(req->method, "DELETE") == 0;
    char id[GUID + 1] = "";
    struct errinfo info = {0};
    struct customer c;
    enum err e = ERR_OK;

    (void)env;
    if (!read_customer(req, res, &c) || (put && !read_body(req, res, id)))
        return;
    if (put || delete)
        e = ctc_map(req->redis, c.connection, c.mark, c.key, id, req->who, &info);
    if (e == ERR_OK && delete)
        res->status = 204;
    else if (e == ERR_OK)
        e = show(req, res, &c, &info);
    if (e != ERR_OK)
        api_error(res, e, &info);
}

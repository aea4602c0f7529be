#include "service/export/amazon_api.h"

#include <stdio.h>
#include <time.h>

#include "service/base/crypto.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"
#include "service/sync/order.h"

#define CONNECT_MS 5000
#define TOTAL_MS 30000 /* a page of 100 orders takes seconds */

/* An address with a page's token, and a header with an access token: about 1 KB each. */
#define LINE_MAX (16u << 10)

/* Login with Amazon's answer has two tokens. */
#define TOKEN_ANSWER_MAX (64u << 10)

/* Sellers whose tokens are kept; the one that was used longest ago makes room. */
#define SELLERS 64

/* What amz_read_order looks at; without the first two Amazon asks for no role to see buyers. */
#define BUYERS "BUYER,RECIPIENT,"
#define DATA "PROCEEDS,PROMOTION,FULFILLMENT,PACKAGES,TAX,PAYMENT"

#define WHO "Amazon"

/* What is known of a seller: MARK is of its refresh token, so that a new consent begins anew. */
struct token {
    char seller[LIM_STORE_ID + 1], mark[17];
    struct buf access;
    int64_t until_ns, used_ns;
    bool no_buyers; /* Amazon refused to show buyers to this app */
};

struct aapi {
    struct http *http;
    char *api_url, *lwa_url, *client_id, *client_secret;
    struct token tokens[SELLERS];
};

static char *copy(struct str s)
{
    char *z = x_alloc(s.n + 1);

    if (s.n > 0)
        memcpy(z, s.p, s.n);
    return z;
}

enum err aapi_new(const struct aapi_options *o, struct aapi **out)
{
    struct aapi *a = x_alloc(sizeof(*a));
    enum err e = http_new(&a->http);

    *out = NULL;
    if (e != ERR_OK) {
        x_free(a);
        return e;
    }
    a->api_url = o->api_url && *o->api_url ? x_strdup(o->api_url) : NULL;
    a->lwa_url = x_strdup(o->lwa_url);
    a->client_id = copy(o->client_id);
    a->client_secret = copy(o->client_secret);
    *out = a;
    return ERR_OK;
}

void aapi_free(struct aapi *a)
{
    if (!a)
        return;
    http_free(a->http);
    for (size_t i = 0; i < SELLERS; i++)
        buf_free_secret(&a->tokens[i].access);
    cry_wipe(a->client_secret, strlen(a->client_secret));
    x_free(a->client_secret);
    x_free(a->client_id);
    x_free(a->api_url);
    x_free(a->lwa_url);
    x_free(a);
}

void aapi_until(struct aapi *a, int64_t until_ms)
{
    http_until(a->http, until_ms);
}

/* ---- where to ---- */

static const struct {
    const char *region, *url;
} hosts[] = {
    {"na", "https://sellingpartnerapi-na.amazon.com"},
    {"eu", "https://sellingpartnerapi-eu.amazon.com"},
    {"fe", "https://sellingpartnerapi-fe.amazon.com"},
};

static const char *host_of(struct str region)
{
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (str_eq(region, str_of(hosts[i].region)))
            return hosts[i].url;
    }
    return NULL;
}

bool aapi_region(struct str text)
{
    return host_of(text) != NULL;
}

/* 3-7-7 digits: nothing else goes into an address. */
static bool is_order_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++) {
        bool dash = i == 3 || i == 11;

        if (dash ? id.p[i] != '-' : id.p[i] < '0' || id.p[i] > '9')
            return false;
    }
    return id.n == 19;
}

/* ---- tokens ---- */

/* The seller's row: its own, else the one that was used longest ago, emptied. */
static struct token *row_of(struct aapi *a, const struct aapi_seller *seller)
{
    struct token *oldest = &a->tokens[0];
    char mark[17];

    cry_short_hash(seller->refresh_token, mark);
    for (size_t i = 0; i < SELLERS; i++) {
        struct token *t = &a->tokens[i];

        if (strcmp(t->seller, seller->id) == 0 && strcmp(t->mark, mark) == 0) {
            t->used_ns = met_now_ns();
            return t;
        }
        if (t->used_ns < oldest->used_ns)
            oldest = t;
    }
    buf_free_secret(&oldest->access);
    *oldest = (struct token){.access = BUF_CAP(TOKEN_ANSWER_MAX), .used_ns = met_now_ns()};
    (void)snprintf(oldest->seller, sizeof(oldest->seller), "%s", seller->id);
    memcpy(oldest->mark, mark, sizeof(mark));
    return oldest;
}

/* What Login with Amazon's refusal means. */
static void judge_token(struct shc_answer *out)
{
    struct str error = shc_text(out->doc.root, "error");
    struct str words = shc_text(out->doc.root, "error_description");

    if (out->verdict != SHC_REFUSED && out->verdict != SHC_DENIED)
        return;
    out->verdict = SHC_DENIED;
    out->denied = str_eq(error, STR("invalid_grant")) ? SHC_NO_CONSENT : SHC_NO_CLIENT;
    shc_say(out, str_of(arena_printf(&out->arena, "Login with Amazon refused the %s: %.*s. %.*s",
                                     out->denied == SHC_NO_CONSENT ? "seller's token"
                                                                   : "app's id or secret",
                                     STR_FMT(error.n > 0 ? error : STR("no reason given")),
                                     STR_FMT(str_cut(words, 200)))));
}

/* Asks for a token into T. OUT: what came of it; ANSWERED: T has one. */
static enum err ask_token(struct aapi *a, const struct aapi_seller *seller, struct token *t,
                          struct shc_answer *out, struct errinfo *info)
{
    struct buf url = BUF_CAP(LINE_MAX), body = BUF_CAP(LINE_MAX);
    const struct http_header headers[] = {
        {"Accept", STR("application/json")},
        {"Content-Type", STR("application/x-www-form-urlencoded;charset=UTF-8")},
    };
    struct http_request req = {.method = "POST",
                               .headers = headers,
                               .header_count = 2,
                               .connect_ms = CONNECT_MS,
                               .total_ms = TOTAL_MS,
                               .max_answer = TOKEN_ANSWER_MAX};
    enum err e = ERR_OK;

    buf_printf(&url, "%s/auth/o2/token", a->lwa_url);
    buf_addz(&body, "grant_type=refresh_token&refresh_token=");
    buf_add_percent(&body, seller->refresh_token);
    buf_addz(&body, "&client_id=");
    buf_add_percent(&body, str_of(a->client_id));
    buf_addz(&body, "&client_secret=");
    buf_add_percent(&body, str_of(a->client_secret));
    if (buf_check(&url) != ERR_OK || buf_check(&body) != ERR_OK) {
        e = err_set(info, ERR_TOO_BIG, "The request for Amazon's token is too long.");
        goto out;
    }
    req.url = buf_z(&url);
    req.body = buf_str(&body);
    e = shc_call(a->http, &req, "amazon_token", "Login with Amazon", out, info);
    if (e != ERR_OK)
        goto out;
    judge_token(out);
    if (out->verdict == SHC_ANSWERED)
        shc_take_token(out, STR("Login with Amazon's answer could not be read."), &t->access,
                       &t->until_ns);
    if (out->verdict == SHC_NOT_FOUND) /* of an address, not of an order */
        out->verdict = SHC_DOWN;
out:
    buf_free_secret(&body);
    buf_free(&url);
    return e;
}

/* ---- calls ---- */

/* Amazon's own words: all of {"errors":[{code, message, details}]}. */
static void read_words(struct shc_answer *out)
{
    const struct js_value *errors = js_get(out->doc.root, "errors");
    struct buf words = BUF_CAP(LINE_MAX);

    for (size_t i = 0; i < js_len(errors) && i < 5; i++) {
        struct str message = shc_text(js_at(errors, i), "message");
        struct str details = shc_text(js_at(errors, i), "details");

        if (message.n == 0)
            message = shc_text(js_at(errors, i), "code");
        buf_printf(&words, "%s%.*s", words.n > 0 ? " " : "", STR_FMT(message));
        if (details.n > 0)
            buf_printf(&words, " %.*s", STR_FMT(details));
    }
    shc_say(out, buf_str(&words));
    buf_free(&words);
}

/* One GET of PATH with its query, with the token of T. */
static enum err get(struct aapi *a, const struct aapi_seller *seller, const struct token *t,
                    const char *path, const char *kind, struct shc_answer *out,
                    struct errinfo *info)
{
    const char *root = a->api_url ? a->api_url : host_of(str_of(seller->region));
    struct buf url = BUF_CAP(LINE_MAX);
    time_t now = time(NULL);
    struct tm tm = {0};
    char date[32];
    struct http_header headers[] = {
        {"Accept", STR("application/json")},
        {"User-Agent", STR("ledgerhook/" LH_VERSION " (Language=C)")},
        {"x-amz-access-token", buf_str(&t->access)},
        {"x-amz-date", {NULL, 0}},
    };
    struct http_request req = {.method = "GET",
                               .headers = headers,
                               .header_count = 4,
                               .connect_ms = CONNECT_MS,
                               .total_ms = TOTAL_MS,
                               .max_answer = LIM_AMAZON_ANSWER};
    enum err e = ERR_OK;

    (void)gmtime_r(&now, &tm);
    (void)strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
    headers[3].value = str_of(date);
    buf_printf(&url, "%s%s", root, path);
    if (buf_check(&url) != ERR_OK) {
        e = err_set(info, ERR_TOO_BIG, "The address of a call to Amazon is too long.");
        goto out;
    }
    req.url = buf_z(&url);
    e = shc_call(a->http, &req, kind, WHO, out, info);
    if (e == ERR_OK && out->verdict != SHC_ANSWERED)
        read_words(out);
out:
    buf_free(&url);
    return e;
}

/* PATH, with "?" or "&" at its end, with a token and with as much data as this app may see. */
static enum err call(struct aapi *a, const struct aapi_seller *seller, const char *path,
                     const char *kind, struct shc_answer *out, int *calls, struct errinfo *info)
{
    struct token *t = row_of(a, seller);
    struct buf full = BUF_CAP(LINE_MAX);
    bool fresh = false;
    enum err e = ERR_OK;

    for (;;) {
        if (t->access.n == 0 || met_now_ns() >= t->until_ns) {
            shc_answer_free(out);
            e = ask_token(a, seller, t, out, info);
            if (e != ERR_OK || out->verdict != SHC_ANSWERED)
                break;
            fresh = true;
        }
        shc_answer_free(out);
        buf_reset(&full);
        buf_printf(&full, "%sincludedData=%s%s", path, t->no_buyers ? "" : BUYERS, DATA);
        e = get(a, seller, t, buf_z(&full), kind, out, info);
        ++*calls;
        if (e != ERR_OK || out->verdict != SHC_DENIED)
            break;
        if (!fresh) /* perhaps it ended before its time */
            t->until_ns = 0;
        else if (!t->no_buyers)
            t->no_buyers = true;
        else
            break;
    }
    if (e == ERR_OK && out->verdict == SHC_DENIED && t->no_buyers)
        t->no_buyers = false; /* it was not the buyers: look again at the next call */
    buf_free(&full);
    return e;
}

/* What every call needs to be true of its seller. */
static enum err check_seller(const struct aapi *a, const struct aapi_seller *seller,
                             struct errinfo *info)
{
    if (!a->api_url && !aapi_region(str_of(seller->region)))
        return err_set(info, ERR_SYNTAX, "The seller's region must be na, eu or fe.");
    if (strlen(seller->id) > LIM_STORE_ID)
        return err_set(info, ERR_SYNTAX, "The seller's id is too long.");
    return ERR_OK;
}

enum err aapi_order(struct aapi *a, const struct aapi_seller *seller, struct str order_id,
                    struct shc_answer *out, int *calls, struct errinfo *info)
{
    char path[80];
    enum err e = check_seller(a, seller, info);

    *out = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
    *calls = 0;
    if (e != ERR_OK)
        return e;
    if (!is_order_id(order_id))
        return err_set(info, ERR_SYNTAX, "\"%.*s\" is no id of an Amazon order.",
                       STR_FMT(str_cut(order_id, 64)));
    (void)snprintf(path, sizeof(path), "/orders/2026-01-01/orders/%.*s?", STR_FMT(order_id));
    e = call(a, seller, path, "amazon_order", out, calls, info);
    if (e == ERR_OK && out->verdict == SHC_ANSWERED &&
        js_type(js_get(out->doc.root, "order")) != JS_OBJECT) {
        out->verdict = SHC_DOWN;
        shc_say(out, STR("Amazon's answer has no order."));
    }
    return e;
}

static bool is_time(struct str text)
{
    int64_t seconds = 0;

    return ord_time(text, &seconds, NULL);
}

enum err aapi_search(struct aapi *a, const struct aapi_seller *seller,
                     const struct aapi_search *which, struct shc_answer *out, struct str *next_page,
                     int *calls, struct errinfo *info)
{
    struct buf path = BUF_CAP(LINE_MAX / 2);
    enum err e = check_seller(a, seller, info);

    *out = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
    *next_page = STR("");
    *calls = 0;
    if (e == ERR_OK && (!is_time(which->after) || (which->before.n > 0 && !is_time(which->before))))
        e = err_set(info, ERR_SYNTAX, "The times of a search for orders are none.");
    if (e != ERR_OK)
        return e;
    buf_addz(&path, "/orders/2026-01-01/orders?maxResultsPerPage=100&lastUpdatedAfter=");
    buf_add_percent(&path, which->after);
    if (which->before.n > 0)
        buf_addz(&path, "&lastUpdatedBefore=");
    buf_add_percent(&path, which->before);
    if (which->page.n > 0)
        buf_addz(&path, "&paginationToken=");
    buf_add_percent(&path, which->page);
    buf_addc(&path, '&');
    if (buf_check(&path) != ERR_OK)
        e = err_set(info, ERR_TOO_BIG, "Amazon's token of the next page is too long.");
    else
        e = call(a, seller, buf_z(&path), "amazon_search", out, calls, info);
    if (e == ERR_OK && out->verdict == SHC_ANSWERED) {
        *next_page = shc_text(js_get(out->doc.root, "pagination"), "nextToken");
        if (js_type(js_get(out->doc.root, "orders")) != JS_ARRAY) {
            out->verdict = SHC_DOWN;
            shc_say(out, STR("Amazon's answer has no list of orders."));
        }
    }
    buf_free(&path);
    return e;
}

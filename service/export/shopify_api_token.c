#include "service/export/shopify_api.h"

#include <stdio.h>

#include "service/base/crypto.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"

#define CONNECT_MS 5000
#define TOTAL_MS 30000

#define LINE_MAX (16u << 10)
#define ANSWER_MAX (64u << 10)

/* Shops whose tokens are kept; the one that was used longest ago makes room. */
#define SHOPS 64

/* A store that is there is read more often than this. */
#define UNUSED_S 3600

#define SECOND_NS INT64_C(1000000000)

/* MARK is of the pair, so that a new one begins anew. */
struct row {
    char shop[LIM_STORE_ID + 1], mark[17];
    struct buf token;
    int64_t until_ns, used_ns;
};

struct sapi_tokens {
    struct row rows[SHOPS];
};

struct sapi_tokens *sapi_tokens_new(void)
{
    return x_alloc(sizeof(struct sapi_tokens));
}

static void clear(struct row *row)
{
    buf_free_secret(&row->token);
    *row = (struct row){0};
}

void sapi_tokens_free(struct sapi_tokens *k)
{
    for (size_t i = 0; k && i < SHOPS; i++)
        clear(&k->rows[i]);
    x_free(k);
}

void sapi_tokens_tend(struct sapi_tokens *k, int64_t now_ns)
{
    for (size_t i = 0; i < SHOPS; i++) {
        struct row *row = &k->rows[i];

        if (row->shop[0] &&
            (now_ns >= row->until_ns || now_ns - row->used_ns > UNUSED_S * SECOND_NS))
            clear(row);
    }
}

/* The row of SHOP and its pair, or NULL. */
static struct row *find(struct sapi_tokens *k, const struct sapi_shop *shop, char mark[17])
{
    struct buf pair = BUF_CAP(LINE_MAX);

    buf_printf(&pair, "%s\n", shop->client_id);
    buf_add_str(&pair, shop->secret);
    cry_short_hash(buf_str(&pair), mark);
    buf_free_secret(&pair);
    for (size_t i = 0; i < SHOPS; i++) {
        if (strcmp(k->rows[i].shop, shop->domain) == 0 && strcmp(k->rows[i].mark, mark) == 0)
            return &k->rows[i];
    }
    return NULL;
}

/* An empty row for SHOP: that of its pair before, else a free one, else the one that was used
 * longest ago. */
static struct row *make(struct sapi_tokens *k, const struct sapi_shop *shop, const char mark[17])
{
    struct row *row = &k->rows[0];

    for (size_t i = 0; i < SHOPS && strcmp(row->shop, shop->domain) != 0; i++) {
        if (strcmp(k->rows[i].shop, shop->domain) == 0 || k->rows[i].used_ns < row->used_ns)
            row = &k->rows[i];
    }
    clear(row);
    row->token = BUF_CAP(ANSWER_MAX);
    (void)snprintf(row->shop, sizeof(row->shop), "%s", shop->domain);
    memcpy(row->mark, mark, sizeof(row->mark));
    return row;
}

/* ---- what an answer means ---- */

/* The reasons that Shopify gives, and what somebody can do. */
static const struct {
    const char *code, *words;
} reasons[] = {
    {"application_cannot_be_found",
     "it knows no app of this client id. Enter secrets.api_client_id and "
     "secrets.api_client_secret as the app's settings show them, and install the app on the "
     "shop."},
    {"invalid_client", "the client secret is not the app's. Enter secrets.api_client_id and "
                       "secrets.api_client_secret as the app's settings show them now."},
    {"app_not_installed", "the app is not installed on the shop. Install it from the app's page in "
                          "the Dev Dashboard."},
    {"shop_not_permitted",
     "it gives them only to apps of the organisation that owns the shop. Create "
     "the app in the Dev Dashboard of that organisation."},
};

#define OTHERWISE                                                                                  \
    "See that the app is installed on the shop, and enter secrets.api_client_id and "              \
    "secrets.api_client_secret as the app's settings show them."

/* Shopify refuses by a page for people too, whose title has the reason. */
static void judge_refusal(struct shc_answer *out)
{
    struct str code = shc_text(out->doc.root, "error"), page = buf_str(&out->http.body);
    const char *words = NULL;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]) && !words; i++) {
        struct str reason = str_of(reasons[i].code);

        if (code.n > 0 ? str_eq(code, reason) : shc_contains(page, reason)) {
            words = reasons[i].words;
            code = reason;
        }
    }
    out->verdict = SHC_DENIED;
    out->denied = SHC_NO_CLIENT;
    if (words)
        shc_say(out, str_of(arena_printf(&out->arena, "Shopify gives no token (%.*s): %s",
                                         STR_FMT(code), words)));
    else
        shc_say(out, str_of(arena_printf(
                         &out->arena, "Shopify gives no token (%.*s, status %d). " OTHERWISE,
                         STR_FMT(code.n > 0 ? str_cut(code, 64) : STR("no reason given")),
                         out->status)));
}

static void judge(struct shc_answer *out)
{
    if (out->status == 402 || out->status == 423) { /* frozen, locked */
        out->verdict = SHC_DENIED;
        out->denied = SHC_NO_ACCESS;
    } else if (out->status == 404 || out->status == 0) { /* of the address */
        out->verdict = SHC_DOWN;
    } else if (out->status == 430) {
        out->verdict = SHC_LIMITED;
    } else if (out->verdict == SHC_REFUSED || out->verdict == SHC_DENIED) {
        judge_refusal(out);
    }
}

/* ---- calls ---- */

static enum err ask(struct http *http, const char *root, const struct sapi_shop *shop,
                    struct shc_answer *out, struct errinfo *info)
{
    struct buf url = BUF_CAP(LINE_MAX), body = BUF_CAP(LINE_MAX);
    /* JSON is asked for, else a refusal is a page for people. */
    const struct http_header headers[] = {
        {"Accept", STR("application/json")},
        {"Content-Type", STR("application/x-www-form-urlencoded")},
    };
    struct http_request req = {.method = "POST",
                               .headers = headers,
                               .header_count = 2,
                               .connect_ms = CONNECT_MS,
                               .total_ms = TOTAL_MS,
                               .max_answer = ANSWER_MAX};
    enum err e = ERR_OK;

    buf_printf(&url, "%s/admin/oauth/access_token", root);
    buf_addz(&body, "grant_type=client_credentials&client_id=");
    buf_add_percent(&body, str_of(shop->client_id));
    buf_addz(&body, "&client_secret=");
    buf_add_percent(&body, shop->secret);
    if (buf_check(&url) != ERR_OK || buf_check(&body) != ERR_OK)
        e = err_set(info, ERR_TOO_BIG, "The request for Shopify's token is too long.");
    req.url = buf_z(&url);
    req.body = buf_str(&body);
    if (e == ERR_OK)
        e = shc_call(http, &req, "shopify_token", "Shopify", out, info);
    if (e == ERR_OK)
        judge(out);
    buf_free_secret(&body);
    buf_free(&url);
    return e;
}

enum err sapi_token(struct sapi_tokens *k, struct http *http, const char *root,
                    const struct sapi_shop *shop, struct str *token, bool *fresh,
                    struct shc_answer *out, struct errinfo *info)
{
    struct row *row = NULL;
    char mark[17];
    enum err e = ERR_OK;

    *token = shop->client_id[0] ? STR("") : shop->secret;
    *fresh = false;
    if (!shop->client_id[0])
        return ERR_OK;
    row = find(k, shop, mark);
    if (!row || row->token.n == 0 || met_now_ns() >= row->until_ns) {
        row = make(k, shop, mark);
        shc_answer_free(out);
        e = ask(http, root, shop, out, info);
        if (e == ERR_OK && out->verdict == SHC_ANSWERED)
            shc_take_token(out, STR("Shopify's answer has no token that can be read."), &row->token,
                           &row->until_ns);
        *fresh = row->token.n > 0;
        if (*fresh)
            shc_answer_free(out);
    }
    row->used_ns = met_now_ns();
    *token = buf_str(&row->token);
    return e;
}

void sapi_token_drop(struct sapi_tokens *k, const struct sapi_shop *shop)
{
    char mark[17];
    struct row *row = shop->client_id[0] ? find(k, shop, mark) : NULL;

    if (row)
        clear(row);
}

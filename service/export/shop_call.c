#include "service/export/shop_call.h"

#include <stdio.h>
#include <time.h>

#include "service/base/limits.h"
#include "service/base/metrics.h"

#define MESSAGE_MAX 400

/* The longest access token: Shopify's have 38 characters, Amazon's under 1 KB. */
#define TOKEN_MAX (8u << 10)
/* One is asked for anew this long before its end, so that none ends on its way. */
#define TOKEN_MARGIN_S 300
#define TOKEN_LIFE_MAX_S 86400

/* A wait that is longer is none that is meant. */
#define WAIT_MAX_S 86400

const char *shc_verdict_text(enum shc_verdict v)
{
    static const char *const text[] = {"answered", "not_found", "limited",
                                       "denied",   "down",      "refused"};

    _Static_assert(sizeof(text) / sizeof(text[0]) == SHC_REFUSED + 1, "one text a verdict");
    return text[v];
}

const char *shc_denied_text(enum shc_denied d)
{
    static const char *const text[] = {"", "client", "consent", "access"};

    _Static_assert(sizeof(text) / sizeof(text[0]) == SHC_NO_ACCESS + 1, "one text a reason");
    return text[d];
}

void shc_answer_free(struct shc_answer *a)
{
    js_free_secret(&a->doc);
    buf_free_secret(&a->http.body);
    http_answer_free(&a->http);
    arena_free_secret(&a->arena);
    *a = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
}

struct str shc_text(const struct js_value *v, const char *key)
{
    struct str text = STR("");

    if (!js_text(js_get(v, key), &text))
        return STR("");
    return text;
}

bool shc_contains(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++) {
        if (str_eq_nocase((struct str){text.p + i, part.n}, part))
            return true;
    }
    return false;
}

void shc_say(struct shc_answer *a, struct str text)
{
    struct str cut = str_trim(str_cut(text, MESSAGE_MAX));
    char *copy = NULL;

    if (cut.n == 0)
        return;
    copy = arena_alloc(&a->arena, cut.n + 1);
    for (size_t i = 0; i < cut.n; i++)
        copy[i] = (unsigned char)cut.p[i] < 0x20 || cut.p[i] == 0x7f ? ' ' : cut.p[i];
    a->message = (struct str){copy, cut.n};
}

/* Whether TEXT can be sent as one. What cannot must not be kept: every order would be refused. */
static bool is_token(struct str text)
{
    bool good = text.n > 0 && text.n <= TOKEN_MAX;

    for (size_t i = 0; i < text.n && good; i++)
        good = text.p[i] > 0x20 && text.p[i] < 0x7f;
    return good;
}

void shc_take_token(struct shc_answer *out, struct str otherwise, struct buf *token,
                    int64_t *until_ns)
{
    struct str text = shc_text(out->doc.root, "access_token");
    int64_t life_s = 0;

    buf_reset(token);
    if (is_token(text) && js_int64(js_get(out->doc.root, "expires_in"), &life_s) && life_s > 0)
        buf_add_str(token, text);
    if (token->n == 0 || buf_check(token) != ERR_OK) {
        buf_reset(token);
        out->verdict = SHC_DOWN;
        shc_say(out, otherwise);
        return;
    }
    life_s = life_s < TOKEN_LIFE_MAX_S ? life_s : TOKEN_LIFE_MAX_S;
    life_s = life_s > TOKEN_MARGIN_S ? life_s - TOKEN_MARGIN_S : 0;
    *until_ns = met_now_ns() + life_s * 1000000000;
}

/* A decimal number, in millionths; what is behind the sixth digit is left out. -1: none, or one
 * that does not fit. */
static int64_t millionths(struct str text)
{
    int64_t whole = 0, part = 0, unit = 1000000;
    struct str rest = text, digits = str_split(&rest, '.');

    if (!str_int64(digits, &whole) || whole < 0 || whole > INT64_C(1000000000))
        return -1;
    for (size_t i = 0; rest.p && i < rest.n; i++) {
        if (rest.p[i] < '0' || rest.p[i] > '9')
            return -1;
        unit /= 10;
        part += unit * (rest.p[i] - '0');
    }
    return whole * 1000000 + part;
}

/* Retry-After in milliseconds; its other form, a date, is of no use to us. */
static int64_t retry_after_ms(const struct http_answer *h)
{
    int64_t n = millionths(http_answer_header(h, "Retry-After"));

    return n < 0 || n / 1000000 > WAIT_MAX_S ? -1 : n / 1000;
}

/* Date's Unix seconds; 0: none that can be read. */
static int64_t date_of(const struct http_answer *h)
{
    struct str text = http_answer_header(h, "Date");
    char copy[32] = "";
    struct tm tm = {0};
    const char *end = NULL;

    if (text.n < sizeof(copy) && text.n > 0) {
        memcpy(copy, text.p, text.n);
        end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    }
    return end && !*end ? timegm(&tm) : 0;
}

static void read_headers(struct shc_answer *a)
{
    struct str id = http_answer_header(&a->http, "x-amzn-RequestId");

    if (id.n == 0)
        id = http_answer_header(&a->http, "X-Request-Id");
    if (id.n > 0 && id.n < sizeof(a->request_id))
        memcpy(a->request_id, id.p, id.n);
    a->wait_ms = retry_after_ms(&a->http);
    a->at = date_of(&a->http);
    a->rate_micro = millionths(http_answer_header(&a->http, "x-amzn-RateLimit-Limit"));
}

static enum shc_verdict judge_status(const struct shc_answer *a)
{
    if (a->status >= 200 && a->status < 300)
        return js_type(a->doc.root) == JS_OBJECT ? SHC_ANSWERED : SHC_DOWN;
    if (a->status == 404)
        return SHC_NOT_FOUND;
    if (a->status == 429)
        return SHC_LIMITED;
    if (a->status == 401 || a->status == 403)
        return SHC_DENIED;
    return a->status >= 500 || a->status == 408 ? SHC_DOWN : SHC_REFUSED;
}

void shc_judge(enum err sent, const char *why, const char *who, struct http_answer *http,
               struct shc_answer *out)
{
    *out = (struct shc_answer){.http = *http, .status = http->status, .wait_ms = -1};
    out->rate_micro = -1;
    *http = (struct http_answer){0};
    if (sent != ERR_OK) {
        out->verdict = sent == ERR_TOO_BIG ? SHC_REFUSED : SHC_DOWN;
        shc_say(out, str_of(arena_printf(&out->arena, "%s %s: %s", who,
                                         sent == ERR_TOO_BIG ? "gave no answer that can be read"
                                                             : "cannot be reached",
                                         why)));
        return;
    }
    read_headers(out);
    if (out->http.body.n > 0)
        err_ignore(js_parse(buf_str(&out->http.body), out->http.body.cap, &out->doc, NULL),
                   "an answer that is no JSON is judged by its status");
    out->verdict = judge_status(out);
    out->denied = out->verdict == SHC_DENIED ? SHC_NO_ACCESS : SHC_ALLOWED;
    if (out->verdict == SHC_DOWN && out->status < 300)
        shc_say(out, str_of(arena_printf(&out->arena, "%s's answer could not be read.", who)));
    else if (out->verdict != SHC_ANSWERED)
        shc_say(out,
                str_of(arena_printf(&out->arena, "%s answered with status %d.", who, out->status)));
}

enum err shc_call(struct http *h, const struct http_request *req, const char *kind, const char *who,
                  struct shc_answer *out, struct errinfo *info)
{
    struct http_answer answer = {0};
    struct errinfo why = {0};
    int64_t began_ns = met_now_ns();
    char code[16];
    enum err e = http_send(h, req, &answer, &why);

    *out = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
    (void)snprintf(code, sizeof(code), "%d", answer.status);
    met_add(MET_SHOP_CALLS, 1, kind, code, NULL);
    met_observe_ns(MET_SHOP_SECONDS, met_now_ns() - began_ns, kind);
    if (e == ERR_NOMEM || e == ERR_SYNTAX) {
        http_answer_free(&answer);
        if (info)
            *info = why;
        return e;
    }
    shc_judge(e, why.text, who, &answer, out);
    return ERR_OK;
}

#include "service/export/xero.h"

#include <stdio.h>

#include "service/base/limits.h"
#include "service/base/metrics.h"
#include "service/export/xero_parts.h"

/* Messages taken from one element; Xero sends a handful. */
#define MESSAGES_MAX 50

enum err xero_new(const struct xero_options *o, struct xero **out)
{
    struct xero *x = x_alloc(sizeof(*x));
    enum err e = http_new(&x->http);

    *out = NULL;
    if (e != ERR_OK) {
        x_free(x);
        return e;
    }
    x->api_url = x_strdup(o->api_url);
    x->identity_url = x_strdup(o->identity_url);
    x->scopes = x_strdup(o->scopes);
    *out = x;
    return ERR_OK;
}

void xero_free(struct xero *x)
{
    if (!x)
        return;
    http_free(x->http);
    x_free(x->api_url);
    x_free(x->identity_url);
    x_free(x->scopes);
    x_free(x);
}

void xero_answer_free(struct xero_answer *a)
{
    js_free(&a->doc);
    http_answer_free(&a->http);
    arena_free(&a->arena);
    *a = (struct xero_answer){0};
}

const char *xero_verdict_text(enum xero_verdict v)
{
    static const char *const text[] = {"answered", "refused",   "token", "consent", "disconnected",
                                       "limited",  "not_found", "down",  "unknown"};

    _Static_assert(sizeof(text) / sizeof(text[0]) == XERO_UNKNOWN + 1, "one text a verdict");
    return text[v];
}

/* ---- what an answer means ---- */

struct search {
    struct str key;
    const struct js_value *found;
};

static bool same_key(struct str key, const struct js_value *v, void *arg)
{
    struct search *s = arg;

    if (!str_eq_nocase(key, s->key))
        return true;
    s->found = v;
    return false;
}

/* A member's text in any case of its name: Xero's problem objects come as "Detail" and "detail". */
struct str xero_text(const struct js_value *v, const char *key)
{
    struct search s = {.key = str_of(key)};
    struct str text = {NULL, 0};

    js_each(v, same_key, &s);
    if (!js_text(s.found, &text))
        return STR("");
    return text;
}

static bool contains(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++) {
        if (str_eq_nocase((struct str){text.p + i, part.n}, part))
            return true;
    }
    return false;
}

static int64_t header_number(const struct http_answer *h, const char *name)
{
    int64_t n = -1;

    if (!str_int64(http_answer_header(h, name), &n) || n < 0)
        return -1;
    return n;
}

struct messages {
    struct arena *arena;
    struct str *rows;
    size_t n;
    int depth;
};

static void add_message(struct messages *m, struct str text)
{
    text = str_trim(text);
    for (size_t i = 0; i < m->n; i++) {
        if (str_eq(m->rows[i], text))
            return;
    }
    if (text.n > 0 && m->n < MESSAGES_MAX)
        m->rows[m->n++] = arena_str(m->arena, text);
}

/* Xero warns of lost data in words like "Account code '600' has been removed as it does not match a
 * recognised account": the document then lacks what we sent. Other warnings change nothing. */
static bool loses_data(struct str warning)
{
    return contains(warning, STR("removed")) || contains(warning, STR("ignored")) ||
           contains(warning, STR("not saved"));
}

/* Errors may sit on any child: lines, contact, phones. */
static bool walk_member(struct str key, const struct js_value *v, void *arg);

static void walk(const struct js_value *v, struct messages *m)
{
    if (m->depth >= LIM_JSON_DEPTH)
        return;
    m->depth++;
    if (js_type(v) == JS_OBJECT)
        js_each(v, walk_member, m);
    for (size_t i = 0; i < js_len(v); i++)
        walk(js_at(v, i), m);
    m->depth--;
}

static bool walk_member(struct str key, const struct js_value *v, void *arg)
{
    struct messages *m = arg;
    bool errors = str_eq(key, STR("ValidationErrors")), warnings = str_eq(key, STR("Warnings"));

    if (!errors && !warnings) {
        walk(v, m);
        return true;
    }
    for (size_t i = 0; i < js_len(v); i++) {
        struct str text = xero_text(js_at(v, i), "Message");

        if (errors || loses_data(text))
            add_message(m, text);
    }
    return true;
}

static struct messages messages_of(const struct js_value *v, struct arena *arena)
{
    struct messages m = {.arena = arena};

    m.rows = arena_array(arena, MESSAGES_MAX, sizeof(*m.rows));
    walk(v, &m);
    return m;
}

/* What the whole call was refused with: all of Xero's own words, one by one and as one text. */
static void read_refusal(struct xero_answer *a)
{
    struct messages m = messages_of(js_get(a->doc.root, "Elements"), &a->arena);
    struct buf all = BUF_CAP(64u << 10);

    if (m.n == 0)
        add_message(&m, xero_text(a->doc.root, "Detail"));
    if (m.n == 0)
        add_message(&m, xero_text(a->doc.root, "Message"));
    if (m.n == 0)
        add_message(&m, xero_text(a->doc.root, "Title"));
    if (m.n == 0)
        add_message(&m, str_of(arena_printf(
                            &a->arena, "Xero answered with status %d and no reason.", a->status)));
    for (size_t i = 0; i < m.n; i++) {
        if (i > 0)
            buf_addz(&all, " ");
        buf_add_str(&all, m.rows[i]);
    }
    a->message = arena_str(&a->arena, buf_str(&all));
    a->messages = m.rows;
    a->message_count = m.n;
    buf_free(&all);
}

static enum xero_verdict judge_denied(const struct xero_answer *a)
{
    struct str detail = xero_text(a->doc.root, "Detail");
    struct str challenge = http_answer_header(&a->http, "WWW-Authenticate");

    if (contains(detail, STR("AuthenticationUnsuccessful")))
        return XERO_DISCONNECTED;
    if (contains(detail, STR("AuthorizationUnsuccessful")) ||
        contains(challenge, STR("insufficient_scope")) ||
        contains(challenge, STR("insufficent_scope"))) /* Xero's own spelling */
        return XERO_CONSENT;
    /* Something else said no, perhaps between Xero and us: the list of organisations tells. */
    return a->status == 401 ? XERO_TOKEN : XERO_DISCONNECTED;
}

static enum xero_verdict judge_status(struct xero_answer *a, bool write)
{
    enum xero_verdict failed = write ? XERO_UNKNOWN : XERO_DOWN;

    if (a->status >= 200 && a->status < 300)
        return js_type(a->doc.root) == JS_OBJECT ? XERO_ANSWERED : failed;
    if (a->status == 401 || a->status == 403)
        return judge_denied(a);
    if (a->status == 404)
        return XERO_NOT_FOUND;
    if (a->status == 429)
        return XERO_LIMITED;
    if (a->status >= 500 || a->status == 408) {
        a->in_progress = write && (a->status == 504 || a->status == 408);
        return failed;
    }
    /* The key went out before with other bytes: what became of those has to be looked up. */
    if (a->status == 400 && contains(a->message, STR("used with a different request")))
        return XERO_UNKNOWN;
    return XERO_REFUSED;
}

void xero_judge(enum err sent, const char *why, bool write, struct http_answer *http,
                struct xero_answer *out)
{
    enum xero_verdict failed = write && http->sent ? XERO_UNKNOWN : XERO_DOWN;
    struct str problem, correlation;

    *out = (struct xero_answer){.http = *http, .status = http->status};
    *http = (struct http_answer){0};
    out->retry_after_s = header_number(&out->http, "Retry-After");
    out->day_left = header_number(&out->http, "X-DayLimit-Remaining");
    out->minute_left = header_number(&out->http, "X-MinLimit-Remaining");
    problem = http_answer_header(&out->http, "X-Rate-Limit-Problem");
    out->day_problem = contains(problem, STR("day")) || contains(problem, STR("daily"));
    correlation = http_answer_header(&out->http, "Xero-Correlation-Id");
    if (sent != ERR_OK) {
        out->verdict = failed;
        out->in_progress = failed == XERO_UNKNOWN && sent == ERR_TIMEOUT;
        out->message = arena_str(&out->arena, str_of(why));
        return;
    }
    if (out->http.body.n > 0)
        err_ignore(js_parse(buf_str(&out->http.body), LIM_XERO_ANSWER, &out->doc, NULL),
                   "an answer that is no JSON is judged by its status");
    if (correlation.n == 0)
        correlation = xero_text(out->doc.root, "Instance");
    if (correlation.n < sizeof(out->correlation))
        memcpy(out->correlation, correlation.p ? correlation.p : "", correlation.n);
    if (out->status < 200 || out->status >= 300)
        read_refusal(out);
    out->verdict = judge_status(out, write);
    if (out->verdict != XERO_ANSWERED && out->message.n == 0)
        out->message = STR("Xero's answer could not be read.");
}

/* ---- calls ---- */

/* "Invoices" of "Invoices?unitdp=4": the metrics' label. */
static void endpoint_of(const char *path, char out[32])
{
    size_t n = strcspn(path, "?/");

    n = n < 31 ? n : 31;
    memcpy(out, path, n);
    out[n] = '\0';
}

static void count_call(const char *path, int status, int64_t began_ns)
{
    char endpoint[32], code[16];

    endpoint_of(path, endpoint);
    (void)snprintf(code, sizeof(code), "%d", status);
    met_add(MET_XERO_CALLS, 1, endpoint, code, NULL);
    met_observe_ns(MET_XERO_SECONDS, met_now_ns() - began_ns, NULL);
}

enum err xero_call(struct xero *x, const char *method, const char *path, const char *tenant,
                   const char *access_token, struct str body, const char *key, int total_ms,
                   struct xero_answer *out, struct errinfo *info)
{
    struct buf url = BUF_CAP(URL_MAX), bearer = BUF_CAP(URL_MAX);
    struct http_answer answer = {0};
    struct http_header headers[5];
    struct http_request req = {.method = method, .headers = headers, .body = body};
    bool write = strcmp(method, "GET") != 0;
    int64_t began_ns = met_now_ns();
    struct errinfo why = {0};
    enum err e = ERR_OK;

    *out = (struct xero_answer){0};
    buf_printf(&url, "%s/api.xro/2.0/%s", x->api_url, path);
    buf_printf(&bearer, "Bearer %s", access_token);
    if (buf_check(&url) != ERR_OK || buf_check(&bearer) != ERR_OK) {
        e = err_set(info, ERR_TOO_BIG, "The address of a call to Xero or its token is too long.");
        goto out;
    }
    headers[req.header_count++] = (struct http_header){"Authorization", buf_str(&bearer)};
    headers[req.header_count++] = (struct http_header){"Accept", STR("application/json")};
    if (*tenant)
        headers[req.header_count++] = (struct http_header){"Xero-Tenant-Id", str_of(tenant)};
    if (body.p)
        headers[req.header_count++] = (struct http_header){"Content-Type", STR("application/json")};
    if (key)
        headers[req.header_count++] = (struct http_header){"Idempotency-Key", str_of(key)};
    req.url = buf_z(&url);
    req.total_ms = total_ms;
    req.connect_ms = total_ms < CONNECT_MS ? total_ms : CONNECT_MS;
    req.max_answer = LIM_XERO_ANSWER;

    e = http_send(x->http, &req, &answer, &why);
    count_call(path, answer.status, began_ns);
    if (e == ERR_NOMEM || e == ERR_SYNTAX) {
        if (info)
            *info = why;
        goto out;
    }
    xero_judge(e, why.text, write, &answer, out);
    e = ERR_OK;
out:
    http_answer_free(&answer);
    buf_free_secret(&bearer);
    buf_free(&url);
    return e;
}

/* ---- elements ---- */

/* Text of a member; "" when absent. Ids of zeros only are Xero's way to say "none". */
static struct str member(const struct js_value *v, const char *key)
{
    struct str text = STR("");

    if (!js_text(js_get(v, key), &text))
        return STR("");
    return text;
}

static struct str real_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] != '0' && id.p[i] != '-')
            return id;
    }
    return STR("");
}

/* Which fields are an element's id and number; Xero may show an allocation without an id. */
static const struct {
    const char *name, *id, *number;
    bool needs_no_id;
} kinds[] = {
    {"Invoices", "InvoiceID", "InvoiceNumber", false},
    {"Contacts", "ContactID", "ContactNumber", false},
    {"Payments", "PaymentID", "Reference", false},
    {"CreditNotes", "CreditNoteID", "CreditNoteNumber", false},
    {"Allocations", "AllocationID", "", true},
};

static void read_element(const struct js_value *v, size_t kind, struct arena *arena,
                         struct xero_element *out)
{
    struct messages m = messages_of(v, arena);
    struct str attribute = member(v, "StatusAttributeString");

    *out = (struct xero_element){
        .id = real_id(member(v, kinds[kind].id)),
        .number = member(v, kinds[kind].number),
        .status = member(v, kind == 1 ? "ContactStatus" : "Status"),
        .total = member(v, "Total"),
        .total_tax = member(v, "TotalTax"),
        .amount_due = member(v, "AmountDue"),
        .value = v,
        .messages = m.rows,
        .message_count = m.n,
    };
    for (size_t i = 0; i < m.n; i++)
        out->uncertain = out->uncertain || contains(m.rows[i], STR("an error occurred in xero"));
    out->ok = m.n == 0 && (out->id.n > 0 || kinds[kind].needs_no_id) &&
              !str_eq_nocase(attribute, STR("ERROR")) && !js_true(js_get(v, "HasErrors")) &&
              !js_true(js_get(v, "HasValidationErrors"));
    if (!out->ok && m.n == 0) {
        add_message(&m, STR("Xero refused this without saying why."));
        out->message_count = m.n;
    }
}

enum err xero_elements(struct xero_answer *a, const char *name, struct xero_element **out,
                       size_t *n, struct errinfo *info)
{
    const struct js_value *list = js_get(a->doc.root, name);
    size_t kind = 0;

    *out = NULL;
    *n = 0;
    while (kind < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[kind].name, name) != 0)
        kind++;
    if (kind == sizeof(kinds) / sizeof(kinds[0]))
        return err_set(info, ERR_INTERNAL, "No kind of element is called %s.", name);
    if (js_type(list) != JS_ARRAY)
        return err_set(info, ERR_MISSING, "Xero's answer has no list %s.", name);
    *n = js_len(list);
    *out = arena_array(&a->arena, *n > 0 ? *n : 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++)
        read_element(js_at(list, i), kind, &a->arena, &(*out)[i]);
    return ERR_OK;
}

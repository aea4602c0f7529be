#include "service/export/sqs.h"

#include <stdio.h>

#include "service/base/crypto.h"
#include "service/base/limits.h"

#define CONNECT_MS 5000
#define TOTAL_MS 10000 /* beyond what a call itself waits */

#define URL_MAX 1024
#define BODY_MAX (256u << 10) /* ten receipts of at most 1 KB, and the queue's address */

struct sqs {
    struct http *http;
    char *queue_url, *endpoint; /* of all queues of that host: where calls go */
    char *key_id, *secret, *session_token;
    char scope[80]; /* "aws:amz:<region>:sqs" */
    const _Atomic bool *stop;
};

/* ---- the queue's address ---- */

static bool is_name(struct str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return s.n > 0 && s.n <= max;
}

/* The label behind "sqs" of sqs.<region>.amazonaws.com, also of a private address within a VPC; the
 * one before "queue" of the old <region>.queue.amazonaws.com. "" for any other host. */
static struct str region_of(struct str host)
{
    struct str rest = host, before = STR("");

    if (!shc_contains(host, STR(".amazonaws.com")))
        return STR("");
    while (rest.p) {
        struct str label = str_split(&rest, '.');

        if (str_eq(label, STR("sqs")) && rest.p)
            return str_split(&rest, '.');
        if (str_eq(label, STR("queue")))
            return before;
        before = label;
    }
    return STR("");
}

/* Takes "scheme://host/account/name" apart. False: it is none. */
static bool take_apart(struct str url, struct str *endpoint, struct str *host)
{
    struct str rest = url, scheme = str_split(&rest, '/'), empty, account;

    if (!str_eq(scheme, STR("https:")) && !str_eq(scheme, STR("http:")))
        return false;
    empty = rest.p ? str_split(&rest, '/') : STR("x");
    *host = rest.p ? str_split(&rest, '/') : STR("");
    account = rest.p ? str_split(&rest, '/') : STR("");
    if (empty.n != 0 || host->n == 0 || !rest.p)
        return false;
    *endpoint = (struct str){url.p, scheme.n + 2 + host->n};
    for (size_t i = 0; i < host->n; i++) {
        if (host->p[i] == '@' || host->p[i] == '?' || host->p[i] == '#')
            return false;
    }
    return is_name(account, 32) && is_name(rest, 80);
}

static char *copy(struct str s)
{
    char *z = x_alloc(s.n + 1);

    if (s.n > 0)
        memcpy(z, s.p, s.n);
    return z;
}

static void wipe(char *z)
{
    if (z)
        cry_wipe(z, strlen(z));
    x_free(z);
}

enum err sqs_new(const struct sqs_options *o, struct sqs **out, struct errinfo *info)
{
    struct str endpoint, host, region;
    struct sqs *q = NULL;
    enum err e = ERR_OK;

    *out = NULL;
    if (strlen(o->queue_url) > URL_MAX || !take_apart(str_of(o->queue_url), &endpoint, &host))
        return err_set(info, ERR_CONFIG,
                       "The queue's address must be https://host/<account>/<name>.");
    region = region_of(host);
    if (region.n == 0)
        region = str_of(o->region);
    if (!is_name(region, 32))
        return err_set(info, ERR_CONFIG, "The queue's address names no region; set AWS_REGION.");
    if (o->key_id.n == 0 || o->secret.n == 0)
        return err_set(info, ERR_CONFIG,
                       "The queue needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
    q = x_alloc(sizeof(*q));
    e = http_new(&q->http);
    if (e != ERR_OK) {
        x_free(q);
        return err_set(info, e, "libcurl gives no handle.");
    }
    q->queue_url = x_strdup(o->queue_url);
    q->endpoint = copy(endpoint);
    q->key_id = copy(o->key_id);
    q->secret = copy(o->secret);
    q->session_token = copy(o->session_token);
    (void)snprintf(q->scope, sizeof(q->scope), "aws:amz:%.*s:sqs", STR_FMT(region));
    q->stop = o->stop;
    *out = q;
    return ERR_OK;
}

void sqs_free(struct sqs *q)
{
    if (!q)
        return;
    http_free(q->http);
    wipe(q->secret);
    wipe(q->session_token);
    x_free(q->key_id);
    x_free(q->queue_url);
    x_free(q->endpoint);
    x_free(q);
}

/* ---- calls ---- */

static bool is_one_of(struct str type, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (shc_contains(type, str_of(words[i])))
            return true;
    }
    return false;
}

/* What AWS says went wrong: {"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":...}. Most of
 * it comes with status 400. */
static void judge(struct shc_answer *out)
{
    static const char *const keys[] = {
        "AccessDenied",          "Signature",          "UnrecognizedClient",
        "InvalidClientTokenId",  "InvalidAccessKeyId", "ExpiredToken",
        "MissingAuthentication", "NotAuthorized",      "InvalidSecurity",
        "OptInRequired",         "AuthFailure"};
    static const char *const pace[] = {"Throttl", "OverLimit"};
    struct str type = shc_text(out->doc.root, "__type");
    struct str words = shc_text(out->doc.root, "message");

    if (out->verdict == SHC_ANSWERED || out->status == 0)
        return;
    if (words.n == 0)
        words = shc_text(out->doc.root, "Message");
    if (is_one_of(type, keys, sizeof(keys) / sizeof(keys[0])))
        out->verdict = SHC_DENIED;
    else if (is_one_of(type, pace, sizeof(pace) / sizeof(pace[0])))
        out->verdict = SHC_LIMITED;
    else if (shc_contains(type, STR("QueueDoesNotExist")) ||
             shc_contains(type, STR("NonExistentQueue")))
        out->verdict = SHC_NOT_FOUND;
    out->denied = SHC_ALLOWED;
    if (out->verdict == SHC_DENIED)
        out->denied =
            shc_contains(type, STR("AccessDenied")) || type.n == 0 ? SHC_NO_ACCESS : SHC_NO_CLIENT;
    if (type.n > 0)
        shc_say(out, str_of(arena_printf(&out->arena, "Amazon's queue: %.*s: %.*s",
                                         STR_FMT(str_cut(type, 100)), STR_FMT(words))));
}

static enum err call(struct sqs *q, const char *target, const char *kind, const struct buf *body,
                     int wait_s, struct shc_answer *out, struct errinfo *info)
{
    struct buf url = BUF_CAP(URL_MAX + 2);
    const struct http_header headers[] = {
        {"Accept", STR("application/json")},
        {"Content-Type", STR("application/x-amz-json-1.0")},
        {"X-Amz-Target", str_of(target)},
        {"X-Amz-Security-Token", str_of(q->session_token)}, /* of temporary keys alone */
    };
    struct http_request req = {.method = "POST",
                               .headers = headers,
                               .header_count = *q->session_token ? 4 : 3,
                               .body = buf_str(body),
                               .basic_user = str_of(q->key_id),
                               .basic_password = str_of(q->secret),
                               .aws_scope = q->scope,
                               .connect_ms = CONNECT_MS,
                               .total_ms = TOTAL_MS + wait_s * 1000,
                               .max_answer = LIM_SQS_ANSWER,
                               .stop = wait_s > 0 ? q->stop : NULL};
    enum err e = buf_check(body);

    *out = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
    if (e != ERR_OK)
        return err_set(info, e, "The request to Amazon's queue is too long.");
    buf_printf(&url, "%s/", q->endpoint);
    req.url = buf_z(&url);
    e = shc_call(q->http, &req, kind, "Amazon's queue", out, info);
    if (e == ERR_OK)
        judge(out);
    buf_free(&url);
    return e;
}

enum err sqs_receive(struct sqs *q, int wait_s, int visibility_s, struct shc_answer *out,
                     struct sqs_message messages[SQS_MESSAGES], size_t *n, struct errinfo *info)
{
    struct buf body = BUF_CAP(BODY_MAX);
    const struct js_value *list = NULL;
    struct js_out w;
    enum err e = ERR_OK;

    *n = 0;
    jw_init(&w, &body);
    jw_begin_object(&w);
    jw_kz(&w, "QueueUrl", q->queue_url);
    jw_kint(&w, "MaxNumberOfMessages", SQS_MESSAGES);
    jw_kint(&w, "WaitTimeSeconds", wait_s);
    jw_kint(&w, "VisibilityTimeout", visibility_s);
    jw_key(&w, "MessageSystemAttributeNames");
    jw_begin_array(&w);
    jw_z(&w, "ApproximateReceiveCount");
    jw_end_array(&w);
    jw_end_object(&w);
    e = call(q, "AmazonSQS.ReceiveMessage", "sqs_receive", &body, wait_s, out, info);
    if (e == ERR_OK && out->verdict == SHC_ANSWERED)
        list = js_get(out->doc.root, "Messages"); /* absent when there are none */
    for (size_t i = 0; i < js_len(list) && *n < SQS_MESSAGES; i++) {
        const struct js_value *v = js_at(list, i);
        struct sqs_message *m = &messages[*n];

        *m = (struct sqs_message){.id = shc_text(v, "MessageId"),
                                  .receipt = shc_text(v, "ReceiptHandle"),
                                  .body = shc_text(v, "Body")};
        if (!js_int64(js_path(v, "Attributes.ApproximateReceiveCount"), &m->received))
            m->received = 0;
        if (m->receipt.n > 0)
            ++*n;
    }
    buf_free(&body);
    return e;
}

enum err sqs_delete(struct sqs *q, const struct str *receipts, size_t n, struct shc_answer *out,
                    size_t *left, struct errinfo *info)
{
    struct buf body = BUF_CAP(BODY_MAX);
    struct js_out w;
    enum err e = ERR_OK;

    *left = n;
    *out = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
    if (n > SQS_MESSAGES)
        return err_set(info, ERR_INTERNAL, "At most %d messages can be deleted at once.",
                       SQS_MESSAGES);
    jw_init(&w, &body);
    jw_begin_object(&w);
    jw_kz(&w, "QueueUrl", q->queue_url);
    jw_key(&w, "Entries");
    jw_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "%zu", i);
        jw_begin_object(&w);
        jw_kz(&w, "Id", id);
        jw_kstr(&w, "ReceiptHandle", receipts[i]);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    e = call(q, "AmazonSQS.DeleteMessageBatch", "sqs_delete", &body, 0, out, info);
    if (e == ERR_OK && out->verdict == SHC_ANSWERED) {
        size_t done = js_len(js_get(out->doc.root, "Successful"));

        *left = done < n ? n - done : 0;
    }
    buf_free(&body);
    return e;
}

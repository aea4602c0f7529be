/*
 * DESIGN: nothing of what Amazon sends is signed; a key in a header that the store chose says who
 * forwards it. The bytes are scanned for the sellers that they name, and unless the key is that of
 * one of them, nothing is parsed. Then each record stands for itself: it is taken only if the key
 * is its own seller's. An unknown seller and a wrong key cannot be told apart from outside.
 */
#include "handlers/hooks.h"

#include <stdio.h>

#include "queue/intake_amazon.h"
#include "service/base/log.h"
#include "service/base/metrics.h"

/* Sellers of one body whose keys are looked at. SQS hands over ten records at a time. */
#define SENDERS 10

#define KEY_HEADER "x-api-key"

#define REFUSED_MS 60000

/* A seller that the body, or the address, names. */
struct sender {
    char id[AMZ_SELLER + 1];
    struct set_store *store; /* NULL: unknown */
    bool good;               /* the key in the request is this store's */
};

/* How many kinds of itk_verdict there are. */
#define VERDICTS (ITK_DOWN + 1)

struct delivery {
    struct hook h;
    char address[AMZ_SELLER + 1]; /* ?seller= of records that name none; "" */
    struct sender senders[SENDERS];
    size_t sender_count;
    size_t verdicts[VERDICTS]; /* how many records came to each */
    struct js_out out;         /* of a batch: the results */
    struct buf failures;       /* of a batch: {"itemIdentifier":...} of what was not taken */
};

/* One record and what became of it. */
struct item {
    struct amz_record record;
    const char *result;
    struct str reason;
    struct arena arena;
};

/* ---- who sent it ---- */

/* Whether the header that the store chose carries KEY, in a time that tells nothing of it. */
static bool carries(struct str value, struct str key)
{
    uint8_t a[CRY_HASH], b[CRY_HASH];

    cry_sha256(value, a);
    cry_sha256(key, b);
    return cry_equal((struct str){(const char *)a, sizeof a},
                     (struct str){(const char *)b, sizeof b}) &&
           key.n > 0;
}

/* STORE may be NULL: then the same work is done for nothing. */
static bool key_fits(const struct srv_req *req, const struct set_store *store)
{
    struct str none[SET_SECRET_COUNT] = {{NULL, 0}};
    const struct str *secret = store ? store->secret : none;
    struct str name = secret[SET_API_KEY_HEADER];
    struct str value = srv_header(req, name.n > 0 ? arena_str(req->arena, name).p : KEY_HEADER);
    bool now = carries(value, secret[SET_API_KEY]);
    bool before = carries(value, secret[SET_API_KEY_PREVIOUS]);

    return now || before;
}

/* Reads a sender's store and compares its key; one that does not fit is compared again with the
 * store as Redis has it now. Any error but ERR_NOT_FOUND: Redis could not say. */
static enum err check_sender(struct delivery *d, struct sender *s)
{
    enum err e = hook_find(&d->h, s->id);

    if (e == ERR_OK && !key_fits(d->h.req, d->h.store))
        e = hook_load(&d->h, s->id, true);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    s->store = e == ERR_OK ? d->h.store : NULL;
    s->good = key_fits(d->h.req, s->store);
    if (s->store && !s->good)
        hook_alarm(&d->h, "A notification was refused: it does not carry the store's key.");
    if (e == ERR_OK)
        d->h.store = NULL; /* it is the sender's now */
    return ERR_OK;
}

static struct sender *find_sender(struct delivery *d, struct str id)
{
    for (size_t i = 0; i < d->sender_count; i++) {
        if (str_eq(id, str_of(d->senders[i].id)))
            return &d->senders[i];
    }
    return NULL;
}

/* The sellers named by address and body. */
static void find_senders(struct delivery *d)
{
    char found[SENDERS][AMZ_SELLER + 1];
    size_t n = amz_scan_sellers(d->h.req->body, found, SENDERS);

    if (amz_seller(srv_query(d->h.req, "seller"), d->address))
        memcpy(d->senders[d->sender_count++].id, d->address, sizeof d->address);
    for (size_t i = 0; i < n && d->sender_count < SENDERS; i++) {
        if (!find_sender(d, str_of(found[i])))
            memcpy(d->senders[d->sender_count++].id, found[i], sizeof found[i]);
    }
}

static void refuse(struct delivery *d)
{
    d->h.result = "bad_signature";
    d->h.res->extra = "WWW-Authenticate: ApiKey\r\n";
    srv_problem(d->h.res, 401, "Unauthorized",
                "The request does not carry the key of the seller that it names.");
}

static void refuse_body(struct delivery *d, const char *text)
{
    d->h.result = "malformed";
    srv_problem(d->h.res, 400, "Bad Request", "%s", text);
}

/* False after answering: nobody whose key is here. */
static bool authenticate(struct delivery *d)
{
    bool any = false;
    enum err down = ERR_OK;

    find_senders(d);
    for (size_t i = 0; i < d->sender_count; i++) {
        enum err e = check_sender(d, &d->senders[i]);

        down = e == ERR_OK ? down : e;
        any = any || d->senders[i].good;
    }
    if (d->sender_count == 0)
        refuse_body(d, "The body names no SellerId, and the address no ?seller=.");
    else if (!any && down != ERR_OK)
        hook_unavailable(&d->h);
    else if (!any)
        refuse(d);
    return any;
}

/* ---- one record ---- */

static enum itk_verdict end_item(struct item *it, enum itk_verdict v, const char *result,
                                 struct str reason)
{
    it->result = result;
    it->reason = arena_str(&it->arena, reason);
    return v;
}

static enum itk_verdict bad(struct delivery *d, struct item *it)
{
    return end_item(it, ITK_BAD, "malformed", str_of(d->h.info.text));
}

static enum itk_verdict refused(struct item *it)
{
    return end_item(it, ITK_REFUSED, "bad_signature",
                    STR("It does not carry the key of the seller that it names."));
}

static bool still_fits(const void *arg, const struct set_store *store)
{
    return key_fits(arg, store);
}

/* Record I of BODY, on behalf of its own seller. */
static enum itk_verdict take_record(struct delivery *d, const struct amz_body *body, size_t i,
                                    struct item *it)
{
    enum err e = amz_record(body, i, &it->record, &d->h.info);
    struct sender *s = NULL;
    struct itk_amazon in = {.redis = d->h.req->redis,
                            .stores = d->h.env->stores,
                            .entitled = still_fits,
                            .arg = d->h.req,
                            .arena = &it->arena};
    enum itk_verdict v;

    if (e != ERR_OK)
        return bad(d, it);
    s = find_sender(d, it->record.seller.n > 0 ? it->record.seller : str_of(d->address));
    if (!s || !s->good)
        return refused(it);
    in.store = s->store;
    v = itk_amazon(&in, &it->record);
    if (in.store != s->store) { /* it was read anew */
        s->store = in.store;
        s->good = s->store && !s->store->deleted && key_fits(d->h.req, s->store);
    }
    if (v == ITK_DOWN)
        d->h.info = in.info;
    return v == ITK_REFUSED ? refused(it) : end_item(it, v, in.result, in.reason);
}

/* ---- the answer ---- */

static void count(const struct item *it, enum itk_verdict v)
{
    met_add(MET_WEBHOOKS, 1, "amazon", v == ITK_BAD ? "other" : itk_amazon_topic(&it->record),
            it->result);
}

/* One line of a batch's answer. A record without an id is named by its place. */
static void add_result(struct delivery *d, const struct item *it, enum itk_verdict v, size_t i)
{
    struct str id = it->record.id;
    char place[24];

    (void)snprintf(place, sizeof place, "%zu", i);
    if (id.n == 0)
        id = str_of(place);
    jw_begin_object(&d->out);
    jw_kstr(&d->out, "id", str_cut(id, LIM_NAME));
    jw_kz(&d->out, "result", it->result);
    jw_kstr(&d->out, "reason", it->reason);
    jw_end_object(&d->out);
    if (v == ITK_TAKEN)
        return;
    buf_addz(&d->failures, d->failures.n > 0 ? ",{\"itemIdentifier\":" : "{\"itemIdentifier\":");
    buf_add_quoted(&d->failures, str_cut(id, LIM_NAME));
    buf_addc(&d->failures, '}');
}

/* One line a minute: a body may have a thousand bad records. */
static void log_refused(const struct item *it)
{
    static struct log_rate rate;
    int64_t dropped = 0;

    if (log_rate_ok(&rate, REFUSED_MS, &dropped))
        log_warn("record_refused", NULL, LOG_Z("result", it->result), LOG_STR("reason", it->reason),
                 LOG_INT("more_since", dropped));
}

/* Nothing of the body was taken. WHY is what is wrong with a record that cannot be read. */
static void refuse_all(struct delivery *d, const char *why)
{
    buf_reset(&d->h.res->body);
    if (d->verdicts[ITK_DOWN] > 0)
        hook_unavailable(&d->h);
    else if (d->verdicts[ITK_BAD] > 0)
        refuse_body(d, why);
    else
        refuse(d);
}

static void answer_one(struct delivery *d, const struct amz_body *body)
{
    struct item it = {.result = NULL};
    enum itk_verdict v = take_record(d, body, 0, &it);

    d->verdicts[v]++;
    count(&it, v);
    if (v == ITK_TAKEN)
        hook_answer(&d->h, it.result, it.reason);
    else
        refuse_all(d, arena_printf(d->h.req->arena, "%.*s", STR_FMT(it.reason)));
    amz_record_free(&it.record);
    arena_free(&it.arena);
}

/* A batch with bad records is answered 200 and names them, so that the good ones are not sent
 * again. */
static void answer_batch(struct delivery *d, const struct amz_body *body)
{
    buf_init(&d->failures, d->h.res->body.cap);
    jw_init(&d->out, &d->h.res->body);
    jw_begin_object(&d->out);
    jw_key(&d->out, "results");
    jw_begin_array(&d->out);
    for (size_t i = 0; i < body->count; i++) {
        struct item it = {.result = NULL};
        enum itk_verdict v = take_record(d, body, i, &it);

        d->verdicts[v]++;
        count(&it, v);
        add_result(d, &it, v, i);
        if (v != ITK_TAKEN)
            log_refused(&it);
        amz_record_free(&it.record);
        arena_free(&it.arena);
    }
    jw_end_array(&d->out);
    jw_key(&d->out, "batchItemFailures");
    jw_raw(&d->out, str_of(arena_printf(d->h.req->arena, "[%s]", buf_z(&d->failures))));
    jw_end_object(&d->out);
    if (d->verdicts[ITK_TAKEN] == 0 && body->count > 0)
        refuse_all(d, "No record of the body could be read.");
    buf_free(&d->failures);
}

void hook_amazon(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct delivery d = {.h = {.env = env, .req = req, .res = res, .platform = "amazon"}};
    int64_t begun = met_now_ns();
    struct amz_body body;
    bool open = false;

    if (authenticate(&d)) {
        open = amz_open(req->body, &body, &d.h.info) == ERR_OK;
        if (open && body.batch)
            answer_batch(&d, &body);
        else if (open)
            answer_one(&d, &body);
        else
            refuse_body(&d, d.h.info.text);
    }
    if (open)
        amz_body_free(&body);
    else
        met_add(MET_WEBHOOKS, 1, "amazon", "other", d.h.result);
    met_observe_ns(MET_WEBHOOK_SECONDS, met_now_ns() - begun, "amazon");
    for (size_t i = 0; i < d.sender_count; i++)
        set_store_put(d.senders[i].store);
    set_store_put(d.h.store);
}

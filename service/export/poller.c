/*
 * DESIGN: a message that is not deleted comes again when nobody else may see it ends, so nothing
 * has to be undone: after a death, or while Redis is away, it is left where it is, and what was
 * taken before is known again by its delivery or its stamp.
 */
#include "service/export/poller.h"

#include "queue/intake_amazon.h"
#include "queue/trail.h"
#include "service/base/log.h"
#include "service/base/metrics.h"

#define WAIT_S 20       /* AWS allows no longer wait */
#define VISIBILITY_S 60 /* ten messages take a second; this is also how long a dead worker's wait */

#define REDIS_WAIT_MS 1000

/* A queue that does not answer is asked again after 1 s, doubled up to a minute. */
#define AWAY_MS 1000
#define AWAY_MAX_MS 60000

/* Lines that strangers, or a queue that is away, could make us write again and again. */
#define LOG_EVERY_MS 60000
/* What a store only ignores is told in its connection's log this often. */
#define IGNORED_EVERY_MS 3600000

struct pol {
    struct sqs *sqs;
    struct rds_pool *redis;
    struct set_cache *stores;
    const _Atomic bool *stop;
    int64_t failures;
    struct log_rate dropped, ignored, ignored_noted, kept, away;
};

enum err pol_new(const struct sqs_options *queue, struct rds_pool *redis, struct set_cache *stores,
                 struct pol **out, struct errinfo *info)
{
    struct pol *p = x_alloc(sizeof(*p));
    enum err e = sqs_new(queue, &p->sqs, info);

    p->redis = redis;
    p->stores = stores;
    p->stop = queue->stop;
    *out = e == ERR_OK ? p : NULL;
    if (e != ERR_OK)
        x_free(p);
    return e;
}

void pol_free(struct pol *p)
{
    if (!p)
        return;
    sqs_free(p->sqs);
    x_free(p);
}

static bool stopping(const struct pol *p)
{
    return p->stop && *p->stop;
}

/* ---- one record ---- */

/* One message, and the record of it at hand. */
struct item {
    struct pol *p;
    struct rds *r;
    const struct sqs_message *message;
    struct amz_record record;
    struct set_store *store;
    struct arena arena;
    bool *noted; /* the message is in a connection's log already */
};

/* The store of SELLER; before it is said that there is none, Redis itself is asked, since what is
 * dropped now never comes again. ERR_NOT_FOUND: none, or a deleted one. */
static enum err find_store(struct item *it, const char *seller, struct errinfo *info)
{
    enum err e = set_store_get(it->p->stores, it->r, "amazon", seller, false, &it->store, info);

    if (e == ERR_NOT_FOUND || (e == ERR_OK && it->store->deleted)) {
        set_store_put(it->store);
        it->store = NULL;
        e = set_store_read(it->p->stores, it->r, "amazon", seller, &it->store, info);
    }
    return e == ERR_OK && it->store->deleted ? ERR_NOT_FOUND : e;
}

static void note(struct item *it, const char *level, const char *event, const char *text)
{
    struct errinfo info = {0};

    if (it->store && trl_note(it->r, it->store->connection, level, it->store->key, event,
                              str_of(text), &info) != ERR_OK)
        log_warn("note_lost", info.text, LOG_Z("store", it->store->key), LOG_Z("event", event));
}

/* It would be no better any other time: the message goes, and this is what is left of it: one line
 * in the connection's log, however many of its records are bad. */
static void drop(struct item *it, const char *result, struct str reason)
{
    int64_t dropped = 0;

    if (it->store && !*it->noted) {
        *it->noted = true;
        note(it, "error", "message_dropped",
             arena_printf(&it->arena,
                          "A message of Amazon's queue was dropped, since it cannot be "
                          "read: %.*s (message %.*s)",
                          STR_FMT(reason), STR_FMT(str_cut(it->message->id, LIM_NAME))));
    }
    if (log_rate_ok(&it->p->dropped, LOG_EVERY_MS, &dropped))
        log_warn("message_dropped", "A message of Amazon's queue is of no use and was deleted.",
                 LOG_Z("result", result), LOG_STR("reason", reason),
                 LOG_STR("message", it->message->id), LOG_INT("more_since", dropped));
}

static void ignore(struct item *it)
{
    int64_t dropped = 0;
    struct str type = str_cut(it->record.type, LIM_NAME);

    if (log_rate_ok(&it->p->ignored_noted, IGNORED_EVERY_MS, &dropped))
        note(it, "info", "message_ignored",
             arena_printf(&it->arena,
                          "Amazon's queue also brings notifications of the type %.*s, "
                          "which are ignored.",
                          STR_FMT(type)));
    if (log_rate_ok(&it->p->ignored, LOG_EVERY_MS, &dropped))
        log_info("message_ignored", "A message of Amazon's queue is of a type that is not handled.",
                 LOG_STR("type", type), LOG_STR("message", it->message->id),
                 LOG_INT("more_since", dropped));
}

/* False: the message has to come again. */
static bool keep(struct item *it, struct str why)
{
    int64_t dropped = 0;

    if (log_rate_ok(&it->p->kept, LOG_EVERY_MS, &dropped))
        log_warn("message_kept", "Redis did not take a message of Amazon's queue; it comes again.",
                 LOG_STR("error", why), LOG_STR("message", it->message->id),
                 LOG_INT("more_since", dropped));
    return false;
}

static bool count(const char *topic, const char *result)
{
    met_add(MET_MESSAGES, 1, topic, result, NULL);
    return true;
}

static bool drop_stranger(struct item *it)
{
    set_store_put(it->store);
    it->store = NULL;
    drop(it, "unknown_seller", STR("Its seller is no store here."));
    return count(itk_amazon_topic(&it->record), "unknown_seller");
}

/* Whether the record needs its message no more. */
static bool take_record(struct item *it, const struct amz_body *body, size_t i)
{
    struct errinfo info = {0};
    char seller[AMZ_SELLER + 1];
    struct itk_amazon in = {.redis = it->r, .stores = it->p->stores, .arena = &it->arena};
    enum err e = amz_record(body, i, &it->record, &info);
    enum itk_verdict v;

    if (e != ERR_OK) {
        drop(it, "malformed", str_of(info.text));
        return count("other", "malformed");
    }
    if (it->record.id.n == 0 && !body->batch)
        it->record.id = it->message->id;
    e = amz_seller(it->record.seller, seller) ? find_store(it, seller, &info) : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND)
        return drop_stranger(it);
    if (e != ERR_OK)
        return keep(it, str_of(info.text));
    in.store = it->store;
    v = itk_amazon(&in, &it->record);
    it->store = in.store;
    if (v == ITK_REFUSED)
        return drop_stranger(it);
    (void)count(v == ITK_BAD ? "other" : itk_amazon_topic(&it->record), in.result);
    if (v == ITK_DOWN)
        return keep(it, in.reason);
    if (v == ITK_BAD)
        drop(it, in.result, in.reason);
    else if (it->record.kind == AMZ_OTHER)
        ignore(it);
    return true;
}

/* ---- one message ---- */

/* Whether MESSAGE can be deleted. Each of its records stands for itself. */
static bool take_message(struct pol *p, struct rds *r, const struct sqs_message *message)
{
    bool all = true, noted = false;
    struct item whole = {.p = p, .r = r, .message = message, .noted = &noted};
    struct errinfo info = {0};
    struct amz_body body;

    if (amz_open(message->body, &body, &info) != ERR_OK) {
        drop(&whole, "malformed", str_of(info.text));
        arena_free(&whole.arena);
        return count("other", "malformed");
    }
    for (size_t i = 0; i < (body.batch ? body.count : 1); i++) {
        struct item it = {.p = p, .r = r, .message = message, .noted = &noted};

        all = take_record(&it, &body, i) && all;
        amz_record_free(&it.record);
        set_store_put(it.store);
        arena_free(&it.arena);
    }
    amz_body_free(&body);
    return all;
}

/* ---- one turn ---- */

static bool redis_answers(struct pol *p, struct errinfo *info)
{
    struct str argv[] = {STR("PING")};
    struct rds *r = rds_take(p->redis, REDIS_WAIT_MS);
    struct rds_reply *reply = NULL;
    enum err e = ERR_UNREACHABLE;

    if (r) {
        e = rds_call(r, argv, 1, &reply, info);
        rds_free(reply);
        rds_give(p->redis, r);
    } else {
        (void)err_set(info, e, "No connection was free.");
    }
    return e == ERR_OK;
}

/* How long to leave a queue alone that A says nothing good of. */
static int64_t judge(struct pol *p, const struct shc_answer *a)
{
    int64_t ms = AWAY_MS, dropped = 0;

    if (stopping(p) || a->verdict == SHC_ANSWERED)
        return 0;
    for (int64_t i = 0; i < p->failures && ms < AWAY_MAX_MS; i++)
        ms *= 2;
    if (a->verdict == SHC_DENIED || ms > AWAY_MAX_MS)
        ms = AWAY_MAX_MS;
    if (a->wait_ms > 0 && a->wait_ms < AWAY_MAX_MS)
        ms = a->wait_ms;
    p->failures++;
    if (a->verdict == SHC_DENIED)
        met_add(MET_ALERTS, 1, "queue_refused", NULL, NULL);
    if (log_rate_ok(&p->away, LOG_EVERY_MS, &dropped))
        log_event(a->verdict == SHC_DENIED ? LOG_ERROR : LOG_WARN, "queue_away",
                  "Amazon's queue cannot be used; it is tried again.",
                  LOG_Z("verdict", shc_verdict_text(a->verdict)), LOG_STR("error", a->message),
                  LOG_INT("again_ms", ms), LOG_INT("more_since", dropped));
    return ms;
}

/* Deletes what is safe. What stays behind for whatever reason comes again, and does no harm. */
static int64_t forget(struct pol *p, const struct str *receipts, size_t n)
{
    struct shc_answer answer = {0};
    struct errinfo info = {0};
    size_t left = 0;
    int64_t wait_ms = 0;

    if (n == 0)
        return 0;
    if (sqs_delete(p->sqs, receipts, n, &answer, &left, &info) != ERR_OK) {
        log_error("queue_call_failed", info.text, LOG_INT("messages", n));
        wait_ms = AWAY_MAX_MS;
    } else {
        wait_ms = judge(p, &answer);
        if (answer.verdict == SHC_ANSWERED && left > 0)
            log_warn("messages_left", "Amazon's queue did not delete all; they come again.",
                     LOG_INT("messages", left));
    }
    shc_answer_free(&answer);
    return wait_ms;
}

/* Takes N messages and deletes those that are safe. WAIT_MS as pol_turn has it. */
static void take_messages(struct pol *p, const struct sqs_message *messages, size_t n,
                          int64_t *wait_ms)
{
    struct str receipts[SQS_MESSAGES];
    struct rds *r = n > 0 ? rds_take(p->redis, REDIS_WAIT_MS) : NULL;
    size_t done = 0, looked_at = 0;

    if (!r)
        return;
    for (; looked_at < n && !stopping(p); looked_at++) {
        if (take_message(p, r, &messages[looked_at]))
            receipts[done++] = messages[looked_at].receipt;
    }
    rds_give(p->redis, r);
    *wait_ms = forget(p, receipts, done);
    if (done < looked_at && *wait_ms == 0)
        *wait_ms = AWAY_MS;
}

enum err pol_turn(struct pol *p, int64_t *wait_ms, struct errinfo *info)
{
    struct sqs_message messages[SQS_MESSAGES];
    struct shc_answer answer = {0};
    size_t n = 0;
    enum err e;

    *wait_ms = 0;
    if (!redis_answers(p, info))
        return ERR_UNREACHABLE;
    e = sqs_receive(p->sqs, WAIT_S, VISIBILITY_S, &answer, messages, &n, info);
    if (e != ERR_OK) {
        log_error("queue_call_failed", info->text, LOG_INT("messages", 0));
        *wait_ms = AWAY_MAX_MS;
    } else {
        *wait_ms = judge(p, &answer);
        if (answer.verdict == SHC_ANSWERED) {
            p->failures = 0;
            take_messages(p, messages, n, wait_ms);
        }
    }
    shc_answer_free(&answer);
    return ERR_OK;
}

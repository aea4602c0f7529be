#include "queue/intake_amazon.h"

#include "queue/fetch.h"
#include "service/base/crypto.h"
#include "service/base/log.h"

/* Times that settings may change while one record is being decided. */
#define RECORD_TRIES 3

/* One record on its way. */
struct taking {
    struct itk_amazon *in;
    const struct amz_record *record;
};

/* A whole order, or (N) a notification of one, as an event. */
struct event {
    struct job_event *e;
    const struct order *o;
    const struct amz_notice *n;
};

static enum itk_verdict end(struct taking *t, enum itk_verdict v, const char *result,
                            struct str reason)
{
    t->in->result = result;
    t->in->reason = arena_str(t->in->arena, reason);
    return v;
}

static enum itk_verdict bad(struct taking *t)
{
    return end(t, ITK_BAD, "malformed", str_of(t->in->info.text));
}

/* ---- storing ---- */

/* What the rules looked at, for the trail. */
static struct str write_inputs(const struct taking *t, const struct amz_notice *n,
                               struct buf *object)
{
    struct js_out w;

    jw_init(&w, object);
    jw_begin_object(&w);
    jw_kstr(&w, "topic", t->record->type);
    jw_kstr(&w, "webhook_id", str_cut(n->id, 100));
    jw_kz(&w, "triggered_at", n->time);
    jw_kint(&w, "settings_version", t->in->store->version);
    jw_kstr(&w, "order_status", str_cut(n->status, 40));
    jw_kstr(&w, "change", str_cut(n->change, 40));
    jw_end_object(&w);
    if (buf_check(object) != ERR_OK)
        return STR("");
    return (struct str){object->p + 1, object->n - 2};
}

/* A pending order has no prices to fetch: it is skipped with its reason, and comes again when the
 * payment is authorised. That an order was cancelled is all there is to know where nobody can read
 * it: it is kept beside what was forwarded of it. Any other change asks for a fetch. */
static enum err store_notice(struct taking *t, const struct event *ev, enum job_result *result,
                             enum cat_reason *reason)
{
    struct itk_amazon *in = t->in;
    struct buf inputs = BUF_CAP(4096), cancelled = BUF_CAP(1024);
    bool wanted = !ev->n->state.unpriced;
    enum err x = ERR_OK;

    ev->e->part = "";
    itk_decide(in->store, &ev->n->state, ev->e);
    for (int i = 0; i < JOB_HISTORIES; i++)
        wanted = wanted || ev->e->decision[i].export_it;
    if (ev->n->state.cancelled && !set_store_reads(in->store)) {
        amz_write_cancelled(ev->n, &cancelled);
        ev->e->part = AMZ_CANCELLED;
        ev->e->body = buf_str(&cancelled);
        wanted = false;
    }
    ev->e->inputs = write_inputs(t, ev->n, &inputs);
    x = wanted ? job_fetch(in->redis, ev->e, result, reason, &in->info)
               : job_ingest(in->redis, ev->e, result, reason, &in->info);
    buf_free(&inputs);
    buf_free(&cancelled);
    return x;
}

/* A whole order that cannot be used, as one whose gift wrap is hidden from the forwarder: the shop
 * itself is asked for it, and what it gives is parked if it cannot be used either. */
static enum err ask_for_whole(struct taking *t, const struct event *ev,
                              const struct itk_origin *from, enum job_result *result,
                              enum cat_reason *reason)
{
    ev->e->state = FET_WHOLE;
    return itk_ask(t->in->redis, t->in->store, from, ev->e, result, reason, &t->in->info);
}

static enum err try_store(struct taking *t, const struct event *ev, enum job_result *result,
                          enum cat_reason *reason)
{
    const struct itk_origin from = {"order", t->record->id, {NULL, 0}};

    if (ev->n)
        return store_notice(t, ev, result, reason);
    if (ev->e->unusable && set_store_reads(t->in->store))
        return ask_for_whole(t, ev, &from, result, reason);
    return itk_take(t->in->redis, t->in->store, &from, ev->o, ev->e, result, reason, &t->in->info);
}

/* The store at another version than the one at hand. ERR_NOT_FOUND: deleted, or not entitled. */
static enum err renew(struct itk_amazon *in)
{
    struct set_store *found = NULL;
    enum err e = set_store_renew(in->stores, in->redis, in->store->platform, in->store->id,
                                 in->store->version, &found, &in->info);

    set_store_put(in->store);
    in->store = found;
    if (e == ERR_OK && (found->deleted || (in->entitled && !in->entitled(in->arg, found))))
        return ERR_NOT_FOUND;
    return e;
}

/* Stores EV; with a store whose settings have moved on it looks at the store, and decides, again.
 */
static enum itk_verdict store(struct taking *t, const struct event *ev)
{
    enum job_result result = JOB_STALE_SETTINGS;
    enum cat_reason reason = CAT_REASON_COUNT;
    enum err x = ERR_OK;

    for (int try = 0; try < RECORD_TRIES && x == ERR_OK && result == JOB_STALE_SETTINGS; try++) {
        if (try > 0)
            x = renew(t->in);
        if (x == ERR_NOT_FOUND)
            return ITK_REFUSED;
        if (x == ERR_OK)
            x = try_store(t, ev, &result, &reason);
    }
    if (x == ERR_OK && result == JOB_STALE_SETTINGS)
        x = err_set(&t->in->info, ERR_CONFLICT, "The store's settings are being changed.");
    if (x != ERR_OK)
        return end(t, ITK_DOWN, "unavailable", str_of(t->in->info.text));
    if (result == JOB_NO_STORE)
        return ITK_REFUSED;
    if (result == JOB_UNUSABLE && ev->e->unusable)
        return end(t, ITK_TAKEN, job_result_text(result), ev->e->unusable->errors[0]);
    return end(t, ITK_TAKEN, job_result_text(result), str_of(cat_reason_code(reason)));
}

/* ---- reading ---- */

/* By what the delivery is known again: ID, if it has one. */
static void name_delivery(struct taking *t, struct str id, struct job_event *e)
{
    const struct set_store *s = t->in->store;

    if (id.n > 0)
        e->delivery = str_of(arena_printf(t->in->arena, "%s\n%.*s", s->key, STR_FMT(id)));
    log_ctx_set(s->connection, s->key, e->order_key,
                arena_printf(t->in->arena, "%.*s", STR_FMT(id)));
}

static enum itk_verdict take_notice(struct taking *t)
{
    char key[LIM_ORDER_KEY + 1];
    struct amz_notice n;
    struct job_event e = {.order_key = key, .stamp = "", .part = "", .paid_day = ""};

    if (amz_read_notice(t->record, &n, &t->in->info) != ERR_OK ||
        job_order_key(STR("amazon"), str_of(t->in->store->id), n.order_id, key) != ERR_OK)
        return bad(t);
    e.event = n.event;
    e.name = arena_str(t->in->arena, n.order_id).p;
    e.link = amz_order_link(n.order_id, t->in->arena);
    name_delivery(t, n.id, &e);
    return store(t, &(struct event){.e = &e, .n = &n});
}

/* A message that is sent again may bring the order as it is by then: that is known by what it says,
 * too. */
static struct str name_of(struct taking *t, struct str order)
{
    char mark[17];

    if (t->record->id.n == 0)
        return STR("");
    cry_short_hash(order, mark);
    return str_of(arena_printf(t->in->arena, "%.*s %s", STR_FMT(t->record->id), mark));
}

/* An order is stored without what was around it, and read as it will be read again. */
static enum itk_verdict take_order(struct taking *t)
{
    struct itk_order *in = arena_alloc(t->in->arena, sizeof *in);
    struct buf stored = BUF_CAP(LIM_BODIES_BYTES);
    struct js_doc doc = {0};
    enum itk_verdict v;
    enum err e;

    amz_write_order(t->record, &stored);
    e = buf_check(&stored);
    if (e != ERR_OK)
        e = err_set(&t->in->info, e, "The order is nested too deep.");
    if (e == ERR_OK)
        e = js_parse(buf_str(&stored), stored.n, &doc, &t->in->info);
    if (e == ERR_OK)
        e = itk_read("amazon", t->in->store->id, doc.root, buf_str(&stored), (struct str){NULL, 0},
                     t->in->arena, in, &t->in->info);
    if (e != ERR_OK) {
        v = bad(t);
    } else {
        in->event.event = RUL_SEEN;
        name_delivery(t, name_of(t, buf_str(&stored)), &in->event);
        v = store(t, &(struct event){.e = &in->event, .o = &in->order});
    }
    js_free(&doc);
    buf_free(&stored);
    return v;
}

enum itk_verdict itk_amazon(struct itk_amazon *in, const struct amz_record *record)
{
    struct taking t = {in, record};
    enum itk_verdict v;

    if (record->kind == AMZ_OTHER)
        return end(&t, ITK_TAKEN, "ignored", STR("type_not_handled"));
    v = record->kind == AMZ_NOTICE ? take_notice(&t) : take_order(&t);
    log_ctx_clear();
    return v;
}

const char *itk_amazon_topic(const struct amz_record *record)
{
    return record->kind == AMZ_ORDER    ? "order"
           : record->kind == AMZ_NOTICE ? "ORDER_CHANGE"
                                        : "other";
}

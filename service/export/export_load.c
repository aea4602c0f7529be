#include <stdio.h>
#include <time.h>

#include "queue/fetch.h"
#include "service/export/export.h"
#include "service/export/export_work.h"
#include "service/sync/amazon.h"
#include "service/sync/shopify.h"

/* How long a split payment's transactions may take to arrive. */
#define SPLIT_WAIT_MS INT64_C(600000)

static int64_t unix_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void exp_read_docs(struct work *w, struct work_order *x)
{
    x->doubts = arena_array(&w->arena, x->o->doc_count + 1, sizeof(*x->doubts));
    for (size_t i = 0; i < x->o->doc_count; i++) {
        const struct job_part *part = &x->o->docs[i];
        struct js_doc doc = {0};

        if (js_parse(part->body, part->body.n, &doc, NULL) != ERR_OK)
            continue;
        if (!str_eq(part->name, STR("split")))
            exp_read_doc(w, x, part->name, doc.root);
        else if (js_int64(js_get(doc.root, "until_ms"), &x->split_until_ms) &&
                 !js_bool(js_get(doc.root, "asked"), &x->split_asked))
            x->split_asked = false;
        js_free(&doc);
    }
    x->known.lines_may_change = x->o->lines;
    x->known.again = x->o->again;
    (void)snprintf(x->known.paid_day, sizeof(x->known.paid_day), "%.*s", STR_FMT(x->o->paid_day));
}

/* The wait ends with its time, unless the shop could be asked for the order and was not yet:
 * somebody has entered since what opens it. */
static void judge_split_wait(struct work_order *x)
{
    x->known.split_wait_over = x->split_until_ms > 0 && unix_ms() >= x->split_until_ms &&
                               (x->split_asked || !set_store_reads(x->store));
}

/* Has the order read from its shop; nobody waits for that here. STATE: FET_WHOLE, FET_PARTS. */
static bool ask_shop(struct work *w, const struct work_order *x, const char *state)
{
    struct str platform, store, id;
    struct errinfo info = {0};

    return job_order_key_split(x->o->key, &platform, &store, &id) &&
           fet_ask(w->redis, x->store->key, id, str_of(state), false, &info) == ERR_OK;
}

bool exp_wait_for_split(struct work *w, struct work_order *x)
{
    int64_t now = unix_ms();
    bool begins = x->split_until_ms == 0, asks = !x->split_asked && set_store_reads(x->store);

    if (!x->wanted.wait_for_split)
        return false;
    if (asks)
        x->split_asked = ask_shop(w, x, FET_PARTS);
    if (begins || now >= x->split_until_ms)
        x->split_until_ms = now + SPLIT_WAIT_MS;
    if (begins || asks)
        exp_update(
            w, x, STR("doc:split"),
            str_of(arena_printf(&w->arena, "{\"until_ms\":%lld,\"asked\":%s}",
                                (long long)x->split_until_ms, x->split_asked ? "true" : "false")));
    exp_again(x, x->split_until_ms > now ? x->split_until_ms - now : 1);
    return true;
}

/* ---- locked periods ---- */

/* How long a day learnt from a refusal counts: somebody may open the books again. */
#define OPEN_DAY_MS "3600000"

static struct str open_key(struct work *w)
{
    return str_of(arena_printf(&w->arena, RDS_PREFIX "open:%s", w->lease->connection));
}

/* What this lease or another one learnt. */
static void recall_open_day(struct work *w, struct work_order *x)
{
    struct str argv[] = {STR("GET"), open_key(w)};
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};
    char day[11] = "";

    if (!w->open_asked && rds_call(w->redis, argv, 2, &reply, &info) == ERR_OK) {
        if (ord_day(rds_text(reply), day) && strcmp(day, w->open_from) > 0)
            memcpy(w->open_from, day, sizeof(day));
        w->open_asked = true;
        rds_free(reply);
    }
    memcpy(x->known.open_from, w->open_from, sizeof(w->open_from));
}

/* "...currently set at 30-Nov-2018": the day behind it. */
static bool day_behind(struct str message, char out[11])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char *const words = "currently set at ";
    size_t n = strlen(words);
    char text[11], day[11];

    for (size_t i = 0; i + n + 11 <= message.n; i++) {
        const char *at = message.p + i + n;

        if (memcmp(message.p + i, words, n) != 0)
            continue;
        for (int m = 0; m < 12; m++) {
            if (memcmp(at + 3, months + (ptrdiff_t)3 * m, 3) != 0)
                continue;
            (void)snprintf(text, sizeof(text), "%.4s-%02d-%.2s", at + 7, m + 1, at);
            return ord_day(str_of(text), day) && ord_day_add(day, 1, out);
        }
    }
    return false;
}

static void learn(struct work *w, const char day[11])
{
    struct str argv[] = {STR("SET"), open_key(w), str_of(day), STR("PX"), STR(OPEN_DAY_MS)};
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};

    memcpy(w->open_from, day, sizeof(w->open_from));
    err_ignore(rds_call(w->redis, argv, 5, &reply, &info), "the next lease learns it again");
    rds_free(reply);
}

bool exp_learn_open_day(struct work *w, struct element *el, const struct xero_element *v)
{
    struct work_order *x = el->x;
    char latest[11] = "", day[11];

    for (size_t i = 0; i < v->message_count; i++)
        if (day_behind(v->messages[i], day) && strcmp(day, latest) > 0)
            memcpy(latest, day, sizeof(latest));
    /* An order that is not loaded yet is built with it; then its store's policy counts. */
    if (!latest[0] || !x || (x->store && !x->store->options.invoice.lock_next_open_day))
        return false;
    if (x->store && strcmp(latest, x->known.open_from) <= 0)
        return false;
    if (strcmp(latest, w->open_from) > 0)
        learn(w, latest);
    x->another_try = true;
    return true;
}

/* ---- from the snapshot to the documents wanted ---- */

static bool unusable(enum err e)
{
    return e == ERR_MISSING || e == ERR_TYPE || e == ERR_RANGE || e == ERR_OVERFLOW ||
           e == ERR_CURRENCY || e == ERR_TOO_BIG || e == ERR_SYNTAX;
}

static bool is_amazon(const struct set_store *s)
{
    return str_eq(str_of(s->platform), STR("amazon"));
}

static enum err read_part(const struct job_part *part, const struct set_store *s, bool buyers,
                          struct arena *arena, struct order *order, struct errinfo *info)
{
    enum shp_money money = buyers ? SHP_PRESENTMENT_MONEY : SHP_SHOP_MONEY;
    struct js_doc doc = {0};
    enum err e = js_parse(part->body, LIM_BODIES_BYTES, &doc, info);

    if (e != ERR_OK)
        return e;
    if (str_eq(part->name, STR("order")) && is_amazon(s))
        e = amz_read_order(doc.root, str_of(s->id), arena, order, info);
    else if (str_eq(part->name, STR("order")))
        e = shp_read_order(doc.root, str_of(s->id), money, arena, order, info);
    else if (str_eq(part->name, STR(AMZ_CANCELLED)))
        e = amz_cancel(doc.root, order, info);
    else if (str_starts(part->name, STR("refund:")))
        e = shp_add_refund(doc.root, arena, order, info);
    else if (str_starts(part->name, STR("txn:")))
        e = shp_add_transaction(doc.root, arena, order, info);
    /* Paid in the buyer's money, the order in the shop's: its state tells what came. */
    if (e == ERR_CURRENCY && str_starts(part->name, STR("txn:")))
        e = ERR_OK;
    js_free(&doc);
    return e;
}

/* The order's own part first, whatever their order in the store; records of refunds and payments
 * are added to it. */
static enum err read_order(const struct work_order *x, struct arena *arena, struct order *order,
                           struct errinfo *info)
{
    const struct job_order *o = x->o;
    const struct set_store *s = x->store;
    bool buyers = x->settings.presentment_currency;
    bool found = false;

    for (size_t i = 0; i < o->part_count && !found; i++) {
        if (str_eq(o->parts[i].name, STR("order"))) {
            enum err e = read_part(&o->parts[i], s, buyers, arena, order, info);

            if (e != ERR_OK)
                return e;
            found = true;
        }
    }
    if (!found)
        return err_set(info, ERR_MISSING, "The order's data is no longer stored.");
    for (size_t i = 0; i < o->part_count; i++) {
        enum err e = ERR_OK;

        if (!str_eq(o->parts[i].name, STR("order")))
            e = read_part(&o->parts[i], s, buyers, arena, order, info);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static bool names_xero(struct str link)
{
    for (size_t i = 0; i + 4 <= link.n; i++) {
        if (str_eq_nocase((struct str){link.p + i, 4}, STR("xero")))
            return true;
    }
    return false;
}

/* The shop's page of the order; Xero refuses links with its own name in it, so those go through
 * ours. */
static const char *link_of(struct work *w, struct str key, const struct set_store *s, struct str id)
{
    char *link =
        is_amazon(s) ? amz_order_link(id, &w->arena) : shp_order_link(str_of(s->id), id, &w->arena);
    char hash[17];

    if (!names_xero(str_of(link)) || !w->e->public_url[0])
        return link;
    cry_short_hash(key, hash);
    return arena_printf(&w->arena, "%s/o/%s", w->e->public_url, hash);
}

/* Whether another order of this lease has read the store that X has. */
static bool is_read(const struct work *w, const struct work_order *x, const char *kind,
                    const char *id)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct set_store *s = w->orders[i].store;

        if (&w->orders[i] != x && s && strcmp(s->platform, kind) == 0 && strcmp(s->id, id) == 0)
            return true;
    }
    return false;
}

/* The store's settings of this moment, read once a lease: a setting is mended and the order
 * exported again within a second, so the cache alone would not do. False: X has ended. */
static bool load_store(struct work *w, struct work_order *x, struct str platform, struct str store)
{
    char *kind = arena_printf(&w->arena, "%.*s", STR_FMT(platform));
    char *id = arena_printf(&w->arena, "%.*s", STR_FMT(store));
    struct errinfo info = {0};
    enum err e = is_read(w, x, kind, id)
                     ? set_store_get(w->e->stores, w->redis, kind, id, false, &x->store, &info)
                     : set_store_read(w->e->stores, w->redis, kind, id, &x->store, &info);

    if (e == ERR_OK && !x->store->deleted)
        return true;
    if (e == ERR_OK || e == ERR_NOT_FOUND)
        exp_fail_one(w, x, inv_doc_text(INV_DOC_INVOICE), "unusable-order",
                     "The store %s was removed, so its orders cannot be exported any more.", id);
    else
        exp_again(x, 5000);
    return false;
}

/* The hash by which a dismissed failure knows the same documents again. */
static void hash_wanted(struct work *w, struct work_order *x)
{
    struct buf text = BUF_CAP(LIM_API_BODY);
    char hash[17];

    buf_printf(&text, "%d", x->wanted.nothing);
    for (size_t i = 0; i < x->wanted.doc_count; i++) {
        const struct inv_document *doc = &x->wanted.docs[i];

        buf_printf(&text, " %.*s %d %s", STR_FMT(doc->name), doc->action == INV_VOID,
                   mon_text(doc->total).z);
        for (size_t k = 0; k < doc->line_count; k++)
            buf_printf(&text, " %.*s %s %s", STR_FMT(doc->lines[k].key),
                       mon_text(doc->lines[k].amount).z, mon_text(doc->lines[k].tax).z);
    }
    for (size_t i = 0; i < x->wanted.payment_count; i++)
        buf_printf(&text, " %.*s=%s", STR_FMT(x->wanted.payments[i].mark),
                   mon_text(x->wanted.payments[i].amount).z);
    for (size_t i = 0; i < x->wanted.allocation_count; i++)
        buf_printf(&text, " %.*s=%s", STR_FMT(x->wanted.allocations[i].mark),
                   mon_text(x->wanted.allocations[i].amount).z);
    for (size_t i = 0; i < x->wanted.problem_count; i++)
        buf_printf(&text, " %.*s", STR_FMT(x->wanted.problems[i].text));
    cry_short_hash(buf_str(&text), hash);
    x->report.wanted_hash = arena_str(&w->arena, str_of(hash));
    buf_free(&text);
}

/* Until the documents are known, the order's own bytes stand for them. */
static void hash_parts(struct work *w, struct work_order *x)
{
    char hashes[17], *all = arena_printf(&w->arena, "parts");

    for (size_t i = 0; i < x->o->part_count; i++) {
        cry_short_hash(x->o->parts[i].body, hashes);
        all = arena_printf(&w->arena, "%s %s", all, hashes);
    }
    cry_short_hash(str_of(all), hashes);
    x->report.wanted_hash = arena_str(&w->arena, str_of(hashes));
}

/* A problem of invoice or contact stops the order before anything is sent. */
static void stop_on_problems(struct work *w, struct work_order *x)
{
    const struct inv_wanted *wanted = &x->wanted;
    struct str *texts = arena_array(&w->arena, wanted->problem_count + 1, sizeof(*texts));
    const char **ids = arena_array(&w->arena, wanted->problem_count + 1, sizeof(*ids));
    size_t n = 0;
    enum inv_doc doc = INV_DOC_INVOICE;

    for (size_t i = 0; i < wanted->problem_count; i++) {
        const struct inv_problem *p = &wanted->problems[i];

        if (p->doc != INV_DOC_INVOICE && p->doc != INV_DOC_CONTACT)
            continue;
        if (n == 0)
            doc = p->doc;
        texts[n] = p->text;
        ids[n++] = p->catalogue;
    }
    if (n > 0)
        exp_fail(w, x, inv_doc_text(doc), texts, ids, n);
}

void exp_build(struct work *w, struct work_order *x)
{
    const struct inv_settings *settings = &x->settings;
    struct errinfo info = {0};
    enum err e = ERR_OK;

    if (settings->lock_next_open_day)
        recall_open_day(w, x);
    e = inv_build(x->order, settings, &x->known, x->link, &w->arena, &x->wanted, &info);
    if (e != ERR_OK) {
        exp_fail_one(w, x, inv_doc_text(INV_DOC_INVOICE),
                     unusable(e) ? "unusable-order" : "internal-fault", "%s",
                     info.text[0] ? info.text : err_text(e));
        return;
    }
    hash_wanted(w, x);
    stop_on_problems(w, x);
}

void exp_load(struct work *w, struct work_order *x)
{
    struct str platform, store, id;
    struct order *order = arena_alloc(&w->arena, sizeof(*order));
    struct errinfo info = {0};
    enum err e = ERR_OK;

    x->another_try =
        false; /* what settling learnt is known by now, and what failed is tried again */
    x->trouble_count = 0;
    hash_parts(w, x);
    if (!job_order_key_split(x->o->key, &platform, &store, &id)) {
        exp_fail_one(w, x, inv_doc_text(INV_DOC_INVOICE), "internal-fault",
                     "The order's key cannot be read.");
        return;
    }
    if (!load_store(w, x, platform, store))
        return;
    x->settings = x->store->options.invoice;
    judge_split_wait(x);
    exp_keep_manner(w, x, &x->settings);
    e = read_order(x, &w->arena, order, &info);
    if (e != ERR_OK) {
        /* The row goes by itself if the shop gives what can be used, else it says what that is. */
        if (unusable(e) && set_store_reads(x->store))
            (void)ask_shop(w, x, FET_WHOLE);
        exp_fail_one(w, x, inv_doc_text(INV_DOC_INVOICE),
                     unusable(e) ? "unusable-order" : "internal-fault", "%s",
                     info.text[0] ? info.text : err_text(e));
        return;
    }
    x->order = order;
    x->link = link_of(w, x->o->key, x->store, id);
    exp_build(w, x);
}

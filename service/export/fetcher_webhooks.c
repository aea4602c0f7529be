#include <stdio.h>

#include "service/base/log.h"
#include "service/export/fetcher_parts.h"

/* Addresses of one topic that are shown. */
#define SHOWN_MAX 5

/* ---- what people are told of it ---- */

static struct str seller_key(struct reading *w)
{
    return str_of(arena_printf(&w->arena, RDS_PREFIX "seller:%s", w->store->key));
}

/* Keeps what people know to be missing. */
static enum err keep_told(struct reading *w, struct str missing, struct errinfo *info)
{
    struct str argv[] = {STR("HSET"), seller_key(w), STR("hooks"), missing};
    struct rds_reply *set = NULL;
    enum err e = rds_call(w->r, argv, 4, &set, info);

    rds_free(set);
    return e;
}

/* Tells people, once for each change of what is missing. Webhooks of the shop's own admin are not
 * seen by an app, so an app without any subscription is no fault by itself. */
static void tell(struct reading *w, struct str missing, size_t n)
{
    struct str argv[] = {STR("HGET"), seller_key(w), STR("hooks")};
    struct rds_reply *before = NULL;
    struct errinfo info = {0};
    enum err e = rds_call(w->r, argv, 3, &before, &info);

    if (e == ERR_OK && !str_eq(rds_text(before), missing) && (n > 0 || rds_text(before).n > 0)) {
        if (n == 0)
            ftc_note(w, "info", "webhooks_complete", "All webhooks are subscribed to again.");
        else if (n == SHP_HOOKS_REQUIRED)
            ftc_note(
                w, "info", "webhooks_missing",
                "The app that the store is read with has subscribed to no webhook of orders at an "
                "address that ends in " SHP_HOOK_PATH ". That is as it should be only if the "
                "shop's own admin sends them.");
        else
            ftc_note(w, "error", "webhooks_missing",
                     "The app has no subscription to these webhooks at an address that ends "
                     "in " SHP_HOOK_PATH ": %.*s. Their orders are found by the reconciliation "
                     "only; a check of the store subscribes to them again.",
                     STR_FMT(missing));
        e = keep_told(w, missing, &info);
    }
    if (e != ERR_OK)
        log_warn("webhooks_not_told", info.text, LOG_Z("store", w->store->key));
    rds_free(before);
}

void ftc_webhooks_look(struct reading *w)
{
    const struct sapi_shop shop = ftc_shopify_shop(w);
    struct shp_subscription list[SAPI_SUBSCRIPTIONS];
    struct buf missing = BUF_CAP(1024);
    struct shc_answer answer = {0};
    struct errinfo info = {0};
    size_t n = 0;

    w->calls = 0; /* it can wait for the next pass */
    enum err e = sapi_subscriptions(w->f->shopify, &shop, list, &n, &answer, &info);
    if (e == ERR_OK && answer.verdict == SHC_ANSWERED) {
        size_t count = shp_hooks_missing(list, n, STR(""), &missing);

        ftc_note_points(w, sapi_points(w->f->shopify));
        tell(w, buf_str(&missing), count);
    }
    w->wait_ms = 0;
    shc_answer_free(&answer);
    buf_free(&missing);
}

/* ---- a check ---- */

/* What is said of a topic beyond where it goes. */
struct said {
    const char *state;   /* "created", "refused" or NULL: as the list has it */
    const char *message; /* NULL none */
};

struct looking {
    struct reading *w;
    const struct check *check;
    struct shp_subscription list[SAPI_SUBSCRIPTIONS + SHP_HOOKS]; /* the shop's, and new ones */
    size_t count;
    bool listed;
    struct said topics[SHP_HOOKS];
    const char *message;
};

static const char *keep(struct looking *l, struct str text)
{
    return arena_str(&l->w->arena, text).p;
}

/* What a question about webhooks came to. READ_REFUSED: this one alone, WHY has the shop's words.
 * READ_STOP: nothing more may be asked. */
static enum read_next judge(struct looking *l, enum err e, const struct shc_answer *a,
                            const struct errinfo *info, const char **why)
{
    struct reading *w = l->w;

    if (e != ERR_OK) {
        *why = keep(l, str_of(info->text));
        return READ_REFUSED;
    }
    if (a->verdict == SHC_ANSWERED) {
        ftc_note_points(w, sapi_points(w->f->shopify));
        return READ_GO;
    }
    *why = keep(l, a->message);
    if (a->verdict == SHC_REFUSED || (a->verdict == SHC_DENIED && a->denied == SHC_NO_ACCESS))
        return READ_REFUSED;
    if (!w->lost && w->wait_ms == 0)
        (void)ftc_judge(w, FET_COST, a);
    return READ_STOP;
}

static enum read_next list_all(struct looking *l)
{
    const struct sapi_shop shop = ftc_shopify_shop(l->w);
    struct shc_answer answer = {0};
    struct errinfo info = {0};
    enum err e = sapi_subscriptions(l->w->f->shopify, &shop, l->list, &l->count, &answer, &info);
    enum read_next next = judge(l, e, &answer, &info, &l->message);

    l->listed = next == READ_GO;
    for (size_t i = 0; i < l->count; i++) {
        l->list[i].topic = arena_str(&l->w->arena, l->list[i].topic);
        l->list[i].uri = arena_str(&l->w->arena, l->list[i].uri);
    }
    shc_answer_free(&answer);
    return next;
}

/* Subscribes to topic I. */
static enum read_next subscribe(struct looking *l, size_t i, bool beside)
{
    const struct sapi_shop shop = ftc_shopify_shop(l->w);
    struct shc_answer answer = {0};
    struct errinfo info = {0};
    struct said *t = &l->topics[i];
    bool fresh = false;
    char name[64];
    enum err e = sapi_subscribe(l->w->f->shopify, &shop, shp_hooks[i].topic, l->check->url.p,
                                &fresh, &answer, &info);
    enum read_next next = judge(l, e, &answer, &info, &t->message);

    if (next == READ_GO) {
        shp_topic_name(shp_hooks[i].topic, name);
        l->list[l->count++] =
            (struct shp_subscription){arena_str(&l->w->arena, str_of(name)), l->check->url};
        t->state = fresh ? "created" : NULL;
        if (beside)
            t->message = "It was created beside the subscription to another address, which stays.";
    } else {
        t->state = next == READ_REFUSED ? "refused" : NULL;
    }
    shc_answer_free(&answer);
    return next;
}

/* One line of the log for all that was made; the next pass tells only what changes from now on. */
static void note_created(struct looking *l)
{
    struct buf names = BUF_CAP(1024), missing = BUF_CAP(1024);
    struct errinfo info = {0};

    for (size_t i = 0; i < SHP_HOOKS; i++) {
        if (l->topics[i].state && strcmp(l->topics[i].state, "created") == 0)
            buf_printf(&names, "%s%s", names.n > 0 ? ", " : "", shp_topic_text(shp_hooks[i].topic));
    }
    if (names.n > 0) {
        (void)shp_hooks_missing(l->list, l->count, STR(""), &missing);
        ftc_note(l->w, "info", "webhooks_created",
                 "The store's check subscribed to these webhooks, to be sent to %.*s: %s.",
                 STR_FMT(l->check->url), buf_z(&names));
        if (keep_told(l->w, buf_str(&missing), &info) != ERR_OK)
            log_warn("webhooks_not_told", info.text, LOG_Z("store", l->w->store->key));
    }
    buf_free(&names);
    buf_free(&missing);
}

static enum read_next create(struct looking *l)
{
    enum read_next next = READ_GO;

    for (size_t i = 0; i < SHP_HOOKS && next != READ_STOP; i++) {
        enum shp_hook_state state =
            shp_hook_state(l->list, l->count, shp_hooks[i].topic, l->check->url);

        if (state != SHP_HOOK_HERE)
            next = subscribe(l, i, state == SHP_HOOK_ELSEWHERE);
    }
    note_created(l);
    return next == READ_STOP ? next : READ_GO;
}

static void write_addresses(const struct looking *l, const char *topic, struct js_out *out)
{
    struct buf shown = BUF_CAP(2 * (size_t)LIM_HOOK_URL);
    size_t n = 0;

    jw_key(out, "addresses");
    jw_begin_array(out);
    for (size_t i = l->count; i-- > 0 && n < SHOWN_MAX;) { /* new ones first */
        if (!str_eq(l->list[i].topic, str_of(topic)))
            continue;
        buf_reset(&shown);
        shp_hook_shown(l->list[i].uri, &shown);
        jw_str(out, buf_str(&shown));
        n++;
    }
    jw_end_array(out);
    buf_free(&shown);
}

static void write_topic(const struct looking *l, size_t i, struct js_out *out)
{
    static const char *const states[] = {
        [SHP_HOOK_MISSING] = "missing",
        [SHP_HOOK_ELSEWHERE] = "elsewhere",
        [SHP_HOOK_HERE] = "subscribed",
    };
    const struct said *t = &l->topics[i];
    enum shp_hook_state state =
        shp_hook_state(l->list, l->count, shp_hooks[i].topic, l->check->url);
    char name[64];

    shp_topic_name(shp_hooks[i].topic, name);
    jw_begin_object(out);
    jw_kz(out, "topic", shp_topic_text(shp_hooks[i].topic));
    jw_kbool(out, "required", shp_hooks[i].required);
    jw_kz(out, "state", t->state ? t->state : l->listed ? states[state] : "unknown");
    write_addresses(l, name, out);
    jw_kz(out, "message", t->message);
    jw_end_object(out);
}

enum read_next ftc_webhooks_check(struct reading *w, const struct check *c, struct js_out *out)
{
    struct looking *l = arena_alloc(&w->arena, sizeof(*l));
    enum read_next next = READ_STOP;

    *l = (struct looking){.w = w, .check = c};
    if (c->shut)
        l->message = w->why;
    else
        next = list_all(l);
    if (l->listed && c->create)
        next = create(l);
    jw_kz(out, "url", c->url.n > 0 ? c->url.p : NULL);
    jw_kbool(out, "listed", l->listed);
    jw_kz(out, "message",
          !l->listed ? l->message
                     : "Webhooks made in the shop's own admin are not listed. The app's are signed "
                       "with the app's client secret.");
    jw_key(out, "topics");
    jw_begin_array(out);
    for (size_t i = 0; i < SHP_HOOKS; i++)
        write_topic(l, i, out);
    jw_end_array(out);
    return next;
}

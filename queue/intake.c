#include "queue/intake.h"

#include "service/sync/amazon.h"
#include "service/sync/shopify.h"

/* Times that settings may change while one order is being decided. */
#define SETTINGS_TRIES 3

/* ---- reading ---- */

static bool is_amazon(const char *platform)
{
    return strcmp(platform, "amazon") == 0;
}

/* The order's page in the shop: it comes out of store and id alone. */
static const char *link_of(const char *platform, const char *store, struct str id,
                           struct arena *arena)
{
    return is_amazon(platform) ? amz_order_link(id, arena)
                               : shp_order_link(str_of(store), id, arena);
}

enum err itk_read(const char *platform, const char *store, const struct js_value *root,
                  struct str body, struct str triggered_at, struct arena *arena,
                  struct itk_order *out, struct errinfo *info)
{
    static const char *const catalogue[] = {"unusable-order"};
    struct order *o = &out->order;
    struct job_event *e = &out->event;

    *out = (struct itk_order){0};
    enum err x = is_amazon(platform)
                     ? amz_read_order(root, str_of(store), arena, o, info)
                     : shp_read_order(root, str_of(store), SHP_SHOP_MONEY, arena, o, info);
    if (job_order_key(str_of(platform), str_of(store), o->id, out->key) != ERR_OK || o->id.n == 0)
        return err_set(info, ERR_MISSING, "The order has no usable id.");
    if (x != ERR_OK && !o->state.unpriced) { /* the rules let that one wait */
        out->sentence = arena_str(arena, str_of(info->text));
        out->failure = (struct job_failure){.failed_export = "Sales invoice",
                                            .exported_item = o->name,
                                            .errors = &out->sentence,
                                            .catalogue = catalogue,
                                            .error_count = 1};
        e->unusable = &out->failure;
    }
    ord_stamp(o, triggered_at, out->stamp);
    if (o->state.paid != ORD_UNPAID && !ord_day(str_of(o->updated_at), out->paid_day))
        out->paid_day[0] = '\0';
    e->order_key = out->key;
    e->part = "order";
    e->body = body;
    e->stamp = out->stamp;
    e->name = arena_printf(arena, "%.*s", STR_FMT(o->name));
    e->link = link_of(platform, store, o->id, arena);
    e->paid_day = out->paid_day;
    return ERR_OK;
}

/* ---- deciding and taking ---- */

void itk_decide(const struct set_store *s, const struct ord_state *state, struct job_event *e)
{
    e->store_key = s->key;
    e->store_version = s->version;
    e->connection = s->connection;
    e->stamp_on = s->options.rules.accounting_system_invoice;
    for (int i = 0; i < JOB_HISTORIES; i++)
        e->decision[i] = rul_decide(&s->options.rules, e->event, state, job_history(i));
}

static void write_state(struct js_out *w, const struct order *o)
{
    static const char *const paid[] = {"none", "partial", "full"};

    jw_kz(w, "updated_at", o->updated_at);
    jw_kz(w, "paid", paid[o->state.paid]);
    jw_kz(w, "fulfilment", paid[o->state.fulfilment]);
    jw_kbool(w, "cancelled", o->state.cancelled);
    jw_kbool(w, "refunded", o->state.refunded);
    jw_kbool(w, "test", o->state.test);
    jw_kbool(w, "zero_value", o->state.zero_value);
    jw_kbool(w, "nothing_left", o->state.nothing_left);
    jw_kbool(w, "money_kept", o->state.kept);
    jw_kz(w, "created_day", o->state.created_day);
    jw_kz(w, "total", mon_text(o->total).z);
    jw_kz(w, "currency", o->currency);
}

/* What the rules looked at, for the trail; nothing of the buyer. */
static void write_inputs(const struct set_store *s, const struct itk_origin *from,
                         const struct order *o, struct buf *out)
{
    struct buf object = BUF_CAP(out->cap);
    struct js_out w;

    jw_init(&w, &object);
    jw_begin_object(&w);
    jw_kz(&w, "topic", from->topic);
    jw_kstr(&w, "webhook_id", str_cut(from->webhook_id, 100));
    jw_kstr(&w, "triggered_at", str_cut(from->triggered_at, 40));
    jw_kint(&w, "settings_version", s->version);
    if (o)
        write_state(&w, o);
    jw_end_object(&w);
    if (buf_check(&object) == ERR_OK)
        buf_add(out, object.p + 1, object.n - 2);
    buf_free(&object);
}

enum err itk_take(struct rds *r, const struct set_store *s, const struct itk_origin *from,
                  const struct order *o, struct job_event *e, enum job_result *result,
                  enum cat_reason *reason, struct errinfo *info)
{
    struct buf inputs = BUF_CAP(4096);

    itk_decide(s, o ? &o->state : NULL, e);
    write_inputs(s, from, o, &inputs);
    e->inputs = buf_str(&inputs);
    enum err x = job_ingest(r, e, result, reason, info);
    e->inputs = STR("");
    buf_free(&inputs);
    return x;
}

enum err itk_ask(struct rds *r, const struct set_store *s, const struct itk_origin *from,
                 struct job_event *e, enum job_result *result, enum cat_reason *reason,
                 struct errinfo *info)
{
    struct buf inputs = BUF_CAP(4096);

    e->store_key = s->key;
    e->store_version = s->version;
    e->connection = s->connection;
    e->stamp_on = s->options.rules.accounting_system_invoice;
    write_inputs(s, from, NULL, &inputs);
    e->inputs = buf_str(&inputs);
    enum err x = job_fetch(r, e, result, reason, info);
    e->inputs = STR("");
    buf_free(&inputs);
    return x;
}

enum err itk_take_settled(struct rds *r, struct set_cache *cache, struct set_store **s,
                          const struct itk_origin *from, const struct order *o, struct job_event *e,
                          enum job_result *result, enum cat_reason *reason, struct errinfo *info)
{
    enum err x = ERR_OK;

    *result = JOB_STALE_SETTINGS;
    for (int try = 0; x == ERR_OK && try < SETTINGS_TRIES && *result == JOB_STALE_SETTINGS; try++) {
        if (try > 0) {
            struct set_store *fresh = NULL;

            x = set_store_renew(cache, r, (*s)->platform, (*s)->id, (*s)->version, &fresh, info);
            if (x == ERR_OK) {
                set_store_put(*s);
                *s = fresh;
            }
        }
        if (x == ERR_OK && (*s)->deleted)
            *result = JOB_NO_STORE;
        else if (x == ERR_OK)
            x = itk_take(r, *s, from, o, e, result, reason, info);
    }
    if (x == ERR_OK && *result == JOB_NO_STORE)
        x = err_set(info, ERR_NOT_FOUND, "The store %s was deleted.", (*s)->key);
    else if (x == ERR_OK && *result == JOB_STALE_SETTINGS)
        x = err_set(info, ERR_CONFLICT, "The store's settings are being changed.");
    return x;
}

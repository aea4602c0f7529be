#include "queue/jobs.h"

#include <pthread.h>
#include <stdio.h>

#include <zstd.h>

#include "service/base/crypto.h"
#include "service/base/json.h"
#include "service/base/metrics.h"

/* ---- keys ---- */

enum err job_order_key(struct str platform, struct str store, struct str id,
                       char out[LIM_ORDER_KEY + 1])
{
    size_t n = platform.n + store.n + id.n + 2;
    if (n > LIM_ORDER_KEY)
        return ERR_TOO_BIG;
    snprintf(out, LIM_ORDER_KEY + 1, "%.*s/%.*s/%.*s", STR_FMT(platform), STR_FMT(store),
             STR_FMT(id));
    return ERR_OK;
}

bool job_order_key_split(struct str key, struct str *platform, struct str *store, struct str *id)
{
    struct str rest = key;
    *platform = str_split(&rest, '/');
    *store = str_split(&rest, '/');
    *id = rest;
    return platform->n > 0 && store->n > 0 && rest.p && rest.n > 0 &&
           memchr(rest.p, '/', rest.n) == NULL;
}

int64_t job_now_ms(void)
{
    return met_now_ns() / 1000000;
}

const char *job_wake_key(void)
{
    return RDS_PREFIX "wake";
}

/* ---- snapshots: one byte that names the format, then the bytes ---- */

#define SNAP_RAW 'R'
#define SNAP_ZSTD 'Z'
/* Below this the frame's own bytes eat what compression saves. */
#define SNAP_MIN 200
/* Measured on the sample orders: level 1 packs a 7 KB order to 1.9 KB in 25 us, level 3 to 1.8 KB
 * in 45 us. The receiver compresses once an event, so the cheaper one. */
#define SNAP_LEVEL 1
#define SPARE_CONTEXTS 16

/* Contexts cost more to make than a compression; as many as are in use at once are kept, up to
 * SPARE_CONTEXTS. `lock` guards both. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ZSTD_CCtx *spare[SPARE_CONTEXTS];
static int spares;

static ZSTD_CCtx *take_context(void)
{
    pthread_mutex_lock(&lock);
    ZSTD_CCtx *c = spares > 0 ? spare[--spares] : NULL;
    pthread_mutex_unlock(&lock);
    return c ? c : ZSTD_createCCtx();
}

static void give_context(ZSTD_CCtx *c)
{
    pthread_mutex_lock(&lock);
    bool kept = spares < SPARE_CONTEXTS;
    if (kept)
        spare[spares++] = c;
    pthread_mutex_unlock(&lock);
    if (!kept)
        ZSTD_freeCCtx(c);
}

static enum err pack(struct str body, struct buf *out)
{
    if (body.n >= SNAP_MIN) {
        size_t room = ZSTD_compressBound(body.n);
        char *p = buf_reserve(out, room + 1);
        ZSTD_CCtx *c = take_context();
        if (!p || !c) {
            ZSTD_freeCCtx(c);
            return ERR_NOMEM;
        }
        p[0] = SNAP_ZSTD;
        size_t n = ZSTD_compressCCtx(c, p + 1, room, body.p, body.n, SNAP_LEVEL);
        give_context(c);
        if (ZSTD_isError(n))
            return ERR_INTERNAL;
        buf_added(out, n + 1);
        return ERR_OK;
    }
    buf_addc(out, SNAP_RAW);
    buf_add_str(out, body);
    return buf_check(out);
}

static enum err unpack(struct str packed, struct arena *arena, struct str *out,
                       struct errinfo *info)
{
    struct str rest = {packed.p + 1, packed.n ? packed.n - 1 : 0};
    if (packed.n > 0 && packed.p[0] == SNAP_RAW) {
        *out = arena_str(arena, rest);
        return ERR_OK;
    }
    if (packed.n == 0 || packed.p[0] != SNAP_ZSTD)
        return err_set(info, ERR_SYNTAX,
                       "A stored snapshot has a format this version cannot read.");
    unsigned long long size = ZSTD_getFrameContentSize(rest.p, rest.n);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > (64u << 20))
        return err_set(info, ERR_SYNTAX, "A stored snapshot is damaged.");
    char *p = arena_alloc(arena, (size_t)size + 1);
    size_t n = ZSTD_decompress(p, (size_t)size, rest.p, rest.n);
    if (ZSTD_isError(n) || n != size)
        return err_set(info, ERR_SYNTAX, "A stored snapshot is damaged.");
    *out = (struct str){p, n};
    return ERR_OK;
}

/* ---- failures ---- */

/* What the failed list keeps of one message, and of all: Xero's longest sentences are under 400
 * bytes, an order of 50 lines can have one each. */
#define ERROR_MAX 2000
#define ROW_CAP (16u << 10)

/* JSON members of a failed row, without braces: the script adds attempts and times. */
static enum err failure_members(const struct job_failure *f, struct buf *out)
{
    struct buf object = BUF_CAP(out->cap);
    struct js_out w;
    jw_init(&w, &object);
    jw_begin_object(&w);
    jw_kz(&w, "failed_export", f->failed_export);
    jw_kstr(&w, "exported_item", f->exported_item);
    jw_key(&w, "export_error");
    jw_begin_array(&w);
    for (size_t i = 0; i < f->error_count; i++)
        jw_str(&w, str_cut(f->errors[i], ERROR_MAX));
    jw_end_array(&w);
    jw_key(&w, "catalogue");
    jw_begin_array(&w);
    for (size_t i = 0; i < f->error_count; i++)
        jw_z(&w, f->catalogue[i]);
    jw_end_array(&w);
    if (f->correlation.n > 0)
        jw_kstr(&w, "correlation_id", f->correlation);
    jw_end_object(&w);
    enum err e = buf_check(&object);
    if (e == ERR_OK)
        buf_add(out, object.p + 1, object.n - 2);
    buf_free(&object);
    return e != ERR_OK ? e : buf_check(out);
}

/* The row's members, or "" for NULL; in ARENA. */
static struct str failure_text(const struct job_failure *f, struct arena *arena)
{
    if (!f)
        return STR("");
    struct buf row = BUF_CAP(ROW_CAP);
    struct str out =
        STR("\"failed_export\":\"Sales invoice\",\"exported_item\":\"\",\"export_error\":"
            "[\"The answer is too long to show.\"],\"catalogue\":[\"unknown\"]");
    if (failure_members(f, &row) == ERR_OK)
        out = arena_str(arena, buf_str(&row));
    buf_free(&row);
    return out;
}

/* ---- ingest ---- */

static const char *const result_texts[] = {"queued",      "skipped",  "held", "duplicate",
                                           "stale_event", "unusable", "kept", "stale_settings",
                                           "no_store",    "ignored"};
_Static_assert(sizeof result_texts / sizeof result_texts[0] == JOB_IGNORED + 1, "a text a result");

const char *job_result_text(enum job_result r)
{
    return result_texts[r];
}

static bool find_result(struct str text, enum job_result *out)
{
    for (size_t i = 0; i < sizeof result_texts / sizeof result_texts[0]; i++) {
        if (str_eq(text, str_of(result_texts[i]))) {
            *out = (enum job_result)i;
            return true;
        }
    }
    return false;
}

static enum err read_result(const struct rds_reply *reply, enum job_result *result,
                            enum cat_reason *reason, struct errinfo *info)
{
    struct str word = rds_text(rds_at(reply, 0));
    if (str_eq(word, STR("full")))
        return err_set(info, ERR_REDIS_FULL,
                       "Redis is over 90 %% full; orders are taken again when "
                       "some of those that wait have been exported.");
    if (!find_result(word, result))
        return err_set(info, ERR_INTERNAL, "The script answered \"%.*s\".", STR_FMT(word));
    *reason = cat_reason_find(rds_text(rds_at(reply, 1)));
    return ERR_OK;
}

struct rul_history job_history(int i)
{
    return (struct rul_history){.in_xero = i >= 2, .stamp = i % 2 == 1};
}

/* A letter and the reason's code, as ingest.lua reads it. */
static void add_decision(struct rds_args *a, struct rul_decision d)
{
    char letter = d.export_it ? (d.lines ? 'E' : 'M') : (d.withdraw ? 'W' : 'S');
    rds_argz(a, arena_printf(a->arena, "%c%s", letter, cat_reason_code(d.reason)));
}

/* Eight bytes that stand for DELIVERY; "" for none. */
static void add_delivery(struct rds_args *a, struct str delivery)
{
    uint8_t hash[CRY_HASH];
    cry_sha256(delivery, hash);
    rds_arg(a, arena_str(a->arena, (struct str){(const char *)hash, delivery.n > 0 ? 8 : 0}));
}

static void add_event(struct rds_args *a, const struct job_event *e, struct str packed)
{
    rds_argz(a, e->order_key);
    rds_argz(a, e->store_key);
    rds_argi(a, e->store_version);
    rds_argz(a, e->connection);
    add_delivery(a, e->delivery);
    rds_argz(a, rul_event_text(e->event));
    rds_argz(a, e->stamp);
    rds_argz(a, e->part);
    rds_arg(a, packed);
    rds_argz(a, e->stamp_on ? "1" : "0");
    for (int i = 0; i < JOB_HISTORIES; i++)
        add_decision(a, e->decision[i]);
    rds_argz(a, e->name);
    rds_argz(a, e->link);
    rds_argz(a, e->paid_day);
    rds_arg(a, e->inputs);
    rds_arg(a, failure_text(e->unusable, a->arena));
    rds_argz(a, e->unusable && e->unusable->error_count ? e->unusable->catalogue[0] : "");
    rds_argz(a, e->later ? "1" : "0");
    rds_argz(a, e->fuller ? "1" : "0");
}

enum err job_ingest(struct rds *r, const struct job_event *e, enum job_result *result,
                    enum cat_reason *reason, struct errinfo *info)
{
    struct arena arena = {0};
    struct buf packed = BUF_CAP(ZSTD_COMPRESSBOUND((size_t)LIM_BODIES_BYTES) + 1);
    struct rds_reply *reply = NULL;
    struct rds_args a;
    enum err x = e->part[0] ? pack(e->body, &packed) : ERR_OK;
    if (x != ERR_OK) {
        err_set(info, x, "The order could not be packed: %s.", err_text(x));
        goto out;
    }
    rds_args_init(&a, &arena);
    add_event(&a, e, buf_str(&packed));
    x = rds_script(r, "ingest", a.v, a.n, &reply, info);
    if (x == ERR_OK)
        x = read_result(reply, result, reason, info);
out:
    rds_free(reply);
    buf_free(&packed);
    arena_free(&arena);
    return x;
}

enum err job_fetch(struct rds *r, const struct job_event *e, enum job_result *result,
                   enum cat_reason *reason, struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;

    rds_args_init(&a, &arena);
    rds_argz(&a, e->order_key);
    rds_argz(&a, e->store_key);
    rds_argi(&a, e->store_version);
    rds_argz(&a, e->connection);
    add_delivery(&a, e->delivery);
    rds_argz(&a, rul_event_text(e->event));
    rds_argz(&a, e->stamp_on ? "1" : "0");
    rds_argz(&a, e->name);
    rds_argz(&a, e->link);
    rds_arg(&a, e->inputs);
    rds_argz(&a, e->state ? e->state : "");
    enum err x = rds_script(r, "fetch_add", a.v, a.n, &reply, info);
    if (x == ERR_OK)
        x = read_result(reply, result, reason, info);
    rds_free(reply);
    arena_free(&arena);
    return x;
}

enum err job_delete(struct rds *r, const struct job_event *e, enum job_result *result,
                    enum cat_reason *reason, struct errinfo *info)
{
    struct str sentence = STR("The order was deleted in the shop."), platform, store;
    struct job_failure row = {.failed_export = "Sales invoice",
                              .errors = &sentence,
                              .catalogue = (const char *const[]){"deleted-in-shop"},
                              .error_count = 1};
    struct arena arena = {0};
    struct rds_reply *name = NULL, *reply = NULL;
    struct rds_args a;
    struct str key = str_of(arena_printf(&arena, RDS_PREFIX "order:%s", e->order_key));
    enum err x = rds_call(r, (struct str[]){STR("HGET"), key, STR("name")}, 3, &name, info);
    if (x != ERR_OK)
        goto out;
    row.exported_item = rds_text(name);
    if (row.exported_item.n == 0 &&
        !job_order_key_split(str_of(e->order_key), &platform, &store, &row.exported_item))
        row.exported_item = str_of(e->order_key);
    rds_args_init(&a, &arena);
    rds_argz(&a, e->order_key);
    rds_argz(&a, e->store_key);
    rds_argi(&a, e->store_version);
    add_delivery(&a, e->delivery);
    rds_arg(&a, failure_text(&row, &arena));
    rds_argz(&a, row.catalogue[0]);
    x = rds_script(r, "delete", a.v, a.n, &reply, info);
    if (x == ERR_OK && str_eq(rds_text(rds_at(reply, 0)), STR("leased")))
        x = err_set(info, ERR_CONFLICT, "The order is being exported at this moment.");
    else if (x == ERR_OK)
        x = read_result(reply, result, reason, info);
out:
    rds_free(name);
    rds_free(reply);
    arena_free(&arena);
    return x;
}

/* ---- redact ---- */

#define REDACT_TRIES 5

/* Each part of the snapshot as it is and as it is to be, for the script. */
static enum err add_redacted(struct rds_args *a, const struct rds_reply *snap, job_redact_fn *fn,
                             struct errinfo *info)
{
    for (size_t i = 0; i + 1 < rds_len(snap); i += 2) {
        struct buf clean = BUF_CAP(LIM_JSON_BYTES);
        struct buf packed = BUF_CAP(ZSTD_COMPRESSBOUND((size_t)LIM_JSON_BYTES) + 1);
        struct str body = {NULL, 0};
        enum err e = unpack(rds_text(rds_at(snap, i + 1)), a->arena, &body, info);
        bool kept = e == ERR_OK && fn(body, &clean) && buf_check(&clean) == ERR_OK;
        e = kept ? pack(buf_str(&clean), &packed) : ERR_OK;
        rds_arg(a, rds_text(rds_at(snap, i)));
        rds_arg(a, rds_text(rds_at(snap, i + 1)));
        rds_arg(a, kept ? arena_str(a->arena, buf_str(&packed)) : STR(""));
        buf_free(&packed);
        buf_free_secret(&clean);
        if (e != ERR_OK)
            return err_set(info, e, "The order could not be packed: %s.", err_text(e));
    }
    return ERR_OK;
}

enum err job_redact(struct rds *r, const char *order_key, job_redact_fn *fn, struct errinfo *info)
{
    bool again = true;
    enum err e = ERR_OK;
    for (int try = 0; try < REDACT_TRIES && again && e == ERR_OK; try++) {
        struct arena arena = {0};
        struct rds_reply *snap = NULL, *reply = NULL;
        struct rds_args a;
        struct str key = str_of(arena_printf(&arena, RDS_PREFIX "snap:%s", order_key));
        rds_args_init(&a, &arena);
        rds_argz(&a, order_key);
        rds_argz(&a, "Erased at the buyer's request.");
        e = rds_call(r, (struct str[]){STR("HGETALL"), key}, 2, &snap, info);
        if (e == ERR_OK)
            e = add_redacted(&a, snap, fn, info);
        if (e == ERR_OK)
            e = rds_script(r, "redact", a.v, a.n, &reply, info);
        if (e == ERR_OK && str_eq(rds_text(reply), STR("leased")))
            e = err_set(info, ERR_CONFLICT, "The order is being exported at this moment.");
        again = e == ERR_OK && str_eq(rds_text(reply), STR("moved"));
        rds_free(snap);
        rds_free(reply);
        arena_free_secret(&arena);
    }
    return again ? err_set(info, ERR_CONFLICT, "The order is being changed.") : e;
}

/* ---- lease ---- */

static struct str copy_text(struct arena *arena, const struct rds_reply *v)
{
    return arena_str(arena, rds_text(v));
}

static enum err read_parts(const struct rds_reply *snap, struct job_order *o, struct arena *arena,
                           struct errinfo *info)
{
    o->part_count = rds_len(snap) / 2;
    o->parts = arena_array(arena, o->part_count, sizeof *o->parts);
    for (size_t i = 0; i < o->part_count; i++) {
        o->parts[i].name = copy_text(arena, rds_at(snap, 2 * i));
        enum err e = unpack(rds_text(rds_at(snap, 2 * i + 1)), arena, &o->parts[i].body, info);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static void read_record(const struct rds_reply *record, struct job_order *o, struct arena *arena)
{
    struct str attempts = rds_field(record, "att");
    if (!str_int64(attempts, &o->attempts))
        o->attempts = 0;
    o->name = arena_str(arena, rds_field(record, "name"));
    o->link = arena_str(arena, rds_field(record, "link"));
    o->paid_day = arena_str(arena, rds_field(record, "paid"));
    o->lines = str_eq(rds_field(record, "lines"), STR("1"));
    o->byhand = str_eq(rds_field(record, "byhand"), STR("1"));
    o->again = str_eq(rds_field(record, "again"), STR("1"));
    o->doubt = str_eq(rds_field(record, "doubt"), STR("1"));
    o->alone = str_eq(rds_field(record, "sus"), STR("1"));
    o->docs = arena_array(arena, rds_len(record) / 2 + 1, sizeof *o->docs);
    for (size_t i = 0; i + 1 < rds_len(record); i += 2) {
        struct str name = rds_text(rds_at(record, i));
        if (!str_starts(name, STR("doc:")))
            continue;
        struct job_part *doc = &o->docs[o->doc_count++];
        doc->name = arena_str(arena, (struct str){name.p + 4, name.n - 4});
        doc->body = copy_text(arena, rds_at(record, i + 1));
    }
}

/* Loads records and snapshots of all leased orders in one round trip. An order whose snapshot
 * cannot be read keeps no parts: the exporter fails it with a sentence. */
static enum err load_orders(struct rds *r, struct job_lease *l, struct errinfo *info)
{
    size_t n = l->count * 2;
    struct rds_command *commands = arena_array(&l->arena, n, sizeof *commands);
    struct rds_reply **replies = arena_array(&l->arena, n, sizeof *replies);
    for (size_t i = 0; i < l->count; i++) {
        struct str key = l->orders[i].key;
        for (int k = 0; k < 2; k++) {
            struct str *argv = arena_array(&l->arena, 2, sizeof *argv);
            argv[0] = STR("HGETALL");
            argv[1] = str_of(
                arena_printf(&l->arena, RDS_PREFIX "%s%.*s", k ? "snap:" : "order:", STR_FMT(key)));
            commands[2 * i + (size_t)k] = (struct rds_command){argv, 2};
        }
    }
    enum err e = n ? rds_pipeline(r, commands, n, replies, info) : ERR_OK;
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < l->count; i++) {
        struct errinfo why = {0};
        read_record(replies[2 * i], &l->orders[i], &l->arena);
        if (read_parts(replies[2 * i + 1], &l->orders[i], &l->arena, &why) != ERR_OK)
            l->orders[i].part_count = 0;
    }
    for (size_t i = 0; i < n; i++)
        rds_free(replies[i]);
    return ERR_OK;
}

/* Head of lease.lua's answer: poisoned orders, connection, settling, then the request; orders
 * follow. */
#define LEASE_HEAD 9

static void read_lease(const struct rds_reply *v, struct job_lease *l)
{
    struct str connection = rds_text(rds_at(v, 1));
    snprintf(l->connection, sizeof l->connection, "%.*s", STR_FMT(connection));
    l->settling = rds_int(rds_at(v, 2)) == 1;
    l->req_kind = copy_text(&l->arena, rds_at(v, 3));
    l->req_bytes = copy_text(&l->arena, rds_at(v, 4));
    l->req_key = copy_text(&l->arena, rds_at(v, 5));
    l->req_meta = copy_text(&l->arena, rds_at(v, 6));
    l->req_age_ms = rds_int(rds_at(v, 7));
    l->req_look_up = rds_int(rds_at(v, 8)) == 1;
    l->count = (rds_len(v) - LEASE_HEAD) / 2;
    l->orders = arena_array(&l->arena, l->count, sizeof *l->orders);
    for (size_t i = 0; i < l->count; i++) {
        l->orders[i].key = copy_text(&l->arena, rds_at(v, LEASE_HEAD + 2 * i));
        l->orders[i].rev = rds_int(rds_at(v, LEASE_HEAD + 2 * i + 1));
    }
}

enum err job_lease(struct rds *r, int64_t lease_ms, int max, struct job_lease *out,
                   int64_t *wait_ms, struct errinfo *info)
{
    *out = (struct job_lease){0};
    cry_uuid(out->token);
    struct rds_args a;
    struct rds_reply *reply = NULL;
    rds_args_init(&a, &out->arena);
    rds_argz(&a, out->token);
    rds_argi(&a, lease_ms);
    rds_argi(&a, max);
    out->until_ms = job_now_ms() + lease_ms;
    enum err e = rds_script(r, "lease", a.v, a.n, &reply, info);
    if (e != ERR_OK)
        goto out;
    met_add(MET_POISON, rds_int(rds_at(reply, 0)), NULL, NULL, NULL);
    if (rds_len(reply) < LEASE_HEAD) {
        int64_t wait = rds_int(rds_at(reply, 2));
        *wait_ms = wait < 5000 ? wait : 5000;
        e = ERR_NOT_FOUND;
        goto out;
    }
    read_lease(reply, out);
    met_add(MET_LEASES, 1, out->settling ? "settling" : "fresh", NULL, NULL);
    e = load_orders(r, out, info);
out:
    rds_free(reply);
    if (e != ERR_OK)
        job_lease_free(out);
    return e;
}

void job_lease_free(struct job_lease *l)
{
    arena_free(&l->arena);
    *l = (struct job_lease){0};
}

/* ---- permit and complete ---- */

static void add_updates(struct rds_args *a, const struct job_update *updates, size_t n)
{
    rds_argi(a, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        rds_arg(a, updates[i].order);
        rds_arg(a, updates[i].field);
        rds_argz(a, updates[i].value.p ? "S" : "D");
        rds_arg(a, updates[i].value);
    }
}

enum err job_permit(struct rds *r, struct job_lease *l, int64_t lease_ms,
                    const struct job_update *updates, size_t n, bool answered, int64_t day_left,
                    const struct job_call *call, enum job_permit *permit, int64_t *wait_ms,
                    struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;
    rds_args_init(&a, &arena);
    rds_argz(&a, l->connection);
    rds_argz(&a, l->token);
    rds_argi(&a, lease_ms);
    rds_argz(&a, answered ? "1" : "0");
    rds_argi(&a, day_left);
    rds_argz(&a, call ? "1" : "0");
    rds_argz(&a, call ? call->kind : "");
    rds_arg(&a, call ? call->bytes : STR(""));
    rds_arg(&a, call ? call->key : STR(""));
    rds_arg(&a, call ? call->meta : STR(""));
    add_updates(&a, updates, n);
    int64_t until = job_now_ms() + lease_ms;
    enum err e = rds_script(r, "permit", a.v, a.n, &reply, info);
    struct str word = rds_text(rds_at(reply, 0));
    if (e != ERR_OK) {
        *permit = JOB_LOST;
    } else if (str_eq(word, STR("go"))) {
        *permit = JOB_GO;
        if (call)
            l->until_ms = until;
    } else if (str_eq(word, STR("wait"))) {
        *permit = JOB_WAIT;
        *wait_ms = rds_int(rds_at(reply, 1));
    } else {
        *permit = str_eq(word, STR("paused")) ? JOB_PAUSED : JOB_LOST;
    }
    rds_free(reply);
    arena_free(&arena);
    return e;
}

static void add_reports(struct rds_args *a, const struct job_report *reports, size_t count)
{
    static const char *const outcomes[] = {"done", "retry", "again", "failed"};
    rds_argi(a, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct job_report *p = &reports[i];
        rds_arg(a, p->order);
        rds_argz(a, outcomes[p->outcome]);
        rds_argi(a, p->delay_ms);
        rds_arg(a, failure_text(p->failure, a->arena));
        rds_argz(a, p->failure && p->failure->error_count ? p->failure->catalogue[0] : "");
        rds_arg(a, p->summary);
        rds_argz(a, p->synced.n > 0 ? "1" : "0");
        rds_argz(a, p->settled_lines ? "1" : "0");
        rds_arg(a, p->wanted_hash);
    }
}

static void count_reports(const struct job_report *reports, size_t count)
{
    static const char *const results[] = {"done", "retry", "again", "failed"};
    for (size_t i = 0; i < count; i++)
        met_add(MET_EXPORTS, 1, results[reports[i].outcome], NULL, NULL);
}

enum err job_complete(struct rds *r, struct job_lease *l, const struct job_update *updates,
                      size_t n, const struct job_report *reports, size_t count, int64_t day_left,
                      int64_t hold_ms, const char *hold_why, int64_t *fenced, struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;
    rds_args_init(&a, &arena);
    rds_argz(&a, l->connection);
    rds_argz(&a, l->token);
    rds_argi(&a, hold_ms);
    rds_argz(&a, hold_why ? hold_why : "");
    rds_argi(&a, day_left);
    add_updates(&a, updates, n);
    add_reports(&a, reports, count);
    enum err e = rds_script(r, "complete", a.v, a.n, &reply, info);
    if (e == ERR_OK) {
        *fenced = rds_int(reply);
        met_add(MET_FENCED, *fenced, NULL, NULL, NULL);
        count_reports(reports, count);
    }
    rds_free(reply);
    arena_free(&arena);
    return e;
}

/* ---- by hand ---- */

static enum err refuse_state(const char *connection, struct str status, struct errinfo *info)
{
    if (str_eq(status, STR("none")))
        return err_set(info, ERR_NOT_FOUND, "There is no connection \"%s\".", connection);
    if (str_eq(status, STR("paused")))
        return err_set(info, ERR_CONFLICT,
                       "The connection \"%s\" is paused. Resume it, then export again.",
                       connection);
    if (str_eq(status, STR("disconnected")))
        return err_set(
            info, ERR_CONFLICT,
            "The Xero connection \"%s\" has been dropped. Reconnect it, then export again.",
            connection);
    return err_set(info, ERR_CONFLICT, "Xero was uninstalled from the connection \"%s\".",
                   connection);
}

static void add_keys(struct rds_args *a, const char *connection, const char *who,
                     const struct str *keys, size_t n)
{
    rds_argz(a, connection);
    rds_argz(a, who);
    for (size_t i = 0; i < n; i++)
        rds_arg(a, keys[i]);
}

enum err job_resync(struct rds *r, const char *connection, const struct str *keys, size_t n,
                    const char *who, int64_t *moved, struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;
    rds_args_init(&a, &arena);
    add_keys(&a, connection, who, keys, n);
    enum err e = rds_script(r, "resync", a.v, a.n, &reply, info);
    if (e == ERR_OK) {
        struct str status = rds_text(rds_at(reply, 0));
        *moved = rds_int(rds_at(reply, 1));
        if (!str_eq(status, STR("ok")))
            e = refuse_state(connection, status, info);
    }
    rds_free(reply);
    arena_free(&arena);
    return e;
}

enum err job_dismiss(struct rds *r, const char *connection, const struct str *keys, size_t n,
                     const char *who, int64_t *moved, struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;
    rds_args_init(&a, &arena);
    add_keys(&a, connection, who, keys, n);
    enum err e = rds_script(r, "dismiss", a.v, a.n, &reply, info);
    if (e == ERR_OK)
        *moved = rds_int(reply);
    rds_free(reply);
    arena_free(&arena);
    return e;
}

static enum err refuse_export(struct str word, struct errinfo *info)
{
    if (str_eq(word, STR("unknown")))
        return err_set(info, ERR_NOT_FOUND,
                       "No message about this order has ever arrived. Check its number; then save "
                       "the order once in the shop, so that it is sent, and export it again.");
    if (str_eq(word, STR("gone")))
        return err_set(info, ERR_NOT_FOUND,
                       "The order's data is no longer stored. Save the order once in the shop, so "
                       "that it is sent again; then export it.");
    return err_set(info, ERR_NOT_FOUND,
                   "The order's store was removed. Set the store up again, then export the order.");
}

enum err job_export(struct rds *r, const char *order_key, bool again, const char *who,
                    char connection[LIM_CONN_NAME + 1], struct errinfo *info)
{
    struct str key = str_of(order_key), platform, store, id;
    struct rds_reply *reply = NULL;

    if (!job_order_key_split(key, &platform, &store, &id))
        return refuse_export(STR("unknown"), info);
    struct str store_key = {key.p, key.n - id.n - 1};
    struct str argv[] = {key, store_key, str_of(who), again ? STR("1") : STR("0")};
    enum err e = rds_script(r, "export", argv, 4, &reply, info);
    struct str word = rds_text(rds_at(reply, 0));
    snprintf(connection, LIM_CONN_NAME + 1, "%.*s", STR_FMT(rds_text(rds_at(reply, 1))));
    if (e == ERR_OK && str_eq(word, STR("leased")))
        e = err_set(info, ERR_EXISTS,
                    "The order is being exported at this moment. Look again in a few seconds.");
    else if (e == ERR_OK && connection[0] && !str_eq(word, STR("ok")))
        e = refuse_state(connection, word, info);
    else if (e == ERR_OK && !connection[0])
        e = refuse_export(word, info);
    rds_free(reply);
    return e;
}

static enum err set_state(struct rds *r, const char *connection, const char *to, const char *who,
                          struct errinfo *info)
{
    struct str argv[] = {str_of(connection), str_of(to), str_of(who)};
    struct rds_reply *reply = NULL;
    enum err e = rds_script(r, "conn_state", argv, 3, &reply, info);
    if (e == ERR_OK && !str_eq(rds_text(rds_at(reply, 0)), STR("ok"))) {
        bool none = str_eq(rds_text(rds_at(reply, 0)), STR("none"));
        e = refuse_state(connection, none ? STR("none") : rds_text(rds_at(reply, 1)), info);
    }
    rds_free(reply);
    return e;
}

enum err job_pause(struct rds *r, const char *connection, const char *who, struct errinfo *info)
{
    return set_state(r, connection, "paused", who, info);
}

enum err job_resume(struct rds *r, const char *connection, const char *who, struct errinfo *info)
{
    return set_state(r, connection, "active", who, info);
}

/* Nobody else sweeps for this long. */
#define SWEEP_MS 10000
#define DAY_MS 86400000LL

enum err job_sweep(struct rds *r, const struct job_upkeep *u, bool *did, int64_t *repairs,
                   struct errinfo *info)
{
    struct arena arena = {0};
    struct rds_reply *reply = NULL;
    struct rds_args a;
    rds_args_init(&a, &arena);
    rds_argi(&a, SWEEP_MS);
    rds_argi(&a, u->retention_days * DAY_MS);
    rds_argi(&a, u->log_days * DAY_MS);
    rds_argi(&a, u->day_reserve);
    rds_argi(&a, u->linger_max_s * 1000);
    enum err e = rds_script(r, "sweep", a.v, a.n, &reply, info);
    if (e == ERR_OK) {
        *did = rds_int(rds_at(reply, 0)) == 1;
        *repairs = rds_int(rds_at(reply, 1));
        met_add(MET_REPAIRS, *repairs, NULL, NULL, NULL);
    }
    rds_free(reply);
    arena_free(&arena);
    return e;
}

#include "queue/views_parts.h"

#include "queue/fetch.h"
#include "service/base/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX 65536

/* Orders of one name that are read of one store. */
#define SAME_NAME "100"

/* What is known of one order. */
struct told {
    struct str key, connection;
    const struct rds_reply *record; /* HGETALL; empty: never received */
    const struct rds_reply *failrow, *score;
    struct view_conn conn;
    struct fet_where shop; /* whether it is to be read from its shop */
};

/* Where it stands, in words. */
struct standing {
    const char *status, *reason, *sentence, *action;
};

/* ---- where an order stands ---- */

static void by_reason(struct standing *s, struct str code, struct arena *arena)
{
    enum cat_reason r = cat_reason_find(code);

    s->reason = arena_printf(arena, "%.*s", STR_FMT(code));
    s->sentence = cat_reason_sentence(r);
    s->action = cat_reason_action(r);
}

/* All messages of the failed row in one sentence, and what to do about each, said once. */
static void by_failure(struct standing *s, struct str row, struct arena *arena)
{
    struct js_doc doc = {0};
    struct str text = {NULL, 0};
    const struct cat_row *cause = cat_row_by_id("unknown");

    by_reason(s, STR(""), arena);
    if (js_parse(row, ROW_MAX, &doc, NULL) != ERR_OK) {
        s->reason = cause->id;
        s->sentence = cause->cause;
        s->action = cause->action;
        return;
    }
    const struct js_value *errors = js_get(doc.root, "export_error");
    const struct js_value *ids = js_get(doc.root, "catalogue");
    for (size_t i = 0; i < js_len(errors); i++)
        if (js_string(js_at(errors, i), &text))
            s->sentence = arena_printf(arena, "%s%s%.*s", s->sentence, s->sentence[0] ? " " : "",
                                       STR_FMT(text));
    for (size_t i = 0; i < js_len(ids); i++) {
        if (!js_string(js_at(ids, i), &text))
            continue;
        cause = cat_row_by_id(arena_printf(arena, "%.*s", STR_FMT(text)));
        if (!s->reason[0])
            s->reason = cause->id;
        if (!strstr(s->action, cause->action))
            s->action =
                arena_printf(arena, "%s%s%s", s->action, s->action[0] ? " " : "", cause->action);
    }
    js_free(&doc);
}

static const char *again_at(int64_t at_ms, struct arena *arena)
{
    struct buf json = BUF_CAP(100);
    struct js_out w;
    const char *out = NULL;

    jw_init(&w, &json); /* {"t":"2026-11-01T10:00:00Z"} */
    jw_begin_object(&w);
    view_time(&w, "t", at_ms);
    jw_end_object(&w);
    out = arena_printf(arena, "Nothing to do: it is tried again at %.20s.", buf_z(&json) + 6);
    buf_free(&json);
    return out;
}

static void waiting(struct standing *s, const struct told *t, struct arena *arena)
{
    int64_t due = rds_int(t->score);
    struct view_hold hold;

    if (view_held(&t->conn, arena, &hold) &&
        !(hold.not_by_hand && rds_field(t->record, "byhand").n > 0)) {
        *s = (struct standing){"held", hold.id, hold.sentence, hold.action};
        return;
    }
    s->status = "waiting";
    s->action =
        due > t->conn.now_ms ? again_at(due, arena) : "Nothing to do: it is exported in its turn.";
}

/* Nothing is known of it, or only that it changed: it is to be read from its shop first. */
static void to_be_read(struct standing *s, const struct told *t, struct arena *arena)
{
    int64_t now_ms = t->conn.now_ms;
    struct view_hold hold;

    by_reason(s, str_of(cat_reason_code(CAT_FETCH)), arena);
    s->status = "waiting";
    if (t->shop.place == FET_READING)
        s->action = "Nothing to do: it is being read at this moment.";
    else if (view_shop_held(t->shop.not_before_ms, t->shop.why, now_ms, arena, &hold))
        *s = (struct standing){"held", hold.id, hold.sentence, hold.action};
    else if (t->shop.due_ms > now_ms)
        s->action = again_at(t->shop.due_ms, arena);
}

/* It was to be read, and stands on no lane. */
static void not_read(struct standing *s, const struct told *t, struct arena *arena)
{
    bool uninstalled = str_eq(t->conn.status, STR("uninstalled"));

    s->status = "waiting"; /* it is on its way from one to the other */
    if (t->shop.place == FET_NO_STORE || uninstalled) {
        by_reason(s,
                  str_of(cat_reason_code(uninstalled ? CAT_XERO_UNINSTALLED : CAT_STORE_DELETED)),
                  arena);
        s->status = "skipped";
    }
}

/* It stands somewhere, and is to be read once more besides. */
static void read_again(struct standing *s, const struct told *t, struct arena *arena)
{
    const char *gap = s->sentence[0] ? " " : "";
    struct view_hold hold;

    if (t->shop.place != FET_READING &&
        view_shop_held(t->shop.not_before_ms, t->shop.why, t->conn.now_ms, arena, &hold)) {
        s->sentence = arena_printf(arena,
                                   "%s%sIt is to be read from the shop again, and the shop's "
                                   "orders are held: %s",
                                   s->sentence, gap, hold.sentence);
        s->action = arena_printf(arena, "%s%s%s", s->action, s->action[0] ? " " : "", hold.action);
    } else {
        s->sentence =
            arena_printf(arena, "%s%sIt is to be read from the shop again.", s->sentence, gap);
    }
}

static struct standing standing_of(const struct told *t, struct arena *arena)
{
    struct str st = rds_field(t->record, "st");
    bool in_xero = rds_field(t->record, "inx").n > 0;
    struct standing s = {0};

    by_reason(&s, rds_field(t->record, "reason"), arena);
    if (rds_len(t->record) == 0) {
        by_reason(&s, STR("never_received"), arena);
        s.status = "never_received";
    } else if (str_eq(st, STR("waiting"))) {
        waiting(&s, t, arena);
    } else if (str_eq(st, STR("leased"))) {
        s.status = "exporting";
        s.action = "Nothing to do: it is being exported at this moment.";
    } else if (str_eq(st, STR("failed"))) {
        by_failure(&s, rds_text(t->failrow), arena);
        s.status = "failed";
    } else if (str_eq(st, STR("dismissed"))) {
        by_reason(&s, STR("dismissed"), arena);
        s.status = in_xero ? "exported" : "skipped";
    } else if (in_xero) {
        s.status = "exported";
    } else {
        if (str_eq(st, STR("done"))) /* the worker found nothing to make */
            by_reason(&s, STR("nothing_to_export"), arena);
        s.status = "skipped";
    }
    return s;
}

static struct standing standing(const struct told *t, struct arena *arena)
{
    struct standing s = standing_of(t, arena);
    bool on_lane = t->shop.place >= FET_READING, unread = false;

    struct str status = str_of(s.status);
    bool fetch = str_eq(str_of(s.reason), str_of(cat_reason_code(CAT_FETCH)));

    unread = str_eq(status, STR("never_received")) || (str_eq(status, STR("skipped")) && fetch);
    if (on_lane && unread)
        to_be_read(&s, t, arena);
    else if (on_lane)
        read_again(&s, t, arena);
    else if (unread && rds_len(t->record) > 0)
        not_read(&s, t, arena);
    return s;
}

/* ---- showing ---- */

static struct str member(const struct js_doc *doc, const char *key)
{
    struct str s = {NULL, 0};

    return js_text(js_get(doc->root, key), &s) ? s : (struct str){NULL, 0};
}

/* What a field of the record stands for, in the order in which they are shown. */
enum shown { SHOW_SALE, SHOW_INVOICE, SHOW_NOTE, SHOW_PAYMENT, SHOW_ALLOCATION, SHOW_NOTHING };

static enum shown shown_as(struct str field)
{
    if (str_eq(field, STR("doc:invoice")))
        return SHOW_SALE;
    if (str_starts(field, STR("doc:A")))
        return SHOW_INVOICE;
    if (str_starts(field, STR("doc:C")) || str_starts(field, STR("doc:R")))
        return SHOW_NOTE;
    if (str_starts(field, STR("doc:pay:")))
        return SHOW_PAYMENT;
    return str_starts(field, STR("doc:alloc:")) ? SHOW_ALLOCATION : SHOW_NOTHING;
}

/* A document of the record; one without an id is not known to be in Xero. */
static void write_document(struct js_out *w, enum shown as, struct str json, struct arena *arena)
{
    static const char *const types[] = {"invoice", "invoice", "credit_note", "payment",
                                        "allocation"};
    struct js_doc doc = {0};
    struct str id;

    if (js_parse(json, LIM_API_BODY, &doc, NULL) != ERR_OK)
        return;
    id = member(&doc, "id");
    if (id.n > 0) {
        const char *link = as == SHOW_NOTE     ? view_note_link(id, arena)
                           : as < SHOW_PAYMENT ? view_invoice_link(id, arena)
                                               : NULL;

        jw_begin_object(w);
        jw_kz(w, "type", types[as]);
        view_text(w, "number", member(&doc, "number"));
        jw_kstr(w, "id", id);
        jw_kz(w, "link", link);
        view_text(w, "total", member(&doc, as < SHOW_PAYMENT ? "total" : "amount"));
        jw_end_object(w);
    }
    js_free(&doc);
}

static void write_documents(struct js_out *w, const struct rds_reply *record, struct arena *arena)
{
    jw_key(w, "documents");
    jw_begin_array(w);
    for (int pass = SHOW_SALE; pass < SHOW_NOTHING; pass++) {
        for (size_t i = 0; i + 1 < rds_len(record); i += 2) {
            enum shown as = shown_as(rds_text(rds_at(record, i)));

            if ((int)as == pass)
                write_document(w, as, rds_text(rds_at(record, i + 1)), arena);
        }
    }
    jw_end_array(w);
}

static bool write_member(struct str key, const struct js_value *v, void *w)
{
    struct str code = {NULL, 0}, text = {NULL, 0};
    struct arena arena = {0};

    if (str_eq(key, STR("t")))
        return true;
    jw_key_str(w, key);
    if (str_eq(key, STR("message")) && js_string(v, &text))
        jw_str(w, view_without_mail(text, &arena));
    else
        jw_value(w, v);
    arena_free(&arena);
    if (str_eq(key, STR("reason")) && js_string(v, &code) &&
        cat_reason_find(code) != CAT_REASON_COUNT)
        jw_kz(w, "sentence", cat_reason_sentence(cat_reason_find(code)));
    return true;
}

static void write_trail(struct js_out *w, const struct rds_reply *trail)
{
    jw_key(w, "trail");
    jw_begin_array(w);
    for (size_t i = 0; i < rds_len(trail); i++) {
        struct js_doc doc = {0};
        int64_t at = 0;

        if (js_parse(rds_text(rds_at(trail, i)), ROW_MAX, &doc, NULL) != ERR_OK)
            continue;
        jw_begin_object(w);
        if (!js_int64(js_get(doc.root, "t"), &at))
            at = 0;
        view_time(w, "time", at);
        js_each(doc.root, write_member, w);
        jw_end_object(w);
        js_free(&doc);
    }
    jw_end_array(w);
}

/* TRAIL may be NULL: without it. */
static void write_told(struct js_out *w, const struct told *t, const struct rds_reply *trail,
                       struct arena *arena)
{
    struct standing s = standing(t, arena);

    jw_begin_object(w);
    jw_kstr(w, "order", t->key);
    view_text(w, "name", rds_field(t->record, "name"));
    jw_kz(w, "status", s.status);
    jw_kz(w, "reason", s.reason);
    jw_kz(w, "sentence", s.sentence);
    jw_kz(w, "action", s.action);
    write_documents(w, t->record, arena);
    if (trail)
        write_trail(w, trail);
    jw_end_object(w);
}

/* ---- reading ---- */

/* What the orders' own records point to: failed rows, turns and connections, in two round trips. */
static enum err read_around(struct rds *r, struct told *t, size_t n, struct view_batch *b,
                            struct arena *arena, struct errinfo *info)
{
    struct str *names = arena_array(arena, n, sizeof *names);
    struct view_conn *conns = NULL;
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++)
        names[i] = t[i].connection = rds_field(t[i].record, "conn");
    e = view_conns(r, names, n, arena, &conns, info);
    view_batch_init(b, r, 2 * n);
    for (size_t i = 0; i < n; i++) {
        view_ask(b, "failrow:", names[i], (struct str[]){STR("HGET"), STR(""), t[i].key}, 3);
        view_ask(b, "ready:", names[i], (struct str[]){STR("ZSCORE"), STR(""), t[i].key}, 3);
    }
    if (e == ERR_OK)
        e = view_send(b, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        t[i].conn = conns[i];
        t[i].failrow = b->replies[2 * i];
        t[i].score = b->replies[2 * i + 1];
    }
    return e;
}

/* Before the records: an order leaves the lane when its record knows it. */
static enum err read_lanes(struct rds *r, struct told *t, size_t n, struct arena *arena,
                           struct errinfo *info)
{
    struct fet_where *shops = arena_array(arena, n, sizeof *shops);
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++) {
        struct str store = view_store_of(t[i].key);

        shops[i].store = store;
        shops[i].id = (struct str){t[i].key.p + store.n + 1, t[i].key.n - store.n - 1};
    }
    e = fet_where(r, shops, n, arena, info);
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        t[i].shop = shops[i];
    return e;
}

enum err view_order(struct rds *r, struct str key, struct buf *out, struct errinfo *info)
{
    struct told t = {.key = key};
    struct arena arena = {0};
    struct view_batch own, around = {0};
    struct js_out w;
    enum err e = read_lanes(r, &t, 1, &arena, info);

    view_batch_init(&own, r, 2);
    view_ask(&own, "order:", key, (struct str[]){STR("HGETALL"), STR("")}, 2);
    view_ask(&own, "trail:", key, (struct str[]){STR("LRANGE"), STR(""), STR("0"), STR("-1")}, 4);
    if (e == ERR_OK)
        e = view_send(&own, info);
    if (e == ERR_OK) {
        t.record = own.replies[0];
        e = read_around(r, &t, 1, &around, &arena, info);
    }
    if (e == ERR_OK) {
        jw_init(&w, out);
        write_told(&w, &t, own.replies[1], &arena);
        e = buf_check(out);
    }
    view_batch_free(&around);
    view_batch_free(&own);
    arena_free(&arena);
    return e;
}

/* ---- by name ---- */

/* The ways in which NAME may stand in the index: as typed, with its letters small or large (the
 * index knows the case of ASCII alone), and each with "#" in front where it was left out. */
enum { WAYS = 6 };

static size_t ways(struct str name, struct arena *arena, struct str out[WAYS])
{
    struct str all[3] = {arena_str(arena, name), view_fold(name, false, arena),
                         view_fold(name, true, arena)};
    char *typed = arena_printf(arena, "%.*s", STR_FMT(name));
    size_t n = 0;

    for (char *c = typed; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    all[0] = str_of(typed);
    for (size_t i = 0; i < 3; i++) {
        bool known = false;

        for (size_t k = 0; k < i; k++)
            known = known || str_eq(all[i], all[k]);
        if (known)
            continue;
        out[n++] = all[i];
        if (name.p[0] != '#')
            out[n++] = str_of(arena_printf(arena, "#%.*s", STR_FMT(all[i])));
    }
    return n;
}

static struct str with_end(struct str way, const char *end, struct arena *arena)
{
    struct buf text = BUF_CAP(LIM_NAME + 16);
    struct str out;

    buf_addc(&text, '[');
    buf_add_str(&text, way);
    buf_addc(&text, '\0');
    buf_addz(&text, end);
    out = arena_str(arena, buf_str(&text));
    buf_free(&text);
    return out;
}

static int by_key(const void *a, const void *b)
{
    return str_compare(((const struct told *)a)->key, ((const struct told *)b)->key);
}

/* The orders of that name behind the key AFTER, sorted, each once. *OUT lives in ARENA. */
static enum err find_named(struct rds *r, struct str name, const struct str *stores, size_t n,
                           struct str after, struct arena *arena, struct told **out, size_t *count,
                           struct errinfo *info)
{
    struct str way[WAYS];
    size_t way_count = ways(name, arena, way), found = 0;
    struct told from = {.key = after};
    struct view_batch b;
    enum err e = ERR_OK;

    view_batch_init(&b, r, n * way_count);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < way_count; k++)
            view_ask(&b, "names:", stores[i],
                     (struct str[]){STR("ZRANGE"), STR(""), with_end(way[k], "", arena),
                                    with_end(way[k], "\xff", arena), STR("BYLEX"), STR("LIMIT"),
                                    STR("0"), STR(SAME_NAME)},
                     8);
    e = view_send(&b, info);
    for (size_t i = 0; i < b.n && e == ERR_OK; i++)
        found += rds_len(b.replies[i]);
    *out = arena_array(arena, found, sizeof **out);
    *count = 0;
    for (size_t i = 0; i < b.n && e == ERR_OK; i++) {
        for (size_t k = 0; k < rds_len(b.replies[i]); k++) {
            struct str rest = rds_text(rds_at(b.replies[i], k));

            (void)str_split(&rest, '\0');
            struct told t = {.key = arena_str(arena, rest)};
            if (rest.n > 0 && (after.n == 0 || by_key(&t, &from) > 0))
                (*out)[(*count)++] = t;
        }
    }
    view_batch_free(&b);
    if (*count > 1)
        qsort(*out, *count, sizeof **out, by_key);
    found = 0;
    for (size_t i = 0; i < *count; i++)
        if (i == 0 || by_key(&(*out)[i], &(*out)[found - 1]) != 0)
            (*out)[found++] = (*out)[i];
    *count = found;
    return e;
}

enum err view_named(struct rds *r, struct str name, const struct str *stores, size_t n,
                    struct str cursor, int64_t limit, struct buf *out, struct errinfo *info)
{
    struct arena arena = {0};
    struct view_batch own = {0}, around = {0};
    struct told *found = NULL;
    size_t count = 0, shown = 0;
    struct js_out w;
    enum err e = ERR_OK;

    if (name.n == 0 || name.n > LIM_NAME || cursor.n > LIM_ORDER_KEY)
        return err_set(info, ERR_RANGE, "The name or the cursor is too long.");
    e = find_named(r, name, stores, n, cursor, &arena, &found, &count, info);
    shown = count < (size_t)limit ? count : (size_t)limit;
    if (e == ERR_OK)
        e = read_lanes(r, found, shown, &arena, info);
    view_batch_init(&own, r, shown);
    for (size_t i = 0; i < shown; i++)
        view_ask(&own, "order:", found[i].key, (struct str[]){STR("HGETALL"), STR("")}, 2);
    if (e == ERR_OK)
        e = view_send(&own, info);
    for (size_t i = 0; i < shown && e == ERR_OK; i++)
        found[i].record = own.replies[i];
    if (e == ERR_OK)
        e = read_around(r, found, shown, &around, &arena, info);
    if (e == ERR_OK) {
        jw_init(&w, out);
        jw_begin_object(&w);
        jw_kint(&w, "count", (int64_t)count);
        jw_key(&w, "rows");
        jw_begin_array(&w);
        for (size_t i = 0; i < shown; i++)
            write_told(&w, &found[i], NULL, &arena);
        jw_end_array(&w);
        view_text(&w, "cursor", shown < count ? found[shown - 1].key : (struct str){NULL, 0});
        jw_end_object(&w);
        e = buf_check(out);
    }
    view_batch_free(&around);
    view_batch_free(&own);
    arena_free(&arena);
    return e;
}

/*
 * DESIGN: between "sent" and "answered" a worker, a connection or Xero may end. The request stands
 * in Redis with the lease (bytes, key, and which element is which order's), so whoever takes over
 * sends exactly that again while Xero remembers the key, and else looks up. Where even the look-up
 * has to wait, because Xero is down for long, each document gets a mark of doubt in its order's
 * record and the orders go back to the queue: the mark is looked up before anything else is done
 * for that order. So an outage keeps neither a lease nor a thread, and costs no order an attempt.
 */
#include <stdio.h>

#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

/* 50 elements, each with the keys of its lines: less than the request that they describe. */
#define META_MAX ((size_t)2 * LIM_XERO_BODY)

/* ---- the meta ---- */

struct str exp_write_meta(struct work *w, const struct call *c)
{
    struct buf json = BUF_CAP(META_MAX);
    struct js_out out;
    struct str meta;

    jw_init(&out, &json);
    jw_begin_object(&out);
    jw_key(&out, "elements");
    jw_begin_array(&out);
    for (size_t i = 0; i < c->n; i++) {
        jw_begin_object(&out);
        jw_kstr(&out, "order", c->elements[i].x->o->key);
        exp_write_members(&out, &c->elements[i]);
        jw_end_object(&out);
    }
    jw_end_array(&out);
    jw_end_object(&out);
    meta = buf_check(&json) == ERR_OK ? arena_str(&w->arena, buf_str(&json)) : STR("");
    buf_free(&json);
    return meta;
}

static struct work_order *order_of(struct work *w, struct str key)
{
    for (size_t i = 0; i < w->count; i++) {
        if (str_eq(w->orders[i].o->key, key))
            return &w->orders[i];
    }
    return NULL;
}

static enum err read_meta(struct work *w, struct str meta, struct call *c, struct errinfo *info)
{
    struct js_doc doc = {0};
    const struct js_value *list;
    enum err e = js_parse(meta, META_MAX, &doc, info);

    if (e != ERR_OK)
        return e;
    list = js_get(doc.root, "elements");
    c->n = js_len(list);
    c->elements = arena_array(&w->arena, c->n + 1, sizeof(*c->elements));
    for (size_t i = 0; i < c->n; i++) {
        struct element *el = &c->elements[i];
        struct str text;

        if (js_text(js_get(js_at(list, i), "order"), &text))
            el->x = order_of(w, text);
        exp_read_members(w, js_at(list, i), el);
        el->open = el->x != NULL;
    }
    js_free(&doc);
    return c->n > 0 ? ERR_OK : err_set(info, ERR_MISSING, "The stored request names no element.");
}

/* ---- looking up ---- */

static void mark_open(struct work *w, const struct call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->elements[i].open)
            exp_mark(w, c->kind, &c->elements[i]);
    }
}

enum work_next exp_resolve(struct work *w, struct call *c)
{
    enum work_next next = c->kind->look_up(w, c);

    if (next == WORK_LET_GO)
        return next;
    if (next != WORK_GO) {
        mark_open(w, c);
        return WORK_HAND_BACK;
    }
    w->answered = true;
    return WORK_GO;
}

enum work_next exp_settle(struct work *w, struct call *c, bool may_send)
{
    struct xero_answer a = {0};
    enum work_next next = WORK_UNKNOWN;

    if (may_send)
        next = exp_send(w, c->kind->method, exp_path(w, c), c, &a);
    if (next == WORK_GO && a.verdict == XERO_ANSWERED) {
        next = exp_apply(w, c, &a);
    } else if (next == WORK_GO || (next == WORK_UNKNOWN && !a.in_progress)) {
        next = exp_resolve(w, c); /* a refusal, too, is of this sending, not of the one before */
    } else if (next != WORK_LET_GO) {
        mark_open(w, c);
        next = WORK_HAND_BACK;
    }
    xero_answer_free(&a);
    return next;
}

/* ---- what others left ---- */

enum work_next exp_settle_lease(struct work *w)
{
    const struct job_lease *l = w->lease;
    struct call c = {.kind = exp_kind(l->req_kind), .bytes = l->req_bytes, .meta = l->req_meta};
    struct errinfo info = {0};
    bool may_send = !l->req_look_up && l->req_age_ms < LIM_IDEMPOTENCY_MS;

    if (!l->settling || l->req_key.n == 0)
        return WORK_GO;
    (void)snprintf(c.key, sizeof(c.key), "%.*s", STR_FMT(l->req_key));
    if (!c.kind || read_meta(w, l->req_meta, &c, &info) != ERR_OK) {
        log_error("settle", "A request left behind cannot be read; it is left to other workers.",
                  LOG_STR("kind", l->req_kind), LOG_Z("error", info.text));
        return WORK_LET_GO;
    }
    log_info("settle", "A worker ended within a call; what became of it is found out first.",
             LOG_Z("kind", c.kind->name), LOG_INT("elements", c.n),
             LOG_INT("age_ms", l->req_age_ms), LOG_Z("by", may_send ? "same request" : "look-up"));
    return exp_settle(w, &c, may_send);
}

/* The doubts of one kind. What Xero does not hold was never made; an update is found out either
 * way, and its mark has done its work. */
static enum work_next resolve_kind(struct work *w, const struct call_kind *kind)
{
    struct element *elements;
    enum work_next next;
    size_t n = 0, room = 1;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].doubt_count;
    elements = arena_array(&w->arena, room, sizeof(*elements));
    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < w->orders[i].doubt_count; k++) {
            if (w->orders[i].doubts[k].kind == kind)
                elements[n++] = w->orders[i].doubts[k];
        }
    }
    next = exp_look_up(w, kind, elements, n);
    for (size_t i = 0; i < n && next == WORK_GO; i++) {
        if (elements[i].open || kind == &exp_updates)
            exp_forget(w, kind, &elements[i]);
    }
    return next;
}

enum work_next exp_resolve_doubts(struct work *w)
{
    static const struct call_kind *const kinds[] = {&exp_invoices, &exp_updates, &exp_notes,
                                                    &exp_payments, &exp_allocations};
    enum work_next next = WORK_GO;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && next == WORK_GO; i++)
        next = resolve_kind(w, kinds[i]);
    return next;
}

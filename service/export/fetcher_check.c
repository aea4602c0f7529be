#include <stdio.h>
#include <time.h>

#include "service/export/fetcher_parts.h"

#define INPUT_CAP (4u << 10)
#define RESULT_CAP (256u << 10)

bool ftc_comes_back(const struct reading *w)
{
    return w->lost || !w->logged;
}

static void read_check(struct reading *w, const struct fet_item *item, struct check *c)
{
    struct js_doc doc = {0};

    if (js_parse(item->state, INPUT_CAP, &doc, NULL) != ERR_OK)
        return;
    c->create = js_true(js_get(doc.root, "create_webhooks"));
    c->url = arena_str(&w->arena, shc_text(doc.root, "url"));
    js_free(&doc);
}

/* Asks for what has changed of late, as a reconciliation does, and, where that only lists orders,
 * for one of them: it takes more permissions. SHUT: what came makes it useless to ask for more. */
static enum read_next try_orders(struct reading *w, bool *shut)
{
    char after[36], before[36];
    struct read_page pages[2] = {0};
    struct shc_answer *answer = &pages[0].answer;
    int64_t now = time(NULL);

    ftc_print_time(now - w->shop->recent_s, after);
    ftc_print_time(now - FTC_SETTLE_S, before);
    enum read_next next = w->shop->some(w, &(struct read_range){after, before, STR("")}, &pages[0]);
    if (next == READ_GO && pages[0].count > 0 && !pages[0].orders[0].root) {
        next = w->shop->one(w, pages[0].orders[0].id, &pages[1]);
        answer = &pages[1].answer;
        if (next == READ_NONE) /* it was deleted meanwhile */
            next = READ_GO;
    }
    *shut = next == READ_STOP && answer->denied != SHC_NO_ACCESS;
    if (next == READ_NONE)
        (void)snprintf(w->why, sizeof(w->why), "%.*s", STR_FMT(answer->message));
    ftc_page_free(&pages[0]);
    ftc_page_free(&pages[1]);
    return next;
}

/* The answer that the task gets; further things that a check looks at are further members. */
static enum read_next look_at_all(struct reading *w, struct check *c, struct js_out *out)
{
    enum read_next next = READ_STOP;

    c->shut = w->denied;
    if (!c->shut)
        next = try_orders(w, &c->shut);
    if (next == READ_STOP && ftc_comes_back(w))
        return READ_STOP;
    jw_begin_object(out);
    jw_key(out, "orders");
    jw_begin_object(out);
    jw_kbool(out, "readable", next == READ_GO);
    jw_kz(out, "message", next == READ_GO ? NULL : w->why);
    jw_end_object(out);
    jw_key(out, "webhooks");
    jw_begin_object(out);
    next = w->shop->webhooks(w, c, out);
    jw_end_object(out);
    jw_end_object(out);
    return next;
}

enum read_next ftc_check(struct reading *w, const struct fet_item *item)
{
    struct buf text = BUF_CAP(RESULT_CAP);
    struct fet_report report = {.item = item->id, .outcome = FET_DONE};
    struct check c = {0};
    struct js_out out;

    read_check(w, item, &c);
    jw_init(&out, &text);
    enum read_next next = look_at_all(w, &c, &out);
    if (next != READ_STOP || !ftc_comes_back(w)) {
        if (buf_check(&text) == ERR_OK)
            report.result = arena_str(&w->arena, buf_str(&text));
        else
            report.outcome = FET_FAILED;
        ftc_report(w, report);
        w->wait_ms = 0;
    }
    buf_free(&text);
    return next == READ_STOP || w->hold_ms > 0 ? READ_STOP : READ_GO;
}

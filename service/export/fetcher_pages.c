#include <stdio.h>
#include <time.h>

#include "service/base/log.h"
#include "service/export/fetcher_parts.h"

#define OVERLAP_S 300
/* The offset of a shop's own days from UTC, at most. */
#define OFFSET_S 86400

/* Amazon's token of a page is good for a day: an older one is not used, the pass begins anew. */
#define PAGE_S 72000

#define STATE_CAP (16u << 10)
/* The item begins anew the next time. */
#define ANEW STR("{}")

/* A walk through what has changed in a shop, one page a lease. */
struct pass {
    char after[36], before[36];
    char from[11], to[11]; /* of a backfill: days of the orders' creation; "" any */
    struct str page;
    int64_t paged_at; /* when PAGE was given */
    int64_t done;     /* orders handed to the queue */
    int64_t until; /* all that changed before this is listed, by the shop's clock if that is behind
                         ours; 0: no page was read */
};

void ftc_print_time(int64_t seconds, char out[36])
{
    time_t at = (time_t)seconds;
    struct tm tm = {0};

    (void)strftime(out, 36, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
}

/* Midnight of DAY less SLACK; 0 if it is none. */
static int64_t day_time(const char *day, int64_t slack_s)
{
    char text[36];
    int64_t at = 0;

    (void)snprintf(text, sizeof(text), "%.10sT00:00:00Z", day);
    return ord_time(str_of(text), &at, NULL) ? at - slack_s : 0;
}

static void copy_text(const struct js_value *state, const char *key, char *out, size_t size)
{
    (void)snprintf(out, size, "%.*s", STR_FMT(shc_text(state, key)));
}

static int64_t number(const struct js_value *state, const char *key)
{
    int64_t n = 0;

    return js_int64(js_get(state, key), &n) ? n : 0;
}

/* Where the item stands; what its state does not say stays as it is. */
static void read_state(struct reading *w, const struct fet_item *item, struct pass *p)
{
    struct js_doc doc = {0};

    if (item->state.n == 0 || js_parse(item->state, STATE_CAP, &doc, NULL) != ERR_OK)
        return;
    copy_text(doc.root, "after", p->after, sizeof(p->after));
    copy_text(doc.root, "before", p->before, sizeof(p->before));
    copy_text(doc.root, "from", p->from, sizeof(p->from));
    copy_text(doc.root, "to", p->to, sizeof(p->to));
    p->page = arena_str(&w->arena, shc_text(doc.root, "page"));
    p->paged_at = number(doc.root, "paged_at");
    p->done = number(doc.root, "done");
    p->until = number(doc.root, "until");
    if (p->page.n > 0 && time(NULL) - p->paged_at > PAGE_S) {
        p->page = STR("");
        p->done = 0;
    }
    js_free(&doc);
}

static struct str write_state(struct reading *w, const struct pass *p, struct str next)
{
    struct buf text = BUF_CAP(STATE_CAP);
    struct str out = STR("");
    struct js_out j;

    jw_init(&j, &text);
    jw_begin_object(&j);
    jw_kz(&j, "after", p->after);
    jw_kz(&j, "before", p->before);
    jw_kz(&j, "from", p->from);
    jw_kz(&j, "to", p->to);
    jw_kstr(&j, "page", next);
    jw_kint(&j, "paged_at", time(NULL));
    jw_kint(&j, "done", p->done);
    jw_kint(&j, "until", p->until);
    jw_end_object(&j);
    if (buf_check(&text) == ERR_OK)
        out = arena_str(&w->arena, buf_str(&text));
    buf_free(&text);
    return out;
}

/* {"done":n,"total":n or null}, or what went wrong. */
static struct str progress(struct reading *w, const struct pass *p, bool ended, const char *error)
{
    struct buf text = BUF_CAP(4096);
    struct str out = STR("");
    struct js_out j;

    jw_init(&j, &text);
    jw_begin_object(&j);
    if (error)
        jw_kz(&j, "error", error);
    jw_kint(&j, "done", p->done);
    jw_key(&j, "total");
    if (ended)
        jw_int(&j, p->done);
    else
        jw_null(&j);
    jw_end_object(&j);
    if (buf_check(&text) == ERR_OK)
        out = arena_str(&w->arena, buf_str(&text));
    buf_free(&text);
    return out;
}

/* Whether the pass wants the order: of a backfill, created on one of its days by its own offset. */
static bool is_wanted(const struct pass *p, const struct read_order *o)
{
    const struct js_value *order = js_get(o->root, "order");
    char day[11];

    (void)snprintf(day, sizeof(day), "%s", o->created_day);
    if (o->root && !ord_day(shc_text(order ? order : o->root, "createdTime"), day))
        day[0] = '\0';
    return !p->from[0] || !day[0] || (strcmp(day, p->from) >= 0 && strcmp(day, p->to) <= 0);
}

/* Whether the order is stored here as it was at its last change, or after: of one second, at least
 * as far in its payments. */
static enum err is_known(struct reading *w, const struct read_order *o, bool *known,
                         struct errinfo *info)
{
    struct str key =
        str_of(arena_printf(&w->arena, RDS_PREFIX "order:%s/%.*s", w->store->key, STR_FMT(o->id)));
    struct rds_reply *stamp = NULL;
    enum err e = rds_call(w->r, (struct str[]){STR("HGET"), key, STR("snap")}, 3, &stamp, info);

    *known =
        e == ERR_OK && o->stamp[0] &&
        str_compare(str_cut(rds_text(stamp), SHP_STAMP), str_cut(str_of(o->stamp), SHP_STAMP)) >= 0;
    rds_free(stamp);
    return e;
}

/* An order that was only listed is put on the lane, behind what is asked for otherwise; a
 * reconciliation leaves out what is known. */
static enum read_next put_on_lane(struct reading *w, const struct pass *p, const char *topic,
                                  const struct read_order *o)
{
    struct errinfo info = {0};
    bool known = false;
    enum err e = p->from[0] ? ERR_OK : is_known(w, o, &known, &info);

    if (e == ERR_OK && !known)
        e = fet_ask(w->r, w->store->key, o->id, str_of(topic), true, &info);
    return e == ERR_OK ? READ_GO : ftc_no_redis(w, &info);
}

/* Reads the pass' next page and hands over its orders. NEXT: what the page after it is asked for
 * with. */
static enum read_next read_one(struct reading *w, struct pass *p, const char *topic,
                               struct str *next)
{
    const struct read_range range = {p->after, p->before, p->page};
    struct read_page page = {0};
    enum read_next n = w->shop->some(w, &range, &page);
    int64_t until = time(NULL);

    if (page.answer.at > 0 && page.answer.at < until)
        until = page.answer.at;
    if (n == READ_GO && p->until == 0)
        p->until = until - FTC_SETTLE_S;
    for (size_t i = 0; n == READ_GO && i < page.count; i++) {
        const struct read_order *o = &page.orders[i];

        if (!is_wanted(p, o))
            continue;
        n = o->root ? ftc_take(w, o, topic, STR(""), READ_LATER) : put_on_lane(w, p, topic, o);
        p->done += n == READ_GO;
        if (n == READ_REFUSED) /* one that cannot be read does not stop the others */
            n = READ_GO;
    }
    *next = arena_str(&w->arena, page.next);
    ftc_page_free(&page);
    return n;
}

/* ---- reconciliation ---- */

/* Begins where the last pass ended, else at the store's first day. */
static void begin(struct reading *w, struct pass *p)
{
    const char *start = w->store->options.rules.start_date;
    struct errinfo info = {0};
    struct str until = STR("");
    int64_t now = time(NULL), at = 0;

    err_ignore(fet_reconciled_to(w->r, w->store->key, &w->arena, &until, &info),
               "a pass from the first day finds the same, and more that is known already");
    if (ord_time(until, &at, NULL))
        at -= OVERLAP_S;
    else
        at = day_time(start[0] ? start : w->store->added_day, OFFSET_S);
    if (at <= 0 || at > now - FTC_SETTLE_S)
        at = now - FTC_SETTLE_S - 1;
    ftc_print_time(at, p->after);
    ftc_print_time(now - FTC_SETTLE_S, p->before);
}

enum read_next ftc_reconcile(struct reading *w, const struct fet_item *item)
{
    struct pass p = {0};
    struct str next = STR("");

    read_state(w, item, &p);
    if (!p.before[0])
        begin(w, &p);
    enum read_next n = read_one(w, &p, "reconciliation", &next);
    if (n == READ_STOP)
        return n;
    if (n == READ_GO && next.n > 0) {
        ftc_report(w, (struct fet_report){.item = item->id,
                                          .outcome = FET_AGAIN,
                                          .state = write_state(w, &p, next)});
        return READ_GO;
    }
    if (n == READ_GO) {
        char until[36];
        int64_t before = 0;

        /* What the shop's clock had not reached yet was not listed, whatever ours said. */
        if (ord_time(str_of(p.before), &before, NULL) && before < p.until)
            p.until = before;
        ftc_print_time(p.until, until);
        w->reconciled_to = arena_str(&w->arena, str_of(until));
        log_info("reconciled", "A shop was asked what has changed.", LOG_Z("store", w->store->key),
                 LOG_Z("since", p.after), LOG_INT("orders", p.done));
    } else {
        ftc_note(w, "error", "not_reconciled", "The shop's changed orders could not be read: %s",
                 w->why);
    }
    ftc_report(w, (struct fet_report){.item = item->id,
                                      .outcome = FET_AGAIN,
                                      .delay_ms = w->f->reconcile_ms,
                                      .state = ANEW});
    if (n == READ_GO && w->shop->look)
        w->shop->look(w);
    return READ_GO;
}

/* ---- backfill ---- */

enum read_next ftc_backfill(struct reading *w, const struct fet_item *item)
{
    struct pass p = {0};
    struct str next = STR("");

    read_state(w, item, &p);
    if (!p.before[0]) { /* what was created then has changed then, or since */
        int64_t at = day_time(p.from, OFFSET_S);

        ftc_print_time(at > 0 ? at : 0, p.after);
        ftc_print_time(time(NULL) - FTC_SETTLE_S, p.before);
    }
    if (!p.from[0] || !p.to[0]) { /* without its days it would be of all orders there are */
        const char *why = "The backfill's days are not known any more.";

        ftc_report(w, (struct fet_report){.item = item->id,
                                          .outcome = FET_FAILED,
                                          .result = progress(w, &p, false, why)});
        return READ_GO;
    }
    enum read_next n = read_one(w, &p, "backfill", &next);
    if (n == READ_STOP && !w->denied)
        return n;
    struct fet_report report = {.item = item->id, .outcome = FET_DONE};

    if (n != READ_GO) {
        report.outcome = FET_FAILED;
        report.result = progress(w, &p, false, w->why);
    } else if (next.n > 0) {
        report.outcome = FET_AGAIN;
        report.state = write_state(w, &p, next);
        report.progress = progress(w, &p, false, NULL);
    } else {
        report.progress = report.result = progress(w, &p, true, NULL);
    }
    ftc_report(w, report);
    return n == READ_STOP ? n : READ_GO;
}

#include <stdio.h>

#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"
#include "service/sync/catalogue.h"

#define RETRY_FIRST_MS 5000
#define RETRY_MOST_MS INT64_C(900000)

/* Between two tries to report a lease's end while Redis is away. */
#define REPORT_AGAIN_MS 250

/* ITEM: what could not be exported, as people call it. */
static void fail_item(struct work *w, struct work_order *x, const char *document, struct str item,
                      const struct str *messages, const char *const *ids, size_t n)
{
    struct job_failure *f = arena_alloc(&w->arena, sizeof(*f));
    struct str *texts = arena_array(&w->arena, n, sizeof(*texts));
    const char **rows = arena_array(&w->arena, n, sizeof(*rows));

    if (x->ended || n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        texts[i] = arena_str(&w->arena, messages[i]);
        rows[i] = ids && ids[i] ? ids[i] : cat_match(texts[i])->id;
    }
    *f = (struct job_failure){.failed_export = document,
                              .exported_item = item,
                              .errors = texts,
                              .catalogue = rows,
                              .correlation =
                                  ids ? STR("") : arena_str(&w->arena, str_of(w->correlation)),
                              .error_count = n};
    x->ended = true;
    x->report.outcome = JOB_FAILED;
    x->report.failure = f;
    x->report.summary = str_of(
        arena_printf(&w->arena, "%s failed: %.*s", document, STR_FMT(str_cut(texts[0], 400))));
}

static struct str order_name(const struct work_order *x)
{
    return x->o->name.n > 0 ? x->o->name : x->o->key;
}

void exp_fail(struct work *w, struct work_order *x, const char *document,
              const struct str *messages, const char *const *ids, size_t n)
{
    bool contact = strcmp(document, inv_doc_text(INV_DOC_CONTACT)) == 0;
    struct str item = contact ? x->wanted.contact.name : STR("");

    fail_item(w, x, document, item.n > 0 ? item : order_name(x), messages, ids, n);
}

void exp_fail_one(struct work *w, struct work_order *x, const char *document, const char *id,
                  const char *fmt, ...)
{
    char line[1024];
    struct str message;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    message = str_cut(str_of(line), sizeof(line));
    exp_fail(w, x, document, &message, &id, 1);
}

void exp_again(struct work_order *x, int64_t ms)
{
    if (x->ended)
        return;
    x->ended = true;
    x->report.outcome = JOB_AGAIN;
    x->report.delay_ms = ms;
}

/* From 5 s by 3 to 15 min. */
static int64_t retry_ms(int64_t attempts)
{
    int64_t ms = RETRY_FIRST_MS;

    while (attempts-- > 0 && ms < RETRY_MOST_MS)
        ms *= 3;
    return ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
}

/* Another try that counts, or the failed list after the last one. */
static void retry(struct work *w, struct work_order *x, const char *document, struct str message)
{
    exp_fail(w, x, document, &message, NULL, 1);
    if (x->o->attempts + 1 < w->e->max_attempts) {
        x->report.outcome = JOB_RETRY;
        x->report.delay_ms = retry_ms(x->o->attempts);
    }
}

/* May this message pass by itself? */
static bool passes(struct str message)
{
    return cat_match(message)->retry != CAT_RETRY_NO;
}

void exp_refused(struct work *w, struct work_order *x, const char *document,
                 const struct str *messages, size_t n)
{
    bool all_pass = true;

    for (size_t i = 0; i < n; i++)
        all_pass = all_pass && passes(messages[i]);
    if (x->ended || n == 0)
        return;
    if (all_pass)
        retry(w, x, document, messages[0]);
    else
        exp_fail(w, x, document, messages, NULL, n);
}

/* ---- documents that fail alone ---- */

/* Whether all else of the order has to wait for EL's document. */
static bool is_main(const struct call_kind *kind, const struct element *el)
{
    return strcmp(kind->list, "Contacts") == 0 ||
           (strcmp(kind->list, "Invoices") == 0 && str_eq(el->doc, STR("invoice")));
}

static void add_trouble(struct work *w, struct work_order *x, const struct trouble *t)
{
    struct trouble *all = exp_grown(w, x->troubles, x->trouble_count, sizeof(*all));

    all[x->trouble_count++] = *t;
    x->troubles = all;
}

void exp_doc_refused(struct work *w, const struct call_kind *kind, const struct element *el,
                     const struct str *messages, size_t n)
{
    if (!el->x || el->x->ended)
        return;
    if (is_main(kind, el)) {
        exp_refused(w, el->x, kind->document, messages, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct str text = arena_str(&w->arena, messages[i]);

        add_trouble(w, el->x,
                    &(struct trouble){kind->document, cat_match(text)->id, el->number, text});
    }
}

void exp_doc_failed(struct work *w, const struct call_kind *kind, const struct element *el,
                    const char *id, const char *fmt, ...)
{
    char line[1024];
    struct str text;
    va_list ap;

    if (!el->x || el->x->ended)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    text = arena_str(&w->arena, str_cut(str_of(line), sizeof(line)));
    if (is_main(kind, el))
        exp_fail(w, el->x, kind->document, &text, &id, 1);
    else
        add_trouble(w, el->x, &(struct trouble){kind->document, id, el->number, text});
}

/* The order's row: all that the builder found and all that Xero refused. Messages of several
 * documents say of which each is. */
static void end_with_troubles(struct work *w, struct work_order *x)
{
    const struct inv_wanted *wanted = &x->wanted;
    size_t n = 0, room = wanted->problem_count + x->trouble_count;
    struct str *texts = arena_array(&w->arena, room, sizeof(*texts));
    const char **ids = arena_array(&w->arena, room, sizeof(*ids));
    const char *document =
        x->trouble_count > 0 ? x->troubles[0].document : inv_doc_text(wanted->problems[0].doc);
    struct str item = order_name(x);
    bool several = false, all_pass = wanted->problem_count == 0;

    for (size_t i = 1; i < x->trouble_count; i++)
        several = several || !str_eq(x->troubles[i].name, x->troubles[0].name);
    for (size_t i = 0; i < x->trouble_count; i++) {
        const struct trouble *t = &x->troubles[i];

        all_pass = all_pass && cat_row_by_id(t->id)->retry != CAT_RETRY_NO;
        ids[n] = t->id;
        texts[n] = t->text;
        if (several)
            texts[n] = str_of(arena_printf(&w->arena, "%s %.*s: %.*s", t->document,
                                           STR_FMT(t->name), STR_FMT(t->text)));
        n++;
    }
    for (size_t i = 0; i < wanted->problem_count; i++) {
        texts[n] = wanted->problems[i].text;
        ids[n++] = wanted->problems[i].catalogue;
    }
    if (x->trouble_count > 0 && !several && strcmp(document, "Credit note") == 0)
        item = str_of(
            arena_printf(&w->arena, "%.*s (%.*s)", STR_FMT(item), STR_FMT(x->troubles[0].name)));
    fail_item(w, x, document, item, texts, ids, n);
    if (all_pass && x->o->attempts + 1 < w->e->max_attempts) {
        x->report.outcome = JOB_RETRY;
        x->report.delay_ms = retry_ms(x->o->attempts);
    }
}

/* ---- the end of each order ---- */

static struct str synced_row(struct work *w, const struct work_order *x)
{
    const struct inv_known_doc *sale = exp_sale(x);
    struct buf json = BUF_CAP(LIM_API_BODY), link = BUF_CAP(LIM_API_BODY);
    struct js_out out;
    struct str row;

    buf_addz(&link, "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=");
    buf_add_str(&link, sale->id);
    jw_init(&out, &json);
    jw_begin_object(&out);
    jw_kstr(&out, "exported_item", x->o->name);
    jw_kstr(&out, "invoice_number", sale->number);
    jw_kstr(&out, "invoice_id", sale->id);
    jw_kstr(&out, "invoice_link", buf_str(&link));
    jw_kstr(&out, "total", exp_amount(w, sale->total));
    jw_kz(&out, "currency", sale->total.currency);
    jw_end_object(&out);
    row = arena_str(&w->arena, buf_str(&json));
    buf_free(&json);
    buf_free(&link);
    return row;
}

/* What was done with a document, in words; "" nothing. */
static const char *done_to(const struct work_doc *d, bool credit)
{
    if (d->voided)
        return "voided";
    if (credit)
        return d->made && d->paid
                   ? (d->allocated ? "made, paid back in part and allocated" : "made and paid back")
               : d->made && d->allocated ? "made and allocated"
               : d->made                 ? "made"
               : d->paid                 ? "paid back"
               : d->allocated            ? "allocated"
                                         : "";
    return d->made && d->paid      ? "created and paid"
           : d->made               ? "created"
           : d->updated && d->paid ? "updated and paid"
           : d->updated            ? "updated"
           : d->paid               ? "paid"
                                   : "";
}

/* "Invoice ACME-1042 for 46.81 GBP created and paid." and its like for each document. */
static struct str sentence(struct work *w, const struct work_order *x)
{
    const struct inv_known_doc *sale = exp_sale(x);
    const char *text = "";

    for (size_t i = 0; i < x->known.doc_count; i++) {
        const struct inv_known_doc *doc = &x->known.docs[i];
        const struct work_doc *d = x->docs;

        while (d && !str_eq(d->name, doc->name))
            d = d->next;
        if (d && done_to(d, doc->credit)[0])
            text =
                arena_printf(&w->arena, "%s%s%s %.*s for %s %s %s.", text, text[0] ? " " : "",
                             doc->credit ? "Credit note" : "Invoice", STR_FMT(doc->number),
                             mon_text(doc->total).z, doc->total.currency, done_to(d, doc->credit));
    }
    if (text[0])
        return str_of(text);
    if (!sale)
        return STR("There is nothing to export for this order.");
    return str_of(arena_printf(&w->arena, "Invoice %.*s for %s %s %s.", STR_FMT(sale->number),
                               mon_text(sale->total).z, sale->total.currency,
                               x->settled_by_hand
                                   ? "was settled in Xero by other means; no payment was added"
                                   : "already matches the order; nothing was sent"));
}

static void end_done(struct work *w, struct work_order *x)
{
    x->ended = true;
    x->report.outcome = JOB_DONE;
    x->report.summary = sentence(w, x);
    x->report.settled_lines = true;
    if (x->split_until_ms > 0) /* it is over; another split is waited for anew */
        exp_update(w, x, STR("doc:split"), (struct str){NULL, 0});
    if (exp_sale(x))
        x->report.synced = synced_row(w, x);
}

void exp_end_all(struct work *w, enum work_next next)
{
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        if (x->ended)
            continue;
        if (next != WORK_GO)
            exp_again(x, w->again_ms);
        else if (x->wanted.problem_count > 0 || x->trouble_count > 0)
            end_with_troubles(w, x);
        else if (!x->wanted.nothing && !exp_sale(x))
            exp_fail_one(w, x, "Sales invoice", "internal-fault",
                         "The export ended without an invoice and without a reason.");
        else if (!exp_wait_for_split(w, x))
            end_done(w, x);
    }
}

/* ---- the end of the lease ---- */

static void log_order(struct work *w, const struct work_order *x)
{
    static const char *const events[] = {"order_exported", "order_retry", "order_again",
                                         "order_failed"};
    const struct job_report *r = &x->report;
    char *order = arena_printf(&w->arena, "%.*s", STR_FMT(x->o->key));

    log_ctx_set(w->lease->connection, x->store ? x->store->key : NULL, order, NULL);
    if (r->outcome == JOB_DONE)
        log_info(events[r->outcome], "The order is in Xero as it should be.",
                 LOG_STR("result", r->summary));
    else if (r->outcome == JOB_AGAIN)
        log_debug(events[r->outcome], "The order goes back to the queue.",
                  LOG_INT("delay_ms", r->delay_ms));
    else
        log_warn(events[r->outcome],
                 r->outcome == JOB_RETRY ? "The export is tried again later."
                                         : "The order is on the failed list.",
                 LOG_Z("document", r->failure->failed_export),
                 LOG_Z("catalogue", r->failure->catalogue[0]), LOG_INT("delay_ms", r->delay_ms));
    log_ctx_set(w->lease->connection, NULL, NULL, NULL);
}

enum err exp_complete(struct work *w, struct errinfo *info)
{
    struct job_report *reports = arena_array(&w->arena, w->count + 1, sizeof(*reports));
    int64_t fenced = 0;
    enum err e = ERR_OK;

    for (size_t i = 0; i < w->count; i++) {
        reports[i] = w->orders[i].report;
        reports[i].order = w->orders[i].o->key;
        log_order(w, &w->orders[i]);
    }
    for (;;) {
        e = job_complete(w->redis, w->lease, w->updates, w->update_count, reports, w->count,
                         w->day_left, w->hold_ms, w->hold_ms > 0 ? w->hold_why : NULL, &fenced,
                         info);
        if (e == ERR_OK || job_now_ms() + REPORT_AGAIN_MS >= w->lease->until_ms)
            break;
        log_warn("report_again", "Redis did not take the results; they are kept and told again.",
                 LOG_Z("error", info->text));
        exp_nap(REPORT_AGAIN_MS);
    }
    if (e == ERR_OK && fenced > 0)
        log_warn("fenced", "The lease had passed to another worker; its word counts.",
                 LOG_INT("orders", fenced));
    return e;
}

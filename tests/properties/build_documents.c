/*
 * Runs the builder over one order at a time for the property tests: JSON lines in, JSON lines out.
 * It plays the worker only in remembering what was made; who applies the elements is the caller.
 *   {"store","options","contact"}    a new order of a store; no answer
 *   {"parts":[{"name","body"}],"split_over","looked":[{"name","status"}]}
 *                                    what Xero should hold; answer: documents with their elements
 *   {"documents":[{"name",...}]}     Xero's answers, by name; answer: the payments that are missing
 *   {"payments":true}                they were made; answer: the allocations that are missing
 *   {"allocations":true}             they were made, too; no answer
 */
#include <stdio.h>
#include <stdlib.h>

#include "service/sync/invoice.h"
#include "service/sync/options.h"
#include "service/sync/shopify.h"

#define MAX_LINE (64u << 20)

/* One order, as the worker would know it. */
struct job {
    struct arena arena;
    struct opt_store store;
    struct str domain, contact;
    char *link;
    struct inv_known known;
    struct inv_wanted wanted;
};

static void stop(const char *what, struct str detail)
{
    fprintf(stderr, "build_documents: %s %.*s\n", what, STR_FMT(detail));
    exit(1);
}

static struct str text_of(struct job *j, const struct js_value *v, const char *key)
{
    struct str text;

    return js_text(js_get(v, key), &text) ? arena_str(&j->arena, text) : STR("");
}

static struct money money_of(struct job *j, const struct js_value *v, const char *key,
                             const char *currency)
{
    struct str text = text_of(j, v, key);
    struct money m;
    struct errinfo info = {0};

    if (mon_parse(text, currency, &m, &info) != ERR_OK)
        stop("no amount:", str_of(info.text));
    return m;
}

/* A copy of the N elements of ARRAY with room for one more. */
static void *grown(struct job *j, const void *array, size_t n, size_t size)
{
    char *copy = arena_array(&j->arena, n + 1, size);

    if (n > 0)
        memcpy(copy, array, n * size);
    return copy;
}

/* ---- a new order ---- */

static void start(struct job *j, const struct js_value *line)
{
    struct opt_errors errors = {0};
    struct buf canonical = BUF_CAP(LIM_API_BODY);

    arena_free(&j->arena);
    *j = (struct job){.link = NULL};
    j->domain = text_of(j, line, "store");
    j->contact = text_of(j, line, "contact");
    if (opt_read(js_get(line, "options"), NULL, "2026-01-01", STR(""), &j->arena, &j->store,
                 &errors, &canonical) != ERR_OK)
        stop("settings:", errors.count ? errors.rows[0].message : STR("?"));
    buf_free(&canonical);
}

/* ---- building ---- */

static struct order *read_order(struct job *j, const struct js_value *parts, struct errinfo *info)
{
    struct order *o = arena_alloc(&j->arena, sizeof *o);
    enum shp_money money =
        j->store.invoice.presentment_currency ? SHP_PRESENTMENT_MONEY : SHP_SHOP_MONEY;
    enum err e = ERR_OK;

    for (size_t i = 0; i < js_len(parts) && e == ERR_OK; i++) {
        const struct js_value *part = js_at(parts, i), *body = js_get(part, "body");
        struct str name = text_of(j, part, "name");

        if (str_eq(name, STR("order")))
            e = shp_read_order(body, j->domain, money, &j->arena, o, info);
        else if (str_starts(name, STR("refund:")))
            e = shp_add_refund(body, &j->arena, o, info);
        else
            e = shp_add_transaction(body, &j->arena, o, info);
        if (e == ERR_CURRENCY && str_starts(name, STR("txn:")))
            e = ERR_OK; /* as the worker does */
    }
    return e == ERR_OK ? o : NULL;
}

/* What a look at Xero shows of documents that nobody else touched. */
static void look(struct job *j, const struct js_value *seen)
{
    struct inv_known_doc *docs = grown(j, j->known.docs, j->known.doc_count, sizeof *docs);

    j->known.looked = js_type(seen) == JS_ARRAY;
    for (size_t i = 0; i < js_len(seen); i++)
        for (size_t k = 0; k < j->known.doc_count; k++)
            if (str_eq(docs[k].name, text_of(j, js_at(seen, i), "name")) && !docs[k].gone)
                docs[k].status = text_of(j, js_at(seen, i), "status");
    j->known.docs = docs;
}

static void write_element(struct job *j, struct js_out *w, const struct inv_document *doc)
{
    const struct inv_known_doc *old = inv_known_doc(&j->known, doc->name);
    bool open = old && (str_eq(old->status, STR("DRAFT")) || str_eq(old->status, STR("SUBMITTED")));

    jw_key(w, "element");
    if (doc->action != INV_VOID) {
        inv_write_document(w, doc, j->contact);
        return;
    }
    jw_begin_object(w);
    jw_kstr(w, doc->credit ? "CreditNoteID" : "InvoiceID", doc->id);
    jw_kz(w, "Status", open ? "DELETED" : "VOIDED");
    jw_end_object(w);
}

static void write_documents(struct job *j, struct js_out *w)
{
    static const char *const actions[] = {"keep", "create", "update", "void"};

    jw_key(w, "documents");
    jw_begin_array(w);
    for (size_t i = 0; i < j->wanted.doc_count; i++) {
        const struct inv_document *doc = &j->wanted.docs[i];

        jw_begin_object(w);
        jw_kstr(w, "name", doc->name);
        jw_kbool(w, "credit", doc->credit);
        jw_kz(w, "action", actions[doc->action]);
        jw_kz(w, "total", mon_text(doc->total).z);
        jw_kz(w, "tax", mon_text(doc->total_tax).z);
        if (doc->action != INV_KEEP)
            write_element(j, w, doc);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static size_t missing_payments(const struct inv_wanted *wanted)
{
    size_t n = 0;

    for (size_t i = 0; i < wanted->payment_count; i++)
        n += !wanted->payments[i].made;
    return n;
}

static size_t missing_allocations(const struct inv_wanted *wanted)
{
    size_t n = 0;

    for (size_t i = 0; i < wanted->allocation_count; i++)
        n += !wanted->allocations[i].made;
    return n;
}

static void write_wanted(struct job *j, struct js_out *w)
{
    const struct inv_wanted *wanted = &j->wanted;

    jw_kbool(w, "nothing", wanted->nothing);
    jw_kbool(w, "look_first", wanted->look_first);
    jw_kbool(w, "wait", wanted->wait_for_split);
    jw_kint(w, "payments", (int64_t)missing_payments(wanted));
    jw_kint(w, "allocations", (int64_t)missing_allocations(wanted));
    jw_key(w, "problems");
    jw_begin_array(w);
    for (size_t i = 0; i < wanted->problem_count; i++) {
        jw_begin_object(w);
        jw_kz(w, "doc", inv_doc_text(wanted->problems[i].doc));
        jw_kz(w, "row", wanted->problems[i].catalogue);
        jw_kstr(w, "text", wanted->problems[i].text);
        jw_end_object(w);
    }
    jw_end_array(w);
    write_documents(j, w);
}

static void build(struct job *j, const struct js_value *line, struct js_out *w)
{
    struct errinfo info = {0};
    struct order *o = read_order(j, js_get(line, "parts"), &info);
    enum err e = ERR_MISSING;

    look(j, js_get(line, "looked"));
    j->known.lines_may_change = true;
    j->known.split_wait_over = js_true(js_get(line, "split_over"));
    if (o) {
        j->link = shp_order_link(j->domain, o->id, &j->arena);
        e = inv_build(o, &j->store.invoice, &j->known, j->link, &j->arena, &j->wanted, &info);
    }
    if (e == ERR_OK)
        write_wanted(j, w);
    else
        jw_kz(w, "error", info.text);
}

/* ---- remembering ---- */

static void know_document(struct job *j, const struct js_value *v)
{
    struct inv_known_doc *docs = grown(j, j->known.docs, j->known.doc_count, sizeof *docs);
    struct str name = text_of(j, v, "name"), status = text_of(j, v, "Status");
    const struct inv_document *doc = inv_wanted_doc(&j->wanted, name);
    const struct js_value *shown = js_get(v, "LineItems");
    struct inv_line *lines;
    size_t at = 0;

    if (!doc)
        stop("a document that was not wanted:", name);
    lines = arena_array(&j->arena, js_len(shown) + 1, sizeof *lines);
    for (size_t i = 0; i < js_len(shown) && i < doc->line_count; i++) {
        lines[i] = doc->lines[i];
        lines[i].item_id = text_of(j, js_at(shown, i), "LineItemID");
        lines[i].amount = money_of(j, js_at(shown, i), "LineAmount", doc->currency);
        lines[i].tax = money_of(j, js_at(shown, i), "TaxAmount", doc->currency);
    }
    while (at < j->known.doc_count && !(str_eq(docs[at].name, name) && !docs[at].gone))
        at++;
    if (doc->action == INV_VOID) {
        docs[at].gone = docs[at].withdrawn = true;
        docs[at].status = status;
    } else {
        docs[at] = (struct inv_known_doc){
            .name = name,
            .id = text_of(j, v, doc->credit ? "CreditNoteID" : "InvoiceID"),
            .number = doc->number,
            .status = status,
            .credit = doc->credit,
            .contact_id = j->contact,
            .total = money_of(j, v, "Total", doc->currency),
            .tax = money_of(j, v, "TotalTax", doc->currency),
            .inclusive = doc->inclusive,
            .has_lines = true,
            .lines = lines,
            .line_count = doc->line_count,
        };
        memcpy(docs[at].date, doc->date, sizeof docs[at].date);
    }
    j->known.docs = docs;
    j->known.doc_count += at == j->known.doc_count;
}

static struct str id_of(const struct job *j, struct str name, bool *credit)
{
    const struct inv_known_doc *doc = inv_known_doc(&j->known, name);

    if (!doc)
        stop("money for a document that is not there:", name);
    *credit = doc && doc->credit;
    return doc ? doc->id : STR("");
}

static void write_payments(const struct job *j, struct js_out *w)
{
    jw_key(w, "payments");
    jw_begin_array(w);
    for (size_t i = 0; i < j->wanted.payment_count; i++) {
        const struct inv_payment *p = &j->wanted.payments[i];
        bool credit = false;
        struct str id;

        if (p->made)
            continue;
        id = id_of(j, p->doc, &credit);
        inv_write_payment(w, p, id, credit);
    }
    jw_end_array(w);
}

static void write_allocations(const struct job *j, struct js_out *w)
{
    jw_key(w, "allocations");
    jw_begin_array(w);
    for (size_t i = 0; i < j->wanted.allocation_count; i++) {
        const struct inv_allocation *a = &j->wanted.allocations[i];
        bool credit = false;

        if (a->made)
            continue;
        jw_begin_object(w);
        jw_kstr(w, "note", id_of(j, a->note, &credit));
        jw_key(w, "element");
        inv_write_allocation(w, a, id_of(j, a->doc, &credit));
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void know_payments(struct job *j)
{
    struct inv_payment *all =
        arena_array(&j->arena, j->known.payment_count + j->wanted.payment_count + 1, sizeof *all);
    size_t n = j->known.payment_count;

    if (n > 0)
        memcpy(all, j->known.payments, n * sizeof *all);
    for (size_t i = 0; i < j->wanted.payment_count; i++) {
        if (j->wanted.payments[i].made)
            continue;
        all[n] = j->wanted.payments[i];
        all[n++].made = true;
    }
    j->known.payments = all;
    j->known.payment_count = n;
}

static void know_allocations(struct job *j)
{
    struct inv_allocation *all = arena_array(
        &j->arena, j->known.allocation_count + j->wanted.allocation_count + 1, sizeof *all);
    size_t n = j->known.allocation_count;

    if (n > 0)
        memcpy(all, j->known.allocations, n * sizeof *all);
    for (size_t i = 0; i < j->wanted.allocation_count; i++) {
        if (j->wanted.allocations[i].made)
            continue;
        all[n] = j->wanted.allocations[i];
        all[n++].made = true;
    }
    j->known.allocations = all;
    j->known.allocation_count = n;
}

/* ---- lines ---- */

/* True if there is an answer in W. */
static bool obey(struct job *j, const struct js_value *line, struct js_out *w)
{
    const struct js_value *documents = js_get(line, "documents");

    if (js_get(line, "options")) {
        start(j, line);
        return false;
    }
    jw_begin_object(w);
    if (js_get(line, "parts")) {
        build(j, line, w);
    } else if (documents) {
        for (size_t i = 0; i < js_len(documents); i++)
            know_document(j, js_at(documents, i));
        write_payments(j, w);
    } else if (js_true(js_get(line, "payments"))) {
        know_payments(j);
        write_allocations(j, w);
    } else {
        know_allocations(j);
        return false;
    }
    jw_end_object(w);
    return true;
}

int main(void)
{
    struct job job = {.link = NULL};
    struct buf answer = BUF_CAP(MAX_LINE);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) > 0) {
        struct js_doc doc = {0};
        struct js_out w;
        struct errinfo info = {0};

        buf_reset(&answer);
        jw_init(&w, &answer);
        if (js_parse((struct str){line, (size_t)n}, MAX_LINE, &doc, &info) != ERR_OK)
            stop("no JSON:", str_of(info.text));
        if (obey(&job, doc.root, &w)) {
            buf_addc(&answer, '\n');
            if (buf_check(&answer) != ERR_OK)
                stop("the answer is too long", STR(""));
            fwrite(answer.p, 1, answer.n, stdout);
            fflush(stdout);
        }
        js_free(&doc);
    }
    arena_free(&job.arena);
    buf_free(&answer);
    free(line);
    return 0;
}

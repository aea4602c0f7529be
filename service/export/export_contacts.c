#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"
#include "service/sync/catalogue.h"

/* A where clause of 50 marks of 40 digits. */
#define PATH_MAX_BYTES (16u << 10)

/* Look up, make under the own name, make under the distinct name; each round looks up first. */
#define ROUNDS 3

static bool needs_contact(const struct work_order *x)
{
    return !x->ended && x->contact_id.n == 0 && x->wanted.doc_count > 0 &&
           x->wanted.docs[0].action == INV_CREATE;
}

static struct str mark_of(const struct work_order *x)
{
    return str_of(x->wanted.contact.number);
}

static void assign(struct work *w, struct str mark, struct str id)
{
    id = arena_str(&w->arena, id);
    for (size_t i = 0; i < w->count; i++) {
        if (needs_contact(&w->orders[i]) && str_eq(mark_of(&w->orders[i]), mark))
            w->orders[i].contact_id = id;
    }
}

static void fail_all(struct work *w, struct str mark, const struct str *messages, size_t n)
{
    for (size_t i = 0; i < w->count; i++) {
        if (needs_contact(&w->orders[i]) && str_eq(mark_of(&w->orders[i]), mark))
            exp_refused(w, &w->orders[i], "Contact", messages, n);
    }
}

/* ---- remembered ids ---- */

static struct str contacts_key(struct work *w)
{
    return str_of(arena_printf(&w->arena, RDS_PREFIX "contacts:%s", w->lease->connection));
}

/* Without Redis' memory the contacts are looked up in Xero: slower, not wrong. */
static void recall(struct work *w)
{
    struct str *argv = arena_array(&w->arena, w->count + 2, sizeof(*argv));
    struct work_order **asked = arena_array(&w->arena, w->count + 1, sizeof(struct work_order *));
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};
    size_t n = 0;

    argv[0] = STR("HMGET");
    argv[1] = contacts_key(w);
    for (size_t i = 0; i < w->count; i++) {
        if (!needs_contact(&w->orders[i]) || w->orders[i].contact_anew)
            continue;
        asked[n] = &w->orders[i];
        argv[2 + n++] = mark_of(&w->orders[i]);
    }
    if (n == 0 || rds_call(w->redis, argv, n + 2, &reply, &info) != ERR_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        struct str id = rds_text(rds_at(reply, i));

        if (id.n > 0) {
            asked[i]->contact_id = arena_str(&w->arena, id);
            asked[i]->contact_kept = true;
        }
    }
    rds_free(reply);
}

static void remember(struct work *w)
{
    struct str *argv = arena_array(&w->arena, 2 * w->count + 2, sizeof(*argv));
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};
    size_t n = 2;

    argv[0] = STR("HSET");
    argv[1] = contacts_key(w);
    for (size_t i = 0; i < w->count; i++) {
        if (w->orders[i].contact_id.n == 0 || w->orders[i].contact_kept)
            continue;
        argv[n++] = mark_of(&w->orders[i]);
        argv[n++] = w->orders[i].contact_id;
    }
    if (n > 2)
        err_ignore(rds_call(w->redis, argv, n, &reply, &info), "it is looked up again next time");
    rds_free(reply);
}

bool exp_renew_contact(struct work *w, struct work_order *x)
{
    struct str argv[] = {STR("HDEL"), contacts_key(w), mark_of(x)};
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};

    if (!x->contact_kept)
        return false;
    err_ignore(rds_call(w->redis, argv, 3, &reply, &info), "the next export finds out again");
    rds_free(reply);
    x->contact_id = STR("");
    x->contact_kept = false;
    x->contact_anew = true;
    return true;
}

/* ---- looking up ---- */

/* One element a customer: two orders of one share it. */
static struct element *open_contacts(struct work *w, size_t *count)
{
    struct element *elements = arena_array(&w->arena, w->count + 1, sizeof(*elements));
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];
        bool there = false;

        if (!needs_contact(x))
            continue;
        for (size_t k = 0; k < n; k++)
            there = there || str_eq(elements[k].number, mark_of(x));
        if (!there)
            elements[n++] = (struct element){.x = x, .number = mark_of(x)};
    }
    *count = n;
    return elements;
}

/* Archived contacts take no documents; a merged one goes by the contact that it was merged into. */
static void adopt_contact(struct work *w, const struct xero_element *v)
{
    struct str merged = STR(""), message;

    if (str_eq(v->status, STR("ACTIVE")) || v->status.n == 0) {
        assign(w, v->number, v->id);
        return;
    }
    if (js_text(js_get(v->value, "MergedToContactID"), &merged) && merged.n > 0) {
        log_info("contact_merged", "A contact was merged in Xero; its documents follow.",
                 LOG_STR("contact", v->id), LOG_STR("into", merged));
        assign(w, v->number, merged);
        return;
    }
    message = STR("The contact with the specified contact details has been archived. The contact "
                  "must be un-archived before creating new invoices or credit notes.");
    fail_all(w, v->number, &message, 1);
}

static enum work_next look_up_batch(struct work *w, const struct element *elements, size_t n)
{
    struct buf path = BUF_CAP(PATH_MAX_BYTES);
    struct xero_element *found = NULL;
    struct xero_answer a;
    struct errinfo info = {0};
    enum work_next next;
    size_t got = 0;

    buf_addz(&path, "Contacts?where=");
    for (size_t i = 0; i < n; i++)
        buf_printf(&path, "%sContactNumber%%3D%%3D%%22%.*s%%22", i > 0 ? "%20OR%20" : "",
                   STR_FMT(elements[i].number));
    buf_addz(&path, "&includeArchived=true&page=1&pageSize=100");
    next = exp_send(w, "GET", buf_z(&path), NULL, &a);
    if (next == WORK_GO && (a.verdict != XERO_ANSWERED ||
                            xero_elements(&a, "Contacts", &found, &got, &info) != ERR_OK)) {
        exp_hold(w, exp_down_ms(w), "Xero does not answer look-ups: %.*s",
                 STR_FMT(str_cut(a.message, 200)));
        next = WORK_HAND_BACK;
    }
    for (size_t i = 0; i < got; i++)
        adopt_contact(w, &found[i]);
    xero_answer_free(&a);
    buf_free(&path);
    return next;
}

/* ---- making ---- */

static void write_contact(struct js_out *out, const struct element *el)
{
    inv_write_contact(out, &el->x->wanted.contact, el->x->distinct);
}

static void use_distinct_name(struct work *w, struct str mark)
{
    for (size_t i = 0; i < w->count; i++) {
        if (str_eq(mark_of(&w->orders[i]), mark))
            w->orders[i].distinct = true;
    }
}

static void apply_contact(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->ok) {
        assign(w, el->number, v->id);
        return;
    }
    for (size_t i = 0; i < v->message_count; i++) {
        const struct cat_row *row = cat_match(v->messages[i]);

        if (strcmp(row->id, "contact-name-taken") == 0 && el->x && !el->x->distinct) {
            use_distinct_name(w, el->number);
            return;
        }
        /* Made meanwhile by somebody else, or perhaps by this call: the next round looks. */
        if (strcmp(row->id, "contact-number-taken") == 0 || row->retry == CAT_LOOK_UP) {
            exp_keep_doubts(w, el, v);
            return;
        }
    }
    fail_all(w, el->number, v->messages, v->message_count);
}

/* Contacts are looked up by their mark before each try anyway. */
static enum work_next look_up_later(struct work *w, struct call *c)
{
    (void)w;
    for (size_t i = 0; i < c->n; i++)
        c->elements[i].open = false;
    return WORK_GO;
}

const struct call_kind exp_contacts = {
    "contacts",    "PUT",         "Contacts?summarizeErrors=false",
    "Contacts",    "Contact",     write_contact,
    apply_contact, look_up_later, NULL};

/* Contacts that no round brought about: as Xero's last words of them say. */
static void fail_open(struct work *w, const struct element *asked, size_t asked_count)
{
    struct str message = STR("The contact could not be made: Xero shows none with our mark and "
                             "takes none.");
    size_t n = 0;
    const struct element *open = open_contacts(w, &n);

    for (size_t i = 0; i < n; i++) {
        const struct element *el = NULL;

        for (size_t k = 0; k < asked_count && !el; k++)
            el = str_eq(asked[k].number, open[i].number) ? &asked[k] : NULL;
        if (el && el->doubt_count > 0)
            fail_all(w, open[i].number, el->doubts, el->doubt_count);
        else
            fail_all(w, open[i].number, &message, 1);
    }
}

enum work_next exp_resolve_contacts(struct work *w)
{
    enum work_next next = WORK_GO;
    struct element *open = NULL;
    size_t n = 0;

    recall(w);
    for (int round = 0; round < ROUNDS && next == WORK_GO; round++) {
        open = open_contacts(w, &n);
        for (size_t i = 0; i < n && next == WORK_GO; i += LIM_XERO_BATCH)
            next = look_up_batch(w, open + i, n - i < LIM_XERO_BATCH ? n - i : LIM_XERO_BATCH);
        if (next != WORK_GO)
            break;
        open = open_contacts(w, &n);
        if (n == 0)
            break;
        next = exp_make(w, &exp_contacts, open, n);
    }
    remember(w);
    if (next == WORK_GO)
        fail_open(w, open, n);
    return next;
}

#include <stdio.h>

#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_contacts_parts.h"
#include "service/sync/catalogue.h"

/* How often Xero is asked to make a contact: under its own name, under the distinct one, and once
 * more where it had a fault. */
#define MAKES 3

/* Until Redis is tried again. */
#define REDIS_AGAIN_MS 1000

static bool needs_contact(const struct work_order *x)
{
    return !x->ended && x->contact_id.n == 0 && x->wanted.doc_count > 0 &&
           x->wanted.docs[0].action == INV_CREATE;
}

static struct str mark_of(const struct work_order *x)
{
    return str_of(x->wanted.contact.number);
}

/* The first open order of MARK; NULL: all have their contact, or have ended. */
static struct work_order *open_order(struct work *w, struct str mark)
{
    for (size_t i = 0; i < w->count; i++) {
        if (needs_contact(&w->orders[i]) && str_eq(mark_of(&w->orders[i]), mark))
            return &w->orders[i];
    }
    return NULL;
}

void exp_use_contact(struct work *w, struct customer *c, struct str id)
{
    struct work_order *x;

    id = arena_str(&w->arena, id);
    while (id.n > 0 && (x = open_order(w, c->mark)) != NULL)
        x->contact_id = id;
    c->next = WHO_DONE;
}

void exp_refuse_customer(struct work *w, struct customer *c, const struct str *messages, size_t n)
{
    struct work_order *x;

    while (n > 0 && (x = open_order(w, c->mark)) != NULL)
        exp_refused(w, x, inv_doc_text(INV_DOC_CONTACT), messages, n);
    c->next = WHO_DONE;
}

void exp_fail_customer(struct work *w, struct customer *c, const char *id, const char *fmt, ...)
{
    struct work_order *x;
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    while ((x = open_order(w, c->mark)) != NULL)
        exp_fail_one(w, x, inv_doc_text(INV_DOC_CONTACT), id, "%s", line);
    c->next = WHO_DONE;
}

/* ---- what is known: mapped by a person, remembered from earlier exports ---- */

static struct str key_of(struct work *w, const char *what)
{
    return str_of(arena_printf(&w->arena, RDS_PREFIX "%s:%s", what, w->lease->connection));
}

static void recall_one(struct work *w, struct work_order *x, struct str mapped, struct str kept)
{
    x->mapped_id = arena_str(&w->arena, mapped);
    x->contact_kept = mapped.n == 0 && kept.n > 0;
    x->contact_id = mapped.n > 0 ? x->mapped_id : arena_str(&w->arena, kept);
}

/* What a person has mapped counts, so it is not done without. ERR_OK or Redis' error. */
static enum err recall(struct work *w, struct errinfo *info)
{
    struct str *mapped = arena_array(&w->arena, w->count + 2, sizeof(*mapped));
    struct str *kept = arena_array(&w->arena, w->count + 2, sizeof(*kept));
    struct work_order **asked = arena_array(&w->arena, w->count + 1, sizeof(struct work_order *));
    struct rds_reply *replies[2] = {NULL, NULL};
    size_t n = 0;
    enum err e;

    for (size_t i = 0; i < w->count; i++) {
        if (!needs_contact(&w->orders[i]) || w->orders[i].contact_anew)
            continue;
        asked[n] = &w->orders[i];
        mapped[2 + n++] = mark_of(&w->orders[i]);
    }
    if (n == 0)
        return ERR_OK;
    memcpy(kept, mapped, (n + 2) * sizeof(*kept));
    mapped[0] = kept[0] = STR("HMGET");
    mapped[1] = key_of(w, "mapped");
    kept[1] = key_of(w, "contacts");
    e = rds_pipeline(w->redis, (struct rds_command[]){{mapped, n + 2}, {kept, n + 2}}, 2, replies,
                     info);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < n; i++)
        recall_one(w, asked[i], rds_text(rds_at(replies[0], i)), rds_text(rds_at(replies[1], i)));
    rds_free(replies[0]);
    rds_free(replies[1]);
    return ERR_OK;
}

/* A cache: without it contacts are looked up in Xero, slower, not wrong. */
static void remember(struct work *w, struct str *argv, size_t n)
{
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};

    argv[0] = STR("HSET");
    argv[1] = key_of(w, "contacts");
    if (n > 2)
        err_ignore(rds_call(w->redis, argv, n, &reply, &info), "it is looked up again next time");
    rds_free(reply);
}

static void remember_all(struct work *w)
{
    struct str *argv = arena_array(&w->arena, 2 * w->count + 2, sizeof(*argv));
    size_t n = 2;

    for (size_t i = 0; i < w->count; i++) {
        const struct work_order *x = &w->orders[i];

        if (x->contact_id.n == 0 || x->contact_kept || x->mapped_id.n > 0)
            continue;
        argv[n++] = mark_of(x);
        argv[n++] = x->contact_id;
    }
    remember(w, argv, n);
}

bool exp_renew_contact(struct work *w, struct work_order *x)
{
    struct str argv[] = {STR("HDEL"), key_of(w, "contacts"), mark_of(x)};
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};

    if (x->contact_anew || (!x->contact_kept && x->mapped_id.n == 0))
        return false;
    if (x->contact_kept)
        err_ignore(rds_call(w->redis, argv, 3, &reply, &info), "the next export finds out again");
    rds_free(reply);
    x->contact_id = STR("");
    x->contact_kept = false;
    x->contact_anew = true;
    x->another_try = true;
    return true;
}

/* ---- making ---- */

static void write_contact(struct js_out *out, const struct element *el)
{
    inv_write_contact(out, &el->x->wanted.contact, el->customer->distinct);
}

static void keep_doubts(struct work *w, struct customer *c, const struct xero_element *v)
{
    struct element el = {0};

    exp_keep_doubts(w, &el, v);
    c->doubts = el.doubts;
    c->doubt_count = el.doubt_count;
}

static void not_made(struct work *w, struct customer *c, const struct xero_element *v)
{
    bool name_taken = false;

    keep_doubts(w, c, v);
    for (size_t i = 0; i < v->message_count; i++) {
        const struct cat_row *row = cat_match(v->messages[i]);

        name_taken = name_taken || strcmp(row->id, "contact-name-taken") == 0;
        /* Made meanwhile by somebody else, or perhaps by this call. */
        if (strcmp(row->id, "contact-number-taken") == 0 || row->retry == CAT_LOOK_UP) {
            c->next = WHO_NUMBER;
            return;
        }
    }
    if (!name_taken || c->distinct) {
        exp_refuse_customer(w, c, v->messages, v->message_count);
    } else {
        c->distinct = !exp_can_ask_name(c->x->wanted.contact.name);
        c->next = c->distinct ? WHO_MAKE : WHO_NAME;
    }
}

static void apply_contact(struct work *w, struct element *el, const struct xero_element *v)
{
    if (!el->customer && v->ok) /* another worker's call, before this one has read the orders */
        remember(w, (struct str[]){{NULL, 0}, {NULL, 0}, el->number, v->id}, 4);
    else if (el->customer && v->ok)
        exp_use_contact(w, el->customer, v->id);
    else if (el->customer)
        not_made(w, el->customer, v);
}

/* Whether it was made is seen by its mark. */
static enum work_next look_up_later(struct work *w, struct call *c)
{
    (void)w;
    for (size_t i = 0; i < c->n; i++) {
        if (c->elements[i].open && c->elements[i].customer)
            c->elements[i].customer->next = WHO_NUMBER;
        c->elements[i].open = false;
    }
    return WORK_GO;
}

const struct call_kind exp_contacts = {.name = "contacts",
                                       .method = "PUT",
                                       .path = "Contacts?summarizeErrors=false",
                                       .list = "Contacts",
                                       .document = "Contact",
                                       .write = write_contact,
                                       .apply = apply_contact,
                                       .look_up = look_up_later};

/* Two customers with one address, of two stores, are one person: the second one is looked for again
 * when the first one is there. */
static bool address_is_among(const struct customer *c, const struct element *elements, size_t n)
{
    const struct inv_contact *mine = &c->x->wanted.contact;

    for (size_t i = 0; i < n && mine->by_email; i++) {
        const struct inv_contact *other = &elements[i].x->wanted.contact;

        if (other->by_email && str_eq_nocase(other->email, mine->email))
            return true;
    }
    return false;
}

/* Xero never said a word of it. */
static void put_off(struct work *w, struct customer *c)
{
    struct work_order **orders = arena_array(&w->arena, w->count + 1, sizeof(struct work_order *));
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++)
        if (needs_contact(&w->orders[i]) && str_eq(mark_of(&w->orders[i]), c->mark))
            orders[n++] = &w->orders[i];
    exp_put_off(w, orders, n, inv_doc_text(INV_DOC_CONTACT));
    c->next = WHO_DONE;
}

static enum work_next make(struct work *w, struct customer *all, size_t n)
{
    struct element *elements = arena_array(&w->arena, n + 1, sizeof(*elements));
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        struct customer *c = &all[i];

        if (c->next != WHO_MAKE)
            continue;
        if (c->makes == MAKES && c->doubt_count > 0) {
            exp_refuse_customer(w, c, c->doubts, c->doubt_count);
        } else if (c->makes == MAKES) {
            put_off(w, c);
        } else if (address_is_among(c, elements, count)) {
            c->next = WHO_EMAIL;
        } else {
            c->makes++;
            elements[count++] = (struct element){.x = c->x, .customer = c, .number = c->mark};
        }
    }
    return exp_make(w, &exp_contacts, elements, count);
}

/* ---- from step to step ---- */

static void begin(struct customer *c)
{
    const struct work_order *x = c->x;

    c->id = x->mapped_id;
    if (x->mapped_id.n > 0)
        c->next = WHO_ID;
    else if (x->contact_anew)
        c->next = WHO_NUMBER;
    else
        c->next = x->wanted.contact.by_email ? WHO_EMAIL : WHO_MAKE;
}

/* One for all orders with the same mark. */
static struct customer *customers(struct work *w, size_t *count)
{
    struct customer *all = arena_array(&w->arena, w->count + 1, sizeof(*all));

    *count = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        if (!needs_contact(x) || open_order(w, mark_of(x)) != x)
            continue;
        all[*count] = (struct customer){.x = x, .mark = mark_of(x)};
        begin(&all[(*count)++]);
    }
    return all;
}

/* What is next for any of them, questions first; WHO_DONE: nothing. */
static enum customer_next first_next(struct work *w, struct customer *all, size_t n)
{
    enum customer_next first = WHO_DONE;

    for (size_t i = 0; i < n; i++) {
        all[i].x = open_order(w, all[i].mark);
        if (!all[i].x)
            all[i].next = WHO_DONE;
        first = all[i].next < first ? all[i].next : first;
    }
    return first;
}

enum work_next exp_resolve_contacts(struct work *w)
{
    enum work_next next = WORK_GO;
    enum customer_next step;
    struct errinfo info = {0};
    struct customer *all;
    size_t n = 0;

    if (recall(w, &info) != ERR_OK) {
        log_warn("contacts_unread", "The mapped contacts cannot be read; the orders go back.",
                 LOG_Z("error", info.text));
        w->again_ms = REDIS_AGAIN_MS;
        return WORK_HAND_BACK;
    }
    all = customers(w, &n);
    while (next == WORK_GO && (step = first_next(w, all, n)) != WHO_DONE)
        next = step == WHO_MAKE ? make(w, all, n) : exp_ask_contacts(w, all, n);
    remember_all(w);
    return next;
}

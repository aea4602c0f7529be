/*
 * DESIGN: who is who in Xero. Our mark (ContactNumber) is the surest sign, then an e-mail address
 * that exactly one active contact has, then the exact name. Xero keeps marks, and names of active
 * contacts, unique: making a contact finds out whether either is taken, and only then is it worth a
 * look-up. Addresses are not unique, so a new customer's is looked for first: one question for all
 * new customers of a batch. A contact found by its address is taken only once a second look-up has
 * shown that none has our mark, perhaps an archived one.
 *
 * A namesake is plainly the customer only if it has no number (another program's, or our own of
 * another party) and no other address: an address that is not the customer's tells of somebody
 * else, and of a customer without one nothing tells that it is his. A contact too many can be
 * merged in Xero; a sale in a stranger's account is wrong. Names are compared without the case of
 * ASCII letters; Xero ignores that of all, and what only Xero takes for equal stays a namesake.
 */
#include "service/base/log.h"
#include "service/export/export_contacts_parts.h"

/* Xero's front end answers 404 to a query of more than 2,048 bytes; its documentation names no
 * limit. A longer one saves calls where it is taken, so it is tried until it is refused once. */
#define QUERY_SURE 2048
#define QUERY_MOST (12u << 10)
static _Atomic size_t query_max = QUERY_MOST; /* of all threads */

#define QUERY_HEAD "Contacts?"
#define QUERY_TAIL "&includeArchived=true&page=1&pageSize=1000"
#define PAGE 1000

/* A contact that was merged into one that was merged into one... */
#define MERGERS_MOST 10

/* ---- the question ---- */

static bool asks(const struct customer *c)
{
    return c->next <= WHO_ID;
}

/* Quotes and backslashes end or alter a text in a filter, and Xero describes no way around. */
bool exp_can_ask_name(struct str name)
{
    return !memchr(name.p, '"', name.n) && !memchr(name.p, '\\', name.n);
}

/* The text of a condition; the @ of an address may stand as it is. */
static void add_text(struct buf *out, struct str text)
{
    struct str rest = text;

    buf_addz(out, "%22");
    buf_add_percent(out, str_split(&rest, '@'));
    if (rest.p) {
        buf_addc(out, '@');
        buf_add_percent(out, rest);
    }
    buf_addz(out, "%22");
}

static void add_condition(struct buf *out, const struct customer *c)
{
    const struct inv_contact *contact = &c->x->wanted.contact;

    if (c->next == WHO_EMAIL) {
        buf_addz(out, "EmailAddress==");
        add_text(out, contact->email);
    } else if (c->next == WHO_NUMBER) {
        buf_addz(out, "ContactNumber==");
        add_text(out, c->mark);
    } else if (c->next == WHO_NAME) {
        buf_addz(out, "Name==");
        add_text(out, contact->name);
    } else {
        buf_addz(out, "ContactID==Guid(");
        add_text(out, c->id);
        buf_addc(out, ')');
    }
}

/* One question for the first of N customers: at most MOST of them, and a query that Xero takes.
 * Returns how many of the N it covers, and how many of these it asks for. */
static size_t compose(struct buf *path, const struct customer *all, size_t n, size_t most,
                      size_t *asked)
{
    size_t room = sizeof(QUERY_HEAD) - 1 + query_max - (sizeof(QUERY_TAIL) - 1), end = 0;
    struct buf one = BUF_CAP(QUERY_SURE);

    *asked = 0;
    buf_reset(path);
    buf_addz(path, QUERY_HEAD "where=");
    for (; end < n && *asked < most; end++) {
        if (!asks(&all[end]))
            continue;
        buf_reset(&one);
        buf_addz(&one, *asked > 0 ? "+OR+" : "");
        add_condition(&one, &all[end]);
        if (*asked > 0 && path->n + one.n > room)
            break;
        buf_add_str(path, buf_str(&one));
        ++*asked;
    }
    buf_addz(path, QUERY_TAIL);
    buf_free(&one);
    return end;
}

/* ---- the answer ---- */

static bool is_active(const struct xero_element *v)
{
    return v->status.n == 0 || str_eq(v->status, STR("ACTIVE"));
}

static struct str member(const struct xero_element *v, const char *name)
{
    struct str text = STR("");

    return js_text(js_get(v->value, name), &text) ? text : STR("");
}

/* The contact with our mark. Xero ignores the case of numbers. */
static const struct xero_element *ours(const struct customer *c, const struct xero_element *found,
                                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(found[i].number, c->mark))
            return &found[i];
    }
    return NULL;
}

/* The one active contact whose member NAME is TEXT; NULL if there is none, or more than one. A
 * company's that we made has the address of somebody who bought for it, and does not count. */
static const struct xero_element *only(const char *name, struct str text,
                                       const struct xero_element *found, size_t n)
{
    const struct xero_element *one = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!is_active(&found[i]) || !str_eq_nocase(member(&found[i], name), text) ||
            (str_eq(str_of(name), STR("EmailAddress")) && inv_is_company_mark(found[i].number)))
            continue;
        if (one)
            return NULL;
        one = &found[i];
    }
    return one;
}

/* Nothing about a namesake tells that it is somebody else. */
static bool plainly_same(const struct customer *c, const struct xero_element *v)
{
    struct str email = member(v, "EmailAddress");

    return v->number.n == 0 && (email.n == 0 || str_eq_nocase(email, c->x->wanted.contact.email));
}

/* A person chose this contact, and Xero did not take it. */
static void judge_mapped(struct work *w, struct customer *c, const struct xero_element *v)
{
    struct str merged = v ? member(v, "MergedToContactID") : STR("");
    const char *why = !v             ? "is not in Xero (any more)"
                      : merged.n > 0 ? "was merged in Xero into the contact "
                      : str_eq(v->status, STR("GDPRREQUEST")) ? "is kept in Xero for a GDPR request"
                                                              : "is archived in Xero";

    if (v && is_active(v))
        exp_use_contact(w, c, v->id);
    else
        exp_fail_customer(w, c, "contact-mapped",
                          "The customer is mapped to the Xero contact %.*s, which %s%.*s.",
                          STR_FMT(c->id), why, STR_FMT(merged));
}

/* V has our mark, or is what such a contact was merged into. Archived ones take no documents. */
static void adopt(struct work *w, struct customer *c, const struct xero_element *v)
{
    static const struct str archived =
        STR_INIT("The contact with the specified contact details has been archived. The contact "
                 "must be un-archived before creating new invoices or credit notes.");
    struct str merged = member(v, "MergedToContactID");

    if (is_active(v)) {
        exp_use_contact(w, c, v->id);
    } else if (str_eq(v->status, STR("GDPRREQUEST"))) {
        exp_fail_customer(w, c, "contact-gdpr",
                          "Xero keeps the customer's contact for a GDPR request, so it takes no "
                          "documents.");
    } else if (merged.n > 0 && c->mergers < MERGERS_MOST) {
        log_info("contact_merged", "A contact was merged in Xero; its documents follow.",
                 LOG_STR("contact", v->id), LOG_STR("into", merged));
        c->mergers++;
        c->id = arena_str(&w->arena, merged);
        c->next = WHO_ID;
    } else {
        exp_refuse_customer(w, c, &archived, 1);
    }
}

/* No contact has our mark: what was found before is taken, or looked for now. */
static void mark_is_free(struct work *w, struct customer *c)
{
    c->mark_is_free = true;
    if (c->by_email.n > 0)
        exp_use_contact(w, c, c->by_email);
    else
        c->next = c->x->wanted.contact.by_email && !c->email_asked ? WHO_EMAIL : WHO_MAKE;
}

static void found_by_email(struct work *w, struct customer *c, const struct xero_element *v)
{
    c->email_asked = true;
    if (!v) {
        c->next = WHO_MAKE;
    } else if (c->mark_is_free) {
        exp_use_contact(w, c, v->id);
    } else {
        c->by_email = arena_str(&w->arena, v->id);
        c->next = WHO_NUMBER;
    }
}

/* Decides by what Xero FOUND for all that was asked. */
static void decide(struct work *w, struct customer *c, const struct xero_element *found, size_t n)
{
    const struct inv_contact *contact = &c->x->wanted.contact;
    const struct xero_element *v = ours(c, found, n);

    if (c->next == WHO_ID) {
        v = NULL;
        for (size_t i = 0; i < n && !v; i++)
            v = str_eq_nocase(found[i].id, c->id) ? &found[i] : NULL;
        if (c->x->mapped_id.n > 0)
            judge_mapped(w, c, v);
        else if (v)
            adopt(w, c, v);
        else
            exp_fail_customer(w, c, "contact-archived",
                              "The customer's contact was merged in Xero into the contact %.*s, "
                              "which is not there any more.",
                              STR_FMT(c->id));
    } else if (v) {
        adopt(w, c, v);
    } else if (c->next == WHO_EMAIL) {
        found_by_email(w, c, only("EmailAddress", contact->email, found, n));
    } else if (c->next == WHO_NUMBER) {
        mark_is_free(w, c);
    } else {
        v = only("Name", contact->name, found, n);
        c->distinct = !v || !plainly_same(c, v);
        if (c->distinct)
            c->next = WHO_MAKE;
        else
            exp_use_contact(w, c, v->id);
    }
}

/* ---- asking ---- */

/* Xero refuses to answer, perhaps since it has more contacts than it likes to search. Without a
 * look-up new contacts can still be made: Xero itself keeps marks and names unique. */
static void go_without(struct work *w, struct customer *all, size_t n, struct xero_answer *a)
{
    log_warn("contacts_unknown", "Xero refuses to look for contacts; new ones are made.",
             LOG_STR("error", a->message));
    for (size_t i = 0; i < n; i++) {
        if (all[i].next == WHO_ID)
            exp_refuse_customer(w, &all[i], a->messages, a->message_count);
        else if (asks(&all[i]))
            decide(w, &all[i], NULL, 0);
    }
}

/* One question. *MOST becomes less, and nothing is decided, if it has to be put in parts. */
static enum work_next ask(struct work *w, struct customer *all, size_t n, size_t asked,
                          const struct buf *path, size_t *most)
{
    struct xero_element *found = NULL;
    struct xero_answer a;
    struct errinfo info = {0};
    enum work_next next = exp_send(w, "GET", buf_z(path), NULL, &a);
    size_t got = 0;

    if (next != WORK_GO) {
        xero_answer_free(&a);
        return next;
    }
    if (a.verdict == XERO_ANSWERED &&
        xero_elements(&a, "Contacts", &found, &got, &info) == ERR_OK) {
        if (got >= PAGE && asked > 1)
            *most = asked / 2;
        else
            for (size_t i = 0; i < n; i++)
                if (asks(&all[i]))
                    decide(w, &all[i], found, got);
    } else if (a.verdict != XERO_ANSWERED && asked > 1 &&
               path->n - (sizeof(QUERY_HEAD) - 1) > QUERY_SURE) {
        query_max = QUERY_SURE;
        *most = asked - 1;
    } else if (a.verdict == XERO_REFUSED) {
        go_without(w, all, n, &a);
    } else {
        exp_hold(w, exp_down_ms(w), "Xero does not answer look-ups: %.*s",
                 STR_FMT(str_cut(a.message, 200)));
        next = WORK_HAND_BACK;
    }
    xero_answer_free(&a);
    return next;
}

enum work_next exp_ask_contacts(struct work *w, struct customer *all, size_t n)
{
    struct buf path = BUF_CAP(QUERY_MOST + QUERY_SURE);
    enum work_next next = WORK_GO;
    size_t i = 0, most = n;

    while (i < n && next == WORK_GO) {
        size_t asked = 0, before = most, end = compose(&path, all + i, n - i, most, &asked);

        if (asked > 0)
            next = ask(w, all + i, end, asked, &path, &most);
        if (most == before)
            i += end;
    }
    buf_free(&path);
    return next;
}

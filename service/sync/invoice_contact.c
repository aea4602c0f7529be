#include "service/sync/invoice.h"

#include "service/base/crypto.h"
#include "service/sync/invoice_parts.h"

#define MAX_NAME 255
#define SUFFIX 11 /* " (01234567)" */

/* TEXT as Xero takes a contact's name: no angle brackets, no control characters, no blanks at the
 * ends or two in a row, well-formed UTF-8, at most MAX bytes. May come out empty. */
static struct str clean_name(struct str text, size_t max, struct arena *arena)
{
    char *p = arena_alloc(arena, text.n + 1);
    size_t n = 0;

    while (text.n > 0) {
        size_t len = str_utf8(text);
        bool blank = (unsigned char)*text.p <= ' ' || *text.p == 0x7f ||
                     str_starts(text, STR("\xc2\xa0")); /* no-break space */

        if (blank) {
            if (n > 0 && p[n - 1] != ' ')
                p[n++] = ' ';
        } else if (len > 0 && *text.p != '<' && *text.p != '>') {
            memcpy(p + n, text.p, len);
            n += len;
        }
        len = len ? len : 1;
        text = (struct str){text.p + len, text.n - len};
    }
    return str_trim(str_cut((struct str){p, n}, max));
}

/* Plainly one ASCII address: Xero refuses the contact for anything else, so that is left out. */
static bool is_plain_email(struct str s)
{
    struct str domain = s, local = str_split(&domain, '@');
    const char *dot = domain.n ? memchr(domain.p, '.', domain.n) : NULL;

    if (s.n > MAX_NAME || local.n == 0 || local.n > 64 || !dot || memchr(domain.p, '@', domain.n))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool edge = i == 0 || i == local.n || i + 1 == local.n || i == local.n + 1 || i + 1 == s.n;

        if ((unsigned char)c <= ' ' || (unsigned char)c >= 0x7f || strchr("\"(),:;<>[]\\", c))
            return false;
        if (c == '.' && (edge || s.p[i + 1] == '.'))
            return false;
        if (i > local.n && strchr("!#$%&'*+/=?^_`{|}~", c))
            return false;
    }
    return true;
}

struct str inv_handle(const struct order *o)
{
    struct str rest = o->store, handle = str_split(&rest, '.');

    return handle.n ? handle : o->store;
}

/* Our mark of whom the contact stands for; the same party gives the same mark for ever. */
static void mark_contact(const struct inv_work *w, const char *kind, struct str id,
                         struct inv_contact *c)
{
    char *mark = arena_printf(w->arena, "%.*s/%.*s/%s/%.*s", STR_FMT(w->o->platform),
                              STR_FMT(w->o->store), kind, STR_FMT(id));
    char hash[17];

    cry_short_hash(str_of(mark), hash);
    memcpy(c->number, hash, sizeof hash);
}

void inv_make_contact(struct inv_work *w, struct inv_contact *c)
{
    const struct ord_party *party = &w->o->party;
    struct arena *a = w->arena;
    struct str handle = inv_handle(w->o), name = {NULL, 0};

    *c = (struct inv_contact){.number = ""};
    if (w->s->contact_single) {
        mark_contact(w, "single", STR(""), c);
        name = clean_name(w->s->contact_name.n ? w->s->contact_name : handle, MAX_NAME, a);
    } else if (party->is_company || party->customer_id.n > 0) {
        if (party->customer_id.n > 0)
            mark_contact(w, "customer", party->customer_id, c);
        else
            mark_contact(w, "company", party->company, c);
        if (party->is_company)
            name = clean_name(party->company, MAX_NAME, a);
        if (name.n == 0)
            name = clean_name(party->name, MAX_NAME, a);
        if (name.n == 0)
            name = clean_name(party->email, MAX_NAME, a);
        if (name.n == 0)
            name = str_of(arena_printf(a, "Customer %.*s", STR_FMT(party->customer_id)));
        if (is_plain_email(party->email))
            c->email = party->email;
    } else {
        mark_contact(w, "guest", STR(""), c);
        name = str_of(arena_printf(a, "%.*s guest", STR_FMT(clean_name(handle, 200, a))));
    }
    c->name = name.n ? name : STR("Customer");
    c->distinct_name = str_of(arena_printf(
        a, "%.*s (%.8s)", STR_FMT(str_trim(str_cut(c->name, MAX_NAME - SUFFIX))), c->number));
}

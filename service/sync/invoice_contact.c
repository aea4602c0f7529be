#include "service/sync/invoice.h"

#include <stdio.h>

#include "service/base/crypto.h"
#include "service/base/limits.h"
#include "service/sync/invoice_parts.h"

#define MAX_NAME 255
#define MAX_ACCOUNT_NUMBER 50
#define SUFFIX 11 /* " (01234567)" */
#define COMPANY "company-"
#define COMPANY_MARK "co-"

/* How many bytes at the start of TEXT are shown as nothing or as a blank: control characters, every
 * kind of space, changes of direction. 0: none. */
static size_t blank_at(struct str text)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x00, 0x20},     {0x7f, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200b},
                  {0x2028, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    size_t len = str_utf8(text);
    uint32_t c = len > 0 ? (unsigned char)text.p[0] : 'x';

    if (len > 1)
        c &= 0x3fu >> (len - 1);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)text.p[i] & 0x3fu);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return len;
    return 0;
}

/* TEXT as Xero takes a contact's name: no angle brackets, no control characters, no blanks at the
 * ends or two in a row, well-formed UTF-8, at most MAX bytes. May come out empty. */
static struct str clean_name(struct str text, size_t max, struct arena *arena)
{
    char *p = arena_alloc(arena, text.n + 1);
    size_t n = 0;

    while (text.n > 0) {
        size_t len = str_utf8(text), blank = blank_at(text);

        if (blank > 0) {
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

/* ---- marks ---- */

void inv_contact_mark(struct str platform, struct str store, struct str customer,
                      char out[INV_MARK])
{
    bool company = str_starts(customer, STR(COMPANY));
    bool one = str_eq(customer, STR("guest")) || str_eq(customer, STR("single"));
    size_t skip = company ? sizeof COMPANY - 1 : 0;
    struct str id = str_cut((struct str){customer.p + skip, customer.n - skip}, LIM_NAME);
    struct buf text = BUF_CAP(LIM_STORE_ID + 2 * LIM_NAME);
    char hash[17];

    /* What is hashed stays as it is for ever, or every contact would be made again. */
    buf_printf(&text, "%.*s/%.*s/%s/", STR_FMT(platform), STR_FMT(store),
               company                          ? "company"
               : !one                           ? "customer"
               : str_eq(customer, STR("guest")) ? "guest"
                                                : "single");
    for (size_t i = 0; i < id.n && !one; i++)
        buf_addc(&text,
                 company && id.p[i] >= 'A' && id.p[i] <= 'Z' ? (char)(id.p[i] | 0x20) : id.p[i]);
    cry_short_hash(buf_str(&text), hash);
    (void)snprintf(out, INV_MARK, "%s%.*s", company ? COMPANY_MARK : "", company ? 13 : 16, hash);
    buf_free(&text);
}

bool inv_is_company_mark(struct str number)
{
    return str_starts(number, STR(COMPANY_MARK)) && number.n == 16;
}

/* ---- the contact ---- */

/* A company: all who buy for it share its contact. A buyer's address does not find it, since the
 * buyer may be a customer of his own. */
static struct str use_company(struct inv_work *w, struct inv_contact *c, struct str name)
{
    const struct ord_party *party = &w->o->party;
    struct str id = party->company_id.n ? party->company_id : name;

    c->account_number = party->company_id;
    return str_of(arena_printf(w->arena, COMPANY "%.*s", STR_FMT(id)));
}

/* What to call a customer: by the first name that Xero takes. */
static struct str customer_name(struct inv_work *w)
{
    const struct ord_party *party = &w->o->party;
    struct str name = clean_name(party->name, MAX_NAME, w->arena);

    if (name.n == 0)
        name = clean_name(party->email, MAX_NAME, w->arena);
    if (name.n == 0)
        name = str_of(arena_printf(w->arena, "Customer %.*s",
                                   STR_FMT(clean_name(party->customer_id, 200, w->arena))));
    return name;
}

void inv_make_contact(struct inv_work *w, struct inv_contact *c)
{
    const struct ord_party *party = &w->o->party;
    struct arena *a = w->arena;
    struct str handle = inv_handle(w->o), customer, name = {NULL, 0};

    *c = (struct inv_contact){.number = ""};
    if (party->is_company)
        name = clean_name(party->company, MAX_NAME, a);
    if (w->s->contact_single) {
        customer = STR("single");
        name = clean_name(w->s->contact_name.n ? w->s->contact_name : handle, MAX_NAME, a);
    } else if (party->is_company && (party->company_id.n > 0 || name.n > 0)) {
        customer = use_company(w, c, name);
        name = name.n > 0 ? name : customer_name(w);
    } else if (party->customer_id.n > 0) {
        customer = party->customer_id;
        name = customer_name(w);
        c->account_number = customer;
        c->by_email = true;
    } else {
        customer = STR("guest");
        name = str_of(arena_printf(a, "%.*s guest", STR_FMT(clean_name(handle, 200, a))));
    }
    if (!w->s->send_customer_code || c->account_number.n > MAX_ACCOUNT_NUMBER)
        c->account_number = STR("");
    inv_contact_mark(w->o->platform, w->o->store, customer, c->number);
    c->name = name.n ? name : STR("Customer");
    if (c->by_email || inv_is_company_mark(str_of(c->number)))
        c->email = is_plain_email(party->email) ? party->email : STR("");
    c->by_email = c->by_email && c->email.n > 0;
    c->distinct_name = str_of(arena_printf(
        a, "%.*s (%.8s)", STR_FMT(str_trim(str_cut(c->name, MAX_NAME - SUFFIX))),
        c->number + (inv_is_company_mark(str_of(c->number)) ? sizeof COMPANY_MARK - 1 : 0)));
}

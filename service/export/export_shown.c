#include <ctype.h>
#include <stdio.h>

#include "service/export/export.h"
#include "service/export/export_work.h"

/* Both versions of what a person changed; the failed list shows them in full. */
#define CHANGES_MAX 1500

/* Stands for a currency where a plain number is read like an amount, with four decimals. */
#define NUMBER "NUM"

bool exp_is_gone(struct str status)
{
    return str_eq(status, STR("VOIDED")) || str_eq(status, STR("DELETED"));
}

struct money exp_money(struct str text, struct str currency)
{
    struct money m;
    char code[4] = "";

    if (mon_currency(currency, code, NULL) != ERR_OK || mon_parse(text, code, &m, NULL) != ERR_OK)
        m = mon_zero("");
    return m;
}

/* ---- reading ---- */

static struct str text_of(const struct js_value *v, const char *key)
{
    struct str text = STR("");

    return js_text(js_get(v, key), &text) ? text : STR("");
}

static struct money amount_of(const struct js_value *v, const char *key, const char *currency)
{
    struct str text = text_of(v, key);

    return text.n > 0 ? exp_money(text, str_of(currency)) : mon_zero(currency);
}

/* "2026-01-31T00:00:00" of NAME with "String" behind it, else "/Date(ms+0000)/" of NAME, in UTC. */
static void day_of(const struct js_value *v, const char *name, const char *name_string,
                   char out[11])
{
    struct str text = text_of(v, name_string), rest = text_of(v, name);
    int64_t ms = 0;

    out[0] = '\0';
    if (text.n >= 10 && ord_day((struct str){text.p, 10}, out))
        return;
    (void)str_split(&rest, '(');
    for (size_t i = 1; i < rest.n; i++)
        if (rest.p[i] < '0' || rest.p[i] > '9')
            rest.n = i;
    if (!rest.p || !str_int64(rest, &ms) ||
        !ord_day_add("1970-01-01", (ms - (ms < 0 ? 86399999 : 0)) / 86400000, out))
        out[0] = '\0';
}

static void read_line(const struct js_value *v, const char *currency, struct shown_line *line)
{
    *line = (struct shown_line){.item_id = text_of(v, "LineItemID"),
                                .description = text_of(v, "Description"),
                                .account = text_of(v, "AccountCode"),
                                .tax_type = text_of(v, "TaxType"),
                                .quantity = amount_of(v, "Quantity", NUMBER),
                                .unit = amount_of(v, "UnitAmount", currency),
                                .discount = amount_of(v, "DiscountAmount", currency),
                                .amount = amount_of(v, "LineAmount", currency),
                                .tax = amount_of(v, "TaxAmount", currency)};
}

static void add(struct money *sum, struct money m)
{
    if (m.currency[0] && mon_add(*sum, m, sum) != ERR_OK)
        *sum = mon_zero(sum->currency);
}

/* What was paid and credited; of a note, all that does not remain. */
static void read_settled(const struct js_value *v, struct shown *s)
{
    struct money left = amount_of(v, "RemainingCredit", s->currency);

    s->settled = mon_zero(s->currency);
    if (!s->credit) {
        add(&s->settled, amount_of(v, "AmountPaid", s->currency));
        add(&s->settled, amount_of(v, "AmountCredited", s->currency));
    } else if (!js_is_null(js_get(v, "RemainingCredit"))) {
        add(&s->settled, s->total);
        add(&s->settled, mon_neg(left));
    }
}

void exp_show(struct work *w, const struct xero_element *element, bool credit, struct str currency,
              struct shown *out)
{
    const struct js_value *v = element->value, *lines = js_get(v, "LineItems");
    struct shown s = {.id = element->id,
                      .number = element->number,
                      .reference = text_of(v, "Reference"),
                      .contact_id = text_of(js_get(v, "Contact"), "ContactID"),
                      .status = element->status,
                      .credit = credit,
                      .gone = exp_is_gone(element->status),
                      .inclusive = str_eq(text_of(v, "LineAmountTypes"), STR("Inclusive")),
                      .line_count = js_len(lines)};

    if (mon_currency(text_of(v, "CurrencyCode"), s.currency, NULL) != ERR_OK &&
        mon_currency(currency, s.currency, NULL) != ERR_OK)
        s.currency[0] = '\0';
    day_of(v, "Date", "DateString", s.date);
    day_of(v, "DueDate", "DueDateString", s.due);
    s.total = exp_money(element->total, str_of(s.currency));
    s.tax = exp_money(element->total_tax, str_of(s.currency));
    read_settled(v, &s);
    s.lines = arena_array(&w->arena, s.line_count + 1, sizeof(*s.lines));
    for (size_t i = 0; i < s.line_count; i++)
        read_line(js_at(lines, i), s.currency, &s.lines[i]);
    *out = s;
}

/* ---- the face ---- */

/* TEXT with each run of blanks as one: answers differ in line ends. */
static void add_text(struct buf *b, struct str text)
{
    text = str_trim(text);
    for (size_t i = 0; i < text.n; i++) {
        bool blank = isspace((unsigned char)text.p[i]);

        if (!blank)
            buf_addc(b, text.p[i]);
        else if (!isspace((unsigned char)text.p[i - 1]))
            buf_addc(b, ' ');
    }
    buf_addc(b, '\0');
}

struct str exp_face(struct work *w, const struct shown *s)
{
    struct buf text = BUF_CAP(LIM_XERO_ANSWER);
    char hash[17];

    add_text(&text, s->number);
    add_text(&text, s->reference);
    buf_printf(&text, "%s %s %s %d", s->date, s->due, s->currency, s->inclusive);
    for (size_t i = 0; i < s->line_count; i++) {
        const struct shown_line *line = &s->lines[i];

        add_text(&text, line->item_id);
        add_text(&text, line->description);
        add_text(&text, line->account);
        add_text(&text, line->tax_type);
        buf_printf(&text, "%s %s %s %s %s", mon_text(line->quantity).z, mon_text(line->unit).z,
                   mon_text(line->discount).z, mon_text(line->amount).z, mon_text(line->tax).z);
    }
    cry_short_hash(buf_str(&text), hash);
    buf_free(&text);
    return arena_str(&w->arena, str_of(hash));
}

/* ---- what a person changed ---- */

/* "; reference from "A" to "B"", if they differ. */
static void compare_text(struct buf *b, const char *what, struct str was, struct str is)
{
    if (!str_eq(str_trim(was), str_trim(is)))
        buf_printf(b, "; %s from \"%.*s\" to \"%.*s\"", what, STR_FMT(str_cut(was, 100)),
                   STR_FMT(str_cut(is, 100)));
}

static void compare_amount(struct buf *b, const char *what, struct money was, struct money is)
{
    if (was.units != is.units)
        buf_printf(b, "; %s from %s to %s", what, mon_text(was).z, mon_text(is).z);
}

static void compare_line(struct buf *b, size_t i, const struct inv_line *was,
                         const struct shown_line *is)
{
    struct money quantity = {.units = was->quantity * MON_SCALE, .currency = NUMBER};
    struct buf one = BUF_CAP(CHANGES_MAX);

    compare_amount(&one, "quantity", quantity, is->quantity);
    compare_amount(&one, "price", was->unit, is->unit);
    compare_amount(&one, "discount", was->discount, is->discount);
    compare_text(&one, "account", was->account, is->account);
    compare_text(&one, "tax type", was->tax_type, is->tax_type);
    compare_amount(&one, "tax", was->tax, is->tax);
    if (one.n == 0)
        compare_amount(&one, "amount", was->amount, is->amount);
    if (one.n > 0)
        buf_printf(b, "; line %zu (\"%.*s\"):%.*s", i + 1, STR_FMT(str_cut(is->description, 60)),
                   STR_FMT(((struct str){one.p + 1, one.n - 1})));
    buf_free(&one);
}

static const struct shown_line *shown_line(const struct shown *s, struct str item_id)
{
    for (size_t i = 0; i < s->line_count; i++)
        if (str_eq(s->lines[i].item_id, item_id))
            return &s->lines[i];
    return NULL;
}

static bool is_written(const struct inv_known_doc *doc, struct str item_id)
{
    for (size_t i = 0; i < doc->line_count; i++)
        if (str_eq(doc->lines[i].item_id, item_id))
            return true;
    return false;
}

static void compare_lines(struct buf *b, const struct inv_known_doc *doc, const struct shown *s)
{
    for (size_t i = 0; i < doc->line_count; i++) {
        const struct shown_line *is = shown_line(s, doc->lines[i].item_id);

        if (is)
            compare_line(b, i, &doc->lines[i], is);
        else
            buf_printf(b, "; line %zu over %s was removed", i + 1,
                       mon_text(doc->lines[i].amount).z);
    }
    for (size_t i = 0; i < s->line_count; i++)
        if (!is_written(doc, s->lines[i].item_id))
            buf_printf(b, "; a line \"%.*s\" over %s was added",
                       STR_FMT(str_cut(s->lines[i].description, 60)),
                       mon_text(s->lines[i].amount).z);
}

/* Descriptions are not kept: the order's own, as it is now, stands for what was written. */
static void compare_descriptions(struct buf *b, const struct work_order *x,
                                 const struct inv_known_doc *doc, const struct shown *s)
{
    const struct inv_document *wanted = inv_wanted_doc(&x->wanted, doc->name);

    for (size_t i = 0; i < doc->line_count; i++) {
        const struct shown_line *is = shown_line(s, doc->lines[i].item_id);

        for (size_t k = 0; is && wanted && k < wanted->line_count; k++)
            if (str_eq(wanted->lines[k].key, doc->lines[i].key))
                compare_text(b, "description", wanted->lines[k].description, is->description);
    }
    if (b->n == 0)
        buf_addz(b, "; a description");
}

struct str exp_changes(struct work *w, struct work_order *x, const struct inv_known_doc *doc,
                       const struct shown *s)
{
    const struct work_doc *d = exp_doc(w, x, doc->name);
    struct buf b = BUF_CAP(CHANGES_MAX);
    struct str changes = STR("");

    if (d->face.n > 0 && str_eq(d->face, exp_face(w, s)))
        return changes;
    compare_text(&b, "number", doc->number, s->number);
    if (doc->total.currency[0])
        compare_text(&b, "currency", str_of(doc->total.currency), str_of(s->currency));
    if (d->face.n > 0) {
        compare_text(&b, "reference", d->reference, s->reference);
        compare_text(&b, "date", str_of(doc->date), str_of(s->date));
        compare_text(&b, "due date", str_of(d->due), str_of(s->due));
        if (doc->inclusive != s->inclusive)
            buf_addz(&b, "; whether its amounts include tax");
        compare_lines(&b, doc, s);
        if (b.n == 0)
            compare_descriptions(&b, x, doc, s);
    } else if (doc->total.currency[0]) {
        compare_amount(&b, "total", doc->total, s->total);
    }
    if (b.n > 0) {
        struct str text = str_cut((struct str){b.p + 1, b.n - 1}, CHANGES_MAX);

        changes = str_of(arena_printf(&w->arena, "Changed there:%.*s.", STR_FMT(text)));
    }
    buf_free(&b);
    return changes;
}

#include "service/export/export.h"
#include "service/export/export_work.h"

/* ---- writing ---- */

static void write_amount(struct js_out *out, struct money m)
{
    jw_raw(out, str_of(mon_text(m).z));
}

/* [key, LineItemID, account, tax type, quantity, unit, discount, amount, tax] */
static void write_line(struct js_out *out, const struct inv_line *line)
{
    jw_begin_array(out);
    jw_str(out, line->key);
    jw_str(out, line->item_id);
    jw_str(out, line->account);
    jw_str(out, line->tax_type);
    jw_int(out, line->quantity);
    write_amount(out, line->unit);
    write_amount(out, line->discount);
    write_amount(out, line->amount);
    write_amount(out, line->tax);
    jw_end_array(out);
}

static void write_optional(struct js_out *out, const char *key, struct str text)
{
    if (text.n > 0)
        jw_kstr(out, key, text);
}

void exp_write_known(struct work *w, struct js_out *out, const struct inv_known_doc *doc,
                     const struct work_doc *d, bool lines)
{
    jw_begin_object(out);
    jw_kstr(out, "id", doc->id);
    jw_kstr(out, "number", doc->number);
    jw_kz(out, "tenant", w->conn.tenant);
    if (doc->total.currency[0]) {
        jw_kz(out, "total", mon_text(doc->total).z);
        jw_kz(out, "tax", mon_text(doc->tax).z);
        jw_kz(out, "currency", doc->total.currency);
    }
    jw_kstr(out, "status", doc->status);
    if (doc->credit)
        jw_kbool(out, "credit", true);
    if (doc->withdrawn)
        jw_kbool(out, "withdrawn", true);
    write_optional(out, "lost", d->lost);
    if (!doc->gone) {
        write_optional(out, "date", str_of(doc->date));
        write_optional(out, "due", str_of(d->due));
        write_optional(out, "reference", d->reference);
        write_optional(out, "contact", doc->contact_id);
        jw_kbool(out, "inclusive", doc->inclusive);
        write_optional(out, "face", d->face);
        write_optional(out, "manner", d->manner);
    }
    if (lines && !doc->gone && doc->has_lines) {
        jw_key(out, "lines");
        jw_begin_array(out);
        for (size_t i = 0; i < doc->line_count; i++)
            write_line(out, &doc->lines[i]);
        jw_end_array(out);
    }
    jw_end_object(out);
}

/* ---- reading ---- */

static struct money amount_at(const struct js_value *line, size_t i, struct str currency)
{
    struct str text = STR("");

    return js_text(js_at(line, i), &text) ? exp_money(text, currency) : mon_zero("");
}

static struct str text_at(struct work *w, const struct js_value *line, size_t i)
{
    struct str text = STR("");

    return js_text(js_at(line, i), &text) ? arena_str(&w->arena, text) : STR("");
}

static void read_lines(struct work *w, const struct js_value *list, struct str currency,
                       struct inv_known_doc *doc)
{
    struct inv_line *lines = arena_array(&w->arena, js_len(list) + 1, sizeof(*lines));

    doc->has_lines = js_type(list) == JS_ARRAY;
    doc->line_count = js_len(list);
    doc->lines = lines;
    for (size_t i = 0; i < doc->line_count; i++) {
        const struct js_value *line = js_at(list, i);

        lines[i] = (struct inv_line){.key = text_at(w, line, 0),
                                     .item_id = text_at(w, line, 1),
                                     .account = text_at(w, line, 2),
                                     .tax_type = text_at(w, line, 3),
                                     .unit = amount_at(line, 5, currency),
                                     .discount = amount_at(line, 6, currency),
                                     .amount = amount_at(line, 7, currency),
                                     .tax = amount_at(line, 8, currency)};
        doc->has_lines = js_int64(js_at(line, 4), &lines[i].quantity) && doc->has_lines;
    }
}

static void copy_day(char day[11], struct str text)
{
    if (text.n == 10)
        memcpy(day, text.p, 10);
}

void exp_read_known(struct work *w, struct work_order *x, struct str name, const struct js_value *v)
{
    struct arena *a = &w->arena;
    struct str status = exp_text(v, "status", a), currency = exp_text(v, "currency", a);
    struct work_doc *d = exp_doc(w, x, name);
    struct inv_known_doc doc = {.name = name,
                                .id = exp_text(v, "id", a),
                                .number = exp_text(v, "number", a),
                                .status = status,
                                .credit = js_true(js_get(v, "credit")),
                                .gone = exp_is_gone(status),
                                .withdrawn = js_true(js_get(v, "withdrawn")),
                                .contact_id = exp_text(v, "contact", a),
                                .total = exp_money(exp_text(v, "total", a), currency),
                                .tax = exp_money(exp_text(v, "tax", a), currency),
                                .inclusive = js_true(js_get(v, "inclusive"))};

    copy_day(doc.date, exp_text(v, "date", a));
    copy_day(d->due, exp_text(v, "due", a));
    d->reference = exp_text(v, "reference", a);
    d->face = exp_text(v, "face", a);
    d->lost = exp_text(v, "lost", a);
    d->manner = exp_text(v, "manner", a);
    read_lines(w, js_get(v, "lines"), currency, &doc);
    exp_know(w, x, &doc);
}

/* ---- the manner of the sale ---- */

/* The settings that it is made of, each with the word for "on". */
struct choice {
    const char *word;
    bool *on;
};
#define CHOICES 5

static void list_choices(struct inv_settings *s, struct choice out[CHOICES])
{
    const struct choice list[CHOICES] = {{"fulfilled", &s->quantities_fulfilled},
                                         {"presentment", &s->presentment_currency},
                                         {"discount_lines", &s->discount_lines},
                                         {"clearing_account", &s->marketplace_tax_clearing},
                                         {"tax_never", &s->tax_amounts_never}};

    memcpy(out, list, sizeof(list));
}

struct str exp_manner(struct work *w, const struct inv_settings *settings)
{
    struct inv_settings s = *settings;
    struct choice list[CHOICES];
    char *words = arena_printf(&w->arena, "recorded"); /* that all others are off is known, too */

    list_choices(&s, list);
    for (size_t i = 0; i < CHOICES; i++)
        if (*list[i].on)
            words = arena_printf(&w->arena, "%s %s", words, list[i].word);
    return str_of(words);
}

void exp_keep_manner(struct work *w, struct work_order *x, struct inv_settings *settings)
{
    struct str rest = exp_doc(w, x, STR("invoice"))->manner;
    struct choice list[CHOICES];

    if (!exp_live(x, STR("invoice")) || rest.n == 0)
        return;
    list_choices(settings, list);
    for (size_t i = 0; i < CHOICES; i++)
        *list[i].on = false;
    while (rest.n > 0) {
        struct str word = str_split(&rest, ' ');

        for (size_t i = 0; i < CHOICES; i++)
            *list[i].on = *list[i].on || str_eq(word, str_of(list[i].word));
    }
}

/* ---- from what Xero shows ---- */

/* The key of line I: of those that were sent, else of the line that Xero held before by that id. */
static struct str key_of(struct str *keys, const struct inv_known_doc *before,
                         const struct shown_line *line)
{
    if (keys->p && keys->n > 0)
        return str_split(keys, ',');
    for (size_t i = 0; before && i < before->line_count; i++)
        if (str_eq(before->lines[i].item_id, line->item_id))
            return before->lines[i].key;
    return STR("");
}

/* The lines of S as DOC's, each with its key; none if they do not fit each other. */
void exp_take_lines(struct work *w, struct str keys, const struct inv_known_doc *before,
                    const struct shown *s, struct inv_known_doc *doc)
{
    struct inv_line *lines = arena_array(&w->arena, s->line_count + 1, sizeof(*lines));

    doc->has_lines = s->line_count > 0;
    for (size_t i = 0; i < s->line_count; i++) {
        const struct shown_line *shown = &s->lines[i];

        lines[i] = (struct inv_line){.key = key_of(&keys, before, shown),
                                     .item_id = arena_str(&w->arena, shown->item_id),
                                     .account = arena_str(&w->arena, shown->account),
                                     .tax_type = arena_str(&w->arena, shown->tax_type),
                                     .quantity = shown->quantity.units / MON_SCALE,
                                     .unit = shown->unit,
                                     .discount = shown->discount,
                                     .amount = shown->amount,
                                     .tax = shown->tax};
        if (lines[i].key.n == 0 || shown->quantity.units % MON_SCALE != 0)
            doc->has_lines = false;
    }
    doc->has_lines = doc->has_lines && (!keys.p || keys.n == 0);
    doc->lines = lines;
    doc->line_count = doc->has_lines ? s->line_count : 0;
}

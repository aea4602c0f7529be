#include "service/sync/invoice.h"

/* An amount as a JSON number, in its own digits. */
static void write_amount(struct js_out *w, const char *key, struct money m)
{
    struct mon_text t = mon_text(m);

    jw_key(w, key);
    jw_raw(w, str_of(t.z));
}

static void write_optional(struct js_out *w, const char *key, struct str s)
{
    if (s.n > 0)
        jw_kstr(w, key, s);
}

/* {KEY:{ID:VALUE}} */
static void write_ref(struct js_out *w, const char *key, const char *id, struct str value)
{
    jw_key(w, key);
    jw_begin_object(w);
    jw_kstr(w, id, value);
    jw_end_object(w);
}

static void write_line(struct js_out *w, const struct inv_line *line)
{
    jw_begin_object(w);
    jw_kstr(w, "Description", line->description);
    jw_kint(w, "Quantity", line->quantity);
    write_amount(w, "UnitAmount", line->unit);
    if (line->discount.units != 0)
        write_amount(w, "DiscountAmount", line->discount);
    jw_kstr(w, "AccountCode", line->account);
    write_optional(w, "ItemCode", line->item_code);
    jw_kstr(w, "TaxType", line->tax_type);
    if (line->send_tax)
        write_amount(w, "TaxAmount", line->tax);
    jw_end_object(w);
}

void inv_write_invoice(struct js_out *w, const struct inv_invoice *inv, const char *contact_id)
{
    static const char *const statuses[] = {
        [INV_AUTHORISED] = "AUTHORISED",
        [INV_DRAFT] = "DRAFT",
        [INV_SUBMITTED] = "SUBMITTED",
    };

    jw_begin_object(w);
    jw_kz(w, "Type", "ACCREC");
    write_ref(w, "Contact", "ContactID", str_of(contact_id));
    jw_kz(w, "Date", inv->date);
    jw_kz(w, "DueDate", inv->due_date);
    jw_kz(w, "LineAmountTypes", inv->inclusive ? "Inclusive" : "Exclusive");
    jw_kstr(w, "InvoiceNumber", inv->number);
    write_optional(w, "Reference", inv->reference);
    write_optional(w, "Url", inv->url);
    jw_kz(w, "CurrencyCode", inv->currency);
    jw_kz(w, "Status", statuses[inv->status]);
    write_optional(w, "BrandingThemeID", inv->branding_theme);
    jw_key(w, "LineItems");
    jw_begin_array(w);
    for (size_t i = 0; i < inv->line_count; i++)
        write_line(w, &inv->lines[i]);
    jw_end_array(w);
    jw_end_object(w);
}

void inv_write_payment(struct js_out *w, const struct inv_payment *p, const char *invoice_id)
{
    jw_begin_object(w);
    write_ref(w, "Invoice", "InvoiceID", str_of(invoice_id));
    write_ref(w, "Account", "Code", p->account);
    jw_kz(w, "Date", p->date);
    write_amount(w, "Amount", p->amount);
    jw_kstr(w, "Reference", p->reference);
    jw_end_object(w);
}

void inv_write_contact(struct js_out *w, const struct inv_contact *c, bool distinct)
{
    jw_begin_object(w);
    jw_kstr(w, "Name", distinct ? c->distinct_name : c->name);
    jw_kz(w, "ContactNumber", c->number);
    write_optional(w, "FirstName", c->first_name);
    write_optional(w, "LastName", c->last_name);
    write_optional(w, "EmailAddress", c->email);
    jw_end_object(w);
}

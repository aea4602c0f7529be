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

static void write_tracking(struct js_out *w, const struct inv_document *doc)
{
    if (doc->tracking_count == 0)
        return;
    jw_key(w, "Tracking");
    jw_begin_array(w);
    for (size_t i = 0; i < doc->tracking_count; i++) {
        jw_begin_object(w);
        jw_kstr(w, "Name", doc->tracking[i].category);
        jw_kstr(w, "Option", doc->tracking[i].option);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void write_line(struct js_out *w, const struct inv_document *doc,
                       const struct inv_line *line)
{
    jw_begin_object(w);
    write_optional(w, "LineItemID", line->item_id);
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
    write_tracking(w, doc);
    jw_end_object(w);
}

void inv_write_document(struct js_out *w, const struct inv_document *doc, struct str contact_id)
{
    static const char *const statuses[] = {
        [INV_AUTHORISED] = "AUTHORISED",
        [INV_DRAFT] = "DRAFT",
        [INV_SUBMITTED] = "SUBMITTED",
    };

    jw_begin_object(w);
    jw_kz(w, "Type", doc->credit ? "ACCRECCREDIT" : "ACCREC");
    if (doc->action == INV_UPDATE)
        jw_kstr(w, doc->credit ? "CreditNoteID" : "InvoiceID", doc->id);
    write_ref(w, "Contact", "ContactID", contact_id);
    jw_kz(w, "Date", doc->date);
    if (!doc->credit)
        jw_kz(w, "DueDate", doc->due_date);
    jw_kz(w, "LineAmountTypes", doc->inclusive ? "Inclusive" : "Exclusive");
    jw_kstr(w, doc->credit ? "CreditNoteNumber" : "InvoiceNumber", doc->number);
    write_optional(w, "Reference", doc->reference);
    if (!doc->credit)
        write_optional(w, "Url", doc->url);
    jw_kz(w, "CurrencyCode", doc->currency);
    if (doc->action == INV_CREATE)
        jw_kz(w, "Status", statuses[doc->status]);
    write_optional(w, "BrandingThemeID", doc->branding_theme);
    jw_key(w, "LineItems");
    jw_begin_array(w);
    for (size_t i = 0; i < doc->line_count; i++)
        write_line(w, doc, &doc->lines[i]);
    jw_end_array(w);
    jw_end_object(w);
}

void inv_write_payment(struct js_out *w, const struct inv_payment *p, struct str id, bool credit)
{
    jw_begin_object(w);
    write_ref(w, credit ? "CreditNote" : "Invoice", credit ? "CreditNoteID" : "InvoiceID", id);
    write_ref(w, "Account", "Code", p->account);
    jw_kz(w, "Date", p->date);
    write_amount(w, "Amount", p->amount);
    jw_kstr(w, "Reference", p->reference);
    jw_end_object(w);
}

void inv_write_allocation(struct js_out *w, const struct inv_allocation *a, struct str invoice_id)
{
    jw_begin_object(w);
    write_ref(w, "Invoice", "InvoiceID", invoice_id);
    jw_kz(w, "Date", a->date);
    write_amount(w, "Amount", a->amount);
    jw_end_object(w);
}

void inv_write_contact(struct js_out *w, const struct inv_contact *c, bool distinct)
{
    jw_begin_object(w);
    jw_kstr(w, "Name", distinct ? c->distinct_name : c->name);
    jw_kz(w, "ContactNumber", c->number);
    write_optional(w, "AccountNumber", c->account_number);
    write_optional(w, "FirstName", c->first_name);
    write_optional(w, "LastName", c->last_name);
    write_optional(w, "EmailAddress", c->email);
    jw_end_object(w);
}

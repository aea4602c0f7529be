/*
 * The rows of the error catalogue stand in the order in which they are tried: a pattern without a
 * variable part before one that has it, a longer one before a shorter. Patterns are written as
 * normalise() leaves a message.
 */
#include "service/sync/catalogue.h"

/* Longer messages are compared by their beginning. */
#define MESSAGE_MAX 1000

static const struct cat_row rows[] = {
    /* ---- dates ---- */
    {"lock-date",
     "*the document date cannot be before the period lock date*|"
     "*the document date cannot be before the end of year lock date*",
     "The date is on or before the lock date in Xero.",
     "Unlock the date in Xero, then export again; it cannot be resolved here.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"date-locked",
     "date cannot be changed on an invoice that has payment or credit notes allocated to it",
     "The invoice in Xero has a payment or a credit note, so Xero keeps its date.",
     "Change the date by hand in Xero, or remove the payment there and export again.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"due-date-missing", "due date cannot be empty", "The invoice was sent without a due date.",
     "Set due_days in the store's settings, then export again.", CAT_FIX_HERE, CAT_RETRY_NO},
    {"payment-terms", "*due date of *must be between 1 and 31*",
     "The default payment terms of the contact or of the organisation in Xero are not valid.",
     "Correct the payment terms in Xero (a day from 1 to 31), then export again.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"date-format",
     "the string * is not a valid allxsd value|*could not convert string to datetime*",
     "A date was sent in a form that Xero does not read. This is a fault of this program.",
     "Report it with the order's name and Xero's text; the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},

    /* ---- accounts, tax, items, currency ---- */
    {"below-a-cent", "account must be valid, tax rate must be valid",
     "A line or the sum is under 0.005 and rounds to 0.00.",
     "Delete the failed export; or credit the order and raise a new one; or change the value or "
     "discount the line 100%.",
     CAT_FIX_SHOP, CAT_RETRY_NO},
    {"account-or-tax-invalid", "account must be valid|tax rate must be valid",
     "Xero does not accept a line's account or tax rate: it is not active in Xero, or the line's "
     "amount is below a cent.",
     "Check the mapped account and tax rate in the store's settings. If both are active in Xero, "
     "look for a line under 0.005 and delete the failed export or change the line's value.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"account-archived",
     "account code * has been archived, or has been deleted*|"
     "account code * has been archived or deleted*",
     "The mapped account was archived or deleted in Xero.",
     "Restore the account in Xero, or map another account in the store's settings; then export "
     "again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"account-invalid",
     "account code * is not a valid code for this document|account code or id must be specified|"
     "account code must be specified",
     "The account was archived, is gone, or none is mapped.",
     "Map the account code to an existing account in the store's settings.", CAT_FIX_HERE,
     CAT_RETRY_NO},
    {"account-removed", "account code * has been removed as it does not match a recognised account",
     "Xero does not know the mapped account, and stored the draft's line without an account.",
     "Map the account code to an existing account in the store's settings, then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"account-missing", NULL, "No account is mapped for this kind of line.",
     "Map an account for it in the store's settings (mappings.accounts), then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"tax-not-for-account", "the taxtype code * cannot be used with account code *",
     "Xero does not allow this tax rate on this account.",
     "Map another tax rate, or another account, in the store's settings; then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"tax-invalid",
     "the taxtype code * does not exist or cannot be used for this type of transaction",
     "The mapped tax rate does not exist in Xero, is archived, or is meant for purchases.",
     "Map the tax to an active sales tax rate in the store's settings, or restore the rate in "
     "Xero; then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"tax-missing", "the taxtype field is mandatory",
     "A line has no tax rate, and its account in Xero has none either.",
     "Map a tax rate in the store's settings (mappings.taxes), then export again.", CAT_FIX_HERE,
     CAT_RETRY_NO},
    {"tax-unmapped", "[taxcode *] is not mapped to an accounting tax*",
     "No Xero tax is mapped for that tax; Xero taxes are for sales or for purchases.",
     "Map the tax to a sales tax rate.", CAT_FIX_HERE, CAT_RETRY_NO},
    {"tax-above-line", "the tax amount cannot be greater than the line amount*",
     "The tax sent for a line is larger than the line itself.",
     "Compare the order's taxes in the shop. If they are right, report it with the order's name; "
     "the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"tax-does-not-reconcile", NULL,
     "The tax that Xero would compute differs from the shop's by more than the rounding limit.",
     "Compare both sums in the message with the order. Correct the tax mapping, or set "
     "tax_amounts to when_needed in the store's settings; then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"total-does-not-reconcile", NULL,
     "The order's lines do not add up to the order's total, so no invoice can be right.",
     "Compare both sums in the message with the order in the shop; enter this order by hand in "
     "Xero, or raise rounding_limit in the store's settings if the difference is acceptable.",
     CAT_FIX_SHOP, CAT_RETRY_NO},
    {"line-total-differs", "the line total * does not match the expected line total *",
     "Xero computes another amount for a line than the one that was sent. This is a fault of "
     "this program.",
     "Report it with the order's name and Xero's text; the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"item-invalid", "item code * is not valid", "Xero has no item with this code.",
     "Create the item in Xero, or switch off item codes in the store's settings; then export "
     "again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"item-exists", "price list item with code * already exists",
     "An item with this code exists in Xero already.",
     "Nothing to change: export again, the existing item is used.", CAT_FIX_HERE, CAT_RETRY_NOW},
    {"item-stock", "*would go negative*|*not enough * in stock*|*quantity on hand*",
     "The item is tracked in Xero and its stock there is too low.",
     "Adjust the stock in Xero, or switch off item codes in the store's settings; then export "
     "again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"currency-missing", "*organisation is not subscribed to currency *",
     "The order's currency is not enabled in the Xero organisation.",
     "Add the currency in Xero (its plan must include multi-currency), then export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"description-missing", "the description field is mandatory for each line item*",
     "A line was sent without a description. This is a fault of this program.",
     "Give the product a title in the shop and export again; report it with the order's name.",
     CAT_FIX_SHOP, CAT_RETRY_NO},
    {"quantity-negative", "the quantity value * is invalid. quantity must not be less than zero",
     "A line has a negative quantity, which a Xero invoice cannot have.",
     "Enter this order by hand in Xero, and report it with the order's name.", CAT_FIX_HERE,
     CAT_RETRY_NO},
    {"total-negative", "the total for this document must be greater than or equal to zero",
     "The order's total is below zero: that is a credit note, not an invoice.",
     "Enter it as a credit note by hand in Xero, then delete the failed export.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"wrong-value", "error converting value *",
     "A field was sent with a value that Xero does not know. This is a fault of this program.",
     "Report it with the order's name and Xero's text; the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"tracking-invalid", "*tracking category*|*tracking option*",
     "The mapped tracking category or option was renamed or archived in Xero.",
     "Restore it in Xero, or correct it in the store's settings; then export again.", CAT_FIX_HERE,
     CAT_RETRY_NO},

    /* ---- contacts ---- */
    {"contact-name-taken",
     "*the contact name * is already assigned to another contact*|please enter a unique name*|"
     "the contact name already exists*",
     "Another contact (customer or supplier) has that name or e-mail.",
     "Make it unique here, or rename the other in Xero.", CAT_FIX_XERO, CAT_RETRY_NO},
    {"contact-number-taken",
     "the contact number * is already assigned to another contact*|"
     "another contact has this contact number*",
     "The mark by which this program knows its contacts is on another contact in Xero, perhaps an "
     "archived or merged one.",
     "Find that contact in Xero (archived ones too) and restore it or clear its contact number; or "
     "map the customer to the right contact here. Then export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"account-number-exists", "the account number already exists*",
     "The customer code is already another contact's account number.",
     "Switch off \"send customer code as account number\", or remove the number from the contact "
     "in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"contact-archived",
     "the specified contact details matched an archived contact*|"
     "the contact with the specified contact details has been archived*|"
     "unable to assign an archived contact*",
     "The contact was archived, deleted or merged in Xero.",
     "Restore it; if merged, map the customer to the surviving contact.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"contact-empty",
     "the contact must contain at least 1 of the following elements to identify the contact*|"
     "a contact must be specified for this type of transaction",
     "The document was sent without a contact. This is a fault of this program.",
     "Report it with the order's name and Xero's text; the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"contact-tax-number",
     "export of * to xero contacts api failed - details: xero validation error*",
     "The VAT/GST number is invalid.", "Correct it to the format of the contact's country.",
     CAT_FIX_SHOP, CAT_RETRY_NO},
    {"email-invalid", "email address must be valid", "The customer's e-mail address is not valid.",
     "One address only, no commas, spaces or other characters.", CAT_FIX_SHOP, CAT_RETRY_NO},
    {"contact-people",
     "additional people cannot be added when the primary person has no email address set",
     "The contact in Xero has further people but no e-mail address of its own.",
     "Give the contact an e-mail address in Xero, then export again.", CAT_FIX_XERO, CAT_RETRY_NO},
    {"contact-groups", "youve reached the limit of 100 contact groups*",
     "The Xero organisation has as many contact groups as Xero allows.",
     "Delete contact groups in Xero that are no longer used, then export again.", CAT_FIX_XERO,
     CAT_RETRY_NO},

    /* ---- invoices and credit notes ---- */
    {"number-taken", "invoice # must be unique*", "The number exists in Xero and is not ours.",
     "Rename it there, or change this store's number prefix; never solved by a silent second "
     "number.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"status-locked",
     "invoice not of valid status for modification*|credit note not of valid status*",
     "The document in Xero is paid, voided or deleted, so Xero refuses the change.",
     "Open the document in Xero. If it was voided or deleted by mistake, export the order by hand "
     "as a new invoice; else delete the failed export.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"document-paid",
     "this document cannot be edited as it has a payment or credit note allocated to it*|"
     "the status * cannot be applied to the invoice because it has payments or credit notes "
     "allocated to it*",
     "The document in Xero has a payment or a credit note, so Xero refuses the change.",
     "Remove the payment or the credit note in Xero and export again, or leave the document as it "
     "is and delete the failed export.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"creation-refused",
     "invoice not of valid status for creation*|invoice not of valid type for creation*|"
     "one or more line items must be specified*",
     "The invoice was sent in a form that Xero does not create. This is a fault of this program.",
     "Report it with the order's name and Xero's text; the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"document-unknown",
     "an existing invoice with the specified id could not be found*|"
     "an existing credit note with the specified creditnoteid could not be found*|"
     "the document with the supplied id was not found for this endpoint*",
     "The document that was exported before is not in this Xero organisation.",
     "Check that the right organisation is connected. If it is, export the order again by hand.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"invoice-limit", "you have reached the limit of invoices you can approve*",
     "The organisation's Xero plan allows no more approved invoices this month.",
     "Upgrade the plan in Xero, or set the store's invoice status to DRAFT; then export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"changed-in-xero", NULL, "Somebody changed the document in Xero after it was exported.",
     "Compare both versions in the message. Keep Xero's and delete the failed export, or set it "
     "back in Xero and export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"voided-in-xero", NULL, "Somebody voided or deleted the invoice in Xero.",
     "If that was meant, delete the failed export. If not, export the order by hand as a new "
     "invoice.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"deleted-in-shop", NULL,
     "The order was deleted in the shop, but its invoice is in Xero; it is not voided by itself.",
     "Void or credit the invoice by hand in Xero if it must go, then delete this row.",
     CAT_FIX_XERO, CAT_RETRY_NO},

    /* ---- payments ---- */
    {"payment-too-large", "payment amount exceeds the amount outstanding on this document*",
     "Less is due on the invoice in Xero than the payment; perhaps it was paid there by hand.",
     "Open the invoice in Xero. If it is paid, delete the failed export; if not, enter the rest by "
     "hand there.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"payment-not-allowed", "payments can only be made against authorised documents*",
     "The invoice in Xero is not approved, or is paid or voided already.",
     "Approve the invoice in Xero and export again; if it is paid already, delete the failed "
     "export.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"payment-account-unmapped", "you must specify an account code or account id for the payment*",
     "No Xero account is mapped for this payment gateway.",
     "Map an account for the gateway in the store's settings (mappings.payments), then export "
     "again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"payment-account-unknown", "account could not be found*",
     "The account that is mapped for the payment does not exist in Xero.",
     "Map an existing account for the gateway in the store's settings, then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"payment-account-type", "account type is invalid for making a payment to/from*",
     "Xero does not take payments on the mapped account.",
     "Tick \"enable payments to this account\" on it in Xero, or map a bank account in the store's "
     "settings; then export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"payment-document-unknown", "document could not be found*",
     "The invoice to be paid is not in Xero.",
     "Export the order again: the invoice goes first, then its payment.", CAT_FIX_HERE,
     CAT_RETRY_NO},
    {"payment-fixed",
     "this payment has been reconciled and cannot be deleted*|"
     "payments within a batch cannot be deleted*",
     "The payment in Xero is reconciled or part of a batch.",
     "Undo the reconciliation or delete the batch in Xero, then export again.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"allocation-too-large",
     "*allocat* exceeds *|*allocat* is greater than *|*allocat* more than *",
     "More would be allocated than the credit note has left or the invoice has due.",
     "Compare the credit note and the invoice in Xero; allocate the rest by hand there, then "
     "delete the failed export.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"payment-currency", "*currency of the *account*|*bank account* currency*",
     "The mapped account has another currency than the invoice.",
     "Map an account in the invoice's currency for the gateway in the store's settings, then "
     "export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"payment-split-unknown", NULL,
     "The order was paid through several gateways, and the shop has not said how much came through "
     "each.",
     "Give the store an API token so that the payments can be read, or enter the payments by hand "
     "in Xero. The invoice itself is in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},

    /* ---- connection, limits, transport ---- */
    {"daily-limit",
     "response status code does not indicate success: 500 (internal server error)|"
     "xeros daily limit of calls is used up*",
     "The daily limit of (5000) calls is used up; Xero does not raise it.",
     "Wait up to 24 hours: the export resumes by itself.", CAT_FIX_WAIT, CAT_RETRY_LATER},
    {"rate-limit", "xero takes no more calls for * s", "Xero takes no more calls this minute.",
     "Nothing to do: the export resumes by itself within a minute or two.", CAT_FIX_WAIT,
     CAT_RETRY_LATER},
    {"token-expired", "*tokenexpired*|*token expired at *",
     "The access to Xero has to be renewed, which happens every 30 minutes.",
     "Nothing to do: it is renewed by itself.", CAT_FIX_WAIT, CAT_RETRY_NOW},
    {"disconnected",
     "*invalid_grant*|*authenticationunsuccessful*|xero connection has been dropped*",
     "The app was removed in Xero, or the token died.",
     "Reconnect; exports are held, none is lost.", CAT_FIX_XERO, CAT_RETRY_HELD},
    {"credentials-missing", "no credentials for xero are stored for this connection",
     "No client id and secret for Xero are stored for this connection.",
     "Give the connection its client id and secret; exports are held, none is lost.", CAT_FIX_HERE,
     CAT_RETRY_HELD},
    {"paused", NULL, "The connection was paused here.",
     "Resume it; exports are held, none is lost.", CAT_FIX_HERE, CAT_RETRY_HELD},
    {"uninstalled", NULL, "Xero was uninstalled from the connection.",
     "Set the connection up again, then export the orders by hand.", CAT_FIX_HERE, CAT_RETRY_HELD},
    {"client-invalid", "*invalid_client*",
     "Xero does not accept this program's own client id and secret.",
     "Whoever runs this program must set the right Xero client id and secret; exports are held, "
     "none is lost.",
     CAT_FIX_HERE, CAT_RETRY_HELD},
    {"scope-missing", "*authorizationunsuccessful*|*insufficent_scope*|*insufficient_scope*",
     "The consent given in Xero does not cover what the export needs.",
     "Connect Xero again and agree to everything that is asked for; exports are held, none is "
     "lost.",
     CAT_FIX_XERO, CAT_RETRY_HELD},
    {"permission-missing",
     "*the user specified does not have the correct permissions to perform this action*|"
     "you are not permitted to access this resource*",
     "The person who connected Xero may not do this there.",
     "Raise that person's role in Xero (Standard or Adviser), or connect again as somebody who has "
     "it; then export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"subscription-lapsed",
     "*make sure your xero subscription is still active*|*organisation * is not active*",
     "The organisation's Xero subscription has ended.", "Renew it in Xero, then export again.",
     CAT_FIX_XERO, CAT_RETRY_NO},
    {"xero-unreachable",
     "*organisation is offline*|*organisation offline*|xero cannot be reached*|"
     "xero does not answer look-ups*|no token for xero in time*",
     "Xero could not be reached, or the organisation is offline there.",
     "Nothing to do: it is tried again by itself. If it lasts, look at status.xero.com.",
     CAT_FIX_WAIT, CAT_RETRY_LATER},
    {"xero-fault", "*an error occurred in xero*|an error occurred",
     "Xero had a fault of its own and did not say whether the document was stored.",
     "Nothing to do: Xero is asked first what it holds, then it is tried again. If it lasts, look "
     "at status.xero.com.",
     CAT_FIX_WAIT, CAT_LOOK_UP},
    {"outcome-unknown", NULL, "Xero's answer was lost, so it is not known whether it acted.",
     "Nothing to do: Xero is asked what it holds before anything is sent again.", CAT_FIX_WAIT,
     CAT_LOOK_UP},
    {"key-reused", "*used with a different request*",
     "A request was repeated with other contents. This is a fault of this program.",
     "Nothing to do now: Xero is asked what it holds before anything is sent again. Report it with "
     "the order's name.",
     CAT_FIX_WAIT, CAT_LOOK_UP},
    {"not-found", "*the resource youre looking for cannot be found*|not found",
     "Xero does not know something that the export names: an account, a contact or an invoice.",
     "Check that the right organisation is connected, and the mappings in the store's settings; "
     "then export again.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"request-too-large", "*request entity too large*|*payload too large*",
     "The order has too many lines for one call to Xero.",
     "Enter this order by hand in Xero, then delete the failed export.", CAT_FIX_XERO,
     CAT_RETRY_NO},

    /* ---- what only we say ---- */
    {"unsupported-kind", "this kind of order is not supported yet*",
     "This kind of order is not supported yet: the message names what it has.",
     "Enter this order by hand in Xero, then delete the failed export.", CAT_FIX_XERO,
     CAT_RETRY_NO},
    {"unusable-order", NULL,
     "The order came without something that an invoice needs; the message names the field.",
     "Look at the order in the shop. If it is complete there, save it once so that it is sent "
     "again; else enter it by hand in Xero.",
     CAT_FIX_SHOP, CAT_RETRY_NO},
    {"poison", NULL, "The export was started three times and never came to an end.",
     "Report it with the order's name; the order can be exported again by hand, or entered in "
     "Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"internal-fault",
     "*postdatainvalidexception*|*queryparseexception*|*nodataprocessedexception*",
     "The export met a fault of this program.",
     "Report it with the order's name and the text; the order can be entered by hand in Xero.",
     CAT_FIX_HERE, CAT_RETRY_NO},
    {"unknown", NULL, "Xero or the shop gave a reason that is not in this catalogue.",
     "Read the text as it is: it often names what to change. If it does not help, report it with "
     "the order's name and the correlation id; then export again or enter the order by hand.",
     CAT_FIX_XERO, CAT_RETRY_NO},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* ---- reasons ---- */

struct reason {
    const char *code, *sentence, *action;
};

static const struct reason reasons[] = {
#define REASON(id, code, sentence, action) [id] = {code, sentence, action},
    CAT_REASONS(REASON)
#undef REASON
};

static const struct reason *reason_at(enum cat_reason r)
{
    static const struct reason none = {"", "", ""};

    return (unsigned)r < CAT_REASON_COUNT ? &reasons[r] : &none;
}

const char *cat_reason_code(enum cat_reason r)
{
    return reason_at(r)->code;
}

const char *cat_reason_sentence(enum cat_reason r)
{
    return reason_at(r)->sentence;
}

const char *cat_reason_action(enum cat_reason r)
{
    return reason_at(r)->action;
}

enum cat_reason cat_reason_find(struct str code)
{
    int r = 0;

    while (r < CAT_REASON_COUNT && !str_eq(code, str_of(reasons[r].code)))
        r++;
    return (enum cat_reason)r;
}

/* ---- rows ---- */

const char *cat_fix_text(enum cat_fix f)
{
    static const char *const text[] = {
        [CAT_FIX_XERO] = "xero",
        [CAT_FIX_HERE] = "here",
        [CAT_FIX_SHOP] = "shop",
        [CAT_FIX_WAIT] = "wait",
    };

    return (unsigned)f < sizeof(text) / sizeof(text[0]) ? text[f] : "";
}

const char *cat_retry_text(enum cat_retry r)
{
    static const char *const text[] = {
        [CAT_RETRY_NO] = "no",     [CAT_RETRY_NOW] = "now",   [CAT_RETRY_LATER] = "later",
        [CAT_RETRY_HELD] = "held", [CAT_LOOK_UP] = "look_up",
    };

    return (unsigned)r < sizeof(text) / sizeof(text[0]) ? text[r] : "";
}

const struct cat_row *cat_row_at(size_t i)
{
    return i < ROW_COUNT ? &rows[i] : NULL;
}

const struct cat_row *cat_row_by_id(const char *id)
{
    for (size_t i = 0; id && i < ROW_COUNT; i++) {
        if (strcmp(rows[i].id, id) == 0)
            return &rows[i];
    }
    return &rows[ROW_COUNT - 1];
}

/* Only settings: what is mended in Xero or in the shop has none. */
const char *cat_setting(const struct cat_row *row)
{
    static const struct {
        const char *id, *setting;
    } settings[] = {
        {"lock-date", "settings.lock_date_policy"},
        {"due-date-missing", "settings.due_days"},
        {"account-or-tax-invalid", "mappings.accounts"},
        {"account-archived", "mappings.accounts"},
        {"account-invalid", "mappings.accounts"},
        {"account-removed", "mappings.accounts"},
        {"account-missing", "mappings.accounts"},
        {"tax-not-for-account", "mappings.taxes"},
        {"tax-invalid", "mappings.taxes"},
        {"tax-missing", "mappings.taxes"},
        {"tax-unmapped", "mappings.taxes"},
        {"tax-does-not-reconcile", "settings.tax_amounts"},
        {"total-does-not-reconcile", "settings.rounding_limit"},
        {"item-invalid", "settings.item_codes"},
        {"item-stock", "settings.item_codes"},
        {"tracking-invalid", "settings.tracking"},
        {"account-number-exists", "settings.send_customer_code"},
        {"number-taken", "settings.prefix"},
        {"invoice-limit", "settings.status"},
        {"payment-account-unmapped", "mappings.payments"},
        {"payment-account-unknown", "mappings.payments"},
        {"payment-account-type", "mappings.payments"},
        {"payment-currency", "mappings.payments"},
        {"payment-split-unknown", "secrets.api_token"},
    };

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strcmp(settings[i].id, row->id) == 0)
            return settings[i].setting;
    }
    return NULL;
}

/* ---- matching ---- */

/* Bytes of the quote or apostrophe at the start of S, or 0. */
static size_t quote_length(struct str s)
{
    static const char *const quotes[] = {
        "'",
        "\"",
        "`",
        "\xc2\xab",
        "\xc2\xbb", /* guillemets */
        "\xc2\xb4", /* acute accent */
        "\xe2\x80\xb9",
        "\xe2\x80\xba", /* single guillemets */
    };

    if (s.n >= 3 && memcmp(s.p, "\xe2\x80", 2) == 0 && (unsigned char)s.p[2] >= 0x98 &&
        (unsigned char)s.p[2] <= 0x9f) /* U+2018 to U+201F: curly quotes of all kinds */
        return 3;
    for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
        if (str_starts(s, str_of(quotes[i])))
            return strlen(quotes[i]);
    }
    return 0;
}

/* Bytes of the white space at the start of S, or 0. */
static size_t space_length(struct str s)
{
    if (str_starts(s, STR("\xc2\xa0"))) /* no-break space */
        return 2;
    return s.n > 0 && ((unsigned char)s.p[0] <= ' ' || s.p[0] == 0x7f) ? 1 : 0;
}

/* Lower case, no quotes, single spaces, no "* " in front, no full stop behind. */
static struct str normalise(struct str s, char out[MESSAGE_MAX])
{
    size_t n = 0;

    while (s.n > 0 && n < MESSAGE_MAX) {
        size_t quote = quote_length(s), space = space_length(s);
        size_t length = quote + space > 0 ? quote + space : 1;

        if (space > 0 && n == 1 && out[0] == '*')
            n = 0;
        else if (space > 0 && n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
        else if (length == 1 && quote + space == 0)
            out[n++] = (char)(s.p[0] >= 'A' && s.p[0] <= 'Z' ? s.p[0] - 'A' + 'a' : s.p[0]);
        s.p += length;
        s.n -= length;
    }
    while (n > 0 && (out[n - 1] == '.' || out[n - 1] == ' '))
        n--;
    return (struct str){out, n};
}

/* True if TEXT is PATTERN, in which '*' stands for any text. A star takes as little as it can; when
 * what follows does not fit, only the last star has to take more. */
static bool fits(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, taken = 0;

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

const struct cat_row *cat_match(struct str message)
{
    char normal[MESSAGE_MAX];
    struct str text = normalise(message, normal);

    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct str rest = str_of(rows[i].pattern);

        while (rest.p) {
            if (fits(str_split(&rest, '|'), text))
                return &rows[i];
        }
    }
    return &rows[ROW_COUNT - 1];
}

bool cat_next(struct str *joined, struct str *message)
{
    while (joined->p && joined->n > 0) {
        size_t n = 0;

        while (n < joined->n && joined->p[n] != '\n' &&
               !(joined->p[n] == ';' && (n + 1 == joined->n || joined->p[n + 1] == ' ')))
            n++;
        *message = str_trim((struct str){joined->p, n});
        joined->p += n < joined->n ? n + 1 : n;
        joined->n -= n < joined->n ? n + 1 : n;
        if (message->n > 0)
            return true;
    }
    return false;
}

/*
 * The error catalogue, as data: what Xero, the shop or this program says when an export fails, why,
 * what to do, and where.
 *
 * To add a row: write it above every less specific one, since the first that fits is taken (a
 * pattern without a variable part before one that has it, a longer one before a shorter). `pattern`
 * is the text in lower case, without quotes and without a full stop at its end; '*' stands for a
 * variable part, '|' separates alternatives. A row without a pattern is one that the program names
 * itself. `cause` and `action` are whole sentences for a bookkeeper; `setting` is the setting of
 * the store that mends it, where one does. Then give the row its text in the unit test and its case
 * in tests/integration/test_catalogue.py. The row "unknown" stays the last.
 */
#include "service/sync/catalogue_parts.h"

/* A member a line, the three short ones on one, which the formatter would spread. */
/* clang-format off */
const struct cat_row cat_rows[] = {
    /* ---- dates ---- */
    {.id = "lock-date",
     .pattern = "*the document date cannot be before the period lock date*|"
                "*the document date cannot be before the end of year lock date*",
     .cause = "The date is on or before the lock date in Xero.",
     .action = "Unlock the date in Xero, then export again; it cannot be resolved here.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "settings.lock_date_policy"},
    {.id = "date-locked",
     .pattern = "date cannot be changed on an invoice that has payment or credit notes allocated "
                "to it",
     .cause = "The invoice in Xero has a payment or a credit note, so Xero keeps its date.",
     .action = "Change the date by hand in Xero, or remove the payment there and export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "due-date-missing",
     .pattern = "due date cannot be empty",
     .cause = "The invoice was sent without a due date.",
     .action = "Set due_days in the store's settings, then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "settings.due_days"},
    {.id = "payment-terms",
     .pattern = "*due date of *must be between 1 and 31*",
     .cause = "The default payment terms of the contact or of the organisation in Xero are not "
              "valid.",
     .action = "Correct the payment terms in Xero (a day from 1 to 31), then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "date-format",
     .pattern = "the string * is not a valid allxsd value|*could not convert string to datetime*",
     .cause = "A date was sent in a form that Xero does not read. This is a fault of this program.",
     .action = "Report it with the order's name and Xero's text; the order can be entered by hand "
               "in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},

    /* ---- accounts, tax, items, currency ---- */
    {.id = "below-a-cent",
     .pattern = "account must be valid, tax rate must be valid",
     .cause = "A line or the sum is under 0.005 and rounds to 0.00.",
     .action = "Delete the failed export; or credit the order and raise a new one; or change the "
               "value or discount the line 100%.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "account-or-tax-invalid",
     .pattern = "account must be valid|tax rate must be valid",
     .cause = "Xero does not accept a line's account or tax rate: it is not active in Xero, or "
              "the line's amount is below a cent.",
     .action = "Check the mapped account and tax rate in the store's settings. If both are active "
               "in Xero, look for a line under 0.005 and delete the failed export or change the "
               "line's value.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.accounts"},
    {.id = "account-archived",
     .pattern = "account code * has been archived, or has been deleted*|"
                "account code * has been archived or deleted*",
     .cause = "The mapped account was archived or deleted in Xero.",
     .action = "Restore the account in Xero, or map another account in the store's settings; then "
               "export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "mappings.accounts"},
    {.id = "account-invalid",
     .pattern = "account code * is not a valid code for this document|"
                "account code or id must be specified|account code must be specified",
     .cause = "The account was archived, is gone, or none is mapped.",
     .action = "Map the account code to an existing account in the store's settings.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.accounts"},
    {.id = "account-removed",
     .pattern = "account code * has been removed as it does not match a recognised account",
     .cause = "Xero does not know the mapped account, and stored the draft's line without an "
              "account.",
     .action = "Map the account code to an existing account in the store's settings, and give the "
               "draft's line its account in Xero; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.accounts"},
    {.id = "account-missing",
     .cause = "No account is mapped for this kind of line.",
     .action = "Map an account for it in the store's settings (mappings.accounts), then export "
               "again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.accounts"},
    {.id = "tax-not-for-account",
     .pattern = "the taxtype code * cannot be used with account code *",
     .cause = "Xero does not allow this tax rate on this account.",
     .action = "Map another tax rate, or another account, in the store's settings; then export "
               "again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.taxes"},
    {.id = "tax-invalid",
     .pattern = "the taxtype code * does not exist or cannot be used for this type of transaction",
     .cause = "The mapped tax rate does not exist in Xero, is archived, or is meant for purchases.",
     .action = "Map the tax to an active sales tax rate in the store's settings, or restore the "
               "rate in Xero; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.taxes"},
    {.id = "tax-missing",
     .pattern = "the taxtype field is mandatory",
     .cause = "A line has no tax rate, and its account in Xero has none either.",
     .action = "Map a tax rate in the store's settings (mappings.taxes), then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.taxes"},
    {.id = "tax-unmapped",
     .pattern = "[taxcode *] is not mapped to an accounting tax*",
     .cause = "No Xero tax is mapped for that tax; Xero taxes are for sales or for purchases.",
     .action = "Map the tax to a sales tax rate.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.taxes"},
    {.id = "vat-rate-missing",
     .cause = "Amazon's prices may hold a VAT that it does not state, and the store's settings "
              "have no rate for the order's country.",
     .action = "Set the country's rate in the store's settings (vat_rates), like \"0.2\" for "
               "20 %, or \"0\" if no VAT is due there; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "settings.vat_rates"},
    {.id = "tax-above-line",
     .pattern = "the tax amount cannot be greater than the line amount*",
     .cause = "The tax sent for a line is larger than the line itself.",
     .action = "Compare the order's taxes in the shop. If they are right, report it with the "
               "order's name; the order can be entered by hand in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "tax-does-not-reconcile",
     .cause = "The tax that Xero would compute differs from the shop's by more than the rounding "
              "limit.",
     .action = "Compare both sums in the message with the order. Correct the tax mapping, or set "
               "tax_amounts to when_needed in the store's settings; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "settings.tax_amounts"},
    {.id = "prices-changed-kind",
     .cause = "The order's amounts say now that its prices hold no tax, and said the opposite when "
              "it was exported, or the other way round.",
     .action = "Compare the order in the shop with its documents in Xero, correct them by hand "
               "there, then delete this row; what is in Xero is left as it was written.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "total-does-not-reconcile",
     .cause = "The order's lines do not add up to the order's total, so no invoice can be right.",
     .action = "Compare both sums in the message with the order in the shop; enter this order by "
               "hand in Xero, or raise rounding_limit in the store's settings if the difference "
               "is acceptable.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO, .setting = "settings.rounding_limit"},
    {.id = "line-total-differs",
     .pattern = "the line total * does not match the expected line total *",
     .cause = "Xero computes another amount for a line than the one that was sent. This is a "
              "fault of this program.",
     .action = "Report it with the order's name and Xero's text; the order can be entered by hand "
               "in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "item-invalid",
     .pattern = "item code * is not valid",
     .cause = "Xero has no item with this code.",
     .action = "Create the item in Xero, or switch off item codes in the store's settings; then "
               "export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "settings.item_codes"},
    {.id = "item-exists",
     .pattern = "price list item with code * already exists",
     .cause = "An item with this code exists in Xero already.",
     .action = "Nothing to change: export again, the existing item is used.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NOW},
    {.id = "item-stock",
     .pattern = "*would go negative*|*not enough * in stock*|*quantity on hand*",
     .cause = "The item is tracked in Xero and its stock there is too low.",
     .action = "Adjust the stock in Xero, or switch off item codes in the store's settings; then "
               "export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "settings.item_codes"},
    {.id = "currency-missing",
     .pattern = "*organisation is not subscribed to currency *",
     .cause = "The order's currency is not enabled in the Xero organisation.",
     .action = "Add the currency in Xero (its plan must include multi-currency), then export "
               "again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "description-missing",
     .pattern = "the description field is mandatory for each line item*",
     .cause = "A line was sent without a description. This is a fault of this program.",
     .action = "Give the product a title in the shop and export again; report it with the order's "
               "name.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "quantity-negative",
     .pattern = "the quantity value * is invalid. quantity must not be less than zero",
     .cause = "A line has a negative quantity, which a Xero invoice cannot have.",
     .action = "Enter this order by hand in Xero, and report it with the order's name.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "total-negative",
     .pattern = "the total for this document must be greater than or equal to zero",
     .cause = "The order's total is below zero: that is a credit note, not an invoice.",
     .action = "Enter it as a credit note by hand in Xero, then delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "wrong-value",
     .pattern = "error converting value *",
     .cause = "A field was sent with a value that Xero does not know. This is a fault of this "
              "program.",
     .action = "Report it with the order's name and Xero's text; the order can be entered by hand "
               "in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "tracking-invalid",
     .pattern = "*tracking category*|*tracking option*",
     .cause = "The mapped tracking category or option was renamed or archived in Xero.",
     .action = "Restore it in Xero, or correct it in the store's settings; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "settings.tracking"},

    /* ---- contacts ---- */
    {.id = "contact-name-taken",
     .pattern = "*the contact name * is already assigned to another contact*|"
                "please enter a unique name*|the contact name already exists*",
     .cause = "Another contact (customer or supplier) has that name or e-mail.",
     .action = "Rename the other contact in Xero, change the customer's name in the shop, or map "
               "the customer to a Xero contact (PUT /connections/{name}/contacts/...); then export "
               "again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "contact-number-taken",
     .pattern = "the contact number * is already assigned to another contact*|"
                "another contact has this contact number*|"
                "the contact could not be made: xero shows none with our mark and takes none",
     .cause = "The mark by which this program knows its contacts is on another contact in Xero, "
              "perhaps an archived or merged one.",
     .action = "Find that contact in Xero (archived ones too) and restore it or clear its contact "
               "number; then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "account-number-exists",
     .pattern = "the account number already exists*",
     .cause = "The customer code is already another contact's account number.",
     .action = "Switch off \"send customer code as account number\", or remove the number from "
               "the contact in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "settings.send_customer_code"},
    {.id = "contact-archived",
     .pattern = "the specified contact details matched an archived contact*|"
                "the contact with the specified contact details has been archived*|"
                "unable to assign an archived contact*",
     .cause = "The contact was archived, deleted or merged in Xero.",
     .action = "Restore it in Xero; if it was merged, map the customer to the contact that is left "
               "(PUT /connections/{name}/contacts/...). Then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "contact-mapped",
     .pattern = "the customer is mapped to the xero contact *",
     .cause = "The Xero contact that the customer was mapped to by hand takes no documents.",
     .action = "Map the customer to another contact (PUT /connections/{name}/contacts/...), take "
               "the mapping off (DELETE), or restore the contact in Xero; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "contact-gdpr",
     .pattern = "xero keeps the customers contact for a gdpr request*",
     .cause = "The contact is being erased in Xero at the person's request (GDPRREQUEST).",
     .action = "Map the customer to another contact (PUT /connections/{name}/contacts/...), then "
               "export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "contact-empty",
     .pattern = "the contact must contain at least 1 of the following elements to identify the "
                "contact*|a contact must be specified for this type of transaction",
     .cause = "The document was sent without a contact. This is a fault of this program.",
     .action = "Report it with the order's name and Xero's text; the order can be entered by hand "
               "in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "contact-tax-number",
     .pattern = "export of * to xero contacts api failed - details: xero validation error*",
     .cause = "The VAT/GST number is invalid.",
     .action = "Correct it to the format of the contact's country.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "email-invalid",
     .pattern = "email address must be valid",
     .cause = "The customer's e-mail address is not valid.",
     .action = "One address only, no commas, spaces or other characters.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "contact-people",
     .pattern = "additional people cannot be added when the primary person has no email address "
                "set",
     .cause = "The contact in Xero has further people but no e-mail address of its own.",
     .action = "Give the contact an e-mail address in Xero, then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "contact-groups",
     .pattern = "youve reached the limit of 100 contact groups*",
     .cause = "The Xero organisation has as many contact groups as Xero allows.",
     .action = "Delete contact groups in Xero that are no longer used, then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},

    /* ---- invoices and credit notes ---- */
    {.id = "number-taken",
     .pattern = "invoice # must be unique*",
     .cause = "The number exists in Xero and is not ours.",
     .action = "Rename it there, or change this store's number prefix; never solved by a silent "
               "second number.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "settings.prefix"},
    {.id = "status-locked",
     .pattern = "invoice not of valid status for modification*|credit note not of valid status*",
     .cause = "The document in Xero is paid, voided or deleted, so Xero refuses the change.",
     .action = "Open the document in Xero. If it was voided or deleted by mistake, enter the order "
               "by hand there. Then delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "document-paid",
     .pattern = "this document cannot be edited as it has a payment or credit note allocated to "
                "it*|"
                "the status * cannot be applied to the invoice because it has payments or credit "
                "notes allocated to it*",
     .cause = "The document in Xero has a payment or a credit note, so Xero refuses the change.",
     .action = "Remove the payment or the credit note in Xero and export again, or leave the "
               "document as it is and delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "creation-refused",
     .pattern = "invoice not of valid status for creation*|"
                "invoice not of valid type for creation*|one or more line items must be specified*",
     .cause = "The invoice was sent in a form that Xero does not create. This is a fault of this "
              "program.",
     .action = "Report it with the order's name and Xero's text; the order can be entered by hand "
               "in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "document-unknown",
     .pattern = "an existing invoice with the specified id could not be found*|"
                "an existing credit note with the specified creditnoteid could not be found*|"
                "the document with the supplied id was not found for this endpoint*",
     .cause = "The document that was exported before is not in this Xero organisation.",
     .action = "Check that the right organisation is connected. If it is, export the order again "
               "by hand.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "invoice-limit",
     .pattern = "you have reached the limit of invoices you can approve*",
     .cause = "The organisation's Xero plan allows no more approved invoices this month.",
     .action = "Upgrade the plan in Xero, or set the store's invoice status to DRAFT; then export "
               "again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "settings.status"},
    {.id = "changed-in-xero",
     .cause = "Somebody changed the document in Xero after it was exported.",
     .action = "Compare both versions in the message. Keep Xero's and delete the failed export, "
               "or set it back in Xero and export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "voided-in-xero",
     .cause = "Somebody voided or deleted a document of the order in Xero.",
     .action = "If that was meant, delete the failed export. If not, export the order again by "
               "hand with a new document in its place.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "paid-by-others",
     .cause = "The order is cancelled, but its document in Xero has a payment or credit that was "
              "not entered from here.",
     .action = "Remove that payment or credit in Xero and export again, or credit the invoice by "
               "hand there and delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "lines-unknown",
     .cause = "The order changed after its export, and what its document in Xero says line by line "
              "was not recorded then.",
     .action = "Change the document by hand in Xero to the order's total, then delete the failed "
               "export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "refund-does-not-reconcile",
     .cause = "The money that a refund gave back is not what its lines and adjustments come to, "
              "and the order's payments do not explain the difference.",
     .action = "Compare the refund in the shop with the figures in the message, enter its credit "
               "note by hand in Xero, then delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "deleted-in-shop",
     .cause = "The order was deleted in the shop, but its invoice is in Xero; it is not voided by "
              "itself.",
     .action = "Void or credit the invoice by hand in Xero if it must go, then delete this row.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},

    /* ---- payments ---- */
    {.id = "payment-too-large",
     .pattern = "payment amount exceeds the amount outstanding on this document*",
     .cause = "Less is due on the invoice in Xero than the payment; perhaps it was paid there by "
              "hand.",
     .action = "Open the invoice in Xero. If it is paid, delete the failed export; if not, enter "
               "the rest by hand there.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "payment-not-allowed",
     .pattern = "payments can only be made against authorised documents*",
     .cause = "The invoice in Xero is not approved, or is paid or voided already.",
     .action = "Approve the invoice in Xero and export again; if it is paid already, delete the "
               "failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "payment-account-unmapped",
     .pattern = "you must specify an account code or account id for the payment*",
     .cause = "No Xero account is mapped for this payment gateway.",
     .action = "Map an account for the gateway in the store's settings (mappings.payments), then "
               "export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.payments"},
    {.id = "payment-account-unknown",
     .pattern = "account could not be found*",
     .cause = "The account that is mapped for the payment does not exist in Xero.",
     .action = "Map an existing account for the gateway in the store's settings, then export "
               "again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.payments"},
    {.id = "payment-account-type",
     .pattern = "account type is invalid for making a payment to/from*",
     .cause = "Xero does not take payments on the mapped account.",
     .action = "Tick \"enable payments to this account\" on it in Xero, or map a bank account in "
               "the store's settings; then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO, .setting = "mappings.payments"},
    {.id = "payment-document-unknown",
     .pattern = "document could not be found*",
     .cause = "The invoice to be paid is not in Xero.",
     .action = "Export the order again: the invoice goes first, then its payment.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "payment-fixed",
     .pattern = "this payment has been reconciled and cannot be deleted*|"
                "payments within a batch cannot be deleted*",
     .cause = "The payment in Xero is reconciled or part of a batch.",
     .action = "Undo the reconciliation or delete the batch in Xero, then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "allocation-too-large",
     .pattern = "*allocat* exceeds *|*allocat* is greater than *|*allocat* more than *",
     .cause = "More would be allocated than the credit note has left or the invoice has due.",
     .action = "Compare the credit note and the invoice in Xero; allocate the rest by hand there, "
               "then delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "payment-currency",
     .pattern = "*currency of the *account*|*bank account* currency*",
     .cause = "The mapped account has another currency than the invoice.",
     .action = "Map an account in the invoice's currency for the gateway in the store's settings, "
               "then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO, .setting = "mappings.payments"},
    {.id = "payment-split-unknown",
     .cause = "The order was paid through several gateways, and the shop has not said how much "
              "came through each.",
     .action = "Enter the payments by hand in Xero, where the invoice is, then delete the failed "
               "export. An app that sends order_transactions/create says such splits by itself; "
               "with the shop's API token in the store's secrets they are read from the shop: "
               "enter it and export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},

    /* ---- connection, limits, transport ---- */
    {.id = "daily-limit",
     .pattern = "response status code does not indicate success: 500 (internal server error)|"
                "xeros daily limit of calls is used up*",
     .cause = "The daily limit of (5000) calls is used up; Xero does not raise it.",
     .action = "Wait up to 24 hours: the export resumes by itself.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_RETRY_LATER},
    {.id = "rate-limit",
     .pattern = "xero takes no more calls for * s",
     .cause = "Xero takes no more calls this minute.",
     .action = "Nothing to do: the export resumes by itself within a minute or two.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_RETRY_LATER},
    {.id = "token-expired",
     .pattern = "*tokenexpired*|*token expired at *",
     .cause = "The access to Xero has to be renewed, which happens every 30 minutes.",
     .action = "Nothing to do: it is renewed by itself.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_RETRY_NOW},
    {.id = "shop-token-missing",
     .pattern = "orders cannot be read from amazon: enter *|"
                "orders cannot be read from the shop: enter *",
     .cause = "Orders have to be read from the shop, and nobody has entered what opens it.",
     .action = "Enter the store's secrets: refresh_token for Amazon; api_client_id and "
               "api_client_secret, or api_token, for Shopify. What waits is read then, none is "
               "lost.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_HELD, .setting = "secrets"},
    {.id = "shop-token-refused",
     .pattern = "login with amazon refused the sellers token*|*invalid api key or access token*|"
                "shopify gives no token *",
     .cause = "The shop refuses what its orders are read with.",
     .action = "Let the shop's owner authorise or install the app again, and enter the store's "
               "secrets anew, as the message says. What waits is read then, none is lost.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_HELD, .setting = "secrets"},
    {.id = "shop-held",
     .cause = "The shop gives no orders at the moment.",
     .action = "It is asked again by itself, and what waits is not lost. If the text names a "
               "consent, a role or a token, mend that in the shop; a new token in the store's "
               "secrets is tried at once.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_HELD},
    {.id = "disconnected",
     .pattern = "*invalid_grant*|*authenticationunsuccessful*|xero connection has been dropped*",
     .cause = "The app was removed in Xero, or the token died.",
     .action = "Reconnect; exports are held, none is lost.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_HELD},
    {.id = "credentials-missing",
     .pattern = "no credentials for xero are stored for this connection",
     .cause = "No client id and secret for Xero are stored for this connection.",
     .action = "Give the connection its client id and secret; exports are held, none is lost.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_HELD},
    {.id = "paused",
     .cause = "The connection was paused here.",
     .action = "Resume it; exports are held, none is lost.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_HELD},
    {.id = "uninstalled",
     .cause = "Xero was uninstalled from the connection.",
     .action = "Set the connection up again, then export the orders by hand.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_HELD},
    {.id = "client-invalid",
     .pattern = "*invalid_client*",
     .cause = "Xero does not accept this program's own client id and secret.",
     .action = "Whoever runs this program must set the right Xero client id and secret; exports "
               "are held, none is lost.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_HELD},
    {.id = "scope-missing",
     .pattern = "*authorizationunsuccessful*|*insufficent_scope*|*insufficient_scope*",
     .cause = "The consent given in Xero does not cover what the export needs.",
     .action = "Connect Xero again and agree to everything that is asked for; exports are held, "
               "none is lost.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_HELD},
    {.id = "permission-missing",
     .pattern = "*the user specified does not have the correct permissions to perform this "
                "action*|you are not permitted to access this resource*",
     .cause = "The person who connected Xero may not do this there.",
     .action = "Raise that person's role in Xero (Standard or Adviser), or connect again as "
               "somebody who has it; then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "subscription-lapsed",
     .pattern = "*make sure your xero subscription is still active*|*organisation * is not active*",
     .cause = "The organisation's Xero subscription has ended.",
     .action = "Renew it in Xero, then export again.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "xero-fault",
     .pattern = "*an error occurred in xero*|an error occurred",
     .cause = "Xero had a fault of its own and did not say whether the document was stored.",
     .action = "Nothing to do: Xero is asked first what it holds, then it is tried again. If it "
               "lasts, look at status.xero.com.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_LOOK_UP},
    {.id = "xero-unreachable",
     .pattern = "*organisation is offline*|*organisation offline*|xero cannot be reached*|"
                "xero does not answer look-ups*|no token for xero in time*",
     .cause = "Xero could not be reached, or the organisation is offline there.",
     .action = "Nothing to do: it is tried again by itself. If it lasts, look at status.xero.com.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_RETRY_LATER},
    {.id = "outcome-unknown",
     .pattern = "xero did not say what became of a call",
     .cause = "Xero's answer was lost, so it is not known whether it acted.",
     .action = "Nothing to do: Xero is asked what it holds before anything is sent again.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_LOOK_UP},
    {.id = "key-reused",
     .pattern = "*used with a different request*",
     .cause = "A request was repeated with other contents. This is a fault of this program.",
     .action = "Nothing to do now: Xero is asked what it holds before anything is sent again. "
               "Report it with the order's name.",
     .fix_in = CAT_FIX_WAIT, .retry = CAT_LOOK_UP},
    {.id = "not-found",
     .pattern = "*the resource youre looking for cannot be found*|not found",
     .cause = "Xero does not know something that the export names: an account, a contact or an "
              "invoice.",
     .action = "Check that the right organisation is connected, and the mappings in the store's "
               "settings; then export again.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "request-too-large",
     .pattern = "*request entity too large*|*payload too large*|xero answered with status 413*",
     .cause = "The order has too many lines for one call to Xero.",
     .action = "Enter this order by hand in Xero, then delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},

    /* ---- what only we say ---- */
    {.id = "unsupported-kind",
     .pattern = "this kind of order is not supported yet*",
     .cause = "This kind of order is not supported yet: the message names what it has.",
     .action = "Enter this order by hand in Xero, then delete the failed export.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
    {.id = "unusable-order",
     .cause = "The order came without something that an invoice needs; the message names the "
              "field.",
     .action = "Look at the order in the shop. If it is complete there, save it once so that it "
               "is sent again; else enter it by hand in Xero.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "not-in-shop",
     .cause = "The shop was asked for the order, and knows none of this number.",
     .action = "Look for the order in the shop. If it was deleted there, delete this row; an "
               "invoice that is in Xero already stays as it is.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "shop-fails-at-order",
     .cause = "The shop failed each time it was asked for this order, while it answered others.",
     .action = "Look at the order in the shop. Once the shop shows it, export it again by hand; "
               "its next change there has it read again too. Else enter it by hand in Xero.",
     .fix_in = CAT_FIX_SHOP, .retry = CAT_RETRY_NO},
    {.id = "poison",
     .cause = "The export was started three times and never came to an end.",
     .action = "Report it with the order's name; the order can be exported again by hand, or "
               "entered in Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "internal-fault",
     .pattern = "*postdatainvalidexception*|*queryparseexception*|*nodataprocessedexception*|"
                "no data has been processed for this endpoint*",
     .cause = "The export met a fault of this program.",
     .action = "Report it with the order's name and the text; the order can be entered by hand in "
               "Xero.",
     .fix_in = CAT_FIX_HERE, .retry = CAT_RETRY_NO},
    {.id = "unknown",
     .cause = "Xero or the shop gave a reason that is not in this catalogue.",
     .action = "Read the text as it is: it often names what to change. If it does not help, "
               "report it with the order's name and the correlation id; then export again or "
               "enter the order by hand.",
     .fix_in = CAT_FIX_XERO, .retry = CAT_RETRY_NO},
};
/* clang-format on */

const size_t cat_row_count = sizeof(cat_rows) / sizeof(cat_rows[0]);

/*
 * export_contacts_parts: what the two files of contacts share: the customers of a lease that have
 * no contact yet. export_contacts goes from step to step, export_contacts_match asks Xero and
 * decides by its answers. One thread at a time.
 */
#pragma once

#include "service/export/export_work.h"

/* What happens next for a customer. */
enum customer_next {
    WHO_EMAIL,  /* look for its e-mail address */
    WHO_NUMBER, /* look for our mark, archived contacts included */
    WHO_NAME,   /* look for its name, which Xero says is taken */
    WHO_ID,     /* look at one contact: a mapped one, or the survivor of a merger */
    WHO_MAKE,   /* make it */
    WHO_DONE    /* its orders have their contact, or have failed */
};

/* One contact that is wanted, for all of the lease's orders with its mark. */
struct customer {
    struct work_order *x; /* the first of these orders that is still open */
    struct str mark;
    enum customer_next next;
    struct str id;       /* WHO_ID: of the contact to look at */
    struct str by_email; /* found by the address; it is taken if no contact has our mark */
    bool email_asked, mark_is_free;
    bool distinct; /* its own name is a stranger's */
    int mergers, makes;
    struct str *doubts; /* why Xero did not make it, the last time */
    size_t doubt_count;
};

/* ---- export_contacts.c ---- */

/* All orders of C go to contact ID. */
void exp_use_contact(struct work *w, struct customer *c, struct str id);
/* All orders of C fail by Xero's words. */
void exp_refuse_customer(struct work *w, struct customer *c, const struct str *messages, size_t n);
/* The same by a sentence of ours, of catalogue row ID. */
void exp_fail_customer(struct work *w, struct customer *c, const char *id, const char *fmt, ...)
    PRINTF(4, 5);

/* ---- export_contacts_match.c ---- */

/* Asks Xero for the customers that have a question, in as few calls as there can be, and decides
 * for each what is next. */
enum work_next exp_ask_contacts(struct work *w, struct customer *all, size_t n);
/* Whether NAME can stand in a question. */
bool exp_can_ask_name(struct str name);

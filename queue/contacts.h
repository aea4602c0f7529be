/*
 * contacts: which Xero contact a customer is: what a person said, and what is remembered of earlier
 * exports, per connection and by the customer's mark. The worker reads both for itself; nobody asks
 * Xero here.
 * Functions take a connection to Redis, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/rds.h"
#include <stdbool.h>

/* A ContactID, and where it comes from. */
struct ctc_contact {
    char id[37]; /* "": nothing is known */
    bool mapped; /* a person said so */
};

/* What the next export of a customer with MARK would use without asking Xero. */
enum err ctc_get(struct rds *r, const char *connection, const char *mark, struct ctc_contact *out,
                 struct errinfo *info) MUST_CHECK;
/* Maps it to contact ID, or takes the mapping off (ID ""). CUSTOMER and WHO are for the audit.
 * ERR_NOT_FOUND: no such connection, or there is no mapping to take off; ERR_CONFLICT: Xero was
 * uninstalled from it. */
enum err ctc_map(struct rds *r, const char *connection, const char *mark, const char *customer,
                 const char *id, const char *who, struct errinfo *info) MUST_CHECK;

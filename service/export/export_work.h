/*
 * export_work: what the files of the export module share: one lease being worked, its orders, and
 * one batch call to Xero with the elements it is made of. Only export*.c include it. A call's
 * elements are written into its meta and can be read back, so that an answer is applied the same
 * way by the process that made the call and by one that took the lease over. One thread at a time.
 */
#pragma once

#include "queue/jobs.h"
#include "queue/settings.h"
#include "service/base/crypto.h"
#include "service/base/json.h"
#include "service/export/xero.h"
#include "service/sync/invoice.h"

/* One thread's exporter; made by export.c. */
struct exp {
    struct xero *xero;
    struct rds_pool *redis;
    struct set_cache *stores;
    const struct cry_keys *master, *hook;
    char *public_url, *worker;
    int64_t lease_ms, max_attempts;
    const _Atomic bool *stopping; /* may be NULL */
};

/* How the work on a lease goes on. */
enum work_next {
    WORK_GO,
    WORK_UNKNOWN,   /* a write's outcome is not known; nothing else may be done before it is */
    WORK_HAND_BACK, /* what is not ended goes back to the queue, with `again_ms` and the hold */
    WORK_LET_GO /* the lease is left as it stands: it is another's, or the next owner settles it */
};

struct element;
struct customer;

/* One leased order. */
struct work_order {
    struct job_order *o;
    struct set_store *store; /* held until the lease ends: WANTED borrows its texts */
    struct inv_known known;  /* its arrays grow by copies in the lease's arena */
    struct str lost;         /* Xero's words on what it left out of the invoice; "" nothing */
    struct element *doubts;  /* documents of which nobody knows whether they were made */
    size_t doubt_count;
    struct inv_wanted wanted;
    struct str contact_id;
    struct str mapped_id;    /* the contact that a person mapped its customer to; "" none */
    bool contact_kept;       /* it was remembered from an earlier export */
    bool contact_anew;       /* what was known was of no use: it is looked up */
    bool another_try;        /* what Xero refused of its documents is mended: they are sent again */
    bool made, paid, voided; /* by this lease, for the sentence */
    bool settled_by_hand;    /* a person paid it in Xero */
    int64_t split_until_ms;  /* Unix ms; 0 = not waiting */
    bool ended;              /* REPORT is final */
    struct job_report report;
};

/* One document of a batch call. Texts live in the lease's arena. */
struct element {
    struct work_order *x;  /* NULL: its order is not in this lease (any more) */
    struct str doc;        /* name of the document; of a payment, of the one that is paid */
    struct str number;     /* the document's, or the contact's mark */
    struct str invoice_id; /* Xero's, of the document that is changed or paid */
    struct str keys;       /* of its lines, separated by commas */
    struct str url, status, currency;
    struct str total, tax; /* what Xero must return; a payment's amount is `total` */
    struct str mark, reference;
    struct str lost;    /* of a recorded invoice: what Xero left out of it, in its words */
    bool open;          /* no verdict yet */
    struct str *doubts; /* open: Xero's words, some of which leave it in doubt */
    size_t doubt_count;
    /* only to write it; not in the meta */
    const struct inv_document *document;
    const struct inv_payment *payment;
    struct customer *customer; /* of a contact */
};

struct call_kind;

/* One batch call. */
struct call {
    const struct call_kind *kind;
    struct element *elements;
    size_t n;
    char key[37];
    struct str bytes, meta;
};

struct work {
    struct exp *e;
    struct job_lease *lease;
    struct rds *redis;
    struct set_conn conn;
    const char *grant;
    const _Atomic bool *stopping;
    struct work_order *orders;
    size_t count;
    /* for the next permit or the end: what the last answer said */
    struct job_update *updates;
    size_t update_count, update_room;
    bool answered;
    int64_t day_left;
    char correlation[64]; /* Xero's id of it, for its support; "" none */
    /* the token, once it was needed */
    char *access;
    int64_t access_version, access_until_ms;
    /* how it ends */
    int64_t again_ms, hold_ms;
    char hold_why[256];
    struct arena arena;
};

/* ---- export_load.c ---- */

/* Reads the order's documents as recorded: fills X->known and X->doubts. */
void exp_read_docs(struct work *w, struct work_order *x);
/* Settings, snapshot, wanted documents: fills X->wanted or ends X. */
void exp_load(struct work *w, struct work_order *x);
/* Puts off the order until the transactions of its split payment are known. True if it was. */
bool exp_wait_for_split(struct work *w, struct work_order *x);

/* ---- export_record.c ---- */

/* The sale's invoice that Xero holds, void or not; NULL: none. */
const struct inv_known_doc *exp_sale(const struct work_order *x);
/* An amount as decimal text in the lease's arena. */
struct str exp_amount(struct work *w, struct money m);

/* Adds a change of one order's record for the next permit; VALUE {NULL,0} deletes the field. */
void exp_update(struct work *w, const struct work_order *x, struct str field, struct str value);
/* Records the document of EL as V shows it, for the queue and in X->known. V NULL: whether it
 * exists is not known; then it is looked up before anything else is done for the order. */
void exp_record_document(struct work *w, const struct element *el, const struct xero_element *v);
/* The same for a payment; ID "" = not known. */
void exp_record_payment(struct work *w, const struct element *el, struct str id);
/* Takes the mark of an unknown outcome off again: Xero has no such document. */
void exp_forget(struct work *w, const struct element *el);
/* One recorded document of X: NAME without "doc:". */
void exp_read_doc(struct work *w, struct work_order *x, struct str name, const struct js_value *v);

/* ---- export_report.c ---- */

/* Ends X on the failed list with N messages. IDS: their rows, of messages of ours; NULL: Xero said
 * them, each is matched with the catalogue, and the id of Xero's last answer goes with them. */
void exp_fail(struct work *w, struct work_order *x, const char *document,
              const struct str *messages, const char *const *ids, size_t n);
/* The same with one message of ours. */
void exp_fail_one(struct work *w, struct work_order *x, const char *document, const char *id,
                  const char *fmt, ...) PRINTF(5, 6);
/* Ends X by Xero's messages: failed, or another try that counts if all of them may pass by
 * themselves. */
void exp_refused(struct work *w, struct work_order *x, const char *document,
                 const struct str *messages, size_t n);
/* Ends X to come back after MS without a counted attempt. */
void exp_again(struct work_order *x, int64_t ms);
/* Ends every order that is not: done or failed after all stages, back to the queue otherwise. */
void exp_end_all(struct work *w, enum work_next next);
/* Tells the queue; tries until the lease would have ended. */
enum err exp_complete(struct work *w, struct errinfo *info) MUST_CHECK;

/* ---- export_send.c ---- */

/* One call with its permit: METHOD, PATH, and for a write the CALL whose bytes and key are
 * stored first (NULL for a look-up). WORK_GO: A is an answer to look at (answered, refused, not
 * found). A is always to be freed. */
enum work_next exp_send(struct work *w, const char *method, const char *path,
                        const struct call *call, struct xero_answer *a);
/* Holds the connection for MS: back-off, a limit, or what a person has to mend. */
void exp_hold(struct work *w, int64_t ms, const char *fmt, ...) PRINTF(3, 4);
/* Sleeps. */
void exp_nap(int64_t ms);
/* How long the connection is to be held after one more failure of Xero's. */
int64_t exp_down_ms(struct work *w);

/* ---- export_token.c ---- */

/* An access token; {0} is none. */
struct exp_token {
    char *access;
    int64_t version, valid_ms; /* from the reading on */
};
/* Wipes; leaves none, accepts none. */
void exp_token_free(struct exp_token *t);

enum token_state {
    TOKEN_GOOD,
    TOKEN_MISSING, /* no grant (yet) */
    TOKEN_CLIENT,  /* the client's id or secret is wrong: the operator's business */
    TOKEN_OVER,    /* the consent is over, or the custom connection was deactivated */
    TOKEN_REFUSED, /* refused for another reason, or sealed with an unknown key */
    TOKEN_LATER    /* nobody knows: try again */
};
/* A token of GRANT that is good for a minute and a half: the stored one, or a new one, which is
 * stored before it is handed out. One worker asks, the others wait for it, at most 10 s. INFO: why
 * there is none. */
enum token_state exp_token_get(struct exp *e, struct rds *r, const char *grant,
                               struct exp_token *out, struct errinfo *info) MUST_CHECK;
/* Stores the first tokens of a consent given to the client of grant CLIENT; keeps trying while
 * Redis is away. */
enum err exp_token_new_consent(struct exp *e, struct rds *r, const char *grant, const char *client,
                               const struct xero_tokens *got, struct errinfo *info) MUST_CHECK;
/* The grant that C's tokens come from ("": nobody has consented), and that of its client. */
const char *exp_grant_of(const struct set_conn *c);
const char *exp_client_of(const struct set_conn *c);
/* Gives W a token that is good for a call. False: the connection is held, or dropped. */
bool exp_have_token(struct work *w);
/* Xero calls W's token expired. */
void exp_expire_token(struct work *w);
/* Marks the connection as disconnected. REASON: one word, for the metric. */
void exp_drop(struct work *w, const char *reason, const char *sentence);
/* Whether TENANT ("": any) is in a list of organisations. */
bool exp_listed(const struct xero_tenant *tenants, size_t n, const char *tenant);
/* A call was refused for its token, its scopes or its organisation: holds or drops the connection,
 * each as Xero's words have it. */
enum work_next exp_denied(struct work *w, const struct xero_answer *a);

/* ---- export_calls.c ---- */

/* Makes calls of KIND for all N elements: batches, halves of what is refused as a whole,
 * look-ups of what stays in doubt. */
enum work_next exp_make(struct work *w, const struct call_kind *kind, struct element *elements,
                        size_t n);
/* Applies an answer of 200 to C's elements and looks up what it leaves in doubt. */
enum work_next exp_apply(struct work *w, struct call *c, struct xero_answer *a);
/* The four stages over all open orders of the lease. */
enum work_next exp_stages(struct work *w);

/* ---- export_kinds.c ---- */

/* A kind of batch call. */
struct call_kind {
    const char *name; /* as stored: "contacts", "invoices", "voids", "payments" */
    const char *method, *path;
    const char *list;     /* of request and answer: "Invoices" */
    const char *document; /* as the failed list shows it */
    void (*write)(struct js_out *out, const struct element *el);
    /* One element's verdict; leaves it `open` with its doubt when it has to be looked up. */
    void (*apply)(struct work *w, struct element *el, const struct xero_element *v);
    /* Looks up the open elements; closes those that Xero holds. */
    enum work_next (*look_up)(struct work *w, struct call *c);
    /* Marks that the element's outcome is not known; NULL where repeating it does no harm. */
    void (*unsure)(struct work *w, const struct element *el);
};
extern const struct call_kind exp_invoices, exp_voids, exp_payments;
/* Invoices that Xero stored without all of their data: nothing is done for their orders until
 * somebody has mended them in Xero. */
enum work_next exp_look_at_lost(struct work *w);
/* Keeps what Xero said of EL, for the case that nothing clears it up. */
void exp_keep_doubts(struct work *w, struct element *el, const struct xero_element *v);

/* ---- export_contacts.c ---- */

extern const struct call_kind exp_contacts;
/* Gives every open order that needs an invoice its ContactID: mapped by a person, remembered,
 * looked up, made. */
enum work_next exp_resolve_contacts(struct work *w);
/* Xero does not take X's contact. If that was a remembered one it is forgotten, and true: X gets
 * another try with what a look-up finds, once. True for a mapped one as well: the look-up finds out
 * what is wrong with it. */
bool exp_renew_contact(struct work *w, struct work_order *x);

/* ---- export_items.c ---- */

/* Takes the item codes off all lines that are to be written whose item Xero does not have, does not
 * sell, or tracks the stock of. An order never fails because of an item. */
enum work_next exp_resolve_items(struct work *w);
/* Xero does not take an item of X after all: X's lines go without codes, and without asking again
 * for an hour. False: there were none. */
bool exp_renew_items(struct work *w, struct work_order *x);

/* ---- export_settle.c ---- */

/* C was sent and nobody knows what became of it: the same bytes and key once more if MAY_SEND, else
 * and after that a look-up. Elements that stay open were not made, or carry the mark of doubt. */
enum work_next exp_settle(struct work *w, struct call *c, bool may_send);
/* Looks up what open elements of C became, or marks them. */
enum work_next exp_resolve(struct work *w, struct call *c);
/* The request that a dead worker left behind. */
enum work_next exp_settle_lease(struct work *w);
/* Looks up every document that carries the mark of doubt. */
enum work_next exp_resolve_doubts(struct work *w);
/* C's elements as JSON, for another process. */
struct str exp_write_meta(struct work *w, const struct call *c);

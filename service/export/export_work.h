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

/* What the lease knows of a document beyond struct inv_known_doc. */
struct work_doc {
    struct work_doc *next;
    struct str name;
    struct str reference;
    char due[11];
    struct str face;   /* hash of all that we wrote, as Xero showed it then; "" not known */
    struct str moved;  /* the contact that it was found to go to now; "" its own */
    struct str lost;   /* Xero's words on what it left out; "" nothing */
    struct str manner; /* of the sale: what of the settings its lines were made by */
    bool bad;          /* it is not what was wanted: nothing is paid or allocated */
    bool made, updated, voided, paid, allocated; /* by this lease, for the sentence */
};

/* What keeps a document of an order from being right while its others go on. */
struct trouble {
    const char *document, *id; /* as the failed list shows it; row of the catalogue */
    struct str name, text;     /* the document's number; the message */
};

/* One leased order. */
struct work_order {
    struct job_order *o;
    struct set_store *store;      /* held until the lease ends: WANTED borrows its texts */
    struct inv_settings settings; /* the store's, but see exp_keep_manner */
    const struct order *order;    /* NULL: not loaded */
    const char *link;             /* the shop's page of it, or ours */
    struct inv_known known;       /* its arrays grow by copies in the lease's arena */
    struct work_doc *docs;        /* of those in KNOWN */
    struct element *doubts;       /* documents of which nobody knows whether they were made */
    size_t doubt_count;
    struct inv_wanted wanted;
    bool looks;       /* its documents are looked at */
    bool another_try; /* what Xero refused is learnt: built again, for another round */
    bool rests;       /* an earlier round did all that could be done */
    struct trouble *troubles;
    size_t trouble_count;
    struct str contact_id;
    struct str mapped_id;   /* the contact that a person mapped its customer to; "" none */
    bool contact_kept;      /* it was remembered from an earlier export */
    bool contact_anew;      /* what was known was of no use: it is looked up */
    bool no_codes;          /* Xero refused an item: its lines go without */
    bool settled_by_hand;   /* a person paid it in Xero */
    int64_t split_until_ms; /* Unix ms; 0 = not waiting */
    bool split_asked;       /* the shop was asked for the order during this wait */
    bool ended;             /* REPORT is final */
    struct job_report report;
};

/* One document of a batch call: an invoice, a credit note, a payment or allocation of one, or a
 * contact. Texts live in the lease's arena. */
struct element {
    struct work_order *x;  /* NULL: its order is not in this lease (any more) */
    struct str doc;        /* name of the document; of a payment or an allocation, of the one that
                            * it settles */
    struct str list;       /* "CreditNotes" if that is a credit note */
    struct str number;     /* the document's, or the contact's mark */
    struct str invoice_id; /* Xero's, of the document that is changed, paid or credited */
    struct str note_id;    /* Xero's, of the credit note that is allocated */
    struct str keys;       /* of its lines, separated by commas */
    struct str url, status, currency;
    struct str total, tax; /* what Xero must return; a payment's amount is `total` */
    struct str mark, reference;
    struct str lost;    /* of a recorded document: what Xero left out of it, in its words */
    bool withdrawn;     /* of a recorded document: it is void, and by us */
    bool open;          /* no verdict yet */
    struct str *doubts; /* open: Xero's words, some of which leave it in doubt */
    size_t doubt_count;
    const struct call_kind *kind; /* of a doubt: how it is looked up */
    /* only to write it; not in the meta */
    const struct inv_document *document;
    const struct inv_payment *payment;
    const struct inv_allocation *allocation;
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
    char open_from[11]; /* first day behind Xero's lock dates, where one was met; else "" */
    bool open_asked;    /* whether another lease met one is known */
    /* how it ends */
    int64_t again_ms, hold_ms;
    bool fails_anew; /* the last failure of Xero's came after calls that went well */
    char hold_why[256];
    struct arena arena;
};

/* ---- export_load.c ---- */

/* Reads the order's documents as recorded: fills X->known and X->doubts. */
void exp_read_docs(struct work *w, struct work_order *x);
/* Settings, snapshot, wanted documents: fills X->wanted or ends X. */
void exp_load(struct work *w, struct work_order *x);
/* The documents wanted by what is known now: fills X->wanted or ends X. */
void exp_build(struct work *w, struct work_order *x);
/* Xero refuses EL with V's messages, perhaps for a date in a locked period. True if the store wants
 * the next open day then: it was learnt, and X is built anew for the next round. */
bool exp_learn_open_day(struct work *w, struct element *el, const struct xero_element *v);
/* Puts off the order until the transactions of its split payment are known. True if it was. */
bool exp_wait_for_split(struct work *w, struct work_order *x);

/* ---- export_shown.c ---- */

/* A line of a document as Xero shows it. */
struct shown_line {
    struct str item_id, description, account, tax_type;
    struct money quantity; /* a number with four decimals, of no currency's */
    struct money unit, discount, amount, tax;
};
/* A document as Xero shows it; texts borrowed from the answer. */
struct shown {
    struct str id, number, reference, contact_id, status;
    bool credit, gone, inclusive;
    char date[11], due[11], currency[4];
    struct money total, tax;
    struct money settled; /* paid, credited or paid out of it */
    struct shown_line *lines;
    size_t line_count;
};
/* Reads ELEMENT, whose amounts are in CURRENCY where it does not say so itself. */
void exp_show(struct work *w, const struct xero_element *element, bool credit, struct str currency,
              struct shown *out);
/* Hash of all of it that we write, but the contact. */
struct str exp_face(struct work *w, const struct shown *s);
/* What a person changed in document DOC of X since it was recorded, both versions, as a sentence;
 * "" nothing. Its contact is another matter. */
struct str exp_changes(struct work *w, struct work_order *x, const struct inv_known_doc *doc,
                       const struct shown *s);
/* Whether Xero calls a document of STATUS voided or deleted. */
bool exp_is_gone(struct str status);
/* TEXT as an amount; a zero without a currency if it is none. */
struct money exp_money(struct str text, struct str currency);

/* ---- export_record.c ---- */

/* The sale's invoice that Xero holds, void or not; NULL: none. */
const struct inv_known_doc *exp_sale(const struct work_order *x);
/* The document NAME that Xero holds and that is not void; NULL: none. */
const struct inv_known_doc *exp_live(const struct work_order *x, struct str name);
/* What else is known of document NAME; made if it is not there. */
struct work_doc *exp_doc(struct work *w, struct work_order *x, struct str name);
/* Whether EL is, or settles, a credit note. */
bool exp_is_note(const struct element *el);
/* An amount as decimal text in the lease's arena. */
struct str exp_amount(struct work *w, struct money m);
/* A copy of the N elements of SIZE at ARRAY with room for one more. */
void *exp_grown(struct work *w, const void *array, size_t n, size_t size);

/* Takes DOC into what is known, in place of the one of its name. */
void exp_know(struct work *w, struct work_order *x, const struct inv_known_doc *doc);

/* A copy in ARENA of the text member KEY of V; empty: there is none. */
struct str exp_text(const struct js_value *v, const char *key, struct arena *arena);

/* Adds a change of one order's record for the next permit; VALUE {NULL,0} deletes the field. */
void exp_update(struct work *w, const struct work_order *x, struct str field, struct str value);
/* Records the document of EL as V shows it, for the queue and in X->known. */
void exp_record_document(struct work *w, const struct element *el, const struct xero_element *v);
/* Records document NAME of X as it is known now. */
void exp_record_known(struct work *w, struct work_order *x, struct str name);
/* The same for a payment, and for an allocation; ID is Xero's. */
void exp_record_payment(struct work *w, const struct element *el, struct str id);
void exp_record_allocation(struct work *w, const struct element *el, struct str id);
/* The payments and allocations of document NAME of X are no more: it is void. */
void exp_forget_settled(struct work *w, struct work_order *x, struct str name);
/* Marks that the outcome of KIND for EL is not known: it is looked up before anything else is done
 * for the order. Nothing for a kind whose repetition does no harm. */
void exp_mark(struct work *w, const struct call_kind *kind, const struct element *el);
/* Takes that mark off again: Xero has no such document. */
void exp_forget(struct work *w, const struct call_kind *kind, const struct element *el);
/* One recorded document of X: NAME without "doc:". */
void exp_read_doc(struct work *w, struct work_order *x, struct str name, const struct js_value *v);
/* EL's members that another process needs, into the open object of OUT, and back; texts of the
 * latter in the lease's arena. */
void exp_write_members(struct js_out *out, const struct element *el);
void exp_read_members(struct work *w, const struct js_value *v, struct element *el);

/* ---- export_docs.c ---- */

/* DOC and D as the JSON object that is recorded, and back into what is known as NAME. LINES: with
 * its lines. */
void exp_write_known(struct work *w, struct js_out *out, const struct inv_known_doc *doc,
                     const struct work_doc *d, bool lines);
void exp_read_known(struct work *w, struct work_order *x, struct str name,
                    const struct js_value *v);
/* What of SETTINGS decides which lines and which money an invoice has, as words. */
struct str exp_manner(struct work *w, const struct inv_settings *settings);
/* Puts into SETTINGS what decided it for the sale that Xero holds for X, if it was recorded: what a
 * person sets later is for later sales. */
void exp_keep_manner(struct work *w, struct work_order *x, struct inv_settings *settings);
/* The lines of S as DOC's, with KEYS in their order, or where these are "" each with the key that
 * it had BEFORE (may be NULL). None where they do not fit each other. */
void exp_take_lines(struct work *w, struct str keys, const struct inv_known_doc *before,
                    const struct shown *s, struct inv_known_doc *doc);

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
/* The same for one document: of a sale's invoice it ends X, any other one fails alone, and the rest
 * goes on. KIND's document, EL's name. */
void exp_doc_refused(struct work *w, const struct call_kind *kind, const struct element *el,
                     const struct str *messages, size_t n);
/* The same with one message of ours, of catalogue row ID. */
void exp_doc_failed(struct work *w, const struct call_kind *kind, const struct element *el,
                    const char *id, const char *fmt, ...) PRINTF(5, 6);
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
/* How long the connection is to be held after one more failure of Xero's; sets W->fails_anew. */
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
/* Looks up N open elements, batch by batch; those that Xero holds are recorded. */
enum work_next exp_look_up(struct work *w, const struct call_kind *kind, struct element *elements,
                           size_t n);
/* Applies an answer of 200 to C's elements and looks up what it leaves in doubt. */
enum work_next exp_apply(struct work *w, struct call *c, struct xero_answer *a);
/* Ends N orders of which Xero says nothing, though it answers look-ups, to come back after the
 * connection's hold. Where other calls go well, the fault may be one order's: they come back in
 * halves, and what is alone by then has had a try that counts, for DOCUMENT. */
void exp_put_off(struct work *w, struct work_order *const *orders, size_t n, const char *document);
/* The address that C is sent to. */
const char *exp_path(struct work *w, const struct call *c);

/* ---- export_stages.c ---- */

/* All stages over the open orders of the lease. */
enum work_next exp_stages(struct work *w);

/* ---- export_look.c ---- */

/* Looks at the documents of all orders that ask for it (wanted.look_first), in as few calls as
 * there can be: status, what a person changed, what others paid. Then builds these orders again. */
enum work_next exp_look_first(struct work *w);
/* Documents that Xero stored without all of their data: nothing is done for their orders until
 * somebody has mended them in Xero. */
enum work_next exp_look_at_lost(struct work *w);
/* Whether V is a draft with a line that has no account: Xero stores those in place of an invoice or
 * credit note whose account is archived or gone. */
bool exp_lacks_account(const struct xero_element *v);
/* Tells of document EL that it lacks something in Xero. */
void exp_fail_lost(struct work *w, const struct element *el);

/* ---- export_kinds.c ---- */

/* A kind of batch call. */
struct call_kind {
    const char *name; /* as stored: "contacts", "invoices", "updates", "voids"... */
    const char *method, *path;
    const char *list;     /* of request and answer: "Invoices" */
    const char *document; /* as the failed list shows it */
    void (*write)(struct js_out *out, const struct element *el);
    /* One element's verdict; leaves it `open` with its doubt when it has to be looked up. */
    void (*apply)(struct work *w, struct element *el, const struct xero_element *v);
    /* Looks up the open elements; closes those that Xero holds. */
    enum work_next (*look_up)(struct work *w, struct call *c);
    const char *mark; /* prefix of the field that says that the outcome is not known; NULL where
                       * repeating it does no harm */
    bool by_id;       /* answers are found by Xero's id instead of the number */
    bool by_note;     /* all elements of a call are of one credit note, whose id is in the path */
};
extern const struct call_kind exp_invoices, exp_updates, exp_voids;       /* export_invoices.c */
extern const struct call_kind exp_notes, exp_note_voids, exp_allocations; /* export_notes.c */
extern const struct call_kind exp_payments;                               /* export_payments.c */
/* The kind of that name; NULL: none. */
const struct call_kind *exp_kind(struct str name);

/* How documents are asked for. */
enum ask { ASK_INVOICE_NUMBERS, ASK_INVOICE_IDS, ASK_NOTE_NUMBERS, ASK_NOTE_IDS };
/* What is told of an open element: the documents that its question FOUND, N of them, in memory that
 * ends with the call. */
typedef void exp_see_fn(struct work *w, struct element *el, const struct xero_element *found,
                        size_t n);
/* Asks for the documents that the open ones of N elements are, settle or belong to, in as few calls
 * as there can be, and tells each; those of the other list are left out. */
enum work_next exp_ask(struct work *w, struct element *elements, size_t n, enum ask how,
                       exp_see_fn *see);
/* That of COUNT found documents which has ID; NULL: none. */
const struct xero_element *exp_find(const struct xero_element *found, size_t count, struct str id);
/* Keeps what Xero said of EL, for the case that nothing clears it up. */
void exp_keep_doubts(struct work *w, struct element *el, const struct xero_element *v);
/* Leaves EL in doubt if one of V's messages is of row A or B, or says that Xero had a fault. */
bool exp_doubtful(struct work *w, struct element *el, const struct xero_element *v, const char *a,
                  const char *b);
/* What Xero computed against what was to be sent; told with both figures if they differ. */
void exp_check_total(struct work *w, const struct call_kind *kind, const struct element *el,
                     const struct xero_element *v);
/* Whether two amounts of CURRENCY are the same. */
bool exp_same_amount(struct str a, struct str b, struct str currency);
/* Whether MESSAGE is of the catalogue's row ID. */
bool exp_is_row(struct str message, const char *id);
/* One element of PUT or POST of invoices or credit notes, as the order's builder has it. */
void exp_write_document(struct js_out *out, const struct element *el);
/* One element that voids or deletes a document. */
void exp_write_void(struct js_out *out, const struct element *el);
/* The contact of X's documents: the sale's, or the one that was found for it; "" none. */
struct str exp_contact(const struct work_order *x);

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

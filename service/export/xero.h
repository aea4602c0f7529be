/*
 * xero: calls to Xero and what their answers mean. Is handed an access token and asks for one only
 * where the caller says so; takes no permit (export does, before each call); keeps nothing between
 * calls. One struct a thread. Facts: Xero's accounting description 16.1 and its limits, idempotency
 * and rounding pages.
 */
#pragma once

#include "service/base/json.h"
#include "service/base/money.h"
#include "service/export/http.h"

struct xero_options {
    const char *api_url, *identity_url; /* roots without path */
    const char *scopes;
};

struct xero;
/* One thread's client; O is copied. ERR_NOMEM. xero_free accepts NULL. */
enum err xero_new(const struct xero_options *o, struct xero **out) MUST_CHECK;
void xero_free(struct xero *x);

/* What a call as a whole came to. */
enum xero_verdict {
    XERO_ANSWERED,     /* 200: look at the elements */
    XERO_REFUSED,      /* 400 as a whole: messages say why */
    XERO_TOKEN,        /* 401 TokenExpired: refresh and repeat once */
    XERO_CONSENT,      /* 401 AuthorizationUnsuccessful, a missing scope */
    XERO_DISCONNECTED, /* 401/403 AuthenticationUnsuccessful, or a 403 that says nothing: look
                          whether the organisation is still there */
    XERO_LIMITED,      /* 429 */
    XERO_NOT_FOUND,    /* 404 */
    XERO_DOWN,         /* nothing was sent, or a read failed: try the connection later */
    XERO_UNKNOWN       /* a write whose outcome is not known (5xx, broken off, no answer in time, an
                          answer that cannot be read): same bytes and key, or look up */
};
/* "answered", ...: for the log. */
const char *xero_verdict_text(enum xero_verdict v);

struct xero_answer {
    enum xero_verdict verdict;
    int status;
    int64_t retry_after_s;         /* 429; -1 not said */
    int64_t day_left, minute_left; /* -1 not said */
    bool day_problem;              /* 429 because the day's budget is spent */
    bool in_progress;     /* UNKNOWN because no answer came in time, to us or to what stands between
                           * (504, 408): Xero may still be at it */
    char correlation[64]; /* Xero's id of the answer, for its support; "" none */
    struct str message;   /* for people: whole-call message; "" none */
    struct str *messages; /* what it is made of; at least one when REFUSED */
    size_t message_count;
    struct js_doc doc; /* the parsed body */
    struct http_answer http;
    struct arena arena;
};
/* Leaves an empty answer; accepts one. */
void xero_answer_free(struct xero_answer *a);

/* One call. PATH with query below /api.xro/2.0, e.g. "Invoices?summarizeErrors=false&unitdp=4".
 * KEY: idempotency key, NULL for GET. TOTAL_MS: its deadline. Errors only for faults of this
 * program; everything else is a verdict. */
enum err xero_call(struct xero *x, const char *method, const char *path, const char *tenant,
                   const char *access_token, struct str body, const char *key, int total_ms,
                   struct xero_answer *out, struct errinfo *info) MUST_CHECK;

/* What an exchange means: fills all of OUT but `http` from HTTP, the answer that http_send gave
 * with SENT; out->http takes it over. WRITE: not a GET. For xero_call and for tests. */
void xero_judge(enum err sent, const char *why, bool write, struct http_answer *http,
                struct xero_answer *out);

/* The verdict of one element of an answer (an invoice, a contact, a payment). */
struct xero_element {
    bool ok;
    struct str id;     /* "" when there is none (all zeros count as none) */
    struct str number; /* InvoiceNumber, ContactNumber */
    struct str status;
    struct str total, total_tax, amount_due; /* numbers as text; "" absent */
    const struct js_value *value;            /* the whole element */
    struct str *messages;                    /* errors, and warnings that lose data */
    size_t message_count;
    bool uncertain; /* "An error occurred in Xero" */
};
/* Elements of NAME ("Invoices") in the answer's order; memory from the answer's arena. */
enum err xero_elements(struct xero_answer *a, const char *name, struct xero_element **out,
                       size_t *n, struct errinfo *info) MUST_CHECK;

/* ---- xero_identity.c ---- */

/* What a token is asked for with: a CODE with its REDIRECT_URI, else a REFRESH token, else the
 * client's pair alone. */
struct xero_token_ask {
    struct str client_id, client_secret;
    struct str refresh;
    struct str code, redirect_uri;
};
struct xero_tokens {
    struct buf access, refresh; /* REFRESH stays empty where Xero gives none */
    int64_t expires_s;
    char refusal[48]; /* Xero's word: "invalid_grant", "invalid_client"...; "" none */
};
/* Wipes; leaves an empty one, accepts one. */
void xero_tokens_free(struct xero_tokens *t);
/* ERR_DENIED: refused, OUT->refusal has Xero's word. ERR_UNREACHABLE / ERR_TIMEOUT / ERR_REMOTE:
 * try later with the same; the outcome is not known. OUT is always to be freed. */
enum err xero_ask_token(struct xero *x, const struct xero_token_ask *ask, struct xero_tokens *out,
                        struct errinfo *info) MUST_CHECK;

/* One organisation that the app is connected to. */
struct xero_tenant {
    struct str connection; /* Xero's id of the connection, for xero_leave */
    struct str id, name;   /* of the organisation */
    struct str event;      /* the consent that it came with */
};
/* The organisations of a token, in ARENA; needs no permit. ERR_DENIED: Xero takes the token for
 * nothing; ERR_UNREACHABLE / ERR_TIMEOUT / ERR_REMOTE: try later. */
enum err xero_tenants(struct xero *x, const char *access_token, struct arena *arena,
                      struct xero_tenant **out, size_t *n, struct errinfo *info) MUST_CHECK;
/* Disconnects one organisation: CONNECTION of xero_tenants. ERR_NOT_FOUND: it is not there any
 * more. The other errors of xero_tenants. */
enum err xero_leave(struct xero *x, const char *access_token, struct str connection,
                    struct errinfo *info) MUST_CHECK;
/* The consent that an access token came from, in ARENA; "" if the token does not say. */
struct str xero_token_event(const char *access_token, struct arena *arena);

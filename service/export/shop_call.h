/*
 * shop_call: what the clients of shops and of Amazon's queue share: one request, and what its
 * answer means as far as HTTP tells. The clients (amazon_api, shopify_api, sqs) then read the
 * platform's own words. Keeps nothing between calls, takes no permit, logs nothing; what is called
 * is the client's to say, from configuration and checked ids only. One thread an answer.
 */
#pragma once

#include "service/base/json.h"
#include "service/export/http.h"

/* What a call as a whole came to. */
enum shc_verdict {
    SHC_ANSWERED,
    SHC_NOT_FOUND, /* the shop knows no such thing */
    SHC_LIMITED,   /* too many calls: again after wait_ms */
    SHC_DENIED,    /* `denied` says what is to be mended, by people */
    SHC_DOWN,      /* no answer, or none that can be used: again later, nothing is wrong here */
    SHC_REFUSED    /* the same call would be refused again: `message` says why */
};
/* "answered", ...: for the log. */
const char *shc_verdict_text(enum shc_verdict v);

enum shc_denied {
    SHC_ALLOWED,
    SHC_NO_CLIENT,  /* the app's id or secret is wrong, or AWS' key */
    SHC_NO_CONSENT, /* the shop's token is not, or no longer, valid: a new one has to be entered */
    SHC_NO_ACCESS   /* the token is good, but not for this: a role or scope is missing */
};
/* "client", ...: for the log; "" for SHC_ALLOWED. */
const char *shc_denied_text(enum shc_denied d);

struct shc_answer {
    enum shc_verdict verdict;
    enum shc_denied denied;
    int status;          /* HTTP's; 0: no answer */
    int64_t wait_ms;     /* how long the other side says to wait; -1 not said */
    int64_t at;          /* its time by the other side's clock, in Unix seconds; 0 not said */
    int64_t rate_micro;  /* calls of this kind that are allowed in 1,000,000 s; -1 not said */
    char request_id[64]; /* the other side's id of the call, for its support; "" none */
    struct str message;  /* for people, unless ANSWERED: never holds a token */
    struct js_doc doc;   /* the parsed body */
    struct http_answer http;
    struct arena arena;
};
/* Wipes what it holds; leaves an empty answer, accepts one. */
void shc_answer_free(struct shc_answer *a);

/* One request. KIND is the metrics' word for it ("amazon_order"), WHO the other side's name in
 * sentences. ERR_NOMEM, ERR_SYNTAX: faults of this program; everything else is a verdict. OUT is
 * always to be freed. */
enum err shc_call(struct http *h, const struct http_request *req, const char *kind, const char *who,
                  struct shc_answer *out, struct errinfo *info) MUST_CHECK;
/* What an exchange means: fills all of OUT but `http` from the answer that http_send gave with
 * SENT; out->http takes it over. For shc_call and for tests. */
void shc_judge(enum err sent, const char *why, const char *who, struct http_answer *http,
               struct shc_answer *out);
/* The access token of an answered question for one, into TOKEN; UNTIL_NS: until when it is used, by
 * met_now_ns: five minutes before it ends, and a day at most. If there is none that can be sent,
 * TOKEN is empty, and OUT is DOWN and says OTHERWISE. */
void shc_take_token(struct shc_answer *out, struct str otherwise, struct buf *token,
                    int64_t *until_ns);
/* Text of a member; "" if there is none. Borrowed. */
struct str shc_text(const struct js_value *v, const char *key);
/* TEXT, less its control characters and at most 400 bytes, is the answer's message from now on;
 * nothing happens if it is empty. */
void shc_say(struct shc_answer *a, struct str text);
/* True if PART is in TEXT, in any case. */
bool shc_contains(struct str text, struct str part);

/*
 * amazon_api: calls to Login with Amazon and to the Orders API 2026-01-01, and what their answers
 * mean. Owns the access tokens that it asked for, in memory, by seller, until 5 minutes before
 * their end; they do not rotate, so that several askers do no harm. Takes no permit (the caller
 * does, before each call) and is handed the seller's refresh token. One struct a thread.
 * Facts: Orders API 2026-01-01, connection, usage plans and Login with Amazon pages.
 */
#pragma once

#include "service/export/shop_call.h"

struct aapi_options {
    const char *api_url; /* root without path for all sellers; NULL: Amazon's own, by region */
    const char *lwa_url; /* root without path */
    struct str client_id, client_secret;
};

struct aapi;
/* One thread's client; O is copied. ERR_NOMEM. aapi_free wipes and accepts NULL. */
enum err aapi_new(const struct aapi_options *o, struct aapi **out) MUST_CHECK;
void aapi_free(struct aapi *a);
/* What is asked from now on has its answer by UNTIL_MS (http_until). */
void aapi_until(struct aapi *a, int64_t until_ms);

/* On whose behalf. REGION: "na" (North and South America), "eu" (Europe, India, Middle East,
 * Africa), "fe" (Japan, Australia, Singapore). */
struct aapi_seller {
    const char *id;
    const char *region;
    struct str refresh_token;
};

/* True if TEXT is one of the regions. */
bool aapi_region(struct str text) MUST_CHECK;

/* One order with all that amz_read_order looks at. ANSWERED: out->http.body is what amz_open takes.
 * NOT_FOUND: Amazon knows no such order of this seller. DENIED: no client (the app's pair), no
 * consent (the seller's refresh token), or no access (a role is missing). out->rate_micro is what
 * Amazon allows of these calls at present, where it says so. Asks Login with Amazon first where no
 * token is at hand; one that Amazon takes no more is asked for once again, and a seller whose app
 * may not see buyers is asked for the order without them: then the call went out twice, which
 * `calls` says. ERR_SYNTAX: ORDER_ID has not the form 3-7-7, or the seller's region is none;
 * ERR_NOMEM. OUT is always to be freed. */
enum err aapi_order(struct aapi *a, const struct aapi_seller *seller, struct str order_id,
                    struct shc_answer *out, int *calls, struct errinfo *info) MUST_CHECK;

/* Which orders: those updated from AFTER on, to BEFORE (RFC 3339; "" = two minutes ago). PAGE: ""
 * the first, else what the page before gave; then the times must be the same. */
struct aapi_search {
    struct str after, before, page;
};

/* One page of at most 100 orders, each as aapi_order gives it: amz_open takes out->http.body as a
 * batch. NEXT_PAGE: what to ask for the next with; "" after the last; it lives in OUT. The rest as
 * above; ERR_SYNTAX also for a time that is none. */
enum err aapi_search(struct aapi *a, const struct aapi_seller *seller,
                     const struct aapi_search *which, struct shc_answer *out, struct str *next_page,
                     int *calls, struct errinfo *info) MUST_CHECK;

/*
 * money: exact decimal amounts. An amount is a 64-bit count of 1/10000 of its currency's unit; the
 * currency travels with it. Read from the text of a number, printed back without loss, never
 * through a double. Arithmetic is checked: ERR_OVERFLOW instead of wrapping, ERR_CURRENCY instead
 * of mixing. Rates (tax) are a 64-bit count of 1/100000000. Pure; any thread.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define MON_SCALE 10000
#define MON_RATE_SCALE 100000000

struct money {
    int64_t units;    /* 1/10000 of the currency's unit */
    char currency[4]; /* ISO 4217, upper case, NUL-terminated; "" only in a zero that joins any */
};

/* A tax rate as a fraction: 0.2 is 20 %. */
struct rate {
    int64_t units; /* 1/100000000 */
};

/* Three upper-case letters (lower case is accepted and raised). ERR_SYNTAX otherwise. */
enum err mon_currency(struct str text, char out[4], struct errinfo *info) MUST_CHECK;
/* Digits behind the point that the currency's cash amounts have: 0 (JPY, KRW...), 3 (KWD, BHD...),
 * else 2. Source: ISO 4217 list of minor units. */
int mon_decimals(const char *currency);
/* Text like "19.90", "-5", "0.0", "1e2" (exponents are accepted: JSON numbers may carry them).
 * At most 4 significant decimals (further zeros are fine, further digits are ERR_RANGE); absolute
 * value under 10^12. Nothing else may stand in TEXT. */
enum err mon_parse(struct str text, const char *currency, struct money *out,
                   struct errinfo *info) MUST_CHECK;
struct money mon_zero(const char *currency);
/* Exactly the amount, with the currency's decimals and at most 4: "19.90", "14319", "0.0025". */
void mon_print(struct money m, struct buf *out);
/* The same into a small array, for messages. */
struct mon_text {
    char z[32];
};
struct mon_text mon_text(struct money m);

/* Exact. OUT is left alone after an error; it may be A or B's own variable. */
enum err mon_add(struct money a, struct money b, struct money *out) MUST_CHECK;
enum err mon_sub(struct money a, struct money b, struct money *out) MUST_CHECK;
/* a times an integer quantity. */
enum err mon_mul(struct money a, int64_t n, struct money *out) MUST_CHECK;
struct money mon_neg(struct money a);
struct money mon_abs(struct money a);
/* -1, 0, 1. Both must be of one currency (asserted). */
int mon_cmp(struct money a, struct money b);
/* One minor unit (the smallest cash amount) of the currency: 0.01, 1, 0.001. */
struct money mon_minor(const char *currency);
/* Rounds to DECIMALS (0..4) digits, halves away from zero: what Xero calls half up. */
enum err mon_round(struct money a, int decimals, struct money *out) MUST_CHECK;
/* a x PART / WHOLE, rounded half away from zero to DECIMALS. ERR_RANGE if WHOLE is 0. */
enum err mon_share(struct money a, int64_t part, int64_t whole, int decimals,
                   struct money *out) MUST_CHECK;
/* Tax of an amount WITHOUT tax: amount x rate, rounded half away from zero to DECIMALS. */
enum err mon_tax_on(struct money net, struct rate r, int decimals, struct money *out) MUST_CHECK;
/* Tax inside an amount WITH tax: gross - round(gross / (1 + rate)), DECIMALS digits. */
enum err mon_tax_in(struct money gross, struct rate r, int decimals, struct money *out) MUST_CHECK;

/* "0.2", "0.0825": a fraction from 0 to under 10, at most 8 decimals. */
enum err mon_rate_parse(struct str text, struct rate *out, struct errinfo *info) MUST_CHECK;
/* Shortest decimal text: "0.2". */
struct mon_text mon_rate_text(struct rate r);

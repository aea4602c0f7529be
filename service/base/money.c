#include "service/base/money.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 i128;

/* What an amount read from outside must stay under: 10^12 of the currency's unit. */
#define AMOUNT_UNITS_END ((uint64_t)1000000000000 * MON_SCALE)
#define RATE_UNITS_END ((uint64_t)10 * MON_RATE_SCALE)
#define AMOUNT_DECIMALS 4
#define RATE_DECIMALS 8

/* Significant digits that are kept while reading; 18 always fit into 64 bits and are more than any
 * amount under its limit has. */
#define DIGITS_MAX 18

/* Exponents beyond this make every number but 0 too large or too fine. */
#define EXPONENT_MAX 100000

/* ---- currencies ---- */

enum err mon_currency(struct str text, char out[4], struct errinfo *info)
{
    char code[4] = "";

    for (size_t i = 0; i < text.n && i < 3; i++) {
        char c = text.p[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c < 'A' || c > 'Z')
            break;
        code[i] = c;
    }
    if (text.n != 3 || code[2] == '\0')
        return err_set(info, ERR_SYNTAX, "A currency is three letters, not \"%.*s\".",
                       (int)(text.n < 20 ? text.n : 20), text.n ? text.p : "");
    memcpy(out, code, sizeof code);
    return ERR_OK;
}

int mon_decimals(const char *currency)
{
    /* ISO 4217: all currencies whose minor unit is not 1/100. */
    static const struct {
        const char *code;
        int decimals;
    } odd[] = {
        {"BIF", 0}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"ISK", 0}, {"JPY", 0}, {"KMF", 0},
        {"KRW", 0}, {"PYG", 0}, {"RWF", 0}, {"UGX", 0}, {"UYI", 0}, {"VND", 0}, {"VUV", 0},
        {"XAF", 0}, {"XOF", 0}, {"XPF", 0}, {"BHD", 3}, {"IQD", 3}, {"JOD", 3}, {"KWD", 3},
        {"LYD", 3}, {"OMR", 3}, {"TND", 3}, {"CLF", 4}, {"UYW", 4},
    };

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        if (strcmp(odd[i].code, currency) == 0)
            return odd[i].decimals;
    }
    return 2;
}

/* The currency that A and B share; a zero without a currency joins any. */
static bool join(struct money a, struct money b, struct money *out)
{
    *out = a;
    if (strncmp(a.currency, b.currency, sizeof a.currency) == 0)
        return true;
    if (b.currency[0] == '\0')
        return b.units == 0;
    memcpy(out->currency, b.currency, sizeof b.currency);
    return a.currency[0] == '\0' && a.units == 0;
}

/* ---- reading ---- */

/* (negative ? -1 : 1) * digits * 10^exponent; digits does not end in 0 unless it is 0. */
struct decimal {
    bool negative;
    uint64_t digits;
    int64_t exponent;
};

enum digits { DIGITS_NONE, DIGITS_READ, DIGITS_TOO_MANY };

/* Takes the digits at the start of TEXT into D. Zeros wait in *ZEROS until a digit follows, so that
 * any number of them may end the text. *COUNT is raised by the digits seen. */
static enum digits read_digits(struct str *text, struct decimal *d, int *significant,
                               int64_t *zeros, int64_t *count)
{
    enum digits result = DIGITS_NONE;

    for (; text->n > 0 && text->p[0] >= '0' && text->p[0] <= '9'; text->p++, text->n--) {
        uint64_t digit = (uint64_t)(text->p[0] - '0');

        ++*count;
        if (result == DIGITS_NONE)
            result = DIGITS_READ;
        if (digit == 0) {
            *zeros += d->digits != 0;
            continue;
        }
        if (*significant + *zeros + 1 > DIGITS_MAX) {
            result = DIGITS_TOO_MANY;
            continue;
        }
        for (; *zeros > 0; --*zeros, ++*significant)
            d->digits *= 10;
        d->digits = d->digits * 10 + digit;
        ++*significant;
    }
    return result;
}

static bool read_exponent(struct str *text, int64_t *out)
{
    bool negative = false;
    int64_t value = 0;
    size_t start = 0;

    if (text->n == 0 || (text->p[0] != 'e' && text->p[0] != 'E'))
        return true;
    text->p++;
    text->n--;
    if (text->n > 0 && (text->p[0] == '-' || text->p[0] == '+')) {
        negative = text->p[0] == '-';
        text->p++;
        text->n--;
    }
    start = text->n;
    for (; text->n > 0 && text->p[0] >= '0' && text->p[0] <= '9'; text->p++, text->n--)
        value = value < EXPONENT_MAX ? value * 10 + (text->p[0] - '0') : value;
    *out = negative ? -value : value;
    return text->n < start;
}

/* ERR_SYNTAX: no number; ERR_RANGE: more digits than any amount has. */
static enum err read_decimal(struct str text, struct decimal *out)
{
    struct decimal d = {0};
    int significant = 0;
    int64_t zeros = 0, whole = 0, fraction = 0, exponent = 0;
    enum digits a = DIGITS_NONE, b = DIGITS_READ;

    if (text.n > 0 && text.p[0] == '-') {
        d.negative = true;
        text.p++;
        text.n--;
    }
    a = read_digits(&text, &d, &significant, &zeros, &whole);
    if (text.n > 0 && text.p[0] == '.') {
        text.p++;
        text.n--;
        b = read_digits(&text, &d, &significant, &zeros, &fraction);
    }
    if (a == DIGITS_NONE || b == DIGITS_NONE || !read_exponent(&text, &exponent) || text.n > 0)
        return ERR_SYNTAX;
    if (a == DIGITS_TOO_MANY || b == DIGITS_TOO_MANY)
        return ERR_RANGE;
    d.exponent = exponent - fraction + zeros;
    *out = d;
    return ERR_OK;
}

/* D in units of 10^-DECIMALS; false when it is finer than that or not under END. */
static bool scale(struct decimal d, int decimals, uint64_t end, int64_t *out)
{
    uint64_t units = d.digits;

    if (units != 0 && d.exponent + decimals < 0)
        return false;
    for (int64_t i = d.exponent + decimals; i > 0 && units != 0 && units < end; i--)
        units *= 10;
    if (units >= end)
        return false;
    *out = d.negative ? -(int64_t)units : (int64_t)units;
    return true;
}

enum err mon_parse(struct str text, const char *currency, struct money *out, struct errinfo *info)
{
    struct money m = mon_zero(currency);
    struct decimal d = {0};
    enum err e = read_decimal(text, &d);
    int shown = (int)(text.n < 40 ? text.n : 40);
    const char *p = text.n ? text.p : "";

    if (e == ERR_SYNTAX)
        return err_set(info, e, "\"%.*s\" is not an amount.", shown, p);
    if (e != ERR_OK || !scale(d, AMOUNT_DECIMALS, AMOUNT_UNITS_END, &m.units))
        return err_set(
            info, ERR_RANGE,
            "The amount \"%.*s\" has more than 4 decimals or 12 digits before the point.", shown,
            p);
    *out = m;
    return ERR_OK;
}

enum err mon_rate_parse(struct str text, struct rate *out, struct errinfo *info)
{
    struct rate r = {0};
    struct decimal d = {0};
    enum err e = read_decimal(text, &d);
    int shown = (int)(text.n < 40 ? text.n : 40);
    const char *p = text.n ? text.p : "";

    if (e == ERR_SYNTAX)
        return err_set(info, e, "\"%.*s\" is not a rate.", shown, p);
    if (e != ERR_OK || !scale(d, RATE_DECIMALS, RATE_UNITS_END, &r.units) || r.units < 0)
        return err_set(info, ERR_RANGE,
                       "The rate \"%.*s\" is not a fraction from 0 to under 10 of at most 8 "
                       "decimals.",
                       shown, p);
    *out = r;
    return ERR_OK;
}

struct money mon_zero(const char *currency)
{
    struct money m = {0};

    memcpy(m.currency, currency, strnlen(currency, sizeof m.currency - 1));
    return m;
}

/* ---- printing ---- */

/* UNITS of 10^-SCALE_DECIMALS, with no zeros at the end but for the first KEEP decimals. */
static struct mon_text print_units(int64_t units, int scale_decimals, int keep)
{
    struct mon_text t = {""};
    char digits[24];
    uint64_t rest = units < 0 ? -(uint64_t)units : (uint64_t)units;
    int n = snprintf(digits, sizeof digits, "%0*llu", scale_decimals + 1, (unsigned long long)rest);
    int whole = n - scale_decimals;

    while (n > whole + keep && digits[n - 1] == '0')
        n--;
    (void)snprintf(t.z, sizeof t.z, "%s%.*s%s%.*s", units < 0 ? "-" : "", whole, digits,
                   n > whole ? "." : "", n - whole, digits + whole);
    return t;
}

struct mon_text mon_text(struct money m)
{
    return print_units(m.units, AMOUNT_DECIMALS, mon_decimals(m.currency));
}

void mon_print(struct money m, struct buf *out)
{
    buf_addz(out, mon_text(m).z);
}

struct mon_text mon_rate_text(struct rate r)
{
    return print_units(r.units, RATE_DECIMALS, 0);
}

/* ---- arithmetic ---- */

/* Puts UNITS of M's currency into OUT. The smallest 64-bit number is refused, so that every amount
 * has its negative. */
static enum err store(struct money m, i128 units, struct money *out)
{
    if (units > INT64_MAX || units < -(i128)INT64_MAX)
        return ERR_OVERFLOW;
    m.units = (int64_t)units;
    *out = m;
    return ERR_OK;
}

/* A / B, halves away from zero; B > 0. */
static i128 divide(i128 a, i128 b)
{
    i128 whole = a / b, rest = a % b;

    if (2 * (rest < 0 ? -rest : rest) >= b)
        whole += a < 0 ? -1 : 1;
    return whole;
}

/* Units in one digit of DECIMALS; 0 when there is no such digit. */
static int64_t step_of(int decimals)
{
    static const int64_t steps[] = {10000, 1000, 100, 10, 1};

    return decimals >= 0 && decimals <= AMOUNT_DECIMALS ? steps[decimals] : 0;
}

enum err mon_add(struct money a, struct money b, struct money *out)
{
    struct money m = {0};

    if (!join(a, b, &m))
        return ERR_CURRENCY;
    return store(m, (i128)a.units + b.units, out);
}

enum err mon_sub(struct money a, struct money b, struct money *out)
{
    struct money m = {0};

    if (!join(a, b, &m))
        return ERR_CURRENCY;
    return store(m, (i128)a.units - b.units, out);
}

enum err mon_mul(struct money a, int64_t n, struct money *out)
{
    return store(a, (i128)a.units * n, out);
}

struct money mon_neg(struct money a)
{
    assert(a.units != INT64_MIN);
    a.units = -a.units;
    return a;
}

struct money mon_abs(struct money a)
{
    return a.units < 0 ? mon_neg(a) : a;
}

int mon_cmp(struct money a, struct money b)
{
    struct money m = {0};
    bool joined = join(a, b, &m);

    assert(joined);
    (void)joined;
    return (a.units > b.units) - (a.units < b.units);
}

struct money mon_minor(const char *currency)
{
    struct money m = mon_zero(currency);

    m.units = step_of(mon_decimals(currency));
    return m;
}

enum err mon_round(struct money a, int decimals, struct money *out)
{
    int64_t step = step_of(decimals);

    if (step == 0)
        return ERR_RANGE;
    return store(a, divide(a.units, step) * step, out);
}

enum err mon_share(struct money a, int64_t part, int64_t whole, int decimals, struct money *out)
{
    int64_t step = step_of(decimals);
    i128 product = (i128)a.units * part;

    if (step == 0 || whole == 0)
        return ERR_RANGE;
    return store(
        a, divide(whole < 0 ? -product : product, (i128)(whole < 0 ? -whole : whole) * step) * step,
        out);
}

enum err mon_tax_on(struct money net, struct rate r, int decimals, struct money *out)
{
    int64_t step = step_of(decimals);

    if (step == 0 || r.units < 0)
        return ERR_RANGE;
    return store(net, divide((i128)net.units * r.units, (i128)MON_RATE_SCALE * step) * step, out);
}

enum err mon_tax_in(struct money gross, struct rate r, int decimals, struct money *out)
{
    int64_t step = step_of(decimals);
    i128 net = 0;

    if (step == 0 || r.units < 0)
        return ERR_RANGE;
    net =
        divide((i128)gross.units * MON_RATE_SCALE, ((i128)MON_RATE_SCALE + r.units) * step) * step;
    return store(gross, gross.units - net, out);
}

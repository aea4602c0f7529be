#include "service/sync/order.h"

#include <stdio.h>

#define DAY_SECONDS 86400

/* A cursor over the text of a time. */
static bool read_number(struct str *rest, size_t digits, int32_t *out)
{
    int32_t n = 0;

    if (rest->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (rest->p[i] < '0' || rest->p[i] > '9')
            return false;
        n = n * 10 + (rest->p[i] - '0');
    }
    rest->p += digits;
    rest->n -= digits;
    *out = n;
    return true;
}

static bool read_char(struct str *rest, const char *any_of)
{
    if (rest->n == 0 || rest->p[0] == '\0' || !strchr(any_of, rest->p[0]))
        return false;
    rest->p++;
    rest->n--;
    return true;
}

struct date {
    int32_t year, month, day;
};

static int32_t days_in_month(int32_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool read_date(struct str *rest, struct date *d)
{
    return read_number(rest, 4, &d->year) && read_char(rest, "-") &&
           read_number(rest, 2, &d->month) && read_char(rest, "-") &&
           read_number(rest, 2, &d->day) && d->year >= 1 && d->month >= 1 && d->month <= 12 &&
           d->day >= 1 && d->day <= days_in_month(d->year, d->month);
}

/* Days since 1970-01-01, negative before it. Years are counted from March, so that the leap day is
 * a year's last. */
static int64_t days_of(struct date d)
{
    int64_t year = d.month > 2 ? d.year : d.year - 1;
    int64_t month = (d.month + 9) % 12;
    int64_t before = year * 365 + year / 4 - year / 100 + year / 400;

    return before + (month * 306 + 5) / 10 + d.day - 1 - 719468;
}

/* The days that four digits can write. */
#define FIRST_DAY (-719162) /* 0001-01-01 */
#define LAST_DAY 2932896    /* 9999-12-31 */

static struct date date_of(int64_t days)
{
    /* Too early by at most one year in 365; the rest is walked. */
    struct date d = {.year = (int32_t)(1 + (days - FIRST_DAY) / 366), .month = 1, .day = 1};

    while (days_of((struct date){d.year + 1, 1, 1}) <= days)
        d.year++;
    while (d.month < 12 && days_of((struct date){d.year, d.month + 1, 1}) <= days)
        d.month++;
    d.day = (int32_t)(days - days_of(d)) + 1;
    return d;
}

bool ord_day(struct str text, char out[11])
{
    struct date d;
    struct str rest = text;

    out[0] = '\0';
    if (!read_date(&rest, &d) || (rest.n > 0 && !strchr("Tt ", rest.p[0])))
        return false;
    memcpy(out, text.p, 10);
    out[10] = '\0';
    return true;
}

/* Digits behind the point, as nanoseconds; digits beyond the ninth are dropped. */
static bool read_fraction(struct str *rest, int32_t *ns)
{
    int32_t unit = 100000000, digit;
    bool any = false;

    *ns = 0;
    while (read_number(rest, 1, &digit)) {
        *ns += digit * unit;
        unit /= 10;
        any = true;
    }
    return any;
}

/* "Z", "+10:30" or "-05:00" as seconds east of UTC. */
static bool read_offset(struct str *rest, int64_t *offset)
{
    int32_t hours, minutes;
    bool west = rest->n > 0 && rest->p[0] == '-';

    *offset = 0;
    if (read_char(rest, "Zz"))
        return true;
    if (!read_char(rest, "+-") || !read_number(rest, 2, &hours) || !read_char(rest, ":") ||
        !read_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset = (int64_t)(hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

bool ord_time(struct str text, int64_t *seconds, int32_t *ns)
{
    struct date d;
    int32_t hour, minute, second, fraction = 0;
    int64_t offset;

    if (!read_date(&text, &d) || !read_char(&text, "Tt ") || !read_number(&text, 2, &hour) ||
        !read_char(&text, ":") || !read_number(&text, 2, &minute) || !read_char(&text, ":") ||
        !read_number(&text, 2, &second))
        return false;
    if (read_char(&text, ".") && !read_fraction(&text, &fraction))
        return false;
    /* 60 is a leap second; it counts as the first second of the next minute. */
    if (!read_offset(&text, &offset) || text.n > 0 || hour > 23 || minute > 59 || second > 60)
        return false;
    *seconds = days_of(d) * DAY_SECONDS + (hour * 60LL + minute) * 60 + second - offset;
    if (ns)
        *ns = fraction;
    return true;
}

bool ord_day_add(const char day[11], int64_t n, char out[11])
{
    struct str text = str_of(day);
    struct date d;
    int64_t days;

    if (!read_date(&text, &d) || text.n > 0 || n > LAST_DAY - FIRST_DAY || n < FIRST_DAY - LAST_DAY)
        goto bad;
    days = days_of(d) + n;
    if (days < FIRST_DAY || days > LAST_DAY)
        goto bad;
    d = date_of(days);
    snprintf(out, 11, "%04u-%02u-%02u", (unsigned)d.year % 10000u, (unsigned)d.month % 100u,
             (unsigned)d.day % 100u);
    return true;
bad:
    out[0] = '\0';
    return false;
}

/* How far the order's money has come: a later state wins between snapshots of the same second. */
static unsigned payment_rank(const struct order *o)
{
    static const struct {
        const char *word;
        unsigned rank;
    } words[] = {{"refunded", 60}, {"partially_refunded", 50}, {"voided", 20}, {"authorized", 10}};

    if (o->state.cancelled)
        return 70;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_nocase(o->shop_status, str_of(words[i].word)))
            return words[i].rank;
    }
    switch (o->state.paid) {
    case ORD_PAID:
        return 40;
    case ORD_PARTLY_PAID:
        return 30;
    case ORD_UNPAID:
    default:
        return 0;
    }
}

void ord_stamp(const struct order *o, struct str triggered_at, char out[ORD_STAMP + 1])
{
    int64_t changed, delivered;
    int32_t ns;

    out[0] = '\0';
    if (!ord_time(str_of(o->updated_at), &changed, NULL) || changed < 0)
        return;
    if (!ord_time(triggered_at, &delivered, &ns) || delivered < 0 || delivered > 99999999999) {
        delivered = 0;
        ns = 0;
    }
    snprintf(out, ORD_STAMP + 1, "%012llu%02u%01u%011llu%09u",
             (unsigned long long)changed % 1000000000000u, payment_rank(o) % 100u,
             (unsigned)o->state.fulfilment % 10u, (unsigned long long)delivered,
             (unsigned)ns % 1000000000u);
}

struct str ord_words(struct str text, struct arena *arena)
{
    char *clean;

    if (text.n == 0)
        return STR("");
    text = str_cut(text, LIM_NAME);
    clean = arena_alloc(arena, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        unsigned char next = i + 1 < text.n ? (unsigned char)text.p[i + 1] : 0xff;

        clean[i] = text.p[i];
        if (c < 0x20 || c == 0x7f) {
            clean[i] = ' ';
        } else if (c == 0xc2 && next < 0xa0) { /* U+0080 to U+009F */
            clean[i] = ' ';
            clean[++i] = ' ';
        }
    }
    return str_trim((struct str){clean, text.n});
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/sync/rules.h"

#define WORDS 8

/* ---- the table: tests/data/rules.table ---- */

/* One case of the table, with room for the texts it names. */
struct table_case {
    struct rul_settings settings;
    enum rul_event event;
    struct ord_state order;
    struct rul_history history;
    struct str tags[WORDS], sources[WORDS], gateways[WORDS], paid_through[WORDS];
};

/* "a+b" into LIST; returns how many. Both sides of a comparison keep "_" for a space. */
static size_t list_of(struct str text, struct str list[WORDS])
{
    size_t n = 0;

    while (text.p && n < WORDS)
        list[n++] = str_split(&text, '+');
    return n;
}

static void day_of(struct str text, char out[11])
{
    if (!ord_day(text, out))
        fail_msg("the table has a bad day: %.*s", STR_FMT(text));
}

static bool *settings_switch(struct rul_settings *s, struct str key)
{
    const struct {
        struct str key;
        bool *value;
    } switches[] = {
        {STR("sync_on_fulfilled"), &s->sync_on_fulfilled},
        {STR("only_sync_fulfilled"), &s->only_sync_fulfilled},
        {STR("sync_on_updated"), &s->sync_on_updated},
        {STR("partially_paid_is_paid"), &s->partially_paid_is_paid},
        {STR("export_test_orders"), &s->export_test_orders},
        {STR("export_zero_value"), &s->export_zero_value},
    };

    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        if (str_eq(key, switches[i].key))
            return switches[i].value;
    }
    return NULL;
}

static void read_setting(struct table_case *c, struct str word)
{
    struct str value = word;
    struct str key = str_split(&value, '=');
    bool *on = settings_switch(&c->settings, key);

    if (on)
        *on = str_eq(value, STR("on"));
    else if (str_eq(key, STR("start_date")))
        day_of(value, c->settings.start_date);
    else if (str_eq(key, STR("exclude_tags")))
        c->settings.tag_count = list_of(value, c->tags);
    else if (str_eq(key, STR("exclude_sources")))
        c->settings.source_count = list_of(value, c->sources);
    else if (str_eq(key, STR("exclude_gateways")))
        c->settings.gateway_count = list_of(value, c->gateways);
    else if (str_eq(value, STR("include_unpaid")))
        c->settings.auto_sync = RUL_INCLUDE_UNPAID;
    else if (str_eq(value, STR("off")) && str_eq(key, STR("auto_sync")))
        c->settings.auto_sync = RUL_OFF;
    else
        fail_msg("the table has an unknown setting: %.*s", STR_FMT(word));
}

static bool *order_flag(struct ord_state *o, struct str word)
{
    const struct {
        struct str word;
        bool *value;
    } flags[] = {
        {STR("cancelled"), &o->cancelled},
        {STR("kept"), &o->kept},
        {STR("refunded"), &o->refunded},
        {STR("test"), &o->test},
        {STR("zero"), &o->zero_value},
        {STR("nothing_left"), &o->nothing_left},
        {STR("replacement"), &o->replacement},
        {STR("third_party"), &o->third_party},
        {STR("unfulfillable"), &o->unfulfillable},
        {STR("unpriced"), &o->unpriced},
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (str_eq(word, flags[i].word))
            return flags[i].value;
    }
    return NULL;
}

static void read_order_word(struct table_case *c, struct str word, char *tags_room)
{
    struct str value = word;
    struct str key = str_split(&value, '=');
    bool *flag = order_flag(&c->order, word);

    if (flag)
        *flag = true;
    else if (str_eq(word, STR("partly_paid")))
        c->order.paid = ORD_PARTLY_PAID;
    else if (str_eq(word, STR("paid")))
        c->order.paid = ORD_PAID;
    else if (str_eq(word, STR("partly_fulfilled")))
        c->order.fulfilment = ORD_PARTLY_FULFILLED;
    else if (str_eq(word, STR("fulfilled")))
        c->order.fulfilment = ORD_FULFILLED;
    else if (str_eq(key, STR("created")))
        day_of(value, c->order.created_day);
    else if (str_eq(key, STR("source")))
        c->order.source = value;
    else if (str_eq(key, STR("gateway")))
        c->order.gateway_count = list_of(value, c->paid_through);
    else if (str_eq(key, STR("tags"))) {
        size_t n = 0;

        /* As the shop writes them: "a, b". */
        for (size_t i = 0; i < value.n; i++) {
            tags_room[n++] = (char)(value.p[i] == '+' ? ',' : value.p[i]);
            if (value.p[i] == '+')
                tags_room[n++] = ' ';
        }
        c->order.tags = (struct str){tags_room, n};
    } else if (!str_eq(word, STR("unpaid")))
        fail_msg("the table has an unknown word about the order: %.*s", STR_FMT(word));
}

static void read_history_word(struct table_case *c, struct str word)
{
    if (str_eq(word, STR("in_xero")))
        c->history.in_xero = true;
    else if (str_eq(word, STR("stamp_off")))
        c->history.stamp = false;
    else if (str_eq(word, STR("uninstalled")))
        c->history.uninstalled = true;
    else if (!str_eq(word, STR("new")))
        fail_msg("the table has an unknown history: %.*s", STR_FMT(word));
}

static enum rul_event event_of(struct str text)
{
    for (int e = 0; e < RUL_EVENT_COUNT; e++) {
        if (str_eq(text, str_of(rul_event_text((enum rul_event)e))))
            return (enum rul_event)e;
    }
    fail_msg("the table has an unknown event: %.*s", STR_FMT(text));
    return RUL_EVENT_COUNT;
}

/* The next word of TEXT that is not empty and not "-"; false at the end. */
static bool next_word(struct str *text, struct str *word)
{
    while (text->p) {
        *word = str_split(text, ' ');
        if (word->n > 0 && !str_eq(*word, STR("-")))
            return true;
    }
    return false;
}

static struct rul_decision decide_case(const struct table_case *c)
{
    bool has_order = c->event != RUL_REFUNDED && c->event != RUL_TRANSACTION;

    return rul_decide(&c->settings, c->event, has_order ? &c->order : NULL, c->history);
}

static void print_decision(struct rul_decision d, char *out, size_t room)
{
    const char *what = d.withdraw ? "withdraw" : "skip";

    if (d.export_it)
        what = d.lines ? "export +lines" : "export";
    snprintf(out, room, "%s %s", what, cat_reason_code(d.reason));
}

static void check_row(struct str line, int number, bool reasons_seen[CAT_REASON_COUNT])
{
    struct table_case c = {.settings = {.sync_on_updated = true, .export_zero_value = true},
                           .history = {.stamp = true}};
    struct str settings = str_split(&line, '|'), event = str_trim(str_split(&line, '|'));
    struct str order = str_split(&line, '|'), history = str_split(&line, '|');
    struct str wanted = str_trim(line), word;
    char got[100], tags_room[200];

    while (next_word(&settings, &word))
        read_setting(&c, word);
    while (next_word(&order, &word))
        read_order_word(&c, word, tags_room);
    while (next_word(&history, &word))
        read_history_word(&c, word);
    c.event = event_of(event);
    c.settings.exclude_tags = c.tags;
    c.settings.exclude_sources = c.sources;
    c.settings.exclude_gateways = c.gateways;
    c.order.gateways = c.paid_through;
    reasons_seen[decide_case(&c).reason] = true;
    print_decision(decide_case(&c), got, sizeof(got));
    if (!str_eq(wanted, str_of(got)))
        fail_msg("rules.table:%d: the table says \"%.*s\", the rules \"%s\"", number,
                 STR_FMT(wanted), got);
}

static void every_row_of_the_table_is_decided_as_it_says(void **state)
{
    FILE *file = fopen(SOURCE_DIR "/tests/data/rules.table", "re");
    bool seen[CAT_REASON_COUNT] = {false};
    char text[400];
    int number = 0, found = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(text, sizeof(text), file)) {
        struct str line = str_trim(str_of(text));

        number++;
        if (line.n == 0 || line.p[0] == '#')
            continue;
        check_row(line, number, seen);
        found++;
    }
    fclose(file);
    assert_true(found >= 100);
    /* Every reason of the rules has its row; those behind the last of them are given by others. */
    for (int r = 0; r < CAT_REASON_COUNT; r++) {
        if (!seen[r] && r < CAT_DELETED_IN_SHOP)
            fail_msg("no row of the table ends in %s", cat_reason_code((enum cat_reason)r));
    }
}

/* ---- all combinations, against a second formulation ---- */

/* Everything the rules may ask, as bits. */
enum fact {
    UNINSTALLED = 1 << 0,
    STAMP = 1 << 1,
    IN_XERO = 1 << 2,
    BY_HAND = 1 << 3,
    REFUND_MESSAGE = 1 << 4,
    PAYMENT_MESSAGE = 1 << 5,
    SHIPPING_EVENT = 1 << 6,
    UPDATE_EVENT = 1 << 7,
    SEEN_EVENT = 1 << 8,
    CANCELLED = 1 << 9,
    REFUNDED = 1 << 10,
    SOME_PAID = 1 << 11,
    PAID_ENOUGH = 1 << 12,
    SOME_SHIPPED = 1 << 13,
    ALL_SHIPPED = 1 << 14,
    UNWANTED_TEST = 1 << 15,
    TOO_EARLY = 1 << 16,
    BAD_TAG = 1 << 17,
    BAD_SOURCE = 1 << 18,
    BAD_GATEWAY = 1 << 19,
    UNWANTED_ZERO = 1 << 20,
    NOTHING_LEFT = 1 << 21,
    THIRD_PARTY = 1 << 22,
    ONLY_SHIPPING = 1 << 23,
    ON_SHIPPING = 1 << 24,
    ON_UPDATES = 1 << 25,
    AUTO_OFF = 1 << 26,
    INCLUDE_UNPAID = 1 << 27,
    MONEY_KEPT = 1 << 28,
};

enum outcome { EXPORT, FOLLOW, SKIP, WITHDRAW };

/* A row matches when all of NEEDS and none of FORBIDS hold. */
struct row {
    uint32_t needs, forbids;
    enum outcome outcome;
    enum cat_reason reason;
};

/* FOLLOW: the lines follow only if the first matching row below the last FOLLOW row exports. */
static const struct row book[] = {
    {UNINSTALLED, 0, SKIP, CAT_XERO_UNINSTALLED},
    {BY_HAND, 0, EXPORT, CAT_MANUAL},
    {IN_XERO | REFUND_MESSAGE, 0, FOLLOW, CAT_REFUNDED},
    {IN_XERO | PAYMENT_MESSAGE, 0, FOLLOW, CAT_MONEY_FOLLOWS},
    {IN_XERO | CANCELLED, 0, FOLLOW, CAT_CANCELLED},
    {IN_XERO | REFUNDED, 0, FOLLOW, CAT_REFUNDED},
    {IN_XERO | SOME_PAID, 0, FOLLOW, CAT_MONEY_FOLLOWS},
    {0, STAMP, SKIP, CAT_INVOICE_OFF},
    {REFUND_MESSAGE, 0, SKIP, CAT_KEPT},
    {PAYMENT_MESSAGE, 0, SKIP, CAT_KEPT},
    {UNWANTED_TEST, IN_XERO, WITHDRAW, CAT_TEST_ORDER},
    {TOO_EARLY, IN_XERO, WITHDRAW, CAT_BEFORE_START},
    {BAD_TAG, IN_XERO, WITHDRAW, CAT_FILTERED_TAG},
    {BAD_SOURCE, IN_XERO, WITHDRAW, CAT_FILTERED_SOURCE},
    {BAD_GATEWAY, IN_XERO, WITHDRAW, CAT_FILTERED_GATEWAY},
    {UNWANTED_ZERO, IN_XERO, WITHDRAW, CAT_ZERO_VALUE},
    {NOTHING_LEFT, IN_XERO, WITHDRAW, CAT_NOTHING_TO_INVOICE},
    {THIRD_PARTY, IN_XERO, WITHDRAW, CAT_THIRD_PARTY},
    {CANCELLED, IN_XERO | MONEY_KEPT, WITHDRAW, CAT_CANCELLED_BEFORE},
    {ONLY_SHIPPING | SHIPPING_EVENT, 0, EXPORT, CAT_FULFILLED},
    {ONLY_SHIPPING | SEEN_EVENT | SOME_SHIPPED, 0, EXPORT, CAT_FULFILLED},
    {ONLY_SHIPPING | ALL_SHIPPED, 0, SKIP, CAT_SHIPPED_UNANNOUNCED},
    {ONLY_SHIPPING, 0, SKIP, CAT_WAITING_FULFILMENT},
    {ON_SHIPPING | SOME_SHIPPED, UPDATE_EVENT, EXPORT, CAT_FULFILLED},
    {ON_SHIPPING | SOME_SHIPPED | ON_UPDATES, 0, EXPORT, CAT_FULFILLED},
    {AUTO_OFF, 0, SKIP, CAT_AUTO_SYNC_OFF},
    {UPDATE_EVENT, ON_UPDATES, SKIP, CAT_UPDATES_OFF},
    {SHIPPING_EVENT | IN_XERO, ON_SHIPPING, SKIP, CAT_FULFILMENT_NO_TRIGGER},
    {INCLUDE_UNPAID, 0, EXPORT, CAT_INCLUDE_UNPAID},
    {PAID_ENOUGH, 0, EXPORT, CAT_PAID},
    {0, 0, SKIP, CAT_UNPAID},
};

static const struct row *first_match(const struct row *row, uint32_t facts, bool past_follow)
{
    while ((facts & row->needs) != row->needs || (facts & row->forbids) != 0 ||
           (past_follow && row->outcome == FOLLOW))
        row++;
    return row;
}

static struct rul_decision walk_the_book(uint32_t facts)
{
    const struct row *row = first_match(book, facts, false);
    struct rul_decision d = {.reason = row->reason};

    d.export_it = row->outcome == EXPORT || row->outcome == FOLLOW;
    d.withdraw = row->outcome == WITHDRAW;
    d.lines = row->outcome == EXPORT ||
              (row->outcome == FOLLOW && first_match(row, facts, true)->outcome == EXPORT);
    return d;
}

/* The walk: each dimension takes all its values. */
struct combination {
    struct rul_settings s;
    struct ord_state o;
    struct rul_history h;
    enum rul_event event;
    bool bad_tag, bad_source, bad_gateway, too_early;
};

static uint32_t bit(bool holds, enum fact fact)
{
    return holds ? (uint32_t)fact : 0;
}

static uint32_t facts_of(const struct combination *c)
{
    const struct rul_settings *s = &c->s;
    const struct ord_state *o = &c->o;
    bool message = c->event == RUL_REFUNDED || c->event == RUL_TRANSACTION;
    uint32_t facts =
        bit(c->h.uninstalled, UNINSTALLED) | bit(c->h.stamp, STAMP) | bit(c->h.in_xero, IN_XERO) |
        bit(c->event == RUL_MANUAL, BY_HAND) | bit(c->event == RUL_REFUNDED, REFUND_MESSAGE) |
        bit(c->event == RUL_TRANSACTION, PAYMENT_MESSAGE) |
        bit(c->event == RUL_UPDATED, UPDATE_EVENT) | bit(c->event == RUL_SEEN, SEEN_EVENT) |
        bit(c->event == RUL_FULFILLED || c->event == RUL_PARTIALLY_FULFILLED, SHIPPING_EVENT) |
        bit(s->only_sync_fulfilled, ONLY_SHIPPING) | bit(s->sync_on_fulfilled, ON_SHIPPING) |
        bit(s->sync_on_updated, ON_UPDATES) | bit(s->auto_sync == RUL_OFF, AUTO_OFF) |
        bit(s->auto_sync == RUL_INCLUDE_UNPAID, INCLUDE_UNPAID);

    if (message)
        return facts;
    return facts | bit(o->cancelled, CANCELLED) | bit(o->refunded, REFUNDED) |
           bit(o->kept, MONEY_KEPT) | bit(o->paid != ORD_UNPAID, SOME_PAID) |
           bit(o->paid == ORD_PAID || (o->paid == ORD_PARTLY_PAID && s->partially_paid_is_paid),
               PAID_ENOUGH) |
           bit(o->fulfilment != ORD_UNFULFILLED, SOME_SHIPPED) |
           bit(o->fulfilment == ORD_FULFILLED, ALL_SHIPPED) |
           bit(o->test && !s->export_test_orders, UNWANTED_TEST) |
           bit(o->zero_value && !s->export_zero_value, UNWANTED_ZERO) |
           bit(c->too_early, TOO_EARLY) | bit(c->bad_tag, BAD_TAG) |
           bit(c->bad_source, BAD_SOURCE) | bit(c->bad_gateway, BAD_GATEWAY) |
           bit(o->nothing_left, NOTHING_LEFT) | bit(o->third_party, THIRD_PARTY);
}

/* Sentences that hold for every combination. Returns the one that does not, or NULL. */
static const char *broken_sentence(const struct combination *c, uint32_t f, struct rul_decision d)
{
    bool by_itself = d.export_it && !(f & BY_HAND);
    bool money = (f & IN_XERO) &&
                 (f & (CANCELLED | REFUNDED | SOME_PAID | REFUND_MESSAGE | PAYMENT_MESSAGE));
    bool trigger = f & (SHIPPING_EVENT | SEEN_EVENT);

    if ((f & UNINSTALLED) && (d.export_it || d.withdraw))
        return "uninstalled never exports and never withdraws";
    if ((f & BY_HAND) && !(f & UNINSTALLED) && !(d.export_it && d.lines))
        return "by hand always exports unless Xero was uninstalled";
    if ((f & IN_XERO) && d.withdraw)
        return "an order in Xero is never withdrawn";
    if (d.export_it && d.withdraw)
        return "nothing is exported and withdrawn at once";
    if (d.lines && !d.export_it)
        return "lines change only with an export";
    if (money && !(f & UNINSTALLED) && !d.export_it)
        return "the books of an order in Xero always follow its money";
    if (by_itself && !(f & STAMP) && !(f & IN_XERO))
        return "an order first seen with the switch off never exports by itself";
    if (by_itself && !(f & IN_XERO) &&
        (f & (UNWANTED_TEST | UNWANTED_ZERO | TOO_EARLY | BAD_TAG | NOTHING_LEFT)))
        return "an order that stays out never exports by itself";
    if (by_itself && !(f & IN_XERO) && (f & CANCELLED) && !(f & MONEY_KEPT))
        return "a cancelled order of which no money is kept never exports by itself";
    if (!(f & IN_XERO) && (f & MONEY_KEPT) && d.reason == CAT_CANCELLED_BEFORE)
        return "no cancellation keeps money that the shop has out of the books";
    if (by_itself && (f & ONLY_SHIPPING) && !trigger && !money)
        return "with only_sync_fulfilled no other event exports unless money of an invoice moves";
    if (by_itself && (f & AUTO_OFF) && !(f & (ONLY_SHIPPING | ON_SHIPPING)) && !money)
        return "with auto_sync off nothing exports by itself unless money of an invoice moves";
    if (by_itself && !(f & (PAID_ENOUGH | INCLUDE_UNPAID | ONLY_SHIPPING | ON_SHIPPING)) && !money)
        return "with exclude_unpaid an unpaid order does not export by itself";
    if ((f & (REFUND_MESSAGE | PAYMENT_MESSAGE)) && d.lines)
        return "a message without an order changes no lines";
    if ((unsigned)d.reason >= CAT_REASON_COUNT || cat_reason_code(d.reason)[0] == '\0')
        return "every decision has one reason of the catalogue";
    (void)c;
    return NULL;
}

static void check_combination(const struct combination *c)
{
    bool message = c->event == RUL_REFUNDED || c->event == RUL_TRANSACTION;
    uint32_t facts = facts_of(c);
    struct rul_decision got = rul_decide(&c->s, c->event, message ? NULL : &c->o, c->h);
    struct rul_decision wanted = walk_the_book(facts);
    const char *broken = broken_sentence(c, facts, got);
    char text[2][100];

    if (broken)
        fail_msg("facts %#x, event %s: not true: %s", facts, rul_event_text(c->event), broken);
    if (got.export_it != wanted.export_it || got.lines != wanted.lines ||
        got.withdraw != wanted.withdraw || got.reason != wanted.reason) {
        print_decision(got, text[0], sizeof(text[0]));
        print_decision(wanted, text[1], sizeof(text[1]));
        fail_msg("facts %#x, event %s: \"%s\" instead of \"%s\"", facts, rul_event_text(c->event),
                 text[0], text[1]);
    }
}

/* What keeps an order out, one thing or two at a time. */
static void set_exclusion(struct combination *c, unsigned which)
{
    static const struct str gateways[] = {{"visa", 4}, {"manual", 6}};

    c->o.created_day[0] = '\0';
    c->bad_tag = which == 1 || which == 6;
    c->bad_source = which == 2 || which == 6 || which == 7;
    c->bad_gateway = which == 3 || which == 7 || which == 8;
    c->too_early = which == 4 || which == 8;
    c->o.nothing_left = which == 5 || which == 9;
    c->o.third_party = which == 9 || which == 10;
    memcpy(c->o.created_day, c->too_early ? "2026-05-31" : "2026-06-01", 11);
    c->o.tags = c->bad_tag ? STR("new, VIP") : STR("new, vip2");
    c->o.source = c->bad_source ? STR("Pos") : STR("web");
    c->o.gateways = gateways;
    c->o.gateway_count = c->bad_gateway ? 2 : 1;
}

/* Takes N mod BASE off *NUMBER, as a digit of a mixed-base counter. */
static unsigned digit(unsigned *number, unsigned base)
{
    unsigned d = *number % base;

    *number /= base;
    return d;
}

static void set_settings(struct combination *c, unsigned number)
{
    c->s.auto_sync = (enum rul_auto_sync)digit(&number, 3);
    c->s.sync_on_fulfilled = digit(&number, 2);
    c->s.only_sync_fulfilled = digit(&number, 2);
    c->s.sync_on_updated = digit(&number, 2);
    c->s.partially_paid_is_paid = digit(&number, 2);
    c->s.export_test_orders = digit(&number, 2);
    c->s.export_zero_value = digit(&number, 2);
}

static void set_order(struct combination *c, unsigned number)
{
    unsigned refunded;

    c->o.paid = (enum ord_paid)digit(&number, 3);
    c->o.fulfilment = (enum ord_fulfilment)digit(&number, 3);
    c->o.cancelled = digit(&number, 2);
    refunded = digit(&number, 3); /* not, in part, wholly */
    c->o.refunded = refunded > 0;
    c->o.kept = c->o.paid != ORD_UNPAID && refunded < 2;
    c->o.test = digit(&number, 2);
    c->o.zero_value = digit(&number, 2);
    set_exclusion(c, number);
}

#define SETTINGS (3 * 64)
#define STATES (9 * 24)
#define ORDERS (STATES * 11)
#define HISTORIES 5

static void every_combination_agrees_with_the_book_and_its_sentences(void **state)
{
    static const struct str tags[] = {{"vip", 3}}, sources[] = {{"pos", 3}};
    static const struct str gateways[] = {{"Manual", 6}};
    static const struct rul_history histories[HISTORIES] = {
        {false, true, false}, {false, false, false}, {false, true, true},
        {false, false, true}, {true, true, false},
    };
    struct combination c = {.s = {.start_date = "2026-06-01",
                                  .exclude_tags = tags,
                                  .exclude_sources = sources,
                                  .exclude_gateways = gateways,
                                  .tag_count = 1,
                                  .source_count = 1,
                                  .gateway_count = 1}};

    (void)state;
    for (unsigned o = 0; o < ORDERS; o++) {
        set_order(&c, o);
        for (unsigned s = 0; s < SETTINGS; s++) {
            set_settings(&c, s);
            for (int e = 0; e < RUL_EVENT_COUNT; e++) {
                c.event = (enum rul_event)e;
                for (unsigned h = 0; h < HISTORIES; h++) {
                    c.h = histories[h];
                    check_combination(&c);
                }
            }
        }
    }
}

static void what_any_event_exports_by_itself_a_fetch_would_export_too(void **state)
{
    struct combination c = {.h = {.stamp = true}};
    unsigned exported = 0;

    (void)state;
    for (unsigned o = 0; o < STATES; o++) {
        set_order(&c, o);
        for (unsigned s = 0; s < SETTINGS; s++) {
            set_settings(&c, s);
            if (c.s.only_sync_fulfilled) /* strict by event: a late event may export what is not */
                continue;
            for (int e = 0; e <= RUL_CANCELLED; e++) {
                if (!rul_decide(&c.s, (enum rul_event)e, &c.o, c.h).export_it)
                    continue;
                assert_true(rul_decide(&c.s, RUL_SEEN, &c.o, c.h).export_it);
                exported++;
            }
        }
    }
    assert_true(exported > 0);
}

static void a_number_that_is_no_event_has_an_empty_text(void **state)
{
    (void)state;
    assert_string_equal(rul_event_text(RUL_EVENT_COUNT), "");
    assert_string_equal(rul_auto_sync_text(RUL_OFF), "off");
    assert_string_equal(rul_auto_sync_text(RUL_EXCLUDE_UNPAID), "exclude_unpaid");
    assert_string_equal(rul_auto_sync_text(RUL_INCLUDE_UNPAID), "include_unpaid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_is_decided_as_it_says),
        cmocka_unit_test(every_combination_agrees_with_the_book_and_its_sentences),
        cmocka_unit_test(what_any_event_exports_by_itself_a_fetch_would_export_too),
        cmocka_unit_test(a_number_that_is_no_event_has_an_empty_text),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}

/*
 * Random lives of orders, exported at random moments, now and then dying half-way: the books must
 * end as those of a single export at the end, and another export must want nothing. SEED=n repeats
 * the life that a failure names; its words may be copied into the table of test_documents.c.
 */
#include "tests/unit/order_life.h"

#define LIVES 100000

struct random {
    uint64_t state;
};

/* From LOW to HIGH (splitmix64). */
static int64_t pick(struct random *r, int64_t low, int64_t high)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return high > low ? low + (int64_t)(z % (uint64_t)(high - low + 1)) : low;
}

struct teller {
    struct random r;
    struct life l; /* the order so far, without exports */
    char story[2048];
    size_t n;
};

static void tell(struct teller *t, const char *fmt, ...) PRINTF(2, 3);
static void tell(struct teller *t, const char *fmt, ...)
{
    char word[128];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(word, sizeof word, fmt, ap);
    va_end(ap);
    t->n +=
        (size_t)snprintf(t->story + t->n, sizeof t->story - t->n, "%s%s", t->n ? " " : "", word);
    assert_true(t->n < sizeof t->story);
    life_word(&t->l, word, false);
}

#define AMOUNT(c) mon_text(cents(c)).z

static void tell_line(struct teller *t)
{
    int64_t quantity = pick(&t->r, 1, 4), price = pick(&t->r, 1, 3000), discount = 0;
    static const int percents[] = {20, 20, 20, 5, 0};

    if (t->l.row_count + 1 >= LIFE_LINES)
        return;
    if (pick(&t->r, 0, 2) == 0)
        discount = pick(&t->r, 0, quantity * price);
    tell(t, "sell:%lldx%s-%s@%d", (long long)quantity, AMOUNT(price), AMOUNT(discount),
         percents[pick(&t->r, 0, 4)]);
}

static void tell_start(struct teller *t)
{
    static const char *const words[] = {"incl", "state", "lines", "parts"};

    life_start(&t->l, t->story);
    for (size_t i = 0; i < 4; i++)
        if (pick(&t->r, 0, 2) == 0)
            tell(t, "%s", words[i]);
    if (pick(&t->r, 0, 9) == 0)
        tell(t, "%s", pick(&t->r, 0, 1) ? "off" : "draft");
    for (int64_t n = pick(&t->r, 1, 3); n > 0; n--)
        tell_line(t);
    if (pick(&t->r, 0, 1))
        tell(t, "ship:%s", AMOUNT(pick(&t->r, 1, 900)));
}

static void tell_pay(struct teller *t)
{
    int64_t rest = life_outstanding(&t->l);

    if (rest <= 0 || t->l.payment_count + 1 >= LIFE_PAYMENTS)
        return;
    if (pick(&t->r, 0, 2) > 0)
        tell(t, "pay:rest");
    else
        tell(t, "pay:%s", AMOUNT(pick(&t->r, 1, rest)));
}

/* A line of which something is left; its row, or -1. */
static int pick_row(struct teller *t)
{
    int row = (int)pick(&t->r, 0, (int64_t)t->l.row_count - 1);

    return t->l.rows[row].taken < t->l.rows[row].quantity ? row : -1;
}

static void name_row(const struct teller *t, int row, int64_t k, char out[16])
{
    if ((size_t)row == t->l.ship)
        snprintf(out, 16, "ship");
    else
        snprintf(out, 16, "%c%lld", 'a' + row, (long long)k);
}

/* What K more of a row come to. */
static int64_t value_of(const struct teller *t, int row, int64_t k)
{
    struct life_line copy = t->l.rows[row];
    int64_t net, tax;

    life_take(&copy, k, &net, &tax);
    return net + (t->l.inclusive ? 0 : tax);
}

static void tell_take(struct teller *t)
{
    int row = pick_row(t);
    int64_t k;
    char name[16];

    if (row < 0)
        return;
    k = pick(&t->r, 1, t->l.rows[row].quantity - t->l.rows[row].taken);
    name_row(t, row, k, name);
    if (value_of(t, row, k) <= life_current(&t->l))
        tell(t, "take:%s", name);
}

/* Money alone: what was paid too much, or a part of what is left of the order. */
static void tell_money_back(struct teller *t, int64_t held)
{
    int64_t rest = life_outstanding(&t->l), most = -rest < held ? -rest : held;

    if (rest < 0)
        tell(t, "back:=%s", AMOUNT(pick(&t->r, 0, 1) ? most : pick(&t->r, 1, most)));
    else if (rest == 0 && life_current(&t->l) > 0)
        tell(t, "back:~%s", AMOUNT(pick(&t->r, 1, life_current(&t->l))));
}

/* Lines go back, for what they cost; or for more or less, where the order's money explains it. */
static void tell_back(struct teller *t)
{
    int64_t held = t->l.received - t->l.given_back, rest = life_outstanding(&t->l), value, k;
    int row = pick_row(t);
    char name[16];

    if (held <= 0 || t->l.o.refund_count + 1 >= LIFE_REFUNDS)
        return;
    if (row < 0 || (rest <= 0 && pick(&t->r, 0, 2) == 0)) {
        tell_money_back(t, held);
        return;
    }
    k = pick(&t->r, 1, t->l.rows[row].quantity - t->l.rows[row].taken);
    value = value_of(t, row, k);
    name_row(t, row, k, name);
    if (value <= 0 || value > life_current(&t->l))
        return;
    if (rest < 0 && value - rest <= held && pick(&t->r, 0, 2) == 0) {
        tell(t, "back:%s=%s", name, AMOUNT(value + pick(&t->r, 1, -rest)));
    } else if (rest > 0 && value > 1 && pick(&t->r, 0, 1)) {
        int64_t low = value - rest > 1 ? value - rest : 1;
        int64_t high = value - 1 < held ? value - 1 : held;

        if (low <= high)
            tell(t, "back:%s=%s", name, AMOUNT(pick(&t->r, low, high)));
    } else if (value <= held) {
        tell(t, "back:%s", name);
    }
}

static void tell_send(struct teller *t)
{
    int row = (int)pick(&t->r, 0, (int64_t)t->l.row_count - 1);
    const struct life_line *line = &t->l.rows[row];
    char name[16];

    if ((size_t)row == t->l.ship || line->sent + line->taken >= line->quantity)
        return;
    name_row(t, row, pick(&t->r, 1, line->quantity - line->taken - line->sent), name);
    tell(t, "sent:%s", name);
}

static void tell_cancel(struct teller *t)
{
    int64_t held = t->l.received - t->l.given_back;

    if (pick(&t->r, 0, 5) > 0)
        return;
    if (held > 0 && pick(&t->r, 0, 2) > 0) /* all that is left, for all that was paid */
        tell(t, "back:~%s=%s", AMOUNT(life_current(&t->l)), AMOUNT(held));
    tell(t, "cancel");
}

static void tell_life(struct teller *t)
{
    tell_start(t);
    for (int64_t n = pick(&t->r, 1, 14); n > 0 && !t->l.cancelled; n--)
        switch (pick(&t->r, 0, 15)) {
        case 0:
        case 1:
        case 2:
            tell_pay(t);
            break;
        case 3:
        case 4:
            tell_take(t);
            break;
        case 5:
        case 6:
            tell_back(t);
            break;
        case 7:
            tell_line(t);
            break;
        case 8:
            tell_cancel(t);
            break;
        case 9:
            tell(t, "%s", pick(&t->r, 0, 1) ? "lose" : "find");
            break;
        case 10:
            tell(t, "export:%d", (int)pick(&t->r, 0, 4));
            break;
        case 11:
            tell(t, "money");
            break;
        case 12:
            tell_send(t);
            break;
        default:
            tell(t, "export");
        }
    if (t->l.s.quantities_fulfilled)
        tell(t, "sent:all");
}

/* Exports until nothing more is wanted. */
static void finish(struct life *l, uint64_t seed)
{
    for (int i = 0; i < 3; i++)
        if (life_export(l, SIZE_MAX, true) == 0)
            return;
    fail_msg("SEED=%llu: %s export: there is always more to do", (unsigned long long)seed,
             l->story);
}

static const char *print_documents(const struct life *l)
{
    static char texts[2][2048];
    static int next;
    struct buf b = BUF_CAP(2000);

    life_print(l, &b);
    next = !next;
    (void)snprintf(texts[next], sizeof texts[next], "%s", buf_z(&b));
    buf_free(&b);
    return texts[next];
}

/* The books say what the shop's own balance says. */
static void check_truth(const struct life *l, const struct life_books *b, uint64_t seed)
{
    bool dropped = (l->cancelled || l->o.state.nothing_left) && !l->o.state.kept;
    bool recorded = l->s.record_payments && l->s.status == INV_AUTHORISED;
    int64_t paid = recorded && !dropped ? 100 * (l->received - l->given_back) : 0;
    int64_t total = dropped ? 0 : 100 * life_current(l);

    if (b->paid != paid || b->due - b->unused != total - paid || (b->due > 0 && b->unused > 0))
        fail_msg("SEED=%llu: %s\npaid %s of %s, but the books say %s", (unsigned long long)seed,
                 l->story, mon_text(cents(paid / 100)).z, mon_text(cents(total / 100)).z,
                 print_documents(l));
}

/* Returns false if the order ends with a problem. */
static bool check_life(uint64_t seed)
{
    struct teller *t = x_alloc(sizeof *t);
    struct life *once = x_alloc(sizeof *once), *often = x_alloc(sizeof *often);
    struct life_books a, b;
    bool fine;

    t->r.state = seed;
    tell_life(t);
    life_run(often, t->story, true);
    finish(often, seed);
    life_run(once, t->story, false);
    finish(once, seed);
    life_books(once, &a);
    life_books(often, &b);
    fine = !once->problems && !often->problems;
    if (fine && !life_same(once, &a, &b)) {
        struct buf text = BUF_CAP(1 << 16);

        life_print_books(&a, &text);
        buf_addz(&text, "\n  ");
        life_print_books(&b, &text);
        fail_msg("SEED=%llu: %s\nonce:  %s\noften: %s\n  %s", (unsigned long long)seed, t->story,
                 print_documents(once), print_documents(often), buf_z(&text));
    }
    if (fine)
        check_truth(once, &a, seed);
    if (!fine && (getenv("SEED") || getenv("VERBOSE")))
        print_message("%s\n%s / %s\n", t->story,
                      once->problems ? once->w.problems[0].text.p : "fine",
                      often->problems ? often->w.problems[0].text.p : "fine");
    arena_free(&t->l.arena);
    arena_free(&once->arena);
    arena_free(&often->arena);
    x_free(t);
    x_free(once);
    x_free(often);
    return fine;
}

static void the_books_end_the_same_whenever_they_are_brought_up_to_date(void **state)
{
    const char *one = getenv("SEED"), *lives = getenv("LIVES");
    uint64_t n = lives ? strtoull(lives, NULL, 10) : LIVES, fine = 0;

    (void)state;
    if (one) {
        (void)check_life(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= n; seed++)
        fine += check_life(seed);
    print_message("%llu of %llu lives without a problem\n", (unsigned long long)fine,
                  (unsigned long long)n);
    assert_true(fine * 1000 > n * 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_books_end_the_same_whenever_they_are_brought_up_to_date),
    };

    return cmocka_run_group_tests_name("documents_random", tests, NULL, NULL);
}

#include "service/base/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

/* Different label values one metric may have; further ones are counted as "other". */
#define SERIES_MAX 64
#define LABELS_MAX 3
#define LABEL_MAX 64

enum met_type { COUNTER, GAUGE, HISTOGRAM };

static const char *const type_names[] = {"counter", "gauge", "histogram"};

static const struct {
    const char *name;
    enum met_type type;
    const char *labels;
    const char *help;
} metrics[] = {
#define MET_ROW(id, name, type, labels, help) {name, type, labels, help},
    MET_LIST(MET_ROW)
#undef MET_ROW
};

/* Upper bounds of a histogram's buckets; the last bucket has none. */
static const struct {
    int64_t ns;
    const char *seconds;
} bounds[] = {
    {500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},
    {10000000, "0.01"},  {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},
    {250000000, "0.25"}, {500000000, "0.5"},  {1000000000, "1"},   {2500000000, "2.5"},
    {5000000000, "5"},   {10000000000, "10"}, {INT64_MAX, "+Inf"},
};

#define BUCKETS (sizeof bounds / sizeof *bounds)

/* One set of label values and what was counted for it. Labels are written before the series can be
 * seen by others and never changed; it is never freed. */
struct series {
    char labels[LABELS_MAX][LABEL_MAX];
    _Atomic int64_t value; /* of a histogram: the sum in nanoseconds */
    _Atomic int64_t buckets[BUCKETS];
};

/* A slot goes from NULL to its series once, by compare-and-swap; the last slot is for "other". */
static struct series *_Atomic table[MET_COUNT][SERIES_MAX + 1];

static uint32_t hash_labels(const struct series *s)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < LABELS_MAX; i++) {
        for (const char *p = s->labels[i]; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619u;
        hash = (hash ^ 0xff) * 16777619u;
    }
    return hash;
}

/* The series in SLOT, put there with the labels of WANTED if it was empty. */
static struct series *occupy(struct series *_Atomic *slot, const struct series *wanted)
{
    struct series *present = atomic_load(slot);
    struct series *fresh = NULL;

    if (present)
        return present;
    fresh = x_alloc(sizeof *fresh);
    memcpy(fresh->labels, wanted->labels, sizeof fresh->labels);
    if (atomic_compare_exchange_strong(slot, &present, fresh))
        return fresh;
    x_free(fresh);
    return present;
}

static bool same_labels(const struct series *a, const struct series *b)
{
    for (size_t i = 0; i < LABELS_MAX; i++) {
        if (strcmp(a->labels[i], b->labels[i]) != 0)
            return false;
    }
    return true;
}

static struct series *find(enum met_id id, const char *l1, const char *l2, const char *l3)
{
    const char *const values[LABELS_MAX] = {l1, l2, l3};
    struct series wanted = {0};
    struct str names = str_of(metrics[id].labels);
    uint32_t hash = 0;

    for (size_t i = 0; i < LABELS_MAX && values[i]; i++) {
        struct str value = str_cut(str_of(values[i]), LABEL_MAX - 1);

        if (value.n > 0)
            memcpy(wanted.labels[i], value.p, value.n);
    }
    hash = hash_labels(&wanted);
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        struct series *s = occupy(&table[id][(hash + i) % SERIES_MAX], &wanted);

        if (same_labels(s, &wanted))
            return s;
    }
    for (size_t i = 0; i < LABELS_MAX && names.p && names.n > 0; i++) {
        (void)str_split(&names, ',');
        memcpy(wanted.labels[i], "other", sizeof "other");
    }
    return occupy(&table[id][SERIES_MAX], &wanted);
}

void met_add(enum met_id id, int64_t n, const char *l1, const char *l2, const char *l3)
{
    atomic_fetch_add_explicit(&find(id, l1, l2, l3)->value, n, memory_order_relaxed);
}

void met_gauge_set(enum met_id id, int64_t value)
{
    atomic_store_explicit(&find(id, NULL, NULL, NULL)->value, value, memory_order_relaxed);
}

void met_observe_ns(enum met_id id, int64_t ns, const char *l1)
{
    struct series *s = find(id, l1, NULL, NULL);
    size_t i = 0;

    ns = ns > 0 ? ns : 0;
    while (ns > bounds[i].ns)
        i++;
    atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->value, ns, memory_order_relaxed);
}

/* A label's value: backslash, quote and newline escaped; what is not UTF-8 becomes '?'. */
static void print_value(struct str s, struct buf *out)
{
    while (s.n > 0) {
        size_t n = str_utf8(s);

        if (n == 0)
            buf_addc(out, '?');
        else if (*s.p == '\n')
            buf_addz(out, "\\n");
        else if (*s.p == '\\' || *s.p == '"')
            buf_printf(out, "\\%c", *s.p);
        else
            buf_add(out, s.p, n);
        n = n > 0 ? n : 1;
        s.p += n;
        s.n -= n;
    }
}

/* {name="value",...,le="LE"}; nothing when there is neither a label nor LE. */
static void print_labels(enum met_id id, const struct series *s, const char *le, struct buf *out)
{
    struct str names = str_of(metrics[id].labels);
    const char *before = "{";

    for (size_t i = 0; i < LABELS_MAX && names.p && (i > 0 || names.n > 0); i++) {
        struct str name = str_split(&names, ',');

        buf_printf(out, "%s%.*s=\"", before, STR_FMT(name));
        print_value(str_of(s->labels[i]), out);
        buf_addc(out, '"');
        before = ",";
    }
    if (le)
        buf_printf(out, "%sle=\"%s\"", before, le);
    if (le || before[0] == ',')
        buf_addc(out, '}');
}

static void print_histogram(enum met_id id, struct series *s, struct buf *out)
{
    const char *name = metrics[id].name;
    int64_t count = 0, ns = atomic_load_explicit(&s->value, memory_order_relaxed);

    for (size_t i = 0; i < BUCKETS; i++) {
        count += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        buf_printf(out, "ledgerhook_%s_bucket", name);
        print_labels(id, s, bounds[i].seconds, out);
        buf_printf(out, " %" PRId64 "\n", count);
    }
    buf_printf(out, "ledgerhook_%s_sum", name);
    print_labels(id, s, NULL, out);
    buf_printf(out, " %" PRId64 ".%09" PRId64 "\n", ns / 1000000000, ns % 1000000000);
    buf_printf(out, "ledgerhook_%s_count", name);
    print_labels(id, s, NULL, out);
    buf_printf(out, " %" PRId64 "\n", count);
}

void met_print(struct buf *out)
{
    for (enum met_id id = 0; id < MET_COUNT; id++) {
        const char *name = metrics[id].name;

        buf_printf(out, "# HELP ledgerhook_%s %s\n# TYPE ledgerhook_%s %s\n", name,
                   metrics[id].help, name, type_names[metrics[id].type]);
        if (metrics[id].labels[0] == '\0')
            (void)find(id, NULL, NULL, NULL); /* without labels it is there from the start, at 0 */
        for (size_t i = 0; i <= SERIES_MAX; i++) {
            struct series *s = atomic_load(&table[id][i]);

            if (!s)
                continue;
            if (metrics[id].type == HISTOGRAM) {
                print_histogram(id, s, out);
                continue;
            }
            buf_printf(out, "ledgerhook_%s", name);
            print_labels(id, s, NULL, out);
            buf_printf(out, " %" PRId64 "\n",
                       atomic_load_explicit(&s->value, memory_order_relaxed));
        }
    }
}

int64_t met_now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

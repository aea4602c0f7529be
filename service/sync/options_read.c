/*
 * options_read: one field of a store's document, by its row in the table: read, or complained
 * about.
 */
#include "service/sync/options.h"

#include "service/sync/options_parts.h"

#define MAX_ENTRIES 5000
/* Xero has two active tracking categories; a name is at most 100 characters long. */
#define MAX_TRACKING 2
#define MAX_TRACKED 100
#define TRACKING_SHAPE "be a list of {\"category\",\"option\"} or {\"category\",\"tag_prefix\"}"

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static void *place(const struct opt_field *f, struct opt_store *store)
{
    return (char *)store + f->at;
}

/* For what a message repeats of the document: printf("%.*s", SHOWN(s)). */
#define SHOWN(s) STR_FMT(str_cut((s), 60))

#define COMPLAIN(r, ...)                                                                           \
    opt_complain((r)->errors, (r)->arena, field_path((r)->field, (r)->arena), __VA_ARGS__)

static struct str field_path(const struct opt_field *f, struct arena *arena)
{
    return str_of(arena_printf(arena, "%s.%s", f->group, f->name));
}

static size_t word_count(const struct opt_field *f)
{
    size_t n = 0;

    while (f->words[n])
        n++;
    return n;
}

static int64_t read_word(struct opt_reader *r, const struct js_value *v)
{
    const struct opt_field *f = r->field;
    struct str s = {NULL, 0};
    struct buf list = BUF_CAP(400);

    if (!v)
        return 0;
    if (js_string(v, &s))
        for (size_t i = 0; i < word_count(f); i++)
            if (str_eq(s, str_of(f->words[i])))
                return (int64_t)i;
    for (size_t i = 0; i < word_count(f); i++)
        buf_printf(&list, "%s\"%s\"", i ? ", " : "", f->words[i]);
    COMPLAIN(r, "must be one of %s.", buf_z(&list));
    buf_free(&list);
    return 0;
}

static int64_t read_number(struct opt_reader *r, const struct js_value *v)
{
    const struct opt_field *f = r->field;
    int64_t n = f->def;
    bool b = false;

    if (!v)
        return f->def;
    if (f->kind == OPT_BOOL) {
        if (js_bool(v, &b))
            return b;
        COMPLAIN(r, "must be true or false.");
    } else {
        if (js_type(v) == JS_NUMBER && js_int64(v, &n) && n >= 0 && n <= f->max)
            return n;
        COMPLAIN(r, "must be a whole number from 0 to %lld.", (long long)f->max);
    }
    return f->def;
}

/* A text that stands in a list or a map, or alone. WHAT names it in the complaint. */
static bool read_text(struct opt_reader *r, const struct js_value *v, int64_t max,
                      opt_check_fn *check, const char *what, struct str *out)
{
    struct str s;
    const char *complaint = NULL;

    if (!js_string(v, &s)) {
        COMPLAIN(r, "must %s.", what);
        return false;
    }
    if (s.n > (size_t)max) {
        COMPLAIN(r, "must be at most %lld bytes long.", (long long)max);
        return false;
    }
    if (has_control(s)) {
        COMPLAIN(r, "must not hold control characters.");
        return false;
    }
    *out = arena_str(r->arena, s);
    complaint = check && s.n > 0 ? check(*out, r->arena, out) : NULL;
    if (complaint)
        COMPLAIN(r, "must %s, unlike \"%.*s\".", complaint, SHOWN(s));
    return !complaint;
}

static void read_day(struct opt_reader *r, const struct js_value *v, char day[11])
{
    struct str s;

    if (!v)
        return;
    day[0] = '\0';
    if (js_type(v) == JS_NULL)
        return;
    if (!js_string(v, &s) || s.n != 10 || !ord_day(s, day)) {
        day[0] = '\0';
        COMPLAIN(r, "must be a date like \"2026-01-31\", or null for no limit.");
    }
}

static void read_list(struct opt_reader *r, const struct js_value *v)
{
    size_t n = js_len(v), *count = (size_t *)(void *)((char *)r->out + r->field->count_at);
    struct str *rows = NULL;

    if (!v)
        return;
    if (js_type(v) != JS_ARRAY || n > MAX_ENTRIES) {
        COMPLAIN(r, "must be a list of at most %d texts.", MAX_ENTRIES);
        return;
    }
    rows = arena_array(r->arena, n + 1, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        if (!read_text(r, js_at(v, i), OPT_MAX_TEXT, NULL, "be a list of texts", &rows[i]))
            return;
        rows[i] = str_trim(rows[i]);
        if (rows[i].n == 0) {
            COMPLAIN(r, "must not hold an empty text.");
            return;
        }
    }
    memcpy(place(r->field, r->out), &(const struct str *){rows}, sizeof rows);
    *count = n;
}

static bool count_entry(struct str key, const struct js_value *v, void *arg)
{
    (void)key;
    (void)v;
    ++*(size_t *)arg;
    return true;
}

static bool read_entry(struct str key, const struct js_value *v, void *arg)
{
    struct opt_reader *r = arg;
    const struct opt_field *f = r->field;
    struct str k = arena_str(r->arena, key), value;
    const char *complaint = NULL;

    if (k.n == 0 || k.n > OPT_MAX_TEXT || has_control(k)) {
        COMPLAIN(r, "must have keys of 1 to %d bytes without control characters.", OPT_MAX_TEXT);
        return false;
    }
    complaint = f->check_key ? f->check_key(k, r->arena, &k) : NULL;
    if (complaint) {
        COMPLAIN(r, "must %s, unlike \"%.*s\".", complaint, SHOWN(key));
        return true;
    }
    if (!read_text(r, v, OPT_MAX_TEXT, f->check, "map texts to texts", &value))
        return true;
    if (value.n == 0) {
        COMPLAIN(r, "must map \"%.*s\" to something.", SHOWN(key));
        return true;
    }
    /* Keys of one JSON object differ; two may still mean the same once they are canonical. */
    for (size_t i = 0; f->check_key && i < r->count; i++)
        if (str_eq(r->pairs[i].key, k)) {
            COMPLAIN(r, "must name \"%.*s\" once only.", SHOWN(k));
            return true;
        }
    r->pairs[r->count++] = (struct inv_pair){k, value};
    return true;
}

static void read_map(struct opt_reader *r, const struct js_value *v)
{
    size_t n = 0;

    if (!v)
        return;
    js_each(v, count_entry, &n);
    if (js_type(v) != JS_OBJECT || n > MAX_ENTRIES) {
        COMPLAIN(r, "must be an object of at most %d entries.", MAX_ENTRIES);
        return;
    }
    r->pairs = arena_array(r->arena, n + 1, sizeof *r->pairs);
    r->count = 0;
    js_each(v, read_entry, r);
    memcpy(place(r->field, r->out), &(struct inv_map){r->pairs, r->count}, sizeof(struct inv_map));
}

/* A text of a tracking category, trimmed; {NULL, 0} where there is none. False: it is no such. */
static bool read_tracked(struct opt_reader *r, const struct js_value *v, struct str *out)
{
    struct str rest;
    size_t n = 0;

    *out = (struct str){NULL, 0};
    if (js_is_null(v))
        return true;
    if (!read_text(r, v, INT64_C(4) * MAX_TRACKED, NULL, TRACKING_SHAPE, out))
        return false;
    *out = str_trim(*out);
    for (rest = *out; rest.n > 0; n++) {
        size_t length = str_utf8(rest) ? str_utf8(rest) : 1;

        rest = (struct str){rest.p + length, rest.n - length};
    }
    if (n > 0 && n <= MAX_TRACKED)
        return true;
    COMPLAIN(r, "must have names of 1 to %d characters.", MAX_TRACKED);
    return false;
}

static bool read_category(struct opt_reader *r, const struct js_value *v, struct inv_tracking *t)
{
    size_t n = 0;

    js_each(v, count_entry, &n);
    if (!read_tracked(r, js_get(v, "category"), &t->category) ||
        !read_tracked(r, js_get(v, "option"), &t->option) ||
        !read_tracked(r, js_get(v, "tag_prefix"), &t->tag_prefix))
        return false;
    if (n != 2 || t->category.n == 0 || (t->option.n == 0) == (t->tag_prefix.n == 0)) {
        COMPLAIN(r, "must %s.", TRACKING_SHAPE);
        return false;
    }
    if (t->tag_prefix.n > 0 && memchr(t->tag_prefix.p, ',', t->tag_prefix.n)) {
        COMPLAIN(r, "must have tag prefixes without a comma, which stands between tags.");
        return false;
    }
    return true;
}

static void read_tracking(struct opt_reader *r, const struct js_value *v)
{
    size_t n = js_len(v), *count = (size_t *)(void *)((char *)r->out + r->field->count_at);
    struct inv_tracking *rows = NULL;

    if (!v)
        return;
    if (js_type(v) != JS_ARRAY || n > MAX_TRACKING) {
        COMPLAIN(r, "must be a list of at most %d tracking categories.", MAX_TRACKING);
        return;
    }
    rows = arena_array(r->arena, MAX_TRACKING, sizeof *rows);
    for (size_t i = 0; i < n; i++)
        if (!read_category(r, js_at(v, i), &rows[i]))
            return;
    if (n == 2 && str_eq_nocase(rows[0].category, rows[1].category)) {
        COMPLAIN(r, "must name the category \"%.*s\" once only.", SHOWN(rows[0].category));
        return;
    }
    memcpy(place(r->field, r->out), &(const struct inv_tracking *){rows}, sizeof rows);
    *count = n;
}

void opt_read_field(struct opt_reader *r, const struct js_value *v)
{
    const struct opt_field *f = r->field;
    void *at = place(f, r->out);
    int64_t n = 0;
    struct str text = {NULL, 0};

    switch (f->kind) {
    case OPT_BOOL:
    case OPT_CHECK:
        n = f->kind == OPT_BOOL ? read_number(r, v) : read_word(r, v);
        *(bool *)at = n != 0;
        break;
    case OPT_WORD:
        memcpy(at, &(int){(int)read_word(r, v)}, sizeof(int));
        break;
    case OPT_INT:
        *(int64_t *)at = read_number(r, v);
        break;
    case OPT_DAY:
        read_day(r, v, at);
        break;
    case OPT_TEXT:
        if (v && js_type(v) != JS_NULL)
            (void)read_text(r, v, f->max, f->check, "be text", &text);
        if (v)
            memcpy(at, &text, sizeof text);
        break;
    case OPT_LIST:
        read_list(r, v);
        break;
    case OPT_MAP:
        read_map(r, v);
        break;
    case OPT_TRACKING:
        read_tracking(r, v);
        break;
    }
}

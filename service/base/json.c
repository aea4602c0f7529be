/*
 * One pass over a copy of the text. Strings become views of the copy: escapes only shrink, so they
 * are resolved in place. The values of an open array or object gather on a stack and move into the
 * document's memory as one block when it ends: an element is found in one step, a member by going
 * through its neighbours, and a document is freed by the block.
 *
 * It is our own because a tree of json-c cost more than all else that an accepted webhook takes.
 */
#include "service/base/json.h"

#include <assert.h>
#include <stdlib.h>

#include "service/base/limits.h"

struct js_value {
    const char *key; /* of an object's member */
    union {
        const char *text; /* of a string without its quotes, of a number as it is written */
        const struct js_value *items;
        bool is_true;
    } u;
    uint32_t key_n;
    uint32_t n; /* bytes of the text; items */
    enum js_type type;
};

/* Zeros behind the copy: a byte that ends every token, and room to look at eight bytes at once. */
#define SLACK 8
/* More members than that are sorted to find two with the same key. */
#define FEW_MEMBERS 128

/* A text on its way to a document. */
struct reader {
    const char *start, *end;
    char *p;
    struct arena *arena;
    struct js_value *stack; /* the items of what is open, innermost last */
    size_t top, room;
    size_t values, most; /* read so far; allowed */
    int depth;
    struct errinfo *info;
};

static enum err fail(const struct reader *r, const char *what)
{
    return err_set(r->info, ERR_SYNTAX, "The JSON is not well formed at byte %zu: %s.",
                   (size_t)(r->p - r->start), what);
}

/* ---- texts ---- */

/* The first byte from P on that is not plain ASCII of a text: its end, an escape, a control
 * character, UTF-8. */
static char *skip_plain(char *p)
{
    const uint64_t ones = UINT64_MAX / 0xff, tops = ones << 7;

    for (;;) {
        uint64_t w, quote, slash;

        memcpy(&w, p, sizeof w);
        quote = w ^ (ones * '"');
        slash = w ^ (ones * '\\');
        /* The top bit of each byte that is none of 0x20 to 0x7f, a quote or a backslash. */
        if (((w - ones * 0x20) | w | (quote - ones) | (slash - ones)) & tops)
            break;
        p += sizeof w;
    }
    while ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Four hexadecimal digits at P; -1: there are none. */
static int32_t hex4(const char *p)
{
    int32_t value = 0;

    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* P is at the u of an escape of four digits. A surrogate without its other half becomes U+FFFD. */
static enum err read_code(struct reader *r, char **to)
{
    int32_t c = hex4(r->p + 1), low = 0;

    if (c < 0)
        return fail(r, "\\u without four hexadecimal digits");
    r->p += 5;
    if (c >= 0xd800 && c <= 0xdfff) {
        low = c < 0xdc00 && r->p[0] == '\\' && r->p[1] == 'u' ? hex4(r->p + 2) : 0;
        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            r->p += 6;
        } else {
            c = 0xfffd;
        }
    }
    *to = put_utf8(*to, (uint32_t)c);
    return ERR_OK;
}

/* P is behind the backslash. */
static enum err read_escape(struct reader *r, char **to)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *at = *r->p ? strchr(escapes, *r->p) : NULL;

    if (*r->p == 'u')
        return read_code(r, to);
    if (!at)
        return fail(r, "an unknown escape in a text");
    r->p++;
    *(*to)++ = meant[at - escapes];
    return ERR_OK;
}

/* What is not plain at P, written to TO. */
static enum err read_special(struct reader *r, char **to)
{
    size_t n = 0;

    if (*r->p == '\\') {
        r->p++;
        return read_escape(r, to);
    }
    if (r->p == r->end)
        return fail(r, "a text does not end");
    if ((unsigned char)*r->p < 0x20)
        return fail(r, "a control character in a text");
    n = str_utf8((struct str){r->p, (size_t)(r->end - r->p)});
    if (n == 0)
        return fail(r, "a text is not UTF-8");
    memmove(*to, r->p, n);
    *to += n;
    r->p += n;
    return ERR_OK;
}

/* P is behind the opening quote. Leaves P behind the closing one, which becomes a zero. */
static enum err read_string(struct reader *r, const char **text, uint32_t *n)
{
    char *from = r->p, *to = NULL;

    r->p = to = skip_plain(r->p);
    while (*r->p != '"') {
        char *plain;
        enum err e = read_special(r, &to);

        if (e != ERR_OK)
            return e;
        plain = r->p;
        r->p = skip_plain(r->p);
        memmove(to, plain, (size_t)(r->p - plain));
        to += r->p - plain;
    }
    r->p++;
    *to = '\0';
    *text = from;
    *n = (uint32_t)(to - from);
    return ERR_OK;
}

/* ---- numbers ---- */

static char *skip_digits(char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Whether an integer, which was read, needs more than 64 bits. */
static bool is_wide(struct str text)
{
    uint64_t value = 0;
    int64_t negative = 0;

    if (text.n < 19)
        return false;
    if (text.p[0] == '-')
        return !str_int64(text, &negative);
    for (size_t i = 0; i < text.n; i++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.p[i] - '0'), &value))
            return true;
    }
    return false;
}

/* P is at the first character, '-' or a digit. Leaves P behind the number. */
static enum err read_number(struct reader *r, struct js_value *out)
{
    char *digits = r->p + (*r->p == '-'), *p = skip_digits(digits), *part = NULL;
    bool ok = p > digits && (*digits != '0' || p == digits + 1), whole = true;

    if (*p == '.') {
        whole = false;
        part = p + 1;
        p = skip_digits(part);
        ok = ok && p > part;
    }
    if (*p == 'e' || *p == 'E') {
        whole = false;
        part = p + 1 + (p[1] == '-' || p[1] == '+');
        p = skip_digits(part);
        ok = ok && p > part;
    }
    if (!ok)
        return fail(r, "not a number");
    out->type = JS_NUMBER;
    out->u.text = r->p;
    out->n = (uint32_t)(p - r->p);
    if (whole && is_wide((struct str){out->u.text, out->n}))
        return fail(r, "an integer of more than 64 bits");
    r->p = p;
    return ERR_OK;
}

/* ---- arrays and objects ---- */

static bool same_key(const struct js_value *a, const struct js_value *b)
{
    return a->key_n == b->key_n && memcmp(a->key, b->key, a->key_n) == 0;
}

static void take_value(struct js_value *to, const struct js_value *from)
{
    to->u = from->u;
    to->n = from->n;
    to->type = from->type;
}

/* By key, then as they stand in the text. */
static int compare_members(const void *a, const void *b)
{
    const struct js_value *x = *(const struct js_value *const *)a,
                          *y = *(const struct js_value *const *)b;
    int c = str_compare((struct str){x->key, x->key_n}, (struct str){y->key, y->key_n});

    return c != 0 ? c : (x > y) - (x < y);
}

/* Of members with one key the first gets the value of the last, the others end as JS_ABSENT. */
static void join_many(struct js_value *members, size_t n)
{
    struct js_value **sorted = x_alloc(n * sizeof(struct js_value *));

    for (size_t i = 0; i < n; i++)
        sorted[i] = &members[i];
    qsort(sorted, n, sizeof(struct js_value *), compare_members);
    for (size_t first = 0, i = 1; i < n; i++) {
        if (same_key(sorted[first], sorted[i])) {
            take_value(sorted[first], sorted[i]);
            sorted[i]->type = JS_ABSENT;
        } else {
            first = i;
        }
    }
    x_free(sorted);
}

/* A mark of few bits; that two keys have the same one is rare. */
static unsigned mark_of(const struct js_value *m)
{
    const unsigned char *key = (const unsigned char *)m->key;

    return m->key_n == 0
               ? 0
               : m->key_n + 131u * key[0] + 31u * key[m->key_n / 2] + 7u * key[m->key_n - 1];
}

static void join_few(struct js_value *members, size_t n)
{
    uint64_t seen[16] = {0}; /* a bit for each mark */

    for (size_t i = 0; i < n; i++) {
        unsigned mark = mark_of(&members[i]) % (sizeof seen * 8);
        bool may_be_there = (seen[mark / 64] >> mark % 64 & 1) != 0;

        seen[mark / 64] |= UINT64_C(1) << mark % 64;
        for (size_t k = 0; may_be_there && k < i; k++) {
            if (members[k].type != JS_ABSENT && same_key(&members[k], &members[i])) {
                take_value(&members[k], &members[i]);
                members[i].type = JS_ABSENT;
                break;
            }
        }
    }
}

/* Leaves one of the members that have the same key; returns how many are left. */
static size_t join_members(struct js_value *members, size_t n)
{
    size_t kept = 0;

    if (n > FEW_MEMBERS)
        join_many(members, n);
    else
        join_few(members, n);
    for (size_t i = 0; i < n; i++) {
        if (members[i].type != JS_ABSENT && kept++ != i)
            members[kept - 1] = members[i];
    }
    return kept;
}

static enum err push(struct reader *r, const struct js_value *v)
{
    if (++r->values > r->most)
        return err_set(r->info, ERR_TOO_BIG, "The JSON has more than %zu values.", r->most);
    if (r->top == r->room) {
        size_t room = r->room > 0 ? 2 * r->room : 256;
        struct js_value *wider = x_alloc(room * sizeof(*wider));

        if (r->top > 0)
            memcpy(wider, r->stack, r->top * sizeof(*wider));
        x_free(r->stack);
        r->stack = wider;
        r->room = room;
    }
    r->stack[r->top++] = *v;
    return ERR_OK;
}

/* The items above BASE of the stack become those of V. */
static void close_items(struct reader *r, size_t base, struct js_value *v)
{
    struct js_value *items = r->stack + base, *own = NULL;
    size_t n = r->top - base;

    if (v->type == JS_OBJECT)
        n = join_members(items, n);
    own = arena_array(r->arena, n, sizeof(*own));
    memcpy(own, items, n * sizeof(*own));
    v->u.items = own;
    v->n = (uint32_t)n;
    r->top = base;
}

/* The next character that is no blank. */
static char peek(struct reader *r)
{
    while (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')
        r->p++;
    return *r->p;
}

/* "key": */
static enum err read_key(struct reader *r, struct js_value *out)
{
    enum err e = ERR_OK;

    if (peek(r) != '"')
        return fail(r, "a key is expected");
    r->p++;
    e = read_string(r, &out->key, &out->key_n);
    if (e == ERR_OK && memchr(out->key, '\0', out->key_n))
        e = fail(r, "a key with a NUL byte");
    if (e == ERR_OK && peek(r) != ':')
        e = fail(r, "a colon is expected");
    r->p += e == ERR_OK;
    return e;
}

static enum err read_value(struct reader *r, struct js_value *out);

/* P is behind the bracket. Reads V's items and the bracket that ends them. */
static enum err read_items(struct reader *r, struct js_value *v)
{
    const char close = v->type == JS_OBJECT ? '}' : ']';
    const size_t base = r->top;
    enum err e = ERR_OK;
    char c = peek(r);

    if (++r->depth > LIM_JSON_DEPTH)
        return err_set(r->info, ERR_TOO_BIG, "The JSON is nested more than %d deep.",
                       LIM_JSON_DEPTH);
    while (e == ERR_OK && c != close) {
        struct js_value item = {0};

        if (r->top > base && c != ',')
            return fail(r, v->type == JS_OBJECT ? "a comma or } is expected"
                                                : "a comma or ] is expected");
        r->p += r->top > base;
        if (v->type == JS_OBJECT)
            e = read_key(r, &item);
        if (e == ERR_OK)
            e = read_value(r, &item);
        if (e == ERR_OK)
            e = push(r, &item);
        c = peek(r);
    }
    if (e != ERR_OK)
        return e;
    r->p++;
    r->depth--;
    if (r->top > base)
        close_items(r, base, v);
    return ERR_OK;
}

static enum err read_word(struct reader *r, const char *word, enum js_type type,
                          struct js_value *out)
{
    size_t n = strlen(word);

    if (strncmp(r->p, word, n) != 0)
        return fail(r, "a value is expected");
    r->p += n;
    out->type = type;
    out->u.is_true = *word == 't';
    return ERR_OK;
}

/* Calls itself for what a value holds, at most LIM_JSON_DEPTH deep. */
static enum err read_value(struct reader *r, struct js_value *out)
{
    char c = peek(r);

    switch (c) {
    case '"':
        r->p++;
        out->type = JS_TEXT;
        return read_string(r, &out->u.text, &out->n);
    case '{':
    case '[':
        r->p++;
        out->type = c == '{' ? JS_OBJECT : JS_ARRAY;
        return read_items(r, out);
    case 't':
        return read_word(r, "true", JS_BOOL, out);
    case 'f':
        return read_word(r, "false", JS_BOOL, out);
    case 'n':
        return read_word(r, "null", JS_NULL, out);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number(r, out);
        return fail(r, "a value is expected");
    }
}

enum err js_parse(struct str text, size_t max_bytes, struct js_doc *doc, struct errinfo *info)
{
    struct reader r = {.info = info};
    enum err e = ERR_OK;
    char *copy = NULL;

    *doc = (struct js_doc){0};
    if (text.n > max_bytes || text.n > UINT32_MAX)
        return err_set(info, ERR_TOO_BIG, "The JSON has %zu bytes; %zu are read.", text.n,
                       max_bytes);
    if (str_trim(text).n == 0)
        return err_set(info, ERR_SYNTAX, "The JSON is empty.");
    r.most = text.n / 8 > LIM_JSON_VALUES ? text.n / 8 : LIM_JSON_VALUES;
    r.arena = &doc->arena;
    copy = arena_alloc(r.arena, text.n + SLACK);
    memcpy(copy, text.p, text.n);
    r.start = r.p = copy;
    r.end = copy + text.n;
    doc->root = arena_alloc(r.arena, sizeof(*doc->root));
    e = read_value(&r, doc->root);
    peek(&r);
    if (e == ERR_OK && r.p != r.end)
        e = fail(&r, "something follows the value");
    x_free(r.stack);
    if (e != ERR_OK)
        js_free_secret(doc);
    return e;
}

void js_free(struct js_doc *doc)
{
    if (!doc)
        return;
    arena_free(&doc->arena);
    doc->root = NULL;
}

void js_free_secret(struct js_doc *doc)
{
    if (!doc)
        return;
    arena_free_secret(&doc->arena);
    doc->root = NULL;
}

/* ---- reading ---- */

enum js_type js_type(const struct js_value *v)
{
    return v ? v->type : JS_ABSENT;
}

const struct js_value *js_get(const struct js_value *v, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; js_type(v) == JS_OBJECT && i < v->n; i++) {
        if (v->u.items[i].key_n == n && memcmp(v->u.items[i].key, key, n) == 0)
            return &v->u.items[i];
    }
    return NULL;
}

const struct js_value *js_path(const struct js_value *v, const char *path)
{
    struct str rest = str_of(path);

    while (rest.p && v) {
        char key[LIM_NAME + 1] = "";
        struct str part = str_split(&rest, '.');

        assert(part.n < sizeof key);
        memcpy(key, part.p, part.n);
        v = js_get(v, key);
    }
    return v;
}

size_t js_len(const struct js_value *v)
{
    return js_type(v) == JS_ARRAY ? v->n : 0;
}

const struct js_value *js_at(const struct js_value *v, size_t i)
{
    return i < js_len(v) ? &v->u.items[i] : NULL;
}

bool js_is_null(const struct js_value *v)
{
    return js_type(v) == JS_ABSENT || js_type(v) == JS_NULL;
}

bool js_string(const struct js_value *v, struct str *out)
{
    if (js_type(v) != JS_TEXT)
        return false;
    *out = (struct str){v->u.text, v->n};
    return true;
}

bool js_text(const struct js_value *v, struct str *out)
{
    if (js_type(v) != JS_NUMBER)
        return js_string(v, out);
    *out = (struct str){v->u.text, v->n};
    return true;
}

bool js_int64(const struct js_value *v, int64_t *out)
{
    struct str text = {NULL, 0};

    return js_text(v, &text) && str_int64(text, out);
}

bool js_bool(const struct js_value *v, bool *out)
{
    if (js_type(v) != JS_BOOL)
        return false;
    *out = v->u.is_true;
    return true;
}

bool js_true(const struct js_value *v)
{
    bool value = false;

    return js_bool(v, &value) && value;
}

void js_each(const struct js_value *v, js_member_fn *fn, void *arg)
{
    for (size_t i = 0; js_type(v) == JS_OBJECT && i < v->n; i++) {
        const struct js_value *member = &v->u.items[i];

        if (!fn((struct str){member->key, member->key_n}, member, arg))
            return;
    }
}

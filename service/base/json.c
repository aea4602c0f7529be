/*
 * json-c's tokener is laxer than JSON even when it is told to be strict: it takes NaN, Infinity,
 * "1.", raw control characters and UTF-8 surrogates, cuts a key at \u0000, and turns an integer of
 * more than 64 bits into the nearest one that fits. So scan() looks at each token first, which
 * costs a twentieth of what building the tree costs; grammar and nesting are json-c's.
 *
 * A struct js_value is a json-c object behind a cast. json-c has NULL for null, which here means
 * absent; `null_value` stands for it.
 */
#include "service/base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>

#include <json-c/json_object.h>
#include <json-c/json_object_iterator.h>
#include <json-c/json_tokener.h>

#include "service/base/limits.h"

_Static_assert(LIM_JSON_DEPTH <= 32, "struct js_out has a bit for each depth in 32 bits");

struct js_value {
    char unused;
};

static struct js_value null_value;

/* json-c's object; NULL for absent and for null. json-c does not write through it here. */
static struct json_object *object_of(const struct js_value *v)
{
    return v == &null_value ? NULL : (struct json_object *)(uintptr_t)v;
}

static struct js_value *value_of(struct json_object *o)
{
    return o ? (struct js_value *)o : &null_value;
}

/* ---- scanning ---- */

struct scan {
    const char *start, *p, *end;
    bool nul_in_string; /* the last string held \u0000 */
    struct errinfo *info;
};

static enum err fail(const struct scan *s, const char *what)
{
    return err_set(s->info, ERR_SYNTAX, "The JSON is not well formed at byte %zu: %s.",
                   (size_t)(s->p - s->start), what);
}

static bool is_digit(const struct scan *s, const char *p)
{
    return p < s->end && *p >= '0' && *p <= '9';
}

/* The character at P, which is not a plain one. Returns its bytes; 0: it may not stand there. */
static size_t scan_special(struct scan *s)
{
    struct str rest = {s->p, (size_t)(s->end - s->p)};

    if (*s->p != '\\')
        return str_utf8(rest);
    if (str_starts(rest, STR("\\u0000")))
        s->nul_in_string = true;
    return rest.n > 1 ? 2 : 1; /* what follows the backslash is checked by json-c */
}

/* P is behind the opening quote. Leaves P behind the closing one. */
static enum err scan_string(struct scan *s)
{
    s->nul_in_string = false;
    for (;;) {
        const char *p = s->p;
        size_t n = 0;

        while (p < s->end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
               *p != '\\')
            p++;
        s->p = p;
        if (p == s->end)
            return fail(s, "a text does not end");
        if (*p == '"')
            break;
        if ((unsigned char)*p < 0x20)
            return fail(s, "a control character in a text");
        n = scan_special(s);
        if (n == 0)
            return fail(s, "a text is not UTF-8");
        s->p += n;
    }
    s->p++;
    return ERR_OK;
}

/* P is at the first character, '-' or a digit. Leaves P behind the number. */
static enum err scan_number(struct scan *s)
{
    struct str text = {s->p, 0};
    const char *p = s->p + (*s->p == '-');
    const char *digits = p;
    bool whole = true, ok = true;
    uint64_t value = 0;

    while (is_digit(s, p))
        p++;
    ok = p > digits && (*digits != '0' || p == digits + 1);
    if (p < s->end && *p == '.') {
        whole = false;
        ok = ok && is_digit(s, ++p);
        while (is_digit(s, p))
            p++;
    }
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        whole = false;
        p++;
        if (p < s->end && (*p == '-' || *p == '+'))
            p++;
        ok = ok && is_digit(s, p);
        while (is_digit(s, p))
            p++;
    }
    if (!ok)
        return fail(s, "not a number");
    text.n = (size_t)(p - s->p);
    if (whole && p - digits > 18) {
        int64_t negative = 0;

        for (const char *d = digits; d < p; d++)
            ok = ok && !__builtin_mul_overflow(value, 10u, &value) &&
                 !__builtin_add_overflow(value, (uint64_t)(*d - '0'), &value);
        if (!ok || (*s->p == '-' && !str_int64(text, &negative)))
            return fail(s, "an integer of more than 64 bits");
    }
    s->p = p;
    return ERR_OK;
}

/* What may stand outside texts and numbers; the letters are those of true, false and null. */
static bool is_plain_outside(char c)
{
    return c == ',' || c == ' ' || c == '\n' || c == '{' || c == '}' || c == '[' || c == ']' ||
           (c >= 'a' && c <= 'z') || c == '\r' || c == '\t';
}

static enum err scan(struct str text, struct errinfo *info)
{
    struct scan s = {text.p, text.p, text.p + text.n, false, info};
    enum err e = ERR_OK;

    while (s.p < s.end && e == ERR_OK) {
        char c = *s.p;

        if (c == '"') {
            s.p++;
            e = scan_string(&s);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            e = scan_number(&s);
        } else if (c == ':' && s.nul_in_string) {
            e = fail(&s, "a key with a NUL byte");
        } else if (c == ':' || is_plain_outside(c)) {
            s.p++;
        } else {
            e = fail(&s, "an unexpected character");
        }
    }
    return e;
}

/* ---- parsing ---- */

/* Gives TOK all of TEXT. That a number has ended json-c only knows when the text has, too. */
static struct json_object *feed(struct json_tokener *tok, struct str text)
{
    struct json_object *o = json_tokener_parse_ex(tok, text.p, (int)text.n);

    if (json_tokener_get_error(tok) == json_tokener_continue)
        o = json_tokener_parse_ex(tok, "", 1);
    return o;
}

enum err js_parse(struct str text, size_t max_bytes, struct js_doc *doc, struct errinfo *info)
{
    struct json_tokener *tok = NULL;
    struct json_object *o = NULL;
    enum json_tokener_error je = json_tokener_success;
    enum err e = ERR_OK;

    doc->root = NULL;
    if (text.n > max_bytes || text.n > INT_MAX)
        return err_set(info, ERR_TOO_BIG, "The JSON has %zu bytes; %zu are read.", text.n,
                       max_bytes);
    if (str_trim(text).n == 0)
        return err_set(info, ERR_SYNTAX, "The JSON is empty.");
    e = scan(text, info);
    if (e != ERR_OK)
        return e;
    tok = json_tokener_new_ex(LIM_JSON_DEPTH + 1); /* it counts the scalar too */
    if (!tok)
        return err_set(info, ERR_NOMEM, "There is no memory to read JSON.");
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
    o = feed(tok, text);
    je = json_tokener_get_error(tok);
    if (je == json_tokener_success)
        doc->root = value_of(o);
    else if (je == json_tokener_error_depth)
        e = err_set(info, ERR_TOO_BIG, "The JSON is nested more than %d deep.", LIM_JSON_DEPTH);
    else
        e = err_set(info, ERR_SYNTAX, "The JSON is not well formed at byte %zu: %s.",
                    json_tokener_get_parse_end(tok), json_tokener_error_desc(je));
    json_tokener_free(tok);
    return e;
}

void js_free(struct js_doc *doc)
{
    if (!doc)
        return;
    json_object_put(object_of(doc->root));
    doc->root = NULL;
}

/* ---- reading ---- */

enum js_type js_type(const struct js_value *v)
{
    if (!v)
        return JS_ABSENT;
    switch (json_object_get_type(object_of(v))) {
    case json_type_boolean:
        return JS_BOOL;
    case json_type_int:
    case json_type_double:
        return JS_NUMBER;
    case json_type_string:
        return JS_TEXT;
    case json_type_array:
        return JS_ARRAY;
    case json_type_object:
        return JS_OBJECT;
    case json_type_null:
        break;
    }
    return JS_NULL;
}

const struct js_value *js_get(const struct js_value *v, const char *key)
{
    struct json_object *member = NULL;

    if (!json_object_object_get_ex(object_of(v), key, &member))
        return NULL;
    return value_of(member);
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
    return js_type(v) == JS_ARRAY ? json_object_array_length(object_of(v)) : 0;
}

const struct js_value *js_at(const struct js_value *v, size_t i)
{
    return i < js_len(v) ? value_of(json_object_array_get_idx(object_of(v), i)) : NULL;
}

bool js_is_null(const struct js_value *v)
{
    return !object_of(v);
}

bool js_string(const struct js_value *v, struct str *out)
{
    struct json_object *o = object_of(v);

    if (!json_object_is_type(o, json_type_string))
        return false;
    *out = (struct str){json_object_get_string(o), (size_t)json_object_get_string_len(o)};
    return true;
}

bool js_text(const struct js_value *v, struct str *out)
{
    struct json_object *o = object_of(v);

    if (js_type(v) != JS_NUMBER)
        return js_string(v, out);
    /* The tokener keeps the source of a number with a point or an exponent as user data. */
    if (json_object_is_type(o, json_type_double))
        *out = str_of(json_object_get_userdata(o));
    else
        out->p = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &out->n);
    return out->p != NULL;
}

bool js_int64(const struct js_value *v, int64_t *out)
{
    struct json_object *o = object_of(v);
    int64_t value = 0;

    if (js_type(v) == JS_TEXT) {
        struct str text = {NULL, 0};

        return js_string(v, &text) && str_int64(text, out);
    }
    if (!json_object_is_type(o, json_type_int))
        return false;
    value = json_object_get_int64(o);
    if (value == INT64_MAX && json_object_get_uint64(o) != INT64_MAX)
        return false;
    *out = value;
    return true;
}

bool js_bool(const struct js_value *v, bool *out)
{
    struct json_object *o = object_of(v);

    if (!json_object_is_type(o, json_type_boolean))
        return false;
    *out = json_object_get_boolean(o);
    return true;
}

bool js_true(const struct js_value *v)
{
    bool value = false;

    return js_bool(v, &value) && value;
}

void js_each(const struct js_value *v, js_member_fn *fn, void *arg)
{
    struct json_object *o = object_of(v);
    struct json_object_iterator at, end;

    if (!json_object_is_type(o, json_type_object))
        return;
    end = json_object_iter_end(o);
    for (at = json_object_iter_begin(o); !json_object_iter_equal(&at, &end);
         json_object_iter_next(&at)) {
        if (!fn(str_of(json_object_iter_peek_name(&at)), value_of(json_object_iter_peek_value(&at)),
                arg))
            return;
    }
}

/* A js_member_fn. json-c gives no way to write into a string, so its own memory is wiped. */
static bool wipe(struct str key, const struct js_value *v, void *arg)
{
    struct json_object *o = object_of(v);

    (void)key;
    if (json_object_is_type(o, json_type_string))
        explicit_bzero((void *)(uintptr_t)json_object_get_string(o),
                       (size_t)json_object_get_string_len(o));
    for (size_t i = 0; json_object_is_type(o, json_type_array) && i < json_object_array_length(o);
         i++)
        wipe(key, value_of(json_object_array_get_idx(o, i)), arg);
    js_each(v, wipe, arg);
    return true;
}

void js_free_secret(struct js_doc *doc)
{
    if (!doc)
        return;
    (void)wipe((struct str){NULL, 0}, doc->root, NULL);
    js_free(doc);
}

/* ---- writing ---- */

void jw_init(struct js_out *w, struct buf *out)
{
    *w = (struct js_out){.out = out};
}

/* The bit of the innermost open array or object; 0 outside all of them. */
static uint32_t innermost(const struct js_out *w)
{
    return w->depth > 0 && w->depth <= LIM_JSON_DEPTH ? 1u << (w->depth - 1) : 0;
}

/* Puts the comma that a new member of the innermost array or object needs. */
static void separate(struct js_out *w)
{
    uint32_t bit = innermost(w);

    if (w->has_member & bit)
        buf_addc(w->out, ',');
    w->has_member |= bit;
}

static void before_value(struct js_out *w)
{
    bool in_object = (w->is_object & innermost(w)) != 0;

    assert(in_object == w->after_key);
    w->after_key = false;
    if (!in_object)
        separate(w);
}

static void begin(struct js_out *w, bool object)
{
    uint32_t bit = 0;

    before_value(w);
    buf_addc(w->out, object ? '{' : '[');
    w->depth++;
    /* Nesting comes from outside where a parsed value is written again: too deep is too big. */
    if (w->depth > LIM_JSON_DEPTH)
        w->out->failed = true;
    bit = innermost(w);
    w->has_member &= ~bit;
    w->is_object = object ? w->is_object | bit : w->is_object & ~bit;
}

static void end(struct js_out *w, bool object)
{
    uint32_t bit = innermost(w);

    assert(w->depth > 0 && !w->after_key);
    assert(bit == 0 || ((w->is_object & bit) != 0) == object);
    (void)bit;
    w->depth--;
    buf_addc(w->out, object ? '}' : ']');
}

void jw_begin_object(struct js_out *w)
{
    begin(w, true);
}

void jw_end_object(struct js_out *w)
{
    end(w, true);
}

void jw_begin_array(struct js_out *w)
{
    begin(w, false);
}

void jw_end_array(struct js_out *w)
{
    end(w, false);
}

void jw_key_str(struct js_out *w, struct str key)
{
    assert(!w->after_key && (w->depth > LIM_JSON_DEPTH || (w->is_object & innermost(w))));
    separate(w);
    buf_add_quoted(w->out, key);
    buf_addc(w->out, ':');
    w->after_key = true;
}

void jw_key(struct js_out *w, const char *key)
{
    jw_key_str(w, str_of(key));
}

void jw_raw(struct js_out *w, struct str json)
{
    before_value(w);
    buf_add_str(w->out, json);
}

void jw_str(struct js_out *w, struct str s)
{
    before_value(w);
    buf_add_quoted(w->out, s);
}

void jw_z(struct js_out *w, const char *z)
{
    if (z)
        jw_str(w, str_of(z));
    else
        jw_null(w);
}

void jw_int(struct js_out *w, int64_t i)
{
    before_value(w);
    buf_printf(w->out, "%" PRId64, i);
}

void jw_bool(struct js_out *w, bool b)
{
    jw_raw(w, b ? STR("true") : STR("false"));
}

void jw_null(struct js_out *w)
{
    jw_raw(w, STR("null"));
}

static bool write_member(struct str key, const struct js_value *v, void *arg)
{
    struct js_out *w = arg;

    jw_key_str(w, key);
    jw_value(w, v);
    return !w->out->failed;
}

/* Calls itself for what V holds; js_parse has bounded the depth. */
void jw_value(struct js_out *w, const struct js_value *v)
{
    struct str text = {NULL, 0};

    switch (js_type(v)) {
    case JS_ABSENT:
    case JS_NULL:
        jw_null(w);
        break;
    case JS_BOOL:
        jw_bool(w, js_true(v));
        break;
    case JS_NUMBER:
        jw_raw(w, js_text(v, &text) ? text : STR("null"));
        break;
    case JS_TEXT:
        jw_str(w, js_string(v, &text) ? text : STR(""));
        break;
    case JS_ARRAY:
        jw_begin_array(w);
        for (size_t i = 0; i < js_len(v) && !w->out->failed; i++)
            jw_value(w, js_at(v, i));
        jw_end_array(w);
        break;
    case JS_OBJECT:
        jw_begin_object(w);
        js_each(v, write_member, w);
        jw_end_object(w);
        break;
    }
}

void jw_kstr(struct js_out *w, const char *key, struct str s)
{
    jw_key(w, key);
    jw_str(w, s);
}

void jw_kz(struct js_out *w, const char *key, const char *z)
{
    jw_key(w, key);
    jw_z(w, z);
}

void jw_kint(struct js_out *w, const char *key, int64_t i)
{
    jw_key(w, key);
    jw_int(w, i);
}

void jw_kbool(struct js_out *w, const char *key, bool b)
{
    jw_key(w, key);
    jw_bool(w, b);
}

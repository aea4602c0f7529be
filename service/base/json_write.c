#include <assert.h>
#include <inttypes.h>

#include "service/base/json.h"
#include "service/base/limits.h"

_Static_assert(LIM_JSON_DEPTH <= 32, "struct js_out has a bit for each depth in 32 bits");

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

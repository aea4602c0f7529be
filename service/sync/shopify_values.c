#include "service/sync/shopify_parts.h"

#include <stdio.h>

/* ---- texts and times ---- */

struct str shp_read_words(struct reader *r, const struct js_value *v)
{
    struct str raw;

    return js_text(v, &raw) ? ord_words(raw, r->arena) : STR("");
}

struct str shp_read_name(struct reader *r, const struct js_value *v, const char *key)
{
    return shp_read_words(r, js_get(v, key));
}

struct str shp_read_part_id(struct reader *r, const struct js_value *v, const char *key)
{
    struct str id;

    return shp_read_id(js_get(v, key), &id) ? arena_str(r->arena, id) : STR("");
}

void shp_read_day(const struct js_value *v, const char *key, const char *other, char out[11])
{
    struct str text;

    if (!(js_string(js_get(v, key), &text) && ord_day(text, out)) &&
        !(other && js_string(js_get(v, other), &text) && ord_day(text, out)))
        out[0] = '\0';
}

bool shp_is_word(const struct js_value *v, const char *key, const char *word)
{
    struct str text;

    return js_string(js_get(v, key), &text) && str_eq_nocase(text, str_of(word));
}

/* ---- arrays ---- */

enum err shp_count(struct reader *r, const struct js_value *v, const char *key, size_t *n)
{
    *n = js_len(js_get(v, key));
    if (*n > LIM_ORDER_LINES)
        return err_set(r->info, ERR_TOO_BIG, "%s has %zu elements; at most %d are read.", key, *n,
                       LIM_ORDER_LINES);
    r->elements += *n;
    if (r->elements > LIM_ORDER_ELEMENTS)
        return err_set(r->info, ERR_TOO_BIG, "%s: the order has more than %d elements in all.", key,
                       LIM_ORDER_ELEMENTS);
    return ERR_OK;
}

enum err shp_in_element(struct reader *r, const char *array, size_t i, enum err e)
{
    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e, "%s[%zu]", array, i);
}

void *shp_grown(struct arena *arena, const void *array, size_t n, size_t size)
{
    char *copy = arena_array(arena, n + 1, size);

    if (n > 0)
        memcpy(copy, array, n * size);
    return copy;
}

/* ---- amounts ---- */

bool shp_in_presentment(const struct order *o)
{
    return !str_eq(str_of(o->currency), str_of(o->shop_currency));
}

static enum err parse(struct reader *r, struct str text, const char *key, const char *currency,
                      struct money *out)
{
    enum err e = mon_parse(text, currency, out, r->info);

    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e == ERR_SYNTAX ? ERR_TYPE : e, "%s", key);
}

enum err shp_read_plain(struct reader *r, const struct js_value *v, const char *key,
                        const char *currency, struct money *out)
{
    const struct js_value *amount = js_get(v, key);
    struct str text;

    *out = mon_zero(currency);
    if (js_is_null(amount))
        return ERR_OK;
    if (!js_text(amount, &text))
        return err_set(r->info, ERR_TYPE, "%s is no amount.", key);
    return parse(r, text, key, currency, out);
}

static const char *chosen_money(const struct order *o)
{
    return shp_in_presentment(o) ? "presentment_money" : "shop_money";
}

static const struct js_value *chosen(struct reader *r, const struct js_value *set)
{
    return js_get(set, chosen_money(r->o));
}

enum err shp_read_set(struct reader *r, const struct js_value *v, const char *name,
                      struct money *out)
{
    const struct js_value *money = chosen(r, v);
    struct str code;
    enum err e = shp_read_plain(r, money, "amount", r->o->currency, out);

    if (e == ERR_OK && js_string(js_get(money, "currency_code"), &code) &&
        !str_eq_nocase(code, str_of(r->o->currency)))
        e = err_set(r->info, ERR_CURRENCY, "it is in %.*s, not in %s.",
                    STR_FMT(str_cut(code, LIM_NAME)), r->o->currency);
    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e, "%s.%s", name, chosen_money(r->o));
}

#define KEY_SIZE 80

static const struct js_value *set_of(const struct js_value *v, const char *key, char name[KEY_SIZE])
{
    snprintf(name, KEY_SIZE, "%s_set", key);
    return js_get(v, name);
}

bool shp_has_amount(const struct js_value *v, const char *key)
{
    char name[KEY_SIZE];

    return !js_is_null(js_get(v, key)) || !js_is_null(set_of(v, key, name));
}

/* An amount in the buyer's money: only its set states it, but 0 is 0 in any money. */
static enum err read_presentment(struct reader *r, const struct js_value *v, const char *key,
                                 struct money *out)
{
    char name[KEY_SIZE];
    const struct js_value *set = set_of(v, key, name);
    enum err e;

    if (!js_is_null(js_get(chosen(r, set), "amount")))
        return shp_read_set(r, set, name, out);
    e = shp_read_plain(r, v, key, r->o->currency, out);
    if (e == ERR_OK && (out->units != 0 || !js_is_null(set)))
        e = err_set(r->info, ERR_MISSING,
                    "%s.presentment_money is missing: the amount is stated in %s only, and the "
                    "order is wanted in %s.",
                    name, r->o->shop_currency, r->o->currency);
    return e;
}

enum err shp_read_amount(struct reader *r, const struct js_value *v, const char *key,
                         struct money *out)
{
    char name[KEY_SIZE];
    const struct js_value *set;

    if (shp_in_presentment(r->o))
        return read_presentment(r, v, key, out);
    if (!js_is_null(js_get(v, key)))
        return shp_read_plain(r, v, key, r->o->currency, out);
    set = set_of(v, key, name);
    return shp_read_set(r, set, name, out);
}

enum err shp_need_amount(struct reader *r, const struct js_value *v, const char *key,
                         struct money *out)
{
    if (!shp_has_amount(v, key))
        return err_set(r->info, ERR_MISSING, "%s is missing.", key);
    return shp_read_amount(r, v, key, out);
}

/* A number's text without what its binary form added: 19.900000000000002 becomes 19.90. Any other
 * text is left as it is. */
static struct str without_noise(struct str text, const char *currency, char out[40])
{
    const char *point = text.n > 0 ? memchr(text.p, '.', text.n) : NULL;
    size_t kept = point ? (size_t)(point - text.p) + 5 : 0;
    struct money m;

    if (!point || text.n <= kept || kept >= 40 || memchr(text.p, 'e', text.n) ||
        memchr(text.p, 'E', text.n))
        return text;
    /* The decimals behind the fourth are noise unless they carry into it. */
    if (mon_parse((struct str){text.p, kept}, currency, &m, NULL) != ERR_OK)
        return text;
    if (text.p[kept] >= '5')
        m.units += text.p[0] == '-' ? -1 : 1;
    if (mon_round(m, mon_decimals(currency), &m) != ERR_OK)
        return text;
    snprintf(out, 40, "%s", mon_text(m).z);
    return str_of(out);
}

enum err shp_read_refunded(struct reader *r, const struct js_value *v, const char *key,
                           struct money *out)
{
    char name[KEY_SIZE], clean[40];
    const struct js_value *set = set_of(v, key, name);
    struct str text;

    if (shp_in_presentment(r->o))
        return read_presentment(r, v, key, out);
    if (!js_is_null(js_get(chosen(r, set), "amount")))
        return shp_read_set(r, set, name, out);
    if (js_type(js_get(v, key)) != JS_NUMBER || !js_text(js_get(v, key), &text))
        return shp_read_plain(r, v, key, r->o->currency, out);
    return parse(r, without_noise(text, r->o->currency, clean), key, r->o->currency, out);
}

struct money shp_guess_amount(struct reader *r, const struct js_value *v, const char *key,
                              struct money other)
{
    struct reader quiet = {.o = r->o};
    struct money m;

    if (!shp_has_amount(v, key) || shp_read_amount(&quiet, v, key, &m) != ERR_OK)
        return other;
    return m;
}

enum err shp_add_up(struct reader *r, struct money m, struct money *sum)
{
    enum err e = mon_add(*sum, m, sum);

    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "The sum of the amounts does not fit.");
}

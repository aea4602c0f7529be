/*
 * options_write: a store's settings as the complete document that is stored and shown.
 */
#include "service/sync/options.h"

#include "service/sync/options_parts.h"

static const void *place_const(const struct opt_field *f, const struct opt_store *store)
{
    return (const char *)store + f->at;
}

static void write_text(struct js_out *w, struct str s)
{
    if (s.n > 0)
        jw_str(w, s);
    else
        jw_null(w);
}

static void write_list(struct js_out *w, const struct opt_field *f, const struct opt_store *s)
{
    const struct str *rows = NULL;
    size_t n = 0;

    memcpy(&rows, place_const(f, s), sizeof rows);
    memcpy(&n, (const char *)s + f->count_at, sizeof n);
    jw_begin_array(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, rows[i]);
    jw_end_array(w);
}

static void write_tracking(struct js_out *w, const struct opt_field *f, const struct opt_store *s)
{
    const struct inv_tracking *rows = NULL;
    size_t n = 0;

    memcpy(&rows, place_const(f, s), sizeof rows);
    memcpy(&n, (const char *)s + f->count_at, sizeof n);
    jw_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        bool fixed = rows[i].option.n > 0;

        jw_begin_object(w);
        jw_kstr(w, "category", rows[i].category);
        jw_kstr(w, fixed ? "option" : "tag_prefix", fixed ? rows[i].option : rows[i].tag_prefix);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void write_map(struct js_out *w, const struct inv_map *map)
{
    jw_begin_object(w);
    for (size_t i = 0; i < map->count; i++) {
        jw_key_str(w, map->pairs[i].key);
        jw_str(w, map->pairs[i].value);
    }
    jw_end_object(w);
}

static void write_field(struct js_out *w, const struct opt_field *f, const struct opt_store *s)
{
    const void *at = place_const(f, s);
    int word = 0;

    jw_key(w, f->name);
    switch (f->kind) {
    case OPT_BOOL:
        jw_bool(w, *(const bool *)at);
        break;
    case OPT_CHECK:
        jw_z(w, f->words[*(const bool *)at]);
        break;
    case OPT_WORD:
        memcpy(&word, at, sizeof word);
        jw_z(w, f->words[word]);
        break;
    case OPT_INT:
        jw_int(w, *(const int64_t *)at);
        break;
    case OPT_DAY:
        write_text(w, str_of(at));
        break;
    case OPT_TEXT:
        write_text(w, *(const struct str *)at);
        break;
    case OPT_LIST:
        write_list(w, f, s);
        break;
    case OPT_MAP:
        write_map(w, at);
        break;
    case OPT_TRACKING:
        write_tracking(w, f, s);
        break;
    }
}

static void write_group(struct js_out *w, const char *key, const char *group,
                        const struct opt_store *s)
{
    jw_key(w, key);
    jw_begin_object(w);
    for (size_t i = 0; i < opt_field_count; i++)
        if (strcmp(opt_fields[i].group, group) == 0)
            write_field(w, &opt_fields[i], s);
    jw_end_object(w);
}

void opt_write_document(const struct opt_store *s, struct buf *out)
{
    struct js_out w;

    jw_init(&w, out);
    jw_begin_object(&w);
    write_group(&w, "settings", OPT_SETTINGS, s);
    jw_key(&w, "mappings");
    jw_begin_object(&w);
    write_group(&w, "accounts", OPT_ACCOUNTS, s);
    write_group(&w, "taxes", OPT_TAXES, s);
    write_group(&w, "payments", OPT_PAYMENTS, s);
    jw_end_object(&w);
    jw_end_object(&w);
}

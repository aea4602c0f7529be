/*
 * options_parts: the table of settings (options_fields.c) as the other files walk it: for each
 * field where it stands in the document, its type, default, allowed values, and where it goes; and
 * these walks. Nobody else includes it. Constant data; any thread.
 */
#pragma once

#include "service/sync/options.h"

/* The longest text in a setting, a list or a map, in bytes. */
#define OPT_MAX_TEXT 255

/* The objects that fields stand in. */
#define OPT_SETTINGS "settings"
#define OPT_ACCOUNTS "mappings.accounts"
#define OPT_TAXES "mappings.taxes"
#define OPT_PAYMENTS "mappings.payments"

enum opt_kind {
    OPT_BOOL,
    OPT_WORD,    /* one of `words`; the place is an enum and gets the word's number */
    OPT_CHECK,   /* one of two words; the place is a bool and gets true for the second */
    OPT_INT,     /* from 0 to `max` */
    OPT_DAY,     /* a date, or null for none; the place is char[11] */
    OPT_TEXT,    /* text of at most `max` bytes; null is the same as "" */
    OPT_LIST,    /* of texts; the place is a pointer and, at `count_at`, a size_t */
    OPT_MAP,     /* of texts to texts; the place is a struct inv_map */
    OPT_TRACKING /* of tracking categories; the place is a pointer and, at `count_at`, a size_t */
};

/* Looks at one text and gives its canonical form in OUT. Returns NULL, or how the complaint goes on
 * after "must ". */
typedef const char *opt_check_fn(struct str in, struct arena *arena, struct str *out);

struct opt_field {
    const char *group, *name;
    enum opt_kind kind;
    size_t at;
    int64_t def;              /* OPT_BOOL, OPT_INT */
    const char *text_def;     /* OPT_TEXT; those of prefix and start_date come from the caller */
    const char *const *words; /* the first is the default; ended by NULL */
    int64_t max;
    opt_check_fn *check;     /* of a text, a list's element, a map's value; NULL: any */
    opt_check_fn *check_key; /* of a map's key; NULL: any */
    size_t count_at;         /* OPT_LIST, OPT_TRACKING */
};

/* The table; its end is opt_field_count. */
extern const struct opt_field opt_fields[];
extern const size_t opt_field_count;

/* A document on its way in: DOC over BASE into OUT. */
struct opt_reader {
    const struct js_value *doc, *base;
    struct arena *arena;
    struct opt_store *out;
    struct opt_errors *errors;
    const struct opt_field *field; /* the one at hand */
    struct inv_pair *pairs;        /* a map's entries so far */
    size_t count;
};

/* ---- options_read.c ---- */

/* Reads r->field from V, or complains; V is NULL where neither document has it: texts, days, lists
 * and maps then keep the default that is in place. */
void opt_read_field(struct opt_reader *r, const struct js_value *v);

/* ---- options_write.c ---- */

/* The complete document, every field with its value. */
void opt_write_document(const struct opt_store *s, struct buf *out);

/* ---- options_fields.c ---- */

/* Checks the prefix; the caller needs it for the prefix that it was given as the default. */
const char *opt_check_prefix(struct str in, struct arena *arena, struct str *out);

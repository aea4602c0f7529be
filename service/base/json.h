/*
 * json: reads JSON strictly (RFC 8259: one value, valid UTF-8, no trailing text; bounded depth and
 * size, numbers kept as their own text) with typed getters whose results must be looked at, and
 * writes well-formed JSON straight into a struct buf.
 * A document belongs to one thread at a time.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- reading ---- */

/* A value inside a document, borrowed from it. NULL means "absent"; every getter accepts NULL. */
struct js_value;

enum js_type { JS_ABSENT, JS_NULL, JS_BOOL, JS_NUMBER, JS_TEXT, JS_ARRAY, JS_OBJECT };

/* Owner of a parsed document; {0} is empty. It may be moved, but one copy alone is freed. */
struct js_doc {
    struct js_value *root;
    struct arena arena; /* private: the document's copy of the text, and its values */
};

/* Parses TEXT as exactly one JSON value. ERR_SYNTAX (with the byte offset), ERR_TOO_BIG when over
 * MAX_BYTES or LIM_JSON_DEPTH, or with more values than both LIM_JSON_VALUES and an eighth of its
 * bytes. A key with \u0000 and an integer of more than 64 bits are ERR_SYNTAX too. DOC is
 * overwritten, and empty after an error; it needs TEXT no more. Of duplicate keys the last counts.
 * A surrogate without its other half is read as U+FFFD. */
enum err js_parse(struct str text, size_t max_bytes, struct js_doc *doc,
                  struct errinfo *info) MUST_CHECK;
void js_free(struct js_doc *doc);
/* The same after wiping all that was in it. */
void js_free_secret(struct js_doc *doc);

/* JS_ABSENT for NULL. */
enum js_type js_type(const struct js_value *v);
/* Member KEY of an object; NULL if V is no object or has no such member. Goes through all members.
 */
const struct js_value *js_get(const struct js_value *v, const char *key);
/* Member by a path of keys, "customer.id"; NULL as soon as one is absent. */
const struct js_value *js_path(const struct js_value *v, const char *path);
/* Elements of an array; 0 and NULL for anything else. */
size_t js_len(const struct js_value *v);
const struct js_value *js_at(const struct js_value *v, size_t i);
/* True for absent and for null. */
bool js_is_null(const struct js_value *v);

/* The text of a string, or of a number exactly as it was written; false for anything else. The
 * view is borrowed from the document. */
bool js_text(const struct js_value *v, struct str *out) MUST_CHECK;
/* Text of a string only. */
bool js_string(const struct js_value *v, struct str *out) MUST_CHECK;
/* An integer that is written as one (number, or text of digits) and fits; false otherwise. */
bool js_int64(const struct js_value *v, int64_t *out) MUST_CHECK;
bool js_bool(const struct js_value *v, bool *out) MUST_CHECK;
/* True only for the JSON value true. */
bool js_true(const struct js_value *v);

/* Calls for each member of an object in its order; stops when FN returns false. */
typedef bool js_member_fn(struct str key, const struct js_value *v, void *arg);
void js_each(const struct js_value *v, js_member_fn *fn, void *arg);

/* ---- json_write.c: writing ---- */

/* Writes JSON into OUT; commas and quoting are its business. Invalid UTF-8 in a text is replaced by
 * U+FFFD. Misuse (a value without a key in an object) is asserted. Errors (too big) collect in OUT:
 * check buf_check once at the end. Nesting at most LIM_JSON_DEPTH. */
struct js_out {
    struct buf *out;
    uint32_t is_object; /* bit per depth */
    uint32_t has_member;
    int depth;
    bool after_key;
};

/* Starts a text; OUT may hold something already. The rest says what it writes. */
void jw_init(struct js_out *w, struct buf *out);
void jw_begin_object(struct js_out *w);
void jw_end_object(struct js_out *w);
void jw_begin_array(struct js_out *w);
void jw_end_array(struct js_out *w);
void jw_key(struct js_out *w, const char *key);
void jw_key_str(struct js_out *w, struct str key);
void jw_str(struct js_out *w, struct str s);
void jw_z(struct js_out *w, const char *z); /* NULL writes null */
void jw_int(struct js_out *w, int64_t i);
void jw_bool(struct js_out *w, bool b);
void jw_null(struct js_out *w);
/* Text that already is one JSON value (a number's text, a stored document). */
void jw_raw(struct js_out *w, struct str json);
/* A parsed value, written again as it was read (numbers keep their text). */
void jw_value(struct js_out *w, const struct js_value *v);

/* key + value in one line. */
void jw_kstr(struct js_out *w, const char *key, struct str s);
void jw_kz(struct js_out *w, const char *key, const char *z);
void jw_kint(struct js_out *w, const char *key, int64_t i);
void jw_kbool(struct js_out *w, const char *key, bool b);

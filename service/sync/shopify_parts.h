/*
 * shopify_parts: what the files of shopify share. shopify_topics says what a message is and which
 * order it is about; shopify reads the order, by shopify_values what all values are read with,
 * shopify_lines what was sold and shipped, shopify_refunds what was given back, edited and paid.
 * For them alone. Pure: any thread.
 */
#pragma once

#include "service/sync/shopify.h"

/* What reading shares: where memory and sentences go, the order being filled, its lines while they
 * may still be written, and how many elements of arrays were read so far. A sentence names the
 * field; each loop on the way out puts the element in front:
 * "line_items[3]: tax_lines[0]: price is missing." */
struct reader {
    struct arena *arena;
    struct errinfo *info; /* NULL: nobody wants the sentence */
    struct order *o;
    struct ord_line *lines;
    size_t elements;
};

/* ---- values ---- */

/* An id: a positive integer. Its digits are the text that names it everywhere; borrowed from V. */
bool shp_read_id(const struct js_value *v, struct str *id) MUST_CHECK;
/* The id of a part of the order, in the arena; "" if it has none. */
struct str shp_read_part_id(struct reader *r, const struct js_value *v, const char *key);
/* Text for people: control characters become spaces, at most LIM_NAME bytes. "" for what is no
 * text. */
struct str shp_read_words(struct reader *r, const struct js_value *v);
/* The same of a member. */
struct str shp_read_name(struct reader *r, const struct js_value *v, const char *key);
/* The day of the first of two times that is there (OTHER may be NULL); "" for none. */
void shp_read_day(const struct js_value *v, const char *key, const char *other, char out[11]);
/* True if member KEY is this word, whatever its case. */
bool shp_is_word(const struct js_value *v, const char *key, const char *word) MUST_CHECK;

/* The elements of array KEY; a missing one has none. ERR_TOO_BIG over LIM_ORDER_LINES, and when the
 * order's arrays together have more than LIM_ORDER_ELEMENTS. */
enum err shp_count(struct reader *r, const struct js_value *v, const char *key,
                   size_t *n) MUST_CHECK;
/* E as it is, with "ARRAY[I]" in front of its sentence. */
enum err shp_in_element(struct reader *r, const char *array, size_t i, enum err e);
/* A copy of the N elements of ARRAY in the arena, with room for one more. */
void *shp_grown(struct arena *arena, const void *array, size_t n, size_t size);

/* ---- amounts, all in the order's currency ---- */

/* Member KEY or, beside it, the money of the order's choice in KEY_set: in shop money the plain one
 * first, in presentment money the set alone. Absent or null is 0; anything else must be an amount
 * (ERR_TYPE, ERR_RANGE): a wrong one may not turn into a wrong invoice. ERR_MISSING: there is no
 * presentment money of an amount that is not 0; ERR_CURRENCY: the set is in another currency. */
enum err shp_read_amount(struct reader *r, const struct js_value *v, const char *key,
                         struct money *out) MUST_CHECK;
/* The same; ERR_MISSING if there is neither. */
enum err shp_need_amount(struct reader *r, const struct js_value *v, const char *key,
                         struct money *out) MUST_CHECK;
/* The same as shp_read_amount for records of refunds: the set first, because what stands beside it
 * is a binary number, of which only the cash amount counts. */
enum err shp_read_refunded(struct reader *r, const struct js_value *v, const char *key,
                           struct money *out) MUST_CHECK;
/* True if shp_read_amount has something to read. */
bool shp_has_amount(const struct js_value *v, const char *key) MUST_CHECK;
/* Member KEY, an amount without a set, as an amount of CURRENCY. Absent or null is 0. */
enum err shp_read_plain(struct reader *r, const struct js_value *v, const char *key,
                        const char *currency, struct money *out) MUST_CHECK;
/* The money of the order's choice in V itself, an object with shop_money and presentment_money.
 * NAME is for the sentence. Absent or null is 0. */
enum err shp_read_set(struct reader *r, const struct js_value *v, const char *name,
                      struct money *out) MUST_CHECK;
/* An amount that an invoice can do without: OTHER stands in for whatever is not one. */
struct money shp_guess_amount(struct reader *r, const struct js_value *v, const char *key,
                              struct money other);
/* SUM + M into SUM. ERR_OVERFLOW. */
enum err shp_add_up(struct reader *r, struct money m, struct money *sum) MUST_CHECK;
/* True if the order is read in the buyer's money, which is not the shop's. */
bool shp_in_presentment(const struct order *o) MUST_CHECK;

/* ---- parts of an order ---- */

/* Products, tips, shipping, duties and fees into o->lines; the totals have been read. */
enum err shp_read_lines(struct reader *r, const struct js_value *root) MUST_CHECK;
/* A product, voucher or tip: what has a quantity. Of all other lines there is one. */
bool shp_is_item(const struct ord_line *line) MUST_CHECK;
/* The product, voucher or tip of this id; NULL if the order has none. */
struct ord_line *shp_find_line(struct reader *r, struct str id);
/* What of the lines has been shipped, and when the first shipment went. */
enum err shp_read_shipments(struct reader *r, const struct js_value *root) MUST_CHECK;
/* The refund records, with what edits removed of the lines. */
enum err shp_read_refunds(struct reader *r, const struct js_value *root) MUST_CHECK;
/* What follows from lines and refund records for the state as a whole. */
void shp_note_refunds(struct order *o);
/* Payments are taken all or none: a set with one that cannot be read is no basis for a booking, and
 * the order's own totals then have to do. */
void shp_read_payments(struct reader *r, const struct js_value *root);

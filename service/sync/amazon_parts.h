/*
 * amazon_parts: what the files of amazon share. amazon.c takes wrappings off and reads
 * notifications, amazon_order.c and amazon_v0.c read the two shapes of an order, amazon_lines.c
 * makes its lines and finds out whether its prices include the tax. For them alone. Pure.
 */
#pragma once

#include "service/sync/amazon.h"

/* An order on its way: where memory and sentences go, and the sums of its lines. */
struct amz_reader {
    struct arena *arena;
    struct errinfo *info;
    struct order *o;
    struct ord_line *lines;
    size_t room;
    struct money base;     /* prices less discounts */
    struct money tax;      /* stated beside them */
    struct money withheld; /* of that, what the marketplace remits itself */
    struct str home;       /* country of the marketplace; "" unknown */
    struct money pending;  /* of the charges, what Amazon has not charged yet: a tip */
    bool hidden_wrap;      /* a gift whose wrapping is not priced: v0 hides it without a token */
};

/* What of an item is charged under one head. */
struct amz_charge {
    enum ord_line_kind kind;
    const char *what; /* "" the product itself, else a word: its line is "<what>:<item>", or
                         "<what>" if it is the whole order's */
    const char *title;
    struct money price, discount, tax; /* of all its pieces; a discount's sign does not matter */
};

/* One item of an order: its charges share these. */
struct amz_item {
    struct str id, title, sku;
    int64_t quantity, shipped;
    bool withheld; /* its tax is the marketplace's */
};

/* Text of at most LIM_NAME bytes, without control characters; "" for what is none. */
struct str amz_words(struct amz_reader *r, const struct js_value *v, const char *key);
/* The item's own id: letters, digits, - and _, a digit among them, so that no name of a line of
 * ours ("tip", "rounding", "wrap:<id>") is one. ERR_MISSING: none. */
enum err amz_item_id(struct amz_reader *r, const struct js_value *v, const char *key,
                     struct str *out) MUST_CHECK;
/* A time as it was written; "" for anything that is none. */
void amz_time(const struct js_value *v, const char *key, char out[36]);
/* 3-7-7 digits. */
bool amz_is_order_id(struct str text) MUST_CHECK;
/* True for true and "true": Amazon writes some truths as text. */
bool amz_true(const struct js_value *v);
/* WORD is Amazon's status in either API's spelling. False, and nothing set, for an unknown one;
 * else the state it stands for, and the event that it announces. */
bool amz_status(struct str word, struct ord_state *state, enum rul_event *event) MUST_CHECK;
/* ISO code of a marketplace's country; "" unknown. */
struct str amz_country(struct str marketplace);

/* An amount {currency, number} as member KEY of V. The first one sets the order's currency, every
 * other must have it (ERR_CURRENCY). Absent or null is 0. */
enum err amz_amount(struct amz_reader *r, const struct js_value *v, const char *key,
                    struct money *out) MUST_CHECK;
/* Room for N more lines. */
void amz_make_room(struct amz_reader *r, size_t n);
/* Adds a line for a charge that is not 0, and counts it in the sums. ERR_RANGE: it is negative. */
enum err amz_add_charge(struct amz_reader *r, const struct amz_item *item,
                        const struct amz_charge *c) MUST_CHECK;
/* All lines are there: says whether prices include the tax, by the TOTAL that comes out, and
 * whether they may hold one that is not stated; sets the order's totals. NET: what a marketplace
 * withholds is not in TOTAL. */
enum err amz_reconcile(struct amz_reader *r, struct money total, bool net) MUST_CHECK;

/* The two shapes of an order. ORDER is the order's own object. */
enum err amz_read_2026(struct amz_reader *r, const struct js_value *order) MUST_CHECK;
enum err amz_read_v0(struct amz_reader *r, const struct js_value *order,
                     const struct js_value *items) MUST_CHECK;
/* What both shapes have under different names. */
struct amz_names {
    const char *id, *created, *updated;
};
void amz_read_identity(struct amz_reader *r, const struct js_value *order,
                       const struct amz_names *names);
/* The state by STATUS; ERR_MISSING for a status that is none. */
enum err amz_read_state(struct amz_reader *r, struct str status, struct str channel,
                        bool elsewhere) MUST_CHECK;

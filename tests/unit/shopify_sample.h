/*
 * shopify_sample: a body of Shopify's that was read, for the tests of its readers: a sample file,
 * or a text in which ' stands for ". For test files only; one thread.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "service/sync/shopify.h"

#define ORDERS SOURCE_DIR "/tests/data/orders/"

/* A body that was read, with all that it lives in. */
struct sample {
    struct buf text;
    struct js_doc doc;
    struct arena arena;
    struct order o;
    struct errinfo info;
};

static inline void load(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    char bytes[4096];
    size_t n;

    if (!file)
        fail_msg("cannot open %s", path);
    buf_init(out, LIM_JSON_BYTES);
    while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_add(out, bytes, n);
    fclose(file);
    assert_int_equal(buf_check(out), ERR_OK);
}

static inline void parse(struct sample *s)
{
    assert_int_equal(js_parse(buf_str(&s->text), LIM_JSON_BYTES, &s->doc, &s->info), ERR_OK);
}

static inline void open_sample(struct sample *s, const char *name)
{
    char path[300];

    memset(s, 0, sizeof(*s));
    snprintf(path, sizeof(path), ORDERS "%s.json", name);
    load(path, &s->text);
    parse(s);
}

static inline enum err read_sample_in(struct sample *s, enum shp_money money)
{
    return shp_read_order(s->doc.root, STR("a.myshopify.com"), money, &s->arena, &s->o, &s->info);
}

static inline enum err read_sample(struct sample *s)
{
    return read_sample_in(s, SHP_SHOP_MONEY);
}

/* Reads an order from TEXT, in which ' stands for ". */
static inline enum err read_text_in(struct sample *s, const char *text, enum shp_money money)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->text, LIM_JSON_BYTES);
    for (const char *c = text; *c; c++)
        buf_addc(&s->text, *c == '\'' ? '"' : *c);
    parse(s);
    return read_sample_in(s, money);
}

static inline enum err read_text(struct sample *s, const char *text)
{
    return read_text_in(s, text, SHP_SHOP_MONEY);
}

static inline void close_sample(struct sample *s)
{
    js_free(&s->doc);
    arena_free(&s->arena);
    buf_free(&s->text);
}

/* What every order of the tests begins with; one line of two mugs. */
#define HEAD "'id':1,'currency':'EUR','total_price':'10.00',"
#define ONE_LINE "'line_items':[{'id':11,'title':'Mug','quantity':2,'price':'5.00'}]"

/* A record of its own, from a text as above. */
static inline void parse_record(struct js_doc *doc, const char *text)
{
    struct buf b = BUF_CAP(4000);

    for (const char *c = text; *c; c++)
        buf_addc(&b, *c == '\'' ? '"' : *c);
    assert_int_equal(js_parse(buf_str(&b), 4000, doc, NULL), ERR_OK);
    buf_free(&b);
}

/*
 * amazon_sample: bodies of Amazon's as the tests of service/sync/amazon read them. For these tests.
 */
#pragma once

#include "service/sync/amazon.h"

#define DATA SOURCE_DIR "/tests/data/amazon/"

/* ---- bodies ---- */

/* A body that was read, with all that it lives in. */
struct sample {
    struct buf text;
    struct amz_body body;
    struct amz_record record;
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
    while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_add(out, bytes, n);
    fclose(file);
    assert_int_equal(buf_check(out), ERR_OK);
}

static inline void load_named(const char *name, struct buf *out)
{
    char path[300];

    snprintf(path, sizeof(path), DATA "%s.json", name);
    load(path, out);
}

static inline void begin(struct sample *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->text, LIM_JSON_BYTES);
}

/* TEXT, in which ' stands for ". */
static inline void write_text(struct sample *s, const char *text)
{
    for (const char *c = text; *c; c++)
        buf_addc(&s->text, *c == '\'' ? '"' : *c);
}

static inline void end(struct sample *s)
{
    amz_record_free(&s->record);
    amz_body_free(&s->body);
    js_free(&s->doc);
    arena_free(&s->arena);
    buf_free(&s->text);
}

static inline enum err open_record(struct sample *s, size_t i)
{
    enum err e = amz_open(buf_str(&s->text), &s->body, &s->info);

    return e == ERR_OK ? amz_record(&s->body, i, &s->record, &s->info) : e;
}

/* Reads an order as it would come back from where it is stored. */
static inline enum err read_order(struct sample *s)
{
    struct buf stored = BUF_CAP(LIM_JSON_BYTES);
    enum err e = open_record(s, 0);

    if (e == ERR_OK) {
        assert_int_equal(s->record.kind, AMZ_ORDER);
        amz_write_order(&s->record, &stored);
        e = js_parse(buf_str(&stored), stored.n, &s->doc, &s->info);
    }
    if (e == ERR_OK)
        e = amz_read_order(s->doc.root, STR("AAAAA"), &s->arena, &s->o, &s->info);
    buf_free(&stored);
    return e;
}

/* The order ORDER of v0 with the items ITEMS; NULL: without any. */
static inline void load_v0(struct sample *s, const char *order, const char *items)
{
    begin(s);
    buf_addz(&s->text, "{\"orderResponse\":");
    load_named(order, &s->text);
    if (items) {
        buf_addz(&s->text, ",\"orderItemsResponse\":");
        load_named(items, &s->text);
    }
    buf_addc(&s->text, '}');
}

/*
 * Fuzzes the way in for Amazon: one body is scanned for sellers, taken out of its wrappings, and
 * read as a notification or an order; an order is also stored and read again. Whatever is accepted
 * must keep what the header promises.
 */
#include "service/sync/amazon.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The lines come to the total, to the last digit. */
static void check_order(const struct order *o)
{
    struct money sum = o->taxes_included ? mon_zero(o->currency) : o->total_tax, gross;

    must(o->id.n == 19 && o->due_days == -1);
    must(o->line_count <= 6 * LIM_ORDER_LINES);
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *l = &o->lines[i];

        must(l->quantity > 0 && l->shipped >= 0 && l->shipped <= l->quantity);
        must(l->title.n <= LIM_NAME && l->id.n > 0 && l->tax_count <= 1);
        must(mon_mul(l->price, l->quantity, &gross) == ERR_OK);
        must(mon_add(sum, gross, &sum) == ERR_OK && mon_sub(sum, l->discount, &sum) == ERR_OK);
    }
    must(sum.units == o->total.units);
}

static void check_stored(const struct amz_record *r)
{
    struct buf stored = BUF_CAP(LIM_JSON_BYTES);
    struct js_doc doc = {0};
    struct arena arena = {NULL, 0};
    struct errinfo info = {""};
    struct order o;
    struct str id;
    bool has_id = amz_order_id(r, &id);

    amz_write_order(r, &stored);
    if (buf_check(&stored) == ERR_OK) {
        must(js_parse(buf_str(&stored), stored.n, &doc, &info) == ERR_OK || info.text[0] != '\0');
        if (amz_read_order(doc.root, STR("A000SAMPLESELL"), &arena, &o, &info) == ERR_OK)
            check_order(&o);
        else
            must(info.text[0] != '\0');
        must(!has_id || str_eq(o.id, id));
    }
    arena_free(&arena);
    js_free(&doc);
    buf_free(&stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str body = {(const char *)data, n};
    char sellers[4][AMZ_SELLER + 1], again[AMZ_SELLER + 1];
    struct errinfo info = {""};
    struct amz_notice notice;
    struct amz_record record;
    struct amz_body opened;
    size_t found = amz_scan_sellers(body, sellers, 4);

    must(found <= 4);
    for (size_t i = 0; i < found; i++)
        must(amz_seller(str_of(sellers[i]), again));
    if (amz_open(body, &opened, &info) != ERR_OK)
        return 0;
    must(opened.count <= AMZ_RECORDS);
    for (size_t i = 0; i < opened.count; i++) {
        enum err e = amz_record(&opened, i, &record, &info);

        must(e == ERR_OK || info.text[0] != '\0');
        if (e == ERR_OK && record.kind == AMZ_ORDER)
            check_stored(&record);
        if (e == ERR_OK && record.kind == AMZ_NOTICE &&
            amz_read_notice(&record, &notice, &info) == ERR_OK)
            must(notice.order_id.n == 19 && notice.status.n > 0 && notice.event < RUL_EVENT_COUNT);
        amz_record_free(&record);
    }
    amz_body_free(&opened);
    return 0;
}

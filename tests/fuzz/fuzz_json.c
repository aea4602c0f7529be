/* Any bytes: parsing ends; what was read is written to a text that reads and writes the same. */
#include <stdlib.h>

#include "service/base/json.h"
#include "service/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(const struct js_doc *doc, struct buf *out)
{
    struct js_out w;

    jw_init(&w, out);
    jw_value(&w, doc->root);
    if (buf_check(out) != ERR_OK)
        abort();
}

/* Every getter on every member; texts are looked at byte by byte for the sanitizers. */
static bool visit(struct str key, const struct js_value *v, void *arg)
{
    uint64_t *sum = arg;
    struct str text = {NULL, 0};
    int64_t number = 0;

    if (js_text(v, &text)) {
        for (size_t i = 0; i < text.n; i++)
            *sum += (unsigned char)text.p[i];
    }
    *sum += key.n + js_int64(v, &number) + js_true(v) + js_is_null(v);
    for (size_t i = 0; i < js_len(v); i++)
        (void)visit(STR(""), js_at(v, i), arg);
    js_each(v, visit, arg);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct js_doc doc = {0}, again = {0};
    struct buf one = BUF_CAP(64u << 20), two = BUF_CAP(64u << 20);
    uint64_t sum = 0;

    if (js_parse((struct str){(const char *)data, size}, LIM_JSON_BYTES, &doc, NULL) != ERR_OK) {
        if (doc.root)
            abort();
        return 0;
    }
    (void)visit(STR(""), doc.root, &sum);
    write_value(&doc, &one);
    if (js_parse(buf_str(&one), one.n, &again, NULL) != ERR_OK)
        abort();
    write_value(&again, &two);
    if (!str_eq(buf_str(&one), buf_str(&two)))
        abort();
    buf_free(&one);
    buf_free(&two);
    js_free(&doc);
    js_free(&again);
    return 0;
}
